/* Files, what they include and overrides, merged into one list of entries: later ones win. */
#include "model/source.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/try.h"
#include "model/ini.h"

enum { FILE_LIMIT = 64 * 1024, INCLUDE_DEPTH = 16 };

/* A file that is being read, and the one that includes it. */
typedef struct open_file {
    const struct open_file *parent;
    clv_place place;
    bool on_disk; /* so that dev and ino say which file it is */
    dev_t dev;
    ino_t ino;
    int depth;
} open_file;

static clv_status read_bytes(clv_source *source, open_file *file, const char *bytes, size_t size, clv_error *err);

clv_entry *clv_source_find(const clv_source *source, int section, const char *key, const char *arg)
{
    for (size_t i = 0; i < source->entries; i++) {
        clv_entry *entry = &source->entry[i];
        if (entry->section != section || strcmp(entry->key, key) != 0 || !entry->arg != !arg) continue;
        if (!arg || strcmp(entry->arg, arg) == 0) return entry;
    }
    return NULL;
}

void clv_source_set(clv_source *source, clv_entry entry)
{
    clv_entry *found = clv_source_find(source, entry.section, entry.key, entry.arg);
    if (found) {
        *found = entry;
        return;
    }
    if (clv_grow(&source->entry, &source->capacity, source->entries + 1, sizeof entry, NULL) != CLV_OK)
        source->problems->failed = true;
    else
        source->entry[source->entries++] = entry;
}

void clv_source_free(clv_source *source)
{
    free(source->entry);
    *source = (clv_source){0};
}

static bool is_word(const char *text)
{
    bool letter = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z');
    return letter && strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == strlen(text);
}

/* A key that [section] does not have: the nearest one that it has, or the section that does have it. */
static void unknown_key(clv_source *source, int section, const char *key, clv_place place)
{
    const char *names[CLV_KEYS], *in = clv_section_table[section].name;
    const char *hint = clv_hint(source->problems, key, names, clv_key_names(section, names));
    for (int i = 0; i < CLV_KEYS && !*hint; i++)
        if (strcmp(clv_key_table[i].value.name, key) == 0)
            hint = clv_pool_format(&source->problems->pool, "; it is a key of [%s]",
                                   clv_section_table[clv_key_table[i].section].name);
    if (!*hint && strcmp(key, "include") == 0) hint = "; it stands above the first section";
    if (!*hint) hint = clv_pool_format(&source->problems->pool, "; see 'clave explain %s'", in);
    clv_problem_add(source->problems, place, "unknown key '%s' in [%s]%s", key, in, hint);
}

/* Whether a section takes that key; reports where not. */
static bool check_key(clv_source *source, int section, const char *key, clv_place place)
{
    clv_section_kind kind = clv_section_table[section].kind;
    if (kind == CLV_SECTION_KEYS) {
        if (clv_key_find(section, key) >= 0) return true;
        unknown_key(source, section, key, place);
        return false;
    }
    if (kind == CLV_SECTION_SPACE) {
        if (strchr(key, '.')) return true;
        clv_problem_add(source->problems, place, "'%s' in [space]: write section.key, such as params.%s", key, key);
        return false;
    }
    if (is_word(key)) return true;
    clv_problem_add(source->problems, place, "'%s' is no name for a %s: letters, digits and '_', opening with a letter",
                    key, kind == CLV_SECTION_PARAMS ? "parameter" : "layer");
    return false;
}

static void take_row(clv_source *source, const clv_ini_row *row, clv_place place)
{
    int section = clv_section_find(row->section);
    place.line = row->line;
    if (!*row->section && strcmp(row->key, "include") != 0)
        clv_problem_add(source->problems, place, "'%s' stands above the first section: only 'include' may", row->key);
    if (section < 0 || !check_key(source, section, row->key, place)) return;
    const clv_entry *found = clv_source_find(source, section, row->key, NULL);
    if (found && found->place.order == place.order)
        clv_problem_add(source->problems, place, "'%s' was set before, in line %d: keep one of the two", row->key,
                        found->place.line);
    else
        clv_source_set(source, (clv_entry){.section = section, .key = row->key, .value = row->value, .place = place});
}

/* Drops a section's rows that came from included files: the file at hand has the whole of it. */
static void drop_section(clv_source *source, int section)
{
    size_t kept = 0;
    for (size_t i = 0; i < source->entries; i++)
        if (source->entry[i].section != section) source->entry[kept++] = source->entry[i];
    source->entries = kept;
}

