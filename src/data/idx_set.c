/* IDX files in a folder, by their names: MNIST's own, or those of sets named in its manner
 * (PREFIX-train-images-idx3-ubyte, PREFIX-test-images.idx3-ubyte.gz), or what the configuration names. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/try.h"
#include "data/raster.h"
#include "data/sets.h"

static const char *const images_end[] = {"images-idx3-ubyte", "images.idx3-ubyte"};
static const char *const labels_end[] = {"labels-idx1-ubyte", "labels.idx1-ubyte"};

static const struct {
    const char *standard;   /* MNIST's name, which goes before any other */
    const char *opening[2]; /* what stands before "images" */
    const char *key, *kind; /* for messages */
} splits[] = {
    [CLV_SPLIT_TRAIN] = {"train-images-idx3-ubyte", {"train-", NULL}, "data.train_images", "training"},
    [CLV_SPLIT_TEST] = {"t10k-images-idx3-ubyte", {"t10k-", "test-"}, "data.test_images", "test"},
};

static size_t length_without_gz(const char *name)
{
    const size_t length = strlen(name);
    return length > 3 && strcmp(name + length - 3, ".gz") == 0 ? length - 3 : length;
}

/* Whether name[0 .. length - 1] ends with `end`; what stands before is the first *before bytes. */
static bool split_end(const char *name, size_t length, const char *end, size_t *before)
{
    const size_t part = strlen(end);
    if (length < part || memcmp(name + length - part, end, part) != 0) return false;
    *before = length - part;
    return true;
}

static bool names_images(const char *name, clv_split split)
{
    for (int i = 0; i < 2; i++) {
        size_t before, rest;
        if (!split_end(name, length_without_gz(name), images_end[i], &before)) continue;
        for (int k = 0; k < 2; k++)
            if (splits[split].opening[k] && split_end(name, before, splits[split].opening[k], &rest)) return true;
    }
    return false;
}

bool clv_idx_set_is_there(const clv_data_source *source, const clv_names *names)
{
    for (int k = 0; k < 4; k++)
        if (source->file[k]) return true;
    for (size_t i = 0; i < names->count; i++)
        if (names_images(names->entry[i].name, CLV_SPLIT_TRAIN) || names_images(names->entry[i].name, CLV_SPLIT_TEST))
            return true;
    return false;
}

/* `name` or `name`.gz, whichever the folder holds; NULL: neither. */
static const char *plain_or_packed(const clv_names *names, const char *name)
{
    char packed[CLV_PATH_MAX];
    const clv_entry_name *entry = clv_names_find(names, name);
    if (!entry && snprintf(packed, sizeof packed, "%s.gz", name) < (int)sizeof packed)
        entry = clv_names_find(names, packed);
    return entry ? entry->name : NULL;
}

/* The one file of images that is named as such. A file and the same one packed are one. */
static clv_status find_images(const clv_data_source *source, const clv_names *names, clv_split split, const char **name,
                              clv_error *err)
{
    clv_status status = CLV_OK;
    *name = plain_or_packed(names, splits[split].standard);
    if (*name) goto done;
    for (size_t i = 0; i < names->count; i++) {
        const char *other = names->entry[i].name;
        if (!names_images(other, split)) continue;
        const size_t length = length_without_gz(other);
        CLV_REQUIRE(!*name || (length == length_without_gz(*name) && memcmp(*name, other, length) == 0), CLV_ERR_DATA,
                    "%s holds several files of %s images, %s and %s: name one of them by %s", source->path,
                    splits[split].kind, *name, other, splits[split].key);
        if (!*name) *name = other;
    }
    CLV_REQUIRE(
        *name, CLV_ERR_DATA,
        "no %s in %s, with or without .gz: set data.path to the folder that holds it, or name another file by %s",
        splits[split].standard, source->path, splits[split].key);
done:
    return status;
}

/* The labels beside a file of images: the same name with "labels-idx1" for "images-idx3"; NULL: none. */
static const char *find_labels(const clv_names *names, const char *images)
{
    char name[CLV_PATH_MAX];
    for (int i = 0; i < 2; i++) {
        size_t before;
        if (!split_end(images, length_without_gz(images), images_end[i], &before)) continue;
        if (snprintf(name, sizeof name, "%.*s%s", (int)before, images, labels_end[i]) >= (int)sizeof name) continue;
        return plain_or_packed(names, name);
    }
    return NULL;
}

static clv_status path_of(const clv_data_source *source, const char *name, char path[CLV_PATH_MAX], clv_error *err)
{
    return clv_path_join(path, CLV_PATH_MAX, *name == '/' ? "" : source->path, name, err);
}

/* Paths of a split's two files; labels[0] is 0 where there are none. */
static clv_status find_files(const clv_data_source *source, const clv_names *names, clv_split split,
                             char images[CLV_PATH_MAX], char labels[CLV_PATH_MAX], clv_error *err)
{
    clv_status status = CLV_OK;
    const char *image_name = source->file[2 * split], *label_name = source->file[2 * split + 1];
    if (!image_name) CLV_TRY(find_images(source, names, split, &image_name, err));
    if (!label_name) label_name = find_labels(names, image_name);
    labels[0] = 0;
    CLV_TRY(path_of(source, image_name, images, err));
    if (label_name) CLV_TRY(path_of(source, label_name, labels, err));
done:
    return status;
}

