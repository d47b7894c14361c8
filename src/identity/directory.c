/* SPDX-License-Identifier: MIT */
/*
 * Asks NSS for users, groups and memberships (directory.h). Called by the policy loader, the switch
 * target, records and the command.
 *
 * The way of a question: an entry point fills in a struct question, or a list of them,
 * put_questions() asks on this thread or with ask_in_time() on the asker's, ask() calls NSS, and
 * accept_entry() or prove_groups() decides whether the answer is one. The thread has its own copies
 * (struct asking); one that does not answer in time keeps them and frees them whenever it ends.
 */
#include "identity/directory.h"

#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/entry.h"
#include "base/futex.h"
#include "base/pin.h"
#include "base/process.h"
#include "base/reserve.h"
#include "identity/identity.h"

enum {
    /* FIRST_BUFFER, in bytes, holds nearly every entry, FIRST_GROUPS nearly every list.
     * INTERRUPTIONS: how often EINTR is tried again. MOST_BEHIND: threads that may be left behind
     * at a time. MILLION, BILLION: nanoseconds of a millisecond and a second. */
    FIRST_BUFFER = 2048,
    FIRST_GROUPS = 256,
    INTERRUPTIONS = 16,
    MOST_BEHIND = 16,
    STACK_SIZE = 1024 * 1024, /* a module may bring a whole client library */
    MILLION = 1000000,
    BILLION = 1000000000,
};

/* ---- one question -------------------------------------------------------------------------------
 */

enum question_kind { USER_BY_NAME, USER_BY_ID, GROUP_BY_NAME, GROUP_BY_ID, GROUPS_OF_USER };

/* A question and its answer; it owns what it points to. */
struct question {
    enum question_kind kind;
    char *name;
    uint32_t id;
    enum directory_result result;
    struct directory_entry entry;
    gid_t *groups;
    uint32_t group_count;
};

/* The entry as getpwnam_r(3) or getgrnam_r(3) fills it in; its texts are in the caller's buffer. */
union found {
    struct passwd user;
    struct group group;
};

/* An error of 0 would read as success in a message, so it becomes EIO. */
static enum directory_result failed(struct question *question, int error)
{
    question->entry.error = error != 0 ? error : EIO;
    return DIRECTORY_FAILED;
}

/* As getpwnam_r(3); *ret_found NULL: no such entry. */
static int look_up(const struct question *question, union found *entry, char *buffer, size_t size,
                   void **ret_found)
{
    struct passwd *user = NULL;
    struct group *group = NULL;
    int error;

    switch (question->kind) {
    case USER_BY_NAME:
        error = getpwnam_r(question->name, &entry->user, buffer, size, &user);
        break;
    case USER_BY_ID:
        error = getpwuid_r(question->id, &entry->user, buffer, size, &user);
        break;
    case GROUP_BY_NAME:
        error = getgrnam_r(question->name, &entry->group, buffer, size, &group);
        break;
    default:
        error = getgrgid_r(question->id, &entry->group, buffer, size, &group);
        break;
    }
    *ret_found = user != NULL ? (void *)user : (void *)group;
    return error;
}

/* An entry that does not match the question is rejected: another id's name would go into a record,
 * and an id of -1 is not valid. */
static enum directory_result accept_entry(struct question *question, const union found *found)
{
    bool user = question->kind == USER_BY_NAME || question->kind == USER_BY_ID;
    bool by_id = question->kind == USER_BY_ID || question->kind == GROUP_BY_ID;
    const char *name = user ? found->user.pw_name : found->group.gr_name;
    struct directory_entry entry = {.id = user ? found->user.pw_uid : found->group.gr_gid,
                                    .gid = user ? found->user.pw_gid : 0};

    if (name == NULL || *name == '\0' || entry.id == (uint32_t)-1 || entry.gid == (uint32_t)-1 ||
        (by_id && entry.id != question->id)) {
        return failed(question, EBADMSG);
    }
    entry.name = base_copy_text(name);
    if (entry.name == NULL) {
        return DIRECTORY_NO_MEMORY;
    }
    question->entry = entry;
    return DIRECTORY_FOUND;
}

/* ERANGE may be caused by any line before the entry, so the buffer grows until the longest fits. */
static enum directory_result ask_entry(struct question *question)
{
    enum directory_result result = DIRECTORY_TOO_LARGE;
    char *buffer = NULL;
    int interruptions = 0;

