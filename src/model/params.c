/* [params]: '$name' and '${name}' in a value become the parameter's value, '$$' a dollar. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "model/source.h"

/* A reference at the '$' that `at` points to: its name, and the length of the whole; 0 where it is malformed. */
static size_t reference(const char *at, const char **name, size_t *name_length)
{
    bool braces = at[1] == '{';
    *name = at + 1 + braces;
    *name_length = strspn(*name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
    if (*name_length == 0 || (braces && (*name)[*name_length] != '}')) return 0;
    return 1 + *name_length + (braces ? 2 : 0);
}

static void undefined(clv_source *source, const char *name, clv_place place, const char *what, size_t limit)
{
    const clv_entry *below = clv_source_find(source, CLV_IN_params, name, NULL);
    if (below) {
        clv_problem_add(source->problems, place,
                        "%s: '$%s' stands at or below this row: a parameter takes only those above it", what, name);
        return;
    }
    const char **names = clv_alloc(limit + 1, sizeof *names, NULL);
    if (!names) {
        source->problems->failed = true;
        return;
    }
    int count = 0;
    for (size_t i = 0; i < limit; i++)
        if (source->entry[i].section == CLV_IN_params) names[count++] = source->entry[i].key;
    const char *hint = clv_hint(source->problems, name, names, count);
    clv_problem_add(source->problems, place, "%s: '$%s' is not in [params]%s", what, name,
                    *hint ? hint : " ('$$' is a dollar)");
    free(names);
}

/* The value of a parameter among the first `limit` entries, or NULL and a problem. */
static const char *lookup(clv_source *source, const char *name, clv_place place, const char *what, size_t limit)
{
    const clv_entry *found = clv_source_find(source, CLV_IN_params, name, NULL);
    if (found && found < source->entry + limit) return found->value;
    undefined(source, name, place, what, limit);
    return NULL;
}

const char *clv_params_replace(clv_source *source, const char *value, clv_place place, const char *what, size_t limit)
{
    char made[CLV_LINE_MAX + 1];
    size_t length = 0, name_length;
    const char *name;
    for (const char *at = value; *at;) {
        const char *piece = at;
        size_t size = strcspn(at, "$"), step = size;
        if (at[0] == '$' && at[1] == '$') {
            size = 1;
            step = 2;
        } else if (at[0] == '$') {
            step = reference(at, &name, &name_length);
            if (!step) {
                clv_problem_add(source->problems, place,
                                "%s: a '$' without a name: write $name, ${name}, or $$ for a dollar", what);
                return NULL;
            }
            piece = lookup(source, clv_pool_format(source->pool, "%.*s", (int)name_length, name), place, what, limit);
            if (!piece) return NULL;
            size = strlen(piece);
        }
        if (length + size > CLV_LINE_MAX) {
            clv_problem_add(source->problems, place, "%s: more than %d bytes with its parameters put in", what,
                            CLV_LINE_MAX);
            return NULL;
        }
        memcpy(made + length, piece, size);
        length += size;
        at += step;
    }
    return clv_pool_copy(source->pool, made, length);
}

void clv_params_resolve(clv_source *source)
{
    for (size_t i = 0; i < source->entries; i++) {
        clv_entry *entry = &source->entry[i];
        if (entry->section != CLV_IN_params) continue;
        const char *value = clv_params_replace(source, entry->value, entry->place, entry->key, i);
        /* One problem is enough: what refers to a parameter that failed goes on with its text as written. */
        if (value) entry->value = value;
    }
}
