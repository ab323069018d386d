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

/* Grounds of a confusion matrix's cells, from white at 0 to the full colour at 1: where classes agree, and where not.
 */
clv_colour clv_palette_right(double depth);
clv_colour clv_palette_wrong(double depth);

/* Black or white, whichever can be read better on a ground: WCAG 2.1's contrast ratio is 4.5 or more. */
clv_colour clv_palette_ink(clv_colour ground);

/* 0 black .. 1 white as the eye weighs the channels (relative luminance of sRGB, IEC 61966-2-1). */
double clv_palette_luminance(clv_colour colour);

#endif
