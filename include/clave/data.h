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

#ifdef __cplusplus
}
#endif
#endif
