/* How far two correct backends may be apart. Bounds are in units of 2^-23 (an ulp, relative) of a magnitude that
 * belongs to the op, and follow from the maximum errors of OpenCL 1.2, section 7.4: x + y, x - y, x y, fma 0.5 ulp; x /
 * y and 1 / x 2.5; exp, log, expm1, sqrt 3; log1p 2; cos, sin 4; tanh 5. Each row derives its number from the longest
 * chain of an obvious implementation and rounds up; the reference's own error, in double and then rounded to float, is
 * the 0.5 in all of them. */
#include <math.h>

#include "backend/trial.h"

/* What a bound depends on: the trial, the reference's value, and the place: feature and image of the result. */
typedef struct result {
    const clv_trial *t;
    double reference;
    size_t f, n;
} result;

static size_t features_of(const clv_trial *t, int input)
{
    return (size_t)clv_shape_elements(&t->call.in[input].shape);
}
static double input(const result *r, int i, size_t f) { return (double)r->t->in[i][f * (size_t)r->t->batch + r->n]; }
static double here(const result *r, int i) { return input(r, i, r->f); } /* the element at the result's place */
static double weight(const result *r) { return fabs(input(r, 0, 0)); }   /* v[n] */

/* The activation's own error, of a result: exp 3, 1 + . and 1 / . 0.5 + 2.5 of 1 / (1 + exp(-x)); slope x 0.5. */
static double act_ulps(clv_act act)
{
    switch (act) {
    case CLV_ACT_LEAKY_RELU:
        return 1;
    case CLV_ACT_SIGMOID:
        return 7;
    case CLV_ACT_TANH:
        return 6;
    default:
        return 0;
    }
}

/* Sums of integers are exact: what is left is the activation (the reference's too: it is in float here, 2 ulps) and the
 * product with act'(u), u a multiple of 1/8: 0.5 for each; the product with 1 / keep, 2.5 and 0.5, of each dropout. */
static double bound_product(const result *r)
{
    const clv_attr *a = &r->t->call.attr;
    const bool bends = a->act == CLV_ACT_SIGMOID || a->act == CLV_ACT_TANH;
    const bool scaled = a->grad_act != CLV_ACT_NONE && a->grad_act != CLV_ACT_RELU;
    const int dropouts = (a->mask_rate > 0) + (a->rate > 0);
    return (act_ulps(a->act) + (bends ? 3 : 0) + (scaled ? 1 : 0) + 3 * dropouts) * fabs(r->reference);
}

static double bound_exact(const result *r) { return 0 * r->reference; }
static double bound_rounded(const result *r) { return fabs(r->reference); } /* one operation */
static double bound_images(const result *r)
{
    return 3 * fabs(r->reference);
} /* a division, or a product with 1 / 255 */
static double bound_act(const result *r) { return act_ulps(r->t->call.attr.act) * fabs(r->reference); }

/* dy act'(u): 1 - u u cancels, so that its error counts against 1; three roundings. Relu only chooses, and scales
 * where a dropout is fused with it. */
static double bound_act_grad(const result *r)
{
    const clv_attr *a = &r->t->call.attr;
    if (a->act == CLV_ACT_RELU) return a->mask_rate > 0 ? 3 * fabs(r->reference) : 0;
    return 3 * fabs(here(r, 0));
}

static double bound_dropout(const result *r) { return 3 * fabs(r->reference); } /* a product with 1 / keep */

/* Sums of integers are exact; else each addition rounds what was added before: terms / 2 of the sum of magnitudes. */
static double bound_sum(const result *r)
{
    if (r->t->values == CLV_TRIAL_EXACT) return 0;
    double magnitude = 0;
    for (size_t f = 0; f < features_of(r->t, 0); f++) magnitude += fabs(input(r, 0, f));
    return ((double)features_of(r->t, 0) / 2 + 1) * magnitude;
}

static double bound_bias_grad(const result *r)
{
    if (r->t->values == CLV_TRIAL_EXACT) return 0;
    const size_t terms = features_of(r->t, 0) / (size_t)r->t->call.in[0].shape.dim[0] * (size_t)r->t->batch;
    double magnitude = 0; /* r->f is the channel here */
    for (size_t i = 0; i < terms; i++) magnitude += fabs((double)r->t->in[0][r->f * terms + i]);
    return ((double)terms / 2 + 1) * magnitude;
}

