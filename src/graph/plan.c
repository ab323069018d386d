/* From graph to plan: drops what no output, gradient or effect needs, orders the calls, finds how long each tensor
 * lives, and gives each its place. A reshape is no call: its value is its input's memory under another shape. */
#include "graph/plan.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/try.h"
#include "graph/nodes.h"
#include "graph/place.h"
#include "graph/storage.h"

/* What is known of a node while a plan is made. */
typedef struct node_state {
    bool live;
    bool ready;          /* while calls are put in order: its value is there */
    bool kept;           /* by the host: an input, an output, a gradient; its place is shown in the plan */
    bool exact;          /* of a root: never stored as half */
    bool of_batch;       /* of a root: read when all blocks are done */
    clv_node root;       /* whose memory holds the value: the node itself, or the source of a chain of reshapes */
    int level;           /* of a root: of the call that writes it; -1: none does */
    int birth, death;    /* of a root: first and last level that touches it; birth -1: not in the arena */
    clv_operand operand; /* of a root */
} node_state;

typedef struct planner {
    const clv_graph *graph;
    const clv_param_layout *layout;
    const clv_node *gradient; /* [layout->params], or NULL */
    const clv_plan_options *options;
    clv_error *err;
    clv_plan *plan;
    node_state *state;
    clv_interval *interval;
    const clv_node_info *optimiser;
} planner;

static clv_family family_of(const clv_node_info *info) { return clv_op_table[info->op].family; }
static bool is_call(const clv_node_info *info)
{
    return family_of(info) != CLV_FAMILY_SOURCE && family_of(info) != CLV_FAMILY_VIEW;
}

size_t clv_operand_elements(const clv_operand *operand, int lanes)
{
    const size_t elements = (size_t)clv_shape_elements(&operand->shape);
    return operand->shape.batched ? elements * (size_t)lanes : elements;
}

uint64_t clv_call_multiply_adds(const clv_call *call)
{
    return clv_multiply_adds(call->op, &call->attr, &call->in[0].shape, &call->in[1].shape, &call->out.shape);
}

static clv_status check_options(const clv_plan_options *o, clv_error *err)
{
    clv_status status = CLV_OK;
    CLV_REQUIRE(o->batch >= 1, CLV_ERR_CONFIG, "a batch of %d images: it must be at least 1", o->batch);
    CLV_REQUIRE(o->lane_width >= 1 && o->lane_width <= 4096, CLV_ERR_INTERNAL, "a lane width of %d", o->lane_width);
    CLV_REQUIRE(o->batch <= INT_MAX - o->lane_width, CLV_ERR_CONFIG, "a batch of %d images is too large", o->batch);
    CLV_REQUIRE(o->alignment >= 1, CLV_ERR_INTERNAL, "an alignment of 0 elements");
done:
    return status;
}

/* gradient[i] is a tensor of its own, of the shape of a trained parameter. */
static clv_status check_gradient(const planner *p, int i)
{
    clv_status status = CLV_OK;
    clv_error *err = p->err;
    const struct clv_param_place *param = &p->layout->param[i];
    const clv_node_info *info = clv_graph_node(p->graph, p->gradient[i]);
    CLV_REQUIRE(info && (is_call(info) || info->op == CLV_OP_RESULT), CLV_ERR_INTERNAL,
                "node %d cannot be the gradient of '%s'", (int)p->gradient[i], param->name);
    CLV_REQUIRE(param->trained, CLV_ERR_INTERNAL, "there is a gradient of the frozen parameter '%s'", param->name);
    CLV_REQUIRE(clv_shape_equal(&info->shape, &param->shape), CLV_ERR_INTERNAL,
                "the gradient '%s' has not the shape of parameter '%s'", info->name, param->name);
    for (int k = 0; k < i; k++)
        CLV_REQUIRE(p->gradient[k] != p->gradient[i], CLV_ERR_INTERNAL, "'%s' and '%s' share one gradient node",
                    p->layout->param[k].name, param->name);
done:
    return status;
}

static clv_node written_by(const planner *p, clv_node node)
{
    const clv_node_info *info = clv_graph_node(p->graph, node);
    if (p->graph->entry[node]->fused_away) return CLV_NODE_NONE;
    return clv_op_writes_input(info->op, &info->attr) ? info->input[info->inputs - 1] : CLV_NODE_NONE;
}

