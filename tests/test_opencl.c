/* The OpenCL backend itself: device choice, every op's launches for either kind of device and each vector width, matrix
 * products by CLBlast, verdicts and notices of the self-test, the cache of binaries, and clean failure of each OpenCL
 * call. The results are compared with the double-precision reference. */
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "backend/opencl/opencl.h"
#include "backend/selftest.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/philox.h"
#include "op_cases.h"

enum {
    BATCH = 50,
    LANES = 64,
    IMAGES = 70,
    ALIGNMENT = 256 /* elements; enough for every driver */,
    ROWS = 3,
    SLOTS = 2
};

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

static bool has_result(clv_op op) { return op != CLV_OP_RECORD && clv_op_table[op].family != CLV_FAMILY_OPTIM; }

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
    memory m = {.space = {NULL}};
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
        for (int n = 0; n < LANES; n++)
            m.space[CLV_SPACE_ARENA][last->offset + (size_t)n] = (float)clv_random_below(&random, 10);
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
    *data = (clv_device_dataset){upload(be, image, IMAGES * pixels), upload(be, label, sizeof label),
                                 upload(be, order, sizeof order)};
    free(image);
}

static clv_step a_step(void)
{
    return (clv_step){.seed = {(uint32_t)test_seed, 9},
                      .step = 5,
                      .offset = 7,
                      .count = BATCH - 3,
                      .row = 1,
                      .lr = 0.01f,
                      .correction1 = 1.5f,
                      .correction2 = 2.5f,
                      .ramp = 0.625f,
                      .noise = 0.25f};
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
        if (plan.elements[s])
            assert_ok(clv_buffer_read_floats(be, r.bindings.space[s], 0, m->space[s], plan.elements[s], err));
    clv_program_destroy(be, program);
    unbind(&r);
}

/* All that may round: sums of up to a few thousand terms of size 4, and OpenCL's elementary functions. */
static bool near(float a, float b, double scale)
{
    return fabs((double)a - (double)b) <= 2e-6 * scale + 1e-5 * fabs((double)b);
}

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
                fail_msg("%s, kind %d, width %d, seed %llu: space %d, element %zu (the result starts at %zu) is %.9g "
                         "instead of %.9g",
                         one.name, (int)be->info.kind, be->info.vector_width, (unsigned long long)test_seed, s, i,
                         one.call.out.offset, (double)got.space[s][i], (double)expected.space[s][i]);
    release(&expected);
    release(&got);
    clv_backend_destroy(reference);
}

/* ---- the cases ---- */

#define OP(op_name)     .op = CLV_OP_##op_name
#define IN1(a)          .inputs = 1, .in = {{.shape = a}}
#define IN2(a, b)       .inputs = 2, .in = {{.shape = a}, {.shape = b}}
#define IN3(a, b, c)    .inputs = 3, .in = {{.shape = a}, {.shape = b}, {.shape = c}}
#define IN4(a, b, c, d) .inputs = 4, .in = {{.shape = a}, {.shape = b}, {.shape = c}, {.shape = d}}
#define OUT(a)          .out = {.shape = a}

static void every_op(clv_backend *be)
{
    const clv_shape image = batched(3, 7, 5), large = batched(2, 28, 28), one = batched(1, 1, 1),
                    code = batched(6, 1, 1), logits = batched(10, 1, 1);
    const one_call cases[] = {
        {"gather", {OP(GATHER), OUT(image)}, false},
        {"gather large", {OP(GATHER), OUT(large)}, false},
        {"gather noisy", {OP(GATHER), .attr = {.noisy = true, .stream = 4099}, IN1(image), OUT(image)}, false},
        {"gather noisy large", {OP(GATHER), .attr = {.noisy = true, .stream = 4099}, IN1(large), OUT(large)}, false},
        {"label", {OP(LABEL), OUT(one)}, false},
        {"bias", {OP(BIAS), IN2(image, param(3, 0, 0, 0)), OUT(image)}, false},
        {"bias_grad", {OP(BIAS_GRAD), IN1(code), OUT(param(6, 0, 0, 0))}, false},
        {"bias_grad split", {OP(BIAS_GRAD), IN1(large), OUT(param(2, 0, 0, 0))}, false},
        {"relu", {OP(ACT), .attr = {.act = CLV_ACT_RELU}, IN1(large), OUT(large)}, false},
        {"leaky_relu", {OP(ACT), .attr = {.act = CLV_ACT_LEAKY_RELU, .slope = 0.2f}, IN1(image), OUT(image)}, false},
        {"sigmoid", {OP(ACT), .attr = {.act = CLV_ACT_SIGMOID}, IN1(image), OUT(image)}, false},
        {"tanh", {OP(ACT), .attr = {.act = CLV_ACT_TANH}, IN1(image), OUT(image)}, false},
        {"d relu", {OP(ACT_GRAD), .attr = {.act = CLV_ACT_RELU}, IN2(image, image), OUT(image)}, false},
        {"d leaky_relu",
         {OP(ACT_GRAD), .attr = {.act = CLV_ACT_LEAKY_RELU, .slope = 0.2f}, IN2(image, image), OUT(image)},
         false},
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
        {"adam",
         {OP(ADAM), .attr = {.beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f, .l2 = 0.1f, .weight_decay = 0.3f},
          .trained = 1024},
         false},
        {"adam odd", {OP(ADAM), .attr = {.beta1 = 0.9f, .beta2 = 0.99f, .eps = 1e-8f}, .trained = 1003}, false},
        {"sgd", {OP(SGD), .attr = {.momentum = 0.9f, .l2 = 0.1f, .weight_decay = 0.3f}, .trained = 1003}, false},
        {"conv",
         {OP(CONV), .attr = {.kernel = 3, .stride = 2, .pad = 1}, IN2(image, param(4, 3, 3, 3)), OUT(batched(4, 4, 3))},
         false},
        {"deconv",
         {OP(DECONV), .attr = {.kernel = 3, .stride = 2, .pad = 1}, IN2(batched(4, 4, 3), param(4, 3, 3, 3)),
          OUT(image)},
         false},
        {"conv_weight",
         {OP(CONV_WEIGHT), .attr = {.kernel = 3, .stride = 2, .pad = 1}, IN2(image, batched(4, 4, 3)),
          OUT(param(4, 3, 3, 3))},
         false},
    };
    clv_call calls[sizeof cases / sizeof *cases];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        calls[i] = cases[i].call;
        calls[i].lanes = LANES;
    }
    assert_ok(op_calls_build(be, calls, sizeof cases / sizeof *cases, err));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) compare(be, cases[i]);
}

