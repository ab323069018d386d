/* The reference of the INI language in Markdown, from the same tables as the parser. */
#include <ctype.h>
#include <stdio.h>

#include "clave/config.h"
#include "model/layers.h"

/* A table's cell: '|' ends one in Markdown. */
static void cell(FILE *out, const char *text)
{
    fputc(' ', out);
    for (; *text; text++) {
        if (*text == '|') fputc('\\', out);
        fputc(*text, out);
    }
    fputs(" |", out);
}

static void row(FILE *out, const clv_value_spec *spec, const char *standard, const char *only)
{
    char kind[CLV_DESCRIBE_SIZE];
    fprintf(out, "| `%s` |", spec->name);
    cell(out, clv_value_describe(spec, kind));
    cell(out, standard);
    fprintf(out, " %s", spec->help);
    if (only) fprintf(out, "; only with %s", only);
    fprintf(out, " |\n");
}

static void section_reference(FILE *out, int section)
{
    char standard[CLV_DESCRIBE_SIZE], only[CLV_DESCRIBE_SIZE];
    const clv_section_spec *spec = &clv_section_table[section];
    fprintf(out, "\n## [%s]\n\n%c%s.\n", spec->name, toupper((unsigned char)spec->help[0]), spec->help + 1);
    if (spec->kind != CLV_SECTION_KEYS) return;
    fprintf(out, "\n| key | value | default | meaning |\n|---|---|---|---|\n");
    for (int i = 0; i < CLV_KEYS; i++) {
        const clv_key_spec *key = &clv_key_table[i];
        if (key->section != section) continue;
        row(out, &key->value, clv_default_describe((enum clv_key)i, standard),
            key->when ? clv_condition_describe(key->when, only) : NULL);
    }
}

static void layer_reference(FILE *out, const clv_layer_type *type)
{
    fprintf(out, "\n### %s\n\n%c%s.\n", type->name, toupper((unsigned char)type->help[0]), type->help + 1);
    if (type->args == 0) return;
    fprintf(out, "\n| argument | value | default | meaning |\n|---|---|---|---|\n");
    for (int i = 0; i < type->args; i++)
        row(out, &type->arg[i], type->arg[i].standard ? type->arg[i].standard : "(required)", NULL);
}

void clv_config_reference(FILE *out)
{
    fprintf(out, "# Sections and keys\n");
    for (int section = 0; section < CLV_SECTIONS; section++) section_reference(out, section);
    fprintf(out, "\n## Layers\n\nA row of [encoder] or [decoder] is `name = type argument=value ...`.\n");
    for (int i = 0; i < CLV_LAYER_TYPES; i++) layer_reference(out, &clv_layer_table[i]);
}
