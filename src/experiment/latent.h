/* The latent space of a run: codes (or what another row makes of the images) as points, written, drawn and measured. */
#ifndef CLAVE_EXPERIMENT_LATENT_H
#define CLAVE_EXPERIMENT_LATENT_H

#include "analysis/points.h"
#include "clave/experiment.h"
#include "experiment/session.h"

#define CLV_LATENT_EXPLAINED 10 /* components whose variance is reported */
#define CLV_LATENT_CLASSES   20 /* drawn in colours of their own; more: in one */
#define CLV_KNN_NEIGHBOURS   10 /* of the accuracy: leave one out, within the split */
#define CLV_TRUST_NEIGHBOURS 5  /* of trustworthiness */

typedef struct clv_latent_options {
    const char *out;     /* folder; NULL: RUN/latent/code, or of what they are in place of "code" */
    const char *split;   /* NULL: "test" */
    const char *of;      /* "code" (NULL), "input" or a row of the encoder */
    const char *methods; /* "raw,pca,tsne": some of them; NULL: all that apply */
    int axis[2];         /* drawn raw; both 0: the first two */
    int count;           /* points, chosen by the seed where the split has more; 0: all, up to 10,000 */
    double perplexity;   /* of t-SNE; 0: 30, or what so few points bear */
    int iterations;      /* of t-SNE; 0: 1,000 */
    uint64_t seed;
    clv_log *log;
} clv_latent_options;

/* Figures are NaN where they were not made. */
typedef struct clv_latent_result {
    char folder[CLV_PATH_SIZE];
    int count, dims, classes;
    int components; /* of PCA: variance explained, as a share of all */
    double explained[CLV_LATENT_EXPLAINED];
    double kl, perplexity, tsne_seconds; /* t-SNE's divergence in nats */
    double knn_accuracy;
    double trust_images;          /* of the points as a map of the images */
    double trust_pca, trust_tsne; /* of the drawn planes as maps of the points */
    double gaps, gap_threshold;   /* share of the prior's samples in gaps, and the distance from which it is one */
    double gap_ratio;             /* see clv_gaps */
} clv_latent_result;

/* What `clave latent` does: latent.csv, latent.npy and figures into a folder, in place of those of an earlier call. All
 * options are checked before the first file is written. */
clv_status clv_latent(const char *run, const clv_config *config, const clv_latent_options *options,
                      clv_latent_result *result, clv_error *err);

/* The figures alone (latent, pca, tsne .png and .svg) into `folder`, of an open session with weights loaded and phase
 * ENCODE on the split's data set. Changes the order of that data set. */
clv_status clv_latent_figures(clv_session *session, const char *folder, const clv_latent_options *options,
                              clv_latent_result *result, clv_error *err);

/* ---- shared by the files latent*.c alone ---- */

typedef struct clv_latent_points {
    clv_points codes;
    float *at;       /* [count][dims], what codes.at points to */
    float *image;    /* [count][pixels]: where `codes` are not the images themselves */
    uint32_t *index; /* [count]: number of the image in its data set */
    int *label;      /* [count], or NULL */
    int pixels, classes;
    const char *const *class_name; /* [classes] or more, the data set's; NULL without labels */
    float *plane;                  /* [count][2] by PCA, or NULL */
    float *map;                    /* [count][2] by t-SNE, or NULL */
} clv_latent_points;

clv_status clv_latent_encode(clv_session *session, const clv_latent_options *options, clv_latent_points *points,
                             clv_error *err);
void clv_latent_free(clv_latent_points *points);

/* What is under way: everything a method needs. */
typedef struct clv_latent_work {
    clv_session *s;
    const clv_latent_options *o;
    const char *folder;
    clv_latent_points points;
    clv_latent_result *result;
} clv_latent_work;

bool clv_latent_of_codes(const clv_latent_work *work);

/* The methods asked for (latent_methods.c): that the list names such; that the points bear them; planes and maps; pictures of
 * what has been laid out. */
clv_status clv_latent_check_methods(const char *list, clv_error *err);
clv_status clv_latent_check(const clv_latent_work *work, clv_error *err);
clv_status clv_latent_lay_out(clv_latent_work *work, clv_error *err);
clv_status clv_latent_draw_all(const clv_latent_work *work, clv_error *err);

clv_status clv_latent_draw(const char *folder, const char *name, const clv_latent_points *points, const float *at,
                           int stride, const int axis[2], const char *const label[2], const char *title,
                           clv_error *err);

/* latent.csv (index, label, code, then the drawn planes) and latent.npy (an array of records: code, label). */
clv_status clv_latent_write(const char *folder, const clv_latent_points *points, clv_error *err);

#endif
