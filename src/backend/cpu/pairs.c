/* Pairs of points: distances, and what t-SNE makes of them (van der Maaten & Hinton 2008, "Visualizing data using
 * t-SNE"). Points are the first images of the batch; a matrix has a row for each. */
#include "backend/cpu/functions.h"

enum { SEARCH_STEPS = 100 };

FUNCTION(distance)
{
    const real *restrict x = c->in[0]; /* [f][n] */
    real *restrict d = c->out;         /* [i][n] */
    const size_t lanes = (size_t)c->call->lanes, features = clv_cpu_features(&c->call->in[0].shape),
                 points = (size_t)c->call->out.shape.dim[0];
    for (size_t i = 0; i < points; i++) {
        real *row = d + i * lanes;
        for (size_t n = 0; n < lanes; n++) row[n] = 0;
        for (size_t f = 0; f < features; f++)
            for (size_t n = 0; n < lanes; n++) {
                const real difference = x[f * lanes + i] - x[f * lanes + n];
                row[n] += difference * difference;
            }
    }
}

/* exp(-b (d - least)) of a row, 0 at n = i; returns their sum, and their entropy in *entropy. */
static real weigh(const real *d, size_t points, size_t i, real least, real b, real *p, real *entropy)
{
    real sum = 0, moment = 0;
    for (size_t n = 0; n < points; n++) {
        const real above = n == i ? 0 : d[n] - least;
        p[n] = n == i ? 0 : exp(-b * above);
        sum += p[n];
        moment += p[n] * above;
    }
    *entropy = log(sum) + b * moment / sum;
    return sum;
}

/* The precision b of a row, by doubling or halving until it is between two and bisection from there, until the entropy
 * is within 1e-5 as in van der Maaten's code; a row of equal distances ends with what it has. */
static void affinity_row(const real *d, size_t points, size_t i, real wanted, real *p)
{
    real least = 0, mean = 0, low = 0, high = 0, entropy, sum = 1;
    for (size_t n = 0, seen = 0; n < points; n++)
        if (n != i && (seen++ == 0 || d[n] < least)) least = d[n];
    for (size_t n = 0; n < points; n++)
        if (n != i) mean += (d[n] - least) / (real)(points - 1);
    real b = mean > 0 ? 1 / mean : 1;
    for (int step = 0; step < SEARCH_STEPS; step++) {
        sum = weigh(d, points, i, least, b, p, &entropy);
        if (fabs(entropy - wanted) < (real)1e-5) break;
        if (entropy > wanted)
            low = b;
        else
            high = b;
        b = high > 0 ? (low + high) / 2 : b * 2;
        if (b > (real)1e30) break; /* more equal distances than the perplexity asks for */
    }
    for (size_t n = 0; n < points; n++) p[n] /= sum;
}

FUNCTION(affinity)
{
    const real *restrict d = c->in[0]; /* [i][n] */
    real *restrict p = c->out;         /* [i][n] */
    const size_t lanes = (size_t)c->call->lanes, points = (size_t)c->call->out.shape.dim[0];
    for (size_t i = 0; i < points; i++) {
        affinity_row(d + i * lanes, points, i, log((real)c->call->attr.alpha), p + i * lanes);
        for (size_t n = points; n < lanes; n++) p[i * lanes + n] = 0;
    }
}

FUNCTION(joint)
{
    const real *restrict q = c->in[0]; /* [i][n] */
    real *restrict p = c->out;         /* [i][n] */
    const size_t lanes = (size_t)c->call->lanes, points = (size_t)c->call->out.shape.dim[0];
    for (size_t i = 0; i < points; i++)
        for (size_t n = 0; n < lanes; n++)
            p[i * lanes + n] = n < points ? (q[i * lanes + n] + q[n * lanes + i]) / (2 * (real)points) : 0;
}

FUNCTION(tsne_force)
{
    const real *restrict y = c->in[0], *restrict p = c->in[1]; /* [2][width], [i][n] */
    real *restrict f = c->out;                                 /* [5][n] */
    const size_t lanes = (size_t)c->call->lanes, width = (size_t)c->call->in[0].shape.dim[1],
                 points = (size_t)c->call->in[1].shape.dim[0];
    for (size_t i = 0; i < points; i++) {
        real attraction[2] = {0}, repulsion[2] = {0}, sum = 0;
        for (size_t n = 0; n < points; n++) {
            const real a = y[i] - y[n], b = y[width + i] - y[width + n], u = 1 / (1 + a * a + b * b);
            if (n == i) continue;
            attraction[0] += p[i * lanes + n] * u * a;
            attraction[1] += p[i * lanes + n] * u * b;
            repulsion[0] += u * u * a;
            repulsion[1] += u * u * b;
            sum += u;
        }
        for (size_t k = 0; k < 2; k++) {
            f[k * lanes + i] = attraction[k];
            f[(2 + k) * lanes + i] = repulsion[k];
        }
        f[4 * lanes + i] = sum;
    }
}

FUNCTION(tsne_grad)
{
    const real *restrict f = c->in[0]; /* [5][n] */
    real *restrict dy = c->out;        /* [2][width] */
    const size_t lanes = (size_t)c->call->lanes, width = (size_t)c->call->out.shape.dim[1], count = c->step->count;
    real sum = 0;
    for (size_t n = 0; n < count; n++) sum += f[4 * lanes + n];
    for (size_t k = 0; k < 2; k++)
        for (size_t n = 0; n < width; n++)
            dy[k * width + n] =
                n < count ? 4 * ((real)c->step->exaggeration * f[k * lanes + n] - f[(2 + k) * lanes + n] / sum) : 0;
}
