/* A 128-bit non-cryptographic hash (MurmurHash3 x64_128, seed 0) as cache keys. */
#ifndef CLAVE_BASE_HASH_H
#define CLAVE_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct clv_hash { uint64_t word[2]; } clv_hash;

clv_hash clv_hash_bytes(const void *bytes, size_t size);
void clv_hash_print(clv_hash hash, char text[33]); /* 32 hexadecimal digits */
/* Of text that begins with them and a space or nothing more; false: it does not. */
bool clv_hash_parse(const char *text, clv_hash *hash);

#endif
