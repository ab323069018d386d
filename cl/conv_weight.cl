/* The weight gradient of conv: w[oc][ic][ky][kx] = sum over oy, ox, n of y[oc][oy][ox][n] x[ic][oy S - P + ky][ox S - P + kx][n].
 * Both operands lie side by side along n, which is summed over: a register tile of OT channels of y by COLUMNS of x (channels, or
 * the taps of a row) holds sums lane by lane, and lanes are added once, at the end of a run. The sum may be split into PARTS,
 * rows of y, each with its own copy of w, that conv_weight_sum adds in order.
 * conv_weight_direct, a work-group a tile, is for GPUs; conv_weight_packed, a work-item a block of weights, for CPUs
 * where y has few channels (many: outer_weight.cl). */
#include "weight.clh"

#ifndef OT
#define OT 4 /* channels of y of a register tile */
#endif
#ifndef IT
#define IT 1 /* its channels of x; 1 where KT > 1 */
#endif
#ifndef KT
#define KT K /* its taps of a row: K or 1 */
#endif
#ifndef DIRECT
#define DIRECT 0 /* 1: conv_weight_direct is wanted; a GPU's compiler need not see the private arrays of conv_weight_packed */
#endif
#ifndef OB
#define OB OC /* conv_weight_packed: channels of y of a block, a multiple of OT or all; lanes taken at a time */
#define NC N
#endif
#ifndef PANEL
#define PANEL 0 /* 1: y was put in panels [oy][chunk][tile][ox][vector][row] */
#endif
#ifndef PACK
#define PACK 1 /* 1: rows of x are copied side by side, with their border; needed where KT > 1 */
#endif
#ifndef PLANE
#define PLANE 0 /* 1: a tile's planes of x and y fit a cache and are read in place, all rows in one run */
#endif
#ifndef LANES
#define LANES 16 /* conv_weight_direct: work-items side by side along n; rows of y that a group takes at a time */
#endif
#ifndef ROWS
#define ROWS 1
#endif
#ifndef AT_ONCE
#define AT_ONCE 16 /* its sums whose lanes are added at a time */
#endif

#define COLUMNS (IT * KT)
#define SUMS (OT * COLUMNS)

/* Panels of y are floats, whatever y is. */
#if PANEL
#define Y_TYPE float
#else
#define Y_TYPE IN1
#endif

/* acc += rows of y times columns of x for one vector of lanes. The shorter side of the tile rests in registers while the other
 * is read, so that with the sums they just fit. */
#if OT < COLUMNS
#define ACCUMULATE(acc, y_at, x_at)                                                                \
    {                                                                                              \
        floatv held[OT];                                                                           \
        UNROLL for (int r = 0; r < OT; r++) held[r] = y_at(r);                                     \
        UNROLL for (int j = 0; j < COLUMNS; j++) {                                                 \
            const floatv s = x_at(j);                                                              \
            UNROLL for (int r = 0; r < OT; r++) acc[r * COLUMNS + j] = MULTIPLY_ADD(held[r], s, acc[r * COLUMNS + j]); \
        }                                                                                          \
    }
#else
#define ACCUMULATE(acc, y_at, x_at)                                                                \
    {                                                                                              \
        floatv held[COLUMNS];                                                                      \
        UNROLL for (int j = 0; j < COLUMNS; j++) held[j] = x_at(j);                                \
        UNROLL for (int r = 0; r < OT; r++) {                                                      \
            const floatv s = y_at(r);                                                              \
            UNROLL for (int j = 0; j < COLUMNS; j++) acc[r * COLUMNS + j] = MULTIPLY_ADD(s, held[j], acc[r * COLUMNS + j]); \
        }                                                                                          \
    }
#endif

#if V >= 4
static float4 quarter(floatv v)
{
#if V == 16
    const float8 v8 = v.lo + v.hi;
    return v8.lo + v8.hi;
#elif V == 8
    return v.lo + v.hi;
#else
    return v;
#endif
}

