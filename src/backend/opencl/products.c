/* The launch rows of conv, deconv and conv_weight: a tiling made into launches of the kernels of cl/. CPUs get the
 * packed kernels, a work-item a pixel or a block of weights; every other device the direct ones of products_gpu.c, a
 * work-item (a work-group) a register tile. Which tiling a call gets is not decided here. */
#include "backend/opencl/products_parts.h"

#include <string.h>

#define WHOLE(a, b) CLV_WHOLE(a, b)

typedef clv_product product;

/* The packed product, part by part of the sum over channels. */
static void define_packed(clv_launch *launch, const clv_tiling *t, int channels, bool panel)
{
    const clv_block block = clv_block_of(t);
    clv_define(launch, "NT", t->vectors);
    clv_define(launch, "TILES", t->across);
    clv_define(launch, "TALL", t->tall);
    clv_define(launch, "TALLS", block.talls);
    clv_define(launch, "LOW", t->low);
    clv_define(launch, "LOWS", block.lows);
    clv_define(launch, "MB", t->block);
    clv_define(launch, "CB", t->channels);
    clv_define(launch, "CS", WHOLE(channels, t->parts));
    clv_define(launch, "PACK", t->pack);
    if (panel) clv_define(launch, "PANEL", 1);
}

/* Large weights are put in panels first: in the order in which they are read, and not at strides of powers of two,
 * which share few sets of a cache. Returns where the product reads its weights. */
static clv_arg add_panels(const char *file, const char *kernel, const product *a, const clv_packed *p,
                          const clv_tiling *t, clv_launch_list *list)
{
    if (!t->panel) return CLV_ARG_IN1;
    clv_launch *launch = clv_add_launch(list, file, kernel, a);
    define_packed(launch, t, p->channels, true);
    clv_add_arg(launch, CLV_ARG_IN1);
    clv_add_arg(launch, CLV_ARG_SCRATCH);
    clv_set_size(launch, p->results / t->block, p->channels, 1, 1);
    list->scratch = (size_t)(p->results / t->block * clv_block_of(t).rows) * (size_t)(p->channels * a->k * a->k);
    return CLV_ARG_SCRATCH;
}

/* Work-items: lanes, blocks of result channels, pixels (and parts). */
static void set_packed_size(clv_launch *launch, const product *a, const clv_packed *p, const clv_tiling *t)
{
    launch->lanes = a->v * t->vectors * t->across;
    launch->by_image = true;
    clv_set_size(launch, a->n / launch->lanes, p->results / t->block, p->pixels * t->parts, 1);
}

/* What ends a sum in parts: their sum. */
static void add_conv_sum(const clv_call *call, const product *a, const clv_tiling *t, clv_launch_list *list)
{
    const int rows = a->oc * a->oh * a->ow;
    clv_launch *launch = clv_add_launch(list, "conv.cl", "conv_sum", a);
    clv_define(launch, "PARTS", t->parts);
    clv_add_arg(launch, CLV_ARG_SCRATCH);
    clv_add_epilogue(launch, call);
    launch->lanes = a->v;
    launch->by_image = true;
    clv_set_size(launch, a->n / launch->lanes, rows, 1, 1);
    list->scratch = (size_t)t->parts * (size_t)rows * (size_t)a->n;
}

static void packed_conv(const clv_call *call, const product *a, const clv_tiling *t, clv_launch_list *list)
{
    const clv_packed p = clv_packed_of(call, t);
    const clv_arg weights = add_panels("conv.cl", "conv_panels", a, &p, t, list);
    clv_launch *launch = clv_add_launch(list, "conv.cl", "conv_packed", a);
    clv_define_strides(launch, a);
    if (t->parts > 1) clv_define(launch, "PARTS", t->parts);
    define_packed(launch, t, p.channels, t->panel);
    clv_add_arg(launch, CLV_ARG_IN0);
    clv_add_arg(launch, weights);
    if (t->parts == 1)
        clv_add_epilogue(launch, call);
    else
        clv_add_arg(launch, CLV_ARG_SCRATCH);
    set_packed_size(launch, a, &p, t);
    if (t->parts > 1) add_conv_sum(call, a, t, list);
}

/* Few result channels leave a register tile of them little to share: every tap's product at once (a conv of kernel 1
 * with ic k k result channels), then the sum of those that meet in a result. */
static void gathered_deconv(const clv_call *call, const product *a, const clv_tiling *t, clv_launch_list *list)
{
    const product b = clv_product_of_taps(a);
    const clv_packed p = clv_packed_of(call, t);
    clv_launch *launch = clv_add_launch(list, "conv.cl", "conv_packed", &b);
    clv_define_strides(launch, &b);
    define_packed(launch, t, p.channels, false);
    clv_add_arg(launch, CLV_ARG_IN0);
    clv_add_arg(launch, CLV_ARG_IN1);
    clv_add_arg(launch, CLV_ARG_SCRATCH);
    set_packed_size(launch, &b, &p, t);
    list->scratch = (size_t)(b.oc * b.oh * b.ow) * (size_t)a->n;
    clv_add_gather(call, a, t, a->n, list);
}

