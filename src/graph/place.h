/* Placing tensors in one buffer by their lifetimes. */
#ifndef CLAVE_GRAPH_PLACE_H
#define CLAVE_GRAPH_PLACE_H

#include <stddef.h>

#include "clave/error.h"

/* A tensor of `size` elements that lives from call `birth` to call `death`, both included. */
typedef struct clv_interval {
    size_t size;
    int birth, death;
    size_t offset; /* the answer: a multiple of the alignment */
} clv_interval;

/* Gives each interval an offset such that no two that live at the same call overlap; *total is the buffer's length. */
clv_status clv_place_intervals(clv_interval *interval, int intervals, size_t alignment, size_t *total, clv_error *err);

/* x rounded up to a multiple of unit. */
static inline size_t clv_round_up(size_t x, size_t unit) { return (x + unit - 1) / unit * unit; }

#endif
