/* SPDX-License-Identifier: MIT */
/*
 * Turns the parsed YAML tree into a draft: which keys exist, the types of their values, and the
 * error messages. Every reader goes on after an error: what it made is thrown away with the draft
 * then, and all errors are reported at once.
 */
#ifndef POLICY_SCHEMA_H
#define POLICY_SCHEMA_H

#include "base/arena.h"
#include "identity/directory.h"
#include "policy/document.h"
#include "policy/draft.h"

/* What the directory is asked about a text. */
enum asked {
    ASKED_USER,  /* who has the name, or whether its digits may stand for the id */
    ASKED_GROUP, /* the same of a group */
    ASKED_ENTRY, /* the user with the id of these digits */
    ASKED_GROUPS /* the groups of the user with the name */
};

/* An answer. Each question is asked once a load, whatever it costs to ask: thousands of tests may
 * be about the same user. */
struct known_name {
    struct known_name *next;
    const char *name;
    enum asked asked;
    enum directory_result result;
    struct directory_entry entry; /* its name lies in load.temporary */
    uint32_t *groups;             /* in the draft's memory */
    uint32_t group_count;
};

/* A test's expect.rule, which may name a rule of a later file. */
struct rule_reference {
    struct rule_reference *next;
    const struct policy_source *source;
    const struct node *node;
};

/* A list of `lists:`, for "$name". Its nodes are of the file that has it. */
struct named_list {
    struct named_list *next;
    const char *name;
    struct policy_place place;
    const struct node *first;
    uint32_t count;
};

/* Lists of a hash table. */
enum { KNOWN_NAME_LISTS = 64 };

/* One load: what was read so far. */
struct load {
    struct diagnostics *errors;
    struct arena *kept;     /* the draft's own memory */
    struct arena temporary; /* released when the load is over */
    struct draft_settings settings;
    struct draft_rule *rules; /* grows */
    uint32_t rule_count, rule_capacity;
    uint32_t *rule_hashes; /* grows along */
    struct draft_test *tests;
    uint32_t test_count, test_capacity;
    struct draft_client *clients; /* room for DRAFT_MAX_CLIENTS; NULL before the first */
    const char *files[DRAFT_MAX_FILES];
    uint32_t file_count;
    struct known_name *names[KNOWN_NAME_LISTS];
    struct directory_asker asker; /* of all questions of the load */
    struct rule_reference *references;
    struct named_list *lists;
    bool incomplete; /* rules are missing: nothing can be said of references to them */
    bool rules_full, tests_full, clients_full; /* reported once each */
    bool failed;                               /* memory is out */
};

/* What the readers pass on: the load and the file that is read. */
struct reader {
    struct load *load;
    const struct policy_source *source;
    const char *file; /* source's name, in the draft's memory */
};

/* Reads one file into the load. */
void schema_read(struct load *load, const struct policy_source *source);

/* What can be checked only when all files are read. */
void schema_finish(struct load *load);

/* ---- the readers' tools: values.c ------------------------------------------------------------ */

/* An error at a value, or at its key where nothing is written as its value. */
void schema_value_error(const struct reader *reader, const struct node *node, const char *format,
                        ...) __attribute__((format(printf, 3, 4)));
