/* Tilings: their text, their bounds, their neighbours, and the launches that are made of them; no device is needed. */
#include <stdio.h>
#include <string.h>

#include "backend/opencl/product.h"
#include "support.h"

static const clv_device_info devices[] = {
    {.kind = CLV_DEVICE_CPU, .vector_width = 16, .compute_units = 2, .local_bytes = 1 << 18},
    {.kind = CLV_DEVICE_CPU, .vector_width = 8, .compute_units = 2, .local_bytes = 1 << 18},
    {.kind = CLV_DEVICE_CPU, .vector_width = 1, .compute_units = 2, .local_bytes = 1 << 18},
    {.kind = CLV_DEVICE_GPU, .vector_width = 1, .compute_units = 40, .local_bytes = 1 << 15, .simd_width = 32},
    {.kind = CLV_DEVICE_GPU, .vector_width = 4, .compute_units = 40, .local_bytes = 1 << 15},
};

static clv_shape image(int c, int side) { return (clv_shape){.rank = 3, .batched = true, .dim = {c, side, side, 1}}; }

static clv_call call_of(clv_op op, int ic, int oc, int side, int kernel, int stride, int pad, int lanes)
{
    const clv_shape x = image(ic, side), y = image(oc, (side + 2 * pad - kernel) / stride + 1),
                    w = {.rank = 4, .dim = {oc, ic, kernel, kernel}};
    clv_call call = {.op = op, .inputs = 2, .lanes = lanes, .attr = {.kernel = kernel, .stride = stride, .pad = pad}};
    call.in[0].shape = op == CLV_OP_DECONV ? y : x;
    call.in[1].shape = op == CLV_OP_CONV_WEIGHT ? y : w;
    call.out.shape = op == CLV_OP_CONV ? y : op == CLV_OP_DECONV ? x : w;
    return call;
}

typedef void visitor(const clv_device_info *device, const clv_call *call);

/* Shapes of layers, large and small, on every device. */
static void visit_all(visitor *visit)
{
    static const int channels[] = {1, 3, 7, 16, 64, 100, 576, 1500};
    static const struct {
        int side, kernel, stride, pad;
    } layers[] = {{1, 1, 1, 0}, {7, 3, 1, 1}, {14, 4, 2, 1}, {28, 3, 2, 1}, {9, 5, 3, 2}};
    static const clv_op ops[] = {CLV_OP_CONV, CLV_OP_DECONV, CLV_OP_CONV_WEIGHT};
    static const int lanes[] = {32, 128, 416}; /* the last: of 16 floats 26 vectors, which have no divisor near 8 */
    for (size_t d = 0; d < sizeof devices / sizeof *devices; d++)
        for (size_t l = 0; l < sizeof layers / sizeof *layers; l++)
            for (size_t i = 0; i < 64; i++)
                for (size_t o = 0; o < 3; o++) {
                    const int ic = channels[i / 8], oc = channels[i % 8];
                    if (layers[l].side > 1 && (ic > 100 || oc > 100)) continue;
                    const clv_call call = call_of(ops[o], ic, oc, layers[l].side, layers[l].kernel, layers[l].stride,
                                                  layers[l].pad, lanes[i % 3]);
                    visit(&devices[d], &call);
                }
}

/* ---- text ---- */

static void same_after_text(const clv_tiling *tiling)
{
    char text[CLV_TILING_TEXT];
    clv_tiling read;
    clv_tiling_print(tiling, text);
    assert_true(strlen(text) < CLV_TILING_TEXT - 1);
    assert_true(clv_tiling_parse(text, &read));
    assert_true(clv_tiling_equal(tiling, &read));
}

static void text_of_default(const clv_device_info *device, const clv_call *call)
{
    clv_tiling tiling;
    clv_tiling_default(device, call, &tiling);
    same_after_text(&tiling);
}

static void test_text(void **state)
{
    (void)state;
    visit_all(text_of_default);
    clv_tiling largest;
    for (size_t i = 0; i < sizeof largest / sizeof(int); i++) ((int *)(void *)&largest)[i] = 1 << 24;
    largest.form = CLV_FORM_DIRECT_GATHERED;
    same_after_text(&largest); /* so long a text fits as well */
}

