/* t-SNE as scikit-learn's TSNE(method="exact", init="pca") has it: the schedule of van der Maaten's code, the learning
 * rate of Belkina et al. 2019 and the start of Kobak & Berens 2019. Two programs: one makes the affinities, the other
 * is the step that is repeated. */
#include "analysis/tsne.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/pca.h"
#include "analysis/runner.h"
#include "base/memory.h"
#include "base/philox.h"
#include "base/try.h"

#define EXAGGERATION    12.0
#define EXAGGERATED     250 /* iterations */
#define LEAST_RATE      50.0
#define START_DEVIATION 1e-4 /* of the first coordinate */
#define WIDTH           32   /* positions lie in rows of a multiple of it: see shape.c */
#define BLOCK           64   /* rows of affinities that the host holds at a time */
#define PROGRESS_STEPS  25

typedef struct tsne {
    clv_backend *be;
    const clv_points *points;
    const clv_tsne_options *options;
    clv_runner affinities, steps;
    clv_node x, joint; /* of `affinities` */
    clv_node y, p;     /* of `steps` */
    int width;         /* of a row of positions */
    float *position;   /* [2][width] */
    float *block;      /* [BLOCK][lanes] */
} tsne;

double clv_tsne_most_perplexity(int points) { return (points - 1) / 3.0; }

clv_status clv_tsne_check(const clv_points *points, const clv_tsne_options *o, clv_error *err)
{
    clv_status status = CLV_OK;
    const double most = clv_tsne_most_perplexity(points->count);
    CLV_REQUIRE(points->count >= 4, CLV_ERR_CONFIG, "t-SNE needs at least 4 points, there are %d", points->count);
    CLV_REQUIRE(o->perplexity >= 1 && o->perplexity <= most, CLV_ERR_CONFIG,
                "t-SNE of %d points: perplexity %g must be from 1 to %.4g, a third of the others; lower --perplexity "
                "or raise --count",
                points->count, o->perplexity, most);
    CLV_REQUIRE(o->iterations >= 1, CLV_ERR_CONFIG, "t-SNE of %d iterations: give at least 1", o->iterations);
    CLV_TRY(clv_points_check(points, "points of t-SNE", err));
    const size_t dims = (size_t)points->dims;
    for (int i = 1; i < points->count; i++)
        if (memcmp(points->at, points->at + (size_t)i * dims, dims * sizeof *points->at) != 0) return CLV_OK;
    status = clv_fail(err, CLV_ERR_CONFIG, "all %d points are the same: t-SNE has nothing to show", points->count);
done:
    return status;
}

/* ---- the two programs ---- */

static clv_status make_affinities(tsne *t, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_runner *r = &t->affinities;
    const int count = t->points->count;
    const clv_shape pairs = {.rank = 3, .dim = {count, 1, 1, 1}, .batched = true};
    const clv_attr perplexity = {.alpha = (float)t->options->perplexity};
    const clv_step step = {.count = (uint32_t)count};
    clv_node distance, conditional;
    CLV_TRY(clv_runner_start(r, t->be, err));
    CLV_TRY(clv_runner_input(r, "points", t->points->dims, &t->x, err));
    CLV_TRY(clv_graph_add(r->graph, CLV_OP_DISTANCE, "distances", &t->x, 1, NULL, &pairs, &distance, err));
    CLV_TRY(
        clv_graph_add(r->graph, CLV_OP_AFFINITY, "conditional", &distance, 1, &perplexity, NULL, &conditional, err));
    CLV_TRY(clv_graph_add(r->graph, CLV_OP_JOINT, "joint", &conditional, 1, NULL, NULL, &t->joint, err));
    clv_graph_mark_output(r->graph, t->joint);
    CLV_TRY(clv_runner_make(r, count, CLV_NODE_NONE, CLV_NODE_NONE, err));
    CLV_TRY(clv_runner_write_points(r, t->x, t->points, 0, count, err));
    CLV_TRY(clv_runner_run(r, &step, err));
done:
    return status;
}

