/* clave summary and check: what an INI file says, before anything runs. */
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

/* What check finds beside errors: printed at once, or kept for --json. */
static void note(json_t *notes, const char *text)
{
    if (notes)
        json_array_append_new(notes, json_string(text));
    else
        printf("note: %s\n", text);
}

/* That the layers fit needs the images' size: from the test images, which are quickly read. And the weights that are to
 * be taken over must fit the layers. */
static clv_status check_shapes(const clv_config *config, json_t *notes, clv_error *err)
{
    clv_images images = {0};
    clv_model *model = NULL;
    clv_text told = {0};
    struct stat info;
    const char *from = clv_config_string(config, "transfer.from");
    float *param = NULL;
    char text[CLV_NOTE_SIZE];
    clv_status status = CLV_OK;
    CLV_TRY(clv_dataset_load(config, CLV_SPLIT_TEST, &images, err));
    clv_image_shape shape = {images.channels, images.height, images.width};
    CLV_TRY(clv_model_create(config, shape, 1, &model, err));
    param = clv_alloc(clv_model_params(model)->elements, sizeof *param, err);
    CLV_REQUIRE(param, CLV_ERR_INTERNAL, "out of memory for the model's parameters");
    if (stat(from, &info) == 0)
        CLV_TRY(clv_transfer(config, model, param, &told, err));
    else if (strcmp(from, "none")) {
        snprintf(text, sizeof text, "transfer.from = %s is not there yet", from);
        note(notes, text);
    }
done:
    clv_text_free(&told);
    free(param);
    clv_model_destroy(model);
    clv_images_free(&images);
    return status;
}

static clv_status print_found(const char *file, const clv_diagnostics *found, const clv_error *why, clv_status status,
                              json_t *notes, clv_error *err)
{
    json_t *errors = json_array();
    for (int i = 0; i < found->count; i++) json_array_append_new(errors, json_string(found->message[i]));
    if (status != CLV_OK && found->count == 0) json_array_append_new(errors, json_string(why->message));
    return cli_print_json(json_pack("{s:s, s:o, s:O}", "file", file, "errors", errors, "notes", notes), err);
}

clv_status cli_check(const cli_args *args, clv_error *err)
{
    clv_config *config = NULL;
    clv_diagnostics found = {0};
    char text[CLV_NOTE_SIZE];
    json_t *notes = args->json ? json_array() : NULL;
    clv_status status = clv_config_load(args->target, args->overrides, args->override_count, &config, &found, err);
    for (int i = 0; i < found.count && !notes; i++) printf("%s\n", found.message[i]);
    if (found.count > 0)
        status = clv_fail(err, status, "%s: %d error%s", args->target, found.count, found.count == 1 ? "" : "s");
    for (int i = 0; status == CLV_OK && clv_config_note(config, i, text); i++) note(notes, text);
    if (status == CLV_OK) status = check_shapes(config, notes, err);
    if (status == CLV_OK) status = cli_check_space(args, config, err);
    if (status == CLV_OK && !notes) printf("%s: no errors\n", args->target);
    if (notes) {
        clv_error why = *err;
        const clv_status printed = print_found(args->target, &found, &why, status, notes, err);
        if (status == CLV_OK) status = printed;
    }
    json_decref(notes);
    clv_diagnostics_free(&found);
    clv_config_destroy(config);
    return status;
}
