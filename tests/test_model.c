/* Models: shapes and counts worked out by hand, the graph of each mode, what is refused and how, initial values. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/philox.h"
#include "model/build.h"
#include "model/layers.h"
#include "model/model.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- models from text ---- */

/* The convolutional autoencoder of the study: 8, 16, 64 channels, 64 units, a code of 2. */
static const char e1[] = "[experiment]\n"
                         "task = autoencoder\n"
                         "[encoder]\n"
                         "conv1 = conv channels=8 kernel=3 stride=2 pad=1 act=relu\n"
                         "conv2 = conv channels=16 kernel=3 stride=2 pad=1 act=relu\n"
                         "conv3 = conv channels=64 kernel=3 stride=2 pad=0 act=relu\n"
                         "flat = flatten\n"
                         "fc = linear units=64 act=relu\n"
                         "drop = dropout rate=0.1\n"
                         "code = linear units=2\n"
                         "[decoder]\n"
                         "fc2 = linear units=64 act=relu\n"
                         "drop2 = dropout rate=0.25\n"
                         "fc3 = linear units=576 act=relu\n"
                         "image = reshape channels=64 height=3 width=3\n"
                         "deconv1 = deconv channels=16 kernel=3 stride=2 act=relu\n"
                         "deconv2 = deconv channels=8 kernel=3 stride=2 pad=1 out_pad=1 act=relu\n"
                         "deconv3 = deconv channels=1 kernel=3 stride=2 pad=1 out_pad=1 act=sigmoid\n"
                         "[loss]\n"
                         "reconstruction = mse\n";

/* The variational autoencoder of the study. */
#define E5_LAYERS                                                                                                      \
    "[encoder]\n"                                                                                                      \
    "conv1 = conv channels=64 kernel=4 stride=2 pad=1 act=relu\n"                                                      \
    "conv2 = conv channels=128 kernel=4 stride=2 pad=1 act=relu\n"                                                     \
    "code = gaussian units=2\n"                                                                                        \
    "[decoder]\n"                                                                                                      \
    "fc = linear units=6272 act=relu\n"                                                                                \
    "image = reshape channels=128 height=7 width=7\n"                                                                  \
    "deconv1 = deconv channels=64 kernel=4 stride=2 pad=1 act=relu\n"                                                  \
    "deconv2 = deconv channels=1 kernel=4 stride=2 pad=1\n"
static const char e5[] = "[experiment]\ntask = vae\n[loss]\nreconstruction = bce\n" E5_LAYERS;

static clv_config *config_of(const char *text)
{
    clv_config *config = NULL;
    clv_error err = {0};
    if (clv_config_parse("t.ini", text, strlen(text), NULL, 0, &config, NULL, &err) != CLV_OK)
        fail_msg("%s in:\n%s", err.message, text);
    return config;
}

typedef struct fixture {
    clv_config *config;
    clv_model *model;
} fixture;

static fixture model_of(const char *text, clv_image_shape image)
{
    fixture f = {config_of(text), NULL};
    clv_error err = {0};
    if (clv_model_create(f.config, image, 16, &f.model, &err) != CLV_OK) fail_msg("%s", err.message);
    return f;
}

static void release(fixture *f)
{
    clv_model_destroy(f->model);
    clv_config_destroy(f->config);
}

static const clv_image_shape mnist = {1, 28, 28};

static clv_model_graph graph_of(const fixture *f, clv_mode mode, int dataset)
{
    clv_model_graph g;
    clv_error err = {0};
    if (clv_model_graph_create(f->model, mode, dataset, &g, &err) != CLV_OK) fail_msg("%s", err.message);
    assert_int_equal(g.mode, mode);
    return g;
}

static int count_ops(const clv_model_graph *g, clv_op op)
{
    int count = 0;
    for (clv_node i = 0; i < clv_graph_size(g->graph); i++) count += clv_graph_node(g->graph, i)->op == op;
    return count;
}

/* The only node of an op. */
static const clv_node_info *only(const clv_model_graph *g, clv_op op)
{
    assert_int_equal(count_ops(g, op), 1);
    clv_node i = 0;
    while (clv_graph_node(g->graph, i)->op != op) i++;
    return clv_graph_node(g->graph, i);
}

static void assert_shape(const clv_model_graph *g, clv_node node, const char *text)
{
    char buffer[CLV_NAME_SIZE];
    assert_true(node != CLV_NODE_NONE);
    assert_string_equal(clv_shape_print(&clv_graph_node(g->graph, node)->shape, buffer), text);
}