/* Box & Muller: radius sqrt(-2 log a), at most sqrt(48 log 2) = 5.77 of 24 bits, log 3 / 2 and sqrt 3; the angle, up to
 * 2 pi, has the error of 2 pi's and the product's rounding, 2 pi ulps of 1, and cos 4. With exp 3 and products: 20 of
 * exp(logvar / 2) radius. */
static const double largest_normal = 5.77;
static double bound_sample(const result *r) { return 20 * largest_normal * exp(here(r, 1) / 2) + fabs(r->reference); }
/* The same without the exponential, and the sum's rounding; clipping brings nothing further apart. */
static double bound_noise(const result *r)
{
    const double deviation = (double)r->t->step.noise;
    return 16 * largest_normal * deviation + 1 + largest_normal * deviation;
}
/* A pixel is at most 1. */
static double bound_gather(const result *r) { return r->t->call.attr.noisy ? 3 + bound_noise(r) : bound_images(r); }
static double bound_sample_grad(const result *r)
{
    const double sum = r->t->call.attr.has_addend ? fabs(r->reference) : 0; /* its rounding */
    return 20 * largest_normal * fabs(here(r, 0)) * exp(here(r, 1) / 2) / 2 + sum;
}

/* Each term has exp's 3 and four roundings; each addition half an ulp of what was added before. */
static double bound_kl(const result *r)
{
    double magnitude = 0;
    for (size_t f = 0; f < features_of(r->t, 0); f++) {
        const double mu = input(r, 0, f), logvar = input(r, 1, f);
        magnitude += (1 + fabs(logvar) + mu * mu + exp(logvar)) / 2;
    }
    return ((double)features_of(r->t, 0) / 2 + 6) * magnitude;
}

static double bound_kl_grad(const result *r)
{
    return 6 * weight(r) * (exp(here(r, 1)) + 1) / 2;
} /* exp 3, three roundings */

/* What a loss is of, y and the target: inputs, but for a head that a product has. */
static size_t features_of_y(const clv_trial *t)
{
    return t->call.attr.head ? (size_t)clv_shape_elements(&t->call.out.shape) : features_of(t, 0);
}
static double y_of(const result *r, size_t f)
{
    return r->t->call.attr.head ? (double)r->t->y[f * (size_t)r->t->batch + r->n] : input(r, 0, f);
}
static double target_of(const result *r, size_t f)
{
    return input(r, r->t->call.attr.head ? r->t->call.inputs - 2 : 1, f);
}
/* An input is what it is; a product's sum is exact, its activation is not. */
static double error_of_y(const result *r, size_t f)
{
    return r->t->call.attr.head ? act_ulps(r->t->call.attr.act) * fabs(y_of(r, f)) : 0;
}

/* All terms are positive; a difference's rounding counts twice in its square, as y's own error; the mean divides, 2.5.
 */
static double bound_mse(const result *r)
{
    const size_t features = features_of_y(r->t);
    double own = 0;
    for (size_t f = 0; f < features; f++) own += 2 * fabs(y_of(r, f) - target_of(r, f)) * error_of_y(r, f);
    return ((double)features / 2 + 5) * fabs(r->reference) + own / (double)features;
}
static double bound_mse_grad(const result *r) { return 6 * fabs(r->reference); } /* three roundings, a division */

/* A term: exp 3 (halved by log's slope), log or log1p 3, three roundings. */
static double bound_bce(const result *r)
{
    double magnitude = 0;
    for (size_t f = 0; f < features_of_y(r->t); f++) magnitude += fabs(y_of(r, f)) * (1 + fabs(target_of(r, f))) + 1;
    return ((double)features_of_y(r->t) / 2 + 6) * magnitude;
}

static double bound_bce_grad(const result *r)
{
    return 9 * weight(r) * (1 + fabs(here(r, 2)));
} /* sigmoid 7, two roundings */

/* v[n] of the gradients in a head: alpha / count, which a division has rounded; 0 in padding. */
static double head_weight(const result *r)
{
    return r->n < r->t->step.count ? fabs((double)r->t->call.attr.alpha) / r->t->step.count : 0;
}

/* mse_grad's 6 and the division's 3; act'(y) as in act_grad, where 1 - y y cancels; (y - t) act'(y) has a slope of at
 * most 1 + 2 |y - t| for what y is off by, as act' and its own slope, in y, are at most 1 and 2. */
