/* Runs a trial on a backend: places the call's operands with guards around them, fills the result with NaN, runs one
 * step, and sees that nothing but the result changed. */
#include "backend/trial.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/half.h"
#include "base/memory.h"
#include "base/try.h"

enum { GUARD = 64, TRACE_ROWS = 3 }; /* elements before and behind every operand */
static const float guard_value = -12345.678f;

/* The call as placed on one backend, with a copy of every space on the host. */
typedef struct stage {
    clv_backend *be;
    const clv_trial *trial;
    clv_call call;
    clv_plan plan;
    clv_bindings bindings;
    float *before[CLV_SPACE_COUNT], *after[CLV_SPACE_COUNT]; /* [plan.elements] */
} stage;

static size_t round_up(size_t n, size_t step) { return (n + step - 1) / step * step; }

static void place(stage *s, clv_operand *operand)
{
    size_t *used = &s->plan.elements[operand->space];
    operand->offset = round_up(*used + GUARD, clv_space_alignment(operand->space, s->be->alignment));
    *used = operand->offset + clv_operand_elements(operand, s->call.lanes);
}

static bool has_result(const clv_call *call) { return call->out.space != CLV_SPACE_NONE; }
static bool is_optimiser(clv_op op) { return clv_op_table[op].family == CLV_FAMILY_OPTIM; }

static void place_all(stage *s)
{
    const size_t width = (size_t)s->be->lane_width;
    s->call = s->trial->call;
    s->call.lanes = (int)round_up((size_t)s->trial->batch, width);
    s->plan.batch = s->trial->batch;
    s->plan.lanes = s->call.lanes;
    s->plan.calls = 1;
    s->plan.call = &s->call;
    for (int i = 0; i < s->call.inputs; i++) place(s, &s->call.in[i]);
    if (has_result(&s->call)) place(s, &s->call.out);
    if (s->call.op == CLV_OP_RECORD) {
        s->plan.slots = s->call.slots;
        s->plan.elements[CLV_SPACE_TRACE] = (size_t)s->call.slots * TRACE_ROWS;
    }
    if (is_optimiser(s->call.op))
        for (int i = 0; i < CLV_TRIAL_STATES; i++) s->plan.elements[CLV_SPACE_PARAM + i] = s->call.trained;
    for (int i = 0; i < CLV_SPACE_COUNT; i++)
        if (s->plan.elements[i]) s->plan.elements[i] += GUARD;
}

/* What lies in the lanes beyond the batch: nothing that is used, so NaN where an op must not read it. Gradients are 0
 * there (their images' losses have no weight) and labels are 0. */
static float padding_of(const clv_call *call, int input)
{
    switch (call->op) {
    case CLV_OP_MEAN:
    case CLV_OP_RECORD:
        return NAN;
    case CLV_OP_BIAS_GRAD:
        return 0;
    case CLV_OP_CONV_WEIGHT:
        return input == 1 || input + 1 == call->attr.sum_of ? 0 : 3;
    case CLV_OP_XENT:
        return input == 1 ? 0 : 3;
    case CLV_OP_XENT_GRAD:
        return input != 1 ? 0 : 3;
    default:
        return 3;
    }
}

/* [feature][image] -> [feature][lane] */
static void spread(const stage *s, const clv_operand *operand, const float *values, float padding)
{
    float *to = s->before[operand->space] + operand->offset;
    const size_t batch = (size_t)s->trial->batch, lanes = (size_t)s->call.lanes,
                 features = (size_t)clv_shape_elements(&operand->shape);
    if (!operand->shape.batched) {
        memcpy(to, values, features * sizeof *to);
        return;
    }
    for (size_t f = 0; f < features; f++)
        for (size_t n = 0; n < lanes; n++) to[f * lanes + n] = n < batch ? values[f * batch + n] : padding;
}

static void fill_result(const stage *s, const clv_operand *result)
{
    float *to = s->before[result->space] + result->offset;
    const size_t elements = clv_operand_elements(result, s->call.lanes);
    for (size_t j = 0; j < elements; j++) to[j] = NAN;
}

