/* The backend interface: what a device must do for clave, and the one wrapper that checks every call to it, so that
 * backends stay dumb. Two implementations: backend/opencl and backend/cpu (the reference, in float and in double). */
#ifndef CLAVE_BACKEND_H
#define CLAVE_BACKEND_H

#include "base/text.h"
#include "clave/device.h"
#include "graph/plan.h"

typedef struct clv_backend clv_backend;
typedef struct clv_buffer clv_buffer;   /* device memory */
typedef struct clv_program clv_program; /* a plan made runnable: kernels built, arguments set */

/* The images on the device: bytes as in the file, one row an image, and the order in which they are visited. */
typedef struct clv_device_dataset {
    clv_buffer *images; /* uint8 [image][pixels] */
    clv_buffer *labels; /* uint8 [image], or NULL */
    clv_buffer *order;  /* uint32 [places] */
} clv_device_dataset;

#define CLV_MAX_DATASETS 2

/* The buffers a plan runs on. Several programs may share buffers; all must outlive the programs. */
typedef struct clv_bindings {
    clv_buffer *space[CLV_SPACE_COUNT]; /* NULL where the plan needs none */
    clv_device_dataset dataset[CLV_MAX_DATASETS];
} clv_bindings;

/* What the tuner may spend, and whom it tells. */
typedef struct clv_tuning {
    double seconds;             /* at most; a candidate that runs is waited for */
    int candidates;             /* of a kind of call, at most; 0: 60 */
    bool first_runs;            /* only calls that were never tuned on this device */
    bool unmeasured;            /* only where the device's class has no measured defaults */
    bool gemm;                  /* parameters of CLBlast, and no tilings; what it had of its own is gone from the process then */
    const volatile int *stop;   /* set: no further candidate; may be NULL */
    void (*tell)(void *context, const clv_tuned *tuned); /* after each kind of call; may be NULL */
    void *context;
} clv_tuning;

/* Every function of the table may assume valid arguments: the wrapper below checked them. Buffers of
 * floating-point numbers have element_size bytes an element (double: 8) but are read and written as float. */
typedef struct clv_backend_ops {
    clv_status (*buffer_create)(clv_backend *be, size_t bytes, clv_buffer **out, clv_error *err); /* zeroed */
    void (*buffer_destroy)(clv_backend *be, clv_buffer *buffer);
    clv_status (*buffer_write)(clv_backend *be, clv_buffer *buffer, size_t offset, const void *from, size_t bytes, clv_error *err);
    clv_status (*buffer_read)(clv_backend *be, const clv_buffer *buffer, size_t offset, void *to, size_t bytes, clv_error *err); /* waits */
    clv_status (*program_create)(clv_backend *be, const clv_plan *plan, const clv_bindings *bindings, clv_program **out, clv_error *err);
    void (*program_destroy)(clv_backend *be, clv_program *program);
    clv_status (*program_run)(clv_backend *be, clv_program *program, const clv_step *step, clv_error *err); /* queues one step */
    clv_status (*finish)(clv_backend *be, clv_error *err); /* waits; a failure of anything queued shows here at the latest */
    void (*destroy)(clv_backend *be);
    int (*program_launches)(const clv_program *program);        /* kernels (CPU: calls) of one step */
    uint64_t (*program_bytes)(const clv_program *program);      /* device memory it holds beside its bindings: scratch, step values */
    clv_status (*program_trace)(clv_backend *be, clv_program *program, const clv_step *step, FILE *out, clv_error *err); /* may be NULL */
    clv_status (*peak)(clv_backend *be, double *gflops, clv_error *err);                                                 /* may be NULL */
    clv_status (*tune)(clv_backend *be, const clv_plan *const *plan, int plans, const clv_tuning *tuning, clv_error *err); /* may be NULL */
    clv_status (*kernels)(clv_backend *be, const clv_plan *plan, clv_text *text, clv_error *err);                           /* may be NULL */
    clv_status (*restore)(clv_backend *be, const char *kernels, clv_error *err);                                            /* may be NULL */
    const char *(*notices)(const clv_backend *be);                                                                       /* may be NULL */
    int (*block)(const clv_backend *be, int lanes, int *at_once); /* lanes of a block of a plan of so many; NULL: no plans in blocks */
} clv_backend_ops;

/* The head of every backend's own struct. */
struct clv_backend {
    const clv_backend_ops *ops;
    clv_device_info info;
    size_t element_size; /* 4 or 8 */
    size_t half_size;    /* of an element of CLV_SPACE_HALF: 2; element_size where a backend keeps numbers that were rounded to
                            halves */
    int lane_width;      /* lanes are a multiple of it */
    size_t alignment;    /* of offsets, in elements */
};
struct clv_buffer {
    size_t bytes; /* the head of every backend's own struct */
};

