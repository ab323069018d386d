/* Horizontal bars: names at the left, bars from 0, the value at each bar's end. */
#include <stdio.h>

#include "base/try.h"
#include "clave/report.h"
#include "report/frame.h"
#include "report/palette.h"

enum { MOST_BARS = 1000 };
static const double page_width = 720, widest_name = 300, least_bars = 3;

static double row_height(int count) { return count > 40 ? 18 : 26; }

static double page_height(const clv_bars *b)
{
    return clv_title_bottom(b->title) + fmax(b->count, least_bars) * row_height(b->count) + 2 * CLV_GAP +
           CLV_TICK_TEXT + (clv_has_text(b->x_label) ? CLV_LABEL_TEXT + CLV_GAP : 0) + CLV_MARGIN;
}

static clv_label value_label(clv_canvas *canvas, double value)
{
    char text[40];
    snprintf(text, sizeof text, "%s%.3g", value < 0 ? "\xe2\x88\x92" : "", fabs(value));
    return clv_label_fit(canvas, isfinite(value) ? text : "not finite", CLV_TICK_TEXT, false, page_width);
}

static clv_label name_label(clv_canvas *canvas, const clv_bars *b, int i)
{
    return clv_label_fit(canvas, b->name[i], CLV_TICK_TEXT, false, widest_name);
}

/* The frame: names fit at its left, values beyond the bars' ends within it. */
static clv_frame frame_for(clv_canvas *canvas, const clv_bars *b, bool *empty)
{
    clv_frame f = {.box = {.top = clv_title_bottom(b->title), .right = page_width - CLV_MARGIN}};
    clv_range x = {.empty = true};
    double name = 0, value = 0;
    for (int i = 0; i < b->count; i++) {
        name = fmax(name, name_label(canvas, b, i).width);
        value = fmax(value, value_label(canvas, b->value[i]).width);
        if (clv_range_takes(&x, b->value[i])) clv_range_add(&x, b->value[i]);
    }
    *empty = x.empty;
    if (!x.empty) clv_range_add(&x, 0);
    f.box.left = CLV_MARGIN + name + CLV_GAP;
    f.box.bottom = f.box.top + fmax(b->count, least_bars) * row_height(b->count) + CLV_GAP;
    const double width = f.box.right - f.box.left, room = (value + CLV_GAP) / (width - 2 * (value + CLV_GAP));
    if (!x.empty && x.low < x.high) { /* beyond 0 there is nothing to write */
        const double span = x.high - x.low;
        x.high += x.high > 0 ? room * span : 0;
        x.low -= x.low < 0 ? room * span : 0;
    }
    f.x = clv_axis_along(canvas, &x, 0, width);
    f.y = clv_axis_create(0, 1, 0, false, 2);
    f.y.ticks = 0;
    return f;
}

static void draw_bar(clv_canvas *canvas, const clv_bars *b, const clv_frame *f, int i)
{
    const double height = row_height(b->count), y = f->box.top + CLV_GAP / 2.0 + (i + 0.5) * height;
    const clv_label name = name_label(canvas, b, i), value = value_label(canvas, b->value[i]);
    const bool drawn = clv_range_takes(&(clv_range){0}, b->value[i]), negative = drawn && b->value[i] < 0;
    const double zero = clv_frame_x(f, 0), end = drawn ? clv_frame_x(f, b->value[i]) : zero;
    cairo_rectangle(canvas->cr, fmin(zero, end), y - 0.34 * height, fabs(end - zero), 0.68 * height);
    clv_canvas_colour(canvas, clv_palette_line(0));
    cairo_fill(canvas->cr);
    clv_canvas_colour(canvas, CLV_BLACK);
    clv_label_draw(canvas, &name, f->box.left - CLV_GAP, y, 1, false);
    clv_label_draw(canvas, &value, end + (negative ? -CLV_GAP : CLV_GAP) / 2.0, y, negative, false);
}

static void draw_bars(clv_canvas *canvas, const clv_bars *b)
{
    const clv_texts texts = {b->title, b->x_label, NULL};
    bool empty;
    const clv_frame frame = frame_for(canvas, b, &empty);
    clv_frame_draw(canvas, &frame, false);
    for (int i = 0; i < b->count; i++) draw_bar(canvas, b, &frame, i);
    if (!empty) {
        clv_canvas_colour(canvas, CLV_DARK);
        clv_line_draw(canvas, clv_frame_x(&frame, 0), frame.box.top, clv_frame_x(&frame, 0), frame.box.bottom);
    }
    clv_texts_draw(canvas, &texts, frame.box);
    if (b->count == 0) clv_note_draw(canvas, frame.box, "no values to draw");
}

clv_status clv_bars_write(const char *path, const clv_bars *bars, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_canvas canvas = {0};
    CLV_REQUIRE(bars->count >= 0 && bars->count <= MOST_BARS, CLV_ERR_CONFIG,
                "cannot draw %s: %d bars, where a page has room for %d; draw fewer", path, bars->count, MOST_BARS);
    CLV_TRY(clv_canvas_create(path, page_width, page_height(bars), &canvas, err));
    draw_bars(&canvas, bars);
    status = clv_canvas_write(&canvas, path, err);
done:
    clv_canvas_destroy(&canvas);
    return status;
}
