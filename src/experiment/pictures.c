/* Pictures: reconstructions, samples, the manifold. Each is a grid drawn from one session's outputs; the subcommands
 * open a session for one picture. */
#include "experiment/pictures.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/order.h"
#include "base/philox.h"
#include "base/try.h"
#include "experiment/codes.h"
#include "experiment/drawing.h"
#include "experiment/generate.h"
#include "experiment/run_folder.h"

#define RECONSTRUCTION_COLUMNS 16
#define MOST_SIDE              100 /* of a manifold, as report.manifold has it */

/* What is drawn: bands of rows, each image's original, what a denoiser was given, and its reconstruction, one under
 * another; empty places of the last band are white, as the page is. */
typedef struct bands {
    int rows;                   /* of a band */
    size_t count, columns, all; /* images, bands */
    uint32_t *order;            /* [images of the data set] */
    float *images;              /* [rows of a band][count][pixels] */
    float *grid;                /* [rows of all bands][columns][pixels] */
    char (*number)[12];         /* [count]: the index of each in its split */
    const char **caption;       /* [rows of all bands][columns] */
    const char **row_name;      /* [rows of all bands] */
} bands;

static clv_status make_bands(const clv_session *s, int dataset, uint32_t count, bands *b, clv_error *err)
{
    const size_t pixels = clv_image_elements(s), square = (size_t)ceil(sqrt(count));
    b->rows = clv_model_task(s->model) == CLV_TASK_DENOISE ? 3 : 2;
    b->count = count;
    b->columns = count < RECONSTRUCTION_COLUMNS    ? count
                 : square < RECONSTRUCTION_COLUMNS ? RECONSTRUCTION_COLUMNS
                                                   : square;
    b->all = (count + b->columns - 1) / b->columns;
    const size_t rows = (size_t)b->rows * b->all, cells = rows * b->columns;
    b->order = clv_alloc(s->images[dataset].count, sizeof *b->order, err);
    b->images = clv_alloc((size_t)b->rows * count * pixels, sizeof *b->images, err);
    b->grid = clv_alloc(cells * pixels, sizeof *b->grid, err);
    b->number = clv_alloc(count, sizeof *b->number, err);
    b->caption = clv_alloc(cells, sizeof *b->caption, err);
    b->row_name = clv_alloc(rows, sizeof *b->row_name, err);
    if (b->order && b->images && b->grid && b->number && b->caption && b->row_name) return CLV_OK;
    return clv_fail(err, CLV_ERR_INTERNAL, "out of memory for %u reconstructions", count);
}

static void free_bands(bands *b)
{
    free(b->order);
    free(b->images);
    free(b->grid);
    free(b->number);
    free(b->caption);
    free(b->row_name);
}

static void lay_bands(bands *b, uint32_t first, size_t pixels)
{
    static const char *const names[2][3] = {{"original", "decoded", NULL}, {"original", "noisy", "restored"}};
    const size_t rows = (size_t)b->rows;
    for (size_t r = 0; r < rows * b->all; r++) b->row_name[r] = names[b->rows - 2][r % rows];
    for (size_t i = 0; i < b->columns * b->all; i++)
        for (size_t row = 0; row < rows; row++) {
            const size_t cell = (i / b->columns * rows + row) * b->columns + i % b->columns;
            for (size_t p = 0; p < pixels; p++)
                b->grid[cell * pixels + p] = i < b->count ? b->images[(row * b->count + i) * pixels + p] : 1;
            if (i >= b->count || row + 1 < rows) continue;
            snprintf(b->number[i], sizeof b->number[i], "%u", b->order[first + i] - first);
            b->caption[cell] = b->number[i];
        }
}

clv_status clv_draw_reconstructions(clv_session *s, const char *split, uint64_t seed, int wanted, int scale,
                                    const char *path, clv_error *err)
{
    uint32_t first, places;
    int dataset;
    bands b = {0};
    char title[128];
    clv_status status = CLV_OK;
    CLV_TRY(clv_split_dataset(split, &dataset, err));
    CLV_TRY(clv_session_split(s, split, &first, &places, err));
    const uint32_t count = (uint32_t)wanted < places ? (uint32_t)wanted : places, all = s->images[dataset].count;
    const size_t pixels = clv_image_elements(s);
    CLV_TRY(make_bands(s, dataset, count, &b, err));
    for (uint32_t i = 0; i < all; i++) b.order[i] = i;
    clv_shuffle(b.order + first, places, seed, UINT32_MAX); /* the order of no training epoch */
    CLV_TRY(clv_session_order(s, dataset, b.order, err));
    float *noisy = b.images + count * pixels, *restored = b.images + (size_t)(b.rows - 1) * count * pixels;
    CLV_TRY(clv_reconstruct_places(s, dataset, first, count, b.images, noisy, restored, err));
    lay_bands(&b, first, pixels);
    snprintf(title, sizeof title, "Reconstructions of %u %s image%s, by their index", count, split,
             count == 1 ? "" : "s");
    const clv_worded_grid grid = {.title = title,
                                  .rows = b.rows * (int)b.all,
                                  .columns = (int)b.columns,
                                  .row_name = b.row_name,
                                  .caption = b.caption,
                                  .pixel = b.grid,
                                  .scale = scale};
    CLV_TRY(clv_draw_worded(s, path, &grid, err));
done:
    free_bands(&b);
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
        qsort(sorted, count, sizeof *sorted, clv_order_floats);
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
    CLV_TRY(clv_picture_path(run, options->path, path_out, err, "reconstructions-%s-%d-seed%" PRIu64 ".png", split,
                             count, options->seed));
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
    CLV_TRY(clv_picture_path(run, options->path, path_out, err, "manifold-%d.png", count));
    CLV_TRY(clv_draw_manifold(s, count, clv_picture_choice(options->scale, config, "report.scale"), path_out, err));
done:
    clv_session_close(s);
    return status;
}
