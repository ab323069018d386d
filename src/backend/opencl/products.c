/* The launch rows of conv, deconv and conv_weight: which kernel of cl/ computes a product on which kind of device, and the
 * tiles that suit its shape. CPUs get the packed kernels, a work-item a pixel or a block of weights; every other device the
 * direct ones, a work-item (a work-group) a register tile. Nothing here knows a network: the choice depends on shape, vector width
 * and kind of device alone. */
#include "backend/opencl/launch.h"

#include <stdio.h>
#include <string.h>

#define ITEMS 16            /* work-items that a launch should have at least, so that a few cores end together */
#define CACHED_FLOATS 4096  /* 16 KB, half a first-level cache: what a register tile streams over again and again */
#define BLOCK_SUMS 131072   /* of a packed product's work-item, between blocks of channels: they lie on its thread's stack */
#define BLOCK_WEIGHTS 16384 /* of a conv_weight work-item, on the stack too */
#define ROW_FLOATS 8192     /* of a row of x that a conv_weight work-item copies; it does so for each tap row */
#define FEW_WEIGHTS 16384   /* below this weights are read where they lie: they stay in the caches */
#define PACKED_SHARE 16384  /* weights of a block from which copying what the taps read pays */
#define PLANE_FLOATS 98304  /* of the planes that a conv_weight tile reads in place: 384 KB, most of a second-level cache */
#define PANEL_SHARE 256     /* weights of a channel of y from which conv_weight's panels pay */
#define FEW_CHANNELS 3      /* result channels up to which deconv computes products and gathers them */
#define SCRATCH_ALIGN 1024  /* elements: two uses of a call's scratch memory start as far apart as any device asks */
#define WHOLE(a, b) (((a) + (b) - 1) / (b))

/* A product as the kernels see it: the small side [oc][oh][ow], the big side [ic][ih][iw]. */
typedef struct product {
    int ic, oc, ih, iw, oh, ow, k, s, p;
    int n, v;
    int wm, wc; /* conv.cl: strides of the weights */
} product;

/* Register tiles of the packed product: two heights, so that any channel count is nearly a sum of them. */
typedef struct tiles {
    int vectors; /* of a tile */
    int tall, talls, low, lows;
    int block;   /* result channels */
    int across;  /* tiles along the lanes of a work-item */
} tiles;

static int smaller(int a, int b) { return a < b ? a : b; }
static int larger(int a, int b) { return a > b ? a : b; }

/* The largest divisor of n that is at most `limit`. */
static int divisor(int n, int limit)
{
    int d = larger(1, smaller(n, limit));
    while (n % d != 0) d--;
    return d;
}

/* Appends to a launch's defines; clv_launch_product reports what does not fit. */
static void define(clv_launch *launch, const char *name, int value)
{
    const size_t used = strlen(launch->defines);
    snprintf(launch->defines + used, CLV_DEFINES_SIZE - used, "%s-D%s=%d", used ? " " : "", name, value);
}

static product product_of(const clv_device_info *device, const clv_call *call)
{
    const clv_shape *big = call->op == CLV_OP_DECONV ? &call->out.shape : &call->in[0].shape;
    const clv_shape *small = call->op == CLV_OP_CONV ? &call->out.shape : &call->in[call->op == CLV_OP_CONV_WEIGHT].shape;
    product a = { .ic = big->dim[0], .ih = big->dim[1], .iw = big->dim[2], .oc = small->dim[0], .oh = small->dim[1], .ow = small->dim[2] };
    a.k = larger(1, call->attr.kernel);
    a.s = larger(1, call->attr.stride);
    a.p = call->attr.pad;
    a.n = call->lanes;
    a.v = device->vector_width;
    a.wm = a.ic * a.k * a.k;
    a.wc = a.k * a.k;
    return a;
}

/* A linear layer's deconv is a conv of the transposed weights. */
static void transpose(product *a)
{
    const int ic = a->ic;
    a->ic = a->oc;
    a->oc = ic;
    a->wm = 1;
    a->wc = ic;
}

