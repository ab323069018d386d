/* Every operation on every backend present against the reference in double: exact where sums are of integers, within
 * derived bounds elsewhere; results filled with NaN first, guards on both sides, odd sizes, fresh values. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backend/trial.h"
#include "graph/storage.h"
#include "op_cases.h"
#include "support.h"

static uint64_t seed;
static clv_backend *oracle, *tested; /* in double; the backend of the running test */

/* |a| in place of every input, nothing behind the sum: what a product's error is measured by. */
static clv_trial magnitudes_of(const clv_trial *trial)
{
    clv_trial t = *trial;
    if (t.call.attr.head) t.call.inputs -= 2;
    if (t.call.attr.head) t.results = clv_trial_first_results(trial);
    t.call.attr.head = CLV_OP_PARAM;
    t.call.attr.act = CLV_ACT_NONE;
    if (t.call.attr.grad_act != CLV_ACT_NONE) t.call.inputs--;
    t.call.attr.grad_act = CLV_ACT_NONE;
    t.call.attr.rate = 0;
    if (t.call.out.space == CLV_SPACE_HALF) t.call.out.space = CLV_SPACE_ARENA;
    for (int i = 0; i < t.call.inputs; i++) {
        if (clv_call_writes(&t.call, i)) continue;
        const size_t count =
            (size_t)clv_shape_elements(&t.call.in[i].shape) * (t.call.in[i].shape.batched ? (size_t)t.batch : 1);
        t.in[i] = calloc(count, sizeof(float));
        assert_non_null(t.in[i]);
        for (size_t j = 0; j < count; j++) t.in[i][j] = fabsf(trial->in[i][j]);
    }
    return t;
}

static double terms_of(const clv_call *call)
{
    const int *in = call->in[0].shape.dim, *small = call->in[1].shape.dim,
              *longest = call->attr.sum_of == 1 ? in : small;
    if (call->op == CLV_OP_CONV_WEIGHT) return (double)longest[1] * longest[2] * call->lanes;
    return (double)in[0] * call->attr.kernel * call->attr.kernel + 1;
}

/* What a head's results may be off by where what it is of, y = act(sum), has a sum that is off by
 * error[feature][image]: a cross-entropy and its gradient have slopes of at most 1 and 1/4 in s; a squared error of the
 * sum one of 2 |y - t|, as act' <= 1, its gradient, 2 (y - t) act', of 2 (1 + |y - t|), as |act''| <= 1. Not where an
 * act' has a step, as relu's. */
static double head_bound(const clv_trial *trial, const double *error, double wanted, size_t i)
{
    const clv_attr *a = &trial->call.attr;
    const size_t batch = (size_t)trial->batch, first = clv_trial_first_results(trial), features = first / batch;
    const float *t = trial->in[trial->call.inputs - 2];
    const bool mse = a->head == CLV_OP_MSE_HEAD;
    clv_trial in_float = *trial;
    in_float.call.out.space = CLV_SPACE_ARENA;
    const double weight = fabs((double)a->alpha) / trial->step.count, own = clv_trial_tolerance(&in_float, wanted, i);
    double sum = 0;
    assert_true(a->act != CLV_ACT_RELU && a->act != CLV_ACT_LEAKY_RELU);
    if (i < first) {
        const double apart = fabs((double)trial->y[i] - (double)t[i]);
        return own + weight * error[i] * (mse ? 2 * (1 + apart) / (double)features : 0.25);
    }
    for (size_t k = i - first; k < first; k += batch)
        sum += error[k] * (mse ? 2 * (fabs((double)trial->y[k] - (double)t[k]) + error[k]) / (double)features : 1);
    return own + sum;
}

/* Sums of k products of real numbers: 6 sqrt(k) 2^-24 sum |a b| but for one result in 10^8 (Higham & Mary 2019,
 * theorem 3.1, with lambda 6), over what fused dropouts kept; activations have slopes of at most 1, and their own
 * error, of at most 16 ulps. */
