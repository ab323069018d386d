/* The model: its layers checked once as a whole, and a graph for each mode. */
#include "model/model.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/try.h"
#include "model/build.h"
#include "model/patterns.h"

/* ---- the model ---- */

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

static clv_task task_of(const clv_config *config)
{
    static const char *const names[CLV_TASK_COUNT] = {"autoencoder", "denoise", "vae", "classify"};
    int task = CLV_TASK_COUNT - 1;
    while (task > 0 && strcmp(clv_config_string(config, "experiment.task"), names[task]) != 0) task--;
    return (clv_task)task;
}

clv_status clv_model_create(const clv_config *config, clv_image_shape image, size_t alignment, clv_model **model,
                            clv_error *err)
{
    clv_status status;
    clv_model *m = clv_alloc(1, sizeof *m, err);
    if (!m) return CLV_ERR_INTERNAL;
    m->config = config;
    m->image = image;
    m->task = task_of(config);
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

/* ---- losses and training ---- */

/* Records v, a number for each image, in a column of the trace, as the next metric. */
static clv_status add_metric(clv_builder *b, clv_node v, const char *name, int slot, clv_model_graph *out,
                             clv_error *err)
{
    clv_node record;
    clv_status status = clv_build_node(b, CLV_OP_RECORD, name, &v, 1, &(clv_attr){.slot = slot}, &record, err);
    if (status != CLV_OK) return status;
    clv_graph_mark_output(b->graph, record);
    out->slot[out->metrics] = slot;
    out->metric[out->metrics++] = name;
    return CLV_OK;
}

/* beta KL: the share of an image's loss that holds its code near N(0, 1). */
static clv_status add_divergence(clv_builder *b, clv_node kl, clv_node *loss, clv_error *err)
{
    float beta = (float)clv_config_real(b->model->config, "loss.beta");
    clv_status status;
    bool warm = b->train && clv_config_real(b->model->config, "loss.beta_warmup") > 0;
    if (beta != 1) CLV_TRY(clv_build_node(b, CLV_OP_SCALE, "beta kl", &kl, 1, &(clv_attr){.alpha = beta}, &kl, err));
    if (warm) CLV_TRY(clv_build_node(b, CLV_OP_RAMP, "warm kl", &kl, 1, NULL, &kl, err));
    CLV_TRY(clv_build_node(b, CLV_OP_ADD, "loss", (clv_node[]){*loss, kl}, 2, NULL, loss, err));
done:
    return status;
}

/* Images to the cross-entropy of their labels, and whether the likeliest class is right. */
static clv_status build_class_losses(clv_builder *b, int dataset, clv_model_graph *out, clv_node *loss, clv_error *err)
{
    clv_status status;
    clv_node correct;
    CLV_TRY(clv_build_images(b, dataset, err));
    out->images = b->x;
    CLV_TRY(clv_build_labels(b, dataset, &out->labels, err));
    CLV_TRY(clv_build_encoder(b, err));
    CLV_TRY(clv_build_classifier(b, err));
    const clv_node pair[] = {b->x, out->labels};
    CLV_TRY(clv_build_node(b, CLV_OP_XENT, "loss", pair, 2, NULL, loss, err));
    CLV_TRY(clv_build_node(b, CLV_OP_CORRECT, "accuracy", pair, 2, NULL, &correct, err));
    CLV_TRY(add_metric(b, *loss, "loss", 0, out, err));
    CLV_TRY(add_metric(b, correct, "accuracy", 1, out, err));
done:
    return status;
}

/* What the noise alone costs: the figure that a denoiser is measured by. */
static clv_status add_noisy_metric(clv_builder *b, clv_node noisy, clv_model_graph *out, clv_error *err)
{
    clv_node v;
    if (b->train || b->model->task != CLV_TASK_DENOISE) return CLV_OK;
    clv_status status = clv_build_node(b, CLV_OP_MSE, "noisy_mse", (clv_node[]){noisy, out->images}, 2, NULL, &v, err);
    return status == CLV_OK ? add_metric(b, v, "noisy_mse", 1, out, err) : status;
}

/* Images to losses: *loss is each image's; the metrics are recorded. */
static clv_status build_losses(clv_builder *b, int dataset, clv_model_graph *out, clv_node *loss, clv_error *err)
{
    clv_status status;
    const char *name = b->model->logits ? "bce" : "mse";
    clv_node reconstruction, noisy, kl = CLV_NODE_NONE;
    if (!clv_model_has_decoder(b->model)) return build_class_losses(b, dataset, out, loss, err);
    CLV_TRY(clv_build_images(b, dataset, err));
    out->images = b->x;
    CLV_TRY(clv_build_noise(b, err));
    noisy = b->x;
    CLV_TRY(clv_build_encoder(b, err));
    CLV_TRY(clv_build_decoder(b, err));
    CLV_TRY(clv_build_node(b, b->model->logits ? CLV_OP_BCE : CLV_OP_MSE, name, (clv_node[]){b->x, out->images}, 2,
                           NULL, &reconstruction, err));
    *loss = reconstruction;
    if (clv_model_is_vae(b->model)) {
        CLV_TRY(clv_build_node(b, CLV_OP_KL, "kl", (clv_node[]){b->mu, b->logvar}, 2, NULL, &kl, err));
        CLV_TRY(add_divergence(b, kl, loss, err));
    }
    CLV_TRY(add_metric(b, *loss, "loss", 0, out, err));
    if (clv_model_is_vae(b->model)) {
        CLV_TRY(add_metric(b, reconstruction, name, 1, out, err));
        CLV_TRY(add_metric(b, kl, "kl", 2, out, err));
    } else { /* the loss is the reconstruction's: one record under two names */
        out->slot[out->metrics] = 0;
        out->metric[out->metrics++] = name;
    }
    CLV_TRY(add_noisy_metric(b, noisy, out, err));
done:
    return status;
}

static clv_status add_optimizer(clv_builder *b, clv_error *err)
{
    const clv_config *config = b->model->config;
    bool sgd = !strcmp(clv_config_string(config, "train.optimizer"), "sgd");
    clv_attr attr = {
        .beta1 = (float)clv_config_real(config, "train.beta1"),
        .beta2 = (float)clv_config_real(config, "train.beta2"),
        .eps = (float)clv_config_real(config, "train.eps"),
        .l2 = (float)clv_config_real(config, "train.l2"),
        .weight_decay = (float)clv_config_real(config, "train.weight_decay"),
        .momentum = (float)clv_config_real(config, "train.momentum"),
        .rated = clv_model_is_rated(b->model),
    };
    if (sgd) attr.beta1 = attr.beta2 = attr.eps = 0;
    clv_node node;
    clv_status status =
        clv_build_node(b, sgd ? CLV_OP_SGD : CLV_OP_ADAM, sgd ? "sgd" : "adam", NULL, 0, &attr, &node, err);
    if (status != CLV_OK) return clv_fail_in(err, status, "[train]");
    clv_graph_mark_output(b->graph, node);
    return CLV_OK;
}

/* The trained parameters are a prefix of the layout, in its order. */
static clv_status add_gradients(clv_builder *b, clv_node loss, clv_model_graph *out, clv_error *err)
{
    clv_status status;
    const clv_param_layout *layout = &b->model->layout;
    clv_node mean, *param = clv_alloc((size_t)layout->params, sizeof *param, err);
    out->gradient = clv_alloc((size_t)layout->params, sizeof *out->gradient, err);
    status = param && out->gradient ? CLV_OK : CLV_ERR_INTERNAL;
    if (status != CLV_OK) goto done;
    int trained = 0;
    for (int i = 0; i < layout->params; i++) {
        out->gradient[i] = CLV_NODE_NONE;
        if (layout->param[i].trained) param[trained++] = clv_graph_find_param(b->graph, layout->param[i].name);
    }
    CLV_TRY(clv_build_node(b, CLV_OP_MEAN, "mean loss", &loss, 1, NULL, &mean, err));
    CLV_TRY(clv_graph_gradients(b->graph, mean, param, trained, out->gradient, err));
    CLV_TRY(add_optimizer(b, err));
done:
    free(param);
    return status;
}

/* ---- a function for each mode ---- */

static clv_status build_train(clv_builder *b, int dataset, clv_model_graph *out, clv_error *err)
{
    clv_node loss;
    clv_status status = build_losses(b, dataset, out, &loss, err);
    return status == CLV_OK ? add_gradients(b, loss, out, err) : status;
}

static clv_status build_evaluate(clv_builder *b, int dataset, clv_model_graph *out, clv_error *err)
{
    clv_node loss;
    return build_losses(b, dataset, out, &loss, err);
}

static clv_status build_encode(clv_builder *b, int dataset, clv_model_graph *out, clv_error *err)
{
    clv_status status;
    CLV_TRY(clv_build_images(b, dataset, err));
    out->images = b->x;
    CLV_TRY(clv_build_encoder(b, err));
    CLV_TRY(clv_build_reshape(b, "code", clv_model_latent(b->model), 1, 1, err));
    out->code = b->x;
    out->logvar = b->logvar;
    clv_graph_mark_output(b->graph, out->code);
    if (out->logvar != CLV_NODE_NONE) clv_graph_mark_output(b->graph, out->logvar);
done:
    return status;
}

static clv_status need_decoder(const clv_builder *b, clv_error *err)
{
    if (clv_model_has_decoder(b->model)) return CLV_OK;
    return clv_fail(err, CLV_ERR_CONFIG,
                    "a classifier makes no images: this is for autoencoders (experiment.task is classify)");
}

/* The decoder, and the sigmoid that the loss has of its own where it takes logits. */
static clv_status build_output(clv_builder *b, clv_model_graph *out, clv_error *err)
{
    clv_status status;
    CLV_TRY(clv_build_decoder(b, err));
    if (b->model->logits)
        CLV_TRY(clv_build_node(b, CLV_OP_ACT, "sigmoid", &b->x, 1, &(clv_attr){.act = CLV_ACT_SIGMOID}, &b->x, err));
    out->output = b->x;
    clv_graph_mark_output(b->graph, out->output);
done:
    return status;
}

static clv_status build_decode(clv_builder *b, int dataset, clv_model_graph *out, clv_error *err)
{
    (void)dataset;
    clv_status status;
    const int *dim = b->model->code.dim;
    CLV_TRY(need_decoder(b, err));
    CLV_TRY(clv_build_code_input(b, err));
    out->code = b->x;
    CLV_TRY(clv_build_reshape(b, "code", dim[0], dim[1], dim[2], err));
    CLV_TRY(build_output(b, out, err));
done:
    return status;
}

static clv_status build_reconstruct(clv_builder *b, int dataset, clv_model_graph *out, clv_error *err)
{
    clv_status status;
    CLV_TRY(clv_build_images(b, dataset, err));
    out->images = b->x;
    clv_graph_mark_output(b->graph, out->images);
    CLV_TRY(need_decoder(b, err));
    CLV_TRY(clv_build_noise(b, err));
    if (b->x != out->images) clv_graph_mark_output(b->graph, out->noisy = b->x);
    CLV_TRY(clv_build_encoder(b, err));
    CLV_TRY(build_output(b, out, err));
done:
    return status;
}

static clv_status build_classify(clv_builder *b, int dataset, clv_model_graph *out, clv_error *err)
{
    clv_status status = CLV_OK;
    CLV_REQUIRE(!clv_model_has_decoder(b->model), CLV_ERR_CONFIG,
                "this model has no classifier: train one by experiment.task = classify");
    CLV_TRY(clv_build_images(b, dataset, err));
    out->images = b->x;
    CLV_TRY(clv_build_encoder(b, err));
    CLV_TRY(clv_build_classifier(b, err));
    out->output = b->x;
    clv_graph_mark_output(b->graph, out->output);
done:
    return status;
}

/* Each image's reconstruction loss, of what x holds against `images`. */
static clv_status build_image_loss(clv_builder *b, clv_node images, clv_model_graph *out, clv_error *err)
{
    const bool logits = b->model->logits;
    clv_status status = clv_build_node(b, logits ? CLV_OP_BCE : CLV_OP_MSE, logits ? "bce" : "mse",
                                       (clv_node[]){b->x, images}, 2, NULL, &out->image_loss, err);
    if (status == CLV_OK) clv_graph_mark_output(b->graph, out->image_loss);
    return status;
}

static clv_status build_score(clv_builder *b, int dataset, clv_model_graph *out, clv_error *err)
{
    clv_status status;
    CLV_TRY(need_decoder(b, err));
    CLV_TRY(clv_build_images(b, dataset, err));
    out->images = b->x;
    CLV_TRY(clv_build_encoder(b, err));
    CLV_TRY(clv_build_decoder(b, err));
    CLV_TRY(build_image_loss(b, out->images, out, err));
    if (!clv_model_is_vae(b->model)) goto done;
    CLV_TRY(clv_build_node(b, CLV_OP_KL, "kl", (clv_node[]){b->mu, b->logvar}, 2, NULL, &out->image_kl, err));
    clv_graph_mark_output(b->graph, out->image_kl);
done:
    return status;
}

/* z by evaluation's random numbers, so that the first sample of an image is the one that evaluation measures; and the
 * eps of z = mu + exp(logvar / 2) eps, which is the sample of mu = logvar = 0 by the same numbers. */
static clv_status build_draw(clv_builder *b, clv_node mu, clv_node logvar, clv_node *eps, clv_error *err)
{
    clv_status status;
    clv_node zero;
    for (int i = 0; i < b->model->encoder_rows; i++)
        if (!strcmp(b->model->encoder[i].type, "dropout")) b->stream++; /* each has a stream before the gaussian's */
    const clv_attr attr = {.stream = b->stream++};
    CLV_TRY(clv_build_node(b, CLV_OP_SAMPLE, "z", (clv_node[]){mu, logvar}, 2, &attr, &b->x, err));
    CLV_TRY(clv_build_node(b, CLV_OP_SCALE, "zero", &mu, 1, &(clv_attr){.alpha = 0}, &zero, err));
    CLV_TRY(clv_build_node(b, CLV_OP_SAMPLE, "eps", (clv_node[]){zero, zero}, 2, &attr, eps, err));
done:
    return status;
}

/* log(p(z) / q(z|x)) = sum of (eps^2 + logvar - z^2) / 2 for p = N(0, 1) and q = N(mu, exp(logvar)). */
static clv_status build_log_ratio(clv_builder *b, clv_node z, clv_node eps, clv_node logvar, clv_node *ratio,
                                  clv_error *err)
{
    clv_status status;
    clv_node zz, sum;
    CLV_TRY(clv_build_node(b, CLV_OP_MUL, "z^2", (clv_node[]){z, z}, 2, NULL, &zz, err));
    CLV_TRY(clv_build_node(b, CLV_OP_SCALE, "-z^2", &zz, 1, &(clv_attr){.alpha = -1}, &zz, err));
    CLV_TRY(clv_build_node(b, CLV_OP_MUL, "eps^2", (clv_node[]){eps, eps}, 2, NULL, &sum, err));
    CLV_TRY(clv_build_node(b, CLV_OP_ADD, "ratio", (clv_node[]){sum, logvar}, 2, NULL, &sum, err));
    CLV_TRY(clv_build_node(b, CLV_OP_ADD, "ratio", (clv_node[]){sum, zz}, 2, NULL, &sum, err));
    CLV_TRY(clv_build_node(b, CLV_OP_SUM, "ratio", &sum, 1, NULL, &sum, err));
    CLV_TRY(clv_build_node(b, CLV_OP_SCALE, "log ratio", &sum, 1, &(clv_attr){.alpha = 0.5f}, ratio, err));
done:
    return status;
}

/* Burda et al. 2016, "Importance weighted autoencoders": the log weight of one sample. The encoder's work is done once
 * for all samples, elsewhere: mu and logvar come from the host. */
static clv_status build_weigh(clv_builder *b, int dataset, clv_model_graph *out, clv_error *err)
{
    clv_status status;
    clv_node eps, ratio, loss;
    CLV_REQUIRE(clv_model_is_vae(b->model) && b->model->logits, CLV_ERR_CONFIG,
                "importance weights need a likelihood: experiment.task = vae with loss.reconstruction = bce");
    CLV_TRY(clv_build_images(b, dataset, err));
    out->images = b->x;
    CLV_TRY(clv_build_code_input(b, err));
    out->code = b->x;
    CLV_TRY(clv_build_code_input(b, err));
    out->logvar = b->x;
    CLV_TRY(build_draw(b, out->code, out->logvar, &eps, err));
    CLV_TRY(build_log_ratio(b, b->x, eps, out->logvar, &ratio, err));
    CLV_TRY(clv_build_decoder(b, err));
    CLV_TRY(build_image_loss(b, out->images, out, err));
    CLV_TRY(clv_build_node(b, CLV_OP_SCALE, "-bce", &out->image_loss, 1, &(clv_attr){.alpha = -1}, &loss, err));
    CLV_TRY(clv_build_node(b, CLV_OP_ADD, "log weight", (clv_node[]){ratio, loss}, 2, NULL, &out->image_weight, err));
    clv_graph_mark_output(b->graph, out->image_weight);
done:
    return status;
}

static clv_status (*const mode_table[CLV_MODE_COUNT])(clv_builder *, int, clv_model_graph *, clv_error *) = {
    [CLV_MODE_TRAIN] = build_train,
    [CLV_MODE_EVALUATE] = build_evaluate,
    [CLV_MODE_ENCODE] = build_encode,
    [CLV_MODE_DECODE] = build_decode,
    [CLV_MODE_RECONSTRUCT] = build_reconstruct,
    [CLV_MODE_CLASSIFY] = build_classify,
    [CLV_MODE_SCORE] = build_score,
    [CLV_MODE_WEIGH] = build_weigh,
};

clv_status clv_model_graph_create(const clv_model *model, clv_mode mode, int dataset, clv_model_graph *out,
                                  clv_error *err)
{
    clv_status status;
    clv_builder b;
    clv_model_graph made = {.mode = mode,
                            .images = CLV_NODE_NONE,
                            .labels = CLV_NODE_NONE,
                            .noisy = CLV_NODE_NONE,
                            .code = CLV_NODE_NONE,
                            .logvar = CLV_NODE_NONE,
                            .output = CLV_NODE_NONE,
                            .image_loss = CLV_NODE_NONE,
                            .image_kl = CLV_NODE_NONE,
                            .image_weight = CLV_NODE_NONE};
    CLV_TRY(clv_builder_start(&b, model, mode, err));
    CLV_TRY(mode_table[mode](&b, dataset, &made, err));
    if (clv_config_bool(model->config, "plan.fuse")) CLV_TRY(clv_graph_fuse(b.graph, err));
    made.graph = b.graph;
    b.graph = NULL;
    *out = made;
    made = (clv_model_graph){0};
done:
    clv_builder_finish(&b);
    clv_model_graph_destroy(&made);
    return status;
}

void clv_model_graph_destroy(clv_model_graph *graph)
{
    clv_graph_destroy(graph->graph);
    free(graph->gradient);
    *graph = (clv_model_graph){.images = CLV_NODE_NONE,
                               .labels = CLV_NODE_NONE,
                               .noisy = CLV_NODE_NONE,
                               .code = CLV_NODE_NONE,
                               .logvar = CLV_NODE_NONE,
                               .output = CLV_NODE_NONE,
                               .image_loss = CLV_NODE_NONE,
                               .image_kl = CLV_NODE_NONE,
                               .image_weight = CLV_NODE_NONE};
}
