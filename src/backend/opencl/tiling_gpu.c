/* The tilings that products get by default where they are direct: on GPUs, and on every other device that is no CPU
 * with vectors. Tiles are so large that at least 70 % of the inner loop are fused multiply-adds, and so small that no
 * register spills: tests/portability checks both for each class. */
#include "backend/opencl/product.h"

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

static int choose_vector(int lanes)
{
    int v = VECTOR;
    while (v > 1 && lanes % (v * LANES) != 0) v /= 2;
    return v;
}

/* Result channels of a work-item: the fewest computed rows in blocks of at most `limit`; four read as one where there
 * are more. */
static int rows_of(int m, int limit)
{
    const int rows = CLV_WHOLE(m, CLV_WHOLE(m, limit));
    return m <= 4 ? m : clv_least(limit, CLV_WHOLE(rows, 4) * 4);
}

static int choose_rows(const clv_device_info *device, int m, int groups, int most)
{
    const int rows = rows_of(m, most), least = clv_least(most, tiles_of(device)->least_rows);
    return groups * CLV_WHOLE(m, rows) < GROUPS_A_UNIT * device->compute_units ? rows_of(m, least) : rows;
}

/* Few results of long sums leave a device idle: parts of the sum, then the sum of the parts. */
static int choose_parts(const clv_device_info *device, int channels, int groups)
{
    const int parts = clv_least(CLV_WHOLE(device->compute_units, groups), channels / PART_CHANNELS);
    return parts > 1 ? CLV_WHOLE(channels, CLV_WHOLE(channels, parts)) : 1;
}

static void choose_product(const clv_device_info *device, const clv_call *call, const clv_product *a, clv_tiling *t)
{
    const clv_packed p = clv_packed_of(call, t);
    const gpu_tiles *tiles = tiles_of(device);
    const bool gathered = t->form == CLV_FORM_DIRECT_GATHERED;
    const bool deconv = call->op == CLV_OP_DECONV && !clv_product_is_linear(call);
    t->group = clv_divisor(a->n / a->v, GROUP);
    const int groups = a->n / a->v / t->group * p.pixels; /* of a block of result channels */
    t->rows = choose_rows(device, p.results, groups, deconv && !gathered ? tiles->deconv_rows : tiles->conv_rows);
    t->parts = deconv ? 1 : choose_parts(device, p.channels, groups * CLV_WHOLE(p.results, t->rows));
    t->panel = !gathered && (deconv || a->wm > 1) && p.channels * a->k * a->k >= LONG_SUM;
}

/* The register tile of conv_weight. Where x has few channels, columns are the taps of a row, and rows fewer: the
 * border's pixels are a loop of their own. Kernels count what lies between a tile's channels in bytes of 32 bits. */
static void choose_weight_tile(const clv_device_info *device, const clv_product *a, clv_tiling *t)
{
    const gpu_tiles *tiles = tiles_of(device);
    t->taps = a->k > 1 && a->k <= tiles->weight_columns && a->ic < 3 ? a->k : 1;
    t->columns = t->taps > 1 ? 1 : clv_least(a->ic, tiles->weight_columns);
    t->rows = clv_least(a->oc, t->taps > 1 ? tiles->weight_rows / 2 : tiles->weight_rows);
    while (t->rows > 1 && !clv_product_counts_bytes(t->rows, a->oh * a->ow, a->n)) t->rows /= 2;
    while (t->columns > 1 && !clv_product_counts_bytes(t->columns, a->ih * a->iw, a->n)) t->columns /= 2;
}

static void choose_weight(const clv_device_info *device, const clv_product *a, clv_tiling *t)
{
    choose_weight_tile(device, a, t);
    const int groups = CLV_WHOLE(a->oc, t->rows) * CLV_WHOLE(a->ic, t->columns) * (a->k * a->k / t->taps);
    const int across = clv_divisor(a->n / a->v, GROUP);
    t->parts = clv_least(a->oh, clv_most(1, WEIGHT_GROUPS / groups));
    t->lanes = across * a->v;
    t->group = across * clv_least(GROUP / across, CLV_WHOLE(a->oh, t->parts));
    t->sums = clv_least(SUMS_AT_ONCE, t->rows * t->columns * t->taps);
    while (t->sums > 1 && clv_weight_local_bytes(t) > device->local_bytes) t->sums /= 2;
}

void clv_tiling_direct(const clv_device_info *device, const clv_call *call, clv_tiling *t)
{
    t->vector = choose_vector(call->lanes);
    const clv_product a = clv_product_of(call, t);
    if (call->op == CLV_OP_CONV_WEIGHT)
        choose_weight(device, &a, t);
    else
        choose_product(device, call, &a, t);
}