/* ---- shapes and counts ---- */

typedef struct expected_param {
    const char *name, *shape;
} expected_param;

static void assert_params(const clv_model *model, const expected_param *expected, size_t count, int64_t total)
{
    const clv_param_layout *layout = clv_model_params(model);
    char buffer[CLV_NAME_SIZE];
    int64_t elements = 0;
    assert_int_equal(layout->params, count);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(layout->param[i].name, expected[i].name);
        assert_string_equal(clv_shape_print(&layout->param[i].shape, buffer), expected[i].shape);
        assert_true(layout->param[i].trained);
        assert_int_equal(layout->param[i].offset % 16, 0);
        elements += clv_shape_elements(&layout->param[i].shape);
    }
    assert_true(elements == total);
}

static void e1_has_the_parameters_of_the_study(void **state)
{
    (void)state;
    static const expected_param expected[] = {
        {"conv1.weight", "[8][1][3][3]"},
        {"conv1.bias", "[8]"},
        {"conv2.weight", "[16][8][3][3]"},
        {"conv2.bias", "[16]"},
        {"conv3.weight", "[64][16][3][3]"},
        {"conv3.bias", "[64]"},
        {"fc.weight", "[64][576]"},
        {"fc.bias", "[64]"},
        {"code.weight", "[2][64]"},
        {"code.bias", "[2]"},
        {"fc2.weight", "[64][2]"},
        {"fc2.bias", "[64]"},
        {"fc3.weight", "[576][64]"},
        {"fc3.bias", "[576]"},
        {"deconv1.weight", "[64][16][3][3]"},
        {"deconv1.bias", "[16]"},
        {"deconv2.weight", "[16][8][3][3]"},
        {"deconv2.bias", "[8]"},
        {"deconv3.weight", "[8][1][3][3]"},
        {"deconv3.bias", "[1]"},
    };
    fixture f = model_of(e1, mnist);
    /* 80 + 1168 + 9280 + 36928 + 130, and 192 + 37440 + 9232 + 1160 + 73 */
    assert_params(f.model, expected, COUNT(expected), 95683);
    assert_int_equal(clv_model_latent(f.model), 2);
    assert_false(clv_model_is_vae(f.model));
    release(&f);
}

static void e5_has_the_parameters_of_the_study(void **state)
{
    (void)state;
    static const expected_param expected[] = {
        {"conv1.weight", "[64][1][4][4]"},
        {"conv1.bias", "[64]"},
        {"conv2.weight", "[128][64][4][4]"},
        {"conv2.bias", "[128]"},
        {"code.mu.weight", "[2][6272]"},
        {"code.mu.bias", "[2]"},
        {"code.logvar.weight", "[2][6272]"},
        {"code.logvar.bias", "[2]"},
        {"fc.weight", "[6272][2]"},
        {"fc.bias", "[6272]"},
        {"deconv1.weight", "[128][64][4][4]"},
        {"deconv1.bias", "[64]"},
        {"deconv2.weight", "[64][1][4][4]"},
        {"deconv2.bias", "[1]"},
    };
    fixture f = model_of(e5, mnist);
    /* 1088 + 131200 + 2 x 12546 + 18816 + 131136 + 1025 */
    assert_params(f.model, expected, COUNT(expected), 308357);
    assert_int_equal(clv_model_latent(f.model), 2);
    assert_true(clv_model_is_vae(f.model));
    release(&f);
}

static char *printed(const clv_model *model)
{
    char *text = NULL;
    size_t size;
    clv_error err = {0};
    FILE *file = open_memstream(&text, &size);
    assert_non_null(file);
    if (clv_model_print(model, file, &err) != CLV_OK) fail_msg("%s", err.message);
    fclose(file);
    return text;
}

static void the_summary_is_an_aligned_table(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "layer    type                                                             output   parameters  "
        "multiply-adds\n",
        "images                                                                    1x28x28\n",
        "conv1    conv channels=8 kernel=3 stride=2 pad=1 act=relu                 8x14x14          80         "
        "13,448\n",
        "flat     flatten                                                          576x1x1           0              "
        "0\n",
        "fc       linear units=64 act=relu                                         64x1x1       36,928         "
        "36,864\n",
        "drop     dropout rate=0.1                                                 64x1x1            0              "
        "0\n",
        "deconv2  deconv channels=8 kernel=3 stride=2 pad=1 out_pad=1 act=relu     8x14x14       1,160         "
        "51,200\n",
        "total                                                                                  95,683        "
        "369,168\n",
    };
    fixture f = model_of(e1, mnist);
    char *text = printed(f.model);
    for (size_t i = 0; i < COUNT(lines); i++)
        if (!strstr(text, lines[i])) fail_msg("no line '%s' in:\n%s", lines[i], text);
    free(text);
    release(&f);
}

