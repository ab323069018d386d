/* inih reads the scanned text, and every row gets its line, counted as the lines are handed out. */
#include <ini.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/try.h"
#include "model/ini.h"

typedef struct reader {
    const char *at; /* what is left */
    int line;       /* of the bytes handed out last */
    int next;       /* of `at` */
    clv_pool *pool;
    clv_ini *ini;
    clv_status status;
    clv_error *err;
} reader;

/* fgets from memory. */
static char *read_line(char *buffer, int size, void *stream)
{
    reader *r = stream;
    if (!*r->at || size < 2) return NULL;
    size_t length = strcspn(r->at, "\n");
    if (r->at[length] == '\n') length++;
    if (length > (size_t)size - 1) length = (size_t)size - 1;
    memcpy(buffer, r->at, length);
    buffer[length] = '\0';
    r->line = r->next;
    r->next += buffer[length - 1] == '\n';
    r->at += length;
    return buffer;
}

static int take_row(void *user, const char *section, const char *key, const char *value)
{
    reader *r = user;
    clv_ini *ini = r->ini;
    if (r->status != CLV_OK) return 1;
    r->status = clv_grow(&ini->row, &ini->row_capacity, ini->rows + 1, sizeof *ini->row, r->err);
    if (r->status != CLV_OK) return 1;
    ini->row[ini->rows++] = (clv_ini_row){.section = clv_pool_copy(r->pool, section, strlen(section)),
                                          .key = clv_pool_copy(r->pool, key, strlen(key)),
                                          .value = clv_pool_copy(r->pool, value, strlen(value)),
                                          .line = r->line};
    return 1;
}

clv_status clv_ini_read(clv_place file, const char *bytes, size_t size, clv_pool *pool, clv_problems *problems,
                        clv_ini *ini, clv_error *err)
{
    clv_status status = CLV_OK;
    size_t rows = 0;
    char *clean = clv_alloc(size + 1, 1, err);
    if (!clean) return CLV_ERR_INTERNAL;
    CLV_TRY(clv_ini_scan(file, bytes, size, pool, problems, ini, clean, &rows, err));

    reader r = {.at = clean, .next = 1, .pool = pool, .ini = ini, .err = err};
    int result = ini_parse_stream(read_line, &r, take_row, &r);
    CLV_TRY(r.status);
    CLV_REQUIRE(result != -2, CLV_ERR_INTERNAL, "%s: out of memory", file.file);
    CLV_REQUIRE(result == 0 && ini->rows == rows, CLV_ERR_INTERNAL, "%s: inih read %zu rows of %zu, code %d", file.file,
                ini->rows, rows, result);
done:
    free(clean);
    return status;
}

void clv_ini_free(clv_ini *ini)
{
    free(ini->section);
    free(ini->row);
    *ini = (clv_ini){0};
}
