/* SPDX-License-Identifier: MIT */
/*
 * What somebody may do to a log, and what must be said of it: the kind and the file and line of the
 * first alarm. And what honest writers leave when they are killed or the system goes down, of which
 * no alarm may be raised.
 *
 * The log has records 1 to about 120 in three files, in epochs of 8. A place is given as the number
 * of the record that stood there before the attack; attacks know nothing of the layout but what
 * they find, so that make_log() may also be another way to come by an honest log.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "support/chain_log.h"
#include "support/verify_ways.h"
#include "tools/review/verify.h"

enum { PAGES = 12, END = -1, NOWHERE = -2 };

/* ---- a log on the desk ---------------------------------------------------------------------- */

struct page {
    char name[160];
    char **lines; /* without newline */
    size_t count;
};

struct desk {
    struct chain_log log; /* as the honest writer left it */
    struct page pages[PAGES];
    size_t page_count;
    struct verify_head heads[2];
    size_t head_count;
    const struct chain_key *key;
    const struct state_head *state;
    bool own_order; /* give the files one by one, the last first */
};

static char folder[64];
static unsigned passed, failed;

static void need(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "cannot go on: %s\n", what);
        abort();
    }
}

static void clear_folder(void)
{
    char command[160];
    snprintf(command, sizeof(command), "rm -f '%s'/*", folder);
    need(system(command) == 0, command);
}

static void log_name(char name[128])
{
    snprintf(name, 128, "%s/audit.jsonl", folder);
}

/* The one place where honest logs come from. */
static void make_log(struct chain_log *log, bool keyed)
{
    char path[128];

    clear_folder();
    log_name(path);
    chain_log_begin(log, path, keyed);
    log->rotate_every = 40;
    chain_log_fill(log, 50);
    chain_log_other_process(log);
    chain_log_fill(log, 50);
}

static void load_page(struct desk *desk, const char *name)
{
    struct page *page = &desk->pages[desk->page_count];
    FILE *file = fopen(name, "re");
    size_t size = 0;
    ssize_t length;
    char *line = NULL;

    if (file == NULL) {
        return;
    }
    snprintf(page->name, sizeof(page->name), "%s", name);
    page->lines = calloc(1000, sizeof(*page->lines));
    page->count = 0;
    while ((length = getline(&line, &size, file)) > 0) {
        line[length - 1] = '\0';
        page->lines[page->count++] = strdup(line);
    }
    free(line);
    fclose(file);
    desk->page_count++;
}

static void load(struct desk *desk)
{
    char path[128], name[160];

    desk->page_count = 0;
    log_name(path);
    for (unsigned i = 1; i < desk->log.head.generation; i++) {
        snprintf(name, sizeof(name), "%s.%u", path, i);
        load_page(desk, name);
    }
    load_page(desk, path);
}

static void save(const struct desk *desk)
{
    clear_folder();
    for (size_t i = 0; i < desk->page_count; i++) {
        const struct page *page = &desk->pages[i];
        for (size_t j = 0; j < page->count; j++) {
            chain_log_append(page->name, page->lines[j], strlen(page->lines[j]));
            chain_log_append(page->name, "\n", 1);
        }
    }
}

static void clear_desk(struct desk *desk)
{
    for (size_t i = 0; i < desk->page_count; i++) {
        for (size_t j = 0; j < desk->pages[i].count; j++) {
            free(desk->pages[i].lines[j]);
        }
        free(desk->pages[i].lines);
    }
    desk->page_count = 0;
}

struct spot {
    struct page *page;
    size_t at;
};

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

static void set_line(struct spot spot, const char *line)
{
    char *copy = strdup(line);
    free(spot.page->lines[spot.at]);
    spot.page->lines[spot.at] = copy;
}

static char *line_of(struct desk *desk, uint64_t sequence)
{
    struct spot spot = find(desk, sequence);
    return spot.page->lines[spot.at];
}

/* Replaces text in a line by another, of any length. */
static void change(struct spot spot, const char *from, const char *to)
{
    const char *line = spot.page->lines[spot.at], *at = strstr(line, from);
    char *changed = calloc(1, strlen(line) + strlen(to) + 1);

    need(at != NULL, from);
    sprintf(changed, "%.*s%s%s", (int)(at - line), line, to, at + strlen(from));
    set_line(spot, changed);
    free(changed);
}

/* What the attacker writes, with whatever head and key log has at present; log moves on. */
static char *forge(struct chain_log *log, const struct audit_event *event)
{
    struct text line = TEXT_EMPTY;

    chain_log_line(log, event, &line);
    line.data[line.length - 1] = '\0';
    return line.data;
}

