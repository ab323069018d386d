/* `clave explain`: the schema and the layer table as text, for a terminal. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "clave/config.h"
#include "model/layers.h"

/* One line in a list: name, default, meaning, and in brackets what it may be and when it matters. */
static void list_key(FILE *out, enum clv_key key)
{
    char text[CLV_DESCRIBE_SIZE];
    const clv_key_spec *spec = &clv_key_table[key];
    const char *standard = spec->value.standard ? spec->value.standard : "(file's name)";
    fprintf(out, "  %-16s %-14s %s (%s", spec->value.name, standard, spec->value.help,
            clv_value_describe(&spec->value, text));
    if (spec->when) fprintf(out, "; only with %s", clv_condition_describe(spec->when, text));
    for (int i = 0; i < CLV_DEFAULT_RULES; i++)
        if (clv_default_rules[i].key == key)
            fprintf(out, "; default %s with %s", clv_default_rules[i].standard,
                    clv_condition_describe(clv_default_rules[i].when, text));
    fprintf(out, ")\n");
}

static void list_section(FILE *out, int section)
{
    const clv_section_spec *spec = &clv_section_table[section];
    fprintf(out, "[%s] %s\n", spec->name, spec->help);
    for (int i = 0; i < CLV_KEYS; i++)
        if (clv_key_table[i].section == section) list_key(out, (enum clv_key)i);
}

static void list_everything(FILE *out)
{
    fprintf(
        out,
        "include = other.ini, above the first section, inherits that file's rows; section.key=value on the command\n"
        "line overrides. Every key with its default and its meaning:\n");
    for (int section = 0; section < CLV_SECTIONS; section++) {
        fprintf(out, "\n");
        list_section(out, section);
    }
    fprintf(out, "\n'clave explain train.lr' says more of a key, 'clave explain layer' lists the layers.\n");
}

static void list_layers(FILE *out)
{
    fprintf(out, "A row of [encoder] or [decoder] is 'name = type argument=value ...'. The types:\n");
    for (int i = 0; i < CLV_LAYER_TYPES; i++)
        fprintf(out, "  %-10s %s\n", clv_layer_table[i].name, clv_layer_table[i].help);
    fprintf(out, "\n'clave explain layer.conv' lists a type's arguments.\n");
}

/* A value in full, one line a property. */
static void explain_value(FILE *out, const char *name, const clv_value_spec *spec, const char *standard)
{
    char kind[CLV_DESCRIBE_SIZE];
    fprintf(out, "%s\n", name);
    fprintf(out, "  meaning   %s\n", spec->help);
    fprintf(out, "  value     %s\n", clv_value_describe(spec, kind));
    fprintf(out, "  default   %s\n", standard);
}

static void explain_key(FILE *out, enum clv_key key)
{
    char text[CLV_DESCRIBE_SIZE];
    const clv_key_spec *spec = &clv_key_table[key];
    explain_value(out, spec->full, &spec->value, clv_default_describe(key, text));
    if (spec->when) fprintf(out, "  only with %s\n", clv_condition_describe(spec->when, text));
}

static void explain_layer(FILE *out, const clv_layer_type *type)
{
    fprintf(out, "%s: %s\n", type->name, type->help);
    if (type->args == 0) fprintf(out, "  takes no arguments\n");
    for (int i = 0; i < type->args; i++) {
        char kind[CLV_DESCRIBE_SIZE];
        const clv_value_spec *arg = &type->arg[i];
        fprintf(out, "  %-10s %-10s %s (%s)\n", arg->name, arg->standard ? arg->standard : "(required)", arg->help,
                clv_value_describe(arg, kind));
    }
}

