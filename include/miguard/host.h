/* SPDX-License-Identifier: MIT */
/*
 * The embedded CIM server: it loads provider modules and serves MI sessions to them, in process.
 *
 * Requests run on the thread that makes them, or on a thread that it creates for them, so a
 * provider always runs with the credentials of the caller. (The kernel copies all of them but the
 * keyring of a single thread, thread-keyring(7), which is not there on another.) The host knows
 * nothing of identities or guards; miguard_host_options.wrap is where a gateway comes in, and
 * miguard_host_set_clients() where who asks does.
 */
#ifndef MIGUARD_HOST_H
#define MIGUARD_HOST_H

#include <MI.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct miguard_host;

struct miguard_host_options {
    /*
     * Called each time a module is loaded with the return value of its MI_Main(); its own return
     * value is served instead, until the module is unloaded. NULL: no wrapper; returning NULL
     * refuses the module. Several threads may call it at a time.
     */
    MI_Module *(*wrap)(MI_Server *server, MI_Module *module);
    /*
     * Milliseconds that a Load or Unload may take, after it has returned, until it posts its
     * result; that a provider has after a cancellation before its client gets the end without it;
     * and that miguard_host_free() waits for a provider that has returned from a request without
     * answering it, and then again for one that has not returned. 0 means 10,000.
     */
    unsigned load_timeout_ms;
    /*
     * Milliseconds after its last request after which the provider of a class is unloaded; its next
     * request loads it again. 0 means 90,000, MIGUARD_HOST_KEEP_LOADED never. A provider prevents
     * it by MI_Context_RefuseUnload(). A module that was loaded from a file is unloaded and
     * unmapped, too, this time after its last operation was closed, when none of its providers is
     * loaded; a request loads it again before its starter returns. Load, Unload and the library's
     * constructors then run on threads that the first successful miguard_host_load() or
     * miguard_host_add() starts, with all signals blocked and the credentials of its caller.
     * What clients have of a module, as instances and classes, outlives it.
     */
    unsigned idle_unload_ms;
};

#define MIGUARD_HOST_KEEP_LOADED UINT32_MAX

/*
 * Limits. The first three are of the process, whatever the number of hosts. Where one is reached
 * the answer is MI_RESULT_SERVER_LIMITS_EXCEEDED.
 */
#define MIGUARD_HOST_MAX_OPERATIONS 65536 /* open, or with a provider that has not answered */
#define MIGUARD_HOST_MAX_SESSIONS   65536
#define MIGUARD_HOST_MAX_CONTEXTS   65536
#define MIGUARD_HOST_MAX_NESTING    64     /* requests that providers make within requests */
#define MIGUARD_HOST_MAX_RESULTS    131072 /* of one operation, posted and not yet fetched */
/* Bytes of these, and of one instance that is posted or given to a session. Both are estimates of
 * the memory that the values take. */
#define MIGUARD_HOST_MAX_RESULT_BYTES   67108864
#define MIGUARD_HOST_MAX_INSTANCE_BYTES 16777216
#define MIGUARD_HOST_MAX_DEPTH          32 /* instances within an instance */

