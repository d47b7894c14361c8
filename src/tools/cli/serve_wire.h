/* SPDX-License-Identifier: MIT */
/*
 * What goes over the socket of `miguard serve` (miguard-serve(1), PROTOCOL): frames of one byte of
 * kind, four of length with the highest first, and as many bytes.
 *
 * No frame is larger than WIRE_FRAME_BYTES, in either direction, and a request not larger than its
 * words and its input may be, so that a peer can take no more memory than that.
 */
#ifndef TOOLS_CLI_SERVE_WIRE_H
#define TOOLS_CLI_SERVE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_GREETING "miguard-serve 1"

enum {
    WIRE_HEAD_BYTES = 5,
    WIRE_FRAME_BYTES = 65536,
    WIRE_MAX_WORDS = 1024,
    WIRE_INPUT_BYTES = 1 << 20,
};

enum wire_kind {
    WIRE_WORDS = 'W',  /* client: the words of the request, each with a NUL behind it */
    WIRE_INPUT = 'I',  /* client: a piece of what --input - reads */
    WIRE_RUN = 'R',    /* client: the request is complete; empty */
    WIRE_HELLO = 'M',  /* server: WIRE_GREETING */
    WIRE_OUTPUT = 'O', /* server: a piece of the answer */
    WIRE_ERRORS = 'E', /* server: a piece of what is to stand on stderr */
    WIRE_EXIT = 'X',   /* server: the exit status, one byte; the answer is complete */
};

/* Writes the head of a frame. length is at most WIRE_FRAME_BYTES. */
void wire_head(enum wire_kind kind, size_t length, unsigned char head[WIRE_HEAD_BYTES]);

/* ---- reading frames, of either side --------------------------------------------------------- */

/* One frame, as far as it has come. */
struct wire_frame {
    unsigned char head[WIRE_HEAD_BYTES];
    size_t head_got, got, length;
    unsigned char kind;
    unsigned char bytes[WIRE_FRAME_BYTES];
};

enum wire_step { WIRE_MORE, WIRE_FRAME, WIRE_BAD };

/* Takes bytes, *ret_used of them. FRAME: one is complete, and the next call begins another. BAD:
 * the kind is not in kinds, or the length is not possible; nothing more can be read. */
enum wire_step wire_take(struct wire_frame *frame, const char *kinds, const void *bytes,
                         size_t length, size_t *ret_used);

/* ---- a request ------------------------------------------------------------------------------ */

/* One request, as far as it has come. Zeroed: empty. */
struct wire_request {
    char *words; /* on the heap */
    size_t words_length, word_count;
    char *input; /* on the heap; NULL: no input */
    size_t input_length;
    bool complete;
};

/* Adds a frame. NULL, or what is wrong with it. */
const char *wire_request_add(struct wire_request *request, const struct wire_frame *frame);

/* The words as a list on the heap, which points into the request. NULL out of memory. */
char **wire_request_list(const struct wire_request *request);

/* Frees and zeroes it. */
void wire_request_release(struct wire_request *request);

#endif
