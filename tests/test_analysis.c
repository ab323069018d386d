/* Analysis: PCA and t-SNE against scikit-learn's figures on the same points, neighbours against what can be counted by
 * hand, and the points that have nothing to show. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/neighbours.h"
#include "analysis/pca.h"
#include "analysis/tsne.h"
#include "base/memory.h"
#include "base/philox.h"
#include "clave/data.h"
#include "golden/tsne.h"
#include "support.h"

static clv_backend *device; /* the one that CLAVE_TEST_DEVICE names, or the float reference */

/* The first test images, averaged over squares of 4 x 4 pixels, as golden/tsne.py makes them. */
static float *golden_points(void)
{
    clv_images images = {0};
    float *points = calloc(GOLDEN_POINTS * 49, sizeof *points);
    assert_non_null(points);
    assert_ok(clv_images_load("assets/mnist", CLV_SPLIT_TEST, &images, err));
    for (size_t i = 0; i < GOLDEN_POINTS; i++)
        for (size_t p = 0; p < 784; p++)
            points[i * 49 + p / 28 / 4 * 7 + p % 28 / 4] += (float)images.pixel[i * 784 + p];
    for (size_t i = 0; i < GOLDEN_POINTS * 49; i++) points[i] = (float)((double)points[i] / (16 * 255));
    clv_images_free(&images);
    return points;
}

static double trust_of(clv_backend *be, const clv_points *points, const float *map, int k)
{
    const clv_points plane = {points->count, 2, map};
    clv_distances d;
    clv_neighbours n;
    double trust;
    assert_ok(clv_distances_open(be, &plane, &d, err));
    assert_ok(clv_neighbours_find(&d, k, &n, err));
    clv_distances_close(&d);
    assert_ok(clv_distances_open(be, points, &d, err));
    assert_ok(clv_trustworthiness(&d, &n, &trust, err));
    clv_distances_close(&d);
    clv_neighbours_free(&n);
    return trust;
}

/* The covariance is of floats summed in slices: 1e-5 is well above its rounding, and below any mistake. */
static void test_pca(void **state)
{
    (void)state;
    float *at = golden_points(), *plane = calloc(GOLDEN_POINTS * 2, sizeof *plane);
    const clv_points points = {GOLDEN_POINTS, 49, at};
    clv_pca pca;
    assert_non_null(plane);
    assert_ok(clv_pca_fit(device, &points, 5, &pca, err));
    for (int k = 0; k < 5; k++) {
        assert_true(fabs(pca.variance[k] / golden_variance[k] - 1) < 1e-5);
        assert_true(fabs(pca.variance[k] / pca.total / golden_ratio[k] - 1) < 1e-5);
        double square = 0, largest = 0;
        for (int c = 0; c < 49; c++) {
            const double x = pca.axis[k * 49 + c];
            square += x * x;
            if (fabs(x) > fabs(largest)) largest = x;
        }
        assert_true(fabs(square - 1) < 1e-9 && largest > 0);
    }
    clv_pca_project(&pca, &points, 2, plane);
    /* A few neighbours may change places by rounding: each moves the figure by less than 1 / (points k). */
    assert_true(fabs(trust_of(device, &points, plane, 5) - golden_plane_trust) < 1e-4);
    clv_pca_free(&pca);
    free(plane);
    free(at);
}

