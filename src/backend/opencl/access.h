/* What launches read and write, and so which must wait for which (access.c). */
#ifndef CLAVE_OPENCL_ACCESS_H
#define CLAVE_OPENCL_ACCESS_H

#include "backend/opencl/schedule.h"

typedef enum clv_wait {
    CLV_WAIT_NONE,
    CLV_WAIT_LANES, /* they meet in batched tensors alone, row on row: each lane waits for itself */
    CLV_WAIT_ALL
} clv_wait;

/* wait[i * items + k], k < i: how item i waits for item k. blocks: of a plan in blocks, in each of which what is by
 * image has memory of its own. To be freed; NULL where memory ran out. */
clv_wait *clv_waits_find(const clv_launch_work *work, const clv_launch_item *item, int items, bool blocks,
                         clv_error *err);

#endif
