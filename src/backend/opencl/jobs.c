/* The longest programs are built first, so that processes end about together. */
#include "backend/opencl/jobs.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/try.h"

clv_status clv_jobs_create(int jobs, int programs, clv_jobs *out, clv_error *err)
{
    const size_t most = (size_t)jobs * CLV_MAX_LAUNCHES + (size_t)programs;
    *out = (clv_jobs){.job = clv_alloc((size_t)jobs, sizeof *out->job, err)};
    if (out->job) out->program = clv_alloc(most, sizeof *out->program, err);
    return out->program ? CLV_OK : CLV_ERR_INTERNAL;
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
        jobs->program[jobs->programs++] = (clv_job_program){.key = need->key, .length = need->length, .bundle = -1};
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

void clv_jobs_add_bundle(clv_jobs *jobs, clv_hash bundle, const clv_job_need *unit, int units)
{
    clv_job_need need = {bundle, 0};
    for (int i = 0; i < units; i++) need.length += unit[i].length;
    clv_jobs_add(jobs, -1, &need, 1);
    const int program = jobs->job[jobs->jobs - 1].program[0];
    for (int i = 0; i < units; i++) {
        const int of = program_of(jobs, &unit[i]);
        jobs->program[of].bundle = program;
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

static bool waits_for_bundle(const clv_jobs *jobs, const clv_job *job)
{
    for (int i = 0; i < job->programs; i++) {
        const int bundle = jobs->program[job->program[i]].bundle;
        if (bundle >= 0 && atomic_load(&jobs->program[bundle].state) != CLV_JOB_BUILT) return true;
    }
    return false;
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
            const clv_job *job = &jobs->job[i];
            const bool waits = count(jobs, job, CLV_JOB_TAKEN, &unused) > 0 || waits_for_bundle(jobs, job),
                       builds = count(jobs, job, CLV_JOB_FREE, &length) > 0;
            *later |= waits && builds;
            if (waits || !builds || (best >= 0 && length <= most)) continue;
            best = i;
            most = length;
        }
        if (best < 0 || take_programs(jobs, &jobs->job[best])) return best;
    }
}

static void set_built(clv_jobs *jobs, int program) { atomic_store(&jobs->program[program].state, CLV_JOB_BUILT); }

void clv_jobs_built(clv_jobs *jobs, int job, bool units)
{
    const clv_job *done = &jobs->job[job];
    for (int i = 0; i < done->programs; i++) set_built(jobs, done->program[i]);
    for (int i = 0; i < jobs->programs && units && done->call < 0; i++)
        if (jobs->program[i].bundle == done->program[0]) set_built(jobs, i);
}
