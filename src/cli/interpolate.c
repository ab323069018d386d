/* clave interpolate RUN A B [--steps N] [--path linear|spherical|both]: what lies between two images. */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "base/try.h"
#include "clave/experiment.h"
#include "cli/cli.h"

static clv_status parse_way(const char *text, clv_way *way, clv_error *err)
{
    int i = 0;
    while (text && i <= CLV_WAY_SPHERICAL && strcmp(text, clv_way_names[i]) != 0) i++;
    if (i > CLV_WAY_SPHERICAL)
        return clv_fail(err, CLV_ERR_CONFIG, "--path takes linear, spherical or both, not '%s'", text);
    *way = (clv_way)i;
    return CLV_OK;
}

static json_t *to_json(const clv_interpolate_result *result)
{
    return json_pack("{s:s, s:o, s:b}", "picture", result->path, "angle",
                     isnan(result->angle) ? json_null() : json_real(result->angle), "straight", result->straight);
}

clv_status cli_interpolate(const cli_args *args, clv_error *err)
{
    clv_config *config = NULL;
    clv_interpolate_result result;
    clv_interpolate_options options = {.picture = {.path = args->out,
                                                   .count = (int)args->steps,
                                                   .scale = (int)args->scale,
                                                   .split = args->split,
                                                   .log = args->log}};
    clv_status status = CLV_OK;
    CLV_REQUIRE(args->name_count == 2, CLV_ERR_CONFIG,
                "clave interpolate takes two images behind the run, not %d: indices such as 0 and 7, or PNG files",
                args->name_count);
    options.from = args->names[0];
    options.to = args->names[1];
    CLV_TRY(parse_way(args->path, &options.way, err));
    CLV_TRY(clv_run_config(args->target, args->overrides, args->override_count, &config, err));
    CLV_TRY(clv_interpolate(args->target, config, &options, &result, err));
    if (args->json)
        CLV_TRY(cli_print_json(to_json(&result), err));
    else
        puts(result.path);
done:
    clv_config_destroy(config);
    return status;
}
