/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as what a client sends to `miguard serve`, in pieces whose sizes the first byte says.
 * The same bytes in one piece give the same requests, and nothing is larger than its limit.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cli/serve_wire.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
    if (!good) {
        abort();
    }
}

/* What reading gave, as a number that depends on every byte of it (FNV-1a). */
struct reading {
    uint64_t hash;
    unsigned requests;
    const char *wrong;
    bool bad;
};

static void mix(struct reading *reading, const void *bytes, size_t length)
{
    const unsigned char *at = bytes;

    for (size_t i = 0; i < length; i++) {
        reading->hash = (reading->hash ^ at[i]) * UINT64_C(0x100000001B3);
    }
}

static void take_request(struct reading *reading, struct wire_request *request)
{
    char **words = wire_request_list(request);
    size_t length = 0;

    must(words != NULL && request->word_count > 0 && request->word_count <= WIRE_MAX_WORDS);
    must(request->input_length <= WIRE_INPUT_BYTES && request->words_length <= WIRE_FRAME_BYTES);
    for (size_t i = 0; i < request->word_count; i++) {
        length += strlen(words[i]) + 1;
        mix(reading, words[i], strlen(words[i]) + 1);
    }
    must(length == request->words_length && words[request->word_count] == NULL);
    mix(reading, request->input, request->input_length);
    free(words);
    wire_request_release(request);
    reading->requests++;
}

static struct reading read_pieces(const uint8_t *data, size_t size, size_t piece)
{
    static struct wire_frame frame;
    struct wire_request request = {0};
    struct reading reading = {.hash = 1};
    size_t at = 0;

    memset(&frame, 0, sizeof(frame));
    while (at < size && reading.wrong == NULL && !reading.bad) {
        size_t used = 0, length = size - at < piece ? size - at : piece;
        enum wire_step step = wire_take(&frame, "WIR", data + at, length, &used);
        reading.bad = step == WIRE_BAD;
        must(reading.bad || (used > 0 && used <= length));
        at += used;
        if (step == WIRE_FRAME) {
            must(frame.length <= WIRE_FRAME_BYTES && frame.got == frame.length);
            reading.wrong = wire_request_add(&request, &frame);
        }
        if (request.complete) {
            take_request(&reading, &request);
        }
    }
    wire_request_release(&request);
    return reading;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct reading whole = read_pieces(data + 1, size - 1, size);
    struct reading pieces = read_pieces(data + 1, size - 1, (size_t)data[0] + 1);
    must(whole.hash == pieces.hash && whole.requests == pieces.requests &&
         whole.wrong == pieces.wrong && whole.bad == pieces.bad);
    return 0;
}
