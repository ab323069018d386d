/* Transfer: a new run's weights from an earlier run or a file, as [transfer] says. */
#ifndef CLAVE_EXPERIMENT_TRANSFER_H
#define CLAVE_EXPERIMENT_TRANSFER_H

#include "experiment/session.h"

/* Overwrites the initial parameters param[layout->elements] by those of transfer.from, but for the layers of
 * transfer.reset, and logs what came, what starts anew and what the file has beside; nothing where transfer.from is
 * none. CLV_ERR_DATA lists what does not match by name and shape. */
clv_status clv_transfer(clv_session *session, float *param, clv_error *err);

#endif
