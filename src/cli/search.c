/* clave search FILE.ini | FOLDER: a file begins a search (or goes on in --out with --resume), a search's folder goes
 * on, is listed, or gives its best configuration. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/try.h"
#include "clave/search.h"
#include "cli/cli.h"
#include "cli/measures.h"

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* ---- tables ---- */

static json_t *number(double value) { return isnan(value) ? json_null() : json_real(value); }

static json_t *trial_json(const clv_ranking *ranking, const clv_ranked *t)
{
    json_t *setting = json_object();
    for (int d = 0; d < ranking->dimensions; d++)
        json_object_set_new(setting, ranking->dimension[d].key, json_string(t->setting[d]));
    return json_pack("{s:o, s:i, s:s, s:o, s:I, s:I, s:o, s:f, s:b, s:o, s:o}", "rank",
                     t->rank ? json_integer(t->rank) : json_null(), "trial", t->number, "state", t->state, "value",
                     number(t->value), "epochs", (json_int_t)t->epochs, "best_epoch", (json_int_t)t->best_epoch,
                     "early_value", number(t->early), "seconds", t->seconds, "first", t->first, "error",
                     t->error ? json_string(t->error) : json_null(), "set", setting);
}

static json_t *ranking_json(const char *folder, const clv_ranking *ranking)
{
    json_t *trials = json_array(), *importance = json_object();
    for (int i = 0; i < ranking->trials; i++) json_array_append_new(trials, trial_json(ranking, &ranking->trial[i]));
    for (int d = 0; d < ranking->dimensions; d++)
        json_object_set_new(importance, ranking->dimension[d].key, number(ranking->importance[d]));
    return json_pack("{s:s, s:s, s:i, s:f, s:o, s:o, s:o}", "search", folder, "monitor", ranking->monitor, "wanted",
                     ranking->wanted, "seconds", ranking->seconds, "trials_an_hour", number(ranking->trials_an_hour),
                     "importance", importance, "trials", trials);
}

static const char *short_key(const clv_dimension *dimension)
{
    const char *dot = strrchr(dimension->key, '.');
    return dot ? dot + 1 : dimension->key;
}

static void print_head(const clv_ranking *ranking, int *width)
{
    printf("rank  trial  %-10s  epochs", ranking->monitor);
    for (int d = 0; d < ranking->dimensions; d++) {
        width[d] = (int)strlen(short_key(&ranking->dimension[d]));
        for (int i = 0; i < ranking->trials; i++) {
            const int length = (int)strlen(ranking->trial[i].setting[d]);
            if (length > width[d]) width[d] = length;
        }
        printf("  %*s", width[d], short_key(&ranking->dimension[d]));
    }
    printf("\n");
}

static clv_status print_table(const clv_ranking *ranking, clv_error *err)
{
    int *width = clv_alloc((size_t)ranking->dimensions + 1, sizeof *width, err);
    if (!width) return CLV_ERR_INTERNAL;
    print_head(ranking, width);
    for (int i = 0; i < ranking->trials; i++) {
        const clv_ranked *t = &ranking->trial[i];
        if (t->rank)
            printf("%4d  %5d  %-10.6g  %6u", t->rank, t->number, t->value, t->epochs);
        else
            printf("   -  %5d  %-10s  %6u", t->number, "-", t->epochs);
        for (int d = 0; d < ranking->dimensions; d++) printf("  %*s", width[d], t->setting[d]);
        printf("%s%s%s\n", t->first ? "  first" : "", strcmp(t->state, "done") ? "  " : "",
               strcmp(t->state, "done") ? t->state : "");
    }
    free(width);
    return CLV_OK;
}

/* The points of search.first beside the best: all of them were trained to the end. */
static void print_comparison(const clv_ranking *ranking)
{
    const clv_ranked *best = ranking->trials ? &ranking->trial[0] : NULL;
    for (int i = 0; i < ranking->trials && best && best->rank; i++) {
        const clv_ranked *t = &ranking->trial[i];
        if (!t->first || !t->rank) continue;
        printf("first: trial %d, %s %.6g after %u epochs; best: trial %d, %.6g after %u\n", t->number, ranking->monitor,
               t->value, t->epochs, best->number, best->value, best->epochs);
    }
}

static void print_importance(const clv_ranking *ranking)
{
    if (isnan(ranking->importance[0])) return;
    printf("importance, share of the variance after %u epochs:", ranking->first_epochs);
    for (int d = 0; d < ranking->dimensions; d++)
        printf("  %s %.2f", short_key(&ranking->dimension[d]), ranking->importance[d]);
    printf("\n");
}

static clv_status list(const cli_args *args, clv_error *err)
{
    clv_ranking ranking = {0};
    clv_status status = CLV_OK;
    CLV_TRY(clv_search_rank(args->target, &ranking, err));
    if (args->json) {
        CLV_TRY(cli_print_json(ranking_json(args->target, &ranking), err));
    } else {
        CLV_TRY(print_table(&ranking, err));
        print_comparison(&ranking);
        print_importance(&ranking);
    }
done:
    clv_ranking_free(&ranking);
    return status;
}

static clv_status print_best(const cli_args *args, clv_error *err)
{
    char *text = NULL;
    clv_status status = clv_search_best(args->target, &text, err);
    if (status == CLV_OK) fputs(text, stdout);
    free(text);
    return status;
}

