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
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/gateway.h"
#include "miguard.h"
#include "support/log.h"
#include "support/raw.h"
#include "support/stub_host.h"

enum { FIRST = 3, LAST = 60 };

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

int main(void)
{
    Suite *suite = suite_create("descriptors");
    TCase *tcase = tcase_create("descriptors");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, the_hosts_descriptors_are_left_alone, 0, 8);
    tcase_add_test(tcase, a_folder_that_others_can_write_is_not_opened_again);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
