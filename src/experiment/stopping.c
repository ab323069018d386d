/* Early stopping: the whole rule, apart from files and devices so that it can be tested alone. */
#include "experiment/stopping.h"

#include <stdio.h>
#include <string.h>

clv_monitor clv_monitor_of(const char *text)
{
    clv_monitor monitor = {.metric = strchr(text, '.')};
    monitor.metric = monitor.metric ? monitor.metric + 1 : text; /* the schema has no figure without a split */
    snprintf(monitor.split, sizeof monitor.split, "%.*s", (int)strcspn(text, "."), text);
    monitor.sign = strcmp(monitor.metric, "accuracy") ? 1 : -1;
    return monitor;
}

bool clv_monitor_is(const clv_monitor *monitor, const char *split, const char *metric)
{
    return !strcmp(monitor->split, split) && !strcmp(monitor->metric, metric);
}

bool clv_stopping_update(clv_stopping *stopping, uint32_t epoch, double value, bool *improved)
{
    *improved = stopping->best_epoch == 0 || value < stopping->best - stopping->min_delta;
    if (*improved) {
        stopping->best = value;
        stopping->best_epoch = epoch;
        stopping->waited = 0;
        return false;
    }
    stopping->waited++;
    return stopping->patience > 0 && stopping->waited >= stopping->patience;
}