static void a_table_that_cannot_be_written_is_an_error(void **state)
{
    (void)state;
    FILE *full = fopen("/dev/full", "w");
    if (!full) skip();
    fixture f = model_of(e1, mnist);
    clv_error err = {0};
    assert_int_equal(clv_model_print(f.model, full, &err), CLV_ERR_INTERNAL);
    assert_non_null(strstr(err.message, "cannot write"));
    fclose(full);
    release(&f);
}

static void every_layer_type_can_be_built(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(clv_layer_table); i++)
        if (!clv_build_knows(clv_layer_table[i].name)) fail_msg("layer type '%s'", clv_layer_table[i].name);
    assert_false(clv_build_knows("pool"));
}

/* ---- the graph of each mode ---- */

static void plan_it(const fixture *f, const clv_model_graph *g)
{
    clv_plan *plan = NULL;
    clv_error err = {0};
    clv_plan_options options = {.batch = 5, .lane_width = 4, .alignment = 16, .reuse = true, .trace_rows = 3};
    if (clv_plan_create(g->graph, clv_model_params(f->model), g->gradient, &options, &plan, &err) != CLV_OK)
        fail_msg("%s", err.message);
    int slots = 0;
    for (int i = 0; i < g->metrics; i++)
        if (g->slot[i] >= slots) slots = g->slot[i] + 1;
    assert_int_equal(plan->slots, slots);
    clv_plan_destroy(plan);
}

static void training_has_losses_gradients_and_an_optimiser(void **state)
{
    (void)state;
    static const char *const extra[] = {"", "[plan]\nfuse = false\n"};
    for (int i = 0; i < 2; i++) {
        char text[2048];
        snprintf(text, sizeof text, "%s%s", e5, extra[i]);
        fixture f = model_of(text, mnist);
        clv_model_graph g = graph_of(&f, CLV_MODE_TRAIN, 0);
        const clv_param_layout *layout = clv_model_params(f.model);
        assert_shape(&g, g.images, "[1][28][28][n]");
        assert_int_equal(g.metrics, 3);
        assert_string_equal(g.metric[0], "loss");
        assert_string_equal(g.metric[1], "bce");
        assert_string_equal(g.metric[2], "kl");
        assert_int_equal(count_ops(&g, CLV_OP_RECORD), 3);
        assert_int_equal(count_ops(&g, CLV_OP_BCE), i == 1); /* fused: one with its gradient */
        assert_int_equal(count_ops(&g, CLV_OP_BCE_HEAD), 0); /* in one with the layer it is of */
        assert_int_equal(count_ops(&g, CLV_OP_SCALE), 0);    /* beta is 1 */
        assert_true(only(&g, CLV_OP_ADAM)->output);
        for (int k = 0; k < layout->params; k++)
            assert_true(clv_shape_equal(&clv_graph_node(g.graph, g.gradient[k])->shape, &layout->param[k].shape));
        plan_it(&f, &g);
        clv_model_graph_destroy(&g);
        release(&f);
    }
}

static void a_plain_loss_is_recorded_once_under_two_names(void **state)
{
    (void)state;
    fixture f = model_of(e1, mnist);
    clv_model_graph g = graph_of(&f, CLV_MODE_TRAIN, 0);
    assert_int_equal(g.metrics, 2);
    assert_string_equal(g.metric[1], "mse");
    assert_true(count_ops(&g, CLV_OP_MSE_HEAD) >
                0); /* with its gradient; what an activation fused with stays in the list */
    assert_int_equal(count_ops(&g, CLV_OP_MSE), 0);
    assert_int_equal(g.slot[1], g.slot[0]);
    assert_int_equal(count_ops(&g, CLV_OP_RECORD), 1);
    assert_int_equal(count_ops(&g, CLV_OP_ADD), 0);
    plan_it(&f, &g);
    clv_model_graph_destroy(&g);
    release(&f);
}

