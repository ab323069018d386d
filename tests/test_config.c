/* The reader of configurations: what it takes, what it refuses and how it says so, that printed text makes the same
 * configuration again, and that no input and no failed allocation breaks it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/philox.h"
#include "base/text.h"
#include "clave/config.h"
#include "clave/device.h"
#include "model/choices.h"
#include "model/layers.h"
#include "model/schema.h"
#include "model/settings.h"

/* fuzz_config.c */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* The least that every configuration needs. */
#define LAYERS     "[encoder]\ne1 = linear units=2\n[decoder]\nd1 = linear units=784\n"
#define VAE_LAYERS "[encoder]\ne1 = gaussian units=2\n[decoder]\nd1 = linear units=784\n"
#define TEN_BYTES  "0123456789"
#define HUNDRED_BYTES                                                                                                  \
    TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES

/* Parses text that must be right. */
static clv_config *parse(const char *text, const char *const *overrides, int count)
{
    clv_config *config = NULL;
    clv_error err = {0};
    if (clv_config_parse("x.ini", text, strlen(text), overrides, count, &config, NULL, &err) != CLV_OK)
        fail_msg("%s\n%s", err.message, text);
    return config;
}

/* Parses what must be refused: one of the problems is `expected`, and there are `count` of them (0: any number). */
static void expect_refusal_of(const char *text, size_t size, const char *override, const char *expected, int count)
{
    clv_config *config = NULL;
    clv_diagnostics diagnostics = {0};
    clv_error err = {0};
    clv_status status = clv_config_parse("x.ini", text, size, &override, override != NULL, &config, &diagnostics, &err);
    if (status != CLV_ERR_CONFIG) fail_msg("status %d, not %s, for\n%s", status, expected, text);
    bool found = false;
    for (int i = 0; i < diagnostics.count; i++) found = found || strstr(diagnostics.message[i], expected) != NULL;
    if (!found) fail_msg("'%s', not '%s', for\n%s", err.message, expected, text);
    if (count && diagnostics.count != count) {
        for (int i = 0; i < diagnostics.count; i++) print_message("%s\n", diagnostics.message[i]);
        fail_msg("%d problems, not %d, for\n%s", diagnostics.count, count, text);
    }
    clv_diagnostics_free(&diagnostics);
}

static void expect_refusal(const char *text, const char *override, const char *expected, int count)
{
    expect_refusal_of(text, strlen(text), override, expected, count);
}

static void gives_values(void **state)
{
    (void)state;
    const char *overrides[] = {"train.lr=5e-4", "encoder.c.channels=12", "params.k=5"};
    clv_config *c = parse("\xEF\xBB\xBF; a comment\r\n[experiment]\r\nname = a_$x ; behind a blank\r\n"
                          "[params]\nk=3\nx = y\nz = $x${x}\n[data]\npath = dir/a;b#c/$z$$ # a comment\n"
                          "[encoder]\nc = conv channels=8 kernel=$k\tact=relu\n[decoder]\nd = linear units=4 bias=no\n"
                          "[train]\nbatch\t=\t 064\n[early_stopping]\nrestore_best = Off",
                          overrides, 3);
    assert_string_equal(clv_config_string(c, "experiment.name"), "a_y");
    assert_string_equal(clv_config_string(c, "data.path"), "dir/a;b#c/yy$");
    assert_int_equal(clv_config_int(c, "train.batch"), 64);
    assert_true(clv_config_real(c, "train.lr") == 5e-4);
    assert_false(clv_config_bool(c, "early_stopping.restore_best"));
    assert_true(clv_config_bool(c, "plan.fuse"));
    assert_int_equal(clv_config_int(c, "train.epochs"), 20);
    assert_true(clv_config_is_set(c, "train.batch"));
    assert_false(clv_config_is_set(c, "train.epochs"));
    assert_string_equal(clv_config_where(c, "train.batch"), "x.ini:15");
    assert_string_equal(clv_config_where(c, "train.lr"), "command line");
    assert_string_equal(clv_config_where(c, "train.epochs"), "default");
    clv_config_destroy(c);
}

static void gives_layers(void **state)
{
    (void)state;
    const char *overrides[] = {"encoder.c.channels=12", "params.k=5", "decoder.d=linear units=9"};
    const clv_layer *rows;
    clv_config *c = parse("[params]\nk=3\n[encoder]\nc = conv channels=8 kernel=$k\tact=relu bias=no\nf=flatten\n"
                          "[decoder]\nd = linear units=4\n",
                          overrides, 3);
    assert_int_equal(clv_config_layers(c, "encoder", &rows), 2);
    assert_string_equal(rows[0].name, "c");
    assert_string_equal(rows[0].type, "conv");
    assert_string_equal(rows[0].where, "x.ini:4");
    assert_int_equal(clv_layer_int(&rows[0], "channels"), 12);
    assert_int_equal(clv_layer_int(&rows[0], "kernel"), 5);
    assert_int_equal(clv_layer_int(&rows[0], "stride"), 1);
    assert_true(clv_layer_real(&rows[0], "slope") == 0.01);
    assert_string_equal(clv_layer_string(&rows[0], "act"), "relu");
    assert_string_equal(clv_layer_string(&rows[0], "bias"), "false");
    assert_string_equal(clv_layer_string(&rows[0], "init"), "pytorch");
    assert_int_equal(rows[1].args, 0);
    assert_int_equal(clv_config_layers(c, "decoder", &rows), 1);
    assert_int_equal(clv_layer_int(&rows[0], "units"), 9);
    assert_string_equal(rows[0].where, "command line");
    assert_int_equal(clv_config_layers(c, "train", &rows), 0);
    assert_int_equal(clv_config_layers(c, "head", &rows), 0);
    clv_config_destroy(c);
}

