/* The tuner of CLBlast's parameters. They hold for a process and not for a call, and changing them takes most of a
 * millisecond: a set is chosen for all products that CLBlast does in the plans, by the time of all together. From a
 * small table it goes on to neighbours of the best. As with tilings (tune.c), a set is held against the reference
 * before it is timed, on each product, a win has to show twice, and what is about to run is written down first. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/opencl/opencl.h"
#include "backend/selftest.h"
#include "base/log.h"
#include "base/memory.h"

#define MOST_CANDIDATES 24   /* where nothing else is asked for */
#define WIN             0.97 /* of the time before, at most */
#define LOOKS           3    /* at a product; the least of them counts */

/* One kind of call that CLBlast does: what the plans have of it, and how it is done now. */
typedef struct product {
    const clv_call *call;
    int batch, calls;
    size_t arena; /* of its plan, elements */
    clv_hash key;
    clv_cl_gemm gemm;
    clv_tiling tiling; /* with the best set */
    clv_selftest test;
} product;

typedef struct search {
    clv_opencl *be;
    const clv_tuning *tuning;
    product *product;
    int products;
    double deadline, before, seconds; /* of all products of a step: at first, and by the best set */
    clv_gemm_set best;
    clv_gemm_set *tried;
    size_t tries, capacity;
    int candidates, refused;
} search;

/* ---- the products ---- */

static product *find_product(search *s, clv_hash key)
{
    for (int i = 0; i < s->products; i++)
        if (!memcmp(&s->product[i].key, &key, sizeof key)) return &s->product[i];
    return NULL;
}

/* A plan after the first that has a product does not count its calls: evaluation has training's. */
static clv_status collect(search *s, const clv_plan *plan, clv_error *err)
{
    clv_status status = CLV_OK;
    const int before = s->products;
    for (int i = 0; i < plan->calls; i++) {
        product p = {.call = &plan->call[i], .batch = plan->batch, .calls = 1};
        bool clblast;
        if (!clv_cl_gemm_of(p.call, &p.gemm)) continue;
        CLV_TRY(clv_cl_uses_clblast(s->be, p.call, &clblast, err));
        if (!clblast) continue;
        CLV_TRY(clv_cl_call_key(s->be, p.call, &p.key, err));
        CLV_TRY(clv_cl_tiling_of(s->be, p.call, &p.tiling, err));
        product *known = find_product(s, p.key);
        if (known) {
            known->calls += known - s->product >= before;
            continue;
        }
        p.arena = plan->elements[CLV_SPACE_ARENA] + plan->elements[CLV_SPACE_HALF];
        s->product[s->products++] = p;
    }
done:
    return status;
}

/* ---- one set ---- */

/* From here on the product is CLBlast's, by this tiling and whatever is known, and programs are not tested again. */
static void suppose(search *s, const clv_cl_line *line)
{
    s->be->candidate = line;
    s->be->testing = line ? CLV_CL_CLBLAST : 0;
}

static clv_status check(search *s, product *p, const clv_cl_line *line, clv_error *err)
{
    clv_status status = CLV_OK;
    if (!p->test.wanted) CLV_TRY(clv_selftest_open(p->call, p->batch, &p->test, err));
    suppose(s, line);
    status = clv_selftest_run(&s->be->head, &p->test, err);
    suppose(s, NULL);
done:
    return status;
}

static clv_status measure(search *s, const product *p, const clv_cl_line *line, double *seconds, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_cl_stopwatch watch = {0};
    clv_program *program = NULL;
    CLV_TRY(clv_cl_stopwatch_open(s->be, p->call, p->batch, p->arena, &watch, err));
    suppose(s, line);
    status = clv_cl_stopwatch_program(&watch, &program, err);
    suppose(s, NULL);
    for (int i = 0; i < LOOKS && status == CLV_OK; i++) {
        double look;
        status = clv_cl_stopwatch_time(&watch, program, &look, err);
        if (i == 0 || look < *seconds) *seconds = look;
    }
done:
    clv_program_destroy(&s->be->head, program);
    clv_cl_programs_sweep(s->be);
    clv_cl_stopwatch_close(&watch);
    return status;
}

static clv_cl_line line_of(const product *p, const clv_gemm_set *set)
{
    clv_cl_line line = {CLV_CL_TRY, p->key, p->tiling};
    line.tiling.gemm = *set;
    return line;
}

/* Seconds of all products of a step by a set. */
static clv_status measure_all(search *s, const clv_gemm_set *set, double *seconds, clv_error *err)
{
    clv_status status = CLV_OK;
    *seconds = 0;
    for (int i = 0; i < s->products; i++) {
        const product *p = &s->product[i];
        const clv_cl_line line = line_of(p, set);
        double one = 0;
        CLV_TRY(measure(s, p, &line, &one, err));
        *seconds += p->calls * one;
    }
done:
    return status;
}

/* One that CLBlast does not compile or that computes something else is noted, and *right false. */
static clv_status check_all(search *s, const clv_gemm_set *set, bool *right, clv_error *err)
{
    clv_status status = CLV_OK;
    *right = true;
    for (int i = 0; i < s->products && *right; i++) {
        const clv_cl_line line = line_of(&s->product[i], set);
        clv_error refusal = {.status = CLV_OK};
        CLV_TRY(clv_cl_choices_add(s->be, CLV_CL_TRY, line.call, &line.tiling, err));
        status = check(s, &s->product[i], &line, &refusal);
        CLV_REQUIRE(status == CLV_OK || status == CLV_ERR_DEVICE, status, "%s", refusal.message);
        *right = status == CLV_OK;
        CLV_TRY(clv_cl_choices_add(s->be, *right ? CLV_CL_DONE : CLV_CL_FAIL, line.call, &line.tiling, err));
    }
done:
    return status;
}

