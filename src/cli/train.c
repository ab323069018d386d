/* clave train FILE.ini | RUN: a file starts a run (or goes on in --out with --resume), a run directory goes on. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/try.h"
#include "clave/experiment.h"
#include "cli/cli.h"
#include "cli/measures.h"

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static clv_status print_result(const cli_args *args, const clv_train_result *result, clv_error *err)
{
    if (args->json) {
        json_t *object = json_pack("{s:s, s:s, s:I, s:I, s:f, s:f, s:f, s:o, s:o, s:o}", "run", result->run, "device",
                                   result->device, "epochs", (json_int_t)result->epochs, "best_epoch",
                                   (json_int_t)result->best_epoch, "seconds", result->seconds, "images_per_second",
                                   result->images_per_second, "first_step_seconds", result->first_step_seconds, "train",
                                   clv_measures_json(&result->train), "val", clv_measures_json(&result->validation),
                                   "test", clv_measures_json(&result->test));
        return cli_print_json(object, err);
    }
    printf("best epoch %u of %u, %.1f s, %.0f images/s\n", result->best_epoch, result->epochs, result->seconds,
           result->images_per_second);
    cli_print_measures("test", &result->test);
    printf("figures: %s/figures\n%s\n", result->run, result->run);
    return CLV_OK;
}

static clv_status load_new(const cli_args *args, clv_config **config, clv_error *err)
{
    cli_overrides overrides = {0};
    clv_status status = CLV_OK;
    CLV_TRY(cli_full_paths(args, &overrides, err));
    CLV_TRY(clv_config_load(args->target, overrides.of, overrides.count, config, NULL, err));
done:
    cli_overrides_free(&overrides);
    return status;
}

clv_status cli_train(const cli_args *args, clv_error *err)
{
    clv_config *config = NULL;
    clv_train_result result;
    clv_status status = CLV_OK;
    clv_train_options options = {.out = args->out, .resume = args->resume, .log = args->log, .stop = &cli_stop};
    if (is_folder(args->target)) {
        CLV_TRY(clv_run_config(args->target, args->overrides, args->override_count, &config, err));
        CLV_REQUIRE(args->resume, CLV_ERR_CONFIG, "%s is a run directory; go on in it by: clave train %s --resume",
                    args->target, args->target);
        CLV_REQUIRE(!args->out, CLV_ERR_CONFIG, "--out does not go with a run directory: it is resumed where it is");
        options.out = args->target;
    } else {
        CLV_REQUIRE(!args->resume || args->out, CLV_ERR_CONFIG,
                    "%s is no run directory to go on in; --resume takes one: clave train RUN --resume", args->target);
        CLV_TRY(load_new(args, &config, err));
    }
    cli_catch_signals();
    CLV_TRY(clv_train(config, &options, &result, err));
    CLV_TRY(print_result(args, &result, err));
done:
    clv_config_destroy(config);
    return status;
}
