/* The wrapper around every backend: it checks the arguments of each call once, so that backends need not, converts
 * floats for backends of doubles, and refuses a step that would read or write outside its buffers. */
#include "backend/backend.h"

#include <stdlib.h>
#include <string.h>

#include "base/half.h"
#include "base/memory.h"
#include "base/try.h"

/* What clv_program_run must know of a program's plan; callers hold it as an opaque clv_program. */
typedef struct checked_program {
    clv_program *inner;
    uint32_t batch;
    bool visits;     /* gathers images or labels: the step's offset counts */
    uint64_t places; /* of the shortest order that it gathers by */
    bool records;    /* writes the trace: the step's row counts */
    uint64_t rows;   /* of the trace */
} checked_program;

static const char *const space_names[CLV_SPACE_COUNT] = {
    [CLV_SPACE_NONE] = "nothing",
    [CLV_SPACE_PARAM] = "parameters",
    [CLV_SPACE_GRAD] = "gradients",
    [CLV_SPACE_MOMENT1] = "first moments",
    [CLV_SPACE_MOMENT2] = "second moments",
    [CLV_SPACE_RATE] = "rate factors",
    [CLV_SPACE_ARENA] = "activations",
    [CLV_SPACE_HALF] = "activations in half precision",
    [CLV_SPACE_BATCH] = "losses of blocks",
    [CLV_SPACE_TRACE] = "trace",
};

clv_status clv_buffer_create(clv_backend *be, size_t bytes, clv_buffer **out, clv_error *err)
{
    if (bytes == 0) return clv_fail(err, CLV_ERR_INTERNAL, "a device buffer of 0 bytes was asked for");
    if (be->info.max_buffer_bytes && bytes > be->info.max_buffer_bytes)
        return clv_fail(err, CLV_ERR_DEVICE,
                        "%s holds at most %llu bytes in a buffer and %zu are needed: use a smaller batch or network",
                        be->info.name, (unsigned long long)be->info.max_buffer_bytes, bytes);
    return be->ops->buffer_create(be, bytes, out, err);
}

void clv_buffer_destroy(clv_backend *be, clv_buffer *buffer)
{
    if (buffer) be->ops->buffer_destroy(be, buffer);
}

/* Whether `count` units from `offset` on lie in a buffer of `units`. */
static clv_status check_range(const char *what, const char *unit, size_t offset, size_t count, size_t units,
                              clv_error *err)
{
    if (offset <= units && count <= units - offset) return CLV_OK;
    return clv_fail(err, CLV_ERR_INTERNAL, "%s of %zu %s from %zu on, in a device buffer of %zu", what, count, unit,
                    offset, units);
}

clv_status clv_buffer_write(clv_backend *be, clv_buffer *buffer, size_t offset, const void *from, size_t bytes,
                            clv_error *err)
{
    clv_status status;
    CLV_REQUIRE(buffer && (from || bytes == 0), CLV_ERR_INTERNAL,
                "a write to a device buffer that is missing, or from nothing");
    CLV_TRY(check_range("a write", "bytes", offset, bytes, buffer->bytes, err));
    if (bytes) CLV_TRY(be->ops->buffer_write(be, buffer, offset, from, bytes, err));
done:
    return status;
}

clv_status clv_buffer_read(clv_backend *be, const clv_buffer *buffer, size_t offset, void *to, size_t bytes,
                           clv_error *err)
{
    clv_status status;
    CLV_REQUIRE(buffer && (to || bytes == 0), CLV_ERR_INTERNAL,
                "a read of a device buffer that is missing, or to nowhere");
    CLV_TRY(check_range("a read", "bytes", offset, bytes, buffer->bytes, err));
    if (bytes) CLV_TRY(be->ops->buffer_read(be, buffer, offset, to, bytes, err));
done:
    return status;
}

enum { CONVERTED = 1024 }; /* doubles converted at a time */

