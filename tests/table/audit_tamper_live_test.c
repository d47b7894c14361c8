/* SPDX-License-Identifier: MIT */
/*
 * The attacks of audit_tamper_test.c on logs that the log itself wrote: by several processes, over
 * rotations, some of them killed in the middle of a record. What they leave by themselves is no
 * alarm, also while they are writing; what is done to it is one, also after they have gone on.
 *
 * The verifier has the state as `miguard audit verify` has it: the head, read before the files.
 */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit/audit.h"
#include "audit/file/file.h"
#include "support/chain_log.h"
#include "support/raw.h"
#include "tools/review/verify.h"

enum { PAGES = 200, LINES = 4000, WRITERS = 4, MOST_CUT = 5, MOST_AHEAD = 100 };

enum place { ANYWHERE, FIRST, AT };

static char folder[64], path[128];
static unsigned passed, failed;
static struct chain_key first;          /* kept elsewhere */
static volatile unsigned long *written; /* records, by all writers; shared with them */
static unsigned long written_most = ULONG_MAX;

static void need(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "cannot go on: %s\n", what);
        abort();
    }
}

static void shell(const char *format, const char *a, const char *b)
{
    char command[600];

    snprintf(command, sizeof(command), format, a, b);
    need(system(command) == 0, command);
}

static bool quick(void)
{
    return getenv("QUICK") != NULL;
}

/* ---- writers -------------------------------------------------------------------------------- */

struct habit {
    uint64_t rotate_bytes;
    uint32_t keep;
    enum audit_sync sync;
};

static const struct habit usual = {.rotate_bytes = 40000, .sync = AUDIT_SYNC_NONE};

/* In a process of its own; forever, when count is 0. */
static pid_t start_writer(const struct habit *habit, unsigned long count)
{
    pid_t child = fork();

    need(child >= 0, "fork");
    if (child > 0) {
        return child;
    }
    struct sink_settings file = SINK_FILE_DEFAULT(path);
    const struct audit_settings settings = {&file, 1, 0, NULL};
    struct audit *audit = NULL;
    struct miguard_error error = {0};
    file.rotate_bytes = habit->rotate_bytes;
    file.keep = habit->keep;
    file.sync = habit->sync;
    if (audit_open(&settings, &audit, &error) != MIGUARD_OK) {
        fprintf(stderr, "audit_open: %s: %s\n", error.step, error.detail);
        _exit(1);
    }
    for (unsigned long i = 0; count == 0 || i < count; i++) {
        while (__atomic_load_n(written, __ATOMIC_RELAXED) >= written_most) {
            usleep(100);
        }
        struct audit_event event = chain_log_event(i);
        if (audit_write(audit, &event) != MIGUARD_OK) {
            _exit(2);
        }
        __atomic_add_fetch(written, 1, __ATOMIC_RELAXED);
    }
    audit_close(audit);
    _exit(0);
}

static void join(pid_t child)
{
    int status = -1;

    need(waitpid(child, &status, 0) == child && status == 0, "a writer");
}

static void write_some(const struct habit *habit, unsigned long count)
{
    join(start_writer(habit, count));
}

/* A writer that is killed wherever it is when all have written so many more; where we are not let
 * run to kill it, it waits for us. */
static void write_and_kill(const struct habit *habit, unsigned long count)
{
    unsigned long until = *written + count;
    int status = 0;

    written_most = until + MOST_AHEAD;
    pid_t child = start_writer(habit, 0);
    written_most = ULONG_MAX;

    while (__atomic_load_n(written, __ATOMIC_RELAXED) < until) {
        need(waitpid(child, &status, WNOHANG) == 0, "a writer that goes on");
    }
    kill(child, SIGKILL);
    need(waitpid(child, &status, 0) == child, "a writer that ended");
}

static void begin(bool keyed)
{
    struct miguard_error error = {0};

    shell("rm -rf '%s'/*%s", folder, "");
    first = (struct chain_key){0};
    if (keyed) {
        chain_key_new(&first);
    }
    need(file_init(path, &first, FILE_EARLIER_REFUSE, NULL, &error) == MIGUARD_OK, "file_init");
}