static void test_damaged_text(void **state)
{
    (void)state;
    static const char *const damaged[] = {
        "",
        "packed",
        "form",
        "form=",
        "form=pack",
        "form=packed vector",
        "form=packed vector=",
        "form=packed vector=16x",
        "form=packed vector=-1",
        "form=packed vector=99999999999999999999",
        "form=packed vector=20000000",
        "form=packed vector=16 vector=16",
        "form=packed speed=9",
        "vector=16",
        "form=packed aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=1",
    };
    clv_tiling tiling;
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++)
        if (clv_tiling_parse(damaged[i], &tiling)) fail_msg("'%s' was taken for a tiling", damaged[i]);
    assert_true(clv_tiling_parse("form=direct vector=4 rows=8", &tiling));
    assert_int_equal(tiling.rows, 8);
}

/* ---- bounds ---- */

/* What a launch must hold whatever made it. */
static void check_launches(const clv_device_info *device, const clv_call *call, const clv_tiling *tiling)
{
    clv_launch_list list;
    assert_ok(clv_launches_of(device, call, tiling, &list, err));
    assert_true(list.launches >= 1 && list.launches <= CLV_MAX_LAUNCHES);
    for (int i = 0; i < list.launches; i++) {
        const clv_launch *l = &list.launch[i];
        for (int d = 0; d < l->dims; d++)
            assert_true(l->local[d] >= 1 && l->global[d] >= 1 && l->global[d] % l->local[d] == 0);
        for (int a = 0; a < l->args; a++)
            if (l->arg[a] == CLV_ARG_SCRATCH) assert_true(l->scratch_offset[a] < list.scratch);
    }
}

static void default_passes(const clv_device_info *device, const clv_call *call)
{
    clv_tiling tiling;
    clv_tiling_default(device, call, &tiling);
    if (!clv_tiling_check(device, call, &tiling)) {
        char text[CLV_TILING_TEXT];
        clv_tiling_print(&tiling, text);
        fail_msg("%s [%d][%d] to [%d]: the default is out of bounds: %s", clv_op_table[call->op].name,
                 call->in[0].shape.dim[0], call->in[0].shape.dim[1], call->out.shape.dim[0], text);
    }
    check_launches(device, call, &tiling);
}

static void test_defaults_pass(void **state)
{
    (void)state;
    visit_all(default_passes);
}

