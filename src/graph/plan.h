/* The plan: a graph made static. Dead nodes are gone, every tensor has its place in one of a few buffers, and a
 * step is a flat list of calls, in the order of their levels. Backends know plans, never graphs. */
#ifndef CLAVE_GRAPH_PLAN_H
#define CLAVE_GRAPH_PLAN_H

#include "clave/graph.h"

/* How activations and their gradients are stored (storage.c), with the words of the key device.storage. What is computed is
 * float in either case, and so are parameters, their gradients and moments, what is one number an image, and what the host
 * reads or writes. */
#define CLV_STORAGE_LIST(X) X(FLOAT, "float") X(HALF, "half")

typedef enum clv_storage {
#define CLV_STORAGE_ROW(name, word) CLV_STORAGE_##name,
    CLV_STORAGE_LIST(CLV_STORAGE_ROW)
#undef CLV_STORAGE_ROW
} clv_storage;

/* Where a tensor lies. Each space is one buffer; offsets count elements. */
typedef enum clv_space {
    CLV_SPACE_NONE,
    CLV_SPACE_PARAM,    /* all parameters, the trained ones first; shared by the plans of a model */
    CLV_SPACE_GRAD,     /* the gradients of the trained parameters, at the same offsets */
    CLV_SPACE_MOMENT1,  /* Adam's m (SGD's momentum, t-SNE's last move), same offsets */
    CLV_SPACE_MOMENT2,  /* Adam's v (t-SNE's gains), same offsets */
    CLV_SPACE_RATE,     /* rated optimisers: factors on the learning rate, same offsets */
    CLV_SPACE_ARENA,    /* everything batched, placed by liveness; inputs and outputs too */
    CLV_SPACE_HALF,     /* another arena, of what is stored in half precision: IEEE halves on a device */
    CLV_SPACE_BATCH,    /* in blocks: what outlives them, as losses do, and what is not batched; an arena that no block shares */
    CLV_SPACE_TRACE,    /* float [row][slots]: what RECORD wrote, a row a step */
    CLV_SPACE_COUNT
} clv_space;

typedef struct clv_operand {
    clv_space space;
    size_t offset; /* elements */
    clv_shape shape;
} clv_operand;

/* One call: one operation on placed tensors. */
typedef struct clv_call {
    clv_op op;
    clv_attr attr;
    int inputs;
    clv_operand in[CLV_MAX_INPUTS];
    clv_operand out; /* CLV_SPACE_NONE for record, adam, sgd */
    int lanes;       /* stride of the batch axis: batch rounded up to the backend's lane width */
    int slots;       /* record: columns of the trace */
    size_t trained;  /* adam, sgd: elements of CLV_SPACE_PARAM that are trained */
    int level;       /* calls of a level read nothing that another of it writes, and share no memory: they may run together */
    bool blocked;    /* of a plan in blocks: `lanes` are a block's */
    clv_node node;
    char name[CLV_NAME_SIZE];
} clv_call;

/* The values that change from step to step; they lie in a small device buffer, so that a plan's arguments never
 * change. 16 words of 4 bytes, the layout of cl/clave.clh. */
typedef struct clv_step {
    uint32_t seed[2];  /* Philox key */
    uint32_t step;     /* Philox counter word: the number of the step since the run began */
    uint32_t offset;   /* first of this batch's places in the order of images */
    uint32_t count;    /* images in this batch, 1 .. batch; the lanes beyond are padding */
    uint32_t row;      /* of the trace */
    float lr;          /* learning rate */
    float correction1; /* Adam: 1 / (1 - beta1^t), t from 1 */
    float correction2; /* Adam: 1 / (1 - beta2^t) */
    float exaggeration; /* t-SNE: multiplies the attraction */
    float momentum;     /* t-SNE: share of the last move that is kept */
    float ramp;         /* ramp: 0 .. 1 */
    float noise;        /* noise: its standard deviation */
    uint32_t image;     /* plans in blocks, set by the backend: the block's first image, */
    uint32_t stride;    /* elements of CLV_SPACE_BATCH from block to block */
    uint32_t unused;
} clv_step;

