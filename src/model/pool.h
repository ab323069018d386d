/* Strings that live as long as a configuration: copied in one by one, released together. A failed copy yields "" and
 * sets `failed`, so that callers check once at the end of a stage. */
#ifndef CLAVE_MODEL_POOL_H
#define CLAVE_MODEL_POOL_H

#include <stdbool.h>
#include <stddef.h>

#include "clave/error.h"

typedef struct clv_pool {
    struct clv_pool_string *last;
    bool failed;
} clv_pool; /* starts as {0} */

const char *clv_pool_copy(clv_pool *pool, const char *bytes, size_t length);
const char *clv_pool_format(clv_pool *pool, const char *format, ...) CLV_PRINTF(2, 3);
void clv_pool_free(clv_pool *pool);

#endif
