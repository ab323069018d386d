/* PCA. The product of rows A A^T comes from the device, in slices of lanes that are added in double. Of points fewer
 * than their dimensions the product is that of the points (Gram's matrix), whose eigenvectors give the axes as sums of
 * points. */
#include "analysis/pca.h"

#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/runner.h"
#include "base/memory.h"
#include "base/try.h"

#define SLICE 1024 /* lanes of a product */

static void find_mean(const clv_points *points, double *mean)
{
    for (int i = 0; i < points->count; i++)
        for (int c = 0; c < points->dims; c++)
            mean[c] += (double)points->at[(size_t)i * (size_t)points->dims + (size_t)c];
    for (int c = 0; c < points->dims; c++) mean[c] /= points->count;
}

/* A as the runner wants it, points of `rows` coordinates: the centred points, or where `by_points` their transpose. */
static float *centre(const clv_points *points, const double *mean, bool by_points, clv_error *err)
{
    const size_t count = (size_t)points->count, dims = (size_t)points->dims;
    float *a = clv_alloc(count * dims, sizeof *a, err);
    if (!a) return NULL;
    for (size_t i = 0; i < count; i++)
        for (size_t c = 0; c < dims; c++)
            a[by_points ? c * count + i : i * dims + c] = (float)((double)points->at[i * dims + c] - mean[c]);
    return a;
}

/* product[rows][rows] += a slice's */
static clv_status add_slice(clv_runner *r, clv_node x, clv_node node, const clv_points *a, int first, float *part,
                            double *product, clv_error *err)
{
    clv_status status = CLV_OK;
    const int lanes = a->count - first < r->plan->batch ? a->count - first : r->plan->batch;
    const clv_step step = {.count = (uint32_t)lanes};
    const size_t size = (size_t)a->dims * (size_t)a->dims;
    CLV_TRY(clv_runner_write_points(r, x, a, first, lanes, err));
    CLV_TRY(clv_runner_run(r, &step, err));
    CLV_TRY(clv_runner_read_rows(r, node, 0, a->dims, part, err));
    for (size_t i = 0; i < size; i++) product[i] += (double)part[i];
done:
    return status;
}

/* The sum over a's points of their outer products: a weight's gradient, with the points for images. */
static clv_status outer_products(clv_backend *be, const clv_points *a, double *product, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_runner r = {0};
    clv_node x, node;
    const clv_shape square = {.rank = 2, .dim = {a->dims, a->dims, 1, 1}};
    const clv_attr window = {.kernel = 1, .stride = 1};
    float *part = clv_alloc((size_t)a->dims * (size_t)a->dims, sizeof *part, err);
    CLV_REQUIRE(part, CLV_ERR_INTERNAL, "out of memory for a matrix of %d x %d", a->dims, a->dims);
    CLV_TRY(clv_runner_start(&r, be, err));
    CLV_TRY(clv_runner_input(&r, "rows", a->dims, &x, err));
    CLV_TRY(
        clv_graph_add(r.graph, CLV_OP_CONV_WEIGHT, "covariance", (clv_node[]){x, x}, 2, &window, &square, &node, err));
    clv_graph_mark_output(r.graph, node);
    CLV_TRY(clv_runner_make(&r, a->count < SLICE ? a->count : SLICE, CLV_NODE_NONE, CLV_NODE_NONE, err));
    for (int first = 0; first < a->count; first += r.plan->batch)
        CLV_TRY(add_slice(&r, x, node, a, first, part, product, err));
done:
    clv_runner_end(&r);
    free(part);
    return status;
}

/* The `count` largest eigenvalues of a symmetric matrix, descending, and their vectors [count][size]; the matrix is
 * lost. */
static clv_status eigenvectors(double *matrix, int size, int count, double *value, double *vector, clv_error *err)
{
    clv_status status = CLV_OK;
    lapack_int found = 0, *support = clv_alloc(2 * (size_t)count, sizeof *support, err);
    double *w = clv_alloc((size_t)size, sizeof *w, err), *z = clv_alloc((size_t)size * (size_t)count, sizeof *z, err);
    CLV_REQUIRE(support && w && z, CLV_ERR_INTERNAL, "out of memory for %d eigenvectors", count);
    const lapack_int code = LAPACKE_dsyevr(LAPACK_COL_MAJOR, 'V', count == size ? 'A' : 'I', 'L', size, matrix, size, 0,
                                           0, size - count + 1, size, 0, &found, w, z, size, support);
    CLV_REQUIRE(code == 0 && found == count, CLV_ERR_INTERNAL, "LAPACK found %d of %d eigenvectors (code %d)",
                (int)found, count, (int)code);
    for (int k = 0; k < count; k++) {
        value[k] = w[count - 1 - k];
        memcpy(vector + (size_t)k * (size_t)size, z + (size_t)(count - 1 - k) * (size_t)size, (size_t)size * sizeof *z);
    }
done:
    free(support);
    free(w);
    free(z);
    return status;
}

