/* SPDX-License-Identifier: MIT */
/*
 * Frames and requests of `miguard serve`, read byte by byte from a peer that may be hostile.
 *
 * A length is compared with what is allowed before anything is taken or allocated for it. Nothing
 * here reads or writes a descriptor.
 */
#include "tools/cli/serve_wire.h"

#include <stdlib.h>
#include <string.h>

/* ---- frames -----------------------------------------------------------------------------------
 */

void wire_head(enum wire_kind kind, size_t length, unsigned char head[WIRE_HEAD_BYTES])
{
    head[0] = (unsigned char)kind;
    for (int i = 0; i < 4; i++) {
        head[1 + i] = (unsigned char)(length >> (24 - 8 * i));
    }
}

/* RUN is empty, an exit status has one byte, and the others at least one. */
static bool length_is_possible(unsigned char kind, size_t length)
{
    return kind == WIRE_RUN    ? length == 0
           : kind == WIRE_EXIT ? length == 1
                               : length > 0 && length <= WIRE_FRAME_BYTES;
}

/* The head is complete. */
static bool read_head(struct wire_frame *frame, const char *kinds)
{
    frame->kind = frame->head[0];
    frame->length = 0;
    for (int i = 1; i < WIRE_HEAD_BYTES; i++) {
        frame->length = frame->length << 8 | frame->head[i];
    }
    return frame->kind != '\0' && strchr(kinds, frame->kind) != NULL &&
           length_is_possible(frame->kind, frame->length);
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

enum wire_step wire_take(struct wire_frame *frame, const char *kinds, const void *bytes,
                         size_t length, size_t *ret_used)
{
    const unsigned char *at = bytes;
    size_t used = 0;

    if (frame->head_got == WIRE_HEAD_BYTES && frame->got == frame->length) {
        frame->head_got = 0; /* the next one */
    }
    if (frame->head_got < WIRE_HEAD_BYTES) {
        used = smaller(length, WIRE_HEAD_BYTES - frame->head_got);
        memcpy(frame->head + frame->head_got, at, used);
        frame->head_got += used;
        frame->got = frame->length = 0;
        if (frame->head_got == WIRE_HEAD_BYTES && !read_head(frame, kinds)) {
            return WIRE_BAD;
        }
    }
    *ret_used = used;
    if (frame->head_got < WIRE_HEAD_BYTES) {
        return WIRE_MORE;
    }
    size_t taken = smaller(length - used, frame->length - frame->got);
    memcpy(frame->bytes + frame->got, at + used, taken);
    frame->got += taken;
    *ret_used = used + taken;
    return frame->got == frame->length ? WIRE_FRAME : WIRE_MORE;
}

/* ---- a request --------------------------------------------------------------------------------
 */

static const char *add_words(struct wire_request *request, const struct wire_frame *frame)
{
    if (request->words != NULL) {
        return "the words of a request come once";
    }
    if (frame->bytes[frame->length - 1] != '\0') {
        return "each word needs a NUL behind it";
    }
    for (size_t i = 0; i < frame->length; i++) {
        request->word_count += frame->bytes[i] == '\0';
    }
    if (request->word_count > WIRE_MAX_WORDS) {
        return "a request has at most 1024 words";
    }
    request->words = malloc(frame->length);
    if (request->words == NULL) {
        return "out of memory";
    }
    memcpy(request->words, frame->bytes, frame->length);
    request->words_length = frame->length;
    return NULL;
}

/* Grows by what has come, and no faster: who sends little takes little. */
static const char *add_input(struct wire_request *request, const struct wire_frame *frame)
{
    if (request->words == NULL) {
        return "the words of a request come before its input";
    }
    if (frame->length > WIRE_INPUT_BYTES - request->input_length) {
        return "the input of a request has at most 1 MiB";
    }
    char *larger = realloc(request->input, request->input_length + frame->length);
    if (larger == NULL) {
        return "out of memory";
    }
    memcpy(larger + request->input_length, frame->bytes, frame->length);
    request->input = larger;
    request->input_length += frame->length;
    return NULL;
}

const char *wire_request_add(struct wire_request *request, const struct wire_frame *frame)
{
    switch (frame->kind) {
    case WIRE_WORDS:
        return add_words(request, frame);
    case WIRE_INPUT:
        return add_input(request, frame);
    default:
        request->complete = request->words != NULL;
        return request->complete ? NULL : "a request needs words";
    }
}

char **wire_request_list(const struct wire_request *request)
{
    char **list = calloc(request->word_count + 1, sizeof(*list));
    char *at = request->words;

    for (size_t i = 0; list != NULL && i < request->word_count; i++) {
        list[i] = at;
        at += strlen(at) + 1;
    }
    return list;
}

void wire_request_release(struct wire_request *request)
{
    free(request->words);
    free(request->input);
    *request = (struct wire_request){0};
}
