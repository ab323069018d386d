/* Traces: steps on a queue of its own that takes times, as such queues are slower. What else a machine does makes a
 * launch longer, never shorter: each launch is given its least time of a few steps. */
#include <math.h>
#include <stdlib.h>

#include "backend/opencl/opencl.h"
#include "base/memory.h"

#define STEPS 20

static void print_times(const clv_cl_plan *plan, const double *least, FILE *out)
{
    for (int i = 0; i < plan->launches; i++) {
        const clv_cl_launch *l = &plan->launch[i];
        fprintf(out, "%10.1f us  %-32s %s\n", least[i], l->part[0].call, l->part[0].kernel);
        for (int k = 1; k < l->parts; k++)
            fprintf(out, "%13s  %-32s %s\n", l->chain ? "then" : "beside", l->part[k].call, l->part[k].kernel);
    }
}

/* A step; least[i]: microseconds of launch i, all its turns, infinite before the first step. */
static clv_status time_step(cl_command_queue queue, const clv_cl_plan *plan, cl_event *event, double *us, double *least,
                            clv_error *err)
{
    clv_status status = CLV_OK;
    for (int i = 0; i < plan->turns; i++) event[i] = NULL;
    for (int i = 0; i < plan->launches; i++) us[i] = 0;
    CLV_TRY(clv_cl_enqueue(queue, plan, event, err));
    CLV_CL(clFinish(queue));
    for (int i = 0; i < plan->turns; i++) {
        cl_ulong start = 0, end = 0;
        CLV_CL(clGetEventProfilingInfo(event[i], CL_PROFILING_COMMAND_START, sizeof start, &start, NULL));
        CLV_CL(clGetEventProfilingInfo(event[i], CL_PROFILING_COMMAND_END, sizeof end, &end, NULL));
        us[plan->turn[i].launch] += (double)(end - start) * 1e-3;
    }
    for (int i = 0; i < plan->launches; i++)
        if (us[i] < least[i]) least[i] = us[i];
done:
    for (int i = 0; i < plan->turns; i++)
        if (event[i]) clReleaseEvent(event[i]);
    return status;
}

clv_status clv_cl_plan_trace(clv_backend *head, clv_program *program, const clv_step *step, FILE *out, clv_error *err)
{
    clv_opencl *be = (clv_opencl *)head;
    const clv_cl_plan *plan = (const clv_cl_plan *)program;
    clv_status status = CLV_OK;
    cl_command_queue queue = NULL;
    cl_event *event = clv_alloc((size_t)plan->turns, sizeof *event, err);
    double *least = event ? clv_alloc(2 * (size_t)plan->launches, sizeof *least, err) : NULL;
    if (!least) {
        free(event);
        return CLV_ERR_INTERNAL;
    }
    for (int i = 0; i < plan->launches; i++) least[i] = HUGE_VAL;
    const cl_mem values = ((const clv_cl_buffer *)plan->step)->mem;
    CLV_CL(clFinish(be->queue));
    CLV_CL_MAKE(queue, clCreateCommandQueue(be->context, be->device, CL_QUEUE_PROFILING_ENABLE, &code));
    CLV_CL(clEnqueueWriteBuffer(queue, values, CL_TRUE, 0, clv_cl_step_values(plan, step, plan->ring), plan->ring, 0,
                                NULL, NULL));
    for (int i = 0; i < STEPS; i++) CLV_TRY(time_step(queue, plan, event, least + plan->launches, least, err));
    print_times(plan, least, out);
done:
    if (queue) clFinish(queue);
    free(least);
    free(event);
    if (queue) clReleaseCommandQueue(queue);
    return status;
}
