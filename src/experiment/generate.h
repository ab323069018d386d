/* New images: codes drawn from a model's prior, or from a normal or a mixture of normals fitted to the codes of the
 * training images, and decoded. */
#ifndef CLAVE_EXPERIMENT_GENERATE_H
#define CLAVE_EXPERIMENT_GENERATE_H

#include "clave/experiment.h"
#include "experiment/session.h"

/* Where codes come from where nobody says: a vae's prior, the normal of an autoencoder. */
clv_from clv_default_from(const clv_session *session);

/* Codes [count][latent] by that seed. The session needs phase ENCODE on CLV_DATASET_TRAIN where they do not come from
 * the prior. components: of a mixture; 0: as many as the BIC says. `drawn` (may be NULL) gets what was fitted. */
clv_status clv_draw_codes(clv_session *session, clv_from from, int components, uint64_t seed, uint32_t count,
                          float *codes, clv_sample_result *drawn, clv_error *err);

/* The same decoded and drawn as a grid; needs phase DECODE on CLV_DATASET_TEST too. What the end of a training run and
 * clave sample draw. */
clv_status clv_draw_samples(clv_session *session, clv_from from, int components, uint64_t seed, int count, int scale,
                            const char *path, clv_sample_result *drawn, clv_error *err);

#endif
