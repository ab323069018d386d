/* A session: one configuration at work. It owns the device, the data set on it, the model and, for each phase asked for
 * (a mode of the model on one data set), graph, plan and program; phases share parameters and memory and run one after
 * another. */
#ifndef CLAVE_EXPERIMENT_SESSION_H
#define CLAVE_EXPERIMENT_SESSION_H

#include "backend/backend.h"
#include "base/log.h"
#include "base/text.h"
#include "clave/config.h"
#include "clave/data.h"
#include "model/model.h"

enum { CLV_DATASET_TRAIN, CLV_DATASET_TEST }; /* attr.dataset: the first holds the validation images too */

typedef struct clv_phase {
    clv_mode mode;
    int dataset;
    clv_model_graph graph;
    clv_plan *plan;
    clv_program *program;
} clv_phase;

#define CLV_MAX_PHASES 6
#define CLV_TRACE_ROWS 256 /* steps whose losses the device keeps */

typedef struct clv_session {
    const clv_config *config; /* the caller's */
    const char *kernels;      /* the caller's: those of the run that goes on; NULL: none goes on */
    clv_log *log;             /* the caller's; may be NULL */
    clv_backend *be;
    clv_images images[CLV_MAX_DATASETS]; /* count 0: not loaded */
    uint32_t train_count;                /* places 0 .. train_count - 1 of the order are trained on */
    uint32_t validation_count;           /* the last places */
    clv_model *model;
    int phases;
    clv_phase phase[CLV_MAX_PHASES];
    clv_bindings bindings;
    uint64_t device_bytes; /* of all buffers made here */
    double noise;          /* of steps from now on: data.noise_amount, until it is changed */
} clv_session;

typedef struct clv_phase_request {
    clv_mode mode;
    int dataset;
} clv_phase_request;

/* Opens the device, loads the data the phases need, builds everything. Parameters are zero until written. */
clv_status clv_session_open(const clv_config *config, clv_log *log, const clv_phase_request *request, int requests,
                            clv_session **session, clv_error *err);
/* The same on images that the caller has, in place of the test data set: phases on CLV_DATASET_TEST see these, the
 * split "test" is these, and the test files are not read. *given moves into the session, so that freeing it is always
 * right. */
clv_status clv_session_open_given(const clv_config *config, clv_log *log, const clv_phase_request *request,
                                  int requests, clv_images *given, clv_session **session, clv_error *err);
/* The same by the kernels that a run recorded, whatever was found to be faster since: what clv_session_kernels wrote. */
clv_status clv_session_open_resumed(const clv_config *config, clv_log *log, const clv_phase_request *request,
                                    int requests, const char *kernels, clv_session **session, clv_error *err);
void clv_session_close(clv_session *session);

/* The choices in force for the products of all phases, for a run to go on with. */
clv_status clv_session_kernels(clv_session *session, clv_text *text, clv_error *err);

/* Logs what the backend has to tell ("CLBlast fails its self-test ..."); opening a session does so once. */
void clv_session_log_notices(const clv_session *session);

clv_phase *clv_session_phase(clv_session *session, clv_mode mode, int dataset); /* of those asked for */

/* A space of parameters or moments as floats, layout->elements of them. */
clv_status clv_session_write(clv_session *session, clv_space space, const float *values, clv_error *err);
clv_status clv_session_read(clv_session *session, clv_space space, float *values, clv_error *err);

/* The order in which a data set's images are visited from now on: all its images, each once. */
clv_status clv_session_order(clv_session *session, int dataset, const uint32_t *order, clv_error *err);

/* A batched tensor that the host writes (input) or reads (output): values are [image][c][y][x], `count` images of the
 * batch. */
clv_status clv_session_write_batch(clv_session *session, const clv_phase *phase, clv_node node, const float *values,
                                   int count, clv_error *err);
clv_status clv_session_read_batch(clv_session *session, const clv_phase *phase, clv_node node, float *values, int count,
                                  clv_error *err);

/* Loads a run's weights, those that early_stopping.restore_best says it ended with: the best epoch's or the last one's;
 * or initial ones where run is NULL, from experiment.seed. */
clv_status clv_session_load(clv_session *session, const char *run, clv_error *err);

/* "POCL / pthread-haswell (driver 3.1, opencl)". */
void clv_session_device(const clv_session *session, char *text, size_t size);

/* First place and number of places of "train", "val" or "test"; CLV_ERR_CONFIG where there are none. */
clv_status clv_session_split(const clv_session *session, const char *split, uint32_t *first, uint32_t *count,
                             clv_error *err);
/* The data set a split lies in: CLV_DATASET_TRAIN or CLV_DATASET_TEST; CLV_ERR_CONFIG for another name. */
clv_status clv_split_dataset(const char *split, int *dataset, clv_error *err);

#endif
