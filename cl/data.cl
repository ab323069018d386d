/* Batches from the data set that lies on the device as bytes: a transpose, [image][pixel] to [pixel][n], by blocks of BLOCK
 * pixels and a vector of images that a work-item turns in private memory. */
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

/* x[c][y][x][n] = images[order[offset + n]][c][y][x] / 255; global: { N / V, PIXELS / BLOCK rounded up } */
kernel void gather(global const uchar *restrict images /* [image][pixel] */, global const uint *restrict order,
                   global float *restrict x /* [pixel][n] */, constant step_values *step)
{
    const int n = (int)get_global_id(0) * V, p0 = (int)get_global_id(1) * BLOCK;
    const int pixels = min(BLOCK, PIXELS - p0), count = (int)step->count;
    float tile[BLOCK * V]; /* [pixel][image] */
    for (int v = 0; v < V; v++) {
        if (n + v >= count) {
            for (int k = 0; k < BLOCK; k++) tile[k * V + v] = 0.0f;
            continue;
        }
        global const uchar *from = images + (ulong)order[step->offset + (uint)(n + v)] * PIXELS + p0;
        if (pixels == BLOCK)
            for (int k = 0; k < BLOCK; k++) tile[k * V + v] = (float)from[k];
        else
            for (int k = 0; k < pixels; k++) tile[k * V + v] = (float)from[k];
    }
    for (int k = 0; k < pixels; k++) STOREV(bytes_to_unit(LOADV(tile + k * V)), x + (p0 + k) * N + n);
}

/* l[n] = labels[order[offset + n]]; 0 where n >= count; global: { N } */
kernel void label(global const uchar *restrict labels /* [image] */, global const uint *restrict order,
                  global float *restrict l /* [n] */, constant step_values *step)
{
    const int n = (int)get_global_id(0);
    l[n] = n < (int)step->count ? (float)labels[order[step->offset + (uint)n]] : 0.0f;
}
