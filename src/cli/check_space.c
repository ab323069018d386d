/* clave check, of a search: each value of [space] must make a network whose layers fit each other. */
#include <stdlib.h>

#include "base/memory.h"
#include "base/text.h"
#include "base/try.h"
#include "clave/data.h"
#include "cli/cli.h"
#include "model/model.h"
#include "search/trial.h"

/* The configuration with one more override, built as a network. */
static clv_status check_value(const cli_args *args, const char *override, const clv_images *images, clv_error *err)
{
    clv_config *config = NULL;
    clv_model *model = NULL;
    clv_image_shape shape = {images->channels, images->height, images->width};
    const char **overrides = clv_alloc((size_t)args->override_count + 1, sizeof *overrides, err);
    clv_status status = CLV_OK;
    if (!overrides) return CLV_ERR_INTERNAL;
    for (int i = 0; i < args->override_count; i++) overrides[i] = args->overrides[i];
    overrides[args->override_count] = override;
    CLV_TRY(clv_config_load(args->target, overrides, args->override_count + 1, &config, NULL, err));
    CLV_TRY(clv_model_create(config, shape, 1, &model, err));
done:
    clv_model_destroy(model);
    clv_config_destroy(config);
    free(overrides);
    return status;
}

static clv_status check_row(const cli_args *args, const clv_dimension *row, const clv_images *images, clv_error *err)
{
    clv_status status = CLV_OK;
    for (int i = 0; i < (row->item ? row->items : 2) && status == CLV_OK; i++) {
        char value[CLV_SETTING_SIZE];
        clv_text override = {0};
        clv_space_print(row, row->item ? i : i ? row->high : row->low, value);
        clv_text_append(&override, "%s=%s", row->key, value);
        status = override.failed ? clv_fail(err, CLV_ERR_INTERNAL, "out of memory for the values of %s", row->key)
                                 : check_value(args, override.text, images, err);
        if (status == CLV_ERR_CONFIG) clv_fail_in(err, status, "%s: with %s", row->where, override.text);
        clv_text_free(&override);
    }
    return status;
}

clv_status cli_check_space(const cli_args *args, const clv_config *config, clv_error *err)
{
    const clv_dimension *row;
    int rows = clv_config_space(config, &row);
    clv_images images = {0};
    clv_search_plan plan = {0};
    clv_status status = CLV_OK;
    if (rows == 0) return CLV_OK;
    CLV_TRY(clv_search_plan_read(config, &plan, err));
    CLV_TRY(clv_images_load(clv_config_string(config, "data.path"), CLV_SPLIT_TEST, &images, err));
    for (int i = 0; i < rows; i++) CLV_TRY(check_row(args, &row[i], &images, err));
done:
    clv_search_plan_free(&plan);
    clv_images_free(&images);
    return status;
}
