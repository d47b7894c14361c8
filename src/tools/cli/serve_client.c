/* SPDX-License-Identifier: MIT */
/*
 * One client of `miguard serve`: its requests, one after the other, on a thread of its own.
 *
 * The thread reads a request (read_request()), becomes the peer that the socket shows
 * (miguard_switch_to()), makes the request as run_ask() does for the command, and switches back. A
 * peer whose identity the thread cannot take on is refused: it is never served as another.
 *
 * Nothing grows with what a client does. A request has a limit and a time; the answer is sent as it
 * comes, and who does not take it keeps this thread, and so the provider, from making more, until a
 * time after which the connection is closed. What is sent during a request waits in the socket.
 */
#include "tools/cli/serve_client.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "miguard/switch.h"
#include "tools/cli/run_ask.h"
#include "tools/cli/run_request.h"
#include "tools/cli/serve_wire.h"

enum { CHUNK = 16384, ANSWER_BUFFER = 32768 };

struct serve_client {
    struct serve *serve;
    int fd;
    uid_t uid;
    struct miguard_target *target; /* NULL until it is known */
    bool broken;                   /* nothing can be sent any more; its own thread's */
    bool subscribed;               /* under the lock of serve */
    unsigned char chunk[CHUNK];
    size_t chunk_at, chunk_length; /* what was received and not read yet */
    struct wire_frame frame;
    struct serve_client *next;
};

/* ---- sending ----------------------------------------------------------------------------------
 */

/* All of it, or the connection is over: the other half ends the request that runs (run_watch.c). */
static bool send_all(struct serve_client *client, const void *bytes, size_t length)
{
    const char *at = bytes;

    while (length > 0 && !client->broken) {
        ssize_t sent = send(client->fd, at, length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent <= 0) {
            client->broken = true;
            (void)shutdown(client->fd, SHUT_RDWR);
            return false;
        }
        at += sent;
        length -= (size_t)sent;
    }
    return !client->broken;
}

static bool send_frame(struct serve_client *client, enum wire_kind kind, const void *bytes,
                       size_t length)
{
    unsigned char head[WIRE_HEAD_BYTES];

    wire_head(kind, length, head);
    return send_all(client, head, sizeof(head)) && send_all(client, bytes, length);
}

/* A stream whose bytes become frames. */
struct answer_stream {
    struct serve_client *client;
    enum wire_kind kind;
};

static ssize_t write_frames(void *cookie, const char *bytes, size_t length)
{
    struct answer_stream *stream = cookie;

    for (size_t at = 0, piece; at < length; at += piece) {
        piece = length - at < WIRE_FRAME_BYTES ? length - at : WIRE_FRAME_BYTES;
        if (!send_frame(stream->client, stream->kind, bytes + at, piece)) {
            return 0; /* fopencookie(3): an error */
        }
    }
    return (ssize_t)length;
}

static FILE *open_stream(struct answer_stream *stream)
{
    static const cookie_io_functions_t functions = {.write = write_frames};
    FILE *file = fopencookie(stream, "w", functions);

    if (file != NULL) {
        (void)setvbuf(file, NULL, _IOFBF, ANSWER_BUFFER);
    }
    return file;
}

static void send_exit(struct serve_client *client, int status)
{
    unsigned char byte = (unsigned char)status;

    (void)send_frame(client, WIRE_EXIT, &byte, 1);
}

/* What a client gets that is not served, in the form of an answer. */
static void send_refusal(struct serve_client *client, int status, const char *text)
{
    char line[256];
    int length = snprintf(line, sizeof(line), "miguard: %s\n", text);

    (void)send_frame(client, WIRE_ERRORS, line, (size_t)length);
    send_exit(client, status);
}

/* ---- receiving --------------------------------------------------------------------------------
 */

