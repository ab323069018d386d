/* `real`: the files of the reference are compiled twice, as float and as double, with their symbols told apart by
 * REAL(name). <tgmath.h> takes the functions of the right type; constants are written (real)0.5. */
#ifndef CLAVE_CPU_REAL_H
#define CLAVE_CPU_REAL_H

#include <tgmath.h>

#ifndef CLV_REAL_DOUBLE
#define CLV_REAL_DOUBLE 0
#endif

#if CLV_REAL_DOUBLE
typedef double real;
#define REAL(name) name##_double
#else
typedef float real;
#define REAL(name) name##_float
#endif

#endif
