/* Which kernels may be trusted: each kind of call is checked by the self-test before its first use on a device and
 * driver, and the verdict is kept (verdict.c), so that a warm start tests nothing. A matrix product has two
 * kernels, clave's own and CLBlast's: where the preferred one fails, the other is taken if it passes, and the user is
 * told. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backend/opencl/opencl.h"
#include "backend/selftest.h"
#include "base/memory.h"

enum { PATIENCE = 30 /* seconds */ };

/* ---- what a test needs ---- */

const clv_cl_unit *clv_cl_tested_unit(const clv_opencl *be, const clv_launch_item *item, int *place)
{
    if (!be->within) return NULL;
    const clv_launch_schedule *schedule = &be->within->schedule;
    const int group = clv_group_of(schedule, be->tested, item->index, place);
    if (group < 0) return NULL;
    const clv_launch *launch = schedule->item[schedule->group[group].first + *place].launch;
    if (!launch || strcmp(launch->kernel, item->launch->kernel) || strcmp(launch->defines, item->launch->defines))
        return NULL;
    return &be->within->unit[group];
}

/* Of a call of the plan: alone, and as the plan has it run, beside others and with sums elsewhere; the programs that
 * its test needs. */
typedef struct call_keys {
    clv_hash own, within;
    clv_job_need need[CLV_MAX_LAUNCHES];
    int needs;
} call_keys;

/* Of the same launches a plan may make programs with others. */
static void keys_of_launches(const clv_opencl *be, int index, call_keys *keys, clv_text *text)
{
    const clv_cl_recipe *r = &be->within->recipe[index];
    for (int i = 0, place; i < r->list.launches; i++) {
        const clv_cl_unit *unit = &be->within->unit[clv_group_of(&be->within->schedule, index, i, &place)];
        char print[33];
        keys->need[keys->needs++] = (clv_job_need){unit->key, unit->length};
        clv_hash_print(unit->key, print);
        if (clv_unit_is_joint(&unit->unit)) clv_text_append(text, " %s %d", print, place);
    }
    if (r->clblast) keys->need[keys->needs++] = (clv_job_need){keys->own, 0}; /* stands for CLBlast's programs */
}

static clv_status keys_of_call(clv_opencl *be, int index, const clv_call *call, call_keys *keys, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_text text = {0};
    char print[33];
    CLV_TRY(clv_cl_verdict_key(be, call, &keys->own, err));
    keys->within = keys->own;
    clv_hash_print(keys->own, print);
    clv_text_append(&text, "%s", print);
    keys_of_launches(be, index, keys, &text);
    if (be->within->recipe[index].sum_moved) clv_text_append(&text, " sum moved");
    if (clv_cl_adds_parts(call)) clv_text_append(&text, " segments %d", be->within->sums.segments);
    CLV_REQUIRE(!text.failed, CLV_ERR_INTERNAL, "out of memory for the self-test of %s", call->name);
    if (text.length > sizeof print - 1) keys->within = clv_hash_bytes(text.text, text.length);
done:
    clv_text_free(&text);
    return status;
}

/* ---- testing ---- */

static clv_status test_with(clv_opencl *be, const clv_call *call, int batch, char kernel, clv_error *err)
{
    be->testing = kernel;
    clv_status status = clv_selftest_call(&be->head, call, batch, err);
    be->testing = 0;
    return status;
}

static const char *kernel_name(char kernel) { return kernel == CLV_CL_OWN ? "clave's own kernel" : "CLBlast"; }

/* The self-test knows calls; which kernels did this one is known here. */
static clv_status name_kernels(clv_opencl *be, const clv_call *call, const clv_error *found, clv_error *err)
{
    clv_launch_list list;
    char kernels[256] = "";
    if (clv_cl_launches_of(be, call, &list, NULL) != CLV_OK) list.launches = 0;
    for (int i = 0; i < list.launches; i++) {
        const size_t used = strlen(kernels);
        snprintf(kernels + used, sizeof kernels - used, "%s%s of %s", i ? ", " : "", list.launch[i].kernel,
                 list.launch[i].file);
    }
    return clv_fail(err, found->status, "%s (%s)", found->message, kernels);
}

/* Once for each call, however many plans have it. */
static void notify(clv_opencl *be, const clv_call *call, char word)
{
    char line[512];
    if (word == '=') return;
    snprintf(line, sizeof line, "%s: %s fails its self-test on %s, %s is used instead\n", call->name,
             kernel_name(word == CLV_CL_OWN ? CLV_CL_CLBLAST : CLV_CL_OWN), be->head.info.name, kernel_name(word));
    if (!be->notices.text || !strstr(be->notices.text, line)) clv_text_append(&be->notices, "%s", line);
}

