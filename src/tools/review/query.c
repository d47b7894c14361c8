/* SPDX-License-Identifier: MIT */
/*
 * Parses the conditions of a search and asks each record whether it meets them, for all commands
 * below `miguard audit` that take conditions.
 *
 * query_add() finds the option, reads its value (set_value) and prepares what makes matching quick
 * (prepare). query_matches() is asked with the record; query_fields() says which of its fields that
 * needs, so that a reader finds no others. Options are one table, QUERY_OPTION_MAP: the command's
 * --help, its completion and the matching below come from it.
 */
#include "tools/review/query.h"
#include "audit/encode.h"
#include "base/alloc.h"
#include "model/event.h"
#include "model/record_limits.h"
#include "tools/review/export_text.h"
#include "tools/review/find_word.h"
#include "tools/review/later.h"
#include "tools/review/query_time.h"
#include "tools/review/record_complete.h"
#include "tools/review/saved.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- the closed lists -------------------------------------------------------------------------
 */

/* The words that --reason takes, for completion and for "is not one of the known words". */
static const char *const reasons[] = {
#define REASON_WORD(NAME, name, text) name,
    AUDIT_REASON_MAP(REASON_WORD)
#undef REASON_WORD
        NULL};

/* For --action, from the same list as the writer's names. */
static const char *const actions[] = {
#define ACTION_WORD(NAME, name, allowed, refused, text) name,
    AUDIT_ACTION_MAP(ACTION_WORD)
#undef ACTION_WORD
        NULL};

/* Both codes of each action: for what went well and for what was refused. */
static const char *const codes[] = {
#define CODE_WORDS(NAME, name, allowed, refused, text) allowed, refused,
    AUDIT_ACTION_MAP(CODE_WORDS)
#undef CODE_WORDS
        NULL};

/* For --operation, beside the own actions of daemons. */
static const char *const operations[] = {
#define OPERATION_WORD(NAME, name, ...) name,
    OPERATION_MAP(OPERATION_WORD)
#undef OPERATION_WORD
        NULL};

/* For --component. */
static const char *const components[] = {
#define COMPONENT_WORD(bit, NAME, name) name,
    MIGUARD_COMPONENT_MAP(COMPONENT_WORD)
#undef COMPONENT_WORD
        NULL};

/* would-deny is no value of event.decision; decision_word() reads it from another field. */
static const char *const decisions[] = {"allow", "deny", "would-deny", NULL};

/* ---- the options ------------------------------------------------------------------------------
 */

/* How the value of an option is read and compared. */
enum kind {
    KIND_START,
    KIND_END,
    KIND_GLOB,      /* one of the fields, with * and ? */
    KIND_PERSON,    /* the same; digits are an id, and a name that is missing is looked up */
    KIND_ANY_CASE,  /* the same, and letters of any case */
    KIND_NAMESPACE, /* the same, and / is \ as well */
    KIND_OPERATION, /* as KIND_ANY_CASE; the words are those of MI, and daemons have others */
    KIND_WITHIN,    /* somewhere in the field, in any case */
    KIND_HEX,       /* an id of 64 bits */
    KIND_RANGE,     /* N or N-M */
    KIND_DECISION,
    KIND_NO_STARTS, /* no value */
    KIND_SAVED,     /* the name of a saved query */
    KIND_NOT,       /* no value and no condition: what comes next is negated */
    KIND_OR,        /* the same: another set begins */
    KIND_COMPONENT,
    KIND_TEXT,
    KIND_COUNT,
};

/* --any-user has nine; a row with more than this does not compile. */
enum { MAX_FIELDS = 10 };

/* X("option", what stands for its value and the sentence in --help, kind, closed list or NULL,
 * fields...) */
