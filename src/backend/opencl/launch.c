/* The launch table: a row an op, with its kernel file, kernel and the function that sizes and binds the launch. The
 * three products have rows of their own in products.c.
 *
 * A work-group costs a CPU about as much as a hundred vectors of work, and PoCL compiles each local size anew: there
 * work-items are few and large, in groups of one. On a GPU they are many and small, side by side along the images. */
#include "backend/opencl/launch.h"

#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/try.h"

#define GROUP           64   /* work-items of a GPU's group */
#define GPU_ITEMS       4096 /* work-items that keep a GPU busy */
#define CPU_CHUNK       4096 /* vectors of a CPU's work-item, at most, */
#define CPU_CHUNK_LEAST 64   /* and at least */
#define ITEMS_A_UNIT    4    /* work-items that a CPU's core should get, so that cores end together */
#define ROW_PARTS       16   /* of a split row sum: a whole number of vectors of any width */
#define PAIR_ROWS       8    /* of a register tile of distances */
#define BLOCK           16   /* pixels of a work-item of gather, */
#define QUAD            4    /* and with noise on a GPU: a call of the random numbers' generator */

typedef struct op_row {
    const char *file, *kernel;
    void (*write)(const clv_device_info *device, const clv_call *call, const struct op_row *row, clv_launch_list *list);
} op_row;

static int smaller(int a, int b) { return a < b ? a : b; }
static int larger(int a, int b) { return a > b ? a : b; }
static int whole(int a, int b) { return (a + b - 1) / b; }
static bool is_cpu(const clv_device_info *device) { return device->kind == CLV_DEVICE_CPU; }

/* The largest divisor of n that is at most `limit`. */
static int divisor(int n, int limit)
{
    int d = larger(1, smaller(n, limit));
    while (n % d != 0) d--;
    return d;
}

/* ---- building blocks ---- */

static void define(clv_launch *launch, const char *format, ...) CLV_PRINTF(2, 3);
static void define(clv_launch *launch, const char *format, ...)
{
    const size_t used = strlen(launch->defines);
    va_list args;
    va_start(args, format);
    if (used > 0 && used + 1 < CLV_DEFINES_SIZE) launch->defines[used] = ' ';
    const size_t at = used + (used > 0);
    if (at < CLV_DEFINES_SIZE) vsnprintf(launch->defines + at, CLV_DEFINES_SIZE - at, format, args);
    va_end(args);
}

/* A float as OpenCL C reads it, to the bit and in any locale: 9 digits, a point or an exponent, and f. */
static void define_real(clv_launch *launch, const char *name, float value)
{
    char text[40];
    snprintf(text, sizeof text, "%.9g", (double)value);
    bool real = false;
    for (char *c = text; *c; c++) {
        if (!strchr("0123456789+-e", *c)) *c = '.';
        real |= *c == '.' || *c == 'e';
    }
    define(launch, "-D%s=%s%sf", name, text, real ? "" : ".0");
}

/* `op`: the formula of a kernel that has several, or NULL. */
static clv_launch *add_launch(clv_launch_list *list, const op_row *row, const clv_device_info *device,
                              const clv_call *call, const char *op)
{
    clv_launch *launch = &list->launch[list->launches++];
    *launch =
        (clv_launch){.file = row->file, .kernel = row->kernel, .dims = 1, .global = {1, 1, 1}, .local = {1, 1, 1}};
    if (op) define(launch, "-DOP=OP_%s", op);
    define(launch, "-DV=%d -DN=%d", device->vector_width, call->lanes);
    return launch;
}

/* The op's name in capitals, as the kernels' OP_ constants spell it. */
static const char *op_name(clv_op op)
{
    static const char *const name[CLV_OP_COUNT] = {
#define X(NAME, name, inputs, family, formula) #NAME,
#include "clave/op.def"
#undef X
    };
    return name[op];
}

static void bind(clv_launch *launch, clv_arg arg) { launch->arg[launch->args++] = arg; }

static void bind_inputs(clv_launch *launch, const clv_call *call, clv_arg result)
{
    for (int i = 0; i < call->inputs; i++) bind(launch, (clv_arg)(CLV_ARG_IN0 + i));
    bind(launch, result);
}

/* `items` along the first axis, in groups that suit the device; kernels guard the end, as the last group may reach
 * beyond. */
static void size_line(clv_launch *launch, const clv_device_info *device, int items)
{
    const int group = is_cpu(device) ? 1 : GROUP;
    launch->global[0] = (size_t)whole(items, group) * (size_t)group;
    launch->local[0] = (size_t)group;
}

