/* Squared distances between all pairs of points, made on the device and read by rows. */
#ifndef CLAVE_ANALYSIS_DISTANCES_H
#define CLAVE_ANALYSIS_DISTANCES_H

#include "analysis/runner.h"

#define CLV_DISTANCE_ROWS 64 /* of a block */

typedef struct clv_distances {
    clv_runner runner;
    clv_node node;
    int points, stride;
    float *block; /* [CLV_DISTANCE_ROWS][stride] */
} clv_distances;

clv_status clv_distances_open(clv_backend *be, const clv_points *points, clv_distances *d, clv_error *err);
void clv_distances_close(clv_distances *d); /* {0} is fine */

/* Reads rows first .. first + CLV_DISTANCE_ROWS - 1 (fewer at the end) into d->block; *rows says how many. */
clv_status clv_distances_read(clv_distances *d, int first, int *rows, clv_error *err);

#endif
