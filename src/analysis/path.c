/* Ways from one point to another. */
#include "analysis/path.h"

#include <math.h>

#define LEAST_SINE 1e-4 /* below, an arc is straight (or has no plane), and codes in float say no more */

void clv_linear_point(const float *a, const float *b, int dims, double t, float *point)
{
    for (int i = 0; i < dims; i++) point[i] = (float)((1 - t) * (double)a[i] + t * (double)b[i]);
}

static double length(const float *a, int dims)
{
    double sum = 0;
    for (int i = 0; i < dims; i++) sum += (double)a[i] * (double)a[i];
    return sqrt(sum);
}

/* By the half angle's tangent (Kahan), which keeps its digits near 0 and pi. */
double clv_angle(const float *a, const float *b, int dims)
{
    const double la = length(a, dims), lb = length(b, dims);
    double apart = 0, along = 0;
    if (!(la > 0 && lb > 0)) return NAN;
    for (int i = 0; i < dims; i++) {
        const double u = (double)a[i] / la, v = (double)b[i] / lb;
        apart += (u - v) * (u - v);
        along += (u + v) * (u + v);
    }
    return 2 * atan2(sqrt(apart), sqrt(along));
}

bool clv_spherical_point(const float *a, const float *b, int dims, double t, float *point)
{
    const double angle = clv_angle(a, b, dims), sine = sin(angle);
    if (!(sine > LEAST_SINE)) {
        clv_linear_point(a, b, dims, t, point);
        return false;
    }
    const double from = sin((1 - t) * angle) / sine, to = sin(t * angle) / sine;
    for (int i = 0; i < dims; i++) point[i] = (float)(from * (double)a[i] + to * (double)b[i]);
    return true;
}
