/* SPDX-License-Identifier: MIT */
/*
 * The inside of the embedded server, by file.
 *
 * A request is an operation (operation.c). It has one step for each provider function to call
 * (plan.c makes them), each under its own context (context.c). Steps run on the thread that made
 * the request, or with a result callback on one thread made for the operation: its driver (run.c).
 * What a provider posts is copied into the operation (result.c) and fetched from there
 * (operation.c) or delivered by the driver (deliver.c).
 *
 * Lifetimes: a context pins its operation, an operation its session, and a session counts on its
 * host. There are no pointers downwards except under a lock.
 *
 * Locks, taken in this order: context, session, subscriptions of a provider, operation, host. No
 * lock is held while a provider function or a callback runs.
 *
 * A handle that a client or provider holds (session, operation) is a name in a table of
 * base/slots.h: a stale one is found invalid without touching freed memory. "Pinned" means that the
 * object cannot be freed until the pin is released; it may end meanwhile.
 *
 * Functions may be called on any thread, unless they say that a lock is held, but not in a signal
 * handler.
 */
#ifndef HOST_SERVER_HOST_H
#define HOST_SERVER_HOST_H

#include <MI.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/entry.h"
#include "base/slots.h"
#include "miguard/host.h"

struct decl_copy;
struct instance_convert;
struct result;
struct wql;
struct context;
struct operation;
struct session;

/* ---- modules and their providers (module.c, provider.c) ---------------------------------- */

/* The states of a class provider. IDLE to LOADING to READY or back, or to BROKEN; READY to
 * UNLOADING to IDLE when it has no requests; at the end of the host READY becomes GONE. */
enum provider_state {
    PROVIDER_IDLE,    /* Load has not been called, or failed, or was undone */
    PROVIDER_LOADING, /* on the thread in loader */
    PROVIDER_READY,
    PROVIDER_UNLOADING, /* for lack of requests, on the thread in loader */
    PROVIDER_BROKEN,    /* Load or Unload did not post in time: its state is unknown */
    PROVIDER_GONE,      /* unloaded */
};

/* What a provider reports changes of its instances with (lifecycle.c). Under subscription_lock. */
struct lifecycle {
    struct context *context; /* pinned; NULL until Load asks for it */
    /* Unions of MI_LIFECYCLE_INDICATION_... */
    MI_Uint32 supported; /* as the provider set it */
    MI_Uint32 reported;  /* as the callback was called last */
    bool reporting;      /* the callback runs */
    MI_LifecycleIndicationCallback callback;
    void *callback_data;
};

/* One function table of a module: that of a class, or the dynamic one. Lives as long as its
 * module. */
struct provider {
    struct module *module;
    /* The module's copy. NULL: serves the classes that its module's schema does not know. */
    const MI_ClassDecl *decl;
    /* A copy of the module's, or of the gateway's in its place: which slots are NULL is known also
     * while the module is not loaded. */
    MI_ProviderFT table;
    const MI_ProviderFT *ft; /* that */
    /* What Load stored; set before the state becomes READY, and read only after. */
    void *self;
    atomic_int state; /* written under the host's lock */
    /* Valid while LOADING or UNLOADING: one that needs its own class must not wait for itself. */
    pthread_t loader;
    /* As MI_Context_RefuseUnload set it since Load. It concerns idle unloading only. */
    atomic_bool refuse_unload;
    /* Requests that were sent to it and whose contexts are not free. Not unloaded while not 0. */
    _Atomic uint32_t users;
    _Atomic int64_t last_used; /* clock_now_ms() at the end of the last one */
    /* Under the host's lock: indications are enabled while there is a context, which is pinned. */
    struct context *indication_context;
    bool changing;        /* EnableIndications or DisableIndications runs */
    unsigned subscribers; /* that have enabled them */
    pthread_mutex_t subscription_lock;
    struct subscription *subscriptions;
    struct lifecycle lifecycle;
    struct provider *loaded_before; /* the host's list, last loaded first */
};

/* LOADED to UNLOADING and then UNLOADED, or BROKEN when it does not answer. */
enum module_state {
    MODULE_NEW, /* not published */
    MODULE_LOADED,
    MODULE_UNLOADING, /* on the thread in unloader */
    MODULE_UNLOADED,  /* its library may be unmapped; only the copies are there */
    MODULE_BROKEN,
};