#define QUERY_OPTION_MAP(X)                                                                        \
    X("--start", "TIME",                                                                           \
      "from the beginning of TIME: 2026-03-01, 2026-03-01T12:00, with Z or +01:00 (else local "    \
      "time), 2h, 3d (ago), now, recent (10 minutes), today, yesterday, this-week, week-ago, "     \
      "this-month, this-year, boot",                                                               \
      START, query_time_words, RECORD_TIMESTAMP)                                                   \
    X("--end", "TIME", "to the end of TIME", END, query_time_words, RECORD_TIMESTAMP)              \
    X("--user", "GLOB", "name or id of the user who opened the session, or who used it", PERSON,   \
      NULL, RECORD_BOUND_USER_ID, RECORD_BOUND_USER_NAME, RECORD_CURRENT_USER_ID,                  \
      RECORD_CURRENT_USER_NAME)                                                                    \
    X("--bound-user", "GLOB", "only of the user who opened it", PERSON, NULL,                      \
      RECORD_BOUND_USER_ID, RECORD_BOUND_USER_NAME)                                                \
    X("--current-user", "GLOB", "only of the user who used it (the effective user)", PERSON, NULL, \
      RECORD_CURRENT_USER_ID, RECORD_CURRENT_USER_NAME)                                            \
    X("--any-user", "GLOB", "as --user, and the real, saved and login user", PERSON, NULL,         \
      RECORD_BOUND_USER_ID, RECORD_BOUND_USER_NAME, RECORD_CURRENT_USER_ID,                        \
      RECORD_CURRENT_USER_NAME, RECORD_CURRENT_REAL_USER_ID, RECORD_CURRENT_REAL_USER_NAME,        \
      RECORD_CURRENT_SAVED_USER_ID, RECORD_CURRENT_SAVED_USER_NAME, RECORD_LOGINUID)               \
    X("--group", "GLOB", "name or id, as --user", PERSON, NULL, RECORD_BOUND_GROUP_ID,             \
      RECORD_BOUND_GROUP_NAME, RECORD_CURRENT_GROUP_ID, RECORD_CURRENT_GROUP_NAME)                 \
    X("--provider", "GLOB", "file name of the provider module", GLOB, NULL, RECORD_PROVIDER)       \
    X("--class", "GLOB", "in any case", ANY_CASE, NULL, RECORD_CLASS)                              \
    X("--method", "GLOB", "of an Invoke, in any case", ANY_CASE, NULL, RECORD_METHOD)              \
    X("--namespace", "GLOB", "in any case; / and \\ are the same", NAMESPACE, NULL,                \
      RECORD_NAMESPACE)                                                                            \
    X("--operation", "NAME", "GetInstance, Invoke ..., or an own action of a daemon", OPERATION,   \
      operations, RECORD_OPERATION)                                                                \
    X("--resource", "GLOB", "what an own action was asked for, such as a path", GLOB, NULL,        \
      RECORD_RESOURCE)                                                                             \
    X("--object", "TEXT", "in the daemon's name of the object, in any case", WITHIN, NULL,         \
      RECORD_OBJECT_NAME)                                                                          \
    X("--decision", "WORD",                                                                        \
      "allow (a call that was allowed, as report counts them), deny or would-deny (permissive "    \
      "mode)",                                                                                     \
      DECISION, decisions, RECORD_DECISION)                                                        \
    X("--reason", "WORD", "as miguard-audit-record(5) lists them", ANY_CASE, reasons,              \
      RECORD_REASON)                                                                               \
    X("--component", "NAME", "this component differed: euid, groups, cap-effective ...",           \
      COMPONENT, components, RECORD_MISMATCH)                                                      \
    X("--rule", "GLOB", "the policy rule that decided", GLOB, NULL, RECORD_RULE)                   \
    X("--session", "ID", "in hexadecimal", HEX, NULL, RECORD_SESSION)                              \
    X("--context", "ID", "in hexadecimal", HEX, NULL, RECORD_CONTEXT)                              \
    X("--pid", "N[-M]", "process id", RANGE, NULL, RECORD_PID)                                     \
    X("--tid", "N[-M]", "thread id", RANGE, NULL, RECORD_TID)                                      \
    X("--executable", "GLOB", "path of the program, or its name", GLOB, NULL, RECORD_EXECUTABLE,   \
      RECORD_PROCESS_NAME)                                                                         \
    X("--host", "GLOB", "in any case", ANY_CASE, NULL, RECORD_HOST)                                \
    X("--action", "WORD", "as miguard-audit-record(5) lists them", ANY_CASE, actions,              \
      RECORD_ACTION)                                                                               \
    X("--code", "CODE", "as miguard-audit-record(5) lists them", ANY_CASE, codes, RECORD_CODE)     \
    X("--id", "ID", "the decision id in the message to the refused caller", ANY_CASE, NULL,        \
      RECORD_EVENT_ID)                                                                             \
    X("--sequence", "N[-M]", "the number in the log", RANGE, NULL, RECORD_SEQUENCE)                \
    X("--text", "WORD", "anywhere in the texts of the record, in any case", TEXT, NULL,            \
      RECORD_FIELD_COUNT)                                                                          \
    X("--no-starts", NULL,                                                                         \
      "without the records of processes that start and stop: audit-start, audit-stop and "         \
      "policy-load",                                                                               \
      NO_STARTS, NULL, RECORD_ACTION)                                                              \
    X("--saved", "NAME", "the saved query of this name (miguard audit queries) holds", SAVED,      \
      NULL, RECORD_FIELD_COUNT)                                                                    \
    X("--not", NULL,                                                                               \
      "the condition behind it must not hold, also where the record lacks the "                    \
      "field",                                                                                     \
      NOT, NULL, RECORD_FIELD_COUNT)                                                               \
    X("--or", NULL,                                                                                \
      "begins another set of conditions: a record matches when one of the sets does, as -o of "    \
      "find",                                                                                      \
      OR, NULL, RECORD_FIELD_COUNT)

/* One row of QUERY_OPTION_MAP, as matching needs it. */
static const struct option {
    const char *name;
    enum kind kind;
    const char *const *words;
    size_t field_count;
    enum record_field fields[MAX_FIELDS];
    /* The row of an option has the same place in query->values. */
} options[] = {
#define OPTION_ROW(option, value, help, KIND, words, ...)                                          \
    {option,                                                                                       \
     KIND_##KIND,                                                                                  \
     words,                                                                                        \
     sizeof((enum record_field[]){__VA_ARGS__}) / sizeof(enum record_field),                       \
     {__VA_ARGS__}},
    QUERY_OPTION_MAP(OPTION_ROW)
#undef OPTION_ROW
};

enum { OPTIONS = sizeof(options) / sizeof(options[0]) };

