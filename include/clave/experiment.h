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
    uint32_t train_images;       /* of the training split */
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

/* A classifier's answers on a split. Start as {0}; free with clv_class_figures_free. */
typedef struct clv_class_figures {
    int classes;
    struct clv_class_figure {
        char name[64];
        uint32_t count, answers, right; /* images of the class; answers that name it; both */
        double precision, recall;       /* right / answers, right / count; NaN where there are none */
    } *of;               /* [classes] */
    uint32_t *confusion; /* [true class][answer] */
} clv_class_figures;
void clv_class_figures_free(clv_class_figures *figures);

/* What to measure of a run's weights, as it ended, on a split. What takes a run takes the weights that its
 * early_stopping.restore_best says: the best epoch's, or the last one's. */
#define CLV_MAX_BOUNDS  6
#define CLV_MAX_SAMPLES 10000
typedef struct clv_evaluate_options {
    const char *split;  /* "test" (NULL), "val" or "train" */
    const int *samples; /* [bounds] rising: a vae's importance-weighted bounds, see below */
    int bounds;         /* 0 .. CLV_MAX_BOUNDS */
    struct clv_log *log;
} clv_evaluate_options;

/* The split's losses and what else the task has. With samples, for each K of them as measure "iwae_K", the
 * importance-weighted bound on log p(x) of a vae with cross-entropy (Burda et al. 2016, equation 8), in nats an image: one
 * sample gives the evidence lower bound, more give a tighter one. CLV_ERR_CONFIG for a run that is no such vae. classes
 * (may be NULL) gets a classifier's answers, nothing (classes 0) of other tasks. */
clv_status clv_evaluate(const char *run, const clv_config *config, const clv_evaluate_options *options,
                        clv_measures *measures, clv_class_figures *classes, clv_error *err);

/* What a classifier says of images given as PNG files or by their index in the split "test". */
typedef struct clv_answers {
    int images, classes;
    char (*class_name)[64]; /* [classes] */
    double *probability;    /* [image][class] */
} clv_answers;
void clv_answers_free(clv_answers *answers);
clv_status clv_classify(const char *run, const clv_config *config, const char *const *image, int images,
                        struct clv_log *log, clv_answers *answers, clv_error *err);

/* Pictures of a run, written to `path` (NULL: RUN/pictures, under a name that says the settings; what training drew in
 * RUN/figures stays as it is). path_out gets where. */
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
clv_status clv_manifold(const char *run, const clv_config *config, const clv_picture_options *options,
                        char path_out[CLV_PATH_SIZE], clv_error *err);

/* New images, decoded from codes drawn from a vae's prior N(0, 1), from a normal, or from a mixture of normals fitted to
 * the codes of the training images (of a vae: to mu). */
typedef enum clv_from { CLV_FROM_DEFAULT /* a vae's prior, else the normal */, CLV_FROM_PRIOR, CLV_FROM_NORMAL, CLV_FROM_MIXTURE } clv_from;
typedef struct clv_sample_options {
    clv_picture_options picture;
    clv_from from;
    int components; /* of the mixture; 0: as many as have the least BIC */
} clv_sample_options;
typedef struct clv_sample_result {
    char path[CLV_PATH_SIZE];
    clv_from from;
    int components;        /* of what was fitted; 0: the prior, nothing was */
    uint32_t codes;        /* that it was fitted to */
    double log_likelihood; /* of those, nats a code */
} clv_sample_result;
extern const char *const clv_from_names[]; /* [clv_from]: "default", "prior", "normal", "mixture" */
clv_status clv_sample(const char *run, const clv_config *config, const clv_sample_options *options,
                      clv_sample_result *result, clv_error *err);

/* What lies between two images: their codes' straight way and the arc about the origin, decoded. Each of from and to is an
 * index into the picture's split, or a PNG file. */
