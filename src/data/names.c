/* Names in a folder, sorted. */
#include "data/names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "base/try.h"

static int compare(const void *a, const void *b)
{
    return strcmp(((const clv_entry_name *)a)->name, ((const clv_entry_name *)b)->name);
}

static clv_status add(clv_names *names, int folder, const char *name, clv_error *err)
{
    struct stat info;
    clv_status status = clv_grow(&names->entry, &names->capacity, names->count + 1, sizeof *names->entry, err);
    if (status != CLV_OK) return status;
    clv_entry_name *entry = &names->entry[names->count];
    *entry = (clv_entry_name){.name = clv_strdup(name, err)};
    if (!entry->name) return CLV_ERR_INTERNAL;
    names->count++;
    if (fstatat(folder, name, &info, 0) != 0) {
        entry->error = errno;
    } else {
        entry->folder = S_ISDIR(info.st_mode);
        entry->file = S_ISREG(info.st_mode);
    }
    return CLV_OK;
}

clv_status clv_names_read(const char *folder, clv_names *names, clv_error *err)
{
    clv_status status = CLV_OK;
    DIR *stream = opendir(folder);
    CLV_REQUIRE(stream, CLV_ERR_DATA, "cannot read the folder %s: %s", folder, strerror(errno));
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(stream);
        CLV_REQUIRE(entry || errno == 0, CLV_ERR_DATA, "cannot read the folder %s: %s", folder, strerror(errno));
        if (!entry) break;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        CLV_TRY(add(names, dirfd(stream), entry->d_name, err));
    }
    if (names->count) qsort(names->entry, names->count, sizeof *names->entry, compare);
done:
    if (stream) closedir(stream);
    if (status != CLV_OK) clv_names_free(names);
    return status;
}

void clv_names_free(clv_names *names)
{
    for (size_t i = 0; i < names->count; i++) free(names->entry[i].name);
    free(names->entry);
    *names = (clv_names){0};
}

const clv_entry_name *clv_names_find(const clv_names *names, const char *name)
{
    const clv_entry_name key = {.name = (char *)name};
    return names->count ? bsearch(&key, names->entry, names->count, sizeof key, compare) : NULL;
}

bool clv_ends_with(const char *text, const char *end)
{
    const size_t length = strlen(text), part = strlen(end);
    return length >= part && strcasecmp(text + length - part, end) == 0;
}
