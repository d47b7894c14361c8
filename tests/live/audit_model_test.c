/* SPDX-License-Identifier: MIT */
/*
 * The house-keeping of a log against a plain model: random sequences of writing, rotating,
 * restarting, killing, foreign files, copies, deletions, full files, packing and retention. The
 * model knows only which records were acknowledged, which are deleted, and what the log says that
 * retention took. Then verify, search and follow must find exactly the rest.
 *
 *     SEQUENCES=10000 SEED=1 build/tests/live/audit_model_test
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "audit/file/file_internal.h"
#include "base/alloc.h"
#include "support/log_file.h"
#include "tools/review/files.h"
#include "tools/review/read.h"
#include "tools/review/verify.h"

enum { IDS = 4096, WRITERS = 8, PER_WRITER = 160, OPERATIONS = 14, KEPT = 256 };

static char folder[64], path[128];
static uint64_t random_state;

static unsigned pick(unsigned below)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(random_state >> 33) % below;
}

static void make_folder(void)
{
    strcpy(folder, "/tmp/miguard-model-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/log", folder);
}

static void clean(const char *what)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'%s", folder, what);
    ck_assert_int_eq(system(command), 0);
}

/* ---- the model ------------------------------------------------------------------------------- */

struct model {
    unsigned char *acknowledged; /* by id; shared with writers that are killed */
    uint64_t *sequence;          /* by id */
    bool lost[IDS];              /* by id: deleted on purpose */
    bool earlier[IDS];           /* by id: of the log before the last init */
    char *kept[KEPT];            /* files of earlier logs that nobody may touch */
    unsigned kept_count;
    unsigned ids;
    bool keyed, tampered, begun_anew;
    struct chain_key key;
    struct sink_settings settings;
    struct log_file *file;
    uint64_t seed;
};

static void write_some(struct model *model, unsigned count)
{
    enum audit_loss loss = 0;

    for (unsigned i = 0; i < count && model->ids < IDS; i++, model->ids++) {
        model->acknowledged[model->ids] = log_file_append(model->file, model->ids, pick(600), &loss,
                                                          &model->sequence[model->ids]);
    }
}

static void reopen(struct model *model)
{
    file_close(model->file);
    model->file = log_file_open(&model->settings, true);
    ck_assert_msg(model->file != NULL, "seed %llu", (unsigned long long)model->seed);
}

static void kill_a_writer(struct model *model)
{
    struct timespec pause = {.tv_nsec = pick(2000) * 1000};
    unsigned first = model->ids;

    model->ids = first + 40 < IDS ? first + 40 : IDS;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct log_file *file = log_file_open(&model->settings, false);
        enum audit_loss loss = 0;
        for (unsigned i = first; i < model->ids && file != NULL; i++) {
            uint64_t sequence = 0;
            if (log_file_append(file, i, 200, &loss, &sequence)) {
                model->sequence[i] = sequence;
                model->acknowledged[i] = 1;
            }
        }
        _exit(0);
    }
    nanosleep(&pause, NULL);
    kill(child, SIGKILL);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
}

static void put_stray(void)
{
    static const char *const numbers[] = {"20261127", "18446744073709551615", "2", "5",
                                          "9.gz",     "18446744073709551614", "0"};
    static const char *const texts[] = {"", "notes {\"sequence\":99}\n",
                                        "{\"event\":{\"sequence\":7}}\n",
                                        "{\"event\":{\"sequence\":7},\"miguard\":{\"chain\":{"
                                        "\"id\":\"0123456789abcdef\",\"epoch\":0,"
                                        "\"prev\":\"00\"}}}\n"};
    char name[192];
    const char *text = texts[pick(4)];

    snprintf(name, sizeof(name), "%s.%s", path, numbers[pick(7)]);
    if (pick(5) == 0) {
        (void)!mkdir(name, 0700);
        return;
    }
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600); /* never over a log's own */
    if (fd >= 0) {
        ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
        close(fd);
    }
}

/* What was rotated, by its records. */
static bool pick_rotated(struct log_parts *parts, size_t *ret_at)
{
    size_t rotated = 0;

    ck_assert_int_eq(log_parts_find(path, 0, parts, NULL), MIGUARD_OK);
    while (rotated < parts->count && !parts->list[rotated].current) {
        rotated++;
    }
    *ret_at = rotated == 0 ? 0 : pick((unsigned)rotated);
    return rotated > 0 && parts->list[*ret_at].known;
}