clv_status clv_buffer_write_floats(clv_backend *be, clv_buffer *buffer, size_t offset, const float *from, size_t count,
                                   clv_error *err)
{
    clv_status status;
    CLV_REQUIRE(buffer && (from || count == 0), CLV_ERR_INTERNAL,
                "a write to a device buffer that is missing, or from nothing");
    CLV_TRY(check_range("a write", "elements", offset, count, buffer->bytes / be->element_size, err));
    if (be->element_size == sizeof *from)
        return clv_buffer_write(be, buffer, offset * sizeof *from, from, count * sizeof *from, err);
    for (size_t i = 0; i < count; i += CONVERTED) {
        double part[CONVERTED];
        const size_t n = count - i < CONVERTED ? count - i : CONVERTED;
        for (size_t j = 0; j < n; j++) part[j] = (double)from[i + j];
        CLV_TRY(clv_buffer_write(be, buffer, (offset + i) * sizeof *part, part, n * sizeof *part, err));
    }
done:
    return status;
}

clv_status clv_buffer_read_floats(clv_backend *be, const clv_buffer *buffer, size_t offset, float *to, size_t count,
                                  clv_error *err)
{
    clv_status status;
    CLV_REQUIRE(buffer && (to || count == 0), CLV_ERR_INTERNAL,
                "a read of a device buffer that is missing, or to nowhere");
    CLV_TRY(check_range("a read", "elements", offset, count, buffer->bytes / be->element_size, err));
    if (be->element_size == sizeof *to)
        return clv_buffer_read(be, buffer, offset * sizeof *to, to, count * sizeof *to, err);
    for (size_t i = 0; i < count; i += CONVERTED) {
        double part[CONVERTED];
        const size_t n = count - i < CONVERTED ? count - i : CONVERTED;
        CLV_TRY(clv_buffer_read(be, buffer, (offset + i) * sizeof *part, part, n * sizeof *part, err));
        for (size_t j = 0; j < n; j++) to[i + j] = (float)part[j];
    }
done:
    return status;
}

size_t clv_space_bytes(const clv_backend *be, clv_space space, size_t elements)
{
    return elements * (space == CLV_SPACE_HALF ? be->half_size : be->element_size);
}

/* Halves of a device are 16 bits, those of the reference numbers of its own type that a half can hold. */
clv_status clv_buffer_write_space(clv_backend *be, clv_space space, clv_buffer *buffer, size_t offset,
                                  const float *from, size_t count, clv_error *err)
{
    clv_status status = CLV_OK;
    uint16_t half[CONVERTED];
    float rounded[CONVERTED];
    if (space != CLV_SPACE_HALF) return clv_buffer_write_floats(be, buffer, offset, from, count, err);
    for (size_t i = 0; i < count; i += CONVERTED) {
        const size_t n = count - i < CONVERTED ? count - i : CONVERTED;
        clv_halves_of(from + i, n, half);
        clv_half_values(half, n, rounded);
        if (be->half_size == sizeof *half)
            CLV_TRY(clv_buffer_write(be, buffer, (offset + i) * sizeof *half, half, n * sizeof *half, err));
        else
            CLV_TRY(clv_buffer_write_floats(be, buffer, offset + i, rounded, n, err));
    }
done:
    return status;
}

clv_status clv_buffer_read_space(clv_backend *be, clv_space space, const clv_buffer *buffer, size_t offset, float *to,
                                 size_t count, clv_error *err)
{
    clv_status status = CLV_OK;
    uint16_t half[CONVERTED];
    if (space != CLV_SPACE_HALF || be->half_size != sizeof *half)
        return clv_buffer_read_floats(be, buffer, offset, to, count, err);
    for (size_t i = 0; i < count; i += CONVERTED) {
        const size_t n = count - i < CONVERTED ? count - i : CONVERTED;
        CLV_TRY(clv_buffer_read(be, buffer, (offset + i) * sizeof *half, half, n * sizeof *half, err));
        clv_half_values(half, n, to + i);
    }
done:
    return status;
}

/* Every space that the plan uses must be bound to a buffer that holds it. */
static clv_status check_spaces(const clv_backend *be, const clv_plan *plan, const clv_bindings *bindings,
                               clv_error *err)
{
    for (int s = 0; s < CLV_SPACE_COUNT; s++) {
        if (plan->elements[s] == 0) continue;
        const clv_buffer *buffer = bindings->space[s];
        if (!buffer)
            return clv_fail(err, CLV_ERR_INTERNAL, "the plan needs %zu elements of %s and no buffer is bound",
                            plan->elements[s], space_names[s]);
        const size_t elements = buffer->bytes / clv_space_bytes(be, (clv_space)s, 1);
        if (elements < plan->elements[s])
            return clv_fail(err, CLV_ERR_INTERNAL, "the plan needs %zu elements of %s, the buffer bound has %zu",
                            plan->elements[s], space_names[s], elements);
    }
    return CLV_OK;
}

