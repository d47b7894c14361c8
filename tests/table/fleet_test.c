/* SPDX-License-Identifier: MIT */
/*
 * What may happen to the records of several hosts on their way to a collector, and what `miguard
 * fleet verify` must say of it: which host, which number, which kind. And what delivery does by
 * itself, of which no alarm may be raised: late, twice, in another order, packed, in parts.
 *
 * web1, web2 and web3 have a log of 60 records each, with keys; the collector writes all of them
 * into one file, in turn. web1 has a head at its end that came another way. A way changes the
 * lines, or what is given beside them.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "support/chain_log.h"
#include "tools/review/fleet.h"
#include "tools/review/record.h"

enum { HOSTS = 3, RECORDS = 60, LINES = 1000 };

static char folder[64];
static unsigned passed, failed;

static void need(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "cannot go on: %s\n", what);
        abort();
    }
}

/* ---- a collected store ---------------------------------------------------------------------- */

struct store {
    struct chain_log logs[HOSTS + 2];
    char *lines[LINES];
    size_t count;
    size_t first_of[HOSTS]; /* the first line of each host when it stands in turn */
    struct fleet_key keys[HOSTS + 2];
    struct fleet_request request;
    char head[256]; /* a line of the other channel; "": none */
    bool packed, by_host, unfinished, copied;
    const char *sent_by[2]; /* a line of the first lies in the folder of the second */
};

static const char *const names[] = {"web1", "web2", "web3", "web1", "web9"};

static char *next_line(struct chain_log *log, uint64_t number)
{
    struct text text = TEXT_EMPTY;
    struct audit_event event = chain_log_event(number);

    chain_log_line(log, &event, &text);
    text.data[text.length - 1] = '\0';
    char *line = strdup(text.data);
    text_release(&text);
    return line;
}

static void put_in(struct store *store, size_t at, const char *line)
{
    need(store->count < LINES, "lines");
    memmove(&store->lines[at + 1], &store->lines[at], (store->count - at) * sizeof(char *));
    store->lines[at] = strdup(line);
    store->count++;
}

static void take_out(struct store *store, size_t at)
{
    free(store->lines[at]);
    store->count--;
    memmove(&store->lines[at], &store->lines[at + 1], (store->count - at) * sizeof(char *));
}

static void begin_log(struct store *store, size_t host, bool keyed)
{
    struct chain_log *log = &store->logs[host];

    chain_log_begin(log, "", keyed);
    log->epoch_size = 0;
    log->stamp.host_name = names[host];
    store->keys[host] = (struct fleet_key){log->first, names[host]};
}

static void make_store(struct store *store, bool keyed)
{
    char hash[CHAIN_HEX_SIZE];

    *store = (struct store){.count = 0};
    for (size_t i = 0; i < HOSTS; i++) {
        begin_log(store, i, keyed);
    }
    for (uint64_t n = 1; n <= RECORDS; n++) {
        for (size_t i = 0; i < HOSTS; i++) {
            char *line = next_line(&store->logs[i], n);
            put_in(store, store->count, line);
            free(line);
        }
    }
    chain_hex(store->logs[0].head.hash, hash);
    snprintf(store->head, sizeof(store->head), "%016llx %u:%s web1",
             (unsigned long long)store->logs[0].head.chain_id, RECORDS, hash);
    store->request = (struct fleet_request){.keys = store->keys,
                                            .key_count = keyed ? HOSTS : 0,
                                            .now = (int64_t)time(NULL) * 1000000000,
                                            .slack = INT64_C(300000000000)};
}

/* Where the record of this host with this number stands. */
static size_t place(const struct store *store, size_t host, uint64_t number)
{
    char sequence[64], name[64];

    snprintf(sequence, sizeof(sequence), "\"sequence\":%llu,", (unsigned long long)number);
    snprintf(name, sizeof(name), "\"%s\"", names[host]);
    for (size_t i = 0; i < store->count; i++) {
        if (strstr(store->lines[i], sequence) != NULL && strstr(store->lines[i], name) != NULL) {
            return i;
        }
    }
    need(false, sequence);
    return 0;
}

