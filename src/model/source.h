/* The rows of a configuration before their values are looked at: files, what they include, and overrides, merged. */
#ifndef CLAVE_MODEL_SOURCE_H
#define CLAVE_MODEL_SOURCE_H

#include "model/problems.h"
#include "model/schema.h"

typedef struct clv_entry {
    int section;
    const char *key;
    const char *arg;   /* an override of one argument of a layer's row; else NULL */
    const char *value; /* as written; of [params], after clv_params_resolve, with other parameters put in */
    clv_place place;
} clv_entry;

typedef struct clv_source {
    clv_pool *pool;
    clv_problems *problems;
    clv_entry *entry;
    size_t entries, capacity;
    bool opened[CLV_SECTIONS]; /* the section stands in some file */
    clv_place root;            /* the file that the caller named */
    bool read;                 /* it could be read */
    bool lacking;              /* a file that is included could not */
    int files;
} clv_source;

/* path, or text (then path stands for it in messages), and all it includes. Problems go to source->problems; only
 * memory that ran out and the like is returned. */
clv_status clv_source_read(clv_source *source, const char *path, const char *text, size_t size, clv_error *err);
void clv_source_override(clv_source *source, const char *text);
void clv_source_free(clv_source *source);

clv_entry *clv_source_find(const clv_source *source, int section, const char *key, const char *arg);
/* Replaces the entry of that section, key and argument, or appends it. */
void clv_source_set(clv_source *source, clv_entry entry);

/* params.c: parameters in order, each put into those below it. */
void clv_params_resolve(clv_source *source);
/* value with its $names replaced and $$ as $, in the pool; NULL, and a problem at `place`, where that cannot be. The
 * parameters below entry number `limit` are unknown. `what` names the value in messages. */
const char *clv_params_replace(clv_source *source, const char *value, clv_place place, const char *what, size_t limit);

#endif
