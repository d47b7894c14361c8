/* SPDX-License-Identifier: MIT */
/*
 * Users and groups: names, ids, ranges of ids, by the rule in identity/directory.h. What looks like
 * a range is one.
 *
 * A text is an id, a range or a name, and which one it is never depends on the directory:
 * looks_like_number() decides by its characters. Names are looked up once in a load (find_answer),
 * on one thread and within a time that all look-ups share (load.asker), because a load must end
 * although a directory does not answer. Those of all rules of a file are asked before the rules are
 * read (schema_ask_ahead), in one list.
 */
#include <string.h>

#include "base/alloc.h"
#include "policy/schema.h"

/* ---- names, each looked up once -------------------------------------------------------------- */

/*
 * Users and groups may come from a directory on the network. A load asks each question once, and
 * all questions share one limit of time.
 */

/* Also for names of rules (schema.c). Not against chosen names: a policy's author is trusted. */
uint32_t schema_hash(const char *name)
{
    uint32_t hash = 2166136261u; /* FNV-1a */

    for (; *name != '\0'; name++) {
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    }
    return hash;
}

/* An answer as it is kept: its name in the load's memory. The entry itself is released. */
static void keep_answer(struct load *load, struct known_name *known, struct directory_entry *entry)
{
    if (known->result == DIRECTORY_FOUND || known->result == DIRECTORY_AMBIGUOUS) {
        known->entry = *entry;
        known->entry.name = arena_copy(&load->temporary, entry->name, strlen(entry->name));
        load->failed |= known->entry.name == NULL;
    }
    known->entry.error = entry->error;
    load->failed |= known->result == DIRECTORY_NO_MEMORY;
    directory_release(entry);
}

/* NULL when memory is out. *ret_new: it has to be asked. The name lives as long as the load. The
 * same text may be asked as a user and as a group, which are different questions. */
static struct known_name *find_answer(struct load *load, const char *name, enum asked asked,
                                      bool *ret_new)
{
    struct known_name **list = &load->names[schema_hash(name) % KNOWN_NAME_LISTS];

    *ret_new = false;
    for (struct known_name *known = *list; known != NULL; known = known->next) {
        if (known->asked == asked && strcmp(known->name, name) == 0) {
            return known;
        }
    }
    struct known_name *known = arena_take(&load->temporary, 1, sizeof(*known));
    if (known == NULL) {
        load->failed = true;
        return NULL;
    }
    known->name = name;
    known->asked = asked;
    known->next = *list;
    *list = known;
    *ret_new = true;
    return known;
}

/* Of a name, what it is; of digits, whether they may stand for the id. NULL when memory is out. */
static const struct known_name *look_up(const struct reader *reader, const char *name, bool group)
{
    struct directory_question question = {.kind = group ? DIRECTORY_GROUP : DIRECTORY_USER,
                                          .name = name};
    struct load *load = reader->load;
    bool is_new;

    struct known_name *known = find_answer(load, name, group ? ASKED_GROUP : ASKED_USER, &is_new);
    if (known == NULL || !is_new) {
        return known;
    }
    directory_ask_names(&load->asker, &question, 1);
    known->result = question.result;
    keep_answer(load, known, &question.entry);
    return load->failed ? NULL : known;
}

/* One digit at least. */
static bool is_digits(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
    }
    return length > 0;
}

/* Digits and dashes, or "+" and digits: an id or a range, even where a system has such a name. A
 * user whose name is of digits is never meant by them alone. */
static bool looks_like_number(const char *text)
{
    const char *digits = text[0] == '+' && is_digits(text + 1, strlen(text + 1)) ? text + 1 : text;
    return digits[strspn(digits, "0123456789-")] == '\0';
}

/* ---- asked ahead ------------------------------------------------------------------------------
 */

/* Of schema_read_range(): it will look up this text. What only looks like a question here is left
 * to that. */
static bool will_be_asked(const char *text)
{
    uint32_t id;

    if (text[0] == '\0' || strpbrk(text, "$\\*? ") != NULL) {
        return false;
    }
    return !looks_like_number(text) || directory_read_text(text, &id) == DIRECTORY_TEXT_DIGITS;
}

