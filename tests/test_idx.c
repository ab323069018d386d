/* src/data: IDX files that are read, and every way to be no IDX file that is refused with one line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <libdeflate.h>

#include "base/memory.h"
#include "base/philox.h"
#include "clave/data.h"
#include "data/unpack.h"

static char folder[] = "/tmp/clave-idx-XXXXXX";
static const char *path; /* of the file under test */

static const char *in_folder(const char *name)
{
    static char buffer[4][512];
    static int next;
    char *to = buffer[next++ % 4];
    snprintf(to, 512, "%s/%s", folder, name);
    return to;
}

static int make_folder(void **state)
{
    (void)state;
    static char file[512];
    if (!mkdtemp(folder)) return -1;
    snprintf(file, sizeof file, "%s/data", folder);
    path = file;
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[600];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

/* Not by clv_file_write: its fsync, a thousand times over, takes long on some disks. */
static void put_file(const char *to, const void *bytes, size_t size)
{
    FILE *file = fopen(to, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

typedef struct bytes {
    uint8_t at[8192];
    size_t size;
} bytes;

static void put_be(bytes *b, uint32_t word)
{
    for (int shift = 24; shift >= 0; shift -= 8) b->at[b->size++] = (uint8_t)(word >> shift);
}

/* An IDX file of `content` bytes after a header of these sizes; rank 1 takes the first alone. */
static bytes make_idx(int rank, uint32_t a, uint32_t b, uint32_t c, size_t content)
{
    const uint32_t dim[3] = {a, b, c};
    bytes file = {.size = 0};
    put_be(&file, 0x00000800u + (uint32_t)rank);
    for (int i = 0; i < rank; i++) put_be(&file, dim[i]);
    for (size_t i = 0; i < content; i++) file.at[file.size++] = (uint8_t)(i * 37 + 11);
    return file;
}

static bytes gzipped(const bytes *plain)
{
    bytes packed = {.size = 0};
    struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(6);
    assert_non_null(compressor);
    packed.size = libdeflate_gzip_compress(compressor, plain->at, plain->size, packed.at, sizeof packed.at);
    assert_true(packed.size > 0);
    libdeflate_free_compressor(compressor);
    return packed;
}

/* The file is refused as data, the message names it and holds `part`, and the outputs stay untouched. */
static void refuse(const void *content, size_t size, int rank, const char *part)
{
    clv_error err = {0};
    uint32_t dim[3] = {1, 2, 3};
    uint8_t *out = NULL;
    put_file(path, content, size);
    assert_int_equal(clv_idx_read(path, rank, dim, &out, &err), CLV_ERR_DATA);
    assert_int_equal(err.status, CLV_ERR_DATA);
    assert_memory_equal(err.message, path, strlen(path));
    if (!strstr(err.message, part)) fail_msg("\"%s\" lacks \"%s\"", err.message, part);
    assert_null(strchr(err.message, '\n'));
    assert_null(out);
    assert_true(dim[0] == 1 && dim[1] == 2 && dim[2] == 3);
    assert_int_equal(clv_idx_read(path, rank, dim, &out, NULL), CLV_ERR_DATA);
}

static void accept(const bytes *file, int rank, uint32_t a, uint32_t b, uint32_t c, const uint8_t *content)
{
    clv_error err = {0};
    uint32_t dim[3] = {0};
    uint8_t *out = NULL;
    put_file(path, file->at, file->size);
    if (clv_idx_read(path, rank, dim, &out, &err) != CLV_OK) fail_msg("%s", err.message);
    assert_true(dim[0] == a && dim[1] == b && dim[2] == c);
    assert_memory_equal(out, content, (size_t)a * b * c);
    free(out);
}

static void good_files_are_read(void **state)
{
    (void)state;
    const bytes images = make_idx(3, 5, 7, 3, 105), labels = make_idx(1, 9, 0, 0, 9);
    const bytes packed_images = gzipped(&images), packed_labels = gzipped(&labels);
    accept(&images, 3, 5, 7, 3, images.at + 16);
    accept(&packed_images, 3, 5, 7, 3, images.at + 16);
    accept(&labels, 1, 9, 1, 1, labels.at + 8);
    accept(&packed_labels, 1, 9, 1, 1, labels.at + 8);
}

static bytes part_of(const bytes *whole, size_t from, size_t size)
{
    bytes part = {.size = size};
    memcpy(part.at, whole->at + from, size);
    return part;
}

static void join(bytes *file, const bytes *next)
{
    memcpy(file->at + file->size, next->at, next->size);
    file->size += next->size;
}

/* gzip lets files be joined: `cat a.gz b.gz` unpacks to both. The last one's size, which says how much room is made at
 * first, is all, some or none of what comes. */
static void joined_gzip_files_are_read(void **state)
{
    (void)state;
    const bytes whole = make_idx(3, 5, 70, 3, 1050), none = {.size = 0}, no_member = gzipped(&none);
    for (size_t cut = 0; cut <= whole.size; cut += 82) {
        const bytes head = part_of(&whole, 0, cut), tail = part_of(&whole, cut, whole.size - cut);
        const bytes second = gzipped(&tail);
        bytes joined = gzipped(&head);
        join(&joined, &second);
        accept(&joined, 3, 5, 70, 3, whole.at + 16);
        join(&joined, &no_member);
        accept(&joined, 3, 5, 70, 3, whole.at + 16);
    }
    bytes many = no_member;
    for (size_t at = 0, i = 0, size; at < whole.size; at += size, i++) {
        size = i % 20 < whole.size - at ? i % 20 : whole.size - at;
        const bytes part = part_of(&whole, at, size), member = gzipped(&part);
        join(&many, &member);
    }
    accept(&many, 3, 5, 70, 3, whole.at + 16);
}

static void every_cut_is_refused(void **state)
{
    (void)state;
    const bytes images = make_idx(3, 2, 5, 3, 30), packed = gzipped(&images);
    refuse("", 0, 3, "is empty: copy it again");
    for (size_t size = 1; size < 16; size++)
        refuse(images.at, size, 3, "less than the header of an IDX file (16): copy it");
    for (size_t size = 16; size < images.size; size++) {
        char part[80];
        snprintf(part, sizeof part, "holds %zu of 30 bytes (2 x 5 x 3)", size - 16);
        refuse(images.at, size, 3, part);
    }
    for (size_t size = 2; size < packed.size; size++)
        refuse(packed.at, size, 3, "is a gzip file cut short or damaged: copy it again");
    bytes second = packed; /* the second of two joined files is cut */
    memcpy(second.at + packed.size, packed.at, 6);
    refuse(second.at, packed.size + 6, 3, "is a gzip file cut short or damaged");
}

static void wrong_lengths_are_refused(void **state)
{
    (void)state;
    const bytes longer = make_idx(3, 2, 5, 3, 31), shorter = make_idx(3, 2, 5, 3, 29);
    const bytes packed_longer = gzipped(&longer), packed_shorter = gzipped(&shorter);
    refuse(longer.at, longer.size, 3, "holds more than the 30 bytes that its header promises");
    refuse(packed_longer.at, packed_longer.size, 3, "holds more than the 30 bytes");
    refuse(packed_shorter.at, packed_shorter.size, 3, "holds 29 of 30 bytes");
    bytes garbage = gzipped(&longer);
    const bytes right = make_idx(3, 2, 5, 3, 30);
    garbage = gzipped(&right);
    memcpy(garbage.at + garbage.size, "junk", 4);
    refuse(garbage.at, garbage.size + 4, 3, "is a gzip file followed by 4 bytes of something else");
}

static void damaged_gzip_is_refused(void **state)
{
    (void)state;
    const bytes images = make_idx(3, 2, 5, 3, 30), packed = gzipped(&images);
    for (size_t at = packed.size - 8; at < packed.size; at++) { /* the checksum and the length */
        bytes damaged = packed;
        damaged.at[at] ^= 0x10;
        refuse(damaged.at, damaged.size, 3, "is a gzip file cut short or damaged: copy it again");
    }
    bytes method = packed;
    method.at[2] = 7;
    refuse(method.at, method.size, 3, "is a gzip file cut short or damaged: copy it again");
}

static void other_formats_are_refused(void **state)
{
    (void)state;
    bytes floats = make_idx(3, 2, 5, 3, 120);
    floats.at[2] = 0x0d;
    refuse(floats.at, floats.size, 3, "holds 32-bit floats; clave reads IDX files of unsigned bytes");
    const bytes labels = make_idx(1, 20, 0, 0, 20), images = make_idx(3, 2, 5, 3, 30);
    refuse(labels.at, labels.size, 3, "has 1 dimension where images have 3");
    refuse(images.at, images.size, 1, "has 3 dimensions where labels have 1");
    refuse("<!DOCTYPE html><html></html>", 28, 3, "starts with 3c 21 44 4f, not 00 00 08 03");
    refuse("\x89PNG\r\n\x1a\n0000000000", 18, 3, "starts with 89 50 4e 47");
    refuse("abcdefgh", 8, 3, "is no IDX file"); /* shorter than the header, but no IDX file in the first place */
}

static void mad_sizes_are_refused(void **state)
{
    (void)state;
    static const uint32_t zero[3][3] = {{0, 5, 3}, {2, 0, 3}, {2, 5, 0}};
    for (int i = 0; i < 3; i++) {
        const bytes file = make_idx(3, zero[i][0], zero[i][1], zero[i][2], 0);
        char part[40];
        snprintf(part, sizeof part, "size %d of 3 is 0", i + 1);
        refuse(file.at, file.size, 3, part);
    }
    const bytes no_labels = make_idx(1, 0, 0, 0, 0);
    refuse(no_labels.at, no_labels.size, 1, "size 1 of 1 is 0");
    static const uint32_t huge[4][3] = {
        {0xffffffff, 0xffffffff, 0xffffffff}, {0x80000000, 1, 1}, {0x10000, 0x10000, 0x10000}, {1, 0x10000, 0x8000}};
    for (int i = 0; i < 4; i++) {
        const bytes file = make_idx(3, huge[i][0], huge[i][1], huge[i][2], 100), packed = gzipped(&file);
        refuse(file.at, file.size, 3, "at most 2147483647 are read");
        refuse(packed.at, packed.size, 3, "at most 2147483647 are read");
    }
}

/* Lets the process have `more` bytes of memory beside what it has; gives back the limit of before. */
static struct rlimit limit_memory(size_t more)
{
    struct rlimit before, limit;
    unsigned long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    assert_non_null(statm);
    assert_int_equal(fscanf(statm, "%lu", &pages), 1);
    fclose(statm);
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    limit = before;
    limit.rlim_cur = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + more;
    assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
    return before;
}

/* Sizes within the limit, but far beyond what the file can hold, are refused without that much memory. */
static void promises_take_no_memory(void **state)
{
    (void)state;
    const bytes promise = make_idx(3, 0x7fffffff, 1, 1, 100), packed = gzipped(&promise);
    bytes length = packed; /* gzip's own, of what is unpacked */
    memcpy(length.at + length.size - 4, "\xf0\xff\xff\x7f", 4);
    const struct rlimit before = limit_memory((size_t)1 << 28);
    refuse(promise.at, promise.size, 3, "holds 100 of 2147483647 bytes");
    refuse(packed.at, packed.size, 3, "holds 100 of 2147483647 bytes");
    refuse(length.at, length.size, 3, "is a gzip file cut short or damaged: copy it again");
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
}

/* Of a file as it lies on the disk, and of what it unpacks to, however well it is packed and whatever it promises. */
static void no_more_than_the_limit_is_read(void **state)
{
    (void)state;
    const bytes plain = {.size = 8000}, packed = gzipped(&plain), none = {.size = 0}, no_member = gzipped(&none);
    bytes joined = packed;
    join(&joined, &no_member);
    const bytes *file[] = {&plain, &packed, &joined};
    static const char *const message[] = {"holds 8000 bytes; at most 7999 are read", "unpacks to more than 7999 bytes",
                                          "unpacks to more than 7999 bytes"};
    for (int i = 0; i < 3; i++) {
        clv_error err = {0};
        uint8_t *out = NULL;
        size_t size = 0;
        put_file(path, file[i]->at, file[i]->size);
        assert_int_equal(clv_unpack(path, 7999, &out, &size, &err), CLV_ERR_DATA);
        if (!strstr(err.message, message[i])) fail_msg("\"%s\" lacks \"%s\"", err.message, message[i]);
        assert_null(out);
        if (clv_unpack(path, 8000, &out, &size, &err) != CLV_OK) fail_msg("%s", err.message);
        assert_int_equal(size, 8000);
        assert_memory_equal(out, plain.at, 8000);
        free(out);
    }
}

/* Random bytes, and good files with random bytes changed, plain and packed: never a crash, and what is accepted has the
 * length that its sizes promise (the sanitizers watch). */
static void random_files_do_no_harm(void **state)
{
    (void)state;
    const uint64_t seed = (uint64_t)time(NULL);
    print_message("seed %llu\n", (unsigned long long)seed);
    clv_random random = clv_random_start(seed, 1);
    for (int round = 0; round < 600; round++) {
        bytes file = make_idx(3, 2, 5, 3, 30);
        const bool packed = round % 3 == 1;
        if (packed) file = gzipped(&file);
        if (round % 3 == 2) file.size = clv_random_below(&random, 200);
        const uint32_t changes = round % 3 == 2 ? (uint32_t)file.size : 1 + clv_random_below(&random, 4);
        for (uint32_t i = 0; i < changes; i++)
            file.at[clv_random_below(&random, (uint32_t)file.size)] = (uint8_t)clv_random_word(&random);
        put_file(path, file.at, file.size);
        clv_error err = {0};
        uint32_t dim[3];
        uint8_t *out = NULL;
        if (clv_idx_read(path, 3, dim, &out, &err) == CLV_OK) {
            if (!packed) assert_memory_equal(out, file.at + 16, (size_t)dim[0] * dim[1] * dim[2]);
            free(out);
        } else {
            assert_int_equal(err.status, CLV_ERR_DATA);
            assert_memory_equal(err.message, path, strlen(path));
            assert_null(out);
        }
    }
}

/* libdeflate's memory too is made to fail here. */
static void *allocate(size_t size) { return clv_alloc(size, 1, NULL); }

static void every_allocation_may_fail(void **state)
{
    (void)state;
    const bytes images = make_idx(3, 2, 5, 3, 30), none = {.size = 0}, no_member = gzipped(&none);
    bytes joined = gzipped(&images);
    join(&joined, &no_member);
    const bytes packed = gzipped(&images), *file[] = {&images, &packed, &joined};
    static const int least[] = {1, 3, 4}; /* the file; the decompressor, room; more room */
    libdeflate_set_memory_allocator(allocate, free);
    for (int i = 0; i < 3; i++) {
        put_file(path, file[i]->at, file[i]->size);
        clv_status status = CLV_ERR_INTERNAL;
        int failures = 0;
        for (long nth = 1; status != CLV_OK; nth++) {
            clv_error err = {0};
            uint32_t dim[3];
            uint8_t *out = NULL;
            clv_fail_allocation(nth);
            status = clv_idx_read(path, 3, dim, &out, &err);
            clv_fail_allocation(0);
            if (status != CLV_OK) {
                assert_int_equal(status, CLV_ERR_INTERNAL);
                assert_non_null(strstr(err.message, "out of memory"));
                if (nth > 1) assert_non_null(strstr(err.message, path));
                assert_null(out);
                failures++;
            }
            free(out);
        }
        assert_true(failures >= least[i]);
    }
    libdeflate_set_memory_allocator(malloc, free);
}

/* Folders. */

static void write_set(const char *images, uint32_t count, const char *labels, uint32_t label_count)
{
    const bytes image_file = make_idx(3, count, 4, 6, count * 24u),
                label_file = make_idx(1, label_count, 0, 0, label_count);
    const bytes packed = gzipped(&label_file);
    put_file(in_folder(images), image_file.at, image_file.size);
    if (labels) put_file(in_folder(labels), packed.at, packed.size);
}

static void folders_are_loaded(void **state)
{
    (void)state;
    clv_error err = {0};
    clv_images images = {.count = 77};
    write_set("train-images-idx3-ubyte", 10, "train-labels-idx1-ubyte.gz", 10);
    write_set("t10k-images-idx3-ubyte", 3, NULL, 3);
    assert_int_equal(clv_images_load(folder, CLV_SPLIT_TRAIN, &images, &err), CLV_OK);
    assert_true(images.count == 10 && images.channels == 1 && images.height == 4 && images.width == 6);
    assert_int_equal(images.pixel[1], 48);
    assert_int_equal(images.label[9], (9 * 37 + 11) & 255);
    clv_images_free(&images);
    assert_null(images.pixel);
    assert_int_equal(clv_images_load(folder, CLV_SPLIT_TEST, &images, &err), CLV_OK);
    assert_int_equal(images.count, 3);
    assert_null(images.label);
    clv_images_free(&images);
    clv_images_free(&images);

    write_set("t10k-images-idx3-ubyte", 3, "t10k-labels-idx1-ubyte", 4);
    assert_int_equal(clv_images_load(folder, CLV_SPLIT_TEST, &images, &err), CLV_ERR_DATA);
    assert_non_null(strstr(err.message, "t10k-labels-idx1-ubyte holds 4 labels, but "));
    assert_non_null(strstr(err.message, "t10k-images-idx3-ubyte holds 3 images"));
    put_file(in_folder("t10k-labels-idx1-ubyte"), "", 0);
    assert_int_equal(clv_images_load(folder, CLV_SPLIT_TEST, &images, &err), CLV_ERR_DATA);
    assert_non_null(strstr(err.message, "t10k-labels-idx1-ubyte is empty"));
    assert_null(images.pixel);
}

static void missing_folders_are_named(void **state)
{
    (void)state;
    clv_error err = {0};
    clv_images images = {.count = 77};
    assert_int_equal(clv_images_load("/nowhere", CLV_SPLIT_TRAIN, &images, &err), CLV_ERR_DATA);
    assert_non_null(strstr(err.message, "no folder /nowhere: set data.path"));
    assert_int_equal(clv_images_load("/usr", CLV_SPLIT_TEST, &images, &err), CLV_ERR_DATA);
    assert_non_null(
        strstr(err.message, "no t10k-images-idx3-ubyte in /usr, with or without .gz, and no subfolders of PNG"));
    put_file(path, "x", 1);
    assert_int_equal(clv_images_load(path, CLV_SPLIT_TEST, &images, &err), CLV_ERR_DATA);
    assert_non_null(strstr(err.message, "data is no folder: set data.path"));
    assert_int_equal(images.count, 77);
}

static void mnist_is_whole(void **state)
{
    (void)state;
    clv_error err = {0};
    clv_images images;
    struct stat info;
    if (stat("assets/mnist", &info) != 0) skip(); /* not run from the source tree's root */
    static const uint32_t count[2] = {60000, 10000};
    static const uint8_t first_label[2] = {5, 7};
    for (int split = 0; split < 2; split++) {
        if (clv_images_load("assets/mnist", (clv_split)split, &images, &err) != CLV_OK) fail_msg("%s", err.message);
        assert_true(images.count == count[split] && images.height == 28 && images.width == 28);
        assert_int_equal(images.label[0], first_label[split]);
        clv_images_free(&images);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_files_are_read),
        cmocka_unit_test(joined_gzip_files_are_read),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(wrong_lengths_are_refused),
        cmocka_unit_test(damaged_gzip_is_refused),
        cmocka_unit_test(other_formats_are_refused),
        cmocka_unit_test(mad_sizes_are_refused),
        cmocka_unit_test(promises_take_no_memory),
        cmocka_unit_test(no_more_than_the_limit_is_read),
        cmocka_unit_test(random_files_do_no_harm),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(folders_are_loaded),
        cmocka_unit_test(missing_folders_are_named),
        cmocka_unit_test(mnist_is_whole),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