    for (size_t size = FIRST_BUFFER; size <= DIRECTORY_LARGEST; size *= 2) {
        union found entry;
        void *found = NULL;
        int error = 0;
        char *larger = base_resize(buffer, size, 1);
        if (larger == NULL) {
            result = DIRECTORY_NO_MEMORY;
            break;
        }
        buffer = larger;
        do {
            error = look_up(question, &entry, buffer, size, &found);
        } while (error == EINTR && found == NULL && ++interruptions < INTERRUPTIONS);
        if (found == NULL && error == ERANGE) {
            continue;
        }
        result = found != NULL ? accept_entry(question, &entry)
                 : error == 0  ? DIRECTORY_NONE
                               : failed(question, error);
        break;
    }
    base_free(buffer);
    return result;
}

/* ---- the groups of a user -----------------------------------------------------------------------
 */

/* Whether errno shows that a service could not be asked. ENOENT and ESRCH are excluded: a file that
 * was read to its end leaves them, too. */
static bool is_trouble(int error)
{
    static const int troubles[] = {EIO,       EAGAIN,       ETIMEDOUT,   ECONNREFUSED, ECONNRESET,
                                   EPIPE,     EHOSTUNREACH, ENETUNREACH, EMFILE,       ENFILE,
                                   ENOTCONN,  EACCES,       EPROTO,      ECONNABORTED, EINTR,
                                   EHOSTDOWN, ENETDOWN,     ENOMEM};

    for (size_t i = 0; i < sizeof(troubles) / sizeof(troubles[0]); i++) {
        if (error == troubles[i]) {
            return true;
        }
    }
    return false;
}

/*
 * getgrouplist(3) cannot report "could not be asked": it returns the groups of the services that
 * answered, and they would pass for all groups. Two things show it: errno, which each service may
 * set, and a question that only the last service can answer: a group that does not exist.
 */
static enum directory_result prove_groups(struct question *question, int left)
{
    char name[] = "miguard-no-such-group";
    struct question probe = {.kind = GROUP_BY_NAME, .name = name};

    if (is_trouble(left)) {
        return failed(question, left);
    }
    enum directory_result result = ask_entry(&probe);
    directory_release(&probe.entry);
    if (result == DIRECTORY_FAILED) {
        return failed(question, probe.entry.error);
    }
    return result == DIRECTORY_NONE ? DIRECTORY_FOUND : result;
}

/* getgrouplist(3) returns -1 when the room is too small. The number that it reports then is not
 * relied on: the room grows up to the kernel's limit. */
static enum directory_result ask_groups(struct question *question)
{
    for (int room = FIRST_GROUPS; room <= IDENTITY_MAX_GROUPS; room *= 4) {
        int count = room;
        gid_t *larger = base_resize(question->groups, (size_t)room, sizeof(gid_t));
        if (larger == NULL) {
            return DIRECTORY_NO_MEMORY;
        }
        question->groups = larger;
        errno = 0;
        if (getgrouplist(question->name, question->id, question->groups, &count) >= 0) {
            question->group_count = identity_sort_groups(question->groups, (uint32_t)count);
            return prove_groups(question, errno);
        }
    }
    return DIRECTORY_TOO_LARGE;
}

/* Blocks as long as the services of nsswitch.conf(5) do. glibc 2.36 does not survive it when memory
 * runs out while it reads that file: it fails an assertion, or follows a null pointer. */
static void ask(struct question *question)
{
    struct reserve reserve;

    if (!reserve_take(&reserve)) {
        question->result = DIRECTORY_NO_MEMORY;
        return;
    }
    question->result =
        question->kind == GROUPS_OF_USER ? ask_groups(question) : ask_entry(question);
    reserve_end(&reserve);
}

/* ---- in a separate thread ---------------------------------------------------------------------
 */

/*
 * How many threads are left behind in this process; another process starts at 0. They cannot be
 * ended: a module may hold a lock. The count prevents a directory that never answers from getting
 * more of them with each reload.
 */
static _Atomic uint64_t behind_epoch;
static _Atomic int behind;

/* False at the limit. A forked child has another epoch and none of these threads, so it starts at
 * 0. */
