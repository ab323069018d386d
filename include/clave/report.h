/* Pictures: grids of images as PNG, and plots as PNG or SVG. */
#ifndef CLAVE_REPORT_H
#define CLAVE_REPORT_H

#include <stdbool.h>
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

/* Plots. What all of them share: path ends in .png or .svg (CLV_ERR_CONFIG otherwise). Axes have ticks and labels, which name the unit.
 * Texts are UTF-8, NULL or "" for none; titles have three lines at most, others shrink by a quarter at most, and both end in an ellipsis
 * where they are too long for the page even so. Values that are not finite (and those beyond 1e100, as good as infinite) are left out,
 * and on a logarithmic axis those that are not positive; a plot without a point says so. The same plot gives the same bytes. Files are
 * written whole or not at all. */

/* CLV_ERR_CONFIG where no plot can have that name, for callers who work long before they draw. */
clv_status clv_plot_path_check(const char *path, clv_error *err);

/* A plot of lines with a legend, colour-blind-safe colours (Okabe & Ito 2008). */
typedef struct clv_series {
    const char *name;
    const double *x, *y; /* [count] */
    int count;
    bool no_line; /* marks alone */
    bool faint;   /* thin and grey below the others, without marks: what these are seen against */
} clv_series;
typedef struct clv_plot {
    const char *title, *x_label, *y_label;
    const clv_series *series;
    int series_count;
    bool log_x, log_y; /* ticks at decades, at 2 and 5 where there is room */
    bool markers;      /* a mark at each point beside the line; lines of 25 points or fewer have them anyway */
} clv_plot;
clv_status clv_plot_write(const char *path, const clv_plot *plot, clv_error *err);

/* Points of classes in the plane, coloured by class, with a legend; the more points, the smaller and the more transparent the marks. */
typedef struct clv_scatter {
    const char *title, *x_label, *y_label;
    const double *x, *y; /* [count] */
    const int *group;    /* [count] 0 .. groups - 1, points of another group are left out; NULL: one colour, no legend */
    int count, groups;   /* groups: 20 at most; ten colours, the second ten with other marks */
    const char *const *group_name; /* [groups]; NULL: their numbers */
    bool equal;                    /* the same scale on both axes */
} clv_scatter;
clv_status clv_scatter_write(const char *path, const clv_scatter *scatter, clv_error *err);

/* Images with a line of text under each, row by row, and the name of each row at its left. */
typedef struct clv_gallery {
    const char *title;
    int channels, height, width; /* of an image */
    int count, columns;          /* columns >= 1 */
    const float *pixel;          /* [image][c][y][x], 0 .. 1 */
    const char *const *caption;  /* [count]; NULL: none under that image */
    int scale;                   /* >= 1: points a pixel */
    const char *const *row_name; /* [rows]; NULL: none */
} clv_gallery;
clv_status clv_gallery_write(const char *path, const clv_gallery *gallery, clv_error *err);

/* Counts of a classifier as a matrix of cells with the count in each, shaded by the share of the row: blue on the diagonal, orange
 * beside it, on a cube-root scale, so that errors of 1 % can be seen. */
typedef struct clv_confusion {
    const char *title;
    int classes;                   /* 1 .. 256; above 100 the cells are small, without counts, and only some have their names */
    const char *const *class_name; /* [classes]; NULL: their numbers */
    const uint32_t *count;         /* [true class][predicted class] */
} clv_confusion;
clv_status clv_confusion_write(const char *path, const clv_confusion *confusion, clv_error *err);

/* Horizontal bars from 0, one a name, in the order given, with the value beside each; the page grows with their number. */
typedef struct clv_bars {
    const char *title, *x_label;
    int count; /* 0 .. 800 */
    const char *const *name; /* [count] */
    const double *value;     /* [count]; not finite: said so instead of a bar */
} clv_bars;
clv_status clv_bars_write(const char *path, const clv_bars *bars, clv_error *err);

/* Small multiples: one scatter of (parameter, objective) for each parameter, the y axis shared. */
typedef struct clv_panels {
    const char *title, *y_label;
    int panels, points;         /* panels: 0 .. 64 */
    const char *const *x_label; /* [panels] */
    const bool *log_x;          /* [panels]; NULL: none */
    const double *x;            /* [panel][point] */
    const double *y;            /* [point] */
    bool log_y;
    const bool *listed; /* [panels] a list's values: few have a number each, and their points stand a little aside; NULL: none */
} clv_panels;
clv_status clv_panels_write(const char *path, const clv_panels *panels, clv_error *err);

/* Parallel coordinates: one line a trial across the axes, coloured by its value, the lowest values darkest and on top, with a colour bar
 * at the right. Lines fan out a little on axes of few listed values, so that none hides the others. A line without a value is left out, one
 * without a place on an axis has a gap there. */
typedef struct clv_parallel {
    const char *title, *value_label;
    int axes, lines;              /* axes: 0 .. 40 */
    const char *const *axis_name; /* [axes] */
    const bool *log_axis;         /* [axes]; NULL: none */
    const double *at;             /* [line][axis] */
    const double *value;          /* [line] */
    const bool *listed;           /* [axes] a list's values, not those of a range; NULL: none */
} clv_parallel;
clv_status clv_parallel_write(const char *path, const clv_parallel *parallel, clv_error *err);

#ifdef __cplusplus
}
#endif
#endif
