/* What launches of products are made of, those of CPUs (products.c) and of every other device (products_gpu.c). */
#ifndef CLAVE_OPENCL_PRODUCTS_PARTS_H
#define CLAVE_OPENCL_PRODUCTS_PARTS_H

#include "backend/opencl/product.h"

/* Appends to a launch's defines; clv_launch_product reports what does not fit. */
void clv_define(clv_launch *launch, const char *name, int value);
void clv_define_strides(clv_launch *launch, const clv_product *a);    /* of the weights, for conv.cl */
void clv_define_weight_tile(clv_launch *launch, const clv_tiling *t); /* the register tile, for conv_weight.cl */

/* A launch with the product's numbers; its arguments and size are to be added. */
clv_launch *clv_add_launch(clv_launch_list *list, const char *file, const char *kernel, const clv_product *a);
void clv_add_arg(clv_launch *launch, clv_arg arg);
void clv_set_size(clv_launch *launch, int x, int y, int z, int local);

/* The epilogue's defines and arguments, and the result: what every last launch of a product ends with. */
void clv_add_epilogue(clv_launch *launch, const clv_call *call);

/* The bias of a product that has a head, which clv_launch_head completes. */
void clv_add_head_bias(clv_launch *launch, const clv_call *call);

/* What ends a gathered product: the sums of the taps that meet in a result, `lanes` lanes a work-item, of what the
 * launch before left in scratch memory. Of a call with a head clv_launch_head completes it. */
void clv_add_gather(const clv_call *call, const clv_product *a, const clv_tiling *t, int lanes, clv_launch_list *list);

/* Weights, and behind them the sums of an operand's channels where the call wants those too. */
int clv_weights_of(const clv_product *a, int sum_of);

/* Sums the parts that a launch before left in scratch memory. */
void clv_add_weight_sum(const clv_product *a, int sum_of, int parts, clv_launch_list *list);

/* The launches of a direct tiling (products_gpu.c). */
void clv_launch_direct(const clv_call *call, const clv_product *a, const clv_tiling *t, clv_launch_list *list);

#endif
