/* Joint launches: any kernels of cl/ are one program, and it computes what they compute alone; schedules keep what must
 * wait for each other apart. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/opencl/opencl.h"
#include "backend/trial.h"
#include "op_cases.h"
#include "support.h"

#define MOST_CASES    512
#define LANES_OF_GPUS 32

static clv_opencl *be;

static clv_opencl *open_device(void) { return (clv_opencl *)open_opencl(CLV_GEMM_OWN, false); }

/* ---- programs ---- */

/* The launches of every case of every operation that can be part of a joint one. */
static int launches_of_cases(clv_launch *launch)
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
                if (strcmp(l->file, "pairs.cl") && strcmp(l->file, "tsne.cl")) launch[launches++] = *l;
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
    assert_non_null(launch);
    const int launches = launches_of_cases(launch);
    int kinds = 0, kind[MOST_CASES];
    for (int i = 0; i < launches; i++) {
        bool seen = false;
        for (int k = 0; k < kinds; k++) seen |= same_program(&launch[i], &launch[kind[k]]);
        if (!seen) kind[kinds++] = i;
    }
    assert_true(kinds > 20);
    for (int first = 0; first < kinds; first += 4) {
        clv_launch_unit unit = {.launches = 0};
        for (int k = first; k < kinds && k < first + 4; k++) {
            unit.launch[unit.launches++] = &launch[kind[k]];
            for (int i = kind[k] + 1; i < launches; i++)
                if (same_program(&launch[i], &launch[kind[k]]) && strcmp(launch[i].defines, launch[kind[k]].defines)) {
                    unit.launch[unit.launches++] = &launch[i];
                    break;
                }
        }
        clv_cl_program *program = NULL;
        clv_cl_unit of;
        assert_ok(clv_cl_unit_of(be, &unit, &of, err));
        assert_ok(clv_cl_program_get(be, &of, &program, err));
        clv_cl_program_release(be, program);
    }
    free(launch);
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

static void schedule(const clv_call *call, int calls, bool joint, clv_launch_list *list, clv_launch_schedule *s)
{
    clv_launch_work work[8];
    for (int i = 0; i < calls; i++) {
        assert_ok(clv_cl_launches_of(be, &call[i], &list[i], err));
        work[i] = (clv_launch_work){&call[i], &list[i], false, list[i].scratch};
    }
    const clv_schedule_options options = {.alignment = be->head.alignment, .joint = joint};
    assert_ok(clv_launch_schedule_make(&be->head.info, work, calls, &options, s, err));
}

static int level_of(const clv_launch_schedule *s, int call)
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
    enum { COUNT = sizeof call / sizeof *call };
    static const int levels[] = {0, 1, 1, 2, 2};
    clv_launch_list *list = calloc(COUNT, sizeof *list);
    clv_launch_schedule s = {0};
    assert_non_null(list);
    schedule(call, COUNT, true, list, &s);
    assert_int_equal(s.items, COUNT);
    for (int i = 0; i < COUNT; i++) assert_int_equal(level_of(&s, i), levels[i]);
    for (int i = 1; i < s.items; i++) assert_true(s.item[i - 1].level <= s.item[i].level);
    assert_int_equal(s.groups, 3);
    clv_launch_schedule_free(&s);
    schedule(call, COUNT, false, list, &s);
    assert_int_equal(s.groups, COUNT);
    clv_launch_schedule_free(&s);
    free(list);
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
    clv_launch_list *list = calloc(3, sizeof *list);
    clv_launch_schedule s = {0};
    assert_non_null(list);
    schedule(call, 3, true, list, &s);
    const size_t size = list[0].scratch;
    assert_true(size > 0);
    assert_int_equal(level_of(&s, 0), level_of(&s, 1));
    assert_true(level_of(&s, 2) > level_of(&s, 0));
    assert_true(s.scratch[0] + size <= s.scratch[1] || s.scratch[1] + size <= s.scratch[0]);
    assert_true(s.scratch[2] == s.scratch[0] || s.scratch[2] == s.scratch[1]);
    assert_true(s.scratch_elements >= 2 * size && s.scratch_elements < 3 * size);
    clv_launch_schedule_free(&s);
    free(list);
}

/* ---- chains ---- */

#define LINKS      5
#define CHAIN_SIZE (8 * 64)

static clv_operand features(size_t offset, int count)
{
    return (clv_operand){CLV_SPACE_ARENA, offset, {.rank = 3, .dim = {count, 1, 1, 1}, .batched = true}};
}

static clv_call linear(clv_operand x, clv_operand y, size_t weights)
{
    const clv_shape weight = {.rank = 4, .dim = {y.shape.dim[0], x.shape.dim[0], 1, 1}};
    clv_call call = {.op = CLV_OP_CONV,
                     .attr = {.kernel = 1, .stride = 1},
                     .inputs = 2,
                     .in = {x, {CLV_SPACE_ARENA, weights, weight}},
                     .out = y,
                     .lanes = 64};
    strcpy(call.name, "linear");
    return call;
}

