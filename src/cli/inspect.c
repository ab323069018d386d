/* clave summary, check and explain: what an INI file says, before anything runs. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "base/try.h"
#include "clave/data.h"
#include "clave/experiment.h"
#include "cli/cli.h"
#include "experiment/dataset.h"
#include "experiment/transfer.h"
#include "model/model.h"

clv_status cli_summary(const cli_args *args, clv_error *err)
{
    clv_config *config = NULL;
    clv_summary_result result;
    clv_status status = CLV_OK;
    CLV_TRY(clv_config_load(args->target, args->overrides, args->override_count, &config, NULL, err));
    CLV_TRY(clv_summary(config, args->json ? NULL : stdout, args->log, &result, err));
    if (args->json)
        CLV_TRY(cli_print_json(json_pack("{s:I, s:f, s:i, s:i, s:I}", "parameters", (json_int_t)result.parameters,
                                         "mflop_an_image", result.mflop_an_image, "batch", result.batch, "launches",
                                         result.launches, "device_bytes", (json_int_t)result.device_bytes),
                               err));
done:
    clv_config_destroy(config);
    return status;
}

/* That the layers fit needs the images' size: from the test images, which are quickly read. And the weights that are to
 * be taken over must fit the layers. */
static clv_status check_shapes(const clv_config *config, clv_error *err)
{
    clv_images images = {0};
    clv_model *model = NULL;
    clv_text told = {0};
    struct stat info;
    const char *from = clv_config_string(config, "transfer.from");
    float *param = NULL;
    clv_status status = CLV_OK;
    CLV_TRY(clv_dataset_load(config, CLV_SPLIT_TEST, &images, err));
    clv_image_shape shape = {images.channels, images.height, images.width};
    CLV_TRY(clv_model_create(config, shape, 1, &model, err));
    param = clv_alloc(clv_model_params(model)->elements, sizeof *param, err);
    CLV_REQUIRE(param, CLV_ERR_INTERNAL, "out of memory for the model's parameters");
    if (stat(from, &info) == 0)
        CLV_TRY(clv_transfer(config, model, param, &told, err));
    else if (strcmp(from, "none"))
        printf("note: transfer.from = %s is not there yet\n", from);
done:
    clv_text_free(&told);
    free(param);
    clv_model_destroy(model);
    clv_images_free(&images);
    return status;
}

clv_status cli_check(const cli_args *args, clv_error *err)
{
    clv_config *config = NULL;
    clv_diagnostics found = {0};
    clv_status status = clv_config_load(args->target, args->overrides, args->override_count, &config, &found, err);
    for (int i = 0; i < found.count; i++) printf("%s\n", found.message[i]);
    if (found.count > 0)
        status = clv_fail(err, status, "%s: %d error%s", args->target, found.count, found.count == 1 ? "" : "s");
    if (status == CLV_OK) status = check_shapes(config, err);
    if (status == CLV_OK) status = cli_check_space(args, config, err);
    if (status == CLV_OK) printf("%s: no errors\n", args->target);
    clv_diagnostics_free(&found);
    clv_config_destroy(config);
    return status;
}

clv_status cli_explain(const cli_args *args, clv_error *err)
{
    if (args->markdown) return clv_config_reference(stdout), CLV_OK;
    return clv_config_explain(args->target, stdout, err);
}
