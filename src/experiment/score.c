/* Anomaly scores: each image's own losses, ranked, and where they stand among those of the test images. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/try.h"
#include "experiment/codes.h"
#include "experiment/drawing.h"
#include "experiment/given.h"
#include "experiment/run_folder.h"
#include "experiment/weigh.h"

#define MOST_COLUMNS 16
#define DRAWN        10 /* of either end, where nobody says */
#define ELBO_SAMPLES 8  /* of a code, over which the bound's reconstruction error is a mean */

/* What a session must do to score: a vae's bound takes samples of the code. */
static int score_phases(const clv_config *config, int dataset, clv_phase_request request[CLV_MAX_PHASES])
{
    const bool bound = !strcmp(clv_config_string(config, "experiment.task"), "vae") &&
                       !strcmp(clv_config_string(config, "loss.reconstruction"), "bce");
    request[0] = (clv_phase_request){CLV_MODE_SCORE, dataset};
    request[1] = (clv_phase_request){CLV_MODE_RECONSTRUCT, dataset};
    request[2] = (clv_phase_request){CLV_MODE_ENCODE, dataset};
    request[3] = (clv_phase_request){CLV_MODE_WEIGH, dataset};
    return bound ? 4 : 2;
}

/* ---- the scores of places ---- */

static clv_status read_losses(clv_session *s, const clv_phase *phase, uint32_t first, uint32_t count, float *value,
                              clv_score_row *row, clv_error *err)
{
    clv_status status = CLV_OK;
    const uint32_t batch = (uint32_t)phase->plan->batch;
    for (uint32_t done = 0, n; done < count; done += n) {
        n = count - done < batch ? count - done : batch;
        const clv_step step = {.offset = first + done, .count = n};
        CLV_TRY(clv_program_run(s->be, phase->program, &step, err));
        CLV_TRY(clv_session_read_batch(s, phase, phase->graph.image_loss, value, (int)n, err));
        for (uint32_t i = 0; i < n; i++) row[done + i].loss = row[done + i].score = (double)value[i];
        if (phase->graph.image_kl == CLV_NODE_NONE) continue;
        CLV_TRY(clv_session_read_batch(s, phase, phase->graph.image_kl, value, (int)n, err));
        for (uint32_t i = 0; i < n; i++) row[done + i].kl = (double)value[i];
    }
done:
    return status;
}

/* KL divergence, plus the reconstruction error's mean over samples of the code. */
static clv_status read_bounds(clv_session *s, int dataset, uint32_t first, uint32_t count, clv_score_row *row,
                              clv_error *err)
{
    const int samples = ELBO_SAMPLES;
    double bound;
    clv_status status = CLV_OK;
    double *loss = clv_alloc(count, sizeof *loss, err);
    clv_weighing w = {.dataset = dataset,
                      .first = first,
                      .count = count,
                      .seed = (uint64_t)clv_config_int(s->config, "experiment.seed"),
                      .samples = &samples,
                      .bounds = 1,
                      .label = "samples",
                      .bound = &bound,
                      .loss = loss};
    if (!loss) return CLV_ERR_INTERNAL;
    CLV_TRY(clv_weigh(s, &w, err));
    for (uint32_t i = 0; i < count; i++) row[i].score = row[i].kl + loss[i];
done:
    free(loss);
    return status;
}

static clv_status score_places(clv_session *s, int dataset, uint32_t first, uint32_t count, clv_score_row *row,
                               clv_error *err)
{
    const clv_phase *phase = clv_session_phase(s, CLV_MODE_SCORE, dataset);
    clv_status status = CLV_OK;
    float *value = clv_alloc((size_t)phase->plan->batch, sizeof *value, err);
    if (!value) return CLV_ERR_INTERNAL;
    CLV_TRY(read_losses(s, phase, first, count, value, row, err));
    if (clv_session_phase(s, CLV_MODE_WEIGH, dataset)) CLV_TRY(read_bounds(s, dataset, first, count, row, err));
    for (uint32_t i = 0; i < count; i++)
        CLV_REQUIRE(isfinite(row[i].score), CLV_ERR_DIVERGED,
                    "the score of image %u is not finite: the model has diverged; train it again with a lower train.lr",
                    i);
done:
    free(value);
    return status;
}

/* ---- ranks ---- */

static int compare_rows(const void *a, const void *b)
{
    const clv_score_row *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? 1 : -1;
    return (x->image > y->image) - (x->image < y->image);
}

