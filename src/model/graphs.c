/* The graphs of a model, a function for each mode: losses and training, what goes in and what comes out. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/try.h"
#include "model/build.h"

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

bool clv_model_has_mode(const clv_model *model, clv_mode mode)
{
    switch (mode) {
    case CLV_MODE_DECODE:
    case CLV_MODE_RECONSTRUCT:
    case CLV_MODE_SCORE:
        return clv_model_has_decoder(model);
    case CLV_MODE_WEIGH:
        return clv_model_is_vae(model) && model->logits;
    case CLV_MODE_CLASSIFY:
        return !clv_model_has_decoder(model);
    default:
        return true;
    }
}

static const struct {
    clv_status (*build)(clv_builder *b, int dataset, clv_model_graph *out, clv_error *err);
    const char *lacking; /* what a model without this mode is told */
} mode_table[CLV_MODE_COUNT] = {
    [CLV_MODE_TRAIN] = {build_train, ""},
    [CLV_MODE_EVALUATE] = {build_evaluate, ""},
    [CLV_MODE_ENCODE] = {build_encode, ""},
    [CLV_MODE_DECODE] = {build_decode, "a classifier makes no images: this is for the other values of experiment.task"},
    [CLV_MODE_RECONSTRUCT] = {build_reconstruct,
                              "a classifier makes no images: this is for the other values of experiment.task"},
    [CLV_MODE_SCORE] = {build_score, "a classifier makes no images: this is for the other values of experiment.task"},
    [CLV_MODE_WEIGH] = {build_weigh, "importance weights need a likelihood: experiment.task = vae with "
                                     "loss.reconstruction = bce"},
    [CLV_MODE_CLASSIFY] = {build_classify, "this model has no classifier: train one by experiment.task = classify"},
};

clv_model_graph clv_model_graph_empty(clv_mode mode)
{
    return (clv_model_graph){.mode = mode,
                             .images = CLV_NODE_NONE,
                             .labels = CLV_NODE_NONE,
                             .noisy = CLV_NODE_NONE,
                             .code = CLV_NODE_NONE,
                             .logvar = CLV_NODE_NONE,
                             .output = CLV_NODE_NONE,
                             .image_loss = CLV_NODE_NONE,
                             .image_kl = CLV_NODE_NONE,
                             .image_weight = CLV_NODE_NONE};
}

clv_status clv_model_graph_create(const clv_model *model, clv_mode mode, int dataset, clv_model_graph *out,
                                  clv_error *err)
{
    clv_status status;
    clv_builder b;
    clv_model_graph made = clv_model_graph_empty(mode);
    CLV_TRY(clv_builder_start(&b, model, mode, err));
    CLV_REQUIRE(clv_model_has_mode(model, mode), CLV_ERR_CONFIG, "%s", mode_table[mode].lacking);
    CLV_TRY(mode_table[mode].build(&b, dataset, &made, err));
    if (clv_config_bool(model->config, "plan.fuse"))
        CLV_TRY(clv_graph_fuse(b.graph, clv_config_apart(model->config), err));
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
    *graph = clv_model_graph_empty(graph->mode);
}
