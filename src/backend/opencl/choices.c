/* Choices: the tiling of each product that this device computes. Those of a resumed run are the ones it recorded; else
 * what the tuner found lies in a file beside the binaries, one for each device, driver and kernel source; else there
 * are the defaults.
 *
 * The file is only ever appended to, a line a write, so that processes may tune side by side: "WORD KEY TILING", the
 * word `try` before a candidate runs, then `done` or `fail`; `best` for one that won. A `try` that nothing follows is a
 * candidate that took its process with it. Lines that are damaged are passed over. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/opencl/opencl.h"
#include "base/file.h"
#include "base/memory.h"

#define FILE_LIMIT ((size_t)64 << 20)
#define KEY_DIGITS 32

static const char *const words[] = {
    [CLV_CL_TRY] = "try", [CLV_CL_DONE] = "done", [CLV_CL_FAIL] = "fail", [CLV_CL_BEST] = "best"};
enum { WORDS = sizeof words / sizeof *words };

static clv_status hash_text(clv_text *text, clv_hash *key, clv_error *err)
{
    const bool failed = text->failed;
    if (!failed) *key = clv_hash_bytes(text->text, text->length);
    clv_text_free(text);
    return failed ? clv_fail(err, CLV_ERR_INTERNAL, "out of memory for the key of a choice") : CLV_OK;
}

static void append_device(const clv_opencl *be, clv_text *text)
{
    const clv_device_info *info = &be->head.info;
    clv_text_append(text, "%s\n%s\n%s\n%s\n%d %d\n", info->platform, be->platform_version, info->name, info->driver,
                    (int)info->kind, info->vector_width);
}

/* Device, operation, shapes, storage, and what is fused behind: calls that agree in it share a tiling. */
clv_status clv_cl_call_key(const clv_opencl *be, const clv_call *call, clv_hash *key, clv_error *err)
{
    const clv_attr *a = &call->attr;
    clv_text text = {0};
    append_device(be, &text);
    clv_text_append(&text, "%s %d %d %d lanes %d bias %d act %d %d", clv_op_table[call->op].name, a->kernel, a->stride,
                    a->pad, call->lanes, a->has_bias, (int)a->act, (int)a->grad_act);
    if (call->blocked) clv_text_append(&text, " block");
    if (a->rate > 0) clv_text_append(&text, " dropout");
    if (a->head) clv_text_append(&text, " head %s", clv_op_table[a->head].name);
    for (int i = 0; i <= call->inputs; i++) {
        const clv_shape *shape = i < call->inputs ? &call->in[i].shape : &call->out.shape;
        clv_text_append(&text, " [%d %d %d %d]", shape->dim[0], shape->dim[1], shape->dim[2], shape->dim[3]);
        if ((i < call->inputs ? &call->in[i] : &call->out)->space == CLV_SPACE_HALF) clv_text_append(&text, "half");
    }
    return hash_text(&text, key, err);
}

/* ---- the file ---- */

static clv_status file_of(const clv_opencl *be, char *path, size_t size, clv_error *err)
{
    static const struct {
        const char *file, *kernel;
    } source[] = {
        {"conv.cl", "conv_packed"}, {"deconv.cl", "deconv_packed"}, {"conv_weight.cl", "conv_weight_packed"},
        {"conv.cl", "conv_direct"}, {"deconv.cl", "deconv_direct"}, {"conv_weight.cl", "conv_weight_direct"},
        {"linear_weight.cl", "linear_weight_packed"}, {"deconv.cl", "deconv_blocks"}, {"outer_weight.cl", "conv_weight_outer"},
    };
    clv_status status = CLV_OK;
    clv_text text = {0};
    clv_hash key;
    char name[64], print[KEY_DIGITS + 1];
    append_device(be, &text);
    for (size_t i = 0; i < sizeof source / sizeof *source; i++)
        CLV_TRY(clv_cl_source(source[i].file, source[i].kernel, &text, err));
    CLV_TRY(hash_text(&text, &key, err));
    clv_hash_print(key, print);
    snprintf(name, sizeof name, "%s.tuned", print);
    status = clv_path_join(path, size, be->cache, name, err);
done:
    clv_text_free(&text);
    return status;
}

static clv_status add_line(clv_opencl *be, clv_cl_line line, clv_error *err)
{
    clv_cl_choices *c = &be->choices;
    clv_status status = clv_grow(&c->line, &c->capacity, c->lines + 1, sizeof *c->line, err);
    if (status == CLV_OK) c->line[c->lines++] = line;
    return status;
}