/* Four lane_sum at once, in the same order. */
static float4 sum_lanes_of_four(floatv a, floatv b, floatv c, floatv d)
{
    const float4 a4 = quarter(a), b4 = quarter(b), c4 = quarter(c), d4 = quarter(d);
    const float4 ab = (float4)(a4.lo, b4.lo) + (float4)(a4.hi, b4.hi), cd = (float4)(c4.lo, d4.lo) + (float4)(c4.hi, d4.hi);
    return (float4)(ab.even, cd.even) + (float4)(ab.odd, cd.odd);
}
#if V == 16
/* Sixteen lane_sum at once, with half the shuffles of four times four: halves, quarters and pairs of two (four, ..) sums side by side
 * are added to each other. */
static floatv sum_lanes_of_sixteen(const private floatv *v)
{
    floatv quarters[4], pairs[2];
    UNROLL for (int i = 0; i < 4; i++) {
        const floatv a = v[i], b = v[i + 4], c = v[i + 8], d = v[i + 12];
        const floatv ab = (floatv)(a.lo, b.lo) + (floatv)(a.hi, b.hi), cd = (floatv)(c.lo, d.lo) + (floatv)(c.hi, d.hi);
        quarters[i] = (floatv)(ab.lo.lo, ab.hi.lo, cd.lo.lo, cd.hi.lo) + (floatv)(ab.lo.hi, ab.hi.hi, cd.lo.hi, cd.hi.hi);
    }
    UNROLL for (int i = 0; i < 2; i++) {
        const floatv a = quarters[2 * i], b = quarters[2 * i + 1];
        pairs[i] = (floatv)(a.s01, b.s01, a.s45, b.s45, a.s89, b.s89, a.scd, b.scd) +
                   (floatv)(a.s23, b.s23, a.s67, b.s67, a.sab, b.sab, a.sef, b.sef);
    }
    const floatv a = pairs[0], b = pairs[1];
    return (floatv)(a.s02, b.s02, a.s46, b.s46, a.s8a, b.s8a, a.sce, b.sce) +
           (floatv)(a.s13, b.s13, a.s57, b.s57, a.s9b, b.s9b, a.sdf, b.sdf);
}
#endif
#endif

#if !DIRECT
#define VECTORS (NC / V)          /* of a chunk of lanes */
#define WIDTH ((OW - 1) * S + K)  /* of a row of x with its zero border */
#define ROW (WIDTH * VECTORS * IT)
#define OTILES ((OB + OT - 1) / OT)

/* A row of x of IT channels, from ic on: rows [column][vector][channel], the border zero. */
static void pack_row(global const IN0 *restrict x /* at [ic][iy][0][n] */, int channels, private floatv *row)
{
    for (int c = 0; c < WIDTH; c++)
        for (int v = 0; v < VECTORS; v++)
            UNROLL for (int j = 0; j < IT; j++)
                row[(c * VECTORS + v) * IT + j] =
                    c >= P && c < IW + P ? READ(IN0, x + (min(j, channels - 1) * IH * IW + c - P) * N + v * V) : (floatv)(0.0f);
}

#if PANEL
#define Y_AT(r) LOADV(yp + (v * OT + r) * V)
#define Y_STRIDE (OT * NC) /* from a column to the next */
#else
#define Y_AT(r) READ(Y_TYPE, yp + offset[r] + v * V)
#define Y_STRIDE N
#endif
#if PACK
#define X_ROW(ky) (row + (ky) * ROW)
#define X_PARAMETER const private floatv *restrict
#define X_COLUMN (x + (ox * S + kx) * (VECTORS * IT))
#define X_AT(j) (KT > 1 ? xp[(j) * VECTORS + v] : xp[v * IT + (j)])
#else
#define X_ROW(ky) (xt + (ky) * IW * N)
#define X_PARAMETER global const IN0 *restrict
#define X_COLUMN (x + (ox * S - P + kx) * N)
#define X_AT(j) READ(IN0, xp + offset[OT + (j)] + v * V)
#endif

