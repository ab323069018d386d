/* Answers of a classifier. Probabilities are the softmax of the logits, in double. */
#include "experiment/classes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/try.h"
#include "clave/report.h"
#include "experiment/codes.h"
#include "experiment/drawing.h"
#include "experiment/given.h"
#include "experiment/measures.h"
#include "experiment/run_folder.h"

#define MISTAKE_COLUMNS 6

void clv_class_figures_free(clv_class_figures *figures)
{
    free(figures->of);
    free(figures->confusion);
    *figures = (clv_class_figures){0};
}

void clv_answers_free(clv_answers *answers)
{
    free(answers->class_name);
    free(answers->probability);
    *answers = (clv_answers){0};
}

/* The first of the largest, as the op `correct` has it. */
static int largest(const float *logits, int classes)
{
    int best = 0;
    for (int c = 1; c < classes; c++)
        if (logits[c] > logits[best]) best = c;
    return best;
}

static void softmax(const float *logits, int classes, double *probability)
{
    double sum = 0, top = (double)logits[largest(logits, classes)];
    for (int c = 0; c < classes; c++) sum += probability[c] = exp((double)logits[c] - top);
    for (int c = 0; c < classes; c++) probability[c] /= sum;
}

/* A data set's name of a class, or its number where the set has fewer classes than the network. */
static void name_class(const clv_images *images, int class, char name[64])
{
    if (class < images->classes)
        snprintf(name, 64, "%s", images->class_name[class]);
    else
        snprintf(name, 64, "%d", class);
}

static clv_status allocate(clv_class_figures *figures, int classes, clv_error *err)
{
    figures->classes = classes;
    figures->of = clv_alloc((size_t)classes, sizeof *figures->of, err);
    figures->confusion =
        figures->of ? clv_alloc((size_t)classes * (size_t)classes, sizeof *figures->confusion, err) : NULL;
    return figures->confusion ? CLV_OK : CLV_ERR_INTERNAL;
}

static void count(const float *logits, const uint8_t *label, uint32_t places, clv_class_figures *f)
{
    for (uint32_t i = 0; i < places; i++)
        f->confusion[label[i] * f->classes + largest(logits + (size_t)i * (size_t)f->classes, f->classes)]++;
    for (int c = 0; c < f->classes; c++) {
        struct clv_class_figure *of = &f->of[c];
        for (int other = 0; other < f->classes; other++) {
            of->count += f->confusion[c * f->classes + other];
            of->answers += f->confusion[other * f->classes + c];
        }
        of->right = f->confusion[c * f->classes + c];
        of->precision = of->answers ? (double)of->right / of->answers : (double)NAN;
        of->recall = of->count ? (double)of->right / of->count : (double)NAN;
    }
}

clv_status clv_count_answers(clv_session *s, const char *split, clv_class_figures *figures, float *logits,
                             clv_error *err)
{
    uint32_t first, places;
    int dataset, classes = clv_model_classes(s->model);
    float *own = NULL;
    clv_class_figures made = {0};
    clv_status status = CLV_OK;
    CLV_TRY(clv_split_dataset(split, &dataset, err));
    CLV_TRY(clv_session_split(s, split, &first, &places, err));
    CLV_TRY(clv_images_need_labels(&s->images[dataset], classes, err));
    CLV_TRY(allocate(&made, classes, err));
    if (!logits) logits = own = clv_alloc((size_t)places * (size_t)classes, sizeof *own, err);
    CLV_REQUIRE(logits, CLV_ERR_INTERNAL, "out of memory for the answers to %u images", places);
    CLV_TRY(clv_classify_places(s, dataset, first, places, logits, err));
    count(logits, s->images[dataset].label + first, places, &made);
    for (int c = 0; c < classes; c++) name_class(&s->images[dataset], c, made.of[c].name);
    *figures = made;
    made = (clv_class_figures){0};
done:
    clv_class_figures_free(&made);
    free(own);
    return status;
}

/* NaN has no place in JSON. */
static json_t *share_json(double share) { return isnan(share) ? json_null() : json_real(share); }

