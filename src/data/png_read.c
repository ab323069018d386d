/* PNG files read by libpng, row by row, into 1 or 3 channels of bytes. libpng leaves by longjmp: all that a reading
 * owns lies in one record, which outlives the jump. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/try.h"
#include "data/raster.h"

enum {
    MOST_PIXELS = 1 << 26, /* 64 million: 256 MB while a file with colours and alpha is read */
    MOST_BYTES = 1 << 29,  /* of a file: more than such a picture takes unpacked */
    CHUNK_BYTES = 8000000, /* of memory for one chunk */
    SIGNATURE = 8,
    HEAD = SIGNATURE + 8 + 8 /* an IHDR chunk's length, name and sides */
};

typedef struct reading {
    const uint8_t *bytes; /* what is left of the file */
    size_t size;
    png_structp png;
    png_infop info;
    bool no_memory;
    char why[128];
    int height, width, samples; /* samples of a pixel as libpng gives them: palette index, G, GA, RGB, RGBA */
    uint8_t *row;               /* [y][x][sample] */
    png_colorp palette;         /* NULL: none */
    png_bytep alpha;            /* of the palette's entries; NULL: none */
    int colours, alphas;
} reading;

static png_voidp allocate(png_structp png, png_alloc_size_t size)
{
    reading *r = png_get_mem_ptr(png);
    void *memory = clv_alloc(size, 1, NULL);
    if (!memory) r->no_memory = true;
    return memory;
}

static void release(png_structp png, png_voidp memory)
{
    (void)png;
    free(memory);
}

static void take(png_structp png, png_bytep to, size_t size)
{
    reading *r = png_get_io_ptr(png);
    if (size > r->size) png_error(png, "it is cut short");
    memcpy(to, r->bytes, size);
    r->bytes += size;
    r->size -= size;
}

