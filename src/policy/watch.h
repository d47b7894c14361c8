/* SPDX-License-Identifier: MIT */
/*
 * Reports that a policy on disk changed: inotify(7) on the folders of its files, on threads of its
 * own, with no descriptor that the host could close or take for its own. Folders, not files: an
 * editor or package manager puts a new file in the place of the old.
 */
#ifndef POLICY_WATCH_H
#define POLICY_WATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "miguard/status.h"

/* Freed by its last user: the handle or one of the threads. */
struct policy_watch;

/* Called on a thread of the library, with all signals blocked, when something changed and then
 * nothing did for a tenth of a second, or a second after the first change when it never gets quiet.
 * false ends the watching. */
typedef bool (*policy_changed)(void);

/* Watches the folders of paths, and paths themselves where they are folders. missed: something may
 * have changed before, and changed() is called at once. Errors: NO_MEMORY, SYSTEM. */
MIGUARD_CHECKED enum miguard_status watch_start(const char *const *paths, size_t path_count,
                                                policy_changed changed, bool missed,
                                                struct policy_watch **ret_watch);

/* False in a forked child, where the thread is not. */
bool watch_is_ours(const struct policy_watch *watch);

/* Ends the watching without waiting for it; may be called from changed(). NULL is allowed. In a
 * forked child, which has no such thread, only the memory is released. */
void watch_stop(struct policy_watch *watch);

/* The same, and waits until the thread is gone. Not from changed(), nor with a lock that this
 * takes.
 */
void watch_end(struct policy_watch *watch);

#endif
