/* The tuner and the choices it leaves: a file of them that may be damaged, candidates that are wrong or crashed, runs
 * that go on by the kernels they began with. All in a cache of its own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/opencl/opencl.h"
#include "backend/selftest.h"
#include "base/file.h"
#include "clave/experiment.h"
#include "experiment/run_folder.h"
#include "support.h"

enum { BATCH = 30, LANES = 32 };

static clv_opencl *open_with(clv_tune_choice tune, const char *kernels)
{
    const clv_device_options options = {.backend = "opencl",
                                        .select = test_device(),
                                        .gemm = CLV_GEMM_AUTO,
                                        .selftest = true,
                                        .tune = tune,
                                        .kernels = kernels};
    clv_backend *be = NULL;
    assert_ok(clv_opencl_backend_create(&options, &be, err));
    return (clv_opencl *)be;
}

static void close_backend(clv_opencl *be) { clv_backend_destroy(&be->head); }

static clv_shape shape(int c, int side) { return (clv_shape){.rank = 3, .batched = true, .dim = {c, side, side, 1}}; }

/* A small convolution, 6 channels from 5. */
static clv_call conv(void)
{
    clv_call call = {
        .op = CLV_OP_CONV, .inputs = 2, .lanes = LANES, .attr = {.kernel = 3, .stride = 1, .pad = 1}, .name = "one"};
    call.in[0].shape = shape(5, 4);
    call.in[1].shape = (clv_shape){.rank = 4, .dim = {6, 5, 3, 3}};
    call.out.shape = shape(6, 4);
    call.in[0].space = call.out.space = CLV_SPACE_ARENA;
    call.in[1].space = CLV_SPACE_PARAM;
    return call;
}

/* The file of choices: the one in the cache that ends so. */
static const char *tuned_file(void)
{
    static char path[600];
    char command[700], line[600] = "";
    snprintf(command, sizeof command, "ls '%s'/cache/clave/kernels/*.tuned 2>/dev/null | head -n 1", test_folder());
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    if (!fgets(line, sizeof line, pipe)) line[0] = '\0';
    pclose(pipe);
    line[strcspn(line, "\n")] = '\0';
    memcpy(path, line, sizeof path);
    return path;
}

static char *read_all(const char *path)
{
    uint8_t *bytes = NULL;
    size_t size;
    assert_ok(clv_file_read(path, 1 << 24, CLV_ERR_INTERNAL, &bytes, &size, err));
    return (char *)bytes;
}

static int count(const char *text, const char *part)
{
    int found = 0;
    for (const char *at = text; (at = strstr(at, part)); at += strlen(part)) found++;
    return found;
}

static void forget(void)
{
    const char *path = tuned_file();
    if (*path) assert_int_equal(unlink(path), 0);
}

typedef struct told {
    int kinds;
    clv_tuned last;
} told;

static void tell(void *context, const clv_tuned *tuned)
{
    told *t = context;
    t->kinds++;
    t->last = *tuned;
}

static told tune(clv_opencl *be, const clv_call *call, int candidates, bool first_runs)
{
    told result = {0};
    clv_call copy = *call;
    const clv_plan plan = {.batch = BATCH, .lanes = LANES, .calls = 1, .call = &copy};
    const clv_plan *const plans[] = {&plan, &plan};
    const clv_tuning tuning = {
        .seconds = 3600, .candidates = candidates, .first_runs = first_runs, .tell = tell, .context = &result};
    assert_ok(clv_backend_tune(&be->head, plans, 2, &tuning, err));
    return result;
}

static clv_tiling tiling_of(clv_opencl *be, const clv_call *call)
{
    clv_tiling tiling;
    assert_ok(clv_cl_tiling_of(be, call, &tiling, err));
    return tiling;
}

static clv_tiling neighbour(const clv_opencl *be, const clv_call *call, int n)
{
    clv_tiling usual, to;
    clv_tiling_default(&be->head.info, call, &usual);
    for (int i = 0; i < clv_tiling_moves(call); i++)
        if (clv_tiling_move(&be->head.info, call, &usual, i, &to) && n-- == 0) return to;
    fail_msg("the default has no such neighbour");
    return usual;
}

static void add(clv_opencl *be, clv_cl_word word, const clv_call *call, const clv_tiling *tiling)
{
    clv_hash key;
    assert_ok(clv_cl_call_key(be, call, &key, err));
    assert_ok(clv_cl_choices_add(be, word, key, tiling, err));
}

/* ---- the file ---- */

