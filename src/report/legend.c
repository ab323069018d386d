/* Legends: a row a named series, in a corner of the frame that no line crosses. */
#include "report/legend.h"

#include <stdio.h>

static const double row_height = 18, padding = 7, swatch = 24, font_size = 13, widest_name = 200;

void clv_legend_pen(clv_canvas *canvas, int series)
{
    /* Okabe & Ito 2008, those that stand out from white first. */
    static const clv_colour palette[] = {{0.000, 0.447, 0.698}, {0.835, 0.369, 0.000}, {0.000, 0.620, 0.451},
                                         {0.800, 0.475, 0.655}, {0.902, 0.624, 0.000}, {0.337, 0.706, 0.914},
                                         {0.000, 0.000, 0.000}, {0.941, 0.894, 0.259}};
    static const double dashes[] = {7, 3};
    const int colours = (int)(sizeof palette / sizeof *palette);
    clv_canvas_colour(canvas, palette[series % colours]);
    cairo_set_line_width(canvas->cr, 2);
    cairo_set_line_join(canvas->cr, CAIRO_LINE_JOIN_ROUND);
    cairo_set_dash(canvas->cr, dashes, series / colours % 2 ? 2 : 0, 0); /* from the ninth series on: dashed */
}

static bool is_named(const clv_series *s) { return s->name && *s->name; }

/* The text of a row: a name, or how many are left out. `series` is the row's, or the first one left out. */
static clv_label row_label(clv_canvas *canvas, const clv_legend *legend, int row, int series)
{
    const clv_plot *plot = legend->plot;
    if (!legend->has_more || row < legend->rows - 1)
        return clv_label_fit(canvas, plot->series[series].name, font_size, false, widest_name);
    int left_out = 0;
    for (int i = series; i < plot->series_count; i++) left_out += is_named(&plot->series[i]);
    char text[64];
    snprintf(text, sizeof text, "and %d more", left_out);
    return clv_label_fit(canvas, text, font_size, false, widest_name);
}

static int next_named(const clv_plot *plot, int series)
{
    while (series < plot->series_count && !is_named(&plot->series[series])) series++;
    return series;
}

clv_legend clv_legend_measure(clv_canvas *canvas, const clv_plot *plot, double height)
{
    clv_legend legend = {.plot = plot};
    for (int i = 0; i < plot->series_count; i++) legend.rows += is_named(&plot->series[i]);
    const int most = (int)((height - 2 * padding) / row_height);
    legend.has_more = legend.rows > most;
    if (legend.has_more) legend.rows = most;
    double widest = 0;
    int series = 0;
    for (int row = 0; row < legend.rows; row++, series++) {
        series = next_named(plot, series);
        widest = fmax(widest, row_label(canvas, &legend, row, series).width);
    }
    legend.width = legend.rows ? widest + swatch + 3 * padding : 0;
    legend.height = legend.rows ? legend.rows * row_height + 2 * padding : 0;
    return legend;
}

/* Narrows from .. to, the part of a segment inside a slab, by start + t direction in low .. high (Liang & Barsky 1984).
 */
static bool clip(double start, double direction, double low, double high, double *from, double *to)
{
    if (direction == 0) return start >= low && start <= high;
    const double a = (low - start) / direction, b = (high - start) / direction;
    *from = fmax(*from, fmin(a, b));
    *to = fmin(*to, fmax(a, b));
    return *from <= *to;
}

static bool line_crosses(const clv_series *s, const clv_frame *f, clv_box box)
{
    double x0 = 0, y0 = 0;
    bool has_previous = false;
    for (int i = 0; i < s->count; i++) {
        if (!clv_is_drawn(s, i)) continue;
        const double x1 = clv_frame_x(f, s->x[i]), y1 = clv_frame_y(f, s->y[i]);
        if (!has_previous) x0 = x1, y0 = y1;
        double from = 0, to = 1;
        if (clip(x0, x1 - x0, box.left, box.right, &from, &to) && clip(y0, y1 - y0, box.top, box.bottom, &from, &to))
            return true;
        x0 = x1;
        y0 = y1;
        has_previous = true;
    }
    return false;
}

bool clv_legend_place(const clv_legend *legend, const clv_frame *frame, double *left, double *top)
{
    static const double inset = 8, clearance = 5;
    const clv_box b = frame->box;
    const double near_right = b.right - inset - legend->width, near_bottom = b.bottom - inset - legend->height;
    const double corner[4][2] = {{near_right, b.top + inset},
                                 {b.left + inset, b.top + inset},
                                 {near_right, near_bottom},
                                 {b.left + inset, near_bottom}};
    for (int i = 0; i < 4; i++) {
        const double x = corner[i][0], y = corner[i][1];
        if (x < b.left || y < b.top) continue;
        const clv_box room = {x - clearance, y - clearance, x + legend->width + clearance,
                              y + legend->height + clearance};
        bool free_of_lines = true;
        for (int s = 0; s < legend->plot->series_count && free_of_lines; s++)
            free_of_lines = !line_crosses(&legend->plot->series[s], frame, room);
        if (!free_of_lines) continue;
        *left = x;
        *top = y;
        return true;
    }
    return false;
}

void clv_legend_draw(clv_canvas *canvas, const clv_legend *legend, double left, double top)
{
    cairo_t *cr = canvas->cr;
    cairo_rectangle(cr, left, top, legend->width, legend->height);
    clv_canvas_colour(canvas, (clv_colour){1, 1, 1});
    cairo_fill_preserve(cr);
    clv_canvas_colour(canvas, (clv_colour){0.8, 0.8, 0.8});
    cairo_set_line_width(cr, 1);
    cairo_set_dash(cr, NULL, 0, 0);
    cairo_stroke(cr);
    int series = 0;
    for (int row = 0; row < legend->rows; row++, series++) {
        const double y = top + padding + (row + 0.5) * row_height;
        series = next_named(legend->plot, series);
        if (!legend->has_more || row < legend->rows - 1) {
            clv_legend_pen(canvas, series);
            cairo_move_to(cr, left + padding, y);
            cairo_line_to(cr, left + padding + swatch, y);
            cairo_stroke(cr);
        }
        const clv_label label = row_label(canvas, legend, row, series);
        clv_canvas_colour(canvas, (clv_colour){0.15, 0.15, 0.15});
        clv_label_draw(canvas, &label, left + 2 * padding + swatch, y, 0, false);
    }
}
