/* May this configuration go on with that run? Both are printed in their one canonical form and compared line by line.
 */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/try.h"
#include "experiment/run_folder.h"
#include "experiment/schedule.h"

/* Keys and sections that say how long to train, on what device and what to draw. */
static const char *const free_keys[] = {
    "experiment.name", "train.epochs", "early_stopping.patience", "early_stopping.restore_best", "device.", "report."};

static bool is_free(const char *key)
{
    for (size_t i = 0; i < sizeof free_keys / sizeof *free_keys; i++) {
        size_t length = strlen(free_keys[i]);
        bool section = free_keys[i][length - 1] == '.';
        if (section ? !strncmp(key, free_keys[i], length) : !strcmp(key, free_keys[i])) return true;
    }
    return false;
}

/* A row of canonical text; `section` is kept from row to row. False at the end. */
typedef struct row {
    char section[64], key[160], value[512];
} row;

static bool next_row(const char **at, row *r)
{
    while (**at) {
        const char *line = *at;
        size_t length = strcspn(line, "\n");
        *at = line + length + (line[length] == '\n');
        const char *equals = memchr(line, '=', length);
        if (*line == '[')
            snprintf(r->section, sizeof r->section, "%.*s", (int)strcspn(line + 1, "]"), line + 1);
        else if (equals && *line != ';' && *line != '#') {
            size_t name = (size_t)(equals - line);
            while (name && line[name - 1] == ' ') name--;
            const char *value = equals + 1 + strspn(equals + 1, " ");
            snprintf(r->key, sizeof r->key, "%s.%.*s", r->section, (int)name, line);
            snprintf(r->value, sizeof r->value, "%.*s", (int)(line + length - value), value);
            return true;
        }
    }
    return false;
}

/* The next row that counts; where rates depend on the number of epochs, that does too. */
static bool next_bound_row(const char **at, row *r, bool bounded)
{
    while (next_row(at, r))
        if (!is_free(r->key) || (bounded && !strcmp(r->key, "train.epochs"))) return true;
    return false;
}

static clv_status compare(const char *run, const char *began, const char *now, bool bounded, clv_error *err)
{
    row a = {0}, b = {0};
    for (;;) {
        bool more_a = next_bound_row(&began, &a, bounded), more_b = next_bound_row(&now, &b, bounded);
        if (!more_a && !more_b) return CLV_OK;
        if (!more_a || !more_b || strcmp(a.key, b.key))
            return clv_fail(err, CLV_ERR_CONFIG,
                            "%s: the run began without or with another %s; start a new run to change it", run,
                            more_b ? b.key : a.key);
        if (!clv_same_value(a.value, b.value))
            return clv_fail(err, CLV_ERR_CONFIG,
                            "%s: %s is %s, but the run began with %s; start a new run to change it", run, a.key,
                            b.value, a.value);
    }
}

clv_status clv_run_folder_check_same(const clv_run_folder *folder, const clv_config *config, clv_error *err)
{
    clv_config *began = NULL;
    char *text_began = NULL, *text_now = NULL;
    clv_status status = CLV_OK;
    CLV_TRY(clv_run_config(folder->path, NULL, 0, &began, err));
    CLV_TRY(clv_config_print(began, &text_began, err));
    CLV_TRY(clv_config_print(config, &text_now, err));
    CLV_TRY(compare(folder->path, text_began, text_now, clv_schedule_is_bounded(config), err));
done:
    clv_config_destroy(began);
    free(text_began);
    free(text_now);
    return status;
}
