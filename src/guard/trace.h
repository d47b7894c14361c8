/* SPDX-License-Identifier: MIT */
/*
 * Shows each decision to the tracer of the process (miguard_set_tracer()). Each way into
 * decision.c begins with trace_begin(), and where there is a tracer ends with one of the others.
 */
#ifndef GUARD_TRACE_H
#define GUARD_TRACE_H

#include "base/clock.h"
#include "guard/guard.h"
#include "miguard/guard.h"

extern _Atomic(const struct miguard_tracer *) trace_tracer;

/* A decision under way. */
struct trace {
    const struct miguard_tracer *tracer; /* NULL: nothing is measured */
    int64_t started;                     /* nanoseconds of the monotonic clock */
};

static inline struct trace trace_begin(void)
{
    const struct miguard_tracer *tracer = atomic_load_explicit(&trace_tracer, memory_order_acquire);
    return (struct trace){tracer, tracer != NULL ? clock_now_ns() : 0};
}

/* These are called only with a tracer. refusal is read only where the call is refused. */

/* What was decided about a use. */
void trace_use(const struct trace *trace, const struct guard_call *call, bool again, bool allowed,
               const struct refusal *refusal);
/* The same about a binding that was asked for. */
void trace_bind(const struct trace *trace, const struct binding *binding, bool allowed,
                const struct refusal *refusal);
/* An invalid handle, which is always refused. */
void trace_handle(const struct trace *trace, enum operation operation, uint64_t handle_name,
                  const struct refusal *refusal);

#endif