static void delete_one(struct model *model)
{
    struct log_parts parts;
    size_t at;

    if (pick_rotated(&parts, &at) && !parts.list[at].packed) {
        const struct log_part *part = &parts.list[at];
        ck_assert_int_eq(unlink(part->name), 0);
        model->tampered = true;
        for (unsigned i = 0; i < model->ids; i++) {
            model->lost[i] |= model->acknowledged[i] &&
                              model->sequence[i] >= part->first.sequence &&
                              model->sequence[i] <= part->last.sequence;
        }
    }
    log_parts_release(&parts);
}

static void copy_one(void)
{
    char command[512];
    struct log_parts parts;
    size_t at;

    if (pick_rotated(&parts, &at)) {
        snprintf(command, sizeof(command), "cp '%s' '%s.bak'", parts.list[at].name,
                 parts.list[at].name);
        ck_assert_int_eq(system(command), 0);
    }
    log_parts_release(&parts);
}

static void pack_one(void)
{
    char command[512];
    struct log_parts parts;
    size_t at;

    if (pick_rotated(&parts, &at) && !parts.list[at].packed) {
        snprintf(command, sizeof(command), "gzip -q '%s' < /dev/null 2> /dev/null",
                 parts.list[at].name);
        (void)!system(command); /* a stray may have the name */
    }
    log_parts_release(&parts);
}

static void fill_up(struct model *model)
{
    const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
    const struct rlimit small = {2000, RLIM_INFINITY};

    /* No assertion in between: Check notes each in a file, which is above the limit, too. */
    int set = setrlimit(RLIMIT_FSIZE, &small);
    write_some(model, 1 + pick(4));
    set += setrlimit(RLIMIT_FSIZE, &none);
    ck_assert_int_eq(set, 0);
}

/* ---- beginning anew -------------------------------------------------------------------------- */

static void check_search(const struct model *model, const char *log, uint64_t removed);

static void keep_parts(struct model *model)
{
    struct log_parts parts;

    ck_assert_int_eq(log_parts_find(path, 0, &parts, NULL), MIGUARD_OK);
    for (size_t i = 0; i < parts.count && model->kept_count < KEPT; i++) {
        if (!parts.list[i].current) {
            model->kept[model->kept_count++] = strdup(parts.list[i].name);
        }
    }
    log_parts_release(&parts);
}

/* Refused while there is a log; then all of it moves away, or stays beside without its state. */
static void begin_anew(struct model *model)
{
    const enum file_earlier earlier = pick(2) == 0 ? FILE_EARLIER_ASIDE : FILE_EARLIER_CONTINUE;
    char aside[PATH_MAX] = "", state[160];
    struct miguard_error error = {0};
    struct state_head head;
    struct chain_key key;

    chain_key_new(&key);
    reopen(model); /* settles what a writer left that was killed */
    write_some(model, 1);
    file_close(model->file);
    ck_assert_int_eq(file_read_head(path, &head, NULL), MIGUARD_OK);
    ck_assert_int_eq(file_init(path, &key, FILE_EARLIER_REFUSE, NULL, NULL), MIGUARD_BAD_STATE);
    if (earlier == FILE_EARLIER_CONTINUE) {
        keep_parts(model);
        snprintf(state, sizeof(state), "%s.state", path);
        ck_assert_int_eq(unlink(state), 0);
    }
    ck_assert_msg(file_init(path, &key, earlier, aside, &error) == MIGUARD_OK, "seed %llu: %s",
                  (unsigned long long)model->seed, error.detail);
    if (earlier == FILE_EARLIER_ASIDE) {
        strcat(aside, "/log");
        check_search(model, aside, head.removed_through);
        for (unsigned i = 0; i < model->kept_count; i++) {
            free(model->kept[i]); /* moved, too */
        }
        model->kept_count = 0;
    }
    memset(model->earlier, true, model->ids);
    model->keyed = true;
    model->key = key;
    model->tampered = false;
    model->begun_anew = true;
    model->file = log_file_open(&model->settings, true);
    ck_assert_ptr_nonnull(model->file);
    write_some(model, 1);
}

