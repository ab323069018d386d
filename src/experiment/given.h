/* Images that a user names for a trained model: by their place in a split, or as PNG files. */
#ifndef CLAVE_EXPERIMENT_GIVEN_H
#define CLAVE_EXPERIMENT_GIVEN_H

#include "clave/data.h"
#include "experiment/session.h"

#define CLV_SHORT_NAME 32
/* The name for a caption: a file's without folder and ending, and not too long. */
void clv_given_short_name(const char *name, char out[CLV_SHORT_NAME]);

bool clv_given_is_index(const char *name); /* digits alone; everything else is a file */

/* Each name is an index into the split ("test" first to last, from 0) or a PNG file of the size of the data's images,
 * grey or colour as they are. The data set is read too: it says what the model's images are. CLV_ERR_DATA with the
 * file's name or CLV_ERR_CONFIG with the split's range. The caller frees with clv_images_free; the images have no labels,
 * but the names of the classes. label[names] (may be NULL) gets an index's label, -1 where it is not known. Files are resized where data.size says so. */
clv_status clv_given_read(const clv_config *config, const char *split, const char *const *name, int names,
                          clv_images *images, int *label, clv_error *err);

/* A session on these images in place of the test data set, with a run's best weights: phases on CLV_DATASET_TEST see
 * them. They move into the session. */
clv_status clv_given_open(const char *run, const clv_config *config, clv_log *log, const clv_phase_request *request,
                          int requests, clv_images *images, clv_session **session, clv_error *err);

#endif
