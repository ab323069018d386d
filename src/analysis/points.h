/* What all of this folder works on: points, one a row. */
#ifndef CLAVE_ANALYSIS_POINTS_H
#define CLAVE_ANALYSIS_POINTS_H

#include "clave/error.h"

typedef struct clv_points {
    int count, dims;
    const float *at; /* [count][dims] */
} clv_points;

/* CLV_ERR_DATA where a coordinate is not finite: `what` is the subject of the message ("codes"). */
clv_status clv_points_check(const clv_points *points, const char *what, clv_error *err);

#endif
