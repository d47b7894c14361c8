/* SPDX-License-Identifier: MIT */
/*
 * Measures what the design promises. Each row is declared in the table of its group, with its goal,
 * its two sides and what it leaves out; measure.h has how they are measured and judged.
 */
#include "bench/measure.h"

#define GROUPS(one)                                                                                \
    one(guard) one(session) one(local) one(host) one(module) one(size) one(gate) one(home)         \
        one(many) one(identities) one(pidfd) one(switch) one(policy) one(stars) one(load)          \
            one(audit) one(record) one(verify) one(read) one(server)

#define DECLARE(group) BENCH_GROUP_DECLARE(group);
GROUPS(DECLARE)

#define LIST(group) &bench_group_##group,
static const struct bench_group *const groups[] = {GROUPS(LIST)};

int main(int argc, char **argv)
{
    return bench_main(argc, argv, groups, sizeof(groups) / sizeof(groups[0]));
}
