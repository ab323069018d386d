/* clave tune FILE.ini: look for faster kernels for an experiment on this device, and keep those that are. */
#include <jansson.h>

#include "base/try.h"
#include "clave/experiment.h"
#include "cli/cli.h"

#define SECONDS 60 /* where --seconds is not given */

typedef struct report {
    bool json;
    json_t *kinds; /* an array */
} report;

static double gain(double before, double after) { return before > 0 ? 1 - after / before : 0; }

static void tell(void *context, const clv_tuned *t)
{
    report *r = context;
    if (r->json)
        json_array_append_new(r->kinds, json_pack("{s:s, s:s, s:i, s:f, s:f, s:f, s:i, s:i, s:s}", "call", t->call,
                                                  "kernel", t->kernel, "calls", t->calls, "before_us", t->before,
                                                  "after_us", t->after, "gain", gain(t->before, t->after), "candidates",
                                                  t->candidates, "refused", t->refused, "choice", t->choice));
    else
        printf("%-30s %-20s %9.1f us -> %9.1f us  %5.1f %% less  (%d tried%s)\n", t->call, t->kernel, t->before,
               t->after, 100 * gain(t->before, t->after), t->candidates + t->refused,
               t->refused ? ", some refused" : "");
    fflush(stdout);
}

clv_status cli_tune(const cli_args *args, clv_error *err)
{
    clv_config *config = NULL;
    clv_tune_result result;
    report r = {args->json, json_array()};
    clv_status status = CLV_OK;
    const clv_tune_options options = {.seconds = args->seconds < 0 ? SECONDS : args->seconds,
                                      .log = args->log,
                                      .stop = &cli_stop,
                                      .tell = tell,
                                      .context = &r};
    CLV_REQUIRE(r.kinds, CLV_ERR_INTERNAL, "out of memory for the report");
    CLV_TRY(clv_config_load(args->target, args->overrides, args->override_count, &config, NULL, err));
    cli_catch_signals();
    CLV_TRY(clv_tune(config, &options, &result, err));
    if (args->json)
        CLV_TRY(cli_print_json(
            json_pack("{s:s, s:f, s:f, s:f, s:f, s:b, s:O}", "device", result.device, "seconds", result.seconds,
                      "step_ms_before", result.step_ms_before, "step_ms_after", result.step_ms_after, "gain",
                      gain(result.step_ms_before, result.step_ms_after), "kept", result.kept, "kinds", r.kinds),
            err));
    else
        printf("step %.3f ms -> %.3f ms, %.1f %% less, after %.0f s of tuning%s\n", result.step_ms_before,
               result.step_ms_after, 100 * gain(result.step_ms_before, result.step_ms_after), result.seconds,
               result.kept ? "" : ": no faster, all stays as it was");
done:
    json_decref(r.kinds);
    clv_config_destroy(config);
    return status;
}
