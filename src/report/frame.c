/* Frames: axes that fit their labels, boxes that leave room for every text, grid lines and titles. */
#include "report/frame.h"

#include <string.h>

static const double title_line = CLV_TITLE_TEXT + 4; /* height */

/* Keeps the distinct values in order, as long as they are few. */
static void list_value(clv_range *r, double value)
{
    if (r->distinct > CLV_AXIS_LISTED) return;
    int at = 0;
    while (at < r->distinct && r->value[at] < value) at++;
    if (at < r->distinct && r->value[at] == value) return;
    if (r->distinct++ == CLV_AXIS_LISTED) return;
    for (int i = r->distinct - 1; i > at; i--) r->value[i] = r->value[i - 1];
    r->value[at] = value;
}

void clv_range_add(clv_range *r, double value)
{
    r->low = r->empty ? value : fmin(r->low, value);
    r->high = r->empty ? value : fmax(r->high, value);
    r->whole = r->whole && value == floor(value) && fabs(value) < 1e9;
    r->empty = false;
    list_value(r, value);
}

clv_axis clv_range_axis(const clv_range *r, double margin, int most)
{
    if (r->log) return clv_axis_create_log(r->empty ? 1 : r->low, r->empty ? 10 : r->high, margin, most);
    return clv_axis_create(r->empty ? 0 : r->low, r->empty ? 1 : r->high, margin, r->whole, most);
}

clv_label clv_tick_label(clv_canvas *canvas, const clv_axis *axis, int tick)
{
    char text[CLV_AXIS_LABEL_SIZE];
    return clv_label_fit(canvas, clv_axis_label(axis, tick, text), CLV_TICK_TEXT, false, canvas->width);
}

double clv_widest_tick(clv_canvas *canvas, const clv_axis *axis)
{
    double widest = 0;
    for (int i = 0; i < axis->ticks; i++) widest = fmax(widest, clv_tick_label(canvas, axis, i).width);
    return widest;
}

/* The least distance of two ticks, as a share of the axis. */
static double nearest_ticks(const clv_axis *axis)
{
    double nearest = 1;
    for (int i = 1; i < axis->ticks; i++)
        nearest = fmin(nearest,
                       clv_axis_share(axis, clv_axis_tick(axis, i)) - clv_axis_share(axis, clv_axis_tick(axis, i - 1)));
    return nearest;
}

clv_axis clv_range_axis_listed(const clv_range *r, double margin, int most, double apart)
{
    const clv_axis plain = clv_range_axis(r, margin, most);
    if (r->empty || r->distinct > CLV_AXIS_LISTED) return plain;
    clv_axis axis = plain;
    clv_axis_list(&axis, r->value, r->distinct);
    axis.complete = true;
    return nearest_ticks(&axis) >= apart ? axis : plain;
}

bool clv_axis_has_room(clv_canvas *canvas, const clv_axis *axis, double width, double between)
{
    return clv_widest_tick(canvas, axis) + between <= nearest_ticks(axis) * width;
}

clv_axis clv_axis_along(clv_canvas *canvas, const clv_range *r, double margin, double width)
{
    for (int most = 10;; most--) {
        const clv_axis axis = clv_range_axis(r, margin, most);
        if (most == 1 || clv_axis_has_room(canvas, &axis, width, most > 3 ? 16 : 8)) return axis;
    }
}

bool clv_has_text(const char *text) { return text && *text; }

/* Bytes of as many words as fit into the width; 0 where not even the first does. */
static size_t words_that_fit(clv_canvas *canvas, const char *text, double width)
{
    char part[CLV_LABEL_SIZE];
    size_t fitting = 0;
    for (size_t end = 1; end < sizeof part - 8; end++) {
        if (text[end] != ' ' && text[end]) continue;
        memcpy(part, text, end);
        part[end] = '\0';
        if (clv_label_fit(canvas, part, CLV_TITLE_TEXT, true, INFINITY).width > width) break;
        fitting = end;
        if (!text[end]) break;
    }
    return fitting;
}