/* Marks a node and what it reads. Returns whether that made a node live that comes later: the writer of a result. */
static bool mark_node(planner *p, clv_node i)
{
    const clv_node_info *info = clv_graph_node(p->graph, i);
    const clv_node result = written_by(p, i);
    node_state *s = &p->state[i];
    if (info->output) s->live = s->kept = true;
    if (result != CLV_NODE_NONE && p->state[result].live) s->live = true;
    if (!s->live) return false;
    bool later = false;
    for (int k = 0; k < info->inputs; k++) {
        node_state *in = &p->state[info->input[k]];
        later |= !in->live && info->input[k] != result && clv_graph_node(p->graph, info->input[k])->op == CLV_OP_RESULT;
        in->live = true;
    }
    if (family_of(info) == CLV_FAMILY_SOURCE && info->op != CLV_OP_RESULT) s->kept = true;
    return later;
}

/* Marks what is needed, from the last node back: consumers come after what they consume, but for a result, which may be
 * read before its writer's place: its first reader asks for another round. */
static void mark_live(planner *p)
{
    const int nodes = p->plan->nodes;
    for (bool again = true; again;) {
        again = false;
        for (clv_node i = nodes - 1; i >= 0; i--) again |= mark_node(p, i);
    }
    for (clv_node i = 0; i < nodes; i++) {
        const clv_node_info *info = clv_graph_node(p->graph, i);
        p->state[i].root = info->op == CLV_OP_RESHAPE ? p->state[info->input[0]].root : i;
        p->state[i].birth = p->state[i].level = -1;
    }
}

static clv_status mark_gradients(planner *p)
{
    if (!p->gradient) return CLV_OK;
    for (int i = 0; i < p->layout->params; i++) {
        if (p->gradient[i] == CLV_NODE_NONE) continue;
        const clv_status status = check_gradient(p, i);
        if (status != CLV_OK) return status;
        p->state[p->gradient[i]].live = p->state[p->gradient[i]].kept = true;
    }
    return CLV_OK;
}

/* The optimiser moves the whole trained prefix: each of its parameters needs a gradient. */
static clv_status check_optimiser(const planner *p)
{
    if (!p->optimiser) return CLV_OK;
    const char *op = clv_op_table[p->optimiser->op].name, *name = p->optimiser->name;
    if (!p->gradient) return clv_fail(p->err, CLV_ERR_INTERNAL, "%s '%s': the plan has no gradients", op, name);
    for (int i = 0; i < p->layout->params; i++)
        if (p->layout->param[i].trained && p->gradient[i] == CLV_NODE_NONE)
            return clv_fail(p->err, CLV_ERR_INTERNAL, "%s '%s': there is no gradient of the trained parameter '%s'", op,
                            name, p->layout->param[i].name);
    return CLV_OK;
}

/* Columns of the trace: each written once. */
static clv_status take_slot(planner *p, const clv_call *call)
{
    for (int i = 0; i < p->plan->calls; i++)
        if (p->plan->call[i].op == CLV_OP_RECORD && p->plan->call[i].attr.slot == call->attr.slot)
            return clv_fail(p->err, CLV_ERR_CONFIG, "record '%s' and record '%s' both write column %d of the trace",
                            p->plan->call[i].name, call->name, call->attr.slot);
    if (call->attr.slot >= p->plan->slots) p->plan->slots = call->attr.slot + 1;
    return CLV_OK;
}

static clv_status append_call(planner *p, clv_node node)
{
    const clv_node_info *info = clv_graph_node(p->graph, node);
    clv_call call = {.op = info->op, .attr = info->attr, .inputs = info->inputs, .lanes = p->plan->lanes, .node = node};
    memcpy(call.name, info->name, sizeof call.name);
    if (info->op == CLV_OP_RECORD) {
        const clv_status status = take_slot(p, &call);
        if (status != CLV_OK) return status;
    }
    if (family_of(info) == CLV_FAMILY_OPTIM) call.trained = p->layout->trained;
    p->plan->multiply_adds += clv_node_multiply_adds(p->graph, node);
    p->plan->call[p->plan->calls++] = call;
    return CLV_OK;
}

