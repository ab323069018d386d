/* A roofline on paper: what a training step would take on devices that need not be there. FLOPs and bytes are the
 * plan's; peaks are the data sheets'. */
#include <string.h>

#include "base/try.h"
#include "clave/experiment.h"
#include "experiment/paper.h"

/* Peaks of fp32 FMA and of memory as data sheets give them. No data sheet gives the time between two launches that wait
 * for each other on one queue: 3 us is PoCL's, measured; 5 us is what drivers of GPUs take, a round figure. Units as
 * OpenCL counts them. */
typedef struct device_class {
    const char *name;
    double gflops, gbytes; /* a second */
    double launch_us;
    clv_device_info info;
} device_class;

#define CPU(units, vector)                                                                                             \
    {                                                                                                                  \
        .kind = CLV_DEVICE_CPU, .compute_units = (units), .vector_width = (vector), .local_bytes = 65536               \
    }
#define GPU(units, simd, local)                                                                                        \
    {                                                                                                                  \
        .kind = CLV_DEVICE_GPU, .compute_units = (units), .vector_width = 1, .simd_width = (simd),                     \
        .local_bytes = (local)                                                                                         \
    }

static const device_class classes[] = {
    /* AMD EPYC 9004 data sheet: 3.7 GHz boost; 2 FMA pipes of 8 floats a core; one of its DDR5-4800 channels, 38.4 GB/s
     */
    {"2 Zen 4 cores", 236.8, 38.4, 3, CPU(2, 16)},
    /* AMD Radeon VII specifications: 60 CUs, 13.4 TFLOPS, 1 TB/s HBM2 */
    {"Radeon VII (gfx906)", 13440, 1024, 5, GPU(60, 64, 65536)},
    /* AMD Instinct MI250X data sheet: 47.9 TFLOPS fp32 vector, 3.2 TB/s; half of each, 110 CUs a die */
    {"MI250X, one die (gfx90a)", 23950, 1638, 5, GPU(110, 64, 65536)},
    /* AMD Radeon RX 6800 specifications: 60 CUs (30 work-group processors), 16.17 TFLOPS, 512 GB/s */
    {"RX 6800 (gfx1030)", 16170, 512, 5, GPU(30, 32, 65536)},
    /* AMD Radeon RX 7900 XTX specifications: 96 CUs (48 work-group processors), 61 TFLOPS with dual issue, 960 GB/s */
    {"RX 7900 XTX (gfx1100)", 61400, 960, 5, GPU(48, 32, 65536)},
    /* NVIDIA V100 data sheet, SXM2: 15.7 TFLOPS, 900 GB/s, 80 multiprocessors */
    {"V100 (sm_70)", 15700, 900, 5, GPU(80, 32, 49152)},
    /* NVIDIA A100 data sheet, SXM 80 GB: 19.5 TFLOPS, 2,039 GB/s, 108 multiprocessors */
    {"A100 (sm_80)", 19500, 2039, 5, GPU(108, 32, 49152)},
    /* NVIDIA H100 data sheet, SXM5: 67 TFLOPS, 3.35 TB/s, 132 multiprocessors */
    {"H100 (sm_90)", 67000, 3350, 5, GPU(132, 32, 49152)},
    /* Intel Core i9-12900K, UHD Graphics 770: 32 EUs of 16 FLOPs a clock, 1.55 GHz; DDR5-4800 on two channels */
    {"Intel UHD 770", 793.6, 76.8, 5, GPU(32, 0, 65536)},
    /* Intel Arc A770 specifications: 512 vector engines of 16 FLOPs a clock, 2.1 GHz, 560 GB/s */
    {"Intel Arc A770 (dg2)", 17203, 560, 5, GPU(512, 0, 65536)},
};
_Static_assert(sizeof classes / sizeof *classes <= CLV_MAX_CLASSES, "CLV_MAX_CLASSES is too small");

static double bytes_of(const clv_operand *operand, int lanes)
{
    const size_t element = operand->space == CLV_SPACE_HALF ? sizeof(uint16_t) : sizeof(float);
    return operand->space == CLV_SPACE_NONE ? 0 : (double)element * (double)clv_operand_elements(operand, lanes);
}

/* Each input read, or written, once, the result written once; gather reads bytes, an optimiser its numbers in place. */
static double traffic_of(const clv_plan *plan, const clv_call *call)
{
    const int lanes = call->lanes * (plan->blocks ? plan->blocks : 1);
    double bytes = bytes_of(&call->out, lanes);
    for (int i = 0; i < call->inputs; i++) bytes += bytes_of(&call->in[i], lanes);
    if (call->op == CLV_OP_GATHER) bytes += (double)clv_operand_elements(&call->out, lanes);
    if (clv_op_table[call->op].family == CLV_FAMILY_OPTIM) { /* reads gradient and rate, reads and writes the others */
        const int numbers = 1 + call->attr.rated + 2 * (clv_op_has_moment2(call->op) ? 3 : 2);
        bytes += (double)sizeof(float) * numbers * (double)call->trained;
    }
    return bytes;
}

