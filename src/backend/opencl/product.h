/* A product as its kernels see it, and the sums that its tilings are made of. */
#ifndef CLAVE_OPENCL_PRODUCT_H
#define CLAVE_OPENCL_PRODUCT_H

#include "backend/opencl/tiling.h"

#define CLV_WHOLE(a, b) (((a) + (b)-1) / (b))

/* The small side [oc][oh][ow], the big side [ic][ih][iw]. */
typedef struct clv_product {
    int ic, oc, ih, iw, oh, ow, k, s, p;
    int n, v;   /* lanes; floats of a vector, the tiling's */
    int wm, wc; /* conv.cl: strides of the weights */
} clv_product;

/* The product of a call in a tiling's vectors; a linear layer's deconv is a conv of the transposed weights, its
 * conv_weight in the transposed form the conv [oc][1][1][n = channels of x] of the transposed x by y, summed over ic =
 * the lanes of the batch. */
clv_product clv_product_of(const clv_call *call, const clv_tiling *tiling);

/* Images and kernel of one pixel: a matrix product. */
bool clv_product_is_linear(const clv_call *call);

/* The product of every tap with every result channel that a gathered deconv begins with: a conv of kernel 1. */
clv_product clv_product_of_taps(const clv_product *deconv);

/* What a kernel computes of conv or deconv: `channels` are summed, over `taps` taps each at most, into `results`
 * channels. */
typedef struct clv_packed {
    int results, channels, taps, pixels;
} clv_packed;
clv_packed clv_packed_of(const clv_call *call, const clv_tiling *tiling);

/* Whether kernels can count what such a tile of conv_weight_direct spans, in bytes of 32 bits. */
bool clv_product_counts_bytes(int channels, int pixels, int lanes);
/* Of local memory that a group of conv_weight_direct takes. */
uint64_t clv_weight_local_bytes(const clv_tiling *tiling);

/* How a block of result channels is made of tall and low register tiles: the fewest computed rows. */
typedef struct clv_block {
    int talls, lows, rows; /* rows: computed, those that are computed twice counted twice */
} clv_block;
clv_block clv_block_of(const clv_tiling *tiling);

static inline int clv_least(int a, int b) { return a < b ? a : b; }
static inline int clv_most(int a, int b) { return a > b ? a : b; }

/* The largest divisor of n that is at most `limit`. */
static inline int clv_divisor(int n, int limit)
{
    int d = clv_most(1, clv_least(n, limit));
    while (n % d != 0) d--;
    return d;
}

#endif