static clv_status make_steps(tsne *t, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_runner *r = &t->steps;
    const clv_shape positions = {.rank = 2, .dim = {2, t->width, 1, 1}};
    clv_node forces, gradient, step;
    CLV_TRY(clv_runner_start(r, t->be, err));
    CLV_TRY(clv_graph_param(r->graph, "positions", 2, positions.dim, &t->y, err));
    CLV_TRY(clv_runner_input(r, "affinities", t->points->count, &t->p, err));
    CLV_TRY(
        clv_graph_add(r->graph, CLV_OP_TSNE_FORCE, "forces", (clv_node[]){t->y, t->p}, 2, NULL, NULL, &forces, err));
    CLV_TRY(clv_graph_add(r->graph, CLV_OP_TSNE_GRAD, "gradient", &forces, 1, NULL, &positions, &gradient, err));
    CLV_TRY(clv_graph_add(r->graph, CLV_OP_TSNE_STEP, "step", NULL, 0, NULL, NULL, &step, err));
    CLV_TRY(clv_runner_make(r, t->points->count, t->y, gradient, err));
done:
    return status;
}

static clv_status move_affinities(tsne *t, clv_error *err)
{
    clv_status status = CLV_OK;
    for (int i = 0; i < t->points->count; i += BLOCK) {
        const int rows = t->points->count - i < BLOCK ? t->points->count - i : BLOCK;
        CLV_TRY(clv_runner_read_rows(&t->affinities, t->joint, i, rows, t->block, err));
        CLV_TRY(clv_runner_write_rows(&t->steps, t->p, i, rows, t->block, err));
    }
done:
    return status;
}

/* ---- the start ---- */

/* The first two principal components, scaled alike so that the first has a deviation of 1e-4. Points of one dimension
 * get a little noise as their second. */
static clv_status start(tsne *t, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_pca pca = {0};
    const int count = t->points->count, components = t->points->dims < 2 ? 1 : 2;
    float *plane = clv_alloc((size_t)count * 2, sizeof *plane, err);
    if (!plane) return CLV_ERR_INTERNAL;
    CLV_TRY(clv_pca_fit(t->be, t->points, components, &pca, err));
    clv_pca_project(&pca, t->points, components, plane);
    double square = 0;
    for (int i = 0; i < count; i++) square += (double)plane[i * components] * (double)plane[i * components] / count;
    const double scale = START_DEVIATION / sqrt(square);
    clv_random random = clv_random_start(t->options->seed, CLV_STREAM_PICTURE);
    for (int i = 0; i < count; i++) {
        t->position[i] = (float)(scale * (double)plane[i * components]);
        t->position[t->width + i] = components == 2 ? (float)(scale * (double)plane[i * 2 + 1])
                                                    : (float)START_DEVIATION * clv_random_normal(&random);
    }
    CLV_TRY(clv_runner_write_rows(&t->steps, t->y, 0, 2, t->position, err));
done:
    clv_pca_free(&pca);
    free(plane);
    return status;
}

/* ---- the descent ---- */

/* No last move, gains of 1. */
static clv_status rest(tsne *t, clv_error *err)
{
    clv_status status = CLV_OK;
    const size_t count = t->steps.plan->elements[CLV_SPACE_MOMENT1];
    float *values = clv_alloc(count, sizeof *values, err);
    if (!values) return CLV_ERR_INTERNAL;
    CLV_TRY(clv_buffer_write_floats(t->be, t->steps.bindings.space[CLV_SPACE_MOMENT1], 0, values, count, err));
    for (size_t i = 0; i < count; i++) values[i] = 1;
    CLV_TRY(clv_buffer_write_floats(t->be, t->steps.bindings.space[CLV_SPACE_MOMENT2], 0, values, count, err));
done:
    free(values);
    return status;
}

