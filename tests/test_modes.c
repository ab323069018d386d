/* What a model's graphs compute, on the reference in double: encoding and decoding give the reconstruction, losses are
 * those of the reconstruction, a training step moves as its formula says, fusion changes nothing. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/backend.h"
#include "base/philox.h"
#include "model/model.h"

enum { C = 2, H = 6, W = 8, PIXELS = C * H * W, IMAGES = 9, BATCH = 5, FIRST = 3 };

/* A code that is an image, odd sizes, dropout. */
#define AUTOENCODER                                                                                                    \
    "[encoder]\na = conv channels=3 kernel=3 stride=2 pad=1 act=tanh\nd = dropout rate=0.5\n"                          \
    "b = conv channels=2 kernel=2 act=leaky_relu slope=0.125\n"                                                        \
    "[decoder]\nc = deconv channels=3 kernel=2 act=sigmoid\n"                                                          \
    "e = deconv channels=2 kernel=3 stride=2 pad=1 out_pad=1\n"
#define VAE                                                                                                            \
    "[experiment]\ntask = vae\n[encoder]\na = linear units=7 act=tanh\ncode = gaussian units=3\n"                      \
    "[decoder]\nb = linear units=96 init=glorot\nimage = reshape channels=2 height=6 width=8\n"

static clv_backend *backend;
static uint8_t pixel[IMAGES * PIXELS];
static uint32_t order[IMAGES];

static void must(clv_status status, const clv_error *err)
{
    if (status != CLV_OK) fail_msg("%s", err->message);
}

static int start(void **state)
{
    (void)state;
    clv_random random = clv_random_start(3, 1);
    for (int i = 0; i < IMAGES * PIXELS; i++) pixel[i] = (uint8_t)clv_random_word(&random);
    for (uint32_t i = 0; i < IMAGES; i++) order[i] = (i * 5 + 2) % IMAGES;
    return clv_cpu_backend_create(true, &backend, NULL) == CLV_OK ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    clv_backend_destroy(backend);
    return 0;
}

/* A model and one of its graphs, ready to run on images FIRST .. FIRST + BATCH - 1 of the order. */
typedef struct runner {
    clv_config *config;
    clv_model *model;
    clv_model_graph graph;
    clv_plan *plan;
    clv_bindings bindings;
    clv_program *program;
    float *param; /* initial values */
} runner;

static void make_buffers(runner *r, clv_error *err)
{
    for (int space = 0; space < CLV_SPACE_COUNT; space++)
        if (r->plan->elements[space])
            must(clv_buffer_create(backend, r->plan->elements[space] * backend->element_size, &r->bindings.space[space],
                                   err),
                 err);
    clv_device_dataset *data = &r->bindings.dataset[0];
    must(clv_buffer_create(backend, sizeof pixel, &data->images, err), err);
    must(clv_buffer_create(backend, sizeof order, &data->order, err), err);
    must(clv_buffer_write(backend, data->images, 0, pixel, sizeof pixel, err), err);
    must(clv_buffer_write(backend, data->order, 0, order, sizeof order, err), err);
}

static runner prepare(const char *text, clv_mode mode)
{
    runner r = {0};
    clv_error err = {0};
    must(clv_config_parse("t.ini", text, strlen(text), NULL, 0, &r.config, NULL, &err), &err);
    must(clv_model_create(r.config, (clv_image_shape){C, H, W}, backend->alignment, &r.model, &err), &err);
    must(clv_model_graph_create(r.model, mode, 0, &r.graph, &err), &err);
    const clv_param_layout *layout = clv_model_params(r.model);
    clv_plan_options options = {.batch = BATCH,
                                .lane_width = backend->lane_width,
                                .alignment = backend->alignment,
                                .reuse = true,
                                .trace_rows = 1};
    must(clv_plan_create(r.graph.graph, layout, r.graph.gradient, &options, &r.plan, &err), &err);
    make_buffers(&r, &err);
    must(clv_program_create(backend, r.plan, &r.bindings, &r.program, &err), &err);
    assert_non_null(r.param = calloc(layout->elements, sizeof *r.param));
    must(clv_model_init(r.model, 11, r.param, &err), &err);
    must(clv_buffer_write_floats(backend, r.bindings.space[CLV_SPACE_PARAM], 0, r.param,
                                 r.plan->elements[CLV_SPACE_PARAM], &err),
         &err);
    return r;
}

static void run(runner *r)
{
    clv_error err = {0};
    clv_step step = {.seed = {11, 0}, .offset = FIRST, .count = BATCH, .lr = 0.5f, .correction1 = 1, .correction2 = 1};
    must(clv_program_run(backend, r->program, &step, &err), &err);
    must(clv_backend_finish(backend, &err), &err);
}

static void discard(runner *r)
{
    clv_program_destroy(backend, r->program);
    for (int space = 0; space < CLV_SPACE_COUNT; space++)
        if (r->bindings.space[space]) clv_buffer_destroy(backend, r->bindings.space[space]);
    clv_buffer_destroy(backend, r->bindings.dataset[0].images);
    clv_buffer_destroy(backend, r->bindings.dataset[0].order);
    clv_plan_destroy(r->plan);
    clv_model_graph_destroy(&r->graph);
    clv_model_destroy(r->model);
    clv_config_destroy(r->config);
    free(r->param);
}

