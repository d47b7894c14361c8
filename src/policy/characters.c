/* SPDX-License-Identifier: MIT */
/* Which characters must not stand in a policy: asked by source.c for the file as it is, by
 * document.c for what escapes in quotes stand for. */
#include "policy/characters.h"

#include <stdbool.h>

/* Characters of no width, and those that turn the direction of writing (Unicode, mostly of
 * General_Category Cf): a rule could read otherwise than it acts. */
static bool is_invisible(uint32_t code)
{
    return code == 0xAD || code == 0x61C || code == 0x180E || (code >= 0x200B && code <= 0x200F) ||
           (code >= 0x202A && code <= 0x202E) || (code >= 0x2060 && code <= 0x206F) ||
           code == 0xFEFF || (code >= 0xFFF9 && code <= 0xFFFB) ||
           (code >= 0xE0000 && code <= 0xE0FFF);
}

/* NEL, LS and PS have words of their own: YAML 1.1 ends a line there, and an editor does not show
 * it. */
const char *character_fault(uint32_t code)
{
    if (code == '\n' || (code >= 0x20 && code < 0x7F)) {
        return NULL;
    }
    if (code == '\t') {
        return "a tab; use spaces";
    }
    if (code == '\r') {
        return "a carriage return; end lines with a line feed alone";
    }
    if (code < 0x20 || code == 0x7F || (code > 0x7F && code < 0xA0 && code != 0x85)) {
        return "a control character; remove it";
    }
    if (code == 0x85 || code == 0x2028 || code == 0x2029) {
        return "a line end that most editors do not show; use a line feed";
    }
    if (is_invisible(code)) {
        return "an invisible character; remove it";
    }
    return (code & 0xFFFE) == 0xFFFE ? "not a character at all; remove it" : NULL;
}
