/* SPDX-License-Identifier: MIT */
/*
 * The client of `miguard serve`: sends the words of a request, and prints the frames that come.
 *
 * The server is not trusted more than a provider: what it sends passes print_safe(), frames have
 * the limits of serve_wire.h, and only a server of root or of this user gets a request, since
 * another one may have made a socket of that name. SIGINT ends a request in order: the client
 * stops sending, and the server answers with the end.
 */
#include "tools/cli/run_connect.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/utf8.h"
#include "tools/cli/serve_wire.h"

enum { CHUNK = 16384 };

struct run_connection {
    int fd;
    char chunk[CHUNK];
    size_t at, length; /* what was received and not read yet */
    struct wire_frame frame;
};

/* ---- connecting -------------------------------------------------------------------------------
 */

static int check_server(const char *path, int fd)
{
    struct ucred server = {0};
    socklen_t size = sizeof(server);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &server, &size) != 0) {
        return complain(CLI_UNABLE, "%s: %s", path, strerror(errno));
    }
    return server.uid == 0 || server.uid == geteuid()
               ? CLI_YES
               : complain(CLI_UNABLE,
                          "%s: its server runs as uid %u, which is neither root nor you", path,
                          (unsigned)server.uid);
}

static int open_socket(const char *path, int *ret_fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = -1, status = CLI_YES;

    if (strlen(path) >= sizeof(address.sun_path)) {
        return complain(CLI_USAGE, "%s: the path of a socket has at most %zu bytes", path,
                        sizeof(address.sun_path) - 1);
    }
    strcpy(address.sun_path, path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        status = complain(CLI_UNABLE, "%s: %s", path, strerror(errno));
    } else {
        status = check_server(path, fd);
    }
    if (status != CLI_YES && fd >= 0) {
        close(fd);
    }
    *ret_fd = fd;
    return status;
}

/* ---- receiving --------------------------------------------------------------------------------
 */

static const char from_server[] = {WIRE_HELLO, WIRE_OUTPUT, WIRE_ERRORS, WIRE_EXIT, '\0'};

static int lost(void)
{
    return complain(CLI_UNABLE, "the server ended the connection");
}

/* More bytes. end is a descriptor of signals that end the request, or -1; once is enough. */
static int receive(struct run_connection *connection, int *end)
{
    struct pollfd events[] = {{.fd = connection->fd, .events = POLLIN},
                              {.fd = *end, .events = POLLIN}};

    if (poll(events, 2, -1) < 0) {
        return errno == EINTR ? CLI_YES : complain(CLI_UNABLE, "poll: %s", strerror(errno));
    }
    if (events[1].revents != 0) {
        (void)shutdown(connection->fd, SHUT_WR);
        *end = -1;
    }
    if (events[0].revents == 0) {
        return CLI_YES;
    }
    ssize_t got = recv(connection->fd, connection->chunk, sizeof(connection->chunk), 0);
    if (got <= 0) {
        return got < 0 && errno == EINTR ? CLI_YES : lost();
    }
    connection->at = 0;
    connection->length = (size_t)got;
    return CLI_YES;
}

/* The next frame. */
static int read_frame(struct run_connection *connection, int *end)
{
    for (;;) {
        size_t used = 0;
        enum wire_step step =
            connection->at == connection->length
                ? WIRE_MORE
                : wire_take(&connection->frame, from_server, connection->chunk + connection->at,
                            connection->length - connection->at, &used);
        connection->at += used;
        if (step == WIRE_FRAME) {
            return CLI_YES;
        }
        if (step == WIRE_BAD) {
            return complain(CLI_UNABLE, "what the server sends is no frame");
        }
        int status = connection->at == connection->length ? receive(connection, end) : CLI_YES;
        if (status != CLI_YES) {
            return status;
        }
    }
}

/* ---- printing ---------------------------------------------------------------------------------
 */

/* What has come for one stream: a character may be cut at the end of a frame. */
struct shown {
    FILE *stream;
    char rest[UTF8_MAX + 1];
    size_t rest_length;
};

/* How many bytes at the end may be the beginning of a character that is not complete. */
static size_t open_end(const char *bytes, size_t length)
{
    for (size_t back = 1; back < UTF8_MAX && back <= length; back++) {
        unsigned char c = (unsigned char)bytes[length - back];
        if ((c & 0xC0) == 0x80) {
            continue;
        }
        size_t wanted = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC0 ? 2 : 1;
        return wanted > back ? back : 0;
    }
    return 0;
}

/* Line by line, since a line break is what print_safe() would not print as one. text is changed. */
static void print_lines(FILE *stream, char *text, size_t length)
{
    char *end = text + length;

    for (char *at = text; at < end; at++) {
        char *line = at;
        while (at < end && *at != '\n') {
            *at = *at == '\0' ? '?' : *at;
            at++;
        }
        bool whole = at < end;
        *at = '\0';
        print_safe(stream, line, false);
        if (whole) {
            fputc('\n', stream);
        }
    }
}

static int print_frame(struct shown *shown, const struct wire_frame *frame)
{
    size_t length = shown->rest_length + frame->length;
    char *text = malloc(length + 1);

    if (text == NULL) {
        return complain(CLI_UNABLE, "out of memory");
    }
    memcpy(text, shown->rest, shown->rest_length);
    memcpy(text + shown->rest_length, frame->bytes, frame->length);
    size_t cut = open_end(text, length);
    memcpy(shown->rest, text + length - cut, cut);
    shown->rest_length = cut;
    print_lines(shown->stream, text, length - cut);
    free(text);
    return fflush(shown->stream) == 0
               ? CLI_YES
               : complain(CLI_UNABLE, "the answer cannot be written: %s", strerror(errno));
}

