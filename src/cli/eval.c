/* clave eval RUN [--split S]: a run's best weights, measured. */
#include "base/try.h"
#include "cli/cli.h"
#include "cli/measures.h"

clv_status cli_eval(const cli_args *args, clv_error *err)
{
    clv_config *config = NULL;
    clv_measures measures;
    clv_status status = CLV_OK;
    const char *split = args->split ? args->split : "test";
    CLV_TRY(clv_run_config(args->target, args->overrides, args->override_count, &config, err));
    CLV_TRY(clv_evaluate(args->target, config, split, args->log, &measures, err));
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
