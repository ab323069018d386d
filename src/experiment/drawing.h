/* What every picture of a run takes: its weights in a session, its place, its size, a plot, a grid of images. */
#ifndef CLAVE_EXPERIMENT_DRAWING_H
#define CLAVE_EXPERIMENT_DRAWING_H

#include "clave/experiment.h"
#include "experiment/session.h"

/* A session with a run's weights. */
clv_status clv_session_open_run(const char *run, const clv_config *config, clv_log *log,
                                const clv_phase_request *request, int requests, clv_session **session, clv_error *err);

/* RUN/figures/name, of the run's own record; the folder is made. */
clv_status clv_figure_path(const char *run, const char *name, char out[CLV_PATH_SIZE], clv_error *err);

/* `path`, or where it is NULL RUN/pictures/name, apart from the run's own record; the folder is made. The name says the
 * settings, as printf has it: "samples-prior-64-seed7.png". What no file's name should hold becomes '_'. */
clv_status clv_picture_path(const char *run, const char *path, char out[CLV_PATH_SIZE], clv_error *err,
                            const char *format, ...) __attribute__((format(printf, 5, 6)));

/* A plot as PNG and as SVG: folder/name.png and folder/name.svg; the folder is made. `write` is a function of
 * clave/report.h on what it takes. */
typedef clv_status (*clv_plot_writer)(const char *path, const void *plot, clv_error *err);
clv_status clv_write_plot(const char *path, const void *plot, clv_error *err); /* one of clv_plot */
clv_status clv_draw_both(const char *folder, const char *name, clv_plot_writer write, const void *plot, clv_error *err);

/* Images [image][c][y][x], 0 .. 1, of the session's shape as a grid. */
clv_status clv_draw_grid(const clv_session *session, const char *path, int rows, int columns, int count,
                         const float *pixel, int scale, clv_error *err);

/* The same with words: a title, a name for each row, a caption (or NULL) for each image. */
typedef struct clv_worded_grid {
    const char *title;
    int rows, columns;
    const char *const *row_name; /* [rows] */
    const char *const *caption;  /* [row][column] */
    const float *pixel;          /* [row][column][c][y][x] */
    int scale;
} clv_worded_grid;
clv_status clv_draw_worded(const clv_session *session, const char *path, const clv_worded_grid *grid, clv_error *err);

/* The option where it is given, else the configuration's. */
int clv_picture_choice(int option, const clv_config *config, const char *key);

/* How many images a subcommand draws: its option or the configuration's, which may be 0 for "none at the end of a run".
 */
clv_status clv_picture_count(const clv_picture_options *options, const clv_config *config, const char *key, int *count,
                             clv_error *err);

#endif