static void take_sections(clv_source *source, const clv_ini *ini, clv_place place)
{
    for (size_t i = 0; i < ini->sections; i++) {
        const char *name = ini->section[i].name, *names[CLV_SECTIONS];
        int section = clv_section_find(name);
        place.line = ini->section[i].line;
        if (section < 0) {
            clv_section_names(names);
            const char *hint = clv_hint(source->problems, name, names, CLV_SECTIONS);
            clv_problem_add(source->problems, place, "unknown section [%s]%s", name,
                            *hint ? hint : "; 'clave explain' lists them");
            continue;
        }
        source->opened[section] = true;
        if (clv_section_table[section].kind == CLV_SECTION_LAYERS ||
            clv_section_table[section].kind == CLV_SECTION_SPACE)
            drop_section(source, section);
    }
}

/* "a.ini -> b.ini -> a.ini", from the root down to `name`. */
static const char *chain(clv_source *source, const open_file *from, const char *name)
{
    const char *text = name;
    for (const open_file *f = from; f; f = f->parent)
        text = clv_pool_format(&source->problems->pool, "%s -> %s", f->place.file, text);
    return text;
}

/* Reads the file at path into `file`; what goes wrong is a problem at `row`. */
static clv_status read_file(clv_source *source, open_file *file, const char *path, clv_place row, clv_error *err)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    clv_error failure = {0};
    clv_status status = clv_file_read(path, FILE_LIMIT, CLV_ERR_CONFIG, &bytes, &size, &failure);
    if (status == CLV_ERR_INTERNAL) return clv_fail(err, status, "%s", failure.message);
    if (status != CLV_OK) {
        source->lacking = true;
        clv_problem_add(source->problems, row, "%s", failure.message);
        return CLV_OK;
    }
    struct stat info;
    file->on_disk = stat(path, &info) == 0;
    if (file->on_disk) {
        file->dev = info.st_dev;
        file->ino = info.st_ino;
    }
    for (const open_file *f = file->parent; f; f = f->parent)
        if (f->on_disk && file->on_disk && f->dev == file->dev && f->ino == file->ino) {
            source->lacking = true;
            clv_problem_add(source->problems, row, "files include each other: %s", chain(source, file->parent, path));
            goto done;
        }
    CLV_TRY(read_bytes(source, file, (const char *)bytes, size, err));
done:
    free(bytes);
    return status;
}

/* `include = name`, where name is relative to the file that says so. */
static clv_status include(clv_source *source, const open_file *parent, const clv_ini_row *row, clv_error *err)
{
    clv_place place = parent->place;
    place.line = row->line;
    const char *folder_end = strrchr(parent->place.file, '/');
    const char *path = row->value;
    if (parent->depth == INCLUDE_DEPTH) {
        source->lacking = true;
        clv_problem_add(source->problems, place, "includes are more than %d deep: %s", INCLUDE_DEPTH,
                        chain(source, parent, row->value));
        return CLV_OK;
    }
    if (row->value[0] != '/' && folder_end && parent->on_disk)
        path =
            clv_pool_format(source->pool, "%.*s/%s", (int)(folder_end - parent->place.file), parent->place.file, path);
    open_file file = {.parent = parent, .depth = parent->depth + 1};
    file.place = (clv_place){.file = path, .order = source->files++};
    return read_file(source, &file, path, place, err);
}

static clv_status read_bytes(clv_source *source, open_file *file, const char *bytes, size_t size, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_ini ini = {0};
    const clv_ini_row *included = NULL;
    clv_place place = file->place;
    CLV_TRY(clv_ini_read(place, bytes, size, source->pool, source->problems, &ini, err));
    source->read = true;

    for (size_t i = 0; i < ini.rows; i++) {
        const clv_ini_row *row = &ini.row[i];
        if (*row->section || strcmp(row->key, "include") != 0) continue;
        place.line = row->line;
        if (included)
            clv_problem_add(source->problems, place, "one include a file: line %d has it", included->line);
        else
            CLV_TRY(include(source, file, included = row, err));
    }
    take_sections(source, &ini, file->place);
    for (size_t i = 0; i < ini.rows; i++) take_row(source, &ini.row[i], file->place);
done:
    clv_ini_free(&ini);
    return status;
}