static clv_status check_operand(const clv_backend *be, const clv_plan *plan, const clv_call *call,
                                const clv_operand *operand, const char *role, clv_error *err)
{
    clv_status status = CLV_OK;
    CLV_REQUIRE(operand->space > CLV_SPACE_NONE && operand->space < CLV_SPACE_COUNT, CLV_ERR_INTERNAL,
                "'%s' (%s): its %s lies nowhere", call->name, clv_op_table[call->op].name, role);
    const size_t alignment = clv_space_alignment(operand->space, be->alignment);
    CLV_REQUIRE(operand->offset % alignment == 0, CLV_ERR_INTERNAL,
                "'%s' (%s): its %s lies at %zu, not a multiple of %zu", call->name, clv_op_table[call->op].name, role,
                operand->offset, alignment);
    CLV_REQUIRE(operand->space != CLV_SPACE_HALF ||
                    (clv_op_takes_half(call->op) && operand->shape.batched && clv_shape_elements(&operand->shape) > 1),
                CLV_ERR_INTERNAL, "'%s' (%s): its %s cannot be stored as half", call->name, clv_op_table[call->op].name,
                role);
    for (int d = 0; d < CLV_MAX_RANK; d++)
        CLV_REQUIRE(operand->shape.dim[d] > 0, CLV_ERR_INTERNAL, "'%s' (%s): dimension %d of its %s is %d", call->name,
                    clv_op_table[call->op].name, d, role, operand->shape.dim[d]);
    const size_t elements = clv_operand_elements(operand, call->lanes),
                 size = plan->stride[operand->space] ? plan->stride[operand->space] : plan->elements[operand->space];
    CLV_REQUIRE(operand->offset <= size && elements <= size - operand->offset, CLV_ERR_INTERNAL,
                "'%s' (%s): its %s takes %zu elements from %zu on, and the plan has %zu of %s", call->name,
                clv_op_table[call->op].name, role, elements, operand->offset, size, space_names[operand->space]);
done:
    return status;
}

/* Ops without a result among the operands: they write the trace or the parameters. */
static bool has_result(clv_op op) { return op != CLV_OP_RECORD && clv_op_table[op].family != CLV_FAMILY_OPTIM; }

/* Rows of a matrix of pairs are images of the batch. */
static int points_of(const clv_call *call)
{
    if (clv_op_table[call->op].family != CLV_FAMILY_PAIRS) return 0;
    return call->op == CLV_OP_TSNE_FORCE ? call->in[1].shape.dim[0] : call->out.shape.dim[0];
}

static clv_status check_call(const clv_backend *be, const clv_plan *plan, const clv_call *call, clv_error *err)
{
    clv_status status = CLV_OK;
    CLV_REQUIRE((int)call->op >= 0 && call->op < CLV_OP_COUNT, CLV_ERR_INTERNAL, "'%s': there is no operation %d",
                call->name, (int)call->op);
    const char *op = clv_op_table[call->op].name;
    const int inputs = clv_op_inputs(call->op, &call->attr);
    CLV_REQUIRE(call->inputs == inputs, CLV_ERR_INTERNAL, "'%s' (%s): %d inputs instead of %d", call->name, op,
                call->inputs, inputs);
    CLV_REQUIRE(call->lanes == plan->lanes, CLV_ERR_INTERNAL, "'%s' (%s): %d lanes in a plan of %d", call->name, op,
                call->lanes, plan->lanes);
    for (int i = 0; i < call->inputs; i++) CLV_TRY(check_operand(be, plan, call, &call->in[i], "input", err));
    if (has_result(call->op)) CLV_TRY(check_operand(be, plan, call, &call->out, "result", err));
    CLV_REQUIRE(points_of(call) <= plan->batch, CLV_ERR_INTERNAL, "'%s' (%s): pairs of %d points in a batch of %d",
                call->name, op, points_of(call), plan->batch);
    if (call->op == CLV_OP_RECORD)
        CLV_REQUIRE(call->slots == plan->slots && call->attr.slot >= 0 && call->attr.slot < plan->slots,
                    CLV_ERR_INTERNAL, "'%s' (%s): column %d of a trace of %d, in a plan of %d", call->name, op,
                    call->attr.slot, call->slots, plan->slots);
    if (clv_op_table[call->op].family == CLV_FAMILY_OPTIM) {
        CLV_REQUIRE(
            call->trained <= plan->elements[CLV_SPACE_PARAM] && call->trained <= plan->elements[CLV_SPACE_GRAD] &&
                call->trained <= plan->elements[CLV_SPACE_MOMENT1] &&
                (!clv_op_has_moment2(call->op) || call->trained <= plan->elements[CLV_SPACE_MOMENT2]) &&
                (!call->attr.rated || call->trained <= plan->elements[CLV_SPACE_RATE]),
            CLV_ERR_INTERNAL,
            "'%s' (%s): %zu trained elements are more than the plan has of parameters, gradients, moments or rates",
            call->name, op, call->trained);
    }
done:
    return status;
}