/* By which a file that has changed is known. */
struct module_file {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

/* One loading of what was registered. Its memory is counted (`references`), and so is its use
 * (`users`), which keeps its library mapped: see registry.c. */
struct module {
    struct module *next; /* in the host's list of retired ones */
    struct miguard_host *host;
    struct registration *registration;
    atomic_uint references;    /* of catalogues, and its registration's or the list's */
    _Atomic uint32_t users;    /* operations that were planned with it, and its contexts */
    _Atomic int64_t last_used; /* clock_now_ms() when the last operation was destroyed */
    atomic_int state;          /* written under the host's lock */
    pthread_t unloader;
    bool retired;  /* another has its place; under the host's lock */
    void *library; /* dlopen(3)'s, NULL for a module that is linked in */
    struct module_file file;
    /* What MI_Main returned, checked; static storage of the library. Valid while it is in use. */
    MI_Module *mi;
    /* Of its declarations: what is planned and results are made with. */
    struct decl_copy *copies;
    const MI_SchemaDecl *schema; /* the copies; not NULL */
    /* What the module's Load stored, given to each provider's Load. */
    MI_Module_Self *self;
    const char *name_space; /* the registration's; NULL: every one */
    struct provider *providers;
    /* One for each class with a table, and one for a dynamic table. */
    MI_Uint32 provider_count;
    /* Provider code may still run on a thread of its own: never unload or unmap. */
    atomic_bool abandoned;
};

/* A file or function that was registered; lives as long as the host. Under the host's lock. */
struct registration {
    struct registration *next; /* in the order of registration */
    struct miguard_host *host;
    char *path;                    /* NULL: a function */
    MI_MainFunction main_function; /* NULL: a file */
    char *name_space;              /* NULL: every one */
    struct module *module;         /* the last one that was loaded; NULL until the first is */
    bool loading, loader_known;    /* on the thread in loader */
    pthread_t loader;
    bool wanted;       /* the loader is to load it */
    uint32_t attempts; /* loads that have ended, well or not */
    uint32_t waiting;  /* requests that wait for it, or plan with it: it is not unloaded */
};

/* The modules that are current at one moment, in the order of registration; counted. */
struct catalogue {
    atomic_uint references;
    size_t count;
    struct module *modules[];
};

/* Loads what was registered, on this thread: maps the library, calls its MI_Main and its Load, and
 * checks what it declares. One reference is the caller's. NOT_FOUND when the file is missing,
 * BAD_MODULE when it cannot be loaded or has no MI_Main, is refused, or its Load posts an error or
 * nothing in time; then the library stays mapped, since its code may still run. NO_MEMORY. */
enum miguard_status module_make(struct registration *registration, struct module **ret_module,
                                struct miguard_error *reterr);

/* Whether the file at path is the one that the module was loaded from, unchanged. */
bool module_is_current(const struct module *module, const char *path);

/* Calls the module's Unload, after all its providers were unloaded. */
void module_unload(struct module *module);

/* Waits for calls of its threads, and unmaps its library. False when it stays mapped, since it was
 * abandoned. */
bool module_unmap(struct module *module);

/* Its code may run for ever: it is neither unloaded nor unmapped any more. */
void module_abandon(struct module *module, bool used);

/* Releases a reference to its memory; NULL is allowed. */
void module_release(struct module *module);

/* The end of one that is in no catalogue; takes over its reference. */
void module_discard(struct module *module);

/* Whether name_space, compared without regard to case, is the module's. */
bool module_serves(const struct module *module, const char *name_space);

/* The provider of exactly this declaration, or NULL. decl NULL finds the dynamic one. */
struct provider *module_provider(const struct module *module, const MI_ClassDecl *decl);

/* Calls the provider's Load unless that was done, on this thread; another thread's Load or Unload
 * is waited for. With OK the provider is not unloaded until provider_leave(). Else the result that
 * Load posted, FAILED when it posts none in time, SERVER_LIMITS_EXCEEDED, or
 * SERVER_IS_SHUTTING_DOWN. A failed Load is tried again by the next request. */
MI_Result provider_enter(struct provider *provider);

/* The end of a provider_enter() that succeeded. */
void provider_leave(struct provider *provider);

/* Unloads the provider if it has had no request since `before` and allows it, or its module was
 * replaced. False, with the time
 * of its last request, when it was not unloaded. Only the thread of idle.c calls it. */
bool provider_unload_idle(struct provider *provider, int64_t before, int64_t *ret_last_used);

/* (idle.c) Starts the thread that unloads providers, unless it runs or is not wanted. A
 * failure is not reported: nothing depends on it. */
void idle_start(struct miguard_host *host);

/* A provider was loaded; the caller holds the host's lock. */
void idle_notice(struct miguard_host *host);

/* Unloads and unmaps a module without loaded providers, unless it is in use: then false. Only that
 * thread calls it; it holds the host's lock, which is released for the Unload. */
bool idle_unload_module(struct module *module);

/* Ends the thread, and waits for an Unload that it is in. */
void idle_stop(struct miguard_host *host);

/* (registry.c) The first, empty catalogue. False without memory. */
bool registry_init(struct miguard_host *host);

/* The current catalogue, counted for the caller. */
struct catalogue *catalogue_acquire(struct miguard_host *host);
void catalogue_release(struct catalogue *catalogue); /* NULL is allowed */

/* Registers and loads a file or function, on this thread. A file that is registered in the same
 * namespace already is loaded anew if it has changed; the old module ends when it is not in use any
 * more. The errors of module_make(), and BAD_STATE. The host is unchanged on failure. */
enum miguard_status registry_add(struct miguard_host *host, const char *path,
                                 MI_MainFunction main_function, const char *name_space,
                                 struct miguard_error *reterr);

/* Counts a use of the module, until registry_leave(). One that is not loaded is loaded again by
 * the loader's thread: then the answer is FAILED with *ret_awaited set, which keeps the new module
 * loaded until registry_end_wait(), so that the caller can plan with a new catalogue. */
MI_Result registry_enter(struct module *module, struct registration **ret_awaited);
void registry_leave(struct module *module);
void registry_end_wait(struct registration *registration); /* NULL is allowed */

/* To the list of those that end when they are not in use, with the caller's reference; and away
 * from it. The caller holds the host's lock. */
void registry_retire(struct module *module);
void registry_unretire(struct module *module);

/* The file that a mapped library of the host was loaded from; false for any other library. */
bool registry_file_of(struct miguard_host *host, const void *library, struct module_file *ret_file);

/* The thread that loads modules again, unless it runs. The caller holds the host's lock. */
bool registry_start_loader(struct miguard_host *host);

/* For miguard_host_free(): unloads the module that was registered last; false when nothing is left.
 * Abandons all modules, or those in use. Unmaps and frees all. */
bool registry_unload_last(struct miguard_host *host);
void registry_abandon(struct miguard_host *host, bool used);
void registry_free(struct miguard_host *host);

/* Unloads the provider that was loaded last: reverse order, since a provider may use one that was
 * loaded before it. False when no provider is left. */
bool provider_unload_last(struct miguard_host *host);

/* ---- the host (host.c) ------------------------------------------------------------------- */

/* The server. */
struct miguard_host {
    /* A copy, with defaults filled in. */
    struct miguard_host_options options;
    /* A copy; written once, before the first session. All NULL: clients are not known. */
    struct miguard_host_clients clients;
    uint64_t epoch; /* process_epoch() of the process that made it */
    pthread_mutex_t lock;
    /* A reference was released, or a provider has left LOADING. */
    pthread_cond_t changed;
    /* In the order of registration, which decides where two serve one class. */
    struct registration *registrations;
    struct catalogue *catalogue; /* their modules */
    struct module *retired;      /* replaced, and not ended yet */
    struct provider *loaded;     /* last loaded first */
    pthread_cond_t idle; /* for the thread of idle.c: something was loaded, or it is to end */
    bool idle_running, idle_ending;
    pthread_cond_t wanted; /* for the loader: a request waits, or it is to end */
    bool loader_running;
    struct session *sessions; /* of clients */
    uint64_t references;      /* sessions, and contexts without an operation */
    /* Of them, lifecycle contexts: only the Unload of their provider ends them. */
    uint64_t standing_references;
    /* miguard_host_free() has begun to unload: no provider is loaded any more. */
    bool unloading;
    /* miguard_host_free() has returned without waiting longer: the last reference frees the host.
     */
    bool left;
    /* For miguard_host_provider_calls(). */
    _Atomic uint64_t provider_calls;
};

/* In a forked child: the lock of the server may be held by a thread that does not exist there
 * (fork(2)), and a request of the parent would never end. So the child must not use the server, and
 * touches nothing. */
bool host_is_inherited(const struct miguard_host *host);

/* The error of every public function there. */
enum miguard_status host_refuse_inherited(const char *step, struct miguard_error *reterr);

/* References are what miguard_host_free() waits for. They do not keep the memory alive after it. */
void host_retain(struct miguard_host *host);

/* May let miguard_host_free() go on, which frees the host, or frees it where that has returned: the
 * caller must not use it afterwards. */
void host_release(struct miguard_host *host);

/* A condition variable on the monotonic clock, and a time on it. */

/* (thread.c) Starts a detached thread that blocks every signal and has the credentials of the
 * caller. */
bool host_thread(void *(*function)(void *), void *argument);

/* ---- the table for providers (server_table.c) ------------------------------------------- */

/* The table for providers: 31 slots, every one filled, since the inline functions of MI.h check the
 * table's pointer but no slot. */
/* The slots of MI.h, and room for those of a later minor version, whose modules are served. */
enum { CONTEXT_LATER_SLOTS = 32 };
extern const struct context_table {
    MI_ContextFT known;
    MI_Result (*later[CONTEXT_LATER_SLOTS])(const MI_Context *);
} context_ft;

/* The MI_Server for MI_Main(), the same for all hosts. It and its tables are never freed. */
MI_Server *server_table(void);

/* ---- contexts (context.c) ---------------------------------------------------------------- */

/* What a context was made for. Only a request has an operation. */
enum context_kind {
    CONTEXT_REQUEST,
    CONTEXT_MODULE_LOAD,
    CONTEXT_MODULE_UNLOAD,
    CONTEXT_PROVIDER_LOAD,
    CONTEXT_PROVIDER_UNLOAD,
    CONTEXT_SUBSCRIPTION, /* Subscribe, Unsubscribe, DisableIndications */
    CONTEXT_INDICATIONS,  /* EnableIndications, until they are disabled */
    CONTEXT_LIFECYCLE,    /* from Load until Unload; the provider has `lifecycle` only */
};

/*
 * Contexts are named by address, and providers use them late and on any thread. Their memory is
 * therefore never freed, and a word in it, which only atomic operations change, has whether the
 * context lives and the number of calls inside it.
 */
struct context {
    MI_Context base; /* first: what the provider sees */
    /* What it sees of CONTEXT_LIFECYCLE. Not in the place of base: memory is used again, and a late
     * call must find the table that it was made for. */
    MI_LifecycleIndicationContext lifecycle;
    _Atomic uint32_t state;
    pthread_mutex_t lock; /* for session and outcome; made once with the memory */
    /* The final result of a Load or Unload has come. */
    pthread_cond_t changed;
    /* In the pool's queue; valid while the context is free. */
    struct context *next_free;
    uint64_t epoch; /* process_epoch() of the process that made it */
    enum context_kind kind;
    struct miguard_host *host;
    struct module *module;
    struct provider *provider;   /* NULL for a module's */
    struct operation *operation; /* pinned; NULL except for a request */
    unsigned depth;              /* of nesting of requests made through it */
    struct session *session;     /* pinned; NULL until requested */
    /* Under the operation's lock: */
    MI_CancelCallback cancel;
    void *cancel_data;
    bool in_slot; /* the provider function has not returned */
    /* Of a Load or Unload: */
    void *self;
    /* The result below is valid. */
    bool posted;
    MI_Result result;
};

/* A live context, pinned once for the caller, with in_slot set; NULL when out of memory, at
 * MIGUARD_HOST_MAX_CONTEXTS, or in a process whose epoch is not known. operation is pinned for it,
 * or the host retained without one. That of a request takes over the caller's provider_enter(). */
struct context *context_new(enum context_kind kind, struct module *module,
                            struct provider *provider, struct operation *operation);

/* Finds and pins the live context at this address, or NULL. Touches no freed memory, whatever the
 * address is. A context that was inherited through fork(2) is not found: the parent answers its
 * request. */
struct context *context_pin(const MI_Context *address);

/* Releases a pin. The last one of an ended context returns it to the pool. */
void context_unpin(struct context *context);
/* For ON_LEAVING; NULL is ignored. The second also ends the context: for a Load or Unload, which is
 * over when its function is left. */
void context_let_go(struct context *const *context);

/* Ends the context as failed, if it has not ended, and releases the pin. */
void context_close(struct context *const *context);

/* Posts the one final result and ends the context with its session; takes over message and details,
 * each of which may be NULL. INVALID_PARAMETER when there was a result before: exactly one of two
 * concurrent posts gets OK. The caller holds a pin. */
MI_Result context_finish(struct context *context, MI_Result result, char *message,
                         MI_Instance *details);

/* Waits for the final result of a Load or Unload, then ends the context. False when it did not come
 * within this many milliseconds; a result that comes later is refused. */
bool context_await(struct context *context, unsigned milliseconds, MI_Result *ret_result);

/* Ends the contexts of host in which no provider function is running, or with `running` all, with
 * SERVER_IS_SHUTTING_DOWN, and marks their modules: a provider that returned without a result may
 * have a thread that posts it later, so its code must stay mapped. */
void context_abandon(struct miguard_host *host, bool running);

/* False once the final result has been posted. */
bool context_is_live(const struct context *context);

/* For tests: contexts that are not free. */
uint32_t context_in_use(void);

/* (context_post.c) The slots that answer for a request; the rest are in context_table.c. All slots
 * return INVALID_PARAMETER for a context that has ended. */
MI_Result context_post_result(MI_Context *address, MI_Result result);

/* Copies the instance before it returns. FAILED for one with a key without a value,
 * SERVER_LIMITS_EXCEEDED at MIGUARD_HOST_MAX_RESULTS; the operation then fails too. NOT_SUPPORTED
 * on the context of a Load or Unload. */
MI_Result context_post_instance(MI_Context *address, const MI_Instance *instance);

/* Ends the request. type and message may be NULL. */
MI_Result context_post_error(MI_Context *address, MI_Uint32 code, const MI_Char *type,
                             const MI_Char *message);

/* Ends the request, also for an invalid error: it is FAILED then. */
MI_Result context_post_cim_error(MI_Context *address, const MI_Instance *error);

/* The session in which a provider makes its own requests. It ends with the context and needs no
 * Close. *session is zeroed on failure. */
MI_Result context_get_local_session(const MI_Context *address, MI_Session *session);

/* The last registration counts. A cancellation that happened before is reported within the call.
 * The callback may run on any thread. */
MI_Result context_register_cancel(MI_Context *address, MI_CancelCallback callback, void *data);

/* (context_write.c) Information for the client. OK also when the client takes none, or when the
 * queue is full: then it is dropped. */
MI_Result context_write_message(MI_Context *address, MI_Uint32 channel, const MI_Char *message);

/* Each text may be NULL. percent and seconds are the provider's and may be any number. */
MI_Result context_write_progress(MI_Context *address, const MI_Char *activity,
                                 const MI_Char *current, const MI_Char *description,
                                 MI_Uint32 percent, MI_Uint32 seconds);

/* An error that does not end the request. *flag says whether to go on; it is set on every
 * return. */
MI_Result context_write_cim_error(MI_Context *address, const MI_Instance *error, MI_Boolean *flag);

/* As the former, with a CIM_Error made from code, type and message. */
MI_Result context_write_error(MI_Context *address, MI_Uint32 code, const MI_Char *type,
                              const MI_Char *message, MI_Boolean *flag);

/* *flag is the client's answer; true when it has no callback. Waits for the answer, but not beyond
 * the end of the operation. */
MI_Result context_prompt_user(MI_Context *address, const MI_Char *message, MI_PromptType type,
                              MI_Boolean *flag);

/* A prompt with a text made from target and action. */
MI_Result context_should_process(MI_Context *address, const MI_Char *target, const MI_Char *action,
                                 MI_Boolean *flag);

/* A critical prompt: always asked, even if the options say otherwise. */
MI_Result context_should_continue(MI_Context *address, const MI_Char *message, MI_Boolean *flag);

/* ---- sessions (session.c, session_table.c) ----------------------------------------------- */

/* What a client or a provider starts operations with. Pinned by its handle until it ends, and by
 * each operation. */
struct session {
    struct miguard_host *host;
    bool local;     /* a provider's, which cannot close it */
    unsigned depth; /* of nesting, for the requests made through it */
    pthread_mutex_t lock;
    /* An operation was destroyed. */
    pthread_cond_t changed;
    /* No operation may be started or listed any more. */
    bool ended;
    struct operation *operations;  /* not ended yet */
    uint64_t operation_count;      /* not destroyed yet */
    uint64_t final_count;          /* of them, their clients wait for the final callback */
    struct miguard_target *client; /* who makes its requests; NULL: not known */
    struct session *next;          /* the host's list of clients' sessions, under its lock */
    struct session *previous;
    bool listed;
};

extern const MI_SessionFT session_ft;

/* A session pinned once for the caller, or NULL at MIGUARD_HOST_MAX_SESSIONS or without memory.
 * local: a provider's, which is not in the host's list. depth is that of the context it is made
 * for. client, which may be NULL, is taken over with success. */
struct session *session_new(struct miguard_host *host, bool local, unsigned depth,
                            struct miguard_target *client);

/* The session that the handle names, pinned, or NULL when it has ended. Release with
 * session_release(). */
struct session *session_acquire(const MI_Session *handle);

/* The handle to give out. Copies of it are equally valid; its content names the session, not its
 * address. */
MI_Session session_handle(const struct session *session);
void session_unlist(struct session *session); /* the caller holds the host's lock */

/* Releases a pin. */
void session_release(struct session *session);
uint32_t session_in_use(void); /* for tests */

/* Makes the session invalid, cancels its open operations and takes them from their clients. Does
 * not wait for providers. False when that was done before. The caller holds a pin. */
bool session_end(struct session *session, MI_CancellationReason reason);

/* The Close slot. With a callback it returns at once, and the callback is called once all
 * operations have ended. */
MI_Result session_close(MI_Session *handle, void *data, void (*callback)(void *));

/* ---- requests (plan.c, dispatch.c) ------------------------------------------------------- */

/* What a session function asks for. */
enum request_kind {
    REQUEST_GET,
    REQUEST_ENUMERATE,
    REQUEST_QUERY, /* an enumeration whose results are looked at */
    REQUEST_CREATE,
    REQUEST_MODIFY,
    REQUEST_DELETE,
    REQUEST_INVOKE,
    REQUEST_ASSOCIATORS,
    REQUEST_REFERENCES,
    REQUEST_CLASS,
    REQUEST_CLASSES,
    REQUEST_TEST,
    REQUEST_SUBSCRIBE,
};

/* The arguments of a session function; borrowed until it returns. */
struct request_input {
    enum request_kind kind;
    const MI_Char *name_space;
    const MI_Char *class_name;
    const MI_Char *method_name;
    const MI_Char *dialect, *expression; /* of a query */
    /* Of associators and references; NULL and "" do not filter. The result class of references is
     * that of the association. */
    const MI_Char *association_class, *result_class, *role, *result_role;
    /* The instance that the request is about; for Invoke the one whose method it is. */
    const MI_Instance *instance;
    /* Of an Invoke; NULL without. */
    const MI_Instance *parameters;
    /* Zero or not: only the keys of the results are wanted; of classes, only the names. */
    MI_Boolean keys_only;
    const MI_SubscriptionDeliveryOptions *delivery; /* of a subscription; may be NULL */
};

/* One provider function to call. class_name is that of the provider's class, or of the request for
 * a dynamic provider; borrowed. */
struct step {
    struct provider *provider;
    bool entered; /* a use of the provider's module is counted for it */
    const char *class_name;
    MI_Instance *instance; /* owned; of associators and references: the object for this provider */
    struct subscription *subscription; /* owned; from indication_begin() to indication_end() */
};

/* A request that owns all it needs: a provider may read it after the caller's arguments are gone.
 * Released by plan_release(). */
struct request {
    enum request_kind kind;
    struct catalogue *catalogue;  /* that it was planned with */
    struct registration *awaited; /* while it is planned: what was loaded for it */
    char *name_space;
    char *class_name;
    char *method_name;
    const MI_MethodDecl *method; /* the module's own; NULL for a dynamic provider */
    MI_Boolean keys_only;
    char *result_class, *role, *result_role; /* of associators and references; may be NULL */
    char *bookmark;                          /* of a subscription; NULL without */
    MI_Uint32 lifecycle_types; /* of a subscription to lifecycle indications; else 0 */
    MI_Instance *instance;     /* laid out as the provider expects it */
    MI_Instance *parameters;   /* the same */
    MI_PropertySet *set;       /* owned */
    bool pass_set;             /* it is passed to the provider */
    bool project;              /* results are reduced to it and the keys */
    bool texts;                /* results have strings for numbers: their client wants no types */
    struct wql *query;         /* owned; results that it does not match are dropped */
    MI_Filter filter;          /* made of it, for providers */
    bool match;                /* enumerates, and keeps the results with the keys of instance */
    /* A result was kept; with match, further ones are dropped. */
    bool matched;
    struct step *steps; /* &first, or owned */
    struct step first;
    /* 0 for requests that the host answers by itself. */
    MI_Uint32 step_count;
    /* The steps before it have been called; equal to step_count after the last. */
    MI_Uint32 next_step;
};

/*
 * Turns input into a request that does not depend on the caller's memory. flags are the
 * operation's. The classes of GetClass and EnumerateClasses are stored in *ret_results, which the
 * caller owns. No provider
 * is called, so a refusal has no effect. INVALID_NAMESPACE, INVALID_CLASS, NOT_SUPPORTED,
 * METHOD_NOT_FOUND, METHOD_NOT_AVAILABLE, the errors of instance_convert_to() and wql_new(), or
 * SERVER_LIMITS_EXCEEDED; plan_release() must follow in every case.
 */
MI_Result plan_request(struct miguard_host *host, const struct request_input *input,
                       MI_Uint32 flags, struct request *request, struct result **ret_results);

/* The copy of an instance that a provider gets, with the namespace of the request where it has
 * none. decl NULL: for a dynamic provider, unchanged. *ret_instance is NULL or the caller's. */
MI_Result plan_take_instance(const MI_Instance *from, const MI_ClassDecl *decl,
                             const struct instance_convert *how, const char *name_space,
                             MI_Instance **ret_instance);

/* Frees what the request owns; zeroed memory is allowed. */
void plan_release(struct request *request);

/* (plan_class.c) Where a class is served. provider NULL: known, but not served. */
struct plan_class {
    struct module *module;
    const MI_ClassDecl *decl; /* the module's copy; NULL: dynamic */
    struct provider *provider;
};

/* INVALID_NAMESPACE when no module serves it, INVALID_CLASS when none of those that do knows the
 * class. All pointers are borrowed from the module. */
MI_Result plan_find_class(const struct catalogue *catalogue, const char *name_space,
                          const char *name, struct plan_class *ret_class);

/* One step for each class that is the requested one or, unless the flags say shallow, derives from
 * it. */
MI_Result plan_enumerate(const struct catalogue *catalogue, MI_Uint32 flags,
                         struct request *request);

/* One step for each provider that may report changes of instances of the class source, or of every
 * class for NULL. */
MI_Result plan_lifecycle(const struct catalogue *catalogue, const char *source,
                         struct request *request);

/* (plan_query.c) As plan_enumerate(), for the class behind FROM, after the query was read and
 * compared with that class. For a subscription that must be a class of indications, and its
 * providers are those that can enable them. */
MI_Result plan_query(const struct catalogue *catalogue, const struct request_input *input,
                     MI_Uint32 flags, struct request *request);

/* Whether a posted instance is one of the results of a query; false when that cannot be decided.
 * True for every other request. */
bool plan_selects(const struct request *request, const MI_Instance *instance);

/* (plan_association.c) One step for each association class that can lead from the object to what is
 * asked for. No step with OK when there is no such class; NOT_SUPPORTED when none of them has the
 * function; INVALID_CLASS for a class of the request that is not known. */
MI_Result plan_associated(const struct catalogue *catalogue, const struct request_input *input,
                          struct request *request);

/* Whether a posted instance is one of the results; true for every other request. */
bool plan_is_associated(const struct request *request, const MI_Instance *instance);

/* (plan_classes.c) The classes below input's, or all of the namespace; with shallow flags those
 * directly below, or those without a superclass. The caller owns the list. */
MI_Result plan_classes(const struct catalogue *catalogue, const struct request_input *input,
                       MI_Uint32 flags, struct result **ret_results);

/* Likewise the one class that input names. */
MI_Result plan_one_class(const struct catalogue *catalogue, const struct request_input *input,
                         struct result **ret_results);

/* (plan_class.c) Whether only the class itself is asked for, or those directly below it. */
bool plan_is_shallow(MI_Uint32 flags);

/* (plan.c) The next step of the request, for which there is room; its module is loaded, and is not
 * unloaded until plan_release(). class_name is borrowed. Else the errors of registry_enter(). */
MI_Result plan_step(struct request *request, struct provider *provider, const char *class_name,
                    struct step **ret_step);

/* Calls the provider function of a step on this thread, after its Load if needed. No lock is held.
 * Returns when the function returns, which may be before or after its final result. */
void dispatch_step(struct operation *operation, const struct step *step);

/* The number of provider functions that the calling thread is in: requests that providers make
 * within requests are limited by MIGUARD_HOST_MAX_NESTING. */
unsigned dispatch_depth(void);

/* Sets the depth of this thread and returns the one before, to be restored. */
unsigned dispatch_enter(unsigned depth);

/* ---- streamed outputs (stream.c) --------------------------------------------------------- */

/* WriteStreamParameter. NOT_SUPPORTED outside of a method, NO_SUCH_PROPERTY for a parameter that it
 * does not declare as streamed, TYPE_MISMATCH, SERVER_LIMITS_EXCEEDED. */
MI_Result stream_write(MI_Context *address, const MI_Char *name, const MI_Value *value,
                       MI_Type type, MI_Uint32 flags);

/* Adds what was streamed to the outputs that the provider posts. SERVER_LIMITS_EXCEEDED. */
MI_Result stream_join(struct operation *operation, MI_Instance *outputs);
void stream_free(struct operation *operation);

/* ---- subscriptions (indication.c) -------------------------------------------------------- */

/* Subscribes at the provider of the step, on the worker of the operation, which it ends where that
 * fails. No lock is held, here as in the next two. */
void indication_begin(struct operation *operation, struct step *step);

/* Undoes each indication_begin(). Does nothing for other requests. */
void indication_end(struct operation *operation);

/* PostIndication: gives a copy to each subscription whose query it matches. NOT_SUPPORTED on a
 * context that is not that of EnableIndications, SERVER_LIMITS_EXCEEDED, or the errors of
 * instance_copy(). */
MI_Result indication_post(MI_Context *address, const MI_Instance *indication, MI_Uint32 id_count,
                          const MI_Char *bookmark);

/* Gives a copy to each subscription of the provider whose query it matches: to those of its own
 * indications with types 0, else to those of one of these types of lifecycle indications. */
void indication_give(struct provider *provider, MI_Uint32 types, const MI_Instance *indication,
                     const char *bookmark);

/* The types of lifecycle indications that subscriptions want. The caller holds subscription_lock.
 */
MI_Uint32 indication_wanted_types(const struct provider *provider);

/* The context of EnableIndications, or the lifecycle context, has ended: so do its
 * subscriptions. */
void indication_over(const struct context *context, MI_Result result, const char *message);

/* ---- lifecycle indications (lifecycle.c) ------------------------------------------------- */

extern const MI_LifecycleIndicationContextFT lifecycle_ft;

/* GetLifecycleIndicationContext: the same one for each call within one Load. NOT_SUPPORTED
 * elsewhere, SERVER_LIMITS_EXCEEDED. */
MI_Result lifecycle_get(const MI_Context *address, MI_LifecycleIndicationContext **lifecycle);

/* After Unload, or a Load that failed. */
void lifecycle_end(struct provider *provider);

/* Whether the provider reports changes of one of these types. */
bool lifecycle_offers(struct provider *provider, MI_Uint32 types);

/* Calls the provider's callback if what clients want has changed. The caller has entered the
 * provider, and holds no lock. */
void lifecycle_report(struct provider *provider);

/* ---- operations (operation.c) ------------------------------------------------------------ */

/* Which result callback and which Get function belong to the operation. */
enum operation_kind { OPERATION_INSTANCE, OPERATION_INDICATION, OPERATION_CLASS };

/* Waits to be fetched or delivered. Without either item: "accepted". */
struct result {
    struct result *next;
    size_t size; /* about how much memory it takes */
    MI_Instance *instance;
    /* Of a GetClass. */
    MI_Class *class_item;
    char *bookmark; /* of an indication; NULL without */
};

enum event_kind { EVENT_MESSAGE, EVENT_PROGRESS, EVENT_ERROR, EVENT_PROMPT, EVENT_STREAM };

/* QUEUED in the operation's list; DELIVERING once the driver has taken it; DONE when the thread
 * that asked may go on. */
enum event_state { EVENT_QUEUED, EVENT_DELIVERING, EVENT_DONE };

/* Waits for the driver to call a callback other than the result's. */
struct event {
    struct event *next;
    enum event_kind kind;
    enum event_state state;
    bool owned; /* on the heap: no thread waits for it */
    bool answer_wanted;
    /* The answer is the client's; it stays false ("no") when the operation ends first. */
    bool answered;
    MI_Boolean answer;
    MI_Uint32 number; /* channel, prompt type, percent */
    MI_Uint32 seconds;
    const char *text[3]; /* owned if the event is */
    MI_Instance *error;
    const MI_Value *value; /* of a stream; borrowed from the thread that waits */
    MI_Type value_type;
};

/* A request on its way. It ends in two halves: `finished` when the provider's side is over, and
 * retired (its handle invalid) when the client's side is over too; operation_settle() decides
 * that. */
struct operation {
    struct miguard_host *host;
    struct session *session; /* pinned */
    struct operation *next;  /* the session's list, under its lock */
    struct operation *previous;
    bool listed;
    enum operation_kind kind;
    /* The client gave the matching result callback: results go there and not through Get. */
    bool async;
    /* A thread was made for it, which calls its providers; so no thread of the client does. */
    bool has_worker;
    MI_Uint32 flags;
    /* Of nesting: 0 for a client's request. */
    unsigned depth;
    /* Of a provider's request: who its thread was at the start; NULL: not known. */
    struct miguard_target *nested_client;
    /* A copy: the client may reuse its own after the start. */
    MI_OperationCallbacks callbacks;
    MI_OperationOptions options; /* a copy; ft NULL without options */
    uint64_t timeout_ms;         /* 0: no time-out */
    /* As the options set it; REPORT is answered at once with prompt_default, IGNORE without a
     * callback. */
    MI_CallbackMode prompt_mode;
    /* The answer to a prompt that is not asked; true unless the options say otherwise. */
    MI_Boolean prompt_default;
    /* Planned before the operation is published; only next_step and matched change afterwards, and
     * these under the lock. */
    struct request request;

