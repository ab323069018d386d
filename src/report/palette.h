/* The colours of plots: those of lines, those of classes, and ramps for values. All are told apart by the colour-blind.
 */
#ifndef CLAVE_REPORT_PALETTE_H
#define CLAVE_REPORT_PALETTE_H

#include "report/canvas.h"

/* Lines, on white: Okabe & Ito 2008, those that stand out first; repeats after CLV_LINE_COLOURS. */
enum { CLV_LINE_COLOURS = 8, CLV_CLASS_COLOURS = 10 };
clv_colour clv_palette_line(int series);

/* Points of classes, also small and many; repeats after CLV_CLASS_COLOURS. */
clv_colour clv_palette_class(int group);

/* Values 0 .. 1, from dark to light: lightness rises evenly, so that it prints in grey too. */
clv_colour clv_palette_ramp(double share);

/* Shades from white towards a colour. */
clv_colour clv_palette_shade(clv_colour full, double share);

/* 0 black .. 1 white as the eye weighs the channels (relative luminance of sRGB, IEC 61966-2-1). */
double clv_palette_luminance(clv_colour colour);

#endif
