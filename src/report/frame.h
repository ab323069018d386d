/* The frame of a plot: the rectangle between the axes, where a point of the data lies on the canvas, and what stands
 * around it: grid, numbers and titles. */
#ifndef CLAVE_REPORT_FRAME_H
#define CLAVE_REPORT_FRAME_H

#include <math.h>
#include <stdbool.h>

#include "clave/report.h"
#include "report/axis.h"
#include "report/canvas.h"

/* Sizes in points that every plot shares: the page's white edge, the space between texts, and texts. */
enum { CLV_MARGIN = 14, CLV_GAP = 8, CLV_TICK_TEXT = 13, CLV_LABEL_TEXT = 14, CLV_TITLE_TEXT = 17 };

#define CLV_LIGHT ((clv_colour){0.88, 0.88, 0.88})
#define CLV_DARK  ((clv_colour){0.35, 0.35, 0.35})
#define CLV_BLACK ((clv_colour){0.1, 0.1, 0.1})

typedef struct clv_box {
    double left, top, right, bottom;
} clv_box;

typedef struct clv_texts {
    const char *title, *x_label, *y_label;
} clv_texts;

typedef struct clv_frame {
    clv_box box; /* points on the canvas */
    clv_axis x, y;
} clv_frame;

static inline double clv_frame_x(const clv_frame *f, double x)
{
    return f->box.left + clv_axis_share(&f->x, x) * (f->box.right - f->box.left);
}

static inline double clv_frame_y(const clv_frame *f, double y)
{
    return f->box.bottom - clv_axis_share(&f->y, y) * (f->box.bottom - f->box.top);
}

/* The values of an axis; starts as {.empty = true}, with `log` and `whole` as wished. `whole` ends false where a value
 * is no whole number. */
typedef struct clv_range {
    double low, high;
    bool whole, log, empty;
    int distinct;                  /* values so far, CLV_AXIS_LISTED + 1: too many to list */
    double value[CLV_AXIS_LISTED]; /* those, in rising order */
} clv_range;

/* Whether a value can be drawn on the axis. Values near the end of double's range are as good as infinite, and their
 * differences are. */
static inline bool clv_range_takes(const clv_range *r, double value)
{
    return isfinite(value) && fabs(value) < 1e100 && (!r->log || value > 1e-100);
}
void clv_range_add(clv_range *r, double value); /* one that it takes */

/* An axis for the range (of 0 .. 1, or 1 .. 10, where it is empty). */
clv_axis clv_range_axis(const clv_range *r, double margin, int most);

/* The same with ticks at the values themselves, where they are few enough and stand `apart` (a share of the axis). */
clv_axis clv_range_axis_listed(const clv_range *r, double margin, int most, double apart);

/* As many ticks as their labels leave room for along `width` points. */
clv_axis clv_axis_along(clv_canvas *canvas, const clv_range *r, double margin, double width);
bool clv_axis_has_room(clv_canvas *canvas, const clv_axis *axis, double width, double between);

clv_label clv_tick_label(clv_canvas *canvas, const clv_axis *axis, int tick);
double clv_widest_tick(clv_canvas *canvas, const clv_axis *axis);

/* The frame of a whole page, with `aside` points left free on its right. */
clv_frame clv_frame_create(clv_canvas *canvas, const clv_texts *texts, const clv_range *x, const clv_range *y,
                           double aside);

/* Makes the box narrower until its last number along x, which may reach beyond the axis, ends at the edge. */
void clv_frame_trim(clv_canvas *canvas, clv_frame *frame, double edge);

/* Widens an axis so that a unit is as long on both, neither logarithmic. */
void clv_frame_equalise(clv_canvas *canvas, clv_frame *frame);

/* Grid lines, axes and the numbers along them, those of y where `numbers`. */
void clv_frame_draw(clv_canvas *canvas, const clv_frame *frame, bool numbers);

/* The texts around a box that is the page's only one. */
void clv_texts_draw(clv_canvas *canvas, const clv_texts *texts, clv_box box);

/* A page's title, in as many lines as it needs, CLV_TITLE_LINES at most, the last one cut where even they are too few.
 */
enum { CLV_TITLE_LINES = 3 };
typedef struct clv_title {
    clv_label line[CLV_TITLE_LINES];
    int lines;
    double bottom; /* where the rest of the page begins */
} clv_title;
clv_title clv_title_fit(clv_canvas *canvas, const char *text, double page_width);

void clv_note_draw(clv_canvas *canvas, clv_box box, const char *text); /* in its middle */
void clv_line_draw(clv_canvas *canvas, double x0, double y0, double x1, double y1);
bool clv_has_text(const char *text);

#endif