static void evaluation_trains_nothing_and_draws_other_numbers(void **state)
{
    (void)state;
    fixture f = model_of(e5, mnist);
    clv_model_graph train = graph_of(&f, CLV_MODE_TRAIN, 0), evaluate = graph_of(&f, CLV_MODE_EVALUATE, 1);
    assert_int_equal(only(&train, CLV_OP_GATHER)->attr.dataset, 0);
    assert_int_equal(only(&evaluate, CLV_OP_GATHER)->attr.dataset, 1);
    assert_int_equal(only(&train, CLV_OP_SAMPLE)->attr.stream, CLV_STREAM_GRAPH);
    assert_int_equal(only(&evaluate, CLV_OP_SAMPLE)->attr.stream, CLV_STREAM_EVAL);
    assert_true(count_ops(&train, CLV_OP_SAMPLE_GRAD) > 0); /* two: one fused away */
    for (clv_node i = 0; i < clv_graph_size(train.graph); i++)
        if (clv_graph_node(train.graph, i)->op == CLV_OP_SAMPLE_GRAD)
            assert_int_equal(clv_graph_node(train.graph, i)->attr.stream, CLV_STREAM_GRAPH);
    assert_int_equal(evaluate.metrics, 3);
    assert_int_equal(count_ops(&evaluate, CLV_OP_ADAM) + count_ops(&evaluate, CLV_OP_CONV_WEIGHT), 0);
    assert_null(evaluate.gradient);
    plan_it(&f, &evaluate);
    clv_model_graph_destroy(&train);
    clv_model_graph_destroy(&evaluate);
    release(&f);
}

static void dropout_is_on_in_training_alone(void **state)
{
    (void)state;
    fixture f = model_of(e1, mnist);
    float rate[2];
    uint32_t stream[2];
    for (int mode = 0; mode < CLV_MODE_COUNT; mode++) {
        if (!clv_model_has_mode(f.model, (clv_mode)mode)) continue;
        clv_model_graph g = graph_of(&f, (clv_mode)mode, 0);
        int found = 0;
        for (clv_node i = 0; i < clv_graph_size(g.graph); i++) {
            const clv_node_info *node = clv_graph_node(g.graph, i);
            if (node->attr.rate == 0) continue; /* a dropout, or a product that one was fused with */
            rate[found / 2] = node->attr.rate;  /* forward; backward comes in the opposite order */
            stream[found / 2] = node->attr.stream;
            if (++found == 1) {
                rate[1] = rate[0], stream[1] = stream[0];
            }
        }
        assert_int_equal(found, mode == CLV_MODE_TRAIN ? 4 : 0);
        if (mode == CLV_MODE_TRAIN) {
            assert_true(rate[0] == 0.25f && rate[1] == 0.1f);
            assert_true(stream[0] == CLV_STREAM_GRAPH + 1 && stream[1] == CLV_STREAM_GRAPH);
        }
        plan_it(&f, &g);
        clv_model_graph_destroy(&g);
    }
    release(&f);
}

static void beta_weighs_the_divergence(void **state)
{
    (void)state;
    fixture f = model_of("[experiment]\ntask = vae\n[loss]\nbeta = 4\n" E5_LAYERS, mnist);
    clv_model_graph g = graph_of(&f, CLV_MODE_EVALUATE, 0);
    const clv_node_info *scale = only(&g, CLV_OP_SCALE);
    assert_true(scale->attr.alpha == 4.0f);
    assert_int_equal(clv_graph_node(g.graph, scale->input[0])->op, CLV_OP_KL);
    clv_model_graph_destroy(&g);
    release(&f);
}

static void a_vae_encodes_mu_and_logvar_and_decodes_mu(void **state)
{
    (void)state;
    fixture f = model_of(e5, mnist);
    clv_model_graph g = graph_of(&f, CLV_MODE_ENCODE, 1);
    assert_shape(&g, g.code, "[2][1][1][n]");
    assert_shape(&g, g.logvar, "[2][1][1][n]");
    assert_true(clv_graph_node(g.graph, g.code)->output && clv_graph_node(g.graph, g.logvar)->output);
    assert_string_equal(clv_graph_node(g.graph, g.code)->name, "code.mu");
    assert_string_equal(clv_graph_node(g.graph, g.logvar)->name, "code.logvar");
    assert_int_equal(count_ops(&g, CLV_OP_SAMPLE), 0);
    plan_it(&f, &g);
    clv_model_graph_destroy(&g);

    g = graph_of(&f, CLV_MODE_RECONSTRUCT, 1);
    assert_int_equal(count_ops(&g, CLV_OP_SAMPLE) + count_ops(&g, CLV_OP_RECORD), 0);
    assert_shape(&g, g.images, "[1][28][28][n]");
    assert_shape(&g, g.output, "[1][28][28][n]");
    assert_true(clv_graph_node(g.graph, g.images)->output && clv_graph_node(g.graph, g.output)->output);
    plan_it(&f, &g);
    clv_model_graph_destroy(&g);
    release(&f);
}