/* Exactly x by y work-items. */
static void size_grid(clv_launch *launch, const clv_device_info *device, int x, int y)
{
    launch->dims = 2;
    launch->global[0] = (size_t)x;
    launch->global[1] = (size_t)y;
    launch->local[0] = is_cpu(device) ? 1 : (size_t)divisor(x, GROUP);
}

/* The same where each along x has so many lanes of their own. */
static void size_lanes(clv_launch *launch, const clv_device_info *device, const clv_call *call, int lanes, int y)
{
    size_grid(launch, device, call->lanes / lanes, y);
    launch->lanes = is_cpu(device) ? lanes : 0;
    launch->by_image = true;
}

/* `vectors` of work in chunks: defines CHUNK and sizes the launch. */
static void size_chunks(clv_launch *launch, const clv_device_info *device, int vectors)
{
    int chunk = 1;
    if (is_cpu(device)) {
        chunk = whole(vectors, larger(1, device->compute_units) * ITEMS_A_UNIT);
        chunk = smaller(CPU_CHUNK, larger(CPU_CHUNK_LEAST, chunk));
    }
    define(launch, "-DCHUNK=%d", chunk);
    size_line(launch, device, whole(vectors, chunk));
}

static int features_of(const clv_shape *shape) { return shape->dim[0] * shape->dim[1] * shape->dim[2]; }
static int per_channel_of(const clv_shape *shape) { return shape->dim[1] * shape->dim[2]; }

/* ---- elementwise ---- */

/* A work-item's vectors are of `rows` features each. */
static void define_pointwise(clv_launch *launch, const clv_device_info *device, const clv_call *call, int rows)
{
    const clv_shape *shape = &call->out.shape;
    const int features = features_of(shape);
    define(launch, "-DF=%d -DPER_CHANNEL=%d", features, per_channel_of(shape));
    size_chunks(launch, device, whole(features, rows) * (call->lanes / device->vector_width));
    launch->by_image = true;
}

static void define_slope(clv_launch *launch, const clv_attr *attr)
{
    if (attr->mask_rate > 0) define_real(launch, "GRAD_KEEP", 1.0f - attr->mask_rate);
    if (attr->act == CLV_ACT_LEAKY_RELU || attr->grad_act == CLV_ACT_LEAKY_RELU)
        define_real(launch, "SLOPE", attr->slope);
}

static void define_dropout(clv_launch *launch, const clv_attr *attr)
{
    define_real(launch, "KEEP", 1.0f - attr->rate);
    define(launch, "-DSTREAM=%u", (unsigned)attr->stream);
}

static void pointwise(const clv_device_info *device, const clv_call *call, const op_row *row, clv_launch_list *list)
{
    const clv_attr *attr = &call->attr;
    clv_launch *launch = add_launch(list, row, device, call, op_name(call->op));
    define_pointwise(launch, device, call, 1);
    if (call->op == CLV_OP_ACT) define(launch, "-DACT=%d", (int)attr->act);
    if (call->op == CLV_OP_ACT_GRAD) define(launch, "-DGRAD_ACT=%d", (int)attr->act);
    if (call->op == CLV_OP_ACT || call->op == CLV_OP_ACT_GRAD) define_slope(launch, attr);
    if (call->op == CLV_OP_SCALE) define_real(launch, "FACTOR", attr->alpha);
    if (call->op == CLV_OP_MSE_GRAD) define_real(launch, "FACTOR", (float)(2.0 / features_of(&call->out.shape)));
    bind_inputs(launch, call, CLV_ARG_OUT);
    if (call->op == CLV_OP_RAMP) bind(launch, CLV_ARG_STEP);
}

/* ---- sums ---- */

/* Rows of a matrix whose length is a whole number of vectors. */
static void add_row_sum(const clv_device_info *device, const clv_call *call, const op_row *row, clv_launch_list *list,
                        int rows, int length, int parts)
{
    const int group = is_cpu(device) || length / device->vector_width / parts < GROUP ? 1 : GROUP;
    clv_launch *launch = add_launch(list, row, device, call, NULL);
    const int each = is_cpu(device) ? larger(1, rows * parts / (device->compute_units * ITEMS_A_UNIT)) : 1;
    define(launch, "-DROWS=%d -DLENGTH=%d -DPARTS=%d -DITEMS=%d -DEACH=%d", rows, length, parts, group, each);
    launch->global[0] = (size_t)whole(rows * parts, each) * (size_t)group;
    launch->local[0] = (size_t)group;
    launch->group_floats = group > 1 ? (size_t)group : 0;
}

