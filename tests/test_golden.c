/* Golden vectors: clave against PyTorch. Every case of tests/golden/golden.safetensors is a recipe, built here as a
 * graph, and what PyTorch made of it in double precision; it runs on the reference in double and in float and on the
 * OpenCL device. The recipes are explained, and the file is written, by tests/golden/make.py. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "base/file.h"
#include "model/safetensors.h"
#include "support.h"

#define GOLDEN    "tests/golden/golden.safetensors"
#define MAX_CASES 64
#define MAX_NODES 32 /* parameters or inputs of a case */
#define STEPS     3  /* of an optimiser, and the rest as in make.py */
static const clv_step first_step = {.seed = {0x2545F491u, 0x4F6CDD1Du}, .step = 3};

/* ---- the file ---- */

static uint8_t *bytes;
static clv_safetensors golden;

static const clv_tensor *find(const char *test, const char *name)
{
    char full[128];
    snprintf(full, sizeof full, "%s/%s", test, name);
    for (int i = 0; i < golden.tensors; i++)
        if (!strcmp(golden.tensor[i].name, full)) return &golden.tensor[i];
    fail_msg("%s has no tensor '%s'", GOLDEN, full);
    return NULL;
}

static size_t count_of(const clv_tensor *tensor) { return tensor->size / sizeof(float); }

/* The caller frees. */
static float *values_of(const clv_tensor *tensor)
{
    float *value = malloc(tensor->size);
    assert_non_null(value);
    clv_safetensors_floats(tensor, value);
    return value;
}

/* ---- recipes as graphs ---- */

/* A tensor of the file that is written to a node. */
typedef struct binding {
    clv_node node;
    char name[CLV_NAME_SIZE];
    bool transposed; /* a parameter of images: [n][f] in the file, [f][n] on the device */
} binding;

typedef struct builder {
    const char *test;
    clv_graph *graph;
    clv_node x, y, trunk, mu, logvar;
    clv_node losses;   /* [1][1][1][n] */
    clv_node selector; /* [image][1][1][n]: 1 where n is the image */
    int images;
    binding param[MAX_NODES], input[MAX_NODES];
    int params, inputs;
    clv_op optimiser; /* CLV_OP_PARAM: none */
    clv_attr optimiser_attr;
    double lr;
} builder;

/* One step of a recipe: its words behind the name, as text and as numbers (0 where they are none). */
typedef struct recipe_step {
    const char *word;
    double number[8];
} recipe_step;

static clv_shape image_shape(double c, double y, double x)
{
    return (clv_shape){.rank = 3, .dim = {(int)c, (int)y, (int)x, 1}, .batched = true};
}

static clv_shape shape_of(const builder *b, clv_node node) { return clv_graph_node(b->graph, node)->shape; }

static clv_node add(builder *b, clv_op op, int inputs, const clv_node *input, const clv_attr *attr,
                    const clv_shape *shape)
{
    clv_node node = CLV_NODE_NONE;
    assert_ok(clv_graph_add(b->graph, op, NULL, input, inputs, attr, shape, &node, err));
    return node;
}

static clv_node add_pair(builder *b, clv_op op, clv_node p, clv_node q, const clv_attr *attr)
{
    return add(b, op, 2, (const clv_node[]){p, q}, attr, NULL);
}

static void bind_node(binding *list, int *count, const char *name, clv_node node)
{
    assert_true(*count < MAX_NODES);
    binding *made = &list[(*count)++];
    *made = (binding){.node = node};
    snprintf(made->name, sizeof made->name, "%s", name);
}

static clv_node add_param(builder *b, const char *name, int rank, const int *dim)
{
    clv_node node = CLV_NODE_NONE;
    assert_ok(clv_graph_param(b->graph, name, rank, dim, &node, err));
    bind_node(b->param, &b->params, name, node);
    return node;
}

static clv_node add_input(builder *b, const char *name, clv_shape shape)
{
    clv_node node = add(b, CLV_OP_INPUT, 0, NULL, NULL, &shape);
    bind_node(b->input, &b->inputs, name, node);
    return node;
}

static void step_input(builder *b, const recipe_step *s)
{
    b->x = add_input(b, s->word, image_shape(s->number[1], s->number[2], s->number[3]));
}

/* Images as a parameter, so that they have a gradient: [f][image], times a batch that selects image n in lane n. Exact:
 * all terms but one are 0. */
