/* Files: read whole, written whole or not at all. */
#ifndef CLAVE_BASE_FILE_H
#define CLAVE_BASE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "clave/error.h"

/* The whole of a file, NUL-terminated behind `size`; the caller frees *bytes. `failure` is the status for a file that cannot be
 * read (CLV_ERR_CONFIG for an INI file, CLV_ERR_DATA for data). Directories and files over `limit` bytes are refused. */
clv_status clv_file_read(const char *path, size_t limit, clv_status failure, uint8_t **bytes, size_t *size, clv_error *err);

/* Writes path.tmp-PID, fsyncs it, renames it onto path and fsyncs the folder: readers see the old file or the new one.
 * On failure the temporary is gone. */
clv_status clv_file_write(const char *path, const void *bytes, size_t size, clv_error *err);

/* mkdir -p. */
clv_status clv_make_folders(const char *path, clv_error *err);

/* "a/b" joined by one slash into buffer; CLV_ERR_CONFIG where it does not fit. */
clv_status clv_path_join(char *buffer, size_t size, const char *folder, const char *name, clv_error *err);

/* XDG_CACHE_HOME/clave (or HOME/.cache/clave) plus `sub`, created 0700; CLV_ERR_INTERNAL where neither is set or writable. */
clv_status clv_cache_folder(const char *sub, char *buffer, size_t size, clv_error *err);

#endif
