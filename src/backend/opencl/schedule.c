/* From calls to a queue: which launches must wait for which, by the memory that they read and write. Launches of one
 * level wait for nothing of each other; on a CPU, where each launch costs a meeting of all threads, they become one
 * (joint.c). */
#include "backend/opencl/schedule.h"

#include <stdlib.h>
#include <string.h>

#include "backend/opencl/chain.h"
#include "base/memory.h"
#include "base/try.h"
#include "graph/place.h"

#define MOST_BESIDE 8 /* launches side by side in one */
#define MOVE_COST   8 /* multiply-adds in the time that moving an element takes, about */
#define FILL        4 /* work-groups for each unit of a GPU, from which a launch fills it */

/* ---- levels ---- */

static bool same_chain(const clv_launch_item *a, const clv_launch_item *b) { return a->chain && a->chain == b->chain; }

/* Raises an item above what it waits for, and the links of its chain with it; false: it was. */
static bool raise_item(clv_launch_item *item, const clv_wait *wait, int items, int i)
{
    int level = item[i].level;
    for (int k = 0; k < items; k++)
        if (same_chain(&item[i], &item[k]) && item[k].level > level) level = item[k].level;
    for (int k = 0; k < i; k++)
        if (wait[i * items + k] != CLV_WAIT_NONE && !same_chain(&item[i], &item[k]) && item[k].level >= level)
            level = item[k].level + 1;
    const bool raised = level > item[i].level;
    item[i].level = level;
    return raised;
}

/* One above the highest that it waits for. What waits for nothing but is needed late, as panels of weights are, comes
 * just before its first reader, while the caches still have it. */
static clv_status find_levels(clv_launch_item *item, const clv_wait *wait, int items, clv_error *err)
{
    clv_status status = CLV_OK;
    bool again = true;
    for (int round = 0; again; round++) {
        CLV_REQUIRE(round <= items, CLV_ERR_INTERNAL, "the plan's launches wait for each other in a ring");
        again = false;
        for (int i = 0; i < items; i++) again |= raise_item(item, wait, items, i);
    }
    for (int i = items - 1; i >= 0; i--) {
        if (item[i].level > 0 || item[i].chain) continue;
        int first = -1;
        for (int k = i + 1; k < items; k++)
            if ((first < 0 || item[k].level < first) && wait[k * items + i] != CLV_WAIT_NONE) first = item[k].level;
        if (first > 0) item[i].level = first - 1;
    }
done:
    return status;
}

/* In blocks: what is of the whole batch comes behind all chains, which then follow each other and may be run for some
 * blocks after others. */
static clv_status put_batch_behind(clv_launch_item *item, const clv_wait *wait, int items, clv_error *err)
{
    clv_status status = CLV_OK;
    int levels = 0;
    for (int i = 0; i < items; i++) {
        if (item[i].chain && item[i].level >= levels) levels = item[i].level + 1;
        for (int k = 0; k < i && item[i].chain; k++)
            CLV_REQUIRE(item[k].chain || wait[i * items + k] == CLV_WAIT_NONE, CLV_ERR_INTERNAL,
                        "a block waits for a launch of the whole batch");
    }
    for (int i = 0; i < items; i++)
        if (!item[i].chain) item[i].level += levels;
done:
    return status;
}

static bool comes_after(const clv_launch_item *a, const clv_launch_item *b)
{
    return a->level != b->level ? a->level > b->level : a->chain > b->chain;
}

static void sort_by_level(clv_launch_item *item, int items)
{
    for (int i = 1; i < items; i++) {
        const clv_launch_item moved = item[i];
        int k = i;
        for (; k > 0 && comes_after(&item[k - 1], &moved); k--) item[k] = item[k - 1];
        item[k] = moved;
    }
}

static clv_status order_items(const clv_device_info *device, const clv_launch_work *work, bool chains,
                              clv_launch_schedule *s, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_wait *wait = clv_waits_find(work, s->item, s->items, s->blocks > 0, err);
    if (!wait) return CLV_ERR_INTERNAL;
    if (s->blocks > 0)
        clv_chains_of_blocks(s->item, s->items);
    else if (chains)
        CLV_TRY(clv_chains_find(device, work, s->item, s->items, wait, err));
    CLV_TRY(find_levels(s->item, wait, s->items, err));
    if (s->blocks > 0) CLV_TRY(put_batch_behind(s->item, wait, s->items, err));
    sort_by_level(s->item, s->items);
done:
    free(wait);
    return status;
}

