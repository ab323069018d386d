/* Builders: processes that help a cold start. Drivers build one program at a time in a process (PoCL holds one lock for
 * all of them), so the calls that are not verified yet are also run, once and on values of no interest, by a few
 * processes of the same program. What they leave is the driver's own cache, or clave's where a driver has none, full:
 * the self-test still does all its work in its own order, and finds most of it compiled. Nothing is awaited or read
 * from them, so a builder that fails, is killed or does not start costs time alone.
 *
 * The queue is a file without a name, the last call first, that all builders have as standard input: reading takes a
 * call away from the others. The self-test goes from the other end and cuts off what it has reached. */
#define _GNU_SOURCE /* environ */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/opencl/opencl.h"
#include "backend/selftest.h"
#include "base/memory.h"

enum { CALLS_EACH = 4 /* fewer are built before a process has started */, BUILDER_SEED = 1 };

typedef struct queue_head {
    char version[32];
    uint32_t head_bytes, entry_bytes; /* of a program that was built otherwise they differ, or the version */
    int32_t platform, device, gemm, tune, batch, lanes, blocks, calls;
    uint32_t apart;
} queue_head; /* behind it the plan's calls, then the numbers of those to run, int32_t each, the last first */

static const char *program_of_builders;

void clv_builders_use(const char *program) { program_of_builders = program; }

/* ---- the side of the self-test ---- */

static off_t numbers_of(int32_t calls) { return (off_t)(sizeof(queue_head) + (size_t)calls * sizeof(clv_call)); }

static bool write_queue(const clv_opencl *be, const clv_plan *plan, const int32_t *call, int calls, FILE *file)
{
    const clv_device_info *info = &be->head.info;
    queue_head head = {.version = CLAVE_VERSION,
                       .head_bytes = sizeof head,
                       .entry_bytes = sizeof *plan->call,
                       .platform = info->platform_index,
                       .device = info->device_index,
                       .gemm = be->gemm,
                       .tune = be->tuned ? CLV_TUNE_AUTO : CLV_TUNE_OFF,
                       .batch = plan->batch < plan->lanes ? plan->batch : plan->lanes,
                       .blocks = plan->blocks,
                       .lanes = plan->lanes,
                       .calls = plan->calls,
                       .apart = plan->apart};
    const size_t all = (size_t)plan->calls;
    bool written = fwrite(&head, sizeof head, 1, file) == 1 && fwrite(plan->call, sizeof *plan->call, all, file) == all;
    for (int i = calls - 1; i >= 0 && written; i--) written = fwrite(&call[i], sizeof *call, 1, file) == 1;
    const off_t first = numbers_of(plan->calls);
    return written && fflush(file) == 0 && lseek(fileno(file), first, SEEK_SET) == first;
}

static void start_one(clv_cl_builders *b)
{
    char *const arguments[] = {(char *)program_of_builders, CLV_BUILDER_ARGUMENT, NULL};
    posix_spawn_file_actions_t files;
    if (posix_spawn_file_actions_init(&files) != 0) return;
    if (posix_spawn_file_actions_adddup2(&files, fileno(b->queue), STDIN_FILENO) == 0 &&
        posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0) == 0 &&
        posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0) == 0 &&
        posix_spawnp(&b->process[b->processes], program_of_builders, &files, NULL, arguments, environ) == 0)
        b->processes++;
    posix_spawn_file_actions_destroy(&files);
}

bool clv_cl_builders_wanted(const clv_opencl *be) { return program_of_builders && !be->record && !be->builders.queue; }

void clv_cl_builders_start(clv_opencl *be, const clv_plan *plan, const int32_t *call, int calls)
{
    clv_cl_builders *b = &be->builders;
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int wanted = calls / CALLS_EACH;
    if (wanted > cores - 1) wanted = (int)cores - 1;
    if (wanted > CLV_CL_BUILDERS) wanted = CLV_CL_BUILDERS;
    if (wanted < 1 || !(b->queue = tmpfile())) return;
    b->left = calls;
    b->first = (size_t)numbers_of(plan->calls);
    if (write_queue(be, plan, call, calls, b->queue))
        for (int i = 0; i < wanted; i++) start_one(b);
}

