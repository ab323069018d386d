/* Plans made runnable: for each launch a kernel whose arguments are set once, so that a step is a write of its values
 * and a walk along the list. The host may run CLV_CL_RING steps ahead of the device. */
#include <stdlib.h>
#include <string.h>

#include "backend/opencl/opencl.h"
#include "base/memory.h"

static clv_cl_buffer *buffer_of(clv_buffer *buffer) { return (clv_cl_buffer *)buffer; }

typedef struct builder {
    clv_opencl *be;
    const clv_bindings *bindings;
    clv_cl_plan *plan;
} builder;

/* ---- operands ---- */

static clv_status operand_view(const builder *b, const clv_operand *operand, int lanes, cl_mem *view, clv_error *err)
{
    clv_buffer *buffer = b->bindings->space[operand->space];
    const clv_backend *be = &b->be->head;
    return clv_cl_view(buffer_of(buffer), clv_space_bytes(be, operand->space, operand->offset),
                       clv_space_bytes(be, operand->space, clv_operand_elements(operand, lanes)), view, err);
}

/* The whole buffer that an argument is, for all but operands and scratch. */
static clv_buffer *buffer_of_arg(const builder *b, const clv_call *call, clv_arg arg)
{
    const clv_device_dataset *data = &b->bindings->dataset[call->attr.dataset];
    switch (arg) {
    case CLV_ARG_STEP:
        return b->plan->step;
    case CLV_ARG_IMAGES:
        return data->images;
    case CLV_ARG_LABELS:
        return data->labels;
    case CLV_ARG_ORDER:
        return data->order;
    case CLV_ARG_TRACE:
        return b->bindings->space[CLV_SPACE_TRACE];
    case CLV_ARG_SEGMENTS:
        return b->plan->segments;
    case CLV_ARG_PARAM:
        return b->bindings->space[CLV_SPACE_PARAM];
    case CLV_ARG_GRAD:
        return b->bindings->space[CLV_SPACE_GRAD];
    case CLV_ARG_MOMENT1:
        return b->bindings->space[CLV_SPACE_MOMENT1];
    case CLV_ARG_MOMENT2:
        return b->bindings->space[CLV_SPACE_MOMENT2];
    case CLV_ARG_RATE:
        return b->bindings->space[CLV_SPACE_RATE];
    default:
        return NULL;
    }
}

static clv_status arg_view(const builder *b, const clv_call *call, const clv_launch *launch, int i, cl_mem *view,
                           clv_error *err)
{
    const clv_arg arg = launch->arg[i];
    if (arg <= CLV_ARG_IN4) return operand_view(b, &call->in[arg], call->lanes, view, err);
    if (arg == CLV_ARG_OUT) return operand_view(b, &call->out, call->lanes, view, err);
    if (arg == CLV_ARG_SCRATCH)
        return clv_cl_view(buffer_of(b->plan->scratch), launch->scratch_offset[i] * sizeof(float), 0, view, err);
    if (arg == CLV_ARG_PARTS)
        return clv_cl_view(buffer_of(b->plan->parts), launch->scratch_offset[i] * sizeof(float), 0, view, err);
    clv_buffer *buffer = buffer_of_arg(b, call, arg);
    if (!buffer)
        return clv_fail(err, CLV_ERR_INTERNAL, "%s: argument %d of kernel %s has no buffer", call->name, i,
                        launch->kernel);
    return clv_cl_view(buffer_of(buffer), 0, 0, view, err);
}

/* ---- creation ---- */

static clv_status write_recipe(const builder *b, const clv_call *call, clv_cl_recipe *r, clv_error *err)
{
    clv_status status = CLV_OK;
    CLV_TRY(clv_cl_uses_clblast(b->be, call, &r->clblast, err));
    if (!r->clblast) return clv_cl_launches_of(b->be, call, &r->list, err);
    clv_cl_gemm_of(call, &r->gemm);
    clv_launch_epilogue(&b->be->head.info, call, &r->list);
done:
    return status;
}

