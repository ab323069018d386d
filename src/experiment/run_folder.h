/* The run directory: its file names, how a new one comes to be, metrics.csv and results.json. */
#ifndef CLAVE_EXPERIMENT_RUN_FOLDER_H
#define CLAVE_EXPERIMENT_RUN_FOLDER_H

#include "clave/experiment.h"

#define CLV_RESOLVED_FILE  "resolved.ini"
#define CLV_BEST_FILE      "best.safetensors"
#define CLV_LAST_FILE      "last.safetensors"
#define CLV_KERNELS_FILE   "kernels.txt" /* the choices that its kernels were made by; a resumed run keeps them */
#define CLV_METRICS_FILE   "metrics.csv"
#define CLV_RESULTS_FILE   "results.json"
#define CLV_LOG_FILE       "log.txt"
#define CLV_LOCK_FILE      ".lock" /* stays behind: unlinking it would let two processes hold two files of one name */
#define CLV_FIGURES_FOLDER "figures"
#define CLV_PICTURES_FOLDER "pictures" /* drawn by commands, beside the run's own figures */
#define CLV_REPORT_FILE    "report.html"

/* A run directory held by this process: another that wants it is refused until clv_run_folder_close. */
typedef struct clv_run_folder {
    char path[CLV_PATH_SIZE];
    int lock; /* file descriptor, -1: none */
} clv_run_folder;

/* CLV_ERR_CONFIG where `out` (not NULL) holds a run already: asked early, before a device is opened. */
clv_status clv_run_folder_check_new(const char *out, clv_error *err);
/* A new folder: `out`, which must not hold a run yet, or runs/NAME-DATE-TIME where out is NULL. */
clv_status clv_run_folder_create(const char *out, const char *name, clv_run_folder *folder, clv_error *err);
/* runs/NAME-DATE-TIME, made new. */
clv_status clv_run_folder_dated(const char *name, char path[CLV_PATH_SIZE], clv_error *err);
/* An existing one, to go on in. CLV_ERR_CONFIG where there is nothing to go on from. */
clv_status clv_run_folder_open(const char *path, clv_run_folder *folder, clv_error *err);
/* A run goes on only under the configuration it began with: CLV_ERR_CONFIG names the first key that differs, but for
 * those that change no trained weight (how long, where, what is drawn). */
clv_status clv_run_folder_check_same(const clv_run_folder *folder, const clv_config *config, clv_error *err);
void clv_run_folder_close(clv_run_folder *folder);

clv_status clv_run_folder_write(const clv_run_folder *folder, const char *name, const char *text, clv_error *err);

/* metrics.csv as rows in memory: rewritten whole after each epoch. */
typedef struct clv_metric_row {
    uint32_t epoch;
    char split[12], metric[24];
    double value;
} clv_metric_row;
typedef struct clv_metric_table {
    clv_metric_row *row;
    size_t rows, capacity;
} clv_metric_table;

clv_status clv_metrics_add(clv_metric_table *table, uint32_t epoch, const char *split, const char *metric, double value,
                           clv_error *err);
clv_status clv_metrics_write(const clv_run_folder *folder, const clv_metric_table *table, clv_error *err);
/* Reads a run's metrics up to `last_epoch` (UINT32_MAX: all); a missing file is an empty table. */
clv_status clv_metrics_read(const char *run, uint32_t last_epoch, clv_metric_table *table, clv_error *err);
double clv_metrics_get(const clv_metric_table *table, uint32_t epoch, const char *split,
                       const char *metric); /* NaN: none */
void clv_metrics_free(clv_metric_table *table);

clv_status clv_results_write(const clv_run_folder *folder, const clv_config *config, const clv_device_info *device,
                             const clv_train_result *result, const clv_class_figures *classes, clv_error *err);

#endif
