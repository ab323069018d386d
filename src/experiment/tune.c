/* Tuning an experiment: faster kernels for the products of its training and evaluation, and what they make of a step,
 * the steps before and after timed in turns. Calls are timed alone, and what a step finds in its caches is another
 * matter: where steps are no faster, nothing is kept. */
#include <string.h>

#include "base/order.h"
#include "base/try.h"
#include "experiment/pass.h"

#define TURNS        21
#define TURN_SECONDS 0.1

static clv_status check_tunable(const clv_config *config, clv_error *err)
{
    clv_status status = CLV_OK;
    CLV_REQUIRE(strcmp(clv_config_string(config, "device.backend"), "cpu"), CLV_ERR_CONFIG,
                "device.backend = cpu has no kernels to tune; set device.backend = opencl");
    CLV_REQUIRE(strcmp(clv_config_string(config, "device.tune"), "off"), CLV_ERR_CONFIG,
                "device.tune = off: what is found would not be used; set device.tune = auto");
done:
    return status;
}

/* Medians of the step by the programs before and after, each run for a while in turns. */
static clv_status compare(clv_session *s, clv_program *before, clv_program *after, clv_tune_result *result,
                          clv_error *err)
{
    double a[TURNS], b[TURNS], ratio[TURNS], took;
    clv_phase *phase = &s->phase[0];
    clv_program *const own = phase->program;
    uint32_t step = 1, steps = 1;
    clv_status status = CLV_OK;
    do CLV_TRY(clv_time_steps(s, steps = 2 * steps, &step, &took, err));
    while (took < TURN_SECONDS);
    for (int i = 0; i < TURNS; i++) {
        phase->program = before;
        CLV_TRY(clv_time_steps(s, steps, &step, &a[i], err));
        phase->program = after;
        CLV_TRY(clv_time_steps(s, steps, &step, &b[i], err));
        ratio[i] = b[i] / a[i];
    }
    result->step_ms_before = 1e3 * clv_median(a, TURNS) / steps;
    result->step_ms_after = result->step_ms_before * clv_median(ratio, TURNS);
done:
    phase->program = own;
    return status;
}

/* Median of the step by the kernels now in force. */
static clv_status time_step(clv_session *s, double *ms, clv_error *err)
{
    double turn[TURNS], took;
    uint32_t step = 1, steps = 1;
    clv_phase *phase = &s->phase[0];
    clv_program *const own = phase->program, *now = NULL;
    clv_status status = CLV_OK;
    CLV_TRY(clv_program_create(s->be, phase->plan, &s->bindings, &now, err));
    phase->program = now;
    do CLV_TRY(clv_time_steps(s, steps = 2 * steps, &step, &took, err));
    while (took < TURN_SECONDS);
    for (int i = 0; i < TURNS; i++) CLV_TRY(clv_time_steps(s, steps, &step, &turn[i], err));
    *ms = 1e3 * clv_median(turn, TURNS) / steps;
done:
    phase->program = own;
    clv_program_destroy(s->be, now);
    return status;
}

/* Then CLBlast's parameters. A process that has tried others cannot go back to CLBlast's own: steps by those are timed
 * first, and nothing runs after this. */
static clv_status tune_gemm(clv_session *s, const clv_plan *const *plan, const clv_tuning *tuning, bool wanted,
                            clv_tune_result *result, clv_error *err)
{
    clv_text before = {0}, after = {0};
    double ms_before, ms_after;
    clv_status status = CLV_OK;
    CLV_TRY(clv_session_kernels(s, &before, err));
    if (!wanted && !(before.text && strstr(before.text, "clblast=1")))
        goto done; /* none of the products is CLBlast's */
    CLV_TRY(time_step(s, &ms_before, err));
    CLV_TRY(clv_backend_tune(s->be, plan, 2, tuning, err));
    CLV_TRY(clv_session_kernels(s, &after, err));
    if (!before.text || !after.text || !strcmp(before.text, after.text)) goto done;
    CLV_TRY(time_step(s, &ms_after, err));
    if (ms_after >= ms_before) {
        CLV_TRY(clv_backend_restore(s->be, before.text, err));
        goto done;
    }
    result->step_ms_after = (result->kept ? result->step_ms_after : result->step_ms_before) * ms_after / ms_before;
    result->kept = true;
done:
    clv_text_free(&before);
    clv_text_free(&after);
    return status;
}

/* CLBlast's products, where there may be some, get a quarter of the time, and what the others leave. */
static bool may_use_clblast(const clv_session *s, const clv_config *config)
{
    const char *gemm = clv_config_string(config, "device.gemm");
    return !strcmp(gemm, "clblast") || (!strcmp(gemm, "auto") && s->be->info.kind == CLV_DEVICE_GPU);
}

clv_status clv_tune(const clv_config *config, const clv_tune_options *options, clv_tune_result *result, clv_error *err)
{
    const clv_phase_request request[] = {{CLV_MODE_TRAIN, CLV_DATASET_TRAIN}, {CLV_MODE_EVALUATE, CLV_DATASET_TEST}};
    clv_session *s = NULL;
    clv_program *after = NULL;
    clv_text kernels = {0};
    clv_status status = CLV_OK;
    *result = (clv_tune_result){0};
    CLV_TRY(check_tunable(config, err));
    CLV_TRY(clv_session_open(config, options->log, request, 2, &s, err));
    CLV_TRY(clv_session_load(s, NULL, err));
    clv_session_device(s, result->device, sizeof result->device);
    const clv_plan *const plan[] = {s->phase[0].plan, s->phase[1].plan};
    clv_tuning tuning = {
        .seconds = options->seconds, .stop = options->stop, .tell = options->tell, .context = options->context};
    const double start = clv_seconds();
    if (may_use_clblast(s, config)) tuning.seconds *= 0.75;
    CLV_TRY(clv_session_kernels(s, &kernels, err));
    CLV_TRY(clv_backend_tune(s->be, plan, 2, &tuning, err));
    result->seconds = clv_seconds() - start;
    CLV_TRY(clv_program_create(s->be, s->phase[0].plan, &s->bindings, &after, err));
    CLV_TRY(compare(s, s->phase[0].program, after, result, err));
    result->kept = result->step_ms_after < result->step_ms_before;
    if (!result->kept) CLV_TRY(clv_backend_restore(s->be, kernels.text ? kernels.text : "", err));
    tuning.gemm = true;
    tuning.seconds = options->seconds - (clv_seconds() - start);
    CLV_TRY(tune_gemm(s, plan, &tuning, may_use_clblast(s, config), result, err));
    result->seconds = clv_seconds() - start;
done:
    clv_text_free(&kernels);
    if (s) clv_program_destroy(s->be, after);
    clv_session_close(s);
    return status;
}
