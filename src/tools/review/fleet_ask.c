/* SPDX-License-Identifier: MIT */
/*
 * The questions over files: ask_record() counts each record for the questions that it matters to
 * (notes[]), and when all are read, each question's groups become its rows (answers_of[]).
 *
 * A row of notes[] says the same as the saved SQL of its name: the condition is WHERE, the key is
 * GROUP BY. tests/live/fleet_report_test.c compares both.
 */
#include "tools/review/fleet_ask.h"
#include "base/alloc.h"
#include "tools/review/export_text.h"
#include "tools/review/fleet.h"
#include "tools/review/fleet_files.h"
#include "tools/review/fleet_groups.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SECOND = 1000000 };

struct asking {
    struct fleet_answers *answers;
    struct groups groups[FLEET_QUESTIONS];
    struct line_set lines;
    struct miguard_error *reterr;
    /* The record at hand. */
    const struct record *record;
    struct group_record counted;
    struct text host, key, extra, value;
};

static enum miguard_status no_memory(const struct asking *asking)
{
    return error_set(asking->reterr, MIGUARD_NO_MEMORY, 0, "fleet", NULL);
}

/* ---- fields ---------------------------------------------------------------------------------- */

/* As a column of the table has it (fleet_columns.c): a number beyond 2^63 is null. */
static bool number_of(const struct record *record, enum record_field field, uint64_t *ret_number)
{
    return record_number(record, field, ret_number) && *ret_number <= INT64_MAX;
}

/* NULL: the record does not have it. Valid until the next call. No record has a NUL in a text. */
static const char *value_of(struct asking *asking, enum record_field field)
{
    if (asking->record->field[field].at == NULL) {
        return NULL;
    }
    text_clear(&asking->value);
    text_append(&asking->value, "");
    export_field(&asking->value, EXPORT_PLAIN, asking->record, field);
    return asking->value.data != NULL ? asking->value.data : "";
}

static void add_field(struct asking *asking, struct text *tuple, enum record_field field)
{
    tuple_add(tuple, value_of(asking, field));
    tuple->failed |= asking->value.failed;
}

/* The name; without one, the number. */
static void add_user(struct asking *asking, struct text *tuple)
{
    char digits[24];
    uint64_t id;

    if (asking->record->field[RECORD_BOUND_USER_NAME].at != NULL) {
        add_field(asking, tuple, RECORD_BOUND_USER_NAME);
    } else if (number_of(asking->record, RECORD_BOUND_USER_ID, &id)) {
        snprintf(digits, sizeof(digits), "%llu", (unsigned long long)id);
        tuple_add(tuple, digits);
    } else {
        tuple_add(tuple, NULL);
    }
}

/* ---- conditions ------------------------------------------------------------------------------ */

static bool is_denied(const struct asking *asking)
{
    return record_is(asking->record, RECORD_DECISION, "deny");
}

static bool is_recent(const struct asking *asking)
{
    return asking->counted.time >= asking->answers->since;
}

static bool is_refusal(const struct asking *asking)
{
    return is_denied(asking) && is_recent(asking);
}

static bool has_provider(const struct asking *asking)
{
    return asking->record->field[RECORD_BOUND_USER_NAME].at != NULL &&
           asking->record->field[RECORD_PROVIDER].at != NULL;
}

static bool is_of_user(const struct asking *asking)
{
    return asking->answers->user != NULL && is_recent(asking) &&
           record_is(asking->record, RECORD_BOUND_USER_NAME, asking->answers->user);
}

/* Records of versions that wrote no hash at the start of a process say nothing by that. */
static bool is_policy(const struct asking *asking)
{
    return record_is(asking->record, RECORD_ACTION, "policy-load") ||
           (record_is(asking->record, RECORD_ACTION, "audit-start") &&
            asking->record->field[RECORD_POLICY_HASH].at != NULL);
}

static bool is_loss(const struct asking *asking)
{
    return record_is(asking->record, RECORD_ACTION, "records-lost") && is_recent(asking);
}

/* ---- the records ----------------------------------------------------------------------------- */

