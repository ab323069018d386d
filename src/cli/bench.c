/* clave bench FILE.ini: how fast training steps are, beside the device's FMA peak. */
#include <jansson.h>

#include "base/try.h"
#include "clave/experiment.h"
#include "cli/cli.h"

static void print_bench(const clv_bench_result *r)
{
    printf("device       %s\n", r->device);
    printf("images/s     %.0f\n", r->images_per_second);
    if (r->peak_gflops > 0)
        printf("GFLOP/s      %.1f, %.1f %% of the FMA peak of %.1f\n", r->gflops, 100 * r->peak_share, r->peak_gflops);
    else
        printf("GFLOP/s      %.1f\n", r->gflops);
    printf("step         %.3f ms, batch %d, %d launches\n", r->step_ms, r->batch, r->launches);
    printf("memory       %.1f MB on the device, data set included\n", (double)r->device_bytes / 1e6);
    printf("first step   after %.2f s\n", r->first_step_seconds);
}

clv_status cli_bench(const cli_args *args, clv_error *err)
{
    clv_config *config = NULL;
    clv_bench_result r;
    clv_status status = CLV_OK;
    CLV_TRY(clv_config_load(args->target, args->overrides, args->override_count, &config, NULL, err));
    CLV_TRY(clv_bench(config, args->seconds < 0 ? 5 : args->seconds, args->trace ? stderr : NULL, args->log, &r, err));
    if (args->json)
        CLV_TRY(cli_print_json(json_pack("{s:s, s:f, s:f, s:f, s:f, s:f, s:i, s:i, s:I, s:f}", "device", r.device,
                                         "images_per_second", r.images_per_second, "gflops", r.gflops, "peak_gflops",
                                         r.peak_gflops, "peak_share", r.peak_share, "step_ms", r.step_ms, "batch",
                                         r.batch, "launches", r.launches, "device_bytes", (json_int_t)r.device_bytes,
                                         "first_step_seconds", r.first_step_seconds),
                               err));
    else
        print_bench(&r);
done:
    clv_config_destroy(config);
    return status;
}
