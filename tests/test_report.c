/* src/report: PNG files hold the pixels given, grids place their images, axes have nice ticks, plots come out whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cairo.h>

#include "base/file.h"
#include "base/memory.h"
#include "clave/report.h"
#include "picture.h"
#include "report/axis.h"
#include "report/canvas.h"
#include "report/legend.h"

static char folder[] = "/tmp/clave-report-XXXXXX";

/* Fontconfig keeps its caches until the process ends. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:libfontconfig\n"; }

static const char *in_folder(const char *name)
{
    static char path[4][512];
    static int next;
    char *to = path[next++ % 4];
    snprintf(to, 512, "%s/%s", folder, name);
    return to;
}

static int entries(void)
{
    DIR *listing = opendir(folder);
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
    cairo_debug_reset_static_data();
    return system(command);
}

static void pictures_come_back(void **state)
{
    (void)state;
    clv_error err = {0};
    static const int sides[][2] = {{1, 1}, {1, 7}, {13, 1}, {127, 65}};
    for (int channels = 1; channels <= 3; channels += 2)
        for (size_t s = 0; s < sizeof sides / sizeof *sides; s++) {
            const int height = sides[s][0], width = sides[s][1];
            const size_t size = (size_t)(height * width * channels);
            uint8_t *pixel = clv_alloc(size, 1, NULL);
            for (size_t i = 0; i < size; i++) pixel[i] = (uint8_t)(i * i * 7 + 3 * i);
            assert_int_equal(clv_png_write(in_folder("a.png"), pixel, channels, height, width, &err), CLV_OK);
            image back = read_png(in_folder("a.png"));
            assert_true(back.height == height && back.width == width && back.channels == channels);
            assert_memory_equal(back.pixel, pixel, size);
            free(back.pixel);
            free(pixel);
        }
    unlink(in_folder("a.png"));
}

static void impossible_pictures_are_refused(void **state)
{
    (void)state;
    clv_error err = {0};
    const uint8_t pixel[12] = {0};
    assert_int_equal(clv_png_write(in_folder("a.png"), pixel, 2, 2, 2, &err), CLV_ERR_CONFIG);
    assert_non_null(strstr(err.message, "2 channels"));
    assert_int_equal(clv_png_write(in_folder("a.png"), pixel, 1, 0, 2, &err), CLV_ERR_CONFIG);
    assert_int_equal(clv_png_write(in_folder("a.png"), pixel, 1, 2, -2, &err), CLV_ERR_CONFIG);
    assert_int_equal(clv_png_write(in_folder("none/a.png"), pixel, 1, 2, 2, &err), CLV_ERR_INTERNAL);
    assert_non_null(strstr(err.message, "none/a.png: No such file"));
    const float value[1] = {0};
    clv_grid grid = {1, 1, 1, 70000, 1, 1, value, 1, 0};
    assert_int_equal(clv_png_write_grid(in_folder("a.png"), &grid, &err), CLV_ERR_CONFIG);
    assert_non_null(strstr(err.message, "70000 x 1 pixels"));
    grid.rows = grid.columns = 60000;
    assert_int_equal(clv_png_write_grid(in_folder("a.png"), &grid, &err), CLV_ERR_CONFIG);
    grid = (clv_grid){1, 1, 1, 1, 1, 1, value, 0, 0};
    assert_int_equal(clv_png_write_grid(in_folder("a.png"), &grid, &err), CLV_ERR_CONFIG);
    assert_int_equal(entries(), 0);
}

static void same_picture_same_bytes(void **state)
{
    (void)state;
    uint8_t pixel[64 * 64], *first = NULL, *second = NULL;
    size_t first_size, second_size;
    for (size_t i = 0; i < sizeof pixel; i++) pixel[i] = (uint8_t)(i / 3);
    for (int i = 0; i < 2; i++)
        assert_int_equal(clv_png_write(in_folder(i ? "b.png" : "a.png"), pixel, 1, 64, 64, NULL), CLV_OK);
    assert_int_equal(clv_file_read(in_folder("a.png"), 1 << 20, CLV_ERR_DATA, &first, &first_size, NULL), CLV_OK);
    assert_int_equal(clv_file_read(in_folder("b.png"), 1 << 20, CLV_ERR_DATA, &second, &second_size, NULL), CLV_OK);
    assert_int_equal(first_size, second_size);
    assert_memory_equal(first, second, first_size);
    free(first);
    free(second);
    unlink(in_folder("a.png"));
    unlink(in_folder("b.png"));
}

/* 2 x 3 places for 5 images of 2 x 3 pixels, three times as large, 2 pixels apart. */
static void grids_place_their_images(void **state)
{
    (void)state;
    enum { H = 2, W = 3, COUNT = 5, SCALE = 3, GAP = 2 };
    for (int channels = 1; channels <= 3; channels += 2) {
        float value[COUNT * 3 * H * W];
        for (int i = 0; i < COUNT * 3 * H * W; i++) value[i] = (float)(i % 50) / 49;
        const clv_grid grid = {channels, H, W, 2, 3, COUNT, value, SCALE, GAP};
        assert_int_equal(clv_png_write_grid(in_folder("g.png"), &grid, NULL), CLV_OK);
        image g = read_png(in_folder("g.png"));
        assert_true(g.channels == channels && g.height == 2 * H * SCALE + GAP && g.width == 3 * W * SCALE + 2 * GAP);
        for (int y = 0; y < g.height; y++)
            for (int x = 0; x < g.width; x++)
                for (int c = 0; c < channels; c++) {
                    const int row = y / (H * SCALE + GAP), column = x / (W * SCALE + GAP), i = row * 3 + column;
                    const int iy = y % (H * SCALE + GAP) / SCALE, ix = x % (W * SCALE + GAP) / SCALE;
                    const bool inside = iy < H && ix < W && i < COUNT;
                    const long expected =
                        inside ? lround(255 * (double)value[((i * channels + c) * H + iy) * W + ix]) : 128;
                    assert_int_equal(g.pixel[(y * g.width + x) * channels + c], expected);
                }
        free(g.pixel);
    }
    unlink(in_folder("g.png"));
}