/* The test images' rows, ranked. */
static clv_status score_test_images(const char *run, const clv_config *config, clv_score_row **row, uint32_t *count,
                                    clv_error *err)
{
    clv_phase_request request[CLV_MAX_PHASES];
    clv_session *s = NULL;
    clv_score_row *made = NULL;
    clv_status status = CLV_OK;
    const int requests = score_phases(config, CLV_DATASET_TEST, request);
    CLV_TRY(clv_session_open_run(run, config, NULL, request, requests, &s, err));
    const uint32_t all = s->images[CLV_DATASET_TEST].count;
    made = clv_alloc(all, sizeof *made, err);
    CLV_REQUIRE(made, CLV_ERR_INTERNAL, "out of memory for the scores of %u images", all);
    CLV_TRY(score_places(s, CLV_DATASET_TEST, 0, all, made, err));
    qsort(made, all, sizeof *made, compare_rows);
    *row = made;
    *count = all;
    made = NULL;
done:
    free(made);
    clv_session_close(s);
    return status;
}

/* Among `others`, ranked. */
static double percentile_of(double score, const clv_score_row *others, uint32_t count)
{
    uint32_t low = 0, high = count; /* the first whose score is not higher */
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (others[middle].score > score)
            low = middle + 1;
        else
            high = middle;
    }
    return 100.0 * (count - low) / count;
}

static void rank(clv_score_result *result, const clv_score_row *others, uint32_t count)
{
    qsort(result->row, result->count, sizeof *result->row, compare_rows);
    if (!others) others = result->row, count = result->count;
    for (uint32_t i = 0; i < result->count; i++) {
        result->row[i].percentile = percentile_of(result->row[i].score, others, count);
        result->mean += result->row[i].score / result->count;
    }
}

/* ---- the picture ---- */

/* What is drawn: the most anomalous images and, in a band below them, the least; of named ones one band, in their rank.
 */
typedef struct layout {
    uint32_t columns;
    int bands;
} layout;

static layout lay_out(const clv_score_options *options, uint32_t count)
{
    const uint32_t wanted = options->picture.count ? (uint32_t)options->picture.count : DRAWN;
    layout l = {wanted < MOST_COLUMNS ? wanted : MOST_COLUMNS, options->name_count || count < 2 ? 1 : 2};
    if (l.columns > count / (uint32_t)l.bands) l.columns = count / (uint32_t)l.bands;
    return l;
}

/* The row of the image drawn at that column of a band. */
static const clv_score_row *row_at(const clv_score_result *result, uint32_t band, uint32_t column)
{
    return &result->row[band == 0 ? column : result->count - 1 - column];
}

/* The order that brings the places of the drawn rows to the front. */
static void order_drawn(const clv_score_result *result, layout l, uint32_t first, uint32_t all, uint32_t *order)
{
    for (uint32_t i = 0; i < all; i++) order[i] = i;
    for (uint32_t i = 0; i < l.columns * (uint32_t)l.bands; i++) {
        const uint32_t place = first + row_at(result, i / l.columns, i % l.columns)->image;
        uint32_t from = i;
        while (order[from] != place) from++;
        order[from] = order[i];
        order[i] = place;
    }
}

/* Under each image what it is called, under its reconstruction the score. */
typedef struct words {
    char text[4 * MOST_COLUMNS][CLV_SHORT_NAME];
    const char *caption[4 * MOST_COLUMNS];
    const char *const *row_name;
    char title[96];
} words;

static void put_words(const clv_score_options *options, const char *split, const clv_score_result *result, layout l,
                      words *w)
{
    static const char *const extremes[] = {"most", "decoded", "least", "decoded"}, *const named[] = {"image",
                                                                                                     "decoded"};
    w->row_name = options->name_count ? named : extremes;
    for (uint32_t i = 0; i < 2 * (uint32_t)l.bands * l.columns; i++) {
        const clv_score_row *row = row_at(result, i / (2 * l.columns), i % l.columns);
        char *text = w->text[i];
        if (i / l.columns % 2)
            snprintf(text, sizeof w->text[i], "%.4g", row->score);
        else if (options->name_count)
            clv_given_short_name(options->names[row->image], text);
        else
            snprintf(text, sizeof w->text[i], "%" PRIu32, row->image);
        w->caption[i] = text;
    }
    if (options->name_count)
        snprintf(w->title, sizeof w->title, "Images by their anomaly (%s)", result->measure);
    else
        snprintf(w->title, sizeof w->title, "The most and the least anomalous %s images (%s)", split, result->measure);
}

/* Each band is originals over reconstructions. */
static clv_status draw_bands(clv_session *s, int dataset, uint32_t first, layout l, int scale, words *w,
                             const clv_score_result *result, clv_error *err)
{
    const size_t band = 2 * l.columns * clv_image_elements(s);
    const uint32_t all = s->images[dataset].count;
    clv_status status = CLV_OK;
    uint32_t *order = clv_alloc(all, sizeof *order, err);
    float *pixel = clv_alloc((size_t)l.bands * band, sizeof *pixel, err);
    CLV_REQUIRE(order && pixel, CLV_ERR_INTERNAL, "out of memory for a picture of %u images", l.columns);
    order_drawn(result, l, first, all, order);
    s->noise = 0; /* a denoiser is shown what was scored: the images as they are */
    CLV_TRY(clv_session_order(s, dataset, order, err));
    for (int i = 0; i < l.bands; i++) {
        float *originals = pixel + (size_t)i * band;
        CLV_TRY(clv_reconstruct_places(s, dataset, (uint32_t)i * l.columns, l.columns, originals, NULL,
                                       originals + band / 2, err));
    }
    const clv_worded_grid grid = {.title = w->title,
                                  .rows = 2 * l.bands,
                                  .columns = (int)l.columns,
                                  .row_name = w->row_name,
                                  .caption = w->caption,
                                  .pixel = pixel,
                                  .scale = scale};
    CLV_TRY(clv_draw_worded(s, result->path, &grid, err));
done:
    free(order);
    free(pixel);
    return status;
}

