/* SPDX-License-Identifier: MIT */
/* The one place where threads are created: its own file, so that a test can make it fail. */
#include <signal.h>

#include "host/server/host.h"

/* The kernel copies the credentials of the calling thread to the new one (clone(2),
 * credentials(7)); a thread from a pool would have those of its first user. */
bool host_thread(void *(*function)(void *), void *argument)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, old;

    /* A signal of the program must not be handled on a thread that the program does not know. The
     * mask is inherited, so no signal gets through at the start. */
    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int failure = pthread_create(&thread, &attributes, function, argument);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attributes);
    return failure == 0;
}
