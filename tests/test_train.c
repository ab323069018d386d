/* Training: runs repeat and resume to the bit, early stopping, divergence. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "clave/experiment.h"
#include "experiment/run_folder.h"
#include "experiment/stopping.h"
#include "support.h"

#define MAX_OVERRIDES 16
#define AT_ONCE       (-1) /* stop as a signal does, from the first look at the flag on */

static const volatile int signalled = 1;

/* A tiny run of ini/smoke.ini on 700 images: 500 trained on in batches of 96, so that the last batch is a part. */
static clv_status tiny_run(const char *out, bool resume, int stop_after, clv_train_result *result,
                           const char *const *more, clv_error *err)
{
    char data[600], select[160];
    const char *overrides[MAX_OVERRIDES] = {data,
                                            select,
                                            "data.validation=200",
                                            "train.batch=96",
                                            "train.epochs=3",
                                            "report.samples=4",
                                            "report.manifold=2"};
    int count = 7;
    clv_config *config = NULL;
    snprintf(data, sizeof data, "data.path=%s", test_path("mnist"));
    snprintf(select, sizeof select, "device.select=%s", test_device());
    for (int i = 0; more && more[i]; i++) overrides[count++] = more[i];
    clv_status status = clv_config_load("ini/smoke.ini", overrides, count, &config, NULL, err);
    clv_train_options options = {.out = out,
                                 .resume = resume,
                                 .stop_after_steps = stop_after > 0 ? stop_after : 0,
                                 .stop = stop_after == AT_ONCE ? &signalled : NULL};
    if (status == CLV_OK) status = clv_train(config, &options, result, err);
    clv_config_destroy(config);
    return status;
}

static bool same_run_file(const char *a, const char *b, const char *name)
{
    char path_a[CLV_PATH_SIZE + 64], path_b[CLV_PATH_SIZE + 64];
    snprintf(path_a, sizeof path_a, "%s/%s", a, name);
    snprintf(path_b, sizeof path_b, "%s/%s", b, name);
    return same_bytes(path_a, path_b);
}

static void test_same_seed_same_bits(void **state)
{
    (void)state;
    clv_train_result a, b, c;
    assert_ok(tiny_run(test_path("a"), false, 0, &a, NULL, err));
    assert_ok(tiny_run(test_path("b"), false, 0, &b, NULL, err));
    assert_ok(tiny_run(test_path("c"), false, 0, &c, (const char *const[]){"experiment.seed=99", NULL}, err));
    assert_true(same_run_file(a.run, b.run, CLV_LAST_FILE));
    assert_true(same_run_file(a.run, b.run, CLV_BEST_FILE));
    assert_false(same_run_file(a.run, c.run, CLV_LAST_FILE));
    assert_int_equal(a.epochs, 3);
    assert_true(clv_measure_get(&a.test, "loss") > 0);
    assert_true(clv_measure_get(&a.test, "elbo") < 0);
}

/* Stopped after some steps, within an epoch or at its end, and resumed, a run ends with the bits of one never stopped.
 */
static void test_resumed_run_is_the_same(void **state)
{
    (void)state;
    static const int stops[] = {1, 6, 9, 13, AT_ONCE}; /* 6 batches an epoch */
    clv_train_result whole, part;
    assert_ok(tiny_run(test_path("whole"), false, 0, &whole, NULL, err));
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
        char name[32];
        snprintf(name, sizeof name, "part%zu", i);
        const char *path = test_path(name);
        assert_refused(tiny_run(path, false, stops[i], &part, NULL, err), CLV_INTERRUPTED, "--resume");
        assert_ok(tiny_run(path, true, 0, &part, NULL, err));
        assert_true(same_run_file(path, whole.run, CLV_LAST_FILE));
        assert_true(same_run_file(path, whole.run, CLV_BEST_FILE));
    }
}

/* Rates are functions of the step, and what a plateau has seen is in the checkpoint. */
static void test_scheduled_run_resumes(void **state)
{
    (void)state;
    static const char *const kinds[][6] = {
        {"train.schedule=one_cycle", "train.lr=3e-3", "loss.beta_warmup=1.5", NULL},
        {"train.schedule=plateau", "train.plateau_patience=0", "train.plateau_factor=0.1", "train.lr=1e-2", NULL}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char names[2][32];
        clv_train_result whole, part;
        for (int k = 0; k < 2; k++) snprintf(names[k], sizeof names[k], "%s%zu", k ? "halves" : "scheduled", i);
        assert_ok(tiny_run(test_path(names[0]), false, 0, &whole, kinds[i], err));
        assert_refused(tiny_run(test_path(names[1]), false, 14, &part, kinds[i], err), CLV_INTERRUPTED, "--resume");
        assert_ok(tiny_run(test_path(names[1]), true, 0, &part, kinds[i], err));
        assert_true(same_run_file(part.run, whole.run, CLV_LAST_FILE));
    }
    clv_train_result longer;
    assert_refused(tiny_run(test_path("scheduled0"), true, 0, &longer,
                            (const char *const[]){"train.schedule=one_cycle", "train.lr=3e-3", "loss.beta_warmup=1.5",
                                                  "train.epochs=5", NULL},
                            err),
                   CLV_ERR_CONFIG, "train.epochs is 5");
}