static void change(char **line, const char *from, const char *to)
{
    char *at = strstr(*line, from), *changed = calloc(1, strlen(*line) + strlen(to) + 1);

    need(at != NULL, from);
    sprintf(changed, "%.*s%s%s", (int)(at - *line), *line, to, at + strlen(from));
    free(*line);
    *line = changed;
}

/* ---- ways ----------------------------------------------------------------------------------- */

static void nothing(struct store *store)
{
    (void)store;
}

static void remove_one(struct store *store)
{
    take_out(store, place(store, 1, 17));
}

static void remove_some(struct store *store)
{
    remove_one(store);
    for (uint64_t i = 30; i <= 35; i++) {
        take_out(store, place(store, 1, i));
    }
}

static void edit(struct store *store)
{
    change(&store->lines[place(store, 1, 44)], "Web_Server", "Web_Sewer_");
}

/* The collector got it once before it was edited. */
static void edit_second(struct store *store)
{
    size_t at = place(store, 1, 44);

    put_in(store, at + 7, store->lines[at]);
    change(&store->lines[at + 7], "Web_Server", "Web_Sewer_");
}

static void edit_first(struct store *store)
{
    size_t at = place(store, 1, 44);

    put_in(store, at + 7, store->lines[at]);
    change(&store->lines[at], "Web_Server", "Web_Sewer_");
}

static void edit_number(struct store *store)
{
    change(&store->lines[place(store, 1, 44)], "\"sequence\":44,", "\"sequence\":45,");
}

static void reorder(struct store *store)
{
    size_t early = place(store, 1, 10), late = place(store, 1, 13);
    char *line = store->lines[early];

    store->lines[early] = store->lines[late];
    store->lines[late] = line;
}

static void reverse(struct store *store)
{
    for (size_t i = 0; i < store->count / 2; i++) {
        char *line = store->lines[i];
        store->lines[i] = store->lines[store->count - 1 - i];
        store->lines[store->count - 1 - i] = line;
    }
}

/* What a sender does whose connection broke before the receipt came. */
static void send_again(struct store *store)
{
    for (uint64_t i = 20; i <= 29; i++) {
        put_in(store, store->count, store->lines[place(store, 1, i)]);
    }
}

static void cut_known(struct store *store)
{
    for (uint64_t i = RECORDS - 4; i <= RECORDS; i++) {
        take_out(store, place(store, 0, i));
    }
}

static void cut_unknown(struct store *store)
{
    for (uint64_t i = RECORDS - 4; i <= RECORDS; i++) {
        take_out(store, place(store, 1, i));
    }
}

static void cut_start(struct store *store)
{
    for (uint64_t i = 1; i <= 9; i++) {
        take_out(store, place(store, 1, i));
    }
}

static void cut_start_partial(struct store *store)
{
    cut_start(store);
    store->request.partial = true;
}

static void remove_host(struct store *store)
{
    for (uint64_t i = 1; i <= RECORDS; i++) {
        take_out(store, place(store, 1, i));
    }
}

static void remove_host_with_head(struct store *store)
{
    for (uint64_t i = 1; i <= RECORDS; i++) {
        take_out(store, place(store, 0, i));
    }
}

static void wrong_head(struct store *store)
{
    char *digit = strchr(store->head, ':') + 1;
    *digit = *digit == '0' ? '1' : '0';
}

/* Four spellings of the same head. */
static void head_of_syslog(struct store *store)
{
    char hash[CHAIN_HEX_SIZE];

    chain_hex(store->logs[0].head.hash, hash);
    snprintf(store->head, sizeof(store->head),
             "<110>1 t h miguard 1 MG100I [miguard@1 id=\"a-1\" seq=\"60\" hash=\"%s\" "
             "chain=\"%016llx\"] x",
             hash, (unsigned long long)store->logs[0].head.chain_id);
}

static void head_of_journal(struct store *store)
{
    char hash[CHAIN_HEX_SIZE];

    chain_hex(store->logs[0].head.hash, hash);
    snprintf(store->head, sizeof(store->head),
             "{\"MIGUARD_HASH\":\"%s\",\"A\":\"b\",\"MIGUARD_SEQUENCE\":\"60\","
             "\"MIGUARD_CHAIN\":\"%016llx\"}",
             hash, (unsigned long long)store->logs[0].head.chain_id);
}

