/* clave explain: keys and layers in words, as Markdown, or with --json as an object. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/try.h"
#include "cli/cli.h"
#include "model/layers.h"

/* What a value may be, and is where nobody says. */
static json_t *value_json(const char *name, const clv_value_spec *spec, const char *standard)
{
    char kind[CLV_DESCRIBE_SIZE];
    return json_pack("{s:s, s:s, s:s, s:s?}", "name", name, "meaning", spec->help, "value",
                     clv_value_describe(spec, kind), "default", standard);
}

static json_t *key_json(enum clv_key key)
{
    char text[CLV_DESCRIBE_SIZE];
    const clv_key_spec *spec = &clv_key_table[key];
    json_t *object = value_json(spec->full, &spec->value, clv_default_describe(key, text));
    if (spec->when) json_object_set_new(object, "only_with", json_string(clv_condition_describe(spec->when, text)));
    return object;
}

static json_t *layer_json(const clv_layer_type *type, const char *only)
{
    json_t *arguments = json_array();
    for (int i = 0; i < type->args; i++)
        if (!only || !strcmp(only, type->arg[i].name))
            json_array_append_new(arguments, value_json(type->arg[i].name, &type->arg[i], type->arg[i].standard));
    return json_pack("{s:s, s:s, s:o}", "type", type->name, "meaning", type->help, "arguments", arguments);
}

/* Whether the target (NULL: everything) is the key, or its section. */
static bool names_key(const char *target, const clv_key_spec *spec)
{
    return !target || !strcmp(target, spec->full) || !strcmp(target, clv_section_table[spec->section].name);
}

/* The same of a layer's type: "layer", "layer.conv" or "layer.conv.stride", whose last part goes to *only. */
static bool names_layer(const char *target, const clv_layer_type *type, const char **only)
{
    const size_t length = strlen(type->name);
    *only = NULL;
    if (!target || !strcmp(target, "layer")) return true;
    if (strncmp(target, "layer.", 6) != 0 || strncmp(target + 6, type->name, length) != 0) return false;
    if (target[6 + length] == '.') *only = target + 6 + length + 1;
    return !target[6 + length] || *only;
}

static clv_status print_json(const char *target, clv_error *err)
{
    json_t *keys = json_array(), *layers = json_array();
    const char *only;
    for (int i = 0; i < CLV_KEYS; i++)
        if (names_key(target, &clv_key_table[i])) json_array_append_new(keys, key_json((enum clv_key)i));
    for (int i = 0; i < CLV_LAYER_TYPES; i++)
        if (names_layer(target, &clv_layer_table[i], &only))
            json_array_append_new(layers, layer_json(&clv_layer_table[i], only));
    return cli_print_json(json_pack("{s:o, s:o}", "keys", keys, "layers", layers), err);
}

/* What there is not, the text's own words refuse. */
static clv_status check_target(const char *target, clv_error *err)
{
    FILE *nowhere = fopen("/dev/null", "w");
    if (!nowhere) return clv_fail(err, CLV_ERR_INTERNAL, "/dev/null cannot be opened");
    const clv_status status = clv_config_explain(target, nowhere, err);
    fclose(nowhere);
    return status;
}

clv_status cli_explain(const cli_args *args, clv_error *err)
{
    clv_status status = CLV_OK;
    CLV_REQUIRE(!args->markdown || !args->json, CLV_ERR_CONFIG, "--markdown and --json are two forms: give one");
    if (args->markdown) return clv_config_reference(stdout), CLV_OK;
    if (!args->json) return clv_config_explain(args->target, stdout, err);
    CLV_TRY(check_target(args->target, err));
    CLV_TRY(print_json(args->target, err));
done:
    return status;
}
