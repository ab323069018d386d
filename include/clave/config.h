/* Configuration: an experiment as INI text, strict. One schema table (src/model/schema.def) drives the parser, `clave
 * explain`, the error messages and the reference in the docs.
 *
 * The language: sections and `key = value` rows; ';' or '#' starts a comment at the start of a line or after a blank;
 * `$name` or `${name}` in a value is replaced from [params], `$$` is a dollar, and a parameter may refer to those above
 * it; `include = other.ini` at the top, before any section, inherits that file's rows (paths are relative to the
 * including file; depth at most 16, no cycles), later rows win over included ones, but the same key twice in one file is
 * an error. A key that has no effect beside the others is an error too, but passed over and noted where an included file sets
 * it. [encoder], [decoder] and [classifier] hold layers, one row each, in order: `name = type key=value ...`; an including file
 * that has one of these sections replaces the whole section, and so with [space], whose rows say what a search varies:
 * `section.key = 1, 2, 4`, `section.key = log 1e-5..1e-2`, `section.key = int 16..128`. In [params] a product of whole numbers,
 * `flat = $conv3 * 9`, becomes its value. Lines are at most 198 bytes, comments not counted. */
#ifndef CLAVE_CONFIG_H
#define CLAVE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "clave/error.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct clv_config clv_config;

/* Every error of a file at once: each "file:line: message". Starts as {0}; filled on failure alone. */
typedef struct clv_diagnostics {
    char **message;
    int count, capacity;
} clv_diagnostics;
void clv_diagnostics_free(clv_diagnostics *diagnostics);

/* Reads path and then `overrides` ("section.key=value", "encoder.conv1.channels=16" for a layer's argument, "params.drop=0"), which win.
 * All keys and values are checked against the schema. On failure err holds the first error and how many more there are;
 * diagnostics (may be NULL) gets all of them. */
clv_status clv_config_load(const char *path, const char *const *overrides, int override_count, clv_config **config,
                           clv_diagnostics *diagnostics, clv_error *err);
/* The same of text in memory; `name` stands for the file in messages; includes are relative to the working directory. */
clv_status clv_config_parse(const char *name, const char *text, size_t size, const char *const *overrides, int override_count,
                            clv_config **config, clv_diagnostics *diagnostics, clv_error *err);
void clv_config_destroy(clv_config *config);

/* Values by "section.key", default where the file has none. The key must be in the schema with that type (a caller's
 * mistake otherwise: assert). Strings live as long as the config. Two defaults follow other keys: loss.reconstruction is
 * bce for a vae, early_stopping.monitor is train.loss where data.validation is 0. */
const char *clv_config_string(const clv_config *config, const char *key); /* strings, paths, choices */
int clv_config_choice(const clv_config *config, const char *key); /* a choice's place in the order of `clave explain`, from 0 */
int64_t clv_config_int(const clv_config *config, const char *key);
double clv_config_real(const clv_config *config, const char *key);
bool clv_config_bool(const clv_config *config, const char *key);
bool clv_config_size(const clv_config *config, const char *key, int *height, int *width); /* false, and 0 x 0: none */
/* The value as text, of a key of any type; NULL where the schema has no such key. */
const char *clv_config_text(const clv_config *config, const char *key);
bool clv_config_is_set(const clv_config *config, const char *key); /* by file or override */
/* "ini/vae.ini:12", "command line" or "default". */
const char *clv_config_where(const clv_config *config, const char *key);

/* What a user should know of a configuration that is right: the rows of included files that have no effect here. False
 * where there are no `number` + 1 of them. */
#define CLV_NOTE_SIZE 512
bool clv_config_note(const clv_config *config, int number, char text[CLV_NOTE_SIZE]);

/* A layer row, its arguments checked and with defaults filled in. */
typedef struct clv_layer {
    const char *name;  /* "conv1" */
    const char *type;  /* "conv", a row of the layer table */
    const char *where; /* "ini/vae.ini:12" */
    const struct clv_layer_type *kind;
    struct clv_layer_arg {
        const char *name, *value;
        bool set; /* by the file */
    } arg[12];
    int args;
} clv_layer;

/* How many; 0 where there is no such section or the task has no use for it ([decoder] of a classifier). */
int clv_config_layers(const clv_config *config, const char *section, const clv_layer **layers);
int clv_layer_int(const clv_layer *layer, const char *arg);
double clv_layer_real(const clv_layer *layer, const char *arg);
const char *clv_layer_string(const clv_layer *layer, const char *arg);

/* The text that makes this configuration again: every key with its value in force, params replaced, no include. The
 * caller frees *text. */
clv_status clv_config_print(const clv_config *config, char **text, clv_error *err);

/* The rows as they were written: what is included put in, overrides in place, parameters kept, so that overriding a
 * parameter still reaches all that refers to it. text NULL: path is read. Without [search] and [space] unless with_search.
 * The caller frees *flat. */
clv_status clv_config_flatten(const char *path, const char *text, size_t size, const char *const *overrides,
                              int override_count, bool with_search, char **flat, clv_error *err);

/* A row of [space]: a key and the values that a search gives it, a list or a range. */
typedef struct clv_dimension {
    const char *key;   /* what an override names: "params.conv1", "train.lr", "encoder.conv1.channels" */
    const char *where; /* "ini/search.ini:30" */
    const char *text;  /* the row's value as written */
    const char *const *item; /* [items] a list's values, as written; NULL: a range */
    const double *number;    /* [items] the same where all are numbers, or NULL */
    int items;
    double low, high; /* a range's ends, both inside */
    bool log;         /* of a range: uniform in the logarithm */
    bool integer;     /* of a range: whole numbers */
} clv_dimension;

/* The rows of [space], in order; returns how many. */
int clv_config_space(const clv_config *config, const clv_dimension **dimensions);

/* `clave explain`: NULL lists every section and key, "train" a section, "train.batch" a key, "layer.conv" a layer type:
 * type, range, default, meaning. CLV_ERR_CONFIG with the nearest name where there is none such. */
clv_status clv_config_explain(const char *key, FILE *out, clv_error *err);

/* The whole reference of sections, keys and layers as Markdown. */
void clv_config_reference(FILE *out);

#ifdef __cplusplus
}
#endif
#endif
