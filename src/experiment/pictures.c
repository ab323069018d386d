/* Pictures: reconstructions, samples, the manifold. Each is a grid drawn from one session's outputs; the subcommands
 * open a session for one picture. */
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

/* Bands of rows: each image's originals, what a denoiser was given, and reconstructions, one under another. `from` is
 * [rows][count]; empty places of the last band are black. */
static void lay_bands(const float *const from[3], int rows, size_t count, size_t columns, size_t bands, size_t pixels,
                      float *grid)
{
    for (size_t i = 0; i < bands * columns; i++)
        for (int row = 0; row < rows; row++) {
            float *to = grid + ((i / columns * (size_t)rows + (size_t)row) * columns + i % columns) * pixels;
            for (size_t p = 0; p < pixels; p++) to[p] = i < count ? from[row][i * pixels + p] : 0;
        }
}

clv_status clv_draw_reconstructions(clv_session *s, const char *split, uint64_t seed, int wanted, int scale,
                                    const char *path, clv_error *err)
{
    uint32_t first, places, *order = NULL;
    int dataset, rows = clv_model_task(s->model) == CLV_TASK_DENOISE ? 3 : 2;
    float *all_rows = NULL, *grid = NULL;
    clv_status status = CLV_OK;
    CLV_TRY(clv_split_dataset(split, &dataset, err));
    CLV_TRY(clv_session_split(s, split, &first, &places, err));
    uint32_t count = (uint32_t)wanted < places ? (uint32_t)wanted : places, all = s->images[dataset].count;
    size_t pixels = clv_image_elements(s);
    size_t columns = count < RECONSTRUCTION_COLUMNS ? count : RECONSTRUCTION_COLUMNS,
           bands = (count + columns - 1) / columns, cells = (size_t)rows * bands * columns;
    order = clv_alloc(all, sizeof *order, err);
    all_rows = clv_alloc((size_t)rows * count * pixels, sizeof *all_rows, err);
    grid = clv_alloc(cells * pixels, sizeof *grid, err);
    CLV_REQUIRE(order && all_rows && grid, CLV_ERR_INTERNAL, "out of memory for %u reconstructions", count);
    for (uint32_t i = 0; i < all; i++) order[i] = i;
    clv_shuffle(order + first, places, seed, UINT32_MAX); /* the order of no training epoch */
    CLV_TRY(clv_session_order(s, dataset, order, err));
    float *originals = all_rows, *noisy = all_rows + count * pixels,
          *restored = all_rows + (size_t)(rows - 1) * count * pixels;
    CLV_TRY(clv_reconstruct_places(s, dataset, first, count, originals, noisy, restored, err));
    lay_bands((const float *const[3]){originals, rows == 3 ? noisy : restored, restored}, rows, count, columns, bands,
              pixels, grid);
    CLV_TRY(clv_draw_grid(s, path, rows * (int)bands, (int)columns, (int)cells, grid, scale, err));
done:
    free(order);
    free(all_rows);
    free(grid);
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
clv_status clv_draw_manifold(clv_session *s, int side, int scale, const char *path, clv_error *err)
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
    CLV_TRY(clv_session_open_run(run, config, options->log, &request, 1, &s, err));
    CLV_TRY(clv_figure_path(run, options->path, "reconstructions.png", path_out, err));
    CLV_TRY(clv_draw_reconstructions(s, split, options->seed, count,
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
    CLV_TRY(clv_session_open_run(run, config, options->log, request, 2, &s, err));
    CLV_TRY(clv_figure_path(run, options->path, "manifold.png", path_out, err));
    CLV_TRY(clv_draw_manifold(s, count, clv_picture_choice(options->scale, config, "report.scale"), path_out, err));
done:
    clv_session_close(s);
    return status;
}
