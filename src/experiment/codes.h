/* Codes and images through a session: encode, decode, reconstruct and classify any number of images, batch by batch. */
#ifndef CLAVE_EXPERIMENT_CODES_H
#define CLAVE_EXPERIMENT_CODES_H

#include "experiment/session.h"

/* Images [count][c][y][x], 0 .. 1, of codes [count][latent]; needs phase DECODE. */
clv_status clv_decode(clv_session *session, const float *codes, uint32_t count, float *images, clv_error *err);

/* Codes (a vae's mu) of the places first .. first + count - 1 of a data set; needs phase ENCODE there. */
clv_status clv_encode(clv_session *session, int dataset, uint32_t first, uint32_t count, float *codes, clv_error *err);

/* Originals and reconstructions of those places, and what a denoiser was given (noisy may be NULL; untouched by other
 * tasks); needs phase RECONSTRUCT there. */
clv_status clv_reconstruct_places(clv_session *session, int dataset, uint32_t first, uint32_t count, float *originals,
                                  float *noisy, float *reconstructions, clv_error *err);

/* Logits [count][class] of those places; needs phase CLASSIFY there. */
clv_status clv_classify_places(clv_session *session, int dataset, uint32_t first, uint32_t count, float *logits,
                               clv_error *err);

size_t clv_image_elements(const clv_session *session); /* channels x height x width */

#endif