static clv_status judge(clv_opencl *be, const clv_call *call, int batch, char *word, clv_error *err)
{
    clv_error first = {.status = CLV_OK}, second = {.status = CLV_OK};
    clv_cl_gemm gemm;
    char kernel;
    clv_status status = clv_cl_preferred(be, call, &kernel, err);
    if (status != CLV_OK) return status;
    const char other = kernel == CLV_CL_OWN ? CLV_CL_CLBLAST : CLV_CL_OWN;
    status = test_with(be, call, batch, kernel, &first);
    *word = '=';
    if (status == CLV_ERR_DEVICE && clv_cl_gemm_of(call, &gemm) &&
        test_with(be, call, batch, other, &second) == CLV_OK) {
        *word = other;
        return CLV_OK;
    }
    return status == CLV_OK ? CLV_OK : name_kernels(be, call, &first, err);
}

/* A tuned tiling that fails (the driver's compiler is not the same in all processes) gives way to the next best, at the
 * latest to the default. False where the default itself failed. */
static bool give_way(clv_opencl *be, const clv_call *call)
{
    clv_tiling tiling, usual;
    clv_hash key;
    if (clv_op_table[call->op].family != CLV_FAMILY_PRODUCT || clv_cl_tiling_of(be, call, &tiling, NULL) != CLV_OK ||
        clv_cl_call_key(be, call, &key, NULL) != CLV_OK)
        return false;
    clv_tiling_default(&be->head.info, call, &usual);
    if (clv_tiling_equal(&tiling, &usual)) return false;
    clv_text_append(&be->notices, "%s: a tuned kernel fails its self-test on %s, another is used instead\n", call->name,
                    be->head.info.name);
    return clv_cl_choices_add(be, CLV_CL_FAIL, key, &tiling, NULL) == CLV_OK;
}

/* What the file says is said again. */
static void notify_known(clv_opencl *be, const clv_call *call, const call_keys *keys)
{
    const clv_cl_verdict *other = clv_cl_verdict_find(be, keys->own);
    if (other && other->word != '=') notify(be, call, other->word);
}

/* Finds the verdict on a call. *changed: another kernel takes the call's place, in this process and those to come. */
static clv_status verdict_of(clv_opencl *be, const clv_call *call, const call_keys *keys, int batch, bool *tested,
                             bool *changed, clv_error *err)
{
    char word = '=';
    clv_status status = judge(be, call, batch, &word, err);
    if (status == CLV_ERR_DEVICE && give_way(be, call)) {
        *changed = true;
        return CLV_OK;
    }
    if (status == CLV_OK) status = clv_cl_verdict_add(be, word == '=' ? keys->within : keys->own, word, err);
    *tested |= status == CLV_OK;
    *changed = status == CLV_OK && word != '=';
    return status;
}

/* ---- who builds what ---- */

/* What is to be tested, one call of a kind. */
static clv_status list_jobs(clv_opencl *be, const clv_plan *plan, const call_keys *keys, clv_jobs *jobs, clv_error *err)
{
    const int groups = be->within->schedule.groups;
    clv_status status = clv_jobs_create(plan->calls + groups, 2 * groups, jobs, err);
    for (int i = 0; i < plan->calls && status == CLV_OK; i++) {
        const clv_cl_verdict *other = clv_cl_verdict_find(be, keys[i].own);
        bool repeat = clv_cl_verdict_find(be, keys[i].within) || (other && other->word != '=');
        for (int k = 0; k < jobs->jobs && !repeat; k++)
            repeat = !memcmp(&keys[jobs->job[k].call].within, &keys[i].within, sizeof keys->within);
        if (repeat) continue;
        const bool builds = clv_trial_applies(plan->call[i].op);
        clv_jobs_add(jobs, i, keys[i].need, builds ? keys[i].needs : 0);
    }
    return status;
}

static clv_status list_bundles(const clv_opencl *be, clv_cl_bundle *const *bundle, int bundles, clv_jobs *jobs,
                               clv_error *err)
{
    clv_job_need *need = clv_alloc((size_t)be->within->schedule.groups, sizeof *need, err);
    if (!need) return CLV_ERR_INTERNAL;
    for (int i = 0; i < bundles; i++) {
        int units = 0;
        for (size_t k = 0; k < be->bundles.members; k++) {
            const clv_cl_member *member = &be->bundles.member[k];
            if (member->length > 0 && !memcmp(&member->bundle, &bundle[i]->key, sizeof member->bundle))
                need[units++] = (clv_job_need){member->unit, member->length};
        }
        clv_jobs_add_bundle(jobs, bundle[i]->key, need, units);
    }
    free(need);
    return CLV_OK;
}