/* What the attacks are made on: about 120 records, three processes, one of them killed. */
static void make_log(void)
{
    begin(true);
    write_some(&usual, 60);
    write_and_kill(&usual, 20);
    write_some(&usual, 40);
}

/* ---- verifying ------------------------------------------------------------------------------ */

struct question {
    const struct chain_key *key;
    struct verify_head head; /* sequence 0: none */
    bool no_state;
};

static enum miguard_status verify(const struct question *question, struct verify_report *ret_report)
{
    const char *logs[] = {path};
    struct state_head state;
    struct miguard_error error = {0};
    struct verify_request request = {.logs = logs,
                                     .log_count = 1,
                                     .key = question->key,
                                     .heads = &question->head,
                                     .head_count = question->head.sequence > 0,
                                     .look_ahead = 1000,
                                     .steps = VERIFY_STEPS,
                                     .waits = VERIFY_WAITS};

    if (!question->no_state && file_read_head(path, &state, &error) == MIGUARD_OK) {
        request.state = &state;
    }
    enum miguard_status status = verify_log(&request, ret_report, &error);
    if (status != MIGUARD_OK) {
        fprintf(stderr, "verify_log: %s: %s\n", error.step, error.detail);
    }
    return status;
}

static void show(const struct verify_report *report)
{
    for (size_t i = 0; i < report->finding_count && i < 10; i++) {
        const struct verify_finding *finding = &report->findings[i];
        struct text text = TEXT_EMPTY;
        verify_describe(finding, &text);
        fprintf(stderr, "    %s:%llu: %s: %s\n", finding->file == NULL ? "-" : finding->file,
                (unsigned long long)finding->line, verify_kind_name(finding->kind), text.data);
        text_release(&text);
    }
}

static void verdict(bool good, const char *what, const struct verify_report *report)
{
    passed += good;
    failed += !good;
    if (!good) {
        fprintf(stderr, "%s: %llu alarms, verdict %d\n", what,
                (unsigned long long)report->by_severity[VERIFY_ALARM], (int)report->verdict);
        show(report);
    }
}

/* ---- a log on the desk ---------------------------------------------------------------------- */

struct page {
    char name[160];
    char **lines; /* without newline */
    size_t count;
};

struct desk {
    struct page pages[PAGES];
    size_t page_count;
    uint64_t at; /* the record that attacks are made on, in the middle of the second file */
    struct question question;
};

struct spot {
    struct page *page;
    size_t at;
};

static bool load_page(struct desk *desk, const char *name)
{
    struct page *page = &desk->pages[desk->page_count];
    FILE *file = fopen(name, "re");
    char *line = NULL;
    size_t size = 0;
    ssize_t length;

    if (file == NULL) {
        return false;
    }
    need(desk->page_count < PAGES, "a log of fewer files");
    snprintf(page->name, sizeof(page->name), "%s", name);
    page->lines = calloc(LINES, sizeof(*page->lines));
    page->count = 0;
    while ((length = getline(&line, &size, file)) > 0) {
        need(page->count < LINES, "a file of fewer lines");
        line[length - 1] = '\0';
        page->lines[page->count++] = strdup(line);
    }
    free(line);
    fclose(file);
    desk->page_count++;
    return true;
}

static void load(struct desk *desk)
{
    char name[160];

    desk->page_count = 0;
    for (unsigned i = 1;; i++) {
        snprintf(name, sizeof(name), "%s.%u", path, i);
        if (!load_page(desk, name)) {
            break;
        }
    }
    need(load_page(desk, path) && desk->page_count >= 3, "a log of three files");
}

static void clear_page(struct page *page)
{
    for (size_t i = 0; i < page->count; i++) {
        free(page->lines[i]);
    }
    free(page->lines);
}

/* In the files that are there, so that whoever goes on writing finds his own. */
static void save(struct desk *desk)
{
    for (size_t i = 0; i < desk->page_count; i++) {
        struct page *page = &desk->pages[i];
        FILE *file = fopen(page->name, "we");
        need(file != NULL, page->name);
        for (size_t j = 0; j < page->count; j++) {
            fprintf(file, "%s\n", page->lines[j]);
        }
        fclose(file);
        clear_page(page);
    }
    desk->page_count = 0;
}

