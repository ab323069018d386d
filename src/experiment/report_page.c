/* A run's loss curves and its page: what metrics.csv and results.json say, for reading in a browser. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/try.h"
#include "clave/report.h"
#include "experiment/drawing.h"
#include "experiment/figures.h"
#include "experiment/pictures.h"
#include "experiment/run_folder.h"

static uint32_t last_epoch(const clv_metric_table *table)
{
    uint32_t last = 0;
    for (size_t i = 0; i < table->rows; i++)
        if (table->row[i].epoch > last) last = table->row[i].epoch;
    return last;
}

/* Points of one curve; false where the run has none. `y` gets NaN where an epoch has no value. */
static bool curve_points(const clv_metric_table *table, const char *split, const char *metric, uint32_t epochs,
                         double *y)
{
    bool any = false;
    for (uint32_t e = 0; e < epochs; e++) y[e] = NAN;
    for (size_t i = 0; i < table->rows; i++) {
        const clv_metric_row *row = &table->row[i];
        if (strcmp(row->split, split) || strcmp(row->metric, metric) || row->epoch == 0) continue;
        y[row->epoch - 1] = row->value;
        any = true;
    }
    return any;
}

/* What the loss is measured in: the mean squared error's is pixels of 0 to 1, squared. */
static const char *loss_unit(const clv_metric_table *table)
{
    for (size_t i = 0; i < table->rows; i++)
        if (!strcmp(table->row[i].metric, "mse")) return "mean squared error";
    return "nats an image";
}

/* One picture a metric: curves of different units do not share an axis. */
static clv_status draw_curve(const char *run, const clv_metric_table *table, const clv_figure_name *curve,
                             double *points, uint32_t epochs, clv_error *err)
{
    static const char *const splits[] = {"train", "val"};
    const char *metric = curve->stem, *unit = curve->unit ? curve->unit : loss_unit(table);
    char folder[CLV_PATH_SIZE];
    clv_series series[2];
    int count = 0;
    for (uint32_t e = 0; e < epochs; e++) points[e] = e + 1;
    for (int i = 0; i < 2; i++) {
        double *y = points + (size_t)(1 + i) * epochs;
        if (curve_points(table, splits[i], metric, epochs, y))
            series[count++] = (clv_series){.name = splits[i], .x = points, .y = y, .count = (int)epochs};
    }
    if (!count) return CLV_OK;
    clv_plot plot = {
        .title = curve->heading, .x_label = "epoch", .y_label = unit, .series = series, .series_count = count};
    clv_status status = CLV_OK;
    CLV_TRY(clv_path_join(folder, sizeof folder, run, CLV_FIGURES_FOLDER, err));
    CLV_TRY(clv_draw_both(folder, metric, clv_write_plot, &plot, err));
done:
    return status;
}

clv_status clv_loss_curves(const char *run, clv_error *err)
{
    clv_metric_table table = {0};
    double *points = NULL;
    clv_status status = CLV_OK;
    CLV_TRY(clv_metrics_read(run, UINT32_MAX, &table, err));
    uint32_t epochs = last_epoch(&table);
    points = clv_alloc((size_t)epochs * 3 + 1, sizeof *points, err);
    CLV_REQUIRE(points, CLV_ERR_INTERNAL, "out of memory for the curves of %u epochs", epochs);
    for (int i = 0; i < clv_figure_count(); i++) {
        const clv_figure_name curve = clv_figure_at(i);
        if (curve.curve) CLV_TRY(draw_curve(run, &table, &curve, points, epochs, err));
    }
done:
    clv_metrics_free(&table);
    free(points);
    return status;
}

static void append_escaped(clv_text *t, const char *text)
{
    for (; *text; text++) switch (*text) {
        case '<':
            clv_text_append(t, "&lt;");
            break;
        case '>':
            clv_text_append(t, "&gt;");
            break;
        case '&':
            clv_text_append(t, "&amp;");
            break;
        case '"':
            clv_text_append(t, "&quot;");
            break;
        default:
            clv_text_append_bytes(t, text, 1);
        }
}

static void append_head(clv_text *t, const clv_config *config, const clv_train_result *r)
{
    clv_text_append(t, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>");
    append_escaped(t, clv_config_string(config, "experiment.name"));
    clv_text_append(
        t, "</title>\n<style>body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
           "table{border-collapse:collapse}td,th{padding:.2em 1em .2em 0;text-align:left}td.n{text-align:right}"
           "img{max-width:100%%;height:auto}pre{background:#f4f4f4;padding:1em;overflow-x:auto}</style></"
           "head><body>\n<h1>");
    append_escaped(t, clv_config_string(config, "experiment.name"));
    clv_text_append(t, "</h1>\n<p>%u epochs (best: %u) in %.1f s, %.0f images/s on ", r->epochs, r->best_epoch,
                    r->seconds, r->images_per_second);
    append_escaped(t, r->device);
    clv_text_append(t, "</p>\n");
}

static void append_measures(clv_text *t, const clv_train_result *r)
{
    const struct {
        const char *name;
        const clv_measures *of;
    } rows[] = {{"train (last epoch)", &r->train}, {"val (last epoch)", &r->validation}, {"test", &r->test}};
    clv_text_append(t, "<table><tr><th></th>");
    for (int i = 0; i < r->test.count; i++) clv_text_append(t, "<th>%s</th>", r->test.of[i].name);
    clv_text_append(t, "</tr>\n");
    for (int k = 0; k < 3; k++) {
        clv_text_append(t, "<tr><th>%s</th>", rows[k].name);
        for (int i = 0; i < r->test.count; i++) {
            double value = clv_measure_get(rows[k].of, r->test.of[i].name);
            if (isnan(value))
                clv_text_append(t, "<td class=\"n\"></td>");
            else
                clv_text_append(t, "<td class=\"n\">%.5g</td>", value);
        }
        clv_text_append(t, "</tr>\n");
    }
    clv_text_append(t, "</table>\n");
}

static void append_figures(clv_text *t, const char *run)
{
    for (int i = 0; i < clv_figure_count(); i++) {
        const clv_figure_name figure = clv_figure_at(i);
        char name[64], path[CLV_PATH_SIZE];
        struct stat info;
        snprintf(name, sizeof name, "%s/%s.png", CLV_FIGURES_FOLDER, figure.stem);
        if (clv_path_join(path, sizeof path, run, name, NULL) != CLV_OK || stat(path, &info) != 0) continue;
        clv_text_append(t, "<h2>%s</h2>\n<p><img src=\"%s\" alt=\"%s\"></p>\n", figure.heading, name, figure.heading);
    }
}

clv_status clv_report_write(const clv_config *config, const char *run, const clv_train_result *result, clv_error *err)
{
    clv_text t = {0};
    char path[CLV_PATH_SIZE], *resolved = NULL;
    clv_status status = CLV_OK;
    CLV_TRY(clv_config_print(config, &resolved, err));
    append_head(&t, config, result);
    append_measures(&t, result);
    append_figures(&t, run);
    clv_text_append(&t, "<h2>configuration</h2>\n<pre>");
    append_escaped(&t, resolved);
    clv_text_append(&t, "</pre>\n</body></html>\n");
    CLV_REQUIRE(!t.failed, CLV_ERR_INTERNAL, "out of memory for %s", CLV_REPORT_FILE);
    CLV_TRY(clv_path_join(path, sizeof path, run, CLV_REPORT_FILE, err));
    CLV_TRY(clv_file_write(path, t.text, t.length, err));
done:
    clv_text_free(&t);
    free(resolved);
    return status;
}
