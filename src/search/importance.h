/* How much each row of a search space matters for the results. */
#ifndef CLAVE_SEARCH_IMPORTANCE_H
#define CLAVE_SEARCH_IMPORTANCE_H

#include "search/space.h"

/* Functional analysis of variance on a random forest (Hutter, Hoos & Leyton-Brown 2014, "An efficient approach for
 * assessing hyperparameter importance", ICML, section 2): a forest is fitted to the results; within a tree, which is
 * constant on boxes, the mean over all other rows as a function of one row is exact, and its variance over that row is
 * the row's part of the tree's whole variance. importance[d] is the mean of these shares over trees; what is missing to
 * 1 belongs to rows together.
 *
 * point: [count][CLV_MAX_DIMENSIONS]; value: [count], finite. Deterministic by seed. All NaN where count is under 4 or
 * all values are the same. */
clv_status clv_importance(const clv_search_space *space, const double *point, const double *value, int count,
                          uint64_t seed, double *importance, clv_error *err);

#endif
