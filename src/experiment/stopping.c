/* Early stopping: the whole rule, apart from files and devices so that it can be tested alone. */
#include "experiment/stopping.h"

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
