/* May this configuration go on with that run? Both are printed in their one canonical form and compared line by line.
 */
#include <stdlib.h>

#include "base/try.h"
#include "experiment/run_folder.h"
#include "experiment/schedule.h"
#include "model/settings.h"

/* Keys and sections that say how long to train, on what device and what to draw. */
static const char *const free_keys[] = {
    "experiment.name", "train.epochs", "early_stopping.patience", "early_stopping.restore_best", "device.", "report."};

/* Where rates depend on the number of epochs, that is bound too. */
static bool is_free(const clv_setting *setting, const void *bounded)
{
    if (*(const bool *)bounded && clv_setting_is(setting, "train.epochs")) return false;
    for (size_t i = 0; i < sizeof free_keys / sizeof *free_keys; i++)
        if (clv_setting_is(setting, free_keys[i])) return true;
    return false;
}

static clv_status compare(const char *run, const char *began, const char *now, bool bounded, clv_error *err)
{
    clv_setting a, b;
    if (!clv_settings_differ(began, now, is_free, &bounded, &a, &b)) return CLV_OK;
    const clv_setting *named = b.key ? &b : &a;
    if (!clv_setting_same_key(&a, &b))
        return clv_fail(err, CLV_ERR_CONFIG,
                        "%s: the run began without or with another %.*s.%.*s; start a new run to change it", run,
                        named->section_length, named->section, named->key_length, named->key);
    return clv_fail(err, CLV_ERR_CONFIG,
                    "%s: %.*s.%.*s is %.*s, but the run began with %.*s; start a new run to change it", run,
                    a.section_length, a.section, a.key_length, a.key, b.value_length, b.value, a.value_length, a.value);
}

clv_status clv_run_folder_check_same(const clv_run_folder *folder, const clv_config *config, clv_error *err)
{
    clv_config *began = NULL;
    char *text_began = NULL, *text_now = NULL;
    clv_status status = CLV_OK;
    CLV_TRY(clv_run_config(folder->path, NULL, 0, &began, err));
    CLV_TRY(clv_config_print(began, &text_began, err));
    CLV_TRY(clv_config_print(config, &text_now, err));
    CLV_TRY(compare(folder->path, text_began, text_now, clv_schedule_is_bounded(config), err));
done:
    clv_config_destroy(began);
    free(text_began);
    free(text_now);
    return status;
}