/* At the key, for what is wrong with it or missing beside it. */
void schema_key_error(const struct reader *reader, const struct node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Memory of the draft; NULL when it is out, which the load then knows. */
void *schema_take(const struct reader *reader, size_t count, size_t size);

/* One key of a map, and what reads its value into target. */
struct schema_key {
    const char *name;
    bool needed;
    void (*read)(const struct reader *reader, const struct node *node, void *target);
};

/* Of one map of the format, and words of one list. */
enum { SCHEMA_MAX_KEYS = 24 };

/* Reads each entry of a map by its key; keys ends with a NULL name. where: "match", "a rule". */
void schema_read_map(const struct reader *reader, const struct node *node, const char *where,
                     const struct schema_key *keys, void *target);

/* Reads each item of a list; an empty one is an error unless may_be_empty. */
void schema_read_items(const struct reader *reader, const struct node *node, const char *what,
                       void (*read)(const struct reader *, const struct node *, void *),
                       void *target);

/* The values of a key that takes one value or a list: how many, the first in *ret_first, and the
 * next of each is its `next`. 0 after an error, and for an empty list where it may be empty. */
uint32_t schema_read_values(const struct reader *reader, const struct node *node, bool may_be_empty,
                            const struct node **ret_first);

/* NULL when no file so far has it. */
const struct named_list *schema_find_list(const struct load *load, const char *name);

/* A text that is not empty; NULL after an error. what is the kind of thing it names. */
const char *schema_read_text(const struct reader *reader, const struct node *node,
                             const char *what);

/* The same, in the draft's memory. */
const char *schema_keep_text(const struct reader *reader, const struct node *node,
                             const char *what);

/* One word of a few; words ends with a NULL name. */
struct schema_word {
    const char *name;
    unsigned value;
};
/* False after an error, with *ret_value untouched. */
bool schema_read_word(const struct reader *reader, const struct node *node, const char *what,
                      const struct schema_word *words, unsigned *ret_value);
/* The values of several words, joined; 0 after an error. */
unsigned schema_read_word_set(const struct reader *reader, const struct node *node,
                              const char *what, const struct schema_word *words);

/* An unknown word is reported with the nearest of the candidates, or all of them. */
void schema_unknown_word(const struct reader *reader, const struct node *node, const char *what,
                         const char *const *candidates);

/* zero is a word that may stand for 0 ("off", "all"), or NULL. */
bool schema_read_number(const struct reader *reader, const struct node *node, uint32_t least,
                        uint32_t most, const char *zero, uint32_t *ret_number);
/* Bytes, from a number with KiB, MiB or GiB, up to 1 TiB. */
bool schema_read_size(const struct reader *reader, const struct node *node, const char *zero,
                      uint64_t *ret_size);
/* "90s", "15m", "24h", "7d", within the bounds, which are seconds. */
bool schema_read_duration(const struct reader *reader, const struct node *node, uint32_t least,
                          uint32_t most, const char *zero, uint32_t *ret_seconds);
/* The other way, in the largest unit that is exact; 0 is "off". */
void schema_duration_word(uint32_t seconds, char word[24]);

/* A set of components; 0 after an error, and for an empty list where it may be empty. */
miguard_components schema_read_components(const struct reader *reader, const struct node *node,
                                          bool may_be_empty);
/* One operation by its name, or those of a group by its word: as bits. */
bool schema_read_operations(const struct reader *reader, const struct node *node,
                            uint32_t *ret_operations);
/* One operation by its name. */
bool schema_read_operation(const struct reader *reader, const struct node *node,
                           enum operation *ret_operation);
/* A set of capabilities by names as "CAP_CHOWN"; 0 after an error. */
uint64_t schema_read_capabilities(const struct reader *reader, const struct node *node);

/* Of the key, where there is one: an editor should go there. */
void schema_read_place(const struct reader *reader, const struct node *node,
                       struct policy_place *ret_place);

/* The value of `when`. */
void schema_read_times(const struct reader *reader, const struct node *node,
                       struct draft_times *ret_times);
/* "2026-03-01T12:00:00Z", or with an offset for the Z: seconds since 1970. */
bool schema_read_moment(const struct reader *reader, const struct node *node, int64_t *ret_moment);

/* One pattern for the file name of a provider module, or several; none after an error. */
struct draft_globs schema_read_providers(const struct reader *reader, const struct node *node);

/* ---- ids: ids.c ------------------------------------------------------------------------------ */

/* A user or group by name or id, or a range of ids. */
bool schema_read_range(const struct reader *reader, const struct node *node, bool group,
                       struct draft_range *ret_range);

/* A user or group by name or id. *ret_user is filled for a user; its name is NULL where only an id
 * was given and no entry exists. */
bool schema_read_user(const struct reader *reader, const struct node *node,
                      struct directory_entry *ret_user);
/* *ret_gid is filled for a group. */
bool schema_read_group(const struct reader *reader, const struct node *node, uint32_t *ret_gid);

/* Questions of which it is known before they are needed. */
struct asked_ahead {
    struct directory_question *questions;
    struct known_name **known; /* whose answers they will be */
    uint32_t count, capacity;
};

/* Adds what schema_read_range() will ask about the text, if it asks anything. The text lives as
 * long as the load. */
void schema_ask_later(struct load *load, struct asked_ahead *ahead, const char *text, bool group);

/* Asks all of them, and releases the list. */
void schema_ask_ahead(struct load *load, struct asked_ahead *ahead);

/* As directory_groups(), into the draft's memory. */
enum directory_result schema_user_groups(const struct reader *reader,
                                         const struct directory_entry *user, uint32_t **ret_groups,
                                         uint32_t *ret_count, int *ret_error);

/* ---- the parts: schema_settings.c, schema_clients.c, schema_rules.c, schema_tests.c ---------- */

/* Each reads the value of one key at the top of a file into the load's settings, rules or tests.
 * target is not used. */
void schema_read_defaults(const struct reader *reader, const struct node *node, void *target);
void schema_read_compare(const struct reader *reader, const struct node *node, void *target);
void schema_read_gate(const struct reader *reader, const struct node *node, void *target);
/* What only the gate as a whole can have wrong. */
void schema_check_gate(struct load *load);
void schema_read_watch(const struct reader *reader, const struct node *node, void *target);
void schema_read_audit(const struct reader *reader, const struct node *node, void *target);
void schema_read_clients(const struct reader *reader, const struct node *node, void *target);
void schema_read_lists(const struct reader *reader, const struct node *node);
void schema_read_rules(const struct reader *reader, const struct node *node, void *target);
void schema_read_tests(const struct reader *reader, const struct node *node, void *target);

/* Words that show.c prints as well. */
extern const struct schema_word schema_decisions[], schema_modes[], schema_audits[],
    schema_facilities[], schema_keys_modes[], schema_client_words[];

/* For tables of names within one load. */
uint32_t schema_hash(const char *name);

#endif
