/* src/report's plots: colours that everybody tells apart, axes of decades, every kind of plot with ordinary and with
 * hostile input, and that what is seen in it is what was given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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
#include "report/frame.h"
#include "report/palette.h"
#include "support.h"

/* Fontconfig keeps its caches until the process ends. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:libfontconfig\n"; }

static int forget_fonts(void **state)
{
    (void)state;
    cairo_debug_reset_static_data();
    return 0;
}

/* Colours. */

typedef struct lab {
    double l, a, b;
} lab;

static double linear(double c) { return c <= 0.04045 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4); }

static double lab_curve(double t) { return t > 216.0 / 24389 ? cbrt(t) : (24389.0 / 27 * t + 16) / 116; }

/* As an eye sees it: Machado, Oliveira & Fernandes 2009, full severity, on linear light; then CIELAB under D65. */
static lab seen(clv_colour c, int eye)
{
    static const double sight[3][3][3] = {
        {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, /* normal */
        {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}},
        {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}},
    };
    const double in[3] = {linear(c.red), linear(c.green), linear(c.blue)};
    double rgb[3];
    for (int i = 0; i < 3; i++)
        rgb[i] = fmin(fmax(sight[eye][i][0] * in[0] + sight[eye][i][1] * in[1] + sight[eye][i][2] * in[2], 0), 1);
    const double x = lab_curve((0.4124 * rgb[0] + 0.3576 * rgb[1] + 0.1805 * rgb[2]) / 0.9505),
                 y = lab_curve(0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2]),
                 z = lab_curve((0.0193 * rgb[0] + 0.1192 * rgb[1] + 0.9505 * rgb[2]) / 1.089);
    return (lab){116 * y - 16, 500 * (x - y), 200 * (y - z)};
}

static double degrees(double radians) { return radians * 180 / 3.14159265358979324; }
static double radians(double of) { return of * 3.14159265358979324 / 180; }

static double hue(double a, double b)
{
    const double h = degrees(atan2(b, a));
    return h < 0 ? h + 360 : h;
}

/* CIEDE2000 (Sharma, Wu & Dalal 2005, equations 2 to 22). */
static double difference(lab p, lab q)
{
    const double mean = pow((hypot(p.a, p.b) + hypot(q.a, q.b)) / 2, 7),
                 g = 0.5 * (1 - sqrt(mean / (mean + pow(25, 7))));
    const double a1 = (1 + g) * p.a, a2 = (1 + g) * q.a, c1 = hypot(a1, p.b), c2 = hypot(a2, q.b);
    const double h1 = hue(a1, p.b), h2 = hue(a2, q.b);
    double turn = h2 - h1, middle = (h1 + h2) / 2;
    if (fabs(turn) > 180) {
        turn += turn > 0 ? -360 : 360;
        middle += middle < 180 ? 180 : -180;
    }
    const double l = (p.l + q.l) / 2, c = (c1 + c2) / 2, c7 = pow(c, 7);
    const double t = 1 - 0.17 * cos(radians(middle - 30)) + 0.24 * cos(radians(2 * middle)) +
                     0.32 * cos(radians(3 * middle + 6)) - 0.20 * cos(radians(4 * middle - 63));
    const double rotation = -sin(radians(60 * exp(-pow((middle - 275) / 25, 2)))) * 2 * sqrt(c7 / (c7 + pow(25, 7)));
    const double dl = (q.l - p.l) / (1 + 0.015 * pow(l - 50, 2) / sqrt(20 + pow(l - 50, 2)));
    const double dc = (c2 - c1) / (1 + 0.045 * c);
    const double dh = 2 * sqrt(c1 * c2) * sin(radians(turn / 2)) / (1 + 0.015 * c * t);
    return sqrt(dl * dl + dc * dc + dh * dh + rotation * dc * dh);
}

/* Pairs 1 and 25 of Sharma, Wu & Dalal's test data. */
static void the_difference_of_colours_is_the_published_one(void **state)
{
    (void)state;
    assert_true(fabs(difference((lab){50, 2.6772, -79.7751}, (lab){50, 0, -82.7485}) - 2.0425) < 1e-4);
    assert_true(fabs(difference((lab){60.2574, -34.0099, 36.2677}, (lab){60.4626, -34.1751, 39.4387}) - 1.2644) < 1e-4);
}

static void classes_differ_in_every_eye(void **state)
{
    (void)state;
    static const double least[3] = {22, 18.7, 18.7};
    for (int eye = 0; eye < 3; eye++)
        for (int i = 0; i < CLV_CLASS_COLOURS; i++)
            for (int j = 0; j < i; j++) {
                const double found = difference(seen(clv_palette_class(i), eye), seen(clv_palette_class(j), eye));
                if (found < least[eye]) fail_msg("classes %d and %d differ by %g in eye %d", i, j, found, eye);
            }
    for (int i = 0; i < CLV_CLASS_COLOURS; i++) { /* and from the paper */
        const double lightness = seen(clv_palette_class(i), 0).l;
        assert_true(lightness > 29 && lightness < 81);
    }
}

