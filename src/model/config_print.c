/* A configuration as the text that makes it again: the keys in force, parameters put in, no include.
 * And the rows as they were written, parameters and [space] kept, for a search to vary them. */
#include <stdlib.h>
#include <string.h>

#include "base/try.h"
#include "model/config_parts.h"
#include "model/ini.h"

bool clv_row_fits(const char *key, const char *value)
{
    size_t length = strlen(value), dollars = 0;
    for (size_t i = 0; i < length; i++) dollars += value[i] == '$';
    return length > 0 && strlen(key) + strlen(" = ") + length + dollars <= CLV_LINE_MAX && value[0] != ' ' &&
           value[0] != '\t' && clv_ini_without_comment(value, length) == length;
}

void clv_layer_append(const clv_layer *layer, clv_text *text)
{
    clv_text_append(text, "%s", layer->type);
    for (int i = 0; i < layer->args; i++)
        if (layer->arg[i].set) clv_text_append(text, " %s=%s", layer->arg[i].name, layer->arg[i].value);
}

/* A dollar would open a parameter. */
static void append_value(clv_text *text, const char *value)
{
    for (; *value; value++) clv_text_append_bytes(text, *value == '$' ? "$$" : value, *value == '$' ? 2 : 1);
    clv_text_append(text, "\n");
}

static void append_keys(const clv_config *config, int section, clv_text *text)
{
    for (int key = 0; key < CLV_KEYS; key++) {
        if (clv_key_table[key].section != section || !clv_config_in_force(config, (enum clv_key)key)) continue;
        clv_text_append(text, "%s = ", clv_key_table[key].value.name);
        append_value(text, config->setting[key].value.text);
    }
}

static void append_layers(const clv_layer_list *list, clv_text *text)
{
    for (size_t i = 0; i < list->count; i++) {
        clv_text_append(text, "%s = ", list->layer[i].name);
        clv_layer_append(&list->layer[i], text);
        clv_text_append(text, "\n");
    }
}

/* [search] says nothing of a run: it is printed only where it was written. */
static bool is_wanted(const clv_config *config, int section)
{
    if (section != CLV_IN_search) return true;
    for (int key = 0; key < CLV_KEYS; key++)
        if (clv_key_table[key].section == section && config->setting[key].set) return true;
    return false;
}

clv_status clv_config_print(const clv_config *config, char **text, clv_error *err)
{
    clv_text made = {0};
    for (int section = 0; section < CLV_SECTIONS; section++) {
        clv_section_kind kind = clv_section_table[section].kind;
        if (kind == CLV_SECTION_PARAMS || kind == CLV_SECTION_SPACE || !is_wanted(config, section)) continue;
        if (kind == CLV_SECTION_LAYERS && !clv_section_in_force(config, section)) continue;
        clv_text_append(&made, "%s[%s]\n", section ? "\n" : "", clv_section_table[section].name);
        if (kind == CLV_SECTION_KEYS)
            append_keys(config, section, &made);
        else
            append_layers(&config->layers[section], &made);
    }
    if (made.failed) {
        clv_text_free(&made);
        return clv_fail(err, CLV_ERR_INTERNAL, "out of memory while printing the configuration");
    }
    *text = made.text;
    return CLV_OK;
}

/* ---- as written ---- */

/* The row of a layer with one argument replaced or added: what an override of it means. */
static void append_layer_row(const clv_source *source, const clv_entry *row, clv_text *text)
{
    clv_text_append(text, "%s =", row->key);
    for (const char *at = row->value + strspn(row->value, " \t"); *at; at += strspn(at, " \t")) {
        size_t word = strcspn(at, " \t"), name = strcspn(at, "= \t");
        bool replaced = false;
        for (size_t i = 0; i < source->entries && name < word; i++) {
            const clv_entry *e = &source->entry[i];
            replaced = replaced || (e->section == row->section && e->arg && !strcmp(e->key, row->key) &&
                                    strlen(e->arg) == name && !strncmp(e->arg, at, name));
        }
        if (!replaced) clv_text_append(text, " %.*s", (int)word, at);
        at += word;
    }
    for (size_t i = 0; i < source->entries; i++) {
        const clv_entry *e = &source->entry[i];
        if (e->section == row->section && e->arg && !strcmp(e->key, row->key))
            clv_text_append(text, " %s=%s", e->arg, e->value);
    }
    clv_text_append(text, "\n");
}

/* An included file's row that has no effect: in the flat text it would be the experiment's own, and an error. It stays
 * where a search or a parameter may change what it depends on. */
static bool is_passed_over(const clv_source *source, const clv_entry *entry)
{
    const int key =
        clv_section_table[entry->section].kind == CLV_SECTION_KEYS ? clv_key_find(entry->section, entry->key) : -1;
    if (key < 0 || !clv_key_table[key].when || !entry->place.file || !strcmp(entry->place.file, source->root.file))
        return false;
    const clv_condition when = clv_condition_split(clv_key_table[key].when);
    const clv_key_spec *other = &clv_key_table[when.key];
    const clv_entry *found = clv_source_find(source, other->section, other->value.name, NULL);
    const char *value = found ? found->value : other->value.standard;
    if (strchr(value, '$') || clv_source_find(source, CLV_IN_space, other->full, NULL)) return false;
    return !clv_condition_allows(when, value);
}

static void append_section(const clv_source *source, int section, clv_text *text)
{
    bool headed = false;
    for (size_t i = 0; i < source->entries; i++) {
        const clv_entry *entry = &source->entry[i];
        if (entry->section != section || entry->arg || is_passed_over(source, entry)) continue;
        if (!headed) clv_text_append(text, "%s[%s]\n", text->length ? "\n" : "", clv_section_table[section].name);
        headed = true;
        if (clv_section_table[section].kind == CLV_SECTION_LAYERS)
            append_layer_row(source, entry, text);
        else
            clv_text_append(text, "%s = %s\n", entry->key, entry->value);
    }
}

clv_status clv_config_flatten(const char *path, const char *text, size_t size, const char *const *overrides,
                              int override_count, bool with_search, char **flat, clv_error *err)
{
    clv_pool pool = {0};
    clv_problems problems = {0};
    clv_source source = {.pool = &pool, .problems = &problems};
    clv_text made = {0};
    clv_status status = CLV_OK;
    CLV_TRY(clv_source_read(&source, path, text, size, err));
    for (int i = 0; i < override_count; i++) clv_source_override(&source, overrides[i]);
    problems.failed = problems.failed || pool.failed;
    CLV_TRY(clv_problems_report(&problems, NULL, err));
    for (int section = 0; section < CLV_SECTIONS; section++)
        if (with_search || (section != CLV_IN_search && section != CLV_IN_space))
            append_section(&source, section, &made);
    CLV_REQUIRE(!made.failed && made.text, CLV_ERR_INTERNAL, "out of memory while printing the configuration");
    *flat = made.text;
    made = (clv_text){0};
done:
    clv_text_free(&made);
    clv_source_free(&source);
    clv_problems_free(&problems);
    clv_pool_free(&pool);
    return status;
}
