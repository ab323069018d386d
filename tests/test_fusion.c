/* The same losses, step for step, whatever computes them: either backend, fused or not, in blocks of the batch or
 * whole. */
#define _DEFAULT_SOURCE /* unsetenv */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clave/experiment.h"
#include "experiment/pass.h"
#include "support.h"

#define STEPS 10

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
    int unused;
    has_blocks = clv_backend_block(s->be, (int)batch, &unused) > 0;
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

/* Blocks that come after others take their memory: the same losses, to the bit, however many are on their way together.
 */
static void test_blocks_in_waves(void **state)
{
    (void)state;
    char select[160];
    double all[STEPS];
    snprintf(select, sizeof select, "device.select=%s", test_device());
    for (int at_once = 0; at_once <= 3; at_once++) {
        clv_config *config = load("ini/smoke.ini", (const char *const[]){select, "train.batch=256", NULL});
        clv_session *s = NULL;
        clv_phase_request request = {CLV_MODE_TRAIN, CLV_DATASET_TRAIN};
        assert_ok(clv_session_open(config, NULL, &request, 1, &s, err));
        assert_ok(clv_session_load(s, NULL, err));
        clv_phase *phase = &s->phase[0];
        const int most = phase->plan->at_once;
        if (phase->plan->blocks == 0) skip();
        if (at_once > 0 && at_once < most) { /* fewer than the memory was made for */
            clv_program_destroy(s->be, phase->program);
            phase->plan->at_once = at_once;
            assert_ok(clv_program_create(s->be, phase->plan, &s->bindings, &phase->program, err));
            assert_true(clv_program_launches(s->be, phase->program) > phase->plan->blocks / at_once);
        }
        for (uint32_t i = 0; i < STEPS; i++) {
            clv_pass pass = {.first = i * 256, .count = 256 - i % 2 * 77, .first_step = i, .seed = 7};
            assert_ok(clv_pass_run(s, phase, &pass, err));
            if (at_once == 0) all[i] = pass.sum[0];
            if (all[i] != pass.sum[0]) fail_msg("%d at once, step %u: %.9g, not %.9g", at_once, i, pass.sum[0], all[i]);
        }
        clv_session_close(s);
        clv_config_destroy(config);
    }
}

/* An optimiser that adds parts, and a weight gradient that leaves them, are tested as that. */
static void test_wrong_sums_of_parts(void **state)
{
    (void)state;
    static const struct {
        const char *file, *from, *to, *says;
    } wrong[] = {{"optim.cl", "sum += LOADV(from + part", "sum -= LOADV(from + part", "adam"},
                 {"optim.cl", "LOADV(grad + i)", "LOADV(grad)", "adam"},
                 {"conv_weight.cl", "acc[i] = (floatv)(0.0f)", "acc[i] = (floatv)(1.0f)", "conv_weight"}};
    char select[160], folder[32];
    snprintf(select, sizeof select, "device.select=%s", test_device());
    double loss[STEPS];
    first_losses("ini/smoke.ini", (const char *const[]){select, NULL}, loss);
    if (!has_blocks) skip();
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        clv_config *config = load("ini/smoke.ini", (const char *const[]){select, NULL});
        clv_session *s = NULL;
        clv_phase_request request = {CLV_MODE_TRAIN, CLV_DATASET_TRAIN};
        snprintf(folder, sizeof folder, "wrong%zu", i);
        use_wrong_kernels(test_path(folder), wrong[i].file, wrong[i].from, wrong[i].to);
        assert_refused(clv_session_open(config, NULL, &request, 1, &s, err), CLV_ERR_DEVICE, wrong[i].says);
        unsetenv("CLAVE_KERNELS");
        clv_session_close(s);
        clv_config_destroy(config);
    }
}

/* A batch in blocks and a whole one: the same images, noise and dropout, and last batches that fill some blocks in part
 * and others not at all; sums of gradients are rounded in another order. */
static void test_blocks_agree_with_the_whole(void **state)
{
    (void)state;
    static const struct {
        const char *ini, *change;
        uint32_t fewer;
    } cases[] = {{"ini/autoencoder.ini", "train.optimizer=adam", 37},
                 {"ini/denoise.ini", "train.optimizer=adam", 100},
                 {"ini/smoke.ini", "train.batch=256", 150},
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fused_agrees_with_unfused),
        cmocka_unit_test(test_each_fusion_alone),
        cmocka_unit_test(test_wrong_sums_of_parts),
        cmocka_unit_test(test_blocks_in_waves),
        cmocka_unit_test(test_blocks_agree_with_the_whole),
        cmocka_unit_test(test_dropout_alone),
        cmocka_unit_test(test_noise_alone),
        cmocka_unit_test(test_backends_agree_autoencoder),
        cmocka_unit_test(test_gradients_can_be_read),
        cmocka_unit_test(test_backends_agree_vae),
    };
    if (!have_opencl()) return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
