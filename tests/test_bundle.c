/* Bundles: any kernels of cl/ are one program and compute what they compute alone; later processes find them again, and
 * where one cannot be built its units are, alone. */
#define _DEFAULT_SOURCE /* setenv */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/opencl/opencl.h"
#include "backend/trial.h"
#include "base/file.h"
#include "op_cases.h"
#include "support.h"

enum { MOST = 64, LANES = 32, FEATURES = 8, CALLS = 3 };

static clv_opencl *open_device(void) { return (clv_opencl *)open_opencl(CLV_GEMM_OWN, false); }

/* A cache of the test's own. */
static void use_cache(const char *name, const char *binaries)
{
    assert_int_equal(setenv("XDG_CACHE_HOME", test_path(name), 1), 0);
    assert_int_equal(setenv("CLAVE_BINARIES", binaries, 1), 0);
}

/* ---- every kernel ---- */

static bool is_new(const clv_launch *launch, const clv_launch *of, int count)
{
    for (int i = 0; i < count; i++)
        if (!strcmp(launch[i].file, of->file) && !strcmp(launch[i].kernel, of->kernel)) return false;
    return true;
}

/* One launch of each kernel that an operation has. */
static int a_launch_of_each(clv_opencl *be, clv_launch *launch)
{
    int launches = 0;
    for (int i = 0; i < op_case_count; i++) {
        clv_plan *plan = NULL;
        clv_launch_list list;
        assert_ok(op_case_plan(&op_cases[i], &be->head, &plan, err));
        const clv_call *of = op_case_call(&op_cases[i], plan);
        if (of && clv_trial_applies(of->op)) {
            assert_ok(clv_cl_launches_of(be, of, &list, err));
            for (int k = 0; k < list.launches && launches < MOST; k++)
                if (is_new(launch, &list.launch[k], launches)) launch[launches++] = list.launch[k];
        }
        clv_plan_destroy(plan);
    }
    return launches;
}

/* Each beside others of other files, and beside a joint one of the same kernels. */
static void test_every_kernel_is_a_member(void **state)
{
    (void)state;
    use_cache("every", "off");
    clv_opencl *be = open_device();
    clv_launch *launch = calloc(MOST, sizeof *launch);
    clv_cl_unit *unit = calloc(MOST + 1, sizeof *unit);
    const clv_cl_unit *of[MOST + 1];
    clv_cl_bundle *bundle;
    assert_true(launch && unit);
    const int launches = a_launch_of_each(be, launch);
    assert_in_range(launches, 20, MOST - 1);
    clv_launch_unit pair = {.launches = 0};
    for (int i = 0; i < launches; i++) {
        const clv_launch_unit alone = clv_unit_of_one(&launch[i]);
        const bool tsne = !strcmp(launch[i].file, "pairs.cl") || !strcmp(launch[i].file, "tsne.cl");
        assert_ok(clv_cl_unit_of(be, &alone, &unit[i], err));
        if (pair.launches < 2 && !tsne) pair.launch[pair.launches++] = &launch[i];
    }
    assert_ok(clv_cl_unit_of(be, &pair, &unit[launches], err));
    for (int i = 0; i <= launches; i++) of[i] = &unit[i];
    assert_ok(clv_cl_bundle_add(be, of, launches + 1, &bundle, err));
    for (int i = 0; i <= launches; i++) {
        clv_cl_program *program = NULL;
        cl_int code;
        assert_ok(clv_cl_program_get(be, &unit[i], &program, err));
        assert_false(bundle->failed);
        assert_ptr_equal(program->bundle, bundle);
        cl_kernel kernel = clCreateKernel(program->program, program->kernel, &code);
        assert_int_equal(code, CL_SUCCESS);
        clReleaseKernel(kernel);
        clv_cl_program_release(be, program);
    }
    clv_backend_destroy(&be->head);
    free(launch);
    free(unit);
}

/* ---- a plan ---- */

static clv_operand at(int place)
{
    const clv_shape shape = {.rank = 4, .dim = {FEATURES, 1, 1, 1}, .batched = true};
    return (clv_operand){CLV_SPACE_ARENA, (size_t)place * FEATURES * LANES, shape};
}

static clv_call call_of(clv_op op, int a, int b, int out, const char *name)
{
    clv_call call = {.op = op, .inputs = 2, .in = {at(a), at(b)}, .out = at(out), .lanes = LANES};
    snprintf(call.name, sizeof call.name, "%s", name);
    return call;
}

