/* Networks for the tests of src/graph: words to build one by hand, and one of random layers from a seed. A seed is
 * fresh each time and printed; CLAVE_TEST_SEED repeats it. Included after cmocka.h. */
#ifndef CLAVE_TESTS_RANDOM_GRAPH_H
#define CLAVE_TESTS_RANDOM_GRAPH_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "graph/nodes.h"
#include "graph/plan.h"

#define MAX_PARAMS 64

typedef struct network {
    clv_graph *graph;
    clv_status status; /* of the first failure; nothing is added after it */
    clv_error err;
    clv_node param[MAX_PARAMS], gradient[MAX_PARAMS];
    bool trained[MAX_PARAMS];
    int params;
    clv_node input, loss;
    uint64_t random;
} network;

static inline unsigned long fresh_seed(void)
{
    const char *given = getenv("CLAVE_TEST_SEED");
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    const unsigned long seed =
        given ? strtoul(given, NULL, 10) : (unsigned long)now.tv_nsec ^ (unsigned long)now.tv_sec << 20;
    printf("CLAVE_TEST_SEED=%lu repeats these random graphs\n", seed);
    return seed;
}

/* splitmix64 (Steele, Lea, Flood 2014); 0 .. limit - 1 */
static inline int draw(network *net, int limit)
{
    uint64_t z = net->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (int)((z ^ z >> 31) % (uint64_t)limit);
}

static inline clv_shape batch_shape(int c, int y, int x)
{
    return (clv_shape){.rank = 3, .dim = {c, y, x, 1}, .batched = true};
}

static inline clv_node put_shaped(network *net, clv_op op, const char *name, int inputs, const clv_node *input,
                                  clv_attr attr, const clv_shape *shape)
{
    clv_node node = 0;
    if (net->status != CLV_OK) return 0;
    net->status = clv_graph_add(net->graph, op, name, input, inputs, &attr, shape, &node, &net->err);
    return node;
}

static inline clv_node put1(network *net, clv_op op, const char *name, clv_node a, clv_attr attr)
{
    return put_shaped(net, op, name, 1, &a, attr, NULL);
}

static inline clv_node put2(network *net, clv_op op, const char *name, clv_node a, clv_node b, clv_attr attr)
{
    return put_shaped(net, op, name, 2, (const clv_node[]){a, b}, attr, NULL);
}

static inline clv_node put_input(network *net, clv_op op, const char *name, int c, int y, int x)
{
    const clv_shape shape = batch_shape(c, y, x);
    return put_shaped(net, op, name, 0, NULL, (clv_attr){0}, &shape);
}

static inline clv_node put_reshape(network *net, clv_node a, int c, int y, int x)
{
    const clv_shape shape = batch_shape(c, y, x);
    return put_shaped(net, CLV_OP_RESHAPE, "view", 1, &a, (clv_attr){0}, &shape);
}

/* "NAME.WHAT" of rank 1 to 4, 0 ending the dims. */
static inline clv_node put_param(network *net, const char *name, const char *what, int a, int b, int c, int d)
{
    char full[2 * CLV_NAME_SIZE];
    snprintf(full, sizeof full, "%s.%s", name, what);
    const int dim[] = {a, b, c, d};
    int rank = 0;
    while (rank < 4 && dim[rank] > 0) rank++;
    clv_node node = 0;
    if (net->status != CLV_OK) return 0;
    net->status = clv_graph_param(net->graph, full, rank, dim, &node, &net->err);
    net->trained[net->params] = true;
    net->param[net->params++] = node;
    return node;
}

static inline clv_node put_bias(network *net, const char *name, clv_node x)
{
    if (net->status != CLV_OK) return 0;
    const clv_node bias = put_param(net, name, "bias", clv_graph_node(net->graph, x)->shape.dim[0], 0, 0, 0);
    return put2(net, CLV_OP_BIAS, name, x, bias, (clv_attr){0});
}

static inline clv_node put_conv(network *net, const char *name, clv_node x, int channels, clv_attr window)
{
    if (net->status != CLV_OK) return 0;
    const int in = clv_graph_node(net->graph, x)->shape.dim[0];
    const clv_node w = put_param(net, name, "weight", channels, in, window.kernel, window.kernel);
    return put2(net, CLV_OP_CONV, name, x, w, window);
}

static inline clv_node put_deconv(network *net, const char *name, clv_node x, int channels, clv_attr window)
{
    if (net->status != CLV_OK) return 0;
    const int in = clv_graph_node(net->graph, x)->shape.dim[0];
    const clv_node w = put_param(net, name, "weight", in, channels, window.kernel, window.kernel);
    return put2(net, CLV_OP_DECONV, name, x, w, window);
}

static inline clv_node put_linear(network *net, const char *name, clv_node x, int units)
{
    if (net->status != CLV_OK) return 0;
    const int in = clv_graph_node(net->graph, x)->shape.dim[0];
    const clv_node w = put_param(net, name, "weight", units, in, 0, 0);
    clv_node node = 0;
    if (net->status != CLV_OK) return 0;
    net->status = clv_graph_linear(net->graph, name, x, w, &node, &net->err);
    return node;
}

static inline network network_start(void)
{
    network net = {.graph = clv_graph_create()};
    if (!net.graph) net.status = CLV_ERR_INTERNAL;
    return net;
}

static inline void network_end(network *net) { clv_graph_destroy(net->graph); }

