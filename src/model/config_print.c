/* A configuration as the text that makes it again: the keys in force, parameters put in, no include. */
#include <stdlib.h>
#include <string.h>

#include "model/config_parts.h"
#include "model/ini.h"

bool clv_row_fits(const char *key, const char *value)
{
    size_t length = strlen(value), dollars = 0;
    for (size_t i = 0; i < length; i++) dollars += value[i] == '$';
    return length > 0 && strlen(key) + strlen(" = ") + length + dollars <= CLV_LINE_MAX && value[0] != ' ' &&
           value[0] != '\t' && clv_ini_without_comment(value, length) == length;
}

void clv_layer_append(const clv_layer *layer, clv_text *text)
{
    clv_text_append(text, "%s", layer->type);
    for (int i = 0; i < layer->args; i++)
        if (layer->arg[i].set) clv_text_append(text, " %s=%s", layer->arg[i].name, layer->arg[i].value);
}

/* A dollar would open a parameter. */
static void append_value(clv_text *text, const char *value)
{
    for (; *value; value++) clv_text_append_bytes(text, *value == '$' ? "$$" : value, *value == '$' ? 2 : 1);
    clv_text_append(text, "\n");
}

static void append_keys(const clv_config *config, int section, clv_text *text)
{
    for (int key = 0; key < CLV_KEYS; key++) {
        if (clv_key_table[key].section != section || !clv_config_in_force(config, (enum clv_key)key)) continue;
        clv_text_append(text, "%s = ", clv_key_table[key].value.name);
        append_value(text, config->setting[key].value.text);
    }
}

static void append_layers(const clv_layer_list *list, clv_text *text)
{
    for (size_t i = 0; i < list->count; i++) {
        clv_text_append(text, "%s = ", list->layer[i].name);
        clv_layer_append(&list->layer[i], text);
        clv_text_append(text, "\n");
    }
}

clv_status clv_config_print(const clv_config *config, char **text, clv_error *err)
{
    clv_text made = {0};
    for (int section = 0; section < CLV_SECTIONS; section++) {
        if (clv_section_table[section].kind == CLV_SECTION_PARAMS) continue;
        if (clv_section_table[section].kind == CLV_SECTION_LAYERS && !clv_section_in_force(config, section)) continue;
        clv_text_append(&made, "%s[%s]\n", section ? "\n" : "", clv_section_table[section].name);
        if (clv_section_table[section].kind == CLV_SECTION_KEYS)
            append_keys(config, section, &made);
        else
            append_layers(&config->layers[section], &made);
    }
    if (made.failed) {
        clv_text_free(&made);
        return clv_fail(err, CLV_ERR_INTERNAL, "out of memory while printing the configuration");
    }
    *text = made.text;
    return CLV_OK;
}
