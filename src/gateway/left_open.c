/* SPDX-License-Identifier: MIT */
/*
 * The end of operations that a provider left open when its request ended.
 *
 * Without a guard such an operation stays in its host, and the provider may go on with it. Here it
 * ends with its context, in a way that hosts survive. Three things that hosts do decide how; the
 * open peer does all three (OMI, measured):
 *
 * - A Cancel right after the start ends its process. So nothing is cancelled before a result has
 *   come, or BEGUN_MS after it was left: by then the host has begun with it.
 * - Close of a synchronous operation returns when its last result was fetched. So it is read to its
 *   end first.
 * - The thread that ends the context may be the one that brings the results. So nothing is waited
 *   for there, but on a thread of its own.
 *
 * left_open_end() begins it. An asynchronous operation is closed with its first result, from
 * within the callback (left_open_delivered). A synchronous one is closed at once when the provider
 * has read all of it, or when its host works on the caller's thread, as the embedded server does;
 * and is otherwise read to its end and closed by a thread (drain). What still waits after BEGUN_MS
 * is cancelled by the next request that comes (left_open_check).
 *
 * A thread runs the host's code, with the default stack. It inherits the credentials of who ends
 * the context, and adopts the session's identity. There are at most
 * MOST_THREADS; what they cannot take waits for one of them. What cannot be ended at all is left to
 * the host, as it would be without a guard.
 */
#include <time.h>

#include "base/fork.h"
#include "base/process.h"
#include "gateway/gateway.h"
#include "switch/switch.h"

enum {
    BEGUN_MS = 5000,
    MOST_THREADS = 8,
    MOST_QUEUED = 1024,
    MOST_TRIES = 3, /* by threads that cannot adopt its identity */
    PAUSE_MS = 2000,
    LATE_AT_ONCE = 8
};

/* Operations that wait: for a result, in order of their time, and of these the synchronous ones
 * that wait for a thread. Each list has a pin of its own. */
static struct {
    pthread_mutex_t lock;
    struct guarded_operation *first, **last;
    struct guarded_operation *queue, **queue_last;
    unsigned queued, threads;
    bool paused;             /* no thread is started */
    _Atomic int64_t late_at; /* when the first one is to be cancelled; 0: none waits */
} left = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* In a child the operations are its parent's, and there are no threads. */
static void forget_all(void)
{
    left.first = left.queue = NULL;
    left.last = left.queue_last = NULL;
    left.queued = left.threads = 0;
    left.paused = false;
    atomic_store(&left.late_at, 0);
}

FORK_OWNER(left_open_owner, .rank = FORK_LEFT_OPEN, .lock = &left.lock, .in_child = forget_all);

