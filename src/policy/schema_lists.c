/* SPDX-License-Identifier: MIT */
/*
 * Named lists: reads `lists:`, and puts their values where a rule says "$name".
 *
 * A list belongs to the whole policy: rules of the same file and of those read later may name it.
 * Its values are copied with the place of the name, so that an error shows the line of the rule.
 */
#include <string.h>

#include "policy/schema.h"

/* Only texts, and no other list: what stands in one list is seen at one place. */
static bool check_items(const struct reader *reader, const struct node *first)
{
    bool good = true;

    for (const struct node *item = first; item != NULL; item = item->next) {
        if (schema_read_text(reader, item, "value") == NULL) {
            good = false;
        } else if (item->text[0] == '$') {
            schema_value_error(reader, item,
                               "a list cannot name another one; write the values out");
            good = false;
        }
    }
    return good;
}

static bool is_name(const char *name)
{
    return name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")] ==
           '\0';
}

static void read_list(const struct reader *reader, const struct node *node)
{
    struct load *load = reader->load;
    const struct named_list *other = schema_find_list(load, node->key);
    struct named_list *list;

    if (node->kind == NODE_BAD) {
        return;
    }
    if (!is_name(node->key)) {
        schema_key_error(reader, node,
                         "a list's name is of letters of ASCII, digits, \"-\" and \"_\"");
        return;
    }
    if (other != NULL) {
        schema_key_error(reader, node, "duplicate list \"%s\"; it was given at %s:%u", node->key,
                         other->place.file, other->place.line);
        return;
    }
    if (node->kind != NODE_LIST || node->count == 0) {
        schema_value_error(reader, node, "\"%s\" must be a list that is not empty, as in [a, b]",
                           node->key);
        return;
    }
    list = check_items(reader, node->first) ? arena_take(&load->temporary, 1, sizeof(*list)) : NULL;
    if (list != NULL) {
        *list = (struct named_list){
            .next = load->lists, .name = node->key, .first = node->first, .count = node->count};
        schema_read_place(reader, node, &list->place);
        load->lists = list;
    }
}

void schema_read_lists(const struct reader *reader, const struct node *node)
{
    if (node->kind == NODE_BAD) {
        return;
    }
    if (node->kind != NODE_MAP || node->count == 0) {
        schema_value_error(reader, node, "lists must be a map of lists, as in \"admins: [root]\"");
        return;
    }
    for (const struct node *entry = node->first; entry != NULL; entry = entry->next) {
        read_list(reader, entry);
    }
}
