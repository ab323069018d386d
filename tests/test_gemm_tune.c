/* Sets of CLBlast's parameters: their bounds and neighbours, as text, and in force for products; the tuner that chooses
 * one. All in a cache of its own. CLBlast compiles for seconds, so that few are run. */
#include <stdlib.h>
#include <string.h>

#include "backend/opencl/opencl.h"
#include "backend/selftest.h"
#include "support.h"

enum { BATCH = 30, LANES = 32 };

static const clv_device_info gpu = {.kind = CLV_DEVICE_GPU, .vector_width = 1, .local_bytes = 49152};

static clv_opencl *open_with(const char *kernels)
{
    const clv_device_options options = {.backend = "opencl",
                                        .select = test_device(),
                                        .gemm = CLV_GEMM_CLBLAST,
                                        .selftest = true,
                                        .tune = CLV_TUNE_AUTO,
                                        .kernels = kernels};
    clv_backend *be = NULL;
    assert_ok(clv_opencl_backend_create(&options, &be, err));
    return (clv_opencl *)be;
}

static clv_shape pixel(int channels) { return (clv_shape){.rank = 3, .batched = true, .dim = {channels, 1, 1, 1}}; }

/* A linear layer. */
static clv_call linear(int from, int to)
{
    clv_call call = {.op = CLV_OP_CONV, .inputs = 2, .lanes = LANES, .attr = {.kernel = 1, .stride = 1}, .name = "fc"};
    call.in[0].shape = pixel(from);
    call.in[1].shape = (clv_shape){.rank = 4, .dim = {to, from, 1, 1}};
    call.out.shape = pixel(to);
    call.in[0].space = call.out.space = CLV_SPACE_ARENA;
    call.in[1].space = CLV_SPACE_PARAM;
    return call;
}

static clv_gemm_set first_set(const clv_device_info *device)
{
    clv_gemm_set set;
    assert_true(clv_gemm_set_first(device, 0, &set));
    return set;
}

static void test_bounds(void **state)
{
    (void)state;
    const clv_gemm_set good = first_set(&gpu), own = {{0}};
    assert_true(clv_gemm_set_check(&gpu, &good));
    assert_true(clv_gemm_set_check(&gpu, &own));
    for (int i = 0; i < CLV_GEMM_PARAMETERS; i++) { /* no parameter may be anything */
        clv_gemm_set bad = good;
        bad.value[i] = 1 << 20;
        assert_false(clv_gemm_set_check(&gpu, &bad));
        bad.value[i] = -1;
        assert_false(clv_gemm_set_check(&gpu, &bad));
    }
    clv_gemm_set bad = good;
    bad.value[CLV_GEMM_WGD] = 13;
    assert_false(clv_gemm_set_check(&gpu, &bad));
    const clv_device_info small = {.local_bytes = 1024};
    assert_false(clv_gemm_set_check(&small, &good));
}

static void test_neighbours(void **state)
{
    (void)state;
    clv_gemm_set from, to;
    for (int row = 0; clv_gemm_set_first(&gpu, row, &from); row++) {
        int found = 0;
        for (int i = 0; i < clv_gemm_set_moves(); i++) {
            if (!clv_gemm_set_move(&gpu, &from, i, &to)) continue;
            assert_true(clv_gemm_set_check(&gpu, &to));
            assert_false(clv_gemm_set_equal(&from, &to));
            found++;
        }
        assert_true(found >= 8);
    }
    to = from = first_set(&gpu);
    to.value[CLV_GEMM_PADA] = !from.value[CLV_GEMM_PADA];
    assert_false(clv_gemm_set_alike(&from, &to, 64, 64, 64));
    assert_true(clv_gemm_set_alike(&from, &to, 1024, 1024, 1024)); /* by Xgemm, which is the same */
}

static void test_text(void **state)
{
    (void)state;
    const clv_call call = linear(20, 24);
    clv_opencl *be = open_with(NULL);
    clv_tiling tiling, read;
    char text[CLV_TILING_TEXT];
    clv_tiling_default(&be->head.info, &call, &tiling);
    tiling.gemm = first_set(&be->head.info);
    clv_tiling_print(&tiling, text);
    assert_non_null(strstr(text, " WGD=32 MDIMCD=8 "));
    assert_true(clv_tiling_parse(text, &read));
    assert_true(clv_tiling_equal(&tiling, &read));
    assert_true(clv_tiling_check(&be->head.info, &call, &read));
    read.gemm.value[CLV_GEMM_MWG] /= 2;
    assert_false(clv_tiling_equal(&tiling, &read));
    read.gemm.value[CLV_GEMM_VWMD] = 3; /* damage */
    assert_false(clv_tiling_check(&be->head.info, &call, &read));
    clv_backend_destroy(&be->head);
}

