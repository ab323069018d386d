/* The cache of built programs: one file a program, named by its key. A file is a header and the driver's binary; one
 * that is corrupt, cut short or of another key is as good as none, and a folder that cannot be written only means no
 * cache. Of bundles there is the text too, which finds what the driver keeps itself, and in the file `bundles` a line
 * for each of their units that says which bundle it is in. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/opencl/opencl.h"
#include "base/file.h"
#include "base/memory.h"

#define CLV_BINARY_LIMIT ((size_t)256 << 20)

typedef struct binary_header {
    char magic[8];
    clv_hash key, payload; /* payload: hash of the binary */
    uint64_t size;         /* of the binary */
} binary_header;

static const char magic[8] = "CLVBIN1";

#define BINARY ".bin"
#define TEXT   ".cl"

static bool file_of(const char *folder, clv_hash key, const char *kind, char *path, size_t size)
{
    char name[33 + 4];
    if (!*folder) return false;
    clv_hash_print(key, name);
    strcat(name, kind);
    return clv_path_join(path, size, folder, name, NULL) == CLV_OK;
}

bool clv_cl_cache_load(const char *folder, clv_hash key, unsigned char **binary, size_t *size)
{
    char path[1024];
    uint8_t *bytes = NULL;
    size_t length = 0;
    binary_header header;
    if (!file_of(folder, key, BINARY, path, sizeof path)) return false;
    if (clv_file_read(path, CLV_BINARY_LIMIT, CLV_ERR_INTERNAL, &bytes, &length, NULL) != CLV_OK) return false;
    bool whole = length > sizeof header;
    if (whole) {
        memcpy(&header, bytes, sizeof header);
        const clv_hash hash = clv_hash_bytes(bytes + sizeof header, length - sizeof header);
        whole = !memcmp(header.magic, magic, sizeof magic) && !memcmp(&header.key, &key, sizeof key) &&
                header.size == length - sizeof header && !memcmp(&header.payload, &hash, sizeof hash);
    }
    if (!whole) {
        free(bytes);
        return false;
    }
    *size = length - sizeof header;
    memmove(bytes, bytes + sizeof header, *size);
    *binary = bytes;
    return true;
}

bool clv_cl_cache_store(const char *folder, clv_hash key, const unsigned char *binary, size_t size)
{
    char path[1024];
    binary_header header = {.key = key, .payload = clv_hash_bytes(binary, size), .size = size};
    memcpy(header.magic, magic, sizeof magic);
    if (!file_of(folder, key, BINARY, path, sizeof path)) return false;
    unsigned char *bytes = clv_alloc(sizeof header + size, 1, NULL);
    if (!bytes) return false;
    memcpy(bytes, &header, sizeof header);
    memcpy(bytes + sizeof header, binary, size);
    const clv_status status = clv_file_write(path, bytes, sizeof header + size, NULL);
    free(bytes);
    return status == CLV_OK;
}

bool clv_cl_cache_has(const char *folder, clv_hash key)
{
    char path[1024];
    return file_of(folder, key, BINARY, path, sizeof path) && access(path, R_OK) == 0;
}

/* ---- bundles ---- */

bool clv_cl_cache_has_text(const char *folder, clv_hash bundle)
{
    char path[1024];
    return file_of(folder, bundle, TEXT, path, sizeof path) && access(path, R_OK) == 0;
}

bool clv_cl_cache_load_text(const char *folder, clv_hash bundle, clv_text *text)
{
    char path[1024];
    uint8_t *bytes = NULL;
    size_t length;
    if (!file_of(folder, bundle, TEXT, path, sizeof path) ||
        clv_file_read(path, CLV_BINARY_LIMIT, CLV_ERR_INTERNAL, &bytes, &length, NULL) != CLV_OK)
        return false;
    clv_text_append_bytes(text, (const char *)bytes, length);
    free(bytes);
    return !text->failed;
}

bool clv_cl_cache_store_text(const char *folder, clv_hash bundle, const clv_text *text)
{
    char path[1024];
    return file_of(folder, bundle, TEXT, path, sizeof path) &&
           clv_file_write(path, text->text, text->length, NULL) == CLV_OK;
}

static bool index_path(const char *folder, char *path, size_t size)
{
    return *folder && clv_path_join(path, size, folder, "bundles", NULL) == CLV_OK;
}

char *clv_cl_cache_index(const char *folder)
{
    char path[1024];
    uint8_t *lines = NULL;
    size_t length;
    if (!index_path(folder, path, sizeof path)) return NULL;
    return clv_file_read(path, CLV_BINARY_LIMIT, CLV_ERR_INTERNAL, &lines, &length, NULL) == CLV_OK ? (char *)lines
                                                                                                    : NULL;
}

/* In one write, so that lines of processes do not mix. */
void clv_cl_cache_append_index(const char *folder, const clv_text *lines)
{
    char path[1024];
    if (!index_path(folder, path, sizeof path)) return;
    const int file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) return;
    const ssize_t written = write(file, lines->text, lines->length);
    (void)written; /* a line that is cut short is passed over */
    close(file);
}
