/* The scan before inih. inih 55 cuts long lines and hands the rest on as a row, takes an indented line for more of the
 * value before, merges sections of one name, cuts long section names, keeps '# ...' behind a value and stops at NUL:
 * each of these is refused here with its line, and the cleaned text that goes on to inih has the same number of lines.
 */
#include <string.h>

#include "base/memory.h"
#include "base/try.h"
#include "model/ini.h"
#include "model/schema.h"

typedef struct scanner {
    clv_place place; /* of the line at hand */
    clv_pool *pool;
    clv_problems *problems;
    clv_ini *ini;
    char *out;    /* the end of the cleaned text */
    size_t rows;  /* in the cleaned text */
    bool ignored; /* below a heading that could not be read: rows belong nowhere */
} scanner;

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

static void emit(scanner *s, const char *bytes, size_t length)
{
    memcpy(s->out, bytes, length);
    s->out += length;
}

static size_t trim_end(const char *text, size_t length)
{
    while (length && is_blank(text[length - 1])) length--;
    return length;
}

size_t clv_ini_without_comment(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((text[i] == ';' || text[i] == '#') && (i == 0 || is_blank(text[i - 1]))) return trim_end(text, i);
    return trim_end(text, length);
}

/* A control byte other than a tab, or 0. */
static unsigned char control_byte(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) return c;
    }
    return 0;
}

/* Adds the section, or reports where it was opened before. */
static clv_status open_section(scanner *s, const char *name, size_t length, clv_error *err)
{
    clv_ini *ini = s->ini;
    s->ignored = false;
    for (size_t i = 0; i < ini->sections; i++) {
        if (strlen(ini->section[i].name) != length || memcmp(ini->section[i].name, name, length) != 0) continue;
        clv_problem_add(s->problems, s->place,
                        "section [%s] was opened before, in line %d: put its rows together there", ini->section[i].name,
                        ini->section[i].line);
        return CLV_OK;
    }
    clv_status status = clv_grow(&ini->section, &ini->section_capacity, ini->sections + 1, sizeof *ini->section, err);
    if (status != CLV_OK) return status;
    ini->section[ini->sections++] = (clv_ini_section){clv_pool_copy(s->pool, name, length), s->place.line};
    return CLV_OK;
}

static clv_status scan_heading(scanner *s, const char *text, size_t length, clv_error *err)
{
    const char *name = text + 1, *end = memchr(text, ']', length);
    s->ignored = true;
    if (!end) {
        clv_problem_add(s->problems, s->place, "'%.*s' lacks its ']'", (int)length, text);
        return CLV_OK;
    }
    if (end + 1 != text + length)
        clv_problem_add(s->problems, s->place, "'%.*s' stands behind a section's ']': give it a line of its own",
                        (int)(text + length - end - 1), end + 1);
    while (name < end && is_blank(*name)) name++;
    size_t size = trim_end(name, (size_t)(end - name));
    if (size == 0 || size > CLV_SECTION_MAX) {
        clv_problem_add(s->problems, s->place, "a section's name of %zu bytes: it has 1 to %d", size, CLV_SECTION_MAX);
        return CLV_OK;
    }
    if (size != (size_t)(end - text - 1))
        clv_problem_add(s->problems, s->place, "blanks inside a section's brackets: write [%.*s]", (int)size, name);
    emit(s, "[", 1);
    emit(s, name, size);
    emit(s, "]", 1);
    return open_section(s, name, size, err);
}

static void scan_row(scanner *s, const char *text, size_t length)
{
    size_t mark = 0;
    while (mark < length && text[mark] != '=' && text[mark] != ':') mark++;
    int key = (int)trim_end(text, mark);
    if (mark == length)
        clv_problem_add(s->problems, s->place, "'%.*s' has no '=': a row is 'key = value'", (int)length, text);
    else if (key == 0)
        clv_problem_add(s->problems, s->place, "no key before '%c': a row is 'key = value'", text[mark]);
    else if (text[mark] == ':')
        clv_problem_add(s->problems, s->place, "'%.*s' is followed by ':': write '%.*s = ...'", key, text, key, text);
    else if (mark + 1 == length)
        clv_problem_add(s->problems, s->place, "'%.*s' has no value: give one, or leave the row out for the default",
                        key, text);
    else if (!s->ignored) {
        emit(s, text, length);
        s->rows++;
    }
}

static clv_status scan_line(scanner *s, const char *text, size_t length, clv_error *err)
{
    unsigned char control = control_byte(text, length);
    size_t blanks = 0;
    if (control) {
        clv_problem_add(s->problems, s->place, "a control character (byte 0x%02x): remove it", control);
        return CLV_OK;
    }
    length = clv_ini_without_comment(text, length);
    while (blanks < length && is_blank(text[blanks])) blanks++;
    if (blanks == length) return CLV_OK;
    if (length > CLV_LINE_MAX) {
        clv_problem_add(s->problems, s->place, "a line of %zu bytes: at most %d are read", length, CLV_LINE_MAX);
        s->ignored = s->ignored || text[blanks] == '[';
        return CLV_OK;
    }
    if (blanks) clv_problem_add(s->problems, s->place, "an indented line: rows and sections start in the first column");
    if (text[blanks] == '[') return scan_heading(s, text + blanks, length - blanks, err);
    if (!blanks) scan_row(s, text, length);
    return CLV_OK;
}

/* The byte order mark that some editors put before UTF-8. */
static size_t mark_size(const char *bytes, size_t size)
{
    size_t skipped = 0;
    while (size - skipped >= 3 && memcmp(bytes + skipped, "\xEF\xBB\xBF", 3) == 0) skipped += 3;
    return skipped;
}

clv_status clv_ini_scan(clv_place file, const char *bytes, size_t size, clv_pool *pool, clv_problems *problems,
                        clv_ini *ini, char *clean, size_t *rows, clv_error *err)
{
    clv_status status = CLV_OK;
    scanner s = {.place = file, .pool = pool, .problems = problems, .ini = ini, .out = clean};
    const char *at = bytes + mark_size(bytes, size), *end = bytes + size, *nul = size ? memchr(bytes, 0, size) : NULL;
    if (nul) {
        for (const char *c = bytes; c < nul; c++) file.line += *c == '\n';
        file.line++;
        clv_problem_add(problems, file, "a NUL byte: this is not plain text in UTF-8");
        at = end;
    }
    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((line_end ? line_end : end) - at);
        s.place.line++;
        CLV_TRY(scan_line(&s, at, length && at[length - 1] == '\r' ? length - 1 : length, err));
        if (line_end) emit(&s, "\n", 1);
        at = line_end ? line_end + 1 : end;
    }
done:
    *s.out = '\0';
    *rows = s.rows;
    return status;
}
