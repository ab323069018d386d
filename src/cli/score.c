/* clave score RUN [IMAGE.png ...] [--split S] [--top N] [--csv FILE]: images ranked by their anomaly. */
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "base/try.h"
#include "clave/experiment.h"
#include "cli/cli.h"

/* What the user calls an image: as it was named, or its index. */
static const char *name_of(const cli_args *args, const clv_score_row *row, char buffer[16])
{
    if (args->name_count) return args->names[row->image];
    snprintf(buffer, 16, "%" PRIu32, row->image);
    return buffer;
}

/* The name of its class, or "". */
static const char *label_of(const clv_score_result *result, const clv_score_row *row)
{
    return row->label >= 0 && row->label < result->classes ? result->class_name[row->label] : "";
}

static uint32_t rows_shown(const cli_args *args, const clv_score_result *result)
{
    const uint32_t top = args->top ? (uint32_t)args->top : args->name_count ? result->count : 10;
    return top < result->count ? top : result->count;
}

static void print_table(const cli_args *args, const clv_score_result *result)
{
    char name[16];
    const uint32_t rows = rows_shown(args, result);
    int width = (int)strlen("image"), label_width = (int)strlen("label");
    for (uint32_t i = 0; i < rows; i++) {
        const int length = (int)strlen(name_of(args, &result->row[i], name)),
                  label_length = (int)strlen(label_of(result, &result->row[i]));
        if (length > width) width = length;
        if (label_length > label_width) label_width = label_length;
    }
    printf("%5s  %-*s  %*s  %13s  %10s", "rank", width, "image", label_width, "label", result->measure, "percentile");
    if (result->vae) printf("  %10s  %10s", result->loss, "kl");
    putchar('\n');
    for (uint32_t i = 0; i < rows; i++) {
        const clv_score_row *row = &result->row[i];
        printf("%5" PRIu32 "  %-*s  %*s  %13.6g  %10.2f", i + 1, width, name_of(args, row, name), label_width,
               label_of(result, row), row->score, row->percentile);
        if (result->vae) printf("  %10.5g  %10.5g", row->loss, row->kl);
        putchar('\n');
    }
    if (*result->path) puts(result->path);
}

/* A field of a CSV file (RFC 4180): quoted where it must be, quotes doubled. */
static void append_field(clv_text *text, const char *field)
{
    const bool plain = !strpbrk(field, ",\"\r\n");
    if (plain) {
        clv_text_append(text, "%s", field);
        return;
    }
    clv_text_append(text, "\"");
    for (const char *at = field; *at; at++) {
        if (*at == '"') clv_text_append(text, "\"");
        clv_text_append_bytes(text, at, 1);
    }
    clv_text_append(text, "\"");
}

static clv_status write_csv(const cli_args *args, const clv_score_result *result, clv_error *err)
{
    clv_text text = {0};
    char name[16];
    clv_status status = CLV_OK;
    clv_text_append(&text, "rank,image,label,%s,percentile", result->measure);
    if (result->vae) clv_text_append(&text, ",%s,kl", result->loss);
    clv_text_append(&text, "\n");
    for (uint32_t i = 0; i < result->count; i++) {
        const clv_score_row *row = &result->row[i];
        clv_text_append(&text, "%" PRIu32 ",", i + 1);
        append_field(&text, name_of(args, row, name));
        clv_text_append(&text, ",");
        append_field(&text, label_of(result, row));
        clv_text_append(&text, ",%.9g,%.4f", row->score, row->percentile);
        if (result->vae) clv_text_append(&text, ",%.9g,%.9g", row->loss, row->kl);
        clv_text_append(&text, "\n");
    }
    CLV_REQUIRE(!text.failed, CLV_ERR_INTERNAL, "out of memory for a table of %u scores", result->count);
    CLV_TRY(clv_file_write(args->csv, text.text, text.length, err));
done:
    clv_text_free(&text);
    return status;
}

static json_t *row_json(const cli_args *args, const clv_score_result *result, const clv_score_row *row)
{
    json_t *object = args->name_count ? json_pack("{s:s}", "image", args->names[row->image])
                                      : json_pack("{s:I}", "image", (json_int_t)row->image);
    if (*label_of(result, row)) json_object_set_new(object, "label", json_string(label_of(result, row)));
    json_object_set_new(object, "score", json_real(row->score));
    json_object_set_new(object, "percentile", json_real(row->percentile));
    if (!result->vae) return object;
    json_object_set_new(object, result->loss, json_real(row->loss));
    json_object_set_new(object, "kl", json_real(row->kl));
    return object;
}

/* NULL where a name is not UTF-8, or memory ran out. */
static json_t *to_json(const cli_args *args, const char *split, const clv_score_result *result)
{
    json_t *ranked = json_array();
    bool whole = ranked != NULL;
    for (uint32_t i = 0; i < rows_shown(args, result) && whole; i++)
        whole = json_array_append_new(ranked, row_json(args, result, &result->row[i])) == 0;
    if (!whole) return json_decref(ranked), NULL;
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:I, s:f, s:o}", "run", args->target, "split", split, "measure", result->measure,
                  "images", (json_int_t)result->count, "mean", result->mean, "ranked", ranked);
    if (object && *result->path) json_object_set_new(object, "picture", json_string(result->path));
    return object;
}

clv_status cli_score(const cli_args *args, clv_error *err)
{
    clv_config *config = NULL;
    clv_score_result result = {0};
    const char *split = args->split ? args->split : "test";
    clv_score_options options = {.picture = {.path = args->out,
                                             .count = (int)args->top,
                                             .scale = (int)args->scale,
                                             .split = split,
                                             .log = args->log},
                                 .names = args->names,
                                 .name_count = args->name_count};
    clv_status status = CLV_OK;
    CLV_TRY(clv_run_config(args->target, args->overrides, args->override_count, &config, err));
    CLV_TRY(clv_score(args->target, config, &options, &result, err));
    if (args->csv) CLV_TRY(write_csv(args, &result, err));
    if (args->json)
        CLV_TRY(cli_print_json(to_json(args, split, &result), err));
    else
        print_table(args, &result);
done:
    clv_score_free(&result);
    clv_config_destroy(config);
    return status;
}
