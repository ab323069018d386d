/* Plots of lines: ranges of the data, a frame with room for every text, then grid, lines, labels and legend. */
#include "base/try.h"
#include "clave/report.h"
#include "report/canvas.h"
#include "report/frame.h"
#include "report/legend.h"
#include "report/mark.h"

static const double page_width = 720, page_height = 450; /* points: 10 by 6.25 inches */

static void ranges_of(const clv_plot *plot, clv_range *x, clv_range *y)
{
    *x = (clv_range){.log = plot->log_x, .whole = true, .empty = true}; /* epochs, steps */
    *y = (clv_range){.log = plot->log_y, .empty = true};
    for (int s = 0; s < plot->series_count; s++)
        for (int i = 0; i < plot->series[s].count; i++) {
            if (!clv_series_is_drawn(plot, s, i)) continue;
            clv_range_add(x, plot->series[s].x[i]);
            clv_range_add(y, plot->series[s].y[i]);
        }
}

/* A line through the points, and a mark on each where they are few or wished for, larger where there is but one. */
static void draw_series(clv_canvas *canvas, const clv_plot *plot, const clv_frame *f, int number)
{
    const clv_series *s = &plot->series[number];
    int drawn = 0;
    clv_series_pen(canvas, plot, number);
    for (int i = 0; i < s->count; i++)
        if (clv_series_is_drawn(plot, number, i)) {
            cairo_line_to(canvas->cr, clv_frame_x(f, s->x[i]), clv_frame_y(f, s->y[i]));
            drawn++;
        }
    if (s->no_line)
        cairo_new_path(canvas->cr);
    else
        cairo_stroke(canvas->cr);
    if (!clv_series_has_marks(plot, number)) return;
    for (int i = 0; i < s->count; i++)
        if (clv_series_is_drawn(plot, number, i)) {
            clv_mark_path(canvas, number, clv_frame_x(f, s->x[i]), clv_frame_y(f, s->y[i]), drawn == 1 ? 4.5 : 3.2);
            cairo_fill(canvas->cr);
        }
}

static void draw_plot(clv_canvas *canvas, const clv_plot *plot)
{
    const clv_texts texts = {plot->title, plot->x_label, plot->y_label};
    const clv_legend_source source = clv_series_legend(plot);
    clv_range x, y;
    double left = 0, top = 0;
    ranges_of(plot, &x, &y);
    clv_frame frame = clv_frame_create(canvas, &texts, &x, &y, 0);
    const clv_legend legend = clv_legend_measure(canvas, &source, frame.box.bottom - frame.box.top);
    if (legend.rows > 0 && !clv_legend_place(&legend, plot, &frame, &left, &top)) {
        frame = clv_frame_create(canvas, &texts, &x, &y, legend.width + CLV_GAP);
        left = page_width - CLV_MARGIN - legend.width;
        top = frame.box.top;
    }
    clv_frame_draw(canvas, &frame, true);
    for (int i = 0; i < plot->series_count; i++)
        if (plot->series[i].faint) draw_series(canvas, plot, &frame, i);
    for (int i = 0; i < plot->series_count; i++)
        if (!plot->series[i].faint) draw_series(canvas, plot, &frame, i);
    if (legend.rows > 0) clv_legend_draw(canvas, &legend, left, top);
    clv_texts_draw(canvas, &texts, frame.box);
    if (x.empty) clv_note_draw(canvas, frame.box, "no points to draw");
}

clv_status clv_plot_write(const char *path, const clv_plot *plot, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_canvas canvas = {0};
    CLV_TRY(clv_canvas_create(path, page_width, page_height, &canvas, err));
    draw_plot(&canvas, plot);
    status = clv_canvas_write(&canvas, path, err);
done:
    clv_canvas_destroy(&canvas);
    return status;
}
