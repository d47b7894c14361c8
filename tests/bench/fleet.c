/* SPDX-License-Identifier: MIT */
/*
 * What a fleet's records take in each store, and how long the questions of a reviewer take there:
 * the files of 20 hosts, PostgreSQL with its indexes, and DuckDB on Parquet. Records are made by
 * the code that writes them (support/fleet_records.h), over two days; each question is asked of the
 * second. All three must give the same answers, or the bench fails.
 *
 * `make bench-fleet`. RECORDS: how many (1,000,000; 10,000,000 need 50 GB and an hour). HOSTS (20).
 * RUNS: of each question, of which the median counts (1). The stores lie below TMPDIR, or /tmp
 * without it, and are removed at the end unless KEEP is set. FROM: the folder that was kept; what
 * is there is not made anew, and not measured. --json prints the table as one object. Exit status:
 * 0; 1 answers differ; 3 it could not be done.
 *
 * Peak memory is what a process had resident; of PostgreSQL what all of its processes had for
 * themselves at one moment, and the most of its shared buffers that one of them had touched.
 * Processor time of PostgreSQL is that of its backends and their workers, without the command that
 * asks. What is left out: the way from the hosts to the collector (make check-fleet), and disks
 * that are flushed (fsync=off).
 */
#include <glob.h>
#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/command.h"
#include "bench/machine.h"
#include "bench/measure.h"
#include "support/duckdb_sql.h"
#include "support/fleet_database.h"
#include "support/fleet_records.h"
#include "tools/review/export_text.h"
#include "tools/review/fleet_answers.h"

enum { DAYS = 2, RUNS_MOST = 9, BYTES_OF_RECORD = 5000, WORDS = 24 };

static char folder[PATH_MAX], url[PATH_MAX + 64], library[PATH_MAX], command[PATH_MAX], at[40];
static char self[PATH_MAX];
static unsigned long records = 1000000;
static unsigned hosts = 20, runs = 1;
static bool as_json;

static bool shell(const char *line)
{
    char whole[4096];

    snprintf(whole, sizeof(whole), ". ./start; %s", line);
    return system(whole) == 0;
}

static void finish(void)
{
    char line[PATH_MAX + 32];

    if (folder[0] == '\0' || getenv("KEEP") != NULL) {
        return;
    }
    (void)shell("down; true");
    snprintf(line, sizeof(line), "cd / && rm -rf '%s'", folder);
    if (system(line) != 0) {
        fprintf(stderr, "bench-fleet: %s is left over\n", folder);
    }
}

static void need(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "bench-fleet: %s\n", what);
        finish();
        exit(3);
    }
}

/* What is said while it runs, which is long. */
static void say(const char *what)
{
    fprintf(stderr, "bench-fleet: %s\n", what);
}

/* ---- DuckDB, in a process of its own --------------------------------------------------------- */

/* Rows as `miguard fleet report --json` has them. */
static void add_selection(struct text *sql, const struct question *question)
{
    const char *comma = "";

    for (const struct answer_column *column = question->columns; column->name != NULL; column++) {
        const char *form = column->kind == ANSWER_TIME ? "strftime(\"%s\", '%%Y-%%m-%%dT%%H:%%M:"
                                                         "%%S.%%fZ') AS \"%s\""
                           : column->kind == ANSWER_NUMBER ? "least(\"%s\", 18446744073709551615)"
                                                             "::UBIGINT AS \"%s\""
                           : column->kind == ANSWER_LIST   ? "\"%s\"[1:100] AS \"%s\""
                                                           : "\"%s\" AS \"%s\"";
        char cell[160];
        snprintf(cell, sizeof(cell), form, column->name, column->name);
        text_format(sql, "%s%s", comma, cell);
        comma = ", ";
    }
}

static void add_order(struct text *sql, const struct question *question)
{
    for (size_t i = 0; question->order[i] != 0; i++) {
        const struct answer_column *column = &question->columns[abs(question->order[i]) - 1];
        text_format(sql, "%sanswer.\"%s\"%s", i == 0 ? " ORDER BY " : ", ", column->name,
                    question->order[i] < 0 ? " DESC NULLS LAST" : " NULLS FIRST");
    }
}

