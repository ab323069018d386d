/* Codes and images, batch by batch. A pass for losses never reads an image back; these do nothing else. */
#include "experiment/codes.h"

#include "base/try.h"

size_t clv_image_elements(const clv_session *s)
{
    const clv_images *images = s->images[0].count ? &s->images[0] : &s->images[1];
    return (size_t)images->channels * images->height * images->width;
}

/* Noise, where a task has it, is a function of the place, whatever was asked for before. */
static clv_status run_batch(clv_session *s, const clv_phase *phase, uint32_t first, uint32_t count, clv_error *err)
{
    uint64_t seed = (uint64_t)clv_config_int(s->config, "experiment.seed");
    clv_step step = {.seed = {(uint32_t)seed, (uint32_t)(seed >> 32)},
                     .step = first,
                     .offset = first,
                     .count = count,
                     .noise = (float)s->noise};
    return clv_program_run(s->be, phase->program, &step, err);
}

static uint32_t batch_of(const clv_phase *phase, uint32_t done, uint32_t count)
{
    uint32_t batch = (uint32_t)phase->plan->batch;
    return count - done < batch ? count - done : batch;
}

static clv_status find_phase(clv_session *s, clv_mode mode, int dataset, clv_phase **phase, clv_error *err)
{
    *phase = clv_session_phase(s, mode, dataset);
    return *phase ? CLV_OK
                  : clv_fail(err, CLV_ERR_INTERNAL, "the session has no phase %d on data set %d", (int)mode, dataset);
}

clv_status clv_decode(clv_session *s, const float *codes, uint32_t count, float *images, clv_error *err)
{
    clv_phase *phase;
    clv_status status = CLV_OK;
    CLV_TRY(find_phase(s, CLV_MODE_DECODE, CLV_DATASET_TEST, &phase, err));
    size_t latent = (size_t)clv_model_latent(s->model), pixels = clv_image_elements(s);
    for (uint32_t done = 0, n; done < count; done += n) {
        n = batch_of(phase, done, count);
        CLV_TRY(clv_session_write_batch(s, phase, phase->graph.code, codes + done * latent, (int)n, err));
        CLV_TRY(run_batch(s, phase, 0, n, err));
        CLV_TRY(clv_session_read_batch(s, phase, phase->graph.output, images + done * pixels, (int)n, err));
    }
done:
    return status;
}

/* One output of those places, [place][width]. */
static clv_status read_places(clv_session *s, const clv_phase *phase, clv_node node, uint32_t first, uint32_t count,
                              size_t width, float *values, clv_error *err)
{
    clv_status status = CLV_OK;
    for (uint32_t done = 0, n; done < count; done += n) {
        n = batch_of(phase, done, count);
        CLV_TRY(run_batch(s, phase, first + done, n, err));
        CLV_TRY(clv_session_read_batch(s, phase, node, values + done * width, (int)n, err));
    }
done:
    return status;
}

clv_status clv_encode(clv_session *s, int dataset, uint32_t first, uint32_t count, float *codes, clv_error *err)
{
    clv_phase *phase;
    clv_status status = find_phase(s, CLV_MODE_ENCODE, dataset, &phase, err);
    if (status != CLV_OK) return status;
    return read_places(s, phase, phase->graph.code, first, count, (size_t)clv_model_latent(s->model), codes, err);
}

clv_status clv_classify_places(clv_session *s, int dataset, uint32_t first, uint32_t count, float *logits,
                               clv_error *err)
{
    clv_phase *phase;
    clv_status status = find_phase(s, CLV_MODE_CLASSIFY, dataset, &phase, err);
    if (status != CLV_OK) return status;
    return read_places(s, phase, phase->graph.output, first, count, (size_t)clv_model_classes(s->model), logits, err);
}

clv_status clv_reconstruct_places(clv_session *s, int dataset, uint32_t first, uint32_t count, float *originals,
                                  float *noisy, float *reconstructions, clv_error *err)
{
    clv_phase *phase;
    clv_status status = CLV_OK;
    CLV_TRY(find_phase(s, CLV_MODE_RECONSTRUCT, dataset, &phase, err));
    size_t pixels = clv_image_elements(s);
    for (uint32_t done = 0, n; done < count; done += n) {
        n = batch_of(phase, done, count);
        CLV_TRY(run_batch(s, phase, first + done, n, err));
        CLV_TRY(clv_session_read_batch(s, phase, phase->graph.images, originals + done * pixels, (int)n, err));
        if (noisy && phase->graph.noisy != CLV_NODE_NONE)
            CLV_TRY(clv_session_read_batch(s, phase, phase->graph.noisy, noisy + done * pixels, (int)n, err));
        CLV_TRY(clv_session_read_batch(s, phase, phase->graph.output, reconstructions + done * pixels, (int)n, err));
    }
done:
    return status;
}