/* Fails with the nearest of the names. */
static clv_status unknown(const char *word, const char *kind, const char *prefix, const char *const *names, int count,
                          clv_error *err)
{
    const char *near = clv_nearest(word, names, count);
    if (near)
        return clv_fail(err, CLV_ERR_CONFIG, "no %s '%s%s'; did you mean '%s%s'?", kind, prefix, word, prefix, near);
    return clv_fail(err, CLV_ERR_CONFIG, "no %s '%s%s'; 'clave explain' lists them", kind, prefix, word);
}

static clv_status explain_layer_named(const char *name, FILE *out, clv_error *err)
{
    char type_name[CLV_LINE_MAX + 1], prefix[CLV_LINE_MAX + 1];
    const char *names[CLV_LAYER_TYPES], *args[CLV_LAYER_ARGS], *dot = strchr(name, '.');
    snprintf(type_name, sizeof type_name, "%.*s", (int)(dot ? (size_t)(dot - name) : strlen(name)), name);
    const clv_layer_type *type = clv_layer_type_find(type_name);
    for (int i = 0; i < CLV_LAYER_TYPES; i++) names[i] = clv_layer_table[i].name;
    if (!type) return unknown(type_name, "layer type", "layer.", names, CLV_LAYER_TYPES, err);
    if (!dot) {
        explain_layer(out, type);
        return CLV_OK;
    }
    int arg = clv_layer_arg_find(type, dot + 1);
    for (int i = 0; i < type->args; i++) args[i] = type->arg[i].name;
    snprintf(prefix, sizeof prefix, "layer.%s.", type->name);
    if (arg < 0) return unknown(dot + 1, "layer argument", prefix, args, type->args, err);
    const char *standard = type->arg[arg].standard;
    explain_value(out, name, &type->arg[arg], standard ? standard : "none: it must be given");
    return CLV_OK;
}

static clv_status explain_key_named(const char *key, FILE *out, clv_error *err)
{
    char section[CLV_LINE_MAX + 1];
    const char *names[(int)CLV_KEYS + (int)CLV_SECTIONS], *dot = strchr(key, '.');
    int found = clv_key_find_full(key);
    if (found >= 0) {
        explain_key(out, (enum clv_key)found);
        return CLV_OK;
    }
    snprintf(section, sizeof section, "%.*s", (int)(dot - key), key);
    int in = clv_section_find(section);
    if (in >= 0 && clv_section_table[in].kind != CLV_SECTION_KEYS)
        return clv_fail(err, CLV_ERR_CONFIG, "[%s] has free names: 'clave explain %s' says what they hold", section,
                        section);
    for (int i = 0; i < CLV_KEYS; i++) names[i] = clv_key_table[i].full;
    return unknown(key, "key", "", names, CLV_KEYS, err);
}

/* Neither a section nor "layer": a key without its section, or a slip. */
static clv_status unknown_section(const char *word, clv_error *err)
{
    const char *names[CLV_SECTIONS + 1];
    for (int i = 0; i < CLV_KEYS; i++)
        if (strcmp(clv_key_table[i].value.name, word) == 0)
            return clv_fail(err, CLV_ERR_CONFIG, "no section '%s'; did you mean the key '%s'?", word,
                            clv_key_table[i].full);
    clv_section_names(names);
    names[CLV_SECTIONS] = "layer";
    return unknown(word, "section", "", names, CLV_SECTIONS + 1, err);
}

clv_status clv_config_explain(const char *key, FILE *out, clv_error *err)
{
    if (!key) {
        list_everything(out);
        return CLV_OK;
    }
    if (strcmp(key, "layer") == 0) {
        list_layers(out);
        return CLV_OK;
    }
    if (strncmp(key, "layer.", 6) == 0) return explain_layer_named(key + 6, out, err);
    if (strchr(key, '.')) return explain_key_named(key, out, err);
    int section = clv_section_find(key);
    if (section < 0) return unknown_section(key, err);
    list_section(out, section);
    if (clv_section_table[section].kind == CLV_SECTION_LAYERS) {
        fprintf(out, "\n");
        list_layers(out);
    }
    return CLV_OK;
}
