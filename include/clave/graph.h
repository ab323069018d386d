/* The graph: tensors and the operations that make them, in topological order.
 *
 * A graph is a plain list of nodes; a node is one operation of op.def and the one tensor it makes. Building
 * a node infers and checks its shape at once. clv_graph_gradients appends the backward pass as ordinary nodes,
 * so fusion, planning and printing see forward, backward and optimiser alike.
 *
 * Two kinds of tensor: batched ones, [c][y][x][n] with the batch n innermost, and parameters, in PyTorch's
 * layouts: convolution [oc][ic][ky][kx], transposed convolution [in][out][ky][kx], linear [out][in], bias [out].
 * Nodes are named by their index, a clv_node; a graph owns everything in it and is not thread-safe. */
#ifndef CLAVE_GRAPH_H
#define CLAVE_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "clave/error.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum clv_op {
#define X(NAME, name, inputs, family, formula) CLV_OP_##NAME,
#include "clave/op.def"
#undef X
    CLV_OP_COUNT
} clv_op;

typedef enum clv_family {
    CLV_FAMILY_SOURCE,
    CLV_FAMILY_DATA,
    CLV_FAMILY_PRODUCT,
    CLV_FAMILY_POINTWISE,
    CLV_FAMILY_REDUCE,
    CLV_FAMILY_RANDOM,
    CLV_FAMILY_LOSS,
    CLV_FAMILY_PAIRS,
    CLV_FAMILY_OPTIM,
    CLV_FAMILY_VIEW
} clv_family;

typedef struct clv_op_info {
    const char *name;    /* "conv" */
    int inputs;          /* required ones */
    clv_family family;
    const char *formula;
} clv_op_info;

extern const clv_op_info clv_op_table[CLV_OP_COUNT];

typedef enum clv_act { CLV_ACT_NONE, CLV_ACT_RELU, CLV_ACT_LEAKY_RELU, CLV_ACT_SIGMOID, CLV_ACT_TANH, CLV_ACT_COUNT } clv_act;

extern const char *const clv_act_names[CLV_ACT_COUNT]; /* "none", "relu", "leaky_relu", "sigmoid", "tanh" */

#define CLV_MAX_RANK 4
#define CLV_MAX_INPUTS 5
#define CLV_NAME_SIZE 64

/* Batched: rank 3, dim = {c, y, x}, the batch not counted. A parameter: rank 1 to 4. Unused dims are 1. */
typedef struct clv_shape {
    int rank;
    int dim[CLV_MAX_RANK];
    bool batched;
} clv_shape;

/* What an operation needs beside its inputs; fields that its row does not name are 0. */
typedef struct clv_attr {
    int kernel, stride, pad; /* conv, deconv, conv_weight: square kernels, the same stride and pad on both axes */
    int out_pad;             /* deconv: rows and columns added at the bottom and right, 0 <= out_pad < stride */
    clv_act act;             /* act, act_grad, mse_head; products: the activation fused behind the bias (and through which a
                                fused head goes back) */
    float slope;             /* leaky_relu: for x < 0; 0.01 where the model does not say */
    bool has_bias;           /* products, fused: the input after the required ones is a bias [channels of the result] */
    bool has_addend;         /* conv, deconv, sample_grad, fused: the next input has the result's shape and is added before act */
    clv_act grad_act;        /* products, fused: the last input u has the result's shape, u = act(.); the result is
                                multiplied by act'(u). CLV_ACT_NONE: no such input */
    float mask_rate;         /* act_grad and grad_act of relu, fused: the rate of a dropout behind the activation, whose output
                                u is then; the result is u > 0 ? . / (1 - mask_rate) : 0. 0: there is none */
    float rate;              /* dropout: probability of 0, in [0, 1). Products, fused: of a dropout behind all of the above, where
                                the result has one pixel a channel; 0: there is none */
    int sum_of;              /* conv_weight, fused: input sum_of - 1 is summed over y, x, n as well, a bias gradient, into
                                the last input, a RESULT [channels]. 0: no such input */
    clv_op head;             /* conv, deconv, fused: MSE_HEAD or BCE_HEAD of what would be the result, y, which is not kept: the
                                result is the loss's gradient through act, the last inputs are the target t and the
                                RESULT v. PARAM, 0: no such inputs */
    float alpha;             /* scale, mean_grad, mse_head, bce_head, products with a head; affinity: the perplexity */
    uint32_t stream;         /* dropout (a product's too), noise (a gather's too), sample, sample_grad: Philox stream, the same
                                in an op and its gradient */
    int dataset;             /* gather, label: 0 train (and validation), 1 test */
    bool noisy;              /* gather, fused: the result has noise of `stream` added; the images as they are go to the only
                                input, a RESULT of its shape */
    int slot;                /* record: column of the trace */
    float beta1, beta2, eps, l2, weight_decay, momentum; /* adam, sgd; the learning rate is in clv_step */
    float unscale;           /* adam, sgd: gradients are multiplied by it first, as the plan's loss is scaled; 0: they are not */
    bool rated;              /* adam, sgd: each parameter has a factor of its own on the learning rate */
} clv_attr;

typedef int32_t clv_node; /* index into a graph; -1 is none */
#define CLV_NODE_NONE (-1)

