/* The wrapper around backends, on the reference: what it refuses, how it converts, that nothing leaks when memory runs
 * out; and that the self-test finds a fault. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "backend/selftest.h"
#include "base/memory.h"
#include "support.h"

enum { SIDE = 3, PIXELS = SIDE * SIDE, IMAGES = 6, BATCH = 5, LANES = 8, ROWS = 4, ARENA = 128 };

/* A plan written by hand: gather images, sum each, record the sums. */
typedef struct rig {
    clv_backend *be;
    clv_call call[3];
    clv_plan plan;
    clv_bindings bindings;
    clv_program *program;
} rig;

static void describe(rig *r)
{
    const clv_operand images = {CLV_SPACE_ARENA, 0, {3, {1, SIDE, SIDE, 1}, true}};
    const clv_operand sums = {CLV_SPACE_ARENA, 80, {3, {1, 1, 1, 1}, true}};
    r->call[0] = (clv_call){.op = CLV_OP_GATHER, .out = images, .lanes = LANES, .name = "images"};
    r->call[1] = (clv_call){.op = CLV_OP_SUM, .inputs = 1, .in = {images}, .out = sums, .lanes = LANES, .name = "sum"};
    r->call[2] =
        (clv_call){.op = CLV_OP_RECORD, .inputs = 1, .in = {sums}, .lanes = LANES, .slots = 1, .name = "record"};
    r->plan = (clv_plan){.batch = BATCH, .lanes = LANES, .calls = 3, .call = r->call, .slots = 1};
    r->plan.elements[CLV_SPACE_ARENA] = ARENA;
    r->plan.elements[CLV_SPACE_TRACE] = ROWS;
}

static clv_status bind(rig *r, clv_error *err)
{
    clv_status status = CLV_OK;
    uint8_t images[IMAGES * PIXELS], labels[IMAGES] = {0};
    uint32_t order[IMAGES];
    for (int i = 0; i < IMAGES; i++) {
        order[i] = (uint32_t)(IMAGES - 1 - i);
        memset(images + i * PIXELS, i, PIXELS);
    }
    clv_device_dataset *data = &r->bindings.dataset[0];
    const struct {
        clv_buffer **buffer;
        size_t bytes;
        const void *from;
    } part[] = {{&r->bindings.space[CLV_SPACE_ARENA], ARENA * sizeof(float), NULL},
                {&r->bindings.space[CLV_SPACE_TRACE], ROWS * sizeof(float), NULL},
                {&data->images, sizeof images, images},
                {&data->labels, sizeof labels, labels},
                {&data->order, sizeof order, order}};
    for (size_t i = 0; i < sizeof part / sizeof *part && status == CLV_OK; i++) {
        status = clv_buffer_create(r->be, part[i].bytes, part[i].buffer, err);
        if (status == CLV_OK && part[i].from)
            status = clv_buffer_write(r->be, *part[i].buffer, 0, part[i].from, part[i].bytes, err);
    }
    return status;
}

static clv_status make(rig *r, clv_error *err)
{
    memset(r, 0, sizeof *r);
    describe(r);
    clv_status status = clv_cpu_backend_create(false, &r->be, err);
    if (status == CLV_OK) status = bind(r, err);
    if (status == CLV_OK) status = clv_program_create(r->be, &r->plan, &r->bindings, &r->program, err);
    return status;
}

static void destroy(rig *r)
{
    if (!r->be) return;
    clv_program_destroy(r->be, r->program);
    clv_buffer_destroy(r->be, r->bindings.space[CLV_SPACE_ARENA]);
    clv_buffer_destroy(r->be, r->bindings.space[CLV_SPACE_TRACE]);
    clv_buffer_destroy(r->be, r->bindings.dataset[0].images);
    clv_buffer_destroy(r->be, r->bindings.dataset[0].labels);
    clv_buffer_destroy(r->be, r->bindings.dataset[0].order);
    clv_backend_destroy(r->be);
}

static int start(void **state)
{
    rig *r = malloc(sizeof *r);
    if (!r || make(r, NULL) != CLV_OK) return -1;
    *state = r;
    return 0;
}

static int stop(void **state)
{
    destroy(*state);
    free(*state);
    return 0;
}