static void pictures_of_logits_get_the_sigmoid(void **state)
{
    (void)state;
    static const clv_mode modes[] = {CLV_MODE_DECODE, CLV_MODE_RECONSTRUCT};
    for (int bce = 0; bce < 2; bce++) {
        char text[2048];
        snprintf(text, sizeof text, "[plan]\nfuse=false\n[experiment]\ntask = vae\n[loss]\nreconstruction = %s\n%s",
                 bce ? "bce" : "mse", E5_LAYERS);
        fixture f = model_of(text, mnist);
        for (int i = 0; i < 2; i++) {
            clv_model_graph g = graph_of(&f, modes[i], 0);
            const clv_node_info *output = clv_graph_node(g.graph, g.output);
            assert_true((output->op == CLV_OP_ACT && output->attr.act == CLV_ACT_SIGMOID) == (bce == 1));
            clv_model_graph_destroy(&g);
        }
        release(&f);
    }
}

static void decoding_starts_from_an_input(void **state)
{
    (void)state;
    fixture f = model_of(e1, mnist);
    clv_model_graph g = graph_of(&f, CLV_MODE_DECODE, 0);
    assert_int_equal(clv_graph_node(g.graph, g.code)->op, CLV_OP_INPUT);
    assert_shape(&g, g.code, "[2][1][1][n]");
    assert_shape(&g, g.output, "[1][28][28][n]");
    assert_true(g.images == CLV_NODE_NONE && g.labels == CLV_NODE_NONE && g.logvar == CLV_NODE_NONE);
    assert_int_equal(count_ops(&g, CLV_OP_GATHER), 0);
    plan_it(&f, &g);
    clv_model_graph_destroy(&g);
    release(&f);
}

/* A code that is an image is [latent][1][1] for the host all the same; linear flattens by itself. */
static void a_code_may_be_an_image(void **state)
{
    (void)state;
    fixture f = model_of("[encoder]\na = conv channels=3 kernel=2 stride=2\n[decoder]\nb = linear units=96 bias=false\n"
                         "c = reshape channels=2 height=6 width=8\n",
                         (clv_image_shape){2, 6, 8});
    static const expected_param expected[] = {
        {"a.weight", "[3][2][2][2]"}, {"a.bias", "[3]"}, {"b.weight", "[96][36]"}};
    assert_params(f.model, expected, COUNT(expected), 24 + 3 + 96 * 36);
    assert_int_equal(clv_model_latent(f.model), 36);
    for (int mode = 0; mode < CLV_MODE_COUNT; mode++) {
        if (!clv_model_has_mode(f.model, (clv_mode)mode)) continue;
        clv_model_graph g = graph_of(&f, (clv_mode)mode, 0);
        if (mode == CLV_MODE_ENCODE || mode == CLV_MODE_DECODE) assert_shape(&g, g.code, "[36][1][1][n]");
        plan_it(&f, &g);
        clv_model_graph_destroy(&g);
    }
    release(&f);
}

static void optimisers_take_their_keys(void **state)
{
    (void)state;
    char text[2048];
    snprintf(text, sizeof text,
             "[train]\noptimizer=adamw\nweight_decay=0.25\nl2=0.5\nbeta1=0.75\nbeta2=0.5\neps=0.125\n%s", e1);
    fixture f = model_of(text, mnist);
    clv_model_graph g = graph_of(&f, CLV_MODE_TRAIN, 0);
    const clv_attr *a = &only(&g, CLV_OP_ADAM)->attr;
    assert_true(a->weight_decay == 0.25f && a->l2 == 0.5f && a->beta1 == 0.75f && a->beta2 == 0.5f && a->eps == 0.125f);
    clv_model_graph_destroy(&g);
    release(&f);

    snprintf(text, sizeof text, "[train]\noptimizer=sgd\nmomentum=0.5\nl2=0.25\n%s", e1);
    f = model_of(text, mnist);
    g = graph_of(&f, CLV_MODE_TRAIN, 0);
    a = &only(&g, CLV_OP_SGD)->attr;
    assert_true(a->momentum == 0.5f && a->l2 == 0.25f && a->weight_decay == 0);
    clv_model_graph_destroy(&g);
    release(&f);
}

