/* The optimisers: one launch over all trained parameters, CHUNK vectors a work-item. */
#include "clave.clh"

#ifndef TRAINED /* parameters, a multiple of V */
#define TRAINED 1024
#endif
#ifndef CHUNK
#define CHUNK 1
#endif
#ifndef L2
#define L2 0.0f
#endif
#ifndef WEIGHT_DECAY
#define WEIGHT_DECAY 0.0f
#endif
#ifndef BETA1
#define BETA1 0.9f
#define REST1 0.1f /* 1 - beta1, as the host rounds it */
#define BETA2 0.999f
#define REST2 0.001f
#define EPS 1e-8f
#endif
#ifndef MOMENTUM
#define MOMENTUM 0.0f
#endif

#ifdef UNSCALE /* what gradients are multiplied by first: they were made with a scaled loss */
#define UNSCALED(g) ((g) * UNSCALE)
#else
#define UNSCALED(g) g
#endif

#ifndef RATED /* 1: each parameter has a factor of its own on the learning rate */
#define RATED 0
#endif
#if RATED
#define RATE_PARAMETER , global const float *restrict rate
#define RATE_AT(i) (step->lr * LOADV(rate + (i)))
#else
#define RATE_PARAMETER
#define RATE_AT(i) (floatv)(step->lr)
#endif

#ifndef SEGMENTS /* of the parameters, whose gradients lie as parts to be added; the others are in grad */
#define SEGMENTS 0
#endif
#if SEGMENTS
/* clv_cl_segment of src/backend/opencl/opencl.h, word for word. */
typedef struct segment_values {
    int first, end, parts, from, stride;
} segment_values;

#define GRAD_PARAMETER global float *restrict grad
#define PARTS_PARAMETER , constant segment_values *segments, global const float *restrict parts

/* The gradient from parameter i on, which goes to grad too where it is a sum; *at: the segment that i is in, or before. Beyond a
 * segment's end grad is 0, as it was. */
static floatv gradient(global float *restrict grad, constant segment_values *segments, global const float *restrict parts, int i,
                       private int *at)
{
    while (*at < SEGMENTS && i >= segments[*at].end) ++*at;
    if (*at == SEGMENTS || i < segments[*at].first) return LOADV(grad + i);
    global const float *from = parts + segments[*at].from + (i - segments[*at].first);
    floatv sum = LOADV(from);
    for (int part = 1; part < segments[*at].parts; part++) sum += LOADV(from + part * segments[*at].stride);
    sum = select((floatv)(0.0f), sum, places(i) < segments[*at].end);
    STOREV(sum, grad + i);
    return sum;
}
#define GRADIENT(i) gradient(grad, segments, parts, i, &at)
#else
#define GRAD_PARAMETER global const float *restrict grad
#define PARTS_PARAMETER
#define GRADIENT(i) LOADV(grad + (i))
#endif

/* Kingma & Ba 2015, algorithm 1, in PyTorch's order: decoupled decay first, L2 in the gradient.
 * global: { TRAINED / (V CHUNK) rounded up } */
kernel void adam(global float *restrict param, GRAD_PARAMETER, global float *restrict moment1,
                 global float *restrict moment2 RATE_PARAMETER, constant step_values *step PARTS_PARAMETER)
{
#if SEGMENTS
    int at = 0;
#endif
    const int first = (int)GLOBAL_ID(0) * CHUNK, last = min(first + CHUNK, TRAINED / V);
    const float correction1 = step->correction1, correction2 = step->correction2;
    for (int j = first; j < last; j++) {
        const int i = j * V;
        const floatv lr = RATE_AT(i), w = LOADV(param + i) * (1.0f - lr * WEIGHT_DECAY), g = UNSCALED(GRADIENT(i)) + L2 * w;
        const floatv m = BETA1 * LOADV(moment1 + i) + REST1 * g;
        const floatv v = BETA2 * LOADV(moment2 + i) + REST2 * g * g;
        STOREV(m, moment1 + i);
        STOREV(v, moment2 + i);
        STOREV(w - lr * (m * correction1) / (sqrt(v * correction2) + EPS), param + i);
    }
}

/* m = momentum m + g + l2 w; w -= lr (m + weight_decay w); global: { TRAINED / (V CHUNK) rounded up } */
kernel void sgd(global float *restrict param, GRAD_PARAMETER, global float *restrict moment1 RATE_PARAMETER,
                constant step_values *step PARTS_PARAMETER)
{
#if SEGMENTS
    int at = 0;
#endif
    const int first = (int)GLOBAL_ID(0) * CHUNK, last = min(first + CHUNK, TRAINED / V);
    for (int j = first; j < last; j++) {
        const int i = j * V;
        const floatv w = LOADV(param + i), m = MOMENTUM * LOADV(moment1 + i) + UNSCALED(GRADIENT(i)) + L2 * w;
        STOREV(m, moment1 + i);
        STOREV(w - RATE_AT(i) * (m + WEIGHT_DECAY * w), param + i);
    }
}

/* gain: + 0.2 where the last move and the gradient differ in sign, else times 0.8, at least 0.01; m = momentum m - lr gain g; w += m:
 * t-SNE's step (van der Maaten's code). global: { TRAINED / (V CHUNK) rounded up } */
kernel void tsne_step(global float *restrict param, global const float *restrict grad, global float *restrict moment1,
                      global float *restrict moment2, constant step_values *step)
{
    const int first = (int)GLOBAL_ID(0) * CHUNK, last = min(first + CHUNK, TRAINED / V);
    const float lr = step->lr, momentum = step->momentum;
    for (int j = first; j < last; j++) {
        const int i = j * V;
        const floatv g = LOADV(grad + i), move = LOADV(moment1 + i), before = LOADV(moment2 + i);
        const floatv gain = fmax(move * g < 0.0f ? before + 0.2f : before * 0.8f, 0.01f);
        const floatv m = momentum * move - lr * gain * g;
        STOREV(gain, moment2 + i);
        STOREV(m, moment1 + i);
        STOREV(LOADV(param + i) + m, param + i);
    }
}
