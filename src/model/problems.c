/* What is wrong with a configuration: collecting, sorting by place, handing over. */
#include "model/problems.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "base/try.h"

const char *clv_place_text(clv_pool *pool, clv_place place)
{
    if (!place.file) return "command line";
    if (!place.line) return clv_pool_format(pool, "%s", place.file);
    return clv_pool_format(pool, "%s:%d", place.file, place.line);
}

void clv_problem_add(clv_problems *problems, clv_place place, const char *format, ...)
{
    char text[CLV_ERROR_SIZE];
    const char *where = clv_place_text(&problems->pool, place);
    int length = snprintf(text, sizeof text, "%.*s%s", CLV_ERROR_SIZE / 2, where, *where ? ": " : "");
    va_list list;
    va_start(list, format);
    vsnprintf(text + length, sizeof text - (size_t)length, format, list);
    va_end(list);
    for (char *c = text; *c; c++) /* one line, whatever a value or a file's name brings */
        if ((unsigned char)*c < ' ' || *c == 0x7f) *c = ' ';
    if (clv_grow(&problems->item, &problems->capacity, problems->count + 1, sizeof *problems->item, NULL) != CLV_OK) {
        problems->failed = true;
        return;
    }
    const char *line = clv_pool_copy(&problems->pool, text, strlen(text));
    problems->item[problems->count] = (struct clv_problem){place, problems->count, line};
    problems->count++;
}

const char *clv_hint(clv_problems *problems, const char *word, const char *const *names, int count)
{
    const char *near = clv_nearest(word, names, count);
    return near ? clv_pool_format(&problems->pool, "; did you mean '%s'?", near) : "";
}

static int compare(const void *left, const void *right)
{
    const struct clv_problem *a = left, *b = right;
    if (a->place.order != b->place.order) return a->place.order < b->place.order ? -1 : 1;
    /* What a file lacks as a whole comes behind its lines: a line may be why. */
    int left_line = a->place.line ? a->place.line : INT_MAX, right_line = b->place.line ? b->place.line : INT_MAX;
    if (left_line != right_line) return left_line < right_line ? -1 : 1;
    return a->number < b->number ? -1 : a->number > b->number;
}

/* Copies of all messages; on failure the caller's record is as it was. */
static clv_status fill(const clv_problems *problems, clv_diagnostics *diagnostics, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_diagnostics made = {0};
    CLV_REQUIRE((made.message = clv_alloc(problems->count, sizeof *made.message, err)), CLV_ERR_INTERNAL,
                "out of memory for %zu messages", problems->count);
    made.capacity = (int)problems->count;
    for (size_t i = 0; i < problems->count; i++) {
        made.message[i] = clv_strdup(problems->item[i].text, err);
        CLV_REQUIRE(made.message[i], CLV_ERR_INTERNAL, "out of memory for %zu messages", problems->count);
        made.count++;
    }
    clv_diagnostics_free(diagnostics);
    *diagnostics = made;
    made = (clv_diagnostics){0};
done:
    clv_diagnostics_free(&made);
    return status;
}

clv_status clv_problems_report(clv_problems *problems, clv_diagnostics *diagnostics, clv_error *err)
{
    if (problems->failed || problems->pool.failed)
        return clv_fail(err, CLV_ERR_INTERNAL, "out of memory while reading the configuration");
    if (problems->count == 0) return CLV_OK;
    qsort(problems->item, problems->count, sizeof *problems->item, compare);
    if (diagnostics && fill(problems, diagnostics, err) != CLV_OK) return CLV_ERR_INTERNAL;

    size_t more = problems->count - 1;
    const char *first = problems->item[0].text;
    if (more == 0) return clv_fail(err, CLV_ERR_CONFIG, "%s", first);
    /* The message is cut so that the count of the others stays in it. */
    const char *root = problems->root && strlen(problems->root) < CLV_ERROR_SIZE / 4 ? problems->root : "FILE";
    return clv_fail(err, CLV_ERR_CONFIG, "%.*s (and %zu more error%s: clave check %s lists them)",
                    CLV_ERROR_SIZE - 80 - (int)strlen(root), first, more, more == 1 ? "" : "s", root);
}

void clv_problems_free(clv_problems *problems)
{
    free(problems->item);
    clv_pool_free(&problems->pool);
    *problems = (clv_problems){0};
}

void clv_diagnostics_free(clv_diagnostics *diagnostics)
{
    if (!diagnostics) return;
    for (int i = 0; i < diagnostics->count; i++) free(diagnostics->message[i]);
    free(diagnostics->message);
    *diagnostics = (clv_diagnostics){0};
}
