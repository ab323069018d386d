/* The safetensors file format: 8 bytes of header length (little-endian), a JSON header (name -> dtype, shape,
 * data_offsets), data. https://github.com/huggingface/safetensors, "Format". Files are untrusted: reading checks
 * everything before it is used. */
#ifndef CLAVE_MODEL_SAFETENSORS_H
#define CLAVE_MODEL_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "clave/error.h"

#define CLV_SAFETENSORS_RANK   8          /* most dimensions of a tensor */
#define CLV_SAFETENSORS_HEADER 100000000u /* most bytes of a header, the limit of the reference implementation */

typedef struct clv_tensor {
    const char *name;
    const char *dtype; /* "F32" */
    int rank;
    int64_t dim[CLV_SAFETENSORS_RANK];
    const uint8_t *data; /* reading: `size` bytes in the file, little-endian */
    size_t size;
} clv_tensor;

typedef struct clv_safetensors {
    int tensors;
    clv_tensor *tensor; /* in the order of their data; names, dtypes and data live in the header and the bytes read */
    struct json_t *header; /* owns the strings */
} clv_safetensors;

/* Reads a file that lies in memory and must stay there; `name` stands for it in messages. CLV_ERR_DATA where anything
 * is not as the format says: a length beyond the file, broken JSON, a name twice, an unknown dtype, a shape that does
 * not fill its span, spans that overlap, leave holes or end elsewhere than the file. Destroy with
 * clv_safetensors_destroy. */
clv_status clv_safetensors_parse(const char *name, const uint8_t *bytes, size_t size, clv_safetensors *file,
                                 clv_error *err);
void clv_safetensors_destroy(clv_safetensors *file);

/* The value of a metadata key, or NULL. */
const char *clv_safetensors_metadata(const clv_safetensors *file, const char *key);

/* A tensor to write, of `count` floats, the product of `dim`. */
typedef struct clv_tensor_source {
    char name[128];
    int rank;
    int64_t dim[CLV_SAFETENSORS_RANK];
    const float *value;
    size_t count;
} clv_tensor_source;

typedef struct clv_metadata {
    const char *key, *value;
} clv_metadata;

/* The bytes of a file with these tensors (F32) and metadata, in their order; a function of the contents alone. The
 * caller frees *bytes. */
clv_status clv_safetensors_print(const clv_tensor_source *tensor, int tensors, const clv_metadata *metadata,
                                 int entries, uint8_t **bytes, size_t *size, clv_error *err);

/* The floats of an F32 tensor, whatever the machine's byte order. */
void clv_safetensors_floats(const clv_tensor *tensor, float *value);

#endif
