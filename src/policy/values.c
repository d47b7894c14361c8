/* SPDX-License-Identifier: MIT */
/*
 * Reads single values of a policy file, words, lists, numbers, sizes and durations, with the error
 * messages for wrong ones. The other schema files are written in terms of it.
 *
 * schema_read_map(), schema_read_items() and schema_read_values() walk maps and lists by tables of
 * keys; schema_read_text() and what is built on it read one scalar. All report in one form: what is
 * wrong, and what would be right. A function that returns false, NULL or 0 has reported already, or
 * met a NODE_BAD that was.
 */
#include "policy/schema.h"

#include <stdio.h>
#include <string.h>

/* For the node itself where it has no key. */
void schema_key_error(const struct reader *reader, const struct node *node, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    source_error_list(reader->source, reader->load->errors,
                      node->key != NULL ? node->key_line : node->line,
                      node->key != NULL ? node->key_column : node->column, format, arguments);
    va_end(arguments);
}

/* A value that is not written has no place of its own. */
void schema_value_error(const struct reader *reader, const struct node *node, const char *format,
                        ...)
{
    /* As in "key:", where the value has no place. */
    bool at_key = node->empty && node->key != NULL;
    va_list arguments;

    va_start(arguments, format);
    source_error_list(reader->source, reader->load->errors, at_key ? node->key_line : node->line,
                      at_key ? node->key_column : node->column, format, arguments);
    va_end(arguments);
}

/* Zeroed memory of the draft. */
void *schema_take(const struct reader *reader, size_t count, size_t size)
{
    void *piece = arena_take(reader->load->kept, count, size);

    if (piece == NULL) {
        reader->load->failed = true;
    }
    return piece;
}

/* The file's name is the draft's, as the place outlives the load. */
void schema_read_place(const struct reader *reader, const struct node *node,
                       struct policy_place *ret_place)
{
    bool key = node->key != NULL;

    *ret_place = (struct policy_place){.file = reader->file,
                                       .line = key ? node->key_line : node->line,
                                       .column = key ? node->key_column : node->column};
}

/* ---- words ----------------------------------------------------------------------------------- */

/* A short list of all is more use than nothing; a long one is cut by the size of its buffer. */
void schema_unknown_word(const struct reader *reader, const struct node *node, const char *what,
                         const char *const *candidates)
{
    const char *nearest = diagnostic_nearest(node->text, candidates);
    char list[2048];
    size_t length = 0;

    if (nearest != NULL) {
        schema_value_error(reader, node, "unknown %s \"%s\"; did you mean \"%s\"?", what,
                           node->text, nearest);
        return;
    }
    list[0] = '\0';
    for (size_t i = 0; candidates[i] != NULL && length < sizeof(list); i++) {
        length += (size_t)snprintf(list + length, sizeof(list) - length, "%s%s", i == 0 ? "" : ", ",
                                   candidates[i]);
    }
    schema_value_error(reader, node, "unknown %s \"%s\"; use one of: %s", what, node->text, list);
}

/* The same for a table of words. */
static void unknown_of_words(const struct reader *reader, const struct node *node, const char *what,
                             const struct schema_word *words)
{
    const char *candidates[SCHEMA_MAX_KEYS + 1];
    size_t count = 0;

    for (; words[count].name != NULL; count++) {
        candidates[count] = words[count].name;
    }
    candidates[count] = NULL;
    schema_unknown_word(reader, node, what, candidates);
}

/* Exactly as written: words have no other case and no abbreviation. */
bool schema_read_word(const struct reader *reader, const struct node *node, const char *what,
                      const struct schema_word *words, unsigned *ret_value)
{
    const char *text = schema_read_text(reader, node, what);

    if (text == NULL) {
        return false;
    }
    for (const struct schema_word *word = words; word->name != NULL; word++) {
        if (strcmp(text, word->name) == 0) {
            *ret_value = word->value;
            return true;
        }
    }
    unknown_of_words(reader, node, what, words);
    return false;
}

/* Unknown words are reported and left out. */
unsigned schema_read_word_set(const struct reader *reader, const struct node *node,
                              const char *what, const struct schema_word *words)
{
    const struct node *value;
    unsigned set = 0, bits;

    for (uint32_t left = schema_read_values(reader, node, false, &value); left > 0;
         left--, value = value->next) {
        if (schema_read_word(reader, value, what, words, &bits)) {
            set |= bits;
        }
    }
    return set;
}

/* ---- maps and lists -------------------------------------------------------------------------- */

/*
 * A map is a table of keys, each with its reader. Unknown keys are errors, since a misspelt key
 * that is passed over would leave a rule wider than it was meant.
 */

/* The entry before this one where it has no value: then the key was probably meant to stand in it,
 * one step deeper. */
