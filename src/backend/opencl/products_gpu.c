/* The launch rows of conv, deconv and conv_weight for GPUs, and for every other device that is no CPU with vectors: a
 * work-item (conv_weight: a work-group) a register tile, groups side by side along the lanes. Tiles are so large that
 * at least 70 % of the inner loop are fused multiply-adds, and so small that no register spills: tests/portability
 * checks both for each class. */
#include "backend/opencl/products.h"

#define GROUP         64  /* work-items of a group, at most */
#define VECTOR        4   /* floats of a work-item: one load of 16 bytes meets every weight of a tile */
#define LANES         32  /* work-items along the lanes, at least: fewer floats each where there are few images */
#define GROUPS_A_UNIT 4   /* groups that a compute unit should get: it has four schedulers */
#define LONG_SUM      64  /* terms of a sum from which panels of the weights pay */
#define PART_CHANNELS 64  /* of a part of a sum, at least */
#define WEIGHT_GROUPS 256 /* conv_weight: groups below which rows of y are split into parts */
#define SUMS_AT_ONCE                                                                                                   \
    32 /* conv_weight: sums that lie in local memory at a time: 8 KB, so that eight groups fit a unit */

/* Register tiles by class of device. Those that run work-items in lockstep by warps or wavefronts, and say so, have 128
 * registers and more for each; others may share 4 KB among the eight or more of a hardware thread. */
typedef struct gpu_tiles {
    int simd_width;                  /* at least */
    int conv_rows, deconv_rows;      /* result channels of a work-item */
    int least_rows;                  /* the same where there is little work */
    int weight_rows, weight_columns; /* conv_weight: channels of y; channels of x, or taps of a row */
} gpu_tiles;

static const gpu_tiles *tiles_of(const clv_device_info *device)
{
    static const gpu_tiles tiles[] = {
        {.simd_width = 32, .conv_rows = 16, .deconv_rows = 16, .least_rows = 8, .weight_rows = 8, .weight_columns = 8},
        {.simd_width = 0, .conv_rows = 12, .deconv_rows = 8, .least_rows = 12, .weight_rows = 8, .weight_columns = 5},
    };
    return &tiles[device->simd_width < tiles[0].simd_width];
}

static product with_vector(const product *a)
{
    product b = *a;
    b.v = VECTOR;
    while (b.v > 1 && a->n % (b.v * LANES) != 0) b.v /= 2;
    return b;
}

/* Result channels of a work-item: the fewest computed rows in blocks of at most `limit`; four read as one where there
 * are more. */
static int rows_of(int m, int limit)
{
    const int rows = WHOLE(m, WHOLE(m, limit));
    return m <= 4 ? m : smaller(limit, WHOLE(rows, 4) * 4);
}

static int choose_rows(const clv_device_info *device, const product *a, int m, int pixels, int most)
{
    const int lanes = a->n / a->v, groups = lanes / divisor(lanes, GROUP) * pixels;
    const int rows = rows_of(m, most), least = smaller(most, tiles_of(device)->least_rows);
    return groups * WHOLE(m, rows) < GROUPS_A_UNIT * device->compute_units ? rows_of(m, least) : rows;
}

static void define_direct(clv_launch *launch, int rows, bool panel)
{
    define(launch, "DIRECT", 1);
    define(launch, "OT", rows);
    if (panel) define(launch, "PANEL", 1);
}

/* Where a sum is long, weights are first put in the order in which they are read: a tile's side by side. Returns where
 * the product reads its weights. */
static clv_arg add_panels(const char *file, const char *kernel, const product *a, int m, int c, int rows,
                          bool side_by_side, clv_launch_list *list)
{
    if (side_by_side || c * a->k * a->k < LONG_SUM) return CLV_ARG_IN1;
    const int panels = WHOLE(m, rows) * rows * c * a->k * a->k;
    clv_launch *launch = add_launch(list, file, kernel, a);
    if (!strcmp(file, "conv.cl")) {
        define(launch, "WM", a->wm);
        define(launch, "WC", a->wc);
    }
    define_direct(launch, rows, true);
    add_arg(launch, CLV_ARG_IN1);
    add_arg(launch, CLV_ARG_SCRATCH);
    set_size(launch, WHOLE(panels, GROUP) * GROUP, 1, 1, GROUP);
    list->scratch = (size_t)panels;
    return CLV_ARG_SCRATCH;
}