/* ---- all of it ---- */

static clv_status open_subject(const char *run, const clv_config *config, const clv_score_options *options,
                               const char *split, int *dataset, int *label, clv_session **s, clv_error *err)
{
    clv_phase_request request[CLV_MAX_PHASES];
    clv_images images = {0};
    clv_status status = CLV_OK;
    CLV_TRY(clv_split_dataset(split, dataset, err));
    if (options->name_count) {
        *dataset = CLV_DATASET_TEST;
        const int requests = score_phases(config, *dataset, request);
        CLV_TRY(clv_given_read(config, split, options->names, options->name_count, &images, label, err));
        CLV_TRY(clv_given_open(run, config, options->picture.log, request, requests, &images, s, err));
    } else {
        const int requests = score_phases(config, *dataset, request);
        CLV_TRY(clv_session_open_run(run, config, options->picture.log, request, requests, s, err));
    }
done:
    clv_images_free(&images);
    return status;
}

static clv_status score_subject(clv_session *s, const char *split, int dataset, const int *named, uint32_t *first,
                                clv_score_result *result, clv_error *err)
{
    clv_status status = CLV_OK;
    CLV_TRY(clv_session_split(s, split, first, &result->count, err));
    result->row = clv_alloc(result->count, sizeof *result->row, err);
    CLV_REQUIRE(result->row, CLV_ERR_INTERNAL, "out of memory for the scores of %u images", result->count);
    CLV_TRY(score_places(s, dataset, *first, result->count, result->row, err));
    const uint8_t *label = s->images[dataset].label;
    for (uint32_t i = 0; i < result->count; i++) {
        result->row[i].image = i;
        result->row[i].label = named ? named[i] : label ? label[*first + i] : -1;
    }
    result->classes = s->images[dataset].classes; /* the session has no use for the names */
    result->class_name = s->images[dataset].class_name;
    s->images[dataset].classes = 0;
    s->images[dataset].class_name = NULL;
    result->vae = clv_model_is_vae(s->model);
    result->loss = clv_config_string(s->config, "loss.reconstruction");
    result->measure = clv_session_phase(s, CLV_MODE_WEIGH, dataset) ? "negative_elbo" : result->loss;
done:
    return status;
}

clv_status clv_score(const char *run, const clv_config *config, const clv_score_options *options,
                     clv_score_result *result, clv_error *err)
{
    const clv_picture_options *picture = &options->picture;
    const char *split = picture->split ? picture->split : "test";
    clv_session *s = NULL;
    clv_score_result made = {0};
    clv_score_row *test = NULL;
    clv_status status = CLV_OK;
    uint32_t tests = 0, first;
    int dataset, *label = NULL; /* of named images */
    if (options->name_count) {
        label = clv_alloc((size_t)options->name_count, sizeof *label, err);
        CLV_REQUIRE(label, CLV_ERR_INTERNAL, "out of memory for the labels of %d images", options->name_count);
    }
    CLV_TRY(open_subject(run, config, options, split, &dataset, label, &s, err));
    CLV_TRY(score_subject(s, label ? "test" : split, dataset, label, &first, &made, err));
    if (options->name_count || strcmp(split, "test") != 0) CLV_TRY(score_test_images(run, config, &test, &tests, err));
    rank(&made, test, tests);
    if (!options->name_count || picture->path) {
        CLV_TRY(clv_picture_path(run, picture->path, made.path, err, "anomalies-%s-%d.png", split,
                                 picture->count ? picture->count : DRAWN));
        const layout l = lay_out(options, made.count);
        words w;
        put_words(options, split, &made, l, &w);
        CLV_TRY(draw_bands(s, dataset, first, l, clv_picture_choice(picture->scale, config, "report.scale"), &w, &made,
                           err));
    }
    *result = made;
    made = (clv_score_result){0};
done:
    clv_score_free(&made);
    free(label);
    free(test);
    clv_session_close(s);
    return status;
}

void clv_score_free(clv_score_result *result)
{
    for (int i = 0; i < result->classes; i++) free(result->class_name[i]);
    free(result->class_name);
    free(result->row);
    *result = (clv_score_result){0};
}