static clv_status fill_spaces(stage *s, clv_error *err)
{
    for (int i = 0; i < CLV_SPACE_COUNT; i++) {
        const size_t elements = s->plan.elements[i];
        if (elements == 0) continue;
        s->before[i] = clv_alloc(elements, sizeof(float), err);
        s->after[i] = clv_alloc(elements, sizeof(float), err);
        if (!s->before[i] || !s->after[i]) return CLV_ERR_INTERNAL;
        const float guard = i == CLV_SPACE_HALF ? (float)clv_half_rounded((double)guard_value) : guard_value;
        for (size_t j = 0; j < elements; j++) s->before[i][j] = guard;
    }
    for (int i = 0; i < s->call.inputs; i++)
        if (clv_call_writes(&s->call, i))
            fill_result(s, &s->call.in[i]);
        else
            spread(s, &s->call.in[i], s->trial->in[i], padding_of(&s->call, i));
    if (has_result(&s->call)) fill_result(s, &s->call.out);
    if (is_optimiser(s->call.op))
        for (int i = 0; i < CLV_TRIAL_STATES; i++)
            memcpy(s->before[CLV_SPACE_PARAM + i], s->trial->state[i], s->call.trained * sizeof(float));
    return CLV_OK;
}

static clv_status create_bytes(clv_backend *be, const void *from, size_t bytes, clv_buffer **buffer, clv_error *err)
{
    clv_status status;
    CLV_TRY(clv_buffer_create(be, bytes, buffer, err));
    CLV_TRY(clv_buffer_write(be, *buffer, 0, from, bytes, err));
done:
    return status;
}

static clv_status bind(stage *s, clv_error *err)
{
    clv_status status = CLV_OK;
    for (int i = 0; i < CLV_SPACE_COUNT; i++) {
        const size_t elements = s->plan.elements[i];
        if (elements == 0) continue;
        const clv_space space = (clv_space)i;
        CLV_TRY(clv_buffer_create(s->be, clv_space_bytes(s->be, space, elements), &s->bindings.space[i], err));
        CLV_TRY(clv_buffer_write_space(s->be, space, s->bindings.space[i], 0, s->before[i], elements, err));
    }
    if (clv_op_table[s->call.op].family != CLV_FAMILY_DATA) goto done;
    const clv_trial *t = s->trial;
    clv_device_dataset *data = &s->bindings.dataset[t->call.attr.dataset];
    CLV_TRY(create_bytes(s->be, t->images, t->image_count * (size_t)clv_shape_elements(&t->call.out.shape),
                         &data->images, err));
    CLV_TRY(create_bytes(s->be, t->labels, t->image_count, &data->labels, err));
    CLV_TRY(create_bytes(s->be, t->order, t->places * sizeof *t->order, &data->order, err));
done:
    return status;
}

static clv_status run_step(stage *s, clv_error *err)
{
    clv_status status;
    clv_program *program = NULL;
    CLV_TRY(clv_program_create(s->be, &s->plan, &s->bindings, &program, err));
    CLV_TRY(clv_program_run(s->be, program, &s->trial->step, err));
    CLV_TRY(clv_backend_finish(s->be, err));
    for (int i = 0; i < CLV_SPACE_COUNT; i++)
        if (s->plan.elements[i])
            CLV_TRY(clv_buffer_read_space(s->be, (clv_space)i, s->bindings.space[i], 0, s->after[i],
                                          s->plan.elements[i], err));
done:
    clv_program_destroy(s->be, program);
    return status;
}

/* Element of the trace that a record writes. */
static size_t traced(const stage *s)
{
    return (size_t)s->trial->step.row * (size_t)s->call.slots + (size_t)s->call.attr.slot;
}

/* The elements first .. end - 1 of a space that the call may write. */
static void writable(const stage *s, int space, size_t *first, size_t *end)
{
    const clv_operand *out = &s->call.out;
    *first = *end = 0;
    if (s->call.op == CLV_OP_RECORD) {
        *first = traced(s);
        *end = *first + (space == CLV_SPACE_TRACE);
    } else if (is_optimiser(s->call.op)) {
        const bool moved = space == CLV_SPACE_PARAM || space == CLV_SPACE_MOMENT1 ||
                           (space == CLV_SPACE_MOMENT2 && clv_op_has_moment2(s->call.op));
        *end = moved ? s->call.trained : 0;
    } else if ((int)out->space == space) {
        *first = out->offset;
        *end = out->offset + clv_operand_elements(out, s->call.lanes);
    }
}

