/* Kernels are compiled once for a shape of network, by whichever process comes to it first; see kernels.c. */
#ifndef CLAVE_SEARCH_KERNELS_H
#define CLAVE_SEARCH_KERNELS_H

#include "clave/config.h"
#include "search/study.h"

/* Whether the caller is the first with this network's shape: it trains an epoch, calls clv_kernels_end, and goes on.
 * Others wait here until then, or until the first one's process ends; CLV_INTERRUPTED where *stop is set meanwhile. */
clv_status clv_kernels_first(clv_study *study, const clv_config *config, const volatile int *stop, bool *first,
                             clv_error *err);
/* done: they are in the cache now, where other processes find them. */
void clv_kernels_end(clv_study *study, const clv_config *config, bool done);

#endif
