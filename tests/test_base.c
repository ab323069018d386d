/* src/base: error records, memory, files, text, hashes, Philox, order, the log and its progress line. */
#define _XOPEN_SOURCE 700 /* pseudo-terminals */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/half.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/order.h"
#include "base/philox.h"
#include "base/progress.h"
#include "base/text.h"

static char folder[] = "/tmp/clave-base-XXXXXX";

static const char *in_folder(const char *name)
{
    static char path[4][512];
    static int next;
    char *to = path[next++ % 4];
    snprintf(to, 512, "%s/%s", folder, name);
    return to;
}

/* The program's read and write come before the C library's: once `stuttering`, every other call is interrupted by a
 * signal and the rest move a few bytes only, as pipes and network file systems may. */
static int stuttering, calls;

static size_t stutter(size_t size, bool *interrupted)
{
    *interrupted = stuttering && calls++ % 2 == 0;
    if (*interrupted) errno = EINTR;
    return stuttering && size > 7 ? 7 : size;
}

ssize_t write(int fd, const void *from, size_t size)
{
    bool interrupted;
    struct iovec part = {(void *)(uintptr_t)from, stutter(size, &interrupted)};
    return interrupted ? -1 : writev(fd, &part, 1);
}

ssize_t read(int fd, void *to, size_t size)
{
    bool interrupted;
    struct iovec part = {to, stutter(size, &interrupted)};
    return interrupted ? -1 : readv(fd, &part, 1);
}

static int entries(const char *path)
{
    DIR *listing = opendir(path);
    assert_non_null(listing);
    int count = -2; /* . and .. */
    while (readdir(listing)) count++;
    closedir(listing);
    return count;
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[600];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

/* Errors. */

static void errors_hold_status_and_message(void **state)
{
    (void)state;
    clv_error err = {0};
    assert_int_equal(clv_fail(&err, CLV_ERR_DATA, "%s: %d", "x.gz", 7), CLV_ERR_DATA);
    assert_int_equal(err.status, CLV_ERR_DATA);
    assert_string_equal(err.message, "x.gz: 7");
    assert_int_equal(clv_fail_in(&err, CLV_ERR_CONFIG, "test split of %s", "mnist"), CLV_ERR_DATA);
    assert_int_equal(err.status, CLV_ERR_DATA);
    assert_string_equal(err.message, "test split of mnist: x.gz: 7");
    assert_int_equal(clv_fail(NULL, CLV_ERR_DEVICE, "%s", "gone"), CLV_ERR_DEVICE);
    assert_int_equal(clv_fail_in(NULL, CLV_ERR_DEVICE, "%s", "gone"), CLV_ERR_DEVICE);
    clv_error fresh = {0};
    assert_int_equal(clv_fail_in(&fresh, CLV_ERR_DEVICE, "here"), CLV_ERR_DEVICE);
    assert_int_equal(fresh.status, CLV_ERR_DEVICE);
}

static void long_errors_end_in_dots(void **state)
{
    (void)state;
    char big[3000];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    clv_error err = {0};
    assert_int_equal(clv_fail(&err, CLV_ERR_CONFIG, "%s", big), CLV_ERR_CONFIG);
    assert_int_equal(strlen(err.message), CLV_ERROR_SIZE - 1);
    assert_string_equal(err.message + CLV_ERROR_SIZE - 4, "...");
    clv_fail_in(&err, CLV_ERR_CONFIG, "a prefix");
    assert_int_equal(strlen(err.message), CLV_ERROR_SIZE - 1);
    assert_memory_equal(err.message, "a prefix: xxx", 13);
    assert_string_equal(err.message + CLV_ERROR_SIZE - 4, "...");
    clv_fail_in(&err, CLV_ERR_CONFIG, "%s", big);
    assert_string_equal(err.message + CLV_ERROR_SIZE - 4, "...");
    clv_fail(&err, CLV_ERR_CONFIG, "%.*s", CLV_ERROR_SIZE - 1, big); /* fits to the byte */
    assert_int_equal(err.message[CLV_ERROR_SIZE - 2], 'x');
}

static void errors_stay_one_valid_line(void **state)
{
    (void)state;
    clv_error err = {0};
    clv_fail(&err, CLV_ERR_DEVICE, "%s", "build log:\nline 1\r\n\tline 2");
    assert_string_equal(err.message, "build log: line 1   line 2");
    char accents[1600] = "";
    for (int shift = 0; shift < 2; shift++) { /* "é" is two bytes: cut at an even and at an odd place */
        accents[0] = 'a';
        for (size_t i = (size_t)shift; i + 2 < sizeof accents; i += 2) memcpy(accents + i, "\xc3\xa9", 3);
        clv_fail(&err, CLV_ERR_DATA, "%s", accents);
        const size_t length = strlen(err.message);
        assert_string_equal(err.message + length - 3, "...");
        assert_int_equal((unsigned char)err.message[length - 4], 0xa9);
    }
    clv_fail(&err, CLV_ERR_DATA, "short");
    clv_fail(&err, CLV_ERR_DATA, "again: %s", err.message);
    assert_string_equal(err.message, "again: short");
}

/* Memory. */

static void memory_is_zeroed_and_overflow_fails(void **state)
{
    (void)state;
    clv_error err = {0};
    unsigned char *bytes = clv_alloc(1000, 3, &err);
    for (int i = 0; i < 3000; i++) assert_int_equal(bytes[i], 0);
    free(bytes);
    void *nothing = clv_alloc(0, 16, &err);
    assert_non_null(nothing);
    free(nothing);
    volatile size_t half = SIZE_MAX / 2; /* volatile: the compiler would warn of what is tested */
    assert_null(clv_alloc(half, 4, &err));
    assert_int_equal(err.status, CLV_ERR_INTERNAL);
    assert_non_null(strstr(err.message, "out of memory"));
    assert_null(clv_alloc(half, 4, NULL));
}

static void growing_keeps_and_clears(void **state)
{
    (void)state;
    int *array = NULL;
    size_t capacity = 0;
    for (size_t i = 0; i < 1000; i++) {
        assert_int_equal(clv_grow(&array, &capacity, i + 1, sizeof *array, NULL), CLV_OK);
        assert_true(capacity > i);
        assert_int_equal(array[i], 0);
        array[i] = (int)i + 1;
    }
    clv_error err = {0};
    int *before = array;
    const size_t held = capacity;
    assert_int_equal(clv_grow(&array, &capacity, SIZE_MAX / 2, sizeof *array, &err), CLV_ERR_INTERNAL);
    clv_fail_allocation(1);
    assert_int_equal(clv_grow(&array, &capacity, held + 1, sizeof *array, &err), CLV_ERR_INTERNAL);
    assert_ptr_equal(array, before);
    assert_int_equal(capacity, held);
    for (int i = 0; i < 1000; i++) assert_int_equal(array[i], i + 1);
    free(array);
}

static void nth_allocation_fails_once(void **state)
{
    (void)state;
    clv_error err = {0};
    clv_fail_allocation(2);
    char *first = clv_strdup("a", &err), *second = clv_strdup("b", &err), *third = clv_strdup("c", &err);
    assert_string_equal(first, "a");
    assert_null(second);
    assert_string_equal(third, "c");
    assert_int_equal(err.status, CLV_ERR_INTERNAL);
    free(first);
    free(third);
    clv_fail_allocation(1);
    clv_fail_allocation(0);
    first = clv_strdup("a", NULL);
    assert_non_null(first);
    free(first);
}

/* Files. */

static void files_come_back_as_written(void **state)
{
    (void)state;
    clv_error err = {0};
    static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 300000};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        uint8_t *bytes = clv_alloc(sizes[s], 1, &err), *back = NULL;
        size_t size = 99;
        for (size_t i = 0; i < sizes[s]; i++) bytes[i] = (uint8_t)(i * 31 + s);
        assert_int_equal(clv_file_write(in_folder("data"), bytes, sizes[s], &err), CLV_OK);
        assert_int_equal(clv_file_read(in_folder("data"), sizes[s], CLV_ERR_DATA, &back, &size, &err), CLV_OK);
        assert_int_equal(size, sizes[s]);
        assert_memory_equal(back, bytes, size);
        assert_int_equal(back[size], 0);
        free(back);
        free(bytes);
    }
    assert_int_equal(entries(folder), 1);
    unlink(in_folder("data"));
}

