/* The reference backend: buffers are memory, a program is the plan's calls with their operands' addresses, and a step
 * runs them one after another by the table of either type. */
#include "backend/cpu/cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/half.h"
#include "base/memory.h"
#include "base/try.h"

typedef struct cpu_buffer {
    clv_buffer head;
    uint8_t *memory;
} cpu_buffer;

typedef struct cpu_program {
    clv_step step;
    int calls;
    clv_call *call; /* the plan's, copied */
    clv_cpu_call *bound;
} cpu_program;

static void destroy_buffer(clv_backend *be, clv_buffer *buffer)
{
    (void)be;
    if (!buffer) return;
    free(((cpu_buffer *)buffer)->memory);
    free(buffer);
}

static clv_status create_buffer(clv_backend *be, size_t bytes, clv_buffer **out, clv_error *err)
{
    cpu_buffer *buffer = clv_alloc(1, sizeof *buffer, err);
    if (!buffer) return CLV_ERR_INTERNAL;
    buffer->head.bytes = bytes;
    buffer->memory = clv_alloc(bytes, 1, err);
    if (!buffer->memory) {
        destroy_buffer(be, &buffer->head);
        return CLV_ERR_INTERNAL;
    }
    *out = &buffer->head;
    return CLV_OK;
}

static clv_status write_buffer(clv_backend *be, clv_buffer *buffer, size_t offset, const void *from, size_t bytes,
                               clv_error *err)
{
    (void)be, (void)err;
    memcpy(((cpu_buffer *)buffer)->memory + offset, from, bytes);
    return CLV_OK;
}

static clv_status read_buffer(clv_backend *be, const clv_buffer *buffer, size_t offset, void *to, size_t bytes,
                              clv_error *err)
{
    (void)be, (void)err;
    memcpy(to, ((const cpu_buffer *)buffer)->memory + offset, bytes);
    return CLV_OK;
}

static void *memory_of(const clv_buffer *buffer) { return buffer ? ((const cpu_buffer *)buffer)->memory : NULL; }

static void *address_of(const clv_backend *be, const clv_bindings *bindings, const clv_operand *operand)
{
    uint8_t *space = memory_of(bindings->space[operand->space]);
    return space ? space + clv_space_bytes(be, operand->space, operand->offset) : NULL;
}

static clv_cpu_call bind_call(const clv_backend *be, const clv_call *call, const clv_step *step,
                              const clv_bindings *bindings)
{
    clv_cpu_call c = {.call = call, .step = step};
    for (int i = 0; i < call->inputs; i++) c.in[i] = address_of(be, bindings, &call->in[i]);
    const int last = call->inputs - 1;
    if (last >= 0 && clv_call_writes(call, last)) c.beside = address_of(be, bindings, &call->in[last]);
    c.out = address_of(be, bindings, &call->out);
    c.param = memory_of(bindings->space[CLV_SPACE_PARAM]);
    c.grad = memory_of(bindings->space[CLV_SPACE_GRAD]);
    c.moment1 = memory_of(bindings->space[CLV_SPACE_MOMENT1]);
    c.moment2 = memory_of(bindings->space[CLV_SPACE_MOMENT2]);
    c.rate = memory_of(bindings->space[CLV_SPACE_RATE]);
    c.trace = memory_of(bindings->space[CLV_SPACE_TRACE]);
    if (clv_op_table[call->op].family != CLV_FAMILY_DATA) return c;
    const clv_device_dataset *data = &bindings->dataset[call->attr.dataset];
    c.images = memory_of(data->images);
    c.labels = memory_of(data->labels);
    c.order = memory_of(data->order);
    if (c.images) c.image_count = (uint32_t)(data->images->bytes / clv_cpu_features(&call->out.shape));
    if (c.labels) c.label_count = (uint32_t)data->labels->bytes;
    return c;
}

static void destroy_program(clv_backend *be, clv_program *opaque)
{
    (void)be;
    cpu_program *program = (cpu_program *)opaque;
    if (!program) return;
    free(program->bound);
    free(program->call);
    free(program);
}

