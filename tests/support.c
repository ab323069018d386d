/* What several test programs need. */
#define _XOPEN_SOURCE 700 /* nftw, mkdtemp */
#include "support.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/backend.h"
#include "backend/opencl/kernels.h"
#include "base/file.h"
#include "base/text.h"
#include "clave/data.h"
#include "clave/device.h"

static char folder[256];

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info, (void)type, (void)walk;
    return remove(path);
}

static void remove_folder(void) { nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS); }

const char *test_folder(void)
{
    if (*folder) return folder;
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/clave-test-XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(folder));
    atexit(remove_folder);
    return folder;
}

const char *test_path(const char *name)
{
    static char buffer[8][512];
    static int turn;
    char *path = buffer[turn++ % 8];
    snprintf(path, sizeof buffer[0], "%s/%s", test_folder(), name);
    return path;
}

static unsigned char *read_all(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file) fail_msg("%s cannot be read", path);
    fseek(file, 0, SEEK_END);
    long length = ftell(file);
    rewind(file);
    unsigned char *bytes = malloc((size_t)length + 1);
    assert_non_null(bytes);
    *size = fread(bytes, 1, (size_t)length, file);
    fclose(file);
    return bytes;
}

bool same_bytes(const char *path_a, const char *path_b)
{
    size_t size_a, size_b;
    unsigned char *a = read_all(path_a, &size_a), *b = read_all(path_b, &size_b);
    bool same = size_a == size_b && !memcmp(a, b, size_a);
    free(a);
    free(b);
    return same;
}

static void write_idx(const char *path, const uint32_t *dim, int rank, const uint8_t *bytes)
{
    FILE *file = fopen(path, "wb");
    size_t size = 1;
    assert_non_null(file);
    const unsigned char magic[4] = {0, 0, 8, (unsigned char)rank};
    fwrite(magic, 1, 4, file);
    for (int i = 0; i < rank; i++) {
        const unsigned char word[4] = {(unsigned char)(dim[i] >> 24), (unsigned char)(dim[i] >> 16),
                                       (unsigned char)(dim[i] >> 8), (unsigned char)dim[i]};
        fwrite(word, 1, 4, file);
        size *= dim[i];
    }
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void write_split(const char *into, clv_split split, uint32_t count)
{
    const char *prefix = split == CLV_SPLIT_TRAIN ? "train" : "t10k";
    clv_images images = {0};
    char path[512];
    assert_ok(clv_images_load("assets/mnist", split, &images, err));
    assert_true(count <= images.count);
    const uint32_t dim[3] = {count, (uint32_t)images.height, (uint32_t)images.width};
    snprintf(path, sizeof path, "%s/%s-images-idx3-ubyte", into, prefix);
    write_idx(path, dim, 3, images.pixel);
    snprintf(path, sizeof path, "%s/%s-labels-idx1-ubyte", into, prefix);
    write_idx(path, dim, 1, images.label);
    clv_images_free(&images);
}

void write_small_mnist(const char *into, uint32_t train, uint32_t test)
{
    mkdir(into, 0777);
    write_split(into, CLV_SPLIT_TRAIN, train);
    write_split(into, CLV_SPLIT_TEST, test);
}

bool have_opencl(void)
{
    clv_device_info *devices = NULL;
    int count = 0;
    bool have = clv_devices_list(&devices, &count, NULL) == CLV_OK && count > 0;
    free(devices);
    return have;
}

const char *test_device(void)
{
    const char *device = getenv("CLAVE_TEST_DEVICE");
    return device && *device ? device : "auto";
}

void take_filter(void)
{
    const char *wanted = getenv("CLAVE_TEST_ONLY");
    if (wanted) cmocka_set_test_filter(wanted);
}

void use_wrong_kernels(const char *into, const char *file, const char *from, const char *to)
{
    assert_ok(clv_make_folders(into, err));
    for (int i = 0; i < clv_kernel_file_count; i++) {
        const clv_kernel_file *k = &clv_kernel_files[i];
        char path[1024];
        clv_text text = {0};
        const char *at = strcmp(k->name, file) ? NULL : strstr(k->text, from);
        assert_true(at || strcmp(k->name, file));
        if (at)
            clv_text_append(&text, "%.*s%s%s", (int)(at - k->text), k->text, to, at + strlen(from));
        else
            clv_text_append(&text, "%s", k->text);
        assert_ok(clv_path_join(path, sizeof path, into, k->name, err));
        assert_ok(clv_file_write(path, text.text, text.length, err));
        clv_text_free(&text);
    }
    setenv("CLAVE_KERNELS", into, 1);
}

clv_backend *open_opencl(clv_gemm_choice gemm, bool selftest)
{
    const clv_device_options options = {
        .backend = "opencl", .select = test_device(), .gemm = gemm, .selftest = selftest};
    clv_backend *be = NULL;
    assert_ok(clv_opencl_backend_create(&options, &be, err));
    return be;
}
