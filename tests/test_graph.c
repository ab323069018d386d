/* Graphs: every shape rule accepts and refuses, gradients are the nodes they should be, fusion changes no value, and
 * no failed allocation leaks or breaks a graph. Gradients as numbers are tested with the CPU backend, in test_ops.c. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "random_graph.h"

/* ---- shapes ---- */

/* One node to add: inputs and the given shape as text ("[8][14][14][n]", "[8][1][3][3]"), then the shape of its result,
 * or what the refusal must say. */
typedef struct shape_case {
    clv_op op;
    clv_attr attr;
    const char *in[CLV_MAX_INPUTS + 1];
    const char *given;
    const char *result; /* NULL: refused */
    const char *message;
} shape_case;

#define WINDOW(k, s, p)                                                                                                \
    {                                                                                                                  \
        .kernel = (k), .stride = (s), .pad = (p)                                                                       \
    }

static const shape_case shape_cases[] = {
    {CLV_OP_PARAM, {0}, {0}, "[64][1][3][3]", "[64][1][3][3]", NULL},
    {CLV_OP_PARAM, {0}, {0}, "[10]", "[10]", NULL},
    {CLV_OP_PARAM, {0}, {0}, NULL, NULL, "param 'case': needs the shape of its result"},
    {CLV_OP_PARAM, {0}, {0}, "[64][1][3][n]", NULL, "shape [64][1][3][n] must be of rank 1 to 4 and without a batch"},
    {CLV_OP_PARAM, {0}, {0}, "[64][0]", NULL, "shape [64][0] has a dimension under 1"},
    {CLV_OP_PARAM, {0}, {0}, "[65536][65536]", NULL, "has more than 2147483647 elements"},
    {CLV_OP_PARAM, {0}, {"[3]"}, "[3]", NULL, "param 'case': takes 0 inputs, not 1"},
    {CLV_OP_INPUT, {0}, {0}, "[2][1][1][n]", "[2][1][1][n]", NULL},
    {CLV_OP_INPUT, {0}, {0}, "[2]", NULL, "input 'case': shape [2] must be a batch"},
    {CLV_OP_GATHER, {.dataset = 1}, {0}, "[1][28][28][n]", "[1][28][28][n]", NULL},
    {CLV_OP_GATHER, {.dataset = 2}, {0}, "[1][28][28][n]", NULL, "dataset 2 must be 0 (train) or 1 (test)"},
    {CLV_OP_GATHER, {0}, {0}, NULL, NULL, "gather 'case': needs the shape of its result"},
    {CLV_OP_GATHER, {.noisy = true}, {"[1][28][28][n]"}, "[1][28][28][n]", "[1][28][28][n]", NULL},
    {CLV_OP_GATHER, {.noisy = true}, {"[1][28][28][n]"}, NULL, NULL, "gather 'case': needs the shape of its result"},
    {CLV_OP_GATHER,
     {.noisy = true},
     {"[1][28][27][n]"},
     "[1][28][28][n]",
     NULL,
     "result [1][28][27][n] must have the shape [1][28][28][n] of the images"},
    {CLV_OP_GATHER, {.noisy = true}, {0}, "[1][28][28][n]", NULL, "takes 1 inputs, not 0"},
    {CLV_OP_LABEL, {0}, {0}, NULL, "[1][1][1][n]", NULL},
    {CLV_OP_LABEL, {0}, {0}, "[2][1][1][n]", NULL, "the result is [1][1][1][n], not [2][1][1][n]"},
    {CLV_OP_LABEL, {.dataset = -1}, {0}, NULL, NULL, "dataset -1"},

    {CLV_OP_CONV, WINDOW(3, 2, 1), {"[1][28][28][n]", "[8][1][3][3]"}, NULL, "[8][14][14][n]", NULL},
    {CLV_OP_CONV, WINDOW(3, 2, 0), {"[16][7][7][n]", "[64][16][3][3]"}, NULL, "[64][3][3][n]", NULL},
    {CLV_OP_CONV, WINDOW(4, 2, 1), {"[3][13][7][n]", "[5][3][4][4]"}, NULL, "[5][6][3][n]", NULL},
    {CLV_OP_CONV, WINDOW(1, 1, 0), {"[576][1][1][n]", "[64][576]"}, NULL, "[64][1][1][n]", NULL},
    {CLV_OP_CONV,
     WINDOW(5, 1, 0),
     {"[64][3][3][n]", "[64][64][5][5]"},
     NULL,
     NULL,
     "conv 'case': input [64][3][3][n] is smaller than kernel 5 with pad 0"},
    {CLV_OP_CONV,
     WINDOW(3, 1, 0),
     {"[8][9][9][n]", "[4][7][3][3]"},
     NULL,
     NULL,
     "conv 'case': input [8][9][9][n] has 8 channels, but weight [4][7][3][3] takes 7"},
    {CLV_OP_CONV, WINDOW(1, 1, 0), {"[8][1][1][n]", "[4][7]"}, NULL, NULL, "linear 'case': input [8][1][1][n] has 8"},
    {CLV_OP_CONV,
     WINDOW(5, 1, 0),
     {"[8][9][9][n]", "[4][8][3][3]"},
     NULL,
     NULL,
     "weight [4][8][3][3] does not fit kernel 5"},
    {CLV_OP_CONV, WINDOW(3, 1, 0), {"[8][9][9][n]", "[4][8][3][2]"}, NULL, NULL, "does not fit kernel 3"},
    {CLV_OP_CONV, WINDOW(3, 1, 0), {"[8][9][9][n]", "[4][8]"}, NULL, NULL, "weight [4][8] does not fit kernel 3"},
    {CLV_OP_CONV, WINDOW(3, 1, 0), {"[8][9][9][n]", "[4]"}, NULL, NULL, "weight [4] must have rank 4, or 2"},
    {CLV_OP_CONV,
     WINDOW(3, 1, 0),
     {"[8][9][9][n]", "[4][9][9][n]"},
     NULL,
     NULL,
     "weight [4][9][9][n] must have rank 4"},
    {CLV_OP_CONV, WINDOW(3, 0, 0), {"[8][9][9][n]", "[4][8][3][3]"}, NULL, NULL, "stride 0 must be in 1 .. 32768"},
    {CLV_OP_CONV, WINDOW(0, 1, 0), {"[8][9][9][n]", "[4][8][3][3]"}, NULL, NULL, "kernel 0 must be in 1 .. 32768"},
    {CLV_OP_CONV, WINDOW(3, 1, -1), {"[8][9][9][n]", "[4][8][3][3]"}, NULL, NULL, "pad -1 must be in 0 .. 32768"},
    {CLV_OP_CONV, WINDOW(3, 1, 0), {"[8][9][9][n]"}, NULL, NULL, "conv 'case': takes 2 inputs, not 1"},
    {CLV_OP_CONV, WINDOW(3, 1, 0), {"[8]", "[4][8][3][3]"}, NULL, NULL, "input 0, [8], must be a batch"},
    {CLV_OP_CONV,
     WINDOW(3, 1, 1),
     {"[8][9][9][n]", "[4][8][3][3]"},
     "[4][8][8][n]",
     NULL,
     "the result is [4][9][9][n], not [4][8][8][n]"},
    {CLV_OP_CONV,
     {.kernel = 3, .stride = 1, .pad = 1, .has_bias = true, .act = CLV_ACT_RELU, .grad_act = CLV_ACT_TANH},
     {"[8][9][9][n]", "[4][8][3][3]", "[4]", "[4][9][9][n]"},
     NULL,
     "[4][9][9][n]",
     NULL},
    {CLV_OP_CONV,
     {.kernel = 3, .stride = 1, .has_bias = true},
     {"[8][9][9][n]", "[4][8][3][3]", "[8]"},
     NULL,
     NULL,
     "bias [8] must be [4], the channels of the result"},
    {CLV_OP_CONV,
     {.kernel = 3, .stride = 1, .has_bias = true},
     {"[8][9][9][n]", "[4][8][3][3]"},
     NULL,
     NULL,
     "conv 'case': takes 3 inputs, not 2"},
    {CLV_OP_CONV,
     {.kernel = 3, .stride = 1, .grad_act = CLV_ACT_RELU},
     {"[8][9][9][n]", "[4][8][3][3]", "[4][9][9][n]"},
     NULL,
     NULL,
     "activation [4][9][9][n] must have the result's shape [4][7][7][n]"},
    {CLV_OP_CONV,
     {.kernel = 3, .stride = 1, .act = CLV_ACT_COUNT},
     {"[8][9][9][n]", "[4][8][3][3]"},
     NULL,
     NULL,
     "there is no activation of number 5"},
    {CLV_OP_CONV,
     WINDOW(1, 1, 1),
     {"[1][46340][46339][n]", "[1][1][1][1]"},
     NULL,
     NULL,
     "result [1][46342][46341][n] has more than 2147483647 elements"},

    {CLV_OP_DECONV, WINDOW(4, 2, 1), {"[128][7][7][n]", "[128][64][4][4]"}, NULL, "[64][14][14][n]", NULL},
    {CLV_OP_DECONV,
     {.kernel = 3, .stride = 2, .pad = 1, .out_pad = 1},
     {"[16][7][7][n]", "[16][8][3][3]"},
     NULL,
     "[8][14][14][n]",
     NULL},
    {CLV_OP_DECONV, WINDOW(3, 2, 0), {"[64][3][3][n]", "[64][16][3][3]"}, NULL, "[16][7][7][n]", NULL},
    {CLV_OP_DECONV, WINDOW(3, 2, 0), {"[64][3][3][n]", "[64][16][3][3]"}, "[16][8][7][n]", "[16][8][7][n]", NULL},
    {CLV_OP_DECONV, WINDOW(1, 1, 0), {"[64][1][1][n]", "[64][576]"}, "[576][1][1][n]", "[576][1][1][n]", NULL},
    {CLV_OP_DECONV,
     WINDOW(3, 2, 0),
     {"[64][3][3][n]", "[64][16][3][3]"},
     "[16][9][9][n]",
     NULL,
     "deconv 'case': a convolution of shape [16][9][9][n] with kernel 3, stride 2, pad 0 does not give input "
     "[64][3][3][n]"},
    {CLV_OP_DECONV,
     WINDOW(3, 2, 0),
     {"[64][3][3][n]", "[64][16][3][3]"},
     "[8][7][7][n]",
     NULL,
     "shape [8][7][7][n] has 8 channels, but weight [64][16][3][3] makes 16"},
    {CLV_OP_DECONV, WINDOW(3, 2, 0), {"[64][3][3][n]", "[64][16][3][3]"}, "[16]", NULL, "shape [16] must be a batch"},
    {CLV_OP_DECONV,
     {.kernel = 3, .stride = 2, .out_pad = 1},
     {"[64][3][3][n]", "[64][16][3][3]"},
     "[16][8][8][n]",
     NULL,
     "out_pad 1 and a given shape exclude each other"},
    {CLV_OP_DECONV,
     WINDOW(3, 2, 0),
     {"[32][3][3][n]", "[64][16][3][3]"},
     NULL,
     NULL,
     "input [32][3][3][n] has 32 channels, but weight [64][16][3][3] takes 64"},
    {CLV_OP_DECONV,
     {.kernel = 3, .stride = 2, .out_pad = 2},
     {"[64][3][3][n]", "[64][16][3][3]"},
     NULL,
     NULL,
     "out_pad 2 must be at least 0 and less than stride 2"},
    {CLV_OP_DECONV,
     {.kernel = 3, .stride = 2, .out_pad = -1},
     {"[64][3][3][n]", "[64][16][3][3]"},
     NULL,
     NULL,
     "out_pad -1 must be at least 0"},
    {CLV_OP_DECONV, WINDOW(2, 1, 1), {"[4][1][1][n]", "[4][2][2][2]"}, NULL, NULL, "gives an empty result: lower pad"},
    {CLV_OP_DECONV,
     WINDOW(1, 32768, 0),
     {"[1][1000000][1][n]", "[1][1][1][1]"},
     NULL,
     NULL,
     "the result of input [1][1000000][1][n] is too large"},
    {CLV_OP_RESULT, {0}, {NULL}, "[7]", "[7]", NULL},
    {CLV_OP_RESULT, {0}, {NULL}, NULL, NULL, "needs a shape"},
    {CLV_OP_CONV_WEIGHT,
     {.kernel = 4, .stride = 2, .pad = 1, .sum_of = 2},
     {"[64][14][14][n]", "[128][7][7][n]", "[128]"},
     "[128][64][4][4]",
     "[128][64][4][4]",
     NULL},
    {CLV_OP_CONV_WEIGHT,
     {.kernel = 4, .stride = 2, .pad = 1, .sum_of = 1},
     {"[64][14][14][n]", "[128][7][7][n]", "[128]"},
     "[128][64][4][4]",
     NULL,
     "result [128] must be [64], the channels of input [64][14][14][n]"},
    {CLV_OP_CONV_WEIGHT,
     {.kernel = 4, .stride = 2, .pad = 1, .sum_of = 3},
     {"[64][14][14][n]", "[128][7][7][n]", "[128]"},
     "[128][64][4][4]",
     NULL,
     "sum_of 3 must be 0, 1 or 2"},
    {CLV_OP_ACT_GRAD,
     {.act = CLV_ACT_RELU, .mask_rate = 0.5f},
     {"[3][2][2][n]", "[3][2][2][n]"},
     NULL,
     "[3][2][2][n]",
     NULL},
    {CLV_OP_ACT_GRAD,
     {.act = CLV_ACT_TANH, .mask_rate = 0.5f},
     {"[3][2][2][n]", "[3][2][2][n]"},
     NULL,
     NULL,
     "a dropout fuses with the gradient of relu, not of tanh"},
    {CLV_OP_CONV,
     {.kernel = 1, .stride = 1, .rate = 0.5f, .stream = 9},
     {"[3][1][1][n]", "[4][3]"},
     NULL,
     "[4][1][1][n]",
     NULL},
    {CLV_OP_CONV,
     {.kernel = 1, .stride = 1, .rate = 1},
     {"[3][1][1][n]", "[4][3]"},
     NULL,
     NULL,
     "rate 1 must be at least 0 and less than 1"},
    {CLV_OP_DECONV,
     {.kernel = 2, .stride = 1, .rate = 0.5f},
     {"[3][1][1][n]", "[3][4][2][2]"},
     NULL,
     NULL,
     "a dropout fuses with results of one pixel a channel, not with [4][2][2][n]"},
    {CLV_OP_MSE_HEAD,
     {.act = CLV_ACT_SIGMOID},
     {"[3][2][2][n]", "[3][2][2][n]", "[1][1][1][n]"},
     NULL,
     "[3][2][2][n]",
     NULL},
    {CLV_OP_MSE_HEAD, {0}, {"[3][2][2][n]", "[3][2][2][n]", "[3][2][2][n]"}, NULL, NULL, "must be [1][1][1][n]"},
    {CLV_OP_BCE_HEAD, {0}, {"[3][2][2][n]", "[3][2][2][n]", "[1][1][1][n]"}, NULL, "[3][2][2][n]", NULL},
    {CLV_OP_BCE_HEAD, {0}, {"[3][2][2][n]", "[3][2][1][n]", "[1][1][1][n]"}, NULL, NULL, "[3][2][1][n]"},
    {CLV_OP_DECONV,
     {.kernel = 4, .stride = 2, .pad = 1, .has_bias = true, .act = CLV_ACT_SIGMOID, .head = CLV_OP_MSE_HEAD},
     {"[8][7][7][n]", "[8][1][4][4]", "[1]", "[1][14][14][n]", "[1][1][1][n]"},
     NULL,
     "[1][14][14][n]",
     NULL},
    {CLV_OP_DECONV,
     {.kernel = 4, .stride = 2, .pad = 1, .head = CLV_OP_BCE_HEAD},
     {"[8][7][7][n]", "[8][1][4][4]", "[1][14][13][n]", "[1][1][1][n]"},
     NULL,
     NULL,
     "target [1][14][13][n] must have the result's shape [1][14][14][n]"},
    {CLV_OP_CONV,
     {.kernel = 3, .stride = 1, .pad = 1, .act = CLV_ACT_TANH, .head = CLV_OP_BCE_HEAD},
     {"[8][7][7][n]", "[1][8][3][3]", "[1][7][7][n]", "[1][1][1][n]"},
     NULL,
     NULL,
     "bce_head is of logits, not of tanh"},
    {CLV_OP_CONV,
     {.kernel = 3, .stride = 1, .pad = 1, .head = CLV_OP_BCE_HEAD},
     {"[8][7][7][n]", "[1][8][3][3]", "[1][7][7][n]", "[1][7][7][n]"},
     NULL,
     NULL,
     "must be [1][1][1][n]"},
    {CLV_OP_CONV,
     {.kernel = 3, .stride = 1, .pad = 1, .grad_act = CLV_ACT_RELU, .head = CLV_OP_MSE_HEAD},
     {"[8][7][7][n]", "[1][8][3][3]", "[1][7][7][n]", "[1][7][7][n]", "[1][1][1][n]"},
     NULL,
     NULL,
     "a head takes no addend and no gradient"},
    {CLV_OP_CONV,
     {.kernel = 3, .stride = 1, .pad = 1, .head = CLV_OP_MSE},
     {"[8][7][7][n]", "[1][8][3][3]", "[1][7][7][n]", "[1][1][1][n]"},
     NULL,
     NULL,
     "is no head"},
    {CLV_OP_CONV_WEIGHT, WINDOW(3, 2, 1), {"[1][28][28][n]", "[8][14][14][n]"}, "[8][1][3][3]", "[8][1][3][3]", NULL},
    {CLV_OP_CONV_WEIGHT, WINDOW(1, 1, 0), {"[576][1][1][n]", "[64][1][1][n]"}, "[64][576]", "[64][576]", NULL},
    {CLV_OP_CONV_WEIGHT, WINDOW(3, 2, 1), {"[1][28][28][n]", "[8][14][14][n]"}, NULL, NULL, "needs the shape"},
    {CLV_OP_CONV_WEIGHT,
     WINDOW(3, 2, 1),
     {"[1][28][28][n]", "[8][14][14][n]"},
     "[1][8][3][3]",
     NULL,
     "weight [1][8][3][3] does not fit the channels of inputs [1][28][28][n] and [8][14][14][n]"},
    {CLV_OP_CONV_WEIGHT,
     WINDOW(3, 2, 1),
     {"[1][28][28][n]", "[8][13][14][n]"},
     "[8][1][3][3]",
     NULL,
     "does not give input [8][13][14][n]"},

    {CLV_OP_BIAS, {0}, {"[8][14][13][n]", "[8]"}, NULL, "[8][14][13][n]", NULL},
    {CLV_OP_BIAS, {0}, {"[8][14][13][n]", "[9]"}, NULL, NULL, "bias [9] must be [8], the channels of input"},
    {CLV_OP_BIAS_GRAD, {0}, {"[8][14][13][n]"}, NULL, "[8]", NULL},
    {CLV_OP_BIAS_GRAD, {0}, {"[8]"}, NULL, NULL, "bias_grad 'case': input 0, [8], must be a batch"},
    {CLV_OP_ACT, {.act = CLV_ACT_SIGMOID}, {"[8][14][13][n]"}, NULL, "[8][14][13][n]", NULL},
    {CLV_OP_ACT, {0}, {"[8][14][13][n]"}, NULL, NULL, "there is no activation of number 0"},
    {CLV_OP_ACT,
     {.act = CLV_ACT_LEAKY_RELU, .slope = -0.1f},
     {"[8][14][13][n]"},
     NULL,
     NULL,
     "slope -0.1 of leaky_relu must be in 0 .. 1"},
    {CLV_OP_ACT_GRAD, {.act = CLV_ACT_TANH}, {"[8][2][2][n]", "[8][2][2][n]"}, NULL, "[8][2][2][n]", NULL},
    {CLV_OP_ACT_GRAD,
     {.act = CLV_ACT_TANH},
     {"[8][2][2][n]", "[8][4][1][n]"},
     NULL,
     NULL,
     "inputs [8][2][2][n] and [8][4][1][n] must have the same shape"},
    {CLV_OP_DROPOUT, {.rate = 0.5f}, {"[8][2][2][n]"}, NULL, "[8][2][2][n]", NULL},
    {CLV_OP_DROPOUT, {.rate = 1}, {"[8][2][2][n]"}, NULL, NULL, "rate 1 must be at least 0 and less than 1"},
    {CLV_OP_DROPOUT, {.rate = NAN}, {"[8][2][2][n]"}, NULL, NULL, "must be at least 0 and less than 1"},
    {CLV_OP_RESHAPE, {0}, {"[8][2][3][n]"}, "[48][1][1][n]", "[48][1][1][n]", NULL},
    {CLV_OP_RESHAPE,
     {0},
     {"[8][2][3][n]"},
     "[47][1][1][n]",
     NULL,
     "input [8][2][3][n] has 48 elements an image, but shape [47][1][1][n] has 47"},
    {CLV_OP_RESHAPE, {0}, {"[8][2][3][n]"}, "[48]", NULL, "shape [48] must be a batch"},
    {CLV_OP_ADD, {0}, {"[8][2][3][n]", "[8][2][3][n]"}, NULL, "[8][2][3][n]", NULL},
    {CLV_OP_ADD, {0}, {"[8][2]", "[8][2]"}, NULL, "[8][2]", NULL},
    {CLV_OP_ADD,
     {0},
     {"[8][2][3][n]", "[8][2][3]"},
     NULL,
     NULL,
     "inputs [8][2][3][n] and [8][2][3] must have the same"},
    {CLV_OP_MUL, {0}, {"[8][2][3][n]", "[8][2][3][n]"}, NULL, "[8][2][3][n]", NULL},
    {CLV_OP_MUL, {0}, {"[8][2][3][n]", "[8][2][4][n]"}, NULL, NULL, "mul 'case': inputs"},
    {CLV_OP_SCALE, {.alpha = -2}, {"[8][2][3][n]"}, NULL, "[8][2][3][n]", NULL},
    {CLV_OP_SCALE, {.alpha = INFINITY}, {"[8][2][3][n]"}, NULL, NULL, "alpha inf must be finite"},
    {CLV_OP_SUM, {0}, {"[8][2][3][n]"}, NULL, "[1][1][1][n]", NULL},
    {CLV_OP_SUM, {0}, {"[8][2][3]"}, NULL, NULL, "must be a batch"},
    {CLV_OP_BROADCAST, {0}, {"[1][1][1][n]"}, "[8][2][3][n]", "[8][2][3][n]", NULL},
    {CLV_OP_BROADCAST, {0}, {"[1][1][1][n]"}, NULL, NULL, "needs the shape of its result"},
    {CLV_OP_BROADCAST, {0}, {"[2][1][1][n]"}, "[8][2][3][n]", NULL, "[2][1][1][n], must be [1][1][1][n]"},

    {CLV_OP_SAMPLE, {0}, {"[2][1][1][n]", "[2][1][1][n]"}, NULL, "[2][1][1][n]", NULL},
    {CLV_OP_SAMPLE, {0}, {"[2][1][1][n]", "[3][1][1][n]"}, NULL, NULL, "must have the same shape"},
    {CLV_OP_SAMPLE, {0}, {"[2]", "[2]"}, NULL, NULL, "must be a batch"},
    {CLV_OP_SAMPLE_GRAD, {0}, {"[2][1][1][n]", "[2][1][1][n]"}, NULL, "[2][1][1][n]", NULL},
    {CLV_OP_SAMPLE_GRAD, {0}, {"[2][1][1][n]", "[3][1][1][n]"}, NULL, NULL, "must have the same shape"},
    {CLV_OP_KL, {0}, {"[2][1][1][n]", "[2][1][1][n]"}, NULL, "[1][1][1][n]", NULL},
    {CLV_OP_KL, {0}, {"[2][1][1][n]", "[3][1][1][n]"}, NULL, NULL, "kl 'case': inputs"},
    {CLV_OP_KL_GRAD_LOGVAR, {0}, {"[1][1][1][n]", "[5][1][1][n]"}, NULL, "[5][1][1][n]", NULL},
    {CLV_OP_KL_GRAD_LOGVAR, {0}, {"[5][1][1][n]", "[5][1][1][n]"}, NULL, NULL, "must be [1][1][1][n], one value"},
    {CLV_OP_MUL_IMAGE, {0}, {"[1][1][1][n]", "[5][2][2][n]"}, NULL, "[5][2][2][n]", NULL},
    {CLV_OP_MUL_IMAGE, {0}, {"[1][1][1][n]", "[5]"}, NULL, NULL, "input 1, [5], must be a batch"},

    {CLV_OP_MSE, {0}, {"[1][9][8][n]", "[1][9][8][n]"}, NULL, "[1][1][1][n]", NULL},
    {CLV_OP_MSE, {0}, {"[1][9][8][n]", "[1][8][9][n]"}, NULL, NULL, "must have the same shape"},
    {CLV_OP_MSE_GRAD, {0}, {"[1][1][1][n]", "[1][9][8][n]", "[1][9][8][n]"}, NULL, "[1][9][8][n]", NULL},
    {CLV_OP_MSE_GRAD, {0}, {"[1][1][1][n]", "[1][9][8][n]", "[1][8][9][n]"}, NULL, NULL, "must have the same shape"},
    {CLV_OP_BCE, {0}, {"[1][9][8][n]", "[1][9][8][n]"}, NULL, "[1][1][1][n]", NULL},
    {CLV_OP_BCE, {0}, {"[9]", "[9]"}, NULL, NULL, "bce 'case': input 0, [9], must be a batch"},
    {CLV_OP_BCE_GRAD, {0}, {"[1][1][1][n]", "[1][9][8][n]", "[1][9][8][n]"}, NULL, "[1][9][8][n]", NULL},
    {CLV_OP_BCE_GRAD, {0}, {"[1][9][8][n]", "[1][9][8][n]", "[1][9][8][n]"}, NULL, NULL, "one value an image"},
    {CLV_OP_RAMP, {0}, {"[8][2][3][n]"}, NULL, "[8][2][3][n]", NULL},
    {CLV_OP_RAMP, {0}, {"[8][2][3]"}, NULL, NULL, "must be a batch"},
    {CLV_OP_NOISE, {0}, {"[8][2][3][n]"}, NULL, "[8][2][3][n]", NULL},
    {CLV_OP_NOISE, {0}, {"[8][2][3]"}, NULL, NULL, "must be a batch"},
    {CLV_OP_CORRECT, {0}, {"[10][1][1][n]", "[1][1][1][n]"}, NULL, "[1][1][1][n]", NULL},
    {CLV_OP_CORRECT, {0}, {"[10][2][1][n]", "[1][1][1][n]"}, NULL, NULL, "must be [classes][1][1][n]"},
    {CLV_OP_XENT, {0}, {"[10][1][1][n]", "[1][1][1][n]"}, NULL, "[1][1][1][n]", NULL},
    {CLV_OP_XENT,
     {0},
     {"[10][2][1][n]", "[1][1][1][n]"},
     NULL,
     NULL,
     "logits [10][2][1][n] must be [classes][1][1][n]"},
    {CLV_OP_XENT, {0}, {"[10][1][1][n]", "[10][1][1][n]"}, NULL, NULL, "input 1, [10][1][1][n], must be [1][1][1][n]"},
    {CLV_OP_XENT_GRAD, {0}, {"[1][1][1][n]", "[10][1][1][n]", "[1][1][1][n]"}, NULL, "[10][1][1][n]", NULL},
    {CLV_OP_XENT_GRAD, {0}, {"[1][1][1][n]", "[10][1][1][n]", "[10][1][1][n]"}, NULL, NULL, "input 2, [10][1][1][n]"},
    {CLV_OP_MEAN, {0}, {"[1][1][1][n]"}, NULL, "[1]", NULL},
    {CLV_OP_MEAN, {0}, {"[2][1][1][n]"}, NULL, NULL, "mean 'case': input 0, [2][1][1][n], must be [1][1][1][n]"},
    {CLV_OP_MEAN_GRAD, {.alpha = 0.5f}, {0}, NULL, "[1][1][1][n]", NULL},
    {CLV_OP_MEAN_GRAD, {.alpha = NAN}, {0}, NULL, NULL, "must be finite"},
    {CLV_OP_RECORD, {.slot = 2}, {"[1][1][1][n]"}, NULL, "", NULL},
    {CLV_OP_RECORD, {.slot = -1}, {"[1][1][1][n]"}, NULL, NULL, "slot -1 must be at least 0"},

    {CLV_OP_ADAM, {.beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f}, {0}, NULL, "", NULL},
    {CLV_OP_ADAM, {.beta1 = 1, .beta2 = 0.999f, .eps = 1e-8f}, {0}, NULL, NULL, "beta1 1 must be at least 0 and less"},
    {CLV_OP_ADAM, {.beta1 = 0.9f, .beta2 = -1, .eps = 1e-8f}, {0}, NULL, NULL, "beta2 -1 must be at least 0 and less"},
    {CLV_OP_ADAM, {.beta1 = 0.9f, .beta2 = 0.999f}, {0}, NULL, NULL, "eps 0 must be over 0"},
    {CLV_OP_ADAM, {.eps = 1e-8f, .l2 = -1}, {0}, NULL, NULL, "l2 -1 must be finite and at least 0"},
    {CLV_OP_SGD, {.momentum = 0.9f}, {0}, NULL, "", NULL},
    {CLV_OP_SGD, {.momentum = 1}, {0}, NULL, NULL, "momentum 1 must be at least 0 and less than 1"},
    {CLV_OP_SGD, {.weight_decay = NAN}, {0}, NULL, NULL, "must be finite and at least 0"},

    {CLV_OP_DISTANCE, {0}, {"[3][2][2][n]"}, "[13][1][1][n]", "[13][1][1][n]", NULL},
    {CLV_OP_DISTANCE, {0}, {"[3][2][2][n]"}, NULL, NULL, "needs the shape of its result"},
    {CLV_OP_DISTANCE, {0}, {"[3][2][2][n]"}, "[13][2][1][n]", NULL, "must be [points][1][1][n]"},
    {CLV_OP_AFFINITY, {.alpha = 12.5f}, {"[13][1][1][n]"}, NULL, "[13][1][1][n]", NULL},
    {CLV_OP_AFFINITY, {.alpha = 13}, {"[13][1][1][n]"}, NULL, NULL, "perplexity 13 must be at least 1 and less than"},
    {CLV_OP_AFFINITY, {.alpha = 0.5f}, {"[13][1][1][n]"}, NULL, NULL, "perplexity 0.5 must be at least 1"},
    {CLV_OP_AFFINITY, {.alpha = 2}, {"[13][1][2][n]"}, NULL, NULL, "must be [points][1][1][n]"},
    {CLV_OP_JOINT, {0}, {"[13][1][1][n]"}, NULL, "[13][1][1][n]", NULL},
    {CLV_OP_JOINT, {0}, {"[13][13]"}, NULL, NULL, "must be a batch"},
    {CLV_OP_TSNE_FORCE, {0}, {"[2][32]", "[13][1][1][n]"}, NULL, "[5][1][1][n]", NULL},
    {CLV_OP_TSNE_FORCE,
     {0},
     {"[3][32]", "[13][1][1][n]"},
     NULL,
     NULL,
     "positions [3][32] must be [2][a multiple of 32]"},
    {CLV_OP_TSNE_FORCE, {0}, {"[2][13]", "[13][1][1][n]"}, NULL, NULL, "positions [2][13] must be"},
    {CLV_OP_TSNE_FORCE, {0}, {"[2][32]", "[33][1][1][n]"}, NULL, NULL, "more points than positions"},
    {CLV_OP_TSNE_GRAD, {0}, {"[5][1][1][n]"}, "[2][64]", "[2][64]", NULL},
    {CLV_OP_TSNE_GRAD, {0}, {"[4][1][1][n]"}, "[2][64]", NULL, "forces [4][1][1][n] must be [5][1][1][n]"},
    {CLV_OP_TSNE_GRAD, {0}, {"[5][1][1][n]"}, "[2][33]", NULL, "positions [2][33] must be"},
    {CLV_OP_TSNE_STEP, {0}, {0}, NULL, "", NULL},
    {CLV_OP_TSNE_STEP, {0}, {0}, "[2][32]", NULL, "the result is"},
};
#define SHAPE_CASES (sizeof shape_cases / sizeof *shape_cases)

