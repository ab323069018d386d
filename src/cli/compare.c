/* clave compare RUN... [--x Q] [--y Q] [--by Q] [--out PLOT]: runs beside each other. */
#include <jansson.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/try.h"
#include "clave/experiment.h"
#include "cli/cli.h"

static void print_table(const clv_compared *compared, int runs, const clv_compare_options *o)
{
    printf("%-24s %16s %16s  run\n", o->by ? o->by : "experiment.name", o->x ? o->x : "number",
           o->y ? o->y : "test.loss");
    for (int i = 0; i < runs; i++)
        printf("%-24s %16.6g %16.6g  %s\n", compared[i].by, compared[i].x, compared[i].y, compared[i].run);
}

static json_t *to_json(const clv_compared *compared, int runs)
{
    json_t *list = json_array();
    for (int i = 0; i < runs; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:f, s:f}", "run", compared[i].run, "by", compared[i].by, "x",
                                              compared[i].x, "y", compared[i].y));
    return json_pack("{s:o}", "runs", list);
}

clv_status cli_compare(const cli_args *args, clv_error *err)
{
    int runs = args->name_count + 1;
    clv_compare_options options = {
        .x = args->x, .y = args->y, .by = args->by, .path = args->out, .log_x = args->log_x, .log_y = args->log_y};
    clv_status status = CLV_OK;
    clv_compared *compared = clv_alloc((size_t)runs, sizeof *compared, err);
    const char **run = clv_alloc((size_t)runs, sizeof *run, err);
    CLV_REQUIRE(compared && run, CLV_ERR_INTERNAL, "out of memory for %d runs", runs);
    run[0] = args->target;
    for (int i = 1; i < runs; i++) run[i] = args->names[i - 1];
    CLV_TRY(clv_compare(run, runs, &options, compared, err));
    if (args->json)
        CLV_TRY(cli_print_json(to_json(compared, runs), err));
    else
        print_table(compared, runs, &options);
    if (args->out && !args->json) puts(args->out);
done:
    free(compared);
    free(run);
    return status;
}