static bool count_one_behind(void)
{
    uint64_t epoch = process_epoch();

    if (atomic_exchange(&behind_epoch, epoch) != epoch) {
        atomic_store(&behind, 0);
    }
    if (atomic_fetch_add(&behind, 1) < MOST_BEHIND) {
        return true;
    }
    atomic_fetch_sub(&behind, 1);
    return false;
}

unsigned directory_threads(void)
{
    int count = atomic_load(&behind_epoch) == process_epoch() ? atomic_load(&behind) : 0;
    return count > 0 ? (unsigned)count : 0;
}

/*
 * Whose turn it is. The thread has the questions while they are ASKED, the caller while they are
 * ANSWERED; those before `answered` are the caller's at any time. DISMISSED is final, and set by
 * the caller alone: the thread then ends as soon as NSS returns, and keeps the questions.
 */
enum turn { ASKED, ANSWERED, DISMISSED };

/* A thread that asks, and its questions; shared by that thread and the caller. */
struct asking {
    struct question *questions;
    uint32_t count;
    _Atomic uint32_t answered; /* so many, from the first on */
    _Atomic uint32_t turn;     /* enum turn, and a futex: only one of the two waits at a time */
    _Atomic unsigned owners;   /* the last of them frees it */
};

static void wake_other(struct asking *asking)
{
    futex_wake(&asking->turn, 1);
}

/* By the caller when it is its turn, or by the last owner. */
static void release_questions(struct asking *asking)
{
    for (uint32_t i = 0; i < asking->count; i++) {
        base_free(asking->questions[i].name);
        base_free(asking->questions[i].groups);
        directory_release(&asking->questions[i].entry);
    }
    base_free(asking->questions);
    asking->questions = NULL;
    asking->count = 0;
}

/* The thread that asks and the caller have one share each, and either may be the last. */
static void give_up_share(struct asking *asking)
{
    if (atomic_fetch_sub(&asking->owners, 1) == 1) {
        release_questions(asking);
        base_free(asking);
    }
}

/* Ends early when the caller has gone. */
static void ask_all(struct asking *asking)
{
    for (uint32_t i = 0; i < asking->count && atomic_load(&asking->turn) == ASKED; i++) {
        ask(&asking->questions[i]);
        atomic_store(&asking->answered, i + 1);
    }
}

/* The caller may be gone when the thread wakes it: the futex is part of memory that the thread
 * still owns. An interrupted or needless wait only repeats the loop. */
static void *ask_in_thread(void *argument)
{
    ENTRY_UNCANCELLED;
    struct asking *asking = argument;
    uint32_t turn = ASKED;

    while (turn == ASKED) {
        ask_all(asking);
        if (!atomic_compare_exchange_strong(&asking->turn, &turn, ANSWERED)) {
            break;
        }
        wake_other(asking);
        while ((turn = atomic_load(&asking->turn)) == ANSWERED) {
            futex_wait(&asking->turn, ANSWERED, NULL);
        }
    }
    atomic_fetch_sub(&behind, 1);
    give_up_share(asking);
    return NULL;
}

/* 0, or an errno. The thread has all signals but SIGSYS blocked (base/process.h), and is detached:
 * it may never end. */
static int start_asking(struct asking *asking)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t before;

    if (!pin_in_memory() || pthread_attr_init(&attributes) != 0) {
        return EAGAIN;
    }
    int error = process_mute(&before) ? 0 : EAGAIN;
    if (error == 0) {
        (void)pthread_attr_setstacksize(&attributes, STACK_SIZE);
        (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        error = pthread_create(&thread, &attributes, ask_in_thread, asking);
        process_unmute(&before);
    }
    pthread_attr_destroy(&attributes);
    return error;
}

/* Waits until the answer is there or what is left of the time is over, of which it takes what it
 * waits. A wake-up without a cause only repeats the loop. */
static bool is_answered(struct asking *asking, int64_t *left)
{
    const int64_t end = clock_now_ns() + *left;

    while (atomic_load(&asking->turn) == ASKED) {
        *left = end - clock_now_ns();
        if (*left <= 0) {
            return false;
        }
        const struct timespec time = {*left / BILLION, *left % BILLION};
        futex_wait(&asking->turn, ASKED, &time);
    }
    *left = end - clock_now_ns();
    return true;
}

