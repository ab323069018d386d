/* The self-test: no kernel computes before it has agreed with the reference at its real shapes. Products are of small
 * integers, so that they must agree to the bit with the float reference, the fast one; everything else, a product with
 * a head too, is held against the double one. Large products compute all of their results, of which the reference
 * computes a part (trial_part.c); of the others it is only seen that they were written. */
#include "backend/selftest.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/try.h"

enum { SELFTEST_SEED = 20220117 };

/* The work of pairs grows with the square of the points, and the reference would take minutes over thousands. Fewer
 * points, the same rest behind whole vectors and tiles, run the same code. */
static clv_call stand_in(const clv_call *call, int *batch)
{
    enum { BLOCK = 64 }; /* vectors and tiles divide it */
    clv_call small = *call;
    if (clv_op_table[call->op].family != CLV_FAMILY_PAIRS) return small;
    clv_shape *pairs = call->op == CLV_OP_TSNE_FORCE ? &small.in[1].shape : &small.out.shape;
    const int points = pairs->dim[0];
    if (points < 2 * BLOCK) return small;
    pairs->dim[0] = *batch = BLOCK + points % BLOCK;
    if (call->op == CLV_OP_TSNE_FORCE) small.in[0].shape.dim[1] = 2 * BLOCK;
    if (call->op == CLV_OP_AFFINITY || call->op == CLV_OP_JOINT) small.in[0].shape.dim[0] = *batch;
    if (call->op == CLV_OP_AFFINITY && small.attr.alpha > (float)BLOCK / 3) small.attr.alpha = (float)BLOCK / 3;
    return small;
}

clv_status clv_selftest_open(const clv_call *call, int batch, clv_selftest *test, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_backend *reference = NULL;
    const bool is_sum = clv_op_table[call->op].family == CLV_FAMILY_PRODUCT && !call->attr.head;
    CLV_TRY(clv_cpu_backend_create(!is_sum, &reference, err));
    const clv_call tested = stand_in(call, &batch);
    CLV_TRY(clv_trial_create(&tested, batch, CLV_TRIAL_EXACT, SELFTEST_SEED, &test->trial, err));
    CLV_TRY(clv_trial_part_create(&test->trial, &test->part, err));
    const clv_trial *known = test->part.place ? &test->part.trial : &test->trial;
    test->wanted = clv_alloc(known->results, sizeof *test->wanted, err);
    test->got = clv_alloc(test->trial.results, sizeof *test->got, err);
    CLV_REQUIRE(test->wanted && test->got, CLV_ERR_INTERNAL, "out of memory for the self-test of '%s'", call->name);
    CLV_TRY(clv_trial_run(reference, known, test->wanted, err));
done:
    clv_backend_destroy(reference);
    return status;
}

clv_status clv_selftest_run(clv_backend *be, const clv_selftest *test, clv_error *err)
{
    clv_status status = clv_trial_run(be, &test->trial, test->got, err);
    if (status == CLV_OK) status = clv_trial_compare_part(&test->trial, &test->part, test->wanted, test->got, err);
    if (status == CLV_ERR_DEVICE)
        clv_fail_in(err, status,
                    "%s fails its self-test (choose another device by device.select, or update its driver)",
                    be->info.name);
    return status;
}

void clv_selftest_close(clv_selftest *test)
{
    clv_trial_part_destroy(&test->part);
    clv_trial_destroy(&test->trial);
    free(test->wanted);
    free(test->got);
}

clv_status clv_selftest_call(clv_backend *be, const clv_call *call, int batch, clv_error *err)
{
    clv_selftest test = {0};
    if (!clv_trial_applies(call->op)) return CLV_OK;
    clv_status status = clv_selftest_open(call, batch, &test, err);
    if (status == CLV_OK) status = clv_selftest_run(be, &test, err);
    clv_selftest_close(&test);
    return status;
}

/* Whether two calls would be compiled and computed alike. Streams, columns and data sets are numbers that kernels only
 * carry. */
static bool is_repeat(const clv_call *a, const clv_call *b)
{
    clv_attr x = a->attr, y = b->attr;
    x.stream = y.stream;
    x.slot = y.slot;
    x.dataset = y.dataset;
    const bool same_attr = x.kernel == y.kernel && x.stride == y.stride && x.pad == y.pad && x.act == y.act &&
                           x.slope == y.slope && x.has_bias == y.has_bias && x.grad_act == y.grad_act &&
                           x.mask_rate == y.mask_rate && x.rate == y.rate && x.sum_of == y.sum_of &&
                           x.has_addend == y.has_addend && x.head == y.head && x.alpha == y.alpha &&
                           x.beta1 == y.beta1 && x.beta2 == y.beta2 && x.eps == y.eps && x.l2 == y.l2 &&
                           x.weight_decay == y.weight_decay && x.momentum == y.momentum && x.rated == y.rated &&
                           x.unscale == y.unscale && x.noisy == y.noisy;
    if (a->op != b->op || !same_attr || a->inputs != b->inputs || a->lanes != b->lanes || a->trained != b->trained)
        return false;
    for (int i = 0; i < a->inputs; i++)
        if (!clv_shape_equal(&a->in[i].shape, &b->in[i].shape) ||
            (a->in[i].space == CLV_SPACE_HALF) != (b->in[i].space == CLV_SPACE_HALF))
            return false;
    return a->out.space == b->out.space && clv_shape_equal(&a->out.shape, &b->out.shape);
}

clv_status clv_backend_selftest(clv_backend *be, const clv_plan *plan, clv_error *err)
{
    clv_status status = CLV_OK;
    for (int i = 0; i < plan->calls; i++) {
        bool repeat = false;
        for (int j = 0; j < i && !repeat; j++) repeat = is_repeat(&plan->call[i], &plan->call[j]);
        if (!repeat) CLV_TRY(clv_selftest_call(be, &plan->call[i], plan->batch, err));
    }
done:
    return status;
}
