/* Mixtures of Gaussians with full covariances, fitted to points by expectation and maximisation (Dempster, Laird &
 * Rubin 1977): what codes are drawn from where a model has no prior. One component is the normal distribution. */
#ifndef CLAVE_ANALYSIS_MIXTURE_H
#define CLAVE_ANALYSIS_MIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/philox.h"
#include "clave/error.h"

#define CLV_MAX_COMPONENTS   256
#define CLV_MAX_MIXTURE_DIMS 1024 /* a component has a covariance of dims x dims */

typedef struct clv_mixture_options {
    int components;        /* 1 .. CLV_MAX_COMPONENTS; clv_mixture_choose: at most so many; 0: 32 there, 1 in a fit */
    uint64_t seed;         /* of the starts */
    int starts;            /* k-means++ starts, of which the best fit is kept; 0: 3 */
    int iterations;        /* at most; 0: 500 */
    double tolerance;      /* converged where a step raises the objective by less, in nats a point; 0: 1e-5 */
    double regularisation; /* added to each variance; 0: a millionth of the points' mean variance */
} clv_mixture_options;

typedef struct clv_mixture {
    int components, dims;
    double *weight;        /* [components], sum 1 */
    double *mean;          /* [components][dims] */
    double *covariance;    /* [components][dims][dims] */
    double *factor;        /* [components][dims][dims]: lower triangular, factor factor' = covariance */
    double *log_peak;      /* [components]: of weight x the component's density at its mean */
    double *penalty;       /* [components]: regularisation / 2 x the trace of the inverse covariance */
    double *scratch;       /* [2][dims], of the functions below: one thread at a time */
    double objective;      /* what the iterations raise, nats a point: see mixture.c */
    double log_likelihood; /* mean over the points, nats a point */
    double bic;            /* Schwarz 1978: -2 log-likelihood + parameters x log(points); lower is better */
    int iterations;
    bool converged;
} clv_mixture;

/* points [count][dims]. CLV_ERR_DATA in one line where there are fewer points than components, where one is not finite,
 * or where there is one point or all are the same and options->regularisation is 0; CLV_ERR_CONFIG for numbers of
 * components or dimensions out of range. A dimension that is constant has the regularisation as its variance. Free with
 * clv_mixture_free. */
clv_status clv_mixture_fit(const float *points, size_t count, int dims, const clv_mixture_options *options,
                           clv_mixture *mixture, clv_error *err);
/* The fit with the least BIC of 1, 2, 3, 4, 6, 8, 12, ... components, trying on until two in a row are worse. */
clv_status clv_mixture_choose(const float *points, size_t count, int dims, const clv_mixture_options *options,
                              clv_mixture *mixture, clv_error *err);
/* The normal distribution: one component, whose regularisation is that of the points' own size: one point, or points
 * that are all the same, have a normal too. */
clv_status clv_mixture_fit_normal(const float *points, size_t count, int dims, clv_mixture *mixture, clv_error *err);
void clv_mixture_free(clv_mixture *mixture);

/* The logarithm of the density at point[dims], in nats. */
double clv_mixture_log_density(const clv_mixture *mixture, const float *point);
/* Draws point[dims]. */
void clv_mixture_draw(const clv_mixture *mixture, clv_random *random, float *point);

#endif
