/* SPDX-License-Identifier: MIT */
/*
 * A host that closes what it does not know, as daemons do when they start, and then opens files or
 * takes clients under the same numbers. No record may get into one of these, none of them may be
 * closed or cut by the library, and the log goes on where it was. Where its folder cannot be opened
 * again, the call is denied.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/gateway.h"
#include "miguard.h"
#include "support/log.h"
#include "support/raw.h"
#include "support/stub_host.h"

enum { FIRST = 3, LAST = 700 }; /* with those that the library keeps, from 512 on */

/*
 * A directory that needs no descriptor. Records have names, which a thread of the library asks for,
 * and NSS opens what it likes under the lowest free numbers, for a moment, as it does for every
 * thread of the host that asks. On a busy machine that thread is still there when the host takes
 * the numbers here; nothing of it is a descriptor that the library keeps.
 */
int getpwuid_r(uid_t uid, struct passwd *entry, char *buffer, size_t size, struct passwd **found)
{
    (void)uid, (void)entry, (void)buffer, (void)size;
    *found = NULL;
    return 0;
}

int getgrgid_r(gid_t gid, struct group *entry, char *buffer, size_t size, struct group **found)
{
    (void)gid, (void)entry, (void)buffer, (void)size;
    *found = NULL;
    return 0;
}

static struct stub_host *host;
static MI_Context *context;
static MI_Session session;

static bool set_up(void)
{
    log_start();
    host = stub_host_new();
    return miguard_guard_context(&host->context, &context) == MI_RESULT_OK &&
           MI_Context_GetLocalSession(context, &session) == MI_RESULT_OK;
}

static void refuse_one(void)
{
    MI_Session forged = session;
    MI_Operation operation = MI_OPERATION_NULL;

    forged.reserved2 ^= 1;
    MI_Session_TestConnection(&forged, 0, NULL, &operation);
}

static bool is_free(int fd)
{
    return fcntl(fd, F_GETFD) < 0;
}

/* Everything from FIRST on belongs to the host from now on. */
static bool take_numbers(bool sockets, int kept)
{
    char path[] = "/tmp/miguard-victim-XXXXXX";
    int pair[2];
    int fd = mkstemp(path);

    (void)unlink(path);
    if (fd < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) != 0 ||
        dup2(fd, LAST + 1) < 0 || dup2(pair[0], LAST + 2) < 0 || dup2(pair[1], LAST + 3) < 0) {
        return false;
    }
    for (int number = FIRST; number <= LAST; number++) {
        if (number != kept && dup2(sockets ? LAST + 2 : LAST + 1, number) < 0) {
            return false;
        }
    }
    return true;
}

static bool nothing_came(void)
{
    struct stat status;
    char byte;

    return fstat(LAST + 1, &status) == 0 && status.st_size == 0 &&
           recv(LAST + 3, &byte, 1, MSG_DONTWAIT) < 0;
}

static bool all_are_there(void)
{
    for (int number = FIRST; number <= LAST; number++) {
        if (is_free(number)) {
            return false;
        }
    }
    return true;
}

struct row {
    bool sockets, as_somebody, ends;
};

/* Another log takes its place, and it is closed. */
static bool end_log(void)
{
    struct miguard_config config = MIGUARD_CONFIG_INIT;
    struct miguard_error error = {0};
    char path[512];

    MI_Context_PostResult(context, MI_RESULT_OK);
    snprintf(path, sizeof(path), "%s.other", log_path());
    config.audit_file = path;
    enum miguard_status status = miguard_configure(&config, &error);
    if (status != MIGUARD_OK) {
        printf("the log cannot be replaced: %s: %s\n", miguard_status_name(status), error.detail);
    }
    return status == MIGUARD_OK;
}

static bool lose_them(void *data)
{
    const struct row *row = data;

    if (!set_up()) {
        return false;
    }
    refuse_one();
    if (!take_numbers(row->sockets, -1)) {
        return false;
    }
    if (row->as_somebody) {
        (void)raw_setfsuid(12345);
    }
    for (int i = 0; i < 5; i++) {
        refuse_one();
    }
    (void)raw_setfsuid(geteuid());
    refuse_one();
    if (row->ends && !end_log()) {
        return false;
    }
    bool good = nothing_came() && all_are_there();
    long records = log_count("session-use", "handle-forged");
    if (!good || records < (row->as_somebody ? 2 : 7)) {
        printf("sockets %d, as somebody %d: %ld records, %s\n", row->sockets, row->as_somebody,
               records, good ? "nothing touched" : "the host's were touched");
        return false;
    }
    return true;
}

