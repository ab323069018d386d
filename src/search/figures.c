/* placeholder while the plots are made */
#include "search/figures.h"
clv_status clv_search_figures(const char *folder, const clv_ranking *ranking, clv_error *err)
{
    (void)folder, (void)ranking, (void)err;
    return CLV_OK;
}