static clv_status create_program(clv_backend *be, const clv_plan *plan, const clv_bindings *bindings, clv_program **out,
                                 clv_error *err)
{
    clv_status status = CLV_OK;
    cpu_program *program = clv_alloc(1, sizeof *program, err);
    if (!program) return CLV_ERR_INTERNAL;
    program->calls = plan->calls;
    program->call = clv_alloc((size_t)plan->calls, sizeof *program->call, err);
    program->bound = clv_alloc((size_t)plan->calls, sizeof *program->bound, err);
    if (!program->call || !program->bound) {
        status = CLV_ERR_INTERNAL;
        goto done;
    }
    for (int i = 0; i < plan->calls; i++) {
        program->call[i] = plan->call[i];
        program->bound[i] = bind_call(be, &program->call[i], &program->step, bindings);
    }
    *out = (clv_program *)program;
    program = NULL;
done:
    destroy_program(be, (clv_program *)program);
    return status;
}

/* A result that is stored as half, as it is once it was stored: this backend keeps it as a number of its own type. */
static void round_result(const clv_backend *be, const clv_call *call, const clv_operand *result, void *values)
{
    if (result->space != CLV_SPACE_HALF) return;
    const size_t elements = clv_operand_elements(result, call->lanes);
    float *as_float = values;
    double *as_double = values;
    if (be->element_size == sizeof(double))
        for (size_t i = 0; i < elements; i++) as_double[i] = clv_half_rounded(as_double[i]);
    else
        for (size_t i = 0; i < elements; i++) as_float[i] = (float)clv_half_rounded((double)as_float[i]);
}

static clv_status run_program(clv_backend *be, clv_program *opaque, const clv_step *step, clv_error *err)
{
    (void)err;
    cpu_program *program = (cpu_program *)opaque;
    const clv_cpu_function *table = be->element_size == sizeof(double) ? clv_cpu_table_double : clv_cpu_table_float;
    program->step = *step;
    for (int i = 0; i < program->calls; i++) {
        const clv_call *call = &program->call[i];
        const clv_cpu_call *bound = &program->bound[i];
        table[call->op](bound);
        round_result(be, call, &call->out, bound->out);
        if (bound->beside) round_result(be, call, &call->in[call->inputs - 1], bound->beside);
    }
    return CLV_OK;
}

static clv_status finish(clv_backend *be, clv_error *err)
{
    (void)be, (void)err;
    return CLV_OK;
}

static int launches_of(const clv_program *program) { return ((const cpu_program *)program)->calls; }

static uint64_t bytes_of(const clv_program *program)
{
    (void)program;
    return 0;
}

static void destroy_backend(clv_backend *be) { free(be); }

static const clv_backend_ops cpu_ops = {
    .buffer_create = create_buffer,
    .buffer_destroy = destroy_buffer,
    .buffer_write = write_buffer,
    .buffer_read = read_buffer,
    .program_create = create_program,
    .program_destroy = destroy_program,
    .program_run = run_program,
    .finish = finish,
    .destroy = destroy_backend,
    .program_launches = launches_of,
    .program_bytes = bytes_of,
};

clv_status clv_cpu_backend_create(bool use_double, clv_backend **out, clv_error *err)
{
    clv_backend *be = clv_alloc(1, sizeof *be, err);
    if (!be) return CLV_ERR_INTERNAL;
    be->ops = &cpu_ops;
    be->element_size = be->half_size = use_double ? sizeof(double) : sizeof(float);
    be->lane_width = CLV_CPU_LANES;
    be->alignment = 16;
    be->info = (clv_device_info){.kind = CLV_DEVICE_CPU, .compute_units = 1, .vector_width = CLV_CPU_LANES};
    snprintf(be->info.platform, sizeof be->info.platform, "clave");
    snprintf(be->info.name, sizeof be->info.name, "reference (%s)", use_double ? "double" : "float");
    snprintf(be->info.driver, sizeof be->info.driver, "%s", CLAVE_VERSION);
    snprintf(be->info.backend, sizeof be->info.backend, "cpu");
    *out = be;
    return CLV_OK;
}
