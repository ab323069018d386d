/* The bytes of a file, unpacked where it is a gzip file. Which it is, the first two bytes decide, not its name. */
#ifndef CLAVE_DATA_UNPACK_H
#define CLAVE_DATA_UNPACK_H

#include <stddef.h>
#include <stdint.h>

#include "clave/error.h"

/* The whole of a file; the caller frees *bytes. CLV_ERR_DATA for an empty file, one of more than `limit` bytes as it
 * lies on the disk or unpacked, and a gzip file that is cut short, damaged or followed by something else. */
clv_status clv_unpack(const char *path, size_t limit, uint8_t **bytes, size_t *size, clv_error *err);

#endif
