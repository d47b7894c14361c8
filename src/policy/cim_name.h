/* SPDX-License-Identifier: MIT */
/*
 * When two spellings of a namespace, class or method are one name: the only place that says so. The
 * guard, the reader of policies, their tests, `policy explain` and `audit suggest` all come through
 * here, so that they cannot differ.
 *
 * DSP0004: names compare case-insensitively; a namespace is a path of names. DSP0200 writes it with
 * "/", much software with "\", and hosts drop separators that are doubled or at an end. So
 *
 *     vendor/cimv2    vendor\cimv2    /vendor/cimv2    vendor/cimv2/    vendor//cimv2
 *
 * are one namespace, of which the first is the normal form. Case is kept here and ignored by the
 * matching (match.c).
 *
 * Anything else is not read as a name: blanks, controls, "." and "..", two separators in front (a
 * server would follow), characters beyond ASCII (whose case and composition each host folds in its
 * own way), what is too long. A host may trim,
 * decode or fold such a name into another one, and no rule could know which. Such a name is kept as
 * it was written and marked unreadable; what that means for a decision is said in policy.h.
 */
#ifndef POLICY_CIM_NAME_H
#define POLICY_CIM_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "identity/cut.h"
#include "model/match_keys.h"
#include "model/operation.h"

/* Bytes; a longer name is unreadable. Names are kept without allocation. */
enum {
    CIM_SPACE_SIZE = 256, /* with the NUL */
    CIM_CLASS_SIZE = 128,
    CIM_METHOD_SIZE = 128,
    CIM_CLASSES = 3, /* an association names the most: those of the key, association and result */
};

/* The names of one call, whole. What does not fit is unreadable, and cut (identity/cut.h) for the
 * record alone, never compared. */
struct cim_names {
    unsigned unreadable;                                 /* CALL_UNREADABLE_ bits */
    char name_space[CUT_SIZE(CIM_SPACE_SIZE)];           /* "" for none */
    char classes[CIM_CLASSES][CUT_SIZE(CIM_CLASS_SIZE)]; /* the first "" ends the list */
    char method[CUT_SIZE(CIM_METHOD_SIZE)];              /* "" for none */
};

/* The names as a caller wrote them. */
struct cim_written {
    enum operation operation;
    const char *name_space;
    const char *classes[CIM_CLASSES]; /* NULL or "": no class */
    bool class_hidden;                /* an instance does not say of which class it is */
    const char *method;               /* of Invoke; NULL or "": no method */
    const char *dialect, *query;      /* of QueryInstances and Subscribe; query NULL: none */
};

/* Whether a name of a class, a method or a part of a namespace may have this byte. */
static inline bool cim_word_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Never fails: what cannot be read is marked. An operation that needs a namespace, a class or a
 * method and gives no name is unreadable as well, since the host may have its own default. */
void cim_names_read(struct cim_names *names, const struct cim_written *written);

/* One more class, unless it is there already. A fourth makes the classes unreadable. */
void cim_names_add_class(struct cim_names *names, const char *name);

/* The normal form of a namespace; false when it cannot be read, and normal is "" then. */
bool cim_space_normalise(const char *written, char normal[CIM_SPACE_SIZE]);

/* A method's name is written and compared as that of a class (DSP0004, IDENTIFIER). */
bool cim_class_valid(const char *name);
/* The same for a method. */
bool cim_method_valid(const char *name);

/* Whether a policy's pattern is written in the normal form and can match a name at all. *ret_meant
 * holds the right spelling where there is one, else "". */
bool cim_space_pattern_good(const char *pattern, char *ret_meant, size_t size);
/* Whether a pattern can match the name of a class or method at all. */
bool cim_class_pattern_good(const char *pattern);

#endif
