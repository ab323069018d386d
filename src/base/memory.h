/* Allocation: every allocation of the library goes through here, so that a test can make the n-th one fail. Zeroed;
 * NULL and an error record where memory ran out. */
#ifndef CLAVE_BASE_MEMORY_H
#define CLAVE_BASE_MEMORY_H

#include <stddef.h>

#include "clave/error.h"

void *clv_alloc(size_t count, size_t size, clv_error *err); /* zeroed; overflow of count * size is a failure; free() it */
/* Grows *array (of `size`-byte elements) so that it holds at least `needed`; *capacity follows. The old one stays on failure. */
clv_status clv_grow(void *array, size_t *capacity, size_t needed, size_t size, clv_error *err); /* array: address of the pointer */
char *clv_strdup(const char *text, clv_error *err);

/* Tests only: the n-th allocation from now on fails (1 is the next); 0 turns it off. */
void clv_fail_allocation(long nth);

#endif
