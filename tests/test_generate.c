/* Importance weights, scores, samples of fitted codes and given images, on models trained for a moment. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/philox.h"
#include "clave/experiment.h"
#include "experiment/codes.h"
#include "experiment/dataset.h"
#include "experiment/generate.h"
#include "experiment/given.h"
#include "experiment/run_folder.h"
#include "experiment/weigh.h"
#include "support.h"

enum { TRAIN = 500, TEST = 150, BATCH = 64, LATENT = 2, PIXELS = 784, SEED = 7 };

/* Dropout before the gaussian row: it has a stream of its own, and so has the row behind it another one. */
static const char *const vae_text = "[experiment]\ntask = vae\nseed = 7\n"
                                    "[encoder]\nfc = linear units=32 act=relu\ndrop = dropout rate=0.1\n"
                                    "code = gaussian units=2\n"
                                    "[decoder]\nup = linear units=32 act=relu\nout = linear units=784\n"
                                    "image = reshape channels=1 height=28 width=28\n"
                                    "[train]\nepochs = 20\nlr = 3e-3\n";
static const char *const autoencoder_text =
    "[experiment]\ntask = autoencoder\nseed = 7\n"
    "[encoder]\nfc = linear units=32 act=relu\ncode = linear units=2\n"
    "[decoder]\nup = linear units=32 act=relu\nout = linear units=784 act=sigmoid\n"
    "image = reshape channels=1 height=28 width=28\n"
    "[train]\nepochs = 5\nlr = 3e-3\n";

static clv_config *config_of(const char *text, const char *backend)
{
    char data[600], device[160];
    const char *const overrides[] = {data, device, "data.validation=100", "train.batch=64", "report.manifold=2"};
    clv_config *config = NULL;
    snprintf(data, sizeof data, "data.path=%s", test_path("mnist"));
    snprintf(device, sizeof device, "device.%s=%s", backend ? "backend" : "select", backend ? backend : test_device());
    assert_ok(clv_config_parse("test.ini", text, strlen(text), overrides, 5, &config, NULL, err));
    return config;
}

static char vae_run[512], autoencoder_run[512];

static void train(const char *text, char run[512], const char *name)
{
    clv_config *config = config_of(text, NULL);
    clv_train_result result;
    snprintf(run, 512, "%s", test_path(name));
    assert_ok(clv_train(config, &(clv_train_options){.out = run}, &result, err));
    clv_config_destroy(config);
}

static int start(void **state)
{
    (void)state;
    write_small_mnist(test_path("mnist"), TRAIN, TEST);
    train(vae_text, vae_run, "vae");
    train(autoencoder_text, autoencoder_run, "autoencoder");
    return 0;
}

static void assert_close(const char *what, double a, double b, double tolerance)
{
    if (!(fabs(a - b) <= tolerance * fabs(b))) fail_msg("%s: %.9g is not %.9g", what, a, b);
}

static clv_session *open_weigher(const clv_config *config)
{
    const clv_phase_request request[] = {
        {CLV_MODE_ENCODE, CLV_DATASET_TEST}, {CLV_MODE_WEIGH, CLV_DATASET_TEST}, {CLV_MODE_DECODE, CLV_DATASET_TEST}};
    clv_session *s = NULL;
    assert_ok(clv_session_open(config, NULL, request, 3, &s, err));
    assert_ok(clv_session_load(s, vae_run, err));
    return s;
}

static void read_gaussians(clv_session *s, float *mu, float *logvar)
{
    const clv_phase *encode = clv_session_phase(s, CLV_MODE_ENCODE, CLV_DATASET_TEST);
    for (uint32_t done = 0; done < TEST; done += BATCH) {
        const uint32_t n = TEST - done < BATCH ? TEST - done : BATCH;
        const clv_step step = {.offset = done, .count = n};
        assert_ok(clv_program_run(s->be, encode->program, &step, err));
        assert_ok(clv_session_read_batch(s, encode, encode->graph.code, mu + done * LATENT, (int)n, err));
        assert_ok(clv_session_read_batch(s, encode, encode->graph.logvar, logvar + done * LATENT, (int)n, err));
    }
}

/* What evaluation adds to mu: the stream is the second of those that it hands out, dropout's is the first. */
static void eps_of(uint32_t image, float eps[2])
{
    const uint32_t counter[4] = {image % BATCH, 0, image / BATCH, CLV_STREAM_EVAL + 1}, key[2] = {SEED, 0};
    uint32_t word[4];
    clv_philox(counter, key, word);
    clv_normal_pair(word[0], word[1], eps);
}

