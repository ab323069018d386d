/* Images that a user names. They become a small data set of their own, so that every graph takes them as it takes the
 * test images. */
#include "experiment/given.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "base/try.h"
#include "experiment/dataset.h"
#include "experiment/run_folder.h"

bool clv_given_is_index(const char *name) { return *name && name[strspn(name, "0123456789")] == '\0'; }

void clv_given_short_name(const char *name, char out[CLV_SHORT_NAME])
{
    enum { MOST = 20 };
    const char *slash = strrchr(name, '/'), *base = slash && slash[1] ? slash + 1 : name, *dot = strrchr(base, '.');
    size_t length = dot && dot > base ? (size_t)(dot - base) : strlen(base);
    const bool cut = length > MOST;
    if (cut) length = MOST - 3;
    while (cut && length && ((unsigned char)base[length] & 0xC0) == 0x80) length--; /* no half of a character */
    snprintf(out, CLV_SHORT_NAME, "%.*s%s", (int)length, base, cut ? "..." : "");
}

/* The split's first place in its data set, and its number of places. */
static clv_status find_split(const clv_config *config, const char *split, const clv_images *data, uint32_t *first,
                             uint32_t *count, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_train_parts parts;
    const bool validation = !strcmp(split, "val");
    *first = 0;
    *count = data->count;
    if (!strcmp(split, "test")) return CLV_OK;
    CLV_TRY(clv_train_split(config, data->count, &parts, err));
    *first = validation ? data->count - parts.validation_count : 0;
    *count = validation ? parts.validation_count : parts.train_count;
done:
    return status;
}

static clv_status take_index(const clv_config *config, const char *split, const char *name, const clv_images *data,
                             uint8_t *pixel, int *label, clv_error *err)
{
    uint32_t first, count;
    int64_t index;
    const size_t pixels = (size_t)data->channels * (size_t)data->height * (size_t)data->width;
    clv_status status = CLV_OK;
    CLV_TRY(find_split(config, split, data, &first, &count, err));
    CLV_REQUIRE(clv_parse_int(name, &index) && index < count, CLV_ERR_CONFIG,
                "there is no image %s in the split '%s': it has %u, counted from 0", name, split, count);
    const size_t place = (size_t)first + (size_t)index;
    memcpy(pixel, data->pixel + place * pixels, pixels);
    if (data->label) *label = data->label[place];
done:
    return status;
}

/* Values are whole parts of 255, as in the data set. */
static clv_status take_file(const char *name, const clv_images *data, clv_fit fit, float *value, uint8_t *pixel,
                            clv_error *err)
{
    const size_t pixels = (size_t)data->channels * (size_t)data->height * (size_t)data->width;
    clv_status status = clv_image_read(name, data->channels, data->height, data->width, fit, value, err);
    for (size_t i = 0; i < pixels && status == CLV_OK; i++) pixel[i] = (uint8_t)lroundf(value[i] * 255);
    return status;
}

clv_status clv_given_read(const clv_config *config, const char *split, const char *const *name, int names,
                          clv_images *images, int *label, clv_error *err)
{
    clv_images data = {0}, made = {0};
    float *value = NULL; /* [c][y][x] */
    int dataset;
    clv_status status = CLV_OK;
    const clv_fit fit = strcmp(clv_config_string(config, "data.size"), "none") ? CLV_FIT_RESIZE : CLV_FIT_EXACT;
    CLV_TRY(clv_split_dataset(split, &dataset, err));
    CLV_TRY(clv_dataset_load(config, dataset == CLV_DATASET_TRAIN ? CLV_SPLIT_TRAIN : CLV_SPLIT_TEST, &data, err));
    const size_t pixels = (size_t)data.channels * (size_t)data.height * (size_t)data.width;
    made = (clv_images){.channels = data.channels, .height = data.height, .width = data.width};
    made.pixel = clv_alloc((size_t)names * pixels, 1, err);
    value = clv_alloc(pixels, sizeof *value, err);
    CLV_REQUIRE(made.pixel && value, CLV_ERR_INTERNAL, "out of memory for %d images", names);
    for (int i = 0; i < names; i++) {
        uint8_t *pixel = made.pixel + (size_t)i * pixels;
        int shown = -1;
        if (clv_given_is_index(name[i]))
            CLV_TRY(take_index(config, split, name[i], &data, pixel, &shown, err));
        else
            CLV_TRY(take_file(name[i], &data, fit, value, pixel, err));
        if (label) label[i] = shown;
    }
    made.count = (uint32_t)names;
    made.classes = data.classes; /* the names alone: what these images show is not known */
    made.class_name = data.class_name;
    data.classes = 0;
    data.class_name = NULL;
    *images = made;
    made = (clv_images){0};
done:
    free(value);
    clv_images_free(&data);
    clv_images_free(&made);
    return status;
}

clv_status clv_given_open(const char *run, const clv_config *config, clv_log *log, const clv_phase_request *request,
                          int requests, clv_images *images, clv_session **session, clv_error *err)
{
    clv_session *s = NULL;
    clv_status status = clv_session_open_given(config, log, request, requests, images, &s, err);
    if (status == CLV_OK) status = clv_session_load(s, run, err);
    if (status == CLV_OK)
        *session = s;
    else
        clv_session_close(s);
    return status;
}
