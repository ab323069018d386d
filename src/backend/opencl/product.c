/* Products as their kernels see them: shapes, and what a packed kernel computes of them. */
#include "backend/opencl/product.h"

bool clv_product_is_linear(const clv_call *call)
{
    const clv_shape *a = &call->in[0].shape,
                    *b = call->op == CLV_OP_CONV_WEIGHT ? &call->in[1].shape : &call->out.shape;
    return call->attr.kernel <= 1 && call->attr.pad == 0 && a->dim[1] * a->dim[2] * b->dim[1] * b->dim[2] == 1;
}

/* The deconv of weights is the conv of the transposed ones, where neither has more than one pixel. */
static void transpose(clv_product *a)
{
    const int ic = a->ic;
    a->ic = a->oc;
    a->oc = ic;
    a->wm = 1;
    a->wc = ic;
}

/* The weight gradient of a linear layer, [oc][ic] of [oc][n] and [ic][n], is a product over the batch whose lanes are
 * the channels of x and whose weights are y. */
static void sum_over_batch(clv_product *a)
{
    const int batch = a->n;
    a->n = a->ic;
    a->ic = batch;
    a->wm = batch;
    a->wc = 1;
}

clv_product clv_product_of(const clv_call *call, const clv_tiling *tiling)
{
    const clv_shape *big = call->op == CLV_OP_DECONV ? &call->out.shape : &call->in[0].shape;
    const clv_shape *small =
        call->op == CLV_OP_CONV ? &call->out.shape : &call->in[call->op == CLV_OP_CONV_WEIGHT].shape;
    clv_product a = {.ic = big->dim[0],
                     .ih = big->dim[1],
                     .iw = big->dim[2],
                     .oc = small->dim[0],
                     .oh = small->dim[1],
                     .ow = small->dim[2]};
    a.k = clv_most(1, call->attr.kernel);
    a.s = clv_most(1, call->attr.stride);
    a.p = call->attr.pad;
    a.n = call->lanes;
    a.v = tiling->vector;
    a.wm = a.ic * a.k * a.k;
    a.wc = a.k * a.k;
    if (call->op == CLV_OP_DECONV && clv_product_is_linear(call)) transpose(&a);
    if (tiling->form == CLV_FORM_TRANSPOSED) sum_over_batch(&a);
    return a;
}

clv_product clv_product_of_taps(const clv_product *deconv)
{
    clv_product b = *deconv;
    b.ic = deconv->oc;
    b.oc = deconv->ic * deconv->k * deconv->k;
    b.ih = deconv->oh;
    b.iw = deconv->ow;
    b.k = b.s = 1;
    b.p = 0;
    b.wm = 1;
    b.wc = b.oc;
    return b;
}

bool clv_product_counts_bytes(int channels, int pixels, int lanes)
{
    return (uint64_t)channels * (uint64_t)pixels * (uint64_t)lanes <= UINT32_MAX / sizeof(float);
}

uint64_t clv_weight_local_bytes(const clv_tiling *t)
{
    return (uint64_t)t->sums * (uint64_t)(t->group + 1) * sizeof(float);
}

clv_packed clv_packed_of(const clv_call *call, const clv_tiling *tiling)
{
    const clv_product a = clv_product_of(call, tiling);
    const int across = CLV_WHOLE(a.k, a.s);
    if (clv_form_is_gathered(tiling->form))
        return (clv_packed){.results = a.ic * a.k * a.k, .channels = a.oc, .taps = 1, .pixels = a.oh * a.ow};
    if (call->op == CLV_OP_DECONV && !clv_product_is_linear(call))
        return (clv_packed){.results = a.ic, .channels = a.oc, .taps = across * across, .pixels = a.ih * a.iw};
    return (clv_packed){.results = a.oc, .channels = a.ic, .taps = a.k * a.k, .pixels = a.oh * a.ow};
}

clv_block clv_block_of(const clv_tiling *t)
{
    clv_block block = {.talls = 1, .lows = 0, .rows = t->tall};
    if (t->tall == t->block) return block;
    block.rows = t->block * 2 + t->tall;
    for (int talls = CLV_WHOLE(t->block, t->tall); talls >= 0; talls--) { /* among equals the fewest low tiles */
        const int lows = CLV_WHOLE(clv_most(0, t->block - talls * t->tall), t->low);
        const int rows = talls * t->tall + lows * t->low;
        if (rows < block.rows) block = (clv_block){talls, lows, rows};
    }
    return block;
}
