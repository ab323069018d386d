/* The processes that build kernels beside a cold start: what they are given, that they take it, and that nothing
 * depends on them. */
#define _DEFAULT_SOURCE
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/opencl/opencl.h"
#include "base/file.h"
#include "clave/experiment.h"
#include "experiment/paper.h"
#include "experiment/session.h"
#include "support.h"

enum { CALLS = 4 /* so few that one process is started */, WANTED = 1 };

typedef struct start {
    clv_config *config;
    clv_paper paper;
    clv_opencl *be;
    clv_jobs jobs, shared;
} start;

static clv_job_need need_of(unsigned name, size_t length) { return (clv_job_need){{{name, 1}}, length}; }

static uint32_t state_of(const clv_jobs *jobs, int program) { return atomic_load(&jobs->program[program].state); }

/* A backend of its own, and some calls of a training step, each with a program of its own and one that all share. */
static void open_start(start *s)
{
    const clv_device_options options = {.select = test_device()};
    clv_backend *be;
    *s = (start){0};
    assert_ok(clv_config_load("ini/smoke.ini", NULL, 0, &s->config, NULL, err));
    assert_ok(clv_backend_create(&options, &be, err));
    assert_ok(clv_paper_make(s->config, &be->info, &s->paper, err));
    s->be = (clv_opencl *)be;
    assert_ok(clv_jobs_create(CALLS + 1, 0, &s->jobs, err));
    for (int i = 0; i < s->paper.plan->calls && s->jobs.jobs < CALLS; i++) {
        const clv_job_need need[] = {need_of((unsigned)s->jobs.jobs, 10), need_of(CALLS, 1)};
        if (clv_op_table[s->paper.plan->call[i].op].family == CLV_FAMILY_PRODUCT) clv_jobs_add(&s->jobs, i, need, 2);
    }
    assert_int_equal(s->jobs.jobs, CALLS);
    assert_int_equal(s->jobs.programs, CALLS + 1);
}

static void close_start(start *s)
{
    clv_builders_use(NULL);
    clv_backend_destroy(&s->be->head);
    clv_jobs_free(&s->jobs);
    clv_paper_free(&s->paper);
    clv_config_destroy(s->config);
}

static bool begin(start *s, const char *program)
{
    clv_builders_use(program);
    assert_in_range(clv_cl_builders_number(s->be, 1000), 1, CLV_CL_BUILDERS);
    assert_int_equal(clv_cl_builders_number(s->be, s->jobs.programs), WANTED);
    return clv_cl_builders_start(s->be, s->paper.plan, &s->jobs, WANTED, &s->shared);
}

static int queue_of(const start *s) { return fileno(s->be->builders.queue); }

static void test_none_without_a_program(void **state)
{
    (void)state;
    start s;
    open_start(&s);
    assert_int_equal(clv_cl_builders_number(s.be, 1000), 0);
    assert_true(begin(&s, "/bin/true"));
    assert_int_equal(s.be->builders.processes, WANTED);
    assert_int_equal(clv_cl_builders_number(s.be, 1000), 0); /* once for a backend */
    close_start(&s);
}

static void test_program_that_is_none(void **state)
{
    (void)state;
    start s;
    open_start(&s);
    assert_true(begin(&s, "/nonexistent/clave"));
    assert_int_equal(s.be->builders.processes, 0);
    assert_false(clv_cl_builders_work(s.be));
    close_start(&s);
}

/* A script that is told what it is to do and given what the builders read. */
static void test_builder_is_given_the_queue(void **state)
{
    (void)state;
    start s;
    struct stat given;
    char text[1024];
    const char *path = test_path("copy.sh"), *into = test_path("queue");
    const int length =
        snprintf(text, sizeof text, "#!/bin/sh\n[ \"$*\" = %s ] && exec cat >%s\n", CLV_BUILDER_ARGUMENT, into);
    assert_ok(clv_file_write(path, text, (size_t)length, err));
    assert_int_equal(chmod(path, 0700), 0);
    open_start(&s);
    assert_true(begin(&s, path));
    assert_int_equal(s.be->builders.processes, WANTED);
    int result;
    assert_int_equal(waitpid(s.be->builders.process[0], &result, 0), s.be->builders.process[0]);
    assert_int_equal(result, 0);
    assert_int_equal(stat(into, &given), 0);
    close_start(&s);
}

/* A builder takes what is neither taken nor built, and goes when others have the rest and will not need it. */
static void test_builder_takes_what_is_free(void **state)
{
    (void)state;
    for (int reached = 0; reached <= CALLS; reached += 2) {
        start s;
        bool later;
        open_start(&s);
        assert_true(begin(&s, "/bin/true"));
        for (int i = 0; i < reached; i++) {
            const int job = clv_jobs_take(&s.shared, &later);
            assert_in_range(job, 0, CALLS - 1);
            clv_jobs_built(&s.shared, job, false);
        }
        assert_ok(clv_builder_run(queue_of(&s), err));
        for (int i = 0; i < s.shared.programs; i++) assert_int_equal(state_of(&s.shared, i), CLV_JOB_BUILT);
        assert_int_equal(clv_jobs_take(&s.shared, &later), -1);
        assert_false(later);
        close_start(&s);
    }
}

