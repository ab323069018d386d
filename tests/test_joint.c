/* Joint launches: any kernels of cl/ are one program, and it computes what they compute alone; schedules keep what must
 * wait for each other apart. */
#include <stdlib.h>
#include <string.h>

#include "backend/opencl/schedule.h"
#include "backend/trial.h"
#include "op_cases.h"
#include "support.h"

#define MOST_CASES 512

static clv_opencl *be;

static clv_opencl *open_device(void)
{
    const clv_device_options options = {.backend = "opencl", .select = test_device(), .gemm = CLV_GEMM_OWN};
    clv_backend *opened = NULL;
    assert_ok(clv_opencl_backend_create(&options, &opened, err));
    return (clv_opencl *)opened;
}

/* ---- programs ---- */

/* The launches of every case of every operation that can be part of a joint one. */
static int launches_of_cases(clv_launch *launch, clv_call *call)
{
    int launches = 0;
    for (int i = 0; i < op_case_count; i++) {
        clv_plan *plan = NULL;
        clv_launch_list list;
        assert_ok(op_case_plan(&op_cases[i], &be->head, &plan, err));
        const clv_call *of = op_case_call(&op_cases[i], plan);
        if (of && clv_trial_applies(of->op)) {
            assert_ok(clv_cl_launches_of(be, of, &list, err));
            for (int k = 0; k < list.launches && launches < MOST_CASES; k++) {
                const clv_launch *l = &list.launch[k];
                clv_text source = {0};
                assert_ok(clv_cl_source(l->file, l->kernel, &source, err));
                if (l->local[0] * l->local[1] * l->local[2] == 1 && !strstr(source.text, "local float")) {
                    call[launches] = *of;
                    launch[launches++] = *l;
                }
                clv_text_free(&source);
            }
        }
        clv_plan_destroy(plan);
    }
    return launches;
}

static bool same_program(const clv_launch *a, const clv_launch *b)
{
    return !strcmp(a->file, b->file) && !strcmp(a->kernel, b->kernel);
}

/* One launch of each kernel, and beside it a kernel of another file and itself with other defines: names and macros of
 * one are not those of another. */
static void test_every_kernel_is_a_part(void **state)
{
    (void)state;
    clv_launch *launch = calloc(MOST_CASES, sizeof *launch);
    clv_call *call = calloc(MOST_CASES, sizeof *call);
    assert_true(launch && call);
    const int launches = launches_of_cases(launch, call);
    int kinds = 0, kind[MOST_CASES];
    for (int i = 0; i < launches; i++) {
        bool seen = false;
        for (int k = 0; k < kinds; k++) seen |= same_program(&launch[i], &launch[kind[k]]);
        if (!seen) kind[kinds++] = i;
    }
    if (kinds < 2) skip(); /* a device whose groups are larger */
    assert_true(kinds > 20);
    for (int first = 0; first < kinds; first += 4) {
        clv_cl_unit unit = {.launches = 0};
        for (int k = first; k < kinds && k < first + 4; k++) {
            unit.launch[unit.launches++] = &launch[kind[k]];
            for (int i = kind[k] + 1; i < launches; i++)
                if (same_program(&launch[i], &launch[kind[k]]) && strcmp(launch[i].defines, launch[kind[k]].defines)) {
                    unit.launch[unit.launches++] = &launch[i];
                    break;
                }
        }
        clv_cl_program *program = NULL;
        assert_ok(clv_cl_program_get(be, &unit, &program, err));
        clv_cl_program_release(be, program);
    }
    free(launch);
    free(call);
}

/* ---- schedules ---- */

#define LANES 16

static clv_operand at(size_t offset)
{
    return (clv_operand){CLV_SPACE_ARENA, offset, {.rank = 4, .dim = {1, 1, 1, 1}, .batched = true}};
}

static clv_call add(size_t a, size_t b, size_t out)
{
    clv_call call = {.op = CLV_OP_ADD, .inputs = 2, .in = {at(a), at(b)}, .out = at(out), .lanes = LANES};
    strcpy(call.name, "add");
    return call;
}