static struct spot find(struct desk *desk, uint64_t sequence)
{
    char text[64];

    snprintf(text, sizeof(text), "\"sequence\":%llu,", (unsigned long long)sequence);
    for (size_t i = 0; i < desk->page_count; i++) {
        for (size_t j = 0; j < desk->pages[i].count; j++) {
            if (strstr(desk->pages[i].lines[j], text) != NULL) {
                return (struct spot){&desk->pages[i], j};
            }
        }
    }
    need(false, text);
    return (struct spot){0};
}

static uint64_t sequence_of(const char *line)
{
    static const char name[] = "\"sequence\":";
    const char *at = strstr(line, name);

    need(at != NULL, line);
    return strtoull(at + sizeof(name) - 1, NULL, 10);
}

static char *line_of(struct desk *desk, uint64_t sequence)
{
    struct spot spot = find(desk, sequence);
    return spot.page->lines[spot.at];
}

static void take_out(struct spot spot)
{
    free(spot.page->lines[spot.at]);
    spot.page->count--;
    memmove(spot.page->lines + spot.at, spot.page->lines + spot.at + 1,
            (spot.page->count - spot.at) * sizeof(char *));
}

static void put_in(struct spot spot, const char *line)
{
    memmove(spot.page->lines + spot.at + 1, spot.page->lines + spot.at,
            (spot.page->count - spot.at) * sizeof(char *));
    spot.page->lines[spot.at] = strdup(line);
    spot.page->count++;
}

static void change(struct spot spot, const char *from, const char *to)
{
    char *line = spot.page->lines[spot.at], *at = strstr(line, from), *changed = NULL;

    need(at != NULL, from);
    need(asprintf(&changed, "%.*s%s%s", (int)(at - line), line, to, at + strlen(from)) > 0, "text");
    spot.page->lines[spot.at] = changed;
    free(line);
}

static void hash_of(const char *line, unsigned char ret_hash[CHAIN_HASH_SIZE])
{
    need(chain_parse_hex(line + strlen(line) - 67, 64, ret_hash), "a hash");
}

static void remove_page(struct desk *desk, size_t page)
{
    need(unlink(desk->pages[page].name) == 0, "unlink");
    clear_page(&desk->pages[page]);
    desk->page_count--;
    memmove(desk->pages + page, desk->pages + page + 1,
            (desk->page_count - page) * sizeof(desk->pages[0]));
}

/* How far the killed one came decides where the last file began: it may hold next to nothing. */
static void load_for_cuts(struct desk *desk)
{
    load(desk);
    while (desk->pages[desk->page_count - 1].count <= MOST_CUT) {
        save(desk);
        write_some(&usual, MOST_CUT);
        load(desk);
    }
}

static void cut_lines(struct desk *desk, size_t lines)
{
    struct page *page = &desk->pages[desk->page_count - 1];

    need(page->count > lines, "a last file that is long enough");
    while (lines-- > 0) {
        take_out((struct spot){page, page->count - 1});
    }
}

/* Who has the host has the key in use: from the state, as the log itself takes it. */
static struct chain_log steal(void)
{
    struct log_process process = {0};
    struct sink_settings settings = SINK_FILE_DEFAULT(path);
    struct log_file *file = NULL;
    struct miguard_error error = {0};
    struct chain_log forger;
    enum audit_loss loss;

    chain_log_begin(&forger, path, true);
    need(file_open(&settings, &process, &file, &error) == MIGUARD_OK, "file_open");
    need(file_lock(file, &loss), "file_lock");
    forger.head = *state_head(file_state(file));
    file_unlock(file);
    file_close(file);
    return forger;
}

static char *forge(struct chain_log *log)
{
    struct audit_event event = chain_log_event(1);
    struct text line = TEXT_EMPTY;

    chain_log_line(log, &event, &line);
    line.data[line.length - 1] = '\0';
    return line.data;
}

/* ---- attacks -------------------------------------------------------------------------------- */

static void change_text(struct desk *desk)
{
    change(find(desk, desk->at), "Web_Server", "Web_server");
}

