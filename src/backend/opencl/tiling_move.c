/* Neighbours of a tiling, in a fixed order: one choice changed, and with it what hangs on it. The tuner walks along
 * them. */
#include "backend/opencl/product.h"

/* How a move changes its field. */
typedef enum step {
    DOUBLED,
    HALVED,
    MORE,    /* by `by` */
    FLIPPED, /* 0 and 1 */
    UP,      /* to the next divisor of the field's whole */
    DOWN,
    TO_ONE,
    OTHER_FORM,
    OTHER_TAPS /* conv_weight: the taps of a row, and one */
} step;

typedef struct move {
    size_t offset; /* of the field */
    step step;
    int by;
} move;

#define FIELD(name) offsetof(clv_tiling, name)
static const move packed_moves[] = {
    {FIELD(vectors), DOUBLED, 0}, {FIELD(vectors), HALVED, 0},   {FIELD(tall), MORE, 1},
    {FIELD(tall), MORE, -1},      {FIELD(tall), MORE, 2},        {FIELD(tall), MORE, -2},
    {FIELD(tall), MORE, 4},       {FIELD(tall), MORE, -4},       {FIELD(across), UP, 0},
    {FIELD(across), DOWN, 0},     {FIELD(channels), DOUBLED, 0}, {FIELD(channels), HALVED, 0},
    {FIELD(pack), FLIPPED, 0},    {FIELD(panel), FLIPPED, 0},    {FIELD(block), DOWN, 0},
    {FIELD(block), UP, 0},        {FIELD(parts), DOUBLED, 0},    {FIELD(parts), HALVED, 0},
    {FIELD(parts), TO_ONE, 0},    {FIELD(low), MORE, 1},         {FIELD(low), MORE, -1},
    {FIELD(low), MORE, 2},        {FIELD(low), MORE, -2},        {FIELD(form), OTHER_FORM, 0},
    {FIELD(vector), DOUBLED, 0},  {FIELD(vector), HALVED, 0},    {FIELD(mad), FLIPPED, 0},
    {FIELD(clblast), FLIPPED, 0},
};
static const move weight_moves[] = {
    {FIELD(columns), MORE, 1},    {FIELD(columns), MORE, -1},   {FIELD(columns), MORE, 2},
    {FIELD(columns), DOUBLED, 0}, {FIELD(columns), HALVED, 0},  {FIELD(taps), OTHER_TAPS, 0},
    {FIELD(rows), MORE, 1},       {FIELD(rows), MORE, -1},      {FIELD(rows), MORE, 2},
    {FIELD(rows), MORE, -2},      {FIELD(plane), FLIPPED, 0},   {FIELD(pack), FLIPPED, 0},
    {FIELD(panel), FLIPPED, 0},   {FIELD(tiles), DOUBLED, 0},   {FIELD(tiles), HALVED, 0},
    {FIELD(parts), DOUBLED, 0},   {FIELD(parts), HALVED, 0},    {FIELD(parts), TO_ONE, 0},
    {FIELD(lanes), UP, 0},        {FIELD(lanes), DOWN, 0},      {FIELD(group), DOUBLED, 0},
    {FIELD(group), HALVED, 0},    {FIELD(vector), DOUBLED, 0},  {FIELD(vector), HALVED, 0},
    {FIELD(sums), DOUBLED, 0},    {FIELD(sums), HALVED, 0},     {FIELD(mad), FLIPPED, 0},
    {FIELD(clblast), FLIPPED, 0}, {FIELD(form), OTHER_FORM, 0},
};
static const move outer_moves[] = {
    {FIELD(vectors), DOUBLED, 0}, {FIELD(vectors), HALVED, 0},  {FIELD(columns), MORE, 1},
    {FIELD(columns), MORE, -1},   {FIELD(columns), DOUBLED, 0}, {FIELD(columns), HALVED, 0},
    {FIELD(block), DOUBLED, 0},   {FIELD(block), HALVED, 0},    {FIELD(channels), UP, 0},
    {FIELD(channels), DOWN, 0},   {FIELD(lanes), UP, 0},        {FIELD(lanes), DOWN, 0},
    {FIELD(parts), DOUBLED, 0},   {FIELD(parts), HALVED, 0},    {FIELD(parts), TO_ONE, 0},
    {FIELD(vector), DOUBLED, 0},  {FIELD(vector), HALVED, 0},   {FIELD(mad), FLIPPED, 0},
    {FIELD(form), OTHER_FORM, 0},
};
static const move direct_moves[] = {
    {FIELD(rows), DOUBLED, 0},    {FIELD(rows), HALVED, 0},    {FIELD(rows), MORE, 4},     {FIELD(rows), MORE, -4},
    {FIELD(rows), MORE, 1},       {FIELD(rows), MORE, -1},     {FIELD(group), DOUBLED, 0}, {FIELD(group), HALVED, 0},
    {FIELD(panel), FLIPPED, 0},   {FIELD(parts), DOUBLED, 0},  {FIELD(parts), HALVED, 0},  {FIELD(parts), TO_ONE, 0},
    {FIELD(form), OTHER_FORM, 0}, {FIELD(vector), DOUBLED, 0}, {FIELD(vector), HALVED, 0}, {FIELD(mad), FLIPPED, 0},
    {FIELD(clblast), FLIPPED, 0},
};
#define COUNT(table) ((int)(sizeof(table) / sizeof *(table)))

