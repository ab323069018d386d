/* Small multiples: a grid of scatter plots that share the y axis, whose numbers stand at the left of each row. */
#include "base/try.h"
#include "clave/report.h"
#include "report/frame.h"
#include "report/mark.h"
#include "report/palette.h"

enum { MOST_PANELS = 64, MOST_COLUMNS = 4 };
static const double panel_height = 150, panel_gap = 14, spread = 10;

typedef struct grid {
    const clv_panels *panels;
    int rows, columns;
    clv_range y;
    double left, top; /* of the first panel's box */
    double width;     /* of a box */
} grid;

static int columns_for(int panels) { return panels < 1 ? 1 : panels < MOST_COLUMNS ? panels : MOST_COLUMNS; }
static int rows_for(int panels) { return panels < 1 ? 1 : (panels + MOST_COLUMNS - 1) / MOST_COLUMNS; }

/* Below a box: numbers, the parameter's name, and a gap. */
static double row_height(void) { return panel_height + CLV_TICK_TEXT + CLV_LABEL_TEXT + 3 * CLV_GAP + panel_gap / 2; }

static double page_width(const clv_panels *p) { return columns_for(p->panels) < 3 ? 560 : 860; }

static bool is_drawn(const grid *g, int panel, int point)
{
    const clv_panels *p = g->panels;
    const clv_range x = {.log = p->log_x && p->log_x[panel]};
    return clv_range_takes(&x, p->x[(size_t)panel * (size_t)p->points + (size_t)point]) &&
           clv_range_takes(&g->y, p->y[point]);
}

static grid grid_for(clv_canvas *canvas, const clv_panels *p)
{
    grid g = {.panels = p, .rows = rows_for(p->panels), .columns = columns_for(p->panels)};
    g.y = (clv_range){.log = p->log_y, .empty = true};
    for (int i = 0; i < p->points; i++)
        if (clv_range_takes(&g.y, p->y[i])) clv_range_add(&g.y, p->y[i]);
    const clv_axis y = clv_range_axis(&g.y, 0.06, (int)(panel_height / 32));
    g.left =
        CLV_MARGIN + (clv_has_text(p->y_label) ? CLV_LABEL_TEXT + CLV_GAP : 0) + clv_widest_tick(canvas, &y) + CLV_GAP;
    g.top = clv_title_fit(canvas, p->title, canvas->width).bottom;
    g.width = (canvas->width - CLV_MARGIN - g.left - (g.columns - 1) * panel_gap) / g.columns;
    return g;
}

static double page_height(const grid *g)
{
    return g->top + g->rows * row_height() - CLV_GAP - panel_gap / 2 + CLV_MARGIN;
}

/* Numbers at the ends of an axis reach no further than half the gap between panels. */
static bool stays_within(clv_canvas *canvas, const clv_axis *axis, double width)
{
    const double most = panel_gap / 2 - 2;
    for (int i = 0; i < axis->ticks; i++) {
        const double half = clv_tick_label(canvas, axis, i).width / 2;
        const double middle = width * clv_axis_share(axis, clv_axis_tick(axis, i));
        if (middle - half < -most || middle + half > width + most) return false;
    }
    return true;
}

/* Numbers of few listed values stand at the values, if there is room. */
static clv_axis x_axis_for(clv_canvas *canvas, const clv_range *x, bool listed, double width)
{
    for (double margin = 0.06;; margin *= 1.3) {
        clv_axis axis = listed ? clv_range_axis_listed(x, margin, 4, 0) : clv_range_axis(x, margin, 4);
        if (!axis.complete || !clv_axis_has_room(canvas, &axis, width, 5))
            axis = clv_axis_along(canvas, x, margin, width);
        if (margin > 0.5 || stays_within(canvas, &axis, width)) return axis;
    }
}

