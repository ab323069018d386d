/* The OpenCL backend: one device, one context, one in-order queue; its buffers, and views of them for operands. */
#include "backend/opencl/opencl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"

static clv_opencl *opencl_of(clv_backend *be) { return (clv_opencl *)be; }
static clv_cl_buffer *buffer_of(clv_buffer *buffer) { return (clv_cl_buffer *)buffer; }

/* ---- buffers ---- */

/* Drivers commit memory late: what cannot fit is refused here, where it can be said why. */
static clv_status check_size(const clv_opencl *be, size_t bytes, clv_error *err)
{
    const clv_device_info *info = &be->head.info;
    const double mib = 1.0 / (1 << 20);
    if (bytes > info->max_buffer_bytes)
        return clv_fail(
            err, CLV_ERR_DEVICE,
            "a buffer of %.0f MiB is needed, %s allows at most %.0f MiB in one; reduce train.batch or the model",
            (double)bytes * mib, info->name, (double)info->max_buffer_bytes * mib);
    if (bytes > info->global_bytes || be->allocated > info->global_bytes - bytes)
        return clv_fail(err, CLV_ERR_DEVICE,
                        "%.0f MiB of device memory are needed beside %.0f MiB in use, %s has %.0f MiB; reduce "
                        "train.batch or the model",
                        (double)bytes * mib, (double)be->allocated * mib, info->name, (double)info->global_bytes * mib);
    return CLV_OK;
}

static clv_status buffer_create(clv_backend *head, size_t bytes, clv_buffer **out, clv_error *err)
{
    clv_opencl *be = opencl_of(head);
    const cl_uchar zero = 0;
    clv_status status = check_size(be, bytes, err);
    if (status != CLV_OK) return status;
    clv_cl_buffer *buffer = clv_alloc(1, sizeof *buffer, err);
    if (!buffer) return CLV_ERR_INTERNAL;
    CLV_CL_MAKE(buffer->mem, clCreateBuffer(be->context, CL_MEM_READ_WRITE, bytes, NULL, &code));
    CLV_CL(clEnqueueFillBuffer(be->queue, buffer->mem, &zero, sizeof zero, 0, bytes, 0, NULL, NULL));
    buffer->head.bytes = bytes;
    be->allocated += bytes;
    *out = &buffer->head;
    return CLV_OK;
done:
    if (buffer->mem) clReleaseMemObject(buffer->mem);
    free(buffer);
    return status;
}

static void buffer_destroy(clv_backend *head, clv_buffer *base)
{
    clv_cl_buffer *buffer = buffer_of(base);
    opencl_of(head)->allocated -= base->bytes;
    for (clv_cl_sub *sub = buffer->sub, *next; sub; sub = next) {
        next = sub->next;
        clReleaseMemObject(sub->mem);
        free(sub);
    }
    clReleaseMemObject(buffer->mem);
    free(buffer);
}

static clv_status buffer_write(clv_backend *head, clv_buffer *buffer, size_t offset, const void *from, size_t bytes,
                               clv_error *err)
{
    clv_status status = CLV_OK;
    CLV_CL(clEnqueueWriteBuffer(opencl_of(head)->queue, buffer_of(buffer)->mem, CL_TRUE, offset, bytes, from, 0, NULL,
                                NULL));
done:
    return status;
}

static clv_status buffer_read(clv_backend *head, const clv_buffer *buffer, size_t offset, void *to, size_t bytes,
                              clv_error *err)
{
    clv_status status = CLV_OK;
    const cl_mem mem = ((const clv_cl_buffer *)buffer)->mem;
    CLV_CL(clEnqueueReadBuffer(opencl_of(head)->queue, mem, CL_TRUE, offset, bytes, to, 0, NULL, NULL));
done:
    return status;
}

clv_status clv_cl_view(clv_cl_buffer *buffer, size_t offset, size_t bytes, cl_mem *view, clv_error *err)
{
    clv_status status = CLV_OK;
    if (bytes == 0) bytes = buffer->head.bytes - offset;
    if (offset == 0 && bytes == buffer->head.bytes) {
        *view = buffer->mem;
        return CLV_OK;
    }
    for (clv_cl_sub *sub = buffer->sub; sub; sub = sub->next)
        if (sub->offset == offset && sub->bytes == bytes) {
            *view = sub->mem;
            return CLV_OK;
        }
    const cl_buffer_region region = {offset, bytes};
    clv_cl_sub *sub = clv_alloc(1, sizeof *sub, err);
    if (!sub) return CLV_ERR_INTERNAL;
    CLV_CL_MAKE(sub->mem, clCreateSubBuffer(buffer->mem, 0, CL_BUFFER_CREATE_TYPE_REGION, &region, &code));
    *sub = (clv_cl_sub){buffer->sub, offset, bytes, sub->mem};
    buffer->sub = sub;
    *view = sub->mem;
    return CLV_OK;
done:
    free(sub);
    return status;
}

/* ---- the backend ---- */

static clv_status finish(clv_backend *head, clv_error *err)
{
    clv_status status = CLV_OK;
    CLV_CL(clFinish(opencl_of(head)->queue));
done:
    return status;
}

static void destroy(clv_backend *head)
{
    clv_opencl *be = opencl_of(head);
    clv_cl_builders_end(be);
    if (be->queue) clFinish(be->queue);
    clv_cl_programs_sweep(be); /* those that a self-test used, and no plan after it */
    clv_cl_bundles_free(be);
    if (be->queue) clReleaseCommandQueue(be->queue);
    if (be->context) clReleaseContext(be->context);
    clv_text_free(&be->notices);
    free(be->verdict);
    free(be->choices.line);
    free(be->record);
    free(be);
}

