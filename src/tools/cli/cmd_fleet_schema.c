/* SPDX-License-Identifier: MIT */
/* miguard fleet schema: the tables for records in a database, as text. */
#include "tools/cli/cli.h"
#include "tools/cli/commands.h"
#include "tools/review/fleet_columns.h"

struct request {
    enum fleet_engine engine;
};

static const struct option_row options[] = {
    WORD(
        "--for", fleet_engines, struct request, engine,
        "PostgreSQL, as `miguard audit load --create` makes them; ClickHouse; an index template of "
        "OpenSearch or Elasticsearch; or a view of DuckDB over Parquet files, with the questions "
        "as macros",
        .required = true),
};

static int run_schema(const struct command_line *line)
{
    struct request request = {0};
    struct text text = TEXT_EMPTY;
    int status = CLI_YES;

    if (!command_parse(line, &request, &status)) {
        return status;
    }
    fleet_schema(&text, request.engine);
    if (text.failed) {
        status = complain(CLI_UNABLE, "out of memory");
    } else if (fputs(text.data, stdout) < 0) {
        status = complain(CLI_UNABLE, "standard output cannot be written");
    }
    text_release(&text);
    return status;
}

COMMAND(fleet, schema) = {
    .about = "Prints the tables that records of a fleet are stored in, for a database to read. "
             "Columns and types are made from the fields of a record: miguard-audit-record(5).",
    .exits = "Exit status: 0 printed; 2 wrong usage; 3 it could not be done.",
    OPTIONS(options),
    .run = run_schema,
};
