/* Training: the two backends agree loss for loss, runs repeat and resume to the bit, early stopping, divergence. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "clave/experiment.h"
#include "experiment/pass.h"
#include "experiment/run_folder.h"
#include "experiment/stopping.h"
#include "support.h"

#define STEPS         10
#define MAX_OVERRIDES 16
#define AT_ONCE       (-1) /* stop as a signal does, from the first look at the flag on */

static const volatile int signalled = 1;

/* A configuration of `ini` with these overrides, NULL-terminated. */
static clv_config *load(const char *ini, const char *const *overrides)
{
    clv_config *config = NULL;
    int count = 0;
    while (overrides && overrides[count]) count++;
    assert_ok(clv_config_load(ini, overrides, count, &config, NULL, err));
    return config;
}

static int launches, blocks; /* of a step, when losses_of ran last, */
static bool has_blocks;      /* and whether the device wants any */

/* The losses of the first ten steps of training, each its batch's sum; odd steps have `fewer` images less. */
static void losses_of(const char *ini, const char *const *overrides, uint32_t fewer, double loss[STEPS])
{
    clv_config *config = load(ini, overrides);
    clv_session *s = NULL;
    clv_phase_request request = {CLV_MODE_TRAIN, CLV_DATASET_TRAIN};
    assert_ok(clv_session_open(config, NULL, &request, 1, &s, err));
    assert_ok(clv_session_load(s, NULL, err));
    uint32_t batch = (uint32_t)s->phase[0].plan->batch;
    for (uint32_t i = 0; i < STEPS; i++) {
        clv_pass pass = {.first = i * batch, .count = batch - i % 2 * fewer, .first_step = i, .seed = 7};
        assert_ok(clv_pass_run(s, &s->phase[0], &pass, err));
        loss[i] = pass.sum[0];
    }
    launches = clv_program_launches(s->be, s->phase[0].program);
    blocks = s->phase[0].plan->blocks;
    has_blocks = clv_backend_block(s->be, (int)batch) > 0;
    clv_session_close(s);
    clv_config_destroy(config);
}

static void first_losses(const char *ini, const char *const *overrides, double loss[STEPS])
{
    losses_of(ini, overrides, 0, loss);
}

static void assert_losses_agree(const double *a, const double *b, double tolerance)
{
    for (int i = 0; i < STEPS; i++)
        if (!(fabs(a[i] - b[i]) <= tolerance * fabs(b[i]))) fail_msg("step %d: loss %.9g and %.9g", i, a[i], b[i]);
}

/* The learning rate is the file's; the losses fall, so that agreement says something. */
static void backends_agree(const char *ini)
{
    double opencl[STEPS], cpu[STEPS];
    char select[160];
    snprintf(select, sizeof select, "device.select=%s", test_device());
    first_losses(ini, (const char *const[]){select, NULL}, opencl);
    first_losses(ini, (const char *const[]){"device.backend=cpu", NULL}, cpu);
    assert_losses_agree(opencl, cpu, 1e-4);
    assert_true(cpu[STEPS - 1] < cpu[0]);
}

static void test_backends_agree_autoencoder(void **state)
{
    (void)state;
    backends_agree("ini/autoencoder.ini");
}

/* The gradient of each parameter of a model, as one step leaves it; elements of the layout without its padding. */
static float *gradients_of_a_step(const char *const *overrides, size_t *elements)
{
    clv_config *config = load("ini/autoencoder.ini", overrides);
    clv_session *s = NULL;
    clv_phase_request request = {CLV_MODE_TRAIN, CLV_DATASET_TRAIN};
    assert_ok(clv_session_open(config, NULL, &request, 1, &s, err));
    assert_ok(clv_session_load(s, NULL, err));
    clv_pass pass = {.count = (uint32_t)s->phase[0].plan->batch, .seed = 7};
    assert_ok(clv_pass_run(s, &s->phase[0], &pass, err));
    const clv_param_layout *layout = clv_model_params(s->model);
    float *gradient = calloc(layout->trained, sizeof *gradient);
    assert_non_null(gradient);
    *elements = 0;
    for (int i = 0; i < layout->params; i++) {
        const size_t count = (size_t)clv_shape_elements(&layout->param[i].shape);
        assert_ok(clv_buffer_read_floats(s->be, s->bindings.space[CLV_SPACE_GRAD], layout->param[i].offset,
                                         gradient + *elements, count, err));
        *elements += count;
    }
    clv_session_close(s);
    clv_config_destroy(config);
    return gradient;
}

/* Wherever a backend adds them up, gradients lie in their space after the step. */
static void test_gradients_can_be_read(void **state)
{
    (void)state;
    size_t count, other;
    char select[160];
    snprintf(select, sizeof select, "device.select=%s", test_device());
    float *a = gradients_of_a_step((const char *const[]){select, NULL}, &count);
    float *b = gradients_of_a_step((const char *const[]){"device.backend=cpu", NULL}, &other);
    assert_int_equal(count, other);
    double largest = 0;
    for (size_t i = 0; i < count; i++) largest = fmax(largest, fabs((double)b[i]));
    assert_true(largest > 0);
    for (size_t i = 0; i < count; i++)
        if (!(fabs((double)a[i] - (double)b[i]) <= 1e-5 * largest))
            fail_msg("element %zu of the gradients: %.9g and %.9g", i, (double)a[i], (double)b[i]);
    free(a);
    free(b);
}

static void test_backends_agree_vae(void **state)
{
    (void)state;
    backends_agree("ini/vae.ini");
}

