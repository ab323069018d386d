/* Figures by name. The units are said once, here. */
#include "cli/measures.h"

#include <string.h>

static const char *unit_of(const char *name)
{
    if (!strcmp(name, "bce") || !strcmp(name, "kl") || !strcmp(name, "elbo") || !strncmp(name, "iwae", 4))
        return " nats";
    return strstr(name, "psnr") ? " dB" : "";
}

void cli_print_measures(const char *label, const clv_measures *measures)
{
    printf("%s:", label);
    for (int i = 0; i < measures->count; i++)
        printf("  %s %.5g%s", measures->of[i].name, measures->of[i].value, unit_of(measures->of[i].name));
    putchar('\n');
}
