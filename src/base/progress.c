/* The progress line's text: label, bar, share, rate, time left, note, fitted to the terminal's width. */
#include "base/progress.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { BAR_LEAST = 8, BAR_MOST = 30, LINE_SIZE = 512 };

const char *clv_print_thousands(char buffer[32], long value)
{
    char digits[32];
    const int length = snprintf(digits, sizeof digits, "%ld", value);
    int to = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && digits[i - 1] != '-' && (length - i) % 3 == 0) buffer[to++] = ',';
        buffer[to++] = digits[i];
    }
    buffer[to] = '\0';
    return buffer;
}

const char *clv_print_duration(char buffer[32], double seconds)
{
    const long whole = seconds > 0 && seconds < 1e9 ? (long)ceil(seconds) : 0;
    if (whole < 3600)
        snprintf(buffer, 32, "%02ld:%02ld", whole / 60, whole % 60);
    else
        snprintf(buffer, 32, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
    return buffer;
}

/* UTF-8: every byte but a continuation starts a character, taken as one column. */
static int columns_of(const char *text)
{
    int columns = 0;
    for (; *text; text++) columns += ((unsigned char)*text & 0xc0) != 0x80;
    return columns;
}

static void cut_to_columns(char *text, int columns)
{
    for (; *text; text++)
        if (((unsigned char)*text & 0xc0) != 0x80 && columns-- <= 0) break;
    *text = '\0';
}

/* What stands behind the bar. */
static void print_tail(char tail[LINE_SIZE], double share, long left, double rate, const char *note)
{
    char number[32], time[32] = "", speed[64] = "";
    if (rate > 0 && rate < 1e15) {
        snprintf(speed, sizeof speed, "  %s images/s", clv_print_thousands(number, lround(rate)));
        if (share >= 0) snprintf(time, sizeof time, "  %.16s left", clv_print_duration(number, (double)left / rate));
    }
    char percent[16] = "";
    if (share >= 0) snprintf(percent, sizeof percent, "  %2.0f %%", floor(100 * share));
    snprintf(tail, LINE_SIZE, "%s%s%s%s%.200s", percent, speed, time, note && *note ? "  " : "", note ? note : "");
}

static void print_bar(char bar[BAR_MOST + 5], int inside, double share)
{
    const int full = (int)(share * inside);
    char *at = bar;
    *at++ = ' ';
    *at++ = ' ';
    *at++ = '[';
    for (int i = 0; i < inside; i++) *at++ = i < full ? '=' : i == full ? '>' : ' ';
    *at++ = ']';
    *at = '\0';
}

void clv_progress_text(char *buffer, size_t size, int columns, const char *label, long done, long total,
                       double images_per_second, const char *note)
{
    char tail[LINE_SIZE], bar[BAR_MOST + 5] = "";
    const long within = done < 0 ? 0 : done < total ? done : total;
    const double share = total > 0 ? (double)within / (double)total : -1;
    print_tail(tail, share, total - within, images_per_second, note);
    const int room = columns - columns_of(label) - columns_of(tail) - 4;
    if (share >= 0 && room >= BAR_LEAST) print_bar(bar, room < BAR_MOST ? room : BAR_MOST, share);
    snprintf(buffer, size, "%s%s%s", label, bar, tail);
    cut_to_columns(buffer, columns);
}