/* A character that never was completed is no text; it is shown as such. */
static void print_rest(struct shown *shown)
{
    print_lines(shown->stream, shown->rest, shown->rest_length);
    shown->rest_length = 0;
}

static int print_answer(struct run_connection *connection, const struct run_request *request,
                        int end)
{
    struct shown out = {.stream = request->out}, err = {.stream = request->err};
    const struct wire_frame *frame = &connection->frame;
    int status = CLI_YES;

    while (status == CLI_YES) {
        status = read_frame(connection, &end);
        if (status != CLI_YES || frame->kind == WIRE_EXIT) {
            break;
        }
        status = frame->kind == WIRE_HELLO
                     ? complain(CLI_UNABLE, "what the server sends is no answer")
                     : print_frame(frame->kind == WIRE_OUTPUT ? &out : &err, frame);
    }
    print_rest(&out);
    print_rest(&err);
    if (status != CLI_YES) {
        return status;
    }
    return frame->bytes[0] <= CLI_UNABLE ? frame->bytes[0] : CLI_UNABLE;
}

/* The greeting, or why there is no service. */
static int read_greeting(struct run_connection *connection)
{
    struct shown err = {.stream = stderr};
    const struct wire_frame *frame = &connection->frame;
    int status = CLI_YES, none = -1;

    while (status == CLI_YES) {
        status = read_frame(connection, &none);
        if (status != CLI_YES || frame->kind != WIRE_ERRORS) {
            break;
        }
        status = print_frame(&err, frame);
    }
    if (status != CLI_YES || frame->kind == WIRE_EXIT) {
        return status != CLI_YES ? status : CLI_UNABLE;
    }
    return frame->kind == WIRE_HELLO && frame->length == strlen(WIRE_GREETING) &&
                   memcmp(frame->bytes, WIRE_GREETING, frame->length) == 0
               ? CLI_YES
               : complain(CLI_UNABLE, "this is no server of miguard serve, or a newer one");
}

int run_connect(const char *path, struct run_connection **ret_connection)
{
    struct run_connection *connection = calloc(1, sizeof(*connection));

    if (connection == NULL) {
        return complain(CLI_UNABLE, "out of memory");
    }
    int status = open_socket(path, &connection->fd);
    if (status != CLI_YES) {
        free(connection);
        return status;
    }
    status = read_greeting(connection);
    if (status != CLI_YES) {
        run_connection_close(connection);
        return status;
    }
    *ret_connection = connection;
    return CLI_YES;
}

void run_connection_close(struct run_connection *connection)
{
    if (connection != NULL) {
        close(connection->fd);
        free(connection);
    }
}

/* ---- sending ----------------------------------------------------------------------------------
 */

/* What cannot be sent is not reported here: the server may have said why before it ended. */
static bool send_bytes(int fd, const void *bytes, size_t length)
{
    const char *at = bytes;

    while (length > 0) {
        ssize_t sent = send(fd, at, length, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR) {
            return false;
        }
        at += sent > 0 ? sent : 0;
        length -= sent > 0 ? (size_t)sent : 0;
    }
    return true;
}

static bool send_frame(int fd, enum wire_kind kind, const void *bytes, size_t length)
{
    unsigned char head[WIRE_HEAD_BYTES];

    wire_head(kind, length, head);
    return send_bytes(fd, head, sizeof(head)) && send_bytes(fd, bytes, length);
}

static void send_input(int fd, const char *text, size_t length)
{
    bool good = true;

    for (size_t at = 0, piece; at < length && good; at += piece) {
        piece = length - at < WIRE_FRAME_BYTES ? length - at : WIRE_FRAME_BYTES;
        good = send_frame(fd, WIRE_INPUT, text + at, piece);
    }
}

/* Everything of the request, which is complete in memory first. */
static int send_request(int fd, const struct run_request *request)
{
    struct text words = TEXT_EMPTY;
    char *input = NULL;
    size_t length = 0;
    int status =
        request->input == NULL ? CLI_YES : run_input_bytes(request->input, &input, &length);

    if (status == CLI_YES && length > WIRE_INPUT_BYTES) {
        status = complain(CLI_USAGE, "%s: a server takes at most %d MiB", request->input,
                          WIRE_INPUT_BYTES >> 20);
    }
    if (status == CLI_YES && !run_request_words(request, &words)) {
        status = complain(CLI_UNABLE, "out of memory");
    }
    if (status == CLI_YES && words.length > WIRE_FRAME_BYTES) {
        status = complain(CLI_USAGE, "a server takes at most %d bytes of words", WIRE_FRAME_BYTES);
    }
    if (status == CLI_YES && send_frame(fd, WIRE_WORDS, words.data, words.length)) {
        send_input(fd, input, length);
        (void)send_frame(fd, WIRE_RUN, NULL, 0);
    }
    text_release(&words);
    free(input);
    return status;
}

int run_connection_ask(struct run_connection *connection, const struct run_request *request,
                       int end)
{
    int status = send_request(connection->fd, request);

    return status == CLI_YES ? print_answer(connection, request, end) : status;
}