static void short_and_interrupted_calls_are_repeated(void **state)
{
    (void)state;
    uint8_t *back = NULL;
    size_t size = 0;
    static const char text[] = "the quick brown fox jumps over the lazy dog";
    stuttering = 1;
    calls = 0;
    const clv_status written = clv_file_write(in_folder("slow"), text, sizeof text, NULL);
    const int write_calls = calls;
    const clv_status got = clv_file_read(in_folder("slow"), 100, CLV_ERR_DATA, &back, &size, NULL);
    stuttering = 0;
    assert_int_equal(written, CLV_OK);
    assert_int_equal(got, CLV_OK);
    assert_int_equal(size, sizeof text);
    assert_memory_equal(back, text, sizeof text);
    assert_true(write_calls >= 14 && calls >= 28); /* 44 bytes by 7, each with an interrupt before it */
    free(back);
    unlink(in_folder("slow"));
}

static void pipes_are_read_whole(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    char path[64], text[20000];
    memset(text, 'p', sizeof text);
    assert_int_equal(write(ends[1], text, sizeof text), sizeof text);
    close(ends[1]);
    snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
    uint8_t *bytes = NULL;
    size_t size = 0;
    assert_int_equal(clv_file_read(path, 1 << 20, CLV_ERR_CONFIG, &bytes, &size, NULL), CLV_OK);
    assert_int_equal(size, sizeof text);
    assert_memory_equal(bytes, text, size);
    free(bytes);
    close(ends[0]);
}

