/* clave sample RUN [--from prior|normal|mixture] [--components K]: new images; the picture's path is printed. */
#include <jansson.h>
#include <string.h>

#include "base/try.h"
#include "clave/experiment.h"
#include "cli/cli.h"

/* Where codes come from; a mixture where components are given, else what suits the model. */
static clv_status parse_from(const cli_args *args, clv_from *from, clv_error *err)
{
    *from = args->components ? CLV_FROM_MIXTURE : CLV_FROM_DEFAULT;
    if (args->from) {
        int i = CLV_FROM_PRIOR;
        while (i <= CLV_FROM_MIXTURE && strcmp(args->from, clv_from_names[i]) != 0) i++;
        if (i > CLV_FROM_MIXTURE)
            return clv_fail(err, CLV_ERR_CONFIG, "--from takes prior, normal or mixture, not '%s'", args->from);
        *from = (clv_from)i;
    }
    if (args->components && *from != CLV_FROM_MIXTURE)
        return clv_fail(err, CLV_ERR_CONFIG, "--components is of --from mixture, not of --from %s", args->from);
    return CLV_OK;
}

static json_t *to_json(const clv_sample_result *result)
{
    json_t *object = json_pack("{s:s, s:s}", "picture", result->path, "from", clv_from_names[result->from]);
    if (object && result->components)
        json_object_update_new(object, json_pack("{s:i, s:I, s:f}", "components", result->components, "codes",
                                                 (json_int_t)result->codes, "log_likelihood", result->log_likelihood));
    return object;
}

clv_status cli_sample(const cli_args *args, clv_error *err)
{
    clv_config *config = NULL;
    clv_sample_result result;
    clv_sample_options options = {
        .picture = {.path = args->out, .count = (int)args->count, .scale = (int)args->scale, .log = args->log},
        .components = (int)args->components};
    clv_status status = CLV_OK;
    CLV_TRY(parse_from(args, &options.from, err));
    CLV_TRY(clv_run_config(args->target, args->overrides, args->override_count, &config, err));
    options.picture.seed = (uint64_t)(args->seed >= 0 ? args->seed : clv_config_int(config, "experiment.seed"));
    CLV_TRY(clv_sample(args->target, config, &options, &result, err));
    if (args->json)
        CLV_TRY(cli_print_json(to_json(&result), err));
    else
        puts(result.path);
done:
    clv_config_destroy(config);
    return status;
}
