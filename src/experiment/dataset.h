/* The data set that a configuration names. */
#ifndef CLAVE_EXPERIMENT_DATASET_H
#define CLAVE_EXPERIMENT_DATASET_H

#include "clave/config.h"
#include "clave/data.h"

/* One split, as [data] says: its path, files, size and channels. */
clv_status clv_dataset_load(const clv_config *config, clv_split split, clv_images *images, clv_error *err);

#endif
