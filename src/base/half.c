/* Halves, by the bits of doubles: a half's exponent counts from 2^-14 (15 below 2^0), a double's from 2^-1022. */
#include "base/half.h"

#include <math.h>
#include <string.h>

enum { EXPONENT_LIMIT = 31, LEAST_EXPONENT = -14, FRACTION_BITS = 10 };

/* fraction of 53 bits >> shift, to the nearest, ties to even; 1 <= shift <= 63 */
static uint64_t shift_rounded(uint64_t fraction, int shift)
{
    const uint64_t whole = fraction >> shift, rest = fraction & (((uint64_t)1 << shift) - 1),
                   tie = (uint64_t)1 << (shift - 1);
    return whole + (rest > tie || (rest == tie && (whole & 1)));
}

uint16_t clv_half_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    const uint16_t sign = (uint16_t)(bits >> 48 & 0x8000), infinite = EXPONENT_LIMIT << FRACTION_BITS;
    const int exponent = (int)(bits >> 52 & 0x7ff) - 1023;
    const uint64_t fraction = (bits & (((uint64_t)1 << 52) - 1)) | (uint64_t)1 << 52;
    if (isnan(x)) return sign | infinite | 1 << (FRACTION_BITS - 1);
    if (exponent > 15) return sign | infinite;
    if (exponent < -26) return sign; /* less than half of the least, 2^-24 */
    const int below = exponent < LEAST_EXPONENT ? LEAST_EXPONENT - exponent : 0;
    const uint64_t rounded = shift_rounded(fraction, 52 - FRACTION_BITS + below);
    /* The leading 1 adds 1 to the exponent's field, and so does a fraction that was rounded up to 2. */
    const uint64_t field = below ? 0 : (uint64_t)(exponent - LEAST_EXPONENT);
    return (uint16_t)(sign | ((field << FRACTION_BITS) + rounded));
}

float clv_half_value(uint16_t half)
{
    const int exponent = half >> FRACTION_BITS & EXPONENT_LIMIT, fraction = half & ((1 << FRACTION_BITS) - 1);
    float magnitude;
    if (exponent == EXPONENT_LIMIT)
        magnitude = fraction ? NAN : INFINITY;
    else if (exponent == 0)
        magnitude = (float)fraction * 0x1p-24f;
    else
        magnitude = ldexpf((float)(fraction | 1 << FRACTION_BITS), exponent + LEAST_EXPONENT - 1 - FRACTION_BITS);
    return half & 0x8000 ? -magnitude : magnitude;
}

void clv_halves_of(const float *from, size_t count, uint16_t *to)
{
    for (size_t i = 0; i < count; i++) to[i] = clv_half_of((double)from[i]);
}

void clv_half_values(const uint16_t *from, size_t count, float *to)
{
    for (size_t i = 0; i < count; i++) to[i] = clv_half_value(from[i]);
}
