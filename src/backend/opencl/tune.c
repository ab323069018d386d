/* The tuner: coordinate descent from the tiling in force, one kind of call after another, those that take longest
 * first. A candidate is held against the reference before it is timed, and a win counts when it is clear and shows
 * twice. What is about to run is written to the file of choices first, so that one that takes the process with it is
 * not tried again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/opencl/opencl.h"
#include "backend/opencl/product.h"
#include "backend/selftest.h"
#include "base/log.h"
#include "base/memory.h"

_Static_assert(sizeof((clv_tuned *)0)->choice >= CLV_TILING_TEXT, "a choice has room for any tiling's text");

#define MOST_CANDIDATES 60   /* of a kind of call, where nothing else is asked for */
#define WIN             0.97 /* of the time before, at most */

/* One kind of call: what the plans have of it, and what is known. */
typedef struct kind {
    const clv_call *call;
    int batch, calls;
    size_t arena; /* of its plan, elements */
    clv_hash key;
    double seconds; /* a call */
} kind;

typedef struct tuner {
    clv_opencl *be;
    const clv_tuning *tuning;
    kind *kind;
    int kinds;
    double deadline; /* of all, and of the kind at hand */
    double kind_deadline;
    const kind *at;
    clv_selftest test;
    clv_cl_stopwatch watch;
    clv_cl_line best; /* the tiling in force for the kind at hand, and its program */
    clv_program *program;
    clv_tuned tuned;
    double share; /* of the time before */
} tuner;

/* ---- the kinds ---- */

static kind *find_kind(tuner *t, clv_hash key)
{
    for (int i = 0; i < t->kinds; i++)
        if (!memcmp(&t->kind[i].key, &key, sizeof key)) return &t->kind[i];
    return NULL;
}

/* A plan after the first that has a kind does not count its calls: evaluation has training's. */
static clv_status collect(tuner *t, const clv_plan *plan, clv_error *err)
{
    clv_status status = CLV_OK;
    const int before = t->kinds;
    for (int i = 0; i < plan->calls; i++) {
        const clv_call *call = &plan->call[i];
        clv_hash key;
        if (clv_op_table[call->op].family != CLV_FAMILY_PRODUCT) continue;
        CLV_TRY(clv_cl_call_key(t->be, call, &key, err));
        if (t->be->gemm == CLV_GEMM_CLBLAST && clv_product_is_linear(call)) continue; /* not clave's own to tune */
        if (t->tuning->first_runs && clv_cl_choices_last(t->be, key, NULL) != CLV_CL_UNKNOWN) continue;
        kind *known = find_kind(t, key);
        if (known)
            known->calls += known - t->kind >= before;
        else
            t->kind[t->kinds++] = (kind){.call = call,
                                         .batch = clv_least(plan->batch, plan->lanes),
                                         .calls = 1,
                                         .arena = plan->elements[CLV_SPACE_ARENA] + plan->elements[CLV_SPACE_HALF],
                                         .key = key};
    }
done:
    return status;
}

static double weight(const kind *k) { return k->seconds * k->calls; }

static int by_weight(const void *a, const void *b)
{
    const double x = weight(a), y = weight(b);
    return x < y ? 1 : x > y ? -1 : 0;
}

/* ---- one candidate ---- */

static char kernel_of(const clv_tiling *tiling) { return tiling->clblast ? CLV_CL_CLBLAST : CLV_CL_OWN; }

/* A program of the watch's calls by a tiling. Within it programs are not tested again, and what is released stays until
 * the sweep, so that test and watch share what was compiled. */
static clv_status make_program(tuner *t, const clv_cl_line *line, clv_program **program, clv_error *err)
{
    t->be->candidate = line;
    t->be->testing = kernel_of(&line->tiling);
    clv_status status = clv_cl_stopwatch_program(&t->watch, program, err);
    t->be->testing = 0;
    t->be->candidate = NULL;
    return status;
}

static clv_status check(tuner *t, const clv_cl_line *line, clv_error *err)
{
    t->be->candidate = line;
    t->be->testing = kernel_of(&line->tiling);
    clv_status status = clv_selftest_run(&t->be->head, &t->test, err);
    t->be->testing = 0;
    t->be->candidate = NULL;
    return status;
}

/* Programs that lost are not worth a place in the cache. */
static void destroy_program(tuner *t, clv_program *program, bool keep)
{
    t->be->discard = !keep;
    clv_program_destroy(&t->be->head, program);
    clv_cl_programs_sweep(t->be);
    t->be->discard = false;
}

