/* The training loop: epochs of shuffled passes, validation, early stopping, and a checkpoint after each epoch from
 * which a run goes on as if it had never stopped. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/philox.h"
#include "base/text.h"
#include "base/try.h"
#include "experiment/classes.h"
#include "experiment/figures.h"
#include "experiment/pass.h"
#include "experiment/pictures.h"
#include "experiment/run_folder.h"
#include "experiment/stopping.h"
#include "experiment/transfer.h"
#include "model/checkpoint.h"

typedef struct trainer {
    const clv_config *config;
    const clv_train_options *options;
    clv_train_result *result;
    clv_run_folder folder;
    clv_session *session;
    clv_metric_table metrics;
    clv_stopping stopping;
    clv_schedule schedule;
    clv_plateau plateau;
    clv_train_state state;
    float *param, *moment1, *moment2; /* [layout.elements], the host's side of a checkpoint */
    uint32_t *order;                  /* [images of the training file] */
    clv_text told;                    /* of what was transferred */
    uint32_t epochs, steps_run;       /* of this call */
    double start;
} trainer;

/* Which images these are. */
static uint64_t hash_of(const clv_images *images)
{
    size_t pixels = (size_t)images->channels * (size_t)images->height * (size_t)images->width;
    uint64_t hash = clv_hash_bytes(images->pixel, images->count * pixels).word[0];
    if (images->label) hash ^= clv_hash_bytes(images->label, images->count).word[1];
    return hash;
}

static clv_status allocate(trainer *t, clv_error *err)
{
    size_t elements = clv_model_params(t->session->model)->elements;
    t->param = clv_alloc(elements, sizeof *t->param, err);
    t->moment1 = t->param ? clv_alloc(elements, sizeof *t->moment1, err) : NULL;
    t->moment2 = t->moment1 ? clv_alloc(elements, sizeof *t->moment2, err) : NULL;
    t->order = t->moment2 ? clv_alloc(t->session->images[CLV_DATASET_TRAIN].count, sizeof *t->order, err) : NULL;
    return t->order ? CLV_OK : CLV_ERR_INTERNAL;
}

static clv_phase *train_phase(const trainer *t)
{
    return clv_session_phase(t->session, CLV_MODE_TRAIN, CLV_DATASET_TRAIN);
}

/* A new run's parameters, before it has a folder: what is refused leaves nothing behind. */
static clv_status initial_parameters(trainer *t, clv_error *err)
{
    uint64_t seed = (uint64_t)clv_config_int(t->config, "experiment.seed");
    if (t->options->resume) return CLV_OK;
    clv_status status = clv_model_init(t->session->model, seed, t->param, err);
    return status == CLV_OK ? clv_transfer(t->config, t->session->model, t->param, &t->told, err) : status;
}

/* A run goes on with the images it began with, in their order: its step numbers and its best epoch are of those. */
static clv_status check_data(const trainer *t, uint64_t data, clv_error *err)
{
    if (t->state.data == data) return CLV_OK;
    return clv_fail(err, CLV_ERR_DATA,
                    "%s: the images of data.path = %s are not those that the run began with; restore them, or start a "
                    "new run",
                    t->folder.path, clv_config_string(t->config, "data.path"));
}

