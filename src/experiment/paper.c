/* A training step planned for a device that need not be there. */
#include "experiment/paper.h"

#include "backend/opencl/launch.h"
#include "base/try.h"
#include "experiment/dataset.h"
#include "experiment/session.h"

#define ALIGNMENT 64 /* elements: 256 bytes, what most drivers ask */

clv_status clv_paper_make(const clv_config *config, clv_device_kind kind, clv_paper *paper, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_images images = {0};
    CLV_TRY(clv_dataset_load(config, CLV_SPLIT_TRAIN, &images, err));
    const clv_image_shape shape = {images.channels, images.height, images.width};
    CLV_TRY(clv_model_create(config, shape, ALIGNMENT, &paper->model, err));
    CLV_TRY(clv_model_graph_create(paper->model, CLV_MODE_TRAIN, CLV_DATASET_TRAIN, &paper->graph, err));
    const clv_plan_options options = {.batch = (int)clv_config_int(config, "train.batch"),
                                      .lane_width = clv_lane_width(kind),
                                      .alignment = ALIGNMENT,
                                      .reuse = true,
                                      .trace_rows = CLV_TRACE_ROWS,
                                      .storage = (clv_storage)clv_config_choice(config, "device.storage")};
    CLV_TRY(clv_plan_create(paper->graph.graph, clv_model_params(paper->model), paper->graph.gradient, &options,
                            &paper->plan, err));
done:
    clv_images_free(&images);
    return status;
}

void clv_paper_free(clv_paper *paper)
{
    clv_plan_destroy(paper->plan);
    clv_model_graph_destroy(&paper->graph);
    clv_model_destroy(paper->model);
    *paper = (clv_paper){0};
}
