/* Gradients against central differences of the loss, in double: networks of every op that has a gradient, written by
 * hand and at random, as built and fused. A batch of 3 with 2 images, in 8 lanes: padding must not count. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backend/backend.h"
#include "base/philox.h"
#include "random_graph.h"

enum { BATCH = 3, IMAGES = 2, DATA = 5, MAX_PIXELS = 3 * 10 * 10, SAMPLES = 4, RANDOM_NETWORKS = 40 };

static unsigned long seed;
static bool covered[CLV_OP_COUNT];

/* A network made runnable on the reference in double. */
typedef struct machine {
    clv_backend *be;
    clv_plan *plan;
    clv_program *program;
    clv_bindings bindings;
    clv_param_layout layout;
    clv_node loss;
    clv_random random;
} machine;

#define OK(call)                                                                                                       \
    do {                                                                                                               \
        clv_error error = {0};                                                                                         \
        clv_error *err = &error;                                                                                       \
        if ((call) != CLV_OK) fail_msg("seed %lu: %s", seed, err->message);                                            \
    } while (0)

static double draw_real(machine *m, double low, double high)
{
    return low + (high - low) * (double)clv_random_uniform(&m->random);
}

/* The reference's doubles are read and written as bytes: floats would not show a step of 1e-5. */
static void write_reals(machine *m, clv_space space, size_t offset, const double *values, size_t count)
{
    OK(clv_buffer_write(m->be, m->bindings.space[space], offset * sizeof *values, values, count * sizeof *values, err));
}
static double read_real(machine *m, clv_space space, size_t offset)
{
    double value;
    OK(clv_buffer_read(m->be, m->bindings.space[space], offset * sizeof value, &value, sizeof value, err));
    return value;
}

static void fill_params(machine *m)
{
    for (int p = 0; p < m->layout.params; p++) {
        const struct clv_param_place *place = &m->layout.param[p];
        const size_t count = (size_t)clv_shape_elements(&place->shape);
        const double range = place->shape.rank == 1 ? 0.5 : sqrt(3.0 * place->shape.dim[0] / (double)count);
        for (size_t i = 0; i < count; i++) {
            const double value = draw_real(m, -range, range);
            write_reals(m, CLV_SPACE_PARAM, place->offset + i, &value, 1);
        }
    }
}

static void fill_inputs(machine *m, const clv_graph *graph)
{
    for (clv_node node = 0; node < clv_graph_size(graph); node++) {
        const clv_operand *place = &m->plan->place[node];
        if (clv_graph_node(graph, node)->op != CLV_OP_INPUT || place->space != CLV_SPACE_ARENA) continue;
        for (size_t i = 0; i < clv_operand_elements(place, m->plan->lanes); i++) {
            const double value = draw_real(m, 0, 1);
            write_reals(m, CLV_SPACE_ARENA, place->offset + i, &value, 1);
        }
    }
}

/* Random images of as many pixels as the graph gathers, labels below 3. */
static void bind_data(machine *m, const clv_graph *graph)
{
    size_t pixels = 1;
    uint8_t image[DATA * MAX_PIXELS], label[DATA];
    const uint32_t order[DATA] = {3, 0, 4, 1, 2};
    for (clv_node node = 0; node < clv_graph_size(graph); node++)
        if (clv_graph_node(graph, node)->op == CLV_OP_GATHER)
            pixels = (size_t)clv_shape_elements(&clv_graph_node(graph, node)->shape);
    assert_true(pixels <= MAX_PIXELS);
    for (size_t i = 0; i < DATA * pixels; i++) image[i] = (uint8_t)(1 + clv_random_below(&m->random, 255));
    for (int i = 0; i < DATA; i++) label[i] = (uint8_t)clv_random_below(&m->random, 3);
    clv_device_dataset *data = &m->bindings.dataset[0];
    OK(clv_buffer_create(m->be, DATA * pixels, &data->images, err));
    OK(clv_buffer_create(m->be, sizeof label, &data->labels, err));
    OK(clv_buffer_create(m->be, sizeof order, &data->order, err));
    OK(clv_buffer_write(m->be, data->images, 0, image, DATA * pixels, err));
    OK(clv_buffer_write(m->be, data->labels, 0, label, sizeof label, err));
    OK(clv_buffer_write(m->be, data->order, 0, order, sizeof order, err));
}

