/* Programs: of a unit (joint.h), built alone or in a bundle with others (bundle.c) once for each text and set of
 * defines, shared by all launches that want the same, and kept between runs by the binary cache. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/opencl/opencl.h"
#include "base/memory.h"

/* ---- building ---- */

/* The first lines of the build log: the message has room for no more. */
static clv_status build_failed(const clv_opencl *be, cl_program program, const char *name, cl_int code, clv_error *err)
{
    size_t size = 0;
    char *log = NULL;
    if (clGetProgramBuildInfo(program, be->device, CL_PROGRAM_BUILD_LOG, 0, NULL, &size) == CL_SUCCESS)
        log = clv_alloc(size + 1, 1, NULL);
    if (log && clGetProgramBuildInfo(program, be->device, CL_PROGRAM_BUILD_LOG, size, log, NULL) != CL_SUCCESS)
        log[0] = '\0';
    clv_status status =
        clv_fail(err, CLV_ERR_DEVICE, "clBuildProgram: %s (%d): %s does not compile %.600s: %.600s",
                 clv_cl_error_name(code), code, be->head.info.name, name, log && *log ? log : "no build log");
    free(log);
    return status;
}

static clv_status build(const clv_opencl *be, cl_program program, const char *defines, const char *name, clv_error *err)
{
    char options[CLV_DEFINES_SIZE + 64];
    snprintf(options, sizeof options, "%s %s", CLV_BUILD_OPTIONS, defines);
    const cl_int code =
        clv_cl_made_to_fail() ? CL_OUT_OF_RESOURCES : clBuildProgram(program, 1, &be->device, options, NULL, NULL);
    return code == CL_SUCCESS ? CLV_OK : build_failed(be, program, name, code, err);
}

cl_program clv_cl_build_binary(const clv_opencl *be, clv_hash key, const char *defines)
{
    unsigned char *binary = NULL;
    size_t size = 0;
    cl_int accepted = CL_SUCCESS, code = CL_SUCCESS;
    if (!clv_cl_cache_load(be->cache, key, &binary, &size)) return NULL;
    const unsigned char *bytes = binary;
    cl_program program = clCreateProgramWithBinary(be->context, 1, &be->device, &size, &bytes, &accepted, &code);
    free(binary);
    if (program && (code != CL_SUCCESS || accepted != CL_SUCCESS || build(be, program, defines, "", NULL) != CLV_OK)) {
        clReleaseProgram(program);
        program = NULL;
    }
    return program;
}

clv_status clv_cl_build_source(const clv_opencl *be, const char *source, const char *defines, const char *name,
                               cl_program *out, clv_error *err)
{
    clv_status status = CLV_OK;
    cl_program program = NULL;
    CLV_CL_MAKE(program, clCreateProgramWithSource(be->context, 1, &source, NULL, &code));
    CLV_TRY(build(be, program, defines, name, err));
    *out = program;
    return CLV_OK;
done:
    if (program) clReleaseProgram(program);
    return status;
}

/* "kernel conv_packed of conv.cl (-DV=16 ...)", all of them. */
static void name_kernels(const clv_launch_unit *unit, clv_text *names)
{
    for (int i = 0; i < unit->launches; i++) {
        const clv_launch *l = unit->launch[i];
        clv_text_append(names, "%skernel %s of %s (%s)", i ? " beside " : "", l->kernel, l->file, l->defines);
    }
}

static clv_status build_alone(clv_opencl *be, const clv_launch_unit *unit, cl_program *out, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_text source = {0}, names = {0};
    name_kernels(unit, &names);
    CLV_TRY(clv_cl_unit_text(be, unit, CLV_ALONE, &source, err));
    CLV_REQUIRE(!names.failed, CLV_ERR_INTERNAL, "out of memory for the program of %s", unit->launch[0]->kernel);
    CLV_TRY(clv_cl_build_source(be, source.text, clv_cl_unit_defines(unit), names.text, out, err));
done:
    clv_text_free(&source);
    clv_text_free(&names);
    return status;
}

/* From a bundle, the cache, or the compiler. */
static clv_status make_program(clv_opencl *be, const clv_cl_unit *unit, clv_cl_program *made, clv_error *err)
{
    made->bundle = clv_cl_bundle_of(be, unit->key, made->kernel);
    if (made->bundle) {
        made->program = made->bundle->program;
        made->bundle->users++;
        return CLV_OK;
    }
    clv_unit_kernel(&unit->unit, CLV_ALONE, made->kernel);
    made->program = clv_cl_build_binary(be, unit->key, clv_cl_unit_defines(&unit->unit));
    made->unsaved = !made->program;
    return made->program ? CLV_OK : build_alone(be, &unit->unit, &made->program, err);
}

clv_cl_program *clv_cl_program_find(const clv_opencl *be, clv_hash key)
{
    clv_cl_program *p = be->programs;
    while (p && memcmp(&p->key, &key, sizeof key) != 0) p = p->next;
    return p;
}

clv_status clv_cl_program_get(clv_opencl *be, const clv_cl_unit *unit, clv_cl_program **out, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_cl_program *p = clv_cl_program_find(be, unit->key);
    if (!p) {
        if (!(p = clv_alloc(1, sizeof *p, err))) return CLV_ERR_INTERNAL;
        status = make_program(be, unit, p, err);
        if (status != CLV_OK) {
            free(p);
            return status;
        }
        p->key = unit->key;
        p->next = be->programs;
        be->programs = p;
    }
    p->users++;
    p->planned |= !be->testing || be->builds;
    *out = p;
    return CLV_OK;
}

/* ---- the end ---- */

/* Here, not after building: PoCL compiles a kernel for its group size at its first launch, and its binary holds that.
 * Asking for the binary costs PoCL a compilation too, which had better not delay a first step. Failures only mean no
 * cache. */
bool clv_cl_save_binary(const clv_opencl *be, cl_program program, clv_hash key)
{
    size_t size = 0;
    unsigned char *binary = NULL;
    if (be->keeps != CLV_CL_KEEP_BINARIES || be->discard || !be->cache[0] ||
        clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof size, &size, NULL) != CL_SUCCESS || size == 0)
        return false;
    if (!(binary = clv_alloc(size, 1, NULL))) return false;
    const bool kept = clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL) == CL_SUCCESS &&
                      clv_cl_cache_store(be->cache, key, binary, size);
    free(binary);
    return kept;
}

static void drop(clv_opencl *be, clv_cl_program **link)
{
    clv_cl_program *program = *link;
    const bool kept = program->planned && program->ran;
    *link = program->next;
    if (program->bundle) {
        program->bundle->kept |= kept;
        program->bundle->users--;
    } else {
        if (program->unsaved && kept) clv_cl_save_binary(be, program->program, program->key);
        clReleaseProgram(program->program);
    }
    free(program);
}

void clv_cl_programs_sweep(clv_opencl *be)
{
    clv_cl_program **link = &be->programs;
    while (*link) {
        if ((*link)->users == 0)
            drop(be, link);
        else
            link = &(*link)->next;
    }
}

void clv_cl_program_release(clv_opencl *be, clv_cl_program *program)
{
    program->users--;
    if (!be->testing) clv_cl_programs_sweep(be);
}