static double bound_mse_head(const result *r)
{
    const double share = 2 * head_weight(r) / (double)features_of_y(r->t), d = fabs(y_of(r, r->f) - target_of(r, r->f));
    return 9 * fabs(r->reference) + (r->t->call.attr.act == CLV_ACT_NONE ? 0 : 3 * share * d) +
           share * error_of_y(r, r->f) * (1 + 2 * d);
}

static double bound_bce_head(const result *r) { return 12 * head_weight(r) * (1 + fabs(target_of(r, r->f))); }

static double largest_logit(const result *r, int i)
{
    double largest = 0;
    for (size_t f = 0; f < features_of(r->t, i); f++) largest = fmax(largest, fabs(input(r, i, f)));
    return largest;
}

/* s - max, up to 2 M for logits within M, is off by M, which the exponential makes M of its value; exp 3, a sum of C
 * terms C / 2, log 3 of log C (under 7), and two additions to numbers of the size of M: less than (C / 2 + 16) (1 + M).
 */
static double bound_xent(const result *r)
{
    return ((double)features_of(r->t, 0) / 2 + 16) * (1 + largest_logit(r, 0));
}

/* The quotient of two such exponentials: 2 (M + 3) + C / 2 + 2.5, and two roundings. */
static double bound_xent_grad(const result *r)
{
    return ((double)features_of(r->t, 1) / 2 + 12) * (1 + largest_logit(r, 1)) * weight(r);
}

/* A sum over images, in any order, and a division. */
static double sum_over_images(const result *r)
{
    double magnitude = 0;
    for (size_t n = 0; n < r->t->step.count; n++) magnitude += fabs((double)r->t->in[0][n]);
    return ((double)r->t->step.count / 2 + 4) * magnitude;
}
static double bound_mean(const result *r) { return sum_over_images(r) / r->t->step.count; }
static double bound_record(const result *r) { return sum_over_images(r); }
static double bound_mean_grad(const result *r) { return 4 * fabs(r->reference); }

static double rate_of(const result *r, size_t i)
{
    return (double)r->t->step.lr * (r->t->call.attr.rated ? (double)r->t->state[4][i] : 1);
}

/* The gradient's magnitude as the optimiser takes it; a power of two rounds nothing. */
static double gradient_of(const result *r, size_t i)
{
    const double unscale = (double)r->t->call.attr.unscale;
    return fabs((double)r->t->state[1][i]) * (unscale > 0 ? unscale : 1);
}

/* A difference's rounding counts twice in its square; all terms are positive. */
static double bound_distance(const result *r) { return ((double)features_of(r->t, 0) / 2 + 2) * fabs(r->reference); }

/* The precision of row i in double, as the op finds it but to the last digit, and the variance of b d under it. */
static double variance_of_row(const result *r, double wanted, size_t points)
{
    double b = 1, low = 0, high = 0, variance = 0;
    for (int step = 0; step < 60; step++) {
        double sum = 0, moment = 0, square = 0;
        for (size_t n = 0; n < points; n++) {
            if (n == r->f) continue;
            const double u = b * (double)r->t->in[0][r->f * (size_t)r->t->batch + n], e = exp(-u);
            sum += e;
            moment += e * u;
            square += e * u * u;
        }
        const double entropy = log(sum) + moment / sum;
        variance = square / sum - moment * moment / sum / sum;
        if (fabs(entropy - wanted) < 1e-6) break;
        if (entropy > wanted)
            low = b;
        else
            high = b;
        b = high > 0 ? (low + high) / 2 : b * 2;
    }
    return variance;
}

/* The search ends where the entropy H is within 1e-5, on either backend. H is off by its sums' rounding too: points / 2
 * + 8, of log(points) + 1. From dH / d log b = -Var(b d) and d log p / d log b = -(b d - mean) = log p + H: the error
 * of log p is |log p + H| dH / Var. Beside it exp has 3 and the rounding of b d counts by |log p| + H, a sum points /
 * 2, a division 2.5. */
static double bound_affinity(const result *r)
{
    const size_t points = (size_t)r->t->call.out.shape.dim[0];
    const double p = fabs(r->reference), wanted = log((double)r->t->call.attr.alpha);
    if (p == 0) return 0;
    const double search = 2e-5 * 0x1p23 + ((double)points / 2 + 8) * (log((double)points) + 1);
    const double rounding = (double)points / 2 + 8 + 2 * (fabs(log(p)) + wanted);
    return p * (fabs(log(p) + wanted) * search / variance_of_row(r, wanted, points) + rounding);
}

