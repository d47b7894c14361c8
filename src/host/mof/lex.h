/* SPDX-License-Identifier: MIT */
/* The words of MOF; for the files of host/mof/ only. */
#ifndef HOST_MOF_LEX_H
#define HOST_MOF_LEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/mof/mof.h"

enum mof_token {
    MOF_TOKEN_END,
    MOF_TOKEN_BAD, /* error has the reason; the same follows again */
    MOF_TOKEN_NAME,
    MOF_TOKEN_ALIAS, /* the name behind $ */
    MOF_TOKEN_INTEGER,
    MOF_TOKEN_REAL,
    MOF_TOKEN_CHAR,
    MOF_TOKEN_STRING,
    MOF_TOKEN_SIGN, /* sign: one of { } = ; , [ ] ( ) # : . @ */
};

/* Reads in place: strings lose their quotes and escapes in the text itself, whose bytes there have
 * been read before. */
struct mof_lexer {
    char *at, *end;
    unsigned line, column;
    enum mof_token token;
    /* Of the token: where it begins, and its bytes. Those of a string end with a NUL. */
    unsigned token_line, token_column;
    const char *word;
    size_t length;
    bool negative; /* of an integer */
    uint64_t magnitude;
    uint16_t character;
    char sign;
    struct mof_error *error;
};

/* text may be changed; the byte at text[length] belongs to it. The first token is read. */
void mof_lexer_begin(struct mof_lexer *lexer, char *text, size_t length,
                     struct mof_error *ret_error);

void mof_lexer_next(struct mof_lexer *lexer);

#endif
