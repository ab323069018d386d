/* Experiments: train, evaluate, look at pictures, measure. Each function takes a configuration or a run directory and
 * does all of its subcommand's work; the program only parses arguments and prints.
 *
 * A run directory holds resolved.ini, log.txt, metrics.csv, best.safetensors, last.safetensors, results.json, figures/
 * and report.html. All files are written whole or not at all. */
#ifndef CLAVE_EXPERIMENT_H
#define CLAVE_EXPERIMENT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "clave/config.h"
#include "clave/device.h"
#include "clave/error.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CLV_PATH_SIZE   1024
#define CLV_MAX_FIGURES 16

struct clv_log; /* where progress goes; NULL is silence */

/* A figure by name: "loss", "mse", "bce", "kl", "elbo", "psnr". */
typedef struct clv_measure {
    char name[24];
    double value;
} clv_measure;

typedef struct clv_measures {
    int count;
    clv_measure of[CLV_MAX_FIGURES];
} clv_measures;

/* The measure of that name, or NaN. */
double clv_measure_get(const clv_measures *measures, const char *name);

typedef struct clv_train_options {
    const char *out; /* run directory; NULL: runs/NAME-DATE-TIME, made new */
    bool resume;     /* go on from out's last.safetensors */
    struct clv_log *log;
    const volatile int *stop; /* set from a signal handler: save a checkpoint and return CLV_INTERRUPTED; may be NULL */
    int stop_after_steps;     /* stop as if `stop` had been set after that many steps; 0 is never */
    uint32_t until_epoch;     /* end well after so many epochs in all, to be resumed with more; 0: train.epochs */
    bool bare;                /* train alone: no test, results.json, pictures or report */
} clv_train_options;

typedef struct clv_train_result {
    char run[CLV_PATH_SIZE];     /* the run directory */
    char device[512];            /* in words */
    uint32_t epochs, best_epoch; /* trained in all, and the best of them, from 1 */
    double seconds;              /* training, this call and those it resumed */
    double images_per_second;    /* of the training passes */
    double first_step_seconds;   /* from the call to the end of the first step */
    clv_measures train, validation, test;
} clv_train_result;

/* Trains; `result` is filled as far as it is known on CLV_INTERRUPTED and CLV_ERR_DIVERGED too. */
clv_status clv_train(const clv_config *config, const clv_train_options *options, clv_train_result *result,
                     clv_error *err);

/* Loads a run's configuration: resolved.ini of the folder, then the overrides. */
clv_status clv_run_config(const char *run, const char *const *overrides, int override_count, clv_config **config,
                          clv_error *err);

/* Measures a run's best weights on a split: "test", "val" or "train". */
clv_status clv_evaluate(const char *run, const clv_config *config, const char *split, struct clv_log *log,
                        clv_measures *measures, clv_error *err);

/* Pictures of a run, written to `path` (NULL: its figures folder). path_out gets where. */
typedef struct clv_picture_options {
    const char *path;
    uint64_t seed;
    int count;         /* images (reconstruct, sample) or side of the grid (manifold); 0: the configuration's */
    int scale;         /* pixels a pixel; 0: the configuration's */
    const char *split; /* reconstruct: "test" (default, NULL), "val" or "train" */
    struct clv_log *log;
} clv_picture_options;
clv_status clv_reconstruct(const char *run, const clv_config *config, const clv_picture_options *options,
                           char path_out[CLV_PATH_SIZE], clv_error *err);
clv_status clv_sample(const char *run, const clv_config *config, const clv_picture_options *options,
                      char path_out[CLV_PATH_SIZE], clv_error *err);
clv_status clv_manifold(const char *run, const clv_config *config, const clv_picture_options *options,
                        char path_out[CLV_PATH_SIZE], clv_error *err);

/* The speed of training steps, beside the device's FMA peak measured in the same run. */
typedef struct clv_bench_result {
    char device[512];
    double images_per_second;
    double gflops;      /* real multiply-adds times two: taps on the zero border not counted */
    double peak_gflops; /* 0 where the backend cannot say */
    double peak_share;  /* gflops / peak_gflops */
    double step_ms;     /* median over blocks of steps */
    int batch, launches;
    uint64_t device_bytes; /* all buffers, data set included */
    double first_step_seconds;
} clv_bench_result;
/* trace: a table of microseconds by launch goes there, or NULL. */
clv_status clv_bench(const clv_config *config, double seconds, FILE *trace, struct clv_log *log,
                     clv_bench_result *result, clv_error *err);

/* What a training step will be: `clave summary`. */
typedef struct clv_summary_result {
    int64_t parameters;
    double mflop_an_image; /* real multiply-adds times two: taps on the zero border not counted */
    int batch, launches;
    uint64_t device_bytes; /* all buffers, data set included */
} clv_summary_result;
/* out: a table of layers and one of memory go there, or NULL. */
clv_status clv_summary(const clv_config *config, FILE *out, struct clv_log *log, clv_summary_result *result,
                       clv_error *err);

#ifdef __cplusplus
}
#endif
#endif
