/* Plans: every value is where its readers look for it, shown by running plans of random graphs with the elements'
 * makers in place of their values; dead nodes are gone, memory is reused or not, mistakes are refused, and no failed
 * allocation leaks. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "graph/place.h"
#include "random_graph.h"

typedef struct planned {
    network net;
    clv_param_layout layout;
    clv_node gradient[MAX_PARAMS]; /* in the layout's order */
    clv_plan *plan;
} planned;

static void find_gradients(planned *p)
{
    for (int i = 0; i < p->layout.params; i++)
        for (int k = 0; k < p->net.params; k++)
            if (clv_graph_find_param(p->net.graph, p->layout.param[i].name) == p->net.param[k])
                p->gradient[i] = p->net.gradient[k];
}

/* Plans p->net; the status is the network's. */
static void make_plan(planned *p, const clv_plan_options *options)
{
    network *net = &p->net;
    if (net->status == CLV_OK)
        net->status = clv_param_layout_create(net->graph, net->param, net->trained, net->params, options->alignment,
                                              &p->layout, &net->err);
    if (net->status != CLV_OK) return;
    find_gradients(p);
    net->status = clv_plan_create(net->graph, &p->layout, p->gradient, options, &p->plan, &net->err);
}

static void end(planned *p)
{
    clv_plan_destroy(p->plan);
    clv_param_layout_destroy(&p->layout);
    network_end(&p->net);
}

static clv_plan_options random_options(unsigned long seed, bool reuse)
{
    network dice = {.random = seed ^ 0x5555};
    return (clv_plan_options){.batch = 1 + draw(&dice, 9),
                              .lane_width = 1 << draw(&dice, 4),
                              .alignment = (size_t)1 << draw(&dice, 6),
                              .block = 1 << draw(&dice, 5),
                              .reuse = reuse,
                              .trace_rows = 3};
}

static planned random_plan(unsigned long seed, bool fused, bool reuse)
{
    planned p = {.net = random_network(seed)};
    if (p.net.status == CLV_OK && fused) p.net.status = clv_graph_fuse(p.net.graph, 0, &p.net.err);
    const clv_plan_options options = random_options(seed, reuse);
    make_plan(&p, &options);
    if (p.net.status != CLV_OK) fail_msg("seed %lu: %s", seed, p.net.err.message);
    return p;
}

/* ---- a plan run with makers for values ---- */

typedef struct machine {
    const planned *p;
    unsigned long seed;
    int step;
    int *maker[CLV_SPACE_COUNT]; /* of each element: what wrote it, 0 nobody */
} machine;

static clv_node root_of(const clv_graph *graph, clv_node node)
{
    while (clv_graph_node(graph, node)->op == CLV_OP_RESHAPE) node = clv_graph_node(graph, node)->input[0];
    return node;
}

/* The mark of a value: made anew each step, but for what the host and the optimiser write. */
static int mark_of(const machine *m, clv_node node)
{
    const bool lasts = clv_op_table[clv_graph_node(m->p->net.graph, node)->op].family == CLV_FAMILY_SOURCE;
    return 1 + node + (lasts ? 0 : 100000 * m->step);
}

static void check_inside(const machine *m, const clv_operand *o, const char *what)
{
    const clv_plan *plan = m->p->plan;
    const size_t alignment = random_options(m->seed, true).alignment;
    if (o->space <= CLV_SPACE_NONE || o->space >= CLV_SPACE_COUNT || o->offset % alignment ||
        o->offset + clv_operand_elements(o, plan->lanes) > plan->elements[o->space])
        fail_msg("seed %lu: %s lies at %zu of space %d", m->seed, what, o->offset, (int)o->space);
}

static void write_mark(const machine *m, const clv_operand *o, clv_node node)
{
    check_inside(m, o, clv_graph_node(m->p->net.graph, node)->name);
    for (size_t i = 0; i < clv_operand_elements(o, m->p->plan->lanes); i++)
        m->maker[o->space][o->offset + i] = mark_of(m, node);
}

static void expect_mark(const machine *m, const clv_operand *o, clv_node node, const char *reader)
{
    const clv_graph *graph = m->p->net.graph;
    check_inside(m, o, reader);
    if (!clv_shape_equal(&o->shape, &clv_graph_node(graph, node)->shape))
        fail_msg("seed %lu: %s reads node %d by a wrong shape", m->seed, reader, (int)node);
    for (size_t i = 0; i < clv_operand_elements(o, m->p->plan->lanes); i++)
        if (m->maker[o->space][o->offset + i] != mark_of(m, root_of(graph, node)))
            fail_msg("seed %lu, step %d: %s looks for node %d and finds mark %d", m->seed, m->step, reader, (int)node,
                     m->maker[o->space][o->offset + i]);
}

