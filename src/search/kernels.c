/* Kernels compiled once. A run leaves its kernels in the binary cache when it ends, so two processes that begin with
 * networks of one shape would both compile them, for many seconds. The first locks the shape (a byte of study.lock far
 * behind the trials'), trains an epoch, which runs every kernel, and closes the run, which fills the cache; then the
 * study says that the shape is known on this machine, and all go on. A lock that dies with its process leaves the shape
 * to the next. */
#include "search/kernels.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/text.h"
#include "base/try.h"
#include "search/study_parts.h"

#define FIRST_BYTE (1 << 24)
#define BYTES      (1 << 24)

/* What kernels are compiled for: layers but for their rates, and the keys that choose among kernels. */
static void append_shape(const clv_config *config, clv_text *text)
{
    static const char *const sections[] = {"encoder", "decoder", "classifier"};
    static const char *const keys[] = {"loss.reconstruction", "train.optimizer", "device.select"};
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    clv_text_append(text, "%s %lld", host, (long long)clv_config_int(config, "train.batch"));
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        clv_text_append(text, " %s", clv_config_string(config, keys[i]));
    for (size_t s = 0; s < sizeof sections / sizeof *sections; s++) {
        const clv_layer *layer;
        int layers = clv_config_layers(config, sections[s], &layer);
        for (int i = 0; i < layers; i++) {
            clv_text_append(text, "\n%s", layer[i].type);
            for (int a = 0; a < layer[i].args; a++)
                if (strcmp(layer[i].arg[a].name, "rate")) clv_text_append(text, " %s", layer[i].arg[a].value);
        }
    }
}

/* The shape as a key of the study; false where memory ran out. */
static bool key_of(const clv_config *config, char key[48], int *byte)
{
    clv_text text = {0};
    char digits[33];
    append_shape(config, &text);
    bool fine = !text.failed;
    if (fine) {
        clv_hash hash = clv_hash_bytes(text.text, text.length);
        clv_hash_print(hash, digits);
        snprintf(key, 48, "kernels %s", digits);
        *byte = FIRST_BYTE + (int)(hash.word[0] % BYTES);
    }
    clv_text_free(&text);
    return fine;
}

static clv_status is_known(clv_study *study, const char *key, bool *known, clv_error *err)
{
    sqlite3_stmt *statement = NULL;
    clv_status status = clv_sql_prepare(&study->sql, &statement, err, "SELECT 1 FROM meta WHERE key = ?", "t", key);
    if (status == CLV_OK) status = clv_sql_step(&study->sql, statement, known, err);
    sqlite3_finalize(statement);
    return status;
}

clv_status clv_kernels_first(clv_study *study, const clv_config *config, const volatile int *stop, bool *first,
                             clv_error *err)
{
    const struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};
    clv_status status = CLV_OK;
    char key[48];
    int byte;
    bool known = false;
    *first = false;
    if (!strcmp(clv_config_string(config, "device.backend"), "cpu") || !key_of(config, key, &byte)) return CLV_OK;
    for (;;) {
        CLV_TRY(is_known(study, key, &known, err));
        if (known) break;
        CLV_TRY(clv_study_lock(study, byte, first, err));
        if (*first) break;
        CLV_REQUIRE(!stop || !*stop, CLV_INTERRUPTED, "interrupted while another process compiles the kernels");
        nanosleep(&pause, NULL);
    }
    if (*first) CLV_TRY(is_known(study, key, &known, err)); /* it may have become so before the lock was free */
    if (*first && known) {
        clv_study_unlock(study, byte);
        *first = false;
    }
done:
    return status;
}

void clv_kernels_end(clv_study *study, const clv_config *config, bool done)
{
    char key[48];
    int byte;
    if (!key_of(config, key, &byte)) return;
    if (done) clv_sql_run(&study->sql, NULL, "INSERT OR IGNORE INTO meta VALUES (?, '')", "t", key);
    clv_study_unlock(study, byte);
}
