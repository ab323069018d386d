/* Gaussian mixtures: scikit-learn's fits, a likelihood that never falls, known mixtures found again, degenerate points.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/mixture.h"
#include "base/memory.h"
#include "golden/mixture.h"
#include "support.h"

static clv_mixture fit(const float *points, size_t count, int dims, clv_mixture_options options)
{
    clv_mixture m = {0};
    assert_ok(clv_mixture_fit(points, count, dims, &options, &m, err));
    return m;
}

static void assert_close(const char *what, double a, double b, double tolerance)
{
    if (!(fabs(a - b) <= tolerance * (1 + fabs(b)))) fail_msg("%s: %.12g is not %.12g", what, a, b);
}

/* The component with the rank-th largest weight. */
static int by_weight(const clv_mixture *m, int rank)
{
    for (int k = 0; k < m->components; k++) {
        int above = 0;
        for (int i = 0; i < m->components; i++) above += m->weight[i] > m->weight[k];
        if (above == rank) return k;
    }
    fail_msg("no component has rank %d", rank);
    return 0;
}

/* The regularisation of 1e-9 enters the two programs' expectations differently: by 1e-9 of a trace of about 10. */
static void test_scikit_learn_agrees(void **state)
{
    (void)state;
    enum { D = GOLDEN_DIMS };
    for (size_t g = 0; g < sizeof golden_fits / sizeof *golden_fits; g++) {
        const golden_fit *golden = &golden_fits[g];
        clv_mixture m = fit(golden_point, GOLDEN_POINTS, D,
                            (clv_mixture_options){.components = golden->components,
                                                  .seed = 3,
                                                  .starts = 20,
                                                  .iterations = 100000,
                                                  .tolerance = 1e-14,
                                                  .regularisation = golden_regularisation});
        assert_true(m.converged);
        for (int rank = 0; rank < golden->components; rank++) {
            const int k = by_weight(&m, rank);
            assert_close("weight", m.weight[k], golden->weight[rank], 1e-6);
            for (int i = 0; i < D; i++) assert_close("mean", m.mean[k * D + i], golden->mean[rank * D + i], 1e-6);
            for (int i = 0; i < D * D; i++)
                assert_close("covariance", m.covariance[k * D * D + i], golden->covariance[rank * D * D + i], 1e-6);
        }
        assert_close("log likelihood", m.log_likelihood, golden->log_likelihood, 1e-8);
        assert_close("bic", m.bic, golden->bic, 1e-8);
        for (int i = 0; i < GOLDEN_PROBES; i++)
            assert_close("log density", clv_mixture_log_density(&m, golden_probe + i * D), golden->log_density[i],
                         1e-5);
        clv_mixture_free(&m);
    }
}

/* One step more never lowers the objective; with a regularisation as large as the variances too. */
static void test_each_step_climbs(void **state)
{
    (void)state;
    const double regularisation[] = {0, 0.1, 1};
    for (int r = 0; r < 3; r++) {
        double before = -INFINITY, first = 0;
        for (int steps = 1; steps <= 60; steps++) {
            clv_mixture m = fit(golden_point, GOLDEN_POINTS, GOLDEN_DIMS,
                                (clv_mixture_options){.components = 5,
                                                      .seed = 9,
                                                      .starts = 1,
                                                      .iterations = steps,
                                                      .tolerance = 1e-300,
                                                      .regularisation = regularisation[r]});
            if (steps == 1) first = m.objective;
            if (!(m.objective >= before - 1e-12))
                fail_msg("regularisation %g, step %d: from %.15g to %.15g", regularisation[r], steps, before,
                         m.objective);
            before = m.objective;
            clv_mixture_free(&m);
        }
        assert_true(before > first + 1e-3);
    }
}

static void draw(const clv_mixture *m, uint64_t seed, size_t count, float *points)
{
    clv_random random = clv_random_start(seed, 77);
    for (size_t p = 0; p < count; p++) clv_mixture_draw(m, &random, points + p * (size_t)m->dims);
}

/* Draws of a mixture have its parameters: six standard errors of 20,000 points, the smallest component having a fifth.
 */
