/* Schedules: the launches of a plan in levels, by what memory they read and write (schedule.c). Text and numbers alone,
 * as launches are: they can be made for devices that are not there. */
#ifndef CLAVE_OPENCL_SCHEDULE_H
#define CLAVE_OPENCL_SCHEDULE_H

#include "backend/opencl/joint.h"

/* What becomes of a call. */
typedef struct clv_launch_work {
    const clv_call *call;
    const clv_launch_list *list;
    bool clblast;   /* its product comes before the launches; they and it read and write the call's operands */
    size_t scratch; /* elements, CLBlast's too */
} clv_launch_work;

/* A launch of a call, or a call's product by CLBlast. */
typedef struct clv_launch_item {
    int call;                 /* its index in the plan */
    int index;                /* among the launches of the call; -1: CLBlast */
    const clv_launch *launch; /* NULL: CLBlast */
    int level;                /* items of one level wait for nothing of each other, but links of a chain */
    int chain;                /* its number, from 1 on; 0: it is in none */
} clv_launch_item;

/* Items that are one launch: item[first] .. item[first + items - 1]. */
typedef struct clv_launch_group {
    int first, items;
} clv_launch_group;

typedef struct clv_launch_schedule {
    clv_launch_item *item; /* in the order of their levels */
    int items;
    clv_launch_group *group; /* in the order in which they are queued */
    int groups;
    size_t *scratch;         /* [calls]: where each call's scratch memory begins, elements */
    size_t scratch_elements; /* of all; of a plan in blocks, of each block */
    int blocks;              /* of the plan; 0: it is whole */
} clv_launch_schedule;

typedef struct clv_schedule_options {
    size_t alignment; /* of scratch memory, elements */
    bool joint;       /* launches of a level may become one */
    bool chains;      /* and those that follow each other image by image */
    int blocks;       /* of the plan; 0: it is whole */
} clv_schedule_options;

/* Of the calls of a plan, in its order. Lists are not copied and must outlive the schedule. Starts as {0}; release with
 * clv_launch_schedule_free, whether making it succeeded or not. */
clv_status clv_launch_schedule_make(const clv_device_info *device, const clv_launch_work *work, int calls,
                                    const clv_schedule_options *options, clv_launch_schedule *schedule, clv_error *err);
void clv_launch_schedule_free(clv_launch_schedule *schedule);

/* The program of a group, which is not CLBlast's. */
clv_launch_unit clv_unit_of(const clv_launch_schedule *schedule, const clv_launch_group *group);

/* The number of the group of a call's launch, and its place there; -1: there is none. */
int clv_group_of(const clv_launch_schedule *schedule, int call, int index, int *place);

#endif
