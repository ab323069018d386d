/* The layout of a model's parameters in one buffer: the trained ones first, so that the optimiser runs over a prefix.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/try.h"
#include "graph/place.h"
#include "graph/plan.h"

/* Appends the parameters that are trained (or those that are not), in the caller's order. */
static clv_status append(const clv_graph *graph, const clv_node *param, const bool *trained, int params, bool which,
                         size_t alignment, clv_param_layout *layout, clv_error *err)
{
    for (int i = 0; i < params; i++) {
        if (trained[i] != which) continue;
        const clv_node_info *info = clv_graph_node(graph, param[i]);
        if (!info || info->op != CLV_OP_PARAM)
            return clv_fail(err, CLV_ERR_INTERNAL, "node %d, '%s', is no parameter", (int)param[i],
                            info ? info->name : "");
        for (int k = 0; k < layout->params; k++)
            if (strcmp(layout->param[k].name, info->name) == 0)
                return clv_fail(err, CLV_ERR_INTERNAL, "parameter '%s' is listed twice", info->name);
        struct clv_param_place *place = &layout->param[layout->params++];
        memcpy(place->name, info->name, sizeof place->name);
        place->shape = info->shape;
        place->offset = layout->elements;
        place->trained = which;
        layout->elements += clv_round_up((size_t)clv_shape_elements(&info->shape), alignment);
    }
    if (which) layout->trained = layout->elements;
    return CLV_OK;
}

clv_status clv_param_layout_create(const clv_graph *graph, const clv_node *param, const bool *trained, int params,
                                   size_t alignment, clv_param_layout *layout, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_param_layout made = {0};
    CLV_REQUIRE(alignment >= 1, CLV_ERR_INTERNAL, "an alignment of 0 elements");
    made.param = clv_alloc((size_t)params, sizeof *made.param, err);
    if (!made.param) return CLV_ERR_INTERNAL;
    CLV_TRY(append(graph, param, trained, params, true, alignment, &made, err));
    CLV_TRY(append(graph, param, trained, params, false, alignment, &made, err));
    *layout = made;
done:
    if (status != CLV_OK) clv_param_layout_destroy(&made);
    return status;
}

void clv_param_layout_destroy(clv_param_layout *layout)
{
    if (!layout) return;
    free(layout->param);
    *layout = (clv_param_layout){0};
}