static void values_get_lighter_and_shades_darker(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        const double from = i / 100.0, to = (i + 1) / 100.0;
        assert_true(seen(clv_palette_ramp(to), 0).l > seen(clv_palette_ramp(from), 0).l);
        assert_true(seen(clv_palette_right(to), 0).l < seen(clv_palette_right(from), 0).l);
        assert_true(seen(clv_palette_wrong(to), 0).l < seen(clv_palette_wrong(from), 0).l);
    }
}

static void counts_can_be_read_on_every_shade(void **state)
{
    (void)state;
    for (int i = 0; i <= 2 * 1000; i++) {
        const clv_colour ground = (i % 2 ? clv_palette_right : clv_palette_wrong)(i / 2000.0);
        const double a = clv_palette_luminance(ground) + 0.05,
                     b = clv_palette_luminance(clv_palette_ink(ground)) + 0.05;
        assert_true(fmax(a, b) / fmin(a, b) >= 4.5);
    }
}

/* Axes. */

static void check_decades(double low, double high, int most, const char *labels)
{
    const clv_axis axis = clv_axis_create_log(low, high, 0, most);
    char all[400] = "", label[CLV_AXIS_LABEL_SIZE];
    assert_true(axis.log && axis.low <= low * (1 + 1e-12) && axis.high >= high * (1 - 1e-12));
    assert_true(axis.ticks >= 2 && axis.ticks <= most + 1);
    for (int i = 0; i < axis.ticks; i++) {
        const double share = clv_axis_share(&axis, clv_axis_tick(&axis, i));
        assert_true(share > -1e-6 && share < 1 + 1e-6);
        if (i) assert_true(clv_axis_tick(&axis, i) > clv_axis_tick(&axis, i - 1));
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", i ? " " : "", clv_axis_label(&axis, i, label));
    }
    if (labels) assert_string_equal(all, labels);
}

static void decades_have_ticks(void **state)
{
    (void)state;
    check_decades(1, 100, 8, "1 2 5 10 20 50 100");
    check_decades(1, 100, 5, "1 10 100");
    check_decades(0.03, 700, 10, "0.1 1 10 100");
    check_decades(0.003, 0.7, 10, "0.005 0.01 0.02 0.05 0.1 0.2 0.5");
    check_decades(1e-5, 1e-2, 5, "1e-5 1e-4 0.001 0.01");
    check_decades(1e-40, 1e40, 5, "1e-40 1e-20 1 1e20 1e40");
    check_decades(1e4, 1e6, 3, "10000 1e5 1e6");
    check_decades(1.2, 1.5, 8, "1.2 1.3 1.4 1.5"); /* no two of 1, 2, 5: ticks at steps */
    check_decades(3, 3, 8, "2 5");                 /* one value: an octave on both sides */
    for (double low = 1e-99; low < 1e99; low *= 37.7)
        for (double high = low; high < 1e99; high *= 61.3)
            for (int most = 2; most < 10; most++) check_decades(low, high, most, NULL);
}

static void few_values_are_their_own_ticks(void **state)
{
    (void)state;
    static const double value[] = {64, 8, 16, 64, 32, 8, 16};
    clv_range range = {.log = true, .empty = true};
    char label[CLV_AXIS_LABEL_SIZE];
    for (int i = 0; i < 7; i++) clv_range_add(&range, value[i]);
    clv_axis axis = clv_range_axis_listed(&range, 0.05, 8, 0.1);
    assert_true(axis.complete && axis.ticks == 4);
    for (int i = 0; i < 4; i++) assert_true(clv_axis_tick(&axis, i) == 8 << i);
    assert_string_equal(clv_axis_label(&axis, 3, label), "64");
    assert_false(clv_range_axis_listed(&range, 0.05, 8, 0.4).complete); /* too near */
    for (int i = 0; i < 4; i++) clv_range_add(&range, 100 + i);
    assert_false(clv_range_axis_listed(&range, 0.05, 8, 0).complete); /* too many */
}

static void numbers_are_written_short(void **state)
{
    (void)state;
    static const struct {
        double value;
        int digits;
        const char *text;
    } cases[] = {{0, 3, "0"},
                 {0.63, 3, "0.63"},
                 {0.012345, 3, "0.0123"},
                 {4e-4, 3, "4e-4"},
                 {1e-9, 3, "1e-9"},
                 {999.9, 3, "1000"},
                 {12345, 3, "12345"},
                 {50000, 4, "50000"},
                 {123456, 3, "1.23e5"},
                 {99999.7, 3, "1e5"},
                 {-0.5, 3,
                  "\xe2\x88\x92"
                  "0.5"}};
    char text[CLV_AXIS_LABEL_SIZE];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(clv_number_label(cases[i].value, cases[i].digits, text), cases[i].text);
}

