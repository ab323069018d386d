/* A study: study.sqlite and study.lock of a search's folder, which any number of processes share.
 *
 * Who does what is decided in transactions that begin with BEGIN IMMEDIATE: one process at a time, on any file system
 * where POSIX record locks work. A trial that is being trained is held by a record lock on byte number `trial` of
 * study.lock, which the kernel (or the file server) drops when the process ends, however it ends: no clock, no
 * heartbeat. Why that is enough:
 * - the lock is taken inside the transaction that says "running", before it commits, and dropped inside the one that
 * says what came of it, before that commits;
 * - what a lock says is believed inside such transactions alone, so that nobody sees one between the two: a reader has
 * a transaction that only reads, and where it finds a running trial without a lock it reads again inside one;
 * - so a trial said to be running has either its lock held, by the process that trains it, or a dead process. Then it
 * is given to whoever asks next, with the lock, and goes on from its run directory's checkpoint;
 * - a process killed inside a transaction leaves the database as it was before it (SQLite rolls back), and no lock.
 * POSIX drops a process's record locks on a file when it closes any descriptor of it: a process opens one study once.
 */
#ifndef CLAVE_SEARCH_STUDY_H
#define CLAVE_SEARCH_STUDY_H

#include "clave/experiment.h"
#include "search/trial.h"

#define CLV_STUDY_FILE    "study.sqlite"
#define CLV_STUDY_LOCK    "study.lock"
#define CLV_STUDY_INI     "study.ini"
#define CLV_TRIALS_FOLDER "trials"

typedef struct clv_study clv_study;

/* Makes the folder and the study in it; CLV_ERR_CONFIG where there is one. `text`: the experiment with [search] and
 * [space]. */
clv_status clv_study_create(const char *folder, const char *text, clv_error *err);
/* CLV_ERR_CONFIG where the folder has none, CLV_ERR_DATA where its file is none or is damaged. */
clv_status clv_study_open(const char *folder, clv_study **study, clv_error *err);
void clv_study_close(clv_study *study);

const char *clv_study_folder(const clv_study *study);
const char *clv_study_text(const clv_study *study); /* as of clv_study_open or clv_study_set_text */
const clv_config *clv_study_config(const clv_study *study);
const clv_search_plan *clv_study_plan(const clv_study *study);
const char *clv_study_monitor(const clv_study *study); /* "val.loss" */
double clv_study_sign(const clv_study *study);         /* of the monitored figure: 1, lower is better; or -1 */
clv_status clv_study_set_text(clv_study *study, const char *text, clv_error *err);

/* "FOLDER/trials/0007" of trial 6 (they are counted from 1 on disk). */
clv_status clv_study_run(const clv_study *study, int trial, char path[CLV_PATH_SIZE], clv_error *err);

/* What to do next, taken: a dead process's trial first, else what clv_choose says. A job to train is held until
 * clv_study_finish, clv_study_release or the process's end. */
clv_status clv_study_claim(clv_study *study, clv_job *job, clv_error *err);

/* Whether there is something to do that no living process does: a claim would get it. */
clv_status clv_study_left(clv_study *study, bool *left, clv_error *err);

typedef struct clv_outcome {
    const char *error; /* the trial failed, and why; NULL: it has the value below */
    double value;      /* the monitored figure, as measured */
    uint32_t epochs, best_epoch;
    double seconds; /* of training, in all */
} clv_outcome;
clv_status clv_study_finish(clv_study *study, const clv_job *job, const clv_outcome *outcome, clv_error *err);
/* An interrupted job: the next who asks gets it. */
void clv_study_release(clv_study *study, const clv_job *job);

/* A trial with all that is known of it. */
typedef struct clv_record {
    clv_trial trial;
    double best;  /* the monitored figure as measured, of the highest rung that has one; NaN: none, or it failed */
    double early; /* of the first rung */
    uint32_t epochs, best_epoch;
    double seconds;
    int attempts;     /* times it was begun since `progress` */
    int64_t progress; /* epochs done when it was begun last */
    bool held;        /* running, by a process that lives */
    char error[CLV_TRIAL_ERROR];
} clv_record;

typedef struct clv_records {
    clv_record *of;
    int count;
    double busy; /* seconds in which at least one trial was being trained, pauses between calls left out */
} clv_records;   /* starts as {0}; free(of) */
/* Of one moment: in the transaction that is open, else in one of its own. It writes nothing: a study that may not be
 * written is read too. */
clv_status clv_study_records(clv_study *study, clv_records *records, clv_error *err);

/* Results in the order they came in: the one after *sequence, or false. */
typedef struct clv_news {
    int trial, rung;
    uint32_t epochs;
    double value; /* NaN: the trial failed */
    double seconds;
    char error[CLV_TRIAL_ERROR];
} clv_news;
clv_status clv_study_news(clv_study *study, int64_t *sequence, clv_news *news, bool *any, clv_error *err);

#endif
