/* The model: a configuration's layers as graphs, and their parameters.
 *
 * One model has several graphs over the same parameters (training, evaluation, encode, decode), each built on demand. A parameter
 * is named "<row>.weight", "<row>.bias"; a gaussian row has "<row>.mu.weight", "<row>.logvar.weight" and their biases. */
#ifndef CLAVE_MODEL_H
#define CLAVE_MODEL_H

#include "clave/config.h"
#include "clave/graph.h"
#include "graph/plan.h"
#include "model/choices.h"

typedef struct clv_image_shape { int channels, height, width; } clv_image_shape;

typedef enum clv_mode {
    CLV_MODE_TRAIN,    /* images -> losses, gradients, optimiser; dropout on */
    CLV_MODE_EVALUATE, /* images -> losses, nothing trained; dropout off; a vae samples its code */
    CLV_MODE_ENCODE,   /* images -> code (a vae: mu and logvar) */
    CLV_MODE_DECODE,   /* code -> images */
    CLV_MODE_RECONSTRUCT, /* images -> originals and reconstructions; a vae decodes mu */
    CLV_MODE_CLASSIFY,    /* images -> logits */
    CLV_MODE_SCORE, /* images -> each image's losses; a vae decodes mu */
    CLV_MODE_WEIGH, /* images, mu and logvar -> a sample's loss and importance weight for each image; a vae's alone */
    CLV_MODE_COUNT
} clv_mode;

#define CLV_MAX_METRICS 8

/* What is measured by image, one column of the trace each; "loss" first, then what the task has: "mse", "bce", "kl",
 * "noisy_mse" (of what denoise starts from; not while training), "accuracy". */
typedef struct clv_model_graph {
    clv_mode mode;
    clv_graph *graph;
    clv_node images;  /* gather, or CLV_NODE_NONE (decode) */
    clv_node labels;  /* label, or none */
    clv_node noisy;   /* reconstruct of a denoise task: the images with noise, or none */
    clv_node code;    /* encode: the code (mu of a vae) [latent][1][1][n]; decode, weigh: the input of that shape */
    clv_node logvar;  /* encode of a vae; weigh: the input; or none */
    clv_node output;  /* decode, reconstruct: [c][y][x][n] in 0 .. 1 (sigmoid applied where the loss takes logits);
                       classify: logits [class][1][1][n] */
    clv_node image_loss;   /* score, weigh: reconstruction loss [1][1][1][n], or none */
    clv_node image_kl;     /* score of a vae: KL divergence [1][1][1][n], or none */
    clv_node image_weight; /* weigh: log(p(x|z) p(z) / q(z|x)) [1][1][1][n], z a sample, or none */
    int metrics;
    const char *metric[CLV_MAX_METRICS];
    int slot[CLV_MAX_METRICS]; /* column of the trace; metrics that are the same number share one */
    clv_node *gradient; /* train: [params of the layout], else NULL */
} clv_model_graph;

typedef struct clv_model clv_model;

/* Checks that the layers fit the images and each other and the task (an error names file:line, layer and both shapes).
 * `alignment` (elements) is the backend's. The config must outlive the model. */
clv_status clv_model_create(const clv_config *config, clv_image_shape image, size_t alignment, clv_model **model, clv_error *err);
void clv_model_destroy(clv_model *model);

const clv_param_layout *clv_model_params(const clv_model *model);
int clv_model_latent(const clv_model *model); /* size of the code */
clv_task clv_model_task(const clv_model *model);
bool clv_model_is_vae(const clv_model *model);
bool clv_model_has_decoder(const clv_model *model); /* all but classifiers */
/* What the keys plan.fuse_* say is not to be fused: bits CLV_FUSE_, for graphs and plans. */
unsigned clv_config_apart(const clv_config *config);

bool clv_model_has_mode(const clv_model *model, clv_mode mode); /* the others are refused, in words */
int clv_model_classes(const clv_model *model);      /* of a classifier; else 0 */

/* Whether parameters have factors of their own on the learning rate (train.layer_rates, transfer.rate), and which:
 * params->trained floats. */
bool clv_model_is_rated(const clv_model *model);
void clv_model_rates(const clv_model *model, float *factor);

/* Builds a graph of the model; fused unless plan.fuse is off. dataset: 0 train and validation, 1 test. The caller
 * destroys it. */
clv_status clv_model_graph_create(const clv_model *model, clv_mode mode, int dataset, clv_model_graph *out, clv_error *err);
/* Images to what one row of the encoder makes of them, as `output` (of a gaussian row mu); "input" is the images themselves.
 * CLV_ERR_CONFIG lists the rows where there is no such one. */
clv_status clv_model_layer_graph_create(const clv_model *model, const char *row, int dataset, clv_model_graph *out, clv_error *err);
void clv_model_graph_destroy(clv_model_graph *graph);

/* Initial parameters, params->elements floats, from train seed and each layer's `init` (pytorch, glorot, he). Each tensor
 * has a stream of its own, a function of its name, so that adding a layer does not change the others. */
clv_status clv_model_init(const clv_model *model, uint64_t seed, float *values, clv_error *err);

/* One line a layer as a table (layer, type, output shape, parameters, multiply-adds an image): `clave summary`. */
clv_status clv_model_print(const clv_model *model, FILE *file, clv_error *err);

#endif
