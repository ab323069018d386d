/* Ways from point to point: ends, lengths, constant speed on the arc, and where there is no arc. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analysis/path.h"
#include "support.h"

static void assert_near(double a, double b)
{
    if (!(fabs(a - b) <= 1e-6)) fail_msg("%.9g is not %.9g", a, b);
}

static double length(const float *a, int dims)
{
    double sum = 0;
    for (int i = 0; i < dims; i++) sum += (double)a[i] * (double)a[i];
    return sqrt(sum);
}

static void test_linear_is_straight(void **state)
{
    (void)state;
    const float a[] = {1, -2, 5}, b[] = {3, 2, 5};
    float p[3];
    clv_linear_point(a, b, 3, 0.25, p);
    assert_near(p[0], 1.5);
    assert_near(p[1], -1);
    assert_near(p[2], 5);
    clv_linear_point(a, b, 3, 1, p);
    assert_memory_equal(p, b, sizeof b);
}

static void test_a_quarter_of_a_circle(void **state)
{
    (void)state;
    const float a[] = {2, 0}, b[] = {0, 2};
    float p[2];
    assert_near(clv_angle(a, b, 2), acos(0));
    assert_true(clv_spherical_point(a, b, 2, 0.5, p));
    assert_near(p[0], sqrt(2));
    assert_near(p[1], sqrt(2));
    assert_true(clv_spherical_point(a, b, 2, 1.0 / 3, p)); /* 30 degrees */
    assert_near(p[0], sqrt(3));
    assert_near(p[1], 1);
}

/* Points of one length keep it, and the angle grows with t. */
static void test_the_arc_has_constant_speed(void **state)
{
    (void)state;
    const float a[] = {1, 2, -2, 4, 0}, b[] = {-4, 0, 3, 0, 0};
    const double angle = clv_angle(a, b, 5);
    float p[5];
    for (int i = 0; i <= 10; i++) {
        assert_true(clv_spherical_point(a, b, 5, i / 10.0, p));
        assert_near(length(p, 5), 5);
        assert_near(clv_angle(a, p, 5), angle * i / 10);
        assert_near(clv_angle(p, b, 5), angle * (10 - i) / 10);
    }
}

static void test_lengths_go_over(void **state)
{
    (void)state;
    const float a[] = {1, 0}, b[] = {0, 4};
    float p[2];
    assert_true(clv_spherical_point(a, b, 2, 0, p));
    assert_near(length(p, 2), 1);
    assert_true(clv_spherical_point(a, b, 2, 1, p));
    assert_near(length(p, 2), 4);
    assert_true(clv_spherical_point(a, b, 2, 0.5, p));
    assert_near(length(p, 2), sqrt(0.5 * (1 + 16)));
}

/* Equal, parallel and opposite points, and the origin: the straight way, and said so. */
static void test_where_there_is_no_arc(void **state)
{
    (void)state;
    const float a[] = {1, 2}, parallel[] = {2, 4}, opposite[] = {-3, -6}, origin[] = {0, 0};
    const float *ends[] = {a, parallel, opposite, origin};
    for (int i = 0; i < 4; i++)
        for (int k = 0; k <= 4; k++) {
            float arc[2], line[2];
            assert_false(clv_spherical_point(a, ends[i], 2, k / 4.0, arc));
            clv_linear_point(a, ends[i], 2, k / 4.0, line);
            assert_memory_equal(arc, line, sizeof line);
        }
    assert_true(isnan(clv_angle(a, origin, 2)));
    assert_near(clv_angle(a, opposite, 2), acos(-1));
    assert_near(clv_angle(a, parallel, 2), 0);
}

/* The arccosine of a product of floats would say 0, or 3 x 10^-4. */
static void test_small_angles_keep_their_digits(void **state)
{
    (void)state;
    const float a[] = {1, 0}, b[] = {1, 1e-5f};
    const double angle = clv_angle(a, b, 2);
    if (!(fabs(angle / 1e-5 - 1) < 1e-6)) fail_msg("%.9g", angle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear_is_straight),         cmocka_unit_test(test_a_quarter_of_a_circle),
        cmocka_unit_test(test_the_arc_has_constant_speed), cmocka_unit_test(test_lengths_go_over),
        cmocka_unit_test(test_where_there_is_no_arc),      cmocka_unit_test(test_small_angles_keep_their_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