json_t *clv_class_figures_json(const clv_class_figures *f)
{
    json_t *classes = json_array(), *matrix = json_array();
    for (int c = 0; c < f->classes; c++) {
        const struct clv_class_figure *of = &f->of[c];
        json_t *row = json_array();
        for (int other = 0; other < f->classes; other++)
            json_array_append_new(row, json_integer(f->confusion[c * f->classes + other]));
        json_array_append_new(matrix, row);
        json_array_append_new(classes,
                              json_pack("{s:s, s:I, s:o, s:o}", "class", of->name, "count", (json_int_t)of->count,
                                        "precision", share_json(of->precision), "recall", share_json(of->recall)));
    }
    return json_pack("{s:o, s:o}", "classes", classes, "confusion", matrix);
}

/* ---- pictures ---- */

static clv_status write_confusion(const char *path, const void *confusion, clv_error *err)
{
    return clv_confusion_write(path, confusion, err);
}

static clv_status draw_confusion(const char *run, const char *split, const clv_class_figures *f, clv_error *err)
{
    char folder[CLV_PATH_SIZE], title[64];
    clv_status status = CLV_OK;
    const char **name = clv_alloc((size_t)f->classes, sizeof *name, err);
    if (!name) return CLV_ERR_INTERNAL;
    for (int c = 0; c < f->classes; c++) name[c] = f->of[c].name;
    snprintf(title, sizeof title, "Answers on the %s images", split);
    clv_confusion confusion = {title, f->classes, name, f->confusion};
    CLV_TRY(clv_path_join(folder, sizeof folder, run, CLV_FIGURES_FOLDER, err));
    CLV_TRY(clv_draw_both(folder, "confusion", write_confusion, &confusion, err));
done:
    free(name);
    return status;
}

/* A wrong answer. */
typedef struct mistake {
    uint32_t place; /* in the split */
    int answer;
    double probability;
} mistake;

static int by_confidence(const void *a, const void *b)
{
    const mistake *x = a, *y = b;
    if (x->probability > y->probability || x->probability < y->probability)
        return x->probability < y->probability ? 1 : -1;
    return (x->place > y->place) - (x->place < y->place);
}

/* The wrong answers in the order of their probability; returns how many. `scratch`: a probability a class. */
static uint32_t find_mistakes(const float *logits, const uint8_t *label, uint32_t places, int classes, double *scratch,
                              mistake *found)
{
    uint32_t mistakes = 0;
    for (uint32_t i = 0; i < places; i++) {
        const float *own = logits + (size_t)i * (size_t)classes;
        int answer = largest(own, classes);
        if (answer == label[i]) continue;
        softmax(own, classes, scratch);
        found[mistakes++] = (mistake){i, answer, scratch[answer]};
    }
    qsort(found, mistakes, sizeof *found, by_confidence);
    return mistakes;
}

static clv_status draw_mistakes(const clv_images *images, uint32_t first, const mistake *found, int wanted, int scale,
                                const char *path, clv_error *err)
{
    clv_status status = CLV_OK;
    size_t pixels = (size_t)images->channels * (size_t)images->height * (size_t)images->width;
    char name[2][64], (*text)[160] = clv_alloc((size_t)wanted + 1, sizeof *text, err);
    const char **caption = clv_alloc((size_t)wanted + 1, sizeof *caption, err);
    float *pixel = clv_alloc((size_t)wanted * pixels + 1, sizeof *pixel, err);
    CLV_REQUIRE(text && caption && pixel, CLV_ERR_INTERNAL, "out of memory for a picture of %d mistakes", wanted);
    for (int i = 0; i < wanted; i++) {
        uint32_t place = first + found[i].place;
        for (size_t p = 0; p < pixels; p++)
            pixel[(size_t)i * pixels + p] = (float)images->pixel[place * pixels + p] / 255;
        name_class(images, images->label[place], name[0]);
        name_class(images, found[i].answer, name[1]);
        snprintf(text[i], sizeof text[i], "%s as %s, %.2f", name[0], name[1], found[i].probability);
        caption[i] = text[i];
    }
    const clv_gallery gallery = {.title = "The most confident mistakes: class as answer, probability",
                                 .channels = images->channels,
                                 .height = images->height,
                                 .width = images->width,
                                 .count = wanted,
                                 .columns = MISTAKE_COLUMNS,
                                 .pixel = pixel,
                                 .caption = caption,
                                 .scale = scale};
    CLV_TRY(clv_gallery_write(path, &gallery, err));
done:
    free(text);
    free(caption);
    free(pixel);
    return status;
}

