/* Plots of lines: ranges of the data, a frame with room for every text, then grid, lines, labels and legend. */
#include "base/try.h"
#include "clave/report.h"
#include "report/canvas.h"
#include "report/frame.h"
#include "report/legend.h"

static const double page_width = 720, page_height = 450, margin = 14; /* points: 10 by 6.25 inches */
static const double tick_size = 13, label_size = 14, title_size = 17, gap = 8;
static const clv_colour light = {0.88, 0.88, 0.88}, dark = {0.35, 0.35, 0.35}, black = {0.1, 0.1, 0.1};

typedef struct data_range {
    double x_low, x_high, y_low, y_high;
    bool whole_x; /* epochs, steps */
    bool empty;
} data_range;

static data_range range_of(const clv_plot *plot)
{
    data_range r = {INFINITY, -INFINITY, INFINITY, -INFINITY, .whole_x = true, .empty = true};
    for (int s = 0; s < plot->series_count; s++)
        for (int i = 0; i < plot->series[s].count; i++) {
            if (!clv_is_drawn(&plot->series[s], i)) continue;
            const double x = plot->series[s].x[i], y = plot->series[s].y[i];
            r.x_low = fmin(r.x_low, x);
            r.x_high = fmax(r.x_high, x);
            r.y_low = fmin(r.y_low, y);
            r.y_high = fmax(r.y_high, y);
            r.whole_x = r.whole_x && x == floor(x) && fabs(x) < 1e9;
            r.empty = false;
        }
    if (r.empty) r = (data_range){0, 1, 0, 1, .empty = true};
    return r;
}

static clv_label tick_label(clv_canvas *canvas, const clv_axis *axis, int tick)
{
    char text[CLV_AXIS_LABEL_SIZE];
    return clv_label_fit(canvas, clv_axis_label(axis, tick, text), tick_size, false, page_width);
}

static double widest_tick(clv_canvas *canvas, const clv_axis *axis)
{
    double widest = 0;
    for (int i = 0; i < axis->ticks; i++) widest = fmax(widest, tick_label(canvas, axis, i).width);
    return widest;
}

/* As many ticks as their labels leave room for. */
static clv_axis x_axis_for(clv_canvas *canvas, const data_range *r, double width)
{
    for (int most = 10;; most--) {
        const clv_axis axis = clv_axis_create(r->x_low, r->x_high, 0.02, r->whole_x, most);
        if (most == 2 || axis.ticks * (widest_tick(canvas, &axis) + 16) <= width) return axis;
    }
}

static bool has_text(const char *text) { return text && *text; }

/* The frame, with `aside` points left free on its right. */
static clv_frame frame_for(clv_canvas *canvas, const clv_plot *plot, const data_range *r, double aside)
{
    clv_frame f;
    f.box.top = margin + (has_text(plot->title) ? title_size + gap : tick_size / 2);
    f.box.bottom = page_height - margin - tick_size - gap - (has_text(plot->x_label) ? label_size + gap : 0);
    f.y = clv_axis_create(r->y_low, r->y_high, 0.06, false, (int)((f.box.bottom - f.box.top) / 42));
    f.box.left = margin + (has_text(plot->y_label) ? label_size + gap : 0) + widest_tick(canvas, &f.y) + gap;
    f.box.right = page_width - margin - aside;
    f.x = x_axis_for(canvas, r, f.box.right - f.box.left);
    if (f.x.ticks > 0) { /* the last label may reach beyond the axis, but not off the page */
        const clv_label last = tick_label(canvas, &f.x, f.x.ticks - 1);
        const double reach = clv_frame_x(&f, clv_axis_tick(&f.x, f.x.ticks - 1)) + last.width / 2;
        f.box.right -= fmax(0, reach - (page_width - margin - aside));
    }
    return f;
}

static void line(clv_canvas *canvas, double x0, double y0, double x1, double y1)
{
    cairo_move_to(canvas->cr, x0, y0);
    cairo_line_to(canvas->cr, x1, y1);
    cairo_stroke(canvas->cr);
}