static void test_step(void **state)
{
    rig *r = *state;
    const clv_step step = {.offset = 2, .count = 3, .row = 1};
    float trace[ROWS];
    assert_ok(clv_program_run(r->be, r->program, &step, err));
    assert_ok(clv_backend_finish(r->be, err));
    assert_ok(clv_buffer_read_floats(r->be, r->bindings.space[CLV_SPACE_TRACE], 0, trace, ROWS, err));
    assert_float_equal(trace[1], PIXELS * (3 + 2 + 1) / 255.0f, 1e-6f); /* places 2, 3, 4 hold images 3, 2, 1 */
    assert_true(trace[0] == 0 && trace[2] == 0 && trace[3] == 0);
    assert_int_equal(clv_program_launches(r->be, r->program), 3);
    double peak = 1;
    assert_ok(clv_backend_peak(r->be, &peak, err));
    assert_true(peak == 0);
}

static void test_steps_are_refused(void **state)
{
    rig *r = *state;
    static const struct {
        clv_step step;
        const char *says;
    } refused[] = {
        {{.count = 0}, "a step of 0 images"},
        {{.count = BATCH + 1}, "takes 1 to 5"},
        {{.count = 2, .offset = IMAGES - 1}, "from place 5 on, in an order of 6"},
        {{.count = 1, .offset = UINT32_MAX}, "in an order of 6"},
        {{.count = 1, .row = ROWS}, "row 4 of a trace of 4"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        assert_refused(clv_program_run(r->be, r->program, &refused[i].step, err), CLV_ERR_INTERNAL, refused[i].says);
        assert_refused(clv_program_trace(r->be, r->program, &refused[i].step, stdout, err), CLV_ERR_INTERNAL,
                       refused[i].says);
    }
    assert_refused(clv_program_run(r->be, NULL, &refused[0].step, err), CLV_ERR_INTERNAL, "without a program");
}

static void test_buffers_are_refused(void **state)
{
    rig *r = *state;
    clv_buffer *buffer = NULL, *arena = r->bindings.space[CLV_SPACE_ARENA];
    float value[2] = {0};
    assert_refused(clv_buffer_create(r->be, 0, &buffer, err), CLV_ERR_INTERNAL, "0 bytes");
    r->be->info.max_buffer_bytes = 100;
    assert_refused(clv_buffer_create(r->be, 101, &buffer, err), CLV_ERR_DEVICE, "at most 100 bytes");
    r->be->info.max_buffer_bytes = 0;
    assert_null(buffer);
    assert_refused(clv_buffer_write(r->be, arena, 4 * ARENA - 4, value, 8, err), CLV_ERR_INTERNAL,
                   "8 bytes from 508 on");
    assert_refused(clv_buffer_read(r->be, arena, SIZE_MAX, value, 8, err), CLV_ERR_INTERNAL, "a read of 8 bytes");
    assert_refused(clv_buffer_write_floats(r->be, arena, ARENA - 1, value, 2, err), CLV_ERR_INTERNAL,
                   "2 elements from 127 on");
    assert_refused(clv_buffer_read_floats(r->be, arena, ARENA, value, SIZE_MAX, err), CLV_ERR_INTERNAL,
                   "in a device buffer of 128");
    assert_refused(clv_buffer_write(r->be, NULL, 0, value, 4, err), CLV_ERR_INTERNAL, "missing");
    assert_refused(clv_buffer_read(r->be, arena, 0, NULL, 4, err), CLV_ERR_INTERNAL, "to nowhere");
    assert_ok(clv_buffer_read(r->be, arena, 4 * ARENA, NULL, 0, err)); /* nothing, at the very end */
    clv_buffer_destroy(r->be, NULL);
    clv_program_destroy(r->be, NULL);
    clv_backend_destroy(NULL);
}

/* Each makes one thing of a sound plan wrong. */
static void no_arena(rig *r) { r->bindings.space[CLV_SPACE_ARENA] = NULL; }
static void long_trace(rig *r) { r->plan.elements[CLV_SPACE_TRACE] = ROWS + 1; }
static void odd_lanes(rig *r) { r->plan.lanes = LANES + 1; }
static void no_batch(rig *r) { r->plan.batch = 0; }
static void other_lanes(rig *r) { r->call[1].lanes = 2 * LANES; }
static void no_such_op(rig *r) { r->call[1].op = CLV_OP_COUNT; }
static void few_inputs(rig *r) { r->call[1].inputs = 0; }
static void lost_operand(rig *r) { r->call[1].in[0].space = CLV_SPACE_NONE; }
static void crooked_operand(rig *r) { r->call[1].in[0].offset = 8; }
static void empty_operand(rig *r) { r->call[1].in[0].shape.dim[1] = 0; }
static void long_operand(rig *r) { r->call[1].in[0].offset = 64; }
static void far_operand(rig *r) { r->call[1].out.offset = SIZE_MAX - 15; }
static void wrong_slot(rig *r) { r->call[2].attr.slot = 1; }
static void no_images(rig *r) { r->bindings.dataset[0].images = NULL; }
static void no_order(rig *r) { r->bindings.dataset[0].order = NULL; }
static void wrong_dataset(rig *r) { r->call[0].attr.dataset = CLV_MAX_DATASETS; }
static void other_pixels(rig *r) { r->call[0].out.shape.dim[0] = 1, r->call[0].out.shape.dim[1] = 4; }
static void no_labels(rig *r)
{
    r->call[0].op = CLV_OP_LABEL;
    r->bindings.dataset[0].labels = NULL;
}
static void too_many_trained(rig *r)
{
    r->call[2] = (clv_call){.op = CLV_OP_SGD, .lanes = LANES, .trained = 1, .name = "sgd"};
}
static void bias_without_bias(rig *r)
{
    r->call[1].op = CLV_OP_CONV;
    r->call[1].inputs = 2;
    r->call[1].attr = (clv_attr){.kernel = 1, .stride = 1, .has_bias = true};
}

static void test_plans_are_refused(void **state)
{
    static const struct {
        void (*spoil)(rig *);
        const char *says;
    } refused[] = {
        {no_arena, "128 elements of activations and no buffer is bound"},
        {long_trace, "5 elements of trace, the buffer bound has 4"},
        {odd_lanes, "multiples of 8"},
        {no_batch, "a plan of 0 images"},
        {other_lanes, "'sum' (sum): 16 lanes in a plan of 8"},
        {no_such_op, "there is no operation"},
        {few_inputs, "'sum' (sum): 0 inputs instead of 1"},
        {lost_operand, "its input lies nowhere"},
        {crooked_operand, "lies at 8, not a multiple of 16"},
        {empty_operand, "dimension 1 of its input is 0"},
        {long_operand, "takes 72 elements from 64 on, and the plan has 128"},
        {far_operand, "its result takes 8 elements"},
        {wrong_slot, "column 1 of a trace of 1"},
        {no_images, "data set 0 has no images"},
        {no_order, "no order of images"},
        {wrong_dataset, "there is no data set 2"},
        {other_pixels, "no whole images of 12 pixels"},
        {no_labels, "data set 0 has no labels"},
        {too_many_trained, "1 trained elements are more"},
        {bias_without_bias, "2 inputs instead of 3"},
    };
    const rig *sound = *state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        rig r = *sound;
        r.plan.call = r.call;
        refused[i].spoil(&r);
        clv_program *program = NULL;
        assert_refused(clv_program_create(r.be, &r.plan, &r.bindings, &program, err), CLV_ERR_INTERNAL,
                       refused[i].says);
        assert_null(program);
    }
}

