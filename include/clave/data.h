/* Data sets: images as bytes with labels, from IDX files (plain or gzip). */
#ifndef CLAVE_DATA_H
#define CLAVE_DATA_H

#include <stdint.h>

#include "clave/error.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct clv_images {
    uint32_t count;
    int channels, height, width;
    uint8_t *pixel; /* [image][c][y][x], 0 .. 255 */
    uint8_t *label; /* [image], or NULL where the folder has no labels */
} clv_images;

typedef enum clv_split { CLV_SPLIT_TRAIN, CLV_SPLIT_TEST } clv_split;

/* Reads train-images-idx3-ubyte and train-labels-idx1-ubyte (t10k-… for the test split) of a folder, with or without .gz. Missing label files
 * are fine. CLV_ERR_DATA with the file's name where a file is missing, empty, truncated, too long, no IDX, of another type or size
 * than it claims, or where images and labels differ in number. The caller frees with clv_images_free. */
clv_status clv_images_load(const char *folder, clv_split split, clv_images *images, clv_error *err);
void clv_images_free(clv_images *images);

/* One IDX file of unsigned bytes with `rank` dimensions (1 or 3): the caller frees *bytes. */
clv_status clv_idx_read(const char *path, int rank, uint32_t dim[3], uint8_t **bytes, clv_error *err);

/* What becomes of a picture of another size than wanted. */
typedef enum clv_fit { CLV_FIT_EXACT /* it is refused */, CLV_FIT_RESIZE /* by area to fewer pixels, linearly to more */ } clv_fit;

/* One PNG file as a model's input, values 0 .. 1: the same numbers that a data set with this file holds. `channels` is 1 or 3: grey is
 * repeated, colour becomes luma (Rec. 601). Resizing takes each axis for itself. CLV_ERR_DATA with the file's name where it is no
 * PNG file, is damaged, has sides above 16384, or has another size and fit is CLV_FIT_EXACT; `pixel` is untouched then. */
clv_status clv_image_read(const char *path, int channels, int height, int width, clv_fit fit, float *pixel /* [c][y][x] */,
                          clv_error *err);

#ifdef __cplusplus
}
#endif
#endif