static char *forge_plain(struct chain_log *log)
{
    struct audit_event event = chain_log_event(1);
    return forge(log, &event);
}

static void cut_behind(struct desk *desk, uint64_t sequence)
{
    struct spot spot = find(desk, sequence);
    size_t keep = (size_t)(spot.page - desk->pages) + 1;

    while (spot.page->count > spot.at + 1) {
        take_out((struct spot){spot.page, spot.page->count - 1});
    }
    while (desk->page_count > keep) {
        struct page *page = &desk->pages[--desk->page_count];
        for (size_t i = 0; i < page->count; i++) {
            free(page->lines[i]);
        }
        free(page->lines);
    }
}

static void append(struct desk *desk, const char *line)
{
    struct page *page = &desk->pages[desk->page_count - 1];
    put_in((struct spot){page, page->count}, line);
}

/* The hash of a line, as it stands in it. */
static void hash_of(const char *line, unsigned char ret_hash[CHAIN_HASH_SIZE])
{
    need(chain_parse_hex(line + strlen(line) - 67, 64, ret_hash), "a hash");
}

/* Makes the hash of a line fit again, for who has no key. */
static void hash_anew(char *line)
{
    const struct chain_key none = {0};
    unsigned char hash[CHAIN_HASH_SIZE];
    char hex[CHAIN_HEX_SIZE];

    chain_hash(&none, line, strlen(line) - 67, hash);
    chain_hex(hash, hex);
    memcpy(line + strlen(line) - 67, hex, 64);
}

static void remove_page(struct desk *desk, size_t page)
{
    for (size_t i = 0; i < desk->pages[page].count; i++) {
        free(desk->pages[page].lines[i]);
    }
    free(desk->pages[page].lines);
    desk->page_count--;
    memmove(desk->pages + page, desk->pages + page + 1,
            (desk->page_count - page) * sizeof(desk->pages[0]));
}

/* ---- attacks -------------------------------------------------------------------------------- */

static void change_text(struct desk *desk)
{
    change(find(desk, 50), "Web_Server", "Web_server");
}

static void change_and_hash(struct desk *desk)
{
    change_text(desk);
    hash_anew(line_of(desk, 50));
}

static void append_behind_hash(struct desk *desk)
{
    change(find(desk, 50), "\"}}", "\"}} ");
}

static void renumber(struct desk *desk)
{
    change(find(desk, 50), "\"sequence\":50,", "\"sequence\":70,");
}

static void renumber_far(struct desk *desk)
{
    change(find(desk, 50), "\"sequence\":50,", "\"sequence\":5000000000000000,");
}

static void change_chain(struct desk *desk)
{
    change(find(desk, 50), "\"chain\":{\"id\":\"",
           "\"chain\":{\"id\":\"0000000000000001\",\"x\":\"");
}

static void delete_one(struct desk *desk)
{
    take_out(find(desk, 50));
}

static void delete_several(struct desk *desk)
{
    for (uint64_t i = 45; i <= 55; i++) {
        take_out(find(desk, i));
    }
}

static void delete_many(struct desk *desk) /* more spots than are kept */
{
    for (uint64_t i = 2; i < 100; i += 2) {
        take_out(find(desk, i));
    }
}

static void delete_first(struct desk *desk)
{
    take_out(find(desk, 1));
}

static void replace_many_by_forged(struct desk *desk)
{
    delete_several(desk);
    put_in(find(desk, 56), line_of(desk, 44));
    change(find(desk, 44), "\"sequence\":44,", "\"sequence\":45,");
    char *line = strdup(line_of(desk, 45));
    take_out(find(desk, 45));
    change(find(desk, 44), "Web_Server", "Web_server");
    free(line);
}

static void cut(struct desk *desk)
{
    cut_behind(desk, 90);
}

static void cut_with_head(struct desk *desk)
{
    desk->heads[0].sequence = 95;
    hash_of(line_of(desk, 95), desk->heads[0].hash);
    desk->head_count = 1;
    cut(desk);
}

static void cut_with_state(struct desk *desk)
{
    cut(desk);
    desk->state = &desk->log.head;
}

static void cut_in_line(struct desk *desk)
{
    cut(desk);
    char *line = line_of(desk, 90);
    line[100] = '\0';
    desk->state = &desk->log.head;
}

static void delete_last_file(struct desk *desk)
{
    remove_page(desk, 2);
    desk->state = &desk->log.head;
}

static void delete_middle_file(struct desk *desk)
{
    remove_page(desk, 1);
}

static void delete_first_file(struct desk *desk)
{
    remove_page(desk, 0);
}