/* ---- backends ---- */

/* Has vectors of one float: no packed kernel will ever run there, and one in vectors of 16 takes llvmpipe minutes. */
static bool is_scalar(const clv_backend *be) { return be->info.vector_width == 1; }

/* The launches of other devices, run on this one: a kind and width drawn by the seed, or all where CLAVE_TEST_ALL is
 * set, as each costs a compilation of all kernels. Of kinds of GPU alone on a scalar device. */
static void test_ops_as_others(void **state)
{
    (void)state;
    static const struct {
        clv_device_kind kind;
        int vector_width, simd_width;
    } others[] = {{CLV_DEVICE_GPU, 1, 32}, /* GPUS of them */
                  {CLV_DEVICE_GPU, 4, 0},
                  {CLV_DEVICE_CPU, 16, 0},
                  {CLV_DEVICE_CPU, 8, 0},
                  {CLV_DEVICE_CPU, 4, 0}};
    enum { GPUS = 2 };
    clv_backend *probe = open_opencl(CLV_GEMM_OWN, false);
    const int count = is_scalar(probe) ? GPUS : sizeof others / sizeof *others;
    clv_backend_destroy(probe);
    for (int i = 0; i < count; i++) {
        if (i != (int)(test_seed % (uint64_t)count) && !getenv("CLAVE_TEST_ALL")) continue;
        clv_backend *be = open_opencl(CLV_GEMM_OWN, false);
        be->info.kind = others[i].kind;
        be->info.vector_width = others[i].vector_width;
        be->info.simd_width = others[i].simd_width;
        every_op(be);
        clv_backend_destroy(be);
    }
}

/* A product with a head: its result's target, and the loss of each image, follow its inputs. */
static clv_call with_head(const clv_call *product, clv_op head, clv_act act)
{
    clv_call call = *product;
    call.attr.head = head;
    call.attr.act = act;
    call.attr.alpha = 0.7f;
    call.in[call.inputs++] = product->out;
    call.in[call.inputs++] = (clv_operand){.space = CLV_SPACE_ARENA, .shape = batched(1, 1, 1)};
    return call;
}

/* The three products of a layer and two with heads, as a GPU gets them: the self-test compares with the reference. */
static void every_product(clv_backend *be, clv_shape big, clv_shape small, clv_attr attr, int batch)
{
    enum { LAYER = 3, ALL = 5 };
    const clv_shape weight = param(small.dim[0], big.dim[0], attr.kernel, attr.kernel);
    clv_call calls[ALL] = {
        {OP(CONV), .name = "conv", IN2(big, weight), OUT(small)},
        {OP(DECONV), .name = "deconv", IN2(small, weight), OUT(big)},
        {OP(CONV_WEIGHT), .name = "conv_weight", IN2(big, small), OUT(weight)},
    };
    for (int i = 0; i < LAYER; i++) {
        calls[i].attr = attr;
        calls[i].lanes = (batch + 31) / 32 * 32;
        for (int j = 0; j < 2; j++)
            calls[i].in[j].space = calls[i].in[j].shape.batched ? CLV_SPACE_ARENA : CLV_SPACE_PARAM;
        calls[i].out.space = calls[i].out.shape.batched ? CLV_SPACE_ARENA : CLV_SPACE_GRAD;
    }
    calls[LAYER] = with_head(&calls[0], CLV_OP_MSE_HEAD, CLV_ACT_SIGMOID);
    calls[LAYER + 1] = with_head(&calls[1], CLV_OP_BCE_HEAD, CLV_ACT_NONE);
    assert_ok(op_calls_build(be, calls, ALL, err));
    for (int i = 0; i < ALL; i++) assert_ok(clv_selftest_call(be, &calls[i], batch, err));
}

