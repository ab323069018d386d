/* Asynchronous successive halving (Li et al. 2020): who trains on. A rung is an amount of epochs; of the trials that
 * came to its end the best 1/reduction go up to the next, as soon as that can be said. */
#include <math.h>

#include "search/trial.h"

static bool completed(const clv_trial *t, int rung)
{
    return !isnan(t->value[rung]) || (t->state == CLV_TRIAL_FAILED && t->rung == rung);
}

static double value_at(const clv_trial *t, int rung) { return isnan(t->value[rung]) ? INFINITY : t->value[rung]; }

/* Of two in a rung, whether the first stands before the other: it is better, or equal and earlier. */
static bool before(const clv_trial *trial, int rung, int a, int b)
{
    const double x = value_at(&trial[a], rung), y = value_at(&trial[b], rung);
    return x < y || (a < b && x <= y);
}

/* The best that may go up from this rung, or -1: where the best of those that have not gone up is not among the top,
 * none of them is. Two passes, as this is asked inside the study's write transaction. */
static int promotable(int reduction, const clv_trial *trial, int trials, int rung)
{
    int in_rung = 0, best = -1, place = 0;
    for (int i = 0; i < trials; i++) {
        in_rung += completed(&trial[i], rung);
        if (trial[i].state != CLV_TRIAL_DONE || trial[i].rung != rung || isnan(trial[i].value[rung])) continue;
        if (best < 0 || before(trial, rung, i, best)) best = i;
    }
    for (int i = 0; best >= 0 && i < trials; i++) place += completed(&trial[i], rung) && before(trial, rung, i, best);
    return place < in_rung / reduction ? best : -1;
}

int clv_asha_promote(int rungs, int reduction, const clv_trial *trial, int trials)
{
    for (int rung = rungs - 2; rung >= 0; rung--) {
        const int found = promotable(reduction, trial, trials, rung);
        if (found >= 0) return found;
    }
    return -1;
}
