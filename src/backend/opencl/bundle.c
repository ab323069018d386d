/* Bundles: several units built as one program. A driver takes about as long for what every program begins with, its own
 * header of built-in functions, as for one of clave's kernels: PoCL a quarter of a second each time. A bundle is found
 * again by any of its units, in this process, by its binary in the cache, or by its text, for which a driver that keeps
 * what it compiles has everything ready. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/opencl/opencl.h"
#include "base/memory.h"

#define KERNEL_AT 99 /* in a line of the index: behind three keys */

static bool same(clv_hash a, clv_hash b) { return !memcmp(&a, &b, sizeof a); }

/* ---- who is in which ---- */

static clv_status add_member(clv_opencl *be, const clv_cl_member *member, clv_error *err)
{
    clv_cl_bundles *b = &be->bundles;
    const clv_status status = clv_grow(&b->member, &b->capacity, b->members + 1, sizeof *b->member, err);
    if (status == CLV_OK) b->member[b->members++] = *member;
    return status;
}

/* Of a line: a kernel of another number would be the wrong one. */
static clv_hash check_of(const clv_cl_member *member)
{
    char text[2 * sizeof(clv_hash) + CLV_KERNEL_SIZE] = "";
    memcpy(text, &member->unit, sizeof member->unit);
    memcpy(text + sizeof member->unit, &member->bundle, sizeof member->bundle);
    strcpy(text + 2 * sizeof(clv_hash), member->kernel);
    return clv_hash_bytes(text, sizeof text);
}

/* Lines that are none are passed over: their units are built again. */
static void load_members(clv_opencl *be)
{
    be->bundles.loaded = true;
    char *lines = clv_cl_cache_index(be->cache);
    for (char *line = lines, *end; line && (end = strchr(line, '\n')); line = end + 1) {
        clv_cl_member member = {.length = 0};
        clv_hash check;
        const int name = (int)(end - line) - KERNEL_AT;
        if (name < 1 || name >= CLV_KERNEL_SIZE || !clv_hash_parse(line, &member.unit) ||
            !clv_hash_parse(line + 33, &member.bundle) || !clv_hash_parse(line + 66, &check))
            continue;
        memcpy(member.kernel, line + KERNEL_AT, (size_t)name);
        if (same(check, check_of(&member))) add_member(be, &member, NULL);
    }
    free(lines);
}

static const clv_cl_member *member_of(clv_opencl *be, clv_hash unit)
{
    if (!be->bundles.loaded) load_members(be);
    for (size_t i = be->bundles.members; i-- > 0;)
        if (same(be->bundles.member[i].unit, unit)) return &be->bundles.member[i];
    return NULL;
}

static clv_cl_bundle *bundle_by(const clv_opencl *be, clv_hash key)
{
    clv_cl_bundle *bundle = be->bundles.list;
    while (bundle && !same(bundle->key, key)) bundle = bundle->next;
    return bundle;
}

/* Whether there is anything to load or to share. */
static bool is_known(clv_opencl *be, clv_hash unit)
{
    const clv_cl_member *member = member_of(be, unit);
    if (clv_cl_program_find(be, unit) || clv_cl_cache_has(be->cache, unit)) return true;
    return member && (bundle_by(be, member->bundle) || clv_cl_cache_has(be->cache, member->bundle) ||
                      clv_cl_cache_has_text(be->cache, member->bundle));
}

static clv_cl_bundle *add_bundle(clv_opencl *be, clv_hash key, clv_error *err)
{
    clv_cl_bundle *bundle = clv_alloc(1, sizeof *bundle, err);
    if (!bundle) return NULL;
    bundle->key = key;
    bundle->next = be->bundles.list;
    return be->bundles.list = bundle;
}

/* ---- making ---- */

static int by_length(const void *a, const void *b)
{
    const clv_cl_unit *x = *(const clv_cl_unit *const *)a, *y = *(const clv_cl_unit *const *)b;
    return x->length != y->length ? (x->length < y->length ? 1 : -1) : memcmp(&x->key, &y->key, sizeof x->key);
}

clv_status clv_cl_bundle_add(clv_opencl *be, const clv_cl_unit **unit, int units, clv_cl_bundle **out, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_text text = {0};
    clv_hash key;
    qsort(unit, (size_t)units, sizeof *unit, by_length);
    for (int i = 0, part = 0; i < units; part += unit[i++]->unit.launches)
        CLV_TRY(clv_cl_unit_text(be, &unit[i]->unit, part, &text, err));
    CLV_REQUIRE(!text.failed, CLV_ERR_INTERNAL, "out of memory for a program of %d kernels", units);
    CLV_TRY(clv_cl_key(be, text.text, text.length, "", &key, err));
    if ((*out = bundle_by(be, key))) goto done;
    if (!be->bundles.loaded) load_members(be);
    for (int i = 0, part = 0; i < units; part += unit[i++]->unit.launches) {
        clv_cl_member member = {.unit = unit[i]->key, .bundle = key, .length = unit[i]->length};
        clv_unit_kernel(&unit[i]->unit, part, member.kernel);
        CLV_TRY(add_member(be, &member, err));
    }
    CLV_REQUIRE(*out = add_bundle(be, key, err), CLV_ERR_INTERNAL, "out of memory for a program of %d kernels", units);
    (*out)->text = text;
    text = (clv_text){0};
done:
    clv_text_free(&text);
    return status;
}

/* Those of `unit` that go into bundle `number` of `bundles`, where the next longest always goes into the one that is
 * shortest so far. */