/* Whether all that a node reads has been computed; what it writes need not be. */
static bool can_run(const planner *p, clv_node node)
{
    const clv_node_info *info = clv_graph_node(p->graph, node);
    const clv_node result = written_by(p, node);
    for (int k = 0; k < info->inputs; k++)
        if (info->input[k] != result && !p->state[info->input[k]].ready) return false;
    return true;
}

/* Appends the calls from node *at on, up to and with the next that writes a result: those who wait for it, passed over
 * before, come next. */
static clv_status append_calls(planner *p, clv_node *at)
{
    for (clv_node i = *at; i < p->plan->nodes; i++) {
        const clv_node_info *info = clv_graph_node(p->graph, i);
        node_state *s = &p->state[i];
        if (!s->live || s->ready || family_of(info) == CLV_FAMILY_OPTIM || info->op == CLV_OP_RESULT) continue;
        if (!can_run(p, i)) continue;
        if (is_call(info)) {
            const clv_status status = append_call(p, i);
            if (status != CLV_OK) return status;
        }
        s->ready = true;
        const clv_node result = written_by(p, i);
        if (result == CLV_NODE_NONE) continue;
        p->state[result].ready = true;
        *at = result + 1;
        return CLV_OK;
    }
    *at = p->plan->nodes;
    return CLV_OK;
}

/* A call's level is one above the highest that wrote what it reads. */
static void find_level(planner *p, clv_call *call)
{
    const clv_node_info *info = clv_graph_node(p->graph, call->node);
    const clv_node result = written_by(p, call->node);
    call->level = 0;
    for (int k = 0; k < info->inputs; k++) {
        const node_state *in = &p->state[p->state[info->input[k]].root];
        if (info->input[k] != result && in->level >= call->level) call->level = in->level + 1;
    }
    p->state[call->node].level = call->level;
    if (result != CLV_NODE_NONE) p->state[result].level = call->level;
}

/* Level by level, those of a level in the order they had: what waits for nothing of each other stands side by side. */
static void sort_by_level(planner *p)
{
    clv_call *call = p->plan->call;
    for (int i = 0; i < p->plan->calls; i++) find_level(p, &call[i]);
    for (int i = 1; i < p->plan->calls; i++) {
        const clv_call moved = call[i];
        int k = i;
        for (; k > 0 && call[k - 1].level > moved.level; k--) call[k] = call[k - 1];
        call[k] = moved;
    }
}

/* The live operations, each behind what it reads; the optimiser behind them all, in a level of its own. */
static clv_status order_calls(planner *p)
{
    clv_status status = CLV_OK;
    clv_error *err = p->err;
    clv_node optimiser = CLV_NODE_NONE;
    for (clv_node at = 0; at < p->plan->nodes;) CLV_TRY(append_calls(p, &at));
    for (clv_node i = 0; i < p->plan->nodes; i++) {
        const clv_node_info *info = clv_graph_node(p->graph, i);
        if (!p->state[i].live || family_of(info) != CLV_FAMILY_OPTIM) continue;
        CLV_REQUIRE(optimiser == CLV_NODE_NONE, CLV_ERR_CONFIG, "'%s' and '%s' are two optimisers: a plan takes one",
                    p->optimiser->name, info->name);
        optimiser = i;
        p->optimiser = info;
    }
    sort_by_level(p);
    const int levels = p->plan->calls ? p->plan->call[p->plan->calls - 1].level + 1 : 0;
    if (optimiser != CLV_NODE_NONE) {
        CLV_TRY(append_call(p, optimiser));
        p->plan->call[p->plan->calls - 1].level = levels;
    }
    CLV_TRY(check_optimiser(p));
done:
    return status;
}

/* ---- blocks ---- */

/* Operations of which each image's part is its own, so that a block needs nothing of another; gradients of weights are
 * sums that can be added later. */
static bool is_by_image(clv_op op)
{
    switch (clv_op_table[op].family) {
    case CLV_FAMILY_DATA:
    case CLV_FAMILY_POINTWISE:
    case CLV_FAMILY_RANDOM:
    case CLV_FAMILY_PRODUCT:
        return true;
    case CLV_FAMILY_REDUCE:
        return op == CLV_OP_SUM;
    case CLV_FAMILY_LOSS:
        return op != CLV_OP_MEAN && op != CLV_OP_RECORD;
    default:
        return false;
    }
}

/* What comes when all blocks are done. */
static bool is_of_batch(clv_op op)
{
    return op == CLV_OP_MEAN || op == CLV_OP_RECORD || op == CLV_OP_ADAM || op == CLV_OP_SGD;
}

