/* Which sets CLBlast's kernels of a product can be made of, a few to begin with, and the neighbours of each. The bounds
 * are those that CLBlast's kernels are written for, and keep what a work-item holds within its registers: beyond them a
 * set may compile for minutes, or compute nothing. */
#include "backend/opencl/gemm_set.h"

#include <stdint.h>
#include <string.h>

#define GROUP      256 /* work-items of a group that every GPU takes */
#define SUMS       128 /* results of a work-item */
#define MOST_WIDTH 8   /* floats of a vector */
#define MOST_SIDE  256 /* results of a group along a side */
#define MOST_DIRECT                                                                                                    \
    8192 /* of XGEMM_MIN_INDIRECT_SIZE: its cube fits 64 bits, and nothing that large is multiplied here */

#define NAME(kernel, name)   #name,
#define KERNEL(kernel, name) #kernel,
const char *const clv_gemm_parameter_names[CLV_GEMM_PARAMETERS] = {CLV_GEMM_PARAMETER_LIST(NAME)};
const char *const clv_gemm_parameter_kernels[CLV_GEMM_PARAMETERS] = {CLV_GEMM_PARAMETER_LIST(KERNEL)};

bool clv_gemm_set_is_own(const clv_gemm_set *set)
{
    for (int i = 0; i < CLV_GEMM_PARAMETERS; i++)
        if (set->value[i]) return false;
    return true;
}

bool clv_gemm_set_equal(const clv_gemm_set *a, const clv_gemm_set *b)
{
    return !memcmp(a->value, b->value, sizeof a->value);
}

/* ---- bounds ---- */

static bool is_flag(int value) { return value == 0 || value == 1; }
static bool within(int value, int least, int most) { return value >= least && value <= most; }

/* A group's side of the result: what each work-item computes of it, and loads for it, is whole vectors. */
typedef struct side {
    int results, items, loaders, width;
} side;

static bool check_side(const side *s)
{
    return within(s->results, 1, MOST_SIDE) && within(s->items, 1, GROUP) && within(s->loaders, 1, GROUP) &&
           (s->width == 1 || s->width == 2 || s->width == 4 || s->width == MOST_WIDTH) &&
           s->results % (s->items * s->width) == 0 && s->results % (s->loaders * s->width) == 0;
}

/* The group's work-items load `depth` steps of k in whole rows of its loaders. */
static bool loads(const side *s, int items, int depth)
{
    return items % s->loaders == 0 && depth % (items / s->loaders) == 0;
}

static bool check_group(const side *m, const side *n, int depth, int unrolled)
{
    if (!check_side(m) || !check_side(n) || !within(depth, 1, MOST_SIDE) || !within(unrolled, 1, depth)) return false;
    const int items = m->items * n->items;
    return items <= GROUP && m->results * n->results <= SUMS * items && depth % unrolled == 0 &&
           loads(m, items, depth) && loads(n, items, depth);
}

static bool check_direct(const clv_device_info *device, const int *v)
{
    const int wgd = v[CLV_GEMM_WGD];
    const side m = {wgd, v[CLV_GEMM_MDIMCD], v[CLV_GEMM_MDIMAD], v[CLV_GEMM_VWMD]},
               n = {wgd, v[CLV_GEMM_NDIMCD], v[CLV_GEMM_NDIMBD], v[CLV_GEMM_VWND]};
    if (!is_flag(v[CLV_GEMM_PADA]) || !is_flag(v[CLV_GEMM_PADB])) return false;
    if (!check_group(&m, &n, wgd, v[CLV_GEMM_KWID])) return false;
    const int floats = wgd * (2 * wgd + v[CLV_GEMM_PADA] + v[CLV_GEMM_PADB]);
    return (uint64_t)floats * sizeof(float) <= device->local_bytes;
}

static bool check_indirect(const clv_device_info *device, const int *v)
{
    const side m = {v[CLV_GEMM_MWG], v[CLV_GEMM_MDIMC], v[CLV_GEMM_MDIMA], v[CLV_GEMM_VWM]},
               n = {v[CLV_GEMM_NWG], v[CLV_GEMM_NDIMC], v[CLV_GEMM_NDIMB], v[CLV_GEMM_VWN]};
    const int kwg = v[CLV_GEMM_KWG];
    if (v[CLV_GEMM_GEMMK] != 0 || v[CLV_GEMM_KREG] != 1) return false;
    if (!is_flag(v[CLV_GEMM_STRM]) || !is_flag(v[CLV_GEMM_STRN]) || !is_flag(v[CLV_GEMM_SA]) ||
        !is_flag(v[CLV_GEMM_SB]))
        return false;
    if (!check_group(&m, &n, kwg, v[CLV_GEMM_KWI]) || kwg % MOST_WIDTH != 0) return false; /* copies begin at vectors */
    const int floats = kwg * (v[CLV_GEMM_SA] * m.results + v[CLV_GEMM_SB] * n.results);
    return (uint64_t)floats * sizeof(float) <= device->local_bytes;
}

bool clv_gemm_set_check(const clv_device_info *device, const clv_gemm_set *set)
{
    if (clv_gemm_set_is_own(set)) return true;
    return check_direct(device, set->value) && check_indirect(device, set->value) &&
           within(set->value[CLV_GEMM_XGEMM_MIN_INDIRECT_SIZE], 1, MOST_DIRECT);
}