/* _i: sockets or a file; under the host's identity or another; and the log is closed at the end. */
START_TEST(the_hosts_descriptors_are_left_alone)
{
    struct row row = {(_i & 1) != 0, (_i & 2) != 0, (_i & 4) != 0};

    if (row.as_somebody && geteuid() != 0) {
        printf("skip: another identity: needs root\n");
        return;
    }
    ck_assert(raw_in_child(lose_them, &row));
}
END_TEST

static bool lose_folder(void *data)
{
    char command[512];
    unsigned long reached;
    MI_Operation operation = MI_OPERATION_NULL;
    (void)data;

    if (!set_up()) {
        return false;
    }
    if (!take_numbers(false, -1)) {
        return false;
    }
    snprintf(command, sizeof(command), "chmod 777 \"$(dirname '%s')\"", log_path());
    MI_Context *fresh = NULL;
    MI_Session none;
    struct stub_host *other = stub_host_new();
    if (system(command) != 0 || miguard_guard_context(&other->context, &fresh) != MI_RESULT_OK) {
        return false;
    }
    MI_Result result = MI_Context_GetLocalSession(fresh, &none); /* which must be recorded */
    reached = atomic_load(&host->reached);
    MI_Session_TestConnection(&session, 0, NULL, &operation);
    return result == MI_RESULT_ACCESS_DENIED && nothing_came() && all_are_there() &&
           atomic_load(&host->reached) == reached + 1; /* that needs no record */
}

START_TEST(a_folder_that_others_can_write_is_not_opened_again)
{
    ck_assert(raw_in_child(lose_folder, NULL));
}
END_TEST

/* ---- where they are -------------------------------------------------------------------------- */

static bool read_link(int fd, char path[512])
{
    char name[64];

    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    ssize_t length = readlink(name, path, 511);
    path[length > 0 ? length : 0] = '\0';
    return length > 0;
}

/* Those that came since before: in nobody's way, and not for a program that is executed. */
static int look_at_ours(const bool before[LAST], int lowest)
{
    char path[512];
    int bad = 0, found = 0;

    for (int fd = 0; fd < LAST; fd++) {
        int flags = fcntl(fd, F_GETFD);
        if (flags < 0 || before[fd]) {
            continue;
        }
        found++;
        bool good = fd >= lowest && (flags & FD_CLOEXEC) != 0 && read_link(fd, path);
        bad += !good;
        if (!good) {
            dprintf(LAST, "descriptor %d is %s, flags %d\n", fd, path, flags);
        }
    }
    return found == 0 ? -1 : bad;
}

static void note_all(bool ret_open[LAST])
{
    for (int fd = 0; fd < LAST; fd++) {
        ret_open[fd] = !is_free(fd);
    }
}

struct place {
    int limit; /* of descriptors */
    bool without_standard;
};

/* With a socket beside the log, a child that prints to what it does not have, and every record. */
static bool keep_away(void *data)
{
    const struct place *place = data;
    struct rlimit limit = {(rlim_t)place->limit, (rlim_t)place->limit};
    static const char printed[] = "printed by a plug-in\n";
    bool before[LAST];

    (void)log_path();
    if (dup2(STDOUT_FILENO, LAST) < 0) {
        return false;
    }
    if (place->without_standard) {
        (void)close(STDIN_FILENO);
        (void)close(STDOUT_FILENO);
        (void)close(STDERR_FILENO);
    }
    if (place->limit != 0 && setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return false;
    }
    note_all(before);
    if (!set_up()) {
        return false;
    }
    for (int i = 0; i < 3; i++) {
        refuse_one();
        if (place->without_standard && (write(STDOUT_FILENO, printed, sizeof(printed)) >= 0 ||
                                        write(STDERR_FILENO, printed, sizeof(printed)) >= 0)) {
            return false;
        }
    }
    int bad = look_at_ours(before, place->limit == 0 ? 512 : 3);
    return bad == 0 && log_count("session-use", "handle-forged") == 3;
}

