/* What a study is made of, for the files of this folder. */
#ifndef CLAVE_SEARCH_STUDY_PARTS_H
#define CLAVE_SEARCH_STUDY_PARTS_H

#include "search/sql.h"
#include "search/study.h"

struct clv_study {
    clv_sql sql;
    int lock; /* study.lock */
    char folder[CLV_PATH_SIZE];
    char *text;
    clv_config *config;
    clv_search_plan plan;
    bool lower_is_better;
    char monitor[64];
};

extern const char *const clv_state_word[CLV_TRIAL_STATES];

/* A write transaction: BEGIN IMMEDIATE; ended by COMMIT where *status is CLV_OK, else by ROLLBACK. */
clv_status clv_study_begin(clv_study *study, clv_error *err);
clv_status clv_study_end(clv_study *study, clv_status status, clv_error *err);

/* The record lock of a trial. `got` false: another process has it. */
clv_status clv_study_lock(clv_study *study, int trial, bool *got, clv_error *err);
void clv_study_unlock(clv_study *study, int trial);
bool clv_study_is_held(const clv_study *study, int trial); /* by another process */

#endif
