/* All pairs of points at once: one launch, then rows for the host. */
#include "analysis/distances.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/try.h"

clv_status clv_distances_open(clv_backend *be, const clv_points *points, clv_distances *d, clv_error *err)
{
    clv_status status = CLV_OK;
    const clv_shape pairs = {.rank = 3, .dim = {points->count, 1, 1, 1}, .batched = true};
    const clv_step step = {.count = (uint32_t)points->count};
    clv_node x;
    *d = (clv_distances){.points = points->count};
    CLV_TRY(clv_pairs_fit(be, "distances", points->count, 1, err));
    CLV_TRY(clv_runner_start(&d->runner, be, err));
    CLV_TRY(clv_runner_input(&d->runner, "points", points->dims, &x, err));
    CLV_TRY(clv_graph_add(d->runner.graph, CLV_OP_DISTANCE, "distances", &x, 1, NULL, &pairs, &d->node, err));
    clv_graph_mark_output(d->runner.graph, d->node);
    CLV_TRY(clv_runner_make(&d->runner, points->count, CLV_NODE_NONE, CLV_NODE_NONE, err));
    d->stride = clv_runner_stride(&d->runner, d->node);
    d->block = clv_alloc((size_t)CLV_DISTANCE_ROWS * (size_t)d->stride, sizeof *d->block, err);
    CLV_REQUIRE(d->block, CLV_ERR_INTERNAL, "out of memory for rows of distances");
    CLV_TRY(clv_runner_write_points(&d->runner, x, points, 0, points->count, err));
    CLV_TRY(clv_runner_run(&d->runner, &step, err));
done:
    if (status != CLV_OK) clv_distances_close(d);
    return status;
}

void clv_distances_close(clv_distances *d)
{
    clv_runner_end(&d->runner);
    free(d->block);
    *d = (clv_distances){0};
}

clv_status clv_distances_read(clv_distances *d, int first, int *rows, clv_error *err)
{
    *rows = d->points - first < CLV_DISTANCE_ROWS ? d->points - first : CLV_DISTANCE_ROWS;
    return clv_runner_read_rows(&d->runner, d->node, first, *rows, d->block, err);
}
