/* The methods that lay points out in the plane: the coordinates as they are, principal components, t-SNE. Each says
 * what it refuses before anything is computed, and computes before anything is drawn. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/pca.h"
#include "analysis/tsne.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/try.h"
#include "experiment/latent.h"

#define PERPLEXITY 30.0
#define ITERATIONS 1000

static const char *of(const clv_latent_work *l) { return l->o->of ? l->o->of : "code"; }
bool clv_latent_of_codes(const clv_latent_work *l) { return !strcmp(of(l), "code"); }

static void make_title(const clv_latent_work *l, const char *how, char *text, size_t size)
{
    snprintf(text, size, "%s of %d %s images%s%s", clv_latent_of_codes(l) ? "Codes" : of(l), l->points.codes.count,
             l->o->split ? l->o->split : "test", *how ? ", " : "", how);
}

static clv_status draw_plane(const clv_latent_work *l, const char *name, const float *plane, const char *const label[2],
                             const char *how, clv_error *err)
{
    char title[256];
    make_title(l, how, title, sizeof title);
    return clv_latent_draw(l->folder, name, &l->points, plane, 2, (const int[]){0, 1}, label, title, err);
}

/* ---- as they are ---- */

static const int *raw_axes(const clv_latent_work *l)
{
    static const int first[2] = {0, 1};
    return l->o->axis[0] == l->o->axis[1] ? first : l->o->axis;
}

static clv_status check_raw(const clv_latent_work *l, clv_error *err)
{
    const int dims = l->points.codes.dims, *axis = raw_axes(l);
    const bool asked = l->o->methods || axis == l->o->axis; /* else one dimension is no plane, and none is drawn */
    if ((axis[0] < dims && axis[1] < dims) || (dims < 2 && !asked)) return CLV_OK;
    return clv_fail(err, CLV_ERR_CONFIG,
                    "there is no axis %d: '%s' has %d dimension%s, counted from 0; choose by --axes, or --method "
                    "pca,tsne",
                    axis[0] < dims ? axis[1] : axis[0], of(l), dims, dims == 1 ? "" : "s");
}

static clv_status draw_raw(const clv_latent_work *l, clv_error *err)
{
    const int dims = l->points.codes.dims, *axis = raw_axes(l);
    char name[2][96], title[256];
    if (dims < 2) return CLV_OK;
    for (int k = 0; k < 2; k++) snprintf(name[k], sizeof name[k], "%.64s %d", of(l), axis[k]);
    make_title(l, "", title, sizeof title);
    return clv_latent_draw(l->folder, "latent", &l->points, l->points.at, dims, axis,
                           (const char *const[]){name[0], name[1]}, title, err);
}

/* ---- principal components ---- */

static clv_status check_pca(const clv_latent_work *l, clv_error *err)
{
    if (l->points.codes.dims >= 2 || !l->o->methods) return CLV_OK;
    return clv_fail(err, CLV_ERR_CONFIG, "'%s' has one dimension: its principal component is itself", of(l));
}

static clv_status make_pca(clv_latent_work *l, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_pca pca = {0};
    const clv_points *points = &l->points.codes;
    if (points->dims < 2) return CLV_OK;
    CLV_TRY(clv_pca_fit(l->s->be, points, points->dims < CLV_LATENT_EXPLAINED ? points->dims : CLV_LATENT_EXPLAINED,
                        &pca, err));
    l->points.plane = clv_alloc((size_t)points->count * 2, sizeof *l->points.plane, err);
    CLV_REQUIRE(l->points.plane, CLV_ERR_INTERNAL, "out of memory for %d points", points->count);
    clv_pca_project(&pca, points, 2, l->points.plane);
    l->result->components = pca.components;
    for (int k = 0; k < pca.components; k++) l->result->explained[k] = pca.total > 0 ? pca.variance[k] / pca.total : 0;
done:
    clv_pca_free(&pca);
    return status;
}

static clv_status draw_pca(const clv_latent_work *l, clv_error *err)
{
    char name[2][64];
    if (!l->points.plane) return CLV_OK;
    for (int k = 0; k < 2; k++)
        snprintf(name[k], sizeof name[k], "component %d (%.1f %% of the variance)", k + 1,
                 100 * l->result->explained[k]);
    return draw_plane(l, "pca", l->points.plane, (const char *const[]){name[0], name[1]}, "principal components", err);
}