typedef struct clv_plan {
    int batch;       /* images a step, at most */
    int lanes;       /* batch rounded up to a multiple of the lane width; in blocks: those of a block */
    int blocks;      /* 0: the batch is whole. Else it is so many runs of images, each of which goes through the step by
                        itself up to the losses and gradients */
    int at_once;     /* blocks that may be on their way together, each in an arena of its own, one behind the other; those
                        that come after them take the same memory */
    size_t stride[CLV_SPACE_COUNT]; /* in blocks: elements from a block's arena to the next; offsets are within one */
    int calls;
    clv_call *call;
    size_t elements[CLV_SPACE_COUNT]; /* length of each space's buffer that this plan needs */
    int nodes;
    clv_operand *place; /* [nodes]: where each kept node lies; CLV_SPACE_NONE where it was dropped or is temporary
                           and no output */
    int slots;          /* columns of the trace */
    uint64_t multiply_adds; /* real ones of one image, all calls */
    unsigned apart;         /* CLV_FUSE_SUMS, _LAUNCHES, _CHAINS: what a backend is not to fuse */
    float loss_scale;       /* a power of two: gradients, those in CLV_SPACE_GRAD too, are so many times the loss's (storage.c) */
} clv_plan;

typedef struct clv_plan_options {
    int batch;
    int lane_width;   /* of the backend */
    size_t alignment; /* elements: every offset is a multiple of it */
    int block;        /* lanes of a block, where the graph allows blocks (plan.c); 0: it is not to have any */
    int at_once;      /* clv_plan.at_once; 0: all of them */
    bool reuse;       /* false: no two batched tensors share memory; for tests */
    int trace_rows;   /* length of the trace */
    unsigned apart;   /* clv_plan.apart */
    clv_storage storage;
} clv_plan_options;

/* Of each product of a plan in blocks, at most: multiply-adds of an image (beyond, it keeps all cores busy for long, and
 * weights should be read as seldom as can be), and weights (each block has a gradient of its own). */
#define CLV_BLOCK_MULTIPLY_ADDS 1048576
#define CLV_BLOCK_WEIGHTS       131072

/* Optimisers that keep a second number for each parameter. */
static inline bool clv_op_has_moment2(clv_op op) { return op == CLV_OP_ADAM || op == CLV_OP_TSNE_STEP; }

/* The layout of the parameters, by name, shared by every plan of a model: trained ones first, then frozen ones. */
typedef struct clv_param_layout {
    int params;
    struct clv_param_place {
        char name[CLV_NAME_SIZE];
        clv_shape shape;
        size_t offset; /* elements */
        bool trained;
    } *param;
    size_t elements; /* of CLV_SPACE_PARAM */
    size_t trained;  /* of them, a prefix */
} clv_param_layout;

/* Places `params` parameters of a graph; trained[i] says which the optimiser moves. Destroy with clv_param_layout_destroy. */
clv_status clv_param_layout_create(const clv_graph *graph, const clv_node *param, const bool *trained, int params, size_t alignment,
                                   clv_param_layout *layout, clv_error *err);
void clv_param_layout_destroy(clv_param_layout *layout);

/* gradient[i] is the node whose result goes to the place of layout->param[i] in CLV_SPACE_GRAD (CLV_NODE_NONE: none);
 * gradient may be NULL for a plan that does not train. Parameters are found in the layout by name and shape. */
clv_status clv_plan_create(const clv_graph *graph, const clv_param_layout *layout, const clv_node *gradient, const clv_plan_options *options,
                           clv_plan **plan, clv_error *err);
void clv_plan_destroy(clv_plan *plan);

/* Whether the call writes that input: a second result. */
static inline bool clv_call_writes(const clv_call *call, int input)
{
    return input == call->inputs - 1 && clv_op_writes_input(call->op, &call->attr);
}

/* Whether an operation's batched tensors may lie in CLV_SPACE_HALF, but for those of one number an image. */
bool clv_op_takes_half(clv_op op);

/* Real multiply-adds of one image; 0 for all but products. */
uint64_t clv_call_multiply_adds(const clv_call *call);

/* What offsets in a space are multiples of, where those of floats are multiples of `alignment`. */
static inline size_t clv_space_alignment(clv_space space, size_t alignment)
{
    return space == CLV_SPACE_HALF ? 2 * alignment : alignment;
}

/* Elements that an operand takes: a batched one with its lanes. */
size_t clv_operand_elements(const clv_operand *operand, int lanes);

#endif