/* Training state: from the run's checkpoint, with its parameters, or fresh. */
static clv_status start_state(trainer *t, clv_error *err)
{
    const clv_param_layout *layout = clv_model_params(t->session->model);
    clv_status status = CLV_OK;
    t->state.seed = (uint64_t)clv_config_int(t->config, "experiment.seed");
    t->state.data = hash_of(&t->session->images[CLV_DATASET_TRAIN]);
    if (t->options->resume) {
        char path[CLV_PATH_SIZE];
        uint64_t seed = t->state.seed, data = t->state.data;
        CLV_TRY(clv_path_join(path, sizeof path, t->folder.path, CLV_LAST_FILE, err));
        CLV_TRY(clv_checkpoint_read(path, layout, t->param, t->moment1, t->moment2, &t->state, err));
        CLV_REQUIRE(t->state.seed == seed, CLV_ERR_CONFIG,
                    "%s: experiment.seed is %" PRIu64 " but the run began with %" PRIu64,
                    clv_config_where(t->config, "experiment.seed"), seed, t->state.seed);
        CLV_TRY(check_data(t, data, err));
        CLV_REQUIRE(t->state.epoch <= t->epochs, CLV_ERR_CONFIG,
                    "%s: train.epochs is %u, but the run has trained %u already",
                    clv_config_where(t->config, "train.epochs"), t->epochs, t->state.epoch);
        CLV_TRY(clv_metrics_read(t->folder.path, t->state.epoch, &t->metrics, err));
    }
    t->schedule = clv_schedule_of(t->config, clv_pass_batches(train_phase(t), t->session->train_count));
    t->plateau =
        (clv_plateau){t->state.plateau_share, t->state.plateau_best, t->state.plateau_epochs, t->state.plateau_waited};
    if (!t->options->resume) t->plateau = CLV_PLATEAU_START;
    CLV_TRY(clv_session_write(t->session, CLV_SPACE_PARAM, t->param, err));
    CLV_TRY(clv_session_write(t->session, CLV_SPACE_MOMENT1, t->moment1, err));
    CLV_TRY(clv_session_write(t->session, CLV_SPACE_MOMENT2, t->moment2, err));
    t->stopping = (clv_stopping){.patience = (uint32_t)clv_config_int(t->config, "early_stopping.patience"),
                                 .min_delta = clv_config_real(t->config, "early_stopping.min_delta"),
                                 .best_epoch = t->state.best_epoch,
                                 .best = t->state.best,
                                 .waited = t->state.waited};
done:
    return status;
}

static clv_status save(trainer *t, const char *name, bool with_state, clv_error *err)
{
    char path[CLV_PATH_SIZE];
    clv_status status = CLV_OK;
    CLV_TRY(clv_session_read(t->session, CLV_SPACE_PARAM, t->param, err));
    if (with_state) CLV_TRY(clv_session_read(t->session, CLV_SPACE_MOMENT1, t->moment1, err));
    if (with_state) CLV_TRY(clv_session_read(t->session, CLV_SPACE_MOMENT2, t->moment2, err));
    t->state.best_epoch = t->stopping.best_epoch;
    t->state.best = t->stopping.best;
    t->state.waited = t->stopping.waited;
    t->state.plateau_share = t->plateau.share;
    t->state.plateau_best = t->plateau.best;
    t->state.plateau_epochs = t->plateau.epochs;
    t->state.plateau_waited = t->plateau.waited;
    clv_checkpoint checkpoint = {.param = t->param, .state = t->state};
    if (with_state) checkpoint.moment1 = t->moment1, checkpoint.moment2 = t->moment2;
    CLV_TRY(clv_path_join(path, sizeof path, t->folder.path, name, err));
    CLV_TRY(clv_checkpoint_write(path, clv_model_params(t->session->model), &checkpoint, err));
done:
    return status;
}

/* Training images shuffled by seed and epoch, validation images behind them as in the file. */
static clv_status order_epoch(trainer *t, uint32_t epoch, clv_error *err)
{
    const clv_session *s = t->session;
    for (uint32_t i = 0; i < s->images[CLV_DATASET_TRAIN].count; i++) t->order[i] = i;
    clv_shuffle(t->order, s->train_count, t->state.seed, epoch);
    return clv_session_order(t->session, CLV_DATASET_TRAIN, t->order, err);
}

static clv_status add_rows(trainer *t, const char *split, const clv_measures *measures, clv_error *err)
{
    clv_status status = CLV_OK;
    for (int i = 0; i < measures->count && status == CLV_OK; i++)
        status = clv_metrics_add(&t->metrics, t->state.epoch, split, measures->of[i].name, measures->of[i].value, err);
    return status;
}