static void test_choices_are_kept(void **state)
{
    (void)state;
    const clv_call call = conv();
    clv_opencl *be = open_with(CLV_TUNE_AUTO, NULL);
    const clv_tiling usual = tiling_of(be, &call), first = neighbour(be, &call, 0), second = neighbour(be, &call, 1);
    add(be, CLV_CL_BEST, &call, &first);
    clv_tiling now = tiling_of(be, &call);
    assert_true(clv_tiling_equal(&now, &first));
    add(be, CLV_CL_BEST, &call, &second);
    close_backend(be);
    be = open_with(CLV_TUNE_AUTO, NULL); /* another process */
    now = tiling_of(be, &call);
    assert_true(clv_tiling_equal(&now, &second)); /* the last that won */
    add(be, CLV_CL_FAIL, &call, &second);
    now = tiling_of(be, &call);
    assert_true(clv_tiling_equal(&now, &first)); /* the one before */
    add(be, CLV_CL_TRY, &call, &first);          /* and its process never came back */
    now = tiling_of(be, &call);
    assert_true(clv_tiling_equal(&now, &usual));
    add(be, CLV_CL_BEST, &call, &first);
    close_backend(be);
    be = open_with(CLV_TUNE_OFF, NULL);
    now = tiling_of(be, &call);
    assert_true(clv_tiling_equal(&now, &usual)); /* off: the defaults */
    close_backend(be);
    forget();
}

/* What was in force before is in force again, for later processes as well. */
static void test_taken_back(void **state)
{
    (void)state;
    clv_call call = conv();
    const clv_plan plan = {.batch = BATCH, .lanes = LANES, .calls = 1, .call = &call};
    clv_text before = {0};
    clv_opencl *be = open_with(CLV_TUNE_AUTO, NULL);
    const clv_tiling first = neighbour(be, &call, 0), second = neighbour(be, &call, 1);
    add(be, CLV_CL_BEST, &call, &first);
    assert_ok(clv_backend_kernels(&be->head, &plan, &before, err));
    assert_ok(clv_backend_kernels(&be->head, &plan, &before, err));
    assert_int_equal(count(before.text, "form="), 1); /* a kind of call has one line */
    add(be, CLV_CL_BEST, &call, &second);
    assert_ok(clv_backend_restore(&be->head, before.text, err));
    clv_tiling now = tiling_of(be, &call);
    assert_true(clv_tiling_equal(&now, &first));
    close_backend(be);
    be = open_with(CLV_TUNE_AUTO, NULL);
    now = tiling_of(be, &call);
    assert_true(clv_tiling_equal(&now, &first));
    close_backend(be);
    clv_text_free(&before);
    forget();
}

/* Only whole lines count, and only tilings that are in bounds; what is around them may be anything. */
static void test_damaged_file(void **state)
{
    (void)state;
    const clv_call call = conv();
    clv_opencl *be = open_with(CLV_TUNE_AUTO, NULL);
    const clv_tiling usual = tiling_of(be, &call), good = neighbour(be, &call, 0);
    add(be, CLV_CL_BEST, &call, &good);
    close_backend(be);
    char *line = read_all(tuned_file()), *path = strdup(tuned_file());
    const size_t size = strlen(line);
    assert_non_null(path);
    for (size_t at = 0; at < size; at += 3) { /* one character lost, one changed, all behind it lost */
        for (int way = 0; way < 3; way++) {
            clv_text text = {0};
            clv_text_append(&text, "garbage\n\n");
            clv_text_append_bytes(&text, line, at);
            if (way == 1) clv_text_append(&text, "%c", '#');
            if (way < 2) clv_text_append(&text, "%s", line + at + 1);
            assert_ok(clv_file_write(path, text.text, text.length, err));
            clv_text_free(&text);
            be = open_with(CLV_TUNE_AUTO, NULL);
            const clv_tiling now = tiling_of(be, &call);
            if (!clv_tiling_equal(&now, &usual) && !clv_tiling_check(&be->head.info, &call, &now))
                fail_msg("damage at %zu gave a tiling out of bounds", at);
            close_backend(be);
        }
    }
    clv_tiling beyond = good;
    beyond.vectors = 1 << 20;
    beyond.group = 1 << 20;
    assert_int_equal(unlink(path), 0);
    be = open_with(CLV_TUNE_AUTO, NULL);
    add(be, CLV_CL_BEST, &call, &good);
    add(be, CLV_CL_BEST, &call, &beyond);
    clv_tiling now = tiling_of(be, &call);
    assert_true(clv_tiling_equal(&now, &good));
    close_backend(be);
    free(line);
    free(path);
    forget();
}

