/* Joint launches: the program text of several kernels that run side by side (joint.c). */
#ifndef CLAVE_OPENCL_JOINT_H
#define CLAVE_OPENCL_JOINT_H

#include "backend/opencl/launch.h"
#include "base/text.h"

#define CLV_JOINT_MOST   8       /* launches in one */
#define CLV_JOINT_KERNEL "joint" /* the kernel; its arguments: int only, then those of each launch in order */

/* Work-groups of a launch. */
size_t clv_groups_of(const clv_launch *launch);

/* Appends the text. source[i]: of launch[i]'s kernel, its includes in place (clv_cl_source). `units`: of the device,
 * that take runs of work-groups. The launch has the groups of them all along its first axis, of their common local
 * size; a kernel argument `only` that is not negative lets none but that one run. */
clv_status clv_joint_source(const clv_launch *const *launch, const char *const *source, int launches, int units,
                            clv_text *to, clv_error *err);

#endif