#define PLANE_Y(r) READ(Y_TYPE, yp + offset[r] + v * V)
#define PLANE_X(j) READ(IN0, xp + offset[OT + (j)] + v * V)

/* The lanes of each sum of a tile, added. */
static void add_lanes(const private floatv *acc, private float *sums)
{
#if V == 16
#define SUMS_OF_V (SUMS / V * V)
    UNROLL for (int i = 0; i < SUMS_OF_V; i += V) STOREV(LOADV(sums + i) + sum_lanes_of_sixteen(acc + i), sums + i);
#else
#define SUMS_OF_V 0
#endif
#if V >= 4
    UNROLL for (int i = SUMS_OF_V; i + 4 <= SUMS; i += 4)
        vstore4(vload4(0, sums + i) + sum_lanes_of_four(acc[i], acc[i + 1], acc[i + 2], acc[i + 3]), 0, sums + i);
    UNROLL for (int i = SUMS / 4 * 4; i < SUMS; i++) sums[i] += lane_sum(acc[i]);
#else
    UNROLL for (int i = 0; i < SUMS; i++) sums[i] += lane_sum(acc[i]);
#endif
}

/* sums += one register tile over a row: y at its first column, tap kx of x. */
static void run(X_PARAMETER x, global const Y_TYPE *restrict y, const private int *offset, int kx, private float *sums)
{
    floatv acc[SUMS];
    UNROLL for (int i = 0; i < SUMS; i++) acc[i] = (floatv)(0.0f);
    const int end = KT > 1 ? OW : end_inside(kx);
    for (int ox = KT > 1 ? 0 : first_inside(kx); ox < end; ox++) {
        global const Y_TYPE *yp = y + ox * Y_STRIDE;
        X_PARAMETER xp = X_COLUMN;
        for (int v = 0; v < VECTORS; v++) ACCUMULATE(acc, Y_AT, X_AT)
    }
    add_lanes(acc, sums);
}

/* The same over rows oy0 .. oy1 - 1 of y, whatever rows of x lie under tap ky; x and y at their first row. */
static void run_plane(global const IN0 *restrict x, global const Y_TYPE *restrict y, const private int *offset, int ky, int kx,
                      int oy0, int oy1, private float *sums)
{
    floatv acc[SUMS];
    UNROLL for (int i = 0; i < SUMS; i++) acc[i] = (floatv)(0.0f);
    const int ox0 = first_inside(kx), ox1 = end_inside(kx);
    for (int oy = max(oy0, first_row(ky)); oy < min(oy1, end_row(ky)); oy++)
        for (int ox = ox0; ox < ox1; ox++) {
            global const Y_TYPE *yp = y + (oy * OW + ox) * N;
            global const IN0 *xp = x + ((oy * S - P + ky) * IW + ox * S - P + kx) * N;
            for (int v = 0; v < N / V; v++) ACCUMULATE(acc, PLANE_Y, PLANE_X)
        }
    add_lanes(acc, sums);
}

/* A block of weights: IT channels of x by OB of y, all taps. Parts lie in w, each with its sums of channels behind its weights.
 * global: { IC / IT, OC / OB, PARTS }, rounded up */