/* Blocks of a column (a row) of results. */
static int block_rows(int size, const product *a) { return (size - 1 + a->p) / a->s + 1 - a->p / a->s; }

/* A register tile of the results of a block, for few channels: what they read is read once, nothing rests in memory. */
static void blocks_deconv(const clv_call *call, const product *a, const clv_tiling *t, clv_launch_list *list)
{
    const bool head = call->attr.head;
    clv_launch *launch = clv_add_launch(list, "deconv.cl", head ? "deconv_blocks_head" : "deconv_blocks", a);
    clv_add_arg(launch, CLV_ARG_IN0);
    clv_add_arg(launch, CLV_ARG_IN1);
    if (head) {
        clv_add_head_bias(launch, call);
        return;
    }
    clv_define(launch, "NT", t->vectors);
    clv_define(launch, "TILES", t->across);
    clv_add_epilogue(launch, call);
    launch->lanes = a->v * t->vectors * t->across;
    launch->by_image = true;
    clv_set_size(launch, a->n / launch->lanes, block_rows(a->iw, a), block_rows(a->ih, a), 1);
}

static void packed_deconv(const clv_call *call, const product *a, const clv_tiling *t, clv_launch_list *list)
{
    const clv_packed p = clv_packed_of(call, t);
    const clv_arg weights = add_panels("deconv.cl", "deconv_panels", a, &p, t, list);
    clv_launch *launch = clv_add_launch(list, "deconv.cl", "deconv_packed", a);
    define_packed(launch, t, p.channels, t->panel);
    clv_add_arg(launch, CLV_ARG_IN0);
    clv_add_arg(launch, weights);
    clv_add_epilogue(launch, call);
    set_packed_size(launch, a, &p, t);
}

/* Puts the panels before `launch`, which was written first as they share its defines. */
static clv_launch *insert_panels(const product *a, const clv_tiling *t, clv_launch_list *list)
{
    clv_launch *pack = &list->launch[list->launches - 1], *launch = &list->launch[list->launches++];
    *launch = *pack;
    pack->kernel = "conv_weight_panels";
    clv_add_arg(pack, CLV_ARG_IN1);
    clv_add_arg(pack, CLV_ARG_SCRATCH);
    clv_set_size(pack, WHOLE(a->oc, t->rows), a->n / t->lanes, a->oh, 1);
    return launch;
}

/* What ends a launch of weights on a CPU: its operands, its size, and the sum of its parts, which lie in scratch memory
 * from `behind` on. */
static void end_weights(const clv_call *call, const product *a, const clv_tiling *t, size_t behind, clv_launch *launch,
                        clv_launch_list *list)
{
    const int sum_of = call->attr.sum_of;
    clv_add_arg(launch, CLV_ARG_IN0);
    clv_add_arg(launch, t->panel ? CLV_ARG_SCRATCH : CLV_ARG_IN1);
    if (sum_of) clv_add_arg(launch, sum_of == 1 ? CLV_ARG_IN0 : CLV_ARG_IN1);
    launch->scratch_offset[launch->args] = behind;
    clv_add_arg(launch, t->parts > 1 ? CLV_ARG_SCRATCH : CLV_ARG_OUT);
    if (sum_of && t->parts == 1) clv_add_arg(launch, CLV_ARG_IN2);
    launch->by_image = true;
    list->scratch = behind;
    if (t->parts == 1) return;
    clv_add_weight_sum(a, sum_of, t->parts, list);
    clv_launch *sum = &list->launch[list->launches - 1];
    sum->scratch_offset[0] = list->sum.offset = behind;
    list->scratch += (size_t)t->parts * (size_t)clv_weights_of(a, sum_of);
}

/* Blocks of weights for CPUs: `columns` channels of x by `tiles` register tiles of y. */
static void weight_packed(const clv_call *call, const product *a, const clv_tiling *t, clv_launch_list *list)
{
    const int sum_of = call->attr.sum_of;
    clv_launch *launch = clv_add_launch(list, "conv_weight.cl", "conv_weight_packed", a);
    const int tiles = WHOLE(a->oc, t->rows);
    const size_t floats = t->panel ? (size_t)(a->oh * a->ow * a->n) * (size_t)(tiles * t->rows) : 0;
    const size_t panels = WHOLE(floats, CLV_SCRATCH_ALIGN) * CLV_SCRATCH_ALIGN;
    clv_define_weight_tile(launch, t);
    clv_define(launch, "OB", t->tiles * t->rows);
    clv_define(launch, "NC", t->lanes);
    clv_define(launch, "PLANE", t->plane);
    clv_define(launch, "PACK", t->pack);
    clv_define(launch, "PANEL", t->panel);
    clv_define(launch, "PARTS", t->parts);
    if (sum_of) clv_define(launch, "SUM_OF", sum_of);
    if (t->panel) launch = insert_panels(a, t, list);
    clv_set_size(launch, WHOLE(a->ic, t->columns), WHOLE(tiles, t->tiles), t->parts, 1);
    end_weights(call, a, t, panels, launch, list);
}