clv_status clv_source_read(clv_source *source, const char *path, const char *text, size_t size, clv_error *err)
{
    open_file root = {.place = {.file = path, .order = source->files++}};
    source->root = root.place;
    source->problems->root = path;
    if (text) return read_bytes(source, &root, text, size, err);
    /* What cannot be read is named by the message itself. */
    return read_file(source, &root, path, (clv_place){.file = ""}, err);
}

/* --- overrides ------------------------------------------------------------------------------------------------------
 */

static const clv_place command_line = {NULL, CLV_ORDER_COMMAND_LINE, 0};

/* Splits "encoder.conv1.channels" at its dots, in place; returns how many parts, at most `most` + 1. */
static int split(char *text, char *part[], int most)
{
    int parts = 0;
    for (char *at = text; at; parts++) {
        if (parts == most) return parts + 1;
        part[parts] = at;
        at = strchr(at, '.');
        if (at) *at++ = '\0';
    }
    return parts;
}

/* Parameters and layers can be replaced from the command line, not added: a name that is not there is a slip. */
static bool is_there(clv_source *source, int section, const char *key)
{
    clv_section_kind kind = clv_section_table[section].kind;
    if (kind == CLV_SECTION_KEYS || kind == CLV_SECTION_SPACE || clv_source_find(source, section, key, NULL))
        return true;
    const char **names = clv_alloc(source->entries + 1, sizeof *names, NULL);
    if (!names) {
        source->problems->failed = true;
        return false;
    }
    int count = 0;
    for (size_t i = 0; i < source->entries; i++)
        if (source->entry[i].section == section) names[count++] = source->entry[i].key;
    clv_problem_add(source->problems, command_line, "[%s] has no '%s' to replace%s", clv_section_table[section].name,
                    key, clv_hint(source->problems, key, names, count));
    free(names);
    return false;
}

static void override_parts(clv_source *source, char *part[3], int parts, const char *value)
{
    const char *names[CLV_SECTIONS];
    int section = clv_section_find(part[0]);
    if (section < 0) {
        clv_section_names(names);
        const char *hint = clv_hint(source->problems, part[0], names, CLV_SECTIONS);
        clv_problem_add(source->problems, command_line, "unknown section '%s'%s", part[0],
                        *hint ? hint : "; 'clave explain' lists them");
        return;
    }
    if (parts == 3 && clv_section_table[section].kind != CLV_SECTION_LAYERS) {
        clv_problem_add(source->problems, command_line, "'%s.%s.%s': [%s] has no layers: write %s.key=value", part[0],
                        part[1], part[2], part[0], part[0]);
        return;
    }
    if (!check_key(source, section, part[1], command_line) || !is_there(source, section, part[1])) return;
    clv_entry entry = {.section = section, .place = command_line};
    entry.key = clv_pool_copy(source->pool, part[1], strlen(part[1]));
    entry.arg = parts == 3 ? clv_pool_copy(source->pool, part[2], strlen(part[2])) : NULL;
    entry.value = clv_pool_copy(source->pool, value, strlen(value));
    if (!source->pool->failed) clv_source_set(source, entry);
}

static bool has_control(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f) return true;
    return false;
}

void clv_source_override(clv_source *source, const char *text)
{
    size_t length = strlen(text);
    const char *equals = strchr(text, '=');
    char key[CLV_LINE_MAX + 1] = {0}, *part[3];
    if (length > CLV_LINE_MAX || has_control(text) || clv_ini_without_comment(text, length) != length) {
        clv_problem_add(source->problems, command_line,
                        "an override that no INI line could hold: it has at most %d bytes, no control characters, no "
                        "blank at its end and no ';' or '#' behind a blank",
                        CLV_LINE_MAX);
        return;
    }
    if (equals) memcpy(key, text, (size_t)(equals - text));
    int parts = split(key, part, strncmp(key, "space.", 6) ? 3 : 1); /* what follows "space." is a key itself */
    if (parts > 1 && !strcmp(part[0], "space")) part[1] = part[0] + 6, parts = 2;
    if (!equals || parts < 2 || parts > 3) {
        clv_problem_add(source->problems, command_line,
                        "'%s' is no override: write section.key=value or encoder.layer.argument=value", text);
        return;
    }
    const char *value = equals + 1 + strspn(equals + 1, " ");
    if (!*value)
        clv_problem_add(source->problems, command_line, "'%s' has no value", text);
    else
        override_parts(source, part, parts, value);
}