static void unreadable_files_are_named(void **state)
{
    (void)state;
    clv_error err = {0};
    uint8_t *bytes = NULL;
    size_t size = 5;
    assert_int_equal(clv_file_read("/nowhere/x", 10, CLV_ERR_CONFIG, &bytes, &size, &err), CLV_ERR_CONFIG);
    assert_string_equal(err.message, "cannot open /nowhere/x: No such file or directory");
    assert_int_equal(clv_file_read("/tmp", 10, CLV_ERR_DATA, &bytes, &size, &err), CLV_ERR_DATA);
    assert_string_equal(err.message, "/tmp is a folder, not a file");
    assert_int_equal(clv_file_write(in_folder("ten"), "0123456789", 10, &err), CLV_OK);
    assert_int_equal(clv_file_read(in_folder("ten"), 9, CLV_ERR_DATA, &bytes, &size, &err), CLV_ERR_DATA);
    assert_non_null(strstr(err.message, "ten holds 10 bytes; at most 9"));
    assert_int_equal(clv_file_read("/dev/zero", 10000, CLV_ERR_DATA, &bytes, &size, &err), CLV_ERR_DATA);
    assert_non_null(strstr(err.message, "/dev/zero holds more than 10000 bytes"));
    clv_fail_allocation(1);
    assert_int_equal(clv_file_read(in_folder("ten"), 100, CLV_ERR_DATA, &bytes, &size, &err), CLV_ERR_INTERNAL);
    assert_null(bytes);
    assert_int_equal(size, 5);
    unlink(in_folder("ten"));
}

static void failed_writes_leave_nothing(void **state)
{
    (void)state;
    clv_error err = {0};
    assert_int_equal(clv_file_write(in_folder("none/x"), "a", 1, &err), CLV_ERR_INTERNAL);
    assert_non_null(strstr(err.message, "none/x: No such file or directory"));
    assert_int_equal(mkdir(in_folder("taken"), 0777), 0);
    assert_int_equal(clv_file_write(in_folder("taken"), "a", 1, &err), CLV_ERR_INTERNAL);
    assert_non_null(strstr(err.message, "taken: it is not a regular file"));
    assert_int_equal(clv_file_write("/dev/full", "a", 1, &err), CLV_ERR_INTERNAL);
    assert_int_equal(clv_file_write("/proc/x", "a", 1, &err), CLV_ERR_INTERNAL);
    assert_int_equal(rmdir(in_folder("taken")), 0);
    for (long nth = 1; nth <= 2; nth++) { /* the temporary's name; the folder's */
        clv_fail_allocation(nth);
        assert_int_equal(clv_file_write(in_folder("memory"), "a", 1, &err), CLV_ERR_INTERNAL);
        clv_fail_allocation(0);
        unlink(in_folder("memory"));
    }
    assert_int_equal(entries(folder), 0);
}

/* In a child, which gives up root where it has it. */
static int write_read_only(void)
{
    clv_error err = {0};
    if (geteuid() == 0 && setuid(65534) != 0) return 77;
    const bool failed = clv_file_write(in_folder("locked/x"), "new", 3, &err) == CLV_ERR_INTERNAL;
    return failed && strstr(err.message, "locked/x: Permission denied") ? 0 : 1;
}

static int write_beyond_limit(void)
{
    clv_error err = {0};
    static uint8_t big[100000];
    const struct rlimit limit = {5000, 5000};
    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return 77;
    const bool failed = clv_file_write(in_folder("old"), big, sizeof big, &err) == CLV_ERR_INTERNAL;
    return failed && strstr(err.message, "old: File too large") ? 0 : 1;
}

static int in_child(int (*work)(void))
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) _exit(work());
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result));
    return WEXITSTATUS(result);
}

/* A short write, then a refused one: what a full disk does. */
static void full_disk_keeps_the_old_file(void **state)
{
    (void)state;
    uint8_t *bytes = NULL;
    size_t size = 0;
    assert_int_equal(clv_file_write(in_folder("old"), "old", 3, NULL), CLV_OK);
    const int result = in_child(write_beyond_limit);
    assert_true(result == 0 || result == 77);
    assert_int_equal(clv_file_read(in_folder("old"), 100, CLV_ERR_DATA, &bytes, &size, NULL), CLV_OK);
    assert_string_equal((char *)bytes, "old");
    free(bytes);
    assert_int_equal(entries(folder), 1);
    unlink(in_folder("old"));
}

static void read_only_folders_stay_untouched(void **state)
{
    (void)state;
    assert_int_equal(mkdir(in_folder("locked"), 0777), 0);
    assert_int_equal(chmod(folder, 0755), 0);
    assert_int_equal(chmod(in_folder("locked"), 0555), 0);
    const int result = in_child(write_read_only);
    assert_true(result == 0 || result == 77);
    assert_int_equal(entries(in_folder("locked")), 0);
    assert_int_equal(rmdir(in_folder("locked")), 0);
}

