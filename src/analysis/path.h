/* Ways from one point to another. */
#ifndef CLAVE_ANALYSIS_PATH_H
#define CLAVE_ANALYSIS_PATH_H

#include <stdbool.h>

/* point[dims] at share t in 0 .. 1 of the straight way from a[dims] to b[dims]. */
void clv_linear_point(const float *a, const float *b, int dims, double t, float *point);

/* The same on the arc about the origin: a sin((1 - t) w) / sin w + b sin(t w) / sin w, w the angle between a and b
 * (Shoemake 1985, "Animating rotation with quaternion curves", section 3.3). The length goes over from |a| to |b|.
 * Where there is no one arc, with a point at the origin or the two in one line with it, the straight way is taken, and
 * the result is false. */
bool clv_spherical_point(const float *a, const float *b, int dims, double t, float *point);

/* The angle between a and b seen from the origin, in radians, 0 .. pi; NaN where one lies there. */
double clv_angle(const float *a, const float *b, int dims);

#endif
