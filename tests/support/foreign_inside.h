/* SPDX-License-Identifier: MIT */
/* What the files of the foreign host share (support/foreign_host.h). */
#ifndef SUPPORT_FOREIGN_INSIDE_H
#define SUPPORT_FOREIGN_INSIDE_H

#include <pthread.h>
#include <stdint.h>
#include <sys/types.h>

#include "support/foreign_host.h"
#include "support/foreign_object.h"

enum {
    FOREIGN_NAME = 128,
    FOREIGN_PROVIDERS = 32,
    FOREIGN_PARTS = 32,
    FOREIGN_CLIENTS = 64,
    FOREIGN_SUBSCRIPTIONS = 64
};

/* ---- threads --------------------------------------------------------------------------------- */

struct job {
    struct job *next;
    void (*run)(void *data);
    void *data;
};

/* A thread that runs jobs one after the other. */
struct loop {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct job *first, **last;
    bool stopping;
};

void loop_post(struct loop *loop, void (*run)(void *data), void *data);

/* ---- modules --------------------------------------------------------------------------------- */

/* The provider of a class, while it is loaded. */
struct foreign_provider {
    char class_name[FOREIGN_NAME];
    const MI_ClassDecl *decl; /* NULL: the dynamic provider */
    const MI_ProviderFT *ft;
    void *self;
    bool loaded, refuses_unload;
    atomic_int busy;                 /* contexts that have not ended */
    struct foreign_context *enabled; /* of EnableIndications */
    unsigned subscriptions;
};

/* A class as it was registered: what is known of it without its module. */
struct foreign_class {
    char name[FOREIGN_NAME], super[FOREIGN_NAME];
    bool association, served;
};

struct foreign_module {
    struct foreign_host *host;
    unsigned agent;
    MI_MainFunction main_function;
    char path[1024];
    struct foreign_class *classes;
    MI_Uint32 class_count;
    bool dynamic;
    /* While it is loaded; used by its agent only. */
    void *library;
    MI_Module *module;
    MI_Module_Self *self;
    bool loaded;
    struct foreign_provider providers[FOREIGN_PROVIDERS];
};

/* ---- operations ------------------------------------------------------------------------------ */

enum foreign_verb {
    VERB_GET,
    VERB_MODIFY,
    VERB_CREATE,
    VERB_DELETE,
    VERB_INVOKE,
    VERB_ENUMERATE,
    VERB_ASSOCIATORS,
    VERB_REFERENCES,
    VERB_SUBSCRIBE,
    VERB_CLASS,
    VERB_TEST
};

enum foreign_kind { KIND_INSTANCE, KIND_INDICATION, KIND_CLASS };

/* What is asked: all copied, since the caller's may end with the starter. */
struct foreign_request {
    enum foreign_verb verb;
    char name_space[FOREIGN_NAME], class_name[FOREIGN_NAME], method[FOREIGN_NAME];
    char result_class[FOREIGN_NAME], role[FOREIGN_NAME], result_role[FOREIGN_NAME];
    MI_Instance *instance, *parameters;
    struct foreign_options options;
};

/* One class of one module that is asked. */
struct foreign_part {
    struct foreign_module *module;
    char class_name[FOREIGN_NAME];
};

struct foreign_item {
    struct foreign_item *next;
    MI_Instance *instance;
};

/* A slot of the host, never given back to the heap before its end; a handle names it with its
 * version. Everything is under the host's lock. */
struct foreign_operation {
    struct foreign_operation *next, *next_of_all;
    struct foreign_host *host;
    uint64_t version; /* 0: there is no handle */
    MI_Session session;
    enum foreign_kind kind;
    bool of_client, asynchronous, manual;
    MI_OperationCallbacks callbacks;
    int descriptor;
    unsigned pins; /* the handle; the provider's side; the delivery */
    int64_t started_ms;
    struct foreign_request request;
    struct foreign_part parts[FOREIGN_PARTS];
    unsigned part_count, part;
    struct foreign_item *first, **last;
    unsigned queued, seen;
    MI_Instance *current, *details;
    char *message;
    MI_Result code;
    bool final_known, final_taken, cancelled, delivering, unacknowledged;
};

