/* SPDX-License-Identifier: MIT */
/* The last part of the demonstration: code of a third party that changes the identity by itself. */
#ifndef LIVE_DEMO_GATE_H
#define LIVE_DEMO_GATE_H

struct demo_counts {
    unsigned passed, failed, skipped;
};

/* words: what begins a line that passed, failed or was skipped. All happens in processes of its
 * own: neither a gate nor a changed identity is left behind. */
struct demo_counts demo_gate(const char *const words[3]);

#endif