static machine start(network *net)
{
    machine m = {.loss = net->loss, .random = clv_random_start(seed ^ net->random, CLV_STREAM_SELFTEST)};
    clv_node gradient[MAX_PARAMS]; /* in the layout's order: trained ones first */
    int count = 0;
    if (net->status != CLV_OK) fail_msg("seed %lu: %s", seed, net->err.message);
    clv_graph_mark_output(net->graph, net->loss);
    OK(clv_cpu_backend_create(true, &m.be, err));
    OK(clv_param_layout_create(net->graph, net->param, net->trained, net->params, m.be->alignment, &m.layout, err));
    for (int which = 1; which >= 0; which--)
        for (int i = 0; i < net->params; i++)
            if ((int)net->trained[i] == which) gradient[count++] = which ? net->gradient[i] : CLV_NODE_NONE;
    const clv_plan_options options = {
        .batch = BATCH, .lane_width = m.be->lane_width, .alignment = m.be->alignment, .reuse = true, .trace_rows = 1};
    OK(clv_plan_create(net->graph, &m.layout, gradient, &options, &m.plan, err));
    for (int i = 0; i < CLV_SPACE_COUNT; i++)
        if (m.plan->elements[i])
            OK(clv_buffer_create(m.be, m.plan->elements[i] * sizeof(double), &m.bindings.space[i], err));
    bind_data(&m, net->graph);
    fill_params(&m);
    fill_inputs(&m, net->graph);
    OK(clv_program_create(m.be, m.plan, &m.bindings, &m.program, err));
    for (clv_node node = 0; node < clv_graph_size(net->graph); node++)
        covered[clv_graph_node(net->graph, node)->op] = true;
    return m;
}

static void stop(machine *m)
{
    clv_program_destroy(m->be, m->program);
    for (int i = 0; i < CLV_SPACE_COUNT; i++) clv_buffer_destroy(m->be, m->bindings.space[i]);
    clv_buffer_destroy(m->be, m->bindings.dataset[0].images);
    clv_buffer_destroy(m->be, m->bindings.dataset[0].labels);
    clv_buffer_destroy(m->be, m->bindings.dataset[0].order);
    clv_plan_destroy(m->plan);
    clv_param_layout_destroy(&m->layout);
    clv_backend_destroy(m->be);
}

/* One step without learning: the loss, with the gradients left in their space. */
static double loss_of(machine *m)
{
    const clv_step step = {.seed = {1, 2}, .step = 3, .offset = 1, .count = IMAGES, .correction1 = 1, .correction2 = 1, .ramp = 0.5f};
    OK(clv_program_run(m->be, m->program, &step, err));
    return read_real(m, m->plan->place[m->loss].space, m->plan->place[m->loss].offset);
}

static double difference(machine *m, size_t at, double h)
{
    const double w = read_real(m, CLV_SPACE_PARAM, at), above = w + h, below = w - h;
    write_reals(m, CLV_SPACE_PARAM, at, &above, 1);
    const double more = loss_of(m);
    write_reals(m, CLV_SPACE_PARAM, at, &below, 1);
    const double less = loss_of(m);
    write_reals(m, CLV_SPACE_PARAM, at, &w, 1);
    return (more - less) / (above - below);
}

/* A central difference is off by h^2 times a third derivative, here within a few hundred times the loss, and by the
 * loss's rounding, some 100 ulps (1e-14 of it), over h: 1e-8 + 1e-9 of the loss at 1e-5. Where a relu bends within h
 * the smaller steps decide; there the rounding's share grows to 1e-7. */
static void check_element(machine *m, const char *name, size_t at, double gradient, double loss)
{
    double found = NAN, allowed = NAN;
    for (double h = 1e-5; h > 5e-8; h /= 10) {
        found = difference(m, at, h);
        allowed = (300 * h * h + 2e-14 / h) * (1 + fabs(loss)) + 1e-6 * fabs(gradient);
        if (fabs(found - gradient) <= allowed) return;
    }
    fail_msg("seed %lu: d loss / d %s at %zu is %.12g, differences say %.12g (loss %g, allowed %g)", seed, name, at,
             gradient, found, loss, allowed);
}

/* False where the random network's loss left the range in which differences mean anything. */
static bool check_network(network *net)
{
    machine m = start(net);
    const double loss = loss_of(&m);
    const bool sound = isfinite(loss) && fabs(loss) < 100;
    for (int p = 0; p < m.layout.params && sound; p++) {
        const struct clv_param_place *place = &m.layout.param[p];
        for (int i = 0; i < SAMPLES && place->trained; i++) {
            const size_t at = place->offset + clv_random_below(&m.random, (uint32_t)clv_shape_elements(&place->shape));
            loss_of(&m);
            check_element(&m, place->name, at, read_real(&m, CLV_SPACE_GRAD, at), loss);
        }
    }
    stop(&m);
    return sound;
}

