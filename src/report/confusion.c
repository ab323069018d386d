/* Confusion matrices: a cell a pair of classes, its count in it, shaded by its share of the row; blue where they agree,
 * orange where not. The shade grows with the cube root of the share: that of 1 % is a fifth of the full one, and can be
 * seen. Many classes have small cells without counts, and every few of them a name. */
#include <inttypes.h>
#include <stdio.h>

#include "base/try.h"
#include "clave/report.h"
#include "report/frame.h"
#include "report/key.h"
#include "report/palette.h"

enum { MOST_CLASSES = 256, MOST_COUNTED = 100, STRIP = 14 /* width of one of the key's two strips */ };
static const double small_cell = 6; /* too small for counts */
static const double widest_name = 160, least_text = 8, least_width = 420, key_width = 110, least_key = 120;
static const clv_colour rule_colour = {0.78, 0.78, 0.78};

typedef struct matrix {
    const clv_confusion *of;
    clv_box box;
    double cell_width, cell_height;
    double text;       /* size of the counts */
    double names_left; /* width of the rows' names */
    double names_down; /* height of the columns' */
    bool turned;       /* the columns' names, where they are wider than the cells */
    bool counted;      /* counts are in the cells */
    int named;         /* every so many classes have their names */
} matrix;

static clv_label name_of(clv_canvas *canvas, const clv_confusion *c, int class)
{
    char number[12];
    snprintf(number, sizeof number, "%d", class);
    return clv_label_fit(canvas, c->class_name ? c->class_name[class] : number, CLV_TICK_TEXT, false, widest_name);
}

static uint32_t count_of(const clv_confusion *c, int row, int column)
{
    return c->count[(size_t)row * (size_t)c->classes + (size_t)column];
}

static clv_label count_label(clv_canvas *canvas, uint32_t count, double size)
{
    char text[16];
    snprintf(text, sizeof text, "%" PRIu32, count);
    return clv_label_fit(canvas, text, size, false, 1e4);
}

static double widest_count(clv_canvas *canvas, const clv_confusion *c, double size)
{
    uint32_t largest = 0; /* has the most digits, and digits are about as wide as one another */
    for (int row = 0; row < c->classes; row++)
        for (int column = 0; column < c->classes; column++)
            if (count_of(c, row, column) > largest) largest = count_of(c, row, column);
    return count_label(canvas, largest, size).width + 6;
}

static double page_width(const matrix *m) { return fmax(least_width, m->box.right + key_width + CLV_MARGIN); }

/* Cells of a comfortable size for few classes, smaller for many, never too narrow for the counts that they hold. */
static matrix lay_out(clv_canvas *canvas, const clv_confusion *c)
{
    matrix m = {.of = c, .counted = c->classes <= MOST_COUNTED};
    m.cell_height = m.counted ? fmin(fmax(660.0 / c->classes, 24), c->classes < 5 ? 70 : 46) : small_cell;
    m.named = (int)ceil((CLV_TICK_TEXT + 1) / m.cell_height);
    double widest = 0;
    for (int i = 0; i < c->classes; i++) widest = fmax(widest, name_of(canvas, c, i).width);
    const double at_full = widest_count(canvas, c, CLV_TICK_TEXT);
    m.cell_width = m.cell_height;
    if (m.counted) m.cell_width = fmax(m.cell_width, fmin(at_full, widest_count(canvas, c, 1.2 * least_text)));
    m.text = fmin(CLV_TICK_TEXT, fmax(least_text, CLV_TICK_TEXT * m.cell_width / at_full));
    m.turned = widest > m.cell_width - 4;
    m.names_left = widest;
    m.names_down = m.turned ? widest : CLV_TICK_TEXT;
    m.box.left = CLV_MARGIN + CLV_LABEL_TEXT + CLV_GAP + widest + CLV_GAP;
    m.box.right = m.box.left + c->classes * m.cell_width;
    m.box.top = clv_title_fit(canvas, c->title, page_width(&m)).bottom;
    m.box.bottom = m.box.top + c->classes * m.cell_height;
    return m;
}

static double key_top(const matrix *m) { return m->box.top + CLV_LABEL_TEXT + CLV_GAP; }

static double page_height(const matrix *m)
{
    const double below = CLV_GAP + m->names_down + CLV_GAP + CLV_LABEL_TEXT;
    return fmax(m->box.bottom + below, key_top(m) + least_key) + CLV_MARGIN;
}

static void draw_cell(clv_canvas *canvas, const matrix *m, int row, int column, double row_sum)
{
    const uint32_t count = count_of(m->of, row, column);
    const double depth = row_sum > 0 ? cbrt(count / row_sum) : 0;
    const clv_colour ground = row == column ? clv_palette_right(depth) : clv_palette_wrong(depth);
    const double left = m->box.left + column * m->cell_width, top = m->box.top + row * m->cell_height;
    cairo_rectangle(canvas->cr, left, top, m->cell_width, m->cell_height);
    clv_canvas_colour(canvas, ground);
    cairo_fill(canvas->cr);
    if (!m->counted) return;
    const clv_label label = count_label(canvas, count, m->text);
    clv_canvas_colour(canvas, count ? clv_palette_ink(ground) : (clv_colour){0.55, 0.55, 0.55});
    clv_label_draw(canvas, &label, left + m->cell_width / 2, top + m->cell_height / 2, 0.5, false);
}

