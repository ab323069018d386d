/* Which PNG files a folder holds, of which class and split. Nothing depends on the file system's order: classes are
 * numbered by the bytes of their names, images stand by the hash of "CLASS/x.png". So any stretch of a split is a fair
 * mixture of its classes, and a file that is added or taken out moves few others from one split to the other. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/try.h"
#include "data/png_list.h"

/* --- what there is ------------------------------------------------------------------------------------------------ */

static bool is_hidden(const clv_entry_name *entry) { return entry->name[0] == '.'; }
static bool is_class(const clv_entry_name *entry) { return entry->folder && !is_hidden(entry); }
static bool is_png_name(const clv_entry_name *entry) { return !is_hidden(entry) && clv_ends_with(entry->name, ".png"); }

static bool is_divided(const clv_names *names)
{
    const clv_entry_name *train = clv_names_find(names, "train"), *test = clv_names_find(names, "test");
    return train && train->folder && test && test->folder;
}

/* A folder that cannot be read counts as a class, so that reading it tells why. */
static clv_status holds_png(const char *root, const char *name, bool *found, clv_error *err)
{
    clv_status status = CLV_OK;
    char path[CLV_PATH_MAX];
    clv_names names = {0};
    CLV_TRY(clv_path_join(path, sizeof path, root, name, err));
    status = clv_names_read(path, &names, err);
    *found = status == CLV_ERR_DATA;
    if (*found) status = CLV_OK;
    for (size_t i = 0; i < names.count && !*found; i++) *found = is_png_name(&names.entry[i]);
done:
    clv_names_free(&names);
    return status;
}

clv_status clv_png_set_is_there(const clv_data_source *source, const clv_names *names, bool *is, clv_error *err)
{
    clv_status status = CLV_OK;
    const clv_entry_name *train = clv_names_find(names, "train");
    *is = is_divided(names);
    for (size_t i = 0; i < names->count && !*is; i++)
        if (is_class(&names->entry[i])) CLV_TRY(holds_png(source->path, names->entry[i].name, is, err));
    CLV_REQUIRE(*is || !train || !train->folder, CLV_ERR_DATA,
                "%s holds train/ but no test/: add test/, or set data.path to %s/train to have a share of it held out",
                source->path, source->path);
done:
    return status;
}

/* --- classes ------------------------------------------------------------------------------------------------------ */

/* Class names stand in CSV, JSON and pictures: UTF-8 without control characters. */
static bool is_plain_text(const char *name)
{
    for (const unsigned char *at = (const unsigned char *)name; *at;) {
        const int more = *at < 0x80 ? 0 : *at >> 5 == 6 ? 1 : *at >> 4 == 14 ? 2 : *at >> 3 == 30 ? 3 : -1;
        if (more < 0 || *at < ' ' || *at == 0x7f || *at == 0xc0 || *at == 0xc1) return false;
        at++;
        for (int i = 0; i < more; i++, at++)
            if (*at >> 6 != 2) return false;
    }
    return true;
}

static clv_status add_class(const clv_png_list *s, const char *name, clv_images *images, size_t *capacity,
                            clv_error *err)
{
    clv_status status = CLV_OK;
    CLV_REQUIRE(images->classes < CLV_MOST_CLASSES, CLV_ERR_DATA,
                "%s holds more than %d class folders, the most there can be: '%s' is one too many", s->root,
                CLV_MOST_CLASSES, name);
    CLV_REQUIRE(is_plain_text(name), CLV_ERR_DATA, "%s/%s: a class folder's name must be UTF-8 text: rename it",
                s->root, name);
    CLV_TRY(clv_grow(&images->class_name, capacity, (size_t)images->classes + 1, sizeof *images->class_name, err));
    char *copy = clv_strdup(name, err);
    if (!copy) return CLV_ERR_INTERNAL;
    images->class_name[images->classes++] = copy;
done:
    return status;
}

/* What is no image of the set and stands where it does no harm is counted, so that somebody can say so. */
static clv_status skip(const char *folder, const char *name, clv_images *images, clv_error *err)
{
    char path[CLV_PATH_MAX];
    clv_status status = clv_path_join(path, sizeof path, folder, name, err);
    if (status != CLV_OK || images->skipped++ > 0) return status;
    images->skipped_name = clv_strdup(path, err);
    return images->skipped_name ? CLV_OK : CLV_ERR_INTERNAL;
}