/* "[8][14][14][n]" */
static clv_shape parse_shape(const char *text)
{
    clv_shape shape = {.dim = {1, 1, 1, 1}};
    for (; *text == '['; text = strchr(text, ']') + 1) {
        if (text[1] == 'n')
            shape.batched = true;
        else
            shape.dim[shape.rank++] = atoi(text + 1);
    }
    return shape;
}

static clv_node put_text_input(network *net, int number, const char *text)
{
    const clv_shape shape = parse_shape(text);
    char name[CLV_NAME_SIZE];
    snprintf(name, sizeof name, "in%d", number);
    return put_shaped(net, shape.batched ? CLV_OP_INPUT : CLV_OP_PARAM, name, 0, NULL, (clv_attr){0}, &shape);
}

static void run_shape_case(const shape_case *c)
{
    network net = network_start();
    clv_node input[CLV_MAX_INPUTS], node = -77;
    int inputs = 0;
    for (; c->in[inputs]; inputs++) input[inputs] = put_text_input(&net, inputs, c->in[inputs]);
    assert_int_equal(net.status, CLV_OK);
    const int before = clv_graph_size(net.graph);
    const clv_shape given = c->given ? parse_shape(c->given) : (clv_shape){0};
    char text[CLV_NAME_SIZE];
    const clv_status status =
        clv_graph_add(net.graph, c->op, "case", input, inputs, &c->attr, c->given ? &given : NULL, &node, &net.err);
    if (c->result) {
        if (status != CLV_OK) fail_msg("refused: %s", net.err.message);
        assert_string_equal(clv_shape_print(&clv_graph_node(net.graph, node)->shape, text), c->result);
        assert_int_equal(clv_graph_size(net.graph), before + 1);
    } else {
        assert_int_equal(status, CLV_ERR_CONFIG);
        if (!strstr(net.err.message, c->message)) fail_msg("\"%s\" does not say \"%s\"", net.err.message, c->message);
        assert_int_equal(node, -77);
        assert_int_equal(clv_graph_size(net.graph), before);
    }
    network_end(&net);
}

