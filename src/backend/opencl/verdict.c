/* What is known of kinds of calls on a device and driver, kept between runs beside the binaries: which kernels passed
 * their self-test. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/opencl/opencl.h"
#include "base/file.h"
#include "base/memory.h"

/* ---- keys ---- */

/* The kernel that a product gets unless the self-test has found against it. */
clv_status clv_cl_preferred(clv_opencl *be, const clv_call *call, char *kernel, clv_error *err)
{
    clv_cl_gemm gemm;
    clv_tiling tiling;
    *kernel = be->gemm == CLV_GEMM_CLBLAST ? CLV_CL_CLBLAST : CLV_CL_OWN;
    if (!clv_cl_gemm_of(call, &gemm)) *kernel = CLV_CL_OWN;
    if (be->gemm != CLV_GEMM_AUTO || !clv_cl_gemm_of(call, &gemm)) return CLV_OK;
    clv_status status = clv_cl_tiling_of(be, call, &tiling, err);
    if (status == CLV_OK && tiling.clblast) *kernel = CLV_CL_CLBLAST;
    return status;
}

/* CLBlast's parameters, where they are not its own. */
static clv_status append_set(clv_opencl *be, const clv_call *call, clv_text *text, clv_error *err)
{
    clv_tiling tiling;
    clv_status status = clv_cl_tiling_of(be, call, &tiling, err);
    if (status != CLV_OK || clv_gemm_set_is_own(&tiling.gemm)) return status;
    for (int i = 0; i < CLV_GEMM_PARAMETERS; i++) clv_text_append(text, "%d ", tiling.gemm.value[i]);
    return CLV_OK;
}

/* All that decides how a call runs: its launches, the builds of their programs, and the preference. */
clv_status clv_cl_verdict_key(clv_opencl *be, const clv_call *call, clv_hash *key, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_launch_list list;
    clv_text text = {0};
    char kernel;
    CLV_TRY(clv_cl_launches_of(be, call, &list, err));
    CLV_TRY(clv_cl_preferred(be, call, &kernel, err));
    clv_text_append(&text, "%s %c %d\n", clv_op_table[call->op].name, kernel, call->lanes);
    if (kernel == CLV_CL_CLBLAST) CLV_TRY(append_set(be, call, &text, err));
    for (int i = 0; i < list.launches; i++) {
        const clv_launch *l = &list.launch[i];
        char print[33];
        const clv_launch_unit alone = clv_unit_of_one(l);
        clv_cl_unit unit;
        CLV_TRY(clv_cl_unit_of(be, &alone, &unit, err));
        clv_hash_print(unit.key, print);
        clv_text_append(&text, "%s %s %zu/%zu %zu/%zu %zu/%zu", l->kernel, print, l->global[0], l->local[0],
                        l->global[1], l->local[1], l->global[2], l->local[2]);
        for (int a = 0; a < l->args; a++) clv_text_append(&text, " %d+%zu", (int)l->arg[a], l->scratch_offset[a]);
        clv_text_append(&text, "\n");
    }
    CLV_REQUIRE(!text.failed, CLV_ERR_INTERNAL, "out of memory for the self-test of %s", call->name);
    *key = clv_hash_bytes(text.text, text.length);
done:
    clv_text_free(&text);
    return status;
}

/* ---- kept between runs: a line a verdict, 32 hexadecimal digits and a letter ---- */

#define VERDICT_LINE 35

static bool verdict_file(const clv_opencl *be, char *path, size_t size)
{
    const clv_device_info *info = &be->head.info;
    char name[64], print[33];
    clv_text text = {0};
    if (!be->cache[0]) return false;
    clv_text_append(&text, "%s\n%s\n%s\n%s\n%s", CLAVE_VERSION, info->platform, be->platform_version, info->name,
                    info->driver);
    const bool failed = text.failed;
    if (!failed) clv_hash_print(clv_hash_bytes(text.text, text.length), print);
    clv_text_free(&text);
    if (failed) return false;
    snprintf(name, sizeof name, "%s.verified", print);
    return clv_path_join(path, size, be->cache, name, NULL) == CLV_OK;
}

static clv_status add_verdict(clv_opencl *be, clv_hash key, char word, clv_error *err)
{
    clv_status status = clv_grow(&be->verdict, &be->verdict_capacity, be->verdicts + 1, sizeof *be->verdict, err);
    if (status == CLV_OK) be->verdict[be->verdicts++] = (clv_cl_verdict){key, word};
    return status;
}

/* Lines that are no verdict are passed over: what they stood for is tested again. */
static void load_verdicts(clv_opencl *be)
{
    char path[1024];
    uint8_t *bytes = NULL;
    size_t size = 0;
    be->verdicts_loaded = true;
    if (!verdict_file(be, path, sizeof path) ||
        clv_file_read(path, 64 << 20, CLV_ERR_INTERNAL, &bytes, &size, NULL) != CLV_OK)
        return;
    for (char *line = (char *)bytes, *end; (end = strchr(line, '\n')); line = end + 1) {
        clv_hash key;
        if (end - line == VERDICT_LINE - 1 && clv_hash_parse(line, &key) && strchr("=ob", end[-1]))
            add_verdict(be, key, end[-1], NULL);
    }
    free(bytes);
}

void clv_cl_verdicts_save(const clv_opencl *be)
{
    char path[1024];
    clv_text text = {0};
    if (!verdict_file(be, path, sizeof path)) return;
    for (size_t i = 0; i < be->verdicts; i++) {
        char print[33];
        clv_hash_print(be->verdict[i].call, print);
        clv_text_append(&text, "%s %c\n", print, be->verdict[i].word);
    }
    if (!text.failed) clv_file_write(path, text.text, text.length, NULL);
    clv_text_free(&text);
}

/* ---- what is known ---- */

const clv_cl_verdict *clv_cl_verdict_find(clv_opencl *be, clv_hash key)
{
    if (!be->verdicts_loaded) load_verdicts(be);
    for (size_t i = 0; i < be->verdicts; i++)
        if (!memcmp(&be->verdict[i].call, &key, sizeof key)) return &be->verdict[i];
    return NULL;
}

clv_status clv_cl_verdict_add(clv_opencl *be, clv_hash key, char word, clv_error *err)
{
    if (!be->verdicts_loaded) load_verdicts(be);
    return add_verdict(be, key, word, err);
}

clv_status clv_cl_vouch(clv_opencl *be, const clv_call *call, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_hash key;
    CLV_TRY(clv_cl_verdict_key(be, call, &key, err));
    if (clv_cl_verdict_find(be, key)) goto done;
    CLV_TRY(clv_cl_verdict_add(be, key, '=', err));
    clv_cl_verdicts_save(be);
done:
    return status;
}

clv_status clv_cl_uses_clblast(clv_opencl *be, const clv_call *call, bool *uses, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_cl_gemm gemm;
    char kernel;
    CLV_TRY(clv_cl_preferred(be, call, &kernel, err));
    if (be->testing && clv_cl_gemm_of(call, &gemm)) {
        kernel = be->testing;
    } else if (be->selftest && clv_cl_gemm_of(call, &gemm)) {
        clv_hash key;
        CLV_TRY(clv_cl_verdict_key(be, call, &key, err));
        const clv_cl_verdict *verdict = clv_cl_verdict_find(be, key);
        if (verdict && verdict->word != '=') kernel = verdict->word;
    }
    *uses = kernel == CLV_CL_CLBLAST;
done:
    return status;
}
