/* Building: rows of layers as nodes of a graph, one after another, each taking what the row before it made. */
#ifndef CLAVE_MODEL_BUILD_H
#define CLAVE_MODEL_BUILD_H

#include "model/model.h"

/* What initialisation must know of a parameter. Fans as PyTorch counts them: of a weight [a][b][k][k] (or [a][b])
 * fan_in is b k k and fan_out a k k, for transposed convolutions too; a bias has those of its weight. */
typedef struct clv_param_rule {
    const char *init; /* the row's argument: "pytorch", "glorot", "he" */
    double fan_in, fan_out;
    bool bias;
} clv_param_rule;

struct clv_model {
    const clv_config *config;
    clv_image_shape image;
    const clv_layer *encoder, *decoder, *classifier;
    int encoder_rows, decoder_rows, classifier_rows;
    clv_task task;
    int classes;    /* classify */
    bool logits;    /* the loss takes logits, the decoder ends without sigmoid */
    clv_shape code; /* what the decoder takes; the code itself is [latent][1][1][n] */
    clv_param_layout layout;
    clv_param_rule *rule; /* [layout.params] */
};

typedef struct clv_builder {
    const clv_model *model;
    clv_graph *graph;
    bool train;             /* dropout rows drop */
    bool sample;            /* a gaussian row hands on a sample, else mu */
    uint32_t stream;        /* of the next random node */
    const clv_layer *layer; /* the row being built */
    clv_node x;             /* its input, then its result */
    clv_node mu, logvar;    /* of a gaussian row, or none */
    clv_node *param;        /* in the order of the rows */
    clv_param_rule *rule;   /* [params] */
    int params;
    size_t param_capacity, rule_capacity;
} clv_builder;

/* A builder on a new graph, without an input as yet. Release with clv_builder_finish. */
clv_status clv_builder_start(clv_builder *b, const clv_model *model, clv_mode mode, clv_error *err);
void clv_builder_finish(clv_builder *b); /* the graph too, unless it was taken (graph set to NULL) */

/* Sets x to the images of a data set, or to a code that the host writes. */
clv_status clv_build_images(clv_builder *b, int dataset, clv_error *err);
clv_status clv_build_code_input(clv_builder *b, clv_error *err);

/* Appends one row; a misfit names the row's place, the layer and the shapes. */
clv_status clv_build_row(clv_builder *b, const clv_layer *layer, clv_error *err);
clv_status clv_build_encoder(clv_builder *b, clv_error *err);
clv_status clv_build_decoder(clv_builder *b,
                             clv_error *err); /* the result has the images' shape, or that is an error */
clv_status clv_build_classifier(clv_builder *b, clv_error *err); /* the result is [class][1][1], or that is an error */
clv_status clv_build_labels(clv_builder *b, int dataset, clv_node *labels, clv_error *err);
/* Adds noise to x; nothing where the task is another. */
clv_status clv_build_noise(clv_builder *b, clv_error *err);

/* A node on tensors of the graph, named `name`. */
clv_status clv_build_node(clv_builder *b, clv_op op, const char *name, const clv_node *input, int inputs,
                          const clv_attr *attr, clv_node *node, clv_error *err);
/* x under another shape of as many elements; no node where it has that shape already. */
clv_status clv_build_reshape(clv_builder *b, const char *name, int c, int y, int x, clv_error *err);

clv_model_graph clv_model_graph_empty(clv_mode mode); /* all nodes are CLV_NODE_NONE */

bool clv_build_knows(const char *type); /* whether rows of that type can be built */

#endif