static bool overlap(const clv_operand *a, const clv_operand *b, int lanes)
{
    return a->space == b->space && a->space != CLV_SPACE_NONE &&
           a->offset < b->offset + clv_operand_elements(b, lanes) &&
           b->offset < a->offset + clv_operand_elements(a, lanes);
}

static void run_call(const machine *m, const clv_call *call)
{
    const clv_node_info *info = clv_graph_node(m->p->net.graph, call->node);
    assert_int_equal(call->op, info->op);
    assert_int_equal(call->inputs, info->inputs);
    assert_string_equal(call->name, info->name);
    assert_memory_equal(&call->attr, &info->attr, sizeof info->attr);
    assert_int_equal(call->lanes, m->p->plan->lanes);
    for (int k = 0; k < call->inputs; k++) {
        if (clv_call_writes(call, k))
            write_mark(m, &call->in[k], info->input[k]);
        else
            expect_mark(m, &call->in[k], info->input[k], call->name);
        if (overlap(&call->in[k], &call->out, call->lanes))
            fail_msg("seed %lu: %s overlaps an input", m->seed, call->name);
    }
    if (clv_op_has_effect(call->op)) {
        assert_int_equal(call->out.space, CLV_SPACE_NONE);
        if (call->op == CLV_OP_RECORD) assert_int_equal(call->slots, m->p->plan->slots);
        if (call->op == CLV_OP_ADAM) assert_int_equal(call->trained, m->p->layout.trained);
    } else {
        write_mark(m, &call->out, call->node);
    }
}

/* What the host wrote before the first step. */
static void write_sources(const machine *m)
{
    const planned *p = m->p;
    for (clv_node i = 0; i < p->plan->nodes; i++)
        if (clv_op_table[clv_graph_node(p->net.graph, i)->op].family == CLV_FAMILY_SOURCE &&
            p->plan->place[i].space != CLV_SPACE_NONE)
            write_mark(m, &p->plan->place[i], i);
}

/* What the host may read or rewrite after a step: all that has a place. */
static void check_places(const machine *m)
{
    const planned *p = m->p;
    for (clv_node i = 0; i < p->plan->nodes; i++)
        if (p->plan->place[i].space != CLV_SPACE_NONE) expect_mark(m, &p->plan->place[i], i, "the host");
    for (int i = 0; i < p->layout.params; i++) {
        if (p->gradient[i] == CLV_NODE_NONE) continue;
        const clv_operand *place = &p->plan->place[p->gradient[i]];
        assert_int_equal(place->space, CLV_SPACE_GRAD);
        assert_int_equal(place->offset, p->layout.param[i].offset);
    }
}

/* The calls of a level may run in any order: here the last of each first. */
static void run_backwards_in_levels(const machine *m)
{
    const clv_plan *plan = m->p->plan;
    for (int first = 0, end; first < plan->calls; first = end) {
        for (end = first; end < plan->calls && plan->call[end].level == plan->call[first].level;) end++;
        for (int i = end - 1; i >= first; i--) run_call(m, &plan->call[i]);
    }
}

static void run_plan(const planned *p, unsigned long seed)
{
    machine m = {.p = p, .seed = seed};
    for (int s = 0; s < CLV_SPACE_COUNT; s++) {
        m.maker[s] = calloc(p->plan->elements[s] + 1, sizeof *m.maker[s]);
        assert_non_null(m.maker[s]);
    }
    write_sources(&m);
    for (m.step = 1; m.step <= 3; m.step++) {
        if (m.step == 2) {
            run_backwards_in_levels(&m);
        } else {
            for (int i = 0; i < p->plan->calls; i++) run_call(&m, &p->plan->call[i]);
        }
        check_places(&m);
    }
    for (int s = 0; s < CLV_SPACE_COUNT; s++) free(m.maker[s]);
}

/* The nodes that a plan must keep, found by following inputs from what is wanted. */
static void need(const clv_graph *graph, clv_node node, bool *needed)
{
    if (needed[node]) return;
    needed[node] = true;
    const clv_node_info *info = clv_graph_node(graph, node);
    for (int k = 0; k < info->inputs; k++) need(graph, info->input[k], needed);
    if (info->op != CLV_OP_RESULT) return;
    for (clv_node i = node + 1; i < clv_graph_size(graph); i++) {
        const clv_node_info *writer = clv_graph_node(graph, i);
        const bool writes = !graph->entry[i]->fused_away && clv_op_writes_input(writer->op, &writer->attr);
        if (writes && writer->input[writer->inputs - 1] == node) need(graph, i, needed);
    }
}

/* Calls come level by level, and as their nodes do within one; a result's readers may come behind its writer. */
static bool in_order(const planned *p, int k)
{
    const clv_call *before = &p->plan->call[k - 1], *call = &p->plan->call[k];
    if (before->level != call->level) return before->level < call->level;
    if (before->node < call->node) return true;
    for (int i = 0; i < k; i++)
        if (clv_op_writes_input(p->plan->call[i].op, &p->plan->call[i].attr) && p->plan->call[i].node > call->node)
            return true;
    return false;
}

