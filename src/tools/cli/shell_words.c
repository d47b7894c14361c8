/* SPDX-License-Identifier: MIT */
/*
 * Words of a line, with the quotations that every shell has, and nothing else: no variables, no
 * patterns, no other programs. A word is written over the place where it was read, or before it,
 * since no quotation makes a word longer.
 */
#include "tools/cli/shell_words.h"

#include <stdlib.h>
#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct reader {
    const char *at, *end;
    const char *quote; /* where the last quotation began */
    char *to;
    bool bare;
};

/* Up to the quote that ends it. */
static enum shell_split read_quoted(struct reader *reader)
{
    const char quote = *reader->at;

    reader->quote = reader->at++;
    reader->bare = false;
    while (reader->at < reader->end && *reader->at != quote) {
        if (quote == '"' && *reader->at == '\\' && reader->at + 1 < reader->end &&
            (reader->at[1] == '"' || reader->at[1] == '\\')) {
            reader->at++;
        }
        *reader->to++ = *reader->at++;
    }
    if (reader->at == reader->end) {
        return SHELL_SPLIT_QUOTE;
    }
    reader->at++;
    return SHELL_SPLIT_GOOD;
}

static enum shell_split read_escaped(struct reader *reader)
{
    reader->bare = false;
    if (++reader->at == reader->end) {
        return SHELL_SPLIT_BACKSLASH;
    }
    *reader->to++ = *reader->at++;
    return SHELL_SPLIT_GOOD;
}

static enum shell_split read_word(struct reader *reader)
{
    enum shell_split split = SHELL_SPLIT_GOOD;

    reader->bare = true;
    while (reader->at < reader->end && !is_blank(*reader->at) && split == SHELL_SPLIT_GOOD) {
        if (*reader->at == '\'' || *reader->at == '"') {
            split = read_quoted(reader);
        } else if (*reader->at == '\\') {
            split = read_escaped(reader);
        } else {
            *reader->to++ = *reader->at++;
        }
    }
    return split;
}

static enum shell_split read_words(struct reader *reader, struct shell_words *words)
{
    enum shell_split split = SHELL_SPLIT_GOOD;

    for (;;) {
        while (reader->at < reader->end && is_blank(*reader->at)) {
            reader->at++;
            words->open = false;
        }
        if (reader->at == reader->end || *reader->at == '#' || split != SHELL_SPLIT_GOOD) {
            return split;
        }
        words->list[words->count++] = reader->to;
        split = read_word(reader);
        words->open = true;
        words->last_bare = reader->bare;
        *reader->to++ = '\0';
    }
}

/* Each word but the first has a blank before it, so that there are at most half as many, and all of
 * them with their ends are as long as the line and one. */
enum shell_split shell_words_split(const char *line, size_t length, struct shell_words *ret_words,
                                   size_t *ret_place)
{
    struct shell_words words = {.text = malloc(length + 1),
                                .list = calloc(length / 2 + 2, sizeof(*words.list))};
    struct reader reader = {.at = line, .end = line + length, .quote = line, .to = words.text};
    enum shell_split split = SHELL_SPLIT_MEMORY;

    if (words.text != NULL && words.list != NULL) {
        split = read_words(&reader, &words);
    }
    *ret_place = (size_t)(reader.quote - line);
    *ret_words = words;
    return split;
}

void shell_words_release(struct shell_words *words)
{
    free(words->list);
    free(words->text);
    *words = (struct shell_words){0};
}
