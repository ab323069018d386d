/* OpenCL's errors in words: the name of each code and, where there is one, the remedy; and the switch that makes the
 * n-th call fail for tests. */
#include <stdatomic.h>
#include <string.h>

#include "backend/opencl/opencl.h"

static atomic_long countdown; /* calls until one fails; 0 or less: off */

void clv_opencl_fail_call(long nth) { atomic_store(&countdown, nth); }

bool clv_opencl_fail_pending(void) { return atomic_load(&countdown) > 0; }

bool clv_cl_made_to_fail(void) { return atomic_load(&countdown) > 0 && atomic_fetch_sub(&countdown, 1) == 1; }

#define CLV_LESS_MEMORY  "reduce train.batch, or choose a device with more memory"
#define CLV_DRIVER_FAULT "run `clave doctor`; a newer driver or another device (device.select) may help"

static const struct error_row {
    cl_int code;
    const char *name, *remedy;
} error_table[] = {
    {CL_DEVICE_NOT_FOUND, "CL_DEVICE_NOT_FOUND", "`clave devices` lists the devices there are"},
    {CL_DEVICE_NOT_AVAILABLE, "CL_DEVICE_NOT_AVAILABLE", "another program may hold the device"},
    {CL_COMPILER_NOT_AVAILABLE, "CL_COMPILER_NOT_AVAILABLE",
     "install the driver's compiler, or choose another device (device.select)"},
    {CL_MEM_OBJECT_ALLOCATION_FAILURE, "CL_MEM_OBJECT_ALLOCATION_FAILURE", CLV_LESS_MEMORY},
    {CL_OUT_OF_RESOURCES, "CL_OUT_OF_RESOURCES", CLV_LESS_MEMORY},
    {CL_OUT_OF_HOST_MEMORY, "CL_OUT_OF_HOST_MEMORY", "free memory of the computer, or reduce train.batch"},
    {CL_PROFILING_INFO_NOT_AVAILABLE, "CL_PROFILING_INFO_NOT_AVAILABLE", NULL},
    {CL_MEM_COPY_OVERLAP, "CL_MEM_COPY_OVERLAP", NULL},
    {CL_BUILD_PROGRAM_FAILURE, "CL_BUILD_PROGRAM_FAILURE", NULL},
    {CL_MAP_FAILURE, "CL_MAP_FAILURE", NULL},
    {CL_MISALIGNED_SUB_BUFFER_OFFSET, "CL_MISALIGNED_SUB_BUFFER_OFFSET", NULL},
    {CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST, "CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST", CLV_DRIVER_FAULT},
    {CL_COMPILE_PROGRAM_FAILURE, "CL_COMPILE_PROGRAM_FAILURE", NULL},
    {CL_LINKER_NOT_AVAILABLE, "CL_LINKER_NOT_AVAILABLE", NULL},
    {CL_LINK_PROGRAM_FAILURE, "CL_LINK_PROGRAM_FAILURE", NULL},
    {CL_DEVICE_PARTITION_FAILED, "CL_DEVICE_PARTITION_FAILED", NULL},
    {CL_KERNEL_ARG_INFO_NOT_AVAILABLE, "CL_KERNEL_ARG_INFO_NOT_AVAILABLE", NULL},
    {CL_INVALID_VALUE, "CL_INVALID_VALUE", NULL},
    {CL_INVALID_DEVICE_TYPE, "CL_INVALID_DEVICE_TYPE", NULL},
    {CL_INVALID_PLATFORM, "CL_INVALID_PLATFORM", NULL},
    {CL_INVALID_DEVICE, "CL_INVALID_DEVICE", NULL},
    {CL_INVALID_CONTEXT, "CL_INVALID_CONTEXT", NULL},
    {CL_INVALID_QUEUE_PROPERTIES, "CL_INVALID_QUEUE_PROPERTIES", NULL},
    {CL_INVALID_COMMAND_QUEUE, "CL_INVALID_COMMAND_QUEUE", CLV_DRIVER_FAULT},
    {CL_INVALID_HOST_PTR, "CL_INVALID_HOST_PTR", NULL},
    {CL_INVALID_MEM_OBJECT, "CL_INVALID_MEM_OBJECT", NULL},
    {CL_INVALID_BINARY, "CL_INVALID_BINARY", NULL},
    {CL_INVALID_BUILD_OPTIONS, "CL_INVALID_BUILD_OPTIONS", NULL},
    {CL_INVALID_PROGRAM, "CL_INVALID_PROGRAM", NULL},
    {CL_INVALID_PROGRAM_EXECUTABLE, "CL_INVALID_PROGRAM_EXECUTABLE", NULL},
    {CL_INVALID_KERNEL_NAME, "CL_INVALID_KERNEL_NAME", NULL},
    {CL_INVALID_KERNEL_DEFINITION, "CL_INVALID_KERNEL_DEFINITION", NULL},
    {CL_INVALID_KERNEL, "CL_INVALID_KERNEL", NULL},
    {CL_INVALID_ARG_INDEX, "CL_INVALID_ARG_INDEX", NULL},
    {CL_INVALID_ARG_VALUE, "CL_INVALID_ARG_VALUE", NULL},
    {CL_INVALID_ARG_SIZE, "CL_INVALID_ARG_SIZE", NULL},
    {CL_INVALID_KERNEL_ARGS, "CL_INVALID_KERNEL_ARGS", NULL},
    {CL_INVALID_WORK_DIMENSION, "CL_INVALID_WORK_DIMENSION", NULL},
    {CL_INVALID_WORK_GROUP_SIZE, "CL_INVALID_WORK_GROUP_SIZE", NULL},
    {CL_INVALID_WORK_ITEM_SIZE, "CL_INVALID_WORK_ITEM_SIZE", NULL},
    {CL_INVALID_GLOBAL_OFFSET, "CL_INVALID_GLOBAL_OFFSET", NULL},
    {CL_INVALID_EVENT_WAIT_LIST, "CL_INVALID_EVENT_WAIT_LIST", NULL},
    {CL_INVALID_EVENT, "CL_INVALID_EVENT", NULL},
    {CL_INVALID_OPERATION, "CL_INVALID_OPERATION", NULL},
    {CL_INVALID_BUFFER_SIZE, "CL_INVALID_BUFFER_SIZE", CLV_LESS_MEMORY},
    {CL_INVALID_GLOBAL_WORK_SIZE, "CL_INVALID_GLOBAL_WORK_SIZE", NULL},
    {CL_INVALID_PROPERTY, "CL_INVALID_PROPERTY", NULL},
    {-1001, "CL_PLATFORM_NOT_FOUND_KHR", "install an OpenCL driver (an ICD), or set device.backend = cpu"},
};

static const struct error_row *row_of(cl_int code)
{
    for (size_t i = 0; i < sizeof error_table / sizeof *error_table; i++)
        if (error_table[i].code == code) return &error_table[i];
    return NULL;
}

const char *clv_cl_error_name(cl_int code)
{
    const struct error_row *row = row_of(code);
    return row ? row->name : "an error without a name";
}

clv_status clv_cl_fail(clv_error *err, const char *call, cl_int code)
{
    const struct error_row *row = row_of(code);
    return clv_fail(err, CLV_ERR_DEVICE, "%.*s: %s (%d); %s", (int)strcspn(call, "("), call, clv_cl_error_name(code),
                    code, row && row->remedy ? row->remedy : CLV_DRIVER_FAULT);
}
