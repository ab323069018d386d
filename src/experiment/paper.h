/* A training step on paper: the model, graph and plan of a configuration for a device that need not be there. Launches
 * follow from the plan and a clv_device_info alone (backend/opencl/launch.h). */
#ifndef CLAVE_EXPERIMENT_PAPER_H
#define CLAVE_EXPERIMENT_PAPER_H

#include "backend/opencl/schedule.h"
#include "clave/config.h"
#include "clave/device.h"
#include "model/model.h"

typedef struct clv_paper {
    clv_model *model;
    clv_model_graph graph;
    clv_plan *plan;
} clv_paper;

/* The training step as it would be planned for such a device. The data set is read, for its shape; the
 * configuration must outlive the paper. Starts as {0}; release with clv_paper_free, after a failure too. */
clv_status clv_paper_make(const clv_config *config, const clv_device_info *device, clv_paper *paper, clv_error *err);
void clv_paper_free(clv_paper *paper);

/* Its launches on a device, as a backend would queue them: parts of gradients are the optimiser's to add. Starts as {0}; release with
 * clv_paper_launches_free, after a failure too. */
typedef struct clv_paper_launches {
    clv_launch_list *list; /* [plan->calls] */
    clv_launch_schedule schedule;
} clv_paper_launches;
clv_status clv_paper_launches_make(const clv_paper *paper, const clv_device_info *device, clv_paper_launches *launches,
                                   clv_error *err);
void clv_paper_launches_free(clv_paper_launches *launches);

#endif
