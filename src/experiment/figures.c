/* The table of figures. A row without a function is drawn by the row above it. */
#include "experiment/figures.h"

#include <stdio.h>
#include <string.h>

#include "base/try.h"
#include "clave/report.h"
#include "experiment/classes.h"
#include "experiment/drawing.h"
#include "experiment/generate.h"
#include "experiment/latent.h"
#include "experiment/pass.h"
#include "experiment/pictures.h"
#include "experiment/run_folder.h"

#define NOISE_LEVELS 8  /* of the plot: 0, 0.1, ... */
#define MISTAKES     24 /* in their picture */

/* What a row draws from. */
typedef struct pen {
    clv_session *session;
    const clv_config *config;
    const char *run;
    clv_log *log;
    uint64_t seed;
    int scale;
} pen;

static int setting(const pen *p, const char *key) { return (int)clv_config_int(p->config, key); }
static bool has_decoder(const pen *p) { return clv_model_has_decoder(p->session->model); }
static bool is_classifier(const pen *p) { return !has_decoder(p); }
static bool is_denoiser(const pen *p) { return clv_model_task(p->session->model) == CLV_TASK_DENOISE; }

static clv_status path_of(const pen *p, const char *name, char path[CLV_PATH_SIZE], clv_error *err)
{
    return clv_figure_path(p->run, name, path, err);
}

/* ---- a pair of functions for each row ---- */

static bool always(const pen *p)
{
    (void)p;
    return true;
}

static clv_status draw_curves(const pen *p, clv_error *err) { return clv_loss_curves(p->run, err); }

static bool has_reconstructions(const pen *p) { return has_decoder(p) && setting(p, "report.reconstructions") > 0; }

static clv_status draw_reconstructions(const pen *p, clv_error *err)
{
    char path[CLV_PATH_SIZE];
    clv_status status = path_of(p, "reconstructions.png", path, err);
    if (status != CLV_OK) return status;
    return clv_draw_reconstructions(p->session, "test", p->seed, setting(p, "report.reconstructions"), p->scale, path,
                                    err);
}

static bool has_samples(const pen *p) { return has_decoder(p) && setting(p, "report.samples") > 0; }

static clv_status draw_samples(const pen *p, clv_error *err)
{
    char path[CLV_PATH_SIZE];
    clv_status status = path_of(p, "samples.png", path, err);
    if (status != CLV_OK) return status;
    return clv_draw_samples(p->session, CLV_FROM_DEFAULT, 0, p->seed, setting(p, "report.samples"), p->scale, path,
                            NULL, err);
}

static bool has_manifold(const pen *p)
{
    return has_decoder(p) && setting(p, "report.manifold") > 0 && clv_model_latent(p->session->model) == 2;
}

static clv_status draw_manifold(const pen *p, clv_error *err)
{
    char path[CLV_PATH_SIZE];
    clv_status status = path_of(p, "manifold.png", path, err);
    if (status != CLV_OK) return status;
    return clv_draw_manifold(p->session, setting(p, "report.manifold"), p->scale, path, err);
}

static bool has_latent(const pen *p)
{
    return has_decoder(p) && setting(p, "report.latent") > 0 && clv_model_latent(p->session->model) > 1;
}

static clv_status draw_latent(const pen *p, clv_error *err)
{
    char folder[CLV_PATH_SIZE];
    clv_latent_options options = {.count = setting(p, "report.latent"), .seed = p->seed};
    clv_latent_result result;
    clv_status status = path_of(p, "", folder, err);
    return status == CLV_OK ? clv_latent_figures(p->session, folder, &options, &result, err) : status;
}

static clv_status draw_answers(const pen *p, clv_error *err)
{
    clv_class_figures figures = {0};
    clv_status status = clv_draw_answers(p->session, p->run, "test", MISTAKES, p->scale, &figures, err);
    clv_class_figures_free(&figures);
    return status;
}

/* The mean squared errors of what comes in and what comes out, at a level of noise. */
static clv_status measure_noise(const pen *p, double level, double *noisy, double *restored, clv_error *err)
{
    clv_phase *phase = clv_session_phase(p->session, CLV_MODE_EVALUATE, CLV_DATASET_TEST);
    clv_pass pass = {.seed = p->seed, .count = p->session->images[CLV_DATASET_TEST].count};
    clv_measures measures;
    double before = p->session->noise;
    p->session->noise = level;
    clv_status status = clv_pass_run(p->session, phase, &pass, err);
    p->session->noise = before;
    if (status != CLV_OK) return status;
    clv_pass_measures(phase, &pass, &measures);
    *noisy = clv_measure_get(&measures, "noisy_mse");
    *restored = clv_measure_get(&measures, "mse");
    return CLV_OK;
}

static clv_status draw_noise(const pen *p, clv_error *err)
{
    double level[NOISE_LEVELS], noisy[NOISE_LEVELS], restored[NOISE_LEVELS];
    char folder[CLV_PATH_SIZE];
    clv_status status = CLV_OK;
    for (int i = 0; i < NOISE_LEVELS; i++) {
        level[i] = 0.1 * i;
        CLV_TRY(measure_noise(p, level[i], &noisy[i], &restored[i], err));
    }
    const clv_series series[] = {{.name = "noisy image", .x = level, .y = noisy, .count = NOISE_LEVELS},
                                 {.name = "restored image", .x = level, .y = restored, .count = NOISE_LEVELS}};
    const clv_plot plot = {.title = "Error against the clean image, by noise",
                           .x_label = "noise amount (standard deviation of pixels from 0 to 1)",
                           .y_label = "mean squared error",
                           .series = series,
                           .series_count = 2,
                           .markers = true};
    CLV_TRY(path_of(p, "", folder, err));
    CLV_TRY(clv_draw_both(folder, "noise", clv_write_plot, &plot, err));
done:
    return status;
}

