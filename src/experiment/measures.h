/* Figures by name as JSON: what results.json and every --json have in common. */
#ifndef CLAVE_EXPERIMENT_MEASURES_H
#define CLAVE_EXPERIMENT_MEASURES_H

#include <jansson.h>

#include "clave/experiment.h"

/* {classes: [{class, count, precision, recall}, ...], confusion: [[...], ...]} */
json_t *clv_class_figures_json(const clv_class_figures *figures); /* the caller's; NULL where memory ran out */

json_t *clv_measures_json(const clv_measures *measures); /* the caller's; NULL where memory ran out */

#endif
