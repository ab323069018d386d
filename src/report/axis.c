/* Ticks that people like to read: Heckbert's nice numbers ("Nice numbers for graph labels", Graphics Gems 1990), with
 * 1, 2 and 5 as steps. */
#include "report/axis.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static double nice_step(double raw)
{
    const double power = pow(10, floor(log10(raw)));
    static const double factor[] = {1, 2, 5};
    for (int i = 0; i < 3; i++)
        if (factor[i] * power >= raw * (1 - 1e-9)) return factor[i] * power;
    return 10 * power;
}

/* Least range around a value: what a double can tell apart with room to spare, and never nothing. */
static double least_range(double low, double high, bool whole)
{
    const double magnitude = fmax(fabs(low), fabs(high));
    if (whole) return fmax(2, 1e-10 * magnitude);
    if (low == high) return magnitude > 0 ? 0.2 * magnitude : 1;
    return fmax(1e-10 * magnitude, 1e-100);
}

clv_axis clv_axis_create(double low, double high, double margin, bool whole, int most)
{
    const double least = least_range(low, high, whole), middle = low / 2 + high / 2;
    if (high - low < least) {
        low = middle - least / 2;
        high = middle + least / 2;
    }
    const double room = margin * (high - low);
    clv_axis axis = {.low = low - room, .high = high + room};
    if (low >= 0 && axis.low < 0) axis.low = 0; /* losses and epochs have no place below 0 */
    axis.step = nice_step((axis.high - axis.low) / most);
    if (whole && axis.step < 1) axis.step = 1;
    axis.first = ceil(axis.low / axis.step - 1e-9);
    axis.ticks = (int)(floor(axis.high / axis.step + 1e-9) - axis.first) + 1;

    const int step_digit = (int)floor(log10(axis.step) + 1e-9); /* the power of ten that the step changes */
    const double largest = fmax(fabs(axis.low), fabs(axis.high));
    axis.exponent = largest >= 1e6 || step_digit < -4;
    axis.digits = step_digit < 0 ? -step_digit : 0;
    if (axis.exponent) {
        const int digits = (int)floor(log10(largest) + 1e-9) - step_digit;
        axis.digits = digits < 0 ? 0 : digits > 15 ? 15 : digits;
    }
    return axis;
}

double clv_axis_tick(const clv_axis *axis, int tick)
{
    const double count = axis->first + tick;
    return count == 0 ? 0 : count * axis->step; /* no -0 */
}

/* "1.50e+06" -> "1.5e6". */
static void tidy_exponent(char *text)
{
    char *e = strchr(text, 'e');
    if (!e) return;
    int power = 0;
    sscanf(e + 1, "%d", &power);
    char *end = e;
    if (memchr(text, '.', (size_t)(e - text))) {
        while (end[-1] == '0') end--;
        if (end[-1] == '.') end--;
    }
    snprintf(end, (size_t)(CLV_AXIS_LABEL_SIZE - (end - text)), "e%d", power);
}

const char *clv_axis_label(const clv_axis *axis, int tick, char buffer[CLV_AXIS_LABEL_SIZE])
{
    static const char minus[] = "\xe2\x88\x92"; /* U+2212 */
    const double value = clv_axis_tick(axis, tick);
    char plain[CLV_AXIS_LABEL_SIZE];
    snprintf(plain, sizeof plain, axis->exponent && value != 0 ? "%.*e" : "%.*f", value == 0 ? 0 : axis->digits,
             fabs(value));
    tidy_exponent(plain);
    snprintf(buffer, CLV_AXIS_LABEL_SIZE, "%s%.35s", value < 0 ? minus : "", plain);
    return buffer;
}