/* ((x + y) * x) + y: what three launches, one by one, make of a tensor of numbers; the file they are of. */
static clv_status run_plan(clv_opencl *be, float *result, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_call call[CALLS] = {call_of(CLV_OP_ADD, 0, 1, 2, "add"), call_of(CLV_OP_MUL, 2, 0, 3, "mul"),
                            call_of(CLV_OP_ADD, 3, 1, 4, "again")};
    float arena[5 * FEATURES * LANES];
    clv_plan plan = {.batch = LANES, .lanes = LANES, .calls = CALLS, .call = call, .apart = CLV_FUSE_LAUNCHES};
    clv_bindings bindings = {0};
    clv_program *program = NULL;
    const clv_step step = {.count = LANES, .step = 1};
    clv_buffer **buffer = &bindings.space[CLV_SPACE_ARENA];
    plan.elements[CLV_SPACE_ARENA] = sizeof arena / sizeof *arena;
    for (size_t i = 0; i < sizeof arena / sizeof *arena; i++) arena[i] = (float)(i % 100) * 0.01f;
    CLV_TRY(clv_buffer_create(&be->head, sizeof arena, buffer, err));
    CLV_TRY(clv_buffer_write(&be->head, *buffer, 0, arena, sizeof arena, err));
    CLV_TRY(clv_program_create(&be->head, &plan, &bindings, &program, err));
    CLV_TRY(clv_program_run(&be->head, program, &step, err));
    CLV_TRY(clv_buffer_read(&be->head, *buffer, call[2].out.offset * sizeof *arena, result,
                            FEATURES * LANES * sizeof *result, err));
done:
    clv_program_destroy(&be->head, program);
    clv_buffer_destroy(&be->head, *buffer);
    return status;
}

/* The result, and whether the plan's programs were a bundle's. */
static bool run_in(clv_opencl *be, float *result)
{
    assert_ok(run_plan(be, result, err));
    bool used = false;
    for (const clv_cl_bundle *b = be->bundles.list; b; b = b->next) used |= b->program != NULL;
    return used;
}

static void test_a_plan_computes_the_same(void **state)
{
    (void)state;
    float in_bundle[FEATURES * LANES], alone[FEATURES * LANES];
    use_cache("bundled", "off");
    clv_opencl *be = open_device();
    assert_true(run_in(be, in_bundle));
    assert_true(be->bundles.members >= 2);
    clv_backend_destroy(&be->head);
    use_cache("alone", "off");
    be = open_device();
    assert_true(run_in(be, alone));
    for (clv_cl_bundle *b = be->bundles.list; b; b = b->next) {
        clReleaseProgram(b->program);
        b->program = NULL;
        b->failed = true;
    }
    memset(alone, 0, sizeof alone);
    assert_false(run_in(be, alone));
    assert_memory_equal(in_bundle, alone, sizeof alone);
    clv_backend_destroy(&be->head);
}

/* ---- later processes ---- */

/* Whether another process would find what one has left, by text or by binary. */
static void found_again(const char *name, const char *binaries, bool by_binary)
{
    float first[FEATURES * LANES], second[FEATURES * LANES];
    use_cache(name, binaries);
    clv_opencl *be = open_device();
    assert_true(run_in(be, first));
    const clv_hash key = be->bundles.list->key;
    const size_t members = be->bundles.members;
    clv_backend_destroy(&be->head);
    be = open_device();
    assert_int_equal(clv_cl_cache_has_text(be->cache, key), !by_binary);
    assert_int_equal(clv_cl_cache_has(be->cache, key), by_binary);
    assert_true(run_in(be, second));
    assert_memory_equal(first, second, sizeof first);
    assert_int_equal(be->bundles.members, members); /* none was added */
    assert_memory_equal(&be->bundles.list->key, &key, sizeof key);
    assert_null(be->bundles.list->next);
    assert_int_equal(be->bundles.list->unsaved, !by_binary);
    clv_backend_destroy(&be->head);
}

static void test_found_again_by_text(void **state)
{
    (void)state;
    found_again("text", "texts", false);
}

static void test_found_again_by_binary(void **state)
{
    (void)state;
    found_again("binary", "on", true);
}

