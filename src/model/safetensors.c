/* The safetensors format, read and written. Reading takes three steps: the header's place in the file, each entry of
 * the header by itself, and then all spans together, which must cover the data exactly. */
#include "model/safetensors.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/memory.h"
#include "base/try.h"

#define LENGTH_BYTES 8
#define METADATA     "__metadata__"

static const struct {
    const char *name;
    size_t size;
} dtype_table[] = {
    {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"I16", 2}, {"U16", 2}, {"F16", 2},
    {"BF16", 2}, {"I32", 4}, {"U32", 4}, {"F32", 4},     {"I64", 8},     {"U64", 8}, {"F64", 8},
};

/* Bytes of an element; 0: no such type. */
static size_t dtype_size(const char *dtype)
{
    for (size_t i = 0; i < sizeof dtype_table / sizeof dtype_table[0]; i++)
        if (!strcmp(dtype, dtype_table[i].name)) return dtype_table[i].size;
    return 0;
}

static clv_status check_metadata(const char *file, const json_t *metadata, clv_error *err)
{
    if (!json_is_object(metadata))
        return clv_fail(err, CLV_ERR_DATA, "%s: __metadata__ is no object; the file is damaged", file);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)metadata, key, value)
    {
        if (!json_is_string(value))
            return clv_fail(err, CLV_ERR_DATA, "%s: __metadata__ has '%s' that is no string; the file is damaged", file,
                            key);
    }
    return CLV_OK;
}

/* The shape and, in *bytes, what so many elements take. */
static clv_status read_shape(const char *file, const json_t *shape, clv_tensor *t, uint64_t *bytes, clv_error *err)
{
    if (!json_is_array(shape))
        return clv_fail(err, CLV_ERR_DATA, "%s: tensor '%s' has no shape; the file is damaged", file, t->name);
    if (json_array_size(shape) > CLV_SAFETENSORS_RANK)
        return clv_fail(err, CLV_ERR_DATA, "%s: tensor '%s' has %zu dimensions, at most %d are read", file, t->name,
                        json_array_size(shape), CLV_SAFETENSORS_RANK);
    *bytes = dtype_size(t->dtype);
    if (*bytes == 0)
        return clv_fail(err, CLV_ERR_DATA, "%s: tensor '%s' has the unknown type '%s'; clave reads F32", file, t->name,
                        t->dtype);
    t->rank = (int)json_array_size(shape);
    for (int i = 0; i < t->rank; i++) {
        const json_t *dim = json_array_get(shape, (size_t)i);
        if (!json_is_integer(dim) || json_integer_value(dim) < 0)
            return clv_fail(err, CLV_ERR_DATA,
                            "%s: dimension %d of tensor '%s' is no whole number >= 0; the file is damaged", file, i,
                            t->name);
        t->dim[i] = json_integer_value(dim);
        if (t->dim[i] != 0 && *bytes > UINT64_MAX / (uint64_t)t->dim[i])
            return clv_fail(err, CLV_ERR_DATA, "%s: the shape of tensor '%s' overflows; the file is damaged", file,
                            t->name);
        *bytes *= (uint64_t)t->dim[i];
    }
    return CLV_OK;
}

static bool read_span(const json_t *offsets, uint64_t *begin, uint64_t *end)
{
    const json_t *b = json_array_get(offsets, 0), *e = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(b) || !json_is_integer(e)) return false;
    if (json_integer_value(b) < 0 || json_integer_value(e) < json_integer_value(b)) return false;
    *begin = (uint64_t)json_integer_value(b);
    *end = (uint64_t)json_integer_value(e);
    return true;
}

