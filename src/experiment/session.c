/* Sessions: from a configuration to programs that run. Everything is made in clv_session_open and released in
 * clv_session_close, in the opposite order. */
#include "experiment/session.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/philox.h"
#include "base/try.h"
#include "experiment/dataset.h"
#include "experiment/run_folder.h"
#include "model/checkpoint.h"

#define FIRST_TUNING_SECONDS 5

static clv_tune_choice tune_choice(const clv_config *config)
{
    const char *tune = clv_config_string(config, "device.tune");
    return !strcmp(tune, "off") ? CLV_TUNE_OFF : !strcmp(tune, "always") ? CLV_TUNE_ALWAYS : CLV_TUNE_AUTO;
}

static clv_status open_device(clv_session *s, clv_error *err)
{
    clv_device_options options = {
        .backend = clv_config_string(s->config, "device.backend"),
        .select = clv_config_string(s->config, "device.select"),
        .gemm = (clv_gemm_choice)clv_config_choice(s->config, "device.gemm"),
        .selftest = clv_config_bool(s->config, "device.selftest"),
        .tune = tune_choice(s->config),
        .kernels = s->kernels,
    };
    clv_status status = clv_backend_create(&options, &s->be, err);
    if (status != CLV_OK) return status;
    char device[512];
    clv_session_device(s, device, sizeof device);
    clv_log_line(s->log, "device: %s", device);
    return CLV_OK;
}

/* The last `validation` images of the file are held out; the first of what is left are trained on. */
static clv_status split_train(clv_session *s, clv_error *err)
{
    clv_train_parts parts;
    clv_status status = clv_train_split(s->config, s->images[CLV_DATASET_TRAIN].count, &parts, err);
    if (status != CLV_OK) return status;
    s->train_count = parts.train_count;
    s->validation_count = parts.validation_count;
    return CLV_OK;
}

/* The two data sets must have images of one shape; a phase without images still needs the shape, from the test images.
 */
static clv_status load_images(clv_session *s, const clv_phase_request *request, int requests, clv_error *err)
{
    const char *path = clv_config_string(s->config, "data.path");
    for (int i = 0; i < requests; i++) {
        clv_images *images = &s->images[request[i].dataset];
        if (images->count) continue;
        clv_split split = request[i].dataset == CLV_DATASET_TRAIN ? CLV_SPLIT_TRAIN : CLV_SPLIT_TEST;
        clv_status status = clv_dataset_load(s->config, split, images, err);
        if (status == CLV_OK && request[i].dataset == CLV_DATASET_TRAIN) status = split_train(s, err);
        if (status != CLV_OK) return status;
    }
    const clv_images *a = &s->images[0], *b = &s->images[1];
    if (a->count && b->count && (a->channels != b->channels || a->height != b->height || a->width != b->width))
        return clv_fail(err, CLV_ERR_DATA,
                        "%s: training images are %dx%dx%d, test images %dx%dx%d: they must be of one size", path,
                        a->channels, a->height, a->width, b->channels, b->height, b->width);
    return CLV_OK;
}

static clv_status create_buffer(clv_session *s, size_t bytes, clv_buffer **out, clv_error *err)
{
    clv_status status = clv_buffer_create(s->be, bytes, out, err);
    if (status == CLV_OK) s->device_bytes += bytes;
    return status;
}

/* Bytes of the file, and the order in which they lie there until clv_session_order says otherwise. */
static clv_status upload_images(clv_session *s, int dataset, clv_error *err)
{
    const clv_images *images = &s->images[dataset];
    clv_device_dataset *device = &s->bindings.dataset[dataset];
    size_t pixels = (size_t)images->channels * images->height * images->width * images->count;
    clv_status status = CLV_OK;
    uint32_t *order = clv_alloc(images->count, sizeof *order, err);
    if (!order) return CLV_ERR_INTERNAL;
    for (uint32_t i = 0; i < images->count; i++) order[i] = i;
    CLV_TRY(create_buffer(s, pixels, &device->images, err));
    CLV_TRY(clv_buffer_write(s->be, device->images, 0, images->pixel, pixels, err));
    if (images->label) {
        CLV_TRY(create_buffer(s, images->count, &device->labels, err));
        CLV_TRY(clv_buffer_write(s->be, device->labels, 0, images->label, images->count, err));
    }
    CLV_TRY(create_buffer(s, images->count * sizeof *order, &device->order, err));
    CLV_TRY(clv_session_order(s, dataset, order, err));
done:
    free(order);
    return status;
}