static clv_launch *add_launch(clv_launch_list *list, const char *file, const char *kernel, const product *a)
{
    clv_launch *launch = &list->launch[list->launches++];
    memset(launch, 0, sizeof *launch);
    launch->file = file;
    launch->kernel = kernel;
    const struct { const char *name; int value; } constant[] = {
        { "V", a->v }, { "N", a->n }, { "IC", a->ic }, { "OC", a->oc }, { "IH", a->ih }, { "IW", a->iw },
        { "OH", a->oh }, { "OW", a->ow }, { "K", a->k }, { "S", a->s }, { "P", a->p },
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

/* Register tiles for m result channels: as many accumulators as the registers hold beside the operands, 12 of 16 (AVX2) or 24 of
 * 32 (AVX-512); two vectors wide, so that a weight serves two, and wider where there are few channels. */
static tiles choose_tiles(const product *a, int m)
{
    const int wide = a->v >= 16, vectors = a->n / a->v;
    tiles t = { .vectors = divisor(vectors, m == 1 ? 8 : m <= 3 ? 4 : 2), .block = m };
    const int accumulators = wide ? 24 : 12;
    t.tall = smaller(m, accumulators / t.vectors);
    t.low = smaller(m, wide ? 8 : 4);
    if (t.tall == m) {
        t.talls = 1;
        return t;
    }
    /* The fewest computed rows; among equals the fewest low tiles. */
    int best = m * 2 + t.tall;
    for (int talls = WHOLE(m, t.tall); talls >= 0; talls--) {
        const int lows = WHOLE(larger(0, m - talls * t.tall), t.low), rows = talls * t.tall + lows * t.low;
        if (rows >= best) continue;
        best = rows;
        t.talls = talls;
        t.lows = lows;
    }
    return t;
}

/* Lanes and result channels of a work-item: up to eight tiles across and all channels; less where there would be too few
 * work-items. A block divides m, so that no two work-items write the same results. */
static void choose_block(const product *a, tiles *t, int m, int pixels)
{
    const int across = a->n / (a->v * t->vectors);
    t->across = divisor(across, 8);
    while (t->across > 1 && m * t->across * t->vectors * a->v > BLOCK_SUMS) t->across = divisor(across, t->across - 1);
    while (t->across > 1 && pixels * (across / t->across) < ITEMS) t->across = divisor(across, t->across - 1);
    int block = m;
    while (pixels * (across / t->across) * (m / block) < ITEMS && block >= 4 * t->tall && block % 2 == 0) block /= 2;
    if (block == m) return;
    const int width = t->across;
    *t = choose_tiles(a, block);
    t->across = width;
}

/* The packed product: c channels are summed in `parts` parts, each of `taps` taps at most. */
static void define_packed(clv_launch *launch, const product *a, const tiles *t, int c, int taps, int parts, bool panel)
{
    const int cs = WHOLE(c, parts), fit = larger(1, CACHED_FLOATS / (taps * t->vectors * a->v));
    const int blocks = WHOLE(cs, fit);
    const bool pack = cs * taps * t->block >= PACKED_SHARE;
    define(launch, "NT", t->vectors);
    define(launch, "TILES", t->across);
    define(launch, "TALL", t->tall);
    define(launch, "TALLS", t->talls);
    define(launch, "LOW", t->low);
    define(launch, "LOWS", t->lows);
    define(launch, "MB", t->block);
    define(launch, "CB", WHOLE(cs, blocks));
    define(launch, "CS", cs);
    define(launch, "PACK", pack);
    if (panel) define(launch, "PANEL", 1);
}

/* Large weights are put in panels first: in the order in which they are read, and not at strides of powers of two, which share
 * few sets of a cache. Returns where the product reads its weights. */
static clv_arg add_panels(const char *file, const char *kernel, const product *a, const tiles *t, int m, int c, int taps,
                          clv_launch_list *list)
{
    const size_t panels = (size_t)(m / t->block * (t->tall * t->talls + t->low * t->lows)) * (size_t)c * (size_t)(a->k * a->k);
    if (a->k == 1 || panels < FEW_WEIGHTS) return CLV_ARG_IN1;
    clv_launch *launch = add_launch(list, file, kernel, a);
    define_packed(launch, a, t, c, taps, 1, true);
    add_arg(launch, CLV_ARG_IN1);
    add_arg(launch, CLV_ARG_SCRATCH);
    set_size(launch, m / t->block, c, 1, 1);
    list->scratch = panels;
    return CLV_ARG_SCRATCH;
}

/* Few results of long sums: parts of the sum, then the sum of the parts. */
static void conv_in_parts(const clv_call *call, const product *a, clv_launch_list *list)
{
    const int pixels = a->oh * a->ow, parts = WHOLE(a->ic, WHOLE(a->ic, ITEMS));
    tiles t = choose_tiles(a, a->oc);
    t.across = a->n / (a->v * t.vectors);
    clv_launch *launch = add_launch(list, "conv.cl", "conv_packed", a);
    define(launch, "WM", a->wm);
    define(launch, "WC", a->wc);
    define(launch, "PARTS", parts);
    define_packed(launch, a, &t, a->ic, a->k * a->k, parts, false);
    add_arg(launch, CLV_ARG_IN0);
    add_arg(launch, CLV_ARG_IN1);
    add_arg(launch, CLV_ARG_SCRATCH);
    set_size(launch, 1, 1, pixels * parts, 1);
    launch = add_launch(list, "conv.cl", "conv_sum", a);
    define(launch, "PARTS", parts);
    add_arg(launch, CLV_ARG_SCRATCH);
    add_epilogue(launch, call);
    set_size(launch, a->n / a->v, a->oc * pixels, 1, 1);
    list->scratch = (size_t)parts * (size_t)(a->oc * pixels) * (size_t)a->n;
}

static void packed_conv(const clv_call *call, const product *a, clv_launch_list *list)
{
    const int pixels = a->oh * a->ow, taps = a->k * a->k;
    tiles t = choose_tiles(a, a->oc);
    choose_block(a, &t, a->oc, pixels);
    const clv_arg weights = add_panels("conv.cl", "conv_panels", a, &t, a->oc, a->ic, taps, list);
    clv_launch *launch = add_launch(list, "conv.cl", "conv_packed", a);
    define(launch, "WM", a->wm);
    define(launch, "WC", a->wc);
    define_packed(launch, a, &t, a->ic, taps, 1, weights == CLV_ARG_SCRATCH);
    add_arg(launch, CLV_ARG_IN0);
    add_arg(launch, weights);
    add_epilogue(launch, call);
    set_size(launch, a->n / (a->v * t.vectors * t.across), a->oc / t.block, pixels, 1);
}

/* Few result channels leave a register tile of them little to share: every tap's product at once (a conv of kernel 1 with
 * ic k k result channels), then the sum of those that meet in a result. */
static void gathered_deconv(const clv_call *call, const product *a, clv_launch_list *list)
{
    product b = *a;
    b.ic = a->oc;
    b.oc = a->ic * a->k * a->k;
    b.ih = a->oh;
    b.iw = a->ow;
    b.k = b.s = 1;
    b.p = 0;
    b.wm = 1;
    b.wc = b.oc;
    tiles t = choose_tiles(&b, b.oc);
    choose_block(&b, &t, b.oc, b.oh * b.ow);
    clv_launch *launch = add_launch(list, "conv.cl", "conv_packed", &b);
    define(launch, "WM", b.wm);
    define(launch, "WC", b.wc);
    define_packed(launch, &b, &t, b.ic, 1, 1, false);
    add_arg(launch, CLV_ARG_IN0);
    add_arg(launch, CLV_ARG_IN1);
    add_arg(launch, CLV_ARG_SCRATCH);
    set_size(launch, b.n / (b.v * t.vectors * t.across), b.oc / t.block, b.oh * b.ow, 1);
    launch = add_launch(list, "deconv.cl", "deconv_gather", a);
    define(launch, "LANES", a->n);
    add_arg(launch, CLV_ARG_SCRATCH);
    add_epilogue(launch, call);
    set_size(launch, 1, a->ih * a->iw, a->ic, 1);
    list->scratch = (size_t)(b.oc * b.oh * b.ow) * (size_t)a->n;
}

static void packed_deconv(const clv_call *call, const product *a, clv_launch_list *list)
{
    const int pixels = a->ih * a->iw, taps = WHOLE(a->k, a->s) * WHOLE(a->k, a->s);
    tiles t = choose_tiles(a, a->ic);
    choose_block(a, &t, a->ic, pixels);
    const clv_arg weights = add_panels("deconv.cl", "deconv_panels", a, &t, a->ic, a->oc, taps, list);
    clv_launch *launch = add_launch(list, "deconv.cl", "deconv_packed", a);
    define_packed(launch, a, &t, a->oc, taps, 1, weights == CLV_ARG_SCRATCH);
    add_arg(launch, CLV_ARG_IN0);
    add_arg(launch, weights);
    add_epilogue(launch, call);
    set_size(launch, a->n / (a->v * t.vectors * t.across), a->ic / t.block, pixels, 1);
}

/* GPUs: a work-item a register tile, modest so that many run at once; a group side by side along the lanes. */
static void direct(const clv_call *call, const product *a, clv_launch_list *list)
{
    const bool conv = call->op == CLV_OP_CONV;
    const int m = conv ? a->oc : a->ic, pixels = conv ? a->oh * a->ow : a->ih * a->iw;
    const int rows = smaller(m, 8), lanes = a->n / a->v;
    clv_launch *launch = conv ? add_launch(list, "conv.cl", "conv_direct", a) : add_launch(list, "deconv.cl", "deconv_direct", a);
    define(launch, "DIRECT", 1);
    define(launch, "OT", rows);
    define(launch, "NV", 1);
    add_arg(launch, CLV_ARG_IN0);
    add_arg(launch, CLV_ARG_IN1);
    add_epilogue(launch, call);
    set_size(launch, lanes, WHOLE(m, rows), pixels, divisor(lanes, 64));
}

/* The register tile of conv_weight: the taps of a row, or channels where a row has one tap (or too many). */
static void define_weight_tile(clv_launch *launch, const product *a, int accumulators, int *ot, int *it, int *kt)
{
    *kt = a->k > 1 && a->k <= 7 && a->ic < 3 ? a->k : 1;
    *it = *kt > 1 ? 1 : smaller(a->ic, a->oc < 3 ? accumulators / 2 : 4);
    *ot = larger(1, smaller(a->oc, accumulators / (*it * *kt)));
    define(launch, "OT", *ot);
    define(launch, "IT", *it);
    define(launch, "KT", *kt);
}

/* Sums the parts that a launch before left in scratch memory. */
static void sum_weights(const product *a, int parts, clv_launch_list *list)
{
    const int weights = a->oc * a->ic * a->k * a->k;
    clv_launch *launch = add_launch(list, "conv_weight.cl", "conv_weight_sum", a);
    define(launch, "PARTS", parts);
    add_arg(launch, CLV_ARG_SCRATCH);
    add_arg(launch, CLV_ARG_OUT);
    set_size(launch, WHOLE(weights, 16), 1, 1, 1);
}

/* Blocks of weights for CPUs: IT channels of x by as many of y as leave enough work-items and little memory to each. */
static void weight_packed(const product *a, clv_launch_list *list)
{
    clv_launch *launch = add_launch(list, "conv_weight.cl", "conv_weight_packed", a);
    int ot, it, kt;
    define_weight_tile(launch, a, a->v >= 16 ? 24 : 12, &ot, &it, &kt);
    const int its = WHOLE(a->ic, it), ots = WHOLE(a->oc, ot);
    int ob = smaller(ots, larger(1, BLOCK_WEIGHTS / (ot * it * a->k * a->k)));
    while (its * WHOLE(ots, ob) < ITEMS && ob > 8) ob = WHOLE(ob, 2);
    const int parts = smaller(a->oh, WHOLE(ITEMS, its * WHOLE(ots, ob)));
    const int width = (a->ow - 1) * a->s + a->k;
    const int chunk = a->v * divisor(a->n / a->v, larger(1, ROW_FLOATS / (it * width * a->v)));
    const bool panel = a->oh * a->ow > 1 && a->ic * a->k * a->k >= PANEL_SHARE;
    const size_t panels = panel ? WHOLE((size_t)(a->oh * a->ow * a->n) * (size_t)(ots * ot), SCRATCH_ALIGN) * SCRATCH_ALIGN : 0;
    const bool plane = kt == 1 && !panel && (ot * a->oh * a->ow + it * a->ih * a->iw) * a->n <= PLANE_FLOATS;
    define(launch, "OB", ob * ot);
    define(launch, "NC", chunk);
    define(launch, "PLANE", plane);
    define(launch, "PACK", !plane && (kt > 1 || (ots > 2 && it * a->iw * chunk > CACHED_FLOATS)));
    define(launch, "PANEL", panel);
    define(launch, "PARTS", parts);
    if (panel) {
        clv_launch *pack = launch;
        launch = &list->launch[list->launches++];
        *launch = *pack;
        pack->kernel = "conv_weight_panels";
        add_arg(pack, CLV_ARG_IN1);
        add_arg(pack, CLV_ARG_SCRATCH);
        set_size(pack, ots, a->n / chunk, a->oh, 1);
    }
    add_arg(launch, CLV_ARG_IN0);
    add_arg(launch, panel ? CLV_ARG_SCRATCH : CLV_ARG_IN1);
    launch->scratch_offset[launch->args] = panels;
    add_arg(launch, parts > 1 ? CLV_ARG_SCRATCH : CLV_ARG_OUT);
    set_size(launch, its, WHOLE(ots, ob), parts, 1);
    list->scratch = panels;
    if (parts == 1) return;
    sum_weights(a, parts, list);
    clv_launch *sum = &list->launch[list->launches - 1];
    sum->scratch_offset[0] = panels;
    list->scratch += (size_t)parts * (size_t)(a->oc * a->ic * a->k * a->k);
}

static void weight_direct(const clv_device_info *device, const product *a, clv_launch_list *list)
{
    clv_launch *launch = add_launch(list, "conv_weight.cl", "conv_weight_direct", a);
    int ot, it, kt;
    define_weight_tile(launch, a, 16, &ot, &it, &kt);
    const int groups = WHOLE(a->oc, ot) * WHOLE(a->ic, it) * (a->k * a->k / kt);
    const int parts = smaller(a->oh, larger(1, 256 / groups));
    int lanes = smaller(64, a->n / a->v);
    while (lanes > 1 && (uint64_t)(lanes * ot * it * kt) * sizeof(float) > device->local_bytes) lanes /= 2;
    define(launch, "DIRECT", 1);
    define(launch, "LANES", lanes);
    define(launch, "PARTS", parts);
    add_arg(launch, CLV_ARG_IN0);
    add_arg(launch, CLV_ARG_IN1);
    add_arg(launch, parts > 1 ? CLV_ARG_SCRATCH : CLV_ARG_OUT);
    set_size(launch, lanes * parts, WHOLE(a->oc, ot) * WHOLE(a->ic, it), a->k * a->k / kt, lanes);
    if (parts == 1) return;
    sum_weights(a, parts, list);
    list->scratch = (size_t)parts * (size_t)(a->oc * a->ic * a->k * a->k);
}

clv_status clv_launch_product(const clv_device_info *device, const clv_call *call, clv_launch_list *list, clv_error *err)
{
    /* Where a native vector is one float, work-items are a vector's lanes, as on a GPU, whatever the device calls itself:
     * each lane would need the packed kernels' private memory for itself. */
    const bool cpu = device->kind == CLV_DEVICE_CPU && device->vector_width > 1;
    product a = product_of(device, call);
    const bool linear = a.k == 1 && a.p == 0 && a.ih * a.iw * a.oh * a.ow == 1;
    memset(list, 0, sizeof *list);
    if (call->op == CLV_OP_CONV_WEIGHT) {
        if (cpu)
            weight_packed(&a, list);
        else
            weight_direct(device, &a, list);
    } else if (!cpu) {
        direct(call, &a, list);
    } else if (call->op == CLV_OP_DECONV && !linear && a.ic <= FEW_CHANNELS) {
        gathered_deconv(call, &a, list);
    } else if (call->op == CLV_OP_DECONV && !linear) {
        packed_deconv(call, &a, list);
    } else {
        if (call->op == CLV_OP_DECONV) transpose(&a);
        if (a.oh * a.ow * a.oc <= 64 && a.ic >= 1024)
            conv_in_parts(call, &a, list);
        else
            packed_conv(call, &a, list);
    }
    for (int i = 0; i < list->launches; i++)
        if (strlen(list->launch[i].defines) >= CLV_DEFINES_SIZE - 1)
            return clv_fail(err, CLV_ERR_INTERNAL, "%s: the defines of %s take more than %d bytes", call->name,
                            list->launch[i].kernel, CLV_DEFINES_SIZE);
    return CLV_OK;
}
