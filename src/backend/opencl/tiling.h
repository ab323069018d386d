/* Tilings: what a launch of a product leaves open, its form, register tiles and blocks, as numbers. There is one by
 * default for each device and call; the tuner (tune.c) tries neighbours of it, and those that won are kept as text.
 * Nothing here knows an OpenCL handle. */
#ifndef CLAVE_OPENCL_TILING_H
#define CLAVE_OPENCL_TILING_H

#include "backend/opencl/gemm_set.h"
#include "backend/opencl/launch.h"
#include "base/text.h"

typedef enum clv_form {
    CLV_FORM_PACKED,     /* CPUs: what is read is copied side by side, register tiles stream over it */
    CLV_FORM_GATHERED,   /* CPUs, deconv: the products of all taps, then the sum of those that meet */
    CLV_FORM_BLOCKS,     /* CPUs, deconv of few channels: a register tile has stride x stride neighbouring results */
    CLV_FORM_TRANSPOSED, /* CPUs, conv_weight of a linear layer: x turned, then a packed product over the batch */
    CLV_FORM_OUTER,      /* CPUs, conv_weight: a pixel of y turned, its outer products with what the taps read */
    CLV_FORM_DIRECT,     /* GPUs: a work-item (conv_weight: a work-group) a register tile */
    CLV_FORM_DIRECT_GATHERED, /* GPUs, deconv: the products of all taps, then the sum of those that meet */
    CLV_FORM_COUNT
} clv_form;

static inline bool clv_form_is_direct(int form) { return form == CLV_FORM_DIRECT || form == CLV_FORM_DIRECT_GATHERED; }
static inline bool clv_form_is_gathered(int form)
{
    return form == CLV_FORM_GATHERED || form == CLV_FORM_DIRECT_GATHERED;
}

/* All int, so that one table (tiling.c) prints, reads and compares them. 0 where a form has no such choice. */
typedef struct clv_tiling {
    int form;          /* clv_form */
    int vector;        /* floats of a vector */
    int mad;           /* 1: mad in place of fma */
    int clblast;       /* 1: the product is CLBlast's; the rest says how clave's own kernel would do it */
    int tall;          /* packed: result channels of a tall register tile, */
    int low;           /* and of the lower ones that complete a block */
    int vectors;       /* packed, blocks: of a register tile along the lanes; outer: along the channels of y */
    int across;        /* packed, blocks: register tiles side by side along the lanes of a work-item */
    int block;         /* packed: result channels of a work-item; outer: channels of y */
    int channels;      /* packed: summed at a time, so that what is read stays in a cache; outer: of x, of a work-item */
    int rows;          /* conv_weight: channels of y of a register tile; direct: result channels */
    int columns;       /* conv_weight: channels of x of a register tile */
    int taps;          /* conv_weight: taps of a row of a register tile */
    int tiles;         /* conv_weight, packed: register tiles along y of a work-item */
    int lanes;         /* conv_weight: lanes taken at a time */
    int plane;         /* conv_weight, packed: 1: planes are read in place, all rows in one run */
    int pack;          /* packed: 1: what is read is copied side by side */
    int panel;         /* 1: weights (conv_weight, packed: y) are put in panels first */
    int parts;         /* of the sum, added by a launch of their own */
    int group;         /* direct: work-items of a group; conv_weight: along the lanes, then along the rows of y */
    int sums;          /* conv_weight, direct: of a tile, whose lanes are added at a time */
    clv_gemm_set gemm; /* of CLBlast's parameters, where the product is CLBlast's by this choice or by the user's */
} clv_tiling;

#define CLV_TILING_TEXT 1280 /* room for the text of any tiling */

/* "form=packed vector=16 tall=12 ...": fields that are 0 are left out. */
void clv_tiling_print(const clv_tiling *tiling, char text[CLV_TILING_TEXT]);
/* False where the text is none of a tiling; whether it suits a call is clv_tiling_check's to say. */
bool clv_tiling_parse(const char *text, clv_tiling *tiling);
bool clv_tiling_equal(const clv_tiling *a, const clv_tiling *b);

/* The tiling that a product gets on such a device unless a better one is known. */
void clv_tiling_default(const clv_device_info *device, const clv_call *call, clv_tiling *tiling);
/* The same, but of a form that is not the usual one. */
void clv_tiling_of_form(const clv_device_info *device, const clv_call *call, clv_form form, clv_tiling *tiling);
/* The same of a direct form, which `tiling` names already (tiling_gpu.c). */
void clv_tiling_direct(const clv_device_info *device, const clv_call *call, clv_tiling *tiling);
/* Whether the defaults for this class of devices were measured on one of them. */
bool clv_tiling_is_measured(const clv_device_info *device);

/* Whether launches may be made of it: all numbers in range, what a work-item keeps to itself within bounds. */
bool clv_tiling_check(const clv_device_info *device, const clv_call *call, const clv_tiling *tiling);

/* The i-th neighbour of a tiling, 0 <= i < clv_tiling_moves(call); false where there is none that passes the check. */
int clv_tiling_moves(const clv_call *call);
bool clv_tiling_move(const clv_device_info *device, const clv_call *call, const clv_tiling *from, int i,
                     clv_tiling *to);

#endif
