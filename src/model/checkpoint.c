/* Checkpoints: a model's parameters, and where kept the optimiser's moments and the run's counters, as a safetensors
 * file. Everything read is compared with the layout before the first number is handed out. */
#include "model/checkpoint.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/try.h"
#include "model/safetensors.h"

#define FORMAT        "clave-3"
#define FORMAT_PREFIX "clave-" /* of every version of the format; files without it come from other programs */
#define M_PREFIX      "optimizer.m."
#define V_PREFIX      "optimizer.v."
#define MOST_LISTED   3 /* tensors of each kind of misfit that a message names */

/* Most bytes of a file that is read. Another model's checkpoint, of up to a gigabyte more, is still read, so that the
 * message can list what differs. */
static size_t file_limit(const clv_param_layout *layout)
{
    return CLV_SAFETENSORS_HEADER + 3 * sizeof(float) * layout->elements + ((size_t)1 << 30);
}

typedef struct clv_param_place place;

/* ---- the counters as metadata: a table of the fields of clv_train_state ---- */

enum { KEY_COUNT = 14, VALUE_SIZE = CLV_TRAIN_STATE_SUMS * 26 };

typedef enum number_kind { U64, U32, REAL } number_kind;

static const struct field {
    const char *key;
    number_kind kind;
    size_t offset;
    size_t count; /* numbers, with blanks between */
} field_table[KEY_COUNT] = {
    {"seed", U64, offsetof(clv_train_state, seed), 1},
    {"data", U64, offsetof(clv_train_state, data), 1},
    {"step", U32, offsetof(clv_train_state, step), 1},
    {"epoch", U32, offsetof(clv_train_state, epoch), 1},
    {"best_epoch", U32, offsetof(clv_train_state, best_epoch), 1},
    {"best", REAL, offsetof(clv_train_state, best), 1},
    {"waited", U32, offsetof(clv_train_state, waited), 1},
    {"plateau_share", REAL, offsetof(clv_train_state, plateau_share), 1},
    {"plateau_best", REAL, offsetof(clv_train_state, plateau_best), 1},
    {"plateau_epochs", U32, offsetof(clv_train_state, plateau_epochs), 1},
    {"plateau_waited", U32, offsetof(clv_train_state, plateau_waited), 1},
    {"epoch_seconds", REAL, offsetof(clv_train_state, epoch_seconds), 1},
    {"epoch_batches", U32, offsetof(clv_train_state, epoch_batches), 1},
    {"epoch_sum", REAL, offsetof(clv_train_state, epoch_sum), CLV_TRAIN_STATE_SUMS},
};

static const size_t kind_size[] = {[U64] = sizeof(uint64_t), [U32] = sizeof(uint32_t), [REAL] = sizeof(double)};

static void print_number(clv_text *text, number_kind kind, const void *at)
{
    union {
        uint64_t u64;
        uint32_t u32;
        double real;
    } number;
    memcpy(&number, at, kind_size[kind]);
    if (kind == U64) clv_text_append(text, "%" PRIu64, number.u64);
    if (kind == U32) clv_text_append(text, "%" PRIu32, number.u32);
    if (kind == REAL && isnan(number.real)) clv_text_append(text, "nan");                 /* whatever its sign */
    if (kind == REAL && !isnan(number.real)) clv_text_append(text, "%.17g", number.real); /* reads back the same */
}

static clv_status print_field(const struct field *field, const clv_train_state *state, char value[VALUE_SIZE],
                              clv_error *err)
{
    clv_text text = {0};
    for (size_t i = 0; i < field->count; i++) {
        if (i > 0) clv_text_append(&text, " ");
        print_number(&text, field->kind, (const char *)state + field->offset + i * kind_size[field->kind]);
    }
    bool failed = text.failed;
    if (!failed) snprintf(value, VALUE_SIZE, "%s", text.text);
    clv_text_free(&text);
    return failed ? clv_fail(err, CLV_ERR_INTERNAL, "out of memory for the metadata of a checkpoint") : CLV_OK;
}

static bool parse_real(const char *text, double *value)
{
    static const struct {
        const char *text;
        double value;
    } special[] = {{"nan", NAN}, {"inf", INFINITY}, {"-inf", -INFINITY}};
    for (size_t i = 0; i < sizeof special / sizeof special[0]; i++)
        if (!strcmp(text, special[i].text)) {
            *value = special[i].value;
            return true;
        }
    return clv_parse_real(text, value);
}

