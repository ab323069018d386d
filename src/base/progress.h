/* The text of a progress line: pure, so that it can be tested without a terminal. */
#ifndef CLAVE_BASE_PROGRESS_H
#define CLAVE_BASE_PROGRESS_H

#include <stddef.h>

/* "epoch 3/20  [=====>    ]  61 %  2,480 images/s  00:12 left  loss 153.2" in at most `columns` columns: where they are
 * too few the bar goes first, then the end is cut. Unknown parts (rate <= 0, total <= 0, note NULL) are left out. */
void clv_progress_text(char *buffer, size_t size, int columns, const char *label, long done, long total,
                       double images_per_second, const char *note);

/* 1234567 -> "1,234,567"; returns buffer. */
const char *clv_print_thousands(char buffer[32], long value);

/* "00:12", "12:34", "3:00:00"; returns buffer. */
const char *clv_print_duration(char buffer[32], double seconds);

#endif