/* One scratch buffer serves all calls: they run one after another. */
static clv_status create_memory(const builder *b, const clv_cl_recipe *r, int calls, const clv_cl_sums *sums,
                                clv_error *err)
{
    clv_status status = CLV_OK;
    clv_backend *head = &b->be->head;
    size_t scratch = 0;
    for (int i = 0; i < calls; i++) {
        const size_t bytes = r[i].list.scratch * sizeof(float);
        size_t gemm_bytes = 0;
        if (r[i].clblast) CLV_TRY(clv_cl_gemm_scratch(b->be, &r[i].gemm, &gemm_bytes, err));
        if (bytes > scratch) scratch = bytes;
        if (gemm_bytes > scratch) scratch = gemm_bytes;
    }
    CLV_TRY(head->ops->buffer_create(head, sizeof(clv_step), &b->plan->step, err));
    if (scratch) CLV_TRY(head->ops->buffer_create(head, scratch, &b->plan->scratch, err));
    if (sums->segments == 0) goto done;
    const size_t bytes = (size_t)sums->segments * sizeof *sums->segment;
    CLV_TRY(head->ops->buffer_create(head, sums->elements * sizeof(float), &b->plan->parts, err));
    CLV_TRY(head->ops->buffer_create(head, bytes, &b->plan->segments, err));
    CLV_TRY(head->ops->buffer_write(head, b->plan->segments, 0, sums->segment, bytes, err));
done:
    return status;
}

static clv_status add_gemm(const builder *b, const clv_call *call, const clv_cl_gemm *gemm, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_cl_launch *l = &b->plan->launch[b->plan->launches++];
    *l = (clv_cl_launch){.call = call->name, .name = "CLBlast", .gemm = *gemm};
    CLV_TRY(operand_view(b, &call->in[gemm->a], call->lanes, &l->a, err));
    CLV_TRY(operand_view(b, &call->in[gemm->b], call->lanes, &l->b, err));
    CLV_TRY(operand_view(b, &call->out, call->lanes, &l->c, err));
done:
    return status;
}

static clv_status add_kernel(const builder *b, const clv_call *call, const clv_launch *launch, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_cl_launch *l = &b->plan->launch[b->plan->launches++];
    *l = (clv_cl_launch){.call = call->name, .name = launch->kernel, .dims = (cl_uint)launch->dims};
    memcpy(l->global, launch->global, sizeof l->global);
    memcpy(l->local, launch->local, sizeof l->local);
    CLV_TRY(clv_cl_program_get(b->be, launch, &l->program, err));
    CLV_CL_MAKE(l->kernel, clCreateKernel(l->program->program, launch->kernel, &code));
    for (int i = 0; i < launch->args; i++) {
        cl_mem view = NULL;
        CLV_TRY(arg_view(b, call, launch, i, &view, err));
        CLV_CL(clSetKernelArg(l->kernel, (cl_uint)i, sizeof view, &view));
    }
done:
    return status;
}

static clv_status add_calls(const builder *b, const clv_cl_recipe *r, int calls, clv_error *err)
{
    clv_status status = CLV_OK;
    size_t launches = 0;
    for (int i = 0; i < calls; i++) launches += (size_t)r[i].list.launches + r[i].clblast;
    if (!(b->plan->launch = clv_alloc(launches, sizeof *b->plan->launch, err))) return CLV_ERR_INTERNAL;
    for (int i = 0; i < calls && status == CLV_OK; i++) {
        const clv_call *call = &b->plan->call[i];
        if (r[i].clblast) status = add_gemm(b, call, &r[i].gemm, err);
        for (int j = 0; j < r[i].list.launches && status == CLV_OK; j++)
            status = add_kernel(b, call, &r[i].list.launch[j], err);
        if (status != CLV_OK) clv_fail_in(err, status, "'%s' (%s)", call->name, clv_op_table[call->op].name);
    }
    return status;
}

