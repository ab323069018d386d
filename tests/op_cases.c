/* The cases: odd sizes, all strides and pads, rectangular images, every activation, every fused form; and how a case
 * becomes a plan. */
#include "op_cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/opencl/opencl.h"
#include "backend/trial.h"
#include "base/philox.h"
#include "base/try.h"

/* clang-format off */
#define BATCH(c, y, x)     { .rank = 3, .dim = {c, y, x, 1}, .batched = true }
#define KERNEL(o, i, k)    { .rank = 4, .dim = {o, i, k, k} }
#define MATRIX(o, i)       { .rank = 2, .dim = {o, i, 1, 1} }
#define VECTOR(c)          { .rank = 1, .dim = {c, 1, 1, 1} }
#define ONE                BATCH(1, 1, 1)
#define CASE(name, images) .op = CLV_OP_##name, .batch = images
#define WINDOW(k, s, p)    .kernel = k, .stride = s, .pad = p
/* clang-format on */

const op_case op_cases[] = {
    {CASE(GATHER, 13), .result = BATCH(1, 7, 5)},
    {CASE(GATHER, 127), .attr = {.dataset = 1}, .result = BATCH(3, 13, 9)},
    {CASE(GATHER, 1), .result = BATCH(1, 28, 28)},
    /* noisy: the images beside; quads of pixels, and what is left of quads, squares and blocks */
    {CASE(GATHER, 13), .in = {BATCH(1, 7, 5)}, .attr = {.noisy = true, .stream = CLV_STREAM_GRAPH},
     .result = BATCH(1, 7, 5)},
    {CASE(GATHER, 127), .in = {BATCH(3, 13, 9)}, .attr = {.noisy = true, .stream = CLV_STREAM_EVAL, .dataset = 1},
     .result = BATCH(3, 13, 9)},
    {CASE(GATHER, 128), .in = {BATCH(1, 28, 28)}, .attr = {.noisy = true, .stream = CLV_STREAM_GRAPH},
     .result = BATCH(1, 28, 28)},
    {CASE(GATHER, 33), .in = {BATCH(2, 3, 5)}, .attr = {.noisy = true, .stream = CLV_STREAM_GRAPH},
     .result = BATCH(2, 3, 5)},
    {CASE(GATHER, 16), .in = {BATCH(1, 4, 11)}, .attr = {.noisy = true, .stream = CLV_STREAM_GRAPH},
     .result = BATCH(1, 4, 11)},
    {CASE(GATHER, 5), .in = {BATCH(3, 1, 1)}, .attr = {.noisy = true, .stream = CLV_STREAM_GRAPH},
     .result = BATCH(3, 1, 1)},
    {CASE(GATHER, 1), .in = {ONE}, .attr = {.noisy = true, .stream = CLV_STREAM_GRAPH}, .result = ONE},
    {CASE(LABEL, 127)},
    {CASE(LABEL, 7), .attr = {.dataset = 1}},

    /* conv: x, w, then bias, then u */
    {CASE(CONV, 7), .in = {BATCH(1, 7, 7), KERNEL(1, 1, 1)}, .attr = {WINDOW(1, 1, 0)}},
    {CASE(CONV, 127), .in = {BATCH(1, 28, 28), KERNEL(7, 1, 3)}, .attr = {WINDOW(3, 2, 1)}},
    {CASE(CONV, 13), .in = {BATCH(7, 13, 5), KERNEL(13, 7, 3)}, .attr = {WINDOW(3, 1, 1)}},
    {CASE(CONV, 16), .in = {BATCH(8, 14, 14), KERNEL(16, 8, 4)}, .attr = {WINDOW(4, 2, 1)}},
    {CASE(CONV, 1), .in = {BATCH(13, 9, 7), KERNEL(7, 13, 5)}, .attr = {WINDOW(5, 3, 2)}},
    {CASE(CONV, 33), .in = {BATCH(2, 3, 17), KERNEL(127, 2, 2)}, .attr = {WINDOW(2, 3, 0)}},
    {CASE(CONV, 64), .in = {BATCH(64, 7, 7), KERNEL(33, 64, 3)}, .attr = {WINDOW(3, 2, 0)}},
    {CASE(CONV, 5), .in = {BATCH(3, 2, 2), KERNEL(5, 3, 4)}, .attr = {WINDOW(4, 2, 1)}},
    {CASE(CONV, 13), .in = {BATCH(3, 6, 8), KERNEL(5, 3, 3), VECTOR(5)}, .attr = {WINDOW(3, 2, 1), .has_bias = true}},
    {CASE(CONV, 13), .in = {BATCH(3, 6, 8), KERNEL(5, 3, 3), VECTOR(5)},
     .attr = {WINDOW(3, 1, 1), .has_bias = true, .act = CLV_ACT_RELU}},
    {CASE(CONV, 13), .in = {BATCH(3, 6, 8), KERNEL(6, 3, 3), VECTOR(6)},
     .attr = {WINDOW(3, 1, 0), .has_bias = true, .act = CLV_ACT_LEAKY_RELU, .slope = 0.2f}},
    {CASE(CONV, 13), .in = {BATCH(3, 6, 8), KERNEL(7, 3, 2), VECTOR(7)},
     .attr = {WINDOW(2, 1, 0), .has_bias = true, .act = CLV_ACT_SIGMOID}},
    {CASE(CONV, 13), .in = {BATCH(3, 6, 8), KERNEL(8, 3, 2)}, .attr = {WINDOW(2, 1, 1), .act = CLV_ACT_TANH}},
    {CASE(CONV, 13), .in = {BATCH(3, 6, 8), KERNEL(9, 3, 3), BATCH(9, 6, 8)},
     .attr = {WINDOW(3, 1, 1), .grad_act = CLV_ACT_RELU}},
    {CASE(CONV, 13), .in = {BATCH(3, 6, 8), KERNEL(4, 3, 3), BATCH(4, 6, 8)},
     .attr = {WINDOW(3, 1, 1), .grad_act = CLV_ACT_SIGMOID}},
    {CASE(CONV, 13), .in = {BATCH(3, 6, 8), KERNEL(4, 3, 3), VECTOR(4), BATCH(4, 3, 4)},
     .attr = {WINDOW(3, 2, 1), .has_bias = true, .act = CLV_ACT_RELU, .grad_act = CLV_ACT_TANH}},
    /* linear layers */
    {CASE(CONV, 127), .in = {BATCH(13, 1, 1), MATRIX(7, 13)}, .attr = {WINDOW(1, 1, 0)}},
    {CASE(CONV, 128), .in = {BATCH(784, 1, 1), MATRIX(64, 784), VECTOR(64)},
     .attr = {WINDOW(1, 1, 0), .has_bias = true, .act = CLV_ACT_RELU}},
    {CASE(CONV, 128), .in = {BATCH(577, 1, 1), MATRIX(2, 577), VECTOR(2)}, .attr = {WINDOW(1, 1, 0), .has_bias = true}},
    {CASE(CONV, 7), .in = {BATCH(2, 1, 1), MATRIX(577, 2), VECTOR(577)},
     .attr = {WINDOW(1, 1, 0), .has_bias = true, .act = CLV_ACT_SIGMOID}},
    {CASE(CONV, 1), .in = {BATCH(1, 1, 1), MATRIX(1, 1)}, .attr = {WINDOW(1, 1, 0)}},
    {CASE(CONV, 13), .in = {BATCH(3, 5, 4), MATRIX(7, 3)}, .attr = {WINDOW(1, 1, 0)}},

    /* deconv: y, w, then bias, then u */
    {CASE(DECONV, 7), .in = {BATCH(1, 7, 7), KERNEL(1, 1, 1)}, .attr = {WINDOW(1, 1, 0)}},
    {CASE(DECONV, 127), .in = {BATCH(7, 7, 7), KERNEL(7, 1, 4)}, .attr = {WINDOW(4, 2, 1)}},
    {CASE(DECONV, 13), .in = {BATCH(13, 5, 3), KERNEL(13, 7, 3)}, .attr = {WINDOW(3, 2, 1), .out_pad = 1}},
    {CASE(DECONV, 16), .in = {BATCH(16, 7, 7), KERNEL(16, 8, 4)}, .attr = {WINDOW(4, 2, 1)}},
    {CASE(DECONV, 1), .in = {BATCH(7, 3, 4), KERNEL(7, 13, 5)}, .attr = {WINDOW(5, 3, 2), .out_pad = 2}},
    {CASE(DECONV, 33), .in = {BATCH(2, 3, 5), KERNEL(2, 127, 2)}, .attr = {WINDOW(2, 3, 0), .out_pad = 1}},
    {CASE(DECONV, 64), .in = {BATCH(64, 3, 3), KERNEL(64, 16, 3)}, .attr = {WINDOW(3, 2, 0)}},
    {CASE(DECONV, 5), .in = {BATCH(3, 4, 4), KERNEL(3, 5, 1)}, .attr = {WINDOW(1, 3, 0), .out_pad = 2}},
    {CASE(DECONV, 9), .in = {BATCH(5, 3, 4), KERNEL(5, 3, 2)}, .attr = {WINDOW(2, 3, 0)},
     .result = BATCH(3, 10, 11)}, /* a row and no column unreached */
    {CASE(DECONV, 13), .in = {BATCH(5, 3, 4), KERNEL(5, 3, 3), VECTOR(3)},
     .attr = {WINDOW(3, 2, 1), .out_pad = 1, .has_bias = true, .act = CLV_ACT_RELU}},
    {CASE(DECONV, 13), .in = {BATCH(5, 3, 4), KERNEL(5, 1, 3), VECTOR(1)},
     .attr = {WINDOW(3, 2, 0), .has_bias = true, .act = CLV_ACT_SIGMOID}},
    {CASE(DECONV, 13), .in = {BATCH(5, 3, 4), KERNEL(5, 2, 3), VECTOR(2)},
     .attr = {WINDOW(3, 1, 1), .has_bias = true, .act = CLV_ACT_TANH}},
    {CASE(DECONV, 13), .in = {BATCH(5, 3, 4), KERNEL(5, 6, 3), BATCH(6, 6, 8)},
     .attr = {WINDOW(3, 2, 1), .grad_act = CLV_ACT_RELU}, .result = BATCH(6, 6, 8)},
    {CASE(DECONV, 13), .in = {BATCH(5, 3, 4), KERNEL(5, 6, 3), BATCH(6, 5, 7)},
     .attr = {WINDOW(3, 2, 1), .grad_act = CLV_ACT_LEAKY_RELU, .slope = 0.2f}},
    {CASE(DECONV, 13), .in = {BATCH(5, 3, 4), KERNEL(5, 6, 3), BATCH(6, 5, 7)},
     .attr = {WINDOW(3, 2, 1), .grad_act = CLV_ACT_TANH}},
    {CASE(DECONV, 127), .in = {BATCH(7, 1, 1), MATRIX(7, 13)}, .attr = {WINDOW(1, 1, 0)}},
    {CASE(DECONV, 128), .in = {BATCH(64, 1, 1), MATRIX(64, 577), BATCH(577, 1, 1)},
     .attr = {WINDOW(1, 1, 0), .grad_act = CLV_ACT_RELU}},
    {CASE(DECONV, 127), .in = {BATCH(2, 1, 1), MATRIX(2, 33), BATCH(33, 1, 1), BATCH(33, 1, 1)},
     .attr = {WINDOW(1, 1, 0), .has_addend = true, .grad_act = CLV_ACT_RELU, .mask_rate = 0.3f}},
    {CASE(DECONV, 13), .in = {BATCH(5, 3, 4), KERNEL(5, 2, 3), BATCH(2, 5, 7)},
     .attr = {WINDOW(3, 2, 1), .has_addend = true}},
    {CASE(CONV, 13), .in = {BATCH(5, 9, 7), KERNEL(6, 5, 3), VECTOR(6), BATCH(6, 5, 4), BATCH(6, 5, 4)},
     .attr = {WINDOW(3, 2, 1), .has_bias = true, .has_addend = true, .act = CLV_ACT_SIGMOID, .grad_act = CLV_ACT_TANH}},
    {CASE(CONV, 7), .in = {BATCH(2048, 1, 1), MATRIX(3, 2048), BATCH(3, 1, 1)},
     .attr = {WINDOW(1, 1, 0), .has_addend = true}},
    {CASE(DECONV, 127), .in = {BATCH(64, 1, 1), MATRIX(64, 33), BATCH(33, 1, 1)},
     .attr = {WINDOW(1, 1, 0), .grad_act = CLV_ACT_RELU, .mask_rate = 0.3f}},
    {CASE(CONV, 13), .in = {BATCH(5, 9, 7), KERNEL(6, 5, 3), BATCH(6, 5, 4)},
     .attr = {WINDOW(3, 2, 1), .grad_act = CLV_ACT_RELU, .mask_rate = 0.1f}},
    {CASE(DECONV, 16), .in = {BATCH(2, 1, 1), MATRIX(2, 64), BATCH(64, 1, 1)},
     .attr = {WINDOW(1, 1, 0), .grad_act = CLV_ACT_SIGMOID}},

    /* products with a dropout behind them: results of one pixel */
    {CASE(CONV, 128), .in = {BATCH(64, 1, 1), MATRIX(64, 64), VECTOR(64)},
     .attr = {WINDOW(1, 1, 0), .has_bias = true, .act = CLV_ACT_RELU, .rate = 0.1f, .stream = CLV_STREAM_GRAPH}},
    {CASE(CONV, 13), .in = {BATCH(33, 1, 1), MATRIX(27, 33)},
     .attr = {WINDOW(1, 1, 0), .rate = 0.5f, .stream = CLV_STREAM_GRAPH + 1}},
    {CASE(CONV, 127), .in = {BATCH(2, 1, 1), MATRIX(1, 2), VECTOR(1)},
     .attr = {WINDOW(1, 1, 0), .has_bias = true, .act = CLV_ACT_TANH, .rate = 0.3f, .stream = 5}},
    {CASE(CONV, 7), .in = {BATCH(2048, 1, 1), MATRIX(6, 2048), VECTOR(6)},
     .attr = {WINDOW(1, 1, 0), .has_bias = true, .act = CLV_ACT_RELU, .rate = 0.2f, .stream = CLV_STREAM_GRAPH}},
    {CASE(CONV, 33), .in = {BATCH(5, 3, 4), KERNEL(14, 5, 3)},
     .attr = {WINDOW(3, 2, 0), .act = CLV_ACT_SIGMOID, .rate = 0.4f, .stream = 9}},
    {CASE(DECONV, 64), .in = {BATCH(13, 1, 1), MATRIX(13, 577)},
     .attr = {WINDOW(1, 1, 0), .rate = 0.25f, .stream = CLV_STREAM_GRAPH + 7}},
    {CASE(DECONV, 127), .in = {BATCH(7, 1, 1), MATRIX(7, 22), BATCH(22, 1, 1), BATCH(22, 1, 1)},
     .attr = {WINDOW(1, 1, 0), .has_addend = true, .grad_act = CLV_ACT_RELU, .mask_rate = 0.3f, .rate = 0.5f,
              .stream = 8}},
    {CASE(DECONV, 13), .in = {BATCH(6, 1, 1), KERNEL(6, 10, 3)},
     .attr = {WINDOW(3, 1, 1), .rate = 0.3f, .stream = CLV_STREAM_GRAPH}},
    {CASE(DECONV, 13), .in = {BATCH(6, 1, 1), KERNEL(6, 2, 3), VECTOR(2)},
     .attr = {WINDOW(3, 1, 1), .has_bias = true, .rate = 0.3f, .stream = CLV_STREAM_GRAPH}},
    /* with a head: y (x), w, bias, t, the loss of each image */
    {CASE(DECONV, 127), .in = {BATCH(5, 3, 4), KERNEL(5, 1, 3), VECTOR(1), BATCH(1, 6, 8), ONE},
     .attr = {WINDOW(3, 2, 1), .out_pad = 1, .has_bias = true, .head = CLV_OP_BCE_HEAD, .alpha = 1}},
    {CASE(DECONV, 128), .in = {BATCH(8, 7, 7), KERNEL(8, 1, 4), VECTOR(1), BATCH(1, 14, 14), ONE},
     .attr = {WINDOW(4, 2, 1), .has_bias = true, .act = CLV_ACT_SIGMOID, .head = CLV_OP_MSE_HEAD, .alpha = 0.7f}},
    {CASE(DECONV, 33), .in = {BATCH(4, 9, 9), KERNEL(4, 3, 2), BATCH(3, 27, 26), ONE},
     .attr = {WINDOW(2, 3, 0), .head = CLV_OP_MSE_HEAD, .alpha = 2},
     .result = BATCH(3, 27, 26)}, /* pixels that no tap reaches */
    {CASE(DECONV, 1), .in = {BATCH(3, 5, 5), KERNEL(3, 2, 3), BATCH(2, 5, 5), ONE},
     .attr = {WINDOW(3, 1, 1), .act = CLV_ACT_TANH, .head = CLV_OP_MSE_HEAD, .alpha = 1}},
    {CASE(DECONV, 13), .in = {BATCH(5, 3, 4), KERNEL(5, 6, 3), VECTOR(6), BATCH(6, 5, 7), ONE},
     .attr = {WINDOW(3, 2, 1), .has_bias = true, .head = CLV_OP_BCE_HEAD, .alpha = 3}},
    {CASE(DECONV, 128), .in = {BATCH(64, 1, 1), MATRIX(64, 33), VECTOR(33), BATCH(33, 1, 1), ONE},
     .attr = {WINDOW(1, 1, 0), .has_bias = true, .act = CLV_ACT_SIGMOID, .head = CLV_OP_MSE_HEAD, .alpha = 1}},
    {CASE(CONV, 13), .in = {BATCH(3, 9, 7), KERNEL(1, 3, 3), BATCH(1, 9, 7), ONE},
     .attr = {WINDOW(3, 1, 1), .head = CLV_OP_BCE_HEAD, .alpha = 1}},
    {CASE(CONV, 127), .in = {BATCH(700, 1, 1), MATRIX(13, 700), VECTOR(13), BATCH(13, 1, 1), ONE},
     .attr = {WINDOW(1, 1, 0), .has_bias = true, .head = CLV_OP_BCE_HEAD, .alpha = 1}},

    /* conv_weight: x, y */
    {CASE(CONV_WEIGHT, 7), .in = {BATCH(1, 7, 7), BATCH(1, 7, 7)}, .attr = {WINDOW(1, 1, 0)},
     .result = KERNEL(1, 1, 1)},
    {CASE(CONV_WEIGHT, 127), .in = {BATCH(1, 28, 28), BATCH(7, 14, 14)}, .attr = {WINDOW(3, 2, 1)},
     .result = KERNEL(7, 1, 3)},
    {CASE(CONV_WEIGHT, 13), .in = {BATCH(7, 13, 5), BATCH(13, 13, 5)}, .attr = {WINDOW(3, 1, 1)},
     .result = KERNEL(13, 7, 3)},
    {CASE(CONV_WEIGHT, 16), .in = {BATCH(8, 14, 14), BATCH(16, 7, 7)}, .attr = {WINDOW(4, 2, 1)},
     .result = KERNEL(16, 8, 4)},
    {CASE(CONV_WEIGHT, 1), .in = {BATCH(13, 9, 7), BATCH(7, 3, 3)}, .attr = {WINDOW(5, 3, 2)},
     .result = KERNEL(7, 13, 5)},
    {CASE(CONV_WEIGHT, 33), .in = {BATCH(2, 3, 17), BATCH(127, 1, 6)}, .attr = {WINDOW(2, 3, 0)},
     .result = KERNEL(127, 2, 2)},
    {CASE(CONV_WEIGHT, 64), .in = {BATCH(64, 7, 7), BATCH(33, 3, 3)}, .attr = {WINDOW(3, 2, 0)},
     .result = KERNEL(33, 64, 3)},
    {CASE(CONV_WEIGHT, 127), .in = {BATCH(13, 1, 1), BATCH(7, 1, 1)}, .attr = {WINDOW(1, 1, 0)},
     .result = MATRIX(7, 13)},
    {CASE(CONV_WEIGHT, 128), .in = {BATCH(577, 1, 1), BATCH(64, 1, 1)}, .attr = {WINDOW(1, 1, 0)},
     .result = MATRIX(64, 577)},
    {CASE(CONV_WEIGHT, 128), .in = {BATCH(2, 1, 1), BATCH(64, 1, 1)}, .attr = {WINDOW(1, 1, 0)},
     .result = MATRIX(64, 2)},

    {CASE(CONV_WEIGHT, 300), .in = {BATCH(96, 1, 1), BATCH(13, 1, 1)}, .attr = {WINDOW(1, 1, 0)},
     .result = MATRIX(13, 96)},

    /* conv_weight with the sums of an operand: x, y, the sums */
    {CASE(CONV_WEIGHT, 127), .in = {BATCH(48, 1, 1), BATCH(60, 1, 1), VECTOR(60)},
     .attr = {WINDOW(1, 1, 0), .sum_of = 2}, .result = MATRIX(60, 48)},
    {CASE(CONV_WEIGHT, 13), .in = {BATCH(640, 1, 1), BATCH(100, 1, 1), VECTOR(640)},
     .attr = {WINDOW(1, 1, 0), .sum_of = 1}, .result = MATRIX(100, 640)},
    {CASE(CONV_WEIGHT, 127), .in = {BATCH(1, 28, 28), BATCH(7, 14, 14), VECTOR(7)},
     .attr = {WINDOW(3, 2, 1), .sum_of = 2}, .result = KERNEL(7, 1, 3)},
    {CASE(CONV_WEIGHT, 127), .in = {BATCH(1, 28, 28), BATCH(7, 14, 14), VECTOR(1)},
     .attr = {WINDOW(3, 2, 1), .sum_of = 1}, .result = KERNEL(7, 1, 3)},
    {CASE(CONV_WEIGHT, 16), .in = {BATCH(8, 14, 14), BATCH(16, 7, 7), VECTOR(16)},
     .attr = {WINDOW(4, 2, 1), .sum_of = 2}, .result = KERNEL(16, 8, 4)},
    {CASE(CONV_WEIGHT, 16), .in = {BATCH(13, 13, 9), BATCH(5, 4, 3), VECTOR(13)},
     .attr = {WINDOW(3, 3, 0), .sum_of = 1}, .result = KERNEL(5, 13, 3)},
    {CASE(CONV_WEIGHT, 48), .in = {BATCH(13, 9, 7), BATCH(40, 5, 4)}, .attr = {WINDOW(4, 2, 2)},
     .result = KERNEL(40, 13, 4)},
    {CASE(CONV_WEIGHT, 128), .in = {BATCH(34, 6, 6), BATCH(64, 3, 3), VECTOR(34)},
     .attr = {WINDOW(3, 2, 1), .sum_of = 1}, .result = KERNEL(64, 34, 3)},
    {CASE(CONV_WEIGHT, 16), .in = {BATCH(67, 4, 3), BATCH(64, 4, 3), VECTOR(67)},
     .attr = {WINDOW(5, 1, 2), .sum_of = 1}, .result = KERNEL(64, 67, 5)},
    {CASE(CONV_WEIGHT, 33), .in = {BATCH(5, 8, 8), BATCH(64, 8, 8), VECTOR(64)}, .attr = {WINDOW(3, 1, 1), .sum_of = 2},
     .result = KERNEL(64, 5, 3)},
    {CASE(CONV_WEIGHT, 64), .in = {BATCH(64, 7, 7), BATCH(33, 3, 3), VECTOR(64)},
     .attr = {WINDOW(3, 2, 0), .sum_of = 1}, .result = KERNEL(33, 64, 3)},
    {CASE(CONV_WEIGHT, 33), .in = {BATCH(2, 3, 17), BATCH(127, 1, 6), VECTOR(127)},
     .attr = {WINDOW(2, 3, 0), .sum_of = 2}, .result = KERNEL(127, 2, 2)},
    {CASE(CONV_WEIGHT, 128), .in = {BATCH(577, 1, 1), BATCH(64, 1, 1), VECTOR(64)},
     .attr = {WINDOW(1, 1, 0), .sum_of = 2}, .result = MATRIX(64, 577)},
    {CASE(CONV_WEIGHT, 13), .in = {BATCH(2, 1, 1), BATCH(127, 1, 1), VECTOR(127)},
     .attr = {WINDOW(1, 1, 0), .sum_of = 2}, .result = MATRIX(127, 2)},

    {CASE(BIAS, 13), .in = {BATCH(7, 3, 5), VECTOR(7)}},
    {CASE(BIAS, 127), .in = {BATCH(1, 1, 1), VECTOR(1)}},
    {CASE(BIAS_GRAD, 13), .in = {BATCH(7, 3, 5)}},
    {CASE(BIAS_GRAD, 127), .in = {BATCH(127, 1, 1)}},
    {CASE(BIAS_GRAD, 128), .in = {BATCH(1, 28, 28)}},
    {CASE(BIAS_GRAD, 1), .in = {BATCH(1, 1, 1)}},
    {CASE(ACT, 13), .in = {BATCH(7, 3, 5)}, .attr = {.act = CLV_ACT_RELU}},
    {CASE(ACT, 127), .in = {BATCH(1, 1, 1)}, .attr = {.act = CLV_ACT_LEAKY_RELU, .slope = 0.01f}},
    {CASE(ACT, 127), .in = {BATCH(13, 1, 7)}, .attr = {.act = CLV_ACT_SIGMOID}},
    {CASE(ACT, 1), .in = {BATCH(3, 7, 13)}, .attr = {.act = CLV_ACT_TANH}},
    {CASE(ACT_GRAD, 13), .in = {BATCH(7, 3, 5), BATCH(7, 3, 5)}, .attr = {.act = CLV_ACT_RELU}},
    {CASE(ACT_GRAD, 33), .in = {BATCH(13, 2, 3), BATCH(13, 2, 3)}, .attr = {.act = CLV_ACT_RELU, .mask_rate = 0.5f}},
    {CASE(ACT_GRAD, 127), .in = {BATCH(1, 1, 1), BATCH(1, 1, 1)}, .attr = {.act = CLV_ACT_LEAKY_RELU, .slope = 0.01f}},
    {CASE(ACT_GRAD, 127), .in = {BATCH(13, 1, 7), BATCH(13, 1, 7)}, .attr = {.act = CLV_ACT_SIGMOID}},
    {CASE(ACT_GRAD, 1), .in = {BATCH(3, 7, 13), BATCH(3, 7, 13)}, .attr = {.act = CLV_ACT_TANH}},
    {CASE(DROPOUT, 13), .in = {BATCH(7, 3, 5)}, .attr = {.rate = 0.1f, .stream = CLV_STREAM_GRAPH}},
    {CASE(DROPOUT, 127), .in = {BATCH(1, 1, 1)}, .attr = {.rate = 0.5f, .stream = CLV_STREAM_GRAPH + 1}},
    {CASE(DROPOUT, 128), .in = {BATCH(64, 1, 1)}, .attr = {.rate = 0}},
    {CASE(NOISE, 13), .in = {BATCH(7, 3, 5)}, .attr = {.stream = CLV_STREAM_GRAPH}},
    {CASE(NOISE, 127), .in = {BATCH(1, 28, 28)}, .attr = {.stream = CLV_STREAM_EVAL}},
    {CASE(NOISE, 1), .in = {ONE}},
    {CASE(RESHAPE, 13), .in = {BATCH(7, 3, 5)}, .result = BATCH(105, 1, 1)},
    {CASE(ADD, 13), .in = {BATCH(7, 3, 5), BATCH(7, 3, 5)}},
    {CASE(ADD, 1), .in = {ONE, ONE}},
    {CASE(MUL, 127), .in = {BATCH(7, 1, 5), BATCH(7, 1, 5)}},
    {CASE(SCALE, 13), .in = {BATCH(7, 3, 5)}, .attr = {.alpha = -0.3f}},
    {CASE(SCALE, 127), .in = {ONE}, .attr = {.alpha = 4}},
    {CASE(RAMP, 13), .in = {BATCH(7, 3, 5)}},
    {CASE(RAMP, 127), .in = {ONE}},
    {CASE(SUM, 13), .in = {BATCH(7, 3, 5)}},
    {CASE(SUM, 127), .in = {BATCH(1, 28, 28)}},
    {CASE(SUM, 1), .in = {ONE}},
    {CASE(BROADCAST, 13), .in = {ONE}, .result = BATCH(7, 3, 5)},
    {CASE(BROADCAST, 127), .in = {ONE}, .result = ONE},

    {CASE(SAMPLE, 127), .in = {BATCH(2, 1, 1), BATCH(2, 1, 1)}, .attr = {.stream = CLV_STREAM_GRAPH}},
    {CASE(SAMPLE, 13), .in = {BATCH(7, 1, 1), BATCH(7, 1, 1)}, .attr = {.stream = CLV_STREAM_GRAPH}},
    {CASE(SAMPLE, 1), .in = {BATCH(20, 1, 1), BATCH(20, 1, 1)}, .attr = {.stream = CLV_STREAM_GRAPH}},
    {CASE(SAMPLE_GRAD, 127), .in = {BATCH(2, 1, 1), BATCH(2, 1, 1)}, .attr = {.stream = CLV_STREAM_GRAPH}},
    {CASE(SAMPLE_GRAD, 127), .in = {BATCH(5, 1, 1), BATCH(5, 1, 1), BATCH(5, 1, 1)},
     .attr = {.stream = CLV_STREAM_GRAPH, .has_addend = true}},
    {CASE(SAMPLE_GRAD, 13), .in = {BATCH(7, 1, 1), BATCH(7, 1, 1)}, .attr = {.stream = CLV_STREAM_GRAPH}},
    {CASE(KL, 127), .in = {BATCH(2, 1, 1), BATCH(2, 1, 1)}},
    {CASE(KL, 13), .in = {BATCH(20, 1, 1), BATCH(20, 1, 1)}},
    {CASE(KL_GRAD_LOGVAR, 127), .in = {ONE, BATCH(2, 1, 1)}},
    {CASE(KL_GRAD_LOGVAR, 13), .in = {ONE, BATCH(13, 1, 1)}},
    {CASE(MUL_IMAGE, 13), .in = {ONE, BATCH(7, 3, 5)}},
    {CASE(MUL_IMAGE, 127), .in = {ONE, ONE}},

    {CASE(MSE, 127), .in = {BATCH(1, 28, 28), BATCH(1, 28, 28)}},
    {CASE(MSE, 13), .in = {BATCH(3, 7, 5), BATCH(3, 7, 5)}},
    {CASE(MSE_GRAD, 127), .in = {ONE, BATCH(1, 13, 7), BATCH(1, 13, 7)}},
    {CASE(MSE_GRAD, 1), .in = {ONE, ONE, ONE}},
    {CASE(BCE, 127), .in = {BATCH(1, 28, 28), BATCH(1, 28, 28)}},
    {CASE(BCE, 13), .in = {BATCH(3, 7, 5), BATCH(3, 7, 5)}},
    {CASE(BCE_GRAD, 127), .in = {ONE, BATCH(1, 13, 7), BATCH(1, 13, 7)}},
    {CASE(BCE_GRAD, 7), .in = {ONE, BATCH(3, 1, 1), BATCH(3, 1, 1)}},
    /* heads: y, t, the loss of each image */
    {CASE(MSE_HEAD, 13), .in = {BATCH(7, 3, 5), BATCH(7, 3, 5), BATCH(1, 1, 1)}, .attr = {.alpha = 1}},
    {CASE(MSE_HEAD, 127), .in = {BATCH(1, 28, 28), BATCH(1, 28, 28), BATCH(1, 1, 1)},
     .attr = {.alpha = 0.7f, .act = CLV_ACT_SIGMOID}},
    {CASE(MSE_HEAD, 1), .in = {BATCH(3, 1, 2), BATCH(3, 1, 2), BATCH(1, 1, 1)},
     .attr = {.alpha = 2, .act = CLV_ACT_LEAKY_RELU, .slope = 0.1f}},
    {CASE(BCE_HEAD, 13), .in = {BATCH(7, 3, 5), BATCH(7, 3, 5), BATCH(1, 1, 1)}, .attr = {.alpha = 1}},
    {CASE(BCE_HEAD, 128), .in = {BATCH(1, 28, 28), BATCH(1, 28, 28), BATCH(1, 1, 1)}, .attr = {.alpha = 3}},
    {CASE(XENT, 127), .in = {BATCH(10, 1, 1), ONE}},
    {CASE(XENT, 1), .in = {BATCH(1, 1, 1), ONE}},
    {CASE(XENT, 13), .in = {BATCH(127, 1, 1), ONE}},
    {CASE(XENT_GRAD, 127), .in = {ONE, BATCH(10, 1, 1), ONE}},
    {CASE(XENT_GRAD, 13), .in = {ONE, BATCH(127, 1, 1), ONE}},
    {CASE(CORRECT, 127), .in = {BATCH(10, 1, 1), ONE}},
    {CASE(CORRECT, 13), .in = {BATCH(127, 1, 1), ONE}},
    {CASE(CORRECT, 1), .in = {ONE, ONE}},
    {CASE(MEAN, 127), .in = {ONE}},
    {CASE(MEAN, 1), .in = {ONE}},
    {CASE(MEAN_GRAD, 127), .attr = {.alpha = 1}},
    {CASE(MEAN_GRAD, 16), .attr = {.alpha = 0.3f}},
    {CASE(RECORD, 127), .in = {ONE}, .attr = {.slot = 2}},
    {CASE(RECORD, 1), .in = {ONE}, .attr = {.slot = 0}},

    /* pairs: as many points as the batch has images */
    {CASE(DISTANCE, 13), .in = {BATCH(2, 1, 1)}, .result = BATCH(13, 1, 1)},
    {CASE(DISTANCE, 127), .in = {BATCH(7, 3, 5)}, .result = BATCH(127, 1, 1)},
    {CASE(DISTANCE, 1), .in = {BATCH(1, 1, 1)}, .result = BATCH(1, 1, 1)},
    {CASE(AFFINITY, 13), .in = {BATCH(13, 1, 1)}, .attr = {.alpha = 3}},
    {CASE(AFFINITY, 64), .in = {BATCH(64, 1, 1)}, .attr = {.alpha = 20}},
    {CASE(AFFINITY, 127), .in = {BATCH(127, 1, 1)}, .attr = {.alpha = 30}},
    {CASE(JOINT, 1), .in = {BATCH(1, 1, 1)}},
    {CASE(JOINT, 13), .in = {BATCH(13, 1, 1)}},
    {CASE(JOINT, 127), .in = {BATCH(127, 1, 1)}},
    {CASE(TSNE_FORCE, 1), .in = {MATRIX(2, 32), BATCH(1, 1, 1)}},
    {CASE(TSNE_FORCE, 13), .in = {MATRIX(2, 32), BATCH(13, 1, 1)}},
    {CASE(TSNE_FORCE, 64), .in = {MATRIX(2, 64), BATCH(64, 1, 1)}},
    {CASE(TSNE_FORCE, 127), .in = {MATRIX(2, 160), BATCH(127, 1, 1)}},
    {CASE(TSNE_GRAD, 13), .in = {BATCH(5, 1, 1)}, .result = MATRIX(2, 32)},
    {CASE(TSNE_GRAD, 127), .in = {BATCH(5, 1, 1)}, .result = MATRIX(2, 160)},

    {CASE(ADAM, 1), .attr = {.beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f}, .trained = 1},
    {CASE(ADAM, 1), .attr = {.beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f, .l2 = 0.01f}, .trained = 1000},
    {CASE(ADAM, 1), .attr = {.beta1 = 0.5f, .beta2 = 0.99f, .eps = 1e-3f, .weight_decay = 0.1f}, .trained = 127},
    {CASE(ADAM, 1),
     .attr = {.beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f, .l2 = 0.01f, .weight_decay = 0.1f, .rated = true},
     .trained = 1000},
    {CASE(SGD, 1), .attr = {.momentum = 0.9f, .weight_decay = 0.1f, .rated = true}, .trained = 127},
    {CASE(SGD, 1), .attr = {.momentum = 0}, .trained = 13},
    {CASE(SGD, 1), .attr = {.momentum = 0.9f, .l2 = 0.01f, .weight_decay = 0.1f}, .trained = 1000},
    {CASE(TSNE_STEP, 1), .trained = 13},
    {CASE(TSNE_STEP, 1), .trained = 1024},
};
const int op_case_count = (int)(sizeof op_cases / sizeof *op_cases);

