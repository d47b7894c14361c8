/* SPDX-License-Identifier: MIT */
/*
 * A policy as it is in force, over all files: every setting and every rule, each with the place
 * that gave it. Linked into the command and the tests only, never into the library.
 */
#ifndef TOOLS_POLICY_SHOW_H
#define TOOLS_POLICY_SHOW_H

#include "base/text.h"
#include "policy/draft.h"

/* As a policy file that means the same (tests aside), with "# FILE:LINE" behind what came from a
 * file and "# built-in" behind the rest. text->failed when memory is out. */
void show_yaml(const struct policy_draft *draft, struct text *text);

/* As one JSON object without a newline, users and groups also as the ids that they stand for. */
void show_json(const struct policy_draft *draft, struct text *text);

/* What a provider may do with its client, by the word of policies. */
const char *show_may(enum draft_may may);

/* The name of a capability as policies write it, "CAP_CHOWN"; a buffer of 32 is enough. */
void show_capability(unsigned capability, char *name, size_t size);

/* A text as a YAML scalar: as it is where nothing in it could be taken for something else, else in
 * double quotes with JSON's escapes, which YAML shares. */
void show_scalar(struct text *text, const char *value);

#endif