/* ---- what is refused ---- */

#define AE(encoder, decoder)  "[encoder]\n" encoder "\n[decoder]\n" decoder "\n"
#define VAE(encoder, decoder) "[experiment]\ntask=vae\n" AE(encoder, decoder)
#define TO_IMAGE              "linear units=784\nz = reshape channels=1 height=28 width=28"

static const struct misfit {
    const char *text;
    const char *word[4];
} misfits[] = {
    {AE("a = flatten", "b = reshape channels=1 height=28 width=28"), {"nothing to train"}},
    {AE("a = linear units=2", "\nb = linear units=9"), {"t.ini:5: b (linear)", "[9][1][1][n]", "[1][28][28][n]"}},
    {AE("a = linear units=2", "b = linear units=784"), {"t.ini:4: b", "reshape channels=1 height=28 width=28"}},
    {AE("a = conv channels=4 kernel=29", "b = " TO_IMAGE), {"t.ini:2: a (conv) on [1][28][28][n]", "kernel 29"}},
    {AE("a = linear units=2", "b = reshape channels=1 height=3 width=1"),
     {"t.ini:4: b (reshape) on [2][1][1][n]", "[1][3][1][n]"}},
    {AE("a = linear units=4", "b = deconv channels=3 kernel=1 pad=1"), {"t.ini:4: b (deconv)", "[4][1][1][n]"}},
    {AE("a = linear units=4", "b = deconv channels=3 kernel=3 stride=2 out_pad=2"), {"t.ini:4:", "out_pad", "stride"}},
    {AE("a = linear units=4", "a = " TO_IMAGE), {"t.ini:4:", "'a'", "rename"}},
    {VAE("a = gaussian units=9000", "b = linear units=1048576 act=relu\nc = linear units=9000"),
     {"t.ini:6: b (linear)", "[1048576][9000]", "elements"}},
};

static void misfits_name_the_place_and_both_shapes(void **state)
{
    (void)state;
    for (const struct misfit *m = misfits; m < misfits + COUNT(misfits); m++) {
        clv_error err = {0};
        clv_config *config = NULL;
        clv_model *model = NULL;
        clv_status status = clv_config_parse("t.ini", m->text, strlen(m->text), NULL, 0, &config, NULL, &err);
        if (status == CLV_OK) status = clv_model_create(config, mnist, 16, &model, &err);
        assert_null(model);
        for (int k = 0; k < 4 && m->word[k]; k++)
            if (status != CLV_ERR_CONFIG || !strstr(err.message, m->word[k]))
                fail_msg("status %d, wanted '%s' in: %s", (int)status, m->word[k], err.message);
        assert_null(strchr(err.message, '\n'));
        clv_config_destroy(config);
    }
}

/* A name that fits by itself may be too long with ".logvar.weight" behind it. */
static void names_too_long_for_parameters_are_refused(void **state)
{
    (void)state;
    char text[1024], name[61];
    memset(name, 'x', 60);
    name[60] = '\0';
    clv_error err = {0};
    clv_config *config = NULL;
    clv_model *model = NULL;
    snprintf(text, sizeof text, "[experiment]\ntask=vae\n[encoder]\n%s = gaussian units=2\n[decoder]\nb = %s\n", name,
             TO_IMAGE);
    clv_status status = clv_config_parse("t.ini", text, strlen(text), NULL, 0, &config, NULL, &err);
    if (status == CLV_OK) status = clv_model_create(config, mnist, 16, &model, &err);
    assert_int_equal(status, CLV_ERR_CONFIG);
    assert_non_null(strstr(err.message, "t.ini:4: "));
    clv_config_destroy(config);
}

static void every_failed_allocation_is_survived(void **state)
{
    (void)state;
    clv_config *config = config_of(e5);
    clv_model *model = NULL;
    FILE *nowhere = fopen("/dev/null", "w");
    assert_non_null(nowhere);
    for (int what = -1; what <= CLV_MODE_COUNT; what++) { /* -1: the model, COUNT: its table, else a graph */
        clv_status status = CLV_ERR_INTERNAL;
        long n = 0;
        if (what >= 0 && what < CLV_MODE_COUNT && !clv_model_has_mode(model, (clv_mode)what)) continue;
        while (status != CLV_OK) {
            clv_error err = {0};
            clv_model_graph g = {0};
            assert_true(++n < 1000);
            clv_fail_allocation(n);
            status = what == -1               ? clv_model_create(config, mnist, 16, &model, &err)
                     : what == CLV_MODE_COUNT ? clv_model_print(model, nowhere, &err)
                                              : clv_model_graph_create(model, (clv_mode)what, 0, &g, &err);
            clv_fail_allocation(0);
            if (status == CLV_OK && what >= 0 && what < CLV_MODE_COUNT) clv_model_graph_destroy(&g);
            if (status == CLV_OK) break;
            assert_int_equal(status, CLV_ERR_INTERNAL);
            assert_int_equal(err.status, CLV_ERR_INTERNAL);
            assert_true(err.message[0]);
            assert_null(g.graph);
        }
        assert_true(n > 3);
    }
    fclose(nowhere);
    clv_model_destroy(model);
    clv_config_destroy(config);
}