/* Short beside an epoch, so it is not interrupted: a signal waits for the next training step, where state can be saved.
 */
static clv_status measure_split(trainer *t, const char *split, clv_measures *measures, clv_error *err)
{
    int dataset;
    clv_status status = clv_split_dataset(split, &dataset, err);
    if (status != CLV_OK) return status;
    clv_phase *phase = clv_session_phase(t->session, CLV_MODE_EVALUATE, dataset);
    clv_pass pass = {.seed = t->state.seed, .label = split};
    CLV_TRY(clv_session_split(t->session, split, &pass.first, &pass.count, err));
    CLV_TRY(clv_pass_run(t->session, phase, &pass, err));
    clv_pass_measures(phase, &pass, measures);
done:
    return status;
}

/* early_stopping.monitor of this epoch, "val.loss" say, such that lower is better. */
static double monitored(const trainer *t)
{
    const clv_monitor monitor = clv_monitor_of(clv_config_string(t->config, "early_stopping.monitor"));
    const clv_measures *measures = strcmp(monitor.split, "val") ? &t->result->train : &t->result->validation;
    return monitor.sign * clv_measure_get(measures, monitor.metric);
}

/* The parts of the loss are shown where there are several. */
static void log_epoch(const trainer *t, double seconds, double rate, bool improved)
{
    static const char *const shown[] = {"loss", "bce", "kl", "accuracy"};
    const clv_measures *val = &t->result->validation;
    clv_text text = {0};
    clv_text_append(&text, "epoch %u/%u  train loss %.5g", t->state.epoch, t->epochs,
                    clv_measure_get(&t->result->train, "loss"));
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
        if (!isnan(clv_measure_get(val, shown[i])))
            clv_text_append(&text, "  val %s %.5g", shown[i], clv_measure_get(val, shown[i]));
    clv_text_append(&text, "  %.0f images/s  %.1f s%s", rate, seconds, improved ? "  best" : "");
    if (!text.failed) clv_log_line(t->options->log, "%s", text.text);
    clv_text_free(&text);
}

/* What follows an epoch's last step: validation, files. Metrics are written before the checkpoint: a run killed between
 * the two drops the rows of the epoch it repeats. */
static clv_status end_epoch(trainer *t, const clv_pass *pass, double pass_seconds, uint64_t images, bool *stop,
                            clv_error *err)
{
    clv_phase *phase = train_phase(t);
    clv_status status = CLV_OK;
    bool improved;
    double rate = (double)images / pass_seconds, begin = clv_seconds();
    clv_pass_measures(phase, pass, &t->result->train);
    if (t->session->validation_count) CLV_TRY(measure_split(t, "val", &t->result->validation, err));
    double last_rate = clv_schedule_rate(&t->schedule, pass->first_step + pass->batches - 1, &t->plateau);
    t->state.epoch++;
    t->state.step = t->state.epoch * pass->batches;
    pass_seconds += t->state.epoch_seconds;
    t->state.epoch_seconds = 0;
    t->state.epoch_batches = 0;
    memset(t->state.epoch_sum, 0, sizeof t->state.epoch_sum);
    *stop = clv_stopping_update(&t->stopping, t->state.epoch, monitored(t), &improved);
    clv_schedule_epoch(&t->schedule, monitored(t), &t->plateau);
    double seconds = pass_seconds + clv_seconds() - begin;
    CLV_TRY(add_rows(t, "train", &t->result->train, err));
    CLV_TRY(clv_metrics_add(&t->metrics, t->state.epoch, "train", "seconds", seconds, err));
    CLV_TRY(clv_metrics_add(&t->metrics, t->state.epoch, "train", "images_per_second", rate, err));
    CLV_TRY(clv_metrics_add(&t->metrics, t->state.epoch, "train", "lr", last_rate, err));
    CLV_TRY(add_rows(t, "val", &t->result->validation, err));
    if (improved) CLV_TRY(save(t, CLV_BEST_FILE, false, err));
    CLV_TRY(clv_metrics_write(&t->folder, &t->metrics, err));
    CLV_TRY(save(t, CLV_LAST_FILE, true, err));
    log_epoch(t, seconds, rate, improved);
done:
    return status;
}