/* b[c] = the sum of an input over y, x and n */
static void add_channel_sums(const clv_device_info *device, const clv_call *call, int input, clv_arg to,
                             clv_launch_list *list)
{
    static const op_row sum_rows = {"reduce.cl", "sum_rows", NULL}, *row = &sum_rows;
    const clv_shape *shape = &call->in[input].shape;
    const int rows = shape->dim[0], length = per_channel_of(shape) * call->lanes,
              vectors = length / device->vector_width;
    const int wanted = is_cpu(device) ? device->compute_units * ITEMS_A_UNIT : GPU_ITEMS / GROUP;
    const bool split = rows < wanted && vectors >= ROW_PARTS * CPU_CHUNK_LEAST;
    add_row_sum(device, call, row, list, rows, length, split ? ROW_PARTS : 1);
    bind(&list->launch[list->launches - 1], (clv_arg)(CLV_ARG_IN0 + input));
    bind(&list->launch[list->launches - 1], split ? CLV_ARG_SCRATCH : to);
    if (!split) return;
    add_row_sum(device, call, row, list, rows, ROW_PARTS, 1);
    bind(&list->launch[list->launches - 1], CLV_ARG_SCRATCH);
    bind(&list->launch[list->launches - 1], to);
    if (list->scratch < (size_t)rows * ROW_PARTS) list->scratch = (size_t)rows * ROW_PARTS;
}

static void bias_grad(const clv_device_info *device, const clv_call *call, const op_row *row, clv_launch_list *list)
{
    (void)row;
    add_channel_sums(device, call, 0, CLV_ARG_OUT, list);
}

void clv_launch_channel_sums(const clv_device_info *device, const clv_call *call, clv_launch_list *list)
{
    add_channel_sums(device, call, call->attr.sum_of - 1, CLV_ARG_IN2, list);
}

void clv_launch_epilogue(const clv_device_info *device, const clv_call *call, clv_launch_list *list)
{
    static const op_row epilogue = {"pointwise.cl", "epilogue_in_place", NULL};
    const clv_attr *attr = &call->attr;
    memset(list, 0, sizeof *list);
    if (attr->sum_of) clv_launch_channel_sums(device, call, list);
    const bool dropout = attr->rate > 0;
    if (!attr->has_bias && !attr->has_addend && attr->act == CLV_ACT_NONE && attr->grad_act == CLV_ACT_NONE && !dropout)
        return;
    clv_launch *launch = add_launch(list, &epilogue, device, call, NULL);
    int input = CLV_ARG_IN2;
    define_pointwise(launch, device, call, dropout ? 4 : 1);
    define(launch, "-DBIAS=%d -DADDEND=%d -DACT=%d -DGRAD_ACT=%d", attr->has_bias, attr->has_addend, (int)attr->act,
           (int)attr->grad_act);
    define_slope(launch, attr);
    bind(launch, CLV_ARG_OUT);
    if (attr->has_bias) bind(launch, (clv_arg)input++);
    if (attr->has_addend) bind(launch, (clv_arg)input++);
    if (attr->grad_act != CLV_ACT_NONE) bind(launch, (clv_arg)input);
    if (!dropout) return;
    define_dropout(launch, attr);
    bind(launch, CLV_ARG_STEP);
}

/* sum, mse, bce, kl: over the features of each image; the second launch adds the parts. */
static void size_image_sum(clv_launch *launch, const clv_device_info *device, const clv_call *call, int vector,
                           int features, int parts, int across)
{
    define(launch, "-DF=%d -DPARTS=%d -DNT=%d", features, parts, across);
    size_lanes(launch, device, call, vector * across, parts);
}

/* Vectors of images side by side that suit the device. */
static int vectors_across(const clv_device_info *device, const clv_call *call, int vector)
{
    return is_cpu(device) ? divisor(clv_item_lanes(device, call, call->lanes) / vector, 8) : 1;
}

/* Parts of the sum over an image's features, and vectors of images side by side, that suit the device. */
static int parts_of_image(const clv_device_info *device, const clv_call *call, int vector, int features, int *across)
{
    const int vectors = call->lanes / vector;
    *across = vectors_across(device, call, vector);
    const int units = call->blocked ? 0 : device->compute_units; /* a block is one unit's */
    const int wanted = is_cpu(device) ? larger(1, units * ITEMS_A_UNIT) : GPU_ITEMS;
    const int least = is_cpu(device) ? larger(1, CPU_CHUNK_LEAST / *across) : 8; /* features of a part */
    return larger(1, smaller(features / least, whole(wanted, vectors / *across)));
}

static const op_row image_sum = {"reduce.cl", "per_image", NULL};

/* The sum of the parts that lie in scratch memory, from `from` on. */
static void add_parts_of_image(const clv_device_info *device, const clv_call *call, clv_launch_list *list, int parts,
                               size_t from, clv_arg to)
{
    const int vector = device->vector_width;
    clv_launch *launch = add_launch(list, &image_sum, device, call, "SUM");
    size_image_sum(launch, device, call, vector, parts, 1, vectors_across(device, call, vector));
    launch->scratch_offset[0] = from;
    bind(launch, CLV_ARG_SCRATCH);
    bind(launch, to);
    list->scratch = from + (size_t)parts * (size_t)call->lanes;
}

