/* MurmurHash3 x64_128 (Austin Appleby, public domain) with seed 0; reads little-endian words on every machine. */
#include "base/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const uint64_t c1 = 0x87c37b91114253d5u, c2 = 0x4cf5ad432745937fu;

static uint64_t rotate(uint64_t x, int by) { return x << by | x >> (64 - by); }

static uint64_t load(const uint8_t *from, size_t bytes)
{
    uint64_t word = 0;
    for (size_t i = 0; i < bytes; i++) word |= (uint64_t)from[i] << (8 * i);
    return word;
}

static uint64_t mix1(uint64_t k) { return rotate(k * c1, 31) * c2; }
static uint64_t mix2(uint64_t k) { return rotate(k * c2, 33) * c1; }

static uint64_t finish(uint64_t k)
{
    k = (k ^ k >> 33) * 0xff51afd7ed558ccdu;
    k = (k ^ k >> 33) * 0xc4ceb9fe1a85ec53u;
    return k ^ k >> 33;
}

clv_hash clv_hash_bytes(const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    uint64_t h1 = 0, h2 = 0;
    size_t left = size;
    for (; left >= 16; left -= 16, at += 16) {
        h1 = (rotate(h1 ^ mix1(load(at, 8)), 27) + h2) * 5 + 0x52dce729;
        h2 = (rotate(h2 ^ mix2(load(at + 8, 8)), 31) + h1) * 5 + 0x38495ab5;
    }
    if (left > 8) h2 ^= mix2(load(at + 8, left - 8));
    if (left > 0) h1 ^= mix1(load(at, left < 8 ? left : 8));
    h1 ^= size;
    h2 ^= size;
    h1 += h2;
    h2 += h1;
    h1 = finish(h1);
    h2 = finish(h2);
    h1 += h2;
    h2 += h1;
    return (clv_hash){{h1, h2}};
}

void clv_hash_print(clv_hash hash, char text[33])
{
    snprintf(text, 33, "%016" PRIx64 "%016" PRIx64, hash.word[0], hash.word[1]);
}

/* Not by sscanf, which first looks for the end of all that follows. */
bool clv_hash_parse(const char *text, clv_hash *hash)
{
    static const char digits[] = "0123456789abcdef";
    *hash = (clv_hash){{0, 0}};
    for (int i = 0; i < 32; i++) {
        const char *digit = text[i] ? strchr(digits, text[i]) : NULL;
        if (!digit) return false;
        hash->word[i / 16] = hash->word[i / 16] << 4 | (uint64_t)(digit - digits);
    }
    return text[32] == ' ' || text[32] == '\0';
}
