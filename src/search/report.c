/* What a search leaves to look at: ranking.csv. Figures are in figures.c. */
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "base/try.h"
#include "clave/search.h"
#include "search/figures.h"

/* A cell that holds a comma, a quote or a line's end is quoted (RFC 4180). */
static void cell(clv_text *text, const char *value)
{
    clv_text_append(text, ",");
    if (!strpbrk(value, ",\"\n")) {
        clv_text_append(text, "%s", value);
        return;
    }
    clv_text_append(text, "\"");
    for (; *value; value++) clv_text_append_bytes(text, *value == '"' ? "\"\"" : value, *value == '"' ? 2 : 1);
    clv_text_append(text, "\"");
}

static void number(clv_text *text, double value)
{
    if (isnan(value))
        clv_text_append(text, ",");
    else
        clv_text_append(text, ",%.9g", value);
}

static clv_status write_ranking(const char *folder, const clv_ranking *r, clv_error *err)
{
    clv_text text = {0};
    char path[CLV_PATH_SIZE];
    clv_status status = CLV_OK;
    clv_text_append(&text, "rank,trial,state,%s,epochs,best_epoch,%s after %u epochs,seconds", r->monitor, r->monitor,
                    r->first_epochs);
    for (int d = 0; d < r->dimensions; d++) cell(&text, r->dimension[d].key);
    clv_text_append(&text, ",error\n");
    for (int i = 0; i < r->trials; i++) {
        const clv_ranked *t = &r->trial[i];
        if (t->rank) clv_text_append(&text, "%d", t->rank);
        clv_text_append(&text, ",%d,%s", t->number, t->state);
        number(&text, t->value);
        clv_text_append(&text, ",%u,%u", t->epochs, t->best_epoch);
        number(&text, t->early);
        clv_text_append(&text, ",%.1f", t->seconds);
        for (int d = 0; d < r->dimensions; d++) cell(&text, t->setting[d]);
        cell(&text, t->error ? t->error : "");
        clv_text_append(&text, "\n");
    }
    CLV_REQUIRE(!text.failed, CLV_ERR_INTERNAL, "out of memory for ranking.csv");
    CLV_TRY(clv_path_join(path, sizeof path, folder, "ranking.csv", err));
    CLV_TRY(clv_file_write(path, text.text, text.length, err));
done:
    clv_text_free(&text);
    return status;
}

clv_status clv_search_report(const char *folder, clv_error *err)
{
    clv_ranking ranking = {0};
    clv_status status = CLV_OK;
    CLV_TRY(clv_search_rank(folder, &ranking, err));
    CLV_TRY(write_ranking(folder, &ranking, err));
    CLV_TRY(clv_search_figures(folder, &ranking, err));
done:
    clv_ranking_free(&ranking);
    return status;
}