/* Fusion changes rounding, not results. */
static void test_fused_agrees_with_unfused(void **state)
{
    (void)state;
    double fused[STEPS], plain[STEPS];
    char select[160];
    snprintf(select, sizeof select, "device.select=%s", test_device());
    first_losses("ini/smoke.ini", (const char *const[]){select, NULL}, fused);
    first_losses("ini/smoke.ini", (const char *const[]){select, "plan.fuse=false", NULL}, plain);
    assert_losses_agree(fused, plain, 1e-5);
}

/* Each fusion switched off alone: results up to rounding, and where the batch is whole, more launches or as many; where
 * nothing but the order of work in time differs, to the bit. */
static void test_each_fusion_alone(void **state)
{
    (void)state;
    static const char *const keys[] = {
        "plan.fuse_epilogue=false", "plan.fuse_dropout=false", "plan.fuse_add=false",
        "plan.fuse_loss=false",     "plan.fuse_head=false",    "plan.fuse_bias_grad=false",
        "plan.fuse_noise=false",    "plan.fuse_sums=false",    "plan.fuse_launches=false"};
    static const char whole_batch[] = "plan.fuse_chains=false";
    double fused[STEPS], whole[STEPS], apart[STEPS];
    char select[160];
    int fewer = 0;
    snprintf(select, sizeof select, "device.select=%s", test_device());
    first_losses("ini/smoke.ini", (const char *const[]){select, NULL}, fused);
    const int in_blocks = launches;
    first_losses("ini/smoke.ini", (const char *const[]){select, whole_batch, NULL}, whole);
    const int together = launches;
    assert_true(in_blocks <= together);
    assert_losses_agree(fused, whole, 1e-5);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        first_losses("ini/smoke.ini", (const char *const[]){select, whole_batch, keys[i], NULL}, apart);
        assert_true(together <= launches);
        fewer += together < launches;
        assert_losses_agree(whole, apart, 1e-5);
        if (strstr(keys[i], "sums") || strstr(keys[i], "launches")) assert_memory_equal(whole, apart, sizeof whole);
    }
    assert_true(fewer > 0);
}

/* A batch in blocks and a whole one: the same images, noise and dropout, and last batches that fill some blocks in part
 * and others not at all; sums of gradients are rounded in another order. */
static void test_blocks_agree_with_the_whole(void **state)
{
    (void)state;
    static const struct {
        const char *ini, *change;
        uint32_t fewer;
    } cases[] = {{"ini/autoencoder.ini", "train.batch=128", 37},
                 {"ini/denoise.ini", "train.batch=256", 150},
                 {"ini/smoke.ini", "train.optimizer=sgd", 100},
                 {"ini/smoke.ini", "train.batch=100", 99}};
    double in_blocks[STEPS], whole[STEPS];
    char select[160];
    snprintf(select, sizeof select, "device.select=%s", test_device());
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        losses_of(cases[i].ini, (const char *const[]){select, cases[i].change, NULL}, cases[i].fewer, in_blocks);
        assert_true(blocks > 0 || !has_blocks);
        losses_of(cases[i].ini, (const char *const[]){select, cases[i].change, "plan.fuse_chains=false", NULL},
                  cases[i].fewer, whole);
        assert_int_equal(blocks, 0);
        assert_losses_agree(in_blocks, whole, 2e-5);
    }
}

/* The network of ini/autoencoder.ini, whose dropouts stand behind linear layers: the same numbers are dropped, in two
 * launches less and those that their gradients had. */
static void test_dropout_alone(void **state)
{
    (void)state;
    double fused[STEPS], apart[STEPS];
    char select[160];
    snprintf(select, sizeof select, "device.select=%s", test_device());
    first_losses("ini/autoencoder.ini", (const char *const[]){select, "plan.fuse_chains=false", NULL}, fused);
    const int together = launches;
    first_losses("ini/autoencoder.ini",
                 (const char *const[]){select, "plan.fuse_chains=false", "plan.fuse_dropout=false", NULL}, apart);
    assert_true(together + 2 <= launches);
    assert_losses_agree(fused, apart, 1e-5);
}

/* The denoiser, whose noise is added by the gather: the same numbers, so that losses differ by rounding alone, in a
 * launch less; launches are counted where no joint one hides it. */
static void test_noise_alone(void **state)
{
    (void)state;
    double fused[STEPS], apart[STEPS];
    char select[160];
    snprintf(select, sizeof select, "device.select=%s", test_device());
    first_losses("ini/denoise.ini", (const char *const[]){select, "plan.fuse_launches=false", NULL}, fused);
    const int together = launches;
    first_losses("ini/denoise.ini",
                 (const char *const[]){select, "plan.fuse_launches=false", "plan.fuse_noise=false", NULL}, apart);
    assert_int_equal(together + 1, launches);
    assert_losses_agree(fused, apart, 1e-5);
}

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
        cmocka_unit_test(test_fused_agrees_with_unfused),
        cmocka_unit_test(test_each_fusion_alone),
        cmocka_unit_test(test_blocks_agree_with_the_whole),
        cmocka_unit_test(test_dropout_alone),
        cmocka_unit_test(test_noise_alone),
        cmocka_unit_test(test_backends_agree_autoencoder),
        cmocka_unit_test(test_gradients_can_be_read),
        cmocka_unit_test(test_backends_agree_vae),
    };
    if (!have_opencl()) return 77;
    write_small_mnist(test_path("mnist"), 700, 200);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
