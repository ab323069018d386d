/* The roofline on paper, against what can be worked out by hand for ini/vae.ini. */
#include "support.h"

#include <math.h>
#include <string.h>

#include "backend/opencl/launch.h"
#include "clave/experiment.h"
#include "experiment/paper.h"

enum { BATCH = 128 };

static clv_roofline roofline_of(const char *ini)
{
    clv_config *config = NULL;
    clv_roofline r;
    assert_ok(clv_config_load(ini, NULL, 0, &config, NULL, err));
    assert_ok(clv_roofline_of(config, &r, err));
    clv_config_destroy(config);
    return r;
}

static const clv_roofline_family *family(const clv_roofline *r, const char *name)
{
    for (int i = 0; i < r->families; i++)
        if (!strcmp(r->family[i].name, name)) return &r->family[i];
    fail_msg("no family %s", name);
    return NULL;
}

static void assert_near(double a, double b) { assert_true(fabs(a - b) <= 1e-9 * fabs(b)); }

/* Weight gradients are needed of every layer: conv 1 -> 64 and 64 -> 128 of kernel 4, stride 2, pad 1, where 54 of 56
 * (26 of 28) taps of an axis are inside; 6272 x 2 three times (mu, logvar, the decoder's); the two mirrored. */
static void test_arithmetic_is_the_layers(void **state)
{
    (void)state;
    const clv_roofline r = roofline_of("ini/vae.ini");
    const double first = 64.0 * 54 * 54, second = 64.0 * 128 * 26 * 26, linear = 3 * 6272.0 * 2;
    assert_int_equal(r.batch, BATCH);
    assert_near(family(&r, "conv_weight")->gflop, 2e-9 * BATCH * (2 * first + 2 * second + linear));
    assert_near(family(&r, "pointwise")->gflop + 1, 1);
}

/* 28 x 28 images are read as bytes, written as floats; nothing else is of the family "data". */
static void test_bytes_are_the_tensors(void **state)
{
    (void)state;
    const clv_roofline r = roofline_of("ini/vae.ini");
    assert_near(family(&r, "data")->gbytes, 1e-9 * BATCH * 784 * 5);
    assert_true(family(&r, "optimiser")->gbytes > 0);
}

static void test_classes_follow_their_peaks(void **state)
{
    (void)state;
    const clv_roofline r = roofline_of("ini/vae.ini");
    double gflop = 0;
    for (int i = 0; i < r.families; i++) gflop += r.family[i].gflop;
    assert_true(r.classes >= 10);
    for (int i = 0; i < r.classes; i++) {
        const clv_roofline_class *d = &r.device[i];
        const double sum = d->arithmetic_ms + d->memory_ms + d->launch_ms;
        const double largest = fmax(fmax(d->arithmetic_ms, d->memory_ms), d->launch_ms);
        assert_near(d->arithmetic_ms, 1e3 * gflop / d->peak_gflops);
        assert_near(d->launch_ms, 1e-3 * d->launches * d->launch_us);
        assert_true(d->step_ms >= largest * (1 - 1e-9) && d->step_ms <= sum * (1 + 1e-9));
        assert_near(d->images_per_second, 1e3 * BATCH / d->step_ms);
        assert_near(largest, !strcmp(d->limit, "arithmetic") ? d->arithmetic_ms
                             : !strcmp(d->limit, "memory")   ? d->memory_ms
                                                             : d->launch_ms);
    }
}

/* Launches are those of a plan that runs: on two cores as few as the backend counts; a GPU joins those that do not fill
 * it, so that a small network has fewer there than a large one has for its size. */
static void test_launches_are_joint(void **state)
{
    (void)state;
    const clv_roofline large = roofline_of("ini/vae.ini"), small = roofline_of("ini/autoencoder.ini");
    assert_int_equal(large.device[0].launches, 17);
    assert_int_equal(small.device[0].launches, 6);
    for (int i = 1; i < small.classes; i++) assert_true(small.device[i].launches < 60); /* 66 one by one */
}

/* A small network leaves a large GPU with nothing but launches. */
static void test_small_networks_are_launches(void **state)
{
    (void)state;
    const clv_roofline r = roofline_of("ini/autoencoder.ini");
    for (int i = 0; i < r.classes; i++)
        if (strstr(r.device[i].name, "H100")) assert_string_equal(r.device[i].limit, "launches");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arithmetic_is_the_layers),    cmocka_unit_test(test_bytes_are_the_tensors),
        cmocka_unit_test(test_classes_follow_their_peaks),  cmocka_unit_test(test_launches_are_joint),
        cmocka_unit_test(test_small_networks_are_launches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
