/* Mixtures of Gaussians. Each pass over the points is an expectation and gathers what the maximisation behind it needs,
 * so that no responsibility is stored: sums and scatters about the component's present mean, which lies near the next
 * one.
 *
 * The regularisation e is part of what is maximised, so that each step climbs with it too. The objective is the mean
 * over points of log sum_k w_k N(x; m_k, C_k) exp(-e/2 tr(1/C_k)); its maximum over C_k, given responsibilities, is
 * their weighted scatter plus e on the diagonal. */
#include "analysis/mixture.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/try.h"

#define LOG_TWO_PI 1.8378770664093454836
#define EMPTY      1e-8 /* points: a component with less keeps its place */

enum { STARTS = 3, ITERATIONS = 500, MOST_CHOSEN = 32 };

typedef struct fit {
    const float *points; /* [count][dims] */
    size_t count;
    int dims, components;
    int iterations;
    double tolerance, regularisation;
    double *share;   /* [components]: log densities of a point, then its responsibilities */
    double *offset;  /* [components][dims]: a point less the means */
    double *solved;  /* [dims] */
    double *nearest; /* [count]: squared distance to the nearest centre */
    double *total;   /* [components]: sums of responsibilities */
    double *shift;   /* [components][dims]: of responsibility x offset */
    double *scatter; /* [components][dims][dims]: of responsibility x offset offset', lower half */
} fit;

/* ---- one component ---- */

static clv_status factorise(int dims, const double *matrix, double *factor, clv_error *err)
{
    for (int r = 0; r < dims; r++)
        for (int c = 0; c <= r; c++) {
            double sum = matrix[r * dims + c];
            for (int i = 0; i < c; i++) sum -= factor[r * dims + i] * factor[c * dims + i];
            if (r == c && !(sum > 0))
                return clv_fail(err, CLV_ERR_DATA,
                                "a covariance is not positive definite in dimension %d: fit fewer components", r);
            factor[r * dims + c] = r == c ? sqrt(sum) : sum / factor[c * dims + c];
        }
    return CLV_OK;
}

/* |L^-1 v|^2, L lower triangular; solved [dims] is scratch. */
static double solve(int dims, const double *factor, const double *v, double *solved)
{
    double sum = 0;
    for (int r = 0; r < dims; r++) {
        double value = v[r];
        for (int i = 0; i < r; i++) value -= factor[r * dims + i] * solved[i];
        solved[r] = value / factor[r * dims + r];
        sum += solved[r] * solved[r];
    }
    return sum;
}

/* log(w N(x; m, C)) of x = m + offset. */
static double log_component(const clv_mixture *m, int k, const double *offset, double *solved)
{
    return m->log_peak[k] - solve(m->dims, m->factor + (size_t)k * m->dims * m->dims, offset, solved) / 2;
}

/* log(sum of exp(value)); values become shares of the sum. */
static double share_out(double *value, int count)
{
    double most = value[0], sum = 0;
    for (int k = 1; k < count; k++) most = fmax(most, value[k]);
    for (int k = 0; k < count; k++) sum += value[k] = exp(value[k] - most);
    for (int k = 0; k < count; k++) value[k] /= sum;
    return most + log(sum);
}

/* ---- expectation and maximisation ---- */

static void clear(fit *f)
{
    const size_t k = (size_t)f->components, d = (size_t)f->dims;
    memset(f->total, 0, k * sizeof *f->total);
    memset(f->shift, 0, k * d * sizeof *f->shift);
    memset(f->scatter, 0, k * d * d * sizeof *f->scatter);
}

static void gather(fit *f, int k, double share, const double *offset)
{
    const int d = f->dims;
    double *shift = f->shift + (size_t)k * d, *scatter = f->scatter + (size_t)k * d * d;
    f->total[k] += share;
    for (int r = 0; r < d; r++) {
        const double scaled = share * offset[r];
        shift[r] += scaled;
        for (int c = 0; c <= r; c++) scatter[r * d + c] += scaled * offset[c];
    }
}

static void subtract_mean(const fit *f, const clv_mixture *m, size_t point, int k, double *offset)
{
    for (int i = 0; i < f->dims; i++)
        offset[i] = (double)f->points[point * (size_t)f->dims + (size_t)i] - m->mean[k * f->dims + i];
}

/* Gathers what the next maximisation needs; returns the objective of the mixture as it is. */
static double expect(fit *f, const clv_mixture *m)
{
    double sum = 0;
    clear(f);
    for (size_t p = 0; p < f->count; p++) {
        for (int k = 0; k < f->components; k++) {
            double *offset = f->offset + k * f->dims;
            subtract_mean(f, m, p, k, offset);
            f->share[k] = log_component(m, k, offset, f->solved) - m->penalty[k];
        }
        sum += share_out(f->share, f->components);
        for (int k = 0; k < f->components; k++)
            if (f->share[k] > DBL_EPSILON) gather(f, k, f->share[k], f->offset + k * f->dims);
    }
    return sum / (double)f->count;
}