static void check_calls(const planned *p, unsigned long seed)
{
    const clv_graph *graph = p->net.graph;
    const int nodes = clv_graph_size(graph);
    bool *needed = calloc((size_t)nodes, sizeof *needed);
    assert_non_null(needed);
    for (clv_node i = 0; i < nodes; i++)
        if (clv_graph_node(graph, i)->output) need(graph, i, needed);
    for (int i = 0; i < p->layout.params; i++)
        if (p->gradient[i] != CLV_NODE_NONE) need(graph, p->gradient[i], needed);

    int calls = 0;
    uint64_t multiply_adds = 0;
    for (clv_node i = 0; i < nodes; i++) {
        const clv_op op = clv_graph_node(graph, i)->op;
        const bool call =
            needed[i] && op != CLV_OP_PARAM && op != CLV_OP_INPUT && op != CLV_OP_RESULT && op != CLV_OP_RESHAPE;
        int seen = 0;
        for (int k = 0; k < p->plan->calls; k++) seen += p->plan->call[k].node == i;
        if (seen != (call ? 1 : 0)) fail_msg("seed %lu: node %d has %d calls", seed, (int)i, seen);
        if (!needed[i]) assert_int_equal(p->plan->place[i].space, CLV_SPACE_NONE);
        calls += call;
        multiply_adds += call ? clv_node_multiply_adds(graph, i) : 0;
    }
    assert_int_equal(p->plan->calls, calls);
    assert_true(p->plan->multiply_adds == multiply_adds);
    assert_int_equal(p->plan->call[calls - 1].op, CLV_OP_ADAM);
    for (int k = 1; k < calls; k++) assert_true(in_order(p, k));
    free(needed);
}

static void check_no_sharing(const planned *p, unsigned long seed)
{
    for (int i = 0; i < p->plan->calls; i++)
        for (int k = 0; k < i; k++) {
            const clv_operand *a = &p->plan->call[i].out, *b = &p->plan->call[k].out;
            if (overlap(a, b, p->plan->lanes)) fail_msg("seed %lu: calls %d and %d share memory", seed, i, k);
        }
}

static void test_random_plans(void **state)
{
    (void)state;
    const unsigned long seed = fresh_seed();
    size_t shared = 0, unshared = 0;
    for (unsigned long i = 0; i < 200; i++) {
        for (int variant = 0; variant < 4; variant++) {
            const bool reuse = variant & 1, fused = variant & 2;
            planned p = random_plan(seed + i, fused, reuse);
            check_calls(&p, seed + i);
            run_plan(&p, seed + i);
            if (!reuse) check_no_sharing(&p, seed + i);
            *(reuse ? &shared : &unshared) += p.plan->elements[CLV_SPACE_ARENA];
            end(&p);
        }
    }
    assert_true(shared < unshared * 3 / 4);
}

/* ---- a plan by hand ---- */

/* conv -> bias -> relu -> flat -> linear: two trained layers, the first frozen where `frozen`. shown: the host reads
 * the logits. */
static planned small_network(bool frozen, bool shown)
{
    planned p = {.net = network_start()};
    network *net = &p.net;
    const clv_node x = put_input(net, CLV_OP_GATHER, "images", 1, 6, 6),
                   t = put_input(net, CLV_OP_LABEL, "labels", 1, 1, 1);
    clv_node h = put_bias(net, "conv", put_conv(net, "conv", x, 3, (clv_attr){.kernel = 3, .stride = 2}));
    h = put_reshape(net, put1(net, CLV_OP_ACT, "conv", h, (clv_attr){.act = CLV_ACT_RELU}), 12, 1, 1);
    h = put_bias(net, "fc", put_linear(net, "fc", h, 5));
    const clv_node v = put2(net, CLV_OP_XENT, "loss", h, t, (clv_attr){0});
    put1(net, CLV_OP_RECORD, "loss", v, (clv_attr){.slot = 0});
    net->loss = put1(net, CLV_OP_MEAN, "mean", v, (clv_attr){0});
    if (shown) clv_graph_mark_output(net->graph, h);
    const int first = frozen ? 2 : 0;
    for (int i = 0; i < net->params; i++) {
        net->trained[i] = i >= first;
        net->gradient[i] = CLV_NODE_NONE;
    }
    assert_int_equal(net->status, CLV_OK);
    net->status = clv_graph_gradients(net->graph, net->loss, net->param + first, net->params - first,
                                      net->gradient + first, &net->err);
    put_shaped(net, CLV_OP_SGD, "sgd", 0, NULL, (clv_attr){.momentum = 0.9f}, NULL);
    assert_int_equal(net->status, CLV_OK);
    return p;
}