static void change_and_hash(struct desk *desk)
{
    const struct chain_key none = {0};
    unsigned char hash[CHAIN_HASH_SIZE];
    char hex[CHAIN_HEX_SIZE];

    change_text(desk);
    char *line = line_of(desk, desk->at);
    chain_hash(&none, line, strlen(line) - 67, hash);
    chain_hex(hash, hex);
    memcpy(line + strlen(line) - 67, hex, 64);
}

static void renumber(struct desk *desk)
{
    change(find(desk, desk->at), "\"sequence\":", "\"sequence\":1");
}

static void delete_one(struct desk *desk)
{
    take_out(find(desk, desk->at));
}

static void delete_several(struct desk *desk)
{
    for (uint64_t i = desk->at; i < desk->at + 4; i++) {
        take_out(find(desk, i));
    }
}

static void delete_first(struct desk *desk)
{
    take_out(find(desk, 1));
}

static void delete_first_file(struct desk *desk)
{
    remove_page(desk, 0);
}

static void delete_middle_file(struct desk *desk)
{
    remove_page(desk, 1);
}

static void delete_last_file(struct desk *desk)
{
    remove_page(desk, desk->page_count - 1);
}

static void cut(struct desk *desk)
{
    cut_lines(desk, 3);
}

static void cut_with_head(struct desk *desk)
{
    const struct page *page = &desk->pages[desk->page_count - 1];
    struct state_head state;
    struct miguard_error error = {0};

    need(file_read_head(path, &state, &error) == MIGUARD_OK, "the head");
    desk->question.head.sequence = state.sequence;
    hash_of(page->lines[page->count - 1], desk->question.head.hash);
    desk->question.no_state = true;
    cut_lines(desk, 3);
}

static void swap(struct desk *desk)
{
    struct spot a = find(desk, desk->at), b = find(desk, desk->at + 1);
    char *line = a.page->lines[a.at];

    a.page->lines[a.at] = b.page->lines[b.at];
    b.page->lines[b.at] = line;
}

static void duplicate(struct desk *desk)
{
    put_in(find(desk, desk->at), line_of(desk, desk->at - 1));
}

static void splice_over(struct desk *desk)
{
    struct chain_log stranger;
    struct spot spot = find(desk, desk->at);

    chain_log_begin(&stranger, path, true);
    stranger.head.sequence = desk->at - 1;
    free(spot.page->lines[spot.at]);
    spot.page->lines[spot.at] = forge(&stranger);
}

static void insert_forged(struct desk *desk)
{
    struct spot spot = find(desk, desk->at);

    put_in(spot, line_of(desk, desk->at - 1));
    change(spot, "Web_Server", "Web_server");
    char from[64], to[64];
    snprintf(from, sizeof(from), "\"sequence\":%llu,", (unsigned long long)desk->at - 1);
    snprintf(to, sizeof(to), "\"sequence\":%llu,", (unsigned long long)desk->at);
    change(spot, from, to);
}

static void insert_garbage(struct desk *desk)
{
    put_in(find(desk, desk->at), "nothing");
}

static void reseal(struct desk *desk)
{
    struct chain_log forger = steal();
    struct spot spot = find(desk, desk->at);

    forger.head.sequence = desk->at - 1;
    hash_of(line_of(desk, desk->at - 1), forger.head.hash);
    free(spot.page->lines[spot.at]);
    spot.page->lines[spot.at] = forge(&forger);
}

static void continue_cut(struct desk *desk)
{
    struct chain_log forger = steal();
    struct page *page = &desk->pages[desk->page_count - 1];

    cut_lines(desk, MOST_CUT);
    forger.head.sequence -= MOST_CUT;
    hash_of(page->lines[page->count - 1], forger.head.hash);
    for (int i = 0; i < 10; i++) {
        char *line = forge(&forger);
        put_in((struct spot){page, page->count}, line);
        free(line);
    }
    desk->question.no_state = true;
}

static void use_wrong_key(struct desk *desk)
{
    static struct chain_key key;

    chain_key_new(&key);
    desk->question.key = &key;
}

/* ---- and the writers go on ------------------------------------------------------------------ */

static void go_on(struct desk *desk)
{
    save(desk);
    write_some(&usual, 30);
}

static void restart_after_change(struct desk *desk)
{
    change_text(desk);
    go_on(desk);
}

