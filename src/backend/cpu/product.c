/* The three products. Convolution and its data gradient, the transposed convolution, are one sum: at each pixel of the
 * result taps along either axis, each a pixel of the source and a place among the weights, are added row by row of
 * images. The weight gradient sums over pixels and images instead. */
#include "backend/cpu/functions.h"

static int smaller(int a, int b) { return a < b ? a : b; }
static int larger(int a, int b) { return a > b ? a : b; }

/* Small side [oc][oh][ow], big side [ic][ih][iw]: conv goes from big to small, deconv from small to big. */
typedef struct product {
    size_t ic, oc;
    int ih, iw, oh, ow, kernel, stride, pad;
    size_t lanes;
} product;

/* What one row (column) of the result reads: tap t is row at + t at_step of the source, row k + t k_step of the kernel.
 */
typedef struct axis {
    int taps, at, at_step, k, k_step;
} axis;

/* A weight of rank 2, [out][in], is one of rank 4 with a kernel of 1: a linear layer. */
static product product_of(const clv_call *call, const clv_shape *big, const clv_shape *small)
{
    return (product){
        .ic = (size_t)big->dim[0],
        .ih = big->dim[1],
        .iw = big->dim[2],
        .oc = (size_t)small->dim[0],
        .oh = small->dim[1],
        .ow = small->dim[2],
        .kernel = larger(1, call->attr.kernel),
        .stride = larger(1, call->attr.stride),
        .pad = call->attr.pad,
        .lanes = (size_t)call->lanes,
    };
}

/* Row o of the small side reads rows o S - P + k of a big side of `size`. */
static axis axis_of_conv(const product *p, int o, int size)
{
    const int base = o * p->stride - p->pad, first = larger(0, -base), end = smaller(p->kernel, size - base);
    return (axis){.taps = larger(0, end - first), .at = base + first, .at_step = 1, .k = first, .k_step = 1};
}

/* Row i of the big side reads the rows o, of a small side of `size`, with o S - P + k = i for some k. */
static axis axis_of_deconv(const product *p, int i, int size)
{
    const int at = (i + p->pad) / p->stride, o = smaller(at, size - 1); /* the last row that may reach it */
    const int k = i + p->pad - o * p->stride;
    const int taps = k < p->kernel ? smaller(o, (p->kernel - 1 - k) / p->stride) + 1 : 0;
    return (axis){.taps = taps, .at = o, .at_step = -1, .k = k, .k_step = p->stride};
}

/* The sizes of one sum: channels of the source and its pixels, results' channels and pixels, and the weights' strides
 * from channel to channel of either. */
typedef struct sum_shape {
    size_t channels, pixels, results, result_pixels, channel_stride, result_stride, lanes;
    int width, kernel; /* of the source and of the weights: their row strides */
} sum_shape;

/* y[n] += w x[n] */
static void add_row(size_t lanes, real w, const real *restrict x, real *restrict y)
{
    for (size_t n = 0; n < lanes; n++) y[n] += w * x[n];
}

/* The same of four channels, `x_stride` and `w_stride` apart: y is loaded and stored once for all. */
static void add_four_rows(size_t lanes, const real *w, size_t w_stride, const real *restrict x, size_t x_stride,
                          real *restrict y)
{
    const real w0 = w[0], w1 = w[w_stride], w2 = w[2 * w_stride], w3 = w[3 * w_stride];
    const real *restrict x1 = x + x_stride, *restrict x2 = x1 + x_stride, *restrict x3 = x2 + x_stride;
    for (size_t n = 0; n < lanes; n++) y[n] += (w0 * x[n] + w1 * x1[n]) + (w2 * x2[n] + w3 * x3[n]);
}

/* y[n] = sum over channels and taps of w x[n], w from one channel of the result on. */
static void sum_row(const sum_shape *s, const axis *ay, const axis *ax, const real *w, const real *x, real *restrict y)
{
    const size_t stride = s->pixels * s->lanes;
    for (size_t n = 0; n < s->lanes; n++) y[n] = 0;
    for (int ty = 0; ty < ay->taps; ty++)
        for (int tx = 0; tx < ax->taps; tx++) {
            const int at = (ay->at + ty * ay->at_step) * s->width + ax->at + tx * ax->at_step;
            const int k = (ay->k + ty * ay->k_step) * s->kernel + ax->k + tx * ax->k_step;
            const real *from = x + (size_t)at * s->lanes, *weight = w + k;
            size_t c = 0;
            for (; c + 4 <= s->channels; c += 4)
                add_four_rows(s->lanes, weight + c * s->channel_stride, s->channel_stride, from + c * stride, stride,
                              y);
            for (; c < s->channels; c++) add_row(s->lanes, weight[c * s->channel_stride], from + c * stride, y);
        }
}