static void folders_are_made_with_parents(void **state)
{
    (void)state;
    clv_error err = {0};
    struct stat info;
    assert_int_equal(clv_make_folders(in_folder("a/b//c/"), &err), CLV_OK);
    assert_int_equal(clv_make_folders(in_folder("a/b/c"), &err), CLV_OK);
    assert_int_equal(stat(in_folder("a/b/c"), &info), 0);
    assert_true(S_ISDIR(info.st_mode));
    assert_int_equal(clv_make_folders("/", &err), CLV_OK);
    assert_int_equal(clv_file_write(in_folder("a/file"), "x", 1, &err), CLV_OK);
    assert_int_equal(clv_make_folders(in_folder("a/file/d"), &err), CLV_ERR_INTERNAL);
    assert_non_null(strstr(err.message, "a file of that name is in the way"));
    assert_int_equal(clv_make_folders("", &err), CLV_ERR_INTERNAL);
    assert_int_equal(clv_make_folders("/proc/clave/x", &err), CLV_ERR_INTERNAL);
}

static void paths_join_by_one_slash(void **state)
{
    (void)state;
    clv_error err = {0};
    char path[8];
    assert_int_equal(clv_path_join(path, sizeof path, "ab", "cd", &err), CLV_OK);
    assert_string_equal(path, "ab/cd");
    assert_int_equal(clv_path_join(path, sizeof path, "ab/", "cdef", &err), CLV_OK);
    assert_string_equal(path, "ab/cdef");
    assert_int_equal(clv_path_join(path, sizeof path, "", "x", &err), CLV_OK);
    assert_string_equal(path, "x");
    assert_int_equal(clv_path_join(path, sizeof path, "abc", "defg", &err), CLV_ERR_CONFIG);
    assert_non_null(strstr(err.message, "abc/defg is too long"));
    assert_string_equal(path, "x");
}

static void cache_folder_follows_xdg(void **state)
{
    (void)state;
    clv_error err = {0};
    char path[512];
    struct stat info;
    setenv("XDG_CACHE_HOME", in_folder("xdg"), 1);
    setenv("HOME", in_folder("home"), 1);
    assert_int_equal(clv_cache_folder("kernels", path, sizeof path, &err), CLV_OK);
    assert_string_equal(path, in_folder("xdg/clave/kernels"));
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    setenv("XDG_CACHE_HOME", "relative", 1); /* to be ignored */
    assert_int_equal(clv_cache_folder("kernels", path, sizeof path, &err), CLV_OK);
    assert_string_equal(path, in_folder("home/.cache/clave/kernels"));
    setenv("XDG_CACHE_HOME", "/proc/none", 1); /* cannot be made: HOME serves */
    assert_int_equal(clv_cache_folder("kernels", path, sizeof path, &err), CLV_OK);
    assert_int_equal(clv_cache_folder("kernels", path, 10, &err), CLV_ERR_INTERNAL);
    unsetenv("XDG_CACHE_HOME");
    unsetenv("HOME");
    assert_int_equal(clv_cache_folder("kernels", path, sizeof path, &err), CLV_ERR_INTERNAL);
    assert_non_null(strstr(err.message, "set XDG_CACHE_HOME or HOME"));
}

/* Text. */

static void texts_grow(void **state)
{
    (void)state;
    clv_text t = {0};
    for (int i = 0; i < 500; i++) clv_text_append(&t, "%d,", i % 10);
    assert_int_equal(t.length, 1000);
    clv_text_append(&t, "%0700d", 7); /* longer than any buffer on the stack */
    assert_int_equal(t.length, 1700);
    assert_int_equal(strlen(t.text), 1700);
    assert_string_equal(t.text + 1698, "07");
    clv_text_append_bytes(&t, "a\0b", 3);
    assert_int_equal(t.length, 1703);
    assert_memory_equal(t.text + 1700, "a\0b", 4);
    clv_text_free(&t);
    assert_null(t.text);
    clv_text_append_bytes(&t, "", 0);
    assert_string_equal(t.text, "");
    clv_fail_allocation(1);
    clv_text_append(&t, "%0700d", 7);
    assert_true(t.failed);
    clv_text_append(&t, "x");
    assert_int_equal(t.length, 0);
    clv_text_free(&t);
    assert_false(t.failed);
}

static void integers_parse_whole_or_not(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
        int64_t value;
    } cases[] = {{"0", true, 0},
                 {"-17", true, -17},
                 {"+4", true, 4},
                 {"007", true, 7},
                 {"9223372036854775807", true, INT64_MAX},
                 {"-9223372036854775808", true, INT64_MIN},
                 {"9223372036854775808", false, 0},
                 {"-9223372036854775809", false, 0},
                 {"99999999999999999999", false, 0},
                 {"", false, 0},
                 {"-", false, 0},
                 {" 1", false, 0},
                 {"1 ", false, 0},
                 {"1.0", false, 0},
                 {"0x10", false, 0},
                 {"1e3", false, 0},
                 {"--1", false, 0},
                 {"one", false, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t value = 42;
        assert_int_equal(clv_parse_int(cases[i].text, &value), cases[i].good);
        assert_true(value == (cases[i].good ? cases[i].value : 42));
    }
}

