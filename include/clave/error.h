/* Status codes and the error record that every fallible clave function fills.
 *
 * A function returns CLV_OK or a failure; on failure it has released what it made, left its outputs
 * untouched, and written one line into `err` that says what, where and what to do. `err` may be NULL.
 * The library never prints and never exits; the program turns a status into an exit code. */
#ifndef CLAVE_ERROR_H
#define CLAVE_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

/* The values are the program's exit codes. */
typedef enum clv_status {
    CLV_OK = 0,
    CLV_ERR_INTERNAL = 1, /* out of memory, an I/O failure, a broken invariant */
    CLV_ERR_CONFIG = 2,   /* usage, INI text, shapes that do not fit */
    CLV_ERR_DATA = 3,     /* a data set, image or checkpoint that is not what it claims */
    CLV_ERR_DEVICE = 4,   /* no such device, a driver's failure, a kernel that fails its self-test */
    CLV_ERR_DIVERGED = 5, /* a loss became NaN or infinite */
    CLV_INTERRUPTED = 130 /* SIGINT or SIGTERM, after the checkpoint was saved */
} clv_status;

#define CLV_ERROR_SIZE 1024

typedef struct clv_error {
    clv_status status;
    char message[CLV_ERROR_SIZE]; /* one line, no newline at its end; long values are cut with "..." */
} clv_error;

#if defined(__GNUC__)
#define CLV_PRINTF(format_arg, first_arg) __attribute__((format(printf, format_arg, first_arg)))
#else
#define CLV_PRINTF(format_arg, first_arg)
#endif

/* Writes a formatted message into err (if not NULL) and returns status. */
clv_status clv_fail(clv_error *err, clv_status status, const char *format, ...) CLV_PRINTF(3, 4);

/* Puts "prefix: " before the message that err holds already; returns err's status. */
clv_status clv_fail_in(clv_error *err, clv_status status, const char *format, ...) CLV_PRINTF(3, 4);

#ifdef __cplusplus
}
#endif
#endif
