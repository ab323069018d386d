/* Shapes: the rule of each op that infers its result's shape from its inputs, and refuses what does not fit with a
 * message that says the node and the shapes. One function a rule, found through rules.def. */
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#include "graph/nodes.h"

/* Larger kernels, strides and pads are mistakes; the bound keeps size arithmetic far from overflow. */
#define MAX_WINDOW 32768

#define R(NAME, shape, gradient) RULE_OF_##NAME,
enum {
#include "graph/rules.def"
    RULE_COUNT
};
#undef R
#define X(NAME, name, inputs, family, formula)                                                                         \
    _Static_assert((int)RULE_OF_##NAME == (int)CLV_OP_##NAME, "rules.def lists the ops of op.def in their order");
#include "clave/op.def"
#undef X
_Static_assert((int)RULE_COUNT == (int)CLV_OP_COUNT, "a row of rules.def for each op");

int64_t clv_shape_elements(const clv_shape *shape)
{
    int64_t elements = 1;
    for (int i = 0; i < shape->rank; i++) elements *= shape->dim[i];
    return elements;
}

bool clv_shape_equal(const clv_shape *a, const clv_shape *b)
{
    if (a->rank != b->rank || a->batched != b->batched) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i]) return false;
    return true;
}

const char *clv_shape_print(const clv_shape *shape, char *buffer)
{
    int length = 0;
    buffer[0] = '\0';
    for (int i = 0; i < shape->rank && i < CLV_MAX_RANK; i++)
        length += snprintf(buffer + length, (size_t)(CLV_NAME_SIZE - length), "[%d]", shape->dim[i]);
    if (shape->batched) snprintf(buffer + length, (size_t)(CLV_NAME_SIZE - length), "[n]");
    return buffer;
}

/* A rule and what it works on: the query, the result to fill, the error to report to. */
typedef struct rule_call {
    const clv_shape_query *q;
    clv_shape *result;
    clv_error *err;
} rule_call;
typedef clv_status (*shape_rule)(const rule_call *call);

/* Shapes in messages: a value, so that one call of refuse() may print several. */
typedef struct shape_text {
    char text[CLV_NAME_SIZE];
} shape_text;

static shape_text print(const clv_shape *shape)
{
    shape_text out = {{0}};
    clv_shape_print(shape, out.text);
    return out;
}

/* What the user calls the op: a linear layer is a convolution by a weight of rank 2. */
static const char *op_name(const clv_shape_query *q)
{
    const bool linear = q->op == CLV_OP_CONV && q->in[1]->rank == 2;
    return linear ? "linear" : clv_op_table[q->op].name;
}