static void size_direct(clv_launch *launch, const product *a, int blocks, int pixels)
{
    const int lanes = a->n / a->v;
    set_size(launch, lanes, blocks, pixels, divisor(lanes, GROUP));
}

/* Few results of long sums leave a device idle: parts of the sum, then the sum of the parts. */
static int choose_parts(const clv_device_info *device, const product *a, int blocks, int pixels)
{
    const int lanes = a->n / a->v, groups = lanes / divisor(lanes, GROUP) * blocks * pixels;
    const int parts = smaller(WHOLE(device->compute_units, groups), a->ic / PART_CHANNELS);
    return parts > 1 ? WHOLE(a->ic, WHOLE(a->ic, parts)) : 1;
}

static void add_conv_sum(const clv_call *call, const product *a, int parts, size_t from, clv_launch_list *list)
{
    const int rows = a->oc * a->oh * a->ow;
    clv_launch *launch = add_launch(list, "conv.cl", "conv_sum", a);
    define(launch, "DIRECT", 1);
    define(launch, "PARTS", parts);
    launch->scratch_offset[0] = from;
    add_arg(launch, CLV_ARG_SCRATCH);
    add_epilogue(launch, call);
    set_size(launch, a->n / a->v, rows, 1, divisor(a->n / a->v, GROUP));
    list->scratch = from + (size_t)parts * (size_t)rows * (size_t)a->n;
}

static void direct_conv(const clv_device_info *device, const clv_call *call, const product *a, clv_launch_list *list)
{
    const int pixels = a->oh * a->ow, rows = choose_rows(device, a, a->oc, pixels, tiles_of(device)->conv_rows);
    const int blocks = WHOLE(a->oc, rows);
    const int parts = choose_parts(device, a, blocks, pixels);
    const clv_arg weights = add_panels("conv.cl", "conv_direct_panels", a, a->oc, a->ic, rows, a->wm == 1, list);
    const size_t panels = WHOLE(list->scratch, SCRATCH_ALIGN) * SCRATCH_ALIGN;
    clv_launch *launch = add_launch(list, "conv.cl", "conv_direct", a);
    define(launch, "WM", a->wm);
    define(launch, "WC", a->wc);
    define_direct(launch, rows, weights == CLV_ARG_SCRATCH);
    if (parts > 1) define(launch, "PARTS", parts);
    if (parts > 1) define(launch, "CS", WHOLE(a->ic, parts));
    add_arg(launch, CLV_ARG_IN0);
    add_arg(launch, weights);
    size_direct(launch, a, blocks, pixels * parts);
    if (parts == 1) {
        add_epilogue(launch, call);
        return;
    }
    launch->scratch_offset[launch->args] = panels;
    add_arg(launch, CLV_ARG_SCRATCH);
    add_conv_sum(call, a, parts, panels, list);
}

static void direct_deconv(const clv_device_info *device, const clv_call *call, const product *a, clv_launch_list *list)
{
    const int pixels = a->ih * a->iw, rows = choose_rows(device, a, a->ic, pixels, tiles_of(device)->deconv_rows);
    const clv_arg weights = add_panels("deconv.cl", "deconv_direct_panels", a, a->ic, a->oc, rows, false, list);
    clv_launch *launch = add_launch(list, "deconv.cl", "deconv_direct", a);
    define_direct(launch, rows, weights == CLV_ARG_SCRATCH);
    add_arg(launch, CLV_ARG_IN0);
    add_arg(launch, weights);
    add_epilogue(launch, call);
    size_direct(launch, a, WHOLE(a->ic, rows), pixels);
}

/* As on a CPU: few result channels leave a tile little to share, so every tap's product, then the sums of those that
 * meet. */