static int share_of(const clv_cl_unit *const *unit, int units, int bundles, int number, const clv_cl_unit **share)
{
    size_t length[CLV_CL_BUILDERS + 1] = {0};
    int taken = 0;
    for (int i = 0; i < units; i++) {
        int shortest = 0;
        for (int k = 1; k < bundles; k++)
            if (length[k] < length[shortest]) shortest = k;
        length[shortest] += unit[i]->length;
        if (shortest == number) share[taken++] = unit[i];
    }
    return taken;
}

static int unknown_units(clv_opencl *be, const clv_cl_calls *calls, const clv_cl_unit **unit)
{
    int units = 0;
    for (int g = 0; g < calls->schedule.groups; g++) {
        bool known = calls->unit[g].unit.launches == 0 || is_known(be, calls->unit[g].key);
        for (int k = 0; k < units && !known; k++) known = same(unit[k]->key, calls->unit[g].key);
        if (!known) unit[units++] = &calls->unit[g];
    }
    qsort(unit, (size_t)units, sizeof *unit, by_length);
    return units;
}

clv_status clv_cl_bundles_make(clv_opencl *be, const clv_cl_calls *calls, clv_cl_bundle **made, int *count,
                               clv_error *err)
{
    clv_status status = CLV_OK;
    clv_cl_bundle *bundle;
    const size_t groups = (size_t)calls->schedule.groups;
    const clv_cl_unit **unit = clv_alloc(2 * groups, sizeof *unit, err);
    if (!unit) return CLV_ERR_INTERNAL;
    const int units = unknown_units(be, calls, unit), bundles = units < 2 ? 0 : clv_cl_builders_useful(units) + 1;
    for (int i = 0; i < bundles; i++) {
        const int taken = share_of(unit, units, bundles, i, unit + groups);
        CLV_TRY(clv_cl_bundle_add(be, unit + groups, taken, &bundle, err));
        if (made) made[(*count)++] = bundle;
    }
done:
    free(unit);
    return status;
}

/* ---- building ---- */

/* Says to later processes which units it has. */
static void record(const clv_opencl *be, const clv_cl_bundle *bundle)
{
    clv_text lines = {0};
    for (size_t i = 0; i < be->bundles.members; i++) {
        const clv_cl_member *member = &be->bundles.member[i];
        char unit[33], of[33], check[33];
        if (member->length == 0 || !same(member->bundle, bundle->key)) continue;
        clv_hash_print(member->unit, unit);
        clv_hash_print(member->bundle, of);
        clv_hash_print(check_of(member), check);
        clv_text_append(&lines, "%s %s %s %s\n", unit, of, check, member->kernel);
    }
    if (!lines.failed && lines.length > 0) clv_cl_cache_append_index(be->cache, &lines);
    clv_text_free(&lines);
}

static void keep_text(const clv_opencl *be, const clv_cl_bundle *bundle)
{
    if (be->keeps != CLV_CL_KEEP_TEXTS || clv_cl_cache_has_text(be->cache, bundle->key)) return;
    if (clv_cl_cache_store_text(be->cache, bundle->key, &bundle->text)) record(be, bundle);
}

/* A text of the cache that is not what its name says is none. */
static bool is_whole(const clv_opencl *be, const clv_cl_bundle *bundle)
{
    clv_hash key;
    return clv_cl_key(be, bundle->text.text, bundle->text.length, "", &key, NULL) == CLV_OK && same(key, bundle->key);
}

void clv_cl_bundle_build(clv_opencl *be, clv_cl_bundle *bundle)
{
    if (bundle->program || bundle->failed) return;
    bundle->program = clv_cl_build_binary(be, bundle->key, "");
    if (!bundle->program) {
        if (bundle->text.length == 0) clv_cl_cache_load_text(be->cache, bundle->key, &bundle->text);
        bundle->failed = bundle->text.length == 0 || !is_whole(be, bundle) ||
                         clv_cl_build_source(be, bundle->text.text, "", "a bundle", &bundle->program, NULL) != CLV_OK;
        bundle->unsaved = !bundle->failed;
        if (!bundle->failed) keep_text(be, bundle);
    }
    clv_text_free(&bundle->text);
}

clv_cl_bundle *clv_cl_bundle_of(clv_opencl *be, clv_hash unit, char kernel[CLV_KERNEL_SIZE])
{
    const clv_cl_member *member = member_of(be, unit);
    if (!member) return NULL;
    clv_cl_bundle *bundle = bundle_by(be, member->bundle);
    if (!bundle) bundle = add_bundle(be, member->bundle, NULL);
    if (!bundle) return NULL;
    memcpy(kernel, member->kernel, CLV_KERNEL_SIZE);
    clv_cl_bundle_build(be, bundle);
    return bundle->failed ? NULL : bundle;
}

void clv_cl_bundle_save(const clv_opencl *be, clv_cl_bundle *bundle)
{
    if (bundle->unsaved && clv_cl_save_binary(be, bundle->program, bundle->key)) {
        record(be, bundle);
        bundle->unsaved = false;
    }
}

void clv_cl_bundles_free(clv_opencl *be)
{
    for (clv_cl_bundle *bundle = be->bundles.list, *next; bundle; bundle = next) {
        next = bundle->next;
        if (bundle->kept) clv_cl_bundle_save(be, bundle);
        if (bundle->program) clReleaseProgram(bundle->program);
        clv_text_free(&bundle->text);
        free(bundle);
    }
    free(be->bundles.member);
    be->bundles = (clv_cl_bundles){0};
}