/* ---- tuning ---- */

static void test_tunes(void **state)
{
    (void)state;
    const clv_call call = conv();
    clv_opencl *be = open_with(CLV_TUNE_AUTO, NULL);
    told result = tune(be, &call, 2, false);
    assert_int_equal(result.kinds, 1); /* two plans, one kind of call */
    assert_int_equal(result.last.candidates + result.last.refused, 2);
    assert_true(result.last.before > 0 && result.last.after > 0 && result.last.after <= result.last.before);
    char *text = read_all(tuned_file());
    assert_int_equal(count(text, "try "), 2);
    assert_int_equal(count(text, "done ") + count(text, "fail "), 2);
    free(text);
    result = tune(be, &call, 2, true);
    assert_int_equal(result.kinds, 0); /* it was tuned before */
    close_backend(be);
    be = open_with(CLV_TUNE_OFF, NULL);
    result = tune(be, &call, 2, false);
    assert_int_equal(result.kinds, 0);
    close_backend(be);
    forget();
}

/* A candidate that crashed is not tried again, and neither is one that failed. */
static void test_skips_what_crashed(void **state)
{
    (void)state;
    const clv_call call = conv();
    clv_opencl *be = open_with(CLV_TUNE_AUTO, NULL);
    const clv_tiling crashed = neighbour(be, &call, 0), failed = neighbour(be, &call, 1);
    char words[2][CLV_TILING_TEXT];
    clv_tiling_print(&crashed, words[0]);
    clv_tiling_print(&failed, words[1]);
    add(be, CLV_CL_TRY, &call, &crashed);
    add(be, CLV_CL_TRY, &call, &failed);
    add(be, CLV_CL_FAIL, &call, &failed);
    close_backend(be);
    be = open_with(CLV_TUNE_AUTO, NULL);
    const told result = tune(be, &call, 2, false);
    assert_int_equal(result.last.candidates + result.last.refused, 2);
    char *text = read_all(tuned_file());
    for (int i = 0; i < 2; i++) strcat(words[i], "\n");
    assert_int_equal(count(text, words[0]), 1);
    assert_int_equal(count(text, words[1]), 2);
    free(text);
    close_backend(be);
    forget();
}

static clv_call product(clv_op op, int ic, int oc, int side, int kernel, int stride, int pad)
{
    const clv_shape x = shape(ic, side), y = shape(oc, (side + 2 * pad - kernel) / stride + 1),
                    w = {.rank = 4, .dim = {oc, ic, kernel, kernel}};
    clv_call call = conv();
    call.op = op;
    call.attr = (clv_attr){.kernel = kernel, .stride = stride, .pad = pad};
    call.in[0].shape = op == CLV_OP_DECONV ? y : x;
    call.in[1].shape = op == CLV_OP_CONV_WEIGHT ? y : w;
    call.out.shape = op == CLV_OP_CONV ? y : op == CLV_OP_DECONV ? x : w;
    call.in[1].space = op == CLV_OP_CONV_WEIGHT ? CLV_SPACE_ARENA : CLV_SPACE_PARAM;
    call.out.space = op == CLV_OP_CONV_WEIGHT ? CLV_SPACE_GRAD : CLV_SPACE_ARENA;
    return call;
}

static void assert_right(clv_opencl *be, const clv_selftest *test, const clv_cl_line *line)
{
    char text[CLV_TILING_TEXT];
    clv_error error = {0};
    clv_tiling_print(&line->tiling, text);
    be->candidate = line;
    be->testing = line->tiling.clblast ? 'b' : 'o';
    if (clv_selftest_run(&be->head, test, &error) != CLV_OK) fail_msg("%s: %s", text, error.message);
    be->candidate = NULL;
    be->testing = 0;
}

/* A walk from the default along moves of all kinds: one in eight drawn, or all where CLAVE_TEST_ALL is set, as each is
 * compiled; half of those made are gone on from. */
static void walk(clv_opencl *be, const clv_call *call, uint32_t *seed)
{
    const bool all = getenv("CLAVE_TEST_ALL") != NULL;
    clv_selftest test = {0};
    clv_cl_line line = {.word = CLV_CL_TRY};
    clv_tiling from = tiling_of(be, call);
    from.clblast = 0; /* its first call compiles for seconds */
    assert_ok(clv_cl_call_key(be, call, &line.call, err));
    assert_ok(clv_selftest_open(call, BATCH, &test, err));
    for (int i = 0; i < clv_tiling_moves(call); i++) {
        *seed = *seed * 1664525u + 1013904223u;
        if ((!all && (*seed >> 16) % 8) || !clv_tiling_move(&be->head.info, call, &from, i, &line.tiling)) continue;
        if (line.tiling.clblast && !all) continue;
        assert_right(be, &test, &line);
        if ((*seed >> 20) % 2) from = line.tiling;
    }
    clv_selftest_close(&test);
}

