/* SPDX-License-Identifier: MIT */
#include "support/review_line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 1 << 17, LINES = 4 };

static const char *or_else(const char *given, const char *usual)
{
    return given != NULL ? given : usual;
}

static void member(char *to, size_t size, const char *name, const char *value)
{
    to[0] = '\0';
    if (value[0] != '\0') {
        snprintf(to, size, "\"%s\":\"%s\",", name, value);
    }
}

const char *review_line(const struct review_line *facts)
{
    static char lines[LINES][SIZE], parts[5][8192];
    static unsigned next;
    char *line = lines[next++ % LINES];
    const char *mismatch = or_else(facts->mismatch, "[\"euid\"]");
    unsigned long long sequence = facts->sequence == 0 ? 1 : facts->sequence;

    member(parts[0], sizeof(parts[0]), "operation", or_else(facts->operation, "GetInstance"));
    member(parts[1], sizeof(parts[1]), "provider", or_else(facts->provider, "libweb.so"));
    member(parts[2], sizeof(parts[2]), "namespace", or_else(facts->name_space, "root/cimv2"));
    member(parts[3], sizeof(parts[3]), "class", or_else(facts->class_name, "MG_File"));
    member(parts[4], sizeof(parts[4]), "method", or_else(facts->method, ""));
    int length = snprintf(
        line, SIZE,
        "{\"@timestamp\":\"%s\",\"message\":\"m\",\"ecs\":{\"version\":\"9.0.0\"},"
        "\"host\":{\"name\":\"%s\",\"boot\":{\"id\":\"b\"}},\"observer\":{\"product\":\"miguard\"},"
        "\"process\":{\"pid\":77,\"entity_id\":\"00000000000000aa\",\"executable\":\"/usr/bin/x\","
        "\"name\":\"x\",\"thread\":{\"id\":78,\"name\":\"t\"},\"user\":{\"id\":\"%u\"},"
        "\"group\":{\"id\":\"100\"}},\"user\":{\"id\":\"%u\",\"group\":{\"id\":\"0\"}},"
        "\"miguard\":{%s%s%s%s%s\"decision\":\"%s\",%s\"session_id\":\"00000000000000bb\","
        "%s%s%s\"cred\":{\"bound\":{%s},\"current\":{%s}},\"repeat\":{\"count\":%llu}%s},"
        "\"event\":{\"kind\":\"event\",\"category\":[\"api\"],\"type\":[\"access\",\"%s\"],"
        "\"id\":\"00000000000000aa-%llu\",\"sequence\":%llu,\"code\":\"MG101E\",\"action\":\"%s\","
        "\"outcome\":\"%s\",\"reason\":\"%s\"}%s}",
        or_else(facts->time, "2026-03-01T12:00:00.000000Z"), or_else(facts->host, "h"),
        facts->as_user, facts->user, parts[0], parts[1], parts[2], parts[3], parts[4],
        facts->allowed || facts->would_deny ? "allow" : "deny",
        facts->would_deny ? "\"would_deny\":true," : "", mismatch[0] != '\0' ? "\"mismatch\":" : "",
        mismatch, mismatch[0] != '\0' ? "," : "", or_else(facts->bound, ""),
        or_else(facts->current, ""), (unsigned long long)(facts->repeats == 0 ? 1 : facts->repeats),
        or_else(facts->in_miguard, ""), facts->allowed ? "allowed" : "denied", sequence, sequence,
        or_else(facts->action, "session-use"), facts->allowed ? "success" : "failure",
        or_else(facts->reason, "identity-mismatch"), or_else(facts->on_top, ""));
    if (length < 0 || length >= SIZE) {
        fprintf(stderr, "a line of the test does not fit\n");
        abort();
    }
    return line;
}

struct record review_record(const struct review_line *facts)
{
    struct record record;
    size_t offset = 0;
    const char *line = review_line(facts);
    const char *fault = record_parse(line, strlen(line), &record, &offset);

    if (fault != NULL) {
        fprintf(stderr, "%s at %zu: %.40s\n", fault, offset, line + offset);
        abort();
    }
    return record;
}
