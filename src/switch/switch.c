/* SPDX-License-Identifier: MIT */
#include "switch/switch.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "identity/read.h"
#include "switch/apply.h"
#include "switch/target.h"

/* What no system call of this thread can bring to another value and back. */
#define UNCHANGEABLE                                                                               \
    (MIGUARD_COMPONENT_CAP_PERMITTED | MIGUARD_COMPONENT_CAP_BOUNDING |                            \
     MIGUARD_COMPONENT_NO_NEW_PRIVS | MIGUARD_COMPONENT_USER_NAMESPACE |                           \
     MIGUARD_COMPONENT_LSM_LABEL)

#define LOCK_BITS (SECURE_ALL_LOCKS)

static bool has_cap(const struct miguard_identity *identity, uint32_t capability)
{
    return (identity->cap[IDENTITY_CAP_PERMITTED] >> capability & 1) != 0;
}

/* Without the capability an id can only be set to one of those that the thread has. That holds for
 * the fs id, too, which every change of the others overwrites. */
static bool ids_remain(const uid_t original[IDENTITY_IDS], const uid_t target[IDENTITY_IDS])
{
    if (memcmp(original, target, IDENTITY_IDS * sizeof(*original)) == 0) {
        return true;
    }
    for (int i = 0; i < IDENTITY_IDS; i++) {
        if (original[i] != target[IDENTITY_R] && original[i] != target[IDENTITY_E] &&
            original[i] != target[IDENTITY_S]) {
            return false;
        }
    }
    return true;
}

/*
 * A switch that could not be undone would end in an abort at its end; better to refuse it at its
 * start. The permitted set is the same on both sides, so what it allows there it allows back.
 */
static const char *no_way_back(const struct miguard_identity *original,
                               const struct miguard_identity *target, miguard_components changes)
{
    if ((changes & UNCHANGEABLE) != 0) {
        return "the permitted or bounding set, no_new_privs, user namespace or LSM label differs";
    }
    if (((original->securebits ^ target->securebits) & LOCK_BITS) != 0) {
        return "a locked securebit cannot be unlocked again";
    }
    if ((original->securebits & SECBIT_NO_CAP_AMBIENT_RAISE) != 0 &&
        (original->cap[IDENTITY_CAP_AMBIENT] & ~target->cap[IDENTITY_CAP_AMBIENT]) != 0) {
        return "an ambient capability that is given up could not be raised again";
    }
    uint64_t lost =
        original->cap[IDENTITY_CAP_INHERITABLE] & ~target->cap[IDENTITY_CAP_INHERITABLE];
    uint64_t regained = original->cap[IDENTITY_CAP_BOUNDING];
    if (!has_cap(original, CAP_SETPCAP)) {
        regained &= original->cap[IDENTITY_CAP_PERMITTED];
    }
    if ((lost & ~regained) != 0) {
        return "an inheritable capability that is given up could not be had again";
    }
    return NULL;
}

/* The same for what takes a capability that the thread does not have. */
static const char *no_privilege(const struct miguard_identity *original,
                                const struct miguard_identity *target)
{
    if (!has_cap(original, CAP_SETUID) && !ids_remain(original->uid, target->uid)) {
        return "without CAP_SETUID there is no way back to the present uids";
    }
    if (!has_cap(original, CAP_SETGID) && !ids_remain(original->gid, target->gid)) {
        return "without CAP_SETGID there is no way back to the present gids";
    }
    return NULL;
}

/* Invariant 5: a thread that is not known to be itself again must not run on, and neither may its
 * process, whose other code would take it for what it was. */
static void restore_or_abort(const struct miguard_identity *original)
{
    miguard_components changes = identity_check(original, MIGUARD_COMPONENTS_ALL, NULL);
    if (changes == 0) {
        return;
    }
    if (switch_apply(original, changes, SWITCH_BACK, NULL) != MIGUARD_OK ||
        identity_check(original, MIGUARD_COMPONENTS_ALL, NULL) != 0) {
        abort();
    }
}