/* Neighbours in bounds are right, on this device and with the kernels of a GPU. */
static void test_neighbours_are_right(void **state)
{
    (void)state;
    const clv_call calls[] = {
        product(CLV_OP_CONV, 20, 24, 6, 3, 2, 1),      product(CLV_OP_CONV, 70, 33, 1, 1, 1, 0),
        product(CLV_OP_DECONV, 64, 36, 1, 1, 1, 0),    product(CLV_OP_DECONV, 2, 9, 8, 4, 2, 1),
        product(CLV_OP_DECONV, 20, 24, 7, 3, 2, 1),    product(CLV_OP_CONV_WEIGHT, 20, 24, 7, 3, 2, 1),
        product(CLV_OP_CONV_WEIGHT, 1, 9, 8, 4, 2, 1), product(CLV_OP_CONV_WEIGHT, 70, 33, 1, 1, 1, 0)};
    uint32_t seed = (uint32_t)getpid();
    for (int gpu = 0; gpu < 2; gpu++) {
        clv_opencl *be = open_with(CLV_TUNE_AUTO, NULL);
        if (gpu) be->head.info.kind = CLV_DEVICE_GPU, be->head.info.vector_width = 2;
        for (size_t c = 0; c < sizeof calls / sizeof *calls; c++) {
            clv_call call = calls[c];
            if (gpu) call.lanes = 128; /* vectors of four by default, and room for groups to move */
            walk(be, &call, &seed);
        }
        clv_cl_programs_sweep(be);
        close_backend(be);
    }
}

/* Kernels that are right by default and wrong by any other register tile. */
static void break_kernels(const char *folder, const clv_tiling *usual)
{
    char command[1400];
    snprintf(command, sizeof command,
             "mkdir -p '%s' && cp cl/*.cl cl/*.clh '%s' && "
             "sed -i 's/^#define CLAVE_CLH$/#define CLAVE_CLH\\n#if defined(NT) \\&\\& (NT != %d || TALL != "
             "%d)\\n#define fma(a, "
             "b, c) ((a) * (b) + (c) + 1.0f)\\n#endif/' '%s/clave.clh'",
             folder, folder, usual->vectors, usual->tall, folder);
    assert_int_equal(system(command), 0);
    assert_int_equal(setenv("CLAVE_KERNELS", folder, 1), 0);
}

static void test_wrong_candidates_are_never_used(void **state)
{
    (void)state;
    const clv_call call = conv();
    clv_opencl *be = open_with(CLV_TUNE_AUTO, NULL);
    const clv_tiling usual = tiling_of(be, &call);
    close_backend(be);
    if (usual.form != CLV_FORM_PACKED) skip();
    break_kernels(test_path("wrong"), &usual);
    be = open_with(CLV_TUNE_AUTO, NULL);
    const told result = tune(be, &call, 4, false);
    assert_true(result.last.refused >= 1);
    const clv_tiling now = tiling_of(be, &call);
    assert_true(now.tall == usual.tall && now.vectors == usual.vectors);
    char *text = read_all(tuned_file());
    assert_int_equal(count(text, "fail "), result.last.refused);
    free(text);
    close_backend(be);
    unsetenv("CLAVE_KERNELS");
    forget();
}

/* A tuned tiling that is found wrong at the next start gives way, and the user is told. */
static void test_wrong_choice_gives_way(void **state)
{
    (void)state;
    clv_call call = conv();
    clv_opencl *be = open_with(CLV_TUNE_AUTO, NULL);
    const clv_tiling usual = tiling_of(be, &call), other = neighbour(be, &call, 0);
    if (usual.form != CLV_FORM_PACKED) skip();
    assert_true(other.tall != usual.tall || other.vectors != usual.vectors);
    close_backend(be);
    break_kernels(test_path("wrong"), &usual);
    be = open_with(CLV_TUNE_AUTO, NULL);
    add(be, CLV_CL_BEST, &call, &other);
    clv_plan plan = {.batch = BATCH, .lanes = LANES, .calls = 1, .call = &call};
    clv_cl_calls calls = {0};
    bool changed = false;
    assert_ok(clv_cl_schedule_calls(be, &plan, &calls, err));
    assert_ok(clv_cl_verify(be, &plan, &calls, &changed, err));
    assert_true(changed);
    clv_cl_calls_free(&calls);
    const clv_tiling now = tiling_of(be, &call);
    assert_true(clv_tiling_equal(&now, &usual));
    assert_non_null(strstr(clv_backend_notices(&be->head), "a tuned kernel fails its self-test"));
    close_backend(be);
    unsetenv("CLAVE_KERNELS");
    forget();
}