static bool lies_in(const stage *s, const clv_operand *operand, int space, size_t i)
{
    return (int)operand->space == space && i >= operand->offset &&
           i - operand->offset < clv_operand_elements(operand, s->call.lanes);
}

/* Whether it is of the second result that the call has. */
static bool is_written(const stage *s, int space, size_t i)
{
    const int last = s->call.inputs - 1;
    return last >= 0 && clv_call_writes(&s->call, last) && lies_in(s, &s->call.in[last], space, i);
}

static bool same(float a, float b) { return a == b || (isnan(a) && isnan(b)); }

static clv_status check_guards(const stage *s, clv_error *err)
{
    for (int space = 0; space < CLV_SPACE_COUNT; space++) {
        size_t first, end;
        writable(s, space, &first, &end);
        for (size_t i = 0; i < s->plan.elements[space]; i++) {
            const float before = s->before[space][i], after = s->after[space][i];
            if ((i >= first && i < end) || same(before, after) || is_written(s, space, i)) continue;
            char text[256];
            clv_trial_describe(s->trial, text, sizeof text);
            return clv_fail(err, CLV_ERR_DEVICE,
                            "'%s' (%s) writes outside its result: element %zu of buffer %d is %g and was %g, the "
                            "result is %zu to %zu",
                            s->call.name, text, i, space, (double)after, (double)before, first, end);
        }
    }
    return CLV_OK;
}

/* Data and the images' weights are 0 in the lanes beyond the step's images: all that makes padding harmless rests on
 * it. */
static clv_status check_padding(const stage *s, clv_error *err)
{
    const clv_operand *out = s->call.attr.noisy ? &s->call.in[0] : &s->call.out; /* noise is added to padding too */
    const bool head = clv_op_head(s->call.op, &s->call.attr);
    if (clv_op_table[s->call.op].family != CLV_FAMILY_DATA && s->call.op != CLV_OP_MEAN_GRAD && !head) return CLV_OK;
    const float *values = s->after[out->space] + out->offset;
    const size_t elements = clv_operand_elements(out, s->call.lanes);
    for (size_t i = 0; i < elements; i++) {
        const size_t n = i % (size_t)s->call.lanes;
        if (n < s->trial->step.count || values[i] == 0) continue;
        return clv_fail(err, CLV_ERR_DEVICE,
                        "'%s' (%s): feature %zu of lane %zu is %g instead of 0, the step has %u images", s->call.name,
                        clv_op_table[s->call.op].name, i / (size_t)s->call.lanes, n, (double)values[i],
                        (unsigned)s->trial->step.count);
    }
    return CLV_OK;
}

/* A tensor without its padding; returns its elements. */
static size_t collect_tensor(const stage *s, const clv_operand *operand, float *results)
{
    const float *from = s->after[operand->space] + operand->offset;
    const bool batched = operand->shape.batched;
    const size_t features = (size_t)clv_shape_elements(&operand->shape), rows = batched ? features : 1,
                 row = batched ? (size_t)s->trial->batch : features, stride = (size_t)s->call.lanes;
    for (size_t f = 0; f < rows; f++) memcpy(results + f * row, from + f * stride, row * sizeof *results);
    return rows * row;
}

static void collect(const stage *s, float *results)
{
    const size_t trained = s->call.trained;
    const int last = s->call.inputs - 1;
    if (s->call.op == CLV_OP_RECORD) {
        *results = s->after[CLV_SPACE_TRACE][traced(s)];
    } else if (is_optimiser(s->call.op)) {
        memcpy(results, s->after[CLV_SPACE_PARAM], trained * sizeof *results);
        memcpy(results + trained, s->after[CLV_SPACE_MOMENT1], trained * sizeof *results);
        if (clv_op_has_moment2(s->call.op))
            memcpy(results + 2 * trained, s->after[CLV_SPACE_MOMENT2], trained * sizeof *results);
    } else {
        const size_t taken = collect_tensor(s, &s->call.out, results);
        if (last >= 0 && clv_call_writes(&s->call, last)) collect_tensor(s, &s->call.in[last], results + taken);
    }
}

