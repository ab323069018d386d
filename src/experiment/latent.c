/* The latent space: the points are made once, then laid out by each method, measured by who lies next to whom, and
 * drawn: what is asked for wrongly is refused before the first file is written. */
#include "experiment/latent.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/mixture.h"
#include "analysis/neighbours.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/philox.h"
#include "base/try.h"
#include "experiment/run_folder.h"

/* ---- figures ---- */

/* Trustworthiness of `map` where neighbours in `space` count. */
static clv_status trust_in(clv_backend *be, clv_distances *space, const clv_points *map, double *result, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_distances d = {0};
    clv_neighbours n = {0};
    CLV_TRY(clv_distances_open(be, map, &d, err));
    CLV_TRY(clv_neighbours_find(&d, CLV_TRUST_NEIGHBOURS, &n, err));
    clv_distances_close(&d);
    CLV_TRY(clv_trustworthiness(space, &n, result, err));
done:
    clv_distances_close(&d);
    clv_neighbours_free(&n);
    return status;
}

/* As many samples as points: of N(0, 1) for a vae, of the normal fitted to the codes for an autoencoder, which has no
 * prior. */
static clv_status draw_prior(const clv_latent_work *l, float *samples, clv_error *err)
{
    clv_status status = CLV_OK;
    const clv_points *points = &l->points.codes;
    const size_t count = (size_t)points->count, dims = (size_t)points->dims;
    clv_mixture normal = {0};
    clv_random random = clv_random_start(l->o->seed, CLV_STREAM_PICTURE);
    if (clv_model_is_vae(l->s->model)) {
        for (size_t i = 0; i < count * dims; i++) samples[i] = clv_random_normal(&random);
    } else {
        CLV_TRY(clv_mixture_fit_normal(points->at, count, points->dims, &normal, err));
        for (size_t i = 0; i < count; i++) clv_mixture_draw(&normal, &random, samples + i * dims);
    }
done:
    clv_mixture_free(&normal);
    return status;
}

static clv_status measure_gaps(const clv_latent_work *l, const clv_neighbours *n, clv_error *err)
{
    clv_status status = CLV_OK;
    const clv_points *points = &l->points.codes;
    clv_gaps gaps;
    float *at = clv_alloc((size_t)points->count * (size_t)points->dims, sizeof *at, err);
    if (!at) return CLV_ERR_INTERNAL;
    const clv_points samples = {points->count, points->dims, at};
    CLV_TRY(draw_prior(l, at, err));
    CLV_TRY(clv_find_gaps(points, n, &samples, &gaps, err));
    l->result->gaps = gaps.share;
    l->result->gap_threshold = gaps.threshold;
    l->result->gap_ratio = gaps.ratio;
done:
    free(at);
    return status;
}

static clv_status measure_images(const clv_latent_work *l, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_distances images = {0};
    const clv_points space = {l->points.codes.count, l->points.pixels, l->points.image};
    CLV_TRY(clv_distances_open(l->s->be, &space, &images, err));
    CLV_TRY(trust_in(l->s->be, &images, &l->points.codes, &l->result->trust_images, err));
done:
    clv_distances_close(&images);
    return status;
}

/* A prior that is not known must be fitted to the codes, which may have too many dimensions for that. */
static bool has_prior(const clv_latent_work *l)
{
    return clv_latent_of_codes(l) && (clv_model_is_vae(l->s->model) || l->points.codes.dims <= CLV_MAX_MIXTURE_DIMS);
}

/* What needs neighbours is left out where there are too few points to have them. */
static clv_status measure(clv_latent_work *l, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_distances space = {0};
    clv_neighbours n = {0};
    const clv_latent_work *c = l;
    const int count = l->points.codes.count;
    const clv_points plane = {count, 2, l->points.plane}, map = {count, 2, l->points.map};
    if (count <= CLV_KNN_NEIGHBOURS) return CLV_OK;
    CLV_TRY(clv_distances_open(c->s->be, &c->points.codes, &space, err));
    CLV_TRY(clv_neighbours_find(&space, CLV_KNN_NEIGHBOURS, &n, err));
    if (l->points.label) l->result->knn_accuracy = clv_knn_accuracy(&n, l->points.label);
    if (plane.at) CLV_TRY(trust_in(l->s->be, &space, &plane, &l->result->trust_pca, err));
    if (map.at) CLV_TRY(trust_in(l->s->be, &space, &map, &l->result->trust_tsne, err));
    clv_distances_close(&space);
    if (l->points.image) CLV_TRY(measure_images(l, err));
    if (has_prior(l)) CLV_TRY(measure_gaps(l, &n, err));
done:
    clv_distances_close(&space);
    clv_neighbours_free(&n);
    return status;
}

