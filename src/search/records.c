/* A study read: trials with their points and results, and the results in the order they came in. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/try.h"
#include "search/study_parts.h"

static clv_status damaged(const clv_study *study, int64_t trial, const char *what, clv_error *err)
{
    return clv_fail(err, CLV_ERR_DATA, "%s: is damaged: trial %lld %s", study->sql.path, (long long)trial, what);
}

const char *const clv_state_word[CLV_TRIAL_STATES] = {
#define ROW(name, word) word,
    CLV_TRIAL_LIST(ROW)
#undef ROW
};

static clv_status read_state(const clv_study *study, sqlite3_stmt *statement, clv_record *r, clv_error *err)
{
    const char *text = clv_sql_text(statement, 1);
    int state = 0;
    while (state < CLV_TRIAL_STATES && strcmp(clv_state_word[state], text)) state++;
    r->trial.state = (clv_trial_state)state;
    r->trial.rung = sqlite3_column_int(statement, 2);
    if (state == CLV_TRIAL_STATES || r->trial.rung < 0 || r->trial.rung >= CLV_MAX_RUNGS)
        return damaged(study, sqlite3_column_int64(statement, 0), "has a state that there is not", err);
    return CLV_OK;
}

static clv_status read_trials(clv_study *study, clv_records *records, clv_error *err)
{
    sqlite3_stmt *statement = NULL;
    clv_status status = CLV_OK;
    size_t capacity = 0;
    bool row;
    CLV_TRY(clv_sql_prepare(&study->sql, &statement, err,
                            "SELECT number, state, rung, attempts, progress, epochs, best_epoch, seconds, error FROM "
                            "trial ORDER BY number",
                            ""));
    for (;;) {
        CLV_TRY(clv_sql_step(&study->sql, statement, &row, err));
        if (!row) break;
        CLV_TRY(clv_grow(&records->of, &capacity, (size_t)records->count + 1, sizeof *records->of, err));
        clv_record *r = &records->of[records->count++];
        *r = (clv_record){.best = NAN, .early = NAN};
        for (int i = 0; i < CLV_MAX_RUNGS; i++) r->trial.value[i] = NAN;
        for (int d = 0; d < CLV_MAX_DIMENSIONS; d++) r->trial.point[d] = NAN;
        if (sqlite3_column_int64(statement, 0) != records->count)
            CLV_TRY(damaged(study, records->count, "is missing", err));
        CLV_TRY(read_state(study, statement, r, err));
        r->attempts = sqlite3_column_int(statement, 3);
        r->progress = sqlite3_column_int64(statement, 4);
        r->epochs = (uint32_t)sqlite3_column_int64(statement, 5);
        r->best_epoch = (uint32_t)sqlite3_column_int64(statement, 6);
        r->seconds = sqlite3_column_double(statement, 7);
        snprintf(r->error, sizeof r->error, "%s", clv_sql_text(statement, 8));
        r->held = r->trial.state == CLV_TRIAL_RUNNING && clv_study_is_held(study, records->count - 1);
    }
done:
    sqlite3_finalize(statement);
    return status;
}

static clv_status read_points(clv_study *study, clv_records *records, clv_error *err)
{
    const clv_search_space *space = &study->plan.space;
    sqlite3_stmt *statement = NULL;
    clv_status status = CLV_OK;
    bool row;
    CLV_TRY(clv_sql_prepare(&study->sql, &statement, err, "SELECT trial, position, value FROM setting", ""));
    for (;;) {
        CLV_TRY(clv_sql_step(&study->sql, statement, &row, err));
        if (!row) break;
        const int64_t trial = sqlite3_column_int64(statement, 0), d = sqlite3_column_int64(statement, 1);
        if (trial < 1 || trial > records->count || d < 0 || d >= space->dimensions ||
            !clv_space_read(&space->dimension[d], clv_sql_text(statement, 2), &records->of[trial - 1].trial.point[d]))
            CLV_TRY(damaged(study, trial, "has a value that is not in [space]", err));
    }
    for (int i = 0; i < records->count; i++)
        for (int d = 0; d < space->dimensions; d++)
            if (isnan(records->of[i].trial.point[d])) CLV_TRY(damaged(study, i + 1, "lacks a value", err));
done:
    sqlite3_finalize(statement);
    return status;
}

/* The time in which something was trained: the union of the results' spans, which come sorted by their beginning. */
static void add_span(clv_records *records, double *until, double started, double finished)
{
    if (started > *until) *until = started;
    if (finished > *until) {
        records->busy += finished - *until;
        *until = finished;
    }
}