/* What the density needs of a component whose weight and factor are new. */
static void prepare_component(const fit *f, clv_mixture *m, int k)
{
    const int d = f->dims;
    const double *factor = m->factor + (size_t)k * d * d;
    m->log_peak[k] = log(m->weight[k]) - d * LOG_TWO_PI / 2;
    m->penalty[k] = 0;
    for (int i = 0; i < d; i++) {
        m->log_peak[k] -= log(factor[i * d + i]);
        memset(f->offset, 0, (size_t)d * sizeof *f->offset);
        f->offset[i] = 1;
        m->penalty[k] += f->regularisation / 2 * solve(d, factor, f->offset, f->solved);
    }
}

static clv_status maximise_component(const fit *f, clv_mixture *m, int k, clv_error *err)
{
    const int d = f->dims;
    const double total = f->total[k];
    const double *shift = f->shift + (size_t)k * d, *scatter = f->scatter + (size_t)k * d * d;
    double *covariance = m->covariance + (size_t)k * d * d;
    m->weight[k] = total / (double)f->count;
    clv_status status = CLV_OK;
    if (total >= EMPTY) {
        for (int r = 0; r < d; r++)
            for (int c = 0; c <= r; c++) {
                const double value = scatter[r * d + c] / total - shift[r] / total * (shift[c] / total);
                covariance[r * d + c] = covariance[c * d + r] = value + (r == c ? f->regularisation : 0);
            }
        for (int i = 0; i < d; i++) m->mean[k * d + i] += shift[i] / total;
        status = factorise(d, covariance, m->factor + (size_t)k * d * d, err);
    }
    if (status == CLV_OK) prepare_component(f, m, k);
    return status;
}

static clv_status maximise(const fit *f, clv_mixture *m, clv_error *err)
{
    clv_status status = CLV_OK;
    for (int k = 0; k < f->components && status == CLV_OK; k++) status = maximise_component(f, m, k, err);
    return status;
}

/* ---- the start: k-means++ (Arthur & Vassilvitskii 2007) ---- */

static double distance(const fit *f, const clv_mixture *m, size_t point, int k)
{
    double sum = 0;
    subtract_mean(f, m, point, k, f->offset);
    for (int i = 0; i < f->dims; i++) sum += f->offset[i] * f->offset[i];
    return sum;
}

/* A point with a probability that grows with `nearest`; any where all are 0, as where points are fewer than they seem.
 */
static size_t draw_centre(const fit *f, double sum, clv_random *random)
{
    if (!(sum > 0)) return clv_random_below(random, (uint32_t)f->count);
    double left = (double)clv_random_uniform(random) * sum;
    size_t p = 0;
    while (p + 1 < f->count && left >= f->nearest[p]) left -= f->nearest[p++];
    return p;
}

static void place_centres(fit *f, clv_mixture *m, clv_random *random)
{
    double sum = 0;
    for (int k = 0; k < f->components; k++) {
        const size_t at = draw_centre(f, sum, random);
        for (int i = 0; i < f->dims; i++)
            m->mean[k * f->dims + i] = (double)f->points[at * (size_t)f->dims + (size_t)i];
        sum = 0;
        for (size_t p = 0; p < f->count; p++) {
            const double d = distance(f, m, p, k);
            if (k == 0 || d < f->nearest[p]) f->nearest[p] = d;
            sum += f->nearest[p];
        }
    }
}

/* Each point belongs to the centre it is nearest to. */
static clv_status start(fit *f, clv_mixture *m, clv_random *random, clv_error *err)
{
    place_centres(f, m, random);
    clear(f);
    for (size_t p = 0; p < f->count; p++) {
        int best = 0;
        double least = INFINITY;
        for (int k = 0; k < f->components; k++) {
            const double d = distance(f, m, p, k);
            if (d < least) least = d, best = k;
        }
        subtract_mean(f, m, p, best, f->offset);
        gather(f, best, 1, f->offset);
    }
    for (int k = 0; k < f->components; k++) /* another centre lies on it; it needs a covariance all the same */
        if (f->total[k] == 0) f->total[k] = EMPTY;
    return maximise(f, m, err);
}

static clv_status climb(fit *f, clv_mixture *m, clv_random *random, clv_error *err)
{
    double before = -INFINITY;
    clv_status status = start(f, m, random, err);
    m->converged = false;
    m->iterations = 1;
    while (status == CLV_OK) {
        m->objective = expect(f, m);
        m->converged = m->objective - before < f->tolerance;
        if (m->converged || m->iterations == f->iterations) break;
        before = m->objective;
        m->iterations++;
        status = maximise(f, m, err);
    }
    return status;
}