/* The same rows, as the command's help and completion need them. */
const struct query_option query_options[] = {
#define OPTION_HELP(option, value, help, KIND, words, ...)                                         \
    {option, value, help, words, KIND_##KIND == KIND_OPERATION},
    QUERY_OPTION_MAP(OPTION_HELP)
#undef OPTION_HELP
        {NULL, NULL, NULL, NULL, false}};

/* NULL for what is not a condition. */
static const struct option *find_option(const char *name)
{
    for (size_t i = 0; i < OPTIONS; i++) {
        if (strcmp(options[i].name, name) == 0) {
            return &options[i];
        }
    }
    return NULL;
}

static bool takes_no_value(const struct option *option)
{
    return option->kind == KIND_NO_STARTS || option->kind == KIND_NOT || option->kind == KIND_OR;
}

/* NULL as well for an unknown option. */
const char *const *query_words(const char *option)
{
    const struct option *found = find_option(option);

    return found == NULL ? NULL : found->words;
}

/* ---- the query --------------------------------------------------------------------------------
 */

/* How long a record keeps what can be asked for (model/record_limits.h). */
static const size_t cut_limits[] = {AUDIT_MAX_KEY, AUDIT_MAX_CIM, AUDIT_MAX_NAME, AUDIT_MAX_TEXT,
                                    AUDIT_MAX_DETAIL};
_Static_assert((int)AUDIT_MAX_VALUE == (int)AUDIT_MAX_CIM, "one limit for both");

/* The last is a key with its value, each cut by itself. */
enum { LIMITS = sizeof(cut_limits) / sizeof(cut_limits[0]), CUTS = LIMITS + 1 };

/* One value of an option, with what was made ready for it when it was added. */
struct value {
    /* Alternatives of the same option. */
    struct value *next;
    int64_t first, last;      /* times */
    uint64_t lowest, highest; /* numbers */
    char *literal;            /* as it must stand in a line, quotes and all; NULL: not known */
    char id_literal[16];      /* or so, for a name that may be missing; "": not so */
    bool is_id;               /* of a person: the digits of an id */
    bool negated;             /* it must not hold */
    bool in_constants;        /* text that a record may have beside its line */
    struct query *saved;      /* owned */
    char *unescaped;          /* for strings with escapes, when text is looked for in them */
    char *cut[CUTS];          /* text as records have it where it is too long; NULL: it is not */
    size_t length;            /* of text */
    char text[];
};

/* Conditions that must all hold. */
struct clause {
    struct clause *next;           /* another set */
    struct value *values[OPTIONS]; /* alternatives; NULL: nothing is asked */
    bool asked;
};

struct query {
    int64_t now; /* of all words, so that they agree with one another */
    struct clause first;
    struct clause *last;
    bool negate; /* --not was the last */
    bool is_saved;
};

/* The clock is read once: "2h" and "today" in one query mean the same now. */
struct query *query_new(void)
{
    struct query *query = base_alloc(1, sizeof(*query));

    if (query != NULL) {
        query->now = audit_now();
        query->last = &query->first;
    }
    return query;
}

/* One alternative, not those behind it. */
static void free_value(struct value *value)
{
    query_free(value->saved);
    base_free(value->literal);
    for (size_t i = 0; i < CUTS; i++) {
        base_free(value->cut[i]);
    }
    base_free(value->unescaped);
    base_free(value);
}

/* Each option has a chain of values of its own. */
static void free_values(struct clause *clause)
{
    for (size_t i = 0; i < OPTIONS; i++) {
        while (clause->values[i] != NULL) {
            struct value *next = clause->values[i]->next;
            free_value(clause->values[i]);
            clause->values[i] = next;
        }
    }
}

/* The first set is part of the query. */
void query_free(struct query *query)
{
    for (struct clause *clause = query == NULL ? NULL : &query->first; clause != NULL;) {
        struct clause *next = clause->next;
        free_values(clause);
        if (clause != &query->first) {
            base_free(clause);
        }
        clause = next;
    }
    base_free(query);
}

/* ---- patterns ---------------------------------------------------------------------------------
 */

/*
 * The same * and ? as in a policy, without quoting: a pattern is typed at a shell.
 */

/* Letters of ASCII alone, as names of CIM are (DSP0004). A locale's rules would make the result
 * depend on who reads. */
static char fold(char c, enum kind kind)
{
    if (kind == KIND_GLOB || kind == KIND_PERSON) {
        return c;
    }
    if (kind == KIND_NAMESPACE && c == '\\') {
        return '/';
    }
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* * stands for any text and ? for one byte. Goes back to the last * only, which is enough. Linear
 * in practice and at worst length times length: no pattern can make it exponential. */
static bool glob(const char *pattern, const char *text, enum kind kind)
{
    const char *star = NULL, *retry = NULL;

    while (*text != '\0') {
        if (*pattern == '*') {
            star = pattern++;
            retry = text;
        } else if (*pattern == '?' ||
                   (*pattern != '\0' && fold(*pattern, kind) == fold(*text, kind))) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star + 1;
            text = ++retry;
        } else {
            return false;
        }
    }
    return pattern[strspn(pattern, "*")] == '\0';
}

/* A pattern must fit one of the words, at least. */
static bool known_word(const char *const *words, const char *pattern)
{
    for (; *words != NULL; words++) {
        if (glob(pattern, *words, KIND_ANY_CASE)) {
            return true;
        }
    }
    return false;
}

/* ---- adding -----------------------------------------------------------------------------------
 */

/* N or N-M. A number beyond 64 bits becomes the largest one (strtoull(3)), which no record has. */
static bool set_range(struct value *value)
{
    const char *text = value->text;
    char *end = NULL;

    if (text[0] < '0' || text[0] > '9') {
        return false;
    }
    value->lowest = value->highest = strtoull(text, &end, 10);
    if (end[0] == '-' && end[1] >= '0' && end[1] <= '9') {
        value->highest = strtoull(end + 1, &end, 10);
    }
    return *end == '\0' && value->lowest <= value->highest;
}

/* The number, with or without the zeros before it. Ids of records have 16 digits. */
static bool set_hex(struct value *value)
{
    const char *text = value->text;

    value->lowest = strtoull(text, NULL, 16);
    return value->length >= 1 && value->length <= 16 &&
           strspn(text, "0123456789abcdefABCDEF") == value->length;
}

/* By the rule of identity/directory.h: digits are an id, with a plus before them or not. Whether
 * another entry has that name need not be asked: a record has the ids. Gives NULL, or what is wrong
 * with the text. */
static const char *set_person(struct value *value)
{
    uint32_t id = 0;

    switch (directory_read_text(value->text, &id)) {
    case DIRECTORY_TEXT_NAME:
        return value->length > 0 ? NULL : "is empty; right is something to look for";
    case DIRECTORY_TEXT_ID:
        memmove(value->text, value->text + 1, value->length--);
        break;
    case DIRECTORY_TEXT_DIGITS:
        break;
    default:
        return "is not an id; those are decimal, without zeros before them, and less than "
               "4294967295";
    }
    value->is_id = true;
    return NULL;
}

/* Whether an own action may have a name that the pattern fits; which ones there are, only daemons
 * know. */
static bool may_be_action(const char *pattern)
{
    while (action_name_byte(*pattern) || *pattern == '*' || *pattern == '?') {
        pattern++;
    }
    return *pattern == '\0';
}

/* NULL, or the end of a sentence that begins with the value. */
static const char *set_value(const struct query *query, const struct option *option,
                             struct value *value)
{
    switch (option->kind) {
    case KIND_START:
    case KIND_END:
        return query_time(value->text, query->now, &value->first, &value->last)
                   ? NULL
                   : "is not a time; right are 2026-03-01, 2026-03-01T12:00, 2h (ago) and words";
    case KIND_RANGE:
        return set_range(value) ? NULL : "is not a number; right are 17 and 17-42";
    case KIND_HEX:
        return set_hex(value) ? NULL : "is not an id; right are up to 16 hexadecimal digits";
    case KIND_PERSON:
        return set_person(value);
    case KIND_OPERATION:
        return value->length > 0 && may_be_action(value->text)
                   ? NULL
                   : "is not a name of an operation or action; those are of letters of ASCII, "
                     "digits, "
                     "\"_\", \"-\", \".\", \":\" and \"/\"";
    default:
        if (value->length == 0) {
            return "is empty; right is something to look for";
        }
        return option->words == NULL || known_word(option->words, value->text)
                   ? NULL
                   : "is not one of the known words";
    }
}

/* What a record that is cut at this limit has of the text. False out of memory. */
static bool cut_at(const char *text, size_t limit, char **ret_cut)
{
    *ret_cut = base_alloc(1, CUT_SIZE(limit));
    if (*ret_cut != NULL) {
        (void)cut_text(text, limit, *ret_cut);
    }
    return *ret_cut != NULL;
}

/* "Name=value", of which a record cuts both. *ret_cut stays NULL when nothing is cut. */
static bool cut_key(const char *text, char **ret_cut)
{
    const char *value = strchr(text, '=');

    if (value == NULL || cut_fits(value + 1, AUDIT_MAX_VALUE)) {
        return true;
    }
    char *cut = base_alloc(1, CUT_SIZE(AUDIT_MAX_KEY) + CUT_SIZE(AUDIT_MAX_VALUE));
    if (cut != NULL) {
        struct cut name;
        cut_begin(&name, cut, AUDIT_MAX_KEY);
        cut_add(&name, text, (size_t)(value - text));
        size_t length = cut_end(&name);
        cut[length] = '=';
        (void)cut_text(value + 1, AUDIT_MAX_VALUE, cut + length + 1);
    }
    *ret_cut = cut;
    return cut != NULL;
}

/* Who has a long value whole asks for what the record made of it. A pattern asks for a beginning.
 * Patterns are left as they are, since a cut record ends in a mark and not in the text. */
static bool prepare_cuts(const struct option *option, struct value *value)
{
    bool text = option->kind == KIND_TEXT || option->kind == KIND_WITHIN;

    if (!text && strpbrk(value->text, "*?") != NULL) {
        return true;
    }
    for (size_t i = 0; i < LIMITS; i++) {
        if (!cut_fits(value->text, cut_limits[i]) &&
            !cut_at(value->text, cut_limits[i], &value->cut[i])) {
            return false;
        }
    }
    return !text || cut_key(value->text, &value->cut[LIMITS]);
}

/* Where a record may lack a name its id stands in the line. False out of memory. The directory is
 * asked once here, and not with each record. */
static bool prepare_name(const struct option *option, struct value *value)
{
    enum directory_kind kind = DIRECTORY_USER;
    struct directory_entry entry = {0};

    (void)later_name_field(option->fields[0], &kind);
    enum directory_result result = directory_by_name(kind, value->text, LATER_WAIT, &entry);
    if (result == DIRECTORY_FOUND) {
        snprintf(value->id_literal, sizeof(value->id_literal), "\"%u\"", entry.id);
    }
    directory_release(&entry);
    return result != DIRECTORY_NO_MEMORY;
}

/* In free text: the text itself, or one of its cut forms. */
static bool contains(const char *text, size_t length, const struct value *value)
{
    if (find_word(text, length, value->text, value->length)) {
        return true;
    }
    for (size_t i = 0; i < CUTS; i++) {
        const char *cut = value->cut[i];
        if (cut != NULL && find_word(text, length, cut, strlen(cut))) {
            return true;
        }
    }
    return false;
}

/* The text is JSON of a string or a list. */
static bool is_in_constant(void *value, const char *text)
{
    return contains(text + 1, strlen(text) - 2, value);
}

/* The literal is the value as a whole: fields are compared with it without copies. No literal for
 * patterns, for values that a record cuts, for what is escaped in JSON, and for loginuid, which is
 * a number without quotes in the line. */
static bool prepare(const struct option *option, struct value *value)
{
    if (!prepare_cuts(option, value)) {
        return false;
    }
    if (option->kind == KIND_TEXT) {
        value->in_constants = record_constants_any(is_in_constant, value);
        value->unescaped = base_alloc(1, RECORD_MAX_LINE);
        return value->unescaped != NULL;
    }
    if ((option->kind != KIND_GLOB && option->kind != KIND_PERSON) || value->cut[0] != NULL ||
        strpbrk(value->text, "*?\"\\") != NULL ||
        option->fields[option->field_count - 1] == RECORD_LOGINUID) {
        return true;
    }
    value->literal = base_alloc(1, value->length + 3);
    if (value->literal == NULL) {
        return false;
    }
    /* process.name may stand at the end of the path alone. */
    bool at_end = option->fields[option->field_count - 1] == RECORD_PROCESS_NAME;
    snprintf(value->literal, value->length + 3, "%s%s\"", at_end ? "" : "\"", value->text);
    return option->kind != KIND_PERSON || value->is_id || prepare_name(option, value);
}

static enum miguard_status add_saved_line(void *context, const char *option, const char *value,
                                          struct miguard_error *reterr)
{
    return option == NULL ? query_end(context, reterr) : query_add(context, option, value, reterr);
}

/* What is saved has the same now, and names no other: there is no end to look for. */
static enum miguard_status read_saved(const struct query *query, const char *name,
                                      struct query **ret_saved, struct miguard_error *reterr)
{
    if (query->is_saved) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "query",
                         "%s: a saved query cannot name another one", name);
    }
    struct query *saved = query_new();
    if (saved == NULL) {
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "query", NULL);
    }
    saved->now = query->now;
    saved->is_saved = true;
    enum miguard_status status = saved_read(name, add_saved_line, saved, reterr);
    if (status == MIGUARD_OK) {
        *ret_saved = saved;
    } else {
        query_free(saved);
    }
    return status;
}

