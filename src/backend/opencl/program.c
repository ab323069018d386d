/* Programs: one kernel of a file, the file's includes in place, or the kernels of a joint launch; built once for each
 * set of defines, shared by all launches that want the same, and kept between runs by the binary cache. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/opencl/kernels.h"
#include "backend/opencl/opencl.h"
#include "base/file.h"
#include "base/memory.h"

#define CLV_MAX_INCLUDES  8
#define CLV_BUILD_OPTIONS "-cl-std=CL1.2 -cl-denorms-are-zero -w" /* some drivers print warnings to the terminal */

/* ---- source ---- */

/* The text of one kernel file: embedded, or of the folder that the environment variable CLAVE_KERNELS names, for
 * whoever works on kernels. The caller frees *text. */
static clv_status file_text(const char *name, char **text, clv_error *err)
{
    clv_status status = CLV_OK;
    const char *folder = getenv("CLAVE_KERNELS");
    if (folder && *folder) {
        char path[1024];
        uint8_t *bytes = NULL;
        size_t size;
        CLV_TRY(clv_path_join(path, sizeof path, folder, name, err));
        CLV_TRY(clv_file_read(path, 1 << 20, CLV_ERR_CONFIG, &bytes, &size, err));
        *text = (char *)bytes;
        return CLV_OK;
    }
    for (int i = 0; i < clv_kernel_file_count; i++)
        if (!strcmp(clv_kernel_files[i].name, name))
            return (*text = clv_strdup(clv_kernel_files[i].text, err)) ? CLV_OK : CLV_ERR_INTERNAL;
    status = clv_fail(err, CLV_ERR_INTERNAL, "the kernel file %s is not part of this build", name);
done:
    return status;
}

typedef struct include_list {
    char name[CLV_MAX_INCLUDES][32];
    int count;
} include_list;

static bool seen(const include_list *list, const char *name)
{
    for (int i = 0; i < list->count; i++)
        if (!strcmp(list->name[i], name)) return true;
    return false;
}

/* `#include "name"` at the start of a line. Not by sscanf, which first looks for the end of all that follows: line by
 * line that took 14 ms of a warm start. */
static bool include_line(const char *line, char name[32])
{
    static const char opening[] = "#include \"";
    if (strncmp(line, opening, sizeof opening - 1)) return false;
    line += sizeof opening - 1;
    const size_t length = strcspn(line, "\"\n");
    if (length == 0 || length > 31) return false;
    memcpy(name, line, length);
    name[length] = '\0';
    return true;
}

/* Whether a line opens a kernel other than the wanted one. Such a kernel ends with the next line that is one brace. */
static bool opens_other_kernel(const char *line, const char *wanted)
{
    static const char opening[] = "kernel void ";
    const size_t length = strlen(wanted);
    if (strncmp(line, opening, sizeof opening - 1)) return false;
    line += sizeof opening - 1;
    return strncmp(line, wanted, length) || line[length] != '(';
}

/* Appends a file line by line; an include line is replaced by that file the first time and by nothing later. Of the
 * kernels only the wanted one is kept: drivers would compile them all. */
static clv_status append_file(clv_text *source, const char *file, const char *kernel, include_list *list,
                              clv_error *err)
{
    clv_status status = CLV_OK;
    char *text = NULL, name[32];
    bool skip = false;
    CLV_REQUIRE(list->count < CLV_MAX_INCLUDES, CLV_ERR_INTERNAL, "%s: more than %d kernel files include each other",
                file, CLV_MAX_INCLUDES);
    snprintf(list->name[list->count++], sizeof list->name[0], "%s", file);
    CLV_TRY(file_text(file, &text, err));
    for (const char *line = text, *end; *line; line = end) {
        end = strchr(line, '\n');
        end = end ? end + 1 : line + strlen(line);
        skip = skip || opens_other_kernel(line, kernel);
        if (include_line(line, name)) {
            if (!seen(list, name)) CLV_TRY(append_file(source, name, kernel, list, err));
        } else if (!skip) {
            clv_text_append_bytes(source, line, (size_t)(end - line));
        }
        if (!strncmp(line, "}\n", 2)) skip = false;
    }
    CLV_REQUIRE(!source->failed, CLV_ERR_INTERNAL, "out of memory for the text of %s", file);
done:
    free(text);
    return status;
}

