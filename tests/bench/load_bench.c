/* SPDX-License-Identifier: MIT */
/* What loading a policy costs: reading, checking and compiling it, against parsing it as YAML. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <yaml.h>

#include "bench/measure.h"
#include "policy/draft.h"
#include "policy/policy.h"

enum { ROUNDS = 41, POLICY_FILES = 4, RULES_PER_FILE = 256 };

static const struct bench_row load_rows[] = {
    {.name = "load.rules",
     .goal = 3,
     .first = "loading a set of 1,024 rules from 4 files",
     .second = "parsing the files with libyaml, without a look at the events",
     .unit = "ns",
     .leaves_out = "slow directories: a number may be a user's name, so each is looked up, here in "
                   "/etc/passwd; the proof of the files' owners; a log that is opened"},
};

static void write_rules(const char *folder)
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
                    "  - name: rule-%d\n    match: { user: [%d, %d-%d], provider: \"lib%d*\", "
                    "class: \"C%d_*\", operation: [CreateInstance, DeleteInstance] }\n"
                    "    decision: deny\n    reason: only to be measured\n",
                    n, n, 2000 + n, 3000 + n, n % 50, n);
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
    char folder[] = "/tmp/miguard-bench-XXXXXX", path[128];

    if (mkdtemp(folder) == NULL) {
        abort();
    }
    write_rules(folder);
    bench_compare(&load_rows[0], load_rules, parse_rules, folder, 1, bench_rounds(ROUNDS));
    for (int i = 0; i < POLICY_FILES; i++) {
        snprintf(path, sizeof(path), "%s/%02d.yaml", folder, i);
        unlink(path);
    }
    rmdir(folder);
}

BENCH_GROUP(load, load_rows, run_load);