enum receiving { RECEIVED, CLIENT_ENDED, SERVER_ENDS, TOO_LATE, DESCRIPTORS };

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* No room for descriptors is given, so that the kernel closes what is passed; it says so. */
static enum receiving receive_chunk(struct serve_client *client)
{
    struct iovec space = {client->chunk, sizeof(client->chunk)};
    struct msghdr message = {.msg_iov = &space, .msg_iovlen = 1};
    ssize_t got = recvmsg(client->fd, &message, MSG_DONTWAIT);

    if (got > 0) {
        client->chunk_at = 0;
        client->chunk_length = (size_t)got;
        return (message.msg_flags & MSG_CTRUNC) != 0 ? DESCRIPTORS : RECEIVED;
    }
    return got < 0 && (errno == EAGAIN || errno == EINTR) ? RECEIVED : CLIENT_ENDED;
}

/* Waits for bytes until the deadline. */
static enum receiving wait_for_bytes(struct serve_client *client, int64_t deadline)
{
    struct pollfd events[] = {{.fd = client->fd, .events = POLLIN},
                              {.fd = client->serve->drain, .events = POLLIN}};
    int64_t left = deadline - now_ms();

    if (left <= 0) {
        return TOO_LATE;
    }
    if (poll(events, 2, left > INT32_MAX ? INT32_MAX : (int)left) < 0 && errno != EINTR) {
        return CLIENT_ENDED;
    }
    if (events[1].revents != 0) {
        return SERVER_ENDS;
    }
    return events[0].revents != 0 ? receive_chunk(client) : RECEIVED;
}

/* Reads frames from what has come. NULL, or what is wrong. */
static const char *read_chunk(struct serve_client *client, struct wire_request *request)
{
    static const char kinds[] = {WIRE_WORDS, WIRE_INPUT, WIRE_RUN, '\0'};

    while (client->chunk_at < client->chunk_length && !request->complete) {
        size_t used = 0;
        enum wire_step step = wire_take(&client->frame, kinds, client->chunk + client->chunk_at,
                                        client->chunk_length - client->chunk_at, &used);
        client->chunk_at += used;
        const char *wrong = step == WIRE_BAD     ? "no frame of a request, or one that is too long"
                            : step == WIRE_FRAME ? wire_request_add(request, &client->frame)
                                                 : NULL;
        if (wrong != NULL) {
            return wrong;
        }
    }
    return NULL;
}

/* A whole request. False: the connection is over, after the reason was sent where there is one. */
static bool read_request(struct serve_client *client, struct wire_request *request)
{
    const char *wrong = NULL;
    enum receiving result = RECEIVED;
    int64_t deadline = now_ms() + (int64_t)client->serve->idle_seconds * 1000;
    bool begun = false;

    while (result == RECEIVED && wrong == NULL && !request->complete) {
        if (!begun && client->chunk_at < client->chunk_length) {
            begun = true;
            deadline = now_ms() + SERVE_REQUEST_SECONDS * 1000;
        }
        wrong = read_chunk(client, request);
        if (wrong == NULL && !request->complete) {
            result = wait_for_bytes(client, deadline);
        }
    }
    wrong = result == TOO_LATE      ? begun ? "the request did not come in time" : "no request came"
            : result == DESCRIPTORS ? "descriptors are not taken"
            : result == SERVER_ENDS ? "the server ends"
                                    : wrong;
    if (wrong != NULL) {
        send_refusal(client, result == SERVER_ENDS ? CLI_UNABLE : CLI_USAGE, wrong);
    }
    return result == RECEIVED && wrong == NULL;
}

/* ---- a request --------------------------------------------------------------------------------
 */

/* A subscription has no end of its own, and the server's end is one. */
static void set_subscribed(struct serve_client *client, bool subscribed)
{
    pthread_mutex_lock(&client->serve->lock);
    client->subscribed = subscribed;
    if (subscribed && client->serve->draining) {
        (void)shutdown(client->fd, SHUT_RD);
    }
    pthread_mutex_unlock(&client->serve->lock);
}