static void swap(struct desk *desk)
{
    struct spot a = find(desk, 50), b = find(desk, 51);
    char *line = a.page->lines[a.at];
    a.page->lines[a.at] = b.page->lines[b.at];
    b.page->lines[b.at] = line;
}

static void move_behind(struct desk *desk)
{
    char *line = strdup(line_of(desk, 50));
    take_out(find(desk, 50));
    put_in(find(desk, 61), line);
    free(line);
}

static void swap_far(struct desk *desk)
{
    struct spot a = find(desk, 50), b = find(desk, 60);
    char *line = a.page->lines[a.at];
    a.page->lines[a.at] = b.page->lines[b.at];
    b.page->lines[b.at] = line;
}

static void duplicate(struct desk *desk)
{
    put_in(find(desk, 51), line_of(desk, 50));
}

static void replay(struct desk *desk)
{
    put_in(find(desk, 90), line_of(desk, 10));
}

static void copy_file(struct desk *desk) /* a file is there twice, under another name */
{
    struct page *copy = &desk->pages[desk->page_count++];
    *copy = desk->pages[1];
    copy->lines = calloc(1000, sizeof(*copy->lines));
    for (size_t i = 0; i < copy->count; i++) {
        copy->lines[i] = strdup(desk->pages[1].lines[i]);
    }
    snprintf(copy->name, sizeof(copy->name), "%s/audit.jsonl.77", folder);
}

/* A line of another host's log, with the number that fits here. */
static char *foreign_line(struct desk *desk, uint64_t sequence)
{
    struct chain_log stranger;

    chain_log_begin(&stranger, desk->log.path, true);
    stranger.head.sequence = sequence - 1;
    return forge_plain(&stranger);
}

static void splice_over(struct desk *desk)
{
    char *line = foreign_line(desk, 50);
    set_line(find(desk, 50), line);
    free(line);
}

static void splice_in(struct desk *desk)
{
    char *line = foreign_line(desk, 50);
    put_in(find(desk, 50), line);
    free(line);
}

static void insert_forged(struct desk *desk)
{
    char *line = strdup(line_of(desk, 49));
    put_in(find(desk, 50), line);
    struct spot spot = find(desk, 50);
    spot.at--;
    change(spot, "Web_Server", "Web_server");
    change(spot, "\"sequence\":49,", "\"sequence\":50,");
    free(line);
}

static void insert_garbage(struct desk *desk)
{
    put_in(find(desk, 50), "nothing");
}

static void insert_empty(struct desk *desk)
{
    put_in(find(desk, 50), "");
}

static void make_unreadable(struct desk *desk)
{
    set_line(find(desk, 50), "{\"@timestamp\":");
}

static void join_lines(struct desk *desk)
{
    char both[8192];
    snprintf(both, sizeof(both), "%s%s", line_of(desk, 50), line_of(desk, 51));
    set_line(find(desk, 50), both);
    take_out((struct spot){find(desk, 52).page, find(desk, 52).at - 1});
}

/* The attacker writes with the key in use at record sequence, as if it came behind the record that
 * stands before it. */
static struct chain_log thief(struct desk *desk, uint64_t sequence)
{
    struct chain_log forger = desk->log;

    forger.head.sequence = sequence - 1;
    hash_of(line_of(desk, sequence - 1), forger.head.hash);
    forger.head.epoch = (sequence - 1) / forger.epoch_size + 1;
    return forger;
}

static void reseal(struct desk *desk)
{
    struct chain_log forger = thief(desk, 50);
    char *line = forge_plain(&forger);
    set_line(find(desk, 50), line);
    free(line);
}

/* With one key for all of them, or moved on as the log does. */
static void reseal_run(struct desk *desk, bool same_key, bool epochs)
{
    struct chain_log forger = thief(desk, 50);
    struct chain_key key = forger.head.key;

    for (uint64_t i = 50; i <= 60; i++) {
        forger.head.epoch += epochs ? 7 : 0;
        char *line = forge_plain(&forger);
        set_line(find(desk, i), line);
        free(line);
        forger.head.key = same_key ? key : forger.head.key;
    }
}

static void reseal_one_key(struct desk *desk)
{
    reseal_run(desk, true, false);
}

static void reseal_moving(struct desk *desk)
{
    reseal_run(desk, false, false);
}

static void reseal_epochs(struct desk *desk)
{
    reseal_run(desk, false, true);
}

static void continue_cut(struct desk *desk)
{
    struct chain_log forger = thief(desk, 61);

    cut_behind(desk, 60);
    for (int i = 0; i < 50; i++) {
        char *line = forge_plain(&forger);
        append(desk, line);
        free(line);
    }
    desk->state = &desk->log.head; /* the attacker's state says the same as the honest one did */
    desk->log.head.sequence = forger.head.sequence;
    memcpy(desk->log.head.hash, forger.head.hash, CHAIN_HASH_SIZE);
}