/* ---- fits ---- */

static clv_status allocate_mixture(int components, int dims, clv_mixture *m, clv_error *err)
{
    const size_t k = (size_t)components, d = (size_t)dims;
    *m = (clv_mixture){.components = components, .dims = dims};
    m->weight = clv_alloc(k, sizeof *m->weight, err);
    m->mean = clv_alloc(k * d, sizeof *m->mean, err);
    m->covariance = clv_alloc(k * d * d, sizeof *m->covariance, err);
    m->factor = clv_alloc(k * d * d, sizeof *m->factor, err);
    m->log_peak = clv_alloc(k, sizeof *m->log_peak, err);
    m->penalty = clv_alloc(k, sizeof *m->penalty, err);
    m->scratch = clv_alloc(2 * d, sizeof *m->scratch, err);
    const bool whole = m->weight && m->mean && m->covariance && m->factor && m->log_peak && m->penalty && m->scratch;
    return whole ? CLV_OK : CLV_ERR_INTERNAL;
}

void clv_mixture_free(clv_mixture *m)
{
    free(m->weight);
    free(m->mean);
    free(m->covariance);
    free(m->factor);
    free(m->log_peak);
    free(m->penalty);
    free(m->scratch);
    *m = (clv_mixture){0};
}

static void free_fit(fit *f)
{
    free(f->share);
    free(f->offset);
    free(f->solved);
    free(f->nearest);
    free(f->total);
    free(f->shift);
    free(f->scatter);
}

static clv_status allocate_fit(fit *f, clv_error *err)
{
    const size_t k = (size_t)f->components, d = (size_t)f->dims;
    f->share = clv_alloc(k, sizeof *f->share, err);
    f->offset = clv_alloc(k * d, sizeof *f->offset, err);
    f->solved = clv_alloc(d, sizeof *f->solved, err);
    f->nearest = clv_alloc(f->count, sizeof *f->nearest, err);
    f->total = clv_alloc(k, sizeof *f->total, err);
    f->shift = clv_alloc(k * d, sizeof *f->shift, err);
    f->scatter = clv_alloc(k * d * d, sizeof *f->scatter, err);
    return f->share && f->offset && f->solved && f->nearest && f->total && f->shift && f->scatter ? CLV_OK
                                                                                                  : CLV_ERR_INTERNAL;
}

/* The mean over dimensions of the points' variance; NaN where a point is not finite. */
static double mean_variance(const fit *f)
{
    double sum = 0;
    for (int i = 0; i < f->dims; i++) {
        double mean = 0, squares = 0;
        for (size_t p = 0; p < f->count; p++) mean += (double)f->points[p * (size_t)f->dims + (size_t)i];
        mean /= (double)f->count;
        for (size_t p = 0; p < f->count; p++) {
            const double offset = (double)f->points[p * (size_t)f->dims + (size_t)i] - mean;
            squares += offset * offset;
        }
        sum += squares / (double)f->count;
    }
    return sum / f->dims;
}

static clv_status set_up(const float *points, size_t count, int dims, const clv_mixture_options *options, fit *f,
                         clv_error *err)
{
    clv_status status = CLV_OK;
    const int components = options->components ? options->components : 1;
    const size_t least = options->regularisation > 0 ? 1 : 2;
    CLV_REQUIRE(components >= 1 && components <= CLV_MAX_COMPONENTS, CLV_ERR_CONFIG,
                "a mixture of %d components: use 1 to %d", components, CLV_MAX_COMPONENTS);
    CLV_REQUIRE(dims >= 1 && dims <= CLV_MAX_MIXTURE_DIMS, CLV_ERR_CONFIG,
                "a mixture of points of %d dimensions: use at most %d", dims, CLV_MAX_MIXTURE_DIMS);
    CLV_REQUIRE(
        count >= least && count >= (size_t)components && count <= UINT32_MAX, CLV_ERR_DATA,
        "a mixture of %d components cannot be fitted to %zu points: use at least two, and as many as components",
        components, count);
    *f = (fit){.points = points,
               .count = count,
               .dims = dims,
               .components = components,
               .iterations = options->iterations ? options->iterations : ITERATIONS,
               .tolerance = options->tolerance > 0 ? options->tolerance : 1e-5};
    const double variance = mean_variance(f);
    CLV_REQUIRE(isfinite(variance), CLV_ERR_DATA, "a point to fit a mixture to is not finite: look at the weights");
    CLV_REQUIRE(variance > 0 || options->regularisation > 0, CLV_ERR_DATA,
                "all %zu points are the same: there is nothing to fit a mixture to", count);
    f->regularisation = options->regularisation > 0 ? options->regularisation : 1e-6 * variance;
    CLV_TRY(allocate_fit(f, err));
done:
    return status;
}