static void release(stage *s)
{
    for (int i = 0; i < CLV_SPACE_COUNT; i++) {
        free(s->before[i]);
        free(s->after[i]);
        clv_buffer_destroy(s->be, s->bindings.space[i]);
    }
    for (int i = 0; i < CLV_MAX_DATASETS; i++) {
        clv_buffer_destroy(s->be, s->bindings.dataset[i].images);
        clv_buffer_destroy(s->be, s->bindings.dataset[i].labels);
        clv_buffer_destroy(s->be, s->bindings.dataset[i].order);
    }
}

clv_status clv_trial_run(clv_backend *be, const clv_trial *trial, float *results, clv_error *err)
{
    clv_status status;
    stage s = {.be = be, .trial = trial};
    place_all(&s);
    CLV_TRY(fill_spaces(&s, err));
    CLV_TRY(bind(&s, err));
    CLV_TRY(run_step(&s, err));
    CLV_TRY(check_guards(&s, err));
    CLV_TRY(check_padding(&s, err));
    collect(&s, results);
done:
    release(&s);
    return status;
}

void clv_trial_describe(const clv_trial *trial, char *text, size_t size)
{
    const clv_call *call = &trial->call;
    char in[CLV_NAME_SIZE] = "", out[CLV_NAME_SIZE] = "";
    if (call->inputs) clv_shape_print(&call->in[0].shape, in);
    if (has_result(call)) clv_shape_print(&call->out.shape, out);
    snprintf(text, size, "%s%s%s%s%s", clv_op_table[call->op].name, *in ? " " : "", in, *out ? " -> " : "", out);
}

/* Where result i is, for messages. */
static void describe_place(const clv_trial *trial, size_t i, char *text, size_t size)
{
    const clv_call *call = &trial->call;
    const size_t batch = (size_t)trial->batch;
    if (has_result(call) && call->out.shape.batched)
        snprintf(text, size, "element %zu of image %zu", i / batch, i % batch);
    else
        snprintf(text, size, "element %zu", i);
}

static clv_status compare_one(const clv_trial *trial, size_t i, float reference, float result, clv_error *err)
{
    if (result == reference) return CLV_OK;
    const double wanted = (double)reference, got = (double)result, tolerance = clv_trial_tolerance(trial, wanted, i);
    if (fabs(got - wanted) <= tolerance) return CLV_OK;
    char text[256], at[64], limit[64] = "";
    clv_trial_describe(trial, text, sizeof text);
    describe_place(trial, i, at, sizeof at);
    if (tolerance > 0) snprintf(limit, sizeof limit, " (%.3g apart, allowed %.3g)", fabs(got - wanted), tolerance);
    return clv_fail(err, CLV_ERR_DEVICE, "'%s' (%s): %s is %.9g, the reference says %.9g%s", trial->call.name, text, at,
                    got, wanted, limit);
}

clv_status clv_trial_compare(const clv_trial *trial, const float *reference, const float *results, clv_error *err)
{
    clv_status status = CLV_OK;
    for (size_t i = 0; i < trial->results && status == CLV_OK; i++)
        status = compare_one(trial, i, reference[i], results[i], err);
    return status;
}

clv_status clv_trial_compare_part(const clv_trial *whole, const clv_trial_part *part, const float *reference,
                                  const float *results, clv_error *err)
{
    if (!part->place) return clv_trial_compare(whole, reference, results, err);
    for (size_t i = 0; i < whole->results; i++) {
        if (!isnan(results[i])) continue;
        char text[256], at[64];
        clv_trial_describe(whole, text, sizeof text);
        describe_place(whole, i, at, sizeof at);
        return clv_fail(err, CLV_ERR_DEVICE, "'%s' (%s): %s was not written or is no number", whole->call.name, text,
                        at);
    }
    clv_status status = CLV_OK;
    for (size_t i = 0; i < part->trial.results && status == CLV_OK; i++)
        status = compare_one(whole, part->place[i], reference[i], results[part->place[i]], err);
    return status;
}
