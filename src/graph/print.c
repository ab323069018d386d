/* The graph as text, one line a node: index, name, op, inputs, shape, attributes. */
#include <stdarg.h>
#include <string.h>

#include "graph/nodes.h"

#define SHAPE_COLUMN 18

/* A line under way: spaces wait until something follows, so that no line ends in them. */
typedef struct line {
    FILE *file;
    int spaces;
} line;

static void add(line *l, const char *format, ...) CLV_PRINTF(2, 3);
static void add(line *l, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(l->file, "%*s", l->spaces, "");
    vfprintf(l->file, format, args);
    l->spaces = 1;
    va_end(args);
}

static void add_window(line *l, const clv_attr *a)
{
    add(l, "kernel=%d stride=%d pad=%d", a->kernel, a->stride, a->pad);
    if (a->out_pad) add(l, "out_pad=%d", a->out_pad);
    if (a->has_bias) add(l, "bias");
    if (a->has_addend) add(l, "addend");
    if (a->grad_act != CLV_ACT_NONE) add(l, "grad_act=%s", clv_act_names[a->grad_act]);
    if (a->sum_of) add(l, "sum_of=%d", a->sum_of);
    if (a->head) add(l, "head=%s", clv_op_table[a->head].name);
}

static void add_optimiser(line *l, clv_op op, const clv_attr *a)
{
    if (op == CLV_OP_ADAM) add(l, "beta1=%g beta2=%g eps=%g", (double)a->beta1, (double)a->beta2, (double)a->eps);
    if (op == CLV_OP_SGD) add(l, "momentum=%g", (double)a->momentum);
    if (op != CLV_OP_TSNE_STEP) add(l, "l2=%g weight_decay=%g", (double)a->l2, (double)a->weight_decay);
}

static void add_attributes(line *l, const clv_node_info *info)
{
    const clv_attr *a = &info->attr;
    const clv_family family = clv_op_table[info->op].family;
    if (family == CLV_FAMILY_PRODUCT) add_window(l, a);
    if (family == CLV_FAMILY_OPTIM) add_optimiser(l, info->op, a);
    if (a->act != CLV_ACT_NONE) add(l, "act=%s", clv_act_names[a->act]);
    if (a->act == CLV_ACT_LEAKY_RELU || a->grad_act == CLV_ACT_LEAKY_RELU) add(l, "slope=%g", (double)a->slope);
    if (a->mask_rate > 0) add(l, "mask_rate=%g", (double)a->mask_rate);
    if (info->op == CLV_OP_DROPOUT || a->rate > 0) add(l, "rate=%g", (double)a->rate);
    if (info->op == CLV_OP_SCALE || info->op == CLV_OP_MEAN_GRAD || info->op == CLV_OP_AFFINITY ||
        clv_op_head(info->op, a))
        add(l, "alpha=%g", (double)a->alpha);
    if (a->noisy) add(l, "noisy");
    if (family == CLV_FAMILY_RANDOM || a->rate > 0 || a->noisy) add(l, "stream=%u", (unsigned)a->stream);
    if (family == CLV_FAMILY_DATA) add(l, "dataset=%d", a->dataset);
    if (info->op == CLV_OP_RECORD) add(l, "slot=%d", a->slot);
    if (info->output && !clv_op_has_effect(info->op)) add(l, "output");
}

static void print_node(clv_node node, const clv_node_info *info, FILE *file)
{
    char shape[CLV_NAME_SIZE], inputs[CLV_NAME_SIZE] = "";
    size_t length = 0;
    for (int k = 0; k < info->inputs; k++)
        length += (size_t)snprintf(inputs + length, sizeof inputs - length, k ? " %d" : "%d", (int)info->input[k]);
    clv_shape_print(&info->shape, shape);
    fprintf(file, "%4d  %-24s %-14s %-16s %s", (int)node, info->name, clv_op_table[info->op].name, inputs, shape);
    const int width = (int)strlen(shape);
    line l = {file, width < SHAPE_COLUMN ? SHAPE_COLUMN + 1 - width : 1};
    add_attributes(&l, info);
    fputc('\n', file);
}

void clv_graph_print(const clv_graph *graph, FILE *file)
{
    for (clv_node i = 0; i < graph->nodes; i++)
        if (!graph->entry[i]->fused_away) print_node(i, clv_info(graph, i), file);
}
