/* Passes. Steps are queued without waiting; the losses of a block of steps are read at once, in blocks that grow until
 * reading costs nothing beside the steps. */
#include "experiment/pass.h"

#include <math.h>
#include <string.h>

#include "base/try.h"

#define BLOCK_SECONDS 0.2 /* between looks at the losses, the stop flag and the progress line */

uint32_t clv_pass_batches(const clv_phase *phase, uint32_t count)
{
    uint32_t batch = (uint32_t)phase->plan->batch;
    return count / batch + (count % batch != 0);
}

static uint32_t batch_images(const clv_phase *phase, const clv_pass *pass, uint32_t b)
{
    uint32_t batch = (uint32_t)phase->plan->batch, left = pass->count - b * batch;
    return left < batch ? left : batch;
}

/* Bias corrections in double: in float 1 - 0.999^t would have three digits at t = 1. */
static clv_step step_values(const clv_session *s, const clv_phase *phase, const clv_pass *pass, uint32_t b)
{
    const clv_config *config = s->config;
    clv_step step = {
        .seed = {(uint32_t)pass->seed, (uint32_t)(pass->seed >> 32)},
        .step = pass->first_step + b,
        .offset = pass->first + b * (uint32_t)phase->plan->batch,
        .count = batch_images(phase, pass, b),
        .row = b % CLV_TRACE_ROWS,
        .noise = (float)s->noise,
    };
    if (phase->mode == CLV_MODE_TRAIN) {
        double t = (double)step.step + 1;
        const clv_schedule *schedule = pass->schedule;
        step.lr = (float)(schedule ? clv_schedule_rate(schedule, step.step, pass->plateau)
                                   : clv_config_real(config, "train.lr"));
        step.ramp = schedule ? (float)clv_schedule_ramp(schedule, step.step) : 1;
        step.correction1 = (float)(1 / (1 - pow(clv_config_real(config, "train.beta1"), t)));
        step.correction2 = (float)(1 / (1 - pow(clv_config_real(config, "train.beta2"), t)));
    }
    return step;
}

/* Adds the trace rows of batches from .. to - 1, which no trace row wraps around, to the sums; waits for them. */
static clv_status take_losses(clv_session *s, const clv_phase *phase, clv_pass *pass, uint32_t from, uint32_t to,
                              clv_error *err)
{
    float trace[CLV_TRACE_ROWS * CLV_MAX_METRICS];
    int slots = phase->plan->slots;
    size_t row = from % CLV_TRACE_ROWS;
    if (slots == 0) return clv_backend_finish(s->be, err);
    clv_status status = clv_buffer_read_floats(s->be, s->bindings.space[CLV_SPACE_TRACE], row * (size_t)slots, trace,
                                               (size_t)(to - from) * (size_t)slots, err);
    if (status != CLV_OK) return status;
    for (uint32_t b = from; b < to; b++)
        for (int m = 0; m < phase->graph.metrics; m++) {
            double value = (double)trace[(size_t)(b - from) * (size_t)slots + (size_t)phase->graph.slot[m]];
            if (!isfinite(value))
                return clv_fail(err, CLV_ERR_DIVERGED,
                                "%s became %s at step %u (batch %u of %u): lower train.lr, %slook at the data",
                                phase->graph.metric[m], isnan(value) ? "NaN" : "infinite", pass->first_step + b, b + 1,
                                clv_pass_batches(phase, pass->count),
                                phase->plan->elements[CLV_SPACE_HALF] ? "set device.storage = float, or " : "or ");
            pass->sum[m] += value;
        }
    return CLV_OK;
}

static void show_progress(const clv_session *s, const clv_phase *phase, const clv_pass *pass, uint32_t batches,
                          double seconds)
{
    if (!pass->label) return;
    uint32_t batch = (uint32_t)phase->plan->batch;
    uint64_t images = (uint64_t)batches * batch < pass->count ? (uint64_t)batches * batch : pass->count;
    uint64_t here = images - (uint64_t)pass->from_batch * batch;
    char note[64];
    snprintf(note, sizeof note, "%s %.5g", phase->graph.metric[0], pass->sum[0] / (double)images);
    clv_log_progress(s->log, pass->label, (long)images, (long)pass->count, seconds > 0 ? (double)here / seconds : 0,
                     note);
}

clv_status clv_pass_run(clv_session *s, clv_phase *phase, clv_pass *pass, clv_error *err)
{
    uint32_t batches = clv_pass_batches(phase, pass->count), block = 1;
    double start = clv_seconds();
    pass->batches = pass->from_batch;
    pass->stopped = false;
    while (pass->batches < batches && !pass->stopped) {
        uint32_t from = pass->batches, to = from + block < batches ? from + block : batches;
        uint32_t wrap = from - from % CLV_TRACE_ROWS + CLV_TRACE_ROWS;
        if (to > wrap) to = wrap;
        if (pass->stop_after && to - pass->from_batch > (uint32_t)pass->stop_after)
            to = pass->from_batch + (uint32_t)pass->stop_after;
        double block_start = clv_seconds();
        for (uint32_t b = from; b < to; b++) {
            clv_step step = step_values(s, phase, pass, b);
            clv_status status = clv_program_run(s->be, phase->program, &step, err);
            if (status != CLV_OK) return status;
        }
        clv_status status = take_losses(s, phase, pass, from, to, err);
        if (status != CLV_OK) return status;
        double now = clv_seconds();
        if (from == pass->from_batch) pass->first_step_at = now;
        if (now - block_start < BLOCK_SECONDS && block < CLV_TRACE_ROWS / 2) block *= 2;
        pass->batches = to;
        pass->stopped =
            (pass->stop && *pass->stop) || (pass->stop_after && to - pass->from_batch >= (uint32_t)pass->stop_after);
        show_progress(s, phase, pass, to, now - start);
    }
    return CLV_OK;
}

static void add_measure(clv_measures *measures, const char *name, double value)
{
    clv_measure *m = &measures->of[measures->count++];
    snprintf(m->name, sizeof m->name, "%s", name);
    m->value = value;
}

void clv_pass_measures(const clv_phase *phase, const clv_pass *pass, clv_measures *measures)
{
    uint64_t images = (uint64_t)pass->batches * (uint64_t)phase->plan->batch;
    if (images > pass->count) images = pass->count;
    measures->count = 0;
    for (int m = 0; m < phase->graph.metrics; m++)
        add_measure(measures, phase->graph.metric[m], pass->sum[m] / (double)images);
    double bce = clv_measure_get(measures, "bce"), kl = clv_measure_get(measures, "kl"),
           mse = clv_measure_get(measures, "mse");
    if (!isnan(bce) && !isnan(kl)) add_measure(measures, "elbo", -(bce + kl));
    double noisy = clv_measure_get(measures, "noisy_mse");
    if (mse > 0) add_measure(measures, "psnr", 10 * log10(1 / mse)); /* of values in 0 .. 1; a perfect image has none */
    if (noisy > 0) add_measure(measures, "noisy_psnr", 10 * log10(1 / noisy));
}

double clv_measure_get(const clv_measures *measures, const char *name)
{
    for (int i = 0; i < measures->count; i++)
        if (!strcmp(measures->of[i].name, name)) return measures->of[i].value;
    return NAN;
}
