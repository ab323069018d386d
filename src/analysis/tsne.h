/* t-SNE (van der Maaten & Hinton 2008), exact, on the device: points of any size as points of the plane. */
#ifndef CLAVE_ANALYSIS_TSNE_H
#define CLAVE_ANALYSIS_TSNE_H

#include "analysis/points.h"
#include "backend/backend.h"
#include "base/log.h"

typedef struct clv_tsne_options {
    double perplexity; /* 1 <= perplexity <= (points - 1) / 3 */
    int iterations;    /* at least 1; the first 250 with the affinities times 12 */
    uint64_t seed;     /* of the start of a second axis where the points have but one */
    clv_log *log;      /* progress; may be NULL */
} clv_tsne_options;

/* The largest perplexity that `points` of them bear; under 1 for fewer than 4. */
double clv_tsne_most_perplexity(int points);

/* What clv_tsne asks of points and options: CLV_ERR_CONFIG where the points are too few or all the same, or the perplexity
 * is out of their range. */
clv_status clv_tsne_check(const clv_points *points, const clv_tsne_options *options, clv_error *err);

/* map[count][2], started from the first two principal components; *divergence, in nats, is KL(P || Q) of the map.
 * Deterministic. Refuses what clv_tsne_check does. */
clv_status clv_tsne(clv_backend *be, const clv_points *points, const clv_tsne_options *options, float *map,
                    double *divergence, clv_error *err);

#endif
