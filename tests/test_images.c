/* src/data: PNG files of every colour type, depth and interlacing, written by libpng and read back; other sizes and
 * channels; and every way to be no such file. */
#include "support.h"

#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "base/philox.h"
#include "clave/report.h"
#include "data/raster.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* A PNG file in memory. */
typedef struct file {
    uint8_t *at;
    size_t size, capacity;
} file;

typedef struct flavour {
    const char *name;
    int type, depth, interlace;
    int samples;  /* of a pixel, in the file */
    int channels; /* that are read */
} flavour;

enum { HEIGHT = 11, WIDTH = 13 };

static void append(png_structp png, png_bytep bytes, size_t size)
{
    file *f = png_get_io_ptr(png);
    assert_int_equal(clv_grow(&f->at, &f->capacity, f->size + size, 1, NULL), CLV_OK);
    memcpy(f->at + f->size, bytes, size);
    f->size += size;
}

static void no_flush(png_structp png) { (void)png; }

static const png_color palette[16] = {
    {1, 2, 3},  {250, 0, 7},  {90, 91, 92}, {0, 255, 0},  {17, 18, 19}, {200, 100, 50}, {5, 5, 5},   {6, 60, 160},
    {70, 7, 0}, {8, 88, 188}, {9, 19, 29},  {10, 20, 30}, {11, 22, 33}, {12, 24, 36},   {255, 1, 2}, {128, 64, 32}};
static const png_byte palette_alpha[3] = {255, 128, 0}; /* the rest is opaque */

/* The value of a sample, of `depth` bits: a different one for about every place. */
static unsigned sample(const flavour *f, int y, int x, int s)
{
    const unsigned value = (unsigned)(y * 7919 + x * 104729 + s * 1299709 + y * x * 31);
    if (f->type == PNG_COLOR_TYPE_PALETTE) return value % (1u << (f->depth < 4 ? f->depth : 4));
    return value & ((1u << f->depth) - 1);
}

/* Rows as libpng takes them: samples packed, the first in the highest bits; 16 bits in two bytes. */
static void pack_row(const flavour *f, int y, int width, uint8_t *row)
{
    memset(row, 0, (size_t)width * 8 + 1);
    for (int x = 0; x < width; x++)
        for (int s = 0; s < f->samples; s++) {
            const unsigned value = sample(f, y, x, s);
            const int at = x * f->samples + s;
            if (f->depth == 16) {
                row[2 * at] = (uint8_t)(value >> 8);
                row[2 * at + 1] = (uint8_t)value;
            } else {
                const int bit = at * f->depth;
                row[bit / 8] = (uint8_t)(row[bit / 8] | value << (8 - f->depth - bit % 8));
            }
        }
}

/* With `transparent`, palettes get an alpha for three entries, and grey and RGB the first pixel's colour as the
 * transparent one. */