/* --not twice would be nothing, and is a slip. */
static enum miguard_status add_not(struct query *query, struct miguard_error *reterr)
{
    if (query->negate) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "query",
                         "--not needs a condition behind it");
    }
    query->negate = true;
    return MIGUARD_OK;
}

/* An empty set would match everything. */
static enum miguard_status add_or(struct query *query, struct miguard_error *reterr)
{
    enum miguard_status status = query_end(query, reterr);

    if (status != MIGUARD_OK || !query->last->asked) {
        return status != MIGUARD_OK
                   ? status
                   : error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "query",
                               "--or needs a condition before it and one behind it");
    }
    struct clause *added = base_alloc(1, sizeof(*added));
    if (added == NULL) {
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "query", NULL);
    }
    query->last->next = added;
    query->last = added;
    return MIGUARD_OK;
}

enum miguard_status query_end(const struct query *query, struct miguard_error *reterr)
{
    if (query->negate) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "query",
                         "--not needs a condition behind it");
    }
    if (query->last != &query->first && !query->last->asked) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "query",
                         "--or needs a condition before it and one behind it");
    }
    return MIGUARD_OK;
}

/* It belongs to the set that was begun last. */
static void add_value(struct query *query, const struct option *option, struct value *value)
{
    struct value **first = &query->last->values[option - options];

    value->negated = query->negate;
    value->next = *first;
    *first = value;
    query->last->asked = true;
    query->negate = false;
}