/* Defaults that follow from other keys, or from the file's name. */
static void derives_defaults(void **state)
{
    (void)state;
    clv_config *c = parse(LAYERS, NULL, 0);
    assert_string_equal(clv_config_string(c, "experiment.name"), "x");
    assert_string_equal(clv_config_string(c, "loss.reconstruction"), "mse");
    assert_string_equal(clv_config_string(c, "early_stopping.monitor"), "val.loss");
    clv_config_destroy(c);
    c = parse("[experiment]\ntask=vae\n[data]\nvalidation=00\n" VAE_LAYERS, NULL, 0);
    assert_string_equal(clv_config_string(c, "loss.reconstruction"), "bce");
    assert_string_equal(clv_config_string(c, "early_stopping.monitor"), "train.loss");
    clv_config_destroy(c);

    static const char *const names[][2] = {
        {"a/b c.d.ini", "b_c.d"}, {"", "experiment"}, {".ini", "_ini"}, {"-x", "_x"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        clv_error err = {0};
        assert_int_equal(clv_config_parse(names[i][0], LAYERS, strlen(LAYERS), NULL, 0, &c, NULL, &err), CLV_OK);
        assert_string_equal(clv_config_string(c, "experiment.name"), names[i][1]);
        clv_config_destroy(c);
    }
}

/* Text, the problem it has, how many problems it has. */
static const struct {
    const char *text, *expected;
    int count;
} refused[] = {
    /* What inih would misread. */
    {"[train]\nepochs = 3\n  batch = 4\n" LAYERS, "x.ini:3: an indented line", 1},
    {" [train]\nepochs = 3\n" LAYERS, "x.ini:1: an indented line", 1},
    {"[train]\nepochs = 3\n[train]\nbatch = 4\n" LAYERS, "x.ini:3: section [train] was opened before, in line 1", 1},
    {"[train]\nepochs = 3\n[data]\n[train]\nbatch = 4\n" LAYERS, "x.ini:4: section [train] was opened before", 1},
    {"[data]\npath = " HUNDRED_BYTES HUNDRED_BYTES "\n" LAYERS, "x.ini:2: a line of 207 bytes: at most 198", 1},
    {"[data]\npath = " HUNDRED_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES
         TEN_BYTES "01\n" LAYERS,
     "x.ini:2: a line of 199 bytes: at most 198", 1},
    {"[" HUNDRED_BYTES "]\nx=1\n" LAYERS, "x.ini:1: a section's name of 100 bytes", 1},
    {"[train]\nepochs 3\n" LAYERS, "x.ini:2: 'epochs 3' has no '='", 1},
    {"[train]\nepochs: 3\n" LAYERS, "x.ini:2: 'epochs' is followed by ':'", 1},
    {"[train]\n= 3\n" LAYERS, "x.ini:2: no key before '='", 1},
    {"[train]\nepochs =\n" LAYERS, "x.ini:2: 'epochs' has no value", 1},
    {"[train]\nepochs = ; 3\n" LAYERS, "x.ini:2: 'epochs' has no value", 1},
    {"[train]\nepochs = 3\v\n" LAYERS, "x.ini:2: a control character (byte 0x0b)", 1},
    {"[train]\r\repochs = 3\n" LAYERS, "x.ini:1: a control character (byte 0x0d)", 1},
    {"[train\nepochs = 3\n" LAYERS, "x.ini:1: '[train' lacks its ']'", 1},
    {"[train] epochs = 3\n" LAYERS, "x.ini:1: ' epochs = 3' stands behind a section's ']'", 1},
    {"[ train ]\nepochs = 3\n" LAYERS, "x.ini:1: blanks inside a section's brackets: write [train]", 1},
    {"[]\n" LAYERS, "x.ini:1: a section's name of 0 bytes", 1},
    /* Names. */
    {"[trian]\nepochs = 3\n" LAYERS, "x.ini:1: unknown section [trian]; did you mean 'train'?", 1},
    {"[train]\nepohcs = 3\n" LAYERS, "x.ini:2: unknown key 'epohcs' in [train]; did you mean 'epochs'?", 1},
    {"[experiment]\nmomentum = 0.5\n" LAYERS, "x.ini:2: unknown key 'momentum' in [experiment]; it is a key of [train]",
     1},
    {"[train]\ninclude = y.ini\n" LAYERS,
     "x.ini:2: unknown key 'include' in [train]; it stands above the first section", 1},
    {"seed = 3\n" LAYERS, "x.ini:1: 'seed' stands above the first section", 1},
    {"[train]\nepochs = 3\nbatch = 2\nepochs = 4\n" LAYERS, "x.ini:4: 'epochs' was set before, in line 2", 1},
    {"[encoder]\na=linear units=2\na=linear units=2\n[decoder]\nb=linear units=2\n",
     "x.ini:3: 'a' was set before, in line 2", 1},
    {"[params]\na=1\na=1\n" LAYERS, "x.ini:3: 'a' was set before, in line 2", 1},
    {"[params]\n2a=1\n" LAYERS, "x.ini:2: '2a' is no name for a parameter", 1},
    /* Values. */
    {"[train]\nepochs = 0\n" LAYERS, "x.ini:2: train.epochs = 0: must be an integer from 1 to 1000000", 1},
    {"[train]\nepochs = 3.0\n" LAYERS, "x.ini:2: train.epochs = 3.0: must be", 1},
    {"[train]\nepochs = 99999999999999999999\n" LAYERS, "x.ini:2: train.epochs = 99999999999999999999: must be", 1},
    {"[train]\nlr = 0\n" LAYERS, "x.ini:2: train.lr = 0: must be a number above 0", 1},
    {"[train]\nlr = 1e-60\n" LAYERS, "x.ini:2: train.lr = 1e-60: must be a number above 0", 1},
    {"[train]\nlr = 1e39\n" LAYERS, "x.ini:2: train.lr = 1e39: must be", 1},
    {"[train]\nlr = nan\n" LAYERS, "x.ini:2: train.lr = nan: must be", 1},
    {"[train]\nlr = 1e-3x\n" LAYERS, "x.ini:2: train.lr = 1e-3x: must be", 1},
    {"[train]\nbeta1 = 1\n" LAYERS, "x.ini:2: train.beta1 = 1: must be a number of at least 0 and below 1", 1},
    {"[train]\nbeta1 = 0.999999999999\n" LAYERS, "x.ini:2: train.beta1 = 0.999999999999: must be", 1},
    {"[train]\noptimizer = adm\n" LAYERS,
     "x.ini:2: train.optimizer = adm: must be one of adam, adamw, sgd; did you mean 'adam'?", 1},
    {"[plan]\nfuse = maybe\n" LAYERS, "x.ini:2: plan.fuse = maybe: must be true or false", 1},
    {"[experiment]\nname = ../x\n" LAYERS, "x.ini:2: experiment.name = ../x: must be a name", 1},
    {"[data]\npath =;x\n" LAYERS, "x.ini:2: data.path = ;x: no INI row can hold that", 1},
    /* Parameters. */
    {"[train]\nlr = $rate\n[params]\nrates = 1\n" LAYERS,
     "x.ini:2: train.lr: '$rate' is not in [params]; did you mean 'rates'?", 1},
    {"[train]\nlr = $\n" LAYERS, "x.ini:2: train.lr: a '$' without a name", 1},
    {"[train]\nlr = ${a\n[params]\na=1\n" LAYERS, "x.ini:2: train.lr: a '$' without a name", 1},
    {"[params]\na=$b\nb=1\n" LAYERS, "x.ini:2: a: '$b' stands at or below this row", 1},
    {"[params]\na=$a\n" LAYERS, "x.ini:2: a: '$a' stands at or below this row", 1},
    {"[params]\na=" HUNDRED_BYTES "\nb=$a$a\n" LAYERS, "x.ini:3: b: more than 198 bytes with its parameters put in", 1},
    {"[params]\na=" HUNDRED_BYTES "\n[data]\npath=${a}" HUNDRED_BYTES "\n" LAYERS,
     "x.ini:4: data.path: more than 198 bytes", 1},
    {"[params]\na=" HUNDRED_BYTES
     "\n[data]\npath=${a}" TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES
     "0123456789123\n" LAYERS,
     "no INI row can hold that: at most 198 bytes", 1},
    /* Layers. */
    {"[encoder]\na = cnv channels=2\n[decoder]\nb=flatten\n", "x.ini:2: a: no layer type 'cnv'; did you mean 'conv'?",
     1},
    {"[encoder]\na = conv chanels=2\n[decoder]\nb=flatten\n",
     "x.ini:2: a: conv has no argument 'chanels'; did you mean 'channels'?", 2},
    {"[encoder]\na = conv kernel=2\n[decoder]\nb=flatten\n",
     "x.ini:2: a: conv needs channels=... (integer from 1 to 65536)", 1},
    {"[encoder]\na = reshape\n[decoder]\nb=flatten\n", "x.ini:2: a: reshape needs width=...", 3},
    {"[encoder]\na = linear units=2 units=3\n[decoder]\nb=flatten\n", "x.ini:2: a: 'units' is given twice", 1},
    {"[encoder]\na = linear units=0\n[decoder]\nb=flatten\n", "x.ini:2: a: units = 0: must be an integer from 1 to", 1},
    {"[encoder]\na = linear units=2 act=rleu\n[decoder]\nb=flatten\n",
     "x.ini:2: a: act = rleu: must be one of none, relu", 1},
    {"[encoder]\na = linear units = 2\n[decoder]\nb=flatten\n", "x.ini:2: a: 'units' is no argument: write name=value",
     4},
    {"[encoder]\na = linear units=$u\n[decoder]\nb=flatten\n", "x.ini:2: a: units: '$u' is not in [params]", 1},
    {"[encoder]\na-b = linear units=2\n[decoder]\nb=flatten\n", "x.ini:2: 'a-b' is no name for a layer", 0},
    {"[encoder]\na = dropout rate=1\n[decoder]\nb=flatten\n",
     "x.ini:2: a: rate = 1: must be a number of at least 0 and below 1", 1},
    {"[decoder]\na = flatten\n[encoder]\na=flatten\n", "x.ini:2: layer 'a' has the name of one of [encoder] (x.ini:4)",
     1},
    /* What keys and layers ask of each other. */
    {"", "x.ini: there is no [encoder]", 2},
    {"[encoder]\na=flatten\n", "x.ini: there is no [decoder]", 1},
    {"[encoder]\n[decoder]\na=flatten\n", "x.ini: [encoder] has no layers", 1},
    {"[train]\nweight_decay = 0\n" LAYERS,
     "x.ini:2: train.weight_decay has an effect only with train.optimizer = adamw; here it is adam", 1},
    {"[train]\nmomentum = 0.9\n" LAYERS, "x.ini:2: train.momentum has an effect only with train.optimizer = sgd", 1},
    {"[train]\noptimizer = sgd\nbeta1=.9\nbeta2=.9\neps=1\n" LAYERS,
     "x.ini:3: train.beta1 has an effect only with train.optimizer = adam or adamw; here it is sgd", 3},
    {"[loss]\nbeta = 1\n" LAYERS, "x.ini:2: loss.beta has an effect only with experiment.task = vae", 1},
    {"[data]\nvalidation=0\n[early_stopping]\nmonitor=val.loss\n" LAYERS,
     "x.ini:4: early_stopping.monitor = val.loss needs validation images", 1},
    {"[early_stopping]\nmonitor=val.kl\n" LAYERS,
     "x.ini:2: early_stopping.monitor = val.kl does not exist here: only experiment.task = vae", 1},
    {"[early_stopping]\nmonitor=val.bce\n" LAYERS, "x.ini:2: early_stopping.monitor = val.bce does not exist here", 1},
    {"[experiment]\ntask=vae\n[early_stopping]\nmonitor=val.mse\n" VAE_LAYERS,
     "x.ini:4: early_stopping.monitor = val.mse does not exist here", 1},
    {"[experiment]\ntask=vae\n" LAYERS, "x.ini:4: e1: a vae's [encoder] ends with a gaussian row, this is linear", 1},
    {VAE_LAYERS, "x.ini:2: e1: gaussian is a vae's code", 1},
    {"[experiment]\ntask=vae\n[encoder]\na=gaussian units=2\nb=gaussian units=2\n[decoder]\nc=gaussian units=2\n",
     "x.ini:7: c: gaussian is the code: it ends [encoder]", 2},
    {"[loss]\nreconstruction=bce\n[encoder]\na=flatten\n[decoder]\nb=linear units=9 act=sigmoid\nc=reshape channels=1 "
     "height=3 width=3\n",
     "x.ini:6: b: with loss.reconstruction = bce the loss takes logits: use act=none", 1},
    {"[loss]\nreconstruction=bce\n[encoder]\na=flatten\n[decoder]\nb=linear units=9\nc=act type=sigmoid\n",
     "x.ini:7: c: with loss", 1},
    /* All problems of a file at once, in the order of its lines. */
    {"[train]\nepohcs = 3\n junk\nbatch = 0\nlr: 3\n[trani]\n", "x.ini:2: unknown key 'epohcs'", 7},
};

static void refuses_and_says_where(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        expect_refusal(refused[i].text, NULL, refused[i].expected, refused[i].count);
    expect_refusal_of("[train]\nepochs = \0003\n" LAYERS, 19 + strlen(LAYERS), NULL, "x.ini:2: a NUL byte", 0);
}

static const struct {
    const char *override, *expected;
} refused_overrides[] = {
    {"train.batch", "command line: 'train.batch' is no override"},
    {"batch=3", "command line: 'batch=3' is no override"},
    {"a.b.c.d=3", "command line: 'a.b.c.d=3' is no override"},
    {"=3", "command line: '=3' is no override"},
    {"", "command line: '' is no override"},
    {"train.batch=", "command line: 'train.batch=' has no value"},
    {"train.batch=0", "command line: train.batch = 0: must be"},
    {"train.bacth=1", "command line: unknown key 'bacth' in [train]; did you mean 'batch'?"},
    {"trian.batch=1", "command line: unknown section 'trian'; did you mean 'train'?"},
    {"train.batch.x=1", "command line: 'train.batch.x': [train] has no layers"},
    {"params.late=1", "command line: [params] has no 'late' to replace; did you mean 'later'?"},
    {"encoder.e2.units=1", "command line: [encoder] has no 'e2' to replace"},
    {"encoder.e2=flatten", "command line: [encoder] has no 'e2' to replace"},
    {"encoder.e1.unit=1", "command line: e1: linear has no argument 'unit'; did you mean 'units'?"},
    {"encoder.e1.units=x", "command line: e1: units = x: must be an integer"},
    {"encoder.e1=linaer units=2", "command line: e1: no layer type 'linaer'; did you mean 'linear'?"},
    {"data.path=a\nb", "command line: an override that no INI line could hold"},
    {"data.path=a ;b", "command line: an override that no INI line could hold"},
    {"data.path=" HUNDRED_BYTES HUNDRED_BYTES, "command line: an override that no INI line could hold"},
    {"encoder.e1.slope=0." HUNDRED_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES,
     "x.ini:4: e1: more than 198 bytes with parameters and overrides put in"},
    {"params.later=$later", "command line: later: '$later' stands at or below this row"},
};

static void refuses_overrides(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused_overrides / sizeof *refused_overrides; i++)
        expect_refusal("[params]\nlater = 3\n[encoder]\ne1 = linear units=2 bias=true init=pytorch\n[decoder]\nd1 = "
                       "linear units=784\n",
                       refused_overrides[i].override, refused_overrides[i].expected, 1);
}

