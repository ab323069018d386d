/* Symbolic differentiation by reverse accumulation (Griewank & Walther, "Evaluating Derivatives", section 3.2): walks
 * from the loss back and appends, for each node between a wanted parameter and the loss, the nodes that pass its
 * gradient on to its inputs. One function a rule, found through rules.def. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/try.h"
#include "graph/nodes.h"

typedef struct sweep {
    clv_graph *graph;
    int nodes;          /* of the graph before the sweep */
    bool *depends;      /* [nodes]: on a wanted parameter */
    clv_node *gradient; /* [nodes]: sum of what was contributed so far */
} sweep;

/* A gradient rule and what it works on: node `at`, the gradient of its result. */
typedef struct rule_call {
    sweep *s;
    clv_node at, dy;
    const clv_node_info *node;
    clv_error *err;
} rule_call;
typedef clv_status (*gradient_rule)(const rule_call *call);

/* "d conv1.weight"; cut where it is too long. */
static void gradient_name(const sweep *s, clv_node of, char name[CLV_NAME_SIZE])
{
    snprintf(name, CLV_NAME_SIZE, "d %.*s", CLV_NAME_SIZE - 3, clv_info(s->graph, of)->name);
}

/* Adds a node to the gradient of node `to`. */
static clv_status contribute(const rule_call *call, clv_node to, clv_node part)
{
    sweep *s = call->s;
    if (s->gradient[to] == CLV_NODE_NONE) {
        s->gradient[to] = part;
        return CLV_OK;
    }
    char name[CLV_NAME_SIZE];
    gradient_name(s, to, name);
    return clv_graph_add(s->graph, CLV_OP_ADD, name, (const clv_node[]){s->gradient[to], part}, 2, NULL, NULL,
                         &s->gradient[to], call->err);
}

static bool wants(const rule_call *call, int input) { return call->s->depends[call->node->input[input]]; }

/* Appends op(inputs) and contributes it to the gradient of input `input` of the node; shape: NULL where inferred. */
static clv_status pass_shaped(const rule_call *call, int input, clv_op op, int inputs, const clv_node *in,
                              const clv_attr *attr, const clv_shape *shape)
{
    if (!wants(call, input)) return CLV_OK;
    const clv_node to = call->node->input[input];
    char name[CLV_NAME_SIZE];
    gradient_name(call->s, to, name);
    clv_node part;
    const clv_status status = clv_graph_add(call->s->graph, op, name, in, inputs, attr, shape, &part, call->err);
    return status == CLV_OK ? contribute(call, to, part) : status;
}

static clv_status pass(const rule_call *call, int input, clv_op op, int inputs, const clv_node *in,
                       const clv_attr *attr)
{
    return pass_shaped(call, input, op, inputs, in, attr, NULL);
}

static clv_status pass_unchanged(const rule_call *call, int input)
{
    return wants(call, input) ? contribute(call, call->node->input[input], call->dy) : CLV_OK;
}

static const clv_shape *input_shape(const rule_call *call, int input)
{
    return &clv_info(call->s->graph, call->node->input[input])->shape;
}

static clv_status gradient_leaf(const rule_call *call)
{
    (void)call;
    return CLV_OK;
}

static clv_status gradient_none(const rule_call *call)
{
    return clv_fail(call->err, CLV_ERR_CONFIG,
                    "%s '%s': has no gradient, and the loss depends on a parameter through it",
                    clv_op_table[call->node->op].name, call->node->name);
}

/* The three products are each other's gradients: what a deconv makes of y, and a conv of x, and a conv_weight of both
 * are the partial derivatives of the one trilinear form sum w[oc][ic][ky][kx] x[ic] y[oc]. */

static clv_status need_unfused(const rule_call *call)
{
    const clv_attr *a = &call->node->attr;
    if (call->node->inputs == 2 && a->act == CLV_ACT_NONE && a->rate == 0) return CLV_OK;
    return clv_fail(call->err, CLV_ERR_CONFIG, "%s '%s': is fused: append gradients before clv_graph_fuse",
                    clv_op_table[call->node->op].name, call->node->name);
}

static clv_attr window_of(const rule_call *call)
{
    const clv_attr *a = &call->node->attr;
    return (clv_attr){.kernel = a->kernel, .stride = a->stride, .pad = a->pad};
}

static clv_status gradient_conv(const rule_call *call)
{
    clv_status status = need_unfused(call);
    const clv_node x = call->node->input[0], w = call->node->input[1];
    const clv_attr attr = window_of(call);
    if (status == CLV_OK)
        status =
            pass_shaped(call, 1, CLV_OP_CONV_WEIGHT, 2, (const clv_node[]){x, call->dy}, &attr, input_shape(call, 1));
    if (status == CLV_OK)
        status = pass_shaped(call, 0, CLV_OP_DECONV, 2, (const clv_node[]){call->dy, w}, &attr, input_shape(call, 0));
    return status;
}