/* ---- the table ---- */

static const struct figure {
    clv_figure_name name;
    bool (*wanted)(const pen *p);
    clv_status (*draw)(const pen *p, clv_error *err);
} table[] = {
    {{"loss", "Loss by epoch", .curve = true}, always, draw_curves},
    {{"accuracy", "Accuracy by epoch", true, "share of images answered rightly"}, always, NULL},
    {{"bce", "Cross-entropy by epoch", true, "nats an image"}, always, NULL},
    {{"kl", "KL divergence by epoch", true, "nats an image"}, always, NULL},
    {{"lr", "Learning rate at the end of each epoch", true, "learning rate"}, always, NULL},
    {{.stem = "reconstructions", .heading = "Originals over reconstructions"},
     has_reconstructions,
     draw_reconstructions},
    {{.stem = "noise", .heading = "Error by noise"}, is_denoiser, draw_noise},
    {{.stem = "samples", .heading = "New images"}, has_samples, draw_samples},
    {{.stem = "manifold", .heading = "The plane of codes"}, has_manifold, draw_manifold},
    {{.stem = "latent", .heading = "Codes of test images"}, has_latent, draw_latent},
    {{.stem = "pca", .heading = "The same by principal components"}, has_latent, NULL},
    {{.stem = "tsne", .heading = "The same by t-SNE"}, has_latent, NULL},
    {{.stem = "confusion", .heading = "Confusion matrix"}, is_classifier, draw_answers},
    {{.stem = "mistakes", .heading = "The most confident mistakes"}, is_classifier, NULL},
};
#define FIGURES ((int)(sizeof table / sizeof *table))

int clv_figure_count(void) { return FIGURES; }
clv_figure_name clv_figure_at(int i) { return table[i].name; }

/* A figure that the configuration no longer wants, or that this model has not, must not stay from an earlier run here.
 */
static clv_status remove_figure(const pen *p, const char *stem, clv_error *err)
{
    static const char *const endings[] = {"png", "svg"};
    for (int i = 0; i < 2; i++) {
        char name[64], path[CLV_PATH_SIZE];
        snprintf(name, sizeof name, "%s.%s", stem, endings[i]);
        clv_status status = path_of(p, name, path, err);
        if (status != CLV_OK) return status;
        remove(path);
    }
    return CLV_OK;
}

/* What cannot be drawn of these weights or these data (all codes are one, the test images are too few for a map) is
 * told, and no reason to lose a trained model's report. */
static clv_status draw_figure(const pen *p, const struct figure *figure, clv_error *err)
{
    clv_error why = {0};
    clv_status status = figure->draw(p, &why);
    if (status == CLV_ERR_CONFIG || status == CLV_ERR_DATA) {
        clv_log_line(p->log, "notice: no figure '%s': %s", figure->name.stem, why.message);
        return CLV_OK;
    }
    return status == CLV_OK ? CLV_OK : clv_fail(err, status, "%s", why.message);
}

static clv_status draw_all(const pen *p, clv_error *err)
{
    clv_status status = CLV_OK;
    for (int i = 0; i < FIGURES; i++) CLV_TRY(remove_figure(p, table[i].name.stem, err));
    for (int i = 0; i < FIGURES; i++)
        if (table[i].draw && table[i].wanted(p)) CLV_TRY(draw_figure(p, &table[i], err));
done:
    return status;
}

/* The phases that the rows take, by what the task has. */
static int requests_of(const clv_config *config, clv_phase_request request[CLV_MAX_PHASES])
{
    const char *task = clv_config_string(config, "experiment.task");
    int count = 0;
    if (!strcmp(task, "classify")) {
        request[count++] = (clv_phase_request){CLV_MODE_CLASSIFY, CLV_DATASET_TEST};
        return count;
    }
    request[count++] = (clv_phase_request){CLV_MODE_RECONSTRUCT, CLV_DATASET_TEST};
    request[count++] = (clv_phase_request){CLV_MODE_DECODE, CLV_DATASET_TEST};
    request[count++] = (clv_phase_request){CLV_MODE_ENCODE, CLV_DATASET_TEST};
    if (!strcmp(task, "denoise")) request[count++] = (clv_phase_request){CLV_MODE_EVALUATE, CLV_DATASET_TEST};
    if (strcmp(task, "vae") && clv_config_int(config, "report.samples") > 0) /* drawn from what is fitted */
        request[count++] = (clv_phase_request){CLV_MODE_ENCODE, CLV_DATASET_TRAIN};
    return count;
}

clv_status clv_run_figures(const clv_config *config, const char *run, clv_log *log, clv_error *err)
{
    clv_phase_request request[CLV_MAX_PHASES];
    int requests = requests_of(config, request);
    pen p = {.config = config, .run = run, .log = log, .seed = (uint64_t)clv_config_int(config, "experiment.seed")};
    clv_status status = CLV_OK;
    p.scale = setting(&p, "report.scale");
    CLV_TRY(clv_session_open_run(run, config, NULL, request, requests, &p.session, err));
    CLV_TRY(draw_all(&p, err));
done:
    clv_session_close(p.session);
    return status;
}
