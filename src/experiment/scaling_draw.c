/* Scaling as a plot: a line for each size that was changed, its points against the share of the peak, cliffs marked. */
#include <stdio.h>

#include "clave/report.h"
#include "experiment/scaling.h"

typedef struct line {
    double x[CLV_MAX_SCALES], y[CLV_MAX_SCALES];
} line;

static void add_point(clv_series *series, line *at, double x, double y)
{
    at->x[series->count] = x;
    at->y[series->count++] = y;
}

clv_status clv_scaling_draw(const char *path, const clv_scaling *scaling, clv_error *err)
{
    static const char *const names[CLV_SCALED_COUNT] = {"images of a batch", "channels of the widest convolution",
                                                        "pixels of an image's side"};
    line lines[CLV_SCALED_COUNT + 1];
    clv_series all[CLV_SCALED_COUNT + 1] = {{0}}, drawn[CLV_SCALED_COUNT + 1];
    double peak = 0;
    int count = 0;
    for (int i = 0; i <= CLV_SCALED_COUNT; i++)
        all[i] = (clv_series){.name = i < CLV_SCALED_COUNT ? names[i] : "30 % or more under the neighbours' trend",
                              .x = lines[i].x,
                              .y = lines[i].y,
                              .no_line = i == CLV_SCALED_COUNT};
    for (int i = 0; i < scaling->points; i++)
        if (scaling->point[i].peak_gflops > peak) peak = scaling->point[i].peak_gflops;
    for (int i = 0; i < scaling->points; i++) {
        const clv_scaling_point *p = &scaling->point[i];
        const double y = peak > 0 ? 100 * p->peak_share : p->gflops;
        if (*p->skipped) continue;
        add_point(&all[p->what], &lines[p->what], p->value, y);
        if (p->cliff && all[CLV_SCALED_COUNT].count < CLV_MAX_SCALES)
            add_point(&all[CLV_SCALED_COUNT], &lines[CLV_SCALED_COUNT], p->value, y);
    }
    for (int i = 0; i <= CLV_SCALED_COUNT; i++)
        if (all[i].count) drawn[count++] = all[i];
    char title[128];
    snprintf(title, sizeof title, "%s: a training step while one size changes", scaling->name);
    const clv_plot plot = {.title = title,
                           .x_label = "size",
                           .y_label = peak > 0 ? "% of the FMA peak" : "GFLOP/s",
                           .series = drawn,
                           .series_count = count,
                           .log_x = true,
                           .markers = true};
    return clv_plot_write(path, &plot, err);
}
