/* clave bench FILE.ini: how fast training steps are, beside the device's FMA peak; --roofline: what they would take on
 * others; --scaling: while a size of the experiment changes. */
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
    printf("fastest      %.3f ms", r->least_ms);
    if (r->least_share > 0) printf(", %.1f %% of the fastest peak", 100 * r->least_share);
    printf("; the above are medians\n");
    printf("memory       %.1f MB on the device, data set included\n", (double)r->device_bytes / 1e6);
    printf("first step   after %.2f s\n", r->first_step_seconds);
}

static void print_roofline(const clv_roofline *r)
{
    printf("a training step of %d images, by kernel family\n", r->batch);
    printf("  %-12s %9s %9s %11s\n", "", "GFLOP", "MB", "FLOP/byte");
    for (int i = 0; i < r->families; i++)
        printf("  %-12s %9.3f %9.2f %11.1f\n", r->family[i].name, r->family[i].gflop, 1e3 * r->family[i].gbytes,
               r->family[i].gflop / r->family[i].gbytes);
    printf("\non paper, milliseconds: arithmetic, memory and launches alone; a step takes each launch's longest\n");
    printf("  %-26s %8s %6s %9s %10s %8s %8s %8s  %-10s %10s\n", "", "GFLOP/s", "GB/s", "launches", "arithmetic",
           "memory", "launch", "step", "limit", "images/s");
    for (int i = 0; i < r->classes; i++) {
        const clv_roofline_class *d = &r->device[i];
        printf("  %-26s %8.0f %6.0f %9d %10.3f %8.3f %8.3f %8.3f  %-10s %10.0f\n", d->name, d->peak_gflops,
               d->peak_gbytes, d->launches, d->arithmetic_ms, d->memory_ms, d->launch_ms, d->step_ms, d->limit,
               d->images_per_second);
    }
}

static json_t *roofline_json(const clv_roofline *r)
{
    json_t *families = json_array(), *devices = json_array();
    for (int i = 0; i < r->families; i++)
        json_array_append_new(families, json_pack("{s:s, s:f, s:f, s:f}", "name", r->family[i].name, "gflop",
                                                  r->family[i].gflop, "gbytes", r->family[i].gbytes, "flop_a_byte",
                                                  r->family[i].gflop / r->family[i].gbytes));
    for (int i = 0; i < r->classes; i++) {
        const clv_roofline_class *d = &r->device[i];
        json_array_append_new(devices,
                              json_pack("{s:s, s:f, s:f, s:f, s:i, s:f, s:f, s:f, s:f, s:s, s:f}", "name", d->name,
                                        "peak_gflops", d->peak_gflops, "peak_gbytes", d->peak_gbytes, "launch_us",
                                        d->launch_us, "launches", d->launches, "arithmetic_ms", d->arithmetic_ms,
                                        "memory_ms", d->memory_ms, "launch_ms", d->launch_ms, "step_ms", d->step_ms,
                                        "limit", d->limit, "images_per_second", d->images_per_second));
    }
    return json_pack("{s:i, s:o, s:o}", "batch", r->batch, "families", families, "devices", devices);
}

static clv_status roofline(const cli_args *args, const clv_config *config, clv_error *err)
{
    clv_roofline r;
    clv_status status = CLV_OK;
    CLV_REQUIRE(!args->trace, CLV_ERR_CONFIG, "--roofline measures nothing: it goes without --trace");
    CLV_TRY(clv_roofline_of(config, &r, err));
    if (args->json)
        CLV_TRY(cli_print_json(roofline_json(&r), err));
    else
        print_roofline(&r);
done:
    return status;
}

clv_status cli_bench(const cli_args *args, clv_error *err)
{
    clv_config *config = NULL;
    clv_bench_result r;
    clv_status status = CLV_OK;
    CLV_REQUIRE(args->scaling || (!args->at && !args->out), CLV_ERR_CONFIG, "--at and --out go with --scaling");
    CLV_REQUIRE(!args->scaling || (!args->trace && !args->roofline && !args->inference), CLV_ERR_CONFIG,
                "--scaling goes without --trace, --roofline and --inference");
    CLV_REQUIRE(!args->roofline || !args->inference, CLV_ERR_CONFIG,
                "--roofline is of training: it goes without --inference");
    if (args->scaling) return cli_scaling(args, err);
    CLV_TRY(clv_config_load(args->target, args->overrides, args->override_count, &config, NULL, err));
    if (args->roofline) {
        status = roofline(args, config, err);
        goto done;
    }
    CLV_TRY(clv_bench(config, args->inference, args->seconds < 0 ? 5 : args->seconds, args->trace ? stderr : NULL,
                      args->log, &r, err));
    if (args->json)
        CLV_TRY(cli_print_json(json_pack("{s:s, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:i, s:i, s:I, s:f}", "device",
                                         r.device, "images_per_second", r.images_per_second, "gflops", r.gflops,
                                         "peak_gflops", r.peak_gflops, "peak_share", r.peak_share, "step_ms", r.step_ms,
                                         "least_ms", r.least_ms, "least_share", r.least_share, "batch", r.batch,
                                         "launches", r.launches, "device_bytes", (json_int_t)r.device_bytes,
                                         "first_step_seconds", r.first_step_seconds),
                               err));
    else
        print_bench(&r);
done:
    clv_config_destroy(config);
    return status;
}