static void no_head(struct store *store)
{
    store->head[0] = '\0';
}

/* A value of a record cannot pass for a head: its quotes are escaped. */
static void head_in_a_value(struct store *store)
{
    char hash[CHAIN_HEX_SIZE];

    chain_hex(store->logs[0].head.hash, hash);
    snprintf(store->head, sizeof(store->head),
             "{\"message\":\" chain=\\\"%016llx\\\" seq=\\\"60\\\" hash=\\\"%s\\\" \"}",
             (unsigned long long)store->logs[0].head.chain_id, hash);
}

static void missing_key(struct store *store)
{
    store->keys[1] = store->keys[2];
    store->request.key_count = 2;
}

static void wrong_key(struct store *store)
{
    chain_key_new(&store->keys[1].key);
}

/* web9 has a key in the folder, and never sent anything. */
static void never_heard(struct store *store)
{
    chain_key_new(&store->keys[3].key);
    store->keys[3].name = "web9";
    store->request.key_count = 4;
}

/* A second log on web1, which runs at the same time. */
static void second_chain(struct store *store)
{
    begin_log(store, 3, true);
    store->logs[3].clock_shift = -1;
    store->request.key_count = 4;
    for (uint64_t i = 1; i <= 10; i++) {
        char *line = next_line(&store->logs[3], i);
        put_in(store, i, line);
        free(line);
    }
}

static void second_chain_without_key(struct store *store)
{
    second_chain(store);
    store->request.key_count = 3;
}

/* The log of web1 was removed, and its writer began another one. */
static void restarted(struct store *store)
{
    begin_log(store, 3, false);
    store->logs[3].clock_shift = 100;
    for (uint64_t i = 1; i <= 10; i++) {
        char *line = next_line(&store->logs[3], i);
        put_in(store, store->count, line);
        free(line);
    }
}

/* The state of web2's log was damaged: it goes on without a key, behind the record before. */
static void set_aside(struct store *store)
{
    const struct audit_set_aside aside = {"heads", "lost", "audit.log.state.damaged-1"};
    const struct audit_event event = {.action = AUDIT_ACTION_STATE_SET_ASIDE, .set_aside = &aside};
    struct chain_log *log = &store->logs[1];
    struct text text = TEXT_EMPTY;

    log->head.chain_id = chain_id_random();
    log->head.epoch = 0;
    log->head.key = (struct chain_key){0};
    log->clock_shift = 100;
    chain_log_line(log, &event, &text);
    text.data[text.length - 1] = '\0';
    put_in(store, store->count, text.data);
    text_release(&text);
    for (uint64_t i = 1; i <= 5; i++) {
        char *line = next_line(log, i);
        put_in(store, store->count, line);
        free(line);
    }
}

static void set_aside_and_cut(struct store *store)
{
    set_aside(store);
    take_out(store, place(store, 1, RECORDS));
}

/* A snapshot of web2 was put back: it counts from there once more. */
static void set_back(struct store *store)
{
    struct chain_log copy;

    begin_log(store, 4, true);
    store->logs[4].stamp.host_name = "web2";
    store->request.key_count = 5;
    store->keys[3] = store->keys[4];
    for (uint64_t i = 1; i <= 20; i++) {
        copy = i == 10 ? store->logs[4] : copy;
        char *line = next_line(&store->logs[4], i);
        put_in(store, store->count, line);
        free(line);
    }
    chain_log_other_process(&copy);
    for (uint64_t i = 10; i <= 15; i++) {
        char *line = next_line(&copy, i);
        put_in(store, store->count, line);
        free(line);
    }
}

static void garbage(struct store *store)
{
    put_in(store, 20, "no record at all");
    put_in(store, 40, "{\"@timestamp\":\"2026-01-01T00:00:00Z\"");
}

static void no_utf8(struct store *store)
{
    char *line = store->lines[place(store, 1, 33)];
    memset(strstr(line, "Web_Server"), 0xC0, 3);
}

