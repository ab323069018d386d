/* Pictures: grids of images as PNG, and loss curves. */
#ifndef CLAVE_REPORT_H
#define CLAVE_REPORT_H

#include <stdint.h>

#include "clave/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Writes a grid of rows x columns images, image i at row i / columns; each [channels][y][x] floats, 0 .. 1 (clamped; NaN is drawn
 * as magenta, or as white on a grey picture), 1 or 3 channels, drawn `scale` times its size with `gap` pixels of grey between; places without an image stay grey. */
typedef struct clv_grid {
    int channels, height, width; /* of an image */
    int rows, columns;
    int count;           /* images in `pixel` */
    const float *pixel;  /* [image][c][y][x] */
    int scale;           /* >= 1 */
    int gap;             /* >= 0 */
} clv_grid;
clv_status clv_png_write_grid(const char *path, const clv_grid *grid, clv_error *err);

/* 8-bit grey (channels 1) or RGB (3), [y][x][c]. Written whole or not at all. */
clv_status clv_png_write(const char *path, const uint8_t *pixel, int channels, int height, int width, clv_error *err);

/* A plot of lines: axes with ticks, labels, units and a legend, colour-blind-safe colours (Okabe & Ito 2008). path ends in .png or .svg. */
typedef struct clv_series {
    const char *name;
    const double *x, *y; /* [count]; points that are not finite are left out */
    int count;
} clv_series;
typedef struct clv_plot {
    const char *title, *x_label, *y_label;
    const clv_series *series;
    int series_count;
} clv_plot;
clv_status clv_plot_write(const char *path, const clv_plot *plot, clv_error *err);

#ifdef __cplusplus
}
#endif
#endif
