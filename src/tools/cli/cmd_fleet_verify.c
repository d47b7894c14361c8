/* SPDX-License-Identifier: MIT */
/*
 * miguard fleet verify: whether what was collected from many hosts is intact. Reads the keys, has
 * the store verified (review/fleet.h), and prints a line for each host and chain.
 *
 * As with `audit verify`, exit status 0 needs proof: a key for each chain, and a head that came
 * another way. What is neither wrong nor proved is CLI_UNABLE.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "tools/cli/commands.h"
#include "tools/cli/findings.h"
#include "tools/cli/fleet_inputs.h"
#include "tools/review/export_text.h"
#include "tools/review/fleet.h"
#include "tools/review/query_time.h"

struct request {
    struct fleet_inputs inputs;
    const char *silent, *clock, *at;
    bool folders, partial, findings, strict, json;
};

static const struct option_row options[] = {
    FLEET_KEYS(struct request, inputs),
    FLEET_HEADS(struct request, inputs),
    FLEET_SIGNED_BY(struct request, inputs),
    FLAG("--folders", struct request, folders,
         "the folder right below FOLDER is the host that sent what lies in it: records of others "
         "there are an alarm"),
    FLAG("--partial", struct request, partial,
         "the store begins later than the logs: what was before the first record of a chain is not "
         "missing"),
    TEXT("--silent", "DURATION", struct request, silent,
         "name hosts whose newest record is older than that, such as 2h"),
    TEXT("--clock", "DURATION", struct request, clock,
         "name hosts whose clock differs by more; default 5m"),
    TEXT("--at", "TIME", struct request, at, "the time that counts as now; default the present"),
    FLAG("--findings", struct request, findings, "print each finding with its place, too"),
    FLAG("--strict", struct request, strict,
         "losses that a log itself declares, and lines that are no records, are a failure, too"),
    FLAG("--json", struct request, json, "print the result as one JSON object"),
};

/* ---- arguments ------------------------------------------------------------------------------ */

/* 90s, 5m, 2h, 1d, as a query has times before now. Nanoseconds. */
static bool read_duration(const char *text, int64_t *ret_duration)
{
    const int64_t now = INT64_C(4000000000000000000);
    int64_t first, last;
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || strlen(text) != digits + 1 || !query_time(text, now, &first, &last)) {
        return false;
    }
    *ret_duration = now - first;
    return true;
}

static int read_times(const struct command_line *line, struct request *request)
{
    struct fleet_request *fleet = &request->inputs.fleet;
    int64_t last;

    fleet->now = clock_wall() * INT64_C(1000000000);
    fleet->slack = INT64_C(300000000000);
    if (request->silent != NULL && !read_duration(request->silent, &fleet->silent)) {
        return wrong_usage(line, "--silent '%s' is not a duration such as 90s, 5m, 2h or 1d",
                           request->silent);
    }
    if (request->clock != NULL && !read_duration(request->clock, &fleet->slack)) {
        return wrong_usage(line, "--clock '%s' is not a duration such as 90s, 5m, 2h or 1d",
                           request->clock);
    }
    if (request->at != NULL && !query_time(request->at, fleet->now, &fleet->now, &last)) {
        return wrong_usage(line, "--at '%s' is not a time such as 2026-03-01T12:00:00Z",
                           request->at);
    }
    return CLI_YES;
}

/* ---- as text -------------------------------------------------------------------------------- */

static const char *verdict_of(const struct fleet_row *row)
{
    if (row->report.verdict == VERIFY_TAMPERED) {
        return "tampered";
    }
    if (row->report.verdict == VERIFY_UNPROVEN || row->report.records == 0) {
        return "unproven";
    }
    return (row->facts & FLEET_NO_HEAD) != 0 ? "intact-so-far" : "intact";
}

/* ", 12 duplicates"; nothing for none. */
static void print_count(uint64_t count, const char *one, const char *many)
{
    char number[EXPORT_NUMBER];

    if (count > 0) {
        printf(", %s %s", export_number(count, number), count == 1 ? one : many);
    }
}