#define CLV_MAX_STEPS 100
typedef enum clv_way { CLV_WAY_BOTH, CLV_WAY_LINEAR, CLV_WAY_SPHERICAL } clv_way;
extern const char *const clv_way_names[]; /* [clv_way]: "both", "linear", "spherical" */
typedef struct clv_interpolate_options {
    clv_picture_options picture; /* count: steps, the two codes included, 2 .. CLV_MAX_STEPS; 0: 10 */
    const char *from, *to;
    clv_way way;
} clv_interpolate_options;
typedef struct clv_interpolate_result {
    char path[CLV_PATH_SIZE];
    double angle;  /* between the codes, radians; NaN where one is 0 */
    bool straight; /* there is no one arc: the spherical way is the linear one */
} clv_interpolate_result;
clv_status clv_interpolate(const char *run, const clv_config *config, const clv_interpolate_options *options,
                           clv_interpolate_result *result, clv_error *err);

/* Runs beside each other: what their results.json and resolved.ini say. A quantity is a path into the results
 * ("test.accuracy", "train.images", "seconds") or a key of the configuration ("train.lr"). */
typedef struct clv_compare_options {
    const char *x, *y; /* quantities; NULL: the number of the run, test.loss */
    const char *by;    /* runs that agree in it make a line; NULL: experiment.name */
    const char *path;  /* of a plot of y against x; NULL: none */
    bool log_x, log_y;
} clv_compare_options;
typedef struct clv_compared {
    const char *run; /* the caller's */
    char by[64];
    double x, y;
} clv_compared;
/* Fills compared[runs] in the order of the runs. CLV_ERR_DATA where a run has not ended, CLV_ERR_CONFIG where it has no such
 * quantity. */
clv_status clv_compare(const char *const *run, int runs, const clv_compare_options *options, clv_compared *compared,
                       clv_error *err);

/* How unlike the training images each image is: its reconstruction error, mse or bce as the run's loss has it, of a vae
 * with bce its negative evidence lower bound. Higher is more anomalous. */
typedef struct clv_score_options {
    clv_picture_options picture; /* split: NULL is "test"; path: NULL draws a split's extremes to RUN/pictures, and
                                    named images not at all; count: most anomalous and least anomalous drawn, 0: 10 */
    const char *const *names; /* indices into the split, or PNG files; none: the whole split */
    int name_count;
} clv_score_options;
typedef struct clv_score_row {
    uint32_t image;    /* in the split, or among the names */
    int label;         /* -1: unknown */
    double score;      /* that rows are ranked by */
    double loss, kl;   /* reconstruction error (a vae decodes mu) and, of a vae, KL divergence, else 0 */
    double percentile; /* share of the test images, in percent, whose score is not higher */
} clv_score_row;
typedef struct clv_score_result {
    const char *measure, *loss; /* "mse", "bce", "negative_elbo"; "mse" or "bce" */
    bool vae;
    uint32_t count;
    clv_score_row *row; /* [count], the most anomalous first */
    int classes;
    char **class_name;  /* [classes], of the labels */
    double mean;        /* of the scores */
    char path[CLV_PATH_SIZE]; /* of the picture, "" where none was drawn */
} clv_score_result;
/* Free the result with clv_score_free. */
clv_status clv_score(const char *run, const clv_config *config, const clv_score_options *options,
                     clv_score_result *result, clv_error *err);
void clv_score_free(clv_score_result *result);

/* The speed of training steps, or of inference alone (reconstructions; a classifier's answers), beside the device's FMA peak measured
 * in the same run. */
typedef struct clv_bench_result {
    char device[512];
    double images_per_second;
    double gflops;      /* real multiply-adds times two: taps on the zero border not counted */
    double peak_gflops; /* 0 where the backend cannot say */
    double peak_share;  /* gflops / peak_gflops */
    double step_ms;     /* median over blocks of steps */
    double least_ms;    /* of the fastest block: where others use the machine too, nearer to what a step takes */
    double least_share; /* of the fastest peak, by the fastest block */
    int batch, launches;
    uint64_t device_bytes; /* all buffers, data set included */
    double first_step_seconds;
} clv_bench_result;
/* trace: a table of microseconds by launch goes there, or NULL. */
clv_status clv_bench(const clv_config *config, bool inference, double seconds, FILE *trace, struct clv_log *log,
                     clv_bench_result *result, clv_error *err);

/* How the speed of a training step changes with one size of the experiment, all else as it is: `clave bench --scaling`.
 * Images are random bytes. What the layers, the device or its memory cannot take is passed over, with the reason. */
