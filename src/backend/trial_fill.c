/* The values of a trial: a table says what each input of each op is filled with. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend/trial.h"
#include "base/half.h"
#include "base/memory.h"
#include "base/philox.h"
#include "base/try.h"

typedef enum fill {
    NOTHING,
    ANY,      /* -2 .. 2 */
    FEW,      /* -3 .. 3, whole numbers: the largest of some is often there twice */
    FACTOR,   /* exact trials: integers, few enough that a sum of products stays exact; else -1 .. 1 */
    GRADIENT, /* as FACTOR, and 0 for lanes that are no images of the step: mean_grad made it so */
    TERM,     /* as FACTOR, of a plain sum */
    ADDEND,   /* a bias, a tensor to add: exact trials: integers; else -1 .. 1 */
    WEIGHT,   /* of an image: -1 .. 1, and 0 for lanes that are no images of the step */
    UNIT,     /* 0 .. 1: pixels */
    ACTIVE,   /* results of the call's activation, multiples of 1/8 in exact trials */
    CLASS     /* a label */
} fill;

static const fill fills[CLV_OP_COUNT][CLV_MAX_INPUTS] = {
    [CLV_OP_CONV] = {FACTOR, FACTOR},
    [CLV_OP_DECONV] = {FACTOR, FACTOR},
    [CLV_OP_CONV_WEIGHT] = {FACTOR, GRADIENT},
    [CLV_OP_BIAS] = {ANY, ANY},
    [CLV_OP_BIAS_GRAD] = {GRADIENT},
    [CLV_OP_ACT] = {ANY},
    [CLV_OP_ACT_GRAD] = {ANY, ACTIVE},
    [CLV_OP_DROPOUT] = {ANY},
    [CLV_OP_NOISE] = {UNIT},
    [CLV_OP_ADD] = {ANY, ANY},
    [CLV_OP_MUL] = {ANY, ANY},
    [CLV_OP_SCALE] = {ANY},
    [CLV_OP_RAMP] = {ANY},
    [CLV_OP_SUM] = {TERM},
    [CLV_OP_BROADCAST] = {ANY},
    [CLV_OP_SAMPLE] = {ANY, ANY},
    [CLV_OP_SAMPLE_GRAD] = {ANY, ANY},
    [CLV_OP_KL] = {ANY, ANY},
    [CLV_OP_KL_GRAD_LOGVAR] = {WEIGHT, ANY},
    [CLV_OP_MUL_IMAGE] = {WEIGHT, ANY},
    [CLV_OP_MSE] = {ANY, UNIT},
    [CLV_OP_MSE_GRAD] = {WEIGHT, ANY, UNIT},
    [CLV_OP_BCE] = {ANY, UNIT},
    [CLV_OP_BCE_GRAD] = {WEIGHT, ANY, UNIT},
    [CLV_OP_MSE_HEAD] = {ANY, UNIT},
    [CLV_OP_BCE_HEAD] = {ANY, UNIT},
    [CLV_OP_XENT] = {ANY, CLASS},
    [CLV_OP_XENT_GRAD] = {WEIGHT, ANY, CLASS},
    [CLV_OP_CORRECT] = {FEW, CLASS},
    [CLV_OP_DISTANCE] = {ANY},
    [CLV_OP_AFFINITY] = {UNIT},
    [CLV_OP_JOINT] = {UNIT},
    [CLV_OP_TSNE_FORCE] = {ANY, UNIT},
    [CLV_OP_TSNE_GRAD] = {UNIT},
    [CLV_OP_MEAN] = {ANY},
    [CLV_OP_RECORD] = {ANY},
};

bool clv_trial_applies(clv_op op)
{
    return clv_op_table[op].family != CLV_FAMILY_SOURCE && clv_op_table[op].family != CLV_FAMILY_VIEW;
}

static size_t features_of(const clv_shape *shape) { return (size_t)clv_shape_elements(shape); }

size_t clv_trial_floats(const clv_trial *t, const clv_shape *shape)
{
    return features_of(shape) * (shape->batched ? (size_t)t->batch : 1);
}

/* Terms of the longest sum that the call makes. */
static double terms_of(const clv_trial *t)
{
    const clv_call *call = &t->call;
    const double taps = call->attr.kernel > 1 ? (double)call->attr.kernel * call->attr.kernel : 1;
    const clv_shape *in = &call->in[0].shape;
    switch (call->op) {
    case CLV_OP_CONV:
    case CLV_OP_DECONV:
        return (call->in[1].shape.rank == 2 ? (double)features_of(in) : in->dim[0] * taps) + 1;
    case CLV_OP_CONV_WEIGHT: {
        const clv_shape *longest = &call->in[call->attr.sum_of == 1 ? 0 : 1].shape;
        return (double)longest->dim[1] * longest->dim[2] * t->batch;
    }
    case CLV_OP_BIAS_GRAD:
        return (double)in->dim[1] * in->dim[2] * t->batch;
    default:
        return (double)features_of(in);
    }
}

