/* The speed of a step against one size of the experiment. Points are measured in rounds, each round all of them in an
 * order that leaps to and fro, and a point's figures are the medians of its fastest round (the peak is one for all):
 * what else the machine does at a moment only slows, meets points that are no neighbours, and no point in every round.
 */
#include "experiment/scaling.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/order.h"
#include "base/philox.h"
#include "base/try.h"
#include "clave/report.h"
#include "experiment/dataset.h"
#include "experiment/pass.h"
#include "experiment/trend.h"

#define ROUNDS     3
#define MOST_STEPS 8    /* batches that the images are enough for, */
#define LEAST_DATA 4096 /* and images at least, so that a batch is gathered from more memory than a cache holds */
#define MOST_BYTES ((size_t)64 << 20)

const char *const clv_scaled_names[CLV_SCALED_COUNT] = {"batch", "channels", "size"};

/* Each point costs a cold start of kernels, so they are few. Not powers of two alone: of vectors of 16 floats a batch
 * of 100 makes seven, 200 thirteen. Sides that three strides of two halve, and those that two do. */
static const int batches[] = {16, 32, 64, 100, 128, 200, 256, 512, 1024, 2048, 4096};
static const int channels[] = {8, 16, 32, 64, 96, 128, 192, 256};
static const int sizes[] = {28, 36, 44, 60, 64, 92, 124, 128};
static const struct {
    const int *value;
    int values;
} usual[CLV_SCALED_COUNT] = {
    [CLV_SCALED_BATCH] = {batches, sizeof batches / sizeof *batches},
    [CLV_SCALED_CHANNELS] = {channels, sizeof channels / sizeof *channels},
    [CLV_SCALED_SIZE] = {sizes, sizeof sizes / sizeof *sizes},
};

/* What all points share. */
typedef struct source {
    char name[64];    /* of the experiment */
    const char *path; /* of the INI file, the caller's */
    const char *const *override;
    int overrides;
    clv_image_shape image; /* of the experiment's own images */
    int classes;           /* of its labels; 0: there are none */
} source;

#define MOST_OVERRIDES 256

/* The caller's overrides and behind them the lines of `more`, which are cut at their ends. */
static clv_status load(const source *from, char *more, clv_config **config, clv_error *err)
{
    int count = from->overrides;
    clv_status status = CLV_OK;
    const char **override = clv_alloc((size_t)count + MOST_OVERRIDES, sizeof *override, err);
    if (!override) return CLV_ERR_INTERNAL;
    if (count) memcpy(override, from->override, (size_t)count * sizeof *override);
    for (char *line = more, *end; line && *line; line = end + 1) {
        CLV_REQUIRE(count < from->overrides + MOST_OVERRIDES, CLV_ERR_CONFIG, "more than %d numbers would change",
                    MOST_OVERRIDES);
        end = strchr(line, '\n');
        *end = '\0';
        override[count++] = line;
    }
    CLV_TRY(clv_config_load(from->path, override, count, config, NULL, err));
done:
    free(override);
    return status;
}

/* The test images, which are quickly read, say what images and labels are like. */
static clv_status look_at_data(source *from, clv_error *err)
{
    clv_config *config = NULL;
    clv_images images = {0};
    clv_status status = CLV_OK;
    CLV_TRY(load(from, NULL, &config, err));
    CLV_TRY(clv_dataset_load(config, CLV_SPLIT_TEST, &images, err));
    snprintf(from->name, sizeof from->name, "%s", clv_config_string(config, "experiment.name"));
    from->image = (clv_image_shape){images.channels, images.height, images.width};
    from->classes = images.label ? images.classes : 0;
done:
    clv_images_free(&images);
    clv_config_destroy(config);
    return status;
}

