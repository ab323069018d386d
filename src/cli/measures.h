/* Figures by name, for people and as JSON. */
#ifndef CLAVE_CLI_MEASURES_H
#define CLAVE_CLI_MEASURES_H

#include <jansson.h>

#include "clave/experiment.h"

json_t *cli_measures_json(const clv_measures *measures);                  /* the caller's */
void cli_print_measures(const char *label, const clv_measures *measures); /* one line, with units */

#endif