/* Integers -limit .. limit, times a power of two. */
typedef struct integers {
    int limit;
    float unit;
} integers;

/* The largest of a few integers with which no sum of `terms` leaves the 2^24 that float holds exactly. Beyond 2^24
 * terms sums are of -1, 0 and 1 and random signs keep them there. Where a sigmoid, a tanh or a loss follows, sums are
 * brought near 1. */
static integers integers_of(const clv_trial *t, fill kind, int input)
{
    const double terms = terms_of(t);
    if (kind == ADDEND) return (integers){8, 1};
    if (clv_op_table[t->call.op].family != CLV_FAMILY_PRODUCT) return (integers){terms * 8 < 0x1p24 ? 8 : 1, 1};
    const clv_attr *a = &t->call.attr;
    const bool bends = a->act == CLV_ACT_SIGMOID || a->act == CLV_ACT_TANH || a->head;
    const int limit = terms * 4 < 0x1p24 ? 2 : 1;
    return (integers){limit, bends && input == 1 ? (float)exp2(-ceil(log2(limit * sqrt(terms)))) : 1};
}

typedef struct source {
    clv_random random;
    uint32_t word;
    int bytes; /* left in word */
} source;

static int whole(source *s, int limit)
{
    if (s->bytes == 0) {
        s->word = clv_random_word(&s->random);
        s->bytes = 4;
    }
    const int byte = (int)(s->word & 255);
    s->word >>= 8;
    s->bytes--;
    return byte % (2 * limit + 1) - limit;
}

/* A value that the activation may give. */
static float active(source *s, clv_act act, bool exact)
{
    const float eighth = (float)whole(s, 7) / 8, x = exact ? eighth : 2 * clv_random_uniform(&s->random) - 1;
    switch (act) {
    case CLV_ACT_RELU:
        return x > 0 ? x : 0;
    case CLV_ACT_SIGMOID:
        return (x + 1) / 2;
    default:
        return x;
    }
}

static float value(source *s, const clv_trial *t, fill kind, const integers *z, const clv_shape *shape)
{
    const bool exact = t->values == CLV_TRIAL_EXACT;
    const clv_attr *a = &t->call.attr;
    switch (kind) {
    case CLASS:
        return (float)clv_random_below(&s->random,
                                       (uint32_t)features_of(&t->call.in[t->call.op == CLV_OP_XENT_GRAD].shape));
    case ACTIVE:
        return active(s, a->grad_act != CLV_ACT_NONE ? a->grad_act : a->act, exact);
    case UNIT:
        return clv_random_uniform(&s->random);
    case FEW:
        return (float)whole(s, 3);
    case ANY:
        return 4 * clv_random_uniform(&s->random) - 2;
    case FACTOR:
    case GRADIENT:
    case TERM:
    case ADDEND:
        if (exact) return (float)whole(s, z->limit) * (kind == ADDEND || shape->batched ? 1 : z->unit);
        break;
    default:
        break;
    }
    return 2 * clv_random_uniform(&s->random) - 1;
}

static fill fill_of(const clv_call *call, int input)
{
    if (call->op == CLV_OP_CONV_WEIGHT && input + 1 == call->attr.sum_of) return GRADIENT;
    if (call->op == CLV_OP_MSE_HEAD && input == 0 && call->attr.act != CLV_ACT_NONE) return ACTIVE;
    if (input < clv_op_table[call->op].inputs) return fills[call->op][input];
    if (call->attr.head && input == call->inputs - 2) return UNIT; /* the target */
    return input < 2 + call->attr.has_bias + call->attr.has_addend ? ADDEND : ACTIVE;
}

static clv_status fill_input(clv_trial *t, int input, source *s, clv_error *err)
{
    const clv_shape *shape = &t->call.in[input].shape;
    const fill kind = fill_of(&t->call, input);
    const integers z = integers_of(t, kind, input);
    const size_t count = clv_trial_floats(t, shape), batch = (size_t)t->batch;
    float *to = t->in[input] = clv_alloc(count, sizeof *to, err);
    if (!to) return CLV_ERR_INTERNAL;
    for (size_t i = 0; i < count; i++) {
        to[i] = value(s, t, kind, &z, shape);
        if ((kind == GRADIENT || kind == WEIGHT) && i % batch >= t->step.count) to[i] = 0;
        if (t->call.in[input].space == CLV_SPACE_HALF) to[i] = (float)clv_half_rounded((double)to[i]);
    }
    return CLV_OK;
}

/* Parameters and gradients of either sign; moments as after some steps, the second ones positive; rates
 * from 0 to 1. */
