/* Schedules: the launches of a plan in levels, by what memory they read and write (schedule.c). */
#ifndef CLAVE_OPENCL_SCHEDULE_H
#define CLAVE_OPENCL_SCHEDULE_H

#include "backend/opencl/opencl.h"

/* A launch of a call, or a call's product by CLBlast. */
typedef struct clv_cl_item {
    int call;                 /* its index in the plan */
    int index;                /* among the launches of the call */
    const clv_launch *launch; /* NULL: CLBlast */
    int level;                /* items of one level wait for nothing of each other */
} clv_cl_item;

/* Items that are one launch: item[first] .. item[first + items - 1]. */
typedef struct clv_cl_group {
    int first, items;
} clv_cl_group;

typedef struct clv_cl_schedule {
    clv_cl_item *item; /* in the order of their levels */
    int items;
    clv_cl_group *group; /* in the order in which they are queued */
    int groups;
    size_t *scratch;         /* [calls]: where each call's scratch memory begins, elements */
    size_t scratch_elements; /* of all */
} clv_cl_schedule;

/* Recipes are of the calls, in their order; they are not copied and must outlive the schedule. Starts as {0}; release
 * with clv_cl_schedule_free, whether making it succeeded or not. joint: launches of a level may become one. */
clv_status clv_cl_schedule_make(clv_opencl *be, const clv_call *call, const clv_cl_recipe *recipe, int calls,
                                bool joint, clv_cl_schedule *schedule, clv_error *err);
void clv_cl_schedule_free(clv_cl_schedule *schedule);

/* The program of a group, which is not CLBlast's. */
clv_cl_unit clv_cl_unit_of(const clv_cl_schedule *schedule, const clv_cl_group *group);

/* The group of a call's launch and its place there; NULL: it is a launch of its own, or there is none. */
const clv_cl_group *clv_cl_joint_of(const clv_cl_schedule *schedule, int call, int index, int *place);

/* verify.c: Within a test of call be->tested: the program of which a launch of it is a part, and which one. */
bool clv_cl_tested_unit(const clv_opencl *be, const clv_cl_item *item, clv_cl_unit *unit, int *place);

#endif