static clv_status read_entry(const char *file, const json_t *entry, const uint8_t *data, size_t data_size,
                             clv_tensor *t, clv_error *err)
{
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    if (!dtype) return clv_fail(err, CLV_ERR_DATA, "%s: tensor '%s' has no dtype; the file is damaged", file, t->name);
    t->dtype = dtype;
    uint64_t bytes = 0, begin, end;
    clv_status status = read_shape(file, json_object_get(entry, "shape"), t, &bytes, err);
    if (status != CLV_OK) return status;
    if (json_object_size(entry) != 3 || !read_span(json_object_get(entry, "data_offsets"), &begin, &end))
        return clv_fail(err, CLV_ERR_DATA,
                        "%s: tensor '%s' has no valid data_offsets or other keys beside; the file is damaged", file,
                        t->name);
    if (end > data_size)
        return clv_fail(err, CLV_ERR_DATA,
                        "%s: tensor '%s' ends at byte %" PRIu64
                        " of %zu bytes of data; the file is cut short or damaged",
                        file, t->name, end, data_size);
    if (end - begin != bytes)
        return clv_fail(err, CLV_ERR_DATA,
                        "%s: tensor '%s' needs %" PRIu64 " bytes by its shape but has %" PRIu64 "; the file is damaged",
                        file, t->name, bytes, end - begin);
    t->data = data + begin;
    t->size = (size_t)bytes;
    return CLV_OK;
}

static int by_place(const void *a, const void *b)
{
    const clv_tensor *x = a, *y = b;
    if (x->data != y->data) return x->data < y->data ? -1 : 1;
    return (x->size > y->size) - (x->size < y->size);
}

static clv_status check_cover(const char *file, const clv_safetensors *st, const uint8_t *data, size_t size,
                              clv_error *err)
{
    const uint8_t *end = data;
    for (int i = 0; i < st->tensors; i++) {
        const clv_tensor *t = &st->tensor[i];
        if (t->data != end)
            return clv_fail(err, CLV_ERR_DATA, "%s: the data of tensor '%s' %s; the file is damaged", file, t->name,
                            t->data < end ? "overlaps another's" : "lies behind a hole");
        end += t->size;
    }
    if (end != data + size)
        return clv_fail(err, CLV_ERR_DATA, "%s: %zu bytes behind the last tensor belong to none; the file is damaged",
                        file, (size_t)(data + size - end));
    return CLV_OK;
}

static clv_status read_header(const char *file, const uint8_t *bytes, size_t size, json_t **header, size_t *length,
                              clv_error *err)
{
    if (size < LENGTH_BYTES)
        return clv_fail(err, CLV_ERR_DATA, "%s: %zu bytes are too few for a safetensors file; it is empty or cut short",
                        file, size);
    uint64_t n = 0;
    for (int i = 0; i < LENGTH_BYTES; i++) n |= (uint64_t)bytes[i] << (8 * i);
    if (n > size - LENGTH_BYTES || n > CLV_SAFETENSORS_HEADER)
        return clv_fail(err, CLV_ERR_DATA,
                        "%s: its first 8 bytes claim a header of %" PRIu64
                        " bytes in a file of %zu (at most %u); it is no "
                        "safetensors file or cut short",
                        file, n, size, CLV_SAFETENSORS_HEADER);
    const char *text = (const char *)bytes + LENGTH_BYTES;
    if (n == 0 || text[0] != '{')
        return clv_fail(err, CLV_ERR_DATA, "%s: its header does not begin with '{'; it is no safetensors file", file);
    json_error_t problem;
    *header = json_loadb(text, (size_t)n, JSON_REJECT_DUPLICATES, &problem);
    if (!*header && json_error_code(&problem) == json_error_out_of_memory)
        return clv_fail(err, CLV_ERR_INTERNAL, "%s: out of memory for its header", file);
    if (!*header)
        return clv_fail(err, CLV_ERR_DATA, "%s: its header is broken JSON (byte %d: %s); the file is damaged", file,
                        problem.position, problem.text);
    *length = (size_t)n;
    return CLV_OK;
}

clv_status clv_safetensors_parse(const char *name, const uint8_t *bytes, size_t size, clv_safetensors *file,
                                 clv_error *err)
{
    clv_status status;
    clv_safetensors st = {0};
    size_t length = 0;
    CLV_TRY(read_header(name, bytes, size, &st.header, &length, err));
    const uint8_t *data = bytes + LENGTH_BYTES + length;
    size_t data_size = size - LENGTH_BYTES - length;
    /* One more than there may be, so that an empty file has an array too. */
    st.tensor = clv_alloc(json_object_size(st.header) + 1, sizeof *st.tensor, err);
    CLV_REQUIRE(st.tensor, CLV_ERR_INTERNAL, "%s: out of memory for %zu tensors", name, json_object_size(st.header));
    const char *key;
    json_t *value;
    json_object_foreach(st.header, key, value)
    {
        if (!strcmp(key, METADATA)) {
            CLV_TRY(check_metadata(name, value, err));
            continue;
        }
        clv_tensor *t = &st.tensor[st.tensors++];
        t->name = key;
        CLV_TRY(read_entry(name, value, data, data_size, t, err));
    }
    qsort(st.tensor, (size_t)st.tensors, sizeof *st.tensor, by_place);
    CLV_TRY(check_cover(name, &st, data, data_size, err));
    *file = st;
    st = (clv_safetensors){0};
done:
    clv_safetensors_destroy(&st);
    return status;
}

