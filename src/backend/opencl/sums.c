/* The parts of split weight gradients, added by the optimiser: where a conv_weight ends with a launch that does nothing
 * but add them, that launch goes, the parts stay in a buffer of their own, and the optimiser's one launch adds them in
 * the same order on its way. It writes the sums where they belong too, so that gradients can be read as ever. */
#include <limits.h>

#include "backend/opencl/opencl.h"
#include "base/memory.h"

#define REGION_ALIGN 1024 /* elements: calls' parts start as far apart as any device asks */
#define SLACK        16   /* elements behind the last part: a vector may reach beyond it */

/* Kernels count in int: parts that would reach beyond are added where they are. */
static bool is_movable(const clv_call *call, const clv_cl_recipe *r, int blocks, size_t region)
{
    const clv_sum *sum = &r->list.sum;
    const size_t most = (size_t)INT_MAX - REGION_ALIGN - SLACK;
    return !r->clblast && clv_launch_sum_moves(call, blocks > 0, &r->list) &&
           (blocks > 0 || region + (size_t)sum->parts * sum->stride <= most);
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

/* Drops the last launch of a call; the one before it leaves its parts from sums->elements on, those of a block behind
 * those of the block before. */
static void move_sum(const clv_call *call, clv_cl_recipe *r, int blocks, clv_cl_sums *sums)
{
    const size_t region = sums->elements;
    clv_sum parts = clv_launch_move_sum(call, &r->list, region);
    clv_launch *writer = &r->list.launch[r->list.launches - 1];
    writer->parts_stride = (size_t)parts.parts * parts.stride;
    if (blocks > 0) parts.parts *= blocks;
    sums->segment[sums->segments++] = segment_of(&call->out, &parts, region);
    if (call->attr.sum_of) sums->segment[sums->segments++] = segment_of(&call->in[2], &parts, region + parts.second);
    const size_t elements = (size_t)parts.parts * parts.stride;
    sums->elements += (elements + REGION_ALIGN - 1) / REGION_ALIGN * REGION_ALIGN;
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

clv_status clv_cl_move_sums(const clv_plan *plan, clv_cl_recipe *recipe, clv_cl_sums *sums, clv_error *err)
{
    const clv_call *call = plan->call;
    const int calls = plan->calls, blocks = plan->blocks;
    clv_status status = CLV_OK;
    int optimiser = -1, movable = 0;
    for (int i = 0; i < calls; i++) {
        if (call[i].op == CLV_OP_ADAM || call[i].op == CLV_OP_SGD) optimiser = i;
        movable += is_movable(&call[i], &recipe[i], blocks, 0);
    }
    if (optimiser < 0 || movable == 0) return CLV_OK;
    sums->segment = clv_alloc(2 * (size_t)movable, sizeof *sums->segment, err);
    if (!sums->segment) return CLV_ERR_INTERNAL;
    for (int i = 0; i < optimiser; i++) {
        if (is_movable(&call[i], &recipe[i], blocks, sums->elements)) move_sum(&call[i], &recipe[i], blocks, sums);
    }
    if (sums->segments == 0) return CLV_OK;
    CLV_REQUIRE(sums->elements <= (size_t)INT_MAX - SLACK, CLV_ERR_CONFIG,
                "the gradients of a batch in %d blocks have over %d elements: set plan.fuse_chains = false", blocks,
                INT_MAX);
    sums->elements += SLACK;
    sort_segments(sums);
    clv_launch_segments(&recipe[optimiser].list.launch[0], sums->segments);
done:
    return status;
}
