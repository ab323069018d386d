/* Tasks beside plain autoencoders: weights taken over, frozen and trained at rates of their own; classifiers;
 * denoising. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "clave/experiment.h"
#include "experiment/classes.h"
#include "experiment/run_folder.h"
#include "model/safetensors.h"
#include "support.h"

#define MAX_OVERRIDES 20

/* A configuration of an INI file on 500 training and 200 test images, with more overrides, NULL-terminated. */
static clv_config *configure(const char *ini, const char *const *more)
{
    char data[600], select[160], from[600];
    const char *overrides[MAX_OVERRIDES] = {data,
                                            select,
                                            "data.validation=200",
                                            "train.batch=96",
                                            "train.epochs=2",
                                            "report.samples=0",
                                            "report.manifold=0",
                                            "report.latent=0"};
    int count = 8;
    clv_config *config = NULL;
    snprintf(data, sizeof data, "data.path=%s", test_path("mnist"));
    snprintf(select, sizeof select, "device.select=%s", test_device());
    snprintf(from, sizeof from, "transfer.from=%s", test_path("autoencoder"));
    if (strstr(ini, "transfer")) overrides[count++] = from;
    for (int i = 0; more && more[i]; i++) overrides[count++] = more[i];
    assert_ok(clv_config_load(ini, overrides, count, &config, NULL, err));
    return config;
}

static clv_status run(const char *ini, const char *out, int steps, const char *const *more, clv_error *err)
{
    clv_train_result result;
    clv_config *config = configure(ini, more);
    clv_train_options options = {.out = out, .stop_after_steps = steps};
    clv_status status = clv_train(config, &options, &result, err);
    clv_config_destroy(config);
    return status;
}

/* ---- weights of two files ---- */

typedef struct weights {
    uint8_t *bytes;
    clv_safetensors file;
} weights;

static weights open_weights(const char *run_name, const char *name)
{
    char path[700];
    size_t size;
    weights w = {0};
    snprintf(path, sizeof path, "%s/%s", test_path(run_name), name);
    assert_ok(clv_file_read(path, (size_t)1 << 30, CLV_ERR_DATA, &w.bytes, &size, err));
    assert_ok(clv_safetensors_parse(path, w.bytes, size, &w.file, err));
    return w;
}

static void close_weights(weights *w)
{
    clv_safetensors_destroy(&w->file);
    free(w->bytes);
}

static const clv_tensor *tensor(const weights *w, const char *name)
{
    for (int i = 0; i < w->file.tensors; i++)
        if (!strcmp(w->file.tensor[i].name, name)) return &w->file.tensor[i];
    return NULL;
}

static bool same_tensor(const weights *a, const weights *b, const char *name)
{
    const clv_tensor *x = tensor(a, name), *y = tensor(b, name);
    if (!x || !y) fail_msg("a file has no tensor %s", name);
    return x->size == y->size && !memcmp(x->data, y->data, x->size);
}

static float first_float(const weights *w, const char *name)
{
    const clv_tensor *t = tensor(w, name);
    float value[4096];
    assert_true(t && t->size <= sizeof value);
    clv_safetensors_floats(t, value);
    return value[0];
}

/* ---- transfer ---- */

static void test_frozen_weights_stay(void **state)
{
    (void)state;
    assert_ok(run("ini/transfer.ini", test_path("transfer"), 0, NULL, err));
    weights from = open_weights("autoencoder", CLV_BEST_FILE), to = open_weights("transfer", CLV_LAST_FILE);
    static const char *const frozen[] = {"conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias", "conv3.weight"};
    static const char *const moved[] = {"fc1.weight", "fc1.bias", "code.weight", "code.bias"};
    for (size_t i = 0; i < sizeof frozen / sizeof *frozen; i++) assert_true(same_tensor(&from, &to, frozen[i]));
    for (size_t i = 0; i < sizeof moved / sizeof *moved; i++) assert_false(same_tensor(&from, &to, moved[i]));
    assert_null(tensor(&to, "optimizer.m.conv1.weight")); /* nothing is kept for what is not trained */
    assert_non_null(tensor(&to, "optimizer.m.fc1.weight"));
    assert_null(tensor(&to, "up1.weight"));
    close_weights(&from);
    close_weights(&to);
}