/* Counts the links of the /proc directory: two of its own, and one for each thread in it. */
static bool is_single_threaded(void)
{
    struct stat status;
    return stat("/proc/self/task", &status) == 0 && status.st_nlink == 3;
}

/*
 * A process with one thread may make a user namespace; unshare(2) refuses it to one with two. So
 * wait until the kernel has removed the thread that asked, which takes microseconds, and on a busy
 * machine some milliseconds.
 */
static void wait_until_single_threaded(void)
{
    const struct timespec moment = {0, 20000};

    for (int i = 0; i < 1100 && !is_single_threaded(); i++) {
        if (i < 100) {
            (void)sched_yield();
        } else {
            (void)nanosleep(&moment, NULL);
        }
    }
}

/* Copies of the questions for the thread, which may have them longer than the caller. False when
 * memory is out, with none of them. It is the caller's turn, or there is no thread yet. */
static bool copy_questions(struct asking *asking, const struct question *questions, uint32_t count)
{
    release_questions(asking);
    atomic_store(&asking->answered, 0);
    asking->questions = base_alloc(count, sizeof(*questions));
    if (asking->questions == NULL) {
        return false;
    }
    asking->count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct question *copy = &asking->questions[i];
        *copy = (struct question){.kind = questions[i].kind, .id = questions[i].id};
        copy->name = base_copy_text(questions[i].name);
        if (questions[i].name != NULL && copy->name == NULL) {
            release_questions(asking);
            return false;
        }
    }
    return true;
}

/* Moves the answers that there are to the caller's questions; returns how many. */
static uint32_t hand_over(struct question *questions, struct asking *asking)
{
    const uint32_t answered = atomic_load(&asking->answered);

    for (uint32_t i = 0; i < answered; i++) {
        struct question *asked = &asking->questions[i];
        questions[i].result = asked->result;
        questions[i].entry = asked->entry;
        questions[i].groups = asked->groups;
        questions[i].group_count = asked->group_count;
        asked->entry = (struct directory_entry){.name = NULL};
        asked->groups = NULL;
    }
    return answered;
}

/* The first questions, and the thread for them and those behind them. *ret_error with FAILED. */
static enum directory_result begin_asking(struct directory_asker *asker,
                                          const struct question *questions, uint32_t count,
                                          int *ret_error)
{
    struct asking *asking = base_alloc(1, sizeof(*asking));
    int error = EAGAIN;

    if (asking == NULL) {
        return DIRECTORY_NO_MEMORY;
    }
    atomic_store(&asking->owners, 1);
    if (!copy_questions(asking, questions, count)) {
        give_up_share(asking);
        return DIRECTORY_NO_MEMORY;
    }
    if (count_one_behind()) {
        asker->was_alone = is_single_threaded();
        atomic_store(&asking->owners, 2);
        error = start_asking(asking);
        if (error == 0) {
            asker->asking = asking;
            return DIRECTORY_FOUND;
        }
        atomic_fetch_sub(&behind, 1);
        atomic_store(&asking->owners, 1);
    }
    give_up_share(asking);
    *ret_error = error;
    return DIRECTORY_FAILED;
}

/* Further ones. The thread waits, and the questions are the caller's until the turn changes. */
static enum directory_result go_on_asking(struct asking *asking, const struct question *questions,
                                          uint32_t count)
{
    if (!copy_questions(asking, questions, count)) {
        return DIRECTORY_NO_MEMORY;
    }
    atomic_store(&asking->turn, ASKED);
    wake_other(asking);
    return DIRECTORY_FOUND;
}

/* The thread ends, at once or when NSS returns. */
static void dismiss(struct directory_asker *asker)
{
    atomic_store(&asker->asking->turn, DISMISSED);
    wake_other(asker->asking);
    give_up_share(asker->asking);
    asker->asking = NULL;
}

/* What has no answer, for one reason. */
static void answer_all(struct question *questions, uint32_t count, enum directory_result result,
                       int error)
{
    for (uint32_t i = 0; i < count; i++) {
        questions[i].result = result == DIRECTORY_FAILED ? failed(&questions[i], error) : result;
    }
}

/* Asks on the asker's thread. The questions themselves stay with the caller, whose stack they may
 * be on. After one that was late no other is asked: the time is one for all of them. */
