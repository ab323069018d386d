/* The key of a colour scale: upright strips whose colours run from that of 0 at the bottom to that of 1 at the top. */
#ifndef CLAVE_REPORT_KEY_H
#define CLAVE_REPORT_KEY_H

#include "report/canvas.h"
#include "report/frame.h"

void clv_key_draw(clv_canvas *canvas, clv_box strip, clv_colour (*colour_of)(double share));

#endif
