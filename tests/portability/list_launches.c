/* Prints each distinct launch that a training step of an INI file (or t-SNE) has on a GPU that need not be there, and
 * writes the text of each joint launch into a folder:
 *
 *   list_launches FILE.ini|tsne UNITS SIMD_WIDTH LOCAL_BYTES FOLDER
 *
 * A line a launch, fields separated by tabs: multiply-adds an image of its call (the most of those that share the
 * launch; 0 for a joint one), op ("joint"), file (a joint one's in the folder), kernel, work-items of a group, groups,
 * defines. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/opencl/opencl.h"
#include "base/file.h"
#include "experiment/paper.h"

enum { MOST = 1024, POINTS = 2000 };

typedef struct line {
    clv_launch launch;
    clv_op op;
    uint64_t multiply_adds;
} line;

static line lines[MOST];
static int count;

static bool same(const clv_launch *a, const clv_launch *b)
{
    return !strcmp(a->kernel, b->kernel) && !strcmp(a->defines, b->defines) &&
           !memcmp(a->local, b->local, sizeof a->local);
}

static void add(const clv_launch *launch, clv_op op, uint64_t multiply_adds)
{
    int i = 0;
    while (i < count && !same(&lines[i].launch, launch)) i++;
    if (i == MOST) return;
    if (i == count) lines[count++] = (line){.launch = *launch, .op = op};
    if (multiply_adds > lines[i].multiply_adds) lines[i].multiply_adds = multiply_adds;
}

static clv_status add_call(const clv_device_info *device, const clv_call *call, uint64_t multiply_adds, clv_error *err)
{
    clv_launch_list list;
    clv_status status = clv_launches_of(device, call, NULL, &list, err);
    for (int i = 0; status == CLV_OK && i < list.launches; i++) add(&list.launch[i], call->op, multiply_adds);
    return status;
}

/* ---- joint launches ---- */

static clv_status write_joint(const clv_launch_unit *unit, const char *folder, int number, clv_error *err)
{
    clv_status status = CLV_OK;
    clv_text part[CLV_JOINT_MOST] = {{0}}, text = {0};
    const char *source[CLV_JOINT_MOST];
    char path[1024];
    size_t groups = 0;
    for (int i = 0; i < unit->launches; i++) {
        CLV_TRY(clv_cl_source(unit->launch[i]->file, unit->launch[i]->kernel, &part[i], err));
        source[i] = part[i].text;
        groups += clv_groups_of(unit->launch[i]);
    }
    CLV_TRY(clv_unit_source(unit, source, 0, CLV_ALONE, &text, err));
    snprintf(path, sizeof path, "%s/joint%d.cl", folder, number);
    CLV_TRY(clv_file_write(path, text.text, text.length, err));
    printf("0\tjoint\t%s\t%s\t%zu\t%zu\t\n", path, CLV_JOINT_KERNEL, clv_joint_size(unit), groups);
done:
    clv_text_free(&text);
    for (int i = 0; i < unit->launches; i++) clv_text_free(&part[i]);
    return status;
}

static clv_status write_joints(const clv_device_info *device, const clv_paper *paper, const char *folder,
                               clv_error *err)
{
    clv_paper_launches l = {0};
    clv_status status = clv_paper_launches_make(paper, device, &l, err);
    for (int g = 0; status == CLV_OK && g < l.schedule.groups; g++) {
        const clv_launch_unit unit = clv_unit_of(&l.schedule, &l.schedule.group[g]);
        if (unit.launches > 1) status = write_joint(&unit, folder, g, err);
    }
    clv_paper_launches_free(&l);
    return status;
}

static clv_status add_training(const clv_device_info *device, const char *ini, const char *folder, clv_error *err)
{
    clv_config *config = NULL;
    clv_paper paper = {0};
    clv_status status = clv_config_load(ini, NULL, 0, &config, NULL, err);
    if (status == CLV_OK) status = clv_paper_make(config, device, &paper, err);
    for (int i = 0; status == CLV_OK && i < paper.plan->calls; i++) {
        const clv_call *call = &paper.plan->call[i];
        status = add_call(device, call, clv_node_multiply_adds(paper.graph.graph, call->node), err);
    }
    if (status == CLV_OK) status = write_joints(device, &paper, folder, err);
    clv_paper_free(&paper);
    clv_config_destroy(config);
    return status;
}

static clv_shape rows(int n, int width) { return (clv_shape){.rank = 3, .dim = {n, width, 1, 1}, .batched = true}; }

/* The calls of src/analysis: distances of points of 10 features, t-SNE in two dimensions. */
static clv_status add_tsne(const clv_device_info *device, clv_error *err)
{
    const clv_shape points = rows(10, 1), pairs = rows(POINTS, 1),
                    map = {.rank = 2, .dim = {2, POINTS / 32 * 32 + 32, 1, 1}};
    const clv_shape force = {.rank = 2, .dim = {5, POINTS / 32 * 32 + 32, 1, 1}};
    const clv_call calls[] = {
        {.op = CLV_OP_DISTANCE, .inputs = 1, .in = {{.shape = points}}, .out = {.shape = pairs}},
        {.op = CLV_OP_AFFINITY, .attr = {.alpha = 30}, .inputs = 1, .in = {{.shape = pairs}}, .out = {.shape = pairs}},
        {.op = CLV_OP_JOINT, .inputs = 1, .in = {{.shape = pairs}}, .out = {.shape = pairs}},
        {.op = CLV_OP_TSNE_FORCE, .inputs = 2, .in = {{.shape = map}, {.shape = pairs}}, .out = {.shape = force}},
        {.op = CLV_OP_TSNE_GRAD, .inputs = 1, .in = {{.shape = force}}, .out = {.shape = map}},
        {.op = CLV_OP_TSNE_STEP, .trained = 2 * POINTS},
    };
    clv_status status = CLV_OK;
    for (size_t i = 0; status == CLV_OK && i < sizeof calls / sizeof *calls; i++) {
        clv_call call = calls[i];
        call.lanes = POINTS / 32 * 32 + 32;
        status = add_call(device, &call, 0, err);
    }
    return status;
}

int main(int argc, char **argv)
{
    int64_t units, simd, local;
    clv_error error = {.status = CLV_OK};
    if (argc != 6 || !clv_parse_int(argv[2], &units) || !clv_parse_int(argv[3], &simd) ||
        !clv_parse_int(argv[4], &local)) {
        fprintf(stderr, "usage: list_launches FILE.ini|tsne UNITS SIMD_WIDTH LOCAL_BYTES FOLDER\n");
        return CLV_ERR_CONFIG;
    }
    const clv_device_info device = {.kind = CLV_DEVICE_GPU,
                                    .compute_units = (int)units,
                                    .vector_width = 1,
                                    .simd_width = (int)simd,
                                    .local_bytes = (uint64_t)local};
    const clv_status status =
        strcmp(argv[1], "tsne") ? add_training(&device, argv[1], argv[5], &error) : add_tsne(&device, &error);
    if (status != CLV_OK) {
        fprintf(stderr, "list_launches: %s\n", error.message);
        return (int)status;
    }
    for (int i = 0; i < count; i++) {
        const clv_launch *l = &lines[i].launch;
        size_t items = 1, groups = 1;
        for (int d = 0; d < l->dims; d++) items *= l->local[d], groups *= l->global[d] / l->local[d];
        printf("%llu\t%s\t%s\t%s\t%zu\t%zu\t%s\n", (unsigned long long)lines[i].multiply_adds,
               clv_op_table[lines[i].op].name, l->file, l->kernel, items, groups, l->defines);
    }
    return 0;
}
