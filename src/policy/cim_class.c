/* SPDX-License-Identifier: MIT */
/* Names of classes and methods (DSP0004, IDENTIFIER), and the list of them that a call names. */
#include <string.h>

#include "policy/cim_name.h"

bool cim_class_valid(const char *name)
{
    size_t length = 0;

    while (cim_word_byte(name[length])) {
        length++;
    }
    return length > 0 && name[length] == '\0' && length < CIM_CLASS_SIZE &&
           !(name[0] >= '0' && name[0] <= '9');
}

bool cim_method_valid(const char *name)
{
    _Static_assert(CIM_METHOD_SIZE == CIM_CLASS_SIZE, "one rule for both");
    return cim_class_valid(name);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool same_class(const char *one, const char *other)
{
    while (*one != '\0' && lower(*one) == lower(*other)) {
        one++;
        other++;
    }
    return *one == *other;
}

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
        names->unreadable |= CIM_UNREADABLE_CLASS;
    }
    if (i < CIM_CLASSES) { /* also what is not valid, cut: for the record only */
        (void)cut_text(name, CIM_CLASS_SIZE, names->classes[i]);
    }
}