/* ---- initial values ---- */

typedef struct moments {
    double least, most, mean, deviation;
    size_t count;
} moments;

static moments measure(const clv_model *model, const float *values, const char *name)
{
    const clv_param_layout *layout = clv_model_params(model);
    int at = 0;
    while (at < layout->params && strcmp(layout->param[at].name, name) != 0) at++;
    if (at == layout->params) fail_msg("no parameter '%s'", name);
    const float *v = values + layout->param[at].offset;
    moments m = {.least = INFINITY, .most = -INFINITY, .count = (size_t)clv_shape_elements(&layout->param[at].shape)};
    for (size_t i = 0; i < m.count; i++) {
        m.mean += (double)v[i] / (double)m.count;
        m.least = fmin(m.least, v[i]);
        m.most = fmax(m.most, v[i]);
    }
    for (size_t i = 0; i < m.count; i++) m.deviation += pow(v[i] - m.mean, 2) / (double)m.count;
    m.deviation = sqrt(m.deviation);
    return m;
}

/* Within five standard errors: the seed is fixed, so this holds always or never. */
static void assert_spread(const moments *m, double deviation, double kurtosis)
{
    double n = (double)m->count;
    assert_true(fabs(m->mean) < 5 * deviation / sqrt(n));
    assert_true(fabs(m->deviation * m->deviation / (deviation * deviation) - 1) < 5 * sqrt((kurtosis - 1) / n));
}

static void assert_uniform(const moments *m, double bound)
{
    double n = (double)m->count;
    assert_true(m->least >= (double)-(float)bound && m->most < bound);
    assert_true(m->most > bound * (1 - 20 / n) && m->least < -bound * (1 - 20 / n));
    assert_spread(m, bound / sqrt(3), 1.8);
}

static void assert_normal(const moments *m, double deviation)
{
    assert_true(m->most > 2.5 * deviation && m->most < 6 * deviation);
    assert_spread(m, deviation, 3);
}

/* 3 channels in; conv fan_in 3 x 25, fan_out 24 x 25; deconv as PyTorch counts: fan_in 24 x 16 of [24][20][4][4]... */
#define FAN_LAYERS(init)                                                                                               \
    "[experiment]\ntask=vae\n[encoder]\n"                                                                              \
    "conv = conv channels=64 kernel=5 pad=2 " init "\n"                                                                \
    "code = gaussian units=50 " init "\n"                                                                              \
    "[decoder]\n"                                                                                                      \
    "fc = linear units=640 " init "\n"                                                                                 \
    "image = reshape channels=40 height=4 width=4\n"                                                                   \
    "deconv = deconv channels=20 kernel=5 pad=2 " init "\n"                                                            \
    "last = conv channels=3 kernel=1\n"

static const struct {
    const char *name;
    double fan_in, fan_out;
} fans[] = {
    {"conv", 3 * 25, 64 * 25}, {"code.mu", 64 * 16, 50},     {"code.logvar", 64 * 16, 50},
    {"fc", 50, 640},           {"deconv", 20 * 25, 40 * 25}, /* PyTorch takes fan_in from the second dimension of
                                                                [40][20][5][5] */
};

