/* The tree-structured Parzen estimator (Bergstra, Bardenet, Bengio & Kegl 2011, "Algorithms for hyper-parameter
 * optimization", NIPS 24, section 4). The trials so far are split at a quantile of their results: l(x) is a density of
 * the good ones, g(x) of the others, and the expected improvement grows with l(x) / g(x), so that of points drawn from
 * l the one with the highest ratio is tried. Each row of [space] has densities of its own; the ratio of a point is
 * their product.
 *
 * Trials that run at the moment count with the worst result so far (a constant liar, Ginsbourger et al. 2010), so that
 * processes working side by side do not all go to the same place. */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/order.h"
#include "base/try.h"
#include "search/trial.h"

enum { MOST_REDRAWS = 200 };

/* One row's density: of a list, a probability each; of a range, truncated normals about each trial and a wide one about
 * the middle that stands for knowing nothing, in shares of the range. */
typedef struct density {
    double *weight; /* [items] of a list */
    double *centre, *width;
    int kernels;
} density;

typedef struct estimator {
    const clv_search_plan *plan;
    const clv_trial *trial;
    int *order; /* [trials], the best first */
    int trials, good;
    density low, high; /* of the row at hand: l and g */
} estimator;

static double normal_below(double x) { return 0.5 * erfc(-x / 1.4142135623730951); }

/* {result, number}: of equal results the earlier first. */
static int by_result(const void *a, const void *b)
{
    const int order = clv_order_doubles(a, b);
    return order ? order : clv_order_doubles((const double *)a + 1, (const double *)b + 1);
}

/* Fills order with the trials, the best first; of equals the earlier. */
static clv_status rank(estimator *e, clv_error *err)
{
    double *pair = clv_alloc(2 * (size_t)e->trials, sizeof *pair, err), worst = 0;
    bool any = false;
    if (!pair) return CLV_ERR_INTERNAL;
    for (int i = 0; i < e->trials; i++) {
        const double result = clv_trial_result(&e->trial[i]);
        if (!isinf(result) && (!any || result > worst)) worst = result, any = true;
    }
    for (int i = 0; i < e->trials; i++) {
        double result = clv_trial_result(&e->trial[i]);
        if (isinf(result) && e->trial[i].state == CLV_TRIAL_RUNNING) result = worst;
        pair[2 * i] = result;
        pair[2 * i + 1] = i;
    }
    qsort(pair, (size_t)e->trials, 2 * sizeof *pair, by_result);
    for (int i = 0; i < e->trials; i++) e->order[i] = (int)pair[2 * i + 1];
    free(pair);
    return CLV_OK;
}

static void fit_list(density *made, const clv_dimension *dimension, const estimator *e, int d, int from, int to)
{
    double total = 0;
    for (int i = 0; i < dimension->items; i++) made->weight[i] = 1; /* nothing is impossible */
    for (int i = from; i < to; i++) made->weight[(int)e->trial[e->order[i]].point[d]] += 1;
    for (int i = 0; i < dimension->items; i++) total += made->weight[i];
    for (int i = 0; i < dimension->items; i++) made->weight[i] /= total;
}

/* A kernel is as wide as the greater gap to its neighbours, but no narrower than a share of the range that shrinks as
 * trials come in. */
static void fit_range(density *made, const clv_dimension *dimension, const estimator *e, int d, int from, int to)
{
    const int count = to - from;
    const double narrowest = 1.0 / fmin(100, count + 2);
    for (int i = 0; i < count; i++) made->centre[i] = clv_space_share(dimension, e->trial[e->order[from + i]].point[d]);
    qsort(made->centre, (size_t)count, sizeof *made->centre, clv_order_doubles);
    for (int i = 0; i < count; i++) {
        const double left = made->centre[i] - (i ? made->centre[i - 1] : 0);
        const double right = (i + 1 < count ? made->centre[i + 1] : 1) - made->centre[i];
        made->width[i] = fmin(fmax(fmax(left, right), narrowest), 1);
    }
    made->centre[count] = 0.5;
    made->width[count] = 1;
    made->kernels = count + 1;
}

static void fit(density *made, const estimator *e, int d, int from, int to)
{
    const clv_dimension *dimension = &e->plan->space.dimension[d];
    (dimension->item ? fit_list : fit_range)(made, dimension, e, d, from, to);
}

/* The share of a kernel that lies in the range. */
static double inside(const density *made, int kernel)
{
    return normal_below((1 - made->centre[kernel]) / made->width[kernel]) -
           normal_below((0 - made->centre[kernel]) / made->width[kernel]);
}

