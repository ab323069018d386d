/* Transfer: which file, which layers, and what is told of it. */
#include "experiment/transfer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/try.h"
#include "experiment/run_folder.h"
#include "model/checkpoint.h"
#include "model/patterns.h"

/* A run directory stands for its best weights. */
static clv_status find_file(const char *from, char path[CLV_PATH_SIZE], clv_error *err)
{
    struct stat info;
    if (stat(from, &info) == 0 && S_ISDIR(info.st_mode))
        return clv_path_join(path, CLV_PATH_SIZE, from, CLV_BEST_FILE, err);
    return clv_path_join(path, CLV_PATH_SIZE, "", from, err);
}

static void tell(const clv_param_layout *layout, const char *path, const bool *skip, const clv_text *left,
                 clv_text *told)
{
    int taken = 0;
    for (int i = 0; i < layout->params; i++) taken += !skip[i];
    clv_text_append(told, "transfer: %d tensors of %s", taken, path);
    for (int i = 0, anew = 0; i < layout->params; i++)
        if (skip[i]) clv_text_append(told, "%s%s", anew++ ? " " : "; initial weights: ", layout->param[i].name);
    if (left->length) clv_text_append(told, "; left aside: %s", left->text);
}

clv_status clv_transfer(const clv_config *config, const clv_model *model, float *param, clv_text *told, clv_error *err)
{
    const char *from = clv_config_string(config, "transfer.from"), *reset = clv_config_string(config, "transfer.reset");
    const clv_param_layout *layout = clv_model_params(model);
    char path[CLV_PATH_SIZE];
    clv_text left = {0};
    clv_status status = CLV_OK;
    if (!strcmp(from, CLV_NO_PATTERNS)) return CLV_OK;
    bool *skip = clv_alloc((size_t)layout->params, sizeof *skip, err);
    if (!skip) return CLV_ERR_INTERNAL;
    for (int i = 0; i < layout->params; i++) skip[i] = clv_patterns_match(reset, layout->param[i].name);
    CLV_TRY(find_file(from, path, err));
    CLV_TRY(clv_checkpoint_take(path, layout, skip, param, &left, err));
    tell(layout, path, skip, &left, told);
done:
    if (status != CLV_OK) clv_fail_in(err, status, "%s: transfer.from", clv_config_where(config, "transfer.from"));
    clv_text_free(&left);
    free(skip);
    return status;
}