    pthread_mutex_t lock; /* for everything below */
    /* Anything below has changed: a result, an event, an answer, the end, the driver. */
    pthread_cond_t changed;
    bool driving; /* by the thread in driver */
    pthread_t driver;
    /* The driver is in a function of a provider, or on its way there. */
    bool in_provider;
    /* The driver delivers, in a callback or between two; then another cannot take its place. */
    bool delivering;
    /* The driver has released the lock to call the client: nothing else may be delivered now. */
    bool in_callback;
    /* REPORT: the client is informed of errors; INQUIRE: it is asked. */
    MI_CallbackMode error_mode;
    int prompt_all; /* 0, or MI_OperationCallback_ResponseType_...ToAll */
    int error_all;
    struct context *context; /* of the step that is not finished */
    struct result *results, **results_end;
    /* At most MIGUARD_HOST_MAX_RESULTS, and MIGUARD_HOST_MAX_RESULT_BYTES. */
    MI_Uint32 result_count;
    size_t result_bytes;
    unsigned waiting_posts; /* threads of providers that wait until results are taken */
    /* The queue, in the order of posting. */
    struct event *events, **events_end;
    MI_Uint32 event_count;
    struct event *question; /* that waits for its answer */
    struct event *streamed; /* whose callback runs, or is not acknowledged */
    struct result *current; /* valid for the client that fetched it, until the next */
    /* MANUAL_ACK: the last result was delivered and not acknowledged; the next one waits for
     * that. */
    bool ack_pending;
    struct stream *streams; /* what was streamed for a client without a callback for it */
    MI_Result lost;         /* why a post was dropped: then the operation must not report success */
    /* No result is accepted any more; the three members below are the final ones. */
    bool finished;
    MI_Result result;
    char *message;
    MI_Instance *details;
    /* By the client, a time-out or the end of the session. The provider is informed and may still
     * post. */
    bool cancelled;
    /* Valid once `cancelled` is true. The provider's posts are dropped, and after this time on
     * clock_now_ms() refused. */
    MI_CancellationReason reason;
    int64_t patience_end;
    bool grace;     /* run_grace() was there */
    bool closed;    /* the handle only serves to acknowledge */
    bool complete;  /* async: the final callback has returned */
    bool abandoned; /* the session has ended: no client is left to acknowledge */
};

extern const MI_OperationFT operation_ft;

/* The arguments of a session function, as its caller gave them; borrowed until it returns. */
struct operation_start {
    MI_Session *session;
    MI_Uint32 flags;
    MI_OperationOptions *options;
    MI_OperationCallbacks *callbacks;
    MI_Operation *operation;
    enum operation_kind kind;
    struct request_input input;
};

/* The common part of all starters: checks, plans, publishes and starts the operation. A failure is
 * reported through start->operation and the callback only, since starters return nothing. */
void operation_start(const struct operation_start *start);

/* Zeroed, unpublished and pinned once; NULL at MIGUARD_HOST_MAX_OPERATIONS or without memory. */
struct operation *operation_allocate(void);

/* From here on the handle works. */
void operation_publish(struct operation *operation);

/* From here on the handle is invalid; the memory stays until the last pin is released. */
void operation_retire(struct operation *operation);
uint32_t operation_in_use(void); /* for tests */
MI_Operation operation_handle(const struct operation *operation);

/* The operation that the handle names, pinned, or NULL. */
struct operation *operation_acquire(const MI_Operation *handle);

/* Releases a pin. The last one after operation_retire() destroys the operation. */
void operation_release(struct operation *operation);
void operation_unpin(struct operation *const *operation); /* for ON_LEAVING; NULL is ignored */

/* One more pin; the caller holds one, or a lock that keeps the operation listed. */
void operation_pin(struct operation *operation);

/* (operation_step.c) For session_end(): cancels, and takes the operation from its client. The
 * caller holds a pin. */
void operation_abandon(struct operation *operation, MI_CancellationReason reason);

/* Once only; a later call does nothing. Calls the provider's cancel callback on this thread;
 * without one the operation ends at once, or when the provider function that is running returns.
 * The caller holds a pin and no lock. */
void operation_cancel(struct operation *operation, MI_CancellationReason reason);

/* Ends the provider's side, once: a later call only frees its arguments. Takes over message and
 * details. The caller holds the lock, as for the next two. */
void operation_finish(struct operation *operation, MI_Result result, char *message,
                      MI_Instance *details);

/* Retires the operation if neither client nor driver needs its handle any more. */
void operation_settle(struct operation *operation);

/* Takes over result. */
void operation_append(struct operation *operation, struct result *result);

/* The first result, which is the caller's now, or NULL. A post that waits for room goes on. */
struct result *operation_take(struct operation *operation);

/* Makes context that of the running step. False when the operation has ended before: then the
 * provider must not be called. Without the lock, as the next three. */
bool operation_attach(struct operation *operation, struct context *context);

/* The provider function has returned. A cancelled request whose provider cannot be informed ends
 * here. */
void operation_returned(struct operation *operation, struct context *context);

/* The step has its final result: the operation ends on an error or with the last step. Takes over
 * message and details. */
void operation_step_done(struct operation *operation, struct context *context, MI_Result result,
                         char *message, MI_Instance *details);

/* Copies a posted instance for the client. Waits for the client's callback when this thread is the
 * driver, and while the client has more to fetch than a few (flow control), but not beyond the end
 * of the operation. */
MI_Result operation_post(struct operation *operation, struct context *context,
                         const MI_Instance *instance);

/* (operation_new.c) A published operation, pinned once for the caller, with its request planned and
 * nothing started. INVALID_PARAMETER for a session that has ended, SERVER_LIMITS_EXCEEDED, or the
 * errors of plan_request(). */
MI_Result operation_new(const struct operation_start *start, struct operation **ret_operation);

/* The slot table's destructor. Releases the session. */
void operation_destroy(void *object);
void operation_unlist(struct operation *operation); /* the caller holds the session's lock */

/* (operation_error.c) Refuses to start: fills the handle with one that answers result, and calls
 * the callback on this thread, before the starter returns (MI_Session_... in MI.h return nothing,
 * so this is the only channel). */
void operation_refuse(const struct operation_start *start, MI_Result result);

/* (options_use.c) Copies the caller's options and reads those that the host honours. options may be
 * NULL. NOT_SUPPORTED for an option that must be honoured and is not known, INVALID_PARAMETER for
 * options of another library or deleted ones. */
MI_Result operation_take_options(struct operation *operation, const MI_OperationOptions *options);
/* True, with the locale copied into an array of MI_MAX_LOCALE_SIZE, if the client set one. */
bool operation_locale(const struct operation *operation, MI_LocaleType type, MI_Char *ret_locale);

/* Whether the client takes messages of this channel; true without options. */
bool operation_channel_enabled(const struct operation *operation, MI_Uint32 channel);
/* The index-th option meant for providers; false past the end. */
bool operation_custom_option(const struct operation *operation, MI_Uint32 index,
                             const char **ret_name, MI_Type *ret_type, MI_Value *ret_value);

/* (run.c) Makes this thread the driver. The caller holds the lock, as for the next four, and has
 * seen that the operation is not driven. */
void run_claim(struct operation *operation);

/* Ends that and wakes those that wait to drive. */
void run_unclaim(struct operation *operation);

/* Whether this thread is the driver; then waiting for the driver would never end. */
bool run_is_driver(const struct operation *operation);

/* Calls one provider after the other until one has not posted its final result or the operation
 * ends. */
void run_steps(struct operation *operation);
/* Calls way() as the driver; the caller holds the lock. */
void run_driven(struct operation *operation, void (*way)(struct operation *));

/* Drives the operation on this thread as far as it goes: the start of a synchronous one. Without
 * the lock. */
void run_here(struct operation *operation);

/* Starts the driver thread of an asynchronous operation, or of a synchronous one that needs it,
 * under the caller's credentials. False without resources. */
bool run_worker(struct operation *operation);

/* Whether a synchronous operation gets a worker too: one with a time-out, which its client must see
 * even if the provider never returns; and one with any number of results, so that its provider can
 * wait until they are fetched. */
bool run_needs_worker(const struct operation *operation);

/* Starts the thread of the time-out, likewise. */
bool run_timer(struct operation *operation);

/* After operation_cancel(), and without a lock: the client sees the end at the latest when
 * load_timeout_ms have passed, whatever the provider does. On a thread with the caller's
 * credentials; where none can be made, a client that fetches sees the end at once. */
void run_grace(struct operation *operation);

/* (deliver.c) Calls the callbacks that are due; the driver holds the lock, released for each call.
 * Nothing is delivered within a callback of the same operation. */
void deliver_pending(struct operation *operation);

/* Whether the only result left is to be delivered together with the final one. The caller holds the
 * lock. */
bool deliver_waits_for_final(const struct operation *operation);

/* The last result callback, with moreResults false; exactly once for each asynchronous
 * operation. */
void deliver_final(struct operation *operation);

/* Given to the client as resultAcknowledgement. A second call for one result does nothing. */
MI_Result deliver_acknowledge(MI_Operation *handle);

/* Given to the client as promptUserResult and writeErrorResult. INVALID_PARAMETER when no question
 * is open, or it was answered. */
MI_Result deliver_answer(MI_Operation *handle, MI_OperationCallback_ResponseType response);

/* (event.c) Queues an event and waits until it is handled, unless it is owned. Takes over an
 * owned event. Dropped when the operation is over or the queue is full; a question is then
 * answered "no". */
void event_post(struct operation *operation, struct event *event);

/* Frees an owned event. */
void event_free(struct event *event);

/* (result.c) What the client gets for a posted instance: a copy, reduced to what was asked for,
 * with the namespace of the request. copies are those of the module whose instance it is; NULL for
 * one that is independent of modules. SERVER_LIMITS_EXCEEDED or the errors of instance_copy(). */
MI_Result result_new(const struct request *request, const MI_Instance *posted,
                     const struct decl_copy *copies, struct result **ret_result);

/* Then the types of the client's flags: without any, where it asks for that. The errors of
 * instance_texts(). */
MI_Result result_as_wanted(const struct request *request, struct result *item);

/* NULL is ignored. */
void result_free(struct result *result);

/* ---- applications (application.c) -------------------------------------------------------- */

extern const MI_ApplicationFT application_ft;

/* The one application, for sessions and for programs without a server. It is never closed. */
MI_Application application_handle(void);

/* The result for a code that a provider gave: 0 to 28 without 18 and 19, the numbers of MI_Result;
 * anything else is FAILED. */
MI_Result host_result(MI_Uint32 code);

#endif
