/* [search] and [space] as a plan: rungs, points to begin with, and what does not go together is refused. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "base/try.h"
#include "search/trial.h"

#define MOST_FIRSTS 64

/* min_epochs times powers of the reduction, and the last rung has max_epochs. */
static clv_status plan_rungs(const clv_config *config, clv_search_plan *plan, clv_error *err)
{
    int64_t most = clv_config_int(config, "search.max_epochs"), least = clv_config_int(config, "search.min_epochs");
    clv_status status = CLV_OK;
    if (most == 0) most = clv_config_int(config, "train.epochs");
    plan->rungs = 1;
    plan->epochs[0] = (uint32_t)most;
    if (plan->method != CLV_METHOD_ASHA) return CLV_OK;
    CLV_REQUIRE(least <= most, CLV_ERR_CONFIG, "%s: search.min_epochs is %lld, but a trial has at most %lld epochs",
                clv_config_where(config, "search.min_epochs"), (long long)least, (long long)most);
    plan->epochs[0] = (uint32_t)least;
    for (int64_t epochs = least; epochs <= most / plan->reduction && plan->rungs < CLV_MAX_RUNGS; plan->rungs++) {
        epochs *= plan->reduction;
        plan->epochs[plan->rungs] = (uint32_t)epochs;
    }
    plan->epochs[plan->rungs - 1] = (uint32_t)most;
done:
    return status;
}

/* One point of search.first, between `at` and `end`. */
static clv_status read_first(const clv_config *config, const clv_search_plan *plan, const char *at, const char *end,
                             double *point, clv_error *err)
{
    const char *where = clv_config_where(config, "search.first");
    clv_status status = CLV_OK;
    for (int d = 0; d < plan->space.dimensions; d++) {
        char text[CLV_SETTING_SIZE];
        CLV_REQUIRE(at <= end, CLV_ERR_CONFIG, "%s: search.first: a point has %d values, one for each row of [space]",
                    where, plan->space.dimensions);
        const char *stop = at;
        while (stop < end && *stop != ',') stop++;
        size_t length = (size_t)(stop - at), blanks = strspn(at, " \t");
        if (blanks > length) blanks = length;
        while (length > blanks && (at[length - 1] == ' ' || at[length - 1] == '\t')) length--;
        snprintf(text, sizeof text, "%.*s", (int)(length - blanks), at + blanks);
        CLV_REQUIRE(clv_space_read(&plan->space.dimension[d], text, &point[d]), CLV_ERR_CONFIG,
                    "%s: search.first: '%s' is no value of %s = %s", where, text, plan->space.dimension[d].key,
                    plan->space.dimension[d].text);
        at = stop + 1;
    }
    CLV_REQUIRE(at > end, CLV_ERR_CONFIG, "%s: search.first: a point has %d values, one for each row of [space]", where,
                plan->space.dimensions);
done:
    return status;
}

static clv_status read_firsts(const clv_config *config, clv_search_plan *plan, clv_error *err)
{
    const char *text = clv_config_string(config, "search.first");
    clv_status status = CLV_OK;
    if (!strcmp(text, "none")) return CLV_OK;
    plan->first = clv_alloc(MOST_FIRSTS * CLV_MAX_DIMENSIONS, sizeof *plan->first, err);
    if (!plan->first) return CLV_ERR_INTERNAL;
    for (const char *at = text;;) {
        const char *end = at + strcspn(at, "|");
        double *point = &plan->first[plan->firsts * CLV_MAX_DIMENSIONS];
        CLV_TRY(read_first(config, plan, at, end, point, err));
        for (int i = 0; i < plan->firsts; i++)
            CLV_REQUIRE(!clv_space_same(&plan->space, point, &plan->first[i * CLV_MAX_DIMENSIONS]), CLV_ERR_CONFIG,
                        "%s: search.first has the same point twice", clv_config_where(config, "search.first"));
        plan->firsts++;
        if (!*end) break;
        CLV_REQUIRE(plan->firsts < MOST_FIRSTS, CLV_ERR_CONFIG, "%s: search.first has more than %d points",
                    clv_config_where(config, "search.first"), MOST_FIRSTS);
        at = end + 1;
    }
done:
    return status;
}

static clv_status plan_trials(const clv_config *config, clv_search_plan *plan, clv_error *err)
{
    const char *where = clv_config_where(config, "search.trials");
    int64_t wanted = clv_config_int(config, "search.trials"), points = plan->space.points;
    clv_status status = CLV_OK;
    CLV_REQUIRE(plan->method != CLV_METHOD_GRID || points > 0, CLV_ERR_CONFIG,
                "%s: a grid needs lists alone, of at most 4194304 points; write each row of [space] as a list, or use "
                "search.method = random",
                clv_config_where(config, "search.method"));
    CLV_REQUIRE(wanted > 0 || points > 0, CLV_ERR_CONFIG,
                "%s: search.trials = 0 is every point, but [space] has a range or too many points; say how many",
                where);
    if (points > 0 && (wanted == 0 || wanted > points)) wanted = points;
    CLV_REQUIRE(wanted <= 1000000, CLV_ERR_CONFIG, "%s: at most 1000000 trials; [space] has %lld points", where,
                (long long)points);
    CLV_REQUIRE(wanted >= plan->firsts, CLV_ERR_CONFIG, "%s: search.trials is %lld, but search.first has %d points",
                where, (long long)wanted, plan->firsts);
    plan->trials = (int)wanted;
done:
    return status;
}

clv_status clv_search_plan_read(const clv_config *config, clv_search_plan *plan, clv_error *err)
{
    const clv_dimension *dimension;
    int dimensions = clv_config_space(config, &dimension);
    clv_search_plan made = {.method = (clv_method)clv_config_choice(config, "search.method"),
                            .space = clv_space_of(dimension, dimensions),
                            .reduction = (int)clv_config_int(config, "search.reduction"),
                            .seed = (uint64_t)clv_config_int(config, "search.seed"),
                            .startup = (int)clv_config_int(config, "search.startup"),
                            .candidates = (int)clv_config_int(config, "search.candidates"),
                            .quantile = clv_config_real(config, "search.quantile")};
    clv_status status = CLV_OK;
    CLV_REQUIRE(dimensions > 0, CLV_ERR_CONFIG,
                "there is nothing to search: add [space] with rows such as 'train.lr = log 1e-5..1e-2'");
    CLV_REQUIRE(dimensions <= CLV_MAX_DIMENSIONS, CLV_ERR_CONFIG, "%s: [space] has more than %d rows",
                dimension[CLV_MAX_DIMENSIONS].where, CLV_MAX_DIMENSIONS);
    CLV_TRY(plan_rungs(config, &made, err));
    CLV_TRY(read_firsts(config, &made, err));
    CLV_TRY(plan_trials(config, &made, err));
    *plan = made;
    return CLV_OK;
done:
    clv_search_plan_free(&made);
    return status;
}

void clv_search_plan_free(clv_search_plan *plan)
{
    free(plan->first);
    *plan = (clv_search_plan){0};
}
