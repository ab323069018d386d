/* Batches from the data set that lies on the device as bytes: a transpose, [image][pixel] to [pixel][n]. A work-item takes a vector
 * of images and BLOCK pixels of each. */
#include "clave.clh"

#ifndef PIXELS
#define PIXELS 784
#endif
#ifndef BLOCK
#define BLOCK 16
#endif

/* x / 255 to the nearest float without a division: one Newton step from x * (1 / 255). */
static floatv bytes_to_unit(floatv x)
{
    const floatv guess = x * (1.0f / 255.0f);
    return fma(fma(-guess, (floatv)(255.0f), x), (floatv)(1.0f / 255.0f), guess);
}

/* The pixels from p0 on of a vector of images, one by one. */
static void gather_pixels(global const uchar *images, global const uint *places, int count, int p0, int pixels,
                          global OUT *x /* [pixel][n] */)
{
    float tile[BLOCK * V]; /* [pixel][image] */
    for (int v = 0; v < V; v++) {
        if (v >= count) {
            for (int k = 0; k < pixels; k++) tile[k * V + v] = 0.0f;
            continue;
        }
        global const uchar *from = images + (ulong)places[v] * PIXELS + p0;
        for (int k = 0; k < pixels; k++) tile[k * V + v] = (float)from[k];
    }
    for (int k = 0; k < pixels; k++) WRITE(OUT, bytes_to_unit(LOADV(tile + k * V)), x + (p0 + k) * N);
}

#if V >= 4
typedef CAT(uchar, V) ucharv;

/* V pixels from p0 on of V images: a square of bytes, transposed by rounds that interleave the rows of its halves. */
static void gather_square(global const uchar *images, global const uint *places, int count, int p0,
                          global OUT *x /* [pixel][n] */)
{
    ucharv row[V], next[V];
    UNROLL for (int v = 0; v < V; v++)
        row[v] = v < count ? LOADV(images + (ulong)places[v] * PIXELS + p0) : (ucharv)(0);
    UNROLL for (int round = 1; round < V; round *= 2) {
        UNROLL for (int v = 0; v < V / 2; v++) {
            next[2 * v].even = row[v].lo;
            next[2 * v].odd = row[v + V / 2].lo;
            next[2 * v + 1].even = row[v].hi;
            next[2 * v + 1].odd = row[v + V / 2].hi;
        }
        UNROLL for (int v = 0; v < V; v++) row[v] = next[v];
    }
    UNROLL for (int k = 0; k < V; k++) WRITE(OUT, bytes_to_unit(TO_FLOATV(row[k])), x + (p0 + k) * N);
}
#endif

/* x[c][y][x][n] = images[order[offset + n]][c][y][x] / 255; global: { N / V, PIXELS / BLOCK rounded up } */
kernel void gather(global const uchar *restrict images /* [image][pixel] */, global const uint *restrict order,
                   global OUT *restrict x /* [pixel][n] */, constant step_values *step)
{
    const int n = (int)GLOBAL_ID(0) * V, count = (int)step->count - n; /* of images from n on */
    const int end = min((int)GLOBAL_ID(1) * BLOCK + BLOCK, PIXELS);
    int p0 = (int)GLOBAL_ID(1) * BLOCK;
    global const uint *places = order + step->offset + n;
#if V >= 4
    for (; p0 + V <= end; p0 += V) gather_square(images, places, count, p0, x + n);
#endif
    if (p0 < end) gather_pixels(images, places, count, p0, end - p0, x + n);
}

/* l[n] = labels[order[offset + n]]; 0 where n >= count; global: { N } */
kernel void label(global const uchar *restrict labels /* [image] */, global const uint *restrict order,
                  global float *restrict l /* [n] */, constant step_values *step)
{
    const int n = (int)GLOBAL_ID(0);
    l[n] = n < (int)step->count ? (float)labels[order[step->offset + (uint)n]] : 0.0f;
}