/* The plan computes no gradient for a frozen layer, and none of what only it would need. */
static void test_frozen_layers_cost_no_gradient(void **state)
{
    (void)state;
    clv_config *config = configure("ini/transfer.ini", NULL);
    clv_session *s = NULL;
    clv_phase_request request = {CLV_MODE_TRAIN, CLV_DATASET_TRAIN};
    assert_ok(clv_session_open(config, NULL, &request, 1, &s, err));
    int gradients = 0;
    for (int i = 0; i < s->phase[0].plan->calls; i++) {
        const clv_call *call = &s->phase[0].plan->call[i];
        gradients += call->op == CLV_OP_CONV_WEIGHT;
        if (strstr(call->name, "d conv")) fail_msg("there is a call '%s'", call->name);
    }
    assert_int_equal(gradients, 3); /* fc1, code, head */
    clv_session_close(s);
    clv_config_destroy(config);
}

static void test_a_run_of_frozen_layers_resumes(void **state)
{
    (void)state;
    clv_train_result result;
    clv_train_options options = {.out = test_path("halves"), .resume = true};
    assert_refused(run("ini/transfer.ini", test_path("halves"), 4, NULL, err), CLV_INTERRUPTED, "--resume");
    clv_config *config = configure("ini/transfer.ini", NULL);
    assert_ok(clv_train(config, &options, &result, err));
    clv_config_destroy(config);
    char a[700], b[700];
    snprintf(a, sizeof a, "%s/%s", test_path("transfer"), CLV_LAST_FILE);
    snprintf(b, sizeof b, "%s/%s", test_path("halves"), CLV_LAST_FILE);
    assert_true(same_bytes(a, b));
}