/* A batched tensor of the host's: value[feature][image], BATCH images a feature. */
static void read_node(const runner *r, clv_node node, float value[])
{
    clv_error err = {0};
    const clv_operand *place = &r->plan->place[node];
    assert_int_equal(place->space, CLV_SPACE_ARENA);
    for (int f = 0; f < clv_shape_elements(&place->shape); f++)
        must(clv_buffer_read_floats(backend, r->bindings.space[CLV_SPACE_ARENA],
                                    place->offset + (size_t)f * (size_t)r->plan->lanes, value + f * BATCH, BATCH, &err),
             &err);
}

static void write_node(const runner *r, clv_node node, const float value[])
{
    clv_error err = {0};
    const clv_operand *place = &r->plan->place[node];
    for (int f = 0; f < clv_shape_elements(&place->shape); f++)
        must(clv_buffer_write_floats(backend, r->bindings.space[CLV_SPACE_ARENA],
                                     place->offset + (size_t)f * (size_t)r->plan->lanes, value + f * BATCH, BATCH,
                                     &err),
             &err);
}

/* The sum over the batch's images of a metric. */
static double metric_of(const runner *r, const char *name)
{
    float row[CLV_MAX_METRICS];
    clv_error err = {0};
    must(clv_buffer_read_floats(backend, r->bindings.space[CLV_SPACE_TRACE], 0, row, (size_t)r->plan->slots, &err),
         &err);
    for (int i = 0; i < r->graph.metrics; i++)
        if (!strcmp(r->graph.metric[i], name)) return row[r->graph.slot[i]];
    fail_msg("no metric '%s'", name);
    return 0;
}

static void assert_near(double a, double b)
{
    if (!(fabs(a - b) <= 1e-5 * (1 + fabs(b)))) fail_msg("%.9g is not %.9g", a, b);
}

/* ---- the tests ---- */

static const char *const texts[] = {AUTOENCODER, "[loss]\nreconstruction=bce\n" AUTOENCODER, VAE,
                                    "[plan]\nfuse = false\n[loss]\nreconstruction=bce\n" VAE};
enum { TEXTS = sizeof texts / sizeof *texts };

static void decoding_the_code_gives_the_reconstruction(void **state)
{
    (void)state;
    for (int i = 0; i < TEXTS; i++) {
        runner encode = prepare(texts[i], CLV_MODE_ENCODE), decode = prepare(texts[i], CLV_MODE_DECODE),
               both = prepare(texts[i], CLV_MODE_RECONSTRUCT);
        float code[64 * BATCH], decoded[PIXELS * BATCH], reconstructed[PIXELS * BATCH], images[PIXELS * BATCH];
        run(&encode);
        read_node(&encode, encode.graph.code, code);
        write_node(&decode, decode.graph.code, code);
        run(&decode);
        read_node(&decode, decode.graph.output, decoded);
        run(&both);
        read_node(&both, both.graph.output, reconstructed);
        read_node(&both, both.graph.images, images);
        for (int f = 0; f < PIXELS; f++)
            for (int n = 0; n < BATCH; n++) {
                assert_near(decoded[f * BATCH + n], reconstructed[f * BATCH + n]);
                assert_near(images[f * BATCH + n], pixel[order[FIRST + n] * PIXELS + f] / 255.0);
            }
        discard(&encode);
        discard(&decode);
        discard(&both);
    }
}

/* Sum over the batch of the mean squared error, or of the cross-entropy, of y in 0 .. 1 against the images. */
static double loss_by_hand(const float y[], const float images[], bool bce)
{
    double sum = 0;
    for (int i = 0; i < PIXELS * BATCH; i++) {
        double p = y[i], t = images[i];
        sum += bce ? -t * log(p) - (1 - t) * log(1 - p) : (p - t) * (p - t) / (double)PIXELS;
    }
    return sum;
}

static void losses_are_those_of_the_reconstruction(void **state)
{
    (void)state;
    for (int bce = 0; bce < 2; bce++) {
        runner r = prepare(texts[bce], CLV_MODE_RECONSTRUCT), e = prepare(texts[bce], CLV_MODE_EVALUATE);
        float y[PIXELS * BATCH], images[PIXELS * BATCH];
        run(&r);
        run(&e);
        read_node(&r, r.graph.output, y);
        read_node(&r, r.graph.images, images);
        double wanted = loss_by_hand(y, images, bce);
        assert_near(metric_of(&e, bce ? "bce" : "mse"), wanted);
        assert_near(metric_of(&e, "loss"), wanted);
        discard(&r);
        discard(&e);
    }
}

