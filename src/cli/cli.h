/* The program: one table of subcommands, one of options. A subcommand parses nothing itself and returns a clv_status,
 * which is the exit code. Results go to standard output, messages and progress to standard error. */
#ifndef CLAVE_CLI_H
#define CLAVE_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "clave/config.h"
#include "clave/error.h"

/* What the options and arguments said. */
typedef struct cli_args {
    const char *target;           /* the first argument: an INI file, a run directory, a key; NULL: none */
    const char *const *overrides; /* the arguments behind it, "section.key=value" */
    int override_count;
    const char *const *names; /* the arguments without '=' behind the target, where the command takes them */
    int name_count;
    const char *out, *split;
    const char *iwae; /* "64" or "1,8,64" */
    const char *of, *axes, *method; /* latent */
    double perplexity;              /* 0: not given */
    int64_t iterations;
    const char *x, *y, *by; /* compare */
    const char *scaling, *at; /* bench */
    bool log_x, log_y;
    const char *from, *path, *csv;
    int64_t components, steps, top; /* 0: not given */
    bool resume, json, trace, roofline, inference, markdown;
    bool list, best, worker;   /* search */
    const char *program;       /* as it was called */
    int64_t seed;         /* -1: not given */
    int64_t count, scale; /* 0: not given */
    double seconds;       /* -1: not given */
    clv_log *log;
} cli_args;

typedef enum cli_target { CLI_NO_TARGET, CLI_TARGET, CLI_OPTIONAL_TARGET, CLI_TARGET_AND_NAMES } cli_target;

typedef struct cli_command {
    const char *name;
    clv_status (*run)(const cli_args *args, clv_error *err);
    cli_target target;
    const char *target_name; /* "FILE.ini", "RUN", "[KEY]", "RUN A B" */
    bool overrides;
    const char *options; /* names of the options it takes, separated by blanks */
    const char *help;
} cli_command;

extern const cli_command cli_commands[];
extern const int cli_command_count;

/* Parses argv behind the subcommand; CLV_ERR_CONFIG names the argument and what would do. */
clv_status cli_parse(const cli_command *command, int argc, char **argv, cli_args *args, clv_error *err);
void cli_usage(FILE *out);
void cli_command_usage(const cli_command *command, FILE *out);

/* From now on the first SIGINT or SIGTERM sets cli_stop, which asks for an orderly end, and the second kills. For
 * commands that have something to save; the others just end. */
void cli_catch_signals(void);
extern volatile int cli_stop;

/* The overrides of the arguments, behind them the full path of each key that holds a relative one of something that
 * exists; of the experiment args->target. Starts as {0}; release with cli_overrides_free. */
typedef struct cli_overrides {
    const char **of;
    int count;
    char *full;
} cli_overrides;
clv_status cli_full_paths(const cli_args *args, cli_overrides *overrides, clv_error *err);
void cli_overrides_free(cli_overrides *overrides);

/* The executable that runs, to be started again: as worker of a search, as builder of kernels. `given`: argv[0]. */
#define CLI_PATH_SIZE 4096
const char *cli_own_program(const char *given, char path[CLI_PATH_SIZE]);

/* Prints an object as JSON on standard output and releases it. */
struct json_t;
clv_status cli_print_json(struct json_t *object, clv_error *err);

clv_status cli_train(const cli_args *args, clv_error *err);
clv_status cli_eval(const cli_args *args, clv_error *err);
clv_status cli_reconstruct(const cli_args *args, clv_error *err);
clv_status cli_sample(const cli_args *args, clv_error *err);
clv_status cli_interpolate(const cli_args *args, clv_error *err);
clv_status cli_latent(const cli_args *args, clv_error *err);
clv_status cli_score(const cli_args *args, clv_error *err);
clv_status cli_manifold(const cli_args *args, clv_error *err);
clv_status cli_classify(const cli_args *args, clv_error *err);
clv_status cli_compare(const cli_args *args, clv_error *err);
clv_status cli_devices(const cli_args *args, clv_error *err);
clv_status cli_bench(const cli_args *args, clv_error *err);
/* The part of bench that --scaling asks for (scaling.c). */
clv_status cli_scaling(const cli_args *args, clv_error *err);
clv_status cli_tune(const cli_args *args, clv_error *err);
clv_status cli_summary(const cli_args *args, clv_error *err);
clv_status cli_explain(const cli_args *args, clv_error *err);
clv_status cli_search(const cli_args *args, clv_error *err);
/* That the layers fit each other with each value of [space], and that the search can be planned: part of `clave check`. */
clv_status cli_check_space(const cli_args *args, const clv_config *config, clv_error *err);
clv_status cli_check(const cli_args *args, clv_error *err);

#endif
