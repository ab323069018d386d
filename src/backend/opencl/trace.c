/* Traces: one step on a queue of its own that takes times, as such queues are slower. */
#include <stdlib.h>

#include "backend/opencl/opencl.h"
#include "base/memory.h"

static clv_status print_times(const clv_cl_plan *plan, const cl_event *event, FILE *out, clv_error *err)
{
    clv_status status = CLV_OK;
    for (int i = 0; i < plan->launches; i++) {
        cl_ulong start = 0, end = 0;
        CLV_CL(clGetEventProfilingInfo(event[i], CL_PROFILING_COMMAND_START, sizeof start, &start, NULL));
        CLV_CL(clGetEventProfilingInfo(event[i], CL_PROFILING_COMMAND_END, sizeof end, &end, NULL));
        const clv_cl_launch *l = &plan->launch[i];
        fprintf(out, "%10.1f us  %-32s %s\n", (double)(end - start) * 1e-3, l->part[0].call, l->part[0].kernel);
        for (int k = 1; k < l->parts; k++)
            fprintf(out, "%13s  %-32s %s\n", "beside", l->part[k].call, l->part[k].kernel);
    }
done:
    return status;
}

clv_status clv_cl_plan_trace(clv_backend *head, clv_program *program, const clv_step *step, FILE *out, clv_error *err)
{
    clv_opencl *be = (clv_opencl *)head;
    const clv_cl_plan *plan = (const clv_cl_plan *)program;
    clv_status status = CLV_OK;
    cl_command_queue queue = NULL;
    cl_event *event = clv_alloc((size_t)plan->launches, sizeof *event, err);
    if (!event) return CLV_ERR_INTERNAL;
    const cl_mem values = ((const clv_cl_buffer *)plan->step)->mem;
    CLV_CL(clFinish(be->queue));
    CLV_CL_MAKE(queue, clCreateCommandQueue(be->context, be->device, CL_QUEUE_PROFILING_ENABLE, &code));
    CLV_CL(clEnqueueWriteBuffer(queue, values, CL_TRUE, 0, sizeof *step, step, 0, NULL, NULL));
    CLV_TRY(clv_cl_enqueue(queue, plan, event, err));
    CLV_CL(clFinish(queue));
    CLV_TRY(print_times(plan, event, out, err));
done:
    if (queue) clFinish(queue);
    for (int i = 0; i < plan->launches; i++)
        if (event[i]) clReleaseEvent(event[i]);
    free(event);
    if (queue) clReleaseCommandQueue(queue);
    return status;
}
