/* Growing strings, strict parsing of numbers, and the nearest name. */
#include "base/text.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Room for `length` more bytes and the NUL. */
static bool reserve(clv_text *t, size_t length)
{
    if (t->failed) return false;
    if (length >= SIZE_MAX - t->length || clv_grow(&t->text, &t->capacity, t->length + length + 1, 1, NULL) != CLV_OK)
        t->failed = true;
    return !t->failed;
}

/* Numbers are written with a decimal point whatever the program's locale: the files we write are read by programs. */
static int format_plain(char *to, size_t size, const char *format, va_list args)
{
    const locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    const locale_t before = plain ? uselocale(plain) : (locale_t)0;
    const int length = vsnprintf(to, size, format, args);
    if (plain) {
        uselocale(before);
        freelocale(plain);
    }
    return length;
}

void clv_text_append(clv_text *t, const char *format, ...)
{
    char few[256];
    va_list args;
    va_start(args, format);
    const int length = format_plain(few, sizeof few, format, args);
    va_end(args);
    if (length < 0) t->failed = true;
    if (length < 0 || !reserve(t, (size_t)length)) return;
    if ((size_t)length < sizeof few) {
        memcpy(t->text + t->length, few, (size_t)length + 1);
    } else {
        va_start(args, format);
        format_plain(t->text + t->length, (size_t)length + 1, format, args);
        va_end(args);
    }
    t->length += (size_t)length;
}

void clv_text_append_bytes(clv_text *t, const char *bytes, size_t length)
{
    if (!reserve(t, length)) return;
    if (length > 0) memcpy(t->text + t->length, bytes, length);
    t->length += length;
    t->text[t->length] = '\0';
}

void clv_text_free(clv_text *t)
{
    free(t->text);
    *t = (clv_text){0};
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool clv_parse_int(const char *text, int64_t *value)
{
    const char *at = text + (*text == '-' || *text == '+');
    if (!is_digit(*at)) return false;
    const uint64_t limit = *text == '-' ? (uint64_t)INT64_MAX + 1 : INT64_MAX;
    uint64_t magnitude = 0;
    for (; is_digit(*at); at++) {
        const uint64_t digit = (uint64_t)(*at - '0');
        if (magnitude > (limit - digit) / 10) return false;
        magnitude = magnitude * 10 + digit;
    }
    if (*at) return false;
    if (*text != '-')
        *value = (int64_t)magnitude;
    else
        *value = magnitude > INT64_MAX ? INT64_MIN : -(int64_t)magnitude;
    return true;
}

/* [+-] digits [. digits] [e [+-] digits], at least one digit before the exponent: what strtod takes, less its blanks,
 * hexadecimal, infinities and NaNs. */
static bool looks_like_real(const char *at)
{
    if (*at == '-' || *at == '+') at++;
    const char *start = at;
    while (is_digit(*at)) at++;
    int digits = (int)(at != start);
    if (*at == '.') {
        start = ++at;
        while (is_digit(*at)) at++;
        digits += (int)(at != start);
    }
    if (digits == 0) return false;
    if (*at == 'e' || *at == 'E') {
        at++;
        if (*at == '-' || *at == '+') at++;
        if (!is_digit(*at)) return false;
        while (is_digit(*at)) at++;
    }
    return *at == '\0';
}

bool clv_parse_real(const char *text, double *value)
{
    if (!looks_like_real(text)) return false;
    const locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!plain) return false;
    const locale_t before = uselocale(plain);
    errno = 0;
    char *end;
    const double parsed = strtod(text, &end);
    const bool out_of_range = errno == ERANGE && (parsed == 0 || !isfinite(parsed)); /* subnormal numbers are fine */
    uselocale(before);
    freelocale(plain);
    if (*end || out_of_range) return false;
    *value = parsed;
    return true;
}

bool clv_same_value(const char *a, const char *b)
{
    double x, y;
    return !strcmp(a, b) || (clv_parse_real(a, &x) && clv_parse_real(b, &y) && !(x < y) && !(x > y));
}

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

static bool same_word(const char *a, const char *b)
{
    for (; *a && lower(*a) == lower(*b); a++, b++) {}
    return lower(*a) == lower(*b);
}

bool clv_parse_bool(const char *text, bool *value)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = {{"true", true},   {"yes", true}, {"on", true},   {"1", true},
                 {"false", false}, {"no", false}, {"off", false}, {"0", false}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (same_word(text, words[i].word)) {
            *value = words[i].value;
            return true;
        }
    return false;
}

enum { LONGEST = 64 }; /* longer words have no nearest name */

static int least(int a, int b) { return a < b ? a : b; }

/* Damerau-Levenshtein distance (optimal string alignment), case ignored, of words of at most LONGEST characters. */
static int distance(const char *a, int a_length, const char *b, int b_length)
{
    int row[3][LONGEST + 1] = {{0}}; /* rows i - 2, i - 1 and i of the table, by i % 3 */
    for (int j = 0; j <= b_length; j++) row[0][j] = j;
    for (int i = 1; i <= a_length; i++) {
        int *now = row[i % 3], *above = row[(i + 2) % 3], *above2 = row[(i + 1) % 3];
        now[0] = i;
        for (int j = 1; j <= b_length; j++) {
            const bool same = lower(a[i - 1]) == lower(b[j - 1]);
            now[j] = least(least(above[j], now[j - 1]) + 1, above[j - 1] + (same ? 0 : 1));
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]))
                now[j] = least(now[j], above2[j - 2] + 1);
        }
    }
    return row[a_length % 3][b_length];
}

const char *clv_nearest(const char *word, const char *const *names, int count)
{
    const size_t length = strlen(word);
    if (length == 0 || length > LONGEST) return NULL;
    const char *nearest = NULL;
    int best = ((int)length + 2) / 3 + 1; /* a third, rounded up, still counts */
    if (best > (int)length) best = (int)length;
    for (int i = 0; i < count; i++) {
        const size_t other = strlen(names[i]);
        if (other > LONGEST) continue;
        const int d = distance(word, (int)length, names[i], (int)other);
        if (d < best) {
            best = d;
            nearest = names[i];
        }
    }
    return nearest;
}

bool clv_contains_ignoring_case(const char *text, const char *part)
{
    for (;; text++) {
        size_t i = 0;
        while (part[i] && lower(text[i]) == lower(part[i])) i++;
        if (!part[i]) return true;
        if (!*text) return false;
    }
}