static void on_error(png_structp png, png_const_charp message)
{
    reading *r = png_get_error_ptr(png);
    snprintf(r->why, sizeof r->why, "%s", message);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

/* Nothing of a file is trusted: sizes and memory are bounded before it is read, and a wrong checksum of any chunk ends
 * it. */
static void set_limits(reading *r)
{
    png_set_user_limits(r->png, CLV_MOST_FILE_SIDE, CLV_MOST_FILE_SIDE);
    png_set_chunk_malloc_max(r->png, CHUNK_BYTES);
    png_set_chunk_cache_max(r->png, 16);
    png_set_keep_unknown_chunks(r->png, PNG_HANDLE_CHUNK_NEVER, NULL, -1); /* text, times, profiles: not wanted */
    png_set_crc_action(r->png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    png_set_benign_errors(r->png, 0);
}

/* Everything becomes 8 bits a sample. Palettes are looked up here and not by libpng, which takes an index beyond the
 * palette for black. */
static void set_transforms(reading *r)
{
    const int type = png_get_color_type(r->png, r->info);
    png_set_scale_16(r->png);
    if (type == PNG_COLOR_TYPE_PALETTE) {
        png_set_packing(r->png);
        png_get_PLTE(r->png, r->info, &r->palette, &r->colours);
        png_get_tRNS(r->png, r->info, &r->alpha, &r->alphas, NULL);
    } else {
        if (type == PNG_COLOR_TYPE_GRAY) png_set_expand_gray_1_2_4_to_8(r->png);
        if (png_get_valid(r->png, r->info, PNG_INFO_tRNS)) png_set_tRNS_to_alpha(r->png);
    }
}

/* libpng jumps back here from anything that fails. No local variable is changed after setjmp, so none can be lost. */
static bool read_all(reading *r)
{
    if (setjmp(png_jmpbuf(r->png))) return false;
    set_limits(r);
    png_set_read_fn(r->png, r, take);
    png_read_info(r->png, r->info);
    r->height = (int)png_get_image_height(r->png, r->info);
    r->width = (int)png_get_image_width(r->png, r->info);
    set_transforms(r);
    const int passes = png_set_interlace_handling(r->png);
    png_read_update_info(r->png, r->info);
    r->samples = png_get_channels(r->png, r->info);
    const size_t stride = (size_t)r->width * (size_t)r->samples;
    r->row = allocate(r->png, stride * (size_t)r->height);
    if (!r->row) png_error(r->png, "out of memory");
    for (int pass = 0; pass < passes; pass++)
        for (int y = 0; y < r->height; y++) png_read_row(r->png, r->row + (size_t)y * stride, NULL);
    png_read_end(r->png, NULL);
    return true;
}

/* On black: (value x alpha) / 255 to the nearest. */
static uint8_t on_black(int value, int alpha) { return (uint8_t)((value * alpha + 127) / 255); }

/* False for an index beyond the palette. */
static bool look_up(const reading *r, uint8_t *to)
{
    const size_t pixels = (size_t)r->height * (size_t)r->width;
    for (size_t i = 0; i < pixels; i++) {
        const int index = r->row[i];
        if (index >= r->colours) return false;
        const png_color *colour = &r->palette[index];
        const int alpha = index < r->alphas ? r->alpha[index] : 255;
        to[3 * i] = on_black(colour->red, alpha);
        to[3 * i + 1] = on_black(colour->green, alpha);
        to[3 * i + 2] = on_black(colour->blue, alpha);
    }
    return true;
}

/* GA and RGBA to G and RGB, in place. */
static void drop_alpha(reading *r, int channels)
{
    const size_t pixels = (size_t)r->height * (size_t)r->width;
    for (size_t i = 0; i < pixels; i++) {
        const uint8_t *from = r->row + i * (size_t)(channels + 1);
        const int alpha = from[channels];
        for (int c = 0; c < channels; c++) r->row[i * (size_t)channels + (size_t)c] = on_black(from[c], alpha);
    }
}

static clv_status to_raster(const char *name, reading *r, clv_raster *raster, clv_error *err)
{
    clv_status status = CLV_OK;
    const int channels = r->palette || r->samples >= 3 ? 3 : 1;
    if (r->palette) {
        uint8_t *looked_up = clv_alloc((size_t)r->height * (size_t)r->width, 3, err);
        if (!looked_up) return CLV_ERR_INTERNAL;
        const bool found = look_up(r, looked_up);
        free(r->row);
        r->row = looked_up;
        CLV_REQUIRE(found, CLV_ERR_DATA,
                    "%s is a damaged PNG file: a pixel's colour is not among the %d of its palette", name, r->colours);
    } else if (r->samples == channels + 1) {
        drop_alpha(r, channels);
    }
    *raster = (clv_raster){channels, r->height, r->width, r->row};
    r->row = NULL;
done:
    return status;
}

static uint32_t big_endian(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Whether the first bytes are a PNG file's, and its sides those of a picture that is read: libpng would say less. */
static clv_status check_head(const char *name, const uint8_t *bytes, size_t size, clv_error *err)
{
    clv_status status = CLV_OK;
    CLV_REQUIRE(size > 0, CLV_ERR_DATA, "%s is empty: copy it again", name);
    CLV_REQUIRE(size >= 4, CLV_ERR_DATA, "%s is no PNG file: it holds %zu bytes; take it out", name, size);
    CLV_REQUIRE(png_sig_cmp(bytes, 0, size < SIGNATURE ? size : SIGNATURE) == 0, CLV_ERR_DATA,
                "%s is no PNG file: it starts with %02x %02x %02x %02x, not 89 50 4e 47; convert it, or take it out",
                name, bytes[0], bytes[1], bytes[2], bytes[3]);
    if (size < HEAD || memcmp(bytes + SIGNATURE + 4, "IHDR", 4) != 0) goto done;
    const uint32_t width = big_endian(bytes + SIGNATURE + 8), height = big_endian(bytes + SIGNATURE + 12);
    CLV_REQUIRE(width <= CLV_MOST_FILE_SIDE && height <= CLV_MOST_FILE_SIDE && (uint64_t)width * height <= MOST_PIXELS,
                CLV_ERR_DATA,
                "%s says that it has %" PRIu32 "x%" PRIu32
                " pixels (height x width); sides up to %d and %d pixels in all are read: make it smaller",
                name, height, width, CLV_MOST_FILE_SIDE, MOST_PIXELS);
done:
    return status;
}

clv_status clv_png_decode(const char *name, const uint8_t *bytes, size_t size, clv_raster *raster, clv_error *err)
{
    clv_status status = CLV_OK;
    reading r = {.bytes = bytes, .size = size};
    CLV_TRY(check_head(name, bytes, size, err));
    r.png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &r, on_error, on_warning, &r, allocate, release);
    if (r.png) r.info = png_create_info_struct(r.png);
    const bool read = r.info && read_all(&r);
    CLV_REQUIRE(r.info && !r.no_memory, CLV_ERR_INTERNAL, "out of memory while reading %s", name);
    CLV_REQUIRE(read, CLV_ERR_DATA, "%s is a damaged PNG file (%s): copy it again, or take it out", name, r.why);
    status = to_raster(name, &r, raster, err);
done:
    png_destroy_read_struct(&r.png, &r.info, NULL);
    free(r.row);
    return status;
}

clv_status clv_png_read(const char *path, clv_raster *raster, clv_error *err)
{
    clv_status status = CLV_OK;
    uint8_t *bytes = NULL;
    size_t size = 0;
    CLV_TRY(clv_file_read(path, MOST_BYTES, CLV_ERR_DATA, &bytes, &size, err));
    status = clv_png_decode(path, bytes, size, raster, err);
done:
    free(bytes);
    return status;
}