static int64_t now_ms(void)
{
    struct timespec now = {0, 0};

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- the list of what waits ------------------------------------------------------------------ */

/* Under the lock. What was cancelled already is not late again. */
static void set_late_at(void)
{
    const struct guarded_operation *at = left.first;

    while (at != NULL && at->left.late) {
        at = at->left.next;
    }
    atomic_store(&left.late_at, at != NULL ? at->left.since_ms + BEGUN_MS : 0);
}

static void enlist(struct guarded_operation *operation)
{
    slots_pin(&guarded_operations, operation);
    pthread_mutex_lock(&left.lock);
    if (left.first == NULL) {
        left.last = &left.first;
    }
    operation->left.since_ms = now_ms();
    operation->left.link = left.last;
    operation->left.next = NULL;
    *left.last = operation;
    left.last = &operation->left.next;
    set_late_at();
    pthread_mutex_unlock(&left.lock);
}

/* At most once, like the closing that it belongs to. */
static void delist(struct guarded_operation *operation)
{
    pthread_mutex_lock(&left.lock);
    bool listed = operation->left.link != NULL;
    if (listed) {
        *operation->left.link = operation->left.next;
        if (operation->left.next != NULL) {
            operation->left.next->left.link = operation->left.link;
        } else {
            left.last = operation->left.link;
        }
        operation->left.link = NULL;
        set_late_at();
    }
    pthread_mutex_unlock(&left.lock);
    if (listed) {
        slots_release(&guarded_operations, operation);
    }
}

/* ---- one operation --------------------------------------------------------------------------- */

static bool adopt(const struct guarded_operation *operation, struct switch_frame *frame)
{
    return switch_adopt(&operation->session->binding.identity, frame, NULL) == MIGUARD_OK;
}

/* Once, by the first that comes. Where this thread cannot adopt the identity, the operation is left
 * to the host. */
static void close_once(struct guarded_operation *operation)
{
    struct switch_frame frame ON_LEAVING(switch_restore) = {0};

    if (atomic_exchange(&operation->left.closed, true)) {
        return;
    }
    delist(operation);
    if (adopt(operation, &frame)) {
        (void)MI_Operation_Close(&operation->inner);
    }
}

static void cancel(struct guarded_operation *operation)
{
    if (!atomic_exchange(&operation->left.cancelled, true)) {
        (void)MI_Operation_Cancel(&operation->inner, MI_REASON_SHUTDOWN);
    }
}

/* Reads what is left. A host that answers nothing more keeps this thread. */
static void read_to_the_end(struct guarded_operation *operation)
{
    const enum result_kind kind = guarded_operation_kind(operation);
    struct guarded_result result = {.more = MI_TRUE};

    while (result.more) {
        if (atomic_load(&operation->begun)) {
            cancel(operation);
        }
        if (guarded_operation_ask(operation, kind, &result) != MI_RESULT_OK) {
            break;
        }
        atomic_store(&operation->begun, true);
    }
}

/* False: this thread cannot become the session's identity. */
static bool drain(struct guarded_operation *operation)
{
    struct switch_frame frame ON_LEAVING(switch_restore) = {0};

    if (!adopt(operation, &frame)) {
        return false;
    }
    read_to_the_end(operation);
    close_once(operation);
    return true;
}

/* ---- threads --------------------------------------------------------------------------------- */

/* Under the lock. The queue takes over the pin. */
static void push(struct guarded_operation *operation)
{
    if (left.queue == NULL) {
        left.queue_last = &left.queue;
    }
    operation->left.queue_next = NULL;
    *left.queue_last = operation;
    left.queue_last = &operation->left.queue_next;
    left.queued++;
}

/* The next one, with its pin; NULL: none, and the thread no longer counts. */
static struct guarded_operation *pop_or_end(void)
{
    pthread_mutex_lock(&left.lock);
    struct guarded_operation *operation = left.queue;
    if (operation != NULL) {
        left.queue = operation->left.queue_next;
        left.queued--;
    } else {
        left.threads--;
    }
    pthread_mutex_unlock(&left.lock);
    return operation;
}

/* An operation that this thread cannot end waits for one that another identity starts. True: it
 * waits, and this thread no longer counts. */
static bool leave_to_another(struct guarded_operation *operation)
{
    bool again = ++operation->left.tries < MOST_TRIES;

    if (!again) {
        close_once(operation);
        return false;
    }
    pthread_mutex_lock(&left.lock);
    push(operation);
    left.threads--;
    pthread_mutex_unlock(&left.lock);
    return true;
}

static void *run(void *unused)
{
    ENTRY_UNCANCELLED;
    struct guarded_operation *operation = NULL;

    (void)unused;
    while ((operation = pop_or_end()) != NULL) {
        if (!drain(operation) && leave_to_another(operation)) {
            break;
        }
        slots_release(&guarded_operations, operation);
    }
    return NULL;
}

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static unsigned count_threads(void)
{
    pthread_mutex_lock(&left.lock);
    unsigned threads = left.threads;
    pthread_mutex_unlock(&left.lock);
    return threads;
}

static void set_paused(bool paused)
{
    pthread_mutex_lock(&left.lock);
    left.paused = paused;
    pthread_mutex_unlock(&left.lock);
}

/* A drop refuses while a thread has adopted an identity. These are given time to end; one that a
 * host keeps longer has the drop refused. */
static void pause_threads(void)
{
    set_paused(true);
    for (int ms = 0; ms < PAUSE_MS && count_threads() > 0; ms++) {
        sleep_ms(1);
    }
}

/* What waits is taken by the next one that starts a thread. */
static void resume_threads(void)
{
    set_paused(false);
}

/* One more thread when one is wanted and is allowed. It counts from before it exists. */
static void start_thread(void)
{
    static const struct drop_pause pause = {pause_threads, resume_threads};
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t before;

    pthread_mutex_lock(&left.lock);
    bool wanted = left.queue != NULL && left.threads < MOST_THREADS && !left.paused;
    left.threads += wanted;
    pthread_mutex_unlock(&left.lock);
    if (!wanted) {
        return;
    }
    drop_set_pause(DROP_PAUSER_GATEWAY, &pause);
    bool started = pthread_attr_init(&attributes) == 0;
    if (started) {
        started = pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0 &&
                  process_mute(&before);
        if (started) {
            started = pthread_create(&thread, &attributes, run, NULL) == 0;
            process_unmute(&before);
        }
        pthread_attr_destroy(&attributes);
    }
    if (!started) { /* the next one tries again */
        pthread_mutex_lock(&left.lock);
        left.threads--;
        pthread_mutex_unlock(&left.lock);
    }
}

/* Hands it to a thread. Beyond the length of the queue it is left to the host. */
static void hand_over(struct guarded_operation *operation)
{
    slots_pin(&guarded_operations, operation);
    pthread_mutex_lock(&left.lock);
    bool room = left.queued < MOST_QUEUED;
    if (room) {
        push(operation);
    }
    pthread_mutex_unlock(&left.lock);
    if (room) {
        start_thread();
    } else {
        atomic_store(&operation->left.closed, true);
        delist(operation);
        slots_release(&guarded_operations, operation);
    }
}

/* ---- the beginning, and what follows --------------------------------------------------------- */

/* A result that the provider never acknowledged holds its operation back. Not while its callback
 * runs, which may still look at it: then the callback's own end comes here. */
static void acknowledge_once(struct guarded_operation *operation)
{
    struct switch_frame frame ON_LEAVING(switch_restore) = {0};
    host_acknowledge acknowledge = atomic_exchange(&operation->inner_acknowledge, NULL);

    if (acknowledge == NULL || !adopt(operation, &frame)) {
        return;
    }
    (void)acknowledge(&operation->inner);
    if (atomic_exchange(&operation->final_unacknowledged, false)) {
        slots_release(&guarded_operations, operation); /* the pin until the final */
    }
}

/* The one that sees both, that it was left open and that a result has come, closes it. */
static void go_on_asynchronous(struct guarded_operation *operation)
{
    if (!atomic_load(&operation->left.open) || !atomic_load(&operation->begun)) {
        return;
    }
    close_once(operation);
    if (atomic_load(&operation->delivering) == 0) {
        acknowledge_once(operation);
    }
}

/* The same of a synchronous one; a Get* that still runs on another thread reads it first. */
static void go_on_synchronous(struct guarded_operation *operation)
{
    if (!atomic_load(&operation->left.open) || atomic_load(&operation->getting) > 0 ||
        atomic_exchange(&operation->left.handed_over, true)) {
        return;
    }
    if (atomic_load(&operation->all_read)) {
        close_once(operation);
    } else if (!atomic_load(&operation->within) || !drain(operation)) {
        hand_over(operation);
    }
}

void left_open_delivered(struct guarded_operation *operation)
{
    atomic_fetch_sub(&operation->delivering, 1);
    go_on_asynchronous(operation);
}

void left_open_fetched(struct guarded_operation *operation)
{
    atomic_fetch_sub(&operation->getting, 1);
    go_on_synchronous(operation);
}

/* A host that has begun with it is asked to stop at once: another thread may wait for a result that
 * comes late. */
static void cancel_begun(struct guarded_operation *operation)
{
    struct switch_frame frame ON_LEAVING(switch_restore) = {0};

    if (atomic_load(&operation->begun) && !atomic_load(&operation->all_read) &&
        adopt(operation, &frame)) {
        cancel(operation);
    }
}

void left_open_end(struct guarded_operation *operation)
{
    enlist(operation);
    atomic_store(&operation->left.open, true);
    if (operation->asynchronous) {
        go_on_asynchronous(operation);
    } else {
        cancel_begun(operation);
        go_on_synchronous(operation);
    }
    left_open_check();
}

/* The first one that is late, pinned; or NULL. */
static struct guarded_operation *pin_late(int64_t now)
{
    pthread_mutex_lock(&left.lock);
    struct guarded_operation *at = left.first;
    while (at != NULL && at->left.late) {
        at = at->left.next;
    }
    if (at != NULL && at->left.since_ms + BEGUN_MS <= now) {
        at->left.late = true;
        slots_pin(&guarded_operations, at);
    } else {
        at = NULL;
    }
    set_late_at();
    pthread_mutex_unlock(&left.lock);
    return at;
}

/* For ON_LEAVING: the host may deliver the end from within, and the provider leave by unwinding. */
static void unpin(struct guarded_operation *const *operation)
{
    slots_release(&guarded_operations, *operation);
}

static void end_late(struct guarded_operation *late)
{
    struct guarded_operation *operation ON_LEAVING(unpin) = late;

    atomic_store(&operation->begun, true);
    if (operation->asynchronous) {
        go_on_asynchronous(operation);
    } else {
        cancel_begun(operation);
    }
}

bool left_open_idle(void)
{
    pthread_mutex_lock(&left.lock);
    bool idle = left.first == NULL && left.threads == 0;
    pthread_mutex_unlock(&left.lock);
    return idle;
}

void left_open_check(void)
{
    int64_t late_at = atomic_load(&left.late_at);

    if (late_at == 0) {
        return;
    }
    start_thread(); /* for what waits in the queue since a thread could not be started */
    int64_t now = now_ms();
    for (int i = 0; i < LATE_AT_ONCE && now >= late_at; i++) {
        struct guarded_operation *operation = pin_late(now);
        if (operation == NULL) {
            break;
        }
        end_late(operation);
    }
}