static void huge_line(struct store *store)
{
    size_t size = 3 * RECORD_MAX_LINE;
    char *line = malloc(size);

    memset(line, 'x', size - 1);
    line[size - 1] = '\0';
    put_in(store, 50, line);
    free(line);
}

static void without_chain(struct store *store)
{
    put_in(store, 50, "{\"@timestamp\":\"2026-01-01T00:00:00Z\",\"event\":{\"sequence\":3}}");
}

/* What a collector does with its default template. */
static void with_heads_of_syslog(struct store *store)
{
    for (size_t i = 0; i < store->count; i++) {
        char *line = calloc(1, strlen(store->lines[i]) + 64);
        sprintf(line, "2026-03-01T12:00:00+00:00 web miguard: %s", store->lines[i]);
        free(store->lines[i]);
        store->lines[i] = line;
    }
}

static void pack(struct store *store)
{
    store->packed = true;
}

static void files_of_hosts(struct store *store)
{
    store->by_host = store->request.by_folder = true;
}

static void foreign_host(struct store *store)
{
    files_of_hosts(store);
    store->sent_by[0] = "web2";
    store->sent_by[1] = "web3";
}

/* web3 sends what web2 has sent as well. */
static void foreign_copy(struct store *store)
{
    files_of_hosts(store);
    store->copied = true;
}

static void being_written(struct store *store)
{
    store->lines[store->count - 1][200] = '\0';
    store->unfinished = true;
}

static void fell_silent(struct store *store)
{
    store->request.silent = INT64_C(3600000000000);
    store->request.now += INT64_C(7200000000000);
}

static void shift_clock(struct store *store, int64_t seconds)
{
    struct chain_log *log = &store->logs[1];

    begin_log(store, 1, true);
    log->clock_shift = seconds;
    for (uint64_t i = 1; i <= RECORDS; i++) {
        size_t at = 3 * (i - 1) + 1;
        free(store->lines[at]);
        store->lines[at] = next_line(log, i);
    }
}

static void clock_behind(struct store *store)
{
    shift_clock(store, -1200);
}

static void clock_ahead(struct store *store)
{
    shift_clock(store, 1200);
    store->request.now += INT64_C(86400000000000);
}

static void in_the_future(struct store *store)
{
    store->request.now -= INT64_C(86400000000000);
}

/* Half of web2's records were held up; the rest shows that its clock is right. */
static void held_up(struct store *store)
{
    shift_clock(store, -1200);
    struct chain_log *log = &store->logs[1];
    log->clock_shift = 0;
    for (int i = 0; i < 2 * RECORDS; i++) {
        for (size_t j = 0; j < HOSTS; j++) {
            char *line = next_line(&store->logs[j], 1);
            put_in(store, store->count, line);
            free(line);
        }
    }
    store->head[0] = '\0';
}

static void few_in_memory(struct store *store)
{
    store->request.run = 7;
}

static void few_in_memory_reversed(struct store *store)
{
    few_in_memory(store);
    reverse(store);
    send_again(store);
}

static void empty(struct store *store)
{
    while (store->count > 0) {
        take_out(store, 0);
    }
    no_head(store);
    store->request.key_count = 0;
}

#define KIND(name) (1ull << VERIFY_##name)

