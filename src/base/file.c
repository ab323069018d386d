/* Files: read whole, written whole or not at all; folders and paths. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/text.h"
#include "base/try.h"

/* Reads on to the end of the file: its size, as the system tells it, is a hint only (pipes and /proc say 0). */
static clv_status read_all(int fd, const char *path, size_t limit, clv_status failure, uint8_t **bytes, size_t *size,
                           size_t capacity, clv_error *err)
{
    clv_status status = CLV_OK;
    for (;;) {
        if (*size + 1 >= capacity) CLV_TRY(clv_grow(bytes, &capacity, *size + 4096, 1, err));
        const ssize_t got = read(fd, *bytes + *size, capacity - *size - 1);
        if (got < 0 && errno == EINTR) continue;
        CLV_REQUIRE(got >= 0, failure, "cannot read %s: %s", path, strerror(errno));
        if (got == 0) break;
        *size += (size_t)got;
        CLV_REQUIRE(*size <= limit, failure, "%s holds more than %zu bytes, the most that is read of such a file", path,
                    limit);
    }
    (*bytes)[*size] = 0;
done:
    return status;
}

clv_status clv_file_read(const char *path, size_t limit, clv_status failure, uint8_t **bytes, size_t *size,
                         clv_error *err)
{
    clv_status status = CLV_OK;
    uint8_t *content = NULL;
    size_t length = 0;
    struct stat info;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    CLV_REQUIRE(fd >= 0, failure, "cannot open %s: %s", path, strerror(errno));
    CLV_REQUIRE(fstat(fd, &info) == 0, failure, "cannot read %s: %s", path, strerror(errno));
    CLV_REQUIRE(!S_ISDIR(info.st_mode), failure, "%s is a folder, not a file", path);
    CLV_REQUIRE(info.st_size >= 0 && (uint64_t)info.st_size <= limit, failure,
                "%s holds %lld bytes; at most %zu are read of such a file", path, (long long)info.st_size, limit);
    const size_t capacity = (size_t)info.st_size + 2; /* one to see the end of the file, one for the NUL */
    content = clv_alloc(capacity, 1, err);
    if (!content) status = CLV_ERR_INTERNAL;
    if (content) status = read_all(fd, path, limit, failure, &content, &length, capacity, err);
done:
    if (fd >= 0) close(fd);
    if (status == CLV_OK) {
        *bytes = content;
        *size = length;
    } else {
        free(content);
    }
    return status;
}

/* What to do about a place that cannot be written to; "" where the reason says it. */
static const char *write_remedy(int error)
{
    static const struct {
        int error;
        const char *remedy;
    } table[] = {{ENOSPC, "; make room there"},
                 {EDQUOT, "; make room there"},
                 {EFBIG, "; allow larger files (ulimit -f)"},
                 {EACCES, "; give yourself the right to write there, or name another place"},
                 {EROFS, "; name another place"}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].error == error) return table[i].remedy;
    return "";
}

static clv_status write_all(int fd, const char *path, const uint8_t *bytes, size_t size, clv_error *err)
{
    clv_status status = CLV_OK;
    while (size > 0) {
        const ssize_t put = write(fd, bytes, size < SSIZE_MAX ? size : SSIZE_MAX);
        if (put < 0 && errno == EINTR) continue;
        CLV_REQUIRE(put > 0, CLV_ERR_INTERNAL, "cannot write %s: %s%s", path,
                    put < 0 ? strerror(errno) : "nothing is taken", put < 0 ? write_remedy(errno) : "");
        bytes += put;
        size -= (size_t)put;
    }
    while (fsync(fd) != 0)
        CLV_REQUIRE(errno == EINTR || errno == EINVAL, CLV_ERR_INTERNAL, "cannot write %s: %s%s", path, strerror(errno),
                    write_remedy(errno));
done:
    return status;
}

/* Makes a rename last. A file system or a folder that cannot be synced is no failure; one that cannot write is. */
static clv_status sync_folder_of(const char *path, clv_error *err)
{
    clv_status status = CLV_OK;
    int fd = -1;
    const char *slash = strrchr(path, '/');
    char *folder = clv_strdup(path, err);
    CLV_REQUIRE(folder, CLV_ERR_INTERNAL, "out of memory while writing %s", path);
    if (slash) folder[slash == path ? 1 : slash - path] = '\0';
    fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && fsync(fd) != 0)
        CLV_REQUIRE(errno != EIO && errno != ENOSPC && errno != EDQUOT, CLV_ERR_INTERNAL, "cannot write %s: %s%s", path,
                    strerror(errno), write_remedy(errno));
done:
    if (fd >= 0) close(fd);
    free(folder);
    return status;
}

