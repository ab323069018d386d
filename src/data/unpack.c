/* Plain and gzip files read alike. gzip is unpacked from memory by zlib's inflate, since gzread lets a file that is cut
 * short or followed by garbage pass in some of its states. */
#include "data/unpack.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/try.h"

struct clv_unpack {
    const char *path;
    uint8_t *file; /* the whole of it */
    bool gzip, ended;
    z_stream stream; /* next_in, avail_in: what is left of `file`, plain or packed */
};

static voidpf allocate(voidpf opaque, uInt count, uInt size)
{
    (void)opaque;
    return clv_alloc(count, size, NULL);
}

static void release(voidpf opaque, voidpf memory)
{
    (void)opaque;
    free(memory);
}

static bool starts_gzip(const uint8_t *bytes, size_t size) { return size >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b; }

clv_status clv_unpack_open(const char *path, size_t limit, clv_unpack **out, clv_error *err)
{
    clv_status status = CLV_OK;
    size_t size = 0;
    clv_unpack *unpack = clv_alloc(1, sizeof *unpack, err);
    if (!unpack) return CLV_ERR_INTERNAL;
    unpack->path = path;
    CLV_TRY(clv_file_read(path, limit < UINT_MAX ? limit : UINT_MAX, CLV_ERR_DATA, &unpack->file, &size, err));
    CLV_REQUIRE(size > 0, CLV_ERR_DATA, "%s is empty: copy it again", path);
    unpack->stream = (z_stream){.next_in = unpack->file, .avail_in = (uInt)size, .zalloc = allocate, .zfree = release};
    if (starts_gzip(unpack->file, size)) {
        const int result =
            inflateInit2(&unpack->stream, 15 + 16); /* the largest window; + 16: gzip's header and trailer */
        CLV_REQUIRE(result == Z_OK, CLV_ERR_INTERNAL, "cannot unpack %s: %s", path, zError(result));
        unpack->gzip = true;
    }
done:
    if (status == CLV_OK)
        *out = unpack;
    else
        clv_unpack_close(unpack);
    return status;
}

void clv_unpack_close(clv_unpack *unpack)
{
    if (!unpack) return;
    if (unpack->gzip) inflateEnd(&unpack->stream);
    free(unpack->file);
    free(unpack);
}

/* One call of inflate, its result judged. A gzip file may hold several streams, one after another. */
static clv_status inflate_on(clv_unpack *unpack, clv_error *err)
{
    clv_status status = CLV_OK;
    z_stream *z = &unpack->stream;
    const char *path = unpack->path;
    const int result = inflate(z, Z_NO_FLUSH);
    CLV_REQUIRE(result != Z_BUF_ERROR, CLV_ERR_DATA, "%s is a gzip file cut short: copy it again", path);
    CLV_REQUIRE(result != Z_MEM_ERROR, CLV_ERR_INTERNAL, "out of memory while unpacking %s", path);
    CLV_REQUIRE(result == Z_OK || result == Z_STREAM_END, CLV_ERR_DATA, "%s is a damaged gzip file (%s): copy it again",
                path, z->msg ? z->msg : zError(result));
    if (result == Z_OK) goto done;
    unpack->ended = z->avail_in == 0;
    CLV_REQUIRE(unpack->ended || (starts_gzip(z->next_in, z->avail_in) && inflateReset(z) == Z_OK), CLV_ERR_DATA,
                "%s is a gzip file followed by %u bytes of something else: copy it again", path, z->avail_in);
done:
    return status;
}

clv_status clv_unpack_read(clv_unpack *unpack, void *to, size_t size, size_t *got, clv_error *err)
{
    z_stream *z = &unpack->stream;
    *got = 0;
    if (!unpack->gzip) {
        *got = size < z->avail_in ? size : z->avail_in;
        memcpy(to, z->next_in, *got);
        z->next_in += *got;
        z->avail_in -= (uInt)*got;
        return CLV_OK;
    }
    clv_status status = CLV_OK;
    while (*got < size && !unpack->ended) {
        const size_t wanted = size - *got;
        z->avail_out = wanted < UINT_MAX ? (uInt)wanted : UINT_MAX;
        z->next_out = (Bytef *)to + *got;
        CLV_TRY(inflate_on(unpack, err));
        *got = (size_t)(z->next_out - (Bytef *)to);
    }
done:
    return status;
}

uint64_t clv_unpack_most(const clv_unpack *unpack)
{
    if (!unpack->gzip) return unpack->stream.avail_in;
    if (unpack->ended) return 0;
    /* Deflate packs at most 1032 to 1 (zlib's technical notes); what is unpacked already but not yet handed out is at
     * most a window. */
    return 1032 * (uint64_t)unpack->stream.avail_in + 65536;
}