/* Each field of a good tiling alone out of range. */
static void test_bounds(void **state)
{
    (void)state;
    static const struct {
        clv_op op;
        int device;
        const char *text;
        bool good;
    } rows[] = {
        {CLV_OP_CONV, 0, "form=packed vector=16 tall=12 low=8 vectors=2 across=2 block=32 channels=16 parts=1", true},
        {CLV_OP_CONV, 0, "form=packed vector=3 tall=12 low=8 vectors=2 across=2 block=32 channels=16 parts=1", false},
        {CLV_OP_CONV, 0, "form=packed vector=1 tall=12 low=8 vectors=2 across=2 block=32 channels=16 parts=1", false},
        {CLV_OP_CONV, 0, "form=packed vector=16 tall=0 low=8 vectors=2 across=2 block=32 channels=16 parts=1", false},
        {CLV_OP_CONV, 0, "form=packed vector=16 tall=33 low=8 vectors=2 across=2 block=32 channels=16 parts=1", false},
        {CLV_OP_CONV, 0, "form=packed vector=16 tall=12 vectors=2 across=2 block=32 channels=16 parts=1", false},
        {CLV_OP_CONV, 0, "form=packed vector=16 tall=12 low=8 vectors=3 across=2 block=32 channels=16 parts=1", false},
        {CLV_OP_CONV, 0, "form=packed vector=16 tall=12 low=8 vectors=2 across=3 block=32 channels=16 parts=1", false},
        {CLV_OP_CONV, 0, "form=packed vector=16 tall=12 low=8 vectors=2 across=2 block=24 channels=16 parts=1", false},
        {CLV_OP_CONV, 0, "form=packed vector=16 tall=12 low=8 vectors=2 across=2 block=32 channels=17 parts=1", false},
        {CLV_OP_CONV, 0, "form=packed vector=16 tall=12 low=8 vectors=2 across=2 block=32 channels=16", false},
        {CLV_OP_CONV, 0, "form=packed vector=16 tall=12 low=8 vectors=2 across=2 block=32 channels=4 parts=4", true},
        {CLV_OP_CONV, 0, "form=packed vector=16 tall=12 low=8 vectors=2 across=2 block=32 channels=1 parts=15", false},
        {CLV_OP_CONV, 0, "form=packed vector=16 tall=12 low=8 vectors=2 across=2 block=32 channels=4 panel=1 parts=4",
         false},
        {CLV_OP_CONV, 0, "form=packed vector=16 pack=2 tall=12 low=8 vectors=2 across=2 block=32 channels=16 parts=1",
         false},
        {CLV_OP_CONV, 0,
         "form=packed vector=16 clblast=1 tall=12 low=8 vectors=2 across=2 block=32 channels=16 parts=1", false},
        {CLV_OP_CONV, 0, "form=gathered vector=16 tall=12 low=8 vectors=2 across=2 block=32 channels=16 parts=1",
         false},
        {CLV_OP_CONV, 0, "form=direct vector=4 rows=8 parts=1 group=32", false},
        {CLV_OP_CONV, 3, "form=direct vector=4 rows=8 parts=1 group=32", true},
        {CLV_OP_CONV, 3, "form=direct vector=1 rows=8 parts=1 group=128", true},
        {CLV_OP_CONV, 3, "form=direct vector=8 rows=8 parts=1 group=16", false},
        {CLV_OP_CONV, 3, "form=direct vector=4 rows=8 parts=1 group=64", false},
        {CLV_OP_CONV, 3, "form=direct vector=4 rows=8 parts=1 group=24", false},
        {CLV_OP_CONV, 3, "form=direct vector=4 rows=64 parts=1 group=32", false},
        {CLV_OP_CONV, 3, "form=direct vector=4 parts=1 group=32", false},
        {CLV_OP_CONV, 3, "form=direct vector=4 rows=8 parts=1", false},
        {CLV_OP_CONV, 3, "form=direct vector=4 rows=8 group=32", false},
        {CLV_OP_CONV, 3, "form=direct vector=4 rows=8 panel=1 parts=4 group=32", true},
        {CLV_OP_CONV, 3, "form=direct vector=4 rows=8 parts=15 group=32", false},
        {CLV_OP_CONV, 3, "form=direct vector=4 rows=8 pack=1 parts=1 group=32", false},
        {CLV_OP_CONV, 3, "form=direct-gathered vector=4 rows=8 parts=1 group=32", false},
        {CLV_OP_DECONV, 3, "form=direct vector=4 rows=8 panel=1 parts=1 group=32", true},
        {CLV_OP_DECONV, 3, "form=direct vector=4 rows=8 parts=2 group=32", false},
        {CLV_OP_DECONV, 3, "form=direct-gathered vector=4 rows=8 parts=1 group=32", true},
        {CLV_OP_DECONV, 3, "form=direct-gathered vector=4 rows=8 panel=1 parts=1 group=32", false},
        {CLV_OP_DECONV, 3, "form=gathered vector=4 tall=4 low=4 vectors=1 across=1 block=16 channels=16 parts=1",
         false},
        {CLV_OP_CONV, 3, "form=packed vector=16 tall=12 low=8 vectors=2 across=2 block=32 channels=16 parts=1", false},
        {CLV_OP_DECONV, 0, "form=packed vector=16 tall=12 low=8 vectors=2 across=2 block=16 channels=16 parts=2",
         false},
        {CLV_OP_CONV_WEIGHT, 0, "form=packed vector=16 rows=6 columns=4 taps=1 tiles=6 lanes=128 parts=1", true},
        {CLV_OP_CONV_WEIGHT, 0, "form=packed vector=16 rows=6 columns=4 taps=1 tiles=7 lanes=128 parts=1", false},
        {CLV_OP_CONV_WEIGHT, 0, "form=packed vector=16 rows=6 columns=17 taps=1 tiles=6 lanes=128 parts=1", false},
        {CLV_OP_CONV_WEIGHT, 0, "form=packed vector=16 rows=6 columns=1 taps=3 tiles=6 lanes=128 parts=1", false},
        {CLV_OP_CONV_WEIGHT, 0, "form=packed vector=16 rows=6 columns=1 taps=3 tiles=6 lanes=128 pack=1 parts=1", true},
        {CLV_OP_CONV_WEIGHT, 0, "form=packed vector=16 rows=6 columns=1 taps=2 tiles=6 lanes=128 pack=1 parts=1",
         false},
        {CLV_OP_CONV_WEIGHT, 0, "form=packed vector=16 rows=6 columns=4 taps=1 tiles=6 lanes=96 parts=1", false},
        {CLV_OP_CONV_WEIGHT, 0, "form=packed vector=16 rows=6 columns=4 taps=1 tiles=6 lanes=128 parts=15", false},
        {CLV_OP_CONV_WEIGHT, 0,
         "form=packed vector=16 rows=6 columns=4 taps=1 tiles=6 lanes=128 plane=1 pack=1 parts=1", false},
        {CLV_OP_CONV_WEIGHT, 0, "form=packed vector=16 rows=32 columns=4 taps=1 tiles=1 lanes=128 parts=1", false},
        {CLV_OP_CONV_WEIGHT, 3, "form=direct vector=4 rows=8 columns=8 taps=1 lanes=128 parts=4 group=64 sums=32",
         true},
        {CLV_OP_CONV_WEIGHT, 3, "form=direct vector=4 rows=8 columns=8 taps=1 lanes=128 parts=4 group=48 sums=32",
         false},
        {CLV_OP_CONV_WEIGHT, 3, "form=direct vector=4 rows=8 columns=8 taps=1 lanes=126 parts=4 group=64 sums=32",
         false},
        {CLV_OP_CONV_WEIGHT, 3, "form=direct vector=4 rows=8 columns=8 taps=1 lanes=128 parts=4 group=256 sums=8",
         false}, /* 8 rows at a time of the 4 of a part */
        {CLV_OP_CONV_WEIGHT, 3, "form=direct vector=4 rows=8 columns=8 taps=1 parts=4 group=64 sums=32", false},
        {CLV_OP_CONV_WEIGHT, 3, "form=direct vector=4 rows=8 columns=8 taps=1 lanes=128 parts=4 group=64", false},
        {CLV_OP_CONV_WEIGHT, 3, "form=direct vector=4 rows=4 columns=4 taps=1 lanes=128 parts=4 group=64 sums=17",
         false},
        {CLV_OP_CONV_WEIGHT, 3,
         "form=direct vector=4 rows=4 columns=4 taps=1 lanes=128 panel=1 parts=4 group=64 sums=16", false},
        {CLV_OP_CONV_WEIGHT, 3,
         "form=direct-gathered vector=4 rows=4 columns=4 taps=1 lanes=128 parts=4 group=64 sums=16", false},
        {CLV_OP_CONV_WEIGHT, 3, "form=direct vector=4 rows=8 columns=8 taps=1 lanes=128 parts=1 group=256 sums=31",
         true},
        {CLV_OP_CONV_WEIGHT, 3, "form=direct vector=4 rows=8 columns=8 taps=1 lanes=128 parts=1 group=256 sums=32",
         false}, /* local memory */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const clv_call call = call_of(rows[i].op, 16, 32, 28, 3, 2, 1, 128);
        clv_tiling tiling;
        assert_true(clv_tiling_parse(rows[i].text, &tiling));
        if (clv_tiling_check(&devices[rows[i].device], &call, &tiling) != rows[i].good)
            fail_msg("%s is %s", rows[i].text, rows[i].good ? "refused" : "accepted");
        if (rows[i].good) check_launches(&devices[rows[i].device], &call, &tiling);
    }
}