/* "KEY TILING", and behind a ';' whatever helps a reader. */
static bool parse_choice(char *text, clv_cl_line *line)
{
    char *comment = strchr(text, ';');
    if (comment) *comment = '\0';
    return strlen(text) > KEY_DIGITS && clv_hash_parse(text, &line->call) &&
           clv_tiling_parse(text + KEY_DIGITS, &line->tiling);
}

static bool parse_line(char *text, clv_cl_line *line)
{
    const size_t length = strcspn(text, " ");
    for (int w = 0; w < WORDS; w++)
        if (strlen(words[w]) == length && !strncmp(text, words[w], length)) {
            line->word = (clv_cl_word)w;
            return text[length] == ' ' && parse_choice(text + length + 1, line);
        }
    return false;
}

/* Lines of either the file or a run's record, in which all are choices. The text is cut up. */
static clv_status add_lines(clv_opencl *be, char *text, bool record, clv_error *err)
{
    clv_status status = CLV_OK;
    for (char *at = text, *end; *at && status == CLV_OK; at = end) {
        clv_cl_line line = {.word = CLV_CL_BEST};
        end = at + strcspn(at, "\n");
        const bool whole = *end == '\n';
        if (whole) *end++ = '\0';
        if (whole && (record ? parse_choice(at, &line) : parse_line(at, &line))) status = add_line(be, line, err);
    }
    return status;
}

clv_status clv_cl_choices_load(clv_opencl *be, clv_error *err)
{
    clv_status status = CLV_OK;
    char path[1024], *record = NULL;
    uint8_t *bytes = NULL;
    size_t size = 0;
    be->choices.loaded = true;
    if (be->record) {
        CLV_REQUIRE(record = clv_strdup(be->record, err), CLV_ERR_INTERNAL, "out of memory for the kernels of a run");
        CLV_TRY(add_lines(be, record, true, err));
    } else if (be->tuned && be->cache[0]) {
        CLV_TRY(file_of(be, path, sizeof path, err));
        if (clv_file_read(path, FILE_LIMIT, CLV_ERR_INTERNAL, &bytes, &size, NULL) != CLV_OK) goto done; /* none yet */
        if (!memchr(bytes, '\0', size)) CLV_TRY(add_lines(be, (char *)bytes, false, err));
    }
done:
    free(record);
    free(bytes);
    return status;
}

/* One write a line, so that those of several processes do not mix; on the disk before the candidate runs. */
static void append_to_file(const clv_opencl *be, const char *line)
{
    char path[1024];
    if (!be->cache[0] || file_of(be, path, sizeof path, NULL) != CLV_OK) return;
    const int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) return;
    ssize_t put;
    do put = write(fd, line, strlen(line));
    while (put < 0 && errno == EINTR);
    fsync(fd);
    close(fd);
}

clv_status clv_cl_choices_add(clv_opencl *be, clv_cl_word word, clv_hash call, const clv_tiling *tiling, clv_error *err)
{
    char text[CLV_TILING_TEXT], key[KEY_DIGITS + 1], line[CLV_TILING_TEXT + 64];
    clv_tiling_print(tiling, text);
    clv_hash_print(call, key);
    snprintf(line, sizeof line, "%s %s %s\n", words[word], key, text);
    append_to_file(be, line); /* a failure only means that it is tried again */
    return add_line(be, (clv_cl_line){word, call, *tiling}, err);
}

/* ---- asking ---- */

static bool is_of(const clv_cl_line *line, const clv_hash *call) { return !memcmp(&line->call, call, sizeof *call); }

clv_cl_word clv_cl_choices_last(const clv_opencl *be, clv_hash call, const clv_tiling *tiling)
{
    clv_cl_word last = CLV_CL_UNKNOWN;
    for (size_t i = 0; i < be->choices.lines; i++) {
        const clv_cl_line *line = &be->choices.line[i];
        if (is_of(line, &call) && (!tiling || clv_tiling_equal(&line->tiling, tiling))) last = line->word;
    }
    return last;
}

