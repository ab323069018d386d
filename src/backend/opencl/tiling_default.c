/* The tilings that products get by default: a table of classes of devices, and from its row and the call's shape alone
 * the choice. Nothing here knows a network. */
#include "backend/opencl/product.h"

#define ITEMS         16   /* work-items that a launch should have at least, so that a few cores end together */
#define ITEMS_A_UNIT  4    /* of a launch that sums without parts, for each of the device's units */
#define CACHED_FLOATS 4096 /* 16 KB, half a first-level cache: what a register tile streams over again and again */
#define BLOCK_SUMS                                                                                                     \
    131072 /* of a packed product's work-item, between blocks of channels: they lie on its thread's stack */
#define BLOCK_WEIGHTS  16384  /* of a conv_weight work-item, on the stack too */
#define ROW_FLOATS     8192   /* of a row of x that a conv_weight work-item copies; it does so for each tap row */
#define ROWS_FLOATS    131072 /* of all its tap rows, where no number of vectors near that divides the lanes */
#define MOST_ACROSS    8      /* register tiles side by side of a packed work-item, and twice as many at most */
#define FEW_WEIGHTS    16384  /* below this weights are read where they lie: they stay in the caches */
#define PACKED_SHARE   16384  /* weights of a block from which copying what the taps read pays */
#define PANEL_SHARE    256    /* weights of a channel of y from which conv_weight's panels pay */
#define TURNED_RESULTS 8      /* channels of y from which a linear layer's weight gradient turns x */
#define TURNED_LANES   2048   /* beyond, sums are long enough to add their lanes at the end */
#define OUTER_CHANNELS 4      /* of x, from which conv_weight's outer products pay; */
#define OUTER_BLOCK    32     /* of y of a work-item, */
#define OUTER_KERNEL   7      /* and up to which kernel: of larger ones a tile would be far over BLOCK_WEIGHTS */
#define OUTER_FLOATS   4096   /* of y, turned at a time: they stay in a first-level cache */
#define FEW_CHANNELS   3      /* result channels up to which deconv has blocks of results, or gathers products */
#define BLOCK_RESULTS  12     /* of such a block, all channels: as many as leave registers for two vectors of each */

/* What differs between devices with packed kernels. The first row that fits is the device's; one that none fits has
 * direct kernels, as every GPU: its tiles are tiling_gpu.c's. A CPU whose native vector is one float is such a device,
 * as each of its lanes would need the packed kernels' private memory for itself. */
typedef struct device_class {
    clv_device_kind kind;
    int least_vector;        /* native floats a vector, at least */
    bool measured;           /* on such a device; the others' come from what their registers hold */
    int accumulators;        /* vectors of sums that the registers hold beside the operands */
    int low;                 /* result channels of the low register tiles */
    int weight_accumulators; /* accumulators of conv_weight, */
    int outer_accumulators;  /* and of its outer products */
    int planes; /* floats that a conv_weight tile reads in place: somewhat over half a second-level cache */
} device_class;

static const device_class class_table[] = {
    {.kind = CLV_DEVICE_CPU,
     .least_vector = 16,
     .measured = true,
     .accumulators = 24,
     .low = 8,
     .weight_accumulators = 24,
     .outer_accumulators = 16,
     .planes = 147456},
    {.kind = CLV_DEVICE_CPU,
     .least_vector = 2,
     .measured = true,
     .accumulators = 12,
     .low = 4,
     .weight_accumulators = 12,
     .outer_accumulators = 12,
     .planes = 98304},
};

static const device_class *class_of(const clv_device_info *device)
{
    for (size_t i = 0; i < sizeof class_table / sizeof *class_table; i++)
        if (class_table[i].kind == device->kind && device->vector_width >= class_table[i].least_vector)
            return &class_table[i];
    return NULL;
}

bool clv_tiling_is_measured(const clv_device_info *device)
{
    const device_class *class = class_of(device);
    return class && class->measured;
}

/* The largest divisor of n up to `limit`, or where it is less than half of that the next one, up to `most`: a prime
 * number of vectors has none but 1 below itself. */
