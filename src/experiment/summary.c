/* What a configuration will be, before it runs: layers, parameters, arithmetic, memory and launches of a training step.
 */
#include "base/try.h"
#include "clave/experiment.h"
#include "experiment/session.h"

static void print_memory(const clv_session *s, const clv_phase *phase, FILE *out)
{
    static const char *const names[CLV_SPACE_COUNT] = {
        [CLV_SPACE_PARAM] = "parameters",       [CLV_SPACE_GRAD] = "gradients",
        [CLV_SPACE_MOMENT1] = "first moments",  [CLV_SPACE_MOMENT2] = "second moments",
        [CLV_SPACE_ARENA] = "activations",      [CLV_SPACE_HALF] = "half activations",
        [CLV_SPACE_BATCH] = "losses of blocks", [CLV_SPACE_TRACE] = "losses"};
    uint64_t planned = 0;
    for (int i = 0; i < CLV_SPACE_COUNT; i++) {
        uint64_t bytes = clv_space_bytes(s->be, (clv_space)i, phase->plan->elements[i]);
        planned += bytes;
        if (bytes && names[i]) fprintf(out, "  %-16s %10.2f MB\n", names[i], (double)bytes / 1e6);
    }
    fprintf(out, "  %-16s %10.2f MB\n", "scratch", (double)clv_program_bytes(s->be, phase->program) / 1e6);
    fprintf(out, "  %-16s %10.2f MB\n", "images", (double)(s->device_bytes - planned) / 1e6);
    fprintf(out, "  %-16s %10.2f MB\n", "in all",
            (double)(s->device_bytes + clv_program_bytes(s->be, phase->program)) / 1e6);
}

static void fill(const clv_session *s, const clv_phase *phase, clv_summary_result *result)
{
    const clv_param_layout *layout = clv_model_params(s->model);
    *result = (clv_summary_result){.batch = phase->plan->batch};
    for (int i = 0; i < layout->params; i++) result->parameters += clv_shape_elements(&layout->param[i].shape);
    result->mflop_an_image = 2e-6 * (double)phase->plan->multiply_adds;
    result->launches = clv_program_launches(s->be, phase->program);
    result->device_bytes = s->device_bytes + clv_program_bytes(s->be, phase->program);
}

static clv_status print_tables(const clv_session *s, const clv_summary_result *result, FILE *out, clv_error *err)
{
    clv_status status = clv_model_print(s->model, out, err);
    if (status != CLV_OK) return status;
    fprintf(out, "\na training step of %d images\n", result->batch);
    fprintf(out, "  %-16s %10.3f MFLOP an image (real multiply-adds x 2, taps on the border not counted)\n",
            "arithmetic", result->mflop_an_image);
    fprintf(out, "  %-16s %10d\n", "launches", result->launches);
    fprintf(out, "\ndevice memory\n");
    print_memory(s, &s->phase[0], out);
    return CLV_OK;
}

clv_status clv_summary(const clv_config *config, FILE *out, clv_log *log, clv_summary_result *result, clv_error *err)
{
    clv_session *s = NULL;
    clv_status status = CLV_OK;
    clv_phase_request request = {CLV_MODE_TRAIN, CLV_DATASET_TRAIN};
    CLV_TRY(clv_session_open(config, log, &request, 1, &s, err));
    fill(s, &s->phase[0], result);
    if (out) CLV_TRY(print_tables(s, result, out, err));
done:
    clv_session_close(s);
    return status;
}