static double bound_joint(const result *r) { return 3 * fabs(r->reference); }

/* u has 2.5 of its division and 2.5 of what it divides by, where roundings of differences count twice; p u a one more
 * each, u u a twice u's; and sums of terms of either sign. */
static double bound_tsne_force(const result *r)
{
    const float *y = r->t->in[0], *p = r->t->in[1];
    const size_t points = (size_t)r->t->call.in[1].shape.dim[0], width = (size_t)r->t->call.in[0].shape.dim[1],
                 axis = (r->f & 1) * width;
    double magnitude = 0;
    for (size_t n = 0; n < points; n++) {
        const double a = (double)y[r->n] - (double)y[n], b = (double)y[width + r->n] - (double)y[width + n],
                     u = 1 / (1 + a * a + b * b), along = fabs((double)y[axis + r->n] - (double)y[axis + n]);
        magnitude += r->f < 2 ? (double)p[r->n * (size_t)r->t->batch + n] * u * along : r->f < 4 ? u * u * along : u;
    }
    return ((double)points / 2 + 14) * magnitude;
}

/* Here r->f counts the elements of [2][width]. */
static double bound_tsne_grad(const result *r)
{
    const size_t width = (size_t)r->t->call.out.shape.dim[1], batch = (size_t)r->t->batch, k = r->f / width,
                 n = r->f % width;
    double sum = 0;
    if (n >= r->t->step.count) return 0;
    for (size_t i = 0; i < r->t->step.count; i++) sum += (double)r->t->in[0][4 * batch + i];
    const double pull = (double)r->t->step.exaggeration * (double)r->t->in[0][k * batch + n],
                 push = (double)r->t->in[0][(2 + k) * batch + n] / sum;
    return 4 * (2 * pull + ((double)r->t->step.count / 2 + 5) * push);
}

/* Results are parameters, moves, gains: a rounding or two of each, and of the constants 0.2, 0.8, 0.01. */
static double bound_tsne_step(const result *r)
{
    const clv_step *step = &r->t->step;
    const size_t trained = r->t->call.trained, i = r->f % trained;
    const double gain = (double)r->t->state[3][i] + 0.2,
                 move = fabs((double)r->t->state[2][i]) * (double)step->momentum,
                 turn = (double)step->lr * gain * fabs((double)r->t->state[1][i]);
    if (r->f >= 2 * trained) return 2 * gain;
    if (r->f >= trained) return 2 * move + 5 * turn;
    return fabs((double)r->t->state[0][i]) + 3 * move + 6 * turn;
}

/* Results are parameters, then first, then second moments. The moments: three roundings of sums whose terms may cancel,
 * four of squares. The step: its m 3, the second moment's root 2 + 3, a division 2.5, five roundings. */
static double bound_adam(const result *r)
{
    const clv_attr *a = &r->t->call.attr;
    const clv_step *step = &r->t->step;
    const size_t trained = r->t->call.trained, i = r->f % trained;
    const double w = fabs((double)r->t->state[0][i]), v0 = (double)r->t->state[3][i];
    const double g = gradient_of(r, i) + (double)a->l2 * w;
    const double m = (double)a->beta1 * fabs((double)r->t->state[2][i]) + (1 - (double)a->beta1) * g;
    if (r->f >= 2 * trained) return 4 * ((double)a->beta2 * v0 + (1 - (double)a->beta2) * g * g);
    if (r->f >= trained) return 4 * m;
    const double root =
        sqrt((double)a->beta2 * v0 * (double)step->correction2); /* without the gradient: no more than the true one */
    return 3 * w + 17 * rate_of(r, i) * m * (double)step->correction1 / (root + (double)a->eps);
}

static double bound_sgd(const result *r)
{
    const clv_attr *a = &r->t->call.attr;
    const size_t trained = r->t->call.trained, i = r->f % trained;
    const double w = fabs((double)r->t->state[0][i]);
    const double m = (double)a->momentum * fabs((double)r->t->state[2][i]) + gradient_of(r, i) + (double)a->l2 * w;
    return r->f >= trained ? 3 * m : w + 6 * rate_of(r, i) * (m + (double)a->weight_decay * w);
}

