/* A picture as it comes out of a file, and its way into a data set: 1 or 3 channels, another size. */
#ifndef CLAVE_DATA_RASTER_H
#define CLAVE_DATA_RASTER_H

#include <stddef.h>
#include <stdint.h>

#include "clave/data.h"

enum { CLV_MOST_FILE_SIDE = 16384 }; /* pixels of a side that are read */

typedef struct clv_raster {
    int channels, height, width; /* channels: 1 or 3 */
    uint8_t *pixel;              /* [y][x][c]; free() it */
} clv_raster;

/* A PNG file's bytes; `name` is for messages. Every colour type, depth and interlacing is read: 16 bits are scaled to 8, palettes and
 * colours with alpha become 3 channels, grey with alpha 1; what is transparent is laid on black. Values are taken as they are stored
 * (gAMA, sRGB and colour profiles are not applied); what follows IEND is not looked at. CLV_ERR_DATA for anything damaged. */
clv_status clv_png_decode(const char *name, const uint8_t *bytes, size_t size, clv_raster *raster, clv_error *err);

/* A PNG file. */
clv_status clv_png_read(const char *path, clv_raster *raster, clv_error *err);

/* out = raster in `channels` and height x width pixels.
 *
 * Grey to colour repeats; colour to grey is luma of Rec. ITU-R BT.601: 0.299 R + 0.587 G + 0.114 B. Each axis is resized for itself,
 * without keeping the proportions: to fewer pixels by area (a new pixel is the mean of what it covers), to more by straight
 * lines between pixels' centres, the edge going on beyond them. Both means are exact and rounded once, half upwards. */
clv_status clv_raster_fit(const clv_raster *raster, int channels, int height, int width, uint8_t *out /* [c][y][x] */, clv_error *err);

#endif
