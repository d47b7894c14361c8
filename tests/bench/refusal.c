/* SPDX-License-Identifier: MIT */
/* Called by the benchmarks of the log. */
#include "bench/refusal.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "audit/file/file.h"
#include "miguard.h"

void refusal_log_make(const char *path)
{
    struct chain_key key;

    if (!chain_init()) {
        abort();
    }
    chain_key_new(&key);
    if (file_init(path, &key, FILE_EARLIER_REFUSE, NULL, NULL) != MIGUARD_OK) {
        abort();
    }
}

struct audit *refusal_log_open(const char *path, enum audit_sync sync, uint32_t repeat_seconds)
{
    struct sink_settings sink = SINK_FILE_DEFAULT(NULL);
    struct audit_settings settings = {
        .sinks = &sink, .sink_count = 1, .repeat_seconds = repeat_seconds};
    struct audit *audit = NULL;

    sink.path = path;
    sink.sync = sync;
    if (audit_open(&settings, &audit, NULL) != MIGUARD_OK) {
        abort();
    }
    return audit;
}

off_t refusal_log_size(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 ? status.st_size : 0;
}

struct miguard_identity *refusal_identity(uid_t acting_for)
{
    struct miguard_identity *identity = NULL;

    if (miguard_identity_capture(&identity, NULL) != MIGUARD_OK) {
        abort();
    }
    if (acting_for != 0) {
        identity->uid[IDENTITY_FS] = acting_for;
    }
    return identity;
}

/* The system calls themselves: those of the C library change all threads. */
static void *become(void *user)
{
    const uid_t id = *(uid_t *)user;
    struct miguard_identity *identity = NULL;

    if (syscall(SYS_setgroups, 0, NULL) != 0 || syscall(SYS_setresgid, id, id, id) != 0 ||
        syscall(SYS_setresuid, id, id, id) != 0 ||
        miguard_identity_capture(&identity, NULL) != MIGUARD_OK) {
        return NULL;
    }
    return identity;
}

struct miguard_identity *refusal_identity_of_user(uid_t user)
{
    pthread_t thread;
    void *identity = NULL;

    if (pthread_create(&thread, NULL, become, &user) != 0) {
        abort();
    }
    pthread_join(thread, &identity);
    return identity;
}

struct audit_event refusal_event(const struct miguard_identity *bound,
                                 const struct miguard_identity *current)
{
    static const struct audit_last_switch last = {(const void *)(uintptr_t)getenv, 1};

    return (struct audit_event){
        .action = AUDIT_ACTION_SESSION_USE,
        .reason = AUDIT_REASON_IDENTITY_MISMATCH,
        .denied = true,
        .operation = OPERATION_GET_INSTANCE,
        .provider = "libprocess.so",
        .name_space = "root/cimv2",
        .class_name = "CIM_Process",
        .mismatch = MIGUARD_COMPONENT_FSUID,
        .bound = bound,
        .current = current,
        .last_switch = &last,
        .call_site = (const void *)(uintptr_t)getenv,
        .rule = "default",
        .rule_source = "built-in",
    };
}
