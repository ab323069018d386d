/* The OpenCL backend's own types: the device and its queue, buffers with their sub-buffers, built programs shared by
 * plans, and the steps of a plan made runnable. Every call of the OpenCL API that can fail goes through CLV_CL or
 * CLV_CL_MAKE, which name the call in the message and let a test make the n-th one fail. */
#ifndef CLAVE_OPENCL_OPENCL_H
#define CLAVE_OPENCL_OPENCL_H

#include <CL/cl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "backend/backend.h"
#include "backend/opencl/jobs.h"
#include "backend/opencl/joint.h"
#include "backend/opencl/launch.h"
#include "backend/opencl/schedule.h"
#include "backend/opencl/tiling.h"
#include "base/hash.h"
#include "base/text.h"
#include "base/try.h"

struct clv_cl_calls;

/* ---- errors.c ---- */

/* Fails with the call's name, the error's name and what to do about it; `call` is the text of the expression. */
clv_status clv_cl_fail(clv_error *err, const char *call, cl_int code);
const char *clv_cl_error_name(cl_int code);

/* Tests only: the n-th OpenCL call from now on fails (1 is the next) without being made; 0 turns it off. */
void clv_opencl_fail_call(long nth);
bool clv_opencl_fail_pending(void); /* it has not failed yet */
bool clv_cl_made_to_fail(void);

