/* Figures by name, for people. */
#ifndef CLAVE_CLI_MEASURES_H
#define CLAVE_CLI_MEASURES_H

#include "experiment/measures.h"

void cli_print_measures(const char *label, const clv_measures *measures); /* one line, with units */

#endif
