/* Arguments: one table of options, each allowed where its subcommand names it. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/cli.h"

typedef enum option_type { OPTION_FLAG, OPTION_TEXT, OPTION_INT, OPTION_REAL } option_type;

typedef struct option {
    const char *name, *value; /* of the value in the usage */
    option_type type;
    double low, high; /* numbers: inclusive */
    size_t offset;    /* in cli_args */
    const char *help;
    const char *of; /* the commands that it means this for, separated by blanks; NULL: all that take it */
} option;

#define AT(field) offsetof(cli_args, field)
static const option options[] = {
    {"out", "DIR", OPTION_TEXT, 0, 0, AT(out), "the run directory, made new (default: runs/NAME-DATE-TIME)", "train"},
    {"out", "DIR", OPTION_TEXT, 0, 0, AT(out), "the search's folder, made new (default: runs/NAME-DATE-TIME)",
     "search"},
    {"out", "DIR", OPTION_TEXT, 0, 0, AT(out),
     "folder of the files, in place of those of an earlier call (default: RUN/latent/code, or what --of names)",
     "latent"},
    {"out", "FILE", OPTION_TEXT, 0, 0, AT(out), "draw a plot, .png or .svg (default: none)", "compare"},
    {"out", "FILE", OPTION_TEXT, 0, 0, AT(out),
     "the picture, .png or .svg (default: in RUN/pictures, of a split alone)", "score"},
    {"out", "FILE", OPTION_TEXT, 0, 0, AT(out),
     "the picture, .png or .svg (default: in RUN/pictures, named by the settings)", "reconstruct interpolate"},
    {"out", "FILE.png", OPTION_TEXT, 0, 0, AT(out), "the picture (default: in RUN/pictures, named by the settings)",
     "sample manifold"},
    {"out", "FILE", OPTION_TEXT, 0, 0, AT(out), "draw --scaling as a plot, .png or .svg (default: none)", "bench"},
    {"resume", NULL, OPTION_FLAG, 0, 0, AT(resume), "go on from the last checkpoint of RUN, or of --out", "train"},
    {"resume", NULL, OPTION_FLAG, 0, 0, AT(resume), "go on with the trials of SEARCH, or of --out", "search"},
    {"json", NULL, OPTION_FLAG, 0, 0, AT(json), "print one JSON object on standard output", NULL},
    {"split", "NAME", OPTION_TEXT, 0, 0, AT(split), "train, val or test (default: test)", NULL},
    {"from", "NAME", OPTION_TEXT, 0, 0, AT(from),
     "prior, or fitted to the training codes: normal, mixture (default: a vae's prior, else normal)", NULL},
    {"components", "K", OPTION_INT, 1, 256, AT(components), "normals of the mixture (default: as the BIC chooses)",
     NULL},
    {"steps", "N", OPTION_INT, 2, 100, AT(steps), "images on the way, the two ends included (default: 10)", NULL},
    {"path", "NAME", OPTION_TEXT, 0, 0, AT(path), "linear, spherical or both (default: both)", NULL},
    {"top", "N", OPTION_INT, 1, 100000, AT(top), "rows printed, and images drawn of either end, up to 16 (default: 10)",
     NULL},
    {"csv", "FILE", OPTION_TEXT, 0, 0, AT(csv), "write the whole table there", NULL},
    {"iwae", "K[,K...]", OPTION_TEXT, 0, 0, AT(iwae), "a vae's importance-weighted bound of K samples an image, say 64",
     NULL},
    {"x", "NAME", OPTION_TEXT, 0, 0, AT(x),
     "quantity to the right: a key, or a path into results.json (train.images; default: the run's number)", NULL},
    {"y", "NAME", OPTION_TEXT, 0, 0, AT(y), "quantity upwards (default: test.loss)", NULL},
    {"by", "NAME", OPTION_TEXT, 0, 0, AT(by), "runs that agree in it make a line (default: experiment.name)", NULL},
    {"log-x", NULL, OPTION_FLAG, 0, 0, AT(log_x), "a logarithmic axis to the right", NULL},
    {"log-y", NULL, OPTION_FLAG, 0, 0, AT(log_y), "a logarithmic axis upwards", NULL},
    {"seed", "N", OPTION_INT, 0, 9007199254740992.0, AT(seed), "of the random choice (default: the run's)", NULL},
    {"count", "N", OPTION_INT, 1, 10000, AT(count), "images drawn (default: report.reconstructions)", "reconstruct"},
    {"count", "N", OPTION_INT, 1, 10000, AT(count), "images drawn (default: report.samples)", "sample"},
    {"count", "N", OPTION_INT, 1, 100, AT(count), "images along a side of the grid (default: report.manifold)",
     "manifold"},
    {"count", "N", OPTION_INT, 1, 10000, AT(count), "points, chosen by the seed (default: all, up to 10000)", "latent"},
    {"scale", "N", OPTION_INT, 1, 16, AT(scale), "how large a pixel is drawn (default: report.scale)", NULL},
    {"seconds", "S", OPTION_REAL, 0, 3600, AT(seconds),
     "how long to measure (default: 5); a point of --scaling (default: 3)", "bench"},
    {"seconds", "S", OPTION_REAL, 0, 3600, AT(seconds), "how long to tune at most (default: 60)", "tune"},
    {"of", "WHAT", OPTION_TEXT, 0, 0, AT(of), "code (default), input, or a row of the encoder", NULL},
    {"axes", "A,B", OPTION_TEXT, 0, 0, AT(axes), "the two coordinates drawn raw (default: 0,1)", NULL},
    {"method", "LIST", OPTION_TEXT, 0, 0, AT(method), "of raw,pca,tsne (default: all that apply)", NULL},
    {"perplexity", "P", OPTION_REAL, 1, 10000, AT(perplexity), "of t-SNE (default: 30, fewer for few points)", NULL},
    {"iterations", "N", OPTION_INT, 1, 1000000, AT(iterations), "of t-SNE (default: 1000)", NULL},
    {"inference", NULL, OPTION_FLAG, 0, 0, AT(inference),
     "reconstructions (a classifier's answers) in place of training steps", NULL},
    {"trace", NULL, OPTION_FLAG, 0, 0, AT(trace), "also list the least microseconds of each launch in 20 steps", NULL},
    {"roofline", NULL, OPTION_FLAG, 0, 0, AT(roofline), "on paper instead: classes of devices by their data sheets",
     "bench"},
    {"scaling", "WHAT", OPTION_TEXT, 0, 0, AT(scaling),
     "a step while one thing changes, on random images: batch; channels (of the widest convolution, the others in "
     "proportion); size (of images); all",
     NULL},
    {"at", "LIST", OPTION_TEXT, 0, 0, AT(at), "the values of --scaling, such as 16,32,64 (default: those of a table)",
     NULL},
    {"list", NULL, OPTION_FLAG, 0, 0, AT(list), "print a search's ranked table", NULL},
    {"best", NULL, OPTION_FLAG, 0, 0, AT(best), "print the best trial's configuration, for clave train", NULL},
    {"worker", NULL, OPTION_FLAG, 0, 0, AT(worker), "train a search's trials until none is left, and print nothing",
     NULL},
    {"markdown", NULL, OPTION_FLAG, 0, 0, AT(markdown), "the whole reference as Markdown", NULL},
};
#define OPTIONS ((int)(sizeof options / sizeof *options))