/* x[8] -> a[8] -> b[8]; the channels of b are added up over the batch; c[8] of a; d[8], with those sums for weights:
 * offsets in rows of 64 lanes. */
static size_t linked_calls(clv_call *call)
{
    const size_t t = CHAIN_SIZE;
    const clv_operand x = features(0, 8), a = features(t, 8), b = features(2 * t, 8), c = features(3 * t, 8),
                      d = features(4 * t, 1), sums = {CLV_SPACE_ARENA, 6 * t, {.rank = 1, .dim = {8, 1, 1, 1}}};
    call[0] = linear(x, a, 5 * t);
    call[1] = linear(a, b, 5 * t);
    call[2] = (clv_call){.op = CLV_OP_BIAS_GRAD, .inputs = 1, .in = {b}, .out = sums, .lanes = 64, .name = "sums"};
    call[3] = linear(a, c, 5 * t);
    call[4] = linear(c, d, 6 * t);
    return 7 * t;
}

/* A CPU of two cores, whatever the device is: what follows image by image is a chain, what waits for the whole batch is
 * not, even where it could follow another link. */
static void test_chains(void **state)
{
    (void)state;
    clv_device_info cpu = be->head.info;
    cpu.kind = CLV_DEVICE_CPU, cpu.compute_units = 2, cpu.vector_width = 16;
    clv_call call[LINKS];
    clv_launch_list *list = calloc(LINKS, sizeof *list);
    clv_launch_work work[LINKS];
    clv_launch_schedule s = {0};
    assert_non_null(list);
    linked_calls(call);
    for (int i = 0; i < LINKS; i++) {
        assert_ok(clv_launches_of(&cpu, &call[i], NULL, &list[i], err));
        work[i] = (clv_launch_work){&call[i], &list[i], false, list[i].scratch};
    }
    const clv_schedule_options options = {.alignment = be->head.alignment, .joint = true, .chains = true};
    assert_ok(clv_launch_schedule_make(&cpu, work, LINKS, &options, &s, err));
    for (int i = 0; i < s.items; i++) {
        const bool link = s.item[i].call == 0 || s.item[i].call == 1 || s.item[i].call == 3;
        assert_int_equal(s.item[i].chain, link ? 1 : 0);
        assert_int_equal(s.item[i].level, link ? 0 : s.item[i].call == 2 ? 1 : 2);
    }
    assert_int_equal(s.groups, 3);
    assert_true(clv_unit_of(&s, &s.group[0]).chain);
    clv_launch_schedule_free(&s);
    cpu.compute_units = 64; /* more than there are vectors of lanes */
    assert_ok(clv_launch_schedule_make(&cpu, work, LINKS, &options, &s, err));
    for (int i = 0; i < s.items; i++) assert_int_equal(s.item[i].chain, 0);
    clv_launch_schedule_free(&s);
    free(list);
}

/* Lanes of a chain's group: every unit has one, units end together, 64 at most; a plan has no blocks where they would
 * be few for no other reason than that the lanes divide badly. */
static void test_block_lanes(void **state)
{
    (void)state;
    static const struct {
        int units, lanes, block, plan;
    } cases[] = {{2, 128, 64, 64}, {2, 1024, 64, 64}, {4, 128, 32, 32}, {8, 128, 16, 16}, {3, 128, 16, 0},
                 {6, 128, 0, 0},   {16, 128, 0, 0},   {1, 16, 16, 16},  {2, 32, 16, 16},  {2, 112, 16, 0},
                 {2, 208, 16, 0},  {2, 96, 48, 48},   {2, 192, 48, 48}};
    clv_device_info cpu = {.kind = CLV_DEVICE_CPU, .vector_width = 16};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cpu.compute_units = cases[i].units;
        assert_int_equal(clv_chain_lanes(&cpu, cases[i].lanes), cases[i].block);
        assert_int_equal(clv_plan_block(&cpu, cases[i].lanes), cases[i].plan);
    }
    cpu.kind = CLV_DEVICE_GPU;
    assert_int_equal(clv_chain_lanes(&cpu, 128), 0);
}

/* ---- running ---- */

#define CALLS 6

/* A place behind all that lie before it. */
static clv_operand place(size_t *used, clv_shape shape)
{
    const clv_operand operand = {CLV_SPACE_ARENA, *used, shape};
    *used += clv_operand_elements(&operand, LANES_OF_GPUS);
    *used = (*used + 63) / 64 * 64;
    return operand;
}

static clv_shape batch(int c, int side) { return (clv_shape){.rank = 4, .dim = {c, side, side, 1}, .batched = true}; }

