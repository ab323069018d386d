/* Checkpoints: what is written is read back to the bit, and every kind of broken or foreign file is refused with one
 * line. */
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/philox.h"
#include "model/checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size); /* fuzz_safetensors.c */

/* A layout with gaps (alignment 16) and a frozen parameter last, as plans have them. */
static struct clv_param_place places[] = {
    {"conv1.weight", {.rank = 4, .dim = {2, 1, 3, 3}}, 0, true},
    {"conv1.bias", {.rank = 1, .dim = {2, 1, 1, 1}}, 32, true},
    {"code.weight", {.rank = 2, .dim = {3, 5, 1, 1}}, 48, true},
    {"frozen.bias", {.rank = 1, .dim = {7, 1, 1, 1}}, 64, false},
};
enum { ELEMENTS = 80, PARAMS = 4 };
static clv_param_layout layout = {PARAMS, places, ELEMENTS, 64};

static char folder[] = "/tmp/clave-checkpoint-XXXXXX";
static char path[64];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/x.safetensors", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder); /* fails where a temporary was left behind */
}

/* Three arrays of any bits, NaNs and infinities among them, and a state. */
typedef struct contents {
    float param[ELEMENTS], m[ELEMENTS], v[ELEMENTS];
    clv_train_state state;
} contents;

static contents make_contents(void)
{
    contents c = {
        .state = {
            UINT64_MAX, 77, UINT32_MAX, 12, 9, 0.1 + 0.2, 3, 1.0 / 3, -0.7, 11, 2, 1.25, 4, {1, -0.0, 1e-310, 1e300, INFINITY, -INFINITY, 2.0 / 3, 7}}};
    clv_random random = clv_random_start(5, 1);
    for (int i = 0; i < ELEMENTS; i++) {
        uint32_t word[3] = {clv_random_word(&random), clv_random_word(&random), clv_random_word(&random)};
        memcpy(&c.param[i], &word[0], 4);
        memcpy(&c.m[i], &word[1], 4);
        memcpy(&c.v[i], &word[2], 4);
    }
    return c;
}

static void write_contents(const contents *c, bool moments)
{
    clv_error err = {0};
    clv_checkpoint checkpoint = {c->param, moments ? c->m : NULL, moments ? c->v : NULL, c->state};
    if (clv_checkpoint_write(path, &layout, &checkpoint, &err) != CLV_OK) fail_msg("%s", err.message);
}

static void assert_part(const float *a, const float *b, bool frozen)
{
    for (int i = 0; i < PARAMS; i++)
        if (places[i].trained || frozen)
            assert_memory_equal(a + places[i].offset, b + places[i].offset,
                                4 * (size_t)clv_shape_elements(&places[i].shape));
}

static void assert_one_line(const clv_error *err)
{
    assert_true(err->message[0]);
    assert_null(strchr(err->message, '\n'));
}

/* Reading must fail as bad data, leave everything as it was and say `word`. */
static void assert_refused(const clv_param_layout *wanted, bool moments, const char *word)
{
    contents c, before;
    memset(&c, 0x5a, sizeof c);
    before = c;
    clv_error err = {0};
    clv_status status =
        clv_checkpoint_read(path, wanted, c.param, moments ? c.m : NULL, moments ? c.v : NULL, &c.state, &err);
    if (status != CLV_ERR_DATA || !strstr(err.message, word) || !strstr(err.message, path))
        fail_msg("status %d, wanted '%s' in: %s", (int)status, word, err.message);
    assert_one_line(&err);
    assert_memory_equal(&c, &before, sizeof c);
}

