/* Which tilings a launch may be made of. What comes from a file passes here first, so that a damaged one cannot make a
 * launch that reads beyond its operands or takes more memory than a work-item has. */
#include <limits.h>

#include "backend/opencl/product.h"

#define PRIVATE_FLOATS 262144 /* of a work-item, 1 MB: they lie on its thread's stack */
#define REGISTERS      64     /* vectors of sums of a register tile */
#define GROUP          256    /* work-items of a group that every GPU takes */
#define VECTOR         4      /* floats of a vector of the direct kernels, at most */

static bool is_flag(int value) { return value == 0 || value == 1; }
static bool within(int value, int least, int most) { return value >= least && value <= most; }
static bool divides(int part, int whole) { return part >= 1 && whole % part == 0; }

/* All parts of a sum have something to sum. */
static bool splits(int count, int parts)
{
    return within(parts, 1, count) && CLV_WHOLE(count, CLV_WHOLE(count, parts)) == parts;
}

/* Floats that a work-item of a packed product keeps: sums between blocks of channels, the copies, and two numbers a
 * tap. */
static int64_t private_of_packed(const clv_packed *p, const clv_tiling *t)
{
    const int64_t lanes = (int64_t)t->across * t->vectors * t->vector, taps = (int64_t)t->channels * p->taps;
    const bool partial = t->channels < CLV_WHOLE(p->channels, t->parts);
    return 2 * taps + (t->pack ? taps * lanes : 0) + (partial ? clv_block_of(t).rows * lanes : 0);
}

/* Elements of scratch memory: panels, the products of all taps, or parts of the sum. */
static int64_t scratch_of_packed(const clv_product *a, const clv_packed *p, const clv_tiling *t)
{
    const int64_t results = (int64_t)p->results * p->pixels * a->n;
    if (t->panel) return (int64_t)(p->results / t->block) * clv_block_of(t).rows * p->channels * a->k * a->k;
    return t->form == CLV_FORM_GATHERED || t->parts > 1 ? results * t->parts : 0;
}

static bool check_packed(const clv_call *call, const clv_product *a, const clv_tiling *t)
{
    const clv_packed p = clv_packed_of(call, t);
    const bool linear = clv_product_is_linear(call), deconv = call->op == CLV_OP_DECONV && !linear;
    const bool splittable = !deconv, gathered = t->form == CLV_FORM_GATHERED;
    if (gathered && !deconv) return false;
    if (!divides(t->vectors, a->n / a->v) || !divides(t->across, a->n / a->v / t->vectors)) return false;
    if (!divides(t->block, p.results) || !within(t->tall, 1, t->block) || !within(t->low, 1, t->block)) return false;
    if ((int64_t)clv_most(t->tall, t->low) * t->vectors > REGISTERS) return false;
    if (!splits(p.channels, t->parts) || (t->parts > 1 && !splittable)) return false;
    if (t->panel && (t->parts > 1 || gathered || a->wc != a->k * a->k))
        return false; /* panels of transposed weights: none */
    if (!within(t->channels, 1, CLV_WHOLE(p.channels, t->parts))) return false;
    return private_of_packed(&p, t) <= PRIVATE_FLOATS && scratch_of_packed(a, &p, t) <= INT_MAX / 4;
}

static bool check_blocks(const clv_call *call, const clv_product *a, const clv_tiling *t)
{
    if (call->op != CLV_OP_DECONV || clv_product_is_linear(call) || t->pack || t->panel || t->parts != 1) return false;
    if (!divides(t->vectors, a->n / a->v) || !divides(t->across, a->n / a->v / t->vectors)) return false;
    return (int64_t)a->ic * a->s * a->s * t->vectors <= REGISTERS;
}

/* A linear layer's weight gradient as a product over the batch: squares of x are turned, and y is read as float. */
static bool check_transposed(const clv_call *call, const clv_product *a, const clv_tiling *t)
{
    if (!clv_product_is_linear(call) || call->in[1].space == CLV_SPACE_HALF) return false;
    if (a->n % a->v != 0 || t->channels % a->v != 0 || !t->pack || t->panel || t->parts != 1) return false;
    return check_packed(call, a, t);
}

/* The register tile of conv_weight, of the other forms. */
static bool check_weight_tile(const clv_product *a, const clv_tiling *t)
{
    if (!within(t->rows, 1, a->oc) || !within(t->columns, 1, a->ic) || !within(t->parts, 1, a->oh)) return false;
    if (t->taps != 1 && (t->taps != a->k || t->columns != 1)) return false;
    if ((int64_t)t->rows * t->columns * t->taps > REGISTERS) return false;
    return (int64_t)t->parts * a->oc * a->ic * a->k * a->k <= INT_MAX / 4;
}

/* The outer form: whole vectors of y in a block, and a register tile of x at least. */
static bool check_weight_outer(const clv_call *call, const clv_product *a, const clv_tiling *t)
{
    if (call->op != CLV_OP_CONV_WEIGHT || clv_product_is_linear(call) || call->in[0].space == CLV_SPACE_HALF)
        return false;
    if (t->pack || t->panel || t->plane || t->rows || t->taps || !within(t->parts, 1, a->oh)) return false;
    if (!within(t->vectors, 1, REGISTERS) || !within(t->columns, 1, REGISTERS / t->vectors)) return false;
    if (!within(t->channels, t->columns, a->ic) || !divides(t->lanes, a->n) || t->lanes % a->v != 0) return false;
    if (!within(t->block, 1, CLV_WHOLE(a->oc, t->vectors * a->v) * t->vectors * a->v) ||
        t->block % (t->vectors * a->v) != 0)
        return false;
    const int64_t sums = (int64_t)t->block * CLV_WHOLE(t->channels, t->columns) * t->columns * a->k * a->k;
    return sums + (int64_t)t->lanes * t->block <= PRIVATE_FLOATS &&
           (int64_t)t->parts * a->oc * a->ic * a->k * a->k <= INT_MAX / 4;
}

