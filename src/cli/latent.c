/* clave latent RUN: the codes of a split, written, drawn and measured. */
#include "experiment/latent.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "base/try.h"
#include "cli/cli.h"

/* "0,1" */
static clv_status parse_axes(const char *text, int axis[2], clv_error *err)
{
    char part[2][16] = {{0}};
    const char *comma = text ? strchr(text, ',') : NULL;
    int64_t value[2] = {0, 0};
    if (!text) return CLV_OK;
    bool good = comma && (size_t)(comma - text) < sizeof part[0] && strlen(comma + 1) < sizeof part[1];
    if (good) {
        memcpy(part[0], text, (size_t)(comma - text));
        memcpy(part[1], comma + 1, strlen(comma + 1));
    }
    for (int k = 0; k < 2 && good; k++) good = clv_parse_int(part[k], &value[k]) && value[k] >= 0 && value[k] < 1000000;
    if (!good || value[0] == value[1])
        return clv_fail(err, CLV_ERR_CONFIG, "--axes takes two different whole numbers, such as 0,1, not '%s'", text);
    for (int k = 0; k < 2; k++) axis[k] = (int)value[k];
    return CLV_OK;
}

/* A figure, or null where it was not made. */
static json_t *number(double value) { return isfinite(value) ? json_real(value) : json_null(); }

static json_t *as_json(const char *run, const char *split, const char *of, const clv_latent_result *r)
{
    json_t *explained = json_array();
    for (int k = 0; k < r->components; k++) json_array_append_new(explained, json_real(r->explained[k]));
    return json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "run",
                     run, "split", split, "of", of, "folder", r->folder, "count", r->count, "dims", r->dims,
                     "explained_variance", explained, "kl", number(r->kl), "perplexity", number(r->perplexity),
                     "tsne_seconds", number(r->tsne_seconds), "knn_accuracy", number(r->knn_accuracy),
                     "trustworthiness_images", number(r->trust_images), "trustworthiness_pca", number(r->trust_pca),
                     "trustworthiness_tsne", number(r->trust_tsne), "gaps", number(r->gaps), "gap_distance",
                     number(r->gap_threshold), "gap_ratio", number(r->gap_ratio));
}

static void print_text(const char *split, const char *of, const clv_latent_result *r)
{
    printf("%s of %d %s images: %d dimension%s\n", of, r->count, split, r->dims, r->dims == 1 ? "" : "s");
    if (r->components) {
        printf("PCA: explained variance");
        for (int k = 0; k < r->components; k++) printf("%s %.1f %%", k ? "," : "", 100 * r->explained[k]);
        printf("\n");
    }
    if (isfinite(r->trust_pca))
        printf("PCA: trustworthiness of the first two %.4f (k = %d)\n", r->trust_pca, CLV_TRUST_NEIGHBOURS);
    if (isfinite(r->kl))
        printf("t-SNE: KL divergence %.4f nats, perplexity %.3g, %.1f s\n", r->kl, r->perplexity, r->tsne_seconds);
    if (isfinite(r->trust_tsne)) printf("t-SNE: trustworthiness %.4f (k = %d)\n", r->trust_tsne, CLV_TRUST_NEIGHBOURS);
    if (isfinite(r->trust_images))
        printf("trustworthiness as a map of the images %.4f (k = %d)\n", r->trust_images, CLV_TRUST_NEIGHBOURS);
    if (isfinite(r->knn_accuracy))
        printf("k-NN accuracy %.4f (k = %d, leave one out within the split)\n", r->knn_accuracy, CLV_KNN_NEIGHBOURS);
    if (isfinite(r->gaps))
        printf(
            "gaps: of samples from a vae's prior, or from the normal fitted to other codes, %.1f %% lie farther than "
            "%.3g from every code (1 %% of the codes do)\n",
            100 * r->gaps, r->gap_threshold);
    if (isfinite(r->gap_ratio))
        printf("gaps: a sample lies %.2f times as far from the nearest code as a code does (medians)\n", r->gap_ratio);
    puts(r->folder);
}

clv_status cli_latent(const cli_args *args, clv_error *err)
{
    clv_config *config = NULL;
    clv_latent_result result;
    clv_status status = CLV_OK;
    clv_latent_options options = {.out = args->out,
                                  .split = args->split ? args->split : "test",
                                  .of = args->of ? args->of : "code",
                                  .methods = args->method,
                                  .count = (int)args->count,
                                  .perplexity = args->perplexity,
                                  .iterations = (int)args->iterations,
                                  .log = args->log};
    CLV_TRY(parse_axes(args->axes, options.axis, err));
    CLV_TRY(clv_run_config(args->target, args->overrides, args->override_count, &config, err));
    options.seed = (uint64_t)(args->seed >= 0 ? args->seed : clv_config_int(config, "experiment.seed"));
    CLV_TRY(clv_latent(args->target, config, &options, &result, err));
    if (args->json)
        CLV_TRY(cli_print_json(as_json(args->target, options.split, options.of, &result), err));
    else
        print_text(options.split, options.of, &result);
done:
    clv_config_destroy(config);
    return status;
}
