/* New images. An autoencoder has no prior: what its decoder has learnt to decode are the codes of the training images,
 * so a distribution is fitted to them. */
#include "experiment/generate.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/mixture.h"
#include "base/memory.h"
#include "base/try.h"
#include "experiment/codes.h"
#include "experiment/drawing.h"
#include "experiment/run_folder.h"

#define MOST_CODES 10000 /* that are fitted to: more say nothing new, and take their time */

const char *const clv_from_names[] = {"default", "prior", "normal", "mixture"};

clv_from clv_default_from(const clv_session *s)
{
    return clv_model_is_vae(s->model) ? CLV_FROM_PRIOR : CLV_FROM_NORMAL;
}

/* Codes of the training images, at most MOST_CODES of them, evenly spaced: a folder may be in the order of its classes.
 */
static clv_status training_codes(clv_session *s, float **codes, uint32_t *count, clv_error *err)
{
    uint32_t first, all;
    const size_t latent = (size_t)clv_model_latent(s->model);
    float *made = NULL;
    clv_status status = CLV_OK;
    CLV_TRY(clv_session_split(s, "train", &first, &all, err));
    made = clv_alloc(all * latent, sizeof *made, err);
    CLV_REQUIRE(made, CLV_ERR_INTERNAL, "out of memory for the codes of %u images", all);
    CLV_TRY(clv_encode(s, CLV_DATASET_TRAIN, first, all, made, err));
    *count = all < MOST_CODES ? all : MOST_CODES;
    for (uint32_t i = 0; i < *count; i++)
        memmove(made + i * latent, made + (uint64_t)i * all / *count * latent, latent * sizeof *made);
    *codes = made;
    made = NULL;
done:
    free(made);
    return status;
}

static clv_status fit_codes(clv_session *s, clv_from from, int components, uint64_t seed, clv_mixture *mixture,
                            uint32_t *count, clv_error *err)
{
    const clv_mixture_options options = {.components = components, .seed = seed, .starts = 1, .tolerance = 1e-4};
    float *codes = NULL;
    clv_status status = CLV_OK;
    CLV_TRY(training_codes(s, &codes, count, err));
    const int latent = clv_model_latent(s->model);
    CLV_TRY(from == CLV_FROM_NORMAL ? clv_mixture_fit_normal(codes, *count, latent, mixture, err)
            : components            ? clv_mixture_fit(codes, *count, latent, &options, mixture, err)
                                    : clv_mixture_choose(codes, *count, latent, &options, mixture, err));
    if (from == CLV_FROM_MIXTURE)
        clv_log_line(s->log, "mixture of %d normals fitted to %u training codes: log-likelihood %.5g nats a code%s",
                     mixture->components, *count, mixture->log_likelihood,
                     mixture->converged ? "" : " (not converged)");
done:
    if (status != CLV_OK) clv_fail_in(err, status, "codes of the training images");
    free(codes);
    return status;
}

clv_status clv_draw_codes(clv_session *s, clv_from from, int components, uint64_t seed, uint32_t count, float *codes,
                          clv_sample_result *drawn, clv_error *err)
{
    const size_t latent = (size_t)clv_model_latent(s->model);
    clv_mixture mixture = {0};
    uint32_t fitted = 0;
    clv_status status = CLV_OK;
    clv_random random = clv_random_start(seed, CLV_STREAM_PICTURE);
    if (from == CLV_FROM_DEFAULT) from = clv_default_from(s);
    if (from == CLV_FROM_PRIOR) {
        CLV_REQUIRE(clv_model_is_vae(s->model), CLV_ERR_CONFIG,
                    "an autoencoder has no prior to draw from: use --from normal or --from mixture");
        for (size_t i = 0; i < count * latent; i++) codes[i] = clv_random_normal(&random);
    } else {
        CLV_TRY(fit_codes(s, from, components, seed, &mixture, &fitted, err));
        for (uint32_t i = 0; i < count; i++) clv_mixture_draw(&mixture, &random, codes + i * latent);
    }
    if (drawn) {
        drawn->from = from;
        drawn->components = mixture.components;
        drawn->codes = fitted;
        drawn->log_likelihood = mixture.log_likelihood;
    }
done:
    clv_mixture_free(&mixture);
    return status;
}

clv_status clv_draw_samples(clv_session *s, clv_from from, int components, uint64_t seed, int count, int scale,
                            const char *path, clv_sample_result *drawn, clv_error *err)
{
    const size_t latent = (size_t)clv_model_latent(s->model), pixels = clv_image_elements(s);
    clv_status status = CLV_OK;
    float *codes = clv_alloc((size_t)count * latent, sizeof *codes, err);
    float *images = clv_alloc((size_t)count * pixels, sizeof *images, err);
    CLV_REQUIRE(codes && images, CLV_ERR_INTERNAL, "out of memory for %d samples", count);
    CLV_TRY(clv_draw_codes(s, from, components, seed, (uint32_t)count, codes, drawn, err));
    CLV_TRY(clv_decode(s, codes, (uint32_t)count, images, err));
    const int columns = (int)ceil(sqrt(count));
    CLV_TRY(clv_draw_grid(s, path, (count + columns - 1) / columns, columns, count, images, scale, err));
done:
    free(codes);
    free(images);
    return status;
}

clv_status clv_sample(const char *run, const clv_config *config, const clv_sample_options *options,
                      clv_sample_result *result, clv_error *err)
{
    const clv_picture_options *picture = &options->picture;
    const bool vae = !strcmp(clv_config_string(config, "experiment.task"), "vae");
    const bool prior = options->from == CLV_FROM_PRIOR || (options->from == CLV_FROM_DEFAULT && vae);
    const clv_phase_request request[] = {{CLV_MODE_DECODE, CLV_DATASET_TEST}, {CLV_MODE_ENCODE, CLV_DATASET_TRAIN}};
    clv_session *s = NULL;
    clv_sample_result made = {0};
    clv_status status = CLV_OK;
    int count;
    CLV_TRY(clv_picture_count(picture, config, "report.samples", &count, err));
    CLV_TRY(clv_session_open_run(run, config, picture->log, request, prior ? 1 : 2, &s, err));
    const clv_from from = prior                               ? CLV_FROM_PRIOR
                          : options->from == CLV_FROM_MIXTURE ? CLV_FROM_MIXTURE
                                                              : CLV_FROM_NORMAL;
    char components[16] = "";
    if (options->components) snprintf(components, sizeof components, "%d", options->components);
    CLV_TRY(clv_picture_path(run, picture->path, made.path, err, "samples-%s%s-%d-seed%" PRIu64 ".png",
                             clv_from_names[from], components, count, picture->seed));
    CLV_TRY(clv_draw_samples(s, options->from, options->components, picture->seed, count,
                             clv_picture_choice(picture->scale, config, "report.scale"), made.path, &made, err));
    *result = made;
done:
    clv_session_close(s);
    return status;
}
