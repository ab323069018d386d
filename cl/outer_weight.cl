/* The weight gradient of conv for CPUs as a sum of outer products: w[oc][ic][ky][kx] = sum over oy, ox, n of y[oc][oy][ox][n]
 * x[ic][oy S - P + ky][ox S - P + kx][n]. A pixel of y is turned so that its channels are the lanes of vectors, and each number of
 * x multiplies one: a register tile of IT channels of x by NT vectors of y. conv_weight_packed, which sums along the lanes of the
 * batch, reads vectors of both, but has to add lanes at the end of each run; it serves y of few channels. */
#include "weight.clh"

#ifndef NT
#define NT 1 /* register tile: vectors of channels of y, */
#endif
#ifndef IT
#define IT 8 /* and channels of x */
#endif
#ifndef OB
#define OB (NT * V) /* block of a work-item: channels of y, whole tiles of them, */
#endif
#ifndef IB
#define IB IC /* and channels of x, IT at least */
#endif
#ifndef NC
#define NC N /* lanes of the batch taken at a time */
#endif
#define BV (OB / V)
#define TILES ((IB + IT - 1) / IT)
#define TILE_CHANNEL(tile) min(ic + (tile) * IT, IC - IT) /* its first: the last tile begins within the one before, which may be another block's */

/* Some channels of a pixel of y as [n][channel]; what lies behind them repeats the last. */
static void turn_pixel(global const IN1 *restrict y /* [oc][oy][ox][n] */, int channels, private floatv *turned)
{
    for (int o = 0; o < BV; o++)
        for (int n = 0; n < NC; n += V) {
            floatv square[V];
            UNROLL for (int r = 0; r < V; r++) square[r] = READ(IN1, y + min(o * V + r, channels - 1) * (OH * OW * N) + n);
            turn_square(square);
            UNROLL for (int r = 0; r < V; r++) turned[(n + r) * BV + o] = square[r];
        }
}

/* sums += x at a tap, outer y at a pixel. */
static void add_tile(global const float *restrict x /* [ic][iy][ix][n] */, const private floatv *restrict turned, private floatv *restrict sums)
{
    floatv acc[IT * NT];
    UNROLL for (int i = 0; i < IT * NT; i++) acc[i] = sums[i];
    for (int n = 0; n < NC; n++) {
        floatv y[NT];
        UNROLL for (int t = 0; t < NT; t++) y[t] = turned[n * BV + t];
        UNROLL for (int j = 0; j < IT; j++) {
            const floatv s = (floatv)(x[j * (IH * IW * N) + n]);
            UNROLL for (int t = 0; t < NT; t++) acc[j * NT + t] = MULTIPLY_ADD(s, y[t], acc[j * NT + t]);
        }
    }
    UNROLL for (int i = 0; i < IT * NT; i++) sums[i] = acc[i];
}

/* A block of weights: IB channels of x by OB of y, all taps. Parts lie in w, each with its sums of channels behind its weights.
 * global: { IC / IB, OC / OB, PARTS }, rounded up */
kernel void conv_weight_outer(global const float *restrict x /* [ic][iy][ix][n] */, global const IN1 *restrict y /* [oc][oy][ox][n] */
#if SUM_OF
                              , global const OF_TYPE *restrict of /* x or y */
#endif
                              , global float *restrict w /* [part][oc][ic][ky][kx] */
#if SUM_OF && PARTS == 1
                              , global float *restrict b /* [channel] */
#endif
)
{
    const int ic = (int)GLOBAL_ID(0) * IB, oc = (int)GLOBAL_ID(1) * OB, part = (int)GLOBAL_ID(2);
    const int channels = min(OB, OC - oc), end = min(ic + IB, IC), tiles = (end - ic + IT - 1) / IT;
    floatv turned[NC * BV], sums[BV / NT * K * K * TILES * IT * NT]; /* [y tile][ky][kx][x tile][column][vector] */
    for (int i = 0; i < BV / NT * K * K * TILES * IT * NT; i++) sums[i] = (floatv)(0.0f);
    for (int oy = part * OH / PARTS; oy < (part + 1) * OH / PARTS; oy++)
        for (int ox = 0; ox < OW; ox++)
            for (int n = 0; n < N; n += NC) {
                turn_pixel(y + ((oc * OH + oy) * OW + ox) * N + n, channels, turned);
                const int iy = oy * S - P, ix = ox * S - P;
                for (int ky = max(0, -iy); ky < min(K, IH - iy); ky++)
                    for (int kx = max(0, -ix); kx < min(K, IW - ix); kx++)
                        for (int tile = 0; tile < tiles; tile++)
                            for (int o = 0; o < BV / NT; o++)
                                add_tile(x + ((TILE_CHANNEL(tile) * IH + iy + ky) * IW + ix + kx) * N + n, turned + o * NT,
                                         sums + (((o * K + ky) * K + kx) * TILES + tile) * (IT * NT));
            }
    w += part * (WEIGHTS + BIASES);
#if SUM_OF && PARTS > 1
    global float *b = w + WEIGHTS;
#endif
#if SUM_OF
    if (SUM_OF == 1 ? oc == 0 : ic == 0) sum_channels(of, b, SUM_OF == 1 ? ic : oc, SUM_OF == 1 ? end - ic : channels, part);
#endif
    for (int r = 0; r < channels; r++)
        for (int tile = 0; tile < tiles; tile++)
            for (int j = max(0, ic - TILE_CHANNEL(tile)); j < IT; j++)
                for (int k = 0; k < K * K; k++)
                    w[((oc + r) * IC + TILE_CHANNEL(tile) + j) * K * K + k] =
                        ((const private float *)sums)[(((r / (NT * V) * K * K + k) * TILES + tile) * IT + j) * (NT * V) + r % (NT * V)];
}
