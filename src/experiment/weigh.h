/* Importance weights: samples of each image's code, decoded and weighed (Burda et al. 2016). The encoder runs once an
 * image, the decoder once a sample. */
#ifndef CLAVE_EXPERIMENT_WEIGH_H
#define CLAVE_EXPERIMENT_WEIGH_H

#include "clave/experiment.h"
#include "experiment/session.h"

typedef struct clv_weighing {
    int dataset;
    uint32_t first, count; /* places */
    uint64_t seed;
    const int *samples; /* [bounds], rising: bounds of the first so many samples of each image */
    int bounds;
    const char *label; /* of the progress line; NULL: none */

    /* results; `loss` may be NULL */
    double *bound; /* [bounds]: mean over images of log(mean over samples of the weight), nats */
    double *loss;  /* [count]: mean over an image's samples of its reconstruction loss */
} clv_weighing;

/* Needs phases ENCODE and WEIGH on the data set; reads images in the order that the session has. */
clv_status clv_weigh(clv_session *session, const clv_weighing *weighing, clv_error *err);

/* CLV_ERR_CONFIG where these are no numbers of samples of clv_evaluate. */
clv_status clv_bounds_check(const int *samples, int bounds, clv_error *err);

/* The bound of each of samples[bounds] on a split, added to the measures as "iwae_K". */
clv_status clv_measure_bounds(clv_session *session, const char *split, const int *samples, int bounds,
                              clv_measures *measures, clv_error *err);

#endif
