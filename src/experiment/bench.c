/* The speed of training steps, or of inference, in blocks of steps with the device's FMA peak measured between them, so
 * that both saw the same machine. */
#include "base/order.h"
#include "base/try.h"
#include "experiment/pass.h"
#include "model/choices.h"

#define MAX_BLOCKS    200
#define BLOCK_SECONDS 0.25

clv_status clv_time_steps(clv_session *s, uint32_t steps, uint32_t *step, double *seconds, clv_error *err)
{
    clv_phase *phase = &s->phase[0];
    const uint32_t images =
        phase->dataset == CLV_DATASET_TRAIN ? s->train_count : s->images[phase->dataset].count; /* given ones: all */
    uint32_t batch = (uint32_t)phase->plan->batch, fit = images / batch;
    if (fit == 0)
        return clv_fail(err, CLV_ERR_CONFIG, "%s: a batch of %d is more than the %u training images",
                        clv_config_where(s->config, "train.batch"), phase->plan->batch, images);
    clv_pass pass = {.seed = 1, .count = (steps < fit ? steps : fit) * batch};
    double start = clv_seconds();
    for (uint32_t done = 0; done < steps; done += pass.batches, *step += pass.batches) {
        if ((steps - done) * (uint64_t)batch < pass.count) pass.count = (steps - done) * batch;
        pass.first_step = *step;
        clv_status status = clv_pass_run(s, phase, &pass, err);
        if (status != CLV_OK) return status;
    }
    *seconds = clv_seconds() - start;
    return CLV_OK;
}

/* Blocks are long enough for the clock. */
clv_status clv_measure_steps(clv_session *s, double seconds, int least, clv_bench_result *result, clv_error *err)
{
    double block[MAX_BLOCKS], peak[MAX_BLOCKS], spent = 0, took = 0;
    uint32_t steps = 1, step = 1;
    clv_status status = CLV_OK;
    for (;;) { /* warm-up finds the block's length */
        CLV_TRY(clv_time_steps(s, steps, &step, &took, err));
        if (took > BLOCK_SECONDS) break;
        steps = took > 0 ? (uint32_t)(steps * 1.3 * BLOCK_SECONDS / took) + 1 : steps * 2;
    }
    int blocks = 0;
    while (blocks < MAX_BLOCKS && (spent < seconds || blocks < least)) {
        CLV_TRY(clv_backend_peak(s->be, &peak[blocks], err));
        CLV_TRY(clv_time_steps(s, steps, &step, &took, err));
        block[blocks++] = took / steps;
        spent += took;
    }
    const double step_seconds = clv_median(block, (size_t)blocks), peak_gflops = clv_median(peak, (size_t)blocks);
    const double shortest = block[0], fastest = peak[blocks - 1]; /* medians sort */
    const double work = 2e-9 * (double)s->phase[0].plan->multiply_adds * s->phase[0].plan->batch;
    result->batch = s->phase[0].plan->batch;
    result->step_ms = step_seconds * 1e3;
    result->images_per_second = result->batch / step_seconds;
    result->gflops = work / step_seconds;
    result->peak_gflops = peak_gflops;
    result->peak_share = peak_gflops > 0 ? result->gflops / peak_gflops : 0;
    result->least_ms = shortest * 1e3;
    result->least_share = fastest > 0 ? work / shortest / fastest : 0;
done:
    return status;
}

clv_status clv_bench(const clv_config *config, bool inference, double seconds, FILE *trace, clv_log *log,
                     clv_bench_result *result, clv_error *err)
{
    clv_session *s = NULL;
    clv_status status = CLV_OK;
    double start = clv_seconds(), took;
    uint32_t step = 0;
    const bool classifies = clv_config_choice(config, "experiment.task") == CLV_TASK_CLASSIFY;
    clv_phase_request request = {CLV_MODE_TRAIN, CLV_DATASET_TRAIN};
    if (inference) request.mode = classifies ? CLV_MODE_CLASSIFY : CLV_MODE_RECONSTRUCT;
    *result = (clv_bench_result){0};
    CLV_TRY(clv_session_open(config, log, &request, 1, &s, err));
    CLV_TRY(clv_session_load(s, NULL, err));
    const clv_phase *phase = &s->phase[0];
    CLV_TRY(clv_time_steps(s, 1, &step, &took, err));
    result->first_step_seconds = clv_seconds() - start;
    result->launches = clv_program_launches(s->be, phase->program);
    result->device_bytes = s->device_bytes + clv_program_bytes(s->be, phase->program);
    clv_session_device(s, result->device, sizeof result->device);
    CLV_TRY(clv_measure_steps(s, seconds, 3, result, err));
    if (trace) {
        clv_step values = {.count = (uint32_t)phase->plan->batch, .step = 1, .correction1 = 1, .correction2 = 1};
        CLV_TRY(clv_program_trace(s->be, phase->program, &values, trace, err));
    }
done:
    clv_session_close(s);
    return status;
}
