/* The parts of split weight gradients, added by the optimiser: where a conv_weight ends with a launch that does nothing
 * but add them, that launch goes, the parts stay in a buffer of their own, and the optimiser's one launch adds them in
 * the same order on its way. It writes the sums where they belong too, so that gradients can be read as ever. */
#include <limits.h>

#include "backend/opencl/opencl.h"
#include "base/memory.h"

#define REGION_ALIGN 1024 /* elements: calls' parts start as far apart as any device asks */
#define SLACK        16   /* elements behind the last part: a vector may reach beyond it */

/* Kernels count in int: parts that would reach beyond are added where they are. */
static bool is_movable(const clv_call *call, const clv_cl_recipe *r, size_t region)
{
    const clv_sum *sum = &r->list.sum;
    return !r->clblast && clv_launch_sum_moves(call, &r->list) &&
           region + (size_t)sum->parts * sum->stride <= INT_MAX - REGION_ALIGN - SLACK;
}

static clv_cl_segment segment_of(const clv_operand *sum, const clv_sum *parts, size_t from)
{
    const size_t elements = clv_operand_elements(sum, 1);
    return (clv_cl_segment){.first = (cl_int)sum->offset,
                            .end = (cl_int)(sum->offset + elements),
                            .parts = parts->parts,
                            .from = (cl_int)from,
                            .stride = (cl_int)parts->stride};
}

/* Drops the last launch of a call; the one before it leaves its parts from `region` on. */
static void move_sum(const clv_call *call, clv_cl_recipe *r, size_t region, clv_cl_sums *sums)
{
    const clv_sum parts = clv_launch_move_sum(&r->list, region);
    sums->segment[sums->segments++] = segment_of(&call->out, &parts, region);
    if (call->attr.sum_of)
        sums->segment[sums->segments++] =
            segment_of(&call->in[2], &parts, region + clv_operand_elements(&call->out, 1));
}

/* The optimiser's kernel walks along the segments. */
static void sort_segments(clv_cl_sums *sums)
{
    for (int i = 1; i < sums->segments; i++) {
        const clv_cl_segment moved = sums->segment[i];
        int k = i;
        for (; k > 0 && sums->segment[k - 1].first > moved.first; k--) sums->segment[k] = sums->segment[k - 1];
        sums->segment[k] = moved;
    }
}

clv_status clv_cl_move_sums(const clv_call *call, clv_cl_recipe *recipe, int calls, clv_cl_sums *sums, clv_error *err)
{
    int optimiser = -1, movable = 0;
    for (int i = 0; i < calls; i++) {
        if (call[i].op == CLV_OP_ADAM || call[i].op == CLV_OP_SGD) optimiser = i;
        movable += is_movable(&call[i], &recipe[i], 0);
    }
    if (optimiser < 0 || movable == 0) return CLV_OK;
    sums->segment = clv_alloc(2 * (size_t)movable, sizeof *sums->segment, err);
    if (!sums->segment) return CLV_ERR_INTERNAL;
    for (int i = 0; i < optimiser; i++) {
        if (!is_movable(&call[i], &recipe[i], sums->elements)) continue;
        const clv_sum parts = recipe[i].list.sum;
        move_sum(&call[i], &recipe[i], sums->elements, sums);
        const size_t elements = (size_t)parts.parts * parts.stride;
        sums->elements += (elements + REGION_ALIGN - 1) / REGION_ALIGN * REGION_ALIGN;
    }
    if (sums->segments == 0) return CLV_OK;
    sums->elements += SLACK;
    sort_segments(sums);
    clv_launch_segments(&recipe[optimiser].list.launch[0], sums->segments);
    return CLV_OK;
}
