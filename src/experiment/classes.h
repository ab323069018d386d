/* A classifier's answers, class by class: counts, what follows from them, and pictures. */
#ifndef CLAVE_EXPERIMENT_CLASSES_H
#define CLAVE_EXPERIMENT_CLASSES_H

#include "clave/experiment.h"
#include "experiment/session.h"

/* Counts the answers on a split; needs phase CLASSIFY on its data set. logits may be NULL, or gets them:
 * [place][class]. */
clv_status clv_count_answers(clv_session *session, const char *split, clv_class_figures *figures, float *logits,
                             clv_error *err);

/* figures/confusion.png and .svg, and mistakes.png: the wrong answers that were given with most confidence. */
clv_status clv_draw_answers(clv_session *session, const char *run, const char *split, int mistakes, int scale,
                            clv_class_figures *figures, clv_error *err);

#endif