/* Counts: each refusal; the records that a host declares as lost; or nothing that is asked for. */
enum counts { COUNT_REFUSALS, COUNT_LOST };
enum keeps { KEEP_NOTHING, KEEP_FIRST, KEEP_LAST };

static const struct note {
    bool (*matters)(const struct asking *asking);
    enum counts counts;
    enum keeps keeps;
    enum record_field key[5], extra[4]; /* RECORD_FIELD_COUNT behind the last */
    bool by_user, by_step;              /* the user, the step of time: before key */
} notes[FLEET_QUESTIONS] = {
#define END RECORD_FIELD_COUNT
    [FLEET_REFUSED] = {.matters = is_refusal,
                       .by_user = true,
                       .key = {RECORD_HOST, RECORD_REASON, RECORD_PROVIDER, END}},
    [FLEET_NEW_KINDS] = {.matters = is_denied,
                         .keeps = KEEP_FIRST,
                         .key = {RECORD_REASON, RECORD_PROVIDER, RECORD_RULE, RECORD_OPERATION,
                                 END},
                         .extra = {RECORD_HOST, RECORD_BOUND_USER_NAME, RECORD_EVENT_ID, END}},
    [FLEET_FIRST_SEEN] = {.matters = has_provider,
                          .keeps = KEEP_FIRST,
                          .key = {RECORD_BOUND_USER_NAME, RECORD_PROVIDER, END},
                          .extra = {RECORD_HOST, RECORD_DECISION, END}},
    [FLEET_POLICY_VERSIONS] = {.matters = is_policy,
                               .keeps = KEEP_LAST,
                               .key = {RECORD_HOST, END},
                               .extra = {RECORD_POLICY_HASH, END}},
    [FLEET_LOST] = {.matters = is_loss,
                    .counts = COUNT_LOST,
                    .key = {RECORD_HOST, RECORD_LOST_SINK, RECORD_LOST_CAUSE, END}},
    [FLEET_HOST_TIME] = {.matters = is_refusal, .by_step = true, .key = {RECORD_HOST, END}},
    [FLEET_HOST_USERS] = {.matters = is_refusal, .by_user = true, .key = {RECORD_HOST, END}},
    [FLEET_PROVIDER_RULES] = {.matters = is_refusal, .key = {RECORD_PROVIDER, RECORD_RULE, END}},
#undef END
};

static void add_step(struct asking *asking)
{
    int64_t step = (int64_t)asking->answers->bucket * SECOND, time = asking->counted.time;
    char digits[24];

    snprintf(digits, sizeof(digits), "%lld", (long long)(time - time % step));
    tuple_add(&asking->key, digits);
}

/* A host is never null, as in the table. */
static void add_fields(struct asking *asking, struct text *tuple, const enum record_field *fields)
{
    for (size_t i = 0; fields[i] != RECORD_FIELD_COUNT; i++) {
        if (fields[i] == RECORD_HOST) {
            tuple_add(tuple, asking->counted.host);
        } else {
            add_field(asking, tuple, fields[i]);
        }
    }
}

static uint64_t count_of(const struct asking *asking, enum counts counts)
{
    uint64_t number;

    if (counts == COUNT_LOST) {
        return number_of(asking->record, RECORD_LOST_COUNT, &number) ? number : 0;
    }
    return number_of(asking->record, RECORD_REPEATS, &number) ? number : 1;
}

static enum miguard_status note_record(struct asking *asking, enum fleet_question question)
{
    const struct note *note = &notes[question];
    struct groups *groups = &asking->groups[question];
    bool keep;

    text_clear(&asking->key);
    if (note->by_user) {
        add_user(asking, &asking->key);
    }
    if (note->by_step) {
        add_step(asking);
    }
    add_fields(asking, &asking->key, note->key);
    asking->counted.count = count_of(asking, note->counts);
    struct group *group =
        groups_count(groups, &asking->key, &asking->counted, note->keeps == KEEP_FIRST, &keep);
    if (group == NULL) {
        return no_memory(asking);
    }
    if (note->keeps != KEEP_NOTHING && keep) {
        text_clear(&asking->extra);
        add_fields(asking, &asking->extra, note->extra);
        if (!group_keep(group, &asking->extra, &asking->counted)) {
            return no_memory(asking);
        }
    }
    return groups->count <= FLEET_KEYS_MOST
               ? MIGUARD_OK
               : error_set(asking->reterr, MIGUARD_LIMIT, 0, "fleet",
                           "%s has too many different answers; ask for fewer days",
                           fleet_questions[question].name);
}

