/* Marks of points: a few shapes of about the same area, so that classes and lines differ by more than colour. */
#ifndef CLAVE_REPORT_MARK_H
#define CLAVE_REPORT_MARK_H

#include "report/canvas.h"

enum { CLV_MARKS = 5 };

/* Adds mark `shape` (repeating after CLV_MARKS), as large as a circle of `radius`, to the path. It is filled. */
void clv_mark_path(clv_canvas *canvas, int shape, double x, double y, double radius);

#endif
