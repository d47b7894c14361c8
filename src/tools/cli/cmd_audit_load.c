/* SPDX-License-Identifier: MIT */
/*
 * miguard audit load: records into PostgreSQL.
 *
 * Records are sent in batches. One transaction has a batch and the place in the files behind it, so
 * that a loader that was killed goes on where the database is, whatever it had sent. A record that
 * is there already is left out by the table's key, which names its bytes, too. A batch is kept
 * until it is committed: when the database goes down it is sent again, and what a lost answer may
 * have committed is found to be there.
 */
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cli/audit_open.h"
#include "tools/cli/commands.h"
#include "tools/cli/postgresql.h"
#include "tools/review/export_text.h"
#include "tools/review/fleet_columns.h"

enum { BATCH_RECORDS = 5000, BATCH_BYTES = 16 * 1024 * 1024, RETRY_SECONDS = 60 };

struct request {
    struct word_list files;
    const char *to;
    bool create, json;
    uint64_t retry;
    struct postgresql *pg;
    struct log_reader *reader;
    struct audit_walk walk;
    struct text rows, copy, insert, insert_checked; /* a batch; statements, made once */
    uint64_t held;                                  /* records of the batch */
    uint64_t sent, fresh, unreadable;               /* records */
    struct read_mark *saved;                        /* what the database has of each file */
    size_t file_count;
};

static const struct option_row options[] = {
    TEXT("--to", "URL", struct request, to,
         "the database: postgresql://USER@HOST/DATABASE, or another connection string of libpq; a "
         "password belongs into ~/.pgpass, since others can read the command line",
         .required = true),
    FLAG("--create", struct request, create, "make the tables first, if they are not there"),
    NUMBER("--retry", "SECONDS", struct request, retry, 0, 86400,
           "how long to wait for a database that went down; default 60", .preset = RETRY_SECONDS),
    FLAG("--json", struct request, json, "print the result as one JSON object"),
};

static int out_of_memory(void)
{
    return complain(CLI_UNABLE, "out of memory");
}

/* What the database says is its own text. */
static int complain_pg(struct request *request, const char *what)
{
    audit_hide_progress(&request->walk);
    return complain(CLI_UNABLE, "%s: %s", what, pg_error(request->pg));
}

/* ---- the tables ----------------------------------------------------------------------------- */

static int create_tables(struct request *request)
{
    struct text text = TEXT_EMPTY;

    text_append(&text, "BEGIN; SELECT pg_advisory_xact_lock(hashtext('miguard.schema'));");
    fleet_schema(&text, FLEET_POSTGRESQL);
    text_append(&text, "COMMIT;");
    enum pg_outcome result = text.failed ? PG_FAILED : pg_execute(request->pg, text.data);
    text_release(&text);
    return result == PG_DONE ? CLI_YES : complain_pg(request, "the tables cannot be made");
}

/* Tables of another version have other columns: nothing is written to them. */
static int check_tables(struct request *request)
{
    struct postgresql *pg = request->pg;

    if (pg_query(pg, "SELECT to_regclass('miguard.schema')::text", NULL, 0) != PG_DONE) {
        return complain_pg(request, "the database cannot be asked");
    }
    if (pg_value(pg, 0, 0) == NULL) {
        return request->create ? create_tables(request)
                               : complain(CLI_UNABLE, "the database has no tables of miguard; "
                                                      "--create makes them");
    }
    if (pg_query(pg, "SELECT version FROM miguard.schema", NULL, 0) != PG_DONE) {
        return complain_pg(request, "the version of the tables cannot be read");
    }
    const char *version = pg_rows(pg) > 0 ? pg_value(pg, 0, 0) : "none";
    if (version == NULL || atoi(version) != FLEET_SCHEMA_VERSION) {
        return complain(CLI_UNABLE,
                        "the tables have version %s, and this miguard writes version %d", version,
                        FLEET_SCHEMA_VERSION);
    }
    return CLI_YES;
}

/* A record whose JSON the database does not take (a number beyond its own) is
 * loaded without that column: insert_checked tries each, and is slower. */
static bool make_statements(struct request *request)
{
    struct text names = TEXT_EMPTY;

    fleet_column_names(&names);
    if (names.failed) {
        return false;
    }
    text_format(&request->copy, "COPY pg_temp.batch (%s) FROM STDIN", names.data);
    text_format(&request->insert,
                "INSERT INTO miguard.records (%s, record) SELECT %s, line::jsonb FROM "
                "pg_temp.batch ON CONFLICT DO NOTHING",
                names.data, names.data);
    text_format(&request->insert_checked,
                "INSERT INTO miguard.records (%s, record) SELECT %s, miguard.as_jsonb(line) FROM "
                "pg_temp.batch ON CONFLICT DO NOTHING",
                names.data, names.data);
    text_release(&names);
    return !request->copy.failed && !request->insert.failed && !request->insert_checked.failed;
}

/* ---- where it was --------------------------------------------------------------------------- */

static bool read_hash(const char *text, unsigned char ret_hash[READ_HASH])
{
    size_t length = 0;

    return text != NULL &&
           sodium_hex2bin(ret_hash, READ_HASH, text, strlen(text), NULL, &length, NULL) == 0 &&
           length == READ_HASH;
}