/* The losses of an epoch that was interrupted count the images before the interruption too. */
static void test_resumed_epoch_has_its_losses(void **state)
{
    (void)state;
    clv_metric_table whole = {0}, part = {0};
    assert_ok(clv_metrics_read(test_path("whole"), UINT32_MAX, &whole, err));
    assert_ok(clv_metrics_read(test_path("part2"), UINT32_MAX, &part, err));
    for (uint32_t epoch = 1; epoch <= 3; epoch++) {
        double a = clv_metrics_get(&whole, epoch, "train", "loss"), b = clv_metrics_get(&part, epoch, "train", "loss");
        assert_false(isnan(a));
        assert_true(a == b);
        assert_true(clv_metrics_get(&whole, epoch, "val", "loss") == clv_metrics_get(&part, epoch, "val", "loss"));
    }
    clv_metrics_free(&whole);
    clv_metrics_free(&part);
}

/* A run's sums over its epochs must not change by reading metrics.csv back: a third has more digits than a row of it.
 */
static void test_metrics_file_holds_what_memory_does(void **state)
{
    (void)state;
    clv_metric_table made = {0}, read = {0};
    clv_run_folder folder = {.lock = -1};
    snprintf(folder.path, sizeof folder.path, "%s", test_path("whole"));
    for (uint32_t epoch = 1; epoch <= 20; epoch++)
        assert_ok(clv_metrics_add(&made, epoch, "train", "seconds", 1e-3 * epoch / 3, err));
    assert_ok(clv_metrics_write(&folder, &made, err));
    assert_ok(clv_metrics_read(folder.path, UINT32_MAX, &read, err));
    assert_int_equal(made.rows, read.rows);
    for (size_t i = 0; i < made.rows; i++) assert_true(made.row[i].value == read.row[i].value);
    clv_metrics_free(&made);
    clv_metrics_free(&read);
}

static void test_existing_run_is_refused(void **state)
{
    (void)state;
    clv_train_result result;
    assert_refused(tiny_run(test_path("whole"), false, 0, &result, NULL, err), CLV_ERR_CONFIG, "--resume");
    assert_refused(tiny_run(test_path("nothing"), true, 0, &result, NULL, err), CLV_ERR_CONFIG, "no last.safetensors");
}

static void test_changed_run_is_not_resumed(void **state)
{
    (void)state;
    clv_train_result result;
    assert_refused(tiny_run(test_path("whole"), true, 0, &result, (const char *const[]){"train.lr=0.5", NULL}, err),
                   CLV_ERR_CONFIG, "train.lr");
    assert_ok(tiny_run(test_path("whole"), true, 0, &result, (const char *const[]){"train.epochs=4", NULL}, err));
    assert_int_equal(result.epochs, 4);
}

static void test_divergence_names_the_step(void **state)
{
    (void)state;
    clv_train_result result;
    const char *path = test_path("diverged");
    struct stat info;
    assert_refused(
        tiny_run(path, false, 0, &result, (const char *const[]){"train.optimizer=sgd", "train.lr=1e30", NULL}, err),
        CLV_ERR_DIVERGED, "step ");
    char best[600];
    snprintf(best, sizeof best, "%s/%s", path, CLV_BEST_FILE);
    assert_int_not_equal(stat(best, &info), 0); /* nothing of a diverged epoch is kept */
}

/* Keras's rule, by a table: values by epoch, patience, min_delta, the epoch after which it stops (0: never), the best.
 */
static void test_early_stopping(void **state)
{
    (void)state;
    static const struct {
        double value[6];
        uint32_t patience;
        double min_delta;
        uint32_t stops, best;
    } rows[] = {
        {{5, 4, 3, 2, 1, 0}, 1, 0, 0, 6}, {{5, 4, 4, 3, 3, 3}, 1, 0, 3, 2},
        {{5, 4, 4, 3, 3, 3}, 2, 0, 6, 4}, {{5, 4.95, 4.9, 4.85, 4.8, 4}, 3, 0.5, 4, 1},
        {{1, 2, 3, 4, 5, 6}, 0, 0, 0, 1}, {{5, 4.6, 4.2, 3.9, 3.9, 3.9}, 2, 0.5, 5, 3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        clv_stopping stopping = {.patience = rows[i].patience, .min_delta = rows[i].min_delta};
        uint32_t stopped = 0;
        for (uint32_t epoch = 1; epoch <= 6 && !stopped; epoch++) {
            bool improved;
            if (clv_stopping_update(&stopping, epoch, rows[i].value[epoch - 1], &improved)) stopped = epoch;
        }
        assert_int_equal(stopped, rows[i].stops);
        assert_int_equal(stopping.best_epoch, rows[i].best);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_early_stopping),
        cmocka_unit_test(test_same_seed_same_bits),
        cmocka_unit_test(test_resumed_run_is_the_same),
        cmocka_unit_test(test_scheduled_run_resumes),
        cmocka_unit_test(test_resumed_epoch_has_its_losses),
        cmocka_unit_test(test_existing_run_is_refused),
        cmocka_unit_test(test_changed_run_is_not_resumed),
        cmocka_unit_test(test_divergence_names_the_step),
        cmocka_unit_test(test_metrics_file_holds_what_memory_does),
    };
    if (!have_opencl()) return 77;
    write_small_mnist(test_path("mnist"), 700, 200);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