static clv_status refuse(const rule_call *call, const char *format, ...) CLV_PRINTF(2, 3);
static clv_status refuse(const rule_call *call, const char *format, ...)
{
    char text[CLV_ERROR_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return clv_fail(call->err, CLV_ERR_CONFIG, "%s '%s': %s", op_name(call->q), call->q->name, text);
}

static clv_shape image_shape(int c, int y, int x)
{
    return (clv_shape){.rank = 3, .dim = {c, y, x, 1}, .batched = true};
}

static clv_status give(const rule_call *call, clv_shape shape)
{
    *call->result = shape;
    return CLV_OK;
}

/* Conditions that several rules share. */

static clv_status need_batched(const rule_call *call, int input)
{
    const clv_shape *in = call->q->in[input];
    if (in->batched) return CLV_OK;
    return refuse(call, "input %d, %s, must be a batch [c][y][x][n]", input, print(in).text);
}

static clv_status need_equal(const rule_call *call, int a, int b)
{
    if (clv_shape_equal(call->q->in[a], call->q->in[b])) return CLV_OK;
    return refuse(call, "inputs %s and %s must have the same shape", print(call->q->in[a]).text,
                  print(call->q->in[b]).text);
}

static clv_status need_one_an_image(const rule_call *call, int input)
{
    const clv_shape one = image_shape(1, 1, 1);
    if (clv_shape_equal(call->q->in[input], &one)) return CLV_OK;
    return refuse(call, "input %d, %s, must be [1][1][1][n], one value an image", input,
                  print(call->q->in[input]).text);
}

/* A shape the caller has to give: dims of at least 1, few enough elements to be counted by an int. */
static clv_status need_given(const rule_call *call, bool batched)
{
    const clv_shape *given = call->q->given;
    if (!given) return refuse(call, "needs the shape of its result");
    if (given->batched != batched || given->rank < 1 || given->rank > CLV_MAX_RANK || (batched && given->rank != 3))
        return refuse(call, "shape %s must be %s", print(given).text,
                      batched ? "a batch [c][y][x][n]" : "of rank 1 to 4 and without a batch");
    for (int i = 0; i < given->rank; i++)
        if (given->dim[i] < 1) return refuse(call, "shape %s has a dimension under 1", print(given).text);
    return CLV_OK;
}

static clv_status need_window(const rule_call *call)
{
    const clv_attr *a = call->q->attr;
    if (a->kernel < 1 || a->kernel > MAX_WINDOW)
        return refuse(call, "kernel %d must be in 1 .. %d", a->kernel, MAX_WINDOW);
    if (a->stride < 1 || a->stride > MAX_WINDOW)
        return refuse(call, "stride %d must be in 1 .. %d", a->stride, MAX_WINDOW);
    if (a->pad < 0 || a->pad > MAX_WINDOW) return refuse(call, "pad %d must be in 0 .. %d", a->pad, MAX_WINDOW);
    return CLV_OK;
}

static clv_status need_act(const rule_call *call, clv_act act, bool none_allowed)
{
    const int first = none_allowed ? CLV_ACT_NONE : CLV_ACT_RELU;
    if ((int)act < first || (int)act >= CLV_ACT_COUNT)
        return refuse(call, "there is no activation of number %d", (int)act);
    const float slope = call->q->attr->slope;
    /* The gradient is taken from the sign of the output, which a negative slope would turn over. */
    if (act == CLV_ACT_LEAKY_RELU && !(slope >= 0 && slope <= 1))
        return refuse(call, "slope %g of leaky_relu must be in 0 .. 1", (double)slope);
    return CLV_OK;
}

static clv_status need_share(const rule_call *call, const char *what, float value)
{
    if (value >= 0 && value < 1) return CLV_OK;
    return refuse(call, "%s %g must be at least 0 and less than 1", what, (double)value);
}

static clv_status need_at_least_0(const rule_call *call, const char *what, float value)
{
    if (value >= 0 && value <= 1e30f) return CLV_OK;
    return refuse(call, "%s %g must be finite and at least 0", what, (double)value);
}

#define NEED(condition)                                                                                                \
    do {                                                                                                               \
        const clv_status needed = (condition);                                                                         \
        if (needed != CLV_OK) return needed;                                                                           \
    } while (0)

/* Sources. */

static clv_status shape_param(const rule_call *call)
{
    NEED(need_given(call, false));
    return give(call, *call->q->given);
}

static clv_status shape_source(const rule_call *call)
{
    NEED(need_given(call, true));
    return give(call, *call->q->given);
}

static clv_status shape_result(const rule_call *call)
{
    if (!call->q->given) return refuse(call, "needs a shape");
    return give(call, *call->q->given);
}

static clv_status need_dataset(const rule_call *call)
{
    const int dataset = call->q->attr->dataset;
    return dataset == 0 || dataset == 1 ? CLV_OK : refuse(call, "dataset %d must be 0 (train) or 1 (test)", dataset);
}

static clv_status shape_gather(const rule_call *call)
{
    NEED(need_dataset(call));
    NEED(need_given(call, true));
    const clv_shape *given = call->q->given;
    if (call->q->attr->noisy && !clv_shape_equal(call->q->in[0], given))
        return refuse(call, "result %s must have the shape %s of the images", print(call->q->in[0]).text,
                      print(given).text);
    return give(call, *given);
}

static clv_status shape_label(const rule_call *call)
{
    NEED(need_dataset(call));
    return give(call, image_shape(1, 1, 1));
}

/* Products. Big is the side of a convolution's input, small that of its result: small = floor((big + 2 pad - kernel) /
 * stride) + 1; a transposed convolution goes from small to big. */

/* A weight as [small channels][big channels][kernel][kernel]; linear [out][in] is [out][in][1][1]. */
static clv_status need_weight(const rule_call *call, const clv_shape *weight)
{
    const int kernel = call->q->attr->kernel;
    const bool linear = weight->rank == 2;
    if (weight->batched || (weight->rank != 4 && !linear))
        return refuse(call, "weight %s must have rank 4, or 2 where it is linear", print(weight).text);
    if (linear ? kernel != 1 : weight->dim[2] != kernel || weight->dim[3] != kernel)
        return refuse(call, "weight %s does not fit kernel %d", print(weight).text, kernel);
    return CLV_OK;
}

/* Rows (or columns) of the small side; 0 where the window is larger than the big side with its border. */
static int small_size(int big, const clv_attr *a)
{
    const int64_t room = (int64_t)big + 2 * (int64_t)a->pad - a->kernel;
    return room < 0 ? 0 : (int)(room / a->stride + 1);
}

static bool sides_fit(const clv_shape *big, const clv_shape *small, const clv_attr *a)
{
    return small_size(big->dim[1], a) == small->dim[1] && small_size(big->dim[2], a) == small->dim[2];
}

/* The output of a dropout behind an activation tells both masks where the activation is a relu. */
static clv_status need_mask(const rule_call *call, clv_act act)
{
    const float rate = call->q->attr->mask_rate;
    if (rate == 0) return CLV_OK;
    if (act != CLV_ACT_RELU)
        return refuse(call, "a dropout fuses with the gradient of relu, not of %s", clv_act_names[act]);
    return need_share(call, "mask_rate", rate);
}

/* A product's kernel has the random numbers of four channels of one pixel each from one call. */
static clv_status need_fused_dropout(const rule_call *call, const clv_shape *result)
{
    NEED(need_share(call, "rate", call->q->attr->rate));
    if (call->q->attr->rate > 0 && result->dim[1] * result->dim[2] != 1)
        return refuse(call, "a dropout fuses with results of one pixel a channel, not with %s", print(result).text);
    return CLV_OK;
}

/* The head of a product: of its result alone, which mean squared errors have behind an activation, entropies have not.
 */
static clv_status need_head(const rule_call *call, const clv_shape *result)
{
    const clv_attr *a = call->q->attr;
    if (a->head != CLV_OP_MSE_HEAD && a->head != CLV_OP_BCE_HEAD)
        return refuse(call, "operation %d is no head", (int)a->head);
    if (a->has_addend || a->grad_act != CLV_ACT_NONE) return refuse(call, "a head takes no addend and no gradient");
    if (a->rate > 0) return refuse(call, "a head takes no dropout");
    if (a->head == CLV_OP_BCE_HEAD && a->act != CLV_ACT_NONE)
        return refuse(call, "bce_head is of logits, not of %s", clv_act_names[a->act]);
    const int target = call->q->inputs - 2;
    if (!clv_shape_equal(call->q->in[target], result))
        return refuse(call, "target %s must have the result's shape %s", print(call->q->in[target]).text,
                      print(result).text);
    return need_one_an_image(call, target + 1);
}

/* What fusion appended: a bias of the result's channels, the activation whose gradient multiplies, a head, a dropout. */
static clv_status need_fused_inputs(const rule_call *call, clv_shape result)
{
    const clv_attr *a = call->q->attr;
    NEED(need_act(call, a->act, true));
    NEED(need_act(call, a->grad_act, true));
    NEED(need_mask(call, a->grad_act));
    NEED(need_fused_dropout(call, &result));
    if (a->head) NEED(need_head(call, &result));
    if (a->has_bias) {
        const clv_shape *bias = call->q->in[2];
        if (bias->batched || bias->rank != 1 || bias->dim[0] != result.dim[0])
            return refuse(call, "bias %s must be [%d], the channels of the result", print(bias).text, result.dim[0]);
    }
    if (a->has_addend) {
        const clv_shape *addend = call->q->in[a->has_bias ? 3 : 2];
        if (!clv_shape_equal(addend, &result))
            return refuse(call, "addend %s must have the result's shape %s", print(addend).text, print(&result).text);
    }
    if (a->grad_act != CLV_ACT_NONE) {
        const clv_shape *u = call->q->in[call->q->inputs - 1];
        if (!clv_shape_equal(u, &result))
            return refuse(call, "activation %s must have the result's shape %s", print(u).text, print(&result).text);
    }
    return give(call, result);
}

static clv_status need_product(const rule_call *call)
{
    NEED(need_batched(call, 0));
    NEED(need_window(call));
    return need_weight(call, call->q->in[1]);
}

static clv_status shape_conv(const rule_call *call)
{
    NEED(need_product(call));
    const clv_shape *x = call->q->in[0], *w = call->q->in[1];
    const clv_attr *a = call->q->attr;
    if (x->dim[0] != w->dim[1])
        return refuse(call, "input %s has %d channels, but weight %s takes %d", print(x).text, x->dim[0], print(w).text,
                      w->dim[1]);
    const int height = small_size(x->dim[1], a), width = small_size(x->dim[2], a);
    if (height < 1 || width < 1)
        return refuse(call, "input %s is smaller than kernel %d with pad %d", print(x).text, a->kernel, a->pad);
    return need_fused_inputs(call, image_shape(w->dim[0], height, width));
}

/* A convolution's data gradient knows its shape: several sizes of the big side have the same small side. */
static clv_status shape_deconv_given(const rule_call *call)
{
    const clv_shape *y = call->q->in[0], *w = call->q->in[1], *given = call->q->given;
    const clv_attr *a = call->q->attr;
    NEED(need_given(call, true));
    if (given->dim[0] != w->dim[1])
        return refuse(call, "shape %s has %d channels, but weight %s makes %d", print(given).text, given->dim[0],
                      print(w).text, w->dim[1]);
    if (a->out_pad != 0) return refuse(call, "out_pad %d and a given shape exclude each other", a->out_pad);
    if (!sides_fit(given, y, a))
        return refuse(call, "a convolution of shape %s with kernel %d, stride %d, pad %d does not give input %s",
                      print(given).text, a->kernel, a->stride, a->pad, print(y).text);
    return need_fused_inputs(call, *given);
}

static clv_status shape_deconv(const rule_call *call)
{
    NEED(need_product(call));
    const clv_shape *y = call->q->in[0], *w = call->q->in[1];
    const clv_attr *a = call->q->attr;
    if (y->dim[0] != w->dim[0])
        return refuse(call, "input %s has %d channels, but weight %s takes %d", print(y).text, y->dim[0], print(w).text,
                      w->dim[0]);
    if (call->q->given) return shape_deconv_given(call);
    if (a->out_pad < 0 || a->out_pad >= a->stride)
        return refuse(call, "out_pad %d must be at least 0 and less than stride %d", a->out_pad, a->stride);
    int64_t size[2];
    for (int axis = 0; axis < 2; axis++) {
        size[axis] = (int64_t)(y->dim[1 + axis] - 1) * a->stride - 2 * (int64_t)a->pad + a->kernel + a->out_pad;
        if (size[axis] < 1)
            return refuse(call,
                          "input %s with kernel %d, stride %d, pad %d, out_pad %d gives an empty result: lower pad",
                          print(y).text, a->kernel, a->stride, a->pad, a->out_pad);
        if (size[axis] > INT_MAX) return refuse(call, "the result of input %s is too large", print(y).text);
    }
    return need_fused_inputs(call, image_shape(w->dim[1], (int)size[0], (int)size[1]));
}

/* Inputs: the big side, the small side. The result has the shape of the weight whose gradient it is. */
static clv_status shape_conv_weight(const rule_call *call)
{
    NEED(need_batched(call, 0));
    NEED(need_batched(call, 1));
    NEED(need_window(call));
    NEED(need_given(call, false));
    const clv_shape *big = call->q->in[0], *small = call->q->in[1], *w = call->q->given;
    const clv_attr *a = call->q->attr;
    NEED(need_weight(call, w));
    if (w->dim[0] != small->dim[0] || w->dim[1] != big->dim[0])
        return refuse(call, "weight %s does not fit the channels of inputs %s and %s", print(w).text, print(big).text,
                      print(small).text);
    if (!sides_fit(big, small, a))
        return refuse(call, "a convolution of input %s with kernel %d, stride %d, pad %d does not give input %s",
                      print(big).text, a->kernel, a->stride, a->pad, print(small).text);
    if (a->sum_of < 0 || a->sum_of > 2) return refuse(call, "sum_of %d must be 0, 1 or 2", a->sum_of);
    if (a->sum_of) {
        const clv_shape *sums = call->q->in[2], *of = call->q->in[a->sum_of - 1];
        if (sums->batched || sums->rank != 1 || sums->dim[0] != of->dim[0])
            return refuse(call, "result %s must be [%d], the channels of input %s", print(sums).text, of->dim[0],
                          print(of).text);
    }
    return give(call, *w);
}

/* Elementwise. */

static clv_status shape_bias(const rule_call *call)
{
    NEED(need_batched(call, 0));
    const clv_shape *x = call->q->in[0], *b = call->q->in[1];
    if (b->batched || b->rank != 1 || b->dim[0] != x->dim[0])
        return refuse(call, "bias %s must be [%d], the channels of input %s", print(b).text, x->dim[0], print(x).text);
    return give(call, *x);
}

static clv_status shape_bias_grad(const rule_call *call)
{
    NEED(need_batched(call, 0));
    return give(call, (clv_shape){.rank = 1, .dim = {call->q->in[0]->dim[0], 1, 1, 1}});
}

static clv_status shape_act(const rule_call *call)
{
    NEED(need_batched(call, 0));
    NEED(need_act(call, call->q->attr->act, false));
    return give(call, *call->q->in[0]);
}

static clv_status shape_act_grad(const rule_call *call)
{
    NEED(need_equal(call, 0, 1));
    NEED(need_mask(call, call->q->attr->act));
    return shape_act(call);
}

static clv_status shape_dropout(const rule_call *call)
{
    NEED(need_batched(call, 0));
    NEED(need_share(call, "rate", call->q->attr->rate));
    return give(call, *call->q->in[0]);
}

static clv_status shape_reshape(const rule_call *call)
{
    NEED(need_batched(call, 0));
    NEED(need_given(call, true));
    const clv_shape *x = call->q->in[0], *given = call->q->given;
    const int64_t from = clv_shape_elements(x), to = clv_shape_elements(given);
    if (from != to)
        return refuse(call, "input %s has %lld elements an image, but shape %s has %lld", print(x).text,
                      (long long)from, print(given).text, (long long)to);
    return give(call, *given);
}

static clv_status shape_equal_pair(const rule_call *call)
{
    NEED(need_equal(call, 0, 1));
    return give(call, *call->q->in[0]);
}

static clv_status shape_scale(const rule_call *call)
{
    const float alpha = call->q->attr->alpha;
    if (!(alpha >= -1e30f && alpha <= 1e30f)) return refuse(call, "alpha %g must be finite", (double)alpha);
    return give(call, *call->q->in[0]);
}

static clv_status shape_batched(const rule_call *call)
{
    NEED(need_batched(call, 0));
    return give(call, *call->q->in[0]);
}

static clv_status shape_sum(const rule_call *call)
{
    NEED(need_batched(call, 0));
    return give(call, image_shape(1, 1, 1));
}

static clv_status shape_broadcast(const rule_call *call)
{
    NEED(need_one_an_image(call, 0));
    return shape_source(call);
}

/* The reparameterised Gaussian: mu and logvar (or dz and logvar), of one shape. */

static clv_status shape_gaussian(const rule_call *call)
{
    if (call->q->attr->has_addend) NEED(need_equal(call, 0, 2));
    NEED(need_batched(call, 0));
    return shape_equal_pair(call);
}

static clv_status shape_gaussian_loss(const rule_call *call)
{
    NEED(shape_gaussian(call));
    return give(call, image_shape(1, 1, 1));
}

/* A value for each image, and a tensor that it multiplies. */
static clv_status shape_by_image(const rule_call *call)
{
    NEED(need_one_an_image(call, 0));
    NEED(need_batched(call, 1));
    return give(call, *call->q->in[1]);
}

/* Losses. */

static clv_status shape_pixel_loss(const rule_call *call)
{
    NEED(need_batched(call, 0));
    NEED(need_equal(call, 0, 1));
    return give(call, image_shape(1, 1, 1));
}

static clv_status shape_pixel_loss_grad(const rule_call *call)
{
    NEED(need_one_an_image(call, 0));
    NEED(need_batched(call, 1));
    NEED(need_equal(call, 1, 2));
    return give(call, *call->q->in[1]);
}

static clv_status shape_loss_head(const rule_call *call)
{
    NEED(need_batched(call, 0));
    NEED(need_equal(call, 0, 1));
    NEED(need_one_an_image(call, 2));
    return give(call, *call->q->in[0]);
}

static clv_status shape_mse_head(const rule_call *call)
{
    NEED(need_act(call, call->q->attr->act, true));
    return shape_loss_head(call);
}

static clv_status need_logits(const rule_call *call, int input)
{
    NEED(need_batched(call, input));
    const clv_shape *s = call->q->in[input];
    if (s->dim[1] == 1 && s->dim[2] == 1) return need_one_an_image(call, input + 1);
    return refuse(call, "logits %s must be [classes][1][1][n]", print(s).text);
}

static clv_status shape_class_loss(const rule_call *call)
{
    NEED(need_logits(call, 0));
    return give(call, image_shape(1, 1, 1));
}

static clv_status shape_class_loss_grad(const rule_call *call)
{
    NEED(need_one_an_image(call, 0));
    NEED(need_logits(call, 1));
    return give(call, *call->q->in[1]);
}

static clv_status shape_mean(const rule_call *call)
{
    NEED(need_one_an_image(call, 0));
    return give(call, (clv_shape){.rank = 1, .dim = {1, 1, 1, 1}});
}

static clv_status shape_mean_grad(const rule_call *call)
{
    const float alpha = call->q->attr->alpha;
    if (!(alpha >= -1e30f && alpha <= 1e30f)) return refuse(call, "alpha %g must be finite", (double)alpha);
    return give(call, image_shape(1, 1, 1));
}

/* Pairs of points. Positions of an embedding are a parameter [2][width], rows of whole vectors of any device. */

enum { MAP_ALIGN = 32 };

static clv_status shape_distance(const rule_call *call)
{
    NEED(need_batched(call, 0));
    NEED(need_given(call, true));
    const clv_shape *given = call->q->given;
    if (given->dim[1] == 1 && given->dim[2] == 1) return give(call, *given);
    return refuse(call, "shape %s must be [points][1][1][n]", print(given).text);
}

static clv_status need_pairs(const rule_call *call, int input)
{
    NEED(need_batched(call, input));
    const clv_shape *p = call->q->in[input];
    if (p->dim[1] == 1 && p->dim[2] == 1) return CLV_OK;
    return refuse(call, "input %d, %s, must be [points][1][1][n]", input, print(p).text);
}

static clv_status shape_square(const rule_call *call)
{
    NEED(need_pairs(call, 0));
    return give(call, *call->q->in[0]);
}

static clv_status shape_affinity(const rule_call *call)
{
    NEED(shape_square(call));
    const float alpha = call->q->attr->alpha;
    const int points = call->q->in[0]->dim[0];
    if (alpha >= 1 && alpha < (float)points) return CLV_OK;
    return refuse(call, "perplexity %g must be at least 1 and less than the %d points", (double)alpha, points);
}

static clv_status need_map(const rule_call *call, const clv_shape *map)
{
    if (!map->batched && map->rank == 2 && map->dim[0] == 2 && map->dim[1] % MAP_ALIGN == 0) return CLV_OK;
    return refuse(call, "positions %s must be [2][a multiple of %d]", print(map).text, MAP_ALIGN);
}

static clv_status shape_tsne_force(const rule_call *call)
{
    const clv_shape *y = call->q->in[0], *p = call->q->in[1];
    NEED(need_map(call, y));
    NEED(need_pairs(call, 1));
    if (p->dim[0] > y->dim[1])
        return refuse(call, "affinities %s are of more points than positions %s", print(p).text, print(y).text);
    return give(call, image_shape(5, 1, 1));
}

static clv_status shape_tsne_grad(const rule_call *call)
{
    const clv_shape forces = image_shape(5, 1, 1);
    NEED(need_given(call, false));
    NEED(need_map(call, call->q->given));
    if (clv_shape_equal(call->q->in[0], &forces)) return give(call, *call->q->given);
    return refuse(call, "forces %s must be [5][1][1][n]", print(call->q->in[0]).text);
}

/* Ops of an effect make no tensor: rank 0. */
static clv_status give_nothing(const rule_call *call) { return give(call, (clv_shape){.dim = {1, 1, 1, 1}}); }

static clv_status shape_record(const rule_call *call)
{
    NEED(need_one_an_image(call, 0));
    if (call->q->attr->slot < 0) return refuse(call, "slot %d must be at least 0", call->q->attr->slot);
    return give_nothing(call);
}

static clv_status shape_adam(const rule_call *call)
{
    const clv_attr *a = call->q->attr;
    NEED(need_share(call, "beta1", a->beta1));
    NEED(need_share(call, "beta2", a->beta2));
    if (!(a->eps > 0 && a->eps <= 1)) return refuse(call, "eps %g must be over 0, at most 1", (double)a->eps);
    NEED(need_at_least_0(call, "l2", a->l2));
    NEED(need_at_least_0(call, "weight_decay", a->weight_decay));
    return give_nothing(call);
}

static clv_status shape_sgd(const rule_call *call)
{
    const clv_attr *a = call->q->attr;
    NEED(need_share(call, "momentum", a->momentum));
    NEED(need_at_least_0(call, "l2", a->l2));
    NEED(need_at_least_0(call, "weight_decay", a->weight_decay));
    return give_nothing(call);
}

static clv_status shape_tsne_step(const rule_call *call) { return give_nothing(call); }

static const shape_rule rules[CLV_OP_COUNT] = {
#define R(NAME, shape, gradient) [CLV_OP_##NAME] = shape_##shape,
#include "graph/rules.def"
#undef R
};

/* Few enough elements that an int counts them: kernels index one image's features by int. */
static bool is_countable(const clv_shape *shape)
{
    int64_t elements = 1;
    for (int i = 0; i < shape->rank; i++) {
        if (shape->dim[i] < 1) return true; /* need_given has a better message for these */
        if ((elements *= shape->dim[i]) > INT_MAX) return false;
    }
    return true;
}

clv_status clv_infer_shape(const clv_shape_query *query, clv_shape *result, clv_error *err)
{
    const rule_call call = {query, result, err};
    if (query->given && query->given->rank >= 1 && query->given->rank <= CLV_MAX_RANK && !is_countable(query->given))
        return refuse(&call, "shape %s has more than %d elements", print(query->given).text, INT_MAX);
    NEED(rules[query->op](&call));
    for (int i = result->rank; i < CLV_MAX_RANK; i++) result->dim[i] = 1;
    if (!is_countable(result)) return refuse(&call, "result %s has more than %d elements", print(result).text, INT_MAX);
    if (query->given && !clv_shape_equal(query->given, result))
        return refuse(&call, "the result is %s, not %s", print(result).text, print(query->given).text);
    return CLV_OK;
}

/* Taps of one axis that fall inside the big side, over all places of the small side. */
static uint64_t inner_taps(int big, int small, const clv_attr *a)
{
    uint64_t taps = 0;
    for (int place = 0; place < small; place++) {
        const int64_t start = (int64_t)place * a->stride - a->pad, end = start + a->kernel;
        const int64_t from = start < 0 ? 0 : start, to = end > big ? big : end;
        if (to > from) taps += (uint64_t)(to - from);
    }
    return taps;
}

uint64_t clv_multiply_adds(clv_op op, const clv_attr *attr, const clv_shape *first, const clv_shape *second,
                           const clv_shape *result)
{
    if (clv_op_table[op].family != CLV_FAMILY_PRODUCT) return 0;
    const clv_shape *big = op == CLV_OP_DECONV ? result : first;
    const clv_shape *small = op == CLV_OP_CONV ? result : op == CLV_OP_DECONV ? first : second;
    return (uint64_t)big->dim[0] * (uint64_t)small->dim[0] * inner_taps(big->dim[1], small->dim[1], attr) *
           inner_taps(big->dim[2], small->dim[2], attr);
}

uint64_t clv_node_multiply_adds(const clv_graph *graph, clv_node node)
{
    const clv_node_info *info = clv_graph_node(graph, node);
    if (!info || clv_op_table[info->op].family != CLV_FAMILY_PRODUCT) return 0;
    return clv_multiply_adds(info->op, &info->attr, &clv_info(graph, info->input[0])->shape,
                             &clv_info(graph, info->input[1])->shape, &info->shape);
}

