/* Points of a search space: drawn, counted, printed and read. */
#include "search/space.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define MOST_POINTS ((int64_t)1 << 22) /* an order of them is a few MB */

clv_search_space clv_space_of(const clv_dimension *dimension, int dimensions)
{
    clv_search_space space = {dimension, dimensions, 1};
    for (int d = 0; d < dimensions && space.points; d++)
        space.points = dimension[d].item && space.points <= MOST_POINTS / dimension[d].items
                           ? space.points * dimension[d].items
                           : 0;
    return space;
}

void clv_space_point(const clv_search_space *space, int64_t index, double point[CLV_MAX_DIMENSIONS])
{
    for (int d = space->dimensions; d-- > 0; index /= space->dimension[d].items)
        point[d] = (double)(index % space->dimension[d].items);
}

int64_t clv_space_index(const clv_search_space *space, const double point[CLV_MAX_DIMENSIONS])
{
    int64_t index = 0;
    for (int d = 0; d < space->dimensions; d++) index = index * space->dimension[d].items + (int64_t)point[d];
    return index;
}

double clv_random_double(clv_random *random)
{
    const uint32_t high = clv_random_word(random) >> 5, low = clv_random_word(random) >> 6;
    return (high * 0x1p26 + low) * 0x1p-53;
}

/* What a reader of the printed number gets. */
static double as_printed(const clv_dimension *dimension, double at)
{
    char text[CLV_SETTING_SIZE];
    double read = at;
    clv_space_print(dimension, at, text);
    clv_space_read(dimension, text, &read);
    return read;
}

/* A range of whole numbers reaches half beyond its ends, so that each number has as much room. */
static double reach(const clv_dimension *d) { return d->integer ? 0.5 : 0; }

double clv_space_share(const clv_dimension *d, double at)
{
    const double low = d->low - reach(d), high = d->high + reach(d);
    const double share = d->log ? log(at / low) / log(high / low) : (at - low) / (high - low);
    return fmin(fmax(share, 0), 1); /* an end as printed may lie a digit outside */
}

double clv_space_unshare(const clv_dimension *d, double share)
{
    const double low = d->low - reach(d), high = d->high + reach(d);
    double at = d->log ? low * pow(high / low, share) : low + share * (high - low);
    if (d->integer) at = round(at);
    return as_printed(d, fmin(fmax(at, d->low), d->high));
}

void clv_space_draw(const clv_search_space *space, clv_random *random, double point[CLV_MAX_DIMENSIONS])
{
    for (int d = 0; d < space->dimensions; d++) {
        const clv_dimension *dimension = &space->dimension[d];
        point[d] = dimension->item ? clv_random_below(random, (uint32_t)dimension->items)
                                   : clv_space_unshare(dimension, clv_random_double(random));
    }
}

/* snprintf and strtod follow the locale; clv_text and clv_parse_real do not. */
void clv_space_print(const clv_dimension *dimension, double at, char text[CLV_SETTING_SIZE])
{
    clv_text made = {0};
    if (dimension->item)
        snprintf(text, CLV_SETTING_SIZE, "%s", dimension->item[(int)at]);
    else {
        clv_text_append(&made, dimension->integer ? "%.0f" : "%.6g", at);
        snprintf(text, CLV_SETTING_SIZE, "%s", made.failed ? "" : made.text);
    }
    clv_text_free(&made);
}

bool clv_space_read(const clv_dimension *dimension, const char *text, double *at)
{
    double number;
    bool numeric = clv_parse_real(text, &number);
    for (int i = 0; i < dimension->items; i++)
        if (!strcmp(dimension->item[i], text) ||
            (numeric && dimension->number && !(dimension->number[i] < number) && !(dimension->number[i] > number))) {
            *at = i;
            return true;
        }
    /* Six digits may round an end of the range outwards, by a share of that end; whole numbers are printed whole. */
    const double slack = dimension->integer ? 0 : 1e-5;
    if (dimension->item || !numeric || number < dimension->low - slack * fabs(dimension->low) ||
        number > dimension->high + slack * fabs(dimension->high))
        return false;
    if (dimension->integer && floor(number) < number) return false;
    *at = number;
    return true;
}

bool clv_space_same(const clv_search_space *space, const double *a, const double *b)
{
    for (int d = 0; d < space->dimensions; d++)
        if (a[d] < b[d] || a[d] > b[d]) return false;
    return true;
}