static void ask_in_time(struct directory_asker *asker, struct question *questions, uint32_t count)
{
    enum directory_result result = DIRECTORY_FAILED;
    int error = ETIMEDOUT;

    if (!asker->late) {
        result = asker->asking == NULL ? begin_asking(asker, questions, count, &error)
                                       : go_on_asking(asker->asking, questions, count);
    }
    if (result != DIRECTORY_FOUND) {
        answer_all(questions, count, result, error);
        return;
    }
    asker->late = !is_answered(asker->asking, &asker->left);
    const uint32_t answered = hand_over(questions, asker->asking);
    if (asker->late) {
        dismiss(asker);
        answer_all(questions + answered, count - answered, DIRECTORY_FAILED, ETIMEDOUT);
    }
}

/* errno is kept: NSS modules leave anything in it. */
static void put_questions(struct directory_asker *asker, struct question *questions, uint32_t count)
{
    int before = errno;

    if (!asker->forever) {
        ask_in_time(asker, questions, count);
    }
    for (uint32_t i = 0; asker->forever && i < count; i++) {
        ask(&questions[i]);
    }
    errno = before;
}

void directory_begin(struct directory_asker *asker, int wait)
{
    *asker = (struct directory_asker){.forever = wait == DIRECTORY_FOREVER,
                                      .left = (int64_t)wait * MILLION};
}

/* One that is late is not waited for. */
void directory_end(struct directory_asker *asker)
{
    int before = errno;

    if (asker->asking != NULL) {
        dismiss(asker);
        if (asker->was_alone) {
            wait_until_single_threaded();
        }
    }
    errno = before;
}

/* ---- entry points
 * --------------------------------------------------------------------------------
 */

void directory_release(struct directory_entry *entry)
{
    base_free(entry->name);
    entry->name = NULL;
}

/* The name in the question belongs to the caller and the one in the entry to *ret_entry. */
static enum directory_result ask_for_entry(struct directory_asker *asker, struct question *question,
                                           struct directory_entry *ret_entry)
{
    put_questions(asker, question, 1);
    if (question->result == DIRECTORY_FOUND) {
        *ret_entry = question->entry;
    } else if (question->result == DIRECTORY_FAILED) {
        ret_entry->error = question->entry.error;
    }
    return question->result;
}

enum directory_result directory_ask_name(struct directory_asker *asker, enum directory_kind kind,
                                         const char *name, struct directory_entry *ret_entry)
{
    struct question question = {.kind = kind == DIRECTORY_USER ? USER_BY_NAME : GROUP_BY_NAME,
                                .name = (char *)(uintptr_t)name};
    return ask_for_entry(asker, &question, ret_entry);
}

enum directory_result directory_ask_id(struct directory_asker *asker, enum directory_kind kind,
                                       uint32_t id, struct directory_entry *ret_entry)
{
    struct question question = {.kind = kind == DIRECTORY_USER ? USER_BY_ID : GROUP_BY_ID,
                                .id = id};
    return ask_for_entry(asker, &question, ret_entry);
}

enum directory_result directory_by_name(enum directory_kind kind, const char *name, int wait,
                                        struct directory_entry *ret_entry)
{
    struct directory_asker asker;

    directory_begin(&asker, wait);
    enum directory_result result = directory_ask_name(&asker, kind, name, ret_entry);
    directory_end(&asker);
    return result;
}

enum directory_result directory_by_id(enum directory_kind kind, uint32_t id, int wait,
                                      struct directory_entry *ret_entry)
{
    struct directory_asker asker;

    directory_begin(&asker, wait);
    enum directory_result result = directory_ask_id(&asker, kind, id, ret_entry);
    directory_end(&asker);
    return result;
}

/* The entry's memory is released here; only the name is kept. */
enum directory_result directory_name(enum directory_kind kind, uint32_t id, int wait,
                                     char name[DIRECTORY_NAME])
{
    struct directory_entry entry = {0};
    enum directory_result result = directory_by_id(kind, id, wait, &entry);

    if (result == DIRECTORY_FOUND) {
        (void)cut_text(entry.name, DIRECTORY_MAX_NAME, name);
    }
    directory_release(&entry);
    return result;
}

