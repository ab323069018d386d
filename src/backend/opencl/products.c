/* The launch rows of conv, deconv and conv_weight: a tiling made into launches of the kernels of cl/. CPUs get the
 * packed kernels, a work-item a pixel or a block of weights; every other device the direct ones, a work-item (a
 * work-group) a register tile. Which tiling a call gets is not decided here. */
#include "backend/opencl/product.h"

#include <stdio.h>
#include <string.h>

#define SCRATCH_ALIGN 1024 /* elements: two uses of a call's scratch memory start as far apart as any device asks */
#define WHOLE(a, b)   CLV_WHOLE(a, b)

typedef clv_product product;

/* Appends to a launch's defines; clv_launch_product reports what does not fit. */
static void define(clv_launch *launch, const char *name, int value)
{
    const size_t used = strlen(launch->defines);
    snprintf(launch->defines + used, CLV_DEFINES_SIZE - used, "%s-D%s=%d", used ? " " : "", name, value);
}

static clv_launch *add_launch(clv_launch_list *list, const char *file, const char *kernel, const product *a)
{
    clv_launch *launch = &list->launch[list->launches++];
    memset(launch, 0, sizeof *launch);
    launch->file = file;
    launch->kernel = kernel;
    const struct {
        const char *name;
        int value;
    } constant[] = {
        {"V", a->v},   {"N", a->n},   {"IC", a->ic}, {"OC", a->oc}, {"IH", a->ih}, {"IW", a->iw},
        {"OH", a->oh}, {"OW", a->ow}, {"K", a->k},   {"S", a->s},   {"P", a->p},
    };
    for (size_t i = 0; i < sizeof constant / sizeof *constant; i++) define(launch, constant[i].name, constant[i].value);
    return launch;
}

static void set_size(clv_launch *launch, int x, int y, int z, int local)
{
    launch->dims = 3;
    launch->global[0] = (size_t)x;
    launch->global[1] = (size_t)y;
    launch->global[2] = (size_t)z;
    launch->local[0] = (size_t)local;
    launch->local[1] = launch->local[2] = 1;
}

static void add_arg(clv_launch *launch, clv_arg arg) { launch->arg[launch->args++] = arg; }

/* The epilogue's defines and arguments, and the result: what every last launch of a product ends with. */
static void add_epilogue(clv_launch *launch, const clv_call *call)
{
    const clv_attr *attr = &call->attr;
    int input = 2;
    if (attr->has_bias) {
        define(launch, "BIAS", 1);
        add_arg(launch, (clv_arg)(CLV_ARG_IN0 + input++));
    }
    if (attr->has_addend) {
        define(launch, "ADDEND", 1);
        add_arg(launch, (clv_arg)(CLV_ARG_IN0 + input++));
    }
    if (attr->act != CLV_ACT_NONE) define(launch, "ACT", (int)attr->act);
    if (attr->grad_act != CLV_ACT_NONE) {
        define(launch, "GRAD_ACT", (int)attr->grad_act);
        add_arg(launch, (clv_arg)(CLV_ARG_IN0 + input));
    }
    if (attr->rate > 0) {
        const size_t used = strlen(launch->defines);
        snprintf(launch->defines + used, CLV_DEFINES_SIZE - used, " -DGRAD_KEEP=%.9ef", (double)(1.0f - attr->rate));
    }
    if (attr->act == CLV_ACT_LEAKY_RELU || attr->grad_act == CLV_ACT_LEAKY_RELU) {
        const size_t used = strlen(launch->defines);
        snprintf(launch->defines + used, CLV_DEFINES_SIZE - used, " -DSLOPE=%.9ef", (double)attr->slope);
    }
    add_arg(launch, CLV_ARG_OUT);
}

/* The packed product, part by part of the sum over channels. */
static void define_packed(clv_launch *launch, const clv_tiling *t, int channels, bool panel)
{
    const clv_block block = clv_block_of(t);
    define(launch, "NT", t->vectors);
    define(launch, "TILES", t->across);
    define(launch, "TALL", t->tall);
    define(launch, "TALLS", block.talls);
    define(launch, "LOW", t->low);
    define(launch, "LOWS", block.lows);
    define(launch, "MB", t->block);
    define(launch, "CB", t->channels);
    define(launch, "CS", WHOLE(channels, t->parts));
    define(launch, "PACK", t->pack);
    if (panel) define(launch, "PANEL", 1);
}