static int near_divisor(int n, int limit, int most)
{
    const int below = clv_divisor(n, limit);
    if (2 * below >= clv_least(n, limit)) return below;
    for (int above = limit + 1; above <= clv_least(n, most); above++)
        if (n % above == 0) return above;
    return below;
}

/* ---- packed ---- */

/* Register tiles for m result channels: two vectors wide, so that a weight serves two, and wider where there are few
 * channels. As tall as the registers allow, but for those that compute the fewest channels twice: of 16, two of 8 and
 * not one of 12 and one of 8. */
static void choose_tiles(const device_class *class, int vectors, int m, clv_tiling *t)
{
    t->vectors = clv_divisor(vectors, m == 1 ? 8 : m <= 3 ? 4 : 2);
    t->tall = clv_least(m, class->accumulators / t->vectors);
    t->low = clv_least(m, class->low);
    t->block = m;
    clv_tiling lower = *t;
    for (lower.tall = t->tall - 1; lower.tall >= class->low / 2 && lower.tall > 0; lower.tall--)
        if (clv_block_of(&lower).rows < clv_block_of(t).rows) t->tall = lower.tall;
}

/* Lanes and result channels of a work-item: up to eight tiles across and all channels; less where there would be too
 * few work-items. A block divides m, so that no two work-items write the same results. */
static void choose_block(const device_class *class, int vectors, const clv_packed *p, bool chains, clv_tiling *t)
{
    const int across = vectors / t->vectors, m = p->results;
    t->across = near_divisor(across, MOST_ACROSS, 2 * MOST_ACROSS);
    while (t->across > 1 && m * t->across * t->vectors * t->vector > BLOCK_SUMS)
        t->across = clv_divisor(across, t->across - 1);
    if (chains) return;
    while (t->across > 1 && p->pixels * (across / t->across) < ITEMS) t->across = clv_divisor(across, t->across - 1);
    int block = m;
    while (p->pixels * (across / t->across) * (m / block) < ITEMS && block >= 4 * t->tall && block % 2 == 0) block /= 2;
    if (block != m) choose_tiles(class, vectors, block, t);
}

/* Few results of long sums, by fewer vectors of images than keep the device busy: parts of the sum, then the sum of the
 * parts. */
static bool wants_parts(const clv_device_info *device, const clv_packed *p, int vectors)
{
    return p->pixels * p->results <= 64 && p->channels >= 1024 && vectors < (int)device->compute_units * ITEMS_A_UNIT;
}

static void choose_packed(const clv_device_info *device, const clv_call *call, clv_tiling *t)
{
    const device_class *class = class_of(device);
    const clv_product a = clv_product_of(call, t);
    const clv_packed p = clv_packed_of(call, t);
    const bool chains = clv_call_chains(device, call);
    const int vectors = clv_item_lanes(device, call, a.n) / a.v;
    const bool conv = t->form != CLV_FORM_TRANSPOSED && (call->op == CLV_OP_CONV || clv_product_is_linear(call));
    choose_tiles(class, vectors, p.results, t);
    t->parts = 1;
    if (conv && !chains && wants_parts(device, &p, vectors)) {
        t->parts = CLV_WHOLE(p.channels, CLV_WHOLE(p.channels, ITEMS));
        t->across = vectors / t->vectors;
    } else {
        choose_block(class, vectors, &p, chains, t);
    }
    const int sum = CLV_WHOLE(p.channels, t->parts), fit = clv_most(1, CACHED_FLOATS / (p.taps * t->vectors * a.v));
    const size_t weights = (size_t)(p.results / t->block * clv_block_of(t).rows) * (size_t)(p.channels * a.k * a.k);
    t->channels = CLV_WHOLE(sum, CLV_WHOLE(sum, fit));
    t->pack = t->form == CLV_FORM_TRANSPOSED || sum * p.taps * t->block >= PACKED_SHARE;
    if (t->form == CLV_FORM_TRANSPOSED) t->channels = CLV_WHOLE(t->channels, a.v) * a.v;
    t->panel = t->form == CLV_FORM_PACKED && t->parts == 1 && a.k > 1 && weights >= FEW_WEIGHTS && !call->blocked;
}