static void test_shapes(void **state)
{
    (void)state;
    for (size_t i = 0; i < SHAPE_CASES; i++) run_shape_case(&shape_cases[i]);
}

static void test_every_op_has_shape_cases(void **state)
{
    (void)state;
    for (int op = 0; op < CLV_OP_COUNT; op++) {
        int accepted = 0, refused = 0;
        for (size_t i = 0; i < SHAPE_CASES; i++)
            if ((int)shape_cases[i].op == op) shape_cases[i].result ? accepted++ : refused++;
        if (!accepted || !refused) fail_msg("%s lacks a shape case", clv_op_table[op].name);
    }
}

/* ---- nodes ---- */

static void expect_refusal(network *net, clv_status status, const char *message)
{
    assert_int_equal(status, CLV_ERR_CONFIG);
    if (!strstr(net->err.message, message)) fail_msg("\"%s\" does not say \"%s\"", net->err.message, message);
}

static void test_names_and_lookups(void **state)
{
    (void)state;
    network net = network_start();
    const clv_node w = put_param(&net, "conv1", "weight", 3, 0, 0, 0);
    assert_int_equal(net.status, CLV_OK);
    assert_int_equal(clv_graph_find_param(net.graph, "conv1.weight"), w);
    assert_int_equal(clv_graph_find_param(net.graph, "conv1.bias"), CLV_NODE_NONE);
    assert_null(clv_graph_node(net.graph, 1));
    assert_null(clv_graph_node(net.graph, CLV_NODE_NONE));

    clv_node node;
    const int dim[CLV_MAX_RANK] = {3, 1, 1, 1};
    expect_refusal(&net, clv_graph_param(net.graph, "conv1.weight", 1, dim, &node, &net.err), "of that name already");
    expect_refusal(&net, clv_graph_param(net.graph, "w", 5, dim, &node, &net.err), "must be of rank 1 to 4");
    char longest[CLV_NAME_SIZE + 1];
    memset(longest, 'x', CLV_NAME_SIZE);
    longest[CLV_NAME_SIZE] = '\0';
    expect_refusal(&net, clv_graph_param(net.graph, longest, 1, dim, &node, &net.err), "longer than 63 characters");
    longest[CLV_NAME_SIZE - 1] = '\0';
    assert_int_equal(clv_graph_param(net.graph, longest, 1, dim, &node, &net.err), CLV_OK);
    expect_refusal(&net, clv_graph_add(net.graph, CLV_OP_SUM, "s", (clv_node[]){9}, 1, NULL, NULL, &node, &net.err),
                   "input 0 is node 9, but the graph has nodes 0 to 1");
    expect_refusal(&net, clv_graph_add(net.graph, CLV_OP_COUNT, "s", NULL, 0, NULL, NULL, &node, &net.err), "no op of");
    network_end(&net);
    clv_graph_destroy(NULL);
}

