/* src/data: which files of a folder make a data set, of which class and split: PNG images in class folders, IDX files
 * of any name; and every folder that is refused. */
#include "support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libdeflate.h>

#include "base/memory.h"
#include "clave/data.h"
#include "clave/report.h"

typedef struct file {
    uint8_t at[8192 + 64];
    size_t size;
} picture;

static char root[300]; /* of the data set of one test */

static const char *at(const char *name)
{
    static char buffer[4][700];
    static int turn;
    char *path = buffer[turn++ % 4];
    snprintf(path, sizeof buffer[0], *name ? "%s/%s" : "%s%s", root, name);
    return path;
}

static int fresh_root(void **state)
{
    (void)state;
    static int number;
    snprintf(root, sizeof root, "%s/set%d", test_folder(), number++);
    return mkdir(root, 0777);
}

static void make(const char *name) { assert_int_equal(mkdir(at(name), 0777), 0); }

static void put(const char *name, const void *bytes, size_t size)
{
    FILE *file = fopen(at(name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void put_chunk(picture *png, const char *name, const uint8_t *data, size_t size)
{
    uint8_t *chunk = png->at + png->size;
    for (int i = 0; i < 4; i++) chunk[i] = (uint8_t)(size >> (24 - 8 * i));
    memcpy(chunk + 4, name, 4);
    if (size) memcpy(chunk + 8, data, size);
    const uint32_t check = libdeflate_crc32(0, chunk + 4, size + 4);
    for (int i = 0; i < 4; i++) chunk[8 + size + (size_t)i] = (uint8_t)(check >> (24 - 8 * i));
    png->size += size + 12;
}

/* A plain picture whose every value is `value`. Not by clv_png_write: its fsync, many times over, takes long on some
 * disks. */
static void put_png(const char *name, int channels, int height, int width, int value)
{
    picture png = {.size = 8};
    uint8_t rows[8192] = {0}, packed[8192];
    const size_t stride = 1 + (size_t)(channels * width);
    assert_true(stride * (size_t)height <= sizeof rows);
    for (int y = 0; y < height; y++) memset(rows + (size_t)y * stride + 1, value, stride - 1);
    struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(6);
    assert_non_null(compressor);
    const size_t size = libdeflate_zlib_compress(compressor, rows, stride * (size_t)height, packed, sizeof packed);
    assert_true(size > 0);
    libdeflate_free_compressor(compressor);
    const uint8_t head[13] = {0,
                              0,
                              (uint8_t)(width >> 8),
                              (uint8_t)width,
                              0,
                              0,
                              (uint8_t)(height >> 8),
                              (uint8_t)height,
                              8,
                              channels == 3 ? 2 : 0};
    memcpy(png.at, "\x89PNG\r\n\x1a\n", 8);
    put_chunk(&png, "IHDR", head, sizeof head);
    put_chunk(&png, "IDAT", packed, size);
    put_chunk(&png, "IEND", NULL, 0);
    put(name, png.at, png.size);
}

/* CLASS/00.png ..., of values first, first + 1, ... */
static void put_class(const char *folder, int count, int first)
{
    char name[64];
    make(folder);
    for (int i = count - 1; i >= 0; i--) {
        snprintf(name, sizeof name, "%s/%02d.png", folder, i);
        put_png(name, 1, 2, 3, first + i);
    }
}

static clv_images load(clv_split split)
{
    clv_images images = {0};
    assert_ok(clv_images_load(root, split, &images, err));
    return images;
}

static void refuse_as(clv_data_source source, clv_split split, const char *file, const char *part)
{
    clv_images images = {.count = 77};
    clv_error error = {0};
    source.path = root;
    if (source.test == 0) source.test = 0.2;
    assert_int_equal(clv_data_load(&source, split, &images, &error), CLV_ERR_DATA);
    assert_int_equal(error.status, CLV_ERR_DATA);
    if (!strstr(error.message, at(file))) fail_msg("'%s' does not name '%s'", error.message, at(file));
    if (!strstr(error.message, part)) fail_msg("'%s' does not say '%s'", error.message, part);
    assert_null(strchr(error.message, '\n'));
    assert_int_equal(images.count, 77);
    assert_null(images.pixel);
}

static void refuse(const char *file, const char *part) { refuse_as((clv_data_source){0}, CLV_SPLIT_TRAIN, file, part); }

/* --- PNG images --------------------------------------------------------------------------------------------------- */

static void class_folders_are_split(void **state)
{
    (void)state;
    put_class("b", 10, 0);
    put_class("B", 20, 100);
    put_class("\xc3\xa0", 3, 200);
    clv_images train = load(CLV_SPLIT_TRAIN), test = load(CLV_SPLIT_TEST);
    assert_int_equal(test.count, 2 + 4 + 1);
    assert_int_equal(train.count, 8 + 16 + 2);
    assert_true(train.channels == 1 && train.height == 2 && train.width == 3);
    assert_int_equal(train.classes, 3);
    assert_string_equal(train.class_name[0], "B"); /* by bytes: capitals first */
    assert_string_equal(train.class_name[1], "b");
    assert_string_equal(test.class_name[2], "\xc3\xa0");
    int seen[256] = {0}, of_class[2][3] = {{0}};
    for (int split = 0; split < 2; split++) {
        const clv_images *images = split ? &test : &train;
        for (uint32_t i = 0; i < images->count; i++) {
            const int value = images->pixel[6 * i];
            seen[value]++;
            of_class[split][images->label[i]]++;
            assert_int_equal(images->label[i], value >= 200 ? 2 : value >= 100 ? 0 : 1);
            for (int p = 0; p < 6; p++) assert_int_equal(images->pixel[6 * i + (uint32_t)p], value);
        }
    }
    for (int value = 0; value < 256; value++)
        assert_int_equal(seen[value], value < 10 || (value >= 100 && value < 120) || (value >= 200 && value < 203));
    assert_true(of_class[1][0] == 4 && of_class[1][1] == 2 && of_class[1][2] == 1);
    clv_images_free(&train);
    clv_images_free(&test);
    assert_null(train.class_name);
}

/* The tail of a split, which a run holds out for validation, has images of every class. */
static void images_stand_mixed(void **state)
{
    (void)state;
    put_class("a", 60, 0);
    put_class("b", 60, 100);
    clv_images train = load(CLV_SPLIT_TRAIN), again = load(CLV_SPLIT_TRAIN);
    int last[2] = {0};
    for (uint32_t i = train.count - 30; i < train.count; i++) last[train.label[i]]++;
    assert_true(last[0] >= 5 && last[1] >= 5);
    assert_memory_equal(train.pixel, again.pixel, train.count * 6);
    clv_images_free(&train);
    clv_images_free(&again);
}

/* A file more in one class moves at most one image between the splits, and no image of another class. */
static void a_new_file_moves_few(void **state)
{
    (void)state;
    put_class("a", 30, 0);
    put_class("b", 30, 100);
    clv_images before = load(CLV_SPLIT_TEST);
    put_png("a/new.png", 1, 2, 3, 50);
    clv_images after = load(CLV_SPLIT_TEST);
    int moved[2] = {0};
    for (uint32_t i = 0; i < before.count; i++) {
        bool stays = false;
        for (uint32_t k = 0; k < after.count; k++) stays |= after.pixel[6 * k] == before.pixel[6 * i];
        moved[before.label[i]] += !stays;
    }
    assert_true(moved[0] <= 1);
    assert_int_equal(moved[1], 0);
    clv_images_free(&before);
    clv_images_free(&after);
}

static void test_images_by_number(void **state)
{
    (void)state;
    put_class("a", 9, 0);
    put_class("b", 5, 100);
    clv_images test = {0};
    const clv_data_source source = {.path = root, .test = 4};
    assert_ok(clv_data_load(&source, CLV_SPLIT_TEST, &test, err));
    assert_int_equal(test.count, 8);
    clv_images_free(&test);
    refuse_as((clv_data_source){.test = 5}, CLV_SPLIT_TEST, "b holds 5 images",
              "of which data.test = 5 leaves none to train on");
    put_class("c", 1, 0);
    refuse("c holds 1 image,", "data.test = 0.2 leaves none");
}

static void divided_folders_are_read(void **state)
{
    (void)state;
    make("train");
    make("test");
    put_class("train/x", 4, 0);
    put_class("train/y", 3, 100);
    put_class("test/x", 2, 50);
    put_class("test/y", 1, 150);
    clv_images train = load(CLV_SPLIT_TRAIN), test = load(CLV_SPLIT_TEST);
    assert_true(train.count == 7 && test.count == 3 && test.classes == 2);
    for (uint32_t i = 0; i < 3; i++) assert_int_equal(test.label[i], test.pixel[6 * i] >= 100);
    clv_images_free(&train);
    clv_images_free(&test);

    make("test/z");
    put_png("test/z/0.png", 1, 2, 3, 0);
    refuse_as((clv_data_source){0}, CLV_SPLIT_TEST, "train", "has no folder 'z'");
    put_class("train/z", 1, 0);
    put_class("train/w", 1, 0);
    refuse_as((clv_data_source){0}, CLV_SPLIT_TEST, "test has", "has no folder 'w'");
    put_class("test/w", 1, 0);
    /* The first training image, train/w/00.png, says what test images must be. */
    put_png("test/y/00.png", 1, 3, 3, 0);
    refuse_as((clv_data_source){0}, CLV_SPLIT_TEST, "test/y/00.png is 3x3 pixels", "train/w/00.png, is 2x3");
}

static void train_alone_is_refused(void **state)
{
    (void)state;
    make("train");
    put_class("train/x", 4, 0);
    refuse("", "holds train/ but no test/");
}

/* A class may be called "train", where there is no "test". */
static void a_class_may_be_called_train(void **state)
{
    (void)state;
    put_class("train", 4, 0);
    put_class("plane", 4, 100);
    clv_images train = load(CLV_SPLIT_TRAIN);
    assert_int_equal(train.classes, 2);
    clv_images_free(&train);
}

static void what_is_left_out_is_counted(void **state)
{
    (void)state;
    put_class("a", 3, 0);
    put("a/.DS_Store", "x", 1);
    put("a/._00.png", "x", 1);
    make(".git");
    put("README.md", "x", 1);
    assert_int_equal(symlink("nowhere", at(".link")), 0);
    clv_images train = load(CLV_SPLIT_TRAIN);
    assert_int_equal(train.count, 2);
    assert_int_equal(train.skipped, 5);
    assert_string_equal(train.skipped_name, at(".git"));
    clv_images_free(&train);
}

static void names_may_be_in_capitals(void **state)
{
    (void)state;
    make("a");
    put_png("a/0.PNG", 1, 2, 3, 1);
    put_png("a/1.Png", 1, 2, 3, 2);
    clv_images train = load(CLV_SPLIT_TRAIN);
    assert_int_equal(train.count, 1);
    clv_images_free(&train);
}

static void sizes_are_refused_or_made(void **state)
{
    (void)state;
    put_class("a", 3, 50);
    put_png("a/01.png", 1, 4, 3, 51); /* one of the two is trained on */
    put_png("a/02.png", 1, 4, 3, 52);
    refuse_as((clv_data_source){.test = 1}, CLV_SPLIT_TRAIN, "a/0", "png is 4x3 pixels");
    refuse_as((clv_data_source){.test = 1}, CLV_SPLIT_TRAIN, "a/00.png, is 2x3: set data.size", "");
    clv_images images = {0};
    const clv_data_source source = {.path = root, .test = 1, .height = 5, .width = 7, .channels = 3};
    assert_ok(clv_data_load(&source, CLV_SPLIT_TRAIN, &images, err));
    assert_true(images.count == 2 && images.channels == 3 && images.height == 5 && images.width == 7);
    for (uint32_t i = 0; i < 2 * 3 * 5 * 7; i++) assert_in_range(images.pixel[i], 50, 52);
    assert_int_equal(images.pixel[0], images.pixel[104]);
    clv_images_free(&images);
}

static void channels_are_refused_or_made(void **state)
{
    (void)state;
    make("a");
    uint8_t pixel[3 * 6];
    for (int i = 0; i < 18; i++) pixel[i] = (uint8_t)(10 * i);
    assert_ok(clv_png_write(at("a/0.png"), pixel, 3, 2, 3, err));
    assert_ok(clv_png_write(at("a/1.png"), pixel, 3, 2, 3, err));
    clv_images images = load(CLV_SPLIT_TRAIN);
    assert_true(images.channels == 3 && images.count == 1);
    for (int c = 0; c < 3; c++) /* [c][y][x] of [y][x][c] */
        for (int p = 0; p < 6; p++) assert_int_equal(images.pixel[6 * c + p], 10 * (3 * p + c));
    clv_images_free(&images);
    put_png("a/1.png", 1, 2, 3, 9);
    put_png("a/2.png", 1, 2, 3, 9);
    refuse_as((clv_data_source){.test = 1}, CLV_SPLIT_TRAIN, "a/", "is grey, but the first image");
    for (int channels = 1; channels <= 3; channels += 2) {
        const clv_data_source source = {.path = root, .test = 1, .channels = channels};
        assert_ok(clv_data_load(&source, CLV_SPLIT_TRAIN, &images, err));
        assert_int_equal(images.channels, channels);
        clv_images_free(&images);
    }
}

static void hostile_folders_are_named(void **state)
{
    (void)state;
    refuse("", "and no subfolders of PNG images");
    put_class("a", 3, 0);
    make("empty");
    refuse("empty holds no PNG images", "take the class folder out");
    put("empty/.hidden", "x", 1);
    refuse("empty holds no PNG images", "");
    put("empty/x.jpg", "x", 1);
    refuse("empty/x.jpg is no PNG file by its name", "convert it");
    unlink(at("empty/x.jpg"));
    put("empty/x.png", "I am a text\n", 12);
    put("empty/y.png", "I am a text\n", 12);
    refuse("empty/", ".png is no PNG file: it starts with 49 20 61 6d");
    unlink(at("empty/x.png"));
    put_png("empty/y.png", 1, 2, 3, 0);
    make("empty/x.png");
    refuse("empty/x.png is a folder", "");
    rmdir(at("empty/x.png"));
    assert_int_equal(symlink("x.png", at("empty/x.png")), 0);
    refuse("empty/x.png: Too many levels of symbolic links", "cannot look at");
    unlink(at("empty/x.png"));
    assert_int_equal(symlink("none.png", at("empty/x.png")), 0);
    refuse("empty/x.png: No such file", "cannot look at");
    unlink(at("empty/x.png"));
    assert_int_equal(mkfifo(at("empty/x.png"), 0666), 0);
    refuse("empty/x.png is no file", ""); /* and is not waited for */
    unlink(at("empty/x.png"));
    assert_int_equal(symlink("..", at("empty/x")), 0);
    refuse("empty/x is a folder", "");
    unlink(at("empty/x"));
    assert_int_equal(symlink("loop", at("loop")), 0);
    refuse("loop: Too many levels of symbolic links", "cannot look at");
    unlink(at("loop"));
    make("ca\xc0t");
    refuse("ca", "must be UTF-8 text");
    rmdir(at("ca\xc0t"));
    make("a\nb");
    refuse("a b", "must be UTF-8 text");
}

static void unreadable_files_are_named(void **state)
{
    (void)state;
    const bool root_user = getuid() == 0; /* who reads everything: be nobody for a while */
    put_class("a", 3, 0);
    put_class("b", 3, 0);
    if (root_user) {
        chmod(test_folder(), 0755);
        if (seteuid(65534) != 0) skip();
    }
    const bool reachable = faccessat(AT_FDCWD, at("a"), R_OK | X_OK, AT_EACCESS) == 0;
    if (root_user) assert_int_equal(seteuid(0), 0);
    if (!reachable) skip();
    for (int i = 0; i < 2; i++) {
        chmod(at(i ? "b" : "a/00.png"), 0);
        if (root_user) assert_int_equal(seteuid(65534), 0);
        if (i)
            refuse("b: Permission denied", "cannot read the folder");
        else
            refuse("a/00.png: Permission denied", "cannot open");
        if (root_user) assert_int_equal(seteuid(0), 0);
        chmod(at(i ? "b" : "a/00.png"), 0777);
    }
}

static void damaged_images_are_named(void **state)
{
    (void)state;
    put_class("a", 3, 0);
    struct stat info;
    put_png("a/01.png", 1, 2, 3, 0);
    assert_int_equal(stat(at("a/01.png"), &info), 0);
    for (off_t size = 0; size < info.st_size; size++) {
        put_png("a/01.png", 1, 2, 3, 0);
        assert_int_equal(truncate(at("a/01.png"), size), 0);
        clv_images images = {0};
        const clv_data_source source = {.path = root, .test = 1};
        clv_error error[2] = {{0}};
        const bool train = clv_data_load(&source, CLV_SPLIT_TRAIN, &images, &error[0]) == CLV_OK;
        if (train) clv_images_free(&images);
        const bool test = clv_data_load(&source, CLV_SPLIT_TEST, &images, &error[1]) == CLV_OK;
        if (test) clv_images_free(&images);
        assert_true(train != test); /* the file is in one split */
        assert_non_null(strstr(error[train].message, at("a/01.png")));
    }
}

/* 256 fit into a byte. */
static void classes_are_limited(void **state)
{
    (void)state;
    char name[16];
    for (int i = 0; i < 257; i++) {
        snprintf(name, sizeof name, "c%03d", i);
        if (i < 256)
            put_class(name, 2, i % 200);
        else
            make(name);
        if (i == 255) {
            clv_images train = load(CLV_SPLIT_TRAIN);
            assert_true(train.count == 256 && train.classes == 256);
            clv_images_free(&train);
        }
    }
    refuse("", "more than 256 class folders");
}

static void large_images_are_refused(void **state)
{
    (void)state;
    make("a");
    put_png("a/0.png", 1, 3, 1025, 0);
    put_png("a/1.png", 1, 3, 1025, 0);
    refuse("a/0.png is 3x1025 pixels", "sides up to 1024 are trained on: set data.size");
    clv_images images = {0};
    const clv_data_source source = {.path = root, .test = 0.2, .height = 8, .width = 8};
    assert_ok(clv_data_load(&source, CLV_SPLIT_TRAIN, &images, err));
    clv_images_free(&images);
}

/* Returns how many did. */
static int fail_each_allocation(void)
{
    clv_status status = CLV_ERR_INTERNAL;
    int failures = 0;
    for (long nth = 1; status != CLV_OK; nth++) {
        clv_images images = {0};
        clv_error error = {0};
        clv_fail_allocation(nth);
        status = clv_images_load(root, CLV_SPLIT_TEST, &images, &error);
        clv_fail_allocation(0);
        if (status != CLV_OK) {
            assert_int_equal(status, CLV_ERR_INTERNAL);
            assert_true(strlen(error.message) > 0);
            assert_null(images.pixel);
            failures++;
        }
        clv_images_free(&images);
    }
    return failures;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    put_class("x", 3, 0);
    put(".hidden", "", 0);
    assert_true(fail_each_allocation() > 30);
    make("train");
    make("test");
    put_class("train/x", 3, 0);
    put_class("test/x", 2, 50);
    assert_true(fail_each_allocation() > 30);
}

/* --- IDX files ---------------------------------------------------------------------------------------------------- */

static void put_idx(const char *name, int count, int side, const uint8_t *values)
{
    uint8_t bytes[16 + 4096] = {0, 0, 8, side ? 3 : 1, 0, 0, 0, (uint8_t)count};
    const size_t head = side ? 16 : 8, size = (size_t)count * (side ? (size_t)(side * side) : 1);
    if (side) bytes[11] = bytes[15] = (uint8_t)side;
    for (size_t i = 0; i < size; i++) bytes[head + i] = values ? values[i] : (uint8_t)(i * 7);
    put(name, bytes, head + size);
}

static void idx_sets_of_other_names_are_found(void **state)
{
    (void)state;
    put_idx("emnist-letters-train-images-idx3-ubyte", 4, 3, NULL);
    put_idx("emnist-letters-train-labels-idx1-ubyte", 4, 0, (const uint8_t[]){1, 26, 3, 2});
    put_idx("emnist-letters-test-images-idx3-ubyte", 2, 3, NULL);
    put_idx("emnist-letters-test-labels-idx1-ubyte", 2, 0, (const uint8_t[]){5, 6});
    put_idx("emnist-letters-mapping.txt", 1, 0, NULL);
    clv_images train = load(CLV_SPLIT_TRAIN), test = load(CLV_SPLIT_TEST);
    assert_true(train.count == 4 && test.count == 2);
    assert_int_equal(train.classes, 27);
    assert_int_equal(test.classes, 27); /* of both splits, though its labels end at 6 */
    assert_string_equal(test.class_name[26], "26");
    assert_int_equal(test.label[1], 6);
    clv_images_free(&train);
    clv_images_free(&test);

    put_idx("emnist-digits-train-images-idx3-ubyte", 9, 3, NULL);
    refuse("", "holds several files of training images");
}

static void several_idx_sets_are_chosen_from(void **state)
{
    (void)state;
    put_idx("a-train-images-idx3-ubyte", 4, 3, NULL);
    put_idx("b-train-images.idx3-ubyte", 5, 3, NULL);
    put_idx("b-train-labels.idx1-ubyte", 5, 0, (const uint8_t[]){0, 1, 2, 3, 4});
    put_idx("b-train-labels.idx1-ubyte.gz", 7, 0, NULL); /* the plain file goes first */
    put_idx("t10k-images-idx3-ubyte", 3, 3, NULL);
    put_idx("other", 3, 0, (const uint8_t[]){9, 0, 1});
    clv_images images = {0};
    refuse("", "a-train-images-idx3-ubyte and b-train-images.idx3-ubyte: name one of them by data.train_images");
    clv_data_source source = {.path = root, .file = {"b-train-images.idx3-ubyte"}};
    assert_ok(clv_data_load(&source, CLV_SPLIT_TRAIN, &images, err));
    assert_true(images.count == 5 && images.label && images.classes == 5);
    clv_images_free(&images);
    source.file[0] = "a-train-images-idx3-ubyte";
    assert_ok(clv_data_load(&source, CLV_SPLIT_TRAIN, &images, err));
    assert_true(images.count == 4 && !images.label && images.classes == 0);
    assert_refused(clv_images_need_labels(&images, 10, err), CLV_ERR_DATA, "a-train-images-idx3-ubyte has no labels");
    clv_images_free(&images);
    source.file[3] = at("other"); /* an absolute path */
    assert_ok(clv_data_load(&source, CLV_SPLIT_TEST, &images, err));
    assert_true(images.count == 3 && images.label[0] == 9 && images.classes == 10);
    assert_ok(clv_images_need_labels(&images, 10, err));
    assert_refused(clv_images_need_labels(&images, 9, err), CLV_ERR_DATA,
                   "other: the label of image 1 is 9, but there are 9 classes");
    clv_images_free(&images);
    refuse_as((clv_data_source){.file = {"none"}}, CLV_SPLIT_TRAIN, "none: No such file", "");
    refuse_as((clv_data_source){.file = {[3] = "none"}}, CLV_SPLIT_TEST, "none: No such file", "");
}

static void mnist_names_go_first(void **state)
{
    (void)state;
    put_idx("a-train-images-idx3-ubyte", 4, 3, NULL);
    put_idx("train-images-idx3-ubyte", 5, 3, NULL);
    make("png");
    put_png("png/0.png", 1, 3, 3, 0);
    clv_images images = load(CLV_SPLIT_TRAIN);
    assert_int_equal(images.count, 5);
    clv_images_free(&images);
    refuse_as((clv_data_source){0}, CLV_SPLIT_TEST, "", "no t10k-images-idx3-ubyte in ");
}

static void idx_images_are_fitted(void **state)
{
    (void)state;
    put_idx("train-images-idx3-ubyte", 2, 2, (const uint8_t[]){0, 10, 20, 30, 100, 100, 50, 50});
    clv_images images = {0};
    const clv_data_source source = {.path = root, .height = 1, .width = 2, .channels = 3};
    assert_ok(clv_data_load(&source, CLV_SPLIT_TRAIN, &images, err));
    assert_true(images.count == 2 && images.channels == 3 && images.height == 1 && images.width == 2);
    assert_memory_equal(images.pixel, ((const uint8_t[]){10, 20, 10, 20, 10, 20, 75, 75, 75, 75, 75, 75}), 12);
    clv_images_free(&images);
}

int main(void)
{
#define EACH(test) cmocka_unit_test_setup(test, fresh_root)
    const struct CMUnitTest tests[] = {
        EACH(class_folders_are_split),
        EACH(images_stand_mixed),
        EACH(a_new_file_moves_few),
        EACH(test_images_by_number),
        EACH(divided_folders_are_read),
        EACH(train_alone_is_refused),
        EACH(a_class_may_be_called_train),
        EACH(what_is_left_out_is_counted),
        EACH(names_may_be_in_capitals),
        EACH(sizes_are_refused_or_made),
        EACH(channels_are_refused_or_made),
        EACH(hostile_folders_are_named),
        EACH(unreadable_files_are_named),
        EACH(damaged_images_are_named),
        EACH(classes_are_limited),
        EACH(large_images_are_refused),
        EACH(every_allocation_may_fail),
        EACH(idx_sets_of_other_names_are_found),
        EACH(several_idx_sets_are_chosen_from),
        EACH(mnist_names_go_first),
        EACH(idx_images_are_fitted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
