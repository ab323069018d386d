/* A training step planned for a device that need not be there. */
#include "experiment/paper.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/try.h"
#include "experiment/dataset.h"
#include "experiment/session.h"

#define ALIGNMENT 64 /* elements: 256 bytes, what most drivers ask */

clv_status clv_paper_make(const clv_config *config, const clv_device_info *device, clv_paper *paper, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_images images = {0};
    CLV_TRY(clv_dataset_load(config, CLV_SPLIT_TRAIN, &images, err));
    const clv_image_shape shape = {images.channels, images.height, images.width};
    CLV_TRY(clv_model_create(config, shape, ALIGNMENT, &paper->model, err));
    CLV_TRY(clv_model_graph_create(paper->model, CLV_MODE_TRAIN, CLV_DATASET_TRAIN, &paper->graph, err));
    const int batch = (int)clv_config_int(config, "train.batch"), width = clv_lane_width(device->kind);
    const int lanes = (batch + width - 1) / width * width;
    const clv_plan_options options = {.batch = batch,
                                      .lane_width = width,
                                      .block = clv_plan_block(device, lanes),
                                      .at_once = clv_blocks_at_once(device),
                                      .alignment = ALIGNMENT,
                                      .reuse = true,
                                      .trace_rows = CLV_TRACE_ROWS,
                                      .apart = clv_config_apart(config),
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

static clv_status list_launches(const clv_plan *plan, const clv_device_info *device, clv_launch_list *list,
                                clv_error *err)
{
    const bool moves = !(plan->apart & CLV_FUSE_SUMS), blocks = plan->blocks > 0;
    int moved = 0;
    for (int i = 0; i < plan->calls; i++) {
        const clv_call *call = &plan->call[i];
        const clv_status status = clv_launches_of(device, call, NULL, &list[i], err);
        if (status != CLV_OK) return status;
        if (moves && clv_launch_sum_moves(call, blocks, &list[i])) clv_launch_move_sum(call, &list[i], (size_t)moved++);
        if (moved && clv_op_table[call->op].family == CLV_FAMILY_OPTIM) clv_launch_segments(&list[i].launch[0], moved);
    }
    return CLV_OK;
}

clv_status clv_paper_launches_make(const clv_paper *paper, const clv_device_info *device, clv_paper_launches *launches,
                                   clv_error *err)
{
    clv_status status = CLV_ERR_INTERNAL;
    const clv_plan *plan = paper->plan;
    const bool joint = !(plan->apart & CLV_FUSE_LAUNCHES);
    clv_launch_work *work = clv_alloc((size_t)plan->calls, sizeof *work, err);
    if (!work || !(launches->list = clv_alloc((size_t)plan->calls, sizeof *launches->list, err))) goto done;
    CLV_TRY(list_launches(plan, device, launches->list, err));
    for (int i = 0; i < plan->calls; i++)
        work[i] = (clv_launch_work){&plan->call[i], &launches->list[i], false, launches->list[i].scratch};
    const clv_schedule_options options = {.alignment = ALIGNMENT,
                                          .joint = joint,
                                          .chains = joint && !(plan->apart & CLV_FUSE_CHAINS),
                                          .blocks = plan->blocks};
    CLV_TRY(clv_launch_schedule_make(device, work, plan->calls, &options, &launches->schedule, err));
done:
    free(work);
    return status;
}

void clv_paper_launches_free(clv_paper_launches *launches)
{
    clv_launch_schedule_free(&launches->schedule);
    free(launches->list);
    *launches = (clv_paper_launches){0};
}