typedef struct move_list {
    const move *move;
    int count;
} move_list;

/* Of a form; conv_weight's direct tiles are its packed ones' kin. */
static move_list moves_of(const clv_call *call, int form)
{
    const bool weight = call->op == CLV_OP_CONV_WEIGHT;
    if (form == CLV_FORM_OUTER) return (move_list){outer_moves, COUNT(outer_moves)};
    if (weight && form != CLV_FORM_TRANSPOSED) return (move_list){weight_moves, COUNT(weight_moves)};
    if (clv_form_is_direct(form)) return (move_list){direct_moves, COUNT(direct_moves)};
    return (move_list){packed_moves, COUNT(packed_moves)};
}

/* As many as the form with the most has. */
int clv_tiling_moves(const clv_call *call)
{
    int most = 0;
    for (int form = 0; form < CLV_FORM_COUNT; form++) most = clv_most(most, moves_of(call, form).count);
    return most;
}

static int next_divisor(int whole, int from, bool up)
{
    int d = from;
    do d += up ? 1 : -1;
    while (d > 0 && d <= whole && whole % d != 0);
    return d > whole ? 0 : d;
}

/* What the divisors of a field divide. */
static int whole_of(const clv_call *call, const clv_tiling *t, size_t field)
{
    if (field == FIELD(block)) return clv_packed_of(call, t).results;
    if (field == FIELD(channels)) return call->in[0].shape.dim[0]; /* of x, outer */
    return field == FIELD(across) ? clv_product_of(call, t).n / (t->vector * t->vectors) : call->lanes;
}

/* The next of the forms that a product's op has. */
static clv_form form_beside(const clv_call *call, int form)
{
    const bool weight = call->op == CLV_OP_CONV_WEIGHT;
    switch (form) {
    case CLV_FORM_PACKED:
        return !weight ? CLV_FORM_GATHERED : clv_product_is_linear(call) ? CLV_FORM_TRANSPOSED : CLV_FORM_OUTER;
    case CLV_FORM_GATHERED:
        return CLV_FORM_BLOCKS;
    case CLV_FORM_DIRECT:
        return weight ? CLV_FORM_COUNT : CLV_FORM_DIRECT_GATHERED;
    case CLV_FORM_DIRECT_GATHERED:
        return CLV_FORM_DIRECT;
    default:
        return CLV_FORM_PACKED;
    }
}

static int stepped(const clv_call *call, const clv_tiling *t, const move *m, int value)
{
    switch (m->step) {
    case DOUBLED:
        return value * 2;
    case HALVED:
        return value % 2 ? 0 : value / 2;
    case MORE:
        return value + m->by;
    case FLIPPED:
        return !value;
    case UP:
    case DOWN:
        return next_divisor(whole_of(call, t, m->offset), value, m->step == UP);
    case TO_ONE:
        return 1;
    case OTHER_FORM:
        return (int)form_beside(call, value);
    case OTHER_TAPS:
        return value == 1 ? clv_most(1, call->attr.kernel) : 1;
    }
    return value;
}

/* A wider register tile is lower, so that as many registers hold sums. */
static void keep_sums(const clv_call *call, const clv_tiling *from, clv_tiling *t)
{
    if (from->vectors != t->vectors) t->tall = from->tall * from->vectors / t->vectors;
    t->tall = clv_most(1, clv_least(t->tall, t->block));
    t->low = clv_most(1, clv_least(t->low, t->block));
    const clv_packed p = clv_packed_of(call, t);
    if (from->parts != t->parts && t->parts > 0) {
        t->parts = CLV_WHOLE(p.channels, CLV_WHOLE(p.channels, t->parts));
        if (t->parts > 1) t->panel = 0;
    }
    t->channels = clv_most(1, clv_least(t->channels, CLV_WHOLE(p.channels, clv_most(1, t->parts))));
}