clv_status clv_cl_source(const char *file, const char *kernel, clv_text *source, clv_error *err)
{
    include_list list = {.count = 0};
    return append_file(source, file, kernel, &list, err);
}

/* The text of one launch's kernel, or of several as one (joint.c). */
static clv_status unit_source(const clv_opencl *be, const clv_launch_unit *unit, clv_text *source, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_text part[CLV_JOINT_MOST] = {{0}};
    const char *text[CLV_JOINT_MOST];
    if (!clv_unit_is_joint(unit)) return clv_cl_source(unit->launch[0]->file, unit->launch[0]->kernel, source, err);
    for (int i = 0; i < unit->launches; i++) {
        CLV_TRY(clv_cl_source(unit->launch[i]->file, unit->launch[i]->kernel, &part[i], err));
        text[i] = part[i].text;
    }
    const clv_device_info *info = &be->head.info;
    CLV_TRY(clv_joint_source(unit, text, info->kind == CLV_DEVICE_CPU ? (int)info->compute_units : 0, source, err));
done:
    for (int i = 0; i < unit->launches; i++) clv_text_free(&part[i]);
    return status;
}

/* Those of a joint program stand in its text. */
static const char *defines_of(const clv_launch_unit *unit)
{
    return clv_unit_is_joint(unit) ? "" : unit->launch[0]->defines;
}

/* ---- keys ---- */

static clv_status key_of(const clv_opencl *be, const clv_launch_unit *unit, const char *source, clv_hash *key,
                         clv_error *err)
{
    const clv_device_info *info = &be->head.info;
    clv_text text = {0};
    clv_text_append(&text, "clave %s\n%s\n%s\n%s\n%s\n%s %s\n", CLAVE_VERSION, info->platform, be->platform_version,
                    info->name, info->driver, CLV_BUILD_OPTIONS, defines_of(unit));
    clv_text_append_bytes(&text, source, strlen(source));
    const bool failed = text.failed;
    if (!failed) *key = clv_hash_bytes(text.text, text.length);
    clv_text_free(&text);
    return failed ? clv_fail(err, CLV_ERR_INTERNAL, "out of memory for the key of %s", unit->launch[0]->file) : CLV_OK;
}

clv_status clv_cl_program_key(const clv_opencl *be, const clv_launch_unit *unit, clv_hash *key, size_t *length,
                              clv_error *err)
{
    clv_text source = {0};
    clv_status status = unit_source(be, unit, &source, err);
    if (status == CLV_OK) status = key_of(be, unit, source.text, key, err);
    if (length) *length = source.length;
    clv_text_free(&source);
    return status;
}

/* ---- building ---- */

/* "kernel conv_packed of conv.cl (-DV=16 ...)", all of them. */
static void name_kernels(const clv_launch_unit *unit, clv_text *names)
{
    for (int i = 0; i < unit->launches; i++) {
        const clv_launch *l = unit->launch[i];
        clv_text_append(names, "%skernel %s of %s (%s)", i ? " beside " : "", l->kernel, l->file, l->defines);
    }
}

/* The first lines of the build log: the message has room for no more. */
static clv_status build_failed(const clv_opencl *be, cl_program program, const clv_launch_unit *unit, cl_int code,
                               clv_error *err)
{
    size_t size = 0;
    char *log = NULL;
    clv_text names = {0};
    name_kernels(unit, &names);
    if (clGetProgramBuildInfo(program, be->device, CL_PROGRAM_BUILD_LOG, 0, NULL, &size) == CL_SUCCESS)
        log = clv_alloc(size + 1, 1, NULL);
    if (log && clGetProgramBuildInfo(program, be->device, CL_PROGRAM_BUILD_LOG, size, log, NULL) != CL_SUCCESS)
        log[0] = '\0';
    clv_status status = clv_fail(err, CLV_ERR_DEVICE, "clBuildProgram: %s (%d): %s does not compile %.600s: %.600s",
                                 clv_cl_error_name(code), code, be->head.info.name,
                                 names.text ? names.text : unit->launch[0]->kernel, log && *log ? log : "no build log");
    clv_text_free(&names);
    free(log);
    return status;
}

