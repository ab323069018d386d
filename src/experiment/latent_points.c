/* Which images are looked at, and what the encoder makes of them. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/philox.h"
#include "base/try.h"
#include "experiment/codes.h"
#include "experiment/latent.h"

#define MOST_POINTS 10000

/* Chosen by the seed where there are more than wanted, in the order of the file. */
static clv_status choose(clv_session *s, const clv_latent_options *o, int *dataset, uint32_t *first,
                         clv_latent_points *p, clv_error *err)
{
    clv_status status = CLV_OK;
    const char *split = o->split ? o->split : "test";
    uint32_t places = 0, *order = NULL;
    CLV_TRY(clv_split_dataset(split, dataset, err));
    CLV_TRY(clv_session_split(s, split, first, &places, err));
    const uint32_t all = s->images[*dataset].count, wanted = o->count > 0 ? (uint32_t)o->count : MOST_POINTS;
    const uint32_t count = wanted < places ? wanted : places;
    order = clv_alloc(all, sizeof *order, err);
    p->index = clv_alloc(count, sizeof *p->index, err);
    CLV_REQUIRE(order && p->index, CLV_ERR_INTERNAL, "out of memory for the order of %u images", all);
    for (uint32_t i = 0; i < all; i++) order[i] = i;
    if (count < places) clv_shuffle(order + *first, places, o->seed, UINT32_MAX);
    CLV_TRY(clv_session_order(s, *dataset, order, err));
    memcpy(p->index, order + *first, count * sizeof *order);
    p->codes.count = (int)count;
done:
    free(order);
    return status;
}

static clv_status take_labels(const clv_images *images, clv_latent_points *p, clv_error *err)
{
    if (!images->label) return CLV_OK;
    p->label = clv_alloc((size_t)p->codes.count, sizeof *p->label, err);
    if (!p->label) return CLV_ERR_INTERNAL;
    p->class_name = (const char *const *)images->class_name;
    for (int i = 0; i < p->codes.count; i++) {
        p->label[i] = images->label[p->index[i]];
        if (p->label[i] >= p->classes) p->classes = p->label[i] + 1;
    }
    return CLV_OK;
}

static clv_status take_images(const clv_images *images, clv_latent_points *p, clv_error *err)
{
    const size_t pixels = (size_t)images->channels * (size_t)images->height * (size_t)images->width;
    p->pixels = (int)pixels;
    p->image = clv_alloc((size_t)p->codes.count * pixels, sizeof *p->image, err);
    if (!p->image) return CLV_ERR_INTERNAL;
    for (size_t i = 0; i < (size_t)p->codes.count; i++)
        for (size_t k = 0; k < pixels; k++)
            p->image[i * pixels + k] = (float)images->pixel[p->index[i] * pixels + k] / 255;
    return CLV_OK;
}

/* A program of its own on the session's parameters and images. */
typedef struct layer_run {
    clv_model_graph graph;
    clv_plan *plan;
    clv_program *program;
    clv_buffer *arena;
} layer_run;

static clv_status make_layer(clv_session *s, const char *row, int dataset, layer_run *r, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_bindings bindings = s->bindings;
    const clv_plan_options options = {.batch = (int)clv_config_int(s->config, "train.batch"),
                                      .lane_width = s->be->lane_width,
                                      .alignment = s->be->alignment,
                                      .reuse = true,
                                      .trace_rows = 1,
                                      .apart = clv_config_apart(s->config)};
    CLV_TRY(clv_model_layer_graph_create(s->model, row, dataset, &r->graph, err));
    CLV_TRY(clv_plan_create(r->graph.graph, clv_model_params(s->model), NULL, &options, &r->plan, err));
    CLV_TRY(clv_buffer_create(s->be, r->plan->elements[CLV_SPACE_ARENA] * s->be->element_size, &r->arena, err));
    bindings.space[CLV_SPACE_ARENA] = r->arena;
    CLV_TRY(clv_program_create(s->be, r->plan, &bindings, &r->program, err));
done:
    return status;
}

static void end_layer(clv_session *s, layer_run *r)
{
    if (r->program) clv_program_destroy(s->be, r->program);
    if (r->arena) clv_buffer_destroy(s->be, r->arena);
    clv_plan_destroy(r->plan);
    clv_model_graph_destroy(&r->graph);
}

static clv_status run_layer(clv_session *s, const char *row, int dataset, uint32_t first, clv_latent_points *p,
                            clv_error *err)
{
    clv_status status = CLV_OK;
    layer_run r = {0};
    float *lanes = NULL;
    CLV_TRY(make_layer(s, row, dataset, &r, err));
    const clv_operand *place = &r.plan->place[r.graph.output];
    const size_t dims = (size_t)clv_shape_elements(&place->shape), stride = (size_t)r.plan->lanes;
    const uint32_t count = (uint32_t)p->codes.count, batch = (uint32_t)r.plan->batch;
    p->codes.dims = (int)dims;
    p->at = clv_alloc(count * dims, sizeof *p->at, err);
    lanes = p->at ? clv_alloc(dims * stride, sizeof *lanes, err) : NULL;
    CLV_REQUIRE(lanes, CLV_ERR_INTERNAL, "out of memory for %u outputs of '%s'", count, row);
    for (uint32_t done = 0, n; done < count; done += n) {
        n = count - done < batch ? count - done : batch;
        const clv_step step = {.offset = first + done, .count = n};
        CLV_TRY(clv_program_run(s->be, r.program, &step, err));
        CLV_TRY(clv_buffer_read_floats(s->be, r.arena, place->offset, lanes, dims * stride, err));
        for (size_t i = 0; i < n; i++)
            for (size_t c = 0; c < dims; c++) p->at[(done + i) * dims + c] = lanes[c * stride + i];
    }
done:
    free(lanes);
    end_layer(s, &r);
    return status;
}

clv_status clv_latent_encode(clv_session *s, const clv_latent_options *o, clv_latent_points *p, clv_error *err)
{
    clv_status status = CLV_OK;
    int dataset = 0;
    uint32_t first = 0;
    const char *of = o->of ? o->of : "code";
    *p = (clv_latent_points){0};
    CLV_TRY(choose(s, o, &dataset, &first, p, err));
    CLV_TRY(take_labels(&s->images[dataset], p, err));
    if (strcmp(of, "input") != 0) CLV_TRY(take_images(&s->images[dataset], p, err));
    if (!strcmp(of, "code")) {
        p->codes.dims = clv_model_latent(s->model);
        p->at = clv_alloc((size_t)p->codes.count * (size_t)p->codes.dims, sizeof *p->at, err);
        CLV_REQUIRE(p->at, CLV_ERR_INTERNAL, "out of memory for %d codes", p->codes.count);
        CLV_TRY(clv_encode(s, dataset, first, (uint32_t)p->codes.count, p->at, err));
    } else {
        CLV_TRY(run_layer(s, of, dataset, first, p, err));
    }
    p->codes.at = p->at;
    CLV_TRY(clv_points_check(&p->codes, of, err));
done:
    if (status != CLV_OK) clv_latent_free(p);
    return status;
}

void clv_latent_free(clv_latent_points *p)
{
    free(p->at);
    free(p->image);
    free(p->index);
    free(p->label);
    free(p->plane);
    free(p->map);
    *p = (clv_latent_points){0};
}