START_TEST(ours_are_out_of_the_way)
{
    static const struct place places[] = {{0, false}, {0, true},   {64, false},
                                          {64, true}, {16, false}, {16, true}};
    struct place place = places[_i];

    ck_assert(raw_in_child(keep_away, &place));
}
END_TEST

/* ---- the watching ---------------------------------------------------------------------------- */

/* Below /run, since /tmp can be written by everybody and a policy there is refused. */
static char policy_folder[] = "/run/miguard-fd-test-XXXXXX";

static bool write_policy(const char *text)
{
    char path[64], fresh[64];

    snprintf(path, sizeof(path), "%s/policy.yaml", policy_folder);
    snprintf(fresh, sizeof(fresh), "%s/fresh", policy_folder);
    FILE *file = fopen(fresh, "we");
    bool written = file != NULL && fputs(text, file) >= 0 && fchmod(fileno(file), 0600) == 0;
    return file != NULL && fclose(file) == 0 && written && rename(fresh, path) == 0;
}

static bool opens_becomes(bool wanted)
{
    for (int i = 0; i < 150; i++) {
        struct stub_host *other = stub_host_new();
        MI_Context *fresh = NULL;
        MI_Session opened = MI_SESSION_NULL;
        bool opens = miguard_guard_context(&other->context, &fresh) == MI_RESULT_OK &&
                     MI_Context_GetLocalSession(fresh, &opened) == MI_RESULT_OK;
        (void)!MI_Context_PostResult(fresh, MI_RESULT_OK);
        stub_host_free(other);
        if (opens == wanted) {
            return true;
        }
        (void)usleep(20000);
    }
    return false;
}

#define WATCHED "version: 1\nwatch: true\n"
#define DENIED  "rules: [{name: no, match: {operation: GetLocalSession}, decision: deny}]\n"

/* The host's sockets have bytes to be read, as clients' have. They are the host's to read. */
static bool lose_watch(void *data)
{
    struct miguard_config config = MIGUARD_CONFIG_INIT;
    char policy[64], byte;
    (void)data;

    snprintf(policy, sizeof(policy), "%s/policy.yaml", policy_folder);
    config.policy = policy;
    config.audit_file = log_path();
    if (!write_policy(WATCHED) || miguard_configure(&config, NULL) != MIGUARD_OK ||
        !take_numbers(true, -1) || write(LAST + 3, "abcdefgh", 8) != 8) {
        return false;
    }
    bool denied = write_policy(WATCHED DENIED) && opens_becomes(false);
    bool allowed = write_policy(WATCHED) && opens_becomes(true);
    bool off = write_policy("version: 1\n") && miguard_reload(NULL) == MIGUARD_OK;
    bool unread = recv(LAST + 2, &byte, 1, MSG_DONTWAIT) == 1 && byte == 'a' &&
                  recv(LAST + 3, &byte, 1, MSG_DONTWAIT) < 0;
    if (!denied || !allowed || !off || !unread || !all_are_there()) {
        printf("denied %d, allowed %d, off %d, the host's bytes %d\n", denied, allowed, off,
               unread);
        return false;
    }
    return true;
}

START_TEST(the_watching_reads_nothing_of_the_hosts)
{
    char command[96];

    if (geteuid() != 0) {
        printf("skip: a policy below /run: needs root\n");
        return;
    }
    ck_assert_ptr_nonnull(mkdtemp(policy_folder));
    bool good = raw_in_child(lose_watch, NULL);
    snprintf(command, sizeof(command), "rm -rf %s", policy_folder);
    ck_assert_int_eq(system(command), 0);
    ck_assert(good);
}
END_TEST

/* A client that hangs up must find its connection ended, and not held by a thread of ours. */
static bool holds_nothing(void *data)
{
    struct miguard_config config = MIGUARD_CONFIG_INIT;
    char policy[64], byte;
    int pair[2];
    (void)data;

    snprintf(policy, sizeof(policy), "%s/policy.yaml", policy_folder);
    config.policy = policy;
    config.audit_file = log_path();
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) != 0 || !write_policy(WATCHED) ||
        miguard_configure(&config, NULL) != MIGUARD_OK) {
        return false;
    }
    (void)close(pair[0]);
    return recv(pair[1], &byte, 1, MSG_DONTWAIT) == 0;
}