/* Reading before preparing: a wrong value costs no look-up in the directory. */
enum miguard_status query_add(struct query *query, const char *option, const char *value,
                              struct miguard_error *reterr)
{
    const struct option *found = find_option(option);

    if (found == NULL || (value == NULL) != takes_no_value(found)) {
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, "query", "%s is not a condition",
                         option);
    }
    if (found->kind == KIND_NOT || found->kind == KIND_OR) {
        return found->kind == KIND_NOT ? add_not(query, reterr) : add_or(query, reterr);
    }
    value = value == NULL ? "-" : value;
    size_t length = strlen(value);
    /* As records have it, where invalid UTF-8 is U+FFFD. */
    size_t most = 3 * length;
    struct value *added = base_alloc(1, sizeof(*added) + CUT_SIZE(most));
    if (added == NULL) {
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "query", NULL);
    }
    added->length = cut_text(value, most, added->text);
    const char *wrong = set_value(query, found, added);
    if (wrong != NULL) {
        free_value(added);
        return error_set(reterr, MIGUARD_INVALID_ARGUMENT, 0, option, "'%.60s' %s", value, wrong);
    }
    if (!prepare(found, added)) {
        free_value(added);
        return error_set(reterr, MIGUARD_NO_MEMORY, 0, "query", NULL);
    }
    enum miguard_status status =
        found->kind == KIND_SAVED ? read_saved(query, value, &added->saved, reterr) : MIGUARD_OK;
    if (status != MIGUARD_OK) {
        free_value(added);
        return status;
    }
    add_value(query, found, added);
    return MIGUARD_OK;
}