static clv_status create_model(clv_session *s, clv_error *err)
{
    const clv_images *images = s->images[0].count ? &s->images[0] : &s->images[1];
    clv_image_shape shape = {images->channels, images->height, images->width};
    return clv_model_create(s->config, shape, s->be->alignment, &s->model, err);
}

/* Only rated optimisers have the space. */
static clv_status write_rates(clv_session *s, clv_error *err)
{
    if (!s->bindings.space[CLV_SPACE_RATE]) return CLV_OK;
    size_t trained = clv_model_params(s->model)->trained;
    float *factor = clv_alloc(trained, sizeof *factor, err);
    if (!factor) return CLV_ERR_INTERNAL;
    clv_model_rates(s->model, factor);
    clv_status status = clv_buffer_write_floats(s->be, s->bindings.space[CLV_SPACE_RATE], 0, factor, trained, err);
    free(factor);
    return status;
}

/* The importance weights of samples are differences of squares, a figure: they are not worth a rounding. */
static clv_storage storage_of(const clv_config *config, clv_mode mode)
{
    return mode == CLV_MODE_WEIGH ? CLV_STORAGE_FLOAT : (clv_storage)clv_config_choice(config, "device.storage");
}

static clv_status plan_phase(clv_session *s, const clv_phase_request *request, clv_phase *phase, clv_error *err)
{
    phase->mode = request->mode;
    phase->dataset = request->dataset;
    clv_status status = clv_model_graph_create(s->model, request->mode, request->dataset, &phase->graph, err);
    if (status != CLV_OK) return status;
    if (phase->graph.labels != CLV_NODE_NONE) {
        status = clv_images_need_labels(&s->images[request->dataset], clv_model_classes(s->model), err);
        if (status != CLV_OK) return status;
    }
    const int batch = (int)clv_config_int(s->config, "train.batch");
    int at_once;
    const int block = clv_backend_block(s->be, batch, &at_once);
    const clv_plan_options options = {
        .batch = batch,
        .lane_width = s->be->lane_width,
        .block = block,
        .at_once = at_once,
        .alignment = s->be->alignment,
        .reuse = true,
        .trace_rows = CLV_TRACE_ROWS,
        .apart = clv_config_apart(s->config),
        .storage = storage_of(s->config, request->mode),
    };
    return clv_plan_create(phase->graph.graph, clv_model_params(s->model), phase->graph.gradient, &options,
                           &phase->plan, err);
}

/* Each space is as large as the phase that needs most of it; phases run one after another, so they share. */
static clv_status create_spaces(clv_session *s, clv_error *err)
{
    for (int space = 0; space < CLV_SPACE_COUNT; space++) {
        size_t elements = 0;
        for (int i = 0; i < s->phases; i++)
            if (s->phase[i].plan->elements[space] > elements) elements = s->phase[i].plan->elements[space];
        if (elements == 0) continue;
        const size_t bytes = clv_space_bytes(s->be, (clv_space)space, elements);
        clv_status status = create_buffer(s, bytes, &s->bindings.space[space], err);
        if (status != CLV_OK) return status;
    }
    return CLV_OK;
}

static void count_gain(void *context, const clv_tuned *tuned)
{
    double *saved = context;
    *saved += (tuned->before - tuned->after) * tuned->calls;
}