/* Inputs and parameters, then the node. */
static clv_status build(const op_case *c, clv_graph *graph, clv_node *param, int *params, clv_node *node,
                        clv_error *err)
{
    clv_status status = CLV_OK;
    clv_node input[CLV_MAX_INPUTS];
    int inputs = 0;
    const int written = clv_op_writes_input(c->op, &c->attr) ? clv_op_inputs(c->op, &c->attr) - 1 : -1;
    for (; inputs < CLV_MAX_INPUTS && c->in[inputs].rank > 0; inputs++) {
        char name[CLV_NAME_SIZE];
        const clv_shape *shape = &c->in[inputs];
        snprintf(name, sizeof name, "input%d", inputs);
        if (inputs == written) {
            CLV_TRY(clv_graph_add(graph, CLV_OP_RESULT, name, NULL, 0, &(clv_attr){0}, shape, &input[inputs], err));
        } else if (shape->batched) {
            CLV_TRY(clv_graph_add(graph, CLV_OP_INPUT, name, NULL, 0, &(clv_attr){0}, shape, &input[inputs], err));
        } else {
            CLV_TRY(clv_graph_param(graph, name, shape->rank, shape->dim, &input[inputs], err));
            param[(*params)++] = input[inputs];
        }
    }
    CLV_TRY(clv_graph_add(graph, c->op, clv_op_table[c->op].name, input, inputs, &c->attr,
                          c->result.rank ? &c->result : NULL, node, err));
    clv_graph_mark_output(graph, *node);
done:
    return status;
}