/* Panels of weights, tiles that channels do not fill, taps as columns, products of taps and parts of long sums, in
 * vectors of four, two and one. */
static void test_products_of_gpus(void **state)
{
    (void)state;
    const clv_attr k4 = {.kernel = 4, .stride = 2, .pad = 1}, k3 = {.kernel = 3, .stride = 1},
                   k1 = {.kernel = 1, .stride = 1};
    for (int simd = 0; simd <= 32; simd += 32) {
        clv_backend *be = open_opencl(CLV_GEMM_OWN, false);
        be->info.kind = CLV_DEVICE_GPU;
        be->info.vector_width = 1;
        be->info.simd_width = simd;
        every_product(be, batched(18, 6, 8), batched(27, 3, 4), k4, 127);
        every_product(be, batched(1, 6, 7), batched(9, 4, 5), k3, 128);
        every_product(be, batched(2, 10, 10), batched(5, 5, 5), k4, 64);
        every_product(be, batched(700, 1, 1), batched(3, 1, 1), k1, 13);
        clv_backend_destroy(be);
    }
}

/* ---- matrix products ---- */

static const clv_attr no_fusion = {.kernel = 1, .stride = 1};

static one_call linear_case(clv_op op, clv_attr attr)
{
    const clv_shape in = batched(37, 1, 1), out = batched(13, 1, 1), weight = param(13, 37, 0, 0);
    one_call one = {.name = clv_op_table[op].name, .call = {.op = op, .attr = attr, .inputs = 2}};
    clv_call *call = &one.call;
    const clv_shape *result = op == CLV_OP_CONV ? &out : op == CLV_OP_DECONV ? &in : &weight;
    call->in[0].shape = op == CLV_OP_DECONV ? out : in;
    call->in[1].shape = op == CLV_OP_CONV_WEIGHT ? out : weight;
    call->out.shape = *result;
    if (attr.has_bias) call->in[call->inputs++].shape = param(result->dim[0], 0, 0, 0);
    if (attr.grad_act != CLV_ACT_NONE) call->in[call->inputs++].shape = *result;
    return one;
}

/* With and without everything that may be fused behind the product. */
static void every_gemm(clv_backend *be)
{
    clv_attr bias = no_fusion, all = no_fusion, drop = no_fusion, drop_all;
    bias.has_bias = true;
    bias.act = CLV_ACT_TANH;
    all.has_bias = true;
    all.act = CLV_ACT_LEAKY_RELU;
    all.slope = 0.3f;
    all.grad_act = CLV_ACT_SIGMOID;
    drop.rate = 0.4f;
    drop.stream = 4097;
    drop_all = all;
    drop_all.rate = 0.7f;
    drop_all.stream = 4098;
    compare(be, linear_case(CLV_OP_CONV, no_fusion));
    compare(be, linear_case(CLV_OP_CONV, bias));
    compare(be, linear_case(CLV_OP_DECONV, all));
    compare(be, linear_case(CLV_OP_DECONV, no_fusion));
    compare(be, linear_case(CLV_OP_CONV, drop));
    compare(be, linear_case(CLV_OP_DECONV, drop_all));
    compare(be, linear_case(CLV_OP_CONV_WEIGHT, no_fusion));
}

static void test_gemm(void **state)
{
    (void)state;
    for (clv_gemm_choice gemm = CLV_GEMM_OWN; gemm <= CLV_GEMM_CLBLAST; gemm++) {
        clv_backend *be = open_opencl(gemm, false);
        every_gemm(be);
        clv_backend_destroy(be);
    }
}

/* ---- dropout behind products ---- */

/* A linear layer with a dropout behind it, in the words of a plan. */
static clv_call dropping_call(clv_op op, int in, int out, int lanes)
{
    const clv_shape weight = op == CLV_OP_CONV ? param(out, in, 0, 0) : param(in, out, 0, 0);
    clv_call call = {.op = op, IN3(batched(in, 1, 1), weight, param(out, 0, 0, 0)), OUT(batched(out, 1, 1))};
    snprintf(call.name, sizeof call.name, "dropping");
    call.attr =
        (clv_attr){.kernel = 1, .stride = 1, .has_bias = true, .act = CLV_ACT_RELU, .rate = 0.3f, .stream = 4097};
    call.lanes = lanes;
    for (int i = 0; i < call.inputs; i++) call.in[i].space = i == 0 ? CLV_SPACE_ARENA : CLV_SPACE_PARAM;
    call.out.space = CLV_SPACE_ARENA;
    return call;
}

