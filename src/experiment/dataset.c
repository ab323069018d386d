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