/* Room for one more. False when memory is out. */
static bool grow_ahead(struct asked_ahead *ahead)
{
    uint32_t capacity = ahead->capacity == 0 ? 256 : 2 * ahead->capacity;

    if (ahead->count < ahead->capacity) {
        return true;
    }
    struct directory_question *questions =
        base_resize(ahead->questions, capacity, sizeof(*questions));
    if (questions != NULL) {
        ahead->questions = questions;
        struct known_name **known = base_resize(ahead->known, capacity, sizeof(*known));
        if (known != NULL) {
            ahead->known = known;
            ahead->capacity = capacity;
            return true;
        }
    }
    return false;
}

void schema_ask_later(struct load *load, struct asked_ahead *ahead, const char *text, bool group)
{
    bool is_new;

    if (!will_be_asked(text)) {
        return;
    }
    if (!grow_ahead(ahead)) {
        load->failed = true;
        return;
    }
    struct known_name *known = find_answer(load, text, group ? ASKED_GROUP : ASKED_USER, &is_new);
    if (known != NULL && is_new) {
        ahead->known[ahead->count] = known;
        ahead->questions[ahead->count++] = (struct directory_question){
            .kind = group ? DIRECTORY_GROUP : DIRECTORY_USER, .name = known->name};
    }
}

void schema_ask_ahead(struct load *load, struct asked_ahead *ahead)
{
    directory_ask_names(&load->asker, ahead->questions, ahead->count);
    for (uint32_t i = 0; i < ahead->count; i++) {
        ahead->known[i]->result = ahead->questions[i].result;
        keep_answer(load, ahead->known[i], &ahead->questions[i].entry);
    }
    base_free(ahead->questions);
    base_free(ahead->known);
}

/* ---- errors -----------------------------------------------------------------------------------
 */

/* With the nearest name of this system, if one is near. */
static void report_unknown(const struct reader *reader, const struct node *node,
                           enum directory_kind kind)
{
    const char *what = kind == DIRECTORY_GROUP ? "group" : "user";
    char nearest[DIRECTORY_NAME];

    if (directory_nearest(kind, node->text, nearest)) {
        schema_value_error(reader, node, "unknown %s \"%s\"; did you mean \"%s\"?", what,
                           node->text, nearest);
    } else {
        schema_value_error(reader, node,
                           "unknown %s \"%s\"; give a name that this system knows, or an id", what,
                           node->text);
    }
}

/* Unknown, ambiguous, or not to be looked up: each says what can be written instead. */
static void report_result(const struct reader *reader, const struct node *node,
                          const struct known_name *known)
{
    const char *what = known->asked == ASKED_GROUP ? "group" : "user";

    switch (known->result) {
    case DIRECTORY_NONE:
        report_unknown(reader, node,
                       known->asked == ASKED_GROUP ? DIRECTORY_GROUP : DIRECTORY_USER);
        break;
    case DIRECTORY_AMBIGUOUS:
        schema_value_error(reader, node,
                           "\"%s\" is an id, and the name of the %s with id %u; write \"+%s\" or "
                           "\"+%u\"",
                           node->text, what, known->entry.id, node->text, known->entry.id);
        break;
    case DIRECTORY_TOO_LARGE:
        schema_value_error(reader, node,
                           "%s \"%s\" cannot be looked up: an entry on the way is longer than %d "
                           "bytes; give its id with a plus before it",
                           what, node->text, DIRECTORY_LARGEST);
        break;
    default:
        schema_value_error(reader, node,
                           "%s \"%s\" cannot be looked up: %s; an id with a plus before it, as in "
                           "\"+33\", needs no directory",
                           what, node->text, strerrordesc_np(known->entry.error));
    }
}

/* NULL after an error. NULL without an error when memory is out; the load knows it then. */
static const struct known_name *known_or_error(const struct reader *reader, const struct node *node,
                                               bool group)
{
    const struct known_name *known = look_up(reader, node->text, group);

    if (known == NULL || known->result == DIRECTORY_FOUND) {
        return known;
    }
    report_result(reader, node, known);
    return NULL;
}

/* No other entry has the digits of the id as its name. Where one has, the text could mean either,
 * and the author must say which. */
static bool check_digits(const struct reader *reader, const struct node *node, bool group)
{
    const struct known_name *known = look_up(reader, node->text, group);

    if (known == NULL) {
        return false;
    }
    if (known->result != DIRECTORY_FOUND && known->result != DIRECTORY_NONE) {
        report_result(reader, node, known);
        return false;
    }
    return true;
}

