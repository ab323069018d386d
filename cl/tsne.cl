/* t-SNE's forces between all pairs of points of a map in the plane, and its gradient (van der Maaten & Hinton 2008,
 * equation 5). All sums are in a fixed order: a row of pairs belongs to one work-group, and no pair is left out. */
#include "clave.clh"

#ifndef POINTS
#define POINTS 13
#endif
#ifndef W /* of a row of positions, a multiple of V */
#define W 32
#endif
#ifndef RT /* tsne_force: points of a register tile */
#define RT 4
#endif
#ifndef ITEMS /* work-items of a group, a power of two */
#define ITEMS 1
#endif

#define WHOLE (POINTS / V) /* vectors of points */
#define REST (POINTS % V)

#define FORCES 5 /* attraction x, y; repulsion x, y; the sum of u */

/* One vector of points pulls at and pushes each of the tile's. `u_of` and `p_of` may leave lanes out. */
#define ADD_PAIRS(v, u_of, p_of)                                                              \
    {                                                                                         \
        const floatv xn = LOADV(y + (v) * V), yn = LOADV(y + W + (v) * V);                    \
        UNROLL for (int r = 0; r < RT; r++) {                                                 \
            const floatv a = xi[r] - xn, b = yi[r] - yn;                                      \
            const floatv u = u_of(1.0f / fma(a, a, fma(b, b, (floatv)(1.0f))));               \
            const floatv pull = p_of(LOADV(p + row[r] * N + (v) * V)) * u, push = u * u;      \
            sum[r * FORCES] = fma(pull, a, sum[r * FORCES]);                                  \
            sum[r * FORCES + 1] = fma(pull, b, sum[r * FORCES + 1]);                          \
            sum[r * FORCES + 2] = fma(push, a, sum[r * FORCES + 2]);                          \
            sum[r * FORCES + 3] = fma(push, b, sum[r * FORCES + 3]);                          \
            sum[r * FORCES + 4] += u;                                                         \
        }                                                                                     \
    }
#define ALL_LANES(v) (v)
#define POINT_LANES(v) (is_point ? (v) : (floatv)(0.0f))

/* Forces on RT points; a point's pair with itself has u = 1 and pulls nowhere.
 * global: { POINTS / RT rounded up, times ITEMS }, local: { ITEMS } */
kernel void tsne_force(global const float *restrict y /* [2][W] */, global const float *restrict p /* [i][n] */,
                       global float *restrict f /* [5][n] */)
{
    const int first = (int)GROUP_ID(0) * RT, item = (int)get_local_id(0);
    int row[RT];
    float xi[RT], yi[RT];
    floatv sum[RT * FORCES];
    UNROLL for (int r = 0; r < RT; r++) {
        row[r] = min(first + r, POINTS - 1);
        xi[r] = y[row[r]];
        yi[r] = y[W + row[r]];
    }
    UNROLL for (int k = 0; k < RT * FORCES; k++) sum[k] = (floatv)(0.0f);
    for (int v = item; v < WHOLE; v += ITEMS) ADD_PAIRS(v, ALL_LANES, ALL_LANES)
#if REST > 0
    if (item == WHOLE % ITEMS) {
        const intv is_point = places(WHOLE * V) < POINTS;
        ADD_PAIRS(WHOLE, POINT_LANES, POINT_LANES)
    }
#endif
    float all[RT * FORCES];
    UNROLL for (int k = 0; k < RT * FORCES; k++) all[k] = lane_sum(sum[k]);
#if ITEMS > 1
    local float shared[RT * FORCES * ITEMS];
    UNROLL for (int k = 0; k < RT * FORCES; k++) shared[k * ITEMS + item] = all[k];
    for (int half_way = ITEMS / 2; half_way > 0; half_way /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (item < half_way)
            for (int k = 0; k < RT * FORCES; k++) shared[k * ITEMS + item] += shared[k * ITEMS + item + half_way];
    }
    if (item > 0) return;
    UNROLL for (int k = 0; k < RT * FORCES; k++) all[k] = shared[k * ITEMS];
#endif
    UNROLL for (int r = 0; r < RT; r++)
        if (first + r < POINTS)
            UNROLL for (int k = 0; k < FORCES; k++) f[k * N + first + r] = all[r * FORCES + k] - (k == 4 ? 1.0f : 0.0f);
}

/* One work-group: the sum over all pairs, then the gradient. global, local: { ITEMS } */
kernel void tsne_grad(global const float *restrict f /* [5][n] */, global float *restrict dy /* [2][W] */,
                      constant step_values *step)
{
    const int item = (int)get_local_id(0), count = (int)step->count;
    const float exaggeration = step->exaggeration;
    floatv part = (floatv)(0.0f);
    for (int v = item; v < N / V; v += ITEMS)
        part += places(v * V) < count ? LOADV(f + 4 * N + v * V) : (floatv)(0.0f);
    float sum = lane_sum(part);
#if ITEMS > 1
    local float shared[ITEMS];
    shared[item] = sum;
    for (int half_way = ITEMS / 2; half_way > 0; half_way /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (item < half_way) shared[item] += shared[item + half_way];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    sum = shared[0];
#endif
    for (int k = 0; k < 2; k++)
        for (int v = item; v < W / V; v += ITEMS) {
            floatv g = (floatv)(0.0f);
            if (v < N / V)
                g = 4.0f * (exaggeration * LOADV(f + k * N + v * V) - LOADV(f + (2 + k) * N + v * V) / sum);
            STOREV(places(v * V) < count ? g : (floatv)(0.0f), dy + k * W + v * V);
        }
}