/* A last block of a tile or two would leave all cores but one idle: they get the first ones. */
static void blocks_are_even(const clv_device_info *device, const clv_call *call)
{
    clv_tiling t;
    clv_tiling_default(device, call, &t);
    if (call->op != CLV_OP_CONV_WEIGHT || t.form != CLV_FORM_PACKED) return;
    const int tiles = CLV_WHOLE(call->in[1].shape.dim[0], t.rows), blocks = CLV_WHOLE(tiles, t.tiles);
    const int last = tiles - (blocks - 1) * t.tiles;
    assert_true(last >= 1 && t.tiles - last < blocks);
}

static void test_blocks_of_weights_are_even(void **state)
{
    (void)state;
    const clv_call wide = call_of(CLV_OP_CONV_WEIGHT, 128, 256, 14, 4, 2, 1, 128); /* 43 tiles, of which 42 fit */
    visit_all(blocks_are_even);
    blocks_are_even(&devices[0], &wide);
}

/* 13 vectors of lanes have no divisor but 1 up to the 8 that are wished for: all are taken. 37 are too many. */
static void test_prime_numbers_of_vectors(void **state)
{
    (void)state;
    const clv_call weight = call_of(CLV_OP_CONV_WEIGHT, 8, 16, 14, 3, 2, 1, 13 * 16),
                   forward = call_of(CLV_OP_CONV, 8, 16, 14, 3, 2, 1, 13 * 16),
                   more = call_of(CLV_OP_CONV, 8, 16, 14, 3, 2, 1, 37 * 16);
    clv_tiling t;
    clv_tiling_default(&devices[0], &weight, &t);
    assert_int_equal(t.lanes, 13 * 16);
    clv_tiling_default(&devices[0], &forward, &t);
    assert_int_equal(t.across * t.vectors, 13);
    clv_tiling_default(&devices[0], &more, &t);
    assert_int_equal(t.across * t.vectors, 1);
}

