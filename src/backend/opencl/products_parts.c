/* Parts of the launches of products: their defines, arguments, sizes and epilogues, and the sum of split weights. */
#include "backend/opencl/products_parts.h"

#include <stdio.h>
#include <string.h>

void clv_define(clv_launch *launch, const char *name, int value)
{
    const size_t used = strlen(launch->defines);
    snprintf(launch->defines + used, CLV_DEFINES_SIZE - used, "%s-D%s=%d", used ? " " : "", name, value);
}

static void define_real(clv_launch *launch, const char *name, double value)
{
    const size_t used = strlen(launch->defines);
    snprintf(launch->defines + used, CLV_DEFINES_SIZE - used, " -D%s=%.9ef", name, value);
}

void clv_define_strides(clv_launch *launch, const clv_product *a)
{
    clv_define(launch, "WM", a->wm);
    clv_define(launch, "WC", a->wc);
}

void clv_define_weight_tile(clv_launch *launch, const clv_tiling *t)
{
    clv_define(launch, "OT", t->rows);
    clv_define(launch, "IT", t->columns);
    clv_define(launch, "KT", t->taps);
}

clv_launch *clv_add_launch(clv_launch_list *list, const char *file, const char *kernel, const clv_product *a)
{
    clv_launch *launch = &list->launch[list->launches++];
    *launch = (clv_launch){.file = file, .kernel = kernel, .dims = 1, .global = {1, 1, 1}, .local = {1, 1, 1}};
    const struct {
        const char *name;
        int value;
    } constant[] = {
        {"V", a->v},   {"N", a->n},   {"IC", a->ic}, {"OC", a->oc}, {"IH", a->ih}, {"IW", a->iw},
        {"OH", a->oh}, {"OW", a->ow}, {"K", a->k},   {"S", a->s},   {"P", a->p},
    };
    for (size_t i = 0; i < sizeof constant / sizeof *constant; i++)
        clv_define(launch, constant[i].name, constant[i].value);
    return launch;
}

void clv_add_arg(clv_launch *launch, clv_arg arg) { launch->arg[launch->args++] = arg; }

void clv_set_size(clv_launch *launch, int x, int y, int z, int local)
{
    launch->dims = 3;
    launch->global[0] = (size_t)x;
    launch->global[1] = (size_t)y;
    launch->global[2] = (size_t)z;
    launch->local[0] = (size_t)local;
}

void clv_add_epilogue(clv_launch *launch, const clv_call *call)
{
    const clv_attr *attr = &call->attr;
    int input = 2;
    if (attr->has_bias) {
        clv_define(launch, "BIAS", 1);
        clv_add_arg(launch, (clv_arg)(CLV_ARG_IN0 + input++));
    }
    if (attr->has_addend) {
        clv_define(launch, "ADDEND", 1);
        clv_add_arg(launch, (clv_arg)(CLV_ARG_IN0 + input++));
    }
    if (attr->act != CLV_ACT_NONE) clv_define(launch, "ACT", (int)attr->act);
    if (attr->grad_act != CLV_ACT_NONE) {
        clv_define(launch, "GRAD_ACT", (int)attr->grad_act);
        clv_add_arg(launch, (clv_arg)(CLV_ARG_IN0 + input));
    }
    if (attr->mask_rate > 0) define_real(launch, "GRAD_KEEP", (double)(1.0f - attr->mask_rate));
    if (attr->act == CLV_ACT_LEAKY_RELU || attr->grad_act == CLV_ACT_LEAKY_RELU)
        define_real(launch, "SLOPE", (double)attr->slope);
    clv_add_arg(launch, CLV_ARG_OUT);
    if (attr->rate > 0) {
        define_real(launch, "KEEP", (double)(1.0f - attr->rate));
        clv_define(launch, "STREAM", (int)attr->stream);
        clv_add_arg(launch, CLV_ARG_STEP);
    }
}

void clv_add_head_bias(clv_launch *launch, const clv_call *call)
{
    if (!call->attr.has_bias) return;
    clv_define(launch, "BIAS", 1);
    clv_add_arg(launch, CLV_ARG_IN2);
}

void clv_add_gather(const clv_call *call, const clv_product *a, const clv_tiling *t, int lanes, clv_launch_list *list)
{
    const bool head = call->attr.head, direct = clv_form_is_direct(t->form);
    clv_launch *launch = clv_add_launch(list, "deconv.cl", head ? "deconv_gather_head" : "deconv_gather", a);
    if (direct || head) clv_define(launch, "DIRECT", 1);
    clv_add_arg(launch, CLV_ARG_SCRATCH);
    if (head) clv_add_head_bias(launch, call);
    if (head) return;
    clv_define(launch, "LANES", lanes);
    clv_add_epilogue(launch, call);
    launch->lanes = direct ? 0 : lanes;
    launch->by_image = !direct;
    clv_set_size(launch, a->n / lanes, a->ih * a->iw, a->ic, direct ? t->group : 1);
}

int clv_weights_of(const clv_product *a, int sum_of)
{
    return a->oc * a->ic * a->k * a->k + (sum_of == 1 ? a->ic : sum_of == 2 ? a->oc : 0);
}

void clv_add_weight_sum(const clv_product *a, int sum_of, int parts, clv_launch_list *list)
{
    const int weights = clv_weights_of(a, sum_of);
    clv_launch *launch = clv_add_launch(list, "conv_weight.cl", "conv_weight_sum", a);
    clv_define(launch, "PARTS", parts);
    clv_add_arg(launch, CLV_ARG_SCRATCH);
    clv_add_arg(launch, CLV_ARG_OUT);
    if (sum_of) clv_define(launch, "SUM_OF", sum_of);
    if (sum_of) clv_add_arg(launch, CLV_ARG_IN2);
    clv_set_size(launch, CLV_WHOLE(weights, 16), 1, 1, 1);
    list->sum = (clv_sum){.parts = parts, .stride = (size_t)weights};
}