static file write_png(const flavour *f, int height, int width, bool transparent)
{
    file out = {0};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    uint8_t *rows = calloc((size_t)height, (size_t)width * 8 + 1);
    png_bytep *row = calloc((size_t)height, sizeof *row);
    assert_true(rows && row);
    if (setjmp(png_jmpbuf(png))) fail_msg("libpng cannot write %s", f->name);
    png_set_write_fn(png, &out, append, no_flush);
    png_set_IHDR(png, info, (png_uint_32)width, (png_uint_32)height, f->depth, f->type, f->interlace,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (f->type == PNG_COLOR_TYPE_PALETTE) {
        const int colours = f->depth < 4 ? 1 << f->depth : 16;
        png_set_PLTE(png, info, palette, colours);
        if (transparent) png_set_tRNS(png, info, palette_alpha, colours < 3 ? colours : 3, NULL);
    } else if (transparent) {
        png_color_16 colour = {.gray = (png_uint_16)sample(f, 0, 0, 0),
                               .red = (png_uint_16)sample(f, 0, 0, 0),
                               .green = (png_uint_16)sample(f, 0, 0, 1),
                               .blue = (png_uint_16)sample(f, 0, 0, 2)};
        png_set_tRNS(png, info, NULL, 0, &colour);
    }
    png_write_info(png, info);
    for (int y = 0; y < height; y++) {
        row[y] = rows + (size_t)y * ((size_t)width * 8 + 1);
        pack_row(f, y, width, row[y]);
    }
    png_write_image(png, row);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    free(rows);
    free(row);
    return out;
}

/* What a value of `depth` bits is in 8: the nearest. */
static int in_bytes(unsigned value, int depth)
{
    const unsigned top = (1u << depth) - 1;
    return (int)((value * 255u + top / 2) / top);
}

static int laid_on_black(int value, int alpha) { return (2 * value * alpha + 255) / 510; }

static int expected(const flavour *f, int y, int x, int c, bool transparent)
{
    if (f->type == PNG_COLOR_TYPE_PALETTE) {
        const unsigned index = sample(f, y, x, 0);
        const png_color *colour = &palette[index];
        const int value = c == 0 ? colour->red : c == 1 ? colour->green : colour->blue;
        return laid_on_black(value, transparent && index < 3 ? palette_alpha[index] : 255);
    }
    const int value = in_bytes(sample(f, y, x, c), f->depth);
    if (f->samples == f->channels + 1) return laid_on_black(value, in_bytes(sample(f, y, x, f->channels), f->depth));
    bool gone = transparent;
    for (int s = 0; s < f->samples; s++) gone = gone && sample(f, y, x, s) == sample(f, 0, 0, s);
    return gone ? 0 : value;
}

static const flavour flavours[] = {
    {"grey 1", PNG_COLOR_TYPE_GRAY, 1, PNG_INTERLACE_NONE, 1, 1},
    {"grey 2", PNG_COLOR_TYPE_GRAY, 2, PNG_INTERLACE_NONE, 1, 1},
    {"grey 4", PNG_COLOR_TYPE_GRAY, 4, PNG_INTERLACE_ADAM7, 1, 1},
    {"grey 8", PNG_COLOR_TYPE_GRAY, 8, PNG_INTERLACE_NONE, 1, 1},
    {"grey 8, interlaced", PNG_COLOR_TYPE_GRAY, 8, PNG_INTERLACE_ADAM7, 1, 1},
    {"grey 16", PNG_COLOR_TYPE_GRAY, 16, PNG_INTERLACE_NONE, 1, 1},
    {"grey and alpha 8", PNG_COLOR_TYPE_GRAY_ALPHA, 8, PNG_INTERLACE_ADAM7, 2, 1},
    {"grey and alpha 16", PNG_COLOR_TYPE_GRAY_ALPHA, 16, PNG_INTERLACE_NONE, 2, 1},
    {"palette 1", PNG_COLOR_TYPE_PALETTE, 1, PNG_INTERLACE_NONE, 1, 3},
    {"palette 2", PNG_COLOR_TYPE_PALETTE, 2, PNG_INTERLACE_ADAM7, 1, 3},
    {"palette 4", PNG_COLOR_TYPE_PALETTE, 4, PNG_INTERLACE_NONE, 1, 3},
    {"palette 8", PNG_COLOR_TYPE_PALETTE, 8, PNG_INTERLACE_NONE, 1, 3},
    {"RGB 8", PNG_COLOR_TYPE_RGB, 8, PNG_INTERLACE_NONE, 3, 3},
    {"RGB 8, interlaced", PNG_COLOR_TYPE_RGB, 8, PNG_INTERLACE_ADAM7, 3, 3},
    {"RGB 16", PNG_COLOR_TYPE_RGB, 16, PNG_INTERLACE_ADAM7, 3, 3},
    {"RGBA 8", PNG_COLOR_TYPE_RGB_ALPHA, 8, PNG_INTERLACE_NONE, 4, 3},
    {"RGBA 16", PNG_COLOR_TYPE_RGB_ALPHA, 16, PNG_INTERLACE_ADAM7, 4, 3},
};
enum { FLAVOURS = sizeof flavours / sizeof *flavours };

static void check_pixels(const flavour *f, const clv_raster *raster, int height, int width, bool transparent)
{
    assert_int_equal(raster->channels, f->channels);
    assert_int_equal(raster->height, height);
    assert_int_equal(raster->width, width);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < f->channels; c++) {
                const int got = raster->pixel[(y * width + x) * f->channels + c],
                          want = expected(f, y, x, c, transparent);
                if (got != want) fail_msg("%s: %d, not %d, at y %d, x %d, channel %d", f->name, got, want, y, x, c);
            }
}

