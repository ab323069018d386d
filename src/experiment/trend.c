/* Points against the trend of their neighbours: what lies far below the line through them is no noise and no slope but
 * a cliff. */
#include "experiment/trend.h"

#include <math.h>

#define CLIFF 0.7 /* share of the trend, at most */

/* The line through points a and b of logarithmic axes, at `at`. */
static double line(const double *x, const double *y, int a, int b, double at)
{
    const double slope = log(y[b] / y[a]) / log(x[b] / x[a]);
    return y[a] * exp(slope * log(at / x[a]));
}

void clv_trend_shares(const double *x, const double *y, int count, double *share)
{
    for (int i = 0; i < count; i++) {
        const bool first = i == 0, last = i == count - 1;
        const int a = first ? 1 : i - 1, b = first ? 2 : last ? i - 2 : i + 1; /* a is beside it */
        share[i] = NAN;
        if (count < 3) continue;
        const double trend = line(x, y, a, b, x[i]);
        share[i] = y[i] / (first || last ? fmin(trend, y[a]) : trend);
    }
}

bool clv_trend_is_cliff(double share) { return share <= CLIFF; }