/* Whether the i-th line is the one in force for its call: the last that won, unless it failed or crashed later. */
static bool is_choice(const clv_opencl *be, size_t i)
{
    const clv_cl_line *line = &be->choices.line[i];
    if (line->word != CLV_CL_BEST) return false;
    for (size_t later = i + 1; later < be->choices.lines; later++)
        if (be->choices.line[later].word == CLV_CL_BEST && is_of(&be->choices.line[later], &line->call)) return false;
    const clv_cl_word last = clv_cl_choices_last(be, line->call, &line->tiling);
    return last != CLV_CL_FAIL && last != CLV_CL_TRY;
}

/* CLBlast's parameters are those of the last choice that has any, as a process has use for one set. */
static void share_set(const clv_opencl *be, const clv_call *call, clv_tiling *tiling)
{
    clv_cl_gemm gemm;
    if (!clv_gemm_set_is_own(&tiling->gemm) || !clv_cl_gemm_of(call, &gemm)) return;
    for (size_t i = be->choices.lines; i-- > 0;) {
        const clv_gemm_set *set = &be->choices.line[i].tiling.gemm;
        if (clv_gemm_set_is_own(set) || !clv_gemm_set_check(&be->head.info, set) || !is_choice(be, i)) continue;
        tiling->gemm = *set;
        return;
    }
}

clv_status clv_cl_tiling_of(clv_opencl *be, const clv_call *call, clv_tiling *tiling, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_hash key;
    clv_tiling_default(&be->head.info, call, tiling);
    if (!be->candidate && !be->choices.loaded) CLV_TRY(clv_cl_choices_load(be, err));
    if (!be->candidate && be->choices.lines == 0) return CLV_OK;
    CLV_TRY(clv_cl_call_key(be, call, &key, err));
    if (be->candidate) {
        if (is_of(be->candidate, &key)) *tiling = be->candidate->tiling;
        return CLV_OK;
    }
    for (size_t i = be->choices.lines; i-- > 0;) { /* the last that won, unless it failed or crashed later */
        const clv_cl_line *line = &be->choices.line[i];
        if (line->word != CLV_CL_BEST || !is_of(line, &key) || !clv_tiling_check(&be->head.info, call, &line->tiling))
            continue;
        const clv_cl_word last = clv_cl_choices_last(be, key, &line->tiling);
        if (last == CLV_CL_FAIL || last == CLV_CL_TRY) continue;
        *tiling = line->tiling;
        break;
    }
    share_set(be, call, tiling);
done:
    return status;
}

clv_status clv_cl_launches_of(clv_opencl *be, const clv_call *call, clv_launch_list *list, clv_error *err)
{
    clv_tiling tiling;
    if (clv_op_table[call->op].family != CLV_FAMILY_PRODUCT)
        return clv_launches_of(&be->head.info, call, NULL, list, err);
    clv_status status = clv_cl_tiling_of(be, call, &tiling, err);
    return status == CLV_OK ? clv_launches_of(&be->head.info, call, &tiling, list, err) : status;
}

/* ---- the record of a run ---- */

clv_status clv_cl_kernels(clv_backend *head, const clv_plan *plan, clv_text *text, clv_error *err)
{
    clv_opencl *be = (clv_opencl *)head;
    clv_status status = CLV_OK;
    for (int i = 0; i < plan->calls; i++) {
        const clv_call *call = &plan->call[i];
        char key[KEY_DIGITS + 1], print[CLV_TILING_TEXT];
        clv_hash hash;
        clv_tiling tiling;
        if (clv_op_table[call->op].family != CLV_FAMILY_PRODUCT) continue;
        CLV_TRY(clv_cl_call_key(be, call, &hash, err));
        clv_hash_print(hash, key);
        if (text->text && strstr(text->text, key)) continue;
        CLV_TRY(clv_cl_tiling_of(be, call, &tiling, err));
        clv_tiling_print(&tiling, print);
        clv_text_append(text, "%s %s ; %s, %s\n", key, print, call->name, clv_op_table[call->op].name);
    }
done:
    return status;
}

clv_status clv_cl_restore(clv_backend *head, const char *kernels, clv_error *err)
{
    clv_opencl *be = (clv_opencl *)head;
    clv_status status = CLV_OK;
    const size_t from = be->choices.lines;
    char *text = clv_strdup(kernels, err);
    if (!text) return CLV_ERR_INTERNAL;
    CLV_TRY(add_lines(be, text, true, err));
    for (size_t i = from, to = be->choices.lines; i < to; i++) {
        const clv_cl_line line = be->choices.line[i];
        CLV_TRY(clv_cl_choices_add(be, CLV_CL_BEST, line.call, &line.tiling, err));
    }
done:
    free(text);
    return status;
}
