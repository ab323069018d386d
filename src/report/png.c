/* PNG files: 8-bit pictures and grids of images, encoded in memory by libpng and written whole or not at all. */
#include <math.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/try.h"
#include "clave/report.h"

enum { MOST_SIDE = 65535, MOST_PIXELS = 1 << 28 /* beyond them viewers give up */, GREY = 128 };

typedef struct picture {
    const uint8_t *pixel; /* [y][x][c] */
    int channels, height, width;
} picture;

static png_voidp allocate(png_structp png, png_alloc_size_t size)
{
    (void)png;
    return clv_alloc(size, 1, NULL);
}

static void release(png_structp png, png_voidp memory)
{
    (void)png;
    free(memory);
}

static void append(png_structp png, png_bytep bytes, size_t size)
{
    clv_text *file = png_get_io_ptr(png);
    clv_text_append_bytes(file, (const char *)bytes, size);
    if (file->failed) png_error(png, "out of memory");
}

static void flush(png_structp png) { (void)png; }

static void on_error(png_structp png, png_const_charp message)
{
    clv_fail(png_get_error_ptr(png), CLV_ERR_INTERNAL, "libpng: %s", message);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

/* libpng jumps back here from anything that fails. No local variable is changed after setjmp, so none can be lost. */
static bool encode(png_structp png, png_infop info, const picture *p, clv_text *file)
{
    const size_t row = (size_t)p->width * (size_t)p->channels;
    if (setjmp(png_jmpbuf(png))) return false;
    png_set_write_fn(png, file, append, flush);
    png_set_IHDR(png, info, (png_uint_32)p->width, (png_uint_32)p->height, 8,
                 p->channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (int y = 0; y < p->height; y++) png_write_row(png, p->pixel + (size_t)y * row);
    png_write_end(png, NULL);
    return true;
}

static clv_status check_size(const char *path, int channels, int64_t height, int64_t width, clv_error *err)
{
    clv_status status = CLV_OK;
    CLV_REQUIRE(channels == 1 || channels == 3, CLV_ERR_CONFIG,
                "cannot draw %s: %d channels, where a picture has 1 or 3", path, channels);
    CLV_REQUIRE(height > 0 && width > 0 && height <= MOST_SIDE && width <= MOST_SIDE && height * width <= MOST_PIXELS,
                CLV_ERR_CONFIG,
                "cannot draw %s: %lld x %lld pixels, where a side has 1 to %d and a picture %d at most; draw fewer or "
                "smaller images",
                path, (long long)height, (long long)width, MOST_SIDE, MOST_PIXELS);
done:
    return status;
}

clv_status clv_png_write(const char *path, const uint8_t *pixel, int channels, int height, int width, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_error cause = {.message = "libpng: out of memory"};
    clv_text file = {0};
    png_structp png = NULL;
    png_infop info = NULL;
    CLV_TRY(check_size(path, channels, height, width, err));
    png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, &cause, on_error, on_warning, NULL, allocate, release);
    if (png) info = png_create_info_struct(png);
    const picture whole = {pixel, channels, height, width};
    CLV_REQUIRE(info && encode(png, info, &whole, &file), CLV_ERR_INTERNAL, "cannot write %s: %s", path, cause.message);
    status = clv_file_write(path, file.text, file.length, err);
done:
    png_destroy_write_struct(&png, &info);
    clv_text_free(&file);
    return status;
}

/* 0 .. 1 as a byte. NaN stands out: white on grey, magenta in colour. */
static uint8_t to_byte(float value, int channel, int channels, bool broken)
{
    if (broken) return channels == 3 && channel == 1 ? 0 : 255;
    const float clamped = value < 0 ? 0 : value > 1 ? 1 : value;
    return (uint8_t)(clamped * 255.0f + 0.5f);
}

/* One image into the picture, its top left corner at `to`; `stride` bytes a row of the picture. */
static void draw_image(uint8_t *to, size_t stride, const clv_grid *g, const float *image /* [c][y][x] */)
{
    const size_t plane = (size_t)g->height * (size_t)g->width;
    for (int y = 0; y < g->height * g->scale; y++)
        for (int x = 0; x < g->width * g->scale; x++) {
            const float *from = image + (size_t)(y / g->scale) * (size_t)g->width + x / g->scale;
            bool broken = false;
            for (int c = 0; c < g->channels; c++) broken = broken || isnan(from[(size_t)c * plane]);
            for (int c = 0; c < g->channels; c++)
                to[(size_t)y * stride + (size_t)(x * g->channels + c)] =
                    to_byte(from[(size_t)c * plane], c, g->channels, broken);
        }
}

/* `count` images of `size` pixels side by side, drawn `scale` times as large with a gap between. */
static int64_t side(int count, int size, int scale, int gap)
{
    if (count < 1 || size < 1 || scale < 1 || gap < 0 || scale > MOST_SIDE || size > MOST_SIDE) return 0;
    return (int64_t)count * size * scale + (int64_t)(count - 1) * gap;
}

clv_status clv_png_write_grid(const char *path, const clv_grid *grid, clv_error *err)
{
    clv_status status = CLV_OK;
    uint8_t *pixel = NULL;
    const clv_grid *g = grid;
    const int64_t height = side(g->rows, g->height, g->scale, g->gap),
                  width = side(g->columns, g->width, g->scale, g->gap);
    CLV_TRY(check_size(path, g->channels, height, width, err));
    const size_t stride = (size_t)width * (size_t)g->channels;
    pixel = clv_alloc((size_t)height, stride, err);
    CLV_REQUIRE(pixel, CLV_ERR_INTERNAL, "out of memory: %s needs %lld x %lld pixels", path, (long long)height,
                (long long)width);
    memset(pixel, GREY, (size_t)height * stride);
    for (int i = 0; i < g->count && i / g->columns < g->rows; i++) {
        const size_t y = (size_t)(i / g->columns) * (size_t)(g->height * g->scale + g->gap);
        const size_t x = (size_t)(i % g->columns) * (size_t)(g->width * g->scale + g->gap);
        draw_image(pixel + y * stride + x * (size_t)g->channels, stride, g,
                   g->pixel + (size_t)i * (size_t)g->channels * (size_t)g->height * (size_t)g->width);
    }
    status = clv_png_write(path, pixel, g->channels, (int)height, (int)width, err);
done:
    free(pixel);
    return status;
}