/* The same as sums of outer products: `channels` of x by a `block` of y. */
static void weight_outer(const clv_call *call, const product *a, const clv_tiling *t, clv_launch_list *list)
{
    clv_launch *launch = clv_add_launch(list, "outer_weight.cl", "conv_weight_outer", a);
    clv_define(launch, "NT", t->vectors);
    clv_define(launch, "IT", t->columns);
    clv_define(launch, "OB", t->block);
    clv_define(launch, "IB", t->channels);
    clv_define(launch, "NC", t->lanes);
    clv_define(launch, "PARTS", t->parts);
    if (call->attr.sum_of) clv_define(launch, "SUM_OF", call->attr.sum_of);
    clv_set_size(launch, WHOLE(a->ic, t->channels), WHOLE(a->oc, t->block), t->parts, 1);
    end_weights(call, a, t, 0, launch, list);
}

/* The same of a linear layer as a product over the batch. */
static void weight_transposed(const clv_call *call, const product *a, const clv_tiling *t, clv_launch_list *list)
{
    const int sum_of = call->attr.sum_of;
    const clv_packed p = clv_packed_of(call, t);
    clv_launch *launch = clv_add_launch(list, "linear_weight.cl", "linear_weight_packed", a);
    define_packed(launch, t, p.channels, false);
    if (sum_of) clv_define(launch, "SUM_OF", sum_of);
    clv_add_arg(launch, CLV_ARG_IN0);
    clv_add_arg(launch, CLV_ARG_IN1);
    if (sum_of) clv_add_arg(launch, sum_of == 1 ? CLV_ARG_IN0 : CLV_ARG_IN1);
    clv_add_arg(launch, CLV_ARG_OUT);
    if (sum_of) clv_add_arg(launch, CLV_ARG_IN2);
    set_packed_size(launch, a, &p, t);
    launch->lanes = 0; /* they are channels of x */
}

static void launch_row(const clv_call *call, const clv_tiling *t, clv_launch_list *list)
{
    const product a = clv_product_of(call, t);
    if (clv_form_is_direct(t->form))
        clv_launch_direct(call, &a, t, list);
    else if (t->form == CLV_FORM_TRANSPOSED)
        weight_transposed(call, &a, t, list);
    else if (t->form == CLV_FORM_OUTER)
        weight_outer(call, &a, t, list);
    else if (call->op == CLV_OP_CONV_WEIGHT)
        weight_packed(call, &a, t, list);
    else if (t->form == CLV_FORM_BLOCKS)
        blocks_deconv(call, &a, t, list);
    else if (t->form == CLV_FORM_GATHERED)
        gathered_deconv(call, &a, t, list);
    else if (call->op == CLV_OP_DECONV && !clv_product_is_linear(call))
        packed_deconv(call, &a, t, list);
    else
        packed_conv(call, &a, t, list);
}

/* By the launch that knows what the head is of, or by one of its own. */
static void launch_head(const clv_device_info *device, const clv_call *call, const clv_tiling *t, clv_launch_list *list)
{
    const product a = clv_product_of(call, t);
    const clv_image_parts rows = {block_rows(a.ih, &a), t->vectors};
    if (t->form == CLV_FORM_BLOCKS || clv_form_is_gathered(t->form))
        clv_launch_head(device, call, t->vector, t->form == CLV_FORM_BLOCKS ? &rows : NULL, list);
    else
        clv_launch_head_behind(device, call, list);
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
    if (call->attr.sum_of && clv_form_is_direct(tiling->form)) {
        clv_launch_channel_sums(device, call, list);
        list->sum = (clv_sum){0}; /* no longer the last */
    }
    if (call->attr.head) launch_head(device, call, tiling, list);
    for (int i = 0; i < list->launches; i++) {
        clv_launch *launch = &list->launch[i];
        if (tiling->mad) clv_define(launch, "MAD", 1);
        if (strlen(launch->defines) >= CLV_DEFINES_SIZE - 1)
            return clv_fail(err, CLV_ERR_INTERNAL, "%s: the defines of %s take more than %d bytes", call->name,
                            launch->kernel, CLV_DEFINES_SIZE);
    }
    return CLV_OK;
}
