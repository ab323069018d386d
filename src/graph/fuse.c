/* Fusion: a bias and an activation become the epilogue of the product before them, and so does the multiplication by an
 * activation's gradient. Nodes are rewritten in place, so that indices keep their meaning: the last node of a chain
 * takes over the product, the ones before it are marked as fused away.
 *
 * So does the mask of a dropout that stands behind a relu: see fuse_dropout_grad. Only then does nothing but the
 * dropout read the relu, so that forward dropouts end in their products' kernels by a second pass: see fuse_dropout.
 *
 * A loss and its gradient are one pass, a head, a bias's gradient is summed by the launch of its weight's: the fused
 * node has two results then, the second in the memory of the node that computed it before, a RESULT now. A product that
 * only its head reads becomes one node with it, whose result is the gradient. The noise of a batch is added by its
 * gather: the noisy images are its result, the clean ones its second.
 *
 * Done after gradients were appended. A value that anything else reads, or that is an output, is never fused away. */
#include <string.h>

#include "graph/nodes.h"

/* Whose result is a product: behind a head it is a gradient. */
static bool is_product(const clv_node_info *info)
{
    return (info->op == CLV_OP_CONV || info->op == CLV_OP_DECONV) && !info->attr.head;
}

/* Whether an activation, or the gradient of one, may follow what a product computes. */
static bool is_open(const clv_attr *a) { return a->act == CLV_ACT_NONE && a->grad_act == CLV_ACT_NONE && a->rate == 0; }

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
    const bool plain = !a->has_bias && !a->has_addend && is_open(a);
    if (!is_product(product) || !plain || uses(graph, from) != 1) return;
    take_over(graph, at, from, bias->input[1])->has_bias = true;
}

static bool takes_addend(const clv_node_info *info)
{
    const bool plain = info->inputs == 2 && is_open(&info->attr);
    return plain && (is_product(info) || info->op == CLV_OP_SAMPLE_GRAD);
}

/* Two gradients that meet: add of a product, or of a sample's gradient, and another tensor, which their launch adds. */
static void fuse_add(clv_graph *graph, clv_node at)
{
    const clv_node *pair = clv_info(graph, at)->input;
    for (int k = 1; k >= 0; k--) {
        const clv_node from = pair[k], other = pair[1 - k];
        if (from == other || !takes_addend(clv_info(graph, from)) || uses(graph, from) != 1) continue;
        take_over(graph, at, from, other)->has_addend = true;
        return;
    }
}

/* product, with its bias or without -> act. The gradient of act needs its output alone, so that nothing else reads the
 * product. */