static void grids_draw_no_more_than_their_places(void **state)
{
    (void)state;
    const float value[6] = {0, 1, 0, 1, 0, 1};
    const clv_grid grid = {1, 1, 1, 2, 2, 6, value, 1, 0};
    assert_int_equal(clv_png_write_grid(in_folder("g.png"), &grid, NULL), CLV_OK);
    image g = read_png(in_folder("g.png"));
    assert_true(g.height == 2 && g.width == 2);
    assert_memory_equal(g.pixel, ((uint8_t[]){0, 255, 0, 255}), 4);
    free(g.pixel);
    unlink(in_folder("g.png"));
}

static void grids_clamp_and_mark_nan(void **state)
{
    (void)state;
    const float grey[6] = {-1, 2, NAN, INFINITY, -INFINITY, 0.5f};
    const clv_grid one = {1, 1, 6, 1, 1, 1, grey, 1, 0};
    assert_int_equal(clv_png_write_grid(in_folder("g.png"), &one, NULL), CLV_OK);
    image g = read_png(in_folder("g.png"));
    assert_memory_equal(g.pixel, ((uint8_t[]){0, 255, 255, 255, 0, 128}), 6);
    free(g.pixel);
    const float colour[6] = {0, 0.2f, 0, NAN, 1, 0.4f}; /* [c][x]: the second pixel is {0.2, NaN, 0.4} */
    const clv_grid three = {3, 1, 2, 1, 1, 1, colour, 1, 0};
    assert_int_equal(clv_png_write_grid(in_folder("g.png"), &three, NULL), CLV_OK);
    g = read_png(in_folder("g.png"));
    assert_memory_equal(g.pixel, ((uint8_t[]){0, 0, 255, 255, 0, 255}), 6);
    free(g.pixel);
    unlink(in_folder("g.png"));
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    const float value[64] = {0};
    const clv_grid grid = {1, 8, 8, 1, 1, 1, value, 4, 0};
    clv_status status = CLV_ERR_INTERNAL;
    int failures = -1;
    for (long nth = 1; status != CLV_OK; nth++, failures++) {
        clv_error err = {0};
        assert_int_equal(entries(), 0);
        clv_fail_allocation(nth);
        status = clv_png_write_grid(in_folder("g.png"), &grid, &err);
        clv_fail_allocation(0);
        if (status == CLV_OK) break;
        assert_int_equal(status, CLV_ERR_INTERNAL);
        assert_true(strlen(err.message) > 0);
        unlink(in_folder("g.png")); /* the last failure, in syncing the folder, comes after the rename */
    }
    assert_true(failures >= 6);
    unlink(in_folder("g.png"));
}

