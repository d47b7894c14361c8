/* SPDX-License-Identifier: MIT */
/* The members that follow from others, by the names of action and reason. */
#include "model/record_derived.h"

#include <string.h>

#include "model/event.h"

/*
 * event.category and event.type, from what ECS 9 allows together. A decision about a call is access
 * that was allowed or denied; a change of a thread's identity is one of a process, for which ECS
 * knows no denial: whether it came about is in event.outcome. X(NAME, category, type)
 */
#define ECS_DECISION ""
#define ECS_CLASS_MAP(X)                                                                           \
    X(AUDIT_START, "configuration", "info")                                                        \
    X(RECORDS_LOST, "configuration", "info")                                                       \
    X(AUDIT_SEAL, "configuration", "info")                                                         \
    X(AUDIT_STOP, "configuration", "info")                                                         \
    X(AUDIT_ROTATE, "configuration", "change")                                                     \
    X(AUDIT_SPACE, "configuration", "info")                                                        \
    X(POLICY_LOAD, "configuration", "change")                                                      \
    X(POLICY_REFUSED, "configuration", "info")                                                     \
    X(SESSION_OPEN, "api", ECS_DECISION)                                                           \
    X(SESSION_USE, "api", ECS_DECISION)                                                            \
    X(SESSION_CLOSE, "api", ECS_DECISION)                                                          \
    X(CALLBACK, "api", ECS_DECISION)                                                               \
    X(REAP, "api", "end")                                                                          \
    X(SWITCH, "process", "change")                                                                 \
    X(RESTORE, "process", "change")                                                                \
    X(DROP, "process", "change")                                                                   \
    X(GATE, "process", "change")                                                                   \
    X(STATE_SET_ASIDE, "configuration", "change")                                                  \
    X(MODULE_LOAD, "library", "start")

/* By action and by reason, as they stand in the JSON. */
static const struct {
    const char *name, *allowed, *refused, *text;
} actions[] = {
#define ACTION_ROW(NAME, name, allowed, refused, text)                                             \
    [AUDIT_ACTION_##NAME] = {"\"" name "\"", "\"" allowed "\"", "\"" refused "\"", "\"" text "\""},
    AUDIT_ACTION_MAP(ACTION_ROW)
#undef ACTION_ROW
};
static const struct {
    const char *name, *text;
} reasons[] = {
#define REASON_ROW(NAME, name, text) [AUDIT_REASON_##NAME] = {"\"" name "\"", "\"" text "\""},
    AUDIT_REASON_MAP(REASON_ROW)
#undef REASON_ROW
};

/* Their size follows from the highest action that has a row, which the assertion compares. */
static const struct {
    const char *category, *type;
    bool decision;
} classes[] = {
#define CLASS_ROW(NAME, category, type)                                                            \
    [AUDIT_ACTION_##NAME] = {"[\"" category "\"]", "[\"" type "\"]", sizeof(type) == 1},
    ECS_CLASS_MAP(CLASS_ROW)
#undef CLASS_ROW
};
_Static_assert(sizeof(classes) / sizeof(classes[0]) == AUDIT_ACTION_COUNT,
               "each action has its category");

/* Those of decisions: event.type is a list. */
enum { ALLOW, DENY, ALLOWED, DENIED, DECISION_COUNT };
static const char *const decisions[DECISION_COUNT] = {
    [ALLOW] = "\"allow\"",
    [DENY] = "\"deny\"",
    [ALLOWED] = "[\"access\",\"allowed\"]",
    [DENIED] = "[\"access\",\"denied\"]",
};

static bool is_word(struct record_word word, const char *text)
{
    return word.at != NULL && strlen(text) == word.length &&
           memcmp(word.at, text, word.length) == 0;
}

/* An action or reason that this version does not know says nothing. */
struct record_derived record_derive(struct record_word action, struct record_word outcome,
                                    struct record_word reason)
{
    bool denied = is_word(outcome, "\"failure\"");
    struct record_derived derived = {.decision = decisions[denied ? DENY : ALLOW]};
    size_t number = 0, why = AUDIT_REASON_NONE + 1;

    while (number < AUDIT_ACTION_COUNT && !is_word(action, actions[number].name)) {
        number++;
    }
    if (number == AUDIT_ACTION_COUNT || (!denied && !is_word(outcome, "\"success\""))) {
        return (struct record_derived){0};
    }
    derived.category = classes[number].category;
    derived.type =
        !classes[number].decision ? classes[number].type : decisions[denied ? DENIED : ALLOWED];
    derived.code = denied ? actions[number].refused : actions[number].allowed;
    if (is_word(reason, reasons[AUDIT_REASON_NONE].name)) {
        derived.message = actions[number].text;
        return derived;
    }
    while (why < AUDIT_REASON_COUNT && !is_word(reason, reasons[why].name)) {
        why++;
    }
    derived.message = why < AUDIT_REASON_COUNT ? reasons[why].text : NULL;
    return derived;
}

bool record_derived_any(record_derived_visit *visit, void *context)
{
    bool found = false;

    for (size_t i = 0; i < AUDIT_ACTION_COUNT && !found; i++) {
        found = visit(context, actions[i].allowed) || visit(context, actions[i].refused) ||
                visit(context, actions[i].text) || visit(context, classes[i].category) ||
                (!classes[i].decision && visit(context, classes[i].type));
    }
    for (size_t i = 0; i < AUDIT_REASON_COUNT && !found; i++) {
        found = visit(context, reasons[i].text);
    }
    for (size_t i = 0; i < DECISION_COUNT && !found; i++) {
        found = visit(context, decisions[i]);
    }
    return found;
}