/* Titles. */

static void long_titles_take_more_lines(void **state)
{
    (void)state;
    static const char words[] =
        "Reconstruction error of the denoising autoencoder against the noise that was added to the images "
        "of the test set, its code of size 32, trained for 60 epochs";
    char endless[1500];
    clv_canvas canvas;
    assert_ok(clv_canvas_create("x.png", 720, 400, &canvas, err));
    assert_int_equal(clv_title_fit(&canvas, NULL, 720).lines, 0);
    assert_int_equal(clv_title_fit(&canvas, "Loss by epoch", 720).lines, 1);
    const clv_title title = clv_title_fit(&canvas, words, 720);
    char joined[sizeof words] = "";
    assert_in_range(title.lines, 2, 3);
    for (int i = 0; i < title.lines; i++) {
        assert_true(title.line[i].width <= 720 - 2 * CLV_MARGIN);
        snprintf(joined + strlen(joined), sizeof joined - strlen(joined), "%s%s", i ? " " : "", title.line[i].text);
    }
    assert_string_equal(joined, words); /* nothing is lost */
    memset(endless, 'W', sizeof endless - 1);
    endless[sizeof endless - 1] = '\0';
    for (int blank = 0; blank < 2; blank++) {
        for (size_t i = 7; blank && i < sizeof endless - 1; i += 8) endless[i] = ' ';
        const clv_title cut = clv_title_fit(&canvas, endless, 720);
        assert_int_equal(cut.lines, blank ? CLV_TITLE_LINES : 1);
        for (int i = 0; i < cut.lines; i++) assert_true(cut.line[i].width <= 720 - 2 * CLV_MARGIN);
    }
    clv_canvas_destroy(&canvas);
}

/* Any plot. */

static clv_status write_plot(const char *path, const void *of, clv_error *err) { return clv_plot_write(path, of, err); }
static clv_status write_scatter(const char *path, const void *of, clv_error *err)
{
    return clv_scatter_write(path, of, err);
}
static clv_status write_confusion(const char *path, const void *of, clv_error *err)
{
    return clv_confusion_write(path, of, err);
}
static clv_status write_bars(const char *path, const void *of, clv_error *err) { return clv_bars_write(path, of, err); }
static clv_status write_panels(const char *path, const void *of, clv_error *err)
{
    return clv_panels_write(path, of, err);
}
static clv_status write_parallel(const char *path, const void *of, clv_error *err)
{
    return clv_parallel_write(path, of, err);
}

typedef clv_status (*writer)(const char *path, const void *of, clv_error *err);

static image draw(writer write, const void *of)
{
    assert_ok(write(test_path("a.png"), of, err));
    image picture = read_png(test_path("a.png"));
    assert_int_equal(picture.channels, 3);
    return picture;
}

/* PNG and SVG, each twice: the same bytes, nothing near the page's edges, and the SVG an XML document. */
static void check_drawing(writer write, const void *of, const char *what)
{
    static const char *const endings[] = {"png", "svg"};
    for (int e = 0; e < 2; e++) {
        char first[16], second[16];
        snprintf(first, sizeof first, "a.%s", endings[e]);
        snprintf(second, sizeof second, "b.%s", endings[e]);
        assert_ok(write(test_path(first), of, err));
        assert_ok(write(test_path(second), of, err));
        if (!same_bytes(test_path(first), test_path(second))) fail_msg("%s: two %ss differ", what, endings[e]);
    }
    image picture = read_png(test_path("a.png"));
    if (!has_clear_border(&picture)) fail_msg("%s: something reaches the page's edge", what);
    free(picture.pixel);
    char command[700];
    snprintf(command, sizeof command, "python3 -c 'import sys, xml.dom.minidom as d; d.parse(sys.argv[1])' '%s'",
             test_path("a.svg"));
    if (system(command) != 0) fail_msg("%s: the SVG is no XML", what);
}

static bool same_picture(writer write, const void *one, const void *other)
{
    assert_ok(write(test_path("a.png"), one, err));
    assert_ok(write(test_path("b.png"), other, err));
    return same_bytes(test_path("a.png"), test_path("b.png"));
}

static int pixels_of_colour(const image *i, clv_colour c, double opacity)
{
    const double white = 255 * (1 - opacity);
    return pixels_of(i, (int)lround(white + 255 * opacity * c.red), (int)lround(white + 255 * opacity * c.green),
                     (int)lround(white + 255 * opacity * c.blue));
}

/* Dark pixels around the middle of the page: a note that there is nothing to draw. */
static int dark_in_the_middle(const image *i)
{
    int found = 0;
    for (int y = i->height / 4; y < 3 * i->height / 4; y++)
        for (int x = i->width / 4; x < 3 * i->width / 4; x++) found += i->pixel[3 * (y * i->width + x)] < 150;
    return found;
}

/* Data: 1,000 points of ten classes, sorted by class, all around the same place. */