/* The error record holds the first problem by line, and how many more there are; a row of 198 bytes is the longest. */
static void counts_problems_and_lines(void **state)
{
    (void)state;
    clv_config *c = NULL;
    clv_error err = {0};
    const char *text = "[data]\npath = " HUNDRED_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES TEN_BYTES
        TEN_BYTES TEN_BYTES TEN_BYTES "0 ; " HUNDRED_BYTES "\n" LAYERS "[train]\nbatch = 0\nepochs = 0\nlr=0\n";
    assert_int_equal(clv_config_parse("x.ini", text, strlen(text), NULL, 0, &c, NULL, &err), CLV_ERR_CONFIG);
    assert_string_equal(err.message, "x.ini:8: train.batch = 0: must be an integer from 1 to 65536 (and 2 more errors: clave check x.ini lists them)");
    assert_null(c);
    assert_int_equal(clv_config_parse("x.ini", NULL, 0, NULL, 0, &c, NULL, NULL), CLV_ERR_CONFIG);
}

static bool same_values(const clv_config *a, const clv_config *b)
{
    for (int key = 0; key < CLV_KEYS; key++) {
        const char *full = clv_key_table[key].full;
        switch (clv_key_table[key].value.type) {
        case CLV_VALUE_INT:
            if (clv_config_int(a, full) != clv_config_int(b, full)) return false;
            break;
        case CLV_VALUE_REAL:
            if (clv_config_real(a, full) != clv_config_real(b, full)) return false;
            break;
        case CLV_VALUE_BOOL:
            if (clv_config_bool(a, full) != clv_config_bool(b, full)) return false;
            break;
        default:
            if (strcmp(clv_config_string(a, full), clv_config_string(b, full)) != 0) return false;
        }
    }
    return true;
}