kernel void conv_weight_packed(global const IN0 *restrict x /* [ic][iy][ix][n] */, global const Y_TYPE *restrict y /* [oc][oy][ox][n] */
#if SUM_OF
                               , global const OF_TYPE *restrict of /* x or y, not in panels */
#endif
                               , global float *restrict w /* [part][oc][ic][ky][kx] */
#if SUM_OF && PARTS == 1
                               , global float *restrict b /* [channel] */
#endif
)
{
    const int ic = (int)GLOBAL_ID(0) * IT, oc = (int)GLOBAL_ID(1) * OB, part = (int)GLOBAL_ID(2);
    const int rows = min(OB, OC - oc), channels = min(IT, IC - ic), tiles = (rows + OT - 1) / OT;
#if PACK
    floatv row[K * ROW];
#endif
    float sums[OTILES * K * (K / KT) * SUMS]; /* [tile][ky][kx / KT][row][column] */
    for (int i = 0; i < tiles * K * (K / KT) * SUMS; i++) sums[i] = 0.0f;
#if PLANE
    for (int t = 0; t < tiles; t++) {
        int offset[OT + IT];
        UNROLL for (int r = 0; r < OT; r++) offset[r] = min(r, rows - 1 - t * OT) * OH * OW * N;
        UNROLL for (int j = 0; j < IT; j++) offset[OT + j] = min(j, channels - 1) * IH * IW * N;
        for (int ky = 0; ky < K; ky++)
            for (int kx = 0; kx < K; kx++)
                run_plane(x + ic * IH * IW * N, y + (oc + t * OT) * OH * OW * N, offset, ky, kx, part * OH / PARTS,
                          (part + 1) * OH / PARTS, sums + ((t * K + ky) * K + kx) * SUMS);
    }
#else
    for (int oy = part * OH / PARTS; oy < (part + 1) * OH / PARTS; oy++)
        for (int chunk = 0; chunk < N / NC; chunk++) {
            const int ky0 = max(0, P - oy * S), ky1 = min(K, IH + P - oy * S);
            global const IN0 *xt = x + (ic * IH + oy * S - P) * IW * N + chunk * NC; /* at tap row 0 */
#if PACK
            for (int ky = ky0; ky < ky1; ky++) pack_row(xt + ky * IW * N, channels, row + ky * ROW);
#endif
            for (int t = 0; t < tiles; t++) {
                int offset[OT + IT];
                UNROLL for (int r = 0; r < OT; r++) offset[r] = min(r, rows - 1 - t * OT) * OH * OW * N;
                UNROLL for (int j = 0; j < IT; j++) offset[OT + j] = min(j, channels - 1) * IH * IW * N;
#if PANEL
                global const Y_TYPE *yt = y + ((oy * (N / NC) + chunk) * ((OC + OT - 1) / OT) + oc / OT + t) * (OW * OT * NC);
#else
                global const Y_TYPE *yt = y + ((oc + t * OT) * OH + oy) * OW * N + chunk * NC;
#endif
                for (int ky = ky0; ky < ky1; ky++)
                    for (int first = 0; first < min(S, K / KT); first++)
                        for (int kx = first; kx < K / KT; kx += S)
                            run(X_ROW(ky), yt, offset, kx, sums + ((t * K + ky) * (K / KT) + kx) * SUMS);
            }
        }
#endif
    w += part * (WEIGHTS + BIASES);
#if SUM_OF && PARTS > 1
    global float *b = w + WEIGHTS;
#endif
#if SUM_OF
    if (SUM_OF == 1 ? oc == 0 : ic == 0) sum_channels(of, b, SUM_OF == 1 ? ic : oc, SUM_OF == 1 ? channels : rows, part);
#endif
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < channels; j++)
            for (int k = 0; k < K * K; k++)
                w[((oc + r) * IC + ic + j) * K * K + k] =
                    sums[(r / OT * (K * K / KT) + k / KT) * SUMS + r % OT * COLUMNS + (KT > 1 ? k % KT : j)];
}

/* Puts y in panels [oy][chunk][tile][ox][vector][row]; global: { OC / OT rounded up, N / NC, OH } */
kernel void conv_weight_panels(global const IN1 *restrict y /* [oc][oy][ox][n] */, global float *restrict panels)
{
    const int tile = (int)GLOBAL_ID(0), chunk = (int)GLOBAL_ID(1), oy = (int)GLOBAL_ID(2);
    panels += ((oy * (N / NC) + chunk) * ((OC + OT - 1) / OT) + tile) * (OW * OT * NC);
    for (int ox = 0; ox < OW; ox++)
        for (int r = 0; r < OT; r++) {
            global const IN1 *yp = y + ((min(tile * OT + r, OC - 1) * OH + oy) * OW + ox) * N + chunk * NC;
            for (int v = 0; v < VECTORS; v++) STOREV(READ(IN1, yp + v * V), panels + ((ox * VECTORS + v) * OT + r) * V);
        }
}
#endif