static void schedule(const clv_call *call, int calls, bool joint, clv_cl_recipe *recipe, clv_cl_schedule *s)
{
    for (int i = 0; i < calls; i++) assert_ok(clv_cl_launches_of(be, &call[i], &recipe[i].list, err));
    assert_ok(clv_cl_schedule_make(be, call, recipe, calls, joint, s, err));
}

static int level_of(const clv_cl_schedule *s, int call)
{
    for (int i = 0; i < s->items; i++)
        if (s->item[i].call == call) return s->item[i].level;
    fail_msg("call %d has no launch", call);
    return -1;
}

/* Offsets in tensors: 0 + 1 -> 2; 2 + 0 -> 3 reads what was written; 0 + 0 -> 4 waits for nothing but is needed by the
 * last; 1 + 1 -> 2 overwrites what the second reads; 3 + 4 -> 5. */
static void test_levels(void **state)
{
    (void)state;
    const size_t t = LANES;
    const clv_call call[] = {add(0, t, 2 * t), add(2 * t, 0, 3 * t), add(0, 0, 4 * t), add(t, t, 2 * t),
                             add(3 * t, 4 * t, 5 * t)};
    enum { CALLS = sizeof call / sizeof *call };
    static const int levels[] = {0, 1, 1, 2, 2};
    clv_cl_recipe *recipe = calloc(CALLS, sizeof *recipe);
    clv_cl_schedule s = {0};
    assert_non_null(recipe);
    schedule(call, CALLS, true, recipe, &s);
    assert_int_equal(s.items, CALLS);
    for (int i = 0; i < CALLS; i++) assert_int_equal(level_of(&s, i), levels[i]);
    for (int i = 1; i < s.items; i++) assert_true(s.item[i - 1].level <= s.item[i].level);
    const bool joins = be->head.info.kind == CLV_DEVICE_CPU;
    assert_int_equal(s.groups, joins ? 3 : CALLS);
    clv_cl_schedule_free(&s);
    schedule(call, CALLS, false, recipe, &s);
    assert_int_equal(s.groups, CALLS);
    clv_cl_schedule_free(&s);
    free(recipe);
}

/* Calls of one level have their scratch memory apart; a third that waits for the first has its place again. */
static void test_scratch(void **state)
{
    (void)state;
    const clv_shape image = {.rank = 4, .dim = {64, 32, 32, 1}, .batched = true};
    const size_t t = (size_t)64 * 32 * 32 * LANES;
    clv_call call[3];
    for (int i = 0; i < 3; i++) {
        call[i] = (clv_call){.op = CLV_OP_SUM, .inputs = 1, .lanes = LANES, .out = at(t + (size_t)(i % 2) * LANES)};
        call[i].in[0] = (clv_operand){CLV_SPACE_ARENA, 0, image};
        strcpy(call[i].name, "sum");
    }
    call[2].in[0].offset = LANES; /* up to the end of the first's result */
    clv_cl_recipe *recipe = calloc(3, sizeof *recipe);
    clv_cl_schedule s = {0};
    assert_non_null(recipe);
    schedule(call, 3, true, recipe, &s);
    const size_t size = recipe[0].list.scratch;
    assert_true(size > 0);
    assert_int_equal(level_of(&s, 0), level_of(&s, 1));
    assert_true(level_of(&s, 2) > level_of(&s, 0));
    assert_true(s.scratch[0] + size <= s.scratch[1] || s.scratch[1] + size <= s.scratch[0]);
    assert_true(s.scratch[2] == s.scratch[0] || s.scratch[2] == s.scratch[1]);
    assert_true(s.scratch_elements >= 2 * size && s.scratch_elements < 3 * size);
    clv_cl_schedule_free(&s);
    free(recipe);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kernel_is_a_part),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_scratch),
    };
    take_filter();
    if (!have_opencl()) return 77;
    be = open_device();
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    clv_backend_destroy(&be->head);
    return failed;
}