/* By a tiling that the call would not get by default, against the reference. */
static void drop_in_tiles(clv_opencl *be, const clv_call *call, const char *text)
{
    clv_cl_line line = {.word = CLV_CL_TRY};
    assert_true(clv_tiling_parse(text, &line.tiling));
    if (!clv_tiling_check(&be->head.info, call, &line.tiling)) fail_msg("'%s' does not suit its call", text);
    assert_ok(clv_cl_call_key(be, call, &line.call, err));
    be->candidate = &line;
    clv_error error = {0};
    if (clv_selftest_call(&be->head, call, call->lanes, &error) != CLV_OK) fail_msg("%s: %s", text, error.message);
    be->candidate = NULL;
}

/* Tiles that begin and end anywhere among the four channels of a call of Philox, overlap, or are summed in parts. */
static void test_dropout_in_any_tile(void **state)
{
    (void)state;
    static const char *const packed[] = {
        "form=packed vector=16 tall=5 low=3 vectors=2 across=1 block=11 channels=4 parts=1 pack=1",
        "form=packed vector=4 tall=7 low=2 vectors=1 across=4 block=22 channels=10 parts=1",
        "form=packed vector=16 tall=1 low=1 vectors=1 across=1 block=22 channels=10 parts=1 panel=1",
        "form=packed vector=16 tall=6 low=6 vectors=2 across=1 block=22 channels=2 parts=5",
    };
    static const char *const direct[] = {
        "form=direct vector=1 rows=3 parts=1 group=32",
        "form=direct vector=4 rows=5 parts=1 group=8 panel=1",
        "form=direct vector=2 rows=8 parts=1 group=16",
        "form=direct vector=4 rows=6 parts=2 group=8",
    };
    const clv_call forward = dropping_call(CLV_OP_CONV, 10, 22, 32);
    clv_opencl *be = (clv_opencl *)open_opencl(CLV_GEMM_OWN, false);
    const size_t tiles = is_scalar(&be->head) ? 0 : sizeof packed / sizeof *packed;
    be->head.info.kind = CLV_DEVICE_CPU;
    be->head.info.vector_width = 16;
    for (size_t i = 0; i < tiles; i++) drop_in_tiles(be, &forward, packed[i]);
    be->head.info.kind = CLV_DEVICE_GPU;
    be->head.info.vector_width = 1;
    for (size_t i = 0; i < sizeof direct / sizeof *direct; i++) drop_in_tiles(be, &forward, direct[i]);
    clv_backend_destroy(&be->head);
}

/* What a product's dropout lets through is what the dropout behind it would, by the reference and on the device. */
static void expect_same_masks(clv_backend *be)
{
    clv_attr attr = no_fusion;
    attr.rate = 0.4f;
    attr.stream = 4099;
    one_call plain = linear_case(CLV_OP_CONV, no_fusion), fused = linear_case(CLV_OP_CONV, attr);
    const clv_shape result = plain.call.out.shape;
    one_call drop = {"dropout", {OP(DROPOUT), .attr = attr, IN1(result), OUT(result)}, false};
    const clv_plan plan = plan_of(&plain), same = plan_of(&fused), behind = plan_of(&drop);
    memory a = random_memory(&plan, &plain), b = random_memory(&same, &fused), c = random_memory(&behind, &drop);
    run_call(be, &plain, &a);
    run_call(be, &fused, &b);
    float *in = c.space[CLV_SPACE_ARENA] + drop.call.in[0].offset,
          *out = c.space[CLV_SPACE_ARENA] + drop.call.out.offset;
    const float *product = a.space[CLV_SPACE_ARENA] + plain.call.out.offset,
                *got = b.space[CLV_SPACE_ARENA] + fused.call.out.offset;
    const size_t elements = clv_operand_elements(&plain.call.out, LANES);
    memcpy(in, product, elements * sizeof *in);
    run_call(be, &drop, &c);
    size_t dropped = 0;
    for (size_t i = 0; i < elements; i++) {
        dropped += out[i] == 0;
        assert_true((got[i] == 0) == (out[i] == 0));
        assert_true(fabs((double)got[i] - (double)out[i]) <= 3 * 0x1p-23 * fabs((double)out[i]));
    }
    assert_true(dropped > elements / 4 && dropped < elements / 2);
    release(&a);
    release(&b);
    release(&c);
}

static void test_dropout_is_the_same_behind_products(void **state)
{
    (void)state;
    clv_backend *be = NULL;
    assert_ok(clv_cpu_backend_create(false, &be, err));
    expect_same_masks(be);
    clv_backend_destroy(be);
    for (clv_gemm_choice gemm = CLV_GEMM_OWN; gemm <= CLV_GEMM_CLBLAST; gemm++) {
        be = open_opencl(gemm, false);
        expect_same_masks(be);
        clv_backend_destroy(be);
    }
}

