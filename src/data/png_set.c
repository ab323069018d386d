/* A folder of PNG images as a data set: the files of a list, all of one size and one number of channels. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/try.h"
#include "data/png_list.h"
#include "data/raster.h"

/* What the configuration says, or else what the first image is. */
static clv_status find_shape(const clv_png_list *list, clv_images *images, clv_raster *first, clv_error *err)
{
    clv_status status = CLV_OK;
    const clv_data_source *source = list->source;
    CLV_TRY(clv_png_read(list->first, first, err));
    free(first->pixel);
    first->pixel = NULL;
    images->channels = source->channels ? source->channels : first->channels;
    images->height = source->height ? source->height : first->height;
    images->width = source->width ? source->width : first->width;
    CLV_REQUIRE(
        images->height <= CLV_MOST_SIDE && images->width <= CLV_MOST_SIDE, CLV_ERR_DATA,
        "%s is %dx%d pixels (height x width); sides up to %d are trained on: set data.size to have them resized",
        list->first, images->height, images->width, CLV_MOST_SIDE);
done:
    return status;
}

static clv_status check_like_first(const clv_png_list *list, const char *path, const clv_raster *raster,
                                   const clv_raster *first, clv_error *err)
{
    clv_status status = CLV_OK;
    const clv_data_source *source = list->source;
    CLV_REQUIRE(source->height || (raster->height == first->height && raster->width == first->width), CLV_ERR_DATA,
                "%s is %dx%d pixels (height x width), but the first image, %s, is %dx%d: set data.size to have them "
                "resized, or take it out",
                path, raster->height, raster->width, list->first, first->height, first->width);
    CLV_REQUIRE(source->channels || raster->channels == first->channels, CLV_ERR_DATA,
                "%s is %s, but the first image, %s, is %s: set data.channels to 1 or 3, or take it out", path,
                raster->channels == 3 ? "in colour" : "grey", list->first, first->channels == 3 ? "in colour" : "grey");
done:
    return status;
}

static clv_status load_file(const clv_png_list *list, const clv_png_file *file, const clv_raster *first,
                            const clv_images *images, uint8_t *to, clv_error *err)
{
    clv_status status = CLV_OK;
    char path[CLV_PATH_MAX];
    clv_raster raster = {0};
    CLV_TRY(clv_path_join(path, sizeof path, list->root, file->name, err));
    CLV_TRY(clv_png_read(path, &raster, err));
    CLV_TRY(check_like_first(list, path, &raster, first, err));
    CLV_TRY(clv_raster_fit(&raster, images->channels, images->height, images->width, to, err));
done:
    free(raster.pixel);
    return status;
}

clv_status clv_png_set_load(const clv_data_source *source, const clv_names *names, clv_split split, clv_images *images,
                            clv_error *err)
{
    clv_status status = CLV_OK;
    clv_png_list list = {0};
    clv_raster first = {0};
    CLV_TRY(clv_png_list_make(source, names, split, &list, images, err));
    CLV_TRY(find_shape(&list, images, &first, err));
    images->from = clv_strdup(list.root, err);
    images->label = clv_alloc(list.count, 1, err);
    CLV_REQUIRE(images->from && images->label, CLV_ERR_INTERNAL, "out of memory for the labels of %s", list.root);
    CLV_TRY(clv_images_allocate(images, list.count, list.root, err));
    const size_t pixels = (size_t)images->channels * (size_t)images->height * (size_t)images->width;
    for (size_t i = 0; i < list.count; i++) {
        images->label[i] = list.file[i].label;
        CLV_TRY(load_file(&list, &list.file[i], &first, images, images->pixel + i * pixels, err));
    }
done:
    clv_png_list_free(&list);
    return status;
}