static bool is_small(const planner *p, clv_node node)
{
    const clv_node_info *info = clv_graph_node(p->graph, node);
    return clv_node_multiply_adds(p->graph, node) <= CLV_BLOCK_MULTIPLY_ADDS &&
           (info->op != CLV_OP_CONV_WEIGHT || clv_shape_elements(&info->shape) <= CLV_BLOCK_WEIGHTS);
}

/* Nothing of the whole batch is waited for; nothing batched is written or read by the host. */
static bool can_be_in_blocks(const planner *p, clv_node node)
{
    const clv_node_info *info = clv_graph_node(p->graph, node);
    if (is_of_batch(info->op)) return true;
    if (!is_by_image(info->op) || !is_small(p, node)) return false;
    for (int k = 0; k < info->inputs; k++) {
        const clv_node root = p->state[info->input[k]].root;
        const clv_node_info *in = clv_graph_node(p->graph, root);
        if (is_of_batch(in->op) || (p->state[root].kept && in->shape.batched)) return false;
    }
    return info->op == CLV_OP_CONV_WEIGHT || !p->state[p->state[node].root].kept;
}

/* Small networks on devices that want it: what a block leaves from operation to operation stays in a core's own cache,
 * and cores need not meet. Their weights' gradients are the optimiser's to add. */
static void choose_blocks(planner *p)
{
    const int block = p->options->block;
    const unsigned needed = CLV_FUSE_SUMS | CLV_FUSE_LAUNCHES | CLV_FUSE_CHAINS;
    if (block < 1 || p->plan->lanes % block != 0 || (p->options->apart & needed)) return;
    for (int i = 0; p->gradient && !p->optimiser && i < p->layout->params; i++)
        if (p->gradient[i] != CLV_NODE_NONE) return;
    for (int i = 0; i < p->plan->calls; i++)
        if (!can_be_in_blocks(p, p->plan->call[i].node)) return;
    p->plan->blocks = p->plan->lanes / block;
    p->plan->at_once =
        p->options->at_once > 0 && p->options->at_once < p->plan->blocks ? p->options->at_once : p->plan->blocks;
    p->plan->lanes = block;
    for (int i = 0; i < p->plan->calls; i++) {
        p->plan->call[i].lanes = block;
        p->plan->call[i].blocked = true;
    }
}

/* Of an arena: one for each block that may be on its way; of what outlives them, one for each. */
static void repeat_arena(clv_plan *plan, clv_space arena)
{
    if (plan->blocks == 0) return;
    plan->stride[arena] = plan->elements[arena];
    plan->elements[arena] *= (size_t)(arena == CLV_SPACE_BATCH ? plan->blocks : plan->at_once);
}

/* What lies outside the arena: parameters and their gradients. */
static clv_status place_params(planner *p)
{
    for (clv_node i = 0; i < p->plan->nodes; i++) {
        const clv_node_info *info = clv_graph_node(p->graph, i);
        if (!p->state[i].live || info->op != CLV_OP_PARAM) continue;
        int at = 0;
        while (at < p->layout->params && strcmp(p->layout->param[at].name, info->name) != 0) at++;
        if (at == p->layout->params || !clv_shape_equal(&p->layout->param[at].shape, &info->shape)) {
            char shape[CLV_NAME_SIZE];
            return clv_fail(p->err, CLV_ERR_INTERNAL, "the layout has no parameter '%s' of shape %s", info->name,
                            clv_shape_print(&info->shape, shape));
        }
        p->state[i].operand = (clv_operand){CLV_SPACE_PARAM, p->layout->param[at].offset, info->shape};
    }
    for (int i = 0; p->gradient && i < p->layout->params; i++)
        if (p->gradient[i] != CLV_NODE_NONE)
            p->state[p->gradient[i]].operand =
                (clv_operand){CLV_SPACE_GRAD, p->layout->param[i].offset, p->layout->param[i].shape};
    return CLV_OK;
}

static void touch(planner *p, clv_node node, int level)
{
    node_state *s = &p->state[p->state[node].root];
    if (s->birth < 0) s->birth = level;
    if (s->death < level) s->death = level;
}

/* In levels, so that calls of one level share no memory. What the host reads or writes between steps lives from the
 * first to the last. */
