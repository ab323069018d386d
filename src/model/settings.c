/* Settings compared. A value is read as words with separators between them, so that numbers are compared wherever they
 * stand: alone, in a list, at the ends of a range, behind an argument's name. */
#include "model/settings.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

static const char separators[] = " \t,=|:";

bool clv_setting_is(const clv_setting *setting, const char *full)
{
    const char *dot = strchr(full, '.');
    const size_t section = (size_t)(dot - full), key = strlen(dot + 1);
    if ((size_t)setting->section_length != section || strncmp(setting->section, full, section)) return false;
    return key == 0 || ((size_t)setting->key_length == key && !strncmp(setting->key, dot + 1, key));
}

static bool is_range_sign(const char *at, const char *end) { return end - at > 1 && at[0] == '.' && at[1] == '.'; }

/* The end of the word that `at` opens, which is no blank: a separator, or all up to the next one. */
static const char *word_end(const char *at, const char *end)
{
    if (is_range_sign(at, end)) return at + 2;
    if (strchr(separators, *at)) return at + 1;
    while (at < end && !strchr(separators, *at) && !is_range_sign(at, end)) at++;
    return at;
}

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t')) at++;
    return at;
}

static bool same_word(const char *a, size_t a_length, const char *b, size_t b_length)
{
    char number_a[64], number_b[64]; /* what is longer is compared as text alone */
    if (a_length == b_length && !memcmp(a, b, a_length)) return true;
    if (a_length >= sizeof number_a || b_length >= sizeof number_b) return false;
    snprintf(number_a, sizeof number_a, "%.*s", (int)a_length, a);
    snprintf(number_b, sizeof number_b, "%.*s", (int)b_length, b);
    return clv_same_value(number_a, number_b);
}

static bool same_value(const clv_setting *a, const clv_setting *b)
{
    const char *at = a->value, *end = at + a->value_length, *other = b->value, *other_end = other + b->value_length;
    for (;;) {
        at = skip_blanks(at, end);
        other = skip_blanks(other, other_end);
        if (at == end || other == other_end) return at == end && other == other_end;
        const char *stop = word_end(at, end), *other_stop = word_end(other, other_end);
        if (!same_word(at, (size_t)(stop - at), other, (size_t)(other_stop - other))) return false;
        at = stop;
        other = other_stop;
    }
}

bool clv_setting_same_key(const clv_setting *a, const clv_setting *b)
{
    return a->key && b->key && a->section_length == b->section_length && a->key_length == b->key_length &&
           !strncmp(a->section, b->section, (size_t)a->section_length) &&
           !strncmp(a->key, b->key, (size_t)a->key_length);
}

/* Sections' heads are kept from row to row; what is neither a head nor a row is passed over. */
static void next_row(const char **at, clv_setting *row)
{
    row->key = NULL;
    while (**at && !row->key) {
        const char *line = *at;
        const size_t length = strcspn(line, "\n");
        const char *equals = memchr(line, '=', length), *end = line + length;
        *at = end + (*end == '\n');
        if (*line == '[') {
            row->section = line + 1;
            row->section_length = (int)strcspn(line + 1, "]\n");
        } else if (equals && *line != ';' && *line != '#') {
            row->key = line;
            row->key_length = (int)(equals - line);
            while (row->key_length && line[row->key_length - 1] == ' ') row->key_length--;
            row->value = skip_blanks(equals + 1, end);
            row->value_length = (int)(end - row->value);
        }
    }
}

static void next_bound_row(const char **at, clv_setting *row, clv_setting_filter is_free, const void *context)
{
    do next_row(at, row);
    while (row->key && is_free(row, context));
}

bool clv_settings_differ(const char *a, const char *b, clv_setting_filter is_free, const void *context,
                         clv_setting *row_a, clv_setting *row_b)
{
    *row_a = *row_b = (clv_setting){.section = "", .value = ""};
    do {
        next_bound_row(&a, row_a, is_free, context);
        next_bound_row(&b, row_b, is_free, context);
        if (!row_a->key && !row_b->key) return false;
    } while (clv_setting_same_key(row_a, row_b) && same_value(row_a, row_b));
    return true;
}
