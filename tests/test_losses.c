/* The first twenty losses of ini/autoencoder.ini and ini/vae.ini against PyTorch's, from the same weights on the same
 * images (tests/golden/training.py). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "experiment/pass.h"
#include "golden/training.h"
#include "support.h"

/* PyTorch computes in double here; twenty steps of Adam let the rounding of floats grow to some 1e-5 of a loss. 1e-4 is
 * what clave promises. */
#define TOLERANCE 1e-4

static void compare(const char *ini, const char *backend, const double *golden, size_t steps)
{
    char select[160], choice[64];
    snprintf(select, sizeof select, "device.select=%s", test_device());
    snprintf(choice, sizeof choice, "device.backend=%s", backend);
    const char *overrides[] = {choice,          select,           "params.drop=0", "train.schedule=constant",
                               "train.lr=1e-3", "train.batch=128"};
    clv_config *config = NULL;
    clv_session *s = NULL;
    clv_phase_request request = {CLV_MODE_TRAIN, CLV_DATASET_TRAIN};
    assert_ok(clv_config_load(ini, overrides, 6, &config, NULL, err));
    assert_ok(clv_session_open(config, NULL, &request, 1, &s, err));
    assert_ok(clv_session_load(s, NULL, err));
    double worst = 0;
    for (uint32_t i = 0; i < steps; i++) {
        clv_pass pass = {.first = i * 128, .count = 128, .first_step = i, .seed = 7};
        assert_ok(clv_pass_run(s, &s->phase[0], &pass, err));
        const double loss = pass.sum[0] / 128, apart = fabs(loss - golden[i]) / golden[i];
        if (!(apart <= TOLERANCE))
            fail_msg("%s on %s, step %u: loss %.9g, PyTorch's is %.9g", ini, backend, i, loss, golden[i]);
        worst = fmax(worst, apart);
    }
    print_message("%s on %s: at most %.2g apart\n", ini, backend, worst);
    clv_session_close(s);
    clv_config_destroy(config);
}

#define STEPS(table) (sizeof table / sizeof *table)

static void test_autoencoder(void **state)
{
    (void)state;
    compare("ini/autoencoder.ini", "opencl", golden_autoencoder, STEPS(golden_autoencoder));
    compare("ini/autoencoder.ini", "cpu", golden_autoencoder, STEPS(golden_autoencoder));
}

static void test_vae(void **state)
{
    (void)state;
    compare("ini/vae.ini", "opencl", golden_vae, STEPS(golden_vae));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_autoencoder), cmocka_unit_test(test_vae)};
    if (!have_opencl()) return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
