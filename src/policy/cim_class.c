/* SPDX-License-Identifier: MIT */
/*
 * Names of classes and methods (DSP0004, IDENTIFIER), and the list of them that a call names.
 *
 * A class that a call names twice counts once. What is not a name, or one too many, marks the
 * classes of the call as unreadable.
 */
#include <string.h>

#include "policy/cim_name.h"

/* DSP0004, IDENTIFIER, without the letters beyond ASCII that it allows: hosts fold those
 * differently. */
bool cim_class_valid(const char *name)
{
    size_t length = 0;

    while (cim_word_byte(name[length])) {
        length++;
    }
    return length > 0 && name[length] == '\0' && length < CIM_CLASS_SIZE &&
           !(name[0] >= '0' && name[0] <= '9');
}

/* DSP0004 has one rule for both names. */
bool cim_method_valid(const char *name)
{
    _Static_assert(CIM_METHOD_SIZE == CIM_CLASS_SIZE, "one rule for both");
    return cim_class_valid(name);
}

/* Of ASCII, whatever the locale. */
static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* A class that is named twice is one: it must not use up the places of the list. */
static bool same_class(const char *one, const char *other)
{
    while (*one != '\0' && lower(*one) == lower(*other)) {
        one++;
        other++;
    }
    return *one == *other;
}

/* More than CIM_CLASSES, or one that is not valid, makes all classes unreadable: a rule could be
 * passed by with the one that was left out. */
void cim_names_add_class(struct cim_names *names, const char *name)
{
    int i = 0;

    while (i < CIM_CLASSES && names->classes[i][0] != '\0') {
        if (same_class(names->classes[i], name)) {
            return;
        }
        i++;
    }
    if (i == CIM_CLASSES || !cim_class_valid(name)) {
        names->unreadable |= CALL_UNREADABLE_CLASS;
    }
    if (i < CIM_CLASSES) { /* also what is not valid, cut: for the record only */
        (void)cut_text(name, CIM_CLASS_SIZE, names->classes[i]);
    }
}
