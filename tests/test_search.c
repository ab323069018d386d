/* Searches without a device: rows of [space], the methods as pure functions, importance, and a study that processes
 * share while some of them are killed. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "clave/search.h"
#include "search/importance.h"
#include "search/study_parts.h"
#include "support.h"

#define NETWORK                                                                                                        \
    "[params]\nh = 8\nrate = 0\n[encoder]\na = linear units=$h act=relu\nb = linear units=2\n[decoder]\nc = linear "   \
    "units=784\nd = reshape channels=1 height=28 width=28\n"
#define MOST_TRIALS 400

static clv_config *parse(const char *rows)
{
    char text[4096];
    clv_config *config = NULL;
    snprintf(text, sizeof text, NETWORK "%s", rows);
    assert_ok(clv_config_parse("x.ini", text, strlen(text), NULL, 0, &config, NULL, err));
    return config;
}

/* The plan of a configuration, which must outlive it. */
static clv_search_plan plan_of(const clv_config *config)
{
    clv_search_plan plan = {0};
    assert_ok(clv_search_plan_read(config, &plan, err));
    return plan;
}

/* ---- rows ---- */

static void reads_rows(void **state)
{
    (void)state;
    clv_config *c = parse("[space]\nparams.h = 8, 16 , 32\ntrain.lr = log 1e-5..1e-2\ntrain.batch = 16..64\n"
                          "train.l2 = 0..0.5\ntrain.optimizer = adam, sgd\nencoder.b.units = log int 2..8\n");
    const clv_dimension *d;
    assert_int_equal(clv_config_space(c, &d), 6);
    assert_string_equal(d[0].key, "params.h");
    assert_string_equal(d[0].where, "x.ini:11");
    assert_int_equal(d[0].items, 3);
    assert_string_equal(d[0].item[1], "16");
    assert_true(d[0].number && d[0].number[2] == 32);
    assert_true(!d[1].item && d[1].log && !d[1].integer && d[1].low == 1e-5 && d[1].high == 1e-2);
    assert_true(d[2].integer && !d[2].log && d[2].low == 16 && d[2].high == 64);
    assert_true(!d[3].integer && d[3].low == 0 && d[3].high == 0.5);
    assert_true(d[4].items == 2 && !d[4].number);
    assert_true(d[5].integer && d[5].log);
    clv_config_destroy(c);
}

static void expect_refusal(const char *rows, const char *part)
{
    char text[4096];
    clv_config *config = NULL;
    snprintf(text, sizeof text, NETWORK "%s", rows);
    assert_refused(clv_config_parse("x.ini", text, strlen(text), NULL, 0, &config, NULL, err), CLV_ERR_CONFIG, part);
}

static void refuses_rows(void **state)
{
    (void)state;
    expect_refusal("[space]\nh = 1, 2\n", "x.ini:11: 'h' in [space]: write section.key, such as params.h");
    expect_refusal("[space]\nparams.hh = 1, 2\n", "x.ini:11: with params.hh=1: [params] has no 'hh' to replace");
    expect_refusal("[space]\ntrain.batc = 1, 2\n", "did you mean 'batch'?");
    expect_refusal("[space]\nencoder.a.unit = 1, 2\n", "did you mean 'units'?");
    expect_refusal("[space]\nparams.h = 8, 0\n", "x.ini:11: with params.h=0: x.ini:5: a: units = 0: must be an integer");
    expect_refusal("[space]\ntrain.lr = 1e-3, fast\n", "with train.lr=fast: train.lr = fast: must be a number above 0");
    expect_refusal("[space]\ntrain.lr = -1..1\n", "with train.lr=-1");
    expect_refusal("[space]\ntrain.lr = 1e-2..1e-3\n", "the low end of a range is below its high end");
    expect_refusal("[space]\ntrain.l2 = log 0..1\n", "a logarithmic range lies above 0");
    expect_refusal("[space]\ntrain.lr = log 3\n", "'log' and 'int' stand before a range");
    expect_refusal("[space]\ntrain.lr = 1e-3..x\n", "a range is two numbers, low..high");
    expect_refusal("[space]\nparams.h = int 1.5..4\n", "a range of whole numbers has whole ends");
    expect_refusal("[space]\nparams.h = 8,, 16\n", "a value is missing beside a comma");
    expect_refusal("[space]\nparams.h = 8, 16, 8\n", "the same value stands there twice");
    expect_refusal("[space]\ntrain.lr = 0.001, 0.1, 1e-3\n", "the same value stands there twice");
    expect_refusal("[space]\nsearch.trials = 8, 16\n", "a search does not vary itself");
    expect_refusal("[space]\ntrain.epochs = 8, 16\n", "search.max_epochs says how long");
    expect_refusal("[search]\nmonitor = val.kl\n", "x.ini:11: with early_stopping.monitor=val.kl");
}

