/* The legend of a plot and the look of its series. */
#ifndef CLAVE_REPORT_LEGEND_H
#define CLAVE_REPORT_LEGEND_H

#include "report/canvas.h"
#include "report/frame.h"

/* Colour and dashes of series i. */
void clv_legend_pen(clv_canvas *canvas, int series);

typedef struct clv_legend {
    const clv_plot *plot;
    int rows;      /* 0: no series has a name */
    bool has_more; /* the last row says how many series there is no room for */
    double width, height;
} clv_legend;

/* Its size, where it may be `height` high. */
clv_legend clv_legend_measure(clv_canvas *canvas, const clv_plot *plot, double height);

/* Looks for a corner of the frame where it covers no line; false where there is none. */
bool clv_legend_place(const clv_legend *legend, const clv_frame *frame, double *left, double *top);

void clv_legend_draw(clv_canvas *canvas, const clv_legend *legend, double left, double top);

#endif
