/* The little of SQLite that a study needs: statements with their values, and its failures as clave's. The one header
 * beside sql.c that knows sqlite3. */
#ifndef CLAVE_SEARCH_SQL_H
#define CLAVE_SEARCH_SQL_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "clave/error.h"

typedef struct clv_sql {
    sqlite3 *db;
    char path[1100];
    bool making; /* there is nothing yet to go on with */
} clv_sql;

/* CLV_ERR_DATA where the file is no database or is damaged. */
clv_status clv_sql_open(clv_sql *sql, const char *path, bool create, clv_error *err);
void clv_sql_close(clv_sql *sql);

/* The status for what the last call returned, with SQLite's message. */
clv_status clv_sql_failed(const clv_sql *sql, clv_error *err);

/* A statement with its values: `types` has a letter each, i (int64_t), d (double; NaN is NULL) or t (text, NULL is
 * NULL). */
clv_status clv_sql_prepare(const clv_sql *sql, sqlite3_stmt **statement, clv_error *err, const char *text,
                           const char *types, ...);
/* The same, run to its end. */
clv_status clv_sql_run(const clv_sql *sql, clv_error *err, const char *text, const char *types, ...);
/* The next row; *row is false at the end. */
clv_status clv_sql_step(const clv_sql *sql, sqlite3_stmt *statement, bool *row, clv_error *err);

/* Column as a number, NaN for NULL. */
double clv_sql_real(sqlite3_stmt *statement, int column);
const char *clv_sql_text(sqlite3_stmt *statement, int column); /* "" for NULL */

#endif