enum { POINTS = 1000, CLASSES = 10 };
static double point_x[10 * POINTS], point_y[10 * POINTS];
static int point_class[10 * POINTS];
static const char *const digit[CLASSES] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
static char long_text[2000];
static const char *long_names[1000];

static int make_data(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (int i = 0; i < 10 * POINTS; i++) {
        double sum[2] = {0, 0}; /* of 4 uniforms: near enough to normal */
        for (int k = 0; k < 8; k++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            sum[k % 2] += (double)(seed >> 11) / 9007199254740992.0 - 0.5;
        }
        point_x[i] = sum[0];
        point_y[i] = sum[1];
        point_class[i] = i / POINTS;
    }
    memset(long_text, 'W', sizeof long_text - 1);
    for (size_t i = 30; i < sizeof long_text - 1; i += 31) long_text[i] = ' ';
    for (int i = 0; i < 1000; i++) long_names[i] = i % 3 ? "\xff a name, \xe2\x82\xac\n" : long_text;
    return 0;
}

static clv_scatter scatter_of(int count)
{
    return (clv_scatter){.title = "Codes of the test images",
                         .x_label = "code 1",
                         .y_label = "code 2",
                         .x = point_x,
                         .y = point_y,
                         .group = point_class,
                         .count = count,
                         .groups = CLASSES,
                         .group_name = digit};
}

/* Four classes in the corners: each one's colour is found in its corner and nowhere else, but in the legend. */
static void classes_lie_where_their_points_are(void **state)
{
    (void)state;
    static const double x[] = {0, 0, 1, 1}, y[] = {0, 1, 0, 1};
    static const int class[] = {0, 1, 2, 3};
    clv_scatter s = scatter_of(4);
    s.x = x;
    s.y = y;
    s.group = class;
    s.groups = 4;
    image i = draw(write_scatter, &s);
    const int split_x = (int)(0.45 * i.width), split_y = i.height / 2, legend = (int)(0.9 * i.width);
    for (int g = 0; g < 4; g++) {
        image quarter[4];
        for (int q = 0; q < 4; q++) { /* corner q: bit 1 right, bit 0 upper */
            quarter[q] = i;
            quarter[q].pixel = malloc(3 * (size_t)(i.height * i.width));
            assert_non_null(quarter[q].pixel);
            memcpy(quarter[q].pixel, i.pixel, 3 * (size_t)(i.height * i.width));
            for (int p = 0; p < i.height * i.width; p++) {
                const int px = p % i.width, py = p / i.width;
                const int corner = 2 * (px >= split_x) + (py < split_y);
                if (corner != q || px >= legend) memset(quarter[q].pixel + 3 * (size_t)p, 255, 3);
            }
            const int found = pixels_of_colour(&quarter[q], clv_palette_class(g), 0.9);
            if (q == g)
                assert_true(found > 100);
            else
                assert_int_equal(found, 0);
            free(quarter[q].pixel);
        }
    }
    free(i.pixel);
}

/* However the data are ordered, the last class does not cover the first. */
static void no_class_hides_another(void **state)
{
    (void)state;
    const clv_scatter s = scatter_of(10 * POINTS);
    image i = draw(write_scatter, &s);
    for (int g = 0; g < CLASSES; g++) {
        const clv_colour c = clv_palette_class(g);
        int near = 0;
        for (int p = 0; p < i.height * i.width; p++) {
            const uint8_t *at = i.pixel + 3 * (size_t)p;
            near += fabs(at[0] - 255 * c.red) + fabs(at[1] - 255 * c.green) + fabs(at[2] - 255 * c.blue) < 90;
        }
        assert_true(near > 1000);
    }
    free(i.pixel);
}

static void ten_thousand_points_make_a_small_svg(void **state)
{
    (void)state;
    const clv_scatter s = scatter_of(10 * POINTS);
    uint8_t *text = NULL;
    size_t size = 0;
    assert_ok(clv_scatter_write(test_path("a.svg"), &s, err));
    assert_ok(clv_file_read(test_path("a.svg"), 1 << 24, CLV_ERR_DATA, &text, &size, err));
    assert_in_range(size, 200000, 1000000);
    free(text);
}

