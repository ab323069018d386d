/* The batch out of the data set, and the ops that compute nothing. */
#include <string.h>

#include "backend/cpu/functions.h"

/* The image of lane n. False where n is padding: there is none. */
static bool image_of(const clv_cpu_call *c, size_t n, uint32_t *image)
{
    if (n >= c->step->count) return false;
    *image = c->order[c->step->offset + n];
    return true;
}

/* An index beyond the data set is a fault of the host's; it gives NaN, which no loss hides. */
FUNCTION(gather)
{
    const bool noisy = c->call->attr.noisy;
    real *x = noisy ? c->beside : c->out; /* [f][n] */
    const size_t lanes = (size_t)c->call->lanes, features = clv_cpu_features(&c->call->out.shape);
    for (size_t n = 0; n < lanes; n++) {
        uint32_t image = 0;
        const bool real_image = image_of(c, n, &image);
        for (size_t f = 0; f < features; f++)
            x[f * lanes + n] = !real_image              ? 0
                               : image < c->image_count ? (real)c->images[image * features + f] / 255
                                                        : (real)NAN;
    }
    if (noisy) REAL(clv_cpu_add_noise)(c, x);
}

FUNCTION(label)
{
    real *restrict l = c->out; /* [n] */
    for (size_t n = 0; n < (size_t)c->call->lanes; n++) {
        uint32_t image = 0;
        if (!image_of(c, n, &image))
            l[n] = 0;
        else
            l[n] = image < c->label_count ? (real)c->labels[image] : (real)NAN;
    }
}

/* Parameters and inputs lie where they are used. */
FUNCTION(source) { (void)c; }

/* A view: its elements are those of its input, and in their place. */
FUNCTION(reshape) { (void)c; }
