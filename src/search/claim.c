/* Who trains what: trials taken, ended and given back, each in one transaction. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "base/try.h"
#include "experiment/run_folder.h"
#include "search/study_parts.h"

enum { MOST_ATTEMPTS = 5 }; /* of a trial whose process dies without an epoch between */

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* The epochs in a run directory's metrics.csv; one that cannot be read counts as none. */
static int64_t epochs_done(const clv_study *study, int trial)
{
    char run[CLV_PATH_SIZE];
    clv_metric_table table = {0};
    int64_t epochs = 0;
    if (clv_study_run(study, trial, run, NULL) != CLV_OK || clv_metrics_read(run, UINT32_MAX, &table, NULL) != CLV_OK)
        return 0;
    for (size_t i = 0; i < table.rows; i++)
        if (table.row[i].epoch > epochs) epochs = table.row[i].epoch;
    clv_metrics_free(&table);
    return epochs;
}

/* A trial that kills its process again and again would do so for ever. */
static clv_status give_up(clv_study *study, int trial, int rung, clv_error *err)
{
    char text[CLV_TRIAL_ERROR];
    clv_status status = CLV_OK;
    snprintf(text, sizeof text, "its process ended %d times before an epoch was done", MOST_ATTEMPTS);
    CLV_TRY(clv_sql_run(&study->sql, err, "UPDATE trial SET state = ?, error = ? WHERE number = ?", "tti",
                        clv_state_word[CLV_TRIAL_FAILED], text, (int64_t)trial + 1));
    CLV_TRY(
        clv_sql_run(&study->sql, err,
                    "INSERT INTO result (trial, rung, epochs, value, started, finished) VALUES (?, ?, 0, NULL, ?, ?)",
                    "iidd", (int64_t)trial + 1, (int64_t)rung, now(), now()));
done:
    clv_study_unlock(study, trial);
    return status;
}

/* The trials of processes that died: the first whose lock is free is taken. */
static clv_status adopt(clv_study *study, clv_records *records, clv_job *job, clv_error *err)
{
    clv_status status = CLV_OK;
    for (int i = 0; i < records->count && job->kind == CLV_JOB_NONE; i++) {
        clv_record *r = &records->of[i];
        bool got;
        if (r->trial.state != CLV_TRIAL_RUNNING) continue;
        CLV_TRY(clv_study_lock(study, i, &got, err));
        if (!got) continue;
        int64_t epochs = epochs_done(study, i);
        int attempts = epochs > r->progress ? 1 : r->attempts + 1;
        if (attempts > MOST_ATTEMPTS) {
            CLV_TRY(give_up(study, i, r->trial.rung, err));
            r->trial.state = CLV_TRIAL_FAILED;
            continue;
        }
        *job = (clv_job){.kind = CLV_JOB_TRAIN, .trial = i, .rung = r->trial.rung};
        memcpy(job->point, r->trial.point, sizeof job->point);
        CLV_TRY(clv_sql_run(&study->sql, err,
                            "UPDATE trial SET attempts = ?, progress = ?, started = ? WHERE number = ?", "iidi",
                            (int64_t)attempts, epochs, now(), (int64_t)i + 1));
    }
done:
    return status;
}

static clv_status insert(clv_study *study, const clv_job *job, clv_error *err)
{
    clv_status status = CLV_OK;
    CLV_TRY(clv_sql_run(&study->sql, err, "INSERT INTO trial VALUES (?, ?, ?, 1, 0, 0, 0, 0, ?, NULL)", "itid",
                        (int64_t)job->trial + 1, clv_state_word[CLV_TRIAL_RUNNING], (int64_t)job->rung, now()));
    for (int d = 0; d < study->plan.space.dimensions; d++) {
        char text[CLV_SETTING_SIZE];
        const clv_dimension *dimension = &study->plan.space.dimension[d];
        clv_space_print(dimension, job->point[d], text);
        CLV_TRY(clv_sql_run(&study->sql, err, "INSERT INTO setting VALUES (?, ?, ?, ?)", "iitt",
                            (int64_t)job->trial + 1, (int64_t)d, dimension->key, text));
    }
done:
    return status;
}

static clv_status choose(const clv_study *study, const clv_records *records, clv_job *job, clv_error *err)
{
    clv_trial *trial = clv_alloc((size_t)records->count + 1, sizeof *trial, err);
    if (!trial) return CLV_ERR_INTERNAL;
    for (int i = 0; i < records->count; i++) trial[i] = records->of[i].trial;
    const clv_status status = clv_choose(&study->plan, trial, records->count, job, err);
    free(trial);
    return status;
}