static void per_image(const clv_device_info *device, const clv_call *call, const op_row *row, clv_launch_list *list)
{
    const int features = features_of(&call->in[0].shape), vector = device->vector_width;
    int across;
    const int parts = parts_of_image(device, call, vector, features, &across);
    clv_launch *launch = add_launch(list, row, device, call, op_name(call->op));
    size_image_sum(launch, device, call, vector, features, parts, across);
    bind_inputs(launch, call, parts > 1 ? CLV_ARG_SCRATCH : CLV_ARG_OUT);
    if (parts > 1) add_parts_of_image(device, call, list, parts, 0, CLV_ARG_OUT);
    if (call->op == CLV_OP_MSE) define_real(&list->launch[list->launches - 1], "FACTOR", (float)(1.0 / features));
}

/* ---- losses ---- */

static size_t scratch_end(const clv_launch_list *list)
{
    return (list->scratch + CLV_SCRATCH_ALIGN - 1) / CLV_SCRATCH_ALIGN * CLV_SCRATCH_ALIGN;
}

/* A loss and its gradient: per_image's sums, as many parts, with the gradient on the way. */
void clv_launch_head(const clv_device_info *device, const clv_call *call, int vector, const clv_image_parts *asked,
                     clv_launch_list *list)
{
    const clv_attr *attr = &call->attr;
    const bool mse = clv_op_head(call->op, attr) == CLV_OP_MSE_HEAD;
    const int features = features_of(&call->out.shape), target = call->inputs - 2;
    const clv_arg loss = (clv_arg)(CLV_ARG_IN0 + call->inputs - 1);
    const size_t from = scratch_end(list);
    int across;
    int parts = parts_of_image(device, call, vector, features, &across);
    if (asked) parts = asked->parts, across = asked->across;
    clv_launch *launch = &list->launch[list->launches - 1];
    define(launch, "-DOP=OP_%s -DTARGET=%d", mse ? "MSE" : "BCE", target);
    size_image_sum(launch, device, call, vector, features, parts, across);
    define_real(launch, "ALPHA", attr->alpha);
    if (mse) define_real(launch, "GRAD_FACTOR", (float)(2.0 / features));
    if (attr->act != CLV_ACT_NONE) define(launch, "-DACT=%d", (int)attr->act);
    if (attr->act == CLV_ACT_LEAKY_RELU) define_real(launch, "SLOPE", attr->slope);
    bind(launch, (clv_arg)(CLV_ARG_IN0 + target));
    bind(launch, CLV_ARG_OUT);
    launch->scratch_offset[launch->args] = parts > 1 ? from : 0;
    bind(launch, parts > 1 ? CLV_ARG_SCRATCH : loss);
    bind(launch, CLV_ARG_STEP);
    if (parts > 1) add_parts_of_image(device, call, list, parts, from, loss);
    if (mse) define_real(&list->launch[list->launches - 1], "FACTOR", (float)(1.0 / features));
}

static void loss_head(const clv_device_info *device, const clv_call *call, const op_row *row, clv_launch_list *list)
{
    bind(add_launch(list, row, device, call, NULL), CLV_ARG_IN0);
    clv_launch_head(device, call, device->vector_width, NULL, list);
}

void clv_launch_head_behind(const clv_device_info *device, const clv_call *call, clv_launch_list *list)
{
    static const op_row head = {"reduce.cl", "loss_head", NULL};
    const size_t y = scratch_end(list);
    for (int i = 0; i < list->launches; i++)
        for (int k = 0; k < list->launch[i].args; k++) {
            if (list->launch[i].arg[k] != CLV_ARG_OUT) continue;
            list->launch[i].arg[k] = CLV_ARG_SCRATCH;
            list->launch[i].scratch_offset[k] = y;
        }
    list->scratch = y + clv_operand_elements(&call->out, call->lanes);
    clv_launch *launch = add_launch(list, &head, device, call, NULL);
    launch->scratch_offset[0] = y;
    bind(launch, CLV_ARG_SCRATCH);
    clv_launch_head(device, call, device->vector_width, NULL, list);
}

static void cross_entropy(const clv_device_info *device, const clv_call *call, const op_row *row, clv_launch_list *list)
{
    const int logits = call->op == CLV_OP_XENT_GRAD ? 1 : 0;
    clv_launch *launch = add_launch(list, row, device, call, NULL);
    define(launch, "-DCLASSES=%d", features_of(&call->in[logits].shape));
    size_lanes(launch, device, call, device->vector_width, 1);
    bind_inputs(launch, call, CLV_ARG_OUT);
}

