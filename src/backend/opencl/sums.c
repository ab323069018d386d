/* The parts of split weight gradients, added by the optimiser: where a conv_weight ends with a launch that does nothing
 * but add them, that launch goes, the parts stay in a buffer of their own, and the optimiser's one launch adds them in
 * the same order on its way. It writes the sums where they belong too, so that gradients can be read as ever. */
#include <limits.h>

#include "backend/opencl/opencl.h"
#include "base/memory.h"

#define REGION_ALIGN 1024 /* elements: calls' parts start as far apart as any device asks */
#define SLACK        16   /* elements behind the last part: a vector may reach beyond it */

bool clv_cl_adds_parts(const clv_call *call) { return call->op == CLV_OP_ADAM || call->op == CLV_OP_SGD; }

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
    r->sum_moved = true;
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
        if (clv_cl_adds_parts(&call[i])) optimiser = i;
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

/* ---- within a test ---- */

/* The parameters in as many segments as the plan has, all of two parts; the rest has its gradients where they belong.
 */
static clv_status give_segments(const clv_opencl *be, const clv_call *call, clv_cl_recipe *r, clv_cl_sums *sums,
                                clv_error *err)
{
    const size_t vector = (size_t)be->head.info.vector_width, segments = (size_t)be->within->sums.segments,
                 length = call->trained / segments / vector * vector;
    if (!(sums->segment = clv_alloc(segments, sizeof *sums->segment, err))) return CLV_ERR_INTERNAL;
    for (size_t i = 0; i < segments; i++)
        sums->segment[i] = (clv_cl_segment){.first = (cl_int)(i * length),
                                            .end = (cl_int)((i + 1) * length),
                                            .parts = 2,
                                            .from = (cl_int)(i * length),
                                            .stride = (cl_int)call->trained};
    sums->kind = CLV_CL_SUMS_HOST_LEAVES;
    sums->segments = (int)segments;
    sums->elements = 2 * call->trained + SLACK;
    clv_launch_segments(&r->list.launch[0], sums->segments);
    return CLV_OK;
}

clv_status clv_cl_move_tested_sums(const clv_opencl *be, const clv_plan *plan, clv_cl_recipe *recipe, clv_cl_sums *sums,
                                   clv_error *err)
{
    const clv_call *call = &plan->call[0];
    if (clv_cl_adds_parts(call) && be->within->sums.segments > 0 && 2 * call->trained <= (size_t)INT_MAX - SLACK)
        return give_segments(be, call, &recipe[0], sums, err);
    /* in blocks the last launch may be no sum, and is moved all the same: that is for the test to check */
    if (!be->within->recipe[be->tested].sum_moved || recipe[0].list.sum.parts < 2) return CLV_OK;
    if (!(sums->segment = clv_alloc(2, sizeof *sums->segment, err))) return CLV_ERR_INTERNAL;
    move_sum(call, &recipe[0], 0, sums);
    sums->kind = CLV_CL_SUMS_HOST_ADDS;
    sums->elements += SLACK;
    return CLV_OK;
}

/* Halves add up to the bit. */
clv_status clv_cl_sums_leave(clv_backend *be, const clv_cl_sums *sums, clv_buffer *grad, clv_buffer *parts,
                             clv_error *err)
{
    clv_status status = CLV_OK;
    const size_t trained = (size_t)sums->segment[0].stride;
    float *half = clv_alloc(2 * trained, sizeof *half, err);
    if (!half) return CLV_ERR_INTERNAL;
    CLV_TRY(clv_buffer_read(be, grad, 0, half, trained * sizeof *half, err));
    for (size_t i = 0; i < trained; i++) half[i] = half[i + trained] = half[i] / 2;
    CLV_TRY(clv_buffer_write(be, parts, 0, half, 2 * trained * sizeof *half, err));
done:
    free(half);
    return status;
}

clv_status clv_cl_sums_add(clv_backend *be, const clv_cl_sums *sums, clv_buffer *grad, clv_buffer *parts,
                           clv_error *err)
{
    clv_status status = CLV_OK;
    float *part = clv_alloc(sums->elements, sizeof *part, err);
    if (!part) return CLV_ERR_INTERNAL;
    CLV_TRY(clv_buffer_read(be, parts, 0, part, sums->elements * sizeof *part, err));
    for (int i = 0; i < sums->segments; i++) {
        const clv_cl_segment *s = &sums->segment[i];
        const size_t elements = (size_t)(s->end - s->first), bytes = elements * sizeof *part;
        float *sum = part + s->from;
        for (int k = 1; k < s->parts; k++)
            for (size_t e = 0; e < elements; e++) sum[e] += sum[(size_t)k * (size_t)s->stride + e];
        CLV_TRY(clv_buffer_write(be, grad, (size_t)s->first * sizeof *part, sum, bytes, err));
    }
done:
    free(part);
    return status;
}