static const struct node *empty_before(const struct node *map, const struct node *entry)
{
    const struct node *before = NULL;

    for (const struct node *other = map->first; other != entry; other = other->next) {
        before = other->empty ? other : NULL;
    }
    return before;
}

/* The key that was meant, as far as that can be guessed; else NULL. The answer lets the caller
 * leave out "lacks the key" for a key that is only misspelt. */
static const char *unknown_key(const struct reader *reader, const struct node *map,
                               const struct node *entry, const char *where,
                               const struct schema_key *keys)
{
    const struct node *before = empty_before(map, entry);
    const char *candidates[SCHEMA_MAX_KEYS + 1];
    char list[512];
    size_t count = 0, length = 0;

    list[0] = '\0';
    for (; keys[count].name != NULL; count++) {
        candidates[count] = keys[count].name;
        if (length < sizeof(list)) {
            length += (size_t)snprintf(list + length, sizeof(list) - length, "%s%s",
                                       count == 0 ? "" : ", ", keys[count].name);
        }
    }
    candidates[count] = NULL;
    const char *nearest = diagnostic_nearest(entry->key, candidates);
    if (nearest != NULL) {
        schema_key_error(reader, entry, "unknown key \"%s\" in %s; did you mean \"%s\"?",
                         entry->key, where, nearest);
    } else if (before != NULL) {
        schema_key_error(reader, entry,
                         "unknown key \"%s\" in %s; if it belongs to \"%s\" in line %u, indent it "
                         "deeper than that",
                         entry->key, where, before->key, before->key_line);
    } else {
        schema_key_error(reader, entry, "unknown key \"%s\" in %s; use one of: %s", entry->key,
                         where, list);
    }
    return nearest;
}

/* Duplicates are gone already (document.c). */
static bool holds(const struct node *map, const char *key)
{
    for (const struct node *entry = map->first; entry != NULL; entry = entry->next) {
        if (strcmp(entry->key, key) == 0) {
            return true;
        }
    }
    return false;
}

/* NULL when the map has no such key. */
static const struct schema_key *find_key(const struct schema_key *keys, const char *name)
{
    for (; keys->name != NULL; keys++) {
        if (strcmp(keys->name, name) == 0) {
            return keys;
        }
    }
    return NULL;
}

/* Readers run in the order of the file; a key that is needed and missing is reported at the first
 * entry. */
void schema_read_map(const struct reader *reader, const struct node *node, const char *where,
                     const struct schema_key *keys, void *target)
{
    if (node->kind == NODE_BAD) {
        return;
    }
    if (node->kind != NODE_MAP) {
        schema_value_error(reader, node, "%s must be a map of keys, as in \"%s: ...\"", where,
                           keys[0].name);
        return;
    }
    if (node->count == 0) {
        schema_value_error(reader, node, "%s is an empty map; fill it or leave it out", where);
        return;
    }
    const char *meant[SCHEMA_MAX_KEYS] = {NULL}; /* needed keys that are there, if misspelt */
    for (const struct node *entry = node->first; entry != NULL; entry = entry->next) {
        const struct schema_key *key = find_key(keys, entry->key);
        if (key != NULL) {
            key->read(reader, entry, target);
            continue;
        }
        const char *nearest = unknown_key(reader, node, entry, where, keys);
        if (nearest != NULL) {
            meant[find_key(keys, nearest) - keys] = nearest;
        }
    }
    for (const struct schema_key *key = keys; key->name != NULL; key++) {
        if (key->needed && meant[key - keys] == NULL && !holds(node, key->name)) {
            schema_key_error(reader, node->first, "%s lacks the key \"%s\"", where, key->name);
        }
    }
}

/* Every item is read, whatever is wrong with the one before. */
void schema_read_items(const struct reader *reader, const struct node *node, const char *what,
                       void (*read)(const struct reader *, const struct node *, void *),
                       void *target)
{
    if (node->kind == NODE_BAD) {
        return;
    }
    if (node->kind != NODE_LIST) {
        schema_value_error(reader, node, "%s must be a list; begin each item with \"- \"", what);
        return;
    }
    if (node->count == 0) {
        schema_value_error(reader, node, "%s is an empty list; fill it or leave it out", what);
        return;
    }
    for (const struct node *item = node->first; item != NULL; item = item->next) {
        read(reader, item, target);
    }
}

/* ---- "$name" --------------------------------------------------------------------------------- */

/*
 * The values of a list are copied with the place of its name, so that an error shows the line of
 * the rule.
 */

/* NULL when no file so far has it. */
const struct named_list *schema_find_list(const struct load *load, const char *name)
{
    const struct named_list *list = load->lists;

    while (list != NULL && strcmp(list->name, name) != 0) {
        list = list->next;
    }
    return list;
}

