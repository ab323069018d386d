/* clave eval RUN [--split S] [--iwae K,...]: a run's best weights, measured. */
#include <string.h>

#include "base/text.h"
#include "base/try.h"
#include "cli/cli.h"
#include "cli/measures.h"

/* "1,8,64" to numbers; that they rise and how far they go, clv_evaluate knows. */
static clv_status parse_samples(const char *text, int samples[CLV_MAX_BOUNDS], int *counts, clv_error *err)
{
    const char *at = text;
    for (*counts = 0; *counts < CLV_MAX_BOUNDS; at++) {
        char word[16];
        int64_t number;
        const size_t length = strcspn(at, ",");
        snprintf(word, sizeof word, "%.*s", (int)length, at);
        if (length >= sizeof word || !clv_parse_int(word, &number) || number < 1 || number > CLV_MAX_SAMPLES) break;
        samples[(*counts)++] = (int)number;
        at += length;
        if (!*at) return CLV_OK;
    }
    return clv_fail(err, CLV_ERR_CONFIG,
                    "--iwae takes up to %d whole numbers from 1 to %d with commas between, as in 1,8,64; not '%s'",
                    CLV_MAX_BOUNDS, CLV_MAX_SAMPLES, text);
}

static void print_classes(const clv_class_figures *classes)
{
    if (classes->classes) printf("%-16s %8s %10s %10s\n", "class", "images", "precision", "recall");
    for (int c = 0; c < classes->classes; c++) {
        const struct clv_class_figure *of = &classes->of[c];
        char precision[16] = "no answer", recall[16] = "no image";
        if (of->answers) snprintf(precision, sizeof precision, "%.4f", of->precision);
        if (of->count) snprintf(recall, sizeof recall, "%.4f", of->recall);
        printf("%-16s %8u %10s %10s\n", of->name, of->count, precision, recall);
    }
}

static json_t *to_json(const char *run, const char *split, const clv_measures *measures,
                       const clv_class_figures *classes)
{
    json_t *object = json_pack("{s:s, s:s, s:o}", "run", run, "split", split, "measures", clv_measures_json(measures));
    if (classes->classes) json_object_update_new(object, clv_class_figures_json(classes));
    return object;
}

clv_status cli_eval(const cli_args *args, clv_error *err)
{
    clv_config *config = NULL;
    clv_measures measures;
    clv_class_figures classes = {0};
    clv_status status = CLV_OK;
    int samples[CLV_MAX_BOUNDS], counts = 0;
    const char *split = args->split ? args->split : "test";
    if (args->iwae) CLV_TRY(parse_samples(args->iwae, samples, &counts, err));
    CLV_TRY(clv_run_config(args->target, args->overrides, args->override_count, &config, err));
    const clv_evaluate_options options = {split, samples, counts, args->log};
    CLV_TRY(clv_evaluate(args->target, config, &options, &measures, &classes, err));
    if (args->json) {
        CLV_TRY(cli_print_json(to_json(args->target, split, &measures, &classes), err));
    } else {
        cli_print_measures(split, &measures);
        print_classes(&classes);
    }
done:
    clv_class_figures_free(&classes);
    clv_config_destroy(config);
    return status;
}
