/* SPDX-License-Identifier: MIT */
/*
 * Everything that passes the guard, under the names that policies, records and people use:
 * X(NAME, "name", CARRIES, GROUP). The first opens a session. The 15 of MI_SessionFT follow in slot
 * order, then the 6 of MI_OperationFT under the names of their wrappers, then the answers that a
 * provider gives to a callback, what the application behind a session refuses to every caller, and
 * any other slot of a context. The last two are those of a front end other than MI: it binds an
 * object, and it uses one for an action of its own, whose name is given beside.
 *
 * CARRIES is what such a call names (enum operation_carries): a rule that asks for anything else
 * never matches it. GROUP is the word by which policies name it together with others
 * (OPERATION_GROUP_MAP), or NONE.
 */
#ifndef MODEL_OPERATION_H
#define MODEL_OPERATION_H

#include <stdbool.h>
#include <stdint.h>

#define OPERATION_MAP(X)                                                                           \
    X(GET_LOCAL_SESSION, "GetLocalSession", NOTHING, SESSION)                                      \
    X(SESSION_CLOSE, "SessionClose", NOTHING, SESSION)                                             \
    X(GET_APPLICATION, "GetApplication", NOTHING, SESSION)                                         \
    X(GET_INSTANCE, "GetInstance", CIM_NAMES, READ)                                                \
    X(MODIFY_INSTANCE, "ModifyInstance", CIM_NAMES, WRITE)                                         \
    X(CREATE_INSTANCE, "CreateInstance", CIM_NAMES, WRITE)                                         \
    X(DELETE_INSTANCE, "DeleteInstance", CIM_NAMES, WRITE)                                         \
    X(INVOKE, "Invoke", METHOD_NAMES, INVOKE)                                                      \
    X(ENUMERATE_INSTANCES, "EnumerateInstances", CIM_NAMES, READ)                                  \
    X(QUERY_INSTANCES, "QueryInstances", CIM_NAMES, READ)                                          \
    X(ASSOCIATOR_INSTANCES, "AssociatorInstances", CIM_NAMES, READ)                                \
    X(REFERENCE_INSTANCES, "ReferenceInstances", CIM_NAMES, READ)                                  \
    X(SUBSCRIBE, "Subscribe", CIM_NAMES, SUBSCRIBE)                                                \
    X(GET_CLASS, "GetClass", CIM_NAMES, READ)                                                      \
    X(ENUMERATE_CLASSES, "EnumerateClasses", CIM_NAMES, READ)                                      \
    X(TEST_CONNECTION, "TestConnection", NOTHING, SESSION)                                         \
    X(OPERATION_CLOSE, "OperationClose", METHOD_NAMES, TAKE_IN)                                    \
    X(OPERATION_CANCEL, "OperationCancel", METHOD_NAMES, TAKE_IN)                                  \
    X(OPERATION_GET_SESSION, "OperationGetSession", METHOD_NAMES, TAKE_IN)                         \
    X(OPERATION_GET_INSTANCE, "OperationGetInstance", METHOD_NAMES, TAKE_IN)                       \
    X(OPERATION_GET_INDICATION, "OperationGetIndication", METHOD_NAMES, TAKE_IN)                   \
    X(OPERATION_GET_CLASS, "OperationGetClass", METHOD_NAMES, TAKE_IN)                             \
    X(ACKNOWLEDGE, "Acknowledge", METHOD_NAMES, TAKE_IN)                                           \
    X(ANSWER_PROMPT, "AnswerPrompt", METHOD_NAMES, TAKE_IN)                                        \
    X(ANSWER_ERROR, "AnswerError", METHOD_NAMES, TAKE_IN)                                          \
    X(CALLBACK, "Callback", METHOD_NAMES, TAKE_IN)                                                 \
    X(APPLICATION_CLOSE, "ApplicationClose", NOTHING, NONE)                                        \
    X(APPLICATION_NEW_SESSION, "ApplicationNewSession", NOTHING, NONE)                             \
    X(APPLICATION_NEW_PROVIDER, "ApplicationNewHostedProvider", NOTHING, NONE)                     \
    X(CONTEXT_CALL, "ContextCall", NOTHING, NONE)                                                  \
    X(BIND, "Bind", RESOURCE, NONE)                                                                \
    X(ACTION, "Action", ACTION_NAMES, NONE)

/* In the order of the rows, which for sessions and operations is that of the function tables of the
 * MI API. Policies and records use the names alone, so a number is nowhere kept. */
enum operation {
#define OPERATION_ENUM(NAME, ...) OPERATION_##NAME,
    OPERATION_MAP(OPERATION_ENUM)
#undef OPERATION_ENUM
        OPERATION_COUNT
};

/* What a call of an operation names. Of MI: what is done with an operation has the names of the
 * call that began it, which may have been Invoke. */
enum operation_carries {
    CARRIES_NOTHING = 0,
    CARRIES_NAMESPACE = 1 << 0,
    CARRIES_CLASS = 1 << 1,
    CARRIES_METHOD = 1 << 2,
    CARRIES_RESOURCE = 1 << 3,
    CARRIES_CIM_NAMES = CARRIES_NAMESPACE | CARRIES_CLASS,
    CARRIES_METHOD_NAMES = CARRIES_CIM_NAMES | CARRIES_METHOD,
    CARRIES_ACTION_NAMES = CARRIES_RESOURCE,
};

/* Groups of operations, for `operation:` of a rule: X(GROUP, "word", also). `also` is a group whose
 * operations belong to it, too: what was started can be taken in and closed. */
#define OPERATION_GROUP_MAP(X)                                                                     \
    X(SESSION, "session", NONE)                                                                    \
    X(READ, "read", TAKE_IN)                                                                       \
    X(WRITE, "write", TAKE_IN)                                                                     \
    X(INVOKE, "invoke", TAKE_IN)                                                                   \
    X(SUBSCRIBE, "subscribe", TAKE_IN)                                                             \
    X(TAKE_IN, "take-in", NONE)

/* Policies keep sets of operations as bits of a uint32_t. */
_Static_assert(OPERATION_COUNT <= 32, "a set of operations is bits of 32");

/* Whether it binds an identity; every other operation is a use of what was bound. Nothing can
 * differ then, and policies have a condition of its own for its record. */
static inline bool operation_opens(enum operation operation)
{
    return operation == OPERATION_GET_LOCAL_SESSION || operation == OPERATION_BIND;
}

/* Bytes of the longest name of an own action. */
enum { ACTION_NAME_MAX = 128 };

/* Whether the name of an own action may have this byte. */
static inline bool action_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.' || c == ':' || c == '/';
}

/* Whether a front end may give an own action this name: 1 to ACTION_NAME_MAX of the bytes above,
 * and not the name of an operation, which policies and records could not distinguish from it. */
bool action_name_valid(const char *name);

/* "unknown" for an invalid operation. Never NULL; the text is constant. */
const char *operation_name(enum operation operation);

/* What its calls name: bits of enum operation_carries. Nothing for an invalid operation. */
unsigned operation_carries(enum operation operation);

/* The operations of a group, as bits; false: no group has this name. */
bool operation_group(const char *name, uint32_t *ret_operations);
/* The names of the groups, NULL behind the last. */
extern const char *const operation_groups[];

/* The operation of exactly that name, case included. false: an unknown name (or NULL), and
 * *ret_operation is untouched. */
bool operation_from_name(const char *name, enum operation *ret_operation);

#endif
