/* What keys and layers ask of each other, once each has a value: settings without effect, figures that do not exist,
 * tasks and layers that do not fit. Checks of anything that was reported before are left out. */
#include <math.h>
#include <string.h>

#include "model/config_parts.h"

typedef struct checker {
    const clv_config *config;
    clv_problems *problems;
} checker;

static const clv_setting *setting(const checker *c, enum clv_key key) { return &c->config->setting[key]; }

static bool is(const checker *c, enum clv_key key, const char *value)
{
    return strcmp(setting(c, key)->value.text, value) == 0;
}

static void check_effects(const checker *c)
{
    char asked[CLV_DESCRIBE_SIZE];
    for (int i = 0; i < CLV_KEYS; i++) {
        const clv_key_spec *spec = &clv_key_table[i];
        if (!spec->when || !setting(c, (enum clv_key)i)->set || clv_config_in_force(c->config, (enum clv_key)i))
            continue;
        const clv_condition when = clv_condition_split(spec->when);
        enum clv_key other = when.key;
        if (setting(c, other)->bad) continue;
        if (*when.alternatives == '!' && is(c, (enum clv_key)i, spec->value.standard))
            continue; /* "none" of it, said twice */
        clv_problem_add(c->problems, setting(c, (enum clv_key)i)->place,
                        "%s has an effect only with %s; here it is %s: take the row out, or change that", spec->full,
                        clv_condition_describe(spec->when, asked), setting(c, other)->value.text);
    }
}

/* Figures that only some configurations have. */
static const struct {
    const char *figure;
    enum clv_key key;
    const char *value, *why;
} figures[] = {
    {"val.kl", CLV_KEY_experiment_task, "vae", "only experiment.task = vae has a KL divergence"},
    {"val.accuracy", CLV_KEY_experiment_task, "classify", "only experiment.task = classify has an accuracy"},
    {"val.bce", CLV_KEY_loss_reconstruction, "bce", "only loss.reconstruction = bce has it"},
    {"val.mse", CLV_KEY_loss_reconstruction, "mse", "only loss.reconstruction = mse has it"},
};

static void check_monitor(const checker *c)
{
    const clv_setting *monitor = setting(c, CLV_KEY_early_stopping_monitor);
    if (!monitor->set) return;
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
        if (is(c, CLV_KEY_early_stopping_monitor, figures[i].figure) && !setting(c, figures[i].key)->bad &&
            !setting(c, CLV_KEY_experiment_task)->bad && !is(c, figures[i].key, figures[i].value))
            clv_problem_add(c->problems, monitor->place, "early_stopping.monitor = %s does not exist here: %s",
                            figures[i].figure, figures[i].why);
    if (strncmp(monitor->value.text, "val.", 4) == 0 && is(c, CLV_KEY_data_validation, "0"))
        clv_problem_add(
            c->problems, monitor->place,
            "early_stopping.monitor = %s needs validation images: set data.validation above 0, or monitor train.loss",
            monitor->value.text);
}

/* A share, or a number of images. */
static void check_test_share(const checker *c)
{
    const clv_setting *test = setting(c, CLV_KEY_data_test);
    if (!test->bad && test->set && test->value.real > 1 && test->value.real != floor(test->value.real))
        clv_problem_add(c->problems, test->place,
                        "data.test = %s: a share below 1 of each class, or a whole number of its images",
                        test->value.text);
}

static void check_section(const checker *c, int section)
{
    const clv_layer_list *list = &c->config->layers[section];
    const char *name = clv_section_table[section].name;
    if (!c->config->opened[section])
        clv_problem_add(c->problems, c->config->root, "there is no [%s]: add the section with a row for each layer",
                        name);
    else if (list->count == 0 && !list->bad)
        clv_problem_add(c->problems, c->config->root, "[%s] has no layers: add a row for each", name);
}

/* A gaussian row ends a vae's encoder and stands nowhere else. */
static void check_gaussian(const checker *c)
{
    bool vae = is(c, CLV_KEY_experiment_task, "vae");
    const clv_layer_list *encoder = &c->config->layers[CLV_IN_encoder];
    for (int section = CLV_IN_encoder; section <= CLV_IN_classifier; section++) {
        if (!clv_section_in_force(c->config, section)) continue;
        const clv_layer_list *list = &c->config->layers[section];
        for (size_t i = 0; i < list->count; i++) {
            if (strcmp(list->layer[i].type, "gaussian") != 0) continue;
            if (!vae)
                clv_problem_add(c->problems, list->place[i],
                                "%s: gaussian is a vae's code: set experiment.task = vae, or use linear",
                                list->layer[i].name);
            else if (list != encoder || (i + 1 < list->count && !list->bad))
                clv_problem_add(c->problems, list->place[i],
                                "%s: gaussian is the code: it ends [encoder], nothing follows it there",
                                list->layer[i].name);
        }
    }
    if (!vae || encoder->bad || encoder->count == 0) return;
    const clv_layer *last = &encoder->layer[encoder->count - 1];
    if (strcmp(last->type, "gaussian") != 0)
        clv_problem_add(c->problems, encoder->place[encoder->count - 1],
                        "%s: a vae's [encoder] ends with a gaussian row, this is %s: add 'code = gaussian units=...'",
                        last->name, last->type);
}

/* The activation that a layer ends with, or NULL. */
static const char *activation(const clv_layer *layer)
{
    const char *arg = strcmp(layer->type, "act") == 0 ? "type" : "act";
    return clv_layer_arg_find(layer->kind, arg) < 0 ? NULL : clv_layer_string(layer, arg);
}

/* The cross-entropy is computed from logits, which is exact where a sigmoid would round to 0 or 1. */
static void check_logits(const checker *c)
{
    const clv_layer_list *decoder = &c->config->layers[CLV_IN_decoder];
    size_t last = decoder->count;
    if (!clv_section_in_force(c->config, CLV_IN_decoder) || decoder->bad ||
        setting(c, CLV_KEY_loss_reconstruction)->bad || !is(c, CLV_KEY_loss_reconstruction, "bce"))
        return;
    while (last && decoder->layer[last - 1].kind->reshapes) last--;
    if (!last) return;
    const clv_layer *layer = &decoder->layer[last - 1];
    const char *act = activation(layer);
    if (act && strcmp(act, "sigmoid") == 0)
        clv_problem_add(
            c->problems, decoder->place[last - 1],
            "%s: with loss.reconstruction = bce the loss takes logits: use act=none; pictures apply the sigmoid",
            layer->name);
}

void clv_config_check(const clv_config *config, clv_problems *problems)
{
    checker c = {config, problems};
    check_effects(&c);
    check_monitor(&c);
    check_test_share(&c);
    check_section(&c, CLV_IN_encoder);
    if (setting(&c, CLV_KEY_experiment_task)->bad) return;
    check_section(&c, clv_section_in_force(config, CLV_IN_decoder) ? CLV_IN_decoder : CLV_IN_classifier);
    check_gaussian(&c);
    check_logits(&c);
}
