/* Placement by lifetimes: the largest first, each at the lowest offset that is free while it lives ("greedy by size" of
 * Pisarchyk & Lee 2020, "Efficient memory management for deep neural net inference"; on networks within a few percent
 * of the optimum). */
#include "graph/place.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/memory.h"

/* Larger ones first; equal ones in their order in the array, so that a plan is the same on every C library. */
static int by_size(const void *a, const void *b)
{
    const clv_interval *p = *(clv_interval *const *)a, *q = *(clv_interval *const *)b;
    if (p->size != q->size) return p->size > q->size ? -1 : 1;
    return p < q ? -1 : p > q;
}

static bool meet(const clv_interval *a, const clv_interval *b) { return a->birth <= b->death && b->birth <= a->death; }

/* `placed` is sorted by offset; the lowest gap between those that meet `item`. */
static size_t lowest_gap(clv_interval *const *placed, int count, const clv_interval *item, size_t alignment)
{
    size_t offset = 0;
    for (int i = 0; i < count; i++) {
        if (!meet(placed[i], item)) continue;
        if (offset + item->size <= placed[i]->offset) break;
        const size_t end = clv_round_up(placed[i]->offset + placed[i]->size, alignment);
        if (end > offset) offset = end;
    }
    return offset;
}

static void insert_by_offset(clv_interval **placed, int count, clv_interval *item)
{
    int at = count;
    for (; at > 0 && placed[at - 1]->offset > item->offset; at--) placed[at] = placed[at - 1];
    placed[at] = item;
}

clv_status clv_place_intervals(clv_interval *interval, int intervals, size_t alignment, size_t *total, clv_error *err)
{
    clv_interval **order = clv_alloc((size_t)intervals * 2, sizeof *order, err);
    if (!order) return CLV_ERR_INTERNAL;
    clv_interval **placed = order + intervals;
    for (int i = 0; i < intervals; i++) order[i] = &interval[i];
    qsort(order, (size_t)intervals, sizeof *order, by_size);

    size_t length = 0;
    for (int i = 0; i < intervals; i++) {
        clv_interval *item = order[i];
        item->offset = lowest_gap(placed, i, item, alignment);
        insert_by_offset(placed, i, item);
        const size_t end = clv_round_up(item->offset + item->size, alignment);
        if (end > length) length = end;
    }
    *total = length;
    free(order);
    return CLV_OK;
}