/* As the client: reads the words, makes the request and prints the answer. */
static int make_request(struct serve_client *client, const struct wire_request *received,
                        MI_Session *session, FILE *out, FILE *err)
{
    struct run_request request = {.hosting = RUN_HOSTING_INIT,
                                  .out = out,
                                  .err = err,
                                  .given = received->input,
                                  .given_length = received->input_length};
    const struct run_until until = {{.fd = client->fd, .events = POLLRDHUP}, 0};
    char **words = wire_request_list(received);

    if (words == NULL) {
        return complain(CLI_UNABLE, "out of memory");
    }
    int status = run_request_serve(words, (int)received->word_count, &request);
    if (status == CLI_YES) {
        struct run_until end = until;
        end.seconds = request.verb == RUN_SUBSCRIBE ? request.timeout : 0;
        set_subscribed(client, request.verb == RUN_SUBSCRIBE);
        status = run_ask(&request, session, &end);
        set_subscribed(client, false);
    }
    run_request_release(&request);
    free(words);
    return status;
}

/* The thread is the client from here to the end, or does nothing. Where the way back fails, it must
 * not serve any more. */
static int ask_as_client(struct serve_client *client, const struct wire_request *received,
                         FILE *out, FILE *err)
{
    MI_Session session = MI_SESSION_NULL;
    struct miguard_error error;

    if (miguard_host_session_for(client->serve->host, client->target, &session, &error) !=
        MIGUARD_OK) {
        return complain_error(CLI_UNABLE, "the session", &error);
    }
    int status = CLI_UNABLE;
    if (miguard_switch_to(client->target, &error) != MIGUARD_OK) {
        complain_error(CLI_UNABLE, "the server cannot take on your identity", &error);
    } else {
        status = make_request(client, received, &session, out, err);
        if (miguard_switch_back(&error) != MIGUARD_OK) {
            client->broken = true;
        }
    }
    MI_Session_Close(&session, NULL, NULL);
    return status;
}

static int answer(struct serve_client *client, const struct wire_request *received)
{
    struct answer_stream streams[] = {{client, WIRE_OUTPUT}, {client, WIRE_ERRORS}};
    FILE *out = open_stream(&streams[0]), *err = open_stream(&streams[1]);
    int status = CLI_UNABLE;

    if (out != NULL && err != NULL) {
        complain_on(err);
        status = ask_as_client(client, received, out, err);
        complain_on(NULL);
    }
    if (out != NULL) {
        fclose(out);
    }
    if (err != NULL) {
        fclose(err);
    }
    return status;
}

/* ---- the thread -------------------------------------------------------------------------------
 */

/* Closed under the lock: serve_drain() shuts descriptors down, and this number may be another's
 * afterwards. */
static void end_client(struct serve_client *client)
{
    struct serve *serve = client->serve;

    pthread_mutex_lock(&serve->lock);
    struct serve_client **link = &serve->clients;
    while (*link != client) {
        link = &(*link)->next;
    }
    *link = client->next;
    close(client->fd);
    miguard_target_free(client->target);
    free(client);
    serve->count--;
    pthread_cond_signal(&serve->changed);
    pthread_mutex_unlock(&serve->lock);
}

/* Whether the peer is known; else it has got the reason. */
static bool greet(struct serve_client *client)
{
    struct answer_stream stream = {client, WIRE_ERRORS};
    FILE *err = open_stream(&stream);
    int status = CLI_UNABLE;

    if (err != NULL) {
        complain_on(err);
        status = serve_peer(client->fd, &client->target);
        complain_on(NULL);
        fclose(err);
    }
    if (status != CLI_YES) {
        send_exit(client, status);
    }
    return status == CLI_YES &&
           send_frame(client, WIRE_HELLO, WIRE_GREETING, strlen(WIRE_GREETING));
}

