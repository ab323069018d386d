/* A search's figures: every trial's figure over epochs, results in the order of trials, results by each row of [space],
 * a line a trial across all rows, and the rows' importance. */
#include "search/figures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/order.h"
#include "base/text.h"
#include "base/try.h"
#include "clave/report.h"
#include "experiment/drawing.h"
#include "experiment/run_folder.h"
#include "experiment/stopping.h"
#include "search/space.h"

enum { NAMED = 6 }; /* trials with a colour and a name */

typedef struct figures {
    const char *folder; /* FOLDER/figures */
    const char *search; /* FOLDER */
    const clv_ranking *ranking;
    const char *name[CLV_MAX_DIMENSIONS]; /* of the rows, short */
    bool log[CLV_MAX_DIMENSIONS], listed[CLV_MAX_DIMENSIONS];
    double *at;     /* [dimensions][trials], for parallel coordinates [trials][dimensions] */
    double *value;  /* [trials] */
    bool log_value; /* results spread so far that the good ones would lie upon each other */
} figures;

static clv_status write_plot(const char *path, const void *plot, clv_error *err)
{
    return clv_plot_write(path, plot, err);
}
static clv_status write_panels(const char *path, const void *p, clv_error *err)
{
    return clv_panels_write(path, p, err);
}
static clv_status write_bars(const char *path, const void *bars, clv_error *err)
{
    return clv_bars_write(path, bars, err);
}
static clv_status write_lines(const char *path, const void *p, clv_error *err)
{
    return clv_parallel_write(path, p, err);
}

static const char *plural(const clv_ranking *r) { return r->first_epochs == 1 ? "" : "s"; }

static bool spreads_far(const clv_ranking *r)
{
    double low = INFINITY, high = 0;
    for (int i = 0; i < r->trials; i++) {
        if (isnan(r->trial[i].value)) continue;
        low = fmin(low, fmin(r->trial[i].value, r->trial[i].early));
        high = fmax(high, fmax(r->trial[i].value, r->trial[i].early));
    }
    return low > 0 && high > 3 * low;
}

/* ---- every trial over epochs ---- */

static clv_status read_curve(const figures *f, const clv_ranked *trial, double **x, double **y, int *count,
                             clv_error *err)
{
    char run[CLV_PATH_SIZE], name[64];
    const clv_monitor wanted = clv_monitor_of(f->ranking->monitor);
    clv_metric_table table = {0};
    clv_status status = CLV_OK;
    snprintf(name, sizeof name, "trials/%04d", trial->number);
    CLV_TRY(clv_path_join(run, sizeof run, f->search, name, err));
    CLV_TRY(clv_metrics_read(run, UINT32_MAX, &table, err));
    *x = clv_alloc(table.rows + 1, sizeof **x, err);
    *y = *x ? clv_alloc(table.rows + 1, sizeof **y, err) : NULL;
    CLV_REQUIRE(*y, CLV_ERR_INTERNAL, "out of memory for the figures of a search");
    for (size_t i = 0; i < table.rows; i++) {
        const clv_metric_row *row = &table.row[i];
        if (!clv_monitor_is(&wanted, row->split, row->metric)) continue;
        (*x)[*count] = row->epoch;
        (*y)[(*count)++] = row->value;
    }
done:
    clv_metrics_free(&table);
    return status;
}

static clv_status draw_trials(const figures *f, clv_error *err)
{
    const clv_ranking *r = f->ranking;
    const size_t trials = (size_t)r->trials;
    clv_series *series = clv_alloc(trials + 1, sizeof *series, err);
    double **line = clv_alloc(2 * trials + 1, sizeof *line, err);
    char name[NAMED + 1][48] = {{0}};
    int named = 0;
    clv_status status = CLV_OK;
    CLV_REQUIRE(series && line, CLV_ERR_INTERNAL, "out of memory for the figures of a search");
    for (int i = 0; i < r->trials; i++) {
        const clv_ranked *t = &r->trial[i];
        const bool shown = t->rank && (i < NAMED || (t->first && named <= NAMED)) && named <= NAMED;
        CLV_TRY(read_curve(f, t, &line[2 * i], &line[2 * i + 1], &series[i].count, err));
        series[i] = (clv_series){.x = line[2 * i], .y = line[2 * i + 1], .count = series[i].count, .faint = !shown};
        if (!shown) continue;
        snprintf(name[named], sizeof name[0], "trial %d%s", t->number,
                 i == 0     ? ", the best"
                 : t->first ? ", first"
                            : "");
        series[i].name = name[named++];
    }
    const clv_plot plot = {"Every trial",        "epoch", r->monitor, .series = series, .series_count = r->trials,
                           .log_y = f->log_value};
    CLV_TRY(clv_draw_both(f->folder, "trials", write_plot, &plot, err));
done:
    for (size_t i = 0; line && i < 2 * trials; i++) free(line[i]);
    free(line);
    free(series);
    return status;
}