static bool is_direct(const clv_gemm_set *set, size_t m, size_t n, size_t k)
{
    const uint64_t size = (uint64_t)set->value[CLV_GEMM_XGEMM_MIN_INDIRECT_SIZE];
    return (uint64_t)m * n * k < size * size * size;
}

bool clv_gemm_set_alike(const clv_gemm_set *a, const clv_gemm_set *b, size_t m, size_t n, size_t k)
{
    const bool direct = is_direct(a, m, n, k);
    if (direct != is_direct(b, m, n, k)) return false;
    const int from = direct ? CLV_GEMM_WGD : CLV_GEMM_GEMMK,
              to = direct ? CLV_GEMM_GEMMK : CLV_GEMM_XGEMM_MIN_INDIRECT_SIZE;
    return !memcmp(&a->value[from], &b->value[from], (size_t)(to - from) * sizeof *a->value);
}

/* ---- where to begin ---- */

/* Squares of 16, 32 and 64 results, by 64 and by 256 work-items, in the order of the list; the last two multiply copies
 * even where a product is small. */
static const clv_gemm_set set_table[] = {
    {{32, 8, 8, 8, 8, 2, 4, 4, 1, 1, 0, 1, 64, 64, 32, 8, 8, 8, 8, 2, 4, 4, 0, 0, 1, 1, 512}},
    {{32, 16, 16, 16, 16, 2, 2, 2, 1, 1, 0, 1, 64, 64, 16, 16, 16, 16, 16, 2, 4, 4, 0, 0, 1, 1, 512}},
    {{64, 16, 16, 16, 16, 2, 4, 4, 0, 0, 0, 1, 128, 64, 16, 16, 8, 16, 8, 2, 4, 4, 0, 0, 1, 1, 512}},
    {{16, 8, 8, 8, 8, 2, 2, 2, 1, 1, 0, 1, 32, 32, 16, 8, 8, 8, 8, 2, 4, 4, 0, 0, 0, 0, 512}},
    {{32, 8, 8, 8, 8, 2, 4, 4, 1, 1, 0, 1, 64, 64, 16, 16, 16, 16, 16, 2, 4, 4, 0, 0, 1, 1, 64}},
    {{16, 8, 8, 8, 8, 2, 2, 2, 1, 1, 0, 1, 32, 32, 16, 8, 8, 8, 8, 2, 4, 4, 0, 0, 1, 1, 64}},
};

bool clv_gemm_set_first(const clv_device_info *device, int i, clv_gemm_set *set)
{
    for (size_t row = 0; row < sizeof set_table / sizeof *set_table; row++)
        if (clv_gemm_set_check(device, &set_table[row]) && i-- == 0) return *set = set_table[row], true;
    return false;
}

/* ---- neighbours ---- */

typedef enum step { DOUBLED, HALVED, FLIPPED } step;

/* A choice changed: one parameter, or two that belong together. */
typedef struct move {
    clv_gemm_parameter first, second;
    step step;
} move;

#define BOTH_WAYS(first, second)                                                                                       \
    {CLV_GEMM_##first, CLV_GEMM_##second, DOUBLED}, { CLV_GEMM_##first, CLV_GEMM_##second, HALVED }
#define FLIP(first, second)                                                                                            \
    {                                                                                                                  \
        CLV_GEMM_##first, CLV_GEMM_##second, FLIPPED                                                                   \
    }

static const move move_table[] = {
    BOTH_WAYS(WGD, WGD),
    BOTH_WAYS(MDIMCD, MDIMAD),
    BOTH_WAYS(NDIMCD, NDIMBD),
    BOTH_WAYS(VWMD, VWND),
    BOTH_WAYS(VWMD, VWMD),
    BOTH_WAYS(VWND, VWND),
    BOTH_WAYS(KWID, KWID),
    FLIP(PADA, PADB),
    BOTH_WAYS(MWG, NWG),
    BOTH_WAYS(MWG, MWG),
    BOTH_WAYS(NWG, NWG),
    BOTH_WAYS(KWG, KWG),
    BOTH_WAYS(MDIMC, MDIMA),
    BOTH_WAYS(NDIMC, NDIMB),
    BOTH_WAYS(VWM, VWN),
    BOTH_WAYS(VWM, VWM),
    BOTH_WAYS(VWN, VWN),
    BOTH_WAYS(KWI, KWI),
    FLIP(SA, SB),
    FLIP(STRM, STRN),
    BOTH_WAYS(XGEMM_MIN_INDIRECT_SIZE, XGEMM_MIN_INDIRECT_SIZE),
};

int clv_gemm_set_moves(void) { return (int)(sizeof move_table / sizeof *move_table); }

static int stepped(int value, step how)
{
    if (how == FLIPPED) return !value;
    return how == DOUBLED ? 2 * value : value % 2 ? 0 : value / 2;
}

bool clv_gemm_set_move(const clv_device_info *device, const clv_gemm_set *from, int i, clv_gemm_set *to)
{
    const move *m = &move_table[i];
    *to = *from;
    to->value[m->first] = stepped(from->value[m->first], m->step);
    to->value[m->second] = stepped(from->value[m->second], m->step);
    return !clv_gemm_set_is_own(from) && clv_gemm_set_check(device, to);
}
