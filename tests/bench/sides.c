/* SPDX-License-Identifier: MIT */
/* Each side has two pipes: a byte asks for a round, and the figures of it come back. */
#include "bench/sides.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* The ends of the other sides are closed in the child, so that each sees the end of its own. */
void side_start(struct side sides[], int number, void *(*serve)(void *side))
{
    struct side *side = &sides[number];
    pthread_t thread;

    side->kind = number;
    if (pipe(side->ask) != 0 || pipe(side->answer) != 0) {
        abort();
    }
    fflush(NULL);
    side->child = fork();
    if (side->child == 0) {
        for (int i = 0; i <= number; i++) {
            close(sides[i].ask[1]);
            close(sides[i].answer[0]);
        }
        if (pthread_create(&thread, NULL, serve, side) != 0) {
            abort();
        }
        pthread_join(thread, NULL);
        _exit(0);
    }
    close(side->ask[0]);
    close(side->answer[1]);
}

/* A round is few bytes, so that they are written and read at once (pipe(7)). */
void side_ask(const struct side *side, double *ret_figures, size_t count)
{
    const ssize_t size = (ssize_t)(count * sizeof(*ret_figures));

    if (write(side->ask[1], "x", 1) == 1 &&
        read(side->answer[0], ret_figures, (size_t)size) == size) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        ret_figures[i] = -1;
    }
}

void sides_end(const struct side sides[], int count)
{
    for (int i = 0; i < count; i++) {
        close(sides[i].ask[1]);
        close(sides[i].answer[0]);
        waitpid(sides[i].child, NULL, 0);
    }
}

bool side_next(const struct side *side)
{
    char byte;

    return read(side->ask[0], &byte, 1) == 1;
}

bool side_answer(const struct side *side, const double *figures, size_t count)
{
    const ssize_t size = (ssize_t)(count * sizeof(*figures));

    return write(side->answer[1], figures, (size_t)size) == size;
}
