/* Layers as nodes: a table with one function for each layer type. Products, biases and activations are separate nodes
 * here; fusion joins them later. */
#include "model/build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/philox.h"
#include "base/text.h"
#include "base/try.h"

/* ---- the builder ---- */

clv_status clv_builder_start(clv_builder *b, const clv_model *model, clv_mode mode, clv_error *err)
{
    bool train = mode == CLV_MODE_TRAIN;
    *b = (clv_builder){
        .model = model,
        .train = train,
        .sample = train || mode == CLV_MODE_EVALUATE,
        .stream = train ? CLV_STREAM_GRAPH : CLV_STREAM_EVAL, /* evaluation draws other numbers than training */
        .x = CLV_NODE_NONE,
        .mu = CLV_NODE_NONE,
        .logvar = CLV_NODE_NONE,
    };
    b->graph = clv_graph_create();
    return b->graph ? CLV_OK : clv_fail(err, CLV_ERR_INTERNAL, "out of memory for a graph");
}

void clv_builder_finish(clv_builder *b)
{
    clv_graph_destroy(b->graph);
    free(b->param);
    free(b->rule);
    *b = (clv_builder){0};
}

static clv_shape batched(int c, int y, int x) { return (clv_shape){.rank = 3, .dim = {c, y, x, 1}, .batched = true}; }

static const clv_shape *shape_of(const clv_builder *b, clv_node node) { return &clv_graph_node(b->graph, node)->shape; }

clv_status clv_build_node(clv_builder *b, clv_op op, const char *name, const clv_node *input, int inputs,
                          const clv_attr *attr, clv_node *node, clv_error *err)
{
    const clv_attr none = {0};
    return clv_graph_add(b->graph, op, name, input, inputs, attr ? attr : &none, NULL, node, err);
}

clv_status clv_build_images(clv_builder *b, int dataset, clv_error *err)
{
    const clv_image_shape *image = &b->model->image;
    clv_shape shape = batched(image->channels, image->height, image->width);
    return clv_graph_add(b->graph, CLV_OP_GATHER, "images", NULL, 0, &(clv_attr){.dataset = dataset}, &shape, &b->x,
                         err);
}

clv_status clv_build_labels(clv_builder *b, int dataset, clv_node *labels, clv_error *err)
{
    return clv_build_node(b, CLV_OP_LABEL, "labels", NULL, 0, &(clv_attr){.dataset = dataset}, labels, err);
}

clv_status clv_build_noise(clv_builder *b, clv_error *err)
{
    if (b->model->task != CLV_TASK_DENOISE) return CLV_OK;
    return clv_build_node(b, CLV_OP_NOISE, "noise", &b->x, 1, &(clv_attr){.stream = b->stream++}, &b->x, err);
}

clv_status clv_build_code_input(clv_builder *b, clv_error *err)
{
    clv_shape shape = batched(clv_model_latent(b->model), 1, 1);
    return clv_graph_add(b->graph, CLV_OP_INPUT, "code", NULL, 0, &(clv_attr){0}, &shape, &b->x, err);
}

clv_status clv_build_reshape(clv_builder *b, const char *name, int c, int y, int x, clv_error *err)
{
    clv_shape shape = batched(c, y, x);
    if (clv_shape_equal(shape_of(b, b->x), &shape)) return CLV_OK;
    return clv_graph_add(b->graph, CLV_OP_RESHAPE, name, &b->x, 1, &(clv_attr){0}, &shape, &b->x, err);
}

/* ---- what layers are made of ---- */

/* Longer than a name may be, so that the graph sees, and refuses, what does not fit. */
enum { LONG_NAME = 2 * CLV_NAME_SIZE };

static void row_name(const clv_builder *b, const char *part, const char *suffix, char name[LONG_NAME])
{
    snprintf(name, LONG_NAME, "%s%s%s", b->layer->name, part, suffix);
}

static clv_status add_param(clv_builder *b, const char *name, int rank, const int *dim, const clv_param_rule *rule,
                            clv_node *node, clv_error *err)
{
    clv_status status;
    size_t needed = (size_t)b->params + 1;
    CLV_TRY(clv_grow(&b->param, &b->param_capacity, needed, sizeof *b->param, err));
    CLV_TRY(clv_grow(&b->rule, &b->rule_capacity, needed, sizeof *b->rule, err));
    CLV_TRY(clv_graph_param(b->graph, name, rank, dim, node, err));
    b->param[b->params] = *node;
    b->rule[b->params++] = *rule;
done:
    return status;
}

/* A product of x with a weight of its own, and a bias where the row has one. part is "" or what comes between row and
 * weight in the parameters' names: ".mu". */