static void test_effects_make_no_tensor(void **state)
{
    (void)state;
    network net = network_start();
    const clv_node v = put_input(&net, CLV_OP_INPUT, "v", 1, 1, 1);
    const clv_node record = put1(&net, CLV_OP_RECORD, "loss", v, (clv_attr){0});
    assert_int_equal(net.status, CLV_OK);
    assert_true(clv_graph_node(net.graph, record)->output);
    clv_node node;
    expect_refusal(&net, clv_graph_add(net.graph, CLV_OP_SCALE, "s", &record, 1, NULL, NULL, &node, &net.err),
                   "scale 's': input 0, record 'loss', makes no tensor");
    network_end(&net);
}

static void test_linear_needs_a_flat_input(void **state)
{
    (void)state;
    network net = network_start();
    const clv_node x = put_input(&net, CLV_OP_INPUT, "x", 8, 2, 3), w = put_param(&net, "fc", "weight", 4, 48, 0, 0);
    clv_node node;
    expect_refusal(&net, clv_graph_linear(net.graph, "fc", x, w, &node, &net.err),
                   "linear 'fc': input [8][2][3][n] is not flat: reshape it to [48][1][1][n] first");
    assert_int_equal(clv_graph_linear(net.graph, "fc", put_reshape(&net, x, 48, 1, 1), w, &node, &net.err), CLV_OK);
    network_end(&net);
}

/* The taps counted by brute force. */
static uint64_t count_taps(int big, int small, clv_attr a)
{
    uint64_t taps = 0;
    for (int o = 0; o < small; o++)
        for (int k = 0; k < a.kernel; k++) {
            const int at = o * a.stride - a.pad + k;
            taps += at >= 0 && at < big;
        }
    return taps;
}

static void test_multiply_adds(void **state)
{
    (void)state;
    const clv_attr windows[] = {WINDOW(3, 2, 1), WINDOW(4, 2, 1), WINDOW(1, 1, 0), WINDOW(5, 3, 4), WINDOW(2, 3, 0)};
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        network net = network_start();
        const clv_node x = put_input(&net, CLV_OP_INPUT, "x", 3, 13, 8);
        const clv_node conv = put_conv(&net, "conv", x, 5, windows[i]), w = net.param[0];
        assert_int_equal(net.status, CLV_OK);
        const clv_shape big = clv_graph_node(net.graph, x)->shape, small = clv_graph_node(net.graph, conv)->shape;
        const clv_shape kernel = clv_graph_node(net.graph, w)->shape;
        const clv_node back = put_shaped(&net, CLV_OP_DECONV, "d", 2, (const clv_node[]){conv, w}, windows[i], &big);
        const clv_node weight =
            put_shaped(&net, CLV_OP_CONV_WEIGHT, "d", 2, (const clv_node[]){x, conv}, windows[i], &kernel);
        assert_int_equal(net.status, CLV_OK);
        const uint64_t expected =
            15 * count_taps(13, small.dim[1], windows[i]) * count_taps(8, small.dim[2], windows[i]);
        assert_true(clv_node_multiply_adds(net.graph, conv) == expected);
        assert_true(clv_node_multiply_adds(net.graph, back) == expected);
        assert_true(clv_node_multiply_adds(net.graph, weight) == expected);
        assert_true(clv_node_multiply_adds(net.graph, x) == 0);
        network_end(&net);
    }
    network net = network_start();
    const clv_node linear = put_linear(&net, "fc", put_input(&net, CLV_OP_INPUT, "x", 576, 1, 1), 64);
    assert_true(clv_node_multiply_adds(net.graph, linear) == 576 * 64);
    network_end(&net);
}

/* ---- gradients ---- */

/* The ops appended from node `from` on, as words; those fused away are left out. */
static const char *ops_from(const clv_graph *graph, int from, char *text, size_t size)
{
    size_t length = 0;
    text[0] = '\0';
    for (clv_node i = from; i < clv_graph_size(graph); i++) {
        if (graph->entry[i]->fused_away) continue;
        const int n = snprintf(text + length, size - length, "%s%s", length ? " " : "",
                               clv_op_table[clv_graph_node(graph, i)->op].name);
        length += (size_t)n;
        assert_true(length < size);
    }
    return text;
}

/* p: [4][1][1][n], a bias added to an input, so that it depends on one parameter; its gradient costs one bias_grad. */
static clv_node depend(network *net, int c, int y, int x)
{
    return put_bias(net, "p", put_input(net, CLV_OP_INPUT, "input", c, y, x));
}

static clv_node sum_of(network *net, clv_node x) { return put1(net, CLV_OP_SUM, "sum", x, (clv_attr){0}); }

/* For each op with a gradient: a value of each image that depends on the parameter p through the op alone. */
static clv_node through_conv(network *net)
{
    return sum_of(net, put_conv(net, "q", depend(net, 4, 5, 5), 2, (clv_attr)WINDOW(3, 2, 1)));
}
static clv_node through_deconv(network *net)
{
    return sum_of(net, put_deconv(net, "q", depend(net, 4, 5, 5), 2, (clv_attr)WINDOW(3, 2, 1)));
}
static clv_node through_bias(network *net) { return sum_of(net, depend(net, 4, 1, 1)); }
static clv_node through_act(network *net)
{
    return sum_of(net, put1(net, CLV_OP_ACT, "a", depend(net, 4, 1, 1), (clv_attr){.act = CLV_ACT_RELU}));
}
static clv_node through_dropout(network *net)
{
    return sum_of(net, put1(net, CLV_OP_DROPOUT, "a", depend(net, 4, 1, 1), (clv_attr){.rate = 0.1f}));
}
static clv_node through_reshape(network *net) { return sum_of(net, put_reshape(net, depend(net, 4, 1, 1), 1, 2, 2)); }
static clv_node through_add(network *net)
{
    const clv_node h = depend(net, 4, 1, 1);
    return sum_of(net, put2(net, CLV_OP_ADD, "a", h, h, (clv_attr){0}));
}
static clv_node through_mul(network *net)
{
    const clv_node h = depend(net, 4, 1, 1);
    return sum_of(net, put2(net, CLV_OP_MUL, "a", h, h, (clv_attr){0}));
}
static clv_node through_scale(network *net)
{
    return sum_of(net, put1(net, CLV_OP_SCALE, "a", depend(net, 4, 1, 1), (clv_attr){.alpha = 3}));
}
static clv_node through_ramp(network *net)
{
    return sum_of(net, put1(net, CLV_OP_RAMP, "a", depend(net, 4, 1, 1), (clv_attr){0}));
}
static clv_node through_broadcast(network *net)
{
    const clv_shape shape = batch_shape(2, 3, 4);
    const clv_node h = depend(net, 1, 1, 1);
    return sum_of(net, put_shaped(net, CLV_OP_BROADCAST, "a", 1, &h, (clv_attr){0}, &shape));
}
static clv_node through_sample(network *net)
{
    const clv_node h = depend(net, 4, 1, 1);
    return sum_of(net, put2(net, CLV_OP_SAMPLE, "z", h, h, (clv_attr){.stream = 9}));
}
static clv_node through_kl(network *net)
{
    const clv_node h = depend(net, 4, 1, 1);
    return put2(net, CLV_OP_KL, "kl", h, h, (clv_attr){0});
}
static clv_node through_mul_image(network *net)
{
    const clv_node h = depend(net, 1, 1, 1);
    return sum_of(net, put2(net, CLV_OP_MUL_IMAGE, "a", h, h, (clv_attr){0}));
}
static clv_node through_mse(network *net)
{
    return put2(net, CLV_OP_MSE, "mse", depend(net, 4, 2, 2), put_input(net, CLV_OP_GATHER, "t", 4, 2, 2),
                (clv_attr){0});
}
static clv_node through_bce(network *net)
{
    return put2(net, CLV_OP_BCE, "bce", depend(net, 4, 2, 2), put_input(net, CLV_OP_GATHER, "t", 4, 2, 2),
                (clv_attr){0});
}
static clv_node through_xent(network *net)
{
    return put2(net, CLV_OP_XENT, "xent", depend(net, 4, 1, 1), put_input(net, CLV_OP_LABEL, "l", 1, 1, 1),
                (clv_attr){0});
}

static const struct gradient_case {
    clv_op op;
    clv_node (*build)(network *net);
    const char *all, *only_p; /* ops appended for all parameters, for p alone */
} gradient_cases[] = {
    {CLV_OP_CONV, through_conv, "mean_grad broadcast conv_weight deconv bias_grad",
     "mean_grad broadcast deconv bias_grad"},
    {CLV_OP_DECONV, through_deconv, "mean_grad broadcast conv_weight conv bias_grad",
     "mean_grad broadcast conv bias_grad"},
    {CLV_OP_BIAS, through_bias, "mean_grad broadcast bias_grad", NULL},
    {CLV_OP_SUM, through_bias, "mean_grad broadcast bias_grad", NULL},
    {CLV_OP_ACT, through_act, "mean_grad broadcast act_grad bias_grad", NULL},
    {CLV_OP_DROPOUT, through_dropout, "mean_grad broadcast dropout bias_grad", NULL},
    {CLV_OP_RESHAPE, through_reshape, "mean_grad broadcast reshape bias_grad", NULL},
    {CLV_OP_ADD, through_add, "mean_grad broadcast add bias_grad", NULL},
    {CLV_OP_MUL, through_mul, "mean_grad broadcast mul mul add bias_grad", NULL},
    {CLV_OP_SCALE, through_scale, "mean_grad broadcast scale bias_grad", NULL},
    {CLV_OP_RAMP, through_ramp, "mean_grad broadcast ramp bias_grad", NULL},
    {CLV_OP_BROADCAST, through_broadcast, "mean_grad broadcast sum bias_grad", NULL},
    {CLV_OP_SAMPLE, through_sample, "mean_grad broadcast sample_grad add bias_grad", NULL},
    {CLV_OP_KL, through_kl, "mean_grad mul_image kl_grad_logvar add bias_grad", NULL},
    {CLV_OP_MUL_IMAGE, through_mul_image, "mean_grad broadcast mul_image mul sum add bias_grad", NULL},
    {CLV_OP_MSE, through_mse, "mean_grad mse_grad bias_grad", NULL},
    {CLV_OP_BCE, through_bce, "mean_grad bce_grad bias_grad", NULL},
    {CLV_OP_XENT, through_xent, "mean_grad xent_grad bias_grad", NULL},
    {CLV_OP_MEAN, through_kl, "mean_grad mul_image kl_grad_logvar add bias_grad", NULL},
};
#define GRADIENT_CASES (sizeof gradient_cases / sizeof *gradient_cases)

