/* Batches from the data set that lies on the device as bytes: a transpose, [image][pixel] to [pixel][n]. A work-item takes a vector
 * of images and BLOCK pixels of each. With NOISE it writes the images as they are and with the noise of `noise` in random.cl, of the
 * same numbers. */
#include "clave.clh"

#ifndef PIXELS
#define PIXELS 784
#endif
#ifndef BLOCK
#define BLOCK 16 /* with NOISE: whole quads of pixels */
#endif
#if NOISE
#include "philox.clh"

#ifndef STREAM
#define STREAM 4096
#endif
#define CLEAN_PARAMETER global IN0 *restrict clean /* [pixel][n] */,
#define NOISE_PARAMETERS , global IN0 *clean /* [pixel][n] */, int n, constant step_values *step
#define NOISE_ARGUMENTS , clean + n, n, step

/* `pixels` of a quad, from p on, of the images from n on, without noise and with it. */
static void write_quad(const private floatv pixel[4], int pixels, int p, global OUT *x /* [pixel][n] */ NOISE_PARAMETERS)
{
    uintv word[4];
    floatv eps[4];
    philox(philox_images((uint)n), (uint)p / 4, STREAM, step, word);
    normal_quad(word, eps);
    for (int k = 0; k < pixels; k++) {
        WRITE(IN0, pixel[k], clean + (p + k) * N);
        WRITE(OUT, clamp(pixel[k] + step->noise * eps[k], 0.0f, 1.0f), x + (p + k) * N);
    }
}
#else
#define CLEAN_PARAMETER
#define NOISE_PARAMETERS
#define NOISE_ARGUMENTS
#endif

/* x / 255 to the nearest float without a division: one Newton step from x * (1 / 255). */
static floatv bytes_to_unit(floatv x)
{
    const floatv guess = x * (1.0f / 255.0f);
    return fma(fma(-guess, (floatv)(255.0f), x), (floatv)(1.0f / 255.0f), guess);
}

/* The pixels from p0 on of a vector of images, one by one. */
static void gather_pixels(global const uchar *images, global const uint *places, int count, int p0, int pixels,
                          global OUT *x /* [pixel][n] */ NOISE_PARAMETERS)
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
#if NOISE
    for (int k = 0; k < pixels; k += 4) {
        floatv pixel[4];
        const int rest = min(4, pixels - k);
        for (int i = 0; i < rest; i++) pixel[i] = bytes_to_unit(LOADV(tile + (k + i) * V));
        write_quad(pixel, rest, p0 + k, x, clean, n, step);
    }
#else
    for (int k = 0; k < pixels; k++) WRITE(OUT, bytes_to_unit(LOADV(tile + k * V)), x + (p0 + k) * N);
#endif
}

#if V >= 4
typedef CAT(uchar, V) ucharv;

/* V pixels from p0 on of V images: a square of bytes, transposed by rounds that interleave the rows of its halves. */
static void gather_square(global const uchar *images, global const uint *places, int count, int p0,
                          global OUT *x /* [pixel][n] */ NOISE_PARAMETERS)
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
#if NOISE
    UNROLL for (int k = 0; k < V; k += 4) {
        floatv pixel[4];
        UNROLL for (int i = 0; i < 4; i++) pixel[i] = bytes_to_unit(TO_FLOATV(row[k + i]));
        write_quad(pixel, 4, p0 + k, x, clean, n, step);
    }
#else
    UNROLL for (int k = 0; k < V; k++) WRITE(OUT, bytes_to_unit(TO_FLOATV(row[k])), x + (p0 + k) * N);
#endif
}
#endif

/* x[c][y][x][n] = images[order[offset + n]][c][y][x] / 255, clipped with noise eps added where `clean` has it without; global: { N / V,
 * PIXELS / BLOCK rounded up } */
kernel void gather(global const uchar *restrict images /* [image][pixel] */, global const uint *restrict order,
                   CLEAN_PARAMETER global OUT *restrict x /* [pixel][n] */, constant step_values *step)
{
    const int n = (int)GLOBAL_ID(0) * V, count = (int)(step->count - step->image) - n; /* of images from n on */
    const int end = min((int)GLOBAL_ID(1) * BLOCK + BLOCK, PIXELS);
    int p0 = (int)GLOBAL_ID(1) * BLOCK;
    global const uint *places = order + step->offset + step->image + n;
#if V >= 4
    for (; p0 + V <= end; p0 += V) gather_square(images, places, count, p0, x + n NOISE_ARGUMENTS);
#endif
    if (p0 < end) gather_pixels(images, places, count, p0, end - p0, x + n NOISE_ARGUMENTS);
}

/* l[n] = labels[order[offset + n]]; 0 where n >= count; global: { N } */
kernel void label(global const uchar *restrict labels /* [image] */, global const uint *restrict order,
                  global float *restrict l /* [n] */, constant step_values *step)
{
    const int n = (int)GLOBAL_ID(0);
    const uint image = step->image + (uint)n;
    l[n] = image < step->count ? (float)labels[order[step->offset + image]] : 0.0f;
}