static clv_status descend(tsne *t, clv_error *err)
{
    clv_status status = CLV_OK;
    const int iterations = t->options->iterations;
    const double rate = fmax(t->points->count / EXAGGERATION / 4, LEAST_RATE), began = clv_seconds();
    for (int i = 0; i < iterations; i++) {
        const bool early = i < EXAGGERATED;
        const clv_step step = {.count = (uint32_t)t->points->count,
                               .step = (uint32_t)i,
                               .lr = (float)rate,
                               .exaggeration = early ? (float)EXAGGERATION : 1,
                               .momentum = early ? 0.5f : 0.8f};
        if (i == 0 || i == EXAGGERATED) CLV_TRY(rest(t, err));
        CLV_TRY(clv_runner_run(&t->steps, &step, err));
        if (!t->options->log || i % PROGRESS_STEPS != 0) continue;
        CLV_TRY(clv_backend_finish(t->be, err));
        clv_log_progress(t->options->log, "t-SNE", i + 1, iterations, (i + 1) / (clv_seconds() - began), "");
    }
    if (t->options->log) clv_log_progress_clear(t->options->log);
    CLV_TRY(clv_runner_read_rows(&t->steps, t->y, 0, 2, t->position, err));
    for (int i = 0; i < t->points->count; i++)
        CLV_REQUIRE(isfinite(t->position[i]) && isfinite(t->position[t->width + i]), CLV_ERR_DIVERGED,
                    "t-SNE's positions became NaN or infinite: give another --perplexity");
done:
    return status;
}

/* KL(P || Q) = sum p log(p / u) + log(sum u) sum p: one pass over the pairs above the diagonal, in double. */
static clv_status divergence(tsne *t, double *result, clv_error *err)
{
    clv_status status = CLV_OK;
    const float *x = t->position, *y = t->position + t->width;
    const int count = t->points->count, stride = clv_runner_stride(&t->steps, t->p);
    double cross = 0, all_u = 0, all_p = 0;
    for (int first = 0; first < count; first += BLOCK) {
        const int rows = count - first < BLOCK ? count - first : BLOCK;
        CLV_TRY(clv_runner_read_rows(&t->steps, t->p, first, rows, t->block, err));
        for (int i = first; i < first + rows; i++)
            for (int n = i + 1; n < count; n++) {
                const double p = (double)t->block[(size_t)(i - first) * (size_t)stride + (size_t)n];
                const double a = (double)x[i] - (double)x[n], b = (double)y[i] - (double)y[n], d = 1 + a * a + b * b;
                all_u += 2 / d;
                if (p <= 0) continue;
                all_p += 2 * p;
                cross += 2 * p * log(p * d);
            }
    }
    *result = cross + log(all_u) * all_p;
done:
    return status;
}

clv_status clv_tsne(clv_backend *be, const clv_points *points, const clv_tsne_options *options, float *map, double *kl,
                    clv_error *err)
{
    clv_status status = clv_tsne_check(points, options, err);
    if (status != CLV_OK) return status;
    tsne t = {.be = be, .points = points, .options = options};
    t.width = (points->count + WIDTH - 1) / WIDTH * WIDTH;
    CLV_TRY(clv_pairs_fit(be, "t-SNE", points->count, 2, err));
    t.position = clv_alloc(2 * (size_t)t.width, sizeof *t.position, err);
    t.block = t.position ? clv_alloc((size_t)BLOCK * (size_t)(t.width + be->lane_width), sizeof *t.block, err) : NULL;
    CLV_REQUIRE(t.block, CLV_ERR_INTERNAL, "out of memory for t-SNE of %d points", points->count);
    CLV_TRY(make_affinities(&t, err));
    CLV_TRY(make_steps(&t, err));
    CLV_TRY(move_affinities(&t, err));
    clv_runner_end(&t.affinities);
    CLV_TRY(start(&t, err));
    CLV_TRY(descend(&t, err));
    CLV_TRY(divergence(&t, kl, err));
    for (int i = 0; i < points->count; i++) {
        map[2 * i] = t.position[i];
        map[2 * i + 1] = t.position[t.width + i];
    }
done:
    clv_runner_end(&t.affinities);
    clv_runner_end(&t.steps);
    free(t.position);
    free(t.block);
    return status;
}