/*
 * How the host runs requests, where the MI API leaves a choice:
 * - Several modules may declare classes of one tree; each has the declarations of its superclasses,
 *   and an instance is of the class that its own module declares. Where several have a provider for
 *   a class in one namespace, the one that was registered first serves it, by its declaration,
 *   whether the others declare the same or not, and whether it is loaded at the moment; without a
 *   provider the first declaration counts. A deep enumeration calls each class once.
 * - A module's Unload must have ended its threads when it posts its result, and what calls its code
 *   later, as destructors of thread-specific data: then its library is unmapped. One that cannot
 *   do so calls MI_Context_RefuseUnload() in the Load of a class, or is linked with -z nodelete;
 *   then MI_Main() and Load are called again in the same memory.
 * - A synchronous operation for one object calls the provider before its starter returns. A
 * provider may answer later, from any thread; then MI_Operation_Get...() waits.
 * - A synchronous operation that may have any number of results (enumeration, query, associators,
 *   references), or has a time-out, calls its providers on one thread created by the starter, with
 *   all signals blocked and the caller's credentials.
 * - An asynchronous one (with the result callback of its kind) runs on such a thread, too. All its
 *   callbacks run there. A question of a provider (PromptUser...) waits until that thread, or for a
 *   synchronous operation without one a thread in its starter or in Get..., can ask it.
 * - Flow control: PostInstance waits while its client has more than 1,024 results or 4 MiB to
 * fetch, until some are fetched, or the operation is closed or cancelled. Where no other thread
 * could fetch them meanwhile (a request for one object that runs on the thread of its client, a
 * thread that a provider waits for in its function), it does not wait, and the limits above count.
 * - A subscription lasts until its client ends it, or its provider does by a final result on the
 *   context of EnableIndications. The provider is enabled for the first subscription of a class and
 *   disabled after the last; Subscribe, Unsubscribe and DisableIndications have load_timeout_ms to
 *   post their result. PostIndication does not wait: a client that has 4,096 indications to fetch
 *   is ended with MI_RESULT_SERVER_LIMITS_EXCEEDED. Delivery is by pull; to push is
 *   MI_RESULT_NOT_SUPPORTED.
 * - A lifecycle context is given to a provider in its Load, and ends after its Unload. What it
 * posts goes to subscriptions to CIM_InstIndication and the classes that derive from it, likewise.
 * - Cancel calls the function that the provider registered. If it registered none and has returned,
 *   the operation ends at once with MI_RESULT_FAILED; later posts are dropped.
 *   Otherwise it ends when the provider answers, or with MI_RESULT_FAILED load_timeout_ms after the
 *   cancellation (Cancel, Close of an asynchronous one, the end of the session), also while the
 *   provider does not return. The callbacks of an asynchronous one then end on a thread with the
 *   credentials of the one that cancelled it. Until then posts are dropped with MI_RESULT_OK;
 *   afterwards the answer is MI_RESULT_INVALID_PARAMETER, so that a provider which looks at it
 *   only stops. One that never ends keeps its thread, context and operation, which count for the
 *   limits above, and its module is not unloaded. A function on the thread of its client (a
 *   request for one object without time-out) keeps that thread.
 * - MI_Session_Close() calls back when the last operation has ended with its provider; after
 *   load_timeout_ms when the final callbacks of all of them have returned.
 * - The time-out option ends an operation with MI_RESULT_FAILED after cancelling it, also while its
 *   provider does not return; the category of the CIM_Error is OPERATION_TIMEOUT. Then the
 * callbacks of an asynchronous one end on the thread of the time-out, which has the caller's
 * credentials. One of more than 100,000 days is MI_RESULT_INVALID_OPERATION_TIMEOUT.
 * - An option that must be complied with and that the server does not act on, as a resource URI, is
 *   MI_RESULT_NOT_SUPPORTED.
 * - MI_OPERATIONFLAGS_NO_RTTI alone: each number, boolean and datetime of a result is a string, and
 * a value that has no text (NaN) makes the operation end with MI_RESULT_NOT_SUPPORTED. With any
 * other flag of that group, and without one, each element has its declared type and each class its
 *   superclasses. The flags of polymorphism concern enumerations and queries, and the shallow one
 *   EnumerateClasses. Localized qualifiers and expensive properties are those that providers give,
 *   with and without these flags, and bits without a meaning are ignored.
 * - A post that was dropped for lack of memory makes the operation fail in the end, even if the
 *   provider reports success.
 * - Only Get... waits for a provider: Close cancels and detaches.
 */

/*
 * Makes a host without modules. options may be NULL. From then on the library stays in memory.
 * Errors: INVALID_ARGUMENT, NO_MEMORY, NOT_SUPPORTED (that is impossible). Thread safe.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_host_new(const struct miguard_host_options *options, struct miguard_host **ret_host,
                 struct miguard_error *reterr);

/*
 * Maps the provider library at path, calls its MI_Main() and its module Load, and serves its
 * classes in the namespace name_space; NULL or "*" means in every namespace.
 *
 * path must contain a slash, so that no search path is used. Errors: INVALID_ARGUMENT, NOT_FOUND,
 * BAD_MODULE (not a library, no MI_Main, newer version, other character size, an invalid
 * declaration, refused by wrap, Load failed or did not post in time; detail says which), NO_MEMORY,
 * BAD_STATE (another thread loads the file for too long, or a forked child). The host is unchanged
 * on failure. Thread safe, also while requests run.
 *
 * A file that is registered in the namespace already is loaded anew if it has changed: the new one
 * serves from then on, with what it declares, and the old one is unloaded when its last operation
 * is closed, whatever idle_unload_ms is. Replace a file by rename(2): one that was written to while
 * it is loaded is BAD_MODULE. A file that changed while it was not loaded counts without that.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status miguard_host_load(struct miguard_host *host,
                                                                  const char *path,
                                                                  const char *name_space,
                                                                  struct miguard_error *reterr);

/* As miguard_host_load() for a module that is linked in: main_function is its MI_Main. */
MIGUARD_API MIGUARD_CHECKED enum miguard_status miguard_host_add(struct miguard_host *host,
                                                                 MI_MainFunction main_function,
                                                                 const char *name_space,
                                                                 struct miguard_error *reterr);

