/* IEEE 754 half precision on the host: 1 sign, 5 exponent and 10 fraction bits. From 2^-14 on numbers have 11
 * significant bits, below they are multiples of 2^-24; the largest is 65504. */
#ifndef CLAVE_BASE_HALF_H
#define CLAVE_BASE_HALF_H

#include <stddef.h>
#include <stdint.h>

/* The nearest half, ties to even, as vstore_half_rte of OpenCL C; infinite from 65520 on. A NaN stays one. */
uint16_t clv_half_of(double x);
float clv_half_value(uint16_t half);

/* The same there and back: x as it is once it was stored. */
static inline double clv_half_rounded(double x) { return (double)clv_half_value(clv_half_of(x)); }

void clv_halves_of(const float *from, size_t count, uint16_t *to);
void clv_half_values(const uint16_t *from, size_t count, float *to);

#endif
