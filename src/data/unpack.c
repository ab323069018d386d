/* Plain and gzip files read alike. libdeflate unpacks from memory to memory, in half of zlib's time; it does not say
 * how much will come, nor whether a file that it refuses is cut short or damaged. */
#include "data/unpack.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <libdeflate.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/try.h"

enum { MOST_A_BYTE = 1032 /* Deflate packs 258 bytes into two bits at best */, LEAST_MEMBER = 18 /* bytes of gzip */ };

static bool starts_gzip(const uint8_t *bytes, size_t size) { return size >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b; }

/* The size of what a gzip file's last member holds, modulo 2^32, by its own account. */
static size_t promised(const uint8_t *file, size_t size)
{
    if (size < LEAST_MEMBER) return 0;
    const uint8_t *at = file + size - 4;
    return at[0] | (size_t)at[1] << 8 | (size_t)at[2] << 16 | (size_t)at[3] << 24;
}

static size_t lesser(size_t a, size_t b) { return a < b ? a : b; }

/* Moves the first `size` of *bytes into `room` new ones. */
static clv_status make_room(const char *path, uint8_t **bytes, size_t size, size_t room, clv_error *err)
{
    clv_status status = CLV_OK;
    uint8_t *larger = clv_alloc(room, 1, err); /* pages that nothing comes to stay untouched */
    CLV_REQUIRE(larger, CLV_ERR_INTERNAL, "out of memory: unpacking %s needs %zu bytes", path, room);
    if (size > 0) memcpy(larger, *bytes, size);
    free(*bytes);
    *bytes = larger;
done:
    return status;
}

/* A gzip file may hold several members, one after another. Room is made for what the last promises, which is all there
 * is in most files, then for twice as much each time, but never for more than can come. */
static clv_status unpack_members(const char *path, const uint8_t *file, size_t left, size_t limit, uint8_t **bytes,
                                 size_t *size, clv_error *err)
{
    clv_status status = CLV_OK;
    const size_t most = left < limit / MOST_A_BYTE ? left * MOST_A_BYTE : limit;
    size_t room = lesser(promised(file, left), most);
    struct libdeflate_decompressor *decompressor = libdeflate_alloc_decompressor();
    CLV_REQUIRE(decompressor, CLV_ERR_INTERNAL, "out of memory while unpacking %s", path);
    CLV_TRY(make_room(path, bytes, 0, room, err));
    while (left > 0) {
        size_t taken, put;
        CLV_REQUIRE(starts_gzip(file, left), CLV_ERR_DATA,
                    "%s is a gzip file followed by %zu bytes of something else: copy it again", path, left);
        const enum libdeflate_result result =
            libdeflate_gzip_decompress_ex(decompressor, file, left, *bytes + *size, room - *size, &taken, &put);
        if (result == LIBDEFLATE_INSUFFICIENT_SPACE && room < most) {
            room = room < most / 2 ? lesser(2 * room + left, most) : most;
            CLV_TRY(make_room(path, bytes, *size, room, err));
            continue;
        }
        CLV_REQUIRE(result != LIBDEFLATE_INSUFFICIENT_SPACE || most < limit, CLV_ERR_DATA,
                    "%s unpacks to more than %zu bytes, the most that is read of such a file", path, limit);
        CLV_REQUIRE(result == LIBDEFLATE_SUCCESS, CLV_ERR_DATA, "%s is a gzip file cut short or damaged: copy it again",
                    path);
        file += taken;
        left -= taken;
        *size += put;
    }
done:
    libdeflate_free_decompressor(decompressor);
    return status;
}

clv_status clv_unpack(const char *path, size_t limit, uint8_t **bytes, size_t *size, clv_error *err)
{
    clv_status status = CLV_OK;
    uint8_t *file = NULL, *unpacked = NULL;
    size_t file_size = 0, unpacked_size = 0;
    CLV_TRY(clv_file_read(path, limit, CLV_ERR_DATA, &file, &file_size, err));
    CLV_REQUIRE(file_size > 0, CLV_ERR_DATA, "%s is empty: copy it again", path);
    const bool packed = starts_gzip(file, file_size);
    if (packed) CLV_TRY(unpack_members(path, file, file_size, limit, &unpacked, &unpacked_size, err));
    *bytes = packed ? unpacked : file;
    *size = packed ? unpacked_size : file_size;
    if (packed)
        unpacked = NULL;
    else
        file = NULL;
done:
    free(file);
    free(unpacked);
    return status;
}
