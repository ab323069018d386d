/* Legends: a row for each named thing of a plot, a swatch and its name. */
#ifndef CLAVE_REPORT_LEGEND_H
#define CLAVE_REPORT_LEGEND_H

#include "report/canvas.h"
#include "report/frame.h"

/* What a legend lists: `count` things, their names (NULL or "": not listed) and how their swatches are drawn, `width`
 * points wide from left on, at height y. */
typedef struct clv_legend_source {
    const void *of;
    int count;
    const char *(*name)(const void *of, int i);
    void (*swatch)(clv_canvas *canvas, const void *of, int i, double left, double y, double width);
} clv_legend_source;

typedef struct clv_legend {
    clv_legend_source source;
    int rows;      /* 0: nothing has a name */
    bool has_more; /* the last row says how many things there is no room for */
    double text;   /* size of the names */
    double width, height;
} clv_legend;

/* Its size, where it may be `height` high. */
clv_legend clv_legend_measure(clv_canvas *canvas, const clv_legend_source *source, double height);

/* Looks for a corner of the frame where it covers no line of the plot; false where there is none. */
bool clv_legend_place(const clv_legend *legend, const clv_plot *plot, const clv_frame *frame, double *left,
                      double *top);

void clv_legend_draw(clv_canvas *canvas, const clv_legend *legend, double left, double top);

/* The look of a plot's series, and its legend's source. */
clv_legend_source clv_series_legend(const clv_plot *plot);
void clv_series_pen(clv_canvas *canvas, const clv_plot *plot, int series); /* colour and dashes of series i */
bool clv_series_has_marks(const clv_plot *plot, int series);
bool clv_series_is_drawn(const clv_plot *plot, int series, int point);

#endif
