/* Parallel coordinates: an upright axis a parameter, a line a trial, coloured by its value on a ramp whose key is a bar
 * at the right. */
#include <stdlib.h>

#include "base/memory.h"
#include "base/try.h"
#include "clave/report.h"
#include "report/frame.h"
#include "report/key.h"
#include "report/mark.h"
#include "report/palette.h"

enum { MOST_AXES = 40 };
static const double page_height = 470, least_width = 720, bar_width = 16, beside = 120, most_name = 150, spread = 14;

typedef struct chart {
    const clv_parallel *parallel;
    clv_axis axis[MOST_AXES];
    clv_range range[MOST_AXES];
    clv_axis value;
    clv_box box;    /* axes stand from its left edge to its right one */
    double bar;     /* left edge of the colour bar */
    bool names_lie; /* fit between the axes; else they are turned */
    bool empty;
} chart;

typedef struct line {
    double value;
    int number;
} line;

/* Many axes stand closer: a page of 20 is not twice as wide as one of 10. */
static double page_width(int axes)
{
    const double wide = 110.0 * axes, narrow = fmax(1000, 60.0 * axes);
    return fmax(least_width, fmin(wide, narrow) + beside);
}

static double at(const clv_parallel *p, int number, int axis)
{
    return p->at[(size_t)number * (size_t)p->axes + (size_t)axis];
}

static bool has_value(const clv_parallel *p, int number) { return clv_range_takes(&(clv_range){0}, p->value[number]); }

static void find_ranges(chart *c)
{
    const clv_parallel *p = c->parallel;
    clv_range value = {.empty = true};
    for (int a = 0; a < p->axes; a++)
        c->range[a] = (clv_range){.log = p->log_axis && p->log_axis[a], .whole = true, .empty = true};
    for (int l = 0; l < p->lines; l++) {
        if (!has_value(p, l)) continue;
        clv_range_add(&value, p->value[l]);
        for (int a = 0; a < p->axes; a++)
            if (clv_range_takes(&c->range[a], at(p, l, a))) clv_range_add(&c->range[a], at(p, l, a));
    }
    const double height = c->box.bottom - c->box.top, apart = 1.6 * CLV_TICK_TEXT / height;
    const int most = (int)(height / 42);
    for (int a = 0; a < p->axes; a++)
        c->axis[a] = p->listed && p->listed[a] ? clv_range_axis_listed(&c->range[a], 0.04, most, apart)
                                               : clv_range_axis(&c->range[a], 0.04, most);
    c->value = clv_range_axis(&value, 0, most);
    c->empty = value.empty || p->axes == 0;
}

/* Room: below for the names, at the right for the last axis's numbers and the colour bar with its own. */
static void lay_out(clv_canvas *canvas, chart *c)
{
    const clv_parallel *p = c->parallel;
    const double spacing = (canvas->width - beside) / fmax(1, p->axes);
    double widest = 0;
    for (int a = 0; a < p->axes; a++)
        widest = fmax(widest, clv_label_fit(canvas, p->axis_name[a], CLV_LABEL_TEXT, false, most_name).width);
    c->names_lie = widest <= spacing - CLV_GAP;
    c->box.top = clv_title_fit(canvas, p->title, canvas->width).bottom + CLV_TICK_TEXT / 2.0;
    c->box.bottom = page_height - CLV_MARGIN - CLV_GAP - (c->names_lie ? CLV_LABEL_TEXT : widest);
    find_ranges(c);
    c->bar = canvas->width - CLV_MARGIN - clv_widest_tick(canvas, &c->value) - CLV_GAP - bar_width -
             (clv_has_text(p->value_label) ? CLV_LABEL_TEXT + CLV_GAP : 0);
    const double last = p->axes ? clv_widest_tick(canvas, &c->axis[p->axes - 1]) : 0;
    c->box.left = CLV_MARGIN + (c->names_lie && p->axes ? widest / 2 : CLV_LABEL_TEXT);
    c->box.right = c->bar - fmax(last + 2 * CLV_GAP, c->names_lie ? widest / 2 + CLV_GAP : 0) - CLV_GAP;
}