static bool check_weight_packed(const clv_product *a, const clv_tiling *t)
{
    const int tiles = CLV_WHOLE(a->oc, t->rows), width = (a->ow - 1) * a->s + a->k;
    if (t->form != CLV_FORM_PACKED || !within(t->tiles, 1, tiles)) return false;
    if (!divides(t->lanes, a->n) || t->lanes % a->v != 0) return false;
    if (t->plane && (t->taps > 1 || t->pack || t->panel)) return false;
    if (t->taps > 1 && !t->pack) return false;
    const int64_t sums = (int64_t)t->tiles * t->rows * t->columns * a->k * a->k;
    const int64_t copied = t->pack ? (int64_t)a->k * width * t->lanes * t->columns : 0;
    const int64_t panels = t->panel ? (int64_t)a->oh * a->ow * a->n * tiles * t->rows : 0;
    return sums + copied <= PRIVATE_FLOATS && panels <= INT_MAX / 4;
}

/* conv_weight_direct: lanes in whole vectors, groups of whole rows of them, addresses in 32 bits. */
static bool check_weight_direct(const clv_device_info *device, const clv_product *a, const clv_tiling *t)
{
    if (t->form != CLV_FORM_DIRECT || t->pack || t->panel || t->plane) return false;
    if (!divides(t->lanes, a->n) || t->lanes % a->v != 0 || t->group % (t->lanes / a->v) != 0) return false;
    if (!clv_product_counts_bytes(t->rows, a->oh * a->ow, a->n)) return false;
    if (!clv_product_counts_bytes(t->columns, a->ih * a->iw, a->n)) return false;
    if (t->group / (t->lanes / a->v) > CLV_WHOLE(a->oh, t->parts)) return false;
    return within(t->sums, 1, t->rows * t->columns * t->taps) && clv_weight_local_bytes(t) <= device->local_bytes;
}

/* Elements of scratch memory: panels and parts of the sum, or the products of all taps. */
static int64_t scratch_of_direct(const clv_product *a, const clv_packed *p, const clv_tiling *t)
{
    const int64_t results = (int64_t)p->results * p->pixels * a->n;
    const int64_t panels = (int64_t)CLV_WHOLE(p->results, t->rows) * t->rows * p->channels * a->k * a->k;
    return (t->panel ? panels : 0) + (clv_form_is_gathered(t->form) || t->parts > 1 ? results * t->parts : 0);
}

static bool check_direct(const clv_device_info *device, const clv_call *call, const clv_product *a, const clv_tiling *t)
{
    if (!within(t->vector, 1, VECTOR) || !within(t->group, 1, GROUP)) return false;
    if (call->op == CLV_OP_CONV_WEIGHT) return check_weight_direct(device, a, t);
    const clv_packed p = clv_packed_of(call, t);
    const bool deconv = call->op == CLV_OP_DECONV && !clv_product_is_linear(call);
    const bool gathered = t->form == CLV_FORM_DIRECT_GATHERED;
    if (t->pack || t->plane || (gathered && (!deconv || t->panel))) return false;
    if (!within(t->rows, 1, clv_least(REGISTERS, CLV_WHOLE(p.results, 4) * 4))) return false;
    if (!splits(p.channels, t->parts) || (t->parts > 1 && deconv)) return false;
    return divides(t->group, a->n / a->v) && scratch_of_direct(a, &p, t) <= INT_MAX / 4;
}

bool clv_tiling_check(const clv_device_info *device, const clv_call *call, const clv_tiling *t)
{
    clv_tiling usual;
    clv_tiling_default(device, call, &usual);
    if (!within(t->form, 0, CLV_FORM_COUNT - 1) ||
        clv_form_is_direct(t->form) != clv_form_is_direct(usual.form)) /* packed kernels are for CPUs */
        return false;
    const bool power = t->vector == 1 || t->vector == 2 || t->vector == 4 || t->vector == 8 || t->vector == 16;
    if (!power || call->lanes % t->vector != 0 || (t->vector == 1 && !clv_form_is_direct(t->form))) return false;
    if (call->blocked && (t->panel || t->clblast)) return false; /* launches of the whole batch */
    if (!is_flag(t->mad) || !is_flag(t->clblast) || !is_flag(t->pack) || !is_flag(t->panel) || !is_flag(t->plane))
        return false;
    const bool linear = clv_product_is_linear(call);
    if ((t->clblast || !clv_gemm_set_is_own(&t->gemm)) && !linear) return false;
    if (!clv_gemm_set_check(device, &t->gemm)) return false;
    const clv_product a = clv_product_of(call, t);
    if (t->form == CLV_FORM_BLOCKS) return check_blocks(call, &a, t);
    if (t->form == CLV_FORM_TRANSPOSED) return call->op == CLV_OP_CONV_WEIGHT && check_transposed(call, &a, t);
    if (t->form == CLV_FORM_OUTER) return check_weight_outer(call, &a, t);
    if (call->op == CLV_OP_CONV_WEIGHT && !check_weight_tile(&a, t)) return false;
    if (clv_form_is_direct(t->form)) return check_direct(device, call, &a, t);
    return call->op == CLV_OP_CONV_WEIGHT ? check_weight_packed(&a, t) : check_packed(call, &a, t);
}
