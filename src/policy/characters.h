/* SPDX-License-Identifier: MIT */
/*
 * The characters of a policy file: UTF-8, and which of them a policy may not hold.
 */
#ifndef POLICY_CHARACTERS_H
#define POLICY_CHARACTERS_H

#include <stddef.h>
#include <stdint.h>

/*
 * What is wrong with this character in a policy file, or NULL. Refused is all that makes a reader
 * see another text than the parser does: control characters, the line ends that YAML 1.1 knows and
 * editors do not (a rule could hide behind a comment), bidirectional and invisible characters. The
 * text is constant and fits behind "U+1234 is ".
 */
const char *character_fault(uint32_t code);

#endif