typedef struct clv_node_info {
    clv_op op;
    int inputs;
    clv_node input[CLV_MAX_INPUTS];
    clv_attr attr;
    clv_shape shape;
    char name[CLV_NAME_SIZE]; /* "conv1", "conv1.weight", "d conv1.weight"; unique among parameters */
    bool output;              /* kept by planning: the host reads it, or it has an effect (record, adam) */
} clv_node_info;

typedef struct clv_graph clv_graph;

clv_graph *clv_graph_create(void); /* NULL where memory ran out */
void clv_graph_destroy(clv_graph *graph); /* NULL is fine */

int clv_graph_size(const clv_graph *graph);
const clv_node_info *clv_graph_node(const clv_graph *graph, clv_node node);
/* The parameter of that name, or CLV_NODE_NONE. */
clv_node clv_graph_find_param(const clv_graph *graph, const char *name);

/* Appends a node. Checks arity, input shapes and attributes; infers the result's shape (given in `shape` for ops that
 * cannot: param, input, gather, broadcast, reshape, conv_weight, and deconv used as a data gradient: there NULL means
 * "infer from out_pad"). Names may repeat except those of parameters. *node is set on success only.
 * CLV_ERR_CONFIG with a message that names the node and both shapes where they do not fit. */
clv_status clv_graph_add(clv_graph *graph, clv_op op, const char *name, const clv_node *input, int inputs, const clv_attr *attr,
                         const clv_shape *shape, clv_node *node, clv_error *err);

/* The same with fewer words; shapes as in the formula of op.def. */
clv_status clv_graph_param(clv_graph *graph, const char *name, int rank, const int *dim, clv_node *node, clv_error *err);
clv_status clv_graph_linear(clv_graph *graph, const char *name, clv_node x, clv_node weight, clv_node *node, clv_error *err);

void clv_graph_mark_output(clv_graph *graph, clv_node node);

/* Appends the gradients of `loss`, a MEAN node, with respect to each of `param`; gradient[i] answers param[i].
 * Nothing is appended for parameters not asked for: a frozen layer costs no gradient.
 * A parameter that the loss does not depend on is CLV_ERR_CONFIG, by name. */
clv_status clv_graph_gradients(clv_graph *graph, clv_node loss, const clv_node *param, int params, clv_node *gradient, clv_error *err);

/* What may be fused, each on its own; the graph's by src/graph/fuse.c, the last three by backends that launch kernels. A set of them
 * is an unsigned of bits CLV_FUSE_. */
#define CLV_FUSION_LIST(X)                                                                         \
    X(EPILOGUE, "epilogue")   /* bias, activation, an activation's gradient in the products' kernels */ \
    X(DROPOUT, "dropout")     /* dropout in the products' kernels, its gradient with that of a relu before it */ \
    X(ADD, "add")             /* gradients that meet are added by the kernel of the later one */   \
    X(LOSS, "loss")           /* a loss and its gradient in one pass, a head */                    \
    X(HEAD, "head")           /* a head by the kernel of what it reads */                          \
    X(BIAS_GRAD, "bias_grad") /* a bias's gradient by the kernel of its weight's */                \
    X(NOISE, "noise")         /* noise by the kernel that gathers the batch */                     \
    X(SUMS, "sums")           /* parts of split weight gradients added by the optimiser */         \
    X(LAUNCHES, "launches")   /* launches that wait for nothing of each other are one */           \
    X(CHAINS, "chains")       /* launches that follow each other image by image are one, in small networks by blocks of the batch */

enum {
#define ROW(NAME, word) CLV_FUSION_##NAME,
    CLV_FUSION_LIST(ROW)
#undef ROW
        CLV_FUSIONS,
#define ROW(NAME, word) CLV_FUSE_##NAME = 1 << CLV_FUSION_##NAME,
    CLV_FUSION_LIST(ROW)
#undef ROW
};

/* Rewrites the graph in place; results that outputs and parameters have are the same up to rounding. Idempotent. `apart`: what is not
 * to be fused. */
clv_status clv_graph_fuse(clv_graph *graph, unsigned apart, clv_error *err);

/* Inputs that a node of this op and these attributes has: the required ones and those of its fused form. */
int clv_op_inputs(clv_op op, const clv_attr *attr);
/* Whether its last input is a RESULT, which it writes. */
bool clv_op_writes_input(clv_op op, const clv_attr *attr);
/* The head that it computes, CLV_OP_MSE_HEAD or CLV_OP_BCE_HEAD, by itself or behind a product; CLV_OP_PARAM: none. */
clv_op clv_op_head(clv_op op, const clv_attr *attr);

/* Real multiply-adds of one image through a node, taps on the zero border not counted; 0 for all but products. */
uint64_t clv_node_multiply_adds(const clv_graph *graph, clv_node node);

int64_t clv_shape_elements(const clv_shape *shape); /* without the batch */
bool clv_shape_equal(const clv_shape *a, const clv_shape *b);
/* "[64][7][7][n]" or "[128][64][4][4]"; buffer holds at least CLV_NAME_SIZE bytes; returns buffer. */
const char *clv_shape_print(const clv_shape *shape, char *buffer);

/* One line a node: index, name, op, inputs, shape, attributes. */
void clv_graph_print(const clv_graph *graph, FILE *file);

#ifdef __cplusplus
}
#endif
#endif