/* A parameter with a gradient, for an optimiser to move: it is a bias, its gradient that of an input. */
static clv_status add_trained(const op_case *c, clv_graph *graph, clv_node *param, clv_node *gradient, clv_error *err)
{
    clv_status status = CLV_OK;
    const clv_shape shape = BATCH(c->trained, 1, 1);
    clv_node d;
    CLV_TRY(clv_graph_param(graph, "trained", 1, &c->trained, param, err));
    CLV_TRY(clv_graph_add(graph, CLV_OP_INPUT, "d", NULL, 0, &(clv_attr){0}, &shape, &d, err));
    CLV_TRY(clv_graph_add(graph, CLV_OP_BIAS_GRAD, "gradient", &d, 1, &(clv_attr){0}, NULL, gradient, err));
done:
    return status;
}

clv_status op_case_plan(const op_case *c, const clv_backend *be, clv_plan **plan, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_node param[CLV_MAX_INPUTS], gradient[CLV_MAX_INPUTS] = {CLV_NODE_NONE}, node;
    bool trained[CLV_MAX_INPUTS] = {false};
    int params = 0;
    clv_param_layout layout = {0};
    const clv_plan_options options = {
        .batch = c->batch, .lane_width = be->lane_width, .alignment = be->alignment, .trace_rows = 3};
    clv_graph *graph = clv_graph_create();
    CLV_REQUIRE(graph, CLV_ERR_INTERNAL, "no memory for a graph");
    if (c->trained) {
        CLV_TRY(add_trained(c, graph, &param[0], &gradient[0], err));
        trained[params++] = true;
    }
    CLV_TRY(build(c, graph, param, &params, &node, err));
    CLV_TRY(clv_param_layout_create(graph, param, trained, params, be->alignment, &layout, err));
    CLV_TRY(clv_plan_create(graph, &layout, c->trained ? gradient : NULL, &options, plan, err));
done:
    clv_param_layout_destroy(&layout);
    clv_graph_destroy(graph);
    return status;
}