static void multiplies_parameters(void **state)
{
    (void)state;
    static const char *const overrides[] = {"params.h=6"};
    const char *text =
        "[params]\nh = 8\nflat = $h * 9 *  2\nstar = a* *\n[encoder]\na = linear units=$flat\n[decoder]\nb = "
        "linear units=784\n";
    const clv_layer *layer;
    for (int i = 0; i < 2; i++) {
        clv_config *config = NULL;
        assert_ok(clv_config_parse("x.ini", text, strlen(text), overrides, i, &config, NULL, err));
        clv_config_layers(config, "encoder", &layer);
        assert_int_equal(clv_layer_int(layer, "units"), i ? 108 : 144);
        clv_config_destroy(config);
    }
    expect_refusal("[train]\nlr = 2 * 3\n", "train.lr = 2 * 3: must be a number");
    const char *bad[][2] = {{"x = 3 * y\n", "x = 3 * y: a product takes whole numbers"},
                            {"x = 1.5 * 2\n", "takes whole numbers"},
                            {"x = 4294967296 * 4294967296\n", "the product is above"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char made[512];
        clv_config *config = NULL;
        snprintf(made, sizeof made, "[params]\n%s[encoder]\na = linear units=2\n[decoder]\nb = linear units=784\n",
                 bad[i][0]);
        assert_refused(clv_config_parse("x.ini", made, strlen(made), NULL, 0, &config, NULL, err), CLV_ERR_CONFIG,
                       bad[i][1]);
    }
}

/* What a search keeps of its experiment: parameters still reach what refers to them. */
static void flattens(void **state)
{
    (void)state;
    static const char *const given[] = {"encoder.a.units=$rate", "train.lr=0.5", "space.train.l2=0, 1",
                                        "encoder.b.act=tanh"};
    static const char *const later[] = {"params.rate=77"};
    const char *text = NETWORK "[space]\nparams.h = 8, 9\n";
    char *whole = NULL, *plain = NULL;
    clv_config *config = NULL;
    const clv_dimension *dimension;
    const clv_layer *layer;
    assert_ok(clv_config_flatten("x.ini", text, strlen(text), given, 4, true, &whole, err));
    assert_ok(clv_config_parse("y.ini", whole, strlen(whole), later, 1, &config, NULL, err));
    assert_int_equal(clv_config_space(config, &dimension), 2);
    assert_string_equal(dimension[1].text, "0, 1");
    clv_config_layers(config, "encoder", &layer);
    assert_int_equal(clv_layer_int(&layer[0], "units"), 77);
    assert_string_equal(clv_layer_string(&layer[0], "act"), "relu");
    assert_string_equal(clv_layer_string(&layer[1], "act"), "tanh");
    assert_true(clv_config_real(config, "train.lr") == 0.5);
    assert_ok(clv_config_flatten("y.ini", whole, strlen(whole), NULL, 0, false, &plain, err));
    assert_null(strstr(plain, "[space]"));
    clv_config_destroy(config);
    free(whole);
    free(plain);
}

/* ---- spaces and plans ---- */

static void prints_and_reads_points(void **state)
{
    (void)state;
    clv_config *c = parse(
        "[space]\ntrain.lr = log 1e-5..1e-2\ntrain.batch = 3..7\ntrain.l2 = 0.1..0.7\ntrain.optimizer = adam, sgd\n"
        "params.h = log int 1..3\n");
    const clv_dimension *dimension;
    int dimensions = clv_config_space(c, &dimension);
    clv_search_space space = clv_space_of(dimension, dimensions);
    clv_random random = clv_random_start(3, 1);
    int batch[8] = {0};
    double point[CLV_MAX_DIMENSIONS], sum = 0;
    assert_int_equal(dimensions, 5);
    assert_int_equal(space.points, 0);
    for (int i = 0; i < 5000; i++) {
        clv_space_draw(&space, &random, point);
        for (int d = 0; d < 5; d++) {
            char text[CLV_SETTING_SIZE];
            double again;
            clv_space_print(&dimension[d], point[d], text);
            assert_true(clv_space_read(&dimension[d], text, &again));
            assert_true(again == point[d]);
        }
        batch[(int)point[1]]++;
        sum += log10(point[0]);
    }
    /* 5000 draws: a fifth each within 5 standard deviations (28), the mean exponent within 5 (of 3 / sqrt(12 * 5000)).
     */
    for (int i = 3; i <= 7; i++) assert_in_range(batch[i], 1000 - 141, 1000 + 141);
    assert_true(fabs(sum / 5000 + 3.5) < 0.062);
    assert_false(clv_space_read(&dimension[1], "8", point));
    assert_false(clv_space_read(&dimension[1], "3.5", point));
    assert_false(clv_space_read(&dimension[3], "adamw", point));
    assert_false(clv_space_read(&dimension[0], "0", point));
    assert_false(clv_space_read(&dimension[0], "-1e-8", point));
    assert_true(clv_space_read(&dimension[0], "9.99999e-6", point)); /* an end as six digits may give it */
    for (int d = 0; d < 3; d++)
        for (int i = 0; i < 2; i++) {
            const double share = clv_space_share(&dimension[d], i ? 1e9 : 0);
            assert_true(share >= 0 && share <= 1);
        }
    clv_config_destroy(c);
}

static void plans(void **state)
{
    (void)state;
    clv_config *c = parse("[search]\nmethod = asha\nmin_epochs = 2\nmax_epochs = 20\nreduction = 3\ntrials = 0\n"
                          "first = 16, 1e-3 | 8, 0.1\n[space]\nparams.h = 8, 16\ntrain.lr = 0.1, 0.001\n");
    clv_search_plan plan = plan_of(c);
    assert_int_equal(plan.rungs, 3);
    assert_int_equal(plan.epochs[0], 2);
    assert_int_equal(plan.epochs[1], 6);
    assert_int_equal(plan.epochs[2], 20);
    assert_int_equal(plan.trials, 4);
    assert_int_equal(plan.firsts, 2);
    assert_true(plan.first[0] == 1 && plan.first[1] == 1 && plan.first[CLV_MAX_DIMENSIONS] == 0);
    clv_search_plan_free(&plan);
    clv_config_destroy(c);
    static const char *const bad[][2] = {
        {"", "there is nothing to search"},
        {"[search]\nmethod = grid\n[space]\ntrain.lr = 0.1..0.2\n", "a grid needs lists alone"},
        {"[search]\nmethod = random\ntrials = 0\n[space]\ntrain.lr = 0.1..0.2\n",
         "x.ini:12: search.trials = 0 is every point"},
        {"[search]\nfirst = 3\n[space]\nparams.h = 8, 16\n", "x.ini:11: search.first: '3' is no value of params.h"},
        {"[search]\nfirst = 0\n[space]\ntrain.lr = log 1e-6..1\n", "'0' is no value of train.lr"},
        {"[search]\nfirst = 200001\n[space]\nparams.h = int 4..200000\n", "'200001' is no value of params.h"},
        {"[search]\nfirst = 8, 8\n[space]\nparams.h = 8, 16\n", "a point has 1 values"},
        {"[search]\nfirst = 8 | 8\n[space]\nparams.h = 8, 16\n", "the same point twice"},
        {"[search]\nmin_epochs = 9\nmax_epochs = 8\n[space]\nparams.h = 8, 16\n", "search.min_epochs is 9"},
        {"[search]\ntrials = 1\nfirst = 8 | 16\n[space]\nparams.h = 8, 16\n", "search.first has 2 points"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        c = parse(bad[i][0]);
        assert_refused(clv_search_plan_read(c, &plan, err), CLV_ERR_CONFIG, bad[i][1]);
        clv_config_destroy(c);
    }
}

/* ---- methods ---- */

typedef double (*objective)(const clv_search_space *space, const double *point, int rung);

static clv_trial trial[MOST_TRIALS];

static void begin(const clv_job *job)
{
    clv_trial *t = &trial[job->trial];
    if (isnan(t->value[0])) memcpy(t->point, job->point, sizeof t->point);
    t->state = CLV_TRIAL_RUNNING;
    t->rung = job->rung;
}

static void clear_trials(void)
{
    for (int i = 0; i < MOST_TRIALS; i++) {
        trial[i] = (clv_trial){.rung = -1};
        for (int k = 0; k < CLV_MAX_RUNGS; k++) trial[i].value[k] = NAN;
    }
}

/* A whole search with one worker; returns the number of trials. */
static int run_alone(const clv_search_plan *plan, objective f)
{
    int trials = 0;
    clv_job job;
    clear_trials();
    for (;;) {
        assert_ok(clv_choose(plan, trial, trials, &job, err));
        if (job.kind == CLV_JOB_NONE) return trials;
        assert_int_equal(job.kind, CLV_JOB_TRAIN);
        begin(&job);
        if (job.trial == trials) trials++;
        trial[job.trial].value[job.rung] = f(&plan->space, trial[job.trial].point, job.rung);
        trial[job.trial].state = CLV_TRIAL_DONE;
    }
}

static double flat(const clv_search_space *space, const double *point, int rung)
{
    (void)space, (void)point, (void)rung;
    return 1;
}

#define GRID "[space]\nparams.h = 8, 16, 24\ntrain.lr = 0.1, 0.2\ntrain.l2 = 0, 1, 2, 3\n"

/* grid in order, random in another; with a first point before; never one twice, never one less. */
static void covers_the_grid(void **state)
{
    (void)state;
    static const char *const methods[] = {"method = grid\n", "method = random\n", "method = grid\nfirst = 24, 0.1, 2\n",
                                          "method = tpe\nstartup = 3\n",
                                          "method = asha\nfirst = 24, 0.1, 2\nmax_epochs = 9\n"};
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        char text[512];
        int seen[24] = {0}, in_order = 0;
        snprintf(text, sizeof text, "[search]\ntrials = 0\n%s" GRID, methods[m]);
        clv_config *c = parse(text);
        clv_search_plan plan = plan_of(c);
        assert_int_equal(plan.trials, 24);
        assert_int_equal(run_alone(&plan, flat), 24);
        for (int i = 0; i < 24; i++) {
            int64_t index = clv_space_index(&plan.space, trial[i].point);
            double again[CLV_MAX_DIMENSIONS];
            clv_space_point(&plan.space, index, again);
            assert_true(clv_space_same(&plan.space, again, trial[i].point));
            seen[index]++;
            in_order += index == i;
        }
        for (int i = 0; i < 24; i++) assert_int_equal(seen[i], 1);
        assert_true(m == 0 ? in_order == 24 : in_order < 24);
        if (m == 2 || m == 4) assert_int_equal(clv_space_index(&plan.space, trial[0].point), 18);
        clv_search_plan_free(&plan);
        clv_config_destroy(c);
    }
}

/* Whether trial `who` is among the best floor(n / reduction) of the n with a result in its rung, told apart from the
 * code. */
static bool in_the_top(const clv_search_plan *plan, int trials, int who, int rung)
{
    int n = 0, better = 0;
    for (int i = 0; i < trials; i++) {
        bool failed_here = trial[i].state == CLV_TRIAL_FAILED && trial[i].rung == rung;
        n += !isnan(trial[i].value[rung]) || failed_here;
        better += trial[i].value[rung] < trial[who].value[rung];
    }
    return better < n / plan->reduction;
}

static double spread(const clv_search_space *space, const double *point, int rung)
{
    (void)space;
    return fabs(log10(point[0]) + 2.3) + 1.0 / (1 + rung);
}

#define ASHA                                                                                                           \
    "[search]\nmethod = asha\ntrials = 81\nmin_epochs = 1\nmax_epochs = 27\nreduction = 3\n[space]\ntrain.lr = log "   \
    "1e-5..1\n"

/* Eight workers that end in random order, some trials failing: nobody goes up from outside the top third, a failed
 * trial never, one rung at a time; in the end each of a rung's top third has gone up, and the best of all is at the
 * top. */
static void promotes_the_best(void **state)
{
    (void)state;
    clv_config *c = parse(ASHA);
    clv_search_plan plan = plan_of(c);
    for (uint32_t seed = 0; seed < 30; seed++) {
        clv_random random = clv_random_start(seed, 5);
        int trials = 0, running[8], workers = 0, ups = 0, count[4] = {0};
        bool over = false;
        clear_trials();
        while (!over || workers) {
            clv_job job = {.kind = CLV_JOB_WAIT};
            if (workers < 8) assert_ok(clv_choose(&plan, trial, trials, &job, err));
            over = job.kind == CLV_JOB_NONE;
            if (job.kind == CLV_JOB_TRAIN) {
                if (job.trial < trials) {
                    assert_int_equal(trial[job.trial].state, CLV_TRIAL_DONE);
                    assert_int_equal(job.rung, trial[job.trial].rung + 1);
                    assert_true(in_the_top(&plan, trials, job.trial, job.rung - 1));
                    ups++;
                }
                begin(&job);
                if (job.trial == trials) trials++;
                running[workers++] = job.trial;
            } else if (workers) {
                uint32_t which = clv_random_below(&random, (uint32_t)workers);
                clv_trial *t = &trial[running[which]];
                running[which] = running[--workers];
                t->state = clv_random_below(&random, 10) ? CLV_TRIAL_DONE : CLV_TRIAL_FAILED;
                if (t->state == CLV_TRIAL_DONE) t->value[t->rung] = spread(&plan.space, t->point, t->rung);
            }
        }
        assert_int_equal(trials, 81);
        for (int rung = 0; rung < 4; rung++)
            for (int i = 0; i < trials; i++) {
                count[rung] += trial[i].rung >= rung;
                if (rung < 3 && trial[i].state == CLV_TRIAL_DONE && trial[i].rung == rung)
                    assert_false(in_the_top(&plan, trials, i, rung));
            }
        assert_int_equal(count[0], 81);
        assert_true(count[1] >= 27 && count[2] >= count[1] / 3 && count[3] >= count[2] / 3 && count[3] > 0);
        assert_int_equal(ups, count[1] + count[2] + count[3]);
    }
    clv_search_plan_free(&plan);
    clv_config_destroy(c);
}

/* One worker: the same every time, and successive halving's economy: of 81 trials few see the last rung. */
static void asha_repeats(void **state)
{
    (void)state;
    static clv_trial before[MOST_TRIALS];
    clv_config *c = parse(ASHA);
    clv_search_plan plan = plan_of(c);
    assert_int_equal(run_alone(&plan, spread), 81);
    memcpy(before, trial, sizeof before);
    assert_int_equal(run_alone(&plan, spread), 81);
    int top = 0, best = 0;
    for (int i = 0; i < 81; i++) {
        assert_true(clv_space_same(&plan.space, before[i].point, trial[i].point) && before[i].rung == trial[i].rung);
        top += trial[i].rung == 3;
        if (spread(&plan.space, trial[i].point, 0) < spread(&plan.space, trial[best].point, 0)) best = i;
    }
    assert_int_equal(trial[best].rung, 3);
    assert_true(top >= 3 && top < 16);
    clv_search_plan_free(&plan);
    clv_config_destroy(c);
}

/* A trial that went up and diverged there is the last of all; where it was measured before it keeps its place. */
static void ranks_failed_last(void **state)
{
    (void)state;
    clear_trials();
    for (int i = 0; i < 6; i++) trial[i].state = CLV_TRIAL_DONE, trial[i].rung = 0, trial[i].value[0] = i + 1;
    assert_int_equal(clv_asha_promote(2, 3, trial, 6), 0);
    trial[0].rung = 1;
    trial[0].state = CLV_TRIAL_FAILED;
    assert_true(isinf(clv_trial_result(&trial[0])));
    assert_true(clv_trial_result(&trial[1]) == 2);
    assert_int_equal(clv_asha_promote(2, 3, trial, 6), 1); /* two of six go up: the failed one was one of them */
    trial[1].rung = 1;
    assert_int_equal(clv_asha_promote(2, 3, trial, 6), -1);
}

/* A rate and a penalty with a narrow valley, and a word that shifts it. The best is 0. */
static double valley(const clv_search_space *space, const double *point, int rung)
{
    (void)rung;
    double x = clv_space_share(&space->dimension[0], point[0]) - 0.7,
           y = clv_space_share(&space->dimension[1], point[1]) - 0.2;
    return x * x + y * y + 0.3 * fabs(point[2] - 1) + 0.1 * fabs(point[3] - 20) / 20;
}

static double best_of(const clv_search_plan *plan, objective f)
{
    double best = INFINITY;
    int trials = run_alone(plan, f);
    for (int i = 0; i < trials; i++) best = fmin(best, trial[i].value[0]);
    return best;
}

static void tpe_beats_random(void **state)
{
    (void)state;
    int wins = 0;
    double mean[2] = {0};
    for (int seed = 0; seed < 40; seed++) {
        double best[2];
        for (int m = 0; m < 2; m++) {
            char text[512];
            snprintf(text, sizeof text,
                     "[search]\nmethod = %s\ntrials = 50\nseed = %d\n[space]\ntrain.lr = log 1e-5..1\ntrain.l2 = 0..1\n"
                     "train.optimizer = adam, adamw, sgd\nparams.h = 4..64\n",
                     m ? "tpe" : "random", seed);
            clv_config *c = parse(text);
            clv_search_plan plan = plan_of(c);
            best[m] = best_of(&plan, valley);
            mean[m] += best[m] / 40;
            clv_search_plan_free(&plan);
            clv_config_destroy(c);
        }
        wins += best[1] < best[0];
    }
    print_message("best of 50: random %.4f, tpe %.4f, tpe the better in %d of 40\n", mean[0], mean[1], wins);
    assert_true(mean[1] < 0.5 * mean[0]);
    assert_true(wins >= 32);
}

/* Running trials count as bad ones: workers side by side are sent to different places. */
static void tpe_spreads_workers(void **state)
{
    (void)state;
    clv_config *c = parse("[search]\nmethod = tpe\ntrials = 60\nstartup = 5\n[space]\ntrain.lr = log 1e-5..1\n");
    clv_search_plan plan = plan_of(c);
    clv_job job;
    clear_trials();
    for (int i = 0; i < 30; i++) {
        assert_ok(clv_choose(&plan, trial, i, &job, err));
        begin(&job);
        trial[i].value[0] = spread(&plan.space, trial[i].point, 0);
        trial[i].state = CLV_TRIAL_DONE;
    }
    for (int i = 30; i < 38; i++) {
        assert_ok(clv_choose(&plan, trial, i, &job, err));
        begin(&job);
        for (int k = 0; k < i; k++) assert_false(clv_space_same(&plan.space, trial[k].point, trial[i].point));
    }
    clv_search_plan_free(&plan);
    clv_config_destroy(c);
}

/* ---- importance ---- */

/* f = 3 x + y over uniform x, y: variances 9 : 1, the list z and the range w without a part. */
static void finds_importance(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    static double point[COUNT * CLV_MAX_DIMENSIONS], value[COUNT];
    double share[4], again[4];
    clv_config *c = parse(
        "[space]\ntrain.l2 = 0..1\ntrain.lr = log 1e-4..1\ntrain.optimizer = adam, adamw, sgd\nparams.h = 1..9\n");
    const clv_dimension *dimension;
    int dimensions = clv_config_space(c, &dimension);
    clv_search_space space = clv_space_of(dimension, dimensions);
    clv_random random = clv_random_start(11, 3);
    for (int i = 0; i < COUNT; i++) {
        double *p = &point[i * CLV_MAX_DIMENSIONS];
        clv_space_draw(&space, &random, p);
        value[i] = 3 * clv_space_share(&dimension[0], p[0]) + clv_space_share(&dimension[1], p[1]);
    }
    assert_ok(clv_importance(&space, point, value, COUNT, 1, share, err));
    print_message("importance %.3f %.3f %.3f %.3f\n", share[0], share[1], share[2], share[3]);
    assert_true(fabs(share[0] - 0.9) < 0.05 && fabs(share[1] - 0.1) < 0.05);
    assert_true(share[2] < 0.02 && share[3] < 0.02);
    assert_ok(clv_importance(&space, point, value, COUNT, 1, again, err));
    assert_memory_equal(share, again, sizeof share);

    /* A difference between two of three words, and nothing else. */
    for (int i = 0; i < COUNT; i++) value[i] = point[i * CLV_MAX_DIMENSIONS + 2] == 1;
    assert_ok(clv_importance(&space, point, value, COUNT, 1, share, err));
    assert_true(share[2] > 0.98 && share[0] + share[1] + share[3] < 0.02);

    /* Together alone: each row's own part is small. */
    for (int i = 0; i < COUNT; i++) {
        const double *p = &point[i * CLV_MAX_DIMENSIONS];
        value[i] = (p[0] > 0.5) == (clv_space_share(&dimension[1], p[1]) > 0.5);
    }
    assert_ok(clv_importance(&space, point, value, COUNT, 1, share, err));
    assert_true(share[0] < 0.15 && share[1] < 0.15);

    assert_ok(clv_importance(&space, point, value, 3, 1, share, err));
    assert_true(isnan(share[0]) && isnan(share[3]));
    for (int i = 0; i < COUNT; i++) value[i] = 4;
    assert_ok(clv_importance(&space, point, value, COUNT, 1, share, err));
    assert_true(isnan(share[0]));
    clv_config_destroy(c);
}

/* ---- studies ---- */

#define STUDY                                                                                                          \
    NETWORK                                                                                                            \
    "[experiment]\nname = x\n[search]\nmethod = asha\ntrials = 60\nmin_epochs = 1\nmax_epochs = 9\nfirst = 0.5\n"      \
    "[space]\ntrain.lr = log 1e-5..1\n"

static void pause_ms(long ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

/* A worker whose training is a nap. */
static void work(const char *folder)
{
    clv_study *study = NULL;
    clv_job job = {.kind = CLV_JOB_WAIT};
    if (clv_study_open(folder, &study, NULL) != CLV_OK) _exit(1);
    while (job.kind != CLV_JOB_NONE) {
        clv_error err = {0};
        if (clv_study_claim(study, &job, &err) != CLV_OK) {
            fprintf(stderr, "%s\n", err.message);
            _exit(2);
        }
        pause_ms(2);
        if (job.kind != CLV_JOB_TRAIN) continue;
        clv_outcome outcome = {
            .value = spread(&clv_study_plan(study)->space, job.point, job.rung), .epochs = 1, .best_epoch = 1};
        if (job.trial % 10 == 3) outcome.error = "made to fail";
        if (clv_study_finish(study, &job, &outcome, NULL) != CLV_OK) _exit(3);
    }
    clv_study_close(study);
    _exit(0);
}

static pid_t start(const char *folder)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) work(folder);
    assert_true(pid > 0);
    return pid;
}

