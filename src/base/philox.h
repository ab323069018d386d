/* Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): a counter-based generator, so that
 * every backend makes the same integers in any order. cl/philox.clh says the same in OpenCL C.
 *
 * The convention for tensors: element (feature f, image n) at a step of a stream takes word f & 3 of
 * philox(counter = {n, f >> 2, step, stream}, key = seed), f = (c H + y) W + x. */
#ifndef CLAVE_BASE_PHILOX_H
#define CLAVE_BASE_PHILOX_H

#include <stdint.h>

/* Streams. A graph's nodes get CLV_STREAM_GRAPH + their number, counted as the model is built. */
enum { CLV_STREAM_INIT = 1, CLV_STREAM_SHUFFLE = 2, CLV_STREAM_PICTURE = 3, CLV_STREAM_SELFTEST = 4, CLV_STREAM_MIXTURE = 16, CLV_STREAM_EVAL = 1024, CLV_STREAM_GRAPH = 4096 };

void clv_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* The top 24 bits as a float in [0, 1). */
static inline float clv_uniform(uint32_t word) { return (float)(word >> 8) * 0x1p-24f; }

/* Box & Muller 1958: two standard normals of two words; radius from ((a >> 8) + 1) 2^-24 in (0, 1], angle from
 * 2 pi (b >> 8) 2^-24. normal[0] takes the cosine. Features 4q, 4q + 1 take words 0, 1; features 4q + 2, 4q + 3 words 2, 3. */
void clv_normal_pair(uint32_t a, uint32_t b, float normal[2]);
void clv_normal_pair_double(uint32_t a, uint32_t b, double normal[2]);

/* A sequential reader of one stream, for host code (initialisation, pictures): words in counter order. */
typedef struct clv_random {
    uint32_t key[2], stream, index; /* index: words taken so far */
    uint32_t word[4];
} clv_random;
clv_random clv_random_start(uint64_t seed, uint32_t stream);
uint32_t clv_random_word(clv_random *random);
float clv_random_uniform(clv_random *random);
float clv_random_normal(clv_random *random);
uint32_t clv_random_below(clv_random *random, uint32_t limit); /* without bias (Lemire 2019); limit > 0 */

/* Fisher-Yates of order[0 .. count - 1], in place: the permutation is a function of count, seed and epoch alone, so fill order
 * afresh before each epoch. */
void clv_shuffle(uint32_t *order, uint32_t count, uint64_t seed, uint32_t epoch);

#endif
