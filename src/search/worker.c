/* One process of a search: takes trials from the study and trains them, one after another. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/try.h"
#include "clave/search.h"
#include "experiment/run_folder.h"
#include "experiment/stopping.h"
#include "search/kernels.h"
#include "search/study.h"

enum { DEVICE_FAILURES = 3 }; /* in a row, and it is the device's fault, not the trials' */

typedef struct worker {
    clv_study *study;
    char *text;  /* the experiment without [search] and [space] */
    FILE *quiet; /* what a run would print goes to its log.txt alone */
    const volatile int *stop;
    int device_failures;
} worker;

/* The experiment with the trial's values put in. */
static clv_status trial_config(const clv_study *study, const char *text, const double *point, clv_config **config,
                               clv_error *err)
{
    const clv_search_plan *plan = clv_study_plan(study);
    const char *override[CLV_MAX_DIMENSIONS + 2];
    clv_text made[CLV_MAX_DIMENSIONS + 2] = {{0}};
    char name[CLV_PATH_SIZE];
    int count = plan->space.dimensions;
    clv_status status = CLV_OK;
    for (int d = 0; d < count; d++) {
        char value[CLV_SETTING_SIZE];
        clv_space_print(&plan->space.dimension[d], point[d], value);
        clv_text_append(&made[d], "%s=%s", plan->space.dimension[d].key, value);
    }
    clv_text_append(&made[count++], "train.epochs=%u", plan->epochs[plan->rungs - 1]);
    clv_text_append(&made[count++], "early_stopping.monitor=%s", clv_study_monitor(study));
    for (int i = 0; i < count; i++) {
        CLV_REQUIRE(!made[i].failed, CLV_ERR_INTERNAL, "out of memory for a trial's configuration");
        override[i] = made[i].text;
    }
    CLV_TRY(clv_path_join(name, sizeof name, clv_study_folder(study), CLV_STUDY_INI, err));
    CLV_TRY(clv_config_parse(name, text, strlen(text), override, count, config, NULL, err));
done:
    for (int i = 0; i < CLV_MAX_DIMENSIONS + 2; i++) clv_text_free(&made[i]);
    return status;
}

static clv_status plain_text(const clv_study *study, char **text, clv_error *err)
{
    const char *whole = clv_study_text(study);
    return clv_config_flatten(CLV_STUDY_INI, whole, strlen(whole), NULL, 0, false, text, err);
}

clv_status clv_search_best(const char *folder, char **text, clv_error *err)
{
    clv_study *study = NULL;
    clv_records records = {0};
    clv_config *config = NULL;
    char *plain = NULL;
    int best = -1;
    clv_status status = CLV_OK;
    CLV_TRY(clv_study_open(folder, &study, err));
    CLV_TRY(clv_study_records(study, &records, err));
    for (int i = 0; i < records.count; i++)
        if (!isinf(clv_trial_result(&records.of[i].trial)) &&
            (best < 0 || clv_trial_result(&records.of[i].trial) < clv_trial_result(&records.of[best].trial)))
            best = i;
    CLV_REQUIRE(best >= 0, CLV_ERR_CONFIG, "%s: no trial has a result yet; go on by: clave search %s --resume", folder,
                folder);
    CLV_TRY(plain_text(study, &plain, err));
    CLV_TRY(trial_config(study, plain, records.of[best].trial.point, &config, err));
    CLV_TRY(clv_config_print(config, text, err));
done:
    clv_config_destroy(config);
    free(plain);
    free(records.of);
    clv_study_close(study);
    return status;
}

/* The best epoch's figure, of the epochs that the rung has. */
static clv_status read_outcome(const char *run, const char *monitor, uint32_t until, clv_outcome *outcome,
                               clv_error *err)
{
    clv_metric_table table = {0};
    const clv_monitor wanted = clv_monitor_of(monitor);
    clv_status status = CLV_OK;
    CLV_TRY(clv_metrics_read(run, until, &table, err));
    *outcome = (clv_outcome){.value = NAN};
    for (size_t i = 0; i < table.rows; i++) {
        const clv_metric_row *row = &table.row[i];
        if (row->epoch > outcome->epochs) outcome->epochs = row->epoch;
        if (!strcmp(row->split, "train") && !strcmp(row->metric, "seconds")) outcome->seconds += row->value;
        if (!clv_monitor_is(&wanted, row->split, row->metric)) continue;
        if (!isnan(outcome->value) && wanted.sign * row->value >= wanted.sign * outcome->value) continue;
        outcome->value = row->value;
        outcome->best_epoch = row->epoch;
    }
    CLV_REQUIRE(!isnan(outcome->value), CLV_ERR_DATA, "%s: %s has no %s", run, CLV_METRICS_FILE, monitor);
done:
    clv_metrics_free(&table);
    return status;
}