static void add_macro(struct text *sql, const struct question *question)
{
    text_append(sql, " FROM miguard.");
    for (const char *name = question->name; *name != '\0'; name++) {
        text_append_bytes(sql, *name == '-' ? "_" : name, 1);
    }
    text_format(sql, "(%s%s%smoment := TIMESTAMP '%.19s') AS answer",
                strcmp(question->name, "one-user") == 0 ? "'" : "",
                strcmp(question->name, "one-user") == 0 ? fleet_records_user() : "",
                strcmp(question->name, "one-user") == 0          ? "', days := 1, "
                : strcmp(question->name, "policy-versions") == 0 ? ""
                                                                 : "days := 1, ",
                at);
}

/* `fleet duckdb LIBRARY QUESTION TIME`, in the folder with the Parquet file and the schema. */
static int ask_duckdb(const char *name)
{
    struct text sql = TEXT_EMPTY;
    char schema[65536];
    FILE *file = fopen("schema", "re");

    if (file == NULL) {
        return 3;
    }
    schema[fread(schema, 1, sizeof(schema) - 1, file)] = '\0';
    fclose(file);
    if (!duckdb_sql_begin(library) || !duckdb_sql_run(schema)) {
        return 3;
    }
    for (size_t i = 0; i < FLEET_QUESTIONS; i++) {
        const struct question *question = &fleet_questions[i];
        if (strcmp(question->name, name) == 0) {
            text_append(&sql, "COPY (SELECT ");
            add_selection(&sql, question);
            add_macro(&sql, question);
            add_order(&sql, question);
            text_format(&sql, " LIMIT %d) TO '/dev/stdout' (FORMAT json, ARRAY true)",
                        FLEET_ROWS_MOST);
        }
    }
    const bool good = !sql.failed && duckdb_sql_run(sql.data);
    text_release(&sql);
    return good ? 0 : 3;
}

/* ---- PostgreSQL's processes ------------------------------------------------------------------ */

/* In memory that is shared with the process that looks. */
static struct watched {
    atomic_long peak; /* KiB */
    atomic_bool end;
} * watched;

static long postmaster(void)
{
    FILE *file = fopen("pg/data/postmaster.pid", "re");
    long process = 0;

    if (file != NULL) {
        if (fscanf(file, "%ld", &process) != 1) {
            process = 0;
        }
        fclose(file);
    }
    return process;
}

static void add_memory(long process, long *own, long *shared)
{
    char path[64], line[256];
    long kib;

    snprintf(path, sizeof(path), "/proc/%ld/status", process);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (sscanf(line, "RssAnon: %ld", &kib) == 1) {
            *own += kib;
        } else if (sscanf(line, "RssShmem: %ld", &kib) == 1) {
            *shared = kib > *shared ? kib : *shared;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
}

static void look_at_memory(long process)
{
    char path[64];
    long own = 0, shared = 0, child;

    add_memory(process, &own, &shared);
    snprintf(path, sizeof(path), "/proc/%ld/task/%ld/children", process, process);
    FILE *file = fopen(path, "re");
    while (file != NULL && fscanf(file, "%ld", &child) == 1) {
        add_memory(child, &own, &shared);
    }
    if (file != NULL) {
        fclose(file);
    }
    if (own + shared > atomic_load(&watched->peak)) {
        atomic_store(&watched->peak, own + shared);
    }
}

static pid_t begin_watching(void)
{
    long process = postmaster();

    atomic_store(&watched->peak, 0);
    atomic_store(&watched->end, false);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (process > 0 && !atomic_load(&watched->end)) {
            look_at_memory(process);
            nanosleep(&(struct timespec){0, 5000000}, NULL);
        }
        _exit(0);
    }
    return child;
}

static long end_watching(pid_t child)
{
    atomic_store(&watched->end, true);
    if (child > 0) {
        waitpid(child, NULL, 0);
    }
    return atomic_load(&watched->peak);
}

/* Nanoseconds of all children that ended: proc(5), cutime and cstime. */
static double ended_children(void)
{
    char path[64];
    long user = 0, system_time = 0;

    nanosleep(&(struct timespec){0, 200000000}, NULL); /* the last one is still ending */
    snprintf(path, sizeof(path), "/proc/%ld/stat", postmaster());
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        if (fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %ld %ld",
                   &user, &system_time) != 2) {
            user = system_time = 0;
        }
        fclose(file);
    }
    return (double)(user + system_time) * 1e9 / (double)sysconf(_SC_CLK_TCK);
}