static clv_status interrupted(trainer *t, const clv_pass *pass, double seconds, clv_error *err)
{
    t->state.epoch_seconds += seconds;
    t->state.epoch_batches = pass->batches;
    t->state.step = pass->first_step + pass->batches;
    memcpy(t->state.epoch_sum, pass->sum, sizeof pass->sum);
    clv_status status = save(t, CLV_LAST_FILE, true, err);
    if (status != CLV_OK) return status;
    return clv_fail(err, CLV_INTERRUPTED, "interrupted at step %u of epoch %u; go on by: clave train %s --resume",
                    t->state.step, t->state.epoch + 1, t->folder.path);
}

static clv_status run_epoch(trainer *t, bool *stop, clv_error *err)
{
    clv_phase *phase = train_phase(t);
    clv_status status = CLV_OK;
    char label[48];
    snprintf(label, sizeof label, "epoch %u/%u", t->state.epoch + 1, t->epochs);
    uint32_t count = t->session->train_count, batches = clv_pass_batches(phase, count);
    clv_pass pass = {.count = count,
                     .from_batch = t->state.epoch_batches,
                     .first_step = t->state.epoch * batches,
                     .seed = t->state.seed,
                     .schedule = &t->schedule,
                     .plateau = &t->plateau,
                     .label = label,
                     .stop = t->options->stop};
    if (t->options->stop_after_steps) pass.stop_after = t->options->stop_after_steps - (long)t->steps_run;
    memcpy(pass.sum, t->state.epoch_sum, sizeof pass.sum);
    CLV_TRY(order_epoch(t, t->state.epoch, err));
    double begin = clv_seconds();
    CLV_TRY(clv_pass_run(t->session, phase, &pass, err));
    double seconds = clv_seconds() - begin;
    if (t->steps_run == 0) t->result->first_step_seconds = pass.first_step_at - t->start;
    uint64_t images = (uint64_t)(pass.batches - pass.from_batch) * (uint64_t)phase->plan->batch;
    if (images > count) images = count;
    t->steps_run += pass.batches - pass.from_batch;
    if (pass.batches < batches) return interrupted(t, &pass, seconds, err);
    CLV_TRY(end_epoch(t, &pass, seconds, images, stop, err));
    CLV_REQUIRE(!pass.stopped, CLV_INTERRUPTED, "interrupted after epoch %u; go on by: clave train %s --resume",
                t->state.epoch, t->folder.path);
done:
    return status;
}

/* What metrics.csv says of a split in the last epoch: a run that was only finished here measured it in an earlier call.
 */
static void measures_of_epoch(const trainer *t, const char *split, clv_measures *measures)
{
    static const char *const of_speed[] = {"seconds", "images_per_second", "lr"};
    measures->count = 0;
    for (size_t i = 0; i < t->metrics.rows && measures->count < CLV_MAX_FIGURES; i++) {
        const clv_metric_row *row = &t->metrics.row[i];
        bool speed = false;
        for (size_t k = 0; k < sizeof of_speed / sizeof *of_speed; k++) speed |= !strcmp(row->metric, of_speed[k]);
        if (row->epoch != t->state.epoch || strcmp(row->split, split) || speed) continue;
        clv_measure *measure = &measures->of[measures->count++];
        memcpy(measure->name, row->metric, sizeof measure->name);
        measure->value = row->value;
    }
}

