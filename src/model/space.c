/* [space]: what a search varies, one row a key. A row is a list, '8, 16, 32' or 'adam, sgd', or a range, 'log
 * 1e-5..1e-2' or 'int 16..128'. Whether the values suit their key is asked of the configuration itself, with each put
 * in. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/try.h"
#include "model/config_parts.h"

enum { MOST_ITEMS = 256 };

typedef struct row {
    clv_config *config;
    clv_source *source;
    const clv_entry *entry;
    clv_dimension made;
} row;

static bool refuse(row *r, const char *what)
{
    clv_problem_add(r->source->problems, r->entry->place, "%s = %s: %s", r->entry->key, r->made.text, what);
    return false;
}

/* Takes `word` and the blank behind it off the front of *at. */
static bool take_word(const char **at, const char *word)
{
    size_t length = strlen(word);
    if (strncmp(*at, word, length) || ((*at)[length] != ' ' && (*at)[length] != '\t')) return false;
    *at += length + strspn(*at + length, " \t");
    return true;
}

static const char *trimmed(row *r, const char *text, size_t length)
{
    while (length && (*text == ' ' || *text == '\t')) text++, length--;
    while (length && (text[length - 1] == ' ' || text[length - 1] == '\t')) length--;
    return clv_pool_copy(&r->config->pool, text, length);
}

static bool is_whole(double x) { return floor(x) >= x && fabs(x) <= 0x1p53; }

/* A range over a key of whole numbers is one of whole numbers, said or not. */
static bool take_range(row *r, const char *text, const char *dots)
{
    clv_dimension *d = &r->made;
    int key = clv_key_find_full(d->key);
    const char *low = trimmed(r, text, (size_t)(dots - text)), *high = trimmed(r, dots + 2, strlen(dots + 2));
    d->integer = d->integer || (key >= 0 && clv_key_table[key].value.type == CLV_VALUE_INT);
    if (!clv_parse_real(low, &d->low) || !clv_parse_real(high, &d->high))
        return refuse(r, "a range is two numbers, low..high, after 'log' or 'int' where wanted");
    if (!(d->low < d->high)) return refuse(r, "the low end of a range is below its high end");
    if (d->log && !(d->low > 0)) return refuse(r, "a logarithmic range lies above 0");
    if (d->integer && (!is_whole(d->low) || !is_whole(d->high)))
        return refuse(r, "a range of whole numbers has whole ends");
    return true;
}

/* The end of the item that `at` opens. */
static const char *item_end(const char *at) { return at + strcspn(at, ","); }

static bool take_list(row *r, const char *text)
{
    const char *item[MOST_ITEMS], **items;
    double number[MOST_ITEMS], *numbers;
    int count = 0;
    bool numeric = true;
    for (const char *at = text;; at = item_end(at) + 1) {
        if (count == MOST_ITEMS) return refuse(r, "more than 256 values: write a range");
        item[count] = trimmed(r, at, (size_t)(item_end(at) - at));
        if (!*item[count]) return refuse(r, "a value is missing beside a comma");
        for (int i = 0; i < count; i++)
            if (clv_same_value(item[i], item[count])) return refuse(r, "the same value stands there twice");
        numeric = clv_parse_real(item[count], &number[count]) && numeric;
        count++;
        if (!*item_end(at)) break;
    }
    /* The pool's memory is that of malloc, so arrays of pointers and of numbers may lie in it. */
    items = (const char **)(void *)clv_pool_copy(&r->config->pool, (const char *)item, (size_t)count * sizeof *item);
    numbers = (double *)(void *)clv_pool_copy(&r->config->pool, (const char *)number, (size_t)count * sizeof *number);
    r->made.item = items;
    r->made.number = numeric ? numbers : NULL;
    r->made.items = count;
    return true;
}

static bool take_value(row *r)
{
    const char *at = r->made.text;
    while (true) {
        if (take_word(&at, "log"))
            r->made.log = true;
        else if (take_word(&at, "int"))
            r->made.integer = true;
        else
            break;
    }
    const char *dots = strstr(at, "..");
    bool number = dots && dots > at && strspn(at, "0123456789+-.eE ") >= (size_t)(dots - at);
    if (r->made.log || r->made.integer)
        return dots ? take_range(r, at, dots) : refuse(r, "'log' and 'int' stand before a range, low..high");
    return number ? take_range(r, at, dots) : take_list(r, at);
}