/* ---- the table ------------------------------------------------------------------------------- */

enum { STORES = 3 };
static const char *const store_names[STORES] = {"postgresql", "duckdb", "files"};

static const char *const questions[] = {"refused",         "new-kinds", "one-user",
                                        "policy-versions", "lost",      "first-seen"};
enum { QUESTIONS = sizeof(questions) / sizeof(questions[0]) };

struct cost {
    double time, cpu; /* nanoseconds */
    long peak;        /* KiB */
};
static struct row {
    const char *question;
    struct cost costs[STORES];
    size_t rows;
    bool same;
} rows[QUESTIONS];
static struct cost made, loaded, exported, verified;
static double size_files, size_packed, size_heap, size_beside, size_indexes, size_parquet;

/* ---- the stores ------------------------------------------------------------------------------ */

static struct cost cost_of(const struct command_outcome *outcome)
{
    return (struct cost){outcome->time, outcome->cpu, outcome->peak};
}

static double number_of(const char *line)
{
    char whole[4096];
    double number = 0;

    snprintf(whole, sizeof(whole), ". ./start; %s", line);
    FILE *pipe = popen(whole, "re");
    need(pipe != NULL && fscanf(pipe, "%lf", &number) == 1, line);
    pclose(pipe);
    return number;
}

static void make_files(time_t end)
{
    struct fleet_records *plan =
        mmap(NULL, sizeof(*plan), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const double start = nanoseconds();

    say("records are written");
    need(plan != MAP_FAILED && mkdir("store", 0700) == 0 && mkdir("keys", 0700) == 0, "store");
    *plan = (struct fleet_records){.store = "store",
                                   .keys = "keys",
                                   .hosts = hosts,
                                   .records = records,
                                   .end = end,
                                   .days = DAYS};
    need(fleet_records_write(plan), "the records cannot be written");
    made.time = nanoseconds() - start;
    munmap(plan, sizeof(*plan));
}

static void measure_files(void)
{
    records = (unsigned long)number_of("cat store/*/audit.log | wc -l");
    size_files = number_of("cat store/*/audit.log | wc -c");
    size_packed = number_of("command -v zstd >/dev/null || { echo 0; exit; }; a=$(wc -c "
                            "<store/web1.example/audit.log); b=$(zstd -qc "
                            "store/web1.example/audit.log | wc -c); echo $((b * 1000 / a))") /
                  1000 * size_files;
}

static void make_parquet(void)
{
    char *words[] = {
        command,           (char *)"audit",    (char *)"export",         (char *)"--format",
        (char *)"parquet", (char *)"--output", (char *)"records.parquet"};
    glob_t found;

    say("files are exported to Parquet");
    need(glob("store/*/audit.log", 0, NULL, &found) == 0, "schema");
    char **all = calloc(found.gl_pathc + 8, sizeof(char *));
    need(all != NULL, "no memory");
    memcpy(all, words, 7 * sizeof(char *));
    memcpy(all + 7, found.gl_pathv, found.gl_pathc * sizeof(char *));
    const struct command_outcome outcome = command_run(all, NULL);
    free(all);
    globfree(&found);
    need(outcome.status == 0, "audit export failed");
    exported = cost_of(&outcome);
}

/* By a loader for each processor. */
static void make_tables(void)
{
    static char script[] =
        "ls store/*/audit.log | xargs -P $(nproc) -n 1 \"$M\" audit load --to \"$U\"";
    char *words[] = {(char *)"sh", (char *)"-c", script, NULL};

    say("files are loaded into PostgreSQL");
    need(shell("make_database && \"$M\" fleet schema --for postgresql >tables && ask -f tables"),
         "PostgreSQL cannot be started");
    const double before = ended_children();
    const pid_t watcher = begin_watching();
    struct command_outcome outcome = command_run(words, NULL);
    loaded = cost_of(&outcome);
    loaded.peak = end_watching(watcher);
    loaded.cpu += ended_children() - before;
    need(outcome.status == 0, "audit load failed");
    say("tables are vacuumed and analyzed, as autovacuum does later");
    need(shell("ask -c 'VACUUM (ANALYZE, PROCESS_TOAST false) miguard.records'"), "VACUUM");
}

static void measure_tables(void)
{
    need(number_of("count") == (double)records, "not each record is in PostgreSQL once");
    size_heap = number_of("ask -c \"SELECT sum(pg_relation_size(relid)) FROM "
                          "pg_partition_tree('miguard.records')\"");
    size_beside =
        number_of("ask -c \"SELECT sum(pg_table_size(relid) - pg_relation_size(relid)) FROM "
                  "pg_partition_tree('miguard.records')\"");
    size_indexes = number_of(
        "ask -c \"SELECT sum(pg_indexes_size(relid)) FROM pg_partition_tree('miguard.records')\"");
}

/* ---- one question ---------------------------------------------------------------------------- */

static struct command_outcome ask_report(const char *from, const char *question, const char *out)
{
    char *words[WORDS] = {command,
                          (char *)"fleet",
                          (char *)"report",
                          (char *)"--from",
                          (char *)(uintptr_t)from,
                          (char *)"--at",
                          at,
                          (char *)"--json",
                          (char *)"--ask",
                          (char *)(uintptr_t)question};

    if (strcmp(question, "one-user") == 0) {
        words[10] = (char *)"--user";
        words[11] = (char *)(uintptr_t)fleet_records_user();
    }
    return command_run(words, out);
}

static struct command_outcome ask_once(size_t store, const char *question, const char *out)
{
    char *words[] = {self, (char *)"duckdb", (char *)(uintptr_t)question, at, NULL};

    if (store == 1) {
        return command_run(words, out);
    }
    if (store == 2) {
        return ask_report("store", question, out);
    }
    const double before = ended_children();
    const pid_t watcher = begin_watching();
    struct command_outcome outcome = ask_report(url, question, out);
    outcome.peak = end_watching(watcher);
    outcome.cpu = ended_children() - before;
    return outcome;
}

static json_t *read_rows(size_t store, const char *question, const char *name)
{
    json_t *all = json_load_file(name, 0, NULL);
    json_t *found = store == 1
                        ? json_incref(all)
                        : json_incref(json_object_get(json_object_get(all, question), "rows"));
    json_t *row, *value;
    const char *key;
    size_t i;
    void *next;

    json_decref(all);
    json_array_foreach(found, i, row)
    {
        json_object_foreach_safe(row, next, key, value)
        {
            if (json_is_null(value)) {
                json_object_del(row, key);
            }
        }
    }
    return found;
}

static struct cost ask_some_times(size_t store, const char *question, const char *out)
{
    double times[RUNS_MOST], cpu[RUNS_MOST];
    long peak = 0;

    for (unsigned i = 0; i < runs; i++) {
        const struct command_outcome outcome = ask_once(store, question, out);
        need(outcome.status == 0, question);
        times[i] = outcome.time;
        cpu[i] = outcome.cpu;
        peak = outcome.peak > peak ? outcome.peak : peak;
    }
    return (struct cost){median_of(times, runs), median_of(cpu, runs), peak};
}

static bool ask_all(struct row *row, const char *question)
{
    json_t *answers[STORES];

    say(question);
    row->question = question;
    for (size_t store = 0; store < STORES; store++) {
        char out[64];
        snprintf(out, sizeof(out), "answer-%s-%s", store_names[store], question);
        row->costs[store] = ask_some_times(store, question, out);
        answers[store] = read_rows(store, question, out);
    }
    row->rows = json_array_size(answers[2]);
    row->same = json_is_array(answers[2]) && json_equal(answers[0], answers[2]) &&
                json_equal(answers[1], answers[2]);
    for (size_t store = 0; store < STORES; store++) {
        json_decref(answers[store]);
    }
    return row->same;
}

static void verify_files(void)
{
    char *words[] = {command,
                     (char *)"fleet",
                     (char *)"verify",
                     (char *)"--keys",
                     (char *)"keys",
                     (char *)"store",
                     NULL};
    const struct command_outcome outcome = command_run(words, NULL);

    need(outcome.status == 3, "fleet verify: what was written is not intact"); /* 3: no heads */
    verified = cost_of(&outcome);
}

/* ---- what is printed ------------------------------------------------------------------------- */

static void print_cost(const char *what, const struct cost *cost)
{
    printf("%-34s %9.1f s %9.2f us %9.2f us %9.1f MiB\n", what, cost->time / 1e9,
           cost->time / 1e3 / (double)records, cost->cpu / 1e3 / (double)records,
           (double)cost->peak / 1024);
}

static void print_text(void)
{
    const struct {
        const char *what;
        double bytes;
    } sizes[] = {{"files", size_files},
                 {"files, packed by zstd", size_packed},
                 {"PostgreSQL, columns", size_heap},
                 {"PostgreSQL, line and record", size_beside},
                 {"PostgreSQL, indexes", size_indexes},
                 {"Parquet", size_parquet}};

    printf("%lu records of %u hosts over %d days\n\n%-34s %12s %16s\n", records, hosts, DAYS,
           "size", "MB", "bytes a record");
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        printf("%-34s %12.0f %16.1f\n", sizes[i].what, sizes[i].bytes / 1e6,
               sizes[i].bytes / (double)records);
    }
    printf("\n%-34s %11s %12s %12s %13s\n", "work", "time", "a record", "processor", "peak memory");
    print_cost("audit load, and PostgreSQL", &loaded);
    print_cost("audit export to Parquet", &exported);
    print_cost("fleet verify of the files", &verified);
    printf("\n%-16s %9s   %-27s %-27s %-27s\n", "question", "rows", "PostgreSQL",
           "DuckDB on Parquet", "files");
    printf("%-16s %9s", "", "");
    for (size_t store = 0; store < STORES; store++) {
        printf("   %7s %7s %8s", "time s", "cpu s", "MiB");
    }
    printf("\n");
    for (size_t i = 0; i < QUESTIONS; i++) {
        printf("%-16s %9zu", rows[i].question, rows[i].rows);
        for (size_t store = 0; store < STORES; store++) {
            const struct cost *cost = &rows[i].costs[store];
            printf("   %7.2f %7.2f %8.1f", cost->time / 1e9, cost->cpu / 1e9,
                   (double)cost->peak / 1024);
        }
        printf("%s\n", rows[i].same ? "" : "   ANSWERS DIFFER");
    }
}

