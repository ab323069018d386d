/* What a configuration will be, before it runs: layers, parameters, arithmetic, memory and launches of a training step.
 */
#include "base/try.h"
#include "clave/experiment.h"
#include "experiment/session.h"

static void print_memory(const clv_session *s, const clv_phase *phase, FILE *out)
{
    static const char *const names[CLV_SPACE_COUNT] = {
        [CLV_SPACE_PARAM] = "parameters",      [CLV_SPACE_GRAD] = "gradients",
        [CLV_SPACE_MOMENT1] = "first moments", [CLV_SPACE_MOMENT2] = "second moments",
        [CLV_SPACE_ARENA] = "activations",     [CLV_SPACE_TRACE] = "losses"};
    uint64_t planned = 0;
    for (int i = 0; i < CLV_SPACE_COUNT; i++) {
        uint64_t bytes = (uint64_t)phase->plan->elements[i] * s->be->element_size;
        planned += bytes;
        if (bytes && names[i]) fprintf(out, "  %-16s %10.2f MB\n", names[i], (double)bytes / 1e6);
    }
    fprintf(out, "  %-16s %10.2f MB\n", "scratch", (double)clv_program_bytes(s->be, phase->program) / 1e6);
    fprintf(out, "  %-16s %10.2f MB\n", "images", (double)(s->device_bytes - planned) / 1e6);
    fprintf(out, "  %-16s %10.2f MB\n", "in all",
            (double)(s->device_bytes + clv_program_bytes(s->be, phase->program)) / 1e6);
}

clv_status clv_summary(const clv_config *config, FILE *out, clv_log *log, clv_error *err)
{
    clv_session *s = NULL;
    clv_status status = CLV_OK;
    clv_phase_request request = {CLV_MODE_TRAIN, CLV_DATASET_TRAIN};
    CLV_TRY(clv_session_open(config, log, &request, 1, &s, err));
    const clv_phase *phase = &s->phase[0];
    CLV_TRY(clv_model_print(s->model, out, err));
    fprintf(out, "\na training step of %d images\n", phase->plan->batch);
    fprintf(out, "  %-16s %10.3f MFLOP an image (real multiply-adds x 2, taps on the border not counted)\n",
            "arithmetic", 2e-6 * (double)phase->plan->multiply_adds);
    fprintf(out, "  %-16s %10d\n", "launches", clv_program_launches(s->be, phase->program));
    fprintf(out, "\ndevice memory\n");
    print_memory(s, phase, out);
done:
    clv_session_close(s);
    return status;
}