/* As the state has it, so that the key is right. */
static void continue_at_number(struct desk *desk)
{
    struct chain_log forger = desk->log;

    cut_behind(desk, 60);
    for (int i = 0; i < 5; i++) {
        char *line = forge_plain(&forger);
        append(desk, line);
        free(line);
    }
}

static void continue_explained(struct desk *desk, bool reboot)
{
    struct chain_log forger = desk->log;
    struct audit_lost lost;
    uint64_t last = forger.head.sequence;

    cut_behind(desk, 60);
    if (reboot) {
        chain_log_reboot(&forger);
    }
    struct audit_event event = chain_log_loss(&lost, AUDIT_LOSS_CRASH, last - 60, 61, last);
    char *line = forge(&forger, &event);
    append(desk, line);
    free(line);
}

static void explain_by_crash(struct desk *desk)
{
    continue_explained(desk, false);
}

static void explain_by_reboot(struct desk *desk)
{
    continue_explained(desk, true);
}

static void
explain_deleted(struct desk *desk) /* without any key, in the place of what is deleted */
{
    struct chain_log forger = thief(desk, 50);
    struct audit_lost lost;
    struct audit_event event = chain_log_loss(&lost, AUDIT_LOSS_CRASH, 6, 49, 54);

    chain_key_new(&forger.head.key);
    chain_log_reboot(&forger);
    for (uint64_t i = 50; i <= 54; i++) {
        take_out(find(desk, i));
    }
    char *line = forge(&forger, &event);
    set_line(find(desk, 55), line);
    free(line);
}

static void
explain_garbage(struct desk *desk) /* a loss that is declared is used for another line */
{
    char *line = line_of(desk, 50);
    line[60] = '\0';
    put_in(find(desk, 52), "more than was declared");
}

static void remove_seals(struct desk *desk)
{
    for (size_t i = 0; i < desk->page_count; i++) {
        for (size_t j = 0; j < desk->pages[i].count;) {
            if (strstr(desk->pages[i].lines[j], "audit-seal") != NULL) {
                take_out((struct spot){&desk->pages[i], j});
            } else {
                j++;
            }
        }
    }
}

/* A new log with all records, without the one that incriminates. */
static void make_anew(struct desk *desk, const struct chain_key *first, uint64_t id, uint64_t epoch)
{
    struct chain_log forger = desk->log;
    uint64_t number = 0;

    forger.head = (struct state_head){.chain_id = id, .epoch = epoch, .key = *first};
    for (size_t i = 0; i < desk->page_count; i++) {
        for (size_t j = 0; j < desk->pages[i].count; j++) {
            struct audit_event event = chain_log_event(++number);
            char *line = forge(&forger, &event);
            set_line((struct spot){&desk->pages[i], j}, line);
            free(line);
        }
    }
}

static void make_unkeyed(struct desk *desk)
{
    make_anew(desk, &(struct chain_key){0}, desk->log.head.chain_id, 0);
}

static void make_unkeyed_other(struct desk *desk)
{
    make_anew(desk, &(struct chain_key){0}, 77, 0);
}

static void make_keyed_other(struct desk *desk)
{
    struct chain_key key;
    chain_key_new(&key);
    make_anew(desk, &key, chain_id_of_key(&key), 1);
}

static void make_keyed_same(struct desk *desk)
{
    struct chain_key key;
    chain_key_new(&key);
    make_anew(desk, &key, desk->log.head.chain_id, 1);
}

static void take_off_chain(struct desk *desk)
{
    for (size_t i = 0; i < desk->page_count; i++) {
        for (size_t j = 0; j < desk->pages[i].count; j++) {
            char *line = desk->pages[i].lines[j];
            char *chain = strstr(line, ",\"chain\":{"), *end = strstr(chain, "}}");
            char *copy = calloc(1, strlen(line) + 1);
            sprintf(copy, "%.*s%s", (int)(chain - line), line, end + 1);
            copy[strlen(copy) - 76] = '\0';
            strcat(copy, "}}");
            set_line((struct spot){&desk->pages[i], j}, copy);
            free(copy);
        }
    }
}

static void use_wrong_key(struct desk *desk)
{
    static struct chain_key key;
    chain_key_new(&key);
    desk->key = &key;
}

static void keep_wrong_head(struct desk *desk)
{
    desk->heads[0].sequence = 50;
    hash_of(line_of(desk, 51), desk->heads[0].hash);
    desk->head_count = 1;
}

