/* What launches read and write, operand by operand: those that meet in memory wait for each other, in the plan's order.
 */
#include "backend/opencl/access.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/memory.h"

#define MOST_ACCESSES (CLV_MAX_ARGS + 1)
#define NO_SPACE      (-1)

/* Spaces that only this file tells from others. */
enum { SPACE_PARTS = CLV_SPACE_COUNT, SPACE_SCRATCH /* of call 0, and so on */ };

typedef struct access {
    int space;
    size_t first, end; /* elements */
    bool writes;
    bool batched; /* rows of `lanes` elements, the call's */
} access;

typedef struct access_list {
    access at[MOST_ACCESSES];
    int count, lanes;
} access_list;

static const access nothing = {.space = NO_SPACE};

static access whole(int space, bool writes) { return (access){space, 0, SIZE_MAX, writes, false}; }

static access of_operand(const clv_operand *operand, int lanes, bool writes)
{
    return (access){(int)operand->space, operand->offset, operand->offset + clv_operand_elements(operand, lanes),
                    writes, operand->shape.batched};
}

/* Parts of split sums: each call has a region of its own, the optimiser reads them all. */
static access of_parts(const clv_call *call, size_t from)
{
    if (clv_op_table[call->op].family == CLV_FAMILY_OPTIM) return whole(SPACE_PARTS, false);
    return (access){SPACE_PARTS, from, from + 1, true, false};
}

/* Launches between which lanes wait for themselves have left batched rows there. */
static access of_scratch(int call)
{
    access a = whole(SPACE_SCRATCH + call, true);
    a.batched = true;
    return a;
}

static access of_arg(const clv_call *call, int index, const clv_launch *launch, int i)
{
    const clv_arg arg = launch->arg[i];
    switch (arg) {
    case CLV_ARG_OUT:
        return of_operand(&call->out, call->lanes, true);
    case CLV_ARG_SCRATCH:
        return of_scratch(index);
    case CLV_ARG_PARTS:
        return of_parts(call, launch->scratch_offset[i]);
    case CLV_ARG_TRACE:
        return (access){CLV_SPACE_TRACE, (size_t)call->attr.slot, (size_t)call->attr.slot + 1, true, false};
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
    access_list list = {.lanes = call->lanes};
    if (launch) {
        for (int i = 0; i < launch->args; i++) list.at[list.count++] = of_arg(call, index, launch, i);
        return list;
    }
    for (int i = 0; i < 2; i++) list.at[list.count++] = of_operand(&call->in[i], call->lanes, false);
    list.at[list.count++] = of_operand(&call->out, call->lanes, true);
    list.at[list.count++] = whole(SPACE_SCRATCH + index, true);
    return list;
}

static clv_wait wait_of(const access *p, const access *q, int lanes)
{
    if (p->space == NO_SPACE || p->space != q->space || !(p->writes || q->writes)) return CLV_WAIT_NONE;
    if (p->first >= q->end || q->first >= p->end) return CLV_WAIT_NONE;
    const size_t apart = p->first > q->first ? p->first - q->first : q->first - p->first;
    return p->batched && q->batched && apart % (size_t)lanes == 0 ? CLV_WAIT_LANES : CLV_WAIT_ALL;
}

static clv_wait wait_of_lists(const access_list *a, const access_list *b)
{
    clv_wait most = CLV_WAIT_NONE;
    for (int i = 0; i < a->count && most != CLV_WAIT_ALL; i++)
        for (int k = 0; k < b->count; k++) {
            const clv_wait wait = wait_of(&a->at[i], &b->at[k], a->lanes);
            if (wait > most) most = wait;
        }
    return most == CLV_WAIT_LANES && a->lanes != b->lanes ? CLV_WAIT_ALL : most;
}

static bool is_by_image(const clv_launch_item *item) { return item->launch && item->launch->by_image; }

clv_wait *clv_waits_find(const clv_launch_work *work, const clv_launch_item *item, int items, bool blocks,
                         clv_error *err)
{
    const size_t count = (size_t)items;
    clv_wait *wait = clv_alloc(count * count, sizeof *wait, err);
    access_list *list = wait ? clv_alloc(count, sizeof *list, err) : NULL;
    for (int i = 0; list && i < items; i++) {
        list[i] = accesses_of(work[item[i].call].call, item[i].call, item[i].launch);
        for (int k = 0; k < i; k++) {
            clv_wait *w = &wait[i * items + k];
            *w = wait_of_lists(&list[k], &list[i]);
            if (*w == CLV_WAIT_ALL && blocks && is_by_image(&item[i]) && is_by_image(&item[k])) *w = CLV_WAIT_LANES;
        }
    }
    if (!list) {
        free(wait);
        wait = NULL;
    }
    free(list);
    return wait;
}
