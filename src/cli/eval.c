/* clave eval RUN [--split S] [--iwae K,...]: a run's best weights, measured. */
#include <string.h>

#include "base/text.h"
#include "base/try.h"
#include "cli/cli.h"
#include "cli/measures.h"

/* "1,8,64" to numbers; that they rise and how far they go, clv_iwae knows. */
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

clv_status cli_eval(const cli_args *args, clv_error *err)
{
    clv_config *config = NULL;
    clv_measures measures;
    clv_status status = CLV_OK;
    int samples[CLV_MAX_BOUNDS], counts = 0;
    const char *split = args->split ? args->split : "test";
    if (args->iwae) CLV_TRY(parse_samples(args->iwae, samples, &counts, err));
    CLV_TRY(clv_run_config(args->target, args->overrides, args->override_count, &config, err));
    CLV_TRY(clv_evaluate(args->target, config, split, args->log, &measures, err));
    if (counts) CLV_TRY(clv_iwae(args->target, config, split, samples, counts, args->log, &measures, err));
    if (args->json)
        CLV_TRY(cli_print_json(
            json_pack("{s:s, s:s, s:o}", "run", args->target, "split", split, "measures", clv_measures_json(&measures)),
            err));
    else
        cli_print_measures(split, &measures);
done:
    clv_config_destroy(config);
    return status;
}