/* "deleted 17, 30 to 35": the numbers of the findings of one kind, as far as they are kept. */
static void print_kind(const struct verify_report *report, enum verify_kind kind)
{
    const char *before = " ";
    uint64_t shown = 0;

    printf("; %s", verify_kind_name(kind));
    for (size_t i = 0; i < report->finding_count; i++) {
        const struct verify_finding *finding = &report->findings[i];
        if (finding->kind != kind) {
            continue;
        }
        shown++;
        if (finding->first == 0) {
            continue;
        }
        printf("%s%" PRIu64, before, finding->first);
        if (finding->last > finding->first) {
            printf(" to %" PRIu64, finding->last);
        }
        before = ", ";
    }
    if (shown < report->count[kind]) {
        printf(" and %" PRIu64 " more", report->count[kind] - shown);
    }
}

/* What a reader must know: alarms and losses with their numbers, then what only the fleet shows. */
static void print_troubles(const struct fleet_row *row, int64_t now)
{
    for (enum verify_kind i = 0; i < VERIFY_KIND_COUNT; i++) {
        if (row->report.count[i] > 0 && verify_kind_severity(i) != VERIFY_NOTICE) {
            print_kind(&row->report, i);
        }
    }
    for (unsigned i = 0; i < FLEET_FACT_COUNT; i++) {
        if ((row->facts & 1u << i) == 0) {
            continue;
        }
        printf("; %s", fleet_facts[i].name);
        if (i == FLEET_INDEX_SILENT) {
            printf(" %" PRId64 " s", (now - row->last_time) / INT64_C(1000000000));
        } else if (i == FLEET_INDEX_CLOCK_AHEAD || i == FLEET_INDEX_CLOCK_BEHIND) {
            printf(" %+" PRId64 " s", row->offset / INT64_C(1000000000));
        } else if (i == FLEET_INDEX_FOREIGN_HOST) {
            printf(" (%" PRIu64 ", first in ", row->foreign);
            print_safe(stdout, row->foreign_file, false);
            putchar(')');
        } else if (i == FLEET_INDEX_SHARED_FOLDER) {
            fputs(" (", stdout);
            print_safe(stdout, row->short_file, false);
            putchar(')');
        }
    }
}

static void print_row(const struct fleet_row *row, int64_t now)
{
    const struct verify_report *report = &row->report;
    char number[EXPORT_NUMBER], hash[CHAIN_HEX_SIZE], stamp[FINDINGS_TIME_SIZE];

    print_safe(stdout, row->host[0] != '\0' ? row->host : "(unknown host)", false);
    printf(": %s: chain %016" PRIx64 ", ", verdict_of(row), row->chain);
    if (report->records == 0) {
        fputs("no records", stdout);
    } else {
        chain_hex(report->head, hash);
        findings_time(row->last_time, stamp);
        printf("%" PRIu64 " to %" PRIu64 ", %s record%s, last %s, head %" PRIu64 ":%s",
               report->first, report->last, export_number(report->records, number),
               report->records == 1 ? "" : "s", stamp, report->last, hash);
    }
    if (report->anchored > 0) {
        printf(", proved up to %" PRIu64, report->anchored);
    }
    print_count(row->missing, "missing", "missing");
    print_count(row->duplicates, "duplicate", "duplicates");
    print_count(row->reordered, "out of order", "out of order");
    if (row->reordered > 0) {
        printf(" (first %" PRIu64 ")", row->first_reordered);
    }
    print_troubles(row, now);
    putchar('\n');
}

/* How many hosts and chains there are, and of what kind. */
struct sums {
    uint64_t hosts, records, missing, duplicates, reordered, losses;
    uint64_t alarms, unproven, proven; /* rows */
};

static struct sums sum_up(const struct fleet_report *report)
{
    struct sums sums = {0};

    for (size_t i = 0; i < report->row_count; i++) {
        const struct fleet_row *row = &report->rows[i];
        sums.hosts += i == 0 || strcmp(row->host, report->rows[i - 1].host) != 0;
        sums.records += row->report.records;
        sums.missing += row->missing;
        sums.duplicates += row->duplicates;
        sums.reordered += row->reordered;
        sums.losses += row->report.by_severity[VERIFY_LOSS];
        sums.alarms += fleet_row_alarms(row);
        sums.proven += !fleet_row_alarms(row) && fleet_row_proven(row);
    }
    sums.unproven = report->row_count - sums.alarms - sums.proven;
    return sums;
}

