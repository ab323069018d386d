/* main: finds the subcommand, runs it, prints its error as one line and turns its status into the exit code. */
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "base/text.h"
#include "clave/device.h"
#include "cli/cli.h"

volatile int cli_stop;

static void on_signal(int number)
{
    (void)number;
    cli_stop = 1;
}

void cli_catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

clv_status cli_print_json(struct json_t *object, clv_error *err)
{
    char *text = object ? json_dumps(object, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(object);
    if (!text)
        return clv_fail(err, CLV_ERR_INTERNAL,
                        "the result cannot be written as JSON: out of memory, or text that is not UTF-8");
    puts(text);
    free(text);
    return CLV_OK;
}

static const cli_command *find_command(const char *name)
{
    for (int i = 0; i < cli_command_count; i++)
        if (!strcmp(cli_commands[i].name, name)) return &cli_commands[i];
    return NULL;
}

static int refuse_command(const char *name)
{
    const char *names[32];
    for (int i = 0; i < cli_command_count; i++) names[i] = cli_commands[i].name;
    const char *nearest = clv_nearest(name, names, cli_command_count);
    if (nearest)
        fprintf(stderr, "clave: there is no command '%s'; did you mean '%s'?\n", name, nearest);
    else
        fprintf(stderr, "clave: there is no command '%s'; clave --help lists them\n", name);
    return CLV_ERR_CONFIG;
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) return true;
    return false;
}

static int run_command(const cli_command *command, const char *program, int argc, char **argv)
{
    char path[CLI_PATH_SIZE];
    clv_error err = {0};
    cli_args args = {.program = program, .seed = -1, .seconds = -1, .log = clv_log_create(stderr)};
    clv_status status = cli_parse(command, argc, argv, &args, &err);
    if (status == CLV_OK && !args.worker)
        clv_builders_use(cli_own_program(program, path)); /* workers fill the cores themselves */
    if (status == CLV_OK) status = command->run(&args, &err);
    if (status == CLV_OK && (fflush(stdout) != 0 || ferror(stdout)))
        status = clv_fail(&err, CLV_ERR_INTERNAL, "standard output could not be written");
    if (status != CLV_OK) clv_log_line(args.log, "clave: %s", err.message);
    clv_log_destroy(args.log);
    return (int)status;
}

/* For another clave that starts with nothing cached; it ends with that one, where the system can tell. */
static int build_kernels(void)
{
    clv_error err = {0};
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGTERM);
#endif
    clv_status status = clv_builder_run(STDIN_FILENO, &err);
    if (status != CLV_OK) fprintf(stderr, "clave: %s\n", err.message);
    return (int)status;
}

int main(int argc, char **argv)
{
    signal(SIGXFSZ, SIG_IGN); /* a file past the limit on sizes is a write that fails, not the end */
    if (argc < 2) {
        cli_usage(stderr);
        return CLV_ERR_CONFIG;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) return cli_usage(stdout), 0;
    if (!strcmp(argv[1], "--version")) return puts("clave " CLAVE_VERSION), 0;
    if (argc == 2 && !strcmp(argv[1], CLV_BUILDER_ARGUMENT)) return build_kernels();
    const cli_command *command = find_command(argv[1]);
    if (!command) return refuse_command(argv[1]);
    if (wants_help(argc - 2, argv + 2)) return cli_command_usage(command, stdout), 0;
    return run_command(command, argv[0], argc - 2, argv + 2);
}
