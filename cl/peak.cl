/* As many fused multiply-adds as a device can do: 12 chains a work-item, enough to hide their latency. */
#include "clave.clh"

#ifndef ROUNDS
#define ROUNDS 1024
#endif
#define CHAINS 12

kernel void peak(global float *out)
{
    const int item = (int)GLOBAL_ID(0);
    const floatv a = (floatv)(0.999f + 1e-6f * (float)item), b = (floatv)(1e-3f);
    floatv chain[CHAINS], sum = (floatv)(0.0f);
    UNROLL for (int i = 0; i < CHAINS; i++) chain[i] = (floatv)((float)(item + i));
    for (int round = 0; round < ROUNDS; round++) UNROLL for (int i = 0; i < CHAINS; i++) chain[i] = fma(chain[i], a, b);
    UNROLL for (int i = 0; i < CHAINS; i++) sum += chain[i];
    out[item] = lane_sum(sum);
}
