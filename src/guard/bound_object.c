/* SPDX-License-Identifier: MIT */
/*
 * The bindings of <miguard/guard.h>: objects that a daemon's own front end binds to an identity,
 * and their verification. Called by programs; everything is decided in decision.c.
 *
 * A binding is an object of a table of handles (base/slots.h). Its references are counted here: the
 * last one retires it, from when on its number is stale, and gives up the pin under which it lives.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/entry.h"
#include "base/error.h"
#include "base/process.h"
#include "guard/front_end.h"
#include "guard/guard.h"
#include "switch/switch.h"
#include "switch/target.h"

struct miguard_binding {
    struct binding bound;
    const struct miguard_front_end *front_end;
    atomic_uint references;
    bool identify_only; /* made from such a target, and gives no other */
    uint64_t epoch; /* of the process that made it: a pointer passes a fork, a binding does not */
    char *resource, *object;
};

/*
 * The number of a binding: index + 1 of its slot, its generation, and bits of the check word of its
 * handle. The check is short, since a number that is accepted by chance is still compared with the
 * identity behind it; it is there so that a wrong number is noticed and not taken for another
 * object of the same client.
 */
enum { NUMBER_INDEX_BITS = 20, NUMBER_GENERATION_BITS = 24, NUMBER_CHECK_BITS = 20 };
enum { MOST_SLOTS = (1 << NUMBER_INDEX_BITS) - 1, GENERATIONS = (1 << NUMBER_GENERATION_BITS) - 1 };

_Static_assert(NUMBER_INDEX_BITS + NUMBER_GENERATION_BITS + NUMBER_CHECK_BITS == 64,
               "a number has 64 bits");
_Static_assert(MIGUARD_MAX_BINDINGS <= MOST_SLOTS &&
                   MOST_SLOTS <= SLOTS_PER_CHUNK * SLOTS_MAX_CHUNKS,
               "each binding has a slot, and each slot a number");

static void destroy_binding(void *object)
{
    struct miguard_binding *binding = object;

    binding_release(&binding->bound);
    base_free(binding->resource);
    base_free(binding->object);
    guard_leave(binding->bound.guard);
}

static struct slots bindings = SLOTS_INIT_WITHIN(sizeof(struct miguard_binding), destroy_binding,
                                                 MIGUARD_MAX_BINDINGS, GENERATIONS, MOST_SLOTS);

/* ---- numbers ----------------------------------------------------------------------------------
 */

static uint64_t check_bits(uint64_t name)
{
    return slots_handle_named(&bindings, name).check & ((UINT64_C(1) << NUMBER_CHECK_BITS) - 1);
}

static uint64_t number_of(uint64_t name)
{
    return check_bits(name) << (NUMBER_INDEX_BITS + NUMBER_GENERATION_BITS) |
           name >> 32 << NUMBER_INDEX_BITS | (name & MOST_SLOTS);
}

/* The name of the handle that a number stands for. */
static uint64_t name_of(uint64_t number)
{
    uint64_t generation = number >> NUMBER_INDEX_BITS & GENERATIONS;
    return generation << 32 | (number & MOST_SLOTS);
}

/* Finds and pins. The check comes last: for a child the number is inherited, not forged. */
static enum slots_verdict acquire_number(uint64_t number, struct miguard_binding **ret_binding)
{
    void *object = NULL;
    uint64_t name = name_of(number);

    enum slots_verdict verdict = slots_acquire_named(&bindings, name, &object);
    bool checked = number >> (NUMBER_INDEX_BITS + NUMBER_GENERATION_BITS) == check_bits(name);
    if (checked || verdict == SLOTS_INHERITED) {
        *ret_binding = object;
        return verdict;
    }
    if (verdict == SLOTS_OK) {
        slots_release(&bindings, object);
    }
    return SLOTS_FORGED;
}

/* ---- a refusal as its caller gets it ----------------------------------------------------------
 */

/* A mistake of the caller: nothing was decided and nothing is recorded. */
static enum miguard_status refused_argument(struct miguard_refusal *ret_refusal, const char *why)
{
    if (ret_refusal != NULL) {
        memset(ret_refusal, 0, sizeof(*ret_refusal));
        ret_refusal->status = MIGUARD_INVALID_ARGUMENT;
        ret_refusal->reason = audit_reasons[AUDIT_REASON_NONE].name;
        snprintf(ret_refusal->sentence, sizeof(ret_refusal->sentence), "miguard: %s", why);
    }
    return MIGUARD_INVALID_ARGUMENT;
}