/* Lane l of a vector, l known when it is compiled. */
#if V == 1
#define LANE(v, l) (v)
#elif V == 2
#define LANE(v, l) ((l) ? (v).s1 : (v).s0)
#else
#define LANE(v, l) ((l) == 0 ? (v).s0 : (l) == 1 ? (v).s1 : (l) == 2 ? (v).s2 : (v).s3)
#endif

/* Sums side by side, for devices with instructions on two floats. */
#if COLUMNS % 2 == 0
#define PAIR 2
typedef float2 floatp;
#define PAIR_OF(b, j, l) (float2)(LANE(b[j], l), LANE(b[j + 1], l))
#define UNPAIRED(acc, i) ((i) % 2 ? (acc)[(i) / 2].s1 : (acc)[(i) / 2].s0)
#else
#define PAIR 1
typedef float floatp;
#define PAIR_OF(b, j, l) LANE(b[j], l)
#define UNPAIRED(acc, i) (acc)[i]
#endif

/* What lies `offset` and `at` bytes behind p: the work-item's offset of a row or column, the group's of a pixel. Of 32 bits each,
 * they cost an addition a load, where pointers would cost two. */
#define DIRECT_AT(type, p, offset, at) READ_WHOLE(type, (global const type *)((global const char *)(p) + ((offset) + (at))))
#define BYTES_float(count) ((uint)(count) * 4u)
#define BYTES_half(count) ((uint)(count) * 2u)
#define BYTES(type, count) CAT(BYTES_, type)(count)
#define COLUMN_STRIDE (KT > 1 ? N : IH * IW * N) /* of x, from a column of the tile to the next */

/* acc += rows of y times columns of x at one pixel; column j counts as zero where not `inside`. */
#define DIRECT_ACCUMULATE(inside)                                                                                             \
    {                                                                                                                         \
        floatv a[OT], b[COLUMNS];                                                                                             \
        UNROLL for (int r = 0; r < OT; r++) a[r] = DIRECT_AT(IN1, y_row, y_offset[r], y_at);                                  \
        UNROLL for (int j = 0; j < COLUMNS; j++) b[j] = (inside) ? DIRECT_AT(IN0, x_row, x_offset[j], x_at) : (floatv)(0.0f); \
        UNROLL for (int l = 0; l < V; l++)                                                                                    \
            UNROLL for (int r = 0; r < OT; r++)                                                                               \
                UNROLL for (int j = 0; j < COLUMNS; j += PAIR)                                                                \
                    acc[(r * COLUMNS + j) / PAIR] = MULTIPLY_ADD((floatp)(LANE(a[r], l)), PAIR_OF(b, j, l), acc[(r * COLUMNS + j) / PAIR]); \
    }

/* A group for a tile: LANES work-items side by side along n, ROWS times, each for a row of y. Pixels are the group's, so that
 * addresses are too, plus one offset a row and column of the tile that is the work-item's and stays.
 * global: { LANES * ROWS * PARTS, OC / OT * IC / IT, K * K / KT } */