static void operate(struct model *model)
{
    switch (pick(20)) {
    case 0:
    case 1:
        reopen(model);
        break;
    case 2:
        kill_a_writer(model);
        break;
    case 3:
    case 4:
        put_stray();
        break;
    case 5:
        fill_up(model);
        break;
    case 6:
        if (pick(4) == 0) {
            copy_one();
        }
        break;
    case 7:
        if (pick(4) == 0) {
            pack_one();
        }
        break;
    case 8:
        if (pick(6) == 0) {
            delete_one(model);
        }
        break;
    case 9:
        if (pick(6) == 0) {
            begin_anew(model);
        }
        break;
    default:
        write_some(model, 1 + pick(30));
    }
}

static bool is_expected(const struct model *model, unsigned id, uint64_t removed)
{
    return model->acknowledged[id] && !model->lost[id] && !model->earlier[id] &&
           model->sequence[id] > removed;
}

/* ---- what must be found ---------------------------------------------------------------------- */

static void check_search(const struct model *model, const char *log, uint64_t removed)
{
    static unsigned char found[IDS];
    char **names = NULL;
    size_t count = 0;
    struct log_reader *reader = NULL;
    struct record record;
    struct read_place place;
    const char *fault = NULL;
    enum read_result result;
    uint64_t sequence, before = 0;
    char text[32];

    memset(found, 0, sizeof(found));
    ck_assert_int_eq(read_family(log, &names, &count, NULL), MIGUARD_OK);
    ck_assert_int_eq(read_open((const char *const *)names, count, READ_BY_FILE, &reader, NULL),
                     MIGUARD_OK);
    while ((result = read_next(reader, &record, &place, &fault)) != READ_END) {
        if (result != READ_RECORD) { /* torn by a kill */
            ck_assert_msg(result == READ_BROKEN, "seed %llu: %s", (unsigned long long)model->seed,
                          fault);
            continue;
        }
        ck_assert(record_number(&record, RECORD_SEQUENCE, &sequence));
        ck_assert_msg(sequence > before, "seed %llu: %llu after %llu in %s",
                      (unsigned long long)model->seed, (unsigned long long)sequence,
                      (unsigned long long)before, place.file);
        before = sequence;
        record_text(&record, RECORD_NAMESPACE, text, sizeof(text));
        if (strncmp(text, "id-", 3) == 0) {
            found[atoi(text + 3)]++;
        }
    }
    read_close(reader);
    base_free(names);
    for (unsigned i = 0; i < model->ids; i++) {
        bool expected = is_expected(model, i, removed);
        ck_assert_msg(found[i] == 1 || !expected, "seed %llu: record %u (%llu) is there %u times",
                      (unsigned long long)model->seed, i, (unsigned long long)model->sequence[i],
                      found[i]);
        ck_assert_msg(found[i] == 0 || !(model->lost[i] || model->earlier[i]),
                      "seed %llu: record %u was deleted", (unsigned long long)model->seed, i);
    }
}

static void check_verify(const struct model *model, const struct state_head *head)
{
    const char *const logs[] = {path};
    const struct verify_request request = {.logs = logs,
                                           .log_count = 1,
                                           .key = model->keyed ? &model->key : NULL,
                                           .state = head,
                                           .look_ahead = 1000,
                                           .steps = 100000};
    struct verify_report report;
    struct miguard_error error = {0};
    bool missing = false;

    for (unsigned i = 0; i < model->ids; i++) {
        missing |=
            model->lost[i] && !model->earlier[i] && model->sequence[i] > head->removed_through;
    }
    ck_assert_msg(verify_log(&request, &report, &error) == MIGUARD_OK, "seed %llu: %s",
                  (unsigned long long)model->seed, error.detail);
    bool good = missing ? report.verdict == VERIFY_TAMPERED
                        : model->tampered || report.verdict == VERIFY_INTACT;
    for (size_t i = 0; i < report.finding_count && !good; i++) {
        printf("%s: %s %llu to %llu %s\n",
               report.findings[i].file != NULL ? report.findings[i].file : "",
               verify_kind_name(report.findings[i].kind),
               (unsigned long long)report.findings[i].first,
               (unsigned long long)report.findings[i].last, report.findings[i].detail);
    }
    fflush(stdout);
    ck_assert_msg(good, "seed %llu: verdict %d", (unsigned long long)model->seed, report.verdict);
    verify_release(&report);
}

/* ---- the commands ---------------------------------------------------------------------------- */

static unsigned char told[IDS];        /* by search with a checkpoint, in both its runs */
static uint64_t gone_first, gone_last; /* what it said that was removed meanwhile */

