/* Launches: how a call of a plan becomes kernels of cl/. The launch table (launch.c) has a row an op; each row writes
 * the launches of one call for one device. A launch is all text and numbers: it knows no OpenCL handle, so
 * it can be printed, hashed, tested and compiled without a device. */
#ifndef CLAVE_OPENCL_LAUNCH_H
#define CLAVE_OPENCL_LAUNCH_H

#include "clave/device.h"
#include "graph/plan.h"

#define CLV_MAX_LAUNCHES  6 /* of one call */
#define CLV_MAX_ARGS      10
#define CLV_DEFINES_SIZE  768
#define CLV_SCRATCH_ALIGN 1024 /* elements: between the starts of two uses of a call's scratch memory */
#define CLV_HALF_OUT      5    /* bit of HALF in cl/clave.clh that is the result's; bit k is input k's */

/* What a kernel argument is bound to, once, when the program is made. */
typedef enum clv_arg {
    CLV_ARG_IN0, /* .. IN0 + 4: the call's inputs */
    CLV_ARG_IN1,
    CLV_ARG_IN2,
    CLV_ARG_IN3,
    CLV_ARG_IN4,
    CLV_ARG_OUT,
    CLV_ARG_STEP,    /* constant clv_step */
    CLV_ARG_SCRATCH, /* this call's scratch, from `scratch_offset` on (elements) */
    CLV_ARG_IMAGES,  /* of the dataset attr.dataset */
    CLV_ARG_LABELS,
    CLV_ARG_ORDER,
    CLV_ARG_TRACE,
    CLV_ARG_PARTS,    /* of split weight gradients that the optimiser adds, from `scratch_offset` on (sums.c) */
    CLV_ARG_SEGMENTS, /* where they lie: constant clv_cl_segment [] */
    CLV_ARG_PARAM,    /* the whole space, for the optimiser */
    CLV_ARG_GRAD,
    CLV_ARG_MOMENT1,
    CLV_ARG_MOMENT2,
    CLV_ARG_RATE
} clv_arg;

/* What of an argument each block of a plan in blocks has for itself. */
typedef enum clv_repeat {
    CLV_REPEAT_NONE,
    CLV_REPEAT_FLOATS,
    CLV_REPEAT_HALVES,
    CLV_REPEAT_BATCH,
    CLV_REPEAT_SCRATCH,
    CLV_REPEAT_PARTS,
    CLV_REPEAT_STEP
} clv_repeat;

typedef struct clv_launch {
    const char *file;               /* "conv.cl" */
    const char *kernel;             /* "conv" */
    char defines[CLV_DEFINES_SIZE]; /* "-DIC=64 -DOC=128 ...": everything the kernel is specialised by */
    int dims;                       /* 1 .. 3 */
    size_t global[3], local[3];     /* local: always given; divides global */
    bool by_image;                  /* each image's part is its own, or a sum that parts of other images are added to */
    int lanes; /* a group along x reads and writes these lanes of its batched operands alone; 0: not so, or on a GPU */
    size_t group_floats; /* of GROUP_MEMORY; where there is any, the kernel has barriers */
    int args;
    clv_arg arg[CLV_MAX_ARGS];
    size_t scratch_offset[CLV_MAX_ARGS]; /* for CLV_ARG_SCRATCH and CLV_ARG_PARTS arguments */
    unsigned char repeat[CLV_MAX_ARGS];  /* clv_repeat */
    size_t parts_stride;                 /* in blocks: elements from a block's parts to the next one's */
} clv_launch;

/* Parts of sums in scratch memory, elements. */
typedef struct clv_sum {
    int parts;             /* 0: none */
    size_t offset, stride; /* of the first; from part to part */
    size_t second;         /* in a part: where the sums of channels begin, where there are any */
} clv_sum;

typedef struct clv_launch_list {
    int launches;
    clv_launch launch[CLV_MAX_LAUNCHES];
    size_t scratch; /* elements of scratch memory this call needs; calls run one after another and share it */
    clv_sum sum;    /* what the last launch adds, where it does nothing else */
} clv_launch_list;

/* Lanes are a multiple of it: they fill a vector of a CPU or a run of work-items of a GPU, so that no kernel has a rest
 * to treat. */
static inline int clv_lane_width(clv_device_kind kind) { return kind == CLV_DEVICE_CPU ? 16 : 32; }

/* Lanes of a chain's group, of so many in a batch: each unit of the device gets one (chain.c). 0: such a device has
 * none. */
int clv_chain_lanes(const clv_device_info *device, int lanes);
/* The same of a plan's blocks; 0 also where a number of lanes divides so badly that they would have under half of the
 * lanes they could: each weight would serve few images, and the plan is faster whole. */
int clv_plan_block(const clv_device_info *device, int lanes);
/* Blocks that go through a step side by side: one for each unit, so that what they have in memory stays in its caches. */
int clv_blocks_at_once(const clv_device_info *device);
/* Whether the call's launches may be links of a chain, as far as it says itself. */
bool clv_call_chains(const clv_device_info *device, const clv_call *call);
/* Of the call's lanes those that a work-item may have at most: in a chain of a whole batch a group's. */
int clv_item_lanes(const clv_device_info *device, const clv_call *call, int lanes);

struct clv_tiling; /* of a product, tiling.h */

/* What a conv_weight that sums the channels of an operand needs beside its product: appends the launches. */
void clv_launch_channel_sums(const clv_device_info *device, const clv_call *call, clv_launch_list *list);

/* Parts of the features of an image, and vectors of images that a work-item has side by side. */
typedef struct clv_image_parts {
    int parts, across;
} clv_image_parts;

/* Completes the last launch of a product that has a head, the one that knows y: binds and defines all but where y comes
 * from, and sizes it: items of some of the lanes, in vectors of `vector` floats, by parts of the features, those that
 * its kernel asks for or (NULL) as suits the device. Appends the sum of the parts of each image's loss. */
void clv_launch_head(const clv_device_info *device, const clv_call *call, int vector, const clv_image_parts *asked,
                     clv_launch_list *list);
/* The head behind the launches of a product that write y: they leave it in scratch memory, a launch more reads it
 * there. */
void clv_launch_head_behind(const clv_device_info *device, const clv_call *call, clv_launch_list *list);

/* Writes the launches of a call; CLV_ERR_INTERNAL where an op has no row. `tiling`: of a product, NULL for its default.
 */
clv_status clv_launches_of(const clv_device_info *device, const clv_call *call, const struct clv_tiling *tiling,
                           clv_launch_list *list, clv_error *err);

/* Whether the optimiser of the same plan, which is in blocks or not, may add the parts in place of the call's last
 * launch (sums.c). */
bool clv_launch_sum_moves(const clv_call *call, bool blocks, const clv_launch_list *list);

/* Drops it: the launch before it leaves its parts from element `region` of CLV_ARG_PARTS on. Returns what was to be
 * added. In blocks each block's gradient is such a part, also where it has no parts itself. */
clv_sum clv_launch_move_sum(const clv_call *call, clv_launch_list *list, size_t region);

/* Fills launch->repeat, once its arguments are what they will be. */
void clv_launch_repeat(const clv_call *call, clv_launch *launch);

/* Lets an optimiser's launch add the parts of so many segments. */
void clv_launch_segments(clv_launch *launch, int segments);

/* The rows of the three products (products.c). */
clv_status clv_launch_product(const clv_device_info *device, const clv_call *call, const struct clv_tiling *tiling,
                              clv_launch_list *list, clv_error *err);

#endif
