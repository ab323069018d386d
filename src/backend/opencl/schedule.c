/* From calls to a queue: which launches must wait for which, by the memory that they read and write. Launches of one
 * level wait for nothing of each other; on a CPU, where each launch costs a meeting of all threads, they become one
 * (joint.c). */
#include "backend/opencl/schedule.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/try.h"
#include "graph/place.h"

#define MOST_ACCESSES (CLV_MAX_ARGS + 1)
#define MOST_ARGS     96 /* of a joint kernel: a device takes 1024 bytes of arguments at least */
#define MOVE_COST     8  /* multiply-adds in the time that moving an element takes, about */
#define FILL          4  /* work-groups for each unit of a GPU, from which a launch fills it */
#define NO_SPACE      (-1)

/* ---- what a launch reads and writes ---- */

/* Spaces that only this file tells from others. */
enum { SPACE_PARTS = CLV_SPACE_COUNT, SPACE_SCRATCH /* of call 0, and so on */ };

typedef struct access {
    int space;
    size_t first, end; /* elements */
    bool writes;
} access;

typedef struct access_list {
    access at[MOST_ACCESSES];
    int count;
} access_list;

static const access nothing = {NO_SPACE, 0, 0, false};

static access whole(int space, bool writes) { return (access){space, 0, SIZE_MAX, writes}; }

static access of_operand(const clv_operand *operand, int lanes, bool writes)
{
    return (access){(int)operand->space, operand->offset, operand->offset + clv_operand_elements(operand, lanes),
                    writes};
}

/* Parts of split sums: each call has a region of its own, the optimiser reads them all. */
static access of_parts(const clv_call *call, size_t from)
{
    if (clv_op_table[call->op].family == CLV_FAMILY_OPTIM) return whole(SPACE_PARTS, false);
    return (access){SPACE_PARTS, from, from + 1, true};
}

static access of_arg(const clv_call *call, int index, const clv_launch *launch, int i)
{
    const clv_arg arg = launch->arg[i];
    switch (arg) {
    case CLV_ARG_OUT:
        return of_operand(&call->out, call->lanes, true);
    case CLV_ARG_SCRATCH:
        return whole(SPACE_SCRATCH + index, true);
    case CLV_ARG_PARTS:
        return of_parts(call, launch->scratch_offset[i]);
    case CLV_ARG_TRACE:
        return (access){CLV_SPACE_TRACE, (size_t)call->attr.slot, (size_t)call->attr.slot + 1, true};
    case CLV_ARG_PARAM:
        return whole(CLV_SPACE_PARAM, true);
    case CLV_ARG_GRAD:
        return whole(CLV_SPACE_GRAD, true);
    case CLV_ARG_MOMENT1:
        return whole(CLV_SPACE_MOMENT1, true);
    case CLV_ARG_MOMENT2:
        return whole(CLV_SPACE_MOMENT2, true);
    case CLV_ARG_RATE:
        return whole(CLV_SPACE_RATE, false);
    default:
        break;
    }
    if (arg <= CLV_ARG_IN4) return of_operand(&call->in[arg], call->lanes, clv_call_writes(call, (int)arg));
    return nothing; /* the step's values, the data set, the table of segments: the host's */
}

static access_list accesses_of(const clv_call *call, int index, const clv_launch *launch)
{
    access_list list = {.count = 0};
    if (launch) {
        for (int i = 0; i < launch->args; i++) list.at[list.count++] = of_arg(call, index, launch, i);
        return list;
    }
    for (int i = 0; i < 2; i++) list.at[list.count++] = of_operand(&call->in[i], call->lanes, false);
    list.at[list.count++] = of_operand(&call->out, call->lanes, true);
    list.at[list.count++] = whole(SPACE_SCRATCH + index, true);
    return list;
}

static bool must_wait(const access_list *a, const access_list *b)
{
    for (int i = 0; i < a->count; i++)
        for (int k = 0; k < b->count; k++) {
            const access *p = &a->at[i], *q = &b->at[k];
            if (p->space != NO_SPACE && p->space == q->space && (p->writes || q->writes) && p->first < q->end &&
                q->first < p->end)
                return true;
        }
    return false;
}

/* ---- levels ---- */

/* One above the highest that it waits for. What waits for nothing but is needed late, as panels of weights are, comes
 * just before its first reader, while the caches still have it. */