static void read_told(FILE *file)
{
    static char line[1 << 16];
    const char *at;

    while (fgets(line, sizeof(line), file) != NULL) {
        if ((at = strstr(line, "\"namespace\":\"id-")) != NULL) {
            told[atoi(at + 16)]++;
        } else if ((at = strstr(line, "\"missing\":")) != NULL) {
            gone_first = strtoull(strstr(line, "\"first\":") + 8, NULL, 10);
            gone_last = strtoull(strstr(line, "\"last\":") + 7, NULL, 10);
        }
    }
}

static void search_on(void)
{
    char command[512];

    snprintf(command, sizeof(command),
             "cd %s; echo \"{version: 1, audit: {sinks: [{file: {path: $PWD/log}}]}}\" > p.yaml; "
             "MIGUARD_POLICY=$PWD/p.yaml $M audit search --format json --checkpoint $PWD/point "
             "2> err",
             folder);
    FILE *file = popen(command, "re");
    ck_assert_ptr_nonnull(file);
    read_told(file);
    int status = pclose(file);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) <= 1, "search: %d", status);
}

/* Each record came once: before the checkpoint or behind it; or it is said to be gone. */
static void check_told(const struct model *model, const struct state_head *head, uint64_t before)
{
    for (unsigned i = 0; i < model->ids; i++) {
        uint64_t sequence = model->sequence[i];
        ck_assert_msg(told[i] <= 1, "seed %llu: record %u is told %u times",
                      (unsigned long long)model->seed, i, told[i]);
        ck_assert_msg(told[i] == 1 || !is_expected(model, i, head->removed_through),
                      "seed %llu: record %u (%llu) is not told", (unsigned long long)model->seed, i,
                      (unsigned long long)sequence);
        bool gone = sequence >= gone_first && sequence <= gone_last;
        ck_assert_msg(told[i] == 1 || gone || model->begun_anew || !model->acknowledged[i] ||
                          sequence <= before || sequence > head->removed_through,
                      "seed %llu: record %u (%llu) is gone without a word",
                      (unsigned long long)model->seed, i, (unsigned long long)sequence);
    }
}

static pid_t start_follow(const char *out);
static void stop(pid_t follow);
static uint64_t read_shown(const char *out, const struct model *model, uint64_t removed);

/* All of the log, which is what comes behind its first record. */
static void check_follow(const struct model *model, const struct state_head *head)
{
    const struct timespec pause = {.tv_nsec = 2000000};
    const uint64_t from = head->removed_through > 0 ? head->removed_through : 1;
    uint64_t shown = 0;
    char out[160], point[160];

    snprintf(out, sizeof(out), "%s/shown", folder);
    ck_assert_int_eq(close(open(out, O_CREAT | O_WRONLY, 0600)), 0);
    snprintf(point, sizeof(point), "%s/point", folder);
    FILE *file = fopen(point, "we");
    ck_assert_ptr_nonnull(file);
    fprintf(file, "{\"miguard-follow-checkpoint\":1,\"chain\":\"%016llx\",\"sequence\":%llu}\n",
            (unsigned long long)head->chain_id, (unsigned long long)from);
    fclose(file);
    pid_t follow = start_follow(out);
    for (int i = 0; i < 5000 && shown < head->sequence; i++) {
        nanosleep(&pause, NULL);
        shown = read_shown(out, NULL, 0);
    }
    stop(follow);
    ck_assert_msg(shown == head->sequence, "seed %llu: follow came to %llu of %llu",
                  (unsigned long long)model->seed, (unsigned long long)shown,
                  (unsigned long long)head->sequence);
    (void)read_shown(out, model, from);
}

static void run_sequence(struct model *model)
{
    const bool commands = model->seed % 8 == 0;
    uint64_t before = 0;
    struct state_head head;

    random_state = model->seed;
    model->settings = log_file_settings(path);
    model->settings.sync = AUDIT_SYNC_NONE;
    model->settings.rotate_bytes = 4096 << pick(3);
    model->settings.keep = pick(2) == 0 ? 0 : 1 + pick(6);
    model->keyed = pick(2) == 0;
    if (model->keyed) {
        chain_key_new(&model->key);
        ck_assert_int_eq(file_init(path, &model->key, FILE_EARLIER_REFUSE, NULL, NULL), MIGUARD_OK);
    }
    model->file = log_file_open(&model->settings, true);
    ck_assert_ptr_nonnull(model->file);
    write_some(model, 1);
    memset(told, 0, sizeof(told));
    gone_first = gone_last = 0;
    for (unsigned i = 0; i < OPERATIONS; i++) {
        operate(model);
        if (commands && i == OPERATIONS / 2) {
            search_on();
            before = state_head(file_state(model->file))->sequence;
        }
    }
    write_some(model, 1); /* tells what was lost */
    file_close(model->file);
    ck_assert_int_eq(file_read_head(path, &head, NULL), MIGUARD_OK);
    check_search(model, path, head.removed_through);
    check_verify(model, &head);
    if (commands) {
        search_on();
        check_told(model, &head, before);
        check_follow(model, &head);
    }
    for (unsigned i = 0; i < model->kept_count; i++) {
        ck_assert_msg(access(model->kept[i], F_OK) == 0, "seed %llu: %s of an earlier log is gone",
                      (unsigned long long)model->seed, model->kept[i]);
        free(model->kept[i]);
    }
}