/* ---- conv_weight ---- */

/* Of all register tiles along `channels`: multiply-adds, those that are computed twice too, and half as much for a
 * load. */
static double weight_tile_cost(int channels, int rows, int columns)
{
    return (double)CLV_WHOLE(channels, rows) * (rows * columns + 0.5 * (rows + columns));
}

/* Its register tile: the taps of a row, or channels where a row has one tap (or too many). */
static void choose_weight_tile(const device_class *class, const clv_product *a, clv_tiling *t)
{
    t->taps = a->k > 1 && a->k <= 7 && a->ic < 3 ? a->k : 1;
    t->columns = t->taps > 1 ? 1 : clv_least(a->ic, a->oc < 3 ? class->weight_accumulators / 2 : 4);
    t->rows = clv_most(1, clv_least(a->oc, class->weight_accumulators / (t->columns * t->taps)));
    for (int rows = t->rows - 1; rows >= 2; rows--)
        if (weight_tile_cost(a->oc, rows, t->columns * t->taps) <
            weight_tile_cost(a->oc, t->rows, t->columns * t->taps))
            t->rows = rows;
}

/* Blocks of weights: channels of x by as many of y as leave enough work-items and little memory to each. */
static void choose_weight_packed(const device_class *class, const clv_product *a, bool blocked, clv_tiling *t)
{
    const int items = blocked ? 1 : ITEMS; /* a block is one unit's */
    choose_weight_tile(class, a, t);
    const int across = CLV_WHOLE(a->ic, t->columns), tiles = CLV_WHOLE(a->oc, t->rows);
    t->tiles = clv_least(tiles, clv_most(1, BLOCK_WEIGHTS / (t->rows * t->columns * a->k * a->k)));
    while (across * CLV_WHOLE(tiles, t->tiles) < items && t->tiles > 8) t->tiles = CLV_WHOLE(t->tiles, 2);
    t->tiles = CLV_WHOLE(tiles, CLV_WHOLE(tiles, t->tiles)); /* blocks of one size, so that cores end together */
    t->parts = clv_least(a->oh, CLV_WHOLE(items, across * CLV_WHOLE(tiles, t->tiles)));
    const int width = (a->ow - 1) * a->s + a->k;
    const int vector = t->columns * width * a->v; /* floats of a row for a vector of lanes */
    t->lanes = a->v * near_divisor(a->n / a->v, clv_most(1, ROW_FLOATS / vector), ROWS_FLOATS / (a->k * vector));
    t->panel = a->oh * a->ow > 1 && a->ic * a->k * a->k >= PANEL_SHARE && !blocked;
    t->plane =
        t->taps == 1 && !t->panel && (t->rows * a->oh * a->ow + t->columns * a->ih * a->iw) * a->n <= class->planes;
    t->pack = !t->plane && (t->taps > 1 || (tiles > 2 && t->columns * a->iw * t->lanes > CACHED_FLOATS));
}

/* Each number of x serves two vectors of y where there are such. A work-item turns y for itself, so it has as many
 * channels of x as its memory and the number of work-items allow. */
static void choose_weight_outer(const device_class *class, const clv_product *a, bool blocked, clv_tiling *t)
{
    const int items = blocked ? 1 : ITEMS, vectors = CLV_WHOLE(a->oc, a->v);
    t->vectors = vectors % 2 == 0 ? 2 : 1;
    t->columns = clv_least(a->ic, class->outer_accumulators / t->vectors);
    t->columns = CLV_WHOLE(a->ic, CLV_WHOLE(a->ic, t->columns));
    t->block = clv_divisor(vectors / t->vectors, clv_most(1, OUTER_BLOCK / (t->vectors * a->v))) * t->vectors * a->v;
    const int tiles = CLV_WHOLE(a->ic, t->columns), fit = BLOCK_WEIGHTS / (t->columns * t->block * a->k * a->k);
    t->channels = clv_least(a->ic, CLV_WHOLE(tiles, CLV_WHOLE(tiles, clv_most(1, fit))) * t->columns);
    t->lanes = a->v * clv_divisor(a->n / a->v, OUTER_FLOATS / (t->block * a->v));
    t->parts = clv_least(a->oh, CLV_WHOLE(items, CLV_WHOLE(a->ic, t->channels) * CLV_WHOLE(a->oc, t->block)));
}