/* ---- results in the order of trials ---- */

static clv_status draw_progress(const figures *f, clv_error *err)
{
    const clv_ranking *r = f->ranking;
    const size_t trials = (size_t)r->trials;
    double *x = clv_alloc(3 * trials + 1, sizeof *x, err), sofar = NAN;
    if (!x) return CLV_ERR_INTERNAL;
    double *y = x + trials, *best = y + trials;
    for (int i = 0; i < r->trials; i++) y[r->trial[i].number - 1] = r->trial[i].value;
    for (int i = 0; i < r->trials; i++) {
        const bool better = !isnan(y[i]) && (isnan(sofar) || (r->lower_is_better ? y[i] < sofar : y[i] > sofar));
        if (better) sofar = y[i];
        x[i] = i + 1;
        best[i] = sofar;
    }
    const clv_series series[] = {{.name = "best so far", .x = x, .y = best, .count = r->trials},
                                 {.name = "trial", .x = x, .y = y, .count = r->trials, .no_line = true}};
    const clv_plot plot = {"Results in the order of trials",
                           "trial",
                           r->monitor,
                           .series = series,
                           .series_count = 2,
                           .log_y = f->log_value};
    const clv_status status = clv_draw_both(f->folder, "progress", write_plot, &plot, err);
    free(x);
    return status;
}

/* ---- results by rows of [space] ---- */

static int item_of(const clv_dimension *d, const char *text)
{
    for (int i = 0; i < d->items; i++)
        if (!strcmp(d->item[i], text)) return i;
    return 0;
}

/* Words stand at their place in the list. */
static double coordinate(const clv_dimension *d, const char *text)
{
    double number;
    if (d->item && !d->number) return item_of(d, text) + 1;
    return clv_parse_real(text, &number) ? number : NAN;
}

/* Numbers over more than a decade are drawn by their logarithm. */
static bool wants_log(const clv_dimension *d)
{
    double low = INFINITY, high = 0;
    if (!d->item) return d->log;
    for (int i = 0; d->number && i < d->items; i++) {
        low = fmin(low, d->number[i]);
        high = fmax(high, d->number[i]);
    }
    return d->number && low > 0 && high / low > 5;
}

/* "optimizer: 1 adam, 2 sgd", so that places can be read. */
static clv_status name_row(figures *f, int row, clv_error *err)
{
    const clv_dimension *d = &f->ranking->dimension[row];
    const char *dot = strrchr(d->key, '.');
    clv_text text = {0};
    clv_text_append(&text, "%s", dot ? dot + 1 : d->key);
    for (int i = 0; d->item && !d->number && i < d->items; i++)
        clv_text_append(&text, "%s %d %s", i ? "," : ":", i + 1, d->item[i]);
    if (text.failed) {
        clv_text_free(&text);
        return clv_fail(err, CLV_ERR_INTERNAL, "out of memory for the figures of a search");
    }
    f->name[row] = text.text;
    f->log[row] = wants_log(d);
    f->listed[row] = d->item != NULL;
    return CLV_OK;
}