/* ---- t-SNE ---- */

static clv_tsne_options tsne_options(const clv_latent_work *l)
{
    const double most = clv_tsne_most_perplexity(l->points.codes.count);
    return (clv_tsne_options){.perplexity = l->o->perplexity > 0 ? l->o->perplexity : fmin(PERPLEXITY, most),
                              .iterations = l->o->iterations > 0 ? l->o->iterations : ITERATIONS,
                              .seed = l->o->seed,
                              .log = l->o->log};
}

static clv_status check_tsne(const clv_latent_work *l, clv_error *err)
{
    const clv_tsne_options options = tsne_options(l);
    return clv_tsne_check(&l->points.codes, &options, err);
}

static clv_status make_tsne(clv_latent_work *l, clv_error *err)
{
    clv_status status = CLV_OK;
    const clv_points *points = &l->points.codes;
    const clv_tsne_options options = tsne_options(l);
    const double began = clv_seconds();
    float *map = clv_alloc((size_t)points->count * 2, sizeof *map, err);
    if (!map) return CLV_ERR_INTERNAL;
    CLV_TRY(clv_tsne(l->s->be, points, &options, map, &l->result->kl, err));
    l->points.map = map;
    map = NULL;
    l->result->perplexity = options.perplexity;
    l->result->tsne_seconds = clv_seconds() - began;
done:
    free(map);
    return status;
}

static clv_status draw_tsne(const clv_latent_work *l, clv_error *err)
{
    char how[64];
    if (!l->points.map) return CLV_OK;
    snprintf(how, sizeof how, "t-SNE of perplexity %.3g", l->result->perplexity);
    return draw_plane(l, "tsne", l->points.map, (const char *const[]){"t-SNE 1", "t-SNE 2"}, how, err);
}

/* ---- the table ---- */

static const struct method {
    const char *name;
    clv_status (*check)(const clv_latent_work *l, clv_error *err);
    clv_status (*make)(clv_latent_work *l, clv_error *err); /* NULL: there is nothing to make */
    clv_status (*draw)(const clv_latent_work *l, clv_error *err);
} table[] = {
    {"raw", check_raw, NULL, draw_raw},
    {"pca", check_pca, make_pca, draw_pca},
    {"tsne", check_tsne, make_tsne, draw_tsne},
};
#define METHODS ((int)(sizeof table / sizeof *table))

/* "raw,pca": only words of the table. */
clv_status clv_latent_check_methods(const char *list, clv_error *err)
{
    for (const char *at = list; at;) {
        const size_t length = strcspn(at, ",");
        bool known = false;
        for (int m = 0; m < METHODS; m++)
            known |= strlen(table[m].name) == length && !strncmp(table[m].name, at, length);
        if (!known)
            return clv_fail(err, CLV_ERR_CONFIG, "there is no method '%.*s': --method takes some of raw,pca,tsne",
                            (int)length, at);
        at = at[length] ? at + length + 1 : NULL;
    }
    return CLV_OK;
}

/* Asked for by name, or not forbidden by a list without it. */
static bool wanted(const clv_latent_work *l, const char *name)
{
    if (!l->o->methods) return true;
    const size_t length = strlen(name);
    for (const char *at = l->o->methods; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (!strncmp(at, name, length) && (at[length] == ',' || !at[length])) return true;
    return false;
}

clv_status clv_latent_check(const clv_latent_work *l, clv_error *err)
{
    clv_status status = CLV_OK;
    for (int m = 0; m < METHODS && status == CLV_OK; m++)
        if (wanted(l, table[m].name)) status = table[m].check(l, err);
    return status;
}

clv_status clv_latent_lay_out(clv_latent_work *l, clv_error *err)
{
    clv_status status = CLV_OK;
    for (int m = 0; m < METHODS && status == CLV_OK; m++)
        if (wanted(l, table[m].name) && table[m].make) status = table[m].make(l, err);
    return status;
}

clv_status clv_latent_draw_all(const clv_latent_work *l, clv_error *err)
{
    clv_status status = CLV_OK;
    for (int m = 0; m < METHODS && status == CLV_OK; m++)
        if (wanted(l, table[m].name)) status = table[m].draw(l, err);
    return status;
}
