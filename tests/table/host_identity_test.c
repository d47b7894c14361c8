/* SPDX-License-Identifier: MIT */
/*
 * Whose credentials a nested request is served with: those of the thread that made it, component by
 * component, on whichever thread the embedded server calls the provider.
 */
#include "../unit/host_module.h"

#include <grp.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/raw.h"

enum { OTHER = 23456, PATIENCE = 120 };

static unsigned passed, failed;

static void check(bool right, const char *change, const char *way)
{
    passed += right;
    failed += !right;
    if (!right) {
        printf("FAIL %s, %s\n", change, way);
    }
}

/* ---- what a thread is ---------------------------------------------------------------------- */

struct credentials {
    uid_t uid[4];
    gid_t gid[4];
    int group_count;
    gid_t groups[64];
    struct __user_cap_data_struct capabilities[2];
    int securebits, no_new_privs;
    long session_keyring;
};

static struct credentials read_credentials(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct credentials now;

    memset(&now, 0, sizeof(now));
    (void)getresuid(&now.uid[0], &now.uid[1], &now.uid[2]);
    (void)getresgid(&now.gid[0], &now.gid[1], &now.gid[2]);
    now.uid[3] = (uid_t)setfsuid((uid_t)-1);
    now.gid[3] = (gid_t)setfsgid((gid_t)-1);
    now.group_count = getgroups(64, now.groups);
    (void)syscall(SYS_capget, &header, now.capabilities);
    now.securebits = prctl(PR_GET_SECUREBITS, 0, 0, 0, 0);
    now.no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
    now.session_keyring = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0);
    return now;
}

/* ---- changes of one component --------------------------------------------------------------- */

static bool change_nothing(void)
{
    return true;
}

static bool change_ruid(void)
{
    return raw_setresuid(OTHER, (uid_t)-1, (uid_t)-1);
}

static bool change_euid(void)
{
    return raw_setresuid((uid_t)-1, OTHER, (uid_t)-1);
}

static bool change_suid(void)
{
    return raw_setresuid((uid_t)-1, (uid_t)-1, OTHER);
}

static bool change_fsuid(void)
{
    return raw_setfsuid(OTHER);
}

static bool change_rgid(void)
{
    return raw_setresgid(OTHER, (gid_t)-1, (gid_t)-1);
}

static bool change_egid(void)
{
    return raw_setresgid((gid_t)-1, OTHER, (gid_t)-1);
}

static bool change_sgid(void)
{
    return raw_setresgid((gid_t)-1, (gid_t)-1, OTHER);
}

static bool change_fsgid(void)
{
    (void)setfsgid(OTHER);
    return (gid_t)setfsgid((gid_t)-1) == OTHER;
}

static bool change_groups(void)
{
    static const gid_t groups[] = {OTHER, OTHER + 1, OTHER + 2};
    return raw_setgroups(3, groups);
}

static bool change_capability(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];

    if (syscall(SYS_capget, &header, data) != 0) {
        return false;
    }
    data[0].effective &= ~(1u << CAP_CHOWN);
    return syscall(SYS_capset, &header, data) == 0;
}

static bool change_securebits(void)
{
    return prctl(PR_SET_SECUREBITS, 1 << 5, 0, 0, 0) == 0; /* keep-caps is locked */
}

static bool change_no_new_privs(void)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

static bool change_all(void)
{
    return raw_become(OTHER, OTHER);
}

static const struct {
    const char *name;
    bool (*make)(void);
} changes[] = {
    {"no change", change_nothing},         {"real uid", change_ruid},
    {"effective uid", change_euid},        {"saved uid", change_suid},
    {"file system uid", change_fsuid},     {"real gid", change_rgid},
    {"effective gid", change_egid},        {"saved gid", change_sgid},
    {"file system gid", change_fsgid},     {"groups", change_groups},
    {"a capability", change_capability},   {"securebits", change_securebits},
    {"no new privs", change_no_new_privs}, {"all", change_all},
};

/* ---- ways to be served ----------------------------------------------------------------------- */

enum way { GET, ENUMERATE, GET_IN_TIME, GET_CALLED_BACK, ENUMERATE_CALLED_BACK, WAYS };
static const char *const way_names[WAYS] = {
    "GetInstance", "EnumerateInstances", "GetInstance with a time-out",
    "GetInstance with a callback", "EnumerateInstances with a callback"};

static enum way way;
static bool (*change)(void);
static struct credentials asked_as, served_as, called_back_as;
static bool served, changed;
static pthread_mutex_t final_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t final_came = PTHREAD_COND_INITIALIZER;
static bool final;