/* Calls that differ in the dropout behind them alone are no kind of call: neither choices nor verdicts are shared.
 * Streams share the choice. */
static void test_dropout_is_in_keys(void **state)
{
    (void)state;
    clv_opencl *be = (clv_opencl *)open_opencl(CLV_GEMM_OWN, false);
    clv_call drops = dropping_call(CLV_OP_CONV, 10, 22, 32), other = drops, plain = drops;
    clv_hash key[3];
    other.attr.stream++;
    plain.attr.rate = 0;
    assert_ok(clv_cl_call_key(be, &drops, &key[0], err));
    assert_ok(clv_cl_call_key(be, &other, &key[1], err));
    assert_ok(clv_cl_call_key(be, &plain, &key[2], err));
    assert_memory_equal(&key[0], &key[1], sizeof *key);
    assert_memory_not_equal(&key[0], &key[2], sizeof *key);
    assert_ok(clv_cl_vouch(be, &drops, err));
    const size_t verdicts = be->verdicts;
    assert_ok(clv_cl_vouch(be, &drops, err));
    assert_int_equal(be->verdicts, verdicts);
    assert_ok(clv_cl_vouch(be, &plain, err));
    assert_int_equal(be->verdicts, verdicts + 1);
    clv_backend_destroy(&be->head);
}

static void test_gemm_choice(void **state)
{
    (void)state;
    one_call conv = {"conv",
                     {OP(CONV), .attr = {.kernel = 3, .stride = 1, .pad = 1}, IN2(batched(1, 4, 4), param(1, 1, 3, 3)),
                      OUT(batched(1, 4, 4))},
                     false};
    one_call linear = linear_case(CLV_OP_CONV, no_fusion);
    conv.call.lanes = linear.call.lanes = 32;
    clv_cl_gemm gemm;
    bool uses;
    assert_false(clv_cl_gemm_of(&conv.call, &gemm));
    assert_true(clv_cl_gemm_of(&linear.call, &gemm));
    clv_backend *be = open_opencl(CLV_GEMM_AUTO, false);
    assert_ok(clv_cl_uses_clblast((clv_opencl *)be, &linear.call, &uses, err));
    assert_int_equal(uses, be->info.kind == CLV_DEVICE_GPU);
    ((clv_opencl *)be)->gemm = CLV_GEMM_CLBLAST;
    assert_ok(clv_cl_uses_clblast((clv_opencl *)be, &linear.call, &uses, err));
    assert_true(uses);
    assert_ok(clv_cl_uses_clblast((clv_opencl *)be, &conv.call, &uses, err));
    assert_false(uses);
    const clv_call headed = with_head(&linear.call, CLV_OP_BCE_HEAD, CLV_ACT_NONE);
    assert_false(clv_cl_gemm_of(&headed, &gemm)); /* clave's own, whatever device.gemm says */
    assert_ok(clv_cl_uses_clblast((clv_opencl *)be, &headed, &uses, err));
    assert_false(uses);
    clv_backend_destroy(be);
}

/* ---- the cache of binaries ---- */

static one_call add_case(void)
{
    return (one_call){"add", {OP(ADD), IN2(batched(3, 5, 5), batched(3, 5, 5)), OUT(batched(3, 5, 5))}, false};
}

/* Compiles and runs a call afresh; the result is checked. Returns whether its program came from source. */
static bool built_from_source(void)
{
    clv_backend *be = open_opencl(CLV_GEMM_OWN, false);
    one_call one = add_case();
    const clv_plan plan = plan_of(&one);
    memory m = random_memory(&plan, &one);
    rig r = bind(be, &plan, &one, &m);
    const clv_step step = a_step();
    clv_program *program = NULL;
    assert_ok(clv_program_create(be, &plan, &r.bindings, &program, err));
    assert_ok(clv_program_run(be, program, &step, err));
    const bool from_source = ((clv_opencl *)be)->programs->unsaved;
    clv_program_destroy(be, program);
    unbind(&r);
    release(&m);
    compare(be, one);
    clv_backend_destroy(be);
    return from_source;
}

/* The one binary in the cache: its path, and its bytes to free. */
static uint8_t *cached_binary(char *path, size_t path_size, size_t *size)
{
    clv_backend *be = open_opencl(CLV_GEMM_OWN, false);
    const one_call one = add_case();
    clv_call call = one.call;
    clv_launch_list list;
    char name[40], print[33];
    uint8_t *bytes = NULL;
    call.lanes = LANES;
    assert_ok(clv_launches_of(&be->info, &call, NULL, &list, err));
    const clv_launch_unit alone = clv_unit_of_one(&list.launch[0]);
    clv_cl_unit unit;
    assert_ok(clv_cl_unit_of((clv_opencl *)be, &alone, &unit, err));
    clv_hash_print(unit.key, print);
    snprintf(name, sizeof name, "%s.bin", print);
    assert_ok(clv_path_join(path, path_size, ((clv_opencl *)be)->cache, name, err));
    assert_ok(clv_file_read(path, 1 << 28, CLV_ERR_INTERNAL, &bytes, size, err));
    clv_backend_destroy(be);
    return bytes;
}