static void compare_products(const clv_trial *trial, const float *wanted, const float *got)
{
    const clv_attr *a = &trial->call.attr;
    clv_trial t = magnitudes_of(trial);
    float *magnitude = calloc(t.results, sizeof *magnitude);
    double *error = calloc(t.results, sizeof *error);
    assert_true(magnitude && error);
    assert_ok(clv_trial_run(oracle, &t, magnitude, err));
    for (size_t i = 0; i < t.results; i++)
        error[i] = 6 * sqrt(terms_of(&trial->call)) * 0x1p-24 * (double)magnitude[i] / (1 - (double)a->mask_rate) /
                   (1 - (double)a->rate);
    for (size_t i = 0; i < trial->results; i++) {
        const double computed = trial->call.attr.head ? head_bound(trial, error, (double)wanted[i], i)
                                                      : error[i] + 16 * 0x1p-23 * fabs((double)wanted[i]);
        const bool half = trial->call.out.space == CLV_SPACE_HALF && i < clv_trial_first_results(trial);
        const double bound = half ? clv_trial_stored_tolerance(computed, (double)wanted[i]) : computed;
        if (!(fabs((double)got[i] - (double)wanted[i]) <= bound))
            fail_msg("%s: element %zu is %.9g, the reference says %.9g, allowed %.3g", trial->call.name, i,
                     (double)got[i], (double)wanted[i], bound);
    }
    for (int i = 0; i < t.call.inputs; i++)
        if (!clv_call_writes(&t.call, i)) free(t.in[i]);
    free(magnitude);
    free(error);
}

static void run_trial(const op_case *c, const clv_call *call, clv_trial_values values)
{
    clv_trial trial;
    clv_error error = {0};
    assert_ok(clv_trial_create(call, c->batch, values, seed, &trial, err));
    float *wanted = calloc(trial.results, sizeof *wanted), *got = calloc(trial.results, sizeof *got);
    assert_true(wanted && got);
    assert_ok(clv_trial_run(oracle, &trial, wanted, err));
    assert_ok(clv_trial_run(tested, &trial, got, err));
    if (values == CLV_TRIAL_REAL && clv_op_table[c->op].family == CLV_FAMILY_PRODUCT)
        compare_products(&trial, wanted, got);
    else if (clv_trial_compare(&trial, wanted, got, &error) != CLV_OK)
        fail_msg("%s", error.message);
    free(wanted);
    free(got);
    clv_trial_destroy(&trial);
}

/* What of a call is stored as half: bits 1 << k are inputs, 32 the result. */
enum { INPUTS_HALF = 31, RESULT_HALF = 32 };

static bool may_be_half(const clv_operand *operand)
{
    return operand->space == CLV_SPACE_ARENA && clv_shape_takes_half(&operand->shape);
}

/* The call with those of its operands in half precision that can be; false where none is. */
static bool store_as_half(const clv_call *call, unsigned which, clv_call *half)
{
    bool any = false;
    *half = *call;
    for (int i = 0; i <= call->inputs; i++) {
        clv_operand *operand = i < call->inputs ? &half->in[i] : &half->out;
        if (!(which & (i < call->inputs ? 1u << i : RESULT_HALF)) || !may_be_half(operand)) continue;
        operand->space = CLV_SPACE_HALF;
        any = true;
    }
    return any && clv_op_takes_half(call->op);
}

/* The case's call with all of its operands in half, and in a third of the cases with every other one: the result alone,
 * or some of the inputs. Returns how many. */
static int calls_in_half(const op_case *c, int i, clv_call half[2])
{
    const bool mixed = ((uint64_t)i + seed) % 3 == 0;
    static const unsigned others[] = {RESULT_HALF, 0x15, 0x0a | RESULT_HALF};
    const unsigned which[] = {INPUTS_HALF | RESULT_HALF, others[i / 3 % 3]};
    clv_plan *plan;
    int calls = 0;
    assert_ok(op_case_plan(c, tested, &plan, err));
    const clv_call *call = op_case_call(c, plan);
    for (size_t k = 0; call && k < (mixed ? 2 : 1); k++) calls += store_as_half(call, which[k], &half[calls]);
    clv_plan_destroy(plan);
    return calls;
}