static clv_frame frame_for(clv_canvas *canvas, const grid *g, int panel, bool *empty)
{
    const clv_panels *p = g->panels;
    const int row = panel / g->columns, column = panel % g->columns;
    clv_range x = {.log = p->log_x && p->log_x[panel], .empty = true, .whole = true};
    for (int i = 0; i < p->points; i++)
        if (is_drawn(g, panel, i)) clv_range_add(&x, p->x[(size_t)panel * (size_t)p->points + (size_t)i]);
    clv_frame f = {.box = {.left = g->left + column * (g->width + panel_gap), .top = g->top + row * row_height()}};
    f.box.right = f.box.left + g->width;
    f.box.bottom = f.box.top + panel_height;
    f.y = clv_range_axis(&g->y, 0.06, (int)(panel_height / 32));
    f.x = x_axis_for(canvas, &x, p->listed && p->listed[panel], g->width);
    *empty = x.empty;
    return f;
}

/* Points of a parameter that takes few values of a list stand a little aside of them, by turns, so that they don't hide
 * one another: multiples of the golden ratio fill an interval evenly. */
static double aside(const clv_frame *f, int point)
{
    const double turn = 0.6180339887 * point;
    return f->x.complete ? spread * (turn - floor(turn) - 0.5) : 0;
}

static void draw_panel(clv_canvas *canvas, const grid *g, int panel)
{
    const clv_panels *p = g->panels;
    bool empty;
    const clv_frame f = frame_for(canvas, g, panel, &empty);
    const clv_label name = clv_label_fit(canvas, p->x_label[panel], CLV_LABEL_TEXT, false, g->width);
    const double radius = p->points > 2000 ? 1.8 : p->points > 200 ? 2.4 : 3;
    clv_frame_draw(canvas, &f, panel % g->columns == 0);
    clv_canvas_tint(canvas, clv_palette_line(0), p->points > 200 ? 0.5 : 0.7);
    for (int i = 0; i < p->points; i++)
        if (is_drawn(g, panel, i)) {
            const double x = p->x[(size_t)panel * (size_t)p->points + (size_t)i];
            clv_mark_path(canvas, 0, clv_frame_x(&f, x) + aside(&f, i), clv_frame_y(&f, p->y[i]), radius);
            cairo_fill(canvas->cr);
        }
    clv_canvas_colour(canvas, CLV_BLACK);
    clv_label_draw(canvas, &name, (f.box.left + f.box.right) / 2,
                   f.box.bottom + 2 * CLV_GAP + CLV_TICK_TEXT + CLV_LABEL_TEXT / 2.0, 0.5, false);
    if (empty) clv_note_draw(canvas, f.box, "no points to draw");
}

static void draw_panels(clv_canvas *canvas, const grid *g)
{
    const clv_panels *p = g->panels;
    const clv_texts texts = {p->title, NULL, p->y_label};
    const clv_box whole = {g->left, g->top, canvas->width - CLV_MARGIN, canvas->height - CLV_MARGIN};
    for (int i = 0; i < p->panels; i++) draw_panel(canvas, g, i);
    clv_texts_draw(canvas, &texts, whole);
    if (p->panels == 0) clv_note_draw(canvas, whole, "no points to draw");
}

clv_status clv_panels_write(const char *path, const clv_panels *panels, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_canvas sheet = {0}, canvas = {0};
    CLV_REQUIRE(panels->panels >= 0 && panels->panels <= MOST_PANELS, CLV_ERR_CONFIG,
                "cannot draw %s: %d panels, where a page has room for %d; draw fewer", path, panels->panels,
                MOST_PANELS);
    CLV_TRY(clv_canvas_create(path, page_width(panels), 100, &sheet, err)); /* to measure on */
    const grid g = grid_for(&sheet, panels);
    CLV_TRY(clv_canvas_create(path, page_width(panels), page_height(&g), &canvas, err));
    draw_panels(&canvas, &g);
    status = clv_canvas_write(&canvas, path, err);
done:
    clv_canvas_destroy(&sheet);
    clv_canvas_destroy(&canvas);
    return status;
}
