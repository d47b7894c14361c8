/* SPDX-License-Identifier: MIT */
/*
 * Shows each decision to the tracer of the process. The tracer gets the facts that the record of
 * the call would have, and has no part in the answer, which is made before it is called.
 */
#include "guard/trace.h"

#include <errno.h>

_Atomic(const struct miguard_tracer *) trace_tracer;

void miguard_set_tracer(const struct miguard_tracer *tracer)
{
    atomic_store(&trace_tracer, tracer);
}

/* errno is the caller's, and what the function does with it is not known. */
static void show(const struct trace *trace, struct miguard_traced_call shown, bool allowed,
                 const struct refusal *refusal)
{
    struct miguard_refusal exported;
    int kept = errno;

    shown.size = sizeof(shown);
    shown.allowed = allowed;
    shown.nanoseconds = clock_now_ns() - trace->started;
    if (!allowed) {
        (void)refusal_export(refusal, &exported);
        shown.refusal = &exported;
    }
    trace->tracer->crossed(trace->tracer->data, &shown);
    errno = kept;
}

/* Names that the call does not have are empty texts inside. */
static const char *or_null(const char *name)
{
    return name != NULL && name[0] != '\0' ? name : NULL;
}

void trace_use(const struct trace *trace, const struct guard_call *call, bool again, bool allowed,
               const struct refusal *refusal)
{
    const struct binding *binding = call->binding;
    const struct cim_names *names = call->names;
    const struct miguard_traced_call shown = {
        .call = call->action != NULL ? call->action : operation_name(call->operation),
        .provider = binding->provider,
        .name_space = names != NULL ? or_null(names->name_space) : NULL,
        .class_name = names != NULL ? or_null(names->classes[0]) : NULL,
        .method = names != NULL ? or_null(names->method) : NULL,
        .resource = call->resource,
        .object = call->object,
        .context = binding->context_id,
        .session = binding->session_id,
        .operation = call->operation_id,
        .again = again,
        .bound = &binding->identity,
    };
    show(trace, shown, allowed, refusal);
}

/* A binding whose identity could not be read has none to show. */
void trace_bind(const struct trace *trace, const struct binding *binding, bool allowed,
                const struct refusal *refusal)
{
    const struct miguard_traced_call shown = {
        .call = operation_name(binding->opening),
        .provider = binding->provider,
        .resource = binding->resource,
        .object = binding->object,
        .context = binding->context_id,
        .session = binding->session_id,
        .bound = binding->view != NULL ? &binding->identity : NULL,
    };
    show(trace, shown, allowed, refusal);
}

void trace_handle(const struct trace *trace, enum operation operation, uint64_t handle_name,
                  const struct refusal *refusal)
{
    bool context = operation == OPERATION_CONTEXT_CALL;
    const struct miguard_traced_call shown = {
        .call = operation_name(operation),
        .context = context ? handle_name : 0,
        .session = context ? 0 : handle_name,
    };
    show(trace, shown, false, refusal);
}
