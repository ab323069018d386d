/* What a self-test has to compile: for each call to be tested the programs that its test needs. The processes that build
 * them beside it (builders.c) share the table: who is about to build a program takes it, so that none is built twice, and the
 * self-test goes on with calls whose programs are there (jobs.c). */
#ifndef CLAVE_OPENCL_JOBS_H
#define CLAVE_OPENCL_JOBS_H

#include <stdint.h>

#include "backend/opencl/launch.h"
#include "base/hash.h"

typedef enum clv_job_state { CLV_JOB_FREE, CLV_JOB_TAKEN, CLV_JOB_BUILT } clv_job_state;

typedef struct clv_job_program {
    clv_hash key;
    uint64_t length;        /* of its text: about what it costs */
    int32_t bundle;         /* the program that must be built before; -1: none */
    _Atomic uint32_t state; /* clv_job_state; by whom it was taken is of no interest */
} clv_job_program;

typedef struct clv_job {
    int32_t call; /* its index in the plan; -1: the job is to build a bundle, its one program */
    int32_t programs, program[CLV_MAX_LAUNCHES];
    uint32_t tested; /* by the process that tests; builders have no use for it */
} clv_job;

/* Arrays of clv_jobs_create, or of a file that processes share. */
typedef struct clv_jobs {
    clv_job *job;
    clv_job_program *program;
    int jobs, programs;
} clv_jobs;

/* Room for so many jobs, and programs beside those of the jobs; none of them there yet; CLV_ERR_INTERNAL without memory. */
clv_status clv_jobs_create(int jobs, int programs, clv_jobs *out, clv_error *err);
void clv_jobs_free(clv_jobs *jobs);

typedef struct clv_job_need {
    clv_hash key;
    size_t length;
} clv_job_need;

/* Appends a job. Programs by the same key are one. */
void clv_jobs_add(clv_jobs *jobs, int call, const clv_job_need *need, int needs);

/* Appends the job of building a bundle of these programs. */
void clv_jobs_add_bundle(clv_jobs *jobs, clv_hash bundle, const clv_job_need *unit, int units);

/* The first job that is not tested, and the first of which all programs are built; -1: there is none. */
int clv_jobs_first(const clv_jobs *jobs);
int clv_jobs_first_built(const clv_jobs *jobs);

/* Takes the programs of a job for the caller to build: of those that have one free, none taken and no bundle to wait for, the
 * one with most to build. -1: there is none now; *later: others hold what is missing, and there may be one when they are done. */
int clv_jobs_take(clv_jobs *jobs, bool *later);
/* They are built, or cannot be; units: with a bundle all of its units are. */
void clv_jobs_built(clv_jobs *jobs, int job, bool units);

#endif
