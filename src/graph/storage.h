/* What is stored in half precision, and what keeps gradients within its range. */
#ifndef CLAVE_GRAPH_STORAGE_H
#define CLAVE_GRAPH_STORAGE_H

#include "graph/plan.h"

/* Batched tensors but those of one number an image: losses, their weights and labels are few bytes and stay exact. */
bool clv_shape_takes_half(const clv_shape *shape);

/* Scales the losses of a plan that trains by a power of two, and lets its optimiser take it out again. `graph` is the
 * plan's. */
void clv_plan_scale_loss(clv_plan *plan, const clv_graph *graph);

#endif
