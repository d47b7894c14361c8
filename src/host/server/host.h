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
 * Locks, taken in this order: context, session, operation, host. No lock is held while a provider
 * function or a callback runs.
 */
#ifndef HOST_SERVER_HOST_H
#define HOST_SERVER_HOST_H

#include <MI.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/entry.h"
#include "base/slots.h"
#include "miguard/host.h"

struct context;
struct operation;
struct session;

/* ---- modules and their providers (module.c, provider.c) ---------------------------------- */

enum provider_state {
    PROVIDER_IDLE,    /* Load has not been called, or failed */
    PROVIDER_LOADING, /* on the thread in loader */
    PROVIDER_READY,
    PROVIDER_BROKEN, /* Load did not post in time: its state is unknown */
    PROVIDER_GONE,   /* unloaded */
};

struct provider {
    struct module *module;
    const MI_ClassDecl *decl; /* NULL: serves the classes that its module's schema does not know */
    const MI_ProviderFT *ft;
    void *self;
    atomic_int state; /* written under the host's lock */
    pthread_t loader;
    atomic_bool refuse_unload;
    struct provider *loaded_before; /* the host's list, last loaded first */
};

struct module {
    struct module *next; /* in the order of loading */
    struct miguard_host *host;
    void *library; /* dlopen(3)'s, NULL for a module that is linked in */
    MI_Module *mi;
    MI_Module_Self *self;
    char *name_space; /* NULL: every one */
    struct provider *providers;
    MI_Uint32 provider_count;
    /* Provider code may still run on a thread of its own: never unload or unmap. */
    atomic_bool abandoned;
};

/* An empty module. Takes over library, also on failure. */
enum miguard_status module_new(struct miguard_host *host, void *library, const char *name_space,
                               struct module **ret_module, struct miguard_error *reterr);
enum miguard_status module_open(const char *path, void **ret_library,
                                MI_MainFunction *ret_main_function, struct miguard_error *reterr);
/* What is wrong with a module, or NULL. */
const char *module_fault(const MI_Module *mi);
/* Makes the providers of what MI_Main() returned and module_fault() accepts. */
enum miguard_status module_take(struct module *module, MI_Module *mi, struct miguard_error *reterr);
enum miguard_status module_load(struct module *module, struct miguard_error *reterr);
void module_unload(struct module *module);
void module_free(struct module *module);
bool module_serves(const struct module *module, const char *name_space);
struct provider *module_provider(const struct module *module, const MI_ClassDecl *decl);

/* Calls the provider's Load unless that was done. OK or the result that the request fails with. */
MI_Result provider_ready(struct provider *provider);
/* Unloads the provider that was loaded last; false when no provider is left. */
bool provider_unload_last(struct miguard_host *host);

/* ---- the host (host.c) ------------------------------------------------------------------- */

struct miguard_host {
    struct miguard_host_options options;
    uint64_t epoch; /* process_epoch() of the process that made it */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct module *modules;
    struct provider *loaded;  /* last loaded first */
    struct session *sessions; /* of clients */
    uint64_t references;      /* sessions, and contexts without an operation */
    bool unloading;
    _Atomic uint64_t provider_calls;
};

void host_retain(struct miguard_host *host);
void host_release(struct miguard_host *host);

/* A condition variable on the monotonic clock, and a time on it. */

/* (thread.c) Starts a detached thread that blocks every signal and has the credentials of the
 * caller. */
bool host_thread(void *(*function)(void *), void *argument);

/* ---- the table for providers (server_table.c) ------------------------------------------- */

extern const MI_ContextFT context_ft;
MI_Server *server_table(void);

/* ---- contexts (context.c) ---------------------------------------------------------------- */

enum context_kind {
    CONTEXT_REQUEST,
    CONTEXT_MODULE_LOAD,
    CONTEXT_MODULE_UNLOAD,
    CONTEXT_PROVIDER_LOAD,
    CONTEXT_PROVIDER_UNLOAD,
};

/*
 * Contexts are named by address, and providers use them late and on any thread. Their memory is
 * therefore never freed, and a word in it, which only atomic operations change, has whether the
 * context lives and the number of calls inside it.
 */
struct context {
    MI_Context base; /* first: what the provider sees */
    _Atomic uint32_t state;
    pthread_mutex_t lock; /* for session and outcome; made once with the memory */
    pthread_cond_t changed;
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
    bool posted;
    MI_Result result;
};