/* Panels hold weights in the order of conv; a linear layer's deconv reads them transposed. */
static void test_no_panels_of_transposed_weights(void **state)
{
    (void)state;
    const clv_call forward = call_of(CLV_OP_CONV, 576, 64, 1, 1, 1, 0, 128),
                   backward = call_of(CLV_OP_DECONV, 576, 64, 1, 1, 1, 0, 128);
    clv_tiling tiling;
    clv_tiling_default(&devices[0], &forward, &tiling);
    tiling.panel = 1;
    assert_true(clv_tiling_check(&devices[0], &forward, &tiling));
    clv_tiling_default(&devices[0], &backward, &tiling);
    tiling.panel = 1;
    assert_false(clv_tiling_check(&devices[0], &backward, &tiling));
}

/* Linear layers alone, on CPUs, where squares of x can be turned and y is float; and the tuner finds the way there and
 * back. */
static void test_transposed_weight_gradients(void **state)
{
    (void)state;
    const clv_call linear = call_of(CLV_OP_CONV_WEIGHT, 576, 64, 1, 1, 1, 0, 128),
                   odd = call_of(CLV_OP_CONV_WEIGHT, 100, 64, 1, 1, 1, 0, 128),
                   conv = call_of(CLV_OP_CONV_WEIGHT, 16, 64, 7, 3, 2, 0, 128);
    clv_call half = linear;
    half.in[1].space = CLV_SPACE_HALF;
    clv_tiling t, packed, to;
    clv_tiling_default(&devices[0], &linear, &t);
    assert_int_equal(t.form, CLV_FORM_TRANSPOSED);
    assert_true(clv_tiling_check(&devices[0], &linear, &t));
    assert_false(clv_tiling_check(&devices[0], &odd, &t));
    assert_false(clv_tiling_check(&devices[0], &half, &t));
    assert_false(clv_tiling_check(&devices[0], &conv, &t));
    assert_false(clv_tiling_check(&devices[3], &linear, &t));
    bool left = false, back = false;
    for (int i = 0; i < clv_tiling_moves(&linear); i++)
        if (clv_tiling_move(&devices[0], &linear, &t, i, &to) && to.form == CLV_FORM_PACKED) left = true, packed = to;
    assert_true(left);
    for (int i = 0; i < clv_tiling_moves(&linear); i++)
        back = back || (clv_tiling_move(&devices[0], &linear, &packed, i, &to) && clv_tiling_equal(&to, &t));
    assert_true(back);
    clv_tiling_default(&devices[0], &half, &t);
    assert_int_equal(t.form, CLV_FORM_PACKED);
    clv_tiling_default(&devices[0], &odd, &t);
    assert_int_equal(t.form, CLV_FORM_PACKED);
}