static bool read_row(struct postgresql *pg, int row, struct read_mark *ret_mark)
{
    uint64_t numbers[3];

    for (int i = 0; i < 3; i++) {
        const char *text = pg_value(pg, row, 2 + i);
        numbers[i] = text != NULL ? strtoull(text, NULL, 10) : 0;
    }
    ret_mark->offset = numbers[0];
    ret_mark->length = numbers[1];
    ret_mark->line = numbers[2];
    return read_hash(pg_value(pg, row, 0), ret_mark->first) &&
           read_hash(pg_value(pg, row, 1), ret_mark->last);
}

/* A file that is not as it was is read from its beginning: what is there already is left out. */
static int resume_files(struct request *request)
{
    struct postgresql *pg = request->pg;
    static const char sql[] =
        "SELECT first_line, last_line, position, length, line FROM miguard.loaded";

    if (pg_query(pg, sql, NULL, 0) != PG_DONE) {
        return complain_pg(request, "how far the files were loaded cannot be read");
    }
    int count = pg_rows(pg);
    struct read_mark *marks = calloc((size_t)count + 1, sizeof(*marks));
    size_t used = 0;
    if (marks == NULL) {
        return out_of_memory();
    }
    for (int i = 0; i < count; i++) {
        used += read_row(pg, i, &marks[used]);
    }
    read_keep_marks(request->reader);
    for (size_t i = 0; read_name(request->reader, i) != NULL; i++) {
        if (read_resume(request->reader, i, marks, used) == READ_CHANGED) {
            complain(CLI_YES, "%s: was changed since it was loaded, and is read from its beginning",
                     read_name(request->reader, i));
        }
        request->file_count = i + 1;
    }
    free(marks);
    request->saved = calloc(request->file_count + 1, sizeof(*request->saved));
    return request->saved != NULL ? CLI_YES : out_of_memory();
}

static bool same_mark(const struct read_mark *a, const struct read_mark *b)
{
    return a->offset == b->offset && a->length == b->length &&
           memcmp(a->first, b->first, READ_HASH) == 0 && memcmp(a->last, b->last, READ_HASH) == 0;
}

static enum pg_outcome save_mark(struct request *request, size_t file, const struct read_mark *mark)
{
    static const char sql[] =
        "INSERT INTO miguard.loaded (first_line, last_line, position, length, line, name) VALUES "
        "($1, $2, $3, $4, $5, $6) ON CONFLICT (first_line) DO UPDATE SET last_line = $2, position "
        "= $3, length = $4, line = $5, name = $6, updated = now()";
    char first[2 * READ_HASH + 1], last[2 * READ_HASH + 1], numbers[3][24];
    char *name = valid_utf8(read_name(request->reader, file));

    if (name == NULL) {
        out_of_memory();
        return PG_FAILED;
    }
    sodium_bin2hex(first, sizeof(first), mark->first, READ_HASH);
    sodium_bin2hex(last, sizeof(last), mark->last, READ_HASH);
    snprintf(numbers[0], sizeof(numbers[0]), "%" PRIu64, mark->offset);
    snprintf(numbers[1], sizeof(numbers[1]), "%" PRIu64, mark->length);
    snprintf(numbers[2], sizeof(numbers[2]), "%" PRIu64, mark->line);
    const char *values[] = {first, last, numbers[0], numbers[1], numbers[2], name};
    enum pg_outcome result = pg_query(request->pg, sql, values, 6);
    free(name);
    return result;
}

/* Of the files that were read further since the last batch. */
static enum pg_outcome save_marks(struct request *request)
{
    enum pg_outcome result = PG_DONE;
    struct read_mark mark;

    for (size_t i = 0; i < request->file_count && result == PG_DONE; i++) {
        if (read_mark(request->reader, i, &mark) && !same_mark(&mark, &request->saved[i])) {
            result = save_mark(request, i, &mark);
        }
    }
    return result;
}

/* ---- a batch -------------------------------------------------------------------------------- */

/* The temporary table has no constraints, and lives as long as the connection. */
static const char begin_sql[] =
    "BEGIN; CREATE TEMP TABLE IF NOT EXISTS batch ON COMMIT DELETE ROWS AS "
    "SELECT * FROM miguard.records WITH NO DATA";
static const char days_sql[] =
    "SELECT miguard.add_day(day) FROM (SELECT DISTINCT (time AT TIME ZONE 'UTC')::date AS day "
    "FROM pg_temp.batch) AS days";

/* All of it in one transaction. *ret_fresh: how many were new. */
static enum pg_outcome send_batch(struct request *request, const struct text *insert,
                                  uint64_t *ret_fresh)
{
    struct postgresql *pg = request->pg;
    enum pg_outcome result = pg_execute(pg, begin_sql);

    if (result == PG_DONE) {
        result = pg_copy(pg, request->copy.data, request->rows.data, request->rows.length);
    }
    result = result == PG_DONE ? pg_execute(pg, days_sql) : result;
    result = result == PG_DONE ? pg_execute(pg, insert->data) : result;
    if (result == PG_DONE) {
        *ret_fresh = pg_changed(pg);
        result = save_marks(request);
    }
    return result == PG_DONE ? pg_execute(pg, "COMMIT") : result;
}

