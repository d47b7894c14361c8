/* SPDX-License-Identifier: MIT */
/*
 * Unpacks gzip and zstd data piece by piece, for what reads logs. libzstd is optional: without it a
 * file of zstd is known as such, and reported as one that cannot be read.
 */
#include "tools/review/unpack.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#ifdef HAVE_ZSTD
#include <zstd.h>
#include <zstd_errors.h>
#endif

#include "base/alloc.h"

enum unpack_kind unpack_kind(const char *bytes, size_t length)
{
    /* RFC 1952, section 2.3.1; RFC 8878, sections 3.1.1 and 3.1.2. JSON begins with none of them.
     */
    if (length >= 2 && memcmp(bytes, "\x1F\x8B", 2) == 0) {
        return UNPACK_GZIP;
    }
    if (length >= UNPACK_MAGIC &&
        (memcmp(bytes, "\x28\xB5\x2F\xFD", 4) == 0 ||
         (((unsigned char)bytes[0] & 0xF0) == 0x50 && memcmp(bytes + 1, "\x2A\x4D\x18", 3) == 0))) {
        return UNPACK_ZSTD;
    }
    return UNPACK_PLAIN;
}

/* ---- gzip ------------------------------------------------------------------------------------*/

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

static bool gzip_begin(struct unpack *unpack, size_t length)
{
    /* Added to windowBits, makes inflateInit2() accept gzip alone, not zlib's own format
     * (zlib.h). */
    enum { GZIP_ONLY = 16 };

    unpack->stream = (z_stream){.zalloc = gzip_alloc,
                                .zfree = gzip_free,
                                .next_in = unpack->input,
                                .avail_in = (unsigned)length};
    return inflateInit2(&unpack->stream, MAX_WBITS + GZIP_ONLY) == Z_OK;
}

/* inflateReset() makes ready for another member behind this one; whole stays true until its first
 * byte is unpacked. */
static enum unpack_result gzip_step(struct unpack *unpack, char *out, size_t room,
                                    size_t *ret_length, const char **ret_fault)
{
    z_stream *stream = &unpack->stream;
    bool behind = unpack->whole; /* of a member; another may follow */

    stream->next_out = (unsigned char *)out;
    stream->avail_out = (unsigned)room;
    /* Z_BUF_ERROR only means that there was no input or no room: it is not damage. */
    int result = inflate(stream, Z_NO_FLUSH);
    *ret_length = room - stream->avail_out;
    unpack->whole = result == Z_STREAM_END;
    if (result == Z_MEM_ERROR || (unpack->whole && inflateReset(stream) != Z_OK)) {
        return UNPACK_NO_MEMORY;
    }
    /* Damage behind something that came out: zlib gives it again. */
    if ((result == Z_DATA_ERROR || result == Z_NEED_DICT) && *ret_length == 0) {
        *ret_fault = behind                ? "bytes behind the end of the packed data"
                     : stream->msg != NULL ? stream->msg
                                           : "no packed data";
        return UNPACK_DAMAGED;
    }
    return UNPACK_MORE;
}

/* ---- zstd ------------------------------------------------------------------------------------*/

#ifdef HAVE_ZSTD

/* Its memory is its own: base/alloc.h could only be asked by an interface that is not stable.
 * How much a file can make it take is limited as for `zstd -d`: a window of 128 MiB, which only
 * --ultra or --long ask for. */
static bool zstd_begin(struct unpack *unpack)
{
    enum { WINDOW_LOG = 27 };

    unpack->zstd = ZSTD_createDCtx();
    return unpack->zstd != NULL &&
           ZSTD_isError(ZSTD_DCtx_setParameter(unpack->zstd, ZSTD_d_windowLogMax, WINDOW_LOG)) == 0;
}

/* 0 is the end of a frame; another may follow. It has given out all before it reports an error, and
 * reports it again. */
static enum unpack_result zstd_step(struct unpack *unpack, char *out, size_t room,
                                    size_t *ret_length, const char **ret_fault)
{
    ZSTD_inBuffer from = {unpack->input, unpack->input_end, unpack->input_at};
    ZSTD_outBuffer to = {out, room, 0};
    bool behind = unpack->whole;

    size_t result = ZSTD_decompressStream(unpack->zstd, &to, &from);
    unpack->input_at = from.pos;
    *ret_length = to.pos;
    if (ZSTD_isError(result) == 0) {
        unpack->whole = result == 0;
        unpack->full = result != 0 && to.pos == room;
        return UNPACK_MORE;
    }
    if (ZSTD_getErrorCode(result) == ZSTD_error_memory_allocation) {
        return UNPACK_NO_MEMORY;
    }
    bool magic = ZSTD_getErrorCode(result) == ZSTD_error_prefix_unknown;
    *ret_fault =
        behind && magic ? "bytes behind the end of the packed data" : ZSTD_getErrorName(result);
    return UNPACK_DAMAGED;
}