static clv_status gradient_deconv(const rule_call *call)
{
    clv_status status = need_unfused(call);
    const clv_node y = call->node->input[0], w = call->node->input[1];
    const clv_attr attr = window_of(call);
    if (status == CLV_OK)
        status =
            pass_shaped(call, 1, CLV_OP_CONV_WEIGHT, 2, (const clv_node[]){call->dy, y}, &attr, input_shape(call, 1));
    if (status == CLV_OK) status = pass(call, 0, CLV_OP_CONV, 2, (const clv_node[]){call->dy, w}, &attr);
    return status;
}

static clv_status gradient_bias(const rule_call *call)
{
    const clv_status status = pass(call, 1, CLV_OP_BIAS_GRAD, 1, &call->dy, NULL);
    return status == CLV_OK ? pass_unchanged(call, 0) : status;
}

static clv_status gradient_act(const rule_call *call)
{
    return pass(call, 0, CLV_OP_ACT_GRAD, 2, (const clv_node[]){call->dy, call->at}, &call->node->attr);
}

/* The same stream gives the same mask. */
static clv_status gradient_dropout(const rule_call *call)
{
    return pass(call, 0, CLV_OP_DROPOUT, 1, &call->dy, &call->node->attr);
}

static clv_status gradient_reshape(const rule_call *call)
{
    return pass_shaped(call, 0, CLV_OP_RESHAPE, 1, &call->dy, NULL, input_shape(call, 0));
}

static clv_status gradient_add(const rule_call *call)
{
    const clv_status status = pass_unchanged(call, 0);
    return status == CLV_OK ? pass_unchanged(call, 1) : status;
}

static clv_status gradient_mul(const rule_call *call)
{
    const clv_node a = call->node->input[0], b = call->node->input[1];
    const clv_status status = pass(call, 0, CLV_OP_MUL, 2, (const clv_node[]){call->dy, b}, NULL);
    return status == CLV_OK ? pass(call, 1, CLV_OP_MUL, 2, (const clv_node[]){call->dy, a}, NULL) : status;
}

static clv_status gradient_scale(const rule_call *call)
{
    return pass(call, 0, CLV_OP_SCALE, 1, &call->dy, &call->node->attr);
}

static clv_status gradient_ramp(const rule_call *call) { return pass(call, 0, CLV_OP_RAMP, 1, &call->dy, NULL); }

static clv_status gradient_sum(const rule_call *call)
{
    return pass_shaped(call, 0, CLV_OP_BROADCAST, 1, &call->dy, NULL, input_shape(call, 0));
}

static clv_status gradient_broadcast(const rule_call *call) { return pass(call, 0, CLV_OP_SUM, 1, &call->dy, NULL); }

/* z = mu + exp(logvar / 2) eps: dz/dmu = 1. */
static clv_status gradient_sample(const rule_call *call)
{
    const clv_node logvar = call->node->input[1];
    const clv_status status = pass_unchanged(call, 0);
    if (status != CLV_OK) return status;
    return pass(call, 1, CLV_OP_SAMPLE_GRAD, 2, (const clv_node[]){call->dy, logvar}, &call->node->attr);
}

/* d/dmu = mu, d/dlogvar = (exp(logvar) - 1) / 2. */
static clv_status gradient_kl(const rule_call *call)
{
    const clv_node mu = call->node->input[0], logvar = call->node->input[1];
    const clv_status status = pass(call, 0, CLV_OP_MUL_IMAGE, 2, (const clv_node[]){call->dy, mu}, NULL);
    if (status != CLV_OK) return status;
    return pass(call, 1, CLV_OP_KL_GRAD_LOGVAR, 2, (const clv_node[]){call->dy, logvar}, NULL);
}

/* y = v x: the gradient of v is the sum over the image of dy x. */
static clv_status gradient_mul_image(const rule_call *call)
{
    clv_status status = CLV_OK;
    const clv_node v = call->node->input[0], x = call->node->input[1];
    CLV_TRY(pass(call, 1, CLV_OP_MUL_IMAGE, 2, (const clv_node[]){v, call->dy}, NULL));
    if (!wants(call, 0)) goto done;
    clv_node product;
    CLV_TRY(clv_graph_add(call->s->graph, CLV_OP_MUL, call->node->name, (const clv_node[]){call->dy, x}, 2, NULL, NULL,
                          &product, call->err));
    CLV_TRY(pass(call, 0, CLV_OP_SUM, 1, &product, NULL));
done:
    return status;
}

/* Losses have gradients with respect to their first input; the second is data. */
static clv_status pass_loss(const rule_call *call, clv_op op)
{
    const clv_node y = call->node->input[0], target = call->node->input[1];
    if (wants(call, 1))
        return clv_fail(call->err, CLV_ERR_CONFIG, "%s '%s': the target, %s '%s', depends on a parameter to be trained",
                        clv_op_table[call->node->op].name, call->node->name,
                        clv_op_table[clv_info(call->s->graph, target)->op].name,
                        clv_info(call->s->graph, target)->name);
    return pass(call, 0, op, 3, (const clv_node[]){call->dy, y, target}, NULL);
}