static void test_floats_are_converted(void **state)
{
    (void)state;
    enum { COUNT = 2500 }; /* more than two of the wrapper's portions */
    for (int use_double = 0; use_double < 2; use_double++) {
        clv_backend *be;
        clv_buffer *buffer;
        float *written = calloc(COUNT, sizeof *written), *read = calloc(COUNT, sizeof *read);
        assert_ok(clv_cpu_backend_create(use_double, &be, err));
        assert_int_equal(be->element_size, use_double ? 8 : 4);
        assert_ok(clv_buffer_create(be, (COUNT + 10) * be->element_size, &buffer, err));
        for (int i = 0; i < COUNT; i++) written[i] = 1 / (float)(i + 1);
        written[7] = -INFINITY;
        assert_ok(clv_buffer_write_floats(be, buffer, 3, written, COUNT, err));
        assert_ok(clv_buffer_read_floats(be, buffer, 3, read, COUNT, err));
        assert_memory_equal(written, read, COUNT * sizeof *read);
        assert_ok(clv_buffer_read_floats(be, buffer, 0, read, 4, err));
        assert_true(read[0] == 0 && read[2] == 0 && read[3] == written[0]);
        assert_ok(clv_buffer_read_floats(be, buffer, COUNT + 3, read, 7, err));
        for (int i = 0; i < 7; i++) assert_true(read[i] == 0);
        clv_buffer_destroy(be, buffer);
        clv_backend_destroy(be);
        free(written);
        free(read);
    }
}

