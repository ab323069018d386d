/* Devices: the list of those that OpenCL offers, in the order of "p:d", and the choice of one by kind, place or name.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/opencl/opencl.h"
#include "base/memory.h"

#define CLV_PLATFORM_NOT_FOUND (-1001) /* of cl_khr_icd: no driver is installed */
#define CLV_WARP_SIZE          0x4003  /* of cl_nv_device_attribute_query */
#define CLV_WAVEFRONT_WIDTH    0x4043  /* of cl_amd_device_attribute_query */

static clv_status device_text(cl_device_id device, cl_device_info what, char *text, size_t size, clv_error *err)
{
    clv_status status = CLV_OK;
    char *whole = NULL;
    size_t length = 0;
    CLV_CL(clGetDeviceInfo(device, what, 0, NULL, &length));
    if (!(whole = clv_alloc(length + 1, 1, err))) return CLV_ERR_INTERNAL;
    CLV_CL(clGetDeviceInfo(device, what, length, whole, NULL));
    snprintf(text, size, "%s", whole + strspn(whole, " "));
done:
    free(whole);
    return status;
}

static clv_status platform_text(cl_platform_id platform, cl_platform_info what, char *text, size_t size, clv_error *err)
{
    clv_status status = CLV_OK;
    char *whole = NULL;
    size_t length = 0;
    CLV_CL(clGetPlatformInfo(platform, what, 0, NULL, &length));
    if (!(whole = clv_alloc(length + 1, 1, err))) return CLV_ERR_INTERNAL;
    CLV_CL(clGetPlatformInfo(platform, what, length, whole, NULL));
    snprintf(text, size, "%s", whole);
done:
    free(whole);
    return status;
}

static int clamp_vector_width(cl_uint width)
{
    int result = 1;
    while (result < 16 && (cl_uint)result * 2 <= width) result *= 2;
    return result;
}

/* What drivers without either extension refuse to say, and no failure. */
static int simd_width(cl_device_id device)
{
    static const cl_device_info what[] = {CLV_WARP_SIZE, CLV_WAVEFRONT_WIDTH};
    for (size_t i = 0; i < sizeof what / sizeof *what; i++) {
        cl_uint width = 0;
        if (clGetDeviceInfo(device, what[i], sizeof width, &width, NULL) == CL_SUCCESS && width <= 1024)
            return (int)width;
    }
    return 0;
}

/* The kind comes from the device's type alone: PoCL's CPU gives the vendor id of another maker. */
static clv_device_kind kind_of(cl_device_type type)
{
    if (type & CL_DEVICE_TYPE_GPU) return CLV_DEVICE_GPU;
    if (type & CL_DEVICE_TYPE_CPU) return CLV_DEVICE_CPU;
    return CLV_DEVICE_OTHER;
}

static clv_status describe(clv_cl_device *d, bool *usable, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_device_info *info = &d->info;
    cl_device_type type = 0;
    cl_bool available = CL_FALSE, compiler = CL_FALSE;
    cl_uint units = 0, width = 0, align_bits = 0;
    cl_ulong global = 0, largest = 0, local = 0;
    CLV_CL(clGetDeviceInfo(d->device, CL_DEVICE_AVAILABLE, sizeof available, &available, NULL));
    CLV_CL(clGetDeviceInfo(d->device, CL_DEVICE_COMPILER_AVAILABLE, sizeof compiler, &compiler, NULL));
    CLV_CL(clGetDeviceInfo(d->device, CL_DEVICE_TYPE, sizeof type, &type, NULL));
    CLV_CL(clGetDeviceInfo(d->device, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof units, &units, NULL));
    CLV_CL(clGetDeviceInfo(d->device, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, sizeof width, &width, NULL));
    CLV_CL(clGetDeviceInfo(d->device, CL_DEVICE_MEM_BASE_ADDR_ALIGN, sizeof align_bits, &align_bits, NULL));
    CLV_CL(clGetDeviceInfo(d->device, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof global, &global, NULL));
    CLV_CL(clGetDeviceInfo(d->device, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof largest, &largest, NULL));
    CLV_CL(clGetDeviceInfo(d->device, CL_DEVICE_LOCAL_MEM_SIZE, sizeof local, &local, NULL));
    CLV_TRY(device_text(d->device, CL_DEVICE_NAME, info->name, sizeof info->name, err));
    CLV_TRY(device_text(d->device, CL_DRIVER_VERSION, info->driver, sizeof info->driver, err));
    CLV_TRY(platform_text(d->platform, CL_PLATFORM_NAME, info->platform, sizeof info->platform, err));
    CLV_TRY(platform_text(d->platform, CL_PLATFORM_VERSION, d->platform_version, sizeof d->platform_version, err));
    snprintf(info->backend, sizeof info->backend, "opencl");
    info->kind = kind_of(type);
    info->compute_units = (int)units;
    info->vector_width = clamp_vector_width(width);
    info->simd_width = type & CL_DEVICE_TYPE_GPU ? simd_width(d->device) : 0;
    info->global_bytes = global;
    info->max_buffer_bytes = largest;
    info->local_bytes = local;
    d->alignment = align_bits / 8 > 64 ? align_bits / 8 : 64; /* at least a vector of 16 floats */
    *usable = available && compiler;
done:
    return status;
}

