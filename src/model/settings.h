/* Two configurations as text, row by row: where do they say something else? What a run, or a search, may go on under.
 */
#ifndef CLAVE_MODEL_SETTINGS_H
#define CLAVE_MODEL_SETTINGS_H

#include <stdbool.h>

/* A row "key = value" of a section; all point into the text and have their lengths. */
typedef struct clv_setting {
    const char *section, *key, *value; /* key NULL: the text is at its end */
    int section_length, key_length, value_length;
} clv_setting;

/* Whether the row is the one of "section.key", or of any key of "section.". */
bool clv_setting_is(const clv_setting *setting, const char *full);

/* Whether both are rows of the same key. */
bool clv_setting_same_key(const clv_setting *a, const clv_setting *b);

/* Rows that may differ. */
typedef bool (*clv_setting_filter)(const clv_setting *setting, const void *context);

/* Compares texts as clv_config_print and clv_config_flatten make them: the same rows in the same order, blanks aside,
 * and numbers by their value (1e-3 is 0.001, in lists and in arguments of layers too). True where they differ: the
 * first rows of both that do. */
bool clv_settings_differ(const char *a, const char *b, clv_setting_filter is_free, const void *context,
                         clv_setting *row_a, clv_setting *row_b);

#endif
