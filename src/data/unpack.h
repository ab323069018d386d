/* The bytes of a file, unpacked on the way where it is a gzip file. Which it is, the first two bytes decide, not its
 * name. */
#ifndef CLAVE_DATA_UNPACK_H
#define CLAVE_DATA_UNPACK_H

#include <stddef.h>
#include <stdint.h>

#include "clave/error.h"

typedef struct clv_unpack clv_unpack;

/* Refuses an empty file and one of more than `limit` bytes as it lies on the disk. `path` must outlive the reader. */
clv_status clv_unpack_open(const char *path, size_t limit, clv_unpack **out, clv_error *err);
void clv_unpack_close(clv_unpack *unpack); /* NULL is fine */

/* The next `size` bytes; *got is less at the end of the data alone. CLV_ERR_DATA for a gzip file that is cut short,
 * damaged or followed by something else. */
clv_status clv_unpack_read(clv_unpack *unpack, void *to, size_t size, size_t *got, clv_error *err);

/* The most bytes that can still come: exact for a plain file, a bound for gzip. */
uint64_t clv_unpack_most(const clv_unpack *unpack);

#endif