static clv_status fill_state(clv_trial *t, source *s, clv_error *err)
{
    for (int i = 0; i < CLV_TRIAL_STATES; i++) {
        float *to = t->state[i] = clv_alloc(t->call.trained, sizeof *to, err);
        if (!to) return CLV_ERR_INTERNAL;
        for (size_t j = 0; j < t->call.trained; j++) {
            const float u = clv_random_uniform(&s->random);
            to[j] = i == 3 ? 0.125f + u : i == 4 ? u : 2 * u - 1;
        }
    }
    return CLV_OK;
}

/* A few more images than the batch, visited in an order with repetitions. */
static clv_status fill_dataset(clv_trial *t, source *s, clv_error *err)
{
    clv_status status = CLV_OK;
    const size_t pixels = features_of(&t->call.out.shape);
    t->image_count = (size_t)t->batch + 3;
    t->places = (size_t)t->batch + 7;
    t->images = clv_alloc(t->image_count, pixels, err);
    t->labels = clv_alloc(t->image_count, 1, err);
    t->order = clv_alloc(t->places, sizeof *t->order, err);
    CLV_REQUIRE(t->images && t->labels && t->order, CLV_ERR_INTERNAL, "out of memory for a trial of '%s'",
                t->call.name);
    for (size_t i = 0; i < t->image_count * pixels; i++) t->images[i] = (uint8_t)(whole(s, 127) + 128);
    for (size_t i = 0; i < t->image_count; i++) t->labels[i] = (uint8_t)clv_random_below(&s->random, 10);
    for (size_t i = 0; i < t->places; i++) t->order[i] = clv_random_below(&s->random, (uint32_t)t->image_count);
    t->images[0] = 255;
    t->step.offset = 5;
done:
    return status;
}

/* The product without its head, in double and not rounded to half: what the head's errors are measured by. */
static clv_status find_y(clv_trial *t, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_backend *reference = NULL;
    clv_trial product = *t;
    product.call.attr.head = CLV_OP_PARAM;
    product.call.inputs -= 2;
    product.call.out.space = CLV_SPACE_ARENA;
    product.results = clv_trial_floats(t, &t->call.out.shape);
    if (!(t->y = clv_alloc(product.results, sizeof *t->y, err))) return CLV_ERR_INTERNAL;
    CLV_TRY(clv_cpu_backend_create(true, &reference, err));
    CLV_TRY(clv_trial_run(reference, &product, t->y, err));
done:
    clv_backend_destroy(reference);
    return status;
}

static size_t results_beside(const clv_trial *t)
{
    const int last = t->call.inputs - 1;
    return last >= 0 && clv_call_writes(&t->call, last) ? clv_trial_floats(t, &t->call.in[last].shape) : 0;
}

size_t clv_trial_count(const clv_trial *t)
{
    switch (t->call.op) {
    case CLV_OP_RECORD:
        return 1;
    case CLV_OP_ADAM:
    case CLV_OP_TSNE_STEP:
        return 3 * t->call.trained;
    case CLV_OP_SGD:
        return 2 * t->call.trained;
    default:
        return clv_trial_floats(t, &t->call.out.shape) + results_beside(t);
    }
}

size_t clv_trial_first_results(const clv_trial *trial) { return trial->results - results_beside(trial); }

clv_status clv_trial_create(const clv_call *call, int batch, clv_trial_values values, uint64_t seed, clv_trial *trial,
                            clv_error *err)
{
    clv_status status = CLV_OK;
    source s = {.random = clv_random_start(seed, CLV_STREAM_SELFTEST)};
    clv_trial t = {.call = *call, .batch = batch, .values = values};
    t.step = (clv_step){.seed = {(uint32_t)seed, (uint32_t)(seed >> 32)},
                        .step = 11,
                        .count = (uint32_t)(batch - batch / 4),
                        .row = 1,
                        .lr = 0.01f,
                        .correction1 = 1.5f,
                        .correction2 = 40,
                        .exaggeration = 12,
                        .momentum = 0.5f,
                        .ramp = 0.375f,
                        .noise = 0.3f};
    t.results = clv_trial_count(&t);
    for (int i = 0; i < call->inputs; i++)
        if (!clv_call_writes(call, i)) CLV_TRY(fill_input(&t, i, &s, err));
    if (call->attr.head) CLV_TRY(find_y(&t, err));
    if (clv_op_table[call->op].family == CLV_FAMILY_OPTIM) CLV_TRY(fill_state(&t, &s, err));
    if (clv_op_table[call->op].family == CLV_FAMILY_DATA) CLV_TRY(fill_dataset(&t, &s, err));
    *trial = t;
    memset(&t, 0, sizeof t);
done:
    clv_trial_destroy(&t);
    return status;
}

void clv_trial_destroy(clv_trial *trial)
{
    for (int i = 0; i < CLV_MAX_INPUTS; i++) free(trial->in[i]);
    for (int i = 0; i < CLV_TRIAL_STATES; i++) free(trial->state[i]);
    free(trial->y);
    free(trial->images);
    free(trial->labels);
    free(trial->order);
    memset(trial, 0, sizeof *trial);
}
