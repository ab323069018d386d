/* A study's folder: made, opened, locked. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/try.h"
#include "experiment/stopping.h"
#include "search/study_parts.h"

#define STUDY_VERSION "1"

static const char tables[] =
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);"
    "CREATE TABLE trial (number INTEGER PRIMARY KEY, state TEXT NOT NULL, rung INTEGER NOT NULL,"
    " attempts INTEGER NOT NULL, progress INTEGER NOT NULL, epochs INTEGER NOT NULL, best_epoch INTEGER NOT NULL,"
    " seconds REAL NOT NULL, started REAL NOT NULL, error TEXT);"
    "CREATE TABLE setting (trial INTEGER NOT NULL, position INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,"
    " PRIMARY KEY (trial, position));"
    "CREATE TABLE result (sequence INTEGER PRIMARY KEY AUTOINCREMENT, trial INTEGER NOT NULL, rung INTEGER NOT NULL,"
    " epochs INTEGER NOT NULL, value REAL, started REAL NOT NULL, finished REAL NOT NULL, UNIQUE (trial, rung));";

clv_status clv_study_begin(clv_study *study, clv_error *err)
{
    return clv_sql_run(&study->sql, err, "BEGIN IMMEDIATE", "");
}

clv_status clv_study_end(clv_study *study, clv_status status, clv_error *err)
{
    if (status == CLV_OK) status = clv_sql_run(&study->sql, err, "COMMIT", "");
    if (status != CLV_OK && !sqlite3_get_autocommit(study->sql.db)) clv_sql_run(&study->sql, NULL, "ROLLBACK", "");
    return status;
}

clv_status clv_study_lock(clv_study *study, int trial, bool *got, clv_error *err)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = trial, .l_len = 1};
    *got = fcntl(study->lock, F_SETLK, &lock) == 0;
    if (*got || errno == EAGAIN || errno == EACCES) return CLV_OK;
    return clv_fail(err, CLV_ERR_INTERNAL, "%s/%s: cannot be locked: %s", study->folder, CLV_STUDY_LOCK,
                    strerror(errno));
}

void clv_study_unlock(clv_study *study, int trial)
{
    struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = trial, .l_len = 1};
    fcntl(study->lock, F_SETLK, &lock);
}

bool clv_study_is_held(const clv_study *study, int trial)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = trial, .l_len = 1};
    return fcntl(study->lock, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

clv_status clv_study_run(const clv_study *study, int trial, char path[CLV_PATH_SIZE], clv_error *err)
{
    char name[64];
    snprintf(name, sizeof name, "%s/%04d", CLV_TRIALS_FOLDER, trial + 1);
    return clv_path_join(path, CLV_PATH_SIZE, study->folder, name, err);
}

const char *clv_study_folder(const clv_study *study) { return study->folder; }
const char *clv_study_text(const clv_study *study) { return study->text; }
const clv_config *clv_study_config(const clv_study *study) { return study->config; }
const clv_search_plan *clv_study_plan(const clv_study *study) { return &study->plan; }

const char *clv_study_monitor(const clv_study *study) { return study->monitor; }
double clv_study_sign(const clv_study *study) { return study->lower_is_better ? 1 : -1; }

static clv_status write_ini(const char *folder, const char *text, clv_error *err)
{
    char path[CLV_PATH_SIZE];
    clv_status status = clv_path_join(path, sizeof path, folder, CLV_STUDY_INI, err);
    return status == CLV_OK ? clv_file_write(path, text, strlen(text), err) : status;
}

/* In one transaction, so that of two processes that make a study in one folder one is told that there is one. */
static clv_status fill_new(clv_study *study, const char *text, clv_error *err)
{
    sqlite3_stmt *statement = NULL;
    clv_status status = clv_study_begin(study, err);
    bool row;
    if (status != CLV_OK) return status;
    CLV_TRY(clv_sql_prepare(&study->sql, &statement, err, "SELECT 1 FROM sqlite_master", ""));
    CLV_TRY(clv_sql_step(&study->sql, statement, &row, err));
    sqlite3_finalize(statement);
    statement = NULL;
    CLV_REQUIRE(!row, CLV_ERR_CONFIG,
                "%s: holds a study already (%s); go on with it by: clave search %s --resume, or use another --out",
                study->folder, CLV_STUDY_FILE, study->folder);
    if (sqlite3_exec(study->sql.db, tables, NULL, NULL, NULL) != SQLITE_OK) CLV_TRY(clv_sql_failed(&study->sql, err));
    CLV_TRY(clv_sql_run(&study->sql, err, "INSERT INTO meta VALUES ('version', ?), ('experiment', ?)", "tt",
                        STUDY_VERSION, text));
    CLV_TRY(write_ini(study->folder, text, err));
done:
    sqlite3_finalize(statement);
    return clv_study_end(study, status, err);
}

clv_status clv_study_create(const char *folder, const char *text, clv_error *err)
{
    clv_study study = {.lock = -1};
    char path[CLV_PATH_SIZE];
    clv_status status = CLV_OK;
    CLV_REQUIRE(strlen(folder) + 32 < sizeof study.folder, CLV_ERR_CONFIG, "--out: the path is longer than %d bytes",
                CLV_PATH_SIZE - 33);
    strcpy(study.folder, folder);
    CLV_TRY(clv_path_join(path, sizeof path, folder, CLV_TRIALS_FOLDER, err));
    CLV_TRY(clv_make_folders(path, err));
    CLV_TRY(clv_path_join(path, sizeof path, folder, CLV_STUDY_FILE, err));
    CLV_TRY(clv_sql_open(&study.sql, path, true, err));
    CLV_TRY(fill_new(&study, text, err));
done:
    clv_sql_close(&study.sql);
    return status;
}

