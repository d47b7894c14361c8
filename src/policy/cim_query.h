/* SPDX-License-Identifier: MIT */
/*
 * Which classes a query names. Only what every reader of WQL and CQL must understand in the same
 * way is read; all else counts as not read, and the caller then refuses where it could matter.
 */
#ifndef POLICY_CIM_QUERY_H
#define POLICY_CIM_QUERY_H

#include "policy/cim_name.h"

/* Adds the class of FROM, and those that the condition names (ISA "X", X::property). false: the
 * query was not understood; what was read by then is in names all the same, for the record. */
bool cim_query_read(const char *dialect, const char *query, struct cim_names *names);

#endif