/* of web2, unless another is named: what is found of alarms, and what only the fleet shows */
static const struct row {
    const char *what;
    void (*way)(struct store *);
    const char *host;
    uint64_t alarms;
    unsigned facts; /* NO_HEAD of web2 and web3 goes without saying */
    uint64_t missing, duplicates, reordered, broken;
    size_t rows;
    const char *numbers; /* of the alarms */
} table[] = {
    {"nothing", nothing, "web2", 0, 0, 0, 0, 0, 0, 3, ""},
    {"one is removed", remove_one, "web2", KIND(DELETED), 0, 1, 0, 0, 0, 3, "17"},
    {"some are removed", remove_some, "web2", KIND(DELETED), 0, 7, 0, 0, 0, 3, "17 30-35"},
    {"one is edited", edit, "web2", KIND(EDITED), 0, 0, 0, 0, 0, 3, "44"},
    {"edited, and here as it was, too", edit_second, "web2", KIND(INSERTED), 0, 0, 0, 0, 0, 3,
     "45"},
    {"edited before it came as it was", edit_first, "web2", KIND(INSERTED), 0, 0, 0, 0, 0, 3, "44"},
    {"its number is edited", edit_number, "web2", KIND(EDITED), 0, 1, 0, 0, 0, 3, "44"},
    {"two in another order", reorder, "web2", 0, 0, 0, 0, 3, 0, 3, ""},
    {"all in another order", reverse, "web2", 0, 0, 0, 0, 59, 0, 3, ""},
    {"ten came twice", send_again, "web2", 0, 0, 0, 10, 0, 0, 3, ""},
    {"cut, and a head knows", cut_known, "web1", KIND(CUT), FLEET_NO_HEAD, 5, 0, 0, 0, 3, "56-60"},
    {"cut, and nothing knows", cut_unknown, "web2", 0, 0, 0, 0, 0, 0, 3, ""},
    {"the beginning is missing", cut_start, "web2", KIND(MISSING_START), 0, 9, 0, 0, 0, 3, "1-9"},
    {"the store begins later", cut_start_partial, "web2", 0, 0, 0, 0, 0, 0, 3, ""},
    {"a host is missing", remove_host, "web2", 0, FLEET_NEVER_HEARD, 0, 0, 0, 0, 3, ""},
    {"a host is missing, and its head is here", remove_host_with_head, "web1", KIND(CUT),
     FLEET_NEVER_HEARD | FLEET_NO_HEAD, 60, 0, 0, 0, 3, "1-60"},
    {"another head", wrong_head, "web1", KIND(HEAD), FLEET_NO_HEAD, 0, 0, 0, 0, 3, "60"},
    {"a head of the syslog sink", head_of_syslog, "web1", 0, 0, 0, 0, 0, 0, 3, ""},
    {"a head of the journal", head_of_journal, "web1", 0, 0, 0, 0, 0, 0, 3, ""},
    {"no head", no_head, "web1", 0, FLEET_NO_HEAD, 0, 0, 0, 0, 3, ""},
    {"a head in a value", head_in_a_value, "web1", 0, FLEET_NO_HEAD, 0, 0, 0, 0, 3, ""},
    {"a key is missing", missing_key, "web2", 0, FLEET_NO_KEY, 0, 0, 0, 0, 3, ""},
    {"another key", wrong_key, "web2", 0, FLEET_NO_KEY | FLEET_WRONG_KEY, 0, 0, 0, 0, 3, ""},
    {"a host of which nothing came", never_heard, "web9", 0, FLEET_NEVER_HEARD, 0, 0, 0, 0, 4, ""},
    {"two logs on a host", second_chain, "web1", 0, 0, 0, 0, 0, 0, 4, ""},
    {"two logs, one without its key", second_chain_without_key, "web1", 0,
     FLEET_NO_KEY | FLEET_NO_HEAD, 0, 0, 0, 0, 4, ""},
    {"a log was begun anew", restarted, "web1", 0, FLEET_RESTARTED | FLEET_NO_HEAD, 0, 0, 0, 0, 4,
     ""},
    {"a state was set aside", set_aside, "web2", 0, 0, 0, 0, 0, 0, 4, ""},
    {"the end before that was cut", set_aside_and_cut, "web2", 0, FLEET_RESTARTED, 0, 0, 0, 0, 4,
     ""},
    {"a snapshot was put back", set_back, "web2", KIND(DUPLICATED), FLEET_WENT_BACK, 0, 0, 0, 0, 4,
     NULL},
    {"lines that are no records", garbage, "web2", 0, 0, 0, 0, 0, 2, 3, ""},
    {"bytes that are no UTF-8", no_utf8, "web2", KIND(DELETED), 0, 1, 0, 0, 1, 3, "33"},
    {"a huge line", huge_line, "web2", 0, 0, 0, 0, 0, 1, 3, ""},
    {"a record without a chain", without_chain, "web2", 0, 0, 0, 0, 0, 1, 3, ""},
    {"a head before each record", with_heads_of_syslog, "web2", 0, 0, 0, 0, 0, 0, 3, ""},
    {"packed", pack, "web2", 0, 0, 0, 0, 0, 0, 3, ""},
    {"a folder for each host", files_of_hosts, "web2", 0, 0, 0, 0, 0, 0, 3, ""},
    {"in the folder of another host", foreign_host, "web2", 0, FLEET_FOREIGN_HOST, 0, 0, 0, 0, 3,
     ""},
    {"a copy in the folder of another host", foreign_copy, "web2", 0, FLEET_FOREIGN_HOST, 0, 60, 0,
     0, 3, ""},
    {"the last one is being written", being_written, "web3", 0, 0, 0, 0, 0, 0, 3, ""},
    {"silent", fell_silent, "web2", 0, FLEET_SILENT, 0, 0, 0, 0, 3, ""},
    {"its clock is behind", clock_behind, "web2", 0, FLEET_CLOCK_BEHIND, 0, 0, 0, 0, 3, ""},
    {"its clock is ahead", clock_ahead, "web2", 0, FLEET_CLOCK_AHEAD, 0, 0, 0, 0, 3, ""},
    {"its records are of tomorrow", in_the_future, "web2", 0, FLEET_CLOCK_AHEAD, 0, 0, 0, 0, 3, ""},
    {"some came late", held_up, "web2", 0, 0, 0, 0, 0, 0, 3, ""},
    {"more than memory holds", few_in_memory, "web2", 0, 0, 0, 0, 0, 0, 3, ""},
    {"more than memory holds, reversed", few_in_memory_reversed, "web2", 0, 0, 0, 10, 59, 0, 3, ""},
    {"nothing at all", empty, NULL, 0, 0, 0, 0, 0, 0, 0, ""},
};