/* The data set that a gather or label reads must be bound and fit the images' size; *places becomes the order's length.
 */
static clv_status check_dataset(const clv_call *call, const clv_bindings *bindings, uint64_t *places, clv_error *err)
{
    clv_status status = CLV_OK;
    CLV_REQUIRE(call->attr.dataset >= 0 && call->attr.dataset < CLV_MAX_DATASETS, CLV_ERR_INTERNAL,
                "'%s': there is no data set %d", call->name, call->attr.dataset);
    const clv_device_dataset *data = &bindings->dataset[call->attr.dataset];
    CLV_REQUIRE(data->order, CLV_ERR_INTERNAL, "'%s': data set %d has no order of images bound", call->name,
                call->attr.dataset);
    *places = data->order->bytes / sizeof(uint32_t);
    if (call->op == CLV_OP_LABEL) {
        CLV_REQUIRE(data->labels, CLV_ERR_INTERNAL, "'%s': data set %d has no labels bound", call->name,
                    call->attr.dataset);
    } else {
        const size_t pixels = (size_t)clv_shape_elements(&call->out.shape);
        CLV_REQUIRE(data->images, CLV_ERR_INTERNAL, "'%s': data set %d has no images bound", call->name,
                    call->attr.dataset);
        CLV_REQUIRE(data->images->bytes % pixels == 0, CLV_ERR_INTERNAL,
                    "'%s': %zu bytes of data set %d are no whole images of %zu pixels", call->name, data->images->bytes,
                    call->attr.dataset, pixels);
    }
done:
    return status;
}

static clv_status check_plan(const clv_backend *be, const clv_plan *plan, const clv_bindings *bindings,
                             checked_program *program, clv_error *err)
{
    clv_status status;
    const int lanes = plan->lanes * (plan->blocks ? plan->blocks : 1);
    CLV_REQUIRE(plan->batch > 0 && lanes >= plan->batch && plan->lanes % be->lane_width == 0, CLV_ERR_INTERNAL,
                "a plan of %d images in %d lanes, on a backend whose lanes are multiples of %d", plan->batch, lanes,
                be->lane_width);
    CLV_REQUIRE(plan->blocks == 0 || be->ops->block, CLV_ERR_INTERNAL, "a plan in %d blocks, on a backend without",
                plan->blocks);
    CLV_TRY(check_spaces(be, plan, bindings, err));
    program->batch = (uint32_t)plan->batch;
    program->places = UINT64_MAX;
    if (plan->slots > 0) program->rows = plan->elements[CLV_SPACE_TRACE] / (size_t)plan->slots;
    for (int i = 0; i < plan->calls; i++) {
        const clv_call *call = &plan->call[i];
        CLV_TRY(check_call(be, plan, call, err));
        if (call->op == CLV_OP_RECORD) program->records = true;
        if (clv_op_table[call->op].family != CLV_FAMILY_DATA) continue;
        uint64_t places = 0;
        CLV_TRY(check_dataset(call, bindings, &places, err));
        program->visits = true;
        if (places < program->places) program->places = places;
    }
done:
    return status;
}

clv_status clv_program_create(clv_backend *be, const clv_plan *plan, const clv_bindings *bindings, clv_program **out,
                              clv_error *err)
{
    clv_status status;
    checked_program *program = clv_alloc(1, sizeof *program, err);
    if (!program) return CLV_ERR_INTERNAL;
    CLV_TRY(check_plan(be, plan, bindings, program, err));
    CLV_TRY(be->ops->program_create(be, plan, bindings, &program->inner, err));
    *out = (clv_program *)program;
    program = NULL;
done:
    free(program);
    return status;
}