/* Takes back what is left of a transaction; a connection that is gone has none. */
static void roll_back(struct request *request, char error[512])
{
    snprintf(error, 512, "%s", pg_error(request->pg));
    (void)pg_execute(request->pg, "ROLLBACK");
}

/* Until it is committed, or the database does not come back. */
static int commit_batch(struct request *request)
{
    const struct text *insert = &request->insert;
    char error[512];
    uint64_t fresh = 0;

    for (unsigned tries = 0;; tries++) {
        enum pg_outcome result = send_batch(request, insert, &fresh);
        if (result == PG_DONE) {
            break;
        }
        roll_back(request, error);
        if (result == PG_BAD_DATA && insert == &request->insert) {
            insert = &request->insert_checked;
        } else if (result != PG_AGAIN || tries > 100 || !pg_wait(request->pg, request->retry)) {
            audit_hide_progress(&request->walk);
            return complain(CLI_UNABLE, "the records cannot be loaded: %s", error);
        }
    }
    request->sent += request->held;
    request->fresh += fresh;
    for (size_t i = 0; i < request->file_count; i++) {
        (void)read_mark(request->reader, i, &request->saved[i]);
    }
    request->held = 0;
    text_clear(&request->rows);
    return CLI_YES;
}

/* ---- all ------------------------------------------------------------------------------------ */

static int load_records(struct request *request)
{
    struct record record;
    struct read_place place;
    int status = CLI_YES;

    while (status == CLI_YES && audit_next(request->reader, &request->walk, &record, &place)) {
        fleet_copy_row(&request->rows, &record);
        request->held++;
        if (request->rows.failed) {
            return out_of_memory();
        }
        if (request->held == BATCH_RECORDS || request->rows.length >= BATCH_BYTES) {
            status = commit_batch(request);
        }
    }
    if (status == CLI_YES && request->held > 0) {
        status = commit_batch(request);
    }
    return status;
}

static int print_result(const struct request *request)
{
    char sent[EXPORT_NUMBER], fresh[EXPORT_NUMBER], before[EXPORT_NUMBER];

    if (request->json) {
        json_t *json = json_pack("{s:I, s:I, s:I, s:I}", "records", (json_int_t)request->sent,
                                 "new", (json_int_t)request->fresh, "present",
                                 (json_int_t)(request->sent - request->fresh), "broken",
                                 (json_int_t)request->walk.broken);
        bool printed = json != NULL && print_json(stdout, json);
        json_decref(json);
        return printed ? CLI_YES : out_of_memory();
    }
    printf("%s record%s read, %s new, %s there before\n", export_number(request->sent, sent),
           request->sent == 1 ? "" : "s", export_number(request->fresh, fresh),
           export_number(request->sent - request->fresh, before));
    return CLI_YES;
}

/* Broken lines are not loaded, and the exit status says so. */
static int load_given(struct request *request)
{
    int status = audit_open_logs(&request->files, READ_BY_FILE, &request->reader);

    if (status != CLI_YES) {
        return status;
    }
    request->pg = pg_connect(request->to);
    if (request->pg == NULL) {
        return CLI_UNABLE;
    }
    if (!make_statements(request)) {
        return out_of_memory();
    }
    status = check_tables(request);
    status = status == CLI_YES ? resume_files(request) : status;
    status = status == CLI_YES ? load_records(request) : status;
    status = audit_finish(&request->walk, status);
    if (request->saved != NULL) {
        int printed = print_result(request);
        status = status == CLI_YES ? printed : status;
    }
    return status == CLI_YES && request->walk.broken > 0 ? CLI_UNABLE : status;
}

static int run_load(const struct command_line *line)
{
    struct request request = {0};
    int status = CLI_YES;

    if (command_parse(line, &request, &status)) {
        status =
            strncmp(request.to, "postgres", 8) == 0 || strchr(request.to, '=') != NULL
                ? load_given(&request)
                : wrong_usage(line, "--to '%s' is not postgresql://USER@HOST/DATABASE", request.to);
    }
    pg_close(request.pg);
    read_close(request.reader);
    free(request.saved);
    text_release(&request.rows);
    text_release(&request.copy);
    text_release(&request.insert);
    text_release(&request.insert_checked);
    word_list_release(&request.files);
    return status;
}

COMMAND(audit, load) = {
    .about =
        "Loads the records of each FILE into PostgreSQL: tables with a partition for each day, "
        "columns to ask by, the whole record as jsonb, and its bytes. Without FILE, the log of "
        "the policy in force.",
    .notes = "May be called again and again, and stopped at any moment: the place in each file is "
             "kept in the database with the records, and a record that is there is left out. "
             "Questions to ask of the tables: miguard-fleet(7).",
    .exits = "Exit status: 0 all records are in the database; 2 wrong usage; 3 not all.",
    .operand = OPERANDS("[FILE]...", struct request, files),
    OPTIONS(options),
    .run = run_load,
};