static void every_flavour_is_read(void **state)
{
    (void)state;
    static const int sides[][2] = {{HEIGHT, WIDTH}, {1, 1}, {2, 9}, {64, 64}};
    for (int i = 0; i < FLAVOURS; i++)
        for (int transparent = 0; transparent < 2; transparent++)
            for (size_t k = 0; k < sizeof sides / sizeof *sides; k++) {
                const flavour *f = &flavours[i];
                if (transparent && f->type & PNG_COLOR_MASK_ALPHA) continue;
                file png = write_png(f, sides[k][0], sides[k][1], transparent);
                clv_raster raster;
                assert_ok(clv_png_decode(f->name, png.at, png.size, &raster, err));
                check_pixels(f, &raster, sides[k][0], sides[k][1], transparent);
                free(raster.pixel);
                free(png.at);
            }
}

/* Files that are not what they claim. */

static void refused(const void *bytes, size_t size, const char *part)
{
    clv_raster raster = {.channels = 77};
    clv_error error = {0};
    assert_int_equal(clv_png_decode("a/b.png", bytes, size, &raster, &error), CLV_ERR_DATA);
    assert_int_equal(error.status, CLV_ERR_DATA);
    assert_memory_equal(error.message, "a/b.png ", 8);
    if (!strstr(error.message, part)) fail_msg("'%s' does not say '%s'", error.message, part);
    assert_int_equal(raster.channels, 77);
    assert_null(raster.pixel);
}

static uint32_t crc(const uint8_t *bytes, size_t size)
{
    uint32_t c = 0xffffffffu;
    for (size_t i = 0; i < size; i++) {
        c ^= bytes[i];
        for (int k = 0; k < 8; k++) c = c & 1 ? 0xedb88320u ^ c >> 1 : c >> 1;
    }
    return ~c;
}

static void put_be(uint8_t *at, uint32_t word)
{
    for (int i = 0; i < 4; i++) at[i] = (uint8_t)(word >> (24 - 8 * i));
}

/* Changes a chunk's byte and sets its checksum right again. */
static void change_chunk(file *png, const char *name, size_t offset, uint8_t value)
{
    for (size_t at = 8; at + 12 <= png->size;) {
        const size_t length = (size_t)png->at[at + 2] << 8 | png->at[at + 3];
        if (!memcmp(png->at + at + 4, name, 4)) {
            png->at[at + 8 + offset] = value;
            put_be(png->at + at + 8 + length, crc(png->at + at + 4, length + 4));
            return;
        }
        at += length + 12;
    }
    fail_msg("no chunk %s", name);
}

static void what_is_no_png_is_refused(void **state)
{
    (void)state;
    refused("", 0, "is empty");
    refused("\x89PN", 3, "holds 3 bytes");
    refused("hello, I am text\n", 17, "starts with 68 65 6c 6c, not 89 50 4e 47");
    refused("\xff\xd8\xff\xe0 JFIF", 9, "is no PNG file: it starts with ff d8 ff e0");
    refused("\x89PNG\n\x1a\n", 7, "is no PNG file"); /* a text-mode copy lost the CR */
    refused("\x89PNG\r\n\x1a\n", 8, "damaged PNG file (it is cut short)");
    refused("\x89PNG", 4, "damaged PNG file (it is cut short)");
}

static void every_cut_is_refused(void **state)
{
    (void)state;
    for (int i = 0; i < FLAVOURS; i++) {
        file png = write_png(&flavours[i], HEIGHT, WIDTH, false);
        for (size_t size = 8; size < png.size; size++) refused(png.at, size, "it is cut short");
        clv_raster raster;
        assert_ok(clv_png_decode("whole", png.at, png.size, &raster, err));
        free(raster.pixel);
        free(png.at);
    }
}

