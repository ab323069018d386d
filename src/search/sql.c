/* Statements of SQLite with their values, and its failures. */
#include "search/sql.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/try.h"

#define BUSY_MILLISECONDS 60000 /* transactions last milliseconds; a slow file system gets a minute */

/* What to do about a failure that is the machine's. */
static const char *remedy(const clv_sql *sql, int code)
{
    switch (code) {
    case SQLITE_FULL:
        return sql->making ? "make room on the disk, then begin again"
                           : "make room on the disk, then go on by --resume";
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_CANTOPEN: /* a journal that cannot be made, too */
        return "give yourself the right to write to it and to its folder, or go on in a copy of the folder";
    case SQLITE_NOMEM:
        return "end something else, or use fewer search.trials";
    default:
        return sql->making
                   ? "see whether its disk is full or failing, or files may not be that large (ulimit -f); then "
                     "begin again"
                   : "see whether its disk is full or failing, or files may not be that large (ulimit -f); then "
                     "go on by --resume";
    }
}

clv_status clv_sql_failed(const clv_sql *sql, clv_error *err)
{
    switch (sqlite3_errcode(sql->db) & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR: /* a table or a column is missing */
        return clv_fail(err, CLV_ERR_DATA,
                        "%s: is no study of clave, or is damaged (%s); the run directories beside it are whole, begin "
                        "a new study",
                        sql->path, sqlite3_errmsg(sql->db));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return clv_fail(err, CLV_ERR_INTERNAL, "%s: another process has held it for a minute; try again later",
                        sql->path);
    default:
        return clv_fail(err, CLV_ERR_INTERNAL, "%s: %s; %s", sql->path, sqlite3_errmsg(sql->db),
                        remedy(sql, sqlite3_errcode(sql->db) & 0xff));
    }
}

clv_status clv_sql_open(clv_sql *sql, const char *path, bool create, clv_error *err)
{
    int flags = SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0);
    snprintf(sql->path, sizeof sql->path, "%s", path);
    sql->making = create;
    if (sqlite3_open_v2(path, &sql->db, flags, NULL) == SQLITE_OK &&
        sqlite3_busy_timeout(sql->db, BUSY_MILLISECONDS) == SQLITE_OK)
        return CLV_OK;
    clv_status status =
        sql->db ? clv_sql_failed(sql, err) : clv_fail(err, CLV_ERR_INTERNAL, "out of memory while opening %s", path);
    clv_sql_close(sql);
    return status;
}

void clv_sql_close(clv_sql *sql)
{
    sqlite3_close(sql->db);
    sql->db = NULL;
}

static int bind(sqlite3_stmt *statement, int position, char type, va_list *values)
{
    double real;
    switch (type) {
    case 'i':
        return sqlite3_bind_int64(statement, position, va_arg(*values, int64_t));
    case 'd':
        real = va_arg(*values, double);
        return isnan(real) ? sqlite3_bind_null(statement, position) : sqlite3_bind_double(statement, position, real);
    default:
        return sqlite3_bind_text(statement, position, va_arg(*values, const char *), -1, SQLITE_TRANSIENT);
    }
}

static clv_status prepare(const clv_sql *sql, sqlite3_stmt **statement, clv_error *err, const char *text,
                          const char *types, va_list *values)
{
    bool fine = sqlite3_prepare_v2(sql->db, text, -1, statement, NULL) == SQLITE_OK;
    for (int i = 0; fine && types[i]; i++) fine = bind(*statement, i + 1, types[i], values) == SQLITE_OK;
    if (fine) return CLV_OK;
    clv_status status = clv_sql_failed(sql, err);
    sqlite3_finalize(*statement);
    *statement = NULL;
    return status;
}

clv_status clv_sql_prepare(const clv_sql *sql, sqlite3_stmt **statement, clv_error *err, const char *text,
                           const char *types, ...)
{
    va_list values;
    va_start(values, types);
    clv_status status = prepare(sql, statement, err, text, types, &values);
    va_end(values);
    return status;
}

clv_status clv_sql_step(const clv_sql *sql, sqlite3_stmt *statement, bool *row, clv_error *err)
{
    int code = sqlite3_step(statement);
    *row = code == SQLITE_ROW;
    return code == SQLITE_ROW || code == SQLITE_DONE ? CLV_OK : clv_sql_failed(sql, err);
}

clv_status clv_sql_run(const clv_sql *sql, clv_error *err, const char *text, const char *types, ...)
{
    sqlite3_stmt *statement = NULL;
    va_list values;
    bool row = true;
    va_start(values, types);
    clv_status status = prepare(sql, &statement, err, text, types, &values);
    va_end(values);
    while (status == CLV_OK && row) status = clv_sql_step(sql, statement, &row, err);
    sqlite3_finalize(statement);
    return status;
}

double clv_sql_real(sqlite3_stmt *statement, int column)
{
    return sqlite3_column_type(statement, column) == SQLITE_NULL ? NAN : sqlite3_column_double(statement, column);
}

const char *clv_sql_text(sqlite3_stmt *statement, int column)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    return text ? text : "";
}
