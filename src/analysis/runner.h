/* A runner: one graph made a program, with buffers of its own, on a backend that is open already. */
#ifndef CLAVE_ANALYSIS_RUNNER_H
#define CLAVE_ANALYSIS_RUNNER_H

#include "analysis/points.h"
#include "backend/backend.h"

typedef struct clv_runner {
    clv_backend *be;
    clv_graph *graph; /* nodes are added between clv_runner_start and clv_runner_make */
    clv_param_layout layout;
    clv_plan *plan;
    clv_program *program;
    clv_bindings bindings;
} clv_runner;

clv_status clv_runner_start(clv_runner *r, clv_backend *be, clv_error *err);
void clv_runner_end(clv_runner *r); /* of a runner that was never started too, if it is {0} */

/* A batched input or parameter node by name. */
clv_status clv_runner_input(clv_runner *r, const char *name, int features, clv_node *node, clv_error *err);

/* Plans `batch` points a step and builds; param (CLV_NODE_NONE: none) is trained, `gradient` answers it. */
clv_status clv_runner_make(clv_runner *r, int batch, clv_node param, clv_node gradient, clv_error *err);

clv_status clv_runner_run(clv_runner *r, const clv_step *step, clv_error *err); /* queues one step */

/* Points first .. first + count - 1 as the batch of input `node`; the lanes behind them are 0. */
clv_status clv_runner_write_points(clv_runner *r, clv_node node, const clv_points *points, int first, int count,
                                   clv_error *err);
/* `count` rows of a node [rows][1][1][n] (or of a parameter) as they lie there: [count][stride]. */
clv_status clv_runner_read_rows(clv_runner *r, clv_node node, int first, int count, float *rows, clv_error *err);
clv_status clv_runner_write_rows(clv_runner *r, clv_node node, int first, int count, const float *rows, clv_error *err);
int clv_runner_stride(const clv_runner *r, clv_node node);

/* CLV_ERR_CONFIG where the device cannot hold `matrices` of pairs of so many points in one buffer. */
clv_status clv_pairs_fit(const clv_backend *be, const char *what, int points, int matrices, clv_error *err);

#endif