static const clv_plan_options options = {.batch = 10, .lane_width = 4, .alignment = 16, .reuse = true, .trace_rows = 7};

static void test_small_plan(void **state)
{
    (void)state;
    planned p = small_network(true, true);
    assert_int_equal(clv_graph_fuse(p.net.graph, 0, &p.net.err), CLV_OK);
    make_plan(&p, &options);
    assert_int_equal(p.net.status, CLV_OK);
    static const clv_op expected[] = {CLV_OP_GATHER,      CLV_OP_LABEL, CLV_OP_MEAN_GRAD, CLV_OP_CONV,
                                      CLV_OP_CONV,        CLV_OP_XENT,  CLV_OP_XENT_GRAD, CLV_OP_RECORD,
                                      CLV_OP_CONV_WEIGHT, CLV_OP_SGD};
    static const int levels[] = {0, 0, 0, 1, 2, 3, 3, 4, 4, 5};
    assert_int_equal(p.plan->calls, sizeof expected / sizeof *expected);
    for (int i = 0; i < p.plan->calls; i++) {
        assert_int_equal(p.plan->call[i].op, expected[i]);
        assert_int_equal(p.plan->call[i].level, levels[i]);
    }
    assert_int_equal(p.plan->batch, 10);
    assert_int_equal(p.plan->lanes, 12);
    assert_int_equal(p.plan->slots, 1);

    /* fc.weight [5][12] and fc.bias [5] trained; conv.weight [3][1][3][3], conv.bias [3] frozen */
    assert_int_equal(p.plan->elements[CLV_SPACE_PARAM], 64 + 16 + 32 + 16);
    assert_int_equal(p.plan->elements[CLV_SPACE_GRAD], 64 + 16);
    assert_int_equal(p.plan->elements[CLV_SPACE_MOMENT1], 64 + 16);
    assert_int_equal(p.plan->elements[CLV_SPACE_MOMENT2], 0);
    assert_int_equal(p.plan->elements[CLV_SPACE_TRACE], 7);
    assert_int_equal(p.plan->call[9].trained, 80);
    assert_true(p.plan->multiply_adds == 3 * 9 * 4 + 60 + 60);

    const clv_call *conv = &p.plan->call[3], *linear = &p.plan->call[4], *weight = &p.plan->call[8];
    assert_int_equal(conv->in[1].space, CLV_SPACE_PARAM);
    assert_int_equal(conv->in[1].offset, 80);
    assert_int_equal(linear->in[0].offset, conv->out.offset); /* a reshape is the same memory */
    assert_int_equal(linear->in[0].shape.dim[0], 12);
    assert_int_equal(weight->out.space, CLV_SPACE_GRAD);
    assert_int_equal(weight->out.offset, 0);
    assert_int_equal(p.plan->place[p.net.loss].space, CLV_SPACE_NONE); /* nobody reads the mean */
    end(&p);
}

/* A plan that does not train: the same graph without gradients keeps the forward pass alone. */
static void test_forward_only(void **state)
{
    (void)state;
    planned p = {.net = network_start()};
    network *net = &p.net;
    const clv_node x = put_input(net, CLV_OP_INPUT, "code", 2, 1, 1),
                   unused = put_input(net, CLV_OP_INPUT, "unused", 2, 1, 1);
    const clv_node h = put_linear(net, "fc", x, 8), view = put_reshape(net, h, 2, 2, 2);
    const clv_node mean =
        put1(net, CLV_OP_MEAN, "mean", put1(net, CLV_OP_SUM, "sum", view, (clv_attr){0}), (clv_attr){0});
    put1(net, CLV_OP_ACT, "dead", h, (clv_attr){.act = CLV_ACT_RELU});
    clv_graph_mark_output(net->graph, view);
    clv_graph_mark_output(net->graph, mean);
    const bool trained = false;
    assert_int_equal(clv_param_layout_create(net->graph, net->param, &trained, 1, 1, &p.layout, &net->err), CLV_OK);
    assert_int_equal(clv_plan_create(net->graph, &p.layout, NULL, &options, &p.plan, &net->err), CLV_OK);
    assert_int_equal(p.plan->calls, 3);
    assert_int_equal(p.plan->elements[CLV_SPACE_GRAD], 0);
    assert_int_equal(p.plan->elements[CLV_SPACE_TRACE], 0);
    assert_int_equal(p.plan->place[x].space, CLV_SPACE_ARENA);
    assert_int_equal(p.plan->place[unused].space, CLV_SPACE_NONE);
    assert_int_equal(p.plan->place[h].space, CLV_SPACE_NONE);
    assert_int_equal(p.plan->place[view].space, CLV_SPACE_ARENA);
    assert_int_equal(p.plan->place[view].offset, p.plan->call[0].out.offset);
    assert_int_equal(p.plan->place[mean].space, CLV_SPACE_ARENA);
    assert_int_equal(clv_operand_elements(&p.plan->place[mean], p.plan->lanes), 1);
    assert_int_equal(clv_operand_elements(&p.plan->place[view], p.plan->lanes), 8 * 12);
    end(&p);
}

