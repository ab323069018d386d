/* Fusion: a bias and an activation become the epilogue of the product before them, and so does the multiplication by an
 * activation's gradient. Nodes are rewritten in place, so that indices keep their meaning: the last node of a chain
 * takes over the product, the ones before it are marked as fused away.
 *
 * So does the mask of a dropout that stands behind a relu: see fuse_dropout_grad.
 *
 * Done after gradients were appended. A value that anything else reads, or that is an output, is never fused away. */
#include <string.h>

#include "graph/nodes.h"

static bool is_product(const clv_node_info *info) { return info->op == CLV_OP_CONV || info->op == CLV_OP_DECONV; }

/* Reads of a node's value, an output's by the host among them. Graphs have a few hundred nodes: counted afresh. */
static int uses(const clv_graph *graph, clv_node node)
{
    int count = clv_info(graph, node)->output ? 1 : 0;
    for (clv_node i = node + 1; i < graph->nodes; i++) {
        const clv_node_info *info = clv_info(graph, i);
        if (graph->entry[i]->fused_away) continue;
        for (int k = 0; k < info->inputs; k++) count += info->input[k] == node;
    }
    return count;
}

static void set_inputs(clv_node_info *info, int inputs, const clv_node *input)
{
    for (int i = 0; i < CLV_MAX_INPUTS; i++) info->input[i] = i < inputs ? input[i] : CLV_NODE_NONE;
    info->inputs = inputs;
}

/* Node `at` takes over the product `from` with one more input; the caller sets the attribute that says what it is. */
static clv_attr *take_over(clv_graph *graph, clv_node at, clv_node from, clv_node extra)
{
    clv_node_info *to = clv_info(graph, at), *product = clv_info(graph, from);
    to->op = product->op;
    to->attr = product->attr;
    memcpy(to->name, product->name, sizeof to->name);
    set_inputs(to, product->inputs, product->input);
    if (extra != CLV_NODE_NONE) to->input[to->inputs++] = extra;
    graph->entry[from]->fused_away = true;
    return &to->attr;
}

/* product -> bias */
static void fuse_bias(clv_graph *graph, clv_node at)
{
    const clv_node_info *bias = clv_info(graph, at);
    const clv_node from = bias->input[0];
    const clv_node_info *product = clv_info(graph, from);
    const clv_attr *a = &product->attr;
    const bool plain = !a->has_bias && a->act == CLV_ACT_NONE && a->grad_act == CLV_ACT_NONE;
    if (!is_product(product) || !plain || uses(graph, from) != 1) return;
    take_over(graph, at, from, bias->input[1])->has_bias = true;
}

/* product, with its bias or without -> act. The gradient of act needs its output alone, so that nothing else reads the
 * product. */
static void fuse_act(clv_graph *graph, clv_node at)
{
    const clv_attr act = clv_info(graph, at)->attr;
    const clv_node from = clv_info(graph, at)->input[0];
    const clv_node_info *product = clv_info(graph, from);
    const bool plain = product->attr.act == CLV_ACT_NONE && product->attr.grad_act == CLV_ACT_NONE;
    if (!is_product(product) || !plain || uses(graph, from) != 1) return;
    clv_attr *fused = take_over(graph, at, from, CLV_NODE_NONE);
    fused->act = act.act;
    fused->slope = act.slope;
}

/* The node whose elements a chain of reshapes shows. */
static clv_node seen_through(const clv_graph *graph, clv_node node)
{
    while (clv_info(graph, node)->op == CLV_OP_RESHAPE) node = clv_info(graph, node)->input[0];
    return node;
}

/* product -> reshape -> act_grad, and u: the reshape moves behind, the product meets u in its own shape. The three
 * places hold, in their order: u reshaped, the product with act', its reshape. */
static void fuse_act_grad_behind_reshape(clv_graph *graph, clv_node product, clv_node view, clv_node at)
{
    clv_node_info *first = clv_info(graph, product), *second = clv_info(graph, view), *last = clv_info(graph, at);
    const clv_attr act = last->attr;
    const clv_node u = seen_through(graph, last->input[1]);

    clv_attr *fused = take_over(graph, view, product, product);
    fused->grad_act = act.act;
    fused->slope = act.slope;
    fused->rate = act.rate;
    second->shape = first->shape;

    graph->entry[product]->fused_away = false;
    first->op = CLV_OP_RESHAPE;
    first->attr = (clv_attr){0};
    memcpy(first->name, clv_info(graph, u)->name, sizeof first->name);
    set_inputs(first, 1, &u);

    last->op = CLV_OP_RESHAPE;
    last->attr = (clv_attr){0};
    set_inputs(last, 1, &view);
}

/* The dropout that made the mask of `mask`, a dropout's gradient: the one of the same stream, of what `u` shows. */
static clv_node dropout_of(const clv_graph *graph, clv_node mask, clv_node u)
{
    const clv_node_info *gradient = clv_info(graph, mask);
    for (clv_node i = u + 1; i < mask; i++) {
        const clv_node_info *info = clv_info(graph, i);
        if (info->op == CLV_OP_DROPOUT && !graph->entry[i]->fused_away && info->attr.stream == gradient->attr.stream &&
            info->attr.rate == gradient->attr.rate && clv_shape_equal(&info->shape, &gradient->shape) &&
            seen_through(graph, info->input[0]) == u)
            return i;
    }
    return CLV_NODE_NONE;
}