static void test_builder_leaves_what_is_taken(void **state)
{
    (void)state;
    start s;
    open_start(&s);
    assert_true(begin(&s, "/bin/true"));
    for (int i = 0; i < s.shared.programs; i++) atomic_store(&s.shared.program[i].state, CLV_JOB_TAKEN);
    assert_ok(clv_builder_run(queue_of(&s), err));
    for (int i = 0; i < s.shared.programs; i++) assert_int_equal(state_of(&s.shared, i), CLV_JOB_TAKEN);
    close_start(&s);
}

static void test_builder_ends_when_the_table_is_closed(void **state)
{
    (void)state;
    start s;
    open_start(&s);
    assert_true(begin(&s, "/bin/true"));
    clv_cl_builders_close(s.be);
    assert_ok(clv_builder_run(queue_of(&s), err));
    for (int i = 0; i < s.shared.programs; i++) assert_int_equal(state_of(&s.shared, i), CLV_JOB_FREE);
    close_start(&s);
}

/* What a builder took and did not build when it was killed is built by the self-test. */
static void test_killed_builder(void **state)
{
    (void)state;
    clv_config *config = NULL;
    clv_session *s = NULL;
    clv_phase_request request = {CLV_MODE_TRAIN, CLV_DATASET_TRAIN};
    char select[160];
    snprintf(select, sizeof select, "device.select=%s", test_device());
    assert_int_equal(
        setenv("XDG_CACHE_HOME", test_path("killed"), 1) | setenv("POCL_CACHE_DIR", test_path("killed"), 1), 0);
    assert_ok(clv_config_load("ini/smoke.ini", (const char *const[]){select}, 1, &config, NULL, err));
    clv_builders_use("/proc/self/exe"); /* see main */
    assert_ok(clv_session_open(config, NULL, &request, 1, &s, err));
    assert_non_null(((clv_opencl *)s->be)->builders.queue);
    clv_builders_use(NULL);
    clv_session_close(s);
    clv_config_destroy(config);
}

static void test_foreign_queues(void **state)
{
    (void)state;
    start s;
    char byte;
    open_start(&s);
    assert_true(begin(&s, "/bin/true"));
    const int queue = queue_of(&s);
    s.shared.job[0].program[0] = s.shared.programs;
    assert_refused(clv_builder_run(queue, err), CLV_ERR_CONFIG, CLV_BUILDER_ARGUMENT);
    assert_int_equal(pread(queue, &byte, 1, 0), 1);
    byte ^= 1; /* another version */
    assert_int_equal(pwrite(queue, &byte, 1, 0), 1);
    assert_refused(clv_builder_run(queue, err), CLV_ERR_CONFIG, CLV_BUILDER_ARGUMENT);
    byte ^= 1;
    assert_int_equal(pwrite(queue, &byte, 1, 0), 1);
    assert_int_equal(ftruncate(queue, (off_t)s.be->builders.bytes - 1), 0);
    assert_refused(clv_builder_run(queue, err), CLV_ERR_CONFIG, CLV_BUILDER_ARGUMENT);
    assert_int_equal(ftruncate(queue, 7), 0);
    assert_refused(clv_builder_run(queue, err), CLV_ERR_CONFIG, CLV_BUILDER_ARGUMENT);
    assert_refused(clv_builder_run(-1, err), CLV_ERR_CONFIG, CLV_BUILDER_ARGUMENT);
    assert_int_equal(ftruncate(queue, (off_t)s.be->builders.bytes), 0); /* the table is still in use */
    close_start(&s);
}

/* ---- the table ---- */