/* The best one again beside it, unless that is CLBlast's own, which is gone. */
static clv_status wins(search *s, const clv_gemm_set *set, bool *yes, clv_error *err)
{
    clv_status status = CLV_OK;
    double best = s->seconds, first, again;
    *yes = false;
    CLV_TRY(measure_all(s, set, &first, err));
    s->candidates++;
    if (first > WIN * s->seconds) goto done;
    if (!clv_gemm_set_is_own(&s->best)) CLV_TRY(measure_all(s, &s->best, &best, err));
    CLV_TRY(measure_all(s, set, &again, err));
    *yes = again <= WIN * best;
    if (*yes) s->seconds *= again / best;
done:
    return status;
}

/* ---- the search ---- */

/* Sets tried here, those that failed or never came back, and those by which no product runs otherwise. */
static bool is_spent(const search *s, const clv_gemm_set *set)
{
    bool alike = !clv_gemm_set_is_own(&s->best);
    for (size_t i = 0; i < s->tries; i++)
        if (clv_gemm_set_equal(&s->tried[i], set)) return true;
    for (int i = 0; i < s->products; i++) {
        const product *p = &s->product[i];
        const clv_cl_line line = line_of(p, set);
        const clv_cl_word last = clv_cl_choices_last(s->be, p->key, &line.tiling);
        if (last == CLV_CL_TRY || last == CLV_CL_FAIL) return true;
        alike = alike && clv_gemm_set_alike(&s->best, set, p->gemm.m, p->gemm.n, p->gemm.k);
    }
    return alike;
}

static bool is_over(const search *s)
{
    const int most = s->tuning->candidates ? s->tuning->candidates : MOST_CANDIDATES;
    return s->candidates + s->refused >= most || clv_seconds() >= s->deadline || (s->tuning->stop && *s->tuning->stop);
}

static clv_status try_set(search *s, const clv_gemm_set *set, bool *won, clv_error *err)
{
    clv_status status = CLV_OK;
    bool right;
    *won = false;
    if (is_spent(s, set)) goto done;
    CLV_TRY(clv_grow(&s->tried, &s->capacity, s->tries + 1, sizeof *s->tried, err));
    s->tried[s->tries++] = *set;
    CLV_TRY(check_all(s, set, &right, err));
    if (right) CLV_TRY(wins(s, set, won, err));
    s->refused += !right;
    if (*won) s->best = *set;
done:
    return status;
}

/* A move that won is made again at once; rounds of all moves until none wins. */
static clv_status descend(search *s, clv_error *err)
{
    clv_status status = CLV_OK;
    const clv_device_info *device = &s->be->head.info;
    const int moves = clv_gemm_set_moves();
    clv_gemm_set next;
    bool won;
    for (int i = 0; !is_over(s) && clv_gemm_set_first(device, i, &next); i++) CLV_TRY(try_set(s, &next, &won, err));
    for (int i = 0, idle = 0; idle < moves; i = (i + 1) % moves, idle++) {
        won = true;
        while (won && !is_over(s) && clv_gemm_set_move(device, &s->best, i, &next)) {
            CLV_TRY(try_set(s, &next, &won, err));
            if (won) idle = -1;
        }
    }
done:
    return status;
}

/* ---- the outcome ---- */

static clv_status keep_best(search *s, clv_error *err)
{
    clv_status status = CLV_OK;
    for (int i = 0; i < s->products; i++) {
        product *p = &s->product[i];
        p->tiling.gemm = s->best;
        CLV_TRY(clv_cl_choices_add(s->be, CLV_CL_BEST, p->key, &p->tiling, err));
        CLV_TRY(clv_cl_vouch(s->be, p->call, err));
    }
done:
    return status;
}

static void tell(const search *s)
{
    clv_tuned tuned = {.call = "all of CLBlast's products",
                       .kernel = "CLBlast",
                       .calls = 1,
                       .candidates = s->candidates,
                       .refused = s->refused,
                       .before = s->before * 1e6,
                       .after = s->seconds * 1e6};
    clv_tiling_print(&s->product[0].tiling, tuned.choice);
    if (s->tuning->tell) s->tuning->tell(s->tuning->context, &tuned);
}

static clv_status run(search *s, clv_error *err)
{
    clv_status status = CLV_OK;
    const clv_gemm_set first = s->best;
    CLV_TRY(measure_all(s, &first, &s->before, err)); /* CLBlast's own cannot be had later */
    s->seconds = s->before;
    CLV_TRY(descend(s, err));
    if (!clv_gemm_set_equal(&first, &s->best)) CLV_TRY(keep_best(s, err));
    tell(s);
done:
    return status;
}

clv_status clv_cl_gemm_tune(clv_backend *head, const clv_plan *const *plan, int plans, const clv_tuning *tuning,
                            clv_error *err)
{
    clv_status status = CLV_OK;
    search s = {.be = (clv_opencl *)head, .tuning = tuning, .deadline = clv_seconds() + tuning->seconds};
    size_t calls = 1;
    for (int i = 0; i < plans; i++) calls += (size_t)plan[i]->calls;
    if (!(s.product = clv_alloc(calls, sizeof *s.product, err))) return CLV_ERR_INTERNAL;
    for (int i = 0; i < plans; i++) CLV_TRY(collect(&s, plan[i], err));
    if (s.products == 0 || is_over(&s)) goto done;
    s.best = s.product[0].tiling.gemm;
    CLV_TRY(run(&s, err));
done:
    for (int i = 0; i < s.products; i++) clv_selftest_close(&s.product[i].test);
    free(s.product);
    free(s.tried);
    return status;
}
