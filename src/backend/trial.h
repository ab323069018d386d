/* A trial: one call of a plan run alone on a backend, between guards, on values of its own. The self-test and the tests
 * of operations are made of it. Values are kept without padding, [feature][image], so that backends of any lane width
 * compare. */
#ifndef CLAVE_BACKEND_TRIAL_H
#define CLAVE_BACKEND_TRIAL_H

#include "backend/backend.h"

#define CLV_TRIAL_STATES 5 /* the spaces CLV_SPACE_PARAM .. CLV_SPACE_RATE */

typedef enum clv_trial_values {
    CLV_TRIAL_EXACT, /* sums are of small integers, exact in float whatever their order; else as CLV_TRIAL_REAL */
    CLV_TRIAL_REAL   /* real numbers of the size that training has */
} clv_trial_values;

typedef struct clv_trial {
    clv_call call; /* its operands' spaces and shapes count; each backend gets places and lanes of its own */
    int batch;
    clv_trial_values values;
    clv_step step;
    float *in[CLV_MAX_INPUTS]; /* [feature][image], or a parameter's elements */
    float *y; /* of a product with a head: what the head is of, [feature][image], by the reference in double */
    float *state[CLV_TRIAL_STATES]; /* optimisers: parameters, gradients, moments, rate factors, `trained` each */
    uint8_t *images, *labels;       /* gather, label */
    uint32_t *order;
    size_t image_count, places;
    size_t results; /* floats of the result: [feature][image], a second result behind it; record: 1; adam, sgd:
                       parameters and moments, one after another */
} clv_trial;

/* Values for a call, a function of `seed` alone; all but the last quarter of the batch are images of the step. For ops
 * that compute (clv_trial_applies). Release with clv_trial_destroy. */
clv_status clv_trial_create(const clv_call *call, int batch, clv_trial_values values, uint64_t seed, clv_trial *trial,
                            clv_error *err);
void clv_trial_destroy(clv_trial *trial);

/* Floats of an operand of the trial's call: [feature][image], or a parameter's elements; and of all its results, which
 * trial->results says once the trial is made. */
size_t clv_trial_floats(const clv_trial *trial, const clv_shape *shape);
size_t clv_trial_count(const clv_trial *trial);

/* Of trial->results, those before the second result of a call that has one. */
size_t clv_trial_first_results(const clv_trial *trial);

/* False for sources and views, which have no kernel. */
bool clv_trial_applies(clv_op op);

/* Runs the call and reads trial->results floats. The result's place is filled with NaN before. CLV_ERR_DEVICE where
 * anything outside the results changed, or where padding that must be 0 (gather, of a noisy one the images as they are;
 * label, mean_grad) is not. */
clv_status clv_trial_run(clv_backend *be, const clv_trial *trial, float *results, clv_error *err);

/* How far result i may be from `reference`, by the arithmetic that OpenCL 1.2 promises; 0 where it must agree to the
 * bit. Products of real numbers have no bound here: theirs takes the sum of magnitudes. */
double clv_trial_tolerance(const clv_trial *trial, double reference, size_t i);

/* How far two results may be apart once they are stored as half, where they are that far apart before. */
double clv_trial_stored_tolerance(double tolerance, double reference);

/* CLV_ERR_DEVICE where a result is further from its reference than the tolerance: op, shapes, place and both values. */
clv_status clv_trial_compare(const clv_trial *trial, const float *reference, const float *results, clv_error *err);

/* Of a large product (but for those with a head or dropout): as many of its images, or of a weight gradient's channels of
 * y, as the reference computes in some hundredths of a second, the first and the last among them. */
typedef struct clv_trial_part {
    clv_trial trial;
    size_t *place; /* [trial.results]: where each lies among the results of the whole. NULL: the part is the whole, and
                      there is no other trial */
} clv_trial_part;

/* Release with clv_trial_part_destroy. */
clv_status clv_trial_part_create(const clv_trial *whole, clv_trial_part *part, clv_error *err);
void clv_trial_part_destroy(clv_trial_part *part);

/* As clv_trial_compare, `reference` being of the part; of all other results, that they were written. */
clv_status clv_trial_compare_part(const clv_trial *whole, const clv_trial_part *part, const float *reference,
                                  const float *results, clv_error *err);

/* "conv [64][14][14][n] -> [128][7][7][n]" */
void clv_trial_describe(const clv_trial *trial, char *text, size_t size);

#endif
