/* clave classify RUN IMAGE...: what a classifier says of images, most probable first. */
#include <jansson.h>
#include <stdlib.h>

#include "base/try.h"
#include "clave/experiment.h"
#include "cli/cli.h"

#define SHOWN 3 /* classes of each image, for people; --json has all */

/* The next most probable class behind `done` others; ties go to the first. */
static int next_best(const double *probability, int classes, const bool *taken)
{
    int best = -1;
    for (int c = 0; c < classes; c++)
        if (!taken[c] && (best < 0 || probability[c] > probability[best])) best = c;
    return best;
}

static void print_answer(const char *name, const clv_answers *a, const double *probability)
{
    bool taken[256] = {false};
    printf("%s:", name);
    for (int k = 0; k < SHOWN && k < a->classes; k++) {
        int c = next_best(probability, a->classes < 256 ? a->classes : 256, taken);
        taken[c] = true;
        printf("  %s %.4f", a->class_name[c], probability[c]);
    }
    putchar('\n');
}

static json_t *answer_json(const char *name, const clv_answers *a, const double *probability)
{
    const bool none[256] = {false};
    json_t *all = json_object();
    for (int c = 0; c < a->classes; c++) json_object_set_new(all, a->class_name[c], json_real(probability[c]));
    int best = next_best(probability, a->classes < 256 ? a->classes : 256, none);
    return json_pack("{s:s, s:s, s:f, s:o}", "image", name, "class", a->class_name[best], "probability",
                     probability[best], "probabilities", all);
}

clv_status cli_classify(const cli_args *args, clv_error *err)
{
    clv_config *config = NULL;
    clv_answers answers = {0};
    clv_status status = CLV_OK;
    CLV_REQUIRE(args->name_count > 0, CLV_ERR_CONFIG,
                "clave classify takes images behind the run: PNG files, or indices of test images");
    CLV_TRY(clv_run_config(args->target, args->overrides, args->override_count, &config, err));
    CLV_TRY(clv_classify(args->target, config, args->names, args->name_count, args->log, &answers, err));
    json_t *list = args->json ? json_array() : NULL;
    for (int i = 0; i < answers.images; i++) {
        const double *probability = answers.probability + (size_t)i * (size_t)answers.classes;
        if (list)
            json_array_append_new(list, answer_json(args->names[i], &answers, probability));
        else
            print_answer(args->names[i], &answers, probability);
    }
    if (list) CLV_TRY(cli_print_json(json_pack("{s:o}", "answers", list), err));
done:
    clv_answers_free(&answers);
    clv_config_destroy(config);
    return status;
}