static void step_image(builder *b, const recipe_step *s)
{
    const clv_shape shape = image_shape(s->number[1], s->number[2], s->number[3]);
    const int dim[2] = {(int)clv_shape_elements(&shape), b->images};
    const clv_node images = add_param(b, s->word, 2, dim);
    b->param[b->params - 1].transposed = true;
    if (b->selector == CLV_NODE_NONE) {
        const clv_shape selector = image_shape(b->images, 1, 1);
        b->selector = add(b, CLV_OP_INPUT, 0, NULL, NULL, &selector);
    }
    assert_ok(clv_graph_linear(b->graph, NULL, b->selector, images, &b->x, err));
    b->x = add(b, CLV_OP_RESHAPE, 1, &b->x, NULL, &shape);
}

static clv_node *kept(builder *b, const char *name)
{
    return !strcmp(name, "mu") ? &b->mu : !strcmp(name, "logvar") ? &b->logvar : &b->trunk;
}

static void step_keep(builder *b, const recipe_step *s) { *kept(b, s->word) = b->x; }

static void step_take(builder *b, const recipe_step *s) { b->x = *kept(b, s->word); }

static void step_conv(builder *b, const recipe_step *s)
{
    const clv_attr attr = {.kernel = (int)s->number[2], .stride = (int)s->number[3], .pad = (int)s->number[4]};
    const int dim[4] = {(int)s->number[1], shape_of(b, b->x).dim[0], attr.kernel, attr.kernel}; /* [oc][ic][ky][kx] */
    b->x = add_pair(b, CLV_OP_CONV, b->x, add_param(b, s->word, 4, dim), &attr);
}

static void step_deconv(builder *b, const recipe_step *s)
{
    const clv_attr attr = {.kernel = (int)s->number[2],
                           .stride = (int)s->number[3],
                           .pad = (int)s->number[4],
                           .out_pad = (int)s->number[5]};
    const int dim[4] = {shape_of(b, b->x).dim[0], (int)s->number[1], attr.kernel, attr.kernel}; /* [in][out][ky][kx] */
    b->x = add_pair(b, CLV_OP_DECONV, b->x, add_param(b, s->word, 4, dim), &attr);
}

static void step_linear(builder *b, const recipe_step *s)
{
    const int dim[2] = {(int)s->number[1], shape_of(b, b->x).dim[0]}; /* [out][in] */
    const clv_node weight = add_param(b, s->word, 2, dim);
    assert_ok(clv_graph_linear(b->graph, NULL, b->x, weight, &b->x, err));
}

static void step_bias(builder *b, const recipe_step *s)
{
    const clv_node bias = add_param(b, s->word, 1, shape_of(b, b->x).dim);
    b->x = add_pair(b, CLV_OP_BIAS, b->x, bias, NULL);
}

static void step_reshape(builder *b, const recipe_step *s)
{
    const clv_shape shape = image_shape(s->number[0], s->number[1], s->number[2]);
    b->x = add(b, CLV_OP_RESHAPE, 1, &b->x, NULL, &shape);
}

static void step_act(builder *b, const recipe_step *s)
{
    clv_attr attr = {.slope = (float)s->number[1]};
    for (int act = 0; act < CLV_ACT_COUNT; act++)
        if (!strcmp(s->word, clv_act_names[act])) attr.act = (clv_act)act;
    b->x = add(b, CLV_OP_ACT, 1, &b->x, &attr, NULL);
}

static void step_dropout(builder *b, const recipe_step *s)
{
    const clv_attr attr = {.rate = (float)s->number[0], .stream = (uint32_t)s->number[1]};
    b->x = add(b, CLV_OP_DROPOUT, 1, &b->x, &attr, NULL);
}

static void step_sample(builder *b, const recipe_step *s)
{
    b->x = add_pair(b, CLV_OP_SAMPLE, b->mu, b->logvar, &(clv_attr){.stream = (uint32_t)s->number[0]});
}

/* Losses add up; what the first of them looks at is the case's result. */
static void add_loss(builder *b, clv_node losses)
{
    if (b->y == CLV_NODE_NONE) b->y = b->x;
    b->losses = b->losses == CLV_NODE_NONE ? losses : add_pair(b, CLV_OP_ADD, b->losses, losses, NULL);
}

static void add_target_loss(builder *b, clv_op op, const char *target, clv_shape shape)
{
    add_loss(b, add_pair(b, op, b->x, add_input(b, target, shape), NULL));
}