/* Each record of the user is a row. */
static enum miguard_status note_user(struct asking *asking)
{
    static const enum record_field fields[] = {RECORD_HOST,   RECORD_ACTION,   RECORD_DECISION,
                                               RECORD_REASON, RECORD_PROVIDER, RECORD_OPERATION,
                                               RECORD_CLASS,  RECORD_EVENT_ID, RECORD_FIELD_COUNT};
    struct answer_cell cells[FLEET_COLUMNS_MOST] = {{.number = (uint64_t)asking->counted.time}};
    size_t at = 0;

    text_clear(&asking->key);
    add_fields(asking, &asking->key, fields);
    if (asking->key.failed) {
        return no_memory(asking);
    }
    for (size_t i = 1; i < FLEET_COLUMNS_MOST; i++) {
        cells[i].text = (char *)(uintptr_t)tuple_next(asking->key.data, &at);
    }
    return fleet_answer_add(asking->answers, FLEET_ONE_USER, cells) ? MIGUARD_OK
                                                                    : no_memory(asking);
}

/* What a record matters to is found first: only then must it be known whether it came before. */
static unsigned matters_to(const struct asking *asking)
{
    unsigned bits = 0;

    for (enum fleet_question i = 0; i < FLEET_QUESTIONS; i++) {
        bool matters = i == FLEET_ONE_USER ? is_of_user(asking) : notes[i].matters(asking);
        bits |= asking->answers->wanted[i] && matters ? 1u << i : 0;
    }
    return bits;
}

/* Being first or last does not change by coming twice. */
static const unsigned never_counted = 1u << FLEET_FIRST_SEEN | 1u << FLEET_POLICY_VERSIONS;

static enum miguard_status count_record(struct asking *asking)
{
    unsigned bits = matters_to(asking);
    enum miguard_status status = MIGUARD_OK;

    if ((bits & ~never_counted) != 0) {
        switch (line_set_add(&asking->lines, asking->record->line, asking->record->length)) {
        case LINE_SEEN:
            asking->answers->duplicates++;
            return MIGUARD_OK;
        case LINE_NO_MEMORY:
            return no_memory(asking);
        case LINE_NEW:
            break;
        }
    }
    for (enum fleet_question i = 0; i < FLEET_QUESTIONS && status == MIGUARD_OK; i++) {
        if ((bits & 1u << i) != 0) {
            status = i == FLEET_ONE_USER ? note_user(asking) : note_record(asking, i);
        }
    }
    return status;
}

static enum miguard_status ask_record(struct asking *asking, const struct record *record)
{
    int64_t time = 0;

    asking->record = record;
    asking->answers->records++;
    record_time(record, RECORD_TIMESTAMP, &time);
    text_clear(&asking->host);
    const char *host = value_of(asking, RECORD_HOST);
    text_append(&asking->host, host != NULL ? host : "");
    asking->counted = (struct group_record){.time = time / 1000, .host = asking->host.data};
    if (!number_of(record, RECORD_SEQUENCE, &asking->counted.sequence)) {
        asking->counted.sequence = 0;
    }
    return asking->host.failed || asking->value.failed ? no_memory(asking) : count_record(asking);
}

/* ---- the files ------------------------------------------------------------------------------- */

static enum miguard_status read_line(struct asking *asking, const char *line, size_t length)
{
    size_t start = fleet_record_start(line, length), offset;
    struct record record;

    if (record_parse(line + start, length - start, &record, &offset) != NULL) {
        asking->answers->broken++;
        return MIGUARD_OK;
    }
    return ask_record(asking, &record);
}

/* The rest without a newline is being written or was cut: no record. */
static enum miguard_status read_lines(struct asking *asking, const char *name, struct lines *lines)
{
    enum miguard_status status = MIGUARD_OK;
    const char *line = NULL;
    size_t length = 0;

