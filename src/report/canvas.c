/* Canvases: cairo's image and SVG surfaces behind one interface; files are made in memory and written whole. */
#include "report/canvas.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cairo-svg.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/try.h"
#include "clave/report.h"

static const double pixels_per_point = 2; /* of a PNG: sharp in print */

static cairo_status_t append(void *file, const unsigned char *bytes, unsigned int size)
{
    clv_text_append_bytes(file, (const char *)bytes, size);
    return ((clv_text *)file)->failed ? CAIRO_STATUS_WRITE_ERROR : CAIRO_STATUS_SUCCESS;
}

static bool ends_in(const char *path, const char *ending)
{
    const size_t length = strlen(path), tail = strlen(ending);
    return length > tail && strcmp(path + length - tail, ending) == 0;
}

static clv_status check(cairo_status_t found, const char *path, clv_error *err)
{
    if (found == CAIRO_STATUS_SUCCESS) return CLV_OK;
    return clv_fail(err, CLV_ERR_INTERNAL, "cannot draw %s: %s", path, cairo_status_to_string(found));
}

static void set_up(clv_canvas *canvas)
{
    /* Unhinted, so that a PNG and an SVG have the same layout. */
    cairo_font_options_t *options = cairo_font_options_create();
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
    cairo_set_font_options(canvas->cr, options);
    cairo_font_options_destroy(options);
    clv_canvas_colour(canvas, (clv_colour){1, 1, 1});
    cairo_paint(canvas->cr);
}

clv_status clv_plot_path_check(const char *path, clv_error *err)
{
    if (ends_in(path, ".svg") || ends_in(path, ".png")) return CLV_OK;
    return clv_fail(err, CLV_ERR_CONFIG, "cannot draw %s: its name must end in .png or .svg", path);
}

clv_status clv_canvas_create(const char *path, double width, double height, clv_canvas *canvas, clv_error *err)
{
    clv_status status = CLV_OK;
    *canvas = (clv_canvas){.width = width, .height = height, .svg = ends_in(path, ".svg")};
    CLV_TRY(clv_plot_path_check(path, err));
    if (canvas->svg) {
        canvas->surface = cairo_svg_surface_create_for_stream(append, &canvas->file, width, height);
    } else {
        canvas->surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)(width * pixels_per_point),
                                                     (int)(height * pixels_per_point));
        cairo_surface_set_device_scale(canvas->surface, pixels_per_point, pixels_per_point);
    }
    CLV_TRY(check(cairo_surface_status(canvas->surface), path, err));
    canvas->cr = cairo_create(canvas->surface);
    CLV_TRY(check(cairo_status(canvas->cr), path, err));
    set_up(canvas);
done:
    if (status != CLV_OK) clv_canvas_destroy(canvas);
    return status;
}

void clv_canvas_destroy(clv_canvas *canvas)
{
    if (canvas->cr) cairo_destroy(canvas->cr);
    if (canvas->surface) cairo_surface_destroy(canvas->surface); /* may still write to the file */
    clv_text_free(&canvas->file);
    *canvas = (clv_canvas){0};
}

static clv_status write_png(clv_canvas *canvas, const char *path, clv_error *err)
{
    const int height = cairo_image_surface_get_height(canvas->surface);
    const int width = cairo_image_surface_get_width(canvas->surface);
    const int stride = cairo_image_surface_get_stride(canvas->surface);
    const unsigned char *data = cairo_image_surface_get_data(canvas->surface); /* 32-bit words 0x00rrggbb */
    uint8_t *pixel = clv_alloc((size_t)height * (size_t)width, 3, err), *to = pixel;
    if (!pixel) return CLV_ERR_INTERNAL;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            uint32_t word;
            memcpy(&word, data + (size_t)y * (size_t)stride + 4 * (size_t)x, sizeof word);
            *to++ = (uint8_t)(word >> 16);
            *to++ = (uint8_t)(word >> 8);
            *to++ = (uint8_t)word;
        }
    const clv_status status = clv_png_write(path, pixel, 3, height, width, err);
    free(pixel);
    return status;
}

/* cairo numbers a process's surfaces and writes the number as the id of the page, which nothing refers to: without it
 * the same drawing gives the same bytes. Texts are drawn as outlines, so these words are nowhere else. */
static void forget_number(clv_text *file)
{
    static const char id[] = "id=\"surface";
    char *at = file->text ? strstr(file->text, id) : NULL;
    if (!at) return;
    at += sizeof id - 1;
    const size_t digits = strspn(at, "0123456789"), kept = (size_t)(at - file->text);
    memmove(at, at + digits, file->length - kept - digits + 1);
    file->length -= digits;
}