static void mean(const clv_device_info *device, const clv_call *call, const op_row *row, clv_launch_list *list)
{
    clv_launch *launch = add_launch(list, row, device, call, NULL);
    bind_inputs(launch, call, CLV_ARG_OUT);
    bind(launch, CLV_ARG_STEP);
}

static void mean_grad(const clv_device_info *device, const clv_call *call, const op_row *row, clv_launch_list *list)
{
    clv_launch *launch = add_launch(list, row, device, call, NULL);
    define_real(launch, "ALPHA", call->attr.alpha);
    size_lanes(launch, device, call, 1, 1);
    bind(launch, CLV_ARG_OUT);
    bind(launch, CLV_ARG_STEP);
}

static void record(const clv_device_info *device, const clv_call *call, const op_row *row, clv_launch_list *list)
{
    clv_launch *launch = add_launch(list, row, device, call, NULL);
    define(launch, "-DSLOTS=%d -DSLOT=%d", call->slots, call->attr.slot);
    bind_inputs(launch, call, CLV_ARG_TRACE);
    bind(launch, CLV_ARG_STEP);
}

/* ---- random numbers, data, optimisers ---- */

static void random_op(const clv_device_info *device, const clv_call *call, const op_row *row, clv_launch_list *list)
{
    const int features = features_of(&call->out.shape), quads = whole(features, 4),
              vectors = call->lanes / device->vector_width;
    const int wanted = device->compute_units * ITEMS_A_UNIT;
    const int each = is_cpu(device) ? smaller(64, larger(1, quads * vectors / larger(1, wanted))) : 1;
    clv_launch *launch = add_launch(list, row, device, call, NULL);
    define(launch, "-DF=%d -DSTREAM=%u -DQUADS=%d", features, (unsigned)call->attr.stream, smaller(each, quads));
    if (call->op == CLV_OP_DROPOUT) define_real(launch, "KEEP", 1.0f - call->attr.rate);
    if (call->attr.has_addend) define(launch, "-DADDEND=1");
    size_lanes(launch, device, call, device->vector_width, whole(quads, smaller(each, quads)));
    bind_inputs(launch, call, CLV_ARG_OUT);
    bind(launch, CLV_ARG_STEP);
}

static void gather(const clv_device_info *device, const clv_call *call, const op_row *row, clv_launch_list *list)
{
    const int pixels = features_of(&call->out.shape);
    const bool noisy = call->attr.noisy;
    const int block = noisy && !is_cpu(device) ? larger(QUAD, device->vector_width) : BLOCK;
    clv_launch *launch = add_launch(list, row, device, call, NULL);
    define(launch, "-DPIXELS=%d -DBLOCK=%d", pixels, block);
    if (noisy) define(launch, "-DNOISE=1 -DSTREAM=%u", (unsigned)call->attr.stream);
    size_lanes(launch, device, call, device->vector_width, whole(pixels, block));
    bind(launch, CLV_ARG_IMAGES);
    bind(launch, CLV_ARG_ORDER);
    bind_inputs(launch, call, CLV_ARG_OUT); /* with noise: the images as they are */
    bind(launch, CLV_ARG_STEP);
}

static void label(const clv_device_info *device, const clv_call *call, const op_row *row, clv_launch_list *list)
{
    clv_launch *launch = add_launch(list, row, device, call, NULL);
    size_lanes(launch, device, call, 1, 1);
    bind(launch, CLV_ARG_LABELS);
    bind(launch, CLV_ARG_ORDER);
    bind(launch, CLV_ARG_OUT);
    bind(launch, CLV_ARG_STEP);
}

/* The trained parameters are a prefix of their space: where no whole number of vectors, they are taken one by one. */
static void optimiser(const clv_device_info *device, const clv_call *call, const op_row *row, clv_launch_list *list)
{
    const clv_attr *attr = &call->attr;
    clv_device_info narrow = *device;
    if (call->trained % (size_t)device->vector_width != 0) narrow.vector_width = 1;
    clv_launch *launch = add_launch(list, row, &narrow, call, NULL);
    define(launch, "-DTRAINED=%zu", call->trained);
    define_real(launch, "L2", attr->l2);
    define_real(launch, "WEIGHT_DECAY", attr->weight_decay);
    if (attr->unscale > 0) define_real(launch, "UNSCALE", attr->unscale);
    bind(launch, CLV_ARG_PARAM);
    bind(launch, CLV_ARG_GRAD);
    bind(launch, CLV_ARG_MOMENT1);
    if (call->op == CLV_OP_ADAM) {
        define_real(launch, "BETA1", attr->beta1);
        define_real(launch, "REST1", (float)(1.0 - (double)attr->beta1));
        define_real(launch, "BETA2", attr->beta2);
        define_real(launch, "REST2", (float)(1.0 - (double)attr->beta2));
        define_real(launch, "EPS", attr->eps);
        bind(launch, CLV_ARG_MOMENT2);
    } else {
        define_real(launch, "MOMENTUM", attr->momentum);
    }
    size_chunks(launch, device, (int)(call->trained / (size_t)narrow.vector_width));
    if (attr->rated) {
        define(launch, "-DRATED=1");
        bind(launch, CLV_ARG_RATE);
    }
    bind(launch, CLV_ARG_STEP);
}

