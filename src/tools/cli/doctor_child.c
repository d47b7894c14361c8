/* SPDX-License-Identifier: MIT */
/*
 * A child process in which doctor tries what may end it, and an id to try switches with.
 *
 * in_child() forks, runs the try in the child and waits. The child shares one page with its parent
 * for the answer and ends by _exit(2); whatever it changed of itself (filters, credentials,
 * namespaces) ends with it.
 */
#include "tools/cli/doctor.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Ends by _exit(2): the buffers and exit handlers are the parent's. */
static _Noreturn void run_in(int (*function)(void *, struct attempt *), void *argument,
                             struct attempt *found)
{
    const struct rlimit none = {0, 0};

    (void)setrlimit(RLIMIT_CORE, &none); /* some of them are killed on purpose */
    found->error = function(argument, found);
    _exit(0);
}

/* The answer is in shared memory, so that it survives a child that is killed; it is EOWNERDEAD
 * until the function returns. stdio is flushed first, or the child could write the same text
 * again. */
struct attempt in_child(int (*function)(void *argument, struct attempt *found), void *argument)
{
    struct attempt answer = {0};
    int status = 0;
    struct attempt *found =
        mmap(NULL, sizeof(*found), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (found == MAP_FAILED) {
        answer.error = errno;
        return answer;
    }
    found->error = EOWNERDEAD;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        run_in(function, argument, found);
    }
    if (child < 0) {
        found->error = errno;
    } else if (waitpid(child, &status, 0) == child && WIFSIGNALED(status)) {
        found->killed_by = WTERMSIG(status);
        found->error = EOWNERDEAD;
    }
    answer = *found;
    munmap(found, sizeof(*found));
    return answer;
}

/* The first range of the map that has another id: its last one, or the one before. Ids from
 * UINT32_MAX - 1 on are left out, since -1 means "unchanged" in the calls. */
bool find_other_id(const char *map, uint32_t own, uint32_t *ret_id)
{
    unsigned first, below, count;
    bool found = false;
    FILE *file = fopen(map, "re");

    while (file != NULL && !found && fscanf(file, "%u %u %u", &first, &below, &count) == 3) {
        *ret_id = first + count - 1; /* rarely in use */
        if (*ret_id >= UINT32_MAX - 1) {
            *ret_id = 65533;
        }
        found = *ret_id != own || count > 1;
        *ret_id -= *ret_id == own ? 1 : 0;
    }
    if (file != NULL) {
        fclose(file);
    }
    return found;
}
