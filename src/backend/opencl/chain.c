/* Chains. On a CPU each launch costs a meeting of all threads, and what it leaves for the next has left the core's own
 * cache by then. Where launch after launch computes each image from what the one before made of the same image, a
 * thread need not meet the others: it takes some lanes, or a block of the batch, through all of them. */
#include "backend/opencl/chain.h"

#include <stdlib.h>
#include <string.h>

#include "backend/opencl/product.h"
#include "base/memory.h"

#define MOST_LANES         64    /* of a block: what it leaves from launch to launch is in the core's cache then */
#define MOST_WASTE         4     /* units may wait for a quarter of a chain's time at its end */
#define MOST_MULTIPLY_ADDS 16384 /* of an image, by a link of a whole plan, where cores share each row of memory */
#define MOST_ELEMENTS      256   /* the same, read and written by what is no product */
#define LINKS              8     /* of a chain of a plan in blocks, about: programs that are built side by side */

/* Groups of so many vectors, in rounds of a group a unit. */
static bool fills_rounds(int vectors, int each, int units)
{
    const int groups = vectors / each, rounds = CLV_WHOLE(groups, units);
    return vectors % each == 0 && (rounds * units - groups) * MOST_WASTE <= groups;
}

int clv_chain_lanes(const clv_device_info *device, int lanes)
{
    const int vectors = lanes / device->vector_width, units = clv_most(1, (int)device->compute_units);
    if (device->kind != CLV_DEVICE_CPU) return 0;
    for (int each = clv_least(MOST_LANES / device->vector_width, vectors / units); each > 0; each--)
        if (each * device->vector_width % clv_lane_width(device->kind) == 0 && fills_rounds(vectors, each, units))
            return each * device->vector_width;
    return 0;
}

int clv_plan_block(const clv_device_info *device, int lanes)
{
    const int block = clv_chain_lanes(device, lanes), share = lanes / clv_most(1, (int)device->compute_units);
    return 2 * block >= clv_least(MOST_LANES, share) ? block : 0;
}

int clv_blocks_at_once(const clv_device_info *device) { return clv_most(1, (int)device->compute_units); }

static bool is_small(const clv_call *call)
{
    if (clv_op_table[call->op].family == CLV_FAMILY_PRODUCT) return clv_call_multiply_adds(call) <= MOST_MULTIPLY_ADDS;
    size_t elements = clv_operand_elements(&call->out, 1);
    for (int i = 0; i < call->inputs; i++) elements += clv_operand_elements(&call->in[i], 1);
    return elements <= MOST_ELEMENTS;
}

bool clv_call_chains(const clv_device_info *device, const clv_call *call)
{
    if (call->blocked) return true;
    return clv_chain_lanes(device, call->lanes) > 0 && call->op != CLV_OP_CONV_WEIGHT && is_small(call);
}

int clv_item_lanes(const clv_device_info *device, const clv_call *call, int lanes)
{
    return clv_call_chains(device, call) && !call->blocked ? clv_chain_lanes(device, lanes) : lanes;
}

static bool can_chain(const clv_device_info *device, const clv_launch_work *work, const clv_launch_item *item)
{
    const clv_call *call = work[item->call].call;
    return clv_call_chains(device, call) && item->launch && item->launch->lanes > 0 &&
           clv_chain_lanes(device, call->lanes) % item->launch->lanes == 0;
}

/* A chain while it grows. after[i]: item i waits for one of its links, itself or through others. */
typedef struct chain {
    const clv_launch_work *work;
    clv_launch_item *item;
    const clv_wait *wait;
    int items, number, links, args, lanes;
    bool *after;
} chain;

static clv_wait wait_of(const chain *c, int i, int k) { return c->wait[i * c->items + k]; }

/* Whether item i waits for nothing that comes after the chain's beginning but links, and for those lane by lane. */
static bool follows(const chain *c, int i)
{
    for (int k = 0; k < i; k++) {
        const bool link = c->item[k].chain == c->number;
        if ((c->after[k] && wait_of(c, i, k) != CLV_WAIT_NONE) || (link && wait_of(c, i, k) == CLV_WAIT_ALL))
            return false;
    }
    return true;
}

static bool waits_for_links(const chain *c, int i)
{
    for (int k = 0; k < i; k++)
        if (wait_of(c, i, k) != CLV_WAIT_NONE && (c->after[k] || c->item[k].chain == c->number)) return true;
    return false;
}

static bool has_room(const chain *c, const clv_launch_item *item)
{
    return c->links < CLV_JOINT_MOST && c->args + item->launch->args <= CLV_JOINT_ARGS &&
           (c->links == 0 || c->work[item->call].call->lanes == c->lanes);
}

static void add_link(chain *c, clv_launch_item *item)
{
    item->chain = c->number;
    c->links++;
    c->args += item->launch->args;
    c->lanes = c->work[item->call].call->lanes;
}

/* Of the items that may, from `first` on, all that can be links. */
static void grow_chain(const clv_device_info *device, chain *c, const bool *may, int first)
{
    memset(c->after, 0, (size_t)c->items * sizeof *c->after);
    c->links = 0, c->args = CLV_JOINT_OWN;
    for (int i = first; i < c->items; i++) {
        clv_launch_item *item = &c->item[i];
        if (may[i] && can_chain(device, c->work, item) && has_room(c, item) && follows(c, i))
            add_link(c, item);
        else
            c->after[i] = waits_for_links(c, i);
    }
}

/* The links of a later chain all wait for the one before it: so no two wait for each other. */
clv_status clv_chains_find(const clv_device_info *device, const clv_launch_work *work, clv_launch_item *item, int items,
                           const clv_wait *wait, clv_error *err)
{
    bool *may = clv_alloc((size_t)items * 2, sizeof *may, err);
    if (!may) return CLV_ERR_INTERNAL;
    chain c = {.work = work, .item = item, .wait = wait, .items = items, .number = 1, .after = may + items};
    for (int i = 0; i < items; i++) may[i] = true;
    for (int i = 0; i < items; i++) {
        if (!may[i] || !can_chain(device, work, &item[i])) continue;
        grow_chain(device, &c, may, i);
        if (c.links > 1) {
            memcpy(may, c.after, (size_t)items * sizeof *may);
            c.number++;
        } else {
            item[i].chain = 0;
        }
    }
    free(may);
    return CLV_OK;
}

/* All that is by image, in the plan's order, in chains of about the same number of links: what is of the whole batch
 * comes when they are done. */
void clv_chains_of_blocks(clv_launch_item *item, int items)
{
    int links = 0, at = 0, args = CLV_JOINT_OWN, number = 1, in_chain = 0;
    for (int i = 0; i < items; i++) links += item[i].launch && item[i].launch->by_image;
    const int chains = CLV_WHOLE(links, LINKS);
    for (int i = 0; i < items; i++) {
        if (!item[i].launch || !item[i].launch->by_image) continue;
        const bool full = args + item[i].launch->args > CLV_JOINT_ARGS || in_chain == CLV_JOINT_MOST;
        if (in_chain > 0 && (full || at * chains / links > (at - 1) * chains / links))
            number++, in_chain = 0, args = CLV_JOINT_OWN;
        item[i].chain = number;
        args += item[i].launch->args;
        in_chain++, at++;
    }
}
