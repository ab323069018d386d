/* The subcommands, one row each: parser, usage and help read this table. */
#include "cli/cli.h"

const cli_command cli_commands[] = {
    {"train", cli_train, CLI_TARGET, "FILE.ini|RUN", true, "out resume json",
     "train the experiment of an INI file; prints the run directory last"},
    {"eval", cli_eval, CLI_TARGET, "RUN", true, "split iwae json", "measure a run's weights on a split"},
    {"reconstruct", cli_reconstruct, CLI_TARGET, "RUN", true, "out seed count scale split json",
     "draw originals over reconstructions"},
    {"sample", cli_sample, CLI_TARGET, "RUN", true, "out seed count scale from components json",
     "draw new images, from the prior or from what is fitted to the training codes"},
    {"manifold", cli_manifold, CLI_TARGET, "RUN", true, "out count scale json", "draw the plane of codes of size 2"},
    {"interpolate", cli_interpolate, CLI_TARGET_AND_NAMES, "RUN A B", true, "out steps path scale split json",
     "draw what lies between two images: indices into the split, or PNG files"},
    {"classify", cli_classify, CLI_TARGET_AND_NAMES, "RUN IMAGE...", true, "json",
     "say which class images show: PNG files, or indices of test images"},
    {"latent", cli_latent, CLI_TARGET, "RUN", true, "out split count of axes method perplexity iterations seed json",
     "write the codes of a split, draw them raw, by PCA and by t-SNE, and measure their space"},
    {"compare", cli_compare, CLI_TARGET_AND_NAMES, "RUN...", false, "x y by out log-x log-y json",
     "runs beside each other: a quantity of their results against another, as a table and by --out as a plot"},
    {"score", cli_score, CLI_TARGET_AND_NAMES, "RUN [IMAGE.png ...]", true, "out top csv scale split json",
     "rank images by their anomaly: PNG files, indices into the split, or all of the split"},
    {"search", cli_search, CLI_TARGET, "FILE.ini|SEARCH", true, "out resume list best json worker",
     "try the values of [space]; prints a ranked table, and the search's folder last"},
    {"summary", cli_summary, CLI_TARGET, "FILE.ini", true, "json",
     "layers, shapes, parameters, arithmetic, memory, launches a step"},
    {"check", cli_check, CLI_TARGET, "FILE.ini", true, "json", "list every error of an INI file"},
    {"explain", cli_explain, CLI_OPTIONAL_TARGET, "[SECTION|SECTION.KEY|layer.TYPE]", false, "markdown json",
     "say what a key means, its range and default"},
    {"devices", cli_devices, CLI_NO_TARGET, "", false, "json", "list the OpenCL devices"},
    {"bench", cli_bench, CLI_TARGET, "FILE.ini", true, "seconds trace json",
     "measure training steps beside the device's FMA peak"},
};
const int cli_command_count = sizeof cli_commands / sizeof *cli_commands;
