/* Messages of a run, to a stream and its log.txt, with a progress line below them on a terminal. */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/progress.h"

struct clv_log {
    FILE *stream;
    FILE *file; /* log.txt, or NULL */
    bool terminal, on_show;
    double drawn; /* when the progress line was drawn last */
};

static const double redraw_seconds = 0.1;
#define CLEAR_TO_END "\x1b[K"

clv_log *clv_log_create(FILE *stream)
{
    clv_log *log = clv_alloc(1, sizeof *log, NULL);
    if (!log) return NULL;
    log->stream = stream;
    log->terminal = isatty(fileno(stream)) == 1;
    return log;
}

clv_status clv_log_open(clv_log *log, const char *path, clv_error *err)
{
    FILE *file = fopen(path, "a");
    if (!file) return clv_fail(err, CLV_ERR_INTERNAL, "cannot write %s: %s", path, strerror(errno));
    if (log->file) fclose(log->file);
    log->file = file;
    return CLV_OK;
}

void clv_log_destroy(clv_log *log)
{
    if (!log) return;
    clv_log_progress_clear(log);
    if (log->file) fclose(log->file);
    free(log);
}

static void put_line(FILE *stream, const char *format, va_list args)
{
    vfprintf(stream, format, args);
    fputc('\n', stream);
    fflush(stream); /* a killed run leaves its last line behind */
}

void clv_log_line(clv_log *log, const char *format, ...)
{
    if (!log) return;
    clv_log_progress_clear(log);
    va_list args;
    va_start(args, format);
    put_line(log->stream, format, args);
    va_end(args);
    if (!log->file) return;
    va_start(args, format);
    put_line(log->file, format, args);
    va_end(args);
}

bool clv_log_is_terminal(const clv_log *log) { return log && log->terminal; }

static int terminal_columns(FILE *stream)
{
    struct winsize window;
    const bool known = ioctl(fileno(stream), TIOCGWINSZ, &window) == 0 && window.ws_col > 0;
    return known ? window.ws_col : 80;
}

void clv_log_progress(clv_log *log, const char *label, long done, long total, double images_per_second,
                      const char *note)
{
    if (!clv_log_is_terminal(log)) return;
    const double now = clv_seconds();
    if (log->on_show && now - log->drawn < redraw_seconds) return;
    char line[1024];
    /* The last column stays free: writing there makes some terminals wrap. */
    clv_progress_text(line, sizeof line, terminal_columns(log->stream) - 1, label, done, total, images_per_second,
                      note);
    fprintf(log->stream, "\r%s" CLEAR_TO_END, line);
    fflush(log->stream);
    log->on_show = true;
    log->drawn = now;
}

void clv_log_progress_clear(clv_log *log)
{
    if (!log || !log->on_show) return;
    fputs("\r" CLEAR_TO_END, log->stream);
    fflush(log->stream);
    log->on_show = false;
}

double clv_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
