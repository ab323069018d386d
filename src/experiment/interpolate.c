/* Interpolation: two images encoded, the codes between them decoded, on the straight way and on the arc. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "analysis/path.h"
#include "base/memory.h"
#include "base/try.h"
#include "experiment/codes.h"
#include "experiment/drawing.h"
#include "experiment/given.h"

const char *const clv_way_names[] = {"both", "linear", "spherical"};

static bool draws(const clv_interpolate_options *options, clv_way way)
{
    return options->way == CLV_WAY_BOTH || options->way == way;
}

/* The codes of a row: steps of them, the ends included. */
static void walk(clv_way way, const float *ends, int latent, int steps, float *codes, clv_interpolate_result *result)
{
    const float *a = ends, *b = ends + latent;
    for (int i = 0; i < steps; i++) {
        const double t = (double)i / (steps - 1);
        float *code = codes + (size_t)i * (size_t)latent;
        if (way == CLV_WAY_LINEAR)
            clv_linear_point(a, b, latent, t, code);
        else
            result->straight = !clv_spherical_point(a, b, latent, t, code);
    }
}

/* The words of the picture. */
typedef struct words {
    char name[2][CLV_SHORT_NAME]; /* of the two images */
    char share[CLV_MAX_STEPS][8]; /* of the way */
    const char *caption[2 * (CLV_MAX_STEPS + 2)], *row_name[2];
    char title[160];
} words;

static void put_words(const clv_interpolate_options *options, int rows, int steps, words *w)
{
    const int columns = steps + 2;
    for (int i = 0; i < steps; i++) snprintf(w->share[i], sizeof w->share[i], "%.2f", (double)i / (steps - 1));
    for (int i = 0; i < rows * columns; i++) {
        const int at = i % columns;
        w->caption[i] = at == 0 ? w->name[0] : at == columns - 1 ? w->name[1] : w->share[at - 1];
    }
    for (int r = 0; r < rows; r++)
        w->row_name[r] = clv_way_names[options->way == CLV_WAY_BOTH ? (int)CLV_WAY_LINEAR + r : (int)options->way];
    snprintf(w->title, sizeof w->title, "From image %s to image %s, by the share of the way", w->name[0], w->name[1]);
}

/* Each row: the first image, what its code and those on the way to the second one's decode to, the second image. */
static clv_status draw_rows(clv_session *s, const clv_interpolate_options *options, int steps, int scale, words *w,
                            clv_interpolate_result *result, clv_error *err)
{
    const int latent = clv_model_latent(s->model), columns = steps + 2;
    const size_t pixels = clv_image_elements(s), row = (size_t)columns * pixels;
    clv_status status = CLV_OK;
    int rows = 0;
    float *ends = clv_alloc(2 * (size_t)latent, sizeof *ends, err);
    float *codes = clv_alloc((size_t)steps * (size_t)latent, sizeof *codes, err);
    float *pixel = clv_alloc(2 * row, sizeof *pixel, err);
    CLV_REQUIRE(ends && codes && pixel, CLV_ERR_INTERNAL, "out of memory for %d steps", steps);
    CLV_TRY(clv_encode(s, CLV_DATASET_TEST, 0, 2, ends, err));
    result->angle = clv_angle(ends, ends + latent, latent);
    for (clv_way way = CLV_WAY_LINEAR; way <= CLV_WAY_SPHERICAL; way++) {
        if (!draws(options, way)) continue;
        float *at = pixel + (size_t)rows++ * row;
        walk(way, ends, latent, steps, codes, result);
        CLV_TRY(clv_decode(s, codes, (uint32_t)steps, at + pixels, err));
        const uint8_t *images = s->images[CLV_DATASET_TEST].pixel;
        for (size_t p = 0; p < pixels; p++) {
            at[p] = (float)images[p] / 255;
            at[row - pixels + p] = (float)images[pixels + p] / 255;
        }
    }
    put_words(options, rows, steps, w);
    const clv_worded_grid grid = {.title = w->title,
                                  .rows = rows,
                                  .columns = columns,
                                  .row_name = w->row_name,
                                  .caption = w->caption,
                                  .pixel = pixel,
                                  .scale = scale};
    CLV_TRY(clv_draw_worded(s, result->path, &grid, err));
done:
    free(ends);
    free(codes);
    free(pixel);
    return status;
}

clv_status clv_interpolate(const char *run, const clv_config *config, const clv_interpolate_options *options,
                           clv_interpolate_result *result, clv_error *err)
{
    const clv_picture_options *picture = &options->picture;
    const clv_phase_request request[] = {{CLV_MODE_ENCODE, CLV_DATASET_TEST}, {CLV_MODE_DECODE, CLV_DATASET_TEST}};
    const char *const names[] = {options->from, options->to};
    const char *split = picture->split ? picture->split : "test";
    clv_interpolate_result made = {.angle = NAN};
    words ends;
    clv_images images = {0};
    clv_session *s = NULL;
    clv_status status = CLV_OK;
    const int steps = picture->count ? picture->count : 10;
    CLV_REQUIRE(steps >= 2 && steps <= CLV_MAX_STEPS, CLV_ERR_CONFIG, "%d steps from one image to another: use 2 to %d",
                steps, CLV_MAX_STEPS);
    CLV_TRY(clv_given_read(config, split, names, 2, &images, NULL, err));
    CLV_TRY(clv_given_open(run, config, picture->log, request, 2, &images, &s, err));
    for (int i = 0; i < 2; i++) clv_given_short_name(names[i], ends.name[i]);
    CLV_TRY(clv_picture_path(run, picture->path, made.path, err, "interpolation-%s-%s-%s-%s-%d.png", split,
                             ends.name[0], ends.name[1], clv_way_names[options->way], steps));
    CLV_TRY(
        draw_rows(s, options, steps, clv_picture_choice(picture->scale, config, "report.scale"), &ends, &made, err));
    if (made.straight)
        clv_log_line(picture->log, "the two codes and the origin lie in one line: the spherical way is the linear one");
    *result = made;
done:
    clv_session_close(s);
    clv_images_free(&images);
    return status;
}
