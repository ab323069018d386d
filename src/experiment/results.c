/* What a run measured: metrics.csv, one row an epoch, split and metric, and results.json, the summary. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/try.h"
#include "experiment/measures.h"
#include "experiment/run_folder.h"

#define METRICS_HEAD  "epoch,split,metric,value\n"
#define METRICS_LIMIT ((size_t)256 << 20)

/* What metrics.csv will hold of it, so that a resumed run, which reads the file, sums the same numbers. */
static double as_written(double value)
{
    char text[40];
    snprintf(text, sizeof text, "%.9g", value);
    return strtod(text, NULL); /* in the locale it was printed in */
}

clv_status clv_metrics_add(clv_metric_table *table, uint32_t epoch, const char *split, const char *metric, double value,
                           clv_error *err)
{
    clv_status status = clv_grow(&table->row, &table->capacity, table->rows + 1, sizeof *table->row, err);
    if (status != CLV_OK) return status;
    clv_metric_row *row = &table->row[table->rows++];
    row->epoch = epoch;
    row->value = as_written(value);
    snprintf(row->split, sizeof row->split, "%s", split);
    snprintf(row->metric, sizeof row->metric, "%s", metric);
    return CLV_OK;
}

clv_status clv_metrics_write(const clv_run_folder *folder, const clv_metric_table *table, clv_error *err)
{
    clv_text text = {0};
    clv_text_append(&text, METRICS_HEAD);
    for (size_t i = 0; i < table->rows; i++) {
        const clv_metric_row *row = &table->row[i];
        clv_text_append(&text, "%u,%s,%s,%.9g\n", row->epoch, row->split, row->metric, row->value);
    }
    clv_status status = text.failed ? clv_fail(err, CLV_ERR_INTERNAL, "out of memory for %s", CLV_METRICS_FILE)
                                    : clv_run_folder_write(folder, CLV_METRICS_FILE, text.text, err);
    clv_text_free(&text);
    return status;
}

static clv_status parse_row(const char *path, int line, char *text, uint32_t last_epoch, clv_metric_table *table,
                            clv_error *err)
{
    char *field[4] = {text, NULL, NULL, NULL};
    for (int i = 1; i < 4; i++) {
        field[i] = field[i - 1] ? strchr(field[i - 1], ',') : NULL;
        if (field[i]) *field[i]++ = 0;
    }
    int64_t epoch;
    double value;
    if (!field[3] || !clv_parse_int(field[0], &epoch) || epoch < 0 || epoch > UINT32_MAX ||
        !clv_parse_real(field[3], &value))
        return clv_fail(err, CLV_ERR_DATA, "%s:%d: is no row 'epoch,split,metric,value'", path, line);
    return (uint32_t)epoch > last_epoch ? CLV_OK
                                        : clv_metrics_add(table, (uint32_t)epoch, field[1], field[2], value, err);
}

clv_status clv_metrics_read(const char *run, uint32_t last_epoch, clv_metric_table *table, clv_error *err)
{
    char path[CLV_PATH_SIZE];
    uint8_t *bytes = NULL;
    size_t size;
    struct stat info;
    clv_metric_table read = {0};
    clv_status status = CLV_OK;
    CLV_TRY(clv_path_join(path, sizeof path, run, CLV_METRICS_FILE, err));
    if (stat(path, &info) == 0) {
        CLV_TRY(clv_file_read(path, METRICS_LIMIT, CLV_ERR_DATA, &bytes, &size, err));
        int line = 0;
        for (char *at = (char *)bytes, *end; *at; at = end) {
            end = at + strcspn(at, "\n");
            if (*end) *end++ = 0;
            if (line++) CLV_TRY(parse_row(path, line, at, last_epoch, &read, err));
        }
    }
    *table = read;
    free(bytes);
    return CLV_OK;
done:
    clv_metrics_free(&read);
    free(bytes);
    return status;
}

double clv_metrics_get(const clv_metric_table *table, uint32_t epoch, const char *split, const char *metric)
{
    for (size_t i = 0; i < table->rows; i++) {
        const clv_metric_row *row = &table->row[i];
        if (row->epoch == epoch && !strcmp(row->split, split) && !strcmp(row->metric, metric)) return row->value;
    }
    return NAN;
}

void clv_metrics_free(clv_metric_table *table)
{
    free(table->row);
    *table = (clv_metric_table){0};
}

json_t *clv_measures_json(const clv_measures *measures)
{
    json_t *object = json_object();
    for (int i = 0; i < measures->count; i++)
        json_object_set_new(object, measures->of[i].name, json_real(measures->of[i].value));
    return object;
}

static json_t *results_json(const clv_config *config, const clv_device_info *device, const clv_train_result *result)
{
    json_t *train = clv_measures_json(&result->train);
    json_object_set_new(train, "images_per_second", json_real(result->images_per_second));
    json_object_set_new(train, "images", json_integer(result->train_images));
    json_t *root =
        json_pack("{s:s, s:s, s:{s:s, s:s, s:s, s:s}, s:I, s:I, s:f, s:f, s:o, s:o, s:o}", "experiment",
                  clv_config_string(config, "experiment.name"), "task", clv_config_string(config, "experiment.task"),
                  "device", "platform", device->platform, "name", device->name, "driver", device->driver, "backend",
                  device->backend, "epochs", (json_int_t)result->epochs, "best_epoch", (json_int_t)result->best_epoch,
                  "seconds", result->seconds, "first_step_seconds", result->first_step_seconds, "train", train, "val",
                  clv_measures_json(&result->validation), "test", clv_measures_json(&result->test));
    return root;
}

clv_status clv_results_write(const clv_run_folder *folder, const clv_config *config, const clv_device_info *device,
                             const clv_train_result *result, const clv_class_figures *classes, clv_error *err)
{
    json_t *root = results_json(config, device, result);
    if (root && classes->classes) json_object_update_new(root, clv_class_figures_json(classes));
    char *dump = root ? json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
    clv_text text = {0};
    if (dump) clv_text_append(&text, "%s\n", dump);
    clv_status status = dump && !text.failed ? clv_run_folder_write(folder, CLV_RESULTS_FILE, text.text, err)
                                             : clv_fail(err, CLV_ERR_INTERNAL,
                                                        "%s cannot be made: out of memory, or a name that is not UTF-8",
                                                        CLV_RESULTS_FILE);
    clv_text_free(&text);
    free(dump);
    json_decref(root);
    return status;
}
