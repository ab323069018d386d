/* What is wrong with a configuration, collected from every stage: a place and a line of text each. */
#ifndef CLAVE_MODEL_PROBLEMS_H
#define CLAVE_MODEL_PROBLEMS_H

#include "clave/config.h"
#include "model/pool.h"

/* Where a row stands. Files are numbered in the order they were opened: the order of their problems. */
typedef struct clv_place {
    const char *file; /* NULL: the command line; "": the message says it itself */
    int order;
    int line; /* 0: the file as a whole */
} clv_place;

enum { CLV_ORDER_COMMAND_LINE = 1000 };

/* "ini/vae.ini:12", "ini/vae.ini" or "command line". */
const char *clv_place_text(clv_pool *pool, clv_place place);

typedef struct clv_problems {
    clv_pool pool;
    struct clv_problem {
        clv_place place;
        size_t number; /* in the order of discovery */
        const char *text;
    } * item;
    size_t count, capacity;
    bool failed; /* memory ran out */
    const char *root; /* the file that the caller named, the caller's; may be NULL */
} clv_problems;  /* starts as {0} */

void clv_problem_add(clv_problems *problems, clv_place place, const char *format, ...) CLV_PRINTF(3, 4);

/* "; did you mean 'x'?" where a name is near enough to `word`, "" otherwise. */
const char *clv_hint(clv_problems *problems, const char *word, const char *const *names, int count);

/* CLV_OK where there are none; else fills err and diagnostics (NULL: not wanted) in the order of files and lines. */
clv_status clv_problems_report(clv_problems *problems, clv_diagnostics *diagnostics, clv_error *err);
void clv_problems_free(clv_problems *problems);

#endif
