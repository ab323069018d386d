/* A study's trials in order, the best first, and what mattered. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/try.h"
#include "clave/search.h"
#include "search/importance.h"
#include "search/study_parts.h"

/* What a ranking's pointers point to. */
struct clv_ranking_memory {
    clv_study *study;
    clv_records records;
    char (*text)[CLV_SETTING_SIZE]; /* [trials][dimensions] */
    const char **setting;           /* the same as pointers */
};

static int compare(const void *a, const void *b)
{
    const clv_ranked *x = a, *y = b;
    const bool known_x = !isnan(x->value), known_y = !isnan(y->value);
    if (known_x != known_y) return known_x ? -1 : 1;
    if (known_x && (x->value < y->value || x->value > y->value)) return x->value < y->value ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

static const char *state_of(const clv_record *r)
{
    return r->trial.state == CLV_TRIAL_RUNNING && !r->held ? "stopped" : clv_state_word[r->trial.state];
}

static void fill_trial(clv_ranking *ranking, int i)
{
    struct clv_ranking_memory *m = ranking->memory;
    const clv_record *r = &m->records.of[i];
    const clv_search_plan *plan = clv_study_plan(m->study);
    const int dimensions = ranking->dimensions;
    for (int d = 0; d < dimensions; d++) {
        clv_space_print(&plan->space.dimension[d], r->trial.point[d], m->text[i * dimensions + d]);
        m->setting[i * dimensions + d] = m->text[i * dimensions + d];
    }
    ranking->trial[i] = (clv_ranked){.number = i + 1,
                                     .state = state_of(r),
                                     .value = clv_study_sign(m->study) * r->best, /* while they are sorted */
                                     .early = r->early,
                                     .epochs = r->epochs,
                                     .best_epoch = r->best_epoch,
                                     .seconds = r->seconds,
                                     .first = i < plan->firsts,
                                     .error = r->trial.state == CLV_TRIAL_FAILED ? r->error : NULL,
                                     .setting = &m->setting[i * dimensions]};
}

/* Of the results after the first rung, which every trial has: others saw more epochs. */
static clv_status fill_importance(clv_ranking *ranking, clv_error *err)
{
    struct clv_ranking_memory *m = ranking->memory;
    const clv_search_plan *plan = clv_study_plan(m->study);
    const size_t trials = (size_t)ranking->trials + 1;
    double *value = clv_alloc(trials, sizeof *value, err);
    double *point = value ? clv_alloc(trials * CLV_MAX_DIMENSIONS, sizeof *point, err) : NULL;
    int count = 0;
    clv_status status = CLV_ERR_INTERNAL;
    for (int i = 0; point && i < ranking->trials; i++) {
        const clv_record *r = &m->records.of[i];
        if (isnan(r->early)) continue;
        memcpy(&point[count * CLV_MAX_DIMENSIONS], r->trial.point, sizeof r->trial.point);
        value[count++] = r->early;
    }
    if (point) status = clv_importance(&plan->space, point, value, count, plan->seed, ranking->importance, err);
    free(value);
    free(point);
    return status;
}

static clv_status allocate(clv_ranking *ranking, clv_error *err)
{
    struct clv_ranking_memory *m = ranking->memory;
    const size_t trials = (size_t)ranking->trials + 1, dimensions = (size_t)ranking->dimensions;
    ranking->importance = clv_alloc(dimensions, sizeof *ranking->importance, err);
    ranking->trial = ranking->importance ? clv_alloc(trials, sizeof *ranking->trial, err) : NULL;
    m->text = ranking->trial ? clv_alloc(trials * dimensions, sizeof *m->text, err) : NULL;
    m->setting = m->text ? clv_alloc(trials * dimensions, sizeof *m->setting, err) : NULL;
    return m->setting ? CLV_OK : CLV_ERR_INTERNAL;
}

static clv_status fill(clv_ranking *ranking, clv_error *err)
{
    struct clv_ranking_memory *m = ranking->memory;
    const clv_search_plan *plan = clv_study_plan(m->study);
    int with_result = 0;
    clv_status status = CLV_OK;
    ranking->dimension = plan->space.dimension;
    ranking->dimensions = plan->space.dimensions;
    ranking->trials = m->records.count;
    ranking->wanted = plan->trials;
    ranking->rungs = plan->rungs;
    ranking->first_epochs = plan->epochs[0];
    ranking->lower_is_better = clv_study_sign(m->study) > 0;
    snprintf(ranking->monitor, sizeof ranking->monitor, "%s", clv_study_monitor(m->study));
    CLV_TRY(allocate(ranking, err));
    for (int i = 0; i < ranking->trials; i++) fill_trial(ranking, i);
    qsort(ranking->trial, (size_t)ranking->trials, sizeof *ranking->trial, compare);
    for (int i = 0; i < ranking->trials; i++) {
        clv_ranked *r = &ranking->trial[i];
        if (isnan(r->value)) continue;
        r->rank = ++with_result;
        r->value *= clv_study_sign(m->study);
    }
    ranking->seconds = m->records.busy;
    ranking->trials_an_hour = m->records.busy > 0 ? 3600 * with_result / m->records.busy : NAN;
    CLV_TRY(fill_importance(ranking, err));
done:
    return status;
}

clv_status clv_search_rank(const char *folder, clv_ranking *ranking, clv_error *err)
{
    clv_ranking made = {.memory = clv_alloc(1, sizeof *made.memory, err)};
    clv_status status = CLV_OK;
    if (!made.memory) return CLV_ERR_INTERNAL;
    CLV_TRY(clv_study_open(folder, &made.memory->study, err));
    CLV_TRY(clv_study_records(made.memory->study, &made.memory->records, err));
    CLV_TRY(fill(&made, err));
    *ranking = made;
    return CLV_OK;
done:
    clv_ranking_free(&made);
    return status;
}

void clv_ranking_free(clv_ranking *ranking)
{
    struct clv_ranking_memory *m = ranking->memory;
    free(ranking->importance);
    free(ranking->trial);
    if (m) {
        free(m->records.of);
        free(m->text);
        free(m->setting);
        clv_study_close(m->study);
        free(m);
    }
    *ranking = (clv_ranking){0};
}
