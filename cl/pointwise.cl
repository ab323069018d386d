/* Elementwise ops: one kernel whose formula OP chooses. p, q and r are the inputs in order; AT reads one that has the result's
 * shape [c][y][x][n], of type IN0 .. IN2, LANE one of a value an image [n], CHANNEL one of a value a channel [c]. A work-item does CHUNK vectors
 * in a row. A result may lie where its input lay: no pointer is restrict. */
#include "clave.clh"
#include "epilogue.clh"

#ifndef F /* features of an image: c y x */
#define F 64
#endif
#ifndef PER_CHANNEL /* of them, those of a channel */
#define PER_CHANNEL 16
#endif
#ifndef CHUNK
#define CHUNK 1
#endif
#ifndef FACTOR /* scale: alpha; mse_grad: 2 / F */
#define FACTOR 1.0f
#endif

#define AT(type, p) READ(type, (p) + i)
#define LANE(p) LOADV((p) + i % N)
#define CHANNEL(p) (p)[i / (PER_CHANNEL * N)]

#if OP == OP_BIAS
#define INPUTS 2
#define RESULT AT(IN0, p) + CHANNEL(q)
#elif OP == OP_ACT
#define INPUTS 1
#define RESULT epilogue(AT(IN0, p), 0.0f, (floatv)(0.0f))
#elif OP == OP_ACT_GRAD
#define INPUTS 2
#define RESULT epilogue(AT(IN0, p), 0.0f, AT(IN1, q))
#elif OP == OP_MUL
#define INPUTS 2
#define RESULT AT(IN0, p) * AT(IN1, q)
#elif OP == OP_SCALE
#define INPUTS 1
#define RESULT AT(IN0, p) * FACTOR
#elif OP == OP_RAMP
#define INPUTS 1
#define RESULT AT(IN0, p) * step->ramp
#elif OP == OP_BROADCAST
#define INPUTS 1
#define RESULT LANE(p)
#elif OP == OP_MUL_IMAGE
#define INPUTS 2
#define RESULT LANE(p) * AT(IN1, q)
#elif OP == OP_KL_GRAD_LOGVAR
#define INPUTS 2
#define RESULT LANE(p) * (0.5f * expm1(AT(IN1, q)))
#elif OP == OP_MSE_GRAD
#define INPUTS 3
#define RESULT LANE(p) * (FACTOR * (AT(IN1, q) - AT(IN2, r)))
#elif OP == OP_BCE_GRAD
#define INPUTS 3
#define RESULT LANE(p) * (1.0f / (1.0f + exp(-AT(IN1, q))) - AT(IN2, r))
#else /* OP_ADD */
#define INPUTS 2
#define RESULT AT(IN0, p) + AT(IN1, q)
#endif

/* global: { F N / (V CHUNK) rounded up } */
kernel void pointwise(global const IN0 *p
#if INPUTS >= 2
                      , global const IN1 *q
#endif
#if INPUTS >= 3
                      , global const IN2 *r
#endif
                      , global OUT *y /* [c][y][x][n] */
#if OP == OP_RAMP
                      , constant step_values *step
#endif
)
{
    const int first = (int)GLOBAL_ID(0) * CHUNK, last = min(first + CHUNK, F * N / V);
    for (int j = first; j < last; j++) {
        const int i = j * V;
        WRITE(OUT, RESULT, y + i);
    }
}

/* What follows a product that was done without its epilogue, in place; global: { F N / (V CHUNK) rounded up }, where a dropout is
 * part of it { quads of F N / (V CHUNK) rounded up } */
kernel void epilogue_in_place(global OUT *y BIAS_PARAMETER U_PARAMETER DROPOUT_PARAMETER)
{
#ifdef KEEP
    const int first = (int)GLOBAL_ID(0) * CHUNK, last = min(first + CHUNK, (F + 3) / 4 * N / V);
    for (int j = first; j < last; j++) {
        const int quad = j * V / N, n = j * V % N;
        uintv word[4];
        philox(philox_images((uint)n), (uint)quad, STREAM, step, word);
        for (int k = 0; k < min(4, F - quad * 4); k++) {
            const int i = (quad * 4 + k) * N + n;
            WRITE(OUT, dropped(epilogue(AT(OUT, y) ADDEND_AT(i), BIAS_OF(quad * 4 + k), U_AT(i)), word[k]), y + i);
        }
    }
#else
    const int first = (int)GLOBAL_ID(0) * CHUNK, last = min(first + CHUNK, F * N / V);
    for (int j = first; j < last; j++) {
        const int i = j * V;
        WRITE(OUT, epilogue(AT(OUT, y) ADDEND_AT(i), BIAS_OF(i / (PER_CHANNEL * N)), U_AT(i)), y + i);
    }
#endif
}
