/* Lists of layers: split, matched, and checked against the parameters there are. */
#include "model/patterns.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "base/try.h"

/* One entry of a list. */
typedef struct entry {
    char pattern[CLV_NAME_SIZE];
    char number[32]; /* behind a colon; "" where there is none */
    bool whole;      /* both fitted */
} entry;

static void copy_trimmed(const char *from, size_t length, char *to, size_t size, bool *whole)
{
    while (length && (*from == ' ' || *from == '\t')) from++, length--;
    while (length && (from[length - 1] == ' ' || from[length - 1] == '\t')) length--;
    if (length >= size) *whole = false;
    snprintf(to, size, "%.*s", (int)(length < size ? length : size - 1), from);
}

/* The next entry of the list at *at, NULL behind its last; an empty one behind a comma at the end. */
static bool next_entry(const char **at, entry *e)
{
    if (!*at || !strcmp(*at, CLV_NO_PATTERNS)) return false;
    size_t length = strcspn(*at, ",");
    const char *colon = memchr(*at, ':', length);
    size_t name = colon ? (size_t)(colon - *at) : length;
    e->whole = true;
    copy_trimmed(*at, name, e->pattern, sizeof e->pattern, &e->whole);
    copy_trimmed(colon ? colon + 1 : "", colon ? length - name - 1 : 0, e->number, sizeof e->number, &e->whole);
    *at = (*at)[length] ? *at + length + 1 : NULL;
    return true;
}

/* The row of a parameter: what stands before the first dot of its name. */
static void row_of(const char *param, char row[CLV_NAME_SIZE])
{
    snprintf(row, CLV_NAME_SIZE, "%.*s", (int)strcspn(param, "."), param);
}

static bool matches(const char *pattern, const char *param)
{
    char row[CLV_NAME_SIZE];
    row_of(param, row);
    return fnmatch(pattern, row, 0) == 0 || fnmatch(pattern, param, 0) == 0;
}

bool clv_patterns_match(const char *list, const char *param)
{
    entry e;
    while (next_entry(&list, &e))
        if (matches(e.pattern, param)) return true;
    return false;
}

double clv_patterns_factor(const char *list, const char *param)
{
    entry e;
    double factor = 1, number;
    while (next_entry(&list, &e))
        if (matches(e.pattern, param) && clv_parse_real(e.number, &number)) factor *= number;
    return factor;
}

static clv_status refuse_unmatched(const char *where, const char *key, const char *pattern,
                                   const clv_param_layout *layout, clv_error *err)
{
    char rows[64][CLV_NAME_SIZE];
    const char *names[64];
    int count = 0;
    for (int i = 0; i < layout->params && count < 64; i++) {
        row_of(layout->param[i].name, rows[count]);
        if (count && !strcmp(rows[count], rows[count - 1])) continue;
        names[count] = rows[count];
        count++;
    }
    const char *nearest = clv_nearest(pattern, names, count);
    return clv_fail(err, CLV_ERR_CONFIG, "%s: %s: '%s' matches no layer that has weights%s%s%s", where, key, pattern,
                    nearest ? "; did you mean '" : "; clave summary lists them", nearest ? nearest : "",
                    nearest ? "'?" : "");
}

static clv_status check_entry(const char *where, const char *key, const entry *e, bool numbers,
                              const clv_param_layout *layout, clv_error *err)
{
    double number;
    if (!e->whole || !*e->pattern)
        return clv_fail(err, CLV_ERR_CONFIG,
                        "%s: %s: a list of layers such as 'conv*, fc1'%s has an empty or too long entry", where, key,
                        numbers ? ", each with a number: 'conv*:0.1, fc1:0.5'," : "");
    if (!numbers && *e->number)
        return clv_fail(err, CLV_ERR_CONFIG, "%s: %s: '%s:%s': this list takes names alone", where, key, e->pattern,
                        e->number);
    if (numbers && (!clv_parse_real(e->number, &number) || !(number > 0)))
        return clv_fail(err, CLV_ERR_CONFIG,
                        "%s: %s: '%s' needs a number above 0 behind a colon, as in '%s:0.1' (transfer.freeze stops a "
                        "layer altogether)",
                        where, key, e->pattern, e->pattern);
    for (int i = 0; i < layout->params; i++)
        if (matches(e->pattern, layout->param[i].name)) return CLV_OK;
    return refuse_unmatched(where, key, e->pattern, layout, err);
}

clv_status clv_patterns_check(const clv_config *config, const char *key, bool numbers, const clv_param_layout *layout,
                              clv_error *err)
{
    const char *list = clv_config_string(config, key), *where = clv_config_where(config, key);
    clv_status status = CLV_OK;
    entry e;
    while (status == CLV_OK && next_entry(&list, &e)) status = check_entry(where, key, &e, numbers, layout, err);
    return status;
}