static double axis_x(const chart *c, int axis)
{
    const int last = c->parallel->axes - 1;
    return last > 0 ? c->box.left + axis * (c->box.right - c->box.left) / last : (c->box.left + c->box.right) / 2;
}

static double height_of(const chart *c, const clv_axis *axis, double value)
{
    return c->box.bottom - clv_axis_share(axis, value) * (c->box.bottom - c->box.top);
}

static double value_share(const chart *c, double value) { return fmin(fmax(clv_axis_share(&c->value, value), 0), 1); }

/* Highest first, so that the lowest lie on top; of the same value the first last. */
static int by_value(const void *a, const void *b)
{
    const line *x = a, *y = b;
    if (x->value != y->value) return x->value < y->value ? 1 : -1;
    return y->number - x->number;
}

/* Where a line crosses an axis. Where the parameter takes few values of a list, lines fan out a little by their own
 * value: they would hide one another. */
static double crossing(const chart *c, int number, int axis)
{
    const clv_parallel *p = c->parallel;
    const double aside = c->axis[axis].complete ? spread * (0.5 - value_share(c, p->value[number])) : 0;
    return height_of(c, &c->axis[axis], at(p, number, axis)) + aside;
}

static bool has_place(const chart *c, int number, int axis)
{
    return axis >= 0 && axis < c->parallel->axes && clv_range_takes(&c->range[axis], at(c->parallel, number, axis));
}

/* From place to place; one between two gaps is a dot. */
static void draw_line(clv_canvas *canvas, const chart *c, int number)
{
    cairo_new_path(canvas->cr);
    for (int a = 0; a < c->parallel->axes; a++) {
        if (!has_place(c, number, a))
            cairo_new_sub_path(canvas->cr);
        else
            cairo_line_to(canvas->cr, axis_x(c, a), crossing(c, number, a));
    }
    cairo_stroke(canvas->cr);
    for (int a = 0; a < c->parallel->axes; a++) {
        if (!has_place(c, number, a) || has_place(c, number, a - 1) || has_place(c, number, a + 1)) continue;
        clv_mark_path(canvas, 0, axis_x(c, a), crossing(c, number, a), 3);
        cairo_fill(canvas->cr);
    }
}

static void draw_lines(clv_canvas *canvas, const chart *c, const line *sorted, int count)
{
    cairo_set_line_join(canvas->cr, CAIRO_LINE_JOIN_ROUND);
    cairo_set_line_width(canvas->cr, count > 200 ? 1 : 1.6);
    for (int i = 0; i < count; i++) {
        clv_canvas_tint(canvas, clv_palette_ramp(value_share(c, sorted[i].value)), count > 200 ? 0.6 : 0.85);
        draw_line(canvas, c, sorted[i].number);
    }
}

/* A number on white that lets lines be guessed beneath it. */
static void draw_number(clv_canvas *canvas, const clv_label *label, double x, double y)
{
    cairo_rectangle(canvas->cr, x - 2, y - 0.6 * label->size, label->width + 4, 1.2 * label->size);
    clv_canvas_tint(canvas, (clv_colour){1, 1, 1}, 0.75);
    cairo_fill(canvas->cr);
    clv_canvas_colour(canvas, CLV_BLACK);
    clv_label_draw(canvas, label, x, y, 0, false);
}