static json_t *cost_object(const struct cost *cost)
{
    return json_pack("{s:f,s:f,s:I}", "seconds", cost->time / 1e9, "processor_seconds",
                     cost->cpu / 1e9, "peak_kib", (json_int_t)cost->peak);
}

static void print_json(void)
{
    json_t *list = json_array();
    json_t *all = json_pack(
        "{s:I,s:i,s:i,s:{s:f,s:f,s:f,s:f,s:f,s:f},s:{s:o,s:o,s:o}}", "records", (json_int_t)records,
        "hosts", (int)hosts, "days", DAYS, "bytes", "files", size_files, "packed", size_packed,
        "postgresql_columns", size_heap, "postgresql_line_and_record", size_beside,
        "postgresql_indexes", size_indexes, "parquet", size_parquet, "work", "load",
        cost_object(&loaded), "export", cost_object(&exported), "verify", cost_object(&verified));

    for (size_t i = 0; i < QUESTIONS; i++) {
        json_t *row = json_pack("{s:s,s:I,s:b}", "question", rows[i].question, "rows",
                                (json_int_t)rows[i].rows, "same", (int)rows[i].same);
        for (size_t store = 0; store < STORES; store++) {
            json_object_set_new(row, store_names[store], cost_object(&rows[i].costs[store]));
        }
        json_array_append_new(list, row);
    }
    json_object_set_new(all, "questions", list);
    json_dumpf(all, stdout, JSON_REAL_PRECISION(6));
    printf("\n");
    json_decref(all);
}