static clv_status find_classes(const clv_png_list *s, const clv_names *names, clv_images *images, clv_error *err)
{
    clv_status status = CLV_OK;
    size_t capacity = 0;
    for (size_t i = 0; i < names->count; i++) {
        const clv_entry_name *entry = &names->entry[i];
        CLV_REQUIRE(!entry->error || is_hidden(entry), CLV_ERR_DATA, "cannot look at %s/%s: %s", s->root, entry->name,
                    strerror(entry->error));
        if (is_class(entry))
            CLV_TRY(add_class(s, entry->name, images, &capacity, err));
        else
            CLV_TRY(skip(s->root, entry->name, images, err));
    }
    CLV_REQUIRE(images->classes > 0, CLV_ERR_DATA, "%s holds no class folders: put each class's PNG images into one",
                s->root);
done:
    return status;
}

/* test/ has the classes of train/, each of them. */
static clv_status check_same_classes(const clv_png_list *s, const char *train, const clv_names *others,
                                     const clv_images *images, clv_error *err)
{
    clv_status status = CLV_OK;
    for (size_t i = 0; i < others->count; i++) {
        bool found = !is_class(&others->entry[i]);
        for (int k = 0; k < images->classes && !found; k++)
            found = strcmp(images->class_name[k], others->entry[i].name) == 0;
        CLV_REQUIRE(found, CLV_ERR_DATA, "%s has no folder '%s', which %s has: both must have the same classes",
                    s->root, others->entry[i].name, train);
    }
    for (int k = 0; k < images->classes; k++) {
        const clv_entry_name *entry = clv_names_find(others, images->class_name[k]);
        CLV_REQUIRE(entry && is_class(entry), CLV_ERR_DATA,
                    "%s has no folder '%s', which %s has: both must have the same classes", train,
                    images->class_name[k], s->root);
    }
done:
    return status;
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static int by_hash(const void *a, const void *b)
{
    const clv_png_file *x = a, *y = b;
    return x->hash != y->hash ? (x->hash > y->hash) - (x->hash < y->hash) : strcmp(x->name, y->name);
}

static clv_status add_file(clv_png_list *s, const char *class_name, const char *name, int label, clv_error *err)
{
    char path[CLV_PATH_MAX];
    clv_status status = clv_path_join(path, sizeof path, class_name, name, err);
    if (status == CLV_OK) status = clv_grow(&s->file, &s->capacity, s->count + 1, sizeof *s->file, err);
    if (status != CLV_OK) return status;
    clv_png_file *f = &s->file[s->count];
    *f = (clv_png_file){clv_strdup(path, err), clv_hash_bytes(path, strlen(path)).word[0], (uint8_t)label};
    if (!f->name) return CLV_ERR_INTERNAL;
    s->count++;
    return CLV_OK;
}

/* Every entry of a class folder is a PNG file or hidden. */
static clv_status list_class(clv_png_list *s, const char *class_name, int label, clv_images *images, clv_error *err)
{
    clv_status status = CLV_OK;
    char folder[CLV_PATH_MAX];
    clv_names names = {0};
    const size_t before = s->count;
    CLV_TRY(clv_path_join(folder, sizeof folder, s->root, class_name, err));
    CLV_TRY(clv_names_read(folder, &names, err));
    for (size_t i = 0; i < names.count; i++) {
        const clv_entry_name *entry = &names.entry[i];
        if (is_hidden(entry)) {
            CLV_TRY(skip(folder, entry->name, images, err));
            continue;
        }
        CLV_REQUIRE(!entry->error, CLV_ERR_DATA, "cannot look at %s/%s: %s", folder, entry->name,
                    strerror(entry->error));
        CLV_REQUIRE(entry->file, CLV_ERR_DATA, "%s/%s is %s: a class folder holds PNG files alone", folder, entry->name,
                    entry->folder ? "a folder" : "no file");
        CLV_REQUIRE(
            is_png_name(entry), CLV_ERR_DATA,
            "%s/%s is no PNG file by its name: convert it, or take it out; a class folder holds PNG files alone",
            folder, entry->name);
        CLV_TRY(add_file(s, class_name, entry->name, label, err));
    }
    CLV_REQUIRE(s->count > before, CLV_ERR_DATA, "%s holds no PNG images: add some, or take the class folder out",
                folder);
done:
    clv_names_free(&names);
    return status;
}

/* Of one class, file[from ..]: keeps those of the split, the lowest hashes being the test images. */
static clv_status keep_split(clv_png_list *s, size_t from, clv_split split, const char *class_name, clv_error *err)
{
    clv_status status = CLV_OK;
    const size_t count = s->count - from;
    const double asked = s->source->test < 1 ? s->source->test * (double)count : s->source->test;
    size_t test = asked < 1 ? 1 : asked > (double)count ? count : (size_t)(asked + 0.5);
    if (s->source->test < 1 && test == count && count > 1) test = count - 1;
    CLV_REQUIRE(test < count, CLV_ERR_DATA,
                "%s/%s holds %zu image%s, of which data.test = %g leaves none to train on: add images, or lower it",
                s->root, class_name, count, count == 1 ? "" : "s", s->source->test);
    qsort(s->file + from, count, sizeof *s->file, by_hash);
    const size_t low = split == CLV_SPLIT_TEST ? 0 : test, high = split == CLV_SPLIT_TEST ? test : count;
    for (size_t i = 0; i < count; i++) {
        if (i >= low && i < high)
            s->file[from + i - low] = s->file[from + i];
        else
            free(s->file[from + i].name);
    }
    s->count = from + high - low;
done:
    return status;
}

static clv_status list_files(clv_png_list *s, clv_split split, clv_images *images, clv_error *err)
{
    clv_status status = CLV_OK;
    for (int k = 0; k < images->classes; k++) {
        const size_t from = s->count;
        CLV_TRY(list_class(s, images->class_name[k], k, images, err));
        if (!s->divided) CLV_TRY(keep_split(s, from, split, images->class_name[k], err));
    }
    qsort(s->file, s->count, sizeof *s->file, by_hash);
done:
    return status;
}

/* The first image of the first class, by the bytes of their names: of the training images where the folder is divided,
 * else of all. */
static clv_status find_first(clv_png_list *s, const char *root, const char *class_name, clv_error *err)
{
    clv_status status = CLV_OK;
    char folder[CLV_PATH_MAX];
    clv_names names = {0};
    size_t i = 0;
    CLV_TRY(clv_path_join(folder, sizeof folder, root, class_name, err));
    CLV_TRY(clv_names_read(folder, &names, err));
    while (i < names.count && !is_png_name(&names.entry[i])) i++;
    CLV_REQUIRE(i < names.count, CLV_ERR_DATA, "%s holds no PNG images: add some, or take the class folder out",
                folder);
    status = clv_path_join(s->first, sizeof s->first, folder, names.entry[i].name, err);
done:
    clv_names_free(&names);
    return status;
}

/* The training folder's classes are the set's; a test folder has the same. */
static clv_status list_divided(clv_png_list *s, clv_split split, clv_images *images, clv_error *err)
{
    clv_status status = CLV_OK;
    char train[CLV_PATH_MAX];
    clv_names train_names = {0}, names = {0};
    CLV_TRY(clv_path_join(train, sizeof train, s->source->path, "train", err));
    CLV_TRY(clv_path_join(s->root, sizeof s->root, s->source->path, split == CLV_SPLIT_TRAIN ? "train" : "test", err));
    CLV_TRY(clv_names_read(train, &train_names, err));
    CLV_TRY(clv_names_read(s->root, &names, err));
    CLV_TRY(find_classes(s, &names, images, err));
    CLV_TRY(check_same_classes(s, train, &train_names, images, err));
    CLV_TRY(find_first(s, train, images->class_name[0], err));
done:
    clv_names_free(&train_names);
    clv_names_free(&names);
    return status;
}

static clv_status list_whole(clv_png_list *s, const clv_names *names, clv_images *images, clv_error *err)
{
    clv_status status = CLV_OK;
    CLV_REQUIRE(strlen(s->source->path) < sizeof s->root, CLV_ERR_DATA, "data.path is longer than %d bytes",
                CLV_PATH_MAX - 1);
    strcpy(s->root, s->source->path);
    CLV_TRY(find_classes(s, names, images, err));
    CLV_TRY(find_first(s, s->root, images->class_name[0], err));
done:
    return status;
}

clv_status clv_png_list_make(const clv_data_source *source, const clv_names *names, clv_split split, clv_png_list *list,
                             clv_images *images, clv_error *err)
{
    clv_status status = CLV_OK;
    list->source = source;
    list->divided = is_divided(names);
    if (list->divided)
        CLV_TRY(list_divided(list, split, images, err));
    else
        CLV_TRY(list_whole(list, names, images, err));
    CLV_TRY(list_files(list, split, images, err));
done:
    return status;
}

void clv_png_list_free(clv_png_list *list)
{
    for (size_t i = 0; i < list->count; i++) free(list->file[i].name);
    free(list->file);
    list->file = NULL;
    list->count = list->capacity = 0;
}
