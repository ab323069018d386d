/* Searches: many trainings of one experiment with the values of [space] varied, in a folder that several processes may
 * work on at a time.
 *
 * The folder holds study.sqlite (who tried what, with which result), study.ini (the experiment as it was given; `clave
 * search` takes it again), trials/NNNN (a run directory each), ranking.csv and figures/. */
#ifndef CLAVE_SEARCH_H
#define CLAVE_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "clave/config.h"
#include "clave/error.h"
#include "clave/experiment.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Begins a study in `out` (NULL: runs/NAME-DATE-TIME); `folder` gets where. CLV_ERR_CONFIG where it holds one already. */
clv_status clv_search_create(const char *path, const char *const *overrides, int override_count, const char *out,
                             char folder[CLV_PATH_SIZE], clv_error *err);

/* Before a study goes on: with `path` (may be NULL) the same experiment must be asked for again; search.trials,
 * search.parallel, [device] and [report] alone may change, by that file or by the overrides, and are kept from then on. */
clv_status clv_search_reopen(const char *folder, const char *path, const char *const *overrides, int override_count,
                             clv_error *err);

typedef struct clv_search_options {
    const char *program;      /* the executable of clave, which is started search.parallel times */
    struct clv_log *log;      /* a line for each result */
    const volatile int *stop; /* set from a signal handler: end orderly with CLV_INTERRUPTED; may be NULL */
} clv_search_options;

/* Runs the study to its end, in search.parallel processes (`program search FOLDER --worker`). Then figures and ranking. */
clv_status clv_search_run(const char *folder, const clv_search_options *options, clv_error *err);

/* What one of those processes does: trials, one after another, until none is left. */
clv_status clv_search_work(const char *folder, const volatile int *stop, clv_error *err);

typedef struct clv_ranked {
    int number;       /* trials/0007 is 7 */
    int rank;         /* from 1; 0: has no result */
    const char *state; /* "done", "running", "stopped" (its process ended; it goes on by --resume), "failed" */
    double value;     /* the monitored figure at its best epoch; NaN: none yet, or it failed */
    double early;     /* the same after the epochs that every trial had, for comparisons between all */
    uint32_t epochs, best_epoch;
    double seconds;             /* of training */
    bool first;                 /* a point of search.first */
    const char *error;          /* of a failed one, else NULL */
    const char *const *setting; /* [dimensions] */
} clv_ranked;

/* A study's trials, the best first. Release with clv_ranking_free. */
typedef struct clv_ranking {
    char monitor[32]; /* "val.loss" */
    bool lower_is_better;
    int dimensions;
    const clv_dimension *dimension;
    double *importance; /* [dimensions] share of the variance, or NaN: too few trials */
    int trials;
    clv_ranked *trial;      /* [trials] */
    int wanted;             /* trials that the search will have */
    int rungs;              /* asha: choices, and the last one's epochs; else 1 */
    uint32_t first_epochs;  /* what `early` is measured after */
    double seconds;         /* from the first trial's start to the last result, pauses not counted */
    double trials_an_hour;  /* NaN: not known */
    struct clv_ranking_memory *memory;
} clv_ranking;
clv_status clv_search_rank(const char *folder, clv_ranking *ranking, clv_error *err);
void clv_ranking_free(clv_ranking *ranking);

/* The best trial's configuration as INI text, complete but for [search] and [space]; the caller frees *text. */
clv_status clv_search_best(const char *folder, char **text, clv_error *err);

/* ranking.csv, and figures/ as PNG and SVG. */
clv_status clv_search_report(const char *folder, clv_error *err);

#ifdef __cplusplus
}
#endif
#endif
