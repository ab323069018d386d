/* What the launch rows of the three products share, those of CPUs (products.c) and of every other device (products_gpu.c): a
 * product's numbers, and the parts of which launches are made. */
#ifndef CLAVE_OPENCL_PRODUCTS_H
#define CLAVE_OPENCL_PRODUCTS_H

#include <stdio.h>
#include <string.h>

#include "backend/opencl/launch.h"

#define FEW_CHANNELS 3     /* result channels up to which deconv computes products and gathers them */
#define SCRATCH_ALIGN 1024 /* elements: two uses of a call's scratch memory start as far apart as any device asks */
#define WHOLE(a, b) (((a) + (b) - 1) / (b))

/* A product as the kernels see it: the small side [oc][oh][ow], the big side [ic][ih][iw]. */
typedef struct product {
    int ic, oc, ih, iw, oh, ow, k, s, p;
    int n, v;
    int wm, wc; /* conv.cl: strides of the weights */
} product;

static inline int smaller(int a, int b) { return a < b ? a : b; }
static inline int larger(int a, int b) { return a > b ? a : b; }

/* The largest divisor of n that is at most `limit`. */
static inline int divisor(int n, int limit)
{
    int d = larger(1, smaller(n, limit));
    while (n % d != 0) d--;
    return d;
}

/* Appends to a launch's defines; clv_launch_product reports what does not fit. */
static inline void define(clv_launch *launch, const char *name, int value)
{
    const size_t used = strlen(launch->defines);
    snprintf(launch->defines + used, CLV_DEFINES_SIZE - used, "%s-D%s=%d", used ? " " : "", name, value);
}

static inline product product_of(const clv_device_info *device, const clv_call *call)
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
static inline void transpose(product *a)
{
    const int ic = a->ic;
    a->ic = a->oc;
    a->oc = ic;
    a->wm = 1;
    a->wc = ic;
}

/* A deconv's taps as result channels of a conv of kernel 1: every tap's product. */
static inline product products_of_taps(const product *a)
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
    return b;
}

static inline clv_launch *add_launch(clv_launch_list *list, const char *file, const char *kernel, const product *a)
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

static inline void set_size(clv_launch *launch, int x, int y, int z, int local)
{
    launch->dims = 3;
    launch->global[0] = (size_t)x;
    launch->global[1] = (size_t)y;
    launch->global[2] = (size_t)z;
    launch->local[0] = (size_t)local;
    launch->local[1] = launch->local[2] = 1;
}

static inline void add_arg(clv_launch *launch, clv_arg arg) { launch->arg[launch->args++] = arg; }

/* The epilogue's defines and arguments, and the result: what every last launch of a product ends with. */
static inline void add_epilogue(clv_launch *launch, const clv_call *call)
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
    if (attr->act == CLV_ACT_LEAKY_RELU || attr->grad_act == CLV_ACT_LEAKY_RELU) {
        const size_t used = strlen(launch->defines);
        snprintf(launch->defines + used, CLV_DEFINES_SIZE - used, " -DSLOPE=%.9ef", (double)attr->slope);
    }
    add_arg(launch, CLV_ARG_OUT);
}

/* Sums the parts that a launch before left in scratch memory. */
static inline void sum_weights(const product *a, int parts, clv_launch_list *list)
{
    const int weights = a->oc * a->ic * a->k * a->k;
    clv_launch *launch = add_launch(list, "conv_weight.cl", "conv_weight_sum", a);
    define(launch, "PARTS", parts);
    add_arg(launch, CLV_ARG_SCRATCH);
    add_arg(launch, CLV_ARG_OUT);
    set_size(launch, WHOLE(weights, 16), 1, 1, 1);
}

/* The launches of a product on a device that is no CPU (products_gpu.c). */
void clv_launch_direct(const clv_device_info *device, const clv_call *call, const product *a, clv_launch_list *list);

#endif