/* A live context, pinned once for the caller; NULL when out of memory or at the limit. */
struct context *context_new(enum context_kind kind, struct module *module,
                            struct provider *provider, struct operation *operation);

/* Finds and pins the live context at this address, or NULL. Touches no freed memory. */
struct context *context_pin(const MI_Context *address);
void context_unpin(struct context *context);
/* For ON_LEAVING; NULL is ignored. The second also ends the context: for a Load or Unload, which is
 * over when its function is left. */
void context_let_go(struct context *const *context);
void context_close(struct context *const *context);

/* Posts the one final result; takes over message and details. INVALID_PARAMETER when there was one
 * before. The caller holds a pin. */
MI_Result context_finish(struct context *context, MI_Result result, char *message,
                         MI_Instance *details);

/* Waits for the final result of a Load or Unload, then ends the context. False when it did not come
 * in time. */
bool context_await(struct context *context, unsigned milliseconds, MI_Result *ret_result);

/* Ends the contexts of host in which no provider function is running, and marks their modules. */
void context_abandon_idle(struct miguard_host *host);

bool context_is_live(const struct context *context);

/* For tests: contexts that are not free. */
uint32_t context_in_use(void);

/* (context_post.c) The slots that answer for a request; the rest are in context_table.c. */
MI_Result context_post_result(MI_Context *address, MI_Result result);
MI_Result context_post_instance(MI_Context *address, const MI_Instance *instance);
MI_Result context_post_error(MI_Context *address, MI_Uint32 code, const MI_Char *type,
                             const MI_Char *message);
MI_Result context_post_cim_error(MI_Context *address, const MI_Instance *error);
MI_Result context_get_local_session(const MI_Context *address, MI_Session *session);
MI_Result context_register_cancel(MI_Context *address, MI_CancelCallback callback, void *data);

/* (context_write.c) */
MI_Result context_write_message(MI_Context *address, MI_Uint32 channel, const MI_Char *message);
MI_Result context_write_progress(MI_Context *address, const MI_Char *activity,
                                 const MI_Char *current, const MI_Char *description,
                                 MI_Uint32 percent, MI_Uint32 seconds);
MI_Result context_write_cim_error(MI_Context *address, const MI_Instance *error, MI_Boolean *flag);
MI_Result context_write_error(MI_Context *address, MI_Uint32 code, const MI_Char *type,
                              const MI_Char *message, MI_Boolean *flag);
MI_Result context_prompt_user(MI_Context *address, const MI_Char *message, MI_PromptType type,
                              MI_Boolean *flag);
MI_Result context_should_process(MI_Context *address, const MI_Char *target, const MI_Char *action,
                                 MI_Boolean *flag);
MI_Result context_should_continue(MI_Context *address, const MI_Char *message, MI_Boolean *flag);

/* ---- sessions (session.c, session_table.c) ----------------------------------------------- */

struct session {
    struct miguard_host *host;
    bool local;     /* a provider's, which cannot close it */
    unsigned depth; /* of nesting, for the requests made through it */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool ended;
    struct operation *operations; /* not ended yet */
    uint64_t operation_count;     /* not destroyed yet */
    struct session *next;         /* the host's list of clients' sessions, under its lock */
    struct session *previous;
    bool listed;
};

extern const MI_SessionFT session_ft;

/* A session pinned once for the caller, or NULL. */
struct session *session_new(struct miguard_host *host, bool local, unsigned depth);
struct session *session_acquire(const MI_Session *handle);
MI_Session session_handle(const struct session *session);
void session_unlist(struct session *session); /* the caller holds the host's lock */
void session_release(struct session *session);
uint32_t session_in_use(void); /* for tests */

/* Makes the session invalid, cancels its open operations and takes them from their clients. False
 * when that was done before. Does not wait. */
bool session_end(struct session *session, MI_CancellationReason reason);
MI_Result session_close(MI_Session *handle, void *data, void (*callback)(void *));

/* ---- requests (plan.c, dispatch.c) ------------------------------------------------------- */

enum request_kind {
    REQUEST_GET,
    REQUEST_ENUMERATE,
    REQUEST_CREATE,
    REQUEST_MODIFY,
    REQUEST_DELETE,
    REQUEST_INVOKE,
    REQUEST_CLASS,
    REQUEST_TEST,
    REQUEST_UNSERVED, /* refused in any case */
};

