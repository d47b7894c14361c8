/* SPDX-License-Identifier: MIT */
/*
 * Sides of a benchmark that are processes of their own: a gate cannot be opened again, and a
 * permitted set does not grow. They are asked in turn, round by round.
 */
#ifndef BENCH_SIDES_H
#define BENCH_SIDES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* A round for each byte that comes in; its figures go out. */
struct side {
    int kind;
    pid_t child;
    int ask[2], answer[2];
};

/* Starts sides[number], whose kind is its number. serve runs in a child, on a thread other than the
 * first, as the threads of a host's pool are, and gets the side. */
void side_start(struct side sides[], int number, void *(*serve)(void *side));

/* In the parent: one round. The figures are -1 when such a side could not be made here. */
void side_ask(const struct side *side, double *ret_figures, size_t count);

/* In the parent: ends all of them. */
void sides_end(const struct side sides[], int count);

/* In the child: waits for the next round; false when there is none. */
bool side_next(const struct side *side);

/* In the child: the answer to a round; false when nobody reads it. */
bool side_answer(const struct side *side, const double *figures, size_t count);

#endif
