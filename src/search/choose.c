/* The next thing to do in a search. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/try.h"
#include "search/trial.h"

double clv_trial_result(const clv_trial *trial)
{
    if (trial->state == CLV_TRIAL_FAILED) return INFINITY;
    for (int rung = CLV_MAX_RUNGS; rung-- > 0;)
        if (!isnan(trial->value[rung])) return trial->value[rung];
    return INFINITY;
}

static bool is_first(const clv_search_plan *plan, const double *point)
{
    for (int i = 0; i < plan->firsts; i++)
        if (clv_space_same(&plan->space, point, &plan->first[i * CLV_MAX_DIMENSIONS])) return true;
    return false;
}

/* Point number `index` of the grid, in order or shuffled, those of search.first left out: each comes once. */
static clv_status take_point(const clv_search_plan *plan, int index, bool shuffled, double *point, clv_error *err)
{
    const uint32_t points = (uint32_t)plan->space.points;
    uint32_t *order = clv_alloc(points, sizeof *order, err);
    if (!order) return CLV_ERR_INTERNAL;
    for (uint32_t i = 0; i < points; i++) order[i] = i;
    if (shuffled) clv_shuffle(order, points, plan->seed, 0);
    for (uint32_t i = 0; i < points; i++) {
        clv_space_point(&plan->space, order[i], point);
        if (!is_first(plan, point) && index-- == 0) break;
    }
    free(order);
    return CLV_OK;
}

static clv_status new_point(const clv_search_plan *plan, const clv_trial *trial, int trials, double *point,
                            clv_error *err)
{
    clv_random random = clv_random_start(plan->seed, CLV_STREAM_SEARCH + (uint32_t)trials);
    if (trials < plan->firsts) {
        for (int d = 0; d < plan->space.dimensions; d++) point[d] = plan->first[trials * CLV_MAX_DIMENSIONS + d];
        return CLV_OK;
    }
    if (plan->method == CLV_METHOD_TPE && trials >= plan->startup)
        return clv_tpe_suggest(plan, trial, trials, &random, point, err);
    if (plan->space.points) return take_point(plan, trials - plan->firsts, plan->method != CLV_METHOD_GRID, point, err);
    clv_space_draw(&plan->space, &random, point);
    return CLV_OK;
}

/* A trial of search.first that was left behind: it is trained to the end when all else is done, for the comparison. */
static int unfinished_first(const clv_search_plan *plan, const clv_trial *trial, int trials)
{
    for (int i = 0; i < plan->firsts && i < trials; i++)
        if (trial[i].state == CLV_TRIAL_DONE && trial[i].rung < plan->rungs - 1) return i;
    return -1;
}

clv_status clv_choose(const clv_search_plan *plan, const clv_trial *trial, int trials, clv_job *job, clv_error *err)
{
    *job = (clv_job){.kind = CLV_JOB_TRAIN};
    int up = plan->method == CLV_METHOD_ASHA ? clv_asha_promote(plan->rungs, plan->reduction, trial, trials) : -1;
    if (up >= 0) {
        job->trial = up;
        job->rung = trial[up].rung + 1;
        return CLV_OK;
    }
    if (trials < plan->trials) {
        job->trial = trials;
        return new_point(plan, trial, trials, job->point, err);
    }
    for (int i = 0; i < trials; i++)
        if (trial[i].state == CLV_TRIAL_RUNNING) job->kind = CLV_JOB_WAIT;
    if (job->kind == CLV_JOB_WAIT) return CLV_OK;
    job->trial = unfinished_first(plan, trial, trials);
    job->rung = plan->rungs - 1;
    if (job->trial < 0) job->kind = CLV_JOB_NONE;
    return CLV_OK;
}