static double cross_entropy(const float *p, const uint8_t *pixel)
{
    double sum = 0;
    for (int i = 0; i < PIXELS; i++) {
        const double t = pixel[i] / 255.0;
        sum -= t * log((double)p[i]) + (1 - t) * log1p(-(double)p[i]);
    }
    return sum;
}

/* One weight by the definition, log p(x|z) + log p(z) - log q(z|x), of the sample that evaluation draws: the bound of
 * one sample is their mean, its reconstruction error evaluation's own. The hand's cross-entropy is of probabilities in
 * float, which near 1 have 2^-24 of themselves: an error of 1e-5 of it at most. */
static void test_one_sample_is_the_elbo_of_that_sample(void **state)
{
    (void)state;
    clv_config *config = config_of(vae_text, NULL);
    clv_session *s = open_weigher(config);
    float mu[TEST * LATENT], logvar[TEST * LATENT], z[TEST * LATENT];
    float *image = calloc((size_t)TEST * PIXELS, sizeof *image);
    double ratio[TEST], by_hand = 0, mean_ratio = 0, mean_loss = 0, bound, loss[TEST];
    assert_non_null(image);
    read_gaussians(s, mu, logvar);
    for (uint32_t i = 0; i < TEST; i++) {
        float eps[2];
        eps_of(i, eps);
        ratio[i] = 0;
        for (uint32_t d = 0; d < LATENT; d++) {
            const double m = (double)mu[i * LATENT + d], v = exp((double)logvar[i * LATENT + d]),
                         at = m + sqrt(v) * (double)eps[d];
            z[i * LATENT + d] = (float)at;
            ratio[i] += -at * at / 2 + (at - m) * (at - m) / v / 2 + log(v) / 2;
        }
    }
    assert_ok(clv_decode(s, z, TEST, image, err));
    for (uint32_t i = 0; i < TEST; i++) {
        const double bce =
            cross_entropy(image + (size_t)i * PIXELS, s->images[CLV_DATASET_TEST].pixel + (size_t)i * PIXELS);
        by_hand += (ratio[i] - bce) / TEST;
        mean_ratio += ratio[i] / TEST;
    }
    const int samples = 1;
    const clv_weighing w = {.dataset = CLV_DATASET_TEST,
                            .count = TEST,
                            .seed = SEED,
                            .samples = &samples,
                            .bounds = 1,
                            .bound = &bound,
                            .loss = loss};
    assert_ok(clv_weigh(s, &w, err));
    assert_close("bound by hand", bound, by_hand, 1e-5);
    for (int i = 0; i < TEST; i++) mean_loss += loss[i] / TEST;
    clv_session_close(s);

    clv_measures measures = {0};
    assert_ok(clv_evaluate(vae_run, config, &(clv_evaluate_options){0}, &measures, NULL, err));
    assert_close("bce", mean_loss, clv_measure_get(&measures, "bce"), 1e-6);
    assert_close("bound of evaluation's samples", bound, mean_ratio - clv_measure_get(&measures, "bce"), 1e-6);
    assert_true(mean_ratio < -1); /* the codes say something: the bound is not the cross-entropy */
    free(image);
    clv_config_destroy(config);
}

static void measure_bounds(const char *backend, const int *samples, int counts, double *bound)
{
    clv_config *config = config_of(vae_text, backend);
    clv_measures measures = {0};
    assert_ok(clv_evaluate(vae_run, config, &(clv_evaluate_options){NULL, samples, counts, NULL}, &measures, NULL, err));
    assert_int_equal(measures.count, counts + 4); /* beside loss, bce, kl, elbo */
    for (int i = 0; i < counts; i++) {
        char name[32];
        snprintf(name, sizeof name, "iwae_%d", samples[i]);
        assert_string_equal(measures.of[4 + i].name, name);
        bound[i] = measures.of[4 + i].value;
    }
    clv_config_destroy(config);
}

static void test_the_bound_grows_with_the_samples(void **state)
{
    (void)state;
    const int samples[] = {1, 4, 16, 64}, alone = 16;
    double bound[4], again;
    measure_bounds(NULL, samples, 4, bound);
    for (int i = 1; i < 4; i++)
        if (!(bound[i] > bound[i - 1] + 0.01))
            fail_msg("%d samples: %.9g after %.9g", samples[i], bound[i], bound[i - 1]);
    measure_bounds(NULL, &alone, 1, &again); /* whether others are asked for or not */
    assert_true(again == bound[2]);
}