enum directory_result directory_ask_groups(struct directory_asker *asker,
                                           const struct directory_entry *user, gid_t **ret_groups,
                                           uint32_t *ret_count, int *ret_error)
{
    struct question question = {.kind = GROUPS_OF_USER, .name = user->name, .id = user->gid};

    put_questions(asker, &question, 1);
    if (question.result == DIRECTORY_FOUND) {
        *ret_groups = question.groups;
        *ret_count = question.group_count;
        return DIRECTORY_FOUND;
    }
    base_free(question.groups);
    if (question.result == DIRECTORY_FAILED) {
        *ret_error = question.entry.error;
    }
    return question.result;
}

enum directory_result directory_groups(const struct directory_entry *user, int wait,
                                       gid_t **ret_groups, uint32_t *ret_count, int *ret_error)
{
    struct directory_asker asker;

    directory_begin(&asker, wait);
    enum directory_result result =
        directory_ask_groups(&asker, user, ret_groups, ret_count, ret_error);
    directory_end(&asker);
    return result;
}

/* ---- names and ids ------------------------------------------------------------------------------
 */

enum directory_text directory_read_id(const char *digits, size_t length, uint32_t *ret_id)
{
    uint64_t id = 0;

    if (length > 1 && digits[0] == '0') {
        return DIRECTORY_TEXT_LEADING_ZERO;
    }
    for (size_t i = 0; i < length && id <= UINT32_MAX; i++) {
        id = id * 10 + (uint64_t)(digits[i] - '0');
    }
    if (id >= UINT32_MAX) {
        return id > UINT32_MAX ? DIRECTORY_TEXT_TOO_LARGE : DIRECTORY_TEXT_MINUS_ONE;
    }
    *ret_id = (uint32_t)id;
    return DIRECTORY_TEXT_DIGITS;
}

/* A sign or a blank makes it a name, as does anything that is not all digits after an optional
 * "+". */
enum directory_text directory_read_text(const char *text, uint32_t *ret_id)
{
    bool plus = text[0] == '+';
    const char *digits = plus ? text + 1 : text;
    size_t length = strspn(digits, "0123456789");

    if (length == 0 || digits[length] != '\0') {
        return DIRECTORY_TEXT_NAME;
    }
    enum directory_text kind = directory_read_id(digits, length, ret_id);
    return plus && kind == DIRECTORY_TEXT_DIGITS ? DIRECTORY_TEXT_ID : kind;
}

enum directory_result directory_ask_digits(struct directory_asker *asker, enum directory_kind kind,
                                           uint32_t id, struct directory_entry *ret_entry)
{
    char name[16];

    snprintf(name, sizeof(name), "%u", id);
    enum directory_result result = directory_ask_name(asker, kind, name, ret_entry);
    return result == DIRECTORY_FOUND && ret_entry->id != id ? DIRECTORY_AMBIGUOUS : result;
}

enum directory_result directory_check_digits(enum directory_kind kind, uint32_t id, int wait,
                                             struct directory_entry *ret_entry)
{
    struct directory_asker asker;

    directory_begin(&asker, wait);
    enum directory_result result = directory_ask_digits(&asker, kind, id, ret_entry);
    directory_end(&asker);
    return result;
}

/* The copies of the questions need the memory of one more list. */
void directory_ask_names(struct directory_asker *asker, struct directory_question *questions,
                         uint32_t count)
{
    struct question *list = count > 0 ? base_alloc(count, sizeof(*list)) : NULL;
    uint32_t id;

    for (uint32_t i = 0; list != NULL && i < count; i++) {
        list[i] = (struct question){.kind = questions[i].kind == DIRECTORY_USER ? USER_BY_NAME
                                                                                : GROUP_BY_NAME,
                                    .name = (char *)(uintptr_t)questions[i].name};
    }
    if (list != NULL) {
        put_questions(asker, list, count);
    }
    for (uint32_t i = 0; i < count; i++) {
        questions[i].result = list != NULL ? list[i].result : DIRECTORY_NO_MEMORY;
        questions[i].entry = list != NULL ? list[i].entry : (struct directory_entry){.name = NULL};
        if (questions[i].result == DIRECTORY_FOUND &&
            directory_read_text(questions[i].name, &id) == DIRECTORY_TEXT_DIGITS &&
            questions[i].entry.id != id) {
            questions[i].result = DIRECTORY_AMBIGUOUS;
        }
    }
    base_free(list);
}
