/* SPDX-License-Identifier: MIT */
/*
 * Finds number, chain and hash of a record in a line of another channel, for fleet.c. Each form
 * writes a quote inside of a value as \", so that no value can hold what is looked for here.
 */
#include "tools/review/fleet.h"
#include "tools/review/verify_walk.h"

#include <string.h>

/* Every record begins with it (audit/encode.c). */
#define RECORD_BEGIN "{\"@timestamp\":\""

size_t fleet_record_start(const char *line, size_t length)
{
    const char *at = length > 0 && line[0] != '{'
                         ? memmem(line, length, RECORD_BEGIN, sizeof(RECORD_BEGIN) - 1)
                         : NULL;

    return at != NULL ? (size_t)(at - line) : 0;
}

/* 16 lower-case hex digits, as writers have it. */
static bool read_chain(const char *text, size_t length, uint64_t *ret_chain)
{
    uint64_t chain = 0;

    for (size_t i = 0; i < 16; i++) {
        char c = i < length ? text[i] : '\0';
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return false;
        }
        chain = chain << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    *ret_chain = chain;
    return chain != 0;
}

/* The names of one form, each with what stands before its value. */
struct form {
    const char *chain, *sequence, *hash;
};
static const struct form forms[] = {
    {" chain=\"", " seq=\"", " hash=\""},
    {"\"MIGUARD_CHAIN\":\"", "\"MIGUARD_SEQUENCE\":\"", "\"MIGUARD_HASH\":\""},
    {"\"MIGUARD_CHAIN\" : \"", "\"MIGUARD_SEQUENCE\" : \"", "\"MIGUARD_HASH\" : \""},
};

/* What stands behind name up to the next quote; at is NULL when it is not there. */
static struct slice value_of(const char *line, size_t length, const char *name)
{
    const char *end = line + length, *at = memmem(line, length, name, strlen(name));
    struct slice value = {NULL, 0};

    if (at != NULL) {
        at += strlen(name);
        const char *quote = memchr(at, '"', (size_t)(end - at));
        if (quote != NULL) {
            value = (struct slice){at, (size_t)(quote - at)};
        }
    }
    return value;
}

static bool read_form(const struct form *form, const char *line, size_t length, uint64_t *ret_chain,
                      struct verify_head *ret_head)
{
    struct slice chain = value_of(line, length, form->chain);
    struct slice sequence = value_of(line, length, form->sequence);
    struct slice hash = value_of(line, length, form->hash);

    return chain.at != NULL && sequence.at != NULL && hash.at != NULL && chain.length == 16 &&
           read_chain(chain.at, chain.length, ret_chain) &&
           verify_head_number(sequence.at, sequence.length, &ret_head->sequence) &&
           chain_parse_hex(hash.at, hash.length, ret_head->hash);
}

/* "CHAIN SEQ:HASH" and, behind a blank, anything. */
static bool read_list(const char *line, size_t length, uint64_t *ret_chain,
                      struct verify_head *ret_head)
{
    if (length < 18 || line[16] != ' ' || !read_chain(line, 16, ret_chain)) {
        return false;
    }
    const char *blank = memchr(line + 17, ' ', length - 17);
    size_t end = blank != NULL ? (size_t)(blank - line) : length;
    return verify_head_parse(line + 17, end - 17, ret_head);
}

static bool read_record(const char *line, size_t length, uint64_t *ret_chain,
                        struct verify_head *ret_head)
{
    size_t start = fleet_record_start(line, length), offset;
    struct item item = {0};

    if (length == start || line[start] != '{' ||
        record_parse(line + start, length - start, &item.record, &offset) != NULL) {
        return false;
    }
    item_read(line + start, length - start, &item);
    *ret_chain = item.chain_id;
    ret_head->sequence = item.sequence;
    memcpy(ret_head->hash, item.hash, sizeof(item.hash));
    return item.chained;
}

bool fleet_head_read(const char *line, size_t length, uint64_t *ret_chain,
                     struct verify_head *ret_head)
{
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (read_form(&forms[i], line, length, ret_chain, ret_head)) {
            return true;
        }
    }
    return read_list(line, length, ret_chain, ret_head) ||
           read_record(line, length, ret_chain, ret_head);
}