static void define_strides(clv_launch *launch, const product *a)
{
    define(launch, "WM", a->wm);
    define(launch, "WC", a->wc);
}

/* Large weights are put in panels first: in the order in which they are read, and not at strides of powers of two,
 * which share few sets of a cache. Returns where the product reads its weights. */
static clv_arg add_panels(const char *file, const char *kernel, const product *a, const clv_packed *p,
                          const clv_tiling *t, clv_launch_list *list)
{
    if (!t->panel) return CLV_ARG_IN1;
    clv_launch *launch = add_launch(list, file, kernel, a);
    define_packed(launch, t, p->channels, true);
    add_arg(launch, CLV_ARG_IN1);
    add_arg(launch, CLV_ARG_SCRATCH);
    set_size(launch, p->results / t->block, p->channels, 1, 1);
    list->scratch = (size_t)(p->results / t->block * clv_block_of(t).rows) * (size_t)(p->channels * a->k * a->k);
    return CLV_ARG_SCRATCH;
}

/* Work-items: lanes, blocks of result channels, pixels (and parts). */
static void set_packed_size(clv_launch *launch, const product *a, const clv_packed *p, const clv_tiling *t)
{
    set_size(launch, a->n / (a->v * t->vectors * t->across), p->results / t->block, p->pixels * t->parts, 1);
}

/* What ends a sum in parts: their sum. */
static void add_conv_sum(const clv_call *call, const product *a, const clv_tiling *t, clv_launch_list *list)
{
    const int rows = a->oc * a->oh * a->ow;
    clv_launch *launch = add_launch(list, "conv.cl", "conv_sum", a);
    define(launch, "PARTS", t->parts);
    add_arg(launch, CLV_ARG_SCRATCH);
    add_epilogue(launch, call);
    set_size(launch, a->n / a->v, rows, 1, 1);
    list->scratch = (size_t)t->parts * (size_t)rows * (size_t)a->n;
}

static void packed_conv(const clv_call *call, const product *a, const clv_tiling *t, clv_launch_list *list)
{
    const clv_packed p = clv_packed_of(call, t);
    const clv_arg weights = add_panels("conv.cl", "conv_panels", a, &p, t, list);
    clv_launch *launch = add_launch(list, "conv.cl", "conv_packed", a);
    define_strides(launch, a);
    if (t->parts > 1) define(launch, "PARTS", t->parts);
    define_packed(launch, t, p.channels, t->panel);
    add_arg(launch, CLV_ARG_IN0);
    add_arg(launch, weights);
    if (t->parts == 1)
        add_epilogue(launch, call);
    else
        add_arg(launch, CLV_ARG_SCRATCH);
    set_packed_size(launch, a, &p, t);
    if (t->parts > 1) add_conv_sum(call, a, t, list);
}

/* Few result channels leave a register tile of them little to share: every tap's product at once (a conv of kernel 1
 * with ic k k result channels), then the sum of those that meet in a result. */
static void gathered_deconv(const clv_call *call, const product *a, const clv_tiling *t, clv_launch_list *list)
{
    const product b = clv_product_of_taps(a);
    const clv_packed p = clv_packed_of(call, t);
    clv_launch *launch = add_launch(list, "conv.cl", "conv_packed", &b);
    define_strides(launch, &b);
    define_packed(launch, t, p.channels, false);
    add_arg(launch, CLV_ARG_IN0);
    add_arg(launch, CLV_ARG_IN1);
    add_arg(launch, CLV_ARG_SCRATCH);
    set_packed_size(launch, &b, &p, t);
    launch = add_launch(list, "deconv.cl", "deconv_gather", a);
    define(launch, "LANES", a->n);
    add_arg(launch, CLV_ARG_SCRATCH);
    add_epilogue(launch, call);
    set_size(launch, 1, a->ih * a->iw, a->ic, 1);
    list->scratch = (size_t)(b.oc * b.oh * b.ow) * (size_t)a->n;
}

