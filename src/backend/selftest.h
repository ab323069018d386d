/* The self-test of one call; the one of a whole plan is in backend.h. */
#ifndef CLAVE_BACKEND_SELFTEST_H
#define CLAVE_BACKEND_SELFTEST_H

#include "backend/backend.h"

/* Runs the call at its real shapes on `be` and on the reference. CLV_ERR_DEVICE names call, place and both values where
 * they differ. */
clv_status clv_selftest_call(clv_backend *be, const clv_call *call, int batch, clv_error *err);

#endif