static bool parse_whole(const char *text, uint64_t limit, uint64_t *value)
{
    *value = 0;
    for (const char *c = text; *c; c++) {
        if (*c < '0' || *c > '9') return false;
        uint64_t digit = (uint64_t)(*c - '0');
        if (*value > (limit - digit) / 10) return false;
        *value = *value * 10 + digit;
    }
    return *text != '\0';
}

static bool parse_number(const char *text, number_kind kind, void *at)
{
    uint64_t whole;
    double real;
    if (kind == REAL) return parse_real(text, &real) && memcpy(at, &real, sizeof real);
    if (!parse_whole(text, kind == U64 ? UINT64_MAX : UINT32_MAX, &whole)) return false;
    uint32_t word = (uint32_t)whole;
    memcpy(at, kind == U64 ? (const void *)&whole : &word, kind_size[kind]);
    return true;
}

static bool parse_field(const struct field *field, const char *value, clv_train_state *state)
{
    char number[64];
    for (size_t i = 0; i < field->count; i++) {
        size_t length = strcspn(value, " ");
        bool last = i + 1 == field->count;
        if (length >= sizeof number || (value[length] == '\0') != last) return false;
        memcpy(number, value, length);
        number[length] = '\0';
        if (!parse_number(number, field->kind, (char *)state + field->offset + i * kind_size[field->kind]))
            return false;
        value += length + 1;
    }
    return true;
}

/* ---- writing ---- */

static void describe(const place *p, const char *prefix, const float *value, clv_tensor_source *tensor)
{
    snprintf(tensor->name, sizeof tensor->name, "%s%s", prefix, p->name);
    tensor->rank = p->shape.rank;
    for (int i = 0; i < p->shape.rank; i++) tensor->dim[i] = p->shape.dim[i];
    tensor->value = value + p->offset;
    tensor->count = (size_t)clv_shape_elements(&p->shape);
}

/* Parameters in the order of the layout, then the moments of the trained ones. */
static int collect(const clv_param_layout *layout, const clv_checkpoint *c, clv_tensor_source *tensor)
{
    const struct {
        const char *prefix;
        const float *value;
        bool frozen; /* holds frozen parameters too */
    } part[] = {{"", c->param, true}, {M_PREFIX, c->moment1, false}, {V_PREFIX, c->moment2, false}};
    int count = 0;
    for (size_t k = 0; k < sizeof part / sizeof part[0]; k++)
        for (int i = 0; part[k].value && i < layout->params; i++)
            if (layout->param[i].trained || part[k].frozen)
                describe(&layout->param[i], part[k].prefix, part[k].value, &tensor[count++]);
    return count;
}

clv_status clv_checkpoint_write(const char *path, const clv_param_layout *layout, const clv_checkpoint *checkpoint,
                                clv_error *err)
{
    clv_status status;
    uint8_t *bytes = NULL;
    size_t size = 0;
    char value[KEY_COUNT][VALUE_SIZE];
    clv_metadata metadata[KEY_COUNT + 1] = {{"format", FORMAT}};
    clv_tensor_source *tensor = clv_alloc(3 * (size_t)layout->params, sizeof *tensor, err);
    if (!tensor) return CLV_ERR_INTERNAL;
    for (int i = 0; i < KEY_COUNT; i++) {
        CLV_TRY(print_field(&field_table[i], &checkpoint->state, value[i], err));
        metadata[i + 1] = (clv_metadata){field_table[i].key, value[i]};
    }
    int tensors = collect(layout, checkpoint, tensor);
    CLV_TRY(clv_safetensors_print(tensor, tensors, metadata, KEY_COUNT + 1, &bytes, &size, err));
    CLV_TRY(clv_file_write(path, bytes, size, err));
done:
    free(bytes);
    free(tensor);
    return status;
}

/* ---- reading ---- */

static const clv_tensor *find(const clv_safetensors *file, const char *prefix, const char *name)
{
    size_t length = strlen(prefix);
    for (int i = 0; i < file->tensors; i++)
        if (!strncmp(file->tensor[i].name, prefix, length) && !strcmp(file->tensor[i].name + length, name))
            return &file->tensor[i];
    return NULL;
}