/* Whatever numbers a file holds: refused, or good for launches. A generator of its own: the same numbers each time. */
static void test_any_numbers(void **state)
{
    (void)state;
    uint32_t seed = 1, accepted = 0;
    static const int values[] = {0, 1,  1,  2,  2,  3,  4,  4,   5,   7,       8,
                                 8, 12, 16, 16, 28, 32, 64, 100, 128, 1 << 12, 1 << 24};
    for (int i = 0; i < 400000; i++) {
        static const clv_op ops[] = {CLV_OP_CONV, CLV_OP_DECONV, CLV_OP_CONV_WEIGHT};
        const clv_call call =
            call_of(ops[i % 3], i % 2 ? 16 : 3, 8, i % 5 ? 8 : 1, i % 5 ? 4 : 1, i % 5 ? 2 : 1, i % 5 ? 1 : 0, 64);
        const clv_device_info *device = &devices[i % 4];
        clv_tiling tiling;
        clv_tiling_default(device, &call, &tiling);
        for (int k = 0; k < 1 + i % 4; k++) {
            seed = seed * 1664525u + 1013904223u;
            const size_t field = 1 + (seed >> 8) % (sizeof tiling / sizeof(int) - 1);
            seed = seed * 1664525u + 1013904223u;
            ((int *)(void *)&tiling)[field] = values[(seed >> 8) % (sizeof values / sizeof *values)];
        }
        if (!clv_tiling_check(device, &call, &tiling)) continue;
        accepted++;
        check_launches(device, &call, &tiling);
    }
    assert_true(accepted > 10000);
}

/* ---- neighbours ---- */

static int neighbours;

static void moves_pass(const clv_device_info *device, const clv_call *call)
{
    clv_tiling tiling, to, again;
    clv_tiling_default(device, call, &tiling);
    int found = 0;
    for (int i = 0; i < clv_tiling_moves(call); i++) {
        if (!clv_tiling_move(device, call, &tiling, i, &to)) continue;
        found++;
        assert_false(clv_tiling_equal(&to, &tiling));
        assert_true(clv_tiling_check(device, call, &to));
        assert_true(clv_tiling_move(device, call, &tiling, i, &again) && clv_tiling_equal(&to, &again));
        check_launches(device, call, &to);
    }
    neighbours += found;
    if (call->out.shape.dim[0] > 3 && call->in[0].shape.dim[0] > 3) assert_true(found >= 3);
}

static void test_moves(void **state)
{
    (void)state;
    visit_all(moves_pass);
    assert_true(neighbours > 5000);
}

/* A block is covered by its tiles, whatever their heights. */
static void test_blocks(void **state)
{
    (void)state;
    for (int block = 1; block <= 100; block++)
        for (int tall = 1; tall <= block && tall <= 28; tall++)
            for (int low = 1; low <= block && low <= 8; low++) {
                const clv_tiling tiling = {.block = block, .tall = tall, .low = low};
                const clv_block b = clv_block_of(&tiling);
                assert_int_equal(b.rows, b.talls * tall + b.lows * low);
                assert_true(b.rows >= block && b.rows < block + tall + low && b.talls + b.lows >= 1);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_damaged_text),
        cmocka_unit_test(test_defaults_pass),
        cmocka_unit_test(test_blocks_of_weights_are_even),
        cmocka_unit_test(test_prime_numbers_of_vectors),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_no_panels_of_transposed_weights),
        cmocka_unit_test(test_transposed_weight_gradients),
        cmocka_unit_test(test_any_numbers),
        cmocka_unit_test(test_moves),
        cmocka_unit_test(test_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
