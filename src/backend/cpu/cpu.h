/* The reference's inside: a call with its operands' addresses, and the table of functions, one an op, of either type.
 */
#ifndef CLAVE_CPU_H
#define CLAVE_CPU_H

#include "backend/backend.h"

/* Lanes of a batch are a multiple of it. The loops work on LANES images at a time; and padding is met, as on devices.
 */
#define CLV_CPU_LANES 8

/* A call whose operands were found in the buffers. Pointers are to `real`s of the table's type. */
typedef struct clv_cpu_call {
    const clv_call *call;
    const clv_step *step;
    const void *in[CLV_MAX_INPUTS];
    void *beside; /* the second result of a call that has one: its last input */
    void *out;
    const uint8_t *images, *labels; /* gather, label */
    const uint32_t *order;
    uint32_t image_count, label_count;
    void *param, *grad, *moment1, *moment2, *rate; /* whole spaces: adam, sgd */
    void *trace;                            /* record */
} clv_cpu_call;

typedef void (*clv_cpu_function)(const clv_cpu_call *c);

/* [op]; set for every op: sources and views do nothing. */
extern const clv_cpu_function clv_cpu_table_float[CLV_OP_COUNT], clv_cpu_table_double[CLV_OP_COUNT];

/* Elements of a tensor without its batch: the features. */
static inline size_t clv_cpu_features(const clv_shape *shape)
{
    return (size_t)shape->dim[0] * (size_t)shape->dim[1] * (size_t)shape->dim[2] * (size_t)shape->dim[3];
}

#endif
