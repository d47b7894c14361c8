/* SPDX-License-Identifier: MIT */
#include "support/fleet_records.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "audit/record_names.h"
#include "support/chain_log.h"

/* EVERY: one loss, and one policy that is loaded, in so many records. */
enum { USERS_MOST = 64, EVERY = 20000, KINDS = 12, CLASSES = 800, SPACES = 7 };

static void need(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "records of a fleet: %s\n", what);
        abort();
    }
}

/* ---- users ----------------------------------------------------------------------------------- */

/* Those of this system, which have names; the last one is the rare one. */
static struct {
    uid_t ids[USERS_MOST];
    char last[64];
    uint32_t count;
} users;

static void find_users(void)
{
    struct passwd *entry;

    users.count = 0;
    setpwent();
    while (users.count < USERS_MOST && (entry = getpwent()) != NULL) {
        users.ids[users.count++] = entry->pw_uid;
        snprintf(users.last, sizeof(users.last), "%s", entry->pw_name);
    }
    endpwent();
    need(users.count >= 2, "there are no users");
}

const char *fleet_records_user(void)
{
    find_users();
    return users.last;
}

/* ---- one record ------------------------------------------------------------------------------ */

struct writer {
    struct chain_log log;
    struct audit_names names;
    struct text line;
    FILE *file;
    uint64_t random, number, of; /* the record at hand, and how many the host has */
    gid_t groups[3];
    struct miguard_identity bound, current;
    char class[32], space[32], provider[32], rule[32];
};

/* splitmix64: the same in each run. */
static uint32_t pick(struct writer *writer, uint32_t count)
{
    uint64_t z = writer->random += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ z >> 31) >> 32) % count;
}

static struct miguard_identity identity_of(struct writer *writer, uid_t user)
{
    return (struct miguard_identity){.tag = IDENTITY_TAG,
                                     .known = MIGUARD_COMPONENTS_ALL,
                                     .uid = {user, user, user, user},
                                     .gid = {user, user, user, user},
                                     .groups = writer->groups,
                                     .group_count = 3};
}

static void deny(struct writer *writer, struct audit_event *event)
{
    static const enum audit_reason reasons[] = {AUDIT_REASON_IDENTITY_MISMATCH, AUDIT_REASON_POLICY,
                                                AUDIT_REASON_POLICY, AUDIT_REASON_CONTEXT_ENDED};
    const uint32_t which = pick(writer, 100) < 60 ? 0 : pick(writer, 4);

    event->denied = true;
    event->reason = reasons[which];
    if (event->reason == AUDIT_REASON_IDENTITY_MISMATCH) {
        writer->current = identity_of(writer, 65534);
        event->mismatch = MIGUARD_COMPONENT_EUID | MIGUARD_COMPONENT_FSUID;
    }
    if (event->reason == AUDIT_REASON_POLICY) {
        snprintf(writer->rule, sizeof(writer->rule), "no-secrets-%u", pick(writer, KINDS));
        event->rule = writer->rule;
        event->rule_source = "/etc/miguard/policy.yaml:12";
    }
}

static void use_session(struct writer *writer)
{
    static const enum operation operations[] = {OPERATION_GET_INSTANCE, OPERATION_MODIFY_INSTANCE,
                                                OPERATION_ENUMERATE_INSTANCES, OPERATION_INVOKE};
    const bool late = writer->number > writer->of - writer->of / 8;
    const bool rare = pick(writer, 1000) == 0;
    struct audit_event event = {.action = AUDIT_ACTION_SESSION_USE,
                                .reason = AUDIT_REASON_IDENTITY_MATCH,
                                .operation = operations[pick(writer, 4)],
                                .provider = writer->provider,
                                .name_space = writer->space,
                                .class_name = writer->class,
                                .context_id = 0x1234 + writer->number / 50,
                                .session_id = 0x5678 + writer->number / 10,
                                .bound = &writer->bound,
                                .current = &writer->current};

    snprintf(writer->class, sizeof(writer->class), "MG_Class%u", pick(writer, CLASSES));
    snprintf(writer->space, sizeof(writer->space), "root/vendor%u", pick(writer, SPACES));
    snprintf(writer->provider, sizeof(writer->provider), "lib%s%u.so",
             late && pick(writer, 5000) == 0 ? "new" : "vendor", pick(writer, KINDS));
    writer->bound =
        identity_of(writer, users.ids[rare ? users.count - 1 : pick(writer, users.count - 1)]);
    writer->current = writer->bound;
    if (event.operation == OPERATION_INVOKE) {
        event.method = "Start";
    }
    if (pick(writer, 3) == 0) {
        deny(writer, &event);
    }
    chain_log_line(&writer->log, &event, &writer->line);
}

