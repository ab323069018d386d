/* Text: a growing string, parsing of numbers that accepts all of a word or nothing, and the nearest name to a misspelt
 * one. */
#ifndef CLAVE_BASE_TEXT_H
#define CLAVE_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clave/error.h"

/* A growing string; starts as {0}; text is never NULL after the first append. After a failed append `failed` is set and further
 * appends do nothing, so that callers check once. Numbers are written in the C locale, whatever the program's locale. */
typedef struct clv_text {
    char *text;
    size_t length, capacity;
    bool failed;
} clv_text;

void clv_text_append(clv_text *t, const char *format, ...) CLV_PRINTF(2, 3);
void clv_text_append_bytes(clv_text *t, const char *bytes, size_t length);
void clv_text_free(clv_text *t);

/* Whole-word parsing in the C locale, whatever the program's locale: false where the text is empty, has trailing
 * characters, is out of range, or (reals) is not finite. */
bool clv_parse_int(const char *text, int64_t *value);
bool clv_parse_real(const char *text, double *value);
bool clv_parse_bool(const char *text, bool *value); /* true false yes no on off 1 0 */

/* The same text, or the same number: 1e-3 is 0.001. */
bool clv_same_value(const char *a, const char *b);

/* The name nearest to `word` by Damerau-Levenshtein distance, or NULL where none is within a third of its length. */
const char *clv_nearest(const char *word, const char *const *names, int count);

bool clv_contains_ignoring_case(const char *text, const char *part);

#endif