static bool has_prefix(const char *text, const char *prefix) { return !strncmp(text, prefix, strlen(prefix)); }

static bool in_layout(const clv_param_layout *layout, const char *name)
{
    for (int i = 0; i < layout->params; i++)
        if (!strcmp(layout->param[i].name, name)) return true;
    return false;
}

static bool fits(const clv_tensor *t, const clv_shape *shape)
{
    if (t->rank != shape->rank || strcmp(t->dtype, "F32") != 0) return false;
    for (int i = 0; i < t->rank; i++)
        if (t->dim[i] != shape->dim[i]) return false;
    return true;
}

static void print_file_shape(clv_text *text, const clv_tensor *t)
{
    clv_text_append(text, "%s ", t->dtype);
    for (int i = 0; i < t->rank; i++) clv_text_append(text, "[%" PRId64 "]", t->dim[i]);
}

/* The misfits found so far: a list for people, of the first few of each kind. */
typedef struct misfits {
    clv_text text;
    int missing, extra, unlike;
} misfits;

/* Whether the next one of this kind is still named; counts it. */
static bool named(misfits *m, int *count)
{
    if (++*count > MOST_LISTED) return false;
    if (m->text.length) clv_text_append(&m->text, "; ");
    return true;
}

static void compare_part(const clv_safetensors *file, const clv_param_layout *layout, const char *prefix, bool frozen,
                         const bool *skip, misfits *m)
{
    char shape[CLV_NAME_SIZE];
    for (int i = 0; i < layout->params; i++) {
        const place *p = &layout->param[i];
        if ((!p->trained && !frozen) || (skip && skip[i])) continue;
        const clv_tensor *t = find(file, prefix, p->name);
        if (!t && named(m, &m->missing))
            clv_text_append(&m->text, "missing: %s%s %s", prefix, p->name, clv_shape_print(&p->shape, shape));
        if (t && !fits(t, &p->shape) && named(m, &m->unlike)) {
            clv_text_append(&m->text, "%s is ", t->name);
            print_file_shape(&m->text, t);
            clv_text_append(&m->text, " instead of F32 %s%s", clv_shape_print(&p->shape, shape),
                            strcmp(t->dtype, "F32") != 0 ? " (clave reads F32 alone)" : "");
        }
    }
}

static void compare_extra(const clv_safetensors *file, const clv_param_layout *layout, misfits *m)
{
    for (int i = 0; i < file->tensors; i++) {
        const clv_tensor *t = &file->tensor[i];
        if (has_prefix(t->name, M_PREFIX) || has_prefix(t->name, V_PREFIX) || in_layout(layout, t->name)) continue;
        if (!named(m, &m->extra)) continue;
        clv_text_append(&m->text, "extra: %s ", t->name);
        print_file_shape(&m->text, t);
    }
}

static int unnamed(int count) { return count > MOST_LISTED ? count - MOST_LISTED : 0; }

/* CLV_OK where there are none; releases them. `remedy` ends the message. */
static clv_status report(const char *path, misfits *m, const char *remedy, clv_error *err)
{
    clv_status status = CLV_OK;
    int more = unnamed(m->missing) + unnamed(m->extra) + unnamed(m->unlike);
    if (m->text.failed) {
        status = clv_fail(err, CLV_ERR_INTERNAL, "%s: out of memory comparing it with the model", path);
    } else if (m->text.length) {
        if (more) clv_text_append(&m->text, "; and %d more", more);
        status = clv_fail(err, CLV_ERR_DATA, "%s does not fit the model: %s%s", path, m->text.text, remedy);
    }
    clv_text_free(&m->text);
    return status;
}

static clv_status compare(const char *path, const clv_safetensors *file, const clv_param_layout *layout, bool m1,
                          bool m2, clv_error *err)
{
    misfits m = {0};
    compare_part(file, layout, "", true, NULL, &m);
    compare_extra(file, layout, &m);
    if (m1) compare_part(file, layout, M_PREFIX, false, NULL, &m);
    if (m2) compare_part(file, layout, V_PREFIX, false, NULL, &m);
    return report(path, &m, "", err);
}