/* Classes are numbers: 0 up to the largest label of either split, so that both have the same. */
static clv_status count_classes(const clv_data_source *source, const clv_names *names, clv_split split,
                                clv_images *images, clv_error *err)
{
    clv_status status = CLV_OK;
    char paths[2][CLV_PATH_MAX];
    uint32_t dim[3];
    uint8_t *other = NULL;
    int largest = 0;
    if (!images->label) goto done;
    for (uint32_t i = 0; i < images->count; i++) largest = images->label[i] > largest ? images->label[i] : largest;
    const clv_split beside = split == CLV_SPLIT_TRAIN ? CLV_SPLIT_TEST : CLV_SPLIT_TRAIN;
    if (find_files(source, names, beside, paths[0], paths[1], NULL) == CLV_OK && paths[1][0]) {
        CLV_TRY(clv_idx_read(paths[1], 1, dim, &other, err));
        for (uint32_t i = 0; i < dim[0]; i++) largest = other[i] > largest ? other[i] : largest;
    }
    images->class_name = clv_alloc((size_t)largest + 1, sizeof *images->class_name, err);
    if (!images->class_name) status = CLV_ERR_INTERNAL;
    while (status == CLV_OK && images->classes <= largest) {
        char number[16];
        snprintf(number, sizeof number, "%d", images->classes);
        images->class_name[images->classes] = clv_strdup(number, err);
        if (images->class_name[images->classes++] == NULL) status = CLV_ERR_INTERNAL;
    }
done:
    free(other);
    return status;
}

/* Other sizes or channels than the file has, where they are asked for. */
static clv_status refit(const clv_data_source *source, const char *path, clv_images *images, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_images fitted = {.channels = source->channels ? source->channels : 1,
                         .height = source->height ? source->height : images->height,
                         .width = source->width ? source->width : images->width};
    const size_t from = (size_t)images->height * (size_t)images->width;
    const size_t to = (size_t)fitted.channels * (size_t)fitted.height * (size_t)fitted.width;
    if (fitted.channels == 1 && fitted.height == images->height && fitted.width == images->width) goto done;
    CLV_TRY(clv_images_allocate(&fitted, images->count, path, err));
    for (size_t i = 0; i < images->count; i++) {
        const clv_raster raster = {1, images->height, images->width, images->pixel + i * from};
        CLV_TRY(clv_raster_fit(&raster, fitted.channels, fitted.height, fitted.width, fitted.pixel + i * to, err));
    }
    free(images->pixel);
    images->pixel = fitted.pixel;
    images->channels = fitted.channels;
    images->height = fitted.height;
    images->width = fitted.width;
    fitted.pixel = NULL;
done:
    free(fitted.pixel);
    return status;
}

static clv_status check_sides(const clv_data_source *source, const char *path, const uint32_t dim[3], clv_error *err)
{
    clv_status status = CLV_OK;
    const uint32_t most = source->height ? CLV_MOST_FILE_SIDE : CLV_MOST_SIDE;
    CLV_REQUIRE(dim[1] <= most && dim[2] <= most, CLV_ERR_DATA,
                "%s holds images of %" PRIu32 "x%" PRIu32 " pixels (height x width); sides up to %" PRIu32 " are %s",
                path, dim[1], dim[2], most, source->height ? "read" : "trained on: set data.size to have them resized");
done:
    return status;
}

clv_status clv_idx_set_load(const clv_data_source *source, const clv_names *names, clv_split split, clv_images *images,
                            clv_error *err)
{
    clv_status status = CLV_OK;
    char images_path[CLV_PATH_MAX], labels_path[CLV_PATH_MAX];
    uint32_t dim[3], labels[3];
    CLV_TRY(find_files(source, names, split, images_path, labels_path, err));
    CLV_TRY(clv_idx_read(images_path, 3, dim, &images->pixel, err));
    CLV_TRY(check_sides(source, images_path, dim, err));
    images->count = dim[0];
    images->channels = 1;
    images->height = (int)dim[1];
    images->width = (int)dim[2];
    images->from = clv_strdup(labels_path[0] ? labels_path : images_path, err);
    if (!images->from) return CLV_ERR_INTERNAL;
    if (labels_path[0]) {
        CLV_TRY(clv_idx_read(labels_path, 1, labels, &images->label, err));
        CLV_REQUIRE(labels[0] == dim[0], CLV_ERR_DATA,
                    "%s holds %" PRIu32 " labels, but %s holds %" PRIu32 " images: take two files that belong together",
                    labels_path, labels[0], images_path, dim[0]);
    }
    CLV_TRY(count_classes(source, names, split, images, err));
    status = refit(source, images_path, images, err);
done:
    return status;
}