/* The child of a fork has its parent's pointers and no right to what they stand for. */
static enum miguard_status refuse_inherited(enum operation operation,
                                            const struct miguard_binding *binding,
                                            const void *call_site,
                                            struct miguard_refusal *ret_refusal)
{
    struct refusal refusal;

    guard_refuse_handle(operation, SLOTS_INHERITED, binding->bound.session_id, call_site, &refusal);
    return refusal_export(&refusal, ret_refusal);
}

/* ---- binding ------------------------------------------------------------------------------------
 */

/* What is asked for: by whom, of what, from where. target NULL: the calling thread. */
struct opening {
    const struct miguard_front_end *front_end;
    const struct miguard_target *target;
    const char *resource, *object;
    const void *call_site;
};

/* The first part of a binding, without the identity. */
static struct binding start_binding(const struct opening *opening, struct guard *guard)
{
    return (struct binding){.guard = guard,
                            .provider = opening->front_end->component,
                            .opening = OPERATION_BIND,
                            .resource = opening->resource,
                            .object = opening->object};
}

/* Records that nothing could be bound, and why. */
static enum miguard_status bind_failed(const struct opening *opening, struct guard *guard,
                                       enum miguard_status why, struct miguard_refusal *ret_refusal)
{
    const struct binding none = start_binding(opening, guard);
    struct refusal refusal;

    guard_bind_failed(&none, why, opening->call_site, &refusal);
    enum miguard_status status = refusal_export(&refusal, ret_refusal);
    return why == MIGUARD_NO_MEMORY ? MIGUARD_NO_MEMORY : status;
}

static bool copy_text(const char *text, char **ret_copy)
{
    *ret_copy = base_copy_text(text);
    return text == NULL || *ret_copy != NULL;
}

/* A binding without identity, pinned once, which pins the guard; or NULL: out of memory, or
 * *ret_limit. */
static struct miguard_binding *new_binding(const struct opening *opening, bool *ret_limit)
{
    struct miguard_binding *binding = slots_new(&bindings, ret_limit);
    if (binding == NULL) {
        return NULL;
    }
    binding->bound = start_binding(opening, guard_enter());
    binding->front_end = opening->front_end;
    binding->identify_only = opening->target != NULL && opening->target->identify_only;
    binding->epoch = process_epoch();
    atomic_init(&binding->references, 1);
    binding->bound.session_id = slots_handle_of(&bindings, binding).name;
    bool copied = copy_text(opening->resource, &binding->resource) &&
                  copy_text(opening->object, &binding->object);
    binding->bound.resource = binding->resource;
    binding->bound.object = binding->object;
    if (!copied) {
        slots_release(&bindings, binding);
        return NULL;
    }
    return binding;
}

/* The identity to bind: the thread's own, or what the thread would be as the target. */
static enum miguard_status identity_to_bind(const struct opening *opening,
                                            struct miguard_identity *ret_identity)
{
    struct miguard_identity thread;

    enum miguard_status status = identity_capture(&thread, NULL);
    if (status != MIGUARD_OK || opening->target == NULL) {
        *ret_identity = thread; /* zeroed by a failure */
        return status;
    }
    const struct miguard_identity expected = target_expected(opening->target, &thread);
    status = identity_copy(&expected, ret_identity);
    identity_release(&thread);
    return status;
}

/* The gate first, which may set no_new_privs; then the identity; then the decision. A binding that
 * was refused is never published, so no number finds it. */
static enum miguard_status bind_object(const struct opening *opening,
                                       struct miguard_binding *binding,
                                       struct miguard_refusal *ret_refusal)
{
    struct guard *guard = binding->bound.guard;
    struct refusal refusal;

    enum miguard_status status = guard_close_thread(guard);
    if (status == MIGUARD_OK) {
        status = identity_to_bind(opening, &binding->bound.identity);
    }
    if (status != MIGUARD_OK) {
        return bind_failed(opening, guard, status, ret_refusal);
    }
    return guard_bind(&binding->bound, opening->call_site, &refusal)
               ? MIGUARD_OK
               : refusal_export(&refusal, ret_refusal);
}

static enum miguard_status open_binding(const struct opening *opening,
                                        struct miguard_binding **ret_binding,
                                        struct miguard_refusal *ret_refusal)
{
    bool limit = false;

