/* Fuzzing the reader of PNG files: LLVMFuzzerTestOneInput takes any bytes. With libFuzzer:
 *   clang -fsanitize=fuzzer,address,undefined -I include -I src tests/fuzz_png.c (libclave) -lpng -lz
 * test_images drives it with damaged files. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "data/raster.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    clv_raster raster = {0};
    clv_error err = {0};
    uint8_t out[3 * 5 * 7],
        *copy = malloc(size ? size : 1); /* of the exact size, so that a sanitizer sees a read beyond */
    if (!copy) return 0;
    if (size) memcpy(copy, bytes, size);
    if (clv_png_decode("fuzz.png", copy, size, &raster, &err) == CLV_OK) {
        if ((raster.channels != 1 && raster.channels != 3) || raster.height < 1 || raster.width < 1) abort();
        if (clv_raster_fit(&raster, 3, 5, 7, out, &err) != CLV_OK) abort();
        if (clv_raster_fit(&raster, 1, 7, 5, out, &err) != CLV_OK) abort();
    } else if (err.status != CLV_ERR_DATA || strncmp(err.message, "fuzz.png ", 9) != 0 || raster.pixel) {
        abort();
    }
    free(raster.pixel);
    free(copy);
    return 0;
}
