/* clave devices: what device.select can choose from. */
#include <jansson.h>
#include <stdlib.h>

#include "base/try.h"
#include "clave/device.h"
#include "cli/cli.h"

static const char *const kinds[] = {[CLV_DEVICE_CPU] = "cpu", [CLV_DEVICE_GPU] = "gpu", [CLV_DEVICE_OTHER] = "other"};

static json_t *device_json(const clv_device_info *d)
{
    char select[32];
    snprintf(select, sizeof select, "%d:%d", d->platform_index, d->device_index);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:I}", "select", select, "kind", kinds[d->kind], "platform",
                     d->platform, "name", d->name, "driver", d->driver, "compute_units", d->compute_units,
                     "vector_width", d->vector_width, "global_bytes", (json_int_t)d->global_bytes);
}

clv_status cli_devices(const cli_args *args, clv_error *err)
{
    clv_device_info *devices = NULL;
    int count;
    clv_status status = CLV_OK;
    CLV_TRY(clv_devices_list(&devices, &count, err));
    if (args->json) {
        json_t *list = json_array();
        for (int i = 0; i < count; i++) json_array_append_new(list, device_json(&devices[i]));
        CLV_TRY(cli_print_json(json_pack("{s:o}", "devices", list), err));
    } else {
        for (int i = 0; i < count; i++) {
            const clv_device_info *d = &devices[i];
            printf("%d:%d  %-5s  %s / %s  %d compute units, %.1f GB, driver %s\n", d->platform_index, d->device_index,
                   kinds[d->kind], d->platform, d->name, d->compute_units, (double)d->global_bytes / 1e9, d->driver);
        }
    }
    CLV_REQUIRE(count > 0, CLV_ERR_DEVICE,
                "there is no OpenCL device; install a driver (Debian: mesa-opencl-icd, intel-opencl-icd, "
                "nvidia-opencl-icd) or, "
                "for the processor, pocl-opencl-icd");
done:
    free(devices);
    return status;
}
