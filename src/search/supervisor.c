/* The process that a user starts: it starts the workers, prints a line for each result, passes an interrupt on, and
 * waits for them all. It restarts none: what a dead worker leaves the others take, and after the last one the study can
 * be resumed. */
#define _DEFAULT_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "base/log.h"
#include "base/text.h"
#include "base/try.h"
#include "clave/search.h"
#include "search/study.h"

enum { MOST_WORKERS = 256 };

typedef struct supervisor {
    const clv_search_options *options;
    clv_study *study;
    pid_t worker[MOST_WORKERS];
    int workers, running;
    int messages;                   /* the end of a pipe that the workers' standard errors write to */
    char line[CLV_ERROR_SIZE + 16]; /* the line of it at hand */
    size_t length;
    clv_status status;            /* of the first worker that failed */
    char failure[CLV_ERROR_SIZE]; /* and what it said */
    int64_t sequence;             /* of the last result printed */
    double best;
    bool stopping;
} supervisor;

/* Behind fork: only what is safe there. A process group of its own keeps the terminal's Ctrl-C from reaching a worker
 * twice; the worker follows its supervisor's death, where the system can tell. */
static void become_worker(const supervisor *s, int messages, pid_t parent)
{
    setpgid(0, 0);
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGTERM);
#endif
    if (getppid() != parent) _exit(CLV_INTERRUPTED);
    int null = open("/dev/null", O_RDWR);
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(messages, STDERR_FILENO);
    execl(s->options->program, s->options->program, "search", clv_study_folder(s->study), "--worker", (char *)NULL);
    _exit(127);
}

static clv_status start_workers(supervisor *s, int count, clv_error *err)
{
    int ends[2];
    pid_t self = getpid();
    clv_status status = CLV_OK;
    if (pipe(ends) != 0) return clv_fail(err, CLV_ERR_INTERNAL, "no pipe for the workers: %s", strerror(errno));
    s->messages = ends[0];
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    for (int i = 0; i < count; i++) {
        pid_t pid = fork();
        if (pid == 0) become_worker(s, ends[1], self);
        CLV_REQUIRE(pid > 0, CLV_ERR_INTERNAL, "worker %d of %d could not be started: %s", i + 1, count,
                    strerror(errno));
        s->worker[s->workers++] = pid;
        s->running++;
    }
done:
    close(ends[1]);
    return status;
}

/* Lines of the workers' standard errors: the last one of a worker that fails is its error. */
static void read_messages(supervisor *s)
{
    static const char mark[] = "clave: ";
    char c;
    while (read(s->messages, &c, 1) == 1) {
        if (c != '\n') {
            if (s->length + 1 < sizeof s->line) s->line[s->length++] = c;
            continue;
        }
        s->line[s->length] = '\0';
        s->length = 0;
        if (!strncmp(s->line, mark, sizeof mark - 1) && !*s->failure)
            snprintf(s->failure, sizeof s->failure, "%.*s", CLV_ERROR_SIZE - 1, s->line + sizeof mark - 1);
        else if (strncmp(s->line, mark, sizeof mark - 1))
            clv_log_line(s->options->log, "%s", s->line);
    }
}

static void print_setting(const supervisor *s, const clv_record *r, clv_text *text)
{
    const clv_search_space *space = &clv_study_plan(s->study)->space;
    for (int d = 0; d < space->dimensions; d++) {
        char value[CLV_SETTING_SIZE];
        const char *dot = strrchr(space->dimension[d].key, '.');
        clv_space_print(&space->dimension[d], r->trial.point[d], value);
        clv_text_append(text, "%s%s=%s", d ? " " : "", dot ? dot + 1 : space->dimension[d].key, value);
    }
}