/* What the study says of itself: each trial once, each rung's result once, in the order of the rungs. */
static void expect_whole(const char *folder)
{
    clv_study *study = NULL;
    clv_records records = {0};
    assert_ok(clv_study_open(folder, &study, err));
    assert_ok(clv_study_records(study, &records, err));
    const clv_search_plan *plan = clv_study_plan(study);
    assert_int_equal(records.count, 60);
    int results = 0, expected = 0, first_top = 0;
    for (int i = 0; i < 60; i++) {
        const clv_record *r = &records.of[i];
        const bool unlucky =
            strstr(r->error, "times") != NULL; /* killed five times in a row: see takes_over_the_dead */
        assert_int_equal(r->trial.state, i % 10 == 3 || unlucky ? CLV_TRIAL_FAILED : CLV_TRIAL_DONE);
        trial[i] = r->trial;
        first_top += i == 0 && r->trial.rung == 2;
        for (int k = 0; k < 3; k++) {
            const double value = r->trial.value[k];
            expected += !isnan(value);
            if (!isnan(value)) assert_true(fabs(value - spread(&plan->space, r->trial.point, k)) < 1e-9);
        }
        expected += r->trial.state == CLV_TRIAL_FAILED;
        for (int k = 0; k < i; k++) assert_false(clv_space_same(&plan->space, trial[k].point, r->trial.point));
    }
    clv_news news;
    bool any = true;
    for (int64_t sequence = 0; any; results += any) assert_ok(clv_study_news(study, &sequence, &news, &any, err));
    assert_int_equal(results, expected);
    assert_true(first_top == 1 || records.of[0].trial.state == CLV_TRIAL_FAILED);
    free(records.of);
    clv_study_close(study);
}

