/* Sets of parameters of CLBlast's kernels of a matrix product, under CLBlast's own names. CLBlast has one for each
 * device that it knows; the tuner (gemm_tune.c) tries others. Nothing here knows an OpenCL handle. */
#ifndef CLAVE_OPENCL_GEMM_SET_H
#define CLAVE_OPENCL_GEMM_SET_H

#include <stdbool.h>
#include <stddef.h>

#include "clave/device.h"

/* Kernel of CLBlast, parameter. XgemmDirect multiplies where the operands lie, Xgemm multiplies padded copies, and
 * products of more than XGEMM_MIN_INDIRECT_SIZE^3 multiply-adds are Xgemm's. */
#define CLV_GEMM_PARAMETER_LIST(X)                                                                                     \
    X(XgemmDirect, WGD)    /* results of a group, along either side */                                                 \
    X(XgemmDirect, MDIMCD) /* work-items of it along m, */                                                             \
    X(XgemmDirect, NDIMCD) /* and along n */                                                                           \
    X(XgemmDirect, MDIMAD) /* the same while it loads a, */                                                            \
    X(XgemmDirect, NDIMBD) /* and b */                                                                                 \
    X(XgemmDirect, KWID)   /* steps of k of an unrolled loop */                                                        \
    X(XgemmDirect, VWMD)   /* floats of a vector along m, */                                                           \
    X(XgemmDirect, VWND)   /* and along n */                                                                           \
    X(XgemmDirect, PADA)   /* floats behind a row of local memory */                                                   \
    X(XgemmDirect, PADB)                                                                                               \
    X(Xgemm, GEMMK) /* the kernel's form: 0 */                                                                         \
    X(Xgemm, KREG)                                                                                                     \
    X(Xgemm, MWG)   /* results of a group along m, */                                                                  \
    X(Xgemm, NWG)   /* and along n */                                                                                  \
    X(Xgemm, KWG)   /* steps of k between loads of a group */                                                          \
    X(Xgemm, MDIMC) /* work-items of a group */                                                                        \
    X(Xgemm, NDIMC)                                                                                                    \
    X(Xgemm, MDIMA) /* the same while it loads */                                                                      \
    X(Xgemm, NDIMB)                                                                                                    \
    X(Xgemm, KWI)                                                                                                      \
    X(Xgemm, VWM)                                                                                                      \
    X(Xgemm, VWN)                                                                                                      \
    X(Xgemm, STRM) /* 1: a work-item's results lie apart */                                                            \
    X(Xgemm, STRN)                                                                                                     \
    X(Xgemm, SA) /* 1: by way of local memory */                                                                       \
    X(Xgemm, SB)                                                                                                       \
    X(GemmRoutine, XGEMM_MIN_INDIRECT_SIZE)

typedef enum clv_gemm_parameter {
#define CLV_GEMM_PARAMETER(kernel, name) CLV_GEMM_##name,
    CLV_GEMM_PARAMETER_LIST(CLV_GEMM_PARAMETER)
#undef CLV_GEMM_PARAMETER
        CLV_GEMM_PARAMETERS
} clv_gemm_parameter;

typedef struct clv_gemm_set {
    int value[CLV_GEMM_PARAMETERS]; /* all 0: CLBlast's own set */
} clv_gemm_set;

extern const char *const clv_gemm_parameter_names[CLV_GEMM_PARAMETERS];
extern const char *const clv_gemm_parameter_kernels[CLV_GEMM_PARAMETERS]; /* whose they are */

bool clv_gemm_set_is_own(const clv_gemm_set *set); /* CLBlast's */
bool clv_gemm_set_equal(const clv_gemm_set *a, const clv_gemm_set *b);

/* Whether CLBlast's kernels are made for such numbers, and the device for such groups: local memory, work-items. */
bool clv_gemm_set_check(const clv_device_info *device, const clv_gemm_set *set);

/* Whether c[m][n] = a[m][k] b[k][n] is computed alike by both. Neither is CLBlast's own. */
bool clv_gemm_set_alike(const clv_gemm_set *a, const clv_gemm_set *b, size_t m, size_t n, size_t k);

/* Where to begin, i >= 0: the sets of a small table that pass the check, then false. */
bool clv_gemm_set_first(const clv_device_info *device, int i, clv_gemm_set *set);
/* The i-th neighbour of a set, 0 <= i < clv_gemm_set_moves(); false where it does not pass the check. */
int clv_gemm_set_moves(void);
bool clv_gemm_set_move(const clv_device_info *device, const clv_gemm_set *from, int i, clv_gemm_set *to);

#endif