static void test_what_does_not_match_is_listed(void **state)
{
    (void)state;
    static const struct {
        const char *more[4];
        clv_status status;
        const char *says;
    } cases[] = {
        {{"transfer.reset=none"}, CLV_ERR_DATA, "missing: head.weight [10][2]"},
        {{"params.conv1=4"}, CLV_ERR_DATA, "conv1.weight is F32 [8][1][3][3] instead of F32 [4][1][3][3]"},
        {{"transfer.from=/nowhere"}, CLV_ERR_DATA, "/nowhere"},
        {{"transfer.freeze=conv1, cnv2"},
         CLV_ERR_CONFIG,
         "'cnv2' matches no layer that has weights; did you mean 'conv2'"},
        {{"transfer.freeze=*"}, CLV_ERR_CONFIG, "nothing to train"},
        {{"transfer.freeze=conv1,,conv2"}, CLV_ERR_CONFIG, "empty or too long entry"},
        {{"transfer.freeze=conv1,"}, CLV_ERR_CONFIG, "empty or too long entry"},
        {{"transfer.freeze=conv1:0.1"}, CLV_ERR_CONFIG, "takes names alone"},
        {{"transfer.reset=heads"}, CLV_ERR_CONFIG, "did you mean 'head'"},
        {{"train.layer_rates=fc1"}, CLV_ERR_CONFIG, "needs a number above 0"},
        {{"train.layer_rates=fc1:0"}, CLV_ERR_CONFIG, "needs a number above 0"},
        {{"train.layer_rates=fx1:2"}, CLV_ERR_CONFIG, "matches no layer"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stat info;
        const char *out = test_path("refused");
        assert_refused(run("ini/transfer.ini", out, 0, cases[i].more, err), cases[i].status, cases[i].says);
        if (cases[i].status == CLV_ERR_CONFIG) assert_int_not_equal(stat(out, &info), 0);
        char command[700];
        snprintf(command, sizeof command, "rm -rf '%s'", out);
        assert_int_equal(system(command), 0);
    }
}

/* One step of gradient descent moves a weight by its rate: half the rate, half the way. */
static void test_layers_have_rates_of_their_own(void **state)
{
    (void)state;
    static const char *const names[] = {"plain", "halved"};
    float moved[2][2]; /* [run][fc1.bias, code.bias] */
    weights from = open_weights("autoencoder", CLV_BEST_FILE);
    for (int i = 0; i < 2; i++) {
        const char *const more[] = {"train.optimizer=sgd", "train.schedule=constant", "train.lr=0.5",
                                    i ? "train.layer_rates=fc*:0.5" : "train.layer_rates=none", NULL};
        assert_refused(run("ini/transfer.ini", test_path(names[i]), 1, more, err), CLV_INTERRUPTED, "--resume");
        weights to = open_weights(names[i], CLV_LAST_FILE);
        moved[i][0] = first_float(&to, "fc1.bias") - first_float(&from, "fc1.bias");
        moved[i][1] = first_float(&to, "code.bias") - first_float(&from, "code.bias");
        close_weights(&to);
    }
    close_weights(&from);
    assert_true(fabsf(moved[0][1]) > 1e-6f);
    assert_true(moved[0][1] == moved[1][1]);
    assert_true(fabsf(moved[1][0] - moved[0][0] / 2) <= 1e-6f); /* roundings of weights below 1 */
}

/* ---- classifiers ---- */

static void test_answers_add_up(void **state)
{
    (void)state;
    clv_config *config = configure("ini/transfer.ini", NULL);
    clv_class_figures figures = {0};
    clv_measures measures;
    uint32_t images = 0, right = 0;
    assert_ok(run("ini/transfer.ini", test_path("taught"), 0, (const char *const[]){"train.epochs=20", NULL}, err));
    assert_ok(clv_evaluate(test_path("taught"), config, &(clv_evaluate_options){0}, &measures, &figures, err));
    assert_int_equal(figures.classes, 10);
    for (int c = 0; c < 10; c++) {
        uint32_t row = 0;
        for (int k = 0; k < 10; k++) row += figures.confusion[c * 10 + k];
        assert_int_equal(row, figures.of[c].count);
        assert_true(figures.of[c].count == 0 ||
                    figures.of[c].recall == (double)figures.of[c].right / figures.of[c].count);
        images += row;
        right += figures.of[c].right;
    }
    assert_int_equal(images, 200);
    if (right <= 40) fail_msg("%u of 200 right: no more than twice what guessing gives", right);
    assert_true(fabs(clv_measure_get(&measures, "accuracy") - right / 200.0) < 1e-12);
    clv_class_figures_free(&figures);
    clv_config_destroy(config);
}

static void test_single_images_are_answered(void **state)
{
    (void)state;
    clv_config *config = configure("ini/transfer.ini", NULL);
    clv_answers answers = {0};
    static const char *const images[] = {"3", "0", "3"};
    assert_ok(clv_classify(test_path("transfer"), config, images, 3, NULL, &answers, err));
    assert_int_equal(answers.images, 3);
    for (int i = 0; i < 3; i++) {
        double sum = 0;
        for (int c = 0; c < 10; c++) sum += answers.probability[i * 10 + c];
        assert_true(fabs(sum - 1) < 1e-12);
    }
    assert_memory_equal(answers.probability, answers.probability + 20, 10 * sizeof(double));
    assert_string_equal(answers.class_name[7], "7");
    clv_answers_free(&answers);
    assert_refused(clv_classify(test_path("transfer"), config, (const char *const[]){"200"}, 1, NULL, &answers, err),
                   CLV_ERR_CONFIG, "no image 200");
    clv_config_destroy(config);
    config = configure("ini/autoencoder.ini", NULL);
    assert_refused(clv_classify(test_path("autoencoder"), config, images, 1, NULL, &answers, err), CLV_ERR_CONFIG,
                   "no classifier");
    clv_config_destroy(config);
}

static void test_labels_must_be_classes(void **state)
{
    (void)state;
    static const char *const few[] = {"encoder.code.units=2", "classifier.head.units=5", NULL};
    assert_refused(run("ini/transfer.ini", test_path("few"), 0, few, err), CLV_ERR_DATA, "there are 5 classes");
}

static void test_few_labels(void **state)
{
    (void)state;
    clv_config *config = configure("ini/classifier.ini", (const char *const[]){"data.train_count=100", NULL});
    clv_session *s = NULL;
    uint32_t first, count;
    clv_phase_request request = {CLV_MODE_TRAIN, CLV_DATASET_TRAIN};
    assert_ok(clv_session_open(config, NULL, &request, 1, &s, err));
    assert_ok(clv_session_split(s, "train", &first, &count, err));
    assert_true(first == 0 && count == 100);
    assert_ok(clv_session_split(s, "val", &first, &count, err));
    assert_true(first == 500 && count == 200); /* the last of the file, whatever is trained on */
    clv_session_close(s);
    clv_config_destroy(config);
    assert_refused(
        run("ini/classifier.ini", test_path("many"), 0, (const char *const[]){"data.train_count=501", NULL}, err),
        CLV_ERR_CONFIG, "data.train_count = 501");
}

/* ---- runs as they end ---- */

static bool has_file(const char *run_name, const char *name)
{
    char path[700];
    struct stat info;
    snprintf(path, sizeof path, "%s/%s", test_path(run_name), name);
    return stat(path, &info) == 0;
}

/* Three points have no neighbours to speak of: the plots of codes are left out, nothing else is. */
static void test_a_figure_that_cannot_be_drawn_is_no_failure(void **state)
{
    (void)state;
    assert_ok(run("ini/autoencoder.ini", test_path("few-points"), 0,
                  (const char *const[]){"report.latent=3", "train.epochs=1", NULL}, err));
    assert_false(has_file("few-points", "figures/tsne.png"));
    assert_true(has_file("few-points", "figures/loss.png"));
    assert_true(has_file("few-points", "figures/reconstructions.png"));
    assert_true(has_file("few-points", "report.html"));
}

/* What a run reports and what is measured of it afterwards are of the same weights, the last ones here. */
static void test_last_weights_are_measured_where_the_run_says_so(void **state)
{
    (void)state;
    static const char *const more[] = {"early_stopping.restore_best=false", "train.lr=1", "train.epochs=3", NULL};
    clv_train_result result;
    clv_measures later;
    clv_config *config = configure("ini/autoencoder.ini", more);
    clv_train_options options = {.out = test_path("last")};
    assert_ok(clv_train(config, &options, &result, err));
    assert_ok(clv_evaluate(test_path("last"), config, &(clv_evaluate_options){0}, &later, NULL, err));
    assert_true(clv_measure_get(&result.test, "loss") == clv_measure_get(&later, "loss"));
    clv_config_destroy(config);
}

/* A process that died between resolved.ini and its first checkpoint leaves nothing to go on from. */
static void test_a_run_that_never_began_begins_again(void **state)
{
    (void)state;
    char path[700];
    assert_ok(clv_make_folders(test_path("stillborn"), err));
    snprintf(path, sizeof path, "%s/%s", test_path("stillborn"), CLV_RESOLVED_FILE);
    assert_ok(clv_file_write(path, "[experiment]\n", 13, err));
    assert_ok(
        run("ini/autoencoder.ini", test_path("stillborn"), 0, (const char *const[]){"train.epochs=1", NULL}, err));
}

/* ---- denoising ---- */

static double measure_noise(const char *amount, const char *name)
{
    char noise[64];
    clv_measures measures;
    snprintf(noise, sizeof noise, "data.noise_amount=%s", amount);
    clv_config *config = configure("ini/denoise.ini", (const char *const[]){noise, NULL});
    assert_ok(clv_evaluate(test_path("denoise"), config, &(clv_evaluate_options){0}, &measures, NULL, err));
    clv_config_destroy(config);
    return clv_measure_get(&measures, name);
}

static void test_noise_is_as_strong_as_asked(void **state)
{
    (void)state;
    assert_ok(run("ini/denoise.ini", test_path("denoise"), 0, NULL, err));
    assert_true(measure_noise("0", "noisy_mse") < 1e-30);
    assert_true(isnan(measure_noise("0", "noisy_psnr"))); /* a perfect image has none */
    /* Clipping halves the noise's power on the black pixels, most of an image, and about so on the white ones. */
    const double power = 0.3 * 0.3, mse = measure_noise("0.3", "noisy_mse");
    assert_true(mse > 0.5 * power && mse < 0.6 * power);
    assert_true(measure_noise("0.3", "noisy_mse") == mse); /* the same seed, the same noise */
    assert_true(measure_noise("0.6", "mse") > 0 && measure_noise("0.6", "noisy_mse") > 3 * mse);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frozen_weights_stay),
        cmocka_unit_test(test_frozen_layers_cost_no_gradient),
        cmocka_unit_test(test_a_run_of_frozen_layers_resumes),
        cmocka_unit_test(test_what_does_not_match_is_listed),
        cmocka_unit_test(test_layers_have_rates_of_their_own),
        cmocka_unit_test(test_answers_add_up),
        cmocka_unit_test(test_single_images_are_answered),
        cmocka_unit_test(test_labels_must_be_classes),
        cmocka_unit_test(test_few_labels),
        cmocka_unit_test(test_a_figure_that_cannot_be_drawn_is_no_failure),
        cmocka_unit_test(test_last_weights_are_measured_where_the_run_says_so),
        cmocka_unit_test(test_a_run_that_never_began_begins_again),
        cmocka_unit_test(test_noise_is_as_strong_as_asked),
    };
    if (!have_opencl()) return 77;
    write_small_mnist(test_path("mnist"), 700, 200);
    clv_error error = {0};
    if (run("ini/autoencoder.ini", test_path("autoencoder"), 0, NULL, &error) != CLV_OK) {
        fprintf(stderr, "the autoencoder to start from: %s\n", error.message);
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
