/* Units: the program text of a launch, of several launches as one, and of several of these as one program (joint.c). */
#ifndef CLAVE_OPENCL_JOINT_H
#define CLAVE_OPENCL_JOINT_H

#include "backend/opencl/launch.h"
#include "base/text.h"

#define CLV_JOINT_MOST 32  /* launches in one, */
#define CLV_JOINT_ARGS 120 /* and arguments: a device takes 1024 bytes of them at least */

/* The kernel, and the arguments that it has for itself: int only; int first (block of this run, those on their way follow
 * it); elements from block to block in the arena, that of halves, and scratch memory; constant clv_step []. Those of each
 * launch follow in order. */
#define CLV_JOINT_KERNEL "joint"
#define CLV_JOINT_OWN    6
#define CLV_JOINT_FIRST  1 /* the place of `first` */

/* What is one program: a launch, or several as one. */
typedef struct clv_launch_unit {
    const clv_launch *launch[CLV_JOINT_MOST];
    int launches;
    bool chain; /* they follow each other image by image; else they run side by side */
    int blocks; /* a chain of a plan in so many; 0: it is whole */
} clv_launch_unit;

/* The program of one launch, as it stands. */
static inline clv_launch_unit clv_unit_of_one(const clv_launch *launch)
{
    return (clv_launch_unit){.launch = {launch}, .launches = 1};
}
static inline bool clv_unit_is_joint(const clv_launch_unit *unit) { return unit->launches > 1 || unit->chain; }

/* The name of its kernel: where the unit is a program of its own, `first` is CLV_ALONE; else see clv_unit_source. */
#define CLV_ALONE      (-1)
#define CLV_KERNEL_SIZE 64
void clv_unit_kernel(const clv_launch_unit *unit, int first, char name[CLV_KERNEL_SIZE]);

/* Work-groups of a launch, and work-items of each. */
size_t clv_groups_of(const clv_launch *launch);
size_t clv_group_size(const clv_launch *launch);

/* Work-items of a joint launch's groups: the most of any of its launches. Those beyond a launch's own sleep. */
size_t clv_joint_size(const clv_launch_unit *unit);
size_t clv_joint_groups(const clv_launch_unit *unit);

/* Appends the text. source[i]: of launch[i]'s kernel, its includes in place (clv_cl_source). `processors`: that take
 * runs of work-groups, so that each run should be a mixture; 0: groups start one by one. A joint launch has the groups
 * of them all along its first axis, of clv_joint_size work-items; a kernel argument `only` that is not negative lets
 * none but that one run. first: CLV_ALONE, or the number of the first of as many parts of a program as the unit has
 * launches: no name of one is another's. A launch alone has its defines from the compiler's options, the others from
 * the text. */
clv_status clv_unit_source(const clv_launch_unit *unit, const char *const *source, int processors, int first,
                           clv_text *to, clv_error *err);

#endif
