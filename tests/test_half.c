/* Storage in half precision: what a plan stores so, the scale of its loss, that gradients survive, what the tuner and
 * CLBlast are told, and training itself. Single operations are in test_ops.c. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/opencl/opencl.h"
#include "clave/experiment.h"
#include "experiment/pass.h"
#include "graph/storage.h"
#include "support.h"

#define STEPS 10

static clv_config *load(const char *ini, const char *const *overrides)
{
    clv_config *config = NULL;
    int count = 0;
    while (overrides[count]) count++;
    assert_ok(clv_config_load(ini, overrides, count, &config, NULL, err));
    return config;
}

static clv_session *open_training(const clv_config *config)
{
    clv_session *s = NULL;
    const clv_phase_request request = {CLV_MODE_TRAIN, CLV_DATASET_TRAIN};
    assert_ok(clv_session_open(config, NULL, &request, 1, &s, err));
    assert_ok(clv_session_load(s, NULL, err));
    return s;
}

/* ---- the plan ---- */

/* What an operand of a plan in half precision must be: the rule in other words. */
static void check_operand(const clv_plan *plan, const clv_operand *operand)
{
    bool shown = false;
    for (int i = 0; i < plan->nodes; i++)
        shown |= plan->place[i].space == operand->space && plan->place[i].offset == operand->offset;
    const bool large = operand->shape.batched && clv_shape_elements(&operand->shape) > 1;
    if (operand->space == CLV_SPACE_HALF) {
        assert_true(large);
        assert_false(shown);
    } else if (operand->space == CLV_SPACE_ARENA) {
        assert_true(!large || shown);
    }
}

static void test_plan_in_half(void **state)
{
    (void)state;
    clv_config *config = load("ini/vae.ini", (const char *const[]){"device.backend=cpu", "device.storage=half", NULL});
    clv_session *s = NULL;
    const clv_phase_request request[] = {
        {CLV_MODE_TRAIN, CLV_DATASET_TRAIN}, {CLV_MODE_ENCODE, CLV_DATASET_TRAIN}, {CLV_MODE_WEIGH, CLV_DATASET_TRAIN}};
    assert_ok(clv_session_open(config, NULL, request, 3, &s, err));
    for (int p = 0; p < 2; p++) {
        const clv_plan *plan = s->phase[p].plan;
        for (int i = 0; i < plan->calls; i++) {
            for (int k = 0; k < plan->call[i].inputs; k++) check_operand(plan, &plan->call[i].in[k]);
            check_operand(plan, &plan->call[i].out);
        }
    }
    const clv_phase *encode = &s->phase[1];
    assert_int_equal(encode->plan->place[encode->graph.code].space, CLV_SPACE_ARENA);
    assert_true(encode->plan->elements[CLV_SPACE_HALF] > 100 * encode->plan->elements[CLV_SPACE_ARENA]);
    assert_int_equal(s->phase[2].plan->elements[CLV_SPACE_HALF], 0); /* importance weights are a figure */
    clv_session_close(s);
    clv_config_destroy(config);
}

/* The two results of a batch with noise: the plan that trains stores both as half, that which shows both stores
 * neither so. */
static void test_noisy_batch_in_half(void **state)
{
    (void)state;
    clv_config *config =
        load("ini/denoise.ini", (const char *const[]){"device.backend=cpu", "device.storage=half", NULL});
    clv_session *s = NULL;
    const clv_phase_request request[] = {{CLV_MODE_TRAIN, CLV_DATASET_TRAIN}, {CLV_MODE_RECONSTRUCT, CLV_DATASET_TEST}};
    assert_ok(clv_session_open(config, NULL, request, 2, &s, err));
    for (int p = 0; p < 2; p++) {
        const clv_call *batch = &s->phase[p].plan->call[0];
        const clv_space space = p == 0 ? CLV_SPACE_HALF : CLV_SPACE_ARENA;
        assert_true(batch->op == CLV_OP_GATHER && batch->attr.noisy);
        assert_int_equal(batch->out.space, space);
        assert_int_equal(batch->in[0].space, space);
    }
    clv_session_close(s);
    clv_config_destroy(config);
}