#define CLV_MAX_SCALES 32
typedef enum clv_scaled {
    CLV_SCALED_BATCH,    /* train.batch */
    CLV_SCALED_CHANNELS, /* of the widest convolution of the encoder; the others in proportion */
    CLV_SCALED_SIZE,     /* pixels of an image's longer side; the other in proportion */
    CLV_SCALED_COUNT
} clv_scaled;
extern const char *const clv_scaled_names[]; /* [clv_scaled]: "batch", "channels", "size" */
typedef struct clv_scaling_options {
    bool what[CLV_SCALED_COUNT]; /* which are to be changed, one after the other */
    const int *value;            /* [values] rising, where one is changed; NULL: those of a table, from small to large */
    int values;                  /* up to CLV_MAX_SCALES */
    double seconds;              /* of measurement a point */
    const char *path;            /* of a plot to be drawn of it: refused at once where it is none; may be NULL */
    struct clv_log *log;
} clv_scaling_options;
typedef struct clv_scaling {
    char name[64]; /* experiment.name */
    char device[512];
    int points;
    struct clv_scaling_point {
        clv_scaled what;
        int value;
        char skipped[CLV_ERROR_SIZE]; /* why nothing was measured; "": it was */
        double step_ms, images_per_second, gflops; /* as in clv_bench_result, of the fastest of three rounds */
        double peak_gflops, peak_share; /* the same of all points: the median of their peaks, and gflops over it */
        double trend; /* gflops over the line through its neighbours on logarithmic axes; NaN: the first, or too few */
        bool cliff;   /* 30 % or more under it */
    } point[CLV_SCALED_COUNT * CLV_MAX_SCALES];
} clv_scaling;
typedef struct clv_scaling_point clv_scaling_point;
/* Of the experiment that clv_config_load makes of path and overrides. */
clv_status clv_scale(const char *path, const char *const *overrides, int override_count,
                     const clv_scaling_options *options, clv_scaling *scaling, clv_error *err);
/* Draws the points to `path`, .png or .svg. */
clv_status clv_scaling_draw(const char *path, const clv_scaling *scaling, clv_error *err);

/* A roofline on paper of one training step: `clave bench --roofline`. FLOPs are real multiply-adds times two; bytes are each call's
 * inputs read once and results written once. No device is opened. */
#define CLV_MAX_CLASSES  16
#define CLV_MAX_FAMILIES 12
typedef struct clv_roofline {
    int batch, families, classes;
    struct clv_roofline_family { /* calls of the plan by kernel family, a step */
        const char *name;        /* "conv", "deconv", "conv_weight", "pointwise", ... */
        double gflop, gbytes;
    } family[CLV_MAX_FAMILIES];
    struct clv_roofline_class { /* a class of device, by vendors' data sheets */
        const char *name;
        double peak_gflops, peak_gbytes, launch_us; /* GFLOP/s, GB/s, time between launches */
        int launches;                               /* a step, joint ones counted once, clave's own kernels for all */
        double arithmetic_ms, memory_ms, launch_ms; /* a step, each alone; memory: with what launches leave in scratch memory */
        double step_ms;    /* the sum over launches of the largest of the three */
        const char *limit; /* "arithmetic", "memory" or "launches": the largest of a step */
        double images_per_second;
    } device[CLV_MAX_CLASSES];
} clv_roofline;
typedef struct clv_roofline_family clv_roofline_family;
typedef struct clv_roofline_class clv_roofline_class;
clv_status clv_roofline_of(const clv_config *config, clv_roofline *roofline, clv_error *err);

/* Faster kernels for an experiment's products on its device, kept for all runs to come: `clave tune`. */
typedef struct clv_tune_options {
    double seconds; /* of tuning, at most */
    struct clv_log *log;
    const volatile int *stop;                            /* set: no further candidate; may be NULL */
    void (*tell)(void *context, const clv_tuned *tuned); /* after each kind of call, those that take longest first */
    void *context;
} clv_tune_options;
typedef struct clv_tune_result {
    char device[512];
    double seconds;                       /* of tuning */
    double step_ms_before, step_ms_after; /* of a training step, timed in turns */
    bool kept;                            /* the step is faster: what was found counts; else all is as before */
} clv_tune_result;
clv_status clv_tune(const clv_config *config, const clv_tune_options *options, clv_tune_result *result, clv_error *err);

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