START_TEST(the_watching_holds_nothing_of_the_hosts)
{
    char command[96];

    if (geteuid() != 0) {
        printf("skip: a policy below /run: needs root\n");
        return;
    }
    memcpy(strrchr(policy_folder, '-') + 1, "XXXXXX", 6);
    ck_assert_ptr_nonnull(mkdtemp(policy_folder));
    bool good = raw_in_child(holds_nothing, NULL);
    snprintf(command, sizeof(command), "rm -rf %s", policy_folder);
    ck_assert_int_eq(system(command), 0);
    ck_assert(good);
}
END_TEST

/* ---- each one that the library keeps --------------------------------------------------------- */

/* What takes the number. */
#define VICTIMS(X)                                                                                 \
    X(CLOSED, "nothing")                                                                           \
    X(REGULAR, "a file")                                                                           \
    X(PIPE, "a pipe")                                                                              \
    X(STREAM, "a client's socket")                                                                 \
    X(FOLDER, "a folder")                                                                          \
    X(ALIKE, "one of the same type")

enum victim {
#define VICTIM_ENUM(NAME, name) NAME,
    VICTIMS(VICTIM_ENUM)
#undef VICTIM_ENUM
        VICTIM_COUNT
};

static const char *const victim_names[] = {
#define VICTIM_NAME(NAME, name) name,
    VICTIMS(VICTIM_NAME)
#undef VICTIM_NAME
};

/* How the host lives. */
enum where { USUAL, WITHOUT_STANDARD, FEW, WHERE_COUNT };
static const char *const where_names[] = {"usual", "without 0 to 2", "64 descriptors"};

enum { MOST = 16, ALL = -1 };

struct kept {
    int number[MOST], count;
    mode_t type[MOST];
};

struct loss {
    int which; /* of those kept; ALL: each of them */
    enum victim victim;
    enum where where;
    char why[160];
    int *kept; /* how many there are */
};

static char syslog_path[64];
static int syslog_socket;

static bool listen_as_syslog(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(syslog_path, sizeof(syslog_path), "%s/syslog", policy_folder);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", syslog_path);
    syslog_socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return bind(syslog_socket, (struct sockaddr *)&address, sizeof(address)) == 0 &&
           fcntl(syslog_socket, F_DUPFD_CLOEXEC, 5) >= 0;
}

static unsigned drain_syslog(void)
{
    char buffer[65536];
    unsigned count = 0;

    while (recv(syslog_socket, buffer, sizeof(buffer), MSG_DONTWAIT) > 0) {
        count++;
    }
    return count;
}

/* Who a peer is: it owns a descriptor of the peer's process, where the kernel has one. */
static struct miguard_target *peer;

static bool make_peer(void)
{
    int sockets[2];
    bool made = socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0 &&
                miguard_target_peer(sockets[0], &peer, NULL) == MIGUARD_OK;

    (void)close(sockets[0]);
    (void)close(sockets[1]);
    return made;
}

/* A log file, syslog, the kernel's audit system where it can be had, a watched policy, and the
 * target of a peer. */
static bool start_all(void)
{
    struct miguard_config config = MIGUARD_CONFIG_INIT;
    struct miguard_error error = {0};
    char policy[64], text[1024];

    snprintf(policy, sizeof(policy), "%s/policy.yaml", policy_folder);
    config.policy = policy;
    for (int kernel = 1; kernel >= 0; kernel--) {
        snprintf(text, sizeof(text),
                 "version: 1\nwatch: true\naudit:\n  sinks:\n    - file: { path: %s }\n"
                 "    - syslog: { socket: %s }\n%s",
                 log_path(), syslog_path, kernel != 0 ? "    - audit: {}\n" : "");
        if (write_policy(text) && miguard_configure(&config, &error) == MIGUARD_OK) {
            return make_peer();
        }
    }
    dprintf(LAST, "cannot start: %s %s\n", error.step, error.detail);
    return false;
}

