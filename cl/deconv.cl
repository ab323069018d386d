/* Transposed convolution, the data gradient of conv: x[ic][iy][ix][n] = sum w[oc][ic][ky][kx] y[oc][oy][ox][n] over the taps
 * with oy S - P + ky = iy and ox S - P + kx = ix, then the epilogue. A gather: each result is written once, those that no tap
 * reaches as well. Results whose iy mod S and ix mod S agree have the same taps, their class.
 * deconv_direct is for GPUs, deconv_packed for CPUs; deconv_panels (deconv_direct_panels) puts large weights in the order that it reads.
 * Where there are few result channels, a conv of kernel 1 computes the product of every tap and deconv_gather adds them;
 * deconv_gather_head has the loss of what it adds up as well. */
#include "clave.clh"

#ifndef IC
#define IC 8
#define OC 16
#define IH 14
#define IW 14
#define OH 7
#define OW 7
#define K 3
#define S 2
#define P 1
#endif
#ifndef LANES /* deconv_gather: of a work-item */
#define LANES V
#endif

#define M IC
#define C OC
#define PIXELS (IH * IW)
#define SOURCE (OH * OW)
#define TAPS (((K + S - 1) / S) * ((K + S - 1) / S))
#define WM (K * K)
#define WC (IC * K * K)
#include "product.clh"
#include "direct.clh"
#include "head.clh"

/* global: { N / V, IC / OT rounded up, pixels }, in groups of lanes */
kernel void deconv_direct(global const IN0 *restrict y /* [oc][oy][ox][n] */, global const float *restrict w BIAS_PARAMETER U_PARAMETER,
                          global OUT *restrict x /* [ic][iy][ix][n] */)
{
    const uint n = (uint)GLOBAL_ID(0) * V;
    const int ic = (int)GROUP_ID(1) * OT, pixel = (int)GROUP_ID(2), iy = pixel / IW + P, ix = pixel % IW + P;
    floatv acc[OT];
    UNROLL for (int r = 0; r < OT; r++) acc[r] = (floatv)(0.0f);
    for (int ky = iy % S; ky < min(K, iy + 1); ky += S)
        for (int kx = ix % S; kx < min(K, ix + 1); kx += S) {
            const int oy = (iy - ky) / S, ox = (ix - kx) / S;
            if (oy < OH && ox < OW)
                direct_tap(acc, y + (oy * OW + ox) * N, n, w + DIRECT_WEIGHTS(ic, ky * K + kx), ic, 0, OC);
        }
    direct_store(acc BIAS_ARGUMENT U_ARGUMENT, x, ic, pixel * N + (int)n);
}

/* Puts the weights in the order in which deconv_direct reads them. */
kernel void deconv_direct_panels(global const float *restrict w /* [oc][ic][ky][kx] */, global float *restrict panels)
{
    direct_panel(w, panels, (int)GLOBAL_ID(0));
}

#if !DIRECT
/* Taps of a row (column) class r = (i + P) mod S: ky = r, r + S, .. below K; and of all classes before it. */
#define CLASS_TAPS(r) ((r) < K ? (K - (r) + S - 1) / S : 0)

static int taps_before(int r)
{
    int taps = 0;
    for (int i = 0; i < r; i++) taps += CLASS_TAPS(i);
    return taps;
}

/* Where the panels of class (ry, rx) start. */
#define PANELS_BEFORE(ry, rx) (taps_before(ry) * K + CLASS_TAPS(ry) * taps_before(rx)) * (OC * (IC / MB) * ROWS)

/* global: { N / CHUNK, IC / MB, pixels } */
kernel void deconv_packed(global const IN0 *restrict y /* [oc][oy][ox][n] */, global const float *restrict w BIAS_PARAMETER U_PARAMETER,
                          global OUT *restrict x /* [ic][iy][ix][n] */)
{
    const int n = (int)GLOBAL_ID(0) * CHUNK, m0 = (int)GLOBAL_ID(1) * MB;
    const int at = (int)GLOBAL_ID(2), iy = at / IW + P, ix = at % IW + P, ry = iy % S, rx = ix % S;
    int taps = 0, pixel[TAPS], tap[TAPS];
    for (int ky = ry; ky < min(K, iy + 1); ky += S)
        for (int kx = rx; kx < min(K, ix + 1); kx += S)
            if ((iy - ky) / S < OH && (ix - kx) / S < OW) {
                pixel[taps] = (iy - ky) / S * OW + (ix - kx) / S;
                tap[taps++] = PANEL ? ky / S * CLASS_TAPS(rx) + kx / S : ky * K + kx;
            }
#if PANEL
    const int wc = CLASS_TAPS(ry) * CLASS_TAPS(rx);
    w += PANELS_BEFORE(ry, rx);
#else
    const int wc = WC;
#endif
    packed_product(y, w BIAS_ARGUMENT U_ARGUMENT, x, taps, pixel, tap, wc, 0, OC, m0, at * N, n);
}