static void step_mse(builder *b, const recipe_step *s) { add_target_loss(b, CLV_OP_MSE, s->word, shape_of(b, b->x)); }
static void step_bce(builder *b, const recipe_step *s) { add_target_loss(b, CLV_OP_BCE, s->word, shape_of(b, b->x)); }
static void step_xent(builder *b, const recipe_step *s)
{
    add_target_loss(b, CLV_OP_XENT, s->word, image_shape(1, 1, 1));
}

static void step_kl(builder *b, const recipe_step *s)
{
    (void)s;
    add_loss(b, add_pair(b, CLV_OP_KL, b->mu, b->logvar, NULL));
}

/* The sum of x r: any gradient may reach what is below. */
static void step_dot(builder *b, const recipe_step *s)
{
    const clv_node product = add_pair(b, CLV_OP_MUL, b->x, add_input(b, s->word, shape_of(b, b->x)), NULL);
    add_loss(b, add(b, CLV_OP_SUM, 1, &product, NULL, NULL));
}

static void step_adam(builder *b, const recipe_step *s)
{
    b->optimiser = CLV_OP_ADAM;
    b->lr = s->number[0];
    b->optimiser_attr = (clv_attr){.beta1 = (float)s->number[1],
                                   .beta2 = (float)s->number[2],
                                   .eps = (float)s->number[3],
                                   .l2 = (float)s->number[4],
                                   .weight_decay = (float)s->number[5]};
}

static void step_sgd(builder *b, const recipe_step *s)
{
    b->optimiser = CLV_OP_SGD;
    b->lr = s->number[0];
    b->optimiser_attr = (clv_attr){.momentum = (float)s->number[1], .l2 = (float)s->number[2]};
}

static const struct {
    const char *name;
    void (*build)(builder *b, const recipe_step *s);
} step_table[] = {
    {"input", step_input},     {"image", step_image},   {"keep", step_keep},       {"take", step_take},
    {"conv", step_conv},       {"deconv", step_deconv}, {"linear", step_linear},   {"bias", step_bias},
    {"reshape", step_reshape}, {"act", step_act},       {"dropout", step_dropout}, {"sample", step_sample},
    {"mse", step_mse},         {"bce", step_bce},       {"xent", step_xent},       {"kl", step_kl},
    {"dot", step_dot},         {"adam", step_adam},     {"sgd", step_sgd},
};

/* "conv weight 3 3 2 1": cut into words in place. */
static void build_step(builder *b, char *text)
{
    char *rest = NULL;
    const char *name = strtok_r(text, " ", &rest);
    recipe_step s = {.word = ""};
    int words = 0;
    for (char *word; words < 8 && (word = strtok_r(NULL, " ", &rest)); words++) {
        if (words == 0) s.word = word;
        s.number[words] = strtod(word, NULL);
    }
    for (size_t i = 0; i < sizeof step_table / sizeof step_table[0]; i++)
        if (!strcmp(name, step_table[i].name)) {
            step_table[i].build(b, &s);
            return;
        }
    fail_msg("%s: the recipe has an unknown step '%s'", b->test, name);
}

static builder build(const char *test)
{
    builder b = {.test = test, .graph = clv_graph_create(), .optimiser = CLV_OP_PARAM};
    b.x = b.y = b.trunk = b.mu = b.logvar = b.losses = b.selector = CLV_NODE_NONE;
    b.images = (int)count_of(find(test, "losses"));
    assert_non_null(b.graph);
    const char *recipe = clv_safetensors_metadata(&golden, test);
    if (!recipe) fail_msg("%s has no recipe for '%s'", GOLDEN, test);
    char text[1024], *rest = NULL;
    assert_true(snprintf(text, sizeof text, "%s", recipe) < (int)sizeof text);
    for (char *step = strtok_r(text, ";", &rest); step; step = strtok_r(NULL, ";", &rest)) build_step(&b, step);
    return b;
}

/* ---- running ---- */

typedef struct run {
    builder b;
    clv_backend *be;
    const char *where; /* the backend, in words */
    clv_param_layout layout;
    clv_plan *plan;
    clv_bindings bindings;
    clv_program *program;
    clv_node loss;
} run;

