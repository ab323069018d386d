/* Fuzzing the reader of configurations: the input is INI text, and what follows each byte 0xff is an override. With
 * libFuzzer: clang -fsanitize=fuzzer,address,undefined -I include -I src tests/fuzz_config.c (libclave) -linih
 * test_config.c drives it with damaged configurations and with noise. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clave/config.h"

enum { FUZZ_OVERRIDES = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void fuzz_require(bool holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "the configuration's reader breaks its promise: %s\n", what);
    abort();
}

/* A configuration that was taken prints as text that is taken too, and makes the same text again. */
static void fuzz_print(const clv_config *config)
{
    char *text = NULL, *again = NULL;
    clv_config *copy = NULL;
    clv_error err = {0};
    fuzz_require(clv_config_print(config, &text, &err) == CLV_OK, "printing fails");
    clv_status status = clv_config_parse("printed", text, strlen(text), NULL, 0, &copy, NULL, &err);
    if (status != CLV_OK) fprintf(stderr, "%s\n%s", err.message, text);
    fuzz_require(status == CLV_OK, "the printed text is refused");
    fuzz_require(clv_config_print(copy, &again, &err) == CLV_OK, "printing fails again");
    fuzz_require(strcmp(text, again) == 0, "the printed text makes another configuration");
    clv_config_destroy(copy);
    free(text);
    free(again);
}

/* Every problem is one line, and the first is in the error record. */
static void fuzz_problems(const clv_diagnostics *diagnostics, const clv_error *err)
{
    fuzz_require(err->status == CLV_ERR_CONFIG && err->message[0], "an error without a message");
    fuzz_require(diagnostics->count > 0, "a refusal without a reason");
    for (int i = 0; i < diagnostics->count; i++)
        fuzz_require(diagnostics->message[i][0] && !strchr(diagnostics->message[i], '\n'),
                     "a message of several lines");
    size_t length = strlen(diagnostics->message[0]);
    fuzz_require(strncmp(err->message, diagnostics->message[0], length < 512 ? length : 512) == 0,
                 "another error comes first");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char *copy = malloc(size + 1);
    const char *override[FUZZ_OVERRIDES];
    int overrides = 0;
    size_t text_size = size;
    clv_config *config = NULL;
    clv_diagnostics diagnostics = {0};
    clv_error err = {0};
    if (!copy) return 0;
    if (size) memcpy(copy, bytes, size);
    copy[size] = '\0';
    for (size_t i = size; i-- > 0;) {
        if ((uint8_t)copy[i] != 0xff) continue;
        copy[i] = '\0';
        text_size = i;
        override[overrides % FUZZ_OVERRIDES] = copy + i + 1;
        overrides++;
    }
    if (overrides > FUZZ_OVERRIDES) overrides = FUZZ_OVERRIDES;
    clv_status status = clv_config_parse("fuzz.ini", copy, text_size, override, overrides, &config, &diagnostics, &err);
    if (status == CLV_OK)
        fuzz_print(config);
    else
        fuzz_problems(&diagnostics, &err);
    clv_config_destroy(config);
    clv_diagnostics_free(&diagnostics);
    free(copy);
    return 0;
}
