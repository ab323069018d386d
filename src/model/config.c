/* A configuration: rows become values, defaults fill the rest, and getters hand them out. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/try.h"
#include "model/config_parts.h"

bool clv_config_in_force(const clv_config *config, enum clv_key key)
{
    if (!clv_key_table[key].when) return true;
    clv_condition condition = clv_condition_split(clv_key_table[key].when);
    return clv_condition_allows(condition, config->setting[condition.key].value.text);
}

bool clv_section_in_force(const clv_config *config, int section)
{
    bool classify = !strcmp(config->setting[CLV_KEY_experiment_task].value.text, "classify");
    return section != (classify ? CLV_IN_decoder : CLV_IN_classifier);
}

/* The value of a key's entry, or NULL and a problem. */
static const char *entry_text(clv_source *source, const clv_entry *entry, const clv_key_spec *spec)
{
    const char *text = clv_params_replace(source, entry->value, entry->place, spec->full, source->entries);
    if (!text || clv_row_fits(spec->value.name, text)) return text;
    clv_problem_add(source->problems, entry->place,
                    "%s = %s: no INI row can hold that: at most %d bytes with the key, and no ';' or '#' at the start "
                    "or behind a blank",
                    spec->full, text, CLV_LINE_MAX);
    return NULL;
}

static void read_key(clv_config *config, clv_source *source, const clv_entry *entry)
{
    char asked[CLV_DESCRIBE_SIZE];
    int key = clv_key_find(entry->section, entry->key);
    const clv_key_spec *spec = &clv_key_table[key];
    clv_setting *setting = &config->setting[key];
    const char *text = entry_text(source, entry, spec);
    setting->place = entry->place;
    config->where[key] = clv_place_text(&config->pool, entry->place);
    if (text && clv_value_parse(&spec->value, text, &setting->value)) {
        setting->set = true;
        return;
    }
    setting->bad = true;
    if (text)
        clv_problem_add(source->problems, entry->place, "%s = %s: must be %s%s", spec->full, text,
                        clv_value_ask(&spec->value, asked),
                        clv_hint(source->problems, text, spec->value.choices, clv_choice_count(&spec->value)));
}