    if (ret_binding == NULL || opening->front_end == NULL) {
        return refused_argument(ret_refusal, "front_end or ret_binding is missing");
    }
    *ret_binding = NULL;
    struct miguard_binding *binding = new_binding(opening, &limit);
    if (binding == NULL) {
        struct guard *guard = guard_enter();
        enum miguard_status status = bind_failed(opening, guard, MIGUARD_NO_MEMORY, ret_refusal);
        guard_leave(guard);
        return limit ? MIGUARD_LIMIT : status;
    }
    if (binding->epoch == 0) { /* a child could not be distinguished from this process */
        enum miguard_status status =
            refuse_inherited(OPERATION_BIND, binding, opening->call_site, ret_refusal);
        slots_release(&bindings, binding);
        return status;
    }
    enum miguard_status status = bind_object(opening, binding, ret_refusal);
    if (status != MIGUARD_OK) {
        slots_release(&bindings, binding);
        return status;
    }
    slots_publish(&bindings, binding);
    *ret_binding = binding;
    return MIGUARD_OK;
}

enum miguard_status miguard_bind(const struct miguard_front_end *front_end, const char *resource,
                                 const char *object, struct miguard_binding **ret_binding,
                                 struct miguard_refusal *ret_refusal)
{
    ENTRY_UNCANCELLED;
    const struct opening opening = {.front_end = front_end,
                                    .resource = resource,
                                    .object = object,
                                    .call_site = __builtin_return_address(0)};

    switch_settle(); /* else the object would be bound to an identity that a callback left */
    return open_binding(&opening, ret_binding, ret_refusal);
}

enum miguard_status miguard_bind_target(const struct miguard_front_end *front_end,
                                        const struct miguard_target *target, const char *resource,
                                        const char *object, struct miguard_binding **ret_binding,
                                        struct miguard_refusal *ret_refusal)
{
    ENTRY_UNCANCELLED;
    const struct opening opening = {.front_end = front_end,
                                    .target = target,
                                    .resource = resource,
                                    .object = object,
                                    .call_site = __builtin_return_address(0)};

    switch_settle();
    if (target == NULL) { /* which would mean the calling thread */
        if (ret_binding != NULL) {
            *ret_binding = NULL;
        }
        return refused_argument(ret_refusal, "the target is missing");
    }
    return open_binding(&opening, ret_binding, ret_refusal);
}

/* ---- use ----------------------------------------------------------------------------------------
 */

/* An epoch of 0 is no proof that this is the process that made the binding. */
static bool is_own(const struct miguard_binding *binding)
{
    uint64_t epoch = process_epoch();
    return epoch != 0 && binding->epoch == epoch;
}

typedef bool (*decide_use)(const struct guard_call *call, struct refusal *ret_refusal);

static bool is_use(const struct miguard_binding *binding, const struct miguard_use *use)
{
    return binding != NULL && use != NULL && use->size == sizeof(*use) &&
           use->action < binding->front_end->action_count;
}

/* Everything that verify_known() does not answer at once. Kept out of line, as what it needs would
 * cost the quick way. */
__attribute__((noinline)) static enum miguard_status
verify(struct miguard_binding *binding, const struct miguard_use *use, decide_use decide,
       const void *call_site, struct miguard_refusal *ret_refusal)
{
    struct refusal refusal;

    if (!is_use(binding, use)) {
        bool started = binding != NULL && use != NULL && use->size == sizeof(*use);
        return refused_argument(ret_refusal, started
                                                 ? "the front end has no action of that number"
                                                 : "binding or use is missing; start a use from "
                                                   "MIGUARD_USE()");
    }
    if (!is_own(binding)) {
        return refuse_inherited(OPERATION_ACTION, binding, call_site, ret_refusal);
    }
    const struct guard_call call = {
        .operation = OPERATION_ACTION,
        .binding = &binding->bound,
        .action = front_end_action(binding->front_end, use->action),
        .resource = use->resource != NULL ? use->resource : binding->resource,
        .object = use->object != NULL ? use->object : binding->object,
        .call_site = call_site,
    };
    return decide(&call, &refusal) ? MIGUARD_OK : refusal_export(&refusal, ret_refusal);
}

/* The quick way of a gated thread: what is known needs no protection against cancellation. An
 * inherited binding is never known: what its number stood for in the parent's cache is void in the
 * child (gate/gate.h), and verify() refuses it there before it is compared. */
static bool verify_known(const struct miguard_binding *binding, const struct miguard_use *use)
{
    return is_use(binding, use) && guard_use_is_known(&binding->bound, OPERATION_ACTION);
}

