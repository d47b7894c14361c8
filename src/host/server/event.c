/* SPDX-License-Identifier: MIT */
/*
 * Callbacks other than the result's, on their way from a provider's thread to the driver.
 *
 * event_post() is called by context_write.c on a provider's thread. The event waits in the
 * operation's queue until the driver calls deliver_pending(). A question stays on the stack of the
 * thread that asks; it is in the queue or with the driver as long as that thread waits, and nowhere
 * afterwards.
 */
#include "host/server/host.h"

#include "base/alloc.h"
#include "host/object/object.h"

/* Messages and reports that were not fetched; further ones are dropped, as they only inform. */
enum { MAX_WAITING = 4096 };

/* For owned events: their texts and error are on the heap. */
void event_free(struct event *event)
{
    for (size_t i = 0; i < sizeof(event->text) / sizeof(event->text[0]); i++) {
        base_free((void *)(uintptr_t)event->text[i]);
    }
    instance_delete(event->error);
    base_free(event);
}

/* To the end of the queue; the caller holds the lock. */
static void append(struct operation *operation, struct event *event)
{
    event->next = NULL;
    event->state = EVENT_QUEUED;
    *operation->events_end = event;
    operation->events_end = &event->next;
    operation->event_count++;
}

/* Removes a queued event that will not be answered. It is in the queue: the state says so. */
static void take_back(struct operation *operation, struct event *event)
{
    struct event **link = &operation->events;
    while (*link != event) {
        link = &(*link)->next;
    }
    *link = event->next;
    if (event->next == NULL) {
        operation->events_end = link;
    }
    operation->event_count--;
    event->state = EVENT_DONE;
}

/* Nothing is delivered any more. */
static bool over(const struct operation *operation)
{
    return operation->finished || operation->cancelled || operation->abandoned;
}

/* Waits for the answer to a question. There is no answer once the operation is over, and none to a
 * question that the driver asks within a callback: then it stays "no". */
static void await_answer(struct operation *operation, struct event *event)
{
    while (event->state != EVENT_DONE) {
        bool hopeless = over(operation) || run_is_driver(operation);
        if (event->state == EVENT_QUEUED && hopeless) {
            take_back(operation, event);
        } else {
            pthread_cond_wait(&operation->changed, &operation->lock);
        }
    }
}

/* A part of a stream is never dropped: its thread waits for it, so that there is one at a time.
 * The driver delivers at once; a question that it asks within a callback cannot be delivered, and
 * await_answer() takes it back. */
void event_post(struct operation *operation, struct event *event)
{
    pthread_mutex_lock(&operation->lock);
    bool full = operation->event_count >= MAX_WAITING && event->kind != EVENT_STREAM;
    if (over(operation) || full) {
        pthread_mutex_unlock(&operation->lock);
        if (event->owned) {
            event_free(event);
        }
        return;
    }
    bool owned = event->owned;
    append(operation, event);
    pthread_cond_broadcast(&operation->changed);
    if (run_is_driver(operation)) {
        deliver_pending(operation);
    }
    if (!owned) {
        await_answer(operation, event);
    }
    pthread_mutex_unlock(&operation->lock);
}
