/* Builders: processes that help a cold start. Drivers build one program at a time in a process (PoCL holds one lock for
 * all of them), so programs of the calls that are not verified yet are also built by a few processes of the same
 * program: they run a call of each once, on values of no interest. What they leave is the driver's own cache, or
 * clave's where a driver has none, full: the self-test still does all its work, and finds most of it compiled. Nothing
 * is read from them, so a builder that fails, is killed or does not start costs time alone.
 *
 * All builders have as standard input a file without a name, of which they and the self-test share the memory: a head,
 * the programs and jobs (jobs.h), the calls of the plan. */
#define _GNU_SOURCE /* environ */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "backend/opencl/opencl.h"
#include "backend/selftest.h"
#include "base/memory.h"

enum {
    PROGRAMS_EACH = 4, /* fewer are built before a process has started */
    NAP = 2000000,     /* nanoseconds between looks at what others do */
    BUILDER_SEED = 1
};

typedef struct queue_head {
    char version[32];
    uint32_t head_bytes, job_bytes, program_bytes, call_bytes; /* of a program that was built otherwise one differs */
    int32_t platform, device, gemm, tune, batch, lanes, blocks, jobs, programs, calls;
    uint32_t apart;
    int32_t parent;          /* the process that tests */
    _Atomic uint32_t closed; /* nothing is of use any more */
    uint32_t unused;         /* what follows is aligned as pointers are */
} queue_head;

static const char *program_of_builders;

void clv_builders_use(const char *program) { program_of_builders = program; }

static size_t bytes_of(const queue_head *head)
{
    return sizeof *head + (size_t)head->jobs * sizeof(clv_job) + (size_t)head->programs * sizeof(clv_job_program) +
           (size_t)head->calls * sizeof(clv_call);
}

/* The tables behind a head in memory, those of pointers' alignment first. */
static clv_jobs jobs_of(queue_head *head, clv_call **call)
{
    static_assert(sizeof *head % 8 == 0 && sizeof(clv_job_program) % 8 == 0 && sizeof **call % 8 == 0, "aligned");
    clv_jobs jobs = {.jobs = head->jobs, .programs = head->programs, .program = (clv_job_program *)(head + 1)};
    *call = (clv_call *)(jobs.program + jobs.programs);
    jobs.job = (clv_job *)(*call + head->calls);
    return jobs;
}