static clv_status draw_rows(figures *f, clv_error *err)
{
    const clv_ranking *r = f->ranking;
    const int trials = r->trials;
    char title[96], label[64];
    clv_status status = CLV_OK;
    snprintf(label, sizeof label, "%s, %u epoch%s", r->monitor, r->first_epochs, plural(r));
    snprintf(title, sizeof title, "Results after %u epoch%s, which every trial had", r->first_epochs, plural(r));
    for (int i = 0; i < trials; i++) {
        f->value[i] = r->trial[i].early;
        for (int d = 0; d < r->dimensions; d++)
            f->at[(size_t)d * (size_t)trials + (size_t)i] = coordinate(&r->dimension[d], r->trial[i].setting[d]);
    }
    const clv_panels panels = {.title = title,
                               .y_label = label,
                               .panels = r->dimensions,
                               .points = trials,
                               .x_label = f->name,
                               .log_x = f->log,
                               .x = f->at,
                               .y = f->value,
                               .log_y = f->log_value,
                               .listed = f->listed};
    CLV_TRY(clv_draw_both(f->folder, "parameters", write_panels, &panels, err));
    for (int i = 0; i < trials; i++) {
        f->value[i] = f->log_value ? log10(r->trial[i].value) : r->trial[i].value;
        for (int d = 0; d < r->dimensions; d++)
            f->at[(size_t)i * (size_t)r->dimensions + (size_t)d] = coordinate(&r->dimension[d], r->trial[i].setting[d]);
    }
    snprintf(label, sizeof label, "%s%s", f->log_value ? "log10 of " : "", r->monitor);
    const clv_parallel parallel = {.title = "Trials across the rows of [space]",
                                   .value_label = label,
                                   .axes = r->dimensions,
                                   .lines = trials,
                                   .axis_name = f->name,
                                   .log_axis = f->log,
                                   .at = f->at,
                                   .value = f->value,
                                   .listed = f->listed};
    CLV_TRY(clv_draw_both(f->folder, "parallel", write_lines, &parallel, err));
done:
    return status;
}

/* ---- importance ---- */

static clv_status draw_importance(const figures *f, clv_error *err)
{
    const clv_ranking *r = f->ranking;
    double pair[CLV_MAX_DIMENSIONS][2], value[CLV_MAX_DIMENSIONS]; /* {importance, row} */
    const char *name[CLV_MAX_DIMENSIONS];
    char text[128];
    if (isnan(r->importance[0])) return CLV_OK;
    for (int d = 0; d < r->dimensions; d++) pair[d][0] = r->importance[d], pair[d][1] = d;
    qsort(pair, (size_t)r->dimensions, sizeof *pair, clv_order_doubles);
    for (int i = 0; i < r->dimensions; i++) {
        const double *greatest = pair[r->dimensions - 1 - i];
        const char *key = r->dimension[(int)greatest[1]].key, *dot = strrchr(key, '.');
        value[i] = greatest[0];
        name[i] = dot ? dot + 1 : key;
    }
    snprintf(text, sizeof text, "share of the variance of %s after %u epoch%s", r->monitor, r->first_epochs, plural(r));
    const clv_bars bars = {
        .title = "Importance", .x_label = text, .count = r->dimensions, .name = name, .value = value};
    return clv_draw_both(f->folder, "importance", write_bars, &bars, err);
}

clv_status clv_search_figures(const char *folder, const clv_ranking *ranking, clv_error *err)
{
    char path[CLV_PATH_SIZE];
    const size_t trials = (size_t)ranking->trials, dimensions = (size_t)ranking->dimensions;
    figures f = {.folder = path, .search = folder, .ranking = ranking};
    clv_status status = CLV_OK;
    CLV_TRY(clv_path_join(path, sizeof path, folder, CLV_FIGURES_FOLDER, err));
    f.at = clv_alloc(trials * dimensions + 1, sizeof *f.at, err);
    f.value = f.at ? clv_alloc(trials + 1, sizeof *f.value, err) : NULL;
    CLV_REQUIRE(f.value, CLV_ERR_INTERNAL, "out of memory for the figures of a search");
    for (int d = 0; d < ranking->dimensions; d++) CLV_TRY(name_row(&f, d, err));
    f.log_value = spreads_far(ranking);
    CLV_TRY(draw_trials(&f, err));
    CLV_TRY(draw_progress(&f, err));
    CLV_TRY(draw_rows(&f, err));
    CLV_TRY(draw_importance(&f, err));
done:
    for (int d = 0; d < ranking->dimensions; d++) free((char *)(uintptr_t)f.name[d]);
    free(f.at);
    free(f.value);
    return status;
}