/* Verifies, and brings the thread back when it did not become what was asked. */
static enum miguard_status become(const struct miguard_identity *original,
                                  const struct miguard_identity *expected,
                                  struct miguard_error *reterr)
{
    miguard_components changes = miguard_identity_compare(original, expected);
    if (changes == 0) {
        return MIGUARD_OK;
    }
    const char *why = no_way_back(original, expected, changes);
    if (why != NULL) {
        return error_set(reterr, MIGUARD_NOT_SUPPORTED, 0, "way back", "%s", why);
    }
    why = no_privilege(original, expected);
    if (why != NULL) {
        return error_set(reterr, MIGUARD_NOT_PERMITTED, EPERM, "way back", "%s", why);
    }
    if (!read_reserve_groups(expected->group_count)) {
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "switch", "no memory to read %u groups back",
                         expected->group_count);
    }
    enum miguard_status status = switch_apply(expected, changes, SWITCH_THERE, reterr);
    if (status == MIGUARD_OK) {
        miguard_components differing = identity_check(expected, MIGUARD_COMPONENTS_ALL, NULL);
        if (differing == 0) {
            return MIGUARD_OK;
        }
        status =
            error_set(reterr, MIGUARD_NOT_VERIFIED, 0, "read-back", "%s is not what was asked for",
                      miguard_component_name(differing & (~differing + 1)));
    }
    restore_or_abort(original);
    return status;
}

enum miguard_status switch_adopt(const struct miguard_identity *identity,
                                 struct switch_frame *frame, struct miguard_error *reterr)
{
    memset(frame, 0, sizeof(*frame));
    if (!identity_valid(identity)) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "adopt", "no identity");
    }
    if (identity_check(identity, MIGUARD_COMPONENTS_ALL, NULL) == 0) {
        return MIGUARD_OK;
    }
    enum miguard_status status = identity_capture(&frame->original, reterr);
    if (status != MIGUARD_OK) {
        return status;
    }
    status = become(&frame->original, identity, reterr);
    if (status != MIGUARD_OK) {
        identity_release(&frame->original);
    }
    return status;
}

void switch_restore(struct switch_frame *frame)
{
    if (identity_valid(&frame->original)) {
        restore_or_abort(&frame->original);
        identity_release(&frame->original);
    }
}

/* ---- the stack of this thread's switches ----------------------------------------------- */

struct switch_stack {
    unsigned depth;
    struct switch_frame frames[MIGUARD_SWITCH_DEPTH];
};

static pthread_key_t stack_key;
static pthread_once_t stack_once = PTHREAD_ONCE_INIT;
static bool stack_ready;

/* At thread exit: the identity goes with the thread, only the memory is left. */
static void free_stack(void *value)
{
    struct switch_stack *stack = value;
    for (unsigned i = 0; i < stack->depth; i++) {
        identity_release(&stack->frames[i].original);
    }
    base_free(stack);
}

static void make_stack_key(void)
{
    stack_ready = pthread_key_create(&stack_key, free_stack) == 0;
}

static struct switch_stack *stack_of_thread(void)
{
    if (pthread_once(&stack_once, make_stack_key) != 0 || !stack_ready) {
        return NULL;
    }
    return pthread_getspecific(stack_key);
}

static struct switch_stack *stack_for_thread(void)
{
    struct switch_stack *stack = stack_of_thread();
    if (stack != NULL || !stack_ready) {
        return stack;
    }
    stack = base_alloc(1, sizeof(*stack));
    if (stack != NULL && pthread_setspecific(stack_key, stack) != 0) {
        base_free(stack);
        stack = NULL;
    }
    return stack;
}

unsigned miguard_switch_depth(void)
{
    const struct switch_stack *stack = stack_of_thread();
    return stack == NULL ? 0 : stack->depth;
}

enum miguard_status miguard_switch_to(const struct miguard_target *target,
                                      struct miguard_error *reterr)
{
    if (target == NULL) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "switch", "target is NULL");
    }
    struct switch_stack *stack = stack_for_thread();
    if (stack == NULL) {
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "switch", NULL);
    }
    if (stack->depth == MIGUARD_SWITCH_DEPTH) {
        return error_set(reterr, MIGUARD_TOO_DEEP, 0, "switch",
                         "%d switches are not undone; is a miguard_switch_back() missing?",
                         MIGUARD_SWITCH_DEPTH);
    }
    struct switch_frame *frame = &stack->frames[stack->depth];
    enum miguard_status status = identity_capture(&frame->original, reterr);
    if (status != MIGUARD_OK) {
        return status;
    }
    struct miguard_identity expected = target_expected(target, &frame->original);
    status = become(&frame->original, &expected, reterr);
    if (status != MIGUARD_OK) {
        identity_release(&frame->original);
        return status;
    }
    stack->depth++;
    return MIGUARD_OK;
}

enum miguard_status miguard_switch_back(struct miguard_error *reterr)
{
    struct switch_stack *stack = stack_of_thread();
    if (stack == NULL || stack->depth == 0) {
        return error_set(reterr, MIGUARD_NOT_SWITCHED, 0, "switch back",
                         "this thread has no miguard_switch_to() to undo");
    }
    stack->depth--;
    switch_restore(&stack->frames[stack->depth]);
    return MIGUARD_OK;
}