/* The honest writer finds its log cut when it is opened again. */
static void restart_after_cut(struct desk *desk)
{
    struct chain_log writer = desk->log;
    struct audit_lost lost;
    uint64_t last = writer.head.sequence;
    struct audit_event event = chain_log_loss(&lost, AUDIT_LOSS_CUT, last - 90, 91, last);

    cut_behind(desk, 90);
    char *line = forge(&writer, &event);
    append(desk, line);
    free(line);
    for (int i = 0; i < 5; i++) {
        line = forge_plain(&writer);
        append(desk, line);
        free(line);
    }
}

/* The honest writer finds no state and begins a new chain in the same file. */
static void delete_state(struct desk *desk)
{
    struct chain_log writer = desk->log;
    struct chain_key key;
    struct audit_lost lost;
    struct audit_event event = chain_log_loss(&lost, AUDIT_LOSS_CUT, 1, 0, 0);

    chain_key_new(&key);
    writer.head = (struct state_head){.chain_id = chain_id_of_key(&key), .epoch = 1, .key = key};
    char *line = forge(&writer, &event);
    append(desk, line);
    free(line);
    for (int i = 0; i < 30; i++) {
        line = forge_plain(&writer);
        append(desk, line);
        free(line);
    }
}

static void delete_state_of_unkeyed(struct desk *desk)
{
    delete_state(desk);
    desk->key = NULL;
}

/* What a writer leaves that has set the state aside, and 30 records behind it. */
static void go_on_aside(struct desk *desk, struct chain_log *writer, const char *key)
{
    const struct audit_set_aside aside = {"heads", key, "audit.jsonl.state.damaged-1"};
    const struct audit_event event = {.action = AUDIT_ACTION_STATE_SET_ASIDE, .set_aside = &aside};
    char *line = forge(writer, &event);

    append(desk, line);
    free(line);
    for (int i = 0; i < 30; i++) {
        line = forge_plain(writer);
        append(desk, line);
        free(line);
    }
}

static void set_aside_with_key(struct desk *desk)
{
    struct chain_log writer = desk->log;
    go_on_aside(desk, &writer, "kept");
}

static void lose_key(struct desk *desk, struct chain_log *writer)
{
    *writer = desk->log;
    writer->head.chain_id = 77;
    writer->head.epoch = 0;
    memset(&writer->head.key, 0, sizeof(writer->head.key));
}

static void set_aside_without_key(struct desk *desk)
{
    struct chain_log writer;

    lose_key(desk, &writer);
    go_on_aside(desk, &writer, "lost");
}

static void set_aside_unkeyed(struct desk *desk)
{
    struct chain_log writer = desk->log;
    go_on_aside(desk, &writer, "none");
}

static void keep_head(struct desk *desk, uint64_t sequence)
{
    desk->heads[0].sequence = sequence;
    hash_of(line_of(desk, sequence), desk->heads[0].hash);
    desk->head_count = 1;
}

static void set_aside_unkeyed_with_head(struct desk *desk)
{
    keep_head(desk, desk->log.head.sequence);
    set_aside_unkeyed(desk);
}

/* The end was cut, before the state was set aside or behind it. */
static void set_aside_behind_cut_with_head(struct desk *desk)
{
    keep_head(desk, 95);
    cut(desk);
    struct chain_log writer;
    lose_key(desk, &writer);
    writer.head.sequence = 90;
    hash_of(line_of(desk, 90), writer.head.hash);
    go_on_aside(desk, &writer, "lost");
}

static void cut_before_set_aside(struct desk *desk)
{
    cut(desk);
    set_aside_without_key(desk);
}

static void set_aside_names_another(struct desk *desk)
{
    struct chain_log writer;

    lose_key(desk, &writer);
    writer.head.hash[0] ^= 1;
    go_on_aside(desk, &writer, "lost");
}

static void set_aside_unkeyed_behind_cut_with_head(struct desk *desk)
{
    keep_head(desk, 95);
    cut(desk);
    struct chain_log writer = desk->log;
    writer.head.sequence = 90;
    hash_of(line_of(desk, 90), writer.head.hash);
    go_on_aside(desk, &writer, "none");
}

static void without_key(struct desk *desk)
{
    desk->key = NULL;
}

static void delete_without_key(struct desk *desk)
{
    desk->key = NULL;
    delete_one(desk);
}

static void renumber_without_key(struct desk *desk)
{
    desk->key = NULL;
    renumber(desk);
}

static void change_hash_without_key(struct desk *desk)
{
    desk->key = NULL;
    hash_anew(line_of(desk, 50));
}

static void delete_seal_without_key(struct desk *desk)
{
    desk->key = NULL;
    change(find(desk, 48), "\"audit-seal\"", "\"audit-sail\"");
}