/* Before a first training on a device whose defaults are not measured, or on any where device.tune = always. */
static clv_status tune_first_run(clv_session *s, clv_error *err)
{
    const clv_plan *plan[CLV_MAX_PHASES];
    double saved = 0, start = clv_seconds();
    const clv_tuning tuning = {.seconds = FIRST_TUNING_SECONDS,
                               .first_runs = true,
                               .unmeasured = tune_choice(s->config) == CLV_TUNE_AUTO,
                               .tell = count_gain,
                               .context = &saved};
    for (int i = 0; i < s->phases; i++) plan[i] = s->phase[i].plan;
    if (s->phase[0].mode != CLV_MODE_TRAIN || tune_choice(s->config) == CLV_TUNE_OFF) return CLV_OK;
    clv_status status = clv_backend_tune(s->be, plan, s->phases, &tuning, err);
    if (status == CLV_OK && saved > 0)
        clv_log_line(s->log, "tuned for this device in %.1f s: a step takes %.2f ms less", clv_seconds() - start,
                     saved * 1e-3);
    return status;
}

static clv_status build(clv_session *s, const clv_phase_request *request, int requests, clv_error *err)
{
    clv_status status = CLV_OK;
    CLV_TRY(open_device(s, err));
    CLV_TRY(load_images(s, request, requests, err));
    CLV_TRY(create_model(s, err));
    for (int i = 0; i < requests; i++) {
        s->phases++; /* first, so that closing releases what a failed one has */
        CLV_TRY(plan_phase(s, &request[i], &s->phase[i], err));
    }
    for (int i = 0; i < CLV_MAX_DATASETS; i++)
        if (s->images[i].count) CLV_TRY(upload_images(s, i, err));
    CLV_TRY(create_spaces(s, err));
    CLV_TRY(write_rates(s, err));
    CLV_TRY(tune_first_run(s, err));
    for (int i = 0; i < s->phases; i++)
        CLV_TRY(clv_program_create(s->be, s->phase[i].plan, &s->bindings, &s->phase[i].program, err));
done:
    return status;
}

/* Line by line, as the log wants them. */
void clv_session_log_notices(const clv_session *s)
{
    for (int i = 0; i < CLV_MAX_DATASETS; i++)
        if (s->images[i].skipped)
            clv_log_line(s->log, "notice: %u entries of the data set's folders are no images and were left out: %s%s",
                         s->images[i].skipped, s->images[i].skipped_name, s->images[i].skipped > 1 ? ", ..." : "");
    for (const char *line = clv_backend_notices(s->be); *line;) {
        size_t length = strcspn(line, "\n");
        clv_log_line(s->log, "notice: %.*s", (int)length, line);
        line += length + (line[length] == '\n');
    }
}

/* `given`, where there is one, moves into the session. */
static clv_status open_with(const clv_config *config, clv_log *log, const clv_phase_request *request, int requests,
                            clv_images *given, const char *kernels, clv_session **session, clv_error *err)
{
    clv_session *s = clv_alloc(1, sizeof *s, err);
    if (!s) return CLV_ERR_INTERNAL;
    s->config = config;
    s->log = log;
    s->kernels = kernels;
    s->noise = clv_config_real(config, "data.noise_amount");
    if (given) {
        s->images[CLV_DATASET_TEST] = *given;
        *given = (clv_images){0};
    }
    clv_status status = build(s, request, requests, err);
    s->kernels = NULL; /* the backend has a copy */
    if (status == CLV_OK) clv_session_log_notices(s);
    if (status == CLV_OK)
        *session = s;
    else
        clv_session_close(s);
    return status;
}

clv_status clv_session_open(const clv_config *config, clv_log *log, const clv_phase_request *request, int requests,
                            clv_session **session, clv_error *err)
{
    return open_with(config, log, request, requests, NULL, NULL, session, err);
}

clv_status clv_session_open_resumed(const clv_config *config, clv_log *log, const clv_phase_request *request,
                                    int requests, const char *kernels, clv_session **session, clv_error *err)
{
    return open_with(config, log, request, requests, NULL, kernels, session, err);
}