/* ---- numbers --------------------------------------------------------------------------------- */

/* digits are decimal digits; reports what directory_read_id() refuses. */
static bool read_id(const struct reader *reader, const struct node *node, const char *digits,
                    size_t length, uint32_t *ret_id)
{
    switch (directory_read_id(digits, length, ret_id)) {
    case DIRECTORY_TEXT_LEADING_ZERO:
        schema_value_error(reader, node,
                           "id \"%.*s\" begins with 0; write it without leading zeros", (int)length,
                           digits);
        return false;
    case DIRECTORY_TEXT_TOO_LARGE:
        schema_value_error(reader, node, "id %.*s does not fit in 32 bits; the largest id is %u",
                           (int)length, digits, UINT32_MAX - 1);
        return false;
    case DIRECTORY_TEXT_MINUS_ONE:
        schema_value_error(reader, node, "id %u is -1, which is not an id; the largest id is %u",
                           UINT32_MAX, UINT32_MAX - 1);
        return false;
    default:
        return true;
    }
}

/* An id by itself, as directory.h says. A plus says that the digits are an id, so nothing need be
 * asked. */
static bool parse_id(const struct reader *reader, const struct node *node, bool group,
                     uint32_t *ret_id)
{
    const char *text = node->text;
    bool plus = text[0] == '+';

    return read_id(reader, node, text + plus, strlen(text + plus), ret_id) &&
           (plus || check_digits(reader, node, group));
}

/* A single id is a range of one. Ids of ranges are not looked up: a range names numbers. */
static bool parse_range(const struct reader *reader, const struct node *node, bool group,
                        struct draft_range *range)
{
    const char *text = node->text, *dash = strchr(text, '-');

    if (dash == NULL) {
        if (!parse_id(reader, node, group, &range->first)) {
            return false;
        }
        range->last = range->first;
        return true;
    }
    if (dash == text && is_digits(dash + 1, strlen(dash + 1))) {
        schema_value_error(reader, node, "\"%s\" is not an id; ids go from 0 to %u", text,
                           UINT32_MAX - 1);
        return false;
    }
    if (!is_digits(text, (size_t)(dash - text)) || !is_digits(dash + 1, strlen(dash + 1))) {
        schema_value_error(reader, node, "\"%s\" is not a range; give both ends, as in 1000-1999",
                           text);
        return false;
    }
    if (!read_id(reader, node, text, (size_t)(dash - text), &range->first) ||
        !read_id(reader, node, dash + 1, strlen(dash + 1), &range->last)) {
        return false;
    }
    if (range->first > range->last) {
        schema_value_error(reader, node, "the range \"%s\" is reversed; did you mean \"%u-%u\"?",
                           text, range->last, range->first);
        return false;
    }
    return true;
}

/* Digits with a dash and blanks: no name has blanks (useradd(8)), so it is a range written in
 * another way. */
static bool is_spaced_range(const struct reader *reader, const struct node *node)
{
    const char *text = node->text, *dash = strchr(text, '-');
    size_t digits = strspn(text, "0123456789");

    if (dash == NULL || digits == 0 || text + digits + strspn(text + digits, " ") != dash) {
        return false;
    }
    const char *last = dash + 1 + strspn(dash + 1, " ");
    if (*last == '\0' || last[strspn(last, "0123456789")] != '\0') {
        return false;
    }
    schema_value_error(reader, node,
                       "\"%s\" is not a range; write it without blanks, as \"%.*s-%s\"", text,
                       (int)digits, text, last);
    return true;
}

/* No name has a wildcard (useradd(8)): a pattern belongs into a key of its own. */
static bool is_pattern(const struct reader *reader, const struct node *node, bool group)
{
    if (strpbrk(node->text, "*?") == NULL) {
        return false;
    }
    schema_value_error(reader, node, "\"%s\" is a pattern; patterns are written under %s-name",
                       node->text, group ? "group" : "user");
    return true;
}

/* *ret_range is written only on success. text is what show and fmt print. */
bool schema_read_range(const struct reader *reader, const struct node *node, bool group,
                       struct draft_range *ret_range)
{
    struct draft_range range = {.text = schema_keep_text(reader, node, group ? "group" : "user")};