clv_status clv_canvas_write(clv_canvas *canvas, const char *path, clv_error *err)
{
    clv_status status = CLV_OK;
    CLV_TRY(check(cairo_status(canvas->cr), path, err));
    if (canvas->svg)
        cairo_surface_finish(canvas->surface);
    else
        cairo_surface_flush(canvas->surface);
    CLV_TRY(check(cairo_surface_status(canvas->surface), path, err));
    CLV_REQUIRE(!canvas->file.failed, CLV_ERR_INTERNAL, "out of memory while drawing %s", path);
    if (canvas->svg) {
        forget_number(&canvas->file);
        status = clv_file_write(path, canvas->file.text, canvas->file.length, err);
    } else {
        status = write_png(canvas, path, err);
    }
done:
    return status;
}

void clv_canvas_colour(clv_canvas *canvas, clv_colour colour)
{
    cairo_set_source_rgb(canvas->cr, colour.red, colour.green, colour.blue);
}

void clv_canvas_tint(clv_canvas *canvas, clv_colour colour, double opacity)
{
    cairo_set_source_rgba(canvas->cr, colour.red, colour.green, colour.blue, opacity);
}

/* Bytes of the valid UTF-8 character at text, or 0. */
static size_t utf8_length(const unsigned char *text)
{
    const unsigned char lead = text[0];
    if (lead < 0x80) return lead >= ' ' && lead != 0x7f ? 1 : 0;
    const size_t length = lead >= 0xf5 || lead < 0xc2 ? 0 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xc0) != 0x80) return 0;
    const bool overlong = (lead == 0xe0 && text[1] < 0xa0) || (lead == 0xf0 && text[1] < 0x90);
    const bool beyond =
        (lead == 0xed && text[1] >= 0xa0) || (lead == 0xf4 && text[1] >= 0x90); /* surrogates, > U+10FFFF */
    return overlong || beyond ? 0 : length;
}

static const char ellipsis[] = "\xe2\x80\xa6"; /* U+2026 */

/* A text too long even to measure ends in an ellipsis. */
static void copy_valid(char to[CLV_LABEL_SIZE], const char *from)
{
    size_t at = 0;
    while (*from && at + 2 * sizeof ellipsis < CLV_LABEL_SIZE) {
        const size_t length = utf8_length((const unsigned char *)from);
        if (length == 0) {
            to[at++] = '?';
            from++;
        } else {
            memcpy(to + at, from, length);
            at += length;
            from += length;
        }
    }
    memcpy(to + at, *from ? ellipsis : "", *from ? sizeof ellipsis : 1);
}

static void select_font(clv_canvas *canvas, const clv_label *label)
{
    cairo_select_font_face(canvas->cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                           label->bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(canvas->cr, label->size);
}

static double measure(clv_canvas *canvas, const clv_label *label)
{
    cairo_text_extents_t extents;
    select_font(canvas, label);
    cairo_text_extents(canvas->cr, label->text, &extents);
    return extents.x_advance;
}

/* Replaces the last character before `end` by an ellipsis; returns the new end before it. */
static size_t cut_one(char text[CLV_LABEL_SIZE], size_t end)
{
    do end--;
    while (end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80);
    memcpy(text + end, ellipsis, sizeof ellipsis);
    return end;
}

clv_label clv_label_cut(clv_canvas *canvas, const char *text, double size, bool bold, double width)
{
    clv_label label = {.size = size, .bold = bold};
    copy_valid(label.text, text ? text : "");
    label.width = measure(canvas, &label);
    for (size_t end = strlen(label.text); label.width > width && end > 0;) {
        end = cut_one(label.text, end);
        label.width = measure(canvas, &label);
    }
    return label;
}

clv_label clv_label_fit(clv_canvas *canvas, const char *text, double size, bool bold, double width)
{
    const clv_label whole = clv_label_cut(canvas, text, size, bold, INFINITY);
    if (whole.width <= width) return whole;
    const double shrink = width / whole.width;
    return clv_label_cut(canvas, text, size * (shrink > 0.75 ? 0.99 * shrink : 0.75), bold, width);
}

void clv_label_draw(clv_canvas *canvas, const clv_label *label, double x, double y, double across, bool upward)
{
    cairo_t *cr = canvas->cr;
    cairo_text_extents_t digit;
    cairo_save(cr);
    select_font(canvas, label);
    cairo_text_extents(cr, "0", &digit);
    cairo_translate(cr, x, y);
    if (upward) cairo_rotate(cr, -1.57079632679489662);
    cairo_move_to(cr, -across * label->width, digit.height / 2);
    cairo_show_text(cr, label->text);
    cairo_restore(cr);
}
