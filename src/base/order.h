/* Order among numbers: comparisons for qsort, and the middle of a list. NaN has no place among them. */
#ifndef CLAVE_BASE_ORDER_H
#define CLAVE_BASE_ORDER_H

#include <stddef.h>

/* For qsort, from the least to the greatest. They read the first number alone of an element that is longer. */
int clv_order_doubles(const void *a, const void *b);
int clv_order_floats(const void *a, const void *b);

/* The middle value, or the mean of the two in the middle; sorts the values, of which there is one at least. */
double clv_median(double *value, size_t count);

#endif