static void check_gradients(clv_node (*build)(network *net), int params, const char *expected)
{
    network net = network_start();
    const clv_node loss = put1(&net, CLV_OP_MEAN, "loss", build(&net), (clv_attr){0});
    if (net.status != CLV_OK) fail_msg("%s", net.err.message);
    const int before = clv_graph_size(net.graph);
    if (params == 0) params = net.params;
    if (clv_graph_gradients(net.graph, loss, net.param, params, net.gradient, &net.err) != CLV_OK)
        fail_msg("%s", net.err.message);
    char ops[256], name[CLV_NAME_SIZE + 2];
    assert_string_equal(ops_from(net.graph, before, ops, sizeof ops), expected);
    for (int i = 0; i < params; i++) {
        const clv_node_info *param = clv_graph_node(net.graph, net.param[i]);
        const clv_node_info *gradient = clv_graph_node(net.graph, net.gradient[i]);
        assert_true(clv_shape_equal(&param->shape, &gradient->shape));
        snprintf(name, sizeof name, "d %s", param->name);
        assert_string_equal(gradient->name, name);
    }
    network_end(&net);
}

static void test_gradient_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < GRADIENT_CASES; i++) {
        const struct gradient_case *c = &gradient_cases[i];
        check_gradients(c->build, 0, c->all);
        if (c->only_p) check_gradients(c->build, 1, c->only_p);
    }
}

/* Every op that gradients pass through has a case: the rest have none and say so, or do not depend on parameters. */
static void test_every_gradient_has_a_case(void **state)
{
    (void)state;
    static const char *const kinds[CLV_OP_COUNT] = {
#define R(NAME, shape, gradient) [CLV_OP_##NAME] = #gradient,
#include "graph/rules.def"
#undef R
    };
    for (int op = 0; op < CLV_OP_COUNT; op++) {
        int cases = 0;
        for (size_t i = 0; i < GRADIENT_CASES; i++) cases += (int)gradient_cases[i].op == op;
        const bool none = strcmp(kinds[op], "none") == 0 || strcmp(kinds[op], "leaf") == 0;
        if (none == (cases > 0)) fail_msg("%s: %d gradient cases", clv_op_table[op].name, cases);
    }
}

/* conv -> bias -> act -> flat -> linear -> xent: what the gradients are made from. */
static void test_gradient_inputs(void **state)
{
    (void)state;
    network net = network_start();
    const clv_node x = put_input(&net, CLV_OP_GATHER, "x", 1, 9, 8);
    const clv_attr window = WINDOW(3, 2, 0);
    clv_node conv = put_conv(&net, "conv", x, 2, window);
    const clv_node act = put1(&net, CLV_OP_ACT, "conv", put_bias(&net, "conv", conv), (clv_attr){.act = CLV_ACT_TANH});
    const clv_node deconv = put_deconv(&net, "deconv", act, 3, window);
    const clv_node loss = put1(&net, CLV_OP_MEAN, "loss", sum_of(&net, deconv), (clv_attr){0});
    assert_int_equal(net.status, CLV_OK);
    assert_int_equal(clv_graph_gradients(net.graph, loss, net.param, net.params, net.gradient, &net.err), CLV_OK);

    const clv_node_info *d_deconv = clv_graph_node(net.graph, net.gradient[2]); /* roles swapped: dy is the big side */
    assert_int_equal(d_deconv->op, CLV_OP_CONV_WEIGHT);
    assert_int_equal(d_deconv->input[1], act);
    assert_int_equal(clv_graph_node(net.graph, d_deconv->input[0])->op, CLV_OP_BROADCAST);
    const clv_node_info *d_conv = clv_graph_node(net.graph, net.gradient[0]);
    assert_int_equal(d_conv->op, CLV_OP_CONV_WEIGHT);
    assert_int_equal(d_conv->input[0], x);
    assert_int_equal(d_conv->attr.stride, 2);
    const clv_node_info *d_pre = clv_graph_node(net.graph, d_conv->input[1]);
    assert_int_equal(d_pre->op, CLV_OP_ACT_GRAD);
    assert_int_equal(d_pre->input[1], act);
    assert_int_equal(d_pre->attr.act, CLV_ACT_TANH);
    assert_int_equal(clv_graph_node(net.graph, net.gradient[1])->input[0], d_conv->input[1]);
    network_end(&net);
}

/* Dropout and sampling draw the same numbers going back. */
static void test_gradients_keep_streams(void **state)
{
    (void)state;
    network net = network_start();
    clv_node h = put1(&net, CLV_OP_DROPOUT, "drop", depend(&net, 4, 1, 1), (clv_attr){.rate = 0.25f, .stream = 4097});
    h = put2(&net, CLV_OP_SAMPLE, "z", h, h, (clv_attr){.stream = 4098});
    const clv_node loss = put1(&net, CLV_OP_MEAN, "loss", sum_of(&net, h), (clv_attr){0});
    const int before = clv_graph_size(net.graph);
    assert_int_equal(clv_graph_gradients(net.graph, loss, net.param, 1, net.gradient, &net.err), CLV_OK);
    int seen = 0;
    for (clv_node i = before; i < clv_graph_size(net.graph); i++) {
        const clv_node_info *info = clv_graph_node(net.graph, i);
        if (info->op == CLV_OP_DROPOUT && info->attr.stream == 4097 && info->attr.rate == 0.25f) seen |= 1;
        if (info->op == CLV_OP_SAMPLE_GRAD && info->attr.stream == 4098) seen |= 2;
    }
    assert_int_equal(seen, 3);
    network_end(&net);
}

static void expect_gradient_refusal(network *net, clv_node loss, clv_node param, const char *message)
{
    clv_node gradient = -77;
    assert_int_equal(net->status, CLV_OK);
    const int before = clv_graph_size(net->graph);
    expect_refusal(net, clv_graph_gradients(net->graph, loss, &param, 1, &gradient, &net->err), message);
    assert_int_equal(gradient, -77);
    assert_int_equal(clv_graph_size(net->graph), before);
}

static void test_gradients_refused(void **state)
{
    (void)state;
    network net = network_start();
    const clv_attr none = {0};
    const clv_node h = depend(&net, 4, 1, 1), p = net.param[0];
    const clv_node other = put_param(&net, "other", "weight", 3, 0, 0, 0);
    const clv_node v = put2(&net, CLV_OP_MSE, "mse", h, put_input(&net, CLV_OP_INPUT, "t", 4, 1, 1), none);
    const clv_node loss = put1(&net, CLV_OP_MEAN, "loss", v, none);
    expect_gradient_refusal(&net, loss, other, "loss 'loss' does not depend on parameter 'other.weight'");
    expect_gradient_refusal(&net, v, p, "mse 'mse' cannot be a loss: gradients start at a mean");
    expect_gradient_refusal(&net, 999, p, "cannot be a loss");
    expect_gradient_refusal(&net, loss, h, "bias 'p' is no parameter");

    const clv_node wrong = put2(&net, CLV_OP_BCE, "bce", h, h, none);
    expect_gradient_refusal(&net, put1(&net, CLV_OP_MEAN, "m", wrong, none), p,
                            "the target, bias 'p', depends on a parameter");
    const clv_node grad = put2(&net, CLV_OP_ACT_GRAD, "g", h, h, (clv_attr){.act = CLV_ACT_RELU});
    expect_gradient_refusal(&net, put1(&net, CLV_OP_MEAN, "m", sum_of(&net, grad), none), p,
                            "act_grad 'g': has no gradient");

    const clv_node act = put1(&net, CLV_OP_ACT, "fc", put_linear(&net, "fc", h, 2), (clv_attr){.act = CLV_ACT_RELU});
    const clv_node fused = put1(&net, CLV_OP_MEAN, "m", sum_of(&net, act), none);
    assert_int_equal(clv_graph_fuse(net.graph, 0, &net.err), CLV_OK);
    expect_gradient_refusal(&net, fused, p, "conv 'fc': is fused: append gradients before clv_graph_fuse");
    clv_node node;
    expect_refusal(&net,
                   clv_graph_add(net.graph, CLV_OP_SUM, "late", (clv_node[]){act - 1}, 1, NULL, NULL, &node, &net.err),
                   "is fused away: add nodes before clv_graph_fuse");
    network_end(&net);
}

/* The sum of two parameters hands both the same gradient: each still gets a node of its own. */
static void test_no_two_parameters_share_a_gradient(void **state)
{
    (void)state;
    network net = network_start();
    const clv_node a = put_param(&net, "a", "bias", 4, 0, 0, 0), b = put_param(&net, "b", "bias", 4, 0, 0, 0);
    const clv_node sum = put2(&net, CLV_OP_ADD, "a + b", a, b, (clv_attr){0});
    const clv_node h = put2(&net, CLV_OP_BIAS, "h", put_input(&net, CLV_OP_INPUT, "x", 4, 1, 1), sum, (clv_attr){0});
    const clv_node loss = put1(&net, CLV_OP_MEAN, "loss", sum_of(&net, h), (clv_attr){0});
    assert_int_equal(clv_graph_gradients(net.graph, loss, net.param, 2, net.gradient, &net.err), CLV_OK);
    assert_int_not_equal(net.gradient[0], net.gradient[1]);
    const clv_node_info *copy = clv_graph_node(net.graph, net.gradient[1]);
    assert_int_equal(copy->op, CLV_OP_SCALE);
    assert_true(copy->attr.alpha == 1);
    network_end(&net);
}

/* ---- fusion ---- */

static void hash_add(uint64_t *hash, uint64_t value) { *hash = (*hash ^ value) * 0x100000001b3u + (*hash >> 29); }

static uint64_t hash_two(uint64_t kind, uint64_t a, uint64_t b)
{
    uint64_t hash = 0xcbf29ce484222325u;
    hash_add(&hash, kind);
    hash_add(&hash, a);
    hash_add(&hash, b);
    return hash;
}

static uint64_t float_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static uint64_t hash_act(clv_op op, clv_act act, float slope, uint64_t x, uint64_t u)
{
    return hash_two(((uint64_t)op << 8) + (uint64_t)act, x ^ float_bits(act == CLV_ACT_LEAKY_RELU ? slope : 0), u);
}

static uint64_t hash_dropout(const clv_attr *a, uint64_t x)
{
    return hash_two(((uint64_t)CLV_OP_DROPOUT << 32) + a->stream, x, float_bits(a->rate));
}

static uint64_t meaning_without_dropout(const clv_graph *graph, const uint64_t *before, clv_node node);

/* act'(u) d; behind a fused dropout y of u as well, where y stands for both, a product's perhaps. */
static uint64_t hash_act_grad(const clv_graph *graph, const uint64_t *before, clv_act act, const clv_attr *a,
                              uint64_t d, clv_node u)
{
    if (a->mask_rate == 0) return hash_act(CLV_OP_ACT_GRAD, act, a->slope, d, before[u]);
    while (clv_graph_node(graph, u)->op == CLV_OP_RESHAPE) u = clv_graph_node(graph, u)->input[0];
    const clv_node_info *y = clv_graph_node(graph, u);
    assert_true(y->op == CLV_OP_DROPOUT || clv_op_table[y->op].family == CLV_FAMILY_PRODUCT);
    assert_true(y->attr.rate == a->mask_rate);
    const uint64_t x = y->op == CLV_OP_DROPOUT ? before[y->input[0]] : meaning_without_dropout(graph, before, u);
    return hash_act(CLV_OP_ACT_GRAD, act, a->slope, hash_dropout(&y->attr, d), x);
}