/* Weights are exponentials of sums of 784 floats of about 200: 1e-5 of them is 30 roundings. */
static void test_backends_agree_on_the_bound(void **state)
{
    (void)state;
    const int samples[] = {1, 8};
    double opencl[2], cpu[2];
    measure_bounds(NULL, samples, 2, opencl);
    measure_bounds("cpu", samples, 2, cpu);
    for (int i = 0; i < 2; i++) assert_close("bound", opencl[i], cpu[i], 1e-5);
}

static void test_bounds_that_cannot_be(void **state)
{
    (void)state;
    clv_measures measures = {0};
    const int falling[] = {8, 8}, zero = 0, one = 1;
    clv_config *config = config_of(vae_text, NULL);
    assert_refused(clv_evaluate(vae_run, config, &(clv_evaluate_options){NULL, falling, 2, NULL}, &measures, NULL, err), CLV_ERR_CONFIG, "rising");
    assert_refused(clv_evaluate(vae_run, config, &(clv_evaluate_options){NULL, &zero, 1, NULL}, &measures, NULL, err), CLV_ERR_CONFIG, "from 1");
    clv_config_destroy(config);
    config = config_of(autoencoder_text, NULL);
    assert_refused(clv_evaluate(autoencoder_run, config, &(clv_evaluate_options){NULL, &one, 1, NULL}, &measures, NULL, err), CLV_ERR_CONFIG,
                   "need a likelihood");
    clv_config_destroy(config);
}

static clv_score_result score(const char *run, const clv_config *config, const char *const *names, int count)
{
    clv_score_result result = {0};
    const clv_score_options options = {.names = names, .name_count = count};
    assert_ok(clv_score(run, config, &options, &result, err));
    return result;
}

/* Means of the rows are evaluation's figures; ranks fall; the highest has percentile 100. */
static void test_scores_are_losses_by_image(void **state)
{
    (void)state;
    for (int vae = 0; vae < 2; vae++) {
        const char *run = vae ? vae_run : autoencoder_run;
        clv_config *config = config_of(vae ? vae_text : autoencoder_text, NULL);
        clv_measures measures = {0};
        assert_ok(clv_evaluate(run, config, &(clv_evaluate_options){0}, &measures, NULL, err));
        clv_score_result result = score(run, config, NULL, 0);
        assert_int_equal(result.count, TEST);
        assert_string_equal(result.measure, vae ? "negative_elbo" : "mse");
        double kl = 0;
        bool seen[TEST] = {false};
        for (uint32_t i = 0; i < TEST; i++) {
            const clv_score_row *row = &result.row[i];
            assert_true(i == 0 || row->score <= row[-1].score);
            assert_close("percentile", row->percentile, 100.0 * (TEST - i) / TEST, 1e-9);
            assert_false(seen[row->image]);
            seen[row->image] = true;
            assert_in_range(row->label, 0, 9);
            kl += row->kl / TEST;
        }
        if (vae) {
            assert_close("kl", kl, clv_measure_get(&measures, "kl"), 1e-5);
            /* eight samples an image here, one there: 150 images of a deviation of some nats */
            assert_close("negative elbo", result.mean, -clv_measure_get(&measures, "elbo"), 0.02);
        } else {
            assert_close("mse", result.mean, clv_measure_get(&measures, "mse"), 1e-5);
        }
        clv_score_free(&result);
        clv_config_destroy(config);
    }
}

static void test_named_images_have_the_scores_of_their_places(void **state)
{
    (void)state;
    const char *const names[] = {"0", "149", "0"};
    clv_config *config = config_of(autoencoder_text, NULL);
    clv_score_result all = score(autoencoder_run, config, NULL, 0), some = score(autoencoder_run, config, names, 3);
    assert_int_equal(some.count, 3);
    assert_string_equal(some.path, "");
    for (uint32_t i = 0; i < 3; i++)
        for (uint32_t k = 0; k < all.count; k++) {
            const uint32_t index = some.row[i].image == 1 ? 149 : 0;
            if (all.row[k].image != index) continue;
            assert_close("score", some.row[i].score, all.row[k].score, 1e-6);
            assert_true(fabs(some.row[i].percentile - all.row[k].percentile) < 1); /* rounding may change a place */
        }
    clv_score_free(&all);
    clv_score_free(&some);
    clv_config_destroy(config);
}