static void judge(const fit *f, clv_mixture *m)
{
    const double n = (double)f->count, d = f->dims, parameters = f->components * (1 + d + d * (d + 1) / 2) - 1;
    double sum = 0;
    for (size_t p = 0; p < f->count; p++) sum += clv_mixture_log_density(m, f->points + p * (size_t)f->dims);
    m->log_likelihood = sum / n;
    m->bic = -2 * sum + parameters * log(n);
}

clv_status clv_mixture_fit(const float *points, size_t count, int dims, const clv_mixture_options *options,
                           clv_mixture *mixture, clv_error *err)
{
    clv_status status;
    fit f = {0};
    clv_mixture best = {0}, tried = {0};
    clv_random random = clv_random_start(options->seed, CLV_STREAM_MIXTURE);
    CLV_TRY(set_up(points, count, dims, options, &f, err));
    const int starts = f.components == 1 ? 1 : options->starts ? options->starts : STARTS;
    for (int i = 0; i < starts; i++) {
        CLV_TRY(allocate_mixture(f.components, dims, &tried, err));
        CLV_TRY(climb(&f, &tried, &random, err));
        if (i == 0 || tried.objective > best.objective) {
            clv_mixture_free(&best);
            best = tried;
            tried = (clv_mixture){0};
        }
        clv_mixture_free(&tried);
    }
    judge(&f, &best);
    *mixture = best;
    best = (clv_mixture){0};
done:
    free_fit(&f);
    clv_mixture_free(&best);
    clv_mixture_free(&tried);
    return status;
}

clv_status clv_mixture_fit_normal(const float *points, size_t count, int dims, clv_mixture *mixture, clv_error *err)
{
    double squares = 0; /* a millionth of the points' size is the least deviation */
    for (size_t i = 0; i < count * (size_t)dims; i++) squares += (double)points[i] * (double)points[i];
    const clv_mixture_options options = {
        .components = 1,
        .regularisation = 1e-12 * squares / ((double)count * dims) + (double)FLT_MIN,
    };
    return clv_mixture_fit(points, count, dims, &options, mixture, err);
}

clv_status clv_mixture_choose(const float *points, size_t count, int dims, const clv_mixture_options *options,
                              clv_mixture *mixture, clv_error *err)
{
    static const int steps[] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256};
    const int most = options->components ? options->components : MOST_CHOSEN;
    clv_status status = CLV_OK;
    clv_mixture best = {0}, tried = {0};
    int worse = 0;
    for (size_t i = 0; i < sizeof steps / sizeof *steps && worse < 2; i++) {
        if (i > 0 && (steps[i] > most || (size_t)steps[i] > count)) break;
        clv_mixture_options one = *options;
        one.components = steps[i];
        CLV_TRY(clv_mixture_fit(points, count, dims, &one, &tried, err));
        const bool better = i == 0 || tried.bic < best.bic;
        worse = better ? 0 : worse + 1;
        if (better) {
            clv_mixture_free(&best);
            best = tried;
            tried = (clv_mixture){0};
        }
        clv_mixture_free(&tried);
    }
    *mixture = best;
    best = (clv_mixture){0};
done:
    clv_mixture_free(&best);
    clv_mixture_free(&tried);
    return status;
}

/* ---- what a mixture is for ---- */

double clv_mixture_log_density(const clv_mixture *m, const float *point)
{
    double *offset = m->scratch, *solved = m->scratch + m->dims, most = -INFINITY, sum = 0; /* of exp(log - most) */
    for (int k = 0; k < m->components; k++) {
        for (int i = 0; i < m->dims; i++) offset[i] = (double)point[i] - m->mean[k * m->dims + i];
        const double log_density = log_component(m, k, offset, solved);
        if (log_density > most) {
            sum = sum * exp(most - log_density) + 1;
            most = log_density;
        } else if (log_density > -INFINITY) {
            sum += exp(log_density - most);
        }
    }
    return most + log(sum);
}

void clv_mixture_draw(const clv_mixture *m, clv_random *random, float *point)
{
    const int d = m->dims;
    double left = (double)clv_random_uniform(random), *normal = m->scratch;
    int k = 0;
    while (k + 1 < m->components && left >= m->weight[k]) left -= m->weight[k++];
    for (int i = 0; i < d; i++) normal[i] = (double)clv_random_normal(random);
    for (int r = 0; r < d; r++) {
        const double *row = m->factor + ((size_t)k * d + (size_t)r) * d;
        double value = m->mean[k * d + r];
        for (int c = 0; c <= r; c++) value += row[c] * normal[c];
        point[r] = (float)value;
    }
}
