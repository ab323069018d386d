/* Fuzzing the reader of safetensors files: LLVMFuzzerTestOneInput takes any bytes. With libFuzzer:
 *   clang -fsanitize=fuzzer,address,undefined -I include -I src tests/fuzz_safetensors.c (libclave) -ljansson
 * test_checkpoint drives it with damaged checkpoints. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "model/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* A file that was taken holds what its entries say: each byte of each tensor is read, and all lie within the file. */
static void use_tensors(const clv_safetensors *file, const uint8_t *bytes, size_t size)
{
    size_t total = 0;
    for (int i = 0; i < file->tensors; i++) {
        const clv_tensor *t = &file->tensor[i];
        if (t->data < bytes || t->size > size - (size_t)(t->data - bytes) || t->rank > CLV_SAFETENSORS_RANK) abort();
        if (strlen(t->name) > size || strlen(t->dtype) > 8) abort();
        float *value = malloc(t->size + sizeof *value);
        if (value) clv_safetensors_floats(t, value);
        free(value);
        total += t->size;
    }
    if (total > size) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    clv_safetensors file;
    clv_error err = {0};
    uint8_t *copy = malloc(size ? size : 1); /* of the exact size, so that a sanitizer sees a read beyond */
    if (!copy) return 0;
    if (size) memcpy(copy, bytes, size);
    if (clv_safetensors_parse("fuzz", copy, size, &file, &err) == CLV_OK) {
        use_tensors(&file, copy, size);
        clv_safetensors_metadata(&file, "format");
        clv_safetensors_destroy(&file);
    } else if (err.status != CLV_ERR_DATA || !err.message[0]) {
        abort();
    }
    free(copy);
    return 0;
}
