/* The OpenCL backend itself: device choice, every op's launches for either kind of device and each vector width, matrix products by
 * CLBlast, verdicts and notices of the self-test, the cache of binaries, and clean failure of each OpenCL call. The results
 * are compared with the double-precision reference. */
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "backend/opencl/opencl.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/philox.h"

enum { BATCH = 50, LANES = 64, IMAGES = 70, ALIGNMENT = 64, ROWS = 3, SLOTS = 2 };

static uint64_t test_seed;

/* ---- one call on one backend ---- */

typedef struct one_call {
    const char *name;
    clv_call call;
    bool labels; /* the last input holds classes */
} one_call;

static clv_shape batched(int c, int y, int x) { return (clv_shape){.rank = 3, .dim = {c, y, x, 1}, .batched = true}; }
static clv_shape param(int a, int b, int c, int d)
{
    const int rank = d ? 4 : c ? 3 : b ? 2 : 1;
    return (clv_shape){.rank = rank, .dim = {a, b ? b : 1, c ? c : 1, d ? d : 1}};
}

static size_t place(clv_operand *operand, size_t offset)
{
    *operand = (clv_operand){.space = CLV_SPACE_ARENA, .offset = offset, .shape = operand->shape};
    const size_t elements = clv_operand_elements(operand, LANES);
    return offset + (elements + 2 * ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; /* a gap behind each: canaries */
}

static bool has_result(clv_op op) { return op != CLV_OP_RECORD && op != CLV_OP_ADAM && op != CLV_OP_SGD; }

static clv_plan plan_of(one_call *one)
{
    clv_call *call = &one->call;
    clv_plan plan = {.batch = BATCH, .lanes = LANES, .calls = 1, .call = call, .slots = SLOTS};
    size_t end = 0;
    call->lanes = LANES;
    call->slots = SLOTS;
    snprintf(call->name, sizeof call->name, "%s", one->name);
    for (int i = 0; i < call->inputs; i++) end = place(&call->in[i], end);
    if (has_result(call->op)) end = place(&call->out, end);
    plan.elements[CLV_SPACE_ARENA] = end;
    for (int s = CLV_SPACE_PARAM; s <= CLV_SPACE_MOMENT2; s++) plan.elements[s] = call->trained ? call->trained + 5 : 0;
    plan.elements[CLV_SPACE_TRACE] = ROWS * SLOTS;
    return plan;
}

typedef struct memory {
    float *space[CLV_SPACE_COUNT];
} memory;

static void release(memory *m)
{
    for (int s = 0; s < CLV_SPACE_COUNT; s++) free(m->space[s]);
}

static memory random_memory(const clv_plan *plan, const one_call *one)
{
    memory m = {{NULL}};
    clv_random random = clv_random_start(test_seed, CLV_STREAM_SELFTEST);
    for (int s = 0; s < CLV_SPACE_COUNT; s++) {
        m.space[s] = calloc(plan->elements[s] + 1, sizeof(float));
        assert_non_null(m.space[s]);
        for (size_t i = 0; i < plan->elements[s]; i++) {
            const float u = clv_random_uniform(&random);
            m.space[s][i] = s == CLV_SPACE_MOMENT2 ? u : 4 * u - 2;
        }
    }
    const clv_operand *last = &one->call.in[one->call.inputs > 0 ? one->call.inputs - 1 : 0];
    if (one->labels)
        for (int n = 0; n < LANES; n++) m.space[CLV_SPACE_ARENA][last->offset + (size_t)n] = (float)clv_random_below(&random, 10);
    return m;
}

static clv_buffer *upload(clv_backend *be, const void *from, size_t bytes)
{
    clv_buffer *buffer = NULL;
    assert_ok(clv_buffer_create(be, bytes, &buffer, err));
    assert_ok(clv_buffer_write(be, buffer, 0, from, bytes, err));
    return buffer;
}

static void bind_dataset(clv_backend *be, const one_call *one, clv_device_dataset *data)
{
    const size_t pixels = one->call.op == CLV_OP_GATHER ? (size_t)clv_shape_elements(&one->call.out.shape) : 1;
    uint8_t *image = malloc(IMAGES * pixels), label[IMAGES];
    uint32_t order[IMAGES];
    assert_non_null(image);
    clv_random random = clv_random_start(test_seed, CLV_STREAM_PICTURE);
    for (size_t i = 0; i < IMAGES * pixels; i++) image[i] = (uint8_t)clv_random_below(&random, 256);
    for (uint32_t i = 0; i < IMAGES; i++) label[i] = (uint8_t)(i % 10), order[i] = i;
    clv_shuffle(order, IMAGES, test_seed, 1);
    *data = (clv_device_dataset){upload(be, image, IMAGES * pixels), upload(be, label, sizeof label), upload(be, order, sizeof order)};
    free(image);
}

static clv_step a_step(void)
{
    return (clv_step){.seed = {(uint32_t)test_seed, 9}, .step = 5, .offset = 7, .count = BATCH - 3, .row = 1, .lr = 0.01f, .correction1 = 1.5f, .correction2 = 2.5f};
}

typedef struct rig {
    clv_backend *be;
    clv_bindings bindings;
} rig;

static rig bind(clv_backend *be, const clv_plan *plan, const one_call *one, const memory *m)
{
    rig r = {.be = be};
    for (int s = CLV_SPACE_PARAM; s < CLV_SPACE_COUNT; s++) {
        if (!plan->elements[s]) continue;
        assert_ok(clv_buffer_create(be, plan->elements[s] * be->element_size, &r.bindings.space[s], err));
        assert_ok(clv_buffer_write_floats(be, r.bindings.space[s], 0, m->space[s], plan->elements[s], err));
    }
    bind_dataset(be, one, &r.bindings.dataset[0]);
    return r;
}

static void unbind(rig *r)
{
    for (int s = 0; s < CLV_SPACE_COUNT; s++) clv_buffer_destroy(r->be, r->bindings.space[s]);
    clv_buffer_destroy(r->be, r->bindings.dataset[0].images);
    clv_buffer_destroy(r->be, r->bindings.dataset[0].labels);
    clv_buffer_destroy(r->be, r->bindings.dataset[0].order);
}

/* Runs the call on `m`, in place. */
static void run_call(clv_backend *be, one_call *one, memory *m)
{
    const clv_plan plan = plan_of(one);
    const clv_step step = a_step();
    rig r = bind(be, &plan, one, m);
    clv_program *program = NULL;
    assert_ok(clv_program_create(be, &plan, &r.bindings, &program, err));
    assert_ok(clv_program_run(be, program, &step, err));
    assert_ok(clv_backend_finish(be, err));
    for (int s = CLV_SPACE_PARAM; s < CLV_SPACE_COUNT; s++)
        if (plan.elements[s]) assert_ok(clv_buffer_read_floats(be, r.bindings.space[s], 0, m->space[s], plan.elements[s], err));
    clv_program_destroy(be, program);
    unbind(&r);
}

/* All that may round: sums of up to a few thousand terms of size 4, and OpenCL's elementary functions. */
static bool near(float a, float b, double scale) { return fabs((double)a - (double)b) <= 2e-6 * scale + 1e-5 * fabs((double)b); }

static void compare(clv_backend *be, one_call one)
{
    clv_backend *reference = NULL;
    assert_ok(clv_cpu_backend_create(true, &reference, err));
    const clv_plan plan = plan_of(&one);
    memory expected = random_memory(&plan, &one), got = random_memory(&plan, &one);
    run_call(reference, &one, &expected);
    run_call(be, &one, &got);
    const size_t terms = clv_operand_elements(&one.call.in[0], LANES) / 16 + 8;
    for (int s = CLV_SPACE_PARAM; s < CLV_SPACE_COUNT; s++)
        for (size_t i = 0; i < plan.elements[s]; i++)
            if (!near(got.space[s][i], expected.space[s][i], one.call.inputs ? sqrt((double)terms) * 4 : 1))
                fail_msg("%s, kind %d, width %d, seed %llu: space %d, element %zu (the result starts at %zu) is %.9g instead of %.9g", one.name,
                         (int)be->info.kind, be->info.vector_width, (unsigned long long)test_seed, s, i, one.call.out.offset, (double)got.space[s][i],
                         (double)expected.space[s][i]);
    release(&expected);
    release(&got);
    clv_backend_destroy(reference);
}

/* ---- the cases ---- */

#define OP(op_name) .op = CLV_OP_##op_name
#define IN1(a) .inputs = 1, .in = {{.shape = a}}
#define IN2(a, b) .inputs = 2, .in = {{.shape = a}, {.shape = b}}
#define IN3(a, b, c) .inputs = 3, .in = {{.shape = a}, {.shape = b}, {.shape = c}}
#define IN4(a, b, c, d) .inputs = 4, .in = {{.shape = a}, {.shape = b}, {.shape = c}, {.shape = d}}
#define OUT(a) .out = {.shape = a}

static void every_op(clv_backend *be)
{
    const clv_shape image = batched(3, 7, 5), large = batched(2, 28, 28), one = batched(1, 1, 1), code = batched(6, 1, 1), logits = batched(10, 1, 1);
    const one_call cases[] = {
        {"gather", {OP(GATHER), OUT(image)}, false},
        {"gather large", {OP(GATHER), OUT(large)}, false},
        {"label", {OP(LABEL), OUT(one)}, false},
        {"bias", {OP(BIAS), IN2(image, param(3, 0, 0, 0)), OUT(image)}, false},
        {"bias_grad", {OP(BIAS_GRAD), IN1(code), OUT(param(6, 0, 0, 0))}, false},
        {"bias_grad split", {OP(BIAS_GRAD), IN1(large), OUT(param(2, 0, 0, 0))}, false},
        {"relu", {OP(ACT), .attr = {.act = CLV_ACT_RELU}, IN1(large), OUT(large)}, false},
        {"leaky_relu", {OP(ACT), .attr = {.act = CLV_ACT_LEAKY_RELU, .slope = 0.2f}, IN1(image), OUT(image)}, false},
        {"sigmoid", {OP(ACT), .attr = {.act = CLV_ACT_SIGMOID}, IN1(image), OUT(image)}, false},
        {"tanh", {OP(ACT), .attr = {.act = CLV_ACT_TANH}, IN1(image), OUT(image)}, false},
        {"d relu", {OP(ACT_GRAD), .attr = {.act = CLV_ACT_RELU}, IN2(image, image), OUT(image)}, false},
        {"d leaky_relu", {OP(ACT_GRAD), .attr = {.act = CLV_ACT_LEAKY_RELU, .slope = 0.2f}, IN2(image, image), OUT(image)}, false},
        {"d sigmoid", {OP(ACT_GRAD), .attr = {.act = CLV_ACT_SIGMOID}, IN2(image, image), OUT(image)}, false},
        {"d tanh", {OP(ACT_GRAD), .attr = {.act = CLV_ACT_TANH}, IN2(image, image), OUT(image)}, false},
        {"dropout", {OP(DROPOUT), .attr = {.rate = 0.3f, .stream = 4097}, IN1(image), OUT(image)}, false},
        {"add", {OP(ADD), IN2(image, image), OUT(image)}, false},
        {"mul", {OP(MUL), IN2(image, image), OUT(image)}, false},
        {"scale", {OP(SCALE), .attr = {.alpha = -1.75f}, IN1(image), OUT(image)}, false},
        {"sum", {OP(SUM), IN1(image), OUT(one)}, false},
        {"sum split", {OP(SUM), IN1(large), OUT(one)}, false},
        {"broadcast", {OP(BROADCAST), IN1(one), OUT(image)}, false},
        {"sample", {OP(SAMPLE), .attr = {.stream = 4098}, IN2(code, code), OUT(code)}, false},
        {"sample_grad", {OP(SAMPLE_GRAD), .attr = {.stream = 4098}, IN2(code, code), OUT(code)}, false},
        {"kl", {OP(KL), IN2(code, code), OUT(one)}, false},
        {"kl_grad_logvar", {OP(KL_GRAD_LOGVAR), IN2(one, code), OUT(code)}, false},
        {"mul_image", {OP(MUL_IMAGE), IN2(one, image), OUT(image)}, false},
        {"mse", {OP(MSE), IN2(image, image), OUT(one)}, false},
        {"mse split", {OP(MSE), IN2(large, large), OUT(one)}, false},
        {"mse_grad", {OP(MSE_GRAD), IN3(one, image, image), OUT(image)}, false},
        {"bce", {OP(BCE), IN2(image, image), OUT(one)}, false},
        {"bce_grad", {OP(BCE_GRAD), IN3(one, image, image), OUT(image)}, false},
        {"xent", {OP(XENT), IN2(logits, one), OUT(one)}, true},
        {"xent_grad", {OP(XENT_GRAD), IN3(one, logits, one), OUT(logits)}, true},
        {"mean", {OP(MEAN), IN1(one), OUT(param(1, 0, 0, 0))}, false},
        {"mean_grad", {OP(MEAN_GRAD), .attr = {.alpha = 0.7f}, OUT(one)}, false},
        {"record", {OP(RECORD), .attr = {.slot = 1}, IN1(one)}, false},
        {"adam", {OP(ADAM), .attr = {.beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f, .l2 = 0.1f, .weight_decay = 0.3f}, .trained = 1024}, false},
        {"adam odd", {OP(ADAM), .attr = {.beta1 = 0.9f, .beta2 = 0.99f, .eps = 1e-8f}, .trained = 1003}, false},
        {"sgd", {OP(SGD), .attr = {.momentum = 0.9f, .l2 = 0.1f, .weight_decay = 0.3f}, .trained = 1003}, false},
        {"conv", {OP(CONV), .attr = {.kernel = 3, .stride = 2, .pad = 1}, IN2(image, param(4, 3, 3, 3)), OUT(batched(4, 4, 3))}, false},
        {"deconv", {OP(DECONV), .attr = {.kernel = 3, .stride = 2, .pad = 1}, IN2(batched(4, 4, 3), param(4, 3, 3, 3)), OUT(image)}, false},
        {"conv_weight", {OP(CONV_WEIGHT), .attr = {.kernel = 3, .stride = 2, .pad = 1}, IN2(image, batched(4, 4, 3)), OUT(param(4, 3, 3, 3))}, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) compare(be, cases[i]);
}

/* ---- backends ---- */

static clv_backend *open_with(clv_gemm_choice gemm, bool selftest)
{
    const clv_device_options options = {.backend = "opencl", .select = test_device(), .gemm = gemm, .selftest = selftest};
    clv_backend *be = NULL;
    assert_ok(clv_opencl_backend_create(&options, &be, err));
    return be;
}

static void test_ops(void **state)
{
    (void)state;
    clv_backend *be = open_with(CLV_GEMM_OWN, false);
    every_op(be);
    clv_backend_destroy(be);
}

/* The launches of other devices, run on this one. */
static void test_ops_as_on(clv_device_kind kind, int vector_width)
{
    clv_backend *be = open_with(CLV_GEMM_OWN, false);
    be->info.kind = kind;
    be->info.vector_width = vector_width;
    every_op(be);
    clv_backend_destroy(be);
}
static void test_ops_gpu_1(void **state) { (void)state, test_ops_as_on(CLV_DEVICE_GPU, 1); }
static void test_ops_gpu_4(void **state) { (void)state, test_ops_as_on(CLV_DEVICE_GPU, 4); }
static void test_ops_cpu_16(void **state) { (void)state, test_ops_as_on(CLV_DEVICE_CPU, 16); }