/* ---- running ---- */

/* The best trial on the test images, which no trial saw. */
static clv_status test_best(const char *folder, const clv_ranking *ranking, clv_log *log, clv_measures *measures,
                            clv_error *err)
{
    char run[CLV_PATH_SIZE], name[64];
    clv_config *config = NULL;
    clv_status status = CLV_OK;
    measures->count = 0;
    if (!ranking->trials || !ranking->trial[0].rank) return CLV_OK;
    snprintf(name, sizeof name, "trials/%04d", ranking->trial[0].number);
    CLV_TRY(clv_path_join(run, sizeof run, folder, name, err));
    CLV_TRY(clv_run_config(run, NULL, 0, &config, err));
    CLV_TRY(clv_evaluate(run, config, &(clv_evaluate_options){.log = log}, measures, NULL, err));
done:
    clv_config_destroy(config);
    return status;
}

static clv_status print_result(const cli_args *args, const char *folder, clv_error *err)
{
    clv_ranking ranking = {0};
    clv_measures measures;
    clv_status status = CLV_OK;
    CLV_TRY(clv_search_rank(folder, &ranking, err));
    CLV_TRY(test_best(folder, &ranking, args->log, &measures, err));
    if (args->json) {
        json_t *object = ranking_json(folder, &ranking);
        json_object_set_new(object, "test", clv_measures_json(&measures));
        CLV_TRY(cli_print_json(object, err));
        goto done;
    }
    CLV_TRY(print_table(&ranking, err));
    print_comparison(&ranking);
    print_importance(&ranking);
    printf("%d trials in %.0f s", ranking.trials, ranking.seconds);
    if (!isnan(ranking.trials_an_hour)) printf(", %.0f an hour", ranking.trials_an_hour);
    printf("\n");
    if (measures.count) cli_print_measures("best, test", &measures);
    printf("figures: %s/figures\n%s\n", folder, folder);
done:
    clv_ranking_free(&ranking);
    return status;
}

/* The folder to work in: made, or asked whether it may go on. */
static clv_status prepare(const cli_args *args, char folder[CLV_PATH_SIZE], clv_error *err)
{
    cli_overrides overrides = {0};
    clv_status status = CLV_OK;
    if (is_folder(args->target)) {
        CLV_REQUIRE(args->resume, CLV_ERR_CONFIG,
                    "%s is a folder; go on in a search's by: clave search %s --resume, or see --list and --best",
                    args->target, args->target);
        CLV_REQUIRE(!args->out, CLV_ERR_CONFIG, "--out does not go with a search's folder: it goes on where it is");
        CLV_REQUIRE(strlen(args->target) < CLV_PATH_SIZE, CLV_ERR_CONFIG, "the folder's path is too long");
        strcpy(folder, args->target);
        return clv_search_reopen(folder, NULL, args->overrides, args->override_count, err);
    }
    CLV_REQUIRE(!args->resume || args->out, CLV_ERR_CONFIG,
                "--resume needs to know the search: clave search FOLDER --resume");
    CLV_TRY(cli_full_paths(args, &overrides, err));
    if (args->resume) {
        CLV_REQUIRE(strlen(args->out) < CLV_PATH_SIZE, CLV_ERR_CONFIG, "the folder's path is too long");
        strcpy(folder, args->out);
        CLV_TRY(clv_search_reopen(folder, args->target, overrides.of, overrides.count, err));
    } else {
        CLV_TRY(clv_search_create(args->target, overrides.of, overrides.count, args->out, folder, err));
    }
done:
    cli_overrides_free(&overrides);
    return status;
}

/* In this process and its workers, but where the user says otherwise. Most trials are the only ones of their shape, a
 * driver may take longer to give a binary of what it has compiled than it took to compile, and a trial that goes on
 * finds the driver's own cache. */
static void keep_no_programs(void)
{
    const char *binaries = getenv("CLAVE_BINARIES");
    if (!binaries || !*binaries) setenv("CLAVE_BINARIES", "off", 1);
}

clv_status cli_search(const cli_args *args, clv_error *err)
{
    char folder[CLV_PATH_SIZE], path[CLI_PATH_SIZE];
    clv_status status = CLV_OK;
    CLV_REQUIRE(args->resume + args->list + args->best + args->worker <= 1, CLV_ERR_CONFIG,
                "--resume, --list, --best and --worker do not go together");
    if (args->list || args->best || args->worker) {
        CLV_REQUIRE(is_folder(args->target), CLV_ERR_CONFIG, "%s is no search's folder: give what clave search printed",
                    args->target);
        CLV_REQUIRE(!args->override_count, CLV_ERR_CONFIG, "'%s': nothing changes here; it goes with --resume",
                    args->overrides[0]);
    }
    if (args->list) return list(args, err);
    if (args->best) return print_best(args, err);
    cli_catch_signals();
    keep_no_programs();
    if (args->worker) return clv_search_work(args->target, &cli_stop, err);
    CLV_TRY(prepare(args, folder, err));
    clv_search_options options = {.program = cli_own_program(args->program, path), .log = args->log, .stop = &cli_stop};
    CLV_TRY(clv_search_run(folder, &options, err));
    CLV_TRY(print_result(args, folder, err));
done:
    return status;
}