static void test_cache(void **state)
{
    (void)state;
    setenv("CLAVE_BINARIES", "on", 1);
    char path[1024];
    size_t size;
    assert_ok(clv_make_folders(test_path("cold"), err));
    setenv("XDG_CACHE_HOME", test_path("cold"), 1);
    assert_true(built_from_source());
    assert_false(built_from_source());
    uint8_t *bytes = cached_binary(path, sizeof path, &size);
    const size_t places[] = {0, 9, 30, 45, size / 2, size - 1}; /* magic, key, payload's hash, size, payload */
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        bytes[places[i]] ^= 0x10;
        assert_ok(clv_file_write(path, bytes, size, err));
        bytes[places[i]] ^= 0x10;
        assert_true(built_from_source());
        assert_false(built_from_source());
    }
    const size_t lengths[] = {0, 7, 55, 56, size - 1};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        assert_ok(clv_file_write(path, bytes, lengths[i], err));
        assert_true(built_from_source());
        assert_false(built_from_source());
    }
    free(bytes);
}

/* Whole by its header, but no binary of this driver. */
static void test_cache_stale(void **state)
{
    (void)state;
    char path[1024], folder[512];
    size_t size;
    assert_ok(clv_make_folders(test_path("stale"), err));
    setenv("XDG_CACHE_HOME", test_path("stale"), 1);
    assert_true(built_from_source());
    free(cached_binary(path, sizeof path, &size));
    clv_backend *be = open_opencl(CLV_GEMM_OWN, false);
    const bool aborts = !strcmp(be->info.platform, "rusticl"); /* 22.3 panics at a binary it does not know */
    snprintf(folder, sizeof folder, "%s", ((clv_opencl *)be)->cache);
    clv_backend_destroy(be);
    if (aborts) skip();
    unsigned long long a, b;
    assert_int_equal(sscanf(strrchr(path, '/') + 1, "%16llx%16llx", &a, &b), 2);
    static const unsigned char junk[] = "no binary of any driver";
    clv_cl_cache_store(folder, (clv_hash){{a, b}}, junk, sizeof junk);
    assert_true(built_from_source());
    assert_false(built_from_source());
}

/* The environment says whether programs are kept. */
static void test_cache_off(void **state)
{
    (void)state;
    assert_ok(clv_make_folders(test_path("off"), err));
    setenv("XDG_CACHE_HOME", test_path("off"), 1);
    setenv("CLAVE_BINARIES", "off", 1);
    assert_true(built_from_source());
    assert_true(built_from_source());
    const clv_device_options options = {.backend = "opencl", .select = test_device()};
    clv_backend *be = NULL;
    setenv("CLAVE_BINARIES", "none", 1);
    assert_refused(clv_opencl_backend_create(&options, &be, err), CLV_ERR_CONFIG,
                   "CLAVE_BINARIES is 'none': give on, texts or off");
    setenv("CLAVE_BINARIES", "on", 1);
    assert_true(built_from_source());
    assert_false(built_from_source());
}

/* No cache is no failure: the folders' places are taken by a file. */
static void test_cache_unwritable(void **state)
{
    (void)state;
    const char *was = getenv("HOME");
    char home[1024];
    snprintf(home, sizeof home, "%s", was ? was : "/");
    assert_ok(clv_file_write(test_path("file"), "x", 1, err));
    setenv("XDG_CACHE_HOME", test_path("file"), 1);
    setenv("HOME", test_path("file"), 1);
    assert_true(built_from_source());
    assert_true(built_from_source());
    setenv("XDG_CACHE_HOME", test_folder(), 1);
    setenv("HOME", home, 1);
}

/* ---- failing calls ---- */

