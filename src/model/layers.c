/* The layer table: one row a layer type, its arguments with type, default, range and meaning. */
#include "model/layers.h"

#include <string.h>

#include "model/terms.h"

/* clang-format off */
#define SPEC(name, type, standard, range, choices, help) {name, CLV_VALUE_##type, standard, range, choices, help}

/* Arguments that several layers share; a NULL default means that the argument must be given. */
#define CHANNELS SPEC("channels", INT, NULL, FROM_TO(1, 65536), NONE, "channels of the result")
#define KERNEL   SPEC("kernel", INT, "3", FROM_TO(1, 31), NONE, "side of the square kernel, in pixels")
#define STRIDE   SPEC("stride", INT, "1", FROM_TO(1, 16), NONE, "pixels from one tap to the next, on both axes")
#define PAD      SPEC("pad", INT, "0", FROM_TO(0, 30), NONE, "rows and columns of zeros around the image, on each side")
#define OUT_PAD SPEC("out_pad", INT, "0", FROM_TO(0, 15), NONE, "rows and columns more at the bottom and right, below stride")
#define UNITS            SPEC("units", INT, NULL, FROM_TO(1, 1048576), NONE, "numbers in the result")
#define SIDE(name, help) SPEC(name, INT, NULL, FROM_TO(1, 65536), NONE, help)
#define RATE             SPEC("rate", REAL, NULL, FROM_BELOW(0, 1), NONE, "probability of a zero")
#define ACTS             CHOICES("none", "relu", "leaky_relu", "sigmoid", "tanh")
#define ACT              SPEC("act", CHOICE, "none", ANY, ACTS, "activation behind the bias")
#define TYPE             SPEC("type", CHOICE, NULL, ANY, ACTS, "which one")
#define SLOPE            SPEC("slope", REAL, "0.01", ANY, NONE, "of leaky_relu, for numbers below 0")
#define BIAS             SPEC("bias", BOOL, "true", ANY, NONE, "a trained number is added to each channel")
#define INIT                                                                                                           \
    SPEC("init", CHOICE, "pytorch", ANY, CHOICES("pytorch", "glorot", "he"),                                           \
         "initial weights: as torch.nn does, Glorot & Bengio 2010, or He et al. 2015")

const clv_layer_type clv_layer_table[CLV_LAYER_TYPES] = {
    {"conv", "convolution: each side becomes floor((side + 2 pad - kernel) / stride) + 1", false,
     {CHANNELS, KERNEL, STRIDE, PAD, ACT, SLOPE, BIAS, INIT}, 8},
    {"deconv", "transposed convolution: each side becomes (side - 1) stride - 2 pad + kernel + out_pad", false,
     {CHANNELS, KERNEL, STRIDE, PAD, OUT_PAD, ACT, SLOPE, BIAS, INIT}, 9},
    {"linear", "every number of the result from every number of the input; takes images as they are", false,
     {UNITS, ACT, SLOPE, BIAS, INIT}, 5},
    {"gaussian",
     "a vae's code: mu and logvar, each a linear layer, and a sample mu + exp(logvar / 2) eps; ends the encoder", false,
     {UNITS, BIAS, INIT}, 3},
    {"dropout", "zeroes numbers at random while training and scales the rest by 1 / (1 - rate)", false, {RATE}, 1},
    {"flatten", "the image as one row of numbers, channel by channel", true, {{0}}, 0},
    {"reshape", "a row of numbers as an image", true,
     {SIDE("channels", "channels of the image"), SIDE("height", "rows of the image"), SIDE("width", "columns of the image")}, 3},
    {"act", "an activation by itself", false, {TYPE, SLOPE}, 2},
};
/* clang-format on */

const clv_layer_type *clv_layer_type_find(const char *name)
{
    for (int i = 0; i < CLV_LAYER_TYPES; i++)
        if (strcmp(clv_layer_table[i].name, name) == 0) return &clv_layer_table[i];
    return NULL;
}

int clv_layer_arg_find(const clv_layer_type *type, const char *name)
{
    for (int i = 0; i < type->args; i++)
        if (strcmp(type->arg[i].name, name) == 0) return i;
    return -1;
}
