/* What several test programs need: a folder of their own, small data, a device. */
#ifndef CLAVE_TESTS_SUPPORT_H
#define CLAVE_TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backend/backend.h"
#include "clave/error.h"

/* A fresh folder under TMPDIR, removed at exit; the same one at each call. */
const char *test_folder(void);
/* "<test_folder>/<name>" in one of eight buffers that take turns. */
const char *test_path(const char *name);

bool same_bytes(const char *path_a, const char *path_b);

/* The first images of the shipped MNIST as a data set of its own in <folder>. */
void write_small_mnist(const char *folder, uint32_t train, uint32_t test);

/* Is there any OpenCL device? Tests that need one end with exit code 77 otherwise. */
bool have_opencl(void);
/* The device tests run on: CLAVE_TEST_DEVICE or "auto". */
const char *test_device(void);
/* Fills the folder `into` with the kernels, `from` of `file` written as `to`, and names it by CLAVE_KERNELS. */
void use_wrong_kernels(const char *into, const char *file, const char *from, const char *to);
/* The OpenCL backend on it. */
clv_backend *open_opencl(clv_gemm_choice gemm, bool selftest);
/* CLAVE_TEST_ONLY: the tests whose names match it (? and * as in a shell) run alone. */
void take_filter(void);

/* Asserts CLV_OK and shows the message otherwise. */
#define assert_ok(call)                                                                                                \
    do {                                                                                                               \
        clv_error error_of_call = {0};                                                                                 \
        clv_error *err = &error_of_call;                                                                               \
        if ((call) != CLV_OK) fail_msg("%s", err->message);                                                            \
    } while (0)

/* Asserts a status and that the message holds `part`. */
#define assert_refused(call, expected, part)                                                                           \
    do {                                                                                                               \
        clv_error error_of_call = {0};                                                                                 \
        clv_error *err = &error_of_call;                                                                               \
        assert_int_equal((call), (expected));                                                                          \
        if (!strstr(err->message, (part))) fail_msg("the message '%s' does not say '%s'", err->message, (part));       \
    } while (0)

#endif
