/* The subcommands, one row each: parser, usage and help read this table. */
#include "cli/cli.h"

const cli_command cli_commands[] = {
    {"train", cli_train, CLI_TARGET, "FILE.ini|RUN", true, "out resume json",
     "train the experiment of an INI file; prints the run directory last"},
    {"eval", cli_eval, CLI_TARGET, "RUN", true, "split json", "measure a run's best weights on a split"},
    {"reconstruct", cli_reconstruct, CLI_TARGET, "RUN", true, "out seed count scale split json",
     "draw originals over reconstructions"},
    {"sample", cli_sample, CLI_TARGET, "RUN", true, "out seed count scale json",
     "draw images decoded from a vae's prior"},
    {"manifold", cli_manifold, CLI_TARGET, "RUN", true, "out count scale json", "draw the plane of codes of size 2"},
    {"search", cli_search, CLI_TARGET, "FILE.ini|SEARCH", true, "out resume list best json worker",
     "try the values of [space]; prints a ranked table, and the search's folder last"},
    {"summary", cli_summary, CLI_TARGET, "FILE.ini", true, "json",
     "layers, shapes, parameters, arithmetic, memory, launches a step"},
    {"check", cli_check, CLI_TARGET, "FILE.ini", true, "", "list every error of an INI file"},
    {"explain", cli_explain, CLI_OPTIONAL_TARGET, "[SECTION|SECTION.KEY|layer.TYPE]", false, "markdown",
     "say what a key means, its range and default"},
    {"devices", cli_devices, CLI_NO_TARGET, "", false, "json", "list the OpenCL devices"},
    {"bench", cli_bench, CLI_TARGET, "FILE.ini", true, "seconds trace json",
     "measure training steps beside the device's FMA peak"},
};
const int cli_command_count = sizeof cli_commands / sizeof *cli_commands;