/* The result's figures of all epochs, those before a resume included: metrics.csv has them. */
static void summarise(trainer *t)
{
    double seconds = 0, per_image = 0;
    for (size_t i = 0; i < t->metrics.rows; i++) {
        const clv_metric_row *row = &t->metrics.row[i];
        if (!strcmp(row->metric, "seconds")) seconds += row->value;
        if (!strcmp(row->metric, "images_per_second") && row->value > 0) per_image += 1 / row->value;
    }
    t->result->epochs = t->state.epoch;
    if (t->session) t->result->train_images = t->session->train_count;
    t->result->best_epoch = t->stopping.best_epoch;
    t->result->seconds = seconds;
    if (per_image > 0) t->result->images_per_second = t->state.epoch / per_image;
    measures_of_epoch(t, "train", &t->result->train);
    measures_of_epoch(t, "val", &t->result->validation);
}

/* Whatever ended the epochs, the weights left on the device are the best ones, if they are to be restored. */
static clv_status finish(trainer *t, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_class_figures classes = {0};
    if (clv_config_bool(t->config, "early_stopping.restore_best"))
        CLV_TRY(clv_session_load(t->session, t->folder.path, err));
    CLV_TRY(measure_split(t, "test", &t->result->test, err));
    if (!clv_model_has_decoder(t->session->model)) CLV_TRY(clv_count_answers(t->session, "test", &classes, NULL, err));
    summarise(t);
    CLV_TRY(clv_results_write(&t->folder, t->config, &t->session->be->info, t->result, &classes, err));
    CLV_TRY(clv_run_figures(t->config, t->folder.path, t->options->log, err));
    CLV_TRY(clv_report_write(t->config, t->folder.path, t->result, err));
done:
    clv_class_figures_free(&classes);
    return status;
}

static clv_status train_epochs(trainer *t, clv_error *err)
{
    clv_status status = CLV_OK;
    bool stop = t->stopping.patience > 0 && t->stopping.waited >= t->stopping.patience;
    const uint32_t until = t->options->until_epoch ? t->options->until_epoch : t->epochs;
    while (t->state.epoch < t->epochs && t->state.epoch < until && !stop) CLV_TRY(run_epoch(t, &stop, err));
    if (stop)
        clv_log_line(t->options->log, "stopped early: %s has not improved for %u epochs; the best is epoch %u",
                     clv_config_string(t->config, "early_stopping.monitor"), t->stopping.waited,
                     t->stopping.best_epoch);
    if (!t->options->bare) CLV_TRY(finish(t, err));
done:
    return status;
}

/* The kernels that the run began with; a folder without a list of them began with the defaults. The caller frees them.
 */
static clv_status recorded_kernels(const trainer *t, char **kernels, clv_error *err)
{
    char path[CLV_PATH_SIZE];
    uint8_t *bytes = NULL;
    size_t size;
    clv_status status = CLV_OK;
    CLV_TRY(clv_path_join(path, sizeof path, t->options->out, CLV_KERNELS_FILE, err));
    if (access(path, F_OK) == 0) CLV_TRY(clv_file_read(path, 1 << 20, CLV_ERR_DATA, &bytes, &size, err));
    *kernels = bytes ? (char *)bytes : clv_strdup("", err);
    if (!*kernels) status = CLV_ERR_INTERNAL;
done:
    return status;
}

static clv_status open_session(trainer *t, clv_error *err)
{
    clv_phase_request request[] = {{CLV_MODE_TRAIN, CLV_DATASET_TRAIN},
                                   {CLV_MODE_EVALUATE, CLV_DATASET_TEST},
                                   {CLV_MODE_EVALUATE, CLV_DATASET_TRAIN},
                                   {CLV_MODE_CLASSIFY, CLV_DATASET_TEST}};
    int requests = clv_config_int(t->config, "data.validation") > 0 ? 3 : 2;
    if (!strcmp(clv_config_string(t->config, "experiment.task"), "classify")) request[requests++] = request[3];
    char *kernels = NULL;
    clv_status status = t->options->resume ? recorded_kernels(t, &kernels, err) : CLV_OK;
    if (status == CLV_OK)
        status = clv_session_open_resumed(t->config, t->options->log, request, requests, kernels, &t->session, err);
    if (status == CLV_OK) clv_session_device(t->session, t->result->device, sizeof t->result->device);
    free(kernels);
    return status;
}

