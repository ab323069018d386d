/* The error record: one line of text that always fits, made from printf's arguments. */
#include "clave/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A message is one line: values may bring newlines and other control characters (a build log, a name from a file). */
static void make_one_line(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f) *text = ' ';
}

/* Ends text of `size` bytes in "..." without cutting a UTF-8 character in two. */
static void mark_cut(char *text, size_t size)
{
    size_t end = size - 4;
    while (end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80) end--;
    memcpy(text + end, "...", 4);
}

/* Formats into a buffer of its own first: an argument may be the very message that is replaced. */
static void format_line(char line[CLV_ERROR_SIZE], const char *format, va_list args)
{
    const int length = vsnprintf(line, CLV_ERROR_SIZE, format, args);
    if (length < 0)
        snprintf(line, CLV_ERROR_SIZE, "%s", format);
    else if (length >= CLV_ERROR_SIZE)
        mark_cut(line, CLV_ERROR_SIZE);
    make_one_line(line);
}

clv_status clv_fail(clv_error *err, clv_status status, const char *format, ...)
{
    if (!err) return status;
    char line[CLV_ERROR_SIZE];
    va_list args;
    va_start(args, format);
    format_line(line, format, args);
    va_end(args);
    memcpy(err->message, line, sizeof line);
    err->status = status;
    return status;
}

clv_status clv_fail_in(clv_error *err, clv_status status, const char *format, ...)
{
    if (!err) return status;
    char prefix[CLV_ERROR_SIZE], line[2 * CLV_ERROR_SIZE + 2];
    va_list args;
    va_start(args, format);
    format_line(prefix, format, args);
    va_end(args);
    const int length = snprintf(line, sizeof line, "%s: %s", prefix, err->message);
    if (length >= CLV_ERROR_SIZE) mark_cut(line, CLV_ERROR_SIZE);
    line[CLV_ERROR_SIZE - 1] = '\0';
    memcpy(err->message, line, CLV_ERROR_SIZE);
    if (err->status == CLV_OK) err->status = status;
    return err->status;
}
