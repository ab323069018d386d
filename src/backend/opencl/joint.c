/* One program text of several kernels, so that launches which wait for nothing of each other are one launch: a
 * work-group looks up which of them it belongs to and which of that one's groups it is, then runs that kernel's body.
 *
 * A kernel becomes a function. Its defines, and what its text defines, hold between its first line and its last: macros
 * are undefined behind it, the names of functions and types get the part's number. Kernel files keep to what this
 * reads: what is defined at file scope starts its line (static, typedef, #define, a macro in capitals that makes a
 * function of its first argument), and kernels ask for their place by GROUP_ID and GLOBAL_ID, in their own body. */
#include "backend/opencl/joint.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/try.h"

#define ROUND_GROUPS 16 /* work-groups of a round, about; */
#define MOST_ROUNDS  32 /* each work-group counts through them */
#define LEAST_ROUNDS 8  /* or the processors, where they are fewer */

/* ---- the names that a text defines ---- */

static size_t word_length(const char *text)
{
    size_t length = 0;
    while (isalnum((unsigned char)text[length]) || text[length] == '_') length++;
    return length;
}

static bool starts(const char *line, const char *with) { return !strncmp(line, with, strlen(with)); }

/* The word before the first of `stop` in the line. */
static const char *word_before(const char *line, const char *stop, size_t *length)
{
    const char *end = line + strcspn(line, stop), *start;
    while (end > line && end[-1] == ' ') end--;
    for (start = end; start > line && (isalnum((unsigned char)start[-1]) || start[-1] == '_');) start--;
    *length = (size_t)(end - start);
    return start;
}

/* The function, type or kernel that a line at file scope defines; length 0: none. */
static const char *defined_name(const char *line, size_t *length)
{
    static const char structure[] = "typedef struct ";
    *length = 0;
    if (starts(line, "kernel void ")) return word_before(line, "(", length);
    if (starts(line, structure)) {
        *length = word_length(line + sizeof structure - 1);
        return line + sizeof structure - 1;
    }
    if (starts(line, "typedef ")) return word_before(line, ";", length);
    if (starts(line, "static ")) return word_before(line, "(", length);
    const size_t macro = strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
    if (macro == 0 || line[macro] != '(') return line;
    *length = word_length(line + macro + 1);
    return line + macro + 1;
}

static const char *next_line(const char *line)
{
    const char *end = strchr(line, '\n');
    return end ? end + 1 : line + strlen(line);
}

static void append_names(clv_text *to, const char *source, int part)
{
    size_t length;
    for (const char *line = source; *line; line = next_line(line)) {
        const char *name = defined_name(line, &length);
        if (length == 0) continue;
        clv_text_append(to, "#undef %.*s\n", (int)length, name); /* each branch of an #if may define it */
        clv_text_append(to, "#define %.*s %.*s_%d\n", (int)length, name, (int)length, name, part);
    }
}

/* The macros and names of a part end with it. */
static void append_undefs(clv_text *to, const char *source)
{
    static const char define[] = "#define ";
    size_t length;
    for (const char *line = source; *line; line = next_line(line)) {
        const char *name = defined_name(line, &length);
        if (starts(line, define)) {
            name = line + sizeof define - 1;
            length = word_length(name);
        }
        if (length > 0) clv_text_append(to, "#undef %.*s\n", (int)length, name);
    }
}

/* ---- a part ---- */

/* -DNAME=VALUE ... as lines. */
static void append_defines(clv_text *to, const char *defines, bool define)
{
    for (const char *at = defines; *at;) {
        const size_t length = strcspn(at, " ");
        const size_t name = strcspn(at, "=");
        if (define)
            clv_text_append(to, "#define %.*s %.*s\n", (int)name - 2, at + 2, (int)(length - name) - 1, at + name + 1);
        else
            clv_text_append(to, "#undef %.*s\n", (int)name - 2, at + 2);
        at += length + strspn(at + length, " ");
    }
}

