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

/* The members of an identity, without the braces. Left out is what is known and 0, empty or
 * absent. */
void record_identity_write(struct text *text, const struct miguard_identity *identity);

/* The members in which current differs from bound, with their value whatever it is. */
void record_identity_differs(struct text *text, const struct miguard_identity *bound,
                             const struct miguard_identity *current);

#endif
