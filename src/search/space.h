/* Points of a search space: numbers inside, the text of overrides outside. A point has a coordinate a row of [space]:
 * the place in a list, or the number of a range. */
#ifndef CLAVE_SEARCH_SPACE_H
#define CLAVE_SEARCH_SPACE_H

#include "base/philox.h"
#include "clave/config.h"

enum { CLV_MAX_DIMENSIONS = 32, CLV_SETTING_SIZE = 200 };
enum { CLV_STREAM_SEARCH = 1 << 24 }; /* + the trial; above every other stream */

typedef struct clv_search_space {
    const clv_dimension *dimension; /* [dimensions] */
    int dimensions;
    int64_t points; /* of lists alone; 0: there is a range, or there are more than 2^22 */
} clv_search_space;

clv_search_space clv_space_of(const clv_dimension *dimension, int dimensions);

/* Point number `index` of lists, the last row varying fastest. */
void clv_space_point(const clv_search_space *space, int64_t index, double point[CLV_MAX_DIMENSIONS]);
int64_t clv_space_index(const clv_search_space *space, const double point[CLV_MAX_DIMENSIONS]);

/* Uniform over lists, ranges, or the logarithm of these, whatever was drawn before. */
void clv_space_draw(const clv_search_space *space, clv_random *random, double point[CLV_MAX_DIMENSIONS]);

/* The coordinate as text, and the coordinate that the text stands for: six digits of a real, so that what is trained is
 * what is printed. clv_space_read: false where it is not in the list or the range. */
void clv_space_print(const clv_dimension *dimension, double at, char text[CLV_SETTING_SIZE]);
bool clv_space_read(const clv_dimension *dimension, const char *text, double *at);

/* A coordinate as a share of its range, 0 .. 1 (in the logarithm where the range is), and back. Ranges alone. */
double clv_space_share(const clv_dimension *dimension, double at);
double clv_space_unshare(const clv_dimension *dimension, double share);

bool clv_space_same(const clv_search_space *space, const double *a, const double *b);

/* A double in [0, 1) of two words: 53 bits. */
double clv_random_double(clv_random *random);

#endif
