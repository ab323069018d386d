/* The data set that a configuration names. */
#ifndef CLAVE_EXPERIMENT_DATASET_H
#define CLAVE_EXPERIMENT_DATASET_H

#include "clave/config.h"
#include "clave/data.h"

/* One split, as [data] says: its path, files, size and channels. */
clv_status clv_dataset_load(const clv_config *config, clv_split split, clv_images *images, clv_error *err);

/* A training file's parts: the first train_count images are trained on, the last validation_count are held out. */
typedef struct clv_train_parts {
    uint32_t train_count, validation_count;
} clv_train_parts;

/* What data.validation and data.train_count make of `count` training images; CLV_ERR_CONFIG where there are fewer. */
clv_status clv_train_split(const clv_config *config, uint32_t count, clv_train_parts *parts, clv_error *err);

#endif