static void *client_loop(void *data)
{
    struct serve_client *client = data;
    struct wire_request request = {0};

    bool going = greet(client);
    while (going) {
        going = read_request(client, &request);
        if (going) {
            int status = answer(client, &request);
            send_exit(client, status);
        }
        wire_request_release(&request);
        going = going && !client->broken;
    }
    end_client(client);
    return NULL;
}

/* All signals are blocked: they are the first thread's. */
static int start_thread(struct serve_client *client)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;

    int error = pthread_attr_init(&attributes);
    if (error != 0) {
        return error;
    }
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&thread, &attributes, client_loop, client);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error;
}

/* ---- accepting --------------------------------------------------------------------------------
 */

/* Under the lock. NULL, or why there is no place for another client of this user. */
static const char *no_place(const struct serve *serve, uid_t uid)
{
    uint64_t of_user = 0;

    for (const struct serve_client *at = serve->clients; at != NULL; at = at->next) {
        of_user += at->uid == uid;
    }
    return serve->draining                       ? "the server ends"
           : serve->count >= serve->most_clients ? "the server has too many clients"
           : of_user >= serve->most_of_user      ? "the server has too many clients of your user"
                                                 : NULL;
}

/* Without waiting: what does not fit into an empty socket is not sent. */
static void refuse(struct serve_client *client, const char *text)
{
    send_refusal(client, CLI_UNABLE, text);
    close(client->fd);
    free(client);
}

static struct serve_client *new_client(struct serve *serve, int fd)
{
    struct serve_client *client = calloc(1, sizeof(*client));
    const struct timeval patience = {.tv_sec = SERVE_SEND_SECONDS};
    struct ucred peer = {0};
    socklen_t size = sizeof(peer);

    if (client == NULL || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) != 0) {
        free(client);
        return NULL;
    }
    client->serve = serve;
    client->fd = fd;
    client->uid = peer.uid;
    return client;
}

void serve_client_accept(struct serve *serve, int fd)
{
    struct serve_client *client = new_client(serve, fd);

    if (client == NULL) {
        close(fd);
        return;
    }
    pthread_mutex_lock(&serve->lock);
    const char *reason = no_place(serve, client->uid);
    if (reason == NULL) {
        client->next = serve->clients;
        serve->clients = client;
        serve->count++;
    }
    pthread_mutex_unlock(&serve->lock);
    if (reason != NULL) {
        refuse(client, reason);
    } else if (start_thread(client) != 0) {
        end_client(client);
    }
}

/* ---- all of them ------------------------------------------------------------------------------
 */

int serve_new(struct serve *ret_serve)
{
    pthread_condattr_t attributes;

    ret_serve->drain = eventfd(0, EFD_CLOEXEC);
    if (ret_serve->drain < 0) {
        return complain(CLI_UNABLE, "eventfd: %s", strerror(errno));
    }
    pthread_mutex_init(&ret_serve->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&ret_serve->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    return CLI_YES;
}

/* Under the lock: whether all have ended within this many seconds. */
static bool await_end(struct serve *serve, uint64_t seconds)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)seconds;
    while (serve->count > 0) {
        if (pthread_cond_timedwait(&serve->changed, &serve->lock, &until) == ETIMEDOUT) {
            break;
        }
    }
    return serve->count == 0;
}

bool serve_drain(struct serve *serve)
{
    enum { LAST_SECONDS = 20 }; /* for what was cancelled */

    (void)eventfd_write(serve->drain, 1);
    pthread_mutex_lock(&serve->lock);
    serve->draining = true;
    for (struct serve_client *at = serve->clients; at != NULL; at = at->next) {
        if (at->subscribed) {
            (void)shutdown(at->fd, SHUT_RD);
        }
    }
    bool ended = await_end(serve, serve->drain_seconds);
    for (struct serve_client *at = serve->clients; at != NULL; at = at->next) {
        (void)shutdown(at->fd, SHUT_RDWR);
    }
    ended = ended || await_end(serve, LAST_SECONDS);
    pthread_mutex_unlock(&serve->lock);
    return ended;
}
