/* Galleries: images with a line of text under each, for pictures that need words. */
#include <math.h>

#include "base/memory.h"
#include "base/try.h"
#include "clave/report.h"
#include "report/frame.h"

static const double gap = 10, caption = 16;

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

clv_status clv_gallery_write(const char *path, const clv_gallery *g, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_canvas canvas = {0};
    const double width = g->width * g->scale + gap, height = g->height * g->scale + caption + gap;
    const int rows = g->count ? (g->count + g->columns - 1) / g->columns : 1;
    const double top = 2 * CLV_MARGIN + CLV_TITLE_TEXT, page = fmax(g->columns * width + 2 * CLV_MARGIN, 320);
    CLV_TRY(clv_canvas_create(path, page, top + rows * height + CLV_MARGIN, &canvas, err));
    clv_canvas_colour(&canvas, CLV_BLACK);
    clv_label title = clv_label_fit(&canvas, g->title, CLV_TITLE_TEXT, true, page - 2 * CLV_MARGIN);
    clv_label_draw(&canvas, &title, page / 2, CLV_MARGIN + CLV_TITLE_TEXT / 2, 0.5, false);
    for (int i = 0; i < g->count; i++) {
        const double x = CLV_MARGIN + gap / 2 + i % g->columns * width, y = top + i / g->columns * height;
        CLV_TRY(draw_image(&canvas, g, i, x, y, err));
        clv_label text = clv_label_fit(&canvas, g->caption[i], CLV_TICK_TEXT, false, width - 2);
        clv_label_draw(&canvas, &text, x + g->width * g->scale / 2.0, y + g->height * g->scale + caption / 2, 0.5,
                       false);
    }
    if (g->count == 0) {
        clv_label nothing = clv_label_fit(&canvas, "none", CLV_TICK_TEXT, false, page);
        clv_label_draw(&canvas, &nothing, page / 2, top + height / 2, 0.5, false);
    }
    CLV_TRY(clv_canvas_write(&canvas, path, err));
done:
    clv_canvas_destroy(&canvas);
    return status;
}