/* How long, and how a search goes about it, is not searched. */
static bool may_vary(row *r)
{
    if (!strncmp(r->made.key, "search.", 7) || !strncmp(r->made.key, "space.", 6))
        return refuse(r, "a search does not vary itself");
    if (!strcmp(r->made.key, "train.epochs")) return refuse(r, "search.max_epochs says how long trials train");
    if (!strcmp(r->made.key, "early_stopping.monitor"))
        return refuse(r, "search.monitor says what trials are judged by");
    return true;
}

void clv_space_rows_read(clv_config *config, clv_source *source)
{
    clv_space_rows *space = &config->space;
    for (size_t i = 0; i < source->entries; i++) {
        row r = {.config = config, .source = source, .entry = &source->entry[i]};
        if (r.entry->section != CLV_IN_space) continue;
        r.made.key = clv_pool_copy(&config->pool, r.entry->key, strlen(r.entry->key));
        r.made.where = clv_place_text(&config->pool, r.entry->place);
        r.made.text = clv_params_replace(source, r.entry->value, r.entry->place, r.entry->key, source->entries);
        if (!r.made.text || !may_vary(&r) || !take_value(&r) || config->pool.failed) continue;
        if (clv_grow(&space->row, &space->capacity, space->count + 1, sizeof *space->row, NULL) != CLV_OK ||
            clv_grow(&space->place, &space->place_capacity, space->count + 1, sizeof *space->place, NULL) != CLV_OK) {
            source->problems->failed = true;
            return;
        }
        space->place[space->count] = r.entry->place;
        space->row[space->count++] = r.made;
    }
}

/* The configuration's own first complaint, without the place of the override that was put in for the row. */
static const char *complaint(const clv_error *failure)
{
    static const char mine[] = "command line: ";
    return strncmp(failure->message, mine, sizeof mine - 1) ? failure->message : failure->message + sizeof mine - 1;
}

static clv_status try_override(const clv_variant_source *from, const char *override, clv_place place,
                               clv_problems *problems, bool *fits, clv_error *err)
{
    clv_config *variant = NULL;
    clv_error failure = {0};
    clv_status status = clv_config_variant(from, &override, 1, &variant, &failure);
    clv_config_destroy(variant);
    *fits = status == CLV_OK;
    if (status == CLV_ERR_INTERNAL) return clv_fail(err, status, "%s", failure.message);
    if (status != CLV_OK) clv_problem_add(problems, place, "with %s: %s", override, complaint(&failure));
    return CLV_OK;
}

/* One complaint a row is enough. */
static clv_status check_row(const clv_config *config, size_t index, const clv_variant_source *from,
                            clv_problems *problems, clv_error *err)
{
    const clv_dimension *d = &config->space.row[index];
    clv_status status = CLV_OK;
    bool fits = true;
    for (int i = 0; i < (d->item ? d->items : 2) && fits && status == CLV_OK; i++) {
        clv_text override = {0};
        clv_text_append(&override, "%s=", d->key);
        if (d->item)
            clv_text_append(&override, "%s", d->item[i]);
        else
            clv_text_append(&override, "%.9g", i ? d->high : d->low);
        status = override.failed ? clv_fail(err, CLV_ERR_INTERNAL, "out of memory for the values of %s", d->key)
                                 : try_override(from, override.text, config->space.place[index], problems, &fits, err);
        clv_text_free(&override);
    }
    return status;
}

clv_status clv_space_rows_check(const clv_config *config, const clv_variant_source *from, clv_problems *problems,
                                clv_error *err)
{
    const clv_setting *monitor = &config->setting[CLV_KEY_search_monitor];
    clv_status status = CLV_OK;
    bool fits;
    if (strcmp(monitor->value.text, "auto")) {
        char override[CLV_LINE_MAX + 64];
        snprintf(override, sizeof override, "early_stopping.monitor=%.*s", CLV_LINE_MAX, monitor->value.text);
        CLV_TRY(try_override(from, override, monitor->place, problems, &fits, err));
    }
    for (size_t i = 0; i < config->space.count; i++) CLV_TRY(check_row(config, i, from, problems, err));
done:
    return status;
}

int clv_config_space(const clv_config *config, const clv_dimension **dimensions)
{
    *dimensions = config->space.row;
    return (int)config->space.count;
}
