/* Transposed convolution, the data gradient of conv: x[ic][iy][ix][n] = sum w[oc][ic][ky][kx] y[oc][oy][ox][n] over the taps
 * with oy S - P + ky = iy and ox S - P + kx = ix, then the epilogue. A gather: each result is written once, those that no tap
 * reaches as well. Results whose iy mod S and ix mod S agree have the same taps, their class.
 * deconv_direct is for GPUs, deconv_packed for CPUs; deconv_panels (deconv_direct_panels) puts large weights in the order that it reads.
 * Where there are few result channels, deconv_blocks has the results of S x S neighbours in one register tile, or a conv of kernel 1
 * computes the product of every tap and deconv_gather adds them; deconv_blocks_head and deconv_gather_head
 * have the loss of what they add up as well. */
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
                          global OUT *restrict x /* [ic][iy][ix][n] */ DROPOUT_PARAMETER)
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
    direct_store(acc BIAS_ARGUMENT U_ARGUMENT, x, ic, pixel * N + (int)n DROPOUT_ARGUMENT);
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
                          global OUT *restrict x /* [ic][iy][ix][n] */ DROPOUT_PARAMETER)
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
    packed_product(y, w BIAS_ARGUMENT U_ARGUMENT, x, taps, pixel, tap, wc, 0, OC, m0, at * N, n DROPOUT_ARGUMENT);
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

#if !DIRECT
/* A block is S x S results, of every class one: those with iy + P = S qy + ry and ix + P = S qx + rx, 0 <= ry, rx < S. All that they
 * read are pixels qy - ty, qx - tx of y with 0 <= ty, tx < REACH, each for up to S x S taps. */
#define REACH ((K + S - 1) / S)
#define FIRST_BLOCK (P / S)

#define BLOCK_SUMS (IC * S * S)
#define SUM_AT(ic, ry, rx) (((ic) * S + (ry)) * S + (rx))

/* The sums of block (qy, qx), for lanes that y begins with. */
static void sum_block(global const IN0 *restrict y, global const float *restrict w, int qy, int qx, private floatv (*acc)[NT])
{
    UNROLL for (int i = 0; i < BLOCK_SUMS; i++) UNROLL for (int v = 0; v < NT; v++) acc[i][v] = (floatv)(0.0f);
    UNROLL for (int ty = 0; ty < REACH; ty++)
        UNROLL for (int tx = 0; tx < REACH; tx++) {
            const int oy = qy - ty, ox = qx - tx;
            if (oy < 0 || oy >= OH || ox < 0 || ox >= OW) continue;
            for (int oc = 0; oc < OC; oc++) {
                floatv s[NT];
                UNROLL for (int v = 0; v < NT; v++) s[v] = READ(IN0, y + ((oc * OH + oy) * OW + ox) * N + v * V);
                UNROLL for (int ic = 0; ic < IC; ic++)
                    UNROLL for (int ry = 0; ry < S; ry++)
                        UNROLL for (int rx = 0; rx < S; rx++) {
                            const int ky = ry + ty * S, kx = rx + tx * S;
                            if (ky >= K || kx >= K) continue;
                            const floatv a = (floatv)(w[oc * WC + ic * WM + ky * K + kx]);
                            UNROLL for (int v = 0; v < NT; v++)
                                acc[SUM_AT(ic, ry, rx)][v] = MULTIPLY_ADD(a, s[v], acc[SUM_AT(ic, ry, rx)][v]);
                        }
            }
        }
}

/* The loop over a block's results that lie in the image: `body` finds ic, acc[i] and where the pixel is, [ic][iy][ix], `at`. */
#define FOR_BLOCK(qy, qx, body)                                                                                        \
    UNROLL for (int ic = 0; ic < IC; ic++)                                                                             \
        UNROLL for (int ry = 0; ry < S; ry++)                                                                          \
            UNROLL for (int rx = 0; rx < S; rx++) {                                                                    \
                const int iy = (qy) * S + ry - P, ix = (qx) * S + rx - P, i = SUM_AT(ic, ry, rx);                      \
                const int at = ((ic * IH + iy) * IW + ix) * N;                                                         \
                if (iy >= 0 && iy < IH && ix >= 0 && ix < IW) body                                                     \
            }

/* global: { N / CHUNK, blocks of a row, of a column } */
kernel void deconv_blocks(global const IN0 *restrict y /* [oc][oy][ox][n] */, global const float *restrict w BIAS_PARAMETER U_PARAMETER,
                          global OUT *restrict x /* [ic][iy][ix][n] */ DROPOUT_PARAMETER)
{
    const int qx = (int)GLOBAL_ID(1) + FIRST_BLOCK, qy = (int)GLOBAL_ID(2) + FIRST_BLOCK;
    const int end = ((int)GLOBAL_ID(0) + 1) * CHUNK;
    for (int n = (int)GLOBAL_ID(0) * CHUNK; n < end; n += NT * V) {
        floatv acc[BLOCK_SUMS][NT];
        sum_block(y + n, w, qy, qx, acc);
        FOR_BLOCK(qy, qx, {
            UNROLL for (int v = 0; v < NT; v++) {
                const int j = at + n + v * V;
                WRITE(OUT, DROP_CHANNEL(epilogue(acc[i][v] ADDEND_AT(j), BIAS_OF(ic), U_AT(j)), ic, n + v * V), x + j);
            }
        })
    }
}

/* The head of the results, none of which is kept; a part is a row of blocks. global: { N / (NT V), PARTS } */
kernel void deconv_blocks_head(global const IN0 *restrict y /* [oc][oy][ox][n] */, global const float *restrict w BIAS_PARAMETER,
                               global const TARGET_TYPE *restrict t /* [ic][iy][ix][n] */,
                               global OUT *restrict d /* [ic][iy][ix][n] */, global float *restrict sum /* [part][n] */,
                               constant step_values *step)
{
    const int n = (int)GLOBAL_ID(0) * NT * V, part = (int)GLOBAL_ID(1), last_column = (IW - 1 + P) / S;
    floatv loss[NT], weight[NT];
    UNROLL for (int v = 0; v < NT; v++) {
        loss[v] = (floatv)(0.0f);
        weight[v] = weight_of_images(n + v * V, step);
    }
    for (int qx = FIRST_BLOCK; qx <= last_column; qx++) {
        floatv acc[BLOCK_SUMS][NT];
        sum_block(y + n, w, part + FIRST_BLOCK, qx, acc);
        FOR_BLOCK(part + FIRST_BLOCK, qx, {
            UNROLL for (int v = 0; v < NT; v++) {
                const int j = at + n + v * V;
                loss[v] += loss_and_gradient(epilogue(acc[i][v], BIAS_OF(ic), (floatv)(1.0f)), t + j, weight[v], d + j);
            }
        })
    }
    UNROLL for (int v = 0; v < NT; v++) STOREV(loss[v] * FACTOR, sum + part * N + n + v * V);
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
                          global OUT *restrict x /* [ic][iy][ix][n] */ DROPOUT_PARAMETER)
{
    const int n0 = (int)GLOBAL_ID(0) * LANES, pixel = (int)GLOBAL_ID(1), ic = (int)GLOBAL_ID(2);
    int tap[TAPS];
    const int taps = taps_that_meet(ic, pixel, tap);
    for (int n = n0; n < n0 + LANES; n += V) {
        const int i = (ic * PIXELS + pixel) * N + n;
        WRITE(OUT, DROP_CHANNEL(epilogue(sum_of_taps(products + n, tap, taps) ADDEND_AT(i), BIAS_OF(ic), U_AT(i)), ic, n), x + i);
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
