/* [data] as the reader of data sets takes it. */
#include "experiment/dataset.h"

#include <string.h>

clv_status clv_dataset_load(const clv_config *config, clv_split split, clv_images *images, clv_error *err)
{
    static const char *const keys[] = {"data.train_images", "data.train_labels", "data.test_images",
                                       "data.test_labels"};
    clv_data_source source = {.path = clv_config_string(config, "data.path"),
                              .test = clv_config_real(config, "data.test")};
    const char *channels = clv_config_string(config, "data.channels");
    if (strcmp(channels, "auto") != 0) source.channels = *channels - '0';
    clv_config_size(config, "data.size", &source.height, &source.width);
    for (int i = 0; i < 4; i++) {
        const char *name = clv_config_string(config, keys[i]);
        source.file[i] = strcmp(name, "auto") != 0 ? name : NULL;
    }
    return clv_data_load(&source, split, images, err);
}

clv_status clv_train_split(const clv_config *config, uint32_t count, clv_train_parts *parts, clv_error *err)
{
    const int64_t validation = clv_config_int(config, "data.validation");
    const int64_t wanted = clv_config_int(config, "data.train_count"), left = (int64_t)count - validation;
    if (left <= 0)
        return clv_fail(err, CLV_ERR_CONFIG,
                        "%s: data.validation = %lld holds out all of the %u training images; hold out fewer",
                        clv_config_where(config, "data.validation"), (long long)validation, count);
    if (wanted > left)
        return clv_fail(
            err, CLV_ERR_CONFIG, "%s: data.train_count = %lld: there are %lld training images, %lld held out",
            clv_config_where(config, "data.train_count"), (long long)wanted, (long long)left, (long long)validation);
    *parts = (clv_train_parts){(uint32_t)(wanted > 0 ? wanted : left), (uint32_t)validation};
    return CLV_OK;
}
