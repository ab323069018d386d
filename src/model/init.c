/* Initial parameters. Each tensor draws from a stream that its name alone gives, so values are a function of seed and
 * name: adding a layer, or another order of rows, changes no other tensor. Drawn on the host, they are the same for
 * every backend.
 *
 * pytorch: U(-1 / sqrt(fan_in), 1 / sqrt(fan_in)) for weight and bias: what torch.nn.Conv2d, ConvTranspose2d and Linear
 * do, which is kaiming_uniform with a = sqrt 5 (He et al. 2015, equation 10, with the leaky slope a) glorot:  U(-r, r),
 * r = sqrt(6 / (fan_in + fan_out)) (Glorot & Bengio 2010, equation 16); bias 0 he:      N(0, sqrt(2 / fan_in)) (He et
 * al. 2015, equation 10); bias 0 */
#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "base/philox.h"
#include "model/build.h"

/* The upper half of all streams: the low 31 bits of the name's hash with the top bit set, so that no stream of
 * philox.h, all below, is met. */
static uint32_t stream_of(const char *name)
{
    return 0x80000000u | (uint32_t)clv_hash_bytes(name, strlen(name)).word[0];
}

/* 2 u - 1 is exact in float; only the product rounds. */
static void fill_uniform(float *value, size_t count, double bound, clv_random *random)
{
    for (size_t i = 0; i < count; i++) value[i] = (2.0f * clv_random_uniform(random) - 1.0f) * (float)bound;
}

static void fill_normal(float *value, size_t count, double deviation, clv_random *random)
{
    for (size_t i = 0; i < count; i++) value[i] = clv_random_normal(random) * (float)deviation;
}

static void fill(const struct clv_param_place *place, const clv_param_rule *rule, uint64_t seed, float *value)
{
    clv_random random = clv_random_start(seed, stream_of(place->name));
    size_t count = (size_t)clv_shape_elements(&place->shape);
    if (!strcmp(rule->init, "pytorch"))
        fill_uniform(value, count, 1 / sqrt(rule->fan_in), &random);
    else if (rule->bias)
        memset(value, 0, count * sizeof *value);
    else if (!strcmp(rule->init, "glorot"))
        fill_uniform(value, count, sqrt(6 / (rule->fan_in + rule->fan_out)), &random);
    else
        fill_normal(value, count, sqrt(2 / rule->fan_in), &random);
}

clv_status clv_model_init(const clv_model *model, uint64_t seed, float *values, clv_error *err)
{
    (void)err; /* nothing can fail: the names of the rules are the schema's choices */
    memset(values, 0, model->layout.elements * sizeof *values); /* the gaps between tensors too */
    for (int i = 0; i < model->layout.params; i++)
        fill(&model->layout.param[i], &model->rule[i], seed, values + model->layout.param[i].offset);
    return CLV_OK;
}