bool clv_launch_sum_moves(const clv_call *call, bool blocks, const clv_launch_list *list)
{
    return (list->sum.parts > 1 || (blocks && call->op == CLV_OP_CONV_WEIGHT)) && call->out.space == CLV_SPACE_GRAD &&
           (!call->attr.sum_of || call->in[2].space == CLV_SPACE_GRAD);
}

/* What writes the gradient itself, and that of a bias behind it, leaves them as one part. */
static clv_sum move_whole(const clv_call *call, clv_launch_list *list, size_t region)
{
    const size_t weights = clv_operand_elements(&call->out, 1);
    clv_launch *writer = &list->launch[list->launches - 1];
    clv_sum parts = {.parts = 1, .stride = weights};
    if (call->attr.sum_of) {
        parts.second = (weights + CLV_SCRATCH_ALIGN - 1) / CLV_SCRATCH_ALIGN * CLV_SCRATCH_ALIGN;
        parts.stride = parts.second + clv_operand_elements(&call->in[2], 1);
    }
    for (int i = 0; i < writer->args; i++) {
        const bool sum = call->attr.sum_of && writer->arg[i] == CLV_ARG_IN2;
        if (!sum && writer->arg[i] != CLV_ARG_OUT) continue;
        writer->arg[i] = CLV_ARG_PARTS;
        writer->scratch_offset[i] = region + (sum ? parts.second : 0);
    }
    return parts;
}

clv_sum clv_launch_move_sum(const clv_call *call, clv_launch_list *list, size_t region)
{
    clv_sum parts = list->sum;
    if (parts.parts < 2) return move_whole(call, list, region);
    parts.second = clv_operand_elements(&call->out, 1);
    clv_launch *writer = &list->launch[--list->launches - 1];
    list->sum = (clv_sum){0};
    for (int i = 0; i < writer->args; i++)
        if (writer->arg[i] == CLV_ARG_SCRATCH && writer->scratch_offset[i] == parts.offset) {
            writer->arg[i] = CLV_ARG_PARTS;
            writer->scratch_offset[i] = region;
        }
    if (list->scratch > parts.offset) list->scratch = parts.offset;
    return parts;
}

void clv_launch_segments(clv_launch *launch, int segments)
{
    define(launch, "-DSEGMENTS=%d", segments);
    bind(launch, CLV_ARG_SEGMENTS);
    bind(launch, CLV_ARG_PARTS);
}

static void tsne_step(const clv_device_info *device, const clv_call *call, const op_row *row, clv_launch_list *list)
{
    clv_device_info narrow = *device;
    if (call->trained % (size_t)device->vector_width != 0) narrow.vector_width = 1;
    clv_launch *launch = add_launch(list, row, &narrow, call, NULL);
    define(launch, "-DTRAINED=%zu", call->trained);
    size_chunks(launch, device, (int)(call->trained / (size_t)narrow.vector_width));
    for (int i = 0; i < 4; i++) bind(launch, (clv_arg)(CLV_ARG_PARAM + i));
    bind(launch, CLV_ARG_STEP);
}

/* ---- pairs of points ---- */

/* A group of work-items for each of `rows` rows of pairs; on a CPU a group of one. */
static void size_rows(clv_launch *launch, const clv_device_info *device, int rows)
{
    const int group = is_cpu(device) ? 1 : GROUP;
    define(launch, "-DITEMS=%d", group);
    launch->global[0] = (size_t)rows * (size_t)group;
    launch->local[0] = (size_t)group;
}

/* Tiles of registers; a CPU's work-item keeps its vectors of points in a cache while many tiles of rows pass by. */
static void distance(const clv_device_info *device, const clv_call *call, const op_row *row, clv_launch_list *list)
{
    const int points = call->out.shape.dim[0], rows = is_cpu(device) ? PAIR_ROWS : 4;
    const int across = is_cpu(device) ? divisor(call->lanes / device->vector_width, 2) : 1;
    const int tiles = whole(points, rows), each = is_cpu(device) ? whole(tiles, ITEMS_A_UNIT) : 1;
    clv_launch *launch = add_launch(list, row, device, call, NULL);
    define(launch, "-DPOINTS=%d -DF=%d -DRT=%d -DVT=%d -DEACH=%d", points, features_of(&call->in[0].shape), rows,
           across, each);
    size_grid(launch, device, call->lanes / (device->vector_width * across), whole(tiles, each));
    bind_inputs(launch, call, CLV_ARG_OUT);
}