/* The code of a vae: loss = reconstruction + beta KL, and the KL by hand from mu and logvar. */
static void a_vaes_loss_weighs_the_divergence(void **state)
{
    (void)state;
    static const char *const beta[] = {"1", "4", "0"};
    for (int i = 0; i < 3; i++) {
        char text[1024];
        snprintf(text, sizeof text, "[loss]\nreconstruction=bce\nbeta=%s\n%s", beta[i], VAE);
        runner encode = prepare(text, CLV_MODE_ENCODE), e = prepare(text, CLV_MODE_EVALUATE);
        float mu[3 * BATCH], logvar[3 * BATCH];
        double kl = 0;
        run(&encode);
        run(&e);
        read_node(&encode, encode.graph.code, mu);
        read_node(&encode, encode.graph.logvar, logvar);
        for (int k = 0; k < 3 * BATCH; k++) kl -= 0.5 * (1 + logvar[k] - mu[k] * mu[k] - exp(logvar[k]));
        assert_near(metric_of(&e, "kl"), kl);
        assert_near(metric_of(&e, "loss"), metric_of(&e, "bce") + atof(beta[i]) * kl);
        discard(&encode);
        discard(&e);
    }
}

/* The step of SGD, by hand from the gradients on the device; all parameters have one, at their own places. */
static void a_training_step_moves_every_parameter(void **state)
{
    (void)state;
    for (int i = 0; i < TEXTS; i++) {
        char text[1024];
        snprintf(text, sizeof text, "[train]\noptimizer = sgd\nl2 = 0.25\n%s", texts[i]);
        runner r = prepare(text, CLV_MODE_TRAIN);
        const clv_param_layout *layout = clv_model_params(r.model);
        clv_error err = {0};
        float *moved = calloc(layout->elements, sizeof *moved), *gradient = calloc(layout->elements, sizeof *gradient);
        assert_true(moved && gradient);
        run(&r);
        must(clv_buffer_read_floats(backend, r.bindings.space[CLV_SPACE_PARAM], 0, moved, layout->elements, &err),
             &err);
        must(clv_buffer_read_floats(backend, r.bindings.space[CLV_SPACE_GRAD], 0, gradient, layout->trained, &err),
             &err);
        for (int k = 0; k < layout->params; k++) {
            const struct clv_param_place *p = &layout->param[k];
            double size = 0;
            for (size_t at = p->offset; at < p->offset + (size_t)clv_shape_elements(&p->shape); at++) {
                assert_near(moved[at], r.param[at] - 0.5 * (gradient[at] + 0.25 * r.param[at]));
                size += fabs((double)gradient[at]);
            }
            if (!(size > 0)) fail_msg("the gradient of %s is 0", p->name);
        }
        free(moved);
        free(gradient);
        discard(&r);
    }
}

static void fusion_changes_no_number(void **state)
{
    (void)state;
    static const char *const names[] = {"loss", "bce"};
    for (int vae = 0; vae < 2; vae++) {
        double value[2][2];
        float moved[2][2048];
        for (int fuse = 0; fuse < 2; fuse++) {
            char text[1024];
            snprintf(text, sizeof text, "[plan]\nfuse=%s\n[loss]\nreconstruction=bce\n%s", fuse ? "true" : "false",
                     vae ? VAE : AUTOENCODER);
            runner r = prepare(text, CLV_MODE_TRAIN);
            clv_error err = {0};
            size_t elements = clv_model_params(r.model)->elements;
            assert_true(elements <= 2048);
            run(&r);
            for (int i = 0; i < 2; i++) value[fuse][i] = metric_of(&r, names[i]);
            must(clv_buffer_read_floats(backend, r.bindings.space[CLV_SPACE_PARAM], 0, moved[fuse], elements, &err),
                 &err);
            for (size_t i = elements; i < 2048; i++) moved[fuse][i] = 0;
            discard(&r);
        }
        for (int i = 0; i < 2; i++) assert_near(value[0][i], value[1][i]);
        for (int i = 0; i < 2048; i++) assert_near(moved[0][i], moved[1][i]);
    }
}

/* A row's graph has images and an output; whatever else a mode may have is no node. */
static void a_rows_graph_ends_at_the_row(void **state)
{
    (void)state;
    clv_error err = {0};
    runner r = prepare(AUTOENCODER, CLV_MODE_ENCODE);
    clv_model_graph row;
    must(clv_model_layer_graph_create(r.model, "a", 0, &row, &err), &err);
    assert_true(row.mode == CLV_MODE_ENCODE && row.graph && row.images != CLV_NODE_NONE && row.output != row.images);
    const clv_node none[] = {row.labels,     row.noisy,    row.code,        row.logvar,
                             row.image_loss, row.image_kl, row.image_weight};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) assert_int_equal(none[i], CLV_NODE_NONE);
    clv_model_graph_destroy(&row);
    discard(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decoding_the_code_gives_the_reconstruction),
        cmocka_unit_test(losses_are_those_of_the_reconstruction),
        cmocka_unit_test(a_vaes_loss_weighs_the_divergence),
        cmocka_unit_test(a_training_step_moves_every_parameter),
        cmocka_unit_test(fusion_changes_no_number),
        cmocka_unit_test(a_rows_graph_ends_at_the_row),
    };
    return cmocka_run_group_tests_name("modes", tests, start, stop);
}
