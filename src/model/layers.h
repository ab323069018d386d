/* The layer table: which layers there are and what arguments each takes. The model builds them; the configuration
 * checks them. */
#ifndef CLAVE_MODEL_LAYERS_H
#define CLAVE_MODEL_LAYERS_H

#include "model/schema.h"

enum { CLV_LAYER_TYPES = 8, CLV_LAYER_ARGS = 12 };

typedef struct clv_layer_type {
    const char *name; /* "conv" */
    const char *help;
    bool reshapes; /* the numbers pass unchanged under another shape */
    clv_value_spec arg[CLV_LAYER_ARGS];
    int args;
} clv_layer_type;

extern const clv_layer_type clv_layer_table[CLV_LAYER_TYPES];

const clv_layer_type *clv_layer_type_find(const char *name); /* NULL: none such */
int clv_layer_arg_find(const clv_layer_type *type, const char *name);

#endif
