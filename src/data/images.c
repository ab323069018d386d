/* Data sets: IDX files or folders of PNG images, whichever a folder holds. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/try.h"
#include "data/sets.h"

clv_status clv_images_allocate(clv_images *images, size_t count, const char *what, clv_error *err)
{
    clv_status status = CLV_OK;
    const uint64_t pixels = (uint64_t)images->channels * (uint64_t)images->height * (uint64_t)images->width;
    CLV_REQUIRE(count <= CLV_MOST_BYTES / pixels, CLV_ERR_DATA,
                "%s holds %zu images, %" PRIu64
                " bytes at %dx%dx%d; at most %d are read: take fewer, or a smaller data.size",
                what, count, count * pixels, images->channels, images->height, images->width, (int)CLV_MOST_BYTES);
    images->pixel = clv_alloc(count, (size_t)pixels, err);
    CLV_REQUIRE(images->pixel, CLV_ERR_INTERNAL, "out of memory: the %zu images of %s take %" PRIu64 " bytes", count,
                what, count * pixels);
    images->count = (uint32_t)count;
done:
    return status;
}

static clv_status check_folder(const char *path, clv_error *err)
{
    clv_status status = CLV_OK;
    struct stat info;
    const bool there = stat(path, &info) == 0;
    char from[512] = "";
    if (*path != '/' && !getcwd(from, sizeof from)) snprintf(from, sizeof from, "the folder where clave was started");
    CLV_REQUIRE(there || (errno != ENOENT && errno != ENOTDIR), CLV_ERR_DATA,
                "no folder %s%s%s: set data.path to the folder of the images", path, *from ? ", looked for in " : "",
                from);
    CLV_REQUIRE(there, CLV_ERR_DATA, "cannot look at %s: %s", path, strerror(errno));
    CLV_REQUIRE(S_ISDIR(info.st_mode), CLV_ERR_DATA, "%s is no folder: set data.path to the folder of the images",
                path);
done:
    return status;
}

clv_status clv_data_load(const clv_data_source *source, clv_split split, clv_images *images, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_names names = {0};
    clv_images made = {0};
    bool png;
    CLV_TRY(check_folder(source->path, err));
    CLV_TRY(clv_names_read(source->path, &names, err));
    if (clv_idx_set_is_there(source, &names)) {
        CLV_TRY(clv_idx_set_load(source, &names, split, &made, err));
    } else {
        CLV_TRY(clv_png_set_is_there(source, &names, &png, err));
        CLV_REQUIRE(
            png, CLV_ERR_DATA,
            "no %s-images-idx3-ubyte in %s, with or without .gz, and no subfolders of PNG images: set data.path "
            "to the folder that holds them",
            split == CLV_SPLIT_TRAIN ? "train" : "t10k", source->path);
        CLV_TRY(clv_png_set_load(source, &names, split, &made, err));
    }
    *images = made;
    made = (clv_images){0};
done:
    clv_images_free(&made);
    clv_names_free(&names);
    return status;
}

clv_status clv_images_load(const char *folder, clv_split split, clv_images *images, clv_error *err)
{
    const clv_data_source source = {.path = folder, .test = 0.2};
    return clv_data_load(&source, split, images, err);
}

clv_status clv_images_need_labels(const clv_images *images, int classes, clv_error *err)
{
    clv_status status = CLV_OK;
    CLV_REQUIRE(images->label, CLV_ERR_DATA, "%s has no labels, which this task needs: add the file of labels",
                images->from);
    for (uint32_t i = 0; i < images->count; i++)
        CLV_REQUIRE(images->label[i] < classes, CLV_ERR_DATA,
                    "%s: the label of image %" PRIu32 " is %d, but there are %d classes, 0 to %d: check the labels, or "
                    "let the network have more outputs",
                    images->from, i + 1, images->label[i], classes, classes - 1);
done:
    return status;
}

void clv_images_free(clv_images *images)
{
    for (int i = 0; i < images->classes; i++) free(images->class_name[i]);
    free(images->class_name);
    free(images->from);
    free(images->skipped_name);
    free(images->pixel);
    free(images->label);
    *images = (clv_images){0};
}