/* In either order. */
static uint64_t hash_sum(uint64_t a, uint64_t b) { return hash_two(CLV_OP_ADD, a + b, a ^ b); }

static uint64_t hash_loss_grad(clv_op op, uint64_t v, uint64_t y, uint64_t t)
{
    uint64_t hash = hash_two((uint64_t)op, v, y);
    hash_add(&hash, t);
    return hash;
}

static uint64_t meaning_of_plain(const clv_graph *graph, const uint64_t *before, clv_node node);

/* What a head is of, an input or the product that it was fused with, and its target. */
static uint64_t meaning_of_y(const clv_graph *graph, const uint64_t *before, clv_node node)
{
    const clv_node_info *info = clv_graph_node(graph, node);
    return info->attr.head ? meaning_of_plain(graph, before, node) : before[info->input[0]];
}
static uint64_t meaning_of_target(const uint64_t *before, const clv_node_info *info)
{
    return before[info->input[info->inputs - 2]];
}

static uint64_t meaning_of_head(const clv_graph *graph, const uint64_t *before, clv_node node)
{
    const clv_node_info *info = clv_graph_node(graph, node);
    const clv_attr *a = &info->attr;
    const clv_op op = clv_op_head(info->op, a) == CLV_OP_MSE_HEAD ? CLV_OP_MSE_GRAD : CLV_OP_BCE_GRAD;
    const uint64_t y = meaning_of_y(graph, before, node);
    const uint64_t grad = hash_loss_grad(op, 1 + float_bits(a->alpha), y, meaning_of_target(before, info));
    return a->act == CLV_ACT_NONE ? grad : hash_act(CLV_OP_ACT_GRAD, a->act, a->slope, grad, y);
}

/* What the node that writes it stands for: mse or bce of its inputs, bias_grad of the operand it sums, or the images.
 */
static uint64_t meaning_of_result(const clv_graph *graph, const uint64_t *before, clv_node node)
{
    for (clv_node i = node + 1; i < clv_graph_size(graph); i++) {
        const clv_node_info *info = clv_graph_node(graph, i);
        if (graph->entry[i]->fused_away || !clv_op_writes_input(info->op, &info->attr)) continue;
        if (info->input[info->inputs - 1] != node) continue;
        if (info->op == CLV_OP_GATHER) return meaning_of_plain(graph, before, node);
        uint64_t hash = info->op == CLV_OP_CONV_WEIGHT
                            ? hash_two(CLV_OP_BIAS_GRAD, before[info->input[info->attr.sum_of - 1]], 0)
                            : hash_two(clv_op_head(info->op, &info->attr) == CLV_OP_MSE_HEAD ? CLV_OP_MSE : CLV_OP_BCE,
                                       meaning_of_y(graph, before, i), meaning_of_target(before, info));
        for (int attribute = 0; attribute < 7; attribute++) hash_add(&hash, 0); /* third input, attributes: none */
        return hash;
    }
    fail_msg("nothing writes result %d", (int)node);
    return 0;
}

/* What a node computes, as a number that fusion must not change: a fused product counts as the chain it stands for, a
 * reshape as its input, a scaled mean_grad as a mean_grad. A product's dropout is left to `meaning`. */
static uint64_t meaning_without_dropout(const clv_graph *graph, const uint64_t *before, clv_node node)
{
    const clv_node_info *info = clv_graph_node(graph, node);
    const clv_attr *a = &info->attr;
    const uint64_t first = info->inputs > 0 ? before[info->input[0]] : 0;
    const uint64_t second = info->inputs > 1 ? before[info->input[1]] : 0;
    if (info->op == CLV_OP_RESHAPE) return first;
    if (info->op == CLV_OP_ACT) return hash_act(info->op, a->act, a->slope, first, second);
    if (info->op == CLV_OP_ACT_GRAD) return hash_act_grad(graph, before, a->act, a, first, info->input[1]);
    if (info->op == CLV_OP_DROPOUT) return hash_dropout(a, first);
    if (info->op == CLV_OP_BIAS)
        return hash_two(((uint64_t)info->op << 32) + (uint64_t)info->shape.dim[0], first, second);
    if (info->op == CLV_OP_MEAN_GRAD) return 1 + float_bits(a->alpha);
    if (info->op == CLV_OP_SCALE && clv_graph_node(graph, info->input[0])->op == CLV_OP_MEAN_GRAD)
        return 1 + float_bits(a->alpha * clv_graph_node(graph, info->input[0])->attr.alpha);

    if (info->op == CLV_OP_ADD) return hash_sum(first, second);
    if (info->op == CLV_OP_RESULT) return meaning_of_result(graph, before, node);
    if (info->op == CLV_OP_MSE_GRAD || info->op == CLV_OP_BCE_GRAD)
        return hash_loss_grad(info->op, first, second, before[info->input[2]]);
    if (clv_op_head(info->op, a)) return meaning_of_head(graph, before, node);
    return meaning_of_plain(graph, before, node);
}

/* What a node computes, and not what it is fused with: noise of a gather, the images that it writes beside. */
static clv_op plain_op(const clv_node_info *info)
{
    if (info->op == CLV_OP_RESULT) return CLV_OP_GATHER;
    return info->attr.noisy ? CLV_OP_NOISE : info->op;
}

/* Of the ops that have no rule of their own above, products among them, as if there were no head behind. */
static uint64_t meaning_of_plain(const clv_graph *graph, const uint64_t *before, clv_node node)
{
    const clv_node_info *info = clv_graph_node(graph, node);
    const clv_attr *a = &info->attr;
    const uint64_t first = info->inputs > 0 ? before[info->input[0]] : 0;
    const uint64_t second = info->inputs > 1 ? before[info->input[1]] : 0;
    const clv_op op = plain_op(info);
    uint64_t hash = hash_two((uint64_t)op, first, second);
    hash_add(&hash, info->inputs > 2 && clv_op_table[info->op].inputs > 2 ? before[info->input[2]] : 0);
    const bool product = clv_op_table[info->op].family == CLV_FAMILY_PRODUCT; /* its stream is its dropout's */
    const int attributes[] = {a->kernel, a->stride, a->pad, a->out_pad, a->slot, product ? 0 : (int)a->stream};
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) hash_add(&hash, (uint64_t)attributes[i]);
    if (info->op == CLV_OP_SCALE) hash_add(&hash, float_bits(a->alpha));
    if (clv_op_table[op].inputs == 0) {
        char shape[CLV_NAME_SIZE];
        for (const char *c = info->name; *c; c++) hash_add(&hash, (uint64_t)*c);
        for (const char *c = clv_shape_print(&info->shape, shape); *c; c++) hash_add(&hash, (uint64_t)*c);
    }
    if (a->has_bias)
        hash = hash_two(((uint64_t)CLV_OP_BIAS << 32) + (uint64_t)info->shape.dim[0], hash, before[info->input[2]]);
    if (a->has_addend) hash = hash_sum(hash, before[info->input[a->has_bias ? 3 : 2]]);
    if (product && a->act != CLV_ACT_NONE) hash = hash_act(CLV_OP_ACT, a->act, a->slope, hash, 0);
    if (a->grad_act != CLV_ACT_NONE)
        hash = hash_act_grad(graph, before, a->grad_act, a, hash, info->input[info->inputs - 1]);
    return hash;
}

static uint64_t meaning(const clv_graph *graph, const uint64_t *before, clv_node node)
{
    const clv_node_info *info = clv_graph_node(graph, node);
    const uint64_t hash = meaning_without_dropout(graph, before, node);
    const bool drops = clv_op_table[info->op].family == CLV_FAMILY_PRODUCT && info->attr.rate > 0;
    return drops ? hash_dropout(&info->attr, hash) : hash;
}

static uint64_t *meanings(const clv_graph *graph)
{
    const int nodes = clv_graph_size(graph);
    uint64_t *of = calloc((size_t)nodes, sizeof *of);
    assert_non_null(of);
    for (clv_node i = 0; i < nodes; i++) of[i] = meaning(graph, of, i);
    return of;
}

static char *graph_text(const clv_graph *graph)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    assert_non_null(file);
    clv_graph_print(graph, file);
    fclose(file);
    return text;
}

static void fuse(network *net)
{
    if (net->status != CLV_OK) fail_msg("%s", net->err.message);
    assert_int_equal(clv_graph_fuse(net->graph, 0, &net->err), CLV_OK);
}

static void test_fusion_keeps_meanings(void **state)
{
    (void)state;
    const unsigned long seed = fresh_seed();
    int fused_nodes = 0;
    for (unsigned long i = 0; i < 300; i++) {
        network net = random_network(seed + i);
        if (net.status != CLV_OK) fail_msg("seed %lu: %s", seed + i, net.err.message);
        uint64_t *before = meanings(net.graph);
        fuse(&net);
        uint64_t *after = meanings(net.graph);
        for (clv_node k = 0; k < clv_graph_size(net.graph); k++) {
            const clv_node_info *info = clv_graph_node(net.graph, k);
            fused_nodes += net.graph->entry[k]->fused_away;
            if (info->output && before[k] != after[k]) fail_msg("seed %lu: output %d changed", seed + i, (int)k);
            for (int in = 0; in < info->inputs; in++) /* order stands, and nothing live reads what was fused away */
                if (info->input[in] >= k ||
                    (!net.graph->entry[k]->fused_away && net.graph->entry[info->input[in]]->fused_away))
                    fail_msg("seed %lu: node %d reads node %d", seed + i, (int)k, (int)info->input[in]);
        }
        for (int k = 0; k < net.params; k++)
            if (net.gradient[k] != CLV_NODE_NONE && before[net.gradient[k]] != after[net.gradient[k]])
                fail_msg("seed %lu: gradient %d changed", seed + i, k);
        char *once = graph_text(net.graph);
        fuse(&net);
        char *twice = graph_text(net.graph);
        if (strcmp(once, twice) != 0)
            fail_msg("seed %lu: fusing twice is not fusing once:\n%s\nand\n%s", seed + i, once, twice);
        free(once);
        free(twice);
        free(before);
        free(after);
        network_end(&net);
    }
    assert_true(fused_nodes > 100);
}

static void test_bias_and_act_fuse(void **state)
{
    (void)state;
    network net = network_start();
    const clv_node x = put_input(&net, CLV_OP_INPUT, "x", 3, 9, 9);
    clv_node h = put_bias(&net, "conv1", put_conv(&net, "conv1", x, 4, (clv_attr)WINDOW(3, 1, 1)));
    h = put1(&net, CLV_OP_ACT, "act1", h, (clv_attr){.act = CLV_ACT_LEAKY_RELU, .slope = 0.2f});
    const clv_node last = put1(&net, CLV_OP_ACT, "act2", put_deconv(&net, "deconv", h, 1, (clv_attr)WINDOW(2, 2, 0)),
                               (clv_attr){.act = CLV_ACT_SIGMOID});
    clv_graph_mark_output(net.graph, last);
    fuse(&net);
    const clv_node_info *conv = clv_graph_node(net.graph, h), *deconv = clv_graph_node(net.graph, last);
    assert_int_equal(conv->op, CLV_OP_CONV);
    assert_string_equal(conv->name, "conv1");
    assert_int_equal(conv->inputs, 3);
    assert_true(conv->attr.has_bias && conv->attr.act == CLV_ACT_LEAKY_RELU && conv->attr.slope == 0.2f);
    assert_int_equal(deconv->op, CLV_OP_DECONV);
    assert_int_equal(deconv->inputs, 2);
    assert_int_equal(deconv->input[0], h);
    assert_true(!deconv->attr.has_bias && deconv->attr.act == CLV_ACT_SIGMOID && deconv->output);
    network_end(&net);
}