static clv_status add_product(clv_builder *b, clv_op op, const char *part, int rank, const int *dim,
                              const clv_attr *attr, clv_node *node, clv_error *err)
{
    clv_status status;
    char name[LONG_NAME];
    bool has_bias = true;
    double taps = rank == 4 ? (double)dim[2] * dim[3] : 1;
    clv_param_rule rule = {clv_layer_string(b->layer, "init"), dim[1] * taps, dim[0] * taps, false};
    clv_node weight, product, bias;
    clv_parse_bool(clv_layer_string(b->layer, "bias"), &has_bias);

    row_name(b, part, ".weight", name);
    CLV_TRY(add_param(b, name, rank, dim, &rule, &weight, err));
    row_name(b, part, "", name);
    if (rank == 2)
        CLV_TRY(clv_graph_linear(b->graph, name, b->x, weight, &product, err));
    else
        CLV_TRY(clv_build_node(b, op, name, (clv_node[]){b->x, weight}, 2, attr, &product, err));
    *node = product;
    if (!has_bias) goto done;

    rule.bias = true;
    row_name(b, part, ".bias", name);
    CLV_TRY(add_param(b, name, 1, shape_of(b, product)->dim, &rule, &bias, err));
    row_name(b, part, "", name);
    CLV_TRY(clv_build_node(b, CLV_OP_BIAS, name, (clv_node[]){product, bias}, 2, NULL, node, err));
done:
    return status;
}

static clv_act act_of(const char *name)
{
    int act = CLV_ACT_COUNT - 1;
    while (act > CLV_ACT_NONE && strcmp(name, clv_act_names[act]) != 0) act--;
    return (clv_act)act;
}

/* The activation that the row's argument `arg` names, on x. */
static clv_status add_act(clv_builder *b, const char *arg, clv_error *err)
{
    clv_attr attr = {.act = act_of(clv_layer_string(b->layer, arg)), .slope = (float)clv_layer_real(b->layer, "slope")};
    if (attr.act == CLV_ACT_NONE) return CLV_OK;
    return clv_build_node(b, CLV_OP_ACT, b->layer->name, &b->x, 1, &attr, &b->x, err);
}

static clv_status flatten(clv_builder *b, clv_error *err)
{
    int64_t elements = clv_shape_elements(shape_of(b, b->x));
    return clv_build_reshape(b, b->layer->name, (int)elements, 1, 1, err);
}

/* ---- a function for each layer type ---- */

static clv_status build_conv(clv_builder *b, clv_error *err)
{
    const clv_layer *l = b->layer;
    clv_attr attr = {
        .kernel = clv_layer_int(l, "kernel"), .stride = clv_layer_int(l, "stride"), .pad = clv_layer_int(l, "pad")};
    const int dim[4] = {clv_layer_int(l, "channels"), shape_of(b, b->x)->dim[0], attr.kernel,
                        attr.kernel}; /* [oc][ic][k][k] */
    clv_status status = add_product(b, CLV_OP_CONV, "", 4, dim, &attr, &b->x, err);
    return status == CLV_OK ? add_act(b, "act", err) : status;
}

static clv_status build_deconv(clv_builder *b, clv_error *err)
{
    const clv_layer *l = b->layer;
    clv_attr attr = {.kernel = clv_layer_int(l, "kernel"),
                     .stride = clv_layer_int(l, "stride"),
                     .pad = clv_layer_int(l, "pad"),
                     .out_pad = clv_layer_int(l, "out_pad")};
    const int dim[4] = {shape_of(b, b->x)->dim[0], clv_layer_int(l, "channels"), attr.kernel,
                        attr.kernel}; /* [in][out][k][k] */
    clv_status status = add_product(b, CLV_OP_DECONV, "", 4, dim, &attr, &b->x, err);
    return status == CLV_OK ? add_act(b, "act", err) : status;
}

static clv_status build_linear(clv_builder *b, clv_error *err)
{
    clv_status status;
    CLV_TRY(flatten(b, err));
    const int dim[2] = {clv_layer_int(b->layer, "units"), shape_of(b, b->x)->dim[0]}; /* [out][in] */
    CLV_TRY(add_product(b, CLV_OP_CONV, "", 2, dim, NULL, &b->x, err));
    CLV_TRY(add_act(b, "act", err));
done:
    return status;
}

static clv_status build_gaussian(clv_builder *b, clv_error *err)
{
    clv_status status;
    CLV_TRY(flatten(b, err));
    const int dim[2] = {clv_layer_int(b->layer, "units"), shape_of(b, b->x)->dim[0]}; /* [out][in] */
    clv_node mu, logvar;
    CLV_TRY(add_product(b, CLV_OP_CONV, ".mu", 2, dim, NULL, &mu, err));
    CLV_TRY(add_product(b, CLV_OP_CONV, ".logvar", 2, dim, NULL, &logvar, err));
    b->mu = b->x = mu;
    b->logvar = logvar;
    if (b->sample)
        CLV_TRY(clv_build_node(b, CLV_OP_SAMPLE, b->layer->name, (clv_node[]){mu, logvar}, 2,
                               &(clv_attr){.stream = b->stream++}, &b->x, err));
done:
    return status;
}