void clv_safetensors_destroy(clv_safetensors *file)
{
    free(file->tensor);
    json_decref(file->header);
    *file = (clv_safetensors){0};
}

const char *clv_safetensors_metadata(const clv_safetensors *file, const char *key)
{
    return json_string_value(json_object_get(json_object_get(file->header, METADATA), key));
}

void clv_safetensors_floats(const clv_tensor *tensor, float *value)
{
    for (size_t i = 0; i < tensor->size / 4; i++) {
        const uint8_t *b = tensor->data + 4 * i;
        uint32_t word = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
        memcpy(&value[i], &word, sizeof word);
    }
}

static uint8_t *put_floats(uint8_t *to, const float *value, size_t count)
{
    for (size_t i = 0; i < count; i++, to += 4) {
        uint32_t word;
        memcpy(&word, &value[i], sizeof word);
        for (int k = 0; k < 4; k++) to[k] = (uint8_t)(word >> (8 * k));
    }
    return to;
}

/* NULL where memory ran out; `offset` is where the tensor's data begins. */
static json_t *print_entry(const clv_tensor_source *t, size_t offset)
{
    json_t *shape = json_array();
    for (int i = 0; i < t->rank; i++)
        if (json_array_append_new(shape, json_integer(t->dim[i]))) {
            json_decref(shape);
            return NULL;
        }
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", "F32", "shape", shape, "data_offsets", (json_int_t)offset,
                     (json_int_t)(offset + 4 * t->count));
}

/* The header's text, which free() releases, or NULL where memory ran out; *data: bytes of all tensors. */
static char *print_header(const clv_tensor_source *tensor, int tensors, const clv_metadata *metadata, int entries,
                          size_t *data)
{
    char *text = NULL;
    json_t *header = json_object(), *notes = json_object();
    int failed = json_object_set(header, METADATA, notes);
    for (int i = 0; i < entries; i++)
        failed |= json_object_set_new(notes, metadata[i].key, json_string(metadata[i].value));
    *data = 0;
    for (int i = 0; i < tensors; i++) {
        failed |= json_object_set_new(header, tensor[i].name, print_entry(&tensor[i], *data));
        *data += 4 * tensor[i].count;
    }
    if (!failed) text = json_dumps(header, JSON_COMPACT | JSON_PRESERVE_ORDER);
    json_decref(notes);
    json_decref(header);
    return text;
}

clv_status clv_safetensors_print(const clv_tensor_source *tensor, int tensors, const clv_metadata *metadata,
                                 int entries, uint8_t **bytes, size_t *size, clv_error *err)
{
    size_t data;
    char *header = print_header(tensor, tensors, metadata, entries, &data);
    if (!header)
        return clv_fail(err, CLV_ERR_INTERNAL, "out of memory for the header of a checkpoint of %d tensors", tensors);
    size_t length = strlen(header), padded = (length + 7) / 8 * 8;
    uint8_t *file = clv_alloc(LENGTH_BYTES + padded + data, 1, err);
    if (file) {
        for (int i = 0; i < LENGTH_BYTES; i++) file[i] = (uint8_t)((uint64_t)padded >> (8 * i));
        uint8_t *to = file + LENGTH_BYTES;
        memcpy(to, header, length);
        memset(to + length, ' ', padded - length);
        to += padded;
        for (int i = 0; i < tensors; i++) to = put_floats(to, tensor[i].value, tensor[i].count);
        *bytes = file;
        *size = LENGTH_BYTES + padded + data;
    }
    free(header);
    return file ? CLV_OK : CLV_ERR_INTERNAL;
}
