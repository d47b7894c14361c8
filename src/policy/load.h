/* SPDX-License-Identifier: MIT */
#ifndef POLICY_LOAD_H
#define POLICY_LOAD_H

#include "policy/draft.h"

/* draft_load() without a path, the standard places given: so that it can be tested. */
MIGUARD_CHECKED enum miguard_status load_standard(const char *file, const char *folder,
                                                  enum draft_trust trust,
                                                  struct policy_draft **ret_draft,
                                                  struct diagnostics *errors);

#endif
