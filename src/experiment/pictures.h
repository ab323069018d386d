/* The pictures of a run: reconstructions, samples, the manifold, loss curves, and the page that shows them. */
#ifndef CLAVE_EXPERIMENT_PICTURES_H
#define CLAVE_EXPERIMENT_PICTURES_H

#include "clave/experiment.h"

/* Everything the task has, into RUN/figures, with the weights that best.safetensors holds. */
clv_status clv_run_pictures(const clv_config *config, const char *run, clv_error *err);

/* metrics.csv's losses by epoch as figures/loss.png. */
clv_status clv_loss_curves(const char *run, clv_error *err);

/* RUN/report.html: the results and the pictures on one page, no script, nothing from elsewhere. */
clv_status clv_report_write(const clv_config *config, const char *run, const clv_train_result *result, clv_error *err);

#endif