static void test_unknown_backend(void **state)
{
    (void)state;
    clv_backend *be = NULL;
    assert_refused(clv_backend_create(&(clv_device_options){.backend = "cuda"}, &be, err), CLV_ERR_CONFIG,
                   "no backend 'cuda'");
    assert_null(be);
    assert_ok(clv_backend_create(&(clv_device_options){.backend = "cpu"}, &be, err));
    assert_string_equal(be->info.backend, "cpu");
    clv_backend_destroy(be);
}

/* Every allocation fails once: a failure each time, and nothing lost (the address sanitizer sees). */
static void test_allocation_failures(void **state)
{
    (void)state;
    long n = 1;
    for (;; n++) {
        rig r;
        clv_error error = {0};
        clv_fail_allocation(n);
        clv_status status = make(&r, &error);
        if (status == CLV_OK) status = clv_backend_selftest(r.be, &r.plan, &error);
        clv_fail_allocation(0);
        destroy(&r);
        if (status == CLV_OK) break;
        assert_int_equal(status, CLV_ERR_INTERNAL);
        assert_non_null(strstr(error.message, "out of memory"));
        assert_true(n < 1000);
    }
    assert_true(n > 20);
}

/* A backend that computes nothing. */
static const clv_backend_ops *right;
static clv_backend_ops wrong;
static clv_status run_nothing(clv_backend *be, clv_program *program, const clv_step *step, clv_error *err)
{
    (void)be, (void)program, (void)step, (void)err;
    return CLV_OK; /* computes nothing: the result stays NaN */
}

static void test_selftest_finds_faults(void **state)
{
    rig *r = *state;
    assert_ok(clv_backend_selftest(r->be, &r->plan, err));
    right = r->be->ops;
    wrong = *right;
    wrong.program_run = run_nothing;
    r->be->ops = &wrong;
    assert_refused(clv_backend_selftest(r->be, &r->plan, err), CLV_ERR_DEVICE, "fails its self-test");
    assert_refused(clv_selftest_call(r->be, &r->call[1], BATCH, err), CLV_ERR_DEVICE,
                   "'sum' (sum [1][3][3][n] -> [1][1][1][n]): element 0 of image 0 is ");
    r->be->ops = right;
}

/* ---- the part of a large product that the self-test's reference computes ---- */

enum { LARGE_BATCH = 150 };
#define MAP(c, side)                                                                                                   \
    {                                                                                                                  \
        .shape = {3, {c, side, side, 1}, true}, .space = CLV_SPACE_ARENA                                               \
    }
#define KERNEL(a, b)                                                                                                   \
    {                                                                                                                  \
        .shape = {4, {a, b, 3, 3}, false}, .space = CLV_SPACE_PARAM                                                    \
    }
#define VECTOR(a)                                                                                                      \
    {                                                                                                                  \
        .shape = {1, {a, 1, 1, 1}, false}, .space = CLV_SPACE_PARAM                                                    \
    }
#define WINDOW .kernel = 3, .stride = 1, .pad = 1

