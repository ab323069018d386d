/* Tilings as text: one table of their fields prints, reads and compares them. */
#include "backend/opencl/tiling.h"

#include <stdio.h>
#include <string.h>

static const char *const form_names[CLV_FORM_COUNT] = {"packed", "gathered", "blocks",         "transposed",
                                                       "outer",  "direct",   "direct-gathered"};

#define FIELD(name)                                                                                                    \
    {                                                                                                                  \
#name, offsetof(clv_tiling, name)                                                                              \
    }
static const struct field {
    const char *name;
    size_t offset;
} field_table[] = {FIELD(form),
                   FIELD(vector),
                   FIELD(mad),
                   FIELD(clblast),
                   FIELD(tall),
                   FIELD(low),
                   FIELD(vectors),
                   FIELD(across),
                   FIELD(block),
                   FIELD(channels),
                   FIELD(rows),
                   FIELD(columns),
                   FIELD(taps),
                   FIELD(tiles),
                   FIELD(lanes),
                   FIELD(plane),
                   FIELD(pack),
                   FIELD(panel),
                   FIELD(parts),
                   FIELD(group),
                   FIELD(sums),
#define PARAMETER(kernel, name) {#name, offsetof(clv_tiling, gemm.value[CLV_GEMM_##name])},
                   CLV_GEMM_PARAMETER_LIST(PARAMETER)};
enum { FIELDS = sizeof field_table / sizeof *field_table };
_Static_assert(sizeof(clv_tiling) == FIELDS * sizeof(int), "the table has every field of a tiling");

static const int *value_of(const clv_tiling *t, int i)
{
    return (const int *)(const void *)((const char *)t + field_table[i].offset);
}

void clv_tiling_print(const clv_tiling *tiling, char text[CLV_TILING_TEXT])
{
    int used = snprintf(text, CLV_TILING_TEXT, "form=%s", form_names[tiling->form]);
    for (int i = 1; i < FIELDS && used < CLV_TILING_TEXT; i++)
        if (*value_of(tiling, i))
            used += snprintf(text + used, CLV_TILING_TEXT - (size_t)used, " %s=%d", field_table[i].name,
                             *value_of(tiling, i));
}

static bool parse_value(int field, const char *value, int *number)
{
    int64_t parsed;
    if (field == 0) {
        for (int f = 0; f < CLV_FORM_COUNT; f++)
            if (!strcmp(value, form_names[f])) return *number = f, true;
        return false;
    }
    if (!clv_parse_int(value, &parsed) || parsed < 0 || parsed > 1 << 24) return false;
    *number = (int)parsed;
    return true;
}

/* Words "name=value"; a name that is unknown or comes twice is damage. */
bool clv_tiling_parse(const char *text, clv_tiling *tiling)
{
    bool seen[FIELDS] = {false};
    *tiling = (clv_tiling){0};
    for (const char *at = text + strspn(text, " "); *at; at += strspn(at, " ")) {
        char word[48];
        const size_t length = strcspn(at, " ");
        if (length >= sizeof word) return false;
        memcpy(word, at, length);
        word[length] = '\0';
        at += length;
        char *equals = strchr(word, '=');
        if (!equals) return false;
        *equals = '\0';
        int field = 0;
        while (field < FIELDS && strcmp(word, field_table[field].name)) field++;
        if (field == FIELDS || seen[field]) return false;
        seen[field] = true;
        if (!parse_value(field, equals + 1, (int *)(void *)((char *)tiling + field_table[field].offset))) return false;
    }
    return seen[0];
}

bool clv_tiling_equal(const clv_tiling *a, const clv_tiling *b)
{
    for (int i = 0; i < FIELDS; i++)
        if (*value_of(a, i) != *value_of(b, i)) return false;
    return true;
}