/* Of fewer points than dimensions: the same axes as by the covariance. */
static void test_pca_by_points(void **state)
{
    (void)state;
    enum { COUNT = 40, WIDE = 49 };
    float *at = golden_points(), project[COUNT * 3];
    const clv_points points = {COUNT, WIDE, at};
    clv_pca pca;
    assert_ok(clv_pca_fit(device, &points, 3, &pca, err));
    clv_pca_project(&pca, &points, 3, project);
    double all = 0, mean[WIDE] = {0};
    for (int i = 0; i < COUNT; i++)
        for (int c = 0; c < WIDE; c++) mean[c] += (double)at[i * WIDE + c] / COUNT;
    for (int i = 0; i < COUNT; i++)
        for (int c = 0; c < WIDE; c++) all += pow((double)at[i * WIDE + c] - mean[c], 2) / (COUNT - 1);
    assert_true(fabs(pca.total / all - 1) < 1e-5);
    for (int k = 0; k < 3; k++) { /* coordinates have the variances, and are not correlated */
        double square = 0, other = 0;
        for (int i = 0; i < COUNT; i++) {
            square += pow((double)project[i * 3 + k], 2) / (COUNT - 1);
            other += (double)project[i * 3 + k] * (double)project[i * 3 + (k + 1) % 3] / (COUNT - 1);
        }
        assert_true(fabs(square / pca.variance[k] - 1) < 1e-4);
        assert_true(fabs(other) < 1e-4 * pca.variance[0]);
    }
    clv_pca_free(&pca);
    free(at);
}

/* The bounds: divergence within 3 %, trustworthiness within 0.01. */
static void test_tsne_as_scikit_learn(void **state)
{
    (void)state;
    float *at = golden_points(), *map = calloc(GOLDEN_POINTS * 2, sizeof *map);
    const clv_points points = {GOLDEN_POINTS, 49, at};
    const clv_tsne_options options = {.perplexity = 30, .iterations = 1000, .seed = 7};
    double kl = 0;
    assert_non_null(map);
    assert_ok(clv_tsne(device, &points, &options, map, &kl, err));
    const double trust = trust_of(device, &points, map, 5);
    printf("KL %.4f (scikit-learn %.4f), trustworthiness %.4f (%.4f)\n", kl, golden_kl, trust, golden_trust);
    assert_true(fabs(kl / golden_kl - 1) < 0.03);
    assert_true(fabs(trust - golden_trust) < 0.01);
    free(map);
    free(at);
}

/* Points of two far clusters. */
static void two_clusters(float *at, int count, int dims)
{
    clv_random random = clv_random_start(5, CLV_STREAM_PICTURE);
    for (int i = 0; i < count; i++)
        for (int c = 0; c < dims; c++) at[i * dims + c] = clv_random_normal(&random) + (i % 2 ? 40 : 0);
}

/* The reference and the device agree on the first steps (rounding grows about tenfold a step while the map unfolds,
 * from 1e-6 of its size to 1e-5 at the fifth); the same call gives the same bits. */
static void test_backends_agree(void **state)
{
    (void)state;
    enum { COUNT = 100, DIMS = 3 };
    float at[COUNT * DIMS], a[COUNT * 2], b[COUNT * 2];
    const clv_points points = {COUNT, DIMS, at};
    clv_tsne_options options = {.perplexity = 20, .iterations = 5};
    clv_backend *reference;
    double kl_a, kl_b, size = 0;
    two_clusters(at, COUNT, DIMS);
    assert_ok(clv_cpu_backend_create(true, &reference, err));
    assert_ok(clv_tsne(reference, &points, &options, a, &kl_a, err));
    assert_ok(clv_tsne(device, &points, &options, b, &kl_b, err));
    for (int i = 0; i < 2 * COUNT; i++) size = fmax(size, fabs((double)a[i]));
    for (int i = 0; i < 2 * COUNT; i++) assert_true(fabs((double)a[i] - (double)b[i]) < 1e-3 * size);
    assert_true(fabs(kl_a - kl_b) < 1e-3 * kl_a);
    options.iterations = 300;
    assert_ok(clv_tsne(device, &points, &options, a, &kl_a, err));
    assert_ok(clv_tsne(device, &points, &options, b, &kl_b, err));
    assert_memory_equal(a, b, sizeof a);
    assert_true(kl_a == kl_b);
    for (int i = 0; i < COUNT; i++) { /* each point lies with its own kind */
        double nearest = INFINITY;
        int who = -1;
        for (int n = 0; n < COUNT; n++) {
            const double d = hypot((double)a[2 * i] - (double)a[2 * n], (double)a[2 * i + 1] - (double)a[2 * n + 1]);
            if (n != i && d < nearest) nearest = d, who = n;
        }
        assert_int_equal(who % 2, i % 2);
    }
    clv_backend_destroy(reference);
}