static void round_trip_keeps_every_bit(void **state)
{
    (void)state;
    contents c = make_contents(), back;
    memset(&back, 0, sizeof back);
    clv_error err = {0};
    write_contents(&c, true);
    assert_int_equal(clv_checkpoint_read(path, &layout, back.param, back.m, back.v, &back.state, &err), CLV_OK);
    assert_part(back.param, c.param, true);
    assert_part(back.m, c.m, false);
    assert_part(back.v, c.v, false);
    assert_true(back.state.seed == c.state.seed && back.state.step == c.state.step && back.state.epoch == 12);
    assert_true(back.state.best_epoch == 9 && back.state.waited == 3 && back.state.plateau_epochs == 11 && back.state.epoch_batches == 4);
    assert_memory_equal(&back.state.best, &c.state.best, sizeof(double));
    assert_memory_equal(back.state.epoch_sum, c.state.epoch_sum, sizeof c.state.epoch_sum);
}

static void a_best_that_is_no_number_comes_back(void **state)
{
    (void)state;
    const double best[] = {INFINITY, -INFINITY, -(double)NAN};
    for (int i = 0; i < 3; i++) {
        contents c = make_contents(), back = {0};
        c.state.best = best[i];
        write_contents(&c, false);
        assert_int_equal(clv_checkpoint_read(path, &layout, back.param, NULL, NULL, &back.state, NULL), CLV_OK);
        assert_true(isnan(best[i]) ? isnan(back.state.best) : back.state.best == best[i]);
    }
}

static void bytes_are_a_function_of_the_contents(void **state)
{
    (void)state;
    contents c = make_contents();
    uint8_t *bytes[2];
    size_t size[2];
    for (int i = 0; i < 2; i++) {
        write_contents(&c, true);
        assert_int_equal(clv_file_read(path, 1 << 20, CLV_ERR_DATA, &bytes[i], &size[i], NULL), CLV_OK);
        for (int k = 18; k < 32; k++) c.param[k] = 1; /* the gap between two tensors */
    }
    assert_int_equal(size[0], size[1]);
    assert_memory_equal(bytes[0], bytes[1], size[0]);
    assert_int_equal((bytes[0][0] | bytes[0][1] << 8) % 8, 0); /* data begins at a multiple of 8 */
    assert_memory_equal(bytes[0] + 8, "{\"__metadata__\":{\"format\":\"clave-3\",\"seed\":\"18446744073709551615\",",
                        64);
    free(bytes[0]);
    free(bytes[1]);
}

static void parameters_alone_are_no_training_state(void **state)
{
    (void)state;
    contents c = make_contents(), back;
    write_contents(&c, false);
    assert_refused(&layout, true, "no training state");
    assert_int_equal(clv_checkpoint_read(path, &layout, back.param, NULL, NULL, NULL, NULL), CLV_OK);
    assert_part(back.param, c.param, true);
}

static void tensors_that_do_not_fit_are_listed(void **state)
{
    (void)state;
    contents c = make_contents();
    write_contents(&c, true);
    struct clv_param_place other[PARAMS + 1];
    memcpy(other, places, sizeof places);
    strcpy(other[1].name, "conv2.bias");
    other[2].shape = (clv_shape){.rank = 2, .dim = {5, 3, 1, 1}};
    clv_param_layout wanted = {PARAMS, other, ELEMENTS, 64};
    assert_refused(&wanted, false, "missing: conv2.bias [2]");
    assert_refused(&wanted, false, "extra: conv1.bias F32 [2]");
    assert_refused(&wanted, false, "code.weight is F32 [3][5] instead of F32 [5][3]");

    memcpy(other, places, sizeof places);
    other[PARAMS] = (struct clv_param_place){"new.weight", {.rank = 1, .dim = {1, 1, 1, 1}}, ELEMENTS - 1, false};
    wanted.params = PARAMS + 1;
    assert_refused(&wanted, true, "missing: new.weight [1]");
    wanted.params = 1; /* the file has three more */
    assert_refused(&wanted, false,
                   "extra: conv1.bias F32 [2]; extra: code.weight F32 [3][5]; extra: frozen.bias F32 [7]");
}