/* Random bytes; a few batches of them where a batch is large. */
static clv_status make_images(const clv_image_shape *shape, int batch, int classes, clv_images *images, clv_error *err)
{
    const size_t pixels = (size_t)shape->channels * (size_t)shape->height * (size_t)shape->width;
    size_t count = LEAST_DATA > MOST_STEPS * batch ? LEAST_DATA : (size_t)MOST_STEPS * (size_t)batch;
    clv_random random = clv_random_start(1, CLV_STREAM_PICTURE);
    while (count > (size_t)batch && count * pixels > MOST_BYTES) count /= 2;
    if (count < (size_t)batch) count = (size_t)batch;
    *images = (clv_images){
        .count = (uint32_t)count, .channels = shape->channels, .height = shape->height, .width = shape->width};
    images->pixel = clv_alloc(count, pixels, err);
    images->label = classes ? clv_alloc(count, 1, err) : NULL;
    if (!images->pixel || (classes && !images->label)) return CLV_ERR_INTERNAL;
    for (size_t i = 0; i < count * pixels; i++) images->pixel[i] = (uint8_t)(clv_random_word(&random) >> 24);
    for (size_t i = 0; i < count && classes; i++) images->label[i] = (uint8_t)(i % (size_t)classes);
    return CLV_OK;
}

/* One point, once: a session of its own, so that the memory of one is free for the next. */
static clv_status measure(const source *from, const clv_scaling_point *point, double seconds, char device[512],
                          clv_bench_result *result, clv_error *err)
{
    const clv_phase_request request = {CLV_MODE_TRAIN, CLV_DATASET_TEST};
    clv_config *own = NULL, *config = NULL;
    clv_session *s = NULL;
    clv_images images = {0};
    clv_text overrides = {0};
    clv_image_shape shape;
    clv_status status = CLV_OK;
    CLV_TRY(load(from, NULL, &own, err));
    CLV_TRY(clv_scaling_overrides(own, from->image, point->what, point->value, &shape, &overrides, err));
    CLV_TRY(load(from, overrides.text, &config, err));
    CLV_TRY(make_images(&shape, (int)clv_config_int(config, "train.batch"), from->classes, &images, err));
    CLV_TRY(clv_session_open_given(config, NULL, &request, 1, &images, &s, err));
    CLV_TRY(clv_session_load(s, NULL, err));
    clv_session_device(s, device, 512);
    CLV_TRY(clv_measure_steps(s, seconds, 1, result, err));
done:
    clv_session_close(s);
    clv_images_free(&images);
    clv_text_free(&overrides);
    clv_config_destroy(config);
    clv_config_destroy(own);
    return status;
}

static int common_divisor(int a, int b) { return b == 0 ? a : common_divisor(b, a % b); }

/* The i-th of n points in a round: leaps of about three fifths of them. */
static int leap(int i, int n, int round)
{
    int stride = n * 3 / 5;
    while (stride == 0 || common_divisor(stride, n) != 1) stride++;
    return (round + i * stride) % n;
}

static void keep_faster(const clv_bench_result *round, clv_scaling_point *p)
{
    if (p->step_ms > 0 && p->step_ms <= round->step_ms) return;
    p->step_ms = round->step_ms;
    p->images_per_second = round->images_per_second;
    p->gflops = round->gflops;
    p->peak_gflops = round->peak_gflops;
}

/* A point that the layers, the device or its memory do not take is passed over in the rounds to come. */
static clv_status run_rounds(const source *from, const clv_scaling_options *o, clv_scaling *r, clv_error *err)
{
    for (int round = 0; round < ROUNDS; round++) {
        clv_log_line(o->log, "round %d of %d: %d points%s", round + 1, ROUNDS, r->points,
                     round == 0 ? ", the kernels of each compiled where they are not cached" : "");
        for (int i = 0; i < r->points; i++) {
            clv_scaling_point *p = &r->point[leap(i, r->points, round)];
            clv_bench_result result = {0};
            clv_error why = {0};
            char note[64];
            snprintf(note, sizeof note, "%s %d", clv_scaled_names[p->what], p->value);
            clv_log_progress(o->log, "scaling", round * r->points + i, (long)ROUNDS * r->points, 0, note);
            if (*p->skipped) continue;
            clv_status status = measure(from, p, o->seconds / ROUNDS, r->device, &result, &why);
            if (status == CLV_OK) keep_faster(&result, p);
            if (status == CLV_ERR_CONFIG || status == CLV_ERR_DEVICE)
                snprintf(p->skipped, sizeof p->skipped, "%s", why.message);
            else if (status != CLV_OK)
                return clv_fail(err, status, "%s %d: %s", clv_scaled_names[p->what], p->value, why.message);
        }
    }
    return CLV_OK;
}

