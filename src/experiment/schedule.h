/* What changes from step to step of a training run: the learning rate and the share of the KL divergence that counts.
 * Both are functions of the configuration and the step alone (plateau: and of a state that the checkpoint keeps), so
 * that a resumed run goes on to the bit.
 *
 * With w warm-up steps of T in all, step t from 0 on, and a = train.lr lr_start, b = train.lr, c = train.lr lr_end:
 *   warm-up     t < w: from a to b, in a straight line (one_cycle: along half a cosine); the last of them has b
 *   constant    b
 *   cosine      from b to c along half a cosine (Loshchilov & Hutter 2017, equation 5, one period)
 *   one_cycle   the same, with a warm-up of its own (Smith & Topin 2019, in the two phases that PyTorch has)
 *   plateau     b times a factor for each time that the monitored figure has not improved for some epochs, at least c
 */
#ifndef CLAVE_EXPERIMENT_SCHEDULE_H
#define CLAVE_EXPERIMENT_SCHEDULE_H

#include <stdint.h>

#include "clave/config.h"
#include "model/choices.h"

typedef struct clv_schedule {
    clv_schedule_kind kind;
    double rate, start, end;  /* b; a and c as shares of it */
    uint64_t warmup, total;   /* steps */
    uint64_t ramp;            /* steps in which the KL divergence comes to count in full */
    double factor, min_delta; /* plateau; what counts as improvement, early_stopping.min_delta */
    uint32_t patience;        /* plateau: epochs */
} clv_schedule;

/* What a plateau has seen; `share` multiplies train.lr. Starts as CLV_PLATEAU_START. */
typedef struct clv_plateau {
    double share, best;
    uint32_t epochs, waited; /* epochs seen; since the best */
} clv_plateau;
#define CLV_PLATEAU_START ((clv_plateau){.share = 1})

/* The schedule of [train] for epochs of `batches` steps. */
clv_schedule clv_schedule_of(const clv_config *config, uint32_t batches);

double clv_schedule_rate(const clv_schedule *schedule, uint64_t step, const clv_plateau *plateau);
double clv_schedule_ramp(const clv_schedule *schedule, uint64_t step);

/* After an epoch: takes its monitored figure, lower is better; nothing but a plateau changes. */
void clv_schedule_epoch(const clv_schedule *schedule, double monitored, clv_plateau *plateau);

/* Whether rates depend on train.epochs, so that a run cannot be made longer half-way. */
bool clv_schedule_is_bounded(const clv_config *config);

#endif