/* The kernel as a function that is told its group, and given the group's memory where it has any. */
static void append_body(clv_text *to, const clv_launch *launch, const char *source, int part)
{
    static const char opening[] = "kernel void ";
    for (const char *line = source, *end; *line; line = end) {
        end = next_line(line);
        const char *parameters = starts(line, opening) ? memchr(line, '(', (size_t)(end - line)) : NULL;
        if (parameters) {
            clv_text_append(to, "static void part_%d(uint group_x, uint group_y, uint group_z, %s", part,
                            launch->group_floats ? "local float *group_memory, " : "");
            line = parameters + 1;
        }
        clv_text_append_bytes(to, line, (size_t)(end - line));
    }
}

static void open_part(clv_text *to, const clv_launch *launch, const char *source, int part)
{
    clv_text_append(to, "\n/* ---- %s of %s ---- */\n", launch->kernel, launch->file);
    append_defines(to, launch->defines, true);
    append_names(to, source, part);
}

static void close_part(clv_text *to, const clv_launch *launch, const char *source)
{
    append_undefs(to, source);
    append_defines(to, launch->defines, false);
}

static void append_part(clv_text *to, const clv_launch *launch, const char *source, int part)
{
    open_part(to, launch, source, part);
    clv_text_append(
        to,
        "#define GROUP_ID(d) ((d) == 0 ? group_x : (d) == 1 ? group_y : group_z)\n"
        "#define GLOBAL_ID(d) (GROUP_ID(d) * ((d) == 0 ? %zuu : 1u) + ((d) == 0 ? (uint)get_local_id(0) : 0u))\n"
        "#define GROUP_MEMORY(name, floats) local float *name = group_memory\n",
        clv_group_size(launch));
    append_body(to, launch, source, part);
    close_part(to, launch, source);
    clv_text_append(to, "#undef GROUP_ID\n#undef GLOBAL_ID\n#undef GROUP_MEMORY\n");
}

/* A launch that stays a kernel, beside others in a program. */
static void append_single(clv_text *to, const clv_launch *launch, const char *source, int part)
{
    open_part(to, launch, source, part);
    clv_text_append(to, "%s", source);
    close_part(to, launch, source);
}

/* ---- the kernel of them all ---- */

static size_t groups_of(const clv_launch *l, int d) { return d < l->dims ? l->global[d] / l->local[d] : 1; }

size_t clv_groups_of(const clv_launch *launch)
{
    return groups_of(launch, 0) * groups_of(launch, 1) * groups_of(launch, 2);
}

size_t clv_group_size(const clv_launch *launch) { return launch->local[0] * launch->local[1] * launch->local[2]; }

size_t clv_joint_size(const clv_launch_unit *unit)
{
    size_t most = 1;
    for (int i = 0; i < unit->launches; i++)
        if (clv_group_size(unit->launch[i]) > most) most = clv_group_size(unit->launch[i]);
    return most;
}

void clv_unit_kernel(const clv_launch_unit *unit, int first, char name[CLV_KERNEL_SIZE])
{
    const char *kernel = clv_unit_is_joint(unit) ? CLV_JOINT_KERNEL : unit->launch[0]->kernel;
    if (first == CLV_ALONE)
        snprintf(name, CLV_KERNEL_SIZE, "%s", kernel);
    else
        snprintf(name, CLV_KERNEL_SIZE, "%s_%d", kernel, first);
}

static const char *space_of(clv_arg arg)
{
    return arg == CLV_ARG_STEP || arg == CLV_ARG_SEGMENTS ? "constant" : "global";
}

static void append_parameters(clv_text *to, const clv_launch_unit *unit)
{
    for (int l = 0; l < unit->launches; l++)
        for (int a = 0; a < unit->launch[l]->args; a++)
            clv_text_append(to, ", %s void *p%d_%d", space_of(unit->launch[l]->arg[a]), l, a);
}

/* An argument of the block at hand, as bytes: of what blocks on their way have side by side the group's, of the rest
 * the block's. */
