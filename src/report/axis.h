/* An axis of a plot, linear or logarithmic: its range, its ticks and their labels. Ticks stand at 1, 2 or 5 times a
 * power of ten. */
#ifndef CLAVE_REPORT_AXIS_H
#define CLAVE_REPORT_AXIS_H

#include <stdbool.h>

enum { CLV_AXIS_LISTED = 6 };

typedef struct clv_axis {
    double low, high; /* ends */
    double step;      /* between ticks */
    double first;     /* tick i stands at (first + i) step, or at that number in the row of `decades` */
    int ticks;
    int digits;    /* behind the decimal point */
    bool exponent; /* labels as 1.5e6 */
    bool log;      /* a logarithmic scale */
    int decades;   /* between ticks; 0: ticks at steps, on a logarithmic scale too; -1: at 1, 2 and 5 in each decade */
    bool listed;   /* ticks at the values `tick` instead */
    bool complete; /* those are all the values there are */
    double tick[CLV_AXIS_LISTED];
} clv_axis;

#define CLV_AXIS_LABEL_SIZE 40

/* The range of values low .. high (finite, low <= high) with a margin on both sides, as a share of it, and at most
 * `most` + 1 ticks. A range too narrow to be told apart is widened; one value alone has the one tick. `whole`: the values
 * are whole numbers, so no tick stands between two. */
clv_axis clv_axis_create(double low, double high, double margin, bool whole, int most);

/* The same on a logarithmic scale, 0 < low <= high. A range without two of 1, 2, 5, 10 … has ticks at steps, or at its
 * ends. */
clv_axis clv_axis_create_log(double low, double high, double margin, int most);

/* Puts the ticks at `count` values, CLV_AXIS_LISTED at most, in rising order: those of a parameter that takes few. */
void clv_axis_list(clv_axis *axis, const double *value, int count);

double clv_axis_tick(const clv_axis *axis, int tick);
/* Where a value lies: 0 at the low end, 1 at the high one. */
double clv_axis_share(const clv_axis *axis, double value);
/* "0.05", "120", "−1.5e6" in UTF-8; returns buffer. */
const char *clv_axis_label(const clv_axis *axis, int tick, char buffer[CLV_AXIS_LABEL_SIZE]);
/* A number of `digits` significant digits as labels write it: "0.0012", "−1.5e6"; returns buffer. */
const char *clv_number_label(double value, int digits, char buffer[CLV_AXIS_LABEL_SIZE]);

#endif
