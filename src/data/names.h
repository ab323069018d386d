/* What a folder holds, in the order of the names' bytes: the same on every machine, whatever its locale and file system. */
#ifndef CLAVE_DATA_NAMES_H
#define CLAVE_DATA_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "clave/error.h"

enum { CLV_PATH_MAX = 4096 };

typedef struct clv_entry_name {
    char *name;
    bool folder, file; /* of what a link leads to; neither: a device, a pipe, a link to nothing */
    int error;         /* errno where it cannot be looked at */
} clv_entry_name;

typedef struct clv_names {
    size_t count, capacity;
    clv_entry_name *entry;
} clv_names;

/* All entries but "." and "..". CLV_ERR_DATA where the folder cannot be read. Starts as {0}; on failure nothing is left to free. */
clv_status clv_names_read(const char *folder, clv_names *names, clv_error *err);
void clv_names_free(clv_names *names);

const clv_entry_name *clv_names_find(const clv_names *names, const char *name); /* NULL: none */

bool clv_ends_with(const char *text, const char *end); /* ignoring case */

#endif
