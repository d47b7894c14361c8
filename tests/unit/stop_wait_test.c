/* SPDX-License-Identifier: MIT */
/*
 * Waiting for the next round: no signal is lost, whenever it comes. The worst moment is right
 * behind the question whether one has come, which is where these tests send it.
 */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "tools/cli/stop_wait.c"

enum { LONG = 3600 }; /* seconds; Check ends a test after four */

static volatile sig_atomic_t stopped;
static int sent; /* by the question */

static void on_stop(int number)
{
    (void)number;
    stopped = 1;
}

/* The answer is that of before the signal. */
static bool is_stopped(void)
{
    bool answer = stopped != 0;

    if (sent != 0) {
        kill(getpid(), sent);
    }
    return answer;
}

static void begin(void)
{
    const struct sigaction action = {.sa_handler = on_stop};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static const int signals[] = {SIGINT, SIGTERM};

START_TEST(behind_the_question)
{
    sent = signals[_i];
    ck_assert_int_eq(stop_wait(-1, LONG, is_stopped), STOP_WAIT_STOPPED);
    ck_assert_int_eq(stopped, 1);
}
END_TEST

START_TEST(before_the_question)
{
    raise(signals[_i]);
    ck_assert_int_eq(stop_wait(-1, LONG, is_stopped), STOP_WAIT_STOPPED);
}
END_TEST

/* A child sends it, at a moment that differs from round to round. */
START_TEST(at_any_moment)
{
    for (long i = 0; i < 200; i++) {
        pid_t parent = getpid(), child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0) {
            nanosleep(&(struct timespec){.tv_nsec = i * 5000}, NULL);
            kill(parent, signals[i % 2]);
            _exit(0);
        }
        ck_assert_int_eq(stop_wait(-1, LONG, is_stopped), STOP_WAIT_STOPPED);
        stopped = 0;
    }
}
END_TEST

START_TEST(without_a_signal)
{
    int ends[2];
    sigset_t mask;

    ck_assert_int_eq(stop_wait(-1, 0, is_stopped), STOP_WAIT_TIME);
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(stop_wait(ends[0], 0, is_stopped), STOP_WAIT_TIME);
    ck_assert_int_eq(write(ends[1], "q", 1), 1);
    ck_assert_int_eq(stop_wait(ends[0], LONG, is_stopped), STOP_WAIT_INPUT);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        ck_assert_int_eq(sigismember(&mask, signals[i]), 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stop_wait");
    TCase *tests = tcase_create("all");

    tcase_add_checked_fixture(tests, begin, NULL);
    tcase_add_loop_test(tests, behind_the_question, 0, 2);
    tcase_add_loop_test(tests, before_the_question, 0, 2);
    tcase_add_test(tests, at_any_moment);
    tcase_add_test(tests, without_a_signal);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}
