/* The kernel files of cl/, embedded by the build. */
#ifndef CLAVE_OPENCL_KERNELS_H
#define CLAVE_OPENCL_KERNELS_H

typedef struct clv_kernel_file {
    const char *name; /* "conv.cl" */
    const char *text; /* NUL-terminated */
} clv_kernel_file;

extern const clv_kernel_file clv_kernel_files[];
extern const int clv_kernel_file_count;

#endif
