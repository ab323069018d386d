/* The longest programs are built first, so that processes end about together. */
#include "backend/opencl/jobs.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/try.h"

clv_status clv_jobs_create(int most, clv_jobs *jobs, clv_error *err)
{
    *jobs = (clv_jobs){.job = clv_alloc((size_t)most, sizeof *jobs->job, err)};
    if (jobs->job) jobs->program = clv_alloc((size_t)most * CLV_MAX_LAUNCHES, sizeof *jobs->program, err);
    return jobs->program ? CLV_OK : CLV_ERR_INTERNAL;
}

void clv_jobs_free(clv_jobs *jobs)
{
    free(jobs->job);
    free(jobs->program);
    *jobs = (clv_jobs){0};
}

static int program_of(clv_jobs *jobs, const clv_job_need *need)
{
    int i = 0;
    while (i < jobs->programs && memcmp(&jobs->program[i].key, &need->key, sizeof need->key) != 0) i++;
    if (i == jobs->programs)
        jobs->program[jobs->programs++] = (clv_job_program){.key = need->key, .length = need->length};
    return i;
}

void clv_jobs_add(clv_jobs *jobs, int call, const clv_job_need *need, int needs)
{
    clv_job *job = &jobs->job[jobs->jobs++];
    *job = (clv_job){.call = call};
    for (int i = 0; i < needs; i++) {
        const int program = program_of(jobs, &need[i]);
        bool known = false;
        for (int k = 0; k < job->programs; k++) known |= job->program[k] == program;
        if (!known) job->program[job->programs++] = program;
    }
}

/* Programs of a job in a state, and how long those are. */
static int count(const clv_jobs *jobs, const clv_job *job, clv_job_state state, uint64_t *length)
{
    int programs = 0;
    for (int i = 0; i < job->programs; i++) {
        const clv_job_program *program = &jobs->program[job->program[i]];
        if (atomic_load(&program->state) != (uint32_t)state) continue;
        *length += program->length;
        programs++;
    }
    return programs;
}

int clv_jobs_first(const clv_jobs *jobs)
{
    for (int i = 0; i < jobs->jobs; i++)
        if (!jobs->job[i].tested) return i;
    return -1;
}

int clv_jobs_first_built(const clv_jobs *jobs)
{
    uint64_t length = 0;
    for (int i = 0; i < jobs->jobs; i++) {
        const clv_job *job = &jobs->job[i];
        if (!job->tested && count(jobs, job, CLV_JOB_BUILT, &length) == job->programs) return i;
    }
    return -1;
}

static bool take_program(clv_job_program *program)
{
    uint32_t free_state = CLV_JOB_FREE;
    return atomic_compare_exchange_strong(&program->state, &free_state, CLV_JOB_TAKEN);
}

/* All that are not built, or none: another process may have been faster. */
static bool take_programs(clv_jobs *jobs, const clv_job *job)
{
    uint32_t taken = 0;
    for (int i = 0; i < job->programs; i++) {
        clv_job_program *program = &jobs->program[job->program[i]];
        if (take_program(program)) {
            taken |= 1u << i;
        } else if (atomic_load(&program->state) != CLV_JOB_BUILT) {
            for (int k = 0; k < i; k++)
                if (taken & 1u << k) atomic_store(&jobs->program[job->program[k]].state, CLV_JOB_FREE);
            return false;
        }
    }
    return taken != 0;
}

int clv_jobs_take(clv_jobs *jobs, bool *later)
{
    for (;;) {
        int best = -1;
        uint64_t most = 0, unused = 0;
        *later = false;
        for (int i = 0; i < jobs->jobs; i++) {
            uint64_t length = 0;
            const bool waits = count(jobs, &jobs->job[i], CLV_JOB_TAKEN, &unused) > 0,
                       builds = count(jobs, &jobs->job[i], CLV_JOB_FREE, &length) > 0;
            *later |= waits && builds;
            if (waits || !builds || (best >= 0 && length <= most)) continue;
            best = i;
            most = length;
        }
        if (best < 0 || take_programs(jobs, &jobs->job[best])) return best;
    }
}

void clv_jobs_built(clv_jobs *jobs, int job)
{
    const clv_job *done = &jobs->job[job];
    for (int i = 0; i < done->programs; i++) atomic_store(&jobs->program[done->program[i]].state, CLV_JOB_BUILT);
}
