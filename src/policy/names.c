/* SPDX-License-Identifier: MIT */
/*
 * The names that come from elsewhere: components, operations, capabilities.
 */
#include <cap-ng.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>

#include "policy/policy.h"
#include "policy/schema.h"

/* These three are shared with rules, tests and show.c. */
const struct schema_word schema_decisions[] = {
    {"allow", DRAFT_ALLOW}, {"deny", DRAFT_DENY}, {NULL, 0}};
const struct schema_word schema_modes[] = {
    {"enforce", DRAFT_ENFORCE}, {"permissive", DRAFT_PERMISSIVE}, {NULL, 0}};
const struct schema_word schema_audits[] = {
    {"deny", POLICY_AUDIT_DENY}, {"open", POLICY_AUDIT_OPEN}, {"use", POLICY_AUDIT_USE}, {NULL, 0}};

/* For the message about an unknown one. */
static const char *const component_names[] = {
#define COMPONENT_NAME(bit, NAME, name) name,
    MIGUARD_COMPONENT_MAP(COMPONENT_NAME)
#undef COMPONENT_NAME
        NULL,
};

/* "all", or a list. 0 after an error. Unknown names are reported and left out: the draft is thrown
 * away then. */
miguard_components schema_read_components(const struct reader *reader, const struct node *node,
                                          bool may_be_empty)
{
    const struct node *value;
    miguard_components set = 0;

    if (node->kind == NODE_SCALAR && strcmp(node->text, "all") == 0) {
        return MIGUARD_COMPONENTS_ALL;
    }
    for (uint32_t left = schema_read_values(reader, node, may_be_empty, &value); left > 0;
         left--, value = value->next) {
        const char *text = schema_read_text(reader, value, "component");
        if (text == NULL) {
            continue;
        }
        miguard_components component = miguard_component_from_name(text);
        if (component == 0) {
            schema_unknown_word(reader, value, "component", component_names);
        }
        set |= component;
    }
    return set;
}

/* Without Action, which no rule can say. */
static const char *const operation_names[OPERATION_COUNT] = {
#define OPERATION_NAME(NAME, name, ...)                                                            \
    [OPERATION_##NAME] = OPERATION_##NAME == OPERATION_ACTION ? NULL : (name),
    OPERATION_MAP(OPERATION_NAME)
#undef OPERATION_NAME
};
_Static_assert(OPERATION_ACTION == OPERATION_COUNT - 1, "NULL ends the list");

/* The operation that is mostly meant by its name in another case, by a word that is too short to be
 * near it, as "Get" and "query", and by "open", the word of audit lists. NULL: none. */
static const char *meant_operation(const char *text)
{
    size_t length = strlen(text);

    if (strcmp(text, "open") == 0) {
        return operation_names[OPERATION_GET_LOCAL_SESSION];
    }
    for (unsigned i = 0; operation_names[i] != NULL; i++) {
        const char *name = operation_names[i];
        if (strncasecmp(name, text, length) == 0 &&
            (name[length] == '\0' || strcmp(name + length, "Instance") == 0 ||
             strcmp(name + length, "Instances") == 0)) {
            return name;
        }
    }
    return NULL;
}

/* *ret_operation is written only on success. */
bool schema_read_operation(const struct reader *reader, const struct node *node,
                           enum operation *ret_operation)
{
    const char *text = schema_read_text(reader, node, "operation");

    if (text == NULL) {
        return false;
    }
    if (operation_from_name(text, ret_operation)) {
        return true;
    }
    const char *meant = meant_operation(text);
    uint32_t group;
    if (meant != NULL) {
        schema_value_error(reader, node, "unknown operation \"%s\"; did you mean \"%s\"?", text,
                           meant);
    } else if (operation_group(text, &group)) {
        schema_value_error(reader, node,
                           "one operation is needed here, and \"%s\" stands for several", text);
    } else {
        schema_unknown_word(reader, node, "operation", operation_names);
    }
    return false;
}

bool schema_read_operations(const struct reader *reader, const struct node *node,
                            uint32_t *ret_operations)
{
    enum operation operation = OPERATION_COUNT;

    if (node->kind == NODE_SCALAR && operation_group(node->text, ret_operations)) {
        return true;
    }
    if (!schema_read_operation(reader, node, &operation)) {
        return false;
    }
    *ret_operations = UINT32_C(1) << operation;
    return true;
}

/* ---- capabilities ---------------------------------------------------------------------------- */

/* Bytes; the longest name is CAP_CHECKPOINT_RESTORE. */
enum { CAPABILITY_NAME = 40 };

/* Made when needed: libcap-ng has the names in another form. */
struct capability_names {
    char text[CAP_LAST_CAP + 1][CAPABILITY_NAME];
    const char *list[CAP_LAST_CAP + 2];
};

/* libcap-ng knows them without the prefix and in lower case. Up to the last one of the headers that
 * this was built with. */
static void fill_names(struct capability_names *names)
{
    for (unsigned i = 0; i <= CAP_LAST_CAP; i++) {
        const char *name = capng_capability_to_name(i);
        char *text = names->text[i];
        snprintf(text, CAPABILITY_NAME, "CAP_%s", name == NULL ? "?" : name);
        for (char *at = text; *at != '\0'; at++) {
            if (*at >= 'a' && *at <= 'z') {
                *at = (char)(*at - 'a' + 'A');
            }
        }
        names->list[i] = text;
    }
    names->list[CAP_LAST_CAP + 1] = NULL;
}

/* Suggests a name also where only the prefix is missing. */
static void unknown_capability(const struct reader *reader, const struct node *node,
                               const struct capability_names *names)
{
    char prefixed[DRAFT_MAX_TEXT * 4 + 8];
    const char *nearest = diagnostic_nearest(node->text, names->list);

    /* Of a short word without the prefix nearly every name would be a slip. */
    if (nearest == NULL && strlen(node->text) > 3) {
        snprintf(prefixed, sizeof(prefixed), "CAP_%s", node->text);
        nearest = diagnostic_nearest(prefixed, names->list);
    }
    if (nearest != NULL) {
        schema_value_error(reader, node, "unknown capability \"%s\"; did you mean \"%s\"?",
                           node->text, nearest);
    } else {
        schema_value_error(
            reader, node,
            "unknown capability \"%s\"; they are written as in capabilities(7), such as "
            "\"CAP_NET_ADMIN\"",
            node->text);
    }
}

/* 0 after an error. Names must be written as capabilities(7) has them, in capitals. */
uint64_t schema_read_capabilities(const struct reader *reader, const struct node *node)
{
    struct capability_names names;
    const struct node *value;
    uint64_t set = 0;

    fill_names(&names);
    for (uint32_t left = schema_read_values(reader, node, false, &value); left > 0;
         left--, value = value->next) {
        const char *text = schema_read_text(reader, value, "capability");
        unsigned i = 0;
        if (text == NULL) {
            continue;
        }
        while (i <= CAP_LAST_CAP && strcmp(text, names.list[i]) != 0) {
            i++;
        }
        if (i <= CAP_LAST_CAP) {
            set |= UINT64_C(1) << i;
        } else {
            unknown_capability(reader, value, &names);
        }
    }
    return set;
}
