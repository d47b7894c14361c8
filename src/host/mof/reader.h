/* SPDX-License-Identifier: MIT */
/* What reads values, instances and classes of MOF; for the files of host/mof/ only. */
#ifndef HOST_MOF_READER_H
#define HOST_MOF_READER_H

#include "base/arena.h"
#include "host/mof/lex.h"

struct mof_owned {
    struct mof_document base; /* first: what is given out */
    struct arena arena;
    char *text; /* the copy that strings point into */
};

struct mof_reader {
    struct mof_lexer lexer;
    struct mof_owned *owned;
    unsigned depth;   /* of the instance that is read; 0: none */
    unsigned deepest; /* of those in it */
    size_t copies;    /* bytes that aliases stand for */
    bool classes;     /* their declarations are read, too */
};

/* Each returns false, with the error set at the current token, unless that is bad by itself. */
bool mof_out_of_memory(struct mof_reader *reader);
__attribute__((format(printf, 2, 3))) bool mof_fail(struct mof_reader *reader, const char *format,
                                                    ...);
__attribute__((format(printf, 2, 3))) bool mof_fail_limit(struct mof_reader *reader,
                                                          const char *format, ...);

/* "';' is needed behind the value, not 'x'" */
bool mof_fail_wanted(struct mof_reader *reader, const char *wanted);

bool mof_is_sign(const struct mof_reader *reader, char sign);
bool mof_is_word(const struct mof_reader *reader, const char *word);
bool mof_same_name(const char *a, const char *b);

/* The sign and what follows, or an error that says what is needed. */
bool mof_pass_sign(struct mof_reader *reader, char sign, const char *wanted);

/* A copy of the bytes of the token, with a NUL behind them. */
bool mof_copy_word(struct mof_reader *reader, const char **ret_text);

/* A name of that kind, and what follows. */
bool mof_read_name(struct mof_reader *reader, enum mof_token token, const char *wanted,
                   const char **ret_name);

bool mof_read_value(struct mof_reader *reader, struct mof_value *ret_value);

/* NAME = VALUE, added to the end of the list at *link. */
bool mof_read_property(struct mof_reader *reader, struct mof_instance *instance,
                       const struct mof_property ***link, const char *wanted);

/* An empty one at the current token. */
bool mof_new_instance(struct mof_reader *reader, struct mof_instance **ret_instance);

/* From the word instance to the closing brace. */
bool mof_read_instance(struct mof_reader *reader, struct mof_instance **ret_instance);

/* (class.c) From the qualifiers or the word class to the closing brace. */
bool mof_read_class(struct mof_reader *reader, struct mof_class **ret_class);

#endif
