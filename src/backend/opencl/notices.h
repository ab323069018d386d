/* What the OpenCL backend has to tell the user; for callers that know no OpenCL. */
#ifndef CLAVE_OPENCL_NOTICES_H
#define CLAVE_OPENCL_NOTICES_H

#include "backend/backend.h"

/* Notices so far ("fc: CLBlast fails its self-test ..."), a line each; "" where there are none, and for other backends.
 */
const char *clv_opencl_notices(const clv_backend *be);

#endif
