/* The processes that build kernels beside a cold start: what they are given, that they take it, and that nothing
 * depends on them. */
#define _DEFAULT_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/opencl/opencl.h"
#include "base/file.h"
#include "experiment/paper.h"
#include "support.h"

enum { CALLS = 4 /* so few that one process is started */ };

typedef struct start {
    clv_config *config;
    clv_paper paper;
    clv_opencl *be;
    int32_t call[CALLS];
} start;

/* A backend of its own, and some calls of a training step. */
static void open_start(start *s)
{
    const clv_device_options options = {.select = test_device()};
    clv_backend *be;
    *s = (start){0};
    assert_ok(clv_config_load("ini/smoke.ini", NULL, 0, &s->config, NULL, err));
    assert_ok(clv_backend_create(&options, &be, err));
    assert_ok(clv_paper_make(s->config, &be->info, &s->paper, err));
    s->be = (clv_opencl *)be;
    int found = 0;
    for (int i = 0; i < s->paper.plan->calls && found < CALLS; i++)
        if (clv_op_table[s->paper.plan->call[i].op].family == CLV_FAMILY_PRODUCT) s->call[found++] = i;
    assert_int_equal(found, CALLS);
}

static void close_start(start *s)
{
    clv_builders_use(NULL);
    clv_backend_destroy(&s->be->head);
    clv_paper_free(&s->paper);
    clv_config_destroy(s->config);
}

static void begin(start *s, const char *program)
{
    clv_builders_use(program);
    assert_true(clv_cl_builders_wanted(s->be));
    clv_cl_builders_start(s->be, s->paper.plan, s->call, CALLS);
}

/* A script that writes what it was given into the file `into`. */
static const char *copying_program(const char *into)
{
    char text[1024];
    const char *path = test_path("copy.sh");
    const int length =
        snprintf(text, sizeof text, "#!/bin/sh\n[ \"$*\" = %s ] && exec cat >%s\n", CLV_BUILDER_ARGUMENT, into);
    assert_ok(clv_file_write(path, text, (size_t)length, err));
    assert_int_equal(chmod(path, 0700), 0);
    return path;
}

static void test_none_without_a_program(void **state)
{
    (void)state;
    start s;
    open_start(&s);
    assert_false(clv_cl_builders_wanted(s.be));
    begin(&s, "/bin/true");
    assert_false(clv_cl_builders_wanted(s.be)); /* once for a backend */
    close_start(&s);
}

static void test_program_that_is_none(void **state)
{
    (void)state;
    start s;
    open_start(&s);
    begin(&s, "/nonexistent/clave");
    assert_int_equal(s.be->builders.processes, 0);
    close_start(&s);
}

static void test_queue(void **state)
{
    (void)state;
    start s;
    uint8_t *bytes = NULL;
    size_t size;
    const char *into = test_path("queue");
    open_start(&s);
    begin(&s, copying_program(into));
    assert_int_equal(s.be->builders.processes, 1);
    int result;
    assert_int_equal(waitpid(s.be->builders.process[0], &result, 0), s.be->builders.process[0]);
    assert_int_equal(result, 0);
    assert_ok(clv_file_read(into, 1 << 20, CLV_ERR_INTERNAL, &bytes, &size, err));
    assert_int_equal(size, CALLS * sizeof(int32_t));
    for (int i = 0; i < CALLS; i++) /* the last first */
        assert_memory_equal(bytes + (size_t)i * sizeof(int32_t), &s.call[CALLS - 1 - i], sizeof(int32_t));
    free(bytes);
    close_start(&s);
}

/* What the self-test has reached is no longer taken. */
static void test_builder_takes_what_is_left(void **state)
{
    (void)state;
    for (int reached = 0; reached <= CALLS; reached += 2) {
        start s;
        open_start(&s);
        begin(&s, "/bin/true");
        const int queue = fileno(s.be->builders.queue);
        const off_t head = lseek(queue, 0, SEEK_CUR);
        for (int i = 0; i < reached; i++) clv_cl_builders_skip(s.be);
        assert_ok(clv_builder_run(queue, err));
        assert_int_equal(lseek(queue, 0, SEEK_CUR), head + (CALLS - reached) * (off_t)sizeof(int32_t));
        clv_cl_builders_skip(s.be); /* beyond the last is nothing */
        close_start(&s);
    }
}

static void test_foreign_queues(void **state)
{
    (void)state;
    start s;
    char byte;
    open_start(&s);
    begin(&s, "/bin/true");
    const int queue = fileno(s.be->builders.queue);
    assert_int_equal(pread(queue, &byte, 1, 0), 1);
    byte ^= 1; /* another version */
    assert_int_equal(pwrite(queue, &byte, 1, 0), 1);
    assert_refused(clv_builder_run(queue, err), CLV_ERR_CONFIG, CLV_BUILDER_ARGUMENT);
    assert_int_equal(ftruncate(queue, 7), 0);
    assert_refused(clv_builder_run(queue, err), CLV_ERR_CONFIG, CLV_BUILDER_ARGUMENT);
    assert_refused(clv_builder_run(-1, err), CLV_ERR_CONFIG, CLV_BUILDER_ARGUMENT);
    close_start(&s);
}

int main(void)
{
    take_filter();
    if (!have_opencl() || sysconf(_SC_NPROCESSORS_ONLN) < 2) return 77;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none_without_a_program),
        cmocka_unit_test(test_program_that_is_none),
        cmocka_unit_test(test_queue),
        cmocka_unit_test(test_builder_takes_what_is_left),
        cmocka_unit_test(test_foreign_queues),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
