/* Schedules: rates at the ends, the top and the middle of each kind, a plateau's steps down, the ramp of the KL
 * divergence, and which runs may be made longer. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "experiment/schedule.h"
#include "support.h"

#define BATCHES 10 /* of an epoch */

static void assert_near(double got, double wanted, double tolerance)
{
    if (!(fabs(got - wanted) <= tolerance)) fail_msg("%.17g instead of %.17g", got, wanted);
}

/* A configuration of a few rows behind a smallest network; `task` and rows as INI text. */
static clv_config *configure(const char *task, const char *rows)
{
    char text[1024];
    clv_config *config = NULL;
    snprintf(text, sizeof text,
             "[experiment]\ntask = %s\n[encoder]\ncode = %s units=2\n[decoder]\nout = linear units=784\n%s", task,
             strcmp(task, "vae") ? "linear" : "gaussian", rows);
    assert_ok(clv_config_parse("test.ini", text, strlen(text), NULL, 0, &config, NULL, err));
    return config;
}

static clv_schedule schedule_of(const char *rows)
{
    clv_config *config = configure("vae", rows);
    clv_schedule schedule = clv_schedule_of(config, BATCHES);
    clv_config_destroy(config);
    return schedule;
}

static void assert_rate(const clv_schedule *schedule, uint64_t step, double rate)
{
    const clv_plateau start = CLV_PLATEAU_START;
    assert_near(clv_schedule_rate(schedule, step, &start), rate, 1e-12);
}

static void test_constant(void **state)
{
    (void)state;
    clv_schedule s = schedule_of("[train]\nlr = 0.5\nepochs = 4\n");
    assert_rate(&s, 0, 0.5);
    assert_rate(&s, 39, 0.5);
    s = schedule_of("[train]\nlr = 0.5\nepochs = 4\nwarmup = 0.25\nlr_start = 0.2\n"); /* 10 steps: 0.2 + 0.08 t */
    assert_rate(&s, 0, 0.5 * 0.28);
    assert_rate(&s, 4, 0.5 * 0.6);
    assert_rate(&s, 9, 0.5);
    assert_rate(&s, 10, 0.5);
}

static void test_cosine(void **state)
{
    (void)state;
    clv_schedule s = schedule_of("[train]\nlr = 2\nepochs = 4\nschedule = cosine\nlr_end = 0.1\n");
    assert_rate(&s, 0, 2);
    assert_rate(&s, 13, 2 * (0.1 + 0.9 * 0.75)); /* a third of the way: cos 60 degrees */
    assert_rate(&s, 26, 2 * (0.1 + 0.9 * 0.25));
    assert_rate(&s, 39, 0.2);
    assert_rate(&s, 40, 0.2); /* a longer run stays there */
}

static void test_one_cycle(void **state)
{
    (void)state;
    clv_schedule s = schedule_of("[train]\nlr = 3\nepochs = 4\nschedule = one_cycle\n"); /* 4 steps up from 0.04 */
    assert_rate(&s, 0, 3 * (1 - 0.96 * (1 + cos(acos(-1) / 4)) / 2));
    assert_rate(&s, 1, 3 * 0.52);
    assert_rate(&s, 3, 3);
    assert_rate(&s, 3 + 12, 3 * 0.75); /* a third of the 36 steps down */
    assert_rate(&s, 39, 0);
    for (uint64_t t = 1; t < 40; t++) {
        const clv_plateau start = CLV_PLATEAU_START;
        const double before = clv_schedule_rate(&s, t - 1, &start), now = clv_schedule_rate(&s, t, &start);
        assert_true(t <= 3 ? now > before : now < before);
    }
}

static void test_plateau(void **state)
{
    (void)state;
    clv_schedule s =
        schedule_of("[train]\nlr = 1\nschedule = plateau\nplateau_factor = 0.5\nplateau_patience = 1\nlr_end = 0.2\n");
    static const double figure[] = {5, 4, 4, 4, 3, 3, 3, 3, 3}, share[] = {1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.2};
    clv_plateau plateau = CLV_PLATEAU_START;
    for (size_t i = 0; i < sizeof figure / sizeof *figure; i++) {
        clv_schedule_epoch(&s, figure[i], &plateau);
        assert_near(clv_schedule_rate(&s, i * BATCHES, &plateau), share[i], 1e-12);
    }
}

/* Less than min_delta better is no better. */
static void test_plateau_asks_for_enough(void **state)
{
    (void)state;
    clv_schedule s = schedule_of("[train]\nlr = 1\nschedule = plateau\nplateau_factor = 0.5\nplateau_patience = 0\n"
                                 "[early_stopping]\nmin_delta = 0.5\n");
    clv_plateau plateau = CLV_PLATEAU_START;
    clv_schedule_epoch(&s, 5, &plateau);
    clv_schedule_epoch(&s, 4.6, &plateau);
    assert_near(plateau.share, 0.5, 0);
    clv_schedule_epoch(&s, 4.4, &plateau);
    assert_near(plateau.share, 0.5, 0);
}

static void test_ramp(void **state)
{
    (void)state;
    clv_schedule s = schedule_of("[loss]\nbeta_warmup = 2\n");
    assert_near(clv_schedule_ramp(&s, 0), 0, 0);
    assert_near(clv_schedule_ramp(&s, 5), 0.25, 1e-12);
    assert_near(clv_schedule_ramp(&s, 20), 1, 0);
    s = schedule_of("");
    assert_near(clv_schedule_ramp(&s, 0), 1, 0);
}

static void test_what_depends_on_the_epochs(void **state)
{
    (void)state;
    static const struct {
        const char *rows;
        bool bounded;
    } cases[] = {{"", false},
                 {"[train]\nschedule = plateau\n", false},
                 {"[train]\nwarmup = 0.1\n", true},
                 {"[train]\nschedule = cosine\n", true},
                 {"[train]\nschedule = one_cycle\n", true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        clv_config *config = configure("autoencoder", cases[i].rows);
        assert_int_equal(clv_schedule_is_bounded(config), cases[i].bounded);
        clv_config_destroy(config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constant),
        cmocka_unit_test(test_cosine),
        cmocka_unit_test(test_one_cycle),
        cmocka_unit_test(test_plateau),
        cmocka_unit_test(test_plateau_asks_for_enough),
        cmocka_unit_test(test_ramp),
        cmocka_unit_test(test_what_depends_on_the_epochs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