static void *share(int queue, size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, queue, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void clv_cl_builders_nap(void) { nanosleep(&(struct timespec){.tv_nsec = NAP}, NULL); }

/* ---- the side of the self-test ---- */

static queue_head head_of(const clv_opencl *be, const clv_plan *plan, const clv_jobs *jobs)
{
    const clv_device_info *info = &be->head.info;
    return (queue_head){.version = CLAVE_VERSION,
                        .head_bytes = sizeof(queue_head),
                        .job_bytes = sizeof(clv_job),
                        .program_bytes = sizeof(clv_job_program),
                        .call_bytes = sizeof(clv_call),
                        .platform = info->platform_index,
                        .device = info->device_index,
                        .gemm = be->gemm,
                        .tune = be->tuned ? CLV_TUNE_AUTO : CLV_TUNE_OFF,
                        .batch = plan->batch < plan->lanes ? plan->batch : plan->lanes,
                        .blocks = plan->blocks,
                        .lanes = plan->lanes,
                        .jobs = jobs->jobs,
                        .programs = jobs->programs,
                        .calls = plan->calls,
                        .apart = plan->apart,
                        .parent = getpid()};
}

static bool write_queue(const clv_opencl *be, const clv_plan *plan, const clv_jobs *jobs, clv_cl_builders *b)
{
    const queue_head head = head_of(be, plan, jobs);
    const size_t count[] = {1, (size_t)jobs->programs, (size_t)plan->calls, (size_t)jobs->jobs},
                 size[] = {sizeof head, sizeof *jobs->program, sizeof *plan->call, sizeof *jobs->job};
    const void *const from[] = {&head, jobs->program, plan->call, jobs->job};
    bool written = true;
    for (int i = 0; i < 4 && written; i++) written = fwrite(from[i], size[i], count[i], b->queue) == count[i];
    if (!written || fflush(b->queue) != 0) return false;
    b->bytes = bytes_of(&head);
    return (b->shared = share(fileno(b->queue), b->bytes)) != NULL;
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

int clv_cl_builders_useful(int programs)
{
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    long wanted = programs / PROGRAMS_EACH;
    if (wanted > cores - 1) wanted = cores - 1;
    return wanted > CLV_CL_BUILDERS ? CLV_CL_BUILDERS : (int)wanted;
}

/* Once for a backend, and if clv_builders_use named a program. */
int clv_cl_builders_number(const clv_opencl *be, int programs)
{
    return !program_of_builders || be->record || be->builders.queue ? 0 : clv_cl_builders_useful(programs);
}

bool clv_cl_builders_start(clv_opencl *be, const clv_plan *plan, const clv_jobs *jobs, int wanted, clv_jobs *shared)
{
    clv_cl_builders *b = &be->builders;
    clv_call *call;
    if (wanted < 1 || !(b->queue = tmpfile()) || !write_queue(be, plan, jobs, b)) return false;
    *shared = jobs_of(b->shared, &call);
    for (int i = 0; i < wanted; i++) start_one(b);
    return true;
}

bool clv_cl_builders_work(clv_opencl *be)
{
    clv_cl_builders *b = &be->builders;
    for (int i = b->processes - 1; i >= 0; i--)
        if (waitpid(b->process[i], NULL, WNOHANG) != 0) b->process[i] = b->process[--b->processes];
    return b->processes > 0;
}

void clv_cl_builders_close(clv_opencl *be)
{
    queue_head *head = be->builders.shared;
    if (head) atomic_store(&head->closed, 1);
}

void clv_cl_builders_end(clv_opencl *be)
{
    clv_cl_builders *b = &be->builders;
    clv_cl_builders_close(be);
    for (int i = 0; i < b->processes; i++)
        while (waitpid(b->process[i], NULL, 0) < 0 && errno == EINTR) continue;
    if (b->shared) munmap(b->shared, b->bytes);
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
    if (status != CLV_OK) return status;
    clv_opencl *opencl = (clv_opencl *)*be;
    opencl->builds = true;
    /* A CPU's driver compiles for a group's size at the launch, keeps that itself, and compiles once more for whoever
     * asks for the binary. */
    opencl->discard = (*be)->info.kind == CLV_DEVICE_CPU;
    return CLV_OK;
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

static bool is_whole(const clv_jobs *jobs, int calls)
{
    for (int i = 0; i < jobs->jobs; i++) {
        const clv_job *job = &jobs->job[i];
        if (job->call < -1 || job->call >= calls || job->programs < (job->call < 0) || job->programs > CLV_MAX_LAUNCHES)
            return false;
        for (int k = 0; k < job->programs; k++)
            if (job->program[k] < 0 || job->program[k] >= jobs->programs) return false;
    }
    for (int i = 0; i < jobs->programs; i++)
        if (jobs->program[i].bundle >= jobs->programs) return false;
    return true;
}

static clv_status open_queue(int queue, queue_head **head, clv_jobs *jobs, clv_call **call, clv_error *err)
{
    clv_status status = CLV_OK;
    queue_head read = {0};
    struct stat file;
    CLV_REQUIRE(pread(queue, &read, sizeof read, 0) == (ssize_t)sizeof read && !strcmp(read.version, CLAVE_VERSION) &&
                    read.head_bytes == sizeof read && read.job_bytes == sizeof(clv_job) &&
                    read.program_bytes == sizeof(clv_job_program) && read.call_bytes == sizeof(clv_call),
                CLV_ERR_CONFIG, "%s is for clave's own use: it reads calls from the program that started it",
                CLV_BUILDER_ARGUMENT);
    CLV_REQUIRE(read.jobs >= 0 && read.programs >= 0 && read.calls >= 0 && fstat(queue, &file) == 0 &&
                    (size_t)file.st_size == bytes_of(&read),
                CLV_ERR_CONFIG, "%s: the plan is cut short", CLV_BUILDER_ARGUMENT);
    CLV_REQUIRE(*head = share(queue, bytes_of(&read)), CLV_ERR_INTERNAL, "%s: the plan is not to be shared",
                CLV_BUILDER_ARGUMENT);
    *jobs = jobs_of(*head, call);
    CLV_REQUIRE(is_whole(jobs, read.calls), CLV_ERR_CONFIG, "%s: the plan's jobs are none", CLV_BUILDER_ARGUMENT);
done:
    return status;
}

/* The same bundles as the process that tests has. */
static clv_status add_bundles(clv_opencl *be, const clv_jobs *jobs, clv_cl_bundle **bundle, clv_error *err)
{
    clv_status status = CLV_OK;
    const int groups = be->within->schedule.groups;
    const clv_cl_unit **unit = clv_alloc((size_t)groups, sizeof *unit, err);
    if (!unit) return CLV_ERR_INTERNAL;
    for (int i = 0; i < jobs->jobs; i++) {
        int units = 0;
        if (jobs->job[i].call >= 0) continue;
        for (int p = 0; p < jobs->programs; p++)
            for (int g = 0; g < groups && jobs->program[p].bundle == jobs->job[i].program[0]; g++)
                if (!memcmp(&jobs->program[p].key, &be->within->unit[g].key, sizeof(clv_hash))) {
                    unit[units++] = &be->within->unit[g];
                    break;
                }
        CLV_TRY(clv_cl_bundle_add(be, unit, units, &bundle[i], err));
    }
done:
    free(unit);
    return status;
}

static void do_job(clv_opencl *be, const clv_job *job, const clv_call *call, int batch, clv_cl_bundle *bundle)
{
    if (job->call < 0) {
        clv_cl_bundle_build(be, bundle);
        clv_cl_bundle_save(be, bundle); /* where the driver keeps nothing itself */
        return;
    }
    be->tested = job->call;
    be->testing = be->within->recipe[job->call].clblast ? CLV_CL_CLBLAST : CLV_CL_OWN;
    run_once(&be->head, &call[job->call], batch, NULL); /* what fails here is told by the self-test */
    be->testing = 0;
    clv_cl_programs_sweep(be); /* into the cache, too */
}

/* Until there is nothing left that this process could do, or nobody to do it for. */
static clv_status build_all(clv_opencl *be, queue_head *head, clv_jobs *jobs, const clv_call *call, clv_error *err)
{
    clv_status status = CLV_OK;
    const bool whole = be->head.info.kind != CLV_DEVICE_CPU;
    clv_cl_bundle **bundle = clv_alloc((size_t)jobs->jobs, sizeof(void *), err);
    if (!bundle) return CLV_ERR_INTERNAL;
    CLV_TRY(add_bundles(be, jobs, bundle, err));
    for (bool later = true; later && !atomic_load(&head->closed) && kill(head->parent, 0) == 0;) {
        const int i = clv_jobs_take(jobs, &later);
        if (i >= 0) {
            do_job(be, &jobs->job[i], call, head->batch, bundle[i]);
            clv_jobs_built(jobs, i, whole);
            later = true;
        } else if (later) {
            clv_cl_builders_nap();
        }
    }
done:
    free(bundle);
    return status;
}

clv_status clv_builder_run(int queue, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_backend *be = NULL;
    queue_head *head = NULL;
    clv_jobs jobs;
    clv_plan plan = {0};
    clv_cl_calls scheduled = {0};
    CLV_TRY(open_queue(queue, &head, &jobs, &plan.call, err));
    plan.batch = head->batch;
    plan.lanes = head->lanes;
    plan.blocks = head->blocks;
    plan.calls = head->calls;
    plan.apart = head->apart;
    CLV_TRY(open_backend(head, &be, err));
    clv_opencl *opencl = (clv_opencl *)be;
    CLV_TRY(clv_cl_schedule_calls(opencl, &plan, &scheduled, err));
    opencl->within = &scheduled;
    CLV_TRY(build_all(opencl, head, &jobs, plan.call, err));
done:
    clv_cl_calls_free(&scheduled);
    clv_backend_destroy(be);
    if (head) munmap(head, bytes_of(head));
    return status;
}
