/* Importance weights. The codes' Gaussians wait on the host between the two phases, which share the device's memory;
 * weights are added up in double, relative to the largest so far. */
#include "experiment/weigh.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/try.h"
#include "clave/experiment.h"
#include "experiment/run_folder.h"

typedef struct sum { /* of exp(log weight), as total x exp(most) */
    double most, total, loss;
} sum;

typedef struct weigher {
    clv_session *session;
    const clv_weighing *w;
    clv_phase *encode, *weigh;
    size_t latent;
    float *mu, *logvar; /* [count][latent] */
    float *value;       /* [batch]: what is read of a step */
    sum *image;         /* [batch] */
    double start;
} weigher;

static int batch_at(const weigher *g, uint32_t done)
{
    const uint32_t batch = (uint32_t)g->weigh->plan->batch, left = g->w->count - done;
    return (int)(left < batch ? left : batch);
}

static clv_status encode_all(weigher *g, clv_error *err)
{
    clv_session *s = g->session;
    clv_status status = CLV_OK;
    for (uint32_t done = 0; done < g->w->count && status == CLV_OK;) {
        const int n = batch_at(g, done);
        const size_t at = done * g->latent;
        const clv_step step = {.offset = g->w->first + done, .count = (uint32_t)n};
        CLV_TRY(clv_program_run(s->be, g->encode->program, &step, err));
        CLV_TRY(clv_session_read_batch(s, g->encode, g->encode->graph.code, g->mu + at, n, err));
        CLV_TRY(clv_session_read_batch(s, g->encode, g->encode->graph.logvar, g->logvar + at, n, err));
        done += (uint32_t)n;
    }
done:
    return status;
}

static void add_weight(sum *image, double weight)
{
    if (weight > image->most) {
        image->total = image->total * exp(image->most - weight) + 1;
        image->most = weight;
    } else {
        image->total += exp(weight - image->most);
    }
}

/* One sample of each image of a batch: the k-th draws by step k x batches + batch, so the first draws as evaluation
 * does. */
static clv_status draw(weigher *g, uint32_t done, int n, int k, clv_error *err)
{
    clv_session *s = g->session;
    const clv_model_graph *graph = &g->weigh->graph;
    const uint32_t batch = (uint32_t)g->weigh->plan->batch, batches = (g->w->count + batch - 1) / batch;
    const clv_step step = {
        .seed = {(uint32_t)g->w->seed, (uint32_t)(g->w->seed >> 32)},
        .step = (uint32_t)k * batches + done / batch,
        .offset = g->w->first + done,
        .count = (uint32_t)n,
    };
    clv_status status = CLV_OK;
    CLV_TRY(clv_program_run(s->be, g->weigh->program, &step, err));
    CLV_TRY(clv_session_read_batch(s, g->weigh, graph->image_weight, g->value, n, err));
    for (int i = 0; i < n; i++) {
        CLV_REQUIRE(
            isfinite(g->value[i]), CLV_ERR_DIVERGED,
            "the importance weight of image %u is %s: the model has diverged; train it again with a lower train.lr",
            done + (uint32_t)i, isnan(g->value[i]) ? "NaN" : "infinite");
        add_weight(&g->image[i], (double)g->value[i]);
    }
    if (!g->w->loss) goto done;
    CLV_TRY(clv_session_read_batch(s, g->weigh, graph->image_loss, g->value, n, err));
    for (int i = 0; i < n; i++) g->image[i].loss += (double)g->value[i];
done:
    return status;
}

static clv_status weigh_batch(weigher *g, uint32_t done, int n, clv_error *err)
{
    const clv_weighing *w = g->w;
    const clv_model_graph *graph = &g->weigh->graph;
    const size_t at = done * g->latent;
    clv_status status = CLV_OK;
    for (int i = 0; i < n; i++) g->image[i] = (sum){.most = -INFINITY};
    CLV_TRY(clv_session_write_batch(g->session, g->weigh, graph->code, g->mu + at, n, err));
    CLV_TRY(clv_session_write_batch(g->session, g->weigh, graph->logvar, g->logvar + at, n, err));
    for (int b = 0, k = 0; b < w->bounds; b++) {
        for (; k < w->samples[b]; k++) CLV_TRY(draw(g, done, n, k, err));
        for (int i = 0; i < n; i++) w->bound[b] += g->image[i].most + log(g->image[i].total / k);
    }
    for (int i = 0; i < n && w->loss; i++) w->loss[done + (uint32_t)i] = g->image[i].loss / w->samples[w->bounds - 1];
done:
    return status;
}