static clv_status gradient_mse(const rule_call *call) { return pass_loss(call, CLV_OP_MSE_GRAD); }
static clv_status gradient_bce(const rule_call *call) { return pass_loss(call, CLV_OP_BCE_GRAD); }
static clv_status gradient_xent(const rule_call *call) { return pass_loss(call, CLV_OP_XENT_GRAD); }

/* The root of the sweep: a mean of a mean cannot be built. */
static clv_status gradient_mean(const rule_call *call)
{
    const clv_attr attr = {.alpha = 1};
    return pass(call, 0, CLV_OP_MEAN_GRAD, 0, NULL, &attr);
}

static const gradient_rule rules[CLV_OP_COUNT] = {
#define R(NAME, shape, gradient) [CLV_OP_##NAME] = gradient_##gradient,
#include "graph/rules.def"
#undef R
};

static void mark_dependent(sweep *s, const clv_node *param, int params)
{
    for (int i = 0; i < params; i++) s->depends[param[i]] = true;
    for (clv_node i = 0; i < s->nodes; i++) {
        const clv_node_info *info = clv_info(s->graph, i);
        for (int k = 0; k < info->inputs; k++)
            if (s->depends[info->input[k]]) s->depends[i] = true;
    }
}

/* From the loss back. A node's gradient is complete when the walk reaches it: all its consumers come later in the list.
 */
static clv_status walk_back(sweep *s, clv_node loss, clv_error *err)
{
    for (clv_node at = loss; at >= 0; at--) {
        if (!s->depends[at] || (at != loss && s->gradient[at] == CLV_NODE_NONE)) continue;
        const rule_call call = {.s = s, .at = at, .dy = s->gradient[at], .node = clv_info(s->graph, at), .err = err};
        const clv_status status = rules[call.node->op](&call);
        if (status != CLV_OK) return status;
    }
    return CLV_OK;
}

/* One node a parameter: where two parameters would share one (the terms of a sum), the later gets a copy. */
static clv_status own_gradient(sweep *s, clv_node param, clv_node *gradient, int given, clv_error *err)
{
    const clv_attr copy = {.alpha = 1};
    char name[CLV_NAME_SIZE];
    gradient[given] = s->gradient[param];
    for (int i = 0; i < given; i++) {
        if (gradient[i] != s->gradient[param]) continue;
        gradient_name(s, param, name);
        return clv_graph_add(s->graph, CLV_OP_SCALE, name, &s->gradient[param], 1, &copy, NULL, &gradient[given], err);
    }
    return CLV_OK;
}

static clv_status check_request(const clv_graph *graph, clv_node loss, const clv_node *param, int params,
                                clv_error *err)
{
    const clv_node_info *info = clv_graph_node(graph, loss);
    if (!info || info->op != CLV_OP_MEAN)
        return clv_fail(err, CLV_ERR_CONFIG, "%s '%s' cannot be a loss: gradients start at a mean",
                        info ? clv_op_table[info->op].name : "node", info ? info->name : "none");
    for (int i = 0; i < params; i++) {
        info = clv_graph_node(graph, param[i]);
        if (!info || info->op != CLV_OP_PARAM)
            return clv_fail(err, CLV_ERR_CONFIG, "%s '%s' is no parameter: gradients are of parameters",
                            info ? clv_op_table[info->op].name : "node", info ? info->name : "none");
    }
    return CLV_OK;
}

clv_status clv_graph_gradients(clv_graph *graph, clv_node loss, const clv_node *param, int params, clv_node *gradient,
                               clv_error *err)
{
    clv_status status = CLV_OK;
    sweep s = {.graph = graph, .nodes = graph->nodes};
    clv_node *made = NULL; /* `gradient` stays untouched on failure */
    CLV_TRY(check_request(graph, loss, param, params, err));

    s.depends = clv_alloc((size_t)s.nodes, sizeof *s.depends, err);
    s.gradient = s.depends ? clv_alloc((size_t)s.nodes, sizeof *s.gradient, err) : NULL;
    made = s.gradient ? clv_alloc((size_t)params, sizeof *made, err) : NULL;
    if (!made) {
        status = CLV_ERR_INTERNAL;
        goto done;
    }
    for (int i = 0; i < s.nodes; i++) s.gradient[i] = CLV_NODE_NONE;
    mark_dependent(&s, param, params);
    CLV_TRY(walk_back(&s, loss, err));

    for (int i = 0; i < params; i++) {
        CLV_REQUIRE(s.gradient[param[i]] != CLV_NODE_NONE, CLV_ERR_CONFIG,
                    "loss '%s' does not depend on parameter '%s': leave it out of what is trained",
                    clv_info(graph, loss)->name, clv_info(graph, param[i])->name);
        CLV_TRY(own_gradient(&s, param[i], made, i, err));
    }
    if (params > 0) memcpy(gradient, made, (size_t)params * sizeof *made);
done:
    if (status != CLV_OK) clv_graph_truncate(graph, s.nodes);
    free(made);
    free(s.gradient);
    free(s.depends);
    return status;
}