static void test_given_images_are_those_of_their_places(void **state)
{
    (void)state;
    const char *const names[] = {"3", "0"};
    clv_config *config = config_of(autoencoder_text, NULL);
    clv_images all = {0}, given = {0};
    const char *const data = clv_config_string(config, "data.path");
    assert_ok(clv_images_load(data, CLV_SPLIT_TRAIN, &all, err));
    assert_ok(clv_given_read(config, "val", names, 2, &given, NULL, err));
    assert_int_equal(given.count, 2);
    assert_memory_equal(given.pixel, all.pixel + (size_t)(TRAIN - 100 + 3) * PIXELS, PIXELS);
    assert_memory_equal(given.pixel + PIXELS, all.pixel + (size_t)(TRAIN - 100) * PIXELS, PIXELS);
    clv_images_free(&given);
    assert_refused(clv_given_read(config, "val", (const char *const[]){"100"}, 1, &given, NULL, err), CLV_ERR_CONFIG,
                   "it has 100");
    assert_refused(clv_given_read(config, "test", (const char *const[]){"99999999999999999999"}, 1, &given, NULL, err),
                   CLV_ERR_CONFIG, "it has 150");
    assert_refused(clv_given_read(config, "test", (const char *const[]){"none.png"}, 1, &given, NULL, err), CLV_ERR_DATA,
                   "none.png");
    assert_refused(clv_given_read(config, "tset", names, 1, &given, NULL, err), CLV_ERR_CONFIG, "no split");
    clv_train_parts parts;
    assert_ok(clv_train_split(config, TRAIN, &parts, err));
    assert_true(parts.train_count == TRAIN - 100 && parts.validation_count == 100);
    assert_refused(clv_train_split(config, 100, &parts, err), CLV_ERR_CONFIG, "holds out all of the 100");
    clv_images none = {0};
    clv_session *s = NULL;
    const clv_phase_request request = {CLV_MODE_ENCODE, CLV_DATASET_TEST};
    assert_refused(clv_session_open_given(config, NULL, &request, 1, &none, &s, err), CLV_ERR_DATA, "no images");
    assert_null(given.pixel);
    clv_images_free(&all);
    clv_config_destroy(config);
}

/* Mean and deviation of a dimension. */
static void moments(const float *codes, uint32_t count, int dim, double *mean, double *deviation)
{
    double sum = 0, squares = 0;
    for (uint32_t i = 0; i < count; i++) sum += (double)codes[i * LATENT + (uint32_t)dim];
    *mean = sum / count;
    for (uint32_t i = 0; i < count; i++) squares += pow((double)codes[i * LATENT + (uint32_t)dim] - *mean, 2);
    *deviation = sqrt(squares / count);
}

/* Fitted to 400 codes, 10,000 drawn: means within a twentieth of the deviation, deviations within a twentieth. */
static void test_drawn_codes_are_like_the_training_codes(void **state)
{
    (void)state;
    enum { DRAWN = 10000, CODES = TRAIN - 100 };
    const clv_phase_request request[] = {{CLV_MODE_DECODE, CLV_DATASET_TEST}, {CLV_MODE_ENCODE, CLV_DATASET_TRAIN}};
    clv_config *config = config_of(autoencoder_text, NULL);
    clv_session *s = NULL;
    static float codes[CODES * LATENT], drawn[DRAWN * LATENT];
    assert_ok(clv_session_open(config, NULL, request, 2, &s, err));
    assert_ok(clv_session_load(s, autoencoder_run, err));
    assert_int_equal(clv_default_from(s), CLV_FROM_NORMAL);
    assert_ok(clv_encode(s, CLV_DATASET_TRAIN, 0, CODES, codes, err));
    for (int mixture = 0; mixture < 2; mixture++) {
        clv_sample_result result = {0};
        assert_ok(clv_draw_codes(s, mixture ? CLV_FROM_MIXTURE : CLV_FROM_DEFAULT, mixture ? 3 : 0, 5, DRAWN, drawn,
                                 &result, err));
        assert_int_equal(result.components, mixture ? 3 : 1);
        assert_int_equal(result.codes, CODES);
        assert_int_equal(result.from, mixture ? CLV_FROM_MIXTURE : CLV_FROM_NORMAL);
        for (int d = 0; d < LATENT; d++) {
            double mean[2], deviation[2];
            moments(codes, CODES, d, &mean[0], &deviation[0]);
            moments(drawn, DRAWN, d, &mean[1], &deviation[1]);
            assert_true(deviation[0] > 0);
            assert_true(fabs(mean[1] - mean[0]) < 0.05 * deviation[0]);
            assert_true(fabs(deviation[1] / deviation[0] - 1) < 0.05);
        }
    }
    assert_refused(clv_draw_codes(s, CLV_FROM_PRIOR, 0, 5, 1, drawn, NULL, err), CLV_ERR_CONFIG, "no prior");
    clv_session_close(s);
    clv_config_destroy(config);
}

