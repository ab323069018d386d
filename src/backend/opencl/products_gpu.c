/* The launch rows of conv, deconv and conv_weight for GPUs, and for every other device that is no CPU with vectors: a
 * direct tiling made into launches. A work-item (conv_weight: a work-group) is a register tile, groups lie side by side
 * along the lanes. */
#include "backend/opencl/products_parts.h"

#define PANEL_GROUP 64 /* work-items of a group that puts weights in panels */
#define WHOLE(a, b) CLV_WHOLE(a, b)

typedef clv_product product;

/* Conv's kernels read weights by strides, deconv's know theirs. */
static clv_launch *add_direct(const char *file, const char *kernel, const product *a, const clv_tiling *t,
                              clv_launch_list *list)
{
    clv_launch *launch = clv_add_launch(list, file, kernel, a);
    if (file[0] == 'c') clv_define_strides(launch, a);
    clv_define(launch, "DIRECT", 1);
    clv_define(launch, "OT", t->rows);
    if (t->panel) clv_define(launch, "PANEL", 1);
    return launch;
}

/* Where a sum is long, weights are first put in the order in which they are read: a tile's side by side. Returns where
 * the product reads its weights. */
static clv_arg add_panels(const char *file, const char *kernel, const product *a, const clv_packed *p,
                          const clv_tiling *t, clv_launch_list *list)
{
    if (!t->panel) return CLV_ARG_IN1;
    const int panels = WHOLE(p->results, t->rows) * t->rows * p->channels * a->k * a->k;
    clv_launch *launch = add_direct(file, kernel, a, t, list);
    clv_add_arg(launch, CLV_ARG_IN1);
    clv_add_arg(launch, CLV_ARG_SCRATCH);
    clv_set_size(launch, WHOLE(panels, PANEL_GROUP) * PANEL_GROUP, 1, 1, PANEL_GROUP);
    list->scratch = (size_t)panels;
    return CLV_ARG_SCRATCH;
}

/* Work-items: lanes, blocks of result channels, pixels (and parts). */
static void size_direct(clv_launch *launch, const product *a, const clv_packed *p, const clv_tiling *t)
{
    clv_set_size(launch, a->n / a->v, WHOLE(p->results, t->rows), p->pixels * t->parts, t->group);
}

/* What ends a sum in parts: their sum. */
static void add_conv_sum(const clv_call *call, const product *a, const clv_tiling *t, size_t from,
                         clv_launch_list *list)
{
    const int rows = a->oc * a->oh * a->ow;
    clv_launch *launch = clv_add_launch(list, "conv.cl", "conv_sum", a);
    clv_define(launch, "DIRECT", 1);
    clv_define(launch, "PARTS", t->parts);
    launch->scratch_offset[0] = from;
    clv_add_arg(launch, CLV_ARG_SCRATCH);
    clv_add_epilogue(launch, call);
    clv_set_size(launch, a->n / a->v, rows, 1, t->group);
    list->scratch = from + (size_t)t->parts * (size_t)rows * (size_t)a->n;
}

static void direct_conv(const clv_call *call, const product *a, const clv_tiling *t, clv_launch_list *list)
{
    const clv_packed p = clv_packed_of(call, t);
    const clv_arg weights = add_panels("conv.cl", "conv_direct_panels", a, &p, t, list);
    const size_t panels = WHOLE(list->scratch, CLV_SCRATCH_ALIGN) * CLV_SCRATCH_ALIGN;
    clv_launch *launch = add_direct("conv.cl", "conv_direct", a, t, list);
    if (t->parts > 1) clv_define(launch, "PARTS", t->parts);
    if (t->parts > 1) clv_define(launch, "CS", WHOLE(p.channels, t->parts));
    clv_add_arg(launch, CLV_ARG_IN0);
    clv_add_arg(launch, weights);
    size_direct(launch, a, &p, t);
    if (t->parts == 1) {
        clv_add_epilogue(launch, call);
        return;
    }
    launch->scratch_offset[launch->args] = panels;
    clv_add_arg(launch, CLV_ARG_SCRATCH);
    add_conv_sum(call, a, t, panels, list);
}

static void direct_deconv(const clv_call *call, const product *a, const clv_tiling *t, clv_launch_list *list)
{
    const clv_packed p = clv_packed_of(call, t);
    const clv_arg weights = add_panels("deconv.cl", "deconv_direct_panels", a, &p, t, list);
    clv_launch *launch = add_direct("deconv.cl", "deconv_direct", a, t, list);
    clv_add_arg(launch, CLV_ARG_IN0);
    clv_add_arg(launch, weights);
    clv_add_epilogue(launch, call);
    size_direct(launch, a, &p, t);
}

/* As on a CPU: few result channels leave a tile little to share, so every tap's product, then the sums of those that
 * meet. */
static void gathered_deconv(const clv_call *call, const product *a, const clv_tiling *t, clv_launch_list *list)
{
    const product b = clv_product_of_taps(a);
    const clv_packed p = clv_packed_of(call, t);
    clv_launch *launch = add_direct("conv.cl", "conv_direct", &b, t, list);
    clv_add_arg(launch, CLV_ARG_IN0);
    clv_add_arg(launch, CLV_ARG_IN1);
    clv_add_arg(launch, CLV_ARG_SCRATCH);
    size_direct(launch, &b, &p, t);
    list->scratch = (size_t)(b.oc * b.oh * b.ow) * (size_t)a->n;
    clv_add_gather(call, a, t, a->v, list);
}

static void direct_weight(const product *a, const clv_tiling *t, clv_launch_list *list)
{
    const int tiles = WHOLE(a->oc, t->rows) * WHOLE(a->ic, t->columns), across = t->lanes / t->vector;
    clv_launch *launch = clv_add_launch(list, "conv_weight.cl", "conv_weight_direct", a);
    clv_define_weight_tile(launch, t);
    clv_define(launch, "DIRECT", 1);
    clv_define(launch, "LANES", across);
    clv_define(launch, "ROWS", t->group / across);
    clv_define(launch, "AT_ONCE", t->sums);
    clv_define(launch, "PARTS", t->parts);
    clv_add_arg(launch, CLV_ARG_IN0);
    clv_add_arg(launch, CLV_ARG_IN1);
    clv_add_arg(launch, t->parts > 1 ? CLV_ARG_SCRATCH : CLV_ARG_OUT);
    clv_set_size(launch, t->group * t->parts, tiles, a->k * a->k / t->taps, t->group);
    launch->group_floats = clv_weight_local_bytes(t) / sizeof(float);
    if (t->parts == 1) return;
    clv_add_weight_sum(a, 0, t->parts, list);
    list->scratch = (size_t)t->parts * (size_t)clv_weights_of(a, 0);
}

void clv_launch_direct(const clv_call *call, const product *a, const clv_tiling *t, clv_launch_list *list)
{
    if (call->op == CLV_OP_CONV_WEIGHT)
        direct_weight(a, t, list);
    else if (t->form == CLV_FORM_DIRECT_GATHERED)
        gathered_deconv(call, a, t, list);
    else if (call->op == CLV_OP_DECONV && !clv_product_is_linear(call))
        direct_deconv(call, a, t, list);
    else
        direct_conv(call, a, t, list);
}