static void check_reals(void)
{
    static const struct {
        const char *text;
        double value;
    } good[] = {{"1e-3", 1e-3},  {"0.5", 0.5},       {".5", 0.5}, {"5.", 5},
                {"-2E+2", -200}, {"1e-310", 1e-310}, {"+0", 0},   {"0e999", 0}};
    static const char *const bad[] = {"",      ".",   "e3", "1e", "1e+",   "nan",    "inf", "-inf",
                                      "0x1p3", "1,5", " 1", "1 ", "1e400", "1e-400", "1.5f"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        double value = 42;
        assert_true(clv_parse_real(good[i].text, &value));
        assert_true(value == good[i].value);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        double value = 42;
        assert_false(clv_parse_real(bad[i], &value));
        assert_true(value == 42);
    }
    clv_text t = {0};
    clv_text_append(&t, "%.2f", 1.5);
    assert_string_equal(t.text, "1.50");
    clv_text_free(&t);
}

static void reals_parse_in_any_locale(void **state)
{
    (void)state;
    check_reals();
    static const char *const commas[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "it_IT.UTF-8"};
    for (size_t i = 0; i < sizeof commas / sizeof *commas; i++)
        if (setlocale(LC_ALL, commas[i])) check_reals();
    setlocale(LC_ALL, "C");
}

static void booleans_parse(void **state)
{
    (void)state;
    static const char *const yes[] = {"true", "yes", "on", "1", "True", "ON"}, *const no[] = {"false", "no", "off",
                                                                                              "0"};
    static const char *const neither[] = {"", "2", "tru", "truee", "y", " on"};
    bool value = false;
    for (int i = 0; i < 6; i++) assert_true(clv_parse_bool(yes[i], &value) && value);
    for (int i = 0; i < 4; i++) assert_true(clv_parse_bool(no[i], &value) && !value);
    for (int i = 0; i < 6; i++) assert_false(clv_parse_bool(neither[i], &value));
}

