/* Pairs of points: squared distances, the affinities that t-SNE makes of them (van der Maaten & Hinton 2008, section 2),
 * and their symmetric form. Points are the first POINTS images of the batch; a matrix has a row for each, n innermost. */
#include "clave.clh"

#ifndef POINTS
#define POINTS 13
#endif
#ifndef F /* distance: features of a point */
#define F 2
#endif
#ifndef RT /* distance: rows of a register tile, its vectors, tiles of a work-item */
#define RT 4
#define VT 1
#define EACH 1
#endif
#ifndef ITEMS /* affinity: work-items of a group, a power of two */
#define ITEMS 1
#endif
#ifndef ENTROPY /* affinity: the logarithm of the perplexity */
#define ENTROPY 1.0f
#endif
#ifndef ROWS /* joint: rows of a work-item */
#define ROWS 16
#endif
#ifndef FACTOR /* joint: 1 / (2 POINTS) */
#define FACTOR 0.03846f
#endif

#define TILES ((POINTS + RT - 1) / RT)
#define VECTORS ((POINTS + V - 1) / V) /* of a row, the last perhaps with lanes that are no points */

/* `distance` is a function of OpenCL C. d[i][n] for RT rows by VT vectors at a time. global: { N / (VT V), TILES / EACH rounded up } */
kernel void distances(global const float *restrict x /* [f][n] */, global float *restrict d /* [i][n] */)
{
    const int n = (int)GLOBAL_ID(0) * VT * V, from = (int)GLOBAL_ID(1) * EACH;
    for (int tile = from; tile < min(from + EACH, TILES); tile++) {
        const int row = tile * RT;
        floatv sum[RT * VT];
        UNROLL for (int k = 0; k < RT * VT; k++) sum[k] = (floatv)(0.0f);
        for (int f = 0; f < F; f++) {
            global const float *at = x + f * N;
            UNROLL for (int t = 0; t < VT; t++) {
                const floatv other = LOADV(at + n + t * V);
                UNROLL for (int r = 0; r < RT; r++) {
                    const floatv difference = at[min(row + r, POINTS - 1)] - other;
                    sum[r * VT + t] = fma(difference, difference, sum[r * VT + t]);
                }
            }
        }
        UNROLL for (int r = 0; r < RT; r++)
            if (row + r < POINTS)
                UNROLL for (int t = 0; t < VT; t++) STOREV(sum[r * VT + t], d + (row + r) * N + n + t * V);
    }
}

/* The sum, or the least, of what the work-items of a group have; the same for all of them. */
#if ITEMS == 1
#define GROUP_SUM(a, shared) (a)
#define GROUP_LEAST(a, shared) (a)
#else
static float group_fold(float a, local float *shared, int least)
{
    const int item = (int)get_local_id(0);
    shared[item] = a;
    for (int half_way = ITEMS / 2; half_way > 0; half_way /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (item < half_way)
            shared[item] = least ? fmin(shared[item], shared[item + half_way]) : shared[item] + shared[item + half_way];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    const float all = shared[0];
    barrier(CLK_LOCAL_MEM_FENCE);
    return all;
}
#define GROUP_SUM(a, shared) group_fold(a, shared, 0)
#define GROUP_LEAST(a, shared) group_fold(a, shared, 1)
#endif

static float lane_least(floatv v)
{
    float lane[V], least;
    STOREV(v, lane);
    least = lane[0];
    for (int l = 1; l < V; l++) least = fmin(least, lane[l]);
    return least;
}

#define NOT_COUNTED 3.0e38f /* more than any distance that is told from infinity */

/* A work-group a row: what is above the least distance goes to p (-1: no pair), is searched there for the precision b
 * that has the wanted entropy, and is replaced by the affinities. Steps and their end as the reference has them: doubling
 * or halving, then bisection, to within 1e-5. global: { POINTS ITEMS }, local: { ITEMS } */
kernel void affinity(global const float *restrict d /* [i][n] */, global float *restrict p /* [i][n] */)
{
    const int i = (int)GROUP_ID(0), item = (int)get_local_id(0);
    global const float *from = d + i * N;
    global float *to = p + i * N;
#if ITEMS > 1
    local float shared[ITEMS];
#endif
    floatv least_v = (floatv)(NOT_COUNTED);
    for (int v = item; v < VECTORS; v += ITEMS) {
        const intv n = places(v * V);
        least_v = fmin(least_v, n != i && n < POINTS ? LOADV(from + v * V) : (floatv)(NOT_COUNTED));
    }
    const float least = GROUP_LEAST(lane_least(least_v), shared);
    floatv total = (floatv)(0.0f);
    for (int v = item; v < VECTORS; v += ITEMS) {
        const intv n = places(v * V);
        const floatv above = n != i && n < POINTS ? LOADV(from + v * V) - least : (floatv)(-1.0f);
        total += fmax(above, 0.0f);
        STOREV(above, to + v * V);
    }
    const float mean = GROUP_SUM(lane_sum(total), shared) / (POINTS - 1);
    float b = mean > 0.0f ? 1.0f / mean : 1.0f, last = b, low = 0.0f, high = 0.0f, sum = 1.0f;
    for (int step = 0; step < 100; step++) {
        floatv sum_v = (floatv)(0.0f), moment_v = sum_v;
        for (int v = item; v < VECTORS; v += ITEMS) {
            const floatv above = LOADV(to + v * V), weight = above < 0.0f ? (floatv)(0.0f) : exp(-b * above);
            sum_v += weight;
            moment_v += weight * above;
        }
        sum = GROUP_SUM(lane_sum(sum_v), shared);
        last = b;
        const float entropy = log(sum) + b * (GROUP_SUM(lane_sum(moment_v), shared) / sum);
        if (fabs(entropy - ENTROPY) < 1e-5f) break;
        if (entropy > ENTROPY)
            low = b;
        else
            high = b;
        b = high > 0.0f ? (low + high) / 2 : b * 2;
        if (b > 1e30f) break; /* more equal distances than the perplexity asks for */
    }
    for (int v = item; v < N / V; v += ITEMS) {
        floatv weight = (floatv)(0.0f);
        if (v < VECTORS) {
            const floatv above = LOADV(to + v * V);
            weight = above < 0.0f ? weight : exp(-last * above) / sum;
        }
        STOREV(weight, to + v * V);
    }
}

/* (q + its transpose) / (2 POINTS): columns are gathered for ROWS rows, so that their cache lines serve them all.
 * global: { N / V, POINTS / ROWS rounded up } */
kernel void joint(global const float *restrict q /* [i][n] */, global float *restrict p /* [i][n] */)
{
    const int first = (int)GLOBAL_ID(0) * V, from = (int)GLOBAL_ID(1) * ROWS;
    const intv n = places(first);
    for (int i = from; i < min(from + ROWS, POINTS); i++) {
        float across[V];
        for (int l = 0; l < V; l++) across[l] = q[min(first + l, POINTS - 1) * N + i];
        const floatv both = (LOADV(q + i * N + first) + LOADV(across)) * FACTOR;
        STOREV(n < POINTS ? both : (floatv)(0.0f), p + i * N + first);
    }
}