static bool is_over(const tuner *t, double deadline)
{
    return clv_seconds() >= deadline || (t->tuning->stop && *t->tuning->stop);
}

/* Whether the candidate is clearly faster; *program is its own, to destroy. */
static clv_status time_candidate(tuner *t, const clv_cl_line *line, clv_program **program, bool *wins, clv_error *err)
{
    clv_status status = CLV_OK;
    double share = 1, again = 1;
    CLV_TRY(check(t, line, err));
    CLV_TRY(make_program(t, line, program, err));
    CLV_TRY(clv_cl_stopwatch_compare(&t->watch, t->program, *program, &share, err));
    if (share <= WIN) CLV_TRY(clv_cl_stopwatch_compare(&t->watch, t->program, *program, &again, err));
    *wins = share <= WIN && again <= WIN;
    t->tuned.candidates++;
    if (*wins) t->share *= (share + again) / 2;
done:
    return status;
}

static clv_status win(tuner *t, const clv_cl_line *line, clv_program *program, clv_error *err)
{
    clv_status status = clv_cl_choices_add(t->be, CLV_CL_BEST, line->call, &line->tiling, err);
    if (status != CLV_OK) return status;
    destroy_program(t, t->program, false);
    t->program = program;
    t->best = *line;
    return clv_cl_vouch(t->be, t->at->call, err);
}

/* One that does not compile or computes something else is noted and passed over. */
static clv_status try_candidate(tuner *t, const clv_tiling *tiling, bool *wins, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_error refusal = {.status = CLV_OK};
    clv_program *program = NULL;
    const clv_cl_line line = {CLV_CL_TRY, t->at->key, *tiling};
    *wins = false;
    CLV_TRY(clv_cl_choices_add(t->be, CLV_CL_TRY, line.call, tiling, err));
    status = time_candidate(t, &line, &program, wins, &refusal);
    CLV_REQUIRE(status == CLV_OK || status == CLV_ERR_DEVICE, status, "%s", refusal.message);
    t->tuned.refused += status != CLV_OK;
    CLV_TRY(clv_cl_choices_add(t->be, status == CLV_OK ? CLV_CL_DONE : CLV_CL_FAIL, line.call, tiling, err));
    if (*wins) {
        CLV_TRY(win(t, &line, program, err));
        program = NULL;
    }
done:
    destroy_program(t, program, false);
    return status;
}

/* ---- one kind of call ---- */

/* Tilings tried here, and those of earlier processes that failed or never came back. */
static bool is_spent(const tuner *t, const clv_tiling *tiling, size_t since)
{
    const clv_cl_choices *c = &t->be->choices;
    const clv_cl_word last = clv_cl_choices_last(t->be, t->at->key, tiling);
    if (last == CLV_CL_TRY || last == CLV_CL_FAIL) return true;
    for (size_t i = since; i < c->lines; i++)
        if (!memcmp(&c->line[i].call, &t->at->key, sizeof t->at->key) && clv_tiling_equal(&c->line[i].tiling, tiling))
            return true;
    return false;
}

/* A move that won is made again at once; rounds of all moves until none wins. */
static clv_status descend(tuner *t, clv_error *err)
{
    clv_status status = CLV_OK;
    const size_t since = t->be->choices.lines;
    const int moves = clv_tiling_moves(t->at->call),
              most = t->tuning->candidates ? t->tuning->candidates : MOST_CANDIDATES;
    for (int i = 0, idle = 0; idle < moves; i = (i + 1) % moves, idle++) {
        clv_tiling next;
        bool wins = true;
        while (wins && clv_tiling_move(&t->be->head.info, t->at->call, &t->best.tiling, i, &next) &&
               !is_spent(t, &next, since)) {
            if (next.clblast != t->best.tiling.clblast && t->be->gemm != CLV_GEMM_AUTO) break;
            if (t->tuned.candidates + t->tuned.refused >= most || is_over(t, t->kind_deadline)) goto done;
            CLV_TRY(try_candidate(t, &next, &wins, err));
            if (wins) idle = -1;
        }
    }
done:
    return status;
}

