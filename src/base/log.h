/* Messages of a run: to a stream and, from clv_log_open on, to the run's log.txt as well. The library's functions never print by
 * themselves: they take a clv_log, and NULL is silence. The progress line is drawn on a terminal only. */
#ifndef CLAVE_BASE_LOG_H
#define CLAVE_BASE_LOG_H

#include <stdbool.h>
#include <stdio.h>

#include "clave/error.h"

typedef struct clv_log clv_log;

/* Messages go to `stream` (standard error, or standard output); progress is drawn there if it is a terminal. */
clv_log *clv_log_create(FILE *stream); /* NULL where memory ran out */
clv_status clv_log_open(clv_log *log, const char *path, clv_error *err); /* appends to path from now on */
void clv_log_destroy(clv_log *log);

void clv_log_line(clv_log *log, const char *format, ...) CLV_PRINTF(2, 3); /* one line; a progress line on show is cleared first */

bool clv_log_is_terminal(const clv_log *log);
/* Redraws the progress line at most ten times a second: "epoch 3/20  [=====>    ]  61 %  2,480 images/s  00:12 left  loss 153.2".
 * `done` of `total` images; rate in images/s; note is appended. */
void clv_log_progress(clv_log *log, const char *label, long done, long total, double images_per_second, const char *note);
void clv_log_progress_clear(clv_log *log);

double clv_seconds(void); /* monotonic clock */

#endif
