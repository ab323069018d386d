/* clave bench FILE.ini --scaling WHAT: a step while one size of the experiment changes. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "base/try.h"
#include "clave/experiment.h"
#include "cli/cli.h"

#define SECONDS 3 /* a point, where --seconds is not given */

static clv_status parse_what(const char *text, bool what[CLV_SCALED_COUNT], clv_error *err)
{
    const bool all = !strcmp(text, "all");
    bool known = all;
    for (int i = 0; i < CLV_SCALED_COUNT; i++) known |= what[i] = all || !strcmp(text, clv_scaled_names[i]);
    if (known) return CLV_OK;
    return clv_fail(err, CLV_ERR_CONFIG, "--scaling takes batch, channels, size or all, not '%s'", text);
}

/* "16,32,64" */
static clv_status parse_values(const char *text, int value[CLV_MAX_SCALES], int *values, clv_error *err)
{
    char word[16];
    int64_t number = 0;
    bool good = true;
    for (const char *at = text; good && at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        const size_t length = strcspn(at, ",");
        good = length < sizeof word && *values < CLV_MAX_SCALES;
        snprintf(word, sizeof word, "%.*s", good ? (int)length : 0, at);
        good = good && clv_parse_int(word, &number) && number > (*values ? value[*values - 1] : 0) && number <= 65536;
        if (good) value[(*values)++] = (int)number;
    }
    if (good) return CLV_OK;
    return clv_fail(err, CLV_ERR_CONFIG,
                    "--at takes up to %d whole numbers from 1 to 65536, rising, such as 16,32,64, not '%s'",
                    CLV_MAX_SCALES, text);
}

static void print_point(const clv_scaling_point *p)
{
    char trend[16] = "", share[16] = "-";
    if (*p->skipped) {
        printf("%8d  skipped: %s\n", p->value, p->skipped);
        return;
    }
    if (p->peak_gflops > 0) snprintf(share, sizeof share, "%.1f %%", 100 * p->peak_share);
    if (isfinite(p->trend)) snprintf(trend, sizeof trend, "%.0f %%", 100 * p->trend);
    printf("%8d %10.0f %9.1f %9s %10.3f %8s%s\n", p->value, p->images_per_second, p->gflops, share, p->step_ms, trend,
           p->cliff ? "  cliff" : "");
}

static void print_table(const clv_scaling *r)
{
    int cliffs = 0;
    printf("experiment  %s\ndevice      %s\n", r->name, r->device);
    for (int i = 0; i < r->points; i++) {
        const clv_scaling_point *p = &r->point[i];
        if (i == 0 || p->what != p[-1].what)
            printf("\n%8s %10s %9s %9s %10s %8s\n", clv_scaled_names[p->what], "images/s", "GFLOP/s", "of peak",
                   "step, ms", "of trend");
        print_point(p);
        cliffs += p->cliff;
    }
    printf("\ncliffs (30 %% or more under the line through the neighbours, both axes logarithmic): %d\n", cliffs);
}

static json_t *number(double value) { return isfinite(value) ? json_real(value) : json_null(); }

static json_t *as_json(const clv_scaling *r, const char *plot)
{
    json_t *points = json_array();
    for (int i = 0; i < r->points; i++) {
        const clv_scaling_point *p = &r->point[i];
        const char *what = clv_scaled_names[p->what];
        json_array_append_new(
            points, *p->skipped ? json_pack("{s:s, s:i, s:s}", "what", what, "value", p->value, "skipped", p->skipped)
                                : json_pack("{s:s, s:i, s:f, s:f, s:f, s:f, s:f, s:o, s:b}", "what", what, "value",
                                            p->value, "images_per_second", p->images_per_second, "gflops", p->gflops,
                                            "peak_gflops", p->peak_gflops, "peak_share", p->peak_share, "step_ms",
                                            p->step_ms, "trend", number(p->trend), "cliff", p->cliff));
    }
    return json_pack("{s:s, s:s, s:o, s:s?}", "experiment", r->name, "device", r->device, "points", points, "plot",
                     plot);
}

clv_status cli_scaling(const cli_args *args, clv_error *err)
{
    int value[CLV_MAX_SCALES], values = 0;
    clv_scaling *r = NULL;
    clv_scaling_options options = {
        .seconds = args->seconds < 0 ? SECONDS : args->seconds, .path = args->out, .log = args->log};
    clv_status status = CLV_OK;
    CLV_TRY(parse_what(args->scaling, options.what, err));
    CLV_REQUIRE(!args->at || strcmp(args->scaling, "all"), CLV_ERR_CONFIG,
                "--at goes with one of --scaling batch, channels and size, not with all");
    if (args->at) CLV_TRY(parse_values(args->at, value, &values, err));
    if (args->at) options.value = value, options.values = values;
    r = clv_alloc(1, sizeof *r, err);
    CLV_REQUIRE(r, CLV_ERR_INTERNAL, "out of memory for the points");
    CLV_TRY(clv_scale(args->target, args->overrides, args->override_count, &options, r, err));
    if (args->json)
        CLV_TRY(cli_print_json(as_json(r, args->out), err));
    else
        print_table(r);
    fflush(stdout); /* minutes of measurement are not lost where the plot cannot be written */
    if (args->out) CLV_TRY(clv_scaling_draw(args->out, r, err));
    if (args->out && !args->json) puts(args->out);
done:
    free(r);
    return status;
}
