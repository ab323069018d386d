/* Storage in half precision: which tensors may have it, and the scale of the loss.
 *
 * A half's numbers are 2^-24 to 65504, those with all their bits from 2^-14 on. The gradients of a mean loss are
 * smaller: of a mean squared error over 784 pixels and 128 images at most 2 / (784 128) = 2^-15.6 at the loss itself.
 * So the loss is multiplied by a power of two: where the weights of its images are made (mean_grad and the heads that
 * have it fused in), and taken out by the optimiser, which reads the gradients of parameters, float sums. The gradients
 * between are linear in the loss, and a power of two changes no digit of a float: in float storage the step would be
 * the same to the bit.
 *
 * The scale is the largest with which no element of a loss's gradient is above 1 in a full batch, from what each loss
 * can have: |y - t| and |sigmoid(s) - t| are at most 1 for pixels of 0 to 1, softmax - label too, and mu and
 * exp(logvar) - 1, of a divergence, are of the order of 1. That leaves a factor of 2^16 above for what the layers on
 * the way back make of it and for a last batch of fewer images (a single one of 128: 2^7), and 2^14 below with all
 * bits, 2^24 until it is 0. What is beyond 65504 all the same, a gradient or an activation, is infinite, and the run
 * ends as one that diverged: nothing is clipped. */
#include "graph/storage.h"

#include <math.h>

bool clv_op_takes_half(clv_op op)
{
    return clv_op_table[op].family != CLV_FAMILY_PAIRS && op != CLV_OP_TSNE_GRAD && op != CLV_OP_TSNE_STEP;
}

bool clv_shape_takes_half(const clv_shape *shape) { return shape->batched && clv_shape_elements(shape) > 1; }

/* What a weight of images can be, times the images of the batch: mean_grad, or what follows from it by a factor. */
static double weight_of(const clv_graph *graph, clv_node node)
{
    const clv_node_info *info = clv_graph_node(graph, node);
    switch (info->op) {
    case CLV_OP_MEAN_GRAD:
        return fabs((double)info->attr.alpha);
    case CLV_OP_SCALE:
        return fabs((double)info->attr.alpha) * weight_of(graph, info->input[0]);
    case CLV_OP_ADD:
        return weight_of(graph, info->input[0]) + weight_of(graph, info->input[1]);
    case CLV_OP_RAMP: /* at most 1 */
        return weight_of(graph, info->input[0]);
    default:
        return 1;
    }
}

/* The largest element of what a loss's gradient can be, times the images of the batch; 0 for every other call. */
static double largest_of(const clv_graph *graph, const clv_call *call)
{
    const double alpha = fabs((double)call->attr.alpha), features = (double)clv_shape_elements(&call->out.shape);
    const clv_node weight = clv_graph_node(graph, call->node)->input[0];
    const clv_op head = clv_op_head(call->op, &call->attr);
    switch (head ? head : call->op) {
    case CLV_OP_MSE_HEAD:
        return alpha * 2 / features;
    case CLV_OP_BCE_HEAD:
        return alpha;
    case CLV_OP_MSE_GRAD:
        return weight_of(graph, weight) * 2 / features;
    case CLV_OP_BCE_GRAD:
    case CLV_OP_XENT_GRAD:
    case CLV_OP_KL_GRAD_LOGVAR:
    case CLV_OP_MUL_IMAGE:
        return weight_of(graph, weight);
    default:
        return 0;
    }
}

static bool makes_weights(const clv_call *call)
{
    return call->op == CLV_OP_MEAN_GRAD || clv_op_head(call->op, &call->attr);
}

void clv_plan_scale_loss(clv_plan *plan, const clv_graph *graph)
{
    double largest = 0;
    clv_attr *optimiser = NULL;
    for (int i = 0; i < plan->calls; i++) {
        clv_call *call = &plan->call[i];
        largest = fmax(largest, largest_of(graph, call));
        if (call->op == CLV_OP_ADAM || call->op == CLV_OP_SGD) optimiser = &call->attr;
    }
    if (!optimiser || largest == 0) return;
    plan->loss_scale = (float)exp2(floor(log2(plan->batch / largest)));
    for (int i = 0; i < plan->calls; i++)
        if (makes_weights(&plan->call[i])) plan->call[i].attr.alpha *= plan->loss_scale;
    optimiser->unscale = 1 / plan->loss_scale;
}
