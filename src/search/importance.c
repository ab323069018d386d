/* Importance of the rows of a space: analysis of variance on a random forest. Coordinates are places in a list, or
 * shares of a range; a list's places are cells of width 1, and a tree cuts between them in the order of the list. */
#include "search/importance.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/order.h"
#include "base/try.h"

enum { TREES = 48, LEAST = 4, LEAF_LEAST = 2 };

typedef struct box {
    double low[CLV_MAX_DIMENSIONS], high[CLV_MAX_DIMENSIONS]; /* low <= x < high */
    double value;                                             /* the mean of the results inside */
} box;

typedef struct forest {
    const clv_search_space *space;
    const double *value;
    double *at;  /* [count][dimensions] coordinates */
    int *sample; /* [count] drawn with replacement, sorted into boxes as they are cut */
    int count;
    box *leaf; /* [leaves] of the tree at hand */
    int leaves;
    double *edge; /* [2 leaves] room for one row's marginal */
    double *pair; /* [2 count] room for a cut */
    clv_random random;
} forest;

static double extent(const clv_search_space *space, int d)
{
    return space->dimension[d].item ? space->dimension[d].items : 1;
}

static double coordinate(const clv_search_space *space, int d, double at)
{
    return space->dimension[d].item ? at : clv_space_share(&space->dimension[d], at);
}

typedef struct cut {
    int dimension; /* -1: none */
    double at, gain;
} cut;

/* The cut by which the sum of squared differences to the mean falls most. A list is cut between places, a range
 * half-way between two of its samples. Pairs (coordinate, result) sort by the first alone. */
static void best_cut_of(const forest *f, int from, int to, int d, cut *best)
{
    const int count = to - from;
    double sum = 0, left = 0;
    for (int i = 0; i < count; i++) {
        const int sample = f->sample[from + i];
        f->pair[2 * i] = f->at[sample * f->space->dimensions + d];
        f->pair[2 * i + 1] = f->value[sample];
        sum += f->value[sample];
    }
    qsort(f->pair, (size_t)count, 2 * sizeof *f->pair, clv_order_doubles);
    for (int i = 1; i < count; i++) {
        const double before = f->pair[2 * (i - 1)], x = f->pair[2 * i];
        left += f->pair[2 * (i - 1) + 1];
        if (i < LEAF_LEAST || count - i < LEAF_LEAST || !(before < x)) continue;
        const double right = sum - left, gain = left * left / i + right * right / (count - i) - sum * sum / count;
        if (gain > best->gain) *best = (cut){d, f->space->dimension[d].item ? x : (before + x) / 2, gain};
    }
}

static cut best_cut(const forest *f, int from, int to)
{
    cut best = {-1, 0, 1e-300};
    for (int d = 0; d < f->space->dimensions; d++) best_cut_of(f, from, to, d, &best);
    return best;
}

static void grow(forest *f, int from, int to, box within)
{
    const cut best = to - from >= 2 * LEAF_LEAST ? best_cut(f, from, to) : (cut){.dimension = -1};
    if (best.dimension < 0) {
        within.value = 0;
        for (int i = from; i < to; i++) within.value += f->value[f->sample[i]] / (to - from);
        f->leaf[f->leaves++] = within;
        return;
    }
    int middle = from;
    for (int i = from; i < to; i++) {
        const int sample = f->sample[i];
        if (f->at[sample * f->space->dimensions + best.dimension] >= best.at) continue;
        f->sample[i] = f->sample[middle];
        f->sample[middle++] = sample;
    }
    box left = within, right = within;
    left.high[best.dimension] = right.low[best.dimension] = best.at;
    grow(f, from, middle, left);
    grow(f, middle, to, right);
}

/* The share of the space that a leaf covers, in all rows but one (-1: in all). */
static double share(const forest *f, const box *leaf, int but)
{
    double product = 1;
    for (int d = 0; d < f->space->dimensions; d++)
        if (d != but) product *= (leaf->high[d] - leaf->low[d]) / extent(f->space, d);
    return product;
}

