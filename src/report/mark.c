/* Marks as short paths: polygons on a grid of an eighth of a point, because an SVG of 10,000 of them is mostly their
 * digits. Circles too large to pass as octagons are drawn round. */
#include "report/mark.h"

#include <math.h>

typedef struct outline {
    int corners;
    double at[8][2]; /* times the radius, y downwards */
} outline;

/* circle (an octagon), square, triangle, diamond, triangle on its point; areas near that of the circle, pi */
static const outline outlines[CLV_MARKS] = {
    {8,
     {{1.03, 0.43},
      {0.43, 1.03},
      {-0.43, 1.03},
      {-1.03, 0.43},
      {-1.03, -0.43},
      {-0.43, -1.03},
      {0.43, -1.03},
      {1.03, -0.43}}},
    {4, {{0.9, 0.9}, {-0.9, 0.9}, {-0.9, -0.9}, {0.9, -0.9}}},
    {3, {{0, -1.45}, {1.3, 0.85}, {-1.3, 0.85}}},
    {4, {{0, -1.35}, {1.15, 0}, {0, 1.35}, {-1.15, 0}}},
    {3, {{0, 1.45}, {1.3, -0.85}, {-1.3, -0.85}}},
};
static const double round_from = 2.75; /* radius of a circle */

static double snap(double value) { return round(8 * value) / 8; }

void clv_mark_path(clv_canvas *canvas, int shape, double x, double y, double radius)
{
    const outline *o = &outlines[shape % CLV_MARKS];
    if (o == outlines && radius >= round_from) {
        cairo_new_sub_path(canvas->cr);
        cairo_arc(canvas->cr, snap(x), snap(y), radius, 0, 6.28318530717958648);
        return;
    }
    for (int i = 0; i < o->corners; i++) {
        const double corner_x = snap(snap(x) + radius * o->at[i][0]), corner_y = snap(snap(y) + radius * o->at[i][1]);
        if (i == 0)
            cairo_move_to(canvas->cr, corner_x, corner_y);
        else
            cairo_line_to(canvas->cr, corner_x, corner_y);
    }
    cairo_close_path(canvas->cr);
}