/* The caller owns the temporary's name and unlinks the file where this fails. */
static clv_status write_temporary(const char *temporary, const char *path, const void *bytes, size_t size,
                                  clv_error *err)
{
    clv_status status = CLV_OK;
    unlink(temporary); /* left by a process of our number that was killed */
    const int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    CLV_REQUIRE(fd >= 0, CLV_ERR_INTERNAL, "cannot write %s: %s%s", path, strerror(errno), write_remedy(errno));
    status = write_all(fd, path, bytes, size, err);
    if (close(fd) != 0 && errno != EINTR && status == CLV_OK)
        status = clv_fail(err, CLV_ERR_INTERNAL, "cannot write %s: %s%s", path, strerror(errno), write_remedy(errno));
done:
    return status;
}

clv_status clv_file_write(const char *path, const void *bytes, size_t size, clv_error *err)
{
    clv_status status = CLV_OK;
    struct stat info;
    clv_text temporary = {0};
    if (stat(path, &info) == 0) /* a rename onto /dev/null would replace the device */
        CLV_REQUIRE(S_ISREG(info.st_mode), CLV_ERR_INTERNAL, "cannot write %s: it is not a regular file", path);
    clv_text_append(&temporary, "%s.tmp-%ld", path, (long)getpid());
    CLV_REQUIRE(!temporary.failed, CLV_ERR_INTERNAL, "out of memory while writing %s", path);
    CLV_TRY(write_temporary(temporary.text, path, bytes, size, err));
    CLV_REQUIRE(rename(temporary.text, path) == 0, CLV_ERR_INTERNAL, "cannot write %s: %s%s", path, strerror(errno),
                write_remedy(errno));
    status = sync_folder_of(path, err);
done:
    if (status != CLV_OK && temporary.text && !temporary.failed) unlink(temporary.text);
    clv_text_free(&temporary);
    return status;
}

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static clv_status make_folders(const char *path, mode_t mode, clv_error *err)
{
    clv_status status = CLV_OK;
    char *part = clv_strdup(path, err);
    if (!part) return CLV_ERR_INTERNAL;
    CLV_REQUIRE(*path, CLV_ERR_INTERNAL, "cannot make a folder without a name");
    for (char *end = part + 1;; end++) {
        if (*end != '/' && *end != '\0') continue;
        const char kept = *end;
        *end = '\0';
        if (mkdir(part, mode) != 0) {
            const int error =
                errno; /* EEXIST, and on some systems another where the folder is there but cannot be made */
            CLV_REQUIRE(is_folder(part), CLV_ERR_INTERNAL, "cannot make the folder %s: %s%s", path,
                        error == EEXIST ? "a file of that name is in the way" : strerror(error), write_remedy(error));
        }
        *end = kept;
        if (!kept) break;
    }
done:
    free(part);
    return status;
}

clv_status clv_make_folders(const char *path, clv_error *err) { return make_folders(path, 0777, err); }

clv_status clv_path_join(char *buffer, size_t size, const char *folder, const char *name, clv_error *err)
{
    const size_t length = strlen(folder);
    const char *slash = length == 0 || folder[length - 1] == '/' ? "" : "/";
    const size_t whole = length + strlen(slash) + strlen(name);
    if (whole >= size)
        return clv_fail(err, CLV_ERR_CONFIG, "the path %s%s%s is too long: %zu bytes, at most %zu fit", folder, slash,
                        name, whole, size - 1);
    snprintf(buffer, size, "%s%s%s", folder, slash, name);
    return CLV_OK;
}

clv_status clv_cache_folder(const char *sub, char *buffer, size_t size, clv_error *err)
{
    /* A relative path in XDG_CACHE_HOME is to be ignored (XDG base directory specification). */
    static const struct {
        const char *variable, *below;
    } places[] = {{"XDG_CACHE_HOME", "clave"}, {"HOME", ".cache/clave"}};
    clv_status status =
        clv_fail(err, CLV_ERR_INTERNAL, "no cache folder: set XDG_CACHE_HOME or HOME to an absolute path");
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const char *base = getenv(places[i].variable);
        if (!base || *base != '/') continue;
        char below[256];
        if ((status = clv_path_join(below, sizeof below, places[i].below, sub ? sub : "", err)) != CLV_OK) continue;
        if ((status = clv_path_join(buffer, size, base, below, err)) != CLV_OK) continue;
        if ((status = make_folders(buffer, 0700, err)) != CLV_OK) continue;
        if (access(buffer, W_OK) == 0) return CLV_OK;
        status =
            clv_fail(err, CLV_ERR_INTERNAL, "cannot write into the cache folder %s: %s; set XDG_CACHE_HOME to another",
                     buffer, strerror(errno));
    }
    return status == CLV_ERR_INTERNAL
               ? status
               : clv_fail(err, CLV_ERR_INTERNAL,
                          "no cache folder: its path is too long; set XDG_CACHE_HOME to a shorter one");
}