/* A value that is an output, or that two nodes read, stays; so does a bias behind a reshape, a bias or an activation
 * behind an activation, a second bias, and anything behind another op. */
static void test_what_must_not_fuse(void **state)
{
    (void)state;
    const clv_attr act = {.act = CLV_ACT_RELU}, window = WINDOW(3, 1, 1);
    for (int variant = 0; variant < 7; variant++) {
        network net = network_start();
        const clv_node x = put_input(&net, CLV_OP_INPUT, "x", 3, 4, 4), conv = put_conv(&net, "c", x, 4, window);
        clv_node y = conv;
        if (variant == 0) clv_graph_mark_output(net.graph, conv);
        if (variant == 1) sum_of(&net, conv);
        if (variant == 2) y = put_reshape(&net, conv, 16, 2, 2);
        if (variant == 3) y = put1(&net, CLV_OP_DROPOUT, "drop", conv, (clv_attr){.rate = 0.5f});
        if (variant == 4 || variant == 5) y = put1(&net, CLV_OP_ACT, "act", conv, act);
        if (variant == 6) y = put_bias(&net, "c", conv);
        y = variant == 3 || variant == 4 ? put1(&net, CLV_OP_ACT, "act", y, act) : put_bias(&net, "b", y);
        const clv_op op = clv_graph_node(net.graph, y)->op;
        clv_graph_mark_output(net.graph, y);
        fuse(&net);
        assert_int_equal(clv_graph_node(net.graph, y)->op, op);
        assert_int_equal(net.graph->entry[conv]->fused_away, variant >= 4); /* into the node behind it, no further */
        network_end(&net);
    }
}

/* deconv or conv -> act_grad: fused; behind a reshape too, as long as nothing else reads between. */
static void test_act_grad_fuses(void **state)
{
    (void)state;
    for (int variant = 0; variant < 4; variant++) {
        network net = network_start();
        const clv_node u = put_input(&net, CLV_OP_INPUT, "u", 8, 2, 2),
                       dy = put_input(&net, CLV_OP_INPUT, "dy", 5, 1, 1);
        clv_node d = put_deconv(&net, "d", dy, 32, (clv_attr)WINDOW(1, 1, 0));
        const clv_node product = d;
        if (variant == 3) d = put1(&net, CLV_OP_ACT, "act", d, (clv_attr){.act = CLV_ACT_RELU});
        d = put_reshape(&net, d, 8, 2, 2);
        if (variant == 1) d = put_reshape(&net, put_reshape(&net, d, 2, 4, 4), 8, 2, 2);
        if (variant == 2) sum_of(&net, d);
        const clv_node last =
            put2(&net, CLV_OP_ACT_GRAD, "g", d, u, (clv_attr){.act = CLV_ACT_LEAKY_RELU, .slope = 0.3f});
        clv_graph_mark_output(net.graph, last);
        fuse(&net);
        const clv_node_info *info = clv_graph_node(net.graph, last);
        if (variant >= 2) {
            assert_int_equal(info->op, CLV_OP_ACT_GRAD);
        } else {
            const clv_node_info *fused = clv_graph_node(net.graph, info->input[0]);
            const clv_node_info *view = clv_graph_node(net.graph, fused->input[2]);
            assert_int_equal(info->op, CLV_OP_RESHAPE);
            assert_int_equal(fused->op, CLV_OP_DECONV);
            assert_true(fused->attr.grad_act == CLV_ACT_LEAKY_RELU && fused->attr.slope == 0.3f);
            assert_int_equal(fused->shape.dim[0], 32);
            assert_int_equal(view->op, CLV_OP_RESHAPE);
            assert_int_equal(view->input[0], u);
            assert_true(clv_shape_equal(&view->shape, &fused->shape));
            assert_int_not_equal(product, last);
        }
        network_end(&net);
    }
}

/* relu -> dropout -> product, back: the dropout's gradient and the relu's end in the product before them, through a
 * reshape too; not where the activation is no relu, where something reads between, or where the dropout is another's.
 */
static void test_dropout_grad_fuses(void **state)
{
    (void)state;
    for (int variant = 0; variant < 5; variant++) {
        network net = network_start();
        const clv_attr drop = {.rate = 0.4f, .stream = 9}, act = {.act = variant == 2 ? CLV_ACT_TANH : CLV_ACT_RELU};
        const clv_node x = put_input(&net, CLV_OP_INPUT, "x", 8, 2, 2),
                       dy = put_input(&net, CLV_OP_INPUT, "dy", 5, 1, 1);
        const clv_node u = put1(&net, CLV_OP_ACT, "u", x, act);
        const clv_node flat = variant == 1 ? put_reshape(&net, u, 32, 1, 1) : u;
        const clv_node y = put1(&net, CLV_OP_DROPOUT, "drop", flat, drop);
        clv_node d = variant == 1 ? put_deconv(&net, "d", dy, 32, (clv_attr)WINDOW(1, 1, 0))
                                  : put_deconv(&net, "d", dy, 8, (clv_attr)WINDOW(2, 1, 0));
        d = put1(&net, CLV_OP_DROPOUT, "d drop", d, (clv_attr){.rate = 0.4f, .stream = variant == 4 ? 10 : 9});
        if (variant == 3) sum_of(&net, d);
        if (variant == 1) d = put_reshape(&net, d, 8, 2, 2);
        const clv_node last = put2(&net, CLV_OP_ACT_GRAD, "g", d, u, act);
        clv_graph_mark_output(net.graph, last);
        fuse(&net);
        const clv_node_info *info = clv_graph_node(net.graph, last);
        if (variant >= 2) {
            assert_int_equal(info->op, CLV_OP_ACT_GRAD);
            assert_int_equal(info->input[0], d);
            assert_true(info->attr.mask_rate == 0);
        } else {
            if (variant == 1) {
                assert_int_equal(info->op, CLV_OP_RESHAPE);
                info = clv_graph_node(net.graph, info->input[0]);
            }
            assert_int_equal(info->op, CLV_OP_DECONV);
            assert_int_equal(info->input[2], y);
            assert_true(info->attr.grad_act == CLV_ACT_RELU && info->attr.mask_rate == 0.4f && info->attr.rate == 0);
        }
        network_end(&net);
    }
}

/* A graph of a linear layer, or what comes close, a dropout and a loss. Returns the dropout. */
static clv_node put_dropping_layer(network *net, clv_act act, clv_attr drop, bool flat)
{
    clv_node h = put_input(net, CLV_OP_INPUT, "x", flat ? 12 : 3, flat ? 1 : 2, flat ? 1 : 2);
    h = put_bias(net, "fc", flat ? put_linear(net, "fc", h, 6) : put_conv(net, "fc", h, 6, (clv_attr)WINDOW(1, 1, 0)));
    if (act != CLV_ACT_NONE) h = put1(net, CLV_OP_ACT, "act", h, (clv_attr){.act = act});
    const clv_node y = put1(net, CLV_OP_DROPOUT, "drop", h, drop);
    h = put_bias(net, "out", flat ? put_linear(net, "out", y, 5) : y);
    net->loss = put1(net, CLV_OP_MEAN, "loss", sum_of(net, h), (clv_attr){0});
    return y;
}

/* linear -> bias -> act -> dropout is one product, once its relu's gradient reads the dropout in place of the relu; so
 * is it without an activation. Not behind another activation, whose gradient reads it, behind an image of more than one
 * pixel, where nothing is dropped, or where either fusion is switched off. */
