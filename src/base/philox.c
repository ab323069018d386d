/* Philox 4x32-10 and what is drawn from it on the host. */
#include "base/philox.h"

#include <assert.h>
#include <math.h>
#include <string.h>

void clv_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        const uint64_t a = (uint64_t)0xD2511F53u * c0, b = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(b >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)b;
        c2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)a;
        k0 += 0x9E3779B9u; /* golden ratio */
        k1 += 0xBB67AE85u; /* sqrt(3) - 1 */
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

void clv_normal_pair(uint32_t a, uint32_t b, float normal[2])
{
    const float radius = sqrtf(-2.0f * logf((float)((a >> 8) + 1) * 0x1p-24f));
    const float angle = 6.28318530717958648f * clv_uniform(b);
    normal[0] = radius * cosf(angle);
    normal[1] = radius * sinf(angle);
}

void clv_normal_pair_double(uint32_t a, uint32_t b, double normal[2])
{
    const double radius = sqrt(-2.0 * log((double)((a >> 8) + 1) * 0x1p-24));
    const double angle = 6.28318530717958648 * ((double)(b >> 8) * 0x1p-24);
    normal[0] = radius * cos(angle);
    normal[1] = radius * sin(angle);
}

clv_random clv_random_start(uint64_t seed, uint32_t stream)
{
    return (clv_random){.key = {(uint32_t)seed, (uint32_t)(seed >> 32)}, .stream = stream};
}

/* The next word of counters {0, 0, step, stream}, {1, 0, step, stream}, ... */
static uint32_t take_word(clv_random *random, uint32_t step)
{
    const uint32_t place = random->index++;
    if (place % 4 == 0) {
        const uint32_t counter[4] = {place / 4, 0, step, random->stream};
        clv_philox(counter, random->key, random->word);
    }
    return random->word[place % 4];
}

/* Lemire 2019, "Fast random integer generation in an interval", algorithm 5. */
static uint32_t take_below(clv_random *random, uint32_t step, uint32_t limit)
{
    assert(limit > 0);
    uint64_t product = (uint64_t)take_word(random, step) * limit;
    if ((uint32_t)product < limit) {
        const uint32_t unfair = (0u - limit) % limit;
        while ((uint32_t)product < unfair) product = (uint64_t)take_word(random, step) * limit;
    }
    return (uint32_t)(product >> 32);
}

uint32_t clv_random_word(clv_random *random) { return take_word(random, 0); }

float clv_random_uniform(clv_random *random) { return clv_uniform(clv_random_word(random)); }

float clv_random_normal(clv_random *random)
{
    const uint32_t a = clv_random_word(random), b = clv_random_word(random);
    float normal[2];
    clv_normal_pair(a, b, normal);
    return normal[0];
}

uint32_t clv_random_below(clv_random *random, uint32_t limit) { return take_below(random, 0, limit); }

void clv_shuffle(uint32_t *order, uint32_t count, uint64_t seed, uint32_t epoch)
{
    clv_random random = clv_random_start(seed, CLV_STREAM_SHUFFLE);
    for (uint32_t i = count; i > 1; i--) {
        const uint32_t j = take_below(&random, epoch, i);
        const uint32_t moved = order[i - 1];
        order[i - 1] = order[j];
        order[j] = moved;
    }
}
