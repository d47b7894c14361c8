/* SPDX-License-Identifier: MIT */
/* Prints findings, for `miguard audit verify` and `miguard fleet verify`. */
#include "tools/cli/findings.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

void findings_time(int64_t time, char text[FINDINGS_TIME_SIZE])
{
    struct tm utc = {0};
    time_t seconds = (time_t)(time / INT64_C(1000000000));

    gmtime_r(&seconds, &utc);
    strftime(text, FINDINGS_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

static const char *const severities[] = {"notice", "loss", "alarm"};

bool print_finding(FILE *stream, const struct verify_finding *finding)
{
    struct text text = TEXT_EMPTY;
    char stamp[FINDINGS_TIME_SIZE];

    verify_describe(finding, &text);
    if (text.failed) {
        text_release(&text);
        return false;
    }
    if (finding->file != NULL) {
        print_safe(stream, finding->file, false);
        fprintf(stream, ":%" PRIu64 ": ", finding->line);
    }
    fprintf(stream, "%s: %s: ", severities[verify_kind_severity(finding->kind)],
            verify_kind_name(finding->kind));
    print_safe(stream, text.data, false);
    if (finding->time != 0) {
        findings_time(finding->time, stamp);
        fprintf(stream, " [%s]", stamp);
    }
    fputc('\n', stream);
    text_release(&text);
    return true;
}

json_t *make_finding_json(const struct verify_finding *finding)
{
    struct text text = TEXT_EMPTY;
    char stamp[FINDINGS_TIME_SIZE] = "";
    char *file = finding->file == NULL ? NULL : valid_utf8(finding->file);

    verify_describe(finding, &text);
    if (finding->time != 0) {
        findings_time(finding->time, stamp);
    }
    char *message = text.failed ? NULL : valid_utf8(text.data);
    json_t *json = json_pack(
        "{s:s, s:s, s:s?, s:I, s:I, s:I, s:I, s:s?, s:s}", "kind", verify_kind_name(finding->kind),
        "severity", severities[verify_kind_severity(finding->kind)], "file", file, "line",
        (json_int_t)finding->line, "first", (json_int_t)finding->first, "last",
        (json_int_t)finding->last, "count", (json_int_t)finding->count, "time",
        stamp[0] != '\0' ? stamp : NULL, "message", message != NULL ? message : "");
    free(message);
    free(file);
    text_release(&text);
    return json;
}