/* Axes. */

static void check_axis(double low, double high, bool whole, int most, const char *labels)
{
    const clv_axis axis = clv_axis_create(low, high, 0, whole, most);
    char all[400] = "", label[CLV_AXIS_LABEL_SIZE];
    assert_true(axis.low <= low && axis.high >= high && axis.low < axis.high);
    assert_true(axis.ticks >= 1 && axis.ticks <= most + 1);
    for (int i = 0; i < axis.ticks; i++) {
        const double room = 1e-6 * (axis.high - axis.low);
        assert_true(clv_axis_tick(&axis, i) >= axis.low - room && clv_axis_tick(&axis, i) <= axis.high + room);
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", i ? " " : "", clv_axis_label(&axis, i, label));
    }
    if (labels) assert_string_equal(all, labels);
}

static void ticks_are_nice(void **state)
{
    (void)state;
    check_axis(0, 1, false, 5, "0 0.2 0.4 0.6 0.8 1.0");
    check_axis(0.0347, 0.0651, false, 8, "0.035 0.040 0.045 0.050 0.055 0.060 0.065");
    check_axis(1, 50, true, 10, "5 10 15 20 25 30 35 40 45 50");
    check_axis(1, 3, true, 10, "1 2 3");
    check_axis(1, 1, true, 10, "1"); /* one epoch */
    check_axis(1e-3, 1e-3, false, 10, "0.001");
    check_axis(0.240331, 0.240354, false, 4, "0.24034 0.24035");
    check_axis(1, 2, true, 10, "1 2");
    check_axis(-1, 1, false, 4,
               "\xe2\x88\x92"
               "1.0 \xe2\x88\x92"
               "0.5 0 0.5 1.0");
    check_axis(0, 2e6, false, 4, "0 5e5 1e6 1.5e6 2e6");
    check_axis(0, 1e-5, false, 2, "0 5e-6 1e-5");
    check_axis(97, 160, false, 4, "100 120 140 160");
}

static void any_range_has_an_axis(void **state)
{
    (void)state;
    static const double values[] = {0, 1, -1, 153.2, 1e99, -1e99, 1e-99, 1e-300, 1e9 + 1e-6, 1e9, 0.1, 12345678, -0.0};
    const int count = (int)(sizeof values / sizeof *values);
    for (int i = 0; i < count; i++)
        for (int j = 0; j < count; j++)
            if (values[i] <= values[j])
                for (int most = 2; most <= 10; most++) check_axis(values[i], values[j], false, most, NULL);
}

/* Plots. */

static double line_x[60], line_y[3][60];

static clv_series series_of(const char *name, const double *x, const double *y, int count)
{
    return (clv_series){.name = name, .x = x, .y = y, .count = count};
}

static clv_plot plot_of(const char *title, const char *x_label, const char *y_label, const clv_series *series,
                        int count)
{
    return (clv_plot){.title = title, .x_label = x_label, .y_label = y_label, .series = series, .series_count = count};
}

static clv_plot fill_plot(clv_series series[3])
{
    static const char *const names[] = {"train", "validation", "test"};
    for (int i = 0; i < 60; i++) {
        line_x[i] = i + 1;
        for (int s = 0; s < 3; s++) line_y[s][i] = 0.03 + 0.01 * s + 0.05 * exp(-i / 9.0);
    }
    for (int s = 0; s < 3; s++) series[s] = series_of(names[s], line_x, line_y[s], 60);
    return plot_of("Loss by epoch", "epoch", "mean squared error", series, 3);
}

static void plots_hold_their_lines(void **state)
{
    (void)state;
    clv_error err = {0};
    clv_series series[3];
    clv_plot plot = fill_plot(series);
    if (clv_plot_write(in_folder("p.png"), &plot, &err) != CLV_OK) fail_msg("%s", err.message);
    image i = read_png(in_folder("p.png"));
    assert_int_equal(i.channels, 3);
    assert_true(pixels_of(&i, 0, 114, 178) > 500); /* blue */
    assert_true(pixels_of(&i, 213, 94, 0) > 500);  /* vermillion */
    assert_true(pixels_of(&i, 0, 158, 115) > 500); /* bluish green */
    assert_true(has_clear_border(&i));
    free(i.pixel);
    unlink(in_folder("p.png"));
}