static clv_status build(const clv_opencl *be, cl_program program, const clv_launch_unit *unit, clv_error *err)
{
    char options[CLV_DEFINES_SIZE + 64];
    snprintf(options, sizeof options, "%s %s", CLV_BUILD_OPTIONS, defines_of(unit));
    const cl_int code =
        clv_cl_made_to_fail() ? CL_OUT_OF_RESOURCES : clBuildProgram(program, 1, &be->device, options, NULL, NULL);
    return code == CL_SUCCESS ? CLV_OK : build_failed(be, program, unit, code, err);
}

/* From the cache; NULL where it has none that the driver accepts. */
static cl_program program_from_cache(const clv_opencl *be, clv_hash key, const clv_launch_unit *unit)
{
    unsigned char *binary = NULL;
    size_t size = 0;
    cl_int accepted = CL_SUCCESS, code = CL_SUCCESS;
    if (!clv_cl_cache_load(be->cache, key, &binary, &size)) return NULL;
    const unsigned char *bytes = binary;
    cl_program program = clCreateProgramWithBinary(be->context, 1, &be->device, &size, &bytes, &accepted, &code);
    free(binary);
    if (program && (code != CL_SUCCESS || accepted != CL_SUCCESS || build(be, program, unit, NULL) != CLV_OK)) {
        clReleaseProgram(program);
        program = NULL;
    }
    return program;
}

static clv_status program_from_source(const clv_opencl *be, const char *source, const clv_launch_unit *unit,
                                      cl_program *out, clv_error *err)
{
    clv_status status = CLV_OK;
    cl_program program = NULL;
    CLV_CL_MAKE(program, clCreateProgramWithSource(be->context, 1, &source, NULL, &code));
    CLV_TRY(build(be, program, unit, err));
    *out = program;
    return CLV_OK;
done:
    if (program) clReleaseProgram(program);
    return status;
}

clv_status clv_cl_program_get(clv_opencl *be, const clv_launch_unit *unit, clv_cl_program **out, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_text source = {0};
    clv_cl_program *made = NULL;
    clv_hash key;
    CLV_TRY(unit_source(be, unit, &source, err));
    CLV_TRY(key_of(be, unit, source.text, &key, err));
    for (clv_cl_program *p = be->programs; p; p = p->next)
        if (!memcmp(&p->key, &key, sizeof key)) {
            p->users++;
            p->planned |= !be->testing || be->builds;
            *out = p;
            goto done;
        }
    if (!(made = clv_alloc(1, sizeof *made, err))) {
        status = CLV_ERR_INTERNAL;
        goto done;
    }
    made->program = program_from_cache(be, key, unit);
    if (!made->program) {
        CLV_TRY(program_from_source(be, source.text, unit, &made->program, err));
        made->unsaved = true;
    }
    made->key = key;
    made->users = 1;
    made->planned = !be->testing || be->builds;
    made->next = be->programs;
    be->programs = *out = made;
    made = NULL;
done:
    free(made);
    clv_text_free(&source);
    return status;
}

/* ---- the end ---- */

/* Here, not after building: PoCL compiles a kernel for its group size at its first launch, and its binary holds that.
 * Asking for the binary costs PoCL a compilation too, which had better not delay a first step. Failures only mean no
 * cache. */
static void save(const clv_opencl *be, const clv_cl_program *p)
{
    size_t size = 0;
    unsigned char *binary = NULL;
    if (!be->cache[0] ||
        clGetProgramInfo(p->program, CL_PROGRAM_BINARY_SIZES, sizeof size, &size, NULL) != CL_SUCCESS || size == 0)
        return;
    if (!(binary = clv_alloc(size, 1, NULL))) return;
    if (clGetProgramInfo(p->program, CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL) == CL_SUCCESS)
        clv_cl_cache_store(be->cache, p->key, binary, size);
    free(binary);
}

static void drop(clv_opencl *be, clv_cl_program **link)
{
    clv_cl_program *program = *link;
    const bool keeps = be->keeps_binaries && !be->discard;
    if (program->unsaved && program->planned && program->ran && keeps) save(be, program);
    *link = program->next;
    clReleaseProgram(program->program);
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
