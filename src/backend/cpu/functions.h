/* The functions of the table, one an op, each of the type that the including file is compiled for. */
#ifndef CLAVE_CPU_FUNCTIONS_H
#define CLAVE_CPU_FUNCTIONS_H

#include "backend/cpu/cpu.h"
#include "backend/cpu/real.h"

#define FUNCTION(name) void REAL(clv_cpu_##name)(const clv_cpu_call *c)

/* data.c */
FUNCTION(gather);
FUNCTION(label);
FUNCTION(reshape);
FUNCTION(source);
/* product.c */
FUNCTION(conv);
FUNCTION(deconv);
FUNCTION(conv_weight);
/* pointwise.c */
FUNCTION(bias);
FUNCTION(act);
FUNCTION(act_grad);
FUNCTION(add);
FUNCTION(mul);
FUNCTION(scale);
FUNCTION(ramp);
FUNCTION(broadcast);
FUNCTION(mul_image);
/* reduce.c */
FUNCTION(bias_grad);
FUNCTION(sum);
/* random.c */
FUNCTION(dropout);
FUNCTION(noise);
FUNCTION(sample);
FUNCTION(sample_grad);
/* loss.c */
FUNCTION(kl);
FUNCTION(kl_grad_logvar);
FUNCTION(mse);
FUNCTION(mse_grad);
FUNCTION(bce);
FUNCTION(bce_grad);
FUNCTION(mse_head);
FUNCTION(bce_head);
FUNCTION(head_of_product); /* in place: its result lies where the gradient goes; nothing where it has no head */
FUNCTION(xent);
FUNCTION(xent_grad);
FUNCTION(correct);
FUNCTION(mean);
FUNCTION(mean_grad);
FUNCTION(record);
/* optim.c */
FUNCTION(adam);
FUNCTION(sgd);
FUNCTION(tsne_step);
/* pairs.c */
FUNCTION(distance);
FUNCTION(affinity);
FUNCTION(joint);
FUNCTION(tsne_force);
FUNCTION(tsne_grad);

/* pointwise.c: act(x), and act' from the output u = act(x). */
real REAL(clv_act)(clv_act act, real slope, real x);
real REAL(clv_act_slope)(clv_act act, real slope, real u);

/* random.c: a dropout of the call's rate and stream, in place, over one feature of all images: y[n]. */
void REAL(clv_cpu_drop_feature)(const clv_cpu_call *c, size_t feature, real *y);

/* random.c: the call's result from x, [f][n]: noise of its stream added. */
void REAL(clv_cpu_add_noise)(const clv_cpu_call *c, const real *x);

/* reduce.c: b[c] = the sum of an input of the call over y, x and n. */
void REAL(clv_cpu_sum_channels)(const clv_cpu_call *c, int input, real *b);

#endif