/* The folder is made when all else stands: what is refused leaves nothing behind. */
static clv_status open_folder(trainer *t, clv_error *err)
{
    clv_status status = CLV_OK;
    char path[CLV_PATH_SIZE], note[CLV_NOTE_SIZE];
    if (t->options->resume) {
        CLV_TRY(clv_run_folder_open(t->options->out, &t->folder, err));
        CLV_TRY(clv_run_folder_check_same(&t->folder, t->config, err));
    } else {
        CLV_TRY(
            clv_run_folder_create(t->options->out, clv_config_string(t->config, "experiment.name"), &t->folder, err));
    }
    strcpy(t->result->run, t->folder.path);
    CLV_TRY(clv_path_join(path, sizeof path, t->folder.path, CLV_LOG_FILE, err));
    if (t->options->log) CLV_TRY(clv_log_open(t->options->log, path, err));
    clv_log_line(t->options->log, "%s %s on %s", t->options->resume ? "resuming" : "training", t->folder.path,
                 t->result->device);
    for (int i = 0; clv_config_note(t->config, i, note); i++) clv_log_line(t->options->log, "note: %s", note);
    clv_session_log_notices(t->session); /* once more: now log.txt is open */
    if (t->told.length && !t->told.failed) clv_log_line(t->options->log, "%s", t->told.text);
done:
    return status;
}

/* The configuration is written when the state it belongs to stands; a new run has a checkpoint before its first step,
 * so that from then on it can be resumed, whatever happens. */
static clv_status write_start(trainer *t, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_text kernels = {0};
    char *text = NULL;
    CLV_TRY(clv_config_print(t->config, &text, err));
    CLV_TRY(clv_run_folder_write(&t->folder, CLV_RESOLVED_FILE, text, err));
    if (t->options->resume) goto done;
    CLV_TRY(clv_session_kernels(t->session, &kernels, err));
    if (kernels.length) CLV_TRY(clv_run_folder_write(&t->folder, CLV_KERNELS_FILE, kernels.text, err));
    CLV_TRY(save(t, CLV_LAST_FILE, true, err));
done:
    clv_text_free(&kernels);
    free(text);
    return status;
}

clv_status clv_train(const clv_config *config, const clv_train_options *options, clv_train_result *result,
                     clv_error *err)
{
    trainer t = {
        .config = config, .options = options, .result = result, .folder = {.lock = -1}, .start = clv_seconds()};
    clv_status status = CLV_OK;
    *result = (clv_train_result){0};
    t.epochs = (uint32_t)clv_config_int(config, "train.epochs");
    CLV_REQUIRE(!options->resume || options->out, CLV_ERR_CONFIG,
                "--resume needs the run directory: clave train RUN --resume");
    if (options->out && !options->resume) CLV_TRY(clv_run_folder_check_new(options->out, err));
    CLV_TRY(open_session(&t, err));
    CLV_TRY(allocate(&t, err));
    CLV_TRY(initial_parameters(&t, err));
    CLV_TRY(open_folder(&t, err));
    CLV_TRY(start_state(&t, err));
    CLV_TRY(write_start(&t, err));
    CLV_TRY(train_epochs(&t, err));
done:
    summarise(&t);
    clv_metrics_free(&t.metrics);
    clv_text_free(&t.told);
    clv_session_close(t.session);
    clv_run_folder_close(&t.folder);
    free(t.param);
    free(t.moment1);
    free(t.moment2);
    free(t.order);
    return status;
}