static void zstd_end(struct unpack *unpack)
{
    ZSTD_freeDCtx(unpack->zstd);
}

#else

static bool zstd_begin(struct unpack *unpack)
{
    (void)unpack;
    return true;
}

static enum unpack_result zstd_step(struct unpack *unpack, char *out, size_t room,
                                    size_t *ret_length, const char **ret_fault)
{
    (void)unpack;
    (void)out;
    (void)room;
    *ret_length = 0;
    *ret_fault = "it is packed with zstd, for which this miguard was not built";
    return UNPACK_DAMAGED;
}

static void zstd_end(struct unpack *unpack)
{
    (void)unpack;
}

#endif

/* ---- both ------------------------------------------------------------------------------------*/

/* input is what unpack_close() goes by. */
bool unpack_open(struct unpack *unpack, enum unpack_kind kind, const char *bytes, size_t length,
                 size_t size)
{
    *unpack = (struct unpack){.kind = kind, .input = base_alloc(1, size), .input_end = length};
    if (unpack->input == NULL) {
        return false;
    }
    memcpy(unpack->input, bytes, length);
    if (kind == UNPACK_ZSTD ? zstd_begin(unpack) : gzip_begin(unpack, length)) {
        return true;
    }
    zstd_end(unpack);
    base_free(unpack->input);
    *unpack = (struct unpack){0};
    return false;
}

/* inflateEnd() frees through gzip_free(). */
void unpack_close(struct unpack *unpack)
{
    if (unpack->input == NULL) {
        return;
    }
    if (unpack->kind == UNPACK_ZSTD) {
        zstd_end(unpack);
    } else {
        inflateEnd(&unpack->stream);
    }
    base_free(unpack->input);
    *unpack = (struct unpack){0};
}

/* zlib ends a member only when it has given out all, and keeps some input until then; zstd takes
 * its input first. */
bool unpack_is_empty(const struct unpack *unpack)
{
    return unpack->kind == UNPACK_ZSTD ? unpack->input_at == unpack->input_end && !unpack->full
                                       : unpack->stream.avail_in == 0;
}

/* The end of the file is right only between two members or frames: anywhere else the data were
 * cut. */
enum unpack_result unpack_feed(struct unpack *unpack, size_t length, const char **ret_fault)
{
    unpack->input_at = 0;
    unpack->input_end = length;
    unpack->stream.next_in = unpack->input;
    unpack->stream.avail_in = (unsigned)length;
    if (length > 0) {
        return UNPACK_MORE;
    }
    if (unpack->whole) {
        return UNPACK_END;
    }
    *ret_fault = "the packed data end too early";
    return UNPACK_DAMAGED;
}

enum unpack_result unpack_step(struct unpack *unpack, char *out, size_t room, size_t *ret_length,
                               const char **ret_fault)
{
    return unpack->kind == UNPACK_ZSTD ? zstd_step(unpack, out, room, ret_length, ret_fault)
                                       : gzip_step(unpack, out, room, ret_length, ret_fault);
}

/* ---- a file ----------------------------------------------------------------------------------*/

enum { CHUNK = 64 * 1024 };

bool unpack_file_open(struct unpack_file *file, int fd, enum unpack_kind kind)
{
    *file = (struct unpack_file){.fd = fd, .end = UNPACK_MORE};
    return unpack_open(&file->unpack, kind, "", 0, CHUNK);
}

void unpack_file_close(struct unpack_file *file)
{
    unpack_close(&file->unpack);
}

/* More input. 0: the end, or damage. */
static ssize_t feed_file(struct unpack_file *file)
{
    ssize_t got;

    do {
        got = read(file->fd, file->unpack.input, CHUNK);
    } while (got < 0 && errno == EINTR);
    if (got >= 0) {
        file->end = unpack_feed(&file->unpack, (size_t)got, &file->fault);
    }
    return got;
}

ssize_t unpack_file_read(struct unpack_file *file, char *buffer, size_t size)
{
    size_t length = 0;

    while (length == 0 && file->end == UNPACK_MORE) {
        if (unpack_is_empty(&file->unpack) && feed_file(file) < 0) {
            return -1;
        }
        if (file->end == UNPACK_MORE) {
            file->end = unpack_step(&file->unpack, buffer, size, &length, &file->fault);
        }
    }
    if (length == 0 && file->end == UNPACK_NO_MEMORY) {
        errno = ENOMEM;
        return -1;
    }
    return (ssize_t)length;
}
