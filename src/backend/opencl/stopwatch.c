/* Timing of one kind of call, in turns with another way to do it: on a machine that others use as well, ratios of what
 * was measured side by side are all that can be told. */
#include <stdlib.h>

#include "backend/opencl/opencl.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/order.h"

#define MOST_ELEMENTS  4194304 /* 16 MB: beyond any second-level cache, whatever the step's activations take */
#define MOST_COPIES    32
#define TURN_SECONDS   3e-3 /* of a program's runs in a turn, about */
#define TURNS          11
#define TURNS_AT_LEAST 3    /* before one that is behind is given up, */
#define BEHIND         1.05 /* by so much */

static size_t round_up(size_t n, size_t step) { return (n + step - 1) / step * step; }

/* Operands side by side in one buffer, whatever their spaces; those stored as half in another. */
static void place(const clv_opencl *be, clv_call *call, size_t used[CLV_SPACE_COUNT])
{
    for (int i = 0; i <= call->inputs; i++) {
        clv_operand *operand = i < call->inputs ? &call->in[i] : &call->out;
        if (operand->space != CLV_SPACE_HALF) operand->space = CLV_SPACE_ARENA;
        size_t *end = &used[operand->space];
        operand->offset = round_up(*end, clv_space_alignment(operand->space, be->head.alignment));
        *end = operand->offset + clv_operand_elements(operand, call->lanes);
    }
}

/* Numbers of either sign about a half: none so small that arithmetic on it would be slow. */
static clv_status fill(clv_opencl *be, clv_space space, clv_buffer *buffer, size_t elements, clv_error *err)
{
    enum { PART = 65536 };
    clv_status status = CLV_OK;
    float *part = clv_alloc(PART, sizeof *part, err);
    if (!part) return CLV_ERR_INTERNAL;
    for (uint32_t i = 0; i < PART; i++) part[i] = (float)(i * 2654435761u >> 8) * 0x1p-24f - 0.4999f;
    for (size_t at = 0; at < elements && status == CLV_OK; at += PART)
        status = clv_buffer_write_space(&be->head, space, buffer, at, part, elements - at < PART ? elements - at : PART,
                                        err);
    free(part);
    return status;
}

clv_status clv_cl_stopwatch_open(clv_opencl *be, const clv_call *call, int batch, size_t arena, clv_cl_stopwatch *watch,
                                 clv_error *err)
{
    clv_status status = CLV_OK;
    clv_call one = *call;
    size_t used[CLV_SPACE_COUNT] = {0};
    *watch = (clv_cl_stopwatch){.be = be, .plan = {.batch = batch, .lanes = call->lanes, .apart = CLV_FUSE_LAUNCHES}};
    place(be, &one, used);
    const size_t elements = used[CLV_SPACE_ARENA] + used[CLV_SPACE_HALF],
                 wanted = (arena < MOST_ELEMENTS ? arena : MOST_ELEMENTS) / elements + 1;
    const int copies = wanted < MOST_COPIES ? (int)wanted : MOST_COPIES;
    if (!(watch->plan.call = clv_alloc((size_t)copies, sizeof *watch->plan.call, err))) return CLV_ERR_INTERNAL;
    for (int i = 0; i < copies; i++) {
        watch->plan.call[i] = *call;
        place(be, &watch->plan.call[i], watch->plan.elements);
    }
    watch->plan.calls = copies;
    for (int space = 0; space < CLV_SPACE_COUNT; space++) {
        const size_t count = watch->plan.elements[space];
        clv_buffer **buffer = &watch->bindings.space[space];
        if (count == 0) continue;
        CLV_TRY(clv_buffer_create(&be->head, clv_space_bytes(&be->head, (clv_space)space, count), buffer, err));
        CLV_TRY(fill(be, (clv_space)space, *buffer, count, err));
    }
done:
    return status;
}

void clv_cl_stopwatch_close(clv_cl_stopwatch *watch)
{
    for (int space = 0; space < CLV_SPACE_COUNT; space++)
        if (watch->be) clv_buffer_destroy(&watch->be->head, watch->bindings.space[space]);
    free(watch->plan.call);
    *watch = (clv_cl_stopwatch){0};
}

static clv_status run(clv_cl_stopwatch *watch, clv_program *program, int runs, double *seconds, clv_error *err)
{
    const clv_step step = {.count = (uint32_t)watch->plan.batch, .step = 1, .correction1 = 1, .correction2 = 1};
    clv_status status = CLV_OK;
    const double start = clv_seconds();
    for (int i = 0; i < runs; i++) CLV_TRY(clv_program_run(&watch->be->head, program, &step, err));
    CLV_TRY(clv_backend_finish(&watch->be->head, err));
    *seconds = (clv_seconds() - start) / (runs * watch->plan.calls);
done:
    return status;
}

/* The first run compiles on some devices, and finds cold caches on all. */
clv_status clv_cl_stopwatch_program(clv_cl_stopwatch *watch, clv_program **program, clv_error *err)
{
    double seconds;
    clv_status status = clv_program_create(&watch->be->head, &watch->plan, &watch->bindings, program, err);
    return status == CLV_OK ? run(watch, *program, 1, &seconds, err) : status;
}

static int runs_of(const clv_cl_stopwatch *watch, double seconds)
{
    const double runs = TURN_SECONDS / (seconds * watch->plan.calls);
    return runs < 1 ? 1 : runs > 100 ? 100 : (int)runs;
}

clv_status clv_cl_stopwatch_time(clv_cl_stopwatch *watch, clv_program *program, double *seconds, clv_error *err)
{
    double turn[TURNS_AT_LEAST];
    clv_status status = CLV_OK;
    CLV_TRY(run(watch, program, 1, seconds, err));
    const int runs = runs_of(watch, *seconds);
    for (int i = 0; i < TURNS_AT_LEAST; i++) CLV_TRY(run(watch, program, runs, &turn[i], err));
    *seconds = clv_median(turn, TURNS_AT_LEAST);
done:
    return status;
}

/* The larger of two estimates: of turns side by side, and of the best turn of each. What else runs on the machine makes
 * single turns longer and never shorter, and comes and goes. */
static double share_of(const double *a, const double *b, int turns)
{
    double ratio[TURNS], least_a = a[0], least_b = b[0];
    for (int i = 0; i < turns; i++) {
        ratio[i] = b[i] / a[i];
        if (a[i] < least_a) least_a = a[i];
        if (b[i] < least_b) least_b = b[i];
    }
    const double median = clv_median(ratio, (size_t)turns), least = least_b / least_a;
    return median > least ? median : least;
}

clv_status clv_cl_stopwatch_compare(clv_cl_stopwatch *watch, clv_program *first, clv_program *second, double *share,
                                    clv_error *err)
{
    double a[TURNS], b[TURNS];
    clv_status status = CLV_OK;
    CLV_TRY(run(watch, first, 1, &a[0], err));
    const int runs = runs_of(watch, a[0]);
    for (int i = 0; i < TURNS; i++) {
        CLV_TRY(run(watch, i % 2 ? second : first, runs, i % 2 ? &b[i] : &a[i], err));
        CLV_TRY(run(watch, i % 2 ? first : second, runs, i % 2 ? &a[i] : &b[i], err));
        *share = share_of(a, b, i + 1);
        if (i + 1 >= TURNS_AT_LEAST && *share > BEHIND) break;
    }
done:
    return status;
}