/* Grid lines, axes and the numbers along them. */
static void draw_frame(clv_canvas *canvas, const clv_frame *f)
{
    const clv_box b = f->box;
    cairo_set_line_width(canvas->cr, 1);
    for (int i = 0; i < f->x.ticks; i++) {
        const double x = clv_frame_x(f, clv_axis_tick(&f->x, i));
        const clv_label label = tick_label(canvas, &f->x, i);
        clv_canvas_colour(canvas, light);
        line(canvas, x, b.top, x, b.bottom);
        clv_canvas_colour(canvas, black);
        clv_label_draw(canvas, &label, x, b.bottom + gap + tick_size / 2, 0.5, false);
    }
    for (int i = 0; i < f->y.ticks; i++) {
        const double y = clv_frame_y(f, clv_axis_tick(&f->y, i));
        const clv_label label = tick_label(canvas, &f->y, i);
        clv_canvas_colour(canvas, light);
        line(canvas, b.left, y, b.right, y);
        clv_canvas_colour(canvas, black);
        clv_label_draw(canvas, &label, b.left - gap, y, 1, false);
    }
    clv_canvas_colour(canvas, dark);
    line(canvas, b.left, b.top, b.left, b.bottom);
    line(canvas, b.left, b.bottom, b.right, b.bottom);
}

static void draw_titles(clv_canvas *canvas, const clv_plot *plot, clv_box b)
{
    const double width = page_width - 2 * margin;
    const clv_label title = clv_label_fit(canvas, plot->title, title_size, true, width);
    const clv_label x = clv_label_fit(canvas, plot->x_label, label_size, false, width);
    const double below = page_height - margin - b.top; /* the title has the page's top for itself */
    const clv_label y = clv_label_fit(canvas, plot->y_label, label_size, false, below);
    clv_canvas_colour(canvas, black);
    /* In the middle of the frame, or of the page where that would push them off it. */
    const double middle = (b.left + b.right) / 2;
    const double room = 2 * fmin(middle - margin, page_width - margin - middle);
    clv_label_draw(canvas, &title, title.width > room ? page_width / 2 : middle, margin + title_size / 2, 0.5, false);
    clv_label_draw(canvas, &x, x.width > room ? page_width / 2 : middle, page_height - margin - label_size / 2, 0.5,
                   false);
    const double centre = y.width > b.bottom - b.top ? b.top + below / 2 : (b.top + b.bottom) / 2;
    clv_label_draw(canvas, &y, margin + label_size / 2, centre, 0.5, true);
}

/* A line through the points; dots on it where they are few, and a dot alone where there is but one. */
static void draw_series(clv_canvas *canvas, const clv_frame *f, const clv_series *s, int number)
{
    cairo_t *cr = canvas->cr;
    int drawn = 0;
    clv_legend_pen(canvas, number);
    for (int i = 0; i < s->count; i++)
        if (clv_is_drawn(s, i)) {
            cairo_line_to(cr, clv_frame_x(f, s->x[i]), clv_frame_y(f, s->y[i]));
            drawn++;
        }
    cairo_stroke(cr);
    if (drawn > 25) return;
    for (int i = 0; i < s->count; i++)
        if (clv_is_drawn(s, i)) {
            cairo_arc(cr, clv_frame_x(f, s->x[i]), clv_frame_y(f, s->y[i]), drawn == 1 ? 4 : 2.8, 0,
                      6.28318530717958648);
            cairo_fill(cr);
        }
}

static void draw_plot(clv_canvas *canvas, const clv_plot *plot)
{
    const data_range range = range_of(plot);
    double left = 0, top = 0;
    clv_frame frame = frame_for(canvas, plot, &range, 0);
    const clv_legend legend = clv_legend_measure(canvas, plot, frame.box.bottom - frame.box.top);
    if (legend.rows > 0 && !clv_legend_place(&legend, &frame, &left, &top)) {
        frame = frame_for(canvas, plot, &range, legend.width + gap);
        left = page_width - margin - legend.width;
        top = frame.box.top;
    }
    draw_frame(canvas, &frame);
    for (int i = 0; i < plot->series_count; i++) draw_series(canvas, &frame, &plot->series[i], i);
    if (legend.rows > 0) clv_legend_draw(canvas, &legend, left, top);
    draw_titles(canvas, plot, frame.box);
    if (range.empty) {
        const clv_label note = clv_label_fit(canvas, "no points to draw", label_size, false, page_width);
        clv_canvas_colour(canvas, dark);
        clv_label_draw(canvas, &note, (frame.box.left + frame.box.right) / 2, (frame.box.top + frame.box.bottom) / 2,
                       0.5, false);
    }
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
