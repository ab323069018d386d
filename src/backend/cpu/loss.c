/* Losses of each image, v[n], and their gradients. In the gradients v[n] is what an image's loss counts for: 0 in
 * padding. */
#include "backend/cpu/functions.h"

static size_t lanes_of(const clv_cpu_call *c) { return (size_t)c->call->lanes; }

static real softplus_of_negative(real magnitude) { return log(1 + exp(-magnitude)); }

FUNCTION(kl)
{
    const real *restrict mu = c->in[0], *restrict logvar = c->in[1]; /* [f][n] */
    real *restrict v = c->out;                                       /* [n] */
    const size_t lanes = lanes_of(c), features = clv_cpu_features(&c->call->in[0].shape);
    for (size_t n = 0; n < lanes; n++) v[n] = 0;
    for (size_t i = 0; i < features * lanes; i++) v[i % lanes] -= (1 + logvar[i] - mu[i] * mu[i] - exp(logvar[i])) / 2;
}

FUNCTION(kl_grad_logvar)
{
    const real *v = c->in[0], *logvar = c->in[1];
    real *d = c->out;
    const size_t lanes = lanes_of(c), features = clv_cpu_features(&c->call->out.shape);
    for (size_t i = 0; i < features * lanes; i++) d[i] = v[i % lanes] * (exp(logvar[i]) - 1) / 2;
}

/* y and t, [f][n], may be the same tensor. */
static void add_squares(size_t features, size_t lanes, const real *y, const real *t, real *restrict v)
{
    for (size_t n = 0; n < lanes; n++) v[n] = 0;
    for (size_t f = 0; f < features; f++)
        for (size_t n = 0; n < lanes; n++) {
            const real d = y[f * lanes + n] - t[f * lanes + n];
            v[n] += d * d;
        }
    for (size_t n = 0; n < lanes; n++) v[n] /= (real)features;
}

FUNCTION(mse) { add_squares(clv_cpu_features(&c->call->in[0].shape), lanes_of(c), c->in[0], c->in[1], c->out); }

FUNCTION(mse_grad)
{
    const real *v = c->in[0], *y = c->in[1], *t = c->in[2];
    real *dy = c->out;
    const size_t lanes = lanes_of(c), features = clv_cpu_features(&c->call->out.shape);
    for (size_t f = 0; f < features; f++)
        for (size_t n = 0; n < lanes; n++)
            dy[f * lanes + n] = v[n] * 2 * (y[f * lanes + n] - t[f * lanes + n]) / (real)features;
}

static void add_entropies(size_t features, size_t lanes, const real *restrict s, const real *restrict t,
                          real *restrict v)
{
    for (size_t n = 0; n < lanes; n++) v[n] = 0;
    for (size_t i = 0; i < features * lanes; i++)
        v[i % lanes] += (s[i] > 0 ? s[i] : 0) - s[i] * t[i] + softplus_of_negative(fabs(s[i]));
}

FUNCTION(bce) { add_entropies(clv_cpu_features(&c->call->in[0].shape), lanes_of(c), c->in[0], c->in[1], c->out); }

FUNCTION(bce_grad)
{
    const real *v = c->in[0], *s = c->in[1], *t = c->in[2];
    real *ds = c->out;
    const size_t lanes = lanes_of(c), features = clv_cpu_features(&c->call->out.shape);
    for (size_t i = 0; i < features * lanes; i++)
        ds[i] = v[i % lanes] * (REAL(clv_act)(CLV_ACT_SIGMOID, 0, s[i]) - t[i]);
}

/* What the loss of image n counts for: mean_grad's v[n]. */
static real head_weight(const clv_cpu_call *c, size_t n)
{
    return n < c->step->count ? (real)c->call->attr.alpha / (real)c->step->count : 0;
}

static void mse_head(const clv_cpu_call *c, const real *y, const real *t)
{
    real *dy = c->out;
    const clv_attr *a = &c->call->attr;
    const size_t lanes = lanes_of(c), features = clv_cpu_features(&c->call->out.shape);
    add_squares(features, lanes, y, t, c->beside);
    for (size_t i = 0; i < features * lanes; i++) {
        const real slope = REAL(clv_act_slope)(a->act, (real)a->slope, y[i]);
        dy[i] = head_weight(c, i % lanes) * 2 * (y[i] - t[i]) / (real)features * slope;
    }
}

