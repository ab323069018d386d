/* The list of nodes: the op table, appending, looking up. Shapes are checked by shape.c as nodes are appended. */
#include "clave/graph.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/try.h"
#include "graph/nodes.h"

const clv_op_info clv_op_table[CLV_OP_COUNT] = {
#define X(NAME, name, inputs, family, formula) [CLV_OP_##NAME] = {name, inputs, CLV_FAMILY_##family, formula},
#include "clave/op.def"
#undef X
};

const char *const clv_act_names[CLV_ACT_COUNT] = {
    [CLV_ACT_NONE] = "none",       [CLV_ACT_RELU] = "relu", [CLV_ACT_LEAKY_RELU] = "leaky_relu",
    [CLV_ACT_SIGMOID] = "sigmoid", [CLV_ACT_TANH] = "tanh",
};

clv_graph *clv_graph_create(void) { return clv_alloc(1, sizeof(clv_graph), NULL); }

void clv_graph_truncate(clv_graph *graph, int nodes)
{
    while (graph->nodes > nodes) free(graph->entry[--graph->nodes]);
}

void clv_graph_destroy(clv_graph *graph)
{
    if (!graph) return;
    clv_graph_truncate(graph, 0);
    free(graph->entry);
    free(graph);
}

int clv_graph_size(const clv_graph *graph) { return graph->nodes; }

const clv_node_info *clv_graph_node(const clv_graph *graph, clv_node node)
{
    return node >= 0 && node < graph->nodes ? clv_info(graph, node) : NULL;
}

clv_node clv_graph_find_param(const clv_graph *graph, const char *name)
{
    for (clv_node i = 0; i < graph->nodes; i++) {
        const clv_node_info *info = clv_info(graph, i);
        if (info->op == CLV_OP_PARAM && strcmp(info->name, name) == 0) return i;
    }
    return CLV_NODE_NONE;
}

int clv_op_inputs(clv_op op, const clv_attr *attr)
{
    const bool fusible = op == CLV_OP_CONV || op == CLV_OP_DECONV;
    const int fused =
        fusible ? (attr->has_bias ? 1 : 0) + (attr->has_addend ? 1 : 0) + (attr->grad_act != CLV_ACT_NONE ? 1 : 0) : 0;
    const int head = fusible && attr->head ? 2 : 0; /* target, loss of each image */
    const bool one_more = (op == CLV_OP_CONV_WEIGHT && attr->sum_of) ||
                          (op == CLV_OP_SAMPLE_GRAD && attr->has_addend) || (op == CLV_OP_GATHER && attr->noisy);
    return clv_op_table[op].inputs + fused + head + (one_more ? 1 : 0);
}

bool clv_op_writes_input(clv_op op, const clv_attr *attr)
{
    return clv_op_head(op, attr) || (op == CLV_OP_CONV_WEIGHT && attr->sum_of) || (op == CLV_OP_GATHER && attr->noisy);
}

clv_op clv_op_head(clv_op op, const clv_attr *attr)
{
    if (op == CLV_OP_MSE_HEAD || op == CLV_OP_BCE_HEAD) return op;
    return op == CLV_OP_CONV || op == CLV_OP_DECONV ? attr->head : CLV_OP_PARAM;
}

static clv_status check_name(const clv_graph *graph, clv_op op, const char *name, clv_error *err)
{
    const char *op_name = clv_op_table[op].name;
    if (strlen(name) >= CLV_NAME_SIZE)
        return clv_fail(err, CLV_ERR_CONFIG, "%s '%s': the name is longer than %d characters: shorten it", op_name,
                        name, CLV_NAME_SIZE - 1);
    if (op == CLV_OP_PARAM && clv_graph_find_param(graph, name) != CLV_NODE_NONE)
        return clv_fail(err, CLV_ERR_CONFIG, "%s '%s': there is a parameter of that name already: rename one", op_name,
                        name);
    return CLV_OK;
}