/* All that a run does, by functions that may fail. */
static clv_status use_everything(const one_call *cases, int count, clv_gemm_choice gemm, clv_error *err)
{
    const clv_device_options options = {.backend = "opencl", .select = test_device(), .gemm = gemm};
    clv_backend *be = NULL;
    clv_program *program = NULL;
    clv_buffer *arena = NULL, *trace = NULL;
    clv_step step = a_step();
    clv_status status = clv_opencl_backend_create(&options, &be, err);
    float value;
    FILE *sink = tmpfile();
    assert_non_null(sink);
    for (int i = 0; i < count && status == CLV_OK; i++) {
        one_call one = cases[i];
        const clv_plan plan = plan_of(&one);
        clv_bindings bindings = {.space = {NULL}};
        status = clv_buffer_create(be, plan.elements[CLV_SPACE_ARENA] * sizeof(float), &arena, err);
        if (status == CLV_OK) status = clv_buffer_create(be, ROWS * SLOTS * sizeof(float), &trace, err);
        bindings.space[CLV_SPACE_ARENA] = arena;
        bindings.space[CLV_SPACE_TRACE] = trace;
        if (status == CLV_OK) status = clv_program_create(be, &plan, &bindings, &program, err);
        for (int s = 0; s < CLV_CL_RING + 1 && status == CLV_OK; s++) status = clv_program_run(be, program, &step, err);
        if (status == CLV_OK) status = clv_program_trace(be, program, &step, sink, err);
        if (status == CLV_OK) status = clv_backend_finish(be, err);
        if (status == CLV_OK) status = clv_buffer_read(be, arena, 0, &value, sizeof value, err);
        clv_program_destroy(be, program);
        clv_buffer_destroy(be, arena);
        clv_buffer_destroy(be, trace);
        program = NULL;
        arena = trace = NULL;
    }
    clv_backend_destroy(be);
    fclose(sink);
    return status;
}

static void test_failing_calls(void **state)
{
    (void)state;
    const one_call cases[] = {add_case(), linear_case(CLV_OP_CONV, no_fusion)};
    assert_ok(use_everything(cases, 2, CLV_GEMM_CLBLAST, err)); /* fills the cache */
    int failures = 0;
    for (long n = 1;; n++) {
        clv_error error = {.status = CLV_OK};
        clv_opencl_fail_call(n);
        const clv_status status = use_everything(cases, 2, CLV_GEMM_CLBLAST, &error);
        const bool reached = !clv_opencl_fail_pending();
        clv_opencl_fail_call(0);
        if (!reached) {
            assert_int_equal(status, CLV_OK);
            break;
        }
        /* A binary that cannot be built is built from source: that failure alone is none. */
        if (status == CLV_OK) continue;
        assert_int_equal(status, CLV_ERR_DEVICE);
        assert_true(strlen(error.message) > 0);
        failures++;
    }
    assert_true(failures > 60);
}

static void test_too_large(void **state)
{
    (void)state;
    clv_backend *be = open_opencl(CLV_GEMM_OWN, false);
    clv_opencl *cl = (clv_opencl *)be;
    clv_buffer *buffer = NULL;
    be->info.max_buffer_bytes = 1 << 20;
    assert_refused(be->ops->buffer_create(be, (1 << 20) + 1, &buffer, err), CLV_ERR_DEVICE, "reduce train.batch");
    be->info.global_bytes = 1 << 20;
    assert_ok(clv_buffer_create(be, 1 << 19, &buffer, err));
    clv_buffer *second = NULL;
    assert_refused(clv_buffer_create(be, (1 << 19) + 4, &second, err), CLV_ERR_DEVICE, "reduce train.batch");
    assert_null(second);
    assert_int_equal(cl->allocated, 1 << 19);
    clv_buffer_destroy(be, buffer);
    assert_int_equal(cl->allocated, 0);
    clv_backend_destroy(be);
}

/* ---- choice of a device ---- */

static const clv_cl_device some_devices[] = {
    {.info = {.platform = "Portable Computing Language",
              .name = "pthread-haswell",
              .kind = CLV_DEVICE_CPU,
              .platform_index = 0,
              .device_index = 0}},
    {.info = {.platform = "Vendor",
              .name = "An Accelerator",
              .kind = CLV_DEVICE_OTHER,
              .platform_index = 1,
              .device_index = 0}},
    {.info = {.platform = "Vendor", .name = "Big GPU", .kind = CLV_DEVICE_GPU, .platform_index = 1, .device_index = 1}},
    {.info =
         {.platform = "Vendor", .name = "Small GPU", .kind = CLV_DEVICE_GPU, .platform_index = 1, .device_index = 2}},
};