    while (status == MIGUARD_OK) {
        switch (lines_next(lines, &line, &length)) {
        case LINES_LINE:
            status = length > 0 ? read_line(asking, line, length) : MIGUARD_OK;
            break;
        case LINES_TOO_LONG:
            asking->answers->broken++;
            break;
        case LINES_REST:
        case LINES_DAMAGED:
            asking->answers->broken++;
            return MIGUARD_OK;
        case LINES_END:
            return MIGUARD_OK;
        case LINES_FAILED:
            return error_set(asking->reterr, MIGUARD_SYSTEM, errno, "read", "%s: %s", name,
                             strerror(errno));
        }
    }
    return status;
}

static enum miguard_status read_files(struct asking *asking, struct fleet_files *files)
{
    enum miguard_status status = MIGUARD_OK;

    for (size_t i = 0; i < files->count && status == MIGUARD_OK; i++) {
        struct lines lines;
        const char *fault;
        status = fleet_files_open(files, i, &lines, &fault, asking->reterr);
        if (status == MIGUARD_OK) {
            status = read_lines(asking, files->list[i].name, &lines);
            asking->answers->broken += fault != NULL;
            lines_close(&lines);
        }
        asking->answers->files++;
    }
    return status;
}

/* ---- the answers ----------------------------------------------------------------------------- */

/* The texts of the key, then those of extra, into the text columns in their order. */
static void take_texts(struct answer_cell *cells, const struct question *question,
                       const struct group *group)
{
    size_t at = 0, of_extra = 0;

    for (size_t i = 0; question->columns[i].name != NULL; i++) {
        if (question->columns[i].kind != ANSWER_TEXT) {
            continue;
        }
        bool more = at < group->key_length;
        cells[i].text = (char *)(uintptr_t)(more ? tuple_next(group->key, &at)
                                                 : tuple_next(group->extra, &of_extra));
    }
}

/* Numbers are the count; times the first, then the last. LOST has the last alone. */
static void take_numbers(struct answer_cell *cells, const struct question *question,
                         const struct group *group)
{
    bool begun = question == &fleet_questions[FLEET_LOST];

    for (size_t i = 0; question->columns[i].name != NULL; i++) {
        if (question->columns[i].kind == ANSWER_NUMBER) {
            cells[i].number = group->count;
        } else if (question->columns[i].kind == ANSWER_TIME) {
            cells[i].number = (uint64_t)(begun ? group->last : group->first);
            begun = true;
        }
    }
}

/* The step is the first of the key, the user stands behind the host. */
static void take_other_order(struct answer_cell *cells, enum fleet_question question,
                             const struct group *group)
{
    size_t at = 0;
    const char *first = tuple_next(group->key, &at), *host = tuple_next(group->key, &at);

    cells[0].text = (char *)(uintptr_t)host;
    if (question == FLEET_HOST_TIME) {
        cells[1] = (struct answer_cell){.number = (uint64_t)strtoll(first, NULL, 10)};
    } else {
        cells[1].text = (char *)(uintptr_t)first;
    }
    cells[2].number = group->count;
}

static bool answer_group(struct fleet_answers *answers, enum fleet_question question,
                         const struct group *group)
{
    struct answer_cell cells[FLEET_COLUMNS_MOST] = {{0}};
    bool recent = question == FLEET_NEW_KINDS || question == FLEET_FIRST_SEEN;

    if (recent && group->first < answers->since) {
        return true;
    }
    if (question == FLEET_HOST_TIME || question == FLEET_HOST_USERS) {
        take_other_order(cells, question, group);
    } else {
        take_texts(cells, &fleet_questions[question], group);
        take_numbers(cells, &fleet_questions[question], group);
    }
    return fleet_answer_add(answers, question, cells);
}

/* ---- policies: a host's last one, then the hosts of each --------------------------------------
 */

