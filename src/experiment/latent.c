/* The latent space: the points are made once, then drawn by each method, and measured by who lies next to whom. */
#include "experiment/latent.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/mixture.h"
#include "analysis/neighbours.h"
#include "analysis/pca.h"
#include "analysis/tsne.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/philox.h"
#include "base/text.h"
#include "base/try.h"
#include "experiment/run_folder.h"

#define PERPLEXITY 30.0
#define ITERATIONS 1000

/* What is under way: everything a method needs. */
typedef struct latent {
    clv_session *s;
    const clv_latent_options *o;
    const char *folder;
    clv_latent_points points;
    clv_latent_result *result;
} latent;

static const char *of(const latent *l) { return l->o->of ? l->o->of : "code"; }
static bool of_codes(const latent *l) { return !strcmp(of(l), "code"); }

/* ---- methods ---- */

static const char *const method_names[] = {"raw", "pca", "tsne"};
#define METHODS ((int)(sizeof method_names / sizeof *method_names))

/* "raw,pca": only words of the table. */
static clv_status check_methods(const char *list, clv_error *err)
{
    for (const char *at = list; at;) {
        const size_t length = strcspn(at, ",");
        bool known = false;
        for (int m = 0; m < METHODS; m++)
            known |= strlen(method_names[m]) == length && !strncmp(method_names[m], at, length);
        if (!known)
            return clv_fail(err, CLV_ERR_CONFIG, "there is no method '%.*s': --method takes some of raw,pca,tsne",
                            (int)length, at);
        at = at[length] ? at + length + 1 : NULL;
    }
    return CLV_OK;
}