/* ---- all ------------------------------------------------------------------------------------- */

static unsigned long read_number(const char *name, unsigned long preset, unsigned long most)
{
    const char *text = getenv(name);
    const unsigned long number = text != NULL && text[0] != '\0' ? strtoul(text, NULL, 10) : preset;

    need(number > 0 && number <= most, name);
    return number;
}

static void find_programs(void)
{
    const bool found = realpath(duckdb_sql_library(), library) != NULL;
    if (!found || system(FLEET_DATABASE_POSSIBLE) != 0) {
        printf("skip: questions to a fleet: %s\n",
               !found ? "the library of DuckDB is not there (NEED_DUCKDB=1 make deps)"
                      : "postgresql is not installed");
        exit(0);
    }
    need(realpath(command_miguard(), command) != NULL && realpath("/proc/self/exe", self) != NULL,
         "miguard is not built");
    setenv("M", command, 1);
    setenv("D", library, 1);
    setenv("MIGUARD_DUCKDB", library, 1);
    setenv("TZ", "UTC", 1);
    setenv("SETTINGS", "-c shared_buffers=1GB -c max_wal_size=2GB -c maintenance_work_mem=256MB",
           1);
}

static void make_folder(const char *kept)
{
    const char *below = getenv("TMPDIR");
    struct statvfs space;

    if (kept != NULL) {
        setenv("KEEP", "1", 1);
        need(realpath(kept, folder) != NULL && chdir(folder) == 0, kept);
        return;
    }
    snprintf(folder, sizeof(folder), "%s/miguard-bench-fleet-XXXXXX",
             below != NULL ? below : "/tmp");
    need(mkdtemp(folder) != NULL && chdir(folder) == 0 && chmod(folder, 0711) == 0, folder);
    need(statvfs(folder, &space) == 0 &&
             (double)space.f_bavail * (double)space.f_frsize > (double)records * BYTES_OF_RECORD,
         "too little space: TMPDIR names another place");
}