static void initial_values_follow_their_rule(void **state)
{
    (void)state;
    static const char *const text[] = {FAN_LAYERS(""), FAN_LAYERS("init=glorot"), FAN_LAYERS("init=he")};
    for (int rule = 0; rule < 3; rule++) {
        fixture f = model_of(text[rule], (clv_image_shape){3, 4, 4});
        float *values = calloc(clv_model_params(f.model)->elements, sizeof *values);
        assert_non_null(values);
        assert_int_equal(clv_model_init(f.model, 7, values, NULL), CLV_OK);
        for (size_t i = 0; i < COUNT(fans); i++) {
            char weight[64], bias[64];
            snprintf(weight, sizeof weight, "%s.weight", fans[i].name);
            snprintf(bias, sizeof bias, "%s.bias", fans[i].name);
            moments w = measure(f.model, values, weight), b = measure(f.model, values, bias);
            if (rule == 0) assert_uniform(&w, 1 / sqrt(fans[i].fan_in));
            if (rule == 0) assert_uniform(&b, 1 / sqrt(fans[i].fan_in));
            if (rule == 1) assert_uniform(&w, sqrt(6 / (fans[i].fan_in + fans[i].fan_out)));
            if (rule == 2) assert_normal(&w, sqrt(2 / fans[i].fan_in));
            if (rule > 0) assert_true(b.least == 0 && b.most == 0);
        }
        free(values);
        release(&f);
    }
}

/* The values of a tensor, or what `values` has there. */
static const float *values_of(const clv_model *model, const float *values, const char *name)
{
    const clv_param_layout *layout = clv_model_params(model);
    for (int i = 0; i < layout->params; i++)
        if (!strcmp(layout->param[i].name, name)) return values + layout->param[i].offset;
    fail_msg("no parameter '%s'", name);
    return NULL;
}

static void initial_values_depend_on_seed_and_name_alone(void **state)
{
    (void)state;
    fixture a = model_of(
        "[encoder]\nx = linear units=9\n[decoder]\ny = linear units=12\nz = reshape channels=1 height=3 width=4\n",
        (clv_image_shape){1, 3, 4});
    fixture b = model_of(
        "[encoder]\nnew = linear units=12\nx = linear units=9\n[decoder]\nw = linear units=9\ny = linear units=12\n"
        "z = reshape channels=1 height=3 width=4\n",
        (clv_image_shape){1, 3, 4});
    float va[2048], vb[2048], other[2048];
    assert_true(clv_model_params(b.model)->elements <= COUNT(vb));
    clv_model_init(a.model, 1234567890123, va, NULL);
    clv_model_init(b.model, 1234567890123, vb, NULL);
    clv_model_init(a.model, 1234567890124, other, NULL);
    static const char *const names[] = {"x.weight", "x.bias", "y.weight", "y.bias"};
    for (int i = 0; i < 4; i++) {
        const float *v = values_of(a.model, va, names[i]);
        assert_memory_equal(v, values_of(b.model, vb, names[i]), 9 * sizeof *v);
        assert_memory_not_equal(v, values_of(a.model, other, names[i]), 9 * sizeof *v);
    }
    assert_memory_not_equal(values_of(a.model, va, "x.weight"), values_of(a.model, va, "y.weight"), 9 * sizeof(float));
    /* The same on every machine and in every release: worked out apart from this program. */
    const float *x = values_of(a.model, va, "x.weight");
    assert_true(x[0] == -0x1.e8d6a2p-3f && x[1] == -0x1.721a8p-3f && x[107] == -0x1.069efcp-2f);
    release(&a);
    release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(e1_has_the_parameters_of_the_study),
        cmocka_unit_test(e5_has_the_parameters_of_the_study),
        cmocka_unit_test(the_summary_is_an_aligned_table),
        cmocka_unit_test(a_table_that_cannot_be_written_is_an_error),
        cmocka_unit_test(every_layer_type_can_be_built),
        cmocka_unit_test(training_has_losses_gradients_and_an_optimiser),
        cmocka_unit_test(a_plain_loss_is_recorded_once_under_two_names),
        cmocka_unit_test(evaluation_trains_nothing_and_draws_other_numbers),
        cmocka_unit_test(dropout_is_on_in_training_alone),
        cmocka_unit_test(beta_weighs_the_divergence),
        cmocka_unit_test(a_vae_encodes_mu_and_logvar_and_decodes_mu),
        cmocka_unit_test(pictures_of_logits_get_the_sigmoid),
        cmocka_unit_test(decoding_starts_from_an_input),
        cmocka_unit_test(a_code_may_be_an_image),
        cmocka_unit_test(optimisers_take_their_keys),
        cmocka_unit_test(misfits_name_the_place_and_both_shapes),
        cmocka_unit_test(names_too_long_for_parameters_are_refused),
        cmocka_unit_test(every_failed_allocation_is_survived),
        cmocka_unit_test(initial_values_follow_their_rule),
        cmocka_unit_test(initial_values_depend_on_seed_and_name_alone),
    };
    return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