enum miguard_status miguard_verify(struct miguard_binding *binding, const struct miguard_use *use,
                                   struct miguard_refusal *ret_refusal)
{
    switch_settle();
    if (verify_known(binding, use)) {
        return MIGUARD_OK;
    }
    ENTRY_UNCANCELLED;
    return verify(binding, use, guard_use, __builtin_return_address(0), ret_refusal);
}

/* A match that is known is known still: the thread cannot have changed uncounted (gate/gate.h). */
enum miguard_status miguard_verify_again(struct miguard_binding *binding,
                                         const struct miguard_use *use,
                                         struct miguard_refusal *ret_refusal)
{
    switch_settle();
    if (verify_known(binding, use)) {
        return MIGUARD_OK;
    }
    ENTRY_UNCANCELLED;
    return verify(binding, use, guard_use_again, __builtin_return_address(0), ret_refusal);
}

void miguard_revoke(struct miguard_binding *binding)
{
    if (binding != NULL) {
        atomic_store(&binding->bound.revoked, true);
    }
}

/* ---- references ---------------------------------------------------------------------------------
 */

struct miguard_binding *miguard_keep(struct miguard_binding *binding)
{
    if (binding != NULL) {
        atomic_fetch_add_explicit(&binding->references, 1, memory_order_relaxed);
    }
    return binding;
}

void miguard_release(struct miguard_binding *binding)
{
    ENTRY_UNCANCELLED;

    if (binding != NULL &&
        atomic_fetch_sub_explicit(&binding->references, 1, memory_order_acq_rel) == 1) {
        slots_retire(&bindings, binding);
        slots_release(&bindings, binding);
    }
}

uint64_t miguard_binding_number(const struct miguard_binding *binding)
{
    return binding != NULL ? number_of(binding->bound.session_id) : 0;
}

/* One more reference for a pinned binding. False: its last reference is being given up. */
static bool keep_pinned(struct miguard_binding *binding)
{
    unsigned references = atomic_load_explicit(&binding->references, memory_order_relaxed);

    while (references != 0) {
        if (atomic_compare_exchange_weak_explicit(&binding->references, &references, references + 1,
                                                  memory_order_acquire, memory_order_relaxed)) {
            return true;
        }
    }
    return false;
}

enum miguard_status miguard_binding_find(uint64_t number, struct miguard_binding **ret_binding,
                                         struct miguard_refusal *ret_refusal)
{
    ENTRY_UNCANCELLED;
    struct miguard_binding *binding = NULL;
    struct refusal refusal;

    if (ret_binding == NULL) {
        return refused_argument(ret_refusal, "ret_binding is missing");
    }
    *ret_binding = NULL;
    enum slots_verdict verdict = acquire_number(number, &binding);
    if (verdict == SLOTS_OK) {
        bool kept = keep_pinned(binding);
        slots_release(&bindings, binding);
        if (kept) {
            *ret_binding = binding;
            return MIGUARD_OK;
        }
        verdict = SLOTS_STALE;
    }
    guard_refuse_handle(OPERATION_ACTION, verdict, name_of(number), __builtin_return_address(0),
                        &refusal);
    return refusal_export(&refusal, ret_refusal);
}

/* ---- who it is bound to -------------------------------------------------------------------------
 */

const struct miguard_identity *miguard_binding_identity(const struct miguard_binding *binding)
{
    return binding != NULL ? &binding->bound.identity : NULL;
}

/* A revoked binding gives none, since its identity may do nothing more here. */
enum miguard_status miguard_target_binding(const struct miguard_binding *binding,
                                           struct miguard_target **ret_target,
                                           struct miguard_error *reterr)
{
    ENTRY_UNCANCELLED;

    if (binding == NULL || ret_target == NULL) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "target",
                         "binding or ret_target is NULL");
    }
    if (!is_own(binding)) {
        return error_set(reterr, MIGUARD_BAD_HANDLE, 0, "target",
                         "the binding was inherited through a fork");
    }
    if (atomic_load(&binding->bound.revoked)) {
        return error_set(reterr, MIGUARD_BAD_STATE, 0, "target", "the binding was revoked");
    }
    enum miguard_status status =
        miguard_target_identity(&binding->bound.identity, ret_target, reterr);
    if (status == MIGUARD_OK) {
        (*ret_target)->identify_only = binding->identify_only;
    }
    return status;
}