clv_title clv_title_fit(clv_canvas *canvas, const char *text, double page_width)
{
    clv_title title = {.bottom = CLV_MARGIN + CLV_TICK_TEXT / 2.0};
    const double width = page_width - 2 * CLV_MARGIN;
    while (clv_has_text(text) && title.lines < CLV_TITLE_LINES) {
        char part[CLV_LABEL_SIZE];
        const size_t bytes = words_that_fit(canvas, text, width);
        const bool rest = bytes == 0 || title.lines == CLV_TITLE_LINES - 1;
        memcpy(part, text, bytes);
        part[bytes] = '\0';
        title.line[title.lines++] = clv_label_fit(canvas, rest ? text : part, CLV_TITLE_TEXT, true, width);
        text = rest ? NULL : text + bytes + strspn(text + bytes, " ");
    }
    if (title.lines) title.bottom = CLV_MARGIN + title.lines * title_line + CLV_GAP / 2.0;
    return title;
}

void clv_frame_trim(clv_canvas *canvas, clv_frame *f, double edge)
{
    if (f->x.ticks == 0) return;
    const clv_label last = clv_tick_label(canvas, &f->x, f->x.ticks - 1);
    const double reach = clv_frame_x(f, clv_axis_tick(&f->x, f->x.ticks - 1)) + last.width / 2;
    f->box.right -= fmax(0, reach - edge);
}

clv_frame clv_frame_create(clv_canvas *canvas, const clv_texts *texts, const clv_range *x, const clv_range *y,
                           double aside)
{
    clv_frame f;
    const double edge = canvas->width - CLV_MARGIN - aside;
    f.box.top = clv_title_fit(canvas, texts->title, canvas->width).bottom;
    f.box.bottom = canvas->height - CLV_MARGIN - CLV_TICK_TEXT - CLV_GAP -
                   (clv_has_text(texts->x_label) ? CLV_LABEL_TEXT + CLV_GAP : 0);
    f.y = clv_range_axis(y, 0.06, (int)((f.box.bottom - f.box.top) / 42));
    f.box.left = CLV_MARGIN + (clv_has_text(texts->y_label) ? CLV_LABEL_TEXT + CLV_GAP : 0) +
                 clv_widest_tick(canvas, &f.y) + CLV_GAP;
    f.box.right = edge;
    f.x = clv_axis_along(canvas, x, 0.02, f.box.right - f.box.left);
    clv_frame_trim(canvas, &f, edge);
    return f;
}

static clv_axis widened(const clv_axis *axis, double span, int most)
{
    const double middle = (axis->low + axis->high) / 2;
    return clv_axis_create(middle - span / 2, middle + span / 2, 0, false, most);
}

/* Other ticks may need other room beside the box, which changes the unit: the second round leaves the room as it is. */
void clv_frame_equalise(clv_canvas *canvas, clv_frame *f)
{
    const clv_frame data = *f;
    const double beside = data.box.left - clv_widest_tick(canvas, &data.y), edge = data.box.right;
    for (int round = 0; round < 2; round++) {
        const double width = f->box.right - f->box.left, height = f->box.bottom - f->box.top;
        const double unit = fmax((data.x.high - data.x.low) / width, (data.y.high - data.y.low) / height);
        const double middle = (data.x.low + data.x.high) / 2;
        const clv_range x = {.low = middle - unit * width / 2, .high = middle + unit * width / 2};
        f->x = clv_axis_along(canvas, &x, 0, width);
        f->y = widened(&data.y, unit * height, (int)(height / 42));
        if (round > 0) break;
        f->box.left = fmax(f->box.left, beside + clv_widest_tick(canvas, &f->y));
        clv_frame_trim(canvas, f, edge);
    }
}

void clv_line_draw(clv_canvas *canvas, double x0, double y0, double x1, double y1)
{
    cairo_move_to(canvas->cr, x0, y0);
    cairo_line_to(canvas->cr, x1, y1);
    cairo_stroke(canvas->cr);
}