/* Two vectors of channels of y or more, few of their lanes empty. */
static bool wants_outer(const clv_device_info *device, const clv_call *call)
{
    const int results = call->in[1].shape.dim[0], vector = device->vector_width;
    return call->op == CLV_OP_CONV_WEIGHT && !clv_product_is_linear(call) && call->in[0].space != CLV_SPACE_HALF &&
           call->attr.kernel <= OUTER_KERNEL && call->in[0].shape.dim[0] >= OUTER_CHANNELS && results >= 2 * vector &&
           4 * results >= 3 * CLV_WHOLE(results, vector) * vector;
}

/* The sum over the batch of a linear layer is short: that is worth to turn x where enough results share it. */
static bool wants_transposed(const clv_device_info *device, const clv_call *call)
{
    const int channels = call->in[0].shape.dim[0], results = call->in[1].shape.dim[0];
    return call->op == CLV_OP_CONV_WEIGHT && clv_product_is_linear(call) && call->in[1].space != CLV_SPACE_HALF &&
           channels % device->vector_width == 0 && results >= TURNED_RESULTS && call->lanes <= TURNED_LANES;
}

static clv_form usual_form(const clv_device_info *device, const clv_call *call)
{
    const bool deconv = call->op == CLV_OP_DECONV && !clv_product_is_linear(call);
    const bool gathered = deconv && call->out.shape.dim[0] <= FEW_CHANNELS;
    if (!class_of(device)) return gathered ? CLV_FORM_DIRECT_GATHERED : CLV_FORM_DIRECT;
    if (wants_transposed(device, call)) return CLV_FORM_TRANSPOSED;
    if (wants_outer(device, call)) return CLV_FORM_OUTER;
    if (gathered && call->attr.stride > 1 &&
        call->out.shape.dim[0] * call->attr.stride * call->attr.stride <= BLOCK_RESULTS)
        return CLV_FORM_BLOCKS;
    return gathered ? CLV_FORM_GATHERED : CLV_FORM_PACKED;
}

/* All lanes of a block: what its tiles read lies side by side. */
static void choose_blocks(const device_class *class, const clv_product *a, int vectors, clv_tiling *t)
{
    t->parts = 1;
    t->vectors = clv_divisor(vectors, class->accumulators / (a->ic * a->s * a->s));
    t->across = near_divisor(vectors / t->vectors, MOST_ACROSS, 2 * MOST_ACROSS);
}

void clv_tiling_of_form(const clv_device_info *device, const clv_call *call, clv_form form, clv_tiling *t)
{
    const device_class *class = class_of(device);
    *t = (clv_tiling){.form = form,
                      .vector = device->vector_width,
                      .clblast = device->kind == CLV_DEVICE_GPU && clv_product_is_linear(call)};
    const clv_product a = clv_product_of(call, t);
    if (clv_form_is_direct(form))
        clv_tiling_direct(device, call, t);
    else if (form == CLV_FORM_BLOCKS)
        choose_blocks(class, &a, clv_item_lanes(device, call, a.n) / a.v, t);
    else if (form == CLV_FORM_OUTER)
        choose_weight_outer(class, &a, call->blocked, t);
    else if (call->op == CLV_OP_CONV_WEIGHT && form != CLV_FORM_TRANSPOSED)
        choose_weight_packed(class, &a, call->blocked, t);
    else
        choose_packed(device, call, t);
}

void clv_tiling_default(const clv_device_info *device, const clv_call *call, clv_tiling *t)
{
    clv_tiling_of_form(device, call, usual_form(device, call), t);
}