/* What of the plan is nowhere is built in bundles, one for each process. *shared: others help. */
static clv_status share_jobs(clv_opencl *be, const clv_plan *plan, clv_jobs *own, clv_jobs *jobs, bool *shared,
                             clv_cl_bundle **bundle, clv_error *err)
{
    clv_status status = CLV_OK;
    int bundles = 0;
    *jobs = *own;
    if (own->jobs == 0) return CLV_OK;
    const int wanted = clv_cl_builders_number(be, own->programs);
    CLV_TRY(clv_cl_bundles_make(be, be->within, bundle, &bundles, err));
    if (wanted == 0) goto done;
    CLV_TRY(list_bundles(be, bundle, bundles, own, err));
    *jobs = *own;
    *shared = clv_cl_builders_start(be, plan, own, wanted, jobs);
done:
    return status;
}

/* In the plan's order where nobody helps; else what others have built, or what nobody builds yet. A builder that seems
 * to be stuck is not waited for. */
static int next_job(clv_opencl *be, clv_jobs *jobs, bool shared)
{
    const time_t begun = time(NULL);
    const int first = clv_jobs_first(jobs);
    bool later;
    while (shared && first >= 0) {
        int i = clv_jobs_first_built(jobs);
        if (i < 0) i = clv_jobs_take(jobs, &later);
        if (i >= 0) return i;
        if (!clv_cl_builders_work(be) || time(NULL) - begun > PATIENCE) break;
        clv_cl_builders_nap();
    }
    return first;
}

static clv_cl_bundle *bundle_of_job(clv_cl_bundle *const *bundle, const clv_jobs *jobs, int job)
{
    const clv_hash *key = &jobs->program[jobs->job[job].program[0]].key;
    while (memcmp(&(*bundle)->key, key, sizeof *key) != 0) bundle++;
    return *bundle;
}

static clv_status test_jobs(clv_opencl *be, const clv_plan *plan, const call_keys *keys, clv_jobs *jobs, bool shared,
                            clv_cl_bundle *const *bundle, bool *tested, bool *changed, clv_error *err)
{
    clv_status status = CLV_OK;
    const bool whole = be->head.info.kind != CLV_DEVICE_CPU;
    const int batch = plan->batch < plan->lanes ? plan->batch : plan->lanes; /* in blocks: a block */
    for (int i; !*changed && (i = next_job(be, jobs, shared)) >= 0;) {
        be->tested = jobs->job[i].call;
        if (be->tested < 0)
            clv_cl_bundle_build(be, bundle_of_job(bundle, jobs, i));
        else
            CLV_TRY(verdict_of(be, &plan->call[be->tested], &keys[be->tested], batch, tested, changed, err));
        clv_jobs_built(jobs, i, whole);
        jobs->job[i].tested = true;
    }
done:
    return status;
}

clv_status clv_cl_verify(clv_opencl *be, const clv_plan *plan, const clv_cl_calls *calls, bool *changed, clv_error *err)
{
    clv_status status = CLV_OK;
    bool tested = false;
    clv_jobs own = {0}, jobs;
    bool shared = false;
    clv_cl_bundle *bundle[CLV_CL_BUILDERS + 1];
    call_keys *keys = clv_alloc((size_t)plan->calls, sizeof *keys, err);
    if (!keys) return CLV_ERR_INTERNAL;
    be->within = calls;
    for (int i = 0; i < plan->calls; i++) CLV_TRY(keys_of_call(be, i, &plan->call[i], &keys[i], err));
    for (int i = 0; i < plan->calls; i++) notify_known(be, &plan->call[i], &keys[i]);
    CLV_TRY(list_jobs(be, plan, keys, &own, err));
    CLV_TRY(share_jobs(be, plan, &own, &jobs, &shared, bundle, err));
    CLV_TRY(test_jobs(be, plan, keys, &jobs, shared, bundle, &tested, changed, err));
done:
    be->within = NULL;
    clv_cl_builders_close(be);
    if (tested) clv_cl_verdicts_save(be);
    clv_jobs_free(&own);
    free(keys);
    return status;
}
