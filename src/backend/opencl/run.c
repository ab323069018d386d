/* Plans made runnable: for each launch of the schedule a kernel whose arguments are set once, so that a step is a write
 * of its values and a walk along the list. The host may run CLV_CL_RING steps ahead of the device. */
#include <stdlib.h>
#include <string.h>

#include "backend/opencl/opencl.h"
#include "base/memory.h"

static clv_cl_buffer *buffer_of(clv_buffer *buffer) { return (clv_cl_buffer *)buffer; }

typedef struct builder {
    clv_opencl *be;
    const clv_bindings *bindings;
    clv_cl_plan *plan;
    clv_cl_calls calls;
} builder;

/* ---- operands ---- */

static clv_status operand_view(const builder *b, const clv_operand *operand, int lanes, cl_mem *view, clv_error *err)
{
    clv_buffer *buffer = b->bindings->space[operand->space];
    const clv_backend *be = &b->be->head;
    const size_t arenas = (size_t)(operand->space == CLV_SPACE_BATCH ? b->plan->blocks : b->plan->at_once);
    size_t elements = clv_operand_elements(operand, lanes);
    if (operand->shape.batched) elements += (arenas - 1) * b->plan->stride[operand->space]; /* up to the last */
    return clv_cl_view(buffer_of(buffer), clv_space_bytes(be, operand->space, operand->offset),
                       clv_space_bytes(be, operand->space, elements), view, err);
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

static clv_status arg_view(const builder *b, const clv_launch_item *item, int i, cl_mem *view, clv_error *err)
{
    const clv_call *call = &b->plan->call[item->call];
    const clv_launch *launch = item->launch;
    const clv_arg arg = launch->arg[i];
    if (arg <= CLV_ARG_IN4) return operand_view(b, &call->in[arg], call->lanes, view, err);
    if (arg == CLV_ARG_OUT) return operand_view(b, &call->out, call->lanes, view, err);
    if (arg == CLV_ARG_SCRATCH)
        return clv_cl_view(buffer_of(b->plan->scratch),
                           (b->calls.schedule.scratch[item->call] + launch->scratch_offset[i]) * sizeof(float), 0, view,
                           err);
    if (arg == CLV_ARG_PARTS)
        return clv_cl_view(buffer_of(b->plan->parts), launch->scratch_offset[i] * sizeof(float), 0, view, err);
    clv_buffer *buffer = buffer_of_arg(b, call, arg);
    if (!buffer)
        return clv_fail(err, CLV_ERR_INTERNAL, "%s: argument %d of kernel %s has no buffer", call->name, i,
                        launch->kernel);
    return clv_cl_view(buffer_of(buffer), 0, 0, view, err);
}

/* ---- creation ---- */

static clv_status create_memory(const builder *b, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_backend *head = &b->be->head;
    const clv_cl_sums *sums = &b->calls.sums;
    const size_t blocks = (size_t)b->plan->blocks,
                 scratch = (size_t)b->plan->at_once * b->calls.schedule.scratch_elements * sizeof(float);
    CLV_TRY(head->ops->buffer_create(head, blocks * sizeof(clv_step), &b->plan->step, err));
    if (scratch) CLV_TRY(head->ops->buffer_create(head, scratch, &b->plan->scratch, err));
    if (sums->segments == 0) goto done;
    const size_t bytes = (size_t)sums->segments * sizeof *sums->segment;
    CLV_TRY(head->ops->buffer_create(head, sums->elements * sizeof(float), &b->plan->parts, err));
    CLV_TRY(head->ops->buffer_create(head, bytes, &b->plan->segments, err));
    CLV_TRY(head->ops->buffer_write(head, b->plan->segments, 0, sums->segment, bytes, err));
    if (sums->kind == CLV_CL_SUMS_HOST_LEAVES)
        CLV_TRY(clv_cl_sums_leave(head, sums, b->bindings->space[CLV_SPACE_GRAD], b->plan->parts, err));
done:
    return status;
}

static clv_status add_gemm(const builder *b, const clv_launch_item *item, clv_cl_launch *l, clv_error *err)
{
    clv_status status = CLV_OK;
    const clv_call *call = &b->plan->call[item->call];
    const clv_cl_gemm *gemm = &b->calls.recipe[item->call].gemm;
    l->gemm = *gemm;
    if (b->plan->scratch)
        CLV_TRY(clv_cl_view(buffer_of(b->plan->scratch), b->calls.schedule.scratch[item->call] * sizeof(float), 0,
                            &l->scratch, err));
    CLV_TRY(operand_view(b, &call->in[gemm->a], call->lanes, &l->a, err));
    CLV_TRY(operand_view(b, &call->in[gemm->b], call->lanes, &l->b, err));
    CLV_TRY(operand_view(b, &call->out, call->lanes, &l->c, err));
done:
    return status;
}

static clv_status make_kernel(const builder *b, const clv_cl_unit *unit, clv_cl_launch *l, clv_error *err)
{
    clv_status status = CLV_OK;
    CLV_TRY(clv_cl_program_get(b->be, unit, &l->program, err));
    CLV_CL_MAKE(l->kernel, clCreateKernel(l->program->program, l->program->kernel, &code));
done:
    return status;
}

/* The arguments of an item from kernel argument `first` on. */
static clv_status bind_args(const builder *b, const clv_launch_item *item, cl_kernel kernel, int first, clv_error *err)
{
    clv_status status = CLV_OK;
    for (int i = 0; i < item->launch->args; i++) {
        cl_mem view = NULL;
        CLV_TRY(arg_view(b, item, i, &view, err));
        CLV_CL(clSetKernelArg(kernel, (cl_uint)(first + i), sizeof view, &view));
    }
done:
    return status;
}

static void set_joint_size(const clv_launch_unit *unit, clv_cl_launch *l)
{
    l->dims = 1;
    l->local[0] = clv_joint_size(unit);
    l->global[0] = clv_joint_groups(unit) * l->local[0];
}

/* The arguments that a joint kernel has for itself. `only`: -1, or which of its launches alone is to run. */
static clv_status bind_own(const builder *b, cl_kernel kernel, int only, clv_error *err)
{
    clv_status status = CLV_OK;
    const size_t *stride = b->plan->stride;
    const cl_uint values[] = {(cl_uint)only, 0, (cl_uint)stride[CLV_SPACE_ARENA], (cl_uint)stride[CLV_SPACE_HALF],
                              (cl_uint)b->calls.schedule.scratch_elements};
    cl_uint i = 0;
    for (; i < sizeof values / sizeof *values; i++) CLV_CL(clSetKernelArg(kernel, i, sizeof values[i], &values[i]));
    CLV_CL(clSetKernelArg(kernel, i, sizeof(cl_mem), &buffer_of(b->plan->step)->mem));
done:
    return status;
}

static clv_status add_joint(const builder *b, const clv_launch_group *group, const clv_cl_unit *of, clv_cl_launch *l,
                            clv_error *err)
{
    clv_status status = CLV_OK;
    const clv_launch_unit *unit = &of->unit;
    set_joint_size(unit, l);
    l->chain = unit->chain;
    l->blocks = unit->blocks;
    CLV_TRY(make_kernel(b, of, l, err));
    CLV_TRY(bind_own(b, l->kernel, -1, err));
    for (int i = 0, first = CLV_JOINT_OWN; i < group->items; first += unit->launch[i++]->args)
        CLV_TRY(bind_args(b, &b->calls.schedule.item[group->first + i], l->kernel, first, err));
done:
    return status;
}

/* A self-test of a call whose launch is part of a joint one in the plan to come: that program, the other parts asleep,
 * their arguments any buffer. */
static clv_status add_part_of_joint(const builder *b, const clv_launch_item *item, const clv_cl_unit *of, int place,
                                    clv_cl_launch *l, clv_error *err)
{
    clv_status status = CLV_OK;
    const clv_launch_unit *unit = &of->unit;
    const cl_mem any = buffer_of(b->plan->step)->mem;
    int args = CLV_JOINT_OWN, own = CLV_JOINT_OWN;
    for (int i = 0; i < unit->launches; args += unit->launch[i++]->args)
        if (i == place) own = args;
    set_joint_size(unit, l);
    if (unit->blocks > 0) l->global[0] = l->local[0]; /* the test's call is one block */
    CLV_TRY(make_kernel(b, of, l, err));
    CLV_TRY(bind_own(b, l->kernel, place, err));
    for (int i = CLV_JOINT_OWN; i < args; i++) CLV_CL(clSetKernelArg(l->kernel, (cl_uint)i, sizeof any, &any));
    CLV_TRY(bind_args(b, item, l->kernel, own, err));
done:
    return status;
}

static clv_status add_kernel(const builder *b, const clv_launch_item *item, const clv_cl_unit *unit, clv_cl_launch *l,
                             clv_error *err)
{
    clv_status status = CLV_OK;
    const clv_launch *launch = item->launch;
    int place = 0;
    const clv_cl_unit *tested = b->be->testing ? clv_cl_tested_unit(b->be, item, &place) : NULL;
    if (tested && clv_unit_is_joint(&tested->unit)) return add_part_of_joint(b, item, tested, place, l, err);
    l->dims = (cl_uint)launch->dims;
    memcpy(l->global, launch->global, sizeof l->global);
    memcpy(l->local, launch->local, sizeof l->local);
    CLV_TRY(make_kernel(b, unit, l, err));
    CLV_TRY(bind_args(b, item, l->kernel, 0, err));
done:
    return status;
}

/* The names of a group, for messages and traces. */
static void name_parts(const builder *b, const clv_launch_group *group, clv_cl_launch *l)
{
    l->part = &b->plan->part[group->first];
    l->parts = group->items;
    for (int i = 0; i < group->items; i++) {
        const clv_launch_item *item = &b->calls.schedule.item[group->first + i];
        l->part[i] = (clv_cl_part){b->plan->call[item->call].name, item->launch ? item->launch->kernel : "CLBlast"};
    }
}

static clv_status add_groups(const builder *b, clv_error *err)
{
    clv_status status = CLV_OK;
    const clv_launch_schedule *s = &b->calls.schedule;
    clv_cl_plan *plan = b->plan;
    plan->launch = clv_alloc((size_t)s->groups, sizeof *plan->launch, err);
    plan->part = plan->launch ? clv_alloc((size_t)s->items, sizeof *plan->part, err) : NULL;
    if (!plan->part) return CLV_ERR_INTERNAL;
    for (int i = 0; i < s->groups && status == CLV_OK; i++) {
        const clv_launch_group *group = &s->group[i];
        const clv_launch_item *first = &s->item[group->first];
        const clv_call *call = &plan->call[first->call];
        clv_cl_launch *l = &plan->launch[plan->launches++];
        name_parts(b, group, l);
        if (group->items > 1 || first->chain)
            status = add_joint(b, group, &b->calls.unit[i], l, err);
        else
            status = first->launch ? add_kernel(b, first, &b->calls.unit[i], l, err) : add_gemm(b, first, l, err);
        if (status != CLV_OK) clv_fail_in(err, status, "'%s' (%s)", call->name, clv_op_table[call->op].name);
    }
    return status;
}

/* Launches that are chains of blocks follow each other: some blocks go through all of them, then the next. */
static clv_status list_turns(clv_cl_plan *plan, clv_error *err)
{
    const int waves = (plan->blocks + plan->at_once - 1) / plan->at_once;
    plan->turn = clv_alloc((size_t)(plan->launches * waves), sizeof *plan->turn, err);
    if (!plan->turn) return CLV_ERR_INTERNAL;
    for (int i = 0, end; i < plan->launches; i = end) {
        for (end = i + 1; end < plan->launches && plan->launch[i].blocks && plan->launch[end].blocks;) end++;
        for (int first = 0; first < (plan->launch[i].blocks ? plan->blocks : 1); first += plan->at_once)
            for (int k = i; k < end; k++) plan->turn[plan->turns++] = (clv_cl_turn){k, first};
    }
    return CLV_OK;
}

/* A test's finding may change a call's kernels, and so what the calls after it run beside: then it begins anew. */
static clv_status verified_schedule(builder *b, const clv_plan *plan, clv_error *err)
{
    clv_opencl *be = b->be;
    clv_status status = CLV_OK;
    const bool verify = be->selftest && !be->testing;
    for (bool changed = true; changed && status == CLV_OK;) {
        changed = false;
        clv_cl_calls_free(&b->calls);
        status = clv_cl_schedule_calls(be, plan, &b->calls, err);
        if (status != CLV_OK || !verify) continue;
        status = clv_cl_verify(be, plan, &b->calls, &changed, err);
    }
    return status;
}

clv_status clv_cl_plan_create(clv_backend *head, const clv_plan *plan, const clv_bindings *bindings, clv_program **out,
                              clv_error *err)
{
    clv_opencl *be = (clv_opencl *)head;
    clv_status status = CLV_ERR_INTERNAL;
    clv_cl_plan *made = NULL;
    builder b = {be, bindings, NULL, {0}};
    if (!(made = clv_alloc(1, sizeof *made, err))) goto done;
    if (!(made->call = clv_alloc((size_t)plan->calls, sizeof *made->call, err))) goto done;
    memcpy(made->call, plan->call, (size_t)plan->calls * sizeof *made->call);
    b.plan = made;
    for (int i = 0; i < CLV_SPACE_COUNT; i++)
        CLV_REQUIRE(plan->stride[i] <= UINT32_MAX, CLV_ERR_CONFIG,
                    "a block of the batch takes over %u elements: set plan.fuse_chains = false", UINT32_MAX);
    made->blocks = plan->blocks > 0 ? plan->blocks : 1;
    made->at_once = plan->at_once > 0 ? plan->at_once : made->blocks;
    made->block_lanes = (uint32_t)plan->lanes;
    memcpy(made->stride, plan->stride, sizeof made->stride);
    if (!(made->ring = clv_alloc((size_t)made->blocks * CLV_CL_RING, sizeof *made->ring, err))) goto done;
    CLV_TRY(verified_schedule(&b, plan, err));
    if (!be->testing) CLV_TRY(clv_cl_bundles_make(be, &b.calls, NULL, NULL, err));
    CLV_TRY(create_memory(&b, err));
    CLV_TRY(add_groups(&b, err));
    CLV_TRY(list_turns(made, err));
    made->grad = bindings->space[CLV_SPACE_GRAD];
    made->sums = b.calls.sums;
    b.calls.sums = (clv_cl_sums){0};
    *out = (clv_program *)made;
    made = NULL;
done:
    clv_cl_calls_free(&b.calls);
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
    free(plan->turn);
    free(plan->part);
    free(plan->call);
    free(plan->ring);
    free(plan->sums.segment);
    free(plan);
}

int clv_cl_plan_launches(const clv_program *program) { return ((const clv_cl_plan *)program)->turns; }

uint64_t clv_cl_plan_bytes(const clv_program *program)
{
    const clv_cl_plan *plan = (const clv_cl_plan *)program;
    const clv_buffer *const own[] = {plan->step, plan->scratch, plan->parts, plan->segments};
    uint64_t bytes = 0;
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) bytes += own[i] ? own[i]->bytes : 0;
    return bytes;
}