static void print_sums(const struct fleet_report *report, const struct sums *sums)
{
    char number[EXPORT_NUMBER];

    printf("%" PRIu64 " host%s, %zu chain%s: ", sums->hosts, sums->hosts == 1 ? "" : "s",
           report->row_count, report->row_count == 1 ? "" : "s");
    printf("%" PRIu64 " intact, %" PRIu64 " with alarms, %" PRIu64 " unproven; %s record%s in ",
           sums->proven, sums->alarms, sums->unproven, export_number(sums->records, number),
           sums->records == 1 ? "" : "s");
    printf("%s file%s", export_number(report->files, number), report->files == 1 ? "" : "s");
    print_count(sums->missing, "missing", "missing");
    print_count(sums->duplicates, "duplicate", "duplicates");
    print_count(sums->reordered, "out of order", "out of order");
    print_count(report->broken, "line that is no record", "lines that are no records");
    print_count(report->unchained, "record without a chain", "records without a chain");
    print_count(report->unfinished, "unfinished line", "unfinished lines");
    putchar('\n');
}

static bool print_text(const struct request *request, const struct fleet_report *report,
                       const struct sums *sums)
{
    bool good = true;

    for (size_t i = 0; i < report->row_count && good; i++) {
        const struct verify_report *row = &report->rows[i].report;
        print_row(&report->rows[i], request->inputs.fleet.now);
        for (size_t j = 0; j < row->finding_count && request->findings && good; j++) {
            fputs("  ", stdout);
            good = print_finding(stdout, &row->findings[j]);
        }
    }
    for (size_t i = 0; i < report->kept_count; i++) {
        print_safe(stdout, report->kept[i].file, false);
        printf(":%" PRIu64 ": no record: %s\n", report->kept[i].line, report->kept[i].fault);
    }
    print_sums(report, sums);
    return good;
}

/* ---- as JSON -------------------------------------------------------------------------------- */

static json_t *facts_json(const struct fleet_row *row)
{
    json_t *facts = json_array();

    for (unsigned i = 0; i < FLEET_FACT_COUNT; i++) {
        if ((row->facts & 1u << i) != 0) {
            json_array_append_new(facts, json_string(fleet_facts[i].name));
        }
    }
    return facts;
}

