/* Runners: from a graph to a program that runs, without a model or a data set. */
#include "analysis/runner.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/try.h"

clv_status clv_points_check(const clv_points *points, const char *what, clv_error *err)
{
    const size_t values = (size_t)points->count * (size_t)points->dims;
    for (size_t i = 0; i < values; i++)
        if (!isfinite(points->at[i]))
            return clv_fail(
                err, CLV_ERR_DATA,
                "the %s hold a value that is no finite number (point %zu): the weights are of a run that diverged",
                what, i / (size_t)points->dims);
    return CLV_OK;
}

clv_status clv_runner_start(clv_runner *r, clv_backend *be, clv_error *err)
{
    *r = (clv_runner){.be = be, .graph = clv_graph_create()};
    return r->graph ? CLV_OK : clv_fail(err, CLV_ERR_INTERNAL, "out of memory for a graph");
}

void clv_runner_end(clv_runner *r)
{
    if (!r->graph) return;
    if (r->program) clv_program_destroy(r->be, r->program);
    for (int i = 0; i < CLV_SPACE_COUNT; i++) clv_buffer_destroy(r->be, r->bindings.space[i]);
    clv_plan_destroy(r->plan);
    clv_param_layout_destroy(&r->layout);
    clv_graph_destroy(r->graph);
    *r = (clv_runner){0};
}

clv_status clv_runner_input(clv_runner *r, const char *name, int features, clv_node *node, clv_error *err)
{
    const clv_shape shape = {.rank = 3, .dim = {features, 1, 1, 1}, .batched = true};
    return clv_graph_add(r->graph, CLV_OP_INPUT, name, NULL, 0, NULL, &shape, node, err);
}

clv_status clv_runner_make(clv_runner *r, int batch, clv_node param, clv_node gradient, clv_error *err)
{
    clv_status status = CLV_OK;
    const clv_plan_options options = {
        .batch = batch, .lane_width = r->be->lane_width, .alignment = r->be->alignment, .reuse = true, .trace_rows = 1};
    const bool trained = true;
    CLV_TRY(
        clv_param_layout_create(r->graph, &param, &trained, param != CLV_NODE_NONE, r->be->alignment, &r->layout, err));
    CLV_TRY(
        clv_plan_create(r->graph, &r->layout, gradient == CLV_NODE_NONE ? NULL : &gradient, &options, &r->plan, err));
    for (int i = 0; i < CLV_SPACE_COUNT; i++)
        if (r->plan->elements[i])
            CLV_TRY(clv_buffer_create(r->be, r->plan->elements[i] * r->be->element_size, &r->bindings.space[i], err));
    CLV_TRY(clv_program_create(r->be, r->plan, &r->bindings, &r->program, err));
done:
    return status;
}

clv_status clv_runner_run(clv_runner *r, const clv_step *step, clv_error *err)
{
    return clv_program_run(r->be, r->program, step, err);
}

int clv_runner_stride(const clv_runner *r, clv_node node)
{
    const clv_shape *shape = &r->plan->place[node].shape;
    return shape->batched ? r->plan->lanes : shape->dim[shape->rank - 1];
}

clv_status clv_runner_write_rows(clv_runner *r, clv_node node, int first, int count, const float *rows, clv_error *err)
{
    const clv_operand *place = &r->plan->place[node];
    const size_t stride = (size_t)clv_runner_stride(r, node);
    return clv_buffer_write_floats(r->be, r->bindings.space[place->space], place->offset + (size_t)first * stride, rows,
                                   (size_t)count * stride, err);
}

clv_status clv_runner_read_rows(clv_runner *r, clv_node node, int first, int count, float *rows, clv_error *err)
{
    const clv_operand *place = &r->plan->place[node];
    const size_t stride = (size_t)clv_runner_stride(r, node);
    return clv_buffer_read_floats(r->be, r->bindings.space[place->space], place->offset + (size_t)first * stride, rows,
                                  (size_t)count * stride, err);
}

clv_status clv_runner_write_points(clv_runner *r, clv_node node, const clv_points *points, int first, int count,
                                   clv_error *err)
{
    clv_status status = CLV_OK;
    const size_t lanes = (size_t)r->plan->lanes, dims = (size_t)points->dims;
    float *rows = clv_alloc(lanes * dims, sizeof *rows, err); /* [dims][lanes] */
    if (!rows) return CLV_ERR_INTERNAL;
    for (size_t n = 0; n < (size_t)count; n++)
        for (size_t c = 0; c < dims; c++) rows[c * lanes + n] = points->at[((size_t)first + n) * dims + c];
    CLV_TRY(clv_runner_write_rows(r, node, 0, points->dims, rows, err));
done:
    free(rows);
    return status;
}

clv_status clv_pairs_fit(const clv_backend *be, const char *what, int points, int matrices, clv_error *err)
{
    const double bytes = (double)points * (points + be->lane_width) * (double)be->element_size * matrices,
                 most = be->info.max_buffer_bytes ? (double)be->info.max_buffer_bytes : 16e9;
    const double countable = (double)points * (points + be->lane_width);
    if (bytes <= most && countable <= INT_MAX) return CLV_OK;
    const double fits = sqrt(fmin(most / (double)be->element_size / matrices, INT_MAX)) - be->lane_width;
    return clv_fail(err, CLV_ERR_CONFIG,
                    "%s of %d points needs %.0f MiB in one buffer, more than %s holds: give --count %d or fewer", what,
                    points, bytes / (1 << 20), be->info.name, (int)fits / 100 * 100);
}