static void gathered_deconv(const clv_device_info *device, const clv_call *call, const product *a,
                            clv_launch_list *list)
{
    const product b = products_of_taps(a);
    const int rows = choose_rows(device, &b, b.oc, b.oh * b.ow, tiles_of(device)->conv_rows);
    const int lanes = a->n / a->v;
    clv_launch *launch = add_launch(list, "conv.cl", "conv_direct", &b);
    define(launch, "WM", b.wm);
    define(launch, "WC", b.wc);
    define_direct(launch, rows, false);
    add_arg(launch, CLV_ARG_IN0);
    add_arg(launch, CLV_ARG_IN1);
    add_arg(launch, CLV_ARG_SCRATCH);
    size_direct(launch, &b, WHOLE(b.oc, rows), b.oh * b.ow);
    launch = add_launch(list, "deconv.cl", "deconv_gather", a);
    define(launch, "DIRECT", 1);
    add_arg(launch, CLV_ARG_SCRATCH);
    add_epilogue(launch, call);
    set_size(launch, lanes, a->ih * a->iw, a->ic, divisor(lanes, GROUP));
    list->scratch = (size_t)(b.oc * b.oh * b.ow) * (size_t)a->n;
}

/* Rows and columns of a conv_weight tile. Where x has few channels, columns are the taps of a row, and rows fewer: the
 * border's pixels are a loop of their own. Kernels count what lies between a tile's channels in bytes of 32 bits. */
static void choose_weight_tile(const clv_device_info *device, const product *a, int *ot, int *it, int *kt)
{
    const gpu_tiles *tiles = tiles_of(device);
    *kt = a->k > 1 && a->k <= tiles->weight_columns && a->ic < 3 ? a->k : 1;
    *it = *kt > 1 ? 1 : smaller(a->ic, tiles->weight_columns);
    *ot = smaller(a->oc, *kt > 1 ? tiles->weight_rows / 2 : tiles->weight_rows);
    const uint64_t most = UINT32_MAX / sizeof(float);
    while (*ot > 1 && (uint64_t)*ot * (uint64_t)(a->oh * a->ow) * (uint64_t)a->n > most) *ot /= 2;
    while (*it > 1 && (uint64_t)*it * (uint64_t)(a->ih * a->iw) * (uint64_t)a->n > most) *it /= 2;
}

static void direct_weight(const clv_device_info *device, const product *a, clv_launch_list *list)
{
    int ot, it, kt;
    choose_weight_tile(device, a, &ot, &it, &kt);
    const int tiles = WHOLE(a->oc, ot) * WHOLE(a->ic, it), taps = a->k * a->k / kt;
    const int parts = smaller(a->oh, larger(1, WEIGHT_GROUPS / (tiles * taps))), lanes = divisor(a->n / a->v, GROUP);
    const int rows = smaller(GROUP / lanes, WHOLE(a->oh, parts));
    int at_once = smaller(SUMS_AT_ONCE, ot * it * kt);
    while (at_once > 1 && (uint64_t)(at_once * (lanes * rows + 1)) * sizeof(float) > device->local_bytes) at_once /= 2;
    clv_launch *launch = add_launch(list, "conv_weight.cl", "conv_weight_direct", a);
    define(launch, "OT", ot);
    define(launch, "IT", it);
    define(launch, "KT", kt);
    define(launch, "DIRECT", 1);
    define(launch, "LANES", lanes);
    define(launch, "ROWS", rows);
    define(launch, "AT_ONCE", at_once);
    define(launch, "PARTS", parts);
    add_arg(launch, CLV_ARG_IN0);
    add_arg(launch, CLV_ARG_IN1);
    add_arg(launch, parts > 1 ? CLV_ARG_SCRATCH : CLV_ARG_OUT);
    set_size(launch, lanes * rows * parts, tiles, taps, lanes * rows);
    if (parts == 1) return;
    sum_weights(a, parts, list);
    list->scratch = (size_t)parts * (size_t)(a->oc * a->ic * a->k * a->k);
}

void clv_launch_direct(const clv_device_info *device, const clv_call *call, const product *wide, clv_launch_list *list)
{
    product a = with_vector(wide);
    const bool linear = a.k == 1 && a.p == 0 && a.ih * a.iw * a.oh * a.ow == 1;
    if (call->op == CLV_OP_CONV_WEIGHT) {
        direct_weight(device, &a, list);
    } else if (call->op == CLV_OP_DECONV && !linear) {
        (a.ic <= FEW_CHANNELS ? gathered_deconv : direct_deconv)(device, call, &a, list);
    } else {
        if (call->op == CLV_OP_DECONV) transpose(&a);
        direct_conv(device, call, &a, list);
    }
}
