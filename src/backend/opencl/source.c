/* The texts of programs: a kernel of a file with the file's includes in place, or the kernels of a joint launch, and
 * the key of what is built of a text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/opencl/kernels.h"
#include "backend/opencl/opencl.h"
#include "base/file.h"
#include "base/memory.h"

#define CLV_MAX_INCLUDES 8

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

clv_status clv_cl_unit_text(const clv_opencl *be, const clv_launch_unit *unit, int first, clv_text *text,
                            clv_error *err)
{
    clv_status status = CLV_OK;
    clv_text part[CLV_JOINT_MOST] = {{0}};
    const char *source[CLV_JOINT_MOST];
    const clv_device_info *info = &be->head.info;
    for (int i = 0; i < unit->launches; i++) {
        CLV_TRY(clv_cl_source(unit->launch[i]->file, unit->launch[i]->kernel, &part[i], err));
        source[i] = part[i].text;
    }
    CLV_TRY(
        clv_unit_source(unit, source, info->kind == CLV_DEVICE_CPU ? (int)info->compute_units : 0, first, text, err));
done:
    for (int i = 0; i < unit->launches; i++) clv_text_free(&part[i]);
    return status;
}

const char *clv_cl_unit_defines(const clv_launch_unit *unit)
{
    return clv_unit_is_joint(unit) ? "" : unit->launch[0]->defines;
}

clv_status clv_cl_key(const clv_opencl *be, const char *source, size_t length, const char *defines, clv_hash *key,
                      clv_error *err)
{
    const clv_device_info *info = &be->head.info;
    clv_text text = {0};
    clv_text_append(&text, "clave %s\n%s\n%s\n%s\n%s\n%s %s\n", CLAVE_VERSION, info->platform, be->platform_version,
                    info->name, info->driver, CLV_BUILD_OPTIONS, defines);
    clv_text_append_bytes(&text, source, length);
    const bool failed = text.failed;
    if (!failed) *key = clv_hash_bytes(text.text, text.length);
    clv_text_free(&text);
    return failed ? clv_fail(err, CLV_ERR_INTERNAL, "out of memory for the key of a program") : CLV_OK;
}

clv_status clv_cl_unit_of(const clv_opencl *be, const clv_launch_unit *unit, clv_cl_unit *out, clv_error *err)
{
    clv_text text = {0};
    *out = (clv_cl_unit){.unit = *unit};
    clv_status status = clv_cl_unit_text(be, unit, CLV_ALONE, &text, err);
    if (status == CLV_OK) status = clv_cl_key(be, text.text, text.length, clv_cl_unit_defines(unit), &out->key, err);
    out->length = text.length;
    clv_text_free(&text);
    return status;
}
