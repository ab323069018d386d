/* Evaluation: a run's best weights measured on a split; and how a run directory becomes a configuration again. */
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/try.h"
#include "experiment/classes.h"
#include "experiment/drawing.h"
#include "experiment/pass.h"
#include "experiment/run_folder.h"
#include "experiment/weigh.h"

clv_status clv_run_config(const char *run, const char *const *overrides, int override_count, clv_config **config,
                          clv_error *err)
{
    char path[CLV_PATH_SIZE];
    struct stat info;
    clv_status status = clv_path_join(path, sizeof path, run, CLV_RESOLVED_FILE, err);
    if (status != CLV_OK) return status;
    if (stat(path, &info) != 0)
        return clv_fail(err, CLV_ERR_CONFIG,
                        "%s: is no run directory (it has no %s); give the folder that clave train printed", run,
                        CLV_RESOLVED_FILE);
    return clv_config_load(path, overrides, override_count, config, NULL, err);
}

/* The phases of all that is asked for: one session measures it. */
static int phases_of(const clv_config *config, const clv_evaluate_options *o, bool classes, int dataset,
                     clv_phase_request request[CLV_MAX_PHASES])
{
    int count = 0;
    request[count++] = (clv_phase_request){CLV_MODE_EVALUATE, dataset};
    if (o->bounds) {
        request[count++] = (clv_phase_request){CLV_MODE_ENCODE, dataset};
        request[count++] = (clv_phase_request){CLV_MODE_WEIGH, dataset};
    }
    if (classes && !strcmp(clv_config_string(config, "experiment.task"), "classify"))
        request[count++] = (clv_phase_request){CLV_MODE_CLASSIFY, dataset};
    return count;
}

clv_status clv_evaluate(const char *run, const clv_config *config, const clv_evaluate_options *options,
                        clv_measures *measures, clv_class_figures *classes, clv_error *err)
{
    const char *split = options->split ? options->split : "test";
    clv_session *s = NULL;
    clv_status status = CLV_OK;
    clv_phase_request request[CLV_MAX_PHASES];
    clv_pass pass = {.seed = (uint64_t)clv_config_int(config, "experiment.seed"), .label = split};
    int dataset;
    CLV_TRY(clv_split_dataset(split, &dataset, err));
    CLV_TRY(clv_bounds_check(options->samples, options->bounds, err));
    const int requests = phases_of(config, options, classes, dataset, request);
    CLV_TRY(clv_session_open_run(run, config, options->log, request, requests, &s, err));
    CLV_TRY(clv_session_split(s, split, &pass.first, &pass.count, err));
    CLV_TRY(clv_pass_run(s, &s->phase[0], &pass, err));
    clv_pass_measures(&s->phase[0], &pass, measures);
    if (options->bounds) CLV_TRY(clv_measure_bounds(s, split, options->samples, options->bounds, measures, err));
    if (clv_session_phase(s, CLV_MODE_CLASSIFY, dataset)) CLV_TRY(clv_count_answers(s, split, classes, NULL, err));
done:
    clv_session_close(s);
    return status;
}