static clv_status list_items(const clv_launch_work *work, int calls, clv_launch_schedule *s, clv_error *err)
{
    size_t items = 0;
    for (int i = 0; i < calls; i++) items += (size_t)work[i].list->launches + work[i].clblast;
    if (!(s->item = clv_alloc(items, sizeof *s->item, err))) return CLV_ERR_INTERNAL;
    for (int i = 0; i < calls; i++)
        for (int j = work[i].clblast ? -1 : 0; j < work[i].list->launches; j++)
            s->item[s->items++] =
                (clv_launch_item){.call = i, .index = j, .launch = j < 0 ? NULL : &work[i].list->launch[j]};
    return CLV_OK;
}

/* ---- scratch memory ---- */

/* Calls whose launches' levels meet have scratch memory apart. */
static clv_status place_scratch(const clv_launch_work *work, int calls, size_t alignment, clv_launch_schedule *s,
                                clv_error *err)
{
    clv_status status = CLV_ERR_INTERNAL;
    clv_interval *interval = clv_alloc((size_t)calls, sizeof *interval, err);
    if (!interval || !(s->scratch = clv_alloc((size_t)calls, sizeof *s->scratch, err))) goto done;
    for (int i = 0; i < calls; i++) interval[i] = (clv_interval){.size = work[i].scratch, .birth = -1};
    for (int k = 0; k < s->items; k++) {
        clv_interval *at = &interval[s->item[k].call];
        if (at->birth < 0) at->birth = s->item[k].level;
        at->death = s->item[k].level;
    }
    CLV_TRY(clv_place_intervals(interval, calls, alignment, &s->scratch_elements, err));
    for (int i = 0; i < calls; i++) s->scratch[i] = interval[i].offset;
done:
    free(interval);
    return status;
}

/* ---- groups ---- */

/* About how long a work-group takes, in multiply-adds. Of a product's launches the one that reads its first input does
 * them; the others, as all that is no product, move elements. */
static double work_of_group(const clv_call *call, const clv_launch *launch)
{
    double work =
        (double)(clv_operand_elements(&call->in[0], call->lanes) + clv_operand_elements(&call->out, call->lanes));
    bool multiplies = false;
    for (int i = 0; i < launch->args; i++) multiplies |= launch->arg[i] == CLV_ARG_IN0;
    if (multiplies && clv_op_table[call->op].family == CLV_FAMILY_PRODUCT) {
        const clv_shape *small =
            call->op == CLV_OP_CONV ? &call->out.shape : &call->in[call->op == CLV_OP_CONV_WEIGHT].shape;
        const clv_shape *big = call->op == CLV_OP_DECONV ? &call->out.shape : &call->in[0].shape;
        work = (double)small->dim[0] * small->dim[1] * small->dim[2] * big->dim[0] * call->lanes;
        work *= call->attr.kernel > 1 ? (double)call->attr.kernel * call->attr.kernel : 1.0;
    } else {
        work *= MOVE_COST;
    }
    return work / (double)clv_groups_of(launch);
}

/* Units take long runs of work-groups first: where the lighter ones of a round come before the heavier ones, no first
 * run is more than its share, and what is left over is taken in small runs. */
static void sort_by_work(const clv_launch_work *of, clv_launch_item *item, int items)
{
    for (int i = 1; i < items; i++) {
        const clv_launch_item moved = item[i];
        const double work = work_of_group(of[moved.call].call, moved.launch);
        int k = i;
        for (; k > 0 && work_of_group(of[item[k - 1].call].call, item[k - 1].launch) > work; k--) item[k] = item[k - 1];
        item[k] = moved;
    }
}

/* On a device that starts groups one by one, a launch that fills it alone gains nothing beside others, whose registers
 * it would then have to itself no more. */
static bool is_small(const clv_device_info *device, const clv_launch *launch)
{
    return device->kind == CLV_DEVICE_CPU || clv_groups_of(launch) <= (size_t)device->compute_units * FILL;
}

/* Launches of t-SNE declare their group's memory themselves: no function of another kernel can. A GPU's conv_weight
 * takes all registers there are: beside another kernel it spills. */
