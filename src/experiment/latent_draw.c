/* Points of the plane as a scatter plot, in the colours of their labels, as PNG and SVG. */
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/try.h"
#include "clave/report.h"
#include "experiment/latent.h"

clv_status clv_latent_draw(const char *folder, const char *name, const clv_latent_points *points, const float *at,
                           int stride, const int axis[2], const char *const label[2], const char *title, clv_error *err)
{
    clv_status status = CLV_OK;
    const int count = points->codes.count;
    const bool coloured = points->label && points->classes <= CLV_LATENT_CLASSES;
    double *x = clv_alloc((size_t)count * 2, sizeof *x, err);
    if (!x) return CLV_ERR_INTERNAL;
    for (int i = 0; i < count; i++)
        for (int k = 0; k < 2; k++) x[k * count + i] = (double)at[(size_t)i * (size_t)stride + (size_t)axis[k]];
    const clv_scatter scatter = {.title = title,
                                 .x_label = label[0],
                                 .y_label = label[1],
                                 .x = x,
                                 .y = x + count,
                                 .group = coloured ? points->label : NULL,
                                 .count = count,
                                 .groups = coloured ? points->classes : 0,
                                 .equal = true};
    static const char *const ending[] = {"png", "svg"};
    for (int i = 0; i < 2; i++) {
        char file[64], path[CLV_PATH_SIZE];
        snprintf(file, sizeof file, "%s.%s", name, ending[i]);
        CLV_TRY(clv_path_join(path, sizeof path, folder, file, err));
        CLV_TRY(clv_scatter_write(path, &scatter, err));
    }
done:
    free(x);
    return status;
}