/* Appends the usable devices of one platform. A platform without devices is fine. */
static clv_status add_platform(cl_platform_id platform, int index, clv_cl_device **list, size_t *capacity, int *count,
                               clv_error *err)
{
    clv_status status = CLV_OK;
    cl_uint devices = 0;
    cl_device_id *id = NULL;
    const cl_int found =
        clv_cl_made_to_fail() ? CL_OUT_OF_RESOURCES : clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 0, NULL, &devices);
    if (found == CL_DEVICE_NOT_FOUND || (found == CL_SUCCESS && devices == 0)) return CLV_OK;
    if (found != CL_SUCCESS) return clv_cl_fail(err, "clGetDeviceIDs", found);
    id = clv_alloc(devices, sizeof *id, err);
    if (!id) return CLV_ERR_INTERNAL;
    CLV_CL(clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, devices, id, NULL));
    for (cl_uint i = 0; i < devices; i++) {
        bool usable = false;
        CLV_TRY(clv_grow(list, capacity, (size_t)*count + 1, sizeof **list, err));
        clv_cl_device *d = &(*list)[*count];
        *d = (clv_cl_device){
            .platform = platform, .device = id[i], .info = {.platform_index = index, .device_index = (int)i}};
        CLV_TRY(describe(d, &usable, err));
        *count += usable;
    }
done:
    free(id);
    return status;
}

clv_status clv_cl_devices(clv_cl_device **list, int *count, clv_error *err)
{
    clv_status status = CLV_OK;
    cl_uint platforms = 0;
    cl_platform_id *id = NULL;
    clv_cl_device *made = NULL;
    size_t capacity = 0;
    int made_count = 0;
    const cl_int found = clv_cl_made_to_fail() ? CL_OUT_OF_RESOURCES : clGetPlatformIDs(0, NULL, &platforms);
    if (found != CL_SUCCESS && found != CLV_PLATFORM_NOT_FOUND) return clv_cl_fail(err, "clGetPlatformIDs", found);
    if (found == CL_SUCCESS && platforms > 0) {
        id = clv_alloc(platforms, sizeof *id, err);
        if (!id) return CLV_ERR_INTERNAL;
        CLV_CL(clGetPlatformIDs(platforms, id, NULL));
        for (cl_uint i = 0; i < platforms; i++)
            CLV_TRY(add_platform(id[i], (int)i, &made, &capacity, &made_count, err));
    }
    *list = made;
    *count = made_count;
    made = NULL;
done:
    free(made);
    free(id);
    return status;
}

clv_status clv_devices_list(clv_device_info **devices, int *count, clv_error *err)
{
    clv_cl_device *list = NULL;
    int found = 0;
    clv_status status = clv_cl_devices(&list, &found, err);
    if (status != CLV_OK) return status;
    clv_device_info *info = clv_alloc((size_t)found, sizeof *info, err);
    if (!info) {
        free(list);
        return CLV_ERR_INTERNAL;
    }
    for (int i = 0; i < found; i++) info[i] = list[i].info;
    free(list);
    *devices = info;
    *count = found;
    return CLV_OK;
}

static int first_of_kind(const clv_cl_device *list, int count, clv_device_kind kind)
{
    for (int i = 0; i < count; i++)
        if (list[i].info.kind == kind) return i;
    return -1;
}

/* "p:d" and nothing else. */
static bool parse_place(const char *text, int64_t *platform, int64_t *device)
{
    const char *colon = strchr(text, ':');
    char first[24];
    if (!colon || (size_t)(colon - text) >= sizeof first) return false;
    snprintf(first, sizeof first, "%.*s", (int)(colon - text), text);
    return clv_parse_int(first, platform) && clv_parse_int(colon + 1, device);
}

int clv_device_choose(const clv_cl_device *list, int count, const char *select)
{
    static const clv_device_kind preferred[] = {CLV_DEVICE_GPU, CLV_DEVICE_OTHER, CLV_DEVICE_CPU};
    int64_t platform, device;
    if (!strcmp(select, "gpu")) return first_of_kind(list, count, CLV_DEVICE_GPU);
    if (!strcmp(select, "cpu")) return first_of_kind(list, count, CLV_DEVICE_CPU);
    if (!strcmp(select, "auto")) {
        for (int k = 0; k < 3; k++) {
            const int found = first_of_kind(list, count, preferred[k]);
            if (found >= 0) return found;
        }
        return -1;
    }
    const bool by_place = parse_place(select, &platform, &device);
    for (int i = 0; i < count; i++) {
        const clv_device_info *info = &list[i].info;
        const bool same = by_place ? info->platform_index == platform && info->device_index == device
                                   : *select && (clv_contains_ignoring_case(info->name, select) ||
                                                 clv_contains_ignoring_case(info->platform, select));
        if (same) return i;
    }
    return -1;
}
