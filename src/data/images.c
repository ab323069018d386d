/* A data set: the images and labels of a folder of IDX files, named as MNIST's are. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/try.h"
#include "clave/data.h"

enum { PATH_SIZE = 4096 };

static const struct {
    const char *images, *labels;
} file_names[] = {
    [CLV_SPLIT_TRAIN] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte"},
    [CLV_SPLIT_TEST] = {"t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"},
};

/* A file that cannot be looked at counts as there, so that opening it tells why. */
static bool is_there(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

/* The path of `name` or `name`.gz, whichever is there; *found is false where neither is. */
static clv_status find_file(const char *folder, const char *name, char path[PATH_SIZE], bool *found, clv_error *err)
{
    clv_status status = CLV_OK;
    CLV_TRY(clv_path_join(path, PATH_SIZE - 3, folder, name, err));
    *found = is_there(path);
    if (*found) goto done;
    strcat(path, ".gz");
    *found = is_there(path);
done:
    return status;
}

static clv_status find_images(const char *folder, const char *name, char path[PATH_SIZE], clv_error *err)
{
    clv_status status = CLV_OK;
    struct stat info;
    bool found;
    CLV_TRY(find_file(folder, name, path, &found, err));
    if (found) goto done;
    CLV_REQUIRE(stat(folder, &info) == 0, CLV_ERR_DATA, "no folder %s: set data.path to the folder of %s", folder,
                name);
    CLV_REQUIRE(S_ISDIR(info.st_mode), CLV_ERR_DATA, "%s is no folder: set data.path to the folder of %s", folder,
                name);
    status = clv_fail(err, CLV_ERR_DATA, "no %s in %s, with or without .gz: set data.path to the folder that holds it",
                      name, folder);
done:
    return status;
}

clv_status clv_images_load(const char *folder, clv_split split, clv_images *images, clv_error *err)
{
    clv_status status = CLV_OK;
    char images_path[PATH_SIZE], labels_path[PATH_SIZE];
    uint8_t *pixel = NULL, *label = NULL;
    uint32_t dim[3], labels[3];
    bool labelled;
    CLV_TRY(find_images(folder, file_names[split].images, images_path, err));
    CLV_TRY(clv_idx_read(images_path, 3, dim, &pixel, err));
    CLV_TRY(find_file(folder, file_names[split].labels, labels_path, &labelled, err));
    if (labelled) {
        CLV_TRY(clv_idx_read(labels_path, 1, labels, &label, err));
        CLV_REQUIRE(labels[0] == dim[0], CLV_ERR_DATA,
                    "%s holds %" PRIu32 " labels, but %s holds %" PRIu32 " images: take two files that belong together",
                    labels_path, labels[0], images_path, dim[0]);
    }
    *images = (clv_images){
        .count = dim[0], .channels = 1, .height = (int)dim[1], .width = (int)dim[2], .pixel = pixel, .label = label};
    pixel = label = NULL;
done:
    free(pixel);
    free(label);
    return status;
}

void clv_images_free(clv_images *images)
{
    free(images->pixel);
    free(images->label);
    *images = (clv_images){0};
}
