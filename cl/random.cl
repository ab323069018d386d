/* Dropout, noise and the reparameterised Gaussian. A work-item makes QUADS calls of Philox for a vector of images; each gives the
 * words of four features. */
#include "clave.clh"
#include "philox.clh"

#ifndef F /* features of an image: c y x */
#define F 64
#endif
#ifndef QUADS
#define QUADS 1
#endif
#ifndef STREAM
#define STREAM 4096
#endif
#ifndef KEEP /* dropout: the probability of staying, 1 - rate */
#define KEEP 0.9f
#endif

#define ALL_QUADS ((F + 3) / 4)

/* y = u < 1 - rate ? x / (1 - rate) : 0; global: { N / V, quads / QUADS rounded up } */
kernel void dropout(global const IN0 *x /* [c][y][x][n] */, global OUT *y, constant step_values *step)
{
    const int n = (int)GLOBAL_ID(0) * V, first = (int)GLOBAL_ID(1) * QUADS;
    const uintv image = philox_images((uint)n);
    for (int quad = first; quad < min(first + QUADS, ALL_QUADS); quad++) {
        uintv word[4];
        philox(image, (uint)quad, STREAM, step, word);
        for (int k = 0; k < min(4, F - quad * 4); k++) {
            const int i = (quad * 4 + k) * N + n;
            WRITE(OUT, select((floatv)(0.0f), READ(IN0, x + i) * (1.0f / KEEP), uniform(word[k]) < KEEP), y + i);
        }
    }
}

/* y = x + noise eps, clipped to 0 .. 1; global: { N / V, quads / QUADS rounded up } */
kernel void noise(global const IN0 *x /* [c][y][x][n] */, global OUT *y, constant step_values *step)
{
    const int n = (int)GLOBAL_ID(0) * V, first = (int)GLOBAL_ID(1) * QUADS;
    const uintv image = philox_images((uint)n);
    for (int quad = first; quad < min(first + QUADS, ALL_QUADS); quad++) {
        uintv word[4];
        floatv eps[4];
        philox(image, (uint)quad, STREAM, step, word);
        normal_quad(word, eps);
        for (int k = 0; k < min(4, F - quad * 4); k++) {
            const int i = (quad * 4 + k) * N + n;
            WRITE(OUT, clamp(READ(IN0, x + i) + step->noise * eps[k], 0.0f, 1.0f), y + i);
        }
    }
}

/* z = mu + exp(logvar / 2) eps; global: { N / V, quads / QUADS rounded up } */
kernel void sample(global const IN0 *mu /* [c][n] */, global const IN1 *logvar /* [c][n] */, global OUT *z /* [c][n] */,
                   constant step_values *step)
{
    const int n = (int)GLOBAL_ID(0) * V, first = (int)GLOBAL_ID(1) * QUADS;
    const uintv image = philox_images((uint)n);
    for (int quad = first; quad < min(first + QUADS, ALL_QUADS); quad++) {
        uintv word[4];
        floatv eps[4];
        philox(image, (uint)quad, STREAM, step, word);
        normal_quad(word, eps);
        for (int k = 0; k < min(4, F - quad * 4); k++) {
            const int i = (quad * 4 + k) * N + n;
            WRITE(OUT, READ(IN0, mu + i) + exp(0.5f * READ(IN1, logvar + i)) * eps[k], z + i);
        }
    }
}

#if ADDEND
#define ADDEND_PARAMETER global const IN2 *addend /* [c][n] */,
#define PLUS_ADDEND(i) +READ(IN2, addend + (i))
#else
#define ADDEND_PARAMETER
#define PLUS_ADDEND(i)
#endif

/* dlogvar = dz eps exp(logvar / 2) / 2, and what a fused add adds; global: { N / V, quads / QUADS rounded up } */
kernel void sample_grad(global const IN0 *dz /* [c][n] */, global const IN1 *logvar /* [c][n] */,
                        ADDEND_PARAMETER global OUT *dlogvar /* [c][n] */, constant step_values *step)
{
    const int n = (int)GLOBAL_ID(0) * V, first = (int)GLOBAL_ID(1) * QUADS;
    const uintv image = philox_images((uint)n);
    for (int quad = first; quad < min(first + QUADS, ALL_QUADS); quad++) {
        uintv word[4];
        floatv eps[4];
        philox(image, (uint)quad, STREAM, step, word);
        normal_quad(word, eps);
        for (int k = 0; k < min(4, F - quad * 4); k++) {
            const int i = (quad * 4 + k) * N + n;
            const floatv d = READ(IN0, dz + i) * eps[k] * (0.5f * exp(0.5f * READ(IN1, logvar + i)));
            WRITE(OUT, d PLUS_ADDEND(i), dlogvar + i);
        }
    }
}