/* ---- runs ---- */

static const char small[] = "[experiment]\nname = small\nseed = 3\n[data]\npath = %s\nvalidation = 100\n"
                            "[encoder]\nconv1 = conv channels=3 kernel=4 stride=4 act=relu\ncode = linear units=2\n"
                            "[decoder]\nfc = linear units=147\ngrid = reshape channels=3 height=7 width=7\n"
                            "up1 = deconv channels=1 kernel=4 stride=4\n"
                            "[train]\nepochs = 2\nbatch = 50\n[device]\nselect = %s\n"
                            "[report]\nreconstructions = 0\nsamples = 0\nmanifold = 0\nlatent = 0\n";

static clv_status train(const char *out, bool resume, int stop_after, clv_error *err)
{
    clv_text text = {0};
    clv_config *config = NULL;
    clv_train_result result;
    const clv_train_options options = {.out = out, .resume = resume, .stop_after_steps = stop_after, .bare = true};
    clv_text_append(&text, small, test_path("mnist"), test_device());
    clv_status status = clv_file_write(test_path("small.ini"), text.text, text.length, err);
    if (status == CLV_OK) status = clv_config_load(test_path("small.ini"), NULL, 0, &config, NULL, err);
    if (status == CLV_OK) status = clv_train(config, &options, &result, err);
    clv_config_destroy(config);
    clv_text_free(&text);
    return status;
}

static bool same_weights(const char *a, const char *b)
{
    char first[600], second[600];
    snprintf(first, sizeof first, "%s/%s/" CLV_LAST_FILE, test_folder(), a);
    snprintf(second, sizeof second, "%s/%s/" CLV_LAST_FILE, test_folder(), b);
    return same_bytes(first, second);
}

/* As if the tuner had since found, for every product of the run, a tiling that splits its sum in another way. */
static int find_others(const char *run)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s/" CLV_KERNELS_FILE, test_folder(), run);
    char *text = read_all(path);
    clv_opencl *be = open_with(CLV_TUNE_AUTO, text);
    assert_ok(clv_cl_choices_load(be, err));
    int changed = 0;
    for (size_t i = 0, lines = be->choices.lines; i < lines; i++) {
        clv_cl_line line = be->choices.line[i];
        if (!line.tiling.rows || line.tiling.parts == 2) continue; /* of conv_weight, over rows of the image */
        line.tiling.parts = 2;
        assert_ok(clv_cl_choices_add(be, CLV_CL_BEST, line.call, &line.tiling, err));
        changed++;
    }
    close_backend(be);
    free(text);
    return changed;
}

static void test_resumed_run_keeps_its_kernels(void **state)
{
    (void)state;
    write_small_mnist(test_path("mnist"), 600, 100);
    assert_ok(train(test_path("whole"), false, 0, err));
    assert_refused(train(test_path("part"), false, 7, err), CLV_INTERRUPTED, "--resume");
    assert_true(find_others("whole") >= 1);
    assert_ok(train(test_path("part"), true, 0, err));
    assert_true(same_weights("part", "whole"));
    assert_ok(train(test_path("new"), false, 0, err));
    assert_false(same_weights("new", "whole")); /* else the others would compute the same, and nothing was shown */
    forget();
}

static int set_up(void **state)
{
    (void)state;
    return setenv("XDG_CACHE_HOME", test_path("cache"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choices_are_kept),
        cmocka_unit_test(test_taken_back),
        cmocka_unit_test(test_damaged_file),
        cmocka_unit_test(test_tunes),
        cmocka_unit_test(test_skips_what_crashed),
        cmocka_unit_test(test_neighbours_are_right),
        cmocka_unit_test(test_wrong_candidates_are_never_used),
        cmocka_unit_test(test_wrong_choice_gives_way),
        cmocka_unit_test(test_resumed_run_keeps_its_kernels),
    };
    if (!have_opencl()) return 77;
    return cmocka_run_group_tests(tests, set_up, NULL);
}