static void what_cannot_be_drawn_is_left_out(void **state)
{
    (void)state;
    static const double x[] = {1, NAN, 10, 3, 100, -INFINITY, 1e200, 5, -5, 0}, kept_x[] = {1, 10, 100};
    static const double y[] = {2, 1, 0.5, INFINITY, 1, 1, 1, -1, 1, 1}, kept_y[] = {2, 0.5, 1};
    static const int class[] = {0, 0, 1, 0, 2, 0, 0, -1, 3, 7}, kept_class[] = {0, 1, 2};
    const clv_series all = {.name = "a", .x = x, .y = y, .count = 10},
                     kept = {.name = "a", .x = kept_x, .y = kept_y, .count = 3};
    clv_plot with = {.x_label = "x", .series = &all, .series_count = 1, .log_x = true, .log_y = true}, without = with;
    without.series = &kept;
    assert_true(same_picture(write_plot, &with, &without));
    without.log_x = false;
    assert_false(same_picture(write_plot, &with, &without));
    clv_scatter some = {.x = x, .y = y, .group = class, .count = 10, .groups = 3}, few = some;
    few.x = kept_x;
    few.y = kept_y;
    few.group = kept_class;
    few.count = 3;
    assert_true(same_picture(write_scatter, &some, &few));
    some.group = few.group = NULL;
    some.groups = 1000; /* no points are in them */
    few.groups = 0;
    few.x = x;
    few.y = y;
    few.count = 10;
    assert_true(same_picture(write_scatter, &some, &few));
}

static void marks_and_lines_are_drawn_as_wished(void **state)
{
    (void)state;
    clv_series series = {.x = point_x, .y = point_y, .count = 200};
    clv_plot plot = {.series = &series, .series_count = 1};
    int found[4];
    for (int i = 0; i < 4; i++) {
        plot.markers = i & 1;
        series.no_line = i & 2;
        image drawn = draw(write_plot, &plot);
        found[i] = pixels_of_colour(&drawn, clv_palette_line(0), 1);
        free(drawn.pixel);
    }
    assert_true(found[1] > found[0] && found[0] > found[2] && found[2] > 200 * 20);
    assert_int_equal(found[2], found[3]); /* marks alone are marks */
}

static void equal_scales_are_equal(void **state)
{
    (void)state;
    clv_canvas canvas;
    const clv_texts texts = {"title", "x", "y"};
    static const double sides[][4] = {
        {0, 1, 0, 10}, {-3e6, 3e6, 1, 2}, {0, 1e-9, -1, 1}, {5, 5, 7, 7}, {0, 100, 0, 99}};
    assert_ok(clv_canvas_create("x.png", 720, 560, &canvas, err));
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
        const clv_range x = {.low = sides[i][0], .high = sides[i][1]}, y = {.low = sides[i][2], .high = sides[i][3]};
        clv_frame f = clv_frame_create(&canvas, &texts, &x, &y, 40);
        clv_frame_equalise(&canvas, &f);
        const double unit_x = (f.box.right - f.box.left) / (f.x.high - f.x.low),
                     unit_y = (f.box.bottom - f.box.top) / (f.y.high - f.y.low);
        assert_true(fabs(unit_x / unit_y - 1) < 1e-6);
        assert_true(f.x.low <= x.low && f.x.high >= x.high && f.y.low <= y.low && f.y.high >= y.high);
        assert_true(f.box.left > 0 && f.box.right <= 720 - CLV_MARGIN - 40 && f.box.right - f.box.left > 300);
    }
    clv_canvas_destroy(&canvas);
}

/* Cells have the shade of their share, and a count of text on it. */
static void cells_are_shaded_by_their_share(void **state)
{
    (void)state;
    static const uint32_t count[] = {90, 10, 0, 3, 996, 1, 0, 0, 0};
    const clv_confusion c = {.title = "Confusion", .classes = 3, .count = count};
    image i = draw(write_confusion, &c);
    const int cell = 4 * 40 * 40; /* most of a cell of 70 x 70 points */
    assert_true(pixels_of_colour(&i, clv_palette_right(cbrt(0.9)), 1) > cell);
    assert_true(pixels_of_colour(&i, clv_palette_wrong(cbrt(0.1)), 1) > cell);
    assert_true(pixels_of_colour(&i, clv_palette_wrong(cbrt(0.003)), 1) > cell);
    assert_true(pixels_of_colour(&i, clv_palette_right(cbrt(0.996)), 1) > cell);
    assert_true(pixels_of_colour(&i, clv_palette_wrong(cbrt(0.001)), 1) > cell);
    free(i.pixel);
}

/* The diagonal of 256 classes is seen in cells of 6 x 6 points, and no counts. */
static void many_classes_have_small_cells(void **state)
{
    (void)state;
    enum { MANY = 256 };
    static uint32_t count[MANY * MANY];
    for (int c = 0; c < MANY; c++) count[c * MANY + c] = 7;
    const clv_confusion c = {.title = "Confusion", .classes = MANY, .count = count};
    image i = draw(write_confusion, &c);
    assert_true(i.width > 2 * 6 * MANY && i.width < 2 * 8 * MANY);
    assert_true(pixels_of_colour(&i, clv_palette_right(1), 1) > MANY * 4 * 30);
    free(i.pixel);
}