/* "ini/vae.ini" -> "vae", with '_' for what a name cannot have. */
static void name_of_file(const char *path, char name[CLV_LINE_MAX + 1])
{
    enum { MOST = 64 };
    const char *slash = strrchr(path, '/'), *stem = slash ? slash + 1 : path, *dot = strrchr(stem, '.');
    size_t length = dot && dot > stem ? (size_t)(dot - stem) : strlen(stem);
    if (length > MOST) length = MOST;
    for (size_t i = 0; i < length; i++) {
        char c = stem[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
        name[i] = plain || (i && (c == '-' || c == '.')) ? c : '_';
    }
    name[length] = '\0';
    if (length == 0) strcpy(name, "experiment");
}

static void fill_default(clv_config *config, int key, const char *path)
{
    const clv_value_spec *spec = &clv_key_table[key].value;
    const char *text = spec->standard;
    char name[CLV_LINE_MAX + 1];
    if (!text) name_of_file(path, name);
    for (int i = 0; i < CLV_DEFAULT_RULES; i++) {
        clv_condition condition = clv_condition_split(clv_default_rules[i].when);
        if (clv_default_rules[i].key == (enum clv_key)key &&
            clv_condition_allows(condition, config->setting[condition.key].value.text))
            text = clv_default_rules[i].standard;
    }
    bool fits = clv_value_parse(spec, text ? text : name, &config->setting[key].value);
    assert(fits);
    (void)fits;
}

/* A row without effect is an error where the experiment's own file has it. An included file serves other experiments
 * too: what it sets is passed over, and noted. */
static void leave_unused(clv_config *config, enum clv_key key)
{
    clv_setting *setting = &config->setting[key];
    const char *file = setting->place.file;
    if (!setting->set || !file || !strcmp(file, config->root.file) || clv_config_in_force(config, key)) return;
    setting->set = false;
    setting->unused = true;
    fill_default(config, (int)key, config->root.file);
}

bool clv_config_note(const clv_config *config, int number, char text[CLV_NOTE_SIZE])
{
    char asked[CLV_DESCRIBE_SIZE];
    for (int key = 0; key < CLV_KEYS; key++) {
        if (!config->setting[key].unused || number-- > 0) continue;
        snprintf(text, CLV_NOTE_SIZE, "%s: %s has no effect here: it has one only with %s", config->where[key],
                 clv_key_table[key].full, clv_condition_describe(clv_key_table[key].when, asked));
        return true;
    }
    return false;
}

static void read_entries(clv_config *config, clv_source *source)
{
    for (int section = 0; section < CLV_SECTIONS; section++) {
        config->opened[section] = source->opened[section] || source->lacking;
        config->layers[section].bad = source->lacking;
    }
    config->root = source->root;
    clv_params_resolve(source);
    for (size_t i = 0; i < source->entries; i++)
        if (clv_section_table[source->entry[i].section].kind == CLV_SECTION_KEYS)
            read_key(config, source, &source->entry[i]);
    /* In the table's order, so that a default's rule sees the keys it depends on: each stands above it. */
    for (int key = 0; key < CLV_KEYS; key++)
        if (!config->setting[key].set) fill_default(config, key, source->root.file);
    for (int key = 0; key < CLV_KEYS; key++) leave_unused(config, (enum clv_key)key);
    for (int section = 0; section < CLV_SECTIONS; section++)
        if (clv_section_table[section].kind == CLV_SECTION_LAYERS) clv_layers_read(config, source, section);
}

/* `whole`: with [space]; else its rows stay unread. */
static clv_status config_read(const clv_variant_source *from, bool whole, clv_config **config,
                              clv_diagnostics *diagnostics, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_problems problems = {0};
    clv_source source = {.problems = &problems};
    clv_config *made = clv_alloc(1, sizeof *made, err);
    if (!made) return CLV_ERR_INTERNAL;
    source.pool = &made->pool;
    CLV_TRY(clv_source_read(&source, from->path, from->text, from->size, err));
    for (int i = 0; i < from->override_count; i++) clv_source_override(&source, from->overrides[i]);
    if (source.read) {
        read_entries(made, &source);
        if (whole) clv_space_rows_read(made, &source);
        clv_config_check(made, &problems);
        if (whole && !problems.count) CLV_TRY(clv_space_rows_check(made, from, &problems, err));
    }
    problems.failed = problems.failed || made->pool.failed;
    CLV_TRY(clv_problems_report(&problems, diagnostics, err));
    *config = made;
    made = NULL;
done:
    clv_source_free(&source);
    clv_problems_free(&problems);
    clv_config_destroy(made);
    return status;
}

clv_status clv_config_load(const char *path, const char *const *overrides, int override_count, clv_config **config,
                           clv_diagnostics *diagnostics, clv_error *err)
{
    clv_variant_source from = {path, NULL, 0, overrides, override_count};
    return config_read(&from, true, config, diagnostics, err);
}

clv_status clv_config_parse(const char *name, const char *text, size_t size, const char *const *overrides,
                            int override_count, clv_config **config, clv_diagnostics *diagnostics, clv_error *err)
{
    clv_variant_source from = {name, text ? text : "", text ? size : 0, overrides, override_count};
    return config_read(&from, true, config, diagnostics, err);
}

clv_status clv_config_variant(const clv_variant_source *from, const char *const *more, int count, clv_config **config,
                              clv_error *err)
{
    clv_variant_source all = *from;
    const char **overrides = clv_alloc((size_t)(from->override_count + count) + 1, sizeof *overrides, err);
    if (!overrides) return CLV_ERR_INTERNAL;
    for (int i = 0; i < from->override_count; i++) overrides[i] = from->overrides[i];
    for (int i = 0; i < count; i++) overrides[all.override_count++] = more[i];
    all.overrides = overrides;
    clv_status status = config_read(&all, false, config, NULL, err);
    free(overrides);
    return status;
}

void clv_config_destroy(clv_config *config)
{
    if (!config) return;
    for (int i = 0; i < CLV_SECTIONS; i++) {
        free(config->layers[i].layer);
        free(config->layers[i].place);
    }
    free(config->space.row);
    free(config->space.place);
    clv_pool_free(&config->pool);
    free(config);
}

/* --- getters --------------------------------------------------------------------------------------------------------
 */

static int find(const char *full)
{
    int key = clv_key_find_full(full);
    assert(key >= 0 && "a key of the schema");
    return key;
}

static const clv_value *value_of(const clv_config *config, const char *full, bool of_type)
{
    assert(of_type && "the key's type");
    (void)of_type;
    return &config->setting[find(full)].value;
}

static clv_value_type type_of(const char *full) { return clv_key_table[find(full)].value.type; }

const char *clv_config_string(const clv_config *config, const char *key)
{
    return value_of(config, key, type_of(key) >= CLV_VALUE_TEXT)->text;
}

int clv_config_choice(const clv_config *config, const char *key)
{
    return (int)value_of(config, key, type_of(key) == CLV_VALUE_CHOICE)->integer;
}

int64_t clv_config_int(const clv_config *config, const char *key)
{
    return value_of(config, key, type_of(key) == CLV_VALUE_INT)->integer;
}

double clv_config_real(const clv_config *config, const char *key)
{
    return value_of(config, key, type_of(key) == CLV_VALUE_REAL)->real;
}

bool clv_config_bool(const clv_config *config, const char *key)
{
    return value_of(config, key, type_of(key) == CLV_VALUE_BOOL)->boolean;
}

bool clv_config_size(const clv_config *config, const char *key, int *height, int *width)
{
    const clv_value *value = value_of(config, key, type_of(key) == CLV_VALUE_SIZE);
    *height = value->height;
    *width = value->width;
    return value->height > 0;
}

const char *clv_config_text(const clv_config *config, const char *key)
{
    int index = clv_key_find_full(key);
    return index < 0 ? NULL : config->setting[index].value.text;
}

bool clv_config_is_set(const clv_config *config, const char *key) { return config->setting[find(key)].set; }

const char *clv_config_where(const clv_config *config, const char *key)
{
    int index = find(key);
    return config->setting[index].set ? config->where[index] : "default";
}

int clv_config_layers(const clv_config *config, const char *section, const clv_layer **layers)
{
    int index = clv_section_find(section);
    bool there = index >= 0 && clv_section_in_force(config, index);
    *layers = there ? config->layers[index].layer : NULL;
    return there ? (int)config->layers[index].count : 0;
}

/* The checked text of an argument. */
static const char *arg_text(const clv_layer *layer, const char *name, const clv_value_spec **spec)
{
    int index = clv_layer_arg_find(layer->kind, name);
    assert(index >= 0 && "an argument of the layer's type");
    *spec = &layer->kind->arg[index];
    return layer->arg[index].value;
}

static clv_value arg_value(const clv_layer *layer, const char *name)
{
    const clv_value_spec *spec;
    clv_value value = {0};
    const char *text = arg_text(layer, name, &spec);
    bool fits = clv_value_parse(spec, text, &value);
    assert(fits);
    (void)fits;
    return value;
}

int clv_layer_int(const clv_layer *layer, const char *arg) { return (int)arg_value(layer, arg).integer; }
double clv_layer_real(const clv_layer *layer, const char *arg) { return arg_value(layer, arg).real; }

const char *clv_layer_string(const clv_layer *layer, const char *arg)
{
    const clv_value_spec *spec;
    return arg_text(layer, arg, &spec);
}
