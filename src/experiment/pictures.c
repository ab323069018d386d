/* Pictures: reconstructions, samples, the manifold. Each is a grid drawn from one session's outputs; the
 * subcommands open a session for one picture, the end of a training run opens one for all. */
#include "experiment/pictures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/philox.h"
#include "base/try.h"
#include "experiment/codes.h"
#include "experiment/drawing.h"
#include "experiment/generate.h"
#include "experiment/run_folder.h"

#define RECONSTRUCTION_COLUMNS 16
#define MOST_SIDE              100 /* of a manifold, as report.manifold has it */

/* Originals over reconstructions, of images chosen by the seed. */
static clv_status draw_reconstructions(clv_session *s, const char *split, uint64_t seed, int wanted, int scale,
                                       const char *path, clv_error *err)
{
    uint32_t first, places, *order = NULL;
    int dataset;
    float *both = NULL;
    clv_status status = CLV_OK;
    CLV_TRY(clv_split_dataset(split, &dataset, err));
    CLV_TRY(clv_session_split(s, split, &first, &places, err));
    uint32_t count = (uint32_t)wanted < places ? (uint32_t)wanted : places, all = s->images[dataset].count;
    size_t pixels = clv_image_elements(s);
    int columns = count < RECONSTRUCTION_COLUMNS ? (int)count : RECONSTRUCTION_COLUMNS,
        bands = ((int)count + columns - 1) / columns;
    order = clv_alloc(all, sizeof *order, err);
    both = order ? clv_alloc((size_t)(2 + 2 * bands) * (size_t)columns * pixels + 2 * count * pixels, sizeof *both, err)
                 : NULL;
    CLV_REQUIRE(both, CLV_ERR_INTERNAL, "out of memory for %u reconstructions", count);
    for (uint32_t i = 0; i < all; i++) order[i] = i;
    clv_shuffle(order + first, places, seed, UINT32_MAX); /* the order of no training epoch */
    CLV_TRY(clv_session_order(s, dataset, order, err));
    float *originals = both, *restored = both + count * pixels, *grid = restored + count * pixels;
    CLV_TRY(clv_reconstruct_places(s, dataset, first, count, originals, NULL, restored, err));
    for (size_t i = 0; i < (size_t)bands * (size_t)columns; i++)
        for (size_t p = 0; p < pixels; p++) { /* the last band's empty places stay NaN-free and black */
            size_t band = i / (size_t)columns, column = i % (size_t)columns,
                   top = (2 * band * (size_t)columns + column) * pixels + p;
            grid[top] = i < count ? originals[i * pixels + p] : 0;
            grid[top + (size_t)columns * pixels] = i < count ? restored[i * pixels + p] : 0;
        }
    CLV_TRY(clv_draw_grid(s, path, 2 * bands, columns, 2 * bands * columns, grid, scale, err));
done:
    free(order);
    free(both);
    return status;
}

/* The standard normal's quantile, by bisection of its distribution function. */
static double normal_quantile(double p)
{
    double low = -9, high = 9;
    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;
        if (erfc(-middle / sqrt(2)) / 2 < p)
            low = middle;
        else
            high = middle;
    }
    return (low + high) / 2;
}

static int compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Where the grid's lines lie on each axis: quantiles (i + 1/2) / side of the prior, or for an autoencoder, which has
 * none, of the codes of the test images. axis[2][side] */
static clv_status manifold_axes(clv_session *s, int side, float *axis, clv_error *err)
{
    uint32_t count = s->images[CLV_DATASET_TEST].count;
    clv_status status = CLV_OK;
    float *codes = NULL;
    if (clv_model_is_vae(s->model)) {
        for (int i = 0; i < 2 * side; i++) axis[i] = (float)normal_quantile((i % side + 0.5) / side);
        return CLV_OK;
    }
    codes = clv_alloc((size_t)count * 3, sizeof *codes, err);
    if (!codes) return CLV_ERR_INTERNAL;
    CLV_TRY(clv_encode(s, CLV_DATASET_TEST, 0, count, codes, err));
    float *sorted = codes + (size_t)count * 2;
    for (int a = 0; a < 2; a++) {
        for (uint32_t i = 0; i < count; i++) sorted[i] = codes[(size_t)i * 2 + (size_t)a];
        qsort(sorted, count, sizeof *sorted, compare_floats);
        for (int i = 0; i < side; i++) axis[a * side + i] = sorted[(size_t)((i + 0.5) / side * count)];
    }
done:
    free(codes);
    return status;
}