static void packed_deconv(const clv_call *call, const product *a, const clv_tiling *t, clv_launch_list *list)
{
    const clv_packed p = clv_packed_of(call, t);
    const clv_arg weights = add_panels("deconv.cl", "deconv_panels", a, &p, t, list);
    clv_launch *launch = add_launch(list, "deconv.cl", "deconv_packed", a);
    define_packed(launch, t, p.channels, t->panel);
    add_arg(launch, CLV_ARG_IN0);
    add_arg(launch, weights);
    add_epilogue(launch, call);
    set_packed_size(launch, a, &p, t);
}

/* GPUs: a work-item a register tile; a group side by side along the lanes. */
static void direct(const clv_call *call, const product *a, const clv_tiling *t, clv_launch_list *list)
{
    const bool conv = call->op == CLV_OP_CONV;
    const int m = conv ? a->oc : a->ic, pixels = conv ? a->oh * a->ow : a->ih * a->iw;
    clv_launch *launch =
        conv ? add_launch(list, "conv.cl", "conv_direct", a) : add_launch(list, "deconv.cl", "deconv_direct", a);
    define(launch, "DIRECT", 1);
    define(launch, "OT", t->rows);
    define(launch, "NV", t->vectors);
    add_arg(launch, CLV_ARG_IN0);
    add_arg(launch, CLV_ARG_IN1);
    add_epilogue(launch, call);
    set_size(launch, a->n / (a->v * t->vectors), WHOLE(m, t->rows), pixels, t->group);
}

static void define_weight_tile(clv_launch *launch, const clv_tiling *t)
{
    define(launch, "OT", t->rows);
    define(launch, "IT", t->columns);
    define(launch, "KT", t->taps);
}

/* Weights, and behind them the sums of an operand's channels where the call wants those too. */
static int weights_of(const product *a, int sum_of)
{
    return a->oc * a->ic * a->k * a->k + (sum_of == 1 ? a->ic : sum_of == 2 ? a->oc : 0);
}

/* Sums the parts that a launch before left in scratch memory. */
static void sum_weights(const product *a, int sum_of, int parts, clv_launch_list *list)
{
    const int weights = weights_of(a, sum_of);
    clv_launch *launch = add_launch(list, "conv_weight.cl", "conv_weight_sum", a);
    define(launch, "PARTS", parts);
    add_arg(launch, CLV_ARG_SCRATCH);
    add_arg(launch, CLV_ARG_OUT);
    if (sum_of) define(launch, "SUM_OF", sum_of);
    if (sum_of) add_arg(launch, CLV_ARG_IN2);
    set_size(launch, WHOLE(weights, 16), 1, 1, 1);
    list->sum = (clv_sum){.parts = parts, .stride = (size_t)weights};
}

/* Puts the panels before `launch`, which was written first as they share its defines. */
static clv_launch *insert_panels(const product *a, const clv_tiling *t, clv_launch_list *list)
{
    clv_launch *pack = &list->launch[list->launches - 1], *launch = &list->launch[list->launches++];
    *launch = *pack;
    pack->kernel = "conv_weight_panels";
    add_arg(pack, CLV_ARG_IN1);
    add_arg(pack, CLV_ARG_SCRATCH);
    set_size(pack, WHOLE(a->oc, t->rows), a->n / t->lanes, a->oh, 1);
    return launch;
}