static bool can_join(const clv_device_info *device, const clv_launch_work *work, const clv_launch_item *item)
{
    const clv_op op = work[item->call].call->op;
    const bool tsne = clv_op_table[op].family == CLV_FAMILY_PAIRS || op == CLV_OP_TSNE_GRAD;
    if (!item->launch || item->chain || !is_small(device, item->launch) || tsne) return false;
    return op != CLV_OP_CONV_WEIGHT || item->launch->group_floats == 0;
}

/* Whether an item joins the last group: kernels with barriers need all work-items of the group. */
static bool joins_last(const clv_device_info *device, const clv_launch_work *work, const clv_launch_schedule *s,
                       const clv_launch_item *item)
{
    if (s->groups == 0 || !can_join(device, work, item)) return false;
    const clv_launch_group *last = &s->group[s->groups - 1];
    const clv_launch_item *first = &s->item[last->first];
    if (first->level != item->level || last->items == MOST_BESIDE || !can_join(device, work, first)) return false;
    clv_launch_unit unit = clv_unit_of(s, last);
    unit.launch[unit.launches++] = item->launch;
    int args = CLV_JOINT_OWN;
    for (int i = 0; i < unit.launches; i++) {
        args += unit.launch[i]->args;
        if (unit.launch[i]->group_floats && clv_group_size(unit.launch[i]) != clv_joint_size(&unit)) return false;
    }
    return args <= CLV_JOINT_ARGS;
}

/* The items of the last group's level that join it, from `at` on, are moved there; returns the first that is in no
 * group. */
static int gather_level(const clv_device_info *device, const clv_launch_work *work, clv_launch_schedule *s, int at)
{
    clv_launch_group *last = &s->group[s->groups - 1];
    const int level = s->item[last->first].level;
    for (int i = at; i < s->items && s->item[i].level == level; i++) {
        if (!joins_last(device, work, s, &s->item[i])) continue;
        const clv_launch_item moved = s->item[i];
        memmove(&s->item[at + 1], &s->item[at], (size_t)(i - at) * sizeof moved);
        s->item[at++] = moved;
        last->items++;
    }
    return at;
}

static clv_status form_groups(const clv_device_info *device, const clv_launch_work *work, bool joint,
                              clv_launch_schedule *s, clv_error *err)
{
    if (!(s->group = clv_alloc((size_t)s->items, sizeof *s->group, err))) return CLV_ERR_INTERNAL;
    for (int at = 0; at < s->items;) {
        clv_launch_group *group = &s->group[s->groups++];
        *group = (clv_launch_group){.first = at++, .items = 1};
        while (at < s->items && same_chain(&s->item[at], &s->item[group->first])) at++, group->items++;
        if (joint) at = gather_level(device, work, s, at);
    }
    for (int g = 0; g < s->groups; g++)
        if (s->group[g].items > 1 && !s->item[s->group[g].first].chain)
            sort_by_work(work, &s->item[s->group[g].first], s->group[g].items);
    return CLV_OK;
}

clv_status clv_launch_schedule_make(const clv_device_info *device, const clv_launch_work *work, int calls,
                                    const clv_schedule_options *options, clv_launch_schedule *schedule, clv_error *err)
{
    clv_status status = CLV_OK;
    schedule->blocks = options->blocks;
    CLV_TRY(list_items(work, calls, schedule, err));
    CLV_TRY(order_items(device, work, options->chains, schedule, err));
    CLV_TRY(place_scratch(work, calls, options->alignment, schedule, err));
    CLV_TRY(form_groups(device, work, options->joint, schedule, err));
done:
    return status;
}

void clv_launch_schedule_free(clv_launch_schedule *schedule)
{
    free(schedule->item);
    free(schedule->group);
    free(schedule->scratch);
    *schedule = (clv_launch_schedule){0};
}

clv_launch_unit clv_unit_of(const clv_launch_schedule *schedule, const clv_launch_group *group)
{
    clv_launch_unit unit = {.launches = group->items, .chain = schedule->item[group->first].chain > 0};
    if (unit.chain) unit.blocks = schedule->blocks;
    for (int i = 0; i < group->items; i++) unit.launch[i] = schedule->item[group->first + i].launch;
    return unit;
}

int clv_group_of(const clv_launch_schedule *schedule, int call, int index, int *place)
{
    for (int g = 0; g < schedule->groups; g++)
        for (int i = 0; i < schedule->group[g].items; i++) {
            const clv_launch_item *item = &schedule->item[schedule->group[g].first + i];
            *place = i;
            if (item->call == call && item->index == index) return g;
        }
    return -1;
}
