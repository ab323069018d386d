/* How a search begins, and under what it may go on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "base/try.h"
#include "clave/search.h"
#include "experiment/run_folder.h"
#include "model/settings.h"
#include "search/study.h"

/* The experiment as one text, checked: what it includes and the overrides put in. Its name is kept, which it may have
 * from its file. */
static clv_status read_experiment(const char *path, const char *text, const char *const *overrides, int override_count,
                                  char **flat, char name[128], clv_error *err)
{
    clv_config *config = NULL;
    clv_search_plan plan = {0};
    char *first = NULL, named[160];
    const char *override = named;
    size_t size = text ? strlen(text) : 0;
    clv_status status = CLV_OK;
    if (text)
        CLV_TRY(clv_config_parse(path, text, size, overrides, override_count, &config, NULL, err));
    else
        CLV_TRY(clv_config_load(path, overrides, override_count, &config, NULL, err));
    CLV_TRY(clv_search_plan_read(config, &plan, err));
    snprintf(name, 128, "%s", clv_config_string(config, "experiment.name"));
    snprintf(named, sizeof named, "experiment.name=%s", name);
    CLV_TRY(clv_config_flatten(path, text, size, overrides, override_count, true, &first, err));
    CLV_TRY(clv_config_flatten(path, first, strlen(first), &override, 1, true, flat, err));
done:
    free(first);
    clv_search_plan_free(&plan);
    clv_config_destroy(config);
    return status;
}

clv_status clv_search_create(const char *path, const char *const *overrides, int override_count, const char *out,
                             char folder[CLV_PATH_SIZE], clv_error *err)
{
    char *text = NULL, name[128];
    clv_status status = CLV_OK;
    CLV_TRY(read_experiment(path, NULL, overrides, override_count, &text, name, err));
    if (out) {
        CLV_REQUIRE(strlen(out) < CLV_PATH_SIZE, CLV_ERR_CONFIG, "--out: the path is longer than %d bytes",
                    CLV_PATH_SIZE - 1);
        strcpy(folder, out);
        CLV_TRY(clv_make_folders(out, err));
    } else {
        CLV_TRY(clv_run_folder_dated(name, folder, err));
    }
    CLV_TRY(clv_study_create(folder, text, err));
done:
    free(text);
    return status;
}

/* What is left to do, by how many, where. */
static bool is_free(const clv_setting *setting, const void *context)
{
    static const char *const free_keys[] = {"search.trials", "search.parallel", "device.", "report."};
    (void)context;
    for (size_t i = 0; i < sizeof free_keys / sizeof *free_keys; i++)
        if (clv_setting_is(setting, free_keys[i])) return true;
    return false;
}

static void append_row(clv_text *text, const clv_setting *row)
{
    if (row->key)
        clv_text_append(text, "[%.*s] %.*s = %.*s", row->section_length, row->section, row->key_length, row->key,
                        row->value_length, row->value);
    else
        clv_text_append(text, "no more rows");
}

static clv_status check_same(const char *folder, const char *began, const char *now, clv_error *err)
{
    clv_setting old, row;
    clv_text rows = {0};
    if (!clv_settings_differ(began, now, is_free, NULL, &old, &row)) return CLV_OK;
    append_row(&rows, &old);
    clv_text_append(&rows, ", not with ");
    append_row(&rows, &row);
    const clv_status status =
        clv_fail(err, CLV_ERR_CONFIG,
                 "%s: the search began with %s; only search.trials, search.parallel, [device] and [report] may change, "
                 "begin a new search by another --out",
                 folder, rows.failed ? "other rows" : rows.text);
    clv_text_free(&rows);
    return status;
}

clv_status clv_search_reopen(const char *folder, const char *path, const char *const *overrides, int override_count,
                             clv_error *err)
{
    clv_study *study = NULL;
    clv_records records = {0};
    char *text = NULL, name[128];
    clv_status status = CLV_OK;
    CLV_TRY(clv_study_open(folder, &study, err));
    if (path || override_count) {
        const char *old = clv_study_text(study);
        CLV_TRY(read_experiment(path ? path : CLV_STUDY_INI, path ? NULL : old, overrides, override_count, &text, name,
                                err));
        CLV_TRY(check_same(folder, old, text, err));
        if (strcmp(old, text)) CLV_TRY(clv_study_set_text(study, text, err));
    }
    CLV_TRY(clv_study_records(study, &records, err)); /* a damaged study is seen before anything is started */
done:
    free(records.of);
    free(text);
    clv_study_close(study);
    return status;
}