static void nearest_names_are_found(void **state)
{
    (void)state;
    static const char *const names[] = {"channels", "kernel", "stride", "pad", "act", "units", "lr"};
    static const struct {
        const char *word, *nearest;
    } cases[] = {{"chanels", "channels"}, {"kernle", "kernel"}, {"Stride", "stride"}, {"unit", "units"},
                 {"STRIDE", "stride"},    {"ptad", "pad"},      {"xl", NULL},         {"l2", "lr"},
                 {"momentum", NULL},      {"", NULL},           {"q", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *found = clv_nearest(cases[i].word, names, 7);
        if (cases[i].nearest)
            assert_string_equal(found, cases[i].nearest);
        else
            assert_null(found);
    }
    char huge[1000];
    memset(huge, 'a', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    const char *const one[] = {huge};
    assert_null(clv_nearest(huge, names, 7));
    assert_null(clv_nearest("aaaa", one, 1));
}

static void parts_are_found_ignoring_case(void **state)
{
    (void)state;
    assert_true(clv_contains_ignoring_case("NVIDIA GeForce", "geforce"));
    assert_true(clv_contains_ignoring_case("aab", "AB"));
    assert_true(clv_contains_ignoring_case("x", ""));
    assert_true(clv_contains_ignoring_case("", ""));
    assert_false(clv_contains_ignoring_case("", "a"));
    assert_false(clv_contains_ignoring_case("abc", "abcd"));
}

/* Hashes: values of the reference implementation. */
static void hashes_are_murmur3(void **state)
{
    (void)state;
    static const struct {
        const char *text, *hash;
    } cases[] = {{"", "00000000000000000000000000000000"},
                 {"hello", "cbd8a7b341bd9b025b1e906a48ae1d19"},
                 {"hello, world", "342fac623a5ebc8e4cdcbc079642414d"},
                 {"The quick brown fox jumps over the lazy dog", "e34bbc7bbc071b6c7a433ca9c49a9347"}};
    char text[33];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        clv_hash_print(clv_hash_bytes(cases[i].text, strlen(cases[i].text)), text);
        assert_string_equal(text, cases[i].hash);
    }
}

/* Philox: the known answers of Random123 (kat_vectors). */

static void philox_has_known_answers(void **state)
{
    (void)state;
    static const uint32_t cases[][10] = {{0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
                                         {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff,
                                          0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
                                         {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0,
                                          0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t out[4];
        clv_philox(cases[i], cases[i] + 4, out);
        assert_memory_equal(out, cases[i] + 6, sizeof out);
    }
}

static void random_reads_counters_in_order(void **state)
{
    (void)state;
    const uint64_t seed = 0x0123456789abcdefu;
    const uint32_t key[2] = {0x89abcdef, 0x01234567};
    clv_random random = clv_random_start(seed, 9);
    for (uint32_t i = 0; i < 1000; i++) {
        const uint32_t counter[4] = {i / 4, 0, 0, 9};
        uint32_t word[4];
        clv_philox(counter, key, word);
        assert_int_equal(clv_random_word(&random), word[i % 4]);
    }
}

static void draws_have_their_moments(void **state)
{
    (void)state;
    const uint64_t seed = (uint64_t)time(NULL);
    print_message("seed %llu\n", (unsigned long long)seed);
    clv_random random = clv_random_start(seed, 1);
    const int draws = 200000;
    double sum = 0, square = 0, normal = 0, spread = 0;
    int below[7] = {0};
    for (int i = 0; i < draws; i++) {
        const double u = (double)clv_random_uniform(&random), z = (double)clv_random_normal(&random);
        assert_true(u >= 0 && u < 1 && isfinite(z));
        sum += u;
        square += u * u;
        normal += z;
        spread += z * z;
        const uint32_t b = clv_random_below(&random, 7);
        assert_true(b < 7);
        below[b]++;
    }
    /* Six standard errors: a false alarm in 10^8 runs. */
    assert_true(fabs(sum / draws - 0.5) < 6 * 0.2887 / sqrt(draws));
    assert_true(fabs(square / draws - 1.0 / 3) < 6 * 0.2981 / sqrt(draws));
    assert_true(fabs(normal / draws) < 6 / sqrt(draws));
    assert_true(fabs(spread / draws - 1) < 6 * sqrt(2.0) / sqrt(draws));
    for (int i = 0; i < 7; i++) assert_true(fabs(below[i] - draws / 7.0) < 6 * sqrt(draws * 6 / 49.0));
    /* Of 3 * 2^30 numbers, a draw that rejects nothing gives every third one half as often. */
    int thirds[3] = {0};
    for (int i = 0; i < draws; i++) thirds[clv_random_below(&random, 3u << 30) % 3]++;
    for (int i = 0; i < 3; i++) assert_true(fabs(thirds[i] - draws / 3.0) < 6 * sqrt(draws * 2 / 9.0));
    assert_int_equal(clv_random_below(&random, 1), 0);
}

static void normals_agree_in_float_and_double(void **state)
{
    (void)state;
    clv_random random = clv_random_start((uint64_t)time(NULL), 5);
    static const uint32_t ends[] = {0, 255, 256, 0xffffffff, 0xffffff00, 0x80000000, 0x7fffffff};
    for (int i = 0; i < 10000; i++) {
        const uint32_t a = i < 49 ? ends[i / 7] : clv_random_word(&random),
                       b = i < 49 ? ends[i % 7] : clv_random_word(&random);
        float single[2];
        double twice[2];
        clv_normal_pair(a, b, single);
        clv_normal_pair_double(a, b, twice);
        for (int k = 0; k < 2; k++) {
            assert_true(isfinite(single[k]) && isfinite(twice[k]));
            assert_true(fabs((double)single[k] - twice[k]) < 4e-6); /* |z| <= 5.8 */
        }
    }
}

static void shuffles_depend_on_seed_and_epoch(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    uint32_t order[4][COUNT], seen[COUNT] = {0};
    static const struct {
        uint64_t seed;
        uint32_t epoch;
    } runs[4] = {{7, 3}, {7, 3}, {7, 4}, {8, 3}};
    for (int r = 0; r < 4; r++) {
        for (uint32_t i = 0; i < COUNT; i++) order[r][i] = i;
        clv_shuffle(order[r], COUNT, runs[r].seed, runs[r].epoch);
    }
    assert_memory_equal(order[0], order[1], sizeof order[0]);
    assert_memory_not_equal(order[0], order[2], sizeof order[0]);
    assert_memory_not_equal(order[0], order[3], sizeof order[0]);
    for (int i = 0; i < COUNT; i++) seen[order[0][i]]++;
    for (int i = 0; i < COUNT; i++) assert_int_equal(seen[i], 1);
    clv_shuffle(order[0], 0, 1, 1);
    clv_shuffle(order[0], 1, 1, 1);

    /* The definition, step by step, where no draw is rejected: j = word * i >> 32 of counters {k, 0, epoch, stream}. */
    uint32_t few[5] = {0, 1, 2, 3, 4}, by_hand[5] = {0, 1, 2, 3, 4}, key[2] = {7, 0};
    clv_shuffle(few, 5, 7, 3);
    for (uint32_t i = 5, k = 0; i > 1; i--, k++) {
        const uint32_t counter[4] = {k / 4, 0, 3, CLV_STREAM_SHUFFLE};
        uint32_t word[4];
        clv_philox(counter, key, word);
        const uint32_t j = (uint32_t)((uint64_t)word[k % 4] * i >> 32), moved = by_hand[i - 1];
        by_hand[i - 1] = by_hand[j];
        by_hand[j] = moved;
    }
    assert_memory_equal(few, by_hand, sizeof few);
}

/* The log. */

static void numbers_are_ordered(void **state)
{
    (void)state;
    double odd[] = {3, -1, 2e9, 0, 2.5}, even[] = {4, -8, 1, 2}, one[] = {-7};
    float few[] = {1.5f, -INFINITY, 0, 1.25f};
    double pairs[3][2] = {{2, 0}, {-1, 1}, {0.5, 2}};
    assert_true(clv_median(odd, 5) == 2.5);
    assert_true(odd[0] == -1 && odd[1] == 0 && odd[3] == 3 && odd[4] == 2e9);
    assert_true(clv_median(even, 4) == 1.5);
    assert_true(clv_median(one, 1) == -7);
    qsort(few, 4, sizeof *few, clv_order_floats);
    assert_true(few[0] == -INFINITY && few[1] == 0 && few[2] == 1.25f && few[3] == 1.5f);
    qsort(pairs, 3, sizeof *pairs, clv_order_doubles); /* by the first number of each */
    assert_true(pairs[0][1] == 1 && pairs[1][1] == 2 && pairs[2][1] == 0);
}

static void numbers_and_times_print(void **state)
{
    (void)state;
    char b[32];
    assert_string_equal(clv_print_thousands(b, 0), "0");
    assert_string_equal(clv_print_thousands(b, 999), "999");
    assert_string_equal(clv_print_thousands(b, 2480), "2,480");
    assert_string_equal(clv_print_thousands(b, 1234567), "1,234,567");
    assert_string_equal(clv_print_thousands(b, -123456), "-123,456");
    assert_string_equal(clv_print_duration(b, 12), "00:12");
    assert_string_equal(clv_print_duration(b, 0.2), "00:01");
    assert_string_equal(clv_print_duration(b, 754), "12:34");
    assert_string_equal(clv_print_duration(b, 3600), "1:00:00");
    assert_string_equal(clv_print_duration(b, 360000), "100:00:00");
    assert_string_equal(clv_print_duration(b, -1), "00:00");
    assert_string_equal(clv_print_duration(b, NAN), "00:00");
}

static void progress_fits_its_width(void **state)
{
    (void)state;
    char line[512];
    clv_progress_text(line, sizeof line, 78, "epoch 3/20", 30500, 50000, 2480.4, "loss 153.2");
    assert_string_equal(line, "epoch 3/20  [==========>       ]  61 %  2,480 images/s  00:08 left  loss 153.2");
    for (int columns = 0; columns < 200; columns++) {
        clv_progress_text(line, sizeof line, columns, "epoch 3/20", 30500, 50000, 2480.4, "loss 153.2");
        assert_true((int)strlen(line) <= columns);
        assert_int_equal(strchr(line, '[') != NULL, columns >= 68);
    }
    clv_progress_text(line, sizeof line, 78, "test", 5, 0, 0, NULL);
    assert_string_equal(line, "test");
    clv_progress_text(line, sizeof line, 30, "x", 70, 50, 0, "");
    assert_string_equal(line, "x  [==================]  100 %");
    clv_progress_text(line, sizeof line, 5, "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", 0, 0, 0, NULL);
    assert_string_equal(line, "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9");
}

static size_t read_back(FILE *stream, char *text, size_t size)
{
    rewind(stream);
    const size_t length = fread(text, 1, size - 1, stream);
    text[length] = '\0';
    return length;
}

static void lines_go_to_stream_and_file(void **state)
{
    (void)state;
    char text[512];
    clv_error err = {0};
    FILE *stream = tmpfile();
    clv_log *log = clv_log_create(stream);
    clv_log_line(log, "before %d", 1);
    assert_int_equal(clv_log_open(log, in_folder("none/log.txt"), &err), CLV_ERR_INTERNAL);
    assert_non_null(strstr(err.message, "none/log.txt: No such file or directory"));
    assert_int_equal(clv_log_open(log, in_folder("log.txt"), &err), CLV_OK);
    assert_false(clv_log_is_terminal(log));
    clv_log_progress(log, "epoch 1/2", 1, 2, 10, NULL); /* no terminal: nothing */
    clv_log_line(log, "after %s", "it");
    clv_log_destroy(log);
    read_back(stream, text, sizeof text);
    assert_string_equal(text, "before 1\nafter it\n");
    fclose(stream);
    stream = fopen(in_folder("log.txt"), "r");
    read_back(stream, text, sizeof text);
    assert_string_equal(text, "after it\n");
    fclose(stream);
    unlink(in_folder("log.txt"));
    clv_log_line(NULL, "silence");
    clv_log_progress(NULL, "x", 1, 2, 3, NULL);
    clv_log_progress_clear(NULL);
    clv_log_destroy(NULL);
    assert_false(clv_log_is_terminal(NULL));
    clv_fail_allocation(1);
    assert_null(clv_log_create(stderr));
}

/* What a terminal was given, up to the end of a line: it may come in several pieces. What never comes ends the wait. */
static void read_terminal_line(int host, char *text, size_t size)
{
    size_t length = 0;
    struct pollfd ready = {.fd = host, .events = POLLIN};
    while (length + 1 < size && (length == 0 || text[length - 1] != '\n') && poll(&ready, 1, 10000) == 1) {
        const ssize_t got = read(host, text + length, size - 1 - length);
        if (got <= 0) break;
        length += (size_t)got;
    }
    text[length] = '\0';
}

static void progress_is_drawn_on_a_terminal(void **state)
{
    (void)state;
    const int host = posix_openpt(O_RDWR | O_NOCTTY);
    if (host < 0 || grantpt(host) != 0 || unlockpt(host) != 0) skip();
    const int terminal = open(ptsname(host), O_RDWR | O_NOCTTY); /* not ours: its end would be a hangup */
    if (terminal < 0) skip();
    FILE *stream = fdopen(terminal, "r+");
    assert_non_null(stream);
    clv_log *log = clv_log_create(stream);
    assert_true(clv_log_is_terminal(log));
    clv_log_progress(log, "epoch 1/2", 1, 2, 0, NULL);
    clv_log_progress(log, "too soon", 2, 2, 0, NULL);
    clv_log_line(log, "done");
    clv_log_destroy(log);
    char text[1024];
    read_terminal_line(host, text, sizeof text);
    assert_string_equal(text, "\repoch 1/2  [===============>              ]  50 %\x1b[K\r\x1b[Kdone\r\n");
    fclose(stream);
    close(host);
}

/* ---- halves ---- */

/* Bits of known numbers (IEEE 754-2008, table 3.5), ties, the ends of the range. */
static void halves_have_known_bits(void **state)
{
    (void)state;
    static const struct {
        double x;
        uint16_t half;
    } known[] = {{0.0, 0x0000},
                 {-0.0, 0x8000},
                 {1.0, 0x3c00},
                 {-2.0, 0xc000},
                 {65504.0, 0x7bff},
                 {65519.99, 0x7bff},
                 {65520.0, 0x7c00},
                 {-1e300, 0xfc00},
                 {INFINITY, 0x7c00},
                 {0x1p-14, 0x0400},
                 {0x1p-24, 0x0001},
                 {0x1p-25, 0x0000}, /* a tie: to even */
                 {0x1.8p-24, 0x0002},
                 {0x1.000002p-25, 0x0001},
                 {0x1.ffcp-15, 0x0400}, /* rounds up to the least normal one */
                 {1.0 + 0x1p-11, 0x3c00},
                 {1.0 + 0x1.8p-10, 0x3c02},
                 {1.0 + 0x1p-11 + 0x1p-40, 0x3c01}}; /* a float between would make it a tie */
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (clv_half_of(known[i].x) != known[i].half)
            fail_msg("%a is %04x and not %04x", known[i].x, clv_half_of(known[i].x), known[i].half);
    }
    assert_true(isnan(clv_half_value(clv_half_of(NAN))));
}

/* Every half comes back, numbers between two go to the nearer one. */
static void halves_round_to_the_nearest(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 0x7c00; h++) {
        const double x = (double)clv_half_value((uint16_t)h),
                     next = h == 0x7bff ? 65536.0 : (double)clv_half_value((uint16_t)(h + 1));
        assert_true(next > x);
        assert_int_equal(clv_half_of(x), h);
        assert_int_equal(clv_half_of(-x), h | 0x8000);
        assert_int_equal(clv_half_of(x + (next - x) * 0.49), h);
        assert_int_equal(clv_half_of(x + (next - x) * 0.51), h + 1);
        assert_int_equal(clv_half_of((x + next) / 2), h + (h & 1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_hold_status_and_message),
        cmocka_unit_test(long_errors_end_in_dots),
        cmocka_unit_test(errors_stay_one_valid_line),
        cmocka_unit_test(memory_is_zeroed_and_overflow_fails),
        cmocka_unit_test(growing_keeps_and_clears),
        cmocka_unit_test(nth_allocation_fails_once),
        cmocka_unit_test(files_come_back_as_written),
        cmocka_unit_test(short_and_interrupted_calls_are_repeated),
        cmocka_unit_test(pipes_are_read_whole),
        cmocka_unit_test(unreadable_files_are_named),
        cmocka_unit_test(failed_writes_leave_nothing),
        cmocka_unit_test(full_disk_keeps_the_old_file),
        cmocka_unit_test(read_only_folders_stay_untouched),
        cmocka_unit_test(folders_are_made_with_parents),
        cmocka_unit_test(paths_join_by_one_slash),
        cmocka_unit_test(cache_folder_follows_xdg),
        cmocka_unit_test(texts_grow),
        cmocka_unit_test(integers_parse_whole_or_not),
        cmocka_unit_test(reals_parse_in_any_locale),
        cmocka_unit_test(booleans_parse),
        cmocka_unit_test(nearest_names_are_found),
        cmocka_unit_test(parts_are_found_ignoring_case),
        cmocka_unit_test(hashes_are_murmur3),
        cmocka_unit_test(philox_has_known_answers),
        cmocka_unit_test(random_reads_counters_in_order),
        cmocka_unit_test(draws_have_their_moments),
        cmocka_unit_test(normals_agree_in_float_and_double),
        cmocka_unit_test(shuffles_depend_on_seed_and_epoch),
        cmocka_unit_test(numbers_are_ordered),
        cmocka_unit_test(halves_have_known_bits),
        cmocka_unit_test(halves_round_to_the_nearest),
        cmocka_unit_test(numbers_and_times_print),
        cmocka_unit_test(progress_fits_its_width),
        cmocka_unit_test(lines_go_to_stream_and_file),
        cmocka_unit_test(progress_is_drawn_on_a_terminal),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
