/* Allocation with an error record, and a switch that makes the n-th one fail. */
#include "base/memory.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static atomic_long countdown; /* allocations until one fails; 0 or less: off */

void clv_fail_allocation(long nth) { atomic_store(&countdown, nth); }

static bool made_to_fail(void) { return atomic_load(&countdown) > 0 && atomic_fetch_sub(&countdown, 1) == 1; }

static clv_status out_of_memory(clv_error *err, size_t count, size_t size)
{
    return clv_fail(err, CLV_ERR_INTERNAL, "out of memory: cannot allocate %zu x %zu bytes", count, size);
}

void *clv_alloc(size_t count, size_t size, clv_error *err)
{
    const bool fits = size == 0 || count <= PTRDIFF_MAX / size;
    const bool empty = count == 0 || size == 0; /* calloc of nothing may give NULL, which would look like a failure */
    void *memory = NULL;
    if (fits && !made_to_fail()) memory = empty ? calloc(1, 1) : calloc(count, size);
    if (!memory) out_of_memory(err, count, size);
    return memory;
}

clv_status clv_grow(void *array, size_t *capacity, size_t needed, size_t size, clv_error *err)
{
    assert(size > 0);
    if (needed <= *capacity) return CLV_OK;
    size_t larger = *capacity < 8 ? 8 : *capacity + *capacity / 2;
    if (larger < needed) larger = needed;
    if (needed > PTRDIFF_MAX / size) return out_of_memory(err, needed, size);
    if (larger > PTRDIFF_MAX / size) larger = needed;

    void *old;
    memcpy(&old, array,
           sizeof old); /* `array` is a T ** for some T: read as bytes, so that no aliasing rule is broken */
    char *grown = made_to_fail() ? NULL : realloc(old, larger * size);
    if (!grown) return out_of_memory(err, larger, size);
    memset(grown + *capacity * size, 0, (larger - *capacity) * size);
    memcpy(array, &grown, sizeof grown);
    *capacity = larger;
    return CLV_OK;
}

char *clv_strdup(const char *text, clv_error *err)
{
    const size_t size = strlen(text) + 1;
    char *copy = clv_alloc(size, 1, err);
    if (copy) memcpy(copy, text, size);
    return copy;
}