/* The counters; `present` is false (and the state 0) for a file of another program. */
static clv_status read_state(const char *path, const clv_safetensors *file, clv_train_state *state, bool *present,
                             clv_error *err)
{
    *state = (clv_train_state){0};
    const char *format = clv_safetensors_metadata(file, "format");
    *present = format && has_prefix(format, FORMAT_PREFIX);
    if (!*present) return CLV_OK;
    if (strcmp(format, FORMAT) != 0)
        return clv_fail(
            err, CLV_ERR_DATA,
            "%s: its format is '%s', this clave reads '%s': another version wrote it; train the run again, or take its "
            "weights over by transfer.from",
            path, format, FORMAT);
    for (int i = 0; i < KEY_COUNT; i++) {
        const char *key = field_table[i].key, *value = clv_safetensors_metadata(file, key);
        if (!value || !parse_field(&field_table[i], value, state))
            return clv_fail(err, CLV_ERR_DATA, "%s: its metadata has %s%s for '%s'; the file is damaged", path,
                            value ? "the value " : "nothing", value ? value : "", key);
    }
    return CLV_OK;
}

static void copy_part(const clv_safetensors *file, const clv_param_layout *layout, const char *prefix, bool frozen,
                      float *value)
{
    for (int i = 0; value && i < layout->params; i++)
        if (layout->param[i].trained || frozen)
            clv_safetensors_floats(find(file, prefix, layout->param[i].name), value + layout->param[i].offset);
}

static bool has_moments(const clv_safetensors *file)
{
    for (int i = 0; i < file->tensors; i++)
        if (has_prefix(file->tensor[i].name, M_PREFIX)) return true;
    return false;
}

clv_status clv_checkpoint_read(const char *path, const clv_param_layout *layout, float *param, float *moment1,
                               float *moment2, clv_train_state *state, clv_error *err)
{
    clv_status status;
    uint8_t *bytes = NULL;
    size_t size = 0;
    clv_safetensors file = {0};
    clv_train_state found;
    bool present;
    CLV_TRY(clv_file_read(path, file_limit(layout), CLV_ERR_DATA, &bytes, &size, err));
    CLV_TRY(clv_safetensors_parse(path, bytes, size, &file, err));
    CLV_TRY(read_state(path, &file, &found, &present, err));
    CLV_REQUIRE((!moment1 && !moment2) || (present && has_moments(&file)), CLV_ERR_DATA,
                "%s holds no training state, only parameters: a run cannot go on from it", path);
    CLV_TRY(compare(path, &file, layout, moment1, moment2, err));
    copy_part(&file, layout, "", true, param);
    copy_part(&file, layout, M_PREFIX, false, moment1);
    copy_part(&file, layout, V_PREFIX, false, moment2);
    if (state) *state = found;
done:
    clv_safetensors_destroy(&file);
    free(bytes);
    return status;
}

/* Names of parameters that the layout has not, blanks between. */
static void list_left(const clv_safetensors *file, const clv_param_layout *layout, clv_text *left)
{
    for (int i = 0; i < file->tensors; i++) {
        const char *name = file->tensor[i].name;
        if (has_prefix(name, M_PREFIX) || has_prefix(name, V_PREFIX) || in_layout(layout, name)) continue;
        clv_text_append(left, "%s%s", left->length ? " " : "", name);
    }
}

clv_status clv_checkpoint_take(const char *path, const clv_param_layout *layout, const bool *skip, float *param,
                               clv_text *left, clv_error *err)
{
    clv_status status;
    uint8_t *bytes = NULL;
    size_t size = 0;
    clv_safetensors file = {0};
    misfits m = {0};
    CLV_TRY(clv_file_read(path, file_limit(layout), CLV_ERR_DATA, &bytes, &size, err));
    CLV_TRY(clv_safetensors_parse(path, bytes, size, &file, err));
    compare_part(&file, layout, "", true, skip, &m);
    CLV_TRY(report(path, &m, "; layers that should start anew are named by transfer.reset", err));
    for (int i = 0; i < layout->params; i++)
        if (!skip[i]) clv_safetensors_floats(find(&file, "", layout->param[i].name), param + layout->param[i].offset);
    list_left(&file, layout, left);
    CLV_REQUIRE(!left->failed, CLV_ERR_INTERNAL, "%s: out of memory for the names of its tensors", path);
done:
    clv_safetensors_destroy(&file);
    free(bytes);
    return status;
}
