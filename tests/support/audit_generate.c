/* SPDX-License-Identifier: MIT */
#include "support/audit_generate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "audit/encode.h"
#include "model/event.h"

enum { FEW_BODIES = 64, MANY_BODIES = 16384, GROUPS = 12, EVERY = 1000 };

struct body {
    struct text text;
    struct audit_event event;
    char class_name[16]; /* of varied ones */
};

/* All that a log is made of; the last is the needle. */
struct bodies {
    struct body *list;
    uint32_t count;
    bool varied;
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
        groups[i] = (id < 10000 || id > 60000 ? 100 : id) + i;
    }
    identity.cap[IDENTITY_CAP_EFFECTIVE] = identity.cap[IDENTITY_CAP_PERMITTED] = id == 0 ? 0xF : 0;
    identity.cap[IDENTITY_CAP_BOUNDING] = 0xF;
    return identity;
}

static const char *const providers[] = {"file.so", "account.so", "libweb.so", "libprocess.so"};
static const char *const namespaces[] = {"root/cimv2", "root/test", "interop"};

static void set_event(struct audit_event *event, uint64_t *state)
{
    static const char *const classes[] = {"CIM_Process", "MG_File", "MG_Account", "CIM_LogFile",
                                          "Web_Site"};

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

/* One of many of one provider: its names are as long as those of the others, but for the number. */
static void set_class(struct body *body, unsigned number)
{
    snprintf(body->class_name, sizeof(body->class_name), "MG_Class%u", number);
    body->event.class_name = body->class_name;
    body->event.provider = providers[0];
    body->event.name_space = namespaces[0];
}

/* Has other groups, too: their ids are as long as the user's. */
static uint32_t pick_user(const struct bodies *bodies, uint64_t *state)
{
    static const uint32_t users[] = {0, 1, 33, 1000, 1001, 65534};
    const uint64_t random = next_random(state);

    return bodies->varied ? 10000 + (uint32_t)(random % 50000) : users[random % 6];
}

static void make_body(struct bodies *bodies, uint32_t number, uint64_t *state)
{
    struct body *body = &bodies->list[number];
    const struct identity_process process = {
        .pid = 1000 + (int)(number % 1000), .loginuid = 1000, .executable = "/usr/sbin/omiengine"};
    const struct audit_stamp stamp = {.entity = 0x1234,
                                      .process = &process,
                                      .host_name = "host.example",
                                      .boot_id = "5e2c8a3f-0d57-4c0e-9a55-6f0f6a1c2b3d"};
    gid_t groups[2][GROUPS];

    struct miguard_identity bound = make_identity(pick_user(bodies, state), groups[0]);
    struct miguard_identity current = make_identity(pick_user(bodies, state), groups[1]);
    set_event(&body->event, state);
    if (bodies->varied) {
        set_class(body, (unsigned)(next_random(state) % 800));
    }
    if (number == bodies->count) {
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

static bool make_bodies(struct bodies *bodies, uint64_t *state)
{
    bodies->count = bodies->varied ? MANY_BODIES : FEW_BODIES;
    bodies->list = calloc(bodies->count + 1, sizeof(*bodies->list));
    bool good = bodies->list != NULL;

    for (uint32_t i = 0; good && i <= bodies->count; i++) {
        make_body(bodies, i, state);
        good = !bodies->list[i].text.failed;
    }
    return good;
}

static void free_bodies(struct bodies *bodies)
{
    for (uint32_t i = 0; bodies->list != NULL && i <= bodies->count; i++) {
        text_release(&bodies->list[i].text);
    }
    free(bodies->list);
}

bool audit_generate(const char *path, const struct generate *generate)
{
    struct bodies bodies = {.varied = generate->varied};
    struct text line = TEXT_EMPTY;
    uint64_t state = generate->seed;
    uint64_t first = generate->sequence == 0 ? 1 : generate->sequence;
    int64_t start = generate->start == 0 ? GENERATE_START : generate->start;
    int64_t step = generate->step == 0 ? 1000000000 : generate->step;
    FILE *file = fopen(path, "we");
    bool good = make_bodies(&bodies, &state) && file != NULL;

    for (uint64_t i = 0; good && i < generate->count; i++) {
        uint64_t choice =
            i % EVERY == EVERY - 1 ? bodies.count : next_random(&state) % bodies.count;
        good =
            write_record(file, &bodies.list[choice], &line, first + i, start + (int64_t)i * step);
    }
    free_bodies(&bodies);
    text_release(&line);
    good = (file == NULL || fclose(file) == 0) && good;
    if (!good) {
        fprintf(stderr, "audit_generate: %s cannot be written\n", path);
    }
    return good;
}
