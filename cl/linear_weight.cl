/* The weight gradient of a linear layer for CPUs: w[oc][ic] = sum over n of y[oc][n] x[ic][n]. What is summed over lies side by side
 * in both; x is turned, so that channels of x lie so, and the rest is the packed product of a conv whose weights are y, whose lanes
 * are the channels of x and whose sum is over the batch. (conv_weight_packed adds lanes at the end of each sum: for a long one.) */
#include "clave.clh"

#ifndef N /* lanes of the product: channels of x */
#define N 64
#endif
#ifndef IC /* summed: the batch */
#define IC 16
#define OC 16
#endif
#ifndef SUM_OF
#define SUM_OF 0 /* 1 the channels of x, 2 those of y are summed as well: a bias gradient */
#endif
#define TRANSPOSED 1
#define PACK 1
#define M OC
#define C IC
#define PIXELS 1
#define SOURCE 1
#define TAPS 1
#define WM IC
#define WC 1
#include "product.clh"

#if !DIRECT
#if SUM_OF == 1
#define OF_TYPE IN0
#else
#define OF_TYPE IN1
#endif
#if SUM_OF
/* b[c] = the sum of row c of `of`, rows first .. first + count - 1. */
static void sum_rows(global const OF_TYPE *restrict of /* [c][batch] */, global float *restrict b, int first, int count)
{
    for (int c = first; c < first + count; c++) {
        floatv sum = (floatv)(0.0f);
        for (int i = 0; i < IC; i += V) sum += READ(OF_TYPE, of + c * IC + i);
        b[c] = lane_sum(sum);
    }
}
#endif

/* global: { N / CHUNK, OC / MB } */
kernel void linear_weight_packed(global const IN0 *restrict x /* [ic][batch] */, global const float *restrict y /* [oc][batch] */
#if SUM_OF
                                 , global const OF_TYPE *restrict of /* x or y */
#endif
                                 , global float *restrict w /* [oc][ic] */
#if SUM_OF
                                 , global float *restrict b /* [channel] */
#endif
)
{
    const int n = (int)GLOBAL_ID(0) * CHUNK, m0 = (int)GLOBAL_ID(1) * MB, pixel[1] = {0}, tap[1] = {0};
    packed_product(x, y, w, 1, pixel, tap, WC, 0, IC, m0, 0, n);
#if SUM_OF == 1
    if (m0 == 0) sum_rows(of, b, n, CHUNK);
#elif SUM_OF == 2
    if (n == 0) sum_rows(of, b, m0, MB);
#endif
}
#endif
