/* Legends: a row a named thing, in a corner of the frame that no line crosses. */
#include "report/legend.h"

#include <stdio.h>

static const double row_height = 18, padding = 7, swatch = 24, font_size = 13, widest_name = 200;

static bool is_named(const clv_legend_source *s, int i) { return clv_has_text(s->name(s->of, i)); }

/* The text of a row: a name, or how many are left out. `i` is the row's thing, or the first one left out. */
static clv_label row_label(clv_canvas *canvas, const clv_legend *legend, int row, int i)
{
    const clv_legend_source *source = &legend->source;
    if (!legend->has_more || row < legend->rows - 1)
        return clv_label_cut(canvas, source->name(source->of, i), legend->text, false, widest_name);
    int left_out = 0;
    for (; i < source->count; i++) left_out += is_named(source, i);
    char text[64];
    snprintf(text, sizeof text, "and %d more", left_out);
    return clv_label_cut(canvas, text, legend->text, false, widest_name);
}

static int next_named(const clv_legend_source *source, int i)
{
    while (i < source->count && !is_named(source, i)) i++;
    return i;
}

/* All names in the size that the longest needs. */
static double text_size(clv_canvas *canvas, const clv_legend_source *source)
{
    double size = font_size;
    for (int i = 0; i < source->count; i++)
        if (is_named(source, i))
            size = fmin(size, clv_label_fit(canvas, source->name(source->of, i), font_size, false, widest_name).size);
    return size;
}

clv_legend clv_legend_measure(clv_canvas *canvas, const clv_legend_source *source, double height)
{
    clv_legend legend = {.source = *source};
    for (int i = 0; i < source->count; i++) legend.rows += is_named(source, i);
    const int most = (int)((height - 2 * padding) / row_height);
    legend.has_more = legend.rows > most;
    if (legend.has_more) legend.rows = most;
    double widest = 0;
    legend.text = text_size(canvas, source);
    for (int row = 0, i = 0; row < legend.rows; row++, i++) {
        i = next_named(source, i);
        widest = fmax(widest, row_label(canvas, &legend, row, i).width);
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

/* Whether a series, its line or its marks alone, enters the box. */
static bool crosses(const clv_plot *plot, int series, const clv_frame *f, clv_box box)
{
    const clv_series *s = &plot->series[series];
    double x0 = 0, y0 = 0;
    bool has_previous = false;
    for (int i = 0; i < s->count; i++) {
        if (!clv_series_is_drawn(plot, series, i)) continue;
        const double x1 = clv_frame_x(f, s->x[i]), y1 = clv_frame_y(f, s->y[i]);
        if (!has_previous || s->no_line) x0 = x1, y0 = y1;
        double from = 0, to = 1;
        if (clip(x0, x1 - x0, box.left, box.right, &from, &to) && clip(y0, y1 - y0, box.top, box.bottom, &from, &to))
            return true;
        x0 = x1;
        y0 = y1;
        has_previous = true;
    }
    return false;
}

bool clv_legend_place(const clv_legend *legend, const clv_plot *plot, const clv_frame *frame, double *left, double *top)
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
        for (int s = 0; s < plot->series_count && free_of_lines; s++) free_of_lines = !crosses(plot, s, frame, room);
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
    for (int row = 0, i = 0; row < legend->rows; row++, i++) {
        const double y = top + padding + (row + 0.5) * row_height;
        i = next_named(&legend->source, i);
        if (!legend->has_more || row < legend->rows - 1)
            legend->source.swatch(canvas, legend->source.of, i, left + padding, y, swatch);
        const clv_label label = row_label(canvas, legend, row, i);
        clv_canvas_colour(canvas, (clv_colour){0.15, 0.15, 0.15});
        clv_label_draw(canvas, &label, left + 2 * padding + swatch, y, 0, false);
    }
}