clv_status clv_study_left(clv_study *study, bool *left, clv_error *err)
{
    clv_records records = {0};
    clv_job job;
    clv_status status = CLV_OK;
    CLV_TRY(clv_study_records(study, &records, err));
    CLV_TRY(choose(study, &records, &job, err));
    *left = job.kind == CLV_JOB_TRAIN;
    for (int i = 0; i < records.count; i++)
        *left = *left || (records.of[i].trial.state == CLV_TRIAL_RUNNING && !records.of[i].held);
done:
    free(records.of);
    return status;
}

/* Asks the method, and takes what it says. */
static clv_status begin(clv_study *study, const clv_records *records, clv_job *job, clv_error *err)
{
    clv_status status = CLV_OK;
    bool got;
    CLV_TRY(choose(study, records, job, err));
    if (job->kind != CLV_JOB_TRAIN) goto done;
    CLV_TRY(clv_study_lock(study, job->trial, &got, err));
    CLV_REQUIRE(got, CLV_ERR_INTERNAL, "%s/%s: trial %d is held, but nobody trains it", study->folder, CLV_STUDY_LOCK,
                job->trial + 1);
    if (job->trial == records->count) {
        CLV_TRY(insert(study, job, err));
    } else {
        memcpy(job->point, records->of[job->trial].trial.point, sizeof job->point);
        CLV_TRY(clv_sql_run(&study->sql, err,
                            "UPDATE trial SET state = ?, rung = ?, attempts = 1, progress = epochs, started = ? "
                            "WHERE number = ?",
                            "tidi", clv_state_word[CLV_TRIAL_RUNNING], (int64_t)job->rung, now(),
                            (int64_t)job->trial + 1));
    }
done:
    return status;
}

clv_status clv_study_claim(clv_study *study, clv_job *job, clv_error *err)
{
    clv_records records = {0};
    clv_job made = {.kind = CLV_JOB_NONE};
    clv_status status = clv_study_begin(study, err);
    if (status != CLV_OK) return status;
    CLV_TRY(clv_study_records(study, &records, err));
    CLV_TRY(adopt(study, &records, &made, err));
    if (made.kind == CLV_JOB_NONE) CLV_TRY(begin(study, &records, &made, err));
done:
    status = clv_study_end(study, status, err);
    free(records.of);
    if (status == CLV_OK)
        *job = made;
    else if (made.kind == CLV_JOB_TRAIN)
        clv_study_unlock(study, made.trial);
    return status;
}

static clv_status write_outcome(clv_study *study, const clv_job *job, const clv_outcome *outcome, clv_error *err)
{
    const int64_t number = job->trial + 1, rung = job->rung;
    clv_status status = CLV_OK;
    CLV_TRY(clv_sql_run(&study->sql, err,
                        "INSERT INTO result (trial, rung, epochs, value, started, finished) "
                        "SELECT number, rung, ?, ?, started, ? FROM trial WHERE number = ? AND rung = ? AND state = ?",
                        "iddiit", (int64_t)outcome->epochs, outcome->error ? NAN : outcome->value, now(), number, rung,
                        clv_state_word[CLV_TRIAL_RUNNING]));
    CLV_REQUIRE(sqlite3_changes(study->sql.db) == 1, CLV_ERR_INTERNAL,
                "%s: trial %" PRId64 " is not the one that this process trains", study->sql.path, number);
    CLV_TRY(
        clv_sql_run(&study->sql, err,
                    "UPDATE trial SET state = ?, error = ?, epochs = ?, best_epoch = ?, seconds = ? WHERE number = ?",
                    "ttiidi", clv_state_word[outcome->error ? CLV_TRIAL_FAILED : CLV_TRIAL_DONE], outcome->error,
                    (int64_t)outcome->epochs, (int64_t)outcome->best_epoch, outcome->seconds, number));
done:
    return status;
}

clv_status clv_study_finish(clv_study *study, const clv_job *job, const clv_outcome *outcome, clv_error *err)
{
    clv_status status = clv_study_begin(study, err);
    if (status != CLV_OK) return status;
    status = write_outcome(study, job, outcome, err);
    clv_study_unlock(study, job->trial); /* before the commit, see study.h */
    return clv_study_end(study, status, err);
}

void clv_study_release(clv_study *study, const clv_job *job)
{
    if (clv_study_begin(study, NULL) == CLV_OK) {
        clv_status status = clv_sql_run(&study->sql, NULL, "UPDATE trial SET attempts = 0 WHERE number = ?", "i",
                                        (int64_t)job->trial + 1);
        clv_study_unlock(study, job->trial);
        clv_study_end(study, status, NULL);
    } else {
        clv_study_unlock(study, job->trial);
    }
}
