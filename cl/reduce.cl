/* Sums in a fixed order, so that a run repeats to the bit: along rows (a bias gradient: all pixels and images of a channel) and
 * over the features of each image (sum and the losses). A sum may be split into PARTS that a second launch of the same
 * kernel adds. */
#include "clave.clh"
#include "epilogue.clh"

#ifndef LENGTH /* sum_rows: floats of a row, a multiple of V */
#define LENGTH 256
#endif
#ifndef PARTS
#define PARTS 1
#endif
#ifndef ITEMS /* sum_rows: work-items of a group, a power of two */
#define ITEMS 1
#endif
#ifndef F /* per_image: features of an image */
#define F 64
#endif
#ifndef NT /* per_image: vectors of a work-item */
#define NT 1
#endif
#ifndef FACTOR /* per_image: multiplies the sum */
#define FACTOR 1.0f
#endif

#ifndef GRAD_FACTOR /* loss_head: 2 / F of mean squared errors, and what the mean loss is multiplied by */
#define GRAD_FACTOR 0.03125f
#endif
#ifndef ALPHA
#define ALPHA 1.0f
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

#define FEATURES (F / PARTS + (F % PARTS != 0))

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

#if OP == OP_MSE || OP == OP_BCE
/* The gradient of each image's loss as well, weighed as the mean over the step's images weighs it; the term of the loss goes to
 * *term. Mean squared errors of y = act(.) go back through the activation, GRAD_ACT; cross-entropies are of logits. */
static floatv loss_and_gradient(floatv a, floatv b, floatv weight, private floatv *term)
{
#if OP == OP_MSE
    const floatv d = a - b;
    *term = d * d;
    return epilogue(weight * (GRAD_FACTOR * d), 0.0f, a);
#else
    const floatv e = exp(-fabs(a)), share = 1.0f / (1.0f + e); /* sigmoid(|a|) */
    *term = fmax(a, 0.0f) - a * b + log1p(e);
    return weight * (select(share, e * share, a < 0.0f) - b);
#endif
}

/* As per_image, with the gradient; global: { N / (NT V), PARTS } */
kernel void loss_head(global const IN0 *restrict p /* [c][y][x][n] */, global const IN1 *restrict q /* [c][y][x][n] */,
                      global OUT *restrict d /* [c][y][x][n] */, global float *restrict sum /* [part][n] */,
                      constant step_values *step)
{
    const int n = (int)GLOBAL_ID(0) * NT * V, part = (int)GLOBAL_ID(1);
    const int last = min((part + 1) * FEATURES, F), count = (int)step->count;
    const float share = ALPHA / (float)count;
    floatv acc[NT], weight[NT];
    for (int t = 0; t < NT; t++) {
        acc[t] = (floatv)(0.0f);
        weight[t] = select((floatv)(0.0f), (floatv)(share), places(n + t * V) < count);
    }
    for (int f = part * FEATURES; f < last; f++)
        for (int t = 0; t < NT; t++) {
            const int i = f * N + n + t * V;
            floatv term;
            WRITE(OUT, loss_and_gradient(READ(IN0, p + i), READ(IN1, q + i), weight[t], &term), d + i);
            acc[t] += term;
        }
    for (int t = 0; t < NT; t++) STOREV(acc[t] * FACTOR, sum + part * N + n + t * V);
}
#endif