static void bars_are_as_long_as_their_values(void **state)
{
    (void)state;
    static const char *const name[] = {"a", "b", "c", "d"};
    static const double value[] = {1, 0.25, -0.5, NAN};
    const clv_bars bars = {.x_label = "share", .count = 4, .name = name, .value = value};
    image i = draw(write_bars, &bars);
    int first[3] = {0}, length[3] = {0}, bar = -1; /* of the drawn bars, from above */
    bool inside = false;
    for (int y = 0; y < i.height; y++) {
        image row = {1, i.width, 3, i.pixel + 3 * (size_t)(y * i.width)};
        const int found = pixels_of_colour(&row, clv_palette_line(0), 1);
        if (found > 0 && !inside) bar++;
        inside = found > 0;
        assert_true(bar <= 2);
        if (!inside || found <= length[bar]) continue;
        length[bar] = found;
        row.width = 1;
        for (first[bar] = 0; pixels_of_colour(&row, clv_palette_line(0), 1) == 0; first[bar]++) row.pixel += 3;
    }
    assert_int_equal(bar, 2);
    assert_true(abs(length[1] * 4 - length[0]) < 12 && abs(length[2] * 2 - length[0]) < 12);
    assert_true(abs(first[0] - first[1]) < 3 &&
                abs(first[2] + length[2] - first[0]) < 6); /* from 0, the third leftward */
    free(i.pixel);
}

static void panels_show_every_parameter(void **state)
{
    (void)state;
    static const char *const label[] = {"lr", "drop", "conv1", "conv2", "code"};
    double x[5 * 40], y[40];
    int one = 0;
    for (int i = 0; i < 5 * 40; i++) x[i] = fabs(point_x[i]) + 1e-3;
    for (int i = 0; i < 40; i++) y[i] = point_y[i];
    for (int panels = 1; panels <= 5; panels += 4) {
        const clv_panels p = {"Trials", "loss", panels, 40, label, NULL, x, y, false, NULL};
        image i = draw(write_panels, &p);
        const int found = pixels_of_colour(&i, clv_palette_line(0), 0.7);
        if (panels == 1) one = found;
        assert_true(found > 40 * 10);
        if (panels == 5) assert_true(found > 4 * one); /* some marks overlap */
        free(i.pixel);
    }
    for (int i = 0; i < 40; i++) y[i] = -1;
    const clv_panels none = {"Trials", "loss", 1, 40, label, NULL, x, y, true, NULL};
    image i = draw(write_panels, &none);
    assert_int_equal(pixels_of_colour(&i, clv_palette_line(0), 0.7), 0);
    assert_true(dark_in_the_middle(&i) > 100); /* says so */
    free(i.pixel);
}

/* Where the line of the least value (top 0) or of the greatest lies on the other one. */
static int pixels_of_both(image *i, int top)
{
    const double opacity = 0.85;
    const clv_colour over = clv_palette_ramp(top), under = clv_palette_ramp(!top);
    const double white = (1 - opacity) * (1 - opacity), through = opacity * (1 - opacity);
    const clv_colour both = {opacity * over.red + through * under.red + white,
                             opacity * over.green + through * under.green + white,
                             opacity * over.blue + through * under.blue + white};
    return pixels_of_colour(i, both, 1);
}

/* Two lines over one another, the others elsewhere: the lower value's is seen, whichever comes first. */
static void the_lowest_line_lies_on_top(void **state)
{
    (void)state;
    static const char *const name[] = {"a", "b"};
    double at[8][2];
    for (int l = 0; l < 8; l++) at[l][0] = at[l][1] = l ? l : 1;
    for (int order = 0; order < 2; order++) {
        double value[8] = {order ? 7 : 0, order ? 0 : 7, 1, 2, 3, 4, 5, 6};
        const clv_parallel p = {"Trials", "loss", 2, 8, name, NULL, &at[0][0], value, NULL};
        image i = draw(write_parallel, &p);
        assert_true(pixels_of_both(&i, 0) > 500);
        assert_int_equal(pixels_of_both(&i, 1), 0);
        free(i.pixel);
    }
}

/* Two lines in one place fan out where it is one of a list; a number of a range is where it is, however few there are.
 */
static void lines_fan_out_on_lists_alone(void **state)
{
    (void)state;
    static const char *const name[] = {"a", "b"};
    static const bool listed[] = {true, true};
    static const double at[3][2] = {{1, 1}, {1, 1}, {2, 2}}, value[3] = {0, 7, 3};
    clv_parallel p = {"Trials", "loss", 2, 3, name, NULL, &at[0][0], value, NULL};
    image i = draw(write_parallel, &p);
    assert_true(pixels_of_both(&i, 0) > 500);
    free(i.pixel);
    p.listed = listed;
    i = draw(write_parallel, &p);
    assert_int_equal(pixels_of_both(&i, 0), 0);
    free(i.pixel);
}

/* The same of points. */
static void points_stand_aside_on_lists_alone(void **state)
{
    (void)state;
    static const char *const label[] = {"a"};
    static const bool listed[] = {true};
    double x[40], y[40];
    int found[2];
    for (int n = 0; n < 40; n++) x[n] = n % 2, y[n] = 1 + n % 2;
    for (int kind = 0; kind < 2; kind++) {
        const clv_panels p = {"Trials", "loss", 1, 40, label, NULL, x, y, false, kind ? listed : NULL};
        image i = draw(write_panels, &p);
        found[kind] = pixels_of_colour(&i, clv_palette_line(0), 1); /* all on one another: no longer transparent */
        free(i.pixel);
    }
    assert_true(found[0] > 50 && found[1] > 1.5 * found[0]);
}