static void svg_is_written_whole(void **state)
{
    (void)state;
    clv_series series[3];
    clv_plot plot = fill_plot(series);
    uint8_t *text = NULL;
    size_t size = 0;
    assert_int_equal(clv_plot_write(in_folder("p.svg"), &plot, NULL), CLV_OK);
    assert_int_equal(clv_file_read(in_folder("p.svg"), 1 << 24, CLV_ERR_DATA, &text, &size, NULL), CLV_OK);
    assert_non_null(strstr((char *)text, "<svg"));
    assert_memory_equal(text + size - 7, "</svg>\n", 7);
    free(text);
    unlink(in_folder("p.svg"));
}

static void odd_plots_are_drawn(void **state)
{
    (void)state;
    clv_error err = {0};
    static const double x[] = {1, 2, 3, NAN, 5}, y[] = {NAN, 0.5, INFINITY, 1, -INFINITY},
                        huge[] = {-1e300, 1e300, 1e99, -1e99, 0}, far[] = {0, 200000};
    char long_text[2000], name[12][64];
    memset(long_text, 'W', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    clv_series many[40], one = series_of("one point is left", x, y, 5),
                         wild = series_of("\xff\xfe bad \xc3", huge, huge, 5), wide = series_of("wide", far, far, 2);
    for (int i = 0; i < 40; i++) {
        snprintf(name[i % 12], sizeof name[0], "a rather long name of a series, number %d", i % 12);
        many[i] = series_of(name[i % 12], line_x, line_y[i % 3], 60);
    }
    const clv_plot plots[] = {plot_of(NULL, NULL, NULL, NULL, 0), plot_of("", "", "", &one, 1),
                              plot_of(long_text, long_text, long_text, &wild, 1),
                              plot_of("the last label is wide", "", "", &wide, 1),
                              plot_of("line\nbreak", "\xe2\x82\xac", "\xf0\x9f\x99\x82\xed\xa0\x80", many, 40)};
    for (size_t i = 0; i < sizeof plots / sizeof *plots; i++)
        for (int svg = 0; svg < 2; svg++) {
            const char *path = in_folder(svg ? "p.svg" : "p.png");
            if (clv_plot_write(path, &plots[i], &err) != CLV_OK) fail_msg("%s", err.message);
            if (!svg) {
                image drawn = read_png(path);
                assert_true(has_clear_border(&drawn));
                if (i == 1) assert_true(pixels_of(&drawn, 0, 114, 178) > 100); /* the dot */
                free(drawn.pixel);
            }
            unlink(path);
        }
}

static void unwritable_plots_are_refused(void **state)
{
    (void)state;
    clv_error err = {0};
    clv_series series[3];
    clv_plot plot = fill_plot(series);
    static const char *const names[] = {"p.jpg", "p", "png", "p.PNG.bak"};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(clv_plot_write(in_folder(names[i]), &plot, &err), CLV_ERR_CONFIG);
        assert_non_null(strstr(err.message, "must end in .png or .svg"));
    }
    assert_int_equal(clv_plot_write(in_folder("none/p.png"), &plot, &err), CLV_ERR_INTERNAL);
    assert_int_equal(clv_plot_write(in_folder("none/p.svg"), &plot, &err), CLV_ERR_INTERNAL);
    assert_non_null(strstr(err.message, "none/p.svg: No such file"));
    for (long nth = 1; nth <= 3; nth++) {
        clv_fail_allocation(nth);
        assert_int_equal(clv_plot_write(in_folder("p.svg"), &plot, &err), CLV_ERR_INTERNAL);
        clv_fail_allocation(nth);
        assert_int_equal(clv_plot_write(in_folder("p.png"), &plot, &err), CLV_ERR_INTERNAL);
        clv_fail_allocation(0);
    }
    assert_int_equal(entries(), 0);
}