static void find_levels(clv_launch_item *item, const access_list *list, int items)
{
    for (int i = 0; i < items; i++)
        for (int k = 0; k < i; k++)
            if (item[k].level >= item[i].level && must_wait(&list[k], &list[i])) item[i].level = item[k].level + 1;
    for (int i = items - 1; i >= 0; i--) {
        if (item[i].level > 0) continue;
        int first = -1;
        for (int k = i + 1; k < items; k++)
            if ((first < 0 || item[k].level < first) && must_wait(&list[i], &list[k])) first = item[k].level;
        if (first > 0) item[i].level = first - 1;
    }
}

static void sort_by_level(clv_launch_item *item, int items)
{
    for (int i = 1; i < items; i++) {
        const clv_launch_item moved = item[i];
        int k = i;
        for (; k > 0 && item[k - 1].level > moved.level; k--) item[k] = item[k - 1];
        item[k] = moved;
    }
}

static clv_status list_items(const clv_launch_work *work, int calls, clv_launch_schedule *s, clv_error *err)
{
    size_t items = 0;
    for (int i = 0; i < calls; i++) items += (size_t)work[i].list->launches + work[i].clblast;
    s->item = clv_alloc(items, sizeof *s->item, err);
    access_list *list = s->item ? clv_alloc(items, sizeof *list, err) : NULL;
    if (!list) return CLV_ERR_INTERNAL;
    for (int i = 0; i < calls; i++)
        for (int j = work[i].clblast ? -1 : 0; j < work[i].list->launches; j++) {
            const clv_launch *launch = j < 0 ? NULL : &work[i].list->launch[j];
            list[s->items] = accesses_of(work[i].call, i, launch);
            s->item[s->items++] = (clv_launch_item){.call = i, .index = j, .launch = launch};
        }
    find_levels(s->item, list, s->items);
    sort_by_level(s->item, s->items);
    free(list);
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
    if (!item->launch || !is_small(device, item->launch) || tsne) return false;
    return op != CLV_OP_CONV_WEIGHT || item->launch->group_floats == 0;
}

/* Whether an item joins the last group: kernels with barriers need all work-items of the group. */
static bool joins_last(const clv_device_info *device, const clv_launch_work *work, const clv_launch_schedule *s,
                       const clv_launch_item *item)
{
    if (s->groups == 0 || !can_join(device, work, item)) return false;
    const clv_launch_group *last = &s->group[s->groups - 1];
    const clv_launch_item *first = &s->item[last->first];
    if (first->level != item->level || last->items == CLV_JOINT_MOST || !can_join(device, work, first)) return false;
    clv_launch_unit unit = clv_unit_of(s, last);
    unit.launch[unit.launches++] = item->launch;
    int args = 1;
    for (int i = 0; i < unit.launches; i++) {
        args += unit.launch[i]->args;
        if (unit.launch[i]->group_floats && clv_group_size(unit.launch[i]) != clv_joint_size(&unit)) return false;
    }
    return args <= MOST_ARGS;
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
        s->group[s->groups++] = (clv_launch_group){at++, 1};
        if (joint) at = gather_level(device, work, s, at);
    }
    for (int g = 0; g < s->groups; g++)
        if (s->group[g].items > 1) sort_by_work(work, &s->item[s->group[g].first], s->group[g].items);
    return CLV_OK;
}

clv_status clv_launch_schedule_make(const clv_device_info *device, const clv_launch_work *work, int calls,
                                    size_t alignment, bool joint, clv_launch_schedule *schedule, clv_error *err)
{
    clv_status status = CLV_OK;
    CLV_TRY(list_items(work, calls, schedule, err));
    CLV_TRY(place_scratch(work, calls, alignment, schedule, err));
    CLV_TRY(form_groups(device, work, joint, schedule, err));
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
    clv_launch_unit unit = {.launches = group->items};
    for (int i = 0; i < group->items; i++) unit.launch[i] = schedule->item[group->first + i].launch;
    return unit;
}

const clv_launch_group *clv_joint_of(const clv_launch_schedule *schedule, int call, int index, int *place)
{
    for (int g = 0; schedule && g < schedule->groups; g++)
        for (int i = 0; i < schedule->group[g].items; i++) {
            const clv_launch_item *item = &schedule->item[schedule->group[g].first + i];
            *place = i;
            if (item->call == call && item->index == index)
                return schedule->group[g].items > 1 ? &schedule->group[g] : NULL;
        }
    return NULL;
}