/* The kernel that takes longest of a product is the one named as the op's form is: the last but for sums of parts. */
static void describe(tuner *t)
{
    clv_launch_list list;
    const clv_call *call = t->at->call;
    snprintf(t->tuned.call, sizeof t->tuned.call, "%.60s (%s)", call->name, clv_op_table[call->op].name);
    clv_tiling_print(&t->best.tiling, t->tuned.choice);
    snprintf(t->tuned.kernel, sizeof t->tuned.kernel, "%s", t->best.tiling.clblast ? "CLBlast" : "");
    if (t->best.tiling.clblast || clv_launches_of(&t->be->head.info, call, &t->best.tiling, &list, NULL) != CLV_OK)
        return;
    for (int i = 0; i < list.launches; i++)
        if (strstr(list.launch[i].kernel, "_packed") || strstr(list.launch[i].kernel, "_direct"))
            snprintf(t->tuned.kernel, sizeof t->tuned.kernel, "%s", list.launch[i].kernel);
}

static clv_status open_kind(tuner *t, const kind *k, clv_error *err)
{
    clv_status status = CLV_OK;
    t->at = k;
    t->best = (clv_cl_line){.call = k->key};
    CLV_TRY(clv_cl_tiling_of(t->be, k->call, &t->best.tiling, err));
    CLV_TRY(clv_cl_stopwatch_open(t->be, k->call, k->batch, k->arena, &t->watch, err));
    CLV_TRY(make_program(t, &t->best, &t->program, err));
done:
    return status;
}

static void close_kind(tuner *t)
{
    destroy_program(t, t->program, true);
    t->program = NULL;
    clv_cl_stopwatch_close(&t->watch);
    clv_selftest_close(&t->test);
    t->test = (clv_selftest){0};
}

/* A first look at all kinds, to know which matter. */
static clv_status weigh(tuner *t, clv_error *err)
{
    clv_status status = CLV_OK;
    for (int i = 0; i < t->kinds && status == CLV_OK; i++) {
        status = open_kind(t, &t->kind[i], err);
        if (status == CLV_OK) status = clv_cl_stopwatch_time(&t->watch, t->program, &t->kind[i].seconds, err);
        close_kind(t);
    }
    qsort(t->kind, (size_t)t->kinds, sizeof *t->kind, by_weight);
    return status;
}

static clv_status tune_kind(tuner *t, const kind *k, clv_error *err)
{
    clv_status status = CLV_OK;
    t->tuned = (clv_tuned){.calls = k->calls};
    t->share = 1;
    CLV_TRY(open_kind(t, k, err));
    CLV_TRY(clv_selftest_open(k->call, k->batch, &t->test, err));
    CLV_TRY(descend(t, err));
    t->tuned.before = k->seconds * 1e6;
    t->tuned.after = k->seconds * t->share * 1e6;
    describe(t);
    if (t->tuning->tell) t->tuning->tell(t->tuning->context, &t->tuned);
done:
    close_kind(t);
    return status;
}

/* Each kind gets of the time that is left what its share of the kinds that are left is, and half as much again: some
 * are soon done. */
static clv_status tune_kinds(tuner *t, clv_error *err)
{
    clv_status status = CLV_OK;
    for (int i = 0; i < t->kinds && !is_over(t, t->deadline); i++) {
        double left = 0;
        for (int j = i; j < t->kinds; j++) left += weight(&t->kind[j]);
        const double now = clv_seconds(), part = left > 0 ? 1.5 * weight(&t->kind[i]) / left : 1;
        t->kind_deadline = now + (t->deadline - now) * (part < 1 ? part : 1);
        CLV_TRY(tune_kind(t, &t->kind[i], err));
    }
done:
    return status;
}

clv_status clv_cl_tune(clv_backend *head, const clv_plan *const *plan, int plans, const clv_tuning *tuning,
                       clv_error *err)
{
    clv_opencl *be = (clv_opencl *)head;
    clv_status status = CLV_OK;
    tuner t = {.be = be, .tuning = tuning};
    size_t calls = 0;
    if (!be->tuned || be->record || (tuning->unmeasured && clv_tiling_is_measured(&head->info))) return CLV_OK;
    if (!be->choices.loaded) CLV_TRY(clv_cl_choices_load(be, err));
    if (tuning->gemm) return clv_cl_gemm_tune(head, plan, plans, tuning, err);
    for (int i = 0; i < plans; i++) calls += (size_t)plan[i]->calls;
    if (!(t.kind = clv_alloc(calls ? calls : 1, sizeof *t.kind, err))) return CLV_ERR_INTERNAL;
    for (int i = 0; i < plans; i++) CLV_TRY(collect(&t, plan[i], err));
    CLV_TRY(weigh(&t, err));
    t.deadline = clv_seconds() + tuning->seconds; /* from here: what was compiled so far, the run needs anyway */
    CLV_TRY(tune_kinds(&t, err));
done:
    free(t.kind);
    return status;
}
