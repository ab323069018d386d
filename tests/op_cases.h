/* One table of cases for every operation: the tests of all backends run it. A case is one node on inputs of its own. */
#ifndef CLAVE_TESTS_OP_CASES_H
#define CLAVE_TESTS_OP_CASES_H

#include "backend/backend.h"

typedef struct op_case {
    clv_op op;
    int batch;
    clv_shape in[CLV_MAX_INPUTS]; /* batched ones become inputs, others parameters; rank 0 ends them */
    clv_attr attr;
    clv_shape result; /* rank 0: inferred */
    int trained;      /* adam, sgd: parameters */
} op_case;

extern const op_case op_cases[];
extern const int op_case_count;

/* The case as a plan for a backend: one call, but for adam and sgd, whose gradients come before. */
clv_status op_case_plan(const op_case *c, const clv_backend *be, clv_plan **plan, clv_error *err);

/* The case's call in its plan; NULL where there is none: reshape. */
const clv_call *op_case_call(const op_case *c, const clv_plan *plan);

/* Builds the programs of these calls some at a time, so that those who run them on this backend find them built: most of a
 * compiler's time goes to what every program begins with. Of no effect on a backend that compiles nothing. */
clv_status op_calls_build(clv_backend *be, const clv_call *call, int calls, clv_error *err);

#endif