/* A chain of equal tensors needs two of them at a time. */
static void test_reuse_of_a_chain(void **state)
{
    (void)state;
    for (int reuse = 0; reuse < 2; reuse++) {
        planned p = {.net = network_start()};
        clv_node h = put_input(&p.net, CLV_OP_GATHER, "x", 3, 4, 4);
        for (int i = 0; i < 10; i++) h = put1(&p.net, CLV_OP_SCALE, "s", h, (clv_attr){.alpha = 2});
        put1(&p.net, CLV_OP_RECORD, "r", put1(&p.net, CLV_OP_SUM, "v", h, (clv_attr){0}), (clv_attr){0});
        clv_plan_options o = options;
        o.reuse = reuse;
        assert_int_equal(clv_plan_create(p.net.graph, NULL, NULL, &o, &p.plan, &p.net.err), CLV_OK);
        assert_int_equal(p.plan->elements[CLV_SPACE_ARENA], (reuse ? 2 : 11) * 48 * 12 + (reuse ? 0 : 16));
        end(&p);
    }
}

static void test_layout(void **state)
{
    (void)state;
    network net = network_start();
    put_param(&net, "a", "w", 3, 3, 0, 0);
    put_param(&net, "b", "w", 5, 0, 0, 0);
    put_param(&net, "c", "w", 2, 2, 2, 2);
    put_param(&net, "d", "w", 1, 0, 0, 0);
    const bool trained[] = {false, true, false, true};
    clv_param_layout layout;
    assert_int_equal(clv_param_layout_create(net.graph, net.param, trained, 4, 8, &layout, &net.err), CLV_OK);
    static const char *const names[] = {"b.w", "d.w", "a.w", "c.w"};
    static const size_t offsets[] = {0, 8, 16, 32};
    for (int i = 0; i < 4; i++) {
        assert_string_equal(layout.param[i].name, names[i]);
        assert_int_equal(layout.param[i].offset, offsets[i]);
        assert_int_equal(layout.param[i].trained, i < 2);
    }
    assert_int_equal(layout.trained, 16);
    assert_int_equal(layout.elements, 48);
    clv_param_layout_destroy(&layout);
    clv_param_layout_destroy(&layout);

    const clv_node twice[] = {net.param[0], net.param[0]}, no_param[] = {put_input(&net, CLV_OP_INPUT, "x", 1, 1, 1)};
    assert_int_equal(clv_param_layout_create(net.graph, twice, trained, 2, 8, &layout, &net.err), CLV_ERR_INTERNAL);
    assert_non_null(strstr(net.err.message, "parameter 'a.w' is listed twice"));
    assert_int_equal(clv_param_layout_create(net.graph, no_param, trained, 1, 8, &layout, &net.err), CLV_ERR_INTERNAL);
    assert_int_equal(clv_param_layout_create(net.graph, net.param, trained, 4, 0, &layout, &net.err), CLV_ERR_INTERNAL);
    network_end(&net);
}

/* ---- blocks ---- */

static int blocks_of(planned *p, const clv_plan_options *o)
{
    clv_plan *plan = NULL;
    assert_int_equal(clv_plan_create(p->net.graph, &p->layout, p->gradient, o, &plan, &p->net.err), CLV_OK);
    const int blocks = plan->blocks;
    assert_int_equal(plan->lanes * (blocks ? blocks : 1), 12);
    clv_plan_destroy(plan);
    return blocks;
}

/* Each block on its way has an arena of its own, the same in each; parameters and losses are the batch's. */
static void test_blocks(void **state)
{
    (void)state;
    planned p = small_network(true, false);
    clv_plan_options o = options;
    o.block = 4;
    o.at_once = 2;
    assert_int_equal(clv_graph_fuse(p.net.graph, 0, &p.net.err), CLV_OK);
    make_plan(&p, &o);
    assert_int_equal(p.net.status, CLV_OK);
    const clv_plan *plan = p.plan;
    assert_int_equal(plan->blocks, 3);
    assert_int_equal(plan->lanes, 4);
    assert_int_equal(plan->batch, 10);
    assert_int_equal(plan->at_once, 2);
    assert_int_equal(plan->elements[CLV_SPACE_ARENA], 2 * plan->stride[CLV_SPACE_ARENA]);
    assert_int_equal(plan->elements[CLV_SPACE_BATCH], 3 * plan->stride[CLV_SPACE_BATCH]);
    assert_int_equal(plan->elements[CLV_SPACE_PARAM], 64 + 16 + 32 + 16);
    assert_int_equal(plan->elements[CLV_SPACE_TRACE], 7);
    for (int i = 0; i < plan->calls; i++) {
        const clv_call *call = &plan->call[i];
        assert_true(call->blocked);
        assert_int_equal(call->lanes, 4);
        if (call->out.space == CLV_SPACE_ARENA)
            assert_true(call->out.offset + clv_operand_elements(&call->out, 4) <= plan->stride[CLV_SPACE_ARENA]);
    }
    end(&p);
}