void clv_cl_builders_skip(clv_opencl *be)
{
    clv_cl_builders *b = &be->builders;
    if (!b->queue || b->left == 0) return;
    const size_t bytes = b->first + (size_t)--b->left * sizeof(int32_t);
    if (ftruncate(fileno(b->queue), (off_t)bytes) != 0) b->left = 0; /* they will do more than is of use */
}

void clv_cl_builders_end(clv_opencl *be)
{
    clv_cl_builders *b = &be->builders;
    while (b->left > 0) clv_cl_builders_skip(be);
    for (int i = 0; i < b->processes; i++)
        while (waitpid(b->process[i], NULL, 0) < 0 && errno == EINTR) continue;
    if (b->queue) fclose(b->queue);
    *b = (clv_cl_builders){0};
}

/* ---- the side of a builder ---- */

static clv_status open_backend(const queue_head *head, clv_backend **be, clv_error *err)
{
    char select[32];
    snprintf(select, sizeof select, "%d:%d", (int)head->platform, (int)head->device);
    const clv_device_options options = {
        .select = select, .gemm = (clv_gemm_choice)head->gemm, .tune = (clv_tune_choice)head->tune};
    clv_status status = clv_opencl_backend_create(&options, be, err);
    /* A CPU's driver compiles for a group's size at the launch, keeps that itself, and compiles once more for whoever
     * asks for the binary. */
    if (status == CLV_OK) ((clv_opencl *)*be)->discard = (*be)->info.kind == CLV_DEVICE_CPU;
    return status;
}

static clv_status run_once(clv_backend *be, const clv_call *call, int batch, clv_error *err)
{
    clv_trial trial = {0};
    float *results = NULL;
    clv_status status = CLV_OK;
    CLV_TRY(clv_trial_create(call, batch, CLV_TRIAL_EXACT, BUILDER_SEED, &trial, err));
    if (!(results = clv_alloc(trial.results, sizeof *results, err))) status = CLV_ERR_INTERNAL;
    if (status == CLV_OK) status = clv_trial_run(be, &trial, results, err);
done:
    free(results);
    clv_trial_destroy(&trial);
    return status;
}

static clv_status read_plan(int queue, const queue_head *head, clv_plan *plan, clv_error *err)
{
    const size_t bytes = (size_t)head->calls * sizeof *plan->call;
    *plan = (clv_plan){
        .batch = head->batch, .lanes = head->lanes, .blocks = head->blocks, .calls = head->calls, .apart = head->apart};
    if (!(plan->call = clv_alloc((size_t)head->calls, sizeof *plan->call, err))) return CLV_ERR_INTERNAL;
    if (pread(queue, plan->call, bytes, (off_t)sizeof *head) == (ssize_t)bytes) return CLV_OK;
    return clv_fail(err, CLV_ERR_CONFIG, "%s: the plan is cut short", CLV_BUILDER_ARGUMENT);
}

clv_status clv_builder_run(int queue, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_backend *be = NULL;
    queue_head head = {0};
    clv_plan plan = {0};
    clv_cl_calls scheduled = {0};
    int32_t i;
    CLV_REQUIRE(pread(queue, &head, sizeof head, 0) == (ssize_t)sizeof head && !strcmp(head.version, CLAVE_VERSION) &&
                    head.head_bytes == sizeof head && head.entry_bytes == sizeof *plan.call,
                CLV_ERR_CONFIG, "%s is for clave's own use: it reads calls from the program that started it",
                CLV_BUILDER_ARGUMENT);
    CLV_TRY(read_plan(queue, &head, &plan, err));
    CLV_TRY(open_backend(&head, &be, err));
    clv_opencl *opencl = (clv_opencl *)be;
    CLV_TRY(clv_cl_schedule_calls(opencl, &plan, &scheduled, err));
    opencl->schedule = &scheduled.schedule;
    while (read(queue, &i, sizeof i) == (ssize_t)sizeof i && i >= 0 && i < plan.calls) {
        opencl->tested = i;
        opencl->testing = scheduled.recipe[i].clblast ? 'b' : 'o';
        run_once(be, &plan.call[i], head.batch, NULL); /* what fails here fails where it is told, in the self-test */
        opencl->testing = 0;
    }
    opencl->schedule = NULL;
done:
    clv_cl_calls_free(&scheduled);
    free(plan.call);
    clv_backend_destroy(be);
    return status;
}
