/* The look of a plot's series, in the plot and in its legend: colour, dashes and marks. */
#include "report/legend.h"
#include "report/mark.h"
#include "report/palette.h"

static const int few_points = 25; /* lines of so few points show them */

void clv_series_pen(clv_canvas *canvas, const clv_plot *plot, int series)
{
    static const double dashes[] = {7, 3};
    const bool faint = plot->series[series].faint;
    clv_canvas_colour(canvas, faint ? (clv_colour){0.72, 0.72, 0.72} : clv_palette_line(series));
    cairo_set_line_width(canvas->cr, faint ? 0.8 : 2);
    cairo_set_line_join(canvas->cr, CAIRO_LINE_JOIN_ROUND);
    cairo_set_dash(canvas->cr, dashes, !faint && series / CLV_LINE_COLOURS % 2 ? 2 : 0,
                   0); /* from the ninth on: dashed */
}

bool clv_series_is_drawn(const clv_plot *plot, int series, int point)
{
    const clv_series *s = &plot->series[series];
    return clv_range_takes(&(clv_range){.log = plot->log_x}, s->x[point]) &&
           clv_range_takes(&(clv_range){.log = plot->log_y}, s->y[point]);
}

bool clv_series_has_marks(const clv_plot *plot, int series)
{
    const clv_series *s = &plot->series[series];
    int drawn = 0;
    if (s->faint) return false;
    if (plot->markers || s->no_line) return true;
    for (int i = 0; i < s->count && drawn <= few_points; i++) drawn += clv_series_is_drawn(plot, series, i);
    return drawn <= few_points;
}

static const char *name_of(const void *of, int i) { return ((const clv_plot *)of)->series[i].name; }

static void draw_swatch(clv_canvas *canvas, const void *of, int i, double left, double y, double width)
{
    const clv_plot *plot = of;
    clv_series_pen(canvas, plot, i);
    if (!plot->series[i].no_line) clv_line_draw(canvas, left, y, left + width, y);
    if (!clv_series_has_marks(plot, i)) return;
    clv_mark_path(canvas, i, left + width / 2, y, 3.5);
    cairo_fill(canvas->cr);
}

clv_legend_source clv_series_legend(const clv_plot *plot)
{
    return (clv_legend_source){plot, plot->series_count, name_of, draw_swatch};
}
