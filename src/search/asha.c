/* Asynchronous successive halving (Li et al. 2020): who trains on. A rung is an amount of epochs; of the trials that
 * came to its end the best 1/reduction go up to the next, as soon as that can be said. */
#include <math.h>

#include "search/trial.h"

static bool completed(const clv_trial *t, int rung)
{
    return !isnan(t->value[rung]) || (t->state == CLV_TRIAL_FAILED && t->rung == rung);
}

static double value_at(const clv_trial *t, int rung) { return isnan(t->value[rung]) ? INFINITY : t->value[rung]; }

/* How many stand before trial `i` in a rung: better ones, and of equals the earlier. */
static int place_in_rung(const clv_trial *trial, int trials, int rung, int i)
{
    const double mine = value_at(&trial[i], rung);
    int before = 0;
    for (int k = 0; k < trials; k++) {
        const double other = completed(&trial[k], rung) ? value_at(&trial[k], rung) : INFINITY;
        before += other < mine || (k < i && other <= mine && completed(&trial[k], rung));
    }
    return before;
}

/* The best that may go up from this rung, or -1. */
static int promotable(int reduction, const clv_trial *trial, int trials, int rung)
{
    int in_rung = 0, best = -1, best_place = 0;
    for (int i = 0; i < trials; i++) in_rung += completed(&trial[i], rung);
    for (int i = 0; i < trials; i++) {
        if (trial[i].state != CLV_TRIAL_DONE || trial[i].rung != rung || isnan(trial[i].value[rung])) continue;
        const int place = place_in_rung(trial, trials, rung, i);
        if (place >= in_rung / reduction || (best >= 0 && place > best_place)) continue;
        best = i;
        best_place = place;
    }
    return best;
}

int clv_asha_promote(int rungs, int reduction, const clv_trial *trial, int trials)
{
    for (int rung = rungs - 2; rung >= 0; rung--) {
        const int found = promotable(reduction, trial, trials, rung);
        if (found >= 0) return found;
    }
    return -1;
}