static bool has_word(const char *list, const char *word)
{
    const size_t length = strlen(word);
    for (const char *at = list; *at; at += strspn(at, " ")) {
        const size_t here = strcspn(at, " ");
        if (here == length && !strncmp(at, word, length)) return true;
        at += here;
    }
    return false;
}

/* Whether this row is the command's: it takes the option, and the row says what it means there. */
static bool takes(const cli_command *command, const option *o)
{
    return has_word(command->options, o->name) && (!o->of || has_word(o->of, command->name));
}

static const option *find_option(const cli_command *command, const char *name, size_t length)
{
    for (int i = 0; i < OPTIONS; i++)
        if (strlen(options[i].name) == length && !strncmp(options[i].name, name, length) && takes(command, &options[i]))
            return &options[i];
    return NULL;
}

static clv_status refuse_option(const cli_command *command, const char *text, clv_error *err)
{
    const char *names[OPTIONS];
    char word[64];
    int count = 0;
    for (int i = 0; i < OPTIONS; i++)
        if (takes(command, &options[i])) names[count++] = options[i].name;
    const char *bare = text + 1 + (text[1] == '-');
    snprintf(word, sizeof word, "%.*s", (int)strcspn(bare, "="), bare);
    const char *nearest = clv_nearest(word, names, count);
    if (nearest)
        return clv_fail(err, CLV_ERR_CONFIG, "clave %s has no option '%s'; did you mean '--%s'?", command->name, text,
                        nearest);
    return clv_fail(err, CLV_ERR_CONFIG, "clave %s has no option '%s'; see clave %s --help", command->name, text,
                    command->name);
}

static clv_status store(const option *o, const char *value, cli_args *args, clv_error *err)
{
    char *field = (char *)args + o->offset;
    int64_t number;
    double real;
    switch (o->type) {
    case OPTION_FLAG:
        *(bool *)(void *)field = true;
        return CLV_OK;
    case OPTION_TEXT:
        if (!*value) return clv_fail(err, CLV_ERR_CONFIG, "--%s needs a value: --%s %s", o->name, o->name, o->value);
        *(const char **)(void *)field = value;
        return CLV_OK;
    case OPTION_INT:
        if (!clv_parse_int(value, &number) || (double)number < o->low || (double)number > o->high)
            return clv_fail(err, CLV_ERR_CONFIG, "--%s takes a whole number from %.0f to %.0f, not '%s'", o->name,
                            o->low, o->high, value);
        *(int64_t *)(void *)field = number;
        return CLV_OK;
    case OPTION_REAL:
        if (!clv_parse_real(value, &real) || real < o->low || real > o->high)
            return clv_fail(err, CLV_ERR_CONFIG, "--%s takes a number from %g to %g, not '%s'", o->name, o->low,
                            o->high, value);
        *(double *)(void *)field = real;
        return CLV_OK;
    }
    return CLV_OK;
}