static void test_tsne_refuses(void **state)
{
    (void)state;
    float at[91 * 2] = {0}, map[91 * 2];
    clv_points points = {91, 2, at};
    clv_tsne_options options = {.perplexity = 30, .iterations = 10};
    double kl;
    assert_refused(clv_tsne(device, &points, &options, map, &kl, err), CLV_ERR_CONFIG, "all 91 points are the same");
    points.count = 90;
    assert_refused(clv_tsne(device, &points, &options, map, &kl, err), CLV_ERR_CONFIG,
                   "perplexity 30 must be from 1 to 29.67");
    points.count = 3;
    assert_refused(clv_tsne(device, &points, &options, map, &kl, err), CLV_ERR_CONFIG, "at least 4 points");
    points.count = 91;
    at[7] = NAN;
    assert_refused(clv_tsne(device, &points, &options, map, &kl, err), CLV_ERR_DATA, "no finite number (point 3)");
    at[7] = 1;
    options.iterations = 0;
    assert_refused(clv_tsne(device, &points, &options, map, &kl, err), CLV_ERR_CONFIG, "at least 1");
}

/* Points of one dimension; most of them twice or more; a dimension that is constant: all have a map. */
static void test_tsne_of_poor_points(void **state)
{
    (void)state;
    enum { COUNT = 64 };
    float at[COUNT * 2], map[COUNT * 2];
    clv_tsne_options options = {.perplexity = 5, .iterations = 260};
    double kl;
    for (int dims = 1; dims <= 2; dims++)
        for (int kinds = 2; kinds <= COUNT; kinds *= 32) {
            const clv_points points = {COUNT, dims, at};
            for (int i = 0; i < COUNT; i++) {
                at[i * dims] = (float)(i % kinds);
                if (dims == 2) at[i * 2 + 1] = 3;
            }
            assert_ok(clv_tsne(device, &points, &options, map, &kl, err));
            for (int i = 0; i < COUNT * 2; i++) assert_true(isfinite(map[i]));
            assert_true(isfinite(kl) && kl > 0);
        }
}

/* On a line 0, 1, 3, 7, ...: everything can be counted. */
static void test_neighbours(void **state)
{
    (void)state;
    enum { COUNT = 8 };
    const float line[COUNT] = {0, 1, 3, 7, 15, 31, 63, 127};
    const int label[COUNT] = {0, 0, 0, 1, 1, 1, 1, 0};
    const clv_points points = {COUNT, 1, line};
    clv_distances d;
    clv_neighbours n;
    double trust;
    assert_ok(clv_distances_open(device, &points, &d, err));
    assert_refused(clv_neighbours_find(&d, COUNT, &n, err), CLV_ERR_CONFIG, "there are too few");
    assert_ok(clv_neighbours_find(&d, 3, &n, err));
    assert_int_equal(n.index[0], 1);
    assert_int_equal(n.index[1], 2);
    assert_int_equal(n.index[2], 3);
    assert_int_equal(n.index[3 * 3], 2); /* 7: 4 from 3, 6 from 1, 7 from 0 */
    assert_int_equal(n.index[3 * 3 + 2], 0);
    assert_true(n.nearest[7] == 64);
    /* 7 has 0, 0, 0 about it; 15 has 1, 0, 0; 31 has 1, 1, 0; 63 has 1, 1, 1; 127 1, 1, 1 */
    assert_true(fabs(clv_knn_accuracy(&n, label) - 5.0 / 8) < 1e-12);
    assert_ok(clv_trustworthiness(&d, &n, &trust, err));
    assert_true(trust == 1);
    /* A map that takes 127 for a neighbour of 0, where it is the seventh: a penalty of 4 of 8 3 (16 - 9 - 1) / 2. */
    n.index[2] = 7;
    assert_ok(clv_trustworthiness(&d, &n, &trust, err));
    assert_true(fabs(trust - (1 - 2.0 / (8 * 3 * 6) * 4)) < 1e-12);
    clv_neighbours_free(&n);
    assert_ok(clv_neighbours_find(&d, 4, &n, err));
    assert_refused(clv_trustworthiness(&d, &n, &trust, err), CLV_ERR_CONFIG, "fewer than half");
    clv_neighbours_free(&n);
    clv_distances_close(&d);
}