static void draw_axis(clv_canvas *canvas, const chart *c, int axis)
{
    const clv_parallel *p = c->parallel;
    const clv_axis *scale = &c->axis[axis];
    const double x = axis_x(c, axis);
    clv_canvas_colour(canvas, CLV_DARK);
    cairo_set_line_width(canvas->cr, 1.2);
    clv_line_draw(canvas, x, c->box.top, x, c->box.bottom);
    for (int i = 0; i < scale->ticks && !c->range[axis].empty; i++) {
        const double y = height_of(c, scale, clv_axis_tick(scale, i));
        const clv_label label = clv_tick_label(canvas, scale, i);
        clv_canvas_colour(canvas, CLV_DARK);
        clv_line_draw(canvas, x, y, x + 4, y);
        draw_number(canvas, &label, x + CLV_GAP, y);
    }
    const clv_label name = clv_label_fit(canvas, p->axis_name[axis], CLV_LABEL_TEXT, false, most_name);
    const double below = c->box.bottom + CLV_GAP;
    clv_canvas_colour(canvas, CLV_BLACK);
    if (c->names_lie)
        clv_label_draw(canvas, &name, x, below + CLV_LABEL_TEXT / 2.0, 0.5, false);
    else
        clv_label_draw(canvas, &name, x, below, 1, true);
}

static void draw_bar(clv_canvas *canvas, const chart *c)
{
    const double height = c->box.bottom - c->box.top;
    clv_key_draw(canvas, (clv_box){c->bar, c->box.top, c->bar + bar_width, c->box.bottom}, clv_palette_ramp);
    cairo_set_line_width(canvas->cr, 1);
    for (int i = 0; i < c->value.ticks; i++) {
        const double y = height_of(c, &c->value, clv_axis_tick(&c->value, i));
        const clv_label label = clv_tick_label(canvas, &c->value, i);
        clv_canvas_colour(canvas, CLV_BLACK);
        clv_line_draw(canvas, c->bar + bar_width - 3, y, c->bar + bar_width + 2, y);
        clv_label_draw(canvas, &label, c->bar + bar_width + CLV_GAP, y, 0, false);
    }
    const clv_label label = clv_label_fit(canvas, c->parallel->value_label, CLV_LABEL_TEXT, false, height);
    clv_label_draw(canvas, &label, canvas->width - CLV_MARGIN - CLV_LABEL_TEXT / 2.0, (c->box.top + c->box.bottom) / 2,
                   0.5, true);
}

static void draw_parallel(clv_canvas *canvas, const clv_parallel *p, line *sorted)
{
    chart c = {.parallel = p};
    const clv_texts texts = {p->title, NULL, NULL};
    int count = 0;
    for (int l = 0; l < p->lines; l++)
        if (has_value(p, l)) sorted[count++] = (line){p->value[l], l};
    qsort(sorted, (size_t)count, sizeof *sorted, by_value);
    lay_out(canvas, &c);
    draw_lines(canvas, &c, sorted, count);
    for (int a = 0; a < p->axes; a++) draw_axis(canvas, &c, a);
    if (!c.empty) draw_bar(canvas, &c);
    clv_texts_draw(canvas, &texts, (clv_box){CLV_MARGIN, c.box.top, canvas->width - CLV_MARGIN, c.box.bottom});
    if (c.empty) clv_note_draw(canvas, c.box, "no lines to draw");
}

clv_status clv_parallel_write(const char *path, const clv_parallel *parallel, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_canvas canvas = {0};
    line *sorted = NULL;
    CLV_REQUIRE(parallel->axes >= 0 && parallel->axes <= MOST_AXES, CLV_ERR_CONFIG,
                "cannot draw %s: %d axes, where a page has room for %d; draw fewer", path, parallel->axes, MOST_AXES);
    CLV_TRY(clv_canvas_create(path, page_width(parallel->axes), page_height, &canvas, err));
    sorted = clv_alloc((size_t)parallel->lines + 1, sizeof *sorted, err);
    CLV_REQUIRE(sorted, CLV_ERR_INTERNAL, "out of memory for the %d lines of %s", parallel->lines, path);
    draw_parallel(&canvas, parallel, sorted);
    status = clv_canvas_write(&canvas, path, err);
done:
    free(sorted);
    clv_canvas_destroy(&canvas);
    return status;
}
