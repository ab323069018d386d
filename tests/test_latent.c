/* The latent space through a session: the figures that the end of a run draws, rows of the encoder, and memory that
 * runs out. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "experiment/latent.h"
#include "support.h"

enum { TEST_IMAGES = 60 };

static clv_config *config;

/* ini/smoke.ini on small data, with initial weights. */
static clv_session *open_session(void)
{
    const clv_phase_request request = {CLV_MODE_ENCODE, CLV_DATASET_TEST};
    clv_session *s;
    assert_ok(clv_session_open(config, NULL, &request, 1, &s, err));
    assert_ok(clv_session_load(s, NULL, err));
    return s;
}

static bool exists(const char *folder, const char *name)
{
    char path[512];
    struct stat info;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return stat(path, &info) == 0 && info.st_size > 0;
}

static void test_figures(void **state)
{
    (void)state;
    clv_session *s = open_session();
    const char *folder = test_path("figures");
    const clv_latent_options options = {.iterations = 20, .count = 40};
    clv_latent_result result;
    assert_ok(clv_latent_figures(s, folder, &options, &result, err));
    static const char *const names[] = {"latent.png", "latent.svg", "pca.png", "pca.svg", "tsne.png", "tsne.svg"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) assert_true(exists(folder, names[i]));
    assert_false(exists(folder, "latent.csv"));
    assert_int_equal(result.count, 40);
    assert_int_equal(result.dims, 2);
    assert_true(result.kl > 0 && fabs(result.explained[0] + result.explained[1] - 1) < 1e-6);
    assert_true(isnan(result.knn_accuracy));
    clv_session_close(s);
}

/* The row of the code is the code; images keep their labels whatever order they come in. */
static void test_points(void **state)
{
    (void)state;
    clv_session *s = open_session();
    clv_latent_points code, row, some;
    clv_latent_options options = {0};
    assert_ok(clv_latent_encode(s, &options, &code, err));
    options.of = "code ";
    assert_refused(clv_latent_encode(s, &options, &row, err), CLV_ERR_CONFIG,
                   "there are: code, input, conv1, conv2");
    options.of = "conv2";
    assert_ok(clv_latent_encode(s, &options, &row, err));
    assert_int_equal(code.codes.count, TEST_IMAGES);
    assert_int_equal(row.codes.dims, 8 * 7 * 7);
    for (int i = 0; i < TEST_IMAGES * row.codes.dims; i++) assert_true(row.at[i] >= 0); /* relu */
    clv_latent_free(&row);
    options = (clv_latent_options){.count = 25, .seed = 3};
    assert_ok(clv_latent_encode(s, &options, &some, err));
    bool moved = false;
    for (int i = 0; i < 25; i++) {
        const uint32_t at = some.index[i];
        moved |= at != (uint32_t)i;
        assert_int_equal(some.label[i], s->images[CLV_DATASET_TEST].label[at]);
        for (int k = 0; k < 2; k++) assert_true(some.at[2 * i + k] == code.at[2 * at + (uint32_t)k]);
    }
    assert_true(moved);
    assert_ptr_equal(some.class_name, s->images[CLV_DATASET_TEST].class_name);
    clv_latent_free(&some);
    clv_latent_free(&code);
    clv_session_close(s);
}

/* The legend of a plot has the classes' names. */
static void test_names_are_drawn(void **state)
{
    (void)state;
    static const char *const name[] = {"apples", "pears"};
    static const char *const of_axis[] = {"a", "b"};
    float at[] = {0, 0, 1, 2};
    int label[] = {0, 1};
    clv_latent_points points = {.codes = {2, 2, at}, .at = at, .label = label, .classes = 2};
    char numbered[400], named[400];
    uint8_t *one, *other;
    size_t one_size, other_size;
    snprintf(numbered, sizeof numbered, "%s", test_path("numbered"));
    snprintf(named, sizeof named, "%s", test_path("named"));
    assert_ok(clv_latent_draw(numbered, "a", &points, at, 2, (const int[]){0, 1}, of_axis, "title", err));
    points.class_name = name;
    assert_ok(clv_latent_draw(named, "a", &points, at, 2, (const int[]){0, 1}, of_axis, "title", err));
    assert_true(exists(named, "a.png") && exists(named, "a.svg"));
    strcat(numbered, "/a.svg");
    strcat(named, "/a.svg");
    assert_ok(clv_file_read(numbered, 1 << 20, CLV_ERR_DATA, &one, &one_size, err));
    assert_ok(clv_file_read(named, 1 << 20, CLV_ERR_DATA, &other, &other_size, err));
    assert_true(other_size > one_size); /* ten letters for two digits */
    free(one);
    free(other);
}

/* Each allocation of encoding and drawing fails once; each is reported, and the sanitizer build sees what leaks. */
static void test_allocation_failures(void **state)
{
    (void)state;
    clv_session *s = open_session();
    const clv_latent_options options = {.of = "conv1", .methods = "raw,pca"};
    const char *folder = test_path("failing");
    clv_status status = CLV_ERR_INTERNAL;
    for (long nth = 1; status != CLV_OK; nth++) {
        clv_error error = {0};
        clv_latent_result result;
        assert_true(nth < 2000);
        clv_fail_allocation(nth);
        status = clv_latent_figures(s, folder, &options, &result, &error);
        clv_fail_allocation(0);
        if (status != CLV_OK) assert_true(status == CLV_ERR_INTERNAL && error.message[0]);
    }
    clv_session_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_figures),
        cmocka_unit_test(test_points),
        cmocka_unit_test(test_names_are_drawn),
        cmocka_unit_test(test_allocation_failures),
    };
    char path[512];
    write_small_mnist(test_path("mnist"), 100, TEST_IMAGES);
    snprintf(path, sizeof path, "data.path=%s", test_path("mnist"));
    const char *overrides[] = {path, "data.validation=10", "train.batch=16", "device.backend=cpu"};
    assert_ok(clv_config_load("ini/smoke.ini", overrides, 4, &config, NULL, err));
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    clv_config_destroy(config);
    return failed;
}