static void affinity(const clv_device_info *device, const clv_call *call, const op_row *row, clv_launch_list *list)
{
    clv_launch *launch = add_launch(list, row, device, call, NULL);
    define(launch, "-DPOINTS=%d", call->out.shape.dim[0]);
    define_real(launch, "ENTROPY", logf(call->attr.alpha));
    size_rows(launch, device, call->out.shape.dim[0]);
    bind_inputs(launch, call, CLV_ARG_OUT);
}

static void joint(const clv_device_info *device, const clv_call *call, const op_row *row, clv_launch_list *list)
{
    const int points = call->out.shape.dim[0];
    clv_launch *launch = add_launch(list, row, device, call, NULL);
    define(launch, "-DPOINTS=%d -DROWS=%d", points, BLOCK);
    define_real(launch, "FACTOR", (float)(0.5 / points));
    size_grid(launch, device, call->lanes / device->vector_width, whole(points, BLOCK));
    bind_inputs(launch, call, CLV_ARG_OUT);
}

static void tsne_force(const clv_device_info *device, const clv_call *call, const op_row *row, clv_launch_list *list)
{
    const int points = call->in[1].shape.dim[0], rows = is_cpu(device) && device->vector_width < 16 ? 2 : 4;
    clv_launch *launch = add_launch(list, row, device, call, NULL);
    define(launch, "-DPOINTS=%d -DW=%d -DRT=%d", points, call->in[0].shape.dim[1], rows);
    size_rows(launch, device, whole(points, rows));
    bind_inputs(launch, call, CLV_ARG_OUT);
}

static void tsne_grad(const clv_device_info *device, const clv_call *call, const op_row *row, clv_launch_list *list)
{
    clv_launch *launch = add_launch(list, row, device, call, NULL);
    define(launch, "-DW=%d", call->out.shape.dim[1]);
    size_rows(launch, device, 1);
    bind_inputs(launch, call, CLV_ARG_OUT);
    bind(launch, CLV_ARG_STEP);
}

/* ---- the table ---- */

static const op_row table[CLV_OP_COUNT] = {
    [CLV_OP_GATHER] = {"data.cl", "gather", gather},
    [CLV_OP_LABEL] = {"data.cl", "label", label},
    [CLV_OP_BIAS] = {"pointwise.cl", "pointwise", pointwise},
    [CLV_OP_BIAS_GRAD] = {"reduce.cl", "sum_rows", bias_grad},
    [CLV_OP_ACT] = {"pointwise.cl", "pointwise", pointwise},
    [CLV_OP_ACT_GRAD] = {"pointwise.cl", "pointwise", pointwise},
    [CLV_OP_DROPOUT] = {"random.cl", "dropout", random_op},
    [CLV_OP_NOISE] = {"random.cl", "noise", random_op},
    [CLV_OP_ADD] = {"pointwise.cl", "pointwise", pointwise},
    [CLV_OP_MUL] = {"pointwise.cl", "pointwise", pointwise},
    [CLV_OP_SCALE] = {"pointwise.cl", "pointwise", pointwise},
    [CLV_OP_RAMP] = {"pointwise.cl", "pointwise", pointwise},
    [CLV_OP_SUM] = {"reduce.cl", "per_image", per_image},
    [CLV_OP_BROADCAST] = {"pointwise.cl", "pointwise", pointwise},
    [CLV_OP_SAMPLE] = {"random.cl", "sample", random_op},
    [CLV_OP_SAMPLE_GRAD] = {"random.cl", "sample_grad", random_op},
    [CLV_OP_KL] = {"reduce.cl", "per_image", per_image},
    [CLV_OP_KL_GRAD_LOGVAR] = {"pointwise.cl", "pointwise", pointwise},
    [CLV_OP_MUL_IMAGE] = {"pointwise.cl", "pointwise", pointwise},
    [CLV_OP_MSE] = {"reduce.cl", "per_image", per_image},
    [CLV_OP_MSE_GRAD] = {"pointwise.cl", "pointwise", pointwise},
    [CLV_OP_BCE] = {"reduce.cl", "per_image", per_image},
    [CLV_OP_BCE_GRAD] = {"pointwise.cl", "pointwise", pointwise},
    [CLV_OP_MSE_HEAD] = {"reduce.cl", "loss_head", loss_head},
    [CLV_OP_BCE_HEAD] = {"reduce.cl", "loss_head", loss_head},
    [CLV_OP_XENT] = {"loss.cl", "xent", cross_entropy},
    [CLV_OP_XENT_GRAD] = {"loss.cl", "xent_grad", cross_entropy},
    [CLV_OP_CORRECT] = {"loss.cl", "correct", cross_entropy},
    [CLV_OP_MEAN] = {"loss.cl", "mean", mean},
    [CLV_OP_MEAN_GRAD] = {"loss.cl", "mean_grad", mean_grad},
    [CLV_OP_RECORD] = {"loss.cl", "record", record},
    [CLV_OP_DISTANCE] = {"pairs.cl", "distances", distance},
    [CLV_OP_AFFINITY] = {"pairs.cl", "affinity", affinity},
    [CLV_OP_JOINT] = {"pairs.cl", "joint", joint},
    [CLV_OP_TSNE_FORCE] = {"tsne.cl", "tsne_force", tsne_force},
    [CLV_OP_TSNE_GRAD] = {"tsne.cl", "tsne_grad", tsne_grad},
    [CLV_OP_ADAM] = {"optim.cl", "adam", optimiser},
    [CLV_OP_SGD] = {"optim.cl", "sgd", optimiser},
    [CLV_OP_TSNE_STEP] = {"optim.cl", "tsne_step", tsne_step},
};

