/* The arithmetic peak: independent chains of fused multiply-adds and nothing else, for the share of the peak that a plan
 * reaches. Twelve chains hide the latency of an FMA (4 to 5 cycles on 2 ports) and fit 16 vector registers. */
#include "clave.clh"

#define CHAINS 12

#ifndef ROUNDS
#define ROUNDS 4096
#endif

/* out[item][V]: the sum of the chains, so that no compiler drops them. FLOPs: items * ROUNDS * CHAINS * V * 2. */
kernel void peak(global float *restrict out)
{
    const int item = get_global_id(0);
    floatv chain[CHAINS];
#pragma unroll
    for (int i = 0; i < CHAINS; i++) chain[i] = (floatv)((float)(item + i));
    for (int r = 0; r < ROUNDS; r++)
#pragma unroll
        for (int i = 0; i < CHAINS; i++) chain[i] = fma(chain[i], (floatv)(0.999f), (floatv)(1e-6f));
    floatv sum = (floatv)(0.0f);
#pragma unroll
    for (int i = 0; i < CHAINS; i++) sum += chain[i];
    STOREV(sum, out + item * V);
}
