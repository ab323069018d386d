/* [params]: '$name' and '${name}' in a value become the parameter's value, '$$' a dollar. A
 * parameter may be a product of whole numbers, '$conv3 * 9'. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "model/source.h"

#define MOST_PRODUCT ((int64_t)1 << 53)

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

/* The next factor of a product, its '*' behind it passed over; false where it is no whole number. */
static bool take_factor(const char **at, int64_t *factor)
{
    char word[32] = "";
    size_t length = strcspn(*at, " \t");
    if (length >= sizeof word) return false;
    memcpy(word, *at, length);
    *at += length + strspn(*at + length, " \t");
    if (**at == '*') *at += 1 + strspn(*at + 1, " \t");
    return clv_parse_int(word, factor);
}

/* '64 * 9' is 576: sizes that follow from others need no second row to be changed with the first. A '*' that stands
 * between blanks says that it is meant; 'conv*' and the like stay text. */
static const char *product(clv_source *source, const char *value, clv_place place, const char *what)
{
    const char *star = strpbrk(value, " \t");
    while (star && (star[1] != '*' || (star[2] != ' ' && star[2] != '\t'))) star = strpbrk(star + 1, " \t");
    if (!star) return value;
    int64_t result = 1, factor;
    for (const char *at = value; *at;) {
        if (!take_factor(&at, &factor)) {
            clv_problem_add(source->problems, place, "%s = %s: a product takes whole numbers with ' * ' between them",
                            what, value);
            return value;
        }
        if (factor != 0 && (result > MOST_PRODUCT / llabs(factor) || result < -MOST_PRODUCT / llabs(factor))) {
            clv_problem_add(source->problems, place, "%s = %s: the product is above %lld", what, value,
                            (long long)MOST_PRODUCT);
            return value;
        }
        result *= factor;
    }
    return clv_pool_format(source->pool, "%lld", (long long)result);
}

void clv_params_resolve(clv_source *source)
{
    for (size_t i = 0; i < source->entries; i++) {
        clv_entry *entry = &source->entry[i];
        if (entry->section != CLV_IN_params) continue;
        const char *value = clv_params_replace(source, entry->value, entry->place, entry->key, i);
        /* One problem is enough: what refers to a parameter that failed goes on with its text as written. */
        if (value) entry->value = product(source, value, entry->place, entry->key);
    }
}
