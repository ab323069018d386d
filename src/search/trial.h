/* A trial as the methods of a search see it, and what they decide: pure, so that each can be tested without a device.
 */
#ifndef CLAVE_SEARCH_TRIAL_H
#define CLAVE_SEARCH_TRIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "model/choices.h"
#include "search/space.h"

enum { CLV_MAX_RUNGS = 24, CLV_TRIAL_ERROR = 400 };

/* Running: given to a process, which may have died since. Done: has the result of its rung. Failed: diverged, or could
 * not be run; counts as done, with the worst result. With the words of study.sqlite. */
#define CLV_TRIAL_LIST(X) X(RUNNING, "running") X(DONE, "done") X(FAILED, "failed")

typedef enum clv_trial_state {
#define ROW(name, word) CLV_TRIAL_##name,
    CLV_TRIAL_LIST(ROW)
#undef ROW
        CLV_TRIAL_STATES
} clv_trial_state;

typedef struct clv_trial {
    clv_trial_state state;
    int rung; /* that it was given last */
    double point[CLV_MAX_DIMENSIONS];
    double value[CLV_MAX_RUNGS]; /* lower is better; NaN where there is none */
} clv_trial;

/* What [search] says, put in order. */
typedef struct clv_search_plan {
    clv_method method;
    clv_search_space space;
    int trials;                     /* how many points are tried, `first` included */
    int rungs;                      /* asha: several; else 1 */
    uint32_t epochs[CLV_MAX_RUNGS]; /* that a trial has had in all at the end of each rung */
    int reduction;
    uint64_t seed;
    int startup, candidates;
    double quantile;
    int firsts;    /* trials 0 .. firsts - 1 are those of search.first */
    double *first; /* [firsts][CLV_MAX_DIMENSIONS] */
} clv_search_plan;

clv_status clv_search_plan_read(const clv_config *config, clv_search_plan *plan, clv_error *err);
void clv_search_plan_free(clv_search_plan *plan);

typedef enum clv_job_kind {
    CLV_JOB_TRAIN,
    CLV_JOB_WAIT, /* there may be more when a running trial is done */
    CLV_JOB_NONE  /* the search is over */
} clv_job_kind;

typedef struct clv_job {
    clv_job_kind kind;
    int trial; /* from 0; the number of trials so far: a new one, with the point below */
    int rung;
    double point[CLV_MAX_DIMENSIONS];
} clv_job;

/* What is to be done next: a function of the plan and the trials alone. */
clv_status clv_choose(const clv_search_plan *plan, const clv_trial *trial, int trials, clv_job *job, clv_error *err);

/* The result of a trial in its highest rung that has one, +infinity for none and for one that failed, whatever it had
 * before: it cannot be trained with these values. */
double clv_trial_result(const clv_trial *trial);

/* asha.c: the trial that goes up to its next rung, or -1. Li et al. 2020 ("A system for massively parallel
 * hyperparameter tuning", MLSys), algorithm 2, get_job: from the highest rung but one down, the best of the top floor(n
 * / reduction) of the n trials that completed the rung which has not gone up yet. A trial that failed counts in the
 * rung where it did as the last, and never goes up; in those below it keeps what was measured there. */
int clv_asha_promote(int rungs, int reduction, const clv_trial *trial, int trials);

/* tpe.c: a point by the tree-structured Parzen estimator, see there. `random` is the new trial's own. */
clv_status clv_tpe_suggest(const clv_search_plan *plan, const clv_trial *trial, int trials, clv_random *random,
                           double point[CLV_MAX_DIMENSIONS], clv_error *err);

#endif