/* Each byte of a chunk, changed, breaks its checksum; a length changed leads to no chunk. */
static void every_damaged_byte_is_refused(void **state)
{
    (void)state;
    file png = write_png(&flavours[11], 4, 4, true);
    for (size_t i = 0; i < png.size; i++) {
        png.at[i] ^= 0x10;
        refused(png.at, png.size, i < 8 ? "no PNG file" : "");
        png.at[i] ^= 0x10;
    }
    free(png.at);
}

static void wrong_contents_are_refused(void **state)
{
    (void)state;
    file png = write_png(&flavours[11], 4, 4, false);
    put_be(png.at + 8 + 8, 16385);
    refused(png.at, png.size, "4x16385 pixels (height x width); sides up to 16384");
    put_be(png.at + 8 + 8, 16384);
    put_be(png.at + 8 + 12, 16384);
    refused(png.at, png.size, "67108864 pixels in all");
    put_be(png.at + 8 + 8, 0);
    refused(png.at, png.size, "damaged");
    free(png.at);

    png = write_png(&flavours[11], 4, 4, false);
    change_chunk(&png, "IHDR", 3, 5); /* a column more than the data has */
    refused(png.at, png.size, "damaged");
    change_chunk(&png, "IHDR", 3, 3); /* one less */
    refused(png.at, png.size, "damaged");
    change_chunk(&png, "IHDR", 3, 4);
    change_chunk(&png, "IHDR", 7, 3); /* a row less */
    refused(png.at, png.size, "damaged");
    change_chunk(&png, "IHDR", 7, 4);
    change_chunk(&png, "IHDR", 8, 7); /* no depth */
    refused(png.at, png.size, "damaged");
    free(png.at);
}