/* Asked for by name, or not forbidden by a list without it. */
static bool wanted(const latent *l, const char *name)
{
    if (!l->o->methods) return true;
    const size_t length = strlen(name);
    for (const char *at = l->o->methods; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (!strncmp(at, name, length) && (at[length] == ',' || !at[length])) return true;
    return false;
}

static void make_title(const latent *l, const char *how, char *text, size_t size)
{
    snprintf(text, size, "%s of %d %s images%s%s", of_codes(l) ? "Codes" : of(l), l->points.codes.count,
             l->o->split ? l->o->split : "test", *how ? ", " : "", how);
}

static clv_status draw_plane(const latent *l, const char *name, const float *plane, const char *const label[2],
                             const char *how, clv_error *err)
{
    char title[256];
    make_title(l, how, title, sizeof title);
    return clv_latent_draw(l->folder, name, &l->points, plane, 2, (const int[]){0, 1}, label, title, err);
}

static clv_status draw_raw(latent *l, clv_error *err)
{
    clv_status status = CLV_OK;
    const int dims = l->points.codes.dims;
    const int first[2] = {0, 1}, *axis = l->o->axis[0] == l->o->axis[1] ? first : l->o->axis;
    char name[2][96], title[256];
    if (dims < 2 && !l->o->methods) return CLV_OK;
    CLV_REQUIRE(axis[0] < dims && axis[1] < dims, CLV_ERR_CONFIG,
                "there is no axis %d: '%s' has %d dimension%s, counted from 0; choose by --axes, or --method pca,tsne",
                axis[0] < dims ? axis[1] : axis[0], of(l), dims, dims == 1 ? "" : "s");
    for (int k = 0; k < 2; k++) snprintf(name[k], sizeof name[k], "%.64s %d", of(l), axis[k]);
    make_title(l, "", title, sizeof title);
    CLV_TRY(clv_latent_draw(l->folder, "latent", &l->points, l->points.at, dims, axis,
                            (const char *const[]){name[0], name[1]}, title, err));
done:
    return status;
}

static clv_status draw_pca(latent *l, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_pca pca = {0};
    const clv_points *points = &l->points.codes;
    char name[2][64];
    if (points->dims < 2 && !l->o->methods) return CLV_OK;
    CLV_REQUIRE(points->dims >= 2, CLV_ERR_CONFIG, "'%s' has one dimension: its principal component is itself", of(l));
    CLV_TRY(clv_pca_fit(l->s->be, points, points->dims < CLV_LATENT_EXPLAINED ? points->dims : CLV_LATENT_EXPLAINED,
                        &pca, err));
    l->points.plane = clv_alloc((size_t)points->count * 2, sizeof *l->points.plane, err);
    CLV_REQUIRE(l->points.plane, CLV_ERR_INTERNAL, "out of memory for %d points", points->count);
    clv_pca_project(&pca, points, 2, l->points.plane);
    l->result->components = pca.components;
    for (int k = 0; k < pca.components; k++) l->result->explained[k] = pca.total > 0 ? pca.variance[k] / pca.total : 0;
    for (int k = 0; k < 2; k++)
        snprintf(name[k], sizeof name[k], "component %d (%.1f %% of the variance)", k + 1,
                 100 * l->result->explained[k]);
    CLV_TRY(
        draw_plane(l, "pca", l->points.plane, (const char *const[]){name[0], name[1]}, "principal components", err));
done:
    clv_pca_free(&pca);
    return status;
}

static clv_status draw_tsne(latent *l, clv_error *err)
{
    clv_status status = CLV_OK;
    const clv_points *points = &l->points.codes;
    const double most = clv_tsne_most_perplexity(points->count), began = clv_seconds();
    const clv_tsne_options options = {.perplexity = l->o->perplexity > 0 ? l->o->perplexity : fmin(PERPLEXITY, most),
                                      .iterations = l->o->iterations > 0 ? l->o->iterations : ITERATIONS,
                                      .seed = l->o->seed,
                                      .log = l->o->log};
    char how[64];
    float *map = clv_alloc((size_t)points->count * 2, sizeof *map, err);
    if (!map) return CLV_ERR_INTERNAL;
    CLV_TRY(clv_tsne(l->s->be, points, &options, map, &l->result->kl, err));
    l->points.map = map;
    map = NULL;
    l->result->perplexity = options.perplexity;
    l->result->tsne_seconds = clv_seconds() - began;
    snprintf(how, sizeof how, "t-SNE of perplexity %.3g", options.perplexity);
    CLV_TRY(draw_plane(l, "tsne", l->points.map, (const char *const[]){"t-SNE 1", "t-SNE 2"}, how, err));
done:
    free(map);
    return status;
}

static clv_status draw_all(latent *l, clv_error *err)
{
    static clv_status (*const draw[METHODS])(latent *, clv_error *) = {draw_raw, draw_pca, draw_tsne};
    clv_status status = CLV_OK;
    for (int m = 0; m < METHODS && status == CLV_OK; m++)
        if (wanted(l, method_names[m])) status = draw[m](l, err);
    return status;
}

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
static clv_status draw_prior(const latent *l, float *samples, clv_error *err)
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

static clv_status measure_gaps(const latent *l, const clv_neighbours *n, clv_error *err)
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

static clv_status measure_images(const latent *l, clv_error *err)
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
static bool has_prior(const latent *l)
{
    return of_codes(l) && (clv_model_is_vae(l->s->model) || l->points.codes.dims <= CLV_MAX_MIXTURE_DIMS);
}

/* What needs neighbours is left out where there are too few points to have them. */
static clv_status measure(latent *l, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_distances space = {0};
    clv_neighbours n = {0};
    const latent *c = l;
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

/* ---- the two ways in ---- */

static clv_status start(latent *l, clv_session *session, const char *folder, const clv_latent_options *options,
                        clv_latent_result *result, clv_error *err)
{
    clv_status status = CLV_OK;
    *l = (latent){.s = session, .o = options, .folder = folder, .result = result};
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
    CLV_TRY(check_methods(options->methods, err));
    CLV_TRY(clv_path_join(result->folder, sizeof result->folder, "", folder, err));
    CLV_TRY(clv_latent_encode(session, options, &l->points, err));
    result->count = l->points.codes.count;
    result->dims = l->points.codes.dims;
    result->classes = l->points.classes;
    CLV_TRY(clv_make_folders(folder, err));
done:
    return status;
}

clv_status clv_latent_figures(clv_session *session, const char *folder, const clv_latent_options *options,
                              clv_latent_result *result, clv_error *err)
{
    clv_status status = CLV_OK;
    latent l;
    CLV_TRY(start(&l, session, folder, options, result, err));
    CLV_TRY(draw_all(&l, err));
done:
    clv_latent_free(&l.points);
    return status;
}

clv_status clv_latent(const char *run, const clv_config *config, const clv_latent_options *options,
                      clv_latent_result *result, clv_error *err)
{
    clv_status status = CLV_OK;
    latent l = {0};
    clv_session *s = NULL;
    char folder[CLV_PATH_SIZE];
    clv_phase_request request = {CLV_MODE_ENCODE, 0};
    CLV_TRY(check_methods(options->methods, err));
    CLV_TRY(clv_split_dataset(options->split ? options->split : "test", &request.dataset, err));
    CLV_TRY(clv_path_join(folder, sizeof folder, options->out ? "" : run, options->out ? options->out : "latent", err));
    CLV_TRY(clv_session_open(config, options->log, &request, 1, &s, err));
    CLV_TRY(clv_session_load(s, run, err));
    CLV_TRY(start(&l, s, folder, options, result, err));
    CLV_TRY(draw_all(&l, err));
    CLV_TRY(measure(&l, err));
    CLV_TRY(clv_latent_write(folder, &l.points, err));
done:
    clv_latent_free(&l.points);
    clv_session_close(s);
    return status;
}
