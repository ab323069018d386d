/* The schema: what every section, key and layer argument may hold. One table (schema.def) for parser, messages, `clave
 * explain` and the reference. */
#ifndef CLAVE_MODEL_SCHEMA_H
#define CLAVE_MODEL_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* inih reads lines of at most this many bytes; so no value is longer. */
/* A row with its newline and a NUL fills inih's buffer of 200 bytes. inih 55 reads one byte more, but inih 58 takes a
 * full buffer without a newline for a line that is too long. */
enum { CLV_LINE_MAX = 198, CLV_SECTION_MAX = 49 };

typedef enum clv_value_type {
    CLV_VALUE_INT,
    CLV_VALUE_REAL,
    CLV_VALUE_BOOL,
    CLV_VALUE_TEXT,
    CLV_VALUE_PATH,
    CLV_VALUE_NAME, /* letters, digits, '.', '_' and '-': part of a file's name */
    CLV_VALUE_CHOICE,
    CLV_VALUE_SIZE /* "none", N or HxW, each side in the range */
} clv_value_type;

typedef struct clv_range {
    double low, high;
    bool low_open, high_open; /* the bound itself is outside */
} clv_range;

typedef struct clv_value_spec {
    const char *name;
    clv_value_type type;
    const char *standard; /* the default; NULL: a layer's argument must be given */
    clv_range range;
    const char *const *choices; /* ends with NULL; NULL unless a choice */
    const char *help;
} clv_value_spec;

typedef enum clv_section_kind {
    CLV_SECTION_KEYS,
    CLV_SECTION_PARAMS,
    CLV_SECTION_LAYERS,
    CLV_SECTION_SPACE
} clv_section_kind;

enum clv_section {
#define SECTION(name, kind, help) CLV_IN_##name,
#define KEY(section, key, type, standard, range, choices, when, help)
#include "model/schema.def"
#undef SECTION
#undef KEY
    CLV_SECTIONS
};

enum clv_key {
#define SECTION(name, kind, help)
#define KEY(section, key, type, standard, range, choices, when, help) CLV_KEY_##section##_##key,
#include "model/schema.def"
#undef SECTION
#undef KEY
    CLV_KEYS
};

typedef struct clv_section_spec {
    const char *name;
    clv_section_kind kind;
    const char *help;
} clv_section_spec;

typedef struct clv_key_spec {
    int section;
    const char *full; /* "train.batch" */
    clv_value_spec value;
    const char *when; /* a condition, "train.optimizer=adam|adamw"; NULL: always in force */
} clv_key_spec;

/* A default that depends on another key: `standard` instead of the key's own where `when` holds. */
typedef struct clv_default_rule {
    enum clv_key key;
    const char *when, *standard;
} clv_default_rule;

extern const clv_section_spec clv_section_table[CLV_SECTIONS];
extern const clv_key_spec clv_key_table[CLV_KEYS];
#define CLV_DEFAULT_RULES 4
extern const clv_default_rule clv_default_rules[CLV_DEFAULT_RULES];

int clv_section_find(const char *name);                  /* -1: none such */
int clv_key_find(int section, const char *name);         /* -1: none such */
int clv_key_find_full(const char *full);                 /* "train.batch" */
int clv_key_names(int section, const char **names);      /* fills names[CLV_KEYS], returns how many */
void clv_section_names(const char *names[CLV_SECTIONS]); /* in order */

/* A value that obeys its row. */
typedef struct clv_value {
    char text[CLV_LINE_MAX + 1]; /* integers and booleans in their plain form, the rest as written */
    int64_t integer; /* of a choice: its place among them */
    double real;
    bool boolean;
    int height, width; /* of a size; 0: none */
} clv_value;

/* False where text is not what the row asks for; clv_value_describe then says what it does ask for. */
bool clv_value_parse(const clv_value_spec *spec, const char *text, clv_value *value);

enum { CLV_DESCRIBE_SIZE = 256 };
/* "integer from 1 to 65536", "number of at least 0 and below 1", "one of adam, adamw, sgd"; returns buffer. */
const char *clv_value_describe(const clv_value_spec *spec, char buffer[CLV_DESCRIBE_SIZE]);
/* The same behind "must be": "an integer from 1 to 65536". */
const char *clv_value_ask(const clv_value_spec *spec, char buffer[CLV_DESCRIBE_SIZE]);
int clv_choice_count(const clv_value_spec *spec);

/* A condition "section.key=a|b", or "section.key=!a" for all but a, in its parts; `alternatives` points into the
 * condition. */
typedef struct clv_condition {
    enum clv_key key;
    const char *alternatives; /* "a|b", "!a" */
} clv_condition;
clv_condition clv_condition_split(const char *condition);
bool clv_condition_allows(clv_condition condition, const char *value);
/* "train.optimizer = adam or adamw" */
const char *clv_condition_describe(const char *condition, char buffer[CLV_DESCRIBE_SIZE]);
/* "mse; bce with experiment.task = vae" */
const char *clv_default_describe(enum clv_key key, char buffer[CLV_DESCRIBE_SIZE]);

#endif
