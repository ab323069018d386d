/* Cross-entropy and what closes a loss: the mean over images, its gradient, and the record of a step. */
#include "clave.clh"

#ifndef CLASSES
#define CLASSES 10
#endif
#ifndef ALPHA /* mean_grad */
#define ALPHA 1.0f
#endif
#ifndef SLOTS /* record: columns of the trace */
#define SLOTS 4
#define SLOT 0
#endif

/* The logits are the first input of xent and correct, the second of xent_grad; labels and weights of images are float. */
#if HALF & 3
#define LOGITS half
#else
#define LOGITS float
#endif

/* The largest logit of each image, and the sum of the exponentials of the distances to it. */
static floatv softmax_parts(global const LOGITS *s, private floatv *largest)
{
    floatv top = READ(LOGITS, s), sum = (floatv)(0.0f);
    for (int c = 1; c < CLASSES; c++) top = fmax(top, READ(LOGITS, s + c * N));
    for (int c = 0; c < CLASSES; c++) sum += exp(READ(LOGITS, s + c * N) - top);
    *largest = top;
    return sum;
}

/* v[n] = log(sum over c of exp(s[c][n])) - s[label[n]][n]; global: { N / V } */
kernel void xent(global const LOGITS *restrict s /* [c][n] */, global const float *restrict label /* [n] */,
                 global float *restrict v /* [n] */)
{
    const int n = (int)GLOBAL_ID(0) * V;
    const floatv is = LOADV(label + n);
    floatv top, own = (floatv)(NAN); /* stays so where the label is no class */
    const floatv sum = softmax_parts(s + n, &top);
    for (int c = 0; c < CLASSES; c++) own = select(own, READ(LOGITS, s + c * N + n), is == (float)c);
    STOREV(log(sum) + (top - own), v + n);
}

/* ds[c][n] = v[n] (softmax(s)[c][n] - (c == label[n])); global: { N / V } */
kernel void xent_grad(global const float *restrict v /* [n] */, global const LOGITS *restrict s /* [c][n] */,
                      global const float *restrict label /* [n] */, global OUT *restrict ds /* [c][n] */)
{
    const int n = (int)GLOBAL_ID(0) * V;
    const floatv is = LOADV(label + n), scale = LOADV(v + n);
    floatv top;
    const floatv sum = softmax_parts(s + n, &top);
    for (int c = 0; c < CLASSES; c++) {
        const floatv share = exp(READ(LOGITS, s + c * N + n) - top) / sum;
        WRITE(OUT, scale * (share - select((floatv)(0.0f), (floatv)(1.0f), is == (float)c)), ds + c * N + n);
    }
}

/* v[n] = label[n] is the first c of the largest s[c][n]; global: { N / V } */
kernel void correct(global const LOGITS *restrict s /* [c][n] */, global const float *restrict label /* [n] */,
                    global float *restrict v /* [n] */)
{
    const int n = (int)GLOBAL_ID(0) * V;
    floatv top = READ(LOGITS, s + n), best = (floatv)(0.0f);
    for (int c = 1; c < CLASSES; c++) {
        const floatv at = READ(LOGITS, s + c * N + n);
        best = select(best, (floatv)((float)c), at > top);
        top = fmax(top, at);
    }
    STOREV(select((floatv)(0.0f), (floatv)(1.0f), best == LOADV(label + n)), v + n);
}

/* The sum of the images of the batch, in order, with the rounding of each addition carried on (Kahan 1965). In blocks, N are a
 * block's. */
static float sum_of_images(global const float *v, constant step_values *step)
{
    const int count = (int)step->count;
    float sum = 0.0f, lost = 0.0f;
    for (int n = 0; n < count; n++) {
        const float term = v[(ulong)(n / N) * step->stride + n % N] - lost, next = sum + term;
        lost = (next - sum) - term;
        sum = next;
    }
    return sum;
}

/* global: { 1 } */
kernel void mean(global const float *restrict v /* [n] */, global float *restrict m /* [1] */, constant step_values *step)
{
    *m = sum_of_images(v, step) / (float)step->count;
}

/* v[n] = n < count ? alpha / count : 0; global: { N } */
kernel void mean_grad(global float *restrict v /* [n] */, constant step_values *step)
{
    const int n = (int)GLOBAL_ID(0);
    v[n] = step->image + (uint)n < step->count ? ALPHA / (float)step->count : 0.0f;
}

/* trace[row][slot] = sum over n < count of v[n]; global: { 1 } */
kernel void record(global const float *restrict v /* [n] */, global float *restrict trace /* [row][slot] */,
                   constant step_values *step)
{
    trace[step->row * SLOTS + SLOT] = sum_of_images(v, step);
}
