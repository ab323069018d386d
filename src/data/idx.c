/* IDX files: a magic number {0, 0, type, rank}, the sizes as 32-bit big-endian numbers, the elements. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/try.h"
#include "clave/data.h"
#include "data/unpack.h"

enum { TYPE_UBYTE = 0x08, MOST_BYTES = INT32_MAX /* just under 2 GiB */ };

static uint32_t big_endian(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static const char *type_name(uint8_t type)
{
    static const struct {
        uint8_t type;
        const char *name;
    } types[] = {{0x09, "signed bytes"},
                 {0x0b, "16-bit integers"},
                 {0x0c, "32-bit integers"},
                 {0x0d, "32-bit floats"},
                 {0x0e, "64-bit floats"}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].type == type) return types[i].name;
    return NULL;
}

static clv_status check_magic(const char *path, const uint8_t magic[4], int rank, clv_error *err)
{
    clv_status status = CLV_OK;
    const bool other = magic[0] == 0 && magic[1] == 0 && type_name(magic[2]);
    CLV_REQUIRE(!other, CLV_ERR_DATA, "%s holds %s; clave reads IDX files of unsigned bytes: convert it", path,
                type_name(magic[2]));
    CLV_REQUIRE(
        magic[0] == 0 && magic[1] == 0 && magic[2] == TYPE_UBYTE, CLV_ERR_DATA,
        "%s is no IDX file of unsigned bytes: it starts with %02x %02x %02x %02x, not 00 00 08 %02x; check what it is",
        path, magic[0], magic[1], magic[2], magic[3], (unsigned)rank);
    CLV_REQUIRE(magic[3] == rank, CLV_ERR_DATA,
                "%s has %d dimension%s where %s have %d: check that it is the right file", path, magic[3],
                magic[3] == 1 ? "" : "s", rank == 1 ? "labels" : "images", rank);
done:
    return status;
}

static size_t header_size(int rank) { return 4 + 4 * (size_t)rank; }

/* Magic number and sizes; *total is their product. */
static clv_status read_header(const char *path, const uint8_t *file, size_t size, int rank, uint32_t dim[3],
                              size_t *total, clv_error *err)
{
    clv_status status = CLV_OK;
    uint64_t product = 1;
    if (size >= 4) CLV_TRY(check_magic(path, file, rank, err));
    CLV_REQUIRE(size >= header_size(rank), CLV_ERR_DATA,
                "%s holds %zu bytes, less than the header of an IDX file (%zu): copy it again", path, size,
                header_size(rank));
    for (int i = 0; i < 3; i++) {
        dim[i] = i < rank ? big_endian(file + 4 + 4 * i) : 1;
        CLV_REQUIRE(dim[i] > 0, CLV_ERR_DATA, "%s says that size %d of %d is 0: it holds nothing; take another file",
                    path, i + 1, rank);
        product = product > MOST_BYTES ? product : product * dim[i]; /* below 2^63: no overflow */
    }
    CLV_REQUIRE(product <= MOST_BYTES, CLV_ERR_DATA,
                "%s says that it holds %" PRIu32 " x %" PRIu32 " x %" PRIu32
                " bytes; at most %d are read: take fewer or smaller images",
                path, dim[0], dim[1], dim[2], MOST_BYTES);
    *total = (size_t)product;
done:
    return status;
}

clv_status clv_idx_read(const char *path, int rank, uint32_t dim[3], uint8_t **bytes, clv_error *err)
{
    clv_status status = CLV_OK;
    uint8_t *file = NULL;
    uint32_t sizes[3];
    size_t size = 0, total = 0;
    CLV_TRY(clv_unpack(path, MOST_BYTES + header_size(rank), &file, &size, err));
    CLV_TRY(read_header(path, file, size, rank, sizes, &total, err));
    const size_t got = size - header_size(rank);
    CLV_REQUIRE(got >= total, CLV_ERR_DATA,
                "%s holds %zu of %zu bytes (%" PRIu32 " x %" PRIu32 " x %" PRIu32
                ") that its header promises: copy it again",
                path, got, total, sizes[0], sizes[1], sizes[2]);
    CLV_REQUIRE(got == total, CLV_ERR_DATA, "%s holds more than the %zu bytes that its header promises: copy it again",
                path, total);
    memmove(file, file + header_size(rank), total); /* cheaper than a second buffer: no new pages */
    memcpy(dim, sizes, sizeof sizes);
    *bytes = file;
    file = NULL;
done:
    free(file);
    return status;
}