static void unknown_list(const struct reader *reader, const struct node *value)
{
    const char *candidates[DRAFT_MAX_VALUES + 1];
    size_t count = 0;

    for (const struct named_list *list = reader->load->lists;
         list != NULL && count < DRAFT_MAX_VALUES; list = list->next) {
        candidates[count++] = list->name;
    }
    candidates[count] = NULL;
    const char *nearest = diagnostic_nearest(value->text + 1, candidates);
    if (nearest != NULL) {
        schema_value_error(reader, value, "unknown list \"%s\"; did you mean \"$%s\"?", value->text,
                           nearest);
    } else {
        schema_value_error(reader, value,
                           "unknown list \"%s\"; give it under lists: in this file or one that is "
                           "read before, or write \"\\$\" for a dollar sign",
                           value->text);
    }
}

/* Whether a value names a list. */
static bool names_list(const struct node *value)
{
    return value->kind == NODE_SCALAR && value->text[0] == '$';
}

/* A chain of values that grows at its end. */
struct chain {
    struct node *first, *last;
    uint32_t count;
};

/* False out of memory, which the arena notes. */
static bool append_copy(const struct reader *reader, struct chain *chain, const struct node *value,
                        const struct node *place)
{
    struct node *copy = arena_take(&reader->load->temporary, 1, sizeof(*copy));

    if (copy == NULL) {
        return false;
    }
    *copy = *value;
    copy->next = NULL;
    copy->key = NULL;
    copy->line = place->line;
    copy->column = place->column;
    if (chain->last != NULL) {
        chain->last->next = copy;
    } else {
        chain->first = copy;
    }
    chain->last = copy;
    chain->count++;
    return true;
}

static bool append_list(const struct reader *reader, struct chain *chain, const struct node *value)
{
    const struct named_list *list = schema_find_list(reader->load, value->text + 1);

    if (list == NULL) {
        unknown_list(reader, value);
        return false;
    }
    bool good = true;
    for (const struct node *item = list->first; item != NULL && good; item = item->next) {
        good = append_copy(reader, chain, item, value);
    }
    return good;
}

static bool expand_lists(const struct reader *reader, const struct node *list,
                         const struct node **ret_first, uint32_t *ret_count)
{
    struct chain chain = {NULL, NULL, 0};
    bool single = list->kind != NODE_LIST, good = true;

    for (const struct node *value = single ? list : list->first; value != NULL;
         value = single ? NULL : value->next) {
        bool named = names_list(value);
        good = (named ? append_list(reader, &chain, value)
                      : append_copy(reader, &chain, value, value)) &&
               good;
    }
    *ret_first = chain.first;
    *ret_count = chain.count;
    return good;
}

/* Of the list, or of the one value. */
static bool any_names_list(const struct node *node)
{
    bool any = node->kind != NODE_LIST && names_list(node);

    for (const struct node *value = node->kind == NODE_LIST ? node->first : NULL; value != NULL;
         value = value->next) {
        any = any || names_list(value);
    }
    return any;
}

/* A single value counts as a list of one. More than DRAFT_MAX_VALUES are refused as a whole. */
uint32_t schema_read_values(const struct reader *reader, const struct node *node, bool may_be_empty,
                            const struct node **ret_first)
{
    uint32_t count = 1;

    *ret_first = node;
    if (node->kind == NODE_BAD) {
        return 0;
    }
    if (node->kind == NODE_LIST) {
        if (node->count == 0 && !may_be_empty) {
            schema_value_error(reader, node, "\"%s\" is an empty list; fill it or leave it out",
                               node->key);
        }
        *ret_first = node->first;
        count = node->count;
    }
    if (any_names_list(node) && !expand_lists(reader, node, ret_first, &count)) {
        return 0;
    }
    if (count > DRAFT_MAX_VALUES) {
        schema_value_error(reader, node, "\"%s\" lists %u values; at most %d are allowed",
                           node->key, count, DRAFT_MAX_VALUES);
        return 0;
    }
    return count; /* the reader of one value reports what it is */
}

/* ---- scalars --------------------------------------------------------------------------------- */

/*
 * No scalar has a type in the tree; the reader of a key gives it one. Every number has bounds, and
 * every unit is written out.
 */

/* The node's own text, which lives as long as the load. */
const char *schema_read_text(const struct reader *reader, const struct node *node, const char *what)
{
    if (node->kind == NODE_BAD) {
        return NULL;
    }
    if (node->kind != NODE_SCALAR) {
        schema_value_error(reader, node, "one %s is needed here, not a %s", what,
                           node->kind == NODE_LIST ? "list" : "map");
        return NULL;
    }
    if (node->empty && node->key != NULL) {
        schema_value_error(reader, node, "\"%s\" has no value", node->key);
        return NULL;
    }
    if (node->text[0] == '\0') {
        schema_value_error(reader, node, "an empty %s", what);
        return NULL;
    }
    return node->text;
}

