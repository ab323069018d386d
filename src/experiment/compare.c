/* Runs beside each other, as a table and as a plot. Only files are read: no device is opened. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/try.h"
#include "clave/report.h"
#include "experiment/run_folder.h"

#define RESULTS_LIMIT ((size_t)64 << 20)

/* What is known of a run. */
typedef struct source {
    json_t *results;
    clv_config *config;
} source;

static clv_status open_run(const char *run, source *s, clv_error *err)
{
    char path[CLV_PATH_SIZE];
    uint8_t *bytes = NULL;
    size_t size;
    json_error_t error;
    clv_status status = CLV_OK;
    CLV_TRY(clv_run_config(run, NULL, 0, &s->config, err));
    CLV_TRY(clv_path_join(path, sizeof path, run, CLV_RESULTS_FILE, err));
    if (clv_file_read(path, RESULTS_LIMIT, CLV_ERR_DATA, &bytes, &size, err) != CLV_OK) {
        status = clv_fail_in(err, CLV_ERR_DATA, "%s: has no results; has the run ended? (clave train %s --resume)", run,
                             run);
        goto done;
    }
    s->results = json_loadb((const char *)bytes, size, 0, &error);
    CLV_REQUIRE(s->results, CLV_ERR_DATA, "%s:%d: is no JSON: %s", path, error.line, error.text);
done:
    free(bytes);
    return status;
}

static void close_run(source *s)
{
    json_decref(s->results);
    clv_config_destroy(s->config);
    *s = (source){0};
}

/* "test.accuracy" in the results, or NULL. */
static const json_t *find_result(const source *s, const char *quantity)
{
    const json_t *at = s->results;
    while (at) {
        char part[64];
        size_t length = strcspn(quantity, ".");
        snprintf(part, sizeof part, "%.*s", (int)length, quantity);
        at = json_object_get(at, part);
        if (!quantity[length]) break;
        quantity += length + 1;
    }
    return at;
}

static clv_status find_number(const char *run, const source *s, const char *quantity, double *value, clv_error *err)
{
    const json_t *result = find_result(s, quantity);
    const char *text = clv_config_text(s->config, quantity);
    if (json_is_number(result)) {
        *value = json_number_value(result);
        return CLV_OK;
    }
    if (text && clv_parse_real(text, value)) return CLV_OK;
    return clv_fail(
        err, CLV_ERR_CONFIG,
        "%s: '%s' is no number of its results (test.loss, test.accuracy, train.images, seconds, ...) nor of "
        "its configuration (train.lr, ...)",
        run, quantity);
}

static clv_status find_text(const char *run, const source *s, const char *quantity, char out[64], clv_error *err)
{
    const json_t *result = find_result(s, quantity);
    const char *text = json_is_string(result) ? json_string_value(result) : clv_config_text(s->config, quantity);
    if (!text)
        return clv_fail(err, CLV_ERR_CONFIG, "%s: has nothing called '%s'; clave explain lists the keys", run,
                        quantity);
    snprintf(out, 64, "%s", text);
    return CLV_OK;
}

static clv_status read_run(const char *run, int number, const clv_compare_options *o, clv_compared *to, clv_error *err)
{
    source s = {0};
    clv_status status = CLV_OK;
    *to = (clv_compared){.run = run, .x = number};
    CLV_TRY(open_run(run, &s, err));
    CLV_TRY(find_number(run, &s, o->y ? o->y : "test.loss", &to->y, err));
    if (o->x) CLV_TRY(find_number(run, &s, o->x, &to->x, err));
    CLV_TRY(find_text(run, &s, o->by ? o->by : "experiment.name", to->by, err));
done:
    close_run(&s);
    return status;
}

static int by_line_and_x(const void *a, const void *b)
{
    const clv_compared *p = a, *q = b;
    int order = strcmp(p->by, q->by);
    return order ? order : (p->x > q->x) - (p->x < q->x);
}

static clv_status draw(const clv_compared *compared, int runs, const clv_compare_options *o, clv_error *err)
{
    clv_status status = CLV_OK;
    size_t count = (size_t)runs;
    clv_compared *sorted = clv_alloc(count, sizeof *sorted, err);
    double *x = clv_alloc(2 * count, sizeof *x, err), *y = x + count;
    clv_series *series = clv_alloc(count, sizeof *series, err);
    int lines = 0;
    CLV_REQUIRE(sorted && x && series, CLV_ERR_INTERNAL, "out of memory for a plot of %d runs", runs);
    memcpy(sorted, compared, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, by_line_and_x);
    for (int i = 0; i < runs; i++) {
        x[i] = sorted[i].x;
        y[i] = sorted[i].y;
        if (i == 0 || strcmp(sorted[i].by, sorted[i - 1].by))
            series[lines++] = (clv_series){.name = sorted[i].by, .x = x + i, .y = y + i};
        series[lines - 1].count++;
    }
    char title[192];
    const char *x_label = o->x ? o->x : "run", *y_label = o->y ? o->y : "test.loss";
    snprintf(title, sizeof title, "%s against %s", y_label, x_label);
    const clv_plot plot = {.title = title,
                           .x_label = x_label,
                           .y_label = y_label,
                           .series = series,
                           .series_count = lines,
                           .log_x = o->log_x,
                           .log_y = o->log_y,
                           .markers = true};
    CLV_TRY(clv_plot_write(o->path, &plot, err));
done:
    free(sorted);
    free(x);
    free(series);
    return status;
}

clv_status clv_compare(const char *const *run, int runs, const clv_compare_options *options, clv_compared *compared,
                       clv_error *err)
{
    clv_status status = CLV_OK;
    for (int i = 0; i < runs; i++) CLV_TRY(read_run(run[i], i + 1, options, &compared[i], err));
    if (options->path) CLV_TRY(draw(compared, runs, options, err));
done:
    return status;
}