/* Six processes on one study, one of them killed every few milliseconds and another started: nothing is lost, nothing
 * twice. */
static void survives_kills(void **state)
{
    (void)state;
    enum { WORKERS = 6, KILLS = 25 };
    const char *folder = test_path("killed");
    pid_t worker[WORKERS];
    clv_random random = clv_random_start((uint64_t)time(NULL), 1);
    int killed = 0;
    assert_ok(clv_study_create(folder, STUDY, err));
    for (int i = 0; i < WORKERS; i++) worker[i] = start(folder);
    for (int i = 0; i < KILLS; i++) {
        int status;
        pid_t *victim = &worker[clv_random_below(&random, WORKERS)];
        pause_ms(10 + clv_random_below(&random, 30));
        kill(*victim, SIGKILL);
        assert_true(waitpid(*victim, &status, 0) == *victim);
        killed += WIFSIGNALED(status);
        if (!WIFSIGNALED(status)) assert_int_equal(WEXITSTATUS(status), 0);
        *victim = start(folder);
    }
    for (int i = 0; i < WORKERS; i++) {
        int status;
        assert_true(waitpid(worker[i], &status, 0) == worker[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    assert_true(killed > 3);
    expect_whole(folder);
}

/* A worker without a nap. */
static void work_fast(const char *folder)
{
    clv_study *study = NULL;
    clv_job job = {.kind = CLV_JOB_WAIT};
    if (clv_study_open(folder, &study, NULL) != CLV_OK) _exit(1);
    while (job.kind != CLV_JOB_NONE) {
        clv_outcome outcome = {.value = 1, .epochs = 1, .best_epoch = 1};
        if (clv_study_claim(study, &job, NULL) != CLV_OK) _exit(2);
        if (job.kind == CLV_JOB_TRAIN && clv_study_finish(study, &job, &outcome, NULL) != CLV_OK) _exit(3);
    }
    _exit(0);
}

/* Who reads beside a writer sees trials and results of one moment, and of a trial whose process lives never that it
 * does not. */
static void reads_beside_a_writer(void **state)
{
    (void)state;
    const char *folder = test_path("raced");
    clv_study *study = NULL;
    clv_records records = {0};
    int status, count = 0;
    assert_ok(clv_study_create(
        folder,
        NETWORK "[experiment]\nname = x\n[search]\nmethod = random\ntrials = 30\n[space]\ntrain.lr = log 1e-5..1\n",
        err));
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) work_fast(folder);
    assert_true(pid > 0);
    assert_ok(clv_study_open(folder, &study, err));
    while (count < 30) {
        assert_ok(clv_study_records(study, &records, err));
        assert_true(records.count >= count);
        count = records.count;
        for (int i = 0; i < count; i++)
            assert_true(records.of[i].trial.state == CLV_TRIAL_DONE ? !isnan(records.of[i].best) : records.of[i].held);
        free(records.of);
        pause_ms(3);
    }
    assert_true(waitpid(pid, &status, 0) == pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    clv_study_close(study);
}

/* A study is listed while another process is inside a write transaction, and for as long as it is. */
static void reads_without_writing(void **state)
{
    (void)state;
    const char *folder = test_path("listed");
    clv_study *study = NULL;
    clv_ranking ranking = {0};
    clv_job job;
    clv_outcome outcome = {.value = 1, .epochs = 1, .best_epoch = 1};
    int inside[2], status;
    char byte;
    assert_ok(clv_study_create(folder, STUDY, err));
    assert_ok(clv_study_open(folder, &study, err));
    assert_ok(clv_study_claim(study, &job, err));
    assert_ok(clv_study_finish(study, &job, &outcome, err));
    clv_study_close(study);
    assert_int_equal(pipe(inside), 0);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        if (clv_study_open(folder, &study, NULL) != CLV_OK || clv_study_begin(study, NULL) != CLV_OK) _exit(1);
        if (write(inside[1], "!", 1) == 1) pause();
        _exit(2);
    }
    assert_true(pid > 0);
    close(inside[1]);
    assert_int_equal(read(inside[0], &byte, 1), 1);
    assert_ok(clv_search_rank(folder, &ranking, err));
    assert_int_equal(ranking.trials, 1);
    clv_ranking_free(&ranking);
    kill(pid, SIGKILL);
    assert_true(waitpid(pid, &status, 0) == pid);
    assert_true(WIFSIGNALED(status));
    close(inside[0]);
}

/* A trial is taken over only when its process is gone; one whose processes die again and again is given up. */
static void takes_over_the_dead(void **state)
{
    (void)state;
    const char *folder = test_path("dead");
    clv_study *study = NULL;
    clv_job job, other;
    assert_ok(clv_study_create(folder, STUDY, err));
    for (int times = 0; times < 5; times++) {
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) {
            if (clv_study_open(folder, &study, NULL) != CLV_OK || clv_study_claim(study, &job, NULL) != CLV_OK)
                _exit(9);
            if (job.kind != CLV_JOB_TRAIN || job.trial != 0) _exit(8);
            if (times == 0) { /* beside a living owner another process is given another trial */
                pid_t second = fork();
                if (second == 0) {
                    clv_study *mine = NULL;
                    if (clv_study_open(folder, &mine, NULL) != CLV_OK || clv_study_claim(mine, &other, NULL) != CLV_OK)
                        _exit(9);
                    _exit(other.trial == 1 ? 0 : 7);
                }
                int status;
                waitpid(second, &status, 0);
                if (!WIFEXITED(status) || WEXITSTATUS(status)) _exit(6);
            }
            kill(getpid(), SIGKILL);
        }
        int status;
        assert_true(waitpid(pid, &status, 0) == pid);
        assert_true(WIFSIGNALED(status));
    }
    assert_ok(clv_study_open(folder, &study, err));
    assert_ok(clv_study_claim(study, &job, err));
    assert_int_equal(job.trial, 1); /* 0 has been begun five times */
    clv_records records = {0};
    assert_ok(clv_study_records(study, &records, err));
    assert_int_equal(records.of[0].trial.state, CLV_TRIAL_FAILED);
    assert_non_null(strstr(records.of[0].error, "5 times"));
    free(records.of);
    clv_outcome outcome = {.value = 1, .epochs = 1, .best_epoch = 1};
    assert_ok(clv_study_finish(study, &job, &outcome, err));
    assert_refused(clv_study_finish(study, &job, &outcome, err), CLV_ERR_INTERNAL,
                   "is not the one that this process trains");
    clv_study_close(study);
}

/* A trial that failed in a later rung is not the best, whatever it had before; a study whose trials have all begun is
 * not over while some may go up; and a write that fails says what to do. */
static void knows_what_is_left(void **state)
{
    (void)state;
    const char *folder = test_path("left");
    clv_study *study = NULL;
    clv_ranking ranking = {0};
    clv_job job;
    bool left = false;
    int failed = -1;
    assert_ok(clv_study_create(folder,
                               NETWORK "[experiment]\nname = x\n[search]\nmethod = asha\ntrials = 4\nmin_epochs = "
                                       "1\nmax_epochs = 2\nreduction = 2\n[space]\ntrain.lr = log 1e-5..1\n",
                               err));
    assert_ok(clv_study_open(folder, &study, err));
    assert_ok(clv_sql_run(&study->sql, err, "PRAGMA query_only = 1", ""));
    assert_refused(clv_study_claim(study, &job, err), CLV_ERR_INTERNAL, "give yourself the right to write");
    assert_ok(clv_sql_run(&study->sql, err, "PRAGMA query_only = 0", ""));
    for (int trials = 0;;) {
        assert_ok(clv_study_left(study, &left, err));
        assert_ok(clv_study_claim(study, &job, err));
        assert_true(left == (job.kind == CLV_JOB_TRAIN));
        if (job.kind == CLV_JOB_NONE) break;
        if (job.trial == trials) trials++;
        if (job.rung && failed < 0) failed = job.trial;
        clv_outcome outcome = {.value = job.trial, .epochs = 1, .error = job.trial == failed ? "diverged" : NULL};
        assert_ok(clv_study_finish(study, &job, &outcome, err));
    }
    assert_true(failed >= 0);
    assert_ok(clv_search_rank(folder, &ranking, err));
    assert_int_equal(ranking.trial[3].number, failed + 1);
    assert_true(ranking.trial[0].rank == 1 && ranking.trial[3].rank == 0 && isnan(ranking.trial[3].value));
    clv_ranking_free(&ranking);
    clv_study_close(study);
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void refuses_studies(void **state)
{
    (void)state;
    const char *folder = test_path("study"), *file = test_path("study/study.sqlite");
    clv_study *study = NULL;
    char ini[256], made[CLV_PATH_SIZE];
    assert_refused(clv_study_open(folder, &study, err), CLV_ERR_CONFIG, "is no search's folder");
    write_text(test_path("given.ini"), STUDY);
    assert_ok(clv_search_create(test_path("given.ini"), NULL, 0, folder, made, err));
    assert_string_equal(made, folder);
    assert_refused(clv_search_create(test_path("given.ini"), NULL, 0, folder, made, err), CLV_ERR_CONFIG,
                   "holds a study already");
    assert_ok(clv_search_reopen(folder, NULL, NULL, 0, err));
    static const char *const more[] = {"search.trials=70", "search.parallel=3"};
    assert_ok(clv_search_reopen(folder, NULL, more, 2, err));
    assert_ok(clv_study_open(folder, &study, err));
    assert_int_equal(clv_study_plan(study)->trials, 70);
    clv_study_close(study);
    static const char *const other[] = {"space.train.lr=log 1e-4..1"}, *const longer[] = {"search.max_epochs=27"};
    assert_refused(clv_search_reopen(folder, NULL, other, 1, err), CLV_ERR_CONFIG,
                   "began with [space] train.lr = log 1e-5..1, not with [space] train.lr = log 1e-4..1");
    assert_refused(clv_search_reopen(folder, NULL, longer, 1, err), CLV_ERR_CONFIG, "max_epochs");
    static const char *const same[] = {"space.train.lr=log 0.00001..1.0"};
    assert_ok(clv_search_reopen(folder, NULL, same, 1, err)); /* the same numbers */
    snprintf(ini, sizeof ini, "%s", test_path("study/study.ini"));
    assert_ok(clv_search_reopen(folder, ini, NULL, 0, err));

    FILE *damaged = fopen(file, "r+b");
    assert_non_null(damaged);
    for (int i = 0; i < 3000; i++) fputc(i * 37 & 0xff, damaged);
    fclose(damaged);
    assert_refused(clv_study_open(folder, &study, err), CLV_ERR_DATA,
                   "study.sqlite: is no study of clave, or is damaged");
    damaged = fopen(file, "wb");
    fclose(damaged);
    assert_refused(clv_search_reopen(folder, NULL, NULL, 0, err), CLV_ERR_DATA, "is no study of clave");
}

/* Parts that allocate, each of which must be able to fail at any of its allocations. */
static clv_status part_open(const char *folder, clv_study *study, clv_error *err)
{
    clv_study *mine = NULL;
    (void)study;
    clv_status status = clv_study_open(folder, &mine, err);
    clv_study_close(mine);
    return status;
}

static clv_status part_claim(const char *folder, clv_study *study, clv_error *err)
{
    clv_job job;
    (void)folder;
    clv_status status = clv_study_claim(study, &job, err);
    if (status == CLV_OK) clv_study_release(study, &job);
    return status;
}

static clv_status part_rank(const char *folder, clv_study *study, clv_error *err)
{
    clv_ranking ranking = {0};
    (void)study;
    clv_status status = clv_search_rank(folder, &ranking, err);
    clv_ranking_free(&ranking);
    return status;
}

static clv_status part_best(const char *folder, clv_study *study, clv_error *err)
{
    char *best = NULL;
    (void)study;
    clv_status status = clv_search_best(folder, &best, err);
    free(best);
    return status;
}

static void survives_failed_allocations(void **state)
{
    (void)state;
    const char *folder = test_path("allocation");
    clv_study *study = NULL;
    clv_job job;
    assert_ok(clv_study_create(
        folder, NETWORK "[experiment]\nname = x\n[search]\nmethod = tpe\ntrials = 30\nstartup = 2\n" GRID, err));
    assert_ok(clv_study_open(folder, &study, err));
    for (int i = 0; i < 8; i++) {
        assert_ok(clv_study_claim(study, &job, err));
        clv_outcome outcome = {.value = i, .epochs = 1, .best_epoch = 1};
        assert_ok(clv_study_finish(study, &job, &outcome, err));
    }
    clv_status (*const part[])(const char *, clv_study *, clv_error *) = {part_claim, part_open, part_rank, part_best};
    for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
        clv_status status = CLV_ERR_INTERNAL;
        int n = 0;
        while (status == CLV_ERR_INTERNAL) {
            clv_error err = {0};
            clv_fail_allocation(++n);
            status = part[i](folder, study, &err);
            clv_fail_allocation(0);
            if (status == CLV_ERR_INTERNAL) assert_true(err.message[0]);
        }
        assert_int_equal(status, CLV_OK);
        assert_true(n > 5);
        /* Closing any descriptor of study.lock drops this process's locks, so the study is opened anew. */
        clv_study_close(study);
        study = NULL;
        assert_ok(clv_study_open(folder, &study, err));
    }
    clv_study_close(study);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_rows),
        cmocka_unit_test(refuses_rows),
        cmocka_unit_test(multiplies_parameters),
        cmocka_unit_test(flattens),
        cmocka_unit_test(prints_and_reads_points),
        cmocka_unit_test(plans),
        cmocka_unit_test(covers_the_grid),
        cmocka_unit_test(promotes_the_best),
        cmocka_unit_test(asha_repeats),
        cmocka_unit_test(ranks_failed_last),
        cmocka_unit_test(tpe_beats_random),
        cmocka_unit_test(tpe_spreads_workers),
        cmocka_unit_test(finds_importance),
        cmocka_unit_test(survives_kills),
        cmocka_unit_test(reads_beside_a_writer),
        cmocka_unit_test(reads_without_writing),
        cmocka_unit_test(takes_over_the_dead),
        cmocka_unit_test(knows_what_is_left),
        cmocka_unit_test(refuses_studies),
        cmocka_unit_test(survives_failed_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
