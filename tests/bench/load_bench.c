/* SPDX-License-Identifier: MIT */
/* What loading a policy costs: reading, checking and compiling it, against parsing it as YAML. */
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

#include "bench/measure.h"
#include "policy/draft.h"
#include "policy/policy.h"

enum { ROUNDS = 41, POLICY_FILES = 4, RULES_PER_FILE = 256 };

enum { NUMBERS, IDS };

static const struct bench_row load_rows[] = {
    [NUMBERS] = {.name = "load.rules",
                 .goal = 3,
                 .first = "loading a set of 1,024 rules with a number each from 4 files",
                 .second = "parsing the files with libyaml, without a look at the events, and "
                           "getpwnam_r(3) of each number",
                 .unit = "ns",
                 .leaves_out = "slow directories: a number may be a user's name, so each is looked "
                               "up, by both sides, here in /etc/passwd; the proof of the files' "
                               "owners; a log that is opened"},
    [IDS] = {.name = "load.ids",
             .goal = 3,
             .first = "loading a set of 1,024 rules with an id (+5000) each from 4 files",
             .second = "parsing the files with libyaml, without a look at the events",
             .unit = "ns",
             .leaves_out = "names and numbers, which are looked up (load.rules); the proof of the "
                           "files' owners; a log that is opened"},
};

/* plus: "+" or "", before the one id of each rule. */
static void write_rules(const char *folder, const char *plus)
{
    char path[128];

    for (int i = 0; i < POLICY_FILES; i++) {
        snprintf(path, sizeof(path), "%s/%02d.yaml", folder, i);
        FILE *file = fopen(path, "w");
        if (file == NULL) {
            abort();
        }
        fprintf(file, "version: 1\nrules:\n");
        for (int k = 0; k < RULES_PER_FILE; k++) {
            int n = i * RULES_PER_FILE + k;
            fprintf(file,
                    "  - name: rule-%d\n    match: { user: [%s%d, %d-%d], provider: \"lib%d*\", "
                    "class: \"C%d_*\", operation: [CreateInstance, DeleteInstance] }\n"
                    "    decision: deny\n    reason: only to be measured\n",
                    n, plus, n, 2000 + n, 3000 + n, n % 50, n);
        }
        fclose(file);
    }
}

/* The same files through libyaml's events alone, which is the least that a reader can do. */
static void parse_rules(void *data, int calls)
{
    for (int i = 0; i < calls * POLICY_FILES; i++) {
        char path[128];
        yaml_parser_t parser;
        yaml_event_t event = {0};

        snprintf(path, sizeof(path), "%s/%02d.yaml", (const char *)data, i % POLICY_FILES);
        FILE *file = fopen(path, "re");
        if (file == NULL || !yaml_parser_initialize(&parser)) {
            abort();
        }
        yaml_parser_set_input_file(&parser, file);
        for (bool more = true; more;) {
            if (!yaml_parser_parse(&parser, &event)) {
                abort();
            }
            more = event.type != YAML_STREAM_END_EVENT;
            yaml_event_delete(&event);
        }
        yaml_parser_delete(&parser);
        fclose(file);
    }
}

/* And what a loader that asks NSS cannot do without. */
static void parse_and_look_up(void *data, int calls)
{
    char name[16], buffer[2048];
    struct passwd entry, *found;

    parse_rules(data, calls);
    for (int i = 0; i < calls * POLICY_FILES * RULES_PER_FILE; i++) {
        snprintf(name, sizeof(name), "%d", i % (POLICY_FILES * RULES_PER_FILE));
        if (getpwnam_r(name, &entry, buffer, sizeof(buffer), &found) != 0) {
            abort();
        }
    }
}

static void load_rules(void *data, int calls)
{
    const char *path = data;

    for (int i = 0; i < calls; i++) {
        struct diagnostics errors = DIAGNOSTICS_EMPTY;
        struct policy_draft *draft = NULL;
        const struct policy *policy = NULL;
        if (draft_load(&path, 1, DRAFT_TRUST_NONE, &draft, &errors) != MIGUARD_OK ||
            policy_compile(draft, &policy) != MIGUARD_OK) {
            abort();
        }
        policy_release(policy);
        draft_free(draft);
        diagnostics_release(&errors);
    }
}

static void run_load(void)
{
    const char *folder = bench_folder("/tmp");

    if (folder == NULL) {
        abort();
    }
    write_rules(folder, "");
    bench_compare(&load_rows[NUMBERS], load_rules, parse_and_look_up, (void *)(uintptr_t)folder, 1,
                  bench_rounds(ROUNDS));
    write_rules(folder, "+");
    bench_compare(&load_rows[IDS], load_rules, parse_rules, (void *)(uintptr_t)folder, 1,
                  bench_rounds(ROUNDS));
}

BENCH_GROUP(load, load_rows, run_load);
