/* The PNG files of a data set: train/CLASS/x.png and test/CLASS/x.png, or CLASS/x.png, of which some of each class are held out as
 * test images. */
#ifndef CLAVE_DATA_PNG_LIST_H
#define CLAVE_DATA_PNG_LIST_H

#include "data/sets.h"

typedef struct clv_png_file {
    char *name; /* "CLASS/x.png" */
    uint64_t hash;
    uint8_t label;
} clv_png_file;

typedef struct clv_png_list {
    const clv_data_source *source;
    char root[CLV_PATH_MAX];  /* holds the class folders */
    bool divided;             /* root is .../train or .../test */
    char first[CLV_PATH_MAX]; /* the first training image, which says what the others must be */
    size_t count, capacity;
    clv_png_file *file; /* in the order that the images get */
} clv_png_list;

/* Starts as {0}. Fills images' classes and what was skipped as well; the caller frees both, on failure too. */
clv_status clv_png_list_make(const clv_data_source *source, const clv_names *names, clv_split split, clv_png_list *list,
                             clv_images *images, clv_error *err);
void clv_png_list_free(clv_png_list *list);

#endif