/* relu -> dropout, back: dropout -> act_grad, with a reshape between or without. The dropout's output is above 0 where
 * it kept what relu let through: its sign holds both masks, and no random number is drawn again. Returns the node that
 * is the act_grad now. */
static clv_node fuse_dropout_grad(clv_graph *graph, clv_node at)
{
    clv_node_info *act_grad = clv_info(graph, at);
    const clv_node d = act_grad->input[0];
    const bool behind_reshape = clv_info(graph, d)->op == CLV_OP_RESHAPE;
    const clv_node mask = behind_reshape ? clv_info(graph, d)->input[0] : d;
    if (act_grad->attr.act != CLV_ACT_RELU || clv_info(graph, mask)->op != CLV_OP_DROPOUT) return at;
    if (uses(graph, mask) != 1 || uses(graph, d) != 1) return at;
    const clv_node dropped = dropout_of(graph, mask, seen_through(graph, act_grad->input[1]));
    if (dropped == CLV_NODE_NONE) return at;

    const clv_node to = behind_reshape ? d : at, input[] = {clv_info(graph, mask)->input[0], dropped};
    clv_node_info *fused = clv_info(graph, to);
    fused->op = CLV_OP_ACT_GRAD;
    fused->attr = act_grad->attr;
    fused->attr.rate = clv_info(graph, mask)->attr.rate;
    fused->shape = clv_info(graph, mask)->shape;
    set_inputs(fused, 2, input);
    graph->entry[mask]->fused_away = true;
    if (behind_reshape) {
        act_grad->op = CLV_OP_RESHAPE;
        act_grad->attr = (clv_attr){0};
        set_inputs(act_grad, 1, &d);
    }
    return to;
}

/* product -> act_grad with u, the output of the activation */
static void fuse_act_grad(clv_graph *graph, clv_node at)
{
    at = fuse_dropout_grad(graph, at);
    const clv_attr act = clv_info(graph, at)->attr;
    const clv_node d = clv_info(graph, at)->input[0], u = clv_info(graph, at)->input[1];
    const bool behind_reshape = clv_info(graph, d)->op == CLV_OP_RESHAPE;
    const clv_node from = behind_reshape ? clv_info(graph, d)->input[0] : d;
    const clv_node_info *product = clv_info(graph, from);
    if (!is_product(product) || product->inputs != 2 || product->attr.act != CLV_ACT_NONE) return;
    if (uses(graph, from) != 1 || uses(graph, d) != 1) return;

    if (!behind_reshape) {
        clv_attr *fused = take_over(graph, at, from, u);
        fused->grad_act = act.act;
        fused->slope = act.slope;
        fused->rate = act.rate;
    } else if (seen_through(graph, u) < from) {
        fuse_act_grad_behind_reshape(graph, from, d, at);
    }
}

/* reshape -> reshape: the later one looks at the elements themselves. */
static void fuse_reshape(clv_graph *graph, clv_node at)
{
    const clv_node from = clv_info(graph, at)->input[0];
    if (clv_info(graph, from)->op != CLV_OP_RESHAPE) return;
    if (uses(graph, from) == 1) graph->entry[from]->fused_away = true;
    clv_info(graph, at)->input[0] = seen_through(graph, from);
}

/* mean_grad -> scale: a constant times a constant, a loss's weight. */
static void fuse_scale(clv_graph *graph, clv_node at)
{
    clv_node_info *scale = clv_info(graph, at);
    const clv_node from = scale->input[0];
    const clv_node_info *mean_grad = clv_info(graph, from);
    if (mean_grad->op != CLV_OP_MEAN_GRAD) return;
    if (uses(graph, from) == 1) graph->entry[from]->fused_away = true;
    scale->op = CLV_OP_MEAN_GRAD;
    scale->attr.alpha *= mean_grad->attr.alpha;
    scale->input[0] = CLV_NODE_NONE;
    scale->inputs = 0;
}

static void (*const rules[CLV_OP_COUNT])(clv_graph *graph, clv_node at) = {
    [CLV_OP_BIAS] = fuse_bias,       [CLV_OP_ACT] = fuse_act,     [CLV_OP_ACT_GRAD] = fuse_act_grad,
    [CLV_OP_RESHAPE] = fuse_reshape, [CLV_OP_SCALE] = fuse_scale,
};

clv_status clv_graph_fuse(clv_graph *graph, clv_error *err)
{
    (void)err; /* in place: nothing to allocate, nothing to fail */
    for (clv_node at = 0; at < graph->nodes; at++) {
        const clv_op op = clv_info(graph, at)->op;
        if (!graph->entry[at]->fused_away && rules[op]) rules[op](graph, at);
    }
    return CLV_OK;
}