static clv_status print_news(supervisor *s, clv_error *err)
{
    const clv_search_plan *plan = clv_study_plan(s->study);
    clv_records records = {0};
    clv_news news;
    bool any = true;
    clv_status status = CLV_OK;
    for (;;) {
        clv_text setting = {0};
        CLV_TRY(clv_study_news(s->study, &s->sequence, &news, &any, err));
        if (!any) break;
        if (!records.of || news.trial >= records.count) {
            free(records.of);
            records = (clv_records){0};
            CLV_TRY(clv_study_records(s->study, &records, err));
        }
        print_setting(s, &records.of[news.trial], &setting);
        const double sign = clv_study_sign(s->study);
        const bool best = !isnan(news.value) && !(sign * news.value >= s->best);
        if (best) s->best = sign * news.value;
        if (isnan(news.value))
            clv_log_line(s->options->log, "trial %d/%d  failed  %s: %s", news.trial + 1, plan->trials, setting.text,
                         news.error);
        else
            clv_log_line(s->options->log, "trial %d/%d  %u epochs  %.1f s  %s  %s %.5g%s", news.trial + 1, plan->trials,
                         news.epochs, news.seconds, setting.text, clv_study_monitor(s->study), news.value,
                         best ? "  best" : "");
        clv_text_free(&setting);
    }
done:
    free(records.of);
    return status;
}

static void reap(supervisor *s)
{
    for (int i = 0; i < s->workers; i++) {
        int state;
        if (s->worker[i] == 0 || waitpid(s->worker[i], &state, WNOHANG) != s->worker[i]) continue;
        s->worker[i] = 0;
        s->running--;
        read_messages(s);
        clv_status status = WIFEXITED(state) ? (clv_status)WEXITSTATUS(state) : CLV_ERR_INTERNAL;
        if (WIFSIGNALED(state))
            clv_log_line(s->options->log,
                         "a worker was killed by signal %d; its trial goes on in another, or by --resume",
                         WTERMSIG(state));
        if (status != CLV_OK && s->status == CLV_OK) s->status = status;
    }
}

static void stop_workers(supervisor *s)
{
    s->stopping = true;
    for (int i = 0; i < s->workers; i++)
        if (s->worker[i]) kill(s->worker[i], SIGTERM);
}

static clv_status watch(supervisor *s, clv_error *err)
{
    const struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};
    clv_status status = CLV_OK;
    while (s->running > 0) {
        if (s->options->stop && *s->options->stop && !s->stopping) {
            clv_log_line(s->options->log, "stopping: each trial saves its checkpoint");
            stop_workers(s);
        }
        read_messages(s);
        reap(s);
        status = print_news(s, err);
        if (status != CLV_OK) break;
        nanosleep(&pause, NULL);
    }
    return status;
}

/* However this ends, no worker is left behind. */
static void end_workers(supervisor *s)
{
    const struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};
    if (s->running) stop_workers(s);
    while (s->running) {
        reap(s);
        nanosleep(&pause, NULL);
    }
    if (s->messages >= 0) close(s->messages);
}

/* Of the workers: an interrupt, or work that is left because each of them failed. */
static clv_status judge(supervisor *s, const char *folder, clv_error *err)
{
    bool left;
    clv_status status = CLV_OK;
    CLV_REQUIRE(!s->stopping, CLV_INTERRUPTED, "interrupted; go on by: clave search %s --resume", folder);
    CLV_TRY(clv_study_left(s->study, &left, err));
    if (s->status == CLV_OK || !left) goto done;
    if (*s->failure)
        status = clv_fail(err, s->status, "%.700s; then go on by: clave search %s --resume", s->failure, folder);
    else
        status = clv_fail(err, s->status, "the workers ended before the search did; go on by: clave search %s --resume",
                          folder);
done:
    return status;
}

clv_status clv_search_run(const char *folder, const clv_search_options *options, clv_error *err)
{
    supervisor s = {.options = options, .messages = -1, .best = INFINITY};
    clv_status status = CLV_OK;
    bool any = true;
    CLV_TRY(clv_study_open(folder, &s.study, err));
    const clv_search_plan *plan = clv_study_plan(s.study);
    int workers = (int)clv_config_int(clv_study_config(s.study), "search.parallel");
    if (workers > plan->trials) workers = plan->trials;
    for (clv_news old; any;) {
        CLV_TRY(clv_study_news(s.study, &s.sequence, &old, &any, err));
        const double value = any ? old.value : NAN;
        if (!isnan(value)) s.best = fmin(s.best, clv_study_sign(s.study) * value);
    }
    CLV_TRY(start_workers(&s, workers, err));
    CLV_TRY(watch(&s, err));
    CLV_TRY(judge(&s, folder, err));
done:
    end_workers(&s);
    clv_study_close(s.study);
    if (status == CLV_OK) status = clv_search_report(folder, err);
    return status;
}