/* Blocks of weights for CPUs: `columns` channels of x by `tiles` register tiles of y. */
static void weight_packed(const clv_call *call, const product *a, const clv_tiling *t, clv_launch_list *list)
{
    const int sum_of = call->attr.sum_of;
    clv_launch *launch = add_launch(list, "conv_weight.cl", "conv_weight_packed", a);
    const int tiles = WHOLE(a->oc, t->rows);
    const size_t floats = t->panel ? (size_t)(a->oh * a->ow * a->n) * (size_t)(tiles * t->rows) : 0;
    const size_t panels = WHOLE(floats, SCRATCH_ALIGN) * SCRATCH_ALIGN;
    define_weight_tile(launch, t);
    define(launch, "OB", t->tiles * t->rows);
    define(launch, "NC", t->lanes);
    define(launch, "PLANE", t->plane);
    define(launch, "PACK", t->pack);
    define(launch, "PANEL", t->panel);
    define(launch, "PARTS", t->parts);
    if (sum_of) define(launch, "SUM_OF", sum_of);
    if (t->panel) launch = insert_panels(a, t, list);
    add_arg(launch, CLV_ARG_IN0);
    add_arg(launch, t->panel ? CLV_ARG_SCRATCH : CLV_ARG_IN1);
    if (sum_of) add_arg(launch, sum_of == 1 ? CLV_ARG_IN0 : CLV_ARG_IN1);
    launch->scratch_offset[launch->args] = panels;
    add_arg(launch, t->parts > 1 ? CLV_ARG_SCRATCH : CLV_ARG_OUT);
    if (sum_of && t->parts == 1) add_arg(launch, CLV_ARG_IN2);
    set_size(launch, WHOLE(a->ic, t->columns), WHOLE(tiles, t->tiles), t->parts, 1);
    list->scratch = panels;
    if (t->parts == 1) return;
    sum_weights(a, sum_of, t->parts, list);
    clv_launch *sum = &list->launch[list->launches - 1];
    sum->scratch_offset[0] = list->sum.offset = panels;
    list->scratch += (size_t)t->parts * (size_t)weights_of(a, sum_of);
}

static void weight_direct(const product *a, const clv_tiling *t, clv_launch_list *list)
{
    clv_launch *launch = add_launch(list, "conv_weight.cl", "conv_weight_direct", a);
    define_weight_tile(launch, t);
    define(launch, "DIRECT", 1);
    define(launch, "LANES", t->group);
    define(launch, "PARTS", t->parts);
    add_arg(launch, CLV_ARG_IN0);
    add_arg(launch, CLV_ARG_IN1);
    add_arg(launch, t->parts > 1 ? CLV_ARG_SCRATCH : CLV_ARG_OUT);
    set_size(launch, t->group * t->parts, WHOLE(a->oc, t->rows) * WHOLE(a->ic, t->columns), a->k * a->k / t->taps,
             t->group);
    if (t->parts == 1) return;
    sum_weights(a, 0, t->parts, list);
    list->scratch = (size_t)t->parts * (size_t)(a->oc * a->ic * a->k * a->k);
}

static void launch_row(const clv_call *call, const clv_tiling *t, clv_launch_list *list)
{
    const product a = clv_product_of(call, t);
    if (call->op == CLV_OP_CONV_WEIGHT && t->form == CLV_FORM_DIRECT)
        weight_direct(&a, t, list);
    else if (call->op == CLV_OP_CONV_WEIGHT)
        weight_packed(call, &a, t, list);
    else if (t->form == CLV_FORM_DIRECT)
        direct(call, &a, t, list);
    else if (t->form == CLV_FORM_GATHERED)
        gathered_deconv(call, &a, t, list);
    else if (call->op == CLV_OP_DECONV && !clv_product_is_linear(call))
        packed_deconv(call, &a, t, list);
    else
        packed_conv(call, &a, t, list);
}

clv_status clv_launch_product(const clv_device_info *device, const clv_call *call, const clv_tiling *tiling,
                              clv_launch_list *list, clv_error *err)
{
    clv_tiling usual;
    if (!tiling) {
        clv_tiling_default(device, call, &usual);
        tiling = &usual;
    }
    memset(list, 0, sizeof *list);
    launch_row(call, tiling, list);
    /* conv_weight_direct leaves the sums of channels to launches of their own. */
    if (call->attr.sum_of && tiling->form == CLV_FORM_DIRECT) {
        clv_launch_channel_sums(device, call, list);
        list->sum = (clv_sum){0}; /* no longer the last */
    }
    for (int i = 0; i < list->launches; i++) {
        clv_launch *launch = &list->launch[i];
        if (tiling->mad) define(launch, "MAD", 1);
        if (strlen(launch->defines) >= CLV_DEFINES_SIZE - 1)
            return clv_fail(err, CLV_ERR_INTERNAL, "%s: the defines of %s take more than %d bytes", call->name,
                            launch->kernel, CLV_DEFINES_SIZE);
    }
    return CLV_OK;
}