static void test_dropout_fuses(void **state)
{
    (void)state;
    static const struct {
        clv_act act;
        float rate;
        bool flat;
        unsigned apart;
        bool fused;
    } cases[] = {
        {CLV_ACT_RELU, 0.4f, true, 0, true},
        {CLV_ACT_NONE, 0.4f, true, 0, true},
        {CLV_ACT_TANH, 0.4f, true, 0, false},
        {CLV_ACT_RELU, 0.4f, false, 0, false},
        {CLV_ACT_RELU, 0, true, 0, false},
        {CLV_ACT_RELU, 0.4f, true, CLV_FUSE_DROPOUT, false},
        {CLV_ACT_RELU, 0.4f, true, CLV_FUSE_EPILOGUE, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        network net = network_start();
        const clv_attr drop = {.rate = cases[i].rate, .stream = 9};
        const clv_node y = put_dropping_layer(&net, cases[i].act, drop, cases[i].flat);
        assert_int_equal(net.status, CLV_OK);
        const int before = clv_graph_size(net.graph);
        assert_int_equal(clv_graph_gradients(net.graph, net.loss, net.param, net.params, net.gradient, &net.err),
                         CLV_OK);
        assert_int_equal(clv_graph_fuse(net.graph, cases[i].apart, &net.err), CLV_OK);
        const clv_node_info *info = clv_graph_node(net.graph, y);
        assert_int_equal(info->op, cases[i].fused ? CLV_OP_CONV : CLV_OP_DROPOUT);
        assert_true(info->attr.rate == cases[i].rate && info->attr.stream == 9);
        if (cases[i].fused) {
            assert_string_equal(info->name, "fc");
            assert_true(info->attr.has_bias && info->attr.act == cases[i].act && info->attr.mask_rate == 0);
        }
        int masks = 0; /* the gradient's: of what the forward product wrote, or drawn again by the product before it */
        for (clv_node k = before; k < clv_graph_size(net.graph); k++) {
            const clv_node_info *g = clv_graph_node(net.graph, k);
            if (net.graph->entry[k]->fused_away) continue;
            if (g->attr.mask_rate > 0) {
                masks++;
                assert_int_equal(g->input[g->inputs - 1], y);
            }
            if (g->attr.rate > 0) {
                masks++;
                assert_true(g->attr.rate == cases[i].rate && g->attr.stream == 9);
                if (cases[i].apart == 0 && cases[i].flat) assert_int_equal(g->op, CLV_OP_DECONV);
            }
        }
        assert_int_equal(masks, cases[i].rate > 0 ? 1 : 0);
        network_end(&net);
    }
}

/* A relu that something else reads, and one of a frozen layer, whose gradient nothing asks for. */
static void test_dropout_fuses_where_it_alone_reads(void **state)
{
    (void)state;
    for (int read = 0; read < 2; read++) {
        network net = network_start();
        const clv_node y = put_dropping_layer(&net, CLV_ACT_RELU, (clv_attr){.rate = 0.4f, .stream = 9}, true);
        if (read) sum_of(&net, y - 1);
        fuse(&net);
        assert_int_equal(clv_graph_node(net.graph, y)->op, read ? CLV_OP_DROPOUT : CLV_OP_CONV);
        network_end(&net);
    }
}

/* A loss of a product, its gradient: one node, whose result is the gradient of the product; not where the result is
 * read by something else or an output, where the loss goes back through another activation than the product's, behind a
 * reshape, or where the fusion is not wanted. */
static void test_head_fuses(void **state)
{
    (void)state;
    enum { BCE, MSE, SIGMOID, NO_BIAS, OUTPUT, READ, RESHAPED, BENT_ENTROPY, APART, VARIANTS };
    for (int variant = BCE; variant < VARIANTS; variant++) {
        network net = network_start();
        const clv_attr none = {0}, sigmoid = {.act = CLV_ACT_SIGMOID};
        const bool bce = variant == BCE || variant >= OUTPUT, bends = variant == SIGMOID || variant == BENT_ENTROPY;
        const clv_node x = put_input(&net, CLV_OP_INPUT, "x", 3, 4, 4), t = put_input(&net, CLV_OP_INPUT, "t", 1, 8, 8);
        clv_node y = put_deconv(&net, "up", x, 1, (clv_attr)WINDOW(4, 2, 1));
        if (variant != NO_BIAS) y = put_bias(&net, "up", y);
        if (bends) y = put1(&net, CLV_OP_ACT, "up", y, sigmoid);
        if (variant == OUTPUT) clv_graph_mark_output(net.graph, y);
        if (variant == READ) clv_graph_mark_output(net.graph, sum_of(&net, y));
        const clv_node at = variant == RESHAPED ? put_reshape(&net, put_reshape(&net, y, 64, 1, 1), 1, 8, 8) : y;
        const clv_node v = put2(&net, bce ? CLV_OP_BCE : CLV_OP_MSE, "v", at, t, none);
        const clv_node loss = put1(&net, CLV_OP_MEAN, "loss", v, none);
        clv_graph_mark_output(net.graph, loss);
        assert_int_equal(clv_graph_gradients(net.graph, loss, net.param, net.params, net.gradient, &net.err), CLV_OK);
        assert_int_equal(clv_graph_fuse(net.graph, variant == APART ? CLV_FUSE_HEAD : 0, &net.err), CLV_OK);
        const clv_node d = clv_graph_node(net.graph, net.gradient[0])->input[0]; /* conv_weight's */
        const clv_node_info *info = clv_graph_node(net.graph, d);
        if (variant >= OUTPUT) {
            assert_false(info->attr.head);
            assert_false(net.graph->entry[y]->fused_away);
        } else {
            assert_int_equal(info->op, CLV_OP_DECONV);
            assert_int_equal(info->attr.head, bce ? CLV_OP_BCE_HEAD : CLV_OP_MSE_HEAD);
            assert_int_equal(info->attr.act, bends ? CLV_ACT_SIGMOID : CLV_ACT_NONE);
            assert_true(info->attr.alpha == 1);
            assert_string_equal(info->name, "up");
            assert_int_equal(info->inputs, variant == NO_BIAS ? 4 : 5);
            assert_int_equal(info->input[0], x);
            assert_int_equal(info->input[info->inputs - 2], t);
            assert_int_equal(info->input[info->inputs - 1], v);
            assert_int_equal(clv_graph_node(net.graph, v)->op, CLV_OP_RESULT);
            assert_true(net.graph->entry[y]->fused_away);
        }
        network_end(&net);
    }
}

/* Noise of a batch: one node, whose result is noisy and which writes the images for their other readers; not of
 * anything but a gather's own result, once more of the same gather, or where the fusion is not wanted. */
static void test_noise_fuses(void **state)
{
    (void)state;
    enum { PLAIN, OUTPUT, TWICE, ON_NOISE, INPUT, RESHAPED, APART, VARIANTS };
    for (int variant = PLAIN; variant < VARIANTS; variant++) {
        network net = network_start();
        const clv_attr draws = {.stream = 9};
        const clv_op source = variant == INPUT ? CLV_OP_INPUT : CLV_OP_GATHER;
        const clv_shape shape = {.rank = 3, .dim = {1, 6, 5, 1}, .batched = true};
        const clv_node x =
            put_shaped(&net, source, "images", 0, NULL, (clv_attr){.dataset = source == CLV_OP_GATHER}, &shape);
        if (variant == OUTPUT) clv_graph_mark_output(net.graph, x);
        const clv_node from = variant == RESHAPED ? put_reshape(&net, x, 5, 2, 3) : x;
        const clv_node noisy = put1(&net, CLV_OP_NOISE, "noise", from, draws);
        clv_node other = CLV_NODE_NONE;
        if (variant == TWICE) other = put1(&net, CLV_OP_NOISE, "more", x, (clv_attr){.stream = 8});
        if (variant == ON_NOISE) other = put1(&net, CLV_OP_NOISE, "more", noisy, (clv_attr){.stream = 8});
        const clv_node error = put2(&net, CLV_OP_MSE, "mse", noisy, from, (clv_attr){0});
        clv_graph_mark_output(net.graph, error);
        assert_int_equal(clv_graph_fuse(net.graph, variant == APART ? CLV_FUSE_NOISE : 0, &net.err), CLV_OK);
        const clv_node_info *info = clv_graph_node(net.graph, noisy), *images = clv_graph_node(net.graph, x);
        if (variant >= INPUT) {
            assert_int_equal(info->op, CLV_OP_NOISE);
            assert_int_equal(images->op, source);
        } else {
            assert_int_equal(info->op, CLV_OP_GATHER);
            assert_true(info->attr.noisy);
            assert_int_equal(info->attr.stream, 9);
            assert_int_equal(info->attr.dataset, 1);
            assert_string_equal(info->name, "noise");
            assert_int_equal(info->inputs, 1);
            assert_int_equal(info->input[0], x);
            assert_int_equal(images->op, CLV_OP_RESULT);
            assert_int_equal(images->output, variant == OUTPUT);
            assert_int_equal(clv_graph_node(net.graph, error)->input[1], x);
        }
        if (other != CLV_NODE_NONE) {
            assert_int_equal(clv_graph_node(net.graph, other)->op, CLV_OP_NOISE);
            assert_int_equal(clv_graph_node(net.graph, other)->input[0], variant == TWICE ? x : noisy);
        }
        network_end(&net);
    }
}

/* The network of E5 (two convolutions, two heads, mirrored), in one line an op. */
static void test_fused_training_graph(void **state)
{
    (void)state;
    network net = network_start();
    const clv_attr window = WINDOW(4, 2, 1), relu = {.act = CLV_ACT_RELU}, none = {0};
    const clv_node x = put_input(&net, CLV_OP_GATHER, "images", 1, 28, 28);
    clv_node h = put1(&net, CLV_OP_ACT, "conv1", put_bias(&net, "conv1", put_conv(&net, "conv1", x, 4, window)), relu);
    h = put1(&net, CLV_OP_ACT, "conv2", put_bias(&net, "conv2", put_conv(&net, "conv2", h, 8, window)), relu);
    h = put_reshape(&net, h, 392, 1, 1);
    h = put1(&net, CLV_OP_ACT, "fc", put_bias(&net, "fc", put_linear(&net, "fc", h, 2)), relu);
    h = put1(&net, CLV_OP_ACT, "fc2", put_bias(&net, "fc2", put_linear(&net, "fc2", h, 392)), relu);
    h = put_reshape(&net, h, 8, 7, 7);
    h = put1(&net, CLV_OP_ACT, "up1", put_bias(&net, "up1", put_deconv(&net, "up1", h, 4, window)), relu);
    h = put_bias(&net, "up2", put_deconv(&net, "up2", h, 1, window));
    const clv_node loss = put1(&net, CLV_OP_MEAN, "loss", put2(&net, CLV_OP_BCE, "bce", h, x, none), none);
    assert_int_equal(net.status, CLV_OK);
    const int before = clv_graph_size(net.graph);
    assert_int_equal(clv_graph_gradients(net.graph, loss, net.param, net.params, net.gradient, &net.err), CLV_OK);
    fuse(&net);
    char ops[512];
    assert_string_equal(ops_from(net.graph, before, ops, sizeof ops),
                        "deconv result conv_weight conv result conv_weight reshape conv reshape "
                        "result conv_weight deconv result conv_weight reshape deconv reshape "
                        "result conv_weight deconv result conv_weight");
    network_end(&net);
}

static void test_loss_weight_fuses(void **state)
{
    (void)state;
    network net = network_start();
    const clv_node kl = through_kl(&net);
    const clv_node v = put1(&net, CLV_OP_SCALE, "beta", kl, (clv_attr){.alpha = 4});
    const clv_node loss = put1(&net, CLV_OP_MEAN, "loss", v, (clv_attr){0});
    const int before = clv_graph_size(net.graph);
    assert_int_equal(clv_graph_gradients(net.graph, loss, net.param, 1, net.gradient, &net.err), CLV_OK);
    fuse(&net);
    char ops[256];
    assert_string_equal(ops_from(net.graph, before, ops, sizeof ops),
                        "mean_grad mul_image kl_grad_logvar add bias_grad");
    const clv_node_info *weight = clv_graph_node(net.graph, before + 1);
    assert_int_equal(weight->op, CLV_OP_MEAN_GRAD);
    assert_true(weight->attr.alpha == 4);
    network_end(&net);
}

static void test_print(void **state)
{
    (void)state;
    network net = network_start();
    const clv_node x = put_input(&net, CLV_OP_GATHER, "images", 1, 28, 28);
    clv_node h = put_bias(&net, "conv1", put_conv(&net, "conv1", x, 64, (clv_attr)WINDOW(4, 2, 1)));
    h = put1(&net, CLV_OP_ACT, "conv1", h, (clv_attr){.act = CLV_ACT_RELU});
    clv_graph_mark_output(net.graph, h);
    fuse(&net);
    char *text = graph_text(net.graph);
    assert_string_equal(text,
                        "   0  images                   gather                          [1][28][28][n]     dataset=0\n"
                        "   1  conv1.weight             param                           [64][1][4][4]\n"
                        "   3  conv1.bias               param                           [64]\n"
                        "   5  conv1                    conv           0 1 3            [64][14][14][n]    "
                        "kernel=4 stride=2 pad=1 bias act=relu output\n");
    free(text);
    network_end(&net);
}

static void test_print_noisy(void **state)
{
    (void)state;
    network net = network_start();
    const clv_node x = put_input(&net, CLV_OP_GATHER, "images", 1, 28, 28);
    const clv_node noisy = put1(&net, CLV_OP_NOISE, "noise", x, (clv_attr){.stream = 9});
    clv_graph_mark_output(net.graph, noisy);
    fuse(&net);
    char *text = graph_text(net.graph);
    assert_string_equal(text, "   0  images                   result                          [1][28][28][n]\n"
                              "   1  noise                    gather         0                [1][28][28][n]     "
                              "noisy stream=9 dataset=0 output\n");
    free(text);
    network_end(&net);
}

/* ---- allocation failures ---- */

static void test_allocation_failures(void **state)
{
    (void)state;
    const unsigned long seed = fresh_seed();
    for (long nth = 1;; nth++) {
        clv_fail_allocation(nth);
        network net = random_network(seed);
        if (net.graph && net.status == CLV_OK) net.status = clv_graph_fuse(net.graph, 0, &net.err);
        clv_fail_allocation(0);
        const clv_status status = net.status;
        if (net.graph && status != CLV_OK) assert_non_null(strstr(net.err.message, "out of memory"));
        network_end(&net);
        if (status == CLV_OK) break;
        assert_int_equal(status, CLV_ERR_INTERNAL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_every_op_has_shape_cases),
        cmocka_unit_test(test_names_and_lookups),
        cmocka_unit_test(test_effects_make_no_tensor),
        cmocka_unit_test(test_linear_needs_a_flat_input),
        cmocka_unit_test(test_multiply_adds),
        cmocka_unit_test(test_gradient_rules),
        cmocka_unit_test(test_every_gradient_has_a_case),
        cmocka_unit_test(test_gradient_inputs),
        cmocka_unit_test(test_gradients_keep_streams),
        cmocka_unit_test(test_gradients_refused),
        cmocka_unit_test(test_no_two_parameters_share_a_gradient),
        cmocka_unit_test(test_fusion_keeps_meanings),
        cmocka_unit_test(test_bias_and_act_fuse),
        cmocka_unit_test(test_what_must_not_fuse),
        cmocka_unit_test(test_act_grad_fuses),
        cmocka_unit_test(test_dropout_grad_fuses),
        cmocka_unit_test(test_dropout_fuses),
        cmocka_unit_test(test_dropout_fuses_where_it_alone_reads),
        cmocka_unit_test(test_head_fuses),
        cmocka_unit_test(test_noise_fuses),
        cmocka_unit_test(test_fused_training_graph),
        cmocka_unit_test(test_loss_weight_fuses),
        cmocka_unit_test(test_print),
        cmocka_unit_test(test_print_noisy),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
