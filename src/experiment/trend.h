/* Points against the trend of their neighbours. */
#ifndef CLAVE_EXPERIMENT_TREND_H
#define CLAVE_EXPERIMENT_TREND_H

#include <stdbool.h>

/* share[i] = y[i] over what the line through its neighbours on logarithmic axes says at x[i]: those on both sides, at
 * the last the two before it, but no more than the nearer one is, so that a low second neighbour does not raise the
 * line. x rises, x and y are positive. NaN at the first, where what a step costs whatever its size weighs most, so that
 * every curve bends down; and where there are fewer than three points. */
void clv_trend_shares(const double *x, const double *y, int count, double *share);

/* A point 30 % or more under the trend. False of NaN. */
bool clv_trend_is_cliff(double share);

#endif
