/* The two macros of error handling. A function that uses them has a `clv_status status`, a `clv_error *err` in scope
 * and one way out, the label `done`. */
#ifndef CLAVE_BASE_TRY_H
#define CLAVE_BASE_TRY_H

#include "clave/error.h"

#define CLV_TRY(call)                              \
    do {                                           \
        if ((status = (call)) != CLV_OK) goto done; \
    } while (0)

#define CLV_REQUIRE(condition, failure, ...)              \
    do {                                                  \
        if (!(condition)) {                               \
            status = clv_fail(err, (failure), __VA_ARGS__); \
            goto done;                                    \
        }                                                 \
    } while (0)

#endif
