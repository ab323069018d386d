/* INI text as rows with line numbers. The text is scanned first (scan.c): whatever inih would misread is reported and
 * left out, comments are cut, and inih reads the rest (rows.c). */
#ifndef CLAVE_MODEL_INI_H
#define CLAVE_MODEL_INI_H

#include <stddef.h>

#include "model/problems.h"

typedef struct clv_ini_section {
    const char *name;
    int line;
} clv_ini_section;

typedef struct clv_ini_row {
    const char *section; /* "" above the first section */
    const char *key, *value;
    int line;
} clv_ini_row;

typedef struct clv_ini {
    clv_ini_section *section; /* each once, in order */
    size_t sections, section_capacity;
    clv_ini_row *row;
    size_t rows, row_capacity;
} clv_ini; /* starts as {0} */

/* Strings go to pool; problems are added with `file`'s place and their line. CLV_ERR_INTERNAL alone is returned. */
clv_status clv_ini_read(clv_place file, const char *bytes, size_t size, clv_pool *pool, clv_problems *problems,
                        clv_ini *ini, clv_error *err);
void clv_ini_free(clv_ini *ini);

/* scan.c: fills ini->section and `clean`, room for size + 1 bytes: the text line by line without what was refused;
 * *rows is the number of rows in it. */
clv_status clv_ini_scan(clv_place file, const char *bytes, size_t size, clv_pool *pool, clv_problems *problems,
                        clv_ini *ini, char *clean, size_t *rows, clv_error *err);

/* The length of `text` without the comment that may end it and the blanks before that. */
size_t clv_ini_without_comment(const char *text, size_t length);

#endif
