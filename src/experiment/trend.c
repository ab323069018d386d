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
        const bool last = i == count - 1;
        share[i] = NAN;
        if (i == 0 || count < 3) continue;
        const double trend = line(x, y, i - 1, last ? i - 2 : i + 1, x[i]);
        share[i] = y[i] / (last ? fmin(trend, y[i - 1]) : trend);
    }
}

bool clv_trend_is_cliff(double share) { return share <= CLIFF; }
