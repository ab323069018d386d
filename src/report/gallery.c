/* Galleries: images with a line of text under each, for pictures that need words. */
#include <math.h>

#include "base/memory.h"
#include "base/try.h"
#include "clave/report.h"
#include "report/frame.h"

static const double gap = 10, caption = 16, widest_caption = 160;
static const double most_points = 16000; /* cairo draws up to 32,767 pixels, two a point */

/* Bytes of cairo's RGB24 for one image; NaN is magenta, as in grids. */
static uint32_t pixel_of(const clv_gallery *g, const float *image, int at)
{
    const int plane = g->height * g->width;
    uint32_t rgb = 0;
    for (int c = 0; c < 3; c++) {
        const float value = image[(g->channels == 3 ? c : 0) * plane + at];
        if (isnan(value)) return 0xFF00FFu;
        rgb = rgb << 8 | (uint32_t)lroundf(255 * fminf(fmaxf(value, 0), 1));
    }
    return rgb;
}

/* One image with its lower left corner above its caption. */
static clv_status draw_image(clv_canvas *canvas, const clv_gallery *g, int i, double x, double y, clv_error *err)
{
    clv_status status = CLV_OK;
    const float *image = g->pixel + (size_t)i * (size_t)(g->channels * g->height * g->width);
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, g->width, g->height);
    CLV_REQUIRE(cairo_surface_status(surface) == CAIRO_STATUS_SUCCESS, CLV_ERR_INTERNAL,
                "out of memory for an image of %d x %d", g->width, g->height);
    unsigned char *bytes = cairo_image_surface_get_data(surface);
    const int stride = cairo_image_surface_get_stride(surface);
    cairo_surface_flush(surface);
    for (int row = 0; row < g->height; row++)
        for (int column = 0; column < g->width; column++)
            ((uint32_t *)(void *)(bytes + (ptrdiff_t)row * stride))[column] =
                pixel_of(g, image, row * g->width + column);
    cairo_surface_mark_dirty(surface);
    cairo_save(canvas->cr);
    cairo_translate(canvas->cr, x, y);
    cairo_scale(canvas->cr, g->scale, g->scale);
    cairo_set_source_surface(canvas->cr, surface, 0, 0);
    cairo_pattern_set_filter(cairo_get_source(canvas->cr), CAIRO_FILTER_NEAREST);
    cairo_paint(canvas->cr);
    cairo_restore(canvas->cr);
done:
    cairo_surface_destroy(surface);
    return status;
}

static const char *caption_of(const clv_gallery *g, int i) { return g->caption ? g->caption[i] : NULL; }

/* Where everything lies; a cell is as wide as its caption needs, up to a limit, and a row without captions lower. */
typedef struct layout {
    double left, width, page_width, page_height; /* of the first column, of a cell */
    clv_title title;
    int rows;
} layout;

static bool has_captions(const clv_gallery *g, int row)
{
    for (int i = row * g->columns; i < g->count && i < (row + 1) * g->columns; i++)
        if (clv_has_text(caption_of(g, i))) return true;
    return false;
}

static double row_height(const clv_gallery *g, int row)
{
    return g->height * g->scale + gap + (has_captions(g, row) ? caption : 0);
}

static double text_width(clv_canvas *canvas, const char *text)
{
    return clv_has_text(text) ? clv_label_fit(canvas, text, CLV_TICK_TEXT, false, 1e6).width : 0;
}

static layout lay_out(clv_canvas *canvas, const clv_gallery *g)
{
    layout l = {.left = CLV_MARGIN, .rows = g->count ? (g->count + g->columns - 1) / g->columns : 1};
    double names = 0, captions = g->width * g->scale;
    for (int r = 0; g->row_name && r < l.rows; r++) names = fmax(names, text_width(canvas, g->row_name[r]));
    for (int i = 0; i < g->count; i++) captions = fmax(captions, text_width(canvas, caption_of(g, i)));
    if (names > 0) l.left += names + CLV_GAP;
    l.width = fmax(fmin(captions, widest_caption), g->width * g->scale) + gap;
    l.page_width = fmax(l.left + g->columns * l.width + CLV_MARGIN, 320);
    l.title = clv_title_fit(canvas, g->title, l.page_width);
    l.page_height = l.title.bottom + CLV_MARGIN;
    for (int r = 0; r < l.rows; r++) l.page_height += row_height(g, r);
    return l;
}

static void draw_texts(clv_canvas *canvas, const clv_gallery *g, const layout *l)
{
    const clv_texts texts = {g->title, NULL, NULL};
    const clv_box page = {0, 0, l->page_width, l->page_height};
    double y = l->title.bottom;
    clv_canvas_colour(canvas, CLV_BLACK);
    clv_texts_draw(canvas, &texts, page);
    for (int r = 0; g->row_name && r < l->rows; y += row_height(g, r++)) {
        clv_label name = clv_label_fit(canvas, g->row_name[r], CLV_TICK_TEXT, false, l->left - CLV_MARGIN);
        clv_label_draw(canvas, &name, CLV_MARGIN + name.width / 2, y + g->height * g->scale / 2.0, 0.5, false);
    }
    if (g->count == 0) {
        clv_label nothing = clv_label_fit(canvas, "none", CLV_TICK_TEXT, false, l->page_width);
        clv_label_draw(canvas, &nothing, l->page_width / 2, l->title.bottom + row_height(g, 0) / 2, 0.5, false);
    }
}

static clv_status draw_images(clv_canvas *canvas, const clv_gallery *g, const layout *l, clv_error *err)
{
    clv_status status = CLV_OK;
    double y = l->title.bottom;
    for (int i = 0; i < g->count; i++) {
        const double middle = l->left + (i % g->columns + 0.5) * l->width;
        CLV_TRY(draw_image(canvas, g, i, middle - g->width * g->scale / 2.0, y, err));
        if (clv_has_text(caption_of(g, i))) {
            clv_label text = clv_label_fit(canvas, caption_of(g, i), CLV_TICK_TEXT, false, l->width - 2);
            clv_canvas_colour(canvas, CLV_BLACK);
            clv_label_draw(canvas, &text, middle, y + g->height * g->scale + caption / 2, 0.5, false);
        }
        if ((i + 1) % g->columns == 0) y += row_height(g, i / g->columns);
    }
done:
    return status;
}

clv_status clv_gallery_write(const char *path, const clv_gallery *g, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_canvas sheet = {0}, canvas = {0};
    CLV_TRY(clv_canvas_create(path, 100, 100, &sheet, err)); /* to measure on */
    const layout l = lay_out(&sheet, g);
    CLV_REQUIRE(
        l.page_width <= most_points && l.page_height <= most_points, CLV_ERR_CONFIG,
        "cannot draw %s: the page would be %.0f x %.0f points, at most %.0f are drawn; draw fewer images, or smaller "
        "ones by --scale",
        path, l.page_width, l.page_height, most_points);
    CLV_TRY(clv_canvas_create(path, l.page_width, l.page_height, &canvas, err));
    draw_texts(&canvas, g, &l);
    CLV_TRY(draw_images(&canvas, g, &l, err));
    CLV_TRY(clv_canvas_write(&canvas, path, err));
done:
    clv_canvas_destroy(&sheet);
    clv_canvas_destroy(&canvas);
    return status;
}