/* ---- the scale of the loss ---- */

static float scale_of(const char *ini, const char *override)
{
    clv_config *config = load(ini, (const char *const[]){"device.backend=cpu", "device.storage=half", override, NULL});
    clv_session *s = open_training(config);
    const clv_plan *plan = s->phase[0].plan;
    const float scale = plan->loss_scale;
    const clv_call *last = &plan->call[plan->calls - 1];
    assert_true(last->op == CLV_OP_ADAM && last->attr.unscale == 1 / scale);
    clv_session_close(s);
    clv_config_destroy(config);
    return scale;
}

/* Means over 784 pixels and 128 images: 2 / (784 128) becomes 0.65. Sums over pixels, means over 128 images. A weight
 * of the divergence above 1 is the largest. */
static void test_scale(void **state)
{
    (void)state;
    assert_true(scale_of("ini/autoencoder.ini", "train.batch=128") == 32768);
    assert_true(scale_of("ini/autoencoder.ini", "train.batch=32") == 8192);
    assert_true(scale_of("ini/autoencoder.ini", "plan.fuse=false") == 32768);
    assert_true(scale_of("ini/vae.ini", "train.batch=128") == 128);
    assert_true(scale_of("ini/vae.ini", "plan.fuse=false") == 128);
    assert_true(scale_of("ini/vae.ini", "loss.beta=5") == 16);
}

/* A plan of the session's training without shared memory, and memory of its own; as `scaled` says. */
typedef struct own_plan {
    clv_session *s;
    clv_plan *plan;
    clv_bindings bindings;
    clv_program *program;
} own_plan;

static own_plan make_plan(clv_session *s, clv_storage storage, bool scaled)
{
    own_plan o = {.s = s, .bindings = s->bindings};
    const clv_model_graph *graph = &s->phase[0].graph;
    const clv_plan_options options = {.batch = s->phase[0].plan->batch,
                                      .lane_width = s->be->lane_width,
                                      .alignment = s->be->alignment,
                                      .trace_rows = CLV_TRACE_ROWS,
                                      .storage = storage};
    assert_ok(clv_plan_create(graph->graph, clv_model_params(s->model), graph->gradient, &options, &o.plan, err));
    if (scaled && storage == CLV_STORAGE_FLOAT) clv_plan_scale_loss(o.plan, graph->graph);
    for (int i = 0; !scaled && i < o.plan->calls; i++) {
        clv_attr *a = &o.plan->call[i].attr;
        const clv_op op = o.plan->call[i].op;
        if (op == CLV_OP_MEAN_GRAD || clv_op_head(op, a)) a->alpha /= o.plan->loss_scale;
        a->unscale = 0;
    }
    for (int space = CLV_SPACE_ARENA; space <= CLV_SPACE_HALF; space++) {
        const size_t bytes = clv_space_bytes(s->be, (clv_space)space, o.plan->elements[space]);
        o.bindings.space[space] = NULL;
        if (bytes) assert_ok(clv_buffer_create(s->be, bytes, &o.bindings.space[space], err));
    }
    assert_ok(clv_program_create(s->be, o.plan, &o.bindings, &o.program, err));
    return o;
}

static void free_plan(own_plan *o)
{
    clv_program_destroy(o->s->be, o->program);
    clv_buffer_destroy(o->s->be, o->bindings.space[CLV_SPACE_ARENA]);
    clv_buffer_destroy(o->s->be, o->bindings.space[CLV_SPACE_HALF]);
    clv_plan_destroy(o->plan);
}

static void run_step(own_plan *o, uint32_t step)
{
    const clv_step values = {.seed = {7, 0},
                             .step = step,
                             .offset = step * (uint32_t)o->plan->batch,
                             .count = (uint32_t)o->plan->batch,
                             .lr = 1e-3f,
                             .correction1 = 10,
                             .correction2 = 1000,
                             .ramp = 1,
                             .noise = 0.3f};
    assert_ok(clv_program_run(o->s->be, o->program, &values, err));
    assert_ok(clv_backend_finish(o->s->be, err));
}

