/* Sums in a fixed order, so that a run repeats to the bit: along rows (a bias gradient: all pixels and images of a channel) and
 * over the features of each image (sum and the losses). A sum may be split into PARTS that a second launch of the same
 * kernel adds. */
#include "clave.clh"
#include "head.clh"

#ifndef LENGTH /* sum_rows: floats of a row, a multiple of V */
#define LENGTH 256
#endif
#ifndef ITEMS /* sum_rows: work-items of a group, a power of two */
#define ITEMS 1
#endif
#ifndef EACH /* sum_rows: parts of a work-item */
#define EACH 1
#endif
#ifndef ROWS /* sum_rows: all of them */
#define ROWS 1
#endif
#define PART (WHOLE_VECTORS / PARTS + (WHOLE_VECTORS % PARTS != 0))
#define WHOLE_VECTORS (LENGTH / V)

/* The row is of whichever input the launch has, or of parts. */
#if HALF & 31
#define ROW_TYPE half
#else
#define ROW_TYPE float
#endif

/* What one work-item of a group sums of a part of a row. */
static inline float sum_part(global const ROW_TYPE *row, int part, int item)
{
    const int last = min((part + 1) * PART, WHOLE_VECTORS);
    floatv a = (floatv)(0.0f), b = a, c = a, d = a; /* four chains of additions hide each other's latency */
    int j = part * PART + item;
    for (; j + 3 * ITEMS < last; j += 4 * ITEMS) {
        a += READ(ROW_TYPE, row + j * V);
        b += READ(ROW_TYPE, row + (j + ITEMS) * V);
        c += READ(ROW_TYPE, row + (j + 2 * ITEMS) * V);
        d += READ(ROW_TYPE, row + (j + 3 * ITEMS) * V);
    }
    for (; j < last; j += ITEMS) a += READ(ROW_TYPE, row + j * V);
    return lane_sum((a + b) + (c + d));
}

/* A work-item sums EACH parts of rows, or a work-group of several one; global: { ROWS PARTS / EACH rounded up, times ITEMS },
 * local: { ITEMS } */
kernel void sum_rows(global const ROW_TYPE *restrict x /* [row][LENGTH] */, global float *restrict sum /* [row][part] */)
{
    const int group = (int)GROUP_ID(0);
#if ITEMS == 1
    const int first = group * EACH;
    for (int i = first; i < min(first + EACH, ROWS * PARTS); i++) sum[i] = sum_part(x + (i / PARTS) * LENGTH, i % PARTS, 0);
#else
    const int item = (int)get_local_id(0);
    GROUP_MEMORY(shared, ITEMS);
    shared[item] = sum_part(x + (group / PARTS) * LENGTH, group % PARTS, item);
    for (int half_way = ITEMS / 2; half_way > 0; half_way /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (item < half_way) shared[item] += shared[item + half_way];
    }
    if (item == 0) sum[group] = shared[0];
#endif
}

#if OP == OP_MSE
#define INPUTS 2
#define TERM(a, b) (((a) - (b)) * ((a) - (b)))
#elif OP == OP_BCE
#define INPUTS 2
#define TERM(a, b) (fmax((a), 0.0f) - (a) * (b) + log1p(exp(-fabs(a))))
#elif OP == OP_KL
#define INPUTS 2
#define TERM(a, b) (0.5f * ((a) * (a) + expm1(b) - (b)))
#else
#define INPUTS 1
#define TERM(a, b) (a)
#endif

/* global: { N / (NT V), PARTS } */
kernel void per_image(global const IN0 *restrict p /* [c][y][x][n] */
#if INPUTS >= 2
                      , global const IN1 *restrict q /* [c][y][x][n] */
#endif
                      , global float *restrict sum /* [part][n] */)
{
    const int n = (int)GLOBAL_ID(0) * NT * V, part = (int)GLOBAL_ID(1);
    const int last = min((part + 1) * FEATURES, F);
    floatv acc[NT];
    for (int t = 0; t < NT; t++) acc[t] = (floatv)(0.0f);
    for (int f = part * FEATURES; f < last; f++)
        for (int t = 0; t < NT; t++) {
            const floatv a = READ(IN0, p + f * N + n + t * V);
#if INPUTS >= 2
            const floatv b = READ(IN1, q + f * N + n + t * V);
#endif
            acc[t] += TERM(a, b);
        }
    for (int t = 0; t < NT; t++) STOREV(acc[t] * FACTOR, sum + part * N + n + t * V);
}

/* As per_image, with the gradient; y lies in scratch memory where it is a product's. global: { N / (NT V), PARTS } */
kernel void loss_head(global const IN0 *restrict y /* [c][y][x][n] */, global const TARGET_TYPE *restrict t /* [c][y][x][n] */,
                      global OUT *restrict d /* [c][y][x][n] */, global float *restrict sum /* [part][n] */,
                      constant step_values *step)
{
    const int n = (int)GLOBAL_ID(0) * NT * V, part = (int)GLOBAL_ID(1);
    const int last = min((part + 1) * FEATURES, F);
    floatv acc[NT], weight[NT];
    for (int v = 0; v < NT; v++) {
        acc[v] = (floatv)(0.0f);
        weight[v] = weight_of_images(n + v * V, step);
    }
    for (int f = part * FEATURES; f < last; f++)
        for (int v = 0; v < NT; v++) {
            const int i = f * N + n + v * V;
            acc[v] += loss_and_gradient(READ(IN0, y + i), t + i, weight[v], d + i);
        }
    for (int v = 0; v < NT; v++) STOREV(acc[v] * FACTOR, sum + part * N + n + v * V);
}