static bool is_drawn(int i, size_t of, size_t which) { return ((uint64_t)i + seed) % of == which; }

/* Those cases of `of` parts of them that are in part `which`. */
static void run_in_half(size_t of, size_t which)
{
    clv_call *half = calloc(2 * (size_t)op_case_count, sizeof *half);
    int *case_of = calloc(2 * (size_t)op_case_count, sizeof *case_of), calls = 0;
    assert_true(half && case_of);
    for (int i = 0; i < op_case_count; i++)
        for (int found = is_drawn(i, of, which) ? calls_in_half(&op_cases[i], i, &half[calls]) : 0; found > 0; found--)
            case_of[calls++] = i;
    assert_ok(op_calls_build(tested, half, calls, err));
    for (int i = 0; i < calls; i++) {
        run_trial(&op_cases[case_of[i]], &half[i], CLV_TRIAL_EXACT);
        run_trial(&op_cases[case_of[i]], &half[i], CLV_TRIAL_REAL);
    }
    free(half);
    free(case_of);
}

static void test_all_ops_in_half(void **state)
{
    tested = *state;
    run_in_half(1, 0);
}

/* Pairs have no halves: what needs them says so. */
static void test_pairs_refuse_halves(void **state)
{
    (void)state;
    for (int i = 0; i < op_case_count; i++) {
        clv_plan *plan;
        clv_call half;
        clv_trial trial;
        float results[1];
        if (op_cases[i].op != CLV_OP_DISTANCE) continue;
        assert_ok(op_case_plan(&op_cases[i], oracle, &plan, err));
        assert_false(store_as_half(op_case_call(&op_cases[i], plan), RESULT_HALF, &half));
        assert_ok(clv_trial_create(&half, op_cases[i].batch, CLV_TRIAL_REAL, seed, &trial, err));
        assert_refused(clv_trial_run(oracle, &trial, results, err), CLV_ERR_INTERNAL, "cannot be stored as half");
        clv_trial_destroy(&trial);
        clv_plan_destroy(plan);
        return;
    }
    fail_msg("there is no case of pairs");
}

static bool is_any(clv_op op)
{
    (void)op;
    return true;
}

/* A reshape is a view: no call, and the input's place. */
static bool has_call(const op_case *c, clv_call *call)
{
    clv_plan *plan;
    assert_ok(op_case_plan(c, tested, &plan, err));
    const clv_call *found = op_case_call(c, plan);
    if (c->op == CLV_OP_RESHAPE) assert_int_equal(plan->place[0].offset, plan->place[1].offset);
    assert_true(found || c->op == CLV_OP_RESHAPE);
    if (found) *call = *found;
    clv_plan_destroy(plan);
    return found;
}

static void run_cases(bool (*wanted)(clv_op op))
{
    clv_call *call = calloc((size_t)op_case_count, sizeof *call);
    const op_case **case_of = calloc((size_t)op_case_count, sizeof *case_of);
    int calls = 0;
    assert_true(call && case_of);
    for (int i = 0; i < op_case_count; i++)
        if (wanted(op_cases[i].op) && has_call(&op_cases[i], &call[calls])) case_of[calls++] = &op_cases[i];
    assert_ok(op_calls_build(tested, call, calls, err));
    for (int i = 0; i < calls; i++) {
        run_trial(case_of[i], &call[i], CLV_TRIAL_EXACT);
        run_trial(case_of[i], &call[i], CLV_TRIAL_REAL);
    }
    free(call);
    free(case_of);
}

static void test_all_ops(void **state)
{
    tested = *state;
    run_cases(is_any);
}

