/* A pass: a phase's program over a range of places of its data set, batch by batch, losses summed by image in double.
 */
#ifndef CLAVE_EXPERIMENT_PASS_H
#define CLAVE_EXPERIMENT_PASS_H

#include "clave/experiment.h"
#include "experiment/schedule.h"
#include "experiment/session.h"

typedef struct clv_pass {
    uint32_t first, count; /* places */
    uint32_t from_batch;   /* batches done already (a resumed epoch) */
    uint32_t first_step;   /* step number of batch 0: keys the random streams, counts for Adam */
    uint64_t seed;
    const clv_schedule *schedule; /* of training's rates; NULL: train.lr, the KL divergence in full */
    const clv_plateau *plateau;   /* where there is a schedule */
    const char *label;            /* of the progress line; NULL: none */
    const volatile int *stop;
    long stop_after; /* batches run in this pass before it stops as if *stop were set; 0 is never */

    /* results */
    double sum[CLV_MAX_METRICS]; /* over images, by metric; a resumed epoch starts from what it had */
    uint32_t batches;            /* done in all, from_batch included */
    bool stopped;
    double first_step_at; /* clv_seconds() when the first batch run here had ended */
} clv_pass;

/* CLV_ERR_DIVERGED names the step where a loss is not finite. */
clv_status clv_pass_run(clv_session *session, clv_phase *phase, clv_pass *pass, clv_error *err);

/* Seconds of `steps` full steps of the session's first phase, which trains; the optimiser's step number goes on from *step. */
clv_status clv_time_steps(clv_session *session, uint32_t steps, uint32_t *step, double *seconds, clv_error *err);

/* Blocks of such steps, `least` of them and for so long at least, the device's peak measured before each: fills what
 * `result` says of a step (medians) and the batch. */
clv_status clv_measure_steps(clv_session *session, double seconds, int least, clv_bench_result *result, clv_error *err);

uint32_t clv_pass_batches(const clv_phase *phase, uint32_t count); /* that `count` images make */

/* Sums to means by image, with what follows from them: elbo of bce and kl, psnr of mse. */
void clv_pass_measures(const clv_phase *phase, const clv_pass *pass, clv_measures *measures);

#endif
