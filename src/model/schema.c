/* The schema's tables, and what one row says of a value. */
#include "model/schema.h"

#include <assert.h>
#include <float.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "clave/device.h"
#include "graph/plan.h"
#include "model/choices.h"
#include "model/terms.h"

const clv_section_spec clv_section_table[CLV_SECTIONS] = {
#define SECTION(name, kind, help) {#name, CLV_SECTION_##kind, help},
#define KEY(section, key, type, standard, range, choices, when, help)
#include "model/schema.def"
#undef SECTION
#undef KEY
};

const clv_key_spec clv_key_table[CLV_KEYS] = {
#define SECTION(name, kind, help)
#define KEY(section, key, type, standard, range, choices, when, help)                                                  \
    {CLV_IN_##section, #section "." #key, {#key, CLV_VALUE_##type, standard, range, choices, help}, when},
#include "model/schema.def"
#undef SECTION
#undef KEY
};

const clv_default_rule clv_default_rules[CLV_DEFAULT_RULES] = {
    {CLV_KEY_loss_reconstruction, "experiment.task=vae", "bce"},
    {CLV_KEY_train_warmup, "train.schedule=one_cycle", "0.1"},
    {CLV_KEY_train_lr_start, "train.schedule=one_cycle", "0.04"},
    {CLV_KEY_early_stopping_monitor, "data.validation=0", "train.loss"},
};

int clv_section_find(const char *name)
{
    for (int i = 0; i < CLV_SECTIONS; i++)
        if (strcmp(clv_section_table[i].name, name) == 0) return i;
    return -1;
}

int clv_key_find(int section, const char *name)
{
    for (int i = 0; i < CLV_KEYS; i++)
        if (clv_key_table[i].section == section && strcmp(clv_key_table[i].value.name, name) == 0) return i;
    return -1;
}

int clv_key_find_full(const char *full)
{
    for (int i = 0; i < CLV_KEYS; i++)
        if (strcmp(clv_key_table[i].full, full) == 0) return i;
    return -1;
}

int clv_key_names(int section, const char **names)
{
    int count = 0;
    for (int i = 0; i < CLV_KEYS; i++)
        if (clv_key_table[i].section == section) names[count++] = clv_key_table[i].value.name;
    return count;
}

void clv_section_names(const char *names[CLV_SECTIONS])
{
    for (int i = 0; i < CLV_SECTIONS; i++) names[i] = clv_section_table[i].name;
}

int clv_choice_count(const clv_value_spec *spec)
{
    int count = 0;
    while (spec->choices && spec->choices[count]) count++;
    return count;
}

static bool in_range(const clv_range *range, double x)
{
    return (range->low_open ? x > range->low : x >= range->low) &&
           (range->high_open ? x < range->high : x <= range->high);
}

/* Devices compute in float: what a number becomes there must be in the range too (1e-60 is 0, 0.99999999999 is 1). */
static bool real_fits(const clv_range *range, double x)
{
    return in_range(range, x) && x <= FLT_MAX && x >= -FLT_MAX && in_range(range, (double)(float)x);
}

static bool is_name(const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    return strspn(text, allowed) == strlen(text) && text[0] != '.' && text[0] != '-';
}

static bool parse_choice(const clv_value_spec *spec, const char *text, clv_value *value)
{
    for (int i = 0; spec->choices[i]; i++) {
        value->integer = i;
        if (strcmp(spec->choices[i], text) == 0) return true;
    }
    return false;
}

/* "28" or "28x32" as height and width; "none" as no size. */
static bool parse_size(const clv_value_spec *spec, const char *text, clv_value *value)
{
    char side[2][CLV_LINE_MAX + 1];
    int64_t pixels[2];
    const char *by = strchr(text, 'x');
    if (strcmp(text, "none") == 0) return true;
    snprintf(side[0], sizeof side[0], "%.*s", (int)(by ? (size_t)(by - text) : strlen(text)), text);
    snprintf(side[1], sizeof side[1], "%s", by ? by + 1 : text);
    for (int i = 0; i < 2; i++)
        if (!clv_parse_int(side[i], &pixels[i]) || !in_range(&spec->range, (double)pixels[i])) return false;
    value->height = (int)pixels[0];
    value->width = (int)pixels[1];
    return true;
}

bool clv_value_parse(const clv_value_spec *spec, const char *text, clv_value *value)
{
    size_t length = strlen(text);
    if (length == 0 || length > CLV_LINE_MAX) return false;
    clv_value made = {0};
    memcpy(made.text, text, length);
    switch (spec->type) {
    case CLV_VALUE_INT:
        if (!clv_parse_int(text, &made.integer) || !in_range(&spec->range, (double)made.integer)) return false;
        snprintf(made.text, sizeof made.text, "%" PRId64, made.integer);
        break;
    case CLV_VALUE_REAL:
        if (!clv_parse_real(text, &made.real) || !real_fits(&spec->range, made.real)) return false;
        break;
    case CLV_VALUE_BOOL:
        if (!clv_parse_bool(text, &made.boolean)) return false;
        snprintf(made.text, sizeof made.text, "%s", made.boolean ? "true" : "false");
        break;
    case CLV_VALUE_NAME:
        if (!is_name(text)) return false;
        break;
    case CLV_VALUE_CHOICE:
        if (!parse_choice(spec, text, &made)) return false;
        break;
    case CLV_VALUE_SIZE:
        if (!parse_size(spec, text, &made)) return false;
        break;
    case CLV_VALUE_TEXT:
    case CLV_VALUE_PATH:
        break;
    }
    *value = made;
    return true;
}

static void describe_range(const char *kind, const clv_range *range, char *buffer)
{
    const char *low = range->low_open ? "above" : "of at least", *high = range->high_open ? "below" : "at most";
    if (isinf(range->low) && isinf(range->high))
        snprintf(buffer, CLV_DESCRIBE_SIZE, "%s", kind);
    else if (isinf(range->high))
        snprintf(buffer, CLV_DESCRIBE_SIZE, "%s %s %.16g", kind, low, range->low);
    else if (!range->low_open && !range->high_open)
        snprintf(buffer, CLV_DESCRIBE_SIZE, "%s from %.16g to %.16g", kind, range->low, range->high);
    else
        snprintf(buffer, CLV_DESCRIBE_SIZE, "%s %s %.16g and %s %.16g", kind, low, range->low, high, range->high);
}

static void describe_choices(const clv_value_spec *spec, char *buffer)
{
    size_t length = 0;
    for (int i = 0; spec->choices[i] && length < CLV_DESCRIBE_SIZE; i++)
        length += (size_t)snprintf(buffer + length, CLV_DESCRIBE_SIZE - length, "%s%s", i ? ", " : "one of ",
                                   spec->choices[i]);
}

const char *clv_value_describe(const clv_value_spec *spec, char buffer[CLV_DESCRIBE_SIZE])
{
    switch (spec->type) {
    case CLV_VALUE_INT:
        describe_range("integer", &spec->range, buffer);
        break;
    case CLV_VALUE_REAL:
        describe_range("number", &spec->range, buffer);
        break;
    case CLV_VALUE_BOOL:
        snprintf(buffer, CLV_DESCRIBE_SIZE, "true or false");
        break;
    case CLV_VALUE_TEXT:
        snprintf(buffer, CLV_DESCRIBE_SIZE, "text");
        break;
    case CLV_VALUE_PATH:
        snprintf(buffer, CLV_DESCRIBE_SIZE, "path");
        break;
    case CLV_VALUE_NAME:
        snprintf(buffer, CLV_DESCRIBE_SIZE,
                 "name of letters, digits, '_', '-' and '.', opening with none of the last two");
        break;
    case CLV_VALUE_CHOICE:
        describe_choices(spec, buffer);
        break;
    case CLV_VALUE_SIZE:
        snprintf(buffer, CLV_DESCRIBE_SIZE, "none, N or HxW (height x width), sides from %g to %g", spec->range.low,
                 spec->range.high);
        break;
    }
    return buffer;
}

const char *clv_value_ask(const clv_value_spec *spec, char buffer[CLV_DESCRIBE_SIZE])
{
    static const char *const article[] = {
        [CLV_VALUE_INT] = "an ", [CLV_VALUE_REAL] = "a ", [CLV_VALUE_BOOL] = "",   [CLV_VALUE_TEXT] = "",
        [CLV_VALUE_PATH] = "a ", [CLV_VALUE_NAME] = "a ", [CLV_VALUE_CHOICE] = "", [CLV_VALUE_SIZE] = ""};
    char text[CLV_DESCRIBE_SIZE];
    const size_t length = (size_t)snprintf(buffer, CLV_DESCRIBE_SIZE, "%s", article[spec->type]);
    snprintf(buffer + length, CLV_DESCRIBE_SIZE - length, "%s", clv_value_describe(spec, text));
    return buffer;
}

clv_condition clv_condition_split(const char *condition)
{
    char full[CLV_LINE_MAX + 1];
    const char *equals = strchr(condition, '=');
    snprintf(full, sizeof full, "%.*s", (int)(equals - condition), condition);
    int key = clv_key_find_full(full);
    assert(key >= 0);
    return (clv_condition){(enum clv_key)key, equals + 1};
}

bool clv_condition_allows(clv_condition condition, const char *value)
{
    size_t length = strlen(value);
    if (*condition.alternatives == '!') return strcmp(condition.alternatives + 1, value) != 0;
    for (const char *at = condition.alternatives; *at; at += strspn(at, "|")) {
        size_t word = strcspn(at, "|");
        if (word == length && memcmp(at, value, length) == 0) return true;
        at += word;
    }
    return false;
}

const char *clv_condition_describe(const char *condition, char buffer[CLV_DESCRIBE_SIZE])
{
    clv_condition parts = clv_condition_split(condition);
    if (*parts.alternatives == '!') {
        snprintf(buffer, CLV_DESCRIBE_SIZE, "a %s other than %s", clv_key_table[parts.key].full,
                 parts.alternatives + 1);
        return buffer;
    }
    size_t length = (size_t)snprintf(buffer, CLV_DESCRIBE_SIZE, "%s = ", clv_key_table[parts.key].full);
    for (const char *at = parts.alternatives; *at && length < CLV_DESCRIBE_SIZE; at++) {
        if (*at == '|')
            length += (size_t)snprintf(buffer + length, CLV_DESCRIBE_SIZE - length, " or ");
        else
            length += (size_t)snprintf(buffer + length, CLV_DESCRIBE_SIZE - length, "%c", *at);
    }
    return buffer;
}

const char *clv_default_describe(enum clv_key key, char buffer[CLV_DESCRIBE_SIZE])
{
    char condition[CLV_DESCRIBE_SIZE];
    const char *standard = clv_key_table[key].value.standard;
    size_t length =
        (size_t)snprintf(buffer, CLV_DESCRIBE_SIZE, "%s", standard ? standard : "the file's name without its ending");
    for (int i = 0; i < CLV_DEFAULT_RULES; i++)
        if (clv_default_rules[i].key == key)
            length += (size_t)snprintf(buffer + length, CLV_DESCRIBE_SIZE - length, "; %s with %s",
                                       clv_default_rules[i].standard,
                                       clv_condition_describe(clv_default_rules[i].when, condition));
    return buffer;
}
