/* A canvas to draw on with cairo, written as PNG or SVG by its path's ending, and text that is measured before it is
 * drawn. Units are points, y downwards. */
#ifndef CLAVE_REPORT_CANVAS_H
#define CLAVE_REPORT_CANVAS_H

#include <cairo.h>

#include "base/text.h"
#include "clave/error.h"

typedef struct clv_canvas {
    cairo_surface_t *surface;
    cairo_t *cr;
    double width, height;
    bool svg;
    clv_text file; /* SVG: what cairo has written so far */
} clv_canvas;

/* A white canvas; the caller destroys it in place, as it must not move. CLV_ERR_CONFIG where path ends in neither .png
 * nor .svg. */
clv_status clv_canvas_create(const char *path, double width, double height, clv_canvas *canvas, clv_error *err);
clv_status clv_canvas_write(clv_canvas *canvas, const char *path, clv_error *err); /* ends the drawing */
void clv_canvas_destroy(clv_canvas *canvas);                                       /* {0} is fine */

typedef struct clv_colour {
    double red, green, blue;
} clv_colour;
void clv_canvas_colour(clv_canvas *canvas, clv_colour colour);
void clv_canvas_tint(clv_canvas *canvas, clv_colour colour, double opacity); /* 0 .. 1 */

#define CLV_LABEL_SIZE 160 /* bytes of a text on a canvas */

/* A text made fit to draw: invalid UTF-8 and control characters become '?'; where it is wider than `width`, its font
 * shrinks to 3/4 of `size` at most, then its end is cut with an ellipsis. NULL is "". */
typedef struct clv_label {
    char text[CLV_LABEL_SIZE];
    double size, width; /* of the font; of the drawn text */
    bool bold;
} clv_label;
clv_label clv_label_fit(clv_canvas *canvas, const char *text, double size, bool bold, double width);
clv_label clv_label_cut(clv_canvas *canvas, const char *text, double size, bool bold, double width); /* never shrinks */

/* Draws with the reference point at x, y: `across` 0 is the text's left end, 0.5 its middle, 1 its right end; y is the
 * middle of a digit's height. `upward`: turned to read from below. */
void clv_label_draw(clv_canvas *canvas, const clv_label *label, double x, double y, double across, bool upward);

#endif