/* A group lies along the lanes, whatever a work-item takes of them; blocks of rows are no higher than needed. */
static void keep_group(const clv_call *call, const clv_tiling *from, clv_tiling *t)
{
    const clv_packed p = clv_packed_of(call, t);
    t->group = clv_divisor(call->lanes / t->vector, t->group);
    if (from->form != t->form && clv_form_is_gathered(t->form)) t->panel = 0;
    if (from->parts != t->parts && t->parts > 0) t->parts = CLV_WHOLE(p.channels, CLV_WHOLE(p.channels, t->parts));
    t->rows = clv_least(t->rows, CLV_WHOLE(p.results, 4) * 4);
}

/* The same of conv_weight, where work-items beyond the lanes take further rows of y, of which each part has a few. */
static void keep_weight_group(const clv_product *a, clv_tiling *t)
{
    const int across = clv_most(1, t->lanes / t->vector), rows = CLV_WHOLE(a->oh, clv_most(1, t->parts));
    t->group = across * clv_least(rows, clv_most(1, t->group / across));
    t->sums = clv_least(t->sums, t->rows * t->columns * t->taps);
}

/* The register tile of conv_weight keeps its size where its shape changes; what is packed follows. */
static void keep_weight_sums(const clv_call *call, const clv_tiling *from, clv_tiling *t)
{
    const clv_product a = clv_product_of(call, t);
    const int sums = clv_most(12, from->rows * from->columns * from->taps);
    if (from->taps != t->taps) t->columns = t->taps > 1 ? 1 : clv_least(a.ic, 4);
    if (from->columns != t->columns || from->taps != t->taps)
        t->rows = clv_least(a.oc, clv_most(1, sums / clv_most(1, t->columns * t->taps)));
    if (t->taps > 1) t->pack = t->form == CLV_FORM_PACKED;
    if (from->plane != t->plane && t->plane) t->pack = t->panel = 0;
    if ((from->panel != t->panel && t->panel) || (from->pack != t->pack && t->pack)) t->plane = 0;
    if (from->parts != t->parts) t->parts = clv_least(t->parts, a.oh);
    if (t->form == CLV_FORM_PACKED) t->tiles = clv_least(t->tiles, CLV_WHOLE(a.oc, clv_most(1, t->rows)));
    if (t->form == CLV_FORM_DIRECT) keep_weight_group(&a, t);
}

/* Blocks of the outer form are whole tiles. */
static void keep_outer(const clv_call *call, clv_tiling *t)
{
    const clv_product a = clv_product_of(call, t);
    const int tile = clv_most(1, t->vectors) * t->vector;
    t->block = clv_most(tile, t->block / tile * tile);
    t->columns = clv_least(t->columns, t->channels);
    t->parts = clv_least(t->parts, a.oh);
}

bool clv_tiling_move(const clv_device_info *device, const clv_call *call, const clv_tiling *from, int i, clv_tiling *to)
{
    const move_list list = moves_of(call, from->form);
    if (i >= list.count) return false;
    const move *m = &list.move[i];
    *to = *from;
    int *field = (int *)(void *)((char *)to + m->offset);
    *field = stepped(call, from, m, *field);
    if (*field < 0 || to->vector < 1 || to->vector > 16 || to->form == CLV_FORM_COUNT) return false;
    if (from->form != to->form && !clv_form_is_direct(to->form))
        clv_tiling_of_form(device, call, (clv_form)to->form, to);
    else if (to->form == CLV_FORM_OUTER)
        keep_outer(call, to);
    else if (call->op == CLV_OP_CONV_WEIGHT && to->form != CLV_FORM_TRANSPOSED)
        keep_weight_sums(call, from, to);
    else if (clv_form_is_direct(to->form))
        keep_group(call, from, to);
    else if (to->form == CLV_FORM_BLOCKS)
        to->across = clv_divisor(call->lanes / (to->vector * clv_most(1, to->vectors)), to->across);
    else if (to->vectors >= 1 && to->block >= 1)
        keep_sums(call, from, to);
    else
        return false;
    return clv_tiling_check(device, call, to) && !clv_tiling_equal(from, to);
}