static void find_lifetimes(planner *p)
{
    const int last = p->plan->calls;
    for (int t = 0; t < p->plan->calls; t++) {
        const clv_node node = p->plan->call[t].node;
        const clv_node_info *info = clv_graph_node(p->graph, node);
        const int level = p->plan->call[t].level;
        touch(p, node, level);
        for (int k = 0; k < info->inputs; k++) touch(p, info->input[k], level);
        if (p->plan->blocks == 0 || !is_of_batch(info->op)) continue;
        for (int k = 0; k < info->inputs; k++) { /* read when the blocks are done */
            touch(p, info->input[k], last);
            p->state[p->state[info->input[k]].root].of_batch = true;
        }
    }
    for (clv_node i = 0; i < p->plan->nodes; i++) {
        if (!p->state[i].live || (!p->state[i].kept && p->options->reuse)) continue;
        node_state *s = &p->state[p->state[i].root];
        s->birth = 0;
        s->death = last;
    }
}

/* Roots that stay float: what the host reads or writes, and what an operation without halves does. */
static void find_exact(planner *p)
{
    for (clv_node i = 0; i < p->plan->nodes; i++)
        if (p->state[i].live && p->state[i].kept) p->state[p->state[i].root].exact = true;
    for (int t = 0; t < p->plan->calls; t++) {
        const clv_node_info *info = clv_graph_node(p->graph, p->plan->call[t].node);
        if (clv_op_takes_half(info->op)) continue;
        p->state[p->plan->call[t].node].exact = true;
        for (int k = 0; k < info->inputs; k++) p->state[p->state[info->input[k]].root].exact = true;
    }
}

/* The arena of a node that is a root and lies in one. */
static clv_space arena_of(const planner *p, clv_node node)
{
    const node_state *s = &p->state[node];
    const clv_shape *shape = &clv_graph_node(p->graph, node)->shape;
    if (!s->live || s->root != node || shape->rank == 0 || s->operand.space != CLV_SPACE_NONE) return CLV_SPACE_NONE;
    if (p->plan->blocks > 0 && (s->of_batch || !shape->batched)) return CLV_SPACE_BATCH;
    const bool half = p->options->storage == CLV_STORAGE_HALF && !s->exact && clv_shape_takes_half(shape);
    return half ? CLV_SPACE_HALF : CLV_SPACE_ARENA;
}

static clv_status place_arena(planner *p, clv_space arena)
{
    clv_status status = CLV_OK;
    clv_error *err = p->err;
    const size_t alignment = clv_space_alignment(arena, p->options->alignment);
    int intervals = 0;
    for (clv_node i = 0; i < p->plan->nodes; i++) {
        if (arena_of(p, i) != arena) continue;
        const clv_node_info *info = clv_graph_node(p->graph, i);
        const clv_operand operand = {.shape = info->shape};
        char shape[CLV_NAME_SIZE];
        /* Kernels index a tensor by int. */
        const int lanes = info->shape.batched ? p->plan->lanes : 1;
        CLV_REQUIRE(clv_shape_elements(&info->shape) <= INT_MAX / lanes, CLV_ERR_CONFIG,
                    "'%s' %s has over %d elements in a batch of %d: lower the batch", info->name,
                    clv_shape_print(&info->shape, shape), INT_MAX, p->plan->batch);
        p->interval[intervals++] =
            (clv_interval){.size = clv_operand_elements(&operand, p->plan->lanes),
                           .birth = arena == CLV_SPACE_BATCH ? 0 : p->state[i].birth,
                           .death = arena == CLV_SPACE_BATCH ? p->plan->calls : p->state[i].death};
    }
    CLV_TRY(clv_place_intervals(p->interval, intervals, alignment, &p->plan->elements[arena], err));
    repeat_arena(p->plan, arena);
    intervals = 0;
    for (clv_node i = 0; i < p->plan->nodes; i++)
        if (arena_of(p, i) == arena)
            p->state[i].operand =
                (clv_operand){arena, p->interval[intervals++].offset, clv_graph_node(p->graph, i)->shape};
done:
    return status;
}

/* The place of a node's value: its root's memory, its own shape. */
static clv_operand operand_of(const planner *p, clv_node node)
{
    clv_operand operand = p->state[p->state[node].root].operand;
    operand.shape = clv_graph_node(p->graph, node)->shape;
    return operand;
}