const clv_call *op_case_call(const op_case *c, const clv_plan *plan)
{
    for (int i = 0; i < plan->calls; i++)
        if (plan->call[i].op == c->op) return &plan->call[i];
    return NULL;
}

/* ---- programs ---- */

enum { TOGETHER = 24 };

static clv_status build_units(clv_opencl *be, const clv_cl_unit *unit, int units, clv_error *err)
{
    const clv_cl_unit *of[TOGETHER];
    clv_cl_bundle *bundle;
    for (int i = 0; i < units; i++) of[i] = &unit[i];
    return units > 1 ? clv_cl_bundle_add(be, of, units, &bundle, err) : CLV_OK;
}

static bool is_there(clv_opencl *be, const clv_cl_unit *unit, int units, const clv_cl_unit *wanted)
{
    char kernel[CLV_KERNEL_SIZE];
    for (int i = 0; i < units; i++)
        if (!memcmp(&unit[i].key, &wanted->key, sizeof wanted->key)) return true;
    return clv_cl_bundle_of(be, wanted->key, kernel) != NULL;
}

clv_status op_calls_build(clv_backend *head, const clv_call *call, int calls, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_opencl *be = (clv_opencl *)head;
    clv_launch_list list;
    int units = 0;
    if (!head->ops->kernels) return CLV_OK;
    clv_cl_unit *unit = calloc(TOGETHER, sizeof *unit);
    clv_launch *launch = calloc(TOGETHER, sizeof *launch); /* units point to theirs */
    CLV_REQUIRE(unit && launch, CLV_ERR_INTERNAL, "no memory for units");
    for (int i = 0; i < calls; i++) {
        CLV_TRY(clv_cl_launches_of(be, &call[i], &list, err));
        for (int k = 0; k < list.launches; k++) {
            launch[units] = list.launch[k];
            const clv_launch_unit alone = clv_unit_of_one(&launch[units]);
            CLV_TRY(clv_cl_unit_of(be, &alone, &unit[units], err));
            if (!is_there(be, unit, units, &unit[units])) units++;
            if (units < TOGETHER) continue;
            CLV_TRY(build_units(be, unit, units, err));
            units = 0;
        }
    }
    CLV_TRY(build_units(be, unit, units, err));
done:
    free(unit);
    free(launch);
    return status;
}