/* y = dropout(act(y + addend + bias) act'(u)), addend and u having the result's places: `at` is the row's. */
static void finish_row(const clv_cpu_call *c, size_t channel, size_t at)
{
    const clv_attr *a = &c->call->attr;
    const real *u = a->grad_act != CLV_ACT_NONE ? c->in[c->call->inputs - 1] : NULL;
    const float keep = 1 - a->mask_rate; /* in float for every type, as the dropout has it */
    const real over_keep = 1 / (real)keep;
    const real *addend = a->has_addend ? c->in[a->has_bias ? 3 : 2] : NULL;
    const real bias = a->has_bias ? ((const real *)c->in[2])[channel] : 0;
    real *y = c->out;
    for (size_t i = at; i < at + (size_t)c->call->lanes; i++) {
        y[i] = REAL(clv_act)(a->act, (real)a->slope, y[i] + (addend ? addend[i] : 0) + bias);
        if (u) y[i] = y[i] * REAL(clv_act_slope)(a->grad_act, (real)a->slope, u[i]) * over_keep;
    }
    if (a->rate > 0) REAL(clv_cpu_drop_feature)(c, channel, y + at);
}

/* All channels of the result at one pixel. */
static void sum_pixel(const clv_cpu_call *c, const sum_shape *s, const axis *ay, const axis *ax, size_t pixel)
{
    const real *x = c->in[0], *w = c->in[1];
    for (size_t m = 0; m < s->results; m++) {
        const size_t at = (m * s->result_pixels + pixel) * s->lanes;
        sum_row(s, ay, ax, w + m * s->result_stride, x, (real *)c->out + at);
        finish_row(c, m, at);
    }
}

FUNCTION(conv) /* inputs x, w */
{
    const product p = product_of(c->call, &c->call->in[0].shape, &c->call->out.shape);
    const size_t kk = (size_t)(p.kernel * p.kernel);
    const sum_shape s = {p.ic,    (size_t)(p.ih * p.iw), p.oc, (size_t)(p.oh * p.ow), kk, p.ic * kk, p.lanes, p.iw,
                         p.kernel};
    for (int oy = 0; oy < p.oh; oy++)
        for (int ox = 0; ox < p.ow; ox++) {
            const axis ay = axis_of_conv(&p, oy, p.ih), ax = axis_of_conv(&p, ox, p.iw);
            sum_pixel(c, &s, &ay, &ax, (size_t)(oy * p.ow + ox));
        }
    REAL(clv_cpu_head_of_product)(c);
}

FUNCTION(deconv) /* inputs y, w */
{
    const product p = product_of(c->call, &c->call->out.shape, &c->call->in[0].shape);
    const size_t kk = (size_t)(p.kernel * p.kernel);
    const sum_shape s = {p.oc,    (size_t)(p.oh * p.ow), p.ic, (size_t)(p.ih * p.iw), p.ic * kk, kk, p.lanes, p.ow,
                         p.kernel};
    for (int iy = 0; iy < p.ih; iy++)
        for (int ix = 0; ix < p.iw; ix++) {
            const axis ay = axis_of_deconv(&p, iy, p.oh), ax = axis_of_deconv(&p, ix, p.ow);
            sum_pixel(c, &s, &ay, &ax, (size_t)(iy * p.iw + ix));
        }
    REAL(clv_cpu_head_of_product)(c);
}

/* Adds d[n] x[n] to acc, lanes side by side so that the compiler may use vectors. */
static void add_products(size_t lanes, const real *restrict d, const real *restrict x, real acc[CLV_CPU_LANES])
{
    real a[CLV_CPU_LANES];
    for (size_t l = 0; l < CLV_CPU_LANES; l++) a[l] = acc[l];
    for (size_t n = 0; n < lanes; n += CLV_CPU_LANES)
        for (size_t l = 0; l < CLV_CPU_LANES; l++) a[l] += d[n + l] * x[n + l];
    for (size_t l = 0; l < CLV_CPU_LANES; l++) acc[l] = a[l];
}

/* One weight: y [oy][ox][n] and x [iy][ix][n] of its channels, its tap at row ky, column kx. */
static real sum_weight(const product *p, const real *y, const real *x, int ky, int kx)
{
    real acc[CLV_CPU_LANES] = {0}, sum = 0;
    for (int oy = 0; oy < p->oh; oy++)
        for (int ox = 0; ox < p->ow; ox++) {
            const int iy = oy * p->stride - p->pad + ky, ix = ox * p->stride - p->pad + kx;
            if (iy < 0 || iy >= p->ih || ix < 0 || ix >= p->iw) continue;
            add_products(p->lanes, y + (size_t)(oy * p->ow + ox) * p->lanes, x + (size_t)(iy * p->iw + ix) * p->lanes,
                         acc);
        }
    for (size_t l = 0; l < CLV_CPU_LANES; l++) sum += acc[l];
    return sum;
}

FUNCTION(conv_weight) /* inputs x, y; y is 0 in the lanes that are padding */
{
    const product p = product_of(c->call, &c->call->in[0].shape, &c->call->in[1].shape);
    const size_t big = (size_t)(p.ih * p.iw) * p.lanes, small = (size_t)(p.oh * p.ow) * p.lanes;
    const real *x = c->in[0], *y = c->in[1];
    real *w = c->out;
    for (size_t oc = 0; oc < p.oc; oc++)
        for (size_t ic = 0; ic < p.ic; ic++)
            for (int ky = 0; ky < p.kernel; ky++)
                for (int kx = 0; kx < p.kernel; kx++) *w++ = sum_weight(&p, y + oc * small, x + ic * big, ky, kx);
    const int sum_of = c->call->attr.sum_of;
    if (sum_of) REAL(clv_cpu_sum_channels)(c, sum_of - 1, c->beside);
}