static void make_plan(run *r, bool fused)
{
    builder *b = &r->b;
    clv_node param[MAX_NODES], gradient[MAX_NODES];
    bool trained[MAX_NODES];
    for (int i = 0; i < b->params; i++) param[i] = b->param[i].node, trained[i] = true;
    r->loss = add(b, CLV_OP_MEAN, 1, &b->losses, NULL, NULL);
    assert_ok(clv_graph_gradients(b->graph, r->loss, param, b->params, gradient, err));
    if (b->optimiser != CLV_OP_PARAM) add(b, b->optimiser, 0, NULL, &b->optimiser_attr, NULL);
    clv_graph_mark_output(b->graph, b->y);
    clv_graph_mark_output(b->graph, b->losses);
    clv_graph_mark_output(b->graph, r->loss);
    if (fused) assert_ok(clv_graph_fuse(b->graph, 0, err));

    const clv_plan_options options = {
        .batch = b->images, .lane_width = r->be->lane_width, .alignment = r->be->alignment, .reuse = true};
    assert_ok(clv_param_layout_create(b->graph, param, trained, b->params, r->be->alignment, &r->layout, err));
    assert_ok(clv_plan_create(b->graph, &r->layout, gradient, &options, &r->plan, err));
}

/* All of a space but the moments starts as NaN: what is not written shows. */
static void make_program(run *r)
{
    for (int s = 0; s < CLV_SPACE_COUNT; s++) {
        const size_t elements = r->plan->elements[s];
        if (elements == 0) continue;
        assert_ok(clv_buffer_create(r->be, elements * r->be->element_size, &r->bindings.space[s], err));
        if (s != CLV_SPACE_ARENA && s != CLV_SPACE_GRAD) continue;
        float *hostile = malloc(elements * sizeof *hostile);
        assert_non_null(hostile);
        for (size_t i = 0; i < elements; i++) hostile[i] = NAN;
        assert_ok(clv_buffer_write_floats(r->be, r->bindings.space[s], 0, hostile, elements, err));
        free(hostile);
    }
    assert_ok(clv_program_create(r->be, r->plan, &r->bindings, &r->program, err));
}

static const struct clv_param_place *place_of(const run *r, const char *name)
{
    int i = 0;
    while (i < r->layout.params && strcmp(r->layout.param[i].name, name) != 0) i++;
    assert_true(i < r->layout.params);
    return &r->layout.param[i];
}

/* How a tensor of the file lies on the device: element i of the file at `offset + device_index(...)` of a space. */
typedef struct placing {
    clv_space space;
    size_t offset, count;
    size_t features; /* [n][f] in the file, [f][n] on the device; 0: the same order in both */
    size_t stride;   /* of [f][n] */
} placing;

static size_t device_index(const placing *p, size_t i)
{
    return p->features ? i % p->features * p->stride + i / p->features : i;
}

static size_t device_extent(const placing *p) { return p->features ? p->features * p->stride : p->count; }

static placing place_param(const run *r, const binding *param, clv_space space)
{
    const struct clv_param_place *place = place_of(r, param->name);
    placing p = {.space = space, .offset = place->offset, .count = (size_t)clv_shape_elements(&place->shape)};
    if (param->transposed) {
        p.features = (size_t)place->shape.dim[0];
        p.stride = (size_t)place->shape.dim[1];
    }
    return p;
}

static placing place_node(const run *r, clv_node node)
{
    const clv_operand *operand = &r->plan->place[node];
    placing p = {
        .space = operand->space, .offset = operand->offset, .count = (size_t)clv_shape_elements(&operand->shape)};
    if (operand->shape.batched) {
        p.features = p.count;
        p.stride = (size_t)r->plan->lanes;
        p.count *= (size_t)r->b.images;
    }
    return p;
}

/* Padding gets a number that shows where it reaches a result. */
static void write_place(run *r, const placing *p, const float *value)
{
    const size_t extent = device_extent(p);
    float *device = malloc(extent * sizeof *device);
    assert_non_null(device);
    for (size_t i = 0; i < extent; i++) device[i] = 0.5f;
    for (size_t i = 0; i < p->count; i++) device[device_index(p, i)] = value[i];
    assert_ok(clv_buffer_write_floats(r->be, r->bindings.space[p->space], p->offset, device, extent, err));
    free(device);
}

static void write_tensor(run *r, const char *name, placing p)
{
    const clv_tensor *tensor = find(r->b.test, name);
    float *value = values_of(tensor);
    assert_int_equal(count_of(tensor), p.count);
    write_place(r, &p, value);
    free(value);
}

