/* Codes as files: a table for people and spreadsheets, and NumPy's own format (version 1.0 of numpy.lib.format): one
 * array of records, so that numpy.load(...)["code"] and ["label"] are all there is to know. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/try.h"
#include "experiment/latent.h"

static void append_numbers(clv_text *text, const float *at, int count)
{
    for (int c = 0; at && c < count; c++) clv_text_append(text, ",%.9g", (double)at[c]);
}

static clv_status write_table(const char *path, const clv_latent_points *p, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_text text = {0};
    const int dims = p->codes.dims;
    clv_text_append(&text, "index,label");
    for (int c = 0; c < dims; c++) clv_text_append(&text, ",code%d", c);
    clv_text_append(&text, "%s%s\n", p->plane ? ",pca0,pca1" : "", p->map ? ",tsne0,tsne1" : "");
    for (int i = 0; i < p->codes.count; i++) {
        clv_text_append(&text, "%u,", p->index[i]);
        if (p->label) clv_text_append(&text, "%d", p->label[i]);
        append_numbers(&text, p->at + (size_t)i * (size_t)dims, dims);
        append_numbers(&text, p->plane ? p->plane + 2 * (size_t)i : NULL, 2);
        append_numbers(&text, p->map ? p->map + 2 * (size_t)i : NULL, 2);
        clv_text_append(&text, "\n");
    }
    CLV_REQUIRE(!text.failed, CLV_ERR_INTERNAL, "out of memory for a table of %d codes", p->codes.count);
    CLV_TRY(clv_file_write(path, text.text, text.length, err));
done:
    clv_text_free(&text);
    return status;
}

/* Little-endian, whatever the machine. */
static void put_word(uint8_t *to, uint32_t word)
{
    for (int i = 0; i < 4; i++) to[i] = (uint8_t)(word >> (8 * i));
}

/* Magic, version, length of the header, header; padded with blanks and a newline to a multiple of 64 bytes. */
static void write_head(clv_text *text, const clv_latent_points *p)
{
    enum { PREFIX = 10 };
    clv_text head = {0};
    clv_text_append(&head,
                    "{'descr': [('code', '<f4', (%d,)), ('label', '<i4')], 'fortran_order': False, 'shape': (%d,), }",
                    p->codes.dims, p->codes.count);
    while ((PREFIX + head.length + 1) % 64 != 0 && !head.failed) clv_text_append(&head, " ");
    clv_text_append(&head, "\n");
    const char prefix[PREFIX] = {
        '\x93', 'N', 'U', 'M', 'P', 'Y', 1, 0, (char)(head.length & 255), (char)(head.length >> 8)};
    clv_text_append_bytes(text, prefix, sizeof prefix);
    if (head.failed)
        text->failed = true;
    else
        clv_text_append_bytes(text, head.text, head.length);
    clv_text_free(&head);
}

static clv_status write_array(const char *path, const clv_latent_points *p, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_text text = {0};
    const size_t words = (size_t)p->codes.dims + 1;
    uint8_t *record = clv_alloc(words, 4, err);
    CLV_REQUIRE(record, CLV_ERR_INTERNAL, "out of memory for a code");
    write_head(&text, p);
    for (int i = 0; i < p->codes.count; i++) {
        for (size_t c = 0; c + 1 < words; c++) {
            uint32_t bits;
            memcpy(&bits, p->at + (size_t)i * (words - 1) + c, sizeof bits);
            put_word(record + 4 * c, bits);
        }
        put_word(record + 4 * (words - 1), p->label ? (uint32_t)p->label[i] : UINT32_MAX); /* -1: no label */
        clv_text_append_bytes(&text, (const char *)record, words * 4);
    }
    CLV_REQUIRE(!text.failed, CLV_ERR_INTERNAL, "out of memory for an array of %d codes", p->codes.count);
    CLV_TRY(clv_file_write(path, text.text, text.length, err));
done:
    free(record);
    clv_text_free(&text);
    return status;
}

clv_status clv_latent_write(const char *folder, const clv_latent_points *points, clv_error *err)
{
    clv_status status = CLV_OK;
    char path[CLV_PATH_SIZE];
    CLV_TRY(clv_path_join(path, sizeof path, folder, "latent.csv", err));
    CLV_TRY(write_table(path, points, err));
    CLV_TRY(clv_path_join(path, sizeof path, folder, "latent.npy", err));
    CLV_TRY(write_array(path, points, err));
done:
    return status;
}
