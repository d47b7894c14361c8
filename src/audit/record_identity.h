/* SPDX-License-Identifier: MIT */
/*
 * An identity as records have it since format 2, exact and short; identity_write_json() is the full
 * form, which readers make of it (tools/review/record_expand.c). miguard-audit-record(5) describes
 * the form for others.
 */
#ifndef AUDIT_RECORD_IDENTITY_H
#define AUDIT_RECORD_IDENTITY_H

#include "base/text.h"
#include "identity/identity.h"

/* The first user namespace, which nearly all processes are in: PROC_USER_INIT_INO of the kernel's
 * linux/proc_ns.h, by which programs have known it since Linux 3.8. */
#define RECORD_FIRST_NAMESPACE UINT64_C(4026531837)

/* All capabilities of Linux since 5.9, of which nearly all processes have none dropped. */
#define RECORD_ALL_CAPS ((UINT64_C(1) << 41) - 1)

/* The members of an identity, without the braces. Left out is what is known and 0, empty, absent,
 * the first user namespace or, of the bounding set, RECORD_ALL_CAPS. is_user: it is the one in
 * `user` of the record, so that four ids that are the same are left out as well. */
void record_identity_write(struct text *text, const struct miguard_identity *identity,
                           bool is_user);

/* Whether record_identity_differs() has something to say. */
bool record_identity_is_other(const struct miguard_identity *bound,
                              const struct miguard_identity *current);

/* The members in which current differs from bound, with their value whatever it is. */
void record_identity_differs(struct text *text, const struct miguard_identity *bound,
                             const struct miguard_identity *current);

#endif