static const char *family_of(clv_op op)
{
    static const char *const name[] = {
        [CLV_FAMILY_DATA] = "data",      [CLV_FAMILY_POINTWISE] = "pointwise", [CLV_FAMILY_REDUCE] = "sums",
        [CLV_FAMILY_RANDOM] = "random",  [CLV_FAMILY_LOSS] = "losses",         [CLV_FAMILY_PAIRS] = "pairs",
        [CLV_FAMILY_OPTIM] = "optimiser"};
    const clv_family family = clv_op_table[op].family;
    return family == CLV_FAMILY_PRODUCT ? clv_op_table[op].name : name[family];
}

static void add_to_family(clv_roofline *r, clv_op op, double flops, double bytes)
{
    const char *name = family_of(op);
    int i = 0;
    while (i < r->families && strcmp(r->family[i].name, name)) i++;
    if (i == r->families) r->family[r->families++] = (clv_roofline_family){.name = name};
    r->family[i].gflop += flops * 1e-9;
    r->family[i].gbytes += bytes * 1e-9;
}

static double flops_of(const clv_paper *paper, const clv_call *call)
{
    return 2.0 * (double)clv_node_multiply_adds(paper->graph.graph, call->node) * paper->plan->batch;
}

/* Whether a launch is the one that its call's arithmetic and traffic are counted for: the one that reads its first
 * input. */
static bool is_main(const clv_launch_list *list, int index)
{
    for (int i = 0; i < list->launches; i++)
        for (int a = 0; a < list->launch[i].args; a++)
            if (list->launch[i].arg[a] == CLV_ARG_IN0) return i == index;
    return index == 0;
}

/* A joint launch takes what it is bound by: arithmetic, memory, or the launch itself; they follow each other. */
static void add_group(const clv_paper *paper, const device_class *class, const clv_launch_list *list,
                      const clv_launch_schedule *schedule, const clv_launch_group *group, clv_roofline_class *row)
{
    double arithmetic = 0, memory = 0;
    const double launch = class->launch_us * 1e-3;
    for (int i = group->first; i < group->first + group->items; i++) {
        const int at = schedule->item[i].call;
        const clv_call *call = &paper->plan->call[at];
        if (!is_main(&list[at], schedule->item[i].index)) continue;
        const int blocks = paper->plan->blocks ? paper->plan->blocks : 1;
        const double scratch = 2.0 * sizeof(float) * (double)list[at].scratch * blocks; /* written, and read */
        arithmetic += flops_of(paper, call) / class->gflops * 1e-6;
        memory += (traffic_of(paper->plan, call) + scratch) / class->gbytes * 1e-6;
    }
    const double longest = arithmetic > memory ? arithmetic : memory;
    row->launches++;
    row->arithmetic_ms += arithmetic;
    row->memory_ms += memory;
    row->launch_ms += launch;
    row->step_ms += longest > launch ? longest : launch;
}

static clv_status add_groups(const clv_paper *paper, const device_class *class, clv_roofline_class *row, clv_error *err)
{
    clv_paper_launches l = {0};
    const clv_status status = clv_paper_launches_make(paper, &class->info, &l, err);
    for (int g = 0; status == CLV_OK && g < l.schedule.groups; g++)
        add_group(paper, class, l.list, &l.schedule, &l.schedule.group[g], row);
    clv_paper_launches_free(&l);
    return status;
}

static const char *limit_of(const clv_roofline_class *row)
{
    if (row->launch_ms > row->arithmetic_ms && row->launch_ms > row->memory_ms) return "launches";
    return row->arithmetic_ms > row->memory_ms ? "arithmetic" : "memory";
}

static clv_status add_class(const clv_paper *paper, const device_class *class, clv_roofline *r, clv_error *err)
{
    clv_roofline_class *row = &r->device[r->classes++];
    *row = (clv_roofline_class){
        .name = class->name, .peak_gflops = class->gflops, .peak_gbytes = class->gbytes, .launch_us = class->launch_us};
    const clv_status status = add_groups(paper, class, row, err);
    if (status != CLV_OK) return status;
    row->images_per_second = 1e3 * paper->plan->batch / row->step_ms;
    row->limit = limit_of(row);
    return CLV_OK;
}

clv_status clv_roofline_of(const clv_config *config, clv_roofline *r, clv_error *err)
{
    clv_paper paper = {0};
    clv_status status = CLV_OK;
    *r = (clv_roofline){0};
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        if (i == 0 || classes[i].info.kind == CLV_DEVICE_CPU || classes[i - 1].info.kind == CLV_DEVICE_CPU) {
            clv_paper_free(&paper); /* plans are the same for all GPUs */
            CLV_TRY(clv_paper_make(config, &classes[i].info, &paper, err));
        }
        CLV_TRY(add_class(&paper, &classes[i], r, err));
    }
    r->batch = paper.plan->batch;
    for (int i = 0; i < paper.plan->calls; i++) {
        const clv_call *call = &paper.plan->call[i];
        add_to_family(r, call->op, flops_of(&paper, call), traffic_of(paper.plan, call));
    }
done:
    clv_paper_free(&paper);
    return status;
}
