/* Checkpoints: safetensors files with PyTorch's names and shapes. Parameters are tensors under their own names; the training
 * state, where kept, lies beside them as "optimizer.m.<name>", "optimizer.v.<name>" and in the metadata. */
#ifndef CLAVE_MODEL_CHECKPOINT_H
#define CLAVE_MODEL_CHECKPOINT_H

#include "base/text.h"
#include "graph/plan.h"

#define CLV_TRAIN_STATE_SUMS 8

/* What a run needs to go on as if it had never stopped, beside the parameters and moments. */
typedef struct clv_train_state {
    uint64_t seed;
    uint64_t data;  /* a hash of the training images and labels */
    uint32_t step;  /* optimiser steps done */
    uint32_t epoch; /* epochs done */
    uint32_t best_epoch; /* 1-based; 0: none yet */
    double best;         /* the monitored value there */
    uint32_t waited;     /* epochs without improvement */
    double plateau_share, plateau_best; /* of train.schedule = plateau: what multiplies train.lr, and what it has seen */
    uint32_t plateau_epochs, plateau_waited;
    double epoch_seconds;   /* of an epoch interrupted half-way: */
    uint32_t epoch_batches; /* time spent, batches done, and their losses summed by metric */
    double epoch_sum[CLV_TRAIN_STATE_SUMS];
} clv_train_state;

typedef struct clv_checkpoint {
    const float *param;   /* [layout.elements] */
    const float *moment1; /* or NULL: not kept */
    const float *moment2;
    clv_train_state state;
} clv_checkpoint;

/* Written to a temporary, fsynced, renamed. Bytes depend on the contents alone. */
clv_status clv_checkpoint_write(const char *path, const clv_param_layout *layout, const clv_checkpoint *checkpoint, clv_error *err);

/* Reads into arrays of layout->elements floats; moments may be NULL. Every parameter of the layout must be there as F32 with
 * its shape and nothing else beside the optimiser's: CLV_ERR_DATA lists what is missing, extra or of another shape. */
clv_status clv_checkpoint_read(const char *path, const clv_param_layout *layout, float *param, float *moment1, float *moment2,
                               clv_train_state *state, clv_error *err);

/* For transfer: writes into `param` the file's tensors of the parameters but for those that skip[i] leaves out. Each must be
 * there as F32 with its shape: CLV_ERR_DATA lists those that are not. What else the file has is listed in *left, names with
 * blanks between, for the caller to tell; free it with clv_text_free. */
clv_status clv_checkpoint_take(const char *path, const clv_param_layout *layout, const bool *skip, float *param, clv_text *left,
                               clv_error *err);

#endif