static clv_status build_dropout(clv_builder *b, clv_error *err)
{
    clv_attr attr = {.rate = (float)clv_layer_real(b->layer, "rate"), .stream = b->stream++};
    if (!b->train || attr.rate == 0) return CLV_OK;
    return clv_build_node(b, CLV_OP_DROPOUT, b->layer->name, &b->x, 1, &attr, &b->x, err);
}

static clv_status build_reshape(clv_builder *b, clv_error *err)
{
    const clv_layer *l = b->layer;
    return clv_build_reshape(b, l->name, clv_layer_int(l, "channels"), clv_layer_int(l, "height"),
                             clv_layer_int(l, "width"), err);
}

static clv_status build_act(clv_builder *b, clv_error *err) { return add_act(b, "type", err); }

static const struct {
    const char *type;
    clv_status (*build)(clv_builder *b, clv_error *err);
} build_table[] = {
    {"conv", build_conv},       {"deconv", build_deconv}, {"linear", build_linear},   {"gaussian", build_gaussian},
    {"dropout", build_dropout}, {"flatten", flatten},     {"reshape", build_reshape}, {"act", build_act},
};

static int find_type(const char *type)
{
    int i = (int)(sizeof build_table / sizeof build_table[0]) - 1;
    while (i >= 0 && strcmp(type, build_table[i].type) != 0) i--;
    return i;
}

bool clv_build_knows(const char *type) { return find_type(type) >= 0; }

/* ---- rows in a row ---- */

clv_status clv_build_row(clv_builder *b, const clv_layer *layer, clv_error *err)
{
    char shape[CLV_NAME_SIZE];
    int type = find_type(layer->type);
    if (type < 0)
        return clv_fail(err, CLV_ERR_CONFIG, "%s: %s: layers of type '%s' cannot be built", layer->where, layer->name,
                        layer->type);
    clv_shape input = *shape_of(b, b->x);
    b->layer = layer;
    clv_status status = build_table[type].build(b, err);
    if (status != CLV_OK)
        clv_fail_in(err, status, "%s: %s (%s) on %s", layer->where, layer->name, layer->type,
                    clv_shape_print(&input, shape));
    return status;
}

/* The configuration has checked that a vae's encoder, and no other place, ends in a gaussian row, and that a decoder
 * whose loss takes logits ends without a sigmoid. */
static clv_status build_rows(clv_builder *b, const clv_layer *layer, int rows, clv_error *err)
{
    clv_status status = CLV_OK;
    for (int i = 0; i < rows && status == CLV_OK; i++) status = clv_build_row(b, &layer[i], err);
    return status;
}

clv_status clv_build_encoder(clv_builder *b, clv_error *err)
{
    return build_rows(b, b->model->encoder, b->model->encoder_rows, err);
}

/* The decoder's result is compared with the images, so it has their shape. */
clv_status clv_build_decoder(clv_builder *b, clv_error *err)
{
    const clv_model *m = b->model;
    clv_status status = build_rows(b, m->decoder, m->decoder_rows, err);
    if (status != CLV_OK) return status;
    const clv_image_shape *i = &m->image;
    const clv_layer *last = &m->decoder[m->decoder_rows - 1];
    const clv_shape images = batched(i->channels, i->height, i->width), *made = shape_of(b, b->x);
    if (clv_shape_equal(made, &images)) return CLV_OK;

    char from[CLV_NAME_SIZE], to[CLV_NAME_SIZE], remedy[128] = "";
    if (clv_shape_elements(made) == clv_shape_elements(&images))
        snprintf(remedy, sizeof remedy, "; put 'image = reshape channels=%d height=%d width=%d' behind it", i->channels,
                 i->height, i->width);
    return clv_fail(err, CLV_ERR_CONFIG, "%s: %s (%s): the decoder ends in %s, the images are %s%s", last->where,
                    last->name, last->type, clv_shape_print(made, from), clv_shape_print(&images, to), remedy);
}

clv_status clv_build_classifier(clv_builder *b, clv_error *err)
{
    const clv_model *m = b->model;
    clv_status status = build_rows(b, m->classifier, m->classifier_rows, err);
    if (status != CLV_OK) return status;
    const clv_shape *made = shape_of(b, b->x);
    if (made->dim[1] == 1 && made->dim[2] == 1) return CLV_OK;
    const clv_layer *last = &m->classifier[m->classifier_rows - 1];
    char shape[CLV_NAME_SIZE];
    return clv_fail(
        err, CLV_ERR_CONFIG,
        "%s: %s (%s): the classifier ends in %s, it needs one number a class: end it with 'linear units=...'",
        last->where, last->name, last->type, clv_shape_print(made, shape));
}