clv_status clv_session_open_given(const clv_config *config, clv_log *log, const clv_phase_request *request,
                                  int requests, clv_images *given, clv_session **session, clv_error *err)
{
    if (given->count == 0) return clv_fail(err, CLV_ERR_DATA, "no images are given: there is nothing to look at");
    return open_with(config, log, request, requests, given, NULL, session, err);
}

void clv_session_close(clv_session *s)
{
    if (!s) return;
    for (int i = 0; i < s->phases; i++) {
        if (s->phase[i].program) clv_program_destroy(s->be, s->phase[i].program);
        clv_plan_destroy(s->phase[i].plan);
        clv_model_graph_destroy(&s->phase[i].graph);
    }
    for (int i = 0; i < CLV_SPACE_COUNT; i++)
        if (s->bindings.space[i]) clv_buffer_destroy(s->be, s->bindings.space[i]);
    for (int i = 0; i < CLV_MAX_DATASETS; i++) {
        clv_device_dataset *device = &s->bindings.dataset[i];
        if (device->images) clv_buffer_destroy(s->be, device->images);
        if (device->labels) clv_buffer_destroy(s->be, device->labels);
        if (device->order) clv_buffer_destroy(s->be, device->order);
        clv_images_free(&s->images[i]);
    }
    clv_model_destroy(s->model);
    if (s->be) clv_backend_destroy(s->be);
    free(s);
}

clv_status clv_session_kernels(clv_session *s, clv_text *text, clv_error *err)
{
    clv_status status = CLV_OK;
    for (int i = 0; i < s->phases && status == CLV_OK; i++)
        status = clv_backend_kernels(s->be, s->phase[i].plan, text, err);
    return status;
}

clv_phase *clv_session_phase(clv_session *s, clv_mode mode, int dataset)
{
    for (int i = 0; i < s->phases; i++)
        if (s->phase[i].mode == mode && s->phase[i].dataset == dataset) return &s->phase[i];
    return NULL;
}

/* A plan that does not train has no moments: then there is nothing to write. */
static size_t space_elements(const clv_session *s, clv_space space)
{
    size_t elements = clv_model_params(s->model)->elements, bytes = 0;
    if (s->bindings.space[space]) bytes = s->bindings.space[space]->bytes;
    return bytes / s->be->element_size < elements ? bytes / s->be->element_size : elements;
}

clv_status clv_session_write(clv_session *s, clv_space space, const float *values, clv_error *err)
{
    size_t elements = space_elements(s, space);
    return elements ? clv_buffer_write_floats(s->be, s->bindings.space[space], 0, values, elements, err) : CLV_OK;
}

clv_status clv_session_read(clv_session *s, clv_space space, float *values, clv_error *err)
{
    size_t elements = space_elements(s, space);
    return elements ? clv_buffer_read_floats(s->be, s->bindings.space[space], 0, values, elements, err) : CLV_OK;
}

clv_status clv_session_order(clv_session *s, int dataset, const uint32_t *order, clv_error *err)
{
    return clv_buffer_write(s->be, s->bindings.dataset[dataset].order, 0, order,
                            s->images[dataset].count * sizeof *order, err);
}