/* What the batch's records read when all blocks are done, no other call and no later block has overwritten: here
 * tensors of one number an image, of which there are many after the first loss. */
static void test_losses_outlive_blocks(void **state)
{
    (void)state;
    planned p = {.net = network_start()};
    clv_node v = put1(&p.net, CLV_OP_SUM, "v", put_input(&p.net, CLV_OP_GATHER, "x", 1, 4, 4), (clv_attr){0});
    for (int i = 0; i < 3; i++) {
        put1(&p.net, CLV_OP_RECORD, "r", v, (clv_attr){.slot = i});
        for (int k = 0; k < 4; k++) v = put1(&p.net, CLV_OP_SCALE, "s", v, (clv_attr){.alpha = 2});
    }
    put1(&p.net, CLV_OP_RECORD, "r", v, (clv_attr){.slot = 3});
    clv_plan_options o = options;
    o.block = 4;
    assert_int_equal(clv_plan_create(p.net.graph, NULL, NULL, &o, &p.plan, &p.net.err), CLV_OK);
    assert_int_equal(p.plan->blocks, 3);
    int records = 0;
    for (int i = 0; i < p.plan->calls; i++) {
        const clv_call *record = &p.plan->call[i];
        int writers = 0;
        if (record->op != CLV_OP_RECORD) continue;
        assert_int_equal(record->in[0].space, CLV_SPACE_BATCH); /* not a block's memory, which others take next */
        for (int k = 0; k < p.plan->calls; k++) {
            const clv_call *call = &p.plan->call[k];
            writers += call->op != CLV_OP_RECORD && overlap(&call->out, &record->in[0], 4);
        }
        assert_int_equal(writers, 1);
        records++;
    }
    assert_int_equal(records, 4);
    for (int i = 0; i < p.plan->calls; i++)
        assert_true(p.plan->call[i].out.space != CLV_SPACE_ARENA || p.plan->call[i].out.shape.batched);
    end(&p);
}

/* Only where the backend asks for it, all fusions that it needs are on, and the host neither reads nor writes images.
 */
static void test_batch_stays_whole(void **state)
{
    (void)state;
    static const unsigned needed[] = {CLV_FUSE_SUMS, CLV_FUSE_LAUNCHES, CLV_FUSE_CHAINS};
    planned p = small_network(true, false);
    clv_plan_options o = options;
    assert_int_equal(clv_graph_fuse(p.net.graph, 0, &p.net.err), CLV_OK);
    make_plan(&p, &o);
    assert_int_equal(p.net.status, CLV_OK);
    o.block = 4;
    assert_int_equal(blocks_of(&p, &o), 3);
    o.block = 12;
    assert_int_equal(blocks_of(&p, &o), 1);
    o.block = 8;
    assert_int_equal(blocks_of(&p, &o), 0); /* no whole number of blocks */
    o.block = 0;
    assert_int_equal(blocks_of(&p, &o), 0);
    o.block = 4;
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        o.apart = needed[i];
        assert_int_equal(blocks_of(&p, &o), 0);
    }
    o.apart = 0;
    for (clv_node i = 0; i < clv_graph_size(p.net.graph); i++)
        if (clv_graph_node(p.net.graph, i)->op == CLV_OP_CONV) clv_graph_mark_output(p.net.graph, i);
    assert_int_equal(blocks_of(&p, &o), 0);
    end(&p);
}

/* A convolution of so many channels, and a loss. */
static int blocks_of_conv(int channels)
{
    planned p = {.net = network_start()};
    network *net = &p.net;
    const clv_node x = put_input(net, CLV_OP_GATHER, "x", 16, 16, 16);
    const clv_node in[] = {x, put_param(net, "conv", "weight", channels, 16, 3, 3)};
    const clv_node y =
        put_shaped(net, CLV_OP_CONV, "conv", 2, in, (clv_attr){.kernel = 3, .stride = 1, .pad = 1}, NULL);
    put1(net, CLV_OP_RECORD, "r", put1(net, CLV_OP_SUM, "v", y, (clv_attr){0}), (clv_attr){0});
    net->trained[0] = false;
    net->gradient[0] = CLV_NODE_NONE;
    make_plan(&p, &(clv_plan_options){.batch = 8, .lane_width = 4, .block = 4, .alignment = 16, .trace_rows = 1});
    if (net->status != CLV_OK) fail_msg("%s", net->err.message);
    const int blocks = p.plan->blocks;
    end(&p);
    return blocks;
}

