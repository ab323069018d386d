/* Figures by name. The units are said once, here. */
#include "cli/measures.h"

#include <string.h>

json_t *cli_measures_json(const clv_measures *measures)
{
    json_t *object = json_object();
    for (int i = 0; i < measures->count; i++)
        json_object_set_new(object, measures->of[i].name, json_real(measures->of[i].value));
    return object;
}

static const char *unit_of(const char *name)
{
    if (!strcmp(name, "bce") || !strcmp(name, "kl") || !strcmp(name, "elbo")) return " nats";
    return !strcmp(name, "psnr") ? " dB" : "";
}

void cli_print_measures(const char *label, const clv_measures *measures)
{
    printf("%s:", label);
    for (int i = 0; i < measures->count; i++)
        printf("  %s %.5g%s", measures->of[i].name, measures->of[i].value, unit_of(measures->of[i].name));
    putchar('\n');
}