static void add_gradients(network *net)
{
    for (int i = 0; i < net->params; i++) net->trained[i] = true;
    if (net->status == CLV_OK)
        net->status = clv_graph_gradients(net->graph, net->loss, net->param, net->params, net->gradient, &net->err);
}

/* Both forms of a network that `build` makes. */
static void check_both(network (*build)(void))
{
    for (int fused = 0; fused < 2; fused++) {
        network net = build();
        add_gradients(&net);
        if (fused && net.status == CLV_OK) net.status = clv_graph_fuse(net.graph, 0, &net.err);
        assert_true(check_network(&net));
        network_end(&net);
    }
}

static clv_node put_act(network *net, clv_node x, clv_act act)
{
    return put1(net, CLV_OP_ACT, "act", x, (clv_attr){.act = act, .slope = 0.1f});
}
static clv_node put_flat(network *net, clv_node x, int elements) { return put_reshape(net, x, elements, 1, 1); }

/* Two convolutions, a Gaussian code, two transposed convolutions; BCE + KL. The image is 7 x 9. */
static network build_vae(void)
{
    network net = network_start();
    const clv_node x = put_input(&net, CLV_OP_GATHER, "images", 1, 7, 9);
    clv_node h = put_conv(&net, "conv1", x, 3, (clv_attr){.kernel = 4, .stride = 2, .pad = 1}); /* 3 x 4 */
    h = put_act(&net, put_bias(&net, "conv1", h), CLV_ACT_RELU);
    h = put_conv(&net, "conv2", h, 4, (clv_attr){.kernel = 3, .stride = 2, .pad = 1}); /* 2 x 2 */
    h = put_flat(&net, put_act(&net, put_bias(&net, "conv2", h), CLV_ACT_LEAKY_RELU), 16);
    const clv_node mu = put_bias(&net, "mu", put_linear(&net, "mu", h, 5));
    const clv_node logvar = put_bias(&net, "logvar", put_linear(&net, "logvar", h, 5));
    h = put2(&net, CLV_OP_SAMPLE, "z", mu, logvar, (clv_attr){.stream = CLV_STREAM_GRAPH});
    h = put_act(&net, put_bias(&net, "linear", put_linear(&net, "linear", h, 16)), CLV_ACT_TANH);
    h = put_reshape(&net, h, 4, 2, 2);
    h = put_deconv(&net, "deconv1", h, 3, (clv_attr){.kernel = 3, .stride = 2, .pad = 1, .out_pad = 1}); /* 4 x 4 */
    h = put_act(&net, put_bias(&net, "deconv1", h), CLV_ACT_RELU);
    h = put_conv(&net, "narrow", h, 2, (clv_attr){.kernel = 2, .stride = 1, .pad = 0}); /* 3 x 3 */
    h = put_deconv(&net, "deconv2", h, 1, (clv_attr){.kernel = 3, .stride = 3, .pad = 0, .out_pad = 0});
    h = put_reshape(&net, put_bias(&net, "deconv2", h), 1, 9, 9);
    h = put_conv(&net, "logits", h, 1, (clv_attr){.kernel = 3, .stride = 1, .pad = 1});
    const clv_node target = put_input(&net, CLV_OP_INPUT, "target", 1, 9, 9);
    const clv_node bce = put2(&net, CLV_OP_BCE, "bce", h, target, (clv_attr){0});
    const clv_node kl = put2(&net, CLV_OP_KL, "kl", mu, logvar, (clv_attr){0});
    const clv_node beta = put1(&net, CLV_OP_RAMP, "warm", put1(&net, CLV_OP_SCALE, "beta", kl, (clv_attr){.alpha = 0.5f}),
                               (clv_attr){0});
    net.loss = put1(&net, CLV_OP_MEAN, "loss", put2(&net, CLV_OP_ADD, "elbo", bce, beta, (clv_attr){0}), (clv_attr){0});
    return net;
}