/* ---- running it ----------------------------------------------------------------------------- */

static void append_packed(const char *name, const char *bytes)
{
    gzFile file = gzopen(name, "ab");

    need(file != NULL && gzputs(file, bytes) >= 0 && gzputs(file, "\n") >= 0 &&
             gzclose(file) == Z_OK,
         name);
}

/* The folder that the collector writes this line to. */
static void folder_of(const struct store *store, const char *line, char name[200])
{
    for (size_t i = 0; i < HOSTS; i++) {
        char host[64];
        snprintf(host, sizeof(host), "\"%s\"", names[i]);
        if (strstr(line, host) != NULL) {
            bool other = store->sent_by[0] != NULL && strcmp(store->sent_by[0], names[i]) == 0;
            snprintf(name, 200, "%s/store/%s", folder, other ? store->sent_by[1] : names[i]);
        }
    }
    mkdir(name, 0700);
}

static void save_line(const struct store *store, size_t at)
{
    char name[200], path[256];

    snprintf(name, sizeof(name), "%s/store", folder);
    if (store->by_host) {
        folder_of(store, store->lines[at], name);
    }
    snprintf(path, sizeof(path), "%s/audit.log", name);
    if (store->packed) {
        append_packed(path, store->lines[at]);
        return;
    }
    chain_log_append(path, store->lines[at], strlen(store->lines[at]));
    if (!store->unfinished || at + 1 < store->count) {
        chain_log_append(path, "\n", 1);
    }
}

static void save(const struct store *store)
{
    char command[200], path[200];

    snprintf(command, sizeof(command), "rm -rf '%s'/* && mkdir '%s/store'", folder, folder);
    need(system(command) == 0, command);
    for (size_t i = 0; i < store->count; i++) {
        save_line(store, i);
    }
    snprintf(command, sizeof(command), "cat '%s'/store/web2/* >>'%s/store/web3/audit.log'", folder,
             folder);
    need(!store->copied || system(command) == 0, command);
    snprintf(path, sizeof(path), "%s/heads", folder);
    chain_log_append(path, "a line of another program\n", 26);
    chain_log_append(path, store->head, strlen(store->head));
}