static void restart_after_cut(struct desk *desk)
{
    cut_lines(desk, 3);
    go_on(desk);
}

static void restart_after_cut_in_line(struct desk *desk)
{
    struct stat status;

    save(desk);
    need(stat(path, &status) == 0 && truncate(path, status.st_size - 100) == 0, "truncate");
    write_some(&usual, 30);
}

static void restart_without_last_file(struct desk *desk)
{
    delete_last_file(desk);
    go_on(desk);
}

static void restart_behind_garbage(struct desk *desk)
{
    struct page *page = &desk->pages[desk->page_count - 1];

    put_in((struct spot){page, page->count}, "nothing");
    go_on(desk);
}

static void restart_without_state(struct desk *desk)
{
    save(desk);
    shell("rm '%s%s'", path, ".state");
    write_some(&usual, 30);
}

static void restart_without_anything(struct desk *desk)
{
    save(desk);
    shell("rm '%s'*%s", path, "");
    write_some(&usual, 30);
}

static const struct attack {
    const char *name;
    void (*run)(struct desk *desk);
    enum verify_kind kind; /* of the first alarm */
    enum place place;      /* of the first alarm: where this record was */
} attacks[] = {
#define ROW(run, kind, place)                                                                      \
    {                                                                                              \
#run, run, VERIFY_##kind, place                                                            \
    }
    ROW(change_text, EDITED, AT),
    ROW(change_and_hash, EDITED, AT),
    ROW(renumber, EDITED, AT),
    ROW(delete_one, DELETED, AT),
    ROW(delete_several, DELETED, AT),
    ROW(delete_first, MISSING_START, FIRST),
    ROW(delete_first_file, MISSING_START, ANYWHERE),
    ROW(delete_middle_file, MISSING_FILE, ANYWHERE),
    ROW(delete_last_file, CUT, ANYWHERE),
    ROW(cut, CUT, ANYWHERE),
    ROW(cut_with_head, CUT, ANYWHERE),
    ROW(swap, REORDERED, AT),
    ROW(duplicate, DUPLICATED, AT),
    ROW(splice_over, FOREIGN, AT),
    ROW(insert_forged, INSERTED, AT),
    ROW(insert_garbage, BROKEN, AT),
    ROW(reseal, RESEALED, AT),
    ROW(continue_cut, CONTINUED, ANYWHERE),
    ROW(use_wrong_key, WRONG_KEY, ANYWHERE),
    ROW(restart_after_change, EDITED, AT),
    ROW(restart_after_cut, NOTICED_CUT, ANYWHERE),
    ROW(restart_after_cut_in_line, BROKEN, ANYWHERE),
    ROW(restart_without_last_file, NOTICED_CUT, ANYWHERE),
    ROW(restart_behind_garbage, BROKEN, ANYWHERE),
    ROW(restart_without_state, RESTARTED, ANYWHERE),
    ROW(restart_without_anything, WRONG_KEY, ANYWHERE),
};

static const struct verify_finding *first_alarm(const struct verify_report *report)
{
    for (size_t i = 0; i < report->finding_count; i++) {
        if (verify_kind_severity(report->findings[i].kind) == VERIFY_ALARM) {
            return &report->findings[i];
        }
    }
    return NULL;
}

static void run(const struct attack *attack)
{
    static struct desk desk;
    struct verify_report report = {0};
    char file[160] = "";
    uint64_t line = 0;

    make_log();
    desk = (struct desk){.question = {.key = &first}};
    load_for_cuts(&desk);
    desk.at = sequence_of(desk.pages[1].lines[desk.pages[1].count / 2]);
    if (attack->place != ANYWHERE) {
        struct spot spot = find(&desk, attack->place == AT ? desk.at : 1);
        memcpy(file, spot.page->name, sizeof(file));
        line = spot.at + 1;
    }
    attack->run(&desk);
    save(&desk);
    bool told = verify(&desk.question, &report) == MIGUARD_OK;
    const struct verify_finding *alarm = first_alarm(&report);
    verdict(told && report.verdict == VERIFY_TAMPERED && alarm != NULL &&
                alarm->kind == attack->kind &&
                (attack->place == ANYWHERE ||
                 (alarm->file != NULL && strcmp(alarm->file, file) == 0 && alarm->line == line)),
            attack->name, &report);
    verify_release(&report);
}

