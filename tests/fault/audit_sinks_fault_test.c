/* SPDX-License-Identifier: MIT */
/* The sinks while memory runs out, and the kernel audit sink before a kernel of the test's own,
 * which answers in every way that the real one can and some that it cannot. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/failing_alloc.h"
#include "support/lacks.h"
#include "support/raw.h"
#include "support/sink_record.h"

#define LENGTH(table) ((int)(sizeof(table) / sizeof((table)[0])))

static struct sink *sink;
static enum audit_loss loss;

/* ---- the kernel ------------------------------------------------------------------------- */

enum { NONE = 100000 }; /* instead of an errno: no answer at all */

static struct {
    int socket_error, send_error;
    int status_error, record_error; /* of the answers; NONE: none comes */
    struct audit_status status;
    bool noise;                /* before each answer come ones that are for others */
    bool foreign;              /* the answers come from another process */
    bool receipt_for_status;   /* NLMSG_ERROR with 0 where a status is due */
    _Atomic bool stuck;        /* sendto() does not return */
    _Atomic unsigned messages; /* records taken */
    unsigned questions;
    pid_t sender; /* the thread */
    char message[9000];
    struct nlmsghdr last; /* header of the last record */
} kernel;

/* What recvfrom() gives next. */
static struct answer {
    size_t length;
    uint32_t from;
    struct {
        struct nlmsghdr header;
        char payload[512];
    } packet;
} answers[8];
static unsigned answer_count, answers_given;

static void give(uint16_t type, uint32_t number, const void *payload, size_t length, uint32_t from)
{
    struct answer *answer = &answers[answer_count++];

    memset(answer, 0, sizeof(*answer));
    answer->packet.header.nlmsg_len = (uint32_t)NLMSG_LENGTH(length);
    answer->packet.header.nlmsg_type = type;
    answer->packet.header.nlmsg_seq = number;
    memcpy(answer->packet.payload, payload, length);
    answer->length = NLMSG_LENGTH(length);
    answer->from = from;
}

static void give_noise(uint32_t number)
{
    int refused = -EPERM;

    give(NLMSG_ERROR, number - 1, &refused, sizeof(refused), 0);
    give(NLMSG_ERROR, number, &refused, sizeof(refused), 4711);
    give(NLMSG_ERROR, number, &refused, sizeof(refused), 0);
    answers[answer_count - 1].length = 10; /* less than a header */
    give(NLMSG_ERROR, number, &refused, sizeof(refused), 0);
    answers[answer_count - 1].packet.header.nlmsg_len = 400; /* more than there is */
}

