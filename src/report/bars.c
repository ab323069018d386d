/* Horizontal bars: names at the left, bars from 0, the value at each bar's end. */
#include "base/try.h"
#include "clave/report.h"
#include "report/frame.h"
#include "report/palette.h"

enum { MOST_BARS = 800 /* cairo draws no more than 32,767 pixels */ };
static const double page_width = 720, widest_name = 300, least_bars = 3 /* the least height */;

typedef struct chart {
    const clv_bars *bars;
    clv_frame frame;
    double row;  /* height of one */
    double text; /* size of the names: the one that the longest needs */
    bool empty;
} chart;

static clv_label value_label(clv_canvas *canvas, double value)
{
    char text[CLV_AXIS_LABEL_SIZE];
    return clv_label_fit(canvas, isfinite(value) ? clv_number_label(value, 3, text) : "not finite", CLV_TICK_TEXT,
                         false, page_width);
}

static clv_label name_label(clv_canvas *canvas, const chart *c, int i)
{
    return clv_label_cut(canvas, c->bars->name[i], c->text, false, widest_name);
}

/* The axis, 0 on it, with room at its ends for the values written beyond the bars: `left` and `right` points. */
static clv_axis axis_for(clv_canvas *canvas, clv_range x, double left, double right, double width)
{
    if (!x.empty) clv_range_add(&x, 0);
    const double unit = (x.high - x.low) / (width - left - right);
    x.low -= unit * left;
    x.high += unit * right;
    return clv_axis_along(canvas, &x, 0, width);
}

static bool is_drawn(double value) { return clv_range_takes(&(clv_range){0}, value); }
static bool is_leftward(double value) { return is_drawn(value) && value < 0; }

/* Names fit at the left of the box, which is as high as the bars need. */
static chart lay_out(clv_canvas *canvas, const clv_bars *b)
{
    chart c = {.bars = b, .row = b->count > 40 ? 18 : 26, .text = CLV_TICK_TEXT};
    clv_range x = {.empty = true};
    double name = 0, room[2] = {0, 0}; /* beside bars to the right and to the left */
    for (int i = 0; i < b->count; i++)
        c.text = fmin(c.text, clv_label_fit(canvas, b->name[i], CLV_TICK_TEXT, false, widest_name).size);
    for (int i = 0; i < b->count; i++) {
        name = fmax(name, name_label(canvas, &c, i).width);
        double *beside = &room[is_leftward(b->value[i])];
        *beside = fmax(*beside, value_label(canvas, b->value[i]).width + CLV_GAP);
        if (is_drawn(b->value[i])) clv_range_add(&x, b->value[i]);
    }
    const double top = clv_title_fit(canvas, b->title, canvas->width).bottom;
    c.empty = x.empty;
    c.frame.box = (clv_box){CLV_MARGIN + name + CLV_GAP, top, page_width - CLV_MARGIN,
                            top + fmax(b->count, least_bars) * c.row + CLV_GAP};
    c.frame.x = axis_for(canvas, x, room[1], room[0], c.frame.box.right - c.frame.box.left);
    clv_frame_trim(canvas, &c.frame, page_width - CLV_MARGIN);
    c.frame.y = clv_axis_create(0, 1, 0, false, 2);
    c.frame.y.ticks = 0;
    return c;
}

static double page_height(const chart *c)
{
    return c->frame.box.bottom + CLV_GAP + CLV_TICK_TEXT +
           (clv_has_text(c->bars->x_label) ? CLV_LABEL_TEXT + CLV_GAP : 0) + CLV_MARGIN;
}

static void draw_bar(clv_canvas *canvas, const chart *c, int i)
{
    const clv_frame *f = &c->frame;
    const double of = c->bars->value[i], y = f->box.top + CLV_GAP / 2.0 + (i + 0.5) * c->row;
    const clv_label name = name_label(canvas, c, i), value = value_label(canvas, of);
    const double zero = c->empty ? f->box.left : clv_frame_x(f, 0), end = is_drawn(of) ? clv_frame_x(f, of) : zero;
    cairo_rectangle(canvas->cr, fmin(zero, end), y - 0.34 * c->row, fabs(end - zero), 0.68 * c->row);
    clv_canvas_colour(canvas, clv_palette_line(0));
    cairo_fill(canvas->cr);
    clv_canvas_colour(canvas, CLV_BLACK);
    clv_label_draw(canvas, &name, f->box.left - CLV_GAP, y, 1, false);
    clv_label_draw(canvas, &value, end + (is_leftward(of) ? -CLV_GAP : CLV_GAP) / 2.0, y, is_leftward(of), false);
}

static void draw_bars(clv_canvas *canvas, const clv_bars *b)
{
    const clv_texts texts = {b->title, b->x_label, NULL};
    const chart c = lay_out(canvas, b);
    clv_frame_draw(canvas, &c.frame, false);
    for (int i = 0; i < b->count; i++) draw_bar(canvas, &c, i);
    if (!c.empty) {
        const double zero = clv_frame_x(&c.frame, 0);
        clv_canvas_colour(canvas, CLV_DARK);
        clv_line_draw(canvas, zero, c.frame.box.top, zero, c.frame.box.bottom);
    }
    clv_texts_draw(canvas, &texts, c.frame.box);
    if (b->count == 0) clv_note_draw(canvas, c.frame.box, "no values to draw");
}

clv_status clv_bars_write(const char *path, const clv_bars *bars, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_canvas sheet = {0}, canvas = {0};
    CLV_REQUIRE(bars->count >= 0 && bars->count <= MOST_BARS, CLV_ERR_CONFIG,
                "cannot draw %s: %d bars, where a page has room for %d; draw fewer", path, bars->count, MOST_BARS);
    CLV_TRY(clv_canvas_create(path, page_width, 100, &sheet, err)); /* to measure on */
    const chart c = lay_out(&sheet, bars);
    CLV_TRY(clv_canvas_create(path, page_width, page_height(&c), &canvas, err));
    draw_bars(&canvas, bars);
    status = clv_canvas_write(&canvas, path, err);
done:
    clv_canvas_destroy(&sheet);
    clv_canvas_destroy(&canvas);
    return status;
}