/* A legend goes to the first corner that no line crosses, and nowhere where all are taken. */
static void legends_avoid_lines(void **state)
{
    (void)state;
    clv_canvas canvas;
    assert_int_equal(clv_canvas_create("x.png", 400, 300, &canvas, NULL), CLV_OK);
    static const double across[] = {0, 10}, falling[] = {10, 0}, rising[] = {0, 10}, top[] = {9.5, 9.5},
                        bottom[] = {0.5, 0.5};
    const clv_series series[4] = {series_of("a", across, falling, 2), series_of("b", across, rising, 2),
                                  series_of("c", across, top, 2), series_of("d", across, bottom, 2)};
    const clv_frame frame = {.box = {0, 0, 400, 300}, .x = {.low = 0, .high = 10}, .y = {.low = 0, .high = 10}};
    static const struct {
        int first, count;
        int corner; /* 0 top right, 1 top left, 2 bottom right, 3 bottom left, -1 none */
    } cases[] = {{0, 1, 0}, {1, 1, 1}, {2, 1, 2}, {3, 1, 0}, {0, 2, -1}, {2, 2, -1}, {1, 2, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const clv_plot plot = plot_of("", "", "", series + cases[i].first, cases[i].count);
        const clv_legend_source source = clv_series_legend(&plot);
        const clv_legend legend = clv_legend_measure(&canvas, &source, 300);
        double left = 0, above = 0;
        assert_int_equal(legend.rows, cases[i].count);
        assert_int_equal(clv_legend_place(&legend, &plot, &frame, &left, &above), cases[i].corner >= 0);
        if (cases[i].corner < 0) continue;
        assert_int_equal(left < 200, cases[i].corner % 2);
        assert_int_equal(above > 150, cases[i].corner / 2);
    }
    const clv_series unnamed = series_of(NULL, across, rising, 2);
    const clv_plot nameless = plot_of("", "", "", &unnamed, 1);
    const clv_legend_source source = clv_series_legend(&nameless);
    assert_int_equal(clv_legend_measure(&canvas, &source, 300).rows, 0);
    clv_canvas_destroy(&canvas);
}

/* Rows with names are wider by them, captions that are broader than the images widen the cells, and a page that nobody can
 * hold is refused. */
static void galleries_hold_their_texts(void **state)
{
    (void)state;
    static const char *const names[] = {"original", "decoded"}, *const captions[] = {NULL, NULL, "0.01234", "17"};
    float pixel[4 * 16] = {0};
    char path[128];
    clv_error err = {0};
    clv_gallery g = {.title = "Two rows", .channels = 1, .height = 4, .width = 4, .count = 4, .columns = 2, .pixel = pixel};
    int width[3], height[3];
    g.scale = 40;
    for (int i = 0; i < 3; i++) {
        g.row_name = i > 0 ? names : NULL;
        g.caption = i > 1 ? captions : NULL;
        snprintf(path, sizeof path, "%s/gallery%d.png", folder, i);
        assert_int_equal(clv_gallery_write(path, &g, &err), CLV_OK);
        image drawn = read_png(path);
        width[i] = drawn.width;
        height[i] = drawn.height;
        assert_true(has_clear_border(&drawn));
        free(drawn.pixel);
        remove(path);
    }
    assert_true(width[1] > width[0] && height[1] == height[0]);
    assert_true(width[2] == width[1] && height[2] > height[1]); /* one row of captions, narrower than the images */
    g.scale = 1;
    g.columns = 4;
    assert_int_equal(clv_gallery_write(path, &g, &err), CLV_OK);
    image narrow = read_png(path);
    assert_true(narrow.width >= 4 * 2 * 40); /* "0.01234" has more than 40 points, the images have 4 */
    assert_true(has_clear_border(&narrow));
    free(narrow.pixel);
    remove(path);
    g.scale = 10000;
    assert_int_equal(clv_gallery_write(path, &g, &err), CLV_ERR_CONFIG);
    assert_non_null(strstr(err.message, "draw fewer images"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_come_back),
        cmocka_unit_test(galleries_hold_their_texts),
        cmocka_unit_test(impossible_pictures_are_refused),
        cmocka_unit_test(same_picture_same_bytes),
        cmocka_unit_test(grids_place_their_images),
        cmocka_unit_test(grids_draw_no_more_than_their_places),
        cmocka_unit_test(grids_clamp_and_mark_nan),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(ticks_are_nice),
        cmocka_unit_test(any_range_has_an_axis),
        cmocka_unit_test(plots_hold_their_lines),
        cmocka_unit_test(svg_is_written_whole),
        cmocka_unit_test(odd_plots_are_drawn),
        cmocka_unit_test(unwritable_plots_are_refused),
        cmocka_unit_test(legends_avoid_lines),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
