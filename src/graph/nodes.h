/* The graph's own struct, shared by the files of src/graph alone. Entries are allocated one by one, so that the
 * pointers clv_graph_node gives stay valid while the graph grows. */
#ifndef CLAVE_GRAPH_NODES_H
#define CLAVE_GRAPH_NODES_H

#include "clave/graph.h"

typedef struct clv_entry {
    clv_node_info info;
    bool fused_away; /* another node computes it too; nothing reads it any more */
} clv_entry;

struct clv_graph {
    clv_entry **entry;
    int nodes;
    size_t capacity;
};

static inline clv_node_info *clv_info(const clv_graph *graph, clv_node node) { return &graph->entry[node]->info; }

/* Drops all nodes from `nodes` on: what a failed function appended. */
void clv_graph_truncate(clv_graph *graph, int nodes);

/* What the shape rules see of a node to be made. */
typedef struct clv_shape_query {
    clv_op op;
    const char *name;
    const clv_attr *attr;
    int inputs;
    const clv_shape *in[CLV_MAX_INPUTS];
    const clv_shape *given; /* the caller's shape, or NULL */
} clv_shape_query;

/* Infers the result's shape and checks inputs and attributes; the number of inputs was checked before. */
clv_status clv_infer_shape(const clv_shape_query *query, clv_shape *result, clv_error *err);

/* Real multiply-adds of one image through a product of two inputs; 0 for all other operations. */
uint64_t clv_multiply_adds(clv_op op, const clv_attr *attr, const clv_shape *first, const clv_shape *second,
                           const clv_shape *result);

/* Ops run for what they do: the trace or the parameters change; they make no tensor. */
static inline bool clv_op_has_effect(clv_op op)
{
    return op == CLV_OP_RECORD || clv_op_table[op].family == CLV_FAMILY_OPTIM;
}

#endif