static void only_a_few_misfits_are_named(void **state)
{
    (void)state;
    contents c = make_contents();
    write_contents(&c, false);
    struct clv_param_place other[PARAMS];
    memcpy(other, places, sizeof places);
    for (int i = 0; i < PARAMS; i++) other[i].name[0] = 'X';
    clv_param_layout wanted = {PARAMS, other, ELEMENTS, 64};
    assert_refused(&wanted, false, "; and 2 more"); /* 4 missing, 4 extra, 3 of each named */
}

/* ---- files of other programs, and broken ones: header and bytes of data ---- */

static void write_raw(const char *header, size_t data)
{
    uint8_t bytes[4096] = {0};
    size_t length = strlen(header);
    assert_true(8 + length + data <= sizeof bytes);
    bytes[0] = (uint8_t)length;
    bytes[1] = (uint8_t)(length >> 8);
    memcpy(bytes + 8, header, length);
    for (size_t i = 0; i < data; i++) bytes[8 + length + i] = (uint8_t)i;
    assert_int_equal(clv_file_write(path, bytes, 8 + length + data, NULL), CLV_OK);
}

static struct clv_param_place one_place[] = {{"w", {.rank = 1, .dim = {2, 1, 1, 1}}, 0, true}};
static const clv_param_layout one = {1, one_place, ELEMENTS, 2};

#define W "\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}"

static void files_of_other_programs_are_read(void **state)
{
    (void)state;
    static const char *const header[] = {
        "{" W "}",
        "{\"__metadata__\":{\"format\":\"pt\"}," W "}   ",
        "{\"optimizer.m.w\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[8,16]}," W "}",
        "{" W ",\"optimizer.v.w\":{\"shape\":[0,3],\"data_offsets\":[8,8],\"dtype\":\"BF16\"}}",
    };
    for (size_t i = 0; i < sizeof header / sizeof header[0]; i++) {
        contents c = {0};
        clv_error err = {0};
        write_raw(header[i], i == 2 ? 16 : 8);
        if (clv_checkpoint_read(path, &one, c.param, NULL, NULL, &c.state, &err) != CLV_OK) fail_msg("%s", err.message);
        uint32_t word;
        memcpy(&word, &c.param[1], sizeof word);
        assert_int_equal(word, 0x07060504); /* little-endian on every machine */
        assert_int_equal(c.state.step, 0);
        assert_refused(&one, true, "no training state");
    }
}

