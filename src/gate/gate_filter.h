/* SPDX-License-Identifier: MIT */
/* What the gate refuses: as a table, and as a program for the kernel. */
#ifndef GATE_GATE_FILTER_H
#define GATE_GATE_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "miguard/gate.h"

enum {
    GATE_ANSWER = 0xC00, /* errno of the probe: this and the bits below (seccomp(2): <= 4095) */
    GATE_IS_PROCESS = 1,
    GATE_KILLS = 2,
    GATE_REPORTS = 4,
    GATE_DENIES_URING = 8,
    GATE_OF_BOUNDING = 16, /* of all threads; refuses nothing but to take from the bounding set */
    GATE_ANSWER_BITS = 31,
    GATE_TRAP_MARK = 0x6D67, /* SECCOMP_RET_DATA of a refusal to report */
};

struct gate_filter {
    unsigned bits;     /* GATE_IS_PROCESS... */
    bool no_new_privs; /* set, or about to be: setting it need not be refused */
};

/* One refusal, as a table of all refusals has it. */
struct gate_row {
    const char *call; /* "prctl" */
    const char *when; /* "PR_SET_KEEPCAPS"; "" for always */
    const char *why;
    bool refused_anyway; /* also with the cookie, by ENOSYS */
    bool never_kills;
    bool only_privileged; /* left out under no_new_privs */
    bool only_uring;      /* only with GATE_DENIES_URING; the library does not use it */
    bool of_bounding;     /* also with GATE_OF_BOUNDING */
};

/* The rows in the order of the program; NULL after the last. */
const struct gate_row *gate_filter_row(size_t index);

/* Whether the row is in this filter. */
bool gate_filter_has(const struct gate_filter *filter, const struct gate_row *row);

/*
 * Builds the program, which holds the cookie; gate_filter_free() wipes it. Errors: NO_MEMORY,
 * SYSTEM, with the step of libseccomp that failed.
 */
MIGUARD_CHECKED enum miguard_status gate_filter_build(const struct gate_filter *filter,
                                                      struct sock_filter **ret_program,
                                                      unsigned short *ret_length,
                                                      struct miguard_error *reterr);
void gate_filter_free(struct sock_filter *program, unsigned short length);

#endif