static void draw_x(clv_canvas *canvas, const clv_frame *f, int tick)
{
    const double x = clv_frame_x(f, clv_axis_tick(&f->x, tick));
    const clv_label label = clv_tick_label(canvas, &f->x, tick);
    clv_canvas_colour(canvas, CLV_LIGHT);
    clv_line_draw(canvas, x, f->box.top, x, f->box.bottom);
    clv_canvas_colour(canvas, CLV_BLACK);
    clv_label_draw(canvas, &label, x, f->box.bottom + CLV_GAP + CLV_TICK_TEXT / 2.0, 0.5, false);
}

static void draw_y(clv_canvas *canvas, const clv_frame *f, int tick, bool number)
{
    const double y = clv_frame_y(f, clv_axis_tick(&f->y, tick));
    const clv_label label = clv_tick_label(canvas, &f->y, tick);
    clv_canvas_colour(canvas, CLV_LIGHT);
    clv_line_draw(canvas, f->box.left, y, f->box.right, y);
    clv_canvas_colour(canvas, CLV_BLACK);
    if (number) clv_label_draw(canvas, &label, f->box.left - CLV_GAP, y, 1, false);
}

void clv_frame_draw(clv_canvas *canvas, const clv_frame *f, bool numbers)
{
    cairo_set_line_width(canvas->cr, 1);
    cairo_set_dash(canvas->cr, NULL, 0, 0);
    for (int i = 0; i < f->x.ticks; i++) draw_x(canvas, f, i);
    for (int i = 0; i < f->y.ticks; i++) draw_y(canvas, f, i, numbers);
    clv_canvas_colour(canvas, CLV_DARK);
    clv_line_draw(canvas, f->box.left, f->box.top, f->box.left, f->box.bottom);
    clv_line_draw(canvas, f->box.left, f->box.bottom, f->box.right, f->box.bottom);
}

/* Texts stand in the middle of the box, or of the page where that would push them off it. */
static void draw_middled(clv_canvas *canvas, const clv_label *label, clv_box b, double y)
{
    const double middle = (b.left + b.right) / 2, room = 2 * fmin(middle, canvas->width - middle) - 2 * CLV_MARGIN;
    clv_label_draw(canvas, label, label->width > room ? canvas->width / 2 : middle, y, 0.5, false);
}

void clv_texts_draw(clv_canvas *canvas, const clv_texts *texts, clv_box b)
{
    const double bottom = canvas->height - CLV_MARGIN; /* the title has the top for itself, x the bottom */
    const double below = bottom - b.top - (clv_has_text(texts->x_label) ? CLV_LABEL_TEXT + CLV_GAP : 0);
    const clv_title title = clv_title_fit(canvas, texts->title, canvas->width);
    const clv_label x = clv_label_fit(canvas, texts->x_label, CLV_LABEL_TEXT, false, canvas->width - 2 * CLV_MARGIN);
    const clv_label y = clv_label_fit(canvas, texts->y_label, CLV_LABEL_TEXT, false, below);
    clv_canvas_colour(canvas, CLV_BLACK);
    for (int i = 0; i < title.lines; i++)
        draw_middled(canvas, &title.line[i], b, CLV_MARGIN + CLV_TITLE_TEXT / 2.0 + i * title_line);
    draw_middled(canvas, &x, b, bottom - CLV_LABEL_TEXT / 2.0);
    const double centre = y.width > b.bottom - b.top ? b.top + below / 2 : (b.top + b.bottom) / 2;
    clv_label_draw(canvas, &y, CLV_MARGIN + CLV_LABEL_TEXT / 2.0, centre, 0.5, true);
}

void clv_note_draw(clv_canvas *canvas, clv_box box, const char *text)
{
    const clv_label note = clv_label_fit(canvas, text, CLV_LABEL_TEXT, false, canvas->width - 2 * CLV_MARGIN);
    clv_canvas_colour(canvas, CLV_DARK);
    clv_label_draw(canvas, &note, (box.left + box.right) / 2, (box.top + box.bottom) / 2, 0.5, false);
}