/* Parameters and inputs are what cases are fed with, and results what some of them write. */
static void test_every_op_has_a_case(void **state)
{
    (void)state;
    for (int op = 0; op < CLV_OP_COUNT; op++) {
        bool has_case = op == CLV_OP_PARAM || op == CLV_OP_INPUT || op == CLV_OP_RESULT;
        for (int i = 0; i < op_case_count; i++) has_case |= (int)op_cases[i].op == op;
        if (!has_case) fail_msg("op.def's '%s' has no row in tests/op_cases.c", clv_op_table[op].name);
    }
}

/* The trials themselves: a wrong result and a write outside must not pass. A backend that does what the reference does,
 * and then one thing more. */
static clv_backend_ops spoiled_ops;
static size_t spoiled_element;
static clv_status spoil_read(clv_backend *be, const clv_buffer *buffer, size_t offset, void *to, size_t bytes,
                             clv_error *err)
{
    const clv_status status = oracle->ops->buffer_read(be, buffer, offset, to, bytes, err);
    double *values = to;
    if (bytes > spoiled_element * sizeof *values && offset == 0) values[spoiled_element] = 77;
    return status;
}

static void test_trials_find_faults(void **state)
{
    (void)state;
    const op_case add = {.op = CLV_OP_ADD, .batch = 8, .in = {{3, {1, 1, 1, 1}, true}, {3, {1, 1, 1, 1}, true}}};
    clv_backend spoiled = *oracle;
    spoiled_ops = *oracle->ops;
    spoiled_ops.buffer_read = spoil_read;
    spoiled.ops = &spoiled_ops;
    clv_plan *plan;
    clv_trial trial;
    float wanted[8], got[8];
    assert_ok(op_case_plan(&add, oracle, &plan, err));
    assert_ok(clv_trial_create(op_case_call(&add, plan), add.batch, CLV_TRIAL_REAL, seed, &trial, err));
    assert_ok(clv_trial_run(oracle, &trial, wanted, err));
    const size_t result = 3 * 64 + 2 * 16; /* three guards, two inputs of 8 in places of 16: see trial.c */
    spoiled_element = result - 64 - 16;
    assert_refused(clv_trial_run(&spoiled, &trial, got, err), CLV_ERR_DEVICE, "writes outside its result");
    spoiled_element = result + 8;
    assert_refused(clv_trial_run(&spoiled, &trial, got, err), CLV_ERR_DEVICE, "writes outside its result");
    spoiled_element = result + 3;
    assert_ok(clv_trial_run(&spoiled, &trial, got, err));
    assert_refused(clv_trial_compare(&trial, wanted, got, err), CLV_ERR_DEVICE, "element 0 of image 3 is 77");
    clv_trial_destroy(&trial);
    clv_plan_destroy(plan);
}

static bool is_of_pairs(clv_op op)
{
    return clv_op_table[op].family == CLV_FAMILY_PAIRS || op == CLV_OP_TSNE_GRAD || op == CLV_OP_TSNE_STEP;
}

/* Pairs of points on the device tests run on, with the launches of other kinds: groups with barriers, narrow vectors.
 */
static void test_pairs_as_others(void **state)
{
    (void)state;
    static const struct {
        clv_device_kind kind;
        int vector_width;
    } others[] = {{CLV_DEVICE_GPU, 1}, {CLV_DEVICE_GPU, 4}, {CLV_DEVICE_CPU, 1}, {CLV_DEVICE_CPU, 8}};
    if (!have_opencl()) skip();
    for (size_t k = 0; k < sizeof others / sizeof *others; k++) {
        const clv_device_options options = {.backend = "opencl", .select = test_device(), .gemm = CLV_GEMM_OWN};
        assert_ok(clv_backend_create(&options, &tested, err));
        tested->info.kind = others[k].kind;
        tested->info.vector_width = others[k].vector_width;
        run_cases(is_of_pairs);
        clv_backend_destroy(tested);
    }
}