static clv_status read_results(clv_study *study, clv_records *records, clv_error *err)
{
    sqlite3_stmt *statement = NULL;
    clv_status status = CLV_OK;
    double until = 0;
    bool row;
    records->busy = 0;
    CLV_TRY(clv_sql_prepare(&study->sql, &statement, err,
                            "SELECT trial, rung, value, started, finished FROM result ORDER BY started", ""));
    for (;;) {
        CLV_TRY(clv_sql_step(&study->sql, statement, &row, err));
        if (!row) break;
        const int64_t trial = sqlite3_column_int64(statement, 0), rung = sqlite3_column_int64(statement, 1);
        if (trial < 1 || trial > records->count || rung < 0 || rung >= CLV_MAX_RUNGS)
            CLV_TRY(damaged(study, trial, "has a result that belongs nowhere", err));
        const double value = clv_sql_real(statement, 2);
        records->of[trial - 1].trial.value[rung] = study->lower_is_better ? value : -value;
        add_span(records, &until, sqlite3_column_double(statement, 3), sqlite3_column_double(statement, 4));
    }
    for (int i = 0; i < records->count; i++) {
        clv_record *r = &records->of[i];
        const double sign = study->lower_is_better ? 1 : -1, best = clv_trial_result(&r->trial);
        r->early = sign * r->trial.value[0];
        r->best = isinf(best) ? NAN : sign * best;
    }
done:
    sqlite3_finalize(statement);
    return status;
}

static clv_status read_all(clv_study *study, clv_records *records, clv_error *err)
{
    clv_records made = {0};
    clv_status status = CLV_OK;
    CLV_TRY(read_trials(study, &made, err));
    CLV_TRY(read_points(study, &made, err));
    CLV_TRY(read_results(study, &made, err));
    *records = made;
    return CLV_OK;
done:
    free(made.of);
    return status;
}

/* Trials and results of one moment, in a transaction that begins so. */
static clv_status read_between(clv_study *study, const char *begin, clv_records *records, clv_error *err)
{
    clv_status status = clv_sql_run(&study->sql, err, begin, "");
    if (status != CLV_OK) return status;
    status = clv_study_end(study, read_all(study, records, err), err);
    if (status == CLV_OK) return CLV_OK;
    free(records->of);
    *records = (clv_records){0};
    return status;
}

/* Running, and nobody has it: its process died, or is just about to say what came of it. */
static bool any_open(const clv_records *records)
{
    for (int i = 0; i < records->count; i++)
        if (records->of[i].trial.state == CLV_TRIAL_RUNNING && !records->of[i].held) return true;
    return false;
}

clv_status clv_study_records(clv_study *study, clv_records *records, clv_error *err)
{
    clv_records made = {0};
    if (!sqlite3_get_autocommit(study->sql.db)) return read_all(study, records, err);
    clv_status status = read_between(study, "BEGIN", &made, err);
    if (status == CLV_OK && any_open(&made) && !sqlite3_db_readonly(study->sql.db, "main")) {
        free(made.of);
        made = (clv_records){0};
        status = read_between(study, "BEGIN IMMEDIATE", &made, err);
    }
    if (status == CLV_OK) *records = made;
    return status;
}

clv_status clv_study_news(clv_study *study, int64_t *sequence, clv_news *news, bool *any, clv_error *err)
{
    sqlite3_stmt *statement = NULL;
    clv_status status = CLV_OK;
    CLV_TRY(
        clv_sql_prepare(&study->sql, &statement, err,
                        "SELECT sequence, trial, result.rung, result.epochs, value, finished - result.started, error "
                        "FROM result JOIN trial ON trial = number WHERE sequence > ? ORDER BY sequence LIMIT 1",
                        "i", *sequence));
    CLV_TRY(clv_sql_step(&study->sql, statement, any, err));
    if (!*any) goto done;
    *sequence = sqlite3_column_int64(statement, 0);
    *news = (clv_news){.trial = sqlite3_column_int(statement, 1) - 1,
                       .rung = sqlite3_column_int(statement, 2),
                       .epochs = (uint32_t)sqlite3_column_int64(statement, 3),
                       .value = clv_sql_real(statement, 4),
                       .seconds = sqlite3_column_double(statement, 5)};
    snprintf(news->error, sizeof news->error, "%s", clv_sql_text(statement, 6));
done:
    sqlite3_finalize(statement);
    return status;
}
