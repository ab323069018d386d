/* Points of the plane as a scatter plot, in the colours of their labels, as PNG and SVG. */
#include <stdlib.h>

#include "base/memory.h"
#include "clave/report.h"
#include "experiment/drawing.h"
#include "experiment/latent.h"

static clv_status write_scatter(const char *path, const void *scatter, clv_error *err)
{
    return clv_scatter_write(path, scatter, err);
}

clv_status clv_latent_draw(const char *folder, const char *name, const clv_latent_points *points, const float *at,
                           int stride, const int axis[2], const char *const label[2], const char *title, clv_error *err)
{
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
                                 .group_name = points->class_name,
                                 .count = count,
                                 .groups = coloured ? points->classes : 0,
                                 .equal = true};
    const clv_status status = clv_draw_both(folder, name, write_scatter, &scatter, err);
    free(x);
    return status;
}