static void draw_rules(clv_canvas *canvas, const matrix *m)
{
    cairo_set_line_width(canvas->cr, 0.75);
    clv_canvas_colour(canvas, rule_colour);
    for (int i = 0; i <= m->of->classes; i += m->counted ? 1 : m->of->classes) {
        const double x = m->box.left + i * m->cell_width, y = m->box.top + i * m->cell_height;
        clv_line_draw(canvas, x, m->box.top, x, m->box.bottom);
        clv_line_draw(canvas, m->box.left, y, m->box.right, y);
    }
}

static void draw_names(clv_canvas *canvas, const matrix *m)
{
    clv_canvas_colour(canvas, CLV_BLACK);
    for (int i = 0; i < m->of->classes; i += m->named) {
        const clv_label name = name_of(canvas, m->of, i);
        const double x = m->box.left + (i + 0.5) * m->cell_width, y = m->box.top + (i + 0.5) * m->cell_height;
        const double below = m->box.bottom + CLV_GAP;
        clv_label_draw(canvas, &name, m->box.left - CLV_GAP, y, 1, false);
        if (m->turned)
            clv_label_draw(canvas, &name, x, below, 1, true);
        else
            clv_label_draw(canvas, &name, x, below + CLV_TICK_TEXT / 2.0, 0.5, false);
    }
}

/* The key: two strips of shades beside shares of the row, at the heights that the cube root gives them. */
static void draw_key(clv_canvas *canvas, const matrix *m)
{
    static const double percent[] = {0, 0.1, 1, 5, 20, 50, 100};
    const double left = m->box.right + 2 * CLV_GAP, edge = left + 2 * STRIP, top = key_top(m);
    const double height = fmin(fmax(m->box.bottom - top, least_key), 260);
    const clv_label head = clv_label_fit(canvas, "share of row", CLV_TICK_TEXT, false, key_width - 2 * CLV_GAP);
    clv_canvas_colour(canvas, CLV_BLACK);
    clv_label_draw(canvas, &head, left, m->box.top + CLV_TICK_TEXT / 2.0, 0, false);
    clv_key_draw(canvas, (clv_box){left, top, left + STRIP, top + height}, clv_palette_right);
    clv_key_draw(canvas, (clv_box){left + STRIP, top, edge, top + height}, clv_palette_wrong);
    cairo_rectangle(canvas->cr, left, top, 2 * STRIP, height);
    clv_canvas_colour(canvas, rule_colour);
    cairo_stroke(canvas->cr);
    for (size_t i = 0; i < sizeof percent / sizeof *percent; i++) {
        char text[16];
        snprintf(text, sizeof text, "%g %%", percent[i]);
        const clv_label label = clv_label_fit(canvas, text, CLV_TICK_TEXT, false, key_width);
        const double y = top + height * (1 - cbrt(percent[i] / 100));
        clv_canvas_colour(canvas, CLV_BLACK);
        clv_line_draw(canvas, edge - 3, y, edge + 2, y);
        clv_label_draw(canvas, &label, edge + CLV_GAP, y, 0, false);
    }
}

static void draw_confusion(clv_canvas *canvas, const matrix *m)
{
    const clv_texts texts = {m->of->title, NULL, "true class"};
    const clv_label below = clv_label_fit(canvas, "predicted class", CLV_LABEL_TEXT, false, canvas->width);
    for (int row = 0; row < m->of->classes; row++) {
        double sum = 0;
        for (int column = 0; column < m->of->classes; column++) sum += count_of(m->of, row, column);
        for (int column = 0; column < m->of->classes; column++) draw_cell(canvas, m, row, column, sum);
    }
    draw_rules(canvas, m);
    draw_names(canvas, m);
    draw_key(canvas, m);
    clv_texts_draw(canvas, &texts, m->box);
    clv_canvas_colour(canvas, CLV_BLACK);
    clv_label_draw(canvas, &below, fmax((m->box.left + m->box.right) / 2, CLV_MARGIN + below.width / 2),
                   m->box.bottom + 2 * CLV_GAP + m->names_down + CLV_LABEL_TEXT / 2.0, 0.5, false);
}

clv_status clv_confusion_write(const char *path, const clv_confusion *confusion, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_canvas sheet = {0}, canvas = {0};
    CLV_REQUIRE(confusion->classes >= 1 && confusion->classes <= MOST_CLASSES, CLV_ERR_CONFIG,
                "cannot draw %s: %d classes, where a confusion matrix has 1 to %d", path, confusion->classes,
                MOST_CLASSES);
    CLV_TRY(clv_canvas_create(path, least_width, least_width, &sheet, err)); /* to measure on */
    const matrix m = lay_out(&sheet, confusion);
    CLV_TRY(clv_canvas_create(path, page_width(&m), page_height(&m), &canvas, err));
    draw_confusion(&canvas, &m);
    status = clv_canvas_write(&canvas, path, err);
done:
    clv_canvas_destroy(&sheet);
    clv_canvas_destroy(&canvas);
    return status;
}