static void on_result(MI_Operation *operation, void *context, const MI_Instance *instance,
                      MI_Boolean more, MI_Result result, const MI_Char *message,
                      const MI_Instance *details, MI_Result (*acknowledge)(MI_Operation *))
{
    (void)operation, (void)context, (void)instance, (void)result, (void)message, (void)details;
    (void)acknowledge;
    if (!more) {
        pthread_mutex_lock(&final_lock);
        called_back_as = read_credentials();
        final = true;
        pthread_cond_signal(&final_came);
        pthread_mutex_unlock(&final_lock);
    }
}

static void serve(MI_Context *context)
{
    served_as = read_credentials();
    served = true;
    MI_Context_PostResult(context, post_widget(context, &widget_decl, "inner", 1));
}

static void enumerate_inner(MI_Context *context, const MI_PropertySet *set, MI_Boolean keys_only)
{
    (void)set, (void)keys_only;
    serve(context);
}

static void finish_nested(MI_Operation *operation, bool called_back)
{
    char ids[64];

    if (!called_back) {
        (void)drain(operation, ids, sizeof(ids));
        return;
    }
    pthread_mutex_lock(&final_lock);
    while (!final) {
        pthread_cond_wait(&final_came, &final_lock);
    }
    pthread_mutex_unlock(&final_lock);
    (void)MI_Operation_Close(operation);
}

static void ask_nested(MI_Session *local)
{
    MI_OperationCallbacks callbacks = {.instanceResult = on_result};
    bool called_back = way == GET_CALLED_BACK || way == ENUMERATE_CALLED_BACK;
    MI_Interval interval = {.seconds = 60};
    MI_OperationOptions options;
    MI_Operation operation = MI_OPERATION_NULL;

    if (way == ENUMERATE || way == ENUMERATE_CALLED_BACK) {
        MI_Session_EnumerateInstances(local, MI_OPERATIONFLAGS_POLYMORPHISM_SHALLOW, NULL, SPACE,
                                      "T_Widget", MI_FALSE, called_back ? &callbacks : NULL,
                                      &operation);
    } else if (MI_Application_NewOperationOptions(&application, MI_FALSE, &options) ==
               MI_RESULT_OK) {
        MI_Instance *inner = key("T_Widget", "inner");
        MI_OperationOptions_SetTimeout(&options, &interval);
        MI_Session_GetInstance(local, 0, way == GET_IN_TIME ? &options : NULL, SPACE, inner,
                               called_back ? &callbacks : NULL, &operation);
        MI_Instance_Delete(inner);
        MI_OperationOptions_Delete(&options);
    }
    finish_nested(&operation, called_back);
}

/* The outer request changes its thread and asks; the inner one looks. */
static void get_hook(MI_Context *context, const struct widget *widget)
{
    MI_Session local;

    if (strcmp(widget->Id.value, "inner") == 0) {
        serve(context);
        return;
    }
    changed = change();
    asked_as = read_credentials();
    if (MI_Context_GetLocalSession(context, &local) == MI_RESULT_OK) {
        ask_nested(&local);
    }
    MI_Context_PostResult(context, MI_RESULT_OK);
}

static void ask_outer(void *unused)
{
    char ids[64];
    (void)unused;
    (void)get(&session, "T_Widget", "outer", ids, sizeof(ids));
}

static void try_one(const char *name)
{
    served = final = changed = false;
    raw_on_thread(ask_outer, NULL); /* ends with the credentials that it took */
    if (!changed) {
        printf("skip: %s: cannot be changed here\n", name);
        return;
    }
    check(served && memcmp(&asked_as, &served_as, sizeof(asked_as)) == 0, name, way_names[way]);
    if (way == GET_CALLED_BACK || way == ENUMERATE_CALLED_BACK) {
        check(final && memcmp(&asked_as, &called_back_as, sizeof(asked_as)) == 0, name,
              "the callback");
    }
}

int main(void)
{
    if (geteuid() != 0) {
        printf("skip: identity of nested requests: needs root\n0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    alarm(PATIENCE);
    if (!start_host()) {
        printf("FAIL a server\n0 passed, 1 failed\n");
        return 1;
    }
    hooks.get = get_hook;
    hooks.enumerate = enumerate_inner;
    for (size_t i = 0; i < COUNT(changes); i++) {
        change = changes[i].make;
        for (way = GET; way < WAYS; way++) {
            try_one(changes[i].name);
        }
    }
    stop_host();
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
