/* The self-test of one call; the one of a whole plan is in backend.h. */
#ifndef CLAVE_BACKEND_SELFTEST_H
#define CLAVE_BACKEND_SELFTEST_H

#include "backend/trial.h"

/* Runs the call at its real shapes on `be` and on the reference. CLV_ERR_DEVICE names call, place and both values where
 * they differ. */
clv_status clv_selftest_call(clv_backend *be, const clv_call *call, int batch, clv_error *err);

/* The same where many kernels are held against one result of the reference, which may take a second. Starts as {0};
 * release with clv_selftest_close, whether opening succeeded or not. */
typedef struct clv_selftest {
    clv_trial trial;
    clv_trial_part part; /* that the reference computes */
    float *wanted, *got; /* [results of the part]; [trial.results] */
} clv_selftest;
clv_status clv_selftest_open(const clv_call *call, int batch, clv_selftest *test, clv_error *err);
clv_status clv_selftest_run(clv_backend *be, const clv_selftest *test, clv_error *err);
void clv_selftest_close(clv_selftest *test);

#endif
