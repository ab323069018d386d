/* Scaling: the trend of neighbours, an experiment made larger and smaller, and a run of it on the reference. */
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "clave/experiment.h"
#include "experiment/scaling.h"
#include "experiment/trend.h"

static const clv_image_shape mnist = {1, 28, 28};

/* ---- the trend ---- */

static void assert_near(double a, double b)
{
    if (!(fabs(a - b) <= 1e-9 * fabs(b))) fail_msg("%.12g is not %.12g", a, b);
}

/* A power law is a straight line: a point is its trend, wherever the points lie. */
static void test_a_power_law_is_its_trend(void **state)
{
    (void)state;
    const double x[] = {16, 24, 100, 128, 4096};
    double y[5], share[5];
    for (int i = 0; i < 5; i++) y[i] = 3 * pow(x[i], 0.4);
    clv_trend_shares(x, y, 5, share);
    assert_true(isnan(share[0])); /* has no trend */
    for (int i = 1; i < 4; i++) assert_near(share[i], 1);
    assert_near(share[4], pow(32, 0.4)); /* the last is not asked to rise further */
}

/* Worked out by hand: between 10 and 90 at 16 and 64, the line at 32 is their geometric mean. */
static void test_a_point_between_its_neighbours(void **state)
{
    (void)state;
    const double x[] = {16, 32, 64}, y[] = {10, 15, 90};
    double share[3];
    clv_trend_shares(x, y, 3, share);
    assert_near(share[1], 0.5);
    assert_near(share[2], 90 / 15.0); /* the last: the line would rise on, above the one before */
    const double falling[] = {90, 15, 2};
    clv_trend_shares(x, falling, 3, share);
    assert_near(share[2], 2 / (15.0 * 15 / 90)); /* and where it falls, it falls on */
}

static void test_a_cliff_is_found_where_it_is(void **state)
{
    (void)state;
    const double x[] = {8, 16, 32, 64, 128, 256};
    double y[] = {100, 100, 100, 100, 100, 100}, share[6];
    for (int at = 0; at < 6; at++) {
        y[at] = 69;
        clv_trend_shares(x, y, 6, share);
        for (int i = 0; i < 6; i++)
            if (clv_trend_is_cliff(share[i]) != (i == at && at > 0))
                fail_msg("69 of 100 at %d: point %d has %g", at, i, share[i]);
        y[at] = 71; /* of 100: no cliff */
        clv_trend_shares(x, y, 6, share);
        assert_false(clv_trend_is_cliff(share[at]));
        y[at] = 100;
    }
}

static void test_two_points_have_no_trend(void **state)
{
    (void)state;
    const double x[] = {8, 16}, y[] = {1, 100};
    double share[2];
    clv_trend_shares(x, y, 2, share);
    assert_true(isnan(share[0]) && isnan(share[1]));
    assert_false(clv_trend_is_cliff(share[0]));
}

/* ---- the model ---- */

static void assert_overrides(const char *ini, clv_scaled what, int value, const char *expected, int side)
{
    clv_config *config = NULL;
    clv_text text = {0};
    clv_image_shape shape;
    assert_ok(clv_config_load(ini, NULL, 0, &config, NULL, err));
    assert_ok(clv_scaling_overrides(config, mnist, what, value, &shape, &text, err));
    assert_string_equal(text.text, expected);
    assert_int_equal(shape.height, side);
    assert_int_equal(shape.width, side);
    assert_int_equal(shape.channels, 1);
    clv_text_free(&text);
    clv_config_destroy(config);
}

static void test_batches(void **state)
{
    (void)state;
    assert_overrides("ini/vae.ini", CLV_SCALED_BATCH, 48, "train.batch=48\n", 28);
}

/* The widest has the channels, the others half of them; the image keeps its one. */
static void test_channels_grow_in_proportion(void **state)
{
    (void)state;
    assert_overrides("ini/vae.ini", CLV_SCALED_CHANNELS, 24,
                     "encoder.conv1.channels=12\nencoder.conv2.channels=24\n"
                     "decoder.grid.channels=24\ndecoder.grid.height=7\ndecoder.grid.width=7\ndecoder.fc.units=1176\n"
                     "decoder.up1.channels=12\ndecoder.up2.channels=1\n",
                     28);
}

/* 44 -> 22 -> 11 -> 5; of the two linear layers the one before the reshape follows it. */
static void test_sizes_reach_the_mirror(void **state)
{
    (void)state;
    assert_overrides("ini/autoencoder.ini", CLV_SCALED_SIZE, 44,
                     "encoder.conv1.channels=8\nencoder.conv2.channels=16\nencoder.conv3.channels=64\n"
                     "decoder.grid.channels=64\ndecoder.grid.height=5\ndecoder.grid.width=5\ndecoder.fc3.units=1600\n"
                     "decoder.up1.channels=16\ndecoder.up2.channels=8\ndecoder.up3.channels=1\n",
                     44);
}