static clv_status weigh_all(weigher *g, clv_error *err)
{
    const clv_weighing *w = g->w;
    for (int b = 0; b < w->bounds; b++) w->bound[b] = 0;
    for (uint32_t done = 0; done < w->count;) {
        const int n = batch_at(g, done);
        const clv_status status = weigh_batch(g, done, n, err);
        if (status != CLV_OK) return status;
        done += (uint32_t)n;
        if (w->label)
            clv_log_progress(g->session->log, w->label, (long)done, (long)w->count,
                             done / (clv_seconds() - g->start + 1e-9), NULL);
    }
    clv_log_progress_clear(g->session->log);
    for (int b = 0; b < w->bounds; b++) w->bound[b] /= w->count;
    return CLV_OK;
}

clv_status clv_weigh(clv_session *session, const clv_weighing *weighing, clv_error *err)
{
    weigher g = {.session = session,
                 .w = weighing,
                 .encode = clv_session_phase(session, CLV_MODE_ENCODE, weighing->dataset),
                 .weigh = clv_session_phase(session, CLV_MODE_WEIGH, weighing->dataset),
                 .latent = (size_t)clv_model_latent(session->model),
                 .start = clv_seconds()};
    clv_status status = CLV_OK;
    CLV_REQUIRE(g.encode && g.weigh, CLV_ERR_INTERNAL, "the session cannot weigh on data set %d", weighing->dataset);
    const size_t batch = (size_t)g.weigh->plan->batch;
    g.mu = clv_alloc(weighing->count * g.latent, sizeof *g.mu, err);
    g.logvar = clv_alloc(weighing->count * g.latent, sizeof *g.logvar, err);
    g.value = clv_alloc(batch, sizeof *g.value, err);
    g.image = clv_alloc(batch, sizeof *g.image, err);
    CLV_REQUIRE(g.mu && g.logvar && g.value && g.image, CLV_ERR_INTERNAL, "out of memory for the codes of %u images",
                weighing->count);
    CLV_TRY(encode_all(&g, err));
    CLV_TRY(weigh_all(&g, err));
done:
    free(g.mu);
    free(g.logvar);
    free(g.value);
    free(g.image);
    return status;
}

clv_status clv_bounds_check(const int *samples, int bounds, clv_error *err)
{
    if (bounds > CLV_MAX_BOUNDS)
        return clv_fail(err, CLV_ERR_CONFIG, "%d numbers of samples: ask for up to %d", bounds, CLV_MAX_BOUNDS);
    for (int i = 0; i < bounds; i++)
        if (samples[i] <= (i ? samples[i - 1] : 0) || samples[i] > CLV_MAX_SAMPLES)
            return clv_fail(err, CLV_ERR_CONFIG, "numbers of samples are whole, rising, from 1 to %d, not %d",
                            CLV_MAX_SAMPLES, samples[i]);
    return CLV_OK;
}

clv_status clv_measure_bounds(clv_session *s, const char *split, const int *samples, int bounds, clv_measures *measures,
                              clv_error *err)
{
    clv_status status = CLV_OK;
    double bound[CLV_MAX_BOUNDS];
    clv_weighing w = {.seed = (uint64_t)clv_config_int(s->config, "experiment.seed"),
                      .samples = samples,
                      .bounds = bounds,
                      .label = "iwae",
                      .bound = bound};
    CLV_TRY(clv_split_dataset(split, &w.dataset, err));
    CLV_TRY(clv_session_split(s, split, &w.first, &w.count, err));
    CLV_TRY(clv_weigh(s, &w, err));
    for (int b = 0; b < bounds && measures->count < CLV_MAX_FIGURES; b++) {
        clv_measure *m = &measures->of[measures->count++];
        snprintf(m->name, sizeof m->name, "iwae_%d", samples[b]);
        m->value = bound[b];
    }
done:
    return status;
}
