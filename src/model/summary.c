/* The model as a table: what each layer makes, how many parameters it has and what it costs. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "base/try.h"
#include "model/build.h"
#include "model/patterns.h"

enum { LAYER, TYPE, OUTPUT, PARAMETERS, MULTIPLY_ADDS, COLUMNS };

typedef struct clv_summary_row {
    char cell[COLUMNS][192];
} summary_row;

typedef struct clv_summary {
    summary_row *row;
    size_t rows, capacity;
    uint64_t parameters, multiply_adds;
} summary;

/* 1234567 as "1,234,567". */
static void print_count(uint64_t count, char text[192])
{
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, count), to = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) text[to++] = ',';
        text[to++] = digits[i];
    }
    text[to] = '\0';
}

/* As in the file: the type and the arguments that it sets. */
static void print_type(const clv_layer *layer, bool frozen, char text[192])
{
    int used = snprintf(text, 192, "%s", layer->type);
    for (int i = 0; i < layer->args && used < 192; i++)
        if (layer->arg[i].set)
            used += snprintf(text + used, (size_t)(192 - used), " %s=%s", layer->arg[i].name, layer->arg[i].value);
    if (frozen && used < 192) snprintf(text + used, (size_t)(192 - used), " (frozen)");
}

static clv_status add_row(summary *s, summary_row **row, clv_error *err)
{
    clv_status status = clv_grow(&s->row, &s->capacity, s->rows + 1, sizeof *s->row, err);
    if (status == CLV_OK) *row = &s->row[s->rows++];
    return status;
}

static void print_output(const clv_shape *shape, char text[192])
{
    snprintf(text, 192, "%dx%dx%d", shape->dim[0], shape->dim[1], shape->dim[2]);
}

/* The row of the layer whose nodes are first .. the graph's last. */
static clv_status add_layer(summary *s, const clv_builder *b, const clv_layer *layer, clv_node first, clv_error *err)
{
    summary_row *row;
    clv_status status = add_row(s, &row, err);
    if (status != CLV_OK) return status;
    uint64_t parameters = 0, multiply_adds = 0;
    for (clv_node i = first; i < clv_graph_size(b->graph); i++) {
        const clv_node_info *node = clv_graph_node(b->graph, i);
        if (node->op == CLV_OP_PARAM) parameters += (uint64_t)clv_shape_elements(&node->shape);
        multiply_adds += clv_node_multiply_adds(b->graph, i);
    }
    snprintf(row->cell[LAYER], sizeof row->cell[LAYER], "%s", layer->name);
    bool frozen =
        parameters > 0 && clv_patterns_match(clv_config_string(b->model->config, "transfer.freeze"), layer->name);
    print_type(layer, frozen, row->cell[TYPE]);
    print_output(&clv_graph_node(b->graph, b->x)->shape, row->cell[OUTPUT]);
    print_count(parameters, row->cell[PARAMETERS]);
    print_count(multiply_adds, row->cell[MULTIPLY_ADDS]);
    s->parameters += parameters;
    s->multiply_adds += multiply_adds;
    return CLV_OK;
}

static clv_status add_layers(summary *s, clv_builder *b, const clv_layer *layer, int rows, clv_error *err)
{
    clv_status status = CLV_OK;
    for (int i = 0; i < rows && status == CLV_OK; i++) {
        clv_node first = clv_graph_size(b->graph);
        CLV_TRY(clv_build_row(b, &layer[i], err));
        CLV_TRY(add_layer(s, b, &layer[i], first, err));
    }
done:
    return status;
}

static clv_status add_head(summary *s, clv_builder *b, clv_error *err)
{
    static const char *const title[COLUMNS] = {"layer", "type", "output", "parameters", "multiply-adds"};
    summary_row *row;
    clv_status status;
    CLV_TRY(add_row(s, &row, err));
    for (int i = 0; i < COLUMNS; i++) snprintf(row->cell[i], sizeof row->cell[i], "%s", title[i]);
    CLV_TRY(clv_build_images(b, 0, err));
    CLV_TRY(add_row(s, &row, err));
    snprintf(row->cell[LAYER], sizeof row->cell[LAYER], "images");
    print_output(&clv_graph_node(b->graph, b->x)->shape, row->cell[OUTPUT]);
done:
    return status;
}

static clv_status add_total(summary *s, clv_error *err)
{
    summary_row *row;
    clv_status status = add_row(s, &row, err);
    if (status != CLV_OK) return status;
    snprintf(row->cell[LAYER], sizeof row->cell[LAYER], "total");
    print_count(s->parameters, row->cell[PARAMETERS]);
    print_count(s->multiply_adds, row->cell[MULTIPLY_ADDS]);
    return CLV_OK;
}

/* Words to the left, figures to the right; no blanks at the end. */
static void write_row(const summary_row *row, const int width[COLUMNS], FILE *file)
{
    int last = COLUMNS - 1;
    while (last > 0 && !row->cell[last][0]) last--;
    for (int c = 0; c < last; c++) fprintf(file, "%*s  ", c < PARAMETERS ? -width[c] : width[c], row->cell[c]);
    fprintf(file, "%*s\n", last < PARAMETERS ? 0 : width[last], row->cell[last]);
}

static void write_table(const summary *s, FILE *file)
{
    int width[COLUMNS] = {0};
    for (size_t i = 0; i < s->rows; i++)
        for (int c = 0; c < COLUMNS; c++)
            if ((int)strlen(s->row[i].cell[c]) > width[c]) width[c] = (int)strlen(s->row[i].cell[c]);
    for (size_t i = 0; i < s->rows; i++) write_row(&s->row[i], width, file);
}

clv_status clv_model_print(const clv_model *model, FILE *file, clv_error *err)
{
    clv_status status;
    clv_builder b;
    summary s = {0};
    CLV_TRY(clv_builder_start(&b, model, CLV_MODE_TRAIN, err));
    CLV_TRY(add_head(&s, &b, err));
    CLV_TRY(add_layers(&s, &b, model->encoder, model->encoder_rows, err));
    CLV_TRY(add_layers(&s, &b, model->decoder, model->decoder_rows, err));
    CLV_TRY(add_layers(&s, &b, model->classifier, model->classifier_rows, err));
    CLV_TRY(add_total(&s, err));
    write_table(&s, file);
    CLV_REQUIRE(fflush(file) == 0 && !ferror(file), CLV_ERR_INTERNAL, "cannot write the table of layers: %s",
                strerror(errno));
done:
    clv_builder_finish(&b);
    free(s.row);
    return status;
}
