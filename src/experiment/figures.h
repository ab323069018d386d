/* The figures of a run: one table that says which there are, what each shows, when a run has it and how it is drawn.
 * The end of a training run draws them all; the report shows those that are there. */
#ifndef CLAVE_EXPERIMENT_FIGURES_H
#define CLAVE_EXPERIMENT_FIGURES_H

#include "clave/experiment.h"

typedef struct clv_figure_name {
    const char *stem;    /* figures/STEM.png, and .svg where it is a plot; of a curve: the metric */
    const char *heading; /* on the report's page; of a curve: its title too */
    bool curve;          /* a metric of metrics.csv by epoch */
    const char *unit;    /* of a curve; NULL: the loss's own */
} clv_figure_name;

/* In the report's order. */
int clv_figure_count(void);
clv_figure_name clv_figure_at(int i);

/* Draws everything the task has into RUN/figures, with the weights that the run ended with, and removes what an earlier
 * run here has drawn and this one has not. What cannot be drawn is told in the log. */
clv_status clv_run_figures(const clv_config *config, const char *run, struct clv_log *log, clv_error *err);

#endif