static json_t *all_findings_json(const struct verify_report *report)
{
    json_t *list = json_array();

    for (size_t i = 0; i < report->finding_count; i++) {
        if (json_array_append_new(list, make_finding_json(&report->findings[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

/* How many findings of each kind, also of those that were not kept. */
static json_t *kinds_json(const struct verify_report *report)
{
    json_t *kinds = json_object();

    for (enum verify_kind i = 0; i < VERIFY_KIND_COUNT; i++) {
        if (report->count[i] > 0) {
            json_object_set_new(kinds, verify_kind_name(i),
                                json_integer((json_int_t)report->count[i]));
        }
    }
    return kinds;
}

/* NULL out of memory. An absent head or time is null. */
static json_t *row_json(const struct fleet_row *row)
{
    const struct verify_report *report = &row->report;
    char head[128], hash[CHAIN_HEX_SIZE], chain[24];
    char first[FINDINGS_TIME_SIZE], last[FINDINGS_TIME_SIZE];
    char *host = valid_utf8(row->host);

    chain_hex(report->head, hash);
    snprintf(head, sizeof(head), "%" PRIu64 ":%s", report->last, hash);
    snprintf(chain, sizeof(chain), "%016" PRIx64, row->chain);
    findings_time(row->first_time, first);
    findings_time(row->last_time, last);
    json_t *json = json_pack(
        "{s:s?, s:s, s:s, s:b, s:b, s:I, s:I, s:I, s:s?, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, "
        "s:s?, "
        "s:s?, s:o, s:o, s:o}",
        "host", host, "chain", chain, "verdict", verdict_of(row), "keyed", report->keyed, "alarm",
        fleet_row_alarms(row), "records", (json_int_t)report->records, "first",
        (json_int_t)report->first, "last", (json_int_t)report->last, "head",
        report->records > 0 ? head : NULL, "missing", (json_int_t)row->missing, "duplicates",
        (json_int_t)row->duplicates, "reordered", (json_int_t)row->reordered, "first_reordered",
        (json_int_t)row->first_reordered, "lost", (json_int_t)report->lost, "heads",
        (json_int_t)row->heads, "anchored", (json_int_t)report->anchored, "clock_offset_seconds",
        (json_int_t)(row->offset / INT64_C(1000000000)), "first_time",
        row->first_time != 0 ? first : NULL, "last_time", row->last_time != 0 ? last : NULL,
        "facts", facts_json(row), "kinds", kinds_json(report), "findings",
        all_findings_json(report));
    free(host);
    return json;
}

static json_t *broken_json(const struct fleet_report *report)
{
    json_t *list = json_array();

    for (size_t i = 0; i < report->kept_count; i++) {
        char *file = valid_utf8(report->kept[i].file);
        json_t *item = json_pack("{s:s?, s:I, s:s}", "file", file, "line",
                                 (json_int_t)report->kept[i].line, "fault", report->kept[i].fault);
        free(file);
        json_array_append_new(list, item);
    }
    return list;
}

static bool print_fleet_json(const struct fleet_report *report, const struct sums *sums, int status)
{
    static const char *const verdicts[] = {"intact", "alarm", "", "unproven"};
    json_t *rows = json_array();

    for (size_t i = 0; i < report->row_count; i++) {
        if (json_array_append_new(rows, row_json(&report->rows[i])) != 0) {
            json_decref(rows);
            return false;
        }
    }
    json_t *json = json_pack(
        "{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "verdict",
        verdicts[status], "hosts", (json_int_t)sums->hosts, "records", (json_int_t)sums->records,
        "missing", (json_int_t)sums->missing, "duplicates", (json_int_t)sums->duplicates,
        "reordered", (json_int_t)sums->reordered, "files", (json_int_t)report->files, "bytes",
        (json_int_t)report->bytes, "lines", (json_int_t)report->lines, "broken",
        (json_int_t)report->broken, "unchained", (json_int_t)report->unchained, "unfinished",
        (json_int_t)report->unfinished, "heads", (json_int_t)report->heads, "chains", rows,
        "lines_without_record", broken_json(report));
    bool printed = json != NULL && print_json(stdout, json);

    json_decref(json);
    return printed;
}

/* ---- all ------------------------------------------------------------------------------------ */

/* A store without any record proves nothing. Records that lost their place in a chain were edited,
 * or come from a log that cannot be verified at all. */
static int status_of(const struct request *request, const struct fleet_report *report,
                     const struct sums *sums)
{
    if (sums->alarms > 0 || report->unchained > 0 ||
        (request->strict && (sums->losses > 0 || report->broken > 0))) {
        return CLI_NO;
    }
    return sums->unproven > 0 || report->row_count == 0 ? CLI_UNABLE : CLI_YES;
}

static int answer(const struct request *request, const struct fleet_report *report)
{
    const struct sums sums = sum_up(report);
    int status = status_of(request, report, &sums);
    bool printed = request->json ? print_fleet_json(report, &sums, status)
                                 : print_text(request, report, &sums);

    return printed ? status : complain(CLI_UNABLE, "out of memory");
}

static int verify_given(const struct command_line *line, struct request *request)
{
    struct fleet_report report;
    int status = read_times(line, request);

    request->inputs.fleet.by_folder = request->folders;
    request->inputs.fleet.partial = request->partial;
    status = status == CLI_YES ? fleet_inputs_verify(line, &request->inputs, &report) : status;
    if (status == CLI_YES) {
        status = answer(request, &report);
        fleet_release(&report);
    }
    return status;
}

static int run_verify(const struct command_line *line)
{
    struct request request = {0};
    int status = CLI_YES;

    if (command_parse(line, &request, &status)) {
        status = verify_given(line, &request);
    }
    fleet_inputs_release(&request.inputs);
    return status;
}

COMMAND(fleet, verify) = {
    .about = "Reads every file below each FOLDER, whatever its name: logs of one host, or of "
             "several in one file, as collectors write them, plain or packed with gzip or zstd. A "
             "head that a collector put before a record is passed over. A FOLDER may be a file.",
    .notes =
        "Prints a line for each host and chain: the range of numbers that came, the newest "
        "record, what is missing, edited or inserted by number, and how many lines came twice "
        "or out of order, which is usual in delivery and no alarm. Without a key or a head the "
        "answer is not \"intact\": see miguard-fleet(7).",
    .exits = "Exit status: 0 every chain is intact and proved up to a head; 1 something is missing "
             "or wrong, or a host is silent, set back or has a wrong clock; 2 wrong usage; 3 not "
             "proved, or it could not be done.",
    .operand = OPERANDS("FOLDER...", struct request, inputs.places),
    OPTIONS(options),
    .run = run_verify,
};
