/* clave reconstruct and manifold: a picture of a run; the path is printed. */
#include <jansson.h>

#include "base/try.h"
#include "clave/experiment.h"
#include "cli/cli.h"

typedef clv_status (*picture)(const char *run, const clv_config *config, const clv_picture_options *options,
                              char path[CLV_PATH_SIZE], clv_error *err);

static clv_status draw(picture function, const cli_args *args, clv_error *err)
{
    clv_config *config = NULL;
    char path[CLV_PATH_SIZE];
    clv_status status = CLV_OK;
    CLV_TRY(clv_run_config(args->target, args->overrides, args->override_count, &config, err));
    clv_picture_options options = {
        .path = args->out,
        .seed = (uint64_t)(args->seed >= 0 ? args->seed : clv_config_int(config, "experiment.seed")),
        .count = (int)args->count,
        .scale = (int)args->scale,
        .split = args->split,
        .log = args->log,
    };
    CLV_TRY(function(args->target, config, &options, path, err));
    if (args->json)
        CLV_TRY(cli_print_json(json_pack("{s:s}", "picture", path), err));
    else
        puts(path);
done:
    clv_config_destroy(config);
    return status;
}

clv_status cli_reconstruct(const cli_args *args, clv_error *err) { return draw(clv_reconstruct, args, err); }
clv_status cli_manifold(const cli_args *args, clv_error *err) { return draw(clv_manifold, args, err); }
