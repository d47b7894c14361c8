/* SPDX-License-Identifier: MIT */
#include "support/audit_generate.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "audit/encode.h"
#include "model/event.h"

enum { BODIES = 64, NEEDLE = BODIES, GROUPS = 12, EVERY = 1000 };

struct body {
    struct text text;
    struct audit_event event;
};

static uint64_t next_random(uint64_t *state)
{
    *state += UINT64_C(0x9E3779B97F4A7C15); /* splitmix64 */
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static struct miguard_identity make_identity(uint32_t id, gid_t groups[GROUPS])
{
    struct miguard_identity identity = {.tag = IDENTITY_TAG,
                                        .known = MIGUARD_COMPONENTS_ALL,
                                        .group_count = id % 4,
                                        .groups = groups,
                                        .cap_count = 41,
                                        .user_namespace = 4026531837};

    for (int i = 0; i < IDENTITY_IDS; i++) {
        identity.uid[i] = identity.gid[i] = id;
    }
    for (uint32_t i = 0; i < identity.group_count; i++) {
        groups[i] = 100 + i;
    }
    identity.cap[IDENTITY_CAP_EFFECTIVE] = identity.cap[IDENTITY_CAP_PERMITTED] = id == 0 ? 0xF : 0;
    identity.cap[IDENTITY_CAP_BOUNDING] = 0xF;
    return identity;
}

static void set_event(struct audit_event *event, uint64_t *state)
{
    static const char *const classes[] = {"CIM_Process", "MG_File", "MG_Account", "CIM_LogFile",
                                          "Web_Site"};
    static const char *const providers[] = {"file.so", "account.so", "libweb.so", "libprocess.so"};
    static const char *const namespaces[] = {"root/cimv2", "root/test", "interop"};

    event->action =
        next_random(state) % 8 == 0 ? AUDIT_ACTION_SESSION_OPEN : AUDIT_ACTION_SESSION_USE;
    event->operation = OPERATION_GET_INSTANCE + next_random(state) % 6;
    event->denied = next_random(state) % 4 == 0;
    event->reason = event->denied ? AUDIT_REASON_IDENTITY_MISMATCH : AUDIT_REASON_IDENTITY_MATCH;
    event->mismatch = event->denied
                          ? MIGUARD_COMPONENT_EUID | MIGUARD_COMPONENT_FSUID |
                                (next_random(state) % 2 == 0 ? MIGUARD_COMPONENT_GROUPS : 0U)
                          : 0;
    event->class_name = classes[next_random(state) % 5];
    event->provider = providers[next_random(state) % 4];
    event->name_space = namespaces[next_random(state) % 3];
    event->context_id = next_random(state);
    event->session_id = next_random(state);
    event->operation_id = next_random(state);
    if (event->denied && next_random(state) % 3 == 0) {
        event->reason = AUDIT_REASON_POLICY;
        event->rule = "web-providers-read-only";
        event->rule_source = "/etc/miguard/policy.d/web.yaml:12:5";
        event->rule_reason = "web providers may only \"read\"";
    }
}

static void make_body(struct body *body, int number, uint64_t *state)
{
    static const uint32_t users[] = {0, 1, 33, 1000, 1001, 65534};
    const struct identity_process process = {
        .pid = 1000 + number, .loginuid = 1000, .executable = "/usr/sbin/omiengine"};
    const struct audit_stamp stamp = {.entity = 0x1234,
                                      .process = &process,
                                      .host_name = "host.example",
                                      .boot_id = "5e2c8a3f-0d57-4c0e-9a55-6f0f6a1c2b3d"};
    gid_t groups[2][GROUPS];

    struct miguard_identity bound = make_identity(users[next_random(state) % 6], groups[0]);
    struct miguard_identity current = make_identity(users[next_random(state) % 6], groups[1]);
    set_event(&body->event, state);
    if (number == NEEDLE) {
        current = make_identity(54321, groups[1]);
        body->event.denied = true;
        body->event.class_name = "MG_Needle";
        body->event.reason = AUDIT_REASON_IDENTITY_MISMATCH;
        body->event.mismatch = MIGUARD_COMPONENT_EUID | MIGUARD_COMPONENT_FSUID;
        body->event.rule = NULL;
    }
    body->event.bound = &bound;
    body->event.current = body->event.denied ? &current : &bound;
    audit_encode_body(&body->text, &body->event, &stamp);
    body->event.bound = body->event.current = NULL; /* the tail does not ask for them */
}

/* {"@timestamp":"2026-03-01T00:00:00.000000Z", of which the time is written over. */
static void put_time(char *line, int64_t time)
{
    enum { AT = sizeof("{\"@timestamp\":\"") - 1 };
    time_t seconds = (time_t)(time / 1000000000);
    struct tm utc;
    char stamp[48];

    gmtime_r(&seconds, &utc);
    size_t length = strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(stamp + length, sizeof(stamp) - length, ".%06d", (int)(time % 1000000000 / 1000));
    memcpy(line + AT, stamp, strlen(stamp));
}

static bool write_record(FILE *file, struct body *body, struct text *line, uint64_t sequence,
                         int64_t time)
{
    char id[AUDIT_ID_SIZE], hash[65];
    uint64_t state = sequence;

    for (int i = 0; i < 4; i++) {
        snprintf(hash + i * 16, 17, "%016llx", (unsigned long long)next_random(&state));
    }
    snprintf(id, sizeof(id), "%016x-%llu", 0x1234, (unsigned long long)sequence);
    const struct audit_place place = {.sequence = sequence,
                                      .chain_id = 0xABCDEF,
                                      .epoch = sequence / 100000,
                                      .previous = hash,
                                      .repeats = 1};
    line->length = 0;
    text_append_bytes(line, body->text.data, body->text.length);
    audit_encode_tail(line, &body->event, id, &place);
    text_append(line, hash);
    text_append(line, AUDIT_LINE_END "\n");
    if (line->failed) {
        return false;
    }
    put_time(line->data, time);
    return fwrite(line->data, 1, line->length, file) == line->length;
}

bool audit_generate(const char *path, const struct generate *generate)
{
    static struct body bodies[BODIES + 1];
    struct text line = TEXT_EMPTY;
    uint64_t state = generate->seed;
    uint64_t first = generate->sequence == 0 ? 1 : generate->sequence;
    int64_t start = generate->start == 0 ? GENERATE_START : generate->start;
    int64_t step = generate->step == 0 ? 1000000000 : generate->step;
    FILE *file = fopen(path, "we");
    bool good = file != NULL;

    memset(bodies, 0, sizeof(bodies));
    for (int i = 0; i <= NEEDLE; i++) {
        make_body(&bodies[i], i, &state);
        good = good && !bodies[i].text.failed;
    }
    for (uint64_t i = 0; good && i < generate->count; i++) {
        uint64_t choice = i % EVERY == EVERY - 1 ? NEEDLE : next_random(&state) % BODIES;
        good = write_record(file, &bodies[choice], &line, first + i, start + (int64_t)i * step);
    }
    for (int i = 0; i <= NEEDLE; i++) {
        text_release(&bodies[i].text);
    }
    text_release(&line);
    good = (file == NULL || fclose(file) == 0) && good;
    if (!good) {
        fprintf(stderr, "audit_generate: %s cannot be written\n", path);
    }
    return good;
}