/* Runs the call by a set, whatever its bounds, against the reference. */
static clv_status run_by(clv_opencl *be, const clv_call *call, const clv_gemm_set *set, clv_error *error)
{
    clv_selftest test = {0};
    clv_cl_line line = {.word = CLV_CL_TRY};
    clv_tiling_default(&be->head.info, call, &line.tiling);
    line.tiling.gemm = *set;
    assert_ok(clv_cl_call_key(be, call, &line.call, err));
    assert_ok(clv_selftest_open(call, BATCH, &test, err));
    be->candidate = &line;
    be->testing = 'b';
    const clv_status status = clv_selftest_run(&be->head, &test, error);
    be->candidate = NULL;
    be->testing = 0;
    clv_selftest_close(&test);
    clv_cl_programs_sweep(be);
    return status;
}

/* Set by set, one that CLBlast refuses between them, and back; CLBlast's own is gone then, and that is said. */
static void test_in_force(void **state)
{
    (void)state;
    const clv_call call = linear(70, 33);
    clv_opencl *be = open_with(NULL);
    const clv_gemm_set own = {{0}}, direct = first_set(&be->head.info);
    clv_gemm_set indirect = direct, refused = direct;
    clv_error error = {.status = CLV_OK};
    indirect.value[CLV_GEMM_XGEMM_MIN_INDIRECT_SIZE] = 1;
    refused.value[CLV_GEMM_MDIMCD] = refused.value[CLV_GEMM_NDIMCD] = 1 << 12;
    assert_false(clv_gemm_set_check(&be->head.info, &refused));
    assert_ok(run_by(be, &call, &direct, err));
    assert_int_equal(run_by(be, &call, &refused, &error), CLV_ERR_DEVICE);
    assert_ok(run_by(be, &call, &indirect, err));
    assert_ok(run_by(be, &call, &direct, err));
    error = (clv_error){.status = CLV_OK};
    assert_int_equal(run_by(be, &call, &own, &error), CLV_ERR_DEVICE);
    assert_non_null(strstr(error.message, "start clave anew"));
    clv_backend_destroy(&be->head);
}

static int told;
static clv_tuned last;
static void tell(void *context, const clv_tuned *tuned)
{
    (void)context;
    told++;
    last = *tuned;
}

static clv_tiling tiling_of(clv_opencl *be, const clv_call *call)
{
    clv_tiling tiling;
    assert_ok(clv_cl_tiling_of(be, call, &tiling, err));
    return tiling;
}

/* The tuner goes on from the choice in force, does not touch what crashed, and a run by its record has the same set,
 * as have products for which none was chosen. */
static void test_tunes(void **state)
{
    (void)state;
    clv_call call = linear(70, 33);
    const clv_call other = linear(9, 5);
    const clv_plan plan = {.batch = BATCH, .lanes = LANES, .calls = 1, .call = &call}, *const plans[] = {&plan, &plan};
    const clv_tuning tuning = {.seconds = 3600, .candidates = 1, .gemm = true, .tell = tell};
    clv_opencl *be = open_with(NULL);
    clv_gemm_set crashed;
    clv_text record = {0};
    clv_tiling tiling = tiling_of(be, &call);
    clv_hash key;
    assert_true(clv_gemm_set_is_own(&tiling.gemm));
    assert_ok(clv_cl_call_key(be, &call, &key, err));
    const clv_gemm_set first = tiling.gemm = first_set(&be->head.info);
    assert_ok(clv_cl_choices_add(be, CLV_CL_BEST, key, &tiling, err));
    assert_true(clv_gemm_set_first(&be->head.info, 1, &crashed));
    tiling.gemm = crashed;
    assert_ok(clv_cl_choices_add(be, CLV_CL_TRY, key, &tiling, err));
    assert_ok(clv_backend_tune(&be->head, plans, 2, &tuning, err));
    assert_int_equal(told, 1);
    assert_int_equal(last.candidates + last.refused, 1);
    assert_true(last.before > 0 && last.after > 0 && last.after <= last.before);
    tiling.gemm = crashed;
    assert_int_equal(clv_cl_choices_last(be, key, &tiling), CLV_CL_TRY); /* not tried again */
    tiling = tiling_of(be, &call);
    const clv_gemm_set chosen = tiling.gemm;
    assert_false(clv_gemm_set_is_own(&chosen) || clv_gemm_set_equal(&chosen, &crashed));
    assert_ok(clv_backend_kernels(&be->head, &plan, &record, err));
    assert_non_null(strstr(record.text, " WGD="));
    tiling.gemm = clv_gemm_set_equal(&chosen, &first) ? crashed : first; /* found since */
    assert_ok(clv_cl_choices_add(be, CLV_CL_BEST, key, &tiling, err));
    clv_backend_destroy(&be->head);
    be = open_with(record.text);
    tiling = tiling_of(be, &call);
    assert_true(clv_gemm_set_equal(&tiling.gemm, &chosen));
    tiling = tiling_of(be, &other);
    assert_true(clv_gemm_set_equal(&tiling.gemm, &chosen));
    clv_backend_destroy(&be->head);
    clv_text_free(&record);
}

static int set_up(void **state)
{
    (void)state;
    return setenv("XDG_CACHE_HOME", test_path("cache"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounds),   cmocka_unit_test(test_neighbours), cmocka_unit_test(test_text),
        cmocka_unit_test(test_in_force), cmocka_unit_test(test_tunes),
    };
    if (!have_opencl()) return 77;
    return cmocka_run_group_tests(tests, set_up, NULL);
}