/* The wrapper: the only way to call a backend. */
clv_status clv_buffer_create(clv_backend *be, size_t bytes, clv_buffer **out, clv_error *err);
void clv_buffer_destroy(clv_backend *be, clv_buffer *buffer);
clv_status clv_buffer_write(clv_backend *be, clv_buffer *buffer, size_t offset, const void *from, size_t bytes, clv_error *err);
clv_status clv_buffer_read(clv_backend *be, const clv_buffer *buffer, size_t offset, void *to, size_t bytes, clv_error *err);
/* Floats, converted for a backend of doubles; offset and count in elements. */
clv_status clv_buffer_write_floats(clv_backend *be, clv_buffer *buffer, size_t offset, const float *from, size_t count, clv_error *err);
clv_status clv_buffer_read_floats(clv_backend *be, const clv_buffer *buffer, size_t offset, float *to, size_t count, clv_error *err);
/* The same of a space, whose elements may be halves: what is written is rounded to them. */
clv_status clv_buffer_write_space(clv_backend *be, clv_space space, clv_buffer *buffer, size_t offset, const float *from, size_t count, clv_error *err);
clv_status clv_buffer_read_space(clv_backend *be, clv_space space, const clv_buffer *buffer, size_t offset, float *to, size_t count, clv_error *err);
/* Bytes of so many elements of a space. */
size_t clv_space_bytes(const clv_backend *be, clv_space space, size_t elements);
clv_status clv_program_create(clv_backend *be, const clv_plan *plan, const clv_bindings *bindings, clv_program **out, clv_error *err);
void clv_program_destroy(clv_backend *be, clv_program *program);
clv_status clv_program_run(clv_backend *be, clv_program *program, const clv_step *step, clv_error *err);
clv_status clv_backend_finish(clv_backend *be, clv_error *err);
void clv_backend_destroy(clv_backend *be);
int clv_program_launches(const clv_backend *be, const clv_program *program);
uint64_t clv_program_bytes(const clv_backend *be, const clv_program *program);
/* Runs a few steps and lists the least that each launch took, a line each: microseconds, call, kernel; below it what else the
 * launch does, beside that or then. Nothing where the backend cannot say. */
clv_status clv_program_trace(clv_backend *be, clv_program *program, const clv_step *step, FILE *out, clv_error *err);
/* The arithmetic peak, measured now: GFLOP/s of independent fused multiply-adds on all compute units (2 FLOPs each); 0 where the backend
 * cannot say. */
clv_status clv_backend_peak(clv_backend *be, double *gflops, clv_error *err);

/* Looks for faster kernels for each kind of call of the plans, those that take longest first: candidates are held against the
 * reference, then timed in turns with the one in force. Programs made from then on have what won, in this process and in later
 * ones. Nothing where the backend has no choice. */
clv_status clv_backend_tune(clv_backend *be, const clv_plan *const *plan, int plans, const clv_tuning *tuning, clv_error *err);
/* Appends the choices in force for the plan's calls, a line each: options.kernels of a run that is to go on with them. */
clv_status clv_backend_kernels(clv_backend *be, const clv_plan *plan, clv_text *text, clv_error *err);
/* Takes back what the tuner found since clv_backend_kernels wrote this, for later processes too. */
clv_status clv_backend_restore(clv_backend *be, const char *kernels, clv_error *err);

/* clv_plan_options.block and .at_once of a plan of so many images. */
int clv_backend_block(const clv_backend *be, int batch, int *at_once);

/* What the user should know ("fc: CLBlast fails its self-test ..."), a line each; "" where there is nothing. */
const char *clv_backend_notices(const clv_backend *be);

/* Makers; the caller destroys with clv_backend_destroy. */
clv_status clv_cpu_backend_create(bool use_double, clv_backend **out, clv_error *err);
clv_status clv_opencl_backend_create(const clv_device_options *options, clv_backend **out, clv_error *err);
/* The one that options->backend and options->select name. */
clv_status clv_backend_create(const clv_device_options *options, clv_backend **out, clv_error *err);

/* The self-test (backend/selftest.c): every distinct call of the plan, at its real shapes, on `be` and on the CPU
 * reference. Inputs are small integers, so that sums of products are exact in float and must agree to the bit; the
 * transcendental ops have a bound in ulps each. A mismatch is CLV_ERR_DEVICE and names call, kernel, place, both values. */
clv_status clv_backend_selftest(clv_backend *be, const clv_plan *plan, clv_error *err);

#endif