/* The points of one quantity against their neighbours, those that were passed over left out. */
static void judge(clv_scaling *r, clv_scaled what)
{
    double x[CLV_MAX_SCALES] = {0}, y[CLV_MAX_SCALES] = {0}, share[CLV_MAX_SCALES];
    clv_scaling_point *point[CLV_MAX_SCALES];
    int count = 0;
    for (int i = 0; i < r->points; i++)
        if (r->point[i].what == what && !*r->point[i].skipped) {
            point[count] = &r->point[i];
            x[count] = r->point[i].value;
            y[count++] = r->point[i].gflops;
        }
    clv_trend_shares(x, y, count, share);
    for (int i = 0; i < count; i++) {
        point[i]->trend = share[i];
        point[i]->cliff = clv_trend_is_cliff(share[i]);
    }
}

static void add_points(const clv_scaling_options *o, clv_scaled what, clv_scaling *r)
{
    const int *value = o->value ? o->value : usual[what].value, values = o->value ? o->values : usual[what].values;
    for (int i = 0; i < values; i++) r->point[r->points++] = (clv_scaling_point){.what = what, .value = value[i]};
}

/* All points' shares are of one peak, the median of theirs: a point has few samples of it, and one that the machine's
 * other work fell on would lift its point above all others. */
static void share_peak(clv_scaling *r)
{
    double peak[CLV_SCALED_COUNT * CLV_MAX_SCALES];
    size_t count = 0;
    for (int i = 0; i < r->points; i++)
        if (r->point[i].peak_gflops > 0) peak[count++] = r->point[i].peak_gflops;
    if (!count) return;
    const double median = clv_median(peak, count);
    for (int i = 0; i < r->points; i++) {
        if (*r->point[i].skipped) continue;
        r->point[i].peak_gflops = median;
        r->point[i].peak_share = r->point[i].gflops / median;
    }
}

/* Where not even one point could be measured, the first reason is the call's. */
static clv_status check_measured(const clv_scaling *r, clv_error *err)
{
    for (int i = 0; i < r->points; i++)
        if (!*r->point[i].skipped) return CLV_OK;
    return clv_fail(err, CLV_ERR_CONFIG, "nothing could be measured; %s %d: %s", clv_scaled_names[r->point[0].what],
                    r->point[0].value, r->point[0].skipped);
}

clv_status clv_scale(const char *path, const char *const *overrides, int override_count,
                     const clv_scaling_options *options, clv_scaling *r, clv_error *err)
{
    source from = {.path = path, .override = overrides, .overrides = override_count};
    clv_status status = CLV_OK;
    memset(r, 0, sizeof *r);
    if (options->path) CLV_TRY(clv_plot_path_check(options->path, err));
    CLV_TRY(look_at_data(&from, err));
    memcpy(r->name, from.name, sizeof r->name);
    for (int what = 0; what < CLV_SCALED_COUNT; what++)
        if (options->what[what]) add_points(options, (clv_scaled)what, r);
    CLV_TRY(run_rounds(&from, options, r, err));
    CLV_TRY(check_measured(r, err));
    share_peak(r);
    for (int what = 0; what < CLV_SCALED_COUNT; what++) judge(r, (clv_scaled)what);
done:
    clv_log_progress_clear(options->log);
    return status;
}
