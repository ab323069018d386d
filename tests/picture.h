/* Pictures read back, and what tests ask of them. */
#ifndef CLAVE_TESTS_PICTURE_H
#define CLAVE_TESTS_PICTURE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct image {
    int height, width, channels;
    uint8_t *pixel; /* [y][x][c] */
} image;

image read_png(const char *path); /* the caller frees the pixels */

int pixels_of(const image *i, int red, int green, int blue); /* of about this colour */

bool has_clear_border(const image *i); /* nothing is drawn near the edges: no text is cut off */

#endif
