/* Lists of layers as users write them: names or patterns ('conv*'), separated by commas, each with a number behind a
 * colon where the key asks for one ('conv*:0.1'). A pattern means the parameters of the rows that it matches ("conv1"
 * of "conv1.weight"), or single parameters by their full names. */
#ifndef CLAVE_MODEL_PATTERNS_H
#define CLAVE_MODEL_PATTERNS_H

#include "clave/config.h"
#include "graph/plan.h"

#define CLV_NO_PATTERNS "none"

/* Whether any pattern of the list matches the parameter. */
bool clv_patterns_match(const char *list, const char *param);
/* The product of the numbers of all patterns that match it; 1 where none does. */
double clv_patterns_factor(const char *list, const char *param);

/* CLV_ERR_CONFIG where the list of `key` is malformed, a number is not above 0, or a pattern matches no parameter of
 * the layout: says which, and the nearest layer. */
clv_status clv_patterns_check(const clv_config *config, const char *key, bool numbers, const clv_param_layout *layout,
                              clv_error *err);

#endif