/* ---- honest writers ------------------------------------------------------------------------- */

static void expect_intact(const char *what)
{
    const struct question question = {.key = first.present ? &first : NULL};
    struct verify_report report = {0};
    bool told = verify(&question, &report) == MIGUARD_OK;

    verdict(told && report.verdict == VERIFY_INTACT && report.by_severity[VERIFY_ALARM] == 0 &&
                report.records > 0,
            what, &report);
    verify_release(&report);
}

static void run_one_process(bool keyed)
{
    begin(keyed);
    write_some(&usual, 200);
    expect_intact("one process");
    write_some(&usual, 200);
    expect_intact("one process, opened again");
}

/* More than an epoch, so that there are seals. */
static void run_processes(const struct habit *habit, const char *what)
{
    pid_t writers[WRITERS];

    begin(true);
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = start_writer(habit, 400);
    }
    for (int i = 0; i < WRITERS; i++) {
        join(writers[i]);
    }
    expect_intact(what);
}

static void run_kills(bool keyed)
{
    int kills = quick() ? 10 : 30;

    begin(keyed);
    for (int i = 0; i < kills; i++) {
        write_and_kill(&usual, 5 + (unsigned long)(i * 7) % 40);
        expect_intact(keyed ? "killed, with a key" : "killed, without a key");
    }
    write_some(&usual, 20);
    expect_intact("killed, and opened again");
}

/* Nothing can be proved while the files change faster than they can be listed, but what is said is
 * no alarm either. */
static void run_while_written(const struct habit *habit, const char *what)
{
    const struct question question = {.key = &first};
    int rounds = quick() ? 10 : 25, killed = 0;
    pid_t writers[WRITERS];

    begin(true);
    write_some(habit, 10);
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = start_writer(habit, 0);
    }
    for (int i = 0; i < rounds; i++) {
        struct verify_report report = {0};
        enum miguard_status status = verify(&question, &report);
        verdict(status == MIGUARD_OK && report.by_severity[VERIFY_ALARM] == 0, what, &report);
        verify_release(&report);
        if (i % 5 == 4) { /* one is killed, another takes its place */
            int at = killed++ % WRITERS;
            kill(writers[at], SIGKILL);
            waitpid(writers[at], NULL, 0);
            writers[at] = start_writer(habit, 0);
        }
        if (i % 10 == 9) {
            unsigned long until = *written + 200;
            while (__atomic_load_n(written, __ATOMIC_RELAXED) < until) {
                usleep(1000);
            }
        }
    }
    for (int i = 0; i < WRITERS; i++) {
        kill(writers[i], SIGKILL);
        waitpid(writers[i], NULL, 0);
    }
    write_some(habit, 10);
    expect_intact(what);
}

int main(void)
{
    const struct habit kept = {.rotate_bytes = 400000, .keep = 3, .sync = AUDIT_SYNC_NONE};
    const struct habit synced = {.rotate_bytes = 40000, .sync = AUDIT_SYNC_ALL};
    const struct habit large = {.rotate_bytes = 2000000, .keep = 4, .sync = AUDIT_SYNC_NONE};

    if (RAW_HIDDEN_THREAD) { /* processes with one thread each: nothing that it could see */
        printf("skip: attacks on real logs: there are no threads in it for ThreadSanitizer\n"
               "0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    strcpy(folder, "/tmp/miguard-tamper-live-XXXXXX");
    need(mkdtemp(folder) != NULL && chain_init(), "a folder");
    snprintf(path, sizeof(path), "%s/audit.jsonl", folder);
    written =
        mmap(NULL, sizeof(*written), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    need(written != MAP_FAILED, "mmap");
    run_one_process(true);
    run_one_process(false);
    run_processes(&usual, "four processes");
    run_processes(&kept, "four processes, retention");
    run_processes(&synced, "four processes, synced");
    run_kills(true);
    run_kills(false);
    run_while_written(&large, "while four write");
    for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
        run(&attacks[i]);
    }
    shell("rm -rf '%s'%s", folder, "");
    printf("%u passed, %u failed\n", passed, failed);
    return failed > 0;
}