int socket(int domain, int type, int protocol)
{
    if (domain != AF_NETLINK) {
        return (int)syscall(SYS_socket, domain, type, protocol);
    }
    if (kernel.socket_error != 0) {
        errno = kernel.socket_error;
        return -1;
    }
    return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

ssize_t sendto(int fd, const void *bytes, size_t length, int flags, __CONST_SOCKADDR_ARG address,
               socklen_t size)
{
    struct nlmsghdr header;

    (void)flags, (void)size;
    if (fcntl(fd, F_GETFD) < 0) {
        return -1;
    }
    kernel.sender = gettid();
    ck_assert_ptr_nonnull(address.__sockaddr__);
    while (kernel.stuck) {
        usleep(1000);
    }
    if (kernel.send_error != 0) {
        errno = kernel.send_error;
        kernel.send_error = errno == EINTR || errno == EAGAIN ? 0 : errno;
        return -1;
    }
    memcpy(&header, bytes, sizeof(header));
    answer_count = answers_given = 0;
    bool question = header.nlmsg_type == AUDIT_GET;
    int error = question ? kernel.status_error : kernel.record_error;
    uint32_t from = kernel.foreign ? 4711 : 0;
    if (kernel.noise) {
        give_noise(header.nlmsg_seq);
    }
    if (question) {
        kernel.questions++;
    } else {
        kernel.messages++;
        kernel.last = header;
        memcpy(kernel.message, (const char *)bytes + NLMSG_HDRLEN, length - NLMSG_HDRLEN);
    }
    if (question && error == 0 && !kernel.receipt_for_status) {
        give(AUDIT_GET, header.nlmsg_seq, &kernel.status, sizeof(kernel.status), from);
    } else if (error != NONE) {
        error = -error;
        give(NLMSG_ERROR, header.nlmsg_seq, &error, sizeof(error), from);
    }
    return (ssize_t)length;
}

ssize_t recvfrom(int fd, void *buffer, size_t size, int flags, __SOCKADDR_ARG address,
                 socklen_t *address_size)
{
    struct sockaddr_nl from = {.nl_family = AF_NETLINK};

    (void)fd, (void)flags;
    if (answers_given == answer_count) {
        errno = EAGAIN;
        return -1;
    }
    struct answer answer = answers[answers_given++];
    from.nl_pid = answer.from;
    memcpy(address.__sockaddr__, &from, sizeof(from));
    *address_size = sizeof(from);
    ck_assert_uint_le(answer.length, size);
    memcpy(buffer, &answer.packet, answer.length);
    return (ssize_t)answer.length;
}

static void reset_kernel(void)
{
    memset((void *)&kernel, 0, sizeof(kernel));
    kernel.status.enabled = 1;
    kernel.status.pid = 99;
}

static long kept; /* blocks that refusal() keeps */

static void set_up(void)
{
    (void)refusal("");
    kept = outstanding;
    reset_kernel();
}

/* ---- helpers ------------------------------------------------------------------------------ */

static bool write_with(const struct sink_ops *ops, const char *class_name)
{
    struct made_record made;
    long before = countdown;

    countdown = -1;
    make_record(&made, refusal(class_name), 1);
    countdown = before;
    loss = AUDIT_LOSS_COUNT;
    bool written = ops->write(sink, &made.record, &loss);
    countdown = -1;
    free_record(&made);
    return written;
}

static bool write_record(void)
{
    return write_with(&sink_kernel_audit, "CIM_Disk");
}

static void open_audit(void)
{
    struct sink_settings settings = {.kind = SINK_KERNEL};
    ck_assert_int_eq(sink_kernel_audit.open(&settings, &sink, NULL), MIGUARD_OK);
}

static void lose(enum audit_loss wanted)
{
    ck_assert(!write_record());
    ck_assert_int_eq(loss, wanted);
}

/* ---- opening -------------------------------------------------------------------------------- */

START_TEST(opening_says_what_is_missing)
{
    static const struct {
        int socket_error, status_error;
        uint32_t enabled;
        enum miguard_status status;
        int error;
        const char *detail;
    } rows[] = {
        {EPROTONOSUPPORT, 0, 1, MIGUARD_SYSTEM, EPROTONOSUPPORT, "has no audit system"},
        {EAFNOSUPPORT, 0, 1, MIGUARD_SYSTEM, EAFNOSUPPORT, "has no audit system"},
        {EMFILE, 0, 1, MIGUARD_SYSTEM, EMFILE, "Too many open files"},
        {0, EPERM, 1, MIGUARD_SYSTEM, EPERM, "CAP_AUDIT_CONTROL"},
        {0, ECONNREFUSED, 1, MIGUARD_SYSTEM, ECONNREFUSED, "user namespace or container"},
        {0, NONE, 1, MIGUARD_SYSTEM, ETIMEDOUT, "timed out"},
        {0, 0, 0, MIGUARD_NOT_SUPPORTED, EPIPE, "auditctl -e 1"},
    };
    struct sink_settings settings = {.kind = SINK_KERNEL};
    struct miguard_error error;
    struct sink *none = NULL;

    kernel.socket_error = rows[_i].socket_error;
    kernel.status_error = rows[_i].status_error;
    kernel.status.enabled = rows[_i].enabled;
    ck_assert_int_eq(sink_kernel_audit.open(&settings, &none, &error), rows[_i].status);
    ck_assert_ptr_null(none);
    ck_assert_int_eq(error.system_errno, rows[_i].error);
    ck_assert_msg(strstr(error.detail, rows[_i].detail) != NULL, "%s", error.detail);
    ck_assert_int_eq(outstanding, kept);
}
END_TEST

/* ---- writing -------------------------------------------------------------------------------- */

START_TEST(a_record_is_sent_and_confirmed)
{
    open_audit();
    ck_assert(write_record());
    ck_assert_uint_eq(kernel.messages, 1);
    ck_assert_int_eq(kernel.last.nlmsg_type, 1121);
    ck_assert_int_eq(kernel.last.nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK);
    ck_assert_uint_eq(kernel.last.nlmsg_len, NLMSG_LENGTH(strlen(kernel.message) + 1));
    ck_assert_ptr_nonnull(strstr(kernel.message, "op=session-use acct="));
    ck_assert_ptr_nonnull(strstr(kernel.message, " seq=\"1\" hash=\"" SINK_TEST_HASH "\" "));
    ck_assert_ptr_nonnull(strstr(kernel.message, " rule=776562206973202272656164"));
    ck_assert_ptr_nonnull(strstr(kernel.message, " class=\"CIM_Disk\" "));
    ck_assert_str_eq(kernel.message + strlen(kernel.message) - 11, " res=failed");
    ck_assert(write_with(&sink_kernel_audit, "it's"));
    ck_assert_ptr_nonnull(strstr(kernel.message, " class=69742773 "));
    ck_assert(write_with(&sink_kernel_audit, "it\"s"));
    ck_assert_ptr_nonnull(strstr(kernel.message, " class=69742273 "));
    ck_assert(write_with(&sink_kernel_audit, "a b"));
    ck_assert_ptr_nonnull(strstr(kernel.message, " class=612062 "));
    ck_assert(write_with(&sink_kernel_audit, "\xc3\xa9"));
    ck_assert_ptr_nonnull(strstr(kernel.message, " class=C3A9 "));
    sink_kernel_audit.close(sink);
    ck_assert_int_eq(outstanding, kept);
}
END_TEST

/* The largest record that there can be still fits: each value is cut, and says so. */
START_TEST(values_from_outside_are_bounded)
{
    static char name[5000];
    struct made_record made;

    open_audit();
    memset(name, '\'', sizeof(name) - 1);
    struct audit_event event = refusal(name);
    event.provider = event.name_space = event.rule = event.rule_source = name;
    make_record(&made, event, UINT64_MAX);
    ck_assert(sink_kernel_audit.write(sink, &made.record, &loss));
    ck_assert_uint_lt(strlen(kernel.message), 8560);
    /* ...[4999 bytes # of each that the record had cut, and of the class with its mark */
    ck_assert_ptr_nonnull(strstr(kernel.message, "27272E2E2E5B343939392062797465732023"));
    ck_assert_ptr_null(strstr(kernel.message, "class=\""));
    free_record(&made);
    sink_kernel_audit.close(sink);
}
END_TEST

START_TEST(each_refusal_is_a_loss_and_then_goes_on)
{
    static const struct {
        int error;
        enum audit_loss loss;
    } rows[] = {{EPERM, AUDIT_LOSS_UNREACHABLE},  {ECONNREFUSED, AUDIT_LOSS_UNREACHABLE},
                {ENOMEM, AUDIT_LOSS_NO_MEMORY},   {ENOBUFS, AUDIT_LOSS_NO_MEMORY},
                {EMSGSIZE, AUDIT_LOSS_TOO_LARGE}, {EINVAL, AUDIT_LOSS_UNREACHABLE},
                {NONE, AUDIT_LOSS_UNREACHABLE}};

    open_audit();
    for (int i = 0; i < LENGTH(rows); i++) {
        kernel.record_error = rows[i].error;
        lose(rows[i].loss);
        kernel.record_error = 0;
        ck_assert(write_record());
        kernel.status_error = rows[i].error;
        unsigned messages = kernel.messages;
        lose(rows[i].loss);
        ck_assert_uint_eq(kernel.messages, messages);
        kernel.status_error = 0;
        ck_assert(write_record());
    }
    sink_kernel_audit.close(sink);
    ck_assert_int_eq(outstanding, kept);
}
END_TEST

/* Its credentials are of no use any more; those of the thread that writes next may be. */
START_TEST(a_thread_without_the_capability_is_replaced)
{
    open_audit();
    ck_assert(write_record());
    pid_t first = kernel.sender;
    ck_assert_int_ne(first, gettid());
    kernel.record_error = EINVAL;
    lose(AUDIT_LOSS_UNREACHABLE);
    ck_assert_int_eq(kernel.sender, first);
    kernel.record_error = EPERM;
    lose(AUDIT_LOSS_UNREACHABLE);
    kernel.record_error = 0;
    ck_assert(write_record());
    ck_assert_int_ne(kernel.sender, first);
    sink_kernel_audit.close(sink);
}
END_TEST

START_TEST(what_nobody_would_keep_is_not_sent)
{
    open_audit();
    kernel.status.enabled = 0;
    lose(AUDIT_LOSS_UNREACHABLE);
    kernel.status.enabled = 1;
    kernel.status.pid = 0;
    lose(AUDIT_LOSS_UNREACHABLE);
    ck_assert_uint_eq(kernel.messages, 0);
    kernel.status.pid = 1;
    ck_assert(write_record());
    kernel.receipt_for_status = true; /* says nothing about either */
    lose(AUDIT_LOSS_UNREACHABLE);
    ck_assert_uint_eq(kernel.messages, 1);
    kernel.receipt_for_status = false;
    ck_assert(write_record());
    sink_kernel_audit.close(sink);
}
END_TEST

START_TEST(only_the_kernels_own_answer_counts)
{
    open_audit();
    kernel.noise = true;
    for (int i = 0; i < 20; i++) {
        ck_assert(write_record());
    }
    kernel.noise = false;
    kernel.foreign = true;
    lose(AUDIT_LOSS_UNREACHABLE);
    kernel.foreign = false;
    kernel.send_error = EINTR;
    ck_assert(write_record());
    kernel.send_error = EAGAIN;
    ck_assert(write_record());
    kernel.send_error = ECONNREFUSED;
    lose(AUDIT_LOSS_UNREACHABLE);
    kernel.send_error = 0;
    ck_assert(write_record());
    sink_kernel_audit.close(sink);
}
END_TEST

/* A kernel that holds the thread: the caller is let go, later records are lost at once. */
START_TEST(a_kernel_that_hangs_holds_nobody)
{
    open_audit();
    ck_assert(write_record());
    alarm(100);
    kernel.stuck = true;
    for (int i = 0; i < 1000; i++) { /* 200 s if each of them waited */
        lose(AUDIT_LOSS_UNREACHABLE);
    }
    kernel.stuck = false;
    while (!write_record()) { /* the thread needs a moment to come back */
        usleep(1000);
    }
    ck_assert(write_record());
    kernel.stuck = true;
    lose(AUDIT_LOSS_UNREACHABLE);
    sink_kernel_audit.close(sink); /* the thread frees it, some time */
    kernel.stuck = false;
#ifndef RAW_HAS_HIDDEN_THREAD
    while (*(volatile long *)&outstanding != kept) {
        usleep(1000);
    }
#endif
    alarm(0);
    usleep(100000); /* so that a sanitizer sees the thread's end */
}
END_TEST

START_TEST(a_closed_descriptor_is_opened_again)
{
    char link[64], target[64];

    open_audit();
    for (int fd = 3; fd < 64; fd++) {
        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        ssize_t length = readlink(link, target, sizeof(target) - 1);
        if (length > 0 && strncmp(target, "anon_inode:[eventfd]", 20) == 0) {
            close(fd);
        }
    }
    ck_assert(write_record());
    sink_kernel_audit.close(sink);
}
END_TEST

START_TEST(a_child_makes_a_thread_of_its_own)
{
    int status;

#ifdef RAW_HAS_HIDDEN_THREAD
    puts("skip: a thread in a child: ThreadSanitizer allows none");
    return;
#endif
    if (lacks_plain_threads()) {
        puts("skip: a thread in a child: the emulator does not survive it");
        return;
    }
    open_audit();
    ck_assert(write_record());
    pid_t child = fork();
    if (child == 0) {
        bool written = write_record() && write_record();
        sink_kernel_audit.close(sink);
        _exit(written ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    child = fork();
    if (child == 0) {
        sink_kernel_audit.close(sink);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert(write_record());
    sink_kernel_audit.close(sink);
}
END_TEST

/* ---- memory -----------------------------------------------------------------------------------
 */

static const struct sink_ops *const all[] = {&sink_syslog, &sink_journald, &sink_kernel_audit};

static char folder[64], path[96];

static int make_server(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int server = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    strcpy(folder, "/tmp/miguard-sinks-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/log", folder);
    strcpy(address.sun_path, path);
    ck_assert_int_eq(bind(server, (struct sockaddr *)&address, sizeof(address)), 0);
    return server;
}

static void drain(int server)
{
    char byte;
    while (recv(server, &byte, 1, MSG_DONTWAIT) >= 0) {
    }
}

/* Each allocation fails in turn: the record is lost for that reason, and the next one arrives. */
START_TEST(without_memory_a_record_is_lost_and_counted)
{
    static char name[3000];
    int server = make_server();
    const struct sink_ops *ops = all[_i];
    struct sink_settings settings = {.kind = ops->kind, .path = path};
    bool was_refused = false, was_lost = false;

    memset(name, 'x', sizeof(name) - 1);
    for (long n = 0;; n++) {
        failed = false;
        countdown = n;
        enum miguard_status status = ops->open(&settings, &sink, NULL);
        if (status != MIGUARD_OK) {
            countdown = -1;
            ck_assert_int_eq(status, MIGUARD_NO_MEMORY);
            was_refused = true;
            ck_assert_int_eq(outstanding, kept);
            continue;
        }
        bool written = write_with(ops, name);
        ck_assert_int_eq(written, !failed);
        if (!written) {
            ck_assert_int_eq(loss, AUDIT_LOSS_NO_MEMORY);
            was_lost = true;
        }
        drain(server);
        ck_assert(write_with(ops, name));
        drain(server);
        ops->close(sink);
        ck_assert_int_eq(outstanding, kept);
        if (!failed) {
            break;
        }
    }
    ck_assert(was_refused && was_lost);
    close(server);
    unlink(path);
    rmdir(folder);
}
END_TEST

START_TEST(a_second_record_allocates_nothing)
{
    int server = make_server();
    const struct sink_ops *ops = all[_i];
    struct sink_settings settings = {.kind = ops->kind, .path = path};
    struct made_record made;

    ck_assert_int_eq(ops->open(&settings, &sink, NULL), MIGUARD_OK);
    make_record(&made, refusal("CIM_Disk"), 1);
    ck_assert(ops->write(sink, &made.record, &loss));
    long before = allocations_tried;
    ck_assert(ops->write(sink, &made.record, &loss));
    ck_assert_int_eq(allocations_tried, before);
    free_record(&made);
    ops->close(sink);
    close(server);
    unlink(path);
    rmdir(folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("audit sinks in trouble");
    TCase *cases = tcase_create("sinks");

    tcase_add_checked_fixture(cases, set_up, NULL);
    tcase_set_timeout(cases, 120);
    tcase_add_loop_test(cases, opening_says_what_is_missing, 0, 7);
    tcase_add_test(cases, a_record_is_sent_and_confirmed);
    tcase_add_test(cases, values_from_outside_are_bounded);
    tcase_add_test(cases, each_refusal_is_a_loss_and_then_goes_on);
    tcase_add_test(cases, a_thread_without_the_capability_is_replaced);
    tcase_add_test(cases, what_nobody_would_keep_is_not_sent);
    tcase_add_test(cases, only_the_kernels_own_answer_counts);
    tcase_add_test(cases, a_kernel_that_hangs_holds_nobody);
    tcase_add_test(cases, a_closed_descriptor_is_opened_again);
    tcase_add_test(cases, a_child_makes_a_thread_of_its_own);
    tcase_add_loop_test(cases, without_memory_a_record_is_lost_and_counted, 0, LENGTH(all));
    tcase_add_loop_test(cases, a_second_record_allocates_nothing, 0, LENGTH(all));
    suite_add_tcase(suite, cases);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures == 0 ? 0 : 1;
}