/* ---- running ---- */

size_t clv_cl_step_values(const clv_cl_plan *plan, const clv_step *step, clv_step *values)
{
    for (int i = 0; i < plan->blocks; i++) {
        values[i] = *step;
        values[i].image = (uint32_t)i * plan->block_lanes;
        values[i].stride = (uint32_t)plan->stride[CLV_SPACE_BATCH];
    }
    return (size_t)plan->blocks * sizeof *values;
}

/* Blocks from `first` on go through a chain. */
static clv_status set_blocks(const clv_cl_plan *plan, const clv_cl_launch *l, int first, size_t global[3],
                             clv_error *err)
{
    clv_status status = CLV_OK;
    const cl_int value = first;
    const int left = plan->blocks - first;
    memcpy(global, l->global, sizeof l->global);
    if (l->blocks == 0 || plan->at_once == plan->blocks) goto done;
    global[0] = (size_t)(left < plan->at_once ? left : plan->at_once) * l->local[0];
    CLV_CL(clSetKernelArg(l->kernel, CLV_JOINT_FIRST, sizeof value, &value));
done:
    return status;
}

clv_status clv_cl_enqueue(cl_command_queue queue, const clv_cl_plan *plan, cl_event *event, clv_error *err)
{
    clv_status status = CLV_OK;
    const clv_cl_launch *l = plan->launch;
    for (int i = 0; i < plan->turns; i++) {
        cl_event *done_event = event ? &event[i] : NULL;
        size_t global[3];
        l = &plan->launch[plan->turn[i].launch];
        if (l->program) {
            CLV_TRY(set_blocks(plan, l, plan->turn[i].first, global, err));
            CLV_CL(clEnqueueNDRangeKernel(queue, l->kernel, l->dims, NULL, global, l->local, 0, NULL, done_event));
            l->program->ran = true;
        } else {
            CLV_TRY(clv_cl_gemm_run(queue, &l->gemm, l->a, l->b, l->c, l->scratch, done_event, err));
        }
    }
done:
    if (status != CLV_OK) clv_fail_in(err, status, "'%s', kernel %s", l->part->call, l->part->kernel);
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
    clv_step *values = &plan->ring[plan->slot * plan->blocks];
    const size_t bytes = clv_cl_step_values(plan, step, values);
    CLV_CL(clEnqueueWriteBuffer(be->queue, buffer_of(plan->step)->mem, CL_FALSE, 0, bytes, values, 0, NULL, written));
    plan->slot = (plan->slot + 1) % CLV_CL_RING;
    CLV_TRY(clv_cl_enqueue(be->queue, plan, NULL, err));
    CLV_CL(clFlush(be->queue));
    if (plan->sums.kind == CLV_CL_SUMS_HOST_ADDS)
        CLV_TRY(clv_cl_sums_add(head, &plan->sums, plan->grad, plan->parts, err));
done:
    return status;
}
