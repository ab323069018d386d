/* Chains: launches of a CPU that follow each other lane by lane (chain.c). */
#ifndef CLAVE_OPENCL_CHAIN_H
#define CLAVE_OPENCL_CHAIN_H

#include "backend/opencl/access.h"

/* Sets item[].chain: the number of its chain, from 1 on; 0: it is in none. wait: clv_waits_find's. */
clv_status clv_chains_find(const clv_device_info *device, const clv_launch_work *work, clv_launch_item *item, int items,
                           const clv_wait *wait, clv_error *err);

/* The same of a plan in blocks, where all that is by image is a link. */
void clv_chains_of_blocks(clv_launch_item *item, int items);

#endif