/* Nothing is kept where that is asked for. */
static void test_nothing_kept(void **state)
{
    (void)state;
    float result[FEATURES * LANES];
    use_cache("nothing", "off");
    clv_opencl *be = open_device();
    assert_true(run_in(be, result));
    const clv_hash key = be->bundles.list->key;
    char folder[sizeof be->cache];
    snprintf(folder, sizeof folder, "%s", be->cache);
    clv_backend_destroy(&be->head);
    assert_false(clv_cl_cache_has_text(folder, key) || clv_cl_cache_has(folder, key));
    assert_null(clv_cl_cache_index(folder));
}

/* A text that was changed, and lines that are none: the units are built alone. */
static void test_damaged_cache(void **state)
{
    (void)state;
    float first[FEATURES * LANES], second[FEATURES * LANES];
    char path[1024], name[40], print[33];
    static const char lines[] = "no hash, but as long as a line with two of them would have to be, and a name\n";
    use_cache("damaged", "texts");
    clv_opencl *be = open_device();
    assert_true(run_in(be, first));
    clv_hash_print(be->bundles.list->key, print);
    snprintf(name, sizeof name, "%s.cl", print);
    assert_ok(clv_path_join(path, sizeof path, be->cache, name, err));
    assert_ok(clv_file_write(path, "kernel void x() {}", 18, err));
    assert_ok(clv_path_join(path, sizeof path, be->cache, "bundles", err));
    FILE *index = fopen(path, "a");
    assert_non_null(index);
    assert_true(fputs(lines, index) >= 0);
    assert_int_equal(fclose(index), 0);
    clv_backend_destroy(&be->head);
    be = open_device();
    assert_false(run_in(be, second));
    assert_true(be->bundles.list->failed);
    assert_memory_equal(first, second, sizeof first);
    clv_backend_destroy(&be->head);
}

/* A binary that is empty or cut short, and a line whose kernel became another's: as good as none. */
static void test_damaged_binary_and_index(void **state)
{
    (void)state;
    float first[FEATURES * LANES], second[FEATURES * LANES];
    char path[1024], name[40], print[33];
    use_cache("rotten", "on");
    clv_opencl *be = open_device();
    assert_true(run_in(be, first));
    clv_hash_print(be->bundles.list->key, print);
    clv_backend_destroy(&be->head);
    for (off_t length = 100; length >= 0; length -= 100) {
        be = open_device();
        snprintf(name, sizeof name, "%s.bin", print);
        assert_ok(clv_path_join(path, sizeof path, be->cache, name, err));
        assert_int_equal(truncate(path, length), 0);
        assert_false(run_in(be, second));
        assert_memory_equal(first, second, sizeof first);
        clv_backend_destroy(&be->head);
    }
    be = open_device();
    char *lines = clv_cl_cache_index(be->cache);
    assert_non_null(lines);
    for (char *line = lines; *line; line = strchr(line, '\n') + 1) strchr(line, '\n')[-1] ^= 1; /* pointwise_0: _1 */
    assert_ok(clv_path_join(path, sizeof path, be->cache, "bundles", err));
    assert_ok(clv_file_write(path, lines, strlen(lines), err));
    free(lines);
    assert_false(run_in(be, second)); /* each was built alone when the binary was none */
    assert_int_equal(be->bundles.members, 0);
    assert_memory_equal(first, second, sizeof first);
    clv_backend_destroy(&be->head);
}

/* The message is of the unit that cannot be built, not of all that were to be built with it. */
static void test_build_error_names_the_kernel(void **state)
{
    (void)state;
    use_cache("error", "off");
    use_wrong_kernels(test_path("kernels"), "pointwise.cl", "const int first", "const int this is no C; first");
    clv_opencl *be = open_device();
    float result[FEATURES * LANES];
    clv_error error = {0};
    assert_int_equal(run_plan(be, result, &error), CLV_ERR_DEVICE);
    assert_non_null(strstr(error.message, "kernel pointwise of pointwise.cl"));
    assert_non_null(strstr(error.message, "'add' (add)"));
    assert_null(strstr(error.message, "bundle"));
    clv_backend_destroy(&be->head);
    unsetenv("CLAVE_KERNELS");
}

int main(void)
{
    take_filter();
    if (!have_opencl()) return 77;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kernel_is_a_member),
        cmocka_unit_test(test_a_plan_computes_the_same),
        cmocka_unit_test(test_found_again_by_text),
        cmocka_unit_test(test_found_again_by_binary),
        cmocka_unit_test(test_damaged_binary_and_index),
        cmocka_unit_test(test_nothing_kept),
        cmocka_unit_test(test_damaged_cache),
        cmocka_unit_test(test_build_error_names_the_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