static void fuse_act(clv_graph *graph, clv_node at)
{
    const clv_attr act = clv_info(graph, at)->attr;
    const clv_node from = clv_info(graph, at)->input[0];
    const clv_node_info *product = clv_info(graph, from);
    if (!is_product(product) || !is_open(&product->attr) || uses(graph, from) != 1) return;
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
    fused->mask_rate = act.mask_rate;
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
    if (act_grad->attr.act != CLV_ACT_RELU || act_grad->attr.mask_rate > 0 ||
        clv_info(graph, mask)->op != CLV_OP_DROPOUT)
        return at;
    if (uses(graph, mask) != 1 || uses(graph, d) != 1) return at;
    const clv_node dropped = dropout_of(graph, mask, seen_through(graph, act_grad->input[1]));
    if (dropped == CLV_NODE_NONE) return at;

    const clv_node to = behind_reshape ? d : at, input[] = {clv_info(graph, mask)->input[0], dropped};
    clv_node_info *fused = clv_info(graph, to);
    fused->op = CLV_OP_ACT_GRAD;
    fused->attr = act_grad->attr;
    fused->attr.mask_rate = clv_info(graph, mask)->attr.rate;
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

/* product, with its bias and activation or without -> head, which goes back through that activation. What is behind a
 * reshape (of a linear layer) no kernel would compute on its way, and it stays. */
static void fuse_head(clv_graph *graph, clv_node at)
{
    const clv_node_info *head = clv_info(graph, at);
    const clv_op op = head->op;
    const clv_attr a = head->attr;
    const clv_node from = head->input[0], target = head->input[1], loss = head->input[2];
    const clv_node_info *product = clv_info(graph, from);
    const clv_attr *p = &product->attr;
    const bool same_act = a.act == p->act && (a.act != CLV_ACT_LEAKY_RELU || a.slope == p->slope);
    const bool plain = !p->has_addend && p->grad_act == CLV_ACT_NONE && p->rate == 0;
    if (!is_product(product) || !plain || !same_act || uses(graph, from) != 1) return;
    clv_attr *fused = take_over(graph, at, from, target);
    clv_node_info *info = clv_info(graph, at);
    info->input[info->inputs++] = loss;
    fused->head = op;
    fused->alpha = a.alpha;
}

/* mse_head of y = act(.) -> act_grad with the same y */
static bool fuse_head_act_grad(clv_graph *graph, clv_node at)
{
    clv_node_info *act_grad = clv_info(graph, at);
    const clv_node from = act_grad->input[0];
    const clv_node_info *head = clv_info(graph, from);
    const bool plain = head->op == CLV_OP_MSE_HEAD && head->attr.act == CLV_ACT_NONE;
    if (!plain || head->input[0] != act_grad->input[1] || act_grad->attr.mask_rate > 0 || uses(graph, from) != 1)
        return false;
    const clv_attr act = act_grad->attr;
    clv_attr *fused = take_over(graph, at, from, CLV_NODE_NONE);
    fused->act = act.act;
    fused->slope = act.slope;
    return true;
}

/* product -> act_grad with u, the output of the activation */
static void fuse_act_grad(clv_graph *graph, clv_node at, unsigned apart)
{
    if (!(apart & CLV_FUSE_LOSS) && fuse_head_act_grad(graph, at)) return;
    if (!(apart & CLV_FUSE_DROPOUT)) at = fuse_dropout_grad(graph, at);
    if (apart & CLV_FUSE_EPILOGUE) return;
    const clv_attr act = clv_info(graph, at)->attr;
    const clv_node d = clv_info(graph, at)->input[0], u = clv_info(graph, at)->input[1];
    const bool behind_reshape = clv_info(graph, d)->op == CLV_OP_RESHAPE;
    const clv_node from = behind_reshape ? clv_info(graph, d)->input[0] : d;
    const clv_node_info *product = clv_info(graph, from);
    if (!is_product(product) || product->attr.has_bias || !is_open(&product->attr)) return;
    if (uses(graph, from) != 1 || uses(graph, d) != 1) return;

    if (!behind_reshape) {
        clv_attr *fused = take_over(graph, at, from, u);
        fused->grad_act = act.act;
        fused->slope = act.slope;
        fused->mask_rate = act.mask_rate;
    } else if (seen_through(graph, u) < from) {
        fuse_act_grad_behind_reshape(graph, from, d, at);
    }
}

/* product, with all that is fused behind it -> dropout. Four adjacent features share a call of the random numbers'
 * generator, and a product's kernel has adjacent channels at hand: the same features where a channel is one pixel. */
static void fuse_dropout(clv_graph *graph, clv_node at)
{
    const clv_attr dropout = clv_info(graph, at)->attr;
    const clv_node from = clv_info(graph, at)->input[0];
    const clv_node_info *product = clv_info(graph, from);
    const bool one_pixel = product->shape.dim[1] == 1 && product->shape.dim[2] == 1;
    if (!is_product(product) || !one_pixel || product->attr.rate > 0 || dropout.rate == 0 || uses(graph, from) != 1)
        return;
    clv_attr *fused = take_over(graph, at, from, CLV_NODE_NONE);
    fused->rate = dropout.rate;
    fused->stream = dropout.stream;
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

/* Node `node` becomes a tensor that a later node writes. */
static void make_result(clv_graph *graph, clv_node node)
{
    clv_node_info *info = clv_info(graph, node);
    info->op = CLV_OP_RESULT;
    info->attr = (clv_attr){0};
    set_inputs(info, 0, NULL);
}

/* The live node of this op between `first` and `end` that reads just these, or CLV_NODE_NONE. */
static clv_node find_node(const clv_graph *graph, clv_op op, int inputs, const clv_node *input, clv_node first,
                          clv_node end)
{
    for (clv_node i = first; i < end; i++) {
        const clv_node_info *info = clv_info(graph, i);
        bool same = info->op == op && !graph->entry[i]->fused_away;
        for (int k = 0; same && k < inputs; k++) same = info->input[k] == input[k];
        if (same) return i;
    }
    return CLV_NODE_NONE;
}

/* bias_grad and conv_weight of one gradient d, which either side of the product may be: conv_weight sums d as well. */
static void fuse_bias_grad(clv_graph *graph, clv_node at)
{
    clv_node_info *weight = clv_info(graph, at);
    for (int k = 0; k < 2 && !weight->attr.sum_of; k++) {
        const clv_node bias = find_node(graph, CLV_OP_BIAS_GRAD, 1, &weight->input[k], weight->input[k] + 1, at);
        if (bias == CLV_NODE_NONE || uses(graph, bias) > 0) continue;
        make_result(graph, bias);
        weight->input[weight->inputs++] = bias;
        weight->attr.sum_of = k + 1;
    }
}

/* mse and mse_grad of mean_grad (bce alike): one pass over y and t; the loss of each image is its second result. */
static void fuse_loss_grad(clv_graph *graph, clv_node at)
{
    clv_node_info *grad = clv_info(graph, at);
    const bool mse = grad->op == CLV_OP_MSE_GRAD;
    const clv_node mean_grad = grad->input[0], pair[] = {grad->input[1], grad->input[2]};
    if (clv_info(graph, mean_grad)->op != CLV_OP_MEAN_GRAD) return;
    const clv_node loss = find_node(graph, mse ? CLV_OP_MSE : CLV_OP_BCE, 2, pair, pair[0] + 1, at);
    if (loss == CLV_NODE_NONE) return;
    make_result(graph, loss);
    grad->op = mse ? CLV_OP_MSE_HEAD : CLV_OP_BCE_HEAD;
    grad->attr.alpha = clv_info(graph, mean_grad)->attr.alpha;
    if (uses(graph, mean_grad) == 1) graph->entry[mean_grad]->fused_away = true;
    set_inputs(grad, 3, (const clv_node[]){pair[0], pair[1], loss});
}

/* gather -> noise: the batch is written as it is and with noise, whose readers, and the clean images', find both where
 * they were. */
static void fuse_noise(clv_graph *graph, clv_node at)
{
    clv_node_info *noise = clv_info(graph, at);
    const clv_node from = noise->input[0];
    const clv_node_info *gather = clv_info(graph, from);
    if (gather->op != CLV_OP_GATHER || gather->attr.noisy) return;
    noise->op = CLV_OP_GATHER;
    noise->attr.dataset = gather->attr.dataset;
    noise->attr.noisy = true;
    make_result(graph, from);
}

/* `fusion`: -1 for what only simplifies. An act_grad has three. */
static const struct {
    int fusion;
    void (*apply)(clv_graph *graph, clv_node at);
} rules[CLV_OP_COUNT] = {
    [CLV_OP_BIAS] = {CLV_FUSION_EPILOGUE, fuse_bias},
    [CLV_OP_ADD] = {CLV_FUSION_ADD, fuse_add},
    [CLV_OP_ACT] = {CLV_FUSION_EPILOGUE, fuse_act},
    [CLV_OP_RESHAPE] = {-1, fuse_reshape},
    [CLV_OP_SCALE] = {-1, fuse_scale},
    [CLV_OP_CONV_WEIGHT] = {CLV_FUSION_BIAS_GRAD, fuse_bias_grad},
    [CLV_OP_MSE_GRAD] = {CLV_FUSION_LOSS, fuse_loss_grad},
    [CLV_OP_BCE_GRAD] = {CLV_FUSION_LOSS, fuse_loss_grad},
    [CLV_OP_MSE_HEAD] = {CLV_FUSION_HEAD, fuse_head},
    [CLV_OP_BCE_HEAD] = {CLV_FUSION_HEAD, fuse_head},
    [CLV_OP_NOISE] = {CLV_FUSION_NOISE, fuse_noise},
};

/* A node that became another has that one's rule as well: a loss's gradient is a head, which joins its product. */
static void fuse_node(clv_graph *graph, clv_node at, unsigned apart)
{
    const clv_node_info *info = clv_info(graph, at);
    for (clv_op op = CLV_OP_COUNT; op != info->op;) {
        op = info->op;
        const int fusion = rules[op].fusion;
        if (op == CLV_OP_ACT_GRAD)
            fuse_act_grad(graph, at, apart);
        else if (rules[op].apply && (fusion < 0 || !(apart >> fusion & 1)))
            rules[op].apply(graph, at);
    }
}

clv_status clv_graph_fuse(clv_graph *graph, unsigned apart, clv_error *err)
{
    (void)err; /* in place: nothing to allocate, nothing to fail */
    for (clv_node at = 0; at < graph->nodes; at++)
        if (!graph->entry[at]->fused_away) fuse_node(graph, at, apart);
    if (apart & (CLV_FUSE_DROPOUT | CLV_FUSE_EPILOGUE)) return CLV_OK;
    for (clv_node at = 0; at < graph->nodes; at++)
        if (!graph->entry[at]->fused_away && clv_info(graph, at)->op == CLV_OP_DROPOUT) fuse_dropout(graph, at);
    return CLV_OK;
}
