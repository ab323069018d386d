/* The device's arithmetic peak, measured: independent fused multiply-adds on all its compute units, nothing else. */
#include "backend/opencl/opencl.h"
#include "base/log.h"

#define CHAINS 12 /* independent sums of a work-item, as peak.cl has them */
#define ROUNDS                                                                                                         \
    160000 /* multiply-adds of a chain in a launch on a CPU: milliseconds, so that queueing does not count             \
            */
#define GPU_ROUNDS       4096 /* and on a GPU */
#define GPU_ITEMS_A_UNIT 4096
#define TRIES            8

/* Chains of multiply-adds at full rate: vectors on a CPU, as many work-items as it can hold on a GPU. */
static clv_launch peak_launch(const clv_device_info *info)
{
    const bool cpu = info->kind == CLV_DEVICE_CPU;
    const size_t units = info->compute_units > 0 ? (size_t)info->compute_units : 1;
    clv_launch launch = {.file = "peak.cl", .kernel = "peak", .dims = 1, .global = {1, 1, 1}, .local = {1, 1, 1}};
    snprintf(launch.defines, sizeof launch.defines, "-DV=%d -DROUNDS=%d", info->vector_width,
             cpu ? ROUNDS : GPU_ROUNDS);
    launch.global[0] = cpu ? units * 8 : units * GPU_ITEMS_A_UNIT;
    launch.local[0] = cpu ? 1 : 64;
    return launch;
}

clv_status clv_cl_peak(clv_backend *head, double *gflops, clv_error *err)
{
    clv_opencl *be = (clv_opencl *)head;
    clv_status status = CLV_OK;
    const clv_launch launch = peak_launch(&head->info);
    const double work = 2.0 * CHAINS * (head->info.kind == CLV_DEVICE_CPU ? ROUNDS : GPU_ROUNDS) *
                        head->info.vector_width * (double)launch.global[0];
    double best = 0;
    clv_cl_program *program = NULL;
    cl_kernel kernel = NULL;
    const clv_launch_unit alone = clv_unit_of_one(&launch);
    clv_cl_unit unit;
    clv_buffer *out = NULL;
    CLV_TRY(
        head->ops->buffer_create(head, launch.global[0] * (size_t)head->info.vector_width * sizeof(float), &out, err));
    CLV_TRY(clv_cl_unit_of(be, &alone, &unit, err));
    CLV_TRY(clv_cl_program_get(be, &unit, &program, err));
    CLV_CL_MAKE(kernel, clCreateKernel(program->program, program->kernel, &code));
    CLV_CL(clSetKernelArg(kernel, 0, sizeof(cl_mem), &((clv_cl_buffer *)out)->mem));
    for (int i = 0; i <= TRIES; i++) { /* the first warms up */
        CLV_CL(clFinish(be->queue));
        const double start = clv_seconds();
        CLV_CL(clEnqueueNDRangeKernel(be->queue, kernel, 1, NULL, launch.global, launch.local, 0, NULL, NULL));
        CLV_CL(clFinish(be->queue));
        const double rate = work / (clv_seconds() - start) * 1e-9;
        if (i > 0 && rate > best) best = rate;
    }
    program->ran = true;
    *gflops = best;
done:
    if (kernel) clReleaseKernel(kernel);
    if (program) clv_cl_program_release(be, program);
    if (out) head->ops->buffer_destroy(head, out);
    return status;
}
