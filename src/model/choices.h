/* Choices that code branches by: schema.def takes its words from here, and an enum its order, so that neither can have
 * one that the other lacks. The value of a key as the enum: clv_config_choice. */
#ifndef CLAVE_MODEL_CHOICES_H
#define CLAVE_MODEL_CHOICES_H

#define CLV_TASK_LIST(X)     X(AUTOENCODER, "autoencoder") X(DENOISE, "denoise") X(VAE, "vae") X(CLASSIFY, "classify")
#define CLV_SCHEDULE_LIST(X) X(CONSTANT, "constant") X(COSINE, "cosine") X(ONE_CYCLE, "one_cycle") X(PLATEAU, "plateau")
#define CLV_METHOD_LIST(X)   X(GRID, "grid") X(RANDOM, "random") X(ASHA, "asha") X(TPE, "tpe")

typedef enum clv_task {
#define ROW(name, word) CLV_TASK_##name,
    CLV_TASK_LIST(ROW)
#undef ROW
} clv_task;

typedef enum clv_schedule_kind {
#define ROW(name, word) CLV_SCHEDULE_##name,
    CLV_SCHEDULE_LIST(ROW)
#undef ROW
} clv_schedule_kind;

typedef enum clv_method {
#define ROW(name, word) CLV_METHOD_##name,
    CLV_METHOD_LIST(ROW)
#undef ROW
} clv_method;

#endif