/* A client's session, or the local one. */
struct foreign_session {
    uint64_t version; /* 0: not made yet */
    bool open;
    uid_t uid;
    gid_t gid;
};

/* ---- contexts -------------------------------------------------------------------------------- */

enum foreign_purpose {
    FOR_MODULE, /* its Load and Unload: has no provider */
    FOR_PROVIDER_LOAD,
    FOR_PROVIDER_UNLOAD,
    FOR_REQUEST,
    FOR_INDICATIONS, /* EnableIndications */
    FOR_SUBSCRIPTION /* Subscribe, Unsubscribe, DisableIndications */
};

/* The provider gets the address of the first member, and the host gets back from it by a cast. */
struct foreign_context {
    MI_Context context;
    uint32_t magic;
    enum foreign_purpose purpose;
    struct foreign_host *host;
    struct foreign_provider *provider;
    struct foreign_operation *operation;
    const MI_Instance *match; /* GetInstance by way of EnumerateInstances: the wanted keys */
    bool matched;
    MI_Instance *inbound[2];      /* what the provider was given */
    struct foreign_context *ends; /* of DisableIndications: the context of EnableIndications */
    /* Of a load or a subscription: where the answer goes. */
    MI_Result *answer;
    bool *answered;
};

struct foreign_subscription {
    bool used;
    struct foreign_module *module;
    char class_name[FOREIGN_NAME];
    void *self;
    bool begin; /* or end */
    MI_Result answer;
    bool answered;
};

struct foreign_host {
    struct foreign_options_of_host options;
    struct foreign_counts counts;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct loop agents[FOREIGN_AGENTS], selector;
    struct foreign_module modules[FOREIGN_MODULES];
    unsigned module_count;
    struct foreign_operation *free_operations, *all_operations;
    struct foreign_session local, clients[FOREIGN_CLIENTS];
    unsigned client_count;
    uint64_t versions;
    _Atomic(const char *) died;
    struct foreign_subscription subscriptions[FOREIGN_SUBSCRIPTIONS];
};

extern const MI_ContextFT foreign_context_ft;
extern const MI_SessionFT foreign_session_ft;
MI_Server *foreign_server(void);

/* foreign_module.c: loads what is needed and calls the provider of the operation's part. On the
 * agent's thread. */
void foreign_run_part(void *operation);
/* The parts of a request. False: no class of that name. */
bool foreign_plan(struct foreign_operation *operation);
struct loop *foreign_agent_of(struct foreign_operation *operation);
/* Unloads what is idle; all: also what refused. */
void foreign_unload(struct foreign_host *host, bool all);

/* foreign_context.c */
void foreign_context_init(struct foreign_context *context, enum foreign_purpose purpose,
                          struct foreign_host *host, struct foreign_provider *provider);
/* Overwrites it, and frees it when it lies on the heap. */
void foreign_context_end(struct foreign_context *context);

/* foreign_session.c: the check of who calls, by the version of a session. Under the lock. */
MI_Result foreign_check(struct foreign_host *host, uint64_t version);
bool foreign_is_local(const struct foreign_host *host, uint64_t version);

/* foreign_operation.c: from the provider's side. They take over instance and details. */
void foreign_deliver(struct foreign_operation *operation, MI_Instance *instance);
void foreign_finish(struct foreign_operation *operation, MI_Result code, const char *message,
                    MI_Instance *details);
/* Releases a pin; the last one frees the slot. Under the lock. */
void foreign_unpin(struct foreign_operation *operation);
void foreign_operation_empty(struct foreign_operation *operation);
MI_Operation foreign_handle(const struct foreign_operation *operation);
const MI_OperationFT *foreign_error_table(MI_Result code);

/* foreign_host.c */
void foreign_die(struct foreign_host *host, const char *why);
int64_t foreign_now_ms(void);
/* Waits for a change, at most so long. Under the lock. */
void foreign_wait(struct foreign_host *host, unsigned ms);
struct loop *foreign_own_loop(struct foreign_host *host);

#endif