static void fill_operands(planner *p)
{
    for (int t = 0; t < p->plan->calls; t++) {
        clv_call *call = &p->plan->call[t];
        const clv_node_info *info = clv_graph_node(p->graph, call->node);
        for (int k = 0; k < info->inputs; k++) call->in[k] = operand_of(p, info->input[k]);
        call->out = operand_of(p, call->node);
        if (info->op == CLV_OP_RECORD) call->slots = p->plan->slots;
    }
    for (clv_node i = 0; i < p->plan->nodes; i++)
        if (p->state[i].live && p->state[i].kept) p->plan->place[i] = operand_of(p, i);
}

static clv_status size_spaces(planner *p)
{
    clv_status status = CLV_OK;
    clv_error *err = p->err;
    size_t *elements = p->plan->elements;
    const clv_op optimiser = p->optimiser ? p->optimiser->op : CLV_OP_COUNT;
    elements[CLV_SPACE_PARAM] = p->layout->elements;
    elements[CLV_SPACE_GRAD] = p->gradient ? p->layout->trained : 0;
    elements[CLV_SPACE_MOMENT1] = p->optimiser ? p->layout->trained : 0;
    elements[CLV_SPACE_MOMENT2] = clv_op_has_moment2(optimiser) ? p->layout->trained : 0;
    elements[CLV_SPACE_RATE] = p->optimiser && p->optimiser->attr.rated ? p->layout->trained : 0;
    CLV_REQUIRE(p->plan->slots == 0 || p->options->trace_rows >= 1, CLV_ERR_INTERNAL,
                "the plan records, but its trace has %d rows", p->options->trace_rows);
    elements[CLV_SPACE_TRACE] = (size_t)p->plan->slots * (size_t)(p->plan->slots ? p->options->trace_rows : 0);
done:
    return status;
}

static clv_status make_plan(planner *p)
{
    clv_status status = CLV_OK;
    CLV_TRY(mark_gradients(p));
    mark_live(p);
    CLV_TRY(order_calls(p));
    choose_blocks(p);
    CLV_TRY(place_params(p));
    find_lifetimes(p);
    find_exact(p);
    CLV_TRY(place_arena(p, CLV_SPACE_HALF));
    CLV_TRY(place_arena(p, CLV_SPACE_ARENA));
    CLV_TRY(place_arena(p, CLV_SPACE_BATCH));
    CLV_TRY(size_spaces(p));
    fill_operands(p);
    if (p->options->storage == CLV_STORAGE_HALF) clv_plan_scale_loss(p->plan, p->graph);
done:
    return status;
}

clv_status clv_plan_create(const clv_graph *graph, const clv_param_layout *layout, const clv_node *gradient,
                           const clv_plan_options *options, clv_plan **plan, clv_error *err)
{
    clv_status status = check_options(options, err);
    if (status != CLV_OK) return status;
    const clv_param_layout no_params = {0};
    planner p = {.graph = graph, .options = options, .err = err, .gradient = gradient};
    p.layout = layout ? layout : &no_params;

    const size_t nodes = (size_t)clv_graph_size(graph);
    p.plan = clv_alloc(1, sizeof *p.plan, err);
    if (!p.plan) return CLV_ERR_INTERNAL;
    p.plan->nodes = (int)nodes;
    p.plan->batch = options->batch;
    p.plan->apart = options->apart;
    p.plan->loss_scale = 1;
    p.plan->lanes = (int)clv_round_up((size_t)options->batch, (size_t)options->lane_width);
    p.plan->call = clv_alloc(nodes, sizeof *p.plan->call, err);
    p.plan->place = p.plan->call ? clv_alloc(nodes, sizeof *p.plan->place, err) : NULL;
    p.state = p.plan->place ? clv_alloc(nodes, sizeof *p.state, err) : NULL;
    p.interval = p.state ? clv_alloc(nodes, sizeof *p.interval, err) : NULL;
    status = p.interval ? make_plan(&p) : CLV_ERR_INTERNAL;

    free(p.interval);
    free(p.state);
    if (status == CLV_OK)
        *plan = p.plan;
    else
        clv_plan_destroy(p.plan);
    return status;
}

void clv_plan_destroy(clv_plan *plan)
{
    if (!plan) return;
    free(plan->call);
    free(plan->place);
    free(plan);
}
