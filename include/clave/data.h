/* Data sets: images as bytes with labels, from IDX files (plain or gzip) or folders of PNG images. */
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
    uint8_t *label; /* [image], below classes; NULL where an IDX set has no labels */
    int classes;    /* of the whole set, the same for both splits; 0 without labels */
    char **class_name; /* [classes]: folders' names, or "0", "1", ... of an IDX set */
    char *from;        /* for messages: the file of labels (or of images), the folder of classes */
    uint32_t skipped;  /* entries that are no part of the set: hidden ones, files beside the class folders */
    char *skipped_name; /* path of the first, or NULL */
} clv_images;

typedef enum clv_split { CLV_SPLIT_TRAIN, CLV_SPLIT_TEST } clv_split;

/* Where a data set is and what becomes of it; {.path = folder, .test = 0.2} takes it as it is. */
typedef struct clv_data_source {
    const char *path;    /* a folder of IDX files, or of PNG images */
    const char *file[4]; /* IDX: training images, training labels, test images, test labels, in `path` or absolute; NULL: by their names */
    int height, width;   /* pixels, 1 to 1024, that images are resized to; 0: all must be of the first one's size */
    int channels;        /* 1 or 3, that images are converted to; 0: all must have as many as the first one */
    double test; /* above 0; class folders that are not divided: below 1 the share, else the number of images of each class held out as test images */
} clv_data_source;

/* Reads one split of a data set.
 *
 * IDX, plain or gzip: train-images-idx3-ubyte and train-labels-idx1-ubyte, t10k-... or test-... for the test split, names with
 * something before that (emnist-letters-train-...) too if only one fits. Missing label files are fine.
 * PNG: train/CLASS/x.png and test/CLASS/x.png, or CLASS/x.png alone. Classes are numbered in the order of their names' bytes, 256
 * at most. Images stand in the order of a hash of "CLASS/x.png", so that any stretch of them is a mixture; where there is no test/,
 * those of the lowest hashes in each class are the test images.
 *
 * CLV_ERR_DATA with the name of the file or folder where one is missing, unreadable, empty, damaged, not what it claims, of another
 * size or number of channels than asked for, where images and labels differ in number, or train/ and test/ in classes.
 * The caller frees with clv_images_free. */
clv_status clv_data_load(const clv_data_source *source, clv_split split, clv_images *images, clv_error *err);
/* The same of a folder as it is. */
clv_status clv_images_load(const char *folder, clv_split split, clv_images *images, clv_error *err);
void clv_images_free(clv_images *images);

/* For a task that needs labels: CLV_ERR_DATA where there are none, or one is not below `classes`. */
clv_status clv_images_need_labels(const clv_images *images, int classes, clv_error *err);

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