static void test_choice(void **state)
{
    (void)state;
    static const struct {
        const char *select;
        int count, chosen;
    } cases[] = {{"auto", 4, 2},     {"auto", 2, 1},      {"auto", 1, 0}, {"auto", 0, -1},  {"gpu", 4, 2},
                 {"gpu", 2, -1},     {"cpu", 4, 0},       {"1:2", 4, 3},  {"0:0", 4, 0},    {"2:0", 4, -1},
                 {"0:1", 4, -1},     {"small gpu", 4, 3}, {"GPU", 4, 2},  {"VENDOR", 4, 1}, {"language", 4, 0},
                 {"nothing", 4, -1}, {"", 4, -1},         {":", 4, -1},   {"1:", 4, -1},    {"1:1x", 4, -1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(clv_device_choose(some_devices, cases[i].count, cases[i].select), cases[i].chosen);
}

static void test_no_such_device(void **state)
{
    (void)state;
    const clv_device_options options = {.backend = "opencl", .select = "no such device"};
    clv_backend *be = NULL;
    assert_refused(clv_opencl_backend_create(&options, &be, err), CLV_ERR_DEVICE, "there are: ");
    assert_null(be);
}

/* ---- broken kernels ---- */

static clv_status create_alone(clv_backend *be, one_call one, clv_error *err)
{
    const clv_plan plan = plan_of(&one);
    memory m = random_memory(&plan, &one);
    rig r = bind(be, &plan, &one, &m);
    clv_program *program = NULL;
    const clv_status status = clv_program_create(be, &plan, &r.bindings, &program, err);
    clv_program_destroy(be, program);
    unbind(&r);
    release(&m);
    return status;
}

static void test_wrong_kernel(void **state)
{
    (void)state;
    use_wrong_kernels(test_path("wrong"), "pointwise.cl", "AT(IN0, p) + AT(IN1, q)", "AT(IN0, p) + AT(IN1, q) + 1.0f");
    clv_backend *be = open_opencl(CLV_GEMM_OWN, true);
    assert_refused(create_alone(be, add_case(), err), CLV_ERR_DEVICE, "add");
    clv_backend_destroy(be);
    unsetenv("CLAVE_KERNELS");
}

static void test_build_error(void **state)
{
    (void)state;
    use_wrong_kernels(test_path("broken"), "pointwise.cl", "const int first", "const int this is no C; first");
    clv_backend *be = open_opencl(CLV_GEMM_OWN, false);
    assert_refused(create_alone(be, add_case(), err), CLV_ERR_DEVICE, "pointwise");
    clv_backend_destroy(be);
    unsetenv("CLAVE_KERNELS");
}

/* clave's own product is wrong, CLBlast's is right: it is used, the user is told, and the verdict is kept. */
static void test_notice(void **state)
{
    (void)state;
    clv_backend *probe = open_opencl(CLV_GEMM_OWN, false);
    const bool packed = probe->info.kind == CLV_DEVICE_CPU && probe->info.vector_width > 1;
    clv_backend_destroy(probe);
    use_wrong_kernels(test_path("product"), "conv.cl", packed ? "kernel void conv_packed(" : "kernel void conv_direct(",
                      "kernel void conv_gone(");
    for (int run = 0; run < 2; run++) {
        clv_backend *be = open_opencl(CLV_GEMM_OWN, true);
        assert_string_equal(clv_backend_notices(be), "");
        assert_ok(create_alone(be, linear_case(CLV_OP_CONV, no_fusion), err));
        assert_non_null(strstr(clv_backend_notices(be), "CLBlast is used instead")); /* a kept verdict is told again */
        bool uses = false;
        one_call one = linear_case(CLV_OP_CONV, no_fusion);
        one.call.lanes = LANES;
        assert_ok(clv_cl_uses_clblast((clv_opencl *)be, &one.call, &uses, err));
        assert_true(uses);
        clv_backend_destroy(be);
    }
    unsetenv("CLAVE_KERNELS");
}

/* ---- */

static void test_peak(void **state)
{
    (void)state;
    clv_backend *be = open_opencl(CLV_GEMM_OWN, false);
    double gflops = 0;
    assert_ok(clv_backend_peak(be, &gflops, err));
    assert_true(gflops > 0);
    clv_backend_destroy(be);
}

/* Binaries go to a cache of the test's own; what PoCL itself keeps stays where it is, or every run would compile for
 * minutes. */
static void private_cache(void)
{
    char pocl[1024];
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    snprintf(pocl, sizeof pocl, "%s%s/pocl/kcache", cache ? cache : home ? home : "/tmp", cache ? "" : "/.cache");
    setenv("POCL_CACHE_DIR", pocl, 0);
    setenv("XDG_CACHE_HOME", test_folder(), 1);
}

int main(void)
{
    const char *seed = getenv("CLAVE_TEST_SEED");
    test_seed = seed ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL);
    printf("# CLAVE_TEST_SEED=%llu\n", (unsigned long long)test_seed);
    take_filter();
    private_cache();
    if (!have_opencl()) return 77;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choice),
        cmocka_unit_test(test_no_such_device),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_ops_as_others),
        cmocka_unit_test(test_products_of_gpus),
        cmocka_unit_test(test_gemm_choice),
        cmocka_unit_test(test_gemm),
        cmocka_unit_test(test_dropout_in_any_tile),
        cmocka_unit_test(test_dropout_is_the_same_behind_products),
        cmocka_unit_test(test_dropout_is_in_keys),
        cmocka_unit_test(test_cache),
        cmocka_unit_test(test_cache_stale),
        cmocka_unit_test(test_cache_off),
        cmocka_unit_test(test_cache_unwritable),
        cmocka_unit_test(test_failing_calls),
        cmocka_unit_test(test_build_error),
        cmocka_unit_test(test_wrong_kernel),
        cmocka_unit_test(test_notice),
        cmocka_unit_test(test_peak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