/* Large products keep the batch whole: 16 channels by 46 x 46 taps inside the border, for each of the results'. */
static void test_large_networks_stay_whole(void **state)
{
    (void)state;
    const int most = CLV_BLOCK_MULTIPLY_ADDS / (16 * 46 * 46);
    assert_int_equal(blocks_of_conv(most), 2);
    assert_int_equal(blocks_of_conv(most + 1), 0);
}

/* ---- refusals ---- */

static void expect_refusal(planned *p, const clv_plan_options *o, clv_status status, const char *message)
{
    clv_plan *plan = NULL;
    assert_int_equal(clv_plan_create(p->net.graph, &p->layout, p->gradient, o, &plan, &p->net.err), status);
    assert_null(plan);
    if (!strstr(p->net.err.message, message)) fail_msg("\"%s\" does not say \"%s\"", p->net.err.message, message);
}

static void test_options_refused(void **state)
{
    (void)state;
    planned p = small_network(false, true);
    make_plan(&p, &options);
    assert_int_equal(p.net.status, CLV_OK);
    clv_plan_options o = options;
    o.batch = 0;
    expect_refusal(&p, &o, CLV_ERR_CONFIG, "a batch of 0 images: it must be at least 1");
    o.batch = INT_MAX;
    expect_refusal(&p, &o, CLV_ERR_CONFIG, "a batch of 2147483647 images is too large");
    o.batch = 100 * 1000 * 1000;
    expect_refusal(&p, &o, CLV_ERR_CONFIG,
                   "'images' [1][6][6][n] has over 2147483647 elements in a batch of 100000000: lower");
    o = options;
    o.lane_width = 0;
    expect_refusal(&p, &o, CLV_ERR_INTERNAL, "a lane width of 0");
    o = options;
    o.alignment = 0;
    expect_refusal(&p, &o, CLV_ERR_INTERNAL, "an alignment of 0");
    o = options;
    o.trace_rows = 0;
    expect_refusal(&p, &o, CLV_ERR_INTERNAL, "the plan records, but its trace has 0 rows");
    end(&p);
}

static void test_gradients_refused(void **state)
{
    (void)state;
    planned p = small_network(false, true);
    make_plan(&p, &options);
    assert_int_equal(p.net.status, CLV_OK);
    const clv_node kept = p.gradient[0];
    p.gradient[0] = p.gradient[1];
    expect_refusal(&p, &options, CLV_ERR_INTERNAL, "has not the shape of parameter 'conv.weight'");
    p.gradient[0] = clv_graph_find_param(p.net.graph, "conv.weight");
    expect_refusal(&p, &options, CLV_ERR_INTERNAL, "cannot be the gradient of 'conv.weight'");
    p.gradient[0] = 9999;
    expect_refusal(&p, &options, CLV_ERR_INTERNAL, "node 9999 cannot be the gradient of 'conv.weight'");
    p.gradient[0] = CLV_NODE_NONE;
    expect_refusal(&p, &options, CLV_ERR_INTERNAL, "there is no gradient of the trained parameter 'conv.weight'");
    p.gradient[0] = kept;
    p.layout.param[0].trained = false;
    expect_refusal(&p, &options, CLV_ERR_INTERNAL, "a gradient of the frozen parameter 'conv.weight'");
    p.layout.param[0].trained = true;
    p.layout.param[0].shape.dim[0]++;
    p.gradient[0] = CLV_NODE_NONE;
    put1(&p.net, CLV_OP_RECORD, "again", put_input(&p.net, CLV_OP_INPUT, "v", 1, 1, 1), (clv_attr){.slot = 0});
    expect_refusal(&p, &options, CLV_ERR_CONFIG, "record 'loss' and record 'again' both write column 0 of the trace");
    end(&p);

    clv_plan *plan = NULL;
    p = small_network(false, true);
    assert_int_equal(clv_param_layout_create(p.net.graph, p.net.param, p.net.trained, 4, 1, &p.layout, &p.net.err),
                     CLV_OK);
    assert_int_equal(clv_plan_create(p.net.graph, &p.layout, NULL, &options, &plan, &p.net.err), CLV_ERR_INTERNAL);
    assert_non_null(strstr(p.net.err.message, "sgd 'sgd': the plan has no gradients"));
    put_shaped(&p.net, CLV_OP_ADAM, "adam", 0, NULL, (clv_attr){.eps = 1e-8f}, NULL);
    assert_int_equal(clv_plan_create(p.net.graph, &p.layout, NULL, &options, &plan, &p.net.err), CLV_ERR_CONFIG);
    assert_non_null(strstr(p.net.err.message, "'sgd' and 'adam' are two optimisers"));
    end(&p);
}