static bool open_one(void)
{
    struct stub_host *other = stub_host_new();
    MI_Context *fresh = NULL;
    MI_Session opened = MI_SESSION_NULL;
    bool opens = miguard_guard_context(&other->context, &fresh) == MI_RESULT_OK &&
                 MI_Context_GetLocalSession(fresh, &opened) == MI_RESULT_OK;

    (void)!MI_Context_PostResult(fresh, MI_RESULT_OK);
    stub_host_free(other);
    return opens;
}

static void find_kept(const bool before[LAST], struct kept *ret_kept)
{
    struct stat status;

    ret_kept->count = 0;
    for (int fd = 0; fd < LAST && ret_kept->count < MOST; fd++) {
        if (!before[fd] && fstat(fd, &status) == 0) {
            ret_kept->type[ret_kept->count] = status.st_mode & S_IFMT;
            ret_kept->number[ret_kept->count++] = fd;
        }
    }
}

struct taker {
    int fd, other; /* other: where what is written to fd would be met; -1: nowhere */
    struct stat status;
};

static bool make_taker(enum victim victim, mode_t type, struct taker *ret_taker)
{
    char path[96];
    int ends[2] = {-1, -1};
    bool made = true;

    snprintf(path, sizeof(path), "%s/victim-XXXXXX", policy_folder);
    victim = victim == ALIKE ? (S_ISSOCK(type)  ? STREAM
                                : S_ISDIR(type) ? FOLDER
                                                : REGULAR)
                             : victim;
    switch (victim) {
    case PIPE:
        made = pipe2(ends, O_NONBLOCK) == 0;
        *ret_taker = (struct taker){.fd = ends[1], .other = fcntl(ends[0], F_DUPFD, 3)};
        break;
    case STREAM:
        made = socketpair(AF_UNIX, S_ISSOCK(type) ? SOCK_DGRAM : SOCK_STREAM, 0, ends) == 0;
        *ret_taker = (struct taker){.fd = ends[1], .other = fcntl(ends[0], F_DUPFD, 3)};
        break;
    case FOLDER:
        *ret_taker = (struct taker){.fd = open("/", O_RDONLY | O_DIRECTORY), .other = -1};
        break;
    default:
        *ret_taker = (struct taker){.fd = mkstemp(path), .other = -1};
        (void)fchmod(ret_taker->fd, 0600);
        break;
    }
    if (ends[0] >= 0) {
        (void)close(ends[0]);
    }
    int low = ret_taker->fd; /* where a plug-in prints to */
    ret_taker->fd = fcntl(low, F_DUPFD, 3);
    (void)close(low);
    return made && fstat(ret_taker->fd, &ret_taker->status) == 0;
}

/* Still there, and nothing has come into it. */
static bool is_untouched(int number, const struct taker *taker)
{
    struct stat status;
    char byte;

    return fstat(number, &status) == 0 && status.st_dev == taker->status.st_dev &&
           status.st_ino == taker->status.st_ino &&
           (!S_ISREG(status.st_mode) || status.st_size == 0) &&
           (taker->other < 0 || (fcntl(taker->other, F_SETFL, O_NONBLOCK) == 0 &&
                                 read(taker->other, &byte, 1) < 0 && errno == EAGAIN));
}

static bool say(const struct loss *loss, const char *why)
{
    dprintf(LAST, "number %d, %s, %s: %s\n", loss->which, victim_names[loss->victim],
            where_names[loss->where], why);
    return false;
}

static bool prints_nothing(const struct loss *loss)
{
    return loss->where != WITHOUT_STANDARD ||
           (write(1, "printed\n", 8) < 0 && write(2, "printed\n", 8) < 0);
}

