/* SPDX-License-Identifier: MIT */
/* On what the figures were measured, and whether other programs were in the way. */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include <stdbool.h>

struct machine {
    char cpu[128], kernel[128], libc[64], governor[64];
    const char *compiler, *flags;
    int processors, usable; /* online, and those that this process may use */
};

/* What the processors did since they started, in seconds. */
struct machine_load {
    double load;   /* the load average of the last minute; negative: unknown */
    double busy;   /* of all programs; negative: unknown */
    double stolen; /* taken by the hypervisor */
    double own;    /* of this program and the children that it waited for */
    double time;   /* now */
};

void machine_read(struct machine *ret_machine);
void machine_load_read(struct machine_load *ret_load);

/* The share of the processors that other programs took between the two, 0 to 1. */
double machine_share_of_others(const struct machine *machine, const struct machine_load *start,
                               const struct machine_load *end);

/* NULL, or why the figures are doubtful. */
const char *machine_doubt(const struct machine *machine, const struct machine_load *start,
                          const struct machine_load *end);

#endif
