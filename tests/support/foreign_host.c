/* SPDX-License-Identifier: MIT */
/* The foreign host itself: its threads, its beginning and its end. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "support/foreign_inside.h"

int64_t foreign_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void foreign_wait(struct foreign_host *host, unsigned ms)
{
    struct timespec end;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_nsec += (long)(ms % 1000) * 1000000;
    end.tv_sec += (time_t)(ms / 1000) + end.tv_nsec / 1000000000;
    end.tv_nsec %= 1000000000;
    (void)pthread_cond_timedwait(&host->changed, &host->lock, &end);
}

/* The first reason stays. */
void foreign_die(struct foreign_host *host, const char *why)
{
    const char *none = NULL;
    (void)atomic_compare_exchange_strong(&host->died, &none, why);
}

const char *foreign_host_died(const struct foreign_host *host)
{
    return atomic_load(&host->died);
}

/* ---- threads --------------------------------------------------------------------------------- */

static void *run_loop(void *data)
{
    struct loop *loop = data;

    pthread_mutex_lock(&loop->lock);
    for (;;) {
        while (loop->first == NULL && !loop->stopping) {
            pthread_cond_wait(&loop->changed, &loop->lock);
        }
        struct job *job = loop->first;
        if (job == NULL) {
            break;
        }
        loop->first = job->next;
        loop->last = loop->first == NULL ? &loop->first : loop->last;
        pthread_mutex_unlock(&loop->lock);
        job->run(job->data);
        free(job);
        pthread_mutex_lock(&loop->lock);
    }
    pthread_mutex_unlock(&loop->lock);
    return NULL;
}

void loop_post(struct loop *loop, void (*run)(void *data), void *data)
{
    struct job *job = malloc(sizeof(*job));

    if (job == NULL) {
        abort();
    }
    *job = (struct job){NULL, run, data};
    pthread_mutex_lock(&loop->lock);
    *loop->last = job;
    loop->last = &job->next;
    pthread_cond_signal(&loop->changed);
    pthread_mutex_unlock(&loop->lock);
}

static void start_loop(struct loop *loop)
{
    loop->last = &loop->first;
    pthread_mutex_init(&loop->lock, NULL);
    pthread_cond_init(&loop->changed, NULL);
    if (pthread_create(&loop->thread, NULL, run_loop, loop) != 0) {
        abort();
    }
}

static void stop_loop(struct loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    loop->stopping = true;
    pthread_cond_signal(&loop->changed);
    pthread_mutex_unlock(&loop->lock);
    pthread_join(loop->thread, NULL);
    pthread_mutex_destroy(&loop->lock);
    pthread_cond_destroy(&loop->changed);
}

/* The loop whose thread this is; or NULL. */
struct loop *foreign_own_loop(struct foreign_host *host)
{
    for (unsigned i = 0; i < FOREIGN_AGENTS; i++) {
        if (pthread_equal(host->agents[i].thread, pthread_self())) {
            return &host->agents[i];
        }
    }
    return pthread_equal(host->selector.thread, pthread_self()) ? &host->selector : NULL;
}

/* ---- beginning and end ----------------------------------------------------------------------- */

struct foreign_host *foreign_host_new(const struct foreign_options_of_host *options)
{
    struct foreign_host *host = calloc(1, sizeof(*host));

    if (host == NULL) {
        abort();
    }
    if (options != NULL) {
        host->options = *options;
    }
    if (host->options.version == 0) {
        host->options.version = MI_VERSION;
    }
    if (host->options.cancel_race_ms == 0) {
        host->options.cancel_race_ms = 2000;
    }
    pthread_mutex_init(&host->lock, NULL);
    pthread_cond_init(&host->changed, NULL);
    start_loop(&host->selector);
    for (unsigned i = 0; i < FOREIGN_AGENTS; i++) {
        start_loop(&host->agents[i]);
    }
    return host;
}

static void free_operations(struct foreign_host *host)
{
    for (struct foreign_operation *at = host->all_operations, *next = NULL; at != NULL; at = next) {
        next = at->next_of_all;
        foreign_operation_empty(at);
        free(at);
    }
}

void foreign_host_free(struct foreign_host *host)
{
    foreign_unload(host, true);
    for (unsigned i = 0; i < FOREIGN_AGENTS; i++) {
        stop_loop(&host->agents[i]);
    }
    stop_loop(&host->selector);
    free_operations(host);
    for (unsigned i = 0; i < host->module_count; i++) {
        free(host->modules[i].classes);
    }
    pthread_mutex_destroy(&host->lock);
    pthread_cond_destroy(&host->changed);
    free(host);
}

const struct foreign_counts *foreign_host_counts(const struct foreign_host *host)
{
    return &host->counts;
}

unsigned long foreign_host_reached(const struct foreign_host *host)
{
    unsigned long sum = atomic_load(&host->counts.answered);

    for (unsigned i = 0; i < FOREIGN_SESSION_SLOTS; i++) {
        sum += atomic_load(&host->counts.session[i]);
    }
    for (unsigned i = 0; i < FOREIGN_OPERATION_SLOTS; i++) {
        sum += atomic_load(&host->counts.operation[i]);
    }
    return sum;
}