/* Kernels count elements in an int. */
static clv_status check_sizes(const clv_call *call, clv_error *err)
{
    size_t most = clv_operand_elements(&call->out, call->lanes);
    for (int i = 0; i < call->inputs; i++) {
        const size_t elements = clv_operand_elements(&call->in[i], call->lanes);
        if (elements > most) most = elements;
    }
    if (most <= INT_MAX && call->trained <= INT_MAX) return CLV_OK;
    return clv_fail(err, CLV_ERR_CONFIG, "%s: a tensor of more than %d elements; reduce train.batch or the layer",
                    call->name, INT_MAX);
}

static clv_repeat repeat_of(const clv_call *call, clv_arg arg)
{
    if (arg == CLV_ARG_SCRATCH) return CLV_REPEAT_SCRATCH;
    if (arg == CLV_ARG_PARTS) return CLV_REPEAT_PARTS;
    if (arg == CLV_ARG_STEP) return CLV_REPEAT_STEP;
    if (arg > CLV_ARG_OUT) return CLV_REPEAT_NONE;
    const clv_operand *operand = arg == CLV_ARG_OUT ? &call->out : &call->in[arg];
    if (!operand->shape.batched) return CLV_REPEAT_NONE;
    if (operand->space == CLV_SPACE_BATCH) return CLV_REPEAT_BATCH;
    return operand->space == CLV_SPACE_HALF ? CLV_REPEAT_HALVES : CLV_REPEAT_FLOATS;
}

void clv_launch_repeat(const clv_call *call, clv_launch *launch)
{
    for (int i = 0; i < launch->args; i++) launch->repeat[i] = (unsigned char)repeat_of(call, launch->arg[i]);
}

/* Tells each launch which of its operands are stored as half. */
static void define_halves(const clv_call *call, clv_launch_list *list)
{
    for (int i = 0; i < list->launches; i++) {
        clv_launch *launch = &list->launch[i];
        unsigned half = 0;
        for (int k = 0; k < launch->args; k++) {
            const clv_arg arg = launch->arg[k];
            if (arg <= CLV_ARG_IN4 && call->in[arg].space == CLV_SPACE_HALF) half |= 1u << arg;
            if (arg == CLV_ARG_OUT && call->out.space == CLV_SPACE_HALF) half |= 1u << CLV_HALF_OUT;
        }
        if (half) define(launch, "-DHALF=%u", half);
    }
}

clv_status clv_launches_of(const clv_device_info *device, const clv_call *call, const struct clv_tiling *tiling,
                           clv_launch_list *list, clv_error *err)
{
    clv_status status = CLV_OK;
    memset(list, 0, sizeof *list);
    CLV_TRY(check_sizes(call, err));
    if (clv_op_table[call->op].family == CLV_FAMILY_PRODUCT) {
        CLV_TRY(clv_launch_product(device, call, tiling, list, err));
    } else {
        CLV_REQUIRE(table[call->op].write, CLV_ERR_INTERNAL, "%s: op %s has no row in the launch table", call->name,
                    clv_op_table[call->op].name);
        table[call->op].write(device, call, &table[call->op], list);
    }
    define_halves(call, list);
    for (int i = 0; i < list->launches; i++)
        CLV_REQUIRE(strlen(list->launch[i].defines) < CLV_DEFINES_SIZE - 1, CLV_ERR_INTERNAL,
                    "%s: the defines of %s take more than %d bytes", call->name, list->launch[i].kernel,
                    CLV_DEFINES_SIZE);
done:
    return status;
}
