/* Ticks that people like to read: Heckbert's nice numbers ("Nice numbers for graph labels", Graphics Gems 1990), with
 * 1, 2 and 5 as steps; on a logarithmic scale decades, or 1, 2 and 5 in each. */
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
    if (whole) return fmax(low == high ? 1 : 2, 1e-10 * magnitude);
    if (low == high) return magnitude > 0 ? 0.2 * magnitude : 1;
    return fmax(1e-10 * magnitude, 1e-100);
}

clv_axis clv_axis_create(double low, double high, double margin, bool whole, int most)
{
    const double least = least_range(low, high, whole), middle = low / 2 + high / 2;
    const bool one = low == high;
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
    axis.exponent = largest >= 1e6 || (step_digit < -4 && largest < 1e-2);
    axis.digits = step_digit < 0 ? -step_digit : 0;
    if (axis.exponent) {
        const int digits = (int)floor(log10(largest) + 1e-9) - step_digit;
        axis.digits = digits < 0 ? 0 : digits > 15 ? 15 : digits;
    }
    if (one) clv_axis_list(&axis, &middle, 1);
    return axis;
}

static const double in_decade[] = {1, 2, 5};

/* Sets the ticks that lie within the axis, where -1 stands for 1, 2 and 5 in each decade. */
static void set_decades(clv_axis *axis, int decades)
{
    const double low = log10(axis->low), high = log10(axis->high);
    axis->decades = decades;
    axis->first = decades > 0 ? ceil(low / decades - 1e-9) : 3 * floor(low);
    axis->ticks = decades > 0 ? (int)(floor(high / decades + 1e-9) - axis->first) + 1 : 0;
    if (decades > 0) return;
    while (log10(clv_axis_tick(axis, 0)) < low - 1e-9) axis->first++;
    while (log10(clv_axis_tick(axis, axis->ticks)) <= high + 1e-9) axis->ticks++;
}

/* The same from the first decade on, whatever its number: two ticks at least where the axis has two decades. */
static void stride_decades(clv_axis *axis, int most)
{
    const double low = ceil(log10(axis->low) - 1e-9), high = floor(log10(axis->high) + 1e-9);
    if (high <= low) return;
    axis->decades = (int)ceil((high - low) / most);
    axis->first = low / axis->decades;
    axis->ticks = (int)((high - low) / axis->decades) + 1;
}

clv_axis clv_axis_create_log(double low, double high, double margin, int most)
{
    static const int levels[] = {-1, 1, 2, 3, 5, 10, 20, 30, 50, 100};
    const double narrow = high / low < 1 + 1e-9 ? 2 : 1; /* one value: an octave on both sides */
    const double room = pow(high / low * narrow * narrow, margin);
    clv_axis axis = {.low = low / narrow / room, .high = high * narrow * room, .log = true};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        set_decades(&axis, levels[i]);
        if (axis.ticks <= most + 1) break;
    }
    if (axis.ticks < 2) stride_decades(&axis, most);
    if (axis.ticks >= 2) return axis;
    const double ends[] = {axis.low, axis.high};
    axis = clv_axis_create(axis.low, axis.high, 0, false, most > 4 ? most / 2 : 2);
    axis.log = true;
    if (axis.ticks < 2 || axis.ticks > most + 1) clv_axis_list(&axis, ends, 2);
    return axis;
}

void clv_axis_list(clv_axis *axis, const double *value, int count)
{
    axis->listed = true;
    axis->ticks = count;
    for (int i = 0; i < count; i++) axis->tick[i] = value[i];
}

double clv_axis_tick(const clv_axis *axis, int tick)
{
    if (axis->listed) return axis->tick[tick];
    const double count = axis->first + tick;
    if (axis->decades > 0) return pow(10, round(count * axis->decades));
    if (axis->decades < 0) return in_decade[(int)(count - 3 * floor(count / 3))] * pow(10, floor(count / 3));
    return count == 0 ? 0 : count * axis->step; /* no -0 */
}

double clv_axis_share(const clv_axis *axis, double value)
{
    if (axis->log) return log10(value / axis->low) / log10(axis->high / axis->low);
    return (value - axis->low) / (axis->high - axis->low);
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

/* "0.02", "500", "1e-5": decades in the words in which they are said. */
static void decade_label(double value, char buffer[CLV_AXIS_LABEL_SIZE])
{
    const bool plain = value > 0.9e-3 && value < 0.9e5;
    const int digits = value < 0.9e-2 ? 3 : value < 0.09 ? 2 : value < 0.9 ? 1 : 0;
    snprintf(buffer, CLV_AXIS_LABEL_SIZE, plain ? "%.*f" : "%.*e", plain ? digits : 0, value);
    tidy_exponent(buffer);
}

static const char *with_sign(double value, const char *plain, char buffer[CLV_AXIS_LABEL_SIZE])
{
    static const char minus[] = "\xe2\x88\x92"; /* U+2212 */
    snprintf(buffer, CLV_AXIS_LABEL_SIZE, "%s%.35s", value < 0 ? minus : "", plain);
    return buffer;
}

const char *clv_number_label(double value, int digits, char buffer[CLV_AXIS_LABEL_SIZE])
{
    char plain[CLV_AXIS_LABEL_SIZE];
    const double magnitude = fabs(value);
    if (magnitude != 0 && (magnitude < 0.9e-3 || magnitude >= 99999.5))
        snprintf(plain, sizeof plain, "%.*e", digits - 1, magnitude);
    else
        snprintf(plain, sizeof plain, magnitude < pow(10, digits - 1) ? "%.*g" : "%.*f",
                 magnitude < pow(10, digits - 1) ? digits : 0, magnitude);
    tidy_exponent(plain);
    return with_sign(value, plain, buffer);
}

const char *clv_axis_label(const clv_axis *axis, int tick, char buffer[CLV_AXIS_LABEL_SIZE])
{
    const double value = clv_axis_tick(axis, tick);
    char plain[CLV_AXIS_LABEL_SIZE];
    if (axis->listed) return clv_number_label(value, 4, buffer);
    if (axis->decades) {
        decade_label(value, buffer);
        return buffer;
    }
    snprintf(plain, sizeof plain, axis->exponent && value != 0 ? "%.*e" : "%.*f", value == 0 ? 0 : axis->digits,
             fabs(value));
    tidy_exponent(plain);
    return with_sign(value, plain, buffer);
}