/* The parameters after three steps in float storage. */
static float *parameters_after(const char *ini, const char *device, bool scaled, size_t *elements)
{
    clv_config *config = load(ini, (const char *const[]){device, "train.l2=0", NULL});
    clv_session *s = open_training(config);
    own_plan o = make_plan(s, CLV_STORAGE_FLOAT, scaled);
    for (uint32_t step = 0; step < 3; step++) run_step(&o, step);
    *elements = clv_model_params(s->model)->elements;
    float *values = calloc(*elements, sizeof *values);
    assert_non_null(values);
    assert_ok(clv_session_read(s, CLV_SPACE_PARAM, values, err));
    assert_true((o.plan->loss_scale > 1) == scaled);
    free_plan(&o);
    clv_session_close(s);
    clv_config_destroy(config);
    return values;
}

/* A power of two changes no digit: what the scale brings is range alone. */
static void test_scale_is_exact(void **state)
{
    (void)state;
    char select[160];
    snprintf(select, sizeof select, "device.select=%s", test_device());
    const char *const ini[] = {"ini/autoencoder.ini", "ini/smoke.ini"};
    for (int i = 0; i < 2; i++) {
        size_t elements;
        float *plain = parameters_after(ini[i], select, false, &elements),
              *scaled = parameters_after(ini[i], select, true, &elements);
        assert_memory_equal(plain, scaled, elements * sizeof *plain);
        free(plain);
        free(scaled);
    }
}

/* ---- gradients ---- */

/* Of the gradients of activations that a step makes: how many elements are not 0 in float storage, how many of those
 * are 0 in half, and what they are of a tensor's norm, in the worst of the tensors. */
typedef struct lost_elements {
    size_t all, lost;
    double share;
} lost_elements;

static bool is_loss_gradient(const clv_call *call)
{
    return clv_op_head(call->op, &call->attr) || call->op == CLV_OP_MSE_GRAD || call->op == CLV_OP_BCE_GRAD;
}

static float *result_of(const own_plan *o, int call)
{
    const clv_operand *out = &o->plan->call[call].out;
    const size_t elements = clv_operand_elements(out, o->plan->lanes);
    float *values = calloc(elements, sizeof *values);
    assert_non_null(values);
    assert_ok(
        clv_buffer_read_space(o->s->be, out->space, o->bindings.space[out->space], out->offset, values, elements, err));
    return values;
}

static void count_lost(const float *half, const float *full, size_t elements, lost_elements *sum)
{
    double squares = 0, lost = 0;
    for (size_t k = 0; k < elements; k++) {
        const double square = (double)full[k] * (double)full[k];
        assert_true(isfinite(half[k]));
        squares += square;
        sum->all += full[k] != 0;
        if (full[k] == 0 || half[k] != 0) continue;
        sum->lost++;
        lost += square;
    }
    if (squares > 0) sum->share = fmax(sum->share, sqrt(lost / squares));
}

static lost_elements compare_gradients(const own_plan *half, const own_plan *full)
{
    lost_elements sum = {0};
    bool behind = false;
    assert_int_equal(half->plan->calls, full->plan->calls);
    for (int i = 0; i < half->plan->calls; i++) {
        const clv_operand *out = &half->plan->call[i].out;
        behind |= is_loss_gradient(&half->plan->call[i]);
        if (!behind || out->space != CLV_SPACE_HALF) continue;
        float *a = result_of(half, i), *b = result_of(full, i);
        count_lost(a, b, clv_operand_elements(out, half->plan->lanes), &sum);
        free(a);
        free(b);
    }
    return sum;
}

static lost_elements lost_gradients(const char *ini, bool scaled)
{
    clv_config *config = load(ini, (const char *const[]){"device.backend=cpu", NULL});
    clv_session *s = open_training(config);
    own_plan half = make_plan(s, CLV_STORAGE_HALF, scaled), full = make_plan(s, CLV_STORAGE_FLOAT, false);
    run_step(&half, 0);
    assert_ok(clv_session_load(s, NULL, err)); /* the same parameters again */
    run_step(&full, 0);
    const lost_elements lost = compare_gradients(&half, &full);
    free_plan(&half);
    free_plan(&full);
    clv_session_close(s);
    clv_config_destroy(config);
    return lost;
}