/* ---- files ---- */

/* RUN/latent/code, or of what the points are: pictures of different points do not mix. */
static clv_status find_folder(const char *run, const clv_latent_options *o, char folder[CLV_PATH_SIZE], clv_error *err)
{
    char parent[CLV_PATH_SIZE];
    clv_status status = CLV_OK;
    if (o->out) return clv_path_join(folder, CLV_PATH_SIZE, "", o->out, err);
    CLV_TRY(clv_path_join(parent, sizeof parent, run, "latent", err));
    CLV_TRY(clv_path_join(folder, CLV_PATH_SIZE, parent, o->of ? o->of : "code", err));
done:
    return status;
}

/* What an earlier call has left here goes, so that all that stays is of one call. */
static clv_status clear_folder(const char *folder, clv_error *err)
{
    static const char *const names[] = {"latent.csv", "latent.npy", "latent.png", "latent.svg",
                                        "pca.png",    "pca.svg",    "tsne.png",   "tsne.svg"};
    char path[CLV_PATH_SIZE];
    clv_status status = CLV_OK;
    CLV_TRY(clv_make_folders(folder, err));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        CLV_TRY(clv_path_join(path, sizeof path, folder, names[i], err));
        remove(path);
    }
done:
    return status;
}

/* ---- the two ways in ---- */

static clv_status start(clv_latent_work *l, clv_session *session, const char *folder, const clv_latent_options *options,
                        clv_latent_result *result, clv_error *err)
{
    clv_status status = CLV_OK;
    *l = (clv_latent_work){.s = session, .o = options, .folder = folder, .result = result};
    *result = (clv_latent_result){.kl = NAN,
                                  .perplexity = NAN,
                                  .tsne_seconds = NAN,
                                  .knn_accuracy = NAN,
                                  .trust_images = NAN,
                                  .trust_pca = NAN,
                                  .trust_tsne = NAN,
                                  .gaps = NAN,
                                  .gap_threshold = NAN,
                                  .gap_ratio = NAN};
    CLV_TRY(clv_path_join(result->folder, sizeof result->folder, "", folder, err));
    CLV_TRY(clv_latent_encode(session, options, &l->points, err));
    result->count = l->points.codes.count;
    result->dims = l->points.codes.dims;
    result->classes = l->points.classes;
done:
    return status;
}

/* What can be laid out is drawn, although something else cannot. */
clv_status clv_latent_figures(clv_session *session, const char *folder, const clv_latent_options *options,
                              clv_latent_result *result, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_latent_work l;
    CLV_TRY(start(&l, session, folder, options, result, err));
    CLV_TRY(clv_make_folders(folder, err));
    status = clv_latent_lay_out(&l, err);
    const clv_status drawn = clv_latent_draw_all(&l, status == CLV_OK ? err : NULL);
    if (status == CLV_OK) status = drawn;
done:
    clv_latent_free(&l.points);
    return status;
}

clv_status clv_latent(const char *run, const clv_config *config, const clv_latent_options *options,
                      clv_latent_result *result, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_latent_work l = {0};
    clv_session *s = NULL;
    char folder[CLV_PATH_SIZE];
    clv_phase_request request = {CLV_MODE_ENCODE, 0};
    CLV_TRY(clv_latent_check_methods(options->methods, err));
    CLV_TRY(clv_split_dataset(options->split ? options->split : "test", &request.dataset, err));
    CLV_TRY(find_folder(run, options, folder, err));
    CLV_TRY(clv_session_open(config, options->log, &request, 1, &s, err));
    CLV_TRY(clv_session_load(s, run, err));
    CLV_TRY(start(&l, s, folder, options, result, err));
    CLV_TRY(clv_latent_check(&l, err));
    CLV_TRY(clv_latent_lay_out(&l, err));
    CLV_TRY(measure(&l, err));
    CLV_TRY(clear_folder(folder, err));
    CLV_TRY(clv_latent_draw_all(&l, err));
    CLV_TRY(clv_latent_write(folder, &l.points, err));
done:
    clv_latent_free(&l.points);
    clv_session_close(s);
    return status;
}