kernel void conv_weight_direct(global const IN0 *restrict x /* [ic][iy][ix][n] */, global const IN1 *restrict y /* [oc][oy][ox][n] */,
                               global float *restrict w /* [part][oc][ic][ky][kx] */)
{
    GROUP_MEMORY(sums, AT_ONCE * (LANES * ROWS + 1)); /* [sum][work-item] */
    const int item = (int)get_local_id(0), row = item / LANES, lane = item % LANES * V, part = (int)GROUP_ID(0);
    const int itiles = (IC + IT - 1) / IT, oc = (int)GROUP_ID(1) / itiles * OT, ic = (int)GROUP_ID(1) % itiles * IT;
    const int ky = (int)GROUP_ID(2) * KT / K, kx = (int)GROUP_ID(2) * KT % K;
    const int oy0 = max(part * OH / PARTS, first_row(ky)), oy1 = min((part + 1) * OH / PARTS, end_row(ky));
    const int ox0 = first_inside(kx), ox1 = end_inside(kx + KT - 1); /* the pixels whose taps are all inside */
    uint y_offset[OT], x_offset[COLUMNS];
    floatp acc[SUMS / PAIR];
    UNROLL for (int r = 0; r < OT; r++)
        y_offset[r] = BYTES(IN1, (OC % OT ? min(r, OC - 1 - oc) : r) * (OH * OW * N) + row * (OW * N) + lane);
    UNROLL for (int j = 0; j < COLUMNS; j++)
        x_offset[j] = BYTES(IN0, (KT == 1 && IC % IT ? min(j, IC - 1 - ic) : j) * COLUMN_STRIDE + row * (S * IW * N) + lane);
    UNROLL for (int i = 0; i < SUMS / PAIR; i++) acc[i] = (floatp)(0.0f);
    for (int n = 0; n < N; n += LANES * V)
        for (int oy = oy0; oy + row < oy1; oy += ROWS) {
            global const IN1 *y_row = y + (oc * OH + oy) * OW * N + n;
            global const IN0 *x_row = x + (ic * IH + oy * S - P + ky) * IW * N + n;
#if KT > 1
            for (int ox = 0; ox < OW; ox++)
                if (ox < ox0 || ox >= ox1) {
                    const int x0 = ox * S - P + kx;
                    const uint y_at = BYTES(IN1, ox * N), x_at = BYTES(IN0, x0 * N);
                    DIRECT_ACCUMULATE(x0 + j >= 0 && x0 + j < IW)
                }
#endif
            uint y_at = BYTES(IN1, ox0 * N), x_at = BYTES(IN0, (ox0 * S - P + kx) * N);
            for (int ox = ox0; ox < ox1; ox++, y_at += BYTES(IN1, N), x_at += BYTES(IN0, S * N)) DIRECT_ACCUMULATE(true)
        }
    UNROLL for (int first = 0; first < SUMS; first += AT_ONCE) {
        barrier(CLK_LOCAL_MEM_FENCE);
        UNROLL for (int i = 0; i < SUMS; i++)
            if (i >= first && i < first + AT_ONCE) sums[(i - first) * (LANES * ROWS + 1) + item] = UNPAIRED(acc, i);
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int i = item; i < min(AT_ONCE, SUMS - first); i += LANES * ROWS) {
            const int r = (first + i) / COLUMNS, j = (first + i) % COLUMNS, c = KT > 1 ? 0 : j;
            float sum = 0.0f;
            for (int l = 0; l < LANES * ROWS; l++) sum += sums[i * (LANES * ROWS + 1) + l];
            if (oc + r < OC && ic + c < IC)
                w[part * WEIGHTS + (((oc + r) * IC + ic + c) * K + ky) * K + kx + (KT > 1 ? j : 0)] = sum;
        }
    }
}

/* w (and b) = sum of the parts; global: { (weights + sums of channels) / 16 rounded up } */
kernel void conv_weight_sum(global const float *restrict parts /* [part][oc][ic][ky][kx] */, global float *restrict w
#if SUM_OF
                            , global float *restrict b /* [channel] */
#endif
)
{
    const int i0 = (int)GLOBAL_ID(0) * 16;
    for (int i = i0; i < min(i0 + 16, WEIGHTS + BIASES); i++) {
        float sum = parts[i];
        for (int part = 1; part < PARTS; part++) sum += parts[part * (WEIGHTS + BIASES) + i];
#if SUM_OF
        if (i >= WEIGHTS) {
            b[i - WEIGHTS] = sum;
            continue;
        }
#endif
        w[i] = sum;
    }
}