/* The launches of other devices, a draw of the cases on each: vectors of other widths, the products of GPUs. */
static void test_half_as_others(void **state)
{
    (void)state;
    static const struct {
        clv_device_kind kind;
        int vector_width, simd_width;
    } others[] = {{CLV_DEVICE_GPU, 1, 32}, {CLV_DEVICE_GPU, 4, 0}, {CLV_DEVICE_CPU, 4, 0}, {CLV_DEVICE_CPU, 1, 0}};
    enum { OTHERS = sizeof others / sizeof *others, DRAWN = 3 };
    if (!have_opencl()) skip();
    for (size_t k = 0; k < OTHERS; k++) {
        const clv_device_options options = {.backend = "opencl", .select = test_device(), .gemm = CLV_GEMM_OWN};
        assert_ok(clv_backend_create(&options, &tested, err));
        tested->info.kind = others[k].kind;
        tested->info.vector_width = others[k].vector_width;
        tested->info.simd_width = others[k].simd_width;
        run_in_half(DRAWN * OTHERS, k);
        clv_backend_destroy(tested);
    }
}

#define MAX_BACKENDS 16

/* The float reference and every OpenCL device. */
static int make_backends(clv_backend *be[MAX_BACKENDS])
{
    int made = 0, count = 0;
    clv_device_info *devices = NULL;
    assert_ok(clv_cpu_backend_create(false, &be[made++], err));
    assert_ok(clv_devices_list(&devices, &count, err));
    for (int i = 0; i < count && made < MAX_BACKENDS; i++) {
        char select[32];
        clv_error error;
        snprintf(select, sizeof select, "%d:%d", devices[i].platform_index, devices[i].device_index);
        const clv_device_options options = {.backend = "opencl", .select = select, .gemm = CLV_GEMM_AUTO};
        if (clv_backend_create(&options, &be[made], &error) == CLV_OK)
            made++;
        else
            printf("device %s is left out: %s\n", select, error.message);
    }
    free(devices);
    if (made == 1) printf("no OpenCL device: the float reference alone is tested\n");
    return made;
}

/* "half": the operations in half precision, which are as many programs again to compile; else the others. */
int main(int argc, char **argv)
{
    const bool half = argc > 1 && strcmp(argv[1], "half") == 0;
    clv_backend *be[MAX_BACKENDS];
    char name[MAX_BACKENDS][320];
    const struct CMUnitTest in_float[] = {cmocka_unit_test(test_every_op_has_a_case),
                                          cmocka_unit_test(test_trials_find_faults),
                                          cmocka_unit_test(test_pairs_as_others)},
                            in_half[] = {cmocka_unit_test(test_pairs_refuse_halves),
                                         cmocka_unit_test(test_half_as_others)};
    struct CMUnitTest tests[MAX_BACKENDS + 3];
    const size_t first = half ? sizeof in_half / sizeof *in_half : sizeof in_float / sizeof *in_float;
    memcpy(tests, half ? in_half : in_float, first * sizeof *tests);
    take_filter();
    const char *given = getenv("CLAVE_TEST_SEED");
    seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) * 2654435761u;
    printf("CLAVE_TEST_SEED=%llu repeats these values\n", (unsigned long long)seed);
    assert_ok(clv_cpu_backend_create(true, &oracle, err));
    const int made = make_backends(be);
    for (int i = 0; i < made; i++) {
        snprintf(name[i], sizeof name[i], "all ops%s on %s, %s", half ? " in half" : "", be[i]->info.platform,
                 be[i]->info.name);
        tests[first + (size_t)i] = (struct CMUnitTest){
            .name = name[i], .test_func = half ? test_all_ops_in_half : test_all_ops, .initial_state = be[i]};
    }
    int failed = _cmocka_run_group_tests("ops", tests, (size_t)made + first, NULL, NULL);
    for (int i = 0; i < made; i++) clv_backend_destroy(be[i]);
    clv_backend_destroy(oracle);
    return failed ? 1 : made == 1 ? 77 : 0;
}
