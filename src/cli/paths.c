/* Overrides as given, and full paths: a run and a search are looked at and gone on with from other folders than they
 * were begun in. */
#define _XOPEN_SOURCE 700 /* realpath, readlink */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/try.h"
#include "cli/cli.h"

#ifndef PATH_MAX
#define PATH_MAX 4096
#endif
#define LONGEST_PATH 180 /* what a row of resolved.ini can hold */

static const char *const path_keys[] = {"data.path", "transfer.from"};
#define PATH_KEYS ((int)(sizeof path_keys / sizeof *path_keys))

/* "key=/full/path" where the key holds the relative path of something that exists. */
static bool full_path(const clv_config *config, const char *key, char *override, size_t size)
{
    char path[PATH_MAX];
    const char *given = clv_config_string(config, key);
    if (*given == '/' || !realpath(given, path) || strlen(path) > LONGEST_PATH) return false;
    snprintf(override, size, "%s=%s", key, path);
    return true;
}

clv_status cli_full_paths(const cli_args *args, cli_overrides *overrides, clv_error *err)
{
    enum { SIZE = LONGEST_PATH + 32 };
    clv_config *config = NULL;
    cli_overrides made = {.count = args->override_count};
    clv_status status = CLV_OK;
    made.of = clv_alloc((size_t)made.count + PATH_KEYS, sizeof *made.of, err);
    made.full = made.of ? clv_alloc(PATH_KEYS, SIZE, err) : NULL;
    if (!made.full) status = CLV_ERR_INTERNAL;
    CLV_TRY(status);
    CLV_TRY(clv_config_load(args->target, args->overrides, args->override_count, &config, NULL, err));
    for (int i = 0; i < args->override_count; i++) made.of[i] = args->overrides[i];
    for (int i = 0; i < PATH_KEYS; i++)
        if (full_path(config, path_keys[i], made.full + i * SIZE, SIZE)) made.of[made.count++] = made.full + i * SIZE;
    *overrides = made;
    made = (cli_overrides){0};
done:
    clv_config_destroy(config);
    cli_overrides_free(&made);
    return status;
}

void cli_overrides_free(cli_overrides *overrides)
{
    free(overrides->of);
    free(overrides->full);
    *overrides = (cli_overrides){0};
}

const char *cli_own_program(const char *given, char path[CLI_PATH_SIZE])
{
    ssize_t length = readlink("/proc/self/exe", path, CLI_PATH_SIZE - 1);
    if (length <= 0) return given;
    path[length] = '\0';
    return path;
}
