/* The two ways in which a folder holds a data set, and what they share. */
#ifndef CLAVE_DATA_SETS_H
#define CLAVE_DATA_SETS_H

#include <stdbool.h>

#include "clave/data.h"
#include "data/names.h"

enum { CLV_MOST_CLASSES = 256, CLV_MOST_SIDE = 1024, CLV_MOST_BYTES = INT32_MAX /* of a data set: just under 2 GiB */ };

/* IDX files. `names` is what source->path holds. */
bool clv_idx_set_is_there(const clv_data_source *source, const clv_names *names);
clv_status clv_idx_set_load(const clv_data_source *source, const clv_names *names, clv_split split, clv_images *images,
                            clv_error *err);

/* PNG images, a folder a class. */
clv_status clv_png_set_is_there(const clv_data_source *source, const clv_names *names, bool *is, clv_error *err);
clv_status clv_png_set_load(const clv_data_source *source, const clv_names *names, clv_split split, clv_images *images,
                            clv_error *err);

/* Room for `count` images of images->channels, height and width; `what` is for messages. */
clv_status clv_images_allocate(clv_images *images, size_t count, const char *what, clv_error *err);

#endif