static void empty_plots_say_so(void **state)
{
    (void)state;
    static const double nan[4] = {NAN, INFINITY, -INFINITY, NAN};
    static const char *const name[] = {"a", "b"};
    const clv_series series = {.name = "a", .x = nan, .y = nan, .count = 4};
    const clv_plot plot = {.title = "plot", .series = &series, .series_count = 1},
                   log_plot = {.log_x = true, .log_y = true};
    const clv_scatter scatter = {.title = "scatter", .x = nan, .y = nan, .count = 4, .equal = true},
                      nothing = {.title = "x"};
    const clv_panels panels = {.title = "panels", .panels = 0};
    const clv_parallel parallel = {"parallel", "loss", 2, 2, name, NULL, nan, nan, NULL},
                       no_axes = {.title = "no axes"};
    const clv_bars bars = {.title = "bars"};
    const struct {
        writer write;
        const void *of;
        const char *what;
    } empty[] = {{write_plot, &plot, "plot"},          {write_plot, &log_plot, "log plot"},
                 {write_scatter, &scatter, "scatter"}, {write_scatter, &nothing, "no scatter"},
                 {write_panels, &panels, "panels"},    {write_parallel, &parallel, "parallel"},
                 {write_bars, &bars, "bars"},          {write_parallel, &no_axes, "no axes"}};
    for (size_t e = 0; e < sizeof empty / sizeof *empty; e++) {
        check_drawing(empty[e].write, empty[e].of, empty[e].what);
        image i = draw(empty[e].write, empty[e].of);
        if (dark_in_the_middle(&i) < 100) fail_msg("%s does not say that it is empty", empty[e].what);
        free(i.pixel);
    }
}

static double wild_values[64 * 50];
static bool all_log[64];
static uint32_t wild_counts[256 * 256];

static void hostile_plots_are_drawn(void **state)
{
    (void)state;
    static const double kinds[] = {1e-300, -1e99, 1e99, NAN, 0, -1e-12, 3, INFINITY, 1e12, 12345678.9};
    for (int i = 0; i < 64 * 50; i++) wild_values[i] = kinds[(i + i / 7) % 10];
    for (int i = 0; i < 64; i++) all_log[i] = i % 2;
    for (int i = 0; i < 256 * 256; i++) wild_counts[i] = i % 7 ? (uint32_t)i : UINT32_MAX;
    clv_series series[30];
    for (int i = 0; i < 30; i++)
        series[i] = (clv_series){
            .name = long_names[i], .x = wild_values + i, .y = wild_values + 9 * i, .count = 50, .no_line = i % 2};
    int class[1000];
    for (int i = 0; i < 1000; i++) class[i] = i % 20;
    const char *t = long_text;
    const clv_plot plot = {t, t, t, series, 30, false, true, true}, log_plot = {t, t, t, series, 30, true, true, false};
    const clv_scatter scatter = {t, t, t, wild_values, wild_values + 7, class, 1000, 20, long_names, true},
                      plain = {t, NULL, NULL, wild_values, wild_values + 7, NULL, 1000, 0, NULL, false};
    const clv_confusion confusion = {t, 30, long_names, wild_counts}, large = {t, 256, NULL, wild_counts},
                        one = {t, 1, long_names, wild_counts};
    const clv_bars bars = {t, t, 50, long_names, wild_values}, tall = {t, NULL, 800, long_names, wild_values};
    const clv_panels panels = {t, t, 64, 50, long_names, all_log, wild_values, wild_values + 100, true, all_log},
                     two = {t, t, 2, 50, long_names, NULL, wild_values, point_x, false, NULL};
    const clv_parallel parallel = {t, t, 40, 50, long_names, all_log, wild_values, point_y, all_log},
                       single = {t, t, 1, 50, long_names, NULL, wild_values, wild_values, NULL};
    check_drawing(write_plot, &plot, "plot");
    check_drawing(write_plot, &log_plot, "log plot");
    check_drawing(write_scatter, &scatter, "scatter");
    check_drawing(write_scatter, &plain, "plain scatter");
    check_drawing(write_confusion, &confusion, "confusion");
    check_drawing(write_confusion, &one, "confusion of one");
    check_drawing(write_bars, &bars, "bars");
    check_drawing(write_panels, &panels, "panels");
    check_drawing(write_panels, &two, "two panels");
    check_drawing(write_parallel, &parallel, "parallel");
    check_drawing(write_parallel, &single, "one axis");
    assert_ok(clv_bars_write(test_path("tall.png"), &tall, err)); /* as high as cairo's pictures can be */
    assert_ok(clv_confusion_write(test_path("large.svg"), &large, err));
}