/* A denoising autoencoder with dropout and MSE. */
static network build_autoencoder(void)
{
    network net = network_start();
    const clv_node x = put_input(&net, CLV_OP_GATHER, "images", 2, 6, 5);
    clv_node h = put_conv(&net, "conv", x, 4, (clv_attr){.kernel = 3, .stride = 2, .pad = 0}); /* 2 x 2 */
    h = put_flat(&net, put_act(&net, h, CLV_ACT_SIGMOID), 16);
    h = put1(&net, CLV_OP_DROPOUT, "drop", h, (clv_attr){.rate = 0.25f, .stream = CLV_STREAM_GRAPH + 1});
    h = put_act(&net, put_bias(&net, "code", put_linear(&net, "code", h, 6)), CLV_ACT_RELU);
    h = put1(&net, CLV_OP_DROPOUT, "drop2", h, (clv_attr){.rate = 0.5f, .stream = CLV_STREAM_GRAPH + 2});
    h = put_act(&net, put_bias(&net, "back", put_linear(&net, "back", h, 16)), CLV_ACT_LEAKY_RELU);
    h = put_deconv(&net, "deconv", put_reshape(&net, h, 4, 2, 2), 2,
                   (clv_attr){.kernel = 3, .stride = 2, .pad = 0}); /* 5 x 5 */
    h = put_act(&net, put_bias(&net, "deconv", h), CLV_ACT_SIGMOID);
    const clv_node target = put_input(&net, CLV_OP_INPUT, "target", 2, 5, 5);
    net.loss = put1(&net, CLV_OP_MEAN, "loss", put2(&net, CLV_OP_MSE, "mse", h, target, (clv_attr){0}), (clv_attr){0});
    return net;
}

/* A classifier, and the ops that networks seldom have: a sum that scales and joins the features. */
static network build_classifier(void)
{
    network net = network_start();
    const clv_node x = put_input(&net, CLV_OP_GATHER, "images", 1, 6, 6);
    const clv_node label = put_input(&net, CLV_OP_LABEL, "label", 1, 1, 1);
    clv_node h = put_conv(&net, "conv", x, 3, (clv_attr){.kernel = 3, .stride = 2, .pad = 1}); /* 3 x 3 */
    h = put_act(&net, put_bias(&net, "conv", h), CLV_ACT_TANH);
    const clv_node total = put1(&net, CLV_OP_SUM, "sum", h, (clv_attr){0});
    const clv_shape like = batch_shape(3, 3, 3);
    const clv_node spread = put_shaped(&net, CLV_OP_BROADCAST, "broadcast", 1, &total, (clv_attr){0}, &like);
    const clv_node scaled = put2(&net, CLV_OP_MUL_IMAGE, "mul_image",
                                 put1(&net, CLV_OP_SCALE, "scale", total, (clv_attr){.alpha = 0.1f}), h, (clv_attr){0});
    h = put2(&net, CLV_OP_ADD, "add", scaled, put1(&net, CLV_OP_SCALE, "scale", spread, (clv_attr){.alpha = 0.05f}),
             (clv_attr){0});
    h = put2(&net, CLV_OP_MUL, "mul", h, put_act(&net, h, CLV_ACT_SIGMOID), (clv_attr){0});
    h = put_bias(&net, "logits", put_linear(&net, "logits", put_flat(&net, h, 27), 3));
    net.loss = put1(&net, CLV_OP_MEAN, "loss", put2(&net, CLV_OP_XENT, "xent", h, label, (clv_attr){0}), (clv_attr){0});
    return net;
}

static void test_vae(void **state) { (void)state, check_both(build_vae); }
static void test_autoencoder(void **state) { (void)state, check_both(build_autoencoder); }
static void test_classifier(void **state) { (void)state, check_both(build_classifier); }

static void test_random_networks(void **state)
{
    (void)state;
    int sound = 0;
    for (unsigned long i = 0; i < RANDOM_NETWORKS; i++) {
        network net = random_network(seed + i / 2);
        if (i % 2 && net.status == CLV_OK) net.status = clv_graph_fuse(net.graph, 0, &net.err);
        sound += check_network(&net);
        network_end(&net);
    }
    assert_true(sound >= RANDOM_NETWORKS / 4);
}

/* Runs last: each op whose row in rules.def passes a gradient on was in a network above. */
static void test_all_rules_were_covered(void **state)
{
    (void)state;
#define R(NAME, shape, gradient)                                                                                       \
    if (strcmp(#gradient, "none") != 0 && strcmp(#gradient, "leaf") != 0 && !covered[CLV_OP_##NAME])                   \
        fail_msg("no network of this test has a '%s'", clv_op_table[CLV_OP_##NAME].name);
#include "graph/rules.def"
#undef R
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vae),
        cmocka_unit_test(test_autoencoder),
        cmocka_unit_test(test_classifier),
        cmocka_unit_test(test_random_networks),
        cmocka_unit_test(test_all_rules_were_covered),
    };
    seed = fresh_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
