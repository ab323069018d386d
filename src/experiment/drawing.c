/* What every picture of a run takes: a session with its weights, the path and the size of the file, a plot, a grid of
 * images. */
#include "experiment/drawing.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/try.h"
#include "clave/report.h"
#include "experiment/run_folder.h"

#define GRID_GAP 1

clv_status clv_session_open_run(const char *run, const clv_config *config, clv_log *log,
                                const clv_phase_request *request, int requests, clv_session **session, clv_error *err)
{
    clv_session *s = NULL;
    clv_status status = clv_session_open(config, log, request, requests, &s, err);
    if (status == CLV_OK) status = clv_session_load(s, run, err);
    if (status == CLV_OK)
        *session = s;
    else
        clv_session_close(s);
    return status;
}

static clv_status path_in(const char *run, const char *subfolder, const char *name, char out[CLV_PATH_SIZE],
                          clv_error *err)
{
    char folder[CLV_PATH_SIZE];
    clv_status status = CLV_OK;
    CLV_TRY(clv_path_join(folder, sizeof folder, run, subfolder, err));
    CLV_TRY(clv_make_folders(folder, err));
    CLV_TRY(clv_path_join(out, CLV_PATH_SIZE, folder, name, err));
done:
    return status;
}

clv_status clv_figure_path(const char *run, const char *name, char out[CLV_PATH_SIZE], clv_error *err)
{
    return path_in(run, CLV_FIGURES_FOLDER, name, out, err);
}

clv_status clv_picture_path(const char *run, const char *path, char out[CLV_PATH_SIZE], clv_error *err,
                            const char *format, ...)
{
    char name[200];
    va_list list;
    if (path) return clv_path_join(out, CLV_PATH_SIZE, "", path, err);
    va_start(list, format);
    vsnprintf(name, sizeof name, format, list);
    va_end(list);
    for (char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("-._", *c)) *c = '_';
    return path_in(run, CLV_PICTURES_FOLDER, name, out, err);
}

clv_status clv_write_plot(const char *path, const void *plot, clv_error *err)
{
    return clv_plot_write(path, plot, err);
}

clv_status clv_draw_both(const char *folder, const char *name, clv_plot_writer write, const void *plot, clv_error *err)
{
    static const char *const ending[] = {"png", "svg"};
    clv_status status = CLV_OK;
    CLV_TRY(clv_make_folders(folder, err));
    for (int i = 0; i < 2; i++) {
        char file[64], path[CLV_PATH_SIZE];
        snprintf(file, sizeof file, "%s.%s", name, ending[i]);
        CLV_TRY(clv_path_join(path, sizeof path, folder, file, err));
        CLV_TRY(write(path, plot, err));
    }
done:
    return status;
}

clv_status clv_draw_grid(const clv_session *s, const char *path, int rows, int columns, int count, const float *pixel,
                         int scale, clv_error *err)
{
    const clv_images *images = s->images[0].count ? &s->images[0] : &s->images[1];
    clv_grid grid = {images->channels, images->height, images->width, rows, columns, count, pixel, scale, GRID_GAP};
    return clv_png_write_grid(path, &grid, err);
}

clv_status clv_draw_worded(const clv_session *s, const char *path, const clv_worded_grid *grid, clv_error *err)
{
    const clv_images *images = s->images[0].count ? &s->images[0] : &s->images[1];
    const clv_gallery gallery = {.title = grid->title,
                                 .channels = images->channels,
                                 .height = images->height,
                                 .width = images->width,
                                 .count = grid->rows * grid->columns,
                                 .columns = grid->columns,
                                 .pixel = grid->pixel,
                                 .caption = grid->caption,
                                 .scale = grid->scale,
                                 .row_name = grid->row_name};
    return clv_gallery_write(path, &gallery, err);
}

int clv_picture_choice(int option, const clv_config *config, const char *key)
{
    return option > 0 ? option : (int)clv_config_int(config, key);
}

clv_status clv_picture_count(const clv_picture_options *options, const clv_config *config, const char *key, int *count,
                             clv_error *err)
{
    *count = clv_picture_choice(options->count, config, key);
    if (*count > 0) return CLV_OK;
    return clv_fail(err, CLV_ERR_CONFIG, "%s: %s is 0: say how many by --count N", clv_config_where(config, key), key);
}
