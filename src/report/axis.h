/* An axis of a plot: its range, its ticks at 1, 2 or 5 times a power of ten, and their labels. */
#ifndef CLAVE_REPORT_AXIS_H
#define CLAVE_REPORT_AXIS_H

#include <stdbool.h>

typedef struct clv_axis {
    double low, high; /* ends */
    double step;      /* between ticks */
    double first;     /* tick i stands at (first + i) step */
    int ticks;
    int digits;    /* behind the decimal point */
    bool exponent; /* labels as 1.5e6 */
} clv_axis;

#define CLV_AXIS_LABEL_SIZE 40

/* The range of values low .. high (finite, low <= high) with a margin on both sides, as a share of it, and at most
 * `most` + 1 ticks. A range too narrow to be told apart is widened. `whole`: the values are whole numbers, so no tick
 * stands between two. */
clv_axis clv_axis_create(double low, double high, double margin, bool whole, int most);

double clv_axis_tick(const clv_axis *axis, int tick);
/* "0.05", "120", "−1.5e6" in UTF-8; returns buffer. */
const char *clv_axis_label(const clv_axis *axis, int tick, char buffer[CLV_AXIS_LABEL_SIZE]);

#endif
