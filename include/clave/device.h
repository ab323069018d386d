/* Devices: which there are, and how one is chosen. */
#ifndef CLAVE_DEVICE_H
#define CLAVE_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clave/error.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum clv_device_kind { CLV_DEVICE_CPU, CLV_DEVICE_GPU, CLV_DEVICE_OTHER } clv_device_kind;

typedef struct clv_device_info {
    char platform[128];
    char name[128];
    char driver[128];
    char backend[16]; /* "opencl", "cpu" */
    clv_device_kind kind;
    int platform_index, device_index; /* OpenCL: as in "p:d" */
    int compute_units;
    int vector_width;          /* native floats a vector */
    int simd_width;            /* work-items that a GPU runs in lockstep; 0: its driver does not say */
    uint64_t global_bytes;     /* device memory */
    uint64_t max_buffer_bytes; /* largest single buffer */
    uint64_t local_bytes;      /* local memory a work-group */
} clv_device_info;

/* Matrix products: what suits the device, clave's own kernel, CLBlast; with the words of the key device.gemm. */
#define CLV_GEMM_LIST(X) X(AUTO, "auto") X(OWN, "own") X(CLBLAST, "clblast")

typedef enum clv_gemm_choice {
#define CLV_GEMM_ROW(name, word) CLV_GEMM_##name,
    CLV_GEMM_LIST(CLV_GEMM_ROW)
#undef CLV_GEMM_ROW
} clv_gemm_choice;

/* off: the default kernels; auto: those that were found to be faster, and the tuner before a first run on a device whose
 * class has no measured defaults; always: the tuner before a first run on any device. */
typedef enum clv_tune_choice { CLV_TUNE_OFF, CLV_TUNE_AUTO, CLV_TUNE_ALWAYS } clv_tune_choice;

typedef struct clv_device_options {
    const char *backend; /* "opencl" or "cpu" (the reference: plain loops, slow) */
    const char *select;  /* "auto" (a GPU if there is one), "gpu", "cpu", "P:D", or part of a name, case ignored */
    clv_gemm_choice gemm; /* auto: CLBlast on a GPU, clave's own kernel otherwise */
    bool selftest;        /* check every kernel of a plan before its first use */
    clv_tune_choice tune;
    const char *kernels; /* what clv_backend_kernels wrote for a run that goes on: its kernels, whatever was found to be faster
                            since; NULL: none */
} clv_device_options;

/* What the tuner found for one kind of call. */
typedef struct clv_tuned {
    char call[96];         /* "conv2 (conv)" */
    char kernel[64];       /* the one that takes longest */
    int calls;             /* of this kind, in a step of the first plan that has it */
    int candidates;        /* that were timed */
    int refused;           /* that did not compile, or failed their self-test */
    double before, after;  /* microseconds a call */
    char choice[1280];     /* the tiling in force, as text */
} clv_tuned;

/* All OpenCL devices, in the order of their "p:d"; the caller frees *devices. No platform at all is CLV_OK and 0. */
clv_status clv_devices_list(clv_device_info **devices, int *count, clv_error *err);

/* A start with nothing cached builds kernels for seconds, one after another. Processes of `program` build some of them at the same
 * time, on cores that are idle; it must be a program that, given CLV_BUILDER_ARGUMENT alone, calls clv_builder_run on its
 * standard input, as clave does. NULL, as at first: none is started. The text is not copied. */
#define CLV_BUILDER_ARGUMENT "--build-kernels"
void clv_builders_use(const char *program);
/* CLV_ERR_CONFIG where `queue`, a file descriptor, is not what the same build of the library wrote. */
clv_status clv_builder_run(int queue, clv_error *err);

#ifdef __cplusplus
}
#endif
#endif
