/* Scatter plots of classes. Classes take turns in being drawn, so that none hides another, in paths of a few marks
 * each, because a path a mark would make an SVG several times as large. */
#include <stdio.h>

#include "base/try.h"
#include "clave/report.h"
#include "report/legend.h"
#include "report/mark.h"
#include "report/palette.h"

enum { MOST_GROUPS = 20, TURN = 320 /* points of all classes between two turns of a class */ };
static const double page_width = 720, page_height = 560;

static const clv_range linear = {0};

static bool is_drawn(const clv_scatter *s, int i)
{
    const bool grouped = !s->group || (s->group[i] >= 0 && s->group[i] < s->groups);
    return grouped && clv_range_takes(&linear, s->x[i]) && clv_range_takes(&linear, s->y[i]);
}

/* The second ten classes have the colours of the first and other marks. */
static int shape_of(int group) { return group + group / CLV_CLASS_COLOURS; }

typedef struct names {
    const clv_scatter *scatter;
    char number[MOST_GROUPS][12];
} names;

static const char *name_of(const void *of, int i)
{
    const names *n = of;
    return n->scatter->group_name ? n->scatter->group_name[i] : n->number[i];
}

static void draw_swatch(clv_canvas *canvas, const void *of, int i, double left, double y, double width)
{
    (void)of;
    clv_canvas_colour(canvas, clv_palette_class(i));
    clv_mark_path(canvas, shape_of(i), left + width / 2, y, 4.5);
    cairo_fill(canvas->cr);
}

static clv_frame frame_for(clv_canvas *canvas, const clv_scatter *s, const clv_texts *texts, double aside, int *drawn)
{
    clv_range x = {.empty = true}, y = {.empty = true};
    *drawn = 0;
    for (int i = 0; i < s->count; i++)
        if (is_drawn(s, i)) {
            clv_range_add(&x, s->x[i]);
            clv_range_add(&y, s->y[i]);
            ++*drawn;
        }
    clv_frame frame = clv_frame_create(canvas, texts, &x, &y, aside);
    if (s->equal) clv_frame_equalise(canvas, &frame);
    return frame;
}

static int greatest_divisor(int a, int b)
{
    while (b) {
        const int rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* A step through 0 .. count - 1 that visits each once, far apart one after the other: data sorted by class are drawn
 * mixed. */
static int mixing_step(int count)
{
    int step = (int)(0.6180339887 * count) + 1;
    while (greatest_divisor(count, step) != 1) step++;
    return step;
}

/* Marks of one class among the points from .. to of the mixed order. */
static void draw_turn(clv_canvas *canvas, const clv_scatter *s, const clv_frame *f, int group, int from, int to,
                      double radius)
{
    const int64_t step = mixing_step(s->count);
    for (int k = from; k < to; k++) {
        const int i = (int)(k * step % s->count);
        if ((s->group ? s->group[i] : 0) != group || !is_drawn(s, i)) continue;
        clv_mark_path(canvas, shape_of(group), clv_frame_x(f, s->x[i]), clv_frame_y(f, s->y[i]), radius);
    }
    cairo_fill(canvas->cr);
}

static void draw_points(clv_canvas *canvas, const clv_scatter *s, const clv_frame *f, int drawn)
{
    const double digits = log10(drawn + 1);
    const double radius = fmin(fmax(6 - digits, 1.5), 4.5), opacity = fmin(fmax(1.15 - 0.12 * digits, 0.5), 0.9);
    cairo_set_fill_rule(canvas->cr, CAIRO_FILL_RULE_WINDING);
    for (int from = 0; from < s->count; from += TURN)
        for (int g = 0; g < (s->group ? s->groups : 1); g++) {
            clv_canvas_tint(canvas, s->group ? clv_palette_class(g) : clv_palette_line(0), opacity);
            draw_turn(canvas, s, f, g, from, from < s->count - TURN ? from + TURN : s->count, radius);
        }
}

static void draw_scatter(clv_canvas *canvas, const clv_scatter *s)
{
    const clv_texts texts = {s->title, s->x_label, s->y_label};
    names of = {.scatter = s};
    const int groups = s->group ? s->groups : 0;
    for (int g = 0; g < groups; g++) snprintf(of.number[g], sizeof of.number[g], "%d", g);
    const clv_legend_source source = {&of, groups, name_of, draw_swatch};
    const double top = clv_title_fit(canvas, s->title, canvas->width).bottom;
    const clv_legend legend = clv_legend_measure(canvas, &source, page_height - CLV_MARGIN - top);
    int drawn;
    const clv_frame frame = frame_for(canvas, s, &texts, legend.rows ? legend.width + CLV_GAP : 0, &drawn);
    clv_frame_draw(canvas, &frame, true);
    draw_points(canvas, s, &frame, drawn);
    if (legend.rows) clv_legend_draw(canvas, &legend, page_width - CLV_MARGIN - legend.width, top);
    clv_texts_draw(canvas, &texts, frame.box);
    if (drawn == 0) clv_note_draw(canvas, frame.box, "no points to draw");
}

clv_status clv_scatter_write(const char *path, const clv_scatter *scatter, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_canvas canvas = {0};
    CLV_REQUIRE(!scatter->group || (scatter->groups >= 0 && scatter->groups <= MOST_GROUPS), CLV_ERR_CONFIG,
                "cannot draw %s: %d classes, where a scatter plot tells %d apart; draw fewer", path, scatter->groups,
                MOST_GROUPS);
    CLV_TRY(clv_canvas_create(path, page_width, page_height, &canvas, err));
    draw_scatter(&canvas, scatter);
    status = clv_canvas_write(&canvas, path, err);
done:
    clv_canvas_destroy(&canvas);
    return status;
}