static void remake_unkeyed_with_head(struct desk *desk)
{
    desk->heads[0].sequence = 90;
    hash_of(line_of(desk, 90), desk->heads[0].hash);
    desk->head_count = 1;
    make_unkeyed(desk);
}

/* ---- honest things -------------------------------------------------------------------------- */

static void nothing(struct desk *desk)
{
    desk->state = &desk->log.head;
    desk->heads[0].sequence = 50;
    hash_of(line_of(desk, 50), desk->heads[0].hash);
    desk->heads[1].sequence = desk->log.head.sequence;
    memcpy(desk->heads[1].hash, desk->log.head.hash, CHAIN_HASH_SIZE);
    desk->head_count = 2;
}

static void any_order(struct desk *desk)
{
    desk->own_order = true;
}

static void write_more(struct desk *desk) /* than the head that was kept, and than the state */
{
    static struct state_head before;

    before = desk->log.head;
    nothing(desk);
    desk->state = &before;
    for (int i = 0; i < 5; i++) {
        char *line = forge_plain(&desk->log);
        append(desk, line);
        free(line);
    }
}

static void set_clock_back(struct desk *desk)
{
    desk->log.clock_shift = -7200;
    for (int i = 0; i < 5; i++) {
        char *line = forge_plain(&desk->log);
        append(desk, line);
        free(line);
    }
}

/* The system goes down before the last records are on the disk. */
static void crash(struct desk *desk)
{
    struct chain_log writer = desk->log;
    struct audit_lost lost;
    uint64_t last = writer.head.sequence, lost_count = writer.head.epoch_records;
    uint64_t first = last - (lost_count == 0 || lost_count > 5 ? 1 : lost_count) + 1;

    cut_behind(desk, first - 1);
    chain_log_reboot(&writer);
    struct audit_event event =
        chain_log_loss(&lost, AUDIT_LOSS_CRASH, last - first + 1, first, last);
    char *line = forge(&writer, &event);
    append(desk, line);
    free(line);
    line = forge_plain(&writer);
    append(desk, line);
    free(line);
}

static void crash_unopened(struct desk *desk) /* and nobody opened the log since */
{
    static struct state_head state;

    for (size_t i = 0; i < desk->page_count; i++) {
        for (size_t j = 0; j < desk->pages[i].count; j++) {
            free(desk->pages[i].lines[j]);
        }
        if (i > 0) {
            free(desk->pages[i].lines);
        }
    }
    char path[128];
    log_name(path);
    chain_log_begin(&desk->log, path, true);
    chain_log_reboot(&desk->log);
    desk->key = &desk->log.first;
    desk->page_count = 1;
    desk->pages[0].count = 0;
    snprintf(desk->pages[0].name, sizeof(desk->pages[0].name), "%s", path);
    for (int i = 0; i < 5; i++) {
        char *line = forge_plain(&desk->log);
        append(desk, line);
        free(line);
    }
    state = desk->log.head;
    state.synced = 3;
    cut_behind(desk, 4);
    desk->state = &state;
}

/* ---- the table ------------------------------------------------------------------------------ */

