/* A search's figures, see figures.c. */
#ifndef CLAVE_SEARCH_FIGURES_H
#define CLAVE_SEARCH_FIGURES_H

#include "clave/search.h"

/* FOLDER/figures/NAME.png and .svg: trials (the monitored figure over epochs), progress, parameters, parallel,
 * importance. Those that have nothing to show are left out. */
clv_status clv_search_figures(const char *folder, const clv_ranking *ranking, clv_error *err);

#endif