START_TEST(random_sequences)
{
    const char *count = getenv("SEQUENCES"), *seed = getenv("SEED");
    unsigned long sequences = count != NULL ? strtoul(count, NULL, 10) : 150;
    uint64_t first = seed != NULL ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL) * 100000;
    struct model model = {0};

    ck_assert(chain_init());
    model.acknowledged =
        mmap(NULL, IDS * 16, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(model.acknowledged, MAP_FAILED);
    model.sequence = (uint64_t *)(void *)(model.acknowledged + IDS);
    printf("audit model: %lu sequences from SEED=%llu\n", sequences, (unsigned long long)first);
    fflush(stdout);
    make_folder();
    for (unsigned long i = 0; i < sequences; i++) {
        memset(model.acknowledged, 0, IDS * 16);
        memset(model.lost, 0, sizeof(model.lost));
        memset(model.earlier, 0, sizeof(model.earlier));
        model.kept_count = 0;
        model.begun_anew = false;
        model.ids = 0;
        model.tampered = false;
        model.seed = first + i;
        run_sequence(&model);
        clean("/*");
    }
    clean("");
    munmap(model.acknowledged, IDS * 16);
}
END_TEST

/* ---- following ------------------------------------------------------------------------------- */

static pid_t start_follow(const char *out)
{
    char command[128];
    pid_t child = fork();

    if (child == 0) {
        int fd = open(out, O_WRONLY | O_CREAT | O_APPEND, 0600);
        snprintf(command, sizeof(command), "%s/miguard",
                 getenv("OUT") != NULL ? getenv("OUT") : "build");
        dup2(fd, STDOUT_FILENO);
        char point[160];
        snprintf(point, sizeof(point), "%s/point", folder);
        execl(command, "miguard", "audit", "follow", "-n", "100000", "--format", "json",
              "--checkpoint", point, path, (char *)NULL);
        _exit(127);
    }
    return child;
}

static pid_t start_writer(const struct sink_settings *settings, unsigned base)
{
    pid_t child = fork();

    if (child == 0) {
        struct log_file *file = NULL;
        enum audit_loss loss = 0;
        uint64_t sequence;
        for (int i = 0; i < 20 && file == NULL; i++) {
            file = log_file_open(settings, false);
        }
        for (unsigned i = 0; i < PER_WRITER && file != NULL; i++) {
            const struct timespec pause = {.tv_nsec = 2000000};
            while (!log_file_append(file, base + i, 600, &loss, &sequence)) {
            }
            nanosleep(&pause, NULL);
        }
        _exit(file == NULL);
    }
    return child;
}

/* In order, which makes each one of a kind; with a model, all that it expects. Gives the last. */
static uint64_t read_shown(const char *out, const struct model *model, uint64_t removed)
{
    FILE *file = fopen(out, "re");
    static unsigned char shown[IDS];
    static char line[1 << 16];
    uint64_t before = 0;
    const char *at;

    ck_assert_ptr_nonnull(file);
    memset(shown, 0, sizeof(shown));
    while (fgets(line, sizeof(line), file) != NULL) {
        struct family_place place;
        size_t length = strlen(line);
        if (line[length - 1] != '\n' || !family_line(line, length - 1, &place)) {
            break; /* being written */
        }
        ck_assert_msg(place.sequence > before, "%llu is shown after %llu",
                      (unsigned long long)place.sequence, (unsigned long long)before);
        before = place.sequence;
        at = strstr(line, "\"namespace\":\"id-");
        if (at != NULL) {
            shown[atoi(at + 16)] = 1;
        }
    }
    fclose(file);
    for (unsigned i = 0; model != NULL && i < model->ids; i++) {
        ck_assert_msg(shown[i] || !is_expected(model, i, removed),
                      "seed %llu: follow does not show record %u", (unsigned long long)model->seed,
                      i);
    }
    return before;
}