static const struct attack {
    const char *name;
    void (*run)(struct desk *desk);
    bool keyed;
    int kind;         /* of the first alarm; NOWHERE: none may be raised */
    int place;        /* where the record with this number was; END: behind the last line left */
    int other_alarms; /* beside the first; -1: any */
    enum verify_verdict verdict;
} attacks[] = {
#define KEYED(run, kind, place, others)                                                            \
#run, run, true, VERIFY_##kind, place, others, VERIFY_TAMPERED
#define PLAIN(run, kind, place, others)                                                            \
#run, run, false, VERIFY_##kind, place, others, VERIFY_TAMPERED
#define HONEST(run, keyed, verdict) #run, run, keyed, NOWHERE, 0, 0, verdict
    {KEYED(change_text, EDITED, 50, 0)},
    {KEYED(change_and_hash, EDITED, 50, 0)},
    {KEYED(append_behind_hash, EDITED, 50, 0)},
    {KEYED(renumber, EDITED, 50, 0)},
    {KEYED(renumber_far, EDITED, 50, 0)},
    {KEYED(change_chain, FOREIGN, 50, -1)},
    {KEYED(delete_one, DELETED, 50, 0)},
    {KEYED(delete_several, DELETED, 45, 0)},
    {KEYED(delete_many, DELETED, 2, -1)},
    {KEYED(delete_first, MISSING_START, 1, 0)},
    {KEYED(replace_many_by_forged, EDITED, 44, -1)},
    {KEYED(cut_with_head, CUT, 90, 0)},
    {KEYED(cut_with_state, CUT, 90, 0)},
    {KEYED(cut_in_line, BROKEN, 90, -1)},
    {KEYED(delete_last_file, CUT, 80, 0)},
    {KEYED(delete_middle_file, MISSING_FILE, 81, 0)},
    {KEYED(delete_first_file, MISSING_START, 41, 0)},
    {KEYED(swap, REORDERED, 50, 0)},
    {KEYED(swap_far, REORDERED, 50, 0)},
    {KEYED(move_behind, REORDERED, 50, 0)},
    {KEYED(duplicate, DUPLICATED, 51, 0)},
    {KEYED(replay, DUPLICATED, 90, 0)},
    {KEYED(copy_file, DUPLICATED, NOWHERE, -1)},
    {KEYED(splice_over, FOREIGN, 50, 0)},
    {KEYED(splice_in, FOREIGN, 50, 0)},
    {KEYED(insert_forged, INSERTED, 50, 0)},
    {KEYED(insert_garbage, BROKEN, 50, 0)},
    {KEYED(insert_empty, BROKEN, 50, 0)},
    {KEYED(make_unreadable, BROKEN, 50, 0)},
    {KEYED(join_lines, BROKEN, 50, -1)},
    {KEYED(reseal, RESEALED, 50, 0)},
    {KEYED(reseal_one_key, RESEALED, 50, 0)},
    {KEYED(reseal_moving, RESEALED, 50, 0)},
    {KEYED(reseal_epochs, RESEALED, 50, 0)},
    {KEYED(continue_cut, CONTINUED, 61, 1)},
    {KEYED(continue_at_number, DELETED, 61, 0)},
    {KEYED(explain_by_crash, FALSE_LOSS, 61, 0)},
    {KEYED(explain_by_reboot, FALSE_LOSS, 61, 0)},
    {KEYED(explain_deleted, EDITED, 50, 1)},
    {KEYED(explain_garbage, BROKEN, 50, -1)},
    {KEYED(remove_seals, DELETED, 8, -1)},
    {KEYED(make_unkeyed, UNKEYED, 1, -1)},
    {KEYED(make_unkeyed_other, WRONG_KEY, 1, -1)},
    {KEYED(make_keyed_other, WRONG_KEY, 1, -1)},
    {KEYED(make_keyed_same, EDITED, 1, -1)},
    {KEYED(take_off_chain, UNCHAINED, 1, -1)},
    {KEYED(use_wrong_key, WRONG_KEY, 1, -1)},
    {KEYED(keep_wrong_head, HEAD, 50, 0)},
    {KEYED(restart_after_cut, NOTICED_CUT, 91, 0)},
    {KEYED(delete_state, RESTARTED, END, -1)},
    {KEYED(delete_state_of_unkeyed, RESTARTED, END, -1)},
    {KEYED(set_aside_behind_cut_with_head, CUT, 90, 0)},
    {KEYED(cut_before_set_aside, RESTARTED, NOWHERE, -1)},
    {KEYED(set_aside_names_another, RESTARTED, END, -1)},
    {PLAIN(set_aside_unkeyed_behind_cut_with_head, HEAD, 95, 0)},
    {HONEST(set_aside_with_key, true, VERIFY_INTACT)},
    {HONEST(set_aside_without_key, true, VERIFY_UNPROVEN)},
    {HONEST(set_aside_unkeyed, false, VERIFY_UNPROVEN)},
    {HONEST(set_aside_unkeyed_with_head, false, VERIFY_INTACT)},
    {KEYED(delete_without_key, DELETED, 50, 0)},
    {KEYED(renumber_without_key, EDITED, 50, 0)},
    {KEYED(change_hash_without_key, REPLACED, 50, 0)},
    {KEYED(delete_seal_without_key, EPOCH, 49, 0)},
    {PLAIN(change_text, EDITED, 50, 0)},
    {PLAIN(change_and_hash, REPLACED, 50, 0)},
    {PLAIN(append_behind_hash, EDITED, 50, 0)},
    {PLAIN(renumber, EDITED, 50, 0)},
    {PLAIN(delete_one, DELETED, 50, 0)},
    {PLAIN(delete_first_file, MISSING_START, 41, 0)},
    {PLAIN(cut_with_head, CUT, 90, 0)},
    {PLAIN(swap, REORDERED, 50, 0)},
    {PLAIN(duplicate, DUPLICATED, 51, 0)},
    {PLAIN(splice_over, FOREIGN, 50, 0)},
    {PLAIN(remake_unkeyed_with_head, HEAD, 90, 0)},
    {HONEST(nothing, true, VERIFY_INTACT)},
    {HONEST(nothing, false, VERIFY_INTACT)},
    {HONEST(any_order, true, VERIFY_INTACT)},
    {HONEST(write_more, true, VERIFY_INTACT)},
    {HONEST(set_clock_back, true, VERIFY_INTACT)},
    {HONEST(without_key, true, VERIFY_UNPROVEN)},
    {HONEST(crash, true, VERIFY_INTACT)},
    {HONEST(crash, false, VERIFY_INTACT)},
    {HONEST(crash_unopened, true, VERIFY_INTACT)},
    /* What nobody can tell without a head from elsewhere, and is said in the manual. */
    {HONEST(cut, true, VERIFY_INTACT)},
    {HONEST(make_unkeyed, false, VERIFY_INTACT)},
};

