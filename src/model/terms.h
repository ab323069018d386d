/* The words in which the schema's and the layers' tables are written: ranges and choices. */
#ifndef CLAVE_MODEL_TERMS_H
#define CLAVE_MODEL_TERMS_H

#include <math.h>

/* clang-format off */
#define ANY                   {-INFINITY, INFINITY, false, false}
#define AT_LEAST(low)         {low, INFINITY, false, false}
#define ABOVE(low)            {low, INFINITY, true, false}
#define FROM_TO(low, high)    {low, high, false, false}
#define FROM_BELOW(low, high) {low, high, false, true}
#define BETWEEN(low, high)    {low, high, true, true}
#define CHOICES(...)          ((const char *const[]){__VA_ARGS__, NULL})
#define WORD(name, word)      word,
#define WORDS(list)           ((const char *const[]){list(WORD) NULL}) /* of a list of choices.h */
#define NONE                  NULL
/* clang-format on */

#endif