    if (range.text == NULL) {
        return false;
    }
    if (looks_like_number(node->text)) {
        if (!parse_range(reader, node, group, &range)) {
            return false;
        }
    } else if (is_spaced_range(reader, node) || is_pattern(reader, node, group)) {
        return false;
    } else {
        const struct known_name *known = known_or_error(reader, node, group);
        if (known == NULL) {
            return false;
        }
        range.first = range.last = known->entry.id;
    }
    *ret_range = range;
    return true;
}

/* A single id out of what may look like a range. An error for a range. */
static bool read_single(const struct reader *reader, const struct node *node, bool group,
                        uint32_t *ret_id)
{
    struct draft_range range;

    if (!parse_range(reader, node, group, &range)) {
        return false;
    }
    if (strchr(node->text, '-') != NULL) {
        schema_value_error(reader, node, "a range cannot stand here; give one name or id");
        return false;
    }
    *ret_id = range.first;
    return true;
}

/* The entry of an id, which may have none. Without an entry only the id is known; a test must then
 * give the group. */
static bool read_user_of_id(const struct reader *reader, const struct node *node, uint32_t uid,
                            struct directory_entry *ret_user)
{
    const char *digits = node->text + (node->text[0] == '+');
    struct directory_entry entry = {0};
    bool is_new;

    struct known_name *known = find_answer(reader->load, digits, ASKED_ENTRY, &is_new);
    if (known == NULL) {
        return false;
    }
    if (is_new) {
        known->result = directory_ask_id(&reader->load->asker, DIRECTORY_USER, uid, &entry);
        keep_answer(reader->load, known, &entry);
    }
    if (reader->load->failed) {
        return false;
    }
    if (known->result != DIRECTORY_FOUND && known->result != DIRECTORY_NONE) {
        report_result(reader, node, known);
        return false;
    }
    *ret_user =
        known->result == DIRECTORY_FOUND ? known->entry : (struct directory_entry){.id = uid};
    return true;
}

/* *ret_user's name lies in the load's memory: it is over with the load. */
bool schema_read_user(const struct reader *reader, const struct node *node,
                      struct directory_entry *ret_user)
{
    const char *text = schema_read_text(reader, node, "user");
    uint32_t uid;

    if (text == NULL) {
        return false;
    }
    if (looks_like_number(text)) {
        return read_single(reader, node, false, &uid) &&
               read_user_of_id(reader, node, uid, ret_user);
    }
    const struct known_name *known = known_or_error(reader, node, false);
    if (known != NULL) {
        *ret_user = known->entry;
    }
    return known != NULL;
}

/* *ret_gid is written only on success. */
bool schema_read_group(const struct reader *reader, const struct node *node, uint32_t *ret_gid)
{
    const char *text = schema_read_text(reader, node, "group");

    if (text == NULL) {
        return false;
    }
    if (looks_like_number(text)) {
        return read_single(reader, node, true, ret_gid);
    }
    const struct known_name *known = known_or_error(reader, node, true);
    if (known != NULL) {
        *ret_gid = known->entry.id;
    }
    return known != NULL;
}

/* Groups are kept in the draft's memory, since the subject of a test points to them. */
static void ask_for_groups(struct load *load, const struct directory_entry *user,
                           struct known_name *known)
{
    gid_t *groups = NULL;
    uint32_t count = 0;

    known->result = directory_ask_groups(&load->asker, user, &groups, &count, &known->entry.error);
    if (known->result != DIRECTORY_FOUND) {
        return;
    }
    known->groups = arena_take(load->kept, count, sizeof(*known->groups));
    if (known->groups != NULL) {
        memcpy(known->groups, groups, count * sizeof(*known->groups));
        known->group_count = count;
    } else {
        known->result = DIRECTORY_NO_MEMORY;
    }
    base_free(groups);
}

/* Asked once for each user of a load. */
enum directory_result schema_user_groups(const struct reader *reader,
                                         const struct directory_entry *user, uint32_t **ret_groups,
                                         uint32_t *ret_count, int *ret_error)
{
    bool is_new;
    struct known_name *known = find_answer(reader->load, user->name, ASKED_GROUPS, &is_new);

    if (known == NULL) {
        return DIRECTORY_NO_MEMORY;
    }
    if (is_new) {
        ask_for_groups(reader->load, user, known);
    }
    *ret_groups = known->groups;
    *ret_count = known->group_count;
    if (known->result == DIRECTORY_FAILED) {
        *ret_error = known->entry.error;
    }
    return known->result;
}