/* Puts the weights of channel oc in panels [class][block][tile][oc][tap][row]; global: { IC / MB, OC } */
kernel void deconv_panels(global const float *restrict w /* [oc][ic][ky][kx] */, global float *restrict panels)
{
    const int block = (int)GLOBAL_ID(0), oc = (int)GLOBAL_ID(1);
    for (int ry = 0; ry < min(S, K); ry++)
        for (int rx = 0; rx < min(S, K); rx++)
            for (int tile = 0; tile < TALLS + LOWS; tile++) {
                const int rows = TILE_HEIGHT(tile), row = TILE_ROW(tile), m = block * MB + min(row, MB - rows);
                const int taps = CLASS_TAPS(ry) * CLASS_TAPS(rx);
                global float *to = panels + PANELS_BEFORE(ry, rx) + ((block * ROWS + row) * OC + oc * rows) * taps;
                for (int ky = ry; ky < K; ky += S)
                    for (int kx = rx; kx < K; kx += S, to += rows)
                        for (int r = 0; r < rows; r++) to[r] = w[oc * WC + (m + r) * WM + ky * K + kx];
            }
}
#endif

/* Where the products of the taps that meet in pixel `pixel` of channel ic lie; returns how many. */
static int taps_that_meet(int ic, int pixel, private int *tap)
{
    const int iy = pixel / IW + P, ix = pixel % IW + P;
    int taps = 0;
    for (int ky = iy % S; ky < min(K, iy + 1); ky += S)
        for (int kx = ix % S; kx < min(K, ix + 1); kx += S)
            if ((iy - ky) / S < OH && (ix - kx) / S < OW)
                tap[taps++] = ((((ic * K + ky) * K + kx) * OH + (iy - ky) / S) * OW + (ix - kx) / S) * N;
    return taps;
}

static inline floatv sum_of_taps(global const float *products, const private int *tap, int taps)
{
    floatv sum = (floatv)(0.0f);
    for (int t = 0; t < taps; t++) sum += LOADV(products + tap[t]);
    return sum;
}

/* Adds the products of the taps that meet in a result, which a conv of kernel 1 left where y lies.
 * global: { N / LANES, pixels, IC } */
kernel void deconv_gather(global const float *restrict products /* [ic][ky][kx][oy][ox][n] */ BIAS_PARAMETER U_PARAMETER,
                          global OUT *restrict x /* [ic][iy][ix][n] */)
{
    const int n0 = (int)GLOBAL_ID(0) * LANES, pixel = (int)GLOBAL_ID(1), ic = (int)GLOBAL_ID(2);
    int tap[TAPS];
    const int taps = taps_that_meet(ic, pixel, tap);
    for (int n = n0; n < n0 + LANES; n += V) {
        const int i = (ic * PIXELS + pixel) * N + n;
        WRITE(OUT, epilogue(sum_of_taps(products + n, tap, taps) ADDEND_AT(i), BIAS_OF(ic), U_AT(i)), x + i);
    }
}

/* The head of the results, none of which is kept: their loss, part by part of an image's features, and its gradient.
 * global: { N / (NT V), PARTS } */
kernel void deconv_gather_head(global const float *restrict products /* [ic][ky][kx][oy][ox][n] */ BIAS_PARAMETER,
                               global const TARGET_TYPE *restrict t /* [ic][iy][ix][n] */,
                               global OUT *restrict d /* [ic][iy][ix][n] */, global float *restrict sum /* [part][n] */,
                               constant step_values *step)
{
    const int n = (int)GLOBAL_ID(0) * NT * V, part = (int)GLOBAL_ID(1);
    const int last = min((part + 1) * FEATURES, F);
    int tap[TAPS];
    floatv acc[NT], weight[NT];
    for (int v = 0; v < NT; v++) {
        acc[v] = (floatv)(0.0f);
        weight[v] = weight_of_images(n + v * V, step);
    }
    for (int f = part * FEATURES; f < last; f++) {
        const int ic = f / PIXELS, taps = taps_that_meet(ic, f % PIXELS, tap);
        for (int v = 0; v < NT; v++) {
            const int at = n + v * V, i = f * N + at;
            const floatv y = epilogue(sum_of_taps(products + at, tap, taps), BIAS_OF(ic), (floatv)(1.0f));
            acc[v] += loss_and_gradient(y, t + i, weight[v], d + i);
        }
    }
    for (int v = 0; v < NT; v++) STOREV(acc[v] * FACTOR, sum + part * N + n + v * V);
}
