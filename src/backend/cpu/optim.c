/* The optimisers: one pass over the trained parameters, a prefix of their buffer. */
#include "backend/cpu/functions.h"

/* The learning rate of parameter i: the step's, times the factor that a rated optimiser has for it. */
static real rate_of(const clv_cpu_call *c, size_t i)
{
    const real lr = (real)c->step->lr;
    return c->call->attr.rated ? lr * ((const real *)c->rate)[i] : lr;
}

/* A power of two, where the loss was scaled by its inverse. */
static real unscale_of(const clv_cpu_call *c) { return c->call->attr.unscale > 0 ? (real)c->call->attr.unscale : 1; }

/* Kingma & Ba 2015, algorithm 1; weight_decay shrinks the weights first (Loshchilov & Hutter 2019, algorithm 2, in
 * PyTorch's order), then l2 joins the gradient. */
FUNCTION(adam)
{
    const clv_attr *a = &c->call->attr;
    const real beta1 = (real)a->beta1, beta2 = (real)a->beta2, eps = (real)a->eps;
    const real correction1 = (real)c->step->correction1, correction2 = (real)c->step->correction2;
    real *restrict w = c->param, *restrict m = c->moment1, *restrict v = c->moment2;
    const real *restrict grad = c->grad, unscale = unscale_of(c);
    for (size_t i = 0; i < c->call->trained; i++) {
        const real lr = rate_of(c, i);
        w[i] -= lr * (real)a->weight_decay * w[i];
        const real g = grad[i] * unscale + (real)a->l2 * w[i];
        m[i] = beta1 * m[i] + (1 - beta1) * g;
        v[i] = beta2 * v[i] + (1 - beta2) * g * g;
        w[i] -= lr * (m[i] * correction1) / (sqrt(v[i] * correction2) + eps);
    }
}

/* PyTorch's SGD without dampening: m starts at 0, so that the first step's m is the gradient. */
FUNCTION(sgd)
{
    const clv_attr *a = &c->call->attr;
    real *restrict w = c->param, *restrict m = c->moment1;
    const real *restrict grad = c->grad, unscale = unscale_of(c);
    for (size_t i = 0; i < c->call->trained; i++) {
        m[i] = (real)a->momentum * m[i] + grad[i] * unscale + (real)a->l2 * w[i];
        w[i] -= rate_of(c, i) * (m[i] + (real)a->weight_decay * w[i]);
    }
}

/* The "delta-bar-delta" gains of Jacobs 1988 as van der Maaten's t-SNE has them; moment1 is the last move, moment2 the
 * gains. */
FUNCTION(tsne_step)
{
    const real lr = (real)c->step->lr, momentum = (real)c->step->momentum;
    real *restrict w = c->param, *restrict m = c->moment1, *restrict gain = c->moment2;
    const real *restrict grad = c->grad;
    for (size_t i = 0; i < c->call->trained; i++) {
        const real g = m[i] * grad[i] < 0 ? gain[i] + (real)0.2 : gain[i] * (real)0.8;
        gain[i] = g < (real)0.01 ? (real)0.01 : g;
        m[i] = momentum * m[i] - lr * gain[i] * grad[i];
        w[i] += m[i];
    }
}