clv_status clv_cl_plan_create(clv_backend *head, const clv_plan *plan, const clv_bindings *bindings, clv_program **out,
                              clv_error *err)
{
    clv_opencl *be = (clv_opencl *)head;
    clv_status status = CLV_OK;
    clv_cl_recipe *r = NULL;
    clv_cl_plan *made = NULL;
    clv_cl_sums sums = {0};
    if (be->selftest && !be->testing) CLV_TRY(clv_cl_verify(be, plan, err));
    status = CLV_ERR_INTERNAL;
    if (!(made = clv_alloc(1, sizeof *made, err))) goto done;
    if (!(made->call = clv_alloc((size_t)plan->calls, sizeof *made->call, err))) goto done;
    if (!(r = clv_alloc((size_t)plan->calls, sizeof *r, err))) goto done;
    memcpy(made->call, plan->call, (size_t)plan->calls * sizeof *made->call);
    const builder b = {be, bindings, made};
    for (int i = 0; i < plan->calls; i++) CLV_TRY(write_recipe(&b, &made->call[i], &r[i], err));
    CLV_TRY(clv_cl_move_sums(made->call, r, plan->calls, &sums, err));
    CLV_TRY(create_memory(&b, r, plan->calls, &sums, err));
    CLV_TRY(add_calls(&b, r, plan->calls, err));
    *out = (clv_program *)made;
    made = NULL;
done:
    free(sums.segment);
    free(r);
    if (made) clv_cl_plan_destroy(head, (clv_program *)made);
    if (!be->testing) clv_cl_programs_sweep(be);
    return status;
}

/* A step may still be running: it is waited for, so that buffers may be destroyed next. */
void clv_cl_plan_destroy(clv_backend *head, clv_program *program)
{
    clv_opencl *be = (clv_opencl *)head;
    clv_cl_plan *plan = (clv_cl_plan *)program;
    clFinish(be->queue);
    for (int i = 0; i < CLV_CL_RING; i++)
        if (plan->written[i]) clReleaseEvent(plan->written[i]);
    for (int i = 0; i < plan->launches; i++) {
        if (plan->launch[i].program) clv_cl_program_release(be, plan->launch[i].program);
        if (plan->launch[i].kernel) clReleaseKernel(plan->launch[i].kernel);
    }
    if (plan->step) head->ops->buffer_destroy(head, plan->step);
    if (plan->scratch) head->ops->buffer_destroy(head, plan->scratch);
    if (plan->parts) head->ops->buffer_destroy(head, plan->parts);
    if (plan->segments) head->ops->buffer_destroy(head, plan->segments);
    free(plan->launch);
    free(plan->call);
    free(plan);
}

int clv_cl_plan_launches(const clv_program *program) { return ((const clv_cl_plan *)program)->launches; }

uint64_t clv_cl_plan_bytes(const clv_program *program)
{
    const clv_cl_plan *plan = (const clv_cl_plan *)program;
    const clv_buffer *const own[] = {plan->step, plan->scratch, plan->parts, plan->segments};
    uint64_t bytes = 0;
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) bytes += own[i] ? own[i]->bytes : 0;
    return bytes;
}

/* ---- running ---- */

clv_status clv_cl_enqueue(cl_command_queue queue, const clv_cl_plan *plan, cl_event *event, clv_error *err)
{
    clv_status status = CLV_OK;
    int i = 0;
    for (; i < plan->launches; i++) {
        const clv_cl_launch *l = &plan->launch[i];
        cl_event *done_event = event ? &event[i] : NULL;
        if (l->program) {
            CLV_CL(clEnqueueNDRangeKernel(queue, l->kernel, l->dims, NULL, l->global, l->local, 0, NULL, done_event));
            l->program->ran = true;
        } else {
            CLV_TRY(clv_cl_gemm_run(queue, &l->gemm, l->a, l->b, l->c,
                                    plan->scratch ? buffer_of(plan->scratch)->mem : NULL, done_event, err));
        }
    }
done:
    if (status != CLV_OK) clv_fail_in(err, status, "'%s', kernel %s", plan->launch[i].call, plan->launch[i].name);
    return status;
}

clv_status clv_cl_plan_run(clv_backend *head, clv_program *program, const clv_step *step, clv_error *err)
{
    clv_opencl *be = (clv_opencl *)head;
    clv_cl_plan *plan = (clv_cl_plan *)program;
    clv_status status = CLV_OK;
    cl_event *written = &plan->written[plan->slot];
    if (*written) {
        CLV_CL(clWaitForEvents(1, written));
        clReleaseEvent(*written);
        *written = NULL;
    }
    plan->ring[plan->slot] = *step;
    CLV_CL(clEnqueueWriteBuffer(be->queue, buffer_of(plan->step)->mem, CL_FALSE, 0, sizeof *step,
                                &plan->ring[plan->slot], 0, NULL, written));
    plan->slot = (plan->slot + 1) % CLV_CL_RING;
    CLV_TRY(clv_cl_enqueue(be->queue, plan, NULL, err));
    CLV_CL(clFlush(be->queue));
done:
    return status;
}
