/* The model: its layers checked once as a whole, its parameters laid out, which of them are trained and how fast. */
#include "model/model.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/try.h"
#include "model/build.h"
#include "model/patterns.h"

/* The layout of what the builder made, and the rule of each parameter in the layout's order. */
static clv_status lay_out(clv_model *model, const clv_builder *b, size_t alignment, clv_error *err)
{
    clv_status status;
    bool *trained = clv_alloc((size_t)b->params, sizeof *trained, err);
    model->rule = clv_alloc((size_t)b->params, sizeof *model->rule, err);
    status = trained && model->rule ? CLV_OK : CLV_ERR_INTERNAL;
    if (status != CLV_OK) goto done;
    const char *freeze = clv_config_string(model->config, "transfer.freeze");
    int free_params = 0;
    for (int i = 0; i < b->params; i++) {
        trained[i] = !clv_patterns_match(freeze, clv_graph_node(b->graph, b->param[i])->name);
        free_params += trained[i];
    }
    CLV_REQUIRE(free_params > 0, CLV_ERR_CONFIG, "%s: transfer.freeze = %s leaves nothing to train",
                clv_config_where(model->config, "transfer.freeze"), freeze);
    CLV_TRY(clv_param_layout_create(b->graph, b->param, trained, b->params, alignment, &model->layout, err));
    for (int i = 0; i < b->params; i++)
        for (int k = 0; k < b->params; k++)
            if (!strcmp(model->layout.param[k].name, clv_graph_node(b->graph, b->param[i])->name))
                model->rule[k] = b->rule[i];
    CLV_TRY(clv_patterns_check(model->config, "transfer.freeze", false, &model->layout, err));
    CLV_TRY(clv_patterns_check(model->config, "transfer.reset", false, &model->layout, err));
    CLV_TRY(clv_patterns_check(model->config, "train.layer_rates", true, &model->layout, err));
done:
    free(trained);
    return status;
}

/* The forward pass, built for its checks and its parameters. */
static clv_status check_layers(clv_model *model, size_t alignment, clv_error *err)
{
    clv_status status;
    clv_builder b;
    CLV_TRY(clv_builder_start(&b, model, CLV_MODE_TRAIN, err));
    CLV_TRY(clv_build_images(&b, 0, err));
    CLV_TRY(clv_build_encoder(&b, err));
    model->code = clv_graph_node(b.graph, b.x)->shape;
    if (clv_model_has_decoder(model)) {
        CLV_TRY(clv_build_decoder(&b, err));
    } else {
        CLV_TRY(clv_build_classifier(&b, err));
        model->classes = clv_graph_node(b.graph, b.x)->shape.dim[0];
    }
    CLV_REQUIRE(b.params > 0, CLV_ERR_CONFIG, "no layer of the network has parameters: there is nothing to train");
    CLV_TRY(lay_out(model, &b, alignment, err));
done:
    clv_builder_finish(&b);
    return status;
}

unsigned clv_config_apart(const clv_config *config)
{
    static const char *const key[CLV_FUSIONS] = {
#define ROW(NAME, word) [CLV_FUSION_##NAME] = "plan.fuse_" word,
        CLV_FUSION_LIST(ROW)
#undef ROW
    };
    const bool any = clv_config_bool(config, "plan.fuse");
    unsigned apart = 0;
    for (int i = 0; i < CLV_FUSIONS; i++)
        if (!any || !clv_config_bool(config, key[i])) apart |= 1u << i;
    return apart;
}

clv_status clv_model_create(const clv_config *config, clv_image_shape image, size_t alignment, clv_model **model,
                            clv_error *err)
{
    clv_status status;
    clv_model *m = clv_alloc(1, sizeof *m, err);
    if (!m) return CLV_ERR_INTERNAL;
    m->config = config;
    m->image = image;
    m->task = (clv_task)clv_config_choice(config, "experiment.task");
    m->logits = !strcmp(clv_config_string(config, "loss.reconstruction"), "bce");
    m->encoder_rows = clv_config_layers(config, "encoder", &m->encoder); /* at least one, the configuration knows */
    m->decoder_rows = clv_config_layers(config, "decoder", &m->decoder);
    m->classifier_rows = clv_config_layers(config, "classifier", &m->classifier);
    CLV_TRY(check_layers(m, alignment, err));
    *model = m;
    m = NULL;
done:
    clv_model_destroy(m);
    return status;
}

void clv_model_destroy(clv_model *model)
{
    if (!model) return;
    clv_param_layout_destroy(&model->layout);
    free(model->rule);
    free(model);
}

const clv_param_layout *clv_model_params(const clv_model *model) { return &model->layout; }

int clv_model_latent(const clv_model *model) { return (int)clv_shape_elements(&model->code); }

clv_task clv_model_task(const clv_model *model) { return model->task; }

bool clv_model_is_vae(const clv_model *model) { return model->task == CLV_TASK_VAE; }

bool clv_model_has_decoder(const clv_model *model) { return model->task != CLV_TASK_CLASSIFY; }

int clv_model_classes(const clv_model *model) { return model->classes; }

/* Weights that come from elsewhere, of which fine-tuning is careful. */
static bool is_taken_over(const clv_model *model, const char *param)
{
    return strcmp(clv_config_string(model->config, "transfer.from"), CLV_NO_PATTERNS) != 0 &&
           !clv_patterns_match(clv_config_string(model->config, "transfer.reset"), param);
}

static double rate_of(const clv_model *model, const char *param)
{
    double factor = clv_patterns_factor(clv_config_string(model->config, "train.layer_rates"), param);
    return is_taken_over(model, param) ? factor * clv_config_real(model->config, "transfer.rate") : factor;
}

bool clv_model_is_rated(const clv_model *model)
{
    for (int i = 0; i < model->layout.params; i++) {
        double rate = rate_of(model, model->layout.param[i].name);
        if (rate < 1 || rate > 1) return true;
    }
    return false;
}

void clv_model_rates(const clv_model *model, float *factor)
{
    memset(factor, 0, model->layout.trained * sizeof *factor); /* the gaps between tensors too */
    for (int i = 0; i < model->layout.params; i++) {
        const struct clv_param_place *p = &model->layout.param[i];
        size_t count = p->trained ? (size_t)clv_shape_elements(&p->shape) : 0;
        for (size_t k = 0; k < count; k++) factor[p->offset + k] = (float)rate_of(model, p->name);
    }
}