static void bce_head(const clv_cpu_call *c, const real *s, const real *t)
{
    real *ds = c->out;
    const size_t lanes = lanes_of(c), features = clv_cpu_features(&c->call->out.shape);
    add_entropies(features, lanes, s, t, c->beside);
    for (size_t i = 0; i < features * lanes; i++)
        ds[i] = head_weight(c, i % lanes) * (REAL(clv_act)(CLV_ACT_SIGMOID, 0, s[i]) - t[i]);
}

FUNCTION(mse_head) { mse_head(c, c->in[0], c->in[1]); }
FUNCTION(bce_head) { bce_head(c, c->in[0], c->in[1]); }

FUNCTION(head_of_product)
{
    const real *y = c->out, *t = c->in[c->call->inputs - 2];
    if (c->call->attr.head == CLV_OP_MSE_HEAD) mse_head(c, y, t);
    if (c->call->attr.head == CLV_OP_BCE_HEAD) bce_head(c, y, t);
}

/* The largest logit of lane n and the sum of exp(s - largest): their logarithms add up without overflow. */
static real largest_and_sum(const real *s, size_t classes, size_t lanes, size_t n, real *sum)
{
    real largest = s[n];
    for (size_t k = 1; k < classes; k++) largest = s[k * lanes + n] > largest ? s[k * lanes + n] : largest;
    *sum = 0;
    for (size_t k = 0; k < classes; k++) *sum += exp(s[k * lanes + n] - largest);
    return largest;
}

FUNCTION(xent)
{
    const real *restrict s = c->in[0] /* [class][n] */, *restrict label = c->in[1] /* [n] */;
    real *restrict v = c->out;
    const size_t lanes = lanes_of(c), classes = clv_cpu_features(&c->call->in[0].shape);
    for (size_t n = 0; n < lanes; n++) {
        real sum, picked = (real)NAN; /* stays where the label is no class */
        const real largest = largest_and_sum(s, classes, lanes, n, &sum);
        for (size_t k = 0; k < classes; k++)
            if ((real)k == label[n]) picked = s[k * lanes + n];
        v[n] = log(sum) + largest - picked;
    }
}

FUNCTION(xent_grad)
{
    const real *v = c->in[0], *s = c->in[1], *label = c->in[2];
    real *ds = c->out;
    const size_t lanes = lanes_of(c), classes = clv_cpu_features(&c->call->out.shape);
    for (size_t n = 0; n < lanes; n++) {
        real sum;
        const real largest = largest_and_sum(s, classes, lanes, n, &sum);
        for (size_t k = 0; k < classes; k++)
            ds[k * lanes + n] = v[n] * (exp(s[k * lanes + n] - largest) / sum - ((real)k == label[n] ? 1 : 0));
    }
}

FUNCTION(correct)
{
    const real *restrict s = c->in[0] /* [class][n] */, *restrict label = c->in[1] /* [n] */;
    real *restrict v = c->out;
    const size_t lanes = lanes_of(c), classes = clv_cpu_features(&c->call->in[0].shape);
    for (size_t n = 0; n < lanes; n++) {
        size_t best = 0;
        for (size_t k = 1; k < classes; k++)
            if (s[k * lanes + n] > s[best * lanes + n]) best = k;
        v[n] = (real)best == label[n] ? 1 : 0;
    }
}

/* The sum of v over the images of the step, padding left out. */
static double sum_of_images(const clv_cpu_call *c)
{
    const real *v = c->in[0];
    double sum = 0;
    for (size_t n = 0; n < c->step->count; n++) sum += (double)v[n];
    return sum;
}

FUNCTION(mean) { *(real *)c->out = (real)(sum_of_images(c) / c->step->count); }

FUNCTION(mean_grad)
{
    real *v = c->out;
    for (size_t n = 0; n < lanes_of(c); n++)
        v[n] = n < c->step->count ? (real)c->call->attr.alpha / (real)c->step->count : 0;
}

FUNCTION(record)
{
    real *trace = c->trace; /* [row][slot] */
    trace[(size_t)c->step->row * (size_t)c->call->slots + (size_t)c->call->attr.slot] = (real)sum_of_images(c);
}
