/* Parts of `clave bench --scaling`: an experiment's model made larger and smaller. */
#ifndef CLAVE_EXPERIMENT_SCALING_H
#define CLAVE_EXPERIMENT_SCALING_H

#include "base/text.h"
#include "clave/experiment.h"
#include "model/model.h"

/* What `what` is in the configuration itself: images of a batch, channels of the widest convolution of the encoder,
 * pixels of the longer side. CLV_ERR_CONFIG where it has none. */
clv_status clv_scaling_own(const clv_config *config, clv_image_shape image, clv_scaled what, int *value,
                           clv_error *err);

/* The overrides that make `what` the value, a line each, and the images' shape then. All convolutions get channels in
 * proportion, but the one that makes the image; a decoder's reshape follows what the encoder makes of an image, and the
 * linear layer before it follows the reshape. CLV_ERR_CONFIG where that cannot be. */
clv_status clv_scaling_overrides(const clv_config *config, clv_image_shape image, clv_scaled what, int value,
                                 clv_image_shape *shape, clv_text *overrides, clv_error *err);

#endif