static double density_at(const density *made, const clv_dimension *dimension, double at)
{
    double sum = 0;
    if (dimension->item) return made->weight[(int)at];
    const double x = clv_space_share(dimension, at);
    for (int k = 0; k < made->kernels; k++) {
        const double z = (x - made->centre[k]) / made->width[k];
        sum += exp(-0.5 * z * z) / (made->width[k] * inside(made, k));
    }
    return sum / made->kernels;
}

static double draw_list(const density *made, const clv_dimension *dimension, clv_random *random)
{
    double left = clv_random_double(random);
    int i = 0;
    while (i + 1 < dimension->items && left >= made->weight[i]) left -= made->weight[i++];
    return i;
}

/* A truncated normal by drawing again: at least 0.3 of every kernel lies in the range, its centre does and it is no
 * wider than the range. */
static double draw_range(const density *made, const clv_dimension *dimension, clv_random *random)
{
    const uint32_t kernel = clv_random_below(random, (uint32_t)made->kernels);
    double share;
    do share = made->centre[kernel] + made->width[kernel] * (double)clv_random_normal(random);
    while (!(share >= 0 && share <= 1));
    return clv_space_unshare(dimension, share);
}

/* The best of the candidates that l gives for one row. */
static double suggest_row(estimator *e, int d, clv_random *random)
{
    const clv_dimension *dimension = &e->plan->space.dimension[d];
    double best = 0, best_ratio = -INFINITY;
    fit(&e->low, e, d, 0, e->good);
    fit(&e->high, e, d, e->good, e->trials);
    for (int i = 0; i < e->plan->candidates; i++) {
        const double at = (dimension->item ? draw_list : draw_range)(&e->low, dimension, random);
        const double ratio = log(fmax(density_at(&e->low, dimension, at), DBL_MIN)) -
                             log(fmax(density_at(&e->high, dimension, at), DBL_MIN));
        if (ratio > best_ratio) best_ratio = ratio, best = at;
    }
    return best;
}

static bool tried(const estimator *e, const double *point)
{
    for (int i = 0; i < e->trials; i++)
        if (clv_space_same(&e->plan->space, e->trial[i].point, point)) return true;
    for (int i = 0; i < e->plan->firsts; i++)
        if (clv_space_same(&e->plan->space, &e->plan->first[i * CLV_MAX_DIMENSIONS], point)) return true;
    return false;
}

/* A point is tried once: it is suggested anew, one row of it, then wholly at random, and in a space of few points the
 * first one left over ends it. */
static void make_new(const estimator *e, clv_random *random, double *point)
{
    const clv_search_space *space = &e->plan->space;
    double drawn[CLV_MAX_DIMENSIONS];
    for (int i = 0; i < MOST_REDRAWS && tried(e, point); i++) {
        const uint32_t row = clv_random_below(random, (uint32_t)space->dimensions);
        clv_space_draw(space, random, drawn);
        if (i < MOST_REDRAWS / 2)
            point[row] = drawn[row];
        else
            for (int d = 0; d < space->dimensions; d++) point[d] = drawn[d];
    }
    for (int64_t i = 0; i < space->points && tried(e, point); i++) clv_space_point(space, i, point);
}

static clv_status allocate(estimator *e, clv_error *err)
{
    size_t most = (size_t)e->trials + 1;
    for (int d = 0; d < e->plan->space.dimensions; d++)
        if ((size_t)e->plan->space.dimension[d].items > most) most = (size_t)e->plan->space.dimension[d].items;
    double *all = clv_alloc(6 * most, sizeof *all, err);
    e->order = all ? clv_alloc(most, sizeof *e->order, err) : NULL;
    e->low = (density){.weight = all};
    if (!e->order) return CLV_ERR_INTERNAL;
    e->low = (density){.weight = all, .centre = all + most, .width = all + 2 * most};
    e->high = (density){.weight = all + 3 * most, .centre = all + 4 * most, .width = all + 5 * most};
    return CLV_OK;
}

clv_status clv_tpe_suggest(const clv_search_plan *plan, const clv_trial *trial, int trials, clv_random *random,
                           double point[CLV_MAX_DIMENSIONS], clv_error *err)
{
    estimator e = {.plan = plan, .trial = trial, .trials = trials};
    clv_status status = CLV_OK;
    CLV_TRY(allocate(&e, err));
    CLV_TRY(rank(&e, err));
    e.good = (int)ceil(plan->quantile * trials);
    for (int d = 0; d < plan->space.dimensions; d++) point[d] = suggest_row(&e, d, random);
    make_new(&e, random, point);
done:
    free(e.low.weight);
    free(e.order);
    return status;
}