/* "--name value", "--name=value" or "--name"; *i is moved past a value. */
static clv_status parse_option(const cli_command *command, int argc, char **argv, int *i, cli_args *args,
                               clv_error *err)
{
    const char *text = argv[*i], *equals = strchr(text, '=');
    size_t length = equals ? (size_t)(equals - text) : strlen(text);
    const option *o = text[1] == '-' ? find_option(command, text + 2, length - 2) : NULL;
    if (!o) return refuse_option(command, text, err);
    if (o->type == OPTION_FLAG) {
        if (equals) return clv_fail(err, CLV_ERR_CONFIG, "--%s takes no value", o->name);
        return store(o, NULL, args, err);
    }
    if (!equals && *i + 1 >= argc)
        return clv_fail(err, CLV_ERR_CONFIG, "--%s needs a value: --%s %s", o->name, o->name, o->value);
    return store(o, equals ? equals + 1 : argv[++*i], args, err);
}

/* Moves those with '=' to the front, both kinds in their order; returns how many there are. */
static int sort_arguments(char **argument, int count)
{
    int front = 0;
    for (int i = 0; i < count; i++) {
        char *word = argument[i];
        if (!strchr(word, '=')) continue;
        memmove(argument + front + 1, argument + front, (size_t)(i - front) * sizeof *argument);
        argument[front++] = word;
    }
    return front;
}

clv_status cli_parse(const cli_command *command, int argc, char **argv, cli_args *args, clv_error *err)
{
    int kept = 0; /* arguments are moved to the front of argv: target, overrides, names */
    for (int i = 0; i < argc; i++) {
        clv_status status = CLV_OK;
        if (argv[i][0] == '-' && argv[i][1])
            status = parse_option(command, argc, argv, &i, args, err);
        else
            argv[kept++] = argv[i];
        if (status != CLV_OK) return status;
    }
    if (kept == 0 && (command->target == CLI_TARGET || command->target == CLI_TARGET_AND_NAMES))
        return clv_fail(err, CLV_ERR_CONFIG, "clave %s needs %s; see clave %s --help", command->name,
                        command->target_name, command->name);
    if (kept > 0 && command->target != CLI_NO_TARGET) args->target = argv[0];
    int first = args->target != NULL;
    int overrides = sort_arguments(argv + first, kept - first);
    bool names = command->target == CLI_TARGET_AND_NAMES;
    if (kept > first && !command->overrides && (overrides > 0 || !names))
        return clv_fail(err, CLV_ERR_CONFIG, "clave %s does not take '%s'; see clave %s --help", command->name,
                        argv[first], command->name);
    if (first + overrides < kept && !names)
        return clv_fail(err, CLV_ERR_CONFIG, "'%s' is no section.key=value; clave %s takes one %s",
                        argv[first + overrides], command->name, command->target_name);
    args->overrides = (const char *const *)argv + first;
    args->override_count = overrides;
    args->names = args->overrides + overrides;
    args->name_count = kept - first - overrides;
    return CLV_OK;
}

void cli_usage(FILE *out)
{
    fprintf(out, "clave %s: train and study autoencoders on any OpenCL device\n\nusage: clave COMMAND [ARGUMENTS]\n\n",
            CLAVE_VERSION);
    for (int i = 0; i < cli_command_count; i++)
        fprintf(out, "  %-12s %s\n", cli_commands[i].name, cli_commands[i].help);
    fprintf(out, "\nclave COMMAND --help says more. Start with: clave train ini/vae.ini\n");
}

void cli_command_usage(const cli_command *command, FILE *out)
{
    fprintf(out, "usage: clave %s%s%s%s%s\n\n%s\n", command->name, *command->target_name ? " " : "",
            command->target_name, command->overrides ? " [section.key=value ...]" : "",
            *command->options ? " [options]" : "", command->help);
    if (*command->options) fprintf(out, "\noptions:\n");
    for (int i = 0; i < OPTIONS; i++) {
        if (!takes(command, &options[i])) continue;
        char usage[64];
        snprintf(usage, sizeof usage, "--%s%s%s", options[i].name, options[i].value ? " " : "",
                 options[i].value ? options[i].value : "");
        fprintf(out, "  %-16s %s\n", usage, options[i].help);
    }
    if (command->overrides)
        fprintf(out, "\nsection.key=value changes a key for this call: clave explain lists them all\n");
}