/* ---- running it ----------------------------------------------------------------------------- */

static struct verify_report verify(const struct desk *desk)
{
    char names[PAGES][160];
    const char *logs[PAGES];
    struct verify_request request = {.logs = logs,
                                     .key = desk->key,
                                     .state = desk->state,
                                     .heads = desk->heads,
                                     .head_count = desk->head_count,
                                     .look_ahead = 1000,
                                     .steps = 100000,
                                     .waits = 3};
    struct verify_report report;
    struct miguard_error error = {0};

    request.log_count = desk->own_order ? desk->page_count : 1;
    for (size_t i = 0; i < request.log_count; i++) {
        size_t page = desk->own_order ? desk->page_count - 1 - i : i;
        snprintf(names[i], sizeof(names[i]), "%s",
                 desk->own_order ? desk->pages[page].name : desk->log.path);
        logs[i] = names[i];
    }
    if (verify_both_ways(&request, &report, &error) != MIGUARD_OK) {
        fprintf(stderr, "verify_log: %s: %s\n", error.step, error.detail);
        abort();
    }
    return report;
}

static const struct verify_finding *first_alarm(const struct verify_report *report)
{
    for (size_t i = 0; i < report->finding_count; i++) {
        if (verify_kind_severity(report->findings[i].kind) == VERIFY_ALARM) {
            return &report->findings[i];
        }
    }
    return NULL;
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

struct expected {
    char file[160];
    uint64_t line;
};

static struct expected place_of(struct desk *desk, int place)
{
    struct expected expected = {0};

    if (place > 0) {
        struct spot spot = find(desk, (uint64_t)place);
        memcpy(expected.file, spot.page->name, sizeof(expected.file));
        expected.line = spot.at + 1;
    } else if (place == END) {
        const struct page *page = &desk->pages[desk->page_count - 1];
        memcpy(expected.file, page->name, sizeof(expected.file));
        expected.line = page->count + 1;
    }
    return expected;
}

static bool is_as_expected(const struct attack *attack, const struct expected *expected,
                           const struct verify_report *report)
{
    const struct verify_finding *alarm = first_alarm(report);

    if (report->verdict != attack->verdict || (attack->kind == NOWHERE) != (alarm == NULL)) {
        return false;
    }
    if (alarm == NULL) {
        return report->by_severity[VERIFY_ALARM] == 0;
    }
    return (int)alarm->kind == attack->kind &&
           (attack->place == NOWHERE ||
            (alarm->file != NULL && strcmp(alarm->file, expected->file) == 0 &&
             alarm->line == expected->line)) &&
           (attack->other_alarms < 0 ||
            report->by_severity[VERIFY_ALARM] == 1 + (uint64_t)attack->other_alarms);
}

static void run(const struct attack *attack)
{
    struct desk desk = {0};

    make_log(&desk.log, attack->keyed);
    desk.key = attack->keyed ? &desk.log.first : NULL;
    load(&desk);
    struct expected expected = place_of(&desk, attack->place);
    attack->run(&desk);
    save(&desk);
    struct verify_report report = verify(&desk);
    if (is_as_expected(attack, &expected, &report)) {
        passed++;
    } else {
        failed++;
        fprintf(stderr, "%s (%s): expected %s at %s:%llu, verdict %d; alarms %llu, verdict %d\n",
                attack->name, attack->keyed ? "key" : "no key",
                attack->kind == NOWHERE ? "nothing"
                                        : verify_kind_name((enum verify_kind)attack->kind),
                expected.file, (unsigned long long)expected.line, attack->verdict,
                (unsigned long long)report.by_severity[VERIFY_ALARM], report.verdict);
        show(&report);
    }
    verify_release(&report);
    clear_desk(&desk);
}

int main(void)
{
    strcpy(folder, "/tmp/miguard-tamper-XXXXXX");
    need(mkdtemp(folder) != NULL && chain_init(), "a folder");
    for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
        run(&attacks[i]);
    }
    clear_folder();
    rmdir(folder);
    printf("%u passed, %u failed\n", passed, failed);
    return failed > 0;
}
