/* Rows of [encoder] and [decoder]: "name = type argument=value ...", checked against the layer table. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "model/config_parts.h"

/* The row at hand. */
typedef struct row {
    clv_config *config;
    clv_source *source;
    const clv_entry *entry;
    clv_layer layer;
    bool bad;
} row;

static const char *replace(row *r, const char *value, clv_place place, const char *what)
{
    const char *text = clv_params_replace(r->source, value, place, what, r->source->entries);
    if (!text) r->bad = true;
    return text;
}

static void unknown_type(row *r, const char *type)
{
    const char *names[CLV_LAYER_TYPES];
    for (int i = 0; i < CLV_LAYER_TYPES; i++) names[i] = clv_layer_table[i].name;
    const char *hint = clv_hint(r->source->problems, type, names, CLV_LAYER_TYPES);
    clv_problem_add(r->source->problems, r->entry->place, "%s: no layer type '%s'%s", r->entry->key, type,
                    *hint ? hint : "; 'clave explain layer' lists them");
    r->bad = true;
}

static void unknown_arg(row *r, const char *name, clv_place place)
{
    const clv_layer_type *kind = r->layer.kind;
    const char *names[CLV_LAYER_ARGS];
    for (int i = 0; i < kind->args; i++) names[i] = kind->arg[i].name;
    const char *hint = clv_hint(r->source->problems, name, names, kind->args);
    if (!*hint) hint = clv_pool_format(&r->source->problems->pool, "; see 'clave explain layer.%s'", kind->name);
    clv_problem_add(r->source->problems, place, "%s: %s has no argument '%s'%s", r->entry->key, kind->name, name, hint);
    r->bad = true;
}

/* Takes one argument; an override replaces what the row said. */
static void set_arg(row *r, const char *name, const char *value, clv_place place, bool override)
{
    char what[2 * CLV_LINE_MAX + 2], asked[CLV_DESCRIBE_SIZE];
    int index = clv_layer_arg_find(r->layer.kind, name);
    if (index < 0) {
        unknown_arg(r, name, place);
        return;
    }
    struct clv_layer_arg *arg = &r->layer.arg[index];
    const clv_value_spec *spec = &r->layer.kind->arg[index];
    clv_value parsed;
    if (arg->set && !override) {
        clv_problem_add(r->source->problems, place, "%s: '%s' is given twice", r->entry->key, name);
        r->bad = true;
        return;
    }
    arg->set = true;
    arg->value = spec->standard;
    snprintf(what, sizeof what, "%s: %s", r->entry->key, name);
    const char *text = replace(r, value, place, what);
    if (!text) return;
    if (clv_value_parse(spec, text, &parsed)) {
        arg->value = clv_pool_copy(&r->config->pool, parsed.text, strlen(parsed.text));
        return;
    }
    clv_problem_add(r->source->problems, place, "%s = %s: must be %s%s", what, text, clv_value_ask(spec, asked),
                    clv_hint(r->source->problems, text, spec->choices, clv_choice_count(spec)));
    r->bad = true;
}

/* "channels=8" of the row itself. */
static void take_word(row *r, char *word)
{
    char *equals = strchr(word, '=');
    if (!equals || equals == word || !equals[1]) {
        clv_problem_add(r->source->problems, r->entry->place,
                        "%s: '%s' is no argument: write name=value without blanks around '='", r->entry->key, word);
        r->bad = true;
        return;
    }
    *equals = '\0';
    set_arg(r, word, equals + 1, r->entry->place, false);
}

static void take_words(row *r, char *text)
{
    char *rest = NULL, *word = strtok_r(text, " \t", &rest);
    const char *type = word ? replace(r, word, r->entry->place, r->entry->key) : NULL;
    r->layer.kind = type ? clv_layer_type_find(type) : NULL;
    r->bad = r->bad || !r->layer.kind;
    if (type && !r->layer.kind) unknown_type(r, type);
    if (!r->layer.kind) return;
    r->layer.type = r->layer.kind->name;
    r->layer.args = r->layer.kind->args;
    for (int i = 0; i < r->layer.args; i++)
        r->layer.arg[i] = (struct clv_layer_arg){r->layer.kind->arg[i].name, r->layer.kind->arg[i].standard, false};
    while ((word = strtok_r(NULL, " \t", &rest))) take_word(r, word);
}

static void take_overrides(row *r)
{
    for (size_t i = 0; i < r->source->entries; i++) {
        const clv_entry *entry = &r->source->entry[i];
        if (entry->section == r->entry->section && entry->arg && strcmp(entry->key, r->entry->key) == 0)
            set_arg(r, entry->arg, entry->value, entry->place, true);
    }
}

static void require_args(row *r)
{
    char asked[CLV_DESCRIBE_SIZE];
    for (int i = 0; i < r->layer.args; i++) {
        const clv_value_spec *spec = &r->layer.kind->arg[i];
        if (spec->standard || r->layer.arg[i].set) continue;
        clv_problem_add(r->source->problems, r->entry->place, "%s: %s needs %s=... (%s)", r->entry->key, r->layer.type,
                        spec->name, clv_value_describe(spec, asked));
        r->bad = true;
    }
}

/* Overrides and parameters can make a row longer than a line may be. */
static void check_length(row *r)
{
    clv_text text = {0};
    clv_layer_append(&r->layer, &text);
    if (text.failed)
        r->source->problems->failed = true;
    else if (!clv_row_fits(r->entry->key, text.text)) {
        clv_problem_add(r->source->problems, r->entry->place,
                        "%s: more than %d bytes with parameters and overrides put in", r->entry->key, CLV_LINE_MAX);
        r->bad = true;
    }
    clv_text_free(&text);
}

/* Parameters are named by their layer: encoder and decoder share one set of names. */
static void require_own_name(row *r)
{
    for (int section = 0; section < r->entry->section; section++) {
        const clv_layer_list *list = &r->config->layers[section];
        for (size_t i = 0; i < list->count; i++) {
            if (strcmp(list->layer[i].name, r->entry->key) != 0) continue;
            clv_problem_add(r->source->problems, r->entry->place,
                            "layer '%s' has the name of one of [%s] (%s): rename one of the two", r->entry->key,
                            clv_section_table[section].name, list->layer[i].where);
            r->bad = true;
        }
    }
}

static void keep(row *r, clv_layer_list *list)
{
    if (clv_grow(&list->layer, &list->capacity, list->count + 1, sizeof *list->layer, NULL) != CLV_OK ||
        clv_grow(&list->place, &list->place_capacity, list->count + 1, sizeof *list->place, NULL) != CLV_OK) {
        r->source->problems->failed = true;
        return;
    }
    list->place[list->count] = r->entry->place;
    list->layer[list->count++] = r->layer;
}

void clv_layers_read(clv_config *config, clv_source *source, int section)
{
    clv_layer_list *list = &config->layers[section];
    for (size_t i = 0; i < source->entries; i++) {
        char text[CLV_LINE_MAX + 1];
        row r = {.config = config, .source = source, .entry = &source->entry[i]};
        if (r.entry->section != section || r.entry->arg) continue;
        r.layer.name = clv_pool_copy(&config->pool, r.entry->key, strlen(r.entry->key));
        r.layer.where = clv_place_text(&config->pool, r.entry->place);
        snprintf(text, sizeof text, "%s", r.entry->value);
        take_words(&r, text);
        if (r.layer.kind) take_overrides(&r);
        if (r.layer.kind) require_args(&r);
        if (!r.bad) check_length(&r);
        require_own_name(&r);
        if (r.bad)
            list->bad = true;
        else
            keep(&r, list);
    }
}