/* For qsort_r(3): by policy, then host. */
static int by_policy(const void *one, const void *other, void *context)
{
    const struct group *const *a = one, *const *b = other;
    size_t of_a = 0, of_b = 0, key_a = 0, key_b = 0;
    const char *hash_a = tuple_next((*a)->extra, &of_a), *hash_b = tuple_next((*b)->extra, &of_b);
    int result = (hash_a != NULL) - (hash_b != NULL);

    (void)context;
    result = result != 0 || hash_a == NULL || hash_b == NULL ? result : strcmp(hash_a, hash_b);
    return result != 0 ? result
                       : strcmp(tuple_next((*a)->key, &key_a), tuple_next((*b)->key, &key_b));
}

static bool same_policy(const struct group *a, const struct group *b)
{
    return strcmp(a->extra, b->extra) == 0;
}

/* So many hosts from list on have the same policy. */
static size_t same_count(struct group *const *list, size_t count)
{
    size_t same = 1;

    while (same < count && same_policy(list[0], list[same])) {
        same++;
    }
    return same;
}

static bool answer_policy(struct fleet_answers *answers, struct group *const *list, size_t count)
{
    struct text names = TEXT_EMPTY;
    struct answer_cell cells[FLEET_COLUMNS_MOST] = {{0}};
    int64_t since = INT64_MAX;
    size_t at = 0;

    text_json_open(&names, NULL, '[');
    for (size_t i = 0; i < count; i++) {
        size_t of_key = 0;
        const char *host = tuple_next(list[i]->key, &of_key);
        since = list[i]->last < since ? list[i]->last : since;
        if (i < FLEET_NAMES_MOST) {
            text_json_string(&names, NULL, host);
        }
    }
    text_json_close(&names, ']');
    const char *hash = tuple_next(list[0]->extra, &at);
    cells[0].text = (char *)(uintptr_t)(hash != NULL ? hash : "(built-in)");
    cells[1].number = count;
    cells[2].number = (uint64_t)since;
    cells[3].text = names.data;
    bool added = !names.failed && fleet_answer_add(answers, FLEET_POLICY_VERSIONS, cells);
    text_release(&names);
    return added;
}

static bool answer_policies(struct fleet_answers *answers, struct groups *groups)
{
    struct group **list = base_alloc(groups->count + 1, sizeof(struct group *));
    bool added = list != NULL;

    if (list == NULL) {
        return false;
    }
    for (size_t i = 0; i < groups->count; i++) {
        list[i] = &groups->list[i];
    }
    qsort_r(list, groups->count, sizeof(struct group *), by_policy, NULL);
    for (size_t i = 0; i < groups->count && added;) {
        size_t same = same_count(&list[i], groups->count - i);
        added = answer_policy(answers, &list[i], same);
        i += same;
    }
    base_free(list);
    return added;
}

/* ---- all ------------------------------------------------------------------------------------- */

static enum miguard_status answer(struct asking *asking, enum fleet_question question)
{
    struct groups *groups = &asking->groups[question];
    bool added = true;

    if (!asking->answers->wanted[question]) {
        return MIGUARD_OK;
    }
    if (question == FLEET_POLICY_VERSIONS) {
        added = answer_policies(asking->answers, groups);
    }
    for (size_t i = 0; question != FLEET_POLICY_VERSIONS && i < groups->count && added; i++) {
        added = answer_group(asking->answers, question, &groups->list[i]);
    }
    fleet_answer_end(asking->answers, question);
    return added ? MIGUARD_OK : no_memory(asking);
}

static void release(struct asking *asking)
{
    for (size_t i = 0; i < FLEET_QUESTIONS; i++) {
        groups_release(&asking->groups[i]);
    }
    line_set_release(&asking->lines);
    text_release(&asking->host);
    text_release(&asking->key);
    text_release(&asking->extra);
    text_release(&asking->value);
}

enum miguard_status fleet_ask(const char *const *places, size_t count,
                              struct fleet_answers *answers, struct miguard_error *reterr)
{
    struct asking asking = {.answers = answers, .reterr = reterr};
    struct fleet_files files;

    enum miguard_status status = fleet_files_find(places, count, &files, reterr);
    if (status == MIGUARD_OK) {
        status = read_files(&asking, &files);
    }
    for (enum fleet_question i = 0; i < FLEET_QUESTIONS && status == MIGUARD_OK; i++) {
        status = answer(&asking, i);
    }
    fleet_files_release(&files);
    release(&asking);
    return status;
}
