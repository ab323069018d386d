/* Schedules: the whole arithmetic, apart from files and devices so that it can be tested alone. */
#include "experiment/schedule.h"

#include <math.h>

static clv_schedule_kind kind_of(const clv_config *config)
{
    return (clv_schedule_kind)clv_config_choice(config, "train.schedule");
}

clv_schedule clv_schedule_of(const clv_config *config, uint32_t batches)
{
    uint64_t total = (uint64_t)batches * (uint64_t)clv_config_int(config, "train.epochs");
    return (clv_schedule){
        .kind = kind_of(config),
        .rate = clv_config_real(config, "train.lr"),
        .start = clv_config_real(config, "train.lr_start"),
        .end = clv_config_real(config, "train.lr_end"),
        .warmup = (uint64_t)llround(clv_config_real(config, "train.warmup") * (double)total),
        .total = total,
        .ramp = (uint64_t)llround(clv_config_real(config, "loss.beta_warmup") * batches),
        .min_delta = clv_config_real(config, "early_stopping.min_delta"),
        .factor = clv_config_real(config, "train.plateau_factor"),
        .patience = (uint32_t)clv_config_int(config, "train.plateau_patience"),
    };
}

/* From `from` at 0 to `to` at 1 along half a cosine. */
static double along_cosine(double from, double to, double at)
{
    return to + (from - to) * (1 + cos(3.14159265358979323846 * at)) / 2;
}

/* The share of the rate behind the warm-up, where a fall begins with the warm-up's last step and ends with the run's.
 */
static double falling_share(const clv_schedule *s, uint64_t step)
{
    uint64_t top = s->warmup ? s->warmup - 1 : 0;
    if (s->total <= top + 1 || step >= s->total) return s->end;
    return along_cosine(1, s->end, (double)(step - top) / (double)(s->total - 1 - top));
}

double clv_schedule_rate(const clv_schedule *s, uint64_t step, const clv_plateau *plateau)
{
    double share = 1;
    if (step < s->warmup) {
        double at = (double)(step + 1) / (double)s->warmup;
        share = s->kind == CLV_SCHEDULE_ONE_CYCLE ? along_cosine(s->start, 1, at) : s->start + (1 - s->start) * at;
    } else if (s->kind == CLV_SCHEDULE_COSINE || s->kind == CLV_SCHEDULE_ONE_CYCLE) {
        share = falling_share(s, step);
    }
    if (s->kind == CLV_SCHEDULE_PLATEAU) share *= plateau->share;
    return s->rate * share;
}

double clv_schedule_ramp(const clv_schedule *s, uint64_t step)
{
    return step < s->ramp ? (double)step / (double)s->ramp : 1;
}

void clv_schedule_epoch(const clv_schedule *s, double monitored, clv_plateau *plateau)
{
    if (s->kind != CLV_SCHEDULE_PLATEAU) return;
    if (plateau->epochs++ == 0 || monitored < plateau->best - s->min_delta) {
        plateau->best = monitored;
        plateau->waited = 0;
    } else if (++plateau->waited > s->patience) {
        plateau->share = fmax(plateau->share * s->factor, s->end);
        plateau->waited = 0;
    }
}

bool clv_schedule_is_bounded(const clv_config *config)
{
    clv_schedule_kind kind = kind_of(config);
    return kind == CLV_SCHEDULE_COSINE || kind == CLV_SCHEDULE_ONE_CYCLE || clv_config_real(config, "train.warmup") > 0;
}
