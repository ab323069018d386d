/* Transfer: a new run's weights from an earlier run or a file, as [transfer] says. */
#ifndef CLAVE_EXPERIMENT_TRANSFER_H
#define CLAVE_EXPERIMENT_TRANSFER_H

#include "base/text.h"
#include "model/model.h"

/* Overwrites the initial parameters param[layout->elements] by those of transfer.from, but for the layers of
 * transfer.reset; nothing where transfer.from is none. *told gets what came, what starts anew and what the file has
 * beside, in a line, for the log; free it with clv_text_free. CLV_ERR_DATA lists what does not match by name and shape.
 */
clv_status clv_transfer(const clv_config *config, const clv_model *model, float *param, clv_text *told, clv_error *err);

#endif
