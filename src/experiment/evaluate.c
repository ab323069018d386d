/* Evaluation: a run's best weights measured on a split; and how a run directory becomes a configuration again. */
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/try.h"
#include "experiment/pass.h"
#include "experiment/run_folder.h"

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

clv_status clv_evaluate(const char *run, const clv_config *config, const char *split, clv_log *log,
                        clv_measures *measures, clv_error *err)
{
    clv_session *s = NULL;
    clv_status status = CLV_OK;
    clv_phase_request request = {CLV_MODE_EVALUATE, 0};
    clv_pass pass = {.seed = (uint64_t)clv_config_int(config, "experiment.seed"), .label = split};
    CLV_TRY(clv_split_dataset(split, &request.dataset, err));
    CLV_TRY(clv_session_open(config, log, &request, 1, &s, err));
    CLV_TRY(clv_session_load(s, run, err));
    CLV_TRY(clv_session_split(s, split, &pass.first, &pass.count, err));
    CLV_TRY(clv_pass_run(s, &s->phase[0], &pass, err));
    clv_pass_measures(&s->phase[0], &pass, measures);
done:
    clv_session_close(s);
    return status;
}