static void assert_no_overrides(const char *ini, const char *override, clv_scaled what, int value, const char *part)
{
    clv_config *config = NULL;
    clv_text text = {0};
    clv_image_shape shape;
    assert_ok(clv_config_load(ini, &override, override != NULL, &config, NULL, err));
    assert_refused(clv_scaling_overrides(config, mnist, what, value, &shape, &text, err), CLV_ERR_CONFIG, part);
    clv_text_free(&text);
    clv_config_destroy(config);
}

static void test_what_cannot_be_scaled_is_refused(void **state)
{
    (void)state;
    assert_no_overrides("ini/vae.ini", "decoder.grid.height=14", CLV_SCALED_SIZE, 32, "grid");
    assert_no_overrides("ini/vae.ini", NULL, CLV_SCALED_SIZE, 1, "leave nothing");
}

/* ---- a run ---- */

static clv_scaling result;

static void run(const char *const *override, int overrides, clv_scaled what, const int *value, int values,
                const char *path)
{
    clv_scaling_options options = {.value = value, .values = values, .path = path};
    options.what[what] = true;
    assert_ok(clv_scale("ini/smoke.ini", override, overrides, &options, &result, err));
    if (path) assert_ok(clv_scaling_draw(path, &result, err));
}

/* A batch of 20 has five thirds of the images of one of 12; a point's figures follow from each other. */
static void test_points_are_measured(void **state)
{
    (void)state;
    const char *const override[] = {"device.backend=cpu"};
    const int value[] = {4, 12, 20};
    const char *path = test_path("scaling.svg");
    run(override, 1, CLV_SCALED_BATCH, value, 3, path);
    assert_int_equal(result.points, 3);
    for (int i = 0; i < 3; i++) {
        const clv_scaling_point *p = &result.point[i];
        assert_string_equal(p->skipped, "");
        assert_int_equal(p->value, value[i]);
        assert_true(p->step_ms > 0 && p->gflops > 0);
        assert_near(p->images_per_second, 1e3 * p->value / p->step_ms);
        assert_near(p->gflops / p->images_per_second, result.point[0].gflops / result.point[0].images_per_second);
        assert_true(i == 0 ? isnan(p->trend) : p->trend > 0);
    }
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    fclose(file);
}

/* 27 and 30 are no multiples of four, which two strides of two make of an image; they are passed over with the reason.
 */
static void test_misfits_are_passed_over(void **state)
{
    (void)state;
    const char *const override[] = {"device.backend=cpu", "train.batch=4"};
    const int value[] = {27, 28, 30, 32};
    run(override, 2, CLV_SCALED_SIZE, value, 4, NULL);
    for (int i = 0; i < 4; i++) assert_int_equal(*result.point[i].skipped == '\0', value[i] % 4 == 0);
    assert_non_null(strstr(result.point[0].skipped, "up2"));
    assert_true(result.point[3].gflops > 0 && isnan(result.point[3].trend)); /* two points are left, of no trend */
}

static void test_nothing_to_measure_is_an_error(void **state)
{
    (void)state;
    const char *const override[] = {"device.backend=cpu"};
    const int value[] = {27};
    clv_scaling_options options = {.what = {[CLV_SCALED_SIZE] = true}, .value = value, .values = 1};
    assert_refused(clv_scale("ini/smoke.ini", override, 1, &options, &result, err), CLV_ERR_CONFIG, "size 27");
    options.path = "plot.txt";
    assert_refused(clv_scale("ini/smoke.ini", override, 1, &options, &result, err), CLV_ERR_CONFIG, "plot.txt");
}

/* Random labels are classes that the network has. */
static void test_classifiers_have_labels(void **state)
{
    (void)state;
    const char *const override[] = {"device.backend=cpu", "train.batch=4"};
    const int value[] = {2, 4};
    clv_scaling_options options = {.what = {[CLV_SCALED_CHANNELS] = true}, .value = value, .values = 2};
    assert_ok(clv_scale("ini/classifier.ini", override, 2, &options, &result, err));
    assert_true(result.point[0].step_ms > 0 && result.point[1].step_ms > 0);
    assert_true(isnan(result.point[0].trend));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_power_law_is_its_trend),
        cmocka_unit_test(test_a_point_between_its_neighbours),
        cmocka_unit_test(test_a_cliff_is_found_where_it_is),
        cmocka_unit_test(test_two_points_have_no_trend),
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_channels_grow_in_proportion),
        cmocka_unit_test(test_sizes_reach_the_mirror),
        cmocka_unit_test(test_what_cannot_be_scaled_is_refused),
        cmocka_unit_test(test_points_are_measured),
        cmocka_unit_test(test_misfits_are_passed_over),
        cmocka_unit_test(test_nothing_to_measure_is_an_error),
        cmocka_unit_test(test_classifiers_have_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