void clv_program_destroy(clv_backend *be, clv_program *program)
{
    if (!program) return;
    checked_program *checked = (checked_program *)program;
    be->ops->program_destroy(be, checked->inner);
    free(checked);
}

static clv_status check_step(const clv_program *program, const clv_step *step, clv_error *err)
{
    clv_status status = CLV_OK;
    CLV_REQUIRE(program && step, CLV_ERR_INTERNAL, "a step without a program, or without its values");
    const checked_program *checked = (const checked_program *)program;
    CLV_REQUIRE(step->count >= 1 && step->count <= checked->batch, CLV_ERR_INTERNAL,
                "a step of %u images; the plan takes 1 to %u", (unsigned)step->count, (unsigned)checked->batch);
    CLV_REQUIRE(!checked->visits || (uint64_t)step->offset + step->count <= checked->places, CLV_ERR_INTERNAL,
                "a step of %u images from place %u on, in an order of %llu", (unsigned)step->count,
                (unsigned)step->offset, (unsigned long long)checked->places);
    CLV_REQUIRE(!checked->records || step->row < checked->rows, CLV_ERR_INTERNAL,
                "a step into row %u of a trace of %llu", (unsigned)step->row, (unsigned long long)checked->rows);
done:
    return status;
}

clv_status clv_program_run(clv_backend *be, clv_program *program, const clv_step *step, clv_error *err)
{
    clv_status status;
    CLV_TRY(check_step(program, step, err));
    CLV_TRY(be->ops->program_run(be, ((checked_program *)program)->inner, step, err));
done:
    return status;
}

int clv_program_launches(const clv_backend *be, const clv_program *program)
{
    return be->ops->program_launches(((const checked_program *)program)->inner);
}

uint64_t clv_program_bytes(const clv_backend *be, const clv_program *program)
{
    return be->ops->program_bytes(((const checked_program *)program)->inner);
}

clv_status clv_program_trace(clv_backend *be, clv_program *program, const clv_step *step, FILE *out, clv_error *err)
{
    clv_status status;
    CLV_TRY(check_step(program, step, err));
    if (be->ops->program_trace)
        CLV_TRY(be->ops->program_trace(be, ((checked_program *)program)->inner, step, out, err));
done:
    return status;
}

clv_status clv_backend_peak(clv_backend *be, double *gflops, clv_error *err)
{
    *gflops = 0;
    return be->ops->peak ? be->ops->peak(be, gflops, err) : CLV_OK;
}

clv_status clv_backend_tune(clv_backend *be, const clv_plan *const *plan, int plans, const clv_tuning *tuning,
                            clv_error *err)
{
    return be->ops->tune ? be->ops->tune(be, plan, plans, tuning, err) : CLV_OK;
}

clv_status clv_backend_kernels(clv_backend *be, const clv_plan *plan, clv_text *text, clv_error *err)
{
    clv_status status = be->ops->kernels ? be->ops->kernels(be, plan, text, err) : CLV_OK;
    if (status == CLV_OK && text->failed)
        status = clv_fail(err, CLV_ERR_INTERNAL, "out of memory for the list of kernels");
    return status;
}

clv_status clv_backend_restore(clv_backend *be, const char *kernels, clv_error *err)
{
    return be->ops->restore ? be->ops->restore(be, kernels, err) : CLV_OK;
}

const char *clv_backend_notices(const clv_backend *be) { return be->ops->notices ? be->ops->notices(be) : ""; }

clv_status clv_backend_finish(clv_backend *be, clv_error *err) { return be->ops->finish(be, err); }

void clv_backend_destroy(clv_backend *be)
{
    if (be) be->ops->destroy(be);
}

clv_status clv_backend_create(const clv_device_options *options, clv_backend **out, clv_error *err)
{
    const char *backend = options->backend ? options->backend : "opencl";
    if (strcmp(backend, "opencl") == 0) return clv_opencl_backend_create(options, out, err);
    if (strcmp(backend, "cpu") == 0) return clv_cpu_backend_create(false, out, err);
    return clv_fail(err, CLV_ERR_CONFIG, "there is no backend '%s': device.backend is opencl or cpu", backend);
}

int clv_backend_block(const clv_backend *be, int batch, int *at_once)
{
    const int width = be->lane_width;
    *at_once = 0;
    return be->ops->block ? be->ops->block(be, (batch + width - 1) / width * width, at_once) : 0;
}
