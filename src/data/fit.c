/* Pictures of one size and channel count. The weights of a resize are integers, so that its means are exact. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/try.h"
#include "data/raster.h"

/* Pixels along x or y: a new one is the sum of the old ones that find_taps names, each by its weight / total. */
typedef struct axis {
    int64_t from, to; /* pixels before and after */
    int64_t total;    /* of the weights */
} axis;

static axis make_axis(int from, int to) { return (axis){from, to, to <= from ? from : 2 * (int64_t)to}; }

/* Fewer pixels: new pixel i covers [i from, (i + 1) from), old pixel j [j to, (j + 1) to), in units of 1 / to of an old
 * pixel. More: its centre lies at ((2 i + 1) from - to) / (2 to), between two old ones. */
static void find_taps(const axis *a, int64_t i, int64_t *first, int64_t *last, int64_t *share)
{
    if (a->to <= a->from) {
        *first = i * a->from / a->to;
        *last = ((i + 1) * a->from - 1) / a->to;
        return;
    }
    const int64_t centre = (2 * i + 1) * a->from - a->to;
    const int64_t at = centre < 0 ? -1 : centre / a->total;
    *share = centre - at * a->total; /* of the right one */
    *first = at;
    *last = at + 1;
}

static int64_t weight(const axis *a, int64_t i, int64_t j, int64_t first, int64_t share)
{
    if (a->to > a->from) return j == first ? a->total - share : share;
    const int64_t low = i * a->from > j * a->to ? i * a->from : j * a->to;
    const int64_t high = (i + 1) * a->from < (j + 1) * a->to ? (i + 1) * a->from : (j + 1) * a->to;
    return high - low;
}

static int64_t inside(const axis *a, int64_t j) { return j < 0 ? 0 : j >= a->from ? a->from - 1 : j; }

/* A pixel's value as 1 or 3 channels. */
static uint8_t value(const clv_raster *r, int channels, int c, size_t pixel)
{
    const uint8_t *at = r->pixel + pixel * (size_t)r->channels;
    if (r->channels == channels) return at[c];
    if (r->channels == 1) return at[0];
    return (uint8_t)((299 * at[0] + 587 * at[1] + 114 * at[2] + 500) / 1000);
}

/* One channel, each row resized: sums[y][x] of raster->height rows, not yet divided by x->total. At most 16384 x 255.
 */
static void resize_rows(const clv_raster *r, int channels, int c, const axis *x, uint32_t *sums)
{
    for (int64_t i = 0; i < x->to; i++) {
        int64_t first, last, share = 0;
        find_taps(x, i, &first, &last, &share);
        for (int64_t j = first; j <= last; j++) {
            const uint32_t w = (uint32_t)weight(x, i, j, first, share);
            const size_t column = (size_t)inside(x, j);
            for (int64_t y = 0; y < r->height; y++)
                sums[y * x->to + i] += w * value(r, channels, c, (size_t)y * (size_t)r->width + column);
        }
    }
}

static void resize_columns(const uint32_t *sums, const axis *y, const axis *x, uint8_t *out /* [y][x] */)
{
    const uint64_t total = (uint64_t)(y->total * x->total);
    for (int64_t i = 0; i < y->to; i++) {
        int64_t first, last, share = 0;
        find_taps(y, i, &first, &last, &share);
        for (int64_t k = 0; k < x->to; k++) {
            uint64_t sum = 0;
            for (int64_t j = first; j <= last; j++)
                sum += (uint64_t)weight(y, i, j, first, share) * sums[inside(y, j) * x->to + k];
            out[i * x->to + k] = (uint8_t)((sum + total / 2) / total);
        }
    }
}

clv_status clv_raster_fit(const clv_raster *raster, int channels, int height, int width, uint8_t *out /* [c][y][x] */,
                          clv_error *err)
{
    const size_t plane = (size_t)height * (size_t)width, room = (size_t)raster->height * (size_t)width;
    if (raster->height == height && raster->width == width) {
        for (int c = 0; c < channels; c++)
            for (size_t i = 0; i < plane; i++) out[(size_t)c * plane + i] = value(raster, channels, c, i);
        return CLV_OK;
    }
    const axis y = make_axis(raster->height, height), x = make_axis(raster->width, width);
    for (int c = 0; c < channels; c++) {
        uint32_t *sums = clv_alloc(room, sizeof *sums, err);
        if (!sums) return CLV_ERR_INTERNAL;
        resize_rows(raster, channels, c, &x, sums);
        resize_columns(sums, &y, &x, out + (size_t)c * plane);
        free(sums);
    }
    return CLV_OK;
}