static void test_a_known_mixture_is_found_again(void **state)
{
    (void)state;
    enum { COUNT = 20000, D = GOLDEN_DIMS };
    clv_mixture known = fit(golden_point, GOLDEN_POINTS, D, (clv_mixture_options){.components = 3, .starts = 20});
    float *points = calloc((size_t)COUNT * D, sizeof *points);
    assert_non_null(points);
    draw(&known, 1, COUNT, points);
    clv_mixture found = fit(points, COUNT, D, (clv_mixture_options){.components = 3, .seed = 2});
    for (int rank = 0; rank < 3; rank++) {
        const int a = by_weight(&known, rank), b = by_weight(&found, rank);
        assert_true(fabs(known.weight[a] - found.weight[b]) < 0.04);
        for (int i = 0; i < D; i++) {
            const double deviation = sqrt(known.covariance[(a * D + i) * D + i]);
            assert_true(fabs(known.mean[a * D + i] - found.mean[b * D + i]) < 0.12 * deviation);
        }
    }
    free(points);
    clv_mixture_free(&known);
    clv_mixture_free(&found);
}

static void test_bic_chooses(void **state)
{
    (void)state;
    enum { COUNT = 900 };
    float points[COUNT * 2];
    clv_random random = clv_random_start(4, 78);
    for (int i = 0; i < COUNT * 2; i++) points[i] = clv_random_normal(&random);
    clv_mixture m = {0};
    assert_ok(clv_mixture_choose(points, COUNT, 2, &(clv_mixture_options){.seed = 1}, &m, err));
    assert_int_equal(m.components, 1);
    clv_mixture_free(&m);
    for (int i = 0; i < COUNT; i++) points[2 * i] += 12.0f * (float)(i % 3);
    assert_ok(clv_mixture_choose(points, COUNT, 2, &(clv_mixture_options){.seed = 1}, &m, err));
    assert_int_equal(m.components, 3);
    clv_mixture_free(&m);
    assert_ok(clv_mixture_choose(points, COUNT, 2, &(clv_mixture_options){.seed = 1, .components = 2}, &m, err));
    assert_int_equal(m.components, 2);
    clv_mixture_free(&m);
}

static void test_same_seed_same_fit(void **state)
{
    (void)state;
    const clv_mixture_options options = {.components = 4, .seed = 6};
    clv_mixture a = fit(golden_point, GOLDEN_POINTS, GOLDEN_DIMS, options),
                b = fit(golden_point, GOLDEN_POINTS, GOLDEN_DIMS, options);
    assert_memory_equal(a.mean, b.mean, 4 * GOLDEN_DIMS * sizeof *a.mean);
    assert_memory_equal(a.covariance, b.covariance, 4 * GOLDEN_DIMS * GOLDEN_DIMS * sizeof *a.covariance);
    clv_mixture_free(&a);
    clv_mixture_free(&b);
}

/* With a regularisation of its own, one point is a normal: of that point. */
/* Two points at distance 6, in a plane that they do not fill; points that are all one; no number at all. */
static void test_a_normal_is_fitted_to_any_points(void **state)
{
    (void)state;
    const float points[] = {1, 5, 7, 5}, alike[] = {2, -3, 2, -3, 2, -3}, zero[] = {0}, broken[] = {1, NAN};
    clv_mixture m = {0};
    assert_ok(clv_mixture_fit_normal(points, 2, 2, &m, err));
    assert_true(m.components == 1 && m.weight[0] == 1);
    assert_close("mean", m.mean[0], 4, 1e-9);
    assert_close("variance", m.covariance[0], 9, 1e-9);
    assert_true(m.covariance[3] > 0 && m.covariance[3] < 1e-10);
    clv_mixture_free(&m);
    assert_ok(clv_mixture_fit_normal(alike, 3, 2, &m, err));
    float drawn[100 * 2];
    draw(&m, 1, 100, drawn);
    for (int i = 0; i < 200; i++) assert_true(fabsf(drawn[i] - alike[i % 2]) < 1e-4f);
    clv_mixture_free(&m);
    assert_ok(clv_mixture_fit_normal(zero, 1, 1, &m, err));
    clv_mixture_free(&m);
    assert_refused(clv_mixture_fit_normal(broken, 2, 1, &m, err), CLV_ERR_DATA, "not finite");
}

static void test_one_point_with_a_regularisation(void **state)
{
    (void)state;
    const float point[] = {3, -4};
    clv_mixture m = fit(point, 1, 2, (clv_mixture_options){.components = 1, .regularisation = 0.25});
    assert_close("mean", m.mean[1], -4, 0);
    assert_close("variance", m.covariance[0], 0.25, 1e-15);
    assert_close("covariance", m.covariance[1], 0, 0);
    assert_close("log density", clv_mixture_log_density(&m, point), -log(2 * acos(-1) * 0.25), 1e-12);
    clv_mixture_free(&m);
}

