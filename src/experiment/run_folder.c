/* Run directories: made with a name nobody else has, held by a lock while in use. */
#include "experiment/run_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/try.h"

/* POSIX record lock: it goes with the process, however that ends. */
static clv_status take_lock(clv_run_folder *folder, clv_error *err)
{
    char path[CLV_PATH_SIZE];
    clv_status status = clv_path_join(path, sizeof path, folder->path, CLV_LOCK_FILE, err);
    if (status != CLV_OK) return status;
    folder->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (folder->lock < 0) return clv_fail(err, CLV_ERR_INTERNAL, "%s: cannot be made: %s", path, strerror(errno));
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(folder->lock, F_SETLK, &lock) == 0) return CLV_OK;
    int reason = errno;
    close(folder->lock);
    folder->lock = -1;
    if (reason != EAGAIN && reason != EACCES)
        return clv_fail(err, CLV_ERR_INTERNAL, "%s: cannot be locked: %s", path, strerror(reason));
    return clv_fail(err, CLV_ERR_CONFIG,
                    "%s: another clave is training in this run directory; wait for it or use another --out",
                    folder->path);
}

static bool holds(const char *folder, const char *name)
{
    char path[CLV_PATH_SIZE];
    struct stat info;
    return clv_path_join(path, sizeof path, folder, name, NULL) == CLV_OK && stat(path, &info) == 0;
}

clv_status clv_run_folder_check_new(const char *out, clv_error *err)
{
    /* Not CLV_RESOLVED_FILE: a run killed between that and its first checkpoint can only be begun again. */
    static const char *const names[] = {CLV_LAST_FILE, CLV_BEST_FILE, CLV_METRICS_FILE, CLV_RESULTS_FILE,
                                        CLV_REPORT_FILE};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (holds(out, names[i]))
            return clv_fail(err, CLV_ERR_CONFIG,
                            "%s: holds a run already (%s); go on with it by --resume, or use another --out", out,
                            names[i]);
    return CLV_OK;
}

/* mkdir says who was first, so that two runs started in one second get two folders. */
clv_status clv_run_folder_dated(const char *name, char path[CLV_PATH_SIZE], clv_error *err)
{
    char date[32];
    time_t now = time(NULL);
    struct tm local;
    strftime(date, sizeof date, "%Y%m%d-%H%M%S", localtime_r(&now, &local));
    clv_status status = clv_make_folders("runs", err);
    for (int i = 1; status == CLV_OK && i < 1000; i++) {
        int n = i == 1 ? snprintf(path, CLV_PATH_SIZE, "runs/%s-%s", name, date)
                       : snprintf(path, CLV_PATH_SIZE, "runs/%s-%s-%d", name, date, i);
        if (n >= CLV_PATH_SIZE)
            return clv_fail(err, CLV_ERR_CONFIG, "experiment.name is too long for a folder: '%s'", name);
        if (mkdir(path, 0777) == 0) return CLV_OK;
        if (errno != EEXIST) return clv_fail(err, CLV_ERR_INTERNAL, "%s: cannot be made: %s", path, strerror(errno));
    }
    return status == CLV_OK ? clv_fail(err, CLV_ERR_INTERNAL, "runs/%s-%s: a thousand such folders exist", name, date)
                            : status;
}

clv_status clv_run_folder_create(const char *out, const char *name, clv_run_folder *folder, clv_error *err)
{
    clv_run_folder made = {.lock = -1};
    clv_status status = CLV_OK;
    if (out) {
        CLV_REQUIRE(strlen(out) < CLV_PATH_SIZE, CLV_ERR_CONFIG, "--out: the path is longer than %d bytes",
                    CLV_PATH_SIZE - 1);
        strcpy(made.path, out);
        CLV_TRY(clv_make_folders(out, err));
    } else {
        CLV_TRY(clv_run_folder_dated(name, made.path, err));
    }
    CLV_TRY(take_lock(&made, err));
    CLV_TRY(clv_run_folder_check_new(made.path, err));
    char figures[CLV_PATH_SIZE];
    CLV_TRY(clv_path_join(figures, sizeof figures, made.path, CLV_FIGURES_FOLDER, err));
    CLV_TRY(clv_make_folders(figures, err));
    *folder = made;
    return CLV_OK;
done:
    clv_run_folder_close(&made);
    return status;
}

clv_status clv_run_folder_open(const char *path, clv_run_folder *folder, clv_error *err)
{
    clv_run_folder opened = {.lock = -1};
    clv_status status = CLV_OK;
    CLV_REQUIRE(strlen(path) < CLV_PATH_SIZE, CLV_ERR_CONFIG, "the run's path is longer than %d bytes",
                CLV_PATH_SIZE - 1);
    strcpy(opened.path, path);
    CLV_REQUIRE(holds(path, CLV_LAST_FILE), CLV_ERR_CONFIG, "%s: there is no %s to resume from; train without --resume",
                path, CLV_LAST_FILE);
    CLV_TRY(take_lock(&opened, err));
    *folder = opened;
done:
    return status;
}

void clv_run_folder_close(clv_run_folder *folder)
{
    if (folder->lock < 0) return;
    close(folder->lock);
    folder->lock = -1;
}

clv_status clv_run_folder_write(const clv_run_folder *folder, const char *name, const char *text, clv_error *err)
{
    char path[CLV_PATH_SIZE];
    clv_status status = clv_path_join(path, sizeof path, folder->path, name, err);
    return status == CLV_OK ? clv_file_write(path, text, strlen(text), err) : status;
}
