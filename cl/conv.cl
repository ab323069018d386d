/* Convolution: y[oc][oy][ox][n] = sum w[oc][ic][ky][kx] x[ic][oy S - P + ky][ox S - P + kx][n], then the epilogue.
 * conv_direct, a work-item a register tile, is for GPUs, whose work-items lie side by side along n; conv_packed is for CPUs. Large
 * weights are first put by conv_panels (conv_direct_panels) in the order in which it reads them; where there are few results and
 * many channels (linear layers), it leaves sums of parts that conv_sum adds. */
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
#ifndef WM /* strides of the weights: a transposed linear layer swaps them */
#define WM (IC * K * K)
#define WC (K * K)
#endif
#ifndef PARTS /* of the sum over channels; more than 1: no epilogue, y is [part][oc][oy][ox][n] */
#define PARTS 1
#endif
#define M OC
#define C IC
#define PIXELS (OH * OW)
#define SOURCE (IH * IW)
#define TAPS (K * K)
#include "product.clh"
#include "direct.clh"

/* global: { N / V, OC / OT rounded up, pixels * PARTS }, in groups of lanes */
kernel void conv_direct(global const IN0 *restrict x /* [ic][iy][ix][n] */, global const float *restrict w BIAS_PARAMETER U_PARAMETER,
                        global OUT *restrict y /* [oc][oy][ox][n] */ DROPOUT_PARAMETER)
{
    const uint n = (uint)GLOBAL_ID(0) * V;
    const int oc = (int)GROUP_ID(1) * OT, part = (int)GROUP_ID(2) / PIXELS, pixel = (int)GROUP_ID(2) % PIXELS;
    const int c0 = PARTS > 1 ? part * CS : 0, c1 = PARTS > 1 ? min(IC, c0 + CS) : IC; /* known where there is one part */
    const int y0 = pixel / OW * S - P, x0 = pixel % OW * S - P;
    const int ky0 = max(0, -y0), ky1 = min(K, IH - y0), kx0 = max(0, -x0), kx1 = min(K, IW - x0);
    floatv acc[OT];
    UNROLL for (int r = 0; r < OT; r++) acc[r] = (floatv)(0.0f);
    for (int ky = ky0; ky < ky1; ky++)
        for (int kx = kx0; kx < kx1; kx++)
            direct_tap(acc, x + ((y0 + ky) * IW + x0 + kx) * N, n, w + DIRECT_WEIGHTS(oc, ky * K + kx), oc, c0, c1);
    direct_store(acc BIAS_ARGUMENT U_ARGUMENT, y + part * (OC * PIXELS * N), oc, pixel * N + (int)n DROPOUT_ARGUMENT);
}

/* Puts the weights in the order in which conv_direct reads them. */
kernel void conv_direct_panels(global const float *restrict w /* [oc][ic][ky][kx] */, global float *restrict panels)
{
    direct_panel(w, panels, (int)GLOBAL_ID(0));
}

#if !DIRECT
/* global: { N / CHUNK, OC / MB, pixels * PARTS } */
kernel void conv_packed(global const IN0 *restrict x /* [ic][iy][ix][n] */, global const float *restrict w BIAS_PARAMETER U_PARAMETER,
                        global OUT *restrict y /* [oc][oy][ox][n] */ DROPOUT_PARAMETER)
{
    const int n = (int)GLOBAL_ID(0) * CHUNK, m0 = (int)GLOBAL_ID(1) * MB;
    const int part = (int)GLOBAL_ID(2) / PIXELS, at = (int)GLOBAL_ID(2) % PIXELS, y0 = at / OW * S - P, x0 = at % OW * S - P;
    int taps = 0, pixel[TAPS], tap[TAPS];
    for (int ky = max(0, -y0); ky < min(K, IH - y0); ky++)
        for (int kx = max(0, -x0); kx < min(K, IW - x0); kx++, taps++) {
            pixel[taps] = (y0 + ky) * IW + x0 + kx;
            tap[taps] = ky * K + kx;
        }
    packed_product(x, w BIAS_ARGUMENT U_ARGUMENT, y + part * OC * PIXELS * N, taps, pixel, tap, WC, part * CS, min(IC, part * CS + CS),
                   m0, at * N, n DROPOUT_ARGUMENT);
}

/* Puts the weights of channel ic in panels [block][tile][ic][tap][row]; global: { OC / MB, IC } */
kernel void conv_panels(global const float *restrict w /* [oc][ic][ky][kx] */, global float *restrict panels)
{
    const int block = (int)GLOBAL_ID(0), ic = (int)GLOBAL_ID(1);
    for (int tile = 0; tile < TALLS + LOWS; tile++) {
        const int rows = TILE_HEIGHT(tile), row = TILE_ROW(tile), m = block * MB + min(row, MB - rows);
        global float *to = panels + ((block * ROWS + row) * IC + ic * rows) * K * K;
        for (int r = 0; r < rows; r++)
            for (int k = 0; k < K * K; k++) to[k * rows + r] = w[(m + r) * WM + ic * WC + k];
    }
}
#endif

/* y = epilogue of the sum over parts; global: { N / V, OC * pixels } */
kernel void conv_sum(global const float *restrict parts /* [part][oc][oy][ox][n] */ BIAS_PARAMETER U_PARAMETER,
                     global OUT *restrict y /* [oc][oy][ox][n] */ DROPOUT_PARAMETER)
{
    const int row = (int)GLOBAL_ID(1), i = row * N + (int)GLOBAL_ID(0) * V;
    floatv sum = LOADV(parts + i);
    for (int part = 1; part < PARTS; part++) sum += LOADV(parts + part * OC * PIXELS * N + i);
    WRITE(OUT, DROP_CHANNEL(epilogue(sum ADDEND_AT(i), BIAS_OF(row / PIXELS), U_AT(i)), row, i % N), y + i);
}