static bool same_layers(const clv_config *a, const clv_config *b, const char *section)
{
    const clv_layer *left, *right;
    int count = clv_config_layers(a, section, &left);
    if (clv_config_layers(b, section, &right) != count) return false;
    for (int i = 0; i < count; i++) {
        if (strcmp(left[i].name, right[i].name) != 0 || left[i].kind != right[i].kind) return false;
        for (int k = 0; k < left[i].args; k++)
            if (left[i].arg[k].set != right[i].arg[k].set || strcmp(left[i].arg[k].value, right[i].arg[k].value) != 0)
                return false;
    }
    return true;
}

/* The printed text makes the same configuration. */
static void expect_round_trip(const clv_config *config)
{
    char *printed = NULL;
    assert_int_equal(clv_config_print(config, &printed, NULL), CLV_OK);
    clv_config *copy = parse(printed, NULL, 0);
    if (!same_values(config, copy) || !same_layers(config, copy, "encoder") || !same_layers(config, copy, "decoder"))
        fail_msg("not the same:\n%s", printed);
    clv_config_destroy(copy);
    free(printed);
}

/* --- files ----------------------------------------------------------------------------------------------------------
 */

static char folder[] = "/tmp/clave-config-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static const char *in_folder(const char *name)
{
    static char path[4][128];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(in_folder(name), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int remove_folder(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static clv_status load(const char *name, clv_config **config, clv_error *err)
{
    *config = NULL;
    return clv_config_load(in_folder(name), NULL, 0, config, NULL, err);
}

static void includes_files(void **state)
{
    (void)state;
    clv_config *c;
    clv_error err = {0};
    const clv_layer *rows;
    write_file("base.ini",
               "[params]\nn = 2\n[train]\nbatch = 8\nepochs = 9\n[encoder]\na = linear units=$n\nb = linear units=3\n"
               "[decoder]\nd = linear units=$n\n");
    write_file("child.ini",
               "include = base.ini\n[params]\nn = 5\n[train]\nbatch = 16\n[encoder]\nc = linear units=$n\n");
    assert_int_equal(load("child.ini", &c, &err), CLV_OK);
    assert_int_equal(clv_config_int(c, "train.batch"), 16);
    assert_int_equal(clv_config_int(c, "train.epochs"), 9);
    assert_string_equal(clv_config_where(c, "train.batch"), clv_config_where(c, "train.batch"));
    assert_true(strstr(clv_config_where(c, "train.epochs"), "base.ini:5") != NULL);
    assert_string_equal(clv_config_string(c, "experiment.name"), "child");
    assert_int_equal(clv_config_layers(c, "encoder", &rows), 1);
    assert_string_equal(rows[0].name, "c");
    assert_int_equal(clv_config_layers(c, "decoder", &rows), 1);
    assert_int_equal(clv_layer_int(&rows[0], "units"), 5);
    clv_config_destroy(c);
}

static void expect_load_refusal(const char *name, const char *expected)
{
    clv_config *c = NULL;
    clv_error err = {0};
    assert_int_equal(load(name, &c, &err), CLV_ERR_CONFIG);
    if (!strstr(err.message, expected)) fail_msg("'%s', not '%s'", err.message, expected);
}

/* What an included file sets for other experiments has no effect, no say, and a note; taking it back by its default is no
 * error either. */
static void passes_over_what_is_inherited(void **state)
{
    (void)state;
    clv_config *c = NULL;
    clv_error err = {0};
    char note[CLV_NOTE_SIZE], *text;
    write_file("rates.ini", "[transfer]\nfrom = runs/x\nreset = c\nrate = 0.5\n[loss]\nbeta = 3\n" LAYERS);
    write_file("plain.ini", "include = rates.ini\n[transfer]\nfrom = none\nrate = 1\n");
    write_file("own.ini", "include = rates.ini\n[transfer]\nfrom = none\nrate = 0.25\n");
    expect_load_refusal("own.ini", "own.ini:4: transfer.rate has an effect only with a transfer.from other than none");
    if (load("plain.ini", &c, &err) != CLV_OK) fail_msg("%s", err.message);
    assert_string_equal(clv_config_string(c, "transfer.reset"), "none");
    assert_true(clv_config_real(c, "loss.beta") == 1);
    assert_true(clv_config_note(c, 0, note) && strstr(note, "rates.ini:3: transfer.reset has no effect here"));
    assert_true(clv_config_note(c, 1, note) && strstr(note, "rates.ini:6: loss.beta") && strstr(note, "= vae"));
    assert_false(clv_config_note(c, 2, note));
    assert_int_equal(clv_config_print(c, &text, &err), CLV_OK);
    assert_null(strstr(text, "\nbeta ="));
    free(text);
    assert_int_equal(clv_config_flatten(in_folder("plain.ini"), NULL, 0, NULL, 0, false, &text, &err), CLV_OK);
    assert_null(strstr(text, "beta"));
    assert_null(strstr(text, "reset"));
    assert_non_null(strstr(text, "rate = 1\n")); /* the file's own */
    free(text);
    clv_config_destroy(c);
    expect_load_refusal("rates.ini", "rates.ini:6: loss.beta has an effect only with experiment.task = vae");
}

static void refuses_includes(void **state)
{
    (void)state;
    char name[32], text[64];
    write_file("cycle.ini", "; above\ninclude = ./../cycle_b.ini\n" LAYERS);
    write_file("a.ini", "include = b.ini\n" LAYERS);
    write_file("b.ini", "\ninclude = ./a.ini\n");
    write_file("lost.ini", "\n\ninclude = nowhere.ini\n" LAYERS);
    write_file("two.ini", "include = base.ini\ninclude = child.ini\n");
    write_file("wrong.ini", "include = wrong_base.ini\n" LAYERS);
    write_file("wrong_base.ini", "[train]\nbatch=0\n");
    expect_load_refusal("a.ini", "b.ini:2: files include each other: ");
    expect_load_refusal("a.ini", "/a.ini -> ");
    expect_load_refusal("lost.ini", "lost.ini:3: ");
    expect_load_refusal("lost.ini", "nowhere.ini");
    expect_load_refusal("two.ini", "two.ini:2: one include a file: line 1 has it");
    expect_load_refusal("wrong.ini", "wrong_base.ini:2: train.batch = 0: must be");
    expect_load_refusal("not_there.ini", "not_there.ini");
    for (int i = 0; i < 18; i++) {
        snprintf(name, sizeof name, "deep%d.ini", i);
        snprintf(text, sizeof text, "include = deep%d.ini\n", i + 1);
        write_file(name, i < 17 ? text : LAYERS);
    }
    expect_load_refusal("deep0.ini", "deep16.ini:1: includes are more than 16 deep");
    clv_config *c;
    assert_int_equal(load("deep1.ini", &c, NULL), CLV_OK);
    clv_config_destroy(c);
}

/* The experiments that come with the program: they read, and mean what their names say. */
static void reads_shipped_experiments(void **state)
{
    (void)state;
    static const struct {
        const char *path, *task;
        int encoder, decoder;
    } shipped[] = {{"ini/autoencoder.ini", "autoencoder", 7, 7},
                   {"ini/vae.ini", "vae", 5, 4},
                   {"ini/vae20.ini", "vae", 5, 4},
                   {"ini/smoke.ini", "vae", 3, 4}};
    for (size_t i = 0; i < sizeof shipped / sizeof *shipped; i++) {
        clv_config *c = NULL;
        clv_error err = {0};
        const clv_layer *rows;
        if (clv_config_load(shipped[i].path, NULL, 0, &c, NULL, &err) != CLV_OK) fail_msg("%s", err.message);
        assert_string_equal(clv_config_string(c, "experiment.task"), shipped[i].task);
        assert_int_equal(clv_config_layers(c, "encoder", &rows), shipped[i].encoder);
        if (i == 2) assert_int_equal(clv_layer_int(&rows[4], "units"), 20);
        assert_int_equal(clv_config_layers(c, "decoder", &rows), shipped[i].decoder);
        expect_round_trip(c);
        clv_config_destroy(c);
    }
}

/* --- the tables -----------------------------------------------------------------------------------------------------
 */

static void check_spec(const clv_value_spec *spec)
{
    clv_value value;
    char text[CLV_DESCRIBE_SIZE];
    assert_true(strlen(spec->help) > 0 && strlen(spec->help) < 120);
    assert_true((spec->type == CLV_VALUE_CHOICE) == (spec->choices != NULL));
    assert_true(strlen(clv_value_describe(spec, text)) < CLV_DESCRIBE_SIZE - 1);
    if (spec->standard && !clv_value_parse(spec, spec->standard, &value))
        fail_msg("%s: its default does not fit", spec->name);
    if (spec->standard) assert_string_equal(value.text, spec->standard);
}

static void tables_hold_together(void **state)
{
    (void)state;
    clv_value value;
    for (int i = 0; i < CLV_KEYS; i++) {
        check_spec(&clv_key_table[i].value);
        assert_int_equal(clv_key_find_full(clv_key_table[i].full), i);
        if (!clv_key_table[i].when) continue;
        const clv_condition when = clv_condition_split(clv_key_table[i].when);
        assert_true(clv_key_table[when.key].value.type == CLV_VALUE_CHOICE || *when.alternatives == '!');
    }
    for (int i = 0; i < CLV_DEFAULT_RULES; i++) {
        /* Defaults are filled in the table's order. */
        assert_true(clv_condition_split(clv_default_rules[i].when).key < clv_default_rules[i].key);
        assert_true(
            clv_value_parse(&clv_key_table[clv_default_rules[i].key].value, clv_default_rules[i].standard, &value));
    }
    for (int i = 0; i < CLV_LAYER_TYPES; i++) {
        const clv_layer_type *type = &clv_layer_table[i];
        assert_ptr_equal(clv_layer_type_find(type->name), type);
        assert_true(type->args <= CLV_LAYER_ARGS);
        for (int a = 0; a < type->args; a++) check_spec(&type->arg[a]);
    }
}

/* What clv_config_explain writes; the caller frees it. */
static char *explain(const char *key, clv_status expected)
{
    char *text = NULL;
    size_t size = 0;
    clv_error err = {0};
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    assert_int_equal(clv_config_explain(key, out, &err), expected);
    fclose(out);
    if (expected == CLV_OK) return text;
    assert_int_equal(size, 0);
    free(text);
    return strdup(err.message);
}

static void expect_explanation(const char *key, clv_status expected, const char *part)
{
    char *text = explain(key, expected);
    if (!strstr(text, part)) fail_msg("'%s' is missing from: %s", part, text);
    free(text);
}

static void explains_everything(void **state)
{
    (void)state;
    char name[64], *reference = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&reference, &size);
    clv_config_reference(out);
    fclose(out);
    for (int i = 0; i < CLV_KEYS; i++) {
        expect_explanation(NULL, CLV_OK, clv_key_table[i].value.help);
        expect_explanation(clv_section_table[clv_key_table[i].section].name, CLV_OK, clv_key_table[i].value.name);
        expect_explanation(clv_key_table[i].full, CLV_OK, clv_key_table[i].value.help);
        assert_non_null(strstr(reference, clv_key_table[i].value.help));
    }
    for (int i = 0; i < CLV_LAYER_TYPES; i++) {
        const clv_layer_type *type = &clv_layer_table[i];
        expect_explanation("layer", CLV_OK, type->name);
        for (int a = 0; a < type->args; a++) {
            snprintf(name, sizeof name, "layer.%s", type->name);
            expect_explanation(name, CLV_OK, type->arg[a].help);
            snprintf(name, sizeof name, "layer.%s.%s", type->name, type->arg[a].name);
            expect_explanation(name, CLV_OK, type->arg[a].help);
            assert_non_null(strstr(reference, type->arg[a].help));
        }
    }
    free(reference);
    expect_explanation("encoder", CLV_OK, "conv ");
    expect_explanation("loss.reconstruction", CLV_OK, "mse; bce with experiment.task = vae");
    expect_explanation("trian", CLV_ERR_CONFIG, "did you mean 'train'?");
    expect_explanation("batch", CLV_ERR_CONFIG, "did you mean the key 'train.batch'?");
    expect_explanation("train.bacth", CLV_ERR_CONFIG, "did you mean 'train.batch'?");
    expect_explanation("layer.cnv", CLV_ERR_CONFIG, "did you mean 'layer.conv'?");
    expect_explanation("layer.conv.kernl", CLV_ERR_CONFIG, "did you mean 'layer.conv.kernel'?");
    expect_explanation("params.x", CLV_ERR_CONFIG, "free names");
    expect_explanation("", CLV_ERR_CONFIG, "no section ''");
    expect_explanation(".", CLV_ERR_CONFIG, "no key '.'");
    expect_explanation("layer.", CLV_ERR_CONFIG, "no layer type");
}

/* --- random configurations ------------------------------------------------------------------------------------------
 */

static clv_random dice;

static uint32_t below(uint32_t limit) { return clv_random_below(&dice, limit); }

/* A value that the row allows. */
static void append_random_value(clv_text *t, const clv_value_spec *spec)
{
    static const char *const reals[] = {"0.5", "1e-3", ".25", "7e-1"}, *const bools[] = {"yes", "no",  "True",
                                                                                         "0",   "off", "1"};
    static const char *const texts[] = {"a b", "x;y", "$$", "q#", "${p}z", "\xc3\xa0"}, *const names[] = {
                                                                                            "n_1", "A.b-c", "$p"};
    uint32_t span = 1000;
    if (spec->range.high - spec->range.low < 1000) span = (uint32_t)(spec->range.high - spec->range.low) + 1;
    switch (spec->type) {
    case CLV_VALUE_INT:
        clv_text_append(t, "%d", (int)spec->range.low + (int)below(span));
        break;
    case CLV_VALUE_REAL:
        clv_text_append(t, "%s", reals[below(4)]);
        break;
    case CLV_VALUE_BOOL:
        clv_text_append(t, "%s", bools[below(6)]);
        break;
    case CLV_VALUE_TEXT:
    case CLV_VALUE_PATH:
        clv_text_append(t, "%s", texts[below(6)]);
        break;
    case CLV_VALUE_NAME:
        clv_text_append(t, "%s", names[below(3)]);
        break;
    case CLV_VALUE_CHOICE:
        clv_text_append(t, "%s", spec->choices[below((uint32_t)clv_choice_count(spec))]);
        break;
    case CLV_VALUE_SIZE:
        clv_text_append(t, below(2) ? "%u" : "%ux7", 1 + below(1000));
        break;
    }
}

static void append_random_layers(clv_text *t, int section)
{
    for (uint32_t i = 0, rows = 1 + below(5); i < rows; i++) {
        const clv_layer_type *type = &clv_layer_table[below(CLV_LAYER_TYPES)];
        clv_text_append(t, "row%d_%u = %s", section, i, type->name);
        for (int a = 0; a < type->args; a++) {
            if (type->arg[a].standard && below(2)) continue;
            clv_text_append(t, " %s=", type->arg[a].name);
            append_random_value(t, &type->arg[a]);
        }
        clv_text_append(t, "\n");
    }
}

/* A configuration whose rows are each right; together they may not be, and then a check says so. */
static void append_random_config(clv_text *t)
{
    clv_text_append(t, "[params]\np = w\n");
    for (int section = 0; section < CLV_SECTIONS; section++) {
        clv_section_kind kind = clv_section_table[section].kind;
        if (kind == CLV_SECTION_PARAMS) continue;
        clv_text_append(t, "[%s]\n", clv_section_table[section].name);
        if (kind == CLV_SECTION_LAYERS) append_random_layers(t, section);
        for (int key = 0; key < CLV_KEYS; key++) {
            if (clv_key_table[key].section != section || below(6)) continue;
            clv_text_append(t, "%s = ", clv_key_table[key].value.name);
            append_random_value(t, &clv_key_table[key].value);
            clv_text_append(t, below(2) ? "\n" : "  # said\r\n");
        }
    }
}

static void prints_what_it_reads(void **state)
{
    (void)state;
    int taken = 0;
    for (int i = 0; i < 3000; i++) {
        clv_text t = {0};
        clv_config *config = NULL;
        append_random_config(&t);
        LLVMFuzzerTestOneInput((const uint8_t *)t.text, t.length);
        if (clv_config_parse("x.ini", t.text, t.length, NULL, 0, &config, NULL, NULL) == CLV_OK) {
            taken++;
            expect_round_trip(config);
        }
        clv_config_destroy(config);
        clv_text_free(&t);
    }
    assert_true(taken > 100);
}

/* --- hostile input --------------------------------------------------------------------------------------------------
 */

static const char *const seeds[] = {
    "[experiment]\ntask = vae\n[params]\nn = 2\n[data]\npath = a$$b\n[encoder]\nc = conv channels=8 kernel=3 stride=2 "
    "act=relu\n"
    "g = gaussian units=$n\n[decoder]\nl = linear units=784\nr = reshape channels=1 height=28 width=28\n[loss]\nbeta = "
    "2\n"
    "\xff"
    "params.n=3\xff"
    "encoder.c.channels=4",
    "include = ini/smoke.ini\n[train]\nepochs = 2 ; few\n[report]\nsamples = 0\n",
    "\xEF\xBB\xBF" LAYERS "[train]\r\noptimizer = adamw\r\nweight_decay = 1e-2 # decoupled\r\n\xff"
    "train.lr=1e-2",
    "[data]\npath =;a\n[encoder\n a = b\n= 3\nx: 4\n[]\n[train] y\n",
    "",
};

/* Some bytes of text changed, taken out, doubled or moved. */
static void damage(clv_text *t)
{
    static const char hostile[] = "=:;#[]$\n\r\t {}.\"\\\xff";
    for (uint32_t i = 0, times = 1 + below(6); i < times && t->length; i++) {
        size_t at = below((uint32_t)t->length), from = below((uint32_t)t->length);
        size_t size = 1 + below(40);
        if (size > t->length - at) size = t->length - at;
        if (size > t->length - from) size = t->length - from;
        switch (below(4)) {
        case 0:
            t->text[at] = hostile[below(sizeof hostile)];
            break;
        case 1:
            t->text[at] = (char)below(256);
            break;
        case 2:
            memmove(t->text + at, t->text + from, size);
            break;
        default:
            memmove(t->text + at, t->text + at + size, t->length - at - size);
            t->length -= size;
        }
    }
}

static void survives_damage(void **state)
{
    (void)state;
    for (int i = 0; i < 20000; i++) {
        clv_text t = {0};
        const char *seed = seeds[below(sizeof seeds / sizeof *seeds)];
        clv_text_append_bytes(&t, seed, strlen(seed));
        damage(&t);
        LLVMFuzzerTestOneInput((const uint8_t *)t.text, t.length);
        clv_text_free(&t);
    }
}

static void survives_noise(void **state)
{
    (void)state;
    uint8_t noise[512];
    for (int i = 0; i < 3000; i++) {
        size_t size = below(sizeof noise + 1);
        for (size_t k = 0; k < size; k++) noise[k] = (uint8_t)(below(4) ? "=[]\n$;a b"[below(9)] : (int)below(256));
        LLVMFuzzerTestOneInput(noise, size);
    }
}

/* A configuration of one mistake after another, as large as a file may be, takes no time to speak of. */
static void survives_size(void **state)
{
    (void)state;
    clv_text t = {0};
    for (int i = 0; i < 12000; i++) clv_text_append(&t, i % 3 ? "a\n" : "[s%d]\n", i);
    LLVMFuzzerTestOneInput((const uint8_t *)t.text, t.length);
    clv_text_free(&t);
    clv_text_append(&t, "[params]\na0 = x\n");
    for (int i = 1; i < 4000; i++) clv_text_append(&t, "a%d = $a%d\n", i, i - 1);
    clv_text_append(&t, LAYERS);
    LLVMFuzzerTestOneInput((const uint8_t *)t.text, t.length);
    clv_text_free(&t);
}

/* The n-th allocation fails, for every n: CLV_ERR_INTERNAL, nothing made, nothing leaked. */
static void fail_each_allocation(const char *text, const char *override, clv_status otherwise)
{
    clv_status status = CLV_ERR_INTERNAL;
    int n = 0;
    while (status == CLV_ERR_INTERNAL) {
        clv_config *config = NULL;
        clv_diagnostics diagnostics = {0};
        clv_error err = {0};
        char *printed = NULL;
        clv_fail_allocation(++n);
        status =
            clv_config_parse("x.ini", text, strlen(text), &override, override != NULL, &config, &diagnostics, &err);
        if (status == CLV_OK) status = clv_config_print(config, &printed, &err);
        clv_fail_allocation(0);
        if (status == CLV_ERR_INTERNAL) assert_true(err.message[0] && diagnostics.count == 0 && !printed);
        clv_config_destroy(config);
        clv_diagnostics_free(&diagnostics);
        free(printed);
    }
    if (status != otherwise) fail_msg("status %d when allocation %d fails", status, n);
    assert_true(n > 30);
}

static void survives_failed_allocations(void **state)
{
    (void)state;
    fail_each_allocation("include = ini/vae20.ini\n[params]\nlatent = 3\n", "encoder.conv1.channels=4", CLV_OK);
    fail_each_allocation("[params]\na = $b\n[trian]\n[train]\nx\nlr = 0\nbacth = 3\n" LAYERS, "params.b=3",
                         CLV_ERR_CONFIG);
}

/* A key whose choices code has as an enum: the word and the enumerator of each row of its list. */
static void check_choice(const char *key, int place, const char *word)
{
    char override[80];
    const char *overrides[] = {override};
    const bool vae = !strcmp(word, "vae"), classify = !strcmp(word, "classify");
    const char *text = vae ? VAE_LAYERS : classify ? LAYERS "[classifier]\nc1 = linear units=10\n" : LAYERS;
    snprintf(override, sizeof override, "%s=%s", key, word);
    clv_config *c = parse(text, overrides, 1);
    assert_int_equal(clv_config_choice(c, key), place);
    assert_string_equal(clv_config_string(c, key), word);
    assert_string_equal(clv_key_table[clv_key_find_full(key)].value.choices[place], word);
    clv_config_destroy(c);
}

static void gives_choices(void **state)
{
    (void)state;
#define ROW(name, word) check_choice("experiment.task", CLV_TASK_##name, word);
    CLV_TASK_LIST(ROW)
#undef ROW
#define ROW(name, word) check_choice("train.schedule", CLV_SCHEDULE_##name, word);
    CLV_SCHEDULE_LIST(ROW)
#undef ROW
#define ROW(name, word) check_choice("search.method", CLV_METHOD_##name, word);
    CLV_METHOD_LIST(ROW)
#undef ROW
#define ROW(name, word) check_choice("device.gemm", CLV_GEMM_##name, word);
    CLV_GEMM_LIST(ROW)
#undef ROW
    clv_config *c = parse(LAYERS, NULL, 0);
    assert_int_equal(clv_config_choice(c, "search.method"), CLV_METHOD_ASHA); /* a default */
    clv_config_destroy(c);
}

static bool is_epochs(const clv_setting *setting, const void *context)
{
    (void)context;
    return clv_setting_is(setting, "train.epochs") || clv_setting_is(setting, "device.");
}

/* Numbers by their value wherever they stand, all else by its text, however long. */
static void compares_settings(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool differ;
    } cases[] = {
        {"[train]\nlr = 1e-3\n", "[train]\nlr = 0.001\n", false},
        {"[train]\nlr = 1e-3\n", "[train]\nlr = 0.0011\n", true},
        {"[space]\ntrain.lr = 1e-3, 1e-2\n", "\n[space]\ntrain.lr = 0.001,0.01\n", false},
        {"[space]\ntrain.lr = 1e-3, 1e-2\n", "[space]\ntrain.lr = 1e-3 1e-2\n", true},
        {"[space]\ntrain.lr = log 1e-3..1e-2\n", "[space]\ntrain.lr = log 0.001..0.01\n", false},
        {"[space]\ntrain.lr = log 1e-3..1e-2\n", "[space]\ntrain.lr = log 0.001..0.1\n", true},
        {"[encoder]\nd = dropout rate=0.10\n", "[encoder]\nd = dropout rate=1e-1\n", false},
        {"[encoder]\nd = dropout rate=0.10\n", "[encoder]\ne = dropout rate=0.10\n", true},
        {"[data]\npath = run1e1\n", "[data]\npath = run10\n", true},
        {"[train]\nlr = 1\n", "[loss]\nlr = 1\n", true},
        {"[train]\nlr = 1\n", "[train]\nlr = 1\nbatch = 2\n", true},
        {"[train]\nlr = 1 2\n", "[train]\nlr = 1\n", true},
        {"[train]\nepochs = 3\nlr = 1\n[device]\nselect = gpu\n", "[train]\nepochs = 5\nlr = 1\n", false},
        {"[train]\nepochs = 3\nlr = 1\n", "[train]\nlr = 2\n", true},
        {"[x]\na = " HUNDRED_BYTES HUNDRED_BYTES HUNDRED_BYTES "1\n",
         "[x]\na = " HUNDRED_BYTES HUNDRED_BYTES HUNDRED_BYTES "2\n", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        clv_setting a, b;
        if (clv_settings_differ(cases[i].a, cases[i].b, is_epochs, NULL, &a, &b) != cases[i].differ ||
            clv_settings_differ(cases[i].b, cases[i].a, is_epochs, NULL, &a, &b) != cases[i].differ)
            fail_msg("'%s' and '%s'", cases[i].a, cases[i].b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_choices),
        cmocka_unit_test(compares_settings),
        cmocka_unit_test(gives_values),
        cmocka_unit_test(gives_layers),
        cmocka_unit_test(derives_defaults),
        cmocka_unit_test(refuses_and_says_where),
        cmocka_unit_test(refuses_overrides),
        cmocka_unit_test(counts_problems_and_lines),
        cmocka_unit_test(includes_files),
        cmocka_unit_test(passes_over_what_is_inherited),
        cmocka_unit_test(refuses_includes),
        cmocka_unit_test(reads_shipped_experiments),
        cmocka_unit_test(tables_hold_together),
        cmocka_unit_test(explains_everything),
        cmocka_unit_test(prints_what_it_reads),
        cmocka_unit_test(survives_damage),
        cmocka_unit_test(survives_noise),
        cmocka_unit_test(survives_size),
        cmocka_unit_test(survives_failed_allocations),
    };
    const char *given = getenv("CLAVE_TEST_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    print_message("random configurations from CLAVE_TEST_SEED=%llu\n", (unsigned long long)seed);
    dice = clv_random_start(seed, CLV_STREAM_SELFTEST);
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