/* For what stays in the draft. */
const char *schema_keep_text(const struct reader *reader, const struct node *node, const char *what)
{
    const char *text = schema_read_text(reader, node, what);

    if (text == NULL) {
        return NULL;
    }
    size_t size = strlen(text) + 1;
    char *copy = schema_take(reader, size, 1);
    if (copy != NULL) {
        memcpy(copy, text, size);
    }
    return copy;
}

/* Digits only, at most so many that it cannot overflow; false when it is no such number. */
static bool parse_digits(const char *text, size_t length, uint64_t *ret_number)
{
    uint64_t number = 0;

    if (length == 0 || length > 18 || (text[0] == '0' && length > 1)) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        number = number * 10 + (uint64_t)(text[i] - '0');
    }
    *ret_number = number;
    return true;
}

/* word may be NULL. */
static bool is_word(const char *text, const char *word)
{
    return word != NULL && strcmp(text, word) == 0;
}

/* The end of a message where a word is right, too. */
static const char *or_word(const char *word, char buffer[16])
{
    snprintf(buffer, 16, "%s%s", word != NULL ? ", or " : "", word != NULL ? word : "");
    return buffer;
}

/* Decimal digits only; the bounds are in the message. */
bool schema_read_number(const struct reader *reader, const struct node *node, uint32_t smallest,
                        uint32_t largest, const char *zero, uint32_t *ret_number)
{
    const char *text = schema_read_text(reader, node, "number");
    uint64_t number = 0;
    char word[16];

    if (text == NULL) {
        return false;
    }
    if (is_word(text, zero)) {
        *ret_number = 0;
        return true;
    }
    if (!parse_digits(text, strlen(text), &number) || number < smallest || number > largest) {
        schema_value_error(reader, node, "\"%s\" is not a number from %u to %u%s", text, smallest,
                           largest, or_word(zero, word));
        return false;
    }
    *ret_number = (uint32_t)number;
    return true;
}

/* A unit is needed: a bare number could be bytes or anything. */
bool schema_read_size(const struct reader *reader, const struct node *node, const char *zero,
                      uint64_t *ret_size)
{
    static const struct {
        const char *name;
        unsigned shift;
    } units[] = {{"KiB", 10}, {"MiB", 20}, {"GiB", 30}};
    const uint64_t most = UINT64_C(1) << 40;
    const char *text = schema_read_text(reader, node, "size");
    uint64_t number;
    char word[16];

    if (text == NULL) {
        return false;
    }
    if (is_word(text, zero)) {
        *ret_size = 0;
        return true;
    }
    size_t digits = strspn(text, "0123456789");
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(text + digits, units[i].name) == 0 && parse_digits(text, digits, &number) &&
            number > 0 && number <= most >> units[i].shift) {
            *ret_size = number << units[i].shift;
            return true;
        }
    }
    schema_value_error(reader, node,
                       "\"%s\" is not a size; write a number and KiB, MiB or GiB, as in 64MiB%s",
                       text, or_word(zero, word));
    return false;
}

/* What this writes schema_read_duration() reads as the same. */
void schema_duration_word(uint32_t seconds, char text[24])
{
    static const struct {
        char name;
        uint32_t seconds;
    } units[] = {{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};
    size_t i = 0;

    if (seconds == 0) {
        strcpy(text, "off");
        return;
    }
    while (seconds % units[i].seconds != 0) {
        i++;
    }
    snprintf(text, 24, "%u%c", seconds / units[i].seconds, units[i].name);
}

/* A bare number is refused, as for sizes. least keeps a value of 0 for the word. */
bool schema_read_duration(const struct reader *reader, const struct node *node, uint32_t least,
                          uint32_t most, const char *zero, uint32_t *ret_seconds)
{
    static const struct {
        const char *name;
        uint32_t seconds;
    } units[] = {{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
    const char *text = schema_read_text(reader, node, "duration");
    char smallest[24], largest[24], word[16];
    uint64_t number;

    if (text == NULL) {
        return false;
    }
    if (is_word(text, zero)) {
        *ret_seconds = 0;
        return true;
    }
    size_t digits = strspn(text, "0123456789");
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(text + digits, units[i].name) == 0 && parse_digits(text, digits, &number) &&
            number <= most / units[i].seconds && number * units[i].seconds >= least) {
            *ret_seconds = (uint32_t)number * units[i].seconds;
            return true;
        }
    }
    schema_duration_word(least, smallest);
    schema_duration_word(most, largest);
    schema_value_error(reader, node,
                       "\"%s\" is not a duration from %s to %s; write a number and s, m, h or d%s",
                       text, smallest, largest, or_word(zero, word));
    return false;
}
