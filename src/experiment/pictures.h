/* Pictures drawn from an open session with weights loaded, the loss curves, and the page that shows them. */
#ifndef CLAVE_EXPERIMENT_PICTURES_H
#define CLAVE_EXPERIMENT_PICTURES_H

#include "clave/experiment.h"
#include "experiment/session.h"

/* Originals over reconstructions, a denoiser's noisy images between them, of images chosen by the seed; needs phase
 * RECONSTRUCT on the split's data set, whose order it changes. */
clv_status clv_draw_reconstructions(clv_session *session, const char *split, uint64_t seed, int count, int scale,
                                    const char *path, clv_error *err);

/* A grid of side x side images over the plane of codes; needs phase DECODE and, but for a vae, ENCODE on the test set.
 */
clv_status clv_draw_manifold(clv_session *session, int side, int scale, const char *path, clv_error *err);

/* metrics.csv by epoch: figures/loss and what else a run has recorded, .png and .svg. */
clv_status clv_loss_curves(const char *run, clv_error *err);

/* RUN/report.html: the results and the figures on one page, no script, nothing from elsewhere. */
clv_status clv_report_write(const clv_config *config, const char *run, const clv_train_result *result, clv_error *err);

#endif