static double (*const bounds[CLV_OP_COUNT])(const result *) = {
    [CLV_OP_GATHER] = bound_gather,
    [CLV_OP_LABEL] = bound_exact,
    [CLV_OP_CONV] = bound_product,
    [CLV_OP_DECONV] = bound_product,
    [CLV_OP_CONV_WEIGHT] = bound_product,
    [CLV_OP_BIAS] = bound_rounded,
    [CLV_OP_BIAS_GRAD] = bound_bias_grad,
    [CLV_OP_ACT] = bound_act,
    [CLV_OP_ACT_GRAD] = bound_act_grad,
    [CLV_OP_DROPOUT] = bound_dropout,
    [CLV_OP_NOISE] = bound_noise,
    [CLV_OP_ADD] = bound_rounded,
    [CLV_OP_MUL] = bound_rounded,
    [CLV_OP_SCALE] = bound_rounded,
    [CLV_OP_RAMP] = bound_rounded,
    [CLV_OP_SUM] = bound_sum,
    [CLV_OP_BROADCAST] = bound_exact,
    [CLV_OP_SAMPLE] = bound_sample,
    [CLV_OP_SAMPLE_GRAD] = bound_sample_grad,
    [CLV_OP_KL] = bound_kl,
    [CLV_OP_KL_GRAD_LOGVAR] = bound_kl_grad,
    [CLV_OP_MUL_IMAGE] = bound_rounded,
    [CLV_OP_MSE] = bound_mse,
    [CLV_OP_MSE_GRAD] = bound_mse_grad,
    [CLV_OP_BCE] = bound_bce,
    [CLV_OP_BCE_GRAD] = bound_bce_grad,
    [CLV_OP_MSE_HEAD] = bound_mse_head,
    [CLV_OP_BCE_HEAD] = bound_bce_head,
    [CLV_OP_XENT] = bound_xent,
    [CLV_OP_XENT_GRAD] = bound_xent_grad,
    [CLV_OP_CORRECT] = bound_exact,
    [CLV_OP_MEAN] = bound_mean,
    [CLV_OP_MEAN_GRAD] = bound_mean_grad,
    [CLV_OP_RECORD] = bound_record,
    [CLV_OP_DISTANCE] = bound_distance,
    [CLV_OP_AFFINITY] = bound_affinity,
    [CLV_OP_JOINT] = bound_joint,
    [CLV_OP_TSNE_FORCE] = bound_tsne_force,
    [CLV_OP_TSNE_GRAD] = bound_tsne_grad,
    [CLV_OP_ADAM] = bound_adam,
    [CLV_OP_SGD] = bound_sgd,
    [CLV_OP_TSNE_STEP] = bound_tsne_step,
};

/* The second results of the ops that have one. */
static double (*const bounds_beside[CLV_OP_COUNT])(const result *) = {
    [CLV_OP_GATHER] = bound_images,
    [CLV_OP_CONV_WEIGHT] = bound_exact, /* sums of integers */
    [CLV_OP_MSE_HEAD] = bound_mse,
    [CLV_OP_BCE_HEAD] = bound_bce,
};

/* Two numbers that far apart, each rounded to the nearest half: by 2^-11 of it, or by 2^-25 where it is subnormal.
 * Equal ones are rounded alike. */
double clv_trial_stored_tolerance(double tolerance, double reference)
{
    if (tolerance == 0) return 0;
    return tolerance + 0x1p-10 * (fabs(reference) * (1 + 0x1p-10) + tolerance) + 0x1p-24;
}

double clv_trial_tolerance(const clv_trial *trial, double reference, size_t i)
{
    const clv_call *call = &trial->call;
    const size_t batch = (size_t)trial->batch, first = clv_trial_first_results(trial);
    const bool beside = i >= first;
    const clv_operand *of = beside ? &call->in[call->inputs - 1] : &call->out;
    const bool batched = of->space != CLV_SPACE_NONE && of->shape.batched;
    if (beside) i -= first;
    const result r = {trial, reference, batched ? i / batch : i, batched ? i % batch : 0};
    const clv_op head = clv_op_head(call->op, &call->attr), op = head ? head : call->op;
    const double tolerance = (beside ? bounds_beside : bounds)[op](&r) * 0x1p-23;
    return of->space == CLV_SPACE_HALF ? clv_trial_stored_tolerance(tolerance, reference) : tolerance;
}
