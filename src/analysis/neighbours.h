/* Neighbours: what can be said of a space by who lies next to whom. */
#ifndef CLAVE_ANALYSIS_NEIGHBOURS_H
#define CLAVE_ANALYSIS_NEIGHBOURS_H

#include "analysis/distances.h"

/* The k nearest of each point, itself left out, nearest first; of equal ones the first. */
typedef struct clv_neighbours {
    int points, k;
    int *index;     /* [point][k] */
    float *nearest; /* [point]: distance to the first */
} clv_neighbours;

/* 1 <= k < points. */
clv_status clv_neighbours_find(clv_distances *space, int k, clv_neighbours *out, clv_error *err);
void clv_neighbours_free(clv_neighbours *n);

/* Share of the points whose label most of their k nearest have (leave one out); of labels as frequent the one whose
 * member is nearer counts. */
double clv_knn_accuracy(const clv_neighbours *n, const int *label);

/* Trustworthiness of a map of k neighbours each (Venna & Kaski 2001, equation 1): 1 where every neighbour in the map is
 * among the k nearest in the space. Needs 2 k < points. */
clv_status clv_trustworthiness(clv_distances *space, const clv_neighbours *map, double *result, clv_error *err);

/* Gaps: the share of samples that lie farther from every point than all but 1 % of the points lie from their nearest
 * other. About 1 % where samples and points are of one distribution. */
#define CLV_GAP_QUANTILE 0.99
typedef struct clv_gaps {
    double share, threshold;
    double ratio; /* median distance of a sample to the nearest point by that of a point to its nearest other; NaN where
                     that is 0 */
} clv_gaps;
clv_status clv_find_gaps(const clv_points *points, const clv_neighbours *n, const clv_points *samples, clv_gaps *gaps,
                         clv_error *err);

#endif