/* Products of every kind, and sums, none of which waits for another: of x and y into results apart. */
static size_t independent_calls(clv_call *call)
{
    const clv_attr window = {.kernel = 3, .stride = 2, .pad = 1},
                   with_sum = {.kernel = 3, .stride = 2, .pad = 1, .sum_of = 2};
    const clv_shape weight = {.rank = 4, .dim = {12, 5, 3, 3}}, bias = {.rank = 1, .dim = {12, 1, 1, 1}};
    size_t used = 0;
    const clv_operand x = place(&used, batch(5, 8)), y = place(&used, batch(12, 4)), w = place(&used, weight);
    const clv_call calls[CALLS] = {
        {.op = CLV_OP_CONV, .attr = window, .inputs = 2, .in = {x, w}, .out = place(&used, batch(12, 4))},
        {.op = CLV_OP_DECONV, .attr = window, .inputs = 2, .in = {y, w}, .out = place(&used, batch(5, 8))},
        {.op = CLV_OP_CONV_WEIGHT,
         .attr = with_sum,
         .inputs = 3,
         .in = {x, y, place(&used, bias)},
         .out = place(&used, weight)},
        {.op = CLV_OP_BIAS_GRAD, .inputs = 1, .in = {y}, .out = place(&used, bias)},
        {.op = CLV_OP_SUM, .inputs = 1, .in = {x}, .out = place(&used, batch(1, 1))},
        {.op = CLV_OP_ADD, .inputs = 2, .in = {y, y}, .out = place(&used, batch(12, 4))},
    };
    memcpy(call, calls, sizeof calls);
    for (int i = 0; i < CALLS; i++) {
        call[i].lanes = LANES_OF_GPUS;
        snprintf(call[i].name, sizeof call[i].name, "call%d", i);
    }
    return used;
}

/* Runs the calls; returns the arena's bytes, to free, and how many launches there were. */
static float *run_calls(clv_call *call, int calls, size_t elements, unsigned apart, int *launches)
{
    const int lanes = call->lanes;
    clv_plan plan = {.batch = lanes, .lanes = lanes, .calls = calls, .call = call, .apart = apart};
    clv_bindings bindings = {0};
    clv_program *program = NULL;
    const clv_step step = {.count = (uint32_t)lanes, .step = 1};
    float *arena = calloc(elements, sizeof *arena);
    assert_non_null(arena);
    plan.elements[CLV_SPACE_ARENA] = elements;
    for (size_t i = 0; i < elements; i++) arena[i] = (float)(i * 2654435761u % 1000) * 1e-3f - 0.5f;
    assert_ok(clv_buffer_create(&be->head, elements * sizeof *arena, &bindings.space[CLV_SPACE_ARENA], err));
    assert_ok(clv_buffer_write_floats(&be->head, bindings.space[CLV_SPACE_ARENA], 0, arena, elements, err));
    assert_ok(clv_program_create(&be->head, &plan, &bindings, &program, err));
    assert_ok(clv_program_run(&be->head, program, &step, err));
    assert_ok(clv_buffer_read_floats(&be->head, bindings.space[CLV_SPACE_ARENA], 0, arena, elements, err));
    *launches = clv_program_launches(&be->head, program);
    clv_program_destroy(&be->head, program);
    clv_buffer_destroy(&be->head, bindings.space[CLV_SPACE_ARENA]);
    return arena;
}

/* Together or one by one, with the kernels of this device and with a GPU's, groups of several sizes, some with memory:
 * the same bits in fewer launches, self-tests among them. */
static void test_joint_is_the_same(void **state)
{
    (void)state;
    for (int gpu = 0; gpu < 2; gpu++) {
        clv_call call[CALLS];
        int together, apart;
        if (gpu) {
            be->head.info.kind = CLV_DEVICE_GPU;
            be->head.info.vector_width = 4;
            be->head.info.simd_width = 32;
            be->head.info.compute_units = 60;
            be->gemm = CLV_GEMM_OWN;
        }
        const size_t elements = independent_calls(call);
        be->selftest = true;
        float *a = run_calls(call, CALLS, elements, 0, &together),
              *b = run_calls(call, CALLS, elements, CLV_FUSE_LAUNCHES, &apart);
        be->selftest = false;
        assert_true(together < apart);
        assert_memory_equal(a, b, elements * sizeof *a);
        free(a);
        free(b);
    }
}

/* Image by image or launch by launch: the same bits, self-tests among them. */
static void test_chain_is_the_same(void **state)
{
    (void)state;
    clv_call call[LINKS];
    int together, apart;
    const size_t elements = linked_calls(call);
    be->selftest = true;
    float *a = run_calls(call, LINKS, elements, 0, &together),
          *b = run_calls(call, LINKS, elements, CLV_FUSE_CHAINS, &apart);
    be->selftest = false;
    assert_true(together <= apart);
    if (clv_chain_lanes(&be->head.info, 64) > 0) assert_true(together < apart);
    assert_memory_equal(a, b, elements * sizeof *a);
    free(a);
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kernel_is_a_part),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_scratch),
        cmocka_unit_test(test_chains),
        cmocka_unit_test(test_block_lanes),
        cmocka_unit_test(test_chain_is_the_same),
        cmocka_unit_test(test_joint_is_the_same),
    };
    take_filter();
    if (!have_opencl()) return 77;
    be = open_device();
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    clv_backend_destroy(&be->head);
    return failed;
}
