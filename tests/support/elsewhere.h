/* SPDX-License-Identifier: MIT */
/* For checks that run in another thread or process, where Check's own assertions do not work. */
#ifndef SUPPORT_ELSEWHERE_H
#define SUPPORT_ELSEWHERE_H

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* A body answers 0, or the line that is wrong. */
#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            return __LINE__;                                                                       \
        }                                                                                          \
    } while (0)

/* The wait status of a forked child: 0 when body answered 0 there. */
static inline int in_child(int (*body)(const void *), const void *context)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        _exit(body(context) == 0 ? 0 : 1);
    }
    int status = -1;
    ck_assert_int_gt(child, 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return status;
}

/* False, and said so, when the test cannot change credentials. */
static inline bool is_root(const char *what)
{
    if (geteuid() != 0) {
        printf("skip: %s: needs root\n", what);
        return false;
    }
    return true;
}

/* Loops are to be short. */
static inline bool quick(void)
{
    return getenv("QUICK") != NULL;
}

#endif