/* ---- matching ---------------------------------------------------------------------------------
 */

/*
 * Each kind of option has one function. A name of a person that the record lacks is looked up
 * (later.h), since the policy's author asks for names and not for ids.
 */

/* Long enough for what a name can be; what is longer is compared by its beginning and cannot end
 * as the pattern wants, unless that ends in a star. */
enum { MAX_TEXT = 4096 };

/* What a record keeps of the field. See model/record_limits.h; the writer cuts by the same
 * constants. */
static size_t limit_of(enum record_field field)
{
    switch (field) {
    case RECORD_CLASS:
    case RECORD_METHOD:
        return AUDIT_MAX_CIM;
    case RECORD_RULE:
    case RECORD_RESOURCE:
    case RECORD_EXECUTABLE:
        return AUDIT_MAX_TEXT;
    default:
        return AUDIT_MAX_NAME;
    }
}

/* The text as a record has it that is cut at this limit. */
static const char *cut_for(const struct value *value, size_t limit)
{
    for (size_t i = 0; i < LIMITS; i++) {
        if (cut_limits[i] == limit && value->cut[i] != NULL) {
            return value->cut[i];
        }
    }
    return value->text;
}

/* One of the fields is enough. With a literal the comparison is exact, without a copy. */
static bool fields_match(const struct option *option, const struct value *value,
                         const struct record *record)
{
    char text[MAX_TEXT];

    for (size_t i = 0; i < option->field_count; i++) {
        enum record_field field = option->fields[i];
        if (record->field[field].at == NULL) {
            continue;
        }
        /* The whole value, as it stands. */
        if (value->literal != NULL) {
            if (record_is(record, field, value->text)) {
                return true;
            }
            continue;
        }
        record_text(record, field, text, sizeof(text));
        if (glob(cut_for(value, limit_of(field)), text, option->kind)) {
            return true;
        }
    }
    return false;
}

/* A name that the record lacks. The id that the name has now, between the quotes of id_literal. */
static bool later_matches(const struct value *value, const struct record *record,
                          enum record_field id)
{
    char name[DIRECTORY_NAME], quoted[DIRECTORY_NAME];

    if (value->literal != NULL) { /* asked for once, and not with each record */
        size_t length = strlen(value->id_literal);
        if (length < 2) {
            return false;
        }
        snprintf(quoted, sizeof(quoted), "%.*s", (int)length - 2, value->id_literal + 1);
        return later_lacks_name(record, id) && record_is(record, id, quoted);
    }
    return later_name(record, id, name) && glob(value->text, name, KIND_PERSON);
}

/* Digits are compared with ids alone, so that a user whose name is a number is not found by
 * mistake. loginuid has no name in a record. */
static bool person_matches(const struct option *option, const struct value *value,
                           const struct record *record)
{
    enum directory_kind kind;

    if (!value->is_id && fields_match(option, value, record)) {
        return true;
    }
    for (size_t i = 0; i < option->field_count; i++) {
        enum record_field field = option->fields[i];
        bool id = field == RECORD_LOGINUID || later_name_field(field, &kind) != RECORD_FIELD_COUNT;
        if (id && (value->is_id ? record_is(record, field, value->text)
                                : later_matches(value, record, field))) {
            return true;
        }
    }
    return false;
}

/* One of the components that differed. */
static bool component_matches(const struct value *value, const struct record *record)
{
    char name[32];
    struct slice item;
    size_t at = 0;

    while (record_item(record, RECORD_MISMATCH, &at, &item)) {
        slice_text(&item, name, sizeof(name));
        if (glob(value->text, name, KIND_ANY_CASE)) {
            return true;
        }
    }
    return false;
}

/* As a report counts: a call that permissive mode let pass is not among those that were allowed,
 * nor is a record of the log about itself, which is no call. A word that this version does not know
 * stands for itself. */
static bool decision_matches(const struct value *value, const struct record *record)
{
    char decision[16];

    record_text(record, RECORD_DECISION, decision, sizeof(decision));
    if (record_is(record, RECORD_WOULD_DENY, "true")) {
        return glob(value->text, decisions[2], KIND_ANY_CASE);
    }
    return glob(value->text, decision, KIND_ANY_CASE) &&
           (strcmp(decision, "allow") != 0 || export_is_decision(record));
}

/* What each process writes that opens a log. */
static bool is_start(const struct record *record)
{
    return record_is(record, RECORD_ACTION, "audit-start") ||
           record_is(record, RECORD_ACTION, "audit-stop") ||
           record_is(record, RECORD_ACTION, "policy-load");
}

/* By value, so that zeros before it do not matter. */
static bool hex_matches(const struct value *value, const struct slice *slice)
{
    char text[24], *end = NULL;
    size_t length = slice_text(slice, text, sizeof(text));

    return length > 0 && length <= 16 && strtoull(text, &end, 16) == value->lowest && *end == '\0';
}

/* False for a record without the field. */
static bool number_matches(const struct value *value, const struct record *record,
                           enum record_field field)
{
    uint64_t number = 0;

    return record_number(record, field, &number) && number >= value->lowest &&
           number <= value->highest;
}

/* ---- free text --------------------------------------------------------------------------------
 */

/*
 * Only values are searched, not names of members: "user" would be in every line. Values are
 * compared without their escapes.
 */