static void ordinary_plots_are_drawn(void **state)
{
    (void)state;
    static const char *const name[] = {"params.conv1", "train.lr", "train.l2", "params.drop"};
    const clv_scatter scatter = scatter_of(10 * POINTS);
    const clv_bars bars = {"Importance", "share of the variance", 4, name, point_x};
    const clv_panels panels = {"Trials", "loss", 4, 100, name, NULL, point_x, point_y, false, NULL};
    const clv_parallel parallel = {"Trials", "loss", 4, 100, name, NULL, point_x, point_y, NULL};
    check_drawing(write_scatter, &scatter, "scatter");
    check_drawing(write_bars, &bars, "bars");
    check_drawing(write_panels, &panels, "panels");
    check_drawing(write_parallel, &parallel, "parallel");
}

static void impossible_plots_are_refused(void **state)
{
    (void)state;
    static const uint32_t count[1] = {1};
    clv_scatter scatter = scatter_of(10);
    clv_confusion confusion = {.classes = 1, .count = count};
    clv_bars bars = {.count = 801};
    clv_panels panels = {.panels = 65};
    clv_parallel parallel = {.axes = 41};
    char path[512];
    snprintf(path, sizeof path, "%s", test_path("refused.png"));
    scatter.groups = 21;
    assert_refused(clv_scatter_write(path, &scatter, err), CLV_ERR_CONFIG, "21 classes");
    assert_refused(clv_bars_write(path, &bars, err), CLV_ERR_CONFIG, "801 bars");
    assert_refused(clv_panels_write(path, &panels, err), CLV_ERR_CONFIG, "65 panels");
    assert_refused(clv_parallel_write(path, &parallel, err), CLV_ERR_CONFIG, "41 axes");
    for (int classes = 0; classes <= 257; classes += 257) {
        confusion.classes = classes;
        assert_refused(clv_confusion_write(path, &confusion, err), CLV_ERR_CONFIG, "classes, where");
    }
    scatter.groups = confusion.classes = bars.count = panels.panels = parallel.axes = 0;
    confusion.classes = 1;
    const struct {
        writer write;
        const void *of;
    } all[] = {{write_scatter, &scatter},
               {write_confusion, &confusion},
               {write_bars, &bars},
               {write_panels, &panels},
               {write_parallel, &parallel}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        assert_refused(all[i].write(test_path("refused.jpg"), all[i].of, err), CLV_ERR_CONFIG,
                       "must end in .png or .svg");
        assert_refused(all[i].write(test_path("none/refused.svg"), all[i].of, err), CLV_ERR_INTERNAL, "No such file");
        for (long nth = 1; nth <= 3; nth++) { /* cairo's own memory is beyond reach; clave's is not */
            clv_fail_allocation(nth);
            assert_refused(all[i].write(test_path("refused.svg"), all[i].of, err), CLV_ERR_INTERNAL, "refused.svg");
            clv_fail_allocation(nth);
            assert_refused(all[i].write(path, all[i].of, err), CLV_ERR_INTERNAL, "");
            clv_fail_allocation(0);
        }
    }
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(access(test_path("refused.svg"), F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_difference_of_colours_is_the_published_one),
        cmocka_unit_test(classes_differ_in_every_eye),
        cmocka_unit_test(values_get_lighter_and_shades_darker),
        cmocka_unit_test(counts_can_be_read_on_every_shade),
        cmocka_unit_test(decades_have_ticks),
        cmocka_unit_test(few_values_are_their_own_ticks),
        cmocka_unit_test(numbers_are_written_short),
        cmocka_unit_test(long_titles_take_more_lines),
        cmocka_unit_test(classes_lie_where_their_points_are),
        cmocka_unit_test(no_class_hides_another),
        cmocka_unit_test(ten_thousand_points_make_a_small_svg),
        cmocka_unit_test(what_cannot_be_drawn_is_left_out),
        cmocka_unit_test(marks_and_lines_are_drawn_as_wished),
        cmocka_unit_test(equal_scales_are_equal),
        cmocka_unit_test(cells_are_shaded_by_their_share),
        cmocka_unit_test(many_classes_have_small_cells),
        cmocka_unit_test(bars_are_as_long_as_their_values),
        cmocka_unit_test(panels_show_every_parameter),
        cmocka_unit_test(the_lowest_line_lies_on_top),
        cmocka_unit_test(lines_fan_out_on_lists_alone),
        cmocka_unit_test(points_stand_aside_on_lists_alone),
        cmocka_unit_test(empty_plots_say_so),
        cmocka_unit_test(ordinary_plots_are_drawn),
        cmocka_unit_test(hostile_plots_are_drawn),
        cmocka_unit_test(impossible_plots_are_refused),
    };
    return cmocka_run_group_tests(tests, make_data, forget_fonts);
}