static clv_status read_meta(clv_study *study, const char *key, char **value, clv_error *err)
{
    sqlite3_stmt *statement = NULL;
    clv_status status = CLV_OK;
    bool row;
    CLV_TRY(clv_sql_prepare(&study->sql, &statement, err, "SELECT value FROM meta WHERE key = ?", "t", key));
    CLV_TRY(clv_sql_step(&study->sql, statement, &row, err));
    CLV_REQUIRE(row, CLV_ERR_DATA, "%s: is no study of clave: it does not say its %s", study->sql.path, key);
    *value = clv_strdup(clv_sql_text(statement, 0), err);
    if (!*value) status = CLV_ERR_INTERNAL;
done:
    sqlite3_finalize(statement);
    return status;
}

/* The experiment's text as configuration and plan, in place of what was there. */
static clv_status take_text(clv_study *study, char *text, clv_error *err)
{
    char name[CLV_PATH_SIZE];
    clv_config *config = NULL;
    clv_search_plan plan = {0};
    clv_status status = clv_path_join(name, sizeof name, study->folder, CLV_STUDY_INI, err);
    if (status == CLV_OK) status = clv_config_parse(name, text, strlen(text), NULL, 0, &config, NULL, err);
    if (status == CLV_OK) status = clv_search_plan_read(config, &plan, err);
    if (status != CLV_OK) {
        clv_config_destroy(config);
        free(text);
        return status;
    }
    free(study->text);
    clv_search_plan_free(&study->plan);
    clv_config_destroy(study->config);
    study->text = text;
    study->config = config;
    study->plan = plan;
    const char *monitor = clv_config_string(config, "search.monitor");
    if (!strcmp(monitor, "auto")) monitor = clv_config_string(config, "early_stopping.monitor");
    snprintf(study->monitor, sizeof study->monitor, "%s", monitor);
    study->lower_is_better = clv_monitor_of(monitor).sign > 0;
    return CLV_OK;
}

static clv_status open_files(clv_study *study, clv_error *err)
{
    char path[CLV_PATH_SIZE], *version = NULL, *text = NULL;
    struct stat info;
    clv_status status = CLV_OK;
    CLV_TRY(clv_path_join(path, sizeof path, study->folder, CLV_STUDY_FILE, err));
    CLV_REQUIRE(stat(path, &info) == 0, CLV_ERR_CONFIG,
                "%s: is no search's folder (it has no %s); give the folder that clave search printed", study->folder,
                CLV_STUDY_FILE);
    CLV_REQUIRE(
        info.st_size > 0, CLV_ERR_DATA,
        "%s: is no study of clave: it is empty, as where a search could not begin for want of room; begin it by: "
        "clave search FILE.ini --out %s",
        path, study->folder);
    CLV_TRY(clv_sql_open(&study->sql, path, false, err));
    CLV_TRY(read_meta(study, "version", &version, err));
    CLV_REQUIRE(!strcmp(version, STUDY_VERSION), CLV_ERR_DATA, "%s: is a study of version %s, this clave reads %s",
                path, version, STUDY_VERSION);
    CLV_TRY(read_meta(study, "experiment", &text, err));
    status = take_text(study, text, err);
    text = NULL;
    if (status == CLV_ERR_CONFIG) status = clv_fail_in(err, CLV_ERR_DATA, "%s", path);
    CLV_TRY(status);
    CLV_TRY(clv_path_join(path, sizeof path, study->folder, CLV_STUDY_LOCK, err));
    study->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (study->lock < 0 && (errno == EACCES || errno == EROFS)) {
        study->lock = open(path, O_RDONLY | O_CLOEXEC); /* enough to look, and where there is none nothing runs */
        if (study->lock < 0 && errno == ENOENT) goto done;
    }
    CLV_REQUIRE(study->lock >= 0, CLV_ERR_INTERNAL, "%s: cannot be opened: %s; give yourself the right to read it",
                path, strerror(errno));
done:
    free(version);
    free(text);
    return status;
}

clv_status clv_study_open(const char *folder, clv_study **study, clv_error *err)
{
    clv_study *made = clv_alloc(1, sizeof *made, err);
    if (!made) return CLV_ERR_INTERNAL;
    made->lock = -1;
    clv_status status =
        strlen(folder) + 32 < sizeof made->folder
            ? CLV_OK
            : clv_fail(err, CLV_ERR_CONFIG, "the search's path is longer than %d bytes", CLV_PATH_SIZE - 33);
    if (status == CLV_OK) strcpy(made->folder, folder);
    if (status == CLV_OK) status = open_files(made, err);
    if (status == CLV_OK)
        *study = made;
    else
        clv_study_close(made);
    return status;
}

clv_status clv_study_set_text(clv_study *study, const char *text, clv_error *err)
{
    clv_status status = CLV_OK;
    char *copy = clv_strdup(text, err);
    if (!copy) return CLV_ERR_INTERNAL;
    CLV_TRY(take_text(study, copy, err));
    CLV_TRY(clv_sql_run(&study->sql, err, "UPDATE meta SET value = ? WHERE key = 'experiment'", "t", text));
    CLV_TRY(write_ini(study->folder, text, err));
done:
    return status;
}

void clv_study_close(clv_study *study)
{
    if (!study) return;
    clv_sql_close(&study->sql);
    if (study->lock >= 0) close(study->lock);
    clv_search_plan_free(&study->plan);
    clv_config_destroy(study->config);
    free(study->text);
    free(study);
}