/* The buffer of a value is for all threads: few strings have escapes. */
static pthread_mutex_t unescaping = PTHREAD_MUTEX_INITIALIZER;

/* As contains(), of a string whose escapes have to be undone. */
static bool contains_escaped(const struct slice *string, const struct value *value)
{
    pthread_mutex_lock(&unescaping);
    size_t length = slice_text(string, value->unescaped, RECORD_MAX_LINE);
    bool found = contains(value->unescaped, length, value);
    pthread_mutex_unlock(&unescaping);
    return found;
}

/* Behind the closing quote of the string that begins at text. */
static const char *string_end(const char *text, const char *end, bool *ret_escaped)
{
    *ret_escaped = false;
    for (text++; text < end && *text != '"'; text++) {
        if (*text == '\\') {
            *ret_escaped = true;
            text++;
        }
    }
    return text + 1;
}

/* What a record of format 3 has as constant text beside its line. Few words are in any such text:
 * the others need not be looked for in that of each record. */
static bool constants_match(const struct value *value, const struct record *record)
{
    for (size_t i = 0; i < record_constant_count && value->in_constants; i++) {
        const struct slice *slice = &record->field[record_constant_fields[i]];
        bool in_line = slice->at >= record->line && slice->at < record->line + record->length;
        if (slice->length > 2 && !in_line && contains(slice->at + 1, slice->length - 2, value)) {
            return true;
        }
    }
    return false;
}

/* A name of a member has a colon behind it. */
static bool is_name(const char *after, const char *end)
{
    while (after < end && (*after == ' ' || *after == '\t')) {
        after++;
    }
    return after < end && *after == ':';
}

/* The string that begins at start; *ret_after is behind it. */
static bool string_matches(const struct value *value, const char *start, const char *end,
                           const char **ret_after)
{
    bool escaped = false;
    const char *after = string_end(start, end, &escaped);
    const struct slice string = {start, (size_t)(after - start)};

    *ret_after = after;
    return !is_name(after, end) && (escaped ? contains_escaped(&string, value)
                                            : contains(start + 1, string.length - 2, value));
}

static bool strings_match(const struct value *value, const char *at, const char *end)
{
    while ((at = memchr(at, '"', (size_t)(end - at))) != NULL) {
        if (string_matches(value, at, end, &at)) {
            return true;
        }
    }
    return false;
}

/* Those with an escape alone. Between the end of one and the next escape, the last quote is where
 * the string of that escape begins. */
static bool escaped_match(const struct value *value, const char *at, const char *end)
{
    const char *escape;

    while ((escape = memchr(at, '\\', (size_t)(end - at))) != NULL) {
        const char *start = memrchr(at, '"', (size_t)(escape - at));
        if (start == NULL) {
            return strings_match(value, at, end); /* no record that was parsed has that */
        }
        if (string_matches(value, start, end, &at)) {
            return true;
        }
    }
    return false;
}

/* In the strings of the record, but not in the names of members. The line is one that was parsed.
 * Most lines do not have the text at all: then only strings that have it behind escapes are looked
 * at. */
static bool text_matches(const struct value *value, const struct record *record)
{
    const char *line = record->line, *end = line + record->length;

    return (contains(line, record->length, value) ? strings_match(value, line, end)
                                                  : escaped_match(value, line, end)) ||
           constants_match(value, record);
}

/* The text is a part of the one field, which a record keeps short. */
static bool within_matches(const struct option *option, const struct value *value,
                           const struct record *record)
{
    char text[MAX_TEXT];
    size_t length = record_text(record, option->fields[0], text, sizeof(text));

    return contains(text, length < sizeof(text) ? length : sizeof(text) - 1, value);
}

/* ---- the answer -------------------------------------------------------------------------------
 */

/* One alternative of one option. A record without a time is outside of every range. */
static bool value_matches(const struct option *option, const struct value *value,
                          const struct record *record)
{
    int64_t time = 0;

    switch (option->kind) {
    case KIND_START:
        return record_time(record, RECORD_TIMESTAMP, &time) && time >= value->first;
    case KIND_END:
        return record_time(record, RECORD_TIMESTAMP, &time) && time <= value->last;
    case KIND_RANGE:
        return number_matches(value, record, option->fields[0]);
    case KIND_HEX:
        return hex_matches(value, &record->field[option->fields[0]]);
    case KIND_COMPONENT:
        return component_matches(value, record);
    case KIND_DECISION:
        return decision_matches(value, record);
    case KIND_TEXT:
        return text_matches(value, record);
    case KIND_WITHIN:
        return within_matches(option, value, record);
    case KIND_PERSON:
        return person_matches(option, value, record);
    case KIND_NO_STARTS:
        return !is_start(record);
    case KIND_SAVED:
        return query_matches(value->saved, record);
    default:
        return fields_match(option, value, record);
    }
}

/* One alternative, where there is one that is not negated; and not one of those that are. */
static bool option_matches(const struct option *option, const struct value *value,
                           const struct record *record)
{
    bool asked = false, found = false;

    for (; value != NULL; value = value->next) {
        asked = asked || !value->negated;
        if ((value->negated || !found) && value_matches(option, value, record)) {
            if (value->negated) {
                return false;
            }
            found = true;
        }
    }
    return found || !asked;
}

/* All options that were given. */
static bool clause_matches(const struct clause *clause, const struct record *record)
{
    for (size_t i = 0; i < OPTIONS; i++) {
        if (clause->values[i] != NULL && !option_matches(&options[i], clause->values[i], record)) {
            return false;
        }
    }
    return true;
}