/* The host's [image][element] beside the device's [element][lanes]. */
static clv_status exchange_batch(clv_session *s, const clv_phase *phase, clv_node node, const float *in, float *out,
                                 int count, clv_error *err)
{
    const clv_operand *place = &phase->plan->place[node];
    clv_status status = CLV_OK;
    float *lanes = NULL;
    CLV_REQUIRE(place->space == CLV_SPACE_ARENA && phase->plan->blocks == 0 && count >= 0 &&
                    count <= phase->plan->batch,
                CLV_ERR_INTERNAL, "a batch of %d images is not an input or output of this plan (batch %d)", count,
                phase->plan->batch);
    size_t rows = (size_t)clv_shape_elements(&place->shape), stride = (size_t)phase->plan->lanes;
    clv_buffer *arena = s->bindings.space[CLV_SPACE_ARENA];
    lanes = clv_alloc(rows * stride, sizeof *lanes, err);
    CLV_REQUIRE(lanes, CLV_ERR_INTERNAL, "out of memory for a batch of %d images", count);
    if (out) CLV_TRY(clv_buffer_read_floats(s->be, arena, place->offset, lanes, rows * stride, err));
    for (int n = 0; n < count; n++)
        for (size_t r = 0; r < rows; r++) {
            if (out)
                out[(size_t)n * rows + r] = lanes[r * stride + n];
            else
                lanes[r * stride + n] = in[(size_t)n * rows + r];
        }
    if (in) CLV_TRY(clv_buffer_write_floats(s->be, arena, place->offset, lanes, rows * stride, err));
done:
    free(lanes);
    return status;
}

clv_status clv_session_write_batch(clv_session *s, const clv_phase *phase, clv_node node, const float *values,
                                   int count, clv_error *err)
{
    return exchange_batch(s, phase, node, values, NULL, count, err);
}

clv_status clv_session_read_batch(clv_session *s, const clv_phase *phase, clv_node node, float *values, int count,
                                  clv_error *err)
{
    return exchange_batch(s, phase, node, NULL, values, count, err);
}

clv_status clv_session_load(clv_session *s, const char *run, clv_error *err)
{
    const char *file = clv_config_bool(s->config, "early_stopping.restore_best") ? CLV_BEST_FILE : CLV_LAST_FILE;
    const clv_param_layout *layout = clv_model_params(s->model);
    clv_status status = CLV_OK;
    float *values = clv_alloc(layout->elements, sizeof *values, err);
    if (!values) return CLV_ERR_INTERNAL;
    if (run) {
        char path[CLV_PATH_SIZE];
        CLV_TRY(clv_path_join(path, sizeof path, run, file, err));
        CLV_REQUIRE(access(path, F_OK) == 0, CLV_ERR_DATA,
                    "%s: has no %s: no epoch of it has ended yet; go on by: clave train %s --resume", run, file, run);
        CLV_TRY(clv_checkpoint_read(path, layout, values, NULL, NULL, NULL, err));
    } else {
        CLV_TRY(clv_model_init(s->model, (uint64_t)clv_config_int(s->config, "experiment.seed"), values, err));
    }
    CLV_TRY(clv_session_write(s, CLV_SPACE_PARAM, values, err));
done:
    free(values);
    return status;
}

void clv_session_device(const clv_session *s, char *text, size_t size)
{
    const clv_device_info *info = &s->be->info;
    snprintf(text, size, "%s / %s (driver %s, backend %s)", info->platform, info->name, info->driver, info->backend);
}

clv_status clv_split_dataset(const char *split, int *dataset, clv_error *err)
{
    if (!strcmp(split, "test"))
        *dataset = CLV_DATASET_TEST;
    else if (!strcmp(split, "train") || !strcmp(split, "val"))
        *dataset = CLV_DATASET_TRAIN;
    else
        return clv_fail(err, CLV_ERR_CONFIG, "there is no split '%s': use train, val or test", split);
    return CLV_OK;
}

clv_status clv_session_split(const clv_session *s, const char *split, uint32_t *first, uint32_t *count, clv_error *err)
{
    int dataset;
    clv_status status = clv_split_dataset(split, &dataset, err);
    if (status != CLV_OK) return status;
    bool validation = !strcmp(split, "val");
    *first = validation ? s->images[CLV_DATASET_TRAIN].count - s->validation_count : 0;
    *count = dataset == CLV_DATASET_TEST ? s->images[CLV_DATASET_TEST].count
             : validation                ? s->validation_count
                                         : s->train_count;
    if (*count == 0)
        return clv_fail(err, CLV_ERR_CONFIG, "%s: there are no %s images; set data.validation",
                        clv_config_where(s->config, "data.validation"), split);
    return CLV_OK;
}
