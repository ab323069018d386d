/* Principal components (Hotelling 1933): the covariance is a product on the device, its eigenvectors are LAPACK's. */
#ifndef CLAVE_ANALYSIS_PCA_H
#define CLAVE_ANALYSIS_PCA_H

#include "analysis/points.h"
#include "backend/backend.h"

typedef struct clv_pca {
    int dims, components;
    double *mean;     /* [dims] */
    double *axis;     /* [component][dims], unit vectors; the largest coordinate of each is positive */
    double *variance; /* [component], with n - 1, descending */
    double total;     /* variance of all dims */
} clv_pca;

/* `components` of them, at most dims. Points or dimensions, the fewer of the two, are at most CLV_PCA_MOST:
 * CLV_ERR_CONFIG otherwise. */
#define CLV_PCA_MOST 2048
clv_status clv_pca_fit(clv_backend *be, const clv_points *points, int components, clv_pca *pca, clv_error *err);
void clv_pca_free(clv_pca *pca);

/* The first `components` coordinates of points along the axes: out[count][components]. */
void clv_pca_project(const clv_pca *pca, const clv_points *points, int components, float *out);

#endif