static void broken_files_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t data;
        const char *word;
    } broken[] = {
        {"", 0, "does not begin with '{'"},
        {"[1]", 0, "does not begin with '{'"},
        {" {" W "}", 8, "does not begin with '{'"},
        {"{" W, 8, "broken JSON"},
        {"{" W "} x", 8, "broken JSON"},
        {"{" W "," W "}", 8, "broken JSON"},                      /* a name twice */
        {"{\"w\\u0000\":{}}", 8, "broken JSON"},                  /* NUL in a name */
        {"{\"w\":{\"dtype\":\"F32\\n\xff\"}}", 8, "broken JSON"}, /* no UTF-8 */
        {"{\"w\":1}", 8, "no dtype"},
        {"{\"w\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "no dtype"},
        {"{\"w\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", 8, "no shape"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, "data_offsets"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"x\":1}}", 8, "other keys"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}", 8, "data_offsets"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,9]}}", 8, "data_offsets"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8, "data_offsets"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-8,0]}}", 8, "data_offsets"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8.0]}}", 8, "data_offsets"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8, "whole number"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}}", 8, "whole number"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,2],\"data_offsets\":[0,8]}}", 8, "9 dimensions"},
        {"{\"w\":{\"dtype\":\"F99\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "unknown type 'F99'"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[4611686018427387905],\"data_offsets\":[0,4]}}", 4, "overflows"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[2147483648,2147483648,2],\"data_offsets\":[0,0]}}", 0, "overflows"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8, "needs 12 bytes"},
        {"{" W "}", 7, "cut short"},
        {"{" W "}", 9, "belong to none"},
        {"{" W ",\"v\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[4,12]}}", 12, "overlaps"},
        {"{" W ",\"v\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[9,13]}}", 13, "hole"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}", 12, "hole"},
        {"{\"__metadata__\":[]," W "}", 8, "__metadata__"},
        {"{\"__metadata__\":{\"seed\":7}," W "}", 8, "no string"},
        {"{\"__metadata__\":{\"format\":\"clave-1\"}," W "}", 8, "'clave-1'"},
        {"{\"__metadata__\":{\"format\":\"clave-2\",\"seed\":\"1\"}," W "}", 8, "another version wrote it; train the run again"},
        {"{\"__metadata__\":{\"format\":\"clave-3\"}," W "}", 8, "nothing for 'seed'"},
        {"{\"__metadata__\":{\"format\":\"clave-3\",\"seed\":\"18446744073709551616\"}," W "}", 8, "for 'seed'"},
        {"{\"__metadata__\":{\"format\":\"clave-3\",\"seed\":\"1\",\"data\":\"2\",\"step\":\"-1\"}," W "}", 8, "for 'step'"},
        {"{\"__metadata__\":{\"format\":\"clave-3\",\"seed\":\"1\",\"data\":\"2\",\"step\":\"\"}," W "}", 8, "for 'step'"},
        {"{\"w\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4,
         "w is F16 [2] instead of F32 [2] (clave reads F32 alone)"},
        {"{\"w\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[0,16]}}", 16,
         "w is F64 [2] instead of F32 [2] (clave"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8]}}", 8, "[1][2] instead of F32 [2]"},
        {"{}", 0, "missing: w [2]"},
    };
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        write_raw(broken[i].header, broken[i].data);
        assert_refused(&one, false, broken[i].word);
    }
}

static void lengths_beyond_the_file_are_refused(void **state)
{
    (void)state;
    static const uint8_t files[][16] = {
        {0}, /* cut to 7 bytes below */
        {9, 0, 0, 0, 0, 0, 0, 0, '{', '}'},
        {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, '{', '}'},
        {0, 0, 0, 0, 0, 0, 0, 0x80, '{', '}'},
    };
    for (int i = 0; i < 4; i++) {
        assert_int_equal(clv_file_write(path, files[i], i == 0 ? 7 : 16, NULL), CLV_OK);
        assert_refused(&one, false, i == 0 ? "too few" : "claim a header");
    }
    unlink(path);
    assert_refused(&one, false, "x.safetensors");
}

/* Nested deeper than any stack likes. */
static void deep_headers_are_refused(void **state)
{
    (void)state;
    enum { DEPTH = 200000, SIZE = 8 + 6 * DEPTH };
    uint8_t *bytes = calloc(SIZE, 1);
    assert_non_null(bytes);
    for (int i = 0; i < 4; i++) bytes[i] = (uint8_t)((SIZE - 8) >> (8 * i));
    for (int i = 0; i < DEPTH; i++) memcpy(bytes + 8 + 5 * i, "{\"a\":", 5);
    memset(bytes + 8 + 5 * DEPTH, '}', DEPTH);
    assert_int_equal(clv_file_write(path, bytes, SIZE, NULL), CLV_OK);
    free(bytes);
    assert_refused(&one, false, "broken JSON");
}

static void every_failed_allocation_is_survived(void **state)
{
    (void)state;
    contents c = make_contents(), back = c;
    clv_checkpoint checkpoint = {c.param, c.m, c.v, c.state};
    for (int what = 0; what < 2; what++) {
        long n = 1;
        for (clv_status status = CLV_ERR_INTERNAL; status != CLV_OK; n++) {
            clv_error err = {0};
            assert_true(n < 1000);
            clv_fail_allocation(n);
            status = what == 0 ? clv_checkpoint_write(path, &layout, &checkpoint, &err)
                               : clv_checkpoint_read(path, &layout, back.param, back.m, back.v, &back.state, &err);
            clv_fail_allocation(0);
            if (status == CLV_OK) break;
            assert_int_equal(status, CLV_ERR_INTERNAL);
            assert_int_equal(err.status, status);
            assert_one_line(&err);
            assert_memory_equal(&back, &c, sizeof c);
        }
        assert_true(n > 2);
    }
    /* Comparing with another model allocates its list. */
    clv_fail_allocation(3);
    assert_int_equal(clv_checkpoint_read(path, &one, back.param, NULL, NULL, NULL, NULL), CLV_ERR_INTERNAL);
    clv_fail_allocation(0);
}

