/* Numbers from the least to the greatest. */
#include "base/order.h"

#include <stdlib.h>

int clv_order_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int clv_order_floats(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

double clv_median(double *value, size_t count)
{
    qsort(value, count, sizeof *value, clv_order_doubles);
    return count % 2 ? value[count / 2] : (value[count / 2 - 1] + value[count / 2]) / 2;
}
