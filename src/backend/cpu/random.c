/* Operations that draw random numbers, by the convention of base/philox.h: element (f, n) takes word f & 3 of
 * philox({n, f >> 2, step, stream}, seed), the same integers on every backend. */
#include "backend/cpu/functions.h"
#include "base/philox.h"

static void words_of(const clv_cpu_call *c, size_t quad, size_t n, uint32_t word[4])
{
    const uint32_t counter[4] = {(uint32_t)n, (uint32_t)quad, c->step->step, c->call->attr.stream};
    clv_philox(counter, c->step->seed, word);
}

/* Standard normals of features 4 quad .. 4 quad + 3. */
static void normals_of(const clv_cpu_call *c, size_t quad, size_t n, real normal[4])
{
    uint32_t word[4];
    words_of(c, quad, n, word);
#if CLV_REAL_DOUBLE
    clv_normal_pair_double(word[0], word[1], normal);
    clv_normal_pair_double(word[2], word[3], normal + 2);
#else
    clv_normal_pair(word[0], word[1], normal);
    clv_normal_pair(word[2], word[3], normal + 2);
#endif
}

/* Zero or x over what is kept; `keep` in float for every type, so that all drop the same elements. As in PyTorch and in
 * the kernels, x is multiplied by the quotient. */
static real dropped(real x, uint32_t word, float keep) { return clv_uniform(word) < keep ? x * (1 / (real)keep) : 0; }

void REAL(clv_cpu_drop_feature)(const clv_cpu_call *c, size_t feature, real *y)
{
    const float keep = 1 - c->call->attr.rate;
    for (size_t n = 0; n < (size_t)c->call->lanes; n++) {
        uint32_t word[4];
        words_of(c, feature >> 2, n, word);
        y[n] = dropped(y[n], word[feature & 3], keep);
    }
}

FUNCTION(dropout)
{
    const real *x = c->in[0];
    real *y = c->out;
    const size_t lanes = (size_t)c->call->lanes, features = clv_cpu_features(&c->call->out.shape);
    const float keep = 1 - c->call->attr.rate;
    for (size_t quad = 0; 4 * quad < features; quad++)
        for (size_t n = 0; n < lanes; n++) {
            uint32_t word[4];
            words_of(c, quad, n, word);
            for (size_t f = 4 * quad; f < features && f < 4 * quad + 4; f++)
                y[f * lanes + n] = dropped(x[f * lanes + n], word[f & 3], keep);
        }
}

void REAL(clv_cpu_add_noise)(const clv_cpu_call *c, const real *x)
{
    const real deviation = (real)c->step->noise;
    real *y = c->out;
    const size_t lanes = (size_t)c->call->lanes, features = clv_cpu_features(&c->call->out.shape);
    for (size_t quad = 0; 4 * quad < features; quad++)
        for (size_t n = 0; n < lanes; n++) {
            real eps[4];
            normals_of(c, quad, n, eps);
            for (size_t f = 4 * quad; f < features && f < 4 * quad + 4; f++) {
                const real noisy = x[f * lanes + n] + deviation * eps[f & 3];
                y[f * lanes + n] = noisy < 0 ? 0 : noisy > 1 ? 1 : noisy;
            }
        }
}

FUNCTION(noise) { REAL(clv_cpu_add_noise)(c, c->in[0]); }

FUNCTION(sample)
{
    const real *mu = c->in[0], *logvar = c->in[1];
    real *z = c->out;
    const size_t lanes = (size_t)c->call->lanes, features = clv_cpu_features(&c->call->out.shape);
    for (size_t quad = 0; 4 * quad < features; quad++)
        for (size_t n = 0; n < lanes; n++) {
            real eps[4];
            normals_of(c, quad, n, eps);
            for (size_t f = 4 * quad; f < features && f < 4 * quad + 4; f++)
                z[f * lanes + n] = mu[f * lanes + n] + exp(logvar[f * lanes + n] / 2) * eps[f & 3];
        }
}

FUNCTION(sample_grad)
{
    const real *dz = c->in[0], *logvar = c->in[1], *addend = c->call->attr.has_addend ? c->in[2] : NULL;
    real *dlogvar = c->out;
    const size_t lanes = (size_t)c->call->lanes, features = clv_cpu_features(&c->call->out.shape);
    for (size_t quad = 0; 4 * quad < features; quad++)
        for (size_t n = 0; n < lanes; n++) {
            real eps[4];
            normals_of(c, quad, n, eps);
            for (size_t f = 4 * quad; f < features && f < 4 * quad + 4; f++)
                dlogvar[f * lanes + n] = dz[f * lanes + n] * eps[f & 3] * exp(logvar[f * lanes + n] / 2) / 2 +
                                         (addend ? addend[f * lanes + n] : 0);
        }
}