/* A grid over the plane of codes: the first coordinate grows to the right, the second upwards. */
static clv_status draw_manifold(clv_session *s, int side, int scale, const char *path, clv_error *err)
{
    size_t count = (size_t)side * (size_t)side, pixels = clv_image_elements(s);
    clv_status status = CLV_OK;
    float *codes = NULL, *images = NULL;
    CLV_REQUIRE(side <= MOST_SIDE, CLV_ERR_CONFIG,
                "a manifold of %d x %d images is too large to look at: --count up to %d", side, side, MOST_SIDE);
    CLV_REQUIRE(clv_model_latent(s->model) == 2, CLV_ERR_CONFIG,
                "a manifold is drawn of codes of size 2; this model's have size %d: look at clave sample",
                clv_model_latent(s->model));
    codes = clv_alloc(2 * count + 2 * (size_t)side, sizeof *codes, err);
    images = codes ? clv_alloc(count * pixels, sizeof *images, err) : NULL;
    CLV_REQUIRE(images, CLV_ERR_INTERNAL, "out of memory for a manifold of %d x %d images", side, side);
    float *axis = codes + 2 * count;
    CLV_TRY(manifold_axes(s, side, axis, err));
    for (size_t i = 0; i < count; i++) {
        size_t row = i / (size_t)side, column = i % (size_t)side;
        codes[2 * i] = axis[column];
        codes[2 * i + 1] = axis[2 * (size_t)side - 1 - row];
    }
    CLV_TRY(clv_decode(s, codes, (uint32_t)count, images, err));
    CLV_TRY(clv_draw_grid(s, path, side, side, (int)count, images, scale, err));
done:
    free(codes);
    free(images);
    return status;
}

clv_status clv_reconstruct(const char *run, const clv_config *config, const clv_picture_options *options,
                           char path_out[CLV_PATH_SIZE], clv_error *err)
{
    const char *split = options->split ? options->split : "test";
    clv_session *s = NULL;
    clv_status status = CLV_OK;
    int count;
    clv_phase_request request = {CLV_MODE_RECONSTRUCT, 0};
    CLV_TRY(clv_split_dataset(split, &request.dataset, err));
    CLV_TRY(clv_picture_count(options, config, "report.reconstructions", &count, err));
    CLV_TRY(clv_session_open_run(run, CLV_BEST_FILE, config, options->log, &request, 1, &s, err));
    CLV_TRY(clv_figure_path(run, options->path, "reconstructions.png", path_out, err));
    CLV_TRY(draw_reconstructions(s, split, options->seed, count,
                                 clv_picture_choice(options->scale, config, "report.scale"), path_out, err));
done:
    clv_session_close(s);
    return status;
}

clv_status clv_manifold(const char *run, const clv_config *config, const clv_picture_options *options,
                        char path_out[CLV_PATH_SIZE], clv_error *err)
{
    clv_session *s = NULL;
    clv_status status = CLV_OK;
    int count;
    clv_phase_request request[] = {{CLV_MODE_DECODE, CLV_DATASET_TEST}, {CLV_MODE_ENCODE, CLV_DATASET_TEST}};
    CLV_TRY(clv_picture_count(options, config, "report.manifold", &count, err));
    CLV_TRY(clv_session_open_run(run, CLV_BEST_FILE, config, options->log, request, 2, &s, err));
    CLV_TRY(clv_figure_path(run, options->path, "manifold.png", path_out, err));
    CLV_TRY(draw_manifold(s, count, clv_picture_choice(options->scale, config, "report.scale"), path_out, err));
done:
    clv_session_close(s);
    return status;
}

/* A picture that the configuration no longer wants, or that this model has not, must not stay from an earlier run here.
 */
static clv_status wanted_path(const char *run, const char *name, bool wanted, char path[CLV_PATH_SIZE], clv_error *err)
{
    clv_status status = clv_figure_path(run, NULL, name, path, err);
    if (status == CLV_OK && !wanted) remove(path);
    return status;
}

clv_status clv_run_pictures(const clv_config *config, const char *run, clv_error *err)
{
    clv_session *s = NULL;
    clv_status status = CLV_OK;
    char path[CLV_PATH_SIZE];
    uint64_t seed = (uint64_t)clv_config_int(config, "experiment.seed");
    int reconstructions = clv_picture_choice(0, config, "report.reconstructions"),
        samples = clv_picture_choice(0, config, "report.samples");
    int side = clv_picture_choice(0, config, "report.manifold"), scale = clv_picture_choice(0, config, "report.scale");
    const char *weights = clv_config_bool(config, "early_stopping.restore_best") ? CLV_BEST_FILE : CLV_LAST_FILE;
    clv_phase_request request[] = {{CLV_MODE_RECONSTRUCT, CLV_DATASET_TEST},
                                   {CLV_MODE_DECODE, CLV_DATASET_TEST},
                                   {CLV_MODE_ENCODE, CLV_DATASET_TEST},
                                   {CLV_MODE_ENCODE, CLV_DATASET_TRAIN}};
    const bool prior = !strcmp(clv_config_string(config, "experiment.task"), "vae");
    CLV_TRY(clv_session_open_run(run, weights, config, NULL, request, prior || !samples ? 3 : 4, &s, err));
    if (clv_model_latent(s->model) != 2) side = 0;
    CLV_TRY(clv_loss_curves(run, err));
    CLV_TRY(wanted_path(run, "reconstructions.png", reconstructions > 0, path, err));
    if (reconstructions > 0) CLV_TRY(draw_reconstructions(s, "test", seed, reconstructions, scale, path, err));
    CLV_TRY(wanted_path(run, "samples.png", samples > 0, path, err));
    if (samples > 0) CLV_TRY(clv_draw_samples(s, CLV_FROM_DEFAULT, 0, seed, samples, scale, path, NULL, err));
    CLV_TRY(wanted_path(run, "manifold.png", side > 0, path, err));
    if (side > 0) CLV_TRY(draw_manifold(s, side, scale, path, err));
done:
    clv_session_close(s);
    return status;
}