static void write_all(run *r)
{
    const builder *b = &r->b;
    for (int i = 0; i < b->params; i++)
        write_tensor(r, b->param[i].name, place_param(r, &b->param[i], CLV_SPACE_PARAM));
    for (int i = 0; i < b->inputs; i++) write_tensor(r, b->input[i].name, place_node(r, b->input[i].node));
    if (b->selector == CLV_NODE_NONE) return;
    const placing p = place_node(r, b->selector);
    float *selector = calloc(p.count, sizeof *selector);
    assert_non_null(selector);
    for (int i = 0; i < b->images; i++) selector[i * b->images + i] = 1;
    write_place(r, &p, selector);
    free(selector);
}

/* ---- comparing ---- */

/* The device's numbers without rounding, in the file's order; the caller frees. */
static double *read_place(const run *r, const placing *p)
{
    const size_t extent = device_extent(p), size = r->be->element_size;
    uint8_t *device = malloc(extent * size);
    double *value = malloc(p->count * sizeof *value);
    assert_non_null(device);
    assert_non_null(value);
    assert_ok(clv_buffer_read(r->be, r->bindings.space[p->space], p->offset * size, device, extent * size, err));
    for (size_t i = 0; i < p->count; i++) {
        const size_t at = device_index(p, i);
        float single;
        if (size == sizeof(double)) {
            memcpy(&value[i], device + at * size, size);
        } else {
            memcpy(&single, device + at * size, size);
            value[i] = (double)single;
        }
    }
    free(device);
    return value;
}

/* The tolerance. A result that adds k terms, in any order and through sums of sums, is off by at most k u M, u the unit
 * roundoff and M the sum of the terms' absolute values; roundings being as good as independent, by more than 4 sqrt(k)
 * u M almost never (Higham & Mary 2019, "A new approach to probabilistic rounding error analysis", theorem 2.4, with
 * lambda = 4). The file's scale is sqrt(k) M. A wrong term shows: it is some share of M itself, not of u M. The file's
 * numbers are rounded to float: 2^-24 of themselves. `slack` is what the step's values, being floats, add. */
static void compare(const run *r, const char *name, placing p, double slack)
{
    char scale_name[CLV_NAME_SIZE + 16];
    snprintf(scale_name, sizeof scale_name, "%s.scale", name);
    const clv_tensor *tensor = find(r->b.test, name), *scale_tensor = find(r->b.test, scale_name);
    if (count_of(tensor) != p.count || count_of(scale_tensor) != p.count)
        fail_msg("%s/%s: %zu elements instead of %zu", r->b.test, name, p.count, count_of(tensor));
    float *expected = values_of(tensor), *scale = values_of(scale_tensor);
    double *value = read_place(r, &p);
    const double u = r->be->element_size == sizeof(double) ? 0x1p-53 : 0x1p-24;
    for (size_t i = 0; i < p.count; i++) {
        const double wanted = (double)expected[i];
        const double tolerance = 4 * u * (double)scale[i] + 0x1p-24 * fabs(wanted) + slack;
        if (!(fabs(value[i] - wanted) <= tolerance))
            fail_msg("%s/%s on %s: element %zu is %.9g, PyTorch has %.9g, %.2g may be between them", r->b.test, name,
                     r->where, i, value[i], wanted, tolerance);
    }
    free(value);
    free(scale);
    free(expected);
}

static void compare_step(const run *r)
{
    char name[CLV_NAME_SIZE + 4];
    compare(r, "y", place_node(r, r->b.y), 0);
    compare(r, "losses", place_node(r, r->b.losses), 0);
    compare(r, "loss", place_node(r, r->loss), 0);
    for (int i = 0; i < r->b.params; i++) {
        snprintf(name, sizeof name, "d %s", r->b.param[i].name);
        compare(r, name, place_param(r, &r->b.param[i], CLV_SPACE_GRAD), 0);
    }
}

/* Adam's corrections reach a backend as floats: a relative 2^-24 each of an update, which is about lr in size. */
static void compare_weights(const run *r, int at)
{
    char name[CLV_NAME_SIZE + 16];
    const double slack = r->b.optimiser == CLV_OP_ADAM ? at * r->b.lr * 0x1p-23 : 0;
    for (int i = 0; i < r->b.params; i++) {
        snprintf(name, sizeof name, "%s after %d", r->b.param[i].name, at);
        compare(r, name, place_param(r, &r->b.param[i], CLV_SPACE_PARAM), slack);
    }
}