static void append_argument(clv_text *to, const clv_launch *l, int index, int a)
{
    static const char *const stride[] = {[CLV_REPEAT_FLOATS] = "group * (stride * 4ul)",
                                         [CLV_REPEAT_HALVES] = "group * (half_stride * 2ul)",
                                         [CLV_REPEAT_SCRATCH] = "group * (scratch_stride * 4ul)",
                                         [CLV_REPEAT_BATCH] = "block * (steps[STRIDE] * 4ul)"};
    const int repeat = l->repeat[a];
    clv_text_append(to, ", (%s char *)p%d_%d + ", space_of(l->arg[a]), index, a);
    if (repeat == CLV_REPEAT_PARTS)
        clv_text_append(to, "block * %zuul", l->parts_stride * sizeof(float));
    else if (repeat == CLV_REPEAT_STEP)
        clv_text_append(to, "block * %zuul", sizeof(clv_step));
    else
        clv_text_append(to, "%s", stride[repeat]);
}

/* part(x, y, z, [memory,] arguments); */
static void append_part_call(clv_text *to, const clv_launch_unit *unit, int index, int part, const char *group)
{
    const clv_launch *l = unit->launch[index];
    clv_text_append(to, "part_%d(%s%s", part, group, l->group_floats ? ", group_memory" : "");
    for (int a = 0; a < l->args; a++)
        if (unit->blocks == 0 || l->repeat[a] == CLV_REPEAT_NONE)
            clv_text_append(to, ", p%d_%d", index, a);
        else
            append_argument(to, l, index, a);
    clv_text_append(to, ");\n");
}

/* A launch of smaller groups than others has no barriers: schedules see to it. */
static void append_call(clv_text *to, const clv_launch_unit *unit, int index, int part)
{
    const clv_launch *l = unit->launch[index];
    const size_t x = groups_of(l, 0), y = groups_of(l, 1), size = clv_group_size(l);
    char group[128];
    snprintf(group, sizeof group, "group %% %zuu, group / %zuu %% %zuu, group / %zuu", x, x, y, x * y);
    clv_text_append(to, "    if (at == %d", index);
    if (size < clv_joint_size(unit)) clv_text_append(to, " && get_local_id(0) < %zuu", size);
    clv_text_append(to, ") ");
    append_part_call(to, unit, index, part, group);
}

/* Processors take runs of groups, long ones first. Groups come in rounds, a share of each launch in each: so that a run
 * costs what its length says, and processors end together, whatever a group of each launch costs. Rounds are long
 * enough that a processor stays with what its caches hold. */
static int rounds_of(const clv_launch_unit *unit, int processors)
{
    size_t groups = 0;
    if (processors < 1) return 1;
    for (int i = 0; i < unit->launches; i++) groups += clv_groups_of(unit->launch[i]);
    const int rounds = (int)(groups / ROUND_GROUPS < MOST_ROUNDS ? groups / ROUND_GROUPS : MOST_ROUNDS);
    const int least = processors < LEAST_ROUNDS ? processors : LEAST_ROUNDS;
    return rounds > least ? rounds : least;
}

static void append_opening(clv_text *to, const clv_launch_unit *unit, const char *name)
{
    /* compilers give work-items more registers where they know how few a group has */
    clv_text_append(to,
                    "\n__attribute__((reqd_work_group_size(%zu, 1, 1)))\nkernel void %s"
                    "(int only, int first, uint stride, uint half_stride, uint scratch_stride, constant uint *steps",
                    clv_joint_size(unit), name);
    append_parameters(to, unit);
    clv_text_append(to, ")\n{\n");
}

static void append_kernel(clv_text *to, const clv_launch_unit *unit, const char *name, const int *part, int rounds)
{
    size_t floats = 0;
    for (int i = 0; i < unit->launches; i++)
        if (unit->launch[i]->group_floats > floats) floats = unit->launch[i]->group_floats;
    append_opening(to, unit, name);
    if (floats) clv_text_append(to, "    local float group_memory[%zu];\n", floats);
    clv_text_append(to, "    const uint groups[%d] = {", unit->launches);
    for (int i = 0; i < unit->launches; i++)
        clv_text_append(to, "%s%zu", i ? ", " : "", clv_groups_of(unit->launch[i]));
    clv_text_append(to,
                    "};\n    uint group = (uint)get_group_id(0);\n    int at = -1;\n"
                    "    for (uint round = 0; round < %d && at < 0; round++)\n"
                    "        for (int i = 0; i < %d && at < 0; i++) {\n"
                    "            const uint first = round * groups[i] / %d, end = (round + 1) * groups[i] / %d;\n"
                    "            if (group < end - first) {\n"
                    "                at = i;\n"
                    "                group += first;\n"
                    "            } else {\n"
                    "                group -= end - first;\n"
                    "            }\n"
                    "        }\n"
                    "    if (only >= 0 && at != only) at = -1;\n",
                    rounds, unit->launches, rounds, rounds);
    for (int i = 0; i < unit->launches; i++) append_call(to, unit, i, part[i]);
    clv_text_append(to, "}\n");
}

