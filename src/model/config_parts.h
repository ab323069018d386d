/* What a configuration is made of, for the files of this folder. */
#ifndef CLAVE_MODEL_CONFIG_PARTS_H
#define CLAVE_MODEL_CONFIG_PARTS_H

#include "base/text.h"
#include "clave/config.h"
#include "model/layers.h"
#include "model/source.h"

typedef struct clv_setting {
    clv_value value;
    clv_place place; /* where `set` */
    bool set;        /* by file or override */
    bool bad;        /* reported: holds the default instead */
    bool unused;     /* an included file set it at `place`, which has no effect here: holds the default instead */
} clv_setting;

typedef struct clv_layer_list {
    int section;
    clv_layer *layer; /* [count], the public rows */
    clv_place *place; /* [count] */
    size_t count, capacity, place_capacity;
    bool bad; /* a row was refused */
} clv_layer_list;

typedef struct clv_space_rows { /* [space] */
    clv_dimension *row;
    clv_place *place; /* [count] */
    size_t count, capacity, place_capacity;
} clv_space_rows;

struct clv_config {
    clv_pool pool;
    clv_space_rows space;
    clv_setting setting[CLV_KEYS];
    const char *where[CLV_KEYS];
    clv_layer_list layers[CLV_SECTIONS]; /* empty for sections of another kind */
    bool opened[CLV_SECTIONS];           /* the section stands in some file, or a file is lacking that may have it */
    clv_place root;
};

/* Whether a key has an effect beside the others' values. */
bool clv_config_in_force(const clv_config *config, enum clv_key key);

/* Whether a section of layers is part of the model: a classifier has no decoder, and nothing else a classifier. */
bool clv_section_in_force(const clv_config *config, int section);

/* layer_row.c: the layers of a section, in order; problems go to source->problems. */
void clv_layers_read(clv_config *config, clv_source *source, int section);

/* space.c: the rows of [space]; problems go to source->problems. */
void clv_space_rows_read(clv_config *config, clv_source *source);
/* A configuration of the same source with more overrides, released by clv_config_destroy; [space] is not looked at. */
typedef struct clv_variant_source {
    const char *path, *text;
    size_t size;
    const char *const *overrides;
    int override_count;
} clv_variant_source;
clv_status clv_config_variant(const clv_variant_source *from, const char *const *more, int count, clv_config **config,
                              clv_error *err);
/* Each value of each row must make a configuration, as the only change; what does not is a problem at the row. */
clv_status clv_space_rows_check(const clv_config *config, const clv_variant_source *from, clv_problems *problems,
                           clv_error *err);

/* config_check.c: what keys and layers ask of each other. */
void clv_config_check(const clv_config *config, clv_problems *problems);

/* config_print.c: whether a row "key = value" can be written so that it reads the same again: at most 198 bytes with
 * dollars doubled, and nothing in it that opens a comment. */
bool clv_row_fits(const char *key, const char *value);
/* The row's text behind the '=': type and the arguments that were set. */
void clv_layer_append(const clv_layer *layer, clv_text *text);

#endif