/* A constant dimension keeps its value; a component for each point, and points that repeat, are fitted. */
static void test_degenerate_points_are_fitted(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    float points[COUNT * 3], drawn[100 * 3];
    clv_random random = clv_random_start(8, 79);
    for (int i = 0; i < COUNT * 3; i++) points[i] = i % 3 == 1 ? -2.5f : clv_random_normal(&random);
    clv_mixture m = fit(points, COUNT, 3, (clv_mixture_options){.components = 4, .seed = 1});
    assert_true(isfinite(m.log_likelihood));
    draw(&m, 3, 100, drawn);
    for (int i = 0; i < 100; i++) assert_true(fabsf(drawn[3 * i + 1] + 2.5f) < 0.01f);
    clv_mixture_free(&m);

    m = fit(points, 5, 3, (clv_mixture_options){.components = 5, .seed = 1});
    assert_true(isfinite(m.log_likelihood));
    clv_mixture_free(&m);

    const float repeated[] = {0, 0, 0, 1, 1, 1};
    m = fit(repeated, 6, 1, (clv_mixture_options){.components = 4, .seed = 1});
    double sum = 0;
    for (int k = 0; k < 4; k++) sum += m.weight[k];
    assert_close("sum of weights", sum, 1, 1e-6);
    assert_true(isfinite(m.log_likelihood));
    clv_mixture_free(&m);
}

static void test_what_cannot_be_fitted_is_refused(void **state)
{
    (void)state;
    const float same[] = {3, 4, 3, 4, 3, 4}, odd[] = {1, 2, NAN, 4};
    clv_mixture m = {0};
    assert_refused(clv_mixture_fit(golden_point, 3, 3, &(clv_mixture_options){.components = 4}, &m, err), CLV_ERR_DATA,
                   "4 components cannot be fitted to 3 points");
    assert_refused(clv_mixture_fit(golden_point, 1, 3, &(clv_mixture_options){.components = 1}, &m, err), CLV_ERR_DATA,
                   "1 points");
    assert_refused(clv_mixture_choose(golden_point, 1, 3, &(clv_mixture_options){0}, &m, err), CLV_ERR_DATA,
                   "1 points");
    assert_refused(clv_mixture_fit(same, 3, 2, &(clv_mixture_options){.components = 1}, &m, err), CLV_ERR_DATA,
                   "the same");
    assert_refused(clv_mixture_fit(odd, 2, 2, &(clv_mixture_options){.components = 1}, &m, err), CLV_ERR_DATA,
                   "not finite");
    assert_refused(clv_mixture_fit(golden_point, 9, 3, &(clv_mixture_options){.components = 257}, &m, err),
                   CLV_ERR_CONFIG, "1 to 256");
    assert_refused(clv_mixture_fit(golden_point, 9, 1025, &(clv_mixture_options){.components = 1}, &m, err),
                   CLV_ERR_CONFIG, "at most 1024");
    assert_null(m.weight);
}

static void test_memory_running_out(void **state)
{
    (void)state;
    clv_status status = CLV_ERR_INTERNAL;
    for (long nth = 1; status != CLV_OK; nth++) {
        clv_mixture m = {0};
        clv_error err = {0};
        clv_fail_allocation(nth);
        status = clv_mixture_choose(golden_point, GOLDEN_POINTS, GOLDEN_DIMS,
                                    &(clv_mixture_options){.components = 2, .iterations = 2}, &m, &err);
        clv_fail_allocation(0);
        if (status == CLV_OK) assert_true(nth > 20);
        if (status != CLV_OK) assert_int_equal(status, CLV_ERR_INTERNAL);
        clv_mixture_free(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scikit_learn_agrees),
        cmocka_unit_test(test_each_step_climbs),
        cmocka_unit_test(test_a_known_mixture_is_found_again),
        cmocka_unit_test(test_bic_chooses),
        cmocka_unit_test(test_same_seed_same_fit),
        cmocka_unit_test(test_a_normal_is_fitted_to_any_points),
        cmocka_unit_test(test_one_point_with_a_regularisation),
        cmocka_unit_test(test_degenerate_points_are_fitted),
        cmocka_unit_test(test_what_cannot_be_fitted_is_refused),
        cmocka_unit_test(test_memory_running_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
