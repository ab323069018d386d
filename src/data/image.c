/* One picture for a model: read, fitted, in the numbers that the data set of its bytes would give. */
#include <stdlib.h>

#include "base/memory.h"
#include "base/try.h"
#include "clave/data.h"
#include "data/raster.h"

clv_status clv_image_read(const char *path, int channels, int height, int width, clv_fit fit,
                          float *pixel /* [c][y][x] */, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_raster raster = {0};
    uint8_t *bytes = NULL;
    const size_t count = (size_t)channels * (size_t)height * (size_t)width;
    CLV_REQUIRE(channels == 1 || channels == 3, CLV_ERR_CONFIG,
                "%s cannot be read as an image of %d channels: a PNG file has 1 or 3", path, channels);
    CLV_TRY(clv_png_read(path, &raster, err));
    CLV_REQUIRE(fit == CLV_FIT_RESIZE || (raster.height == height && raster.width == width), CLV_ERR_DATA,
                "%s is %dx%d pixels (height x width) where %dx%d are wanted: make it that size", path, raster.height,
                raster.width, height, width);
    bytes = clv_alloc(count, 1, err);
    CLV_REQUIRE(bytes, CLV_ERR_INTERNAL, "out of memory while reading %s", path);
    CLV_TRY(clv_raster_fit(&raster, channels, height, width, bytes, err));
    for (size_t i = 0; i < count; i++) pixel[i] = (float)bytes[i] / 255.0f;
done:
    free(raster.pixel);
    free(bytes);
    return status;
}
