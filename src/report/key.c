/* Keys as gradients: one fill, so that no seams show between steps. */
#include "report/key.h"

void clv_key_draw(clv_canvas *canvas, clv_box strip, clv_colour (*colour_of)(double share))
{
    enum { STOPS = 32 };
    cairo_pattern_t *gradient = cairo_pattern_create_linear(0, strip.bottom, 0, strip.top);
    for (int i = 0; i <= STOPS; i++) {
        const clv_colour colour = colour_of((double)i / STOPS);
        cairo_pattern_add_color_stop_rgb(gradient, (double)i / STOPS, colour.red, colour.green, colour.blue);
    }
    cairo_set_source(canvas->cr, gradient);
    cairo_pattern_destroy(gradient);
    cairo_rectangle(canvas->cr, strip.left, strip.top, strip.right - strip.left, strip.bottom - strip.top);
    cairo_fill(canvas->cr);
}
