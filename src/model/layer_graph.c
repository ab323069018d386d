/* A graph up to one row of the encoder: what that row makes of the images. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/try.h"
#include "model/build.h"

/* Rows to build for `name`, -1 where there is no such row. */
static int rows_up_to(const clv_model *model, const char *name)
{
    if (!strcmp(name, "input")) return 0;
    for (int i = 0; i < model->encoder_rows; i++)
        if (!strcmp(model->encoder[i].name, name)) return i + 1;
    return -1;
}

static clv_status no_such_row(const clv_model *model, const char *name, clv_error *err)
{
    clv_text rows = {0};
    for (int i = 0; i < model->encoder_rows; i++)
        if (strcmp(model->encoder[i].name, "code") != 0) clv_text_append(&rows, ", %s", model->encoder[i].name);
    const clv_status status = clv_fail(err, CLV_ERR_CONFIG, "the encoder has no row '%s'; there are: code, input%s",
                                       name, rows.text ? rows.text : "");
    clv_text_free(&rows);
    return status;
}

clv_status clv_model_layer_graph_create(const clv_model *model, const char *row, int dataset, clv_model_graph *out,
                                        clv_error *err)
{
    clv_status status = CLV_OK;
    clv_builder b;
    const int rows = rows_up_to(model, row);
    if (rows < 0) return no_such_row(model, row, err);
    clv_model_graph made = clv_model_graph_empty(CLV_MODE_ENCODE);
    CLV_TRY(clv_builder_start(&b, model, CLV_MODE_ENCODE, err));
    CLV_TRY(clv_build_images(&b, dataset, err));
    made.images = b.x;
    for (int i = 0; i < rows; i++) CLV_TRY(clv_build_row(&b, &model->encoder[i], err));
    made.output = b.x;
    clv_graph_mark_output(b.graph, b.x);
    if (clv_config_bool(model->config, "plan.fuse"))
        CLV_TRY(clv_graph_fuse(b.graph, clv_config_apart(model->config), err));
    made.graph = b.graph;
    b.graph = NULL;
    *out = made;
done:
    clv_builder_finish(&b);
    return status;
}