/* The arguments of a session function; borrowed until it returns. */
struct request_input {
    enum request_kind kind;
    const MI_Char *name_space;
    const MI_Char *class_name;
    const MI_Char *method_name;
    const MI_Instance *instance;
    const MI_Instance *parameters;
    MI_Boolean keys_only;
    bool sound; /* an UNSERVED request: whether its required arguments are set */
};

/* One provider function to call. */
struct step {
    struct provider *provider;
    const char *class_name;
};

struct request {
    enum request_kind kind;
    char *name_space;
    char *class_name;
    char *method_name;
    const MI_MethodDecl *method; /* NULL for a dynamic provider */
    MI_Boolean keys_only;
    MI_Instance *instance;   /* laid out as the provider expects it */
    MI_Instance *parameters; /* the same */
    MI_PropertySet *set;     /* owned */
    bool pass_set;           /* it is passed to the provider */
    bool project;            /* results are reduced to it and the keys */
    bool match;              /* enumerates, and keeps the results with the keys of instance */
    bool matched;
    struct step *steps; /* &first, or owned */
    struct step first;
    MI_Uint32 step_count;
    MI_Uint32 next_step;
};

/* Turns input into a request that does not depend on the caller's memory. flags are the
 * operation's. The result of a GetClass is stored in *ret_class. */
MI_Result plan_request(struct miguard_host *host, const struct request_input *input,
                       MI_Uint32 flags, struct request *request, MI_Class **ret_class);
void plan_release(struct request *request);

/* (plan_class.c) Where a class is served. provider NULL: known, but not served. */
struct plan_class {
    struct module *module;
    const MI_ClassDecl *decl; /* NULL: dynamic */
    struct provider *provider;
};
MI_Result plan_find_class(struct miguard_host *host, const char *name_space, const char *name,
                          struct plan_class *ret_class);
MI_Result plan_enumerate(struct miguard_host *host, MI_Uint32 flags, struct request *request);

/* Calls the provider function of a step on this thread. No lock is held. */
void dispatch_step(struct operation *operation, const struct step *step);

/* The number of provider functions that the calling thread is in. */
unsigned dispatch_depth(void);
unsigned dispatch_enter(unsigned depth);

/* ---- operations (operation.c) ------------------------------------------------------------ */

enum operation_kind { OPERATION_INSTANCE, OPERATION_INDICATION, OPERATION_CLASS };

/* Waits to be fetched or delivered. Without either item: "accepted". */
struct result {
    struct result *next;
    MI_Instance *instance;
    MI_Class *class_item;
};

enum event_kind { EVENT_MESSAGE, EVENT_PROGRESS, EVENT_ERROR, EVENT_PROMPT };
enum event_state { EVENT_QUEUED, EVENT_DELIVERING, EVENT_DONE };

/* Waits for the driver to call a callback other than the result's. */
struct event {
    struct event *next;
    enum event_kind kind;
    enum event_state state;
    bool owned; /* on the heap: no thread waits for it */
    bool answer_wanted;
    bool answered;
    MI_Boolean answer;
    MI_Uint32 number; /* channel, prompt type, percent */
    MI_Uint32 seconds;
    const char *text[3]; /* owned if the event is */
    MI_Instance *error;
};

struct operation {
    struct miguard_host *host;
    struct session *session; /* pinned */
    struct operation *next;  /* the session's list, under its lock */
    struct operation *previous;
    bool listed;
    enum operation_kind kind;
    bool async;
    MI_Uint32 flags;
    unsigned depth;
    MI_OperationCallbacks callbacks;
    MI_OperationOptions options; /* a copy; ft NULL without options */
    uint64_t timeout_ms;         /* 0: no time-out */
    MI_CallbackMode prompt_mode;
    MI_Boolean prompt_default;
    struct request request;

    pthread_mutex_t lock; /* for everything below */
    pthread_cond_t changed;
    bool driving; /* by the thread in driver */
    pthread_t driver;
    bool in_callback;
    MI_CallbackMode error_mode;
    int prompt_all; /* 0, or MI_OperationCallback_ResponseType_...ToAll */
    int error_all;
    struct context *context; /* of the step that is not finished */
    struct result *results, **results_end;
    MI_Uint32 result_count;
    struct event *events, **events_end;
    MI_Uint32 event_count;
    struct event *question; /* that waits for its answer */
    struct result *current; /* valid for the client that fetched it, until the next */
    bool ack_pending;
    MI_Result lost; /* why a post was dropped: then the operation must not report success */
    bool finished;
    MI_Result result;
    char *message;
    MI_Instance *details;
    bool cancelled;
    MI_CancellationReason reason;
    bool closed;    /* the handle only serves to acknowledge */
    bool complete;  /* async: the final callback has returned */
    bool abandoned; /* the session has ended: no client is left to acknowledge */
};