/* Of a mean squared error, hardly an element is lost by the scale (3 of 10,000 were), and what a tensor loses beside is
 * due to relus whose inputs round to 0 (2 % of its norm at most); without it the gradient of the first layer is 0. */
static void test_gradients_survive(void **state)
{
    (void)state;
    const lost_elements scaled = lost_gradients("ini/autoencoder.ini", true),
                        plain = lost_gradients("ini/autoencoder.ini", false), vae = lost_gradients("ini/vae.ini", true);
    assert_true(scaled.all > 400000 && vae.all > 3000000);
    assert_true((double)scaled.lost < 1e-3 * (double)scaled.all && scaled.share < 0.1);
    assert_true((double)vae.lost < 1e-3 * (double)vae.all && vae.share < 0.1);
    assert_true((double)plain.lost > 0.25 * (double)plain.all && plain.share == 1);
}

/* ---- training ---- */

/* The losses of the first ten steps, each its batch's sum. */
static void first_losses(const char *ini, const char *device, const char *storage, double loss[STEPS])
{
    clv_config *config = load(ini, (const char *const[]){device, storage, NULL});
    clv_session *s = open_training(config);
    const uint32_t batch = (uint32_t)s->phase[0].plan->batch;
    for (uint32_t i = 0; i < STEPS; i++) {
        clv_pass pass = {.first = i * batch, .count = batch, .first_step = i, .seed = 7};
        assert_ok(clv_pass_run(s, &s->phase[0], &pass, err));
        loss[i] = pass.sum[0];
    }
    clv_session_close(s);
    clv_config_destroy(config);
}

static void assert_near(const char *ini, const double *a, const double *b)
{
    for (int i = 0; i < STEPS; i++)
        if (!(fabs(a[i] - b[i]) <= 0.01 * fabs(b[i]))) fail_msg("%s, step %d: %.9g and %.9g", ini, i, a[i], b[i]);
}

/* A stored number is off by 2^-11 of itself at most, 0.05 %; a squared error near twice that for each of some eight
 * layers, and steps follow from it: within 1 %.. The reference stores alike. */
static void test_training_in_half(void **state)
{
    (void)state;
    const char *const ini[] = {"ini/autoencoder.ini", "ini/smoke.ini"};
    char select[160];
    snprintf(select, sizeof select, "device.select=%s", test_device());
    for (int i = 0; i < 2; i++) {
        double full[STEPS], half[STEPS], reference[STEPS];
        first_losses(ini[i], select, "device.storage=float", full);
        first_losses(ini[i], select, "device.storage=half", half);
        first_losses(ini[i], "device.backend=cpu", "device.storage=half", reference);
        assert_near(ini[i], half, full);
        assert_near(ini[i], half, reference);
        assert_memory_not_equal(half, full, sizeof half);
        assert_true(half[STEPS - 1] < half[0]);
    }
}

/* Beyond 65504 there is infinity, and no run goes on with it unsaid. */
static void test_overflow_is_said(void **state)
{
    (void)state;
    clv_config *config =
        load("ini/smoke.ini", (const char *const[]){"device.backend=cpu", "device.storage=half", NULL});
    clv_session *s = open_training(config);
    const size_t elements = clv_model_params(s->model)->elements;
    float *values = calloc(elements, sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < elements; i++) values[i] = 1000;
    assert_ok(clv_session_write(s, CLV_SPACE_PARAM, values, err));
    clv_pass pass = {.count = (uint32_t)s->phase[0].plan->batch, .seed = 7};
    assert_refused(clv_pass_run(s, &s->phase[0], &pass, err), CLV_ERR_DIVERGED, "device.storage = float");
    free(values);
    clv_session_close(s);
    clv_config_destroy(config);
}

/* ---- what the OpenCL backend is told ---- */