static bool live_as(enum where where)
{
    struct rlimit limit = {64, LAST + 10};

    if (dup2(STDOUT_FILENO, LAST) < 0) {
        return false;
    }
    if (where == WITHOUT_STANDARD) {
        (void)close(0);
        (void)close(1);
        (void)close(2);
    }
    return where != FEW || setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

static bool lose_kept(void *data)
{
    struct loss *loss = data;
    bool before[LAST];
    struct kept kept;
    struct taker takers[MOST];

    (void)log_path();
    if (!listen_as_syslog() || !live_as(loss->where)) {
        return false;
    }
    note_all(before);
    if (!start_all() || !open_one()) {
        return say(loss, "it does not start");
    }
    find_kept(before, &kept);
    *loss->kept = kept.count;
    for (int i = 0; i < kept.count; i++) {
        if (kept.number[i] < (loss->where == FEW ? 3 : 512)) {
            char path[512];
            dprintf(LAST, "descriptor %d: %s\n", kept.number[i],
                    read_link(kept.number[i], path) ? path : "closed by now");
            return say(loss, "it is in the way");
        }
        if (loss->which != ALL && loss->which != i) {
            continue;
        }
        if (loss->victim == CLOSED) {
            (void)close(kept.number[i]);
        } else if (!make_taker(loss->victim, kept.type[i], &takers[i]) ||
                   dup2(takers[i].fd, kept.number[i]) < 0) {
            return say(loss, "cannot take the number");
        }
    }
    (void)drain_syslog();
    for (int i = 0; i < 3; i++) {
        if (!open_one() || !prints_nothing(loss)) {
            return say(loss, "a session is refused, or something was printed to ours");
        }
    }
    if (drain_syslog() < 3) {
        return say(loss, "syslog lacks records");
    }
    if (miguard_reload(NULL) != MIGUARD_OK || !open_one() || !write_policy("version: 1\n") ||
        miguard_reload(NULL) != MIGUARD_OK || !open_one()) {
        return say(loss, "the policy cannot be loaded");
    }
    int fd = -1;
    if (miguard_target_peer_pidfd(peer, &fd, NULL) == MIGUARD_OK && loss->which == ALL) {
        return say(loss, "the host's descriptor was given as a peer's");
    }
    miguard_target_free(peer);
    for (int i = 0; i < kept.count; i++) {
        if (loss->victim != CLOSED && (loss->which == ALL || loss->which == i) &&
            !is_untouched(kept.number[i], &takers[i])) {
            return say(loss, "what is the host's was touched");
        }
    }
    return log_count("session-open", NULL) >= 5 || say(loss, "the log lacks records");
}

static unsigned lose_each(enum victim victim, enum where where, unsigned *ret_bad)
{
    int *kept = mmap(NULL, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    unsigned rows = 0;

    *kept = 1;
    for (int which = ALL; which < *kept; which++, rows++) {
        struct loss loss = {.which = which, .victim = victim, .where = where, .kept = kept};
        char command[96];
        memcpy(strrchr(policy_folder, '-') + 1, "XXXXXX", 6);
        ck_assert_ptr_nonnull(mkdtemp(policy_folder));
        *ret_bad += !raw_in_child(lose_kept, &loss);
        snprintf(command, sizeof(command), "rm -rf %s", policy_folder);
        ck_assert_int_eq(system(command), 0);
    }
    (void)munmap(kept, sizeof(int));
    return rows;
}

/* _i: the victim. */
START_TEST(each_that_is_kept_may_be_lost)
{
    unsigned bad = 0, rows = 0;

    if (geteuid() != 0) {
        printf("skip: a policy below /run: needs root\n");
        return;
    }
    for (int where = 0; where < WHERE_COUNT; where++) {
        rows += lose_each((enum victim)_i, (enum where)where, &bad);
    }
    printf("%s: %u rows, %u bad\n", victim_names[_i], rows, bad);
    ck_assert_uint_gt(rows, 12);
    ck_assert_uint_eq(bad, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("descriptors");
    TCase *tcase = tcase_create("descriptors");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, the_hosts_descriptors_are_left_alone, 0, 8);
    tcase_add_test(tcase, a_folder_that_others_can_write_is_not_opened_again);
    tcase_add_loop_test(tcase, ours_are_out_of_the_way, 0, 6);
    tcase_add_test(tcase, the_watching_reads_nothing_of_the_hosts);
    tcase_add_test(tcase, the_watching_holds_nothing_of_the_hosts);
    tcase_add_loop_test(tcase, each_that_is_kept_may_be_lost, 0, VICTIM_COUNT);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