static void test_longest_first_and_what_is_built(void **state)
{
    (void)state;
    clv_jobs jobs;
    bool later;
    const clv_job_need a = need_of(1, 10), b = need_of(2, 30), c = need_of(3, 5);
    const clv_job_need of[][2] = {{a, a}, {b, c}, {a, b}};
    assert_ok(clv_jobs_create(4, 0, &jobs, err));
    for (int i = 0; i < 3; i++) clv_jobs_add(&jobs, i, of[i], 2);
    clv_jobs_add(&jobs, 3, NULL, 0);
    assert_int_equal(jobs.programs, 3);
    assert_int_equal(jobs.job[0].programs, 1);
    assert_int_equal(clv_jobs_first_built(&jobs), 3); /* it needs none */
    jobs.job[3].tested = true;
    assert_int_equal(clv_jobs_first_built(&jobs), -1);
    assert_int_equal(clv_jobs_take(&jobs, &later), 2);
    assert_int_equal(state_of(&jobs, 2), CLV_JOB_FREE); /* c */
    assert_int_equal(clv_jobs_take(&jobs, &later), -1); /* a is taken, and b, which job 1 needs beside c */
    assert_true(later);
    clv_jobs_built(&jobs, 2, false);
    assert_int_equal(clv_jobs_first_built(&jobs), 0);
    assert_int_equal(clv_jobs_take(&jobs, &later), 1);
    assert_int_equal(state_of(&jobs, 1), CLV_JOB_BUILT);
    clv_jobs_built(&jobs, 1, false);
    assert_int_equal(clv_jobs_take(&jobs, &later), -1);
    assert_false(later);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(clv_jobs_first(&jobs), i);
        jobs.job[i].tested = true;
    }
    assert_int_equal(clv_jobs_first(&jobs), -1);
    clv_jobs_free(&jobs);
}

/* A bundle is built before any of its units, and by a GPU's driver with all of them. */
static void test_bundles_come_first(void **state)
{
    (void)state;
    const clv_job_need a = need_of(1, 10), b = need_of(2, 30), alone = need_of(3, 100), of[] = {a, b};
    for (int whole = 0; whole < 2; whole++) {
        clv_jobs jobs;
        bool later;
        assert_ok(clv_jobs_create(4, 1, &jobs, err));
        clv_jobs_add(&jobs, 7, &a, 1);
        clv_jobs_add(&jobs, 8, &b, 1);
        clv_jobs_add(&jobs, 9, &alone, 1);
        clv_jobs_add_bundle(&jobs, (clv_hash){{4, 1}}, of, 2);
        assert_int_equal(jobs.job[3].call, -1);
        assert_int_equal(clv_jobs_take(&jobs, &later), 2); /* 100 is longer than 10 + 30 */
        assert_int_equal(clv_jobs_take(&jobs, &later), 3);
        assert_int_equal(clv_jobs_take(&jobs, &later), -1);
        assert_true(later);
        clv_jobs_built(&jobs, 3, whole);
        assert_int_equal(clv_jobs_take(&jobs, &later), whole ? -1 : 1);
        assert_int_equal(clv_jobs_first_built(&jobs), whole ? 0 : 3);
        clv_jobs_free(&jobs);
    }
}

/* The builder has the bundles of the process that tests, and builds them. */
static void test_builder_builds_bundles(void **state)
{
    (void)state;
    start s;
    clv_cl_calls calls = {0};
    clv_cl_bundle *bundle;
    assert_int_equal(setenv("XDG_CACHE_HOME", test_path("cache"), 1) | setenv("CLAVE_BINARIES", "texts", 1), 0);
    open_start(&s);
    assert_ok(clv_cl_schedule_calls(s.be, s.paper.plan, &calls, err));
    const clv_cl_unit *unit[] = {&calls.unit[0], &calls.unit[1]};
    const clv_job_need need[] = {{unit[0]->key, unit[0]->length}, {unit[1]->key, unit[1]->length}};
    assert_ok(clv_cl_bundle_add(s.be, unit, 2, &bundle, err));
    clv_jobs_add_bundle(&s.jobs, bundle->key, need, 2);
    const int program = s.jobs.job[s.jobs.jobs - 1].program[0];
    assert_true(begin(&s, "/bin/true"));
    assert_ok(clv_builder_run(queue_of(&s), err));
    assert_int_equal(state_of(&s.shared, program), CLV_JOB_BUILT);
    assert_true(clv_cl_cache_has_text(s.be->cache, bundle->key)); /* the same text: the same key */
    clv_cl_calls_free(&calls);
    close_start(&s);
}

/* As a builder it is killed within its first program, which it has taken from the others. */
int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], CLV_BUILDER_ARGUMENT)) {
        const struct itimerval soon = {.it_value = {.tv_usec = 300000}};
        setitimer(ITIMER_REAL, &soon, NULL);
        return clv_builder_run(STDIN_FILENO, NULL) == CLV_OK ? 0 : 1;
    }
    take_filter();
    if (!have_opencl() || sysconf(_SC_NPROCESSORS_ONLN) < 2) return 77;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none_without_a_program),
        cmocka_unit_test(test_program_that_is_none),
        cmocka_unit_test(test_builder_is_given_the_queue),
        cmocka_unit_test(test_builder_takes_what_is_free),
        cmocka_unit_test(test_builder_leaves_what_is_taken),
        cmocka_unit_test(test_builder_ends_when_the_table_is_closed),
        cmocka_unit_test(test_killed_builder),
        cmocka_unit_test(test_foreign_queues),
        cmocka_unit_test(test_longest_first_and_what_is_built),
        cmocka_unit_test(test_bundles_come_first),
        cmocka_unit_test(test_builder_builds_bundles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
