/* Sums over a tensor: over all but the channel, over all but the image. */
#include "backend/cpu/functions.h"

void REAL(clv_cpu_sum_channels)(const clv_cpu_call *c, int input, real *restrict b)
{
    const real *restrict d = c->in[input]; /* [c][y][x][n], 0 in the lanes that are padding */
    const size_t rows = (size_t)c->call->in[input].shape.dim[0],
                 row = clv_operand_elements(&c->call->in[input], c->call->lanes) / rows;
    for (size_t r = 0; r < rows; r++) {
        real sum[CLV_CPU_LANES] = {0}; /* side by side, so that the compiler may use vectors */
        for (size_t i = r * row; i < (r + 1) * row; i += CLV_CPU_LANES)
            for (size_t l = 0; l < CLV_CPU_LANES; l++) sum[l] += d[i + l];
        b[r] = 0;
        for (size_t l = 0; l < CLV_CPU_LANES; l++) b[r] += sum[l];
    }
}

FUNCTION(bias_grad) { REAL(clv_cpu_sum_channels)(c, 0, c->out); }

FUNCTION(sum)
{
    const real *restrict x = c->in[0]; /* [f][n] */
    real *restrict v = c->out;         /* [n] */
    const size_t lanes = (size_t)c->call->lanes, features = clv_cpu_features(&c->call->in[0].shape);
    for (size_t n = 0; n < lanes; n++) v[n] = 0;
    for (size_t f = 0; f < features; f++)
        for (size_t n = 0; n < lanes; n++) v[n] += x[f * lanes + n];
}