static void write_start(void)
{
    snprintf(url, sizeof(url), "postgresql:///postgres?host=%s/pg/socket&user=miguard", folder);
    setenv("U", url, 1);
    FILE *file = fopen("start", "we");
    need(file != NULL && fputs(fleet_database, file) >= 0 && fclose(file) == 0, "start");
}

static bool there(const char *name)
{
    return access(name, F_OK) == 0;
}

/* The time up to which there are records is that of a file. */
static void make_stores(void)
{
    struct stat status;

    if (!there("made")) {
        make_files(time(NULL));
        need(shell(": >made"), "made");
    }
    need(stat("made", &status) == 0, "made");
    strftime(at, sizeof(at), "%Y-%m-%dT%H:%M:%SZ", gmtime(&status.st_mtime));
    measure_files();
    if (getenv("FROM") == NULL) {
        verify_files();
    }
    if (!there("records.parquet")) {
        make_parquet();
    }
    need(shell("\"$M\" fleet schema --for duckdb >schema"), "schema");
    size_parquet = number_of("stat -c %s records.parquet");
    if (!there("pg")) {
        make_tables();
    }
    need(shell("as pg_ctl -D pg/data status >/dev/null || up"), "PostgreSQL cannot be started");
    measure_tables();
}

static void interrupt(int signal)
{
    (void)signal;
    finish();
    _exit(3);
}

static void print_machine(void)
{
    struct machine machine;
    struct machine_load load;

    machine_read(&machine);
    machine_load_read(&load);
    fprintf(as_json ? stderr : stdout, "%s, %d processors, %s, %s; load average %.2f\n",
            machine.cpu, machine.processors, machine.kernel, machine.libc, load.load);
}

int main(int count, char **words)
{
    bool same = true;

    if (count == 4 && strcmp(words[1], "duckdb") == 0) {
        snprintf(library, sizeof(library), "%s", getenv("MIGUARD_DUCKDB"));
        snprintf(at, sizeof(at), "%s", words[3]);
        return ask_duckdb(words[2]);
    }
    as_json = count == 2 && strcmp(words[1], "--json") == 0;
    records = read_number("RECORDS", records, 1000000000);
    hosts = (unsigned)read_number("HOSTS", hosts, 1000);
    runs = (unsigned)read_number("RUNS", runs, RUNS_MOST);
    find_programs();
    watched =
        mmap(NULL, sizeof(*watched), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    need(watched != MAP_FAILED, "no memory");
    make_folder(getenv("FROM"));
    write_start();
    signal(SIGINT, interrupt);
    signal(SIGTERM, interrupt);
    print_machine();
    make_stores();
    for (size_t i = 0; i < QUESTIONS; i++) {
        same = ask_all(&rows[i], questions[i]) && same;
    }
    (as_json ? print_json : print_text)();
    print_machine();
    finish();
    return same ? 0 : 1;
}
