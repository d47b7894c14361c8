/* SPDX-License-Identifier: MIT */
/*
 * Everything that passes the guard, under the names that policies, records and people use:
 * X(NAME, "name"). The first opens a session. The 15 of MI_SessionFT follow in slot order, then the
 * 6 of MI_OperationFT under the names of their wrappers, then the answers that a provider gives to
 * a callback, what the application behind a session refuses to every caller, and any other slot of
 * a context. The last two are those of a front end other than MI: it binds an object, and it uses
 * one for an action of its own, whose name is given beside.
 */
#ifndef MODEL_OPERATION_H
#define MODEL_OPERATION_H

#include <stdbool.h>

#define OPERATION_MAP(X)                                                                           \
    X(GET_LOCAL_SESSION, "GetLocalSession")                                                        \
    X(SESSION_CLOSE, "SessionClose")                                                               \
    X(GET_APPLICATION, "GetApplication")                                                           \
    X(GET_INSTANCE, "GetInstance")                                                                 \
    X(MODIFY_INSTANCE, "ModifyInstance")                                                           \
    X(CREATE_INSTANCE, "CreateInstance")                                                           \
    X(DELETE_INSTANCE, "DeleteInstance")                                                           \
    X(INVOKE, "Invoke")                                                                            \
    X(ENUMERATE_INSTANCES, "EnumerateInstances")                                                   \
    X(QUERY_INSTANCES, "QueryInstances")                                                           \
    X(ASSOCIATOR_INSTANCES, "AssociatorInstances")                                                 \
    X(REFERENCE_INSTANCES, "ReferenceInstances")                                                   \
    X(SUBSCRIBE, "Subscribe")                                                                      \
    X(GET_CLASS, "GetClass")                                                                       \
    X(ENUMERATE_CLASSES, "EnumerateClasses")                                                       \
    X(TEST_CONNECTION, "TestConnection")                                                           \
    X(OPERATION_CLOSE, "OperationClose")                                                           \
    X(OPERATION_CANCEL, "OperationCancel")                                                         \
    X(OPERATION_GET_SESSION, "OperationGetSession")                                                \
    X(OPERATION_GET_INSTANCE, "OperationGetInstance")                                              \
    X(OPERATION_GET_INDICATION, "OperationGetIndication")                                          \
    X(OPERATION_GET_CLASS, "OperationGetClass")                                                    \
    X(ACKNOWLEDGE, "Acknowledge")                                                                  \
    X(ANSWER_PROMPT, "AnswerPrompt")                                                               \
    X(ANSWER_ERROR, "AnswerError")                                                                 \
    X(CALLBACK, "Callback")                                                                        \
    X(APPLICATION_CLOSE, "ApplicationClose")                                                       \
    X(APPLICATION_NEW_SESSION, "ApplicationNewSession")                                            \
    X(APPLICATION_NEW_PROVIDER, "ApplicationNewHostedProvider")                                    \
    X(CONTEXT_CALL, "ContextCall")                                                                 \
    X(BIND, "Bind")                                                                                \
    X(ACTION, "Action")

/* In the order of the rows, which for sessions and operations is that of the function tables of the
 * MI API. Policies and records use the names alone, so a number is nowhere kept. */
enum operation {
#define OPERATION_ENUM(NAME, name) OPERATION_##NAME,
    OPERATION_MAP(OPERATION_ENUM)
#undef OPERATION_ENUM
        OPERATION_COUNT
};

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

/* The operation of exactly that name, case included. false: an unknown name (or NULL), and
 * *ret_operation is untouched. */
bool operation_from_name(const char *name, enum operation *ret_operation);

#endif