/* "17 30-35": of findings that are alarms. */
static void numbers_of(const struct verify_report *report, char text[512])
{
    size_t length = 0;

    text[0] = '\0';
    for (size_t i = 0; i < report->finding_count; i++) {
        const struct verify_finding *finding = &report->findings[i];
        if (verify_kind_severity(finding->kind) != VERIFY_ALARM || length > 400) {
            continue;
        }
        length += (size_t)sprintf(text + length, length > 0 ? " %llu" : "%llu",
                                  (unsigned long long)finding->first);
        if (finding->last > finding->first) {
            length += (size_t)sprintf(text + length, "-%llu", (unsigned long long)finding->last);
        }
    }
}

static bool check_row(const struct row *row, const struct fleet_row *found, char *why)
{
    uint64_t alarms = 0;
    unsigned facts = found->facts;
    char numbers[512];

    for (enum verify_kind i = 0; i < VERIFY_KIND_COUNT; i++) {
        bool alarm = verify_kind_severity(i) == VERIFY_ALARM && found->report.count[i] > 0;
        alarms |= alarm ? 1ull << i : 0;
    }
    if (strcmp(row->host, "web1") != 0) {
        facts &= ~(unsigned)FLEET_NO_HEAD;
    }
    numbers_of(&found->report, numbers);
    sprintf(why, "alarms %llx, facts %x, missing %llu, duplicates %llu, out of order %llu, at %s",
            (unsigned long long)alarms, facts, (unsigned long long)found->missing,
            (unsigned long long)found->duplicates, (unsigned long long)found->reordered, numbers);
    return alarms == row->alarms && facts == row->facts && found->missing == row->missing &&
           found->duplicates == row->duplicates && found->reordered == row->reordered &&
           (row->numbers == NULL || strcmp(row->numbers, numbers) == 0);
}

/* Any of the host's rows; the other hosts must be in order. */
static bool check_report(const struct row *row, const struct fleet_report *report, char *why)
{
    bool good = row->host == NULL;

    sprintf(why, "no row");
    for (size_t i = 0; i < report->row_count && !good; i++) {
        good =
            strcmp(report->rows[i].host, row->host) == 0 && check_row(row, &report->rows[i], why);
    }
    for (size_t i = 0; i < report->row_count && good; i++) {
        const struct fleet_row *other = &report->rows[i];
        if ((other->facts & ~row->facts & FLEET_RESTARTED) != 0 ||
            (strcmp(other->host, row->host) != 0 && other->report.by_severity[VERIFY_ALARM] > 0)) {
            sprintf(why, "alarms of %s", other->host);
            good = false;
        }
    }
    if (good &&
        (report->row_count != row->rows || report->broken + report->unchained != row->broken)) {
        sprintf(why, "%zu rows, %llu no records", report->row_count,
                (unsigned long long)(report->broken + report->unchained));
        good = false;
    }
    return good;
}

static void run(const struct row *row)
{
    struct store *store = calloc(1, sizeof(*store));
    struct fleet_report report = {0};
    struct miguard_error error = {0};
    char path[128], heads[128], why[1024] = "";
    const char *places[] = {path}, *other[] = {heads};

    need(store != NULL, "memory");
    make_store(store, true);
    row->way(store);
    save(store);
    snprintf(path, sizeof(path), "%s/store", folder);
    snprintf(heads, sizeof(heads), "%s/heads", folder);
    store->request.places = places;
    store->request.place_count = 1;
    store->request.heads = other;
    store->request.head_count = store->head[0] != '\0';
    bool good = fleet_verify(&store->request, &report, &error) == MIGUARD_OK &&
                check_report(row, &report, why);
    passed += good;
    failed += !good;
    if (!good) {
        printf("FAIL: %s: %s %s\n", row->what, why, error.detail);
    }
    fleet_release(&report);
    while (store->count > 0) {
        take_out(store, store->count - 1);
    }
    free(store);
}

int main(void)
{
    char command[128];

    strcpy(folder, "/tmp/miguard-fleet-XXXXXX");
    need(mkdtemp(folder) != NULL, folder);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        run(&table[i]);
    }
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    need(system(command) == 0, command);
    printf("%u passed, %u failed\n", passed, failed);
    return failed != 0;
}
