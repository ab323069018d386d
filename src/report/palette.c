/* Colours of lines, classes and values. */
#include "report/palette.h"

#include <math.h>

static clv_colour from_bytes(const unsigned char rgb[3])
{
    return (clv_colour){rgb[0] / 255.0, rgb[1] / 255.0, rgb[2] / 255.0};
}

clv_colour clv_palette_line(int series)
{
    static const clv_colour line[CLV_LINE_COLOURS] = {
        {0.000, 0.447, 0.698}, {0.835, 0.369, 0.000}, {0.000, 0.620, 0.451}, {0.800, 0.475, 0.655},
        {0.902, 0.624, 0.000}, {0.337, 0.706, 0.914}, {0.000, 0.000, 0.000}, {0.941, 0.894, 0.259}};
    return line[series % CLV_LINE_COLOURS];
}

clv_colour clv_palette_class(int group)
{
    /* Found by a search for the ten colours of lightness 30 .. 80 whose nearest two are farthest apart in the eyes of
     * everybody: by CIEDE2000 at least 22 with normal sight and 18.7 with protanopia or deuteranopia as Machado,
     * Oliveira & Fernandes 2009 simulate them. tests/test_report.c measures it. Ordered so that digits that lie side by
     * side in a latent space differ most. */
    static const unsigned char class[CLV_CLASS_COLOURS][3] = {
        {105, 0, 252}, {231, 189, 0},  {42, 105, 84},  {126, 210, 231}, {147, 21, 0},
        {84, 63, 105}, {63, 147, 252}, {189, 105, 21}, {168, 126, 147}, {231, 189, 168}};
    return from_bytes(class[group % CLV_CLASS_COLOURS]);
}

static clv_colour mix(clv_colour a, clv_colour b, double share)
{
    return (clv_colour){a.red + share * (b.red - a.red), a.green + share * (b.green - a.green),
                        a.blue + share * (b.blue - a.blue)};
}

clv_colour clv_palette_ramp(double share)
{
    static const unsigned char stop[][3] = {{52, 10, 94}, {59, 82, 139}, {33, 145, 140}, {94, 201, 98}, {212, 226, 60}};
    static const int last = (int)(sizeof stop / sizeof *stop) - 1;
    const double at = fmin(fmax(share, 0), 1) * last;
    const int from = at < last ? (int)at : last - 1;
    return mix(from_bytes(stop[from]), from_bytes(stop[from + 1]), at - from);
}

static clv_colour shade(clv_colour full, double depth)
{
    return mix((clv_colour){1, 1, 1}, full, fmin(fmax(depth, 0), 1));
}

clv_colour clv_palette_right(double depth) { return shade((clv_colour){0.02, 0.27, 0.52}, depth); }
clv_colour clv_palette_wrong(double depth) { return shade((clv_colour){0.72, 0.27, 0}, depth); }

static double linear(double channel)
{
    return channel <= 0.04045 ? channel / 12.92 : pow((channel + 0.055) / 1.055, 2.4);
}

double clv_palette_luminance(clv_colour colour)
{
    return 0.2126 * linear(colour.red) + 0.7152 * linear(colour.green) + 0.0722 * linear(colour.blue);
}

clv_colour clv_palette_ink(clv_colour ground)
{
    const double light = clv_palette_luminance(ground) + 0.05;
    return 1.05 / light > light / 0.05 ? (clv_colour){1, 1, 1} : (clv_colour){0, 0, 0};
}