/* ---- a chain ---- */

/* As many as the lanes of each launch can be split in. */
static size_t groups_of_chain(const clv_launch_unit *unit)
{
    size_t groups = groups_of(unit->launch[0], 0);
    for (int i = 1; i < unit->launches; i++)
        for (size_t b = groups_of(unit->launch[i], 0), rest; b > 0; b = rest) { /* Euclid's */
            rest = groups % b;
            groups = b;
        }
    return groups;
}

size_t clv_joint_groups(const clv_launch_unit *unit)
{
    if (unit->blocks > 0) return (size_t)unit->blocks;
    if (unit->chain) return groups_of_chain(unit);
    size_t groups = 0;
    for (int i = 0; i < unit->launches; i++) groups += clv_groups_of(unit->launch[i]);
    return groups;
}

/* A group of the chain runs the groups of each launch that have its lanes, or all of them on its block, launch after
 * launch. */
static void append_chain(clv_text *to, const clv_launch_unit *unit, const char *name, const int *part)
{
    const size_t groups = unit->blocks > 0 ? 1 : groups_of_chain(unit);
    clv_text_append(to, "#undef STRIDE\n#define STRIDE %zu /* a word of clv_step */\n",
                    offsetof(clv_step, stride) / sizeof(uint32_t));
    append_opening(to, unit, name);
    clv_text_append(to, "    const uint group = (uint)get_group_id(0), block = first + group, lanes = %s;\n",
                    unit->blocks > 0 ? "0" : "group");
    for (int i = 0; i < unit->launches; i++) {
        const clv_launch *l = unit->launch[i];
        const size_t x = groups_of(l, 0) / groups, y = groups_of(l, 1), z = groups_of(l, 2);
        char group[128];
        snprintf(group, sizeof group, "lanes * %zuu + k %% %zuu, k / %zuu %% %zuu, k / %zuu", x, x, x, y, x * y);
        clv_text_append(to, "    if (only < 0 || only == %d)\n        for (uint k = 0; k < %zuu; k++)\n            ", i,
                        x * y * z);
        append_part_call(to, unit, i, part[i], group);
    }
    clv_text_append(to, "}\n");
}

static bool same_kernel(const clv_launch *a, const clv_launch *b)
{
    return !strcmp(a->file, b->file) && !strcmp(a->kernel, b->kernel) && !strcmp(a->defines, b->defines) &&
           clv_group_size(a) == clv_group_size(b);
}

static void append_joint(const clv_launch_unit *unit, const char *const *source, int processors, int first,
                         const char *name, clv_text *to)
{
    int part[CLV_JOINT_MOST];
    for (int i = 0; i < unit->launches; i++) {
        part[i] = first + i;
        for (int k = 0; k < i && part[i] == first + i; k++)
            if (same_kernel(unit->launch[i], unit->launch[k])) part[i] = part[k];
        if (part[i] == first + i) append_part(to, unit->launch[i], source[i], first + i);
    }
    if (unit->chain)
        append_chain(to, unit, name, part);
    else
        append_kernel(to, unit, name, part, rounds_of(unit, processors));
}

clv_status clv_unit_source(const clv_launch_unit *unit, const char *const *source, int processors, int first,
                           clv_text *to, clv_error *err)
{
    char name[CLV_KERNEL_SIZE];
    clv_unit_kernel(unit, first, name);
    if (clv_unit_is_joint(unit))
        append_joint(unit, source, processors, first == CLV_ALONE ? 0 : first, name, to);
    else if (first == CLV_ALONE)
        clv_text_append(to, "%s", source[0]);
    else
        append_single(to, unit->launch[0], source[0], first);
    return to->failed ? clv_fail(err, CLV_ERR_INTERNAL, "out of memory for a program of %d kernels", unit->launches)
                      : CLV_OK;
}