bool query_matches(const struct query *query, const struct record *record)
{
    for (const struct clause *clause = &query->first; clause != NULL; clause = clause->next) {
        if (clause_matches(clause, record)) {
            return true;
        }
    }
    return false;
}

/* Each once. */
static void want(struct record_fields_wanted *wanted, enum record_field field)
{
    for (size_t i = 0; i < wanted->count; i++) {
        if (wanted->list[i] == field) {
            return;
        }
    }
    wanted->list[wanted->count++] = (uint8_t)field;
}

/* Beside the fields of the option, what the functions of its kind ask for. */
static void want_option(const struct option *option, const struct value *values,
                        struct record_fields_wanted *wanted)
{
    bool in_constants = false;

    for (size_t i = 0; i < option->field_count; i++) {
        enum directory_kind kind;
        enum record_field field = option->fields[i], name = later_name_field(field, &kind);
        if (field != RECORD_FIELD_COUNT) { /* of --text */
            want(wanted, field);
        }
        if (name != RECORD_FIELD_COUNT) { /* later_lacks_name() */
            want(wanted, name);
            want(wanted, RECORD_HOST);
        }
    }
    if (option->kind == KIND_DECISION) { /* export_is_decision() */
        want(wanted, RECORD_WOULD_DENY);
        want(wanted, RECORD_ACTION);
        want(wanted, RECORD_OPERATION);
    }
    wanted->line = wanted->line || option->kind == KIND_TEXT;
    for (const struct value *value = values; value != NULL; value = value->next) {
        in_constants = in_constants || value->in_constants;
    }
    for (size_t i = 0; in_constants && i < record_constant_count; i++) {
        want(wanted, record_constant_fields[i]);
    }
}

static void want_query(const struct query *query, struct record_fields_wanted *wanted)
{
    for (const struct clause *clause = &query->first; clause != NULL; clause = clause->next) {
        for (size_t i = 0; i < OPTIONS; i++) {
            const struct value *value = clause->values[i];
            if (value != NULL) {
                want_option(&options[i], value, wanted);
            }
            for (; value != NULL && value->saved != NULL; value = value->next) {
                want_query(value->saved, wanted);
            }
        }
    }
}

void query_fields(const struct query *query, struct record_fields_wanted *ret_wanted)
{
    *ret_wanted = (struct record_fields_wanted){0};
    want_query(query, ret_wanted);
}

/* The alternatives of one option together. What is negated bounds nothing: it leaves out a part of
 * what the others hold. */
static void bound_option(const struct option *option, const struct value *values,
                         struct narrow_bounds *bounds)
{
    struct narrow_bounds all = {.first = UINT64_MAX, .start = INT64_MAX, .end = INT64_MIN};

    while (values != NULL && values->negated) {
        values = values->next;
    }
    if (values == NULL) {
        return;
    }
    for (const struct value *value = values; value != NULL; value = value->next) {
        if (value->negated) {
            continue;
        }
        all.first = value->lowest < all.first ? value->lowest : all.first;
        all.last = value->highest > all.last ? value->highest : all.last;
        all.start = value->first < all.start ? value->first : all.start;
        all.end = value->last > all.end ? value->last : all.end;
    }
    if (option->kind == KIND_START) {
        bounds->start = all.start;
    } else if (option->kind == KIND_END) {
        bounds->end = all.end;
    } else if (option->kind == KIND_RANGE && option->fields[0] == RECORD_SEQUENCE) {
        bounds->first = all.first;
        bounds->last = all.last;
    }
}

/* Of a saved query there are bounds when it is the one that is asked for; else none are needed. */
static void bound_saved(const struct value *value, struct narrow_bounds *bounds)
{
    struct narrow_bounds saved;

    if (value == NULL || value->next != NULL || value->negated) {
        return;
    }
    query_bounds(value->saved, &saved);
    bounds->first = saved.first > bounds->first ? saved.first : bounds->first;
    bounds->last = saved.last < bounds->last ? saved.last : bounds->last;
    bounds->start = saved.start > bounds->start ? saved.start : bounds->start;
    bounds->end = saved.end < bounds->end ? saved.end : bounds->end;
}

static void bound_clause(const struct clause *clause, struct narrow_bounds *ret_bounds)
{
    *ret_bounds = narrow_all;
    for (size_t i = 0; i < OPTIONS; i++) {
        bound_option(&options[i], clause->values[i], ret_bounds);
    }
    for (size_t i = 0; i < OPTIONS; i++) {
        if (options[i].kind == KIND_SAVED) {
            bound_saved(clause->values[i], ret_bounds);
        }
    }
}

/* From the lowest of all sets to the highest. */
void query_bounds(const struct query *query, struct narrow_bounds *ret_bounds)
{
    struct narrow_bounds bounds;

    bound_clause(&query->first, ret_bounds);
    for (const struct clause *clause = query->first.next; clause != NULL; clause = clause->next) {
        bound_clause(clause, &bounds);
        ret_bounds->first = bounds.first < ret_bounds->first ? bounds.first : ret_bounds->first;
        ret_bounds->last = bounds.last > ret_bounds->last ? bounds.last : ret_bounds->last;
        ret_bounds->start = bounds.start < ret_bounds->start ? bounds.start : ret_bounds->start;
        ret_bounds->end = bounds.end > ret_bounds->end ? bounds.end : ret_bounds->end;
    }
}