/* An index that the palette lacks: four entries, pixels of 8 bits. */
static void wrong_palettes_are_refused(void **state)
{
    (void)state;
    const flavour grey = {"", PNG_COLOR_TYPE_GRAY, 8, PNG_INTERLACE_NONE, 1, 1};
    file png = write_png(&grey, 4, 4, false), with = {0};
    const size_t head = 8 + 25;
    uint8_t chunk[12 + 12] = {0, 0, 0, 12, 'P', 'L', 'T', 'E', 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    put_be(chunk + 20, crc(chunk + 4, 16));
    change_chunk(&png, "IHDR", 9, PNG_COLOR_TYPE_PALETTE);
    with.at = malloc(png.size + sizeof chunk);
    assert_non_null(with.at);
    with.size = png.size + sizeof chunk;
    memcpy(with.at, png.at, head);
    memcpy(with.at + head, chunk, sizeof chunk);
    memcpy(with.at + head + sizeof chunk, png.at + head, png.size - head);
    refused(with.at, with.size, "palette");
    refused(png.at, png.size, "damaged PNG file"); /* none at all */
    free(png.at);
    free(with.at);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (int i = 0; i < FLAVOURS; i++) {
        file png = write_png(&flavours[i], HEIGHT, WIDTH, false);
        clv_status status = CLV_ERR_INTERNAL;
        int failures = 0;
        for (long nth = 1; status != CLV_OK; nth++) {
            clv_raster raster = {0};
            clv_error error = {0};
            clv_fail_allocation(nth);
            status = clv_png_decode("x.png", png.at, png.size, &raster, &error);
            clv_fail_allocation(0);
            if (status != CLV_OK) {
                assert_int_equal(status, CLV_ERR_INTERNAL);
                assert_non_null(strstr(error.message, "out of memory"));
                failures++;
            }
            free(raster.pixel);
        }
        assert_true(failures >= 5); /* libpng's records, zlib's state and window, a row, the picture */
        free(png.at);
    }
}

/* Good files with bytes changed, cut or repeated, with and without right checksums: never a crash, a leak or an answer
 * of another shape than the file says (the sanitizers watch). */
static void damaged_files_do_no_harm(void **state)
{
    (void)state;
    const uint64_t seed = (uint64_t)time(NULL);
    print_message("seed %llu\n", (unsigned long long)seed);
    clv_random random = clv_random_start(seed, 1);
    for (int round = 0; round < 4000; round++) {
        const flavour *f = &flavours[clv_random_below(&random, FLAVOURS)];
        file png = write_png(f, 1 + (int)clv_random_below(&random, 9), 1 + (int)clv_random_below(&random, 9),
                             !(f->type & PNG_COLOR_MASK_ALPHA) && round % 2);
        const uint32_t changes = 1 + clv_random_below(&random, 4);
        for (uint32_t i = 0; i < changes; i++)
            png.at[8 + clv_random_below(&random, (uint32_t)png.size - 8)] = (uint8_t)clv_random_word(&random);
        if (round % 3 == 0) png.size = clv_random_below(&random, (uint32_t)png.size);
        LLVMFuzzerTestOneInput(png.at, png.size);
        free(png.at);
    }
}

/* Other sizes and channels. */

static void fits(const clv_raster *from, int channels, int height, int width, const uint8_t *expect)
{
    uint8_t out[64];
    memset(out, 0xee, sizeof out);
    assert_ok(clv_raster_fit(from, channels, height, width, out, err));
    for (int i = 0; i < channels * height * width; i++)
        if (out[i] != expect[i])
            fail_msg("%dx%dx%d: element %d is %d, not %d", channels, height, width, i, out[i], expect[i]);
    assert_int_equal(out[channels * height * width], 0xee);
}

static void channels_are_converted(void **state)
{
    (void)state;
    uint8_t colours[] = {255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255, 10, 20, 30, 77, 77, 77}; /* [y][x][c] */
    uint8_t greys[] = {1, 2, 3, 4, 5, 6};
    const clv_raster colour = {3, 2, 3, colours}, grey = {1, 2, 3, greys};
    /* 0.299 x 255 = 76.245, 0.587 x 255 = 149.685, 0.114 x 255 = 29.07; 2.99 + 11.74 + 3.42 = 18.15 */
    fits(&colour, 1, 2, 3, (const uint8_t[]){76, 150, 29, 255, 18, 77});
    fits(&colour, 3, 2, 3, (const uint8_t[]){255, 0, 0, 255, 10, 77, 0, 255, 0, 255, 20, 77, 0, 0, 255, 255, 30, 77});
    fits(&grey, 3, 2, 3, (const uint8_t[]){1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6});
}

static void smaller_is_the_mean_of_the_area(void **state)
{
    (void)state;
    uint8_t square[] = {0, 10, 20, 30, 40, 50, 60, 70, 100, 110, 120, 131, 140, 150, 160, 170};
    const clv_raster four = {1, 4, 4, square}, row = {1, 1, 3, square + 1}, column = {1, 3, 1, square + 1};
    /* (0 + 10 + 40 + 50) / 4; the last, (120 + 131 + 160 + 170) / 4 = 145.25 */
    fits(&four, 1, 2, 2, (const uint8_t[]){25, 45, 125, 145});
    fits(&four, 1, 1, 4, (const uint8_t[]){70, 80, 90, 100}); /* (30 + 70 + 131 + 170) / 4 = 100.25 */
    fits(&four, 1, 1, 1, (const uint8_t[]){85});              /* 1361 / 16 = 85.06 */
    /* 10 20 30 to two: (10 + 20 / 2) / 1.5 = 13.33, (20 / 2 + 30) / 1.5 = 26.67 */
    fits(&row, 1, 1, 2, (const uint8_t[]){13, 27});
    fits(&column, 1, 2, 1, (const uint8_t[]){13, 27});
    /* 4 to 3 columns, of the first row: (0 + 10 / 3) 3 / 4 = 2.5, (10 2/3 + 20 2/3) 3 / 4 = 15, (20 / 3 + 30) 3 / 4
     * = 27.5 */
    const clv_raster first = {1, 1, 4, square};
    fits(&first, 1, 1, 3, (const uint8_t[]){3, 15, 28}); /* halves go up */
}

static void larger_is_linear_between_centres(void **state)
{
    (void)state;
    uint8_t values[] = {0, 100, 30, 60};
    const clv_raster row = {1, 1, 2, values}, square = {1, 2, 2, values}, one = {1, 1, 1, values + 1};
    /* centres of four at 1/4, 3/4, 5/4, 7/4 between those of two at 1/2 and 3/2: shares of the right one 0, 1/4, 3/4, 1
     */
    fits(&row, 1, 1, 4, (const uint8_t[]){0, 25, 75, 100});
    /* three: at 1/3, 1, 5/3 */
    fits(&row, 1, 1, 3, (const uint8_t[]){0, 50, 100});
    /* rows 0, 25, 75, 100 and 30, 37.5, 52.5, 60, mixed 3 to 1 and 1 to 3 */
    fits(&square, 1, 4, 4, (const uint8_t[]){0, 25, 75, 100, 8, 28, 69, 90, 23, 34, 58, 70, 30, 38, 53, 60});
    fits(&one, 1, 2, 3, (const uint8_t[]){100, 100, 100, 100, 100, 100});
    /* up on one axis, down on the other: rows' means 50 and 45, then linear */
    fits(&square, 1, 4, 1, (const uint8_t[]){50, 49, 46, 45});
}

/* A picture of one value keeps it whatever its size becomes, and a large one does not overflow. */
static void plain_pictures_stay_plain(void **state)
{
    (void)state;
    static const int sides[] = {1, 2, 3, 7, 28, 64, 1000};
    uint8_t *white = malloc(16384 * 3), *out = malloc(1000 * 1000);
    assert_true(white && out);
    memset(white, 255, 16384 * 3);
    const clv_raster raster = {1, 3, 16384, white}, upright = {1, 16384, 3, white};
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++)
        for (size_t k = 0; k < sizeof sides / sizeof *sides; k++) {
            const size_t count = (size_t)sides[i] * (size_t)sides[k];
            assert_ok(clv_raster_fit(i % 2 ? &raster : &upright, 1, sides[i], sides[k], out, err));
            for (size_t p = 0; p < count; p++) assert_int_equal(out[p], 255);
        }
    free(white);
    free(out);
}

