/* An experiment made larger and smaller: the overrides of one size of it, and what hangs on it. Sizes follow from the
 * layers' rows alone. */
#include <string.h>

#include "base/try.h"
#include "experiment/scaling.h"

#define SECTIONS 3
static const char *const sections[SECTIONS] = {"encoder", "decoder", "classifier"};

static bool is_conv(const clv_layer *l) { return !strcmp(l->type, "conv") || !strcmp(l->type, "deconv"); }
static bool is(const clv_layer *l, const char *type) { return !strcmp(l->type, type); }

static int widest(const clv_config *config)
{
    const clv_layer *row;
    const int rows = clv_config_layers(config, "encoder", &row);
    int most = 0;
    for (int i = 0; i < rows; i++)
        if (is_conv(&row[i]) && clv_layer_int(&row[i], "channels") > most) most = clv_layer_int(&row[i], "channels");
    return most;
}

clv_status clv_scaling_own(const clv_config *config, clv_image_shape image, clv_scaled what, int *value, clv_error *err)
{
    clv_status status = CLV_OK;
    const int sides = image.height > image.width ? image.height : image.width;
    const int own[CLV_SCALED_COUNT] = {[CLV_SCALED_BATCH] = (int)clv_config_int(config, "train.batch"),
                                       [CLV_SCALED_CHANNELS] = widest(config),
                                       [CLV_SCALED_SIZE] = sides};
    CLV_REQUIRE(own[what] > 0, CLV_ERR_CONFIG, "the encoder has no convolution, so no channels to change");
    *value = own[what];
done:
    return status;
}

/* A number that grows as `value` does from `own`: the nearest whole one, 1 at least. */
static int scaled(int number, int value, int own)
{
    const int64_t grown = (2 * (int64_t)number * value + own) / (2 * (int64_t)own);
    return grown < 1 ? 1 : grown > INT32_MAX ? INT32_MAX : (int)grown;
}

/* What is changed, from what to what. */
typedef struct change {
    clv_image_shape from, to;   /* the images */
    int own_channels, channels; /* of the widest convolution */
} change;

/* Channels of a convolution after the change; the decoder's last one makes the image. */
static int channels_of(const change *c, const clv_layer *row, int i, int rows, bool decoder)
{
    const int channels = clv_layer_int(row, "channels");
    const bool image = decoder && i == rows - 1 && channels == c->from.channels;
    return image || c->own_channels == c->channels ? channels : scaled(channels, c->channels, c->own_channels);
}

static int side_after(const clv_layer *row, int side)
{
    const int kernel = clv_layer_int(row, "kernel"), stride = clv_layer_int(row, "stride");
    const int pad = clv_layer_int(row, "pad");
    if (is(row, "conv")) return side + 2 * pad < kernel ? 0 : (side + 2 * pad - kernel) / stride + 1;
    return (side - 1) * stride - 2 * pad + kernel + clv_layer_int(row, "out_pad");
}

/* What the encoder's convolutions make of an image, before what makes a row of numbers of it. */
static clv_image_shape folded(const clv_config *config, const change *c, bool after)
{
    const clv_layer *row;
    const int rows = clv_config_layers(config, "encoder", &row);
    clv_image_shape shape = after ? c->to : c->from;
    for (int i = 0; i < rows && !is(&row[i], "flatten") && !is(&row[i], "linear") && !is(&row[i], "gaussian"); i++) {
        if (!is_conv(&row[i])) continue;
        shape.channels = after ? channels_of(c, &row[i], i, rows, false) : clv_layer_int(&row[i], "channels");
        shape.height = side_after(&row[i], shape.height);
        shape.width = side_after(&row[i], shape.width);
    }
    return shape;
}

static bool same(clv_image_shape a, clv_image_shape b)
{
    return a.channels == b.channels && a.height == b.height && a.width == b.width;
}

/* A reshape that makes what the encoder's convolutions make, or the image, goes on doing so; *changed says what of. */
static clv_status reshaped(const clv_config *config, const change *c, const clv_layer *row, clv_image_shape *to,
                           clv_error *err)
{
    const clv_image_shape own = {clv_layer_int(row, "channels"), clv_layer_int(row, "height"),
                                 clv_layer_int(row, "width")};
    clv_status status = CLV_OK;
    const clv_image_shape mirror = folded(config, c, false);
    CLV_REQUIRE(same(own, mirror) || same(own, c->from), CLV_ERR_CONFIG,
                "%s: %s makes %dx%dx%d, the encoder's convolutions end in %dx%dx%d: what it should grow to is not "
                "known; only the batch can be changed",
                row->where, row->name, own.channels, own.height, own.width, mirror.channels, mirror.height,
                mirror.width);
    *to = same(own, mirror) ? folded(config, c, true) : c->to;
    CLV_REQUIRE(to->height > 0 && to->width > 0, CLV_ERR_CONFIG,
                "the encoder's convolutions leave nothing of %dx%d pixels", c->to.height, c->to.width);
done:
    return status;
}

/* The overrides of one section's rows; a reshape's linear layer is the one before it. */
static clv_status change_section(const clv_config *config, const change *c, const char *section, clv_text *out,
                                 clv_error *err)
{
    const clv_layer *row;
    const int rows = clv_config_layers(config, section, &row);
    const bool decoder = !strcmp(section, "decoder");
    int linear = -1;
    clv_status status = CLV_OK;
    for (int i = 0; i < rows; i++) {
        const char *name = row[i].name;
        clv_image_shape to = {0};
        if (is_conv(&row[i]))
            clv_text_append(out, "%s.%s.channels=%d\n", section, name, channels_of(c, &row[i], i, rows, decoder));
        if (is(&row[i], "linear")) linear = i;
        if (!decoder || !is(&row[i], "reshape")) continue;
        CLV_TRY(reshaped(config, c, &row[i], &to, err));
        clv_text_append(out, "%s.%s.channels=%d\n%s.%s.height=%d\n%s.%s.width=%d\n", section, name, to.channels,
                        section, name, to.height, section, name, to.width);
        if (linear < 0) continue;
        clv_text_append(out, "%s.%s.units=%lld\n", section, row[linear].name,
                        (long long)to.channels * to.height * to.width);
        linear = -1;
    }
done:
    return status;
}

clv_status clv_scaling_overrides(const clv_config *config, clv_image_shape image, clv_scaled what, int value,
                                 clv_image_shape *shape, clv_text *overrides, clv_error *err)
{
    int own;
    clv_status status = CLV_OK;
    change c = {.from = image, .to = image};
    CLV_TRY(clv_scaling_own(config, image, what, &own, err));
    c.own_channels = c.channels = widest(config);
    if (what == CLV_SCALED_CHANNELS) c.channels = value;
    if (what == CLV_SCALED_SIZE) {
        c.to.height = scaled(image.height, value, own);
        c.to.width = scaled(image.width, value, own);
    }
    if (what == CLV_SCALED_BATCH)
        clv_text_append(overrides, "train.batch=%d\n", value);
    else
        for (int i = 0; i < SECTIONS; i++) CLV_TRY(change_section(config, &c, sections[i], overrides, err));
    CLV_REQUIRE(!overrides->failed, CLV_ERR_INTERNAL, "out of memory for the overrides of a size");
    *shape = c.to;
done:
    return status;
}