/* An encoder of zeros gives one code: its normal is that code, and a mixture of it is refused. */
static void test_one_code_for_all_images(void **state)
{
    (void)state;
    const clv_phase_request request[] = {{CLV_MODE_DECODE, CLV_DATASET_TEST}, {CLV_MODE_ENCODE, CLV_DATASET_TRAIN}};
    clv_config *config = config_of(autoencoder_text, NULL);
    clv_session *s = NULL;
    float drawn[10 * LATENT];
    assert_ok(clv_session_open(config, NULL, request, 2, &s, err));
    assert_ok(clv_draw_codes(s, CLV_FROM_NORMAL, 0, 5, 10, drawn, NULL, err));
    for (int i = 0; i < 10 * LATENT; i++) assert_true(fabsf(drawn[i]) < 1e-12f);
    assert_refused(clv_draw_codes(s, CLV_FROM_MIXTURE, 0, 5, 10, drawn, NULL, err), CLV_ERR_DATA,
                   "codes of the training images: all 400 points are the same");
    clv_session_close(s);
    clv_config_destroy(config);
}

/* Whichever allocation fails, the call says so, leaves nothing behind (the sanitizer build looks) and works the next
 * time. */
enum { GIVEN, CODES, WEIGHTS, CALLS };

static clv_status call(int what, clv_session *s, clv_error *err)
{
    static float drawn[5 * LATENT];
    double bound;
    const int samples = 1;
    clv_images given = {0};
    const clv_weighing w = {
        .dataset = CLV_DATASET_TEST, .count = 10, .seed = SEED, .samples = &samples, .bounds = 1, .bound = &bound};
    clv_status status = CLV_OK;
    switch (what) {
    case GIVEN:
        status = clv_given_read(s->config, "test", (const char *const[]){"1", "2"}, 2, &given, NULL, err);
        clv_images_free(&given);
        return status;
    case CODES:
        return clv_draw_codes(s, CLV_FROM_MIXTURE, 2, SEED, 5, drawn, NULL, err);
    default:
        return clv_weigh(s, &w, err);
    }
}

static void test_memory_running_out(void **state)
{
    (void)state;
    clv_config *config = config_of(vae_text, "cpu");
    clv_session *s = NULL;
    const clv_phase_request request[] = {
        {CLV_MODE_ENCODE, CLV_DATASET_TEST}, {CLV_MODE_WEIGH, CLV_DATASET_TEST}, {CLV_MODE_ENCODE, CLV_DATASET_TRAIN}};
    assert_ok(clv_session_open(config, NULL, request, 3, &s, err));
    assert_ok(clv_session_load(s, vae_run, err));
    for (int what = 0; what < CALLS; what++) {
        clv_status status = CLV_ERR_INTERNAL;
        long nth = 0;
        while (status != CLV_OK) {
            clv_error err = {0};
            assert_true(++nth < 1000);
            clv_fail_allocation(nth);
            status = call(what, s, &err);
            clv_fail_allocation(0);
            if (status != CLV_OK) assert_int_equal(status, CLV_ERR_INTERNAL);
        }
        assert_true(nth > 4);
    }
    clv_session_close(s);
    clv_config_destroy(config);
}

int main(void)
{
    if (!have_opencl()) return 77;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_sample_is_the_elbo_of_that_sample),
        cmocka_unit_test(test_the_bound_grows_with_the_samples),
        cmocka_unit_test(test_backends_agree_on_the_bound),
        cmocka_unit_test(test_bounds_that_cannot_be),
        cmocka_unit_test(test_scores_are_losses_by_image),
        cmocka_unit_test(test_named_images_have_the_scores_of_their_places),
        cmocka_unit_test(test_given_images_are_those_of_their_places),
        cmocka_unit_test(test_drawn_codes_are_like_the_training_codes),
        cmocka_unit_test(test_one_code_for_all_images),
        cmocka_unit_test(test_memory_running_out),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
