/* SPDX-License-Identifier: MIT */
/* Unpacks gzip data piece by piece, for read.c and verify_lines.c. */
#include "tools/review/gzip.h"

#include <string.h>

#include "base/alloc.h"

/* zlib's memory comes from base/alloc.h as well, so that a test can make it fail. context is
 * unused: there is one heap. */
static void *gzip_alloc(void *context, unsigned count, unsigned size)
{
    (void)context;
    return base_alloc(count, size);
}

/* The other half of gzip_alloc(). */
static void gzip_free(void *context, void *block)
{
    (void)context;
    base_free(block);
}

/* The two bytes of RFC 1952, section 2.3.1. JSON cannot begin with 1F. */
bool gzip_is_packed(const char *bytes, size_t length)
{
    return length >= 2 && memcmp(bytes, "\x1F\x8B", 2) == 0;
}

/* gzip->input is only set when all went well: gzip_close() goes by it. */
bool gzip_open(struct gzip *gzip, const char *bytes, size_t length, size_t size)
{
    /* Added to windowBits, makes inflateInit2() accept gzip alone, not zlib's own format
     * (zlib.h). */
    enum { GZIP_ONLY = 16 };

    *gzip = (struct gzip){.stream = {.zalloc = gzip_alloc, .zfree = gzip_free}};
    gzip->input = base_alloc(1, size);
    if (gzip->input == NULL) {
        return false;
    }
    if (inflateInit2(&gzip->stream, MAX_WBITS + GZIP_ONLY) != Z_OK) {
        base_free(gzip->input);
        gzip->input = NULL;
        return false;
    }
    memcpy(gzip->input, bytes, length);
    gzip->stream.next_in = gzip->input;
    gzip->stream.avail_in = (unsigned)length;
    return true;
}

/* inflateEnd() frees through gzip_free(). */
void gzip_close(struct gzip *gzip)
{
    if (gzip->input != NULL) {
        inflateEnd(&gzip->stream);
        base_free(gzip->input);
        gzip->input = NULL;
    }
}

/* zlib has used up its input; it may still hold output, which the next gzip_unpack() gives. */
bool gzip_is_empty(const struct gzip *gzip)
{
    return gzip->stream.avail_in == 0;
}

/* The end of the file is right only between two members (RFC 1952, section 2.2): anywhere else the
 * data were cut. */
enum gzip_result gzip_feed(struct gzip *gzip, size_t length, const char **ret_fault)
{
    gzip->stream.next_in = gzip->input;
    gzip->stream.avail_in = (unsigned)length;
    if (length > 0) {
        return GZIP_MORE;
    }
    if (gzip->whole) {
        return GZIP_END;
    }
    *ret_fault = "the packed data end too early";
    return GZIP_DAMAGED;
}

/* inflateReset() makes ready for another member behind this one; whole stays true until its first
 * byte is unpacked. */
enum gzip_result gzip_unpack(struct gzip *gzip, char *out, size_t room, size_t *ret_length,
                             const char **ret_fault)
{
    z_stream *stream = &gzip->stream;
    bool behind = gzip->whole; /* of a member; another may follow */

    stream->next_out = (unsigned char *)out;
    stream->avail_out = (unsigned)room;
    /* Z_BUF_ERROR only means that there was no input or no room: it is not damage. */
    int result = inflate(stream, Z_NO_FLUSH);
    *ret_length = room - stream->avail_out;
    gzip->whole = result == Z_STREAM_END;
    if (result == Z_MEM_ERROR || (gzip->whole && inflateReset(stream) != Z_OK)) {
        return GZIP_NO_MEMORY;
    }
    /* Damage behind something that came out: zlib gives it again. */
    if ((result == Z_DATA_ERROR || result == Z_NEED_DICT) && *ret_length == 0) {
        *ret_fault = behind                ? "bytes behind the end of the packed data"
                     : stream->msg != NULL ? stream->msg
                                           : "no packed data";
        return GZIP_DAMAGED;
    }
    return GZIP_MORE;
}