/* One file as a model's input. */
static void single_images_are_read(void **state)
{
    (void)state;
    const char *path = test_path("one.png");
    const uint8_t pixel[] = {0, 51, 255, 102, 204, 153}; /* [y][x] */
    float out[18];
    assert_ok(clv_png_write(path, pixel, 1, 2, 3, err));
    assert_ok(clv_image_read(path, 1, 2, 3, CLV_FIT_EXACT, out, err));
    for (int i = 0; i < 6; i++) assert_true(out[i] == (float)pixel[i] / 255.0f);
    assert_ok(clv_image_read(path, 3, 2, 3, CLV_FIT_EXACT, out, err));
    for (int i = 0; i < 18; i++) assert_true(out[i] == (float)pixel[i % 6] / 255.0f);
    assert_ok(clv_image_read(path, 1, 1, 1, CLV_FIT_RESIZE, out, err));
    assert_true(out[0] == 128.0f / 255.0f); /* 127.5 */
    out[0] = 77;
    assert_refused(clv_image_read(path, 1, 3, 2, CLV_FIT_EXACT, out, err), CLV_ERR_DATA,
                   "one.png is 2x3 pixels (height x width) where 3x2 are wanted");
    assert_refused(clv_image_read(path, 2, 2, 3, CLV_FIT_EXACT, out, err), CLV_ERR_CONFIG, "2 channels");
    assert_refused(clv_image_read(test_path("none.png"), 1, 2, 3, CLV_FIT_EXACT, out, err), CLV_ERR_DATA,
                   "none.png: No such file");
    assert_refused(clv_image_read(test_folder(), 1, 2, 3, CLV_FIT_EXACT, out, err), CLV_ERR_DATA, "is a folder");
    assert_true(out[0] == 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_flavour_is_read),
        cmocka_unit_test(what_is_no_png_is_refused),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(every_damaged_byte_is_refused),
        cmocka_unit_test(wrong_contents_are_refused),
        cmocka_unit_test(wrong_palettes_are_refused),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(damaged_files_do_no_harm),
        cmocka_unit_test(channels_are_converted),
        cmocka_unit_test(smaller_is_the_mean_of_the_area),
        cmocka_unit_test(larger_is_linear_between_centres),
        cmocka_unit_test(plain_pictures_stay_plain),
        cmocka_unit_test(single_images_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