clv_status clv_draw_answers(clv_session *s, const char *run, const char *split, int mistakes, int scale,
                            clv_class_figures *figures, clv_error *err)
{
    uint32_t first, places;
    int dataset, classes = clv_model_classes(s->model);
    char path[CLV_PATH_SIZE];
    float *logits = NULL;
    double *scratch = NULL;
    mistake *found = NULL;
    clv_status status = CLV_OK;
    CLV_TRY(clv_split_dataset(split, &dataset, err));
    CLV_TRY(clv_session_split(s, split, &first, &places, err));
    logits = clv_alloc((size_t)places * (size_t)classes, sizeof *logits, err);
    scratch = clv_alloc((size_t)classes, sizeof *scratch, err);
    found = clv_alloc(places, sizeof *found, err);
    CLV_REQUIRE(logits && scratch && found, CLV_ERR_INTERNAL, "out of memory for the answers to %u images", places);
    CLV_TRY(clv_count_answers(s, split, figures, logits, err));
    CLV_TRY(draw_confusion(run, split, figures, err));
    uint32_t wrong = find_mistakes(logits, s->images[dataset].label + first, places, classes, scratch, found);
    if (wrong < (uint32_t)mistakes) mistakes = (int)wrong;
    CLV_TRY(clv_figure_path(run, "mistakes.png", path, err));
    CLV_TRY(draw_mistakes(&s->images[dataset], first, found, mistakes, 2 * scale, path, err));
done:
    free(logits);
    free(scratch);
    free(found);
    return status;
}

/* ---- single images ---- */

static clv_status answer(clv_session *s, clv_answers *answers, clv_error *err)
{
    const clv_images *images = &s->images[CLV_DATASET_TEST];
    int classes = clv_model_classes(s->model);
    size_t numbers = (size_t)images->count * (size_t)classes;
    clv_answers made = {.images = (int)images->count, .classes = classes};
    clv_status status = CLV_OK;
    float *logits = clv_alloc(numbers, sizeof *logits, err);
    made.class_name = clv_alloc((size_t)classes, sizeof *made.class_name, err);
    made.probability = clv_alloc(numbers, sizeof *made.probability, err);
    CLV_REQUIRE(logits && made.class_name && made.probability, CLV_ERR_INTERNAL, "out of memory for %u answers",
                images->count);
    CLV_TRY(clv_classify_places(s, CLV_DATASET_TEST, 0, images->count, logits, err));
    for (int c = 0; c < classes; c++) name_class(images, c, made.class_name[c]);
    for (size_t i = 0; i < images->count; i++)
        softmax(logits + i * (size_t)classes, classes, made.probability + i * (size_t)classes);
    *answers = made;
    made = (clv_answers){0};
done:
    free(logits);
    clv_answers_free(&made);
    return status;
}

clv_status clv_classify(const char *run, const clv_config *config, const char *const *image, int images, clv_log *log,
                        clv_answers *answers, clv_error *err)
{
    clv_session *s = NULL;
    clv_images given = {0};
    clv_status status = CLV_OK;
    clv_phase_request request = {CLV_MODE_CLASSIFY, CLV_DATASET_TEST};
    CLV_REQUIRE(!strcmp(clv_config_string(config, "experiment.task"), "classify"), CLV_ERR_CONFIG,
                "%s: is no classifier: train one by experiment.task = classify", run);
    CLV_TRY(clv_given_read(config, "test", image, images, &given, NULL, err));
    CLV_TRY(clv_given_open(run, config, log, &request, 1, &given, &s, err));
    CLV_TRY(answer(s, answers, err));
done:
    clv_images_free(&given);
    clv_session_close(s);
    return status;
}