/* The variance over row d of the tree's mean over all other rows: piecewise constant between the leaves' edges. */
static double marginal_variance(forest *f, int d, double mean)
{
    double variance = 0;
    int edges = 0;
    for (int i = 0; i < f->leaves; i++) {
        f->edge[edges++] = f->leaf[i].low[d];
        f->edge[edges++] = f->leaf[i].high[d];
    }
    qsort(f->edge, (size_t)edges, sizeof *f->edge, clv_order_doubles);
    for (int e = 0; e + 1 < edges; e++) {
        const double width = f->edge[e + 1] - f->edge[e], middle = (f->edge[e + 1] + f->edge[e]) / 2;
        double marginal = 0;
        if (!(width > 0)) continue;
        for (int i = 0; i < f->leaves; i++)
            if (f->leaf[i].low[d] <= middle && middle < f->leaf[i].high[d])
                marginal += f->leaf[i].value * share(f, &f->leaf[i], d);
        variance += width / extent(f->space, d) * (marginal - mean) * (marginal - mean);
    }
    return variance;
}

/* Adds one tree's shares; false where it is constant. */
static bool add_tree(forest *f, double *importance)
{
    box whole = {.value = 0};
    double mean = 0, variance = 0;
    for (int d = 0; d < f->space->dimensions; d++) whole.high[d] = extent(f->space, d);
    for (int i = 0; i < f->count; i++) f->sample[i] = (int)clv_random_below(&f->random, (uint32_t)f->count);
    f->leaves = 0;
    grow(f, 0, f->count, whole);
    for (int i = 0; i < f->leaves; i++) mean += share(f, &f->leaf[i], -1) * f->leaf[i].value;
    for (int i = 0; i < f->leaves; i++)
        variance += share(f, &f->leaf[i], -1) * (f->leaf[i].value - mean) * (f->leaf[i].value - mean);
    if (!(variance > 0)) return false;
    for (int d = 0; d < f->space->dimensions; d++) importance[d] += marginal_variance(f, d, mean) / variance;
    return true;
}

clv_status clv_importance(const clv_search_space *space, const double *point, const double *value, int count,
                          uint64_t seed, double *importance, clv_error *err)
{
    const int dimensions = space->dimensions;
    forest f = {
        .space = space, .value = value, .count = count, .random = clv_random_start(seed, CLV_STREAM_SEARCH - 1)};
    clv_status status = CLV_OK;
    int trees = 0;
    for (int d = 0; d < dimensions; d++) importance[d] = 0;
    if (count >= LEAST) {
        f.at = clv_alloc((size_t)count * (size_t)dimensions, sizeof *f.at, err);
        f.sample = f.at ? clv_alloc((size_t)count, sizeof *f.sample, err) : NULL;
        f.leaf = f.sample ? clv_alloc((size_t)count, sizeof *f.leaf, err) : NULL;
        f.edge = f.leaf ? clv_alloc(2 * (size_t)count, sizeof *f.edge, err) : NULL;
        f.pair = f.edge ? clv_alloc(2 * (size_t)count, sizeof *f.pair, err) : NULL;
        CLV_REQUIRE(f.pair, CLV_ERR_INTERNAL, "out of memory for the importance of %d rows", dimensions);
        for (int i = 0; i < count; i++)
            for (int d = 0; d < dimensions; d++)
                f.at[i * dimensions + d] = coordinate(space, d, point[i * CLV_MAX_DIMENSIONS + d]);
        for (int t = 0; t < TREES; t++) trees += add_tree(&f, importance);
    }
    for (int d = 0; d < dimensions; d++) importance[d] = trees ? importance[d] / trees : NAN;
done:
    free(f.at);
    free(f.sample);
    free(f.leaf);
    free(f.edge);
    free(f.pair);
    return status;
}