/*
 * A session to this host, for a client outside any provider. Unlike the session a provider gets
 * it may be closed with MI_Session_Close(). Errors: INVALID_ARGUMENT, NO_MEMORY. Thread safe.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status miguard_host_session(struct miguard_host *host,
                                                                     MI_Session *ret_session,
                                                                     struct miguard_error *reterr);

/* ---- who asks ---------------------------------------------------------------------------------
 */

/* Who a client is: to the host no more than a pointer. <miguard/switch.h> makes them. */
struct miguard_target;

/*
 * What the host does with clients. With libmiguard the three are those of MIGUARD_HOST_CLIENTS.
 * Called on any thread, by several at a time, with no lock of the host held.
 */
struct miguard_host_clients {
    size_t size; /* sizeof(struct miguard_host_clients) of the caller's header */
    /* Who the calling thread is: asked as a provider starts a request, of which it is the client.
     * Where it fails the request is refused with MI_RESULT_ACCESS_DENIED. NULL: the clients of such
     * requests are not known. */
    enum miguard_status (*thread)(struct miguard_target **ret_client, struct miguard_error *reterr);
    enum miguard_status (*copy)(const struct miguard_target *client,
                                struct miguard_target **ret_copy, struct miguard_error *reterr);
    void (*release)(struct miguard_target *client);
};

/* Needs <miguard/switch.h>, and libmiguard to be linked. */
#define MIGUARD_HOST_CLIENTS                                                                       \
    {                                                                                              \
        sizeof(struct miguard_host_clients), miguard_target_thread, miguard_target_copy,           \
            miguard_target_free                                                                    \
    }

/*
 * Lets the host know clients, from before its first session. The table is copied. Errors:
 * INVALID_ARGUMENT (also without copy or release), BAD_STATE (done before, or a forked child).
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_host_set_clients(struct miguard_host *host, const struct miguard_host_clients *clients,
                         struct miguard_error *reterr);

/*
 * miguard_host_session() for a client that the embedding program has proved: the requests of the
 * session are made by client, which is copied. Nothing changes in how they run: with the
 * credentials of the thread that makes them. The session of miguard_host_session() has no client.
 *
 * Errors: INVALID_ARGUMENT, BAD_STATE (miguard_host_set_clients() is missing, or a forked child),
 * NO_MEMORY, and those of copy. Thread safe.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_host_session_for(struct miguard_host *host, const struct miguard_target *client,
                         MI_Session *ret_session, struct miguard_error *reterr);

/*
 * The client of the request that a context of an embedded server serves, as a copy. It is a source
 * for miguard_set_client_source(); host is the server, or NULL for each one of the process.
 *
 * Of a request that a provider makes through its session, within another, the client is who the
 * provider's thread was as it made the request. Behind a guard that is the identity of the session.
 * A provider that did not switch asks as what it is, which is then the identity of the host.
 *
 * Errors: NOT_SUPPORTED (not a live context of the server, a Load or Unload, or a session without a
 * client), INVALID_ARGUMENT (ret_target is NULL),
 * and those of copy. *ret_target is NULL on failure. Thread safe.
 */
MIGUARD_API MIGUARD_CHECKED enum miguard_status
miguard_host_context_client(void *host, const MI_Context *context,
                            struct miguard_target **ret_target, struct miguard_error *reterr);

/*
 * Ends a host: sessions become invalid, open operations are cancelled, providers and then modules
 * are unloaded in the reverse order of their loading, and last the libraries are unmapped. Waits
 * for running requests. A module that leaves a request, Load or Unload unanswered for longer than
 * load_timeout_ms is neither unloaded nor unmapped, since its threads may still be running; later
 * posts of it are refused. After twice that time it returns although a function of a provider that
 * serves a request runs; then no library is unmapped, and the rest of the memory is freed when the
 * function returns. A Load or Unload that does not return is waited for. NULL is allowed. Do not
 * call it from a provider or a callback, nor while another thread uses the host. In a forked child
 * it does nothing, and the other functions refuse the host of its parent with BAD_STATE.
 */
MIGUARD_API void miguard_host_free(struct miguard_host *host);

/* The number of calls of provider functions other than Load and Unload since the host was made;
 * tests use it to prove that a refused request did not reach the provider. */
MIGUARD_API uint64_t miguard_host_provider_calls(const struct miguard_host *host);

#ifdef __cplusplus
}
#endif

#endif