static void run_steps(run *r)
{
    const clv_attr *a = &r->b.optimiser_attr;
    clv_step step = first_step;
    step.count = (uint32_t)r->b.images;
    step.lr = (float)r->b.lr;
    for (int at = 1; at <= STEPS; at++, step.step++) {
        step.correction1 = (float)(1 / (1 - pow((double)a->beta1, at)));
        step.correction2 = (float)(1 / (1 - pow((double)a->beta2, at)));
        assert_ok(clv_program_run(r->be, r->program, &step, err));
        assert_ok(clv_backend_finish(r->be, err));
        if (at == 1) compare_step(r);
        if (r->b.optimiser == CLV_OP_PARAM) return;
        compare_weights(r, at);
    }
}

static void finish_run(run *r)
{
    clv_program_destroy(r->be, r->program);
    for (int s = 0; s < CLV_SPACE_COUNT; s++) clv_buffer_destroy(r->be, r->bindings.space[s]);
    clv_plan_destroy(r->plan);
    clv_param_layout_destroy(&r->layout);
    clv_graph_destroy(r->b.graph);
}

/* ---- the tests: each case on each backend ---- */

typedef enum variant { REFERENCE_DOUBLE, REFERENCE_DOUBLE_FUSED, REFERENCE_FLOAT, OPENCL, VARIANTS } variant;
static const char *const variant_names[VARIANTS] = {"reference (double)", "reference (double), fused",
                                                    "reference (float)", "OpenCL"};
static clv_backend *backend[VARIANTS]; /* NULL: no such device here */

typedef struct golden_test {
    char test[CLV_NAME_SIZE], title[2 * CLV_NAME_SIZE];
    variant variant;
} golden_test;

static void test_case(void **state)
{
    const golden_test *t = *state;
    run r = {.be = backend[t->variant], .where = variant_names[t->variant]};
    if (!r.be) skip();
    r.b = build(t->test);
    make_plan(&r, t->variant != REFERENCE_DOUBLE);
    make_program(&r);
    write_all(&r);
    run_steps(&r);
    finish_run(&r);
}

static int open_backends(void **state)
{
    (void)state;
    const clv_device_options options = {.backend = "opencl", .select = test_device()};
    assert_ok(clv_cpu_backend_create(true, &backend[REFERENCE_DOUBLE], err));
    assert_ok(clv_cpu_backend_create(true, &backend[REFERENCE_DOUBLE_FUSED], err));
    assert_ok(clv_cpu_backend_create(false, &backend[REFERENCE_FLOAT], err));
    if (have_opencl()) assert_ok(clv_opencl_backend_create(&options, &backend[OPENCL], err));
    return 0;
}

static int close_backends(void **state)
{
    (void)state;
    for (int v = 0; v < VARIANTS; v++) clv_backend_destroy(backend[v]);
    return 0;
}

static golden_test tests[MAX_CASES * VARIANTS];
static struct CMUnitTest units[MAX_CASES * VARIANTS];

static size_t list_tests(const char *cases)
{
    size_t count = 0;
    char name[CLV_NAME_SIZE];
    for (int v = 0; v < VARIANTS; v++)
        for (const char *at = cases; sscanf(at, "%63s", name) == 1; at = strstr(at, name) + strlen(name)) {
            golden_test *t = &tests[count];
            memcpy(t->test, name, sizeof name);
            t->variant = (variant)v;
            snprintf(t->title, sizeof t->title, "%s on %s", name, variant_names[v]);
            units[count++] = (struct CMUnitTest){t->title, test_case, NULL, NULL, t};
            if (count == MAX_CASES * VARIANTS) return count;
        }
    return count;
}

int main(void)
{
    clv_error err = {0};
    size_t size = 0;
    const char *cases = NULL;
    if (clv_file_read(GOLDEN, (size_t)1 << 24, CLV_ERR_DATA, &bytes, &size, &err) != CLV_OK ||
        clv_safetensors_parse(GOLDEN, bytes, size, &golden, &err) != CLV_OK ||
        !(cases = clv_safetensors_metadata(&golden, "cases"))) {
        fprintf(stderr, "%s\n", err.status != CLV_OK ? err.message : GOLDEN " lists no cases");
        return 1;
    }
    const int failed = _cmocka_run_group_tests("golden", units, list_tests(cases), open_backends, close_backends);
    clv_safetensors_destroy(&golden);
    free(bytes);
    return failed;
}
