/* The frame of a plot: the rectangle between the axes, and where a point of the data lies on the canvas. */
#ifndef CLAVE_REPORT_FRAME_H
#define CLAVE_REPORT_FRAME_H

#include <math.h>
#include <stdbool.h>

#include "clave/report.h"
#include "report/axis.h"

typedef struct clv_box {
    double left, top, right, bottom;
} clv_box;

typedef struct clv_frame {
    clv_box box; /* points on the canvas */
    clv_axis x, y;
} clv_frame;

static inline double clv_frame_x(const clv_frame *f, double x)
{
    return f->box.left + (x - f->x.low) / (f->x.high - f->x.low) * (f->box.right - f->box.left);
}

static inline double clv_frame_y(const clv_frame *f, double y)
{
    return f->box.bottom - (y - f->y.low) / (f->y.high - f->y.low) * (f->box.bottom - f->box.top);
}

/* Whether a point is drawn. Values near the end of double's range are as good as infinite, and their differences are.
 */
static inline bool clv_is_drawn(const clv_series *s, int i)
{
    return isfinite(s->x[i]) && isfinite(s->y[i]) && fabs(s->x[i]) < 1e100 && fabs(s->y[i]) < 1e100;
}

#endif