extern const MI_OperationFT operation_ft;

struct operation_start {
    MI_Session *session;
    MI_Uint32 flags;
    MI_OperationOptions *options;
    MI_OperationCallbacks *callbacks;
    MI_Operation *operation;
    enum operation_kind kind;
    struct request_input input;
};

/* The common part of all starters. Answers through start->operation and the callback only. */
void operation_start(const struct operation_start *start);

struct operation *operation_allocate(void);
void operation_publish(struct operation *operation);
void operation_retire(struct operation *operation);
uint32_t operation_in_use(void); /* for tests */
MI_Operation operation_handle(const struct operation *operation);
struct operation *operation_acquire(const MI_Operation *handle);
void operation_release(struct operation *operation);
void operation_unpin(struct operation *const *operation); /* for ON_LEAVING; NULL is ignored */
void operation_pin(struct operation *operation);

/* (operation_step.c) For session_end(). The caller holds a pin. */
void operation_abandon(struct operation *operation, MI_CancellationReason reason);
void operation_cancel(struct operation *operation, MI_CancellationReason reason);

/* The caller holds the lock: */
void operation_finish(struct operation *operation, MI_Result result, char *message,
                      MI_Instance *details);
void operation_settle(struct operation *operation);
void operation_append(struct operation *operation, struct result *result);

/* From contexts and steps, without the lock: */
bool operation_attach(struct operation *operation, struct context *context);
void operation_returned(struct operation *operation, struct context *context);
void operation_step_done(struct operation *operation, struct context *context, MI_Result result,
                         char *message, MI_Instance *details);
MI_Result operation_post(struct operation *operation, struct context *context,
                         const MI_Instance *instance);

/* (operation_new.c) */
MI_Result operation_new(const struct operation_start *start, struct operation **ret_operation);
void operation_destroy(void *object);
void operation_unlist(struct operation *operation); /* the caller holds the session's lock */

/* (operation_error.c) Refuses to start: fills the handle and calls the callback. */
void operation_refuse(const struct operation_start *start, MI_Result result);

/* (options_use.c) Copies the caller's options and reads those that the host honours. */
MI_Result operation_take_options(struct operation *operation, const MI_OperationOptions *options);
/* True, with the locale copied into an array of MI_MAX_LOCALE_SIZE, if the client set one. */
bool operation_locale(const struct operation *operation, MI_LocaleType type, MI_Char *ret_locale);
bool operation_channel_enabled(const struct operation *operation, MI_Uint32 channel);
/* The index-th option meant for providers; false past the end. */
bool operation_custom_option(const struct operation *operation, MI_Uint32 index,
                             const char **ret_name, MI_Type *ret_type, MI_Value *ret_value);

/* (run.c) The caller holds the lock, and this thread has claimed the driving: */
void run_claim(struct operation *operation);
void run_unclaim(struct operation *operation);
bool run_is_driver(const struct operation *operation);
void run_steps(struct operation *operation);
/* Calls way() as the driver; the caller holds the lock. */
void run_driven(struct operation *operation, void (*way)(struct operation *));
/* Without the lock: */
void run_here(struct operation *operation);
bool run_worker(struct operation *operation);
bool run_timer(struct operation *operation);

/* (deliver.c) Calls the callbacks that are due; the driver holds the lock, released for
 * each call. */
void deliver_pending(struct operation *operation);
void deliver_final(struct operation *operation);
MI_Result deliver_acknowledge(MI_Operation *handle);
MI_Result deliver_answer(MI_Operation *handle, MI_OperationCallback_ResponseType response);

/* (event.c) Queues an event and waits until it is handled, unless it is owned. Takes over an owned
 * event. */
void event_post(struct operation *operation, struct event *event);
void event_free(struct event *event);

/* (result.c) */
MI_Result result_new(const struct request *request, const MI_Instance *posted,
                     struct result **ret_result);
void result_free(struct result *result);

/* ---- applications (application.c) -------------------------------------------------------- */

extern const MI_ApplicationFT application_ft;
MI_Application application_handle(void);

/* Result codes: 0 to 28 without 18 and 19; anything else is FAILED. */
MI_Result host_result(MI_Uint32 code);

#endif