static clv_call linear_call(bool half)
{
    const clv_space arena = half ? CLV_SPACE_HALF : CLV_SPACE_ARENA;
    return (clv_call){.op = CLV_OP_CONV,
                      .name = "linear",
                      .attr = {.kernel = 1, .stride = 1},
                      .inputs = 2,
                      .lanes = 64,
                      .in = {{.space = arena, .shape = {3, {37, 1, 1, 1}, true}},
                             {.space = CLV_SPACE_PARAM, .shape = {2, {13, 37, 1, 1}, false}}},
                      .out = {.space = arena, .shape = {3, {13, 1, 1, 1}, true}}};
}

/* CLBlast multiplies floats, and what the tuner found for floats is not for halves. */
static void test_calls_in_half(void **state)
{
    (void)state;
    const clv_call full = linear_call(false), half = linear_call(true);
    const clv_device_options options = {.backend = "opencl", .select = test_device(), .gemm = CLV_GEMM_CLBLAST};
    clv_backend *be = NULL;
    clv_cl_gemm gemm;
    clv_hash a, b;
    clv_launch_list list;
    if (!have_opencl()) skip();
    assert_true(clv_cl_gemm_of(&full, &gemm));
    assert_false(clv_cl_gemm_of(&half, &gemm));
    assert_ok(clv_backend_create(&options, &be, err));
    assert_ok(clv_cl_call_key((clv_opencl *)be, &full, &a, err));
    assert_ok(clv_cl_call_key((clv_opencl *)be, &half, &b, err));
    assert_memory_not_equal(&a, &b, sizeof a);
    assert_ok(clv_launches_of(&be->info, &half, NULL, &list, err));
    assert_non_null(strstr(list.launch[0].defines, "HALF="));
    assert_ok(clv_launches_of(&be->info, &full, NULL, &list, err));
    assert_null(strstr(list.launch[0].defines, "HALF="));
    clv_backend_destroy(be);
}

static uint64_t activation_bytes(const char *storage, const char *batch, const char *plan_key)
{
    char select[160];
    snprintf(select, sizeof select, "device.select=%s", test_device());
    clv_config *config = load("ini/autoencoder.ini", (const char *const[]){select, storage, batch, plan_key, NULL});
    clv_session *s = open_training(config);
    const clv_plan *plan = s->phase[0].plan;
    uint64_t bytes = 0;
    for (int space = CLV_SPACE_ARENA; space <= CLV_SPACE_BATCH; space++)
        if (plan->elements[space]) {
            bytes += s->bindings.space[space]->bytes;
            assert_int_equal(s->bindings.space[space]->bytes,
                             clv_space_bytes(s->be, (clv_space)space, plan->elements[space]));
        }
    clv_session_close(s);
    clv_config_destroy(config);
    return bytes;
}

/* Memory is linear in the batch, of halves as of floats, and half of it where it is activations; in blocks it is that
 * at most, as blocks take the memory of those before. */
static void test_memory(void **state)
{
    (void)state;
    static const char whole[] = "plan.fuse_chains=false", blocks[] = "plan.fuse_chains=true";
    const uint64_t full = activation_bytes("device.storage=float", "train.batch=128", whole),
                   half = activation_bytes("device.storage=half", "train.batch=128", whole),
                   twice = activation_bytes("device.storage=half", "train.batch=256", whole),
                   once = activation_bytes("device.storage=half", "train.batch=128", blocks),
                   again = activation_bytes("device.storage=half", "train.batch=256", blocks);
    assert_true(half > full / 2 && (double)half < 0.52 * (double)full);
    assert_true(fabs((double)twice - 2 * (double)half) < 0.001 * (double)twice);
    assert_true(again >= once && (double)again < 2.001 * (double)once);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan_in_half),
        cmocka_unit_test(test_noisy_batch_in_half),
        cmocka_unit_test(test_scale),
        cmocka_unit_test(test_scale_is_exact),
        cmocka_unit_test(test_gradients_survive),
        cmocka_unit_test(test_training_in_half),
        cmocka_unit_test(test_overflow_is_said),
        cmocka_unit_test(test_calls_in_half),
        cmocka_unit_test(test_memory),
    };
    take_filter();
    return cmocka_run_group_tests_name("half", tests, NULL, NULL);
}
