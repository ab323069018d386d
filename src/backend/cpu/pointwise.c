/* Elementwise operations: plain loops over features f = (c H + y) W + x and lanes n. A result may lie where an input of
 * its shape lay: no pointer is restrict. */
#include "backend/cpu/functions.h"

/* The logistic function without overflow of the exponential (which would be harmless: 1 / inf is 0). */
static real sigmoid(real x) { return 1 / (1 + exp(-x)); }

real REAL(clv_act)(clv_act act, real slope, real x)
{
    switch (act) {
    case CLV_ACT_RELU:
        return x > 0 ? x : 0;
    case CLV_ACT_LEAKY_RELU:
        return x > 0 ? x : slope * x;
    case CLV_ACT_SIGMOID:
        return sigmoid(x);
    case CLV_ACT_TANH:
        return tanh(x);
    default:
        return x;
    }
}

real REAL(clv_act_slope)(clv_act act, real slope, real u)
{
    switch (act) {
    case CLV_ACT_RELU:
        return u > 0 ? 1 : 0;
    case CLV_ACT_LEAKY_RELU:
        return u > 0 ? 1 : slope;
    case CLV_ACT_SIGMOID:
        return u * (1 - u);
    case CLV_ACT_TANH:
        return 1 - u * u;
    default:
        return 1;
    }
}

/* All elements of the result, its lanes too. */
static size_t elements_of(const clv_cpu_call *c) { return clv_operand_elements(&c->call->out, c->call->lanes); }

FUNCTION(bias)
{
    const real *x = c->in[0], *b = c->in[1];
    real *y = c->out;
    const size_t rows = (size_t)c->call->out.shape.dim[0], row = elements_of(c) / rows; /* [c], [y][x][n] */
    for (size_t r = 0; r < rows; r++)
        for (size_t i = r * row; i < (r + 1) * row; i++) y[i] = x[i] + b[r];
}

FUNCTION(act)
{
    const real *x = c->in[0];
    real *y = c->out;
    const size_t elements = elements_of(c);
    for (size_t i = 0; i < elements; i++) y[i] = REAL(clv_act)(c->call->attr.act, (real)c->call->attr.slope, x[i]);
}

FUNCTION(act_grad)
{
    const real *dy = c->in[0], *y = c->in[1];
    real *dx = c->out;
    const size_t elements = elements_of(c);
    const float keep = 1 - c->call->attr.mask_rate; /* of a fused dropout; in float for every type, as it has it */
    const real over_keep = 1 / (real)keep;
    for (size_t i = 0; i < elements; i++)
        dx[i] = dy[i] * REAL(clv_act_slope)(c->call->attr.act, (real)c->call->attr.slope, y[i]) * over_keep;
}

FUNCTION(add)
{
    const real *a = c->in[0], *b = c->in[1];
    real *y = c->out;
    const size_t elements = elements_of(c);
    for (size_t i = 0; i < elements; i++) y[i] = a[i] + b[i];
}

FUNCTION(mul)
{
    const real *a = c->in[0], *b = c->in[1];
    real *y = c->out;
    const size_t elements = elements_of(c);
    for (size_t i = 0; i < elements; i++) y[i] = a[i] * b[i];
}

FUNCTION(scale)
{
    const real *x = c->in[0];
    real *y = c->out;
    const size_t elements = elements_of(c);
    for (size_t i = 0; i < elements; i++) y[i] = (real)c->call->attr.alpha * x[i];
}

FUNCTION(ramp)
{
    const real *x = c->in[0];
    real *y = c->out;
    const size_t elements = elements_of(c);
    for (size_t i = 0; i < elements; i++) y[i] = (real)c->step->ramp * x[i];
}

FUNCTION(broadcast)
{
    const real *v = c->in[0]; /* [n] */
    real *x = c->out;         /* [f][n] */
    const size_t lanes = (size_t)c->call->lanes, features = clv_cpu_features(&c->call->out.shape);
    for (size_t f = 0; f < features; f++)
        for (size_t n = 0; n < lanes; n++) x[f * lanes + n] = v[n];
}

FUNCTION(mul_image)
{
    const real *v = c->in[0] /* [n] */, *x = c->in[1] /* [f][n] */;
    real *y = c->out;
    const size_t lanes = (size_t)c->call->lanes, features = clv_cpu_features(&c->call->out.shape);
    for (size_t f = 0; f < features; f++)
        for (size_t n = 0; n < lanes; n++) y[f * lanes + n] = v[n] * x[f * lanes + n];
}