/* One random layer behind h. */
static inline clv_node put_random_layer(network *net, int number, clv_node h)
{
    if (net->status != CLV_OK) return 0;
    char name[CLV_NAME_SIZE];
    snprintf(name, sizeof name, "layer%d", number);
    const clv_shape s = clv_graph_node(net->graph, h)->shape;
    const clv_attr act = {.act = (clv_act)(1 + draw(net, 4)), .slope = 0.1f};
    clv_attr window = {.kernel = 1 + draw(net, 3), .stride = 1 + draw(net, 2), .pad = draw(net, 2)};
    clv_node y;
    switch (draw(net, 9)) {
    case 0:
    case 1: /* conv; its kernel fits as the image is at least 1x1 and kernel 1 is the way out */
        if (s.dim[1] + 2 * window.pad < window.kernel || s.dim[2] + 2 * window.pad < window.kernel) window.kernel = 1;
        y = put_conv(net, name, h, 1 + draw(net, 4), window);
        break;
    case 2:
        if (s.dim[1] > 9) return h;
        window.pad = 0;
        window.out_pad = draw(net, window.stride);
        y = put_deconv(net, name, h, 1 + draw(net, 4), window);
        break;
    case 3: /* linear, through the shape it needs and another */
        y = put_reshape(net, h, (int)clv_shape_elements(&s), 1, 1);
        y = put_linear(net, name, y, 12);
        if (draw(net, 2)) y = put_bias(net, name, y);
        if (draw(net, 2)) y = put1(net, CLV_OP_ACT, name, y, act);
        return draw(net, 2) ? put_reshape(net, y, 3, 2, 2) : y;
    case 4:
        return put1(net, CLV_OP_DROPOUT, name, h, (clv_attr){.rate = 0.5f, .stream = (uint32_t)number});
    case 5:
        return put2(net, CLV_OP_MUL, name, h, draw(net, 2) ? h : put1(net, CLV_OP_ACT, name, h, act), (clv_attr){0});
    case 6:
        return put2(net, CLV_OP_ADD, name, h, put1(net, CLV_OP_ACT, name, h, act), (clv_attr){0});
    case 7:
        return put2(net, CLV_OP_SAMPLE, name, h, put1(net, CLV_OP_SCALE, name, h, (clv_attr){.alpha = 0.5f}),
                    (clv_attr){.stream = (uint32_t)number});
    default:
        return put1(net, CLV_OP_ACT, name, h, act);
    }
    if (draw(net, 2)) y = put_bias(net, name, y);
    if (draw(net, 3)) y = put1(net, CLV_OP_ACT, name, y, act);
    if (draw(net, 5) == 0 && net->status == CLV_OK) clv_graph_mark_output(net->graph, y);
    return y;
}

/* Layers, a loss of one or two terms, a record and a dead branch; then gradients of some of the parameters and Adam. */
static inline network random_network(unsigned long seed)
{
    network net = network_start();
    net.random = seed;
    net.input = put_input(&net, CLV_OP_GATHER, "images", 1 + draw(&net, 3), 4 + draw(&net, 6), 4 + draw(&net, 6));
    if (draw(&net, 2)) net.input = put_input(&net, CLV_OP_INPUT, "input", 2, 5, 7);
    const clv_node x =
        draw(&net, 2) ? put1(&net, CLV_OP_NOISE, "noise", net.input, (clv_attr){.stream = 77}) : net.input;
    clv_node h = put_conv(&net, "first", x, 3, (clv_attr){.kernel = 3, .stride = 1, .pad = 1});
    if (draw(&net, 2))
        h = put2(&net, CLV_OP_ADD, "again", h,
                 put_conv(&net, "clean", net.input, 3, (clv_attr){.kernel = 3, .stride = 1, .pad = 1}), (clv_attr){0});
    const int layers = 1 + draw(&net, 9);
    for (int i = 0; i < layers; i++) h = put_random_layer(&net, i, h);
    const clv_node dead = put1(&net, CLV_OP_ACT, "dead", h, (clv_attr){.act = CLV_ACT_TANH});
    put1(&net, CLV_OP_SUM, "dead", dead, (clv_attr){0});
    if (net.status != CLV_OK) return net;

    const clv_shape s = clv_graph_node(net.graph, h)->shape;
    const clv_node target = put_input(&net, CLV_OP_INPUT, "target", s.dim[0], s.dim[1], s.dim[2]);
    clv_node v = put2(&net, draw(&net, 2) ? CLV_OP_MSE : CLV_OP_BCE, "error", h, target, (clv_attr){0});
    put1(&net, CLV_OP_RECORD, "error", v, (clv_attr){.slot = 1});
    if (draw(&net, 2)) {
        const clv_node kl = put2(&net, CLV_OP_KL, "kl", h, h, (clv_attr){0});
        v = put2(&net, CLV_OP_ADD, "loss", v, put1(&net, CLV_OP_SCALE, "beta", kl, (clv_attr){.alpha = 4}),
                 (clv_attr){0});
    }
    net.loss = put1(&net, CLV_OP_MEAN, "mean", v, (clv_attr){0});

    clv_node wanted[MAX_PARAMS], gradient[MAX_PARAMS];
    int count = 0;
    for (int i = 0; i < net.params; i++) {
        net.trained[i] = draw(&net, 4) != 0;
        net.gradient[i] = CLV_NODE_NONE;
        if (net.trained[i]) wanted[count++] = net.param[i];
    }
    if (net.status == CLV_OK) net.status = clv_graph_gradients(net.graph, net.loss, wanted, count, gradient, &net.err);
    for (int i = 0, k = 0; net.status == CLV_OK && i < net.params; i++)
        if (net.trained[i]) net.gradient[i] = gradient[k++];
    put_shaped(&net, CLV_OP_ADAM, "adam", 0, NULL, (clv_attr){.beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f}, NULL);
    return net;
}

#endif
