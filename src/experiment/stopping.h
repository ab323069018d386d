/* Early stopping as Keras means it (tf.keras.callbacks.EarlyStopping): an epoch improves where the monitored value is
 * below the best by more than min_delta; training stops after `patience` epochs in a row that did not. */
#ifndef CLAVE_EXPERIMENT_STOPPING_H
#define CLAVE_EXPERIMENT_STOPPING_H

#include <stdbool.h>
#include <stdint.h>

/* A figure to improve, "val.loss" or "train.accuracy", taken apart. */
typedef struct clv_monitor {
    char split[12];
    const char *metric; /* of the text it was made from */
    double sign;        /* 1: lower is better; -1: higher is, of an accuracy */
} clv_monitor;
clv_monitor clv_monitor_of(const char *text);
bool clv_monitor_is(const clv_monitor *monitor, const char *split, const char *metric);

typedef struct clv_stopping {
    uint32_t patience;   /* 0: never stop */
    double min_delta;    /* >= 0 */
    uint32_t best_epoch; /* from 1; 0: none yet */
    double best;
    uint32_t waited; /* epochs since the best */
} clv_stopping;

/* Takes the value of an epoch (from 1); *improved says that its weights are the best so far. True: stop now. */
bool clv_stopping_update(clv_stopping *stopping, uint32_t epoch, double value, bool *improved);

#endif