/* A matrix in the arena has no lanes: it may be larger than a batch of images of so many elements. */
static void test_matrix_has_no_lanes(void **state)
{
    (void)state;
    planned p = {.net = network_start()};
    const clv_shape square = {.rank = 2, .dim = {1500, 1500, 1, 1}};
    const clv_node x = put_input(&p.net, CLV_OP_INPUT, "x", 1500, 1, 1);
    const clv_node c = put_shaped(&p.net, CLV_OP_CONV_WEIGHT, "covariance", 2, (clv_node[]){x, x},
                                  (clv_attr){.kernel = 1, .stride = 1}, &square);
    clv_graph_mark_output(p.net.graph, c);
    clv_plan_options o = options;
    o.batch = 1024;
    make_plan(&p, &o);
    if (p.net.status != CLV_OK) fail_msg("%s", p.net.err.message);
    assert_true(p.plan->elements[CLV_SPACE_ARENA] >= 1500u * 1500u + 1500u * 1024u);
    assert_true(p.plan->elements[CLV_SPACE_ARENA] < 2 * 1500u * 1500u + 2 * 1500u * 1024u);
    end(&p);
}

static void test_parameters_missing_or_shared(void **state)
{
    (void)state;
    planned p = small_network(false, true);
    make_plan(&p, &options);
    assert_int_equal(p.net.status, CLV_OK);
    p.layout.param[2].name[0] = 'F';
    expect_refusal(&p, &options, CLV_ERR_INTERNAL, "the layout has no parameter 'fc.weight' of shape [5][12]");
    end(&p);

    p = (planned){.net = network_start()};
    const clv_node a = put_param(&p.net, "a", "bias", 4, 0, 0, 0), b = put_param(&p.net, "b", "bias", 4, 0, 0, 0);
    const clv_node g = put2(&p.net, CLV_OP_ADD, "d", a, b, (clv_attr){0});
    p.net.gradient[0] = p.net.gradient[1] = g;
    make_plan(&p, &options);
    assert_int_equal(p.net.status, CLV_ERR_INTERNAL);
    assert_non_null(strstr(p.net.err.message, "'a.bias' and 'b.bias' share one gradient node"));
    end(&p);
}

/* ---- placement ---- */

static void test_placement(void **state)
{
    (void)state;
    network dice = {.random = fresh_seed()};
    for (int round = 0; round < 200; round++) {
        clv_interval item[40];
        const int items = draw(&dice, 41);
        const size_t alignment = 1 + (size_t)draw(&dice, 9);
        size_t total = 77, sum = 0;
        for (int i = 0; i < items; i++) {
            const int birth = draw(&dice, 30);
            item[i] =
                (clv_interval){.size = (size_t)draw(&dice, 100), .birth = birth, .death = birth + draw(&dice, 10)};
            sum += clv_round_up(item[i].size, alignment);
        }
        assert_int_equal(clv_place_intervals(item, items, alignment, &total, NULL), CLV_OK);
        assert_true(total <= sum && total % alignment == 0);
        for (int i = 0; i < items; i++) {
            assert_true(item[i].offset % alignment == 0 && item[i].offset + item[i].size <= total);
            for (int k = 0; k < i; k++) {
                const bool alive = item[i].birth <= item[k].death && item[k].birth <= item[i].death;
                const bool same =
                    item[i].offset < item[k].offset + item[k].size && item[k].offset < item[i].offset + item[i].size;
                if (alive && same && item[i].size && item[k].size) fail_msg("round %d: %d and %d overlap", round, i, k);
            }
        }
    }
}

/* ---- allocation failures ---- */

static void test_allocation_failures(void **state)
{
    (void)state;
    planned built = {.net = random_network(fresh_seed())};
    assert_int_equal(built.net.status, CLV_OK);
    for (long nth = 1;; nth++) {
        clv_fail_allocation(nth);
        make_plan(&built, &options);
        clv_fail_allocation(0);
        if (built.net.status == CLV_OK) break;
        assert_int_equal(built.net.status, CLV_ERR_INTERNAL);
        assert_non_null(strstr(built.net.err.message, "out of memory"));
        assert_null(built.plan);
        clv_param_layout_destroy(&built.layout);
        built.net.status = CLV_OK;
    }
    end(&built);
    clv_plan_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_plans),
        cmocka_unit_test(test_small_plan),
        cmocka_unit_test(test_forward_only),
        cmocka_unit_test(test_reuse_of_a_chain),
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_losses_outlive_blocks),
        cmocka_unit_test(test_batch_stays_whole),
        cmocka_unit_test(test_large_networks_stay_whole),
        cmocka_unit_test(test_options_refused),
        cmocka_unit_test(test_gradients_refused),
        cmocka_unit_test(test_matrix_has_no_lanes),
        cmocka_unit_test(test_parameters_missing_or_shared),
        cmocka_unit_test(test_placement),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
