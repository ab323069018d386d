/* Pictures read back by libpng, and what tests ask of them. */
#include "picture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

/* By libpng's full read API, not by the code under test. */
image read_png(const char *path)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_init_io(png, file);
    png_read_png(png, info, PNG_TRANSFORM_IDENTITY, NULL);
    assert_int_equal(png_get_bit_depth(png, info), 8);
    image i = {(int)png_get_image_height(png, info), (int)png_get_image_width(png, info), png_get_channels(png, info),
               NULL};
    const size_t row = (size_t)i.width * (size_t)i.channels;
    i.pixel = malloc((size_t)i.height * row);
    assert_non_null(i.pixel);
    for (int y = 0; y < i.height; y++) memcpy(i.pixel + (size_t)y * row, png_get_rows(png, info)[y], row);
    png_destroy_read_struct(&png, &info, NULL);
    fclose(file);
    return i;
}

static const int border = 20; /* pixels of a page that stay white */

/* Pixels of about this colour. */
int pixels_of(const image *i, int red, int green, int blue)
{
    int found = 0;
    for (int p = 0; p < i->height * i->width; p++) {
        const uint8_t *at = i->pixel + 3 * (size_t)p;
        found += abs(at[0] - red) < 3 && abs(at[1] - green) < 3 && abs(at[2] - blue) < 3;
    }
    return found;
}

/* Nothing is drawn within `border` pixels of the edges: no text is cut off. */
bool has_clear_border(const image *i)
{
    for (int y = 0; y < i->height; y++)
        for (int x = 0; x < i->width; x++) {
            const bool inside = x >= border && x < i->width - border && y >= border && y < i->height - border;
            const uint8_t *at = i->pixel + 3 * ((size_t)y * (size_t)i->width + (size_t)x);
            if (!inside && (at[0] != 255 || at[1] != 255 || at[2] != 255)) return false;
        }
    return true;
}