static void load_policy(struct writer *writer, bool start)
{
    const char *hash = pick(writer, 10) == 0 ? "6f1ed002ab5595859014ebf0951522d9"
                                             : "2c624232cdd221771294dfbb310aca00";
    struct audit_event event = {.action =
                                    start ? AUDIT_ACTION_AUDIT_START : AUDIT_ACTION_POLICY_LOAD,
                                .policy_detail = "/etc/miguard/policy.yaml",
                                .policy_hash = hash};

    chain_log_line(&writer->log, &event, &writer->line);
}

static void lose(struct writer *writer)
{
    struct audit_lost lost;
    struct audit_event event =
        chain_log_loss(&lost, AUDIT_LOSS_NO_SPACE, 1 + pick(writer, 100), 0, 0);

    chain_log_line(&writer->log, &event, &writer->line);
}

static void write_record(struct writer *writer)
{
    static const struct audit_event seal = {.action = AUDIT_ACTION_AUDIT_SEAL};

    if (writer->log.head.epoch_records + 1 >= CHAIN_EPOCH_RECORDS) {
        chain_log_line(&writer->log, &seal, &writer->line);
    } else if (writer->number % EVERY == 1) {
        load_policy(writer, writer->number == 1);
    } else if (writer->number % EVERY == EVERY / 2) {
        lose(writer);
    } else {
        use_session(writer);
    }
    need(fwrite(writer->line.data, 1, writer->line.length, writer->file) == writer->line.length,
         "the log cannot be written");
}

/* ---- one host -------------------------------------------------------------------------------- */

/* Each record asks for names, as a writer's; without an own thread it would read a file each time.
 */
static bool never_alone(const void *context)
{
    (void)context;
    return false;
}

static void offer_nothing(void *context)
{
    (void)context;
}

static void begin_host(struct writer *writer, const struct fleet_records *records, unsigned host)
{
    char name[64], path[512], text[CHAIN_KEY_TEXT_SIZE];

    snprintf(name, sizeof(name), "web%u.example", host + 1);
    snprintf(path, sizeof(path), "%s/%s", records->store, name);
    need(mkdir(path, 0700) == 0, path);
    chain_log_begin(&writer->log, "unused", true);
    writer->log.stamp.host_name = strdup(name);
    writer->log.stamp.names = &writer->names;
    snprintf(path, sizeof(path), "%s/%s.key", records->keys, name);
    chain_key_text(&writer->log.first, text);
    chain_log_append(path, text, strlen(text));
    need(chmod(path, 0600) == 0, path);
    snprintf(path, sizeof(path), "%s/%s/audit.log", records->store, name);
    writer->file = fopen(path, "we");
    need(writer->file != NULL && setvbuf(writer->file, NULL, _IOFBF, 1 << 20) == 0, path);
    writer->random = host + 1;
    writer->of = records->records / records->hosts;
}

static void write_host(struct writer *writer, struct fleet_records *records, unsigned host)
{
    const int64_t span = (int64_t)records->days * 86400;

    begin_host(writer, records, host);
    for (writer->number = 1; writer->number <= writer->of; writer->number++) {
        const int64_t left = (int64_t)(writer->of - writer->number);
        const int64_t at = records->end - 1 - left * span / (int64_t)writer->of;
        writer->log.clock_shift = at - (int64_t)time(NULL);
        write_record(writer);
        atomic_fetch_add_explicit(&records->written, 1, memory_order_relaxed);
    }
    need(fclose(writer->file) == 0, "the log cannot be written");
    free((char *)(uintptr_t)writer->log.stamp.host_name);
}

/* ---- all ------------------------------------------------------------------------------------- */

static void write_share(struct fleet_records *records, unsigned first, unsigned step)
{
    static struct writer writer;

    writer.groups[0] = 4;
    writer.groups[1] = 27;
    writer.groups[2] = 1000;
    need(names_init(&writer.names, offer_nothing, never_alone, NULL), "no memory");
    names_start(&writer.names);
    for (unsigned host = first; host < records->hosts; host += step) {
        write_host(&writer, records, host);
    }
    text_release(&writer.line);
    names_destroy(&writer.names);
}

bool fleet_records_write(struct fleet_records *records)
{
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    const unsigned step = processors > 1 ? (unsigned)processors : 1;
    bool good = true;
    int status;

    find_users();
    fflush(NULL);
    for (unsigned i = 0; i < step; i++) {
        pid_t child = fork();
        if (child == 0) {
            write_share(records, i, step);
            _exit(0);
        }
        good = good && child > 0;
    }
    while (wait(&status) > 0) {
        good = good && status == 0;
    }
    return good;
}