/* 266 million multiply-adds each, of which 67 are enough; a relu's gradient, an addend and a bias beside them. */
static const clv_call large_calls[] = {
    {.op = CLV_OP_CONV,
     .name = "conv",
     .inputs = 5,
     .out = MAP(48, 12),
     .attr = {WINDOW, .has_bias = true, .has_addend = true, .grad_act = CLV_ACT_RELU},
     .in = {MAP(32, 12), KERNEL(48, 32), VECTOR(48), MAP(48, 12), MAP(48, 12)}},
    {.op = CLV_OP_DECONV,
     .name = "deconv",
     .inputs = 2,
     .attr = {WINDOW},
     .out = MAP(32, 12),
     .in = {MAP(48, 12), KERNEL(48, 32)}},
    {.op = CLV_OP_CONV_WEIGHT,
     .name = "weight",
     .inputs = 2,
     .attr = {WINDOW},
     .out = KERNEL(48, 32),
     .in = {MAP(32, 12), MAP(48, 12)}},
    {.op = CLV_OP_CONV_WEIGHT,
     .name = "weight, sums of x",
     .inputs = 3,
     .attr = {WINDOW, .sum_of = 1},
     .out = KERNEL(48, 32),
     .in = {MAP(32, 12), MAP(48, 12), VECTOR(32)}},
    {.op = CLV_OP_CONV_WEIGHT,
     .name = "weight, sums of y",
     .inputs = 3,
     .attr = {WINDOW, .sum_of = 2},
     .out = KERNEL(48, 32),
     .in = {MAP(32, 12), MAP(48, 12), VECTOR(48)}},
};

/* A part's results are those of the whole at their places; a wrong one is found there, and one that is not written
 * anywhere. */
static void expect_part(clv_backend *be, const clv_call *call)
{
    clv_trial whole = {0};
    clv_trial_part part = {.place = NULL};
    assert_ok(clv_trial_create(call, LARGE_BATCH, CLV_TRIAL_EXACT, 5, &whole, err));
    assert_ok(clv_trial_part_create(&whole, &part, err));
    assert_non_null(part.place);
    const size_t last = part.trial.results - 1;
    assert_true(part.trial.results < whole.results / 2 && part.place[0] == 0 && part.place[last] == whole.results - 1);
    float *all = calloc(whole.results, sizeof *all), *some = calloc(part.trial.results, sizeof *some);
    assert_non_null(all);
    assert_non_null(some);
    assert_ok(clv_trial_run(be, &whole, all, err));
    assert_ok(clv_trial_run(be, &part.trial, some, err));
    for (size_t i = 0; i <= last; i++)
        if (some[i] != all[part.place[i]]) fail_msg("%s: result %zu of the part differs", call->name, i);
    assert_ok(clv_trial_compare_part(&whole, &part, some, all, err));
    const size_t middle = part.place[last / 2];
    const float right_value = all[middle];
    all[middle] += 1;
    assert_refused(clv_trial_compare_part(&whole, &part, some, all, err), CLV_ERR_DEVICE, "the reference says");
    all[middle] = right_value;
    all[1] = NAN; /* of the second image, or the first weight's neighbour */
    assert_refused(clv_trial_compare_part(&whole, &part, some, all, err), CLV_ERR_DEVICE,
                   call->out.shape.batched ? "element 0 of image 1 was not written" : "element 1 was not written");
    free(all);
    free(some);
    clv_trial_part_destroy(&part);
    clv_trial_destroy(&whole);
}

static void test_part_of_a_trial(void **state)
{
    (void)state;
    clv_backend *be = NULL;
    assert_ok(clv_cpu_backend_create(false, &be, err));
    for (size_t i = 0; i < sizeof large_calls / sizeof *large_calls; i++) expect_part(be, &large_calls[i]);
    clv_trial small = {0};
    clv_trial_part part = {.place = NULL};
    assert_ok(clv_trial_create(&large_calls[1], 3, CLV_TRIAL_EXACT, 5, &small, err));
    assert_ok(clv_trial_part_create(&small, &part, err));
    assert_null(part.place); /* all of a small product */
    clv_trial_part_destroy(&part);
    clv_trial_destroy(&small);
    clv_backend_destroy(be);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_step, start, stop),
        cmocka_unit_test_setup_teardown(test_steps_are_refused, start, stop),
        cmocka_unit_test_setup_teardown(test_buffers_are_refused, start, stop),
        cmocka_unit_test_setup_teardown(test_plans_are_refused, start, stop),
        cmocka_unit_test_setup_teardown(test_selftest_finds_faults, start, stop),
        cmocka_unit_test(test_part_of_a_trial),
        cmocka_unit_test(test_floats_are_converted),
        cmocka_unit_test(test_unknown_backend),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