/* The number of inputs is right, and each is a node that makes a tensor; query->in is filled. */
static clv_status check_inputs(const clv_graph *graph, clv_shape_query *query, const clv_node *input, clv_error *err)
{
    const char *op_name = clv_op_table[query->op].name;
    const int expected = clv_op_inputs(query->op, query->attr);
    if (query->inputs != expected)
        return clv_fail(err, CLV_ERR_CONFIG, "%s '%s': takes %d inputs, not %d", op_name, query->name, expected,
                        query->inputs);
    for (int i = 0; i < query->inputs; i++) {
        const clv_node_info *from = clv_graph_node(graph, input[i]);
        if (!from)
            return clv_fail(err, CLV_ERR_CONFIG, "%s '%s': input %d is node %d, but the graph has nodes 0 to %d",
                            op_name, query->name, i, (int)input[i], graph->nodes - 1);
        if (clv_op_has_effect(from->op))
            return clv_fail(err, CLV_ERR_CONFIG, "%s '%s': input %d, %s '%s', makes no tensor", op_name, query->name, i,
                            clv_op_table[from->op].name, from->name);
        if (graph->entry[input[i]]->fused_away)
            return clv_fail(err, CLV_ERR_CONFIG,
                            "%s '%s': input %d, %s '%s', is fused away: add nodes before clv_graph_fuse", op_name,
                            query->name, i, clv_op_table[from->op].name, from->name);
        query->in[i] = &from->shape;
    }
    return CLV_OK;
}

static clv_status append(clv_graph *graph, const clv_node_info *info, clv_node *node, clv_error *err)
{
    const size_t needed = (size_t)graph->nodes + 1;
    clv_status status = clv_grow(&graph->entry, &graph->capacity, needed, sizeof *graph->entry, err);
    if (status != CLV_OK) return status;
    clv_entry *entry = clv_alloc(1, sizeof *entry, err);
    if (!entry) return CLV_ERR_INTERNAL;
    entry->info = *info;
    graph->entry[graph->nodes] = entry;
    *node = graph->nodes++;
    return CLV_OK;
}

clv_status clv_graph_add(clv_graph *graph, clv_op op, const char *name, const clv_node *input, int inputs,
                         const clv_attr *attr, const clv_shape *shape, clv_node *node, clv_error *err)
{
    clv_status status = CLV_OK;
    const clv_attr no_attr = {0};
    CLV_REQUIRE((unsigned)op < CLV_OP_COUNT, CLV_ERR_CONFIG, "there is no op of number %d", (int)op);
    if (!name) name = clv_op_table[op].name;
    CLV_TRY(check_name(graph, op, name, err));

    clv_shape_query query = {.op = op, .name = name, .attr = attr ? attr : &no_attr, .inputs = inputs, .given = shape};
    CLV_TRY(check_inputs(graph, &query, input, err));
    clv_node_info info = {.op = op, .inputs = inputs, .attr = *query.attr, .output = clv_op_has_effect(op)};
    CLV_TRY(clv_infer_shape(&query, &info.shape, err));

    for (int i = 0; i < CLV_MAX_INPUTS; i++) info.input[i] = i < inputs ? input[i] : CLV_NODE_NONE;
    memcpy(info.name, name, strlen(name));
    CLV_TRY(append(graph, &info, node, err));
done:
    return status;
}

clv_status clv_graph_param(clv_graph *graph, const char *name, int rank, const int *dim, clv_node *node, clv_error *err)
{
    clv_shape shape = {.rank = rank, .dim = {1, 1, 1, 1}};
    for (int i = 0; i < rank && i < CLV_MAX_RANK; i++) shape.dim[i] = dim[i];
    return clv_graph_add(graph, CLV_OP_PARAM, name, NULL, 0, NULL, &shape, node, err);
}

clv_status clv_graph_linear(clv_graph *graph, const char *name, clv_node x, clv_node weight, clv_node *node,
                            clv_error *err)
{
    const clv_attr attr = {.kernel = 1, .stride = 1};
    if (!name) name = "linear";
    const clv_node_info *in = clv_graph_node(graph, x);
    if (in && in->shape.batched && (in->shape.dim[1] != 1 || in->shape.dim[2] != 1)) {
        char text[CLV_NAME_SIZE];
        return clv_fail(err, CLV_ERR_CONFIG, "linear '%s': input %s is not flat: reshape it to [%d][1][1][n] first",
                        name, clv_shape_print(&in->shape, text), (int)clv_shape_elements(&in->shape));
    }
    return clv_graph_add(graph, CLV_OP_CONV, name, (const clv_node[]){x, weight}, 2, &attr, NULL, node, err);
}

void clv_graph_mark_output(clv_graph *graph, clv_node node) { clv_info(graph, node)->output = true; }