/* Each number once and in order; gives the last. */
static uint64_t check_shown(const char *out)
{
    FILE *file = fopen(out, "re");
    static char line[1 << 16];
    uint64_t before = 0;

    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        struct family_place place;
        size_t length = strlen(line);
        if (line[length - 1] != '\n' || !family_line(line, length - 1, &place)) {
            break; /* being written */
        }
        ck_assert_msg(place.sequence == before + 1, "%llu is shown after %llu",
                      (unsigned long long)place.sequence, (unsigned long long)before);
        before = place.sequence;
    }
    fclose(file);
    return before;
}

/* Before it has its own handler, SIGTERM ends it at once: the child of fork(2) has Check's handler,
 * execve(2) takes that away, and the program sets its own. */
static bool handles_sigterm(pid_t follow)
{
    unsigned long long caught = 0;
    char name[64], line[256];
    bool replaced = false;

    snprintf(name, sizeof(name), "/proc/%d/status", (int)follow);
    FILE *file = fopen(name, "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        replaced = replaced || strcmp(line, "Name:\tmiguard\n") == 0;
        sscanf(line, "SigCgt: %llx", &caught);
    }
    if (file != NULL) {
        fclose(file);
    }
    return replaced && (caught >> (SIGTERM - 1) & 1) != 0;
}

static void stop(pid_t follow)
{
    const struct timespec pause = {.tv_nsec = 2000000};
    int status = 0;

    for (int i = 0; i < 5000 && !handles_sigterm(follow); i++) {
        nanosleep(&pause, NULL);
    }
    kill(follow, SIGTERM);
    ck_assert_int_eq(waitpid(follow, &status, 0), follow);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static uint64_t wait_shown(const char *out, uint64_t least)
{
    const struct timespec pause = {.tv_nsec = 50000000};
    uint64_t shown = 0;

    for (int i = 0; i < 600 && (shown = check_shown(out)) < least; i++) {
        nanosleep(&pause, NULL);
    }
    return shown;
}

/* Eight writers, more than 50 rotations, and follow begun anew at its checkpoint in between. */
START_TEST(follow_shows_each_once)
{
    struct sink_settings settings;
    struct state_head head;
    pid_t writers[WRITERS];
    char out[160];
    int status;

    make_folder();
    snprintf(out, sizeof(out), "%s/out", folder);
    settings = log_file_settings(path);
    settings.rotate_bytes = 16384;
    settings.keep = 0;
    settings.sync = AUDIT_SYNC_NONE;
    struct log_file *file = log_file_open(&settings, true);
    uint64_t sequence;
    enum audit_loss loss;
    ck_assert(log_file_append(file, 0, 0, &loss, &sequence));
    file_close(file);
    ck_assert_int_eq(close(open(out, O_CREAT | O_WRONLY, 0600)), 0);
    pid_t follow = start_follow(out);
    ck_assert_uint_ge(wait_shown(out, 1), 1);
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i] = start_writer(&settings, 1 + i * PER_WRITER);
    }
    for (uint64_t at = 200; at <= 600; at += 200) {
        ck_assert_uint_ge(wait_shown(out, at), at);
        stop(follow);
        follow = start_follow(out);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        ck_assert_int_eq(waitpid(writers[i], &status, 0), writers[i]);
        ck_assert_int_eq(status, 0);
    }
    ck_assert_int_eq(file_read_head(path, &head, NULL), MIGUARD_OK);
    ck_assert_uint_gt(head.generation, 50);
    ck_assert_uint_eq(wait_shown(out, head.sequence), head.sequence);
    stop(follow);
    clean("");
}
END_TEST

int main(void)
{
    const char *out = getenv("OUT");
    char command[PATH_MAX], *whole = realpath(out != NULL ? out : "build", NULL);

    if (whole == NULL) {
        return 3;
    }
    snprintf(command, sizeof(command), "%.4000s/miguard", whole);
    free(whole);
    setenv("M", command, 1);
    Suite *suite = suite_create("audit model");
    TCase *tests = tcase_create("all");

    tcase_set_timeout(tests, 0);
    tcase_add_test(tests, follow_shows_each_once);
    tcase_add_test(tests, random_sequences);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