/* ---- random damage ---- */

/* One to four changes: a bit, a byte, a piece copied over another, a digit, the end cut off. */
static size_t damage(uint8_t *bytes, size_t size, clv_random *random)
{
    for (uint32_t k = 1 + clv_random_below(random, 4); k > 0 && size > 0; k--) {
        uint32_t at = clv_random_below(random, (uint32_t)size), from = clv_random_below(random, (uint32_t)size);
        size_t longest = size - (at > from ? at : from), length = longest < 16 ? longest : 16;
        switch (clv_random_below(random, 5)) {
        case 0:
            bytes[at] ^= (uint8_t)(1u << clv_random_below(random, 8));
            break;
        case 1:
            bytes[at] = (uint8_t)clv_random_word(random);
            break;
        case 2:
            memmove(bytes + at, bytes + from, length);
            break;
        case 3:
            bytes[at] = (uint8_t)('0' + clv_random_below(random, 10));
            break;
        default:
            size = clv_random_below(random, 8) == 0 ? at : size;
        }
    }
    return size;
}

static void damaged_files_never_harm(void **state)
{
    (void)state;
    uint64_t seed = (uint64_t)time(NULL) ^ (uint64_t)getpid() << 32;
    print_message("seed %" PRIu64 "\n", seed);
    clv_random random = clv_random_start(seed, 1);
    contents c = make_contents();
    write_contents(&c, true);
    uint8_t *bytes, *copy;
    size_t size;
    assert_int_equal(clv_file_read(path, 1 << 20, CLV_ERR_DATA, &bytes, &size, NULL), CLV_OK);
    assert_non_null(copy = malloc(size));
    LLVMFuzzerTestOneInput(bytes, 0);
    for (int i = 0; i < 20000; i++) {
        memcpy(copy, bytes, size);
        size_t cut = damage(copy, i % 2 ? size : size / 2, &random); /* half of them aim at the header */
        if (i % 2 == 0) cut = cut == size / 2 ? size : cut;
        LLVMFuzzerTestOneInput(copy, cut);
        if (i % 50) continue;
        contents back = {0};
        clv_error err = {0};
        assert_int_equal(clv_file_write(path, copy, cut, NULL), CLV_OK);
        clv_status status = clv_checkpoint_read(path, &layout, back.param, back.m, back.v, &back.state, &err);
        assert_true(status == CLV_OK || status == CLV_ERR_DATA);
        if (status != CLV_OK) assert_one_line(&err);
    }
    free(bytes);
    free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip_keeps_every_bit),
        cmocka_unit_test(a_best_that_is_no_number_comes_back),
        cmocka_unit_test(bytes_are_a_function_of_the_contents),
        cmocka_unit_test(parameters_alone_are_no_training_state),
        cmocka_unit_test(tensors_that_do_not_fit_are_listed),
        cmocka_unit_test(only_a_few_misfits_are_named),
        cmocka_unit_test(files_of_other_programs_are_read),
        cmocka_unit_test(broken_files_are_refused),
        cmocka_unit_test(lengths_beyond_the_file_are_refused),
        cmocka_unit_test(deep_headers_are_refused),
        cmocka_unit_test(every_failed_allocation_is_survived),
        cmocka_unit_test(damaged_files_never_harm),
    };
    return cmocka_run_group_tests_name("checkpoint", tests, make_folder, remove_folder);
}