#define CLV_CL(call)                                                                                                   \
    do {                                                                                                               \
        const cl_int code_ = clv_cl_made_to_fail() ? CL_OUT_OF_RESOURCES : (call);                                     \
        if (code_ != CL_SUCCESS && (status = clv_cl_fail(err, #call, code_))) goto done;                               \
    } while (0)

/* For calls that return an object: `call` writes its error to `code`. */
#define CLV_CL_MAKE(object, call)                                                                                      \
    do {                                                                                                               \
        cl_int code = CL_OUT_OF_RESOURCES;                                                                             \
        (object) = clv_cl_made_to_fail() ? NULL : (call);                                                              \
        if (!(object) && (status = clv_cl_fail(err, #call, code))) goto done;                                          \
    } while (0)

/* ---- device.c ---- */

typedef struct clv_cl_device {
    cl_platform_id platform;
    cl_device_id device;
    clv_device_info info;
    char platform_version[128];
    size_t alignment; /* bytes, of the origin of a sub-buffer */
} clv_cl_device;

/* Every usable device in the order of "p:d"; the caller frees *list. None is CLV_OK and 0. */
clv_status clv_cl_devices(clv_cl_device **list, int *count, clv_error *err);

/* The index of the device that `select` names (see clv_device_options), or -1. */
int clv_device_choose(const clv_cl_device *list, int count, const char *select);

/* ---- source.c ---- */

typedef struct clv_opencl clv_opencl;

#define CLV_BUILD_OPTIONS "-cl-std=CL1.2 -cl-denorms-are-zero -w" /* some drivers print warnings to the terminal */

/* A unit, and the key of its build: text, defines, device, driver. */
typedef struct clv_cl_unit {
    clv_launch_unit unit;
    clv_hash key;
    size_t length; /* of its text */
} clv_cl_unit;

/* The file's text with its includes in place and no kernel but one. */
clv_status clv_cl_source(const char *file, const char *kernel, clv_text *source, clv_error *err);
/* Appends a unit's text; first: as clv_unit_source has it. Its defines are for the compiler's options. */
clv_status clv_cl_unit_text(const clv_opencl *be, const clv_launch_unit *unit, int first, clv_text *text,
                            clv_error *err);
const char *clv_cl_unit_defines(const clv_launch_unit *unit);
clv_status clv_cl_unit_of(const clv_opencl *be, const clv_launch_unit *unit, clv_cl_unit *out, clv_error *err);
clv_status clv_cl_key(const clv_opencl *be, const char *source, size_t length, const char *defines, clv_hash *key,
                      clv_error *err);

/* ---- program.c ---- */

struct clv_cl_bundle;

/* The program of a unit, shared by all units with the same text and defines. */
typedef struct clv_cl_program {
    struct clv_cl_program *next;
    clv_hash key;
    cl_program program;
    char kernel[CLV_KERNEL_SIZE];
    struct clv_cl_bundle *bundle; /* that owns the program; NULL: it is its own */
    int users;
    bool unsaved; /* built from source; its binary is not in the cache yet */
    bool planned; /* a plan has it, here or where this process builds for, not only a self-test, whose verdict is kept */
    bool ran; /* at least one kernel of it was queued, so that the binary holds what the driver compiles at that time */
} clv_cl_program;

/* The program of a unit: shared, of a bundle, from the binary cache, or built; release it with clv_cl_program_release. */
clv_status clv_cl_program_get(clv_opencl *be, const clv_cl_unit *unit, clv_cl_program **out, clv_error *err);
clv_cl_program *clv_cl_program_find(const clv_opencl *be, clv_hash key); /* NULL: this process has none */
/* Its last user writes the binary to the cache and destroys it. What a self-test used stays for the plan that asked for
 * the test, until clv_cl_programs_sweep destroys what no one uses. */
void clv_cl_program_release(clv_opencl *be, clv_cl_program *program);
void clv_cl_programs_sweep(clv_opencl *be);

/* From the binary cache; NULL where it has none that the driver accepts. */
cl_program clv_cl_build_binary(const clv_opencl *be, clv_hash key, const char *defines);
/* name: of its kernels, for the message. */
clv_status clv_cl_build_source(const clv_opencl *be, const char *source, const char *defines, const char *name,
                               cl_program *out, clv_error *err);
bool clv_cl_save_binary(const clv_opencl *be, cl_program program, clv_hash key); /* whether the cache got it */

/* ---- bundle.c ---- */

/* Units that are built as one program. Those made or asked for live as long as the backend. */
typedef struct clv_cl_bundle {
    struct clv_cl_bundle *next;
    clv_hash key;
    clv_text text;      /* until it is built */
    cl_program program; /* NULL: not built yet, or it cannot be */
    bool failed;        /* its units are built alone */
    bool unsaved, kept; /* as of a clv_cl_program */
    int users;          /* clv_cl_programs */
} clv_cl_bundle;

/* Which bundle a unit was built in, now or by an earlier process. */
typedef struct clv_cl_member {
    clv_hash unit, bundle;
    size_t length; /* of its text; 0 where it was an earlier one */
    char kernel[CLV_KERNEL_SIZE];
} clv_cl_member;

typedef struct clv_cl_bundles {
    clv_cl_bundle *list;
    clv_cl_member *member; /* the last of a unit counts */
    size_t members, capacity;
    bool loaded;
} clv_cl_bundles;

/* Bundles of a plan's units that neither this process nor the cache has, as many as processes should build so much; none
 * where there is but one such unit. The same units make the same bundles, whether others help or not, so that a driver
 * that keeps what it compiles knows them. made: NULL, or [CLV_CL_BUILDERS + 1] of them, *count are made. */
clv_status clv_cl_bundles_make(clv_opencl *be, const struct clv_cl_calls *calls, clv_cl_bundle **made, int *count,
                               clv_error *err);
/* A bundle of these units, in whatever order they come, not built yet. */
clv_status clv_cl_bundle_add(clv_opencl *be, const clv_cl_unit **unit, int units, clv_cl_bundle **out, clv_error *err);
/* The unit's bundle, built; `kernel` becomes the unit's. NULL: it has none. */
clv_cl_bundle *clv_cl_bundle_of(clv_opencl *be, clv_hash unit, char kernel[CLV_KERNEL_SIZE]);
/* Builds it, unless it is built; a failure shows when its units are built alone. */
void clv_cl_bundle_build(clv_opencl *be, clv_cl_bundle *bundle);
void clv_cl_bundle_save(const clv_opencl *be, clv_cl_bundle *bundle); /* its binary, unless the cache has it */
void clv_cl_bundles_free(clv_opencl *be); /* saves the binaries of those that ran */

/* ---- cache.c ---- */

/* A binary by its key; false where there is none that is whole. The caller frees *binary. */
bool clv_cl_cache_load(const char *folder, clv_hash key, unsigned char **binary, size_t *size);
bool clv_cl_cache_store(const char *folder, clv_hash key, const unsigned char *binary, size_t size);
bool clv_cl_cache_has(const char *folder, clv_hash key);
/* A bundle's text: appended; false where there is none. */
bool clv_cl_cache_load_text(const char *folder, clv_hash bundle, clv_text *text);
bool clv_cl_cache_store_text(const char *folder, clv_hash bundle, const clv_text *text);
bool clv_cl_cache_has_text(const char *folder, clv_hash bundle);
/* Lines "unit bundle check kernel"; NULL: there are none. The caller frees them. */
char *clv_cl_cache_index(const char *folder);
void clv_cl_cache_append_index(const char *folder, const clv_text *lines);

/* ---- choices.c ---- */

/* What the file of choices says of a tiling of a call. */
typedef enum clv_cl_word {
    CLV_CL_UNKNOWN = -1, /* nothing */
    CLV_CL_TRY,          /* it was about to run: without another word it took its process with it */
    CLV_CL_DONE,
    CLV_CL_FAIL, /* it did not compile, or failed its self-test */
    CLV_CL_BEST  /* it won; the last that did is the call's choice */
} clv_cl_word;

typedef struct clv_cl_line {
    clv_cl_word word;
    clv_hash call;
    clv_tiling tiling;
} clv_cl_line;

typedef struct clv_cl_choices {
    clv_cl_line *line;
    size_t lines, capacity;
    bool loaded;
} clv_cl_choices;

/* The same for calls that are the same to a kernel, on this device and driver. */
clv_status clv_cl_call_key(const clv_opencl *be, const clv_call *call, clv_hash *key, clv_error *err);
clv_status clv_cl_choices_load(clv_opencl *be, clv_error *err);
/* Says it to this process and, by the file, to those to come. */
clv_status clv_cl_choices_add(clv_opencl *be, clv_cl_word word, clv_hash call, const clv_tiling *tiling,
                              clv_error *err);
/* The last word on a tiling of a call; NULL: on any of them. */
clv_cl_word clv_cl_choices_last(const clv_opencl *be, clv_hash call, const clv_tiling *tiling);

/* The tiling in force for a product, and its launches; other calls have launches alone. A matrix product for which no set of
 * CLBlast's parameters was chosen gets the one chosen last for another: a process has use for one. */
clv_status clv_cl_tiling_of(clv_opencl *be, const clv_call *call, clv_tiling *tiling, clv_error *err);
clv_status clv_cl_launches_of(clv_opencl *be, const clv_call *call, clv_launch_list *list, clv_error *err);

/* A line for each kind of product of the plan that the text has not yet: key, tiling, name. */
clv_status clv_cl_kernels(clv_backend *be, const clv_plan *plan, clv_text *text, clv_error *err);
/* The choices of such a text are in force again, in later processes too. */
clv_status clv_cl_restore(clv_backend *be, const char *kernels, clv_error *err);

/* ---- verdict.c ---- */

/* The two kernels that a matrix product has. */
#define CLV_CL_OWN     'o'
#define CLV_CL_CLBLAST 'b'

/* What is known of a kind of call on this device and driver. */
typedef struct clv_cl_verdict {
    clv_hash call;
    char word; /* '=' the preferred kernel passed; 'o' only clave's own did; 'b' only CLBlast's did */
} clv_cl_verdict;

/* The kernel that a product gets unless the self-test has found against it. */
clv_status clv_cl_preferred(clv_opencl *be, const clv_call *call, char *kernel, clv_error *err);
/* Of all that decides how a call runs: its launches, the builds of their programs, and the preference. */
clv_status clv_cl_verdict_key(clv_opencl *be, const clv_call *call, clv_hash *key, clv_error *err);
const clv_cl_verdict *clv_cl_verdict_find(clv_opencl *be, clv_hash key); /* NULL: nothing is known */
clv_status clv_cl_verdict_add(clv_opencl *be, clv_hash key, char word, clv_error *err);
void clv_cl_verdicts_save(const clv_opencl *be);
/* Whether the call is done by CLBlast. */
clv_status clv_cl_uses_clblast(clv_opencl *be, const clv_call *call, bool *uses, clv_error *err);
/* The call's choice has passed its self-test just now: none is needed when it is used. */
clv_status clv_cl_vouch(clv_opencl *be, const clv_call *call, clv_error *err);

/* ---- verify.c ---- */

/* Self-tests each kind of call of the plan that no verdict is known for, as `calls` have it run. *changed: another kernel
 * than theirs does a call from now on. */
clv_status clv_cl_verify(clv_opencl *be, const clv_plan *plan, const struct clv_cl_calls *calls, bool *changed,
                         clv_error *err);
/* Within a test of call be->tested: the unit of the plan of which a launch of it is a part, and which one; NULL: the launch
 * is not the plan's. */
const clv_cl_unit *clv_cl_tested_unit(const clv_opencl *be, const clv_launch_item *item, int *place);

/* ---- stopwatch.c ---- */

/* One call, several times over on operands of its own each time, as many elements in all as the step's activations
 * (arena), so that it finds in the caches about what it would find within a step. */
typedef struct clv_cl_stopwatch {
    clv_opencl *be;
    clv_plan plan; /* its calls are alike */
    clv_bindings bindings;
} clv_cl_stopwatch;

/* Starts as {0}; release with clv_cl_stopwatch_close, whether opening succeeded or not. */
clv_status clv_cl_stopwatch_open(clv_opencl *be, const clv_call *call, int batch, size_t arena, clv_cl_stopwatch *watch,
                                 clv_error *err);
void clv_cl_stopwatch_close(clv_cl_stopwatch *watch);
/* The calls as a program, by the tiling now in force; the caller destroys it with clv_program_destroy. */
clv_status clv_cl_stopwatch_program(clv_cl_stopwatch *watch, clv_program **program, clv_error *err);
/* Seconds a call, of the runs of a program that take a few milliseconds together. */
clv_status clv_cl_stopwatch_time(clv_cl_stopwatch *watch, clv_program *program, double *seconds, clv_error *err);
/* How long the second program takes, as a share of the first, from runs in turns, so that both saw the same machine.
 * One that is far behind is not timed to the end. */
clv_status clv_cl_stopwatch_compare(clv_cl_stopwatch *watch, clv_program *first, clv_program *second, double *share,
                                    clv_error *err);

/* ---- tune.c ---- */

clv_status clv_cl_tune(clv_backend *be, const clv_plan *const *plan, int plans, const clv_tuning *tuning,
                       clv_error *err);

/* ---- gemm_tune.c ---- */

/* The set of CLBlast's parameters that makes the products that it does in these plans fastest, all together. */
clv_status clv_cl_gemm_tune(clv_backend *be, const clv_plan *const *plan, int plans, const clv_tuning *tuning,
                            clv_error *err);

/* ---- the backend ---- */

typedef struct clv_cl_sub {
    struct clv_cl_sub *next;
    size_t offset, bytes;
    cl_mem mem;
} clv_cl_sub;

typedef struct clv_cl_buffer {
    clv_buffer head;
    cl_mem mem;
    clv_cl_sub *sub; /* views made so far; they live as long as the buffer */
} clv_cl_buffer;

/* ---- builders.c ---- */

#define CLV_CL_BUILDERS 16 /* processes at most */

typedef struct clv_cl_builders {
    FILE *queue;  /* NULL: none were started */
    void *shared; /* its bytes in memory */
    size_t bytes;
    pid_t process[CLV_CL_BUILDERS];
    int processes; /* that have not ended */
} clv_cl_builders;

/* How many are of use for so many programs, and how many may start for this backend: 0 where none can. */
int clv_cl_builders_useful(int programs);
int clv_cl_builders_number(const clv_opencl *be, int programs);
/* Starts so many on the jobs of a plan. *shared: the table that they and the caller have from then on; false: there is none,
 * and none was started. */
bool clv_cl_builders_start(clv_opencl *be, const clv_plan *plan, const clv_jobs *jobs, int wanted, clv_jobs *shared);
/* Whether any of them still runs. */
bool clv_cl_builders_work(clv_opencl *be);
/* For whoever has nothing to do until others are done. */
void clv_cl_builders_nap(void);
/* Lets them do what they have begun, and no more; and waits for that. */
void clv_cl_builders_close(clv_opencl *be);
void clv_cl_builders_end(clv_opencl *be);

/* What the cache gets of programs: the texts of bundles, by which a driver that keeps what it compiles finds it again; or the
 * binaries of all that ran. */
typedef enum clv_cl_keep { CLV_CL_KEEP_NOTHING, CLV_CL_KEEP_TEXTS, CLV_CL_KEEP_BINARIES } clv_cl_keep;

struct clv_opencl {
    clv_backend head;
    cl_platform_id platform;
    cl_device_id device;
    cl_context context;
    cl_command_queue queue;
    char platform_version[128];
    uint64_t allocated; /* bytes of live buffers */
    clv_gemm_choice gemm;
    bool selftest;
    const struct clv_cl_calls *within; /* the calls of the plan that is tested, as it will run them; NULL: none is */
    int tested;                        /* which of them, within a test */
    char testing; /* CLV_CL_OWN or CLV_CL_CLBLAST within a self-test of that kernel, whose programs are not tested again */
    bool builds; /* for other processes: what it tests is theirs to plan */
    clv_cl_program *programs;
    clv_cl_bundles bundles;
    char cache[512]; /* folder of binaries and verdicts; empty: no cache */
    clv_cl_verdict *verdict;
    size_t verdicts, verdict_capacity;
    bool verdicts_loaded;
    bool tuned;   /* the file of choices counts */
    char *record; /* the choices of the run that goes on, in place of the file; NULL: none */
    clv_cl_choices choices;
    const clv_cl_line *candidate; /* within tuning: the tiling of its call, whatever is known */
    clv_cl_keep keeps;
    bool discard; /* the binaries of what is destroyed now are not kept */
    clv_cl_builders builders;
    clv_text notices;
};

/* A view of a buffer, owned by the buffer; bytes 0: all from offset on. */
clv_status clv_cl_view(clv_cl_buffer *buffer, size_t offset, size_t bytes, cl_mem *view, clv_error *err);

/* ---- launch.c ---- */

/* What follows a product that CLBlast did: bias, activation, gradient of an activation, dropout; no launch where it has none. */
void clv_launch_epilogue(const clv_device_info *device, const clv_call *call, clv_launch_list *list);

/* ---- gemm.c ---- */

typedef struct clv_cl_gemm {
    size_t m, n, k;
    bool transpose_a, transpose_b;
    int a, b;             /* the call's inputs that are the factors */
    size_t lda, ldb, ldc; /* row strides */
    clv_gemm_set set;     /* CLBlast's parameters */
} clv_cl_gemm;

/* Whether a call is one matrix product, row-major, c[m][n] = op(a) op(b), and which; by CLBlast's own parameters. */
bool clv_cl_gemm_of(const clv_call *call, clv_cl_gemm *gemm);
/* Bytes of scratch memory that CLBlast wants for it. Here and below CLV_ERR_DEVICE where a set was put in force in this process
 * before and CLBlast's own is asked for. */
clv_status clv_cl_gemm_scratch(clv_opencl *be, const clv_cl_gemm *gemm, size_t *bytes, clv_error *err);
clv_status clv_cl_gemm_run(cl_command_queue queue, const clv_cl_gemm *gemm, cl_mem a, cl_mem b, cl_mem c,
                           cl_mem scratch, cl_event *event, clv_error *err);

/* ---- run.c, trace.c, peak.c ---- */

typedef struct clv_cl_part {
    const char *call;   /* its name, in the plan's copy */
    const char *kernel; /* or "CLBlast" */
} clv_cl_part;

typedef struct clv_cl_launch { /* one entry of a step */
    clv_cl_part *part;         /* what runs in it, [parts] of the plan's */
    int parts;
    bool chain; /* one after the other; else side by side */
    int blocks; /* a chain of a plan in so many; 0: it is of the whole batch */
    clv_cl_program *program; /* NULL: CLBlast */
    cl_kernel kernel;
    cl_uint dims;
    size_t global[3], local[3];
    clv_cl_gemm gemm;
    cl_mem a, b, c, scratch; /* CLBlast's operands; not owned */
} clv_cl_launch;

#define CLV_CL_RING 16 /* steps that the host may run ahead */

/* What a call becomes: perhaps a product by CLBlast, then kernels. */
typedef struct clv_cl_recipe {
    bool clblast;
    clv_cl_gemm gemm;
    clv_launch_list list;
    bool sum_moved; /* the optimiser adds what the list's last launch would */
} clv_cl_recipe;

/* A gradient whose parts the optimiser adds: elements first .. end - 1 of the parameters, the first part at `from`; the
 * layout of cl/optim.cl. */
typedef struct clv_cl_segment {
    cl_int first, end, parts, from, stride;
} clv_cl_segment;

/* In a plan kernels leave parts and the optimiser adds them; in a test of either the host does what the other would. */
typedef enum clv_cl_sums_kind { CLV_CL_SUMS_OF_PLAN, CLV_CL_SUMS_HOST_LEAVES, CLV_CL_SUMS_HOST_ADDS } clv_cl_sums_kind;

typedef struct clv_cl_sums {
    clv_cl_sums_kind kind;
    clv_cl_segment *segment; /* in the order of `first`; the caller frees it */
    int segments;
    size_t elements; /* of CLV_ARG_PARTS */
} clv_cl_sums;

/* Whether a call is of an optimiser that can add parts. */
bool clv_cl_adds_parts(const clv_call *call);
/* Moves the sums of parts of a plan's weight gradients into its optimiser, where it has one; `sums` starts as {0}. */
clv_status clv_cl_move_sums(const clv_plan *plan, clv_cl_recipe *recipe, clv_cl_sums *sums, clv_error *err);
/* The same of the one call of a test, which runs as be->tested does in its plan. */
clv_status clv_cl_move_tested_sums(const clv_opencl *be, const clv_plan *plan, clv_cl_recipe *recipe, clv_cl_sums *sums,
                                   clv_error *err);
/* The host's share of a test: before the step, from and to the buffers of CLV_SPACE_GRAD and CLV_ARG_PARTS; and behind it. */
clv_status clv_cl_sums_leave(clv_backend *be, const clv_cl_sums *sums, clv_buffer *grad, clv_buffer *parts,
                             clv_error *err);
clv_status clv_cl_sums_add(clv_backend *be, const clv_cl_sums *sums, clv_buffer *grad, clv_buffer *parts,
                           clv_error *err);

/* ---- recipe.c ---- */

typedef struct clv_cl_calls {
    clv_cl_recipe *recipe; /* of each call of the plan */
    clv_cl_sums sums;
    clv_launch_schedule schedule;
    clv_cl_unit *unit; /* of each group of the schedule; of CLBlast's without launches */
} clv_cl_calls;

/* Starts as {0}; release with clv_cl_calls_free, whether making it succeeded or not. */
clv_status clv_cl_schedule_calls(clv_opencl *be, const clv_plan *plan, clv_cl_calls *calls, clv_error *err);
void clv_cl_calls_free(clv_cl_calls *calls);

/* A launch, of the blocks from `first` on where it is of some. */
typedef struct clv_cl_turn {
    int launch, first;
} clv_cl_turn;

typedef struct clv_cl_plan {
    clv_call *call; /* a copy, for names in messages and traces */
    clv_cl_launch *launch;
    int launches;
    clv_cl_part *part;
    clv_buffer *step, *scratch, *parts, *segments; /* NULL where no launch needs any */
    clv_buffer *grad; /* the bindings', NULL where there is none */
    clv_cl_sums sums;
    clv_cl_turn *turn; /* a step: what is queued, in its order */
    int turns;
    int blocks, at_once; /* of clv_plan, at least 1 */
    uint32_t block_lanes;
    size_t stride[CLV_SPACE_COUNT]; /* clv_plan's */
    clv_step *ring;  /* [CLV_CL_RING][blocks]: what the host may be ahead */
    cl_event written[CLV_CL_RING]; /* when the device has read the slot; NULL: never used */
    int slot;
} clv_cl_plan;

clv_status clv_cl_plan_create(clv_backend *be, const clv_plan *plan, const clv_bindings *bindings, clv_program **out,
                              clv_error *err);
void clv_cl_plan_destroy(clv_backend *be, clv_program *program);
clv_status clv_cl_plan_run(clv_backend *be, clv_program *program, const clv_step *step, clv_error *err);
int clv_cl_plan_launches(const clv_program *program);
uint64_t clv_cl_plan_bytes(const clv_program *program);

/* The step's values as the plan's kernels read them, a block behind the other; returns their bytes. */
size_t clv_cl_step_values(const clv_cl_plan *plan, const clv_step *step, clv_step *values);

/* Queues a plan's launches; event: NULL, or one a turn to fill. */
clv_status clv_cl_enqueue(cl_command_queue queue, const clv_cl_plan *plan, cl_event *event, clv_error *err);

/* One step on a queue that takes times: a line a launch, microseconds, call, kernel. */
clv_status clv_cl_plan_trace(clv_backend *be, clv_program *program, const clv_step *step, FILE *out, clv_error *err);

/* GFLOP/s of independent fused multiply-adds. */
clv_status clv_cl_peak(clv_backend *be, double *gflops, clv_error *err);

#endif
