/* Strings that live as long as a configuration: a list of blocks, one a string. */
#include "model/pool.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct clv_pool_string {
    struct clv_pool_string *before;
    char text[];
};

/* Room for a string of `length` bytes and its NUL, or NULL. */
static char *pool_room(clv_pool *pool, size_t length)
{
    struct clv_pool_string *string = clv_alloc(1, sizeof *string + length + 1, NULL);
    if (!string) {
        pool->failed = true;
        return NULL;
    }
    string->before = pool->last;
    pool->last = string;
    return string->text;
}

const char *clv_pool_copy(clv_pool *pool, const char *bytes, size_t length)
{
    char *text = pool_room(pool, length);
    if (!text) return "";
    memcpy(text, bytes, length);
    return text;
}

const char *clv_pool_format(clv_pool *pool, const char *format, ...)
{
    va_list list, again;
    va_start(list, format);
    va_copy(again, list);
    int length = vsnprintf(NULL, 0, format, list);
    char *text = length < 0 ? NULL : pool_room(pool, (size_t)length);
    if (text)
        vsnprintf(text, (size_t)length + 1, format, again);
    else
        pool->failed = true;
    va_end(again);
    va_end(list);
    return text ? text : "";
}

void clv_pool_free(clv_pool *pool)
{
    while (pool->last) {
        struct clv_pool_string *string = pool->last;
        pool->last = string->before;
        free(string);
    }
}