/* Samples of the points' own distribution fall into gaps as seldom as the threshold says; those of another do not. */
static void test_gaps(void **state)
{
    (void)state;
    enum { COUNT = 2000 };
    float at[COUNT * 2], same[COUNT * 2], wide[COUNT * 2];
    clv_random random = clv_random_start(9, CLV_STREAM_PICTURE);
    for (int i = 0; i < COUNT * 2; i++) {
        at[i] = clv_random_normal(&random);
        same[i] = clv_random_normal(&random);
        wide[i] = (i & 1 ? 8 : -8) + clv_random_normal(&random) / 2;
    }
    const clv_points points = {COUNT, 2, at}, alike = {COUNT, 2, same}, far = {COUNT, 2, wide};
    clv_distances d;
    clv_neighbours n;
    clv_gaps gaps;
    assert_ok(clv_distances_open(device, &points, &d, err));
    assert_ok(clv_neighbours_find(&d, 1, &n, err));
    clv_distances_close(&d);
    assert_ok(clv_find_gaps(&points, &n, &alike, &gaps, err));
    assert_true(gaps.share < 0.02 && gaps.threshold > 0);
    assert_true(gaps.ratio > 0.9 && gaps.ratio < 1.1);
    assert_ok(clv_find_gaps(&points, &n, &far, &gaps, err));
    assert_true(gaps.share == 1 && gaps.ratio > 10);
    assert_ok(clv_find_gaps(&points, &n, &points, &gaps, err));
    assert_true(gaps.share == 0 && gaps.ratio == 0);
    clv_neighbours_free(&n);
}

/* Every allocation of a whole analysis fails once: each is reported, and nothing leaks (the sanitizer build sees it).
 */
static void test_allocation_failures(void **state)
{
    (void)state;
    enum { COUNT = 40 };
    float at[COUNT * 2], map[COUNT * 2];
    const clv_points points = {COUNT, 2, at};
    const clv_tsne_options options = {.perplexity = 5, .iterations = 2};
    clv_backend *reference;
    clv_status status = CLV_ERR_INTERNAL;
    double kl;
    two_clusters(at, COUNT, 2);
    assert_ok(clv_cpu_backend_create(false, &reference, err));
    for (long nth = 1; status != CLV_OK; nth++) {
        clv_error error = {0};
        clv_distances d = {0};
        clv_neighbours n = {0};
        assert_true(nth < 1000);
        clv_fail_allocation(nth);
        status = clv_tsne(reference, &points, &options, map, &kl, &error);
        if (status == CLV_OK) status = clv_distances_open(reference, &points, &d, &error);
        if (status == CLV_OK) status = clv_neighbours_find(&d, 3, &n, &error);
        clv_fail_allocation(0);
        clv_distances_close(&d);
        clv_neighbours_free(&n);
        if (status != CLV_OK) assert_true(status == CLV_ERR_INTERNAL && error.message[0]);
    }
    clv_backend_destroy(reference);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pca),
        cmocka_unit_test(test_pca_by_points),
        cmocka_unit_test(test_tsne_as_scikit_learn),
        cmocka_unit_test(test_backends_agree),
        cmocka_unit_test(test_tsne_refuses),
        cmocka_unit_test(test_tsne_of_poor_points),
        cmocka_unit_test(test_neighbours),
        cmocka_unit_test(test_gaps),
        cmocka_unit_test(test_allocation_failures),
    };
    const clv_device_options options = {
        .backend = have_opencl() ? "opencl" : "cpu", .select = test_device(), .gemm = CLV_GEMM_AUTO, .selftest = true};
    assert_ok(clv_backend_create(&options, &device, err));
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    clv_backend_destroy(device);
    return failed;
}
