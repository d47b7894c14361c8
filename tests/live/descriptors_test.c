/* SPDX-License-Identifier: MIT */
/*
 * A host that closes what it does not know, as daemons do when they start, and then opens files or
 * takes clients under the same numbers. No record may get into one of these, none of them may be
 * closed or cut by the library, and the log goes on where it was. Where its folder cannot be opened
 * again, the call is denied.
 */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/gateway.h"
#include "miguard.h"
#include "support/log.h"
#include "support/raw.h"
#include "support/stub_host.h"

enum { FIRST = 3, LAST = 700 }; /* with those that the library keeps, from 512 on */

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
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
