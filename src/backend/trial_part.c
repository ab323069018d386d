/* The part of a large product's trial that is enough: some images of a conv or deconv, whose results are by image; some
 * channels of y of a weight gradient, whose sums are over all images. */
#include <stdlib.h>

#include "backend/trial.h"
#include "base/memory.h"
#include "base/philox.h"
#include "base/try.h"

#define ENOUGH         (1 << 26) /* multiply-adds: the reference takes some hundredths of a second */
#define LEAST_IMAGES   32
#define LEAST_CHANNELS 8

/* What a part takes some of. */
typedef struct cut {
    size_t whole, taken;
    size_t *chosen; /* [taken], rising */
} cut;

static bool is_weight(const clv_call *call) { return call->op == CLV_OP_CONV_WEIGHT; }

/* Of a product without a head or dropout, whose losses and random numbers go by the image's place in the batch. */
static cut cut_of(const clv_trial *t)
{
    const bool by_channel = is_weight(&t->call);
    const size_t whole = by_channel ? (size_t)t->call.in[1].shape.dim[0] : (size_t)t->batch,
                 least = by_channel ? LEAST_CHANNELS : LEAST_IMAGES;
    cut c = {.whole = whole, .taken = whole};
    if (clv_op_table[t->call.op].family != CLV_FAMILY_PRODUCT || t->call.attr.head || t->call.attr.rate > 0) return c;
    const double work = (double)clv_call_multiply_adds(&t->call) * t->batch;
    const size_t fit = work > ENOUGH ? (size_t)((double)whole * ENOUGH / work) : whole;
    c.taken = fit > least ? fit : least < whole ? least : whole;
    return c;
}

/* The first and the last, and one of each of as many equal stretches between them. */
static void choose(cut *c)
{
    clv_random random = clv_random_start(c->whole, CLV_STREAM_SELFTEST);
    for (size_t k = 0; k < c->taken; k++) {
        const size_t first = k * c->whole / c->taken, end = (k + 1) * c->whole / c->taken;
        c->chosen[k] = first + clv_random_below(&random, (uint32_t)(end - first));
    }
    c->chosen[0] = 0;
    c->chosen[c->taken - 1] = c->whole - 1;
}

static void take_shape(const cut *c, clv_shape *shape) { shape->dim[0] = (int)c->taken; }

/* The call of the part: fewer channels of y and of what has one of each. Fewer images are the trial's affair. */
static void take_call(const cut *c, clv_call *call)
{
    if (!is_weight(call)) return;
    take_shape(c, &call->in[1].shape);
    take_shape(c, &call->out.shape);
    if (call->attr.sum_of == 2) take_shape(c, &call->in[call->inputs - 1].shape);
}

/* Whether an input has one of each that the cut chooses; the result always has. */
static bool is_cut(const clv_call *call, int k)
{
    if (!is_weight(call)) return call->in[k].shape.batched;
    return k == 1 || (k == call->inputs - 1 && call->attr.sum_of == 2);
}

/* Where element i of the part's tensor of `elements` lies in the whole's: by image it is [feature][image], by channel
 * [channel][rest]. */
static size_t place_of(const clv_call *call, const cut *c, size_t elements, size_t i)
{
    if (!is_weight(call)) return i / c->taken * c->whole + c->chosen[i % c->taken];
    const size_t rest = elements / c->taken;
    return c->chosen[i / rest] * rest + i % rest;
}

static clv_status take_inputs(const clv_trial *whole, const cut *c, clv_trial *part, clv_error *err)
{
    for (int k = 0; k < part->call.inputs; k++) {
        const size_t elements = clv_trial_floats(part, &part->call.in[k].shape);
        if (!whole->in[k]) continue; /* a second result */
        if (!(part->in[k] = clv_alloc(elements, sizeof **part->in, err))) return CLV_ERR_INTERNAL;
        for (size_t i = 0; i < elements; i++)
            part->in[k][i] = whole->in[k][is_cut(&whole->call, k) ? place_of(&whole->call, c, elements, i) : i];
    }
    return CLV_OK;
}

static clv_status place_results(const clv_trial *whole, const cut *c, clv_trial_part *part, clv_error *err)
{
    const clv_call *call = &part->trial.call;
    const size_t results = part->trial.results = clv_trial_count(&part->trial),
                 first = clv_trial_first_results(&part->trial), first_of_whole = clv_trial_first_results(whole),
                 beside = results - first;
    if (!(part->place = clv_alloc(results, sizeof *part->place, err))) return CLV_ERR_INTERNAL;
    for (size_t i = 0; i < first; i++) part->place[i] = place_of(call, c, first, i);
    for (size_t i = 0; i < beside; i++)
        part->place[first + i] = first_of_whole + (is_cut(call, call->inputs - 1) ? place_of(call, c, beside, i) : i);
    return CLV_OK;
}

clv_status clv_trial_part_create(const clv_trial *whole, clv_trial_part *part, clv_error *err)
{
    clv_status status = CLV_OK;
    cut c = cut_of(whole);
    *part = (clv_trial_part){.place = NULL};
    if (c.taken == c.whole) return CLV_OK;
    part->trial = (clv_trial){.call = whole->call, .batch = whole->batch, .values = whole->values, .step = whole->step};
    if (!(c.chosen = clv_alloc(c.taken, sizeof *c.chosen, err))) return CLV_ERR_INTERNAL;
    choose(&c);
    if (!is_weight(&whole->call)) { /* no result of a product without a head depends on the count */
        part->trial.batch = (int)c.taken;
        part->trial.step.count = (uint32_t)c.taken;
    }
    take_call(&c, &part->trial.call);
    CLV_TRY(take_inputs(whole, &c, &part->trial, err));
    CLV_TRY(place_results(whole, &c, part, err));
done:
    free(c.chosen);
    if (status != CLV_OK) clv_trial_part_destroy(part);
    return status;
}

void clv_trial_part_destroy(clv_trial_part *part)
{
    clv_trial_destroy(&part->trial);
    free(part->place);
    part->place = NULL;
}