static const char *notices(const clv_backend *be)
{
    const char *text = ((const clv_opencl *)be)->notices.text;
    return text ? text : "";
}

/* CLBlast's products are of the whole batch. */
static int block_lanes(const clv_backend *head, int lanes, int *at_once)
{
    *at_once = clv_blocks_at_once(&head->info);
    return ((const clv_opencl *)head)->gemm == CLV_GEMM_CLBLAST ? 0 : clv_plan_block(&head->info, lanes);
}

static const clv_backend_ops opencl_ops = {
    .buffer_create = buffer_create,
    .buffer_destroy = buffer_destroy,
    .buffer_write = buffer_write,
    .buffer_read = buffer_read,
    .program_create = clv_cl_plan_create,
    .program_destroy = clv_cl_plan_destroy,
    .program_run = clv_cl_plan_run,
    .finish = finish,
    .destroy = destroy,
    .program_launches = clv_cl_plan_launches,
    .program_bytes = clv_cl_plan_bytes,
    .program_trace = clv_cl_plan_trace,
    .peak = clv_cl_peak,
    .notices = notices,
    .tune = clv_cl_tune,
    .kernels = clv_cl_kernels,
    .restore = clv_cl_restore,
    .block = block_lanes,
};

static clv_status no_such_device(const clv_cl_device *list, int count, const char *select, clv_error *err)
{
    clv_text devices = {0};
    for (int i = 0; i < count; i++)
        clv_text_append(&devices, "%s%d:%d %s", i ? ", " : "", list[i].info.platform_index, list[i].info.device_index,
                        list[i].info.name);
    clv_status status =
        count == 0
            ? clv_fail(
                  err, CLV_ERR_DEVICE,
                  "there is no OpenCL device; install a driver (on Debian, pocl-opencl-icd runs on the CPU), or set "
                  "device.backend = cpu (slow)")
            : clv_fail(
                  err, CLV_ERR_DEVICE,
                  "no OpenCL device is '%s'; there are: %s; set device.select to auto, gpu, cpu, P:D or part of a name",
                  select, devices.text ? devices.text : "");
    clv_text_free(&devices);
    return status;
}

static clv_status open_device(clv_opencl *be, const clv_device_options *options, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_cl_device *list = NULL;
    int count = 0;
    const char *select = options->select ? options->select : "auto";
    CLV_TRY(clv_cl_devices(&list, &count, err));
    const int chosen = clv_device_choose(list, count, select);
    if (chosen < 0) {
        status = no_such_device(list, count, select, err);
        goto done;
    }
    const clv_cl_device *d = &list[chosen];
    be->head = (clv_backend){.ops = &opencl_ops,
                             .info = d->info,
                             .element_size = sizeof(float),
                             .half_size = sizeof(cl_half),
                             .lane_width = clv_lane_width(d->info.kind),
                             .alignment = d->alignment / sizeof(float)};
    be->platform = d->platform;
    be->device = d->device;
    snprintf(be->platform_version, sizeof be->platform_version, "%s", d->platform_version);
    const cl_context_properties properties[] = {CL_CONTEXT_PLATFORM, (cl_context_properties)d->platform, 0};
    CLV_CL_MAKE(be->context, clCreateContext(properties, 1, &be->device, NULL, NULL, &code));
    CLV_CL_MAKE(be->queue, clCreateCommandQueue(be->context, be->device, 0, &code));
done:
    free(list);
    return status;
}

/* What is compiled is kept by default; for who compiles much that runs once, texts alone or nothing. */
static clv_status read_environment(clv_opencl *be, clv_error *err)
{
    static const char *const words[] = {
        [CLV_CL_KEEP_NOTHING] = "off", [CLV_CL_KEEP_TEXTS] = "texts", [CLV_CL_KEEP_BINARIES] = "on"};
    const char *given = getenv("CLAVE_BINARIES");
    be->keeps = CLV_CL_KEEP_BINARIES;
    if (!given || !*given) return CLV_OK;
    for (int i = CLV_CL_KEEP_NOTHING; i <= CLV_CL_KEEP_BINARIES; i++)
        if (!strcmp(given, words[i])) {
            be->keeps = (clv_cl_keep)i;
            return CLV_OK;
        }
    return clv_fail(err, CLV_ERR_CONFIG, "the environment variable CLAVE_BINARIES is '%.40s': give on, texts or off",
                    given);
}

clv_status clv_opencl_backend_create(const clv_device_options *options, clv_backend **out, clv_error *err)
{
    clv_opencl *be = clv_alloc(1, sizeof *be, err);
    if (!be) return CLV_ERR_INTERNAL;
    be->gemm = options->gemm;
    be->selftest = options->selftest;
    be->tuned = options->tune != CLV_TUNE_OFF;
    clv_status status = CLV_OK;
    if (options->kernels && !(be->record = clv_strdup(options->kernels, err))) status = CLV_ERR_INTERNAL;
    if (status == CLV_OK) status = read_environment(be, err);
    if (status == CLV_OK) status = open_device(be, options, err);
    if (status != CLV_OK) {
        destroy(&be->head);
        return status;
    }
    if (clv_cache_folder("kernels", be->cache, sizeof be->cache, NULL) != CLV_OK) be->cache[0] = '\0';
    *out = &be->head;
    return CLV_OK;
}