/* Whether there is something to go on from; a run killed before its first checkpoint begins anew. */
static clv_status has_checkpoint(const char *run, bool *has, clv_error *err)
{
    char path[CLV_PATH_SIZE];
    struct stat info;
    const clv_status status = clv_path_join(path, sizeof path, run, CLV_LAST_FILE, err);
    if (status == CLV_OK) *has = stat(path, &info) == 0;
    return status;
}

/* Up to the rung's epochs; the first trial of a shape ends its run once before, so that its kernels are in the cache.
 */
static clv_status train_to(worker *w, const clv_config *config, clv_train_options options, clv_train_result *result,
                           clv_error *err)
{
    const uint32_t until = options.until_epoch;
    bool first;
    clv_status status = clv_kernels_first(w->study, config, w->stop, &first, err);
    if (status != CLV_OK) return status;
    if (first) {
        options.until_epoch = 1;
        status = clv_train(config, &options, result, err);
        clv_kernels_end(w->study, config, status == CLV_OK);
        if (status != CLV_OK || until == 1) return status;
        options.until_epoch = until;
        options.resume = true;
    }
    return clv_train(config, &options, result, err);
}

static clv_status train_trial(worker *w, const clv_job *job, clv_train_result *result, clv_outcome *outcome,
                              clv_error *err)
{
    const clv_search_plan *plan = clv_study_plan(w->study);
    char run[CLV_PATH_SIZE];
    clv_config *config = NULL;
    clv_log *log = NULL;
    clv_train_options options = {.out = run, .stop = w->stop, .until_epoch = plan->epochs[job->rung], .bare = true};
    clv_status status = CLV_OK;
    *result = (clv_train_result){0};
    CLV_TRY(clv_study_run(w->study, job->trial, run, err));
    CLV_TRY(has_checkpoint(run, &options.resume, err));
    CLV_TRY(trial_config(w->study, w->text, job->point, &config, err));
    log = options.log = clv_log_create(w->quiet);
    CLV_REQUIRE(log, CLV_ERR_INTERNAL, "out of memory for the log of %s", run);
    CLV_TRY(train_to(w, config, options, result, err));
    CLV_TRY(read_outcome(run, clv_study_monitor(w->study), options.until_epoch, outcome, err));
done:
    if (status != CLV_OK && log) clv_log_line(log, "clave: %s", err->message);
    clv_log_destroy(log);
    clv_config_destroy(config);
    return status;
}

/* Whether what went wrong is the trial's own: then it is recorded, and the search goes on. What would go wrong for
 * every trial (no data, a full disk, a device that fails one after another) ends the process, and the trial stays open.
 */
static bool is_trials_own(worker *w, clv_status status, const clv_train_result *result)
{
    if (status == CLV_ERR_DEVICE) return ++w->device_failures < DEVICE_FAILURES;
    w->device_failures = 0;
    return status == CLV_ERR_DIVERGED || status == CLV_ERR_CONFIG || (status == CLV_ERR_DATA && *result->run);
}

static clv_status work_on(worker *w, const clv_job *job, clv_error *err)
{
    clv_outcome outcome = {0};
    clv_train_result result;
    clv_error failure = {0};
    clv_status status = train_trial(w, job, &result, &outcome, &failure);
    if (status == CLV_OK) {
        w->device_failures = 0;
        return clv_study_finish(w->study, job, &outcome, err);
    }
    if (is_trials_own(w, status, &result)) {
        outcome =
            (clv_outcome){.error = failure.message, .value = NAN, .epochs = result.epochs, .seconds = result.seconds};
        return clv_study_finish(w->study, job, &outcome, err);
    }
    clv_study_release(w->study, job);
    return clv_fail(err, status, "%s", failure.message);
}

static void wait_a_little(void)
{
    const struct timespec pause = {.tv_nsec = 100 * 1000 * 1000};
    nanosleep(&pause, NULL);
}

clv_status clv_search_work(const char *folder, const volatile int *stop, clv_error *err)
{
    worker w = {.stop = stop};
    clv_job job = {.kind = CLV_JOB_WAIT};
    clv_status status = CLV_OK;
    CLV_TRY(clv_study_open(folder, &w.study, err));
    CLV_TRY(plain_text(w.study, &w.text, err));
    w.quiet = fopen("/dev/null", "w");
    CLV_REQUIRE(w.quiet, CLV_ERR_INTERNAL, "/dev/null cannot be opened");
    while (job.kind != CLV_JOB_NONE) {
        CLV_REQUIRE(!stop || !*stop, CLV_INTERRUPTED, "interrupted; go on by: clave search %s --resume", folder);
        CLV_TRY(clv_study_claim(w.study, &job, err));
        if (job.kind == CLV_JOB_TRAIN) CLV_TRY(work_on(&w, &job, err));
        if (job.kind == CLV_JOB_WAIT) wait_a_little();
    }
done:
    if (w.quiet) fclose(w.quiet);
    free(w.text);
    clv_study_close(w.study);
    return status;
}