/* Axes of unit length from weights of the points. An axis without variance is 0. */
static void axes_of_points(const clv_pca *pca, const clv_points *points, const double *vector)
{
    for (int k = 0; k < pca->components; k++) {
        double *axis = pca->axis + (size_t)k * (size_t)pca->dims, square = 0;
        for (int i = 0; i < points->count; i++)
            for (int c = 0; c < pca->dims; c++)
                axis[c] += vector[(size_t)k * (size_t)points->count + (size_t)i] *
                           ((double)points->at[(size_t)i * (size_t)pca->dims + (size_t)c] - pca->mean[c]);
        for (int c = 0; c < pca->dims; c++) square += axis[c] * axis[c];
        for (int c = 0; c < pca->dims && square > 0; c++) axis[c] /= sqrt(square);
    }
}

/* LAPACK leaves the sign of a vector open: the coordinate of the largest magnitude, the first of them, is made
 * positive. */
static void fix_signs(const clv_pca *pca)
{
    for (int k = 0; k < pca->components; k++) {
        double *axis = pca->axis + (size_t)k * (size_t)pca->dims;
        int largest = 0;
        for (int c = 1; c < pca->dims; c++)
            if (fabs(axis[c]) > fabs(axis[largest]) * (1 + 1e-9)) largest = c;
        if (axis[largest] < 0)
            for (int c = 0; c < pca->dims; c++) axis[c] = -axis[c];
    }
}

static clv_status check(const clv_points *points, int components, clv_error *err)
{
    clv_status status = CLV_OK;
    const int fewer = points->count < points->dims ? points->count : points->dims;
    CLV_REQUIRE(points->count >= 2, CLV_ERR_CONFIG, "principal components need at least 2 points, there is %d",
                points->count);
    CLV_REQUIRE(components >= 1 && components <= points->dims, CLV_ERR_CONFIG,
                "%d principal components of points of %d dimensions", components, points->dims);
    CLV_REQUIRE(fewer <= CLV_PCA_MOST, CLV_ERR_CONFIG,
                "principal components of %d points of %d dimensions take too long: give --count %d or fewer",
                points->count, points->dims, CLV_PCA_MOST);
    CLV_TRY(clv_points_check(points, "points", err));
done:
    return status;
}

clv_status clv_pca_fit(clv_backend *be, const clv_points *points, int components, clv_pca *pca, clv_error *err)
{
    clv_status status = check(points, components, err);
    if (status != CLV_OK) return status;
    const bool by_points = points->count < points->dims;
    const int size = by_points ? points->count : points->dims;
    const size_t dims = (size_t)points->dims;
    clv_pca made = {.dims = points->dims, .components = components < size ? components : size};
    float *a = NULL;
    double *product = clv_alloc((size_t)size * (size_t)size, sizeof *product, err), *vector = NULL;
    made.mean = clv_alloc(dims, sizeof *made.mean, err);
    made.axis = clv_alloc((size_t)components * dims, sizeof *made.axis, err);
    made.variance = clv_alloc((size_t)components, sizeof *made.variance, err);
    vector = clv_alloc((size_t)made.components * (size_t)size, sizeof *vector, err);
    CLV_REQUIRE(product && made.mean && made.axis && made.variance && vector, CLV_ERR_INTERNAL,
                "out of memory for principal components");
    find_mean(points, made.mean);
    a = centre(points, made.mean, by_points, err);
    CLV_REQUIRE(a, CLV_ERR_INTERNAL, "out of memory for principal components");
    const clv_points rows = {by_points ? points->dims : points->count, size, a};
    CLV_TRY(outer_products(be, &rows, product, err));
    for (int i = 0; i < size; i++) made.total += product[(size_t)i * (size_t)(size + 1)] / (points->count - 1);
    CLV_TRY(eigenvectors(product, size, made.components, made.variance, vector, err));
    for (int k = 0; k < made.components; k++) made.variance[k] = fmax(0, made.variance[k]) / (points->count - 1);
    if (by_points)
        axes_of_points(&made, points, vector);
    else
        memcpy(made.axis, vector, (size_t)components * dims * sizeof *vector);
    fix_signs(&made);
    made.components = components; /* beyond the points: axes of 0, without variance */
    *pca = made;
    made = (clv_pca){0};
done:
    clv_pca_free(&made);
    free(product);
    free(vector);
    free(a);
    return status;
}

void clv_pca_free(clv_pca *pca)
{
    free(pca->mean);
    free(pca->axis);
    free(pca->variance);
    *pca = (clv_pca){0};
}

void clv_pca_project(const clv_pca *pca, const clv_points *points, int components, float *out)
{
    const size_t dims = (size_t)pca->dims;
    for (size_t i = 0; i < (size_t)points->count; i++)
        for (int k = 0; k < components; k++) {
            double sum = 0;
            for (size_t c = 0; c < dims; c++)
                sum += ((double)points->at[i * dims + c] - pca->mean[c]) * pca->axis[(size_t)k * dims + c];
            out[i * (size_t)components + (size_t)k] = (float)sum;
        }
}
