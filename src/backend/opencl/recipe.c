/* What becomes of the calls of a plan: of each a recipe, CLBlast's product or launches of kernels, and of them all a
 * schedule. */
#include <stdlib.h>

#include "backend/opencl/opencl.h"
#include "base/memory.h"

static clv_status write_recipe(clv_opencl *be, const clv_call *call, clv_cl_recipe *r, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_tiling tiling;
    CLV_TRY(clv_cl_uses_clblast(be, call, &r->clblast, err));
    if (!r->clblast) return clv_cl_launches_of(be, call, &r->list, err);
    CLV_TRY(clv_cl_tiling_of(be, call, &tiling, err));
    clv_cl_gemm_of(call, &r->gemm);
    r->gemm.set = tiling.gemm;
    clv_launch_epilogue(&be->head.info, call, &r->list);
done:
    return status;
}

static clv_status describe_work(clv_opencl *be, const clv_call *call, const clv_cl_recipe *r, clv_launch_work *work,
                                clv_error *err)
{
    clv_status status = CLV_OK;
    size_t gemm = 0;
    if (r->clblast) CLV_TRY(clv_cl_gemm_scratch(be, &r->gemm, &gemm, err));
    gemm = (gemm + sizeof(float) - 1) / sizeof(float);
    *work = (clv_launch_work){.call = call,
                              .list = &r->list,
                              .clblast = r->clblast,
                              .scratch = gemm > r->list.scratch ? gemm : r->list.scratch};
done:
    return status;
}

/* Of the groups that are kernels. */
static clv_status find_units(const clv_opencl *be, clv_cl_calls *calls, clv_error *err)
{
    clv_status status = CLV_OK;
    const clv_launch_schedule *s = &calls->schedule;
    if (!(calls->unit = clv_alloc((size_t)s->groups, sizeof *calls->unit, err))) return CLV_ERR_INTERNAL;
    for (int g = 0; g < s->groups; g++) {
        const clv_launch_unit unit = clv_unit_of(s, &s->group[g]);
        if (unit.launch[0]) CLV_TRY(clv_cl_unit_of(be, &unit, &calls->unit[g], err));
    }
done:
    return status;
}

clv_status clv_cl_schedule_calls(clv_opencl *be, const clv_plan *plan, clv_cl_calls *calls, clv_error *err)
{
    clv_status status = CLV_ERR_INTERNAL;
    const size_t count = (size_t)plan->calls;
    const bool joint = !(plan->apart & CLV_FUSE_LAUNCHES);
    clv_launch_work *work = clv_alloc(count, sizeof *work, err);
    if (!work || !(calls->recipe = clv_alloc(count, sizeof *calls->recipe, err))) goto done;
    for (int i = 0; i < plan->calls; i++) CLV_TRY(write_recipe(be, &plan->call[i], &calls->recipe[i], err));
    if (be->testing && be->within)
        CLV_TRY(clv_cl_move_tested_sums(be, plan, calls->recipe, &calls->sums, err));
    else if (!(plan->apart & CLV_FUSE_SUMS))
        CLV_TRY(clv_cl_move_sums(plan, calls->recipe, &calls->sums, err));
    for (int i = 0; i < plan->calls; i++) CLV_TRY(describe_work(be, &plan->call[i], &calls->recipe[i], &work[i], err));
    for (int i = 0; i < plan->calls; i++)
        for (int k = 0; k < calls->recipe[i].list.launches; k++)
            clv_launch_repeat(&plan->call[i], &calls->recipe[i].list.launch[k]);
    const clv_schedule_options options = {.alignment = be->head.alignment,
                                          .joint = joint,
                                          .chains = joint && !(plan->apart & CLV_FUSE_CHAINS),
                                          .blocks = plan->blocks};
    CLV_TRY(clv_launch_schedule_make(&be->head.info, work, plan->calls, &options, &calls->schedule, err));
    CLV_TRY(find_units(be, calls, err));
    status = CLV_OK;
done:
    free(work);
    return status;
}

void clv_cl_calls_free(clv_cl_calls *calls)
{
    clv_launch_schedule_free(&calls->schedule);
    free(calls->sums.segment);
    free(calls->recipe);
    free(calls->unit);
    *calls = (clv_cl_calls){0};
}
